/* networks.c: the table of networks, and conditioning by name. */
#include "networks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const hf_network hf_networks_brain_age[];

static const hf_network *const families[] = { hf_networks_brain_age };
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

/* Whether a comma list holds this word. */
static bool lists(const char *list, const char *word, size_t length)
{
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',') {
        const size_t n = strcspn(at, ",");
        if (n == length && strncmp(at, word, n) == 0) return true;
    }
    return false;
}

hf_conditioning hf_conditioning_of(hf_node *tabular, const hf_network_options *options, const char *layers,
                                   const char *hyper_default, int embedding, double variance)
{
    static const hf_network_options none = { 0 };
    const hf_network_options *o = options ? options : &none;
    const char *hyper = o->hyper_layers && *o->hyper_layers ? o->hyper_layers : hyper_default;
    hf_conditioning c = { tabular, hyper, o->embedding ? o->embedding : embedding,
                          o->variance > 0 ? o->variance : variance };
    if (strcmp(hyper, "all") == 0) c.hyper = layers;
    if (strcmp(hyper, "none") == 0) c.hyper = "";
    for (const char *at = c.hyper; *at; at += strcspn(at, ","), at += *at == ',') {
        const size_t n = strcspn(at, ",");
        if (!lists(layers, at, n))
            hf_graph_fail(hf_node_graph(tabular), HF_ERR_ARGUMENT,
                          "hyper layer '%.*s' is not a layer of this network; there are %s", (int)n, at, layers);
    }
    return c;
}

/* Each hyper layer has an embedding of its own: with weights 1 and bias 0 a one-hot pair starts at 1 for both sexes, so
 * that the generated weights separate only by training. */
hf_node *hf_conditioned_embedding(const hf_conditioning *c, const char *name)
{
    char label[160];
    hf_graph *graph = hf_node_graph(c->tabular);
    const hf_shape weight = HF_SHAPE(c->embedding, hf_dim(c->tabular, 1)), bias = HF_SHAPE(c->embedding);
    snprintf(label, sizeof label, "%.120s.embedding.weight", name);
    hf_node *w = hf_parameter(graph, label, weight, (hf_init){ HF_INIT_CONSTANT, 1 });
    snprintf(label, sizeof label, "%.120s.embedding.bias", name);
    hf_node *b = hf_parameter(graph, label, bias, (hf_init){ HF_INIT_CONSTANT, 0 });
    snprintf(label, sizeof label, "%.120s.embedding", name);
    return hf_apply(graph, "linear", label, NULL, 3, (hf_node *[]){ c->tabular, w, b });
}

static hf_layer_options options_for(const hf_conditioning *c, const char *name)
{
    hf_layer_options o = { 0 };
    if (!c->hyper || !lists(c->hyper, name, strlen(name))) return o;
    o.embedding = hf_conditioned_embedding(c, name);
    o.variance = c->variance;
    return o;
}

hf_node *hf_conditioned_linear(hf_node *x, const hf_conditioning *c, const char *name, int units)
{
    const hf_layer_options o = options_for(c, name);
    return hf_linear(x, name, units, &o);
}

hf_node *hf_conditioned_conv3d(hf_node *x, const hf_conditioning *c, const char *name, int channels, int kernel,
                               int pad)
{
    hf_layer_options o = options_for(c, name);
    o.kernel = kernel;
    o.pad = pad;
    return hf_conv3d(x, name, channels, &o);
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
    hf_node *embedding = network->embed(hf_input(graph, "tabular", HF_SHAPE(count, width)), options);
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .keep = &embedding, .n_keep = 1 }));
    HF_TRY_OUT(hf_alloc(&embedded, (size_t)(count * hf_dim(embedding, 1)), sizeof *embedded, "embedded rows"));
    HF_TRY_OUT(hf_plan_set(plan, "tabular", rows));
    HF_TRY_OUT(hf_plan_run(plan));
    HF_TRY_OUT(hf_plan_get(plan, embedding, embedded));
    *out = hf_hyperfan_variance(embedded, count, hf_dim(embedding, 1));
out:
    free(embedded);
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return status;
}
