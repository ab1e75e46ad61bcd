/* ensemble.c: the models of a study judged, and put together as its recipe says.
 *
 * An ensemble is a stretch of the list of models: the folds of one version, or all versions of one split seed. Where its
 * models were tested on the same subjects they are combined. Where each fold has subjects of its own, those that share a
 * fold are combined, and the folds are put one after the other. */
#include "metrics/ensemble.h"
#include "parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Models that are combined, and what they make. */
typedef struct models {
    const hf_study *study;
    const hf_outcome **of; /* [count] */
    int count;
} models;

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static hf_status judge(hf_outcome *outcome, const hf_study *study)
{
    const hf_predictions *p = &outcome->predictions;
    const hf_scored scored = { p->count, p->target.T, p->target.P, p->truth, p->predicted };
    for (int c = 0; c < study->n_columns; c++)
        HF_TRY(hf_metric_of(&outcome->test[c], study->column[c].metric, study->column[c].k, &scored, NULL, p->count));
    return HF_OK;
}

/* ---- combining --------------------------------------------------------------------------------------------------- */

static hf_status check_same_subjects(const hf_predictions *a, const hf_predictions *b)
{
    for (int i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->id[i], b->id[i]) != 0)
            return hf_fail(HF_ERR_FORMAT, "its models were tested on different subjects: '%s' against '%s'", a->id[i],
                           b->id[i]);
    if (a->count == b->count) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "its models were tested on %d and %d subjects", a->count, b->count);
}

hf_status hf_study_combine(double *out, const hf_study *study, const hf_predictions *const *of, int count)
{
    const size_t each = (size_t)of[0]->count * (size_t)study->target.P;
    double *all;
    hf_ensemble kind;
    for (int m = 1; m < count; m++)
        HF_TRY(check_same_subjects(of[0], of[m]));
    HF_TRY(hf_ensemble_find(&kind, study->recipe.crossval.ensemble));
    HF_TRY(hf_alloc(&all, (size_t)count * each, sizeof *all, "predictions of an ensemble"));
    for (int m = 0; m < count; m++)
        memcpy(all + (size_t)m * each, of[m]->predicted, each * sizeof *all);
    hf_status status = HF_OK;
    if (count == 1)
        memcpy(out, all, each * sizeof *out);
    else if (study->target.n_classes)
        status = hf_ensemble_classes(out, all, count, of[0]->count, study->target.P, kind);
    else
        hf_ensemble_numbers(out, all, count, of[0]->count);
    free(all);
    return status;
}

/* The indices of the models that take part: all, or the best by validation. */
static hf_status choose(int *chosen, int *count, const models *m)
{
    const int best = (int)m->study->recipe.crossval.best;
    const bool higher = m->study->column[m->study->select].metric->better == HF_HIGHER;
    double *valid;
    *count = best > 0 && best < m->count ? best : m->count;
    HF_TRY(hf_alloc(&valid, (size_t)m->count, sizeof *valid, "validation metrics"));
    for (int i = 0; i < m->count; i++) {
        valid[i] = m->of[i]->valid;
        chosen[i] = i;
    }
    const hf_status status = *count < m->count ? hf_best_of(chosen, *count, valid, m->count, higher) : HF_OK;
    free(valid);
    return status;
}

/* The prediction of the chosen ones for the subjects of the first model, into out[count,P]. */
static hf_status combine(double *out, const models *m)
{
    hf_status status;
    const hf_predictions **of = NULL;
    int *chosen = NULL, count;
    HF_TRY_OUT(hf_alloc(&of, (size_t)m->count, sizeof *of, "the models of an ensemble"));
    HF_TRY_OUT(hf_alloc(&chosen, (size_t)m->count, sizeof *chosen, "the models of an ensemble"));
    HF_TRY_OUT(choose(chosen, &count, m));
    for (int i = 0; i < count; i++)
        of[i] = &m->of[chosen[i]]->predictions;
    for (int i = 1; i < m->count; i++) /* those left out as well: they are of one ensemble */
        HF_TRY_OUT(check_same_subjects(&m->of[0]->predictions, &m->of[i]->predictions));
    status = hf_study_combine(out, m->study, of, count);
out:
    free(chosen);
    free(of);
    return status;
}

/* ---- joining ----------------------------------------------------------------------------------------------------- */

/* Copies id, groups and truth of all subjects of `from` behind the first `at` of `out`. */
static hf_status copy_subjects(hf_predictions *out, int at, const hf_predictions *from)
{
    const int T = from->target.T, G = from->n_groups;
    for (int i = 0; i < from->count; i++) {
        HF_TRY(hf_strdup(&out->id[at + i], from->id[i]));
        for (int g = 0; g < G; g++)
            if (from->group[i * G + g]) HF_TRY(hf_strdup(&out->group[(at + i) * G + g], from->group[i * G + g]));
        memcpy(out->truth + (at + i) * T, from->truth + i * T, (size_t)T * sizeof *out->truth);
    }
    return HF_OK;
}

/* Room for so many subjects like those of a model. */
static hf_status make_room(hf_predictions *out, const hf_predictions *like, int count)
{
    HF_TRY(hf_predictions_new(out, &like->target, count, like->n_groups));
    out->bootstrap = like->bootstrap;
    for (int g = 0; g < like->n_groups; g++)
        HF_TRY(hf_strdup(&out->group_name[g], like->group_name[g]));
    return HF_OK;
}

static bool knows(const hf_predictions *p, const char *id)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->id[i], id) == 0) return true;
    return false;
}

/* Whether each fold has test subjects of its own; first[] begins with all folds of one version. */
static bool are_apart(const hf_outcome *first, int folds)
{
    return folds > 1 && first[1].predictions.count > 0 && !knows(&first[0].predictions, first[1].predictions.id[0]);
}

/* The models of a fold among first[count], or all of them (fold -1), into m->of. */
static void gather(models *m, const hf_outcome *first, int count, int fold)
{
    m->count = 0;
    for (int i = 0; i < count; i++)
        if (fold < 0 || first[i].of.fold == fold) m->of[m->count++] = &first[i];
}

static hf_status join(hf_predictions *out, models *m, const hf_outcome *first, int count)
{
    const int folds = (int)m->study->recipe.crossval.folds;
    const bool apart = are_apart(first, folds);
    int subjects = 0, at = 0;
    for (int f = 0; f < (apart ? folds : 1); f++)
        subjects += first[f].predictions.count;
    HF_TRY(make_room(out, &first->predictions, subjects));
    for (int f = 0; f < (apart ? folds : 1); f++) {
        gather(m, first, count, apart ? f : -1);
        HF_TRY(copy_subjects(out, at, &m->of[0]->predictions));
        HF_TRY(combine(out->predicted + (size_t)at * (size_t)out->target.P, m));
        at += m->of[0]->predictions.count;
    }
    return HF_OK;
}

/* The name of a stretch of models: "seed-0/version-1", or "seed-0" of several versions. */
static void name(hf_member *out, const hf_member *first, bool versions)
{
    *out = *first;
    out->fold = -1;
    *strrchr(out->place, '/') = '\0';
    if (!versions) return;
    out->version = -1;
    *strrchr(out->place, '/') = '\0';
}

static hf_status make_ensemble(hf_outcome *out, const hf_study *study, const hf_outcome *first, int count)
{
    models m = { .study = study };
    name(&out->of, &first->of, first[count - 1].of.version != first->of.version);
    out->valid = NAN;
    HF_TRY(hf_alloc(&m.of, (size_t)count, sizeof *m.of, "the models of an ensemble"));
    hf_status status = join(&out->predictions, &m, first, count);
    free(m.of);
    if (status == HF_OK) status = judge(out, study);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s' of '%s'", out->of.place, study->folder);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static hf_status make_ensembles(hf_study *study)
{
    const bool versions = strcmp(study->recipe.crossval.over, "versions") == 0;
    const int each = (int)(study->recipe.crossval.folds * (versions ? study->recipe.crossval.versions : 1));
    const int count = study->n_models / each;
    HF_TRY(hf_alloc(&study->ensemble, (size_t)count, sizeof *study->ensemble, "ensembles"));
    while (study->n_ensembles < count) {
        const int e = study->n_ensembles++; /* counted before it is made, so that it is freed */
        HF_TRY(make_ensemble(&study->ensemble[e], study, &study->model[e * each], each));
    }
    return HF_OK;
}

hf_status hf_study_assemble(hf_study *study)
{
    study->n_columns = hf_target_columns(study->column, &study->target);
    study->select = hf_target_select(&study->target);
    for (int i = 0; i < study->n_models; i++) {
        const hf_status status = judge(&study->model[i], study);
        if (status != HF_OK) return hf_fail_in(status, "run '%s' of '%s'", study->model[i].of.place, study->folder);
    }
    return make_ensembles(study);
}

void hf_study_free_ensembles(hf_study *study)
{
    for (int i = 0; i < study->n_ensembles; i++)
        hf_predictions_free(&study->ensemble[i].predictions);
    free(study->ensemble);
    study->ensemble = NULL;
    study->n_ensembles = 0;
}

static hf_status set(hf_recipe *recipe, const char *key, const char *value)
{
    char setting[96];
    if (!value) return HF_OK;
    snprintf(setting, sizeof setting, "%s=%.64s", key, value);
    return hf_recipe_set(recipe, setting);
}

hf_status hf_study_recombine(hf_study *study, const hf_study_rule *rule)
{
    HF_TRY(set(&study->recipe, "crossval.ensemble", rule->ensemble));
    HF_TRY(set(&study->recipe, "crossval.over", rule->over));
    if (rule->best) study->recipe.crossval.best = rule->best;
    hf_study_free_ensembles(study);
    return make_ensembles(study);
}
