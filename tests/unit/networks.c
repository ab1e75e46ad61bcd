/* networks.c: every network of the paper and of its ablations has the number of parameters that the reference code has,
 * and options that make no sense are refused. Nothing runs here: graphs are built and planned. Also the initial values of
 * hyper layers, which no run of training would show to be wrong. */
#include "check.h"
#include "hyperfusion.h"

static hf_context *context;

typedef struct count_row {
    const char *network;
    int width; /* F; 0: no row */
    hf_network_options options;
    int64_t parameters;
} count_row;

#define AGE "brain-age-hyperfusion"
#define AD  "ad-hyperfusion"
#define HYPER(list)                                                                                                    \
    {                                                                                                                  \
        .hyper_layers = (list)                                                                                         \
    }

static const count_row brain_age[] = {
    { AGE, 2, { 0 }, 1482206 },
    { AGE, 2, HYPER("none"), 848673 },
    { AGE, 2, HYPER("linear1,linear2,linear3,final_layer"), 1482206 },
    { AGE, 2, HYPER("linear1"), 1479476 },
    { AGE, 2, HYPER("linear2"), 849220 },
    { AGE, 2, HYPER("linear3"), 850788 },
    { AGE, 2, HYPER("final_layer"), 848741 },
    { AGE, 2, HYPER("conv3_b"), 959332 },
    /* twice all but batch norm, and ten embeddings */
    { AGE, 2, HYPER("all"), 2 * (848673 - 224) + 224 + 10 * 3 },
    { AGE, 2, { .embedding = 2 }, 2115739 },
    { AGE, 2, { .embedding = 2, .embedding_kind = "linear" }, 2115739 },
    { "brain-age-image-only", 2, { 0 }, 848673 },
    { "brain-age-image-only", 0, { 0 }, 848673 },
    { "brain-age-concatenation", 2, { 0 }, 848737 },
    { "brain-age-concatenation", 2, { .concat_layers = "linear1,linear2,linear3,final_layer" }, 848899 },
    { "brain-age-concatenation", 2, { .concat_layers = "none" }, 848673 },
    { "brain-age-concatenation", 5, { 0 }, 848673 + 5 * 32 },
    /* a row of five numbers: four embeddings of linear 5 -> 2, three layers instead of one */
    { AGE, 5, { 0 }, 848673 + 2 * 633521 + 4 * (5 * 2 + 2) },
    { AGE, 5, { .share_embedding = true }, 848673 + 2 * 633521 + (5 * 2 + 2) },
    /* of linear 5 -> 8, batch norm and PReLU */
    { AGE, 5, { .embedding_kind = "mlp", .embedding = 8 }, 848673 + 8 * 633521 + 4 * (5 * 8 + 8 + 16 + 1) },
};

static const count_row ad[] = {
    { AD, 16, { 0 }, 3853724 },
    { AD, 4, { 0 }, 3853596 + 8 * 4 },
    { AD, 16, HYPER("none"), 3589123 },
    { "ad-image-only", 0, { 0 }, 3589123 },
    { "ad-image-only", 16, { .dropout = -1 }, 3589123 },
    { AD, 16, HYPER("block1.shortcut"), 3593660 },
    { AD, 16, HYPER("block2.shortcut"), 3606236 },
    { AD, 16, HYPER("block3.shortcut"), 3655964 },
    { AD, 16, HYPER("block4.shortcut"), 3853724 },
    { AD, 16, HYPER("block4.conv1"), 10669468 },
    { AD, 16, HYPER("block4.conv2"), 17747356 },
    { AD, 16, HYPER("fc1,fc2"), 3722829 },
    { AD, 16, HYPER("block3.shortcut,block4.shortcut"), 3589123 + (3655964 - 3589123) + (3853724 - 3589123) },
    { AD, 16, HYPER("block4.shortcut,fc1,fc2"), 3853724 + 3722829 - 3589123 - 256 },
    { AD, 16, { .outputs = 2 }, 3853724 - 65 },
    { AD, 16, { .outputs = 1 }, 3853594 },
    { AD, 16, { .outputs = 5 }, 3853724 + 2 * 65 }, /* CN, EMCI, LMCI, MCI, AD */
    /* an embedding of J: J (16 + 1 + 2) + 1, and J + 1 times the 33024 generated numbers */
    { AD, 16, { .embedding = 4 }, 3853724 - 4 * (19 + 33024) },
    { AD, 16, { .embedding = 16 }, 3853724 + 8 * (19 + 33024) },
    { AD, 16, { .hyper_layers = "fc1,fc2", .share_embedding = true }, 3722829 - 153 },
    { "ad-tabular", 16, { 0 }, 180 },
    { "ad-tabular", 16, { .embedding = 4 }, 19 * 4 + 1 + 3 * 4 + 3 },
    { "ad-tabular", 16, { .embedding = 16 }, 19 * 16 + 1 + 3 * 16 + 3 },
    { "ad-tabular", 16, { .embedding = 32 }, 19 * 32 + 1 + 3 * 32 + 3 },
    { "ad-concatenation", 16, { 0 }, 3590147 },
    { "ad-concatenation", 16, { .concat_layers = "fc2" }, 3589123 + 16 * 3 },
    { "ad-concatenation", 16, { .concat_layers = "fc1,fc2" }, 3590147 + 16 * 3 },
    { "ad-film", 16, { 0 }, 3591027 },
    { "ad-film", 16, { .film = "scale" }, 3591027 - 7 * 128 },
    { "ad-film", 16, { .film = "shift" }, 3591027 - 7 * 128 },
    { "ad-film", 16, { .film_activation = "sigmoid" }, 3591027 },
    { "ad-film", 16, { .bottleneck = 14 }, 3589123 + 2 * 1904 },
    { "ad-daft", 16, { 0 }, 3591923 },
    { "ad-daft", 16, { .film = "shift", .film_activation = "tanh" }, 3591923 - 7 * 128 },
    /* 128 pooled features more for the embedding; a linear layer of 8 -> 3 more */
    { "ad-hyperfusion-mix", 16, { 0 }, 3853724 + 8 * 128 },
    { "ad-hyperfusion-auxiliary", 16, { 0 }, 3853724 + 27 },
    { "ad-hyperfusion-auxiliary", 16, { .auxiliary_mix = -1 }, 3853724 },
    { AD, 16, { .auxiliary_loss = 0.5 }, 3853724 + 27 },
    { AD, 16, { .auxiliary_mix = 0.3, .auxiliary_loss = 0.5, .outputs = 1 }, 3853594 + 9 },
    { "ad-hyperfusion-mix", 16, { .auxiliary_loss = 0.5 }, 3853724 + 8 * 128 + 27 },
    { "ad-late-fusion", 16, { 0 }, 3589123 + 180 },
    { "ad-late-fusion", 16, { .embedding = 32, .outputs = 1 }, 3589123 - 2 * 65 + 19 * 32 + 1 + 33 },
};

static int64_t count_of(const count_row *row, hf_shape image)
{
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_plan *plan = NULL;
    int64_t count = -1;
    hf_status status = HF_OK;
    HF_TRY_OUT(hf_model_new(&model, context, 1));
    HF_TRY_OUT(hf_graph_new(&graph, model, true));
    hf_node *x = hf_input(graph, "image", image);
    hf_node *t = row->width ? hf_input(graph, "tabular", HF_SHAPE(image.dim[0], row->width)) : NULL;
    hf_node *y = hf_network_build(hf_network_find(row->network), x, t, &row->options);
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .keep = &y, .n_keep = 1 }));
    count = hf_plan_summary(plan).parameters;
    CHECK(count == hf_model_parameter_count(model)); /* none without use */
out:
    if (status != HF_OK) fprintf(stderr, "%s: %s\n", row->network, hf_error_message());
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return count;
}

static void check_counts(const count_row *rows, size_t n, hf_shape image)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t found = count_of(&rows[i], image);
        if (!CHECK(found == rows[i].parameters))
            fprintf(stderr, "    row %zu, %s: %lld parameters, expected %lld\n", i, rows[i].network, (long long)found,
                    (long long)rows[i].parameters);
    }
}

/* ---- other shapes ------------------------------------------------------------------------------------------------ */

static void check_family_options(void)
{
    static const count_row rows[] = {
        /* 1 -> 4 -> 4; 4 -> 8 -> 8 on 20^3: 8^3, 2^3 of 8 channels; linear 64 -> 4 -> 8 -> 16 -> 1 */
        { "brain-age-image-only",
          0,
          { .width = 4, .blocks = 2 },
          112 + 436 + 8 + 872 + 1736 + 16 + 260 + 40 + 144 + 17 },
        /* one convolution a block: 9^3, 3^3 of 8 channels */
        { "brain-age-image-only",
          0,
          { .width = 4, .blocks = 2, .depth = 1 },
          112 + 8 + 872 + 16 + 868 + 40 + 144 + 17 },
        /* stem 112 + 8; 4 -> 8: 8 + 872 + 16 + 1736 + 8 + 40; linear 8 -> 16 -> 3 */
        { "ad-image-only", 0, { .width = 4, .blocks = 1 }, 120 + 2680 + 144 + 51 },
        /* and a second block 8 -> 8, whose shortcut is x itself */
        { "ad-image-only", 0, { .width = 4, .blocks = 1, .depth = 2 }, 120 + 2680 + 2 * (16 + 1736) + 144 + 51 },
    };
    check_counts(rows, sizeof rows / sizeof rows[0], HF_SHAPE(2, 1, 20, 20, 20));
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void check_refused(const char *network, int width, hf_network_options options, const char *part)
{
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    CHECK_OK(hf_model_new(&model, context, 1));
    CHECK_OK(hf_graph_new(&graph, model, true));
    hf_node *x = hf_input(graph, "image", HF_SHAPE(2, 1, 48, 48, 48));
    hf_node *t = width ? hf_input(graph, "tabular", HF_SHAPE(2, width)) : NULL;
    CHECK(hf_network_build(hf_network_find(network), x, t, &options) == NULL);
    CHECK_STATUS(hf_graph_check(graph), HF_ERR_ARGUMENT, part);
    hf_graph_free(&graph);
    hf_model_free(&model);
}

static void check_refusals(void)
{
    check_refused(AGE, 0, (hf_network_options){ 0 }, "there is no row");
    check_refused("brain-age-concatenation", 0, (hf_network_options){ 0 }, "there is no row");
    check_refused("brain-age-image-only", 2, (hf_network_options)HYPER("linear1"), "there is no row");
    check_refused("ad-film", 0, (hf_network_options){ 0 }, "needs a table row");
    check_refused("ad-hyperfusion-mix", 0, (hf_network_options)HYPER("none"), "needs a table row");
    check_refused("ad-tabular", 0, (hf_network_options){ 0 }, "needs a table row");
    check_refused("ad-film", 16, (hf_network_options){ .auxiliary_loss = 1 }, "needs a hyper layer");
    check_refused("ad-late-fusion", 16, (hf_network_options){ .auxiliary_mix = 0.5 }, "needs a hyper layer");
    check_refused("ad-late-fusion", 0, (hf_network_options){ 0 }, "needs a table row");
    check_refused("ad-late-fusion", 16, (hf_network_options)HYPER("fc1"), "there is no row"); /* for the image's half */
    check_refused(AGE, 2, (hf_network_options)HYPER("linear1,linear9"), "hyper layer 'linear9' is not a layer");
    check_refused(AD, 16, (hf_network_options)HYPER("block5.shortcut"), "there are stem,block1.conv1,block1.conv2");
    check_refused(AD, 16, (hf_network_options)HYPER("fc"), "hyper layer 'fc' is not a layer");
    check_refused(AD, 16, (hf_network_options){ .concat_layers = "fc3" }, "concatenation layer 'fc3'");
    check_refused(AD, 16, (hf_network_options){ .concat_layers = "block4.conv1" },
                  "concatenation layer 'block4.conv1'");
    check_refused(AD, 16, (hf_network_options){ .hyper_start = "soft" }, "hyper_start 'soft': expected one of");
    check_refused(AD, 16, (hf_network_options){ .embedding_kind = "mean" }, "embedding_kind 'mean': expected one of");
    check_refused("ad-daft", 16, (hf_network_options){ .film = "scales" }, "film 'scales': expected one of");
    check_refused(AD, 16, (hf_network_options){ .blocks = 9 }, "blocks 9: expected 1 to 8");
    check_refused(AD, 16, (hf_network_options){ .width = -1 }, "width -1: expected 1 to");
    check_refused("ad-hyperfusion-auxiliary", 16, (hf_network_options)HYPER("none"), "needs a hyper layer");
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void check_parts_of(const char *network, hf_network_options options, hf_network_parts expected)
{
    const hf_network_parts found = hf_network_parts_of(hf_network_find(network), &options);
    CHECK(found.count == expected.count);
    for (int k = 0; k < expected.count; k++)
        CHECK(found.loss[k] == expected.loss[k] && found.share[k] == expected.share[k]);
}

static void check_parts(void)
{
    check_parts_of(AD, (hf_network_options){ 0 }, (hf_network_parts){ 1, { 1 }, { 1 } });
    check_parts_of(AD, (hf_network_options){ .auxiliary_mix = 0.5 }, (hf_network_parts){ 1, { 1 }, { 1 } });
    check_parts_of(AD, (hf_network_options){ .auxiliary_loss = 2 }, (hf_network_parts){ 2, { 1, 2 }, { 1, 0 } });
    check_parts_of("ad-late-fusion", (hf_network_options){ 0 }, (hf_network_parts){ 2, { 1, 1 }, { 0.5, 0.5 } });
    check_parts_of("ad-late-fusion", (hf_network_options){ .image_share = -1 },
                   (hf_network_parts){ 2, { 1, 1 }, { 0, 1 } });
    check_parts_of(AGE, (hf_network_options){ 0 }, (hf_network_parts){ 1, { 1 }, { 1 } });
}

/* ---- initial values ---------------------------------------------------------------------------------------------- */

typedef struct spread {
    double mean, variance, largest;
    int64_t count;
} spread;

static spread spread_of(hf_model *model, const char *name)
{
    spread s = { 0 };
    const int at = hf_model_find(model, name);
    if (!CHECK(at >= 0)) return s;
    const hf_tensor value = hf_model_named(model, at).value;
    s.count = hf_shape_count(&value.desc.shape);
    float *x = calloc((size_t)s.count, sizeof *x);
    CHECK_OK(hf_tensor_read(&value, x, s.count));
    for (int64_t i = 0; i < s.count; i++) {
        s.mean += x[i] / (double)s.count;
        s.variance += x[i] * (double)x[i] / (double)s.count;
        s.largest = fmax(s.largest, fabs((double)x[i]));
    }
    free(x);
    return s;
}

/* A uniform distribution up to `bound`: its largest value, its variance, its mean 0 within five standard errors. */
static void check_uniform(hf_model *model, const char *name, double bound)
{
    const spread s = spread_of(model, name);
    const double variance = bound * bound / 3, n = (double)s.count;
    CHECK(s.largest <= bound * (1 + 1e-6));
    CHECK_NEAR(s.mean, 0, 5 * sqrt(variance / n) + 1e-30);
    CHECK_NEAR(s.variance, variance, 5 * variance * sqrt(0.8 / n)); /* the fourth moment of a uniform is 1.8 of these */
}

static hf_model *frozen(const char *network, int width, const hf_network_options *options)
{
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    CHECK_OK(hf_model_new(&model, context, 3));
    CHECK_OK(hf_graph_new(&graph, model, true));
    hf_node *x = hf_input(graph, "image", HF_SHAPE(2, 1, 48, 48, 48));
    CHECK(hf_network_build(hf_network_find(network), x, hf_input(graph, "tabular", HF_SHAPE(2, width)), options) !=
          NULL);
    CHECK_OK(hf_graph_check(graph));
    CHECK_OK(hf_model_freeze(model));
    hf_graph_free(&graph);
    return model;
}

/* The published pair: everything of a weight comes from the row, which is 1 at first for both. */
static void check_published_start(void)
{
    hf_model *model = frozen(AGE, 2, NULL);
    const spread a0 = spread_of(model, "linear2.weight_generator.bias");
    CHECK(a0.largest == 0 && spread_of(model, "linear2.bias_generator.bias").largest == 0);
    CHECK(spread_of(model, "linear2.embedding.weight").mean == 1);
    check_uniform(model, "linear2.weight_generator.weight", 0.866025);
    check_uniform(model, "linear3.weight_generator.weight", 0.612372);
    check_uniform(model, "linear3.bias_generator.weight", 3.4641);
    hf_model_free(&model);
}

/* A row of several columns: an ordinary layer, whose weights the row changes by a tenth of their size. */
static void check_ordinary_start(const char *network, int width, const hf_network_options *options, const char *layer,
                                 double fan_in, double j, const char *embedding)
{
    static const char *const parts[] = { "weight", "bias" };
    char name[128];
    hf_model *model = frozen(network, width, options);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s.%s_generator.bias", layer, parts[i]);
        check_uniform(model, name, 1 / sqrt(fan_in)); /* as layers.c starts name.weight and name.bias */
        snprintf(name, sizeof name, "%s.%s_generator.weight", layer, parts[i]);
        check_uniform(model, name, 0.1 / sqrt(fan_in * j));
    }
    snprintf(name, sizeof name, "%s.%s", layer, embedding);
    check_uniform(model, name, 1 / sqrt(width));
    hf_model_free(&model);
}

static void check_starts(void)
{
    check_published_start();
    check_ordinary_start(AGE, 3, NULL, "linear2", 16, 2, "embedding.weight");
    check_ordinary_start(AGE, 1, NULL, "linear3", 32, 2, "embedding.weight");
    check_ordinary_start(AGE, 2, &(hf_network_options){ .columns = 2 }, "linear3", 32, 2, "embedding.weight");
    check_ordinary_start(AD, 16, &(hf_network_options){ .embedding = 4 }, "block4.shortcut", 128, 4,
                         "embedding.linear.weight");
    hf_model *model = frozen(AD, 16, &(hf_network_options){ .hyper_start = "published", .variance = 0.625 });
    check_uniform(model, "block4.shortcut.weight_generator.weight", sqrt(3 / (128 * 8 * 0.625)));
    check_uniform(model, "block4.shortcut.bias_generator.weight", sqrt(3 / (8 * 0.625)));
    CHECK(spread_of(model, "block4.shortcut.weight_generator.bias").largest == 0);
    hf_model_free(&model);
    model = frozen(AGE, 3, &(hf_network_options){ .hyper_start = "published" });
    CHECK(spread_of(model, "linear3.embedding.weight").mean == 1);
    hf_model_free(&model);
}

int main(void)
{
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) return check_done("networks");
    check_counts(brain_age, sizeof brain_age / sizeof brain_age[0], HF_SHAPE(2, 1, 90, 120, 99));
    check_counts(brain_age, 2, HF_SHAPE(2, 1, 99, 120, 90)); /* the other way round: as many */
    check_counts(ad, sizeof ad / sizeof ad[0], HF_SHAPE(2, 1, 64, 96, 64));
    check_family_options();
    check_refusals();
    check_parts();
    check_starts();
    hf_context_free(&context);
    return check_done("networks");
}
