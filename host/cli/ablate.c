/* ablate.c: hyperfusion ablate. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The values of --layers, in order; returns how many. */
static int candidates(const char *out[CLI_MAX_GIVEN], const cli_args *args)
{
    int n = 0;
    for (int i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i]->name, "layers") == 0) out[n++] = args->value[i];
    return n;
}

static hf_status train(const cli_args *args, hf_recipe *recipe, const char *const *candidate, int count)
{
    cli_progress progress;
    cli_progress_begin(&progress, 0);
    hf_study_options options = { .device = cli_value(args, "device"), .watch = cli_watch(&progress) };
    cli_listen(&options.watch);
    hf_status status = cli_resolve_cohort(recipe);
    if (status == HF_OK) status = hf_study_ablate(recipe, candidate, count, cli_value(args, "out"), &options);
    cli_progress_end(&progress);
    return status;
}

static hf_status compare(const cli_args *args, const char *const *candidate, int count)
{
    char *folder[CLI_MAX_GIVEN] = { NULL };
    hf_status status = HF_OK;
    for (int i = 0; status == HF_OK && i < count; i++)
        status = hf_study_candidate(&folder[i], cli_value(args, "out"), candidate[i]);
    if (status == HF_OK)
        status = cli_compare_studies((const char *const *)folder, count, candidate, &(hf_study_rule){ 0 }, args);
    for (int i = 0; i < count; i++)
        free(folder[i]);
    return status;
}

static int run(const cli_args *args)
{
    const char *candidate[CLI_MAX_GIVEN];
    const int count = candidates(candidate, args);
    hf_recipe recipe = { 0 };
    if (!cli_has(args, "out")) return cli_usage(args->command, "'--out DIR' is missing: the folder for the studies");
    if (count == 0) return cli_usage(args->command, "'--layers A,B,...' is missing: hyper layers to try");
    int code = cli_recipe(&recipe, args);
    if (code != CLI_OK) return code;
    hf_status status = train(args, &recipe, candidate, count);
    hf_recipe_free(&recipe);
    if (status == HF_OK) status = compare(args, candidate, count);
    if (status == HF_OK) return CLI_OK;
    const bool stopped = status == HF_ERR_STOPPED;
    cli_failed();
    if (stopped) fprintf(stderr, "It goes on where it was with the same command.\n");
    return stopped ? CLI_STOPPED : CLI_FAILED;
}

static const cli_option options[] = {
    { "layers", "A,B,...", "hyper layers of one candidate, or all, or none; repeats, the first is the reference",
      true },
    { "out", "DIR", "a study for each candidate, and what came of comparing them", false },
    { "format", "F", "text (default), tsv, latex or html (a page with plots)", false },
    { "set", "KEY=VALUE", "replace a value of the recipe; repeats", true },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name; see 'hyperfusion devices'", false },
    { 0 },
};

const cli_command cli_ablate = {
    .name = "ablate",
    .operands = "RECIPE --layers A,B,... [--layers ...]... --out DIR [--format F] [--set KEY=VALUE]... [--device D]",
    .summary = "train a recipe with other layers as hyper layers",
    .about =
        "Trains the study of a recipe (crossval.*) once for each candidate set of hyper layers, such as the first\n"
        "ones of select-layers, and compares them as 'hyperfusion compare' does, in DIR as text, page and plots.\n"
        "The choice among candidates is made by the validation column. All are planned before the first one is\n"
        "trained, so that an unknown layer costs nothing. Stopped, it goes on with the same command.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
