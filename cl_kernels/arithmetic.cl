/* arithmetic.cl: y = a + b,  y = a b,  y = factor x, element by element.
 *
 * n elements; one work-item takes VEC (see common.h). All map zeros to zero, so blocked tensors go through as they lie.
 *
 * WG  work-items in a group (default 64; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif

HF_GROUP(WG) kernel void add(global const float *a, global const float *b, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    hf_store_at(hf_load_at(a, i, n) + hf_load_at(b, i, n), y, i, n);
}

HF_GROUP(WG) kernel void multiply(global const float *a, global const float *b, global float *y, long n)
{
    long i = (long)get_global_id(0) * VEC;
    hf_store_at(hf_load_at(a, i, n) * hf_load_at(b, i, n), y, i, n);
}

HF_GROUP(WG) kernel void scale(global const float *x, global float *y, long n, float factor)
{
    long i = (long)get_global_id(0) * VEC;
    hf_store_at(factor * hf_load_at(x, i, n), y, i, n);
}
