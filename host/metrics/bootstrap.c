/* bootstrap.c: intervals of any statistic.
 *
 * Resample b takes subjects i_1..i_n with replacement; the index of draw j of resample b is b*n + j of one random
 * stream, so neither order nor threads matter. */
#include "sum.h"

#include <math.h>
#include <stdlib.h>

enum { DEFAULT_RESAMPLES = 2000 };
#define LOW_QUANTILE  0.025
#define HIGH_QUANTILE 0.975

/* The statistic on every resample into value[resamples]; returns how many have one. `drawn` [n] is room. */
static int64_t resample(double *value, int64_t resamples, int *drawn, hf_statistic *statistic, void *user,
                        const int *index, int n, uint64_t seed)
{
    const uint64_t stream = hf_random_stream("bootstrap", (uint64_t)n, 0);
    int64_t usable = 0;
    for (int64_t b = 0; b < resamples; b++) {
        for (int j = 0; j < n; j++) {
            const double u = hf_random_uniform(seed, stream, (uint64_t)b * (uint64_t)n + (uint64_t)j);
            drawn[j] = index ? index[(int)(u * n)] : (int)(u * n);
        }
        const double found = statistic(user, drawn, n);
        if (!isnan(found)) value[usable++] = found;
    }
    return usable;
}

hf_status hf_bootstrap_interval(hf_interval *out, hf_statistic *statistic, void *user, const int *index, int n,
                                const hf_bootstrap *bootstrap)
{
    hf_status status;
    const int64_t resamples = bootstrap && bootstrap->resamples > 0 ? bootstrap->resamples : DEFAULT_RESAMPLES;
    double *value = NULL;
    int *drawn = NULL;
    if (n < 1) return hf_fail(HF_ERR_ARGUMENT, "a statistic of %d subjects: at least one is needed", n);
    HF_TRY_OUT(hf_alloc(&value, (size_t)resamples, sizeof *value, "bootstrap resamples"));
    HF_TRY_OUT(hf_alloc(&drawn, (size_t)n, sizeof *drawn, "bootstrap draws"));
    for (int i = 0; i < n; i++)
        drawn[i] = index ? index[i] : i;
    out->value = statistic(user, drawn, n);
    const int64_t usable =
        resample(value, resamples, drawn, statistic, user, index, n, bootstrap ? bootstrap->seed : 0);
    qsort(value, (size_t)usable, sizeof *value, hf_compare_numbers);
    out->low = usable ? hf_quantile(value, usable, LOW_QUANTILE) : NAN;
    out->high = usable ? hf_quantile(value, usable, HIGH_QUANTILE) : NAN;
out:
    free(value);
    free(drawn);
    return status;
}
