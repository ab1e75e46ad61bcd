/* same.c: is what a run finds now what its checkpoint learned? A resumed run computes with what is open (volumes, rows,
 * network) and with what the checkpoint says, and the two must be one: buffers have the size of the first, loops may
 * run to that of the second. Nor is training gone on with on other data without a word. */
#include "data.h"
#include "folder.h"
#include "learned.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NaN is what a statistic has that does not apply. */
static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_feature(const hf_feature *a, const hf_feature *b)
{
    const double was[] = { a->mean, a->sd, a->median, a->low, a->high, a->fill_value, a->flag_mean, a->flag_sd };
    const double is[] = { b->mean, b->sd, b->median, b->low, b->high, b->fill_value, b->flag_mean, b->flag_sd };
    bool same = strcmp(a->column, b->column) == 0 && a->encoding == b->encoding && a->flag_missing == b->flag_missing &&
                a->n_categories == b->n_categories;
    for (int i = 0; same && i < a->n_categories; i++)
        same = strcmp(a->category[i], b->category[i]) == 0;
    for (size_t i = 0; same && i < sizeof was / sizeof was[0]; i++)
        same = same_number(was[i], is[i]);
    return same;
}

/* Of encoders that impute: all of both. Others may have been saved by an earlier version, in other words. */
static hf_status same_texts(const hf_encoder *was, const hf_encoder *is)
{
    hf_text before = { 0 }, now = { 0 };
    if (!was->imputer && !is->imputer) return HF_OK;
    hf_status status = hf_encoder_write(was, &before);
    if (status == HF_OK) status = hf_encoder_write(is, &now);
    if (status == HF_OK && strcmp(before.data, now.data) != 0)
        status = hf_fail(HF_ERR_ARGUMENT, "what the training rows say about missing values is not what it was when the "
                                          "run began: the table has changed");
    hf_text_free(&before);
    hf_text_free(&now);
    return status;
}

static hf_status same_encoder(const hf_encoder *was, const hf_encoder *is, bool former)
{
    if (was->width != is->width || was->n_features != is->n_features)
        return hf_fail(HF_ERR_SHAPE,
                       "the checkpoint was trained on table rows of %d numbers from %d columns, the rows now have %d "
                       "from %d",
                       was->width, was->n_features, is->width, is->n_features);
    for (int i = 0; i < was->n_features; i++)
        if (!same_feature(&was->feature[i], &is->feature[i]))
            return hf_fail(HF_ERR_ARGUMENT,
                           "the training rows say something else about column '%s' than when the run began: the table "
                           "has changed",
                           was->feature[i].column);
    return former ? HF_OK : same_texts(was, is);
}

/* The rules that a newer version may have changed, by name. */
static hf_status same_rules(const hf_grid *was, const hf_grid *is)
{
    static const char *const centres[] = { [HF_CENTRE_MASS] = "mass", [HF_CENTRE_MIDDLE] = "middle" };
    if (was->centre != is->centre)
        return hf_fail(HF_ERR_ARGUMENT,
                       "the checkpoint was trained on volumes centred by the rule '%s', now it is '%s': set "
                       "cohort.centre=%s",
                       centres[was->centre], centres[is->centre], centres[was->centre]);
    if (was->resize != is->resize)
        return hf_fail(HF_ERR_ARGUMENT, "the checkpoint was trained on %s volumes: set cohort.fit=%s",
                       was->resize ? "resized" : "cropped", was->resize ? "resize" : "crop");
    return HF_OK;
}

static hf_status same_grid(const hf_run_fixed *was, const hf_run_fixed *is)
{
    const int *a = was->shape, *b = is->shape;
    const double *x = was->grid.spacing_expected, *y = is->grid.spacing_expected;
    if (memcmp(a, b, sizeof was->shape) != 0)
        return hf_fail(HF_ERR_SHAPE, "the checkpoint was trained on volumes of [%d,%d,%d], they are [%d,%d,%d] now",
                       a[0], a[1], a[2], b[0], b[1], b[2]);
    if (x[0] != y[0] || x[1] != y[1] || x[2] != y[2])
        return hf_fail(HF_ERR_SHAPE, "the checkpoint was trained on voxels of %gx%gx%g mm, they are %gx%gx%g mm now",
                       x[0], x[1], x[2], y[0], y[1], y[2]);
    HF_TRY(same_rules(&was->grid, &is->grid));
    if (!hf_grid_equal(&was->grid, &is->grid) || was->oriented != is->oriented)
        return hf_fail(HF_ERR_ARGUMENT, "the checkpoint was trained on another grid or crop of the volumes than now");
    return HF_OK;
}

static hf_status same_target(const hf_target *was, const hf_target *is)
{
    for (int b = 0; b < HF_MAX_BASELINES && is->goal->baselines[b]; b++)
        for (int k = 0; k < is->P; k++)
            if (was->baseline[b][k] != is->baseline[b][k])
                return hf_fail(HF_ERR_ARGUMENT,
                               "the %s of '%s' is %.9g, it was %.9g when the run began: the table has changed",
                               is->goal->baselines[b], is->column, is->baseline[b][k], was->baseline[b][k]);
    return HF_OK;
}

hf_status hf_run_same_fixed(const hf_run_fixed *was, const hf_run_fixed *is)
{
    HF_TRY(same_grid(was, is));
    HF_TRY(same_encoder(&was->encoder, &is->encoder, was->former));
    if (was->parameters != is->parameters)
        return hf_fail(HF_ERR_SHAPE, "the checkpoint's network has %lld parameters, the recipe's has %lld",
                       (long long)was->parameters, (long long)is->parameters);
    return same_target(&was->target, &is->target);
}

/* ---- subjects ---------------------------------------------------------------------------------------------------- */

static void add_cell(hf_digest *digest, const hf_table *table, int row, const char *name)
{
    const int column = hf_table_column(table, name);
    const char *text = column < 0 ? NULL : table->cell[(size_t)row * (size_t)table->columns + (size_t)column];
    hf_digest_add(digest, text ? text : "", text ? strlen(text) : 0);
}

/* Of what a network sees of a table row, and of its target. */
static void row_digest(char hex[33], const hf_table *table, int row, const hf_encoder *encoder, const hf_target *target)
{
    hf_digest digest = { { 0, 0 }, 0 };
    add_cell(&digest, table, row, target->column);
    if (target->event[0]) add_cell(&digest, table, row, target->event);
    for (int i = 0; i < encoder->n_features; i++) {
        add_cell(&digest, table, row, encoder->feature[i].column);
        if (encoder->feature[i].group[0]) add_cell(&digest, table, row, encoder->feature[i].group);
    }
    hf_digest_text(&digest, hex);
}

static json_t *subject_json(const hf_run_data *data, int index, hf_part part, const hf_encoder *encoder,
                            const hf_target *target)
{
    char row[33];
    const hf_subject *subject = &data->cohort.subject[index];
    row_digest(row, &data->cohort.table, subject->row, encoder, target);
    return json_pack("[sssss]", subject->id, hf_part_name(part), row, hf_dataset_source(data->dataset, index),
                     hf_dataset_image(data->dataset, index));
}

hf_status hf_run_subjects(char **out, const hf_run_data *data, const hf_encoder *encoder, const hf_target *target)
{
    json_t *all = json_array();
    bool good = all != NULL;
    for (int part = 0; part < HF_UNUSED; part++)
        for (int i = 0; i < data->count[part]; i++) {
            const int index = data->index[data->first[part] + i];
            good = good && json_array_append_new(all, subject_json(data, index, (hf_part)part, encoder, target)) == 0;
        }
    *out = good ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return *out ? HF_OK : hf_fail(HF_ERR_MEMORY, "no host memory for the list of subjects");
}

static const char *field(const json_t *subject, size_t index)
{
    const char *text = json_string_value(json_array_get(subject, index));
    return text ? text : "";
}

static hf_status same_subject(const json_t *was, const json_t *is)
{
    enum { ID, PART, ROW, IMAGE };
    static const char *const advice = "put it back, or begin a new run";
    if (strcmp(field(was, ID), field(is, ID)) != 0 || strcmp(field(was, PART), field(is, PART)) != 0)
        return hf_fail(HF_ERR_ARGUMENT, "the run began with '%s' (%s) where there is '%s' (%s) now: %s", field(was, ID),
                       field(was, PART), field(is, ID), field(is, PART), advice);
    if (strcmp(field(was, ROW), field(is, ROW)) != 0)
        return hf_fail(HF_ERR_ARGUMENT, "the table row of '%s' has changed since the run began: %s", field(is, ID),
                       advice);
    if (strcmp(field(was, IMAGE), field(is, IMAGE)) != 0)
        return hf_fail(HF_ERR_ARGUMENT, "the image of '%s' has changed since the run began: %s", field(is, ID), advice);
    return HF_OK;
}

static hf_status same_lists(const json_t *was, const json_t *is)
{
    const size_t a = json_array_size(was), b = json_array_size(is);
    for (size_t i = 0; i < a && i < b; i++)
        HF_TRY(same_subject(json_array_get(was, i), json_array_get(is, i)));
    if (a == b) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "the run began with %zu subjects, there are %zu now", a, b);
}

hf_status hf_run_same_subjects(const char *was, const char *is)
{
    json_t *before = json_loads(was, 0, NULL), *now = json_loads(is, 0, NULL);
    const hf_status status = before && now
                                 ? same_lists(before, now)
                                 : hf_fail(HF_ERR_FORMAT, "the checkpoint's '%s' is not JSON", HF_SUBJECTS_TEXT);
    json_decref(before);
    json_decref(now);
    return status;
}
