/* read.c: a finished study from its folder: the predictions of every run, judged, and of every ensemble. */
#include "combine.h"
#include "metrics/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static hf_status judge(hf_outcome *outcome, const hf_study *study)
{
    const hf_predictions *p = &outcome->predictions;
    const hf_scored scored = { p->count, p->target.T, p->target.P, p->truth, p->predicted };
    for (int c = 0; c < study->n_columns; c++)
        HF_TRY(hf_metric_of(&outcome->test[c], study->column[c].metric, study->column[c].k, &scored, NULL, p->count));
    return HF_OK;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static hf_status read_run(hf_outcome *out, hf_study *study, const hf_member *member)
{
    char *run = NULL, *path = NULL;
    hf_run_summary summary;
    hf_status status;
    out->of = *member;
    HF_TRY_OUT(hf_path_join(&run, study->folder, member->place));
    HF_TRY_OUT(hf_path_join(&path, run, "predictions-test.tsv"));
    HF_TRY_OUT(hf_run_summary_read(&summary, run));
    out->valid = summary.best;
    if (!study->target.goal) {
        study->target = summary.target;
        study->n_columns = hf_target_columns(study->column, &study->target);
        study->select = hf_target_select(&study->target);
    }
    HF_TRY_OUT(hf_predictions_read(&out->predictions, &summary.target, path));
    status = judge(out, study);
out:
    free(path);
    free(run);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "run '%s' of '%s'", member->place, study->folder);
}

/* ---- ensembles --------------------------------------------------------------------------------------------------- */

/* The models of one ensemble: all folds of a seed and version, or the best of them by validation. */
static hf_status choose(int *chosen, int *count, const hf_study *study, const hf_outcome *first)
{
    const int folds = (int)study->recipe.crossval.folds, best = (int)study->recipe.crossval.best;
    const bool higher = study->column[study->select].metric->better == HF_HIGHER;
    double *valid;
    *count = best > 0 && best < folds ? best : folds;
    HF_TRY(hf_alloc(&valid, (size_t)folds, sizeof *valid, "validation metrics"));
    for (int f = 0; f < folds; f++) {
        valid[f] = first[f].valid;
        chosen[f] = f;
    }
    const hf_status status = *count < folds ? hf_best_of(chosen, *count, valid, folds, higher) : HF_OK;
    free(valid);
    return status;
}

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
    if (study->target.n_classes)
        status = hf_ensemble_classes(out, all, count, of[0]->count, study->target.P, kind);
    else
        hf_ensemble_numbers(out, all, count, of[0]->count);
    free(all);
    return status;
}

static bool knows(const hf_predictions *p, const char *id)
{
    for (int i = 0; i < p->count; i++)
        if (strcmp(p->id[i], id) == 0) return true;
    return false;
}

/* Room for the predictions of so many folds, and ids, groups and truth of the first of them. */
static hf_status copy_subjects(hf_predictions *out, const hf_outcome *first, int folds)
{
    const hf_predictions *like = &first->predictions;
    int count = 0, at = 0;
    for (int f = 0; f < folds; f++)
        count += first[f].predictions.count;
    HF_TRY(hf_predictions_new(out, &like->target, count, like->n_groups));
    out->bootstrap = like->bootstrap;
    for (int g = 0; g < like->n_groups; g++)
        HF_TRY(hf_strdup(&out->group_name[g], like->group_name[g]));
    for (int f = 0; f < folds; f++) {
        const hf_predictions *p = &first[f].predictions;
        const int T = p->target.T, P = p->target.P, G = p->n_groups;
        for (int i = 0; i < p->count; i++, at++) {
            HF_TRY(hf_strdup(&out->id[at], p->id[i]));
            for (int g = 0; g < G; g++)
                if (p->group[i * G + g]) HF_TRY(hf_strdup(&out->group[at * G + g], p->group[i * G + g]));
            memcpy(out->truth + at * T, p->truth + i * T, (size_t)T * sizeof *out->truth);
            memcpy(out->predicted + at * P, p->predicted + i * P, (size_t)P * sizeof *out->predicted);
        }
    }
    return HF_OK;
}

/* The models chosen by validation, combined. */
static hf_status make_ensemble(hf_predictions *out, const hf_study *study, const hf_outcome *first, int folds)
{
    const hf_predictions **of = NULL;
    int *chosen = NULL, count;
    hf_status status;
    HF_TRY_OUT(hf_alloc(&of, (size_t)folds, sizeof *of, "the models of an ensemble"));
    HF_TRY_OUT(hf_alloc(&chosen, (size_t)folds, sizeof *chosen, "the models of an ensemble"));
    HF_TRY_OUT(choose(chosen, &count, study, first));
    for (int m = 0; m < count; m++)
        of[m] = &first[chosen[m]].predictions;
    HF_TRY_OUT(copy_subjects(out, first, 1));
    status = hf_study_combine(out->predicted, study, of, count);
out:
    free(chosen);
    free(of);
    return status;
}

/* The folds of one seed and version together. */
static hf_status join_folds(hf_outcome *out, const hf_study *study, const hf_outcome *first)
{
    const int folds = (int)study->recipe.crossval.folds;
    const bool apart =
        folds > 1 && first[1].predictions.count > 0 && !knows(&first[0].predictions, first[1].predictions.id[0]);
    out->of = first->of;
    out->of.fold = -1;
    out->valid = NAN;
    *strrchr(out->of.place, '/') = '\0';
    hf_status status =
        apart ? copy_subjects(&out->predictions, first, folds) : make_ensemble(&out->predictions, study, first, folds);
    if (status == HF_OK) status = judge(out, study);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s' of '%s'", out->of.place, study->folder);
}

/* ---- the study --------------------------------------------------------------------------------------------------- */

static hf_status read_recipe(hf_study *study)
{
    char *path = NULL;
    HF_TRY(hf_path_join(&path, study->folder, "recipe.yaml"));
    hf_status status = hf_recipe_read(&study->recipe, path);
    free(path);
    return status;
}

static hf_status read_all(hf_study *study)
{
    hf_member *members = NULL;
    hf_status status;
    HF_TRY_OUT(read_recipe(study));
    HF_TRY_OUT(hf_study_members(&members, &study->n_models, &study->recipe));
    const int folds = (int)study->recipe.crossval.folds;
    HF_TRY_OUT(hf_alloc(&study->model, (size_t)study->n_models, sizeof *study->model, "the runs of a study"));
    for (int i = 0; i < study->n_models; i++)
        HF_TRY_OUT(read_run(&study->model[i], study, &members[i]));
    HF_TRY_OUT(hf_alloc(&study->ensemble, (size_t)(study->n_models / folds), sizeof *study->ensemble, "ensembles"));
    for (; study->n_ensembles < study->n_models / folds; study->n_ensembles++)
        HF_TRY_OUT(join_folds(&study->ensemble[study->n_ensembles], study, &study->model[study->n_ensembles * folds]));
out:
    free(members);
    return status;
}

hf_status hf_study_read(hf_study *out, const char *folder)
{
    *out = (hf_study){ 0 };
    hf_status status = hf_strdup(&out->folder, folder);
    if (status == HF_OK) status = read_all(out);
    if (status != HF_OK) hf_study_free(out);
    return status;
}

static void free_outcomes(hf_outcome *outcome, int count)
{
    for (int i = 0; outcome && i < count; i++)
        hf_predictions_free(&outcome[i].predictions);
    free(outcome);
}

void hf_study_free(hf_study *study)
{
    free_outcomes(study->model, study->n_models);
    free_outcomes(study->ensemble, study->model ? study->n_models / (int)study->recipe.crossval.folds : 0);
    hf_recipe_free(&study->recipe);
    free(study->folder);
    *study = (hf_study){ 0 };
}
