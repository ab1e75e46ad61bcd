/* classes.c: metrics of classes, from their probabilities. Means over classes are over those that the subjects at hand have
 * (balanced accuracy), or have or were taken for (precision, F1): what scikit-learn does when it is told nothing else. */
#include "sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int hf_most_probable(const double *predicted, int P)
{
    int best = 0;
    for (int k = 1; k < P; k++)
        if (predicted[k] > predicted[best]) best = k;
    return best;
}

void hf_confusion(int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES], const hf_scored *s, const int *index, int n)
{
    memset(counts, 0, sizeof(int64_t) * HF_MAX_CLASSES * HF_MAX_CLASSES);
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i);
        const int truth = (int)s->truth[at * (size_t)s->T];
        counts[truth][hf_most_probable(s->predicted + at * (size_t)s->P, s->P)]++;
    }
}

/* What is counted for one class. */
typedef struct tally {
    double hits, actual, predicted; /* subjects of the class taken for it, subjects of it, subjects taken for it */
} tally;

static void count_classes(tally *of, const hf_scored *s, const int *index, int n)
{
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    hf_confusion(counts, s, index, n);
    memset(of, 0, HF_MAX_CLASSES * sizeof *of);
    for (int row = 0; row < s->P; row++)
        for (int column = 0; column < s->P; column++) {
            of[row].actual += (double)counts[row][column];
            of[column].predicted += (double)counts[row][column];
            if (row == column) of[row].hits += (double)counts[row][column];
        }
}

static double recall_of(const tally *t)
{
    return t->actual > 0 ? t->hits / t->actual : NAN;
}

/* 0 for a class that nobody was taken for; NaN when nobody is of it either. */
static double precision_of(const tally *t)
{
    if (t->predicted > 0) return t->hits / t->predicted;
    return t->actual > 0 ? 0 : NAN;
}

static double f1_of(const tally *t)
{
    return t->actual + t->predicted > 0 ? 2 * t->hits / (t->actual + t->predicted) : NAN;
}

/* The mean of a quantity over the classes that have it. */
static double over_classes(const hf_scored *s, const int *index, int n, double (*of)(const tally *t))
{
    tally t[HF_MAX_CLASSES];
    double sum = 0;
    int classes = 0;
    count_classes(t, s, index, n);
    for (int k = 0; k < s->P; k++) {
        const double value = of(&t[k]);
        if (isnan(value)) continue;
        sum += value;
        classes++;
    }
    return classes ? sum / classes : NAN;
}

static double balanced_accuracy(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    (void)k, (void)scratch;
    return over_classes(s, index, n, recall_of);
}

static double precision(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    (void)k, (void)scratch;
    return over_classes(s, index, n, precision_of);
}

static double f1(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    (void)k, (void)scratch;
    return over_classes(s, index, n, f1_of);
}

static double recall(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    tally t[HF_MAX_CLASSES];
    (void)scratch;
    count_classes(t, s, index, n);
    return recall_of(&t[k]);
}

/* Where everybody has one class and is taken for one, this is micro-averaged F1 as well. */
static double accuracy(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    double hits = 0;
    tally t[HF_MAX_CLASSES];
    (void)k, (void)scratch;
    count_classes(t, s, index, n);
    for (int class = 0; class < s->P; class ++)
        hits += t[class].hits;
    return hits / n;
}

/* ---- area under the curve ---------------------------------------------------------------------------------------- */

typedef struct ranked {
    double score, positive; /* positive: 1 or 0 */
} ranked;

static int by_score(const void *a, const void *b)
{
    return hf_compare_numbers(&((const ranked *)a)->score, &((const ranked *)b)->score);
}

/* One class against the rest: the probability that a subject of it scores above one of the rest, ties counting half
 * (Mann and Whitney's U over the number of pairs, from mid-ranks). */
static double auc_of(const hf_scored *s, const int *index, int n, int k, ranked *r)
{
    double positives = 0, ranks = 0;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i);
        r[i] = (ranked){ s->predicted[at * (size_t)s->P + (size_t)k], s->truth[at * (size_t)s->T] == k };
        positives += r[i].positive;
    }
    qsort(r, (size_t)n, sizeof *r, by_score);
    for (int first = 0, end; first < n; first = end) {
        double tied = 0;
        for (end = first; end < n && r[end].score == r[first].score; end++)
            tied += r[end].positive;
        ranks += tied * (first + 1 + end) / 2;
    }
    const double pairs = positives * (n - positives);
    return pairs > 0 ? (ranks - positives * (positives + 1) / 2) / pairs : NAN;
}

static double auc(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    double sum = 0;
    int classes = 0;
    for (k = 0; k < s->P; k++) {
        const double value = auc_of(s, index, n, k, (ranked *)(void *)scratch);
        if (isnan(value)) continue;
        sum += value;
        classes++;
    }
    return classes ? sum / classes : NAN;
}

/* ---- classes in an order ----------------------------------------------------------------------------------------- */

static double rank_mae(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    double sum = 0;
    (void)k, (void)scratch;
    hf_confusion(counts, s, index, n);
    for (int i = 0; i < s->P * s->P; i++)
        sum += (double)counts[i / s->P][i % s->P] * abs(i / s->P - i % s->P);
    return sum / n;
}

/* Cohen's, disagreement weighing as the square of the distance: 1 less what there is over what chance would give; NaN
 * where all are of one class and taken for it. */
static double kappa(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    tally t[HF_MAX_CLASSES];
    double found = 0, chance = 0;
    (void)k, (void)scratch;
    hf_confusion(counts, s, index, n);
    count_classes(t, s, index, n);
    for (int row = 0; row < s->P; row++)
        for (int column = 0; column < s->P; column++) {
            const double square = (row - column) * (row - column);
            found += square * (double)counts[row][column];
            chance += square * t[row].actual * t[column].predicted / n;
        }
    return chance > 0 ? 1 - found / chance : NAN;
}

const hf_metric hf_metrics_of_classes[] = {
    { "balanced_accuracy", "BA", "balanced accuracy", HF_UNIT_NONE, HF_HIGHER, false, 3, balanced_accuracy },
    { "precision", "PRC", "precision, mean over classes", HF_UNIT_NONE, HF_HIGHER, false, 3, precision },
    { "f1", "F1", "F1, mean over classes", HF_UNIT_NONE, HF_HIGHER, false, 3, f1 },
    { "f1_micro", "F1 micro", "F1 over all decisions", HF_UNIT_NONE, HF_HIGHER, false, 3, accuracy },
    { "auc", "AUC", "area under the curve, each class against the rest, mean over classes", HF_UNIT_NONE, HF_HIGHER,
      false, 3, auc },
    { "accuracy", "ACC", "accuracy", HF_UNIT_NONE, HF_HIGHER, false, 3, accuracy },
    { "recall", "recall", "recall of each class", HF_UNIT_NONE, HF_HIGHER, true, 3, recall },
    { "ece", "ECE", "expected calibration error", HF_UNIT_NONE, HF_LOWER, false, 3, hf_ece },
    { "brier", "Brier", "Brier score, summed over classes", HF_UNIT_NONE, HF_LOWER, false, 3, hf_brier },
    { "rank_mae", "rank MAE", "mean distance of the most probable class", HF_UNIT_NONE, HF_LOWER, false, 3, rank_mae },
    { "kappa", "kappa", "quadratic weighted kappa", HF_UNIT_NONE, HF_HIGHER, false, 3, kappa },
    { 0 },
};
