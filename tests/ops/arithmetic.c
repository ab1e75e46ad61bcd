/* Tests of lib/ops/arithmetic.c. One rounding a result. */
#include "each.h"

static int one_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[0] = hf_case_tensor(test_case);
    params->scale = 0.5f * (float)hf_case_get(test_case, 'g', 3);
    return 1;
}

static int two_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[1] = hf_case_tensor(test_case);
    return 1 + one_setup(test_case, params, in);
}

static void scale_draw(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    hf_case_set(test_case, 'g', hf_draw_int(draw, 1, 9));
}

static void add_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                          double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        out_values[0][i] = in_values[0][i] + in_values[1][i];
        bound[0][i] = HF_UNIT * fabs(out_values[0][i]) + TINY;
    }
}

static void multiply_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                               double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        out_values[0][i] = in_values[0][i] * in_values[1][i];
        bound[0][i] = HF_UNIT * fabs(out_values[0][i]) + TINY;
    }
}

static void copy_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)params, (void)in, (void)bound;
    memcpy(out_values[0], in_values[0], (size_t)hf_count(&out[0]) * sizeof(double));
}

static void scale_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        out_values[0][i] = (double)params->scale * in_values[0][i];
        bound[0][i] = HF_UNIT * fabs(out_values[0][i]) + TINY;
    }
}

static const char *const cases[] = { "n1c1", "n2c3_d4h5w6", "n3c17_d5h6w7", "n1c16_d43h58w47", NULL };

HF_OP_TESTS(arithmetic) = {
    { "add", cases, true, two_setup, hf_draw_tensor, NULL, add_reference },
    { "multiply", cases, true, two_setup, hf_draw_tensor, NULL, multiply_reference },
    { "copy", cases, true, one_setup, hf_draw_tensor, NULL, copy_reference },
    { "scale", cases, true, one_setup, scale_draw, NULL, scale_reference },
    { 0 },
};
