/* scores.c: predictions judged for people and for programs: a goal's metrics with intervals, for all and for each group,
 * beside what guessing would give. */
#include "scores.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_CELLS = 20, CELLS = 9 };

static void print_cell(double value, int digits)
{
    if (isfinite(value))
        printf("  %*.*f", CELLS, digits, value);
    else
        printf("  %*s", CELLS, "-");
}

static void print_row(const hf_scores *scores, const hf_score_row *row, const char *name)
{
    const hf_interval *select = &row->of[scores->select];
    printf("  %-*s %5d", NAME_CELLS, name, row->count);
    print_cell(select->value, 3);
    printf("  %7.3f to %-7.3f", select->low, select->high);
    for (int c = 0; c < scores->n_columns; c++)
        if (c != scores->select) print_cell(row->of[c].value, scores->column[c].metric->digits);
    printf("\n");
}

static void print_baseline(const hf_scores *scores, int b, const char *name)
{
    const double *value = scores->row[0].baseline[b];
    printf("  %-*s %5d", NAME_CELLS, name, scores->row[0].count);
    print_cell(value[scores->select], 3);
    printf("  %18s", "");
    for (int c = 0; c < scores->n_columns; c++)
        if (c != scores->select) print_cell(value[c], scores->column[c].metric->digits);
    printf("\n");
}

void cli_scores_print(const hf_scores *scores, const hf_predictions *predictions, const char *part)
{
    char name[NAME_CELLS + 1];
    printf("%s\n  %-*s %5s  %*s  %18s", part, NAME_CELLS, "", "n", CELLS, scores->column[scores->select].label,
           "95 % interval");
    for (int c = 0; c < scores->n_columns; c++)
        if (c != scores->select) printf("  %*s", CELLS, scores->column[c].label);
    printf("\n");
    for (int i = 0; i < scores->n_rows; i++) {
        const hf_score_row *row = &scores->row[i];
        snprintf(name, sizeof name, "%s%s%s", row->column ? row->column : "", row->column ? " " : "",
                 row->value ? row->value : "all");
        print_row(scores, row, name);
    }
    for (int b = 0; b < scores->n_baselines; b++)
        print_baseline(scores, b, predictions->target.goal->baselines[b]);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *row_json(const hf_scores *scores, const hf_score_row *row)
{
    char name[96];
    json_t *json = json_pack("{si}", "n", row->count);
    for (int c = 0; c < scores->n_columns; c++) {
        const hf_interval *of = &row->of[c];
        json_object_set_new(json, scores->column[c].name, number(of->value));
        snprintf(name, sizeof name, "%s_low", scores->column[c].name);
        json_object_set_new(json, name, number(of->low));
        snprintf(name, sizeof name, "%s_high", scores->column[c].name);
        json_object_set_new(json, name, number(of->high));
    }
    return json;
}

/* {"sex": {"F": {...}, "M": {...}}, ...} */
static json_t *groups_json(const hf_scores *scores)
{
    json_t *groups = json_object();
    for (int i = 1; i < scores->n_rows; i++) {
        const hf_score_row *row = &scores->row[i];
        if (!row->column) continue;
        if (!json_object_get(groups, row->column)) json_object_set_new(groups, row->column, json_object());
        json_object_set_new(json_object_get(groups, row->column), row->value, row_json(scores, row));
    }
    return groups;
}

/* Null where there is none of them. */
static json_t *named_json(const hf_scores *scores, const char *value)
{
    for (int i = 1; i < scores->n_rows; i++)
        if (!scores->row[i].column && strcmp(scores->row[i].value, value) == 0)
            return row_json(scores, &scores->row[i]);
    return json_null();
}

static json_t *baselines_json(const hf_scores *scores, const hf_predictions *predictions)
{
    json_t *all = json_object();
    for (int b = 0; b < scores->n_baselines; b++) {
        json_t *one = json_object();
        for (int c = 0; c < scores->n_columns; c++)
            json_object_set_new(one, scores->column[c].name, number(scores->row[0].baseline[b][c]));
        json_object_set_new(all, predictions->target.goal->baselines[b], one);
    }
    return all;
}

json_t *cli_scores_json(const hf_scores *scores, const hf_predictions *predictions, const char *part)
{
    json_t *json = row_json(scores, &scores->row[0]);
    json_object_set_new(json, "part", json_string(part));
    json_object_set_new(json, "goal", json_string(predictions->target.goal->name));
    json_object_set_new(json, "target", json_string(predictions->target.column));
    if (predictions->seen) {
        json_object_set_new(json, "seen_in_training", named_json(scores, HF_SEEN));
        json_object_set_new(json, "new", named_json(scores, HF_NEW));
        json_object_set_new(json, "left_out", cli_left_out_json(predictions));
    }
    json_object_set_new(json, "groups", groups_json(scores));
    json_object_set_new(json, "baselines", baselines_json(scores, predictions));
    return json;
}
