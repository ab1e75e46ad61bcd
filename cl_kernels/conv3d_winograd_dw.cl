/* conv3d_winograd_dw.cl: the weight gradient of a stride-1 convolution with 3 x 3 x 3 taps by Winograd's minimal
 * filtering, for CPUs, one work-item a group.
 *
 *   dw[o,c,kd,kh,kw] = sum over n,d,h,w of dy[n,o,d,h,w] * x[n,c,d+kd-pad,h+kh-pad,w+kw-pad]
 *
 * dy is cut into tiles of MD x MH x MW voxels. Tiles and the x they meet are transformed; for every point the products
 * of input and output channels are summed over tiles; the sums are transformed back once. A set of tiles (a sample, or
 * all samples when they share their weights) is cut into chunks that depend on the problem alone, and the points into
 * the pairs along width: a chunk and a pair are one unit of work. It is summed slab by slab, each slab from zero in
 * registers, and chunks are added in order, so that no bit depends on which group computes what.
 *
 *   partial[set][chunk][pair][PART][AD][C/16][O/16][16c][16o]
 *
 *   work, per group: planes [AD][PART] | a tile's copy [AD,AH,AW] | slots of PART points, [AD][C/16 + O/16][slab] */
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#include "conv3d_winograd.h"

#define MOST_SLAB 48 /* tiles */

HF_WINOGRAD_TRANSFORM(spread_tile, hf_gradient_pair, MD, MH, MW)

/* Sets CHANNELS x OUT vectors of a partial result to, or adds to them, the sum over tiles of v[t][channel] * g[o][t].
 * to: vectors of one input channel after another, `to_step` from a block of output channels to the next. */
#define ADD_PRODUCTS(name, CHANNELS, OUT)                                                                              \
    HF_INLINE void name(global float16 *restrict to, size_t to_step, global const float *restrict v,                   \
                        global const float16 *restrict g, size_t g_step, int tiles, bool add)                          \
    {                                                                                                                  \
        float16 sum[OUT][CHANNELS];                                                                                    \
        _Pragma("unroll") for (int o = 0; o < OUT; ++o) _Pragma("unroll") for (int c = 0; c < CHANNELS; ++c)           \
            sum[o][c] = 0;                                                                                             \
        for (int t = 0; t < tiles; ++t, v += HF_BLOCK) {                                                               \
            float16 gradient[OUT];                                                                                     \
            _Pragma("unroll") for (int o = 0; o < OUT; ++o) gradient[o] = g[o * g_step + t];                           \
            _Pragma("unroll") for (int c = 0; c < CHANNELS; ++c) _Pragma("unroll") for (int o = 0; o < OUT; ++o)       \
                sum[o][c] += v[c] * gradient[o];                                                                       \
        }                                                                                                              \
        _Pragma("unroll") for (int o = 0; o < OUT; ++o) _Pragma("unroll") for (int c = 0; c < CHANNELS; ++c)           \
            to[o * to_step + c] = add ? to[o * to_step + c] + sum[o][c] : sum[o][c];                                   \
    }
ADD_PRODUCTS(add_products_8x2, 8, 2)
ADD_PRODUCTS(add_products_16, 16, 1)

/* All products of one point: v [C/16][slab] and g [O/16][slab] of it, `tiles` of the slab. */
HF_INLINE void add_point(global float16 *restrict to, global const float16 *restrict v,
                         global const float16 *restrict g, int slab, int tiles, int c_blocks, int o_blocks, bool add)
{
    for (int c = 0; c < c_blocks; ++c, v += slab, to += o_blocks * HF_BLOCK) {
        int o = 0;
        for (; o + 1 < o_blocks; o += 2)
            for (int half_block = 0; half_block < HF_BLOCK; half_block += 8)
                add_products_8x2(to + o * HF_BLOCK + half_block, HF_BLOCK, (global const float *)v + half_block,
                                 g + o * slab, slab, tiles, add);
        if (o < o_blocks)
            add_products_16(to + o * HF_BLOCK, HF_BLOCK, (global const float *)v, g + o * slab, slab, tiles, add);
    }
}

/* x [N][C/16][D,H,W][16], dy [N][O/16][OD,OH,OW][16]; partial and work: see above, work_stride vectors a group, slot
 * vectors a slot. A set has `tiles` tiles, a chunk of it chunk_tiles, a multiple of `slab`; units of work are numbered
 * through sets, chunks and pairs. */
HF_WIDE HF_GROUP(1) kernel
    void conv3d_winograd_dw(global const float16 *restrict x, global const float16 *restrict dy,
                            global float16 *restrict partial, global float16 *restrict work, int C, int O, int D, int H,
                            int W, int OD, int OH, int OW, int pad, int sets, int tiles, int slab, int chunks,
                            int chunk_tiles, int pairs, ulong work_stride, ulong slot)
{
    const int c_blocks = (C + HF_BLOCK - 1) / HF_BLOCK, o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    const size_t voxels = (size_t)D * H * W, out_voxels = (size_t)OD * OH * OW, step = (c_blocks + o_blocks) * slab;
    const size_t point = c_blocks * o_blocks * HF_BLOCK + 1;
    global float16 *planes = work + get_group_id(0) * work_stride, *copy = planes + AD * PART;
    global float16 *slots = copy + AD * PLANE;
    const int shares = AW / 2 / pairs, all = sets * chunks * shares;
    const int end = (long)all * (get_group_id(0) + 1) / get_num_groups(0);
    for (int i = (long)all * get_group_id(0) / get_num_groups(0); i < end; ++i) {
        const int set = i / shares / chunks, begin = i / shares % chunks * chunk_tiles;
        const int past = min(tiles, begin + chunk_tiles), first_pair = i % shares * pairs;
        global float16 *sum = partial + (size_t)i * pairs * PART * AD * point;
        for (int base = begin; base < past; base += slab) {
            const int count = min(slab, past - base);
            tile at = tile_at(set * tiles + base, OD, OH, OW);
            for (int t = 0; t < count; ++t, at = tile_after(at, OD, OH, OW)) {
                for (int b = 0; b < c_blocks; ++b)
                    transform_tile(slots + b * slab + t, slot, step, planes,
                                   box_at(x + ((size_t)at.n * c_blocks + b) * voxels, copy, at.d - pad, at.h - pad,
                                          at.w - pad, D, H, W, AD, AH, AW),
                                   first_pair, pairs);
                for (int b = 0; b < o_blocks; ++b)
                    spread_tile(slots + (c_blocks + b) * slab + t, slot, step, planes,
                                box_at(dy + ((size_t)at.n * o_blocks + b) * out_voxels, copy, at.d, at.h, at.w, OD, OH,
                                       OW, MD, MH, MW),
                                first_pair, pairs);
            }
            const int next = min(slab, past - base - count), lines = AW / 2 / pairs;
            long ahead[MOST_SLAB], ahead_dy[MOST_SLAB];
            find_boxes(ahead, c_blocks, D, H, W, at, next, -pad, OD, OH, OW);
            find_boxes(ahead_dy, o_blocks, OD, OH, OW, at, next, 0, OD, OH, OW);
            for (int s = 0; s < pairs * PART; ++s) {
                for (int d = 0; d < AD; ++d) {
                    const int from = d * next / AD, to = (d + 1) * next / AD;
                    for (int line = s * lines; line < min((s + 1) * lines, AD * AH); ++line)
                        prefetch_line(x, ahead, from, to, c_blocks, D, H, W, line, AH);
                    for (int line = s * lines; line < min((s + 1) * lines, MD * MH); ++line)
                        prefetch_line(dy, ahead_dy, from, to, o_blocks, OD, OH, OW, line, MH);
                    global const float16 *v = slots + s * slot + d * step;
                    add_point(sum + (s * AD + d) * point, v, v + c_blocks * slab, slab, count, c_blocks, o_blocks,
                              base > begin);
                }
            }
        }
    }
}

/* G' applied to v[M+2]: the gradients of 3 taps. */
HF_INLINE void filter_gradient(double16 *tap, const double16 *v, const int m)
{
    tap[0] = tap[1] = 0;
    tap[2] = v[1];
#pragma unroll
    for (int i = 0; i < m + 2; ++i) {
        const double p = hf_filter_point(m, i), scale = hf_filter_scale(m, i);
        if (i == 1) continue;
        tap[0] += scale * v[i];
        tap[1] += scale * p * v[i];
        tap[2] += scale * p * p * v[i];
    }
}

/* The sums of one input channel, transformed back in depth, planes[3][PLANE], to dw[.,.,27] of `left` output channels,
 * `step` apart. */
HF_INLINE void filter_taps(global float *restrict dw, size_t step, const double16 *planes, int left)
{
    for (int d = 0; d < 3; ++d) {
        double16 rows[3][AW];
#pragma unroll
        for (int w = 0; w < AW; ++w) {
            double16 column[AH], tap[3];
#pragma unroll
            for (int h = 0; h < AH; ++h)
                column[h] = planes[d * PLANE + w / 2 * PART + h * 2 + w % 2];
            filter_gradient(tap, column, MH);
#pragma unroll
            for (int h = 0; h < 3; ++h)
                rows[h][w] = tap[h];
        }
        for (int h = 0; h < 3; ++h) {
            double16 tap[3];
            filter_gradient(tap, rows[h], MW);
            for (int w = 0; w < 3; ++w) {
                float value[HF_BLOCK];
                vstore16(convert_float16(tap[w]), 0, value);
                for (int o = 0; o < left; ++o)
                    dw[o * step + (d * 3 + h) * 3 + w] = value[o];
            }
        }
    }
}

/* Adds the chunks of a set in order, transforms back in double precision, and writes dw [set][O,C,3,3,3]. A group does
 * `CHANNELS` input channels, whose sums lie side by side. Groups: C/16 * 16/CHANNELS, O/16, sets. */
#define CHANNELS 4
HF_WIDE HF_GROUP(1) kernel void conv3d_winograd_dw_sum(global const float16 *restrict partial,
                                                       global float *restrict dw, int C, int O, int chunks)
{
    const int c = get_group_id(0) * CHANNELS, block = get_group_id(1), left = min(HF_BLOCK, O - block * HF_BLOCK);
    const int c_blocks = (C + HF_BLOCK - 1) / HF_BLOCK, o_blocks = get_num_groups(1);
    const size_t set = get_group_id(2), point = c_blocks * o_blocks * HF_BLOCK + 1, chunk = PLANE * AD * point;
    double16 planes[CHANNELS][3 * PLANE];
    partial += set * chunks * chunk + (c / HF_BLOCK * o_blocks + block) * HF_BLOCK + c % HF_BLOCK;
    for (int s = 0; s < PLANE; ++s) {
        double16 column[CHANNELS][AD];
        for (int d = 0; d < AD; ++d) {
            float16 sum[CHANNELS];
#pragma unroll
            for (int k = 0; k < CHANNELS; ++k)
                sum[k] = 0;
            for (int i = 0; i < chunks; ++i)
#pragma unroll
                for (int k = 0; k < CHANNELS; ++k)
                    sum[k] += partial[i * chunk + (s * AD + d) * point + k];
#pragma unroll
            for (int k = 0; k < CHANNELS; ++k)
                column[k][d] = convert_double16(sum[k]);
        }
        for (int k = 0; k < CHANNELS; ++k) {
            double16 tap[3];
            filter_gradient(tap, column[k], MD);
#pragma unroll
            for (int d = 0; d < 3; ++d)
                planes[k][d * PLANE + s] = tap[d];
        }
    }
    for (int k = 0; k < min(CHANNELS, C - c); ++k)
        filter_taps(dw + ((set * O + block * HF_BLOCK) * C + c + k) * 27, (size_t)C * 27, planes[k], left);
}
