/* report.c: hyperfusion report. */
#include "cli.h"
#include <stdio.h>

static int run(const cli_args *args)
{
    const char *out = cli_value(args, "out");
    cli_progress progress;
    cli_progress_begin(&progress, 0);
    const hf_watch watch = cli_watch(&progress);
    const hf_status status = hf_run_report(args->argument[0], out, &watch);
    cli_progress_end(&progress);
    if (status != HF_OK) return cli_failed();
    if (out)
        printf("report: %s\n", out);
    else
        printf("report: %s/" HF_REPORT_FILE "\n", args->argument[0]);
    return CLI_OK;
}

static const cli_option options[] = {
    { "out", "FILE", "where to; default report.html in the run folder", false },
    { 0 },
};

const cli_command cli_report = {
    .name = "report",
    .operands = "RUN [--out FILE]",
    .summary = "write a run's report again",
    .about = "Writes one self-contained HTML page from a run folder: learning curves, the goal's\n"
             "metrics with intervals, predicted against true or the confusion matrix, slices of the best\n"
             "and worst subjects when the cohort is still there, recipe, device and seeds.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
