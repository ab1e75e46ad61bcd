/* brain_age.c: brain age from a T1 volume (HyperFusion paper, Table 5). Three blocks of conv, ReLU, conv, ReLU, max-pool,
 * batch norm; channel dropout; four linear layers. In the HyperFusion network the weights of the linear layers are
 * generated from the tabular row (female, male), each layer through an embedding of its own. */
#include "conditioning.h"

#define DROPOUT   0.2
#define EMBEDDING 1
#define VARIANCE  0.25 /* the component variance of a one-hot pair */

static const char layers[] = "conv1_a,conv1_b,conv2_a,conv2_b,conv3_a,conv3_b,linear1,linear2,linear3,final_layer";

static hf_node *block(hf_node *x, const hf_conditioning *c, const char *const *name, int channels)
{
    x = hf_relu(hf_conditioned_conv3d(x, c, name[0], channels, 3, 0)); /* [N,O,D-2,H-2,W-2] */
    x = hf_relu(hf_conditioned_conv3d(x, c, name[1], channels, 3, 0)); /* [N,O,D-4,H-4,W-4] */
    return hf_batch_norm(hf_max_pool3d(x, 2), name[2], 0.1);           /* [N,O,(D-4)/2,...] */
}

/* `extra` is appended to the input of linear2: the concatenation baseline; NULL otherwise. */
static hf_node *build(hf_node *image, hf_node *extra, const hf_conditioning *c, double dropout)
{
    static const char *const names[3][3] = { { "conv1_a", "conv1_b", "batchnorm1" },
                                             { "conv2_a", "conv2_b", "batchnorm2" },
                                             { "conv3_a", "conv3_b", "batchnorm3" } };
    hf_node *x = image; /* [N,1,90,120,99] */
    for (int i = 0; i < 3; i++)
        x = block(x, c, names[i], 16 << i);                  /* [N,64,7,11,8] in the end */
    x = hf_flatten(hf_dropout_channels(x, dropout));         /* [N,39424] */
    x = hf_relu(hf_conditioned_linear(x, c, "linear1", 16)); /* [N,16] */
    if (extra) x = hf_concat(x, extra, 1);                   /* [N,18] */
    x = hf_relu(hf_conditioned_linear(x, c, "linear2", 32)); /* [N,32] */
    x = hf_relu(hf_conditioned_linear(x, c, "linear3", 64)); /* [N,64] */
    return hf_conditioned_linear(x, c, "final_layer", 1);    /* [N,1], years */
}

static double dropout_of(const hf_network_options *options)
{
    if (!options || options->dropout == 0) return DROPOUT;
    return options->dropout > 0 ? options->dropout : 0;
}

static hf_conditioning conditioning(hf_node *tabular, const hf_network_options *options)
{
    return hf_conditioning_of(tabular, options, layers, "linear1,linear2,linear3,final_layer", EMBEDDING, VARIANCE);
}

static hf_node *hyperfusion(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    if (!tabular) return hf_graph_fail(hf_node_graph(image), HF_ERR_ARGUMENT, "this network needs a table row");
    const hf_conditioning c = conditioning(tabular, options);
    return build(image, NULL, &c, dropout_of(options));
}

static hf_node *embed(hf_node *tabular, const hf_network_options *options)
{
    const hf_conditioning c = conditioning(tabular, options);
    return hf_conditioned_embedding(&c, "linear1");
}

static hf_node *image_only(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    (void)tabular;
    return build(image, NULL, &(hf_conditioning){ 0 }, dropout_of(options));
}

/* As the reference code has it: the table row enters once, at linear2. */
static hf_node *concatenation(hf_node *image, hf_node *tabular, const hf_network_options *options)
{
    return build(image, tabular, &(hf_conditioning){ 0 }, dropout_of(options));
}

const hf_network hf_networks_brain_age[] = {
    { "brain-age-hyperfusion", "linear layers generated from the table row (paper, Table 5)", true, layers, hyperfusion,
      embed },
    { "brain-age-image-only", "the same network with ordinary linear layers", false, "", image_only, NULL },
    { "brain-age-concatenation", "the table row appended to the input of the second linear layer", true, "",
      concatenation, NULL },
    { 0 },
};
