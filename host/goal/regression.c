/* regression.c: one number a subject, such as years of age. Truth and prediction are in the units of the table. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static hf_status set(hf_target *t, const hf_recipe *recipe)
{
    t->outputs = t->P = 1;
    if (recipe->goal.classes.count || recipe->goal.merge.count || recipe->goal.collapse.count)
        return hf_fail(
            HF_ERR_ARGUMENT,
            "goal regression predicts a number: goal.classes, goal.merge and goal.collapse do not go with it");
    if (recipe->train.class_weights.count || recipe->train.oversample)
        return hf_fail(HF_ERR_ARGUMENT,
                       "goal regression has no classes: train.class_weights and train.oversample do not "
                       "go with it");
    snprintf(t->unit, sizeof t->unit, "%.31s", recipe->goal.unit);
    return HF_OK;
}

static hf_status parse(double *truth, const hf_target *t, const hf_table *table, int row, int column)
{
    (void)t;
    return hf_table_number(truth, table, row, column);
}

static hf_status learn(hf_target *t, const double *truth, int count)
{
    t->low = t->high = truth[0];
    for (int i = 1; i < count; i++) {
        t->low = fmin(t->low, truth[i]);
        t->high = fmax(t->high, truth[i]);
    }
    t->baseline[0][0] = hf_mean(truth, count);
    return hf_median(&t->baseline[1][0], truth, count);
}

static void identity(double *predicted, const float *output, const hf_target *t)
{
    (void)t;
    *predicted = *output;
}

static void start(float *bias, const hf_target *t)
{
    *bias = (float)t->baseline[0][0];
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

static hf_node *truth_of(hf_node *output)
{
    return hf_input(hf_node_graph(output), "truth", HF_SHAPE(hf_dim(output, 0), 1));
}

static hf_node *build_mse(hf_node *output, const hf_target *t)
{
    (void)t;
    return hf_mse(output, truth_of(output));
}

static hf_node *build_l1(hf_node *output, const hf_target *t)
{
    (void)t;
    return hf_l1(output, truth_of(output));
}

static hf_status feed(hf_plan *plan, const hf_target *t, const float *truth, int count)
{
    (void)t;
    return hf_plan_set(plan, "truth", truth, count);
}

static double mse(const hf_target *t, const float *output, const float *truth, int count)
{
    double sum = 0;
    (void)t;
    for (int i = 0; i < count; i++)
        sum += ((double)output[i] - truth[i]) * ((double)output[i] - truth[i]);
    return sum / count;
}

static double l1(const hf_target *t, const float *output, const float *truth, int count)
{
    double sum = 0;
    (void)t;
    for (int i = 0; i < count; i++)
        sum += fabs((double)output[i] - truth[i]);
    return sum / count;
}

static const hf_loss losses[] = {
    { "mse", build_mse, feed, mse },
    { "l1", build_l1, feed, l1 },
    { 0 },
};

/* ---- on paper ---------------------------------------------------------------------------------------------------- */

static void columns(hf_text *out, const hf_target *t)
{
    hf_text_add(out, "%s\tpredicted\terror", t->column);
}

static void cells(hf_text *out, const hf_target *t, const double *truth, const double *predicted)
{
    (void)t;
    hf_add_number(out, *truth);
    hf_text_add(out, "\t");
    hf_add_single(out, *predicted);
    hf_text_add(out, "\t");
    hf_add_single(out, *predicted - *truth);
}

static hf_status read(double *truth, double *predicted, const hf_target *t, const hf_table *table, int row)
{
    const int column[] = { hf_table_column(table, t->column), hf_table_column(table, "predicted") };
    if (column[0] < 0 || column[1] < 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': the columns %s and predicted are expected", table->path, t->column);
    HF_TRY(hf_table_number(truth, table, row, column[0]));
    HF_TRY(hf_table_number(predicted, table, row, column[1]));
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
    hf_text_add(out, "%.1f%s%s", *predicted, t->unit[0] ? " " : "", t->unit);
}

static void truth_words(hf_text *out, const hf_target *t, const double *truth)
{
    (void)t;
    hf_text_add(out, "%.1f", *truth);
}

static void back(float *output, const double *predicted, const hf_target *t)
{
    (void)t;
    *output = (float)*predicted;
}

static double error(const hf_target *t, const double *truth, const double *predicted)
{
    (void)t;
    return fabs(*predicted - *truth);
}

/* Farther outside of the training range than that is wide. */
static bool absurd(const hf_target *t, const double *predicted)
{
    const double width = t->high - t->low;
    return width > 0 && (*predicted < t->low - width || *predicted > t->high + width);
}

const hf_goal hf_goal_regression = {
    .name = "regression",
    .about = "a number",
    .losses = losses,
    .metrics = "mae mse bias r",
    .select = "mae",
    .baselines = { "training mean", "training median" },
    .sections = HF_SHOW_SCATTER,
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
    .error = error,
    .interval = true,
    .absurd = absurd,
};
