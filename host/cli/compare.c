/* compare.c: hyperfusion compare, and ensembles: what finished studies say. */
#include "cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- how models are put together --------------------------------------------------------------------------------- */

enum { MOST_BEST = 1000 };

static int parse_rule(hf_study_rule *out, const cli_args *args)
{
    *out = (hf_study_rule){ cli_value(args, "ensemble"), cli_value(args, "over"), 0 };
    return cli_integer(&out->best, args, "best", 0, 1, MOST_BEST);
}

static hf_status read_study(hf_study *out, const char *folder, const hf_study_rule *rule)
{
    HF_TRY(hf_study_read(out, folder));
    const hf_status status = hf_study_recombine(out, rule);
    if (status != HF_OK) hf_study_free(out);
    return status;
}

/* ---- compare ----------------------------------------------------------------------------------------------------- */

static hf_status present(const hf_study *studies, int count, const char *const *names, const cli_args *args)
{
    hf_text text = { 0 };
    hf_comparison comparison;
    const hf_recipe *first = &studies[0].recipe;
    const char *out = cli_value(args, "out");
    const hf_compare_options options = { names, { first->evaluate.bootstrap, (uint64_t)first->evaluate.seed } };
    HF_TRY(hf_comparison_make(&comparison, studies, count, &options));
    hf_status status = hf_comparison_text(&comparison, cli_value(args, "format"), &text);
    if (status == HF_OK && out) status = hf_comparison_write(&comparison, out);
    if (status == HF_OK) printf("%s", text.data);
    hf_text_free(&text);
    hf_comparison_free(&comparison);
    return status;
}

hf_status cli_compare_studies(const char *const *folders, int count, const char *const *names,
                              const hf_study_rule *rule, const cli_args *args)
{
    hf_study *studies;
    int read = 0;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&studies, (size_t)count, sizeof *studies, "studies"));
    for (; status == HF_OK && read < count; read += status == HF_OK)
        status = read_study(&studies[read], folders[read], rule);
    if (status == HF_OK) status = present(studies, count, names, args);
    for (int i = 0; i < read; i++)
        hf_study_free(&studies[i]);
    free(studies);
    return status;
}

static int run_compare(const cli_args *args)
{
    const char *name[CLI_MAX_GIVEN];
    hf_study_rule rule;
    int names = 0;
    const int code = parse_rule(&rule, args);
    if (code != CLI_OK) return code;
    for (int i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i]->name, "name") == 0) name[names++] = args->value[i];
    if (names && names != args->n_arguments)
        return cli_usage(args->command, "%d names for %d folders: one for each is expected", names, args->n_arguments);
    const hf_status status = cli_compare_studies(args->argument, args->n_arguments, names ? name : NULL, &rule, args);
    return status == HF_OK ? CLI_OK : cli_failed();
}

#define RULE_OPTIONS                                                                                                   \
    { "best", "K", "the K best models of an ensemble on validation instead of crossval.best", false },                 \
    {                                                                                                                  \
        "over", "WHAT", "ensembles of folds or of versions instead of crossval.over", false                            \
    }

static const cli_option compare_options[] = {
    { "name", "NAME", "what a method is called, in the order of the folders; repeats", true },
    { "format", "F", "text (default), tsv, latex or html (a page with plots)", false },
    { "out", "FOLDER", "write every format, plots (SVG) and confusion matrices (PNG) there too", false },
    { "ensemble", "RULE", "mean, entropy, vote or confident instead of crossval.ensemble", false },
    RULE_OPTIONS,
    { 0 },
};

const cli_command cli_compare = {
    .name = "compare",
    .operands = "DIR DIR... [--name NAME]... [--format F] [--out FOLDER] [--ensemble RULE] [--best K] [--over WHAT]",
    .summary = "set the studies of several methods side by side",
    .about = "Each DIR is a finished study. Every metric as mean and standard deviation over its ensembles, beside it\n"
             "the p value of Mann and Whitney's one-sided test that the first DIR is better, with Holm's\n"
             "correction over the table. Below, all tests, one- and two-sided; differences to the first on equal\n"
             "test subjects, with paired bootstrap intervals; for classes confusion matrices and calibration.",
    .options = compare_options,
    .least = 2,
    .most = CLI_MAX_ARGUMENTS,
    .run = run_compare,
};

/* ---- ensembles --------------------------------------------------------------------------------------------------- */

static hf_status ensembles(hf_text *out, const cli_args *args, const hf_study_rule *rule)
{
    hf_study study;
    HF_TRY(hf_study_read(&study, args->argument[0]));
    const hf_status status = hf_study_ensembles(&study, rule, cli_value(args, "format"), out);
    hf_study_free(&study);
    return status;
}

static int run_ensembles(const cli_args *args)
{
    hf_study_rule rule;
    hf_text text = { 0 };
    int code = parse_rule(&rule, args);
    if (code == CLI_OK && ensembles(&text, args, &rule) != HF_OK) code = cli_failed();
    if (code == CLI_OK) printf("%s", text.data);
    hf_text_free(&text);
    return code;
}

static const cli_option ensembles_options[] = {
    RULE_OPTIONS,
    { "format", "F", "text (default), tsv, latex or html", false },
    { 0 },
};

const cli_command cli_ensembles = {
    .name = "ensembles",
    .operands = "DIR [--best K] [--over WHAT] [--format F]",
    .summary = "judge every way to combine the runs of a study",
    .about = "Every metric of a finished study as mean and standard deviation over its single models, and over its\n"
             "ensembles by each rule: the mean, weights by entropy, the weighted vote, the most confident model; with\n"
             "--best once more of the models that are best on validation. All runs of the recipe take part, and\n"
             "no rule is chosen: that is for crossval.ensemble to say before the test subjects are seen.",
    .options = ensembles_options,
    .least = 1,
    .most = 1,
    .run = run_ensembles,
};
