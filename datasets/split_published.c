/* split_published.c: the splitter of the published study, bit for bit.
 *
 * The subjects' indices are shuffled as numpy.random.shuffle does after numpy.random.seed(seed): MT19937, seeded by one
 * integer, Fisher-Yates from the end, each place drawn by masking 32 bits and rejecting what is too large. Ages fall
 * into 20 equal bins between the lowest and the highest, closed on the right; a missing age counts as the median of all.
 * Cells are visited in the order in which their strata first occur in the shuffled list, the first column outermost,
 * ages rising innermost; their subjects go in shuffled order to folds 0 to 4 in turn, one pointer running over all cells.
 * Fold 4 tests, fold `fold` validates, the other three train. */
#include "split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 5, BINS = 20, STATE = 624, SHIFT = 397 };

/* ---- the generator (Matsumoto and Nishimura 1998) ---------------------------------------------------------------- */

typedef struct mt19937 {
    uint32_t state[STATE];
    int used;
} mt19937;

static void mt_seed(mt19937 *mt, uint32_t seed)
{
    mt->state[0] = seed;
    for (uint32_t i = 1; i < STATE; i++)
        mt->state[i] = 1812433253u * (mt->state[i - 1] ^ (mt->state[i - 1] >> 30)) + i;
    mt->used = STATE;
}

static void mt_refill(mt19937 *mt)
{
    uint32_t *s = mt->state;
    for (int i = 0; i < STATE; i++) {
        const uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % STATE] & 0x7fffffffu);
        s[i] = s[(i + SHIFT) % STATE] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    mt->used = 0;
}

static uint32_t mt_next(mt19937 *mt)
{
    if (mt->used == STATE) mt_refill(mt);
    uint32_t y = mt->state[mt->used++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* Uniform in 0..most. */
static uint32_t mt_below(mt19937 *mt, uint32_t most)
{
    uint32_t mask = most, value;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do
        value = mt_next(mt) & mask;
    while (value > most);
    return value;
}

void hf_shuffle_published(uint32_t *order, uint32_t count, uint32_t seed)
{
    mt19937 mt;
    mt_seed(&mt, seed);
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i-- > 1;) {
        const uint32_t k = mt_below(&mt, i), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

typedef struct dealt {
    int key[HF_MAX_STRATA + 1]; /* strata by first occurrence, then the age bin */
    int position;               /* in the shuffled list */
    int subject;
} dealt;

static int compare_dealt(const void *a, const void *b)
{
    const dealt *x = a, *y = b;
    for (int s = 0; s <= HF_MAX_STRATA; s++)
        if (x->key[s] != y->key[s]) return x->key[s] < y->key[s] ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

/* Ages of all subjects; a missing one becomes the median. `sorted` is scratch of the same size. */
static hf_status read_ages(double *age, double *sorted, const hf_cohort *cohort, const char *column_name)
{
    int column, known = 0;
    HF_TRY(hf_table_require(&column, &cohort->table, column_name, "the published split"));
    for (int i = 0; i < cohort->n_subjects; i++) {
        HF_TRY(hf_table_number(&age[i], &cohort->table, cohort->subject[i].row, column));
        if (!isnan(age[i])) sorted[known++] = age[i];
    }
    if (known == 0) return hf_fail(HF_ERR_ARGUMENT, "'%s': no age is known in '%s'", cohort->table.path, column_name);
    qsort(sorted, (size_t)known, sizeof *sorted, hf_compare_numbers);
    const double median = 0.5 * (sorted[(known - 1) / 2] + sorted[known / 2]);
    for (int i = 0; i < cohort->n_subjects; i++)
        if (isnan(age[i])) age[i] = median;
    return HF_OK;
}

/* Bins as numpy.linspace and pandas.cut make them; the lowest edge lies 0.1 % of the range below the lowest age. */
static void bin_ages(dealt *list, const double *age, int count)
{
    double low = INFINITY, high = -INFINITY, edge[BINS + 1];
    for (int i = 0; i < count; i++) {
        low = fmin(low, age[i]);
        high = fmax(high, age[i]);
    }
    for (int b = 0; b <= BINS; b++)
        edge[b] = b * ((high - low) / BINS) + low;
    edge[BINS] = high;
    for (int i = 0; i < count; i++) {
        int bin = 0;
        while (bin < BINS - 1 && age[list[i].subject] > edge[bin + 1])
            bin++;
        list[i].key[HF_MAX_STRATA] = bin;
    }
}

/* Replaces the ranks of one stratum by the order in which they first occur. list[count] is in shuffled order. */
static hf_status order_stratum(dealt *list, int count, int stratum)
{
    int *first, most = 0, seen = 0;
    for (int i = 0; i < count; i++)
        if (list[i].key[stratum] > most) most = list[i].key[stratum];
    HF_TRY(hf_alloc(&first, (size_t)most + 1, sizeof *first, "the split"));
    for (int i = 0; i < count; i++) {
        int *place = &first[list[i].key[stratum]];
        if (*place == 0) *place = ++seen;
        list[i].key[stratum] = *place;
    }
    free(first);
    return HF_OK;
}

/* The columns that cells are made of, besides age. */
static int find_strata(hf_stratum *strata, const hf_cohort *cohort, const hf_split_options *options)
{
    const char *sex = options->sex_column ? options->sex_column : "sex";
    int n = 0;
    for (; n < options->n_strata && n < HF_MAX_STRATA; n++)
        strata[n] = (hf_stratum){ .spec = options->strata[n], .kind = HF_STRATUM_TEXT };
    if (n == 0 && (options->sex_column || hf_table_column(&cohort->table, sex) >= 0))
        strata[n++] = (hf_stratum){ .spec = sex, .kind = HF_STRATUM_TEXT };
    return n;
}

static hf_status make_cells(dealt *list, const hf_cohort *cohort, const hf_split_options *options)
{
    hf_status status;
    const int count = cohort->n_subjects;
    int *row = NULL, *rank = NULL;
    double *age = NULL, *sorted = NULL;
    hf_stratum strata[HF_MAX_STRATA] = { { 0 } };
    const int n = find_strata(strata, cohort, options);
    HF_TRY_OUT(hf_alloc(&row, (size_t)count, sizeof *row, "the split"));
    HF_TRY_OUT(hf_alloc(&rank, (size_t)count * HF_MAX_STRATA, sizeof *rank, "the split"));
    HF_TRY_OUT(hf_alloc(&age, (size_t)count, sizeof *age, "the split"));
    HF_TRY_OUT(hf_alloc(&sorted, (size_t)count, sizeof *sorted, "the split"));
    for (int i = 0; i < count; i++)
        row[i] = cohort->subject[i].row;
    HF_TRY_OUT(hf_strata_rank(rank, cohort, row, count, strata, n));
    for (int i = 0; i < count; i++)
        memcpy(list[i].key, rank + (size_t)list[i].subject * HF_MAX_STRATA, HF_MAX_STRATA * sizeof *rank);
    for (int s = 0; s < n; s++)
        HF_TRY_OUT(order_stratum(list, count, s));
    HF_TRY_OUT(read_ages(age, sorted, cohort, options->age_column ? options->age_column : "age"));
    bin_ages(list, age, count);
out:
    free(row);
    free(rank);
    free(age);
    free(sorted);
    return status;
}

hf_status hf_split_published(hf_part *part, const hf_cohort *cohort, const hf_split_options *options)
{
    hf_status status;
    const int count = cohort->n_subjects, fold = options->fold;
    uint32_t *order = NULL;
    dealt *list = NULL;
    if (fold < 0 || fold >= FOLDS - 1)
        return hf_fail(HF_ERR_ARGUMENT, "split fold %d: the published split validates on one of the folds 0 to %d",
                       fold, FOLDS - 2);
    if (options->seed > UINT32_MAX)
        return hf_fail(HF_ERR_ARGUMENT, "split seed %llu: the published split takes 0 to %llu",
                       (unsigned long long)options->seed, (unsigned long long)UINT32_MAX);
    HF_TRY_OUT(hf_alloc(&order, (size_t)count, sizeof *order, "the split"));
    HF_TRY_OUT(hf_alloc(&list, (size_t)count, sizeof *list, "the split"));
    hf_shuffle_published(order, (uint32_t)count, (uint32_t)options->seed);
    for (int i = 0; i < count; i++)
        list[i] = (dealt){ .position = i, .subject = (int)order[i] };
    HF_TRY_OUT(make_cells(list, cohort, options));
    qsort(list, (size_t)count, sizeof *list, compare_dealt);
    for (int i = 0; i < count; i++) {
        const int to = i % FOLDS;
        part[list[i].subject] = to == FOLDS - 1 ? HF_TEST : to == fold ? HF_VALID : HF_TRAIN;
    }
out:
    free(order);
    free(list);
    return status;
}
