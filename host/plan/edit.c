/* edit.c: how the passes edit a plan: lists under construction, whose new nodes the plan owns. */
#include "passes.h"
#include <stdlib.h>

hf_status hf_plan_own(hf_plan *plan, hf_nodes *list, int first)
{
    for (int i = first; i < list->count; i++) {
        const int id = list->at[i]->id;
        const hf_status status = hf_nodes_push(&plan->all, list->at[i]);
        list->at[i]->id = id; /* its place in the list that runs, not in the list that owns */
        if (status == HF_OK) continue;
        for (int k = i; k < list->count; k++)
            hf_node_free(&list->at[k]);
        list->count = i;
        return status;
    }
    return HF_OK;
}

hf_status hf_plan_apply(hf_node **out, hf_plan *plan, hf_nodes *list, const char *op, const char *name,
                        const hf_params *params, int n_in, hf_node *const *in)
{
    const int first = list->count;
    const hf_status status = hf_nodes_apply(out, list, op, name, params, n_in, in);
    const hf_status owned = hf_plan_own(plan, list, first);
    return status != HF_OK ? status : owned;
}

hf_status hf_plan_leaf(hf_node **out, hf_plan *plan, hf_kind kind, const char *name, hf_shape shape)
{
    const int first = plan->nodes.count;
    HF_TRY(hf_node_new(out, kind, name));
    (*out)->desc = (hf_desc){ shape, HF_F32, HF_PLAIN };
    const hf_status status = hf_nodes_push(&plan->nodes, *out);
    if (status != HF_OK) hf_node_free(out);
    return status == HF_OK ? hf_plan_own(plan, &plan->nodes, first) : status;
}

hf_status hf_plan_replace(hf_plan *plan, hf_nodes *list, hf_status status)
{
    if (status != HF_OK) {
        free(list->at);
        return status;
    }
    free(plan->nodes.at);
    plan->nodes = *list;
    for (int i = 0; i < list->count; i++)
        list->at[i]->id = i;
    return HF_OK;
}

hf_node *hf_plan_follow(hf_node *node)
{
    while (node->replaced_by)
        node = node->replaced_by;
    return node;
}
