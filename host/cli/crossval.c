/* crossval.c: hyperfusion crossval, and compare. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- crossval ---------------------------------------------------------------------------------------------------- */

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
             "run folder of its own; the folds of a seed and version make one ensemble (crossval.ensemble).\n"
             "models.tsv and ensembles.tsv hold the results of every one. A study that was stopped in any way\n"
             "goes on with the same command, to the same bits.",
    .options = crossval_options,
    .least = 1,
    .most = 1,
    .run = run_crossval,
};

/* ---- compare ----------------------------------------------------------------------------------------------------- */

static hf_status compare(const cli_args *args, hf_text *out)
{
    const int count = args->n_arguments;
    hf_study *studies;
    int read = 0;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&studies, (size_t)count, sizeof *studies, "studies"));
    for (; status == HF_OK && read < count; read += status == HF_OK)
        status = hf_study_read(&studies[read], args->argument[read]);
    hf_compare_options options = { .format = cli_value(args, "format") };
    if (status == HF_OK) {
        const hf_recipe *first = &studies[0].recipe;
        options.bootstrap = (hf_bootstrap){ first->evaluate.bootstrap, (uint64_t)first->evaluate.seed };
        status = hf_study_compare(studies, count, &options, out);
    }
    for (int i = 0; i < read; i++)
        hf_study_free(&studies[i]);
    free(studies);
    return status;
}

static int run_compare(const cli_args *args)
{
    hf_text text = { 0 };
    const hf_status status = compare(args, &text);
    if (status == HF_OK) printf("%s", text.data);
    hf_text_free(&text);
    return status == HF_OK ? CLI_OK : cli_failed();
}

static const cli_option compare_options[] = {
    { "format", "F", "text (default), tsv, latex or html", false },
    { 0 },
};

const cli_command cli_compare = {
    .name = "compare",
    .operands = "DIR DIR... [--format text|tsv|latex|html]",
    .summary = "set the studies of several methods side by side",
    .about = "Each DIR is a finished study. Every metric as mean and standard deviation over its ensembles; beside it\n"
             "the p value of Mann and Whitney's one-sided test that the first DIR is better, with Holm's\n"
             "correction over the table. Below, differences to the first on equal test subjects, with paired\n"
             "bootstrap intervals.",
    .options = compare_options,
    .least = 2,
    .most = CLI_MAX_ARGUMENTS,
    .run = run_compare,
};
