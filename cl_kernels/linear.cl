/* linear.cl: the linear layer, its gradients, and the outer product, written like the formulas.
 *
 *   y[n,o]     = act(b[o] + sum over i of w[o,i] * x[n,i])
 *   dx[n,i]    = sum over o of w[o,i] * dy[n,o]
 *   dw[o,i]    = sum over n of dy[n,o] * x[n,i]         with per_sample dw[n,o,i], no sum
 *   db[o]      = sum over n of dy[n,o]
 *   z[n,i,j]   = x[n,i] * e[n,j]
 *   dx[n,i]    = sum over j of dz[n,i,j] * e[n,j],  de[n,j] = sum over i of dz[n,i,j] * x[n,i]
 *
 * Weights [o,i] or, with per_sample, [n,o,i]; the bias follows them. One work-item computes one
 * element where nothing else is said.
 *
 * WG   64  work-items in a group, any
 * VEC  16  floats in a vector, see common.h */
#include "common.h"

#ifndef WG
#define WG 64
#endif

HF_GROUP(WG)
kernel void linear_plain(global const float *x, global const float *w, global const float *b, global float *y, int N,
                         int I, int O, int per_sample, int has_bias, int relu)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * O) return;
    size_t n = at / O, row = per_sample ? at : at % O;
    float sum = has_bias ? b[row] : 0.0f;
    for (int i = 0; i < I; i++)
        sum += w[row * I + i] * x[n * I + i];
    y[at] = relu && sum <= 0.0f ? 0.0f : sum;
}

HF_GROUP(WG)
kernel void linear_dx_plain(global const float *dy, global const float *w, global float *dx, int N, int I, int O,
                            int per_sample)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * I) return;
    size_t n = at / I, i = at % I, first = per_sample ? n * O : 0;
    float sum = 0.0f;
    for (int o = 0; o < O; o++)
        sum += w[(first + o) * I + i] * dy[n * O + o];
    dx[at] = sum;
}

HF_GROUP(WG)
kernel void linear_dw_plain(global const float *x, global const float *dy, global float *dw, int N, int I, int O,
                            int per_sample)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)(per_sample ? N : 1) * O * I) return;
    size_t i = at % I, o = at / I % O, first = at / I / O;
    int samples = per_sample ? 1 : N;
    float sum = 0.0f;
    for (size_t n = first; n < first + samples; n++)
        sum += dy[n * O + o] * x[n * I + i];
    dw[at] = sum;
}

/* One work-item: VEC columns. */
HF_GROUP(WG)
kernel void linear_db_plain(global const float *dy, global float *db, int N, int O)
{
    long o = get_global_id(0) * VEC;
    if (o >= O) return;
    floatv sum = (floatv)(0.0f);
    for (int n = 0; n < N; n++)
        sum += hf_load(dy + (size_t)n * O + o, O - o);
    hf_store(sum, db + o, O - o);
}

/* One work-item: the products of one element of x. rows: N * I */
HF_GROUP(WG)
kernel void outer_plain(global const float *x, global const float *e, global float *z, int rows, int I, int J)
{
    int row = (int)get_global_id(0);
    if (row >= rows) return;
    float factor = x[row];
    e += (size_t)(row / I) * J;
    z += (size_t)row * J;
    for (int j = 0; j < J; j++)
        z[j] = factor * e[j];
}

HF_GROUP(WG)
kernel void outer_dx_plain(global const float *dz, global const float *e, global float *dx, int N, int I, int J)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * I) return;
    float sum = 0.0f;
    for (int j = 0; j < J; j++)
        sum += dz[at * J + j] * e[at / I * J + j];
    dx[at] = sum;
}

HF_GROUP(WG)
kernel void outer_de_plain(global const float *dz, global const float *x, global float *de, int N, int I, int J)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * J) return;
    size_t n = at / J, j = at % J;
    float sum = 0.0f;
    for (int i = 0; i < I; i++)
        sum += dz[(n * I + i) * J + j] * x[n * I + i];
    de[at] = sum;
}

/* y[n,o] = act(y[n,o] + b[o]), after a matrix product */
HF_GROUP(WG)
kernel void linear_finish(global float *y, global const float *b, int N, int O, int has_bias, int relu)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * O) return;
    float sum = has_bias ? y[at] + b[at % O] : y[at];
    y[at] = relu && sum <= 0.0f ? 0.0f : sum;
}
