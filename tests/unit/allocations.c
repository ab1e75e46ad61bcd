/* Every allocation of planning, freezing and binding fails once. Each time the call says so, nothing is lost (under the
 * leak checker), and the same call made again succeeds and computes the bits that it computes without failures. Then what
 * plans refuse: arrays of another size, inputs that were never set.
 *
 * hf_alloc is this file's: its definition here goes before the library's. */
#include "check.h"
#include "plan/plan.h"

enum { SAMPLES = 2, SIDE = 6, ROW = 2 };

/* ---- allocations that fail --------------------------------------------------------------------------------------- */

static long left = -1; /* allocations until the one that fails; negative: none fails */
static long calls;

hf_status hf_alloc(void *out_pointer, size_t count, size_t size, const char *what)
{
    void *memory = NULL;
    calls++;
    if (left != 0) memory = calloc(count ? count : 1, size);
    if (left >= 0) left--;
    memcpy(out_pointer, &memory, sizeof memory);
    return memory ? HF_OK : hf_fail(HF_ERR_MEMORY, "no host memory for %s, says the test", what);
}

/* ---- a network --------------------------------------------------------------------------------------------------- */

typedef struct net {
    hf_model *model;
    hf_graph *graph;
    hf_node *loss, *prediction;
    hf_plan *plan;
} net;

/* Something for every pass: an epilogue, a pool behind a relu, batch norm's states, a hyper layer to rewrite, conversions
 * of layout, dropout. */
static hf_status describe(net *n, hf_context *context)
{
    HF_TRY(hf_model_new(&n->model, context, 7));
    HF_TRY(hf_graph_new(&n->graph, n->model, true));
    hf_node *image = hf_input(n->graph, "image", HF_SHAPE(SAMPLES, 1, SIDE, SIDE, SIDE));
    hf_node *row = hf_input(n->graph, "row", HF_SHAPE(SAMPLES, ROW));
    hf_node *x = hf_max_pool3d(hf_relu(hf_batch_norm(hf_conv3d(image, "conv", 16, NULL), "norm", 0)), 2);
    hf_node *y = hf_hyper_linear(hf_dropout(hf_flatten(x), 0.2), row, "head", 4, 0.25);
    n->prediction = hf_hyper_linear(hf_relu(y), row, "last", 1, 0.25);
    n->loss = hf_mse(n->prediction, hf_input(n->graph, "target", HF_SHAPE(SAMPLES, 1)));
    return hf_graph_check(n->graph);
}

static hf_status plan_net(net *n)
{
    return hf_plan_new(&n->plan, n->graph, &(hf_plan_options){ .loss = n->loss, .keep = &n->prediction, .n_keep = 1 });
}

static void free_net(net *n)
{
    hf_plan_free(&n->plan);
    hf_graph_free(&n->graph);
    hf_model_free(&n->model);
}

static hf_status set_inputs(hf_plan *plan)
{
    float image[SAMPLES * SIDE * SIDE * SIDE];
    for (size_t i = 0; i < sizeof image / sizeof image[0]; i++)
        image[i] = (float)hf_random_normal(1, 2, i);
    HF_TRY(hf_plan_set(plan, "image", image, SAMPLES * SIDE * SIDE * SIDE));
    HF_TRY(hf_plan_set(plan, "row", (float[]){ 1, 0, 0, 1 }, SAMPLES * ROW));
    return hf_plan_set(plan, "target", (float[]){ 3, -2 }, SAMPLES);
}

static hf_status compute(float *loss, net *n)
{
    HF_TRY(set_inputs(n->plan));
    HF_TRY(hf_plan_run(n->plan));
    return hf_plan_get(n->plan, n->loss, loss, 1);
}

/* ---- every one of them ------------------------------------------------------------------------------------------- */

/* Allocation number `fail_at` of this step fails. False when the step has no so many. */
static bool fails_once(net *n, hf_status (*step)(net *), long fail_at)
{
    left = fail_at;
    const hf_status status = step(n);
    const bool failed = left < 0;
    left = -1;
    if (failed) CHECK_STATUS(status, HF_ERR_MEMORY, "says the test");
    if (!failed) CHECK_OK(status);
    return failed;
}

static hf_status bind_net(net *n)
{
    return hf_plan_bind(n->plan, NULL);
}

/* A step is tried until nothing fails any more, first allocation first; then it has been done. */
static long walk(net *n, hf_status (*step)(net *), bool leaves_nothing)
{
    long fail_at = 0;
    while (fails_once(n, step, fail_at)) {
        if (leaves_nothing) CHECK(n->plan == NULL);
        fail_at++;
    }
    return fail_at;
}

static void test_every_allocation(hf_context *context)
{
    net n = { 0 }, plain = { 0 };
    float loss = 0, expected = 0;
    CHECK_OK(describe(&plain, context));
    CHECK_OK(plan_net(&plain));
    CHECK_OK(compute(&expected, &plain));
    CHECK(isfinite(expected) && expected > 0);
    CHECK_OK(describe(&n, context));
    const long planning = walk(&n, plan_net, true), binding = walk(&n, bind_net, false);
    printf("allocations that failed: %ld in planning, %ld in binding\n", planning, binding);
    CHECK(planning > 100 && binding > 50);
    CHECK_OK(compute(&loss, &n));
    CHECK(memcmp(&loss, &expected, sizeof loss) == 0);
    free_net(&plain);
    free_net(&n);
}

/* Plans that share an arena: the one that is bound already is not touched by the failure of another. */
static void test_shared_arena(hf_context *context)
{
    net one = { 0 }, two = { 0 };
    hf_arena *arena = NULL;
    float first = 0, again = 0, other = 0;
    CHECK_OK(hf_arena_new(&arena, context));
    CHECK_OK(describe(&one, context));
    CHECK_OK(plan_net(&one));
    CHECK_OK(describe(&two, context));
    CHECK_OK(plan_net(&two));
    CHECK_OK(hf_arena_reserve(arena, one.plan));
    CHECK_OK(hf_plan_bind(one.plan, arena));
    CHECK_OK(compute(&first, &one));
    for (long fail_at = 0; fail_at < 60; fail_at += 7) {
        left = fail_at;
        CHECK_STATUS(hf_plan_bind(two.plan, arena), HF_ERR_MEMORY, "says the test");
        left = -1;
        CHECK_OK(compute(&again, &one));
        CHECK(memcmp(&first, &again, sizeof first) == 0);
    }
    CHECK_OK(hf_plan_bind(two.plan, arena));
    CHECK_OK(compute(&other, &two));
    CHECK(memcmp(&first, &other, sizeof first) == 0);
    free_net(&one);
    free_net(&two);
    hf_arena_free(&arena);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void test_counts(hf_context *context)
{
    net n = { 0 };
    float values[SAMPLES * SIDE * SIDE * SIDE] = { 0 };
    hf_tensor tensor = { 0 };
    CHECK_OK(describe(&n, context));
    CHECK_OK(plan_net(&n));
    CHECK_STATUS(hf_plan_set(n.plan, "row", values, 3), HF_ERR_SHAPE,
                 "'row' is [2,2], 4 elements; the array given for it "
                 "has [3]");
    CHECK_STATUS(hf_plan_run(n.plan), HF_ERR_ARGUMENT, "the input 'image' has no value yet");
    CHECK_OK(hf_plan_set(n.plan, "image", values, SAMPLES * SIDE * SIDE * SIDE));
    CHECK_OK(hf_plan_set(n.plan, "target", values, SAMPLES));
    CHECK_STATUS(hf_plan_run(n.plan), HF_ERR_ARGUMENT, "the input 'row' has no value yet");
    CHECK_OK(hf_plan_set(n.plan, "row", values, SAMPLES * ROW));
    CHECK_OK(hf_plan_run(n.plan));
    CHECK_STATUS(hf_plan_get(n.plan, n.prediction, values, 1), HF_ERR_SHAPE, "is [2,1], 2 elements");
    CHECK_OK(hf_plan_get(n.plan, n.prediction, values, 2));
    free_net(&n);

    CHECK_OK(hf_tensor_new(&tensor, context, HF_SHAPE(2, 3)));
    CHECK_STATUS(hf_tensor_write(&tensor, values, 7), HF_ERR_SHAPE, "a tensor [2,3] of 6 elements: the array has [7]");
    CHECK_STATUS(hf_tensor_read(&tensor, values, 5), HF_ERR_SHAPE, "a tensor [2,3] of 6 elements: the array has [5]");
    CHECK_OK(hf_tensor_write(&tensor, values, 6));
    hf_tensor_free(&tensor);
}

int main(void)
{
    hf_context *context = NULL;
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) return check_done("allocations");
    test_every_allocation(context);
    test_shared_arena(context);
    test_counts(context);
    hf_context_free(&context);
    return check_done("allocations");
}
