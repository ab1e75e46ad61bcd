/* bind.c: gives a plan its device memory and makes its tasks. After this nothing is allocated or compiled. */
#include "passes.h"
#include <stdlib.h>

/* ---- arenas ------------------------------------------------------------------------------------------------------ */

hf_status hf_arena_new(hf_arena **out, hf_context *context)
{
    *out = NULL;
    HF_TRY(hf_alloc(out, 1, sizeof **out, "an arena"));
    (*out)->context = context;
    return HF_OK;
}

void hf_arena_free(hf_arena **arena)
{
    if (!arena || !*arena) return;
    for (int c = 0; c < HF_MAX_CHUNKS; c++)
        hf_buffer_free(&(*arena)->chunk[c]);
    free(*arena);
    *arena = NULL;
}

hf_status hf_arena_reserve(hf_arena *arena, const hf_plan *plan)
{
    for (int c = 0; c < plan->n_chunks; c++) {
        if (plan->chunk_bytes[c] <= arena->bytes[c]) continue;
        if (arena->chunk[c])
            return hf_fail(HF_ERR_ARGUMENT,
                           "the arena is in use and cannot grow: reserve for all plans before binding");
        arena->bytes[c] = plan->chunk_bytes[c];
        if (arena->n_chunks <= c) arena->n_chunks = c + 1;
    }
    return HF_OK;
}

/* made[c]: by this call, so that a bind that fails can undo it. */
static hf_status allocate(hf_arena *arena, bool made[HF_MAX_CHUNKS])
{
    for (int c = 0; c < arena->n_chunks; c++) {
        if (arena->chunk[c]) continue;
        HF_TRY(hf_buffer_new(&arena->chunk[c], arena->context, arena->bytes[c], "the values of the network"));
        made[c] = true;
    }
    return HF_OK;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static hf_status window(hf_buffer **out, hf_plan *plan, hf_arena *arena, int chunk, size_t offset, size_t bytes)
{
    HF_TRY(hf_buffer_view(&plan->view[plan->n_views], arena->chunk[chunk], offset, bytes));
    *out = plan->view[plan->n_views++];
    return HF_OK;
}

/* The memory of a value that has memory of its own. */
static hf_status place_root(hf_plan *plan, hf_arena *arena, hf_node *node)
{
    hf_model *model = plan->model;
    if (node->slot)
        node->tensor.buffer = model->slot[node->slot - 1].gradient.buffer;
    else if (node->kind == HF_NODE_PARAMETER || node->kind == HF_NODE_STATE)
        node->tensor.buffer = model->slot[node->named].value.buffer;
    else if (node->kind == HF_NODE_RANDOM)
        node->tensor.buffer = model->random.buffer;
    else if (node->kind == HF_NODE_ONE)
        node->tensor.buffer = model->one.buffer;
    else
        return window(&node->tensor.buffer, plan, arena, node->chunk, node->offset, hf_desc_bytes(&node->desc));
    return HF_OK;
}

static hf_status place_all(hf_plan *plan, hf_arena *arena)
{
    for (int i = 0; i < plan->nodes.count; i++) {
        hf_node *node = plan->nodes.at[i], *root = node->storage;
        while (root->storage != root)
            root = root->storage;
        if (!root->tensor.buffer) HF_TRY(place_root(plan, arena, root));
        node->tensor.buffer = root->tensor.buffer;
        node->tensor.desc = node->desc;
    }
    return HF_OK;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static hf_status make_task(hf_plan *plan, hf_arena *arena, hf_node *node)
{
    hf_tensor in[HF_MAX_IN] = { 0 }, out[HF_MAX_OUT] = { 0 };
    hf_buffer *scratch = NULL;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) in[i] = node->in[i]->tensor;
    for (int k = 0; k < node->n_out; k++)
        out[k] = node->result[k]->tensor;
    if (node->scratch) HF_TRY(window(&scratch, plan, arena, node->scratch_chunk, node->scratch_offset, node->scratch));
    const hf_task_options options = { .impl = node->impl + 1,
                                      .scratch = scratch,
                                      .label = *node->name ? node->name : NULL };
    HF_TRY(hf_task_new(&plan->task[plan->n_tasks], plan->model->context, node->op, &node->params, in, node->n_in, out,
                       node->n_out, &options));
    plan->task_node[plan->n_tasks++] = node;
    return HF_OK;
}

/* A reshape that shares its operand's memory has nothing to do. */
static bool is_view(const hf_node *node)
{
    return node->storage != node && node->n_in == 1 && node->tensor.buffer == node->in[0]->tensor.buffer &&
           node->op == hf_op_find("reshape");
}

static hf_status make_tasks(hf_plan *plan, hf_arena *arena)
{
    const size_t count = (size_t)plan->nodes.count;
    HF_TRY(hf_alloc(&plan->task, count + 1, sizeof *plan->task, "the tasks of a plan"));
    HF_TRY(hf_alloc(&plan->task_node, count + 1, sizeof *plan->task_node, "the tasks of a plan"));
    HF_TRY(hf_alloc(&plan->view, 2 * count + 1, sizeof *plan->view, "the views of a plan"));
    HF_TRY(place_all(plan, arena));
    for (int i = 0; i < plan->nodes.count; i++)
        if (plan->nodes.at[i]->kind == HF_NODE_OPERATOR && !is_view(plan->nodes.at[i]))
            HF_TRY(make_task(plan, arena, plan->nodes.at[i]));
    return HF_OK;
}

hf_status hf_plan_make_tasks(hf_plan *plan, hf_arena *arena)
{
    bool made[HF_MAX_CHUNKS] = { false };
    HF_TRY(hf_arena_reserve(arena, plan));
    hf_status status = allocate(arena, made);
    if (status == HF_OK) status = make_tasks(plan, arena);
    if (status == HF_OK) return HF_OK;
    hf_plan_free_tasks(plan); /* views before what they are views of */
    for (int c = 0; c < HF_MAX_CHUNKS; c++)
        if (made[c]) hf_buffer_free(&arena->chunk[c]);
    return status;
}

void hf_plan_free_tasks(hf_plan *plan)
{
    for (int i = 0; i < plan->nodes.count; i++)
        plan->nodes.at[i]->tensor.buffer = NULL;
    for (int i = 0; i < plan->n_tasks; i++)
        hf_task_free(&plan->task[i]);
    for (int i = 0; i < plan->n_views; i++)
        hf_buffer_free(&plan->view[i]);
    free(plan->task);
    free(plan->task_node);
    free(plan->view);
    plan->task = NULL;
    plan->task_node = NULL;
    plan->view = NULL;
    plan->n_tasks = plan->n_views = 0;
}
