/* transpose.h: a square of 16 vectors turned over its diagonal. Included by name, as common.h. */
#ifndef HF_TRANSPOSE_H
#define HF_TRANSPOSE_H

/* One step exchanges, between vectors `far` apart, blocks of that many elements: the low halves of both in the first,
 * the high halves in the second. */
#define HF_EXCHANGE(far, low, high)                                                                                    \
    _Pragma("unroll") for (int k = 0; k < 16; ++k)                                                                     \
    {                                                                                                                  \
        if (k & (far)) continue;                                                                                       \
        const float16 a = v[k], b = v[k + (far)];                                                                      \
        v[k] = low;                                                                                                    \
        v[k + (far)] = high;                                                                                           \
    }

/* Element j of vector i becomes element i of vector j. */
HF_INLINE void hf_transpose16(float16 v[16]){
    HF_EXCHANGE(
        1, ((float16)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6, a.s8, b.s8, a.sa, b.sa, a.sc, b.sc, a.se, b.se)),
        ((float16)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7, a.s9, b.s9, a.sb, b.sb, a.sd, b.sd, a.sf,
                   b.sf))) HF_EXCHANGE(2, ((float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)),
                                       ((float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)))

        HF_EXCHANGE(4, ((float16)(a.s0123, b.s0123, a.s89ab, b.s89ab)), ((float16)(a.s4567, b.s4567, a.scdef, b.scdef)))

            HF_EXCHANGE(8, ((float16)(a.lo, b.lo)), ((float16)(a.hi, b.hi)))

}

/* Writes the first elements of the first vectors as rows of memory, `stride` apart: `rows` rows of `columns` elements,
 * or 16 where there are more. */
HF_INLINE void hf_store_rows(const float16 v[16], global float *to, size_t stride, int rows, int columns)
{
    if (rows >= 16 && columns >= 16) {
#pragma unroll
        for (int k = 0; k < 16; ++k)
            vstore16(v[k], 0, to + k * stride);
        return;
    }
    const float *element = (const float *)v;
    for (int k = 0; k < min(rows, 16); ++k)
        for (int i = 0; i < min(columns, 16); ++i)
            to[k * stride + i] = element[16 * k + i];
}

#endif
