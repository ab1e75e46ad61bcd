/* report.c: a run folder as one page: reads its log, its test predictions and its best checkpoint, looks up
 * slices of the subjects predicted best and worst when their cohort is still there, and hands it all to report.h. */
#include "report/report.h"
#include "folder.h"
#include "judge.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LOG    ((size_t)256 << 20) /* bytes */
#define EACH_SIDE  3                   /* subjects shown with the smallest, and with the largest errors */
#define MAX_IMAGES (2 * EACH_SIDE)
#define MAX_FACTS  12

/* All that the page is made from, until it is written. */
typedef struct page {
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed fixed;
    hf_run_progress progress;
    hf_epoch_row *epochs;
    int n_epochs;
    hf_predictions test; /* predictions-test.tsv; count 0: there are none */
    int *order;          /* [test.count] from the smallest error to the largest */
    hf_report_image image[MAX_IMAGES];
    float *volume[MAX_IMAGES];
    int n_images;
    char value[MAX_FACTS][64];
    const char *fact[MAX_FACTS][2];
    int n_facts;
    char warning[512];
    const char *warnings[2];
    int n_warnings;
} page;

static void free_page(page *p)
{
    for (int i = 0; i < MAX_IMAGES; i++)
        free(p->volume[i]);
    hf_archive_free(&p->archive);
    hf_encoder_free(&p->fixed.encoder);
    hf_recipe_free(&p->recipe);
    hf_predictions_free(&p->test);
    free(p->epochs);
    free(p->order);
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

static double number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The selecting metric of an epoch; earlier versions wrote it as valid_mae. */
static double selected(const json_t *json, const hf_goal *goal)
{
    char former[64];
    const json_t *valid = json_object_get(json, "valid");
    snprintf(former, sizeof former, "valid_%s", goal->select);
    return valid ? number(valid, goal->select) : number(json, former);
}

static hf_status read_log(page *p, const char *folder)
{
    char *path = NULL;
    void *text = NULL;
    size_t size = 0, lines = 0;
    if (!hf_run_has(folder, "log.jsonl")) return HF_OK; /* weights from elsewhere, not trained here */
    hf_status status = hf_run_file(&path, folder, "log.jsonl");
    if (status == HF_OK) status = hf_file_read(&text, &size, path, MAX_LOG);
    for (size_t i = 0; i < size; i++)
        lines += ((const char *)text)[i] == '\n';
    if (status == HF_OK) status = hf_alloc(&p->epochs, lines, sizeof *p->epochs, "epochs");
    const char *at = text, *end;
    for (size_t i = 0; status == HF_OK && i < lines; i++, at = end + 1) {
        end = strchr(at, '\n');
        json_t *json = json_loadb(at, (size_t)(end - at), 0, NULL);
        if (json)
            p->epochs[p->n_epochs++] = (hf_epoch_row){ .epoch = (int)json_integer_value(json_object_get(json, "epoch")),
                                                       .train_loss = number(json, "train_loss"),
                                                       .valid_loss = number(json, "valid_loss"),
                                                       .valid = selected(json, p->fixed.target.goal),
                                                       .seconds = number(json, "seconds") };
        json_decref(json);
    }
    free(text);
    free(path);
    return status;
}

/* ---- predictions ------------------------------------------------------------------------------------------------- */

/* A subject and its error, to be sorted. */
typedef struct ranked {
    double error;
    const char *id;
    int at;
} ranked;

static int by_error(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->error < y->error ? -1 : x->error > y->error ? 1 : strcmp(x->id, y->id);
}

static hf_status rank(page *p)
{
    const hf_predictions *t = &p->test;
    ranked *subject;
    HF_TRY(hf_alloc(&p->order, (size_t)t->count, sizeof *p->order, "predictions"));
    HF_TRY(hf_alloc(&subject, (size_t)t->count, sizeof *subject, "predictions"));
    for (int i = 0; i < t->count; i++) {
        const double *truth = t->truth + i * t->target.T, *predicted = t->predicted + i * t->target.P;
        const bool judged = t->target.goal->error && !isnan(*truth);
        subject[i] = (ranked){ judged ? t->target.goal->error(&t->target, truth, predicted) : 0, t->id[i], i };
    }
    qsort(subject, (size_t)t->count, sizeof *subject, by_error);
    for (int i = 0; i < t->count; i++)
        p->order[i] = subject[i].at;
    free(subject);
    return HF_OK;
}

static hf_status read_predictions(page *p, const char *folder)
{
    char *path = NULL;
    hf_status status = hf_run_file(&path, folder, HF_PREDICTIONS_FILE);
    if (status == HF_OK && hf_path_exists(path)) {
        status = hf_predictions_read(&p->test, &p->fixed.target, path);
        p->test.bootstrap = (hf_bootstrap){ p->recipe.evaluate.bootstrap, (uint64_t)p->recipe.evaluate.seed };
        if (status == HF_OK) status = rank(p);
    }
    free(path);
    return status;
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static hf_status add_image(page *p, const hf_run_data *data, int subject, const char *note)
{
    const char *id = p->test.id[subject];
    const int *s = p->fixed.shape;
    for (int i = 0; i < data->cohort.n_subjects; i++) {
        if (strcmp(data->cohort.subject[i].id, id) != 0 || !hf_dataset_has(data->dataset, i)) continue;
        float **volume = &p->volume[p->n_images];
        HF_TRY(hf_alloc(volume, (size_t)s[0] * (size_t)s[1] * (size_t)s[2], sizeof **volume, "a volume"));
        HF_TRY(hf_dataset_get(data->dataset, i, *volume, NULL, NULL));
        hf_report_image *image = &p->image[p->n_images++];
        *image = (hf_report_image){ .subject = subject, .note = note, .volume = *volume };
        const double *spacing = p->fixed.grid.spacing[0] > 0 ? p->fixed.grid.spacing : p->fixed.grid.spacing_expected;
        for (int axis = 0; axis < 3; axis++) {
            image->shape[axis] = s[axis];
            image->spacing[axis] = spacing[axis];
        }
        return HF_OK;
    }
    return HF_OK; /* not in the cohort any more */
}

static hf_status find_images(page *p, const char *folder, const hf_watch *watch)
{
    hf_run_data data = { 0 };
    char *split = NULL;
    const int n = p->test.count, each = n / 2 < EACH_SIDE ? n / 2 : EACH_SIDE;
    hf_status status = hf_run_file(&split, folder, HF_SPLIT_FILE);
    const hf_run_source source = { .split_file = split, .learned = true, .needs_truth = true };
    if (status == HF_OK) status = hf_run_data_open(&data, &p->fixed, &p->recipe, &source, watch);
    for (int i = 0; status == HF_OK && i < each; i++)
        status = add_image(p, &data, p->order[n - 1 - i], "largest error");
    for (int i = 0; status == HF_OK && i < each; i++)
        status = add_image(p, &data, p->order[i], "smallest error");
    hf_run_data_free(&data);
    free(split);
    return status;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static void add_fact(page *p, const char *name, const char *format, ...) HF_PRINTF(3, 4);
static void add_fact(page *p, const char *name, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(p->value[p->n_facts], sizeof p->value[0], format, list);
    va_end(list);
    p->fact[p->n_facts][0] = name;
    p->fact[p->n_facts][1] = p->value[p->n_facts];
    p->n_facts++;
}

/* "frozen: trained alone before, epoch 31 of 250, BA 0.612". */
static void add_stage(page *p)
{
    hf_column column[HF_MAX_COLUMNS];
    const hf_run_stage *stage = &p->fixed.stage;
    if (stage->epochs == 0) return;
    hf_target_columns(column, &p->fixed.target);
    const hf_column *select = &column[hf_target_select(&p->fixed.target)];
    add_fact(p, "embedding", "%s: alone before, epoch %" PRId64 " of %" PRId64 ", %.8s %.*f",
             p->recipe.pretrain.embedding, stage->best_epoch, stage->epochs, select->label, select->metric->digits,
             stage->best_value);
}

/* Test subjects whose truth lies in their interval. */
static int count_covered(const hf_predictions *test, double margin)
{
    const hf_target *t = &test->target;
    int covered = 0;
    for (int i = 0; i < test->count; i++)
        covered += t->goal->error(t, test->truth + i * t->T, test->predicted + i * t->P) <= margin;
    return covered;
}

static void add_facts(page *p)
{
    double seconds = 0;
    for (int i = 0; i < p->n_epochs; i++)
        seconds += p->epochs[i].seconds;
    add_fact(p, "network", "%.60s", p->recipe.model.name);
    add_fact(p, "parameters", "%" PRId64, p->fixed.parameters);
    add_fact(p, "input", "1x%dx%dx%d", p->fixed.shape[0], p->fixed.shape[1], p->fixed.shape[2]);
    add_fact(p, "best epoch", "%" PRId64 " of %d", p->progress.best_epoch, p->n_epochs);
    if (p->recipe.train.patience && p->n_epochs < p->recipe.train.epochs)
        add_fact(p, "stopped early", "%" PRId64 " epochs without a better one", p->n_epochs - p->progress.best_epoch);
    add_stage(p);
    add_fact(p, "training time", "%.0f s", seconds);
    add_fact(p, "seeds", "training %" PRId64 ", split %" PRId64 ", bootstrap %" PRId64, p->recipe.train.seed,
             p->recipe.split.seed, p->recipe.evaluate.seed);
    const double margin = hf_run_margin(&p->archive, &p->fixed.target);
    if (!isnan(margin))
        add_fact(p, "prediction interval", "%d %%: plus and minus %.4g; holds %d of %d test subjects",
                 HF_INTERVAL_PERCENT, margin, count_covered(&p->test, margin), p->test.count);
    if (p->fixed.guard.checked)
        add_fact(p, "unlike the others", "%d of %d training volumes; correlation below %.3f, typical %.3f",
                 p->fixed.guard.flagged, p->fixed.guard.checked, p->fixed.guard.lowest, p->fixed.guard.typical);
}

static hf_status write_page(page *p, const char *path)
{
    char title[128];
    const char *text = hf_archive_find_text(&p->archive, HF_RECIPE_TEXT);
    snprintf(title, sizeof title, "HyperFusion: %.100s", p->recipe.cohort.target);
    const hf_report_data data = { .title = title,
                                  .subtitle = p->recipe.model.name,
                                  .recipe = text,
                                  .device = p->fixed.device,
                                  .n_facts = p->n_facts,
                                  .facts = (const char *const(*)[2])p->fact,
                                  .n_warnings = p->n_warnings,
                                  .warnings = p->warnings,
                                  .n_epochs = p->n_epochs,
                                  .best_epoch = (int)p->progress.best_epoch,
                                  .epochs = p->epochs,
                                  .target = &p->fixed.target,
                                  .predictions = p->test.count ? &p->test : NULL,
                                  .n_images = p->n_images,
                                  .images = p->image };
    return hf_report_write(&data, path);
}

hf_status hf_run_report(const char *folder, const char *path, const hf_watch *watch)
{
    static const char *const overfit =
        "Debugging run (train.overfit_batches): trained on a few batches without augmentation and dropout, and judged "
        "by "
        "the same subjects. What is called validation below is those. Nothing here is a result.";
    hf_status status;
    char *inside = NULL;
    page p = { 0 };
    HF_TRY_OUT(hf_run_checkpoint_read(&p.archive, &p.fixed, &p.progress, &p.recipe, folder, HF_BEST_FILE));
    HF_TRY_OUT(read_log(&p, folder));
    HF_TRY_OUT(read_predictions(&p, folder));
    if (p.recipe.train.overfit_batches) p.warnings[p.n_warnings++] = overfit;
    if (p.test.count && p.fixed.target.goal->error && find_images(&p, folder, watch) != HF_OK) {
        snprintf(p.warning, sizeof p.warning, "Slices are left out: %.400s", hf_error_message());
        p.warnings[p.n_warnings++] = p.warning;
    }
    add_facts(&p);
    if (!path) HF_TRY_OUT(hf_run_file(&inside, folder, HF_REPORT_FILE));
    HF_TRY_OUT(write_page(&p, path ? path : inside));
out:
    free(inside);
    free_page(&p);
    return status;
}
