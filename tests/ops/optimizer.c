/* Tests of lib/ops/optimizer.c. Errors are carried from line to line of the formulas, u being HF_UNIT. */
#include "each.h"

/* Letters: t the step, g the factor of the gradients in quarters, y weight decay in hundredths, b beta1 in tenths, m
 * momentum in tenths. */
static void options(const hf_case *test_case, hf_params *params)
{
    params->weight_decay = 0.01f * (float)hf_case_get(test_case, 'y', 0);
    params->momentum_sgd = 0.1f * (float)hf_case_get(test_case, 'm', 0);
    if (hf_case_get(test_case, 'b', 0)) {
        params->beta1 = 0.1f * (float)hf_case_get(test_case, 'b', 0);
        params->beta2 = 0.98f;
        params->eps = 1e-4f;
    }
}

static int adam_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    options(test_case, params);
    for (int i = 0; i < 4; i++)
        in[i] = hf_case_tensor(test_case);
    in[4] = hf_vector(8);
    return 5;
}

static int sgd_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    adam_setup(test_case, params, in);
    in[3] = in[4];
    return 4;
}

static void draw_case(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    hf_case_set(test_case, 't', hf_draw_int(draw, 1, 1000));
    hf_case_set(test_case, 'g', hf_draw_int(draw, 1, 8));
    hf_case_set(test_case, 'y', hf_draw_int(draw, 0, 5));
    hf_case_set(test_case, 'm', hf_draw_int(draw, 0, 9));
    if (hf_draw_int(draw, 0, 1)) hf_case_set(test_case, 'b', hf_draw_int(draw, 1, 9));
}

static bool fill_schedule(double *values, const hf_case *test_case)
{
    hf_params params = { 0 };
    options(test_case, &params);
    const double beta1 = params.beta1 != 0 ? (double)params.beta1 : (double)0.9f;
    const double beta2 = params.beta2 != 0 ? (double)params.beta2 : (double)0.999f;
    const int step = hf_case_get(test_case, 't', 1);
    memset(values, 0, 8 * sizeof *values);
    values[0] = (double)0.01f;
    values[1] = (float)(1 - pow(beta1, step));
    values[2] = (float)(1 - pow(beta2, step));
    values[3] = 0.25 * hf_case_get(test_case, 'g', 4);
    return true;
}

static bool adam_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers;
    if (index == 3) return hf_fill_range(values, count, draw, 0, 1);
    return index == 4 && fill_schedule(values, test_case);
}

static bool sgd_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers, (void)count, (void)draw;
    return index == 3 && fill_schedule(values, test_case);
}

/* ---- adam -------------------------------------------------------------------------------------------------------- */

/* A value and how far a correct result may be from it. */
typedef struct number {
    double value, error;
} number;

/* a x + b y^power, the factors rounded once before. */
static number blend(double a, double x, double b, number y, int power)
{
    const double size = fabs(y.value), new = b *pow(y.value, power);
    const double off = b * (pow(size + y.error, power) - pow(size, power));
    return (number){ a * x + new, MORE *off + hf_gamma(5) * (fabs(a * x) + fabs(new)) + TINY };
}

/* rate (m / c1) / (sqrt(v / c2) + eps) */
static number update(number m, number v, const double *schedule, double eps)
{
    const double square = v.value / schedule[2], off = v.error / schedule[2] + MORE * DIVIDE * square;
    const double root = sqrt(square), low = square > off ? sqrt(square - off) : 0, high = sqrt(square + off);
    const double root_error = fmax(root - low, high - root) + MORE * ROOT * high;
    const double below = root + eps, below_error = root_error + HF_UNIT * (below + root_error);
    const double above = m.value / schedule[1], above_error = m.error / schedule[1] + MORE * DIVIDE * fabs(above);
    const double value = schedule[0] * above / below;
    const double worst = schedule[0] * (fabs(above) + above_error) / (below - below_error);
    if (below <= below_error) return (number){ value, INFINITY };
    return (number){ value, worst - fabs(value) + MORE * (DIVIDE + 2 * HF_UNIT) * worst + TINY };
}

/* One parameter; out and error in the order theta, m, v. */
static void adam_step(const hf_params *params, bool decoupled, const double in[4], const double *schedule,
                      double out[3], double error[3])
{
    const double beta1 = params->beta1 != 0 ? (double)params->beta1 : (double)0.9f;
    const double beta2 = params->beta2 != 0 ? (double)params->beta2 : (double)0.999f;
    const double eps = params->eps != 0 ? (double)params->eps : (double)1e-8f;
    const double decay = (double)params->weight_decay * in[0], scaled = schedule[3] * in[1];
    number g = { scaled, HF_UNIT * fabs(scaled) + TINY };
    number theta = { in[0], 0 };
    if (decoupled) {
        const double lost = schedule[0] * decay;
        theta = (number){ in[0] - lost, hf_gamma(3) * fabs(lost) + HF_UNIT * fabs(in[0]) + TINY };
    } else {
        g = (number){ scaled + decay, hf_gamma(2) * (fabs(scaled) + fabs(decay)) + TINY };
    }
    const number m = blend(beta1, in[2], 1 - beta1, g, 1), v = blend(beta2, in[3], 1 - beta2, g, 2);
    const number move = update(m, v, schedule, eps);
    out[0] = theta.value - move.value;
    error[0] = MORE * (theta.error + move.error + HF_UNIT * (fabs(theta.value) + fabs(move.value))) + TINY;
    out[1] = m.value;
    error[1] = m.error;
    out[2] = v.value;
    error[2] = v.error;
}

static void steps(const hf_params *params, bool decoupled, int64_t count, double *const *in_values,
                  double *const *out_values, double *const *bound)
{
    for (int64_t i = 0; i < count; i++) {
        const double in[4] = { in_values[0][i], in_values[1][i], in_values[2][i], in_values[3][i] };
        double out[3], error[3];
        adam_step(params, decoupled, in, in_values[4], out, error);
        for (int k = 0; k < 3; k++) {
            out_values[k][i] = out[k];
            bound[k][i] = error[k];
        }
    }
}

static void adam_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)out;
    steps(params, false, hf_count(&in[0]), in_values, out_values, bound);
}

static void adamw_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                            double *const *out_values, double *const *bound)
{
    (void)out;
    steps(params, true, hf_count(&in[0]), in_values, out_values, bound);
}

/* Each of three terms is rounded at most four times. */
static void sgd_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                          double *const *out_values, double *const *bound)
{
    (void)out;
    const double *schedule = in_values[3];
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const double old = (double)params->momentum_sgd * in_values[2][i], g = schedule[3] * in_values[1][i];
        const double decay = (double)params->weight_decay * in_values[0][i], m = old + g + decay;
        const double error = hf_gamma(4) * (fabs(old) + fabs(g) + fabs(decay)) + TINY;
        out_values[1][i] = m;
        bound[1][i] = error;
        out_values[0][i] = in_values[0][i] - schedule[0] * m;
        bound[0][i] = MORE * (schedule[0] * (error + 2 * HF_UNIT * fabs(m)) + HF_UNIT * fabs(out_values[0][i])) + TINY;
    }
}

/* ---- clip -------------------------------------------------------------------------------------------------------- */

/* Letter l: the limit in tenths. */
static int clip_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    params->limit = 0.1f * (float)hf_case_get(test_case, 'l', 10);
    in[0] = hf_vector(hf_case_get(test_case, 'n', 1));
    in[1] = hf_vector(8);
    return 2;
}

static void clip_draw(hf_case *test_case, hf_draw *draw)
{
    hf_case_set(test_case, 'n', hf_draw_int(draw, 1, hf_draw_int(draw, 0, 1) ? 70 : 3000));
    hf_case_set(test_case, 'l', hf_draw_int(draw, 1, 400));
    hf_case_set(test_case, 'g', hf_draw_int(draw, 1, 8));
}

static bool clip_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers, (void)count, (void)draw;
    return index == 1 && fill_schedule(values, test_case);
}

/* The norm: a product and n sums, halved by the root, and ROOT; a product, a sum, a quotient and a product behind it.
 * Where the quotient is 1 but for rounding, either side of the choice differs by as much. */
static void clip_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                           double *const *out_values, double *const *bound)
{
    (void)out;
    const double count = (double)hf_count(&in[0]), factor = in_values[1][3];
    double squares = 0;
    for (int64_t i = 0; i < hf_count(&in[0]); i++)
        squares += in_values[0][i] * in_values[0][i];
    const double relative = hf_gamma(count + 1) / 2 + ROOT + DIVIDE + hf_gamma(4);
    const double part = (double)params->limit / (factor * sqrt(squares) + 1e-6);
    for (int k = 0; k < 8; k++)
        out_values[0][k] = in_values[1][k];
    if (part < 1 + MORE * relative) {
        out_values[0][3] = factor * fmin(part, 1);
        bound[0][3] = MORE * relative * factor + TINY;
    }
}

static const char *const clip_cases[] = { "n1", "n64l3", "n5000l20g8", "n120l100", NULL };
static const char *const cases[] = { "n1c1_t1", "n7c33_t2y5", "n100c100_t100b5m9g2", NULL };

HF_OP_TESTS(optimizer) = {
    { "adam", cases, false, adam_setup, draw_case, adam_fill, adam_reference },
    { "adamw", cases, false, adam_setup, draw_case, adam_fill, adamw_reference },
    { "sgd", cases, false, sgd_setup, draw_case, sgd_fill, sgd_reference },
    { "clip", clip_cases, false, clip_setup, clip_draw, clip_fill, clip_reference },
    { 0 },
};
