/* plan.c: what training a recipe would take, from the recipe alone where it says enough, else with one look at the
 * cohort: the first image for the shape, the table for categories. */
#include "data.h"
#include "network.h"
#include <stdlib.h>
#include <string.h>

static bool lacks_categories(const hf_encoder *encoder)
{
    for (int i = 0; i < encoder->n_features; i++)
        if (encoder->feature[i].encoding == HF_ONE_HOT && encoder->feature[i].n_categories == 0) return true;
    return false;
}

static hf_status ask_cohort(int shape[3], hf_encoder *encoder, const hf_recipe *recipe, const hf_grid *grid,
                            bool shape_too)
{
    hf_status status;
    hf_cohort cohort = { 0 };
    hf_volume volume = { 0 };
    hf_part *part = NULL;
    HF_TRY_OUT(hf_run_cohort_open(&cohort, recipe, NULL));
    if (shape_too) {
        HF_TRY_OUT(hf_volume_read(&volume, cohort.subject[0].image));
        HF_TRY_OUT(hf_grid_shape(shape, &volume, grid));
    }
    HF_TRY_OUT(hf_alloc(&part, (size_t)cohort.n_subjects, sizeof *part, "the split")); /* all HF_TRAIN */
    HF_TRY_OUT(hf_encoder_fit(encoder, &cohort, part));
    hf_encoder_free(&(hf_encoder){ .imputer = encoder->imputer }); /* only the width is asked for */
    encoder->imputer = NULL;
out:
    hf_volume_free(&volume);
    hf_cohort_free(&cohort);
    free(part);
    return status;
}

hf_status hf_run_measure(int shape[3], int *width, const hf_recipe *recipe)
{
    hf_encoder encoder;
    const hf_texts *specs = &recipe->cohort.tabular;
    hf_grid grid;
    HF_TRY(hf_run_grid(&grid, recipe));
    const bool no_shape = grid.shape[0] == 0 && !hf_grid_has_crop(&grid);
    const hf_network *network;
    HF_TRY(hf_run_network_find(&network, recipe));
    HF_TRY(hf_encoder_parse(&encoder, (const char *const *)specs->text, network->uses_tabular ? specs->count : 0));
    for (int axis = 0; axis < 3; axis++)
        shape[axis] = hf_grid_has_crop(&grid) ? grid.crop[axis][1] - grid.crop[axis][0] : grid.shape[axis];
    if (no_shape || lacks_categories(&encoder)) {
        const char *missing =
            no_shape ? "cohort.shape is not set" : "cohort.tabular has categories that are not listed";
        if (!recipe->cohort.path[0])
            return hf_fail(HF_ERR_ARGUMENT, "%s, and there is no cohort.path to find it out", missing);
        const hf_status status = ask_cohort(shape, &encoder, recipe, &grid, no_shape);
        if (status != HF_OK) return hf_fail_in(status, "%s, so the cohort is asked", missing);
    }
    hf_views_shape(shape, shape, &grid);
    *width = encoder.width;
    return HF_OK;
}

hf_status hf_run_plan_new(hf_run_plan *out, const hf_recipe *recipe, const char *device)
{
    hf_run_plan made = { .batch = (int)recipe->train.batch_size };
    const int sizes[HF_N_STEPS] = { [HF_STEP_TRAIN] = made.batch, [HF_STEP_EVALUATE] = 1 };
    hf_run_network *network = NULL;
    hf_target target; /* only planning asks for it */
    HF_TRY(hf_target_set(&target, recipe));
    HF_TRY(hf_run_measure(made.shape, &made.width, recipe));
    HF_TRY(hf_alloc(&network, 1, sizeof *network, "a network"));
    const hf_status status =
        hf_run_network_plan(network, recipe, &target, device, made.shape, made.width, sizes, NULL, 0);
    network->target = NULL;
    if (status != HF_OK) {
        free(network);
        return status;
    }
    made.plan = network->step[HF_STEP_TRAIN].plan;
    made.width = network->width;
    made.device_bytes = hf_run_network_bytes(network, true);
    made.device = hf_context_device(network->context);
    made.owner = network;
    *out = made;
    return HF_OK;
}

void hf_run_plan_free(hf_run_plan *plan)
{
    if (!plan || !plan->owner) return;
    hf_run_network_free(plan->owner);
    free(plan->owner);
    *plan = (hf_run_plan){ 0 };
}
