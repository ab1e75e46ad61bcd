/* node.c: nodes and lists of nodes, the stuff of graphs and plans. */
#include "node.h"
#include <stdlib.h>
#include <string.h>

hf_node hf_absent_node;

hf_status hf_nodes_push(hf_nodes *nodes, hf_node *node)
{
    if (nodes->count == nodes->capacity) {
        const int capacity = nodes->capacity ? 2 * nodes->capacity : 64;
        hf_node **grown = NULL;
        HF_TRY(hf_alloc(&grown, (size_t)capacity, sizeof *grown, "a list of nodes"));
        if (nodes->count) memcpy(grown, nodes->at, (size_t)nodes->count * sizeof *grown);
        free(nodes->at);
        nodes->at = grown;
        nodes->capacity = capacity;
    }
    node->id = nodes->count;
    nodes->at[nodes->count++] = node;
    return HF_OK;
}

hf_status hf_node_new(hf_node **out, hf_kind kind, const char *name)
{
    *out = NULL;
    hf_node *node = NULL;
    HF_TRY(hf_alloc(&node, 1, sizeof *node, "a node"));
    node->kind = kind;
    const hf_status status = hf_strdup(&node->name, name ? name : "");
    if (status != HF_OK) hf_node_free(&node);
    *out = node;
    return status;
}

void hf_node_free(hf_node **node)
{
    if (!node || !*node) return;
    free((*node)->name);
    free(*node);
    *node = NULL;
}

/* One of the nodes that stand for an operator's results; the list owns it. */
static hf_status add_result(hf_nodes *nodes, hf_node *owner, int index, const hf_desc *desc)
{
    hf_node *result = NULL;
    HF_TRY(hf_node_new(&result, HF_NODE_RESULT, owner->name));
    result->desc = *desc;
    result->owner = owner;
    result->index = index;
    const hf_status status = hf_nodes_push(nodes, result);
    if (status != HF_OK) hf_node_free(&result);
    owner->result[index] = result;
    return status;
}

hf_status hf_nodes_apply(hf_node **out, hf_nodes *nodes, const char *op_name, const char *name, const hf_params *params,
                         int n_in, hf_node *const *in)
{
    const hf_op *op = hf_op_find(op_name);
    hf_desc in_desc[HF_MAX_IN] = { 0 }, out_desc[HF_MAX_OUT];
    int n_out = 0;
    *out = NULL;
    if (!op) return hf_fail(HF_ERR_ARGUMENT, "there is no operator '%s'", op_name);
    if (n_in > HF_MAX_IN) return hf_fail(HF_ERR_ARGUMENT, "%s: %d operands are too many", op_name, n_in);
    for (int i = 0; i < n_in; i++)
        if (in[i]) in_desc[i] = in[i]->desc;
    const hf_status checked = hf_op_infer(op, params, in_desc, n_in, out_desc, &n_out);
    if (checked != HF_OK) return name && *name ? hf_fail_in(checked, "'%s'", name) : checked;
    hf_node *node = NULL;
    HF_TRY(hf_node_new(&node, HF_NODE_OPERATOR, name));
    node->op = op;
    if (params) node->params = *params;
    node->desc = out_desc[0];
    node->n_in = n_in;
    memcpy(node->in, in, (size_t)n_in * sizeof *in);
    node->n_out = n_out;
    node->result[0] = node;
    const hf_status pushed = hf_nodes_push(nodes, node);
    if (pushed != HF_OK) {
        hf_node_free(&node);
        return pushed;
    }
    for (int k = 1; k < n_out; k++)
        HF_TRY(add_result(nodes, node, k, &out_desc[k]));
    *out = node;
    return HF_OK;
}
