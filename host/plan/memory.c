/* memory.c: fourth pass. Decides where every value lies.
 *
 * Parameters, states and parameter gradients have fixed places in the model. Everything else goes into the arena: each
 * value is alive from the task that writes it to the last one that reads it, and values whose lives do not overlap may
 * share memory. Largest first, each at the lowest place that is free during its life. Before that, values that need no
 * memory of their own are joined to another one's: a reshape is a view, and a result that may overwrite an operand does,
 * when nobody needs that operand afterwards.
 * The arena is cut into chunks no larger than the largest buffer the device allows. */
#include "passes.h"
#include <stdlib.h>
#include <string.h>

static bool is_placed(const hf_node *node) /* in the model, not in the arena */
{
    return node->kind == HF_NODE_PARAMETER || node->kind == HF_NODE_STATE || node->kind == HF_NODE_RANDOM ||
           node->kind == HF_NODE_ONE || node->slot;
}

/* ---- what is needed at all, and for how long --------------------------------------------------------------------- */

static void want(hf_node *node)
{
    node->wanted = true;
    if (node->owner) node->owner->wanted = true;
}

/* From the end: kept values, and what wanted nodes read. Nodes nobody wants are dropped. */
static hf_status drop_unwanted(hf_plan *plan)
{
    hf_nodes list = { 0 };
    hf_status status = HF_OK;
    for (int i = plan->nodes.count - 1; i >= 0; i--) {
        hf_node *node = plan->nodes.at[i];
        if (node->keep) want(node);
        for (int k = 0; node->wanted && k < node->n_in; k++)
            if (node->in[k]) want(node->in[k]);
    }
    for (int i = 0; i < plan->nodes.count && status == HF_OK; i++) {
        hf_node *node = plan->nodes.at[i];
        if (node->wanted || (node->owner && node->owner->wanted)) status = hf_nodes_push(&list, node);
    }
    return hf_plan_replace(plan, &list, status);
}

static void find_lives(hf_plan *plan)
{
    for (int i = 0; i < plan->nodes.count; i++) {
        hf_node *node = plan->nodes.at[i];
        node->storage = node;
        node->first = node->kind == HF_NODE_INPUT ? -1 : node->owner ? node->owner->id : i;
        /* Inputs keep their memory too, so that a second run without setting them again sees the same values. */
        node->last = node->keep || node->kind == HF_NODE_INPUT ? plan->nodes.count : node->first > i ? node->first : i;
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] && node->in[k]->last < i) node->in[k]->last = i;
    }
}

/* ---- joining ----------------------------------------------------------------------------------------------------- */

static hf_node *root(hf_node *node)
{
    while (node->storage != node)
        node = node->storage;
    return node;
}

static void join(hf_node *node, hf_node *to)
{
    to = root(to);
    node->storage = to;
    if (to->last < node->last) to->last = node->last;
    if (node->slot) to->slot = node->slot; /* only for values that were not placed yet */
}

/* A reshape in the plain layout is its operand under another shape. When its result has a place in the model, the
 * operand is put there instead, if it is free to go. */
static bool join_reshape(hf_node *node)
{
    if (strcmp(hf_op_name(node->op), "reshape") != 0 || node->in[0]->desc.layout != HF_PLAIN) return false;
    if (node->slot && (is_placed(root(node->in[0])) || root(node->in[0])->kind == HF_NODE_INPUT)) return false;
    join(node, node->in[0]);
    return true;
}

static void join_replacement(hf_node *node, int k)
{
    const int operand = hf_op_replaces(node->op, k);
    hf_node *result = node->result[k], *in = operand >= 0 && operand < node->n_in ? node->in[operand] : NULL;
    if (!in) return;
    hf_node *old = root(in);
    const bool state = in->kind == HF_NODE_STATE;
    const bool free_to_go =
        !is_placed(old) && old->kind != HF_NODE_INPUT && !old->keep && old->last == node->id && !result->slot;
    if (!state && !free_to_go) return;
    if (hf_desc_bytes(&in->desc) != hf_desc_bytes(&result->desc) || in->desc.layout != result->desc.layout) return;
    join(result, in);
}

static void join_all(hf_plan *plan)
{
    for (int i = 0; i < plan->nodes.count; i++) {
        hf_node *node = plan->nodes.at[i];
        if (node->kind != HF_NODE_OPERATOR || join_reshape(node)) continue;
        for (int k = 0; k < node->n_out; k++)
            join_replacement(node, k);
    }
}

/* ---- placing ----------------------------------------------------------------------------------------------------- */

/* A value or a task's scratch memory, alive during [first,last]. */
typedef struct hf_item {
    size_t bytes;
    int first, last;
    int *chunk;
    size_t *offset;
    int order; /* of appearance: makes the sort stable */
} hf_item;

static int larger_first(const void *a, const void *b)
{
    const hf_item *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->order - y->order;
}

static size_t round_up(size_t bytes, size_t align)
{
    return (bytes + align - 1) / align * align;
}

static int collect(hf_item *items, hf_plan *plan, size_t align)
{
    int n = 0;
    for (int i = 0; i < plan->nodes.count; i++) {
        hf_node *node = plan->nodes.at[i];
        if (node->storage == node && !is_placed(node)) {
            items[n] = (hf_item){
                round_up(hf_desc_bytes(&node->desc), align), node->first, node->last, &node->chunk, &node->offset, n
            };
            n++;
        }
        if (node->scratch) {
            items[n] =
                (hf_item){ round_up(node->scratch, align), i, i, &node->scratch_chunk, &node->scratch_offset, n };
            n++;
        }
    }
    return n;
}

/* The lowest offset in this chunk where the item meets none of those placed before it that are alive with it. */
static size_t lowest_offset(const hf_item *item, const hf_item *placed, int n_placed, int chunk)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n_placed; i++) {
            const hf_item *other = &placed[i];
            if (*other->chunk != chunk || other->last < item->first || item->last < other->first) continue;
            if (offset + item->bytes <= *other->offset || *other->offset + other->bytes <= offset) continue;
            offset = *other->offset + other->bytes;
            moved = true;
        }
    }
    return offset;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Planning never fails for want of memory, so that the need can be told on any device: a value larger than `limit` gets a
 * chunk to itself, and what no chunk has room for goes into the last one. Binding is what refuses. */
static void place(hf_plan *plan, hf_item *items, int n, size_t limit)
{
    for (int i = 0; i < n; i++) {
        int chunk = 0;
        size_t offset = lowest_offset(&items[i], items, i, chunk);
        while (offset + items[i].bytes > larger(limit, plan->chunk_bytes[chunk]) && chunk < plan->n_chunks &&
               chunk + 1 < HF_MAX_CHUNKS)
            offset = lowest_offset(&items[i], items, i, ++chunk);
        *items[i].chunk = chunk;
        *items[i].offset = offset;
        if (plan->n_chunks <= chunk) plan->n_chunks = chunk + 1;
        if (plan->chunk_bytes[chunk] < offset + items[i].bytes) plan->chunk_bytes[chunk] = offset + items[i].bytes;
    }
}

hf_status hf_pass_memory(hf_plan *plan)
{
    const hf_device_info *info = hf_context_device(plan->model->context);
    hf_item *items = NULL;
    HF_TRY(drop_unwanted(plan));
    find_lives(plan);
    join_all(plan);
    HF_TRY(hf_alloc(&items, 2 * (size_t)plan->nodes.count + 1, sizeof *items, "the memory plan"));
    const int n = collect(items, plan, info->align);
    qsort(items, (size_t)n, sizeof *items, larger_first);
    place(plan, items, n, info->max_alloc ? info->max_alloc : SIZE_MAX);
    free(items);
    return HF_OK;
}
