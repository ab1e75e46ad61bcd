/* gradient.c: second pass. Appends the backward nodes.
 *
 * Nodes are visited from the last to the first. When a node is reached, everything that uses it has been visited, so its
 * gradient is complete; then each rule of its operator is appended, and its results are added to the gradients of the
 * operands. Only what leads to a parameter is differentiated. A parameter's final gradient is marked with its slot, and
 * the memory pass places it right in the flat gradient buffer. */
#include "passes.h"
#include <stdio.h>
#include <string.h>

static void mark_needs(hf_plan *plan)
{
    for (int i = 0; i < plan->nodes.count; i++) {
        hf_node *node = plan->nodes.at[i];
        node->needs_gradient = node->kind == HF_NODE_PARAMETER;
        if (node->kind == HF_NODE_RESULT) node->needs_gradient = node->owner->needs_gradient;
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] && node->in[k]->needs_gradient) node->needs_gradient = true;
    }
}

static hf_status apply(hf_node **out, hf_plan *plan, const char *op, const hf_node *of, const hf_params *params,
                       int n_in, hf_node *const *in)
{
    char name[192];
    const int first = plan->nodes.count;
    snprintf(name, sizeof name, "%.150s.%s", of->name, op);
    HF_TRY(hf_plan_apply(out, plan, &plan->nodes, op, name, params, n_in, in));
    for (int i = first; i < plan->nodes.count; i++)
        plan->nodes.at[i]->backward = true;
    return HF_OK;
}

static hf_status contribute(hf_plan *plan, hf_node *to, hf_node *gradient)
{
    if (!to || !to->needs_gradient) return HF_OK;
    if (!to->gradient) {
        to->gradient = gradient;
        return HF_OK;
    }
    return apply(&to->gradient, plan, "add", to, NULL, 2, (hf_node *[]){ to->gradient, gradient });
}

/* The node that a rule's operand code stands for. */
static hf_node *operand(hf_node *node, int code, hf_node *gradient)
{
    if (code >= HF_DOUT(0)) return code == HF_DOUT(0) ? gradient : NULL;
    if (code >= HF_OUT(0)) return node->result[code - HF_OUT(0)];
    return code < node->n_in ? node->in[code] : NULL;
}

static bool rule_is_needed(const hf_node *node, const hf_rule *rule)
{
    for (const int *wrt = rule->wrt; *wrt != HF_RULE_END; wrt++)
        if (*wrt < node->n_in && node->in[*wrt] && node->in[*wrt]->needs_gradient) return true;
    return false;
}

static hf_status apply_rule(hf_plan *plan, hf_node *node, int number, hf_node *gradient)
{
    const hf_rule *rule = &hf_op_rules(node->op)[number];
    hf_desc in_desc[HF_MAX_IN] = { 0 };
    hf_node *in[HF_MAX_IN] = { 0 }, *out;
    int n_in = 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) in_desc[i] = node->in[i]->desc;
    for (; rule->in[n_in] != HF_RULE_END; n_in++)
        in[n_in] = operand(node, rule->in[n_in], gradient);
    if (strcmp(rule->op, "copy") == 0) { /* handing the gradient on needs no copy: values never change */
        for (int k = 0; rule->wrt[k] != HF_RULE_END; k++)
            HF_TRY(contribute(plan, node->in[rule->wrt[k]], in[0]));
        return HF_OK;
    }
    const hf_params params = hf_op_rule_params(node->op, &node->params, in_desc, node->n_in, number);
    HF_TRY(apply(&out, plan, rule->op, node, &params, n_in, in));
    for (int k = 0; rule->wrt[k] != HF_RULE_END; k++) {
        hf_node *to = rule->wrt[k] < node->n_in ? node->in[rule->wrt[k]] : NULL;
        HF_TRY(contribute(plan, to, out->result[k]));
    }
    return HF_OK;
}

static hf_status differentiate(hf_plan *plan, hf_node *node)
{
    hf_node *gradient = node->gradient;
    if (hf_op_rules(node->op)[0].op == NULL)
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': operator %s has no gradient", node->name, hf_op_name(node->op));
    if (node->params.activation == HF_RELU)
        HF_TRY(apply(&gradient, plan, "relu_dx", node, NULL, 2, (hf_node *[]){ node, gradient }));
    for (int r = 0; hf_op_rules(node->op)[r].op; r++)
        if (rule_is_needed(node, &hf_op_rules(node->op)[r])) HF_TRY(apply_rule(plan, node, r, gradient));
    return HF_OK;
}

/* A gradient lies in exactly one slot; one that serves two parameters is copied for the second. */
static hf_status assign_slot(hf_plan *plan, hf_node *parameter)
{
    hf_node *gradient = parameter->gradient;
    if (gradient->slot || gradient->kind == HF_NODE_ONE)
        HF_TRY(apply(&gradient, plan, "copy", parameter, NULL, 1, (hf_node *[]){ gradient }));
    gradient->slot = parameter->named + 1;
    gradient->keep = true;
    return HF_OK;
}

hf_status hf_pass_gradient(hf_plan *plan)
{
    if (!plan->loss) return HF_OK;
    const int forward = plan->nodes.count;
    hf_node *loss = hf_plan_follow(plan->loss);
    mark_needs(plan);
    if (hf_shape_count(&loss->desc.shape) != 1)
        return hf_fail(HF_ERR_SHAPE, "the loss '%s' has %lld elements, expected 1", loss->name,
                       (long long)hf_shape_count(&loss->desc.shape));
    if (!loss->needs_gradient) return hf_fail(HF_ERR_ARGUMENT, "the loss does not depend on any parameter");
    HF_TRY(hf_plan_leaf(&loss->gradient, plan, HF_NODE_ONE, "one", loss->desc.shape));
    for (int i = forward - 1; i >= 0; i--) {
        hf_node *node = plan->nodes.at[i];
        if (!node->gradient || !node->needs_gradient) continue;
        if (node->kind == HF_NODE_RESULT)
            return hf_fail(HF_ERR_UNSUPPORTED, "result %d of '%s' (%s) cannot be differentiated", node->index,
                           node->owner->name, hf_op_name(node->owner->op));
        if (node->kind == HF_NODE_OPERATOR) HF_TRY(differentiate(plan, node));
        if (node->kind == HF_NODE_PARAMETER) HF_TRY(assign_slot(plan, node));
    }
    return HF_OK;
}
