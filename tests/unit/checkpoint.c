/* Models and optimisers through a file: training goes on to the same bits after saving and loading, and files that
 * do not fit are refused without changing anything. */
#include "check.h"
#include "hyperfusion.h"

#include <unistd.h>

enum { SAMPLES = 4, INPUTS = 6, ROW = 2 };

/* A hyper layer on an ordinary one, with a batch norm between, so that there are parameters and states. */
typedef struct net {
    hf_model *model;
    hf_graph *graph;
    hf_node *loss;
    hf_plan *plan;
    hf_optimizer *optimizer;
} net;

static hf_status make_net(net *n, hf_context *context, uint64_t seed, int hidden, hf_optimizer_kind kind)
{
    *n = (net){ 0 };
    HF_TRY(hf_model_new(&n->model, context, seed));
    HF_TRY(hf_graph_new(&n->graph, n->model, true));
    hf_node *x = hf_input(n->graph, "x", HF_SHAPE(SAMPLES, INPUTS));
    hf_node *row = hf_input(n->graph, "row", HF_SHAPE(SAMPLES, ROW));
    hf_node *y = hf_input(n->graph, "y", HF_SHAPE(SAMPLES, 1));
    x = hf_relu(hf_batch_norm(hf_linear(x, "first", hidden, NULL), "norm", 0));
    n->loss = hf_mse(hf_hyper_linear(x, row, "last", 1, 0.25), y);
    HF_TRY(hf_graph_check(n->graph));
    HF_TRY(hf_plan_new(&n->plan, n->graph, &(hf_plan_options){ .loss = n->loss }));
    HF_TRY(hf_plan_bind(n->plan, NULL));
    return hf_optimizer_new(&n->optimizer, n->model,
                            &(hf_optimizer_options){ .kind = kind, .learning_rate = 0.01, .momentum = 0.9 });
}

static void free_net(net *n)
{
    hf_optimizer_free(&n->optimizer);
    hf_plan_free(&n->plan);
    hf_graph_free(&n->graph);
    hf_model_free(&n->model);
}

static hf_status train(net *n, int first, int steps)
{
    float x[SAMPLES * INPUTS], y[SAMPLES];
    const float row[SAMPLES * ROW] = { 1, 0, 0, 1, 1, 0, 0, 1 };
    for (int step = first; step < first + steps; step++) {
        for (int i = 0; i < SAMPLES * INPUTS; i++)
            x[i] = (float)hf_random_normal(1, (uint64_t)step, (uint64_t)i);
        for (int i = 0; i < SAMPLES; i++)
            y[i] = (float)hf_random_normal(2, (uint64_t)step, (uint64_t)i);
        HF_TRY(hf_plan_set(n->plan, "x", x, SAMPLES * INPUTS));
        HF_TRY(hf_plan_set(n->plan, "row", row, SAMPLES * ROW));
        HF_TRY(hf_plan_set(n->plan, "y", y, SAMPLES));
        HF_TRY(hf_plan_run(n->plan));
        HF_TRY(hf_optimizer_step(n->optimizer));
    }
    return HF_OK;
}

static hf_status save(const net *n, hf_archive *archive)
{
    HF_TRY(hf_model_save(n->model, archive));
    return hf_optimizer_save(n->optimizer, archive);
}

static hf_status load(net *n, const hf_archive *archive)
{
    HF_TRY(hf_model_load(n->model, archive));
    return hf_optimizer_load(n->optimizer, archive);
}

static bool same_archives(const hf_archive *a, const hf_archive *b)
{
    if (a->n_entries != b->n_entries || a->n_texts != b->n_texts) return false;
    for (int i = 0; i < a->n_entries; i++) {
        const hf_entry *x = &a->entry[i], *y = hf_archive_find(b, x->name);
        if (!y || !hf_shape_equal(&x->shape, &y->shape)) return false;
        if (memcmp(x->data, y->data, (size_t)hf_shape_count(&x->shape) * sizeof(float)) != 0) return false;
    }
    for (int i = 0; i < a->n_texts; i++) {
        const char *text = hf_archive_find_text(b, a->key[i]);
        if (!text || strcmp(text, a->text[i]) != 0) return false;
    }
    return true;
}

static void test_goes_on(hf_context *context, hf_optimizer_kind kind, const char *path)
{
    net whole, first, second;
    hf_archive at_five = { 0 }, read = { 0 }, end_whole = { 0 }, end_second = { 0 };
    CHECK_OK(make_net(&whole, context, 3, 5, kind));
    CHECK_OK(make_net(&first, context, 3, 5, kind));
    CHECK_OK(make_net(&second, context, 99, 5, kind)); /* its own weights must not matter */
    CHECK_OK(train(&whole, 0, 12));
    CHECK_OK(train(&first, 0, 5));
    CHECK_OK(save(&first, &at_five));
    CHECK_OK(hf_archive_write(&at_five, path));
    CHECK_OK(hf_archive_read(&read, path));
    CHECK_OK(load(&second, &read));
    CHECK(hf_optimizer_steps(second.optimizer) == 5);
    CHECK_OK(train(&second, 5, 7));
    CHECK_OK(save(&whole, &end_whole));
    CHECK_OK(save(&second, &end_second));
    CHECK(same_archives(&end_whole, &end_second));
    CHECK(!same_archives(&at_five, &end_second));
    hf_archive_free(&at_five);
    hf_archive_free(&read);
    hf_archive_free(&end_whole);
    hf_archive_free(&end_second);
    free_net(&whole);
    free_net(&first);
    free_net(&second);
}

/* A copy of an archive without one tensor, and with one more. */
static hf_status altered(hf_archive *out, const hf_archive *from, const char *without, const char *with)
{
    const float value = 1;
    for (int i = 0; i < from->n_entries; i++)
        if (!without || strcmp(from->entry[i].name, without) != 0)
            HF_TRY(hf_archive_add(out, from->entry[i].name, from->entry[i].type, from->entry[i].shape,
                                  from->entry[i].data));
    for (int i = 0; i < from->n_texts; i++)
        if (!without || strcmp(from->key[i], without) != 0)
            HF_TRY(hf_archive_add_text(out, from->key[i], from->text[i]));
    return with ? hf_archive_add(out, with, HF_F32, HF_SHAPE(1), &value) : HF_OK;
}

static void test_refusals(hf_context *context)
{
    static const struct {
        const char *without, *with;
        hf_status status;
        const char *message;
    } cases[] = {
        { "first.weight", NULL, HF_ERR_FORMAT, "no tensor 'first.weight'" },
        { "norm.running_mean", NULL, HF_ERR_FORMAT, "no tensor 'norm.running_mean'" },
        { "first.bias", "first.bias", HF_ERR_SHAPE, "tensor 'first.bias': [1] in the checkpoint, [5] in the model" },
        { NULL, "second.weight", HF_ERR_FORMAT, "'second.weight' of the checkpoint is not in the model" },
        { "optimizer.m.first.weight", NULL, HF_ERR_FORMAT, "no tensor 'optimizer.m.first.weight'" },
        { "optimizer.steps", NULL, HF_ERR_FORMAT, "no optimizer state" },
        { NULL, "run.guard", HF_OK, "" }, /* what a run keeps beside the model */
    };
    net n;
    hf_archive good = { 0 };
    CHECK_OK(make_net(&n, context, 3, 5, HF_ADAM));
    CHECK_OK(train(&n, 0, 2));
    CHECK_OK(save(&n, &good));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hf_archive bad = { 0 }, after = { 0 };
        CHECK_OK(altered(&bad, &good, cases[i].without, cases[i].with));
        CHECK_STATUS(load(&n, &bad), cases[i].status, cases[i].message);
        CHECK_OK(save(&n, &after));
        CHECK(same_archives(&good, &after)); /* nothing was changed */
        hf_archive_free(&bad);
        hf_archive_free(&after);
    }
    net other;
    CHECK_OK(make_net(&other, context, 3, 6, HF_ADAM));
    CHECK_STATUS(load(&other, &good), HF_ERR_SHAPE, "first.weight");
    free_net(&other);
    hf_archive_free(&good);
    free_net(&n);
}

static bool same_value(const hf_archive *a, const hf_archive *b, int i)
{
    const hf_entry *x = &a->entry[i], *y = hf_archive_find(b, x->name);
    return y && memcmp(x->data, y->data, (size_t)hf_shape_count(&x->shape) * sizeof(float)) == 0;
}

/* One layer gets the initial values of another seed, and nothing else changes. */
static void test_redraw(hf_context *context)
{
    net n, other;
    hf_archive before = { 0 }, after = { 0 }, elsewhere = { 0 };
    CHECK_OK(make_net(&n, context, 7, 5, HF_ADAM));
    CHECK_OK(make_net(&other, context, 8, 5, HF_ADAM));
    CHECK_OK(hf_model_save(n.model, &before));
    CHECK_OK(hf_model_save(other.model, &elsewhere));
    CHECK_OK(hf_model_redraw(n.model, "first", 8));
    CHECK_OK(hf_model_save(n.model, &after));
    for (int i = 0; i < after.n_entries; i++) {
        const bool drawn = strncmp(after.entry[i].name, "first.", 6) == 0;
        CHECK(same_value(&after, drawn ? &elsewhere : &before, i));
        if (drawn) CHECK(!same_value(&after, &before, i));
    }
    CHECK_STATUS(hf_model_redraw(n.model, "fir", 8), HF_ERR_ARGUMENT, "no layer 'fir'");
    hf_archive_free(&before);
    hf_archive_free(&after);
    hf_archive_free(&elsewhere);
    free_net(&n);
    free_net(&other);
}

int main(void)
{
    char folder[] = "/tmp/hf-checkpoint-XXXXXX", *path = NULL;
    hf_context *context = NULL;
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("checkpoint");
    CHECK_OK(hf_path_join(&path, folder, "file.safetensors"));
    if (CHECK_OK(hf_context_new(&context, NULL, NULL))) {
        test_goes_on(context, HF_ADAM, path);
        test_goes_on(context, HF_SGD, path);
        test_refusals(context);
        test_redraw(context);
    }
    hf_context_free(&context);
    free(path);
    check_remove_tree(folder);
    return check_done("checkpoint");
}
