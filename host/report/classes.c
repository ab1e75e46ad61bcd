/* classes.c: what a report shows of classes: who was taken for what, and how well probabilities are calibrated. */
#include "html.h"
#include "matrix.h"
#include "metrics/calibration.h"
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct confusion {
    int n;
    const char *name[HF_MAX_CLASSES];
    double count[HF_MAX_CLASSES * HF_MAX_CLASSES], share[HF_MAX_CLASSES * HF_MAX_CLASSES]; /* [n,n] */
} confusion;

static void fill(confusion *out, const hf_target *t, int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES])
{
    out->n = t->n_classes;
    for (int row = 0; row < out->n; row++) {
        double sum = 0;
        out->name[row] = t->class_name[row];
        for (int k = 0; k < out->n; k++)
            sum += (double)counts[row][k];
        for (int k = 0; k < out->n; k++) {
            out->count[row * out->n + k] = (double)counts[row][k];
            out->share[row * out->n + k] = sum > 0 ? (double)counts[row][k] / sum : NAN;
        }
    }
}

static hf_status count(confusion *out, const hf_predictions *p)
{
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    const hf_scored s = hf_predictions_scored(p);
    int *index, n;
    HF_TRY(hf_alloc(&index, (size_t)p->count, sizeof *index, "subjects"));
    const hf_status status = hf_predictions_known(index, &n, p);
    if (status == HF_OK) hf_confusion(counts, &s, index, n);
    if (status == HF_OK) fill(out, &p->target, counts);
    free(index);
    return status;
}

/* ---- who was taken for what -------------------------------------------------------------------------------------- */

static void add_table(hf_text *out, const confusion *c, const double *value, int digits)
{
    hf_text_add(out, "<div class=\"scroll\"><table>\n<tr><th>true</th>");
    for (int k = 0; k < c->n; k++) {
        hf_text_add(out, "<th>predicted ");
        hf_text_add_escaped(out, c->name[k]);
        hf_text_add(out, "</th>");
    }
    hf_text_add(out, "</tr>\n");
    for (int row = 0; row < c->n; row++) {
        hf_text_add(out, "<tr><td>");
        hf_text_add_escaped(out, c->name[row]);
        hf_text_add(out, "</td>");
        for (int k = 0; k < c->n; k++) {
            hf_text_add(out, "<td>");
            hf_html_number(out, value[row * c->n + k], digits);
            hf_text_add(out, "</td>");
        }
        hf_text_add(out, "</tr>\n");
    }
    hf_text_add(out, "</table></div>\n");
}

static hf_matrix matrix_of(const confusion *c, bool shares)
{
    return (hf_matrix){ c->n, c->name, shares ? c->share : c->count, .full = shares ? 1 : 0, .digits = shares ? 3 : 0 };
}

static hf_status add_confusion(hf_text *out, const confusion *c)
{
    hf_html_section(out, NULL, "Confusion matrix");
    hf_text_add(out, "<div class=\"pair\">\n");
    add_table(out, c, c->count, 0);
    add_table(out, c, c->share, 3);
    const hf_matrix counts = matrix_of(c, false), shares = matrix_of(c, true);
    HF_TRY(hf_matrix_html(out, &counts, "subjects"));
    HF_TRY(hf_matrix_html(out, &shares, "shares"));
    hf_text_add(out,
                "</div>\n<p class=\"note\">Subjects, and shares of the subjects of a class: on the diagonal is its "
                "recall.</p>\n</section>\n");
    return HF_OK;
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

void hf_reliability_svg(hf_text *out, const hf_calibration *calibration, const char *name)
{
    double x[HF_CALIBRATION_BINS], y[HF_CALIBRATION_BINS];
    char text[HF_CALIBRATION_BINS][96];
    const char *label[HF_CALIBRATION_BINS];
    int n = 0;
    for (int b = 0; b < HF_CALIBRATION_BINS; b++) {
        const hf_calibration_bin *bin = &calibration->bin[b];
        if (bin->count == 0) continue;
        x[n] = bin->confidence;
        y[n] = bin->accuracy;
        snprintf(text[n], sizeof text[n], "%d subjects: confidence %.3f, accuracy %.3f", bin->count, x[n], y[n]);
        label[n] = text[n];
        n++;
    }
    const hf_plot plot = { .title = "Reliability",
                           .x_label = "probability of the predicted class",
                           .y_label = "share of them that are right",
                           .diagonal = true,
                           .n_series = 1,
                           .series = { { name, n, x, y, label } } };
    hf_plot_svg(out, &plot);
}

static hf_status add_figure(hf_text *out, const char *metric, const hf_scored *s, const int *index, int n,
                            const hf_bootstrap *bootstrap)
{
    hf_interval found;
    const hf_metric *row = hf_metric_find(metric);
    HF_TRY(hf_metric_interval(&found, row, 0, s, index, n, bootstrap));
    hf_text_add(out, "<dt>%s, %s</dt><dd>", row->label, row->title);
    hf_html_interval(out, &found, row->digits);
    hf_text_add(out, "</dd>\n");
    return HF_OK;
}

static hf_status add_calibration(hf_text *out, const hf_predictions *p, const int *index, int n)
{
    hf_calibration calibration;
    const hf_scored s = hf_predictions_scored(p);
    HF_TRY(hf_calibration_of(&calibration, &s, index, n));
    hf_html_section(out, NULL, "Calibration");
    hf_reliability_svg(out, &calibration, "test subjects");
    hf_text_add(out, "<dl>\n");
    HF_TRY(add_figure(out, "ece", &s, index, n, &p->bootstrap));
    HF_TRY(add_figure(out, "brier", &s, index, n, &p->bootstrap));
    hf_text_add(
        out,
        "</dl>\n<p class=\"note\">Subjects in %d bins by the probability of the class they were taken for; on the "
        "dashed line it is as often right as it says.</p>\n</section>\n",
        (int)HF_CALIBRATION_BINS);
    return HF_OK;
}

hf_status hf_report_classes(hf_text *out, const hf_report_data *data)
{
    const hf_predictions *p = data->predictions;
    confusion c;
    int *index, n;
    HF_TRY(count(&c, p));
    HF_TRY(add_confusion(out, &c));
    HF_TRY(hf_alloc(&index, (size_t)p->count, sizeof *index, "subjects"));
    hf_status status = hf_predictions_known(index, &n, p);
    if (status == HF_OK) status = add_calibration(out, p, index, n);
    free(index);
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static hf_status write_picture(const confusion *c, bool shares, const char *path)
{
    const char *slash = strrchr(path, '/'), *point = strrchr(path, '.');
    const int stem = point && (!slash || point > slash + 1) ? (int)(point - path) : (int)strlen(path);
    hf_text png = { 0 }, name = { 0 };
    hf_text_add(&name, "%.*s-confusion%s.png", stem, path, shares ? "-shares" : "");
    hf_status status = hf_text_check(&name);
    const hf_matrix matrix = matrix_of(c, shares);
    if (status == HF_OK) status = hf_matrix_png(&png, &matrix);
    if (status == HF_OK) status = hf_file_write(name.data, png.data, png.size);
    hf_text_free(&png);
    hf_text_free(&name);
    return status;
}

hf_status hf_report_pictures(const hf_report_data *data, const char *path)
{
    confusion c;
    if (!data->predictions || !(data->predictions->target.goal->sections & HF_SHOW_CONFUSION)) return HF_OK;
    HF_TRY(count(&c, data->predictions));
    HF_TRY(write_picture(&c, false, path));
    return write_picture(&c, true, path);
}
