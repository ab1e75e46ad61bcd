/* common.h: what several kernels share. Included by name; the build embeds it into the source of each program. */
#ifndef HF_COMMON_H
#define HF_COMMON_H

/* Channels in one block of the blocked layout. */
#define HF_BLOCK 16

/* States the size of a kernel's groups: HF_GROUP(WG) kernel void name(...) */
#define HF_GROUP(items) __attribute__((reqd_work_group_size(items, 1, 1)))

/* Part of the kernels that call it whatever its size: outside of kernels PoCL's compiler halves the widest vectors. */
#define HF_INLINE __attribute__((always_inline))

/* Asks for the cache line at a global pointer, which may lie anywhere. Not all compilers know a way. */
#ifdef __has_builtin
#if __has_builtin(__builtin_prefetch)
#define HF_PREFETCH(p) __builtin_prefetch((const global void *)(p))
#endif
#endif
#ifndef HF_PREFETCH
#define HF_PREFETCH(p) (void)(p)
#endif

/* Floats in a vector of the elementwise kernels: 16 suits CPUs, 4 suits GPUs. Legal: 2, 4, 8, 16. */
#ifndef VEC
#define VEC 16
#endif
#define HF_PASTE_(a, b) a##b
#define HF_PASTE(a, b)  HF_PASTE_(a, b)
#define floatv          HF_PASTE(float, VEC)
#define intv            HF_PASTE(int, VEC)
#define as_intv         HF_PASTE(as_int, VEC)
#define vloadv          HF_PASTE(vload, VEC)
#define vstorev         HF_PASTE(vstore, VEC)

/* VEC floats from p, of which `left` exist; the others are zero and are not read. left may be 0 or less. */
floatv hf_load(global const float *p, long left)
{
    if (left >= VEC) return vloadv(0, p);
    union {
        floatv vector;
        float element[VEC];
    } part;
    part.vector = (floatv)(0.0f);
    for (int k = 0; k < left; k++)
        part.element[k] = p[k];
    return part.vector;
}

/* Writes the first `left` of VEC floats to p. */
void hf_store(floatv value, global float *p, long left)
{
    if (left >= VEC) {
        vstorev(value, 0, p);
        return;
    }
    union {
        floatv vector;
        float element[VEC];
    } part;
    part.vector = value;
    for (int k = 0; k < left; k++)
        p[k] = part.element[k];
}

/* The parameters of one channel block: 16 floats from p, of which `left` exist; zero in the padding channels. */
float16 hf_load_channels(global const float *p, int left)
{
    if (left >= HF_BLOCK) return vload16(0, p);
    union {
        float16 vector;
        float element[HF_BLOCK];
    } part;
    part.vector = (float16)(0.0f);
    for (int k = 0; k < left; k++)
        part.element[k] = p[k];
    return part.vector;
}

/* sum += term with the rounding error carried along (Kahan), so that the error of a long sum does not grow with its
 * length. The pair starts as (0, 0) and its value is *sum. */
void hf_add(float *sum, float *carry, float term)
{
    float corrected = term - *carry;
    float next = *sum + corrected;
    *carry = (next - *sum) - corrected;
    *sum = next;
}

#endif
