/* significance.h: is one method better than another? Rank tests over runs, corrected for how many were made. */
#ifndef HF_SIGNIFICANCE_H
#define HF_SIGNIFICANCE_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_spread {
    double mean, sd; /* sample standard deviation (n - 1); NaN for fewer than two values */
} hf_spread;
hf_spread hf_spread_of(const double *values, int count);

typedef enum hf_alternative {
    HF_TWO_SIDED,
    HF_GREATER, /* the first sample tends to larger values */
    HF_LESS,
} hf_alternative;

typedef struct hf_rank_test {
    double u; /* Mann-Whitney's U of the first sample: pairs in which it is larger, ties counting half */
    double p;
    bool exact; /* from all arrangements; otherwise by the normal distribution, corrected for ties and continuity */
} hf_rank_test;

/* Mann and Whitney's test (1947). Exact when there are no ties and one sample has at most 8 values, as scipy's
 * mannwhitneyu chooses. All values equal: p = 1. HF_ERR_ARGUMENT for an empty sample, HF_ERR_NUMBER for a value that is
 * not finite. */
hf_status hf_rank_test_of(hf_rank_test *out, const double *a, int n_a, const double *b, int n_b,
                          hf_alternative alternative) HF_MUST_USE;

/* Holm's step-down correction (1979) of p values of one family: out[count], in the order given; NaN stays NaN and does
 * not count. */
hf_status hf_holm(double *out, const double *p, int count) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
