/* check.c: a cohort judged as a recipe or a finished run would judge it, without training or predicting. */
#include "data.h"
#include "folder.h"
#include "learned.h"
#include "network.h"
#include <stdlib.h>
#include <string.h>

static hf_status check_rows(hf_cohort *cohort, const hf_encoder *encoder, const hf_target *target)
{
    const char *labels[HF_MAX_LABELS];
    for (int i = 0; i < target->n_labels; i++)
        labels[i] = target->label[i];
    return hf_cohort_check_rows(cohort, &(hf_rows_check){ .encoder = encoder,
                                                          .target = target->column,
                                                          .labels = labels,
                                                          .n_labels = target->n_labels,
                                                          .event = target->event[0] ? target->event : NULL });
}

static hf_status check_recipe(hf_cohort *cohort, const hf_recipe *recipe)
{
    const hf_network *network;
    const hf_texts *specs = &recipe->cohort.tabular;
    hf_encoder *encoder = NULL;
    hf_target target;
    HF_TRY(hf_run_network_find(&network, recipe));
    HF_TRY(hf_target_set(&target, recipe));
    HF_TRY(hf_alloc(&encoder, 1, sizeof *encoder, "the encoder"));
    hf_status status =
        hf_encoder_parse(encoder, (const char *const *)specs->text, network->uses_tabular ? specs->count : 0);
    if (status == HF_OK) status = check_rows(cohort, encoder, &target);
    free(encoder);
    return status;
}

hf_status hf_run_check_recipe(hf_cohort *out, const char *folder, const hf_recipe *recipe)
{
    const bool own = strcmp(folder, recipe->cohort.path) == 0; /* then its table is the recipe's too */
    HF_TRY(hf_run_cohort_open(out, recipe, own ? NULL : folder));
    const hf_status status = check_recipe(out, recipe);
    if (status != HF_OK) hf_cohort_free(out);
    return status;
}

hf_status hf_run_check_run(hf_cohort *out, const char *folder, const char *run)
{
    hf_archive archive = { 0 };
    hf_recipe recipe = { 0 };
    hf_run_fixed fixed = { 0 };
    hf_run_progress progress;
    hf_status status = hf_run_checkpoint_read(&archive, &fixed, &progress, &recipe, run, HF_BEST_FILE);
    if (status == HF_OK) status = hf_run_cohort_open(out, &recipe, folder);
    if (status == HF_OK) {
        status = hf_cohort_check_rows(out, &(hf_rows_check){ .encoder = &fixed.encoder });
        if (status != HF_OK) hf_cohort_free(out);
    }
    hf_encoder_free(&fixed.encoder);
    hf_archive_free(&archive);
    hf_recipe_free(&recipe);
    return status;
}
