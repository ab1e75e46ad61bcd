/* results.c: how good the predictions are: the goal's metrics for all and for each group with intervals, beside what guessing
 * would give, because an error means little without; the same as bars; predicted against true. What only classes have is in
 * classes.c. */
#include "html.h"
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *unit_of(const hf_report_data *data, const hf_metric *metric)
{
    return metric->unit == HF_UNIT_TARGET ? data->predictions->target.unit : "";
}

/* ---- key figures ------------------------------------------------------------------------------------------------- */

static void add_figure(hf_text *out, double value, int digits, const char *unit, const char *caption)
{
    hf_text_add(out, "<div><b>");
    hf_html_number(out, value, digits);
    hf_text_add(out, "%s", isfinite(value) && unit[0] ? " " : "");
    hf_text_add_escaped(out, isfinite(value) ? unit : "");
    hf_text_add(out, "</b><span>");
    hf_text_add_escaped(out, caption);
    hf_text_add(out, "</span></div>\n");
}

void hf_report_figures(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    char caption[160];
    const hf_score_row *all = &scores->row[0];
    const hf_metric *select = scores->column[scores->select].metric;
    const hf_interval *best = &all->of[scores->select];
    const hf_goal *goal = data->predictions->target.goal;
    const int digits = select->unit == HF_UNIT_TARGET ? 2 : 3;
    hf_html_section(out, "figures", NULL);
    snprintf(caption, sizeof caption, "%s, test, %d subjects", select->title, all->count);
    add_figure(out, best->value, digits, unit_of(data, select), caption);
    hf_text_add(out, "<div><b>");
    hf_html_number(out, best->low, digits);
    hf_text_add(out, " " HF_DASH " ");
    hf_html_number(out, best->high, digits);
    hf_text_add(out, "</b><span>its 95 %% interval</span></div>\n");
    for (int b = 0; b < scores->n_baselines; b++) {
        snprintf(caption, sizeof caption, "guessing by the %s", goal->baselines[b]);
        add_figure(out, all->baseline[b][scores->select], digits, unit_of(data, select), caption);
    }
    hf_text_add(out, "</section>\n");
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int digits_of(const hf_metric *metric)
{
    return metric->unit == HF_UNIT_NONE ? 3 : 2;
}

static void add_header(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    hf_text_add(out, "<tr><th>subjects</th><th>n</th>");
    for (int c = 0; c < scores->n_columns; c++) {
        const char *unit = unit_of(data, scores->column[c].metric);
        hf_text_add(out, "<th>");
        hf_text_add_escaped(out, scores->column[c].label);
        hf_text_add(out, "%s", unit[0] ? ", " : "");
        hf_text_add_escaped(out, unit);
        hf_text_add(out, "</th>");
    }
    for (int b = 0; b < scores->n_baselines; b++)
        hf_text_add(out, "<th>%s of the %s</th>", scores->column[scores->select].metric->label,
                    data->predictions->target.goal->baselines[b]);
    hf_text_add(out, "</tr>\n");
}

static void add_row(hf_text *out, const hf_scores *scores, const hf_score_row *row)
{
    hf_text_add(out, "<tr%s><td>", row->column ? "" : " class=\"all\"");
    if (row->column) {
        hf_text_add_escaped(out, row->column);
        hf_text_add(out, " ");
    }
    hf_text_add_escaped(out, row->column ? row->value : "all");
    hf_text_add(out, "</td><td>%d</td>", row->count);
    for (int c = 0; c < scores->n_columns; c++) {
        hf_text_add(out, "<td>");
        hf_html_interval(out, &row->of[c], digits_of(scores->column[c].metric));
        hf_text_add(out, "</td>");
    }
    for (int b = 0; b < scores->n_baselines; b++) {
        hf_text_add(out, "<td>");
        hf_html_number(out, row->baseline[b][scores->select], digits_of(scores->column[scores->select].metric));
        hf_text_add(out, "</td>");
    }
    hf_text_add(out, "</tr>\n");
}

static void add_table(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    const int64_t resamples = data->predictions->bootstrap.resamples;
    hf_html_section(out, NULL, "Test results");
    hf_text_add(out, "<div class=\"scroll\"><table>\n");
    add_header(out, data, scores);
    for (int i = 0; i < scores->n_rows; i++)
        add_row(out, scores, &scores->row[i]);
    hf_text_add(out, "</table></div>\n<p class=\"note\">");
    const hf_metric *said = NULL; /* the classes of one metric stand side by side */
    for (int c = 0; c < scores->n_columns; c++) {
        const hf_metric *metric = scores->column[c].metric;
        if (metric != said) hf_text_add(out, "%s: %s. ", metric->label, metric->title);
        said = metric;
    }
    hf_text_add(out,
                "In brackets 95 %% intervals: percentile bootstrap over subjects, %lld resamples.</p>\n</section>\n",
                (long long)(resamples ? resamples : 2000));
}

/* ---- bars -------------------------------------------------------------------------------------------------------- */

/* Metrics without a unit side by side, where the selecting one has none; else the selecting one, group by group. Returns how
 * many bars there are. */
static int fill_bars(hf_bar *bar, hf_text *names, const hf_scores *scores)
{
    const bool by_metric = scores->column[scores->select].metric->unit == HF_UNIT_NONE;
    const int count = by_metric ? scores->n_columns : scores->n_rows;
    int n = 0;
    for (int i = 0; i < count; i++) {
        const hf_score_row *row = &scores->row[by_metric ? 0 : i];
        const hf_interval *of = &row->of[by_metric ? i : scores->select];
        if (by_metric)
            hf_text_add(&names[n], "%s", scores->column[i].label);
        else
            hf_text_add(&names[n], "%s%s%s", row->column ? row->column : "", row->column ? " " : "",
                        row->value ? row->value : "all");
        bar[n] = (hf_bar){ names[n].data, of->value, of->low, of->high, by_metric ? 0 : i > 0 };
        n += names[n].data != NULL;
    }
    return n;
}

static hf_status add_bars(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    hf_status status;
    const hf_metric *select = scores->column[scores->select].metric;
    const size_t most = (size_t)(scores->n_columns > scores->n_rows ? scores->n_columns : scores->n_rows);
    char label[128];
    hf_bar *bar = NULL;
    hf_text *names = NULL;
    HF_TRY_OUT(hf_alloc(&bar, most, sizeof *bar, "bars"));
    HF_TRY_OUT(hf_alloc(&names, most, sizeof *names, "bars"));
    const char *unit = unit_of(data, select);
    snprintf(label, sizeof label, "%s%s%s", unit[0] ? select->label : "test subjects", unit[0] ? ", " : "", unit);
    hf_bars bars = { .title = "95 % intervals", .label = label, .digits = digits_of(select), .bar = bar };
    bars.count = fill_bars(bar, names, scores);
    hf_html_section(out, NULL, "Results and intervals");
    hf_bars_svg(out, &bars);
    hf_text_add(out, "</section>\n");
out:
    for (size_t i = 0; names && i < most; i++)
        hf_text_free(&names[i]);
    free(names);
    free(bar);
    return status;
}

/* ---- predicted against true -------------------------------------------------------------------------------------- */

/* The points of one value of the first group column (NULL: all); `label` gets texts owned by `texts`. */
static void fill_points(hf_series *s, const hf_predictions *p, const char *group, double *x, double *y,
                        const char **label, hf_text *texts)
{
    *s = (hf_series){ group ? group : "subjects", 0, x, y, label };
    for (int i = 0; i < p->count; i++) {
        const char *own = p->n_groups ? p->group[i * p->n_groups] : NULL;
        if (isnan(p->truth[i]) || (group && (!own || strcmp(own, group) != 0))) continue;
        hf_text_add(&texts[i], "%s: true %.1f, predicted %.1f", p->id[i], p->truth[i], p->predicted[i]);
        x[s->count] = p->truth[i];
        y[s->count] = p->predicted[i];
        label[s->count++] = texts[i].data;
    }
}

/* A series for each value of the first group column, as the scores have them; one for all when there are none. */
static int group_names(const char *name[HF_MAX_SERIES], const hf_scores *scores)
{
    int n = 0;
    for (int i = 1; i < scores->n_rows && n < HF_MAX_SERIES; i++)
        if (scores->row[i].column == scores->row[1].column) name[n++] = scores->row[i].value;
    if (n == 0) name[n++] = NULL;
    return n;
}

static hf_status add_scatter(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    hf_status status;
    const hf_predictions *p = data->predictions;
    const char *unit = p->target.unit, *comma = unit[0] ? ", " : "", *name[HF_MAX_SERIES] = { NULL };
    char x_label[128], y_label[128];
    double *xy = NULL; /* [2][count] */
    const char **label = NULL;
    hf_text *texts = NULL;
    size_t n = (size_t)p->count, used = 0;
    snprintf(x_label, sizeof x_label, "true %s%s%s", p->target.column, comma, unit);
    snprintf(y_label, sizeof y_label, "predicted %s%s%s", p->target.column, comma, unit);
    hf_plot plot = { .title = "Predicted against true",
                     .x_label = x_label,
                     .y_label = y_label,
                     .points = true,
                     .diagonal = true,
                     .n_series = group_names(name, scores) };
    HF_TRY_OUT(hf_alloc(&xy, 2 * n, sizeof *xy, "points"));
    HF_TRY_OUT(hf_alloc(&label, n, sizeof *label, "points"));
    HF_TRY_OUT(hf_alloc(&texts, n, sizeof *texts, "points"));
    for (int g = 0; g < plot.n_series; g++) {
        fill_points(&plot.series[g], p, name[g], xy + used, xy + n + used, label + used, texts);
        used += (size_t)plot.series[g].count;
    }
    hf_html_section(out, NULL, "Predicted against true");
    hf_plot_svg(out, &plot);
    hf_text_add(out, "<p class=\"note\">On the dashed line predictions are exact.</p>\n</section>\n");
out:
    for (size_t i = 0; texts && i < n; i++)
        hf_text_free(&texts[i]);
    free(texts);
    free(label);
    free(xy);
    return status;
}

hf_status hf_report_results(hf_text *out, const hf_report_data *data, const hf_scores *scores)
{
    const unsigned sections = data->predictions->target.goal->sections;
    add_table(out, data, scores);
    HF_TRY(add_bars(out, data, scores));
    if (sections & HF_SHOW_CONFUSION) HF_TRY(hf_report_classes(out, data));
    if (sections & HF_SHOW_SURVIVAL) HF_TRY(hf_report_survival(out, data->predictions));
    if (sections & HF_SHOW_SCATTER) HF_TRY(add_scatter(out, data, scores));
    return HF_OK;
}
