/* dropout.cl: y = x / (1 - p) where an element is kept, 0 where it is not. Its gradient is the same function of dy.
 *
 * An element is kept when its random word is at least threshold = floor(p 2^32). The word is a function of the element's
 * index alone (Philox4x32-10, Salmon et al., SC 2011), so backward makes the same mask again and nothing is stored:
 *     word element % 4 of the block with counter { lo(element / 4), hi(element / 4), stream, state[2] }
 *     and key { state[0], state[1] };   state = { seed lo, seed hi, step, 0 }
 * `element` counts the row-major tensor whatever its layout, or is n C + c when whole channels are dropped.
 *
 * VEC    16, the default
 * WG     work-items in a group (default 64; any)
 * FEW    work-items in a group where each has a chunk to do (default 8; any)
 * CHUNK  voxels one work-item takes of a channel or a channel block (default 1024; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef FEW
#define FEW 8
#endif
#ifndef CHUNK
#define CHUNK 1024
#endif

#define PHILOX_M0     0xD2511F53u
#define PHILOX_M1     0xCD9E8D57u
#define PHILOX_W0     0x9E3779B9u
#define PHILOX_W1     0xBB67AE85u
#define PHILOX_ROUNDS 10

/* The random words of sixteen elements. Each lane makes the whole block of four its element lies in and keeps one. */
uint16 random_words(ulong16 element, global const int *state, uint stream)
{
    ulong16 block = element >> 2;
    uint16 c0 = convert_uint16(block), c1 = convert_uint16(block >> 32), c2 = stream, c3 = (uint)state[2];
    uint k0 = (uint)state[0], k1 = (uint)state[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint16 high0 = mul_hi((uint16)(PHILOX_M0), c0), low0 = PHILOX_M0 * c0;
        uint16 high1 = mul_hi((uint16)(PHILOX_M1), c2), low1 = PHILOX_M1 * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    uint16 which = convert_uint16(element) & 3u;
    uint16 low = which == 1u ? c1 : c0, high = which == 3u ? c3 : c2;
    return which > 1u ? high : low;
}

/* The factor of each of sixteen elements: `scale` = 1 / (1 - p), or 0. */
float16 factors(ulong16 element, global const int *state, uint stream, uint threshold, float scale)
{
    return random_words(element, state, stream) >= threshold ? (float16)(scale) : (float16)(0.0f);
}

#define LANES (ulong16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* Zero even where x is not a number or infinite: a dropped element has no influence. */
float16 keep(float16 factor, float16 x)
{
    return factor == 0.0f ? (float16)(0.0f) : factor * x;
}

HF_GROUP(WG)
kernel void drop_elements(global const float *x, global const int *state, global float *y, long n, uint stream,
                          uint threshold, float scale)
{
    long i = (long)get_global_id(0) * 16;
    if (i >= n) return;
    float16 factor = factors((ulong16)((ulong)i) + LANES, state, stream, threshold, scale);
    hf_store(keep(factor, hf_load(x + i, n - i)), y + i, n - i);
}

/* dimension 0: one voxel a work-item; dimension 1: n and channel block. A channel's elements lie `voxels` apart. */
HF_GROUP(WG)
kernel void drop_elements_blocked(global const float *x, global const int *state, global float *y, int channels,
                                  int voxels, uint stream, uint threshold, float scale)
{
    int v = (int)get_global_id(0);
    if (v >= voxels) return;
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    ulong row = get_global_id(1) / blocks * channels + get_global_id(1) % blocks * HF_BLOCK;
    ulong16 element = ((ulong16)(row) + LANES) * (ulong)voxels + (ulong)v;
    size_t at = get_global_id(1) * voxels + v;
    vstore16(keep(factors(element, state, stream, threshold, scale), vload16(at, x)), at, y);
}

/* dimension 0: chunks of CHUNK voxels; dimension 1: n C + c */
HF_GROUP(FEW)
kernel void drop_channels(global const float *x, global const int *state, global float *y, int voxels, uint stream,
                          uint threshold, float scale)
{
    float16 factor = factors((ulong16)(get_global_id(1)), state, stream, threshold, scale);
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels;
    y += get_global_id(1) * voxels;
    for (long v = start; v < end; v += 16)
        hf_store(keep(factor, hf_load(x + v, end - v)), y + v, end - v);
}

/* dimension 0: chunks of CHUNK voxels; dimension 1: n and channel block */
HF_GROUP(FEW)
kernel void drop_channels_blocked(global const float *x, global const int *state, global float *y, int channels,
                                  int voxels, uint stream, uint threshold, float scale)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    ulong first = get_global_id(1) / blocks * channels + get_global_id(1) % blocks * HF_BLOCK;
    float16 factor = factors((ulong16)(first) + LANES, state, stream, threshold, scale);
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels * HF_BLOCK;
    y += get_global_id(1) * voxels * HF_BLOCK;
    for (long v = start; v < end; v++)
        vstore16(keep(factor, vload16(v, x)), v, y);
}
