/* calibration.h: do predicted probabilities mean what they say? */
#ifndef HF_CALIBRATION_H
#define HF_CALIBRATION_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HF_CALIBRATION_BINS = 10 };

/* Subjects whose most probable class has a probability in ((b)/BINS, (b+1)/BINS]. */
typedef struct hf_calibration_bin {
    int count;
    double confidence; /* mean probability of the most probable class; NaN when empty */
    double accuracy;   /* how many of them are of that class; NaN when empty */
} hf_calibration_bin;

typedef struct hf_calibration {
    hf_calibration_bin bin[HF_CALIBRATION_BINS];
    double ece;   /* expected calibration error: mean over subjects of |accuracy - confidence| of their bin */
    double brier; /* mean over subjects of the squared distance between probabilities and the one-hot truth, 0 to 2 */
} hf_calibration;

/* Of the subjects index[n] (NULL: the first n). HF_ERR_ARGUMENT for n < 1 or a truth that is no class, HF_ERR_NUMBER for a
 * probability that is not between 0 and 1. The metrics "ece" and "brier" (metrics.h) are its two numbers. */
hf_status hf_calibration_of(hf_calibration *out, const hf_scored *s, const int *index, int n) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
