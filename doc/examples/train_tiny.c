/* A network whose last layer is generated from a table row: what a bright volume means depends on the group.
 *     cc train_tiny.c $(pkg-config --cflags --libs hyperfusion) && ./a.out */
#include <hyperfusion.h>
#include <stdio.h>

#define TRY(call)                                                                                                      \
    if (call) return puts(hf_error_message()), 1 /* every failure leaves a message */
enum { N = 8, S = 8, VOXELS = S * S * S, STEPS = 150 };

int main(void)
{
    static float volume[N][VOXELS], group[N][2], target[N], first, loss;
    for (int n = 0; n < N; n++) { /* brightness 0 ... 1, in two groups */
        for (int i = 0; i < VOXELS; i++)
            volume[n][i] = (float)n / N;
        group[n][n % 2] = 1;
        target[n] = n % 2 ? volume[n][0] : -volume[n][0];
    }
    hf_context *context;
    hf_model *model;
    hf_graph *graph;
    hf_plan *plan;
    hf_optimizer *adam;
    TRY(hf_context_new(&context, NULL, NULL) || hf_model_new(&model, context, 1) || hf_graph_new(&graph, model, true));
    hf_node *image = hf_input(graph, "image", HF_SHAPE(N, 1, S, S, S)), *row = hf_input(graph, "row", HF_SHAPE(N, 2));
    hf_node *x = hf_max_pool3d(hf_relu(hf_conv3d(image, "conv", 4, NULL)), 2); /* [N,4,3,3,3] */
    hf_node *y = hf_hyper_linear(hf_flatten(x), row, "head", 1, 0.25);         /* [N,1]: weights made from the row */
    hf_node *error = hf_mse(y, hf_input(graph, "target", HF_SHAPE(N, 1)));
    TRY(hf_plan_new(&plan, graph, &(hf_plan_options){ .loss = error }));
    TRY(hf_optimizer_new(&adam, model, &(hf_optimizer_options){ .learning_rate = 0.01 }));
    TRY(hf_plan_set(plan, "image", volume, N * S * S * S) || hf_plan_set(plan, "row", group, N * 2) ||
        hf_plan_set(plan, "target", target, N));
    for (int step = 0; step < STEPS; step++) {
        TRY(hf_plan_run(plan) || hf_optimizer_step(adam) || hf_plan_get(plan, error, &loss, 1));
        if (step == 0) first = loss;
    }
    printf("loss %.5f, after %d steps %.5f\n", first, STEPS, loss);
    hf_optimizer_free(&adam), hf_plan_free(&plan), hf_graph_free(&graph);
    hf_model_free(&model), hf_context_free(&context);
    return !(loss < first / 100);
}
