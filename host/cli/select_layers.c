/* select_layers.c: hyperfusion select-layers. */
#include "cli.h"
#include <stdio.h>

enum { DRAWS = 100 };

static hf_status select_layers(hf_text *out, const cli_args *args, const hf_recipe *recipe, int draws)
{
    hf_layer_losses losses;
    cli_progress progress;
    cli_progress_begin(&progress, 0);
    const hf_watch watch = cli_watch(&progress);
    hf_status status =
        hf_run_layer_losses(&losses, recipe, cli_value(args, "layers"), draws, cli_value(args, "device"), &watch);
    cli_progress_end(&progress);
    if (status == HF_OK) status = hf_study_rank_layers(out, &losses, cli_value(args, "format"));
    hf_layer_losses_free(&losses);
    return status;
}

static int run(const cli_args *args)
{
    int64_t draws;
    hf_recipe recipe = { 0 };
    hf_text text = { 0 };
    int code = cli_integer(&draws, args, "draws", DRAWS, 2, 100000);
    if (code == CLI_OK) code = cli_recipe(&recipe, args);
    if (code == CLI_OK && select_layers(&text, args, &recipe, (int)draws) != HF_OK) code = cli_failed();
    if (code == CLI_OK) printf("%s", text.data);
    hf_text_free(&text);
    hf_recipe_free(&recipe);
    return code;
}

static const cli_option options[] = {
    { "draws", "N", "how often each layer is drawn; default 100", false },
    { "layers", "A,B,...", "only these; default: every convolution and linear layer", false },
    { "format", "F", "text (default), tsv, latex or html (a page with a plot)", false },
    { "set", "KEY=VALUE", "replace a value of the recipe; repeats", true },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name; see 'hyperfusion devices'", false },
    { 0 },
};

const cli_command cli_select_layers = {
    .name = "select-layers",
    .operands = "RECIPE [--draws N] [--layers A,B,...] [--format F] [--set KEY=VALUE]... [--device D]",
    .summary = "rank layers as candidates for hyper layers",
    .about = "Draws each layer of the untrained network anew, again and again, and ranks layers by the entropy of the\n"
             "loss over the training subjects (30 bins of one common range, in bits): the higher, the more a layer's\n"
             "weights matter. The choice among the first ones is made by validation.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
