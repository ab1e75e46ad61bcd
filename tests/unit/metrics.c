/* Checks metrics: of numbers by hand, of classes against scikit-learn 1.9.1; intervals against a bootstrap of two million
 * resamples made elsewhere with other random numbers; subsets, paired differences, repeatability, and how often an
 * interval covers the truth. */
#include "check.h"
#include "metrics/metrics.h"

enum { N = 12 };
static const double actual[N] = { 70, 55, 73, 28, 18, 24, 21, 20, 74, 52, 30, 81 };
static const double predicted[N] = { 66.5, 58, 71.25, 33, 25.5, 22, 30, 19, 70, 60, 28.75, 69 };
static const int women[] = { 0, 2, 4, 5, 9 }, men[] = { 1, 3, 6, 7, 8, 10 };
static const hf_scored numbers = { N, 1, 1, actual, predicted };
static const hf_bootstrap many = { 20000, 3 };

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static double value_of(const char *metric, int k, const hf_scored *s, const int *index, int n)
{
    double value = -1e300;
    const hf_metric *found = hf_metric_find(metric);
    if (CHECK(found != NULL)) CHECK_OK(hf_metric_of(&value, found, k, s, index, n));
    return value;
}

static hf_interval interval_of(const char *metric, const hf_scored *s, const int *index, int n, const hf_bootstrap *b)
{
    hf_interval interval = { -1e300, -1e300, -1e300 };
    CHECK_OK(hf_metric_interval(&interval, hf_metric_find(metric), 0, s, index, n, b));
    return interval;
}

static void test_values(void)
{
    CHECK_NEAR(value_of("mae", 0, &numbers, NULL, N), 58.0 / 12, 1e-14);
    CHECK_NEAR(value_of("mse", 0, &numbers, NULL, N), 417.125 / 12, 1e-13);
    CHECK_NEAR(value_of("bias", 0, &numbers, NULL, N), 7.0 / 12, 1e-14);
    CHECK_NEAR(value_of("r", 0, &numbers, NULL, N), 0.97391185763837, 1e-13);
    const hf_interval mae = interval_of("mae", &numbers, NULL, N, &many);
    const hf_interval mse = interval_of("mse", &numbers, NULL, N, &many);
    CHECK(mae.value == value_of("mae", 0, &numbers, NULL, N));
    CHECK_NEAR(mae.low, 3.02083, 0.06);
    CHECK_NEAR(mae.high, 6.83333, 0.06);
    CHECK_NEAR(mse.low, 13.6354, 0.8);
    CHECK_NEAR(mse.high, 60.703, 0.8);
}

static void test_repeats(void)
{
    const hf_bootstrap other = { 20000, 4 }, zero = { 2000, 0 };
    hf_interval a = interval_of("mae", &numbers, NULL, N, &many), b = interval_of("mae", &numbers, NULL, N, &many);
    const hf_interval c = interval_of("mae", &numbers, NULL, N, &other);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(a.value == c.value && (a.low != c.low || a.high != c.high));
    a = interval_of("mae", &numbers, NULL, N, NULL); /* the defaults */
    b = interval_of("mae", &numbers, NULL, N, &zero);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
}

/* A subset is what its subjects alone would be. */
static void test_subsets(void)
{
    double copy[2][N];
    CHECK_NEAR(value_of("mae", 0, &numbers, women, 5), 4.55, 1e-14);
    CHECK_NEAR(value_of("r", 0, &numbers, women, 5), 0.977096591932503, 1e-13);
    CHECK_NEAR(value_of("mae", 0, &numbers, men, 6), (58.0 - 22.75 - 12) / 6, 1e-14);
    for (int i = 0; i < 6; i++) {
        copy[0][i] = actual[men[i]];
        copy[1][i] = predicted[men[i]];
    }
    const hf_scored alone = { 6, 1, 1, copy[0], copy[1] };
    hf_interval a = interval_of("mae", &numbers, men, 6, &many), b = interval_of("mae", &alone, NULL, 6, &many);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
}

static void test_difference(void)
{
    double middle[N], shifted[N];
    for (int i = 0; i < N; i++) {
        middle[i] = 45;
        shifted[i] = actual[i] + 1;
    }
    const hf_scored flat = { N, 1, 1, actual, middle }, other = { N, 1, 1, shifted, middle };
    const hf_metric *mae = hf_metric_find("mae");
    hf_interval d, reverse;
    CHECK_OK(hf_metric_difference(&d, mae, 0, &numbers, &flat, NULL, N, &many));
    CHECK_OK(hf_metric_difference(&reverse, mae, 0, &flat, &numbers, NULL, N, &many));
    CHECK_NEAR(d.value, -103.0 / 6, 1e-13);
    CHECK_NEAR(d.low, -21.2917, 0.15);
    CHECK_NEAR(d.high, -12.4583, 0.15);
    CHECK_NEAR(reverse.low, -d.high, 1e-9);
    CHECK_OK(hf_metric_difference(&d, mae, 0, &numbers, &numbers, NULL, N, &many));
    CHECK(d.value == 0 && d.low == 0 && d.high == 0);
    CHECK_STATUS(hf_metric_difference(&d, mae, 0, &numbers, &other, NULL, N, &many), HF_ERR_ARGUMENT,
                 "subject 0 does not have the same truth");
}

static void test_edges(void)
{
    hf_interval m;
    double value;
    const hf_metric *mae = hf_metric_find("mae"), *r = hf_metric_find("r");
    const double one = 5, two[2] = { 5, 5 }, bad[2] = { 5, NAN }, wide[2] = { 5, INFINITY };
    const hf_scored single = { 1, 1, 1, &one, &one }, pair = { 2, 1, 1, two, two }, exact = { N, 1, 1, actual, actual };
    m = interval_of("mae", &single, NULL, 1, NULL);
    CHECK(m.value == 0 && m.high == 0);
    CHECK(isnan(value_of("r", 0, &single, NULL, 1)) && isnan(value_of("r", 0, &pair, NULL, 2)));
    m = interval_of("r", &pair, NULL, 2, NULL);
    CHECK(isnan(m.value) && isnan(m.low) && isnan(m.high));
    CHECK_NEAR(value_of("r", 0, &exact, NULL, N), 1, 1e-15);
    m.value = 3;
    CHECK_STATUS(hf_metric_interval(&m, mae, 0, &pair, NULL, 0, NULL), HF_ERR_ARGUMENT, "mae of 0 subjects");
    const hf_scored no_truth = { 2, 1, 1, bad, two }, no_limit = { 2, 1, 1, two, wide };
    CHECK_STATUS(hf_metric_interval(&m, mae, 0, &no_truth, NULL, 2, NULL), HF_ERR_NUMBER,
                 "the true value of subject 1 is nan");
    CHECK_STATUS(hf_metric_of(&value, r, 0, &no_limit, NULL, 2), HF_ERR_NUMBER,
                 "the predicted value of subject 1 is inf");
    CHECK(m.value == 3);                                              /* failures changed nothing */
    CHECK(value_of("mae", 0, &no_truth, (const int[]){ 0 }, 1) == 0); /* who is left out is not asked */
    CHECK(hf_metric_find("maee") == NULL);
    CHECK(hf_metric_better(mae, 1, 2) && !hf_metric_better(mae, 2, 2) && hf_metric_better(r, 0.3, 0.2));
    CHECK(hf_metric_better(mae, 1, NAN) && !hf_metric_better(mae, NAN, 1) && !hf_metric_better(mae, NAN, NAN));
}

/* ---- classes ----------------------------------------------------------------------------------------------------- */

enum { SUBJECTS = 24, CLASSES = 4 };
/* With ties within and between subjects; the probabilities are multiples of 1/20. */
static const double label[SUBJECTS] = { 0, 1, 1, 0, 0, 3, 0, 0, 3, 1, 1, 1, 1, 0, 0, 2, 1, 1, 2, 1, 3, 0, 1, 1 };
static const double probability[SUBJECTS * CLASSES] = {
    0.00, 0.20, 0.05, 0.75, 0.10, 0.40, 0.35, 0.15, 0.30, 0.60, 0.10, 0.00, 0.25, 0.25, 0.25, 0.25,
    0.55, 0.00, 0.25, 0.20, 0.20, 0.25, 0.20, 0.35, 0.15, 0.55, 0.00, 0.30, 0.40, 0.40, 0.10, 0.10,
    0.10, 0.50, 0.05, 0.35, 0.10, 0.30, 0.15, 0.45, 0.15, 0.10, 0.15, 0.60, 0.55, 0.05, 0.35, 0.05,
    0.40, 0.15, 0.25, 0.20, 0.15, 0.00, 0.45, 0.40, 0.45, 0.40, 0.05, 0.10, 0.20, 0.40, 0.00, 0.40,
    0.20, 0.05, 0.20, 0.55, 0.35, 0.40, 0.25, 0.00, 0.40, 0.15, 0.25, 0.20, 0.20, 0.15, 0.30, 0.35,
    0.60, 0.10, 0.15, 0.15, 0.05, 0.15, 0.15, 0.65, 0.30, 0.00, 0.45, 0.25, 0.15, 0.20, 0.30, 0.35,
};
static const hf_scored classes = { SUBJECTS, 1, CLASSES, label, probability };
/* Without the classes 2 and 3. */
static const int some[] = { 0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 13, 14 };
enum { SOME = sizeof some / sizeof some[0] };

/* Made with scikit-learn: balanced_accuracy_score, precision_score(macro, zero_division=0), f1_score(macro), f1_score(
 * micro), roc_auc_score(ovr, macro; of the subset the mean over the classes that it has), accuracy_score, recalls. */
static const struct {
    const char *metric;
    int k;
    double all, subset, constant; /* constant: everybody is predicted .1, .6, .2, .1 */
} known[] = {
    { "balanced_accuracy", 0, 0.2765151515151515, 0.4523809523809523, 0.25 },
    { "precision", 0, 0.28125, 0.3333333333333333, 0.1145833333333333 },
    { "f1", 0, 0.2586898395721925, 0.264957264957265, 0.1571428571428571 },
    { "f1_micro", 0, 0.3333333333333333, 0.4615384615384616, 0.4583333333333333 },
    { "auc", 0, 0.4282875327797203, 0.5357142857142858, 0.5 },
    { "accuracy", 0, 0.3333333333333333, 0.4615384615384616, 0.4583333333333333 },
    { "recall", 0, 0.5, 0.5714285714285714, 0 },
    { "recall", 1, 0.2727272727272727, 0.3333333333333333, 1 },
    { "recall", 2, 0, NAN, 0 },
    { "recall", 3, 0.3333333333333333, NAN, 0 },
};

static void test_classes(void)
{
    double constant[SUBJECTS * CLASSES];
    for (int i = 0; i < SUBJECTS * CLASSES; i++)
        constant[i] = ((const double[]){ 0.1, 0.6, 0.2, 0.1 })[i % CLASSES];
    const hf_scored same = { SUBJECTS, 1, CLASSES, label, constant };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const double subset = value_of(known[i].metric, known[i].k, &classes, some, SOME);
        CHECK_NEAR(value_of(known[i].metric, known[i].k, &classes, NULL, SUBJECTS), known[i].all, 1e-15);
        CHECK(isnan(known[i].subset) ? isnan(subset) : fabs(subset - known[i].subset) < 1e-15);
        CHECK_NEAR(value_of(known[i].metric, known[i].k, &same, NULL, SUBJECTS), known[i].constant, 1e-15);
    }
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    static const int64_t expected[CLASSES][CLASSES] = {
        { 4, 1, 1, 2 }, { 2, 3, 1, 5 }, { 1, 1, 0, 0 }, { 1, 1, 0, 1 }
    };
    hf_confusion(counts, &classes, NULL, SUBJECTS);
    for (int row = 0; row < CLASSES; row++)
        CHECK(memcmp(counts[row], expected[row], sizeof expected[row]) == 0);
}

/* Resamples without a class have no recall of it, and do not count. */
static void test_absent_class(void)
{
    const double truth[] = { 0, 0, 1 }, two[] = { .8, .2, .6, .4, .3, .7 }, wrong[] = { 0, 0.5, 2 };
    const hf_scored s = { 3, 1, 2, truth, two }, bad = { 3, 1, 2, wrong, two };
    hf_interval m;
    double value;
    CHECK_OK(hf_metric_interval(&m, hf_metric_find("recall"), 1, &s, NULL, 3, NULL));
    CHECK(m.value == 1 && m.low == 1 && m.high == 1);
    CHECK_OK(hf_metric_interval(&m, hf_metric_find("auc"), 0, &s, (const int[]){ 0, 1 }, 2, NULL));
    CHECK(isnan(m.value) && isnan(m.low));
    CHECK_STATUS(hf_metric_of(&value, hf_metric_find("f1"), 0, &bad, NULL, 3), HF_ERR_ARGUMENT,
                 "the true value of subject 1 is 0.5, expected a class from 0 to 1");
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
    enum { TRIALS = 400, DRAWN = 50 };
    int covered = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        double truth[DRAWN], guess[DRAWN];
        uint64_t stream = hf_random_stream("coverage", trial, 0);
        for (uint64_t i = 0; i < DRAWN; i++) {
            truth[i] = 50;
            guess[i] = 50 + hf_random_normal(1, stream, i);
        }
        const hf_scored s = { DRAWN, 1, 1, truth, guess };
        const hf_interval m = interval_of("mae", &s, NULL, DRAWN, &(hf_bootstrap){ 500, trial });
        double expected = 0.7978845608028654; /* sqrt(2/pi): the mean of |x| for a standard normal x */
        covered += m.low <= expected && expected <= m.high;
    }
    CHECK_NEAR((double)covered / TRIALS, 0.945, 0.035);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Ranks by hand; and of skewed errors the interval holds at least as many new ones as it says, and few more. */
static void test_conformal(void)
{
    enum { TRIALS = 4000, KNOWN = 29 };
    static const int hand[][3] = { { 8, 90, 0 },   { 9, 90, 9 },    { 10, 90, 10 }, { 19, 90, 18 },
                                   { 99, 90, 90 }, { 100, 90, 91 }, { 18, 95, 0 },  { 19, 95, 19 },
                                   { 1, 50, 1 },   { 0, 50, 0 },    { 3, 50, 2 },   { 98, 99, 0 } };
    int covered = 0;
    for (size_t i = 0; i < sizeof hand / sizeof hand[0]; i++)
        CHECK(hf_conformal_rank(hand[i][0], hand[i][1]) == hand[i][2]);
    CHECK(hf_conformal_least(90) == 9 && hf_conformal_least(95) == 19);
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        double error[KNOWN + 1];
        const uint64_t stream = hf_random_stream("conformal", trial, 0);
        for (uint64_t i = 0; i <= KNOWN; i++)
            error[i] = exp(hf_random_normal(2, stream, i));
        qsort(error, KNOWN, sizeof *error, by_size);
        covered += error[KNOWN] <= error[hf_conformal_rank(KNOWN, 90) - 1];
    }
    CHECK_NEAR((double)covered / TRIALS, 0.9, 0.02); /* 27 of 30 */
}

int main(void)
{
    test_values();
    test_repeats();
    test_subsets();
    test_difference();
    test_edges();
    test_classes();
    test_absent_class();
    test_averages();
    test_coverage();
    test_conformal();
    return check_done("metrics");
}
