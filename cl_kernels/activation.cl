/* activation.cl: elementwise functions of a tensor and their gradients, and softmax over the rows of a matrix.
 *
 *     relu     y = max(x, 0)                     dx = y > 0 ? dy : 0
 *     prelu    y = x > 0 ? x : slope x           dx = x > 0 ? dy : slope dy,  dslope = sum over x <= 0 of x dy
 *     sigmoid  y = 1 / (1 + exp(-x))             dx = y (1 - y) dy
 *     tanh     y = tanh(x)                       dx = (1 - y^2) dy
 *     softmax  y[n,f] = exp(x[n,f] - m) / sum_g exp(x[n,g] - m), m the row's maximum
 *              dx[n,f] = y[n,f] (dy[n,f] - sum_g y[n,g] dy[n,g])
 *
 * n elements; one work-item takes VEC (see common.h). Not-a-number passes through. Functions with f(0) = 0 may run over
 * a blocked tensor too, since its padding stays zero.
 *
 * WG     work-items in a group (default 64; any)
 * CHUNK  elements of one partial sum of dslope (default 2048; any multiple of VEC) */
#include "common.h"

#ifndef WG
#define WG 64
#endif
#ifndef CHUNK
#define CHUNK 2048
#endif

HF_GROUP(WG) kernel void relu(global const float *x, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv v = hf_load_at(x, i, n);
    hf_store_at(v <= 0.0f ? (floatv)(0.0f) : v, y, i, n);
}

HF_GROUP(WG) kernel void relu_dx(global const float *y, global const float *dy, global float *dx, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv gradient = hf_load_at(dy, i, n);
    hf_store_at(hf_load_at(y, i, n) > 0.0f ? gradient : (floatv)(0.0f), dx, i, n);
}

HF_GROUP(WG) kernel void prelu(global const float *x, global const float *slope, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv v = hf_load_at(x, i, n);
    hf_store_at(v > 0.0f ? v : slope[0] * v, y, i, n);
}

HF_GROUP(WG)
kernel void prelu_dx(global const float *x, global const float *slope, global const float *dy, global float *dx, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv gradient = hf_load_at(dy, i, n);
    hf_store_at(hf_load_at(x, i, n) > 0.0f ? gradient : slope[0] * gradient, dx, i, n);
}

/* partial[k] = the sum over elements k CHUNK ... (k+1) CHUNK - 1 */
HF_GROUP(WG)
kernel void prelu_dslope_partial(global const float *x, global const float *dy, global float *partial, long n)
{
    long start = (long)get_global_id(0) * CHUNK, end = min(start + CHUNK, n);
    if (start >= n) return;
    hf_lanes sum;
    sum.vector = (floatv)(0.0f);
    for (long i = start; i < end; i += VEC) {
        floatv v = hf_load_at(x, i, end);
        sum.vector += v > 0.0f ? (floatv)(0.0f) : v * hf_load_at(dy, i, end);
    }
    float total = 0.0f;
    for (int k = 0; k < VEC; k++)
        total += sum.element[k];
    partial[get_global_id(0)] = total;
}

/* One work-item. */
HF_GROUP(1) kernel void prelu_dslope(global const float *partial, global float *dslope, long count)
{
    float sum = 0.0f, carry = 0.0f;
    for (long k = 0; k < count; k++)
        hf_add(&sum, &carry, partial[k]);
    dslope[0] = sum;
}

HF_GROUP(WG) kernel void sigmoid(global const float *x, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    hf_store_at(1.0f / (1.0f + exp(-hf_load_at(x, i, n))), y, i, n);
}

HF_GROUP(WG) kernel void sigmoid_dx(global const float *y, global const float *dy, global float *dx, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv v = hf_load_at(y, i, n);
    hf_store_at(v * (1.0f - v) * hf_load_at(dy, i, n), dx, i, n);
}

/* `tanh` is the function's name in OpenCL C. */
HF_GROUP(WG) kernel void tanh_forward(global const float *x, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    hf_store_at(tanh(hf_load_at(x, i, n)), y, i, n);
}

HF_GROUP(WG) kernel void tanh_dx(global const float *y, global const float *dy, global float *dx, long n)
{
    long i = (long)get_global_id(0) * VEC;
    floatv v = hf_load_at(y, i, n);
    hf_store_at((1.0f - v) * (1.0f + v) * hf_load_at(dy, i, n), dx, i, n);
}

/* One work-item a row of F elements. */
HF_GROUP(WG) kernel void softmax(global const float *x, global float *y, int rows, int features)
{
    int row = (int)get_global_id(0);
    if (row >= rows) return;
    x += (size_t)row * features;
    y += (size_t)row * features;
    float largest = x[0];
    for (int f = 1; f < features; f++)
        largest = x[f] > largest ? x[f] : largest;
    float sum = 0.0f;
    for (int f = 0; f < features; f++)
        sum += exp(x[f] - largest);
    for (int f = 0; f < features; f++)
        y[f] = exp(x[f] - largest) / sum;
}

HF_GROUP(WG)
kernel void softmax_dx(global const float *y, global const float *dy, global float *dx, int rows, int features)
{
    int row = (int)get_global_id(0);
    if (row >= rows) return;
    y += (size_t)row * features;
    dy += (size_t)row * features;
    dx += (size_t)row * features;
    float sum = 0.0f;
    for (int f = 0; f < features; f++)
        sum += y[f] * dy[f];
    for (int f = 0; f < features; f++)
        dx[f] = y[f] * (dy[f] - sum);
}
