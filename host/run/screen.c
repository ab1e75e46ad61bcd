/* screen.c: what speaks against predicting for a subject. A network answers whatever it is asked; an answer is worth
 * something where the question is like those it was trained on. So a row with numbers outside of the training range and a
 * volume unlike the training ones are said, and refused by who is strict. */
#include "guard.h"
#include "judge.h"
#include "watch.h"
#include <math.h>
#include <stdlib.h>

#define MAX_SAID 5 /* subjects named one by one; more are counted */

static void begin_reason(hf_text *out)
{
    if (out->size) hf_text_add(out, "; ");
}

void hf_run_doubts(hf_text *out, const hf_run_fixed *fixed, const hf_outside *outside, int n_outside,
                   const float *volume)
{
    for (int i = 0; i < n_outside; i++) {
        begin_reason(out);
        hf_text_add(out, "'%s' is %g, outside of %g to %g, the range of the training rows", outside[i].column,
                    outside[i].value, outside[i].low, outside[i].high);
    }
    if (!isfinite(fixed->guard.typical)) return; /* weights from elsewhere come without training volumes */
    const double r = hf_guard_correlation(&fixed->guard, volume, fixed->shape);
    if (r >= fixed->guard.lowest) return;
    begin_reason(out);
    hf_text_add(out,
                "looks unlike the training volumes (correlation with their mean %.2f, theirs %.2f): is it brain "
                "extracted, and its orientation right?",
                r, fixed->guard.typical);
}

static hf_status doubts_about(hf_text *out, const hf_run_data *data, const hf_run_fixed *fixed, int subject,
                              float *volume)
{
    hf_outside outside[HF_MAX_FEATURES];
    const int n_outside = hf_encoder_outside(outside, &fixed->encoder, &data->cohort, subject);
    HF_TRY(hf_dataset_get(data->dataset, subject, volume, NULL, NULL));
    hf_run_doubts(out, fixed, outside, n_outside, volume);
    return hf_text_check(out);
}

/* keep[count of the part]; how many there are doubts about is *doubted. */
static hf_status screen(bool *keep, int *doubted, hf_run_data *data, hf_part part, const hf_run_fixed *fixed,
                        bool strict, float *volume, const hf_watch *watch)
{
    for (int i = 0; i < data->count[part]; i++) {
        const int subject = data->index[data->first[part] + i];
        const char *id = data->cohort.subject[subject].id;
        hf_text doubts = { 0 };
        hf_status status = doubts_about(&doubts, data, fixed, subject, volume);
        keep[i] = !strict || !doubts.size;
        if (status == HF_OK && doubts.size && (*doubted)++ < MAX_SAID)
            hf_watch_say(watch, "%s: '%s': %s", strict ? "left out" : "warning", id, doubts.data);
        if (status == HF_OK && !keep[i]) status = hf_cohort_problem(&data->cohort, true, id, "%s", doubts.data);
        hf_text_free(&doubts);
        HF_TRY(status);
    }
    return HF_OK;
}

hf_status hf_run_screen(hf_run_data *data, hf_part part, const hf_run_fixed *fixed, bool strict, const hf_watch *watch)
{
    const int *shape = fixed->shape, count = data->count[part];
    const char *what = strict ? "left out" : "warning";
    float *volume = NULL;
    bool *keep = NULL;
    int doubted = 0;
    hf_status status;
    HF_TRY_OUT(hf_alloc(&volume, (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2], sizeof *volume, "a volume"));
    HF_TRY_OUT(hf_alloc(&keep, (size_t)count, sizeof *keep, "subjects"));
    HF_TRY_OUT(screen(keep, &doubted, data, part, fixed, strict, volume, watch));
    if (doubted > MAX_SAID)
        hf_watch_say(watch, "%s: %d subjects in all are unlike those of the training", what, doubted);
    hf_run_data_keep(data, part, keep);
out:
    free(volume);
    free(keep);
    return status;
}
