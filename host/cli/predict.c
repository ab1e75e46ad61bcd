/* predict.c: hyperfusion predict, for a cohort or for one image. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int emit(const hf_text *text, const char *path)
{
    if (!path) {
        fwrite(text->data, 1, text->size, stdout);
        return CLI_OK;
    }
    return hf_file_write(path, text->data, text->size) == HF_OK ? CLI_OK : cli_failed();
}

static int predict_cohort(const cli_args *args, const hf_watch *watch, cli_progress *progress)
{
    char *cohort = NULL;
    hf_status status = cli_absolute(&cohort, cli_value(args, "cohort"));
    const hf_evaluate_options options = {
        .device = cli_value(args, "device"), .cohort = cohort, .part = HF_TEST, .watch = *watch
    };
    hf_predictions predictions = { 0 };
    hf_text text = { 0 };
    if (status == HF_OK) status = hf_run_predict(&predictions, args->argument[0], &options);
    cli_progress_end(progress);
    if (status == HF_OK) status = hf_predictions_text(&predictions, &text);
    const int code = status == HF_OK ? emit(&text, cli_value(args, "out")) : cli_failed();
    hf_text_free(&text);
    hf_predictions_free(&predictions);
    free(cohort);
    return code;
}

/* Cuts "site=3,mmse=29" at its commas, in place. */
static int cut_pairs(const char **pairs, int *count, char *text, const cli_args *args)
{
    *count = 0;
    for (char *at = text; at && *at;) {
        char *comma = strchr(at, ',');
        if (comma) *comma++ = '\0';
        if (*count == HF_MAX_FEATURES) return cli_usage(args->command, "--tabular: more than %d values", *count);
        if (!strchr(at, '=') || *at == '=')
            return cli_usage(args->command, "--tabular: found '%s', expected NAME=VALUE, as in mmse=29", at);
        pairs[(*count)++] = at;
        at = comma;
    }
    return CLI_OK;
}

static int predict_image(const cli_args *args, const hf_watch *watch)
{
    const char *given = cli_value(args, "tabular"), *pairs[HF_MAX_FEATURES], *image = args->argument[1];
    char *copy = NULL;
    int count = 0, code = CLI_OK;
    hf_predictions made = { 0 };
    if (hf_strdup(&copy, given ? given : "") != HF_OK) return cli_failed();
    code = cut_pairs(pairs, &count, copy, args);
    if (code == CLI_OK &&
        hf_run_predict_image(&made, args->argument[0], image, pairs, count, cli_value(args, "device"), watch) != HF_OK)
        code = cli_failed();
    if (code == CLI_OK) {
        hf_text text = { 0 };
        if (cli_has(args, "out"))
            code = hf_predictions_text(&made, &text) == HF_OK ? CLI_OK : cli_failed();
        else
            made.target.goal->say(&text, &made.target, made.predicted);
        if (code == CLI_OK) code = hf_text_check(&text) == HF_OK ? emit(&text, cli_value(args, "out")) : cli_failed();
        hf_text_free(&text);
    }
    hf_predictions_free(&made);
    free(copy);
    return code;
}

static int run(const cli_args *args)
{
    const bool cohort = cli_has(args, "cohort"), image = args->n_arguments == 2;
    cli_progress progress;
    if (cohort == image)
        return cli_usage(args->command, "either an IMAGE or --cohort DIR is expected%s", cohort ? ", not both" : "");
    if (cohort && cli_has(args, "tabular"))
        return cli_usage(args->command, "--tabular belongs to one IMAGE; a cohort has a table");
    cli_progress_begin(&progress, 0);
    const hf_watch watch = cli_watch(&progress);
    return cohort ? predict_cohort(args, &watch, &progress) : predict_image(args, &watch);
}

static const cli_option options[] = {
    { "cohort", "DIR", "predict for all subjects of a folder", false },
    { "tabular", "K=V,...", "table values of the one IMAGE, as in mmse=29", false },
    { "out", "FILE", "write a table instead of printing", false },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name", false },
    { 0 },
};

const cli_command cli_predict = {
    .name = "predict",
    .operands = "RUN (--cohort DIR | IMAGE --tabular K=V,...) [--out FILE] [--device D]",
    .summary = "predict for new subjects",
    .about = "Predicts with the best weights of a run, either for the subjects of a cohort folder (a table\n"
             "is printed) or for one image with its table values: the number, or the class and below it\n"
             "the probability of each. Images are brought to the grid the network was trained on; one\n"
             "that cannot be is refused, and one that looks unlike the training images is warned about.",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
