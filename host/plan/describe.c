/* describe.c: what a plan will do, for people and for programs. */
#include "passes.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

uint64_t hf_node_flop(const hf_node *node)
{
    hf_desc in[HF_MAX_IN] = { 0 };
    if (node->kind != HF_NODE_OPERATOR) return 0;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) in[i] = node->in[i]->desc;
    return hf_op_flop(node->op, &node->params, in, node->n_in);
}

/* Parameters among a node's operands; each is counted where it is first used. */
static int64_t node_parameters(const hf_plan *plan, const hf_node *node)
{
    int64_t count = 0;
    for (int k = 0; k < node->n_in; k++) {
        const hf_node *in = node->in[k];
        if (!in || in->kind != HF_NODE_PARAMETER) continue;
        int first = 0;
        for (bool used = false; !used && first < node->id; first++)
            for (int i = 0; i < plan->nodes.at[first]->n_in; i++)
                if (plan->nodes.at[first]->in[i] == in) used = true;
        if (first == node->id) count += hf_shape_count(&in->desc.shape);
    }
    return count;
}

hf_plan_info hf_plan_summary(const hf_plan *plan)
{
    hf_plan_info info = { .parameters = hf_model_parameter_count(plan->model) };
    for (int i = 0; i < plan->nodes.count; i++) {
        const hf_node *node = plan->nodes.at[i];
        const uint64_t flop = hf_node_flop(node);
        info.flop += flop;
        if (!node->backward) info.flop_forward += flop;
        info.tasks += node->kind == HF_NODE_OPERATOR;
    }
    for (int c = 0; c < plan->n_chunks; c++)
        info.bytes_peak += plan->chunk_bytes[c];
    for (int i = 0; i < plan->model->n_slots; i++) {
        const hf_desc desc = { plan->model->slot[i].shape, HF_F32, HF_PLAIN };
        info.bytes_parameters += hf_desc_bytes(&desc) * (plan->model->slot[i].is_parameter ? 2 : 1);
    }
    return info;
}

/* Calls `each` for every implementation that comes before the chosen one in the list. */
typedef void hf_refusal(void *user, const char *impl, const char *why);

static void refusals(const hf_plan *plan, const hf_node *node, hf_refusal *each, void *user)
{
    hf_desc in[HF_MAX_IN] = { 0 };
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) in[i] = node->in[i]->desc;
    for (int i = 0; i < node->impl; i++) {
        const char *why = hf_op_impl_refusal(plan->model->context, node->op, i, &node->params, in, node->n_in);
        each(user, hf_op_impl_name(node->op, i), why ? why : "another was preferred");
    }
}

static void add_refusal(void *user, const char *impl, const char *why)
{
    hf_text_add(user, "; not %s: %s", impl, why);
}

static void describe_node(hf_text *out, const hf_plan *plan, const hf_node *node)
{
    char shape[96];
    hf_text_add(out, "%-34.34s %-18.18s %-22s %-8s %10lld %10.2f %10.2f  %s", *node->name ? node->name : "-",
                hf_op_name(node->op), hf_shape_text(&node->desc.shape, shape), hf_op_impl_name(node->op, node->impl),
                (long long)node_parameters(plan, node), (double)hf_desc_bytes(&node->desc) / 1048576,
                (double)hf_node_flop(node) / 1e9, node->desc.layout == HF_BLOCKED ? "blocked" : "");
    refusals(plan, node, add_refusal, out);
    hf_text_add(out, "\n");
}

hf_status hf_plan_describe(const hf_plan *plan, hf_text *out)
{
    const hf_plan_info info = hf_plan_summary(plan);
    hf_text_add(out, "%-34s %-18s %-22s %-8s %10s %10s %10s\n", "node", "operator", "shape", "impl", "parameters",
                "MiB", "GFLOP");
    for (int i = 0; i < plan->nodes.count; i++)
        if (plan->nodes.at[i]->kind == HF_NODE_OPERATOR) describe_node(out, plan, plan->nodes.at[i]);
    hf_text_add(out,
                "\n%lld parameters, %.2f GFLOP forward, %.2f GFLOP a run, %d tasks\n"
                "%.1f MiB for values (peak), %.1f MiB for parameters, gradients and states\n",
                (long long)info.parameters, (double)info.flop_forward / 1e9, (double)info.flop / 1e9, info.tasks,
                (double)info.bytes_peak / 1048576, (double)info.bytes_parameters / 1048576);
    return hf_text_check(out);
}

static void add_refusal_json(void *user, const char *impl, const char *why)
{
    json_array_append_new(user, json_pack("{s:s, s:s}", "impl", impl, "why", why));
}

static json_t *node_json(const hf_plan *plan, const hf_node *node)
{
    json_t *shape = json_array(), *refused = json_array();
    for (int i = 0; i < node->desc.shape.rank; i++)
        json_array_append_new(shape, json_integer(node->desc.shape.dim[i]));
    refusals(plan, node, add_refusal_json, refused);
    return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:b}", "name", node->name, "op",
                     hf_op_name(node->op), "shape", shape, "layout",
                     node->desc.layout == HF_BLOCKED ? "blocked" : "plain", "impl",
                     hf_op_impl_name(node->op, node->impl), "refused", refused, "parameters",
                     (json_int_t)node_parameters(plan, node), "bytes", (json_int_t)hf_desc_bytes(&node->desc), "flop",
                     (json_int_t)hf_node_flop(node), "backward", (int)node->backward);
}

hf_status hf_plan_nodes_json(const hf_plan *plan, hf_text *out)
{
    json_t *nodes = json_array();
    for (int i = 0; i < plan->nodes.count; i++)
        if (plan->nodes.at[i]->kind == HF_NODE_OPERATOR)
            json_array_append_new(nodes, node_json(plan, plan->nodes.at[i]));
    char *text = json_dumps(nodes, JSON_COMPACT);
    json_decref(nodes);
    if (!text) return hf_fail(HF_ERR_MEMORY, "no memory for the plan as JSON");
    hf_text_add(out, "%s", text);
    free(text);
    return hf_text_check(out);
}
