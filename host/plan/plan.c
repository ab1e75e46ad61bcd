/* plan.c: a graph made ready to run. The plan works on copies of the graph's nodes, so one graph can be planned in
 * several ways; four passes turn the copies into the list of tasks (fuse.c, gradient.c, layout.c, memory.c), editing lists by
 * edit.c, and bind.c gives them memory and kernels. */
#include "passes.h"
#include <stdlib.h>
#include <string.h>

/* ---- copies --------------------------------------------------------------------------------------------------------- */

static hf_status copy_node(hf_plan *plan, const hf_node *node)
{
    hf_node *copy = NULL;
    const int first = plan->nodes.count;
    HF_TRY(hf_node_new(&copy, node->kind, node->name));
    char *name = copy->name;
    *copy = *node;
    copy->name = name;
    copy->graph = NULL;
    for (int k = 0; k < node->n_in; k++)
        if (node->in[k]) copy->in[k] = plan->copy[node->in[k]->id];
    for (int k = 0; k < node->n_out; k++)
        copy->result[k] = NULL;
    if (node->kind == HF_NODE_OPERATOR) copy->result[0] = copy;
    if (node->owner) {
        copy->owner = plan->copy[node->owner->id];
        copy->owner->result[node->index] = copy;
    }
    plan->copy[node->id] = copy;
    const hf_status status = hf_nodes_push(&plan->nodes, copy);
    if (status != HF_OK) hf_node_free(&copy);
    return status == HF_OK ? hf_plan_own(plan, &plan->nodes, first) : status;
}

static hf_status copy_graph(hf_plan *plan)
{
    const hf_nodes *nodes = &plan->graph->nodes;
    HF_TRY(hf_alloc(&plan->copy, (size_t)nodes->count + 1, sizeof *plan->copy, "a plan"));
    for (int i = 0; i < nodes->count; i++)
        HF_TRY(copy_node(plan, nodes->at[i]));
    return HF_OK;
}

/* ---- planning ---------------------------------------------------------------------------------------------------- */

static hf_status mark_kept(hf_plan *plan)
{
    const hf_plan_options *o = &plan->options;
    for (int i = 0; i < o->n_keep; i++) {
        if (!o->keep[i] || o->keep[i]->graph != plan->graph)
            return hf_fail(HF_ERR_ARGUMENT, "node %d to keep does not belong to the planned graph", i);
        plan->copy[o->keep[i]->id]->keep = true;
    }
    if (!o->loss) return HF_OK;
    if (o->loss->graph != plan->graph) return hf_fail(HF_ERR_ARGUMENT, "the loss does not belong to the planned graph");
    plan->loss = plan->copy[o->loss->id];
    plan->loss->keep = true;
    return HF_OK;
}

static hf_status run_passes(hf_plan *plan)
{
    HF_TRY(hf_graph_check(plan->graph));
    HF_TRY(copy_graph(plan));
    HF_TRY(mark_kept(plan));
    if (!plan->loss && plan->options.n_keep == 0)
        return hf_fail(HF_ERR_ARGUMENT, "a plan needs a loss or at least one node to keep");
    HF_TRY(hf_pass_fuse(plan));
    HF_TRY(hf_pass_gradient(plan));
    HF_TRY(hf_pass_layout(plan));
    return hf_pass_memory(plan);
}

hf_status hf_plan_new(hf_plan **out, hf_graph *graph, const hf_plan_options *options)
{
    hf_plan *plan = NULL;
    *out = NULL;
    HF_TRY(hf_alloc(&plan, 1, sizeof *plan, "a plan"));
    plan->graph = graph;
    plan->model = graph->model;
    if (options) plan->options = *options;
    const hf_status status = run_passes(plan);
    plan->options.keep = NULL; /* the caller's array need not live on */
    if (status != HF_OK) hf_plan_free(&plan);
    *out = plan;
    return status;
}

void hf_plan_free(hf_plan **plan)
{
    if (!plan || !*plan) return;
    hf_plan *p = *plan;
    hf_plan_free_tasks(p);
    hf_arena_free(&p->arena);
    for (int i = 0; i < p->all.count; i++)
        hf_node_free(&p->all.at[i]);
    free(p->all.at);
    free(p->nodes.at);
    free(p->copy);
    free(p);
    *plan = NULL;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

hf_status hf_plan_bind(hf_plan *plan, hf_arena *arena)
{
    if (plan->bound) return hf_fail(HF_ERR_ARGUMENT, "the plan is bound already");
    HF_TRY(hf_model_freeze(plan->model));
    if (!arena && !plan->arena) HF_TRY(hf_arena_new(&plan->arena, plan->model->context));
    HF_TRY(hf_plan_make_tasks(plan, arena ? arena : plan->arena));
    plan->bound = true;
    return HF_OK;
}

static hf_status bind_if_needed(hf_plan *plan)
{
    return plan->bound ? HF_OK : hf_plan_bind(plan, NULL);
}

/* HF_ERR_SHAPE unless the caller's array is as large as the value. */
static hf_status check_count(const hf_node *node, int64_t count)
{
    char shape[96];
    if (count == hf_shape_count(&node->desc.shape)) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "'%s' is %s, %lld elements; the array given for it has [%lld]", node->name,
                   hf_shape_text(&node->desc.shape, shape), (long long)hf_shape_count(&node->desc.shape),
                   (long long)count);
}

hf_status hf_plan_set(hf_plan *plan, const char *input, const void *data, int64_t count)
{
    HF_TRY(bind_if_needed(plan));
    for (int i = 0; i < plan->graph->nodes.count; i++) {
        const hf_node *node = plan->graph->nodes.at[i];
        if (node->kind != HF_NODE_INPUT || strcmp(node->name, input) != 0) continue;
        hf_node *copy = plan->copy[i];
        HF_TRY(check_count(node, count));
        if (!copy->wanted) return HF_OK; /* an input that nothing kept depends on */
        HF_TRY(hf_tensor_write(&copy->tensor, data, count));
        copy->set = true;
        return HF_OK;
    }
    return hf_fail(HF_ERR_ARGUMENT, "the graph has no input named '%s'", input);
}

static hf_status check_inputs(hf_plan *plan)
{
    for (int i = 0; i < plan->graph->nodes.count; i++) {
        const hf_node *copy = plan->copy[i];
        if (copy->kind == HF_NODE_INPUT && copy->wanted && !copy->set)
            return hf_fail(HF_ERR_ARGUMENT, "the input '%s' has no value yet: hf_plan_set comes before hf_plan_run",
                           copy->name);
    }
    plan->inputs_set = true;
    return HF_OK;
}

hf_status hf_plan_run(hf_plan *plan)
{
    if (!plan->inputs_set) HF_TRY(check_inputs(plan));
    return hf_plan_enqueue(plan);
}

hf_status hf_plan_enqueue(hf_plan *plan)
{
    HF_TRY(bind_if_needed(plan));
    for (int i = 0; i < plan->n_tasks; i++)
        HF_TRY(hf_task_run(plan->task[i]));
    return HF_OK;
}

hf_status hf_plan_get(hf_plan *plan, const hf_node *node, void *data, int64_t count)
{
    if (!node || node->graph != plan->graph)
        return hf_fail(HF_ERR_ARGUMENT, "the node does not belong to the planned graph");
    hf_node *copy = hf_plan_follow(plan->copy[node->id]);
    if (!copy->keep) return hf_fail(HF_ERR_ARGUMENT, "'%s' was not kept when the plan was made", node->name);
    if (!plan->bound) return hf_fail(HF_ERR_ARGUMENT, "the plan has not run yet");
    HF_TRY(check_count(node, count));
    return hf_tensor_read(&copy->tensor, data, count);
}
