/* matrix_probe.cl: one product by matrix units, whose result the host knows; see lib/cl/matrix.c. */
#include "common.h"

#define WG 32
#include "matrix.h"

/* c[16][8] = a b of a[i][k] = 4097 + 8 i + k, which has more bits than the units take, and b[k][n] = k - n. */
HF_GROUP(WG)
kernel void matrix_probe(global float *c)
{
    MATRIX_MEMORY
    int g = (int)get_local_id(0) / 4, j = (int)get_local_id(0) % 4, first = 4097 + 8 * g + j;
    float4 sum = (float4)(0.0f);
    multiply_matrix((float4)(first, first + 64, first + 4, first + 68), (float2)(j - g, j + 4 - g), &sum MATRIX_ARGS);
    c[g * 8 + 2 * j] = sum.s0;
    c[g * 8 + 2 * j + 1] = sum.s1;
    c[(g + 8) * 8 + 2 * j] = sum.s2;
    c[(g + 8) * 8 + 2 * j + 1] = sum.s3;
}
