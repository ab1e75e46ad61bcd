/* dropout.cl: y = x / (1 - p) where an element is kept, 0 where it is not. Its gradient is the same function of dy.
 *
 * An element is kept when its random word is at least threshold = floor(p 2^32). The word is a function of the element's
 * index alone (Philox4x32-10, Salmon et al., SC 2011), so backward makes the same mask again and nothing is stored:
 *     word element % 4 of the block with counter { lo(element / 4), hi(element / 4), stream, state[2] }
 *     and key { state[0], state[1] };   state = { seed lo, seed hi, step, 0 }
 * `element` counts the row-major tensor whatever its layout, or is n C + c when whole channels are dropped.
 *
 * VEC    16 or 4, see common.h
 * WG     work-items in a group (default 64; any)
 * FEW    work-items in a group where each has a chunk to do (default 8, see common.h)
 * CHUNK  voxels one work-item, or team, takes of a channel or a channel block (default 1024; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef CHUNK
#define CHUNK 1024
#endif

#define PHILOX_M0     0xD2511F53u
#define PHILOX_M1     0xCD9E8D57u
#define PHILOX_W0     0x9E3779B9u
#define PHILOX_W1     0xBB67AE85u
#define PHILOX_ROUNDS 10

#define uintv         HF_PASTE(uint, VEC)
#define ulongv        HF_PASTE(ulong, VEC)
#define convert_uintv HF_PASTE(convert_uint, VEC)

/* The random words of VEC elements. Each lane makes the whole block of four its element lies in and keeps one. */
uintv random_words(ulongv element, global const int *state, uint stream)
{
    ulongv block = element >> 2;
    uintv c0 = convert_uintv(block), c1 = convert_uintv(block >> 32), c2 = stream, c3 = (uint)state[2];
    uint k0 = (uint)state[0], k1 = (uint)state[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uintv high0 = mul_hi((uintv)(PHILOX_M0), c0), low0 = PHILOX_M0 * c0;
        uintv high1 = mul_hi((uintv)(PHILOX_M1), c2), low1 = PHILOX_M1 * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    uintv which = convert_uintv(element) & 3u;
    uintv low = which == 1u ? c1 : c0, high = which == 3u ? c3 : c2;
    return which > 1u ? high : low;
}

/* The factor of each of VEC elements: `scale` = 1 / (1 - p), or 0. */
floatv factors(ulongv element, global const int *state, uint stream, uint threshold, float scale)
{
    return random_words(element, state, stream) >= threshold ? (floatv)(scale) : (floatv)(0.0f);
}

#if VEC == HF_BLOCK
#define LANES (ulongv)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#else
#define LANES (ulongv)(0, 1, 2, 3)
#endif

/* Zero even where x is not a number or infinite: a dropped element has no influence. */
floatv keep(floatv factor, floatv x)
{
    return factor == 0.0f ? (floatv)(0.0f) : factor * x;
}

HF_GROUP(WG)
kernel void drop_elements(global const float *x, global const int *state, global float *y, long n, uint stream,
                          uint threshold, float scale)
{
    long i = (long)get_global_id(0) * VEC;
    if (i >= n) return;
    floatv factor = factors((ulongv)((ulong)i) + LANES, state, stream, threshold, scale);
    hf_store_at(keep(factor, hf_load_at(x, i, n)), y, i, n);
}

/* dimension 0: HF_PARTS work-items a voxel; dimension 1: n and channel block. A channel's elements lie `voxels` apart. */
HF_GROUP(WG)
kernel void drop_elements_blocked(global const float *x, global const int *state, global float *y, int channels,
                                  int voxels, uint stream, uint threshold, float scale)
{
    int v = (int)get_global_id(0) / HF_PARTS;
    if (v >= voxels) return;
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    ulong row = get_global_id(1) / blocks * channels + get_global_id(1) % blocks * HF_BLOCK + hf_part();
    ulongv element = ((ulongv)(row) + LANES) * (ulong)voxels + (ulong)v;
    size_t at = get_global_id(1) * voxels + v;
    hf_store_voxel(keep(factors(element, state, stream, threshold, scale), hf_load_voxel(x, at)), y, at);
}

/* dimension 0: chunks of CHUNK voxels; dimension 1: n C + c */
HF_TEAM_GROUP(FEW)
kernel void drop_channels(global const float *x, global const int *state, global float *y, int voxels, uint stream,
                          uint threshold, float scale)
{
    floatv factor = factors((ulongv)(get_global_id(1)), state, stream, threshold, scale);
    long start = (long)hf_team() * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels;
    y += get_global_id(1) * voxels;
    for (long v = start + hf_member() * VEC; v < end; v += HF_TEAM * VEC)
        hf_store(keep(factor, hf_load(x + v, end - v)), y + v, end - v);
}

/* dimension 0: chunks of CHUNK voxels; dimension 1: n and channel block */
HF_TEAM_GROUP(FEW)
kernel void drop_channels_blocked(global const float *x, global const int *state, global float *y, int channels,
                                  int voxels, uint stream, uint threshold, float scale)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    ulong first = get_global_id(1) / blocks * channels + get_global_id(1) % blocks * HF_BLOCK + hf_part();
    floatv factor = factors((ulongv)(first) + LANES, state, stream, threshold, scale);
    long start = (long)hf_team() * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels * HF_BLOCK;
    y += get_global_id(1) * voxels * HF_BLOCK;
    for (long v = start + hf_turn(); v < end; v += HF_TURN)
        hf_store_voxel(keep(factor, hf_load_voxel(x, v)), y, v);
}
