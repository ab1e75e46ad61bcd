/* compare.c: methods side by side, and what came of it as text and as files. */
#include "parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the comparison ---------------------------------------------------------------------------------------------- */

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

static hf_status fill(hf_comparison *c, const hf_study *studies, int count, const hf_compare_options *options)
{
    HF_TRY(hf_alloc(&c->method, (size_t)count, sizeof *c->method, "the methods of a comparison"));
    for (; c->n_methods < count; c->n_methods++) {
        hf_compared_method *m = &c->method[c->n_methods];
        m->study = &studies[c->n_methods];
        m->name = options->name ? options->name[c->n_methods] : m->study->folder;
        HF_TRY(check_alike(&studies[0], m->study));
    }
    HF_TRY(hf_compare_ranks(c));
    HF_TRY(hf_compare_counts(c));
    return hf_compare_pairs(c, &options->bootstrap);
}

hf_status hf_comparison_make(hf_comparison *out, const hf_study *studies, int count, const hf_compare_options *options)
{
    static const hf_compare_options defaults = { 0 };
    hf_comparison made = { 0 };
    if (count < 1) return hf_fail(HF_ERR_ARGUMENT, "a comparison of %d studies: at least one is needed", count);
    const hf_status status = fill(&made, studies, count, options ? options : &defaults);
    if (status == HF_OK)
        *out = made;
    else
        hf_comparison_free(&made);
    return status;
}

void hf_comparison_free(hf_comparison *comparison)
{
    if (!comparison) return;
    free(comparison->method);
    free(comparison->paired);
    *comparison = (hf_comparison){ 0 };
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

static hf_status add_tables(hf_text *out, const hf_comparison *c, hf_sheet_format *write)
{
    hf_sheet sheet[HF_MAX_SHEETS] = { 0 };
    int count = 0;
    const hf_status status = hf_compare_sheets(sheet, &count, c);
    for (int i = 0; status == HF_OK && i < count; i++) {
        hf_text_add(out, "%s", i ? "\n" : "");
        write(out, &sheet[i]);
    }
    for (int i = 0; i < HF_MAX_SHEETS; i++)
        hf_sheet_free(&sheet[i]);
    return status;
}

hf_status hf_comparison_text(const hf_comparison *comparison, const char *format, hf_text *out)
{
    hf_sheet_format *write;
    HF_TRY(hf_sheet_format_choose(&write, format));
    const bool page = format && strcmp(format, "html") == 0;
    HF_TRY(page ? hf_compare_page(comparison, out) : add_tables(out, comparison, write));
    return hf_text_check(out);
}

/* ---- as files ---------------------------------------------------------------------------------------------------- */

static void add_number(hf_text *out, double value)
{
    if (isfinite(value))
        hf_text_add(out, "\t%.17g", value);
    else
        hf_text_add(out, "\tn/a");
}

static void add_metrics(hf_text *out, const hf_comparison *c)
{
    hf_text_add(out, "method\tmetric\tn\tmean\tsd\tu\tp_better\tp_better_holm\tp_differs\tp_differs_holm\n");
    for (int m = 0; m < c->n_methods; m++)
        for (int k = 0; k < c->method[0].study->n_columns; k++) {
            const hf_compared *of = &c->method[m].of[k];
            const double number[] = { of->test.mean,   of->test.sd, of->u,           of->better,
                                      of->better_holm, of->differs, of->differs_holm };
            hf_table_add_cell(out, c->method[m].name);
            hf_text_add(out, "\t%s\t%d", c->method[0].study->column[k].name, c->method[m].study->n_ensembles);
            for (size_t i = 0; i < sizeof number / sizeof number[0]; i++)
                add_number(out, number[i]);
            hf_text_add(out, "\n");
        }
}

static void add_differences(hf_text *out, const hf_comparison *c)
{
    hf_text_add(out, "method\tminus\tseed\tsubjects\tmetric\tdifference\tlow\thigh\n");
    for (int i = 0; i < c->n_paired; i++)
        for (int k = 0; k < c->method[0].study->n_columns; k++) {
            const hf_paired *pair = &c->paired[i];
            hf_table_add_cell(out, c->method[pair->method].name);
            hf_text_add(out, "\t");
            hf_table_add_cell(out, c->method[0].name);
            hf_text_add(out, "\t%" PRId64 "\t%d\t%s", pair->seed, pair->subjects, c->method[0].study->column[k].name);
            add_number(out, pair->of[k].value);
            add_number(out, pair->of[k].low);
            add_number(out, pair->of[k].high);
            hf_text_add(out, "\n");
        }
}

static hf_status write_text(const char *folder, const char *name, const hf_text *text)
{
    char *path = NULL;
    HF_TRY(hf_text_check(text));
    HF_TRY(hf_path_join(&path, folder, name));
    const hf_status status = hf_file_write(path, text->data, text->size);
    free(path);
    return status;
}

static hf_status write_formats(const hf_comparison *c, const char *folder)
{
    static const char *const files[][2] = {
        { "text", "compare.txt" }, { "tsv", "compare.tsv" }, { "latex", "compare.tex" }, { "html", "compare.html" }
    };
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < sizeof files / sizeof files[0]; i++) {
        hf_text text = { 0 };
        status = hf_comparison_text(c, files[i][0], &text);
        if (status == HF_OK) status = write_text(folder, files[i][1], &text);
        hf_text_free(&text);
    }
    return status;
}

static hf_status write_numbers(const hf_comparison *c, const char *folder, const char *name,
                               void (*add)(hf_text *out, const hf_comparison *c))
{
    hf_text text = { 0 };
    add(&text, c);
    const hf_status status = write_text(folder, name, &text);
    hf_text_free(&text);
    return status;
}

hf_status hf_comparison_write(const hf_comparison *comparison, const char *folder)
{
    HF_TRY(hf_make_dirs(folder));
    HF_TRY(write_numbers(comparison, folder, "metrics.tsv", add_metrics));
    HF_TRY(write_numbers(comparison, folder, "differences.tsv", add_differences));
    HF_TRY(hf_compare_pictures(comparison, folder));
    return write_formats(comparison, folder);
}
