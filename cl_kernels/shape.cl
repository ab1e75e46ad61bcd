/* shape.cl: copies that change where elements lie, not what they are.
 *
 *     copy_rows   to[r, to_offset + k] = from[r, from_offset + k]   for r < rows, k < run
 *                 concat, slice and pad_slice are such copies: a row is everything from the cut axis inwards
 *     to_blocked  row-major [N,C,V] -> [N, ceil(C/16), V, 16], zeros in the channels beyond C
 *     to_plain    and back; V = D H W voxels
 *
 * A conversion's work-item turns 16 voxels of 16 channels: sixteen vectors are read, transposed in registers and
 * written, so both sides move whole cache lines.
 *
 * WG  work-items in a group (default 64; any) */
#include "common.h"

#ifndef WG
#define WG 64
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

/* dimension 0: pieces of 16 voxels; dimension 1: n and channel block */
HF_GROUP(WG) kernel void to_blocked(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK;
    long voxel = (long)get_global_id(0) * 16;
    if (voxel >= voxels) return;
    x += ((size_t)n * channels + first) * voxels + voxel;
    y += (get_global_id(1) * voxels + voxel) * HF_BLOCK;
    int here = min(HF_BLOCK, channels - first), left = (int)min(16L, voxels - voxel);
    if (here == HF_BLOCK && left == 16) {
        float16 tile[16];
#pragma unroll
        for (int c = 0; c < HF_BLOCK; c++)
            tile[c] = vload16(0, x + (size_t)c * voxels);
        transpose(tile);
#pragma unroll
        for (int v = 0; v < 16; v++)
            vstore16(tile[v], v, y);
        return;
    }
    for (int v = 0; v < left; v++)
        for (int c = 0; c < HF_BLOCK; c++)
            y[v * HF_BLOCK + c] = c < here ? x[(size_t)c * voxels + v] : 0.0f;
}

HF_GROUP(WG) kernel void to_plain(global const float *x, global float *y, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK;
    long voxel = (long)get_global_id(0) * 16;
    if (voxel >= voxels) return;
    x += (get_global_id(1) * voxels + voxel) * HF_BLOCK;
    y += ((size_t)n * channels + first) * voxels + voxel;
    int here = min(HF_BLOCK, channels - first), left = (int)min(16L, voxels - voxel);
    if (here == HF_BLOCK && left == 16) {
        float16 tile[16];
#pragma unroll
        for (int v = 0; v < 16; v++)
            tile[v] = vload16(v, x);
        transpose(tile);
#pragma unroll
        for (int c = 0; c < HF_BLOCK; c++)
            vstore16(tile[c], 0, y + (size_t)c * voxels);
        return;
    }
    for (int c = 0; c < here; c++)
        for (int v = 0; v < left; v++)
            y[(size_t)c * voxels + v] = x[v * HF_BLOCK + c];
}
