/* batch_norm.cl: normalisation of each channel over the batch and all voxels, and its gradients.
 *
 *     mean[c] = mean of x,  var[c] = mean of (x - mean)^2,  inv_std[c] = 1 / sqrt(var + eps)       over n and voxels
 *     y       = (x - mean) inv_std scale + shift
 *     dshift  = sum of dy,  dscale = inv_std times the sum of dy (x - mean)
 *     dx      = scale inv_std (dy - dshift / M - (x - mean) inv_std dscale / M),                   M = n voxels
 *
 * Statistics in two steps. First each chunk of CHUNK voxels of a row gives its own mean and sum of squares about that
 * mean (two passes over memory that stays in the cache). Then, with n_k the voxels of chunk k,
 *     mean = sum of n_k mean_k / M,   M var = sum of M2_k + n_k (mean_k - mean)^2
 * which is Chan's formula for many parts at once; the long sums carry their rounding error along. No difference of large
 * squares appears anywhere, and the order of the sums depends on the shape alone.
 *
 * A row is a sample's channel (plain: n C + c) or a sample's block of sixteen channels (blocked: n and block). Chunk k of
 * row r has its two numbers at partial[(2 (r chunks + k) + 0 or 1) BLOCK + lane], BLOCK being 1 or 16.
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

/* ---- partial sums: dimension 0 is the chunk, dimension 1 the row ------------------------------------------------- */

HF_GROUP(FEW) kernel void statistics(global const float *x, global float *partial, int voxels, int chunks)
{
    int chunk = (int)get_global_id(0);
    if (chunk >= chunks) return;
    int count = min(CHUNK, voxels - chunk * CHUNK);
    x += get_global_id(1) * voxels + (size_t)chunk * CHUNK;
    float sum = 0.0f, squares = 0.0f;
    for (int v = 0; v < count; v++)
        sum += x[v];
    float mean = sum / count;
    for (int v = 0; v < count; v++) {
        float d = x[v] - mean;
        squares += d * d;
    }
    vstore2((float2)(mean, squares), get_global_id(1) * chunks + chunk, partial);
}

HF_TEAM_GROUP(FEW) kernel void statistics_blocked(global const float *x, global float *partial, int voxels, int chunks)
{
    HF_SHARED(floatv, shared)
    int chunk = hf_team();
    if (chunk >= chunks) return;
    int count = min(CHUNK, voxels - chunk * CHUNK);
    x += (get_global_id(1) * voxels + (size_t)chunk * CHUNK) * HF_BLOCK;
    floatv sum = 0.0f, squares = 0.0f;
    for (int v = hf_turn(); v < count; v += HF_TURN)
        sum += hf_load_voxel(x, v);
    floatv mean = hf_sum_turns(sum, shared) / count;
    for (int v = hf_turn(); v < count; v += HF_TURN) {
        floatv d = hf_load_voxel(x, v) - mean;
        squares += d * d;
    }
    squares = hf_sum_turns(squares, shared);
    if (hf_turn() > 0) return;
    partial += (get_global_id(1) * chunks + chunk) * 2 * HF_BLOCK;
    hf_store_voxel(mean, partial, 0);
    hf_store_voxel(squares, partial, 1);
}

/* The sums of dy and of dy (x - mean). */
HF_GROUP(FEW)
kernel void gradient_sums(global const float *dy, global const float *x, global const float *mean,
                          global float *partial, int channels, int voxels, int chunks)
{
    int chunk = (int)get_global_id(0);
    if (chunk >= chunks) return;
    int count = min(CHUNK, voxels - chunk * CHUNK);
    size_t start = get_global_id(1) * voxels + (size_t)chunk * CHUNK;
    float center = mean[get_global_id(1) % channels], sum = 0.0f, product = 0.0f;
    for (int v = 0; v < count; v++) {
        sum += dy[start + v];
        product += dy[start + v] * (x[start + v] - center);
    }
    vstore2((float2)(sum, product), get_global_id(1) * chunks + chunk, partial);
}

HF_TEAM_GROUP(FEW)
kernel void gradient_sums_blocked(global const float *dy, global const float *x, global const float *mean,
                                  global float *partial, int channels, int voxels, int chunks)
{
    HF_SHARED(floatv, shared)
    int chunk = hf_team();
    if (chunk >= chunks) return;
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    int count = min(CHUNK, voxels - chunk * CHUNK);
    size_t start = (get_global_id(1) * voxels + (size_t)chunk * CHUNK) * HF_BLOCK;
    floatv center = hf_load(mean + first, channels - first), sum = 0.0f, product = 0.0f;
    for (int v = hf_turn(); v < count; v += HF_TURN) {
        floatv gradient = hf_load_voxel(dy + start, v);
        sum += gradient;
        product += gradient * (hf_load_voxel(x + start, v) - center);
    }
    sum = hf_sum_turns(sum, shared);
    product = hf_sum_turns(product, shared);
    if (hf_turn() > 0) return;
    partial += (get_global_id(1) * chunks + chunk) * 2 * HF_BLOCK;
    hf_store_voxel(sum, partial, 0);
    hf_store_voxel(product, partial, 1);
}

/* ---- combination: one team a channel ----------------------------------------------------------------------------- */

/* Where the first number of chunk k of sample n and channel c is; the second is `block` further on. */
size_t part_of(int n, int c, int k, int channels, int chunks, int block)
{
    int blocks = (channels + block - 1) / block;
    return (((size_t)n * blocks + c / block) * chunks + k) * 2 * block + c % block;
}

/* keep is 1 - momentum. */
HF_TEAM_GROUP(FEW)
kernel void combine_statistics(global const float *partial, global const float *running_mean,
                               global const float *running_var, global float *mean, global float *inv_std,
                               global float *new_mean, global float *new_var, int samples, int channels, int voxels,
                               int chunks, int block, float eps, float momentum, float keep)
{
    HF_SHARED(float, shared)
    int c = hf_team();
    if (c >= channels) return;
    float total = (float)samples * voxels, sum = 0.0f, carry = 0.0f;
    for (int n = 0; n < samples; n++)
        for (int k = hf_member(); k < chunks; k += HF_TEAM) {
            int count = min(CHUNK, voxels - k * CHUNK);
            hf_add(&sum, &carry, count * partial[part_of(n, c, k, channels, chunks, block)]);
        }
    float center = hf_sum_members(sum, shared) / total;
    sum = carry = 0.0f;
    for (int n = 0; n < samples; n++)
        for (int k = hf_member(); k < chunks; k += HF_TEAM) {
            int count = min(CHUNK, voxels - k * CHUNK);
            size_t at = part_of(n, c, k, channels, chunks, block);
            float d = partial[at] - center;
            hf_add(&sum, &carry, partial[at + block] + count * d * d);
        }
    sum = hf_sum_members(sum, shared);
    if (hf_member() > 0) return;
    mean[c] = center;
    inv_std[c] = 1.0f / sqrt(sum / total + eps);
    new_mean[c] = keep * running_mean[c] + momentum * center;
    new_var[c] = keep * running_var[c] + momentum * (sum / ((float)samples * voxels - 1.0f));
}

HF_TEAM_GROUP(FEW)
kernel void combine_gradients(global const float *partial, global const float *inv_std, global float *dscale,
                              global float *dshift, int samples, int channels, int chunks, int block)
{
    HF_SHARED(float, shared)
    int c = hf_team();
    if (c >= channels) return;
    float sum = 0.0f, carry = 0.0f, product = 0.0f, product_carry = 0.0f;
    for (int n = 0; n < samples; n++)
        for (int k = hf_member(); k < chunks; k += HF_TEAM) {
            size_t at = part_of(n, c, k, channels, chunks, block);
            hf_add(&sum, &carry, partial[at]);
            hf_add(&product, &product_carry, partial[at + block]);
        }
    sum = hf_sum_members(sum, shared);
    product = hf_sum_members(product, shared);
    if (hf_member() > 0) return;
    dshift[c] = sum;
    dscale[c] = product * inv_std[c];
}

/* ---- application: dimension 0 is the chunk (plain: a piece of VEC voxels), dimension 1 the row ------------------- */

HF_GROUP(WG)
kernel void normalize_plain(global const float *x, global const float *scale, global const float *shift,
                            global const float *mean, global const float *inv_std, global float *y, int channels,
                            int voxels)
{
    int c = (int)(get_global_id(1) % channels);
    long v = (long)get_global_id(0) * VEC;
    size_t at = get_global_id(1) * voxels + v;
    float factor = inv_std[c] * scale[c];
    hf_store((hf_load(x + at, voxels - v) - mean[c]) * factor + shift[c], y + at, voxels - v);
}

HF_TEAM_GROUP(FEW)
kernel void normalize_blocked(global const float *x, global const float *scale, global const float *shift,
                              global const float *mean, global const float *inv_std, global float *y, int channels,
                              int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    int left = channels - first, start = hf_team() * CHUNK;
    floatv factor = hf_load(inv_std + first, left) * hf_load(scale + first, left);
    floatv center = hf_load(mean + first, left), offset = hf_load(shift + first, left);
    size_t at = (get_global_id(1) * voxels + start) * HF_BLOCK;
    for (int v = hf_turn(); v < min(CHUNK, voxels - start); v += HF_TURN)
        hf_store_voxel((hf_load_voxel(x + at, v) - center) * factor + offset, y + at, v);
}

/* inv_std of the running variance; one work-item a channel. */
HF_GROUP(FEW) kernel void invert(global const float *running_var, global float *inv_std, int channels, float eps)
{
    int c = (int)get_global_id(0);
    if (c < channels) inv_std[c] = 1.0f / sqrt(running_var[c] + eps);
}

HF_GROUP(WG)
kernel void gradient(global const float *dy, global const float *x, global const float *scale, global const float *mean,
                     global const float *inv_std, global const float *dscale, global const float *dshift,
                     global float *dx, int channels, int voxels, float total)
{
    int c = (int)(get_global_id(1) % channels);
    long v = (long)get_global_id(0) * VEC;
    size_t at = get_global_id(1) * voxels + v;
    float slope = inv_std[c] * (dscale[c] / total), offset = dshift[c] / total, factor = scale[c] * inv_std[c];
    floatv centered = hf_load(x + at, voxels - v) - mean[c];
    hf_store(factor * (hf_load(dy + at, voxels - v) - offset - centered * slope), dx + at, voxels - v);
}

HF_TEAM_GROUP(FEW)
kernel void gradient_blocked(global const float *dy, global const float *x, global const float *scale,
                             global const float *mean, global const float *inv_std, global const float *dscale,
                             global const float *dshift, global float *dx, int channels, int voxels, float total)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    int left = channels - first, start = hf_team() * CHUNK;
    floatv inverse = hf_load(inv_std + first, left), center = hf_load(mean + first, left);
    floatv slope = inverse * (hf_load(dscale + first, left) / total);
    floatv offset = hf_load(dshift + first, left) / total;
    floatv factor = hf_load(scale + first, left) * inverse;
    size_t at = (get_global_id(1) * voxels + start) * HF_BLOCK;
    for (int v = hf_turn(); v < min(CHUNK, voxels - start); v += HF_TURN) {
        floatv centered = hf_load_voxel(x + at, v) - center;
        hf_store_voxel(factor * (hf_load_voxel(dy + at, v) - offset - centered * slope), dx + at, v);
    }
}
