/* channel_affine.cl: y = scale x + shift with one scale and shift per channel, of each sample or of all.
 *
 *     dx = scale dy,  dscale = sum over voxels of x dy,  dshift = sum over voxels of dy
 *     and over samples too when the parameters are shared
 *
 * scale and shift are [N,C] (per_sample 1) or [C] (per_sample 0). A row is a sample's channel (plain: n C + c) or a
 * sample's block of sixteen channels (blocked: n and block). Sums take two steps: each chunk of CHUNK voxels of a row
 * leaves a partial sum at partial[(r chunks + k) BLOCK + lane], BLOCK being 1 or 16; then one team a result adds
 * the chunks in order.
 *
 * WG     work-items in a group (default 64; any)
 * FEW    work-items in a group where each has a chunk to do (default 8, see common.h)
 * VEC    16 or 4, see common.h
 * CHUNK  voxels of one chunk (default 256 with VEC 16, else 512; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef CHUNK
#define CHUNK (HF_TEAM > 1 ? 512 : 256)
#endif

/* dimension 0: pieces of VEC voxels; dimension 1: the row */
HF_GROUP(WG)
kernel void affine(global const float *x, global const float *scale, global const float *shift, global float *y,
                   int channels, int voxels, int has_scale, int has_shift, int scale_per_sample, int shift_per_sample)
{
    size_t row = get_global_id(1), c = row % channels;
    long v = (long)get_global_id(0) * VEC;
    float factor = has_scale ? scale[scale_per_sample ? row : c] : 1.0f;
    floatv result = factor * hf_load(x + row * voxels + v, voxels - v);
    if (has_shift) result += shift[shift_per_sample ? row : c];
    hf_store(result, y + row * voxels + v, voxels - v);
}

/* dimension 0: chunks; dimension 1: the row */
HF_TEAM_GROUP(FEW)
kernel void affine_blocked(global const float *x, global const float *scale, global const float *shift, global float *y,
                           int channels, int voxels, int has_scale, int has_shift, int scale_per_sample,
                           int shift_per_sample)
{
    size_t row = get_global_id(1);
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, first = (int)(row % blocks) * HF_BLOCK + hf_part();
    size_t sample = row / blocks * channels;
    floatv factor = 1.0f, offset = 0.0f;
    if (has_scale) factor = hf_load(scale + (scale_per_sample ? sample : 0) + first, channels - first);
    if (has_shift) offset = hf_load(shift + (shift_per_sample ? sample : 0) + first, channels - first);
    long start = (long)hf_team() * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += row * voxels * HF_BLOCK;
    y += row * voxels * HF_BLOCK;
    for (long v = start + hf_turn(); v < end; v += HF_TURN)
        hf_store_voxel(factor * hf_load_voxel(x, v) + offset, y, v);
}

/* Sums of x dy, or of dy alone when has_x is 0; dimension 0: chunks; dimension 1: the row */
HF_GROUP(FEW)
kernel void sums(global const float *x, global const float *dy, global float *partial, int voxels, int chunks,
                 int has_x)
{
    int chunk = (int)get_global_id(0);
    if (chunk >= chunks) return;
    size_t start = get_global_id(1) * voxels + (size_t)chunk * CHUNK;
    int count = min(CHUNK, voxels - chunk * CHUNK);
    float sum = 0.0f;
    for (int v = 0; v < count; v++)
        sum += has_x ? x[start + v] * dy[start + v] : dy[start + v];
    partial[get_global_id(1) * chunks + chunk] = sum;
}

HF_TEAM_GROUP(FEW)
kernel void sums_blocked(global const float *x, global const float *dy, global float *partial, int voxels, int chunks,
                         int has_x)
{
    HF_SHARED(floatv, shared)
    int chunk = hf_team();
    if (chunk >= chunks) return;
    size_t start = get_global_id(1) * voxels + (size_t)chunk * CHUNK;
    int count = min(CHUNK, voxels - chunk * CHUNK);
    floatv sum = 0.0f;
    if (has_x)
        for (int v = hf_turn(); v < count; v += HF_TURN)
            sum += hf_load_voxel(x, start + v) * hf_load_voxel(dy, start + v);
    else
        for (int v = hf_turn(); v < count; v += HF_TURN)
            sum += hf_load_voxel(dy, start + v);
    sum = hf_sum_turns(sum, shared);
    if (hf_turn() == 0) hf_store_voxel(sum, partial, get_global_id(1) * chunks + chunk);
}

/* One team a result; dimension 1: n, or a single 0 when the samples are added up too. block is 1 or 16. */
HF_TEAM_GROUP(FEW)
kernel void combine(global const float *partial, global float *result, int samples, int channels, int chunks, int block,
                    int per_sample)
{
    HF_SHARED(float, shared)
    int c = hf_team();
    if (c >= channels) return;
    int blocks = (channels + block - 1) / block;
    int first = per_sample ? (int)get_global_id(1) : 0, last = per_sample ? first : samples - 1;
    float sum = 0.0f, carry = 0.0f;
    for (int n = first; n <= last; n++)
        for (int k = hf_member(); k < chunks; k += HF_TEAM)
            hf_add(&sum, &carry, partial[(((size_t)n * blocks + c / block) * chunks + k) * block + c % block]);
    sum = hf_sum_members(sum, shared);
    if (hf_member() == 0) result[get_global_id(1) * channels + c] = sum;
}
