/* Tests of lib/ops/activation.c. Bounds are derived beside each formula, u being HF_UNIT. */
#include "each.h"

static int one_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = hf_case_tensor(test_case);
    return 1;
}

static int two_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[1] = hf_case_tensor(test_case);
    return 1 + one_setup(test_case, params, in);
}

/* Away from the kink at zero. */
static bool fill_off_zero(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                          const hf_case *test_case)
{
    (void)test_case;
    if (integers || index != 0) return false;
    for (int64_t i = 0; i < count; i++)
        values[i] = hf_draw_off_zero(draw);
    return true;
}

/* Wide enough to saturate. */
static bool fill_wide(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)test_case, (void)integers;
    return index == 0 && hf_fill_range(values, count, draw, -8, 8);
}

/* ---- relu, prelu ------------------------------------------------------------------------------------------------- */

static void relu_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)params, (void)in, (void)bound;
    for (int64_t i = 0; i < hf_count(&out[0]); i++)
        out_values[0][i] = in_values[0][i] > 0 ? in_values[0][i] : 0;
}

static void relu_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                              double *const *out_values, double *const *bound)
{
    (void)params, (void)in, (void)bound;
    for (int64_t i = 0; i < hf_count(&out[0]); i++)
        out_values[0][i] = in_values[0][i] > 0 ? in_values[1][i] : 0;
}

static int prelu_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[1] = hf_vector(1);
    return 1 + one_setup(test_case, params, in);
}

static int prelu_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[2] = hf_case_tensor(test_case);
    return 1 + prelu_setup(test_case, params, in);
}

static void prelu_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        const double x = in_values[0][i];
        out_values[0][i] = x > 0 ? x : in_values[1][0] * x;
        bound[0][i] = x > 0 ? 0 : HF_UNIT * fabs(out_values[0][i]) + TINY;
    }
}

/* dslope: a sum of n products. */
static void prelu_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                               double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    const int64_t count = hf_count(&out[0]);
    double sum = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        const double x = in_values[0][i], dy = in_values[2][i];
        out_values[0][i] = x > 0 ? dy : in_values[1][0] * dy;
        bound[0][i] = x > 0 ? 0 : HF_UNIT * fabs(out_values[0][i]) + TINY;
        sum += x > 0 ? 0 : x * dy;
        size += x > 0 ? 0 : fabs(x * dy);
    }
    out_values[1][0] = sum;
    bound[1][0] = hf_gamma((double)count + 2) * size + TINY;
}

/* ---- sigmoid, tanh ----------------------------------------------------------------------------------------------- */

/* With e = exp(-x) within EXP, 1 + e is off by EXP e + u (1 + e), the quotient by DIVIDE more. */
static void sigmoid_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                              double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        const double e = exp(-in_values[0][i]), y = 1 / (1 + e);
        out_values[0][i] = y;
        bound[0][i] = MORE * y * (EXP * e / (1 + e) + HF_UNIT + DIVIDE) + TINY;
    }
}

/* One difference, two products. */
static void sigmoid_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                 const hf_desc *out, double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        const double y = in_values[0][i];
        out_values[0][i] = y * (1 - y) * in_values[1][i];
        bound[0][i] = hf_gamma(3) * fabs(out_values[0][i]) + TINY;
    }
}

static void tanh_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        out_values[0][i] = tanh(in_values[0][i]);
        bound[0][i] = MORE * TANH * fabs(out_values[0][i]) + TINY;
    }
}

/* (1 - y) (1 + y) dy: two sums, two products. */
static void tanh_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                              double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        const double y = in_values[0][i];
        out_values[0][i] = (1 - y) * (1 + y) * in_values[1][i];
        bound[0][i] = hf_gamma(4) * fabs(out_values[0][i]) + TINY;
    }
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

static void matrix_draw(hf_case *test_case, hf_draw *draw)
{
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 70));
    hf_case_set(test_case, 'c', hf_draw_int(draw, 1, 40));
}

/* With a = x - m rounded once, exp(a) is off by r = u |a| + EXP; the sum of F such terms by the mean of their r and
 * gamma(F); the quotient by DIVIDE more. */
static void softmax_row(const double *x, double *y, double *bound, int64_t features)
{
    double largest = x[0], sum = 0, error = 0;
    for (int64_t f = 1; f < features; f++)
        largest = fmax(largest, x[f]);
    for (int64_t f = 0; f < features; f++) {
        const double a = x[f] - largest;
        sum += exp(a);
        error += exp(a) * (HF_UNIT * fabs(a) + EXP);
    }
    for (int64_t f = 0; f < features; f++) {
        const double a = x[f] - largest;
        y[f] = exp(a) / sum;
        bound[f] = MORE * y[f] * (HF_UNIT * fabs(a) + EXP + error / sum + hf_gamma((double)features) + DIVIDE) + TINY;
    }
}

static void softmax_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                              double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const int64_t features = in[0].shape.dim[1];
    for (int64_t i = 0; i < hf_count(&in[0]); i += features)
        softmax_row(in_values[0] + i, out_values[0] + i, bound[0] + i, features);
}

/* The sum of F products, then a difference and a product. */
static void softmax_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                 const hf_desc *out, double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const int64_t features = in[0].shape.dim[1];
    for (int64_t i = 0; i < hf_count(&in[0]); i += features) {
        const double *y = in_values[0] + i, *dy = in_values[1] + i;
        double sum = 0, size = 0;
        for (int64_t f = 0; f < features; f++) {
            sum += y[f] * dy[f];
            size += fabs(y[f] * dy[f]);
        }
        const double error = hf_gamma((double)features + 1) * size;
        for (int64_t f = 0; f < features; f++) {
            out_values[0][i + f] = y[f] * (dy[f] - sum);
            bound[0][i + f] = MORE * fabs(y[f]) * (error + 2 * HF_UNIT * fabs(dy[f] - sum)) + TINY;
        }
    }
}

static const char *const cases[] = { "n1c1", "n2c3_d4h5w6", "n3c17_d5h6w7", "n1c16_d43h58w47", NULL };
static const char *const rows[] = { "n1c1", "n5c2", "n64c3", "n3c100", NULL };

HF_OP_TESTS(activation) = {
    { "relu", cases, true, one_setup, hf_draw_tensor, fill_off_zero, relu_reference },
    { "relu_dx", cases, true, two_setup, hf_draw_tensor, NULL, relu_dx_reference },
    { "prelu", cases, true, prelu_setup, hf_draw_tensor, fill_off_zero, prelu_reference },
    { "prelu_dx", cases, true, prelu_dx_setup, hf_draw_tensor, NULL, prelu_dx_reference },
    { "sigmoid", cases, false, one_setup, hf_draw_tensor, fill_wide, sigmoid_reference },
    { "sigmoid_dx", cases, false, two_setup, hf_draw_tensor, NULL, sigmoid_dx_reference },
    { "tanh", cases, false, one_setup, hf_draw_tensor, fill_wide, tanh_reference },
    { "tanh_dx", cases, false, two_setup, hf_draw_tensor, NULL, tanh_dx_reference },
    { "softmax", rows, false, one_setup, matrix_draw, fill_wide, softmax_reference },
    { "softmax_dx", rows, false, two_setup, matrix_draw, NULL, softmax_dx_reference },
    { 0 },
};
