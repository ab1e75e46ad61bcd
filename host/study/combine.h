/* combine.h: several models' predictions as one; for the files of this folder. */
#ifndef HF_COMBINE_H
#define HF_COMBINE_H

#include "study.h"

/* out[count,P] from the predictions of `count` models of the study, by its recipe's crossval.ensemble. HF_ERR_FORMAT when
 * they are of different subjects. */
hf_status hf_study_combine(double *out, const hf_study *study, const hf_predictions *const *of, int count);

#endif
