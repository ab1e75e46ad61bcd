/* Tests of lib/ops/batch_norm.c.
 *
 * How far the statistics of n values x may be off, u being HF_UNIT, R the largest |x|, whatever chunks they are summed in:
 * any chunk's mean, and the whole one, by e = gamma(n + 4) R. The sum of squares M2 is the sum over chunks of squares
 * about the chunk's mean, and of n_k (mean_k - mean)^2. In each square the difference is off by a = e, or b = 2e for two
 * means, beside its own rounding, which is relative. So the squares are off by the sums of 2 |d| a + a^2 and of
 * n_k (2 |D| b + b^2). By Cauchy and Schwarz the sum of |d| and that of n_k |D| are at most sqrt(n M2). Together
 *     E = 6 e sqrt(n M2) + 5 n e^2,   and M2 is off by E + gamma(n + 8) (M2 + E).
 * This is small only when e is small beside the deviation; so the inputs' mean is at most about a hundred deviations
 * (letter m), where squares about zero would already have lost four digits more than this allows. */
#include "each.h"

#define DEFAULT_EPS ((double)1e-5f)

static hf_desc channels_of(const hf_case *test_case)
{
    return hf_vector(hf_case_get(test_case, 'c', 1));
}

static int setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    if (hf_case_get(test_case, 'e', 0)) params->eps = 0.125f;
    if (hf_case_get(test_case, 'q', 0)) params->momentum = 0.01f * (float)hf_case_get(test_case, 'q', 0);
    in[0] = hf_case_tensor(test_case);
    for (int i = 1; i < 5; i++)
        in[i] = channels_of(test_case);
    return 5;
}

static int dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    setup(test_case, params, in);
    in[1] = in[0];
    return 5;
}

static void draw_case(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    if (hf_case_get(test_case, 'n', 1) * hf_case_get(test_case, 'w', 1) < 2) hf_case_set(test_case, 'n', 2);
    if (hf_draw_int(draw, 0, 1)) hf_case_set(test_case, 'm', hf_draw_int(draw, 1, 100));
    hf_case_set(test_case, 'e', hf_draw_int(draw, 0, 1));
    hf_case_set(test_case, 'q', hf_draw_int(draw, 0, 1) * 5);
}

/* x around m; variances above zero. */
static bool fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers;
    const double mean = hf_case_get(test_case, 'm', 0);
    if (index == 0) return hf_fill_range(values, count, draw, mean - 1, mean + 1);
    return index == 4 && hf_fill_range(values, count, draw, 0.25, 2);
}

/* Operands dy, x, scale, mean, inv_std. */
static bool dx_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers;
    const double mean = hf_case_get(test_case, 'm', 0);
    if (index == 1 || index == 3) return hf_fill_range(values, count, draw, mean - 1, mean + 1);
    return index == 4 && hf_fill_range(values, count, draw, 0.25, 2);
}

/* ---- statistics of one channel ----------------------------------------------------------------------------------- */

/* A value and how far a correct result may be from it. */
typedef struct number {
    double value, error;
} number;

static number number_of(double value, double error)
{
    return (number){ value, error };
}

typedef struct moments {
    number mean, squares; /* squares: the sum of (x - mean)^2 */
    double count;
} moments;

static moments moments_of(const double *x, hf_extent extent, int64_t c)
{
    moments m = { .count = (double)(extent.n * extent.v) };
    double largest = 0;
    for (int64_t n = 0; n < extent.n; n++)
        for (int64_t v = 0; v < extent.v; v++) {
            const double value = x[(n * extent.c + c) * extent.v + v];
            m.mean.value += value / m.count;
            largest = fmax(largest, fabs(value));
        }
    for (int64_t n = 0; n < extent.n; n++)
        for (int64_t v = 0; v < extent.v; v++) {
            const double d = x[(n * extent.c + c) * extent.v + v] - m.mean.value;
            m.squares.value += d * d;
        }
    const double e = m.mean.error = hf_gamma(m.count + 4) * largest;
    const double squares = 6 * e * sqrt(m.count * m.squares.value) + 5 * m.count * e * e;
    m.squares.error = squares + hf_gamma(m.count + 8) * (m.squares.value + squares);
    return m;
}

/* 1 / sqrt(v + eps): the error of v enters through the smallest argument it can make. */
static number inverse_of(number variance, double eps)
{
    const double argument = variance.value + eps, error = variance.error + HF_UNIT * argument;
    const double value = 1 / sqrt(argument);
    const double worst = argument > error ? 1 / sqrt(argument - error) : INFINITY;
    return number_of(value, worst - value + MORE * (ROOT + DIVIDE) * worst);
}

/* (x - mean) (inv_std scale) + shift */
static number normalized(double x, number mean, number inverse, double scale, double shift)
{
    const double d = x - mean.value, product = d * inverse.value * scale;
    const double wide = (fabs(d) + mean.error) * (inverse.value + inverse.error) * fabs(scale) * (1 + hf_gamma(3));
    const double error = wide - fabs(product);
    return number_of(product + shift, error + 2 * HF_UNIT * (wide + fabs(shift)) + TINY);
}

static void put(number n, int64_t i, double *value, double *bound)
{
    value[i] = n.value;
    bound[i] = n.error;
}

/* (1 - m) running + m batch: five roundings at most on either side. */
static number blended(double running, number batch, double momentum)
{
    const double old = (1 - momentum) * running, new = momentum *batch.value;
    return number_of(old + new, MORE * momentum * batch.error + hf_gamma(5) * (fabs(old) + fabs(new)) + TINY);
}

static double eps_of(const hf_params *params)
{
    return params->eps != 0 ? (double)params->eps : DEFAULT_EPS;
}

static void reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                      double *const *out_values, double *const *bound)
{
    (void)out;
    const hf_extent extent = hf_extent_of(&in[0]);
    const double momentum = params->momentum != 0 ? (double)params->momentum : (double)0.1f;
    for (int64_t c = 0; c < extent.c; c++) {
        const moments m = moments_of(in_values[0], extent, c);
        const double biased = m.squares.value / m.count, unbiased = m.squares.value / (m.count - 1);
        const number variance = { biased, m.squares.error / m.count + MORE * DIVIDE * biased };
        const number running = { unbiased, m.squares.error / (m.count - 1) + MORE * (DIVIDE + HF_UNIT) * unbiased };
        const number inverse = inverse_of(variance, eps_of(params));
        put(m.mean, c, out_values[1], bound[1]);
        put(inverse, c, out_values[2], bound[2]);
        put(blended(in_values[3][c], m.mean, momentum), c, out_values[3], bound[3]);
        put(blended(in_values[4][c], running, momentum), c, out_values[4], bound[4]);
        for (int64_t i = 0; i < extent.n * extent.v; i++) {
            const int64_t at = (i / extent.v * extent.c + c) * extent.v + i % extent.v;
            put(normalized(in_values[0][at], m.mean, inverse, in_values[1][c], in_values[2][c]), at, out_values[0],
                bound[0]);
        }
    }
}

static void infer_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)out;
    const hf_extent extent = hf_extent_of(&in[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const int64_t c = i / extent.v % extent.c;
        const number inverse = inverse_of(number_of(in_values[4][c], 0), eps_of(params));
        put(normalized(in_values[0][i], number_of(in_values[3][c], 0), inverse, in_values[1][c], in_values[2][c]), i,
            out_values[0], bound[0]);
    }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* The sums of dy and of dy (x - mean) over a channel, and with magnitudes. */
typedef struct sums {
    number shift, product;
} sums;

static sums sums_of(double *const *in_values, hf_extent extent, int64_t c)
{
    sums s = { { 0, 0 }, { 0, 0 } };
    const double count = (double)(extent.n * extent.v);
    for (int64_t i = 0; i < extent.n * extent.v; i++) {
        const int64_t at = (i / extent.v * extent.c + c) * extent.v + i % extent.v;
        const double dy = in_values[0][at], product = dy * (in_values[1][at] - in_values[3][c]);
        s.shift.value += dy;
        s.shift.error += hf_gamma(count) * fabs(dy) + TINY;
        s.product.value += product;
        s.product.error += hf_gamma(count + 2) * fabs(product) + TINY;
    }
    return s;
}

/* scale inv_std (dy - dshift / M - (x - mean) inv_std dscale / M): the errors of the two sums, and eight roundings. */
static number gradient_of(double dy, double d, double scale, double inverse, number dscale, number dshift, double count)
{
    const double slope = inverse * dscale.value / count, offset = dshift.value / count;
    const double inner = fabs(d * inverse) * dscale.error / count + dshift.error / count;
    const double size = fabs(dy) + fabs(offset) + fabs(d * slope);
    return number_of(scale * inverse * (dy - offset - d * slope),
                     MORE * fabs(scale * inverse) * (inner + (hf_gamma(8) + DIVIDE) * size) + TINY);
}

static void dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                         double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const hf_extent extent = hf_extent_of(&in[0]);
    const double count = (double)(extent.n * extent.v);
    for (int64_t c = 0; c < extent.c; c++) {
        const sums s = sums_of(in_values, extent, c);
        const double inverse = in_values[4][c], value = s.product.value * inverse;
        const number dscale = { value, MORE * fabs(inverse) * s.product.error + HF_UNIT * fabs(value) + TINY };
        put(dscale, c, out_values[1], bound[1]);
        put(s.shift, c, out_values[2], bound[2]);
        for (int64_t i = 0; i < extent.n * extent.v; i++) {
            const int64_t at = (i / extent.v * extent.c + c) * extent.v + i % extent.v;
            put(gradient_of(in_values[0][at], in_values[1][at] - in_values[3][c], in_values[2][c], inverse, dscale,
                            s.shift, count),
                at, out_values[0], bound[0]);
        }
    }
}

static const char *const cases[] = {
    "n2c1", "n32c8", "n2c3_d4h5w6", "n2c17_d9h10w11_m100", "n3c16_d5h6w7_m10e1q5", "n1c16_d43h58w47", NULL
};

HF_OP_TESTS(batch_norm) = {
    { "batch_norm", cases, false, setup, draw_case, fill, reference },
    { "batch_norm_dx", cases, false, dx_setup, draw_case, dx_fill, dx_reference },
    { "batch_norm_infer", cases, false, setup, draw_case, fill, infer_reference },
    { 0 },
};
