/* Names of tensors in PyTorch modules: some as they are, and every network there and back by every naming, to the last bit;
 * what is missing, too much or there twice. tests/cli/convert.sh has the modules themselves. */
#include "check.h"
#include "hyperfusion.h"

/* A small network's tensors, every one with values of its own. */
static hf_status make_tensors(hf_archive *out, hf_context *context, const char *name, const char *hyper_layers)
{
    const bool age = strncmp(name, "brain-age", 9) == 0;
    const hf_network_options options = { .width = 2, .blocks = age ? 2 : 4, .hyper_layers = hyper_layers };
    const hf_network *network = hf_network_find(name);
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_status status = hf_model_new(&model, context, 3);
    if (status == HF_OK) status = hf_graph_new(&graph, model, false);
    if (status == HF_OK) {
        hf_node *row = hf_input(graph, "row", HF_SHAPE(1, age ? 2 : 16));
        hf_network_build(network, hf_input(graph, "image", HF_SHAPE(1, 1, 16, 17, 18)), row, &options);
        status = hf_graph_check(graph);
    }
    if (status == HF_OK) status = hf_model_freeze(model);
    if (status == HF_OK) status = hf_model_save(model, out);
    for (int i = 0; i < out->n_entries; i++)
        ((float *)out->entry[i].data)[0] = (float)(i + 1);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return status;
}

static bool same_weights(const hf_archive *a, const hf_archive *b)
{
    bool same = a->n_entries == b->n_entries;
    for (int i = 0; same && i < a->n_entries; i++) {
        const hf_entry *x = &a->entry[i], *y = hf_archive_find(b, x->name);
        same = y && hf_shape_equal(&x->shape, &y->shape) &&
               memcmp(x->data, y->data, (size_t)hf_shape_count(&x->shape) * sizeof(float)) == 0;
    }
    return same;
}

static void test_there_and_back(hf_context *context, const char *network, const char *hyper_layers)
{
    hf_archive ours = { 0 };
    const hf_naming *naming;
    if (!CHECK_OK(make_tensors(&ours, context, network, hyper_layers))) fprintf(stderr, "    %s\n", network);
    for (int i = 0; (naming = hf_naming_at(i)); i++) {
        const hf_naming *found = NULL;
        hf_archive theirs = { 0 }, back = { 0 };
        CHECK_OK(hf_convert_to(&theirs, naming, &ours, network));
        CHECK_OK(hf_convert_from(&back, &found, &theirs, &ours, network));
        CHECK(found == naming || same_weights(&ours, &theirs)); /* where both namings are one, the first is found */
        CHECK(same_weights(&ours, &back) && same_weights(&back, &ours));
        hf_archive_free(&theirs);
        hf_archive_free(&back);
    }
    hf_archive_free(&ours);
}

static void test_names(hf_context *context)
{
    static const struct {
        const char *network, *hyper, *ours, *theirs;
    } names[] = {
        { "brain-age-hyperfusion", NULL, "conv2_a.bias", "conv2_a.bias" },
        { "brain-age-hyperfusion", NULL, "linear1.weight_generator.weight",
          "linear1.layer.hyper_net.weights_gen.weight" },
        { "brain-age-hyperfusion", NULL, "final_layer.embedding.bias",
          "final_layer.layer.hyper_net.embedding_model.bias" },
        { "brain-age-hyperfusion", "linear2", "linear1.weight", "linear1.layer.weight" },
        { "brain-age-image-only", NULL, "linear1.weight", "linear1.weight" },
        { "ad-image-only", NULL, "block4.shortcut_batchnorm.running_mean", "block4.downsample.0.running_mean" },
        { "ad-image-only", NULL, "block4.shortcut.weight", "block4.downsample.1.weight" },
        { "ad-image-only", NULL, "stem_batchnorm.weight", "conv_bn_relu.1.weight" },
        { "ad-hyperfusion", NULL, "block4.shortcut_batchnorm.running_mean", "block4.downsample.1.running_mean" },
        { "ad-hyperfusion", NULL, "block4.shortcut.embedding.prelu.weight",
          "block4.downsample.0.layer.hyper_net.embedding_model.2.weight" },
        { "ad-hyperfusion", NULL, "block4.conv1.weight", "block4.conv1.layer.weight" },
        { "ad-hyperfusion", NULL, "block3.conv1.weight", "block3.conv1.weight" },
        { "ad-hyperfusion", "block2.conv1", "block2.conv1.bias_generator.bias",
          "block2.conv1.layer.hyper_net.bias_gen.bias" },
        { "ad-hyperfusion", "fc1", "block4.shortcut.weight", "block4.downsample.0.layer.weight" },
        { "ad-film", NULL, "stem.weight", "conv1.0.weight" },
        { "ad-film", NULL, "block4.film.expand.weight", "blockX.aux.aux_out.weight" },
        { "ad-daft", NULL, "stem.weight", "conv_bn_relu.0.weight" },
        { "ad-daft", NULL, "block4.shortcut.weight", "blockX.downsample.1.weight" },
        { "ad-tabular", NULL, "embedding.batchnorm.running_var", "mlp.1.running_var" },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        hf_archive ours = { 0 };
        hf_text name = { 0 };
        CHECK_OK(make_tensors(&ours, context, names[i].network, names[i].hyper));
        CHECK(hf_archive_find(&ours, names[i].ours) != NULL);
        CHECK_OK(hf_naming_apply(&name, hf_naming_find("authors"), names[i].network, &ours, names[i].ours));
        if (!CHECK(strcmp(name.data, names[i].theirs) == 0))
            fprintf(stderr, "    %s of %s: %s\n", names[i].ours, names[i].network, name.data);
        hf_text_free(&name);
        hf_archive_free(&ours);
    }
}

static void test_refusals(hf_context *context)
{
    const char *network = "ad-tabular";
    const hf_naming *found = NULL;
    const float one = 1;
    hf_archive ours = { 0 }, theirs = { 0 }, back = { 0 };
    CHECK_OK(make_tensors(&ours, context, network, NULL));
    CHECK_OK(hf_convert_to(&theirs, hf_naming_find("authors"), &ours, network));
    CHECK_OK(hf_archive_add(&theirs, "model.mlp.2.weight", HF_F32, HF_SHAPE(1), &one));
    CHECK_STATUS(hf_convert_from(&back, &found, &theirs, &ours, network), HF_ERR_FORMAT,
                 "1 twice: 'mlp.2.weight' and 'model.mlp.2.weight'");
    snprintf(theirs.entry[theirs.n_entries - 1].name, 12, "mlp.2.bias_");
    CHECK_STATUS(hf_convert_from(&back, &found, &theirs, &ours, network), HF_ERR_FORMAT, "1 unexpected: 'mlp.2.bias_'");
    theirs.entry[0].name[4] = '9'; /* mlp.0 */
    CHECK_STATUS(hf_convert_from(&back, &found, &theirs, &ours, network), HF_ERR_FORMAT, "1 missing: 'mlp.0.weight'");
    CHECK(back.n_entries == 0);
    CHECK(hf_naming_find("others") == NULL && hf_naming_at(-1) == NULL);
    hf_archive_free(&ours);
    hf_archive_free(&theirs);
}

int main(void)
{
    hf_context *context = NULL;
    const hf_network *network;
    if (CHECK_OK(hf_context_new(&context, NULL, NULL))) {
        for (int i = 0; (network = hf_network_at(i)); i++)
            test_there_and_back(context, network->name, NULL);
        test_there_and_back(context, "ad-hyperfusion", "block1.shortcut,block3.conv2,fc1,fc2");
        test_there_and_back(context, "brain-age-hyperfusion", "conv2_b,linear3");
        test_names(context);
        test_refusals(context);
    }
    hf_context_free(&context);
    return check_done("convert");
}
