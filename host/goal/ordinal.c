/* ordinal.c: one of several classes that have an order, such as stages of a disease: the classes in goal.classes go from the
 * lowest to the highest.
 *
 * CORAL (Cao, Mirjalili, Raschka 2020): the network gives one number f, the head adds a trained bias b_k for each of the
 * K - 1 places where the classes can be parted, and sigmoid(f + b_k) is the probability of a class above k. The loss is the
 * mean of the K - 1 binary cross-entropies. f alone moves all of them, so they cannot contradict each other but by the order
 * of the biases, which the loss keeps: where it does not yet, a probability counts as at most the one before it. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>

static hf_status set(hf_target *t, const hf_recipe *recipe)
{
    HF_TRY(hf_classes_set(t, recipe));
    if (recipe->goal.collapse.count)
        return hf_fail(HF_ERR_ARGUMENT, "goal ordinal: goal.collapse does not go with it; goal.merge does");
    if (recipe->train.class_weights.count)
        return hf_fail(HF_ERR_ARGUMENT, "goal ordinal: train.class_weights do not go with it; train.oversample does");
    t->units = 1;
    t->outputs = t->n_classes - 1;
    return HF_OK;
}

/* ---- head and link ----------------------------------------------------------------------------------------------- */

static hf_node *head(hf_node *f, const hf_target *t)
{
    hf_node *all = f;
    for (int k = 1; k < t->outputs; k++)
        all = hf_concat(all, f, 1);
    const hf_init zero = { HF_INIT_CONSTANT, 0 };
    return hf_channel_affine(all, NULL, hf_parameter(hf_node_graph(f), "goal.bias", HF_SHAPE(t->outputs), zero));
}

static void probabilities(double *predicted, const float *output, const hf_target *t)
{
    double above = 1; /* probability of this class or a higher one */
    for (int k = 0; k < t->outputs; k++) {
        const double next = fmin(1 / (1 + exp(-(double)output[k])), above);
        predicted[k] = above - next;
        above = next;
    }
    predicted[t->outputs] = above;
}

/* log(above / below) of each place. */
static void logits(float *output, const double *predicted, const hf_target *t)
{
    const double least = 1e-30; /* a float's logarithm of it is finite, and no mean of probabilities is nearer to 0 */
    for (int k = 0; k < t->outputs; k++) {
        double below = 0, above = 0;
        for (int class = 0; class < t->n_classes; class ++)
            *(class <= k ? &below : &above) += predicted[class];
        output[k] = (float)(log(fmax(above, least)) - log(fmax(below, least)));
    }
}

static void start(float *bias, const hf_target *t)
{
    logits(bias, t->baseline[0], t);
}

/* ---- loss -------------------------------------------------------------------------------------------------------- */

/* The logits z of all places are those of two classes each, 0 and z. */
static hf_node *build(hf_node *output, const hf_target *t)
{
    hf_graph *graph = hf_node_graph(output);
    const int64_t places = hf_dim(output, 0) * t->outputs;
    hf_node *z = hf_reshape(output, HF_SHAPE(places, 1)), *origin = hf_input(graph, "origin", HF_SHAPE(places, 1));
    return hf_cross_entropy(hf_concat(origin, z, 1), hf_input_labels(graph, "above", HF_SHAPE(places)), NULL);
}

static hf_status feed(hf_plan *plan, const hf_target *t, const float *truth, int count)
{
    hf_status status;
    const int places = count * t->outputs;
    float *origin = NULL;
    int32_t *above = NULL;
    HF_TRY_OUT(hf_alloc(&origin, (size_t)places, sizeof *origin, "labels"));
    HF_TRY_OUT(hf_alloc(&above, (size_t)places, sizeof *above, "labels"));
    for (int i = 0; i < places; i++)
        above[i] = (int)truth[i / t->outputs] > i % t->outputs;
    HF_TRY_OUT(hf_plan_set(plan, "above", above, places));
    status = hf_plan_set(plan, "origin", origin, places); /* zeros */
out:
    free(origin);
    free(above);
    return status;
}

static double coral(const hf_target *t, const float *output, const float *truth, int count)
{
    const int places = count * t->outputs;
    double sum = 0;
    for (int i = 0; i < places; i++) {
        const double z = (int)truth[i / t->outputs] > i % t->outputs ? -(double)output[i] : (double)output[i];
        sum += fmax(z, 0) + log1p(exp(-fabs(z)));
    }
    return sum / places;
}

static const hf_loss losses[] = {
    { "coral", build, feed, coral },
    { 0 },
};

/* ---- the row ----------------------------------------------------------------------------------------------------- */

/* From the mean class. */
static double error(const hf_target *t, const double *truth, const double *predicted)
{
    double mean = 0;
    for (int k = 0; k < t->P; k++)
        mean += k * predicted[k];
    return fabs(mean - *truth);
}

const hf_goal hf_goal_ordinal = {
    .name = "ordinal",
    .about = "one of several classes in an order",
    .losses = losses,
    .metrics = "rank_mae kappa balanced_accuracy accuracy recall",
    .select = "rank_mae",
    .baselines = { "training frequencies" },
    .sections = HF_SHOW_CONFUSION,
    .set = set,
    .head = head,
    .bias = "goal.bias",
    .link = probabilities,
    .unlink = logits,
    .start = start,
    .error = error,
    HF_CLASSES_ROW,
};
