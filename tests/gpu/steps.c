/* steps.c: training steps of networks, planned and bound as the host does it. */
#include "launches.h"
#include "hyperfusion.h"
#include "plan/passes.h"

static const struct {
    const char *network;
    int n, d, h, w;
} steps[] = {
    { "brain-age-hyperfusion", 2, 90, 120, 99 },
    { "brain-age-hyperfusion", 4, 90, 120, 99 },
    { "brain-age-hyperfusion", 64, 90, 120, 99 },
};

static hf_status run_step(const char *device, hf_context *context, int index)
{
    const int n = steps[index].n;
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_plan *plan = NULL;
    hf_status status = HF_OK;
    HF_TRY_OUT(hf_model_new(&model, context, 1));
    HF_TRY_OUT(hf_graph_new(&graph, model, true));
    hf_node *image = hf_input(graph, "image", HF_SHAPE(n, 1, steps[index].d, steps[index].h, steps[index].w));
    hf_node *tabular = hf_input(graph, "tabular", HF_SHAPE(n, 2));
    hf_node *result = hf_network_build(hf_network_find(steps[index].network), image, tabular, NULL);
    hf_node *loss = hf_mse(result, hf_input(graph, "target", HF_SHAPE(n, 1)));
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .loss = loss }));
    HF_TRY_OUT(hf_plan_bind(plan, NULL));
    for (int i = 0; i < plan->n_tasks; i++) {
        const hf_node *node = plan->task_node[i];
        hf_origin o = { .device = device,
                        .set = steps[index].network,
                        .op = hf_op_name(node->op),
                        .what = node->name,
                        .n = n,
                        .step = i,
                        .flop = (double)hf_node_flop(node) };
        hf_print_task(&o, plan->task[i]);
    }
out:
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return status;
}

hf_status hf_list_steps(const char *device, hf_context *context)
{
    for (int i = 0; i < COUNT(steps); i++)
        HF_TRY(hf_unless_memory(run_step(device, context, i)));
    return HF_OK;
}
