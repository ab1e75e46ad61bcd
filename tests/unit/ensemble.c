/* Checks ensembles of class probabilities against worked examples (the entropy-weighted one of the HyperFusion paper's
 * equations 7 and 8), means of numbers, the choice of the best, and calibration by hand. */
#include "check.h"
#include "metrics/calibration.h"
#include "metrics/ensemble.h"

enum { MODELS = 3, CLASSES = 3, SUBJECTS = 2 };
/* [models,subjects,classes]; the second subject has a model that is certain. */
static const double probability[] = { .7, .2, .1, 0, 1, 0, .4, .35, .25, .3, 0, .7, .1, .1, .8, .2, 0, .8 };

static void check_row(const double *found, double a, double b, double c)
{
    CHECK_NEAR(found[0], a, 1e-6);
    CHECK_NEAR(found[1], b, 1e-6);
    CHECK_NEAR(found[2], c, 1e-6);
}

static void test_kinds(void)
{
    double out[SUBJECTS * CLASSES];
    CHECK_OK(hf_ensemble_classes(out, probability, MODELS, SUBJECTS, CLASSES, HF_ENSEMBLE_ENTROPY));
    check_row(out, 0.374499, 0.195273, 0.430228);
    CHECK(out[4] > 0.9999 && out[3] < 1e-4); /* all weight on the model that is certain */
    CHECK_OK(hf_ensemble_classes(out, probability, MODELS, SUBJECTS, CLASSES, HF_ENSEMBLE_MEAN));
    check_row(out, 0.4, 0.65 / 3, 1.15 / 3);
    CHECK_OK(hf_ensemble_classes(out, probability, MODELS, SUBJECTS, CLASSES, HF_ENSEMBLE_VOTE));
    check_row(out, 0.333689 + 0.247618, 0, 0.418693);
    CHECK_OK(hf_ensemble_classes(out, probability, MODELS, SUBJECTS, CLASSES, HF_ENSEMBLE_CONFIDENT));
    check_row(out, .1, .1, .8);
    check_row(out + CLASSES, 0, 1, 0);
}

static void test_names(void)
{
    hf_ensemble kind;
    CHECK_OK(hf_ensemble_find(&kind, "entropy"));
    CHECK(kind == HF_ENSEMBLE_ENTROPY);
    CHECK_STATUS(hf_ensemble_find(&kind, "entrpy"), HF_ERR_ARGUMENT, "did you mean 'entropy'?");
}

static void test_refusals(void)
{
    const double bad[] = { .5, 1.5 };
    double out[2];
    CHECK_STATUS(hf_ensemble_classes(out, bad, 1, 1, 2, HF_ENSEMBLE_MEAN), HF_ERR_NUMBER, "probability 1 is 1.5");
    CHECK_STATUS(hf_ensemble_classes(out, bad, 0, 1, 2, HF_ENSEMBLE_MEAN), HF_ERR_ARGUMENT, "0 models");
}

static void test_numbers(void)
{
    const double predicted[] = { 60, 70, 64, 71 };
    double out[2];
    hf_ensemble_numbers(out, predicted, 2, 2);
    CHECK(out[0] == 62 && out[1] == 70.5);
}

static void test_best(void)
{
    const double score[] = { .6, .8, NAN, .7, .8, .5 };
    int best[5];
    CHECK_OK(hf_best_of(best, 3, score, 6, true));
    CHECK(best[0] == 1 && best[1] == 4 && best[2] == 3);
    CHECK_OK(hf_best_of(best, 2, score, 6, false));
    CHECK(best[0] == 5 && best[1] == 0);
    CHECK_OK(hf_best_of(best, 5, score, 6, true));
    CHECK(best[4] == 5);
    CHECK_STATUS(hf_best_of(best, 5, score, 4, true), HF_ERR_ARGUMENT, "only 3 are numbers");
}

static void test_calibration(void)
{
    const double p[] = { .7, .3, .65, .35, .2, .8, 1, 0 };
    const double label[] = { 0, 1, 1, 0 }, wrong[] = { 2 };
    hf_scored s = { 4, 1, 2, label, p };
    hf_calibration c;
    double value;
    CHECK_OK(hf_calibration_of(&c, &s, NULL, 4));
    CHECK(c.bin[6].count == 2 && c.bin[7].count == 1 && c.bin[9].count == 1 && c.bin[0].count == 0);
    CHECK_NEAR(c.bin[6].confidence, .675, 1e-15);
    CHECK_NEAR(c.bin[6].accuracy, .5, 1e-15);
    CHECK(isnan(c.bin[0].accuracy));
    CHECK_NEAR(c.ece, (2 * .175 + .2 + 0) / 4, 1e-15);
    CHECK_NEAR(c.brier, (2 * .09 + 2 * .4225 + 2 * .04 + 0) / 4, 1e-15);
    CHECK_OK(hf_metric_of(&value, hf_metric_find("ece"), 0, &s, NULL, 4));
    CHECK(value == c.ece);
    CHECK_OK(hf_metric_of(&value, hf_metric_find("brier"), 0, &s, NULL, 4));
    CHECK(value == c.brier);
    CHECK_OK(hf_calibration_of(&c, &s, (const int[]){ 3, 2, 3 }, 3));
    CHECK_NEAR(c.brier, 0.08 / 3, 1e-15);
    CHECK_STATUS(hf_calibration_of(&c, &s, NULL, 0), HF_ERR_ARGUMENT, "0 subjects");
    s.truth = wrong;
    CHECK_STATUS(hf_calibration_of(&c, &s, NULL, 1), HF_ERR_ARGUMENT, "subject 0 is 2");
    s = (hf_scored){ 1, 1, 2, label, (const double[]){ 1.5, 0 } };
    CHECK_STATUS(hf_calibration_of(&c, &s, NULL, 1), HF_ERR_NUMBER, "probability 0 of subject 0 is 1.5");
}

int main(void)
{
    test_kinds();
    test_names();
    test_refusals();
    test_numbers();
    test_best();
    test_calibration();
    return check_done("ensemble");
}
