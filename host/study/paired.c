/* paired.c: differences of methods on equal test subjects, with intervals. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

/* All ensembles of one split seed as one, of the subjects of *of: predicted[count,P]. *of is NULL when there is none. */
static hf_status whole_seed(double **predicted, const hf_predictions **of, const hf_study *study, int64_t seed)
{
    const hf_predictions **ensembles = NULL;
    int n = 0;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&ensembles, (size_t)study->n_ensembles, sizeof *ensembles, "the ensembles of a seed"));
    for (int i = 0; i < study->n_ensembles; i++)
        if (study->ensemble[i].of.seed == seed) ensembles[n++] = &study->ensemble[i].predictions;
    *of = n ? ensembles[0] : NULL;
    if (n)
        status = hf_alloc(predicted, (size_t)(*of)->count * (size_t)study->target.P, sizeof **predicted, "an ensemble");
    if (n && status == HF_OK) status = hf_study_combine(*predicted, study, ensembles, n);
    free(ensembles);
    return status;
}

static bool same_subjects(const hf_predictions *a, const hf_predictions *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->id[i], b->id[i]) == 0;
    return same;
}

static hf_status differences(hf_paired *out, const hf_study *first, const hf_scored *a, const hf_scored *b,
                             const hf_bootstrap *bootstrap)
{
    for (int k = 0; k < first->n_columns; k++)
        HF_TRY(hf_metric_difference(&out->of[k], first->column[k].metric, first->column[k].k, a, b, NULL, a->count,
                                    bootstrap));
    out->subjects = a->count;
    return HF_OK;
}

/* This method minus the first one, for one split seed; nothing is added when their test subjects differ. */
static hf_status add_pair(hf_comparison *c, int method, int64_t seed, const hf_bootstrap *bootstrap)
{
    const hf_study *study = c->method[method].study, *first = c->method[0].study;
    const hf_predictions *of_a, *of_b;
    double *x = NULL, *y = NULL;
    hf_status status;
    HF_TRY_OUT(whole_seed(&x, &of_a, study, seed));
    HF_TRY_OUT(whole_seed(&y, &of_b, first, seed));
    if (!of_a || !of_b || !same_subjects(of_a, of_b)) goto out;
    hf_paired *pair = &c->paired[c->n_paired];
    *pair = (hf_paired){ .method = method, .seed = seed };
    const hf_scored a = { of_a->count, of_a->target.T, study->target.P, of_a->truth, x };
    const hf_scored b = { of_b->count, of_b->target.T, first->target.P, of_b->truth, y };
    HF_TRY_OUT(differences(pair, first, &a, &b, bootstrap));
    c->n_paired++;
out:
    free(x);
    free(y);
    return status;
}

hf_status hf_compare_pairs(hf_comparison *c, const hf_bootstrap *bootstrap)
{
    const hf_recipe *recipe = &c->method[0].study->recipe;
    const int seeds = (int)recipe->crossval.seeds;
    HF_TRY(hf_alloc(&c->paired, (size_t)c->n_methods * (size_t)seeds, sizeof *c->paired, "paired differences"));
    for (int m = 1; m < c->n_methods; m++)
        for (int s = 0; s < seeds; s++)
            HF_TRY(add_pair(c, m, recipe->split.seed + s, bootstrap));
    return HF_OK;
}
