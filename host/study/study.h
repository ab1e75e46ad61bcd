/* study.h: many runs that answer one question, and what they say together.
 *
 * A study trains one recipe over split seeds, versions (other initial weights) and folds. Its folder holds
 *   recipe.yaml                                    the resolved recipe
 *   seed-S/version-V/fold-F/                       a run (run.h)
 *   seed-S/version-V/predictions-test.tsv          its folds together
 *   models.tsv                                     a row a run: its validation metric and its test metrics
 *   ensembles.tsv                                  a row for each seed and version
 * Folds that test on the same subjects, as in the published protocol, are one ensemble; folds that test on different ones
 * are put together, every subject judged by the model that was not trained on it.
 * Which runs there are is said by the recipe alone and fixed before the first one starts; every one is reported. */
#ifndef HF_STUDY_H
#define HF_STUDY_H

#include "run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One run of a study. */
typedef struct hf_member {
    int64_t seed;      /* of its split */
    int version, fold; /* versions count from 1, folds from 0 */
    char place[80];    /* "seed-0/version-1/fold-2" */
} hf_member;

/* The runs a recipe asks for (crossval.*), in order: seeds, versions within, folds within. Freed with free(). */
hf_status hf_study_members(hf_member **out, int *count, const hf_recipe *recipe) HF_MUST_USE;

/* The recipe of one run: split.seed, split.fold and train.seed (another for every run) are set. */
hf_status hf_study_recipe(hf_recipe *out, const hf_recipe *recipe, const hf_member *members, int index) HF_MUST_USE;

/* Trains what is not yet trained, in `folder`, then writes the tables. A study that was stopped in any way goes on where it
 * was, to the same bits. HF_ERR_ARGUMENT when the folder holds a study of another recipe. */
typedef struct hf_study_options {
    const char *device;
    hf_watch watch; /* progress is that of the whole study, in thousandths of a run */
} hf_study_options;
hf_status hf_study_run(const hf_recipe *recipe, const char *folder, const hf_study_options *options) HF_MUST_USE;

/* ---- results ----------------------------------------------------------------------------------------------------- */

/* What one run, or the folds of one seed and version together, say of the test subjects. */
typedef struct hf_outcome {
    hf_member of;                /* an ensemble: fold -1 */
    double valid;                /* the selecting metric on validation subjects; NaN for ensembles and without any */
    double test[HF_MAX_COLUMNS]; /* the goal's metrics */
    hf_predictions predictions;
} hf_outcome;

typedef struct hf_study {
    char *folder;
    hf_recipe recipe;
    hf_target target; /* of its first run: names of columns and classes */
    int n_columns, select;
    hf_column column[HF_MAX_COLUMNS];
    int n_models, n_ensembles;
    hf_outcome *model, *ensemble;
} hf_study;

/* Reads a finished study; HF_ERR_IO names a run that is missing. Freed with hf_study_free. */
hf_status hf_study_read(hf_study *out, const char *folder) HF_MUST_USE;
void hf_study_free(hf_study *study);

/* models.tsv and ensembles.tsv into its folder, and the predictions of ensembles. */
hf_status hf_study_write(const hf_study *study) HF_MUST_USE;

/* Mean and deviation of every metric over the ensembles, as a table for people. */
hf_status hf_study_text(const hf_study *study, hf_text *out) HF_MUST_USE;

/* ---- comparison -------------------------------------------------------------------------------------------------- */

typedef struct hf_compare_options {
    const char *const *name; /* [count] of the methods; NULL: their folders */
    const char *format;      /* "text", "tsv", "latex", "html"; NULL: text */
    hf_bootstrap bootstrap;  /* of differences */
} hf_compare_options;

/* Studies of one goal side by side; the first is what the others are compared with. Rows are methods: mean and deviation of
 * each metric over a study's ensembles, beside it the p value of Mann and Whitney's test that the first method is better
 * (one-sided) with Holm's correction over the whole table. A second table has paired differences on equal test subjects:
 * for every split seed all versions of a method make one ensemble, and the interval is that of the difference of the two
 * methods. HF_ERR_ARGUMENT when goals, columns or classes differ. */
hf_status hf_study_compare(const hf_study *studies, int count, const hf_compare_options *options,
                           hf_text *out) HF_MUST_USE;

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Layers by the entropy of their losses (30 bins over one common range, bits), most first, as a table with bars: candidates
 * for hyper layers. Formats as for hf_study_compare. */
hf_status hf_study_rank_layers(hf_text *out, const hf_layer_losses *losses, const char *format) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
