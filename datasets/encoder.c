/* encoder.c: from table cells to the network's tabular input.
 *
 * A feature list is parsed, then fitted: means, ranges, medians and categories come from training rows alone, so that
 * nothing about validation or test rows can leak into them. Encoding a row writes all value columns in feature order,
 * then the missing flags in feature order. Numbers beyond the training range are not clipped. Categories are the same
 * when their text or their number is ("0" and "0.0"). */
#include "cohort.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const encoding_names[] = {
    [HF_ONE_HOT] = "onehot",
    [HF_ZSCORE] = "zscore",
    [HF_MINMAX] = "minmax",
    [HF_RAW] = "raw",
};
enum { N_ENCODINGS = sizeof encoding_names / sizeof encoding_names[0] };

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

/* Copies the part of text[0..length) between blanks into out[size]; false when nothing is left or it does not fit. */
static bool copy_trimmed(char *out, size_t size, const char *text, size_t length)
{
    while (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && text[length - 1] == ' ')
        length--;
    if (length == 0 || length >= size) return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

static int find_category(const hf_feature *feature, const char *text)
{
    for (int i = 0; i < feature->n_categories; i++)
        if (hf_text_same(feature->category[i], text)) return i;
    return -1;
}

static hf_status add_category(hf_feature *feature, const char *text, size_t length)
{
    char name[sizeof feature->category[0]] = ""; /* all of it goes into saved models */
    if (!copy_trimmed(name, sizeof name, text, length))
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': category '%.*s', expected 1 to %zu bytes", feature->column,
                       length > 60 ? 60 : (int)length, text, sizeof name - 1);
    if (find_category(feature, name) >= 0)
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': category '%s' is given twice", feature->column, name);
    if (feature->n_categories == HF_MAX_CATEGORIES)
        return hf_fail(HF_ERR_UNSUPPORTED, "column '%s': more than %d categories; is it a number?", feature->column,
                       HF_MAX_CATEGORIES);
    memcpy(feature->category[feature->n_categories++], name, sizeof name);
    return HF_OK;
}

/* "(F,M)" behind "onehot"; `length` includes both brackets. */
static hf_status parse_categories(hf_feature *feature, const char *text, size_t length, const char *spec)
{
    if (length < 2 || text[length - 1] != ')')
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': the bracket is not closed", spec);
    if (feature->encoding != HF_ONE_HOT)
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': only onehot takes categories", spec);
    const char *next = text + 1, *end = text + length - 1;
    while (next <= end) {
        const char *comma = memchr(next, ',', (size_t)(end - next));
        const char *stop = comma ? comma : end;
        HF_TRY(add_category(feature, next, (size_t)(stop - next)));
        next = stop + 1;
    }
    if (feature->n_categories < 2)
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected at least two categories", spec);
    return HF_OK;
}

static hf_status find_encoding(hf_encoding *out, const char *text, size_t length, const char *spec)
{
    char name[32];
    bool fits = copy_trimmed(name, sizeof name, text, length);
    for (int i = 0; fits && i < N_ENCODINGS; i++) {
        if (strcmp(name, encoding_names[i]) != 0) continue;
        *out = (hf_encoding)i;
        return HF_OK;
    }
    const char *nearest = fits ? hf_nearest(name, encoding_names, N_ENCODINGS) : NULL;
    return hf_fail(HF_ERR_ARGUMENT, "feature '%s': no such encoding%s%s%s; expected onehot, zscore, minmax or raw",
                   spec, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static hf_status parse_feature(hf_feature *feature, const char *spec)
{
    static const char suffix[] = "+missing";
    const size_t tail = sizeof suffix - 1;
    const char *colon = strchr(spec, ':');
    if (!colon) return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected COLUMN:ENCODING, as in 'age:zscore'", spec);
    if (!copy_trimmed(feature->column, sizeof feature->column, spec, (size_t)(colon - spec)))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected a column name of 1 to %zu bytes before ':'", spec,
                       sizeof feature->column - 1);
    const char *text = colon + 1;
    size_t length = strlen(text);
    feature->flag_missing = length >= tail && strcmp(text + length - tail, suffix) == 0;
    if (feature->flag_missing) length -= tail;
    const char *bracket = memchr(text, '(', length);
    size_t word = bracket ? (size_t)(bracket - text) : length;
    HF_TRY(find_encoding(&feature->encoding, text, word, spec));
    feature->median = NAN; /* until fitted */
    return bracket ? parse_categories(feature, bracket, length - word, spec) : HF_OK;
}

static int value_width(const hf_feature *feature)
{
    return feature->encoding == HF_ONE_HOT ? feature->n_categories : 1;
}

static int total_width(const hf_encoder *encoder)
{
    int width = 0;
    for (int f = 0; f < encoder->n_features; f++)
        width += value_width(&encoder->feature[f]) + encoder->feature[f].flag_missing;
    return width;
}

hf_status hf_encoder_parse(hf_encoder *out, const char *const *specs, int n_specs)
{
    hf_encoder encoder = { 0 };
    if (n_specs < 0 || n_specs > HF_MAX_FEATURES)
        return hf_fail(HF_ERR_UNSUPPORTED, "%d features, expected 0 to %d", n_specs, HF_MAX_FEATURES);
    for (int i = 0; i < n_specs; i++) {
        hf_feature *feature = &encoder.feature[i];
        HF_TRY(parse_feature(feature, specs[i]));
        for (int k = 0; k < i; k++)
            if (strcasecmp(encoder.feature[k].column, feature->column) == 0)
                return hf_fail(HF_ERR_ARGUMENT, "feature '%s': column '%s' is used twice", specs[i], feature->column);
    }
    encoder.n_features = n_specs;
    encoder.width = total_width(&encoder);
    *out = encoder;
    return HF_OK;
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* "'F', 'M'" for messages. */
static void list_categories(char *out, size_t size, const hf_feature *feature)
{
    hf_text text = { 0 };
    for (int i = 0; i < feature->n_categories; i++)
        hf_text_add(&text, "%s'%s'", i ? ", " : "", feature->category[i]);
    snprintf(out, size, "%s", text.data ? text.data : "none");
    hf_text_free(&text);
}

static hf_status unseen(const hf_feature *feature, const char *value)
{
    char known[HF_MAX_CATEGORIES * 40];
    list_categories(known, sizeof known, feature);
    return hf_fail(HF_ERR_FORMAT, "column '%s': category '%.60s' is not known; known are %s", feature->column, value,
                   known);
}

/* "subject 'sub-1' (line 7): " in front of the message. */
static hf_status fail_at(hf_status status, const hf_cohort *cohort, int index)
{
    const hf_subject *subject = &cohort->subject[index];
    return hf_fail_in(status, "subject '%s' ('%s' line %d)", subject->id, cohort->table.path,
                      cohort->table.line[subject->row]);
}

static int compare_categories(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Collects the categories of the training rows, or checks them against the given ones. */
static hf_status fit_categories(hf_feature *feature, const hf_cohort *cohort, const hf_part *part, int column)
{
    bool given = feature->n_categories > 0;
    for (int i = 0; i < cohort->n_subjects; i++) {
        const char *text = hf_table_cell(&cohort->table, cohort->subject[i].row, column);
        if (part[i] != HF_TRAIN) continue;
        feature->n_missing += text == NULL;
        if (!text || find_category(feature, text) >= 0) continue;
        hf_status status = given ? unseen(feature, text) : add_category(feature, text, strlen(text));
        if (status != HF_OK) return fail_at(status, cohort, i);
    }
    if (feature->n_categories == 0)
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': missing in all training rows", feature->column);
    if (!given)
        qsort(feature->category, (size_t)feature->n_categories, sizeof feature->category[0], compare_categories);
    return HF_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The known numbers of the training rows: values[*count], in subject order. */
static hf_status collect_numbers(double *values, int *count, hf_feature *feature, const hf_cohort *cohort,
                                 const hf_part *part, int column)
{
    *count = 0;
    for (int i = 0; i < cohort->n_subjects; i++) {
        if (part[i] != HF_TRAIN) continue;
        double value;
        HF_TRY(hf_table_number(&value, &cohort->table, cohort->subject[i].row, column));
        if (isnan(value))
            feature->n_missing++;
        else
            values[(*count)++] = value;
    }
    return HF_OK;
}

/* Sorts `values`: sums over sorted numbers do not depend on row order either. */
static void describe(hf_feature *feature, double *values, int count)
{
    double sum = 0, squares = 0;
    qsort(values, (size_t)count, sizeof *values, compare_numbers);
    for (int i = 0; i < count; i++)
        sum += values[i];
    feature->mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - feature->mean) * (values[i] - feature->mean);
    feature->sd = count > 1 ? sqrt(squares / (count - 1)) : 0;
    feature->median = 0.5 * (values[(count - 1) / 2] + values[count / 2]);
    feature->low = values[0];
    feature->high = values[count - 1];
}

/* Whether the statistics the encoding needs are there and can be divided by; false before fitting. */
static bool can_scale(const hf_feature *feature)
{
    if (feature->encoding == HF_ONE_HOT) return feature->n_categories > 0;
    if (feature->encoding == HF_ZSCORE) return feature->sd > 0;
    if (feature->encoding == HF_MINMAX) return feature->high > feature->low;
    return !isnan(feature->median);
}

static hf_status fit_numbers(hf_feature *feature, const hf_cohort *cohort, const hf_part *part, int column)
{
    double *values;
    int count;
    HF_TRY(hf_alloc(&values, (size_t)cohort->n_subjects, sizeof *values, "a column of numbers"));
    hf_status status = collect_numbers(values, &count, feature, cohort, part, column);
    if (status == HF_OK && count == 0)
        status = hf_fail(HF_ERR_ARGUMENT, "column '%s': missing in all training rows", feature->column);
    if (status == HF_OK) describe(feature, values, count);
    if (status == HF_OK && !can_scale(feature))
        status = hf_fail(HF_ERR_NUMBER, "column '%s': all %d known training values are %g: %s needs them to vary",
                         feature->column, count, feature->mean, encoding_names[feature->encoding]);
    free(values);
    return status;
}

hf_status hf_encoder_fit(hf_encoder *encoder, const hf_cohort *cohort, const hf_part *part)
{
    hf_encoder fitted = *encoder;
    for (int f = 0; f < fitted.n_features; f++) {
        hf_feature *feature = &fitted.feature[f];
        int column;
        feature->n_missing = 0;
        HF_TRY(hf_table_require(&column, &cohort->table, feature->column, "the tabular input"));
        bool one_hot = feature->encoding == HF_ONE_HOT;
        HF_TRY(one_hot ? fit_categories(feature, cohort, part, column) : fit_numbers(feature, cohort, part, column));
    }
    fitted.width = total_width(&fitted);
    *encoder = fitted;
    return HF_OK;
}

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

static double scale(const hf_feature *feature, double x)
{
    switch (feature->encoding) {
    case HF_ZSCORE:
        return (x - feature->mean) / feature->sd;
    case HF_MINMAX:
        return (x - feature->low) / (feature->high - feature->low);
    case HF_RAW:
    case HF_ONE_HOT:
        break;
    }
    return x;
}

/* Writes value_width(feature) numbers. `text` is NULL when missing. */
static hf_status encode_value(float *out, const hf_feature *feature, const char *text)
{
    if (!can_scale(feature))
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': the encoder was not fitted", feature->column);
    if (feature->encoding == HF_ONE_HOT) {
        int found = text ? find_category(feature, text) : -1;
        if (text && found < 0) return unseen(feature, text);
        for (int i = 0; i < feature->n_categories; i++)
            out[i] = i == found ? 1.0f : 0.0f;
        return HF_OK;
    }
    double value = feature->median;
    if (text && !hf_text_number(&value, text))
        return hf_fail(HF_ERR_FORMAT, "column '%s': '%.60s', expected a number", feature->column, text);
    *out = (float)scale(feature, value);
    if (isfinite(*out)) return HF_OK;
    return hf_fail(HF_ERR_NUMBER, "column '%s': '%.60s' does not fit a 32-bit number", feature->column, text);
}

/* texts[n_features], NULL where missing. */
static hf_status encode_texts(float *out, const hf_encoder *encoder, const char *const *texts)
{
    int at = 0;
    for (int f = 0; f < encoder->n_features; f++) {
        HF_TRY(encode_value(out + at, &encoder->feature[f], texts[f]));
        at += value_width(&encoder->feature[f]);
    }
    for (int f = 0; f < encoder->n_features; f++)
        if (encoder->feature[f].flag_missing) out[at++] = texts[f] ? 0.0f : 1.0f;
    return HF_OK;
}

hf_status hf_encoder_row(float *out, const hf_encoder *encoder, const hf_cohort *cohort, int index)
{
    const char *texts[HF_MAX_FEATURES] = { 0 };
    if (index < 0 || index >= cohort->n_subjects)
        return hf_fail(HF_ERR_ARGUMENT, "subject index %d, expected 0 to %d", index, cohort->n_subjects - 1);
    for (int f = 0; f < encoder->n_features; f++) {
        int column;
        HF_TRY(hf_table_require(&column, &cohort->table, encoder->feature[f].column, "the tabular input"));
        texts[f] = hf_table_cell(&cohort->table, cohort->subject[index].row, column);
    }
    hf_status status = encode_texts(out, encoder, texts);
    return status == HF_OK ? HF_OK : fail_at(status, cohort, index);
}

/* The feature a pair names: -1 after recording why there is none. */
static int find_feature(const hf_encoder *encoder, const char *pair, size_t length)
{
    const char *names[HF_MAX_FEATURES];
    char name[sizeof encoder->feature[0].column] = "";
    copy_trimmed(name, sizeof name, pair, length);
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

hf_status hf_encoder_pairs(float *out, const hf_encoder *encoder, const char *const *pairs, int n_pairs)
{
    const char *texts[HF_MAX_FEATURES] = { 0 };
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
    return encode_texts(out, encoder, texts);
}
