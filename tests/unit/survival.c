/* Checks the goal of times until an event: what is refused, its truth, what batches without events give, predictions written
 * and read back; the concordance index against all pairs, one by one, and its interval; Kaplan and Meier's curve of a
 * worked example; the report's section. */
#include "check.h"
#include "hyperfusion.h"
#include "report/html.h"

#include <unistd.h>

static hf_target target_of(const char *const *settings, hf_status expected, const char *message)
{
    hf_recipe recipe = { 0 };
    hf_target target = { 0 };
    CHECK_OK(hf_recipe_defaults(&recipe));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(&recipe, *settings));
    CHECK_STATUS(hf_target_set(&target, &recipe), expected, message);
    hf_recipe_free(&recipe);
    return target;
}
#define TARGET(...)        target_of((const char *const[]){ __VA_ARGS__, NULL }, HF_OK, "")
#define REFUSED(part, ...) target_of((const char *const[]){ __VA_ARGS__, NULL }, HF_ERR_ARGUMENT, part)
#define SURVIVAL           "goal=survival", "cohort.target=months", "goal.event=dead", "goal.unit=months"

/* ---- settings and truth ------------------------------------------------------------------------------------------ */

static void test_refused(void)
{
    hf_recipe recipe = { 0 };
    REFUSED("goal.event is empty", "goal=survival");
    REFUSED("expected another column than cohort.target", "goal=survival", "goal.event=age");
    REFUSED("goal regression has no use for a second column", "goal.event=dead");
    REFUSED("train.class_weights and train.oversample do not", SURVIVAL, "train.oversample=true");
    REFUSED("goal.merge and goal.collapse do not", SURVIVAL, "goal.classes=[a, b]");
    REFUSED("with train.loss mse: cox or cox-breslow is expected", SURVIVAL, "train.loss=mse");
    CHECK_OK(hf_recipe_defaults(&recipe));
    CHECK_OK(hf_recipe_set(&recipe, "cohort.path=x"));
    CHECK_OK(hf_recipe_set(&recipe, "goal.event=sex"));
    CHECK_STATUS(hf_recipe_check(&recipe), HF_ERR_ARGUMENT, "uses the column 'sex', which is goal.event");
    hf_recipe_free(&recipe);
}

static hf_status truth_of(double *truth, hf_text *problems, const hf_target *t, const char *text, int n)
{
    static char names[6][2] = { "a", "b", "c", "d", "e", "f" };
    hf_subject subject[6] = { { 0 } };
    hf_cohort cohort = { .n_subjects = n, .subject = subject };
    if (!CHECK_OK(hf_table_parse(&cohort.table, text, strlen(text), "t.tsv"))) return HF_ERR_FORMAT;
    for (int i = 0; i < n; i++)
        subject[i] = (hf_subject){ .id = names[i], .row = i };
    const hf_status status = hf_target_truth(truth, problems, t, &cohort);
    hf_table_free(&cohort.table);
    return status;
}

static void test_truth(void)
{
    hf_target t = TARGET(SURVIVAL);
    hf_text problems = { 0 };
    double truth[12] = { 0 };
    static const double expected[] = { 12, 1, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN, 7.5, 1 };
    CHECK_OK(truth_of(truth, &problems, &t,
                      "participant_id\tmonths\tdead\na\t12\t1\nb\t0\t0\nc\tn/a\t1\nd\t3\t\ne\t3\t2\nf\t7.5\t1\n", 6));
    for (int i = 0; i < 12; i++)
        CHECK(truth[i] == expected[i] || (isnan(truth[i]) && isnan(expected[i])));
    CHECK(problems.data && strcmp(problems.data, "'e': 't.tsv' line 6, column 'dead': 2, expected 1 (event) or 0 (none "
                                                 "until then)\n") == 0);
    hf_text_free(&problems);
    CHECK_STATUS(truth_of(truth, &problems, &t, "participant_id\tmonths\tdead\na\t12\t1\nb\t-3\t0\n", 2),
                 HF_ERR_ARGUMENT, "'t.tsv' line 3, column 'months': -3, expected a time of at least 0");
    CHECK_STATUS(truth_of(truth, &problems, &t, "participant_id\tmonths\na\t12\n", 1), HF_ERR_ARGUMENT,
                 "no column 'dead' (goal.event)");
    hf_text_free(&problems);
    CHECK_STATUS(hf_target_learn(&t, (const double[]){ 3, 0, 4, 0 }, 2), HF_ERR_ARGUMENT,
                 "none of the 2 training subjects has had the event (column 'dead' is 0)");
    CHECK_OK(hf_target_learn(&t, (const double[]){ 3, 0, 4, 1 }, 2));
    CHECK(t.baseline[0][0] == 0);
}

/* By hand: risks 1, 2, 4 at times 1, 2, 3, the last without the event; a batch without any is 0. */
static void test_loss(void)
{
    const hf_target t = TARGET(SURVIVAL);
    const float x[] = { 0, logf(2), logf(4) }, truth[] = { 1, 1, 2, 1, 3, 0 }, none[] = { 1, 0, 2, 0, 3, 0 };
    CHECK_NEAR(t.loss->value(&t, x, truth, 3), (log(7) + log(6.0 / 2)) / 2, 1e-7);
    CHECK(t.loss->value(&t, x, none, 3) == 0);
    const float far[] = { -900, 0, 900 }; /* no exponential overflows */
    CHECK_NEAR(t.loss->value(&t, far, truth, 3), (1800 + 900) / 2.0, 1e-9);
}

/* ---- concordance ------------------------------------------------------------------------------------------------- */

static double by_pairs(const double *truth, const double *risk, const int *index, int n)
{
    double pairs = 0, right = 0;
    for (int a = 0; a < n; a++)
        for (int b = 0; b < n; b++) {
            const int i = index[a], j = index[b];
            const double *p = truth + 2 * i, *q = truth + 2 * j;
            if (p[1] != 1 || !(p[0] < q[0] || (p[0] == q[0] && q[1] == 0))) continue;
            pairs++;
            right += risk[i] > risk[j] ? 1 : risk[i] == risk[j] ? 0.5 : 0;
        }
    return pairs > 0 ? right / pairs : NAN;
}

static void test_concordance(void)
{
    enum { N = 60 };
    const hf_metric *metric = hf_metric_find("c_index");
    double truth[2 * N], risk[N], value;
    int index[N];
    if (!CHECK(metric != NULL)) return;
    for (uint64_t round = 0; round < 60; round++) {
        const int n = 1 + (int)(hf_random_uniform(1, round, 0) * N),
                  values = 1 + (int)(hf_random_uniform(1, round, 1) * 20);
        for (uint64_t i = 0; i < N; i++) {
            truth[2 * i] = floor(values * hf_random_uniform(2, round, i));
            truth[2 * i + 1] = hf_random_uniform(3, round, i) < 0.6;
            risk[i] = floor(values * hf_random_uniform(4, round, i)) - 3;
        }
        for (int i = 0; i < n; i++) /* some more than once, as a bootstrap has them */
            index[i] = (int)(hf_random_uniform(5, round, (uint64_t)i) * N);
        CHECK_OK(hf_metric_of(&value, metric, 0, &(hf_scored){ N, 2, 1, truth, risk }, index, n));
        const double expected = by_pairs(truth, risk, index, n);
        CHECK(value == expected || (isnan(value) && isnan(expected)) || fabs(value - expected) < 1e-14);
    }
    hf_interval interval;
    CHECK_OK(hf_metric_interval(&interval, metric, 0, &(hf_scored){ N, 2, 1, truth, risk }, NULL, N,
                                &(hf_bootstrap){ 500, 1 }));
    CHECK(interval.low < interval.value && interval.value < interval.high);
    CHECK_STATUS(hf_metric_of(&value, metric, 0, &(hf_scored){ N, 1, 1, truth, risk }, NULL, 3), HF_ERR_ARGUMENT,
                 "expected time and event");
}

/* ---- on paper ---------------------------------------------------------------------------------------------------- */

/* Times 2, 3+, 3, 5+, 8: the share is 4/5 from 2 on, 3/5 from 3 on (an event comes before those who leave), 0 from 8 on. */
static void test_curve(void)
{
    hf_survivor of[] = { { 8, 1, 0 }, { 3, 0, 0 }, { 2, 1, 0 }, { 5, 0, 0 }, { 3, 1, 0 } };
    static const double time[] = { 0, 2, 2, 3, 3, 5, 5, 8, 8 }, share[] = { 1, 1, 0.8, 0.8, 0.6, 0.6, 0.6, 0.6, 0 };
    double x[11], y[11];
    const hf_series s = hf_kaplan_meier("all", of, 5, x, y);
    CHECK(s.count == 9);
    for (int i = 0; i < s.count; i++)
        CHECK(x[i] == time[i] && fabs(y[i] - share[i]) < 1e-15);
}

enum { SUBJECTS = 11 };

static void fill(hf_predictions *p, const hf_target *t)
{
    CHECK_OK(hf_predictions_new(p, t, SUBJECTS, 0));
    p->bootstrap = (hf_bootstrap){ 200, 3 };
    for (int i = 0; i < SUBJECTS; i++) {
        char id[16];
        snprintf(id, sizeof id, "sub-%02d", i);
        CHECK_OK(hf_strdup(&p->id[i], id));
        p->truth[2 * i] = i == 4 ? NAN : i + 0.25;
        p->truth[2 * i + 1] = i == 4 ? NAN : i % 3 > 0;
        p->predicted[i] = (float)(1 - 0.1 * i + (i == 7)); /* one is out of order */
    }
}

static void test_predictions(const char *folder)
{
    hf_target t = TARGET(SURVIVAL);
    hf_predictions p, read = { 0 };
    hf_scores scores;
    hf_text text = { 0 };
    char path[256];
    snprintf(path, sizeof path, "%s/p.tsv", folder);
    fill(&p, &t);
    CHECK_OK(hf_predictions_text(&p, &text));
    CHECK(strstr(text.data, "participant_id\tmonths\tdead\tpredicted\nsub-00\t0.25\t0\t1\n") == text.data);
    CHECK(strstr(text.data, "\nsub-04\tn/a\tn/a\t0.6\n") != NULL);
    CHECK_OK(hf_predictions_write(&p, path));
    if (CHECK_OK(hf_predictions_read(&read, &t, path)))
        for (int i = 0; i < SUBJECTS; i++) {
            CHECK(read.predicted[i] == p.predicted[i]);
            for (int k = 0; k < 2; k++)
                CHECK(read.truth[2 * i + k] == p.truth[2 * i + k] || i == 4);
        }
    remove(path);
    if (CHECK_OK(hf_scores_make(&scores, &p))) {
        CHECK(scores.row[0].count == SUBJECTS - 1 && scores.row[0].baseline[0][0] == 0.5);
        CHECK(scores.row[0].of[0].value > 0.8 && scores.row[0].of[0].value < 1);
        hf_scores_free(&scores);
    }
    hf_text_free(&text);
    CHECK_OK(hf_report_text(&(hf_report_data){ .title = "t", .target = &t, .predictions = &p }, &text));
    CHECK(strstr(text.data, "Who is without the event") && strstr(text.data, "months, months"));
    CHECK(strstr(text.data, "of the 5 subjects of lower and the 5 of higher predicted risk"));
    CHECK(strstr(text.data, "guessing by the toss of a coin") && !strstr(text.data, "Predicted against true"));
    hf_text_free(&text);
    t.goal->truth_words(&text, &t, p.truth + 2);
    t.goal->words(&text, &t, p.predicted);
    CHECK(strcmp(text.data, "event at 1.2 monthslog hazard 1.00") == 0);
    hf_text_free(&text);
    hf_predictions_free(&p);
    hf_predictions_free(&read);
}

int main(void)
{
    char folder[] = "/tmp/hf-survival-XXXXXX";
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("survival");
    test_refused();
    test_truth();
    test_loss();
    test_concordance();
    test_curve();
    test_predictions(folder);
    CHECK(rmdir(folder) == 0);
    return check_done("survival");
}
