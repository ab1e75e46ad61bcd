/* linear.cl: the linear layer and its gradients, written like the formulas.
 *
 *   y[n,o]     = act(b[o] + sum over i of w[o,i] * x[n,i])
 *   dx[n,i]    = sum over o of w[o,i] * dy[n,o]
 *   dw[o,i]    = sum over n of dy[n,o] * x[n,i]         with per_sample dw[n,o,i], no sum
 *   db[o]      = sum over n of dy[n,o]
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

/* y[n,o] = act(y[n,o] + b[o]), after a matrix product */
HF_GROUP(WG)
kernel void linear_finish(global float *y, global const float *b, int N, int O, int has_bias, int relu)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)N * O) return;
    float sum = has_bias ? y[at] + b[at % O] : y[at];
    y[at] = relu && sum <= 0.0f ? 0.0f : sum;
}
