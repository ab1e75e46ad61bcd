/* Tests of lib/ops/cox.c. Letters: n samples, t different times, e Efron's ties; z 1: no event, 2: one that is none and not
 * none. Bounds are derived beside each formula, u being HF_UNIT. */
#include "each.h"

static int cox_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    const int samples = hf_case_get(test_case, 'n', 1);
    params->efron = hf_case_get(test_case, 'e', 0);
    in[0] = hf_matrix(samples, 1);
    in[1] = in[2] = hf_vector(samples);
    in[2].type = HF_I32;
    return 3;
}

static int cox_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    cox_setup(test_case, params, in);
    in[3] = hf_matrix(hf_case_get(test_case, 'n', 1), 2);
    in[4] = hf_vector(1);
    return 5;
}

static void cox_draw(hf_case *test_case, hf_draw *draw)
{
    const int samples = hf_draw_int(draw, 1, hf_draw_int(draw, 0, 3) ? 20 : 130);
    hf_case_set(test_case, 'n', samples);
    hf_case_set(test_case, 't', hf_draw_int(draw, 1, hf_draw_int(draw, 0, 1) ? 4 : 2 * samples));
    hf_case_set(test_case, 'e', hf_draw_int(draw, 0, 1));
    if (!hf_draw_int(draw, 0, 9)) hf_case_set(test_case, 'z', hf_draw_int(draw, 1, 2));
}

/* Two in three are events. */
static bool fill_events(int64_t count, double *values, hf_draw *draw, const hf_case *test_case)
{
    const int odd = hf_case_get(test_case, 'z', 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = odd == 1 ? 0 : hf_draw_int(draw, 0, 2) > 0;
    if (odd == 2) values[count / 2] = hf_draw_int(draw, 0, 1) ? 2 : -1;
    return true;
}

static bool cox_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers;
    if (index == 0) return hf_fill_range(values, count, draw, -4, 4);
    if (index == 2) return fill_events(count, values, draw, test_case);
    for (int64_t i = 0; i < count && index == 1; i++)
        values[i] = 0.25 * hf_draw_int(draw, 1, hf_case_get(test_case, 't', 100));
    return index == 1;
}

static bool cox_dx_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                        const hf_case *test_case)
{
    if (index != 3) return cox_fill(index, values, count, integers, draw, test_case);
    for (int64_t i = 0; i < count; i++)
        values[i] = i % 2 ? hf_draw_real(draw, 0, 0.9) : hf_draw_real(draw, -1, 5);
    return true;
}

static double event_of(double event)
{
    return event == 0 || event == 1 ? event : NAN;
}

static double events_of(const double *event, int64_t samples)
{
    double events = 0;
    for (int64_t i = 0; i < samples; i++)
        events += event_of(event[i]);
    return events;
}

/* l / d of event i. */
static double fraction_of(const double *time, const double *event, int64_t i, int64_t samples)
{
    double before = 0, all = 0;
    for (int64_t j = 0; j < samples; j++) {
        const bool tied = event[j] == 1 && time[j] == time[i];
        all += tied;
        before += tied && j < i;
    }
    return event[i] == 1 ? before / all : 0;
}

static double weight_of(double fraction, const double *time, const double *event, int64_t i, int64_t j)
{
    if (time[j] < time[i]) return 0;
    return time[j] == time[i] && event[j] == 1 ? 1 - fraction : 1;
}

/* log S_i - m in *sum and the largest m, off by *off. With a = x_j - m rounded once, a term is off by u |a| + EXP and the
 * rounding of its weight and product, the fraction itself by DIVIDE; the sum by their mean and gamma(N); its logarithm by as
 * much and LOG of itself. */
static double log_sum(const double *x, const double *time, const double *event, int64_t i, int64_t samples,
                      double fraction, double *largest, double *off)
{
    double sum = 0, error = 0;
    *largest = x[i];
    for (int64_t j = 0; j < samples; j++)
        if (time[j] >= time[i]) *largest = fmax(*largest, x[j]);
    for (int64_t j = 0; j < samples; j++) {
        const double w = weight_of(fraction, time, event, i, j), a = x[j] - *largest, e = w > 0 ? exp(a) : 0;
        sum += w * e;
        error += w * e * (HF_UNIT * fabs(a) + EXP + 2 * HF_UNIT) + e * fraction * DIVIDE;
    }
    *off = error / sum + hf_gamma((double)samples) + LOG * fabs(log(sum));
    return log(sum);
}

static void cox_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                          double *const *out_values, double *const *bound)
{
    (void)out;
    const int64_t samples = in[0].shape.dim[0];
    const double *x = in_values[0], *time = in_values[1], *event = in_values[2];
    double sum = 0, error = 0;
    for (int64_t i = 0; i < samples; i++) {
        const double fraction = params->efron ? fraction_of(time, event, i, samples) : 0;
        double largest, off;
        const double log_s = log_sum(x, time, event, i, samples, fraction, &largest, &off);
        const double state = largest + log_s, term = log_s + (largest - x[i]);
        out_values[1][2 * i] = state;
        bound[1][2 * i] = MORE * (off + HF_UNIT * fabs(state)) + TINY;
        out_values[1][2 * i + 1] = fraction;
        bound[1][2 * i + 1] = DIVIDE * fraction;
        if (event[i] == 0) continue;
        sum += event_of(event[i]) * term;
        error += off + HF_UNIT * (fabs(largest - x[i]) + 2 * fabs(term));
    }
    const double events = events_of(event, samples);
    out_values[0][0] = events == 0 ? 0 : sum / events;
    bound[0][0] = events == 0 ? 0 : MORE * (error + (hf_gamma((double)samples) + DIVIDE) * fabs(sum)) / events + TINY;
}

/* A term: a difference rounded once, EXP, the weight, a product; their sum and the 1 taken off; a quotient, two products. */
static void cox_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                             double *const *out_values, double *const *bound)
{
    (void)params, (void)out;
    const int64_t samples = in[0].shape.dim[0];
    const double *x = in_values[0], *time = in_values[1], *event = in_values[2], *state = in_values[3];
    const double events = events_of(event, samples), factor = events == 0 ? 0 : in_values[4][0] / events;
    for (int64_t j = 0; j < samples; j++) {
        double sum = -event_of(event[j]), size = fabs(sum), error = 0;
        for (int64_t i = 0; i < samples; i++) {
            if (event[i] == 0 || time[j] < time[i]) continue;
            const double a = x[j] - state[2 * i], term = weight_of(state[2 * i + 1], time, event, i, j) * exp(a);
            sum += term;
            size += term;
            error += term * (HF_UNIT * fabs(a) + EXP + 2 * HF_UNIT);
        }
        out_values[0][j] = events == 0 ? 0 : factor * sum;
        bound[0][j] =
            MORE * fabs(factor) * (error + hf_gamma((double)samples + 1) * size + (DIVIDE + HF_UNIT) * fabs(sum)) +
            TINY;
    }
}

static const char *const cases[] = { "n1",        "n32t100",   "n64t9e1",  "n20t1e1", "n200t50e1",
                                     "n9t4e1_z1", "n9t4e1_z2", "n130t300", NULL };

HF_OP_TESTS(cox) = {
    { "cox", cases, false, cox_setup, cox_draw, cox_fill, cox_reference },
    { "cox_dx", cases, false, cox_dx_setup, cox_draw, cox_dx_fill, cox_dx_reference },
    { 0 },
};
