/* conv3d_cpu_weights.cl: lays out weights and bias in the order in which conv3d_cpu_forward.cl reads them.
 *
 *   to[s][to block][from block][tap][from channel in block][to channel in block]
 *
 * Weights change with every training step, and with every sample when they are generated. */
#include "conv3d_cpu_arrange.h"

/* w has w_stride elements a set, from_stride and to_stride elements a channel, taps innermost. step is the number of
 * from channels in a block: 16, or 1 when x is plain. bias [sets][to_count] is read when has_bias. zeros:
 * a vector of them. Groups: from blocks, to blocks, weight sets. */
HF_GROUP(1)
kernel void conv3d_arrange(global const float *restrict w, global const float *restrict bias,
                           global float16 *restrict to, global float16 *restrict to_bias,
                           global float16 *restrict zeros, int from_count, int to_count, int taps, int step,
                           int from_stride, int to_stride, ulong w_stride, int flip, int has_bias)
{
    const int from = get_group_id(0) * step, block = get_group_id(1), first = block * HF_BLOCK;
    const size_t set = get_group_id(2);
    w += set * w_stride + (size_t)from * from_stride + (size_t)first * to_stride;
    to += ((set * get_num_groups(1) + block) * get_num_groups(0) + get_group_id(0)) * taps * step;
    arrange_block(w, from_stride, to_stride, from_count - from, to_count - first, taps, step, flip, 0, to);
    if (get_group_id(0) > 0) return;
    to_bias[set * get_num_groups(1) + block] =
        has_bias ? hf_load(bias + set * to_count + first, to_count - first) : (float16)0;
    if (block == 0 && set == 0) *zeros = 0;
}
