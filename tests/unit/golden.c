/* golden.c: the brain-age network against PyTorch in double precision (tests/golden/brain_age.py made the file): same
 * weights and inputs, then predictions, loss, every gradient, and ten Adam steps. A tensor is judged by the distance of the
 * two vectors relative to the length of its layer's golden vector: batch norm makes the sums behind some bias gradients
 * cancel to a hundredth of their terms, and no single-precision sum keeps five digits of what is left. */
#include "check.h"
#include "hyperfusion.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS             10
#define FIRST_STEP_LIMIT  1e-5
#define LATER_STEPS_LIMIT 1e-4

typedef struct golden {
    hf_archive file;
    hf_context *context;
    hf_model *model;
    hf_graph *graph;
    hf_node *prediction, *loss;
    hf_plan *plan;
    hf_optimizer *optimizer;
} golden;

static double square(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double difference = (double)a[i] - (b ? b[i] : 0);
        sum += difference * difference;
    }
    return sum;
}

static const hf_entry *entry(const golden *g, const char *prefix, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return hf_archive_find(&g->file, full);
}

/* Length of all golden tensors of the layer that `name` belongs to: "conv1_a." and what follows. */
static double layer_length(const golden *g, const char *prefix, const char *name)
{
    const size_t n = strcspn(name, ".") + 1;
    double sum = 0;
    for (int i = 0; i < g->file.n_entries; i++) {
        const hf_entry *e = &g->file.entry[i];
        if (strncmp(e->name, prefix, strlen(prefix)) != 0 || strncmp(e->name + strlen(prefix), name, n) != 0) continue;
        sum += square(e->data, NULL, hf_shape_count(&e->shape));
    }
    return sqrt(sum);
}

static void compare(const golden *g, const char *prefix, const char *name, const hf_tensor *tensor, double limit)
{
    const hf_entry *want = entry(g, prefix, name);
    CHECK(want != NULL);
    if (!want) return;
    const int64_t count = hf_shape_count(&want->shape);
    CHECK(hf_shape_equal(&want->shape, &tensor->desc.shape));
    float *got = calloc((size_t)count, sizeof *got);
    CHECK(hf_tensor_read(tensor, got, count) == HF_OK);
    const double far = sqrt(square(got, want->data, count)) / layer_length(g, prefix, name);
    if (!(far <= limit)) fprintf(stderr, "%s%s: relative distance %.2e, limit %.0e\n", prefix, name, far, limit);
    CHECK(far <= limit);
    free(got);
}

static hf_status build(golden *g, const char *path, const char *device)
{
    HF_TRY(hf_archive_read(&g->file, path));
    const hf_entry *image = entry(g, "image", ""), *tabular = entry(g, "tabular", "");
    const hf_entry *target = entry(g, "target", "");
    HF_TRY(hf_context_new(&g->context, device, NULL));
    HF_TRY(hf_model_new(&g->model, g->context, 1));
    HF_TRY(hf_graph_new(&g->graph, g->model, true));
    hf_node *x = hf_input(g->graph, "image", image->shape), *t = hf_input(g->graph, "tabular", tabular->shape);
    const hf_network *network = hf_network_find("brain-age-hyperfusion");
    g->prediction = network->build(x, t, &(hf_network_options){ .dropout = -1 });
    g->loss = hf_mse(g->prediction, hf_input(g->graph, "target", target->shape));
    HF_TRY(hf_plan_new(&g->plan, g->graph, &(hf_plan_options){ .loss = g->loss, .keep = &g->prediction, .n_keep = 1 }));
    HF_TRY(hf_plan_set(g->plan, "image", image->data, hf_shape_count(&image->shape)));
    HF_TRY(hf_plan_set(g->plan, "tabular", tabular->data, hf_shape_count(&tabular->shape)));
    HF_TRY(hf_plan_set(g->plan, "target", target->data, hf_shape_count(&target->shape)));
    return hf_optimizer_new(&g->optimizer, g->model,
                            &(hf_optimizer_options){ .learning_rate = 2e-5, .weight_decay = 0.05 });
}

static hf_status set_parameters(const golden *g)
{
    for (int i = 0; i < hf_model_named_count(g->model); i++) {
        const hf_named named = hf_model_named(g->model, i);
        if (!named.is_parameter) continue;
        const hf_entry *initial = entry(g, "initial.", named.name);
        if (!initial) return hf_fail(HF_ERR_FORMAT, "the golden file has no parameter '%s'", named.name);
        HF_TRY(hf_tensor_write(&named.value, initial->data, hf_shape_count(&initial->shape)));
    }
    return HF_OK;
}

static hf_status check_first_step(const golden *g)
{
    float prediction[16];
    const hf_entry *want = entry(g, "prediction", "");
    HF_TRY(hf_plan_run(g->plan));
    const int64_t count = hf_shape_count(&want->shape);
    HF_TRY(hf_plan_get(g->plan, g->prediction, prediction, count));
    CHECK(sqrt(square(prediction, want->data, count) / square(want->data, NULL, count)) <= FIRST_STEP_LIMIT);
    for (int i = 0; i < hf_model_named_count(g->model); i++) {
        const hf_named named = hf_model_named(g->model, i);
        if (named.is_parameter) compare(g, "gradient.", named.name, &named.gradient, FIRST_STEP_LIMIT);
    }
    return HF_OK;
}

static hf_status check_steps(const golden *g)
{
    const float *losses = entry(g, "losses", "")->data;
    for (int step = 0; step < STEPS; step++) {
        float loss = 0;
        HF_TRY(hf_plan_run(g->plan));
        HF_TRY(hf_plan_get(g->plan, g->loss, &loss, 1));
        CHECK_NEAR(loss, losses[step], LATER_STEPS_LIMIT * losses[step]);
        HF_TRY(hf_optimizer_step(g->optimizer));
    }
    for (int i = 0; i < hf_model_named_count(g->model); i++) {
        const hf_named named = hf_model_named(g->model, i);
        if (named.is_parameter) compare(g, "final.", named.name, &named.value, LATER_STEPS_LIMIT);
    }
    return HF_OK;
}

static hf_status run(golden *g, const char *path)
{
    HF_TRY(build(g, path, NULL));
    HF_TRY(set_parameters(g));
    HF_TRY(check_first_step(g));
    HF_TRY(set_parameters(g));
    return check_steps(g);
}

int main(int argc, char **argv)
{
    golden g = { 0 };
    if (argc != 2) {
        fprintf(stderr, "usage: test_golden brain_age.safetensors\n");
        return 2;
    }
    const hf_status status = run(&g, argv[1]);
    if (status != HF_OK) fprintf(stderr, "%s\n", hf_error_message());
    CHECK(status == HF_OK);
    hf_optimizer_free(&g.optimizer);
    hf_plan_free(&g.plan);
    hf_graph_free(&g.graph);
    hf_model_free(&g.model);
    hf_context_free(&g.context);
    hf_archive_free(&g.file);
    return check_done("golden");
}
