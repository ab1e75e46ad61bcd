/* residuals.c: how far off the weights of a checkpoint are on the validation subjects, kept with the weights, and the
 * prediction interval that follows. Validation subjects did not train, but they chose the epoch, so the interval is a
 * little too narrow; test subjects are not touched. */
#include "judge.h"
#include "watch.h"
#include <math.h>
#include <stdlib.h>

#define TENSOR "run.residuals"

/* The float that is not below. */
static float round_up(double x)
{
    const float nearest = (float)x;
    return nearest < x ? nextafterf(nearest, INFINITY) : nearest;
}

void hf_run_residuals(float *out, const hf_scored *scored, const hf_target *target)
{
    for (int i = 0; i < scored->count; i++)
        out[i] =
            round_up(target->goal->error(target, scored->truth + i * scored->T, scored->predicted + i * scored->P));
    qsort(out, (size_t)scored->count, sizeof *out, hf_compare_floats);
}

hf_status hf_run_residuals_save(hf_archive *archive, const float *residuals, int count)
{
    return count ? hf_archive_add(archive, TENSOR, HF_F32, HF_SHAPE(count), residuals) : HF_OK;
}

static const float *find(int *count, const hf_archive *archive)
{
    const hf_entry *entry = hf_archive_find(archive, TENSOR);
    const bool good = entry && entry->type == HF_F32 && entry->shape.rank == 1 && entry->shape.dim[0] <= INT32_MAX;
    *count = good ? (int)entry->shape.dim[0] : 0;
    return good ? entry->data : NULL;
}

double hf_run_margin(const hf_archive *archive, const hf_target *target)
{
    int count;
    const float *residual = find(&count, archive);
    const int rank = hf_conformal_rank(count, HF_INTERVAL_PERCENT);
    return target->goal->interval && rank ? (double)residual[rank - 1] : NAN;
}

void hf_run_say_no_margin(const hf_archive *archive, const hf_target *target, const hf_watch *watch)
{
    int count;
    if (!target->goal->interval || !isnan(hf_run_margin(archive, target))) return;
    find(&count, archive);
    hf_watch_say(
        watch, "no %d %% prediction interval: the checkpoint keeps the errors of %d validation subjects, %d are needed",
        HF_INTERVAL_PERCENT, count, hf_conformal_least(HF_INTERVAL_PERCENT));
}
