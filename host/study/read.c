/* read.c: a finished study from its folder: the predictions of every run, judged, and of every ensemble. */
#include "parts.h"

#include <stdlib.h>

static hf_status read_run(hf_outcome *out, hf_study *study, const hf_member *member)
{
    char *run = NULL, *path = NULL;
    hf_run_summary summary;
    hf_status status;
    out->of = *member;
    HF_TRY_OUT(hf_path_join(&run, study->folder, member->place));
    HF_TRY_OUT(hf_path_join(&path, run, HF_PREDICTIONS_FILE));
    HF_TRY_OUT(hf_run_summary_read(&summary, run));
    out->valid = summary.best;
    if (!study->target.goal) study->target = summary.target;
    status = hf_predictions_read(&out->predictions, &summary.target, path);
out:
    free(path);
    free(run);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "run '%s' of '%s'", member->place, study->folder);
}

static hf_status read_recipe(hf_study *study)
{
    char *path = NULL;
    HF_TRY(hf_path_join(&path, study->folder, HF_RECIPE_FILE));
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
    HF_TRY_OUT(hf_alloc(&study->model, (size_t)study->n_models, sizeof *study->model, "the runs of a study"));
    for (int i = 0; i < study->n_models; i++)
        HF_TRY_OUT(read_run(&study->model[i], study, &members[i]));
    status = hf_study_assemble(study);
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

void hf_study_free(hf_study *study)
{
    hf_study_free_ensembles(study);
    for (int i = 0; study->model && i < study->n_models; i++)
        hf_predictions_free(&study->model[i].predictions);
    free(study->model);
    hf_recipe_free(&study->recipe);
    free(study->folder);
    *study = (hf_study){ 0 };
}
