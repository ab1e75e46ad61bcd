/* matrix.h: what tests of operators on matrices share. */
#ifndef HF_TESTS_MATRIX_H
#define HF_TESTS_MATRIX_H

#include "driver.h"

#include <math.h>

#define DENORMAL 1e-38 /* results that small may be flushed to zero */

static inline hf_desc hf_matrix(int rows, int columns)
{
    return (hf_desc){ .shape = HF_SHAPE(rows, columns), .type = HF_F32, .layout = HF_PLAIN };
}

/* A length: 1, about a vector, about two, or anything up to `most`. */
static inline int hf_draw_length(hf_draw *d, int most)
{
    static const int edges[] = { 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65 };
    int length = hf_draw_int(d, 0, 2) ? edges[hf_draw_int(d, 0, 13)] : hf_draw_int(d, 1, most);
    return length < most ? length : most;
}

/* result[at] and the sum of magnitudes that will become its bound, of `count` products a[k*a_step] * b[k*b_step]. */
static inline void hf_dot(double *result, double *bound, const double *a, int64_t a_step, const double *b,
                          int64_t b_step, int64_t count)
{
    double sum = 0, size = 0;
    for (int64_t k = 0; k < count; k++) {
        double product = a[k * a_step] * b[k * b_step];
        sum += product;
        size += fabs(product);
    }
    *result = sum;
    *bound = hf_gamma((double)count + 2) * size + DENORMAL;
}

#endif
