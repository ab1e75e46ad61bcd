/* train.c: the training loop, and all that makes it safe to kill.
 *
 * An epoch ends in this order, each file whole on disk before the next: best.safetensors (when the epoch is the best),
 * its line in log.jsonl, last.safetensors. Resuming starts from last.safetensors and drops later lines of the log,
 * so an epoch that was cut short anywhere is done again, with the same random numbers, and leaves the same bits. */
#include "folder.h"
#include "guard.h"
#include "judge.h"
#include "network.h"
#include "samples.h"
#include "stage.h"
#include "watch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVALUATE_BATCH 4 /* samples; more would only cost memory */

/* A training run under way. */
typedef struct run {
    hf_recipe recipe; /* with the goal's own loss filled in */
    const char *folder;
    const hf_watch *watch;
    char *recipe_text; /* resolved */
    char *subjects;    /* hf_run_subjects */
    hf_lock lock;
    char *made; /* the first folder that was not there before; NULL: all were */
    hf_run_data data;
    hf_run_fixed fixed;
    hf_run_network network;
    hf_run_progress progress;
    hf_run_samples samples;
    hf_loader *train, *valid;
    int n_columns;
    hf_column column[HF_MAX_COLUMNS]; /* the goal's metrics */
    double learning_rate;             /* of the last step */
    float *output, *truth;            /* [validation subjects, outputs], [..., T] */
    double *scored;                   /* [validation subjects, P + T] */
    float *residual;                  /* [validation subjects] of the last epoch, sorted */
} run;

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

/* What a message about a failed epoch may promise. */
static const char *kept(const run *r)
{
    return hf_run_has(r->folder, HF_LAST_FILE) ? "; the checkpoint of the epoch before is kept" : "";
}

/* Refuses weights that are not finite, so that a checkpoint can always be used. */
static hf_status check_finite(const run *r, const hf_archive *archive)
{
    for (int i = 0; i < archive->n_entries; i++) {
        const hf_entry *entry = &archive->entry[i];
        const int64_t count = entry->type == HF_F32 ? hf_shape_count(&entry->shape) : 0;
        for (int64_t k = 0; k < count; k++)
            if (!isfinite(((const float *)entry->data)[k]))
                return hf_fail(HF_ERR_NUMBER,
                               "epoch %lld: '%s' is not finite any more%s. A lower train.learning_rate may help",
                               (long long)r->progress.epoch, entry->name, kept(r));
    }
    return HF_OK;
}

static hf_status save(const run *r, const char *name, bool with_optimizer)
{
    hf_archive archive = { 0 };
    char *path = NULL;
    hf_status status = hf_model_save(r->network.model, &archive);
    if (status == HF_OK && with_optimizer) status = hf_optimizer_save(r->network.optimizer, &archive);
    if (status == HF_OK) status = check_finite(r, &archive);
    if (status == HF_OK) status = hf_run_state_save(&archive, &r->fixed, &r->progress, r->recipe_text);
    if (status == HF_OK) status = hf_archive_add_text(&archive, HF_SUBJECTS_TEXT, r->subjects);
    if (status == HF_OK && r->fixed.target.goal->interval)
        status =
            hf_run_residuals_save(&archive, r->residual, r->recipe.train.overfit_batches ? 0 : r->samples.n_judges);
    if (status == HF_OK) status = hf_run_file(&path, r->folder, name);
    if (status == HF_OK) status = hf_archive_write(&archive, path);
    free(path);
    hf_archive_free(&archive);
    return status;
}

/* ---- starting and resuming --------------------------------------------------------------------------------------- */

static hf_status same_recipe(const run *r, const char *was, const char *name)
{
    hf_recipe before;
    HF_TRY(hf_recipe_parse(&before, was, strlen(was), name));
    hf_status status = hf_goal_resolve(&before);
    if (status == HF_OK) status = hf_recipe_continues(&before, &r->recipe);
    hf_recipe_free(&before);
    return status;
}

static hf_status check_same_recipe(const run *r)
{
    void *text = NULL;
    size_t size;
    char *path = NULL;
    hf_status status = hf_run_file(&path, r->folder, HF_RECIPE_FILE);
    if (status == HF_OK) status = hf_file_read(&text, &size, path, (size_t)1 << 20);
    if (status == HF_OK) status = same_recipe(r, text, path);
    if (status != HF_OK) status = hf_fail_in(status, "cannot resume '%s'", r->folder);
    free(text);
    free(path);
    return status;
}

static hf_status write_recipe(const run *r)
{
    char *path = NULL;
    hf_status status = hf_run_file(&path, r->folder, HF_RECIPE_FILE);
    if (status == HF_OK) status = hf_file_write(path, r->recipe_text, strlen(r->recipe_text));
    free(path);
    return status;
}

static hf_status begin(run *r)
{
    r->progress = (hf_run_progress){ .best_value = NAN };
    HF_TRY(hf_guard_fit(&r->fixed.guard, r->data.dataset, r->data.index + r->data.first[HF_TRAIN],
                        r->data.count[HF_TRAIN]));
    if (r->recipe.train.start_at_mean) HF_TRY(hf_run_start_at_mean(&r->network, &r->recipe, &r->fixed));
    HF_TRY(write_recipe(
        r)); /* from here on there is a run; should it end before the split is written, it is drawn again */
    return hf_run_split_write(r->folder, &r->data.cohort, r->data.part);
}

static hf_status load_last(run *r)
{
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed was = { 0 };
    hf_status status = hf_run_checkpoint_read(&archive, &was, &r->progress, &recipe, r->folder, HF_LAST_FILE);
    if (status == HF_OK) status = hf_recipe_continues(&recipe, &r->recipe);
    const char *subjects = hf_archive_find_text(&archive, HF_SUBJECTS_TEXT); /* older versions kept none */
    if (status == HF_OK && subjects) status = hf_run_same_subjects(subjects, r->subjects);
    if (status == HF_OK) status = hf_run_same_fixed(&was, &r->fixed);
    if (status == HF_OK) {
        hf_encoder *old = was.former ? &was.encoder : &r->fixed.encoder; /* who knows less */
        hf_encoder_free(old);
        if (was.former) was.encoder = r->fixed.encoder;
        was.former = false;
        was.target.low = r->fixed.target.low; /* earlier versions kept no range; it is that of the same subjects */
        was.target.high = r->fixed.target.high;
        r->fixed = was; /* its guard too */
    } else {
        hf_encoder_free(&was.encoder);
    }
    if (status == HF_OK) status = hf_model_load(r->network.model, &archive);
    if (status == HF_OK) status = hf_optimizer_load(r->network.optimizer, &archive);
    hf_recipe_free(&recipe);
    hf_archive_free(&archive);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "cannot resume '%s/%s'", r->folder, HF_LAST_FILE);
}

static hf_status continue_run(run *r)
{
    HF_TRY(load_last(r));
    HF_TRY(write_recipe(r));
    hf_watch_say(r->watch, "resuming after epoch %lld", (long long)r->progress.epoch);
    return hf_run_log_keep(r->folder, r->progress.epoch);
}

static hf_status open_data(run *r, bool resume)
{
    char *split = NULL;
    hf_status status = HF_OK;
    if (resume && hf_run_has(r->folder, HF_SPLIT_FILE)) status = hf_run_file(&split, r->folder, HF_SPLIT_FILE);
    const hf_run_source source = { .split_file = split, .needs_truth = true };
    if (status == HF_OK) status = hf_run_data_open(&r->data, &r->fixed, &r->recipe, &source, r->watch);
    free(split);
    const int *count = r->data.count;
    if (status == HF_OK)
        hf_watch_say(r->watch, "subjects: %d train, %d validate, %d test", count[HF_TRAIN], count[HF_VALID],
                     count[HF_TEST]);
    return status;
}

static hf_status open_network(run *r, const char *device)
{
    float *rows = NULL;
    const int samples = r->samples.count, wanted = (int)r->recipe.train.batch_size;
    const int batch = samples < wanted ? samples : wanted;
    const int sizes[HF_N_STEPS] = { batch, samples % batch, batch < EVALUATE_BATCH ? batch : EVALUATE_BATCH };
    hf_status status = hf_run_training_rows(&rows, &r->data, &r->fixed);
    if (status == HF_OK)
        status = hf_run_network_plan(&r->network, &r->recipe, &r->fixed.target, device, r->fixed.shape,
                                     r->fixed.encoder.width, sizes, rows, r->data.count[HF_TRAIN]);
    free(rows);
    HF_TRY(status);
    const hf_device_info *info = hf_context_device(r->network.context);
    hf_watch_say(r->watch, "device: %s (%s), network: %lld parameters, %.1f MiB on the device", info->id, info->name,
                 (long long)hf_model_parameter_count(r->network.model),
                 (double)hf_run_network_bytes(&r->network, true) / (1024.0 * 1024.0));
    r->fixed.parameters = hf_model_parameter_count(r->network.model);
    snprintf(r->fixed.device, sizeof r->fixed.device, "%s", info->name);
    hf_watch_progress(r->watch, "preparing kernels", 0, 1, NAN); /* the first time on a machine it takes a while */
    HF_TRY(hf_run_network_bind(&r->network, &r->recipe, true));
    if (!hf_run_pretrains(&r->recipe)) return HF_OK;
    return hf_run_pretrain_shapes(&r->network, &r->recipe, r->fixed.encoder.width);
}

static hf_augment augment_of(const hf_recipe *recipe)
{
    if (recipe->train.overfit_batches) return (hf_augment){ .seed = (uint64_t)recipe->train.seed };
    hf_augment a = { .flip = recipe->train.flip ? recipe->train.flip_rate : 0,
                     .shift = (int)recipe->train.shift,
                     .affine = recipe->train.affine,
                     .noise = recipe->train.noise,
                     .noise_sd = recipe->train.noise_sd,
                     .seed = (uint64_t)recipe->train.seed };
    memcpy(a.rotate, recipe->train.rotate, sizeof a.rotate);
    memcpy(a.scale, recipe->train.scale, sizeof a.scale);
    memcpy(a.shear, recipe->train.shear, sizeof a.shear);
    return a;
}

static hf_status open_loaders(run *r)
{
    const hf_augment augment = augment_of(&r->recipe);
    const hf_run_data *d = &r->data;
    const hf_loader_options train = { .batch_size = r->network.step[HF_STEP_TRAIN].batch,
                                      .shuffle = true,
                                      .seed = (uint64_t)r->recipe.train.seed,
                                      .depth = (int)r->recipe.train.threads_ahead,
                                      .no_volumes = r->network.row_only,
                                      .augment = &augment };
    const hf_loader_options valid = { .batch_size = r->network.step[HF_STEP_EVALUATE].batch,
                                      .no_volumes = r->network.row_only };
    const size_t count = (size_t)r->samples.n_judges;
    HF_TRY(hf_loader_new(&r->train, d->dataset, r->samples.index, r->samples.count, &train));
    if (count == 0) return HF_OK;
    const hf_target *t = &r->fixed.target;
    HF_TRY(hf_alloc(&r->output, count * (size_t)t->outputs, sizeof *r->output, "predictions"));
    HF_TRY(hf_alloc(&r->truth, count * (size_t)t->T, sizeof *r->truth, "targets"));
    HF_TRY(hf_alloc(&r->residual, count, sizeof *r->residual, "residuals"));
    HF_TRY(hf_alloc(&r->scored, count * (size_t)(t->P + t->T), sizeof *r->scored, "predictions"));
    return hf_loader_new(&r->valid, d->dataset, r->samples.judge, r->samples.n_judges, &valid);
}

/* ---- one epoch --------------------------------------------------------------------------------------------------- */

static void set_learning_rate(run *r)
{
    const int64_t batch = r->network.step[HF_STEP_TRAIN].batch, steps = (r->samples.count + batch - 1) / batch;
    r->learning_rate = hf_run_learning_rate(&r->recipe, &r->progress, steps);
    hf_optimizer_set_learning_rate(r->network.optimizer, r->learning_rate);
}

/* One pass over the training subjects; *loss is the mean over samples. */
static hf_status train_pass(double *loss, run *r, int64_t epoch)
{
    const int total = r->samples.count;
    const bool same_batches = r->recipe.train.overfit_batches > 0;
    const uint64_t seed = (uint64_t)r->recipe.train.seed;
    const hf_batch *batch;
    double sum = 0;
    int done = 0;
    HF_TRY(hf_loader_start(r->train, same_batches ? 1 : (uint64_t)epoch));
    for (int step = 1;; step++) {
        float value;
        HF_TRY(hf_loader_next(r->train, &batch));
        if (!batch) break;
        set_learning_rate(r);
        HF_TRY(hf_run_network_train(&value, &r->network, batch, seed, (uint32_t)r->progress.step));
        if (!isfinite(value))
            return hf_fail(HF_ERR_NUMBER, "epoch %lld, step %d: the loss is %g%s. A lower train.learning_rate may help",
                           (long long)epoch, step, (double)value, kept(r));
        r->progress.step++;
        sum += (double)value * batch->count;
        done += batch->count;
        hf_watch_progress(r->watch, "training", done, total, sum / done);
        if (r->watch->stop && r->watch->stop(r->watch->user))
            return hf_fail(HF_ERR_STOPPED, "stopped in epoch %lld, after step %d%s", (long long)epoch, step, kept(r));
    }
    *loss = sum / done;
    return HF_OK;
}

/* The goal's metrics of what the network says of the validation subjects. */
static hf_status score(hf_epoch *out, run *r, int count)
{
    const hf_target *t = &r->fixed.target;
    double *truth = r->scored + (size_t)count * (size_t)t->P;
    for (int i = 0; i < count; i++)
        t->goal->link(r->scored + (size_t)i * (size_t)t->P, r->output + (size_t)i * (size_t)t->outputs, t);
    for (int i = 0; i < count * t->T; i++)
        truth[i] = r->truth[i];
    const hf_scored scored = { count, t->T, t->P, truth, r->scored };
    if (t->goal->interval) hf_run_residuals(r->residual, &scored, t);
    for (int c = 0; c < r->n_columns; c++)
        HF_TRY(hf_metric_of(&out->valid[c], r->column[c].metric, r->column[c].k, &scored, NULL, count));
    return HF_OK;
}

static hf_status validate(hf_epoch *out, run *r)
{
    const int count = r->samples.n_judges;
    for (int c = 0; c < r->n_columns; c++)
        out->valid[c] = NAN;
    out->valid_loss = NAN;
    if (count == 0) return HF_OK;
    HF_TRY(hf_run_network_predict(r->output, r->truth, &r->network, r->valid, count, "validating", r->watch));
    out->valid_loss = r->fixed.target.loss->value(&r->fixed.target, r->output, r->truth, count);
    if (isfinite(out->valid_loss)) return score(out, r, count);
    return hf_fail(HF_ERR_NUMBER, "epoch %d: the validation loss is not finite%s. A lower train.learning_rate may help",
                   out->epoch, kept(r));
}

static hf_status finish_epoch(run *r, hf_epoch *e)
{
    const double value = e->valid[e->select];
    r->progress.epoch = e->epoch;
    e->best = r->samples.n_judges == 0 || r->progress.best_epoch == 0 ||
              hf_metric_better(r->column[e->select].metric, value, r->progress.best_value);
    if (e->best) {
        r->progress.best_epoch = e->epoch;
        r->progress.best_value = value;
        HF_TRY(save(r, HF_BEST_FILE, false));
    }
    (void)hf_run_note_plateau(&r->progress, &r->recipe);
    HF_TRY(hf_run_log_append(r->folder, e));
    return save(r, HF_LAST_FILE, true);
}

static hf_status train_epoch(run *r, int64_t epoch)
{
    hf_epoch e = { .epoch = (int)epoch,
                   .epochs = (int)r->recipe.train.epochs,
                   .n_columns = r->n_columns,
                   .select = hf_target_select(&r->fixed.target),
                   .column = r->column };
    const double start = hf_seconds(), waited = hf_loader_waited(r->train);
    HF_TRY(train_pass(&e.train_loss, r, epoch));
    const double trained = hf_seconds() - start;
    e.waited_seconds = hf_loader_waited(r->train) - waited;
    HF_TRY(validate(&e, r));
    e.learning_rate = r->learning_rate;
    e.seconds = hf_seconds() - start;
    e.samples_per_second = r->samples.count / trained;
    HF_TRY(finish_epoch(r, &e));
    if (r->watch->epoch) r->watch->epoch(r->watch->user, &e);
    return HF_OK;
}

static const char *selecting(const run *r)
{
    return r->column[hf_target_select(&r->fixed.target)].label;
}

static hf_status train_epochs(run *r)
{
    while (r->progress.epoch < r->recipe.train.epochs && !hf_run_out_of_patience(&r->progress, &r->recipe)) {
        const int64_t reductions = r->progress.reductions;
        HF_TRY(train_epoch(r, r->progress.epoch + 1));
        if (r->progress.reductions > reductions)
            hf_watch_say(r->watch, "%lld epochs without a better %s: the learning rate is reduced",
                         (long long)r->recipe.train.decay_epochs, selecting(r));
    }
    if (r->progress.epoch < r->recipe.train.epochs)
        hf_watch_say(r->watch, "stopped early: no better %s since epoch %lld (train.patience)", selecting(r),
                     (long long)r->progress.best_epoch);
    return HF_OK;
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static void say_overfit(const run *r)
{
    if (r->recipe.train.overfit_batches)
        hf_watch_say(
            r->watch,
            "DEBUGGING RUN: train.overfit_batches trains on %d samples alone, without augmentation and dropout, "
            "and judges by the same subjects. Nothing it says holds for others; the test subjects are not used",
            r->samples.count);
}

static hf_status train_all(run *r, const hf_train_options *options)
{
    HF_TRY(hf_run_first_missing(&r->made, r->folder));
    if (!options->resume) HF_TRY(hf_run_refuse_used(r->folder));
    HF_TRY(hf_run_lock(&r->lock, r->folder));
    const bool resume = options->resume && hf_run_has(r->folder, HF_RECIPE_FILE);
    if (!resume) HF_TRY(hf_run_refuse_used(r->folder)); /* again: nobody else can be writing now */
    if (options->resume && !resume) hf_watch_say(r->watch, "nothing to resume in '%s' yet", r->folder);
    if (resume) HF_TRY(check_same_recipe(r));
    HF_TRY(open_data(r, resume));
    HF_TRY(hf_run_subjects(&r->subjects, &r->data, &r->fixed.encoder, &r->fixed.target));
    r->n_columns = hf_target_columns(r->column, &r->fixed.target);
    HF_TRY(hf_run_samples_list(&r->samples, &r->data, &r->fixed.target, &r->recipe));
    HF_TRY(hf_run_check_selecting(&r->recipe, r->samples.n_judges));
    say_overfit(r);
    HF_TRY(open_network(r, options->device));
    HF_TRY(open_loaders(r));
    if (resume && hf_run_has(r->folder, HF_LAST_FILE)) {
        HF_TRY(continue_run(r));
    } else {
        HF_TRY(hf_run_log_keep(r->folder, 0));
        HF_TRY(begin(r));
        if (hf_run_pretrains(&r->recipe))
            HF_TRY(hf_run_pretrain(&r->fixed.stage, &r->network, &r->recipe, r->subjects, r->folder, options));
    }
    return train_epochs(r);
}

static void close_run(run *r)
{
    hf_loader_free(&r->train);
    hf_loader_free(&r->valid);
    hf_run_network_free(&r->network);
    hf_run_data_free(&r->data);
    hf_encoder_free(&r->fixed.encoder);
    hf_run_samples_free(&r->samples);
    free(r->output);
    free(r->truth);
    free(r->scored);
    free(r->residual);
    free(r->recipe_text);
    hf_recipe_free(&r->recipe);
    free(r->subjects);
}

/* The best weights on the test subjects, into predictions and report. */
static hf_status judge(hf_predictions *out, const char *folder, bool overfit, const hf_train_options *options)
{
    hf_status status;
    char *path = NULL;
    hf_predictions test = { 0 };
    const hf_watch quiet = { 0 }; /* who is left out has been said */
    const hf_evaluate_options how = { .device = options->device,
                                      .part = HF_TEST,
                                      .needs_truth = true,
                                      .watch = { .progress = options->watch.progress, .user = options->watch.user } };
    if (overfit) return hf_run_report(folder, NULL, &quiet); /* no score of the test subjects may come of it */
    HF_TRY_OUT(hf_run_predict(&test, folder, &how));
    HF_TRY_OUT(hf_run_file(&path, folder, HF_PREDICTIONS_FILE));
    HF_TRY_OUT(hf_predictions_write(&test, path));
    HF_TRY_OUT(hf_run_report(folder, NULL, &quiet));
    if (out) {
        *out = test;
        test = (hf_predictions){ 0 };
    }
out:
    free(path);
    hf_predictions_free(&test);
    return status;
}

hf_status hf_run_train(hf_predictions *test, const hf_recipe *recipe, const char *folder,
                       const hf_train_options *options)
{
    static const hf_train_options defaults = { 0 };
    if (!options) options = &defaults;
    if (test) *test = (hf_predictions){ 0 };
    run r = { .folder = folder, .watch = &options->watch, .lock = { -1 } };
    hf_text text = { 0 };
    hf_status status = hf_recipe_check(recipe);
    if (status == HF_OK) status = hf_recipe_copy(&r.recipe, recipe);
    if (status == HF_OK) status = hf_target_set(&r.fixed.target, recipe);
    if (status == HF_OK) status = hf_goal_resolve(&r.recipe);
    if (status == HF_OK) status = hf_run_pretrain_check(&r.recipe);
    if (status == HF_OK) status = hf_recipe_write(&r.recipe, &text);
    r.recipe_text = text.data;
    if (status == HF_OK) status = train_all(&r, options);
    close_run(&r);
    if (status != HF_OK && r.lock.fd >= 0 && r.made) hf_run_remove_empty(folder, r.made);
    free(r.made);
    if (status == HF_OK) status = judge(test, folder, recipe->train.overfit_batches > 0, options);
    hf_lock_release(&r.lock);
    return status;
}
