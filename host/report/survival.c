/* survival.c: times until an event as curves: the subjects in halves by predicted risk, and for each half the share that is
 * still without the event by time (Kaplan and Meier 1958). */
#include "html.h"
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int by_risk(const void *a, const void *b)
{
    const hf_survivor *x = a, *y = b;
    return (x->risk > y->risk) - (x->risk < y->risk);
}

static int by_time(const void *a, const void *b)
{
    const hf_survivor *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

hf_series hf_kaplan_meier(const char *name, hf_survivor *of, int n, double *x, double *y)
{
    double share = 1;
    int count = 0;
    qsort(of, (size_t)n, sizeof *of, by_time);
    x[count] = 0, y[count++] = share;
    for (int first = 0, end; first < n; first = end) {
        double events = 0;
        for (end = first; end < n && of[end].time == of[first].time; end++)
            events += of[end].event;
        x[count] = of[first].time, y[count++] = share;
        share *= 1 - events / (n - first);
        x[count] = of[first].time, y[count++] = share;
    }
    return (hf_series){ .name = name, .count = count, .x = x, .y = y };
}

/* Subjects with a truth, from the lowest risk to the highest; returns how many. */
static int gather(hf_survivor *out, const hf_predictions *p)
{
    int n = 0;
    for (int i = 0; i < p->count; i++) {
        const double *truth = p->truth + i * p->target.T;
        if (!isnan(truth[0])) out[n++] = (hf_survivor){ truth[0], truth[1], p->predicted[i * p->target.P] };
    }
    qsort(out, (size_t)n, sizeof *out, by_risk);
    return n;
}

static void add_plot(hf_text *out, const hf_target *t, hf_survivor *of, int n, double *room)
{
    char label[160];
    const int low = n / 2, points = 2 * n + 2;
    snprintf(label, sizeof label, "%s%s%s", t->column, t->unit[0] ? ", " : "", t->unit);
    const hf_plot plot = { .title = "Without the event",
                           .x_label = label,
                           .y_label = "share of subjects",
                           .n_series = 2,
                           .series = { hf_kaplan_meier("lower risk", of, low, room, room + points),
                                       hf_kaplan_meier("higher risk", of + low, n - low, room + 2 * points,
                                                       room + 3 * points) } };
    hf_html_section(out, NULL, "Who is without the event");
    hf_plot_svg(out, &plot);
    hf_text_add(
        out,
        "<p class=\"note\">Kaplan-Meier curves of the %d subjects of lower and the %d of higher predicted risk, "
        "parted at the median of the test subjects.</p>\n</section>\n",
        low, n - low);
}

hf_status hf_report_survival(hf_text *out, const hf_predictions *predictions)
{
    hf_status status;
    const size_t count = (size_t)predictions->count;
    hf_survivor *of = NULL;
    double *room = NULL; /* [4][2 count + 2]: points of two curves */
    HF_TRY_OUT(hf_alloc(&of, count, sizeof *of, "subjects"));
    HF_TRY_OUT(hf_alloc(&room, 4 * (2 * count + 2), sizeof *room, "points"));
    const int n = gather(of, predictions);
    if (n > 1) add_plot(out, &predictions->target, of, n, room);
out:
    free(of);
    free(room);
    return status;
}
