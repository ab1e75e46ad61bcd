/* optimizer.cl: one step of an optimiser over a flat buffer of n parameters.
 *
 *     adam   g = s g;  coupled: g += decay theta;  decoupled: theta -= rate decay theta
 *            m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *            theta -= rate (m / c1) / (sqrt(v / c2) + eps)
 *     sgd    g = s g + decay theta,  m = momentum m + g,  theta -= rate m
 *     clip   s = s min(1, limit / (s norm + 1e-6)), norm the square root of the sum of g^2
 *
 * schedule = { rate, c1, c2, s, 0, 0, 0, 0 }: what changes from step to step, so that a step's arguments stay as they
 * are. c1 = 1 - beta1^t and c2 = 1 - beta2^t. Results may overwrite their operands. One work-item takes VEC parameters.
 *
 * WG  work-items in a group (default 64; any) */
#include "common.h"
#include "sum.h"

#ifndef WG
#define WG 64
#endif

/* Factors of old and new: rest1 = 1 - beta1, rest2 = 1 - beta2. */
HF_GROUP(WG)
kernel void adam(global const float *theta, global const float *gradient, global const float *m, global const float *v,
                 global const float *schedule, global float *new_theta, global float *new_m, global float *new_v,
                 long n, float beta1, float rest1, float beta2, float rest2, float eps, float decay, int decoupled)
{
    long i = (long)get_global_id(0) * VEC;
    float rate = schedule[0];
    floatv t = hf_load_at(theta, i, n), g = schedule[3] * hf_load_at(gradient, i, n);
    if (decoupled)
        t -= rate * decay * t;
    else
        g += decay * t;
    floatv first = beta1 * hf_load_at(m, i, n) + rest1 * g;
    floatv second = beta2 * hf_load_at(v, i, n) + rest2 * g * g;
    t -= rate * (first / schedule[1]) / (sqrt(second / schedule[2]) + eps);
    hf_store_at(t, new_theta, i, n);
    hf_store_at(first, new_m, i, n);
    hf_store_at(second, new_v, i, n);
}

HF_GROUP(WG)
kernel void sgd(global const float *theta, global const float *gradient, global const float *m,
                global const float *schedule, global float *new_theta, global float *new_m, long n, float momentum,
                float decay)
{
    long i = (long)get_global_id(0) * VEC;
    floatv t = hf_load_at(theta, i, n);
    floatv g = schedule[3] * hf_load_at(gradient, i, n) + decay * t;
    floatv velocity = momentum * hf_load_at(m, i, n) + g;
    hf_store_at(t - schedule[0] * velocity, new_theta, i, n);
    hf_store_at(velocity, new_m, i, n);
}

/* One work-item a chunk. */
HF_GROUP(WG)
kernel void squares(global const float *gradient, global float *partial, long n)
{
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, n);
    if (start >= n) return;
    floatv sum = 0.0f;
    for (long i = start; i < end; i += VEC) {
        floatv g = hf_load_at(gradient, i, end);
        sum += g * g;
    }
    partial[get_global_id(0)] = hf_sum_lanes(sum);
}

/* A norm that is not a number stays one in the factor, so that it is noticed. */
HF_GROUP(1)
kernel void clip(global const float *partial, global const float *schedule, global float *new_schedule, long chunks,
                 float limit)
{
    float factor = schedule[3];
    float norm = sqrt(hf_sum_partial(partial, chunks));
    float part = limit / (fabs(factor) * norm + 1e-6f);
    for (int k = 0; k < 8; k++)
        new_schedule[k] = schedule[k];
    new_schedule[3] = part >= 1.0f ? factor : factor * part;
}
