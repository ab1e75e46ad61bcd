/* conditioning.c: which layers of a network are hyper layers, by name, and the embeddings they read. */
#include "conditioning.h"
#include <stdio.h>
#include <string.h>

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
