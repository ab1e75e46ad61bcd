/* What plans rewrite, against graphs as they were written: small random networks, each planned twice, once as it is and
 * once with no_fuse, from the same initial values and inputs. The loss, all values that are kept, all gradients and all
 * running statistics have to agree.
 *
 *     test_random_graphs [GRAPHS [FIRST SEED]]
 *
 * Most rewriting only leaves passes out and gives the same bits. A hyper layer is summed in another order; what follows
 * is compared norm by norm, within TOLERANCE of float32. Where rounding moves a value across zero in front of a relu, one
 * gradient would jump: these graphs are small enough that none of the fixed seeds meets one. */
#include "check.h"
#include "plan/plan.h"

enum { SAMPLES = 2, ROW = 3, MAX_KEPT = 12, MAX_VALUES = 1 << 18 };
#define TOLERANCE 2e-5

typedef struct net {
    uint64_t seed, drawn; /* of the choices made */
    int layers;           /* so far, for names */
    hf_model *model;
    hf_graph *graph;
    hf_plan *plan;
    hf_node *image, *row, *loss, *kept[MAX_KEPT];
    int n_kept;
} net;

/* ---- choices ----------------------------------------------------------------------------------------------------- */

static int below(net *n, int count)
{
    return (int)(hf_random_uniform(n->seed, 1, n->drawn++) * count);
}

static const char *next_name(net *n)
{
    static char name[16];
    snprintf(name, sizeof name, "layer%d", n->layers++);
    return name;
}

/* Whoever reads it keeps it from being fused away. */
static hf_node *perhaps_keep(net *n, hf_node *node)
{
    if (n->n_kept < MAX_KEPT && below(n, 4) == 0) n->kept[n->n_kept++] = node;
    return node;
}

static int side(const hf_node *x)
{
    int least = (int)hf_dim(x, 2);
    for (int axis = 3; axis < 5; axis++)
        if (hf_dim(x, axis) < least) least = (int)hf_dim(x, axis);
    return least;
}

/* ---- steps: x and choices -> what comes after x; x itself where it is too small ---------------------------------- */

static hf_node *relu(net *n, hf_node *x)
{
    (void)n;
    return hf_relu(x);
}

static hf_node *conv(net *n, hf_node *x)
{
    const int kernel = below(n, 2) ? 3 : 1, pad = kernel == 3 && (side(x) < 3 || below(n, 2)) ? 1 : 0;
    const hf_layer_options options = { .kernel = kernel,
                                       .pad = pad,
                                       .stride = 1 + below(n, 2),
                                       .no_bias = !below(n, 3),
                                       .embedding = below(n, 3) ? NULL : n->row,
                                       .variance = 1 };
    return hf_conv3d(x, next_name(n), below(n, 2) ? 16 : 4, &options);
}

static hf_node *norm(net *n, hf_node *x)
{
    return hf_batch_norm(x, next_name(n), 0);
}

static hf_node *prelu(net *n, hf_node *x)
{
    return hf_prelu(x, next_name(n));
}

static hf_node *max_pool(net *n, hf_node *x)
{
    (void)n;
    return side(x) < 2 ? x : hf_max_pool3d(x, 2);
}

static hf_node *avg_pool(net *n, hf_node *x)
{
    (void)n;
    return side(x) < 2 ? x : hf_avg_pool3d(x, 2);
}

/* Two readers as well, one of them a max-pool. */
static hf_node *both_pools(net *n, hf_node *x)
{
    return side(x) < 2 ? x : hf_add(max_pool(n, x), avg_pool(n, x));
}

static hf_node *drop_channels(net *n, hf_node *x)
{
    (void)n;
    return hf_dropout_channels(x, 0.25);
}

static hf_node *drop(net *n, hf_node *x)
{
    (void)n;
    return hf_dropout(x, 0.25);
}

static hf_node *modulate(net *n, hf_node *x)
{
    const int channels = (int)hf_dim(x, 1);
    hf_node *scale = hf_linear(n->row, next_name(n), channels, NULL);
    return hf_channel_affine(x, scale, below(n, 2) ? hf_linear(n->row, next_name(n), channels, NULL) : NULL);
}

/* Two readers of x, whose ways meet again. */
static hf_node *residual(net *n, hf_node *x)
{
    const hf_layer_options same = { .kernel = 3, .pad = 1 };
    hf_node *branch = hf_conv3d(below(n, 2) ? hf_relu(x) : x, next_name(n), (int)hf_dim(x, 1), &same);
    return hf_add(below(n, 2) ? hf_relu(branch) : branch, x);
}

static hf_node *linear(net *n, hf_node *x)
{
    return hf_linear(x, next_name(n), 1 + below(n, 8), &(hf_layer_options){ .no_bias = !below(n, 3) });
}

static hf_node *hyper_linear(net *n, hf_node *x)
{
    hf_node *embedding = below(n, 2) ? n->row : hf_linear(n->row, next_name(n), 1 + below(n, 4), NULL);
    const hf_layer_options options = { .embedding = embedding,
                                       .variance = 1,
                                       .no_bias = !below(n, 3),
                                       .start = below(n, 2) ? HF_START_HYPERFAN : HF_START_ORDINARY };
    return hf_linear(x, next_name(n), 1 + below(n, 8), &options);
}

static hf_node *join_row(net *n, hf_node *x)
{
    return hf_concat(x, n->row, 1);
}

static hf_node *squash(net *n, hf_node *x)
{
    return below(n, 2) ? hf_tanh(x) : hf_sigmoid(x);
}

typedef hf_node *(*step)(net *n, hf_node *x);
static const step volume_steps[] = { relu,       relu,          conv,     conv,     norm,
                                     prelu,      max_pool,      max_pool, avg_pool, both_pools,
                                     both_pools, drop_channels, drop,     modulate, residual };
static const step row_steps[] = { relu, relu, linear, hyper_linear, hyper_linear, drop, join_row, squash, prelu };

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* ---- one network ------------------------------------------------------------------------------------------------- */

static hf_node *take_steps(net *n, hf_node *x, const step *steps, int n_steps, int count)
{
    for (int i = 0; i < count; i++)
        x = perhaps_keep(n, steps[below(n, n_steps)](n, x));
    return x;
}

static hf_status describe(net *n, hf_context *context)
{
    const int d = 4 + below(n, 4), h = 4 + below(n, 4), w = 4 + below(n, 4);
    HF_TRY(hf_model_new(&n->model, context, n->seed));
    HF_TRY(hf_graph_new(&n->graph, n->model, true));
    n->row = hf_input(n->graph, "row", HF_SHAPE(SAMPLES, ROW));
    n->image = hf_input(n->graph, "image", HF_SHAPE(SAMPLES, below(n, 2) ? 1 : 16, d, h, w));
    hf_node *x = take_steps(n, conv(n, n->image), volume_steps, COUNT(volume_steps), 2 + below(n, 5));
    x = below(n, 2) ? hf_flatten(x) : hf_global_avg_pool3d(x);
    x = take_steps(n, x, row_steps, COUNT(row_steps), 1 + below(n, 5));
    x = hf_linear(x, "last", 1, NULL);
    n->kept[n->n_kept < MAX_KEPT ? n->n_kept++ : MAX_KEPT - 1] = x;
    n->loss = hf_mse(x, hf_input(n->graph, "target", HF_SHAPE(SAMPLES, 1)));
    return hf_graph_check(n->graph);
}

static int64_t count_of(const hf_node *node)
{
    const hf_shape shape = hf_node_shape(node);
    return hf_shape_count(&shape);
}

static hf_status set_inputs(net *n)
{
    static float values[MAX_VALUES];
    hf_random_normals(values, MAX_VALUES, n->seed, 2);
    HF_TRY(hf_plan_set(n->plan, "image", values, count_of(n->image)));
    HF_TRY(hf_plan_set(n->plan, "row", values + 1, SAMPLES * ROW));
    return hf_plan_set(n->plan, "target", values + 2, SAMPLES);
}

static hf_status run(net *n, hf_context *context, bool no_fuse)
{
    HF_TRY(describe(n, context));
    HF_TRY(
        hf_plan_new(&n->plan, n->graph,
                    &(hf_plan_options){ .loss = n->loss, .keep = n->kept, .n_keep = n->n_kept, .no_fuse = no_fuse }));
    HF_TRY(hf_plan_bind(n->plan, NULL));
    HF_TRY(hf_model_set_step(n->model, n->seed, 1));
    HF_TRY(set_inputs(n));
    return hf_plan_run(n->plan);
}

static void free_net(net *n)
{
    hf_plan_free(&n->plan);
    hf_graph_free(&n->graph);
    hf_model_free(&n->model);
}

/* ---- two of them ------------------------------------------------------------------------------------------------- */

static float found[MAX_VALUES], expected[MAX_VALUES];

/* Norm of the difference over the norm of what is expected; `floor` stands in for a smaller norm. */
static double difference(int64_t count, double floor)
{
    double apart = 0, norm = floor * floor;
    for (int64_t i = 0; i < count; i++) {
        apart += pow((double)found[i] - expected[i], 2);
        norm += pow(expected[i], 2);
    }
    return sqrt(apart / norm);
}

static void agree(const char *what, const char *name, uint64_t seed, int64_t count, double floor)
{
    const double apart = difference(count, floor);
    if (!CHECK(apart <= TOLERANCE))
        fprintf(stderr, "    seed %llu, %s of '%s': relative difference %.3g\n", (unsigned long long)seed, what, name,
                apart);
}

static void compare_kept(net *fused, net *written)
{
    for (int k = 0; k < fused->n_kept; k++) {
        const int64_t count = count_of(fused->kept[k]);
        CHECK_OK(hf_plan_get(fused->plan, fused->kept[k], found, count));
        CHECK_OK(hf_plan_get(written->plan, written->kept[k], expected, count));
        agree("value", hf_node_name(written->kept[k]), fused->seed, count, 1e-6);
    }
}

/* Of all parameters at once. */
static double gradient_norm(const net *n)
{
    const hf_tensor gradient = hf_model_gradient(n->model);
    const int64_t count = hf_shape_count(&gradient.desc.shape);
    double squares = 0;
    if (!CHECK(count <= MAX_VALUES) || !CHECK_OK(hf_tensor_read(&gradient, expected, count))) return 0;
    for (int64_t i = 0; i < count; i++)
        squares += pow(expected[i], 2);
    return sqrt(squares);
}

static void compare_tensor(const char *what, const hf_named *mine, const hf_tensor *a, const hf_tensor *b,
                           uint64_t seed, double floor)
{
    const int64_t count = hf_shape_count(&a->desc.shape);
    CHECK_OK(hf_tensor_read(a, found, count));
    CHECK_OK(hf_tensor_read(b, expected, count));
    agree(what, mine->name, seed, count, floor);
}

/* A bias in front of batch norm has a gradient of rounding errors alone: what is small beside the whole gradient is judged
 * beside a tenth of that. */
static void compare_models(const net *fused, const net *written)
{
    const double floor = 0.1 * gradient_norm(written);
    CHECK(hf_model_named_count(fused->model) == hf_model_named_count(written->model));
    for (int i = 0; i < hf_model_named_count(fused->model); i++) {
        const hf_named a = hf_model_named(fused->model, i), b = hf_model_named(written->model, i);
        if (a.is_parameter) compare_tensor("gradient", &a, &a.gradient, &b.gradient, fused->seed, floor);
        if (!a.is_parameter) compare_tensor("state", &a, &a.value, &b.value, fused->seed, 1e-6);
    }
}

/* Answers how many tasks rewriting saved. */
static int compare(hf_context *context, uint64_t seed)
{
    net fused = { .seed = seed }, written = { .seed = seed };
    int saved = 0;
    if (CHECK_OK(run(&fused, context, false)) && CHECK_OK(run(&written, context, true))) {
        compare_kept(&fused, &written);
        compare_models(&fused, &written);
        saved = hf_plan_summary(written.plan).tasks - hf_plan_summary(fused.plan).tasks;
    }
    free_net(&fused);
    free_net(&written);
    return saved;
}

int main(int argc, char **argv)
{
    const int graphs = argc > 1 ? atoi(argv[1]) : 500, first = argc > 2 ? atoi(argv[2]) : 1;
    hf_context *context = NULL;
    int rewritten = 0;
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) return check_done("random graphs");
    for (int i = 0; i < graphs; i++)
        rewritten += compare(context, (uint64_t)(first + i)) != 0;
    printf("%d graphs, %d of them with another number of tasks than written\n", graphs, rewritten);
    CHECK(rewritten > graphs / 4);
    hf_context_free(&context);
    return check_done("random graphs");
}
