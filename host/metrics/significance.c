/* significance.c: Mann and Whitney's rank test and Holm's correction.
 *
 * The exact distribution counts the arrangements of n_a and n_b values with each U, by the recurrence
 * f(n, m, u) = f(n - 1, m, u - m) + f(n, m - 1, u) (Mann and Whitney 1947), as probabilities: no number overflows. */
#include "significance.h"

#include <math.h>
#include <stdlib.h>

enum { EXACT_UP_TO = 8 };

hf_spread hf_spread_of(const double *values, int count)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    const double mean = count > 0 ? sum / count : NAN;
    for (int i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    return (hf_spread){ mean, count > 1 ? sqrt(squares / (count - 1)) : NAN };
}

/* ---- ranks ------------------------------------------------------------------------------------------------------- */

typedef struct ranked {
    double value;
    bool first; /* of the first sample */
} ranked;

static int by_value(const void *a, const void *b)
{
    return hf_compare_numbers(&((const ranked *)a)->value, &((const ranked *)b)->value);
}

/* The sum of ranks of the first sample, equal values sharing the mean of their ranks; *ties is the sum of t^3 - t over
 * groups of t equal values. */
static double rank_sum(double *ties, const ranked *sorted, int count)
{
    double sum = 0;
    *ties = 0;
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && sorted[end].value == sorted[i].value;)
            end++;
        const double t = end - i, rank = 0.5 * (i + 1 + end);
        for (int k = i; k < end; k++)
            sum += sorted[k].first ? rank : 0;
        *ties += t * t * t - t;
    }
    return sum;
}

static hf_status put(ranked *out, const double *values, int count, bool first)
{
    for (int i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            return hf_fail(HF_ERR_NUMBER, "rank test: value %d of the %s sample is %g, expected a finite number", i,
                           first ? "first" : "second", values[i]);
        out[i] = (ranked){ values[i], first };
    }
    return HF_OK;
}

/* ---- distributions of U ------------------------------------------------------------------------------------------ */

/* P(U >= u) with all arrangements equally likely. table[m][v]: probability of v for the n values so far and m. The next
 * value of the first sample, or of the second, is the largest of all with probability n/(n+m), m/(n+m). */
static hf_status exact_tail(double *out, int n_a, int n_b, double u)
{
    const size_t width = (size_t)n_a * (size_t)n_b + 1, rows = (size_t)n_b + 1;
    double *table;
    HF_TRY(hf_alloc(&table, rows * width, sizeof *table, "the distribution of U"));
    for (size_t m = 0; m < rows; m++)
        table[m * width] = 1;
    for (int n = 1; n <= n_a; n++)
        for (size_t m = 1; m < rows; m++) {
            double *now = table + m * width;
            const double *fewer = table + (m - 1) * width, largest = (double)n / (n + (double)m);
            for (size_t v = width; v-- > 0;)
                now[v] = (v >= m ? largest * now[v - m] : 0) + (1 - largest) * fewer[v];
        }
    *out = 0;
    for (size_t v = (size_t)ceil(u); v < width; v++)
        *out += table[(rows - 1) * width + v];
    free(table);
    return HF_OK;
}

static double normal_tail(int n_a, int n_b, double u, double ties)
{
    const double a = n_a, b = n_b, n = a + b;
    const double variance = a * b / 12 * (n + 1 - ties / (n * (n - 1)));
    return variance > 0 ? 0.5 * erfc((u - a * b / 2 - 0.5) / sqrt(2 * variance)) : 1;
}

static hf_status tail(double *out, const hf_rank_test *test, int n_a, int n_b, double u, double ties)
{
    if (test->exact) return exact_tail(out, n_a, n_b, u);
    *out = normal_tail(n_a, n_b, u, ties);
    return HF_OK;
}

hf_status hf_rank_test_of(hf_rank_test *out, const double *a, int n_a, const double *b, int n_b,
                          hf_alternative alternative)
{
    hf_status status;
    ranked *all = NULL;
    double ties;
    if (n_a < 1 || n_b < 1)
        return hf_fail(HF_ERR_ARGUMENT, "rank test of %d and %d values: at least one of each is needed", n_a, n_b);
    HF_TRY_OUT(hf_alloc(&all, (size_t)n_a + (size_t)n_b, sizeof *all, "ranks"));
    HF_TRY_OUT(put(all, a, n_a, true));
    HF_TRY_OUT(put(all + n_a, b, n_b, false));
    qsort(all, (size_t)n_a + (size_t)n_b, sizeof *all, by_value);
    hf_rank_test test = { .u = rank_sum(&ties, all, n_a + n_b) - 0.5 * n_a * (n_a + 1.0) };
    test.exact = ties == 0 && (n_a <= EXACT_UP_TO || n_b <= EXACT_UP_TO);
    const double other = (double)n_a * n_b - test.u, larger = fmax(test.u, other);
    const double u = alternative == HF_GREATER ? test.u : alternative == HF_LESS ? other : larger;
    HF_TRY_OUT(tail(&test.p, &test, n_a, n_b, u, ties));
    test.p = fmin(1, alternative == HF_TWO_SIDED ? 2 * test.p : test.p);
    *out = test;
out:
    free(all);
    return status;
}

/* ---- correction -------------------------------------------------------------------------------------------------- */

hf_status hf_holm(double *out, const double *p, int count)
{
    int *order, n = 0;
    double worst = 0;
    HF_TRY(hf_alloc(&order, count > 0 ? (size_t)count : 0, sizeof *order, "the order of p values"));
    for (int i = 0; i < count; i++) {
        int at = n;
        out[i] = NAN;
        if (isnan(p[i])) continue;
        for (n++; at > 0 && p[order[at - 1]] > p[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int k = 0; k < n; k++) {
        worst = fmax(worst, fmin(1, (n - k) * p[order[k]]));
        out[order[k]] = worst;
    }
    free(order);
    return HF_OK;
}
