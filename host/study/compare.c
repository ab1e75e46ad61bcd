/* compare.c: methods side by side: rank tests over the ensembles of studies, and paired differences on equal subjects. */
#include "combine.h"
#include "metrics/significance.h"
#include "sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct comparison {
    const hf_study *study; /* [count] */
    int count;
    const hf_compare_options *options;
    double *p; /* [count,n_columns] corrected; NaN for the first method and where there is no direction */
} comparison;

/* ---- what can be compared ---------------------------------------------------------------------------------------- */

static hf_status check_alike(const hf_study *a, const hf_study *b)
{
    if (a->target.goal != b->target.goal)
        return hf_fail(HF_ERR_ARGUMENT, "'%s' has the goal %s, '%s' has %s: only studies of one goal compare",
                       a->folder, a->target.goal->name, b->folder, b->target.goal->name);
    bool same = a->n_columns == b->n_columns && a->target.n_classes == b->target.n_classes;
    for (int k = 0; same && k < a->target.n_classes; k++)
        same = strcmp(a->target.class_name[k], b->target.class_name[k]) == 0;
    if (same) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "'%s' and '%s' do not have the same classes", a->folder, b->folder);
}

/* ---- over ensembles ---------------------------------------------------------------------------------------------- */

static hf_status values_of(double **out, const hf_study *study, int column)
{
    HF_TRY(hf_alloc(out, (size_t)study->n_ensembles, sizeof **out, "values of a metric"));
    for (int i = 0; i < study->n_ensembles; i++)
        (*out)[i] = study->ensemble[i].test[column];
    return HF_OK;
}

/* That the first method is better than this one, by this column; NaN when it cannot be asked. */
static hf_status test_column(double *p, const comparison *c, int method, int column)
{
    const hf_better better = c->study[0].column[column].metric->better;
    double *a = NULL, *b = NULL;
    hf_rank_test test;
    *p = NAN;
    if (better == HF_NEITHER) return HF_OK;
    hf_status status = values_of(&a, &c->study[0], column);
    if (status == HF_OK) status = values_of(&b, &c->study[method], column);
    if (status == HF_OK)
        status = hf_rank_test_of(&test, a, c->study[0].n_ensembles, b, c->study[method].n_ensembles,
                                 better == HF_HIGHER ? HF_GREATER : HF_LESS);
    if (status == HF_OK) *p = test.p;
    free(a);
    free(b);
    return status;
}

static hf_status test_all(comparison *c)
{
    const int columns = c->study[0].n_columns, n = c->count * columns;
    double *raw;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&c->p, (size_t)n, sizeof *c->p, "p values"));
    HF_TRY(hf_alloc(&raw, (size_t)n, sizeof *raw, "p values"));
    for (int i = 0; status == HF_OK && i < n; i++) {
        raw[i] = NAN;
        if (i >= columns) status = test_column(&raw[i], c, i / columns, i % columns);
    }
    if (status == HF_OK) status = hf_holm(c->p, raw, n);
    free(raw);
    return status;
}

static const char *name_of(const comparison *c, int method)
{
    return c->options->name ? c->options->name[method] : c->study[method].folder;
}

static hf_status set_cell(hf_sheet *sheet, const comparison *c, int method, int column)
{
    const hf_study *study = &c->study[method];
    const int digits = study->column[column].metric->digits;
    const double p = c->p[method * study->n_columns + column];
    double *values;
    HF_TRY(values_of(&values, study, column));
    const hf_spread s = hf_spread_of(values, study->n_ensembles);
    free(values);
    if (isnan(s.mean)) return hf_sheet_set(sheet, 1 + method, 2 + column, "-");
    char sd[32] = "", mark[32] = "";
    if (!isnan(s.sd)) snprintf(sd, sizeof sd, " \xc2\xb1 %.*f", digits, s.sd);
    if (!isnan(p)) snprintf(mark, sizeof mark, p < 0.001 ? " (p < .001)" : " (p %.3f)", p);
    return hf_sheet_set(sheet, 1 + method, 2 + column, "%.*f%s%s", digits, s.mean, sd, mark);
}

static hf_status fill_means(hf_sheet *sheet, const comparison *c)
{
    const hf_study *first = &c->study[0];
    HF_TRY(hf_sheet_set(sheet, 0, 1, "ensembles"));
    for (int k = 0; k < first->n_columns; k++)
        HF_TRY(hf_sheet_set(sheet, 0, 2 + k, "%s", first->column[k].label));
    for (int m = 0; m < c->count; m++) {
        HF_TRY(hf_sheet_set(sheet, 1 + m, 0, "%s", name_of(c, m)));
        HF_TRY(hf_sheet_set(sheet, 1 + m, 1, "%d", c->study[m].n_ensembles));
        for (int k = 0; k < first->n_columns; k++)
            HF_TRY(set_cell(sheet, c, m, k));
    }
    return HF_OK;
}

/* ---- paired differences ------------------------------------------------------------------------------------------ */

/* All versions of one split seed as one ensemble: predicted[count,P] of the subjects of *of. */
static hf_status whole_seed(double **predicted, const hf_predictions **of, const hf_study *study, int64_t seed)
{
    const hf_predictions **models = NULL;
    int n = 0;
    HF_TRY(hf_alloc(&models, (size_t)study->n_ensembles, sizeof *models, "the versions of a seed"));
    for (int i = 0; i < study->n_ensembles; i++)
        if (study->ensemble[i].of.seed == seed) models[n++] = &study->ensemble[i].predictions;
    hf_status status = HF_OK;
    *of = n ? models[0] : NULL;
    if (n)
        status = hf_alloc(predicted, (size_t)(*of)->count * (size_t)study->target.P, sizeof **predicted, "an ensemble");
    if (n && status == HF_OK) status = hf_study_combine(*predicted, study, models, n);
    free(models);
    return status;
}

static bool same_subjects(const hf_predictions *a, const hf_predictions *b)
{
    bool same = a && b && a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = strcmp(a->id[i], b->id[i]) == 0;
    return same;
}

/* One row: this method minus the first, for one split seed. *made is false when their test subjects differ. */
static hf_status difference_row(hf_sheet *sheet, int row, const comparison *c, int method, int64_t seed, bool *made)
{
    const hf_study *a = &c->study[method], *b = &c->study[0];
    const hf_predictions *of_a, *of_b;
    double *x = NULL, *y = NULL;
    hf_status status;
    HF_TRY_OUT(whole_seed(&x, &of_a, a, seed));
    HF_TRY_OUT(whole_seed(&y, &of_b, b, seed));
    *made = same_subjects(of_a, of_b);
    if (!*made) goto out;
    const hf_scored first = { of_a->count, of_a->target.T, a->target.P, of_a->truth, x };
    const hf_scored second = { of_b->count, of_b->target.T, b->target.P, of_b->truth, y };
    HF_TRY_OUT(hf_sheet_set(sheet, row, 0, "%s", name_of(c, method)));
    HF_TRY_OUT(hf_sheet_set(sheet, row, 1, "%" PRId64, seed));
    for (int k = 0; k < b->n_columns; k++) {
        hf_interval d;
        const int digits = b->column[k].metric->digits;
        HF_TRY_OUT(hf_metric_difference(&d, b->column[k].metric, b->column[k].k, &first, &second, NULL, of_a->count,
                                        &c->options->bootstrap));
        HF_TRY_OUT(
            hf_sheet_set(sheet, row, 2 + k, "%+.*f (%+.*f to %+.*f)", digits, d.value, digits, d.low, digits, d.high));
    }
out:
    free(x);
    free(y);
    return status;
}

static hf_status fill_differences(hf_sheet *sheet, const comparison *c)
{
    const hf_study *first = &c->study[0];
    int row = 1;
    HF_TRY(hf_sheet_set(sheet, 0, 0, "minus %s", name_of(c, 0)));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "split seed"));
    for (int k = 0; k < first->n_columns; k++)
        HF_TRY(hf_sheet_set(sheet, 0, 2 + k, "%s", first->column[k].label));
    for (int m = 1; m < c->count; m++)
        for (int s = 0; s < (int)first->recipe.crossval.seeds; s++) {
            bool made = false;
            HF_TRY(difference_row(sheet, row, c, m, first->recipe.split.seed + s, &made));
            row += made;
        }
    sheet->rows = row; /* those that could not be made are not there */
    return HF_OK;
}

/* ---- both tables ------------------------------------------------------------------------------------------------- */

static hf_status write_tables(hf_text *out, comparison *c, hf_sheet_format *format)
{
    const hf_study *first = &c->study[0];
    hf_sheet means = { 0 }, differences = { 0 };
    hf_status status;
    HF_TRY_OUT(test_all(c));
    HF_TRY_OUT(hf_sheet_new(&means, 1 + c->count, 2 + first->n_columns));
    HF_TRY_OUT(fill_means(&means, c));
    format(out, &means);
    HF_TRY_OUT(
        hf_sheet_new(&differences, 1 + (c->count - 1) * (int)first->recipe.crossval.seeds, 2 + first->n_columns));
    HF_TRY_OUT(fill_differences(&differences, c));
    hf_text_add(out, "\n");
    if (differences.rows > 1) format(out, &differences);
out:
    hf_sheet_free(&means);
    hf_sheet_free(&differences);
    return status == HF_OK ? hf_text_check(out) : status;
}

hf_status hf_study_compare(const hf_study *studies, int count, const hf_compare_options *options, hf_text *out)
{
    static const hf_compare_options defaults = { 0 };
    comparison c = { .study = studies, .count = count, .options = options ? options : &defaults };
    const char *name = c.options->format ? c.options->format : "text";
    hf_sheet_format *format = hf_sheet_format_find(name);
    if (!format)
        return hf_fail(HF_ERR_ARGUMENT, "there is no format '%s': text, tsv, latex or html are expected", name);
    for (int i = 1; i < count; i++)
        HF_TRY(check_alike(&studies[0], &studies[i]));
    const hf_status status = write_tables(out, &c, format);
    free(c.p);
    return status;
}
