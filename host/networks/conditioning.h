/* conditioning.h: what the networks of this folder share. They use only the public header, so that an outside program
 * could hold one of them. */
#ifndef HF_CONDITIONING_H
#define HF_CONDITIONING_H

#include "networks.h"

/* How a network's layers are conditioned on the table row: which of them are hyper, and through what embedding. Zero:
 * none. */
typedef struct hf_conditioning {
    hf_node *tabular;  /* [N,F], or NULL */
    const char *hyper; /* comma list of layer names */
    int embedding;     /* J: size of each layer's embedding, a linear layer F -> J with weights 1 and bias 0 at first */
    double variance;   /* V of the hyperfan-in rule */
} hf_conditioning;

/* Reads the options: "all", "none", a list (names checked against `layers`), or NULL for `hyper_default`. */
hf_conditioning hf_conditioning_of(hf_node *tabular, const hf_network_options *options, const char *layers,
                                   const char *hyper_default, int embedding, double variance);

/* The embedding of the hyper layer `name`: [N,J]. */
hf_node *hf_conditioned_embedding(const hf_conditioning *c, const char *name);

/* hf_linear and hf_conv3d, ordinary or hyper as the conditioning says for this name. */
hf_node *hf_conditioned_linear(hf_node *x, const hf_conditioning *c, const char *name, int units);
hf_node *hf_conditioned_conv3d(hf_node *x, const hf_conditioning *c, const char *name, int channels, int kernel,
                               int pad);

#endif
