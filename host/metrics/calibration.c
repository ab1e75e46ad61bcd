/* calibration.c: the reliability curve, its error (Guo et al. 2017), and Brier's score (1950, summed over classes). */
#include "calibration.h"

#include <math.h>

static int top_class(const double *p, int classes)
{
    int top = 0;
    for (int c = 1; c < classes; c++)
        if (p[c] > p[top]) top = c;
    return top;
}

static int bin_of(double confidence)
{
    const int bin = (int)ceil(confidence * HF_CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin < HF_CALIBRATION_BINS ? bin : HF_CALIBRATION_BINS - 1;
}

static hf_status check_subject(const double *p, int label, int subject, int classes)
{
    if (label < 0 || label >= classes)
        return hf_fail(HF_ERR_ARGUMENT, "calibration: the label of subject %d is %d, expected 0 to %d", subject, label,
                       classes - 1);
    for (int c = 0; c < classes; c++)
        if (!(p[c] >= 0 && p[c] <= 1))
            return hf_fail(HF_ERR_NUMBER, "calibration: probability %d of subject %d is %g, expected from 0 to 1", c,
                           subject, p[c]);
    return HF_OK;
}

/* Sums while counting; finish() makes means of them. */
static void add(hf_calibration *sums, const double *p, int label, int classes)
{
    const int top = top_class(p, classes);
    hf_calibration_bin *bin = &sums->bin[bin_of(p[top])];
    bin->count++;
    bin->confidence += p[top];
    bin->accuracy += top == label;
    for (int c = 0; c < classes; c++)
        sums->brier += (p[c] - (c == label)) * (p[c] - (c == label));
}

static void finish(hf_calibration *sums, int count)
{
    sums->brier /= count;
    for (int b = 0; b < HF_CALIBRATION_BINS; b++) {
        hf_calibration_bin *bin = &sums->bin[b];
        sums->ece += fabs(bin->accuracy - bin->confidence) / count;
        bin->accuracy = bin->count ? bin->accuracy / bin->count : NAN;
        bin->confidence = bin->count ? bin->confidence / bin->count : NAN;
    }
}

hf_status hf_calibration_of(hf_calibration *out, const double *probability, const int *label, int count, int classes)
{
    hf_calibration sums = { 0 };
    if (count < 1) return hf_fail(HF_ERR_ARGUMENT, "calibration of %d subjects: at least one is needed", count);
    for (int i = 0; i < count; i++) {
        const double *p = probability + (size_t)i * (size_t)classes;
        HF_TRY(check_subject(p, label[i], i, classes));
        add(&sums, p, label[i], classes);
    }
    finish(&sums, count);
    *out = sums;
    return HF_OK;
}
