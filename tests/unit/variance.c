/* Checks the variance term of the hyperfan-in start: of rows by hand, of what an untrained embedding makes of rows against
 * the same in double, and that a recipe's mode decides which of them a network starts with. */
#include "check.h"
#include "networks/conditioning.h"
#include "run/parts.h"

static hf_context *context;

/* Clinical-like rows [N,4]: two numbers and a one-hot pair. */
enum { N = 4, F = 4 };
static const float rows[N * F] = { 0.5f, -1, 1, 0, 2, 0.25f, 0, 1, -0.75f, 1.5f, 1, 0, 0, 0, 0, 1 };

static double by_hand(const double *values, int count, int width)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double mean = 0, squares = 0;
        for (int k = 0; k < width; k++)
            mean += values[i * width + k] / width;
        for (int k = 0; k < width; k++)
            squares += pow(values[i * width + k] - mean, 2) / width;
        sum += squares / count;
    }
    return sum;
}

static void test_rows(void)
{
    static const float pair[] = { 1, 0, 0, 1 }, equal[] = { 3, 3, -2, -2 }, triple[] = { 1, 2, 6 };
    double wide[N * F];
    for (int i = 0; i < N * F; i++)
        wide[i] = rows[i];
    CHECK(hf_hyperfan_variance(pair, 2, 2) == 0.25); /* of a one-hot pair: the constant of brain age */
    CHECK(hf_hyperfan_variance(equal, 2, 2) == 1);   /* nothing varies */
    CHECK_NEAR(hf_hyperfan_variance(triple, 1, 3), 14.0 / 3, 1e-12);
    CHECK_NEAR(hf_hyperfan_variance(rows, N, F), by_hand(wide, N, F), 1e-12);
}

/* The embedding alone: its weights, read back, make of the rows what the device made of them. */
static double embedded_by_hand(const hf_network *network, const hf_network_options *options, uint64_t seed)
{
    enum { J = 3 };
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    float weight[J * F] = { 0 }, bias[J] = { 0 };
    double embedded[N * J];
    CHECK_OK(hf_model_new(&model, context, seed));
    CHECK_OK(hf_graph_new(&graph, model, false));
    hf_node *row = hf_input(graph, "tabular", HF_SHAPE(N, F));
    const hf_network_options complete = hf_conditioning_options(row, options, &network->own);
    hf_node *e = network->embed(row, &complete);
    CHECK_OK(hf_graph_check(graph));
    CHECK_OK(hf_model_freeze(model));
    CHECK(hf_dim(e, 1) == J && hf_model_named_count(model) == 2);
    for (int i = 0; i < 2; i++) {
        const hf_tensor value = hf_model_named(model, i).value;
        const bool is_bias = value.desc.shape.rank == 1;
        CHECK_OK(hf_tensor_read(&value, is_bias ? bias : weight, is_bias ? J : J * F));
    }
    for (int i = 0; i < N * J; i++) {
        embedded[i] = bias[i % J];
        for (int k = 0; k < F; k++)
            embedded[i] += (double)weight[i % J * F + k] * rows[i / J * F + k];
    }
    hf_graph_free(&graph);
    hf_model_free(&model);
    return by_hand(embedded, N, J);
}

static void test_embedding(void)
{
    const hf_network *network = hf_network_find("brain-age-hyperfusion");
    const hf_network_options linear = { .embedding = 3, .embedding_kind = "linear" };
    const hf_network_options fill = { .embedding = 2, .embedding_kind = "fill" };
    double found[2] = { NAN, NAN };
    for (int i = 0; i < 2; i++) {
        CHECK_OK(hf_network_embedding_variance(&found[i], network, &linear, context, 5 + (uint64_t)i, rows, N, F));
        const double expected = embedded_by_hand(network, &linear, 5 + (uint64_t)i);
        CHECK_NEAR(found[i], expected, 1e-6 * expected);
    }
    CHECK(found[0] != found[1]);
    CHECK_OK(hf_network_embedding_variance(found, network, &fill, context, 1, rows, N, F));
    CHECK(found[0] == 1); /* both numbers are the row's sum */
    CHECK_STATUS(
        hf_network_embedding_variance(found, hf_network_find("ad-image-only"), &linear, context, 1, rows, N, F),
        HF_ERR_UNSUPPORTED, "has no embedding");
}

static double started_with(const char *mode, const float *measured)
{
    static const int shape[3] = { 36, 36, 36 }, batch[HF_N_STEPS] = { [HF_STEP_TRAIN] = 2 };
    char setting[64];
    double variance = NAN;
    hf_recipe recipe;
    hf_target target;
    hf_run_network network = { 0 };
    snprintf(setting, sizeof setting, "model.variance_mode=%s", mode);
    CHECK_OK(hf_recipe_defaults(&recipe));
    CHECK_OK(hf_recipe_set(&recipe, setting));
    CHECK_OK(hf_recipe_set(&recipe, "model.variance=0.375"));
    CHECK_OK(hf_recipe_set(&recipe, "model.embedding=3"));
    CHECK_OK(hf_recipe_set(&recipe, "model.embedding_kind=linear"));
    CHECK_OK(hf_recipe_set(&recipe, "model.hyper_start=published"));
    CHECK_OK(hf_target_set(&target, &recipe));
    if (CHECK_OK(hf_run_network_plan(&network, &recipe, &target, NULL, shape, F, batch, measured, N)))
        variance = network.variance;
    hf_run_network_free(&network);
    hf_recipe_free(&recipe);
    return variance;
}

static void test_recipe(void)
{
    const double input = hf_hyperfan_variance(rows, N, F), embedding = started_with("embedding", rows);
    CHECK(started_with("constant", rows) == 0.375 && started_with("input", rows) == input);
    CHECK(embedding > 0 && embedding != input && embedding != 0.375);
    CHECK(started_with("input", NULL) == 0.375); /* weights come from a file: nothing is measured */
}

int main(void)
{
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) return check_done("variance");
    test_rows();
    test_embedding();
    test_recipe();
    hf_context_free(&context);
    return check_done("variance");
}
