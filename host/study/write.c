/* write.c: what a study found, as tables in its folder and for people. */
#include "metrics/ensemble.h"
#include "parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { ALL = 1000 }; /* crossval.best: more than an ensemble has */

/* ---- tables in the folder ---------------------------------------------------------------------------------------- */

static void add_names(hf_text *out, const hf_study *study)
{
    hf_text_add(out, "run\tseed\tversion\tfold\tvalid_%s", study->column[study->select].name);
    for (int c = 0; c < study->n_columns; c++)
        hf_text_add(out, "\t%s", study->column[c].name);
    hf_text_add(out, "\n");
}

static void add_value(hf_text *out, double value)
{
    if (isfinite(value))
        hf_text_add(out, "\t%.17g", value);
    else
        hf_text_add(out, "\tn/a");
}

static void add_index(hf_text *out, int index)
{
    if (index < 0)
        hf_text_add(out, "\tall");
    else
        hf_text_add(out, "\t%d", index);
}

static void add_outcome(hf_text *out, const hf_study *study, const hf_outcome *outcome)
{
    const hf_member *m = &outcome->of;
    hf_text_add(out, "%s\t%" PRId64, m->place, m->seed);
    add_index(out, m->version);
    add_index(out, m->fold);
    add_value(out, outcome->valid);
    for (int c = 0; c < study->n_columns; c++)
        add_value(out, outcome->test[c]);
    hf_text_add(out, "\n");
}

static hf_status write_file(const hf_study *study, const char *name, const hf_text *text)
{
    char *path = NULL;
    HF_TRY(hf_text_check(text));
    HF_TRY(hf_path_join(&path, study->folder, name));
    const hf_status status = hf_file_write(path, text->data, text->size);
    free(path);
    return status;
}

static hf_status write_outcomes(const hf_study *study, const char *name, const hf_outcome *outcome, int count)
{
    hf_text text = { 0 };
    add_names(&text, study);
    for (int i = 0; i < count; i++)
        add_outcome(&text, study, &outcome[i]);
    const hf_status status = write_file(study, name, &text);
    hf_text_free(&text);
    return status;
}

static hf_status write_predictions(const hf_study *study, const hf_outcome *ensemble)
{
    char *folder = NULL, *path = NULL;
    hf_status status = hf_path_join(&folder, study->folder, ensemble->of.place);
    if (status == HF_OK) status = hf_path_join(&path, folder, HF_PREDICTIONS_FILE);
    if (status == HF_OK) status = hf_predictions_write(&ensemble->predictions, path);
    free(path);
    free(folder);
    return status;
}

hf_status hf_study_write(const hf_study *study)
{
    for (int i = 0; i < study->n_ensembles; i++)
        HF_TRY(write_predictions(study, &study->ensemble[i]));
    HF_TRY(write_outcomes(study, "models.tsv", study->model, study->n_models));
    return write_outcomes(study, "ensembles.tsv", study->ensemble, study->n_ensembles);
}

/* ---- for people -------------------------------------------------------------------------------------------------- */

void hf_outcome_values(double *values, const hf_outcome *outcome, int count, int column)
{
    for (int i = 0; i < count; i++)
        values[i] = outcome[i].test[column];
}

hf_status hf_outcome_spread(hf_spread *out, const hf_outcome *outcome, int count, int column)
{
    double *values;
    HF_TRY(hf_alloc(&values, (size_t)count, sizeof *values, "values of a metric"));
    hf_outcome_values(values, outcome, count, column);
    *out = hf_spread_of(values, count);
    free(values);
    return HF_OK;
}

hf_status hf_sheet_spread(hf_sheet *sheet, int row, int column, const hf_spread *spread, int digits, const char *behind)
{
    if (isnan(spread->mean)) return hf_sheet_set(sheet, row, column, "-");
    if (isnan(spread->sd)) return hf_sheet_set(sheet, row, column, "%.*f%s", digits, spread->mean, behind);
    return hf_sheet_set(sheet, row, column, "%.*f \xc2\xb1 %.*f%s", digits, spread->mean, digits, spread->sd, behind);
}

static hf_status fill_row(hf_sheet *sheet, int row, const hf_study *study, const hf_outcome *outcome, int count)
{
    HF_TRY(hf_sheet_set(sheet, row, 1, "%d", count));
    for (int c = 0; c < study->n_columns; c++) {
        hf_spread spread;
        HF_TRY(hf_outcome_spread(&spread, outcome, count, c));
        HF_TRY(hf_sheet_spread(sheet, row, 2 + c, &spread, study->column[c].metric->digits, ""));
    }
    return HF_OK;
}

static hf_status fill_names(hf_sheet *sheet, const hf_study *study)
{
    HF_TRY(hf_sheet_set(sheet, 0, 1, "n"));
    for (int c = 0; c < study->n_columns; c++)
        HF_TRY(hf_sheet_set(sheet, 0, 2 + c, "%s", study->column[c].label));
    HF_TRY(hf_sheet_set(sheet, 1, 0, "single models"));
    return fill_row(sheet, 1, study, study->model, study->n_models);
}

hf_status hf_study_text(const hf_study *study, hf_text *out)
{
    hf_sheet sheet;
    HF_TRY(hf_sheet_new(&sheet, 3, 2 + study->n_columns));
    hf_status status = fill_names(&sheet, study);
    if (status == HF_OK) status = hf_sheet_set(&sheet, 2, 0, "ensembles");
    if (status == HF_OK) status = fill_row(&sheet, 2, study, study->ensemble, study->n_ensembles);
    if (status == HF_OK) hf_sheet_format_find("text")(out, &sheet);
    hf_sheet_free(&sheet);
    return status == HF_OK ? hf_text_check(out) : status;
}

/* ---- every rule -------------------------------------------------------------------------------------------------- */

static hf_status add_rule(hf_sheet *sheet, int row, hf_study *study, const hf_study_rule *rule)
{
    HF_TRY(hf_study_recombine(study, rule));
    if (rule->best == ALL)
        HF_TRY(hf_sheet_set(sheet, row, 0, "%s", rule->ensemble));
    else
        HF_TRY(hf_sheet_set(sheet, row, 0, "%s, best %" PRId64, rule->ensemble, rule->best));
    return fill_row(sheet, row, study, study->ensemble, study->n_ensembles);
}

static hf_status fill_rules(hf_sheet *sheet, hf_study *study, const hf_study_rule *rule)
{
    const int kinds =
        study->target.n_classes ? HF_N_ENSEMBLES : 1; /* numbers have one rule, the mean, which is first */
    int row = 2;
    HF_TRY(fill_names(sheet, study));
    for (int best = 0; best <= (rule->best > 0); best++)
        for (int k = 0; k < kinds; k++) {
            const hf_study_rule one = { hf_ensemble_name((hf_ensemble)k), rule->over, best ? rule->best : ALL };
            HF_TRY(add_rule(sheet, row++, study, &one));
        }
    sheet->rows = row;
    return HF_OK;
}

hf_status hf_study_ensembles(hf_study *study, const hf_study_rule *rule, const char *format, hf_text *out)
{
    hf_sheet sheet;
    hf_sheet_format *write;
    HF_TRY(hf_sheet_format_choose(&write, format));
    HF_TRY(hf_sheet_new(&sheet, 2 + 2 * HF_N_ENSEMBLES, 2 + study->n_columns));
    const int rows = sheet.rows;
    const hf_status status = fill_rules(&sheet, study, rule);
    if (status == HF_OK) write(out, &sheet);
    sheet.rows = rows;
    hf_sheet_free(&sheet);
    return status == HF_OK ? hf_text_check(out) : status;
}
