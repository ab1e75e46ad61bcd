/* pictures.c: a comparison as plots, for its page and as files: a bar plot for each metric, and for each method of classes its
 * confusion matrices and its reliability curve. */
#include "parts.h"
#include "report/html.h"
#include "report/matrix.h"
#include "report/plot.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const hf_study *first_of(const hf_comparison *c)
{
    return c->method[0].study;
}

/* ---- bars -------------------------------------------------------------------------------------------------------- */

static hf_bar bar_of(const char *name, const hf_spread *s, int method)
{
    return (hf_bar){ name, s->mean, s->mean - s->sd, s->mean + s->sd, method > 0 };
}

static void label_of(hf_text *out, const hf_study *study, int column)
{
    const hf_metric *metric = study->column[column].metric;
    const bool unit = metric->unit == HF_UNIT_TARGET && study->target.unit[0];
    hf_text_add(out, "%s%s%s", study->column[column].label, unit ? ", " : "", unit ? study->target.unit : "");
}

/* Column -1: the selecting metric on validation subjects, over single models. */
static hf_status draw_bars(hf_text *out, const hf_comparison *c, int column)
{
    hf_text label = { 0 };
    hf_bar *bar;
    const int shown = column < 0 ? first_of(c)->select : column;
    HF_TRY(hf_alloc(&bar, (size_t)c->n_methods, sizeof *bar, "bars"));
    for (int m = 0; m < c->n_methods; m++)
        bar[m] = bar_of(c->method[m].name, column < 0 ? &c->method[m].valid : &c->method[m].of[column].test, m);
    label_of(&label, first_of(c), shown);
    hf_status status = hf_text_check(&label);
    const char *title = column < 0 ? "validation, models" : "test, ensembles";
    const hf_bars bars = { title, label.data, first_of(c)->column[shown].metric->digits, c->n_methods, bar };
    if (status == HF_OK) hf_bars_svg(out, &bars);
    hf_text_free(&label);
    free(bar);
    return status;
}

/* ---- confusion matrices ------------------------------------------------------------------------------------------ */

static bool all_whole(const double *value, int count)
{
    for (int i = 0; i < count; i++)
        if (value[i] != floor(value[i])) return false;
    return true;
}

/* What a matrix of means points to. */
typedef struct means {
    const char *name[HF_MAX_CLASSES];
    double value[HF_MAX_CLASSES * HF_MAX_CLASSES];
} means;

static hf_matrix matrix_of(means *room, const hf_compared_method *m, bool shares)
{
    const hf_target *t = &m->study->target;
    const int n = t->n_classes;
    for (int i = 0; i < n * n; i++) {
        room->name[i / n] = t->class_name[i / n];
        room->value[i] = (shares ? m->share : m->count)[i / n][i % n].mean;
    }
    const int digits = shares ? 3 : all_whole(room->value, n * n) ? 0 : 1;
    return (hf_matrix){ n, room->name, room->value, shares ? 1 : 0, digits };
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static hf_status add_tables(hf_text *out, const hf_comparison *c)
{
    static const char note[] =
        "Mean and standard deviation over ensembles. p: Mann and Whitney's test over them, one-sided that the first "
        "method is better, and two-sided; Holm's correction over all metrics of all methods. Differences: on equal "
        "test subjects, the ensembles of a split seed as one; in brackets 95 % intervals by a paired bootstrap over "
        "subjects.";
    hf_sheet sheet[HF_MAX_SHEETS] = { 0 };
    int count = 0;
    const hf_status status = hf_compare_sheets(sheet, &count, c);
    hf_html_section(out, NULL, "Results");
    for (int i = 0; status == HF_OK && i < count; i++) {
        hf_text_add(out, "<div class=\"scroll\">\n");
        hf_sheet_format_find("html")(out, &sheet[i]);
        hf_text_add(out, "</div>\n");
    }
    hf_text_add(out, "<p class=\"note\">%s</p>\n</section>\n", note);
    for (int i = 0; i < HF_MAX_SHEETS; i++)
        hf_sheet_free(&sheet[i]);
    return status;
}

static hf_status add_bars(hf_text *out, const hf_comparison *c)
{
    hf_html_section(out, NULL, "Metrics");
    hf_text_add(out, "<div class=\"pair\">\n");
    for (int k = -1; k < first_of(c)->n_columns; k++)
        HF_TRY(draw_bars(out, c, k));
    hf_text_add(out, "</div>\n<p class=\"note\">Bars: means; whiskers: one standard deviation to each side.</p>\n"
                     "</section>\n");
    return HF_OK;
}

static hf_status add_confusion(hf_text *out, const hf_compared_method *m, bool shares)
{
    means room;
    const hf_matrix matrix = matrix_of(&room, m, shares);
    return hf_matrix_html(out, &matrix, shares ? "shares" : "subjects");
}

static hf_status add_method(hf_text *out, const hf_compared_method *m)
{
    hf_text_add(out, "<section><h2>");
    hf_text_add_escaped(out, m->name);
    hf_text_add(out, "</h2>\n<div class=\"pair\">\n");
    HF_TRY(add_confusion(out, m, false));
    HF_TRY(add_confusion(out, m, true));
    hf_reliability_svg(out, &m->calibration, "all ensembles");
    hf_text_add(out,
                "</div>\n<p class=\"note\">Confusion matrices: subjects, and shares of a class, mean over ensembles. "
                "Reliability: the predictions of all ensembles together.</p>\n</section>\n");
    return HF_OK;
}

hf_status hf_compare_page(const hf_comparison *c, hf_text *out)
{
    hf_text title = { 0 };
    hf_text_add(&title, "HyperFusion: %s of %d methods", first_of(c)->target.column, c->n_methods);
    HF_TRY(hf_text_check(&title));
    hf_html_head(out, title.data, NULL);
    hf_text_free(&title);
    HF_TRY(add_tables(out, c));
    HF_TRY(add_bars(out, c));
    for (int m = 0; first_of(c)->target.n_classes && m < c->n_methods; m++)
        HF_TRY(add_method(out, &c->method[m]));
    hf_html_foot(out);
    return hf_text_check(out);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* What a method, class or metric is called, as a part of a file name: the end of a path, letters and digits as they are. */
static void add_plain(hf_text *out, const char *name)
{
    const char *slash = strrchr(name, '/');
    for (const char *c = slash && slash[1] ? slash + 1 : name; *c; c++)
        hf_text_add(out, "%c", isalnum((unsigned char)*c) || strchr("-_+.", *c) ? *c : '_');
}

static hf_status finish(hf_text *file, const char *folder, const hf_text *picture)
{
    char *path = NULL;
    const char *end = file->data ? strrchr(file->data, '.') : NULL;
    HF_TRY(hf_text_check(file));
    HF_TRY(hf_path_join(&path, folder, file->data));
    const bool svg = end && strcmp(end, ".svg") == 0;
    const hf_status status = svg ? hf_svg_write(picture, path) : hf_file_write(path, picture->data, picture->size);
    free(path);
    return status;
}

static hf_status write_bars(const hf_comparison *c, const char *folder, int column)
{
    const int shown = column < 0 ? first_of(c)->select : column;
    hf_text svg = { 0 }, file = { 0 };
    hf_text_add(&file, "bars-%s", column < 0 ? "valid-" : "");
    add_plain(&file, first_of(c)->column[shown].name);
    hf_text_add(&file, ".svg");
    hf_status status = draw_bars(&svg, c, column);
    if (status == HF_OK) status = finish(&file, folder, &svg);
    hf_text_free(&svg);
    hf_text_free(&file);
    return status;
}

/* Methods are counted, as two folders may have one name. */
static void name_method(hf_text *out, const hf_comparison *c, int method, const char *what, const char *end)
{
    hf_text_add(out, "%s-%d-", what, method + 1);
    add_plain(out, c->method[method].name);
    hf_text_add(out, "%s", end);
}

static hf_status write_confusion(const hf_comparison *c, const char *folder, int method, bool shares)
{
    hf_text png = { 0 }, file = { 0 };
    name_method(&file, c, method, shares ? "confusion-shares" : "confusion", ".png");
    means room;
    const hf_matrix matrix = matrix_of(&room, &c->method[method], shares);
    hf_status status = hf_matrix_png(&png, &matrix);
    if (status == HF_OK) status = finish(&file, folder, &png);
    hf_text_free(&png);
    hf_text_free(&file);
    return status;
}

static hf_status write_reliability(const hf_comparison *c, const char *folder, int method)
{
    hf_text svg = { 0 }, file = { 0 };
    name_method(&file, c, method, "reliability", ".svg");
    hf_reliability_svg(&svg, &c->method[method].calibration, "all ensembles");
    const hf_status status = finish(&file, folder, &svg);
    hf_text_free(&svg);
    hf_text_free(&file);
    return status;
}

hf_status hf_compare_pictures(const hf_comparison *c, const char *folder)
{
    for (int k = -1; k < first_of(c)->n_columns; k++)
        HF_TRY(write_bars(c, folder, k));
    for (int m = 0; first_of(c)->target.n_classes && m < c->n_methods; m++) {
        HF_TRY(write_confusion(c, folder, m, false));
        HF_TRY(write_confusion(c, folder, m, true));
        HF_TRY(write_reliability(c, folder, m));
    }
    return HF_OK;
}
