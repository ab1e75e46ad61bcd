/* loss.cl: losses over a batch and their gradients.
 *
 *     softmax cross-entropy, z[N,F], labels t[N], class weights w[F] (1 when absent), W = sum_n w[t_n]:
 *         p[n,f] = exp(z[n,f] - m_n) / s_n,  m_n = max_f z[n,f],  s_n = sum_f exp(z[n,f] - m_n)
 *         loss = sum_n w[t_n] (log s_n - (z[n,t_n] - m_n)) / W
 *         dz[n,f] = dloss w[t_n] / W (p[n,f] - [f == t_n])
 *     mse  loss = mean of (x - target)^2,  dx = dloss 2 (x - target) / n
 *     l1   loss = mean of |x - target|,    dx = dloss sign(x - target) / n, sign(0) = 0
 *
 * A label outside 0..F-1 has not-a-number for a weight, so it makes the loss and the gradients not-a-number.
 *
 * WG  work-items in a group (default 64; any) */
#include "common.h"
#include "sum.h"

#ifndef WG
#define WG 64
#endif

float weight_of(global const float *weights, int has_weights, int label, int classes)
{
    if (label < 0 || label >= classes) return NAN;
    return has_weights ? weights[label] : 1.0f;
}

/* One work-item a sample; partial[n] = w (log s - (z - m)), partial[samples + n] = w. */
HF_GROUP(WG)
kernel void cross_entropy_rows(global const float *logits, global const int *label, global const float *weights,
                               global float *probability, global float *partial, int samples, int classes,
                               int has_weights)
{
    int n = (int)get_global_id(0);
    if (n >= samples) return;
    logits += (size_t)n * classes;
    probability += (size_t)n * classes;
    float largest = logits[0], sum = 0.0f;
    for (int f = 1; f < classes; f++)
        largest = logits[f] > largest ? logits[f] : largest;
    for (int f = 0; f < classes; f++)
        sum += exp(logits[f] - largest);
    for (int f = 0; f < classes; f++)
        probability[f] = exp(logits[f] - largest) / sum;
    float weight = weight_of(weights, has_weights, label[n], classes);
    int chosen = clamp(label[n], 0, classes - 1);
    partial[n] = weight * (log(sum) - (logits[chosen] - largest));
    partial[samples + n] = weight;
}

HF_GROUP(1) kernel void cross_entropy(global const float *partial, global float *loss, int samples)
{
    float sum = 0.0f, carry = 0.0f, weights = 0.0f, weights_carry = 0.0f;
    for (int n = 0; n < samples; n++) {
        hf_add(&sum, &carry, partial[n]);
        hf_add(&weights, &weights_carry, partial[samples + n]);
    }
    loss[0] = sum / weights;
}

/* sum[0] = W */
HF_GROUP(1)
kernel void sum_weights(global const int *label, global const float *weights, global float *sum, int samples,
                        int classes, int has_weights)
{
    float total = 0.0f, carry = 0.0f;
    for (int n = 0; n < samples; n++)
        hf_add(&total, &carry, weight_of(weights, has_weights, label[n], classes));
    sum[0] = total;
}

HF_GROUP(WG)
kernel void cross_entropy_dx(global const float *probability, global const int *label, global const float *weights,
                             global const float *dloss, global const float *sum, global float *dlogits, int samples,
                             int classes, int has_weights)
{
    int n = (int)get_global_id(0);
    if (n >= samples) return;
    float factor = dloss[0] * (weight_of(weights, has_weights, label[n], classes) / sum[0]);
    for (int f = 0; f < classes; f++) {
        size_t at = (size_t)n * classes + f;
        dlogits[at] = factor * (f == label[n] ? probability[at] - 1.0f : probability[at]);
    }
}

/* ---- regression -------------------------------------------------------------------------------------------------- */

/* One work-item a chunk. */
HF_GROUP(WG)
kernel void mse_partial(global const float *x, global const float *target, global float *partial, long n)
{
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, n);
    if (start >= n) return;
    floatv sum = 0.0f;
    for (long i = start; i < end; i += VEC) {
        floatv d = hf_load_at(x, i, end) - hf_load_at(target, i, end);
        sum += d * d;
    }
    partial[get_global_id(0)] = hf_sum_lanes(sum);
}

HF_GROUP(WG)
kernel void l1_partial(global const float *x, global const float *target, global float *partial, long n)
{
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, n);
    if (start >= n) return;
    floatv sum = 0.0f;
    for (long i = start; i < end; i += VEC)
        sum += fabs(hf_load_at(x, i, end) - hf_load_at(target, i, end));
    partial[get_global_id(0)] = hf_sum_lanes(sum);
}

HF_GROUP(1) kernel void mean_of_partial(global const float *partial, global float *loss, long chunks, long n)
{
    loss[0] = hf_sum_partial(partial, chunks) / n;
}

HF_GROUP(WG)
kernel void mse_dx(global const float *x, global const float *target, global const float *dloss, global float *dx,
                   long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv d = hf_load_at(x, i, n) - hf_load_at(target, i, n);
    hf_store_at(d * (2.0f * dloss[0] / n), dx, i, n);
}

/* Every difference that compares neither above nor below keeps itself: 0, or not-a-number. */
HF_GROUP(WG)
kernel void l1_dx(global const float *x, global const float *target, global const float *dloss, global float *dx,
                  long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv d = hf_load_at(x, i, n) - hf_load_at(target, i, n);
    floatv sign = d > 0.0f ? (floatv)(1.0f) : d < 0.0f ? (floatv)(-1.0f) : d;
    hf_store_at(sign * (dloss[0] / n), dx, i, n);
}
