/* predict.c: hyperfusion predict, for a cohort or for one image. */
#include "cli.h"
#include <jansson.h>
#include <math.h>
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

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* A cell of the table of predictions: a number unless its column holds names. */
static json_t *cell_json(const hf_predictions *p, const hf_table *table, int row, int column)
{
    const char *text = table->cell[(size_t)row * (size_t)table->columns + (size_t)column], *name = table->name[column];
    const bool classes = p->target.n_classes && (strcmp(name, "predicted") == 0 || strcmp(name, p->target.column) == 0);
    char *end;
    if (!text) return json_null();
    const double number = strtod(text, &end);
    return column <= p->n_groups || classes || *end ? json_string(text) : json_real(number);
}

static json_t *subject_json(const hf_predictions *p, const hf_table *table, int row)
{
    json_t *json = json_object();
    for (int column = 0; column < table->columns; column++)
        json_object_set_new(json, table->name[column], cell_json(p, table, row, column));
    return json;
}

/* What the table says, row by row. */
static hf_status predictions_json(json_t **out, const hf_predictions *p)
{
    hf_text text = { 0 };
    hf_table table = { 0 };
    json_t *subjects = json_array();
    hf_status status = hf_predictions_text(p, &text);
    if (status == HF_OK) status = hf_table_parse(&table, text.data, text.size, "predictions.tsv");
    for (int row = 0; status == HF_OK && row < table.rows; row++)
        json_array_append_new(subjects, subject_json(p, &table, row));
    if (status == HF_OK)
        *out = json_pack("{ss,ss,so,so}", "goal", p->target.goal->name, "target", p->target.column, "subjects",
                         json_incref(subjects), "left_out", cli_left_out_json(p));
    json_decref(subjects);
    hf_text_free(&text);
    hf_table_free(&table);
    return status;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

static int print(const hf_predictions *p, const cli_args *args)
{
    const bool to_file = cli_has(args, "out"), table = to_file || cli_has(args, "cohort");
    hf_text text = { 0 };
    hf_status status = HF_OK;
    if (cli_has(args, "json")) {
        json_t *json = NULL;
        return predictions_json(&json, p) == HF_OK ? cli_print_json(json) : cli_failed();
    }
    if (table)
        status = hf_predictions_text(p, &text);
    else
        p->target.goal->say(&text, &p->target, p->predicted);
    if (!table && !isnan(p->margin))
        hf_text_add(&text, "%d %% interval\t%.7g\t%.7g\n", HF_INTERVAL_PERCENT, *p->predicted - p->margin,
                    *p->predicted + p->margin);
    if (status == HF_OK) status = hf_text_check(&text);
    const int code = status == HF_OK ? emit(&text, cli_value(args, "out")) : cli_failed();
    hf_text_free(&text);
    return code;
}

static int predict_cohort(const cli_args *args, const hf_watch *watch, cli_progress *progress)
{
    char *cohort = NULL;
    hf_status status = cli_absolute(&cohort, cli_value(args, "cohort"));
    const hf_evaluate_options options = {
        .device = cli_value(args, "device"), .cohort = cohort, .strict = cli_has(args, "strict"), .watch = *watch
    };
    hf_predictions predictions = { 0 };
    if (status == HF_OK) status = hf_run_predict(&predictions, args->argument[0], &options);
    cli_progress_end(progress);
    int code = status == HF_OK ? print(&predictions, args) : cli_failed();
    if (code == CLI_OK) code = cli_left_out(&predictions);
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
    const hf_evaluate_options options = { .device = cli_value(args, "device"),
                                          .strict = cli_has(args, "strict"),
                                          .watch = *watch };
    char *copy = NULL;
    int count = 0, code = CLI_OK;
    hf_predictions made = { 0 };
    if (hf_strdup(&copy, given ? given : "") != HF_OK) return cli_failed();
    code = cut_pairs(pairs, &count, copy, args);
    if (code == CLI_OK && hf_run_predict_image(&made, args->argument[0], image, pairs, count, &options) != HF_OK)
        code = cli_failed();
    if (code == CLI_OK) code = print(&made, args);
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
    if (cli_has(args, "json") && cli_has(args, "out"))
        return cli_usage(args->command, "--json prints; --out writes a table: not both");
    cli_progress_begin(&progress, 0);
    const hf_watch watch = cli_watch(&progress);
    return cohort ? predict_cohort(args, &watch, &progress) : predict_image(args, &watch);
}

static const cli_option options[] = {
    { "cohort", "DIR", "predict for all subjects of a folder", false },
    { "tabular", "K=V,...", "table values of the one IMAGE, as in mmse=29", false },
    { "strict", NULL, "refuse, or leave out of a cohort, what is only warned about otherwise", false },
    { "out", "FILE", "write a table instead of printing", false },
    { "json", NULL, "print one JSON object", false },
    { "device", "D", "gpu:0, cpu:0, or part of a device's name", false },
    { 0 },
};

const cli_command cli_predict = {
    .name = "predict",
    .operands = "RUN (--cohort DIR | IMAGE --tabular K=V,...) [--strict] [--out FILE | --json] [--device D]",
    .summary = "predict for new subjects",
    .about = "Predicts with the best weights of a run, either for the subjects of a cohort folder (a table\n"
             "is printed) or for one image with its table values: the number and below it its 90 %\n"
             "prediction interval, or the class and below it the probability of each. Images are brought to the grid "
             "the network was trained on; one\n"
             "that cannot be is refused, and one that looks unlike the training images is warned about,\n"
             "as are table values outside of the training range; --strict refuses these too. A number\n"
             "that nobody can have is never printed. Of a cohort whoever is refused is left out by name,\n"
             "the others are predicted, and the exit status is 3.",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
