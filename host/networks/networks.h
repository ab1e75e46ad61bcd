/* networks.h: whole networks by name. Two families, each one screen: VGG-like (brain_age.c) and pre-activation ResNet
 * (ad.c). What makes a network of its family is a row of options: which layers are hyper layers, which are given the table
 * row, how wide and deep it is. The same options can be changed by whoever builds it, a recipe for one. */
#ifndef HF_NETWORKS_H
#define HF_NETWORKS_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero, NULL, "" and "own" leave a choice to the network. F is the width of the table row, N the batch. */
typedef struct hf_network_options {
    int outputs;     /* P: numbers or logits it predicts */
    int width;       /* channels of the first block; everything behind grows with it */
    int blocks;      /* blocks, each of half the voxels and twice the channels of the one before */
    int depth;       /* VGG: convolutions in a block; ResNet: pre-activation blocks at one resolution */
    double dropout;  /* probability of every dropout layer; negative: none */
    double momentum; /* of batch norm outside embeddings */

    const char *hyper_layers;  /* comma list of layers whose weights are generated from the row; "all" or "none" */
    const char *concat_layers; /* comma list of linear layers to whose input the row is appended; or "none" */

    /* How generators start. "published": hyperfan-in, so that all of a weight comes from the row. "ordinary": as the
     * layer would start without a row, plus a conditioned part of a tenth of that size. Default: published with the
     * embedding "fill", otherwise ordinary. */
    const char *hyper_start;
    /* "fill": linear F -> J, weights 1 and bias 0 at first; "linear": the same from the usual uniform start; "mlp": linear,
     * batch norm, PReLU. Default: the network's own, but "mlp" instead of "fill" unless the row is one one-hot pair. */
    const char *embedding_kind;
    int embedding;        /* J */
    bool share_embedding; /* one embedding for all hyper layers instead of one for each */
    bool hold_embedding;  /* embeddings are held still (hf_graph_hold); late fusion: all that the row goes through */
    double variance;      /* V of hyperfan-in, see hf_layer_options */
    int columns;          /* table columns behind the row; 0: one */

    int bottleneck;              /* FiLM, DAFT: features between row and modulation */
    const char *film;            /* "both", "scale" or "shift" */
    const char *film_activation; /* of the scale: "linear", "sigmoid" or "tanh" */

    const char
        *modulation; /* of what the last ResNet block reads: "none", by the "row", or by "both": by it and by pooled
                               features */
    bool mix;        /* embeddings of the last ResNet block and behind it read pooled features too */
    double auxiliary_mix;  /* ResNet: share of the output that a linear layer makes of the embedding; negative: 0 */
    double auxiliary_loss; /* factor of a loss of that layer's own */
    double image_share;    /* late fusion: the image's part of the prediction, 0 to 1; negative: 0 */
} hf_network_options;

/* A network may make several predictions, its parts: [N,K P], one after the other. Each part is trained by a loss of its
 * own, and what the network predicts is a mixture of them (of classes: of their probabilities). */
enum { HF_MAX_PARTS = 2 };
typedef struct hf_network_parts {
    int count;                  /* K */
    double loss[HF_MAX_PARTS];  /* factor of its loss; 0: it has none */
    double share[HF_MAX_PARTS]; /* of the prediction; together 1 */
} hf_network_parts;

/* A network: a function that adds nodes from image [N,1,D,H,W] and tabular [N,F] to a prediction [N,P], or to K of them.
 *
 * Names: an ordinary layer L has L.weight and L.bias; a hyper layer L has L.weight_generator.*, L.bias_generator.* and
 * L.embedding.*. An embedding of kind "mlp" has linear.*, batchnorm.* and prelu.* in it, as has `embedding` of ad-tabular,
 * from which it can be filled. */
typedef struct hf_network {
    const char *name;        /* "brain-age-hyperfusion" */
    const char *description; /* one line */
    bool uses_tabular;
    bool row_only;    /* it does not look at the image */
    const char *head; /* its last layer */
    /* The network of the row alone whose embedding those of its hyper layers can begin as: what it calls embedding.X is
     * embedding.X or L.embedding.X here, and its other names are the same. NULL: there is none. */
    const char *table;
    /* The functions of its family get options that leave nothing open. */
    hf_node *(*build)(hf_node *image, hf_node *tabular, const hf_network_options *options);
    /* The embedding of its hyper layers alone, from tabular [N,F] to [N,J]; NULL when the row alone does not make it. */
    hf_node *(*embed)(hf_node *tabular, const hf_network_options *options);
    void (*parts)(hf_network_parts *out, const hf_network_options *options); /* NULL: one */
    hf_network_options own;                                                  /* its choices */
} hf_network;

const hf_network *hf_network_find(const char *name); /* NULL when there is none */
const hf_network *hf_network_at(int index);          /* NULL beyond the last */

/* Adds a network, changed by the options that are `asked` for (or NULL). NULL and a failed graph when an option makes no
 * sense, or when there is no row and the network needs one. */
hf_node *hf_network_build(const hf_network *network, hf_node *image, hf_node *tabular, const hf_network_options *asked);
hf_network_parts hf_network_parts_of(const hf_network *network, const hf_network_options *asked);

/* V of the hyperfan-in rule (hf_hyperfan_variance) for a network's embedding, before training, over rows [count,width]:
 * the embedding is built and run on the context's device with the initial weights of `seed`. */
hf_status hf_network_embedding_variance(double *out, const hf_network *network, const hf_network_options *options,
                                        hf_context *context, uint64_t seed, const float *rows, int64_t count,
                                        int64_t width) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
