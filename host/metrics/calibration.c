/* calibration.c: the reliability curve, its error (Guo et al. 2017), and Brier's score (1950, summed over classes). */
#include "calibration.h"
#include "sum.h"

#include <math.h>

static int bin_of(double confidence)
{
    const int bin = (int)ceil(confidence * HF_CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin < HF_CALIBRATION_BINS ? bin : HF_CALIBRATION_BINS - 1;
}

/* Sums while counting; finish() makes means of them. */
static void add(hf_calibration *sums, const double *p, int label, int classes)
{
    const int top = hf_most_probable(p, classes);
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

static hf_calibration calibrate(const hf_scored *s, const int *index, int n)
{
    hf_calibration sums = { 0 };
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i);
        add(&sums, s->predicted + at * (size_t)s->P, (int)s->truth[at * (size_t)s->T], s->P);
    }
    finish(&sums, n);
    return sums;
}

double hf_ece(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    (void)k, (void)scratch;
    return calibrate(s, index, n).ece;
}

double hf_brier(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    (void)k, (void)scratch;
    return calibrate(s, index, n).brier;
}

static hf_status check_subject(const hf_scored *s, size_t at)
{
    const double truth = s->truth[at * (size_t)s->T], *p = s->predicted + at * (size_t)s->P;
    if (!(truth >= 0 && truth < s->P && truth == floor(truth)))
        return hf_fail(HF_ERR_ARGUMENT,
                       "calibration: the true value of subject %zu is %g, expected a class from 0 to %d", at, truth,
                       s->P - 1);
    for (int c = 0; c < s->P; c++)
        if (!(p[c] >= 0 && p[c] <= 1))
            return hf_fail(HF_ERR_NUMBER, "calibration: probability %d of subject %zu is %g, expected from 0 to 1", c,
                           at, p[c]);
    return HF_OK;
}

hf_status hf_calibration_of(hf_calibration *out, const hf_scored *s, const int *index, int n)
{
    if (n < 1) return hf_fail(HF_ERR_ARGUMENT, "calibration of %d subjects: at least one is needed", n);
    for (int i = 0; i < n; i++)
        HF_TRY(check_subject(s, (size_t)(index ? index[i] : i)));
    *out = calibrate(s, index, n);
    return HF_OK;
}
