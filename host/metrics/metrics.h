/* metrics.h: how far predictions are from the truth, and how sure one can be of it.
 *
 * Intervals are 95 % percentile intervals of the bootstrap: subjects are drawn again with replacement, B times, and the
 * 2.5 % and 97.5 % quantiles of the statistic are taken (linear interpolation between order statistics). The draws are a
 * function of the seed alone, so an interval can be made again.
 *
 * Every function refuses an empty group (HF_ERR_ARGUMENT) and values that are not finite (HF_ERR_NUMBER). */
#ifndef HF_METRICS_H
#define HF_METRICS_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_interval {
    double value, low, high;
} hf_interval;

/* B resamples drawn with a seed; B 0: 2000. */
typedef struct hf_bootstrap {
    int64_t resamples;
    uint64_t seed;
} hf_bootstrap;

/* Of one group of subjects. Units: those of the target (years), its square for mse. */
typedef struct hf_regression {
    int count;
    hf_interval mae; /* mean absolute error */
    hf_interval mse; /* mean squared error */
    double bias;     /* mean of predicted - actual */
    double r;        /* Pearson's correlation; NaN when one side is constant or count < 2 */
} hf_regression;

hf_status hf_regression_metrics(hf_regression *out, const double *actual, const double *predicted, int count,
                                const hf_bootstrap *bootstrap) HF_MUST_USE;

/* The same for each value of `group` (text per subject, NULL: none). groups[n_groups] names the wanted ones, out holds
 * one result for each; a group without subjects gets count 0 and NaNs. */
hf_status hf_regression_by_group(hf_regression *out, const char *const *groups, int n_groups, const double *actual,
                                 const double *predicted, const char *const *group, int count,
                                 const hf_bootstrap *bootstrap) HF_MUST_USE;

/* Mean absolute error of `a` minus that of `b` on the same subjects, each resample keeping the pairs together: negative
 * when a is better, and the difference is beyond chance when the interval excludes 0. */
hf_status hf_mae_difference(hf_interval *out, const double *actual, const double *a, const double *b, int count,
                            const hf_bootstrap *bootstrap) HF_MUST_USE;

double hf_mean(const double *values, int count);                               /* NaN when empty */
hf_status hf_median(double *out, const double *values, int count) HF_MUST_USE; /* NaN when empty */

#ifdef __cplusplus
}
#endif
#endif
