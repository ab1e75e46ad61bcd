/* outer.cl: the outer product of two vectors a sample, and its gradients, written like the formulas.
 *
 *   z[n,i,j]   = x[n,i] * e[n,j]
 *   dx[n,i]    = sum over j of dz[n,i,j] * e[n,j]
 *   de[n,j]    = sum over i of dz[n,i,j] * x[n,i]
 *
 * One work-item computes one element where nothing else is said.
 *
 * WG  64  work-items in a group, any */
#include "common.h"

#ifndef WG
#define WG 64
#endif

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

/* Both gradients: element (k,n) of a sample's dz lies at k k_stride + n n_stride, and factor is e or x. */
HF_GROUP(WG)
kernel void outer_gradient_plain(global const float *dz, global const float *factor, global float *result, long count,
                                 int width, int terms, int k_stride, int n_stride)
{
    size_t at = get_global_id(0);
    if (at >= (size_t)count) return;
    size_t sample = at / width, n = at % width;
    dz += sample * width * terms + n * n_stride;
    factor += sample * terms;
    float sum = 0.0f;
    for (int k = 0; k < terms; k++)
        sum += dz[(size_t)k * k_stride] * factor[k];
    result[at] = sum;
}
