/* encoder_fit.c: what the training rows say about each feature.
 *
 * Only rows that train are looked at, so nothing about validation or test rows can leak. Of those, rows that a feature
 * leaves out because it has no place for "missing" are left out of all statistics. In order: categories and numbers are
 * read, medians and ranges found, missing values filled, the imputer fitted on the filled rows, and means and standard
 * deviations taken of what came out. Sums run over sorted numbers, so that they do not depend on the order of rows. */
#include "encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The training rows under way. */
typedef struct fitting {
    hf_encoder *encoder;
    const hf_cohort *cohort;
    int column[HF_MAX_FEATURES], group[HF_MAX_FEATURES]; /* in the table */
    int *subject;                                        /* [rows] that train and are usable */
    int rows;
    double *number; /* [rows,n_features] */
    int *category;  /* [rows,n_features] */
    bool *missing;  /* [rows,n_features] */
    double *value;  /* [rows] to be sorted */
} fitting;

static const char *text_of(const fitting *t, int i, int column)
{
    return hf_table_cell(&t->cohort->table, t->cohort->subject[t->subject[i]].row, column);
}

/* ---- which rows -------------------------------------------------------------------------------------------------- */

static hf_status count_missing(hf_feature *f, const fitting *t, int column)
{
    f->n_missing = 0;
    for (int i = 0; i < t->rows; i++)
        f->n_missing += text_of(t, i, column) == NULL;
    if (f->n_missing < t->rows) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "column '%s': missing in all training rows", f->column);
}

/* Lists the rows that train, then drops those that lack what a feature cannot do without. */
static hf_status choose_rows(fitting *t, const hf_part *part)
{
    hf_encoder *e = t->encoder;
    int kept = 0;
    HF_TRY(hf_alloc(&t->subject, (size_t)t->cohort->n_subjects, sizeof *t->subject, "the training rows"));
    for (int i = 0; i < t->cohort->n_subjects; i++)
        if (e->fit_all ? part[i] != HF_UNUSED : part[i] == HF_TRAIN) t->subject[t->rows++] = i;
    for (int k = 0; k < e->n_features; k++)
        HF_TRY(count_missing(&e->feature[k], t, t->column[k]));
    for (int i = 0; i < t->rows; i++) {
        bool usable = true;
        for (int k = 0; k < e->n_features; k++)
            usable = usable && (e->feature[k].fill != HF_FILL_NOTHING || text_of(t, i, t->column[k]));
        if (usable) t->subject[kept++] = t->subject[i];
    }
    t->rows = kept;
    if (kept > 0) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "'%s': no training row has every feature that must not be missing",
                   t->cohort->table.path);
}

/* ---- categories and groups --------------------------------------------------------------------------------------- */

static int compare_categories(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Collects the texts of a column as categories, all spellings of one sex as one, in alphabetical order. */
static hf_status learn_categories(hf_feature *f, const fitting *t, int column)
{
    for (int i = 0; i < t->rows; i++) {
        const char *text = text_of(t, i, column);
        if (!text || hf_feature_category(f, text) >= 0) continue;
        const char *sex = hf_sex_word(text), *name = sex ? sex : text;
        const hf_status status = hf_feature_add_category(f, name, strlen(name), false);
        if (status != HF_OK) return hf_fail_at(status, t->cohort, t->subject[i]);
    }
    if (f->n_categories) qsort(f->category, (size_t)f->n_categories, sizeof f->category[0], compare_categories);
    return HF_OK;
}

static hf_status check_categories(const hf_feature *f, const fitting *t, int column)
{
    for (int i = 0; i < t->rows; i++) {
        const char *text = text_of(t, i, column);
        if (text && hf_feature_category(f, text) < 0)
            return hf_fail_at(hf_feature_unseen(f, text), t->cohort, t->subject[i]);
    }
    return HF_OK;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* The known numbers of a column into value[], sorted; with `group` >= 0 only those of rows in that group. */
static hf_status collect(int *count, const fitting *t, const hf_feature *f, int k, int group)
{
    *count = 0;
    for (int i = 0; i < t->rows; i++) {
        const char *other = group < 0 ? NULL : text_of(t, i, t->group[k]);
        double x;
        HF_TRY(hf_table_number(&x, &t->cohort->table, t->cohort->subject[t->subject[i]].row, t->column[k]));
        if (isnan(x) || (group >= 0 && (!other || hf_feature_category(f, other) != group))) continue;
        t->value[(*count)++] = x;
    }
    if (*count) qsort(t->value, (size_t)*count, sizeof *t->value, hf_compare_numbers);
    return HF_OK;
}

static double median_of(const double *sorted, int count)
{
    return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2]);
}

/* Mean and sample standard deviation of sorted numbers. */
static void describe(double *mean, double *sd, const double *sorted, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += sorted[i];
    *mean = sum / count;
    for (int i = 0; i < count; i++)
        squares += (sorted[i] - *mean) * (sorted[i] - *mean);
    *sd = count > 1 ? sqrt(squares / (count - 1)) : 0;
}

static hf_status learn_numbers(hf_feature *f, const fitting *t, int k)
{
    int count;
    HF_TRY(collect(&count, t, f, k, -1));
    if (count == 0) return hf_fail(HF_ERR_ARGUMENT, "column '%s': missing in all training rows", f->column);
    describe(&f->mean, &f->sd, t->value, count);
    f->median = median_of(t->value, count);
    f->low = t->value[0];
    f->high = t->value[count - 1];
    if (f->fill == HF_FILL_MEAN) f->fill_value = f->mean;
    if (f->fill != HF_FILL_GROUP) return HF_OK;
    HF_TRY(learn_categories(f, t, t->group[k]));
    for (int g = 0; g < f->n_categories; g++) {
        HF_TRY(collect(&count, t, f, k, g));
        f->group_median[g] = count ? median_of(t->value, count) : f->median;
    }
    return HF_OK;
}

static hf_status learn_feature(const fitting *t, int k)
{
    hf_feature *f = &t->encoder->feature[k];
    if (f->encoding == HF_FLAG) return HF_OK;
    if (f->encoding != HF_ONE_HOT) {
        f->n_categories = 0; /* groups of an earlier fit */
        return learn_numbers(f, t, k);
    }
    return f->n_categories ? check_categories(f, t, t->column[k]) : learn_categories(f, t, t->column[k]);
}

/* ---- filled rows ------------------------------------------------------------------------------------------------- */

static hf_cells cells_of(const fitting *t, int i)
{
    const size_t at = (size_t)i * (size_t)t->encoder->n_features;
    return (hf_cells){ t->number + at, t->category + at, t->missing + at };
}

static hf_status fill_rows(fitting *t)
{
    const size_t cells = (size_t)t->rows * (size_t)t->encoder->n_features;
    const char *texts[HF_MAX_FEATURES], *groups[HF_MAX_FEATURES];
    HF_TRY(hf_alloc(&t->number, cells, sizeof *t->number, "the training rows"));
    HF_TRY(hf_alloc(&t->category, cells, sizeof *t->category, "the training rows"));
    HF_TRY(hf_alloc(&t->missing, cells, sizeof *t->missing, "the training rows"));
    for (int i = 0; i < t->rows; i++) {
        hf_cells row = cells_of(t, i);
        hf_cells_texts(texts, groups, t->encoder, t->cohort, t->subject[i], t->column, t->group);
        const hf_status status = hf_cells_read(&row, t->encoder, texts, groups);
        if (status != HF_OK) return hf_fail_at(status, t->cohort, t->subject[i]);
    }
    return HF_OK;
}

static bool imputes(const hf_encoder *e)
{
    for (int k = 0; k < e->n_features; k++)
        if (e->feature[k].fill == HF_FILL_IMPUTE) return true;
    return false;
}

/* Fits the imputer and takes its guesses for the rows it was fitted on. */
static hf_status impute_rows(fitting *t)
{
    double row[HF_MAX_WIDTH + HF_MAX_FEATURES], *values = NULL;
    hf_cells cells = cells_of(t, 0);
    const int columns = hf_cells_gather(row, t->encoder, &cells);
    HF_TRY(hf_alloc(&values, (size_t)t->rows * (size_t)columns, sizeof *values, "the training rows"));
    for (int i = 0; i < t->rows; i++) {
        cells = cells_of(t, i);
        hf_cells_gather(values + (size_t)i * (size_t)columns, t->encoder, &cells);
    }
    const hf_status status = hf_imputer_fit(&t->encoder->imputer, values, t->rows, columns);
    for (int i = 0; status == HF_OK && i < t->rows; i++) {
        cells = cells_of(t, i);
        hf_cells_scatter(&cells, t->encoder, values + (size_t)i * (size_t)columns);
    }
    free(values);
    return status;
}

/* ---- scaling ----------------------------------------------------------------------------------------------------- */

/* Mean and sample sd of a column of zeros and ones. */
static void describe_ones(double *mean, double *sd, int ones, int rows)
{
    *mean = (double)ones / rows;
    *sd = rows > 1 ? sqrt((double)ones * (rows - ones) / rows / (rows - 1)) : 0;
}

static hf_status constant(const hf_feature *f, const char *what, double value)
{
    return hf_fail(HF_ERR_NUMBER, "column '%s': all known training values are %g: %s needs them to vary", f->column,
                   value, what);
}

static hf_status scale_categories(hf_feature *f, const fitting *t, int k)
{
    for (int c = 0; f->zscore && c < hf_feature_width(f); c++) {
        int ones = 0;
        for (int i = 0; i < t->rows; i++)
            ones += cells_of(t, i).category[k] == c;
        describe_ones(&f->column_mean[c], &f->column_sd[c], ones, t->rows);
        if (f->column_sd[c] == 0) return constant(f, "zscore", f->column_mean[c]);
    }
    return HF_OK;
}

static hf_status scale_numbers(hf_feature *f, const fitting *t, int k)
{
    const bool ranged =
        f->encoding == HF_MINMAX || ((f->encoding == HF_BINS || f->encoding == HF_SMOOTH) && f->n_numbers < 3);
    if (f->fill != HF_FILL_KNOWN && f->fill != HF_FILL_NOTHING) {
        for (int i = 0; i < t->rows; i++)
            t->value[i] = cells_of(t, i).number[k];
        qsort(t->value, (size_t)t->rows, sizeof *t->value, hf_compare_numbers);
        describe(&f->mean, &f->sd, t->value, t->rows);
    }
    if (f->encoding == HF_ZSCORE && !(f->sd > 0)) return constant(f, "zscore", f->mean);
    if (ranged && !(f->high > f->low)) return constant(f, f->encoding == HF_MINMAX ? "minmax" : "bins", f->low);
    return HF_OK;
}

static hf_status scale_feature(const fitting *t, int k)
{
    hf_feature *f = &t->encoder->feature[k];
    int missing = 0;
    HF_TRY(f->encoding == HF_ONE_HOT ? scale_categories(f, t, k) : scale_numbers(f, t, k));
    if (!f->flag_zscore) return HF_OK;
    for (int i = 0; i < t->rows; i++)
        missing += cells_of(t, i).missing[k];
    describe_ones(&f->flag_mean, &f->flag_sd, missing, t->rows);
    return f->flag_sd > 0 ? HF_OK : constant(f, "missing(zscore)", f->flag_mean);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static hf_status fit(fitting *t, const hf_part *part)
{
    hf_encoder *e = t->encoder;
    if (e->n_features == 0) return HF_OK;
    HF_TRY(hf_encoder_columns(t->column, t->group, e, &t->cohort->table));
    HF_TRY(choose_rows(t, part));
    HF_TRY(hf_alloc(&t->value, (size_t)t->rows, sizeof *t->value, "the training rows"));
    for (int k = 0; k < e->n_features; k++)
        HF_TRY(learn_feature(t, k));
    HF_TRY(hf_encoder_measure(e));
    HF_TRY(fill_rows(t));
    if (imputes(e)) HF_TRY(impute_rows(t));
    for (int k = 0; k < e->n_features; k++)
        HF_TRY(scale_feature(t, k));
    return HF_OK;
}

hf_status hf_encoder_fit(hf_encoder *encoder, const hf_cohort *cohort, const hf_part *part)
{
    hf_encoder *fitted;
    HF_TRY(hf_alloc(&fitted, 1, sizeof *fitted, "the encoder"));
    *fitted = *encoder;
    fitted->imputer = NULL;
    fitting t = { .encoder = fitted, .cohort = cohort };
    const hf_status status = fit(&t, part);
    if (status == HF_OK) {
        hf_imputer_free(&encoder->imputer);
        *encoder = *fitted;
    } else {
        hf_imputer_free(&fitted->imputer);
    }
    free(fitted);
    free(t.subject);
    free(t.number);
    free(t.category);
    free(t.missing);
    free(t.value);
    return status;
}
