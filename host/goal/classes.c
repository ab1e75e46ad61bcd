/* classes.c: one class a subject: two told by one logit, or any number by one logit each.
 *
 * The truth is the index of the class; the prediction is a probability for each class in both cases, so that metrics and
 * paper are the same. Weighted cross-entropy is divided by the sum of the weights of the batch (HyperFusion's code). The
 * one logit z stands for the logits (0, z), so that one operator serves both. */
#include "rows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static hf_status add_label(hf_target *t, const char *text, size_t length, int class)
{
    if (t->n_labels == HF_MAX_LABELS)
        return hf_fail(HF_ERR_ARGUMENT, "goal.classes and goal.merge: more than %d names", (int)HF_MAX_LABELS);
    if (length == 0 || length >= sizeof t->label[0])
        return hf_fail(HF_ERR_ARGUMENT, "goal.classes and goal.merge: '%.80s': a name of 1 to %zu bytes is expected",
                       text, sizeof t->label[0] - 1);
    for (int i = 0; i < t->n_labels; i++)
        if (strlen(t->label[i]) == length && strncmp(t->label[i], text, length) == 0)
            return hf_fail(HF_ERR_ARGUMENT, "goal.classes and goal.merge: '%s' is named twice", t->label[i]);
    snprintf(t->label[t->n_labels], sizeof t->label[0], "%.*s", (int)length, text);
    t->class_of[t->n_labels++] = class;
    return HF_OK;
}

static hf_status set_classes(hf_target *t, const hf_texts *classes)
{
    if (classes->count < 2 || classes->count > HF_MAX_CLASSES)
        return hf_fail(HF_ERR_ARGUMENT, "goal.classes: found %d, expected 2 to %d names in order, as in [CN, MCI, AD]",
                       classes->count, (int)HF_MAX_CLASSES);
    for (int k = 0; k < classes->count; k++) {
        HF_TRY(add_label(t, classes->text[k], strlen(classes->text[k]), k));
        memcpy(t->class_name[k], t->label[k], sizeof t->class_name[0]);
    }
    t->n_classes = t->P = classes->count;
    return HF_OK;
}

/* "EMCI=MCI": what the table calls EMCI counts as MCI. */
static hf_status set_merges(hf_target *t, const hf_texts *merges)
{
    for (int i = 0; i < merges->count; i++) {
        const char *text = merges->text[i], *equals = strchr(text, '=');
        int class = 0;
        while (equals && class < t->n_classes && strcmp(t->class_name[class], equals + 1) != 0)
            class ++;
        if (!equals || class == t->n_classes)
            return hf_fail(HF_ERR_ARGUMENT, "goal.merge: found '%s', expected NAME=CLASS with a class of goal.classes",
                           text);
        HF_TRY(add_label(t, text, (size_t)(equals - text), class));
    }
    return HF_OK;
}

static hf_status set_weights(hf_target *t, const hf_recipe *recipe)
{
    const hf_texts *weights = &recipe->train.class_weights;
    t->inverse = weights->count == 1 && strcmp(weights->text[0], "inverse") == 0;
    for (int k = 0; k < t->n_classes; k++)
        t->weight[k] = 1;
    if (weights->count && recipe->train.oversample)
        return hf_fail(HF_ERR_ARGUMENT, "train.oversample with train.class_weights: one of the two is expected");
    if (weights->count == 0 || t->inverse) return HF_OK;
    if (weights->count != t->n_classes)
        return hf_fail(HF_ERR_ARGUMENT,
                       "train.class_weights: found %d, expected one for each of the %d classes, or inverse",
                       weights->count, t->n_classes);
    for (int k = 0; k < t->n_classes; k++) {
        json_t *json = json_loads(weights->text[k], JSON_DECODE_ANY, NULL);
        t->weight[k] = json_is_number(json) ? json_number_value(json) : NAN;
        json_decref(json);
        if (!(t->weight[k] > 0 && t->weight[k] <= 1e6))
            return hf_fail(HF_ERR_ARGUMENT, "train.class_weights: found '%s', expected a number above 0, at most 1e6",
                           weights->text[k]);
    }
    return HF_OK;
}

hf_status hf_classes_set(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(set_classes(t, &recipe->goal.classes));
    return set_merges(t, &recipe->goal.merge);
}

static hf_status set(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(hf_classes_set(t, recipe));
    t->outputs = t->n_classes;
    return set_weights(t, recipe);
}

static hf_status set_binary(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(set(t, recipe));
    t->outputs = 1;
    if (t->n_classes == 2) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT,
                   "goal binary: goal.classes has %d names, expected two: the negative and the positive", t->n_classes);
}

/* ---- truth ------------------------------------------------------------------------------------------------------- */

hf_status hf_classes_parse(double *truth, const hf_target *t, const hf_table *table, int row, int column)
{
    const char *names[HF_MAX_LABELS];
    int found;
    for (int i = 0; i < t->n_labels; i++)
        names[i] = t->label[i];
    HF_TRY(hf_table_class(&found, table, row, column, names, t->n_labels));
    *truth = found < 0 ? NAN : t->class_of[found];
    return HF_OK;
}

hf_status hf_classes_learn(hf_target *t, const double *truth, int count)
{
    int of[HF_MAX_CLASSES] = { 0 };
    for (int i = 0; i < count; i++)
        of[(int)truth[i]]++;
    for (int k = 0; k < t->n_classes; k++) {
        if (of[k] == 0)
            return hf_fail(HF_ERR_ARGUMENT, "no training subject is of class '%s' (column '%s')", t->class_name[k],
                           t->column);
        t->baseline[0][k] = (double)of[k] / count;
        if (t->inverse) t->weight[k] = (double)count / ((double)t->n_classes * of[k]);
    }
    return HF_OK;
}

/* ---- link -------------------------------------------------------------------------------------------------------- */

/* The logits of all classes. */
static void logits_of(double *logit, const float *output, const hf_target *t)
{
    const bool one = t->outputs == 1;
    logit[0] = 0;
    for (int k = 0; k < t->outputs; k++)
        logit[k + one] = output[k];
}

/* The logarithm of the sum of exp(logit), and the greatest logit. */
static double log_sum(const double *logit, int n, double *greatest)
{
    double sum = 0;
    *greatest = logit[0];
    for (int k = 1; k < n; k++)
        if (logit[k] > *greatest) *greatest = logit[k];
    for (int k = 0; k < n; k++)
        sum += exp(logit[k] - *greatest);
    return log(sum) + *greatest;
}

static void softmax(double *predicted, const float *output, const hf_target *t)
{
    double logit[HF_MAX_CLASSES], greatest, sum = 0;
    logits_of(logit, output, t);
    (void)log_sum(logit, t->n_classes, &greatest);
    for (int k = 0; k < t->n_classes; k++)
        sum += predicted[k] = exp(logit[k] - greatest);
    for (int k = 0; k < t->n_classes; k++)
        predicted[k] /= sum;
}

static void logarithms(float *output, const double *predicted, const hf_target *t)
{
    const double least = 1e-30; /* a float's logarithm of it is finite, and no mean of probabilities is nearer to 0 */
    const bool one = t->outputs == 1;
    for (int k = 0; k < t->outputs; k++)
        output[k] = (float)(log(fmax(predicted[k + one], least)) - (one ? log(fmax(predicted[0], least)) : 0));
}

/* The logarithms of the training frequencies; of two classes told by one logit, their difference. */
static void start(float *bias, const hf_target *t)
{
    const double *frequency = t->baseline[0];
    if (t->outputs == 1)
        bias[0] = (float)log(frequency[1] / frequency[0]);
    else
        for (int k = 0; k < t->outputs; k++)
            bias[k] = (float)log(frequency[k]);
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

static hf_node *build(hf_node *output, const hf_target *t)
{
    hf_graph *graph = hf_node_graph(output);
    const int64_t n = hf_dim(output, 0);
    hf_node *label = hf_input_labels(graph, "label", HF_SHAPE(n));
    hf_node *weight = hf_input(graph, "class_weight", HF_SHAPE(t->n_classes));
    if (t->outputs == 1) output = hf_concat(hf_input(graph, "origin", HF_SHAPE(n, 1)), output, 1);
    return hf_cross_entropy(output, label, weight);
}

static hf_status feed(hf_plan *plan, const hf_target *t, const float *truth, int count)
{
    hf_status status;
    float weight[HF_MAX_CLASSES], *origin = NULL;
    int32_t *label = NULL;
    HF_TRY_OUT(hf_alloc(&label, (size_t)count, sizeof *label, "labels"));
    HF_TRY_OUT(hf_alloc(&origin, (size_t)count, sizeof *origin, "labels"));
    for (int i = 0; i < count; i++)
        label[i] = (int32_t)truth[i];
    for (int k = 0; k < t->n_classes; k++)
        weight[k] = (float)t->weight[k];
    HF_TRY_OUT(hf_plan_set(plan, "label", label, count));
    HF_TRY_OUT(hf_plan_set(plan, "class_weight", weight, t->n_classes));
    if (t->outputs == 1) status = hf_plan_set(plan, "origin", origin, count); /* zeros */
out:
    free(label);
    free(origin);
    return status;
}

static double cross_entropy(const hf_target *t, const float *output, const float *truth, int count)
{
    double loss = 0, weights = 0, logit[HF_MAX_CLASSES], greatest;
    for (int i = 0; i < count; i++) {
        const int class = (int)truth[i];
        logits_of(logit, output + (size_t)i * (size_t)t->outputs, t);
        loss += t->weight[class] * (log_sum(logit, t->n_classes, &greatest) - logit[class]);
        weights += t->weight[class];
    }
    return loss / weights;
}

static const hf_loss losses[] = {
    { "cross-entropy", build, feed, cross_entropy },
    { 0 },
};

/* ---- on paper ---------------------------------------------------------------------------------------------------- */

void hf_classes_columns(hf_text *out, const hf_target *t)
{
    hf_text_add(out, "%s\tpredicted", t->column);
    for (int k = 0; k < t->n_classes; k++)
        hf_text_add(out, "\tp_%s", t->class_name[k]);
}

void hf_classes_cells(hf_text *out, const hf_target *t, const double *truth, const double *predicted)
{
    hf_text_add(out, "%s\t%s", isnan(*truth) ? "n/a" : t->class_name[(int)*truth],
                t->class_name[hf_most_probable(predicted, t->P)]);
    for (int k = 0; k < t->n_classes; k++) {
        hf_text_add(out, "\t");
        hf_add_number(out, predicted[k]);
    }
}

hf_status hf_classes_read(double *truth, double *predicted, const hf_target *t, const hf_table *table, int row)
{
    const int column = hf_table_column(table, t->column);
    if (column < 0) return hf_fail(HF_ERR_FORMAT, "'%s': a column %s is expected", table->path, t->column);
    HF_TRY(hf_classes_parse(truth, t, table, row, column));
    for (int k = 0; k < t->n_classes; k++) {
        char name[64];
        snprintf(name, sizeof name, "p_%s", t->class_name[k]);
        const int at = hf_table_column(table, name);
        if (at < 0) return hf_fail(HF_ERR_FORMAT, "'%s': a column %s is expected", table->path, name);
        HF_TRY(hf_table_number(&predicted[k], table, row, at));
    }
    return HF_OK;
}

void hf_classes_say(hf_text *out, const hf_target *t, const double *predicted)
{
    hf_text_add(out, "%s\n", t->class_name[hf_most_probable(predicted, t->P)]);
    for (int k = 0; k < t->n_classes; k++)
        hf_text_add(out, "p_%s\t%.6f\n", t->class_name[k], predicted[k]);
}

void hf_classes_words(hf_text *out, const hf_target *t, const double *predicted)
{
    const int class = hf_most_probable(predicted, t->P);
    hf_text_add(out, "%s (%.2f)", t->class_name[class], predicted[class]);
}

void hf_classes_truth_words(hf_text *out, const hf_target *t, const double *truth)
{
    hf_text_add(out, "%s", t->class_name[(int)*truth]);
}

static double error(const hf_target *t, const double *truth, const double *predicted)
{
    (void)t;
    return 1 - predicted[(int)*truth];
}

#define ROW                                                                                                            \
    HF_CLASSES_ROW, .losses = losses, .metrics = "balanced_accuracy precision f1 f1_micro auc accuracy recall",        \
                    .select = "balanced_accuracy", .baselines = { "training frequencies" },                            \
                    .sections = HF_SHOW_CONFUSION, .link = softmax, .unlink = logarithms, .start = start,              \
                    .error = error

const hf_goal hf_goal_classes = { .name = "classes", .about = "one of several classes", .set = set, ROW };
const hf_goal hf_goal_binary = {
    .name = "binary", .about = "one of two classes, by one logit", .set = set_binary, ROW
};
