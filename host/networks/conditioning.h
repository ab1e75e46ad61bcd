/* conditioning.h: what the networks of this folder share: how their layers meet the table row. They use only the public
 * header, so that an outside program could hold one of them. */
#ifndef HF_CONDITIONING_H
#define HF_CONDITIONING_H

#include "networks.h"

/* A network while it is built. */
typedef struct hf_conditioning {
    hf_graph *graph;
    hf_network_options o;
    hf_node *tabular;   /* [N,F], or NULL */
    hf_node *source;    /* what embeddings read; the row, unless a network appends to it */
    hf_node *embedding; /* the last one that was made: [N,J] */
    hf_text layers;     /* comma list of all layers so far */
    hf_text linear;     /* of the linear ones */
} hf_conditioning;

/* `asked` (or NULL) over a network's `own` options; nothing is left open. */
hf_network_options hf_conditioning_options(const hf_node *tabular, const hf_network_options *asked,
                                           const hf_network_options *own);
/* Opens. Words and sizes that no network understands make the graph failed. */
hf_conditioning hf_conditioning_open(hf_graph *graph, hf_node *tabular, const hf_network_options *options);
/* Closes, and returns `result`; or fails the graph when a layer was named that this network does not have. */
hf_node *hf_conditioning_close(hf_conditioning *c, hf_node *result);

/* Whether any hyper layer's name begins so. */
bool hf_conditioning_any(const hf_conditioning *c, const char *beginning);

/* An embedding [N,J] of the source. Kind "mlp": name.linear, name.batchnorm, name.prelu; else name.weight, name.bias. */
hf_node *hf_conditioned_embedding(hf_conditioning *c, const char *name);

/* hf_linear and hf_conv3d, each ordinary or hyper as the options say for this name; a linear layer may be given the row
 * too. Of `geometry`: kernel, stride, pad. */
hf_node *hf_conditioned_linear(hf_node *x, hf_conditioning *c, const char *name, int units);
hf_node *hf_conditioned_conv3d(hf_node *x, hf_conditioning *c, const char *name, int channels,
                               const hf_layer_options *geometry);

/* FiLM and DAFT (film.c): scale_c x_c + shift_c with (scale, shift) = W2 relu(W1 v), no biases, from v [N,V]: parameters
 * name.reduce.weight [bottleneck,V], name.expand.weight. x [N,C,D,H,W]. */
hf_node *hf_modulated(hf_node *x, hf_conditioning *c, const char *name, hf_node *v);

#endif
