/* golden_networks.c: every network and block against PyTorch in double precision (tests/golden/networks.py made the file):
 * same weights and inputs, then prediction, loss, every gradient, three Adam steps with coupled weight decay, parameters and
 * running statistics after them, and the prediction when not training.
 *
 *     test_golden_networks FILE          the small file of tests/golden/
 *     test_golden_networks FILE full     the published widths, a file of networks.py --full; prints each worst distance */
#include "golden.h"

#define STEPS 3

typedef struct golden_case {
    const char *name, *network, *loss, *inputs;
    hf_network_options options; /* beside `small` or `full` of its family */
} golden_case;

#define LINEAR "linear1,linear2,linear3,final_layer"
#define AGE    "brain-age-hyperfusion"
#define AD     "ad-hyperfusion"
#define ONE    .blocks = 1

static const golden_case small_cases[] = {
    { "vgg-hyper", AGE, "mse", "vgg", { .embedding_kind = "linear" } },
    { "vgg-embedding-2", AGE, "mse", "vgg", { .embedding_kind = "linear", .embedding = 2 } },
    { "vgg-mlp", AGE, "l1", "vgg", { .embedding_kind = "mlp", .embedding = 4 } },
    { "vgg-mlp-shared", AGE, "mse", "vgg", { .embedding_kind = "mlp", .embedding = 4, .share_embedding = true } },
    { "vgg-conv", AGE, "mse", "vgg", { .embedding_kind = "fill", .hyper_layers = "conv1_b,conv2_a,linear2" } },
    { "vgg-image", "brain-age-image-only", "mse", "vgg", { .depth = 1 } },
    { "vgg-concat", "brain-age-concatenation", "mse", "vgg", { 0 } },
    { "vgg-concat-all", "brain-age-concatenation", "l1", "vgg", { .concat_layers = LINEAR } },
    { "resnet-hyper", AD, "weighted", "resnet", { .hyper_layers = "block2.shortcut" } },
    { "resnet-hyper-early", AD, "weighted", "resnet", { .hyper_layers = "block1.conv2,block1.shortcut" } },
    { "resnet-hyper-conv", AD, "weighted", "resnet", { .hyper_layers = "block2.conv1,block2.conv2", .embedding = 1 } },
    { "resnet-hyper-fc", AD, "weighted", "resnet", { ONE, .hyper_layers = "fc1,fc2" } },
    { "resnet-hyper-shared",
      AD,
      "weighted",
      "resnet",
      { .hyper_layers = "stem,block2.shortcut,fc1", .share_embedding = true } },
    { "resnet-image", "ad-image-only", "plain", "resnet", { ONE, .outputs = 2 } },
    { "resnet-deep", "ad-image-only", "weighted", "resnet", { ONE, .depth = 2 } },
    { "resnet-concat", "ad-concatenation", "weighted", "resnet", { ONE } },
    { "resnet-concat-both", "ad-concatenation", "weighted", "resnet", { ONE, .concat_layers = "fc1,fc2" } },
    { "resnet-film", "ad-film", "weighted", "resnet", { ONE } },
    { "resnet-film-sigmoid", "ad-film", "weighted", "resnet", { ONE, .film_activation = "sigmoid" } },
    { "resnet-film-scale", "ad-film", "weighted", "resnet", { ONE, .film = "scale", .film_activation = "tanh" } },
    { "resnet-daft", "ad-daft", "weighted", "resnet", { ONE } },
    { "resnet-daft-shift", "ad-daft", "weighted", "resnet", { ONE, .film = "shift" } },
    { "resnet-mix", "ad-hyperfusion-mix", "weighted", "resnet", { ONE, .hyper_layers = "block1.shortcut" } },
    { "resnet-auxiliary",
      "ad-hyperfusion-auxiliary",
      "weighted",
      "resnet",
      { ONE, .hyper_layers = "block1.shortcut" } },
    { "resnet-auxiliary-loss",
      AD,
      "weighted",
      "resnet",
      { ONE, .hyper_layers = "block1.shortcut", .auxiliary_loss = 0.4 } },
    { "resnet-logit", AD, "logit", "resnet", { ONE, .hyper_layers = "block1.shortcut", .outputs = 1 } },
    { "tabular", "ad-tabular", "weighted", "resnet", { 0 } },
    { "late-fusion", "ad-late-fusion", "weighted", "resnet", { ONE } },
};

static const golden_case full_cases[] = {
    { "vgg-hyper", AGE, "mse", "vgg", { 0 } },
    { "vgg-embedding-2", AGE, "mse", "vgg", { .embedding = 2 } },
    { "vgg-image", "brain-age-image-only", "mse", "vgg", { 0 } },
    { "vgg-concat", "brain-age-concatenation", "mse", "vgg", { 0 } },
    { "vgg-concat-all", "brain-age-concatenation", "mse", "vgg", { .concat_layers = LINEAR } },
    { "resnet-hyper", AD, "weighted", "resnet", { 0 } },
    { "resnet-hyper-fc", AD, "weighted", "resnet", { .hyper_layers = "fc1,fc2" } },
    { "resnet-image", "ad-image-only", "weighted", "resnet", { 0 } },
    { "resnet-concat", "ad-concatenation", "weighted", "resnet", { 0 } },
    { "resnet-film", "ad-film", "weighted", "resnet", { 0 } },
    { "resnet-daft", "ad-daft", "weighted", "resnet", { 0 } },
    { "resnet-mix", "ad-hyperfusion-mix", "weighted", "resnet", { 0 } },
    { "resnet-auxiliary", "ad-hyperfusion-auxiliary", "weighted", "resnet", { 0 } },
    { "resnet-auxiliary-loss", AD, "weighted", "resnet", { .auxiliary_loss = 0.4 } },
    { "resnet-logit", AD, "logit", "resnet", { .outputs = 1 } },
    { "tabular", "ad-tabular", "weighted", "resnet", { 0 } },
    { "late-fusion", "ad-late-fusion", "weighted", "resnet", { 0 } },
};

static bool full;

static hf_network_options options_of(const golden_case *c)
{
    hf_network_options o = c->options;
    const bool vgg = strcmp(c->inputs, "vgg") == 0;
    o.dropout = -1;
    if (full) return o;
    o.width = 2;
    o.blocks = o.blocks ? o.blocks : 2;
    if (!vgg) o.bottleneck = 3;
    if (!vgg && !o.embedding) o.embedding = 3;
    return o;
}

/* ---- a case in memory -------------------------------------------------------------------------------------------- */

typedef struct bench {
    golden g, shared; /* entries of the case; of its inputs */
    hf_model *model;
    hf_graph *graph, *graph_later; /* training or not */
    hf_node *prediction, *loss, *later;
    hf_plan *plan, *plan_later;
    hf_optimizer *optimizer;
    int32_t label[8];
    hf_network_parts parts;
    int64_t outputs; /* of a part */
} bench;

/* Binary cross-entropy of one logit z is cross-entropy of the logits 0 and z. */
static hf_node *loss_of(hf_node *y, const char *kind, hf_node *label, hf_node *target, hf_node *weights)
{
    const hf_params none = { .scale = 0 };
    hf_graph *graph = hf_node_graph(y);
    if (strcmp(kind, "mse") == 0) return hf_mse(y, target);
    if (strcmp(kind, "l1") == 0) return hf_l1(y, target);
    if (strcmp(kind, "logit") == 0) y = hf_concat(hf_apply(graph, "scale", NULL, &none, 1, (hf_node *[]){ y }), y, 1);
    return hf_cross_entropy(y, label, strcmp(kind, "weighted") == 0 ? weights : NULL);
}

/* Those of a network's parts, each weighted. */
static hf_node *losses_of(bench *b, const char *kind)
{
    const int64_t n = hf_dim(b->prediction, 0);
    hf_node *label = hf_input_labels(b->graph, "label", HF_SHAPE(n)), *sum = NULL;
    hf_node *target = hf_input(b->graph, "target", HF_SHAPE(n, 1));
    hf_node *weights = hf_input(b->graph, "weights", HF_SHAPE(b->outputs));
    for (int k = 0; k < b->parts.count; k++) {
        hf_node *y = b->prediction;
        if (b->parts.count > 1) y = hf_features(y, k * b->outputs, b->outputs);
        hf_node *loss = loss_of(y, kind, label, target, weights);
        if (b->parts.loss[k] != 1) loss = hf_scale(loss, b->parts.loss[k]);
        sum = sum ? hf_add(sum, loss) : loss;
    }
    return sum;
}

static hf_status build_one(hf_graph **graph, hf_node **y, const bench *b, const golden_case *c, bool training)
{
    const hf_network_options options = options_of(c);
    HF_TRY(hf_graph_new(graph, b->model, training));
    hf_node *image = hf_input(*graph, "image", golden_entry(&b->shared, "image", "")->shape);
    hf_node *row = hf_input(*graph, "row", golden_entry(&b->shared, "row", "")->shape);
    *y = hf_network_build(hf_network_find(c->network), image, row, &options);
    return hf_graph_check(*graph);
}

static hf_status set_inputs(const bench *b, hf_plan *plan)
{
    HF_TRY(golden_set_input(&b->shared, plan, "image"));
    return golden_set_input(&b->shared, plan, "row");
}

static hf_status set_targets(bench *b, const golden_case *c)
{
    static const float class_weights[3] = { 1.1F, 0.6962F, 1.4F };
    const golden all = { b->g.file, "", 0 };
    const hf_entry *label = golden_entry(&all, "label", "");
    const int64_t classes = b->outputs;
    for (int64_t n = 0; n < label->shape.dim[0]; n++) {
        const int32_t value = (int32_t)((const float *)label->data)[n];
        b->label[n] = strcmp(c->loss, "logit") == 0 ? value > 0 : value % (int32_t)classes;
    }
    HF_TRY(hf_plan_set(b->plan, "label", b->label, label->shape.dim[0]));
    HF_TRY(hf_plan_set(b->plan, "weights", class_weights, classes));
    return golden_set_input(&all, b->plan, "target");
}

static hf_status build(bench *b, hf_context *context, const golden_case *c)
{
    HF_TRY(hf_model_new(&b->model, context, 1));
    HF_TRY(build_one(&b->graph, &b->prediction, b, c, true));
    HF_TRY(build_one(&b->graph_later, &b->later, b, c, false));
    const hf_network_options options = options_of(c);
    b->parts = hf_network_parts_of(hf_network_find(c->network), &options);
    b->outputs = hf_dim(b->prediction, 1) / b->parts.count;
    b->loss = losses_of(b, c->loss);
    HF_TRY(hf_plan_new(&b->plan, b->graph, &(hf_plan_options){ .loss = b->loss, .keep = &b->prediction, .n_keep = 1 }));
    HF_TRY(hf_plan_new(&b->plan_later, b->graph_later, &(hf_plan_options){ .keep = &b->later, .n_keep = 1 }));
    HF_TRY(set_inputs(b, b->plan));
    HF_TRY(set_targets(b, c));
    HF_TRY(golden_set_parameters(&b->g, b->model));
    return hf_optimizer_new(&b->optimizer, b->model,
                            &(hf_optimizer_options){ .learning_rate = 2e-5, .weight_decay = 0.05 });
}

static void free_bench(bench *b)
{
    hf_optimizer_free(&b->optimizer);
    hf_plan_free(&b->plan);
    hf_plan_free(&b->plan_later);
    hf_graph_free(&b->graph);
    hf_graph_free(&b->graph_later);
    hf_model_free(&b->model);
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static hf_status check_steps(bench *b)
{
    float values[64], losses[STEPS];
    const int64_t count = hf_dim(b->prediction, 0) * hf_dim(b->prediction, 1);
    for (int step = 0; step < STEPS; step++) {
        HF_TRY(hf_plan_run(b->plan));
        HF_TRY(hf_plan_get(b->plan, b->loss, &losses[step], 1));
        if (step == 0) {
            HF_TRY(hf_plan_get(b->plan, b->prediction, values, count));
            golden_compare_values(&b->g, "prediction", values, FIRST_STEP_LIMIT);
            golden_compare_gradients(&b->g, b->model);
        }
        HF_TRY(hf_optimizer_step(b->optimizer));
    }
    golden_compare_values(&b->g, "losses", losses, LATER_STEPS_LIMIT);
    golden_compare_final(&b->g, b->model);
    HF_TRY(set_inputs(b, b->plan_later));
    HF_TRY(hf_plan_run(b->plan_later));
    HF_TRY(hf_plan_get(b->plan_later, b->later, values, count));
    golden_compare_values(&b->g, "evaluated", values, LATER_STEPS_LIMIT);
    return HF_OK;
}

/* Entries of a case in the file: all of its model's, so that nothing was left out on either side. */
static void check_names(const bench *b)
{
    int stored = 0, ours = 0;
    char start[64];
    const size_t n = (size_t)snprintf(start, sizeof start, "%sinitial.", b->g.prefix);
    for (int i = 0; i < b->g.file->n_entries; i++)
        stored += strncmp(b->g.file->entry[i].name, start, n) == 0;
    for (int i = 0; i < hf_model_named_count(b->model); i++)
        ours += hf_model_named(b->model, i).is_parameter;
    CHECK(stored == ours && stored > 0);
}

static void check_case(const hf_archive *file, hf_context *context, const golden_case *c)
{
    char prefix[64], inputs[16];
    bench b = { 0 };
    snprintf(prefix, sizeof prefix, "%s/", c->name);
    snprintf(inputs, sizeof inputs, "%s/", c->inputs);
    b.g = (golden){ file, prefix, 0 };
    b.shared = (golden){ file, inputs, 0 };
    hf_status status = build(&b, context, c);
    if (status == HF_OK) check_names(&b);
    if (status == HF_OK) status = check_steps(&b);
    if (status != HF_OK) fprintf(stderr, "%s: %s\n", c->name, hf_error_message());
    CHECK(status == HF_OK);
    if (full)
        printf("%-20s %8lld parameters, worst distance %.3f of its limit\n", c->name,
               (long long)hf_model_parameter_count(b.model), b.g.worst);
    free_bench(&b);
}

int main(int argc, char **argv)
{
    hf_archive file = { 0 };
    hf_context *context = NULL;
    full = argc == 3 && strcmp(argv[2], "full") == 0;
    if (argc < 2 || argc > 3 || (argc == 3 && !full)) {
        fprintf(stderr, "usage: test_golden_networks FILE [full]\n");
        return 2;
    }
    const golden_case *cases = full ? full_cases : small_cases;
    const size_t count = full ? sizeof full_cases / sizeof *cases : sizeof small_cases / sizeof *cases;
    if (CHECK_OK(hf_archive_read(&file, argv[1])) && CHECK_OK(hf_context_new(&context, NULL, NULL)))
        for (size_t i = 0; i < count; i++)
            check_case(&file, context, &cases[i]);
    hf_context_free(&context);
    hf_archive_free(&file);
    return check_done("golden networks");
}
