/* ensemble.h: one prediction out of several models'. */
#ifndef HF_ENSEMBLE_H
#define HF_ENSEMBLE_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How class probabilities are combined. With p_j those of model j, H_j their entropy and w_j = (1/H_j) / sum_i (1/H_i)
 * (HyperFusion paper, equations 7 and 8): */
typedef enum hf_ensemble {
    HF_ENSEMBLE_MEAN,      /* mean of p_j */
    HF_ENSEMBLE_ENTROPY,   /* sum of w_j p_j */
    HF_ENSEMBLE_VOTE,      /* sum of w_j over the models for which the class is the most probable */
    HF_ENSEMBLE_CONFIDENT, /* p_j of the model with the least entropy */
    HF_N_ENSEMBLES,
} hf_ensemble;

/* By name: "mean", "entropy", "vote", "confident". HF_ERR_ARGUMENT names the nearest. */
hf_status hf_ensemble_find(hf_ensemble *out, const char *name) HF_MUST_USE;
const char *hf_ensemble_name(hf_ensemble kind);

/* out[count,classes] from probability[models,count,classes]. Ties go to the first model, and to the first class.
 * HF_ERR_NUMBER for a probability that is not between 0 and 1. */
hf_status hf_ensemble_classes(double *out, const double *probability, int models, int count, int classes,
                              hf_ensemble kind) HF_MUST_USE;

/* out[count] is the mean over models of predicted[models,count] (equation 6). */
void hf_ensemble_numbers(double *out, const double *predicted, int models, int count);

/* The `wanted` best of `count` scores into best[wanted], best first, equal ones in order. `score` must come from
 * validation subjects. HF_ERR_ARGUMENT when there are fewer that are not NaN. */
hf_status hf_best_of(int *best, int wanted, const double *score, int count, bool higher) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
