/* sum.h: sums and quantiles for the files of this folder. */
#ifndef HF_METRICS_SUM_H
#define HF_METRICS_SUM_H

#include "metrics.h"

/* A sum and what rounding has taken from it (Neumaier): the value does not depend on how a compiler would like to add. */
typedef struct hf_sum {
    double total, lost;
} hf_sum;

void hf_sum_add(hf_sum *sum, double x);
double hf_sum_total(const hf_sum *sum);

/* Between the order statistics around (count - 1) q. */
double hf_quantile(const double *sorted, int64_t count, double q);

/* Values of the metrics of calibration (calibration.c). */
double hf_ece(const hf_scored *s, const int *index, int n, int k, double *scratch);
double hf_brier(const hf_scored *s, const int *index, int n, int k, double *scratch);

/* Metrics of numbers, of classes, of times until an event; each ended by a row without name. */
extern const hf_metric hf_metrics_of_numbers[], hf_metrics_of_classes[], hf_metrics_of_times[];

#endif
