/* conv3d_cpu_weights.cl: lays out weights and bias in the order in which conv3d_cpu_forward.cl reads them.
 *
 *   to[s][to block][from block][tap][from channel in block][to channel in block], zeros beyond the last channel
 *
 * "from" and "to" are the channels the convolution reads and writes: C and O forward, O and C for the input gradient,
 * which also takes the taps backwards. Only strides differ. */
#include "common.h"

/* w has w_stride elements a set, from_stride and to_stride elements a channel, taps innermost. step is the number of
 * from channels in a block: 16, or 1 when x is plain. bias [sets][to_count] is read when has_bias.
 * Groups: from blocks, to blocks, weight sets. */
HF_GROUP(1)
kernel void conv3d_arrange(global const float *restrict w, global const float *restrict bias, global float *restrict to,
                           global float *restrict to_bias, int from_count, int to_count, int taps, int step,
                           int from_stride, int to_stride, ulong w_stride, int flip, int has_bias)
{
    const int from = get_group_id(0) * step, block = get_group_id(1), first = block * HF_BLOCK;
    const size_t set = get_group_id(2);
    const int from_left = min(step, from_count - from), to_left = min(HF_BLOCK, to_count - first);
    w += set * w_stride + (size_t)from * from_stride + (size_t)first * to_stride;
    to += ((set * get_num_groups(1) + block) * get_num_groups(0) + get_group_id(0)) * taps * step * HF_BLOCK;
    for (int tap = 0; tap < taps; ++tap)
        for (int c = 0; c < step; ++c) {
            const size_t at = (size_t)c * from_stride + (flip ? taps - 1 - tap : tap);
            for (int o = 0; o < HF_BLOCK; ++o)
                *to++ = c < from_left && o < to_left ? w[at + (size_t)o * to_stride] : 0;
        }
    if (get_group_id(0) > 0) return;
    for (int o = 0; o < HF_BLOCK; ++o)
        to_bias[(set * get_num_groups(1) + block) * HF_BLOCK + o] =
            has_bias && o < to_left ? bias[set * to_count + first + o] : 0;
}
