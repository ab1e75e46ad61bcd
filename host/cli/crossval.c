/* crossval.c: hyperfusion crossval. */
#include "cli.h"
#include <stdio.h>

static hf_status print_study(const char *folder)
{
    hf_study study;
    hf_text text = { 0 };
    HF_TRY(hf_study_read(&study, folder));
    const hf_status status = hf_study_text(&study, &text);
    if (status == HF_OK) printf("test subjects, mean \xc2\xb1 standard deviation\n%s", text.data);
    hf_text_free(&text);
    hf_study_free(&study);
    return status;
}

static int crossval(const cli_args *args, hf_recipe *recipe)
{
    cli_progress progress;
    const char *folder = cli_value(args, "out");
    cli_progress_begin(&progress, 0);
    hf_study_options options = { .device = cli_value(args, "device"), .watch = cli_watch(&progress) };
    cli_listen(&options.watch);
    hf_status status = cli_resolve_cohort(recipe);
    if (status == HF_OK) status = hf_study_run(recipe, folder, &options);
    cli_progress_end(&progress);
    if (status == HF_OK) status = print_study(folder);
    if (status == HF_OK) return CLI_OK;
    if (status != HF_ERR_STOPPED) return cli_failed();
    cli_failed();
    fprintf(stderr, "It goes on where it was with the same command.\n");
    return CLI_STOPPED;
}

static int run_crossval(const cli_args *args)
{
    hf_recipe recipe = { 0 };
    if (!cli_has(args, "out")) return cli_usage(args->command, "'--out DIR' is missing: the folder for the study");
    int code = cli_recipe(&recipe, args);
    if (code == CLI_OK) code = crossval(args, &recipe);
    hf_recipe_free(&recipe);
    return code;
}

static const cli_option crossval_options[] = {
    { "out", "DIR", "the folder of the study, made when absent; one of the same recipe is continued", false },
    { "set", "KEY=VALUE", "replace a value of the recipe, as in crossval.versions=2; repeats", true },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name; see 'hyperfusion devices'", false },
    { 0 },
};

const cli_command cli_crossval = {
    .name = "crossval",
    .operands = "RECIPE --out DIR [--set KEY=VALUE]... [--device D]",
    .summary = "train a recipe over split seeds, versions and folds",
    .about = "Trains crossval.seeds x crossval.versions x crossval.folds runs of a recipe into a folder, each with a\n"
             "run folder of its own; the folds of a seed and version make one ensemble (crossval.ensemble), or\n"
             "all versions and folds of a seed (crossval.over), or the best of them on validation (crossval.best).\n"
             "models.tsv and ensembles.tsv hold the results of every one. A study that was stopped in any way\n"
             "goes on with the same command, to the same bits.",
    .options = crossval_options,
    .least = 1,
    .most = 1,
    .run = run_crossval,
};
