/* networks.c: the table of networks, and what can be asked of any of them. */
#include "conditioning.h"
#include "plan/plan.h"
#include <stdlib.h>
#include <string.h>

extern const hf_network hf_networks_brain_age[], hf_networks_ad[];

static const hf_network *const families[] = { hf_networks_brain_age, hf_networks_ad };
#define N_FAMILIES (sizeof families / sizeof families[0])

const hf_network *hf_network_at(int index)
{
    for (size_t f = 0; f < N_FAMILIES; f++)
        for (const hf_network *network = families[f]; network->name; network++)
            if (index-- == 0) return network;
    return NULL;
}

const hf_network *hf_network_find(const char *name)
{
    const hf_network *network;
    for (int i = 0; (network = hf_network_at(i)); i++)
        if (strcmp(network->name, name) == 0) return network;
    return NULL;
}

hf_node *hf_network_build(const hf_network *network, hf_node *image, hf_node *tabular, const hf_network_options *asked)
{
    hf_node *row = network->uses_tabular ? tabular : NULL;
    const hf_network_options options = hf_conditioning_options(row, asked, &network->own);
    return network->build(image, row, &options);
}

hf_network_parts hf_network_parts_of(const hf_network *network, const hf_network_options *asked)
{
    hf_network_parts parts = { 1, { 1 }, { 1 } };
    const hf_network_options options = hf_conditioning_options(NULL, asked, &network->own);
    if (network->parts) network->parts(&parts, &options);
    return parts;
}

hf_status hf_network_embedding_variance(double *out, const hf_network *network, const hf_network_options *options,
                                        hf_context *context, uint64_t seed, const float *rows, int64_t count,
                                        int64_t width)
{
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_plan *plan = NULL;
    float *embedded = NULL; /* [count,J] */
    hf_status status = HF_OK;
    if (!network->embed) return hf_fail(HF_ERR_UNSUPPORTED, "the network '%s' has no embedding", network->name);
    HF_TRY_OUT(hf_model_new(&model, context, seed));
    HF_TRY_OUT(hf_graph_new(&graph, model, false));
    hf_node *row = hf_input(graph, "tabular", HF_SHAPE(count, width));
    const hf_network_options complete = hf_conditioning_options(row, options, &network->own);
    hf_node *embedding = network->embed(row, &complete);
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .keep = &embedding, .n_keep = 1 }));
    HF_TRY_OUT(hf_alloc(&embedded, (size_t)(count * hf_dim(embedding, 1)), sizeof *embedded, "embedded rows"));
    HF_TRY_OUT(hf_plan_set(plan, "tabular", rows, count * width));
    HF_TRY_OUT(hf_plan_run(plan));
    HF_TRY_OUT(hf_plan_get(plan, embedding, embedded, count * hf_dim(embedding, 1)));
    *out = hf_hyperfan_variance(embedded, count, hf_dim(embedding, 1));
out:
    free(embedded);
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return status;
}
