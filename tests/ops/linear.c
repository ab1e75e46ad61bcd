/* linear.c: the linear layer and its gradients against their formulas in double.
 *
 * Letters: n samples, i inputs, o outputs, m 1: weights and bias a sample, b 0: no bias, r 1: ReLU. Gradient operators
 * take the case of the layer they belong to. */
#include "matrix.h"

static hf_desc x_desc(const hf_case *t)
{
    return hf_matrix(hf_case_get(t, 'n', 1), hf_case_get(t, 'i', 1));
}

static hf_desc y_desc(const hf_case *t)
{
    return hf_matrix(hf_case_get(t, 'n', 1), hf_case_get(t, 'o', 1));
}

static hf_desc w_desc(const hf_case *t)
{
    hf_desc w = hf_matrix(hf_case_get(t, 'o', 1), hf_case_get(t, 'i', 1));
    if (hf_case_get(t, 'm', 0)) w.shape = HF_SHAPE(hf_case_get(t, 'n', 1), w.shape.dim[0], w.shape.dim[1]);
    return w;
}

static int setup(const hf_case *t, hf_params *params, hf_desc *in)
{
    *params = (hf_params){ .activation = hf_case_get(t, 'r', 0) ? HF_RELU : HF_LINEAR };
    in[0] = x_desc(t);
    in[1] = w_desc(t);
    if (!hf_case_get(t, 'b', 1)) return 2;
    in[2] = y_desc(t);
    if (in[1].shape.rank == 2) in[2].shape = HF_SHAPE(in[1].shape.dim[0]);
    return 3;
}

static int setup_dx(const hf_case *t, hf_params *params, hf_desc *in)
{
    *params = (hf_params){ .per_sample = hf_case_get(t, 'm', 0), .shape = x_desc(t).shape };
    in[0] = y_desc(t);
    in[1] = w_desc(t);
    return 2;
}

static int setup_dw(const hf_case *t, hf_params *params, hf_desc *in)
{
    *params = (hf_params){ .per_sample = hf_case_get(t, 'm', 0) };
    in[0] = x_desc(t);
    in[1] = y_desc(t);
    return 2;
}

static int setup_db(const hf_case *t, hf_params *params, hf_desc *in)
{
    *params = (hf_params){ .per_sample = hf_case_get(t, 'm', 0) };
    in[0] = y_desc(t);
    return 1;
}

static void draw(hf_case *t, hf_draw *d)
{
    int n = hf_draw_int(d, 0, 3) ? hf_draw_int(d, 1, 9) : hf_draw_length(d, 64);
    bool long_sum = hf_draw_int(d, 0, 1);
    int i = hf_draw_length(d, long_sum ? 5000 / n : 65), o = hf_draw_length(d, 50000 / n / i > 0 ? 50000 / n / i : 1);
    hf_case_set(t, 'n', n);
    hf_case_set(t, 'i', i);
    hf_case_set(t, 'o', o);
    hf_case_set(t, 'm', hf_draw_int(d, 0, 1));
    hf_case_set(t, 'b', hf_draw_int(d, 0, 1));
    hf_case_set(t, 'r', hf_draw_int(d, 0, 1));
}

static void reference(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                      double *const *result, double *const *bound)
{
    int64_t i = in[0].shape.dim[1], o = out[0].shape.dim[1];
    bool per_sample = in[1].shape.rank == 3;
    for (int64_t at = 0; at < hf_count(out); at++) {
        int64_t row = per_sample ? at : at % o;
        double *y = &result[0][at];
        hf_dot(y, &bound[0][at], values[1] + row * i, 1, values[0] + at / o * i, 1, i);
        if (values[2]) {
            *y += values[2][row];
            bound[0][at] += hf_gamma((double)i + 3) * fabs(values[2][row]) + HF_UNIT * bound[0][at];
        }
        if (params->activation == HF_RELU && *y < 0) *y = 0;
    }
}

static void reference_dx(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    (void)params;
    int64_t i = out[0].shape.dim[1], o = in[0].shape.dim[1];
    bool per_sample = in[1].shape.rank == 3;
    for (int64_t at = 0; at < hf_count(out); at++)
        hf_dot(&result[0][at], &bound[0][at], values[1] + (per_sample ? at / i * o * i : 0) + at % i, i,
               values[0] + at / i * o, 1, o);
}

static void reference_dw(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    int64_t n = in[0].shape.dim[0], i = in[0].shape.dim[1], o = in[1].shape.dim[1];
    for (int64_t at = 0; at < hf_count(out); at++) {
        int64_t first = at / i / o; /* the sample, or 0 */
        hf_dot(&result[0][at], &bound[0][at], values[1] + first * o + at / i % o, o, values[0] + first * i + at % i, i,
               params->per_sample ? 1 : n);
    }
}

static void reference_db(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    static const double one = 1;
    int64_t n = in[0].shape.dim[0], o = in[0].shape.dim[1];
    for (int64_t at = 0; at < hf_count(out); at++) {
        hf_dot(&result[0][at], &bound[0][at], values[0] + at, o, &one, 0, params->per_sample ? 1 : n);
        if (params->per_sample) bound[0][at] = 0; /* a copy */
    }
}

/* The brain-age head with shared and generated weights, its generators (few inputs, very many outputs), long sums that
 * are cut, single elements; then sizes for the benchmark. */
static const char *const cases[] = { "n2i39424o16_r1",
                                     "n3i5000o16m1_r1",
                                     "n2i1o20000",
                                     "n4i8o3000b0",
                                     "n3i16o700m1",
                                     "n64i64o1",
                                     "n5i16o32_r1",
                                     "n1i1o1b0",
                                     "n7i2049o3b0",
                                     "n65i70o66",
                                     "n2i6000o1m1b0",
                                     "n64i39424o16_r1",
                                     "n64i39424o16m1_r1",
                                     "n64i1o630784",
                                     "n4i16o630784",
                                     "n64i4096o1024",
                                     NULL };
HF_OP_TESTS(linear) = {
    { .op = "linear", .cases = cases, .exact = true, .setup = setup, .draw = draw, .reference = reference },
    { .op = "linear_dx", .cases = cases, .exact = true, .setup = setup_dx, .draw = draw, .reference = reference_dx },
    { .op = "linear_dw", .cases = cases, .exact = true, .setup = setup_dw, .draw = draw, .reference = reference_dw },
    { .op = "linear_db", .cases = cases, .exact = true, .setup = setup_db, .draw = draw, .reference = reference_db },
    { 0 },
};
