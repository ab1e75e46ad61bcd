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
        memcpy(t->trained_name[k], t->label[k], sizeof t->trained_name[0]);
    }
    t->n_trained = classes->count;
    return HF_OK;
}

static int find_name(char (*names)[32], int count, const char *name, size_t length)
{
    int k = 0;
    while (k < count && (strlen(names[k]) != length || strncmp(names[k], name, length) != 0))
        k++;
    return k;
}

/* "EMCI=MCI": the class that `name` is reported as; NULL where nothing is said about it. */
static const char *collapsed(const hf_texts *collapse, const char *name)
{
    const size_t length = strlen(name);
    for (int i = 0; i < collapse->count; i++)
        if (strncmp(collapse->text[i], name, length) == 0 && collapse->text[i][length] == '=')
            return collapse->text[i] + length + 1;
    return NULL;
}

/* Each names a trained class, once, and a class that is not collapsed itself. */
static hf_status check_collapses(hf_target *t, const hf_texts *collapse)
{
    bool named[HF_MAX_CLASSES] = { false };
    for (int i = 0; i < collapse->count; i++) {
        const char *text = collapse->text[i], *equals = strchr(text, '=');
        const size_t room = sizeof t->class_name[0];
        const int k = equals ? find_name(t->trained_name, t->n_trained, text, (size_t)(equals - text)) : t->n_trained;
        if (k == t->n_trained || named[k] || !equals[1] || strlen(equals + 1) >= room ||
            collapsed(collapse, equals + 1))
            return hf_fail(HF_ERR_ARGUMENT,
                           "goal.collapse: found '%s', expected CLASS=NAME, once for a class of goal.classes, with a "
                           "NAME of 1 to %zu bytes that is not collapsed itself",
                           text, room - 1);
        named[k] = true;
    }
    return HF_OK;
}

/* The classes that are reported, in the order of the first trained class of each. */
static hf_status set_reported(hf_target *t, const hf_texts *collapse)
{
    HF_TRY(check_collapses(t, collapse));
    for (int k = 0; k < t->n_trained; k++) {
        const char *into = collapsed(collapse, t->trained_name[k]), *name = into ? into : t->trained_name[k];
        const int at = find_name(t->class_name, t->n_classes, name, strlen(name));
        if (at == t->n_classes) snprintf(t->class_name[t->n_classes++], sizeof t->class_name[0], "%s", name);
        t->shown_as[k] = at;
    }
    t->P = t->n_classes;
    t->T = t->n_classes < t->n_trained ? 2 : 1;
    if (t->n_classes >= 2) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "goal.collapse: all classes are reported as '%s', at least two are expected",
                   t->class_name[0]);
}

/* "EMCI=MCI": what the table calls EMCI counts as MCI. */
static hf_status set_merges(hf_target *t, const hf_texts *merges)
{
    for (int i = 0; i < merges->count; i++) {
        const char *text = merges->text[i], *equals = strchr(text, '=');
        int class = 0;
        if (equals) class = find_name(t->trained_name, t->n_trained, equals + 1, strlen(equals + 1));
        if (!equals || class == t->n_trained)
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
    for (int k = 0; k < t->n_trained; k++)
        t->weight[k] = 1;
    if (weights->count && recipe->train.oversample)
        return hf_fail(HF_ERR_ARGUMENT, "train.oversample with train.class_weights: one of the two is expected");
    if (weights->count == 0 || t->inverse) return HF_OK;
    if (weights->count != t->n_trained)
        return hf_fail(HF_ERR_ARGUMENT,
                       "train.class_weights: found %d, expected one for each of the %d classes, or inverse",
                       weights->count, t->n_trained);
    for (int k = 0; k < t->n_trained; k++) {
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
    HF_TRY(set_reported(t, &recipe->goal.collapse));
    return set_merges(t, &recipe->goal.merge);
}

static hf_status set(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(hf_classes_set(t, recipe));
    t->outputs = t->n_trained;
    return set_weights(t, recipe);
}

static hf_status set_binary(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(set(t, recipe));
    t->outputs = 1;
    if (t->n_trained == 2) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT,
                   "goal binary: goal.classes has %d names, expected two: the negative and the positive", t->n_trained);
}

/* ---- truth ------------------------------------------------------------------------------------------------------- */

hf_status hf_classes_parse(double *truth, const hf_target *t, const hf_table *table, int row, int column)
{
    const char *names[HF_MAX_LABELS];
    int found;
    for (int i = 0; i < t->n_labels; i++)
        names[i] = t->label[i];
    HF_TRY(hf_table_class(&found, table, row, column, names, t->n_labels));
    truth[0] = found < 0 ? NAN : t->shown_as[t->class_of[found]];
    if (t->T > 1) truth[1] = found < 0 ? NAN : t->class_of[found];
    return HF_OK;
}

/* The trained class of subject i of truth[count,T]. */
static int trained_class(const float *truth, int i, const hf_target *t)
{
    return (int)truth[i * t->T + t->T - 1];
}

hf_status hf_classes_learn(hf_target *t, const double *truth, int count)
{
    int of[HF_MAX_CLASSES] = { 0 };
    for (int i = 0; i < count; i++)
        of[(int)truth[i * t->T + t->T - 1]]++;
    memset(t->baseline[0], 0, sizeof t->baseline[0]);
    for (int k = 0; k < t->n_trained; k++) {
        if (of[k] == 0)
            return hf_fail(HF_ERR_ARGUMENT, "no training subject is of class '%s' (column '%s')", t->trained_name[k],
                           t->column);
        t->frequency[k] = (double)of[k] / count;
        t->baseline[0][t->shown_as[k]] += t->frequency[k];
        if (t->inverse) t->weight[k] = (double)count / ((double)t->n_trained * of[k]);
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
    double logit[HF_MAX_CLASSES] = { 0 }, greatest, sum = 0;
    logits_of(logit, output, t);
    (void)log_sum(logit, t->n_trained, &greatest);
    for (int k = 0; k < t->n_trained; k++)
        sum += logit[k] = exp(logit[k] - greatest);
    for (int k = 0; k < t->P; k++)
        predicted[k] = 0;
    for (int k = 0; k < t->n_trained; k++)
        predicted[t->shown_as[k]] += logit[k] / sum;
}

/* How many trained classes are reported as this one. */
static int members_of(const hf_target *t, int class)
{
    int members = 0;
    for (int k = 0; k < t->n_trained; k++)
        members += t->shown_as[k] == class;
    return members;
}

static void logarithms(float *output, const double *predicted, const hf_target *t)
{
    const double least = 1e-30; /* a float's logarithm of it is finite, and no mean of probabilities is nearer to 0 */
    if (t->outputs == 1) {
        output[0] = (float)(log(fmax(predicted[1], least)) - log(fmax(predicted[0], least)));
        return;
    }
    for (int k = 0; k < t->outputs; k++) /* classes that are reported as one have equal parts of its probability */
        output[k] = (float)log(fmax(predicted[t->shown_as[k]] / members_of(t, t->shown_as[k]), least));
}

/* The logarithms of the training frequencies; of two classes told by one logit, their difference. */
static void start(float *bias, const hf_target *t)
{
    const double *frequency = t->frequency;
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
    hf_node *weight = hf_input(graph, "class_weight", HF_SHAPE(t->n_trained));
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
        label[i] = trained_class(truth, i, t);
    for (int k = 0; k < t->n_trained; k++)
        weight[k] = (float)t->weight[k];
    HF_TRY_OUT(hf_plan_set(plan, "label", label, count));
    HF_TRY_OUT(hf_plan_set(plan, "class_weight", weight, t->n_trained));
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
        const int class = trained_class(truth, i, t);
        logits_of(logit, output + (size_t)i * (size_t)t->outputs, t);
        loss += t->weight[class] * (log_sum(logit, t->n_trained, &greatest) - logit[class]);
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

/* A reported class. */
static hf_status read_class(double *truth, const hf_target *t, const hf_table *table, int row, int column)
{
    const char *names[HF_MAX_CLASSES];
    int found;
    for (int k = 0; k < t->n_classes; k++)
        names[k] = t->class_name[k];
    HF_TRY(hf_table_class(&found, table, row, column, names, t->n_classes));
    truth[0] = found < 0 ? NAN : found;
    return HF_OK;
}

hf_status hf_classes_read(double *truth, double *predicted, const hf_target *t, const hf_table *table, int row)
{
    const int column = hf_table_column(table, t->column);
    if (column < 0) return hf_fail(HF_ERR_FORMAT, "'%s': a column %s is expected", table->path, t->column);
    HF_TRY(read_class(truth, t, table, row, column));
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
