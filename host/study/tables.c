/* tables.c: a comparison as tables for people. The upper left cell of each says what it shows. */
#include "parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { LEAST_DIGITS = 3 }; /* of p values and calibration */

static const hf_study *first_of(const hf_comparison *c)
{
    return c->method[0].study;
}

static hf_status name_columns(hf_sheet *sheet, const hf_comparison *c, int from)
{
    for (int k = 0; k < first_of(c)->n_columns; k++)
        HF_TRY(hf_sheet_set(sheet, 0, from + k, "%s", first_of(c)->column[k].label));
    return HF_OK;
}

/* ---- means ------------------------------------------------------------------------------------------------------- */

static hf_status mean_row(hf_sheet *sheet, const hf_comparison *c, int method)
{
    const hf_compared_method *m = &c->method[method];
    const int row = 1 + method, select = first_of(c)->select;
    HF_TRY(hf_sheet_set(sheet, row, 0, "%s", m->name));
    HF_TRY(hf_sheet_set(sheet, row, 1, "%d", m->study->n_ensembles));
    HF_TRY(hf_sheet_spread(sheet, row, 2, &m->valid, first_of(c)->column[select].metric->digits, ""));
    for (int k = 0; k < first_of(c)->n_columns; k++) {
        const double p = m->of[k].better_holm;
        char mark[32] = "";
        if (!isnan(p)) snprintf(mark, sizeof mark, p < 0.001 ? " (p < .001)" : " (p %.3f)", p);
        HF_TRY(hf_sheet_spread(sheet, row, 3 + k, &m->of[k].test, first_of(c)->column[k].metric->digits, mark));
    }
    return HF_OK;
}

static hf_status means(hf_sheet *sheet, const hf_comparison *c)
{
    HF_TRY(hf_sheet_new(sheet, 1 + c->n_methods, 3 + first_of(c)->n_columns));
    HF_TRY(hf_sheet_set(sheet, 0, 0, "mean \xc2\xb1 sd"));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "ensembles"));
    HF_TRY(hf_sheet_set(sheet, 0, 2, "valid %s", first_of(c)->column[first_of(c)->select].label));
    HF_TRY(name_columns(sheet, c, 3));
    for (int m = 0; m < c->n_methods; m++)
        HF_TRY(mean_row(sheet, c, m));
    return HF_OK;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
    int digits;
} tests[] = {
    { "U", offsetof(hf_compared, u), 1 },
    { "p one-sided", offsetof(hf_compared, better), LEAST_DIGITS },
    { "p one-sided, Holm", offsetof(hf_compared, better_holm), LEAST_DIGITS },
    { "p two-sided", offsetof(hf_compared, differs), LEAST_DIGITS },
    { "p two-sided, Holm", offsetof(hf_compared, differs_holm), LEAST_DIGITS },
};
enum { N_TESTS = sizeof tests / sizeof tests[0] };

static hf_status test_cell(hf_sheet *sheet, int row, int column, double value, int digits)
{
    if (isnan(value)) return hf_sheet_set(sheet, row, column, "-");
    if (digits == LEAST_DIGITS && value < 0.001) return hf_sheet_set(sheet, row, column, "%.1e", value);
    return hf_sheet_set(sheet, row, column, "%.*f", digits, value);
}

static hf_status test_rows(hf_sheet *sheet, const hf_comparison *c, int method)
{
    for (int t = 0; t < N_TESTS; t++) {
        const int row = 1 + (method - 1) * N_TESTS + t;
        HF_TRY(hf_sheet_set(sheet, row, 0, "%s", c->method[method].name));
        HF_TRY(hf_sheet_set(sheet, row, 1, "%s", tests[t].name));
        for (int k = 0; k < first_of(c)->n_columns; k++) {
            const char *at = (const char *)&c->method[method].of[k] + tests[t].at;
            HF_TRY(test_cell(sheet, row, 2 + k, *(const double *)(const void *)at, tests[t].digits));
        }
    }
    return HF_OK;
}

static hf_status rank_tests(hf_sheet *sheet, const hf_comparison *c)
{
    HF_TRY(hf_sheet_new(sheet, 1 + (c->n_methods - 1) * N_TESTS, 2 + first_of(c)->n_columns));
    HF_TRY(hf_sheet_set(sheet, 0, 0, "%s against", c->method[0].name));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "Mann-Whitney"));
    HF_TRY(name_columns(sheet, c, 2));
    for (int m = 1; m < c->n_methods; m++)
        HF_TRY(test_rows(sheet, c, m));
    return HF_OK;
}

/* ---- differences ------------------------------------------------------------------------------------------------- */

static hf_status pair_row(hf_sheet *sheet, const hf_comparison *c, int pair)
{
    const hf_paired *p = &c->paired[pair];
    HF_TRY(hf_sheet_set(sheet, 1 + pair, 0, "%s", c->method[p->method].name));
    HF_TRY(hf_sheet_set(sheet, 1 + pair, 1, "%" PRId64, p->seed));
    for (int k = 0; k < first_of(c)->n_columns; k++) {
        const int digits = first_of(c)->column[k].metric->digits;
        const hf_interval *d = &p->of[k];
        if (isnan(d->value))
            HF_TRY(hf_sheet_set(sheet, 1 + pair, 2 + k, "-"));
        else
            HF_TRY(hf_sheet_set(sheet, 1 + pair, 2 + k, "%+.*f (%+.*f to %+.*f)", digits, d->value, digits, d->low,
                                digits, d->high));
    }
    return HF_OK;
}

static hf_status differences(hf_sheet *sheet, const hf_comparison *c)
{
    HF_TRY(hf_sheet_new(sheet, 1 + c->n_paired, 2 + first_of(c)->n_columns));
    HF_TRY(hf_sheet_set(sheet, 0, 0, "minus %s", c->method[0].name));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "split seed"));
    HF_TRY(name_columns(sheet, c, 2));
    for (int i = 0; i < c->n_paired; i++)
        HF_TRY(pair_row(sheet, c, i));
    return HF_OK;
}

/* ---- classes ----------------------------------------------------------------------------------------------------- */

static hf_status confusion_row(hf_sheet *sheet, int row, const hf_compared_method *m, int class)
{
    const hf_target *t = &m->study->target;
    HF_TRY(hf_sheet_set(sheet, row, 0, "%s", m->name));
    HF_TRY(hf_sheet_set(sheet, row, 1, "%s", t->class_name[class]));
    for (int k = 0; k < t->n_classes; k++) {
        HF_TRY(hf_sheet_spread(sheet, row, 2 + k, &m->count[class][k], 1, ""));
        HF_TRY(hf_sheet_spread(sheet, row, 2 + t->n_classes + k, &m->share[class][k], LEAST_DIGITS, ""));
    }
    return HF_OK;
}

static hf_status confusions(hf_sheet *sheet, const hf_comparison *c)
{
    const hf_target *t = &first_of(c)->target;
    HF_TRY(hf_sheet_new(sheet, 1 + c->n_methods * t->n_classes, 2 + 2 * t->n_classes));
    HF_TRY(hf_sheet_set(sheet, 0, 0, "confusion"));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "true"));
    for (int k = 0; k < t->n_classes; k++) {
        HF_TRY(hf_sheet_set(sheet, 0, 2 + k, "as %s", t->class_name[k]));
        HF_TRY(hf_sheet_set(sheet, 0, 2 + t->n_classes + k, "share as %s", t->class_name[k]));
    }
    for (int i = 0; i < c->n_methods * t->n_classes; i++)
        HF_TRY(confusion_row(sheet, 1 + i, &c->method[i / t->n_classes], i % t->n_classes));
    return HF_OK;
}

static hf_status calibration(hf_sheet *sheet, const hf_comparison *c)
{
    HF_TRY(hf_sheet_new(sheet, 1 + c->n_methods, 3));
    HF_TRY(hf_sheet_set(sheet, 0, 0, "calibration"));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "ECE"));
    HF_TRY(hf_sheet_set(sheet, 0, 2, "Brier"));
    for (int m = 0; m < c->n_methods; m++) {
        HF_TRY(hf_sheet_set(sheet, 1 + m, 0, "%s", c->method[m].name));
        HF_TRY(hf_sheet_spread(sheet, 1 + m, 1, &c->method[m].ece, LEAST_DIGITS, ""));
        HF_TRY(hf_sheet_spread(sheet, 1 + m, 2, &c->method[m].brier, LEAST_DIGITS, ""));
    }
    return HF_OK;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

hf_status hf_compare_sheets(hf_sheet sheet[HF_MAX_SHEETS], int *count, const hf_comparison *c)
{
    const bool classes = first_of(c)->target.n_classes > 0;
    const struct {
        hf_status (*make)(hf_sheet *sheet, const hf_comparison *c);
        bool wanted;
    } all[HF_MAX_SHEETS] = { { means, true },
                             { rank_tests, c->n_methods > 1 },
                             { differences, c->n_paired > 0 },
                             { confusions, classes },
                             { calibration, classes } };
    *count = 0;
    for (int i = 0; i < HF_MAX_SHEETS; i++)
        if (all[i].wanted) HF_TRY(all[i].make(&sheet[(*count)++], c));
    return HF_OK;
}
