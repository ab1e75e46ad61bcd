/* layout.c: third pass. Chooses an implementation for every node and puts conversions where the memory layouts of
 * rank-5 values disagree.
 *
 * Values come out of their operator in whatever layout its implementation writes; a consumer that wants another one gets
 * a converted copy, made once and shared. Since implementations of neighbouring operators like the same layout,
 * conversions end up at the edges of the network. */
#include "passes.h"
#include <stdio.h>
#include <string.h>

static bool has_layout(const hf_node *node)
{
    return node && node->desc.shape.rank == 5;
}

/* The letter of operand i, or of result k, in "BPP>B". */
static char letter_in(const char *layouts, int i)
{
    for (; *layouts && *layouts != '>' && i > 0; i--)
        layouts++;
    return *layouts && *layouts != '>' ? *layouts : 'P';
}

static char letter_out(const char *layouts, int k)
{
    const char *out = strchr(layouts, '>');
    return out && (int)strlen(out + 1) > k ? out[1 + k] : 'P';
}

static hf_status convert(hf_node **out, hf_plan *plan, hf_nodes *list, hf_node *value, hf_layout layout)
{
    char name[192];
    if (value->desc.layout == layout) {
        *out = value;
        return HF_OK;
    }
    if (!value->converted[layout]) {
        snprintf(name, sizeof name, "%.150s.%s", value->name, layout == HF_BLOCKED ? "blocked" : "plain");
        HF_TRY(hf_plan_apply(&value->converted[layout], plan, list, "convert", name, NULL, 1, (hf_node *[]){ value }));
        hf_node *made = value->converted[layout];
        made->desc.layout = layout;
        made->backward = value->backward;
        for (int i = 0; i < hf_op_impl_count(made->op); i++) /* named for what it makes */
            if (strchr(hf_op_impl_layouts(made->op, i), '>')[1] == (layout == HF_BLOCKED ? 'B' : 'P')) made->impl = i;
    }
    *out = value->converted[layout];
    return HF_OK;
}

/* What 'A' stands for here: the layout of the first operand that has one. */
static hf_layout common_layout(const hf_node *node, const char *layouts)
{
    for (int i = 0; i < node->n_in; i++)
        if (has_layout(node->in[i]) && letter_in(layouts, i) == 'A') return node->in[i]->desc.layout;
    return HF_PLAIN;
}

static hf_layout layout_of(char letter, hf_layout common)
{
    return letter == 'B' ? HF_BLOCKED : letter == 'A' ? common : HF_PLAIN;
}

static hf_status visit(hf_plan *plan, hf_nodes *list, hf_node *node)
{
    hf_desc in[HF_MAX_IN] = { 0 };
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) in[i] = node->in[i]->desc;
    hf_context *context = plan->model->context;
    node->impl = hf_op_choose(context, node->op, &node->params, in, node->n_in);
    const char *layouts = hf_op_impl_layouts(node->op, node->impl);
    const hf_layout common = common_layout(node, layouts);
    for (int i = 0; i < node->n_in; i++)
        if (has_layout(node->in[i]))
            HF_TRY(convert(&node->in[i], plan, list, node->in[i], layout_of(letter_in(layouts, i), common)));
    for (int k = 0; k < node->n_out; k++)
        if (has_layout(node->result[k])) node->result[k]->desc.layout = layout_of(letter_out(layouts, k), common);
    /* The node's own memory needs follow from the operands as they are now. */
    node->scratch = hf_op_scratch(context, node->op, node->impl, &node->params, in, node->n_in);
    return hf_nodes_push(list, node);
}

hf_status hf_pass_layout(hf_plan *plan)
{
    hf_nodes list = { 0 };
    hf_status status = HF_OK;
    for (int i = 0; i < plan->nodes.count && status == HF_OK; i++) {
        hf_node *node = plan->nodes.at[i];
        status = node->kind == HF_NODE_OPERATOR ? visit(plan, &list, node) : hf_nodes_push(&list, node);
    }
    return hf_plan_replace(plan, &list, status);
}
