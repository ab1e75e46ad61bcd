/* convert.c: hyperfusion convert: weights from PyTorch and to PyTorch, and what a training there is compared by. */
#include "cli.h"
#include <stdio.h>
#include <string.h>

/* What a command line asks for. */
typedef enum form {
    FORM_IMPORT,  /* RECIPE WEIGHTS --out RUN */
    FORM_EXPORT,  /* RUN --to pytorch --out FILE */
    FORM_INITIAL, /* RECIPE --initial --out FILE */
    FORM_BATCHES, /* RECIPE --batches FILE */
} form;

/* Options that only some forms have. */
static const struct {
    const char *option;
    bool goes[4];
} fits[] = {
    { "out", { true, true, true, false } },     { "names", { false, true, true, false } },
    { "last", { false, true, false, false } },  { "statistics", { true, false, true, false } },
    { "set", { true, false, true, true } },     { "to", { false, true, true, false } },
    { "device", { true, false, true, false } }, /* reading weights and orders needs none */
};

static int find_form(form *out, const cli_args *args)
{
    const char *to = cli_value(args, "to");
    const bool initial = cli_has(args, "initial"), batches = cli_has(args, "batches");
    *out = batches ? FORM_BATCHES : initial ? FORM_INITIAL : to ? FORM_EXPORT : FORM_IMPORT;
    if (to && strcmp(to, "pytorch") != 0) return cli_usage(args->command, "--to: found '%s', expected pytorch", to);
    if (initial && batches) return cli_usage(args->command, "--initial and --batches: one of them is expected");
    if (*out == FORM_IMPORT && args->n_arguments < 2)
        return cli_usage(args->command, "a second argument is missing: the weights, a safetensors file; or one of "
                                        "--to pytorch, --initial, --batches");
    if (*out != FORM_IMPORT && args->n_arguments > 1)
        return cli_usage(args->command, "'%s' is one argument too many", args->argument[1]);
    for (size_t i = 0; i < sizeof fits / sizeof fits[0]; i++)
        if (cli_has(args, fits[i].option) && !fits[i].goes[*out])
            return cli_usage(args->command, "'--%s' does not go with this form of the command", fits[i].option);
    if (*out != FORM_BATCHES && !cli_has(args, "out"))
        return cli_usage(args->command, "'--out' is missing: %s",
                         *out == FORM_IMPORT ? "the folder for the run" : "the file for the weights");
    return CLI_OK;
}

static int find_naming(const hf_naming **out, const cli_args *args)
{
    const char *word = cli_value(args, "names");
    *out = hf_naming_find(word ? word : "own");
    return *out ? CLI_OK : cli_usage(args->command, "--names: found '%s', expected own or authors", word);
}

static int with_recipe(form what, const cli_args *args, const hf_naming *naming)
{
    const char *out = cli_value(args, "out");
    hf_recipe recipe = { 0 };
    cli_progress progress;
    int code = cli_recipe(&recipe, args);
    if (code != CLI_OK) return code;
    cli_progress_begin(&progress, 0);
    const hf_convert_options options = { .statistics = cli_value(args, "statistics"),
                                         .device = cli_value(args, "device"),
                                         .watch = cli_watch(&progress) };
    hf_status status = cli_resolve_cohort(&recipe);
    if (status == HF_OK && what == FORM_IMPORT) status = hf_run_import(&recipe, args->argument[1], out, &options);
    if (status == HF_OK && what == FORM_INITIAL) status = hf_run_export_initial(&recipe, naming, out, &options);
    if (status == HF_OK && what == FORM_BATCHES)
        status = hf_run_write_batches(&recipe, cli_value(args, "batches"), &options);
    cli_progress_end(&progress);
    hf_recipe_free(&recipe);
    return status == HF_OK ? CLI_OK : cli_failed();
}

static int run(const cli_args *args)
{
    form what;
    const hf_naming *naming;
    int code = find_form(&what, args);
    if (code == CLI_OK) code = find_naming(&naming, args);
    if (code != CLI_OK) return code;
    if (what != FORM_EXPORT) return with_recipe(what, args, naming);
    const hf_status status = hf_run_export(args->argument[0], cli_has(args, "last"), naming, cli_value(args, "out"));
    return status == HF_OK ? CLI_OK : cli_failed();
}

static const cli_option options[] = {
    { "out", "PATH", "the run folder that is made, or the file that is written", false },
    { "to", "pytorch", "write the weights of a run as a state dict", false },
    { "names", "N", "of the tensors there: own (default) or authors; see doc/names.md", false },
    { "last", NULL, "the weights of the last epoch, not of the best", false },
    { "initial", NULL, "write the weights that training the recipe begins with", false },
    { "batches", "FILE", "write who is shown in which epoch and step", false },
    { "statistics", "S", "table statistics: a run, a checkpoint, or an encoder's text", false },
    { "set", "KEY=VALUE", "replace a value of the recipe; repeats", true },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name", false },
    { 0 },
};

const cli_command cli_convert = {
    .name = "convert",
    .operands = "RECIPE WEIGHTS --out RUN | RUN --to pytorch --out FILE | RECIPE --initial --out FILE |\n"
                "                           RECIPE --batches FILE",
    .summary = "weights from PyTorch and to PyTorch",
    .about = "Makes a run folder from a PyTorch state dict that was saved as safetensors, for 'predict',\n"
             "'evaluate' and 'train --resume'; writes the weights of a run, or those a training begins with, as\n"
             "such a file; or writes the order of subjects of a training, so that another program can repeat\n"
             "it. Tensors are matched by name and shape; doc/names.md lists the names of every network, ours\n"
             "and those of the authors' modules. What the columns of the table need to know of training rows\n"
             "comes from the recipe's cohort or from --statistics.",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
