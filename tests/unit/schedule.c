/* Checks learning-rate schedules against their formulas, the epochs after which a rate is cut or a run ends, and which
 * settings contradict each other. */
#include "check.h"
#include "run/parts.h"

enum { STEPS = 5 }; /* an epoch */

static hf_recipe recipe;

static void set(const char *const *settings)
{
    hf_recipe_free(&recipe);
    CHECK_OK(hf_recipe_defaults(&recipe));
    CHECK_OK(hf_recipe_set(&recipe, "train.learning_rate=0.25"));
    CHECK_OK(hf_recipe_set(&recipe, "train.epochs=8"));
    CHECK_OK(hf_recipe_set(&recipe, "cohort.path=cohort"));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(&recipe, *settings));
}
#define SET(...) set((const char *const[]){ __VA_ARGS__, NULL })

/* The rate of step `step`, counted from 0, when none was ever reduced. */
static double rate(int step)
{
    const hf_run_progress progress = { .epoch = step / STEPS, .step = step };
    return hf_run_learning_rate(&recipe, &progress, STEPS);
}

static void test_rates(void)
{
    const double pi = acos(-1);
    SET("train.schedule=constant");
    CHECK(rate(0) == 0.25 && rate(39) == 0.25);
    SET("train.schedule=step", "train.decay=0.5", "train.decay_epochs=3", "train.lowest_rate=0.07");
    CHECK(rate(0) == 0.25 && rate(14) == 0.25 && rate(15) == 0.125 && rate(29) == 0.125);
    CHECK(rate(30) == 0.07); /* 0.0625 is less than the lowest */
    SET("train.schedule=cosine");
    for (int i = 0; i < 40; i++)
        CHECK_NEAR(rate(i), 0.25 * 0.5 * (1 + cos(pi * i / 40)), 1e-16);
    SET("train.schedule=cosine", "train.lowest_rate=0.05", "train.warmup_epochs=2");
    for (int i = 0; i < 10; i++)
        CHECK_NEAR(rate(i), 0.25 * (i + 1) / 10, 1e-16);
    for (int i = 10; i < 40; i++)
        CHECK_NEAR(rate(i), 0.05 + 0.2 * 0.5 * (1 + cos(pi * (i - 10) / 30)), 1e-16);
    CHECK_NEAR(rate(40), 0.05, 1e-16);
    SET("train.warmup_epochs=0.5"); /* three steps of 2.5 */
    CHECK_NEAR(rate(0), 0.25 / 3, 1e-16);
    CHECK(rate(2) == 0.25 && rate(3) == 0.25);
    SET("train.schedule=plateau", "train.decay=0.2");
    CHECK_NEAR(hf_run_learning_rate(&recipe, &(hf_run_progress){ .reductions = 2 }, STEPS), 0.25 * 0.04, 1e-17);
}

/* Epochs whose selecting metric is best: 1, 2, 5; cut at 4 (none since 2), 7 (none since 5), 9 (none since that). */
static void test_plateau(void)
{
    static const int best[] = { 1, 2, 2, 2, 5, 5, 5, 5, 5 }, reductions[] = { 0, 0, 0, 1, 1, 1, 2, 2, 3 };
    hf_run_progress p = { 0 };
    SET("train.schedule=plateau", "train.decay_epochs=2");
    for (int e = 0; e < 9; e++) {
        p.epoch = e + 1;
        p.best_epoch = best[e];
        const bool reduced = hf_run_note_plateau(&p, &recipe);
        CHECK(p.reductions == reductions[e] && reduced == (e > 0 && reductions[e] > reductions[e - 1]));
    }
    SET("train.schedule=step", "train.decay_epochs=2");
    CHECK(!hf_run_note_plateau(&p, &recipe) && p.reductions == 3);
}

static void test_patience(void)
{
    hf_run_progress p = { .epoch = 7, .best_epoch = 4 };
    SET("train.patience=0");
    CHECK(!hf_run_out_of_patience(&p, &recipe));
    SET("train.patience=3");
    CHECK(hf_run_out_of_patience(&p, &recipe));
    p.epoch = 6;
    CHECK(!hf_run_out_of_patience(&p, &recipe));
    p = (hf_run_progress){ 0 }; /* before the first epoch */
    CHECK(!hf_run_out_of_patience(&p, &recipe));
}

static void test_refused(void)
{
    SET("train.warmup_epochs=8");
    CHECK_STATUS(hf_recipe_check(&recipe), HF_ERR_ARGUMENT, "train.warmup_epochs: found 8, expected less than");
    SET("train.lowest_rate=0.5");
    CHECK_STATUS(hf_recipe_check(&recipe), HF_ERR_ARGUMENT, "train.lowest_rate: found 0.5, expected at most");
    SET("train.warmup_epochs=7", "train.lowest_rate=0.25");
    CHECK_OK(hf_recipe_check(&recipe));
    SET("train.patience=2");
    CHECK_STATUS(hf_run_check_selecting(&recipe, 0), HF_ERR_ARGUMENT, "train.patience needs validation subjects");
    CHECK_OK(hf_run_check_selecting(&recipe, 1));
    SET("train.schedule=plateau");
    CHECK_STATUS(hf_run_check_selecting(&recipe, 0), HF_ERR_ARGUMENT, "train.schedule plateau needs validation");
    SET("train.schedule=cosine");
    CHECK_OK(hf_run_check_selecting(&recipe, 0));
    CHECK_STATUS(hf_recipe_set(&recipe, "train.clip_norm=-1"), HF_ERR_ARGUMENT, "train.clip_norm");
    CHECK_STATUS(hf_recipe_set(&recipe, "train.decay=1"), HF_ERR_ARGUMENT, "train.decay");
    CHECK_STATUS(hf_recipe_set(&recipe, "train.decay_epochs=0"), HF_ERR_ARGUMENT, "train.decay_epochs");
    CHECK_STATUS(hf_recipe_set(&recipe, "train.schedule=linear"), HF_ERR_ARGUMENT,
                 "expected one of: constant, step, cosine, plateau");
}

/* A run may be given another patience when it is resumed, and more epochs but for cosine, whose steps know the end. */
static void test_resumed(void)
{
    hf_recipe was;
    SET("train.schedule=step");
    CHECK_OK(hf_recipe_copy(&was, &recipe));
    CHECK_OK(hf_recipe_set(&recipe, "train.patience=9"));
    CHECK_OK(hf_recipe_set(&recipe, "train.epochs=9"));
    CHECK_OK(hf_recipe_continues(&was, &recipe));
    CHECK_OK(hf_recipe_set(&recipe, "train.decay=0.3"));
    CHECK_STATUS(hf_recipe_continues(&was, &recipe), HF_ERR_ARGUMENT, "train.decay");
    hf_recipe_free(&was);
}

int main(void)
{
    test_rates();
    test_plateau();
    test_patience();
    test_refused();
    test_resumed();
    hf_recipe_free(&recipe);
    return check_done("schedule");
}
