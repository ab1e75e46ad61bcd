/* evaluate.c: hyperfusion evaluate. */
#include "scores.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_part(hf_part *out, const cli_args *args)
{
    const char *text = cli_value(args, "split");
    *out = HF_TEST;
    if (!text) return CLI_OK;
    for (int part = 0; part < HF_UNUSED; part++) {
        if (strcmp(hf_part_name((hf_part)part), text) != 0) continue;
        *out = (hf_part)part;
        return CLI_OK;
    }
    return cli_usage(args->command, "--split: found '%s', expected train, valid or test", text);
}

static int run(const cli_args *args)
{
    hf_evaluate_options options = { .device = cli_value(args, "device"), .needs_truth = true };
    char *cohort = NULL;
    cli_progress progress;
    hf_scores scores = { 0 };
    hf_predictions predictions = { 0 };
    if (cli_has(args, "cohort") && cli_has(args, "split"))
        return cli_usage(args->command, "--cohort takes all subjects of a folder: --split does not go with it");
    int code = parse_part(&options.part, args);
    if (code != CLI_OK) return code;
    cli_progress_begin(&progress, 0);
    options.watch = cli_watch(&progress);
    hf_status status = cli_absolute(&cohort, cli_value(args, "cohort"));
    options.cohort = cohort;
    if (status == HF_OK) status = hf_run_predict(&predictions, args->argument[0], &options);
    cli_progress_end(&progress);
    if (status == HF_OK) status = hf_scores_make(&scores, &predictions);
    const char *part = options.cohort ? "cohort" : hf_part_name(options.part);
    if (status != HF_OK)
        code = cli_failed();
    else if (cli_has(args, "json"))
        code = cli_print_json(cli_scores_json(&scores, &predictions, part));
    else
        cli_scores_print(&scores, &predictions, part);
    if (code == CLI_OK && options.cohort) code = cli_left_out(&predictions);
    hf_scores_free(&scores);
    hf_predictions_free(&predictions);
    free(cohort);
    return code;
}

static const cli_option options[] = {
    { "cohort", "DIR", "all subjects of another cohort instead of the run's own", false },
    { "split", "PART", "train, valid or test (default) of the run's own cohort", false },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name", false },
    { "json", NULL, "print one JSON object", false },
    { 0 },
};

const cli_command cli_evaluate = {
    .name = "evaluate",
    .operands = "RUN [--cohort DIR] [--split PART] [--device D] [--json]",
    .summary = "judge a run on subjects of known truth",
    .about = "Predicts with the best weights of a run and prints the metrics of its goal, with the 95 %\n"
             "bootstrap interval of the one that chose the epoch, for all subjects and for each group\n"
             "(evaluate.groups), beside what guessing by the training subjects would give. Subjects of\n"
             "another cohort that cannot be judged are left out by name; the exit status is then 3. Those\n"
             "that trained or validated in the run, by id or by image, are judged apart from new ones.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
