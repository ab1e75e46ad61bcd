/* scored.c: predictions as files, and judged: for everybody and for each group, with intervals, beside guessing. */
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROUP_VALUES = 16 }; /* of one column; more are not groups */

/* ---- predictions ------------------------------------------------------------------------------------------------- */

static void free_texts(char **text, size_t count)
{
    for (size_t i = 0; text && i < count; i++)
        free(text[i]);
    free(text);
}

void hf_predictions_free(hf_predictions *predictions)
{
    if (!predictions) return;
    const size_t count = (size_t)predictions->count, groups = (size_t)predictions->n_groups;
    free_texts(predictions->id, count);
    free_texts(predictions->group, count * groups);
    free_texts(predictions->group_name, groups);
    free(predictions->truth);
    free(predictions->predicted);
    free(predictions->index);
    free(predictions->seen);
    for (int i = 0; i < predictions->n_left_out; i++) {
        free(predictions->left_out[i].id);
        free(predictions->left_out[i].why);
    }
    free(predictions->left_out);
    *predictions = (hf_predictions){ 0 };
}

static hf_status make_room(hf_predictions *out)
{
    const size_t n = (size_t)out->count, groups = (size_t)out->n_groups;
    HF_TRY(hf_alloc(&out->id, n, sizeof *out->id, "predictions"));
    HF_TRY(hf_alloc(&out->group, n * groups + 1, sizeof *out->group, "predictions"));
    HF_TRY(hf_alloc(&out->group_name, groups + 1, sizeof *out->group_name, "predictions"));
    HF_TRY(hf_alloc(&out->truth, n * (size_t)out->target.T, sizeof *out->truth, "predictions"));
    HF_TRY(hf_alloc(&out->predicted, n * (size_t)out->target.P, sizeof *out->predicted, "predictions"));
    return hf_alloc(&out->index, n, sizeof *out->index, "predictions");
}

hf_status hf_predictions_new(hf_predictions *out, const hf_target *target, int count, int n_groups)
{
    *out = (hf_predictions){ .target = *target, .count = count, .n_groups = n_groups, .margin = NAN };
    if (target->n_classes) out->target.T = 1;
    const hf_status status = make_room(out);
    if (status == HF_OK) return HF_OK;
    out->count = out->n_groups = 0; /* no text is set yet */
    hf_predictions_free(out);
    return status;
}

/* Subject `from` takes place `to`, which is free. */
static void move_subject(hf_predictions *p, int to, int from)
{
    const size_t T = (size_t)p->target.T, P = (size_t)p->target.P, G = (size_t)p->n_groups;
    const size_t a = (size_t)to, b = (size_t)from;
    p->id[a] = p->id[b];
    p->index[a] = p->index[b];
    if (p->seen) p->seen[a] = p->seen[b];
    memcpy(p->group + a * G, p->group + b * G, G * sizeof *p->group);
    memcpy(p->truth + a * T, p->truth + b * T, T * sizeof *p->truth);
    memcpy(p->predicted + a * P, p->predicted + b * P, P * sizeof *p->predicted);
}

void hf_predictions_keep(hf_predictions *predictions, const bool *keep)
{
    hf_predictions *p = predictions;
    int kept = 0;
    for (int i = 0; i < p->count; i++) {
        if (keep[i]) {
            if (kept < i) move_subject(p, kept, i);
            kept++;
            continue;
        }
        free(p->id[i]);
        for (int g = 0; g < p->n_groups; g++)
            free(p->group[i * p->n_groups + g]);
    }
    p->count = kept;
}

hf_status hf_predictions_text(const hf_predictions *predictions, hf_text *out)
{
    const hf_predictions *p = predictions;
    const hf_target *t = &p->target;
    hf_text_add(out, "participant_id\t");
    for (int g = 0; g < p->n_groups; g++)
        hf_text_add(out, "%s\t", p->group_name[g]);
    t->goal->columns(out, t);
    if (!isnan(p->margin)) hf_text_add(out, "\tlow_%d\thigh_%d", HF_INTERVAL_PERCENT, HF_INTERVAL_PERCENT);
    hf_text_add(out, "\n");
    for (int i = 0; i < p->count; i++) {
        hf_table_add_cell(out, p->id[i]);
        hf_text_add(out, "\t");
        for (int g = 0; g < p->n_groups; g++) {
            hf_table_add_cell(out, p->group[i * p->n_groups + g]);
            hf_text_add(out, "\t");
        }
        t->goal->cells(out, t, p->truth + i * t->T, p->predicted + i * t->P);
        for (int side = -1; !isnan(p->margin) && side <= 1; side += 2) {
            hf_text_add(out, "\t");
            hf_add_single(out, p->predicted[i * t->P] + side * p->margin);
        }
        hf_text_add(out, "\n");
    }
    return hf_text_check(out);
}

hf_status hf_predictions_write(const hf_predictions *predictions, const char *path)
{
    hf_text text = { 0 };
    hf_status status = hf_predictions_text(predictions, &text);
    if (status == HF_OK) status = hf_file_write(path, text.data, text.size);
    hf_text_free(&text);
    return status;
}

static hf_status read_row(hf_predictions *p, const hf_table *table, int row)
{
    const hf_target *t = &p->target;
    char *const *cell = table->cell + (size_t)row * (size_t)table->columns;
    if (!cell[0]) return hf_fail(HF_ERR_FORMAT, "'%s', line %d: no participant_id", table->path, table->line[row]);
    HF_TRY(hf_strdup(&p->id[row], cell[0]));
    for (int g = 0; g < p->n_groups; g++)
        if (cell[1 + g]) HF_TRY(hf_strdup(&p->group[row * p->n_groups + g], cell[1 + g]));
    p->index[row] = -1;
    return t->goal->read(p->truth + row * t->T, p->predicted + row * t->P, t, table, row);
}

static hf_status read_table(hf_predictions *out, const hf_target *target, const hf_table *table)
{
    const int groups = hf_table_column(table, target->column) - 1;
    if (hf_table_column(table, "participant_id") != 0 || groups < 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': the columns participant_id and %s are expected", table->path,
                       target->column);
    HF_TRY(hf_predictions_new(out, target, table->rows, groups));
    for (int g = 0; g < groups; g++)
        HF_TRY(hf_strdup(&out->group_name[g], table->name[1 + g]));
    for (int row = 0; row < table->rows; row++)
        HF_TRY(read_row(out, table, row));
    return HF_OK;
}

hf_status hf_predictions_read(hf_predictions *out, const hf_target *target, const char *path)
{
    hf_table table = { 0 };
    hf_predictions read = { 0 };
    HF_TRY(hf_table_read(&table, path));
    const hf_status status = read_table(&read, target, &table);
    hf_table_free(&table);
    if (status == HF_OK)
        *out = read;
    else
        hf_predictions_free(&read);
    return status;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* A place in a list of predictions, to be sorted by id. */
typedef struct place {
    const char *id;
    int at;
} place;

static int by_id(const void *a, const void *b)
{
    const place *x = a, *y = b;
    const int order = strcmp(x->id, y->id);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

hf_scored hf_predictions_scored(const hf_predictions *predictions)
{
    const hf_predictions *p = predictions;
    return (hf_scored){ p->count, p->target.T, p->target.P, p->truth, p->predicted };
}

hf_status hf_predictions_known(int *index, int *n, const hf_predictions *predictions)
{
    const hf_predictions *p = predictions;
    place *places;
    *n = 0;
    HF_TRY(hf_alloc(&places, (size_t)p->count, sizeof *places, "subjects"));
    for (int i = 0; i < p->count; i++)
        if (!isnan(p->truth[i * p->target.T])) places[(*n)++] = (place){ p->id[i], i };
    qsort(places, (size_t)*n, sizeof *places, by_id);
    for (int i = 0; i < *n; i++)
        index[i] = places[i].at;
    free(places);
    return HF_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The values of a group column among the subjects index[n], sorted; returns how many. */
static int group_values(const char *value[MAX_GROUP_VALUES], const hf_predictions *p, int group, const int *index,
                        int n)
{
    int values = 0;
    for (int i = 0; i < n; i++) {
        const char *text = p->group[index[i] * p->n_groups + group];
        int known = 0;
        while (text && known < values && strcmp(value[known], text) != 0)
            known++;
        if (text && known == values && values < MAX_GROUP_VALUES) value[values++] = text;
    }
    qsort(value, (size_t)values, sizeof *value, by_text);
    return values;
}

/* The same constant prediction for everybody. */
static hf_status baseline_scores(hf_score_row *row, const hf_scores *scores, const hf_predictions *p, double *constant,
                                 const int *index, int n)
{
    const hf_target *t = &p->target;
    const hf_scored s = { p->count, t->T, t->P, p->truth, constant };
    for (int b = 0; b < scores->n_baselines; b++) {
        for (int i = 0; i < p->count * t->P; i++)
            constant[i] = t->baseline[b][i % t->P];
        for (int c = 0; c < scores->n_columns; c++)
            HF_TRY(hf_metric_of(&row->baseline[b][c], scores->column[c].metric, scores->column[c].k, &s, index, n));
    }
    return HF_OK;
}

static hf_status score_row(hf_scores *scores, const hf_predictions *p, const char *column, const char *value,
                           const int *index, int n, double *constant)
{
    hf_score_row *row = &scores->row[scores->n_rows++];
    const hf_scored s = hf_predictions_scored(p);
    *row = (hf_score_row){ .column = column, .value = value, .count = n };
    for (int c = 0; c < scores->n_columns; c++)
        HF_TRY(hf_metric_interval(&row->of[c], scores->column[c].metric, scores->column[c].k, &s, index, n,
                                  &p->bootstrap));
    return baseline_scores(row, scores, p, constant, index, n);
}

static hf_status score_groups(hf_scores *scores, const hf_predictions *p, int group, const int *index, int n,
                              int *members, double *constant)
{
    const char *value[MAX_GROUP_VALUES];
    const int values = group_values(value, p, group, index, n);
    for (int v = 0; v < values; v++) {
        int count = 0;
        for (int i = 0; i < n; i++) {
            const char *text = p->group[index[i] * p->n_groups + group];
            if (text && strcmp(text, value[v]) == 0) members[count++] = index[i];
        }
        HF_TRY(score_row(scores, p, p->group_name[group], value[v], members, count, constant));
    }
    return HF_OK;
}

const char HF_SEEN[] = "seen in training", HF_NEW[] = "new";

/* Who was seen in training, or who was not. */
static hf_status score_seen(hf_scores *scores, const hf_predictions *p, bool seen, const int *index, int n,
                            int *members, double *constant)
{
    int count = 0;
    for (int i = 0; i < n; i++)
        if (p->seen[index[i]] == seen) members[count++] = index[i];
    return count ? score_row(scores, p, NULL, seen ? HF_SEEN : HF_NEW, members, count, constant) : HF_OK;
}

static hf_status make_scores(hf_scores *out, const hf_predictions *p, int *index, double *constant)
{
    int n, *members = index + p->count;
    HF_TRY(hf_predictions_known(index, &n, p));
    if (n == 0) return hf_fail(HF_ERR_ARGUMENT, "none of the %d subjects has a known '%s'", p->count, p->target.column);
    HF_TRY(score_row(out, p, NULL, NULL, index, n, constant));
    for (int seen = 1; p->seen && seen >= 0; seen--)
        HF_TRY(score_seen(out, p, seen, index, n, members, constant));
    for (int g = 0; g < p->n_groups; g++)
        HF_TRY(score_groups(out, p, g, index, n, members, constant));
    return HF_OK;
}

hf_status hf_scores_make(hf_scores *out, const hf_predictions *predictions)
{
    hf_status status;
    const hf_target *t = &predictions->target;
    const size_t n = (size_t)predictions->count, rows = 3 + (size_t)predictions->n_groups * MAX_GROUP_VALUES;
    int *index = NULL;       /* [2,count]: everybody, then one group */
    double *constant = NULL; /* [count,P] */
    hf_scores made = { .n_columns = hf_target_columns(made.column, t), .select = hf_target_select(t) };
    while (made.n_baselines < HF_MAX_BASELINES && t->goal->baselines[made.n_baselines])
        made.n_baselines++;
    HF_TRY_OUT(hf_alloc(&made.row, rows, sizeof *made.row, "scores"));
    HF_TRY_OUT(hf_alloc(&index, 2 * n, sizeof *index, "scores"));
    HF_TRY_OUT(hf_alloc(&constant, n * (size_t)t->P, sizeof *constant, "scores"));
    HF_TRY_OUT(make_scores(&made, predictions, index, constant));
    *out = made;
    made.row = NULL;
out:
    hf_scores_free(&made);
    free(index);
    free(constant);
    return status;
}

void hf_scores_free(hf_scores *scores)
{
    free(scores->row);
    scores->row = NULL;
    scores->n_rows = 0;
}
