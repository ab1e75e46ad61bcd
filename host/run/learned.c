/* learned.c: what a checkpoint holds beside the weights, as JSON texts in its metadata: the recipe (YAML), how
 * volumes and table rows become input ("run.preprocess"), how far training has come ("run.progress"), and the
 * guard's mean volume as the tensor "run.guard". Numbers are written with 17 digits, so that they come back
 * exactly. */
#include "folder.h"
#include "learned.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PREPROCESS_KEY "run.preprocess"
#define PROGRESS_KEY   "run.progress"
#define GUARD_TENSOR   "run.guard"
#define DUMP_FLAGS     (JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17))

static const char *const centres[] = { [HF_CENTRE_MASS] = "mass", [HF_CENTRE_MIDDLE] = "middle" };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* JSON knows no NaN: null stands for it. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *integers(const int *value)
{
    return json_pack("[iii]", value[0], value[1], value[2]);
}

static json_t *numbers(const double *value)
{
    return json_pack("[ooo]", number(value[0]), number(value[1]), number(value[2]));
}

static json_t *pairs(const hf_grid *grid)
{
    const int(*c)[2] = grid->crop;
    return json_pack("[iiiiii]", c[0][0], c[0][1], c[1][0], c[1][1], c[2][0], c[2][1]);
}

static json_t *boxes(const hf_grid *grid)
{
    const double(*b)[2] = grid->crop_mm;
    return json_pack("[ffffff]", b[0][0], b[0][1], b[1][0], b[1][1], b[2][0], b[2][1]);
}

/* What was learned for the goal; what it is says the recipe. */
static json_t *target_json(const hf_target *t)
{
    json_t *baselines = json_array(), *weights = json_array();
    for (int b = 0; b < HF_MAX_BASELINES && t->goal->baselines[b]; b++) {
        json_t *one = json_array();
        for (int k = 0; k < t->P; k++)
            json_array_append_new(one, number(t->baseline[b][k]));
        json_array_append_new(baselines, one);
    }
    for (int k = 0; k < t->n_trained; k++)
        json_array_append_new(weights, number(t->weight[k]));
    json_t *json = json_pack("{so,so}", "baselines", baselines, "class_weights", weights);
    if (t->goal->absurd) json_object_set_new(json, "range", json_pack("[ff]", t->low, t->high));
    return json;
}

/* What the training of an embedding beforehand came to. */
static json_t *stage_json(const hf_run_stage *stage)
{
    return json_pack("{sI,sI,so}", "epochs", (json_int_t)stage->epochs, "best_epoch", (json_int_t)stage->best_epoch,
                     "best_value", number(stage->best_value));
}

static json_t *preprocess_json(const hf_run_fixed *fixed, const char *encoder)
{
    const hf_grid *g = &fixed->grid;
    json_t *json =
        json_pack("{so,so,so,sb,sb,so,ss,so,so,si,sb,ss,so,so,so,si,si,sI,ss}", "grid_shape", integers(g->shape),
                  "shape", integers(fixed->shape), "spacing", numbers(g->spacing), "zscore", g->zscore, "resize",
                  g->resize, "spacing_expected", numbers(g->spacing_expected), "centre", centres[g->centre], "crop",
                  pairs(g), "crop_mm", boxes(g), "views", hf_views(g), "oriented", fixed->oriented, "encoder", encoder,
                  "target", target_json(&fixed->target), "guard_typical", number(fixed->guard.typical), "guard_lowest",
                  number(fixed->guard.lowest), "guard_checked", fixed->guard.checked, "guard_flagged",
                  fixed->guard.flagged, "parameters", (json_int_t)fixed->parameters, "device", fixed->device);
    if (fixed->stage.epochs) json_object_set_new(json, "embedding", stage_json(&fixed->stage));
    return json;
}

static hf_status add_json(hf_archive *archive, const char *key, json_t *json)
{
    char *text = json ? json_dumps(json, DUMP_FLAGS) : NULL;
    const hf_status status = text ? hf_archive_add_text(archive, key, text)
                                  : hf_fail(HF_ERR_MEMORY, "no host memory for '%s' of a checkpoint", key);
    json_decref(json);
    free(text);
    return status;
}

hf_status hf_run_state_save(hf_archive *archive, const hf_run_fixed *fixed, const hf_run_progress *progress,
                            const char *recipe)
{
    json_t *json = json_pack("{sI,sI,sI,so,ss,sI,sI}", "epoch", (json_int_t)progress->epoch, "step",
                             (json_int_t)progress->step, "best_epoch", (json_int_t)progress->best_epoch, "best_value",
                             number(progress->best_value), "metric", fixed->target.goal->select, "reductions",
                             (json_int_t)progress->reductions, "reduced_epoch", (json_int_t)progress->reduced_epoch);
    HF_TRY(add_json(archive, PROGRESS_KEY, json));
    hf_text encoder = { 0 };
    hf_status status = hf_encoder_write(&fixed->encoder, &encoder);
    if (status == HF_OK) status = add_json(archive, PREPROCESS_KEY, preprocess_json(fixed, encoder.data));
    hf_text_free(&encoder);
    HF_TRY(status);
    HF_TRY(hf_archive_add_text(archive, HF_RECIPE_TEXT, recipe));
    const hf_shape cells = HF_SHAPE(HF_THUMBNAIL_SIDE, HF_THUMBNAIL_SIDE, HF_THUMBNAIL_SIDE);
    return hf_archive_add(archive, GUARD_TENSOR, HF_F32, cells, fixed->guard.mean);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static double real_of(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool three_integers(int *out, const json_t *array)
{
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > 65535) return false;
        out[i] = (int)json_integer_value(value);
    }
    return json_array_size(array) == 3;
}

static bool three_numbers(double *out, const json_t *array)
{
    for (size_t i = 0; i < 3; i++) {
        out[i] = real_of(json_array_get(array, i));
        if (!(out[i] >= 0)) return false;
    }
    return json_array_size(array) == 3;
}

/* Copies a JSON text into a field of fixed size. */
static bool text_field(char *out, size_t room, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || strlen(text) >= room) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* The part of a grid that checkpoints of earlier versions lack: they centred by the older rule and cut nothing. */
static bool read_cut(hf_grid *grid, const json_t *json)
{
    const json_t *crop = json_object_get(json, "crop"), *box = json_object_get(json, "crop_mm");
    const char *centre = json_string_value(json_object_get(json, "centre"));
    const json_int_t views = json_integer_value(json_object_get(json, "views"));
    grid->centre = HF_CENTRE_MIDDLE;
    if (!json_object_get(json, "centre")) return true;
    if (!centre || json_array_size(crop) != 6 || json_array_size(box) != 6 || views < 1 || views > 2) return false;
    if (strcmp(centre, centres[HF_CENTRE_MASS]) == 0) grid->centre = HF_CENTRE_MASS;
    grid->both_sides = views == 2;
    for (size_t i = 0; i < 6; i++) {
        const json_int_t voxel = json_integer_value(json_array_get(crop, i));
        if (voxel < 0 || voxel > 65535 || !json_is_number(json_array_get(box, i))) return false;
        grid->crop[i / 2][i % 2] = (int)voxel;
        grid->crop_mm[i / 2][i % 2] = json_number_value(json_array_get(box, i));
    }
    return strcmp(centre, centres[grid->centre]) == 0;
}

static hf_run_stage read_stage(const json_t *json)
{
    return (hf_run_stage){ json_integer_value(json_object_get(json, "epochs")),
                           json_integer_value(json_object_get(json, "best_epoch")),
                           real_of(json_object_get(json, "best_value")) };
}

static bool read_preprocess(hf_run_fixed *out, const json_t *json)
{
    bool good = three_integers(out->grid.shape, json_object_get(json, "grid_shape")) &&
                three_integers(out->shape, json_object_get(json, "shape")) &&
                three_numbers(out->grid.spacing, json_object_get(json, "spacing")) &&
                three_numbers(out->grid.spacing_expected, json_object_get(json, "spacing_expected"));
    if (!good || !read_cut(&out->grid, json)) return false;
    out->grid.zscore = json_is_true(json_object_get(json, "zscore"));
    out->grid.resize = json_is_true(json_object_get(json, "resize")); /* earlier versions could not */
    out->oriented = json_is_true(json_object_get(json, "oriented"));
    out->guard.typical = real_of(json_object_get(json, "guard_typical"));
    out->guard.lowest = real_of(json_object_get(json, "guard_lowest"));
    out->guard.checked = (int)json_integer_value(json_object_get(json, "guard_checked"));
    out->guard.flagged = (int)json_integer_value(json_object_get(json, "guard_flagged"));
    out->stage = read_stage(json_object_get(json, "embedding"));
    out->parameters = json_integer_value(json_object_get(json, "parameters"));
    if (!text_field(out->device, sizeof out->device, json_object_get(json, "device"))) return false;
    const char *encoder = json_string_value(json_object_get(json, "encoder"));
    out->former = !encoder;
    if (out->former) return hf_run_former_encoder(&out->encoder, json_object_get(json, "features")) == HF_OK;
    return hf_encoder_read(&out->encoder, encoder) == HF_OK;
}

static bool read_numbers(double *out, int count, const json_t *array)
{
    for (int k = 0; k < count; k++)
        out[k] = real_of(json_array_get(array, (size_t)k));
    return json_array_size(array) == (size_t)count;
}

/* Into a target that the recipe has set. Earlier versions knew numbers alone, and kept mean and median. */
static bool read_target(hf_target *t, const json_t *preprocess)
{
    const json_t *json = json_object_get(preprocess, "target"), *baselines = json_object_get(json, "baselines");
    bool good = true;
    double range[2];
    if (read_numbers(range, 2, json_object_get(json, "range"))) t->low = range[0], t->high = range[1];
    if (!json && t->n_classes == 0) {
        t->baseline[0][0] = real_of(json_object_get(preprocess, "train_mean"));
        t->baseline[1][0] = real_of(json_object_get(preprocess, "train_median"));
        return true;
    }
    for (int b = 0; b < HF_MAX_BASELINES && t->goal->baselines[b]; b++)
        good = good && read_numbers(t->baseline[b], t->P, json_array_get(baselines, (size_t)b));
    return good && read_numbers(t->weight, t->n_trained, json_object_get(json, "class_weights"));
}

static bool read_progress(hf_run_progress *out, const json_t *json)
{
    out->epoch = json_integer_value(json_object_get(json, "epoch"));
    out->step = json_integer_value(json_object_get(json, "step"));
    out->best_epoch = json_integer_value(json_object_get(json, "best_epoch"));
    out->reductions = json_integer_value(json_object_get(json, "reductions")); /* absent in earlier versions: 0 */
    out->reduced_epoch = json_integer_value(json_object_get(json, "reduced_epoch"));
    const json_t *best = json_object_get(json, "best_value");
    out->best_value = real_of(best ? best : json_object_get(json, "best_mae")); /* what earlier versions called it */
    return out->epoch >= 0 && out->step >= out->epoch && out->step <= UINT32_MAX && out->best_epoch >= 0 &&
           out->best_epoch <= out->epoch && out->reductions >= 0 && out->reduced_epoch >= 0 &&
           out->reduced_epoch <= out->epoch;
}

static hf_status load_json(json_t **out, const hf_archive *archive, const char *key)
{
    const char *text = hf_archive_find_text(archive, key);
    if (!text) return hf_fail(HF_ERR_FORMAT, "the checkpoint has no '%s': it was not written by a training run", key);
    *out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return *out ? HF_OK : hf_fail(HF_ERR_FORMAT, "'%s' of the checkpoint is not JSON", key);
}

static hf_status load_recipe(hf_recipe *out, const hf_archive *archive)
{
    const char *text = hf_archive_find_text(archive, HF_RECIPE_TEXT);
    if (!text) return hf_fail(HF_ERR_FORMAT, "the checkpoint has no '%s'", HF_RECIPE_TEXT);
    return hf_recipe_parse(out, text, strlen(text), "recipe of the checkpoint");
}

hf_status hf_run_state_load(hf_run_fixed *fixed, hf_run_progress *progress, hf_recipe *recipe,
                            const hf_archive *archive)
{
    hf_status status;
    json_t *preprocess = NULL, *json = NULL;
    hf_run_fixed read = { 0 };
    hf_run_progress come = { 0 };
    const hf_entry *guard = hf_archive_find(archive, GUARD_TENSOR);
    HF_TRY_OUT(load_json(&preprocess, archive, PREPROCESS_KEY));
    HF_TRY_OUT(load_json(&json, archive, PROGRESS_KEY));
    if (!guard || guard->type != HF_F32 || hf_shape_count(&guard->shape) != HF_THUMBNAIL_CELLS ||
        !read_preprocess(&read, preprocess) || !read_progress(&come, json)) {
        status = hf_fail(HF_ERR_FORMAT, "the checkpoint's preprocessing or progress is damaged");
        goto out;
    }
    memcpy(read.guard.mean, guard->data, sizeof read.guard.mean);
    HF_TRY_OUT(load_recipe(recipe, archive));
    HF_TRY_OUT(hf_target_set(&read.target, recipe));
    if (!read_target(&read.target, preprocess)) {
        status = hf_fail(HF_ERR_FORMAT, "the checkpoint's preprocessing does not say what its goal needs");
        goto out;
    }
    *fixed = read;
    read.encoder = (hf_encoder){ 0 };
    *progress = come;
out:
    hf_encoder_free(&read.encoder);
    json_decref(preprocess);
    json_decref(json);
    return status;
}
