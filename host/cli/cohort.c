/* cohort.c: hyperfusion cohort make, and cohort check. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- make -------------------------------------------------------------------------------------------------------- */

/* "45,55,45"; zeros when the option is absent. */
static int parse_shape(int shape[3], const cli_args *args)
{
    enum { MAX_SIDE = 4096 };
    const char *text = cli_value(args, "shape"), *at = text;
    for (int axis = 0; text && axis < 3; axis++) {
        char *end;
        const long size = strtol(at, &end, 10);
        if (end == at || size < 1 || size > MAX_SIDE || *end != (axis < 2 ? ',' : '\0'))
            return cli_usage(args->command, "--shape: found '%s', expected three sizes D,H,W such as 45,55,45", text);
        shape[axis] = (int)size;
        at = end + 1;
    }
    return CLI_OK;
}

static int make(const cli_args *args)
{
    int64_t subjects, seed;
    hf_synth_options options = { .task = cli_value(args, "task"),
                                 .source = cli_value(args, "from"),
                                 .progress = cli_progress_count };
    cli_progress progress;
    int code = cli_integer(&subjects, args, "subjects", 0, 1, 100000);
    if (code == CLI_OK) code = cli_integer(&seed, args, "seed", 0, 0, INT64_C(9007199254740992));
    if (code == CLI_OK) code = parse_shape(options.shape, args);
    if (code != CLI_OK) return code;
    if (options.task && strcmp(options.task, "brain-age") != 0 && strcmp(options.task, "ad") != 0 &&
        strcmp(options.task, "interaction") != 0)
        return cli_usage(args->command, "--task: found '%s', expected brain-age, ad or interaction", options.task);
    options.subjects = (int)subjects;
    options.seed = (uint64_t)seed;
    options.user = &progress;
    cli_progress_begin(&progress, 0);
    const hf_status status = hf_cohort_make(args->argument[0], &options);
    cli_progress_end(&progress);
    if (status != HF_OK) return cli_failed();
    printf("made a cohort in %s\n", args->argument[0]);
    return CLI_OK;
}

static const cli_option make_options[] = {
    { "task", "TASK", "brain-age (default); ad: with diagnosis and clinical columns; interaction: with a label",
      false },
    { "from", "FOLDER", "interaction: copy the images of this cohort instead of drawing brains", false },
    { "subjects", "N", "how many; default 120", false },
    { "shape", "D,H,W", "voxels of each volume; default 45,55,45", false },
    { "seed", "S", "of everything random; default 0", false },
    { 0 },
};

const cli_command cli_cohort_make = {
    .name = "cohort make",
    .operands = "DIR [--task brain-age|ad|interaction] [--from FOLDER] [--subjects N] [--shape D,H,W] [--seed S]",
    .summary = "make a synthetic cohort of brain-like volumes",
    .about = "Writes a folder that looks like a real study and needs no download: participants.tsv and\n"
             "one NIfTI volume a subject, brain-like, ageing along different courses for the two sexes.\n"
             "Task interaction gives each subject a bit and a label that only image and bit together tell.\n"
             "A folder that holds a participants.tsv already is refused.",
    .options = make_options,
    .least = 1,
    .most = 1,
    .run = make,
};

/* ---- check ------------------------------------------------------------------------------------------------------- */

/* Opens the folder: as a recipe or a run would, or by the default names alone. */
static hf_status open_cohort(hf_cohort *cohort, const cli_args *args)
{
    const char *folder = args->argument[0], *run = cli_value(args, "run"), *path = cli_value(args, "recipe");
    hf_recipe recipe = { 0 };
    if (run) return hf_run_check_run(cohort, folder, run);
    if (path) {
        hf_status status = hf_recipe_read(&recipe, path);
        if (status == HF_OK) status = hf_run_check_recipe(cohort, folder, &recipe);
        hf_recipe_free(&recipe);
        return status;
    }
    const hf_status status = hf_cohort_open(cohort, folder, NULL);
    return status == HF_OK ? hf_cohort_check_rows(cohort, &(hf_rows_check){ 0 }) : status;
}

static int check(const cli_args *args)
{
    hf_cohort cohort = { 0 };
    hf_text report = { 0 };
    cli_progress progress;
    if (cli_has(args, "run") && cli_has(args, "recipe"))
        return cli_usage(args->command, "--recipe and --run: one of them is expected");
    hf_status status = open_cohort(&cohort, args);
    if (status == HF_OK) {
        cli_progress_begin(&progress, 0);
        status = hf_cohort_check(&cohort, &report, cli_progress_count, &progress);
        cli_progress_end(&progress);
    }
    int fatal = 0;
    for (int i = 0; i < cohort.n_problems; i++)
        fatal += cohort.problem[i].fatal;
    if (status == HF_OK) printf("%s", report.data ? report.data : "");
    hf_text_free(&report);
    hf_cohort_free(&cohort);
    if (status != HF_OK) return cli_failed();
    return fatal ? CLI_FAILED : CLI_OK;
}

static const cli_option check_options[] = {
    { "recipe", "FILE", "judge the table as training with this recipe would", false },
    { "run", "RUN", "judge the table as predicting with this run would", false },
    { 0 },
};

const cli_command cli_cohort_check = {
    .name = "cohort check",
    .operands = "DIR [--recipe FILE | --run RUN]",
    .summary = "say what is in a cohort, and what looks wrong",
    .about = "Reads table and volumes of a cohort folder and reports subjects, missing values, shapes,\n"
             "spacings, orientations, files that cannot be read and volumes unlike the others. With a\n"
             "recipe or a run, what training or predicting would refuse is found too: unknown\n"
             "categories, missing values, texts for numbers, values outside the training range.\n"
             "Ends with status 1 when a subject cannot be used.",
    .options = check_options,
    .least = 1,
    .most = 1,
    .run = check,
};
