/* conv3d_gpu_dw_sum.cl: adds the parts of a gradient by the weights in order, and puts it into the layout of weights.
 *
 * A group adds WG / STRIPS neighbouring elements; strip s of it takes parts s, s + STRIPS, ..., then strip 0 adds the
 * strips.
 *
 * STRIPS  16  1, where there are few parts, or a divisor of WG */
#include "common.h"

#ifndef STRIPS
#define STRIPS 16
#endif

#define WG     256
#define ACROSS (WG / STRIPS)

/* dw[bank][o][c][tap] = sum over the parts of part[bank][part][row][column]; a row is ((c / step) * taps + tap) * step +
 * c % step, a column is o. Groups: elements of a bank, banks. */
HF_GROUP(WG)
kernel void conv3d_gpu_dw_sum(global const float *part, global float *dw, int C, int O, int taps, int step, int rows,
                              int columns, int parts)
{
    local float sums[WG];
    int id = (int)get_local_id(0), strip = id / ACROSS;
    int i = (int)get_group_id(0) * ACROSS + id % ACROSS, size = rows * columns;
    part += (size_t)get_group_id(1) * parts * size;
    float sum = 0.0f;
    if (i < size)
        for (int p = strip; p < parts; p += STRIPS)
            sum += part[(size_t)p * size + i];
    sums[id] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    int row = i / columns, o = i % columns, tap = row / step % taps, c = row / step / taps * step + row % step;
    if (strip > 0 || i >= size || o >= O || c >= C) return;
    for (int s = 1; s < STRIPS; s++)
        sum += sums[s * ACROSS + id];
    dw[((get_group_id(1) * O + o) * C + c) * taps + tap] = sum;
}
