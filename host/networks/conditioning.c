/* conditioning.c: which layers of a network are hyper layers, by name, the embeddings they read, and the options of
 * networks. */
#include "conditioning.h"
#include <stdio.h>
#include <string.h>

#define MAX_NAME 160

/* ---- lists and words --------------------------------------------------------------------------------------------- */

/* The next word of a comma list; its length in *n. */
static const char *next_word(const char *at, size_t *n)
{
    at += strcspn(at, ",") == 0 && *at == ',';
    *n = strcspn(at, ",");
    return at;
}

/* Whether a comma list holds this word. */
static bool lists(const char *list, const char *word, size_t length)
{
    size_t n;
    for (const char *at = next_word(list, &n); *at; at = next_word(at + n, &n))
        if (n == length && strncmp(at, word, n) == 0) return true;
    return false;
}

static bool is(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static bool names(const char *list, const char *layer)
{
    return !is(list, "none") && lists(list, layer, strlen(layer));
}

static bool is_hyper(const hf_conditioning *c, const char *layer)
{
    return is(c->o.hyper_layers, "all") || names(c->o.hyper_layers, layer);
}

bool hf_conditioning_any(const hf_conditioning *c, const char *beginning)
{
    const char *list = c->o.hyper_layers;
    size_t n;
    if (is(list, "all")) return true;
    for (const char *at = next_word(list, &n); *at && !is(list, "none"); at = next_word(at + n, &n))
        if (strncmp(at, beginning, strlen(beginning)) == 0) return true;
    return false;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static const char *text_or(const char *asked, const char *own)
{
    return asked && *asked && strcmp(asked, "own") != 0 ? asked : own;
}

static hf_network_options options_over(const hf_network_options *asked, const hf_network_options *own)
{
    hf_network_options o = asked ? *asked : (hf_network_options){ 0 };
    if (!o.outputs) o.outputs = own->outputs;
    if (!o.width) o.width = own->width;
    if (!o.blocks) o.blocks = own->blocks;
    if (!o.depth) o.depth = own->depth;
    if (o.dropout == 0) o.dropout = own->dropout;
    if (o.momentum == 0) o.momentum = own->momentum;
    if (!o.embedding) o.embedding = own->embedding;
    if (o.variance == 0) o.variance = own->variance;
    if (!o.bottleneck) o.bottleneck = own->bottleneck;
    o.hyper_layers = text_or(o.hyper_layers, text_or(own->hyper_layers, "none"));
    o.concat_layers = text_or(o.concat_layers, text_or(own->concat_layers, "none"));
    o.hyper_start = text_or(o.hyper_start, own->hyper_start);
    o.embedding_kind = text_or(o.embedding_kind, own->embedding_kind);
    o.film = text_or(o.film, text_or(own->film, "both"));
    o.film_activation = text_or(o.film_activation, text_or(own->film_activation, "linear"));
    o.modulation = text_or(o.modulation, text_or(own->modulation, "none"));
    o.mix |= own->mix;
    if (o.auxiliary_mix == 0) o.auxiliary_mix = own->auxiliary_mix;
    if (o.auxiliary_loss == 0) o.auxiliary_loss = own->auxiliary_loss;
    if (o.image_share == 0) o.image_share = own->image_share;
    return o;
}

/* With weights 1 an embedding begins as the sum of the row. That is the same number for both halves of a one-hot pair,
 * as published; of any other row the sum says nothing, and layers that are nothing but multiples of it do not train.
 * Two numbers, and no batch norm: every number of an embedding adds a whole set of weights that moves at the pace of Adam,
 * and batches of a few rows make their mean and variance noise (doc/results.md has what that costs). */
static hf_network_options own_for(const hf_node *tabular, const hf_network_options *asked, hf_network_options own)
{
    const bool pair = hf_dim(tabular, 1) == 2 && (!asked || asked->columns <= 1);
    const bool chosen = asked && (text_or(asked->embedding_kind, NULL) || is(asked->hyper_start, "published"));
    if (!is(own.embedding_kind, "fill") || pair || chosen) return own;
    own.embedding_kind = "linear";
    own.embedding = 2;
    own.variance = 1;
    return own;
}

hf_network_options hf_conditioning_options(const hf_node *tabular, const hf_network_options *asked,
                                           const hf_network_options *own)
{
    const hf_network_options fitting = own_for(tabular, asked, *own);
    hf_network_options o = options_over(asked, &fitting);
    if (!o.hyper_start) o.hyper_start = is(o.embedding_kind, "fill") ? "published" : "ordinary";
    if (o.auxiliary_mix < 0) o.auxiliary_mix = 0;
    if (o.image_share < 0) o.image_share = 0;
    return o;
}

static void check_word(hf_graph *graph, const char *option, const char *found, const char *words)
{
    if (lists(words, found, strlen(found))) return;
    hf_graph_fail(graph, HF_ERR_ARGUMENT, "%s '%s': expected one of %s", option, found, words);
}

static void check_size(hf_graph *graph, const char *option, int found, int most)
{
    if (found >= 1 && found <= most) return;
    hf_graph_fail(graph, HF_ERR_ARGUMENT, "%s %d: expected 1 to %d", option, found, most);
}

static void check_options(hf_graph *graph, const hf_network_options *o)
{
    check_size(graph, "outputs", o->outputs, 1024);
    check_size(graph, "width", o->width, 1024);
    check_size(graph, "blocks", o->blocks, 8);
    check_size(graph, "depth", o->depth, 8);
    check_size(graph, "embedding", o->embedding, 4096);
    check_size(graph, "bottleneck", o->bottleneck, 4096);
    check_word(graph, "hyper_start", o->hyper_start, "published,ordinary");
    check_word(graph, "embedding_kind", o->embedding_kind, "fill,linear,mlp");
    check_word(graph, "film", o->film, "both,scale,shift");
    check_word(graph, "film_activation", o->film_activation, "linear,sigmoid,tanh");
    check_word(graph, "modulation", o->modulation, "none,row,both");
}

hf_conditioning hf_conditioning_open(hf_graph *graph, hf_node *tabular, const hf_network_options *options)
{
    hf_conditioning c = { graph, *options, tabular, tabular, NULL, { 0 }, { 0 } };
    check_options(graph, &c.o);
    if (!tabular && (!is(c.o.hyper_layers, "none") || !is(c.o.concat_layers, "none")))
        hf_graph_fail(graph, HF_ERR_ARGUMENT,
                      "layers '%s' are to be generated from a table row, '%s' to be given one, but there is no row",
                      c.o.hyper_layers, c.o.concat_layers);
    return c;
}

static void check_list(const hf_conditioning *c, const char *list, const char *kind, const char *there_are)
{
    size_t n;
    if (is(list, "all") || is(list, "none")) return;
    for (const char *at = next_word(list, &n); *at; at = next_word(at + n, &n))
        if (!lists(there_are, at, n))
            hf_graph_fail(c->graph, HF_ERR_ARGUMENT, "%s layer '%.*s' is not a layer of this network; there are %s",
                          kind, (int)n, at, there_are);
}

hf_node *hf_conditioning_close(hf_conditioning *c, hf_node *result)
{
    if (hf_text_check(&c->layers) != HF_OK || hf_text_check(&c->linear) != HF_OK) {
        result = hf_graph_fail(c->graph, HF_ERR_MEMORY, "no memory for the names of layers");
    } else if (result && c->linear.data) {
        check_list(c, c->o.hyper_layers, "hyper", c->layers.data);
        check_list(c, c->o.concat_layers, "concatenation", c->linear.data);
        if (hf_graph_check(c->graph) != HF_OK) result = NULL;
    }
    hf_text_free(&c->layers);
    hf_text_free(&c->linear);
    return result;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static const char *part_of(char label[MAX_NAME], const char *name, const char *part)
{
    snprintf(label, MAX_NAME, "%.120s.%s", name, part);
    return label;
}

/* Of the kinds "fill" and "linear". */
static hf_node *linear_embedding(const hf_conditioning *c, const char *name)
{
    char label[MAX_NAME];
    const hf_shape weight = HF_SHAPE(c->o.embedding, hf_dim(c->source, 1)), bias = HF_SHAPE(c->o.embedding);
    if (is(c->o.embedding_kind, "linear")) return hf_linear(c->source, name, c->o.embedding, NULL);
    hf_node *w = hf_parameter(c->graph, part_of(label, name, "weight"), weight, (hf_init){ HF_INIT_CONSTANT, 1 });
    hf_node *b = hf_parameter(c->graph, part_of(label, name, "bias"), bias, (hf_init){ HF_INIT_CONSTANT, 0 });
    return hf_apply(c->graph, "linear", name, NULL, 3, (hf_node *[]){ c->source, w, b });
}

static hf_node *mlp_embedding(const hf_conditioning *c, const char *name)
{
    char label[MAX_NAME];
    hf_node *e = hf_linear(c->source, part_of(label, name, "linear"), c->o.embedding, NULL);
    e = hf_batch_norm(e, part_of(label, name, "batchnorm"), 0.1);
    return hf_prelu(e, part_of(label, name, "prelu"));
}

hf_node *hf_conditioned_embedding(hf_conditioning *c, const char *name)
{
    const bool before = c->o.hold_embedding && hf_graph_hold(c->graph, true);
    c->embedding = is(c->o.embedding_kind, "mlp") ? mlp_embedding(c, name) : linear_embedding(c, name);
    if (c->o.hold_embedding) hf_graph_hold(c->graph, before);
    return c->embedding;
}

static void add_word(hf_text *list, const char *word)
{
    hf_text_add(list, "%s%s", list->size ? "," : "", word);
}

static hf_layer_options options_for(hf_conditioning *c, const char *name, hf_layer_options o)
{
    char label[MAX_NAME];
    add_word(&c->layers, name);
    if (!c->source || !is_hyper(c, name)) return o;
    if (c->o.share_embedding)
        o.embedding = c->embedding ? c->embedding : hf_conditioned_embedding(c, "embedding");
    else
        o.embedding = hf_conditioned_embedding(c, part_of(label, name, "embedding"));
    o.variance = c->o.variance;
    o.start = is(c->o.hyper_start, "ordinary") ? HF_START_ORDINARY : HF_START_HYPERFAN;
    return o;
}

hf_node *hf_conditioned_linear(hf_node *x, hf_conditioning *c, const char *name, int units)
{
    const hf_layer_options o = options_for(c, name, (hf_layer_options){ 0 });
    add_word(&c->linear, name);
    if (c->tabular && names(c->o.concat_layers, name)) x = hf_concat(x, c->tabular, 1);
    return hf_linear(x, name, units, &o);
}

hf_node *hf_conditioned_conv3d(hf_node *x, hf_conditioning *c, const char *name, int channels,
                               const hf_layer_options *geometry)
{
    const hf_layer_options o = options_for(c, name, *geometry);
    return hf_conv3d(x, name, channels, &o);
}
