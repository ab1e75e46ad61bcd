/* Tests of lib/ops/shape.c. Every result must be exact. */
#include "each.h"

static void copy_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)params, (void)in, (void)bound;
    memcpy(out_values[0], in_values[0], (size_t)hf_count(&out[0]) * sizeof(double));
}

/* ---- reshape, convert -------------------------------------------------------------------------------------------- */

static int reshape_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[0] = hf_case_tensor(test_case);
    const int64_t count = hf_count(&in[0]);
    params->shape = hf_case_get(test_case, 'k', 0) ? hf_vector(count).shape
                                                   : hf_matrix(in[0].shape.dim[0], count / in[0].shape.dim[0]).shape;
    return 1;
}

static void reshape_draw(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    hf_case_set(test_case, 'k', hf_draw_int(draw, 0, 1));
}

static int convert_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = hf_case_tensor(test_case);
    return 1;
}

/* ---- concat, slice, pad_slice ------------------------------------------------------------------------------------ */

/* Elements before, along and behind an axis. */
static void split(const hf_shape *shape, int axis, int64_t *before, int64_t *behind)
{
    *before = *behind = 1;
    for (int i = 0; i < shape->rank; i++)
        if (i != axis) *(i < axis ? before : behind) *= shape->dim[i];
}

/* Copies a part of `whole` that starts at index `first` along the axis, or the other way round. */
static void move(double *part, const hf_shape *part_shape, double *whole, const hf_shape *whole_shape, int axis,
                 int64_t first, bool to_whole)
{
    int64_t before, behind;
    split(part_shape, axis, &before, &behind);
    const int64_t along = part_shape->dim[axis], all = whole_shape->dim[axis];
    for (int64_t a = 0; a < before; a++)
        for (int64_t i = 0; i < along; i++)
            for (int64_t b = 0; b < behind; b++) {
                double *small = &part[(a * along + i) * behind + b];
                double *large = &whole[(a * all + first + i) * behind + b];
                *(to_whole ? large : small) = *(to_whole ? small : large);
            }
}

static int64_t concat_size(const hf_case *test_case, int operand)
{
    return 1 + (3 * operand + hf_case_get(test_case, 'x', 0)) % 5;
}

/* k operands of [n,c,w], their sizes along axis a set by x. */
static int concat_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    const int count = hf_case_get(test_case, 'k', 1);
    params->axis = hf_case_get(test_case, 'a', 0);
    for (int i = 0; i < count; i++) {
        in[i].shape = hf_shape_of((const int64_t[]){ hf_case_get(test_case, 'n', 1), hf_case_get(test_case, 'c', 1),
                                                     hf_case_get(test_case, 'w', 1), 0 });
        in[i].shape.dim[params->axis] = concat_size(test_case, i);
    }
    return count;
}

static void concat_draw(hf_case *test_case, hf_draw *draw)
{
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 5));
    hf_case_set(test_case, 'c', hf_draw_int(draw, 1, 9));
    hf_case_set(test_case, 'w', hf_draw_int(draw, 1, 40));
    hf_case_set(test_case, 'k', hf_draw_int(draw, 1, 8));
    hf_case_set(test_case, 'a', hf_draw_int(draw, 0, 2));
    hf_case_set(test_case, 'x', hf_draw_int(draw, 0, 4));
}

static void concat_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                             double *const *out_values, double *const *bound)
{
    (void)bound;
    int64_t first = 0;
    for (int i = 0; i < 8 && in[i].shape.rank; i++) {
        move(in_values[i], &in[i].shape, out_values[0], &out[0].shape, params->axis, first, true);
        first += in[i].shape.dim[params->axis];
    }
}

/* A volume and i elements from index o on along axis a; for pad_slice the part is the operand. */
static int cut(const hf_case *test_case, hf_params *params, hf_desc *in, bool pad)
{
    hf_desc whole = hf_case_tensor(test_case), part = whole;
    params->axis = hf_case_get(test_case, 'a', 0);
    params->kernel = hf_case_get(test_case, 'o', 0);
    part.shape.dim[params->axis] = hf_case_get(test_case, 'i', 1);
    params->shape = pad ? whole.shape : part.shape;
    in[0] = pad ? part : whole;
    return 1;
}

static int slice_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    return cut(test_case, params, in, false);
}

static int pad_slice_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    return cut(test_case, params, in, true);
}

static void slice_draw(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    const hf_desc whole = hf_case_tensor(test_case);
    const int axis = hf_draw_int(draw, 0, whole.shape.rank - 1), along = (int)whole.shape.dim[axis];
    const int size = hf_draw_int(draw, 1, along);
    hf_case_set(test_case, 'a', axis);
    hf_case_set(test_case, 'i', size);
    hf_case_set(test_case, 'o', hf_draw_int(draw, 0, along - size));
}

static void slice_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)bound;
    move(out_values[0], &out[0].shape, in_values[0], &in[0].shape, params->axis, params->kernel, false);
}

static void pad_slice_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                const hf_desc *out, double *const *out_values, double *const *bound)
{
    (void)bound;
    move(in_values[0], &in[0].shape, out_values[0], &out[0].shape, params->axis, params->kernel, true);
}

static const char *const reshape_cases[] = { "n2c3_d4h5w6", "n2c64_d7h11w8", NULL };
static const char *const convert_cases[] = { "n2c16_d9h10w11", "n1c1_d3h4w5", "n2c33_d5h6w7", "n1c16_d43h58w47", NULL };
static const char *const concat_cases[] = { "n4c5w16_k3a1", "n1c1w1_k8a2x3", "n2c3w17_k2a0", NULL };
static const char *const slice_cases[] = { "n3c20_o4i16a1", "n2c3_d4h5w6_o1i2a4", "n2c17_d4h5w6_o16i1a1", NULL };

HF_OP_TESTS(shape) = {
    { "reshape", reshape_cases, true, reshape_setup, reshape_draw, NULL, copy_reference },
    { "concat", concat_cases, true, concat_setup, concat_draw, NULL, concat_reference },
    { "slice", slice_cases, true, slice_setup, slice_draw, NULL, slice_reference },
    { "pad_slice", slice_cases, true, pad_slice_setup, slice_draw, NULL, pad_slice_reference },
    { "convert", convert_cases, true, convert_setup, hf_draw_volume, NULL, copy_reference },
    { 0 },
};
