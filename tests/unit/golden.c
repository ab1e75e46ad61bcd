/* golden.c: the brain-age network against PyTorch in double precision (tests/golden/brain_age.py made the file): same
 * weights and inputs, then predictions, loss, every gradient, and ten Adam steps. */
#include "golden.h"

#define STEPS 10

typedef struct bench {
    hf_archive file;
    golden g;
    hf_context *context;
    hf_model *model;
    hf_graph *graph;
    hf_node *prediction, *loss;
    hf_plan *plan;
    hf_optimizer *optimizer;
} bench;

static hf_status build(bench *b, const char *path)
{
    HF_TRY(hf_archive_read(&b->file, path));
    b->g = (golden){ &b->file, "", 0 };
    const hf_entry *image = golden_entry(&b->g, "image", ""), *tabular = golden_entry(&b->g, "tabular", "");
    const hf_entry *target = golden_entry(&b->g, "target", "");
    HF_TRY(hf_context_new(&b->context, NULL, NULL));
    HF_TRY(hf_model_new(&b->model, b->context, 1));
    HF_TRY(hf_graph_new(&b->graph, b->model, true));
    hf_node *x = hf_input(b->graph, "image", image->shape), *t = hf_input(b->graph, "tabular", tabular->shape);
    const hf_network *network = hf_network_find("brain-age-hyperfusion");
    b->prediction = hf_network_build(network, x, t, &(hf_network_options){ .dropout = -1 });
    b->loss = hf_mse(b->prediction, hf_input(b->graph, "target", target->shape));
    HF_TRY(hf_plan_new(&b->plan, b->graph, &(hf_plan_options){ .loss = b->loss, .keep = &b->prediction, .n_keep = 1 }));
    HF_TRY(golden_set_input(&b->g, b->plan, "image"));
    HF_TRY(golden_set_input(&b->g, b->plan, "tabular"));
    HF_TRY(golden_set_input(&b->g, b->plan, "target"));
    return hf_optimizer_new(&b->optimizer, b->model,
                            &(hf_optimizer_options){ .learning_rate = 2e-5, .weight_decay = 0.05 });
}

static hf_status check_first_step(bench *b)
{
    float prediction[16];
    HF_TRY(hf_plan_run(b->plan));
    HF_TRY(hf_plan_get(b->plan, b->prediction, prediction, hf_dim(b->prediction, 0)));
    golden_compare_values(&b->g, "prediction", prediction, FIRST_STEP_LIMIT);
    golden_compare_gradients(&b->g, b->model);
    return HF_OK;
}

static hf_status check_steps(bench *b)
{
    const float *losses = golden_entry(&b->g, "losses", "")->data;
    for (int step = 0; step < STEPS; step++) {
        float loss = 0;
        HF_TRY(hf_plan_run(b->plan));
        HF_TRY(hf_plan_get(b->plan, b->loss, &loss, 1));
        CHECK_NEAR(loss, losses[step], LATER_STEPS_LIMIT * losses[step]);
        HF_TRY(hf_optimizer_step(b->optimizer));
    }
    golden_compare_final(&b->g, b->model);
    return HF_OK;
}

static hf_status run(bench *b, const char *path)
{
    HF_TRY(build(b, path));
    HF_TRY(golden_set_parameters(&b->g, b->model));
    HF_TRY(check_first_step(b));
    HF_TRY(golden_set_parameters(&b->g, b->model));
    return check_steps(b);
}

int main(int argc, char **argv)
{
    bench b = { 0 };
    if (argc != 2) {
        fprintf(stderr, "usage: test_golden brain_age.safetensors\n");
        return 2;
    }
    const hf_status status = run(&b, argv[1]);
    if (status != HF_OK) fprintf(stderr, "%s\n", hf_error_message());
    CHECK(status == HF_OK);
    hf_optimizer_free(&b.optimizer);
    hf_plan_free(&b.plan);
    hf_graph_free(&b.graph);
    hf_model_free(&b.model);
    hf_context_free(&b.context);
    hf_archive_free(&b.file);
    return check_done("golden");
}
