/* predict.c: the best weights of a run applied to a cohort or to one image. Everything needed comes from
 * best.safetensors; only who belongs to which part is read from the run's split file. */
#include "folder.h"
#include "judge.h"
#include "network.h"
#include "watch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH    4 /* samples */
#define MAX_SAID 5 /* subjects named one by one; more are counted */

/* ---- a trained network ------------------------------------------------------------------------------------------- */

typedef struct trained {
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed fixed;
    hf_run_progress progress;
    hf_run_network network;
} trained;

static hf_status load(trained *t, const char *folder, const char *device, int batch)
{
    const int sizes[HF_N_STEPS] = { [HF_STEP_EVALUATE] = batch };
    HF_TRY(hf_run_network_plan(&t->network, &t->recipe, &t->fixed.target, device, t->fixed.shape,
                               t->fixed.encoder.width, sizes, NULL, 0));
    HF_TRY(hf_run_network_bind(&t->network, &t->recipe, false));
    const hf_status status = hf_model_load(t->network.model, &t->archive);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s/%s'", folder, HF_BEST_FILE);
}

static hf_status open_trained(trained *t, const char *folder)
{
    if (!hf_run_has(folder, HF_BEST_FILE))
        return hf_fail(HF_ERR_IO, "'%s' holds no finished epoch: there is no %s in it", folder, HF_BEST_FILE);
    return hf_run_checkpoint_read(&t->archive, &t->fixed, &t->progress, &t->recipe, folder, HF_BEST_FILE);
}

static void free_trained(trained *t)
{
    hf_run_network_free(&t->network);
    hf_archive_free(&t->archive);
    hf_encoder_free(&t->fixed.encoder);
    hf_recipe_free(&t->recipe);
}

static void say_debugging(const trained *t, const hf_watch *watch)
{
    if (t->recipe.train.overfit_batches)
        hf_watch_say(watch, "warning: a debugging run (train.overfit_batches): what it predicts means nothing");
}

/* ---- a cohort ---------------------------------------------------------------------------------------------------- */

static hf_status open_data(hf_run_data *data, trained *t, const char *folder, const hf_evaluate_options *options)
{
    char *split = NULL;
    hf_status status = HF_OK;
    if (!options->cohort) status = hf_run_file(&split, folder, HF_SPLIT_FILE);
    const hf_run_source source = {
        .folder = options->cohort, .split_file = split, .learned = true, .needs_truth = options->needs_truth
    };
    if (status == HF_OK) status = hf_run_data_open(data, &t->fixed, &t->recipe, &source, &options->watch);
    free(split);
    return status;
}

static hf_status describe_subjects(hf_predictions *out, const hf_run_data *data, const int *index, const int *column)
{
    const hf_table *table = &data->cohort.table;
    const int T = out->target.T, stride = data->T;
    for (int g = 0; g < out->n_groups; g++)
        HF_TRY(hf_strdup(&out->group_name[g], table->name[column[g]]));
    for (int i = 0; i < out->count; i++) {
        const hf_subject *subject = &data->cohort.subject[index[i]];
        out->index[i] = index[i];
        memcpy(out->truth + i * T, data->truth + index[i] * stride, (size_t)T * sizeof *out->truth);
        HF_TRY(hf_strdup(&out->id[i], subject->id));
        for (int g = 0; g < out->n_groups; g++) {
            const char *group = table->cell[(size_t)subject->row * (size_t)table->columns + (size_t)column[g]];
            if (group) HF_TRY(hf_strdup(&out->group[i * out->n_groups + g], group));
        }
    }
    return HF_OK;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* Refuses what is not a number, and, where somebody is to read it, what no subject can have. */
static hf_status check_answer(const hf_predictions *p, int i, const float *output, bool predicting)
{
    const hf_target *t = &p->target;
    static const char *const advice = "its table values or voxels lie far outside what the network was trained on, or "
                                      "the weights are damaged";
    for (int k = 0; k < t->outputs; k++)
        if (!isfinite(output[k]))
            return hf_fail(HF_ERR_NUMBER, "the prediction for '%s' is %g: %s", p->id[i], (double)output[k], advice);
    if (predicting && t->goal->absurd && t->goal->absurd(t, p->predicted + i * t->P))
        return hf_fail(HF_ERR_NUMBER, "the prediction for '%s' is %g, absurd beside %g to %g of the training: %s",
                       p->id[i], p->predicted[i * t->P], t->low, t->high, advice);
    return HF_OK;
}

/* The goal's link; what is no answer is nobody's prediction. */
static hf_status link_outputs(hf_predictions *out, const float *output, bool predicting)
{
    const hf_target *t = &out->target;
    for (int i = 0; i < out->count; i++)
        t->goal->link(out->predicted + i * t->P, output + i * t->outputs, t);
    for (int i = 0; i < out->count; i++)
        HF_TRY(check_answer(out, i, output + i * t->outputs, predicting));
    return HF_OK;
}

/* The same for the subjects of a cohort: who has no answer is left out by name, and the others go on. */
static hf_status link_some(hf_predictions *out, const float *output, hf_cohort *cohort, const hf_watch *watch)
{
    const hf_target *t = &out->target;
    bool *keep;
    int left = 0;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&keep, (size_t)out->count, sizeof *keep, "predictions"));
    for (int i = 0; i < out->count && status == HF_OK; i++) {
        t->goal->link(out->predicted + i * t->P, output + i * t->outputs, t);
        keep[i] = check_answer(out, i, output + i * t->outputs, true) == HF_OK;
        if (keep[i]) continue;
        if (left++ < MAX_SAID) hf_watch_say(watch, "left out: %s", hf_error_message());
        status = hf_cohort_problem(cohort, true, out->id[i], "%s", hf_error_message());
    }
    if (left > MAX_SAID) hf_watch_say(watch, "left out: %d subjects in all have no prediction", left);
    if (status == HF_OK && left == out->count)
        status = hf_fail_in(HF_ERR_NUMBER, "none of %d subjects has a prediction", left);
    if (status == HF_OK) hf_predictions_keep(out, keep);
    free(keep);
    return status;
}

/* ---- a cohort's predictions -------------------------------------------------------------------------------------- */

static hf_status predict_part(hf_predictions *out, trained *t, hf_run_data *data, hf_part part,
                              const hf_evaluate_options *options)
{
    hf_status status;
    hf_loader *loader = NULL;
    float *output = NULL;
    int column[HF_MAX_GROUPS];
    const int count = data->count[part], *index = data->index + data->first[part];
    const int groups = hf_run_group_columns(column, &data->cohort, &t->recipe);
    HF_TRY_OUT(hf_predictions_new(out, &t->fixed.target, count, groups));
    HF_TRY_OUT(describe_subjects(out, data, index, column));
    HF_TRY_OUT(hf_alloc(&output, (size_t)count * (size_t)t->fixed.target.outputs, sizeof *output, "predictions"));
    HF_TRY_OUT(hf_loader_new(&loader, data->dataset, index, count,
                             &(hf_loader_options){ .batch_size = t->network.step[HF_STEP_EVALUATE].batch,
                                                   .no_volumes = t->network.row_only }));
    HF_TRY_OUT(hf_run_network_predict(output, NULL, &t->network, loader, count, "predicting", &options->watch));
    status = options->cohort && !options->needs_truth ? link_some(out, output, &data->cohort, &options->watch)
                                                      : link_outputs(out, output, false);
out:
    hf_loader_free(&loader);
    free(output);
    return status;
}

static hf_bootstrap resampling(const hf_recipe *recipe)
{
    return (hf_bootstrap){ recipe->evaluate.bootstrap, (uint64_t)recipe->evaluate.seed };
}

/* The subjects to predict for: of another cohort all that nothing speaks against. */
static hf_status find_subjects(hf_run_data *data, hf_part part, trained *t, const char *folder,
                               const hf_evaluate_options *options)
{
    HF_TRY(open_data(data, t, folder, options));
    if (data->count[part] == 0)
        return hf_fail(HF_ERR_ARGUMENT, "'%s' has no subjects to predict for in its %s part",
                       options->cohort ? options->cohort : t->recipe.cohort.path, hf_part_name(part));
    if (!options->cohort) return HF_OK;
    HF_TRY(hf_run_screen(data, part, &t->fixed, options->strict, &options->watch));
    if (data->count[part] > 0) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "'%s': every subject is left out: they are unlike those of the training",
                   options->cohort);
}

static hf_status list_left_out(hf_predictions *out, const hf_cohort *cohort)
{
    HF_TRY(hf_alloc(&out->left_out, (size_t)cohort->n_problems + 1, sizeof *out->left_out, "subjects"));
    for (int i = 0; i < cohort->n_problems; i++) {
        const hf_problem *p = &cohort->problem[i];
        if (!p->fatal) continue;
        hf_left_out *left = &out->left_out[out->n_left_out++];
        HF_TRY(hf_strdup(&left->id, p->subject));
        HF_TRY(hf_strdup(&left->why, p->text));
    }
    return HF_OK;
}

hf_status hf_run_predict(hf_predictions *out, const char *folder, const hf_evaluate_options *options)
{
    hf_status status;
    trained t = { 0 };
    hf_run_data data = { 0 };
    hf_predictions made = { 0 };
    const hf_part part = options->cohort ? HF_TEST : options->part;
    HF_TRY_OUT(open_trained(&t, folder));
    if (!options->cohort && t.recipe.train.overfit_batches) {
        status = hf_fail(HF_ERR_ARGUMENT, "'%s' is a debugging run (train.overfit_batches): it has no results", folder);
        goto out;
    }
    say_debugging(&t, &options->watch);
    HF_TRY_OUT(find_subjects(&data, part, &t, folder, options));
    HF_TRY_OUT(load(&t, folder, options->device, data.count[part] < BATCH ? data.count[part] : BATCH));
    HF_TRY_OUT(predict_part(&made, &t, &data, part, options));
    HF_TRY_OUT(list_left_out(&made, &data.cohort));
    if (options->cohort && options->needs_truth)
        HF_TRY_OUT(hf_run_mark_seen(&made, &t.archive, folder, &data, &options->watch));
    made.bootstrap = resampling(&t.recipe);
    made.margin = hf_run_margin(&t.archive, &t.fixed.target);
    if (options->cohort && !options->needs_truth) hf_run_say_no_margin(&t.archive, &t.fixed.target, &options->watch);
    *out = made;
    made = (hf_predictions){ 0 };
out:
    hf_predictions_free(&made);
    hf_run_data_free(&data);
    free_trained(&t);
    return status;
}

/* ---- one image --------------------------------------------------------------------------------------------------- */

/* A volume as read from its file, masked where the run was trained with masks. */
static hf_status read_volume(hf_volume *out, const trained *t, const char *image)
{
    char *mask = NULL;
    hf_status status;
    HF_TRY(hf_volume_read(out, image));
    if (t->fixed.oriented && !out->oriented)
        return hf_fail(HF_ERR_UNSUPPORTED,
                       "'%s': the file does not say how the volume lies (sform and qform codes are 0), and the "
                       "network was trained on volumes of known orientation",
                       image);
    if (!t->recipe.cohort.mask[0]) return HF_OK;
    status = hf_mask_find(&mask, image, t->recipe.cohort.mask);
    if (status == HF_OK) status = hf_mask_apply(out, mask);
    free(mask);
    return status;
}

/* All views of an image, one after the other; freed by the caller. */
static hf_status read_image(float **out, const trained *t, const char *image)
{
    const hf_grid *grid = &t->fixed.grid;
    const int *shape = t->fixed.shape;
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    hf_volume volume = { 0 };
    hf_grid wanted = *grid;
    float *whole = NULL;
    int size[3], view[3];
    hf_status status;
    /* as stored: what the training volumes had */
    if (!hf_grid_has_crop(grid) && !hf_grid_has_box(grid) && !grid->both_sides)
        memcpy(wanted.shape, shape, sizeof wanted.shape);
    HF_TRY_OUT(read_volume(&volume, t, image));
    HF_TRY_OUT(hf_grid_shape(size, &volume, &wanted));
    hf_views_shape(view, size, grid);
    if (memcmp(view, shape, sizeof view) != 0) {
        status = hf_fail(HF_ERR_SHAPE, "'%s': gives [%d,%d,%d] voxels, the network was trained on [%d,%d,%d]", image,
                         view[0], view[1], view[2], shape[0], shape[1], shape[2]);
        goto out;
    }
    HF_TRY_OUT(hf_alloc(&whole, (size_t)size[0] * (size_t)size[1] * (size_t)size[2], sizeof *whole, "a volume"));
    HF_TRY_OUT(hf_alloc(out, (size_t)hf_views(grid) * voxels, sizeof **out, "the views of a volume"));
    HF_TRY_OUT(hf_preprocess(whole, &volume, &wanted, image));
    for (int i = 0; i < hf_views(grid); i++)
        hf_views_make(*out + (size_t)i * voxels, whole, size, i, grid);
out:
    hf_volume_free(&volume);
    free(whole);
    return status;
}

static bool is_given(const char *column, const char *const *pairs, int n_pairs)
{
    const size_t length = strlen(column);
    for (int i = 0; i < n_pairs; i++)
        if (strlen(pairs[i]) > length && strncmp(pairs[i], column, length) == 0 && pairs[i][length] == '=') return true;
    return false;
}

static void say_missing(const hf_encoder *encoder, const char *const *pairs, int n_pairs, const hf_watch *watch)
{
    for (int i = 0; i < encoder->n_features; i++)
        if (!is_given(encoder->feature[i].column, pairs, n_pairs))
            hf_watch_say(watch, "warning: '%s' is not given and counts as missing", encoder->feature[i].column);
}

/* One subject without truth, called as its image. */
static hf_status single(hf_predictions *out, const trained *t, const char *image, const float *output)
{
    HF_TRY(hf_predictions_new(out, &t->fixed.target, 1, 0));
    out->index[0] = -1;
    out->bootstrap = resampling(&t->recipe);
    out->margin = hf_run_margin(&t->archive, &t->fixed.target);
    for (int k = 0; k < out->target.T; k++)
        out->truth[k] = NAN;
    hf_status status = hf_strdup(&out->id[0], image);
    if (status == HF_OK) status = link_outputs(out, output, true);
    if (status != HF_OK) hf_predictions_free(out);
    return status;
}

/* What speaks against this prediction is said; it ends here when `strict`. */
static hf_status screen_image(const trained *t, const char *image, const float *volume, const char *const *pairs,
                              int n_pairs, const hf_evaluate_options *options)
{
    hf_outside outside[HF_MAX_FEATURES];
    hf_text doubts = { 0 };
    const int count = hf_encoder_outside_pairs(outside, &t->fixed.encoder, pairs, n_pairs);
    hf_run_doubts(&doubts, &t->fixed, outside, count, volume);
    hf_status status = hf_text_check(&doubts);
    if (status == HF_OK && doubts.size && options->strict)
        status = hf_fail(HF_ERR_ARGUMENT, "'%s': %s", image, doubts.data);
    else if (status == HF_OK && doubts.size)
        hf_watch_say(&options->watch, "warning: '%s': %s", image, doubts.data);
    hf_text_free(&doubts);
    return status;
}

hf_status hf_run_predict_image(hf_predictions *out, const char *folder, const char *image, const char *const *pairs,
                               int n_pairs, const hf_evaluate_options *options)
{
    static const hf_evaluate_options defaults = { 0 };
    hf_status status;
    trained t = { 0 };
    float *volume = NULL, row[HF_MAX_WIDTH], output[HF_MAX_CLASSES];
    if (!options) options = &defaults;
    HF_TRY_OUT(open_trained(&t, folder));
    HF_TRY_OUT(hf_encoder_pairs(row, &t.fixed.encoder, pairs, n_pairs));
    HF_TRY_OUT(read_image(&volume, &t, image));
    say_debugging(&t, &options->watch);
    say_missing(&t.fixed.encoder, pairs, n_pairs, &options->watch);
    HF_TRY_OUT(screen_image(&t, image, volume, pairs, n_pairs, options));
    HF_TRY_OUT(load(&t, folder, options->device, 1));
    HF_TRY_OUT(hf_run_network_predict_one(output, &t.network, volume, hf_views(&t.fixed.grid), row));
    HF_TRY_OUT(single(out, &t, image, output));
    hf_run_say_no_margin(&t.archive, &t.fixed.target, &options->watch);
out:
    free(volume);
    free_trained(&t);
    return status;
}
