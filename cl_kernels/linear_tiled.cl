/* linear_tiled.cl: batched matrix products for skinny shapes, c[z,m,n] = act(bias[z,n] + sum over k of a[z,m,k] b[z,k,n]).
 *
 *   linear_dots     vectors along k: for long sums. A group computes RM x RN sums; its work-items take turns along k
 *                   and add what they have at the end, in order.
 *   linear_columns  vectors along n: for wide results and short sums. A work-item computes RM rows of VEC columns.
 *   linear_parts    adds the pieces of sums that were cut.
 *
 * Every operand has a stride for each of its indices, so one kernel serves all transpositions. Sums longer than
 * `chunk` are cut into pieces computed by different groups: c then receives the pieces, chunk_stride elements apart,
 * without bias and activation, which linear_parts applies.
 *
 * VEC     16  floats in a vector, see common.h
 * WG      1   work-items in a group: 1 or a few suit CPUs, 64 suits GPUs
 * RM      4   rows of a tile, 1..8
 * RN      4   columns of a tile of linear_dots, 1..8
 * A_UNIT  1   linear_dots: neighbours along k of a are neighbours in memory
 * B_UNIT  1   the same of b, along k in linear_dots and along n in linear_columns */
#include "common.h"

#ifndef WG
#define WG 1
#endif
#ifndef RM
#define RM 4
#endif
#ifndef RN
#define RN 4
#endif
#ifndef A_UNIT
#define A_UNIT 1
#endif
#ifndef B_UNIT
#define B_UNIT 1
#endif
#define PARTS_WG 64

/* VEC floats `step` apart, of which `left` exist; the others are zero. */
static floatv load_apart(global const float *p, int step, int left)
{
    hf_lanes v;
    for (int i = 0; i < VEC; i++)
        v.element[i] = i < left ? p[(size_t)i * step] : 0.0f;
    return v.vector;
}

static floatv load_full(global const float *p, int step, int unit)
{
    if (unit) return vloadv(0, p);
    hf_lanes v;
    for (int i = 0; i < VEC; i++)
        v.element[i] = p[(size_t)i * step];
    return v.vector;
}

static float total(floatv v)
{
    hf_lanes u;
    u.vector = v;
    for (int half_size = VEC / 2; half_size > 0; half_size /= 2)
        for (int i = 0; i < half_size; i++)
            u.element[i] += u.element[i + half_size];
    return u.element[0];
}

static float finish(float sum, global const float *bias, long at, int has_bias, int relu)
{
    if (has_bias) sum += bias[at];
    return relu && sum <= 0.0f ? 0.0f : sum;
}

/* Groups: tiles of n, tiles of m, batch * chunks. Rows and columns beyond the last repeat it and are not written. */
HF_GROUP(WG)
kernel void linear_dots(global const float *a, global const float *b, global float *c, global const float *bias, int M,
                        int N, int K, long am, int ak, long az, int bk, long bn, long bz, long cm, long cn, long cz,
                        int chunk, int chunks, long chunk_stride, long bias_z, int has_bias, int relu)
{
    int id = (int)get_local_id(0), n0 = (int)get_group_id(0) * RN, m0 = (int)get_group_id(1) * RM;
    long z = get_group_id(2) / chunks, piece = get_group_id(2) % chunks;
    int first = (int)piece * chunk, last = min(first + chunk, K);
    global const float *rows[RM], *columns[RN];
    floatv acc[RM][RN];
#pragma unroll
    for (int r = 0; r < RM; r++)
        rows[r] = a + z * az + min(m0 + r, M - 1) * am;
#pragma unroll
    for (int s = 0; s < RN; s++)
        columns[s] = b + z * bz + min(n0 + s, N - 1) * bn;
#pragma unroll
    for (int r = 0; r < RM; r++)
#pragma unroll
        for (int s = 0; s < RN; s++)
            acc[r][s] = (floatv)(0.0f);

    int k = first + id * VEC;
    for (; k + VEC <= last; k += WG * VEC) {
        floatv left[RM];
#pragma unroll
        for (int r = 0; r < RM; r++)
            left[r] = load_full(rows[r] + (size_t)k * ak, ak, A_UNIT);
#pragma unroll
        for (int s = 0; s < RN; s++) {
            floatv right = load_full(columns[s] + (size_t)k * bk, bk, B_UNIT);
#pragma unroll
            for (int r = 0; r < RM; r++)
                acc[r][s] += left[r] * right;
        }
    }
    if (k < last) {
        floatv left[RM];
#pragma unroll
        for (int r = 0; r < RM; r++)
            left[r] = load_apart(rows[r] + (size_t)k * ak, ak, last - k);
#pragma unroll
        for (int s = 0; s < RN; s++) {
            floatv right = load_apart(columns[s] + (size_t)k * bk, bk, last - k);
#pragma unroll
            for (int r = 0; r < RM; r++)
                acc[r][s] += left[r] * right;
        }
    }

    c += piece * chunk_stride + z * cz;
    bias += z * bias_z;
#if WG > 1
    local float shares[RM * RN][WG + 1];
#pragma unroll
    for (int r = 0; r < RM; r++)
#pragma unroll
        for (int s = 0; s < RN; s++)
            shares[r * RN + s][id] = total(acc[r][s]);
    barrier(CLK_LOCAL_MEM_FENCE);
    int m = m0 + id / RN, n = n0 + id % RN;
    if (id >= RM * RN || m >= M || n >= N) return;
    float sum = 0.0f;
    for (int i = 0; i < WG; i++)
        sum += shares[id][i];
    c[m * cm + n * cn] = finish(sum, bias, n, has_bias, relu);
#else
    for (int r = 0; r < RM && m0 + r < M; r++)
        for (int s = 0; s < RN && n0 + s < N; s++)
            c[(m0 + r) * cm + (n0 + s) * cn] = finish(total(acc[r][s]), bias, n0 + s, has_bias, relu);
#endif
}

/* Groups: WG * VEC columns, tiles of m, batch * chunks. */
HF_GROUP(WG)
kernel void linear_columns(global const float *a, global const float *b, global float *c, global const float *bias,
                           int M, int N, int K, long am, int ak, long az, int bk, long bn, long bz, long cm, long cn,
                           long cz, int chunk, int chunks, long chunk_stride, long bias_z, int has_bias, int relu)
{
    int n0 = (int)get_global_id(0) * VEC, m0 = (int)get_group_id(1) * RM, left = N - n0;
    long z = get_group_id(2) / chunks, piece = get_group_id(2) % chunks;
    int first = (int)piece * chunk, last = min(first + chunk, K);
    /* Not "left <= 0": from that, Intel's CPU compiler (2026.2) builds linear_parts with its own test turned round, so
     * that it stores nothing but what lies beyond the end. */
    if (n0 >= N) return;
    global const float *rows[RM];
    floatv acc[RM];
#pragma unroll
    for (int r = 0; r < RM; r++) {
        rows[r] = a + z * az + min(m0 + r, M - 1) * am;
        acc[r] = (floatv)(0.0f);
    }
    b += z * bz + n0 * bn;
    for (int k = first; k < last; k++) {
        global const float *from = b + (size_t)k * bk;
        floatv right = left >= VEC ? load_full(from, (int)bn, B_UNIT) : load_apart(from, (int)bn, left);
#pragma unroll
        for (int r = 0; r < RM; r++)
            acc[r] += rows[r][(size_t)k * ak] * right;
    }
    c += piece * chunk_stride + z * cz + n0 * cn;
    bias += z * bias_z + n0;
#pragma unroll
    for (int r = 0; r < RM; r++) {
        hf_lanes v;
        if (m0 + r >= M) continue;
        v.vector = acc[r];
        if (left >= VEC && cn == 1) {
            if (has_bias) v.vector += vloadv(0, bias);
            if (relu) v.vector = select(v.vector, (floatv)(0.0f), v.vector <= 0.0f);
            vstorev(v.vector, 0, c + (m0 + r) * cm);
            continue;
        }
        HF_EACH(i, min(left, VEC)) c[(m0 + r) * cm + i * cn] = finish(v.element[i], bias, i, has_bias, relu);
    }
}

/* c[z,m,n] from the pieces part[piece,z,m,n] */
HF_GROUP(PARTS_WG)
kernel void linear_parts(global const float *part, global float *c, global const float *bias, int M, int N, int batch,
                         long cm, long cn, long cz, int chunks, long bias_z, int has_bias, int relu)
{
    long i = get_global_id(0), count = (long)batch * M * N;
    if (i >= count) return;
    long n = i % N, m = i / N % M, z = i / N / M;
    float sum = 0.0f;
    for (int piece = 0; piece < chunks; piece++)
        sum += part[piece * count + i];
    c[m * cm + n * cn + z * cz] = finish(sum, bias, z * bias_z + n, has_bias, relu);
}
