/* encoder.c: from the cells of a row to the network's tabular input, once an encoder is fitted (encoder_fit.c).
 *
 * A row is read (numbers and categories), what is missing is filled, what is imputed is guessed from the other
 * features, and then everything is encoded: all value columns in feature order, then the missing flags in feature order.
 * Numbers beyond the training range are not clipped, but for bins, whose first and last one take them. Categories are
 * the same when their text or their number is ("0" and "0.0"). */
#include "encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- messages ---------------------------------------------------------------------------------------------------- */

void hf_feature_list_categories(char *out, size_t size, const hf_feature *feature)
{
    hf_text text = { 0 };
    for (int i = 0; i < feature->n_categories; i++)
        hf_text_add(&text, "%s'%s'", i ? ", " : "", feature->category[i]);
    snprintf(out, size, "%s", text.data ? text.data : "none");
    hf_text_free(&text);
}

hf_status hf_feature_unseen(const hf_feature *feature, const char *value)
{
    char known[HF_MAX_CATEGORIES * 40];
    hf_feature_list_categories(known, sizeof known, feature);
    return hf_fail(HF_ERR_FORMAT, "column '%s': category '%.60s' is not known; known are %s", feature->column, value,
                   known);
}

hf_status hf_fail_at(hf_status status, const hf_cohort *cohort, int index)
{
    const hf_subject *subject = &cohort->subject[index];
    return hf_fail_in(status, "subject '%s' ('%s' line %d)", subject->id, cohort->table.path,
                      cohort->table.line[subject->row]);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

hf_status hf_encoder_columns(int *column, int *group, const hf_encoder *encoder, const hf_table *table)
{
    for (int f = 0; f < encoder->n_features; f++) {
        const hf_feature *feature = &encoder->feature[f];
        HF_TRY(hf_table_require(&column[f], table, feature->column, "the tabular input"));
        group[f] = -1;
        if (feature->fill == HF_FILL_GROUP)
            HF_TRY(hf_table_require(&group[f], table, feature->group, "the groups of the tabular input"));
    }
    return HF_OK;
}

void hf_cells_texts(const char **texts, const char **groups, const hf_encoder *encoder, const hf_cohort *cohort,
                    int index, const int *column, const int *group)
{
    const int row = cohort->subject[index].row;
    for (int f = 0; f < encoder->n_features; f++) {
        texts[f] = hf_table_cell(&cohort->table, row, column[f]);
        groups[f] = group[f] < 0 ? NULL : hf_table_cell(&cohort->table, row, group[f]);
    }
}

static double fill_number(const hf_feature *f, const char *group)
{
    int found = -1;
    switch (f->fill) {
    case HF_FILL_MEAN:
    case HF_FILL_VALUE:
        return f->fill_value;
    case HF_FILL_GROUP:
        found = group ? hf_feature_category(f, group) : -1;
        return found < 0 ? f->median : f->group_median[found];
    case HF_FILL_IMPUTE:
        return NAN;
    case HF_FILL_KNOWN:
    case HF_FILL_MEDIAN:
    case HF_FILL_ZEROS:
    case HF_FILL_CATEGORY:
    case HF_FILL_NOTHING:
        break;
    }
    return f->median;
}

static hf_status read_number(double *out, const hf_feature *f, const char *text, const char *group)
{
    *out = 0;
    if (f->encoding == HF_FLAG) return HF_OK;
    if (!text) *out = fill_number(f, group);
    if (!text || hf_text_number(out, text)) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "column '%s': '%.60s', expected a number", f->column, text);
}

static hf_status read_category(int *out, const hf_feature *f, const char *text)
{
    *out = text ? hf_feature_category(f, text) : f->fill == HF_FILL_CATEGORY ? f->n_categories : -1;
    return !text || f->n_categories == 0 || *out >= 0 ? HF_OK : hf_feature_unseen(f, text);
}

hf_status hf_cells_read(hf_cells *out, const hf_encoder *encoder, const char *const *texts, const char *const *groups)
{
    for (int k = 0; k < encoder->n_features; k++) {
        const hf_feature *f = &encoder->feature[k];
        out->missing[k] = texts[k] == NULL;
        if (!texts[k] && f->fill == HF_FILL_NOTHING)
            return hf_fail(HF_ERR_FORMAT,
                           "column '%s': missing, and '%s' has no way to say so (+missing, +category, +zeros)",
                           f->column, f->spec);
        if (f->encoding == HF_ONE_HOT)
            HF_TRY(read_category(&out->category[k], f, texts[k]));
        else
            HF_TRY(read_number(&out->number[k], f, texts[k], groups[k]));
    }
    return HF_OK;
}

/* ---- imputing ---------------------------------------------------------------------------------------------------- */

int hf_cells_gather(double *out, const hf_encoder *encoder, const hf_cells *cells)
{
    int at = 0;
    for (int k = 0; k < encoder->n_features; k++) {
        const hf_feature *f = &encoder->feature[k];
        const int width = f->encoding == HF_ONE_HOT ? hf_feature_width(f) : f->encoding != HF_FLAG;
        for (int i = 0; i < width; i++)
            out[at++] = f->encoding == HF_ONE_HOT ? (double)(i == cells->category[k]) : cells->number[k];
    }
    return at;
}

void hf_cells_scatter(hf_cells *cells, const hf_encoder *encoder, const double *row)
{
    for (int k = 0; k < encoder->n_features; k++) {
        const hf_feature *f = &encoder->feature[k];
        if (f->fill == HF_FILL_IMPUTE) cells->number[k] = *row;
        row += f->encoding == HF_ONE_HOT ? hf_feature_width(f) : f->encoding != HF_FLAG;
    }
}

static void impute(hf_cells *cells, const hf_encoder *encoder)
{
    double row[HF_MAX_WIDTH];
    if (!encoder->imputer) return;
    hf_cells_gather(row, encoder, cells);
    hf_imputer_fill(encoder->imputer, row);
    hf_cells_scatter(cells, encoder, row);
}

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

/* Whether the statistics that an encoding needs are there; false before fitting. */
static bool is_fitted(const hf_feature *f)
{
    if (f->encoding == HF_ONE_HOT) return f->n_categories > 0 && (!f->zscore || f->column_sd[0] > 0);
    if (f->encoding == HF_ZSCORE) return f->sd > 0;
    if (f->encoding == HF_MINMAX) return f->high > f->low;
    return f->encoding == HF_FLAG || !isnan(f->median);
}

static void encode_category(float *out, const hf_feature *f, int category)
{
    for (int i = 0; i < hf_feature_width(f); i++) {
        const double one = i == category;
        out[i] = (float)(f->zscore ? (one - f->column_mean[i]) / f->column_sd[i] : one);
    }
}

/* The bin of equal width that holds x; the first and the last take what lies beyond. */
static int find_bin(const hf_feature *f, double x, int count)
{
    const bool given = f->n_numbers > 2;
    const double low = given ? f->number[0] : f->low, high = given ? f->number[1] : f->high;
    const double at = floor((x - low) / (high - low) * count);
    return at < 0 ? 0 : at >= count ? count - 1 : (int)at;
}

/* A one blurred by a Gaussian of `sigma` bins, cut off after 4 sigma; what leaves at an end is mirrored back in. */
static void blur(float *out, int bin, int count, double sigma)
{
    double weight[HF_MAX_BINS] = { 0 }, sum = 0;
    const int radius = (int)(4 * sigma + 0.5);
    for (int k = -radius; k <= radius; k++) {
        const double height = exp(-0.5 * k * k / (sigma * sigma));
        int at = ((bin + k) % (2 * count) + 2 * count) % (2 * count);
        if (at >= count) at = 2 * count - 1 - at;
        weight[at] += height;
        sum += height;
    }
    for (int i = 0; i < count; i++)
        out[i] = (float)(weight[i] / sum);
}

static void encode_bins(float *out, const hf_feature *f, double x)
{
    const int count = hf_feature_width(f);
    int bin = 0;
    if (f->encoding == HF_EDGES) {
        while (bin < f->n_numbers && x >= f->number[bin])
            bin++;
    } else {
        bin = find_bin(f, x, count);
    }
    if (f->encoding == HF_SMOOTH) {
        blur(out, bin, count, f->number[f->n_numbers - 1]);
        return;
    }
    for (int i = 0; i < count; i++)
        out[i] = i == bin;
}

static void encode_number(float *out, const hf_feature *f, double x)
{
    switch (f->encoding) {
    case HF_ZSCORE:
        *out = (float)((x - f->mean) / f->sd);
        return;
    case HF_MINMAX:
        *out = (float)((x - f->low) / (f->high - f->low));
        return;
    case HF_RAW:
        *out = (float)x;
        return;
    case HF_ABOVE:
        *out = x > f->number[0];
        return;
    case HF_BINS:
    case HF_SMOOTH:
    case HF_EDGES:
        encode_bins(out, f, x);
        return;
    case HF_ONE_HOT:
    case HF_FLAG:
        return;
    }
}

static hf_status encode_value(float *out, const hf_feature *f, const hf_cells *cells, int k)
{
    if (f->encoding == HF_ONE_HOT)
        encode_category(out, f, cells->category[k]);
    else
        encode_number(out, f, cells->number[k]);
    if (f->encoding == HF_FLAG || isfinite(*out)) return HF_OK;
    return hf_fail(HF_ERR_NUMBER, "column '%s': %g does not fit a 32-bit number", f->column, cells->number[k]);
}

/* texts and groups [n_features], NULL where missing. */
static hf_status encode_texts(float *out, const hf_encoder *encoder, const char *const *texts,
                              const char *const *groups)
{
    double number[HF_MAX_FEATURES] = { 0 };
    int category[HF_MAX_FEATURES] = { 0 }, at = 0;
    bool missing[HF_MAX_FEATURES] = { false };
    hf_cells cells = { number, category, missing };
    for (int k = 0; k < encoder->n_features; k++)
        if (!is_fitted(&encoder->feature[k]))
            return hf_fail(HF_ERR_ARGUMENT, "column '%s': the encoder was not fitted", encoder->feature[k].column);
    HF_TRY(hf_cells_read(&cells, encoder, texts, groups));
    impute(&cells, encoder);
    for (int k = 0; k < encoder->n_features; k++) {
        HF_TRY(encode_value(out + at, &encoder->feature[k], &cells, k));
        at += hf_feature_width(&encoder->feature[k]);
    }
    for (int k = 0; k < encoder->n_features; k++) {
        const hf_feature *f = &encoder->feature[k];
        const double flag = missing[k];
        if (f->flag_missing) out[at++] = (float)(f->flag_zscore ? (flag - f->flag_mean) / f->flag_sd : flag);
    }
    return HF_OK;
}

static hf_status check_index(const hf_cohort *cohort, int index)
{
    if (index >= 0 && index < cohort->n_subjects) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "subject index %d, expected 0 to %d", index, cohort->n_subjects - 1);
}

hf_status hf_encoder_row(float *out, const hf_encoder *encoder, const hf_cohort *cohort, int index)
{
    const char *texts[HF_MAX_FEATURES] = { 0 }, *groups[HF_MAX_FEATURES] = { 0 };
    int column[HF_MAX_FEATURES], group[HF_MAX_FEATURES];
    HF_TRY(check_index(cohort, index));
    HF_TRY(hf_encoder_columns(column, group, encoder, &cohort->table));
    hf_cells_texts(texts, groups, encoder, cohort, index, column, group);
    const hf_status status = encode_texts(out, encoder, texts, groups);
    return status == HF_OK ? HF_OK : hf_fail_at(status, cohort, index);
}

/* A one-hot that has no categories yet takes every text. */
hf_status hf_encoder_try(const hf_encoder *encoder, const hf_cohort *cohort, int index)
{
    const char *texts[HF_MAX_FEATURES] = { 0 }, *groups[HF_MAX_FEATURES] = { 0 };
    float encoded[HF_MAX_WIDTH];
    double number[HF_MAX_FEATURES];
    int category[HF_MAX_FEATURES], column[HF_MAX_FEATURES], group[HF_MAX_FEATURES];
    bool missing[HF_MAX_FEATURES], fitted = true;
    hf_cells cells = { number, category, missing };
    for (int k = 0; k < encoder->n_features; k++)
        fitted = fitted && is_fitted(&encoder->feature[k]);
    if (fitted) return hf_encoder_row(encoded, encoder, cohort, index);
    HF_TRY(check_index(cohort, index));
    HF_TRY(hf_encoder_columns(column, group, encoder, &cohort->table));
    hf_cells_texts(texts, groups, encoder, cohort, index, column, group);
    const hf_status status = hf_cells_read(&cells, encoder, texts, groups);
    return status == HF_OK ? HF_OK : hf_fail_at(status, cohort, index);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

/* The feature a pair names: -1 after recording why there is none. */
static int find_feature(const hf_encoder *encoder, const char *pair, size_t length)
{
    const char *names[HF_MAX_FEATURES];
    char name[sizeof encoder->feature[0].column] = "";
    while (length && pair[length - 1] == ' ')
        length--;
    if (length < sizeof name) memcpy(name, pair, length);
    hf_text all = { 0 };
    for (int f = 0; f < encoder->n_features; f++) {
        names[f] = encoder->feature[f].column;
        if (strcasecmp(names[f], name) == 0) {
            hf_text_free(&all);
            return f;
        }
        hf_text_add(&all, "%s%s", f ? ", " : "", names[f]);
    }
    const char *nearest = hf_nearest(name, names, (size_t)encoder->n_features);
    hf_fail(HF_ERR_ARGUMENT, "'%s': no such input%s%s%s; expected %s", pair, nearest ? "; did you mean '" : "",
            nearest ? nearest : "", nearest ? "'?" : "", all.data ? all.data : "none");
    hf_text_free(&all);
    return -1;
}

/* Sorts pairs into texts[n_features], NULL where a feature is absent or its value means missing. */
static hf_status read_pairs(const char **texts, const hf_encoder *encoder, const char *const *pairs, int n_pairs)
{
    bool given[HF_MAX_FEATURES] = { 0 };
    for (int i = 0; i < n_pairs; i++) {
        const char *equals = strchr(pairs[i], '=');
        if (!equals) return hf_fail(HF_ERR_ARGUMENT, "'%s': expected NAME=VALUE", pairs[i]);
        int f = find_feature(encoder, pairs[i], (size_t)(equals - pairs[i]));
        if (f < 0) return HF_ERR_ARGUMENT;
        if (given[f]) return hf_fail(HF_ERR_ARGUMENT, "'%s': given twice", encoder->feature[f].column);
        given[f] = true;
        texts[f] = hf_text_missing(equals + 1) ? NULL : equals + 1;
    }
    return HF_OK;
}

hf_status hf_encoder_pairs(float *out, const hf_encoder *encoder, const char *const *pairs, int n_pairs)
{
    const char *texts[HF_MAX_FEATURES] = { 0 }, *groups[HF_MAX_FEATURES] = { 0 };
    HF_TRY(read_pairs(texts, encoder, pairs, n_pairs));
    for (int f = 0; f < encoder->n_features; f++) /* a group is known when its column is a feature too */
        for (int g = 0; g < encoder->n_features; g++)
            if (strcasecmp(encoder->feature[f].group, encoder->feature[g].column) == 0) groups[f] = texts[g];
    return encode_texts(out, encoder, texts, groups);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static int list_outside(hf_outside *out, const hf_encoder *encoder, const char *const *texts)
{
    int count = 0;
    for (int k = 0; k < encoder->n_features; k++) {
        const hf_feature *f = &encoder->feature[k];
        double x;
        if (f->encoding == HF_ONE_HOT || f->encoding == HF_FLAG || isnan(f->median)) continue;
        if (!texts[k] || !hf_text_number(&x, texts[k]) || (x >= f->low && x <= f->high)) continue;
        out[count++] = (hf_outside){ f->column, x, f->low, f->high };
    }
    return count;
}

int hf_encoder_outside(hf_outside out[HF_MAX_FEATURES], const hf_encoder *encoder, const hf_cohort *cohort, int index)
{
    const char *texts[HF_MAX_FEATURES] = { 0 };
    if (index < 0 || index >= cohort->n_subjects) return 0;
    for (int k = 0; k < encoder->n_features; k++) {
        const int column = hf_table_column(&cohort->table, encoder->feature[k].column);
        if (column >= 0) texts[k] = hf_table_cell(&cohort->table, cohort->subject[index].row, column);
    }
    return list_outside(out, encoder, texts);
}

int hf_encoder_outside_pairs(hf_outside out[HF_MAX_FEATURES], const hf_encoder *encoder, const char *const *pairs,
                             int n_pairs)
{
    const char *texts[HF_MAX_FEATURES] = { 0 };
    return read_pairs(texts, encoder, pairs, n_pairs) == HF_OK ? list_outside(out, encoder, texts) : 0;
}

bool hf_encoder_uses(const hf_encoder *encoder, const char *column)
{
    if (!column[0]) return false;
    for (int k = 0; k < encoder->n_features; k++)
        if (strcasecmp(encoder->feature[k].column, column) == 0 || strcasecmp(encoder->feature[k].group, column) == 0)
            return true;
    return false;
}

void hf_encoder_free(hf_encoder *encoder)
{
    if (!encoder) return;
    hf_imputer_free(&encoder->imputer);
    memset(encoder, 0, sizeof *encoder);
}
