/* ensemble.c: one prediction out of several models'. */
#include "ensemble.h"
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* As the authors' code has them: what stands for a probability of zero, and what keeps its logarithm finite. */
#define ZERO    1e-7
#define EPSILON 1e-14

static const char *const names[HF_N_ENSEMBLES] = { [HF_ENSEMBLE_MEAN] = "mean",
                                                   [HF_ENSEMBLE_ENTROPY] = "entropy",
                                                   [HF_ENSEMBLE_VOTE] = "vote",
                                                   [HF_ENSEMBLE_CONFIDENT] = "confident" };

const char *hf_ensemble_name(hf_ensemble kind)
{
    return names[kind];
}

hf_status hf_ensemble_find(hf_ensemble *out, const char *name)
{
    for (int i = 0; i < HF_N_ENSEMBLES; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (hf_ensemble)i;
        return HF_OK;
    }
    const char *nearest = hf_nearest(name, names, HF_N_ENSEMBLES);
    return hf_fail(HF_ERR_ARGUMENT, "ensemble '%s'%s%s%s: mean, entropy, vote or confident are expected", name,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static double kept(double p)
{
    return p == 0 ? ZERO : p;
}

static double entropy(const double *p, int classes)
{
    double h = 0;
    for (int c = 0; c < classes; c++)
        h -= kept(p[c]) * log(kept(p[c]) + EPSILON);
    return h;
}

/* w[models] for one subject, whose probabilities by model j stand at p + j * stride. */
static void weigh(double *w, const double *p, size_t stride, int models, int classes, hf_ensemble kind)
{
    double sum = 0;
    int surest = 0;
    for (int j = 0; j < models; j++) {
        w[j] = kind == HF_ENSEMBLE_MEAN ? 1 : 1 / entropy(p + (size_t)j * stride, classes);
        sum += w[j];
        if (w[j] > w[surest]) surest = j;
    }
    for (int j = 0; j < models; j++)
        w[j] = kind == HF_ENSEMBLE_CONFIDENT ? j == surest : w[j] / sum;
}

static void combine(double *out, const double *w, const double *p, size_t stride, int models, int classes,
                    hf_ensemble kind)
{
    for (int c = 0; c < classes; c++)
        out[c] = 0;
    for (int j = 0; j < models; j++) {
        const double *of = p + (size_t)j * stride;
        if (kind == HF_ENSEMBLE_VOTE)
            out[hf_most_probable(of, classes)] += w[j];
        else
            for (int c = 0; c < classes; c++)
                out[c] += w[j] * (kind == HF_ENSEMBLE_ENTROPY ? kept(of[c]) : of[c]);
    }
}

static hf_status check_probabilities(const double *p, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return hf_fail(HF_ERR_NUMBER, "ensemble: probability %zu is %g, expected from 0 to 1", i, p[i]);
    return HF_OK;
}

hf_status hf_ensemble_classes(double *out, const double *probability, int models, int count, int classes,
                              hf_ensemble kind)
{
    const size_t stride = (size_t)count * (size_t)classes;
    double *w;
    if (models < 1 || classes < 2)
        return hf_fail(HF_ERR_ARGUMENT, "ensemble of %d models and %d classes: at least 1 and 2 are needed", models,
                       classes);
    HF_TRY(check_probabilities(probability, (size_t)models * stride));
    HF_TRY(hf_alloc(&w, (size_t)models, sizeof *w, "weights of an ensemble"));
    for (int i = 0; i < count; i++) {
        const size_t at = (size_t)i * (size_t)classes;
        weigh(w, probability + at, stride, models, classes, kind);
        combine(out + at, w, probability + at, stride, models, classes, kind);
    }
    free(w);
    return HF_OK;
}

void hf_ensemble_numbers(double *out, const double *predicted, int models, int count)
{
    for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int j = 0; j < models; j++)
            sum += predicted[(size_t)j * (size_t)count + (size_t)i];
        out[i] = sum / models;
    }
}

hf_status hf_best_of(int *best, int wanted, const double *score, int count, bool higher)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        if (isnan(score[i])) continue;
        int at = found < wanted ? found++ : wanted;
        for (; at > 0 && (higher ? score[best[at - 1]] < score[i] : score[best[at - 1]] > score[i]); at--)
            if (at < wanted) best[at] = best[at - 1];
        if (at < wanted) best[at] = i;
    }
    if (found == wanted) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "the best %d of %d scores: only %d are numbers", wanted, count, found);
}
