/* each.h: what the tests of elementwise and per-channel operators share: operand shapes from case letters, draws, and the
 * pieces that error bounds are made of.
 *
 * Bounds start from the OpenCL 1.2 full profile: + - * are rounded once; x / y is within 2.5 units in the last place,
 * sqrt 3, exp 3, log 3, tanh 5; a unit in the last place is at most 2^-23 of the value. Second-order terms are covered by
 * the factor MORE, subnormal numbers that a device may flush to zero by TINY. */
#ifndef HF_TESTS_EACH_H
#define HF_TESTS_EACH_H

#include "driver.h"

#include <math.h>
#include <string.h>

#define ULPS(n) ((n)*2.0 * HF_UNIT) /* relative error of a result within n units in the last place */
#define DIVIDE  ULPS(2.5)
#define ROOT    ULPS(3)
#define EXP     ULPS(3)
#define LOG     ULPS(3)
#define TANH    ULPS(5)
#define MORE    1.01
#define TINY    1e-36

/* [N,C,D,H,W]; [N,C] when the case has no d. */
static inline hf_desc hf_case_tensor(const hf_case *test_case)
{
    const char letters[] = "ncdhw";
    hf_desc desc = { .shape = { .rank = hf_case_get(test_case, 'd', 0) ? 5 : 2 } };
    for (int i = 0; i < desc.shape.rank; i++)
        desc.shape.dim[i] = hf_case_get(test_case, letters[i], 1);
    return desc;
}

static inline hf_desc hf_vector(int64_t count)
{
    return (hf_desc){ .shape = { 1, { count } } };
}

static inline hf_desc hf_matrix(int64_t rows, int64_t columns)
{
    return (hf_desc){ .shape = { 2, { rows, columns } } };
}

/* A volume whose channels miss, meet and pass the block of 16. */
static inline void hf_draw_volume(hf_case *test_case, hf_draw *draw)
{
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 3));
    hf_case_set(test_case, 'c', hf_draw_int(draw, 0, 4) ? hf_draw_int(draw, 1, 19) : 16 * hf_draw_int(draw, 1, 2));
    hf_case_set(test_case, 'd', hf_draw_int(draw, 1, 5));
    hf_case_set(test_case, 'h', hf_draw_int(draw, 1, 6));
    hf_case_set(test_case, 'w', hf_draw_int(draw, 0, 5) ? hf_draw_int(draw, 1, 9) : hf_draw_int(draw, 10, 40));
}

/* A volume, or sometimes a matrix. */
static inline void hf_draw_tensor(hf_case *test_case, hf_draw *draw)
{
    hf_draw_volume(test_case, draw);
    if (hf_draw_int(draw, 0, 3)) return;
    *test_case = (hf_case){ 0 };
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 9));
    hf_case_set(test_case, 'c', hf_draw_int(draw, 1, 70));
}

/* Either sign, at least 0.01 from zero. */
static inline double hf_draw_off_zero(hf_draw *draw)
{
    const double size = hf_draw_real(draw, 0.01, 1);
    return hf_draw_int(draw, 0, 1) ? size : -size;
}

/* Reals of one range. */
static inline bool hf_fill_range(double *values, int64_t count, hf_draw *draw, double low, double high)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = hf_draw_real(draw, low, high);
    return true;
}

/* N, C and voxels of [N,C,...]. */
typedef struct hf_extent {
    int64_t n, c, v;
} hf_extent;

static inline hf_extent hf_extent_of(const hf_desc *desc)
{
    hf_extent extent = { desc->shape.dim[0], desc->shape.dim[1], 1 };
    for (int i = 2; i < desc->shape.rank; i++)
        extent.v *= desc->shape.dim[i];
    return extent;
}

#endif
