/* conv3d_winograd_weights.cl: transforms the weights of a 3 x 3 x 3 convolution for conv3d_winograd.cl, in double
 * precision, rounded once.
 *
 *   u[set][PLANE][to/16/OUT][AD][from][OUT][16] = (G x G x G) w, zeros beyond the last channel
 *
 * "from" and "to" are the channels the convolution reads and writes: C and O forward, O and C for the input gradient,
 * which also takes the taps backwards. One work-item a group.
 *
 * OUT  blocks of output channels multiplied together, as in conv3d_winograd.cl */
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#include "conv3d_winograd.h"

#ifndef OUT
#define OUT 1
#endif

/* Row i of G applied to g[3]. */
HF_INLINE double16 filter_row(const double16 *g, const int m, const int i)
{
    const double p = hf_filter_point(m, i);
    return i == 1 ? g[2] : (g[0] + p * g[1] + p * p * g[2]) * hf_filter_scale(m, i);
}

/* w has w_stride elements a set, from_stride and to_stride elements a channel, taps innermost. bias [sets][to_count] is
 * read when has_bias. Groups: from channels in whole blocks, blocks of to channels, sets. */
HF_WIDE HF_GROUP(1) kernel
    void conv3d_winograd_weights(global const float *restrict w, global const float *restrict bias,
                                 global float16 *restrict u, global float16 *restrict to_bias, int from_count,
                                 int to_count, int from_stride, int to_stride, ulong w_stride, int flip, int has_bias)
{
    const int from = get_group_id(0), from_all = get_num_groups(0), block = get_group_id(1);
    const int to_blocks = get_num_groups(1), first = block * HF_BLOCK, left = min(HF_BLOCK, to_count - first);
    const size_t set = get_group_id(2);
    double16 g[27], depth[AD][9], plane[AH][3];
    for (int tap = 0; tap < 27; ++tap) {
        float lane[HF_BLOCK];
        for (int o = 0; o < HF_BLOCK; ++o)
            lane[o] = o < left && from < from_count ? w[set * w_stride + (size_t)from * from_stride +
                                                        (size_t)(first + o) * to_stride + (flip ? 26 - tap : tap)]
                                                    : 0;
        g[tap] = convert_double16(vload16(0, lane));
    }
    for (int i = 0; i < 9; ++i) {
        const double16 column[3] = { g[i], g[9 + i], g[18 + i] };
#pragma unroll
        for (int d = 0; d < AD; ++d)
            depth[d][i] = filter_row(column, MD, d);
    }
    u += set * PLANE * to_blocks * AD * from_all;
    for (int d = 0; d < AD; ++d) {
        for (int i = 0; i < 3; ++i) {
            const double16 column[3] = { depth[d][i], depth[d][3 + i], depth[d][6 + i] };
#pragma unroll
            for (int h = 0; h < AH; ++h)
                plane[h][i] = filter_row(column, MH, h);
        }
        for (int h = 0; h < AH; ++h)
#pragma unroll
            for (int i = 0; i < AW; ++i) {
                const size_t point =
                    ((size_t)(i / 2 * PART + h * 2 + i % 2) * (to_blocks / OUT) + block / OUT) * AD + d;
                u[(point * from_all + from) * OUT + block % OUT] = convert_float16(filter_row(plane[h], MW, i));
            }
    }
    if (from > 0) return;
    for (int o = 0; o < HF_BLOCK; ++o)
        ((global float *)to_bias)[(set * to_blocks + block) * HF_BLOCK + o] =
            has_bias && o < left ? bias[set * to_count + first + o] : 0;
}
