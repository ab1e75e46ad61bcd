/* guard.h: is a volume like the training ones? Private to host/. */
#ifndef HF_RUN_GUARD_H
#define HF_RUN_GUARD_H

#include "run.h"

/* The mean thumbnail of the training volumes, and how well they agree with it. */
typedef struct hf_guard {
    float mean[HF_THUMBNAIL_CELLS];
    double typical; /* median correlation of a training volume with the mean */
    double lowest;  /* a correlation below this is far outside of what is usual in training */
    int checked,
        flagged; /* training volumes that were looked at, and those of them below `lowest`: false alarms, or scans
                             that are no good */
} hf_guard;

hf_status hf_guard_fit(hf_guard *out, const hf_dataset *dataset, const int *index, int count) HF_MUST_USE;
/* Correlation of a preprocessed volume [D,H,W] with the mean; NaN for a constant volume. */
double hf_guard_correlation(const hf_guard *guard, const float *volume, const int shape[3]);

#endif
