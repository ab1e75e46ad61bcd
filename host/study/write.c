/* write.c: what a study found, as tables in its folder and for people. */
#include "metrics/significance.h"
#include "sheet.h"
#include "study.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

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

static void add_outcome(hf_text *out, const hf_study *study, const hf_outcome *outcome)
{
    const hf_member *m = &outcome->of;
    hf_text_add(out, "%s\t%" PRId64 "\t%d", m->place, m->seed, m->version);
    if (m->fold < 0)
        hf_text_add(out, "\tall");
    else
        hf_text_add(out, "\t%d", m->fold);
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
    if (status == HF_OK) status = hf_path_join(&path, folder, "predictions-test.tsv");
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

static hf_status spread_of(hf_spread *out, const hf_outcome *outcome, int count, int column)
{
    double *values;
    HF_TRY(hf_alloc(&values, (size_t)count, sizeof *values, "values of a metric"));
    for (int i = 0; i < count; i++)
        values[i] = outcome[i].test[column];
    *out = hf_spread_of(values, count);
    free(values);
    return HF_OK;
}

static hf_status set_spread(hf_sheet *sheet, int row, int column, const hf_spread *spread, int digits)
{
    if (isnan(spread->mean)) return hf_sheet_set(sheet, row, column, "-");
    if (isnan(spread->sd)) return hf_sheet_set(sheet, row, column, "%.*f", digits, spread->mean);
    return hf_sheet_set(sheet, row, column, "%.*f \xc2\xb1 %.*f", digits, spread->mean, digits, spread->sd);
}

static hf_status fill_row(hf_sheet *sheet, int row, const hf_study *study, const hf_outcome *outcome, int count)
{
    HF_TRY(hf_sheet_set(sheet, row, 1, "%d", count));
    for (int c = 0; c < study->n_columns; c++) {
        hf_spread spread;
        HF_TRY(spread_of(&spread, outcome, count, c));
        HF_TRY(set_spread(sheet, row, 2 + c, &spread, study->column[c].metric->digits));
    }
    return HF_OK;
}

static hf_status fill(hf_sheet *sheet, const hf_study *study)
{
    HF_TRY(hf_sheet_set(sheet, 0, 1, "n"));
    for (int c = 0; c < study->n_columns; c++)
        HF_TRY(hf_sheet_set(sheet, 0, 2 + c, "%s", study->column[c].label));
    HF_TRY(hf_sheet_set(sheet, 1, 0, "single models"));
    HF_TRY(fill_row(sheet, 1, study, study->model, study->n_models));
    HF_TRY(hf_sheet_set(sheet, 2, 0, "ensembles"));
    return fill_row(sheet, 2, study, study->ensemble, study->n_ensembles);
}

hf_status hf_study_text(const hf_study *study, hf_text *out)
{
    hf_sheet sheet;
    HF_TRY(hf_sheet_new(&sheet, 3, 2 + study->n_columns));
    const hf_status status = fill(&sheet, study);
    if (status == HF_OK) hf_sheet_format_find("text")(out, &sheet);
    hf_sheet_free(&sheet);
    return status == HF_OK ? hf_text_check(out) : status;
}
