/* layers.c: layers are functions that add nodes and named parameters; nothing here but ordinary operators.
 *
 * A weight is a node: a parameter for an ordinary layer, the reshaped output of a linear generator for a hyper layer. That
 * is the whole difference between the two. */
#include "node.h"
#include <math.h>
#include <stdio.h>

#define MAX_NAME 160

static hf_node *parameter(hf_graph *graph, const char *layer, const char *part, hf_shape shape, double bound)
{
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%s.%s", layer, part);
    return hf_parameter(graph, name, shape, (hf_init){ HF_INIT_UNIFORM, bound });
}

/* What a layer multiplies with: both NULL after an error. */
typedef struct hf_weights {
    hf_node *weight, *bias;
} hf_weights;

static hf_weights ordinary(hf_graph *graph, const char *name, hf_shape shape, int64_t fan_in, bool bias)
{
    const double bound = 1 / sqrt((double)fan_in);
    const hf_shape outputs = HF_SHAPE(shape.dim[0]);
    return (hf_weights){ parameter(graph, name, "weight", shape, bound),
                         bias ? parameter(graph, name, "bias", outputs, bound) : HF_ABSENT };
}

/* Bounds of a hyper layer's initial values, all uniform. */
typedef struct hf_bounds {
    double weight, bias; /* of the generators' weights: A, B */
    double fixed;        /* of their biases: a0, b0 */
} hf_bounds;

/* Hyperfan-in: with a generated bias, Var(A) = 2^relu / (2 d_j d_k V) and Var(B) = 2^relu / (2 d_k V); relu is always
 * taken as 1, as the reference does. Ordinary: W(e) = a0 + A e, where a0 alone is the ordinary layer and A e has variance
 * V d_k Var(A), a hundredth of a0's when the embedding has variance V. */
static hf_bounds bounds_of(hf_start start, int64_t fan_in, int64_t j, double variance)
{
    const double v = variance > 0 ? variance : 1, d_j = (double)fan_in, d_k = (double)j;
    const double part = HF_CONDITIONED_PART / sqrt(d_j * d_k * v);
    if (start == HF_START_ORDINARY) return (hf_bounds){ part, part, 1 / sqrt(d_j) };
    return (hf_bounds){ sqrt(3 / (d_j * d_k * v)), sqrt(3 / (d_k * v)), 0 };
}

/* Generators from embedding [N,J]: W [N, shape] = A e + a0, bias [N,O] = B e + b0. */
static hf_weights generated(const hf_layer_options *o, const char *name, hf_shape shape, int64_t fan_in)
{
    hf_node *embedding = o->embedding;
    hf_graph *graph = hf_node_graph(embedding);
    const int64_t n = hf_dim(embedding, 0), j = hf_dim(embedding, 1), outputs = shape.dim[0];
    const int64_t count = hf_shape_count(&shape);
    const hf_bounds bound = bounds_of(o->start, fan_in, j, o->variance);
    hf_shape per_sample = { shape.rank + 1, { n } };
    char label[MAX_NAME];
    for (int i = 0; i < shape.rank; i++)
        per_sample.dim[i + 1] = shape.dim[i];
    snprintf(label, sizeof label, "%s.weight", name);
    hf_node *in[] = { embedding, parameter(graph, name, "weight_generator.weight", HF_SHAPE(count, j), bound.weight),
                      parameter(graph, name, "weight_generator.bias", HF_SHAPE(count), bound.fixed) };
    hf_weights w = { hf_reshape(hf_apply(graph, "linear", label, NULL, 3, in), per_sample), HF_ABSENT };
    if (o->no_bias) return w;
    snprintf(label, sizeof label, "%s.bias", name);
    in[1] = parameter(graph, name, "bias_generator.weight", HF_SHAPE(outputs, j), bound.bias);
    in[2] = parameter(graph, name, "bias_generator.bias", HF_SHAPE(outputs), bound.fixed);
    w.bias = hf_apply(graph, "linear", label, NULL, 3, in);
    return w;
}

static hf_weights weights(hf_graph *graph, const char *name, hf_shape shape, const hf_layer_options *o)
{
    int64_t fan_in = 1;
    for (int i = 1; i < shape.rank; i++)
        fan_in *= shape.dim[i];
    if (o->embedding) return generated(o, name, shape, fan_in);
    return ordinary(graph, name, shape, fan_in, !o->no_bias);
}

hf_node *hf_linear(hf_node *x, const char *name, int units, const hf_layer_options *options)
{
    const hf_layer_options o = options ? *options : (hf_layer_options){ 0 };
    hf_graph *graph = hf_node_graph(x);
    if (!graph) return NULL;
    if (hf_node_shape(x).rank != 2 || units < 1)
        return hf_graph_fail(graph, HF_ERR_SHAPE,
                             "linear '%s': x has %d axes and units is %d, expected 2 and at least 1", name,
                             hf_node_shape(x).rank, units);
    const hf_weights w = weights(graph, name, HF_SHAPE(units, hf_dim(x, 1)), &o);
    return hf_apply(graph, "linear", name, NULL, 3, (hf_node *[]){ x, w.weight, w.bias });
}

hf_node *hf_conv3d(hf_node *x, const char *name, int channels, const hf_layer_options *options)
{
    const hf_layer_options o = options ? *options : (hf_layer_options){ 0 };
    const int k = o.kernel ? o.kernel : 3;
    hf_graph *graph = hf_node_graph(x);
    if (!graph) return NULL;
    if (hf_node_shape(x).rank != 5 || channels < 1)
        return hf_graph_fail(graph, HF_ERR_SHAPE,
                             "conv3d '%s': x has %d axes and channels is %d, expected 5 and at least 1", name,
                             hf_node_shape(x).rank, channels);
    const hf_weights w = weights(graph, name, HF_SHAPE(channels, hf_dim(x, 1), k, k, k), &o);
    const hf_params params = { .stride = o.stride ? o.stride : 1, .pad = o.pad };
    return hf_apply(graph, "conv3d", name, &params, 3, (hf_node *[]){ x, w.weight, w.bias });
}

hf_node *hf_hyper_linear(hf_node *x, hf_node *embedding, const char *name, int units, double variance)
{
    if (!embedding) return NULL;
    return hf_linear(x, name, units, &(hf_layer_options){ .embedding = embedding, .variance = variance });
}

hf_node *hf_hyper_conv3d(hf_node *x, hf_node *embedding, const char *name, int channels,
                         const hf_layer_options *options, double variance)
{
    hf_layer_options o = options ? *options : (hf_layer_options){ 0 };
    if (!embedding) return NULL;
    o.embedding = embedding;
    o.variance = variance;
    return hf_conv3d(x, name, channels, &o);
}

static hf_node *constant(hf_graph *graph, const char *layer, const char *part, int64_t count, double value, bool state)
{
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%s.%s", layer, part);
    if (state) return hf_state(graph, name, HF_SHAPE(count), value);
    return hf_parameter(graph, name, HF_SHAPE(count), (hf_init){ HF_INIT_CONSTANT, value });
}

hf_node *hf_batch_norm(hf_node *x, const char *name, double momentum)
{
    hf_graph *graph = hf_node_graph(x);
    if (!graph) return NULL;
    const int64_t c = hf_dim(x, 1);
    const hf_params params = { .momentum = (float)(momentum > 0 ? momentum : 0.1), .eps = 1e-5f };
    hf_node *in[] = { x, constant(graph, name, "weight", c, 1, false), constant(graph, name, "bias", c, 0, false),
                      constant(graph, name, "running_mean", c, 0, true),
                      constant(graph, name, "running_var", c, 1, true) };
    const bool learns = graph->training && !graph->holding;
    return hf_apply(graph, learns ? "batch_norm" : "batch_norm_infer", name, &params, 5, in);
}

hf_node *hf_prelu(hf_node *x, const char *name)
{
    hf_graph *graph = hf_node_graph(x);
    if (!graph) return NULL;
    return hf_apply(graph, "prelu", name, NULL, 2, (hf_node *[]){ x, constant(graph, name, "weight", 1, 0.25, false) });
}

double hf_hyperfan_variance(const float *rows, int64_t count, int64_t width)
{
    double sum = 0;
    for (int64_t n = 0; n < count; n++) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < width; i++)
            mean += rows[n * width + i] / (double)width;
        for (int64_t i = 0; i < width; i++)
            square += (rows[n * width + i] - mean) * (rows[n * width + i] - mean) / (double)width;
        sum += square;
    }
    return count > 0 && sum > 0 ? sum / (double)count : 1;
}
