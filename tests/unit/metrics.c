/* Checks regression metrics: point values by hand, intervals against a bootstrap of two million resamples made elsewhere
 * with other random numbers, groups, paired differences, repeatability, and how often an interval covers the truth. */
#include "check.h"
#include "metrics/metrics.h"

enum { N = 12 };
static const double actual[N] = { 70, 55, 73, 28, 18, 24, 21, 20, 74, 52, 30, 81 };
static const double predicted[N] = { 66.5, 58, 71.25, 33, 25.5, 22, 30, 19, 70, 60, 28.75, 69 };
static const char *const sex[N] = { "F", "M", "F", "M", "F", "F", "M", "M", "M", "F", "M", NULL };
static const hf_bootstrap many = { 20000, 3 };

static void test_values(void)
{
    hf_regression m;
    if (!CHECK_OK(hf_regression_metrics(&m, actual, predicted, N, &many))) return;
    CHECK(m.count == N);
    CHECK_NEAR(m.mae.value, 58.0 / 12, 1e-14);
    CHECK_NEAR(m.mse.value, 417.125 / 12, 1e-13);
    CHECK_NEAR(m.bias, 7.0 / 12, 1e-14);
    CHECK_NEAR(m.r, 0.97391185763837, 1e-13);
    CHECK_NEAR(m.mae.low, 3.02083, 0.06);
    CHECK_NEAR(m.mae.high, 6.83333, 0.06);
    CHECK_NEAR(m.mse.low, 13.6354, 0.8);
    CHECK_NEAR(m.mse.high, 60.703, 0.8);
}

static void test_repeats(void)
{
    hf_regression a, b, c;
    const hf_bootstrap other = { 20000, 4 }, zero = { 2000, 0 };
    CHECK_OK(hf_regression_metrics(&a, actual, predicted, N, &many));
    CHECK_OK(hf_regression_metrics(&b, actual, predicted, N, &many));
    CHECK_OK(hf_regression_metrics(&c, actual, predicted, N, &other));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(a.mae.value == c.mae.value && (a.mse.low != c.mse.low || a.mse.high != c.mse.high));
    CHECK_OK(hf_regression_metrics(&a, actual, predicted, N, NULL)); /* the defaults */
    CHECK_OK(hf_regression_metrics(&b, actual, predicted, N, &zero));
    CHECK(memcmp(&a, &b, sizeof a) == 0);
}

static void test_groups(void)
{
    static const char *const wanted[] = { "F", "M", "X" };
    hf_regression m[3];
    if (!CHECK_OK(hf_regression_by_group(m, wanted, 3, actual, predicted, sex, N, &many))) return;
    CHECK(m[0].count == 5 && m[1].count == 6 && m[2].count == 0);
    CHECK_NEAR(m[0].mae.value, 4.55, 1e-14);
    CHECK_NEAR(m[0].r, 0.977096591932503, 1e-13);
    CHECK_NEAR(m[1].mae.value, (58.0 - 22.75 - 12) / 6, 1e-14);
    CHECK(isnan(m[2].mae.value) && isnan(m[2].r));
}

static void test_difference(void)
{
    double middle[N];
    for (int i = 0; i < N; i++)
        middle[i] = 45;
    hf_interval d, reverse;
    CHECK_OK(hf_mae_difference(&d, actual, predicted, middle, N, &many));
    CHECK_OK(hf_mae_difference(&reverse, actual, middle, predicted, N, &many));
    CHECK_NEAR(d.value, -103.0 / 6, 1e-13);
    CHECK_NEAR(d.low, -21.2917, 0.15);
    CHECK_NEAR(d.high, -12.4583, 0.15);
    CHECK_NEAR(reverse.low, -d.high, 1e-9);
    CHECK_OK(hf_mae_difference(&d, actual, predicted, predicted, N, &many));
    CHECK(d.value == 0 && d.low == 0 && d.high == 0);
}

static void test_edges(void)
{
    hf_regression m;
    hf_interval d;
    const double one = 5, two[2] = { 5, 5 }, bad[2] = { 5, NAN }, wide[2] = { 5, INFINITY };
    if (CHECK_OK(hf_regression_metrics(&m, &one, &one, 1, NULL))) CHECK(m.mae.high == 0 && isnan(m.r));
    if (CHECK_OK(hf_regression_metrics(&m, two, two, 2, NULL))) CHECK(isnan(m.r));
    if (CHECK_OK(hf_regression_metrics(&m, actual, actual, N, NULL))) CHECK_NEAR(m.r, 1, 1e-15);
    CHECK_STATUS(hf_regression_metrics(&m, two, two, 0, NULL), HF_ERR_ARGUMENT, "metrics of 0 subjects");
    CHECK_STATUS(hf_regression_metrics(&m, bad, two, 2, NULL), HF_ERR_NUMBER, "the actual value of subject 1 is nan");
    CHECK_STATUS(hf_regression_metrics(&m, two, wide, 2, NULL), HF_ERR_NUMBER,
                 "the predicted value of subject 1 is inf");
    CHECK_STATUS(hf_mae_difference(&d, two, two, bad, 2, NULL), HF_ERR_NUMBER, "the second predicted value");
    CHECK(m.count == N); /* failures changed nothing */
}

static void test_averages(void)
{
    const double values[] = { 1e16, 1, -1e16, 3 };
    double median;
    CHECK(hf_mean(values, 4) == 1); /* plain summation gives 0.75 */
    CHECK_OK(hf_median(&median, values, 4));
    CHECK(median == 2);
    CHECK_OK(hf_median(&median, actual, N));
    CHECK(median == 41);
    CHECK_OK(hf_median(&median, actual, 3));
    CHECK(median == 70);
    CHECK_OK(hf_median(&median, values, 0));
    CHECK(isnan(median) && isnan(hf_mean(values, 0)));
}

/* Errors of known mean: the interval must contain it about 95 times of 100 (a little less at 50 subjects). */
static void test_coverage(void)
{
    enum { TRIALS = 400, SUBJECTS = 50 };
    int covered = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        double truth[SUBJECTS], guess[SUBJECTS];
        uint64_t stream = hf_random_stream("coverage", trial, 0);
        for (uint64_t i = 0; i < SUBJECTS; i++) {
            truth[i] = 50;
            guess[i] = 50 + hf_random_normal(1, stream, i);
        }
        hf_regression m;
        if (!CHECK_OK(hf_regression_metrics(&m, truth, guess, SUBJECTS, &(hf_bootstrap){ 500, trial }))) return;
        double expected = 0.7978845608028654; /* sqrt(2/pi): the mean of |x| for a standard normal x */
        covered += m.mae.low <= expected && expected <= m.mae.high;
    }
    CHECK_NEAR((double)covered / TRIALS, 0.945, 0.035);
}

int main(void)
{
    test_values();
    test_repeats();
    test_groups();
    test_difference();
    test_edges();
    test_averages();
    test_coverage();
    return check_done("metrics");
}
