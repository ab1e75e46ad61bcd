/* shape.cl: copies that change where elements lie, not what they are.
 *
 *     copy_rows   to[r, to_offset + k] = from[r, from_offset + k]   for r < rows, k < run
 *                 concat, slice and pad_slice are such copies: a row is everything from the cut axis inwards
 *     to_blocked  row-major [N,C,V] -> [N, ceil(C/16), V, 16], zeros in the channels beyond C
 *     to_plain    and back; V = D H W voxels
 *
 * On CPUs conversions turn 16 voxels of 16 channels at a time: sixteen vectors are read, transposed in registers and
 * written, so both sides move whole vectors. On GPUs four neighbours have the channels of a voxel, four each, and eight
 * voxels lie side by side in a warp: what they read together of a channel, and write together of a block, is whole
 * pieces of memory.
 *
 * VEC    16 or 4, see common.h
 * WG     work-items in a group (default 64; any)
 * FEW    work-items in a group of a conversion with VEC 16 (default 8; any)
 * PIECE  voxels that one of them converts (default 64; any multiple of 16) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef FEW
#define FEW 8
#endif
#ifndef PIECE
#define PIECE 64
#endif

/* One work-item copies VEC elements of one row. */
HF_GROUP(WG)
kernel void copy_rows(global const float *from, global float *to, long rows, long run, long from_stride,
                      long from_offset, long to_stride, long to_offset)
{
    long pieces = (run + VEC - 1) / VEC;
    long row = (long)get_global_id(0) / pieces, k = (long)get_global_id(0) % pieces * VEC;
    if (row >= rows) return;
    hf_store(hf_load(from + row * from_stride + from_offset + k, run - k), to + row * to_stride + to_offset + k,
             run - k);
}

#if VEC == HF_BLOCK
float16 interleave_low(float16 a, float16 b)
{
    return (float16)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7);
}

float16 interleave_high(float16 a, float16 b)
{
    return (float16)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf);
}

/* Four perfect shuffles of the 256 elements transpose the 16 x 16 matrix. */
void transpose(float16 *row)
{
    float16 next[16];
#pragma unroll
    for (int round = 0; round < 4; round++) {
#pragma unroll
        for (int k = 0; k < 8; k++) {
            next[2 * k] = interleave_low(row[k], row[k + 8]);
            next[2 * k + 1] = interleave_high(row[k], row[k + 8]);
        }
#pragma unroll
        for (int k = 0; k < 16; k++)
            row[k] = next[k];
    }
}

/* A work-item has PIECE voxels of one channel block; dimension 0 counts such pieces, dimension 1 n and channel block. */
HF_GROUP(FEW) kernel void to_blocked(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK;
    int here = min(HF_BLOCK, channels - first), start = (int)get_global_id(0) * PIECE;
    x += ((size_t)n * channels + first) * voxels;
    y += get_global_id(1) * voxels * HF_BLOCK;
    int end = min(start + PIECE, voxels), v = start;
    for (; v + 16 <= end; v += 16) {
        float16 tile[16];
#pragma unroll
        for (int c = 0; c < HF_BLOCK; c++)
            tile[c] = c < here ? vload16(0, x + (size_t)c * voxels + v) : 0.0f;
        transpose(tile);
#pragma unroll
        for (int k = 0; k < 16; k++)
            vstore16(tile[k], (size_t)v + k, y);
    }
    for (; v < end; v++)
        for (int c = 0; c < HF_BLOCK; c++)
            y[(size_t)v * HF_BLOCK + c] = c < here ? x[(size_t)c * voxels + v] : 0.0f;
}

HF_GROUP(FEW) kernel void to_plain(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK;
    int here = min(HF_BLOCK, channels - first), start = (int)get_global_id(0) * PIECE;
    x += get_global_id(1) * voxels * HF_BLOCK;
    y += ((size_t)n * channels + first) * voxels;
    int end = min(start + PIECE, voxels), v = start;
    for (; v + 16 <= end; v += 16) {
        float16 tile[16];
#pragma unroll
        for (int k = 0; k < 16; k++)
            tile[k] = vload16((size_t)v + k, x);
        transpose(tile);
#pragma unroll
        for (int c = 0; c < HF_BLOCK; c++)
            if (c < here) vstore16(tile[c], 0, y + (size_t)c * voxels + v);
    }
    for (; v < end; v++)
        for (int c = 0; c < here; c++)
            y[(size_t)c * voxels + v] = x[(size_t)v * HF_BLOCK + c];
}
#else
/* One work-item has VEC channels of a voxel; dimension 0 counts them, dimension 1 n and channel block. */
HF_GROUP(WG) kernel void to_blocked(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, v = (int)get_global_id(0) / HF_PARTS;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    if (v >= voxels) return;
    x += ((size_t)n * channels + first) * voxels + v;
    hf_lanes part;
    part.vector = (floatv)(0.0f);
    HF_EACH(c, channels - first) part.element[c] = x[(size_t)c * voxels];
    hf_store_voxel(part.vector, y, get_global_id(1) * voxels + v);
}

HF_GROUP(WG) kernel void to_plain(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, v = (int)get_global_id(0) / HF_PARTS;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    if (v >= voxels) return;
    y += ((size_t)n * channels + first) * voxels + v;
    hf_lanes part;
    part.vector = hf_load_voxel(x, get_global_id(1) * voxels + v);
    HF_EACH(c, channels - first) y[(size_t)c * voxels] = part.element[c];
}
#endif
