/* strata.c: rows sorted into strata by columns of the table. */
#include "encoder.h"
#include "split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BIN_ROWS = 20,   /* rows a bin, over all binned columns, on average at least */
    FEW_NUMBERS = 10 /* a column with no more different numbers holds codes, not quantities */
};

/* One row's cell of the column under way. */
typedef struct cell {
    const char *text; /* NULL: missing */
    double number;
    int at; /* which row */
} cell;

static hf_status read_cells(cell *cells, const hf_cohort *cohort, const int *row, int count, int column)
{
    for (int i = 0; i < count; i++) {
        const char *text = hf_table_cell(&cohort->table, row[i], column);
        cells[i] = (cell){ text, NAN, i };
        if (text && !hf_text_number(&cells[i].number, text)) cells[i].number = NAN;
    }
    return HF_OK;
}

/* The known first, by number, then by place. */
static int compare_numbers(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    if (isnan(x->number) != isnan(y->number)) return isnan(x->number) ? 1 : -1;
    if (x->number != y->number && !isnan(x->number)) return x->number < y->number ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int compare_texts(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    if (!x->text != !y->text) return x->text ? -1 : 1;
    const int order = x->text ? strcmp(x->text, y->text) : 0;
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Whether the column holds quantities: only numbers, and many different ones. Sorts the cells by number. */
static bool is_quantity(cell *cells, int count)
{
    int different = 0;
    qsort(cells, (size_t)count, sizeof *cells, compare_numbers);
    for (int i = 0; i < count; i++) {
        if (cells[i].text && isnan(cells[i].number)) return false;
        different += !isnan(cells[i].number) && (i == 0 || cells[i].number != cells[i - 1].number);
    }
    return different > FEW_NUMBERS;
}

static void rank_texts(int *rank, cell *cells, int count)
{
    int at = 0;
    qsort(cells, (size_t)count, sizeof *cells, compare_texts);
    for (int i = 0; i < count; i++) {
        const bool same = i == 0 || (cells[i].text && strcmp(cells[i].text, cells[i - 1].text) == 0) ||
                          (!cells[i].text && !cells[i - 1].text);
        at += !same;
        rank[cells[i].at * HF_MAX_STRATA] = at;
    }
}

/* Quantile bins, `share` of the most that BIN_ROWS allows: its n-th root for n binned columns. */
static void rank_numbers(int *rank, cell *cells, int count, double share, double narrowest)
{
    int n = 0;
    qsort(cells, (size_t)count, sizeof *cells, compare_numbers);
    while (n < count && !isnan(cells[n].number))
        n++;
    const double range = n ? cells[n - 1].number - cells[0].number : 0;
    int bins = (int)floor(pow(n / BIN_ROWS, share) + 1e-9);
    if (narrowest > 0 && bins > range / narrowest) bins = (int)(range / narrowest);
    if (bins < 1) bins = 1;
    for (int i = 0; i < count; i++) {
        const bool tied = i > 0 && i < n && cells[i].number == cells[i - 1].number;
        const int bin = tied ? rank[cells[i - 1].at * HF_MAX_STRATA] : (int)((int64_t)i * bins / (n ? n : 1));
        rank[cells[i].at * HF_MAX_STRATA] = i < n ? bin : -1;
    }
}

/* By the categories of a spec. */
static hf_status rank_categories(int *rank, const cell *cells, int count, const hf_feature *f)
{
    for (int i = 0; i < count; i++) {
        const int found = cells[i].text ? hf_feature_category(f, cells[i].text) : f->n_categories;
        if (found < 0) return hf_feature_unseen(f, cells[i].text);
        rank[cells[i].at * HF_MAX_STRATA] = found;
    }
    return HF_OK;
}

/* The column of a stratum; *feature has categories when the spec names them. */
static hf_status find_column(int *column, hf_encoder *encoder, const hf_cohort *cohort, const char *spec)
{
    const char *what = "the stratified split";
    if (!strchr(spec, ':')) return hf_table_require(column, &cohort->table, spec, what);
    HF_TRY(hf_encoder_parse(encoder, &spec, 1));
    if (encoder->feature[0].encoding != HF_ONE_HOT || encoder->feature[0].n_categories == 0)
        return hf_fail(HF_ERR_ARGUMENT, "stratum '%s': expected COLUMN, or COLUMN:onehot(A,B=C|D)", spec);
    return hf_table_require(column, &cohort->table, encoder->feature[0].column, what);
}

static hf_status check_number_cells(const cell *cells, const hf_cohort *cohort, const int *row, int count, int column)
{
    for (int i = 0; i < count; i++) {
        double value;
        HF_TRY(hf_table_number(&value, &cohort->table, row[cells[i].at], column));
    }
    return HF_OK;
}

/* One pass over the columns: without ranks, to count the quantities; with them, to rank. */
static hf_status visit(int *rank, int *quantities, cell *cells, hf_encoder *encoder, const hf_cohort *cohort,
                       const int *row, int count, const hf_stratum *s, double share)
{
    int column;
    memset(encoder, 0, sizeof *encoder);
    HF_TRY(find_column(&column, encoder, cohort, s->spec));
    HF_TRY(read_cells(cells, cohort, row, count, column));
    if (s->kind == HF_STRATUM_NUMBER) HF_TRY(check_number_cells(cells, cohort, row, count, column));
    const bool given = encoder->n_features > 0;
    const bool numbers =
        s->kind == HF_STRATUM_NUMBER || (s->kind == HF_STRATUM_ANY && !given && is_quantity(cells, count));
    *quantities += numbers;
    if (!rank) return HF_OK;
    if (given) return rank_categories(rank, cells, count, &encoder->feature[0]);
    if (numbers)
        rank_numbers(rank, cells, count, share, s->narrowest);
    else
        rank_texts(rank, cells, count);
    return HF_OK;
}

hf_status hf_strata_rank(int *rank, const hf_cohort *cohort, const int *row, int count, const hf_stratum *strata,
                         int n_strata)
{
    hf_status status = HF_OK;
    cell *cells = NULL;
    hf_encoder *encoder = NULL;
    int quantities = 0, again = 0;
    memset(rank, 0, (size_t)count * HF_MAX_STRATA * sizeof *rank);
    HF_TRY_OUT(hf_alloc(&cells, (size_t)count, sizeof *cells, "the split"));
    HF_TRY_OUT(hf_alloc(&encoder, 1, sizeof *encoder, "the split"));
    for (int s = 0; s < n_strata; s++)
        HF_TRY_OUT(visit(NULL, &quantities, cells, encoder, cohort, row, count, &strata[s], 1));
    for (int s = 0; s < n_strata; s++)
        HF_TRY_OUT(
            visit(rank + s, &again, cells, encoder, cohort, row, count, &strata[s], quantities ? 1.0 / quantities : 1));
out:
    free(cells);
    free(encoder);
    return status;
}
