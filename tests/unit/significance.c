/* Checks rank tests against scipy 1.x (mannwhitneyu, method "auto") and against counting every arrangement, Holm's
 * correction by hand, means and deviations. */
#include "check.h"
#include "metrics/significance.h"

typedef struct expected {
    const double *a, *b;
    int n_a, n_b;
    double u, p[3]; /* two-sided, greater, less */
    bool exact;
} expected;

static const double small_a[] = { 1.1, 2.3, 3.7, 0.4, 5.9 }, small_b[] = { 0.2, 1.0, 2.2, 0.9 };
static const double runs_a[] = { .673, .681, .66, .655, .69, .671, .668, .679, .684 };
static const double runs_b[] = { .658, .649, .672, .661, .64, .655, .663, .67, .651 };
static const double tied_a[] = { 1, 2, 2, 3, 4 }, tied_b[] = { 2, 2, 5, 6 };
static const double equal[] = { 3, 3, 3 };
static const double one[] = { .1 }, ten[] = { .2, .3, .4, .5, .6, .7, .8, .9, 1, 1.1 };

static const expected cases[] = {
    { small_a, small_b, 5, 4, 16, { 0.19047619047619047, 0.09523809523809523, 0.9444444444444444 }, true },
    { runs_a, runs_b, 9, 9, 68.5, { 0.015117025346805061, 0.007558512673402531, 0.9940973434096816 }, false },
    { tied_a, tied_b, 5, 4, 6, { 0.3705503184353732, 0.8751922642548815, 0.1852751592176866 }, false },
    { equal, equal, 3, 2, 3, { 1, 1, 1 }, false },
    { one, ten, 1, 10, 0, { 0.18181818181818182, 1, 0.09090909090909091 }, true },
};

static void test_against_scipy(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const expected *e = &cases[i];
        for (int alternative = 0; alternative < 3; alternative++) {
            hf_rank_test t;
            if (!CHECK_OK(hf_rank_test_of(&t, e->a, e->n_a, e->b, e->n_b, (hf_alternative)alternative))) return;
            CHECK(t.u == e->u && t.exact == e->exact);
            CHECK_NEAR(t.p, e->p[alternative], 1e-13);
        }
    }
}

/* U of each way to choose which `n` of n + m places in order belong to the first sample. */
static void test_against_counting(void)
{
    enum { N = 4, M = 6, ALL = N + M };
    double at_least[N * M + 1] = { 0 }, arrangements = 0;
    for (unsigned chosen = 0; chosen < 1u << ALL; chosen++) {
        int u = 0, smaller = 0, members = 0;
        for (int i = 0; i < ALL; i++) {
            const bool first = chosen >> i & 1;
            members += first;
            u += first ? smaller : 0;
            smaller += !first;
        }
        if (members != N) continue;
        arrangements++;
        for (int v = 0; v <= u; v++)
            at_least[v]++;
    }
    double a[N], b[M];
    for (int shift = 0; shift <= M; shift++) { /* all of the first sample above `shift` of the second: U = N shift */
        for (int i = 0; i < N; i++)
            a[i] = shift + 0.1 * (i + 1);
        for (int j = 0; j < M; j++)
            b[j] = j + 1;
        hf_rank_test t;
        CHECK_OK(hf_rank_test_of(&t, a, N, b, M, HF_GREATER));
        CHECK(t.u == N * shift && t.exact);
        CHECK_NEAR(t.p, at_least[N * shift] / arrangements, 1e-14);
    }
}

static void test_holm(void)
{
    const double p[] = { 0.01, NAN, 0.04, 0.03, 0.005, 0.9 };
    double adjusted[6];
    CHECK_OK(hf_holm(adjusted, p, 6));
    CHECK_NEAR(adjusted[4], 0.025, 1e-15);
    CHECK_NEAR(adjusted[0], 0.04, 1e-15);
    CHECK_NEAR(adjusted[3], 0.09, 1e-15);
    CHECK_NEAR(adjusted[2], 0.09, 1e-15); /* 0.08 would be less than that of a smaller p */
    CHECK_NEAR(adjusted[5], 0.9, 1e-15);
    CHECK(isnan(adjusted[1]));
    CHECK_OK(hf_holm(adjusted, p, 0));
}

static void test_refusals(void)
{
    const double bad[] = { 1, NAN };
    hf_rank_test t;
    CHECK_STATUS(hf_rank_test_of(&t, one, 1, ten, 0, HF_LESS), HF_ERR_ARGUMENT, "1 and 0 values");
    CHECK_STATUS(hf_rank_test_of(&t, one, 1, bad, 2, HF_LESS), HF_ERR_NUMBER, "value 1 of the second sample is nan");
}

static void test_spread(void)
{
    const hf_spread s = hf_spread_of(runs_a, 9), single = hf_spread_of(one, 1), none = hf_spread_of(one, 0);
    CHECK_NEAR(s.mean, 0.6734444444444445, 1e-15);
    CHECK_NEAR(s.sd, 0.011348029687032794, 1e-14);
    CHECK(single.mean == .1 && isnan(single.sd) && isnan(none.mean));
}

int main(void)
{
    test_against_scipy();
    test_against_counting();
    test_holm();
    test_refusals();
    test_spread();
    return check_done("significance");
}
