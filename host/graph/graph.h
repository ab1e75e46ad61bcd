/* graph.h: models and the graphs that compute with them.
 *
 *   model      named parameters and states on one device: what is trained, saved, loaded
 *   graph      nodes: inputs, parameters, operators. A weight is a node, so a hypernetwork needs no special code
 *   layers     functions that add nodes and named parameters
 *   optimizer  one kernel over the flat parameter buffer
 *
 * Graphs are built by straight-line code: a function that adds a node returns NULL after the first error of its graph,
 * and accepts NULL; the error is checked once, when the graph is planned. Nodes belong to their graph. */
#ifndef HF_GRAPH_H
#define HF_GRAPH_H

#include "hfcl.h"

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

/* Gives the parameters of one layer, those named LAYER.*, the initial values of another seed. HF_ERR_ARGUMENT when there
 * are none. */
hf_status hf_model_redraw(hf_model *model, const char *layer, uint64_t seed) HF_MUST_USE;

/* Sets what dropout draws from: call before each training step with the number of the step. */
hf_status hf_model_set_step(hf_model *model, uint64_t seed, uint32_t step) HF_MUST_USE;

/* ---- graph ------------------------------------------------------------------------------------------------------- */

typedef struct hf_graph hf_graph;
typedef struct hf_node hf_node;

/* `training` decides what batch norm and dropout do. Several graphs (batch sizes, training or not) share a model: equal
 * parameter names are the same parameter and must have equal shapes. */
hf_status hf_graph_new(hf_graph **out, hf_model *model, bool training) HF_MUST_USE;
void hf_graph_free(hf_graph **graph);

/* Whatever is added between hf_graph_hold(graph, true) and (graph, false) is held still: its parameters become states, which
 * no optimiser moves and checkpoints keep; batch norm uses its running statistics and leaves them, dropout drops nothing.
 * All graphs of a model must hold the same. Returns whether it was holding before. */
bool hf_graph_hold(hf_graph *graph, bool hold);

/* HF_OK, or the first error of this graph with its message recorded again. */
hf_status hf_graph_check(const hf_graph *graph) HF_MUST_USE;

/* Leaves. Inputs are set before each run, by name; one that is there already, of the same shape, is that node. */
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
hf_node *hf_features(hf_node *x, int64_t first,
                     int64_t count);                /* `count` of the features of x [N,F], from `first` on */
hf_node *hf_scale(hf_node *x, double factor);       /* one factor for all elements */
hf_node *hf_dropout(hf_node *x, double p);          /* single elements; nothing when the graph is not training */
hf_node *hf_dropout_channels(hf_node *x, double p); /* whole channels */
hf_node *hf_channel_affine(hf_node *x, hf_node *scale, hf_node *shift); /* FiLM: scale, shift [N,C] or [C], or NULL */
hf_node *hf_mse(hf_node *x, hf_node *target);                           /* mean over all elements -> [1] */
hf_node *hf_l1(hf_node *x, hf_node *target);
/* Weighted cross-entropy of logits [N,F] and labels [N]; weights [F] or NULL; normalised by the sum of the weights of
 * the batch. hf_result(node, 1) holds the class probabilities. */
hf_node *hf_cross_entropy(hf_node *logits, hf_node *labels, hf_node *weights);
/* Cox's partial likelihood, its negative logarithm over the number of events, of logarithms of hazards x [N,1], times [N],
 * and events [N], 1 or 0; ties as Efron, or as Breslow takes them. */
hf_node *hf_cox(hf_node *x, hf_node *time, hf_node *event, bool efron);

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Any layer with weights becomes a hyper layer by giving it an embedding: its weights and bias are then generated for
 * every sample by linear generators from embedding [N,J], initialised by hyperfan-in (Chang et al., ICLR 2020):
 *   weight generator U(+-sqrt(3 / (d_j d_k V))), bias generator U(+-sqrt(3 / (d_k V))), generator biases 0,
 * with d_j the fan-in of the generated layer, d_k = J, V the variance term of the generator's input. Started so, all of a
 * weight is conditioned, and a row that says nothing drowns what the layer does. HF_START_ORDINARY starts as the layer
 * without an embedding would, with a conditioned part beside it:
 *   both generators U(+-HF_CONDITIONED_PART / sqrt(d_j d_k V)), generator biases U(+-1 / sqrt(d_j)). */
#define HF_CONDITIONED_PART 0.1
typedef enum hf_start { HF_START_HYPERFAN, HF_START_ORDINARY } hf_start;

typedef struct hf_layer_options {
    int kernel, stride, pad; /* conv3d: defaults 3, 1, 0 */
    bool no_bias;
    hf_node *embedding; /* [N,J], or NULL for an ordinary layer */
    double variance;    /* V; default 1 */
    hf_start start;     /* of the generators */
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

/* ---- optimizer --------------------------------------------------------------------------------------------------- */

typedef enum hf_optimizer_kind { HF_ADAM, HF_ADAMW, HF_SGD } hf_optimizer_kind;

typedef struct hf_optimizer_options {
    hf_optimizer_kind kind;
    double learning_rate;     /* required */
    double weight_decay;      /* HF_ADAM, HF_SGD: coupled (added to the gradient); HF_ADAMW: decoupled */
    double beta1, beta2, eps; /* defaults 0.9, 0.999, 1e-8 */
    double momentum;          /* HF_SGD */
    double clip_norm; /* gradients of a greater norm, all parameters together, are scaled down to it; 0: never */
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

#ifdef __cplusplus
}
#endif
#endif
