/* Tests of lib/ops/loss.c. Bounds are derived beside each formula, u being HF_UNIT. */
#include "each.h"

/* ---- softmax cross-entropy --------------------------------------------------------------------------------------- */

/* n samples of f classes, with class weights when g is 1. With z a label is outside its range. */
static int entropy_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    const int samples = hf_case_get(test_case, 'n', 1), classes = hf_case_get(test_case, 'f', 1);
    in[0] = hf_matrix(samples, classes);
    in[1] = hf_vector(samples);
    in[1].type = HF_I32;
    if (hf_case_get(test_case, 'g', 0)) in[2] = hf_vector(classes);
    return in[2].shape.rank ? 3 : 2;
}

static int entropy_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    entropy_setup(test_case, params, in);
    in[3] = hf_vector(1);
    return 4;
}

static void entropy_draw(hf_case *test_case, hf_draw *draw)
{
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 70));
    hf_case_set(test_case, 'f', hf_draw_int(draw, 1, 9));
    hf_case_set(test_case, 'g', hf_draw_int(draw, 0, 1));
    if (!hf_draw_int(draw, 0, 9)) hf_case_set(test_case, 'z', 1);
}

static bool fill_labels(int64_t count, double *values, hf_draw *draw, const hf_case *test_case)
{
    const int classes = hf_case_get(test_case, 'f', 1);
    for (int64_t i = 0; i < count; i++)
        values[i] = hf_draw_int(draw, 0, classes - 1);
    if (hf_case_get(test_case, 'z', 0)) values[count / 2] = hf_draw_int(draw, 0, 1) ? classes : -1;
    return true;
}

static bool entropy_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                         const hf_case *test_case)
{
    (void)integers;
    if (index == 0) return hf_fill_range(values, count, draw, -4, 4);
    if (index == 1) return fill_labels(count, values, draw, test_case);
    return index == 2 && hf_fill_range(values, count, draw, 0.25, 2);
}

static bool entropy_dx_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                            const hf_case *test_case)
{
    (void)integers;
    if (index == 0) return hf_fill_range(values, count, draw, 0, 1);
    return entropy_fill(index, values, count, integers, draw, test_case);
}

static double weight_of(const double *weights, const double *label, int64_t sample, int64_t classes)
{
    const int64_t chosen = (int64_t)label[sample];
    if (chosen < 0 || chosen >= classes) return NAN;
    return weights ? weights[chosen] : 1;
}

/* One sample: -log of the label's probability, off by *error. With a = z - m rounded once, exp(a) is off by
 * r = u |a| + EXP; their sum s by the mean of r and gamma(F); log s by as much, and LOG of itself; a by u |a|; and the
 * difference by u of itself. A probability is off by r, the error of s, and DIVIDE. */
static double entropy_row(const double *z, int64_t classes, int64_t chosen, double *p, double *p_error, double *error)
{
    double largest = z[0], sum = 0, off = 0;
    for (int64_t f = 1; f < classes; f++)
        largest = fmax(largest, z[f]);
    for (int64_t f = 0; f < classes; f++) {
        const double a = z[f] - largest;
        sum += exp(a);
        off += exp(a) * (HF_UNIT * fabs(a) + EXP);
    }
    const double relative = off / sum + hf_gamma((double)classes);
    for (int64_t f = 0; f < classes; f++) {
        const double a = z[f] - largest;
        p[f] = exp(a) / sum;
        p_error[f] = MORE * p[f] * (HF_UNIT * fabs(a) + EXP + relative + DIVIDE) + TINY;
    }
    const double a = chosen >= 0 && chosen < classes ? z[chosen] - largest : NAN, loss = log(sum) - a;
    *error = MORE * (relative + LOG * log(sum) + HF_UNIT * (fabs(a) + fabs(loss))) + TINY;
    return loss;
}

static void entropy_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                              double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const int64_t samples = in[0].shape.dim[0], classes = in[0].shape.dim[1];
    double sum = 0, size = 0, error = 0, weights = 0;
    for (int64_t n = 0; n < samples; n++) {
        const double w = weight_of(in_values[2], in_values[1], n, classes);
        double off;
        const double loss = entropy_row(in_values[0] + n * classes, classes, (int64_t)in_values[1][n],
                                        out_values[1] + n * classes, bound[1] + n * classes, &off);
        sum += w * loss;
        size += fabs(w * loss);
        error += w * off;
        weights += w;
    }
    /* two sums of N terms, one of them of products, and a quotient */
    out_values[0][0] = sum / weights;
    bound[0][0] = MORE * (error + (2 * hf_gamma((double)samples + 1) + DIVIDE) * size) / weights + TINY;
}

/* The sum of N weights, two quotients' worth of rounding, three products, one difference. */
static void entropy_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                 const hf_desc *out, double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const int64_t samples = in[0].shape.dim[0], classes = in[0].shape.dim[1];
    double weights = 0;
    for (int64_t n = 0; n < samples; n++)
        weights += weight_of(in_values[2], in_values[1], n, classes);
    for (int64_t i = 0; i < samples * classes; i++) {
        const int64_t n = i / classes;
        const double w = weight_of(in_values[2], in_values[1], n, classes);
        const double hit = (int64_t)in_values[1][n] == i % classes;
        out_values[0][i] = in_values[3][0] * w / weights * (in_values[0][i] - hit);
        bound[0][i] = MORE * (hf_gamma((double)samples + 4) + DIVIDE) * fabs(out_values[0][i]) + TINY;
    }
}

/* ---- regression -------------------------------------------------------------------------------------------------- */

static int loss_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = in[1] = hf_case_tensor(test_case);
    return 2;
}

static int loss_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    in[2] = hf_vector(1);
    return 1 + loss_setup(test_case, params, in);
}

static void loss_draw(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    if (!hf_draw_int(draw, 0, 2)) {
        *test_case = (hf_case){ 0 };
        hf_case_set(test_case, 'n', hf_draw_int(draw, 1, 2000));
    }
}

/* x and target on either side of zero, so that no difference is near the kink. */
static bool l1_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)test_case;
    if (integers || index > 1) return false;
    for (int64_t i = 0; i < count; i++)
        values[i] = (i % 2 == index ? 1 : -1) * hf_draw_real(draw, 0.01, 1);
    return true;
}

/* The same, but every fifth pair equal. */
static bool l1_dx_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    if (!l1_fill(index, values, count, integers, draw, test_case)) return false;
    for (int64_t i = 0; i < count; i += 5)
        values[i] = 0.5;
    return true;
}

/* The mean of n squares of differences: a difference, a product, n sums, a quotient. */
static void mse_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                          double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const double count = (double)hf_count(&in[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const double d = in_values[0][i] - in_values[1][i];
        out_values[0][0] += d * d / count;
    }
    bound[0][0] = MORE * (hf_gamma(count + 3) + DIVIDE) * out_values[0][0] + TINY;
}

static void mse_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                             double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const double factor = 2 * in_values[2][0] / (double)hf_count(&in[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        out_values[0][i] = factor * (in_values[0][i] - in_values[1][i]);
        bound[0][i] = MORE * (hf_gamma(3) + DIVIDE) * fabs(out_values[0][i]) + TINY;
    }
}

static void l1_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                         double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const double count = (double)hf_count(&in[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++)
        out_values[0][0] += fabs(in_values[0][i] - in_values[1][i]) / count;
    bound[0][0] = MORE * (hf_gamma(count + 2) + DIVIDE) * out_values[0][0] + TINY;
}

static void l1_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const double step = in_values[2][0] / (double)hf_count(&in[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const double d = in_values[0][i] - in_values[1][i];
        out_values[0][i] = d > 0 ? step : d < 0 ? -step : 0;
        bound[0][i] = MORE * (HF_UNIT + DIVIDE) * fabs(out_values[0][i]) + TINY;
    }
}

static const char *const entropy_cases[] = { "n1f1", "n3f3_g1", "n64f3_g1", "n32f2", "n5f4_g1z1", NULL };
static const char *const cases[] = { "n1", "n64", "n5000", "n2c3_d4h5w6", NULL };

HF_OP_TESTS(loss) = {
    { "softmax_cross_entropy", entropy_cases, false, entropy_setup, entropy_draw, entropy_fill, entropy_reference },
    { "softmax_cross_entropy_dx", entropy_cases, false, entropy_dx_setup, entropy_draw, entropy_dx_fill,
      entropy_dx_reference },
    { "mse", cases, false, loss_setup, loss_draw, NULL, mse_reference },
    { "mse_dx", cases, false, loss_dx_setup, loss_draw, NULL, mse_dx_reference },
    { "l1", cases, false, loss_setup, loss_draw, l1_fill, l1_reference },
    { "l1_dx", cases, false, loss_dx_setup, loss_draw, l1_dx_fill, l1_dx_reference },
    { 0 },
};
