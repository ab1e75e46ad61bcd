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

#ifndef OUT
#define OUT 1
#endif

#define CHANNELS 4

/* Row i of G applied to g[3]. */
HF_INLINE double16 filter_row(const double16 *g, const int m, const int i)
{
    const double p = hf_filter_point(m, i);
    return i == 1 ? g[2] : (g[0] + p * g[1] + p * p * g[2]) * hf_filter_scale(m, i);
}

/* The taps of one "from" channel for 16 "to" channels of which `left` exist, in the order in which they meet x. */
HF_INLINE void load_taps(double16 *g, global const float *w, int to_stride, int left, int flip)
{
    for (int tap = 0; tap < 27; ++tap) {
        float lane[HF_BLOCK];
        for (int o = 0; o < HF_BLOCK; ++o)
            lane[o] = o < left ? w[(size_t)o * to_stride + (flip ? 26 - tap : tap)] : 0;
        g[tap] = convert_double16(vload16(0, lane));
    }
}

/* (G x G x G) g: points s of a plane `plane` vectors apart, points of a column `step`. */
HF_INLINE void transform_filter(global float16 *restrict u, size_t plane, size_t step, const double16 *g)
{
    double16 depth[AD][9], line[AH][3];
#pragma unroll
    for (int i = 0; i < 9; ++i) {
        const double16 column[3] = { g[i], g[9 + i], g[18 + i] };
#pragma unroll
        for (int d = 0; d < AD; ++d)
            depth[d][i] = filter_row(column, MD, d);
    }
    for (int d = 0; d < AD; ++d) {
#pragma unroll
        for (int i = 0; i < 3; ++i) {
            const double16 column[3] = { depth[d][i], depth[d][3 + i], depth[d][6 + i] };
#pragma unroll
            for (int h = 0; h < AH; ++h)
                line[h][i] = filter_row(column, MH, h);
        }
        for (int h = 0; h < AH; ++h)
#pragma unroll
            for (int i = 0; i < AW; ++i)
                u[(i / 2 * PART + h * 2 + i % 2) * plane + d * step] = convert_float16(filter_row(line[h], MW, i));
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
    double16 g[27];
    w += set * w_stride + (size_t)first * to_stride;
    u += set * PLANE * plane + block / OUT * AD * step + block % OUT;
    for (int c = from; c < from + CHANNELS; ++c) {
        load_taps(g, w + (size_t)c * from_stride, to_stride, c < from_count ? left : 0, flip);
        transform_filter(u + c * OUT, plane, step, g);
    }
    if (from > 0) return;
    for (int o = 0; o < HF_BLOCK; ++o)
        ((global float *)to_bias)[(set * to_blocks + block) * HF_BLOCK + o] =
            has_bias && o < left ? bias[set * to_count + first + o] : 0;
}
