/* brain_age.c: brain age from a T1 volume (HyperFusion paper, Table 5), a network like VGG: blocks of conv, ReLU, conv, ReLU,
 * max-pool, batch norm; channel dropout; four linear layers. In the HyperFusion network the weights of the linear layers
 * are generated from the tabular row (female, male), each layer through an embedding of its own. */
#include "conditioning.h"
#include <stdio.h>

#define LINEAR "linear1,linear2,linear3,final_layer"

/* The shape of all three; V is the component variance of a one-hot pair. */
#define SHAPE                                                                                                          \
    .outputs = 1, .width = 16, .blocks = 3, .depth = 2, .dropout = 0.2, .momentum = 0.1, .embedding_kind = "fill",     \
    .embedding = 1, .variance = 0.25, .bottleneck = 7

static hf_node *block(hf_node *x, hf_conditioning *c, int index)
{
    char name[32];
    for (int i = 0; i < c->o.depth; i++) {
        snprintf(name, sizeof name, "conv%d_%c", index + 1, 'a' + i);
        x = hf_relu(hf_conditioned_conv3d(x, c, name, c->o.width * (1 << index), &(hf_layer_options){ .kernel = 3 }));
    }
    snprintf(name, sizeof name, "batchnorm%d", index + 1);
    return hf_batch_norm(hf_max_pool3d(x, 2), name, c->o.momentum); /* [N,O,(D-4)/2,...] */
}

static hf_node *vgg(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    hf_conditioning c = hf_conditioning_open(hf_node_graph(image), tabular, options);
    hf_node *x = image; /* [N,1,90,120,99] */
    for (int i = 0; i < c.o.blocks && i < 8; i++)
        x = block(x, &c, i);                                                   /* [N,64,7,11,8] in the end */
    x = hf_flatten(hf_dropout_channels(x, c.o.dropout > 0 ? c.o.dropout : 0)); /* [N,39424] */
    x = hf_relu(hf_conditioned_linear(x, &c, "linear1", c.o.width));           /* [N,16] */
    x = hf_relu(hf_conditioned_linear(x, &c, "linear2", 2 * c.o.width));       /* [N,32] */
    x = hf_relu(hf_conditioned_linear(x, &c, "linear3", 4 * c.o.width));       /* [N,64] */
    x = hf_conditioned_linear(x, &c, "final_layer", c.o.outputs);              /* [N,1], years */
    return hf_conditioning_close(&c, x);
}

static hf_node *embed(hf_node *tabular, const hf_network_options *options)
{
    hf_conditioning c = hf_conditioning_open(hf_node_graph(tabular), tabular, options);
    return hf_conditioning_close(&c, hf_conditioned_embedding(&c, "linear1.embedding"));
}

/* Concatenation is as the reference code has it: the row enters once, at linear2. The paper appends it in every linear
 * layer. */
#define VGG .build = vgg, .head = "final_layer"

const hf_network hf_networks_brain_age[] = {
    { .name = "brain-age-hyperfusion",
      .description = "linear layers generated from the table row (paper, Table 5)",
      VGG,
      .uses_tabular = true,
      .table = "ad-tabular",
      .embed = embed,
      .own = { SHAPE, .hyper_layers = LINEAR } },
    { .name = "brain-age-image-only",
      .description = "the same network with ordinary linear layers",
      VGG,
      .own = { SHAPE } },
    { .name = "brain-age-concatenation",
      .description = "the table row appended to the input of the second linear layer",
      VGG,
      .uses_tabular = true,
      .own = { SHAPE, .concat_layers = "linear2" } },
    { 0 },
};
