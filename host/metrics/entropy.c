/* entropy.c: entropies of histograms over one common range. */
#include "entropy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct range {
    double low, high;
} range;

static hf_status find_range(range *out, const double *loss, int count)
{
    *out = (range){ INFINITY, -INFINITY };
    for (int i = 0; i < count; i++) {
        if (!isfinite(loss[i])) return hf_fail(HF_ERR_NUMBER, "loss %d is %g, expected a finite number", i, loss[i]);
        out->low = fmin(out->low, loss[i]);
        out->high = fmax(out->high, loss[i]);
    }
    return HF_OK;
}

static int bin_of(const range *r, double loss, int bins)
{
    if (r->high <= r->low) return 0;
    const int bin = (int)floor((loss - r->low) / (r->high - r->low) * bins);
    return bin < bins ? bin : bins - 1;
}

static double entropy(const int *count, int bins, int draws)
{
    double bits = 0;
    for (int b = 0; b < bins; b++) {
        const double p = (double)count[b] / draws;
        bits -= p > 0 ? p * log2(p) : 0;
    }
    return bits;
}

hf_status hf_loss_entropy(double *bits, const double *loss, int layers, int draws, int bins)
{
    range all;
    int *count;
    if (layers < 1 || draws < 1 || bins < 1)
        return hf_fail(HF_ERR_ARGUMENT, "entropy of %d layers, %d draws, %d bins: at least 1 of each is needed", layers,
                       draws, bins);
    HF_TRY(find_range(&all, loss, layers * draws));
    HF_TRY(hf_alloc(&count, (size_t)bins, sizeof *count, "a histogram"));
    for (int l = 0; l < layers; l++) {
        memset(count, 0, (size_t)bins * sizeof *count);
        for (int d = 0; d < draws; d++)
            count[bin_of(&all, loss[l * draws + d], bins)]++;
        bits[l] = entropy(count, bins, draws);
    }
    free(count);
    return HF_OK;
}
