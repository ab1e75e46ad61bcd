/* page.c: a run as one HTML page.
 *
 * The page is written front to back, one function a section, into a growing text that is checked once at the end. It is
 * well-formed XML too, so that a test can prove that nothing in a subject's id or a recipe broke out of its place. Errors
 * are those of metrics.h; predicting the training mean or median is always shown beside them, because an error means
 * little without what guessing would give. */
#include "report.h"

#include "metrics/metrics.h"
#include "plot.h"
#include "style.h"
#include "slice.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUS "\xe2\x88\x92"
#define DASH  "\xe2\x80\x93"

/* ---- small pieces ------------------------------------------------------------------------------------------------ */

static void add_number(hf_text *out, double value, int digits)
{
    if (!isfinite(value))
        hf_text_add(out, DASH);
    else
        hf_text_add(out, "%s%.*f", value < 0 ? MINUS : "", digits, fabs(value));
}

static void add_interval(hf_text *out, const hf_interval *interval)
{
    add_number(out, interval->value, 2);
    hf_text_add(out, " <small>(");
    add_number(out, interval->low, 2);
    hf_text_add(out, " to ");
    add_number(out, interval->high, 2);
    hf_text_add(out, ")</small>");
}

static void open_section(hf_text *out, const char *class, const char *heading)
{
    hf_text_add(out, "<section%s%s%s>\n", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
    if (heading) hf_text_add(out, "<h2>%s</h2>\n", heading);
}

static bool usable(const hf_prediction_row *row)
{
    return isfinite(row->actual) && isfinite(row->predicted) && row->part;
}

/* ---- predictions of one part ------------------------------------------------------------------------------------- */

enum { MAX_GROUPS = HF_MAX_SERIES };

/* The usable rows of one part as arrays, and the sexes among them in byte order. */
typedef struct part {
    const char *name;
    int count;
    double *actual, *predicted, *guess; /* [count]; guess is scratch */
    const char **sex;                   /* [count] NULL: not known */
    const char **id;                    /* [count] */
    int n_groups;
    const char *group[MAX_GROUPS];
} part;

static void part_free(part *p)
{
    free(p->actual);
    free(p->predicted);
    free(p->guess);
    free(p->sex);
    free(p->id);
}

/* Keeps the groups sorted; a fifth sex and further ones only count among all. */
static void note_group(part *p, const char *sex)
{
    int at = 0;
    while (at < p->n_groups && strcmp(p->group[at], sex) < 0)
        at++;
    if (at < p->n_groups && strcmp(p->group[at], sex) == 0) return;
    if (p->n_groups == MAX_GROUPS) return;
    memmove(&p->group[at + 1], &p->group[at], (size_t)(p->n_groups - at) * sizeof p->group[0]);
    p->group[at] = sex;
    p->n_groups++;
}

static hf_status collect_part(part *out, const hf_report_data *data, const char *name)
{
    size_t room = (size_t)data->n_predictions;
    *out = (part){ .name = name };
    HF_TRY(hf_alloc(&out->actual, room, sizeof *out->actual, "predictions"));
    HF_TRY(hf_alloc(&out->predicted, room, sizeof *out->predicted, "predictions"));
    HF_TRY(hf_alloc(&out->guess, room, sizeof *out->guess, "predictions"));
    HF_TRY(hf_alloc(&out->sex, room, sizeof *out->sex, "predictions"));
    HF_TRY(hf_alloc(&out->id, room, sizeof *out->id, "predictions"));
    for (int i = 0; i < data->n_predictions; i++) {
        const hf_prediction_row *row = &data->predictions[i];
        if (!usable(row) || strcmp(row->part, name) != 0) continue;
        out->actual[out->count] = row->actual;
        out->predicted[out->count] = row->predicted;
        out->sex[out->count] = row->sex;
        out->id[out->count++] = row->id ? row->id : "";
        if (row->sex) note_group(out, row->sex);
    }
    return HF_OK;
}

/* The part the page is about: test, else valid, else train. */
static hf_status main_part(part *out, const hf_report_data *data)
{
    static const char *const names[] = { "test", "valid", "train" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        part_free(out);
        HF_TRY(collect_part(out, data, names[i]));
        if (out->count) return HF_OK;
    }
    return HF_OK;
}

static hf_bootstrap resampling(const hf_report_data *data)
{
    return (hf_bootstrap){ data->bootstrap, data->seed };
}

/* The mean absolute error of saying `value` for everybody in a group (NULL: all); NaN when there is no such value. */
static double guess_error(part *p, const char *group, double value)
{
    int count = 0;
    for (int i = 0; i < p->count; i++)
        if (!group || (p->sex[i] && strcmp(p->sex[i], group) == 0)) p->guess[count++] = fabs(p->actual[i] - value);
    return hf_mean(p->guess, count);
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static void add_head(hf_text *out, const hf_report_data *data)
{
    hf_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
                     "<meta charset=\"utf-8\"/>\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
    hf_text_add_escaped(out, data->title);
    hf_text_add(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", hf_report_style);
    hf_text_add_escaped(out, data->title);
    hf_text_add(out, "</h1>\n");
    if (!data->subtitle) return;
    hf_text_add(out, "<p class=\"sub\">");
    hf_text_add_escaped(out, data->subtitle);
    hf_text_add(out, "</p>\n");
}

static void add_warnings(hf_text *out, const hf_report_data *data)
{
    if (data->n_warnings == 0) return;
    open_section(out, "warn", "Warnings");
    hf_text_add(out, "<ul>\n");
    for (int i = 0; i < data->n_warnings; i++) {
        hf_text_add(out, "<li>");
        hf_text_add_escaped(out, data->warnings[i]);
        hf_text_add(out, "</li>\n");
    }
    hf_text_add(out, "</ul>\n</section>\n");
}

static void add_figure(hf_text *out, double value, int digits, const char *unit, const char *caption)
{
    hf_text_add(out, "<div><b>");
    add_number(out, value, digits);
    hf_text_add(out, "%s</b><span>%s</span></div>\n", isfinite(value) ? unit : "", caption);
}

static void add_key_figures(hf_text *out, const hf_report_data *data, part *p, const hf_regression *all)
{
    char caption[128];
    open_section(out, "figures", NULL);
    snprintf(caption, sizeof caption, "mean absolute error, %s, %d subjects", p->name, p->count);
    add_figure(out, all->mae.value, 2, " years", caption);
    hf_text_add(out, "<div><b>%.2f " DASH " %.2f</b><span>its 95 %% interval</span></div>\n", all->mae.low,
                all->mae.high);
    add_figure(out, guess_error(p, NULL, data->train_median), 2, " years", "guessing the training median");
    add_figure(out, all->r, 3, "", "correlation of predicted and true age");
    hf_text_add(out, "</section>\n");
}

static void add_error_row(hf_text *out, const hf_report_data *data, part *p, const char *group, const hf_regression *m)
{
    hf_text_add(out, "<tr%s><td>%s", group ? "" : " class=\"all\"", p->name);
    hf_text_add(out, ", ");
    hf_text_add_escaped(out, group ? group : "all");
    hf_text_add(out, "</td><td>%d</td><td>", m->count);
    add_interval(out, &m->mae);
    hf_text_add(out, "</td><td>");
    add_number(out, guess_error(p, group, data->train_median), 2);
    hf_text_add(out, "</td><td>");
    add_number(out, guess_error(p, group, data->train_mean), 2);
    hf_text_add(out, "</td><td>");
    add_number(out, m->bias, 2);
    hf_text_add(out, "</td><td>");
    add_number(out, m->r, 3);
    hf_text_add(out, "</td></tr>\n");
}

static hf_status add_error_rows(hf_text *out, const hf_report_data *data, part *p)
{
    hf_bootstrap bootstrap = resampling(data);
    hf_regression all, group[MAX_GROUPS];
    if (p->count == 0) return HF_OK;
    HF_TRY(hf_regression_metrics(&all, p->actual, p->predicted, p->count, &bootstrap));
    HF_TRY(hf_regression_by_group(group, p->group, p->n_groups, p->actual, p->predicted, p->sex, p->count, &bootstrap));
    add_error_row(out, data, p, NULL, &all);
    for (int g = 0; g < p->n_groups; g++)
        add_error_row(out, data, p, p->group[g], &group[g]);
    return HF_OK;
}

static hf_status add_errors(hf_text *out, const hf_report_data *data)
{
    static const char *const names[] = { "test", "valid", "train" };
    open_section(out, NULL, "Errors");
    hf_text_add(out,
                "<div class=\"scroll\"><table>\n<tr><th>subjects</th><th>n</th><th>MAE, years (95 %% interval)</th>"
                "<th>MAE of the training median</th><th>of the training mean</th><th>bias</th><th>r</th></tr>\n");
    hf_status status = HF_OK;
    for (size_t i = 0; status == HF_OK && i < sizeof names / sizeof names[0]; i++) {
        part p;
        status = collect_part(&p, data, names[i]);
        if (status == HF_OK) status = add_error_rows(out, data, &p);
        part_free(&p);
    }
    hf_text_add(out,
                "</table></div>\n<p class=\"note\">MAE: mean absolute error. Bias: mean of predicted minus true. "
                "Intervals: percentile bootstrap over subjects, %lld resamples. Training median ",
                (long long)(data->bootstrap ? data->bootstrap : 2000));
    add_number(out, data->train_median, 1);
    hf_text_add(out, ", mean ");
    add_number(out, data->train_mean, 1);
    hf_text_add(out, " years.</p>\n</section>\n");
    return status;
}

/* One curve: epoch against one field of the rows. */
static hf_series curve(const hf_report_data *data, const char *name, const double *epoch, double *values, size_t field)
{
    for (int i = 0; i < data->n_epochs; i++)
        memcpy(&values[i], (const char *)&data->epochs[i] + field, sizeof values[i]);
    return (hf_series){ name, data->n_epochs, epoch, values, NULL };
}

static bool any_finite(const hf_series *s)
{
    for (int i = 0; i < s->count; i++)
        if (isfinite(s->y[i])) return true;
    return false;
}

static hf_status add_curves(hf_text *out, const hf_report_data *data)
{
    if (data->n_epochs == 0) return HF_OK;
    double *memory; /* [5][n]: epochs, then four curves */
    size_t n = (size_t)data->n_epochs;
    HF_TRY(hf_alloc(&memory, n * 5, sizeof *memory, "learning curves"));
    for (size_t i = 0; i < n; i++)
        memory[i] = data->epochs[i].epoch;
    hf_plot plots[2] = { { .title = "Loss by epoch", .x_label = "epoch", .y_label = "loss" },
                         { .title = "Mean absolute error by epoch", .x_label = "epoch", .y_label = "MAE, years" } };
    plots[0].series[0] = curve(data, "training", memory, memory + n, offsetof(hf_epoch_row, train_loss));
    plots[0].series[1] = curve(data, "validation", memory, memory + 2 * n, offsetof(hf_epoch_row, valid_loss));
    plots[1].series[0] = curve(data, "training", memory, memory + 3 * n, offsetof(hf_epoch_row, train_mae));
    plots[1].series[1] = curve(data, "validation", memory, memory + 4 * n, offsetof(hf_epoch_row, valid_mae));
    open_section(out, NULL, "Learning curves");
    hf_text_add(out, "<div class=\"pair\">\n");
    for (int i = 0; i < 2; i++) {
        plots[i].integer_x = plots[i].log_y = true;
        plots[i].n_series = any_finite(&plots[i].series[1]) ? 2 : 1;
        if (plots[i].n_series == 2 || any_finite(&plots[i].series[0])) hf_plot_svg(out, &plots[i]);
    }
    hf_text_add(out, "</div>\n");
    if (data->best_epoch >= 0)
        hf_text_add(out, "<p class=\"note\">The parameters of epoch %d were kept.</p>\n", data->best_epoch);
    hf_text_add(out, "</section>\n");
    free(memory);
    return HF_OK;
}

/* ---- predicted against true -------------------------------------------------------------------------------------- */

/* Points of one sex; `label` gets texts owned by `texts`. */
static void fill_points(hf_series *s, const part *p, const char *group, double *x, double *y, const char **label,
                        hf_text *texts)
{
    *s = (hf_series){ group ? group : "subjects", 0, x, y, label };
    for (int i = 0; i < p->count; i++) {
        bool inside = group ? p->sex[i] && strcmp(p->sex[i], group) == 0 : true;
        if (!inside) continue;
        hf_text_add(&texts[i], "%s: true %.1f, predicted %.1f", p->id[i], p->actual[i], p->predicted[i]);
        x[s->count] = p->actual[i];
        y[s->count] = p->predicted[i];
        label[s->count++] = texts[i].data;
    }
}

static hf_status add_scatter(hf_text *out, part *p)
{
    hf_status status;
    double *xy = NULL; /* [2][count] */
    const char **label = NULL;
    hf_text *texts = NULL;
    size_t n = (size_t)p->count, used = 0;
    hf_plot plot = { .title = "Predicted against true age",
                     .x_label = "true age, years",
                     .y_label = "predicted age, years",
                     .points = true,
                     .diagonal = true };
    HF_TRY_OUT(hf_alloc(&xy, 2 * n, sizeof *xy, "points"));
    HF_TRY_OUT(hf_alloc(&label, n, sizeof *label, "points"));
    HF_TRY_OUT(hf_alloc(&texts, n, sizeof *texts, "points"));
    plot.n_series = p->n_groups ? p->n_groups : 1;
    for (int g = 0; g < plot.n_series; g++) {
        fill_points(&plot.series[g], p, p->n_groups ? p->group[g] : NULL, xy + used, xy + n + used, label + used,
                    texts);
        used += (size_t)plot.series[g].count;
    }
    open_section(out, NULL, "Predicted against true age");
    hf_plot_svg(out, &plot);
    hf_text_add(out, "<p class=\"note\">Part: %s. On the dashed line predictions are exact.</p>\n</section>\n",
                p->name);
out:
    for (size_t i = 0; texts && i < n; i++)
        hf_text_free(&texts[i]);
    free(texts);
    free(label);
    free(xy);
    return status;
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static hf_status add_slice(hf_text *out, const hf_report_image *image, hf_plane plane, int share)
{
    static const char *const names[] = { [HF_AXIAL] = "axial", [HF_CORONAL] = "coronal", [HF_SAGITTAL] = "sagittal" };
    static const int axes[][2] = { [HF_AXIAL] = { 0, 1 }, [HF_CORONAL] = { 0, 2 }, [HF_SAGITTAL] = { 1, 2 } };
    unsigned char *pixels;
    int width, height;
    hf_text png = { 0 };
    HF_TRY(hf_slice_pixels(&pixels, &width, &height, image->volume, image->shape, plane));
    hf_status status = hf_png_encode(&png, pixels, width, height);
    free(pixels);
    if (status != HF_OK) goto out;
    double right = image->spacing[axes[plane][0]], up = image->spacing[axes[plane][1]];
    if (!(right > 0) || !(up > 0)) right = up = 1;
    hf_text_add(out, "<img alt=\"%s slice\" style=\"flex:%d 1 0;aspect-ratio:%.4f\" src=\"data:image/png;base64,",
                names[plane], share, width * right / (height * up));
    hf_text_add_base64(out, png.data, png.size);
    hf_text_add(out, "\"/>\n");
out:
    hf_text_free(&png);
    return status;
}

static void add_caption(hf_text *out, const hf_report_data *data, const hf_report_image *image)
{
    hf_text_add(out, "<figcaption><b>");
    hf_text_add_escaped(out, image->id);
    hf_text_add(out, "</b> <span>");
    hf_text_add_escaped(out, image->note ? image->note : "");
    for (int i = 0; i < data->n_predictions; i++) {
        const hf_prediction_row *row = &data->predictions[i];
        if (!row->id || strcmp(row->id, image->id) != 0 || !usable(row)) continue;
        hf_text_add(out, "%strue %.1f, predicted %.1f (", image->note ? "; " : "", row->actual, row->predicted);
        add_number(out, row->predicted - row->actual, 1);
        hf_text_add(out, ")");
        break;
    }
    hf_text_add(out, "</span></figcaption>\n");
}

static hf_status add_images(hf_text *out, const hf_report_data *data)
{
    if (data->n_images == 0) return HF_OK;
    open_section(out, NULL, "Best and worst");
    hf_text_add(out, "<div class=\"pair two\">\n");
    for (int i = 0; i < data->n_images; i++) {
        const hf_report_image *image = &data->images[i];
        /* Equal heights: each slice gets width in proportion to its extent to the right. */
        double mm = image->spacing[0] > 0 ? image->spacing[0] : 1, mm_h = image->spacing[1] > 0 ? image->spacing[1] : 1;
        double mm_w = image->spacing[2] > 0 ? image->spacing[2] : 1;
        double d = image->shape[0] * mm, h = image->shape[1] * mm_h, w = image->shape[2] * mm_w;
        hf_text_add(out, "<figure>");
        add_caption(out, data, image);
        hf_text_add(out, "<div class=\"slices\">\n");
        HF_TRY(add_slice(out, image, HF_AXIAL, (int)lround(1000 * d / h)));
        HF_TRY(add_slice(out, image, HF_CORONAL, (int)lround(1000 * d / w)));
        HF_TRY(add_slice(out, image, HF_SAGITTAL, (int)lround(1000 * h / w)));
        hf_text_add(out, "</div></figure>\n");
    }
    hf_text_add(out, "</div>\n<p class=\"note\">Middle slices of what the network sees: axial, coronal, sagittal. The "
                     "subject's left is on the left.</p>\n</section>\n");
    return HF_OK;
}

/* ---- how it was made --------------------------------------------------------------------------------------------- */

static void add_fact(hf_text *out, const char *name, const char *text)
{
    hf_text_add(out, "<dt>");
    hf_text_add_escaped(out, name);
    hf_text_add(out, "</dt><dd>");
    hf_text_add_escaped(out, text);
    hf_text_add(out, "</dd>\n");
}

static void add_making(hf_text *out, const hf_report_data *data)
{
    if (data->device || data->n_facts) {
        open_section(out, NULL, "How it was made");
        hf_text_add(out, "<dl>\n");
        if (data->device) add_fact(out, "device", data->device);
        for (int i = 0; i < data->n_facts; i++)
            add_fact(out, data->facts[i][0], data->facts[i][1]);
        hf_text_add(out, "</dl>\n</section>\n");
    }
    if (!data->recipe) return;
    hf_text_add(out, "<section><details open=\"open\"><summary>Recipe</summary><pre>");
    hf_text_add_escaped(out, data->recipe);
    hf_text_add(out, "</pre></details></section>\n");
}

static hf_status add_predictions(hf_text *out, const hf_report_data *data)
{
    hf_status status;
    part p = { 0 };
    hf_regression all;
    hf_bootstrap bootstrap = resampling(data);
    HF_TRY_OUT(main_part(&p, data));
    if (p.count) HF_TRY_OUT(hf_regression_metrics(&all, p.actual, p.predicted, p.count, &bootstrap));
    if (p.count) add_key_figures(out, data, &p, &all);
    HF_TRY_OUT(add_curves(out, data));
    if (p.count) HF_TRY_OUT(add_errors(out, data));
    if (p.count) HF_TRY_OUT(add_scatter(out, &p));
    status = add_images(out, data);
out:
    part_free(&p);
    return status;
}

static hf_status add_page(hf_text *out, const hf_report_data *data)
{
    add_head(out, data);
    add_warnings(out, data);
    HF_TRY(add_predictions(out, data));
    add_making(out, data);
    hf_text_add(out, "</main>\n</body>\n</html>\n");
    return hf_text_check(out);
}

/* Numbers are written with a decimal point whatever the caller's locale. */
hf_status hf_report_text(const hf_report_data *data, hf_text *out)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return hf_fail(HF_ERR_MEMORY, "no host memory for a locale");
    locale_t before = uselocale(plain);
    hf_status status = add_page(out, data);
    uselocale(before);
    freelocale(plain);
    return status;
}

hf_status hf_report_write(const hf_report_data *data, const char *path)
{
    hf_text page = { 0 };
    hf_status status = hf_report_text(data, &page);
    if (status == HF_OK) status = hf_file_write(path, page.data, page.size);
    hf_text_free(&page);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "report '%s'", path);
}
