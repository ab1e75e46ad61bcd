/* metrics.c: metrics of numbers, and what holds for every metric. */
#include "sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH = 4 }; /* numbers a subject */

/* ---- sums -------------------------------------------------------------------------------------------------------- */

void hf_sum_add(hf_sum *sum, double x)
{
    const double t = sum->total + x;
    sum->lost += fabs(sum->total) >= fabs(x) ? (sum->total - t) + x : (x - t) + sum->total;
    sum->total = t;
}

double hf_sum_total(const hf_sum *sum)
{
    return sum->total + sum->lost;
}

double hf_mean(const double *values, int count)
{
    hf_sum s = { 0 };
    for (int i = 0; i < count; i++)
        hf_sum_add(&s, values[i]);
    return count > 0 ? hf_sum_total(&s) / count : NAN;
}

int hf_by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hf_quantile(const double *sorted, int64_t count, double q)
{
    const double at = (double)(count - 1) * q;
    const int64_t below = (int64_t)floor(at);
    const int64_t above = below + 1 < count ? below + 1 : below;
    const double part = at - (double)below;
    return sorted[below] + part * (sorted[above] - sorted[below]);
}

hf_status hf_median(double *out, const double *values, int count)
{
    if (count < 1) {
        *out = NAN;
        return HF_OK;
    }
    double *sorted;
    HF_TRY(hf_alloc(&sorted, (size_t)count, sizeof *sorted, "values to sort"));
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, hf_by_value);
    *out = hf_quantile(sorted, count, 0.5);
    free(sorted);
    return HF_OK;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static double error_at(const hf_scored *s, const int *index, int i)
{
    const size_t at = (size_t)(index ? index[i] : i);
    return s->predicted[at * (size_t)s->P] - s->truth[at * (size_t)s->T];
}

static double mae(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    hf_sum sum = { 0 };
    (void)k, (void)scratch;
    for (int i = 0; i < n; i++)
        hf_sum_add(&sum, fabs(error_at(s, index, i)));
    return hf_sum_total(&sum) / n;
}

static double mse(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    hf_sum sum = { 0 };
    (void)k, (void)scratch;
    for (int i = 0; i < n; i++)
        hf_sum_add(&sum, error_at(s, index, i) * error_at(s, index, i));
    return hf_sum_total(&sum) / n;
}

static double bias(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    hf_sum sum = { 0 };
    (void)k, (void)scratch;
    for (int i = 0; i < n; i++)
        hf_sum_add(&sum, error_at(s, index, i));
    return hf_sum_total(&sum) / n;
}

/* Pearson's r in two passes; NaN when one side is constant. */
static double r(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    double *x = scratch, *y = scratch + n;
    (void)k;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i);
        x[i] = s->truth[at * (size_t)s->T];
        y[i] = s->predicted[at * (size_t)s->P];
    }
    const double mean_x = hf_mean(x, n), mean_y = hf_mean(y, n);
    hf_sum xx = { 0 }, yy = { 0 }, xy = { 0 };
    for (int i = 0; i < n; i++) {
        hf_sum_add(&xx, (x[i] - mean_x) * (x[i] - mean_x));
        hf_sum_add(&yy, (y[i] - mean_y) * (y[i] - mean_y));
        hf_sum_add(&xy, (x[i] - mean_x) * (y[i] - mean_y));
    }
    const double product = hf_sum_total(&xx) * hf_sum_total(&yy);
    return product > 0 ? hf_sum_total(&xy) / sqrt(product) : NAN;
}

const hf_metric hf_metrics_of_numbers[] = {
    { "mae", "MAE", "mean absolute error", HF_UNIT_TARGET, HF_LOWER, false, 3, mae },
    { "mse", "MSE", "mean squared error", HF_UNIT_SQUARED, HF_LOWER, false, 2, mse },
    { "bias", "bias", "mean of predicted minus true", HF_UNIT_TARGET, HF_NEITHER, false, 3, bias },
    { "r", "r", "correlation of predicted and true", HF_UNIT_NONE, HF_HIGHER, false, 3, r },
    { 0 },
};

/* ---- any metric -------------------------------------------------------------------------------------------------- */

const hf_metric *hf_metric_find(const char *name)
{
    static const hf_metric *const tables[] = { hf_metrics_of_numbers, hf_metrics_of_classes, hf_metrics_of_times };
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const hf_metric *metric = tables[t]; metric->name; metric++)
            if (strcmp(metric->name, name) == 0) return metric;
    return NULL;
}

bool hf_metric_better(const hf_metric *metric, double a, double b)
{
    if (isnan(a) || isnan(b)) return isnan(b) && !isnan(a);
    return metric->better == HF_HIGHER ? a > b : a < b;
}

static hf_status check_values(const double *values, int width, int at, const char *what)
{
    for (int i = 0; i < width; i++)
        if (!isfinite(values[(size_t)at * (size_t)width + (size_t)i]))
            return hf_fail(HF_ERR_NUMBER, "the %s value of subject %d is %g, expected a finite number", what, at,
                           values[(size_t)at * (size_t)width + (size_t)i]);
    return HF_OK;
}

static bool is_of(const hf_metric *table, const hf_metric *metric)
{
    for (const hf_metric *row = table; row->name; row++)
        if (row == metric) return true;
    return false;
}

static hf_status check_scored(const hf_metric *metric, const hf_scored *s, const int *index, int n)
{
    const bool classes = is_of(hf_metrics_of_classes, metric), times = is_of(hf_metrics_of_times, metric);
    if (n < 1) return hf_fail(HF_ERR_ARGUMENT, "%s of %d subjects: at least one is needed", metric->name, n);
    if (s->P > HF_MAX_CLASSES)
        return hf_fail(HF_ERR_ARGUMENT, "%s of %d classes: at most %d are expected", metric->name, s->P,
                       (int)HF_MAX_CLASSES);
    if (times && s->T != 2)
        return hf_fail(HF_ERR_ARGUMENT, "%s: %d true values a subject, expected time and event", metric->name, s->T);
    for (int i = 0; i < n; i++) {
        const int at = index ? index[i] : i;
        HF_TRY(check_values(s->truth, s->T, at, "true"));
        HF_TRY(check_values(s->predicted, s->P, at, "predicted"));
        const double truth = s->truth[(size_t)at * (size_t)s->T];
        if (classes && !(truth >= 0 && truth < s->P && truth == floor(truth)))
            return hf_fail(HF_ERR_ARGUMENT, "the true value of subject %d is %g, expected a class from 0 to %d", at,
                           truth, s->P - 1);
    }
    return HF_OK;
}

/* A metric as a statistic, or the difference of two when there is a second. */
typedef struct asked {
    const hf_metric *metric;
    int k;
    const hf_scored *a, *b;
    double *scratch; /* [SCRATCH,n] */
} asked;

static double answer(void *user, const int *index, int n)
{
    const asked *q = user;
    const double a = q->metric->value(q->a, index, n, q->k, q->scratch);
    return q->b ? a - q->metric->value(q->b, index, n, q->k, q->scratch) : a;
}

static hf_status interval(hf_interval *out, asked *q, const int *index, int n, const hf_bootstrap *bootstrap)
{
    hf_interval found;
    HF_TRY(hf_alloc(&q->scratch, (size_t)n * SCRATCH, sizeof *q->scratch, "a metric"));
    const hf_status status = hf_bootstrap_interval(&found, answer, q, index, n, bootstrap);
    if (status == HF_OK) *out = found;
    free(q->scratch);
    return status;
}

hf_status hf_metric_of(double *out, const hf_metric *metric, int k, const hf_scored *s, const int *index, int n)
{
    double *scratch;
    HF_TRY(check_scored(metric, s, index, n));
    HF_TRY(hf_alloc(&scratch, (size_t)n * SCRATCH, sizeof *scratch, "a metric"));
    *out = metric->value(s, index, n, k, scratch);
    free(scratch);
    return HF_OK;
}

hf_status hf_metric_interval(hf_interval *out, const hf_metric *metric, int k, const hf_scored *s, const int *index,
                             int n, const hf_bootstrap *bootstrap)
{
    HF_TRY(check_scored(metric, s, index, n));
    return interval(out, &(asked){ .metric = metric, .k = k, .a = s }, index, n, bootstrap);
}

hf_status hf_metric_difference(hf_interval *out, const hf_metric *metric, int k, const hf_scored *a, const hf_scored *b,
                               const int *index, int n, const hf_bootstrap *bootstrap)
{
    HF_TRY(check_scored(metric, a, index, n));
    HF_TRY(check_scored(metric, b, index, n));
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i) * (size_t)a->T;
        if (a->T != b->T || memcmp(a->truth + at, b->truth + at, (size_t)a->T * sizeof *a->truth) != 0)
            return hf_fail(HF_ERR_ARGUMENT, "a difference of %s: subject %d does not have the same truth on both sides",
                           metric->name, index ? index[i] : i);
    }
    return interval(out, &(asked){ .metric = metric, .k = k, .a = a, .b = b }, index, n, bootstrap);
}
