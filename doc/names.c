/* names.c: writes doc/names.md: what the tensors of every network are called, here and in the authors' modules. With the
 * path of that page as an argument it only says whether the page is what it would write. */
#include "hyperfusion.h"
#include "page.h"

/* A network's tensors under our names, at its published size; the values do not count. */
static hf_status tensors_of(hf_archive *out, const hf_network *network, hf_context *context)
{
    const bool age = strncmp(network->name, "brain-age", 9) == 0;
    const hf_shape volume = age ? HF_SHAPE(1, 1, 90, 120, 99) : HF_SHAPE(1, 1, 64, 96, 64);
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_status status = hf_model_new(&model, context, 1);
    if (status == HF_OK) status = hf_graph_new(&graph, model, false);
    if (status == HF_OK) {
        hf_node *row = hf_input(graph, "tabular", HF_SHAPE(1, age ? 2 : 16));
        hf_network_build(network, hf_input(graph, "image", volume), row, NULL);
        status = hf_graph_check(graph);
    }
    if (status == HF_OK) status = hf_model_freeze(model);
    if (status == HF_OK) status = hf_model_save(model, out);
    hf_graph_free(&graph);
    hf_model_free(&model);
    return status;
}

/* The name without its last part, which is the same everywhere. */
static int layer_length(const char *name)
{
    return (int)(strrchr(name, '.') - name);
}

/* One row a layer: ours, theirs. */
static hf_status add_rows(hf_text *out, const hf_archive *ours, const char *network)
{
    const char *last = "";
    for (int i = 0; i < ours->n_entries; i++) {
        const char *name = ours->entry[i].name;
        const int n = layer_length(name);
        hf_text theirs = { 0 };
        if (n == layer_length(*last ? last : ".") && strncmp(name, last, (size_t)n) == 0) continue;
        HF_TRY(hf_naming_apply(&theirs, hf_naming_find("authors"), network, ours, name));
        hf_text_add(out, "| `%.*s` | `%.*s` |\n", n, name, layer_length(theirs.data), theirs.data);
        hf_text_free(&theirs);
        last = name;
    }
    return hf_text_check(out);
}

static bool has_line(const hf_text *text, const char *line, size_t size)
{
    for (const char *at = text->data; at && *at; at = strchr(at, '\n') + 1)
        if (strncmp(at, line, size) == 0) return true;
    return false;
}

/* The rows that the family's first network does not have. */
static void add_new_rows(hf_text *page, const hf_text *rows, const hf_text *first)
{
    for (const char *at = rows->data; *at; at = strchr(at, '\n') + 1) {
        const size_t size = (size_t)(strchr(at, '\n') - at) + 1;
        if (!has_line(first, at, size)) hf_text_add_bytes(page, at, size);
    }
}

static hf_status add_network(hf_text *page, hf_text *first, const hf_network *network, const char *family,
                             hf_context *context)
{
    hf_archive ours = { 0 };
    hf_text rows = { 0 };
    hf_status status = tensors_of(&ours, network, context);
    if (status == HF_OK) status = add_rows(&rows, &ours, network->name);
    if (status == HF_OK) {
        hf_text new_rows = { 0 };
        add_new_rows(&new_rows, &rows, first);
        hf_text_add(page, "\n## %s\n\n", network->name);
        if (new_rows.size < rows.size) hf_text_add(page, "As `%s`%s\n", family, new_rows.size ? ", but:\n" : ".");
        if (new_rows.size) hf_text_add(page, "| here | authors |\n|---|---|\n%s", new_rows.data);
        hf_text_free(&new_rows);
    }
    if (status == HF_OK && !first->data)
        *first = rows;
    else
        hf_text_free(&rows);
    hf_archive_free(&ours);
    return status;
}

/* A family begins with the network that has no row. */
static hf_status add_family(hf_text *page, const char *family, const char *beginning, hf_context *context)
{
    hf_text first = { 0 };
    hf_status status = add_network(page, &first, hf_network_find(family), family, context);
    const hf_network *network;
    for (int i = 0; status == HF_OK && (network = hf_network_at(i)); i++)
        if (strncmp(network->name, beginning, strlen(beginning)) == 0 && strcmp(network->name, family) != 0)
            status = add_network(page, &first, network, family, context);
    hf_text_free(&first);
    return status;
}

static hf_status write_page(hf_text *page)
{
    hf_context *context = NULL;
    hf_text_add(page,
                "# Names of tensors\n\n"
                "Written by `doc/names.c` from the networks and the table of names that `hyperfusion convert` uses; a "
                "test fails when\nthis page is not what it writes.\n\n"
                "A tensor is called LAYER.PART. The parts are PyTorch's: `weight` and `bias`; of a batch norm also "
                "`running_mean` and\n`running_var` (`num_batches_tracked` is ignored). A linear weight is [out, in], "
                "that of a convolution [out, in, D, H, W], a\nweight generator [out x in ..., embedding], its rows in "
                "that order. Axes of length 1 do not count.\n\n"
                "The naming `own` has the names in the column `here`. Under `authors` are the modules of\n"
                "github.com/daniel4725/HyperFusion (branch main, models/). What has no counterpart there has the "
                "same name in both\ncolumns. `module.`, `model.` and `_orig_mod.` in front of a name, which wrappers "
                "add, are ignored.\n\n"
                "With other `model.hyper_layers` the pattern goes on: a hyper layer's generators are below the layer, "
                "each convolution of a\nblock with one has `.layer` behind its name, and every linear layer of such a "
                "network.\n");
    HF_TRY(hf_context_new(&context, NULL, NULL));
    hf_status status = add_family(page, "brain-age-image-only", "brain-age", context);
    if (status == HF_OK) status = add_family(page, "ad-image-only", "ad-", context);
    hf_context_free(&context);
    return status == HF_OK ? hf_text_check(page) : status;
}

int main(int argc, char **argv)
{
    return page_main("names", write_page, argc, argv);
}
