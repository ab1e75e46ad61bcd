/* sum.h: long sums in two steps that always add in the same order: a work-item sums a chunk of elements, one sums what they
 * found with the rounding error carried along (hf_add in common.h). Included behind common.h.
 *
 * CHUNK  elements of one partial sum (default 512; any multiple of VEC) */
#ifndef HF_SUM_H
#define HF_SUM_H

#ifndef CHUNK
#define CHUNK 512
#endif

float hf_sum_lanes(floatv value)
{
    hf_lanes lanes;
    lanes.vector = value;
    float sum = 0.0f;
    for (int k = 0; k < VEC; k++)
        sum += lanes.element[k];
    return sum;
}

float hf_sum_partial(global const float *partial, long chunks)
{
    float sum = 0.0f, carry = 0.0f;
    for (long k = 0; k < chunks; k++)
        hf_add(&sum, &carry, partial[k]);
    return sum;
}

#endif
