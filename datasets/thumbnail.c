/* thumbnail.c: volumes in 16 x 16 x 16 numbers, and limits that outliers do not widen. Wrong orientation, a missing skull
 * strip, another organ or noise agree badly with what is typical, however coarse the picture. */
#include "hfdata.h"

#include <math.h>
#include <stdlib.h>

#define SIDE  HF_THUMBNAIL_SIDE
#define CELLS HF_THUMBNAIL_CELLS

/* Mean of one block; blocks of an image smaller than the grid overlap, all others do not. */
static double block_mean(const float *voxels, const int shape[3], const int cell[3])
{
    size_t from[3], to[3];
    for (int axis = 0; axis < 3; axis++) {
        size_t n = (size_t)shape[axis], at = (size_t)cell[axis];
        from[axis] = at * n / SIDE;
        to[axis] = (at + 1) * n / SIDE;
        if (to[axis] == from[axis]) to[axis]++;
    }
    double sum = 0;
    size_t h_size = (size_t)shape[1], w_size = (size_t)shape[2];
    for (size_t d = from[0]; d < to[0]; d++)
        for (size_t h = from[1]; h < to[1]; h++)
            for (size_t w = from[2]; w < to[2]; w++)
                sum += voxels[(d * h_size + h) * w_size + w];
    return sum / (double)((to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]));
}

/* Zero mean and unit variance; a constant becomes zeros. */
static void standardise(float *x, int n)
{
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++)
        mean += x[i];
    mean /= n;
    for (int i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    double factor = squares > 0 ? sqrt(n / squares) : 0;
    for (int i = 0; i < n; i++)
        x[i] = (float)((x[i] - mean) * factor);
}

void hf_thumbnail(float cells[HF_THUMBNAIL_CELLS], const float *voxels, const int shape[3])
{
    for (int i = 0; i < CELLS; i++) {
        const int cell[3] = { i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE };
        cells[i] = (float)block_mean(voxels, shape, cell);
    }
    standardise(cells, CELLS);
}

double hf_thumbnail_correlation(const float *a, const float *b)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < CELLS; i++) {
        mean_a += a[i] / (double)CELLS;
        mean_b += b[i] / (double)CELLS;
    }
    for (int i = 0; i < CELLS; i++) {
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
        ab += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return ab / sqrt(aa * bb);
}

/* ---- robust limits ----------------------------------------------------------------------------------------------- */

static double middle_of(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, hf_compare_numbers);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

void hf_robust(double *median, double *sd, double *values, int count)
{
    const double to_sd = 1.4826;
    *median = middle_of(values, count);
    for (int i = 0; i < count; i++)
        values[i] = fabs(values[i] - *median);
    *sd = to_sd * middle_of(values, count);
}
