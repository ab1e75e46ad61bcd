/* pool3d.cl: pooling over windows of K x K x K voxels, and over whole channels.
 *
 *     max_pool     y[o] = max over k of x[o S + k],  position[o] = the k of the first maximum in scan order
 *     max_pool_dx  dx[i] = sum of dy[o] over the windows o whose maximum is voxel i
 *     avg_pool     y[o] = mean over k of x[o S + k];  avg_pool_dx[i] = sum of dy[o] / K^3 over windows o holding i
 *     global       y[n,c] = mean over all voxels;      dx = dy[n,c] / voxels
 *
 * o, i and k stand for three indices (d, h, w); k counts as (kd K + kh) K + kw. Windows lie inside the volume. A window
 * with a not-a-number has that as its maximum. Every result is gathered, so nothing is written twice.
 *
 * On CPUs the blocked kernels take one row (along W) of one channel block a work-item, sixteen channels a vector.
 *
 * WG     work-items in a group (default 64; any)
 * FEW    work-items in a group where each has a row or a chunk to do (default 8, see common.h)
 * K      window (default 2; 1..6)
 * S      stride (default 2; 1 or more; max_pool_dx_blocked needs S >= K)
 * VEC    16 or 4, see common.h
 * CHUNK  voxels of one partial sum of the global mean (default 512; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef K
#define K 2
#endif
#ifndef S
#define S 2
#endif
#ifndef CHUNK
#define CHUNK 512
#endif
#if VEC == HF_BLOCK
#define UNROLL_LITTLE
#else
#define UNROLL_LITTLE _Pragma("unroll 2") /* by itself the compiler unrolls until registers spill */
#endif
#if VEC == HF_BLOCK || K <= 3
#define UNROLL_WINDOW _Pragma("unroll")
#else
#define UNROLL_WINDOW _Pragma("unroll 4") /* few registers are left where all of 64 taps or more are under way */
#endif

/* ---- plain: one work-item a result, dimension 1 is n C + c ------------------------------------------------------- */

/* d h w are the volume's sizes, od oh ow the result's. */
HF_GROUP(WG)
kernel void max_pool(global const float *x, global float *y, global uchar *position, int d, int h, int w, int od,
                     int oh, int ow)
{
    int o = (int)get_global_id(0);
    if (o >= od * oh * ow) return;
    x += get_global_id(1) * d * h * w + (o / (oh * ow) * S * (size_t)h + o / ow % oh * S) * w + o % ow * S;
    float best = x[0];
    int where = 0;
    for (int kd = 0; kd < K; kd++)
        for (int kh = 0; kh < K; kh++)
            for (int kw = 0; kw < K; kw++) {
                float v = x[((size_t)kd * h + kh) * w + kw];
                if (!(v <= best) && best == best) {
                    best = v;
                    where = (kd * K + kh) * K + kw;
                }
            }
    size_t at = get_global_id(1) * od * oh * ow + o;
    y[at] = best;
    position[at] = (uchar)where;
}

/* The first and the last of `windows` that hold voxel i: o S + K - 1 >= i and o S <= i. */
int first_window(int i)
{
    return i < K ? 0 : (i - K) / S + 1;
}

int last_window(int i, int windows)
{
    return min(i / S, windows - 1);
}

HF_GROUP(WG)
kernel void max_pool_dx(global const float *dy, global const uchar *position, global float *dx, int d, int h, int w,
                        int od, int oh, int ow)
{
    int i = (int)get_global_id(0);
    if (i >= d * h * w) return;
    int id = i / (h * w), ih = i / w % h, iw = i % w;
    size_t outer = get_global_id(1) * od * oh * ow;
    float sum = 0.0f;
    for (int a = first_window(id); a <= last_window(id, od); a++)
        for (int b = first_window(ih); b <= last_window(ih, oh); b++)
            UNROLL_LITTLE
            for (int c = first_window(iw); c <= last_window(iw, ow); c++) {
                size_t at = outer + (a * oh + b) * ow + c;
                if (position[at] == ((id - a * S) * K + ih - b * S) * K + iw - c * S) sum += dy[at];
            }
    dx[get_global_id(1) * d * h * w + i] = sum;
}

HF_GROUP(WG) kernel void avg_pool(global const float *x, global float *y, int d, int h, int w, int od, int oh, int ow)
{
    int o = (int)get_global_id(0);
    if (o >= od * oh * ow) return;
    x += get_global_id(1) * d * h * w + (o / (oh * ow) * S * (size_t)h + o / ow % oh * S) * w + o % ow * S;
    float sum = 0.0f;
    for (int kd = 0; kd < K; kd++)
        for (int kh = 0; kh < K; kh++)
            for (int kw = 0; kw < K; kw++)
                sum += x[((size_t)kd * h + kh) * w + kw];
    y[get_global_id(1) * od * oh * ow + o] = sum / (K * K * K);
}

/* Goes through the window backwards, so that the first of equal maxima is the last one taken. */
HF_GROUP(WG)
kernel void avg_pool_dx(global const float *dy, global float *dx, int d, int h, int w, int od, int oh, int ow)
{
    int i = (int)get_global_id(0);
    if (i >= d * h * w) return;
    int id = i / (h * w), ih = i / w % h, iw = i % w;
    dy += get_global_id(1) * od * oh * ow;
    float sum = 0.0f;
    for (int a = first_window(id); a < od && a * S <= id; a++)
        for (int b = first_window(ih); b < oh && b * S <= ih; b++)
            for (int c = first_window(iw); c < ow && c * S <= iw; c++)
                sum += dy[((size_t)a * oh + b) * ow + c];
    dx[get_global_id(1) * d * h * w + i] = sum / (K * K * K);
}

/* ---- blocked: dimension 1 is n and channel block; with VEC 16 one work-item a row of the result, else HF_PARTS neighbours
 * a voxel of it ---------------------------------------------------------------------------------------------------- */

#define ucharv         HF_PASTE(uchar, VEC)
#define convert_intv   HF_PASTE(convert_int, VEC)
#define convert_ucharv HF_PASTE(convert_uchar, VEC)

HF_VOXEL_ACCESS(uchar, ucharv, load_position, store_position)

/* The maximum of the window that starts at x. Goes through it backwards, so that the first of equal maxima is the last
 * one taken. */
void max_of_window(global const float *x, int h, int w, floatv *largest, intv *position)
{
    const int last = K * K * K - 1;
    floatv best = hf_load_voxel(x, ((size_t)(K - 1) * h + K - 1) * w + K - 1);
    intv where = last;
    UNROLL_WINDOW
    for (int k = last - 1; k >= 0; k--) {
        floatv v = hf_load_voxel(x, ((size_t)(k / (K * K)) * h + k / K % K) * w + k % K);
        intv better = (v >= best) | (v != v);
        best = better ? v : best;
        where = better ? (intv)(k) : where;
    }
    *largest = best;
    *position = where;
}

#if VEC == HF_BLOCK
HF_GROUP(FEW)
kernel void max_pool_blocked(global const float *x, global float *y, global uchar *position, int d, int h, int w,
                             int od, int oh, int ow)
{
    int row = (int)get_global_id(0);
    if (row >= od * oh) return;
    x += ((get_global_id(1) * d + row / oh * S) * h + row % oh * S) * w * HF_BLOCK;
    size_t at = (get_global_id(1) * od * oh + row) * ow;
    for (int o = 0; o < ow; o++, x += S * HF_BLOCK) {
        floatv best;
        intv where;
        max_of_window(x, h, w, &best, &where);
        hf_store_voxel(best, y, at + o);
        store_position(convert_ucharv(where), position, at + o);
    }
}

/* Windows do not overlap (S >= K), so a voxel lies in one window or in none; the work-item's row lies in one row of
 * windows, or in none. */
HF_GROUP(FEW)
kernel void max_pool_dx_blocked(global const float *dy, global const uchar *position, global float *dx, int d, int h,
                                int w, int od, int oh, int ow)
{
    int row = (int)get_global_id(0);
    if (row >= d * h) return;
    int kd = row / h % S, kh = row % h % S, a = row / h / S, b = row % h / S, done = 0;
    dx += (get_global_id(1) * d * h + row) * w * HF_BLOCK;
    if (a < od && b < oh && kd < K && kh < K) {
        size_t at = ((get_global_id(1) * od + a) * oh + b) * ow;
        for (int c = 0; c < ow; c++) {
            float16 gradient = vload16(at + c, dy);
            int16 here = convert_int16(vload16(at + c, position)) - (kd * K + kh) * K;
#pragma unroll
            for (int kw = 0; kw < K; kw++)
                vstore16(here == kw ? gradient : (float16)(0.0f), kw, dx + (size_t)c * S * HF_BLOCK);
            for (int gap = K; gap < S && c * S + gap < w; gap++)
                vstore16((float16)(0.0f), gap, dx + (size_t)c * S * HF_BLOCK);
        }
        done = ow * S;
    }
    for (; done < w; done++)
        vstore16((float16)(0.0f), done, dx);
}

#else
HF_GROUP(WG)
kernel void max_pool_blocked(global const float *x, global float *y, global uchar *position, int d, int h, int w,
                             int od, int oh, int ow)
{
    int o = (int)get_global_id(0) / HF_PARTS;
    if (o >= od * oh * ow) return;
    size_t corner = ((get_global_id(1) * d + o / (oh * ow) * S) * h + o / ow % oh * S) * w + o % ow * S;
    size_t at = get_global_id(1) * od * oh * ow + o;
    floatv best;
    intv where;
    max_of_window(x + corner * HF_BLOCK, h, w, &best, &where);
    hf_store_voxel(best, y, at);
    store_position(convert_ucharv(where), position, at);
}

HF_GROUP(WG)
kernel void max_pool_dx_blocked(global const float *dy, global const uchar *position, global float *dx, int d, int h,
                                int w, int od, int oh, int ow)
{
    int i = (int)get_global_id(0) / HF_PARTS;
    if (i >= d * h * w) return;
    int id = i / (h * w), ih = i / w % h, iw = i % w, a = id / S, b = ih / S, c = iw / S;
    int kd = id % S, kh = ih % S, kw = iw % S;
    floatv gradient = 0.0f;
    if (a < od && b < oh && c < ow && kd < K && kh < K && kw < K) {
        size_t at = ((get_global_id(1) * od + a) * oh + b) * ow + c;
        intv here = convert_intv(load_position(position, at));
        gradient = here == (kd * K + kh) * K + kw ? hf_load_voxel(dy, at) : gradient;
    }
    hf_store_voxel(gradient, dx, get_global_id(1) * d * h * w + i);
}
#endif

/* ---- mean over all voxels ---------------------------------------------------------------------------------------- */

/* partial[row, k] = the sum over chunk k (dimension 0) of row n C + c (dimension 1) */
HF_GROUP(FEW) kernel void sum_voxels(global const float *x, global float *partial, int voxels, int chunks)
{
    int chunk = (int)get_global_id(0);
    if (chunk >= chunks) return;
    long start = (long)chunk * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels;
    float sum = 0.0f;
    for (long v = start; v < end; v++)
        sum += x[v];
    partial[get_global_id(1) * chunks + chunk] = sum;
}

/* The same with sixteen channels: partial[row, k, 16], row counting n and channel block */
HF_TEAM_GROUP(FEW) kernel void sum_voxels_blocked(global const float *x, global float *partial, int voxels, int chunks)
{
    HF_SHARED(floatv, shared)
    int chunk = hf_team();
    if (chunk >= chunks) return;
    long start = (long)chunk * CHUNK, end = min(start + CHUNK, (long)voxels);
    x += get_global_id(1) * voxels * HF_BLOCK;
    floatv sum = 0.0f;
    for (long v = start + hf_turn(); v < end; v += HF_TURN)
        sum += hf_load_voxel(x, v);
    sum = hf_sum_turns(sum, shared);
    if (hf_turn() == 0) hf_store_voxel(sum, partial, get_global_id(1) * chunks + chunk);
}

/* One team a channel; dimension 1 is n. block is 1 for partial[n C + c, k], 16 for partial[n and block, k, 16]. */
HF_TEAM_GROUP(FEW)
kernel void mean_of_sums(global const float *partial, global float *y, int channels, int voxels, int chunks, int block)
{
    HF_SHARED(float, shared)
    int c = hf_team();
    if (c >= channels) return;
    int blocks = (channels + block - 1) / block;
    partial += ((get_global_id(1) * blocks + c / block) * chunks) * block + c % block;
    float sum = 0.0f, carry = 0.0f;
    for (int k = hf_member(); k < chunks; k += HF_TEAM)
        hf_add(&sum, &carry, partial[(size_t)k * block]);
    sum = hf_sum_members(sum, shared);
    if (hf_member() == 0) y[get_global_id(1) * channels + c] = sum / voxels;
}

/* dimension 0: pieces of VEC voxels; dimension 1: n C + c */
HF_GROUP(WG) kernel void spread(global const float *dy, global float *dx, int voxels)
{
    long v = (long)get_global_id(0) * VEC;
    floatv value = dy[get_global_id(1)] / voxels;
    hf_store(value, dx + get_global_id(1) * voxels + v, voxels - v);
}

/* dimension 0: chunks of CHUNK voxels; dimension 1: n and channel block */
HF_TEAM_GROUP(FEW) kernel void spread_blocked(global const float *dy, global float *dx, int channels, int voxels)
{
    int blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    int n = (int)get_global_id(1) / blocks, first = (int)get_global_id(1) % blocks * HF_BLOCK + hf_part();
    floatv value = hf_load(dy + (size_t)n * channels + first, channels - first) / voxels;
    long start = (long)hf_team() * CHUNK, end = min(start + CHUNK, (long)voxels);
    dx += get_global_id(1) * voxels * HF_BLOCK;
    for (long v = start + hf_turn(); v < end; v += HF_TURN)
        hf_store_voxel(value, dx, v);
}
