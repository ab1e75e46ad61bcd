/* convert.c: weights from elsewhere into a run folder, weights of a run or a recipe out to elsewhere, and the order in
 * which a training shows its subjects.
 *
 * A run needs more than weights: how volumes and table rows become input. That comes from the recipe's cohort as in
 * training, or from a file of statistics, or from the recipe alone where its columns need none. The folder is written
 * when all of it is known, best.safetensors last; last.safetensors has an optimiser that has done nothing, so that
 * `train --resume` goes on with these weights. */
#include "convert/convert.h"
#include "data.h"
#include "folder.h"
#include "guard.h"
#include "learned.h"
#include "network.h"
#include "samples.h"
#include "stage.h"
#include "watch.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_STATISTICS ((size_t)64 << 20) /* bytes of an encoder's text */

/* What a conversion works on. */
typedef struct conversion {
    hf_recipe recipe; /* with the goal's own loss filled in */
    char *recipe_text;
    bool has_data;
    hf_run_data data; /* only with a cohort */
    char *subjects;   /* only with a cohort */
    hf_run_fixed fixed;
    hf_run_network network;
    hf_archive initial; /* the network's tensors, as a training would begin with them */
} conversion;

static void close_conversion(conversion *c)
{
    hf_archive_free(&c->initial);
    hf_run_network_free(&c->network);
    hf_run_data_free(&c->data);
    hf_encoder_free(&c->fixed.encoder);
    free(c->subjects);
    free(c->recipe_text);
    hf_recipe_free(&c->recipe);
}

/* ---- what is known of data --------------------------------------------------------------------------------------- */

/* Nobody knows what training volumes looked like. */
static void no_guard(hf_run_fixed *fixed)
{
    fixed->guard = (hf_guard){ .typical = NAN, .lowest = NAN };
}

static void no_baselines(hf_target *target)
{
    for (int b = 0; b < HF_MAX_BASELINES; b++)
        for (int k = 0; k < HF_MAX_CLASSES; k++)
            target->baseline[b][k] = NAN;
}

static hf_status same_words(const hf_texts *a, const hf_texts *b, const char *key)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->text[i], b->text[i]) == 0;
    if (same) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "%s is not that of the recipe the statistics belong to", key);
}

/* Statistics of one recipe in another one must be of the same columns, classes and grid. */
static hf_status same_input(const hf_recipe *was, const hf_recipe *is)
{
    hf_grid a, b;
    HF_TRY(hf_run_grid(&a, was));
    HF_TRY(hf_run_grid(&b, is));
    HF_TRY(same_words(&was->cohort.tabular, &is->cohort.tabular, "cohort.tabular"));
    HF_TRY(same_words(&was->goal.classes, &is->goal.classes, "goal.classes"));
    if (strcmp(was->cohort.target, is->cohort.target) != 0 || strcmp(was->goal.name, is->goal.name) != 0)
        return hf_fail(HF_ERR_ARGUMENT,
                       "the statistics belong to the goal '%s' of column '%s', the recipe has '%s' of '%s'",
                       was->goal.name, was->cohort.target, is->goal.name, is->cohort.target);
    if (hf_grid_equal(&a, &b)) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "the recipe brings volumes to another grid than the one the statistics belong to");
}

static hf_status from_checkpoint(conversion *c, const hf_archive *archive)
{
    hf_recipe recipe = { 0 };
    hf_run_progress progress;
    hf_status status = hf_run_state_load(&c->fixed, &progress, &recipe, archive);
    if (status == HF_OK) status = same_input(&recipe, &c->recipe);
    if (status == HF_OK && c->fixed.former)
        status = hf_fail(HF_ERR_UNSUPPORTED, "it was written by version 0.1, whose tables were encoded otherwise");
    hf_recipe_free(&recipe);
    return status;
}

static hf_status same_features(const hf_encoder *found, const hf_recipe *recipe)
{
    hf_encoder *wanted;
    const hf_network *network;
    const hf_texts *specs = &recipe->cohort.tabular;
    HF_TRY(hf_run_network_find(&network, recipe));
    HF_TRY(hf_alloc(&wanted, 1, sizeof *wanted, "the encoder"));
    hf_status status =
        hf_encoder_parse(wanted, (const char *const *)specs->text, network->uses_tabular ? specs->count : 0);
    if (status == HF_OK && wanted->n_features != found->n_features)
        status = hf_fail(HF_ERR_ARGUMENT, "%d features, the recipe's network reads %d", found->n_features,
                         wanted->n_features);
    for (int i = 0; status == HF_OK && i < found->n_features; i++)
        if (strcmp(found->feature[i].spec, wanted->feature[i].spec) != 0)
            status = hf_fail(HF_ERR_ARGUMENT, "feature %d is '%.80s', the recipe has '%.80s'", i + 1,
                             found->feature[i].spec, wanted->feature[i].spec);
    free(wanted);
    return status;
}

/* Grid and goal from the recipe, which must say all of it. */
static hf_status from_recipe(conversion *c)
{
    int width;
    HF_TRY(hf_run_grid(&c->fixed.grid, &c->recipe));
    HF_TRY(hf_target_set(&c->fixed.target, &c->recipe));
    HF_TRY(hf_run_measure(c->fixed.shape, &width, &c->recipe));
    no_baselines(&c->fixed.target);
    no_guard(&c->fixed);
    return HF_OK;
}

static hf_status from_text(conversion *c, const char *text)
{
    HF_TRY(hf_encoder_read(&c->fixed.encoder, text));
    HF_TRY(same_features(&c->fixed.encoder, &c->recipe));
    return from_recipe(c);
}

/* A run folder, one of its checkpoints, or the text of an encoder. */
static hf_status read_statistics(conversion *c, const char *path)
{
    static const char beginning[] = "encoder ";
    void *bytes = NULL;
    size_t size = 0;
    char *inside = NULL;
    hf_archive archive = { 0 };
    hf_status status = HF_OK;
    if (hf_run_has(path, HF_BEST_FILE)) HF_TRY(hf_run_file(&inside, path, HF_BEST_FILE));
    const char *file = inside ? inside : path;
    HF_TRY_OUT(hf_file_read(&bytes, &size, file, UINT32_MAX));
    if (size < MAX_STATISTICS && strncmp(bytes, beginning, sizeof beginning - 1) == 0) {
        status = from_text(c, bytes);
    } else {
        status = hf_archive_parse(&archive, bytes, size, file);
        if (status == HF_OK) status = from_checkpoint(c, &archive);
    }
out:
    hf_archive_free(&archive);
    if (status != HF_OK) status = hf_fail_in(status, "statistics '%s'", file);
    free(bytes);
    free(inside);
    return status;
}

/* Whether a feature can be encoded without having seen a training row. */
static bool needs_rows(const hf_feature *f)
{
    return f->encoding != HF_ONE_HOT || f->n_categories == 0 || f->zscore || f->flag_zscore;
}

static hf_status from_nothing(conversion *c)
{
    const hf_network *network;
    const hf_texts *specs = &c->recipe.cohort.tabular;
    hf_encoder *e = &c->fixed.encoder;
    HF_TRY(hf_run_network_find(&network, &c->recipe));
    HF_TRY(hf_encoder_parse(e, (const char *const *)specs->text, network->uses_tabular ? specs->count : 0));
    for (int i = 0; i < e->n_features; i++)
        if (needs_rows(&e->feature[i]))
            return hf_fail(HF_ERR_ARGUMENT,
                           "'%.80s' needs what training rows say: set cohort.path, or give --statistics: a run, a "
                           "checkpoint or the text of an encoder",
                           e->feature[i].spec);
    return from_recipe(c);
}

static hf_status open_cohort(conversion *c, bool learned, const hf_watch *watch)
{
    const hf_run_source source = { .learned = learned, .needs_truth = true };
    HF_TRY(hf_recipe_check(&c->recipe));
    HF_TRY(hf_run_data_open(&c->data, &c->fixed, &c->recipe, &source, watch));
    c->has_data = true;
    const int *count = c->data.count;
    hf_watch_say(watch, "subjects: %d train, %d validate, %d test", count[HF_TRAIN], count[HF_VALID], count[HF_TEST]);
    HF_TRY(hf_run_subjects(&c->subjects, &c->data, &c->fixed.encoder, &c->fixed.target));
    if (learned) return HF_OK;
    return hf_guard_fit(&c->fixed.guard, c->data.dataset, c->data.index + c->data.first[HF_TRAIN], count[HF_TRAIN]);
}

/* ---- the network ------------------------------------------------------------------------------------------------- */

static hf_status make_initial(conversion *c, const char *device)
{
    static const int sizes[HF_N_STEPS] = { [HF_STEP_EVALUATE] = 1 };
    float *rows = NULL;
    hf_status status = HF_OK;
    if (c->has_data) status = hf_run_training_rows(&rows, &c->data, &c->fixed);
    if (status == HF_OK)
        status = hf_run_network_plan(&c->network, &c->recipe, &c->fixed.target, device, c->fixed.shape,
                                     c->fixed.encoder.width, sizes, rows, c->data.count[HF_TRAIN]);
    free(rows);
    HF_TRY(status);
    const hf_device_info *info = hf_context_device(c->network.context);
    c->fixed.parameters = hf_model_parameter_count(c->network.model);
    snprintf(c->fixed.device, sizeof c->fixed.device, "%s", info->name);
    HF_TRY(hf_model_freeze(c->network.model));
    return hf_model_save(c->network.model, &c->initial);
}

static hf_status open_conversion(conversion *c, const hf_recipe *recipe, const hf_convert_options *options)
{
    hf_text text = { 0 };
    HF_TRY(hf_recipe_copy(&c->recipe, recipe));
    HF_TRY(hf_goal_resolve(&c->recipe));
    const hf_status status = hf_recipe_write(&c->recipe, &text);
    c->recipe_text = text.data;
    HF_TRY(status);
    if (options->statistics) HF_TRY(read_statistics(c, options->statistics));
    if (c->recipe.cohort.path[0])
        HF_TRY(open_cohort(c, options->statistics != NULL, &options->watch));
    else if (!options->statistics)
        HF_TRY(from_nothing(c));
    return make_initial(c, options->device);
}

/* ---- into a run folder ------------------------------------------------------------------------------------------- */

static hf_status check_finite(const hf_archive *archive)
{
    for (int i = 0; i < archive->n_entries; i++)
        for (int64_t k = 0, n = hf_shape_count(&archive->entry[i].shape); k < n; k++)
            if (!isfinite(((const float *)archive->entry[i].data)[k]))
                return hf_fail(HF_ERR_NUMBER, "tensor '%s' has an element that is not finite", archive->entry[i].name);
    return HF_OK;
}

/* Moments of 0, as before the first step. */
static hf_status add_still_optimizer(hf_archive *archive, const hf_model *model)
{
    static const char *const letters[] = { "m", "v" };
    char name[600];
    for (int i = 0; i < hf_model_named_count(model); i++) {
        const hf_named named = hf_model_named(model, i);
        const hf_shape *shape = &named.value.desc.shape;
        float *zeros = NULL;
        if (!named.is_parameter) continue;
        HF_TRY(hf_alloc(&zeros, (size_t)hf_shape_count(shape), sizeof *zeros, "the optimizer's moments"));
        hf_status status = HF_OK;
        for (int k = 0; k < 2 && status == HF_OK; k++) {
            snprintf(name, sizeof name, "optimizer.%s.%.500s", letters[k], named.name);
            status = hf_archive_add(archive, name, HF_F32, *shape, zeros);
        }
        free(zeros);
        HF_TRY(status);
    }
    return hf_archive_add_text(archive, "optimizer.steps", "0");
}

static hf_status write_archive(const hf_archive *archive, const char *folder, const char *name)
{
    char *path = NULL;
    HF_TRY(hf_run_file(&path, folder, name));
    const hf_status status = hf_archive_write(archive, path);
    free(path);
    return status;
}

static hf_status write_text(const char *text, const char *folder, const char *name)
{
    char *path = NULL;
    HF_TRY(hf_run_file(&path, folder, name));
    const hf_status status = hf_file_write(path, text, strlen(text));
    free(path);
    return status;
}

/* `weights` with what predicting needs; then the same with an optimiser, for who wants to train on. */
static hf_status write_run(const conversion *c, hf_archive *weights, const char *folder)
{
    const hf_run_progress untrained = { .best_value = NAN };
    hf_archive best = *weights; /* texts and tensors come in front of the optimiser's */
    *weights = (hf_archive){ 0 };
    hf_status status = hf_run_state_save(&best, &c->fixed, &untrained, c->recipe_text);
    if (status == HF_OK && c->has_data) status = hf_archive_add_text(&best, HF_SUBJECTS_TEXT, c->subjects);
    if (status == HF_OK) status = write_text(c->recipe_text, folder, HF_RECIPE_FILE);
    if (status == HF_OK && c->has_data) status = hf_run_split_write(folder, &c->data.cohort, c->data.part);
    if (status == HF_OK) status = write_archive(&best, folder, HF_BEST_FILE);
    if (status == HF_OK && c->has_data) {
        status = add_still_optimizer(&best, c->network.model);
        if (status == HF_OK) status = write_archive(&best, folder, HF_LAST_FILE);
    }
    hf_archive_free(&best);
    return status;
}

/* Nothing half-written: the folder was empty before. */
static void take_back(const char *folder, const char *made)
{
    static const char *const names[] = { HF_LAST_FILE, HF_BEST_FILE, HF_SPLIT_FILE, HF_RECIPE_FILE };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = NULL;
        if (hf_run_file(&path, folder, names[i]) == HF_OK) unlink(path);
        free(path);
    }
    if (made) hf_run_remove_empty(folder, made);
}

static hf_status write_folder(const conversion *c, hf_archive *weights, const char *folder)
{
    hf_lock lock = { -1 };
    char *made = NULL;
    hf_status status;
    HF_TRY_OUT(hf_run_first_missing(&made, folder));
    HF_TRY_OUT(hf_run_lock(&lock, folder));
    HF_TRY_OUT(hf_run_refuse_used(folder)); /* again: nobody else can be writing now */
    status = write_run(c, weights, folder);
    if (status != HF_OK) take_back(folder, made);
out:
    hf_lock_release(&lock);
    free(made);
    return status;
}

hf_status hf_run_import(const hf_recipe *recipe, const char *weights, const char *folder,
                        const hf_convert_options *options)
{
    hf_status status;
    conversion c = { 0 };
    hf_archive theirs = { 0 }, converted = { 0 };
    const hf_naming *naming = NULL;
    const char *network = recipe->model.name;
    HF_TRY(hf_run_refuse_used(folder));
    HF_TRY_OUT(hf_archive_read_state_dict(&theirs, weights));
    HF_TRY_OUT(open_conversion(&c, recipe, options));
    status = hf_convert_from(&converted, &naming, &theirs, &c.initial, network);
    if (status == HF_OK) status = check_finite(&converted);
    if (status != HF_OK) {
        status = hf_fail_in(status, "'%s'", weights);
        goto out;
    }
    HF_TRY_OUT(write_folder(&c, &converted, folder));
    hf_watch_say(&options->watch, "converted %" PRId64 " parameters of '%s' by the naming '%s'", c.fixed.parameters,
                 network, naming->name);
out:
    hf_archive_free(&theirs);
    hf_archive_free(&converted);
    close_conversion(&c);
    return status;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static hf_status export_archive(const hf_archive *ours, const char *network, const hf_naming *naming, const char *path)
{
    hf_archive made = { 0 };
    hf_status status = hf_convert_to(&made, naming, ours, network);
    if (status == HF_OK) status = hf_archive_add_text(&made, "format", "pt"); /* PyTorch's readers ask for it */
    if (status == HF_OK) status = hf_archive_write(&made, path);
    hf_archive_free(&made);
    return status;
}

hf_status hf_run_export(const char *folder, bool last, const hf_naming *naming, const char *path)
{
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed fixed = { 0 };
    hf_run_progress progress;
    hf_status status =
        hf_run_checkpoint_read(&archive, &fixed, &progress, &recipe, folder, last ? HF_LAST_FILE : HF_BEST_FILE);
    if (status == HF_OK) status = export_archive(&archive, recipe.model.name, naming, path);
    hf_encoder_free(&fixed.encoder);
    hf_archive_free(&archive);
    hf_recipe_free(&recipe);
    return status;
}

static hf_status start(conversion *c)
{
    if (hf_run_pretrains(&c->recipe))
        return hf_fail(HF_ERR_UNSUPPORTED,
                       "pretrain.embedding is %s: such a training begins with what a stage before it has "
                       "made; set pretrain.embedding=fresh for the weights before that stage",
                       c->recipe.pretrain.embedding);
    if (!c->recipe.train.start_at_mean) return HF_OK;
    if (!isfinite(c->fixed.target.baseline[0][0]))
        return hf_fail(HF_ERR_ARGUMENT,
                       "train.start_at_mean begins with what the training targets say: set cohort.path, "
                       "give the statistics of a run, or set train.start_at_mean=false");
    HF_TRY(hf_run_start_at_mean(&c->network, &c->recipe, &c->fixed));
    hf_archive_free(&c->initial);
    return hf_model_save(c->network.model, &c->initial);
}

hf_status hf_run_export_initial(const hf_recipe *recipe, const hf_naming *naming, const char *path,
                                const hf_convert_options *options)
{
    conversion c = { 0 };
    hf_status status = open_conversion(&c, recipe, options);
    if (status == HF_OK) status = start(&c);
    if (status == HF_OK) status = export_archive(&c.initial, c.recipe.model.name, naming, path);
    close_conversion(&c);
    return status;
}

/* ---- the order of a training ------------------------------------------------------------------------------------- */

static void add_sample(hf_text *out, const conversion *c, int64_t epoch, int64_t step, int subject)
{
    static const char *const sides[] = { "right", "left" };
    char numbers[2][24];
    snprintf(numbers[0], sizeof numbers[0], "%" PRId64, epoch);
    snprintf(numbers[1], sizeof numbers[1], "%" PRId64, step);
    const bool both = hf_views(&c->fixed.grid) > 1;
    const int side = both ? hf_augment_side((uint64_t)c->recipe.train.seed, (uint64_t)epoch, (uint64_t)subject) : 0;
    const char *cells[] = { numbers[0], numbers[1], c->data.cohort.subject[subject].id, sides[side] };
    hf_table_add_row(out, cells, both ? 4 : 3);
}

static hf_status add_order(hf_text *out, const conversion *c, const int *sample, int count)
{
    uint32_t *order = NULL;
    const int64_t batch = c->recipe.train.batch_size < count ? c->recipe.train.batch_size : count;
    int64_t step = 0;
    HF_TRY(hf_alloc(&order, (size_t)count, sizeof *order, "the order of an epoch"));
    hf_text_add(out, "epoch\tstep\tparticipant_id%s\n", hf_views(&c->fixed.grid) > 1 ? "\tside" : "");
    for (int64_t epoch = 1; epoch <= c->recipe.train.epochs && !out->failed; epoch++) {
        hf_loader_order(order, (uint32_t)count, (uint64_t)c->recipe.train.seed, (uint64_t)epoch);
        for (int i = 0; i < count; i++) {
            step += i % batch == 0;
            add_sample(out, c, epoch, step, sample[order[i]]);
        }
    }
    free(order);
    return hf_text_check(out);
}

hf_status hf_run_write_batches(const hf_recipe *recipe, const char *path, const hf_convert_options *options)
{
    conversion c = { 0 };
    hf_text text = { 0 };
    hf_run_samples samples = { 0 };
    hf_status status;
    HF_TRY_OUT(hf_recipe_copy(&c.recipe, recipe));
    HF_TRY_OUT(open_cohort(&c, false, &options->watch));
    HF_TRY_OUT(hf_run_samples_list(&samples, &c.data, &c.fixed.target, &c.recipe));
    HF_TRY_OUT(add_order(&text, &c, samples.index, samples.count));
    HF_TRY_OUT(hf_file_write(path, text.data, text.size));
out:
    hf_run_samples_free(&samples);
    hf_text_free(&text);
    close_conversion(&c);
    return status;
}
