/* page.c: a run as one HTML page.
 *
 * The page is written front to back, one function a section, into a growing text that is checked once at the end. It is
 * well-formed XML too, so that a test can prove that nothing in a subject's id or a recipe broke out of its place. What is
 * said about predictions is in results.c. */
#include "report.h"

#include "html.h"
#include "plot.h"
#include "slice.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- warnings, learning curves ------------------------------------------------------------------------------------- */

static void add_warnings(hf_text *out, const hf_report_data *data)
{
    if (data->n_warnings == 0) return;
    hf_html_section(out, "warn", "Warnings");
    hf_text_add(out, "<ul>\n");
    for (int i = 0; i < data->n_warnings; i++) {
        hf_text_add(out, "<li>");
        hf_text_add_escaped(out, data->warnings[i]);
        hf_text_add(out, "</li>\n");
    }
    hf_text_add(out, "</ul>\n</section>\n");
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
    double *memory; /* [4][n]: epochs, then three curves */
    size_t n = (size_t)data->n_epochs;
    HF_TRY(hf_alloc(&memory, n * 4, sizeof *memory, "learning curves"));
    for (size_t i = 0; i < n; i++)
        memory[i] = data->epochs[i].epoch;
    const hf_metric *select = data->target ? hf_metric_find(data->target->goal->select) : NULL;
    char title[128], label[128];
    snprintf(title, sizeof title, "%s by epoch", select ? select->title : "metric");
    title[0] = (char)toupper((unsigned char)title[0]);
    snprintf(label, sizeof label, "%s%s%s", select ? select->label : "",
             select && select->unit == HF_UNIT_TARGET && data->target->unit[0] ? ", " : "",
             select && select->unit == HF_UNIT_TARGET ? data->target->unit : "");
    hf_plot plots[2] = {
        { .title = "Loss by epoch", .x_label = "epoch", .y_label = "loss", .log_y = true, .n_series = 2 },
        { .title = title, .x_label = "epoch", .y_label = label, .n_series = 1 }
    };
    plots[0].series[0] = curve(data, "training", memory, memory + n, offsetof(hf_epoch_row, train_loss));
    plots[0].series[1] = curve(data, "validation", memory, memory + 2 * n, offsetof(hf_epoch_row, valid_loss));
    plots[1].series[0] = curve(data, "validation", memory, memory + 3 * n, offsetof(hf_epoch_row, valid));
    plots[1].log_y = select && select->better == HF_LOWER;
    hf_html_section(out, NULL, "Learning curves");
    hf_text_add(out, "<div class=\"pair\">\n");
    for (int i = 0; i < 2; i++) {
        plots[i].integer_x = true;
        if (i == 0 && !any_finite(&plots[0].series[1])) plots[0].n_series = 1;
        if (any_finite(&plots[i].series[0]) || plots[i].n_series == 2) hf_plot_svg(out, &plots[i]);
    }
    hf_text_add(out, "</div>\n");
    if (data->best_epoch >= 0)
        hf_text_add(out, "<p class=\"note\">The parameters of epoch %d were kept.</p>\n", data->best_epoch);
    hf_text_add(out, "</section>\n");
    free(memory);
    return HF_OK;
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static hf_status add_slice(hf_text *out, const hf_report_image *image, hf_plane plane, int share)
{
    static const char *const names[] = { [HF_AXIAL] = "axial", [HF_CORONAL] = "coronal", [HF_SAGITTAL] = "sagittal" };
    static const int axes[][2] = { [HF_AXIAL] = { 0, 1 }, [HF_CORONAL] = { 0, 2 }, [HF_SAGITTAL] = { 1, 2 } };
    unsigned char *pixels;
    int width, height;
    char alt[32], style[64];
    hf_text png = { 0 };
    HF_TRY(hf_slice_pixels(&pixels, &width, &height, image->volume, image->shape, plane));
    hf_status status = hf_png_encode(&png, pixels, width, height);
    free(pixels);
    if (status != HF_OK) goto out;
    double right = image->spacing[axes[plane][0]], up = image->spacing[axes[plane][1]];
    if (!(right > 0) || !(up > 0)) right = up = 1;
    snprintf(alt, sizeof alt, "%s slice", names[plane]);
    snprintf(style, sizeof style, "style=\"flex:%d 1 0;aspect-ratio:%.4f\"", share, width * right / (height * up));
    hf_html_png(out, &png, alt, style);
out:
    hf_text_free(&png);
    return status;
}

static void add_caption(hf_text *out, const hf_report_data *data, const hf_report_image *image)
{
    hf_text_add(out, "<figcaption><b>");
    const hf_predictions *p = data->predictions;
    const hf_target *t = &p->target;
    hf_text words = { 0 };
    hf_text_add_escaped(out, p->id[image->subject]);
    hf_text_add(out, "</b> <span>");
    hf_text_add_escaped(out, image->note ? image->note : "");
    hf_text_add(&words, "%strue ", image->note ? "; " : "");
    t->goal->truth_words(&words, t, p->truth + image->subject * t->T);
    hf_text_add(&words, ", predicted ");
    t->goal->words(&words, t, p->predicted + image->subject * t->P);
    hf_text_add_escaped(out, words.data ? words.data : "");
    hf_text_free(&words);
    hf_text_add(out, "</span></figcaption>\n");
}

static hf_status add_images(hf_text *out, const hf_report_data *data)
{
    if (data->n_images == 0 || !data->predictions) return HF_OK;
    hf_html_section(out, NULL, "Best and worst");
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

static void add_making(hf_text *out, const hf_report_data *data)
{
    if (data->device || data->n_facts) {
        hf_html_section(out, NULL, "How it was made");
        hf_text_add(out, "<dl>\n");
        if (data->device) hf_html_fact(out, "device", data->device);
        for (int i = 0; i < data->n_facts; i++)
            hf_html_fact(out, data->facts[i][0], data->facts[i][1]);
        hf_text_add(out, "</dl>\n</section>\n");
    }
    if (!data->recipe) return;
    hf_text_add(out, "<section><details open=\"open\"><summary>Recipe</summary><pre>");
    hf_text_add_escaped(out, data->recipe);
    hf_text_add(out, "</pre></details></section>\n");
}

static hf_status add_predictions(hf_text *out, const hf_report_data *data)
{
    hf_status status = HF_OK;
    hf_scores scores = { 0 };
    if (data->predictions) HF_TRY(hf_scores_make(&scores, data->predictions));
    if (data->predictions) hf_report_figures(out, data, &scores);
    HF_TRY_OUT(add_curves(out, data));
    if (data->predictions) HF_TRY_OUT(hf_report_results(out, data, &scores));
    status = add_images(out, data);
out:
    hf_scores_free(&scores);
    return status;
}

static hf_status add_page(hf_text *out, const hf_report_data *data)
{
    hf_html_head(out, data->title, data->subtitle);
    add_warnings(out, data);
    HF_TRY(add_predictions(out, data));
    add_making(out, data);
    hf_html_foot(out);
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
    if (status == HF_OK) status = hf_report_pictures(data, path);
    if (status == HF_OK) status = hf_file_write(path, page.data, page.size); /* the last: who has the page has all */
    hf_text_free(&page);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "report '%s'", path);
}
