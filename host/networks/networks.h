/* networks.h: whole networks by name, one screen each. */
#ifndef HF_NETWORKS_H
#define HF_NETWORKS_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_network_options {
    const char *hyper_layers; /* comma list of layer names that become hyper layers, "all" or "none" */
    int embedding;            /* J; 0: the network's default */
    double variance;          /* V; 0: the network's default */
    double dropout;           /* 0: the network's default; negative: none */
    int classes;              /* outputs; 0: the network's default */
} hf_network_options;

/* A network: a function that adds nodes from image [N,1,D,H,W] and tabular [N,F] to a prediction. */
typedef struct hf_network {
    const char *name;        /* "brain-age-hyperfusion" */
    const char *description; /* one line */
    bool uses_tabular;
    const char *layers; /* comma list of the layers that may be hyper */
    hf_node *(*build)(hf_node *image, hf_node *tabular, const hf_network_options *options);
    /* The embedding of its hyper layers alone, from tabular [N,F] to [N,J]; NULL when it has none. */
    hf_node *(*embed)(hf_node *tabular, const hf_network_options *options);
} hf_network;

const hf_network *hf_network_find(const char *name); /* NULL when there is none */
const hf_network *hf_network_at(int index);          /* NULL beyond the last */

/* V of the hyperfan-in rule (hf_hyperfan_variance) for a network's embedding, before training, over rows [count,width]:
 * the embedding is built and run on the context's device with the initial weights of `seed`. */
hf_status hf_network_embedding_variance(double *out, const hf_network *network, const hf_network_options *options,
                                        hf_context *context, uint64_t seed, const float *rows, int64_t count,
                                        int64_t width) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
