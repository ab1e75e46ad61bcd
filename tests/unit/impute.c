/* Checks the imputer against scikit-learn (tests/golden/impute.tsv, by impute.py), and what must hold of it anyhow. */
#include "check.h"
#include "cohort.h"
#include "impute.h"

#include <stdlib.h>

enum { COLUMNS = 10, GIVEN = 3, FILLED = 3 + COLUMNS };

/* One case of the golden table. */
typedef struct golden {
    hf_table table;
    const char *name;
    int first, train, end, columns; /* rows of the table: train rows, then new ones */
} golden;

static double at(const golden *g, int row, int column)
{
    double value;
    CHECK_OK(hf_table_number(&value, &g->table, row, column));
    return value;
}

static bool next_case(golden *g)
{
    g->first = g->end;
    if (g->first == g->table.rows) return false;
    g->name = hf_table_cell(&g->table, g->first, 0);
    g->columns = (int)at(g, g->first, 2);
    for (g->train = g->first; strcmp(hf_table_cell(&g->table, g->train, 1), "train") == 0; g->train++)
        ;
    for (g->end = g->train; g->end < g->table.rows; g->end++)
        if (strcmp(hf_table_cell(&g->table, g->end, 0), g->name) != 0) break;
    return true;
}

/* Values of rows from..to-1 as they are given. */
static double *given(const golden *g, int from, int to)
{
    double *values = malloc(((size_t)(to - from) * (size_t)g->columns + 1) * sizeof *values);
    if (!values) exit(2);
    for (int row = from; row < to; row++)
        for (int c = 0; c < g->columns; c++)
            values[(row - from) * g->columns + c] = at(g, row, GIVEN + c);
    return values;
}

/* The largest difference from scikit-learn's values, relative to them where they are above 1. */
static double worst(const golden *g, const double *values, int from, int to)
{
    double most = 0;
    for (int row = from; row < to; row++)
        for (int c = 0; c < g->columns; c++) {
            const double right = at(g, row, FILLED + c), error = fabs(values[(row - from) * g->columns + c] - right);
            most = fmax(most, error / fmax(1, fabs(right)));
        }
    return most;
}

static void check_case(const golden *g)
{
    const int rows = g->train - g->first, fresh = g->end - g->train;
    double *values = given(g, g->first, g->train), *again = given(g, g->first, g->train);
    double *new_rows = given(g, g->train, g->end);
    hf_imputer *imputer;
    if (!CHECK_OK(hf_imputer_fit(&imputer, values, rows, g->columns))) exit(2);
    const double train_error = worst(g, values, g->first, g->train);
    for (int i = 0; i < fresh; i++)
        hf_imputer_fill(imputer, new_rows + i * g->columns);
    const double new_error = worst(g, new_rows, g->train, g->end);
    printf("%s: %d rows, %d columns, %d rounds: training rows within %.1e, new rows within %.1e\n", g->name, rows,
           g->columns, imputer->rounds, train_error, new_error);
    CHECK(train_error < 1e-6);
    CHECK(new_error < 1e-6);
    CHECK(imputer->settled);
    /* A training row that comes again gets the same bits. */
    for (int i = 0; i < rows; i++)
        hf_imputer_fill(imputer, again + i * g->columns);
    CHECK(memcmp(values, again, (size_t)rows * (size_t)g->columns * sizeof *values) == 0);
    hf_imputer_free(&imputer);
    free(values);
    free(again);
    free(new_rows);
}

static void test_golden(const char *path)
{
    golden g = { 0 };
    int cases = 0;
    if (!CHECK_OK(hf_table_read(&g.table, path))) return;
    for (; next_case(&g); cases++)
        check_case(&g);
    CHECK(cases == 4);
    hf_table_free(&g.table);
}

/* Exact linear relations are found, columns that depend on each other do no harm. */
static void test_ridge(void)
{
    enum { ROWS = 50, P = 3 };
    double x[ROWS * P], y[ROWS], weight[P + 1];
    for (int i = 0; i < ROWS; i++) {
        x[i * P] = hf_random_normal(1, 1, (uint64_t)i);
        x[i * P + 1] = i % 2;
        x[i * P + 2] = 1 - i % 2;
        y[i] = 2 * x[i * P] + 3 * x[i * P + 1] - 7;
    }
    if (!CHECK_OK(hf_ridge_fit(weight, x, y, ROWS, P))) return;
    CHECK_NEAR(weight[0], 2, 1e-4);
    CHECK_NEAR(weight[1] - weight[2], 3, 1e-4);
    CHECK_NEAR(weight[2] + weight[3], -7, 1e-4);
    for (int i = 0; i < ROWS; i++)
        y[i] = 4;
    CHECK_OK(hf_ridge_fit(weight, x, y, ROWS, P)); /* nothing to explain */
    CHECK_NEAR(weight[0], 0, 1e-9);
    CHECK_NEAR(weight[P], 4, 1e-9);
}

static void test_refused(void)
{
    double gone[] = { 1, NAN, 2, NAN, 3, NAN }, one[] = { 1, 2, NAN };
    hf_imputer *imputer;
    CHECK_STATUS(hf_imputer_fit(&imputer, gone, 3, 2), HF_ERR_ARGUMENT, "column 2 of those to impute: missing in all");
    CHECK(imputer == NULL);
    CHECK_STATUS(hf_imputer_fit(&imputer, one, 3, 1), HF_ERR_UNSUPPORTED, "over 1 columns, expected 2 to 64");
    hf_imputer_free(&imputer);
    hf_imputer_free(NULL);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "tests/golden/impute.tsv";
    test_golden(path);
    test_ridge();
    test_refused();
    return check_done("impute");
}
