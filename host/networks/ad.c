/* ad.c: diagnosis from a T1 crop around a hippocampus (HyperFusion paper, Table 6) and the networks it is compared with: a
 * ResNet of pre-activation blocks, global average pooling, two linear layers; beside it the table row alone.
 *
 *   block(x) = conv2(drop(relu(bn2(conv1(drop(relu(bn1(x)))))))) + conv(bn(x))     3x3x3 twice; shortcut 1x1x1
 *
 * In the HyperFusion network the shortcut of the last block is generated from the row, and comes before its batch norm
 * instead of behind it: nothing else would tell the rows apart. */
#include "conditioning.h"
#include <stdio.h>
#include <string.h>

#define SHAPE                                                                                                          \
    .outputs = 3, .width = 16, .blocks = 4, .depth = 1, .dropout = 0, .momentum = 0.05, .embedding_kind = "mlp",       \
    .embedding = 8, .variance = 1, .bottleneck = 7

typedef struct hf_block {
    const char *name;
    int channels, stride;
    double dropout;
    bool reversed; /* shortcut: convolution, then batch norm */
    bool last;     /* the one that variants change */
} hf_block;

static const char *part_of(char label[64], const char *block, const char *part)
{
    snprintf(label, 64, "%s.%s", block, part);
    return label;
}

static hf_node *pooled_and_row(hf_node *x, const hf_conditioning *c)
{
    return hf_concat(hf_global_avg_pool3d(x), c->tabular, 1);
}

/* What FiLM and DAFT make of the last block's input. */
static hf_node *modulated(hf_node *x, hf_conditioning *c, const char *block)
{
    char name[64];
    hf_node *by = strcmp(c->o.modulation, "both") == 0 ? pooled_and_row(x, c) : c->tabular;
    if (strcmp(c->o.modulation, "none") == 0) return x;
    return hf_modulated(x, c, part_of(name, block, "film"), by);
}

static hf_node *half(hf_node *x, hf_conditioning *c, const hf_block *b, int number)
{
    const hf_layer_options geometry = { .kernel = 3, .stride = number == 1 ? b->stride : 1, .pad = 1 };
    char name[64], part[16];
    snprintf(part, sizeof part, "batchnorm%d", number);
    x = hf_dropout_channels(hf_relu(hf_batch_norm(x, part_of(name, b->name, part), c->o.momentum)), b->dropout);
    snprintf(part, sizeof part, "conv%d", number);
    return hf_conditioned_conv3d(x, c, part_of(name, b->name, part), b->channels, &geometry);
}

static hf_node *shortcut(hf_node *x, hf_conditioning *c, const hf_block *b)
{
    const hf_layer_options geometry = { .kernel = 1, .stride = b->stride };
    char name[64], norm[64];
    part_of(name, b->name, "shortcut");
    part_of(norm, b->name, "shortcut_batchnorm");
    if (b->stride == 1 && hf_dim(x, 1) == b->channels) return x;
    if (b->reversed)
        return hf_batch_norm(hf_conditioned_conv3d(x, c, name, b->channels, &geometry), norm, c->o.momentum);
    return hf_conditioned_conv3d(hf_batch_norm(x, norm, c->o.momentum), c, name, b->channels, &geometry);
}

static hf_node *block(hf_node *x, hf_conditioning *c, const hf_block *b)
{
    if (b->last && c->o.mix) c->source = pooled_and_row(x, c);
    hf_node *main = b->last ? modulated(x, c, b->name) : x;
    main = half(half(main, c, b, 1), c, b, 2);
    return hf_add(main, shortcut(x, c, b));
}

/* Published: 0.1, 0.2, 0.2, 0.3. */
static double block_dropout(const hf_conditioning *c, int index)
{
    if (c->o.dropout != 0) return c->o.dropout > 0 ? c->o.dropout : 0;
    return index == 0 ? 0.1 : index == c->o.blocks - 1 ? 0.3 : 0.2;
}

static double linear_dropout(const hf_conditioning *c, double published)
{
    if (c->o.dropout != 0) return c->o.dropout > 0 ? c->o.dropout : 0;
    return published;
}

/* The blocks at one resolution: "block2", and behind it "block2_b", "block2_c" ... The reference turns the shortcut of the
 * last one round as soon as anything from there on is a hyper layer. */
static hf_node *stage(hf_node *x, hf_conditioning *c, int index)
{
    char name[32], layers[40];
    const bool last = index == c->o.blocks - 1;
    for (int i = 0; i < c->o.depth; i++) {
        snprintf(name, sizeof name, "block%d", index + 1);
        if (i > 0) snprintf(name, sizeof name, "block%d_%c", index + 1, 'a' + i);
        snprintf(layers, sizeof layers, "%s.", name);
        const bool hyper = hf_conditioning_any(c, layers) || (last && hf_conditioning_any(c, "fc"));
        const hf_block b = {
            name, c->o.width * (2 << index), index > 0 && i == 0 ? 2 : 1, block_dropout(c, index), hyper, last && i == 0
        };
        x = block(x, c, &b);
    }
    return x;
}

/* The linear layer beside the network that reads the embedding: a share of the output, or an output with a loss of its own
 * behind it, or both. */
static hf_node *with_auxiliary(hf_node *x, hf_conditioning *c)
{
    const double share = c->o.auxiliary_mix;
    if (share == 0 && c->o.auxiliary_loss == 0) return x;
    if (!c->embedding)
        return hf_graph_fail(c->graph, HF_ERR_ARGUMENT,
                             "an auxiliary output needs a hyper layer, whose embedding it reads");
    hf_node *auxiliary = hf_linear(c->embedding, "auxiliary", c->o.outputs, NULL);
    if (share > 0) x = hf_add(hf_scale(x, 1 - share), hf_scale(auxiliary, share));
    return c->o.auxiliary_loss > 0 ? hf_concat(x, auxiliary, 1) : x;
}

static void auxiliary_parts(hf_network_parts *out, const hf_network_options *o)
{
    if (o->auxiliary_loss > 0) *out = (hf_network_parts){ 2, { 1, o->auxiliary_loss }, { 1, 0 } };
}

static hf_node *resnet(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    static const hf_layer_options stem = { .kernel = 3, .pad = 1 };
    hf_graph *graph = hf_node_graph(image);
    hf_conditioning c = hf_conditioning_open(graph, tabular, options);
    if ((c.o.mix || strcmp(c.o.modulation, "none") != 0) && !tabular)
        return hf_conditioning_close(&c, hf_graph_fail(graph, HF_ERR_ARGUMENT, "this network needs a table row"));
    hf_node *x = hf_conditioned_conv3d(image, &c, "stem", c.o.width, &stem);         /* [N,16,64,96,64] */
    x = hf_max_pool3d(hf_relu(hf_batch_norm(x, "stem_batchnorm", c.o.momentum)), 2); /* [N,16,32,48,32] */
    for (int i = 0; i < c.o.blocks && i < 8; i++)
        x = stage(x, &c, i);                                          /* [N,256,4,6,4] in the end */
    x = hf_dropout(hf_global_avg_pool3d(x), linear_dropout(&c, 0.6)); /* [N,256] */
    x = hf_dropout(hf_relu(hf_conditioned_linear(x, &c, "fc1", 4 * c.o.width)), linear_dropout(&c, 0.5)); /* [N,64] */
    x = hf_conditioned_linear(x, &c, "fc2", c.o.outputs);                                                 /* [N,3] */
    return hf_conditioning_close(&c, with_auxiliary(x, &c));
}

static hf_node *embed(hf_node *tabular, const hf_network_options *options)
{
    hf_conditioning c = hf_conditioning_open(hf_node_graph(tabular), tabular, options);
    return hf_conditioning_close(&c, hf_conditioned_embedding(&c, "embedding"));
}

/* The row alone: what the embedding of the HyperFusion network is, with a linear layer behind it. */
static hf_node *row_alone(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    hf_graph *graph = hf_node_graph(image);
    if (!tabular) return hf_graph_fail(graph, HF_ERR_ARGUMENT, "this network needs a table row");
    hf_conditioning c = hf_conditioning_open(graph, tabular, options);
    hf_node *x = hf_conditioned_embedding(&c, "embedding"); /* [N,8] */
    return hf_conditioning_close(&c, hf_conditioned_linear(x, &c, "fc", c.o.outputs));
}

/* Two networks that share nothing but the batch. Each is trained by its own loss, so each becomes what it would alone. */
static hf_node *late_fusion(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    hf_node *from_image = resnet(image, NULL, options);
    hf_graph_hold(hf_node_graph(image), options->hold_embedding);
    hf_node *from_row = row_alone(image, tabular, options);
    hf_graph_hold(hf_node_graph(image), false);
    return hf_concat(from_image, from_row, 1);
}

static void late_fusion_parts(hf_network_parts *out, const hf_network_options *o)
{
    *out = (hf_network_parts){ 2, { 1, !o->hold_embedding }, { o->image_share, 1 - o->image_share } };
}

/* ---- the networks ------------------------------------------------------------------------------------------------ */

#define HYPER .hyper_layers = "block4.shortcut"

#define RESNET .build = resnet, .head = "fc2"
#define ROW    .uses_tabular = true
#define BEGINS .table = "ad-tabular"

const hf_network hf_networks_ad[] = {
    { .name = "ad-hyperfusion",
      .description = "ResNet, the last shortcut generated from the table row (paper, Table 6)",
      RESNET,
      ROW,
      BEGINS,
      .embed = embed,
      .parts = auxiliary_parts,
      .own = { SHAPE, HYPER } },
    { .name = "ad-hyperfusion-mix",
      .description = "the same; the embedding reads pooled image features beside the row",
      RESNET,
      ROW,
      .parts = auxiliary_parts,
      .own = { SHAPE, HYPER, .mix = true } },
    { .name = "ad-hyperfusion-auxiliary",
      .description = "the same; three tenths of the output from the embedding alone",
      RESNET,
      ROW,
      BEGINS,
      .embed = embed,
      .parts = auxiliary_parts,
      .own = { SHAPE, HYPER, .auxiliary_mix = 0.3 } },
    { .name = "ad-image-only", .description = "the same ResNet without the row", RESNET, .own = { SHAPE } },
    { .name = "ad-tabular",
      .description = "the table row alone: linear, batch norm, PReLU, linear",
      ROW,
      .row_only = true,
      .head = "fc",
      .build = row_alone,
      .own = { SHAPE } },
    { .name = "ad-concatenation",
      .description = "the row appended to the input of the first linear layer",
      RESNET,
      ROW,
      .own = { SHAPE, .concat_layers = "fc1" } },
    { .name = "ad-film",
      .description = "the row scales and shifts the channels that the last block reads",
      RESNET,
      ROW,
      .own = { SHAPE, .modulation = "row" } },
    { .name = "ad-daft",
      .description = "the same; pooled image features and the row do it",
      RESNET,
      ROW,
      .own = { SHAPE, .modulation = "both" } },
    { .name = "ad-late-fusion",
      .description = "image only and the row alone, trained apart; their predictions are averaged",
      ROW,
      BEGINS,
      .head = "fc2",
      .build = late_fusion,
      .parts = late_fusion_parts,
      .own = { SHAPE, .image_share = 0.5 } },
    { 0 },
};
