/* guard.c: is a volume like those the network was trained on? Its thumbnail's correlation with the mean thumbnail of the
 * training volumes is compared with what those reach themselves. Wrong orientation, a missing skull strip, noise or
 * another organ fall far below. The limit is robust, so that a few bad scans among the training volumes do not move it;
 * how many of them it would flag is kept, and a report says so. */
#include "guard.h"
#include <math.h>
#include <stdlib.h>

#define MAX_SUBJECTS 256  /* the mean does not get better with more */
#define SPREADS      6    /* robust standard deviations below the median */
#define LEAST_MARGIN 0.02 /* below the median, where all agree almost perfectly */

double hf_guard_correlation(const hf_guard *guard, const float *volume, const int shape[3])
{
    float cells[HF_THUMBNAIL_CELLS];
    hf_thumbnail(cells, volume, shape);
    return hf_thumbnail_correlation(guard->mean, cells);
}

/* From the thumbnails [used][HF_THUMBNAIL_CELLS]; room[2][used]. */
static void summarise(hf_guard *out, const float *cells, int used, double *room)
{
    double spread, *r = room, *sorted = room + used;
    for (int i = 0; i < HF_THUMBNAIL_CELLS; i++) {
        double total = 0;
        for (int k = 0; k < used; k++)
            total += cells[(size_t)k * HF_THUMBNAIL_CELLS + (size_t)i];
        out->mean[i] = (float)(total / used);
    }
    for (int k = 0; k < used; k++) {
        r[k] = hf_thumbnail_correlation(out->mean, cells + (size_t)k * HF_THUMBNAIL_CELLS);
        if (!isfinite(r[k])) r[k] = 0;
        sorted[k] = r[k];
    }
    hf_robust(&out->typical, &spread, sorted, used);
    out->lowest = out->typical - fmax(SPREADS * spread, LEAST_MARGIN);
    out->checked = used;
    out->flagged = 0;
    for (int k = 0; k < used; k++)
        out->flagged += r[k] < out->lowest;
}

hf_status hf_guard_fit(hf_guard *out, const hf_dataset *dataset, const int *index, int count)
{
    hf_status status;
    float *volume = NULL, *cells = NULL;
    double *room = NULL;
    const int *shape = hf_dataset_shape(dataset);
    const int used = count < MAX_SUBJECTS ? count : MAX_SUBJECTS;
    HF_TRY_OUT(hf_alloc(&volume, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof *volume, "a volume"));
    HF_TRY_OUT(hf_alloc(&cells, (size_t)used * HF_THUMBNAIL_CELLS, sizeof *cells, "thumbnails"));
    HF_TRY_OUT(hf_alloc(&room, 2 * (size_t)used, sizeof *room, "correlations"));
    for (int k = 0; k < used; k++) { /* evenly over the list */
        const int subject = index[(int64_t)k * count / used];
        HF_TRY_OUT(hf_dataset_get(dataset, subject, volume, NULL, NULL));
        hf_thumbnail(cells + (size_t)k * HF_THUMBNAIL_CELLS, volume, shape);
    }
    summarise(out, cells, used, room);
out:
    free(volume);
    free(cells);
    free(room);
    return status;
}
