/* conv3d_cpu_weights.cl: lays out weights and bias in the order in which conv3d_cpu_forward.cl reads them.
 *
 *   to[s][to block][from block][tap][from channel in block][to channel in block], zeros beyond the last channel
 *
 * "from" and "to" are the channels the convolution reads and writes: C and O forward, O and C for the input gradient,
 * which also takes the taps backwards. Only strides differ. Weights change with every training step, and with every
 * sample when they are generated, so whole blocks are turned 16 by 16 elements at a time. */
#include "common.h"
#include "transpose.h"

/* Lays out the elements of 16 to channels, to_stride apart, that lie contiguously from w on: `channels` from channels
 * of `taps` elements each. There are 16 elements at least; the last square overlaps the one before. */
HF_INLINE void arrange_run(global const float *w, int to_stride, int channels, int taps, int step, int flip,
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
            v[o] = vload16(0, w + (size_t)o * to_stride + begin), HF_PREFETCH(w + (size_t)o * to_stride + begin + 64);
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

/* w has w_stride elements a set, from_stride and to_stride elements a channel, taps innermost. step is the number of
 * from channels in a block: 16, or 1 when x is plain. bias [sets][to_count] is read when has_bias. zeros: so many
 * vectors are set to zero. Groups: from blocks, to blocks, weight sets. */
HF_GROUP(1)
kernel void conv3d_arrange(global const float *restrict w, global const float *restrict bias,
                           global float16 *restrict to, global float16 *restrict to_bias,
                           global float16 *restrict zeros, int zero_count, int from_count, int to_count, int taps,
                           int step, int from_stride, int to_stride, ulong w_stride, int flip, int has_bias)
{
    const int from = get_group_id(0) * step, block = get_group_id(1), first = block * HF_BLOCK;
    const size_t set = get_group_id(2);
    const int from_left = min(step, from_count - from), to_left = min(HF_BLOCK, to_count - first);
    const bool whole = from_left == step && to_left == HF_BLOCK;
    w += set * w_stride + (size_t)from * from_stride + (size_t)first * to_stride;
    to += ((set * get_num_groups(1) + block) * get_num_groups(0) + get_group_id(0)) * taps * step;
    if (whole && to_stride == 1)
        for (int c = 0; c < step; ++c)
            to[c] = vload16(0, w + (size_t)c * from_stride);
    else if (whole && from_stride == taps && step * taps >= HF_BLOCK)
        arrange_run(w, to_stride, step, taps, step, flip, to);
    else if (whole && taps >= HF_BLOCK)
        for (int c = 0; c < step; ++c)
            arrange_run(w + (size_t)c * from_stride, to_stride, 1, taps, step, flip, to + c);
    else
        arrange_elements(w, from_stride, to_stride, from_left, to_left, taps, step, flip, (global float *)to);
    if (get_group_id(0) > 0) return;
    to_bias[set * get_num_groups(1) + block] =
        has_bias ? hf_load(bias + set * to_count + first, to_left) : (float16)0;
    if (block == 0 && set == 0)
        for (int i = 0; i < zero_count; ++i)
            zeros[i] = 0;
}
