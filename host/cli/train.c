/* train.c: hyperfusion train. */
#include "scores.h"
#include <stdio.h>
#include <stdlib.h>

/* The command that goes on with a run: its folder knows the rest. */
static int stopped(const cli_args *args, const char *folder)
{
    cli_failed();
    fprintf(stderr, "It goes on from its last whole epoch with:\n    hyperfusion train --resume ");
    cli_print_quoted(folder);
    if (cli_has(args, "device")) {
        fprintf(stderr, " --device ");
        cli_print_quoted(cli_value(args, "device"));
    }
    fprintf(stderr, "\n");
    return CLI_STOPPED;
}

static int train(const cli_args *args, hf_recipe *recipe, const char *folder)
{
    cli_progress progress;
    hf_scores scores = { 0 };
    hf_predictions test = { 0 };
    cli_progress_begin(&progress, recipe->train.epochs);
    hf_train_options options = { .device = cli_value(args, "device"),
                                 .resume = cli_has(args, "resume"),
                                 .watch = cli_watch(&progress) };
    cli_listen(&options.watch);
    hf_status status = cli_resolve_cohort(recipe);
    if (status == HF_OK) status = hf_run_train(&test, recipe, folder, &options);
    cli_progress_end(&progress);
    const bool tested = test.count > 0; /* a debugging run tests nobody */
    if (status == HF_OK && tested) status = hf_scores_make(&scores, &test);
    if (status == HF_OK && tested) cli_scores_print(&scores, &test, "test subjects");
    if (status == HF_OK && !tested) printf("a debugging run (train.overfit_batches): no test results\n");
    if (status == HF_OK) printf("report: %s/" HF_REPORT_FILE "\n", folder);
    hf_scores_free(&scores);
    hf_predictions_free(&test);
    if (status == HF_OK) return CLI_OK;
    return status == HF_ERR_STOPPED ? stopped(args, folder) : cli_failed();
}

/* The recipe that a run was begun with. */
static int recipe_of_run(hf_recipe *out, const cli_args *args, const char *folder)
{
    char *path = NULL;
    hf_status status = hf_path_join(&path, folder, HF_RECIPE_FILE);
    if (status == HF_OK && !hf_path_exists(path))
        status =
            hf_fail(HF_ERR_IO,
                    "'%s' holds no run to resume: there is no recipe.yaml in it; a new run takes a recipe, and its "
                    "folder by --out",
                    folder);
    const int code = status == HF_OK ? cli_recipe_at(out, path, args) : cli_failed();
    free(path);
    return code;
}

static int run(const cli_args *args)
{
    hf_recipe recipe = { 0 };
    const char *folder = cli_value(args, "out");
    int code;
    if (!folder && !cli_has(args, "resume"))
        return cli_usage(args->command, "'--out RUN' is missing: the folder for the run");
    code = folder ? cli_recipe(&recipe, args) : recipe_of_run(&recipe, args, args->argument[0]);
    if (code == CLI_OK) code = train(args, &recipe, folder ? folder : args->argument[0]);
    hf_recipe_free(&recipe);
    return code;
}

static const cli_option options[] = {
    { "out", "RUN", "the run folder, made when absent; one that is in use is refused", false },
    { "set", "KEY=VALUE", "replace a value of the recipe, as in train.epochs=2; repeats", true },
    { "resume", NULL, "continue a run from its last whole epoch", false },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name; see 'hyperfusion devices'", false },
    { 0 },
};

const cli_command cli_train = {
    .name = "train",
    .operands = "(RECIPE --out RUN [--resume] | --resume RUN) [--set KEY=VALUE]... [--device D]",
    .summary = "train a recipe into a run folder",
    .about = "Trains the network of a recipe on its cohort, then judges the weights of the best epoch on\n"
             "the test subjects. The run folder holds recipe.yaml (resolved), split.tsv, log.jsonl (one\n"
             "object an epoch), best.safetensors, last.safetensors, predictions-test.tsv, report.html.\n"
             "A run that was stopped in any way continues with --resume RUN, to the same bits; the recipe in\n"
             "its folder is used. With --set train.epochs=N it is trained longer. A command line with RECIPE,\n"
             "--out and --resume starts a run or continues it, whichever is due.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
