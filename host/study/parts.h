/* parts.h: what the files of this folder share.
 *
 *   members.c   which runs a study has
 *   crossval.c  trains them
 *   read.c      their results from files; ensemble.c makes ensembles of them, write.c tables
 *   ranks.c     one method against another over ensembles, paired.c on equal subjects, counts.c who was taken for what
 *   compare.c   these together, tables.c as text, pictures.c as plots and a page
 *   ablate.c    studies that differ by one setting */
#ifndef HF_STUDY_PARTS_H
#define HF_STUDY_PARTS_H

#include "sheet.h"
#include "study.h"

/* ---- ensembles --------------------------------------------------------------------------------------------------- */

/* Judges the models of a study, of which recipe, target, n_models and each one's `of`, `valid` and predictions are set, and
 * makes and judges its ensembles. */
hf_status hf_study_assemble(hf_study *study) HF_MUST_USE;
void hf_study_free_ensembles(hf_study *study);

/* out[count,P] from the predictions of `count` models by the recipe's crossval.ensemble; one model stays as it is.
 * HF_ERR_FORMAT when they are of different subjects. */
hf_status hf_study_combine(double *out, const hf_study *study, const hf_predictions *const *of, int count) HF_MUST_USE;

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* A metric of every outcome into values[count]. */
void hf_outcome_values(double *values, const hf_outcome *outcome, int count, int column);
/* Their mean and deviation. */
hf_status hf_outcome_spread(hf_spread *out, const hf_outcome *outcome, int count, int column) HF_MUST_USE;
/* "0.673 ± 0.012" with what follows; "-" without a mean. */
hf_status hf_sheet_spread(hf_sheet *sheet, int row, int column, const hf_spread *spread, int digits,
                          const char *behind) HF_MUST_USE;

/* ---- parts of a comparison --------------------------------------------------------------------------------------- */

hf_status hf_compare_ranks(hf_comparison *c) HF_MUST_USE;
hf_status hf_compare_pairs(hf_comparison *c, const hf_bootstrap *bootstrap) HF_MUST_USE;
hf_status hf_compare_counts(hf_comparison *c) HF_MUST_USE;

/* The tables of a comparison for people; what does not apply to its goal is left out. */
enum { HF_MAX_SHEETS = 5 };
hf_status hf_compare_sheets(hf_sheet sheet[HF_MAX_SHEETS], int *count, const hf_comparison *c) HF_MUST_USE;

/* The page, and the plots as files in a folder. */
hf_status hf_compare_page(const hf_comparison *c, hf_text *out) HF_MUST_USE;
hf_status hf_compare_pictures(const hf_comparison *c, const char *folder) HF_MUST_USE;

#endif
