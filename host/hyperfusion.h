/* hyperfusion.h: networks whose weights may come from other networks, trained on OpenCL devices.
 *
 * Tiers, from the machine up; each uses only what stands above it:
 *   model      named parameters and states on one device: what is trained, saved, loaded
 *   graph      nodes: inputs, parameters, operators. A weight is a node, so a hypernetwork needs no special code
 *   layers     functions that add nodes and named parameters
 *   plan       a graph made ready to run: fused, differentiated, laid out, placed in memory; then only run
 *   optimizer  one kernel over the flat parameter buffer
 *   files      safetensors checkpoints
 *   networks   whole networks by name, one screen each
 * and in headers of their own, which this one includes:
 *   recipe.h, run.h, metrics.h: one experiment, from a YAML file to a run folder, and how good it is
 *
 * Graphs are built by straight-line code: a function that adds a node returns NULL after the first error of its graph,
 * and accepts NULL; the error is checked once, when the graph is planned.
 * Status, messages and ownership follow hfbase.h. Nodes belong to their graph. Everything made from one context belongs
 * to one thread at a time. Free plans before their graph, graphs before their model, the model before its context. */
#ifndef HYPERFUSION_H
#define HYPERFUSION_H

#include "hfcl.h"
#include "hfdata.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- model ------------------------------------------------------------------------------------------------------- */

/* Parameters (trained) live one after the other in one flat buffer, their gradients in a second one; states (running
 * statistics) in buffers of their own. The first plan that is bound allocates and initialises them; after that no new
 * names can be added. Initial values depend on (seed, name, element) alone. */
typedef struct hf_model hf_model;

hf_status hf_model_new(hf_model **out, hf_context *context, uint64_t seed) HF_MUST_USE;
void hf_model_free(hf_model **model);
hf_context *hf_model_context(const hf_model *model);

/* Allocates and initialises now; does nothing the second time. */
hf_status hf_model_freeze(hf_model *model) HF_MUST_USE;

int64_t hf_model_parameter_count(const hf_model *model); /* trained scalars */

/* One named tensor of a model. */
typedef struct hf_named {
    const char *name;
    hf_tensor value;
    hf_tensor gradient; /* absent for states */
    bool is_parameter;
} hf_named;
int hf_model_named_count(const hf_model *model);
hf_named hf_model_named(const hf_model *model, int index);  /* in order of creation */
int hf_model_find(const hf_model *model, const char *name); /* index, or -1 */

/* The whole flat buffers, for optimisers and for tests: all parameters (with padding between them, always zero). */
hf_tensor hf_model_theta(const hf_model *model);
hf_tensor hf_model_gradient(const hf_model *model);

/* Sets what dropout draws from: call before each training step with the number of the step. */
hf_status hf_model_set_step(hf_model *model, uint64_t seed, uint32_t step) HF_MUST_USE;

/* ---- graph ------------------------------------------------------------------------------------------------------- */

typedef struct hf_graph hf_graph;
typedef struct hf_node hf_node;

/* `training` decides what batch norm and dropout do. Several graphs (batch sizes, training or not) share a model: equal
 * parameter names are the same parameter and must have equal shapes. */
hf_status hf_graph_new(hf_graph **out, hf_model *model, bool training) HF_MUST_USE;
void hf_graph_free(hf_graph **graph);

/* HF_OK, or the first error of this graph with its message recorded again. */
hf_status hf_graph_check(const hf_graph *graph) HF_MUST_USE;

/* Leaves. Inputs are set before each run, by name. */
hf_node *hf_input(hf_graph *graph, const char *name, hf_shape shape);
hf_node *hf_input_labels(hf_graph *graph, const char *name, hf_shape shape); /* 32-bit integers */

typedef struct hf_init {
    enum { HF_INIT_CONSTANT, HF_INIT_UNIFORM } kind;
    double value; /* the constant, or the bound of U(-value, +value) */
} hf_init;
hf_node *hf_parameter(hf_graph *graph, const char *name, hf_shape shape, hf_init init);
hf_node *hf_state(hf_graph *graph, const char *name, hf_shape shape, double value);

/* Any operator of the compute library by name (doc/operators.md); an optional operand that is left out is HF_ABSENT:
 * hf_apply(g, "linear", NULL, NULL, 3, (hf_node *[]){ x, w, HF_ABSENT }). Returns the first result; further ones by
 * hf_result. `name` may be NULL. */
hf_node *hf_apply(hf_graph *graph, const char *op, const char *name, const hf_params *params, int n_in,
                  hf_node *const *in);
#define HF_ABSENT (&hf_absent_node)
extern hf_node hf_absent_node;
hf_node *hf_result(hf_node *node, int index);

hf_shape hf_node_shape(const hf_node *node);   /* rank 0 for NULL */
int64_t hf_dim(const hf_node *node, int axis); /* 0 for NULL */
const char *hf_node_name(const hf_node *node);
hf_graph *hf_node_graph(const hf_node *node); /* NULL for NULL */

/* Records an error of a graph by hand (a layer that refuses its arguments); returns NULL. */
hf_node *hf_graph_fail(hf_graph *graph, hf_status code, const char *format, ...) HF_PRINTF(3, 4);

/* ---- operators without parameters -------------------------------------------------------------------------------- */

hf_node *hf_relu(hf_node *x);
hf_node *hf_sigmoid(hf_node *x);
hf_node *hf_tanh(hf_node *x);
hf_node *hf_softmax(hf_node *x);                /* x [N,F] */
hf_node *hf_add(hf_node *a, hf_node *b);        /* equal shapes */
hf_node *hf_multiply(hf_node *a, hf_node *b);   /* equal shapes */
hf_node *hf_max_pool3d(hf_node *x, int kernel); /* window and stride K, floor */
hf_node *hf_avg_pool3d(hf_node *x, int kernel);
hf_node *hf_global_avg_pool3d(hf_node *x); /* [N,C,D,H,W] -> [N,C] */
hf_node *hf_reshape(hf_node *x, hf_shape shape);
hf_node *hf_flatten(hf_node *x); /* [N, everything else] */
hf_node *hf_concat(hf_node *a, hf_node *b, int axis);
hf_node *hf_dropout(hf_node *x, double p);          /* single elements; nothing when the graph is not training */
hf_node *hf_dropout_channels(hf_node *x, double p); /* whole channels */
hf_node *hf_channel_affine(hf_node *x, hf_node *scale, hf_node *shift); /* FiLM: scale, shift [N,C] or [C], or NULL */
hf_node *hf_mse(hf_node *x, hf_node *target);                           /* mean over all elements -> [1] */
hf_node *hf_l1(hf_node *x, hf_node *target);
/* Weighted cross-entropy of logits [N,F] and labels [N]; weights [F] or NULL; normalised by the sum of the weights of
 * the batch. hf_result(node, 1) holds the class probabilities. */
hf_node *hf_cross_entropy(hf_node *logits, hf_node *labels, hf_node *weights);

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Any layer with weights becomes a hyper layer by giving it an embedding: its weights and bias are then generated for
 * every sample by linear generators from embedding [N,J], initialised by hyperfan-in (Chang et al., ICLR 2020):
 *   weight generator U(+-sqrt(3 / (d_j d_k V))), bias generator U(+-sqrt(3 / (d_k V))), generator biases 0,
 * with d_j the fan-in of the generated layer, d_k = J, V the variance term of the generator's input. */
typedef struct hf_layer_options {
    int kernel, stride, pad; /* conv3d: defaults 3, 1, 0 */
    bool no_bias;
    hf_node *embedding; /* [N,J], or NULL for an ordinary layer */
    double variance;    /* V of the hyperfan-in rule; default 1 */
} hf_layer_options;

/* y = x w^T + b. Parameters: ordinary name.weight [O,I], name.bias [O], both U(+-1/sqrt(I));
 * hyper: name.weight_generator.{weight [O*I,J], bias [O*I]}, name.bias_generator.{weight [O,J], bias [O]}. */
hf_node *hf_linear(hf_node *x, const char *name, int units, const hf_layer_options *options);
/* Parameters name.weight [O,C,K,K,K], name.bias [O], U(+-1/sqrt(C K^3)); hyper as for linear. */
hf_node *hf_conv3d(hf_node *x, const char *name, int channels, const hf_layer_options *options);
/* The same two with the embedding as an argument, for code that reads like the paper. */
hf_node *hf_hyper_linear(hf_node *x, hf_node *embedding, const char *name, int units, double variance);
hf_node *hf_hyper_conv3d(hf_node *x, hf_node *embedding, const char *name, int channels,
                         const hf_layer_options *options, double variance);

/* x [N,C,D,H,W] or [N,C]. Parameters name.weight, name.bias; states name.running_mean, name.running_var.
 * momentum 0: 0.1. */
hf_node *hf_batch_norm(hf_node *x, const char *name, double momentum);
hf_node *hf_prelu(hf_node *x, const char *name); /* one slope, from 0.25 */

/* The variance term V of hyperfan-in: population variance across the components of each row, averaged over rows; 1 when
 * that is 0. Mode "input": rows are the raw tabular vectors of the training subjects; mode "embedding": rows are what
 * the untrained embedding makes of them; mode "constant": 0.25, the component variance of a one-hot pair. */
double hf_hyperfan_variance(const float *rows, int64_t count, int64_t width);

/* ---- plan -------------------------------------------------------------------------------------------------------- */

/* A graph made ready, in four passes (host/pass_*.c): fuse, gradient, layout, memory. */
typedef struct hf_plan hf_plan;

typedef struct hf_plan_options {
    hf_node *loss;        /* [1]: also compute the gradients of all parameters; NULL: forward only */
    hf_node *const *keep; /* [n_keep] nodes whose values are read after a run; the loss is always kept */
    int n_keep;
    bool no_fuse; /* leave every node as written: for comparing */
} hf_plan_options;

/* Plans without touching device memory: cheap, so that `plan` can answer for any size. */
hf_status hf_plan_new(hf_plan **out, hf_graph *graph, const hf_plan_options *options) HF_MUST_USE;
void hf_plan_free(hf_plan **plan);

/* Device memory for values; plans that never run at the same time can share one. */
typedef struct hf_arena hf_arena;
hf_status hf_arena_new(hf_arena **out, hf_context *context) HF_MUST_USE;
void hf_arena_free(hf_arena **arena);
/* Makes room for a plan. Reserve for all plans first, then bind them. */
hf_status hf_arena_reserve(hf_arena *arena, const hf_plan *plan) HF_MUST_USE;

/* Allocates, compiles, sets arguments. arena NULL: memory of its own. The first set or run does this by itself. */
hf_status hf_plan_bind(hf_plan *plan, hf_arena *arena) HF_MUST_USE;

/* Copies an input, in the plain layout, from the host. */
hf_status hf_plan_set(hf_plan *plan, const char *input, const void *data) HF_MUST_USE;
/* Enqueues everything; nothing is allocated, compiled or decided, and nothing is waited for. */
hf_status hf_plan_run(hf_plan *plan) HF_MUST_USE;
/* Waits, and copies the value of a kept node to the host, in the plain layout. */
hf_status hf_plan_get(hf_plan *plan, const hf_node *node, void *data) HF_MUST_USE;

typedef struct hf_plan_info {
    int64_t parameters;      /* trained scalars */
    uint64_t flop_forward;   /* one run, forward part */
    uint64_t flop;           /* one run, all of it */
    size_t bytes_peak;       /* values and scratch: the arena */
    size_t bytes_parameters; /* parameters, gradients, states */
    int tasks;
} hf_plan_info;
hf_plan_info hf_plan_summary(const hf_plan *plan);

/* A table for people: node, operator, shape, implementation, why faster ones were refused, parameters, bytes, FLOP. */
hf_status hf_plan_describe(const hf_plan *plan, hf_text *out) HF_MUST_USE;
/* The same as a JSON array of objects: name, op, shape, layout, impl, refused [{impl, why}], parameters, bytes, flop,
 * backward. */
hf_status hf_plan_nodes_json(const hf_plan *plan, hf_text *out) HF_MUST_USE;

/* Runs every task `repeats` times by itself and reports the shortest times. The values computed are not meaningful:
 * tasks that update states do so each time. */
hf_status hf_plan_profile(hf_plan *plan, int repeats, hf_text *out) HF_MUST_USE;

/* ---- optimizer --------------------------------------------------------------------------------------------------- */

typedef enum hf_optimizer_kind { HF_ADAM, HF_ADAMW, HF_SGD } hf_optimizer_kind;

typedef struct hf_optimizer_options {
    hf_optimizer_kind kind;
    double learning_rate;     /* required */
    double weight_decay;      /* HF_ADAM, HF_SGD: coupled (added to the gradient); HF_ADAMW: decoupled */
    double beta1, beta2, eps; /* defaults 0.9, 0.999, 1e-8 */
    double momentum;          /* HF_SGD */
} hf_optimizer_options;

typedef struct hf_optimizer hf_optimizer;
hf_status hf_optimizer_new(hf_optimizer **out, hf_model *model, const hf_optimizer_options *options) HF_MUST_USE;
void hf_optimizer_free(hf_optimizer **optimizer);
/* Updates all parameters from their gradients; the step count starts at 1. */
hf_status hf_optimizer_step(hf_optimizer *optimizer) HF_MUST_USE;
int64_t hf_optimizer_steps(const hf_optimizer *optimizer);
void hf_optimizer_set_steps(hf_optimizer *optimizer, int64_t steps); /* when resuming */
/* For schedules: counts from the next step on. */
void hf_optimizer_set_learning_rate(hf_optimizer *optimizer, double learning_rate);
const hf_model *hf_optimizer_model(const hf_optimizer *optimizer);
/* Flat moments, laid out like hf_model_theta: m and v (Adam), or m and an absent v (SGD). */
void hf_optimizer_moments(const hf_optimizer *optimizer, hf_tensor *m, hf_tensor *v);

/* ---- files: safetensors (host/safetensors.c) --------------------------------------------------------------------- */

/* One tensor of a file. Only F32, I32 and U8 are written; readers also refuse anything else by name. */
typedef struct hf_entry {
    char *name;
    hf_type type;
    hf_shape shape;
    void *data; /* plain order */
} hf_entry;

/* A checkpoint in memory: tensors and text metadata ("__metadata__" of the format). */
typedef struct hf_archive {
    int n_entries;
    hf_entry *entry;
    int n_texts;
    char **key, **text; /* [n_texts] */
} hf_archive;

/* Strict reader: refuses duplicate names, holes, overlaps, trailing bytes, sizes that do not match shapes, unknown
 * types, anything that does not fit the real file; verifies the digest that hf_archive_write stored. */
hf_status hf_archive_read(hf_archive *out, const char *path) HF_MUST_USE;
hf_status hf_archive_parse(hf_archive *out, const void *bytes, size_t size, const char *name) HF_MUST_USE;
/* Writes atomically, with a digest of all tensor bytes in the metadata. */
hf_status hf_archive_write(const hf_archive *archive, const char *path) HF_MUST_USE;
void hf_archive_free(hf_archive *archive);
/* Adds a copy. */
hf_status hf_archive_add(hf_archive *archive, const char *name, hf_type type, hf_shape shape,
                         const void *data) HF_MUST_USE;
hf_status hf_archive_add_text(hf_archive *archive, const char *key, const char *text) HF_MUST_USE;
const hf_entry *hf_archive_find(const hf_archive *archive, const char *name); /* NULL when absent */
const char *hf_archive_find_text(const hf_archive *archive, const char *key); /* NULL when absent */

/* A model's parameters and states into an archive, and back; loading demands that names and shapes agree exactly. */
hf_status hf_model_save(const hf_model *model, hf_archive *archive) HF_MUST_USE;
hf_status hf_model_load(hf_model *model, const hf_archive *archive) HF_MUST_USE;
/* The optimiser's moments and step count. */
hf_status hf_optimizer_save(const hf_optimizer *optimizer, hf_archive *archive) HF_MUST_USE;
hf_status hf_optimizer_load(hf_optimizer *optimizer, const hf_archive *archive) HF_MUST_USE;

/* ---- networks (host/models/) ------------------------------------------------------------------------------------- */

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

#include "metrics.h"
#include "recipe.h"
#include "run.h"

#endif
