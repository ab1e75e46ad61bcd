/* check_rows.c: what training and predicting would say about each subject's row of the table.
 *
 * A row is encoded for trial; what the encoder refuses, and a target that is no number, leaves the subject out. Values
 * that are allowed but strange are flagged: outside the range that the training rows had, or beyond what the quantity
 * can be. The latter is a table of columns that clinical studies share; any other number is only asked to be of a size
 * that something measured can have. */
#include "encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *column;
    double low, high;
} plausible[] = {
    { "age", 0, 120 }, { "age_at_scan", 0, 120 }, { "mmse", 0, 30 },     { "moca", 0, 30 },
    { "cdr", 0, 3 },   { "education", 0, 40 },    { "pteducat", 0, 40 }, { "educ", 0, 40 },
    { "apoe4", 0, 2 }, { "height", 0, 300 },      { "weight", 0, 700 },  { "handedness", -100, 100 },
};
static const double largest_measured = 1e12;

/* What can stand in a column. */
static void find_limits(double *low, double *high, const char *column)
{
    *low = -largest_measured;
    *high = largest_measured;
    for (size_t i = 0; i < sizeof plausible / sizeof plausible[0]; i++)
        if (strcasecmp(plausible[i].column, column) == 0) {
            *low = plausible[i].low;
            *high = plausible[i].high;
        }
}

/* Flags numbers that nobody has in one column. */
static hf_status check_column(hf_cohort *cohort, int column)
{
    const hf_table *table = &cohort->table;
    double low, high, value;
    find_limits(&low, &high, table->name[column]);
    for (int i = 0; i < cohort->n_subjects; i++) {
        const int row = cohort->subject[i].row;
        const char *text = hf_table_cell(table, row, column);
        if (column == cohort->id_column || !text || !hf_text_number(&value, text)) continue;
        if (value >= low && value <= high) continue;
        HF_TRY(hf_cohort_problem(cohort, false, cohort->subject[i].id,
                                 "line %d: '%.40s' in column '%s' is implausible: %g to %g is expected",
                                 table->line[row], text, table->name[column], low, high));
    }
    return HF_OK;
}

static hf_status check_target(hf_cohort *cohort, int index, int column, const hf_rows_check *what)
{
    const hf_table *table = &cohort->table;
    const int row = cohort->subject[index].row;
    const char *text = hf_table_cell(table, row, column), *id = cohort->subject[index].id;
    double value;
    int found;
    if (!text)
        return hf_cohort_problem(cohort, true, id, "line %d: no %s, which is the target", table->line[row],
                                 table->name[column]);
    const hf_status status = what->n_labels ? hf_table_class(&found, table, row, column, what->labels, what->n_labels)
                                            : hf_table_number(&value, table, row, column);
    return status == HF_OK ? HF_OK : hf_cohort_problem(cohort, true, id, "%s", hf_error_message());
}

static hf_status check_event(hf_cohort *cohort, int index, int time, int event)
{
    const hf_table *table = &cohort->table;
    const int row = cohort->subject[index].row, line = table->line[row];
    const char *id = cohort->subject[index].id;
    double at, came;
    if (hf_table_number(&at, table, row, time) == HF_OK && at < 0)
        HF_TRY(hf_cohort_problem(cohort, true, id, "line %d: %g in column '%s', expected a time of at least 0", line,
                                 at, table->name[time]));
    if (!hf_table_cell(table, row, event))
        return hf_cohort_problem(cohort, true, id, "line %d: no %s, which is the target", line, table->name[event]);
    if (hf_table_number(&came, table, row, event) == HF_OK && (came == 0 || came == 1)) return HF_OK;
    return hf_cohort_problem(cohort, true, id, "line %d: '%.40s' in column '%s', expected 1 (event) or 0", line,
                             hf_table_cell(table, row, event), table->name[event]);
}

static hf_status check_row(hf_cohort *cohort, int index, const hf_encoder *encoder)
{
    hf_outside outside[HF_MAX_FEATURES];
    const char *id = cohort->subject[index].id;
    const hf_status status = hf_encoder_try(encoder, cohort, index);
    if (status == HF_ERR_MEMORY) return status;
    if (status != HF_OK) return hf_cohort_problem(cohort, true, id, "%s", hf_error_message());
    const int count = hf_encoder_outside(outside, encoder, cohort, index);
    for (int k = 0; k < count; k++)
        HF_TRY(hf_cohort_problem(cohort, false, id, "line %d: %g in column '%s' is outside the training range %g to %g",
                                 cohort->table.line[cohort->subject[index].row], outside[k].value, outside[k].column,
                                 outside[k].low, outside[k].high));
    return HF_OK;
}

hf_status hf_cohort_check_rows(hf_cohort *cohort, const hf_rows_check *what)
{
    const hf_encoder *encoder = what->encoder;
    int target = -1, event = -1;
    if (what->event) HF_TRY(hf_table_require(&event, &cohort->table, what->event, "the event"));
    if (what->target) HF_TRY(hf_table_require(&target, &cohort->table, what->target, "the target"));
    for (int k = 0; encoder && k < encoder->n_features; k++) {
        int column;
        HF_TRY(hf_table_require(&column, &cohort->table, encoder->feature[k].column, "the tabular input"));
    }
    for (int column = 0; column < cohort->table.columns; column++)
        HF_TRY(check_column(cohort, column));
    for (int i = 0; i < cohort->n_subjects; i++) {
        if (target >= 0) HF_TRY(check_target(cohort, i, target, what));
        if (event >= 0) HF_TRY(check_event(cohort, i, target, event));
        if (encoder) HF_TRY(check_row(cohort, i, encoder));
    }
    return HF_OK;
}
