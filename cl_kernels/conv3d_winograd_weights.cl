/* conv3d_winograd_weights.cl: transforms the weights of a 3 x 3 x 3 convolution for conv3d_winograd.cl, in double
 * precision, rounded once.
 *
 *   u[set][PLANE][to/16/OUT][AD][from * OUT + 1][16] = (G x G x G) w, zeros beyond the last channel
 *
 * and one vector unused after every point, so that points do not meet in one set of a cache.
 *
 * "from" and "to" are the channels the convolution reads and writes: C and O forward, O and C for the input gradient,
 * which also takes the taps backwards. One work-item a group.
 *
 * OUT  blocks of output channels multiplied together, as in conv3d_winograd.cl */
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#include "conv3d_winograd.h"
#include "transpose.h"

#ifndef OUT
#define OUT 1
#endif

#define CHANNELS 4
#define TAPS     27

/* Half a block: double8 is the widest vector that one instruction takes. */
#define HALF (HF_BLOCK / 2)

/* Rows i and i + 1 of G, those of a pair, applied to g[3]: they share their even and odd parts. */
HF_INLINE void filter_pair(double8 *to, const double8 *g, const int m, const int i)
{
    const double p = hf_filter_point(m, i), scale = hf_filter_scale(m, i);
    const double8 even = scale * g[0] + scale * p * p * g[2], odd = scale * p * g[1];
    to[i] = even + odd;
    to[i + 1] = even - odd;
}

/* G applied to g[3]: to[m+2]. */
HF_INLINE void filter_line(double8 *to, const double8 *g, const int m)
{
    to[0] = hf_filter_scale(m, 0) * g[0];
    to[1] = g[2];
    filter_pair(to, g, m, 2);
    if (m == 4) filter_pair(to, g, m, 4);
}

/* The taps of one "from" channel for 16 "to" channels of which `left` exist, in the order in which they meet x. Whole
 * blocks are turned 16 by 16 elements at a time; the second square overlaps the first. */
HF_INLINE void load_taps(float16 *g, global const float *restrict w, int to_stride, int left, int flip)
{
    if (left < HF_BLOCK) {
        for (int tap = 0; tap < TAPS; ++tap) {
            float lane[HF_BLOCK];
            for (int o = 0; o < HF_BLOCK; ++o)
                lane[o] = o < left ? w[(size_t)o * to_stride + (flip ? TAPS - 1 - tap : tap)] : 0;
            g[tap] = vload16(0, lane);
        }
        return;
    }
    for (int begin = 0; begin < TAPS; begin += TAPS - HF_BLOCK) {
        float16 v[HF_BLOCK];
#pragma unroll
        for (int o = 0; o < HF_BLOCK; ++o)
            v[o] = vload16(0, w + (size_t)o * to_stride + begin);
        hf_transpose16(v);
#pragma unroll
        for (int i = 0; i < HF_BLOCK; ++i)
            g[flip ? TAPS - 1 - begin - i : begin + i] = v[i];
        if (begin) break;
    }
}

/* (G x G x G) g to HALF lanes of u. Taps g[27] lie a block apart, points s of a plane `plane` vectors, points of a
 * column `step`. */
HF_INLINE void transform_filter(global float *restrict u, size_t plane, size_t step, const float *g)
{
    double8 depth[9][AD];
    for (int i = 0; i < 9; ++i) {
        double8 column[3];
        for (int d = 0; d < 3; ++d)
            column[d] = convert_double8(vload8(0, g + (d * 9 + i) * HF_BLOCK));
        filter_line(depth[i], column, MD);
    }
    for (int d = 0; d < AD; ++d) {
        double8 line[3][AH], point[AW];
#pragma unroll
        for (int i = 0; i < 3; ++i) {
            const double8 column[3] = { depth[i][d], depth[3 + i][d], depth[6 + i][d] };
            filter_line(line[i], column, MH);
        }
#pragma unroll
        for (int h = 0; h < AH; ++h) {
            const double8 row[3] = { line[0][h], line[1][h], line[2][h] };
            filter_line(point, row, MW);
#pragma unroll
            for (int i = 0; i < AW; ++i)
                vstore8(convert_float8(point[i]), 0,
                        u + ((i / 2 * PART + h * 2 + i % 2) * plane + d * step) * HF_BLOCK);
        }
    }
}

/* w has w_stride elements a set, from_stride and to_stride elements a channel, taps innermost. bias [sets][to_count] is
 * read when has_bias. A group does CHANNELS "from" channels, whose results lie side by side: results of one channel are
 * far apart. Groups: from channels in whole blocks / CHANNELS, blocks of to channels, sets. */
HF_WIDE HF_GROUP(1) kernel
    void conv3d_winograd_weights(global const float *restrict w, global const float *restrict bias,
                                 global float16 *restrict u, global float16 *restrict to_bias, int from_count,
                                 int to_count, int from_stride, int to_stride, ulong w_stride, int flip, int has_bias)
{
    const int from = get_group_id(0) * CHANNELS, block = get_group_id(1), to_blocks = get_num_groups(1);
    const int first = block * HF_BLOCK, left = min(HF_BLOCK, to_count - first);
    const size_t set = get_group_id(2), step = get_num_groups(0) * CHANNELS * OUT + 1,
                 plane = to_blocks / OUT * AD * step;
    float16 g[TAPS];
    w += set * w_stride + (size_t)first * to_stride;
    u += set * PLANE * plane + block / OUT * AD * step + block % OUT;
    for (int c = from; c < from + CHANNELS; ++c) {
        load_taps(g, w + (size_t)c * from_stride, to_stride, c < from_count ? left : 0, flip);
        for (int o = 0; o < HF_BLOCK; o += HALF)
            transform_filter((global float *)(u + c * OUT) + o, plane, step, (const float *)g + o);
    }
    if (from > 0) return;
    for (int o = 0; o < HF_BLOCK; ++o)
        ((global float *)to_bias)[(set * to_blocks + block) * HF_BLOCK + o] =
            has_bias && o < left ? bias[set * to_count + first + o] : 0;
}
