/* metrics.h: how far predictions are from the truth, and how sure one can be of it.
 *
 * A metric is a row of a table: its names, its unit, which direction is better, and a function over any subset of
 * subjects, so that one function serves all subjects, a group of them, and every resample of a bootstrap.
 *
 * Intervals are 95 % percentile intervals of the bootstrap: subjects are drawn again with replacement, B times, and the
 * 2.5 % and 97.5 % quantiles of the statistic are taken (linear interpolation between order statistics). The draws are a
 * function of the seed and the number of subjects alone, so an interval can be made again from the same order of
 * subjects. */
#ifndef HF_METRICS_H
#define HF_METRICS_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the bootstrap ----------------------------------------------------------------------------------------------- */

typedef struct hf_interval {
    double value, low, high;
} hf_interval;

/* B resamples drawn with a seed; B 0: 2000. */
typedef struct hf_bootstrap {
    int64_t resamples;
    uint64_t seed;
} hf_bootstrap;

/* Any number about the subjects index[n], which may hold a subject more than once; NaN where it has no meaning. */
typedef double hf_statistic(void *user, const int *index, int n);

/* The statistic of the subjects index[n] (NULL: 0..n-1) and its interval. Resamples on which it is NaN, as when a class is
 * absent, are left out of the quantiles; when all are, low and high are NaN. HF_ERR_ARGUMENT for n < 1. */
hf_status hf_bootstrap_interval(hf_interval *out, hf_statistic *statistic, void *user, const int *index, int n,
                                const hf_bootstrap *bootstrap) HF_MUST_USE;

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

enum { HF_MAX_CLASSES = 16 };

/* Subjects with truth and prediction. Of numbers T = P = 1. Of classes truth is the class index, T = 1, and predicted
 * holds a probability for each of P classes; the predicted class is the most probable one, the first of equals. Of times
 * until an event truth is (time, 1 or 0), T = 2, and predicted a number that grows with risk, P = 1. */
typedef struct hf_scored {
    int count, T, P;
    const double *truth;     /* [count,T] */
    const double *predicted; /* [count,P] */
} hf_scored;

typedef enum hf_better { HF_LOWER, HF_HIGHER, HF_NEITHER } hf_better;
typedef enum hf_metric_unit { HF_UNIT_NONE, HF_UNIT_TARGET, HF_UNIT_SQUARED } hf_metric_unit;

typedef struct hf_metric {
    const char *name;  /* in logs and JSON: "mae" */
    const char *label; /* in tables: "MAE" */
    const char *title; /* in full */
    hf_metric_unit unit;
    hf_better better;
    bool per_class; /* value() is asked for each class `k` */
    int digits;     /* behind the point, in tables */
    /* Over the subjects index[n]; NaN where it has no meaning for them. scratch[4n] is its own. */
    double (*value)(const hf_scored *s, const int *index, int n, int k, double *scratch);
} hf_metric;

const hf_metric *hf_metric_find(const char *name); /* NULL when there is none */

/* Whether `a` is better than `b`; a number is better than NaN. */
bool hf_metric_better(const hf_metric *metric, double a, double b);

/* Of the subjects index[n] (NULL: the first n). HF_ERR_ARGUMENT for n < 1, HF_ERR_NUMBER for values that are not finite. */
hf_status hf_metric_of(double *out, const hf_metric *metric, int k, const hf_scored *s, const int *index,
                       int n) HF_MUST_USE;
hf_status hf_metric_interval(hf_interval *out, const hf_metric *metric, int k, const hf_scored *s, const int *index,
                             int n, const hf_bootstrap *bootstrap) HF_MUST_USE;

/* The metric of `a` minus that of `b` on the same subjects, each resample keeping the pairs together: the difference is
 * beyond chance when the interval excludes 0. HF_ERR_ARGUMENT when the two do not have the same truth. */
hf_status hf_metric_difference(hf_interval *out, const hf_metric *metric, int k, const hf_scored *a, const hf_scored *b,
                               const int *index, int n, const hf_bootstrap *bootstrap) HF_MUST_USE;

/* Subjects of class `row` predicted as class `column`, into counts[P,P]; truth and predicted are checked before. */
void hf_confusion(int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES], const hf_scored *s, const int *index, int n);

/* The most probable class of predicted[P], the first of equals. */
int hf_most_probable(const double *predicted, int P);

/* Split-conformal prediction intervals (Vovk and others 2005; Lei and others 2018): a prediction plus and minus the k-th
 * smallest of n absolute residuals of subjects that did not train, k = ceil((n + 1) percent / 100), holds the truth of a
 * new subject with at least that probability, whatever the network, when all of them are exchangeable. The rank k, from
 * 1; 0 when n is too small for it. And the least n that is not; percent is 1 to 99. */
int hf_conformal_rank(int n, int percent);
int hf_conformal_least(int percent);

double hf_mean(const double *values, int count);                               /* NaN when empty */
hf_status hf_median(double *out, const double *values, int count) HF_MUST_USE; /* NaN when empty */

#ifdef __cplusplus
}
#endif
#endif
