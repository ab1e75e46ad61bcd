/* judge.h: what is to be known before the answer of a trained network is believed: what speaks against asking it for a
 * subject (screen.c), whether it has learned from the subject (seen.c), and how far off it is on subjects that did not
 * train (residuals.c). */
#ifndef HF_RUN_JUDGE_H
#define HF_RUN_JUDGE_H

#include "data.h"
#include "learned.h"

/* What speaks against a prediction, added to `out`, nothing where nothing does: numbers of its table row outside of the
 * training range, and a volume [D,H,W] unlike the training volumes. */
void hf_run_doubts(hf_text *out, const hf_run_fixed *fixed, const hf_outside *outside, int n_outside,
                   const float *volume);
/* The same for all subjects of a part. Each that there are doubts about is said to `watch`; when `strict` it is a fatal
 * problem of the cohort, and taken out of the part. */
hf_status hf_run_screen(hf_run_data *data, hf_part part, const hf_run_fixed *fixed, bool strict,
                        const hf_watch *watch) HF_MUST_USE;

/* Which subjects of another cohort trained or validated in the run, into out->seen; how many is said to `watch`. Left NULL
 * where the run does not know its subjects. */
hf_status hf_run_mark_seen(hf_predictions *out, const hf_archive *archive, const char *folder, const hf_run_data *data,
                           const hf_watch *watch) HF_MUST_USE;

/* Absolute errors of the validation subjects, sorted, into out[count]; only for goals with intervals. */
void hf_run_residuals(float *out, const hf_scored *scored, const hf_target *target);
hf_status hf_run_residuals_save(hf_archive *archive, const float *residuals, int count) HF_MUST_USE;
/* Half the width of a prediction interval from the errors that a checkpoint keeps; NaN where there is none. */
double hf_run_margin(const hf_archive *archive, const hf_target *target);
/* Why there is none, where there could be one. */
void hf_run_say_no_margin(const hf_archive *archive, const hf_target *target, const hf_watch *watch);

#endif
