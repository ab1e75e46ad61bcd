/* conv3d_winograd.cl: stride-1 convolution with 3 x 3 x 3 taps by Winograd's minimal filtering, for CPUs, one work-item
 * a group.
 *
 *   y[n,o,d,h,w] = act(b[o] + sum over c,kd,kh,kw of w[o,c,kd,kh,kw] * x[n,c,d+kd-pad,h+kh-pad,w+kw-pad])
 *
 * y is cut into tiles of MD x MH x MW voxels. A group takes a slab of them at a time:
 *   1. What a tile reads is transformed, plane by plane in width and height, then in depth.
 *   2. For every point, the tiles are multiplied with that point's weights: sums over input channels in registers, 16
 *      output channels a vector. As soon as the points of a column in depth are done, they are transformed back in
 *      depth, while they are in the innermost cache. One block of input channels needs no second sum to be added to,
 *      so columns of a few tiles are summed together and transformed back where they are, in registers.
 *   3. The planes are transformed back, bias and activation applied, and stored.
 * Between the steps values lie in the group's piece of `work`, which its core's cache holds. A tile that reaches beyond
 * x reads a copy with zeros around; what lies beyond y is not stored. Which group computes a slab changes no bit of it.
 *
 *   work, per group: planes [AD][PLANE] | a tile's copy [AD,AH,AW] | products [AD][OUT][SLAB] | PLANE + 1 slots.
 *   Slot s + 1 takes the transformed input of point s of the plane, [AD][C/16][slab]; its products, transformed back in
 *   depth, [MD][O/16][slab], go to slot s, whose input is used up by then.
 *
 * SLAB     tiles of a slab; in registers during step 2, unless COLUMNS
 * OUT      blocks of output channels multiplied together, 1 or 2
 * COLUMNS  1: there is one block of input channels; SLAB is a multiple of 4
 * STREAM   1: results go to memory past the caches, which would have to read what lies there first */
#include "conv3d_winograd.h"

#ifndef SLAB
#define SLAB 12
#endif
#ifndef OUT
#define OUT 1
#endif
#ifndef COLUMNS
#define COLUMNS 0
#endif
#ifndef STREAM
#define STREAM 0
#endif

#define QUAD 4 /* tiles whose columns are in registers together */

/* Compilers that know no such store, and interpreters that know no prefetch either, store as always. */
#define STORE(p, value) (*(p) = (value))
#if STREAM && defined(__has_builtin) && !defined(HF_NO_PREFETCH)
#if __has_builtin(__builtin_nontemporal_store)
#undef STORE
#define STORE(p, value) __builtin_nontemporal_store(value, p)
#endif
#endif

/* Step 2 for one point and OUT blocks of output channels: to[OUT][SLAB] = sum over channels of v times u. Every block of
 * channels is summed from zero: long sums have most of the rounding error. */
HF_INLINE void multiply(global float16 *restrict to, global const float *restrict v, global const float16 *restrict u,
                        int c_blocks)
{
    for (int b = 0; b < c_blocks; ++b, v += SLAB * HF_BLOCK) {
        float16 sum[OUT][SLAB];
#pragma unroll
        for (int t = 0; t < SLAB; ++t)
#pragma unroll
            for (int o = 0; o < OUT; ++o)
                sum[o][t] = 0;
#pragma unroll 4
        for (int c = 0; c < HF_BLOCK; ++c, u += OUT) {
            float16 weight[OUT];
#pragma unroll
            for (int o = 0; o < OUT; ++o)
                weight[o] = u[o];
#pragma unroll
            for (int t = 0; t < SLAB; ++t)
#pragma unroll
                for (int o = 0; o < OUT; ++o)
                    sum[o][t] += v[t * HF_BLOCK + c] * weight[o];
        }
#pragma unroll
        for (int o = 0; o < OUT; ++o)
#pragma unroll
            for (int t = 0; t < SLAB; ++t)
                to[o * SLAB + t] = b ? to[o * SLAB + t] + sum[o][t] : sum[o][t];
    }
}

/* Step 2's way back in depth: products [AD][OUT][SLAB] to MD results of each, `step` apart. */
HF_INLINE void untransform_columns(global float16 *restrict to, size_t step, global const float16 *restrict products)
{
    for (int t = 0; t < OUT * SLAB; ++t) {
        float16 v[AD], y[MD];
#pragma unroll
        for (int i = 0; i < AD; ++i)
            v[i] = products[i * OUT * SLAB + t];
        hf_output_line(y, v, MD);
#pragma unroll
        for (int i = 0; i < MD; ++i)
            to[i * step + t] = y[i];
    }
}

/* Step 2 for one block of input channels, the columns of QUAD tiles and one block of output channels: `to` as above. v
 * [AD][SLAB]; u: the first of AD points. */
HF_INLINE void multiply_columns(global float16 *restrict to, size_t step, global const float *restrict v,
                                global const float16 *restrict u)
{
    float16 sum[QUAD][AD];
#pragma unroll
    for (int t = 0; t < QUAD; ++t)
#pragma unroll
        for (int d = 0; d < AD; ++d)
            sum[t][d] = 0;
#pragma unroll 2
    for (int c = 0; c < HF_BLOCK; ++c)
#pragma unroll
        for (int d = 0; d < AD; ++d) {
            const float16 weight = u[d * (HF_BLOCK * OUT + 1) + c * OUT];
#pragma unroll
            for (int t = 0; t < QUAD; ++t)
                sum[t][d] += v[(d * SLAB + t) * HF_BLOCK + c] * weight;
        }
#pragma unroll
    for (int t = 0; t < QUAD; ++t) {
        float16 y[MD];
        hf_output_line(y, sum[t], MD);
#pragma unroll
        for (int i = 0; i < MD; ++i)
            to[i * step + t] = y[i];
    }
}

/* What is asked for ahead of use: lines of x that the tiles of the next slab read. */
typedef struct next_slab {
    global const float16 *x;
    int count, blocks, D, H, W;
    long from[SLAB]; /* of each tile's box */
} next_slab;

/* Asks for `part` of `parts` of line s of all boxes: step 2 goes through them beside its products, a few at a time, as
 * many at once would have to wait for each other. */
HF_INLINE void prefetch_part(const next_slab *next, int s, int part, int parts)
{
    if (s < AD * AH)
        prefetch_line(next->x, next->from, part * next->count / parts, (part + 1) * next->count / parts, next->blocks,
                      next->D, next->H, next->W, s, AH);
}

/* Step 2 for all points of one column and all channels, from `in` to `out`; u: the weights of the first point. */
HF_INLINE void multiply_slab(global float16 *restrict out, global const float16 *restrict in,
                             global const float16 *restrict u, global float16 *restrict products, int c_blocks,
                             int o_blocks, const next_slab *next, int s)
{
    const size_t out_step = o_blocks * SLAB, point = c_blocks * HF_BLOCK * OUT + 1;
    for (int o = 0; o < o_blocks; o += OUT, u += AD * point, out += OUT * SLAB) {
#if COLUMNS
        (void)products;
        for (int t = 0; t < SLAB; t += QUAD)
            for (int k = 0; k < OUT; ++k) {
                if (o == 0) prefetch_part(next, s, t / QUAD * OUT + k, SLAB / QUAD * OUT);
                multiply_columns(out + k * SLAB + t, out_step, (global const float *)(in + t), u + k);
            }
#else
        for (int d = 0; d < AD; ++d) {
            if (o == 0) prefetch_part(next, s, d, AD);
            multiply(products + d * OUT * SLAB, (global const float *)(in + d * c_blocks * SLAB), u + d * point,
                     c_blocks);
        }
        untransform_columns(out, out_step, products);
#endif
    }
}

/* The result of one voxel: bias, activation, zeros beyond the last channel. NaN passes through. */
HF_INLINE float16 finish(float16 sum, float16 bias, int relu, int channels)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    float16 value = sum + bias;
    if (relu) value = value <= 0 ? (float16)0 : value;
    return lane < channels ? value : (float16)0;
}

/* Step 3 for one plane of one tile and block: height, then width; stores the voxels that exist. */
HF_INLINE void untransform_plane(global float16 *restrict y, size_t row, global const float16 *restrict from,
                                 size_t slot, float16 bias, int relu, int channels, int height, int width)
{
    float16 back[MH][MW];
#pragma unroll
    for (int pair = 0; pair < AW / 2; ++pair) {
        float16 first[MH], second[MH], v[AH], u[AH];
#pragma unroll
        for (int h = 0; h < AH; ++h) {
            v[h] = from[(pair * PART + h * 2) * slot];
            u[h] = from[(pair * PART + h * 2 + 1) * slot];
        }
        hf_output_line(first, v, MH);
        hf_output_line(second, u, MH);
#pragma unroll
        for (int h = 0; h < MH; ++h)
            hf_output_pair(back[h], first[h], second[h], MW, pair);
    }
#pragma unroll
    for (int h = 0; h < MH; ++h)
#pragma unroll
        for (int w = 0; w < MW; ++w)
            if (h < height && w < width) STORE(y + h * row + w, finish(back[h][w], bias, relu, channels));
}

/* x [N][C/16][D,H,W][16]; u as conv3d_winograd_weights.cl leaves it, u_stride vectors a set; bias [sets][O/16][16],
 * bias_stride vectors a set; y [N][O/16][OD,OH,OW][16]; work: see above, work_stride vectors a group, slot vectors a
 * slot. A set has `tiles` tiles, and its own slabs; slabs are numbered through the sets. */
HF_WIDE HF_GROUP(1) kernel
    void conv3d_winograd(global const float16 *restrict x, global const float16 *restrict u,
                         global const float16 *restrict bias, global float16 *restrict y, global float16 *restrict work,
                         int C, int O, int D, int H, int W, int OD, int OH, int OW, int pad, int relu, int sets,
                         int tiles, ulong u_stride, ulong bias_stride, ulong work_stride, ulong slot)
{
    const int c_blocks = (C + HF_BLOCK - 1) / HF_BLOCK, o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    const size_t in_step = c_blocks * SLAB, out_step = o_blocks * SLAB, voxels = (size_t)D * H * W;
    const size_t out_voxels = (size_t)OD * OH * OW;
    const size_t column = o_blocks / OUT * AD * (c_blocks * HF_BLOCK * OUT + 1); /* its weights */
    global float16 *planes = work + get_group_id(0) * work_stride, *copy = planes + AD * PLANE;
    global float16 *products = copy + AD * PLANE, *slots = products + AD * OUT * SLAB;
    const int slabs = (tiles + SLAB - 1) / SLAB, all = slabs * sets;
    const int end = (long)all * (get_group_id(0) + 1) / get_num_groups(0);
    for (int i = (long)all * get_group_id(0) / get_num_groups(0); i < end; ++i) {
        const int set = i / slabs, count = min(SLAB, tiles - i % slabs * SLAB), base = set * tiles + i % slabs * SLAB;
        const tile first = tile_at(base, OD, OH, OW);
        tile at = first;
        for (int t = 0; t < count; ++t, at = tile_after(at, OD, OH, OW))
            for (int b = 0; b < c_blocks; ++b)
                transform_tile(slots + slot + b * SLAB + t, slot, in_step, planes,
                               box_at(x + ((size_t)at.n * c_blocks + b) * voxels, copy, at.d - pad, at.h - pad,
                                      at.w - pad, D, H, W, AD, AH, AW),
                               0, AW / 2);
        next_slab next = { x, i + 1 < end ? min(SLAB, sets * tiles - base - count) : 0, c_blocks, D, H, W, { 0 } };
        find_boxes(next.from, c_blocks, D, H, W, at, next.count, -pad, OD, OH, OW);
        for (int s = 0; s < PLANE; ++s)
            multiply_slab(slots + s * slot, slots + (s + 1) * slot, u + set * u_stride + s * column, products, c_blocks,
                          o_blocks, &next, s);
        for (int o = 0; o < o_blocks; ++o)
            for (int d = 0; d < MD; ++d) {
                at = first;
                for (int t = 0; t < count; ++t, at = tile_after(at, OD, OH, OW))
                    if (at.d + d < OD)
                        untransform_plane(y + ((size_t)at.n * o_blocks + o) * out_voxels +
                                              ((size_t)(at.d + d) * OH + at.h) * OW + at.w,
                                          OW, slots + d * out_step + o * SLAB + t, slot, bias[set * bias_stride + o],
                                          relu, O - o * HF_BLOCK, OH - at.h, OW - at.w);
            }
    }
}
