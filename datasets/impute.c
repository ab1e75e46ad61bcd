/* impute.c: iterative imputation.
 *
 * Every missing value starts as its column's median. A round visits the columns from the least to the most missing (of
 * equals, in column order), regresses each on all the others over the rows where it is known, and replaces its missing
 * values by what the regression says. Rounds end when no row changes by more than 1e-3 of the largest known value, in
 * sum over its columns. Columns without a missing value are regressed too: a later row may lack them. */
#include "impute.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double tolerance = 1e-3;

/* The training table on its way. */
typedef struct table {
    double *values; /* [rows,columns] */
    double *before; /* [rows,columns] as the round found them */
    bool *missing;  /* [rows,columns] */
    int *n_missing; /* [columns] */
    double *x, *y;  /* [rows,columns-1], [rows] of one regression */
    int rows, columns;
    double limit; /* of the change in a round that counts as none */
} table;

static size_t cell(const table *t, int row, int column)
{
    return (size_t)row * (size_t)t->columns + (size_t)column;
}

static void free_table(table *t)
{
    free(t->before);
    free(t->missing);
    free(t->n_missing);
    free(t->x);
    free(t->y);
}

static hf_status make_table(table *t)
{
    const size_t rows = (size_t)t->rows, columns = (size_t)t->columns;
    HF_TRY(hf_alloc(&t->before, rows * columns, sizeof *t->before, "the imputation"));
    HF_TRY(hf_alloc(&t->missing, rows * columns, sizeof *t->missing, "the imputation"));
    HF_TRY(hf_alloc(&t->n_missing, columns, sizeof *t->n_missing, "the imputation"));
    HF_TRY(hf_alloc(&t->x, rows * columns, sizeof *t->x, "the imputation"));
    HF_TRY(hf_alloc(&t->y, rows, sizeof *t->y, "the imputation"));
    for (int c = 0; c < t->columns; c++) {
        for (int i = 0; i < t->rows; i++) {
            const double value = t->values[cell(t, i, c)];
            t->missing[cell(t, i, c)] = isnan(value);
            t->n_missing[c] += isnan(value);
            if (fabs(value) > t->limit) t->limit = fabs(value);
        }
        if (t->n_missing[c] == t->rows)
            return hf_fail(HF_ERR_ARGUMENT, "column %d of those to impute: missing in all training rows", c + 1);
    }
    t->limit *= tolerance;
    return HF_OK;
}

/* The median of a column's known values, put where it has none. */
static double start_column(table *t, int column)
{
    int count = 0;
    for (int i = 0; i < t->rows; i++)
        if (!t->missing[cell(t, i, column)]) t->y[count++] = t->values[cell(t, i, column)];
    qsort(t->y, (size_t)count, sizeof *t->y, hf_compare_numbers);
    const double median = 0.5 * (t->y[(count - 1) / 2] + t->y[count / 2]);
    for (int i = 0; i < t->rows; i++)
        if (t->missing[cell(t, i, column)]) t->values[cell(t, i, column)] = median;
    return median;
}

/* A stable insertion sort: there are few columns, and those that miss equally many stay in their order. */
static void sort_columns(int *order, const table *t)
{
    for (int c = 0; c < t->columns; c++) {
        int at = c;
        for (; at > 0 && t->n_missing[order[at - 1]] > t->n_missing[c]; at--)
            order[at] = order[at - 1];
        order[at] = c;
    }
}

/* What a regression of `column` says about a row. */
static double predict(const double *weight, const double *row, int columns, int column)
{
    double sum = 0;
    for (int c = 0; c < columns; c++)
        if (c != column) sum += *weight++ * row[c];
    return sum + *weight;
}

static hf_status visit(double *weight, table *t, int column)
{
    const int others = t->columns - 1;
    int count = 0;
    for (int i = 0; i < t->rows; i++) {
        if (t->missing[cell(t, i, column)]) continue;
        double *x = t->x + (size_t)count * (size_t)others;
        t->y[count++] = t->values[cell(t, i, column)];
        for (int c = 0; c < t->columns; c++)
            if (c != column) *x++ = t->values[cell(t, i, c)];
    }
    HF_TRY(hf_ridge_fit(weight, t->x, t->y, count, others));
    for (int i = 0; i < t->rows; i++)
        if (t->missing[cell(t, i, column)])
            t->values[cell(t, i, column)] = predict(weight, &t->values[cell(t, i, 0)], t->columns, column);
    return HF_OK;
}

/* The largest sum of changes of one row. */
static double largest_change(const table *t)
{
    double largest = 0;
    for (int i = 0; i < t->rows; i++) {
        double sum = 0;
        for (int c = 0; c < t->columns; c++)
            sum += fabs(t->values[cell(t, i, c)] - t->before[cell(t, i, c)]);
        if (sum > largest) largest = sum;
    }
    return largest;
}

static hf_status run_rounds(hf_imputer *m, table *t)
{
    const size_t columns = (size_t)t->columns, cells = (size_t)t->rows * columns;
    while (m->rounds < HF_MAX_IMPUTE_ROUNDS && !m->settled) {
        memcpy(t->before, t->values, cells * sizeof *t->values);
        for (size_t k = 0; k < columns; k++)
            HF_TRY(visit(m->weight + ((size_t)m->rounds * columns + k) * columns, t, m->order[k]));
        m->rounds++;
        m->settled = largest_change(t) < t->limit;
        if ((size_t)m->rounds * columns * columns > HF_MAX_IMPUTE_NUMBERS)
            return hf_fail(HF_ERR_UNSUPPORTED, "imputing %d columns does not settle in %d rounds: impute fewer",
                           t->columns, m->rounds);
    }
    return HF_OK;
}

hf_status hf_imputer_new(hf_imputer **out, int columns, int rounds)
{
    hf_imputer *m;
    const size_t n = (size_t)columns;
    *out = NULL;
    if (columns < 2 || columns > HF_MAX_IMPUTED)
        return hf_fail(HF_ERR_UNSUPPORTED, "an imputation over %d columns, expected 2 to %d", columns,
                       (int)HF_MAX_IMPUTED);
    HF_TRY(hf_alloc(&m, 1, sizeof *m, "an imputer"));
    m->columns = columns;
    m->rounds = rounds;
    hf_status status = hf_alloc(&m->median, n, sizeof *m->median, "an imputer");
    if (status == HF_OK) status = hf_alloc(&m->order, n, sizeof *m->order, "an imputer");
    if (status == HF_OK) status = hf_alloc(&m->weight, (size_t)rounds * n * n, sizeof *m->weight, "an imputer");
    if (status != HF_OK) hf_imputer_free(&m);
    *out = m;
    return status;
}

hf_status hf_imputer_fit(hf_imputer **out, double *values, int rows, int columns)
{
    hf_status status;
    table t = { .values = values, .rows = rows, .columns = columns };
    hf_imputer *m = NULL;
    *out = NULL;
    HF_TRY_OUT(hf_imputer_new(&m, columns, HF_MAX_IMPUTE_ROUNDS));
    m->rounds = 0;
    HF_TRY_OUT(make_table(&t));
    for (int c = 0; c < columns; c++)
        m->median[c] = start_column(&t, c);
    sort_columns(m->order, &t);
    HF_TRY_OUT(run_rounds(m, &t));
    *out = m;
    m = NULL;
out:
    free_table(&t);
    hf_imputer_free(&m);
    return status;
}

void hf_imputer_fill(const hf_imputer *imputer, double *row)
{
    const hf_imputer *m = imputer;
    bool missing[HF_MAX_IMPUTED], any = false;
    for (int c = 0; c < m->columns; c++) {
        missing[c] = isnan(row[c]);
        any = any || missing[c];
        if (missing[c]) row[c] = m->median[c];
    }
    const double *weight = m->weight;
    for (int round = 0; any && round < m->rounds; round++)
        for (int k = 0; k < m->columns; k++, weight += m->columns)
            if (missing[m->order[k]]) row[m->order[k]] = predict(weight, row, m->columns, m->order[k]);
}

void hf_imputer_free(hf_imputer **imputer)
{
    if (!imputer || !*imputer) return;
    free((*imputer)->median);
    free((*imputer)->order);
    free((*imputer)->weight);
    free(*imputer);
    *imputer = NULL;
}
