/* Tests of lib/ops/channel_affine.c. */
#include "each.h"

/* Letters a and b for scale and shift: 0 absent, 1 shared, 2 of each sample. */
static hf_desc parameter(const hf_case *test_case, char letter)
{
    const int kind = hf_case_get(test_case, letter, 0);
    const int n = hf_case_get(test_case, 'n', 1), c = hf_case_get(test_case, 'c', 1);
    return kind == 0 ? (hf_desc){ 0 } : kind == 1 ? hf_vector(c) : hf_matrix(n, c);
}

static int setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = hf_case_tensor(test_case);
    in[1] = parameter(test_case, 'a');
    in[2] = parameter(test_case, 'b');
    return in[2].shape.rank ? 3 : in[1].shape.rank ? 2 : 1;
}

static int dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = hf_case_tensor(test_case);
    in[1] = parameter(test_case, 'a');
    return in[1].shape.rank ? 2 : 1;
}

static int dshift_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    params->per_sample = hf_case_get(test_case, 'a', 0) == 2;
    in[0] = hf_case_tensor(test_case);
    return 1;
}

static int dscale_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    dshift_setup(test_case, params, in);
    in[1] = in[0];
    return 2;
}

static void draw_case(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    hf_case_set(test_case, 'a', hf_draw_int(draw, 0, 2));
    hf_case_set(test_case, 'b', hf_draw_int(draw, 0, 2));
}

/* The parameter of row n C + c. */
static double parameter_of(const hf_desc *desc, const double *values, int64_t row, int64_t channels, double absent)
{
    if (!desc->shape.rank) return absent;
    return values[desc->shape.rank == 2 ? row : row % channels];
}

/* A product and a sum. */
static void reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                      double *const *out_values, double *const *bound)
{
    (void)params;
    const hf_extent extent = hf_extent_of(&out[0]);
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        const int64_t row = i / extent.v;
        const double product = in_values[0][i] * parameter_of(&in[1], in_values[1], row, extent.c, 1);
        const double shift = parameter_of(&in[2], in_values[2], row, extent.c, 0);
        out_values[0][i] = product + shift;
        bound[0][i] = hf_gamma(2) * (fabs(product) + fabs(shift)) + TINY;
    }
}

/* Sums of x dy, or of dy when there is only that. */
static void sum_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                          double *const *out_values, double *const *bound)
{
    const hf_extent extent = hf_extent_of(&in[0]);
    const double gamma = hf_gamma((double)(extent.v * extent.n) + 1);
    memset(out_values[0], 0, (size_t)hf_count(&out[0]) * sizeof(double));
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const int64_t row = i / extent.v, at = params->per_sample ? row : row % extent.c;
        const double term = in_values[0][i] * (in[1].shape.rank ? in_values[1][i] : 1);
        out_values[0][at] += term;
        bound[0][at] += gamma * fabs(term) + TINY;
    }
}

static const char *const cases[] = {
    "n1c1", "n4c7_a2b2", "n2c3_d4h5w6_a1b2", "n2c17_d9h10w11_a2b1", "n2c16_d3h3w3_b1", "n1c16_d43h58w47_a2b2", NULL
};

HF_OP_TESTS(channel_affine) = {
    { "channel_affine", cases, true, setup, draw_case, NULL, reference },
    { "channel_affine_dx", cases, true, dx_setup, draw_case, NULL, reference },
    { "channel_affine_dscale", cases, true, dscale_setup, draw_case, NULL, sum_reference },
    { "channel_affine_dshift", cases, true, dshift_setup, draw_case, NULL, sum_reference },
    { 0 },
};
