/* data.c: from a recipe to preprocessed subjects: cohort, split, truth, table statistics (from training rows only),
 * and the volumes on the recipe's grid. Nobody is left out without being named. */
#include "data.h"
#include "learned.h"
#include "network.h"
#include "watch.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SAID 5 /* subjects named one by one; more are counted */

/* ---- watching ---------------------------------------------------------------------------------------------------- */

void hf_watch_say(const hf_watch *watch, const char *format, ...)
{
    char line[1024];
    va_list list;
    if (!watch || !watch->say) return;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    watch->say(watch->user, line);
}

void hf_watch_progress(const hf_watch *watch, const char *what, int done, int total, double loss)
{
    if (watch && watch->progress) watch->progress(watch->user, what, done, total, loss);
}

static void preparing(void *user, int done, int total)
{
    hf_watch_progress(user, "preparing volumes", done, total, NAN);
}

/* ---- cohort and split -------------------------------------------------------------------------------------------- */

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

hf_status hf_run_cohort_open(hf_cohort *out, const hf_recipe *recipe, const char *folder)
{
    char *column = NULL;
    const char *value = NULL;
    if (!folder && !recipe->cohort.path[0])
        return hf_fail(HF_ERR_ARGUMENT, "the recipe names no cohort (cohort.path is empty): name one with --cohort");
    HF_TRY(hf_strdup(&column, recipe->cohort.filter));
    char *equals = strchr(column, '=');
    if (equals) {
        *equals = '\0';
        value = equals + 1;
    }
    const hf_cohort_options options = { .table = folder ? NULL : or_null(recipe->cohort.table),
                                        .id_column = or_null(recipe->cohort.id_column),
                                        .image_column = or_null(recipe->cohort.image_column),
                                        .mask = or_null(recipe->cohort.mask),
                                        .filter_column = equals ? column : NULL,
                                        .filter_value = value,
                                        .fraction = recipe->cohort.fraction,
                                        .session = or_null(recipe->cohort.session),
                                        .entities = (const char *const *)recipe->cohort.entities.text,
                                        .n_entities = recipe->cohort.entities.count };
    const hf_status status = hf_cohort_open(out, folder ? folder : recipe->cohort.path, &options);
    free(column);
    return status;
}

int hf_run_group_columns(int column[HF_MAX_GROUPS], const hf_cohort *cohort, const hf_recipe *recipe)
{
    const hf_texts *groups = &recipe->evaluate.groups;
    int n = 0;
    for (int i = 0; i < groups->count && n < HF_MAX_GROUPS; i++) {
        column[n] = hf_table_column(&cohort->table, groups->text[i]);
        n += column[n] >= 0;
    }
    return n;
}

static hf_status split(hf_run_data *data, const hf_recipe *recipe, const hf_run_source *source)
{
    hf_split_options options = { .method = recipe->split.method,
                                 .column = or_null(recipe->split.column),
                                 .file = or_null(recipe->split.file),
                                 .age_column = or_null(recipe->split.age_column),
                                 .sex_column = or_null(recipe->split.sex_column),
                                 .group_column = or_null(recipe->split.group_column),
                                 .strata = (const char *const *)recipe->split.strata.text,
                                 .n_strata = recipe->split.strata.count,
                                 .leave = or_null(recipe->split.leave),
                                 .folds = (int)recipe->split.folds,
                                 .fold = (int)recipe->split.fold,
                                 .valid = recipe->split.valid,
                                 .test = recipe->split.test,
                                 .seed = (uint64_t)recipe->split.seed,
                                 .train_filter = or_null(recipe->split.train_filter),
                                 .train_fraction = recipe->split.train_fraction };
    HF_TRY(hf_alloc(&data->part, (size_t)data->cohort.n_subjects, sizeof *data->part, "the split"));
    if (source->folder) {
        for (int i = 0; i < data->cohort.n_subjects; i++)
            data->part[i] = HF_TEST;
        return HF_OK;
    }
    if (source->split_file) {
        options.method = "file"; /* who is unused there, stays so */
        options.file = source->split_file;
        options.train_filter = NULL;
        options.train_fraction = 1;
    }
    return hf_split_make(data->part, &data->cohort, &options);
}

/* ---- truth ------------------------------------------------------------------------------------------------------- */

/* Says the first lines of a text, and how many there are. */
static void say_lines(const hf_watch *watch, const hf_text *lines, const char *what)
{
    int said = 0;
    const char *end;
    for (const char *at = lines->data; at && (end = strchr(at, '\n')); at = end + 1)
        if (said++ < MAX_SAID) hf_watch_say(watch, "%s: %.*s", what, (int)(end - at), at);
    if (said > MAX_SAID) hf_watch_say(watch, "%s: %d subjects in all", what, said);
}

/* Whether the truth of a subject is written, but is none: then it is one of its cohort's problems. */
static hf_status find_bad_truth(bool *bad, hf_cohort *cohort, const hf_target *target, int subject)
{
    double ignored[HF_MAX_TRUTH];
    const int column = hf_table_column(&cohort->table, target->column);
    const hf_status status = target->goal->parse(ignored, target, &cohort->table, cohort->subject[subject].row, column);
    *bad = status == HF_ERR_FORMAT;
    if (!*bad) return status;
    return hf_cohort_problem(cohort, true, cohort->subject[subject].id, "%s", hf_error_message());
}

/* Leaves out subjects without truth. */
static hf_status drop_without_truth(hf_run_data *data, const hf_target *target, const hf_watch *watch)
{
    int dropped = 0;
    for (int i = 0; i < data->cohort.n_subjects; i++) {
        bool bad;
        if (isfinite(data->truth[i * target->T]) || data->part[i] == HF_UNUSED) continue;
        data->part[i] = HF_UNUSED;
        HF_TRY(find_bad_truth(&bad, &data->cohort, target, i));
        if (!bad && dropped++ < MAX_SAID)
            hf_watch_say(watch, "left out: '%s' has no %s", data->cohort.subject[i].id, target->column);
    }
    if (dropped > MAX_SAID) hf_watch_say(watch, "left out: %d subjects in all without %s", dropped, target->column);
    return HF_OK;
}

/* The truth of everybody; all NaN where it is not needed and the cohort has no such column. */
static hf_status read_truth(hf_run_data *data, const hf_target *target, bool needed, const hf_watch *watch)
{
    const size_t count = (size_t)data->cohort.n_subjects * (size_t)target->T;
    hf_text problems = { 0 };
    data->T = target->T;
    HF_TRY(hf_alloc(&data->truth, count, sizeof *data->truth, "the truth"));
    for (size_t i = 0; i < count; i++)
        data->truth[i] = NAN;
    if (!needed && hf_table_column(&data->cohort.table, target->column) < 0) return HF_OK;
    const hf_status status = hf_target_truth(data->truth, &problems, target, &data->cohort);
    if (status == HF_OK && !needed) say_lines(watch, &problems, "without truth");
    hf_text_free(&problems);
    return status == HF_OK && needed ? drop_without_truth(data, target, watch) : status;
}

/* What a network must beat, from the training subjects. */
static hf_status learn_target(hf_run_fixed *fixed, const hf_run_data *data)
{
    const int *index = data->index + data->first[HF_TRAIN], count = data->count[HF_TRAIN], T = fixed->target.T;
    double *truth = NULL;
    HF_TRY(hf_alloc(&truth, (size_t)count * (size_t)T, sizeof *truth, "the truth"));
    for (int k = 0; k < count * T; k++)
        truth[k] = data->truth[index[k / T] * T + k % T];
    const hf_status status = hf_target_learn(&fixed->target, truth, count);
    free(truth);
    return status;
}

/* ---- grid and encoder -------------------------------------------------------------------------------------------- */

/* Reads one training image: the spacing that all must share when nothing is resampled, and whether it is oriented. */
static hf_status learn_grid(hf_run_fixed *fixed, const hf_run_data *data)
{
    hf_volume volume = { 0 };
    hf_grid *grid = &fixed->grid;
    int first = 0;
    while (first < data->cohort.n_subjects && data->part[first] != HF_TRAIN)
        first++;
    if (first == data->cohort.n_subjects) return hf_fail(HF_ERR_ARGUMENT, "no subject is left to train on");
    HF_TRY(hf_volume_read(&volume, data->cohort.subject[first].image));
    fixed->oriented = volume.oriented;
    if (grid->spacing[0] == 0) memcpy(grid->spacing_expected, volume.spacing, sizeof grid->spacing_expected);
    hf_volume_free(&volume);
    return HF_OK;
}

hf_status hf_run_grid(hf_grid *out, const hf_recipe *recipe)
{
    *out = (hf_grid){ .zscore = strcmp(recipe->cohort.normalise, "zscore") == 0,
                      .centre = strcmp(recipe->cohort.centre, "mass") == 0 ? HF_CENTRE_MASS : HF_CENTRE_MIDDLE,
                      .resize = strcmp(recipe->cohort.fit, "resize") == 0,
                      .both_sides = strcmp(recipe->cohort.sides, "both") == 0 };
    for (int axis = 0; axis < 3; axis++) {
        out->shape[axis] = (int)recipe->cohort.shape[axis];
        out->spacing[axis] = recipe->cohort.spacing[axis];
    }
    hf_status status = hf_crop_parse(out->crop, recipe->cohort.crop);
    if (status == HF_OK) status = hf_crop_mm_parse(out->crop_mm, recipe->cohort.crop_mm);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "cohort");
}

static hf_status learn(hf_run_fixed *fixed, const hf_run_data *data, const hf_recipe *recipe, const hf_watch *watch)
{
    const hf_network *network;
    HF_TRY(hf_run_network_find(&network, recipe));
    HF_TRY(hf_run_grid(&fixed->grid, recipe));
    HF_TRY(learn_grid(fixed, data));
    const hf_texts *specs = &recipe->cohort.tabular;
    HF_TRY(
        hf_encoder_parse(&fixed->encoder, (const char *const *)specs->text, network->uses_tabular ? specs->count : 0));
    fixed->encoder.fit_all = strcmp(recipe->cohort.fit_on, "all") == 0;
    if (fixed->encoder.fit_all)
        hf_watch_say(watch, "warning: cohort.fit_on is all: the table's means, ranges and imputation are fitted on "
                            "validation and test rows too. That is how the published results were made, and a leak");
    return hf_encoder_fit(&fixed->encoder, &data->cohort, data->part);
}

/* ---- subjects ---------------------------------------------------------------------------------------------------- */

static hf_status list_subjects(hf_run_data *data)
{
    int at = 0;
    HF_TRY(hf_alloc(&data->index, (size_t)data->cohort.n_subjects, sizeof *data->index, "the subjects"));
    for (int part = 0; part < HF_N_PARTS; part++) {
        data->first[part] = at;
        for (int i = 0; i < data->cohort.n_subjects; i++)
            if (data->part[i] == (hf_part)part && hf_dataset_has(data->dataset, i)) data->index[at++] = i;
        data->count[part] = at - data->first[part];
    }
    return HF_OK;
}

static void say_problems(const hf_cohort *cohort, const hf_watch *watch)
{
    int said = 0;
    for (int i = 0; i < cohort->n_problems; i++) {
        const hf_problem *p = &cohort->problem[i];
        if (!p->fatal) continue;
        if (said++ < MAX_SAID) hf_watch_say(watch, "left out: '%s': %s", p->subject, p->text);
    }
    if (said > MAX_SAID)
        hf_watch_say(watch, "left out: %d subjects in all; `hyperfusion cohort check` lists them", said);
}

static void say_forecast(const hf_run_data *data, const hf_grid *grid, const hf_dataset_options *options,
                         const hf_watch *watch)
{
    hf_forecast f;
    const double mib = 1024.0 * 1024.0;
    if (hf_dataset_forecast(&f, &data->cohort, grid, options) != HF_OK || options->no_cache) return;
    hf_watch_say(watch, "volumes: %d, cache %.1f MiB on disk; %zu to prepare, with up to %.1f MiB of memory",
                 data->cohort.n_subjects, (double)f.disk_bytes / mib, f.missing, (double)f.memory_bytes / mib);
}

static hf_status open_volumes(hf_run_data *data, hf_run_fixed *fixed, const hf_recipe *recipe,
                              const hf_run_source *source, const hf_watch *watch)
{
    const size_t count = (size_t)data->cohort.n_subjects * (size_t)fixed->target.T;
    float *truth = NULL; /* as the device has it */
    HF_TRY(hf_alloc(&truth, count, sizeof *truth, "the truth"));
    for (size_t i = 0; i < count; i++)
        truth[i] = (float)data->truth[i];
    const hf_dataset_options options = { .targets = truth,
                                         .n_targets = fixed->target.T,
                                         .cache_dir = or_null(recipe->cohort.cache_dir),
                                         .no_cache = !recipe->cohort.cache,
                                         .oriented = source->folder && fixed->oriented,
                                         .progress = preparing,
                                         .user = (void *)watch };
    say_forecast(data, &fixed->grid, &options, watch);
    const hf_status status = hf_dataset_open(&data->dataset, &data->cohort, &fixed->grid, &fixed->encoder, &options);
    free(truth);
    HF_TRY(status);
    say_problems(&data->cohort, watch);
    const int *shape = hf_dataset_shape(data->dataset);
    if (!source->learned) memcpy(fixed->shape, shape, sizeof fixed->shape);
    if (memcmp(shape, fixed->shape, sizeof fixed->shape) == 0) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "the volumes are [%d,%d,%d], the network was trained on [%d,%d,%d]", shape[0],
                   shape[1], shape[2], fixed->shape[0], fixed->shape[1], fixed->shape[2]);
}

static hf_status open_all(hf_run_data *data, hf_run_fixed *fixed, const hf_recipe *recipe, const hf_run_source *source,
                          const hf_watch *watch)
{
    HF_TRY(hf_run_cohort_open(&data->cohort, recipe, source->folder));
    HF_TRY(split(data, recipe, source));
    if (!source->learned) HF_TRY(hf_target_set(&fixed->target, recipe));
    HF_TRY(read_truth(data, &fixed->target, source->needs_truth, watch));
    if (!source->learned) HF_TRY(learn(fixed, data, recipe, watch));
    HF_TRY(open_volumes(data, fixed, recipe, source, watch));
    HF_TRY(list_subjects(data));
    if (source->learned) return HF_OK;
    if (data->count[HF_TRAIN] == 0) return hf_fail(HF_ERR_ARGUMENT, "no subject is left to train on");
    return learn_target(fixed, data);
}

hf_status hf_run_data_open(hf_run_data *out, hf_run_fixed *fixed, const hf_recipe *recipe, const hf_run_source *source,
                           const hf_watch *watch)
{
    *out = (hf_run_data){ 0 };
    const hf_status status = open_all(out, fixed, recipe, source, watch);
    if (status != HF_OK) hf_run_data_free(out);
    return status;
}

void hf_run_data_keep(hf_run_data *data, hf_part part, const bool *keep)
{
    int *index = data->index + data->first[part], kept = 0;
    for (int i = 0; i < data->count[part]; i++)
        if (keep[i]) index[kept++] = index[i];
    data->count[part] = kept;
}

void hf_run_data_free(hf_run_data *data)
{
    hf_dataset_free(&data->dataset);
    hf_cohort_free(&data->cohort);
    free(data->part);
    free(data->truth);
    free(data->index);
    *data = (hf_run_data){ 0 };
}
