/* conv3d_cpu_arrange.h: lays out the weights of a pair of channel blocks in the order in which conv3d_cpu_rows.h reads
 * them. Included by name, as common.h.
 *
 *   to[tap][from channel in block][to channel in block], zeros beyond the last channel
 *
 * "from" and "to" are the channels the convolution reads and writes: C and O forward, O and C for the input gradient,
 * which also takes the taps backwards. Only strides differ. Whole blocks are turned 16 by 16 elements at a time. */
#ifndef HF_CONV3D_CPU_ARRANGE_H
#define HF_CONV3D_CPU_ARRANGE_H
#define AHEAD 64
#define NEXT  1

#include "common.h"
#include "transpose.h"

#define AHEAD 64 /* elements of a row fetched before they are used, where rows are long */

/* Lays out the elements of 16 to channels, to_stride apart, that lie contiguously from w on: `channels` from channels
 * of `taps` elements each. There are 16 elements at least; the last square overlaps the one before. */
HF_INLINE void arrange_run(global const float *w, int to_stride, int channels, int taps, int step, int flip, long ahead,
                           global float16 *to)
{
    const int count = channels * taps, next_tap = flip ? -step : step, next_channel = 1 - taps * next_tap;
    if (flip) to += (taps - 1) * step;
    for (int t = 0; t < count; t += HF_BLOCK) {
        const int begin = min(t, count - HF_BLOCK);
        int tap = begin % taps, at = tap * next_tap + begin / taps;
        float16 v[HF_BLOCK];
#pragma unroll
        for (int o = 0; o < HF_BLOCK; ++o)
            v[o] = vload16(0, w + (size_t)o * to_stride + begin),
            HF_PREFETCH(w + (size_t)o * to_stride + begin + ahead);
        hf_transpose16(v);
#pragma unroll
        for (int i = 0; i < HF_BLOCK; ++i) {
            to[at] = v[i];
            at += next_tap;
            if (++tap == taps) tap = 0, at += next_channel;
        }
    }
}

/* The same for any block, element by element. */
void arrange_elements(global const float *w, int from_stride, int to_stride, int from_left, int to_left, int taps,
                      int step, int flip, global float *to)
{
    for (int tap = 0; tap < taps; ++tap)
        for (int c = 0; c < step; ++c) {
            const size_t at = (size_t)c * from_stride + (flip ? taps - 1 - tap : tap);
            for (int o = 0; o < HF_BLOCK; ++o)
                *to++ = c < from_left && o < to_left ? w[at + (size_t)o * to_stride] : 0;
        }
}

/* w points to the first weight of the pair: from_stride and to_stride elements a channel, taps innermost; from_left and
 * to_left channels exist. step is the number of from channels in a block: 16, or 1 when x is plain. far: elements from
 * this pair to the one to fetch meanwhile; 0: what comes next in this one. */
HF_INLINE void arrange_block(global const float *w, int from_stride, int to_stride, int from_left, int to_left,
                             int taps, int step, int flip, long far, global float16 *to)
{
    const bool whole = from_left >= step && to_left >= HF_BLOCK;
    if (whole && to_stride == 1)
        for (int c = 0; c < step; ++c, w += from_stride) {
            to[c] = vload16(0, w);
            HF_PREFETCH(w + (far ? far : (long)from_stride * HF_BLOCK));
        }
    else if (whole && from_stride == taps && step * taps >= HF_BLOCK)
        arrange_run(w, to_stride, step, taps, step, flip, far ? far : AHEAD, to);
    else if (whole && taps >= HF_BLOCK)
        for (int c = 0; c < step; ++c)
            arrange_run(w + (size_t)c * from_stride, to_stride, 1, taps, step, flip, far ? far : from_stride, to + c);
    else
        arrange_elements(w, from_stride, to_stride, from_left, to_left, taps, step, flip, (global float *)to);
}

#endif
