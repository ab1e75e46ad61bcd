/* metrics.c: errors of a regression and their bootstrap intervals.
 *
 * Resample b takes subjects i_1..i_n with replacement; the index of draw j of resample b is b*n + j of one random
 * stream, so neither order nor threads matter. Sums run in subject order, compensated (Neumaier), so that the value does
 * not depend on how a compiler would like to add. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RESAMPLES = 2000 };
#define LOW_QUANTILE  0.025
#define HIGH_QUANTILE 0.975

/* A sum and what rounding has taken from it. */
typedef struct sum {
    double total, lost;
} sum;

static void add(sum *s, double x)
{
    double t = s->total + x;
    s->lost += fabs(s->total) >= fabs(x) ? (s->total - t) + x : (x - t) + s->total;
    s->total = t;
}

double hf_mean(const double *values, int count)
{
    sum s = { 0 };
    for (int i = 0; i < count; i++)
        add(&s, values[i]);
    return count > 0 ? (s.total + s.lost) / count : NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the order statistics around (count - 1) q. */
static double quantile(const double *sorted, int64_t count, double q)
{
    double at = (double)(count - 1) * q;
    int64_t below = (int64_t)floor(at);
    int64_t above = below + 1 < count ? below + 1 : below;
    double part = at - (double)below;
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
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    *out = quantile(sorted, count, 0.5);
    free(sorted);
    return HF_OK;
}

static hf_status check_values(const double *values, int count, const char *what)
{
    if (count < 1) return hf_fail(HF_ERR_ARGUMENT, "metrics of %d subjects: at least one is needed", count);
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return hf_fail(HF_ERR_NUMBER, "the %s value of subject %d is %g, expected a finite number", what, i,
                           values[i]);
    return HF_OK;
}

/* The mean of `values` and its bootstrap interval. Every statistic here is a mean over subjects of something that is
 * known per subject: the absolute error, the squared error, the difference of two absolute errors. */
static hf_status mean_interval(hf_interval *out, const double *values, int count, const hf_bootstrap *bootstrap)
{
    int64_t resamples = bootstrap && bootstrap->resamples > 0 ? bootstrap->resamples : DEFAULT_RESAMPLES;
    uint64_t seed = bootstrap ? bootstrap->seed : 0, stream = hf_random_stream("bootstrap", (uint64_t)count, 0);
    double *mean;
    HF_TRY(hf_alloc(&mean, (size_t)resamples, sizeof *mean, "bootstrap resamples"));
    for (int64_t b = 0; b < resamples; b++) {
        sum s = { 0 };
        for (int j = 0; j < count; j++) {
            double u = hf_random_uniform(seed, stream, (uint64_t)b * (uint64_t)count + (uint64_t)j);
            add(&s, values[(int)(u * count)]);
        }
        mean[b] = (s.total + s.lost) / count;
    }
    qsort(mean, (size_t)resamples, sizeof *mean, by_value);
    out->value = hf_mean(values, count);
    out->low = quantile(mean, resamples, LOW_QUANTILE);
    out->high = quantile(mean, resamples, HIGH_QUANTILE);
    free(mean);
    return HF_OK;
}

/* Pearson's r in two passes. */
static double correlation(const double *x, const double *y, int count)
{
    double mean_x = hf_mean(x, count), mean_y = hf_mean(y, count);
    sum xx = { 0 }, yy = { 0 }, xy = { 0 };
    for (int i = 0; i < count; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        add(&xx, dx * dx);
        add(&yy, dy * dy);
        add(&xy, dx * dy);
    }
    double product = (xx.total + xx.lost) * (yy.total + yy.lost);
    return product > 0 ? (xy.total + xy.lost) / sqrt(product) : NAN;
}

hf_status hf_regression_metrics(hf_regression *out, const double *actual, const double *predicted, int count,
                                const hf_bootstrap *bootstrap)
{
    hf_status status;
    hf_regression result = { .count = count };
    double *error = NULL;
    HF_TRY_OUT(check_values(actual, count, "actual"));
    HF_TRY_OUT(check_values(predicted, count, "predicted"));
    HF_TRY_OUT(hf_alloc(&error, (size_t)count, sizeof *error, "errors"));
    for (int i = 0; i < count; i++)
        error[i] = predicted[i] - actual[i];
    result.bias = hf_mean(error, count);
    for (int i = 0; i < count; i++)
        error[i] = fabs(error[i]);
    HF_TRY_OUT(mean_interval(&result.mae, error, count, bootstrap));
    for (int i = 0; i < count; i++)
        error[i] *= error[i];
    HF_TRY_OUT(mean_interval(&result.mse, error, count, bootstrap));
    result.r = correlation(actual, predicted, count);
    *out = result;
out:
    free(error);
    return status;
}

hf_status hf_regression_by_group(hf_regression *out, const char *const *groups, int n_groups, const double *actual,
                                 const double *predicted, const char *const *group, int count,
                                 const hf_bootstrap *bootstrap)
{
    double *copy; /* [2][count]: actual and predicted of one group */
    HF_TRY(hf_alloc(&copy, count > 0 ? (size_t)count * 2 : 0, sizeof *copy, "one group"));
    hf_status status = HF_OK;
    for (int g = 0; status == HF_OK && g < n_groups; g++) {
        int members = 0;
        for (int i = 0; i < count; i++) {
            if (!group[i] || strcmp(group[i], groups[g]) != 0) continue;
            copy[members] = actual[i];
            copy[count + members++] = predicted[i];
        }
        const hf_interval none = { NAN, NAN, NAN };
        out[g] = (hf_regression){ 0, none, none, NAN, NAN };
        if (members == 0) continue;
        status = hf_regression_metrics(&out[g], copy, copy + count, members, bootstrap);
        if (status != HF_OK) status = hf_fail_in(status, "group '%s'", groups[g]);
    }
    free(copy);
    return status;
}

hf_status hf_mae_difference(hf_interval *out, const double *actual, const double *a, const double *b, int count,
                            const hf_bootstrap *bootstrap)
{
    HF_TRY(check_values(actual, count, "actual"));
    HF_TRY(check_values(a, count, "first predicted"));
    HF_TRY(check_values(b, count, "second predicted"));
    double *difference;
    HF_TRY(hf_alloc(&difference, (size_t)count, sizeof *difference, "differences"));
    for (int i = 0; i < count; i++)
        difference[i] = fabs(a[i] - actual[i]) - fabs(b[i] - actual[i]);
    hf_interval result;
    hf_status status = mean_interval(&result, difference, count, bootstrap);
    if (status == HF_OK) *out = result;
    free(difference);
    return status;
}
