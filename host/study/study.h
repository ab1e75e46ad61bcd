/* study.h: many runs that answer one question, and what they say together.
 *
 * A study trains one recipe over split seeds, versions (other initial weights) and folds. Its folder holds
 *   recipe.yaml                                    the resolved recipe
 *   seed-S/version-V/fold-F/                       a run (run.h)
 *   seed-S/version-V/predictions-test.tsv          its folds together (seed-S/, when an ensemble is of versions)
 *   models.tsv                                     a row a run: its validation metric and its test metrics
 *   ensembles.tsv                                  a row an ensemble
 * An ensemble is of the folds of a seed and version, or of all versions of a seed (crossval.over). Models that test on the
 * same subjects, as in the published protocol, are combined; folds that test on different ones are put together, every
 * subject judged by the models that were not trained on it.
 * Which runs there are is said by the recipe alone and fixed before the first one starts; every one is reported. */
#ifndef HF_STUDY_H
#define HF_STUDY_H

#include "metrics/calibration.h"
#include "metrics/significance.h"
#include "run/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One run of a study. */
typedef struct hf_member {
    int64_t seed;      /* of its split */
    int version, fold; /* versions count from 1, folds from 0; an ensemble: -1 where it is of all */
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

/* What one run, or an ensemble, says of the test subjects. */
typedef struct hf_outcome {
    hf_member of;
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

/* Puts the models together by another rule than the recipe's, which the study's copy of the recipe then says; files stay as
 * they are. HF_ERR_ARGUMENT for a rule that recipes do not know. */
typedef struct hf_study_rule {
    const char *ensemble, *over; /* values of crossval.ensemble and crossval.over; NULL: as it is */
    int64_t best;                /* of crossval.best; 0: as it is */
} hf_study_rule;
hf_status hf_study_recombine(hf_study *study, const hf_study_rule *rule) HF_MUST_USE;

/* Every rule beside single models: mean and deviation of each metric, a row a rule, and with rule->best one more for the best
 * ones alone. None is chosen. The study is left with the last rule. */
hf_status hf_study_ensembles(hf_study *study, const hf_study_rule *rule, const char *format, hf_text *out) HF_MUST_USE;

/* models.tsv and ensembles.tsv into its folder, and the predictions of ensembles. */
hf_status hf_study_write(const hf_study *study) HF_MUST_USE;

/* Mean and deviation of every metric over the ensembles, as a table for people. */
hf_status hf_study_text(const hf_study *study, hf_text *out) HF_MUST_USE;

/* ---- comparison -------------------------------------------------------------------------------------------------- */

typedef struct hf_compare_options {
    const char *const *name; /* [count] of the methods; NULL: their folders */
    hf_bootstrap bootstrap;  /* of differences */
} hf_compare_options;

/* One metric of one method. */
typedef struct hf_compared {
    hf_spread test;               /* over its ensembles */
    double u;                     /* Mann and Whitney's U of the first method against this one */
    double better, better_holm;   /* p, one-sided: that the first method is better; with Holm's correction */
    double differs, differs_holm; /* p, two-sided */
} hf_compared;                    /* NaN for the first method, and where a metric has no direction or no value */

/* One method of a comparison. Spreads of classes are over its ensembles; the reliability curve is of all of them together. */
typedef struct hf_compared_method {
    const char *name;
    const hf_study *study;
    hf_spread valid; /* the selecting metric on validation subjects, over single models */
    hf_compared of[HF_MAX_COLUMNS];
    hf_spread count[HF_MAX_CLASSES][HF_MAX_CLASSES]; /* subjects of a class (row) taken for a class (column) */
    hf_spread share[HF_MAX_CLASSES][HF_MAX_CLASSES]; /* of the subjects of the class */
    hf_spread ece, brier;
    hf_calibration calibration;
} hf_compared_method;

/* A method minus the first one on equal test subjects: for a split seed all its ensembles are one. */
typedef struct hf_paired {
    int method;
    int64_t seed;
    int subjects;
    hf_interval of[HF_MAX_COLUMNS];
} hf_paired;

/* Studies of one goal side by side; the first is what the others are compared with. Holm's correction is over all metrics
 * of all other methods, for each alternative by itself. Methods tested on different subjects have no differences. Studies
 * and names must outlive it. */
typedef struct hf_comparison {
    int n_methods;
    hf_compared_method *method;
    int n_paired;
    hf_paired *paired;
} hf_comparison;

/* HF_ERR_ARGUMENT when goals or classes differ. Freed with hf_comparison_free. */
hf_status hf_comparison_make(hf_comparison *out, const hf_study *studies, int count,
                             const hf_compare_options *options) HF_MUST_USE;
void hf_comparison_free(hf_comparison *comparison);

/* Its tables: means with the corrected one-sided p beside them, all tests, differences, confusion matrices, calibration.
 * `format`: "text", "tsv", "latex", or "html", which is a page of its own with plots as well. NULL: text. */
hf_status hf_comparison_text(const hf_comparison *comparison, const char *format, hf_text *out) HF_MUST_USE;

/* The same in every format, plots as SVG, confusion matrices as PNG, and metrics.tsv and differences.tsv with all digits, a
 * number a row, into a folder that is made when absent. */
hf_status hf_comparison_write(const hf_comparison *comparison, const char *folder) HF_MUST_USE;

/* ---- ablation ---------------------------------------------------------------------------------------------------- */

/* Studies of one recipe that differ by their hyper layers: candidate i, a value of model.hyper_layers such as "fc1,fc2", is
 * the study `folder`/NAME, where NAME has a plus for every comma. All are planned before the first one is trained, so that a
 * layer that is not there is refused first. Stopped, it goes on like a study. HF_ERR_ARGUMENT when two have one name. */
hf_status hf_study_ablate(const hf_recipe *recipe, const char *const *candidate, int count, const char *folder,
                          const hf_study_options *options) HF_MUST_USE;
/* The folder of one candidate; freed with free(). */
hf_status hf_study_candidate(char **out, const char *folder, const char *candidate) HF_MUST_USE;

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Layers by the entropy of their losses (30 bins over one common range, bits), most first, as a table with bars: candidates
 * for hyper layers. Formats as for hf_comparison_text. */
hf_status hf_study_rank_layers(hf_text *out, const hf_layer_losses *losses, const char *format) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
