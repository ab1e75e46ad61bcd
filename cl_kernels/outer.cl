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
