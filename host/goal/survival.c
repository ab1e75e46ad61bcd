/* survival.c: the time until an event, which some subjects have not had yet when they are last seen (censored): Cox's
 * proportional hazards.
 *
 * The truth is (time, event): the event came at that time (1), or had not come by then (0). The network gives one number,
 * the logarithm of a subject's hazard over that of an unnamed other; only differences between subjects mean something. The
 * loss is the negative partial likelihood of the batch, so it compares those who are in one batch: larger ones say more.
 * A batch without an event teaches nothing and counts as 0. Source: Cox (1972); ties by Efron (1977) or Breslow (1974). */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIME, EVENT, T };

static hf_status set(hf_target *t, const hf_recipe *recipe)
{
    t->outputs = t->P = 1;
    t->T = T;
    if (recipe->goal.classes.count || recipe->goal.merge.count || recipe->goal.collapse.count)
        return hf_fail(HF_ERR_ARGUMENT,
                       "goal survival has no classes: goal.classes, goal.merge and goal.collapse do not go with it");
    if (recipe->train.class_weights.count || recipe->train.oversample)
        return hf_fail(HF_ERR_ARGUMENT, "goal survival has no classes: train.class_weights and train.oversample do not "
                                        "go with it");
    if (!recipe->goal.event[0])
        return hf_fail(HF_ERR_ARGUMENT,
                       "goal survival: goal.event is empty: the column is expected that says 1 where the "
                       "event came at the time of cohort.target, and 0 where it had not come by then");
    if (strcmp(recipe->goal.event, t->column) == 0 || strlen(recipe->goal.event) >= sizeof t->event)
        return hf_fail(HF_ERR_ARGUMENT, "goal.event: found '%.80s', expected another column than cohort.target",
                       recipe->goal.event);
    snprintf(t->event, sizeof t->event, "%s", recipe->goal.event);
    snprintf(t->unit, sizeof t->unit, "%.31s", recipe->goal.unit);
    return HF_OK;
}

/* ---- truth ------------------------------------------------------------------------------------------------------- */

static hf_status parse(double *truth, const hf_target *t, const hf_table *table, int row, int column)
{
    const int event = hf_table_column(table, t->event);
    if (event < 0) return hf_fail(HF_ERR_ARGUMENT, "'%s' has no column '%s' (goal.event)", table->path, t->event);
    truth[TIME] = truth[EVENT] = NAN;
    double time, came;
    HF_TRY(hf_table_number(&time, table, row, column));
    HF_TRY(hf_table_number(&came, table, row, event));
    if (time < 0)
        return hf_fail(HF_ERR_ARGUMENT, "'%s' line %d, column '%s': %g, expected a time of at least 0", table->path,
                       table->line[row], t->column, time);
    if (!isnan(came) && came != 0 && came != 1)
        return hf_fail(HF_ERR_FORMAT, "'%s' line %d, column '%s': %g, expected 1 (event) or 0 (none until then)",
                       table->path, table->line[row], t->event, came);
    if (isnan(time) || isnan(came)) return HF_OK;
    truth[TIME] = time;
    truth[EVENT] = came;
    return HF_OK;
}

static hf_status learn(hf_target *t, const double *truth, int count)
{
    double events = 0;
    for (int i = 0; i < count; i++)
        events += truth[i * T + EVENT];
    if (events == 0)
        return hf_fail(HF_ERR_ARGUMENT, "none of the %d training subjects has had the event (column '%s' is 0)", count,
                       t->event);
    t->baseline[0][0] = 0;
    return HF_OK;
}

static void identity(double *predicted, const float *output, const hf_target *t)
{
    (void)t;
    *predicted = *output;
}

static void back(float *output, const double *predicted, const hf_target *t)
{
    (void)t;
    *output = (float)*predicted;
}

/* All alike. */
static void start(float *bias, const hf_target *t)
{
    (void)t;
    *bias = 0;
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

static hf_node *build(hf_node *output, bool efron)
{
    hf_graph *graph = hf_node_graph(output);
    const int64_t n = hf_dim(output, 0);
    hf_node *time = hf_input(graph, "time", HF_SHAPE(n)), *event = hf_input_labels(graph, "event", HF_SHAPE(n));
    return hf_cox(output, time, event, efron);
}

static hf_node *build_efron(hf_node *output, const hf_target *t)
{
    (void)t;
    return build(output, true);
}

static hf_node *build_breslow(hf_node *output, const hf_target *t)
{
    (void)t;
    return build(output, false);
}

static hf_status feed(hf_plan *plan, const hf_target *t, const float *truth, int count)
{
    hf_status status;
    float *time = NULL;
    int32_t *event = NULL;
    (void)t;
    HF_TRY_OUT(hf_alloc(&time, (size_t)count, sizeof *time, "times"));
    HF_TRY_OUT(hf_alloc(&event, (size_t)count, sizeof *event, "events"));
    for (int i = 0; i < count; i++) {
        time[i] = truth[i * T + TIME];
        event[i] = (int32_t)truth[i * T + EVENT];
    }
    HF_TRY_OUT(hf_plan_set(plan, "time", time, count));
    status = hf_plan_set(plan, "event", event, count);
out:
    free(time);
    free(event);
    return status;
}

typedef struct subject {
    double time, x;
    bool event;
} subject;

/* From the latest to the earliest; those of one time by x, so that sums are made in one order. */
static int by_time(const void *a, const void *b)
{
    const subject *p = a, *q = b;
    if (p->time != q->time) return p->time < q->time ? 1 : -1;
    if (p->event != q->event) return p->event - q->event;
    return (p->x > q->x) - (p->x < q->x);
}

/* A sum of exponentials, exp(greatest) taken out. */
typedef struct sum {
    double greatest, rest;
} sum;

static void add(sum *s, double x)
{
    if (x > s->greatest) {
        s->rest = s->rest * exp(s->greatest - x) + 1;
        s->greatest = x;
    } else {
        s->rest += exp(x - s->greatest);
    }
}

/* What the events among first[n], all at one time, add to the loss; `at_risk` are they and all later ones. */
static double terms(const subject *first, int n, const sum *at_risk, bool efron, int *events)
{
    double tied = 0, loss = 0;
    int d = 0, l = 0;
    for (int i = 0; i < n; i++)
        if (first[i].event) tied += exp(first[i].x - at_risk->greatest), d++;
    for (int i = 0; i < n; i++) {
        if (!first[i].event) continue;
        const double left = at_risk->rest - (efron ? tied * l++ / d : 0);
        loss += log(left) + at_risk->greatest - first[i].x;
    }
    *events += d;
    return loss;
}

static double cox(const float *output, const float *truth, int count, bool efron)
{
    subject *s;
    sum at_risk = { -INFINITY, 0 };
    double loss = 0;
    int events = 0;
    if (hf_alloc(&s, (size_t)count, sizeof *s, "a loss") != HF_OK) return NAN;
    for (int i = 0; i < count; i++)
        s[i] = (subject){ truth[i * T + TIME], output[i], truth[i * T + EVENT] == 1 };
    qsort(s, (size_t)count, sizeof *s, by_time);
    for (int first = 0, end; first < count; first = end) {
        for (end = first; end < count && s[end].time == s[first].time; end++)
            add(&at_risk, s[end].x);
        loss += terms(s + first, end - first, &at_risk, efron, &events);
    }
    free(s);
    return events ? loss / events : 0;
}

static double efron(const hf_target *t, const float *output, const float *truth, int count)
{
    (void)t;
    return cox(output, truth, count, true);
}

static double breslow(const hf_target *t, const float *output, const float *truth, int count)
{
    (void)t;
    return cox(output, truth, count, false);
}

static const hf_loss losses[] = {
    { "cox", build_efron, feed, efron },
    { "cox-breslow", build_breslow, feed, breslow },
    { 0 },
};

/* ---- on paper ---------------------------------------------------------------------------------------------------- */

static void columns(hf_text *out, const hf_target *t)
{
    hf_text_add(out, "%s\t%s\tpredicted", t->column, t->event);
}

static void cells(hf_text *out, const hf_target *t, const double *truth, const double *predicted)
{
    (void)t;
    hf_add_number(out, truth[TIME]);
    hf_text_add(out, "\t");
    hf_add_number(out, truth[EVENT]);
    hf_text_add(out, "\t");
    hf_add_single(out, *predicted);
}

static hf_status read(double *truth, double *predicted, const hf_target *t, const hf_table *table, int row)
{
    const int time = hf_table_column(table, t->column), column = hf_table_column(table, "predicted");
    if (time < 0 || column < 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': the columns %s, %s and predicted are expected", table->path, t->column,
                       t->event);
    HF_TRY(parse(truth, t, table, row, time));
    HF_TRY(hf_table_number(predicted, table, row, column));
    *predicted = (float)*predicted; /* as it was before it became text */
    return HF_OK;
}

static void say(hf_text *out, const hf_target *t, const double *predicted)
{
    (void)t;
    hf_text_add(out, "%.7g\n", *predicted);
}

static void words(hf_text *out, const hf_target *t, const double *predicted)
{
    (void)t;
    hf_text_add(out, "log hazard %.2f", *predicted);
}

static void truth_words(hf_text *out, const hf_target *t, const double *truth)
{
    hf_text_add(out, "%s %.1f%s%s", truth[EVENT] == 1 ? "event at" : "none until", truth[TIME], t->unit[0] ? " " : "",
                t->unit);
}

const hf_goal hf_goal_survival = {
    .name = "survival",
    .about = "the time until an event",
    .losses = losses,
    .metrics = "c_index",
    .select = "c_index",
    .baselines = { "toss of a coin" },
    .sections = HF_SHOW_SURVIVAL,
    .set = set,
    .parse = parse,
    .learn = learn,
    .link = identity,
    .unlink = back,
    .start = start,
    .columns = columns,
    .cells = cells,
    .read = read,
    .say = say,
    .words = words,
    .truth_words = truth_words,
};
