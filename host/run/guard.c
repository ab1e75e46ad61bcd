/* guard.c: is a volume like those the network was trained on? Both are averaged into 16^3 cells; the
 * correlation with the mean training volume is compared with what the training volumes reach themselves. Wrong
 * orientation, a missing skull strip or another organ fall far below. */
#include "parts.h"
#include <math.h>
#include <stdlib.h>

#define MAX_SUBJECTS 256  /* the mean does not get better with more */
#define MARGIN       0.02 /* below the least typical training volume, at least */
#define SPREADS      6    /* standard deviations below the mean correlation, at least */

static void coarsen(float *cells, const float *volume, const int shape[3])
{
    double sum[HF_GUARD_CELLS] = { 0 };
    int count[HF_GUARD_CELLS] = { 0 };
    for (int d = 0; d < shape[0]; d++)
        for (int h = 0; h < shape[1]; h++) {
            const int row =
                (d * HF_GUARD_SIDE / shape[0] * HF_GUARD_SIDE + h * HF_GUARD_SIDE / shape[1]) * HF_GUARD_SIDE;
            for (int w = 0; w < shape[2]; w++) {
                const int cell = row + w * HF_GUARD_SIDE / shape[2];
                sum[cell] += *volume++;
                count[cell]++;
            }
        }
    for (int i = 0; i < HF_GUARD_CELLS; i++)
        cells[i] = count[i] ? (float)(sum[i] / count[i]) : 0;
}

static double correlation(const float *a, const float *b)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < HF_GUARD_CELLS; i++) {
        mean_a += a[i] / (double)HF_GUARD_CELLS;
        mean_b += b[i] / (double)HF_GUARD_CELLS;
    }
    for (int i = 0; i < HF_GUARD_CELLS; i++) {
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
        ab += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return ab / sqrt(aa * bb);
}

double hf_guard_correlation(const hf_guard *guard, const float *volume, const int shape[3])
{
    float cells[HF_GUARD_CELLS];
    coarsen(cells, volume, shape);
    return correlation(guard->mean, cells);
}

static void summarise(hf_guard *out, const float *cells, int used)
{
    double sum = 0, squares = 0, lowest = 1;
    for (int i = 0; i < HF_GUARD_CELLS; i++) {
        double total = 0;
        for (int k = 0; k < used; k++)
            total += cells[(size_t)k * HF_GUARD_CELLS + (size_t)i];
        out->mean[i] = (float)(total / used);
    }
    for (int k = 0; k < used; k++) {
        const double r = correlation(out->mean, cells + (size_t)k * HF_GUARD_CELLS);
        sum += r;
        squares += r * r;
        if (r < lowest) lowest = r;
    }
    out->typical = sum / used;
    const double spread = sqrt(fmax(squares / used - out->typical * out->typical, 0));
    out->lowest = fmin(lowest - MARGIN, out->typical - SPREADS * spread);
}

hf_status hf_guard_fit(hf_guard *out, const hf_dataset *dataset, const int *index, int count)
{
    hf_status status;
    float *volume = NULL, *cells = NULL;
    const int *shape = hf_dataset_shape(dataset);
    const int used = count < MAX_SUBJECTS ? count : MAX_SUBJECTS;
    HF_TRY_OUT(hf_alloc(&volume, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof *volume, "a volume"));
    HF_TRY_OUT(hf_alloc(&cells, (size_t)used * HF_GUARD_CELLS, sizeof *cells, "coarse volumes"));
    for (int k = 0; k < used; k++) { /* evenly over the list */
        const int subject = index[(int64_t)k * count / used];
        HF_TRY_OUT(hf_dataset_get(dataset, subject, volume, NULL, NULL));
        coarsen(cells + (size_t)k * HF_GUARD_CELLS, volume, shape);
    }
    summarise(out, cells, used);
out:
    free(volume);
    free(cells);
    return status;
}
