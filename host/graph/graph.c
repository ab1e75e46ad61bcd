/* graph.c: building graphs. A call that adds a node checks its shapes at once; the first error makes the graph failed,
 * every later call returns NULL, and the error is reported when the graph is planned. */
#include "node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hf_status hf_graph_new(hf_graph **out, hf_model *model, bool training)
{
    *out = NULL;
    HF_TRY(hf_alloc(out, 1, sizeof **out, "a graph"));
    (*out)->model = model;
    (*out)->training = training;
    return HF_OK;
}

void hf_graph_free(hf_graph **graph)
{
    if (!graph || !*graph) return;
    for (int i = 0; i < (*graph)->nodes.count; i++)
        hf_node_free(&(*graph)->nodes.at[i]);
    free((*graph)->nodes.at);
    free((*graph)->message);
    free(*graph);
    *graph = NULL;
}

bool hf_graph_hold(hf_graph *graph, bool hold)
{
    const bool before = graph && graph->holding;
    if (graph) graph->holding = hold;
    return before;
}

hf_status hf_graph_check(const hf_graph *graph)
{
    if (graph->status == HF_OK) return HF_OK;
    return hf_fail(graph->status, "%s", graph->message ? graph->message : "the graph could not be built");
}

/* Remembers this thread's message as the graph's first error; always NULL, for `return`. */
static hf_node *fail(hf_graph *graph, hf_status status)
{
    if (graph->status == HF_OK) {
        graph->status = status;
        if (hf_strdup(&graph->message, hf_error_message()) != HF_OK) graph->message = NULL;
    }
    return NULL;
}

hf_node *hf_graph_fail(hf_graph *graph, hf_status code, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    if (!graph) return NULL;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail(graph, hf_fail(code, "%s", message));
}

/* ---- leaves ------------------------------------------------------------------------------------------------------ */

static hf_node *add_leaf(hf_graph *graph, hf_kind kind, const char *name, hf_shape shape, hf_type type)
{
    char text[96];
    hf_node *node = NULL;
    if (graph->status != HF_OK) return NULL;
    if (hf_shape_count(&shape) <= 0)
        return hf_graph_fail(graph, HF_ERR_SHAPE, "'%s': shape %s has no elements", name, hf_shape_text(&shape, text));
    hf_status status = hf_node_new(&node, kind, name);
    if (status == HF_OK) {
        node->graph = graph;
        node->desc = (hf_desc){ shape, type, HF_PLAIN };
        status = hf_nodes_push(&graph->nodes, node);
    }
    if (status == HF_OK) return node;
    hf_node_free(&node);
    return fail(graph, status);
}

/* A leaf of this kind that is there already, so that a parameter used twice is one node. */
static hf_node *find_leaf(hf_graph *graph, hf_kind kind, const char *name)
{
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.at[i]->kind == kind && strcmp(graph->nodes.at[i]->name, name) == 0) return graph->nodes.at[i];
    return NULL;
}

static hf_node *input(hf_graph *graph, const char *name, hf_shape shape, hf_type type)
{
    char had[96], got[96];
    if (!graph || graph->status != HF_OK) return NULL;
    hf_node *node = find_leaf(graph, HF_NODE_INPUT, name);
    if (!node) return add_leaf(graph, HF_NODE_INPUT, name, shape, type);
    if (hf_shape_equal(&node->desc.shape, &shape) && node->desc.type == type) return node;
    return hf_graph_fail(graph, HF_ERR_ARGUMENT, "there are two inputs named '%s', of %s and of %s", name,
                         hf_shape_text(&node->desc.shape, had), hf_shape_text(&shape, got));
}

hf_node *hf_input(hf_graph *graph, const char *name, hf_shape shape)
{
    return input(graph, name, shape, HF_F32);
}

hf_node *hf_input_labels(hf_graph *graph, const char *name, hf_shape shape)
{
    return input(graph, name, shape, HF_I32);
}

static hf_node *slot_leaf(hf_graph *graph, const char *name, hf_shape shape, hf_init init, bool is_parameter)
{
    const hf_kind kind = is_parameter ? HF_NODE_PARAMETER : HF_NODE_STATE;
    int index = 0;
    if (!graph || graph->status != HF_OK) return NULL;
    const hf_status status = hf_model_slot(&index, graph->model, name, shape, init, is_parameter);
    if (status != HF_OK) return fail(graph, status);
    hf_node *node = find_leaf(graph, kind, name);
    if (!node) node = add_leaf(graph, kind, name, shape, HF_F32);
    if (node) node->named = index;
    return node;
}

hf_node *hf_parameter(hf_graph *graph, const char *name, hf_shape shape, hf_init init)
{
    return slot_leaf(graph, name, shape, init, graph && !graph->holding);
}

hf_node *hf_state(hf_graph *graph, const char *name, hf_shape shape, double value)
{
    return slot_leaf(graph, name, shape, (hf_init){ HF_INIT_CONSTANT, value }, false);
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

/* "relu.2": what an operator without a name of its own is called in messages and tables. */
static const char *default_name(const hf_graph *graph, const char *op, char name[64])
{
    int count = 1;
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.at[i]->op && strcmp(hf_op_name(graph->nodes.at[i]->op), op) == 0) count++;
    snprintf(name, 64, "%.40s.%d", op, count);
    return name;
}

hf_node *hf_apply(hf_graph *graph, const char *op, const char *name, const hf_params *params, int n_in,
                  hf_node *const *in)
{
    char generic[64];
    hf_node *node = NULL, *operand[HF_MAX_IN] = { NULL };
    if (!graph || graph->status != HF_OK) return NULL;
    for (int i = 0; i < n_in && i < HF_MAX_IN; i++) {
        if (!in[i]) return NULL;
        if (in[i] == HF_ABSENT) continue;
        if (in[i]->graph != graph)
            return hf_graph_fail(graph, HF_ERR_ARGUMENT, "%s: operand '%s' belongs to another graph", op, in[i]->name);
        operand[i] = in[i];
    }
    if (!name) name = default_name(graph, op, generic);
    const hf_status status = hf_nodes_apply(&node, &graph->nodes, op, name, params, n_in, operand);
    if (status != HF_OK) return fail(graph, status);
    for (int k = 0; k < node->n_out; k++)
        node->result[k]->graph = graph;
    return node;
}

hf_node *hf_result(hf_node *node, int index)
{
    if (!node) return NULL;
    if (index >= 0 && index < node->n_out) return node->result[index];
    return hf_graph_fail(node->graph, HF_ERR_ARGUMENT, "'%s' has no result number %d", node->name, index);
}

hf_shape hf_node_shape(const hf_node *node)
{
    return node ? node->desc.shape : (hf_shape){ 0 };
}

int64_t hf_dim(const hf_node *node, int axis)
{
    return node && axis >= 0 && axis < node->desc.shape.rank ? node->desc.shape.dim[axis] : 0;
}

const char *hf_node_name(const hf_node *node)
{
    return node ? node->name : "";
}

hf_graph *hf_node_graph(const hf_node *node)
{
    return node ? node->graph : NULL;
}

static hf_node *unary(hf_node *x, const char *op, const hf_params *params)
{
    return hf_apply(hf_node_graph(x), op, NULL, params, 1, (hf_node *[]){ x });
}

static hf_node *binary(hf_node *a, hf_node *b, const char *op, const hf_params *params)
{
    return hf_apply(hf_node_graph(a), op, NULL, params, 2, (hf_node *[]){ a, b });
}

hf_node *hf_relu(hf_node *x)
{
    return unary(x, "relu", NULL);
}

hf_node *hf_sigmoid(hf_node *x)
{
    return unary(x, "sigmoid", NULL);
}

hf_node *hf_tanh(hf_node *x)
{
    return unary(x, "tanh", NULL);
}

hf_node *hf_softmax(hf_node *x)
{
    return unary(x, "softmax", NULL);
}

hf_node *hf_add(hf_node *a, hf_node *b)
{
    return binary(a, b, "add", NULL);
}

hf_node *hf_multiply(hf_node *a, hf_node *b)
{
    return binary(a, b, "multiply", NULL);
}

hf_node *hf_max_pool3d(hf_node *x, int kernel)
{
    return unary(x, "max_pool3d", &(hf_params){ .kernel = kernel, .stride = kernel });
}

hf_node *hf_avg_pool3d(hf_node *x, int kernel)
{
    return unary(x, "avg_pool3d", &(hf_params){ .kernel = kernel, .stride = kernel });
}

hf_node *hf_global_avg_pool3d(hf_node *x)
{
    return unary(x, "global_avg_pool3d", NULL);
}

hf_node *hf_reshape(hf_node *x, hf_shape shape)
{
    return unary(x, "reshape", &(hf_params){ .shape = shape });
}

hf_node *hf_flatten(hf_node *x)
{
    const int64_t n = hf_dim(x, 0), count = x ? hf_shape_count(&x->desc.shape) : 0;
    return hf_reshape(x, HF_SHAPE(n, n ? count / n : 0));
}

hf_node *hf_concat(hf_node *a, hf_node *b, int axis)
{
    return binary(a, b, "concat", &(hf_params){ .axis = axis });
}

hf_node *hf_features(hf_node *x, int64_t first, int64_t count)
{
    return unary(x, "slice", &(hf_params){ .axis = 1, .kernel = (int)first, .shape = HF_SHAPE(hf_dim(x, 0), count) });
}

hf_node *hf_scale(hf_node *x, double factor)
{
    return unary(x, "scale", &(hf_params){ .scale = (float)factor });
}

static hf_node *dropout(hf_node *x, double p, int channels)
{
    hf_graph *graph = hf_node_graph(x);
    if (!graph || graph->status != HF_OK) return NULL;
    if (p < 0 || p >= 1)
        return hf_graph_fail(graph, HF_ERR_ARGUMENT, "dropout probability is %g, expected 0 to less than 1", p);
    if (!graph->training || graph->holding || p == 0) return x;
    hf_node *random = find_leaf(graph, HF_NODE_RANDOM, "random");
    if (!random) random = add_leaf(graph, HF_NODE_RANDOM, "random", HF_SHAPE(4), HF_I32);
    const hf_params params = { .p = (float)p, .channels = channels, .stream = graph->streams++ };
    return hf_apply(graph, "dropout", NULL, &params, 2, (hf_node *[]){ x, random });
}

hf_node *hf_dropout(hf_node *x, double p)
{
    return dropout(x, p, 0);
}

hf_node *hf_dropout_channels(hf_node *x, double p)
{
    return dropout(x, p, 1);
}

hf_node *hf_channel_affine(hf_node *x, hf_node *scale, hf_node *shift)
{
    hf_node *in[] = { x, scale ? scale : HF_ABSENT, shift ? shift : HF_ABSENT };
    return hf_apply(hf_node_graph(x), "channel_affine", NULL, NULL, 3, in);
}

hf_node *hf_mse(hf_node *x, hf_node *target)
{
    return binary(x, target, "mse", NULL);
}

hf_node *hf_l1(hf_node *x, hf_node *target)
{
    return binary(x, target, "l1", NULL);
}

hf_node *hf_cox(hf_node *x, hf_node *time, hf_node *event, bool efron)
{
    hf_node *in[] = { x, time, event };
    return hf_apply(hf_node_graph(x), "cox", NULL, &(hf_params){ .efron = efron }, 3, in);
}

hf_node *hf_cross_entropy(hf_node *logits, hf_node *labels, hf_node *weights)
{
    hf_node *in[] = { logits, labels, weights ? weights : HF_ABSENT };
    return hf_apply(hf_node_graph(logits), "softmax_cross_entropy", NULL, NULL, 3, in);
}
