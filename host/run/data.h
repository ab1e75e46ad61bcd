/* data.h: from a recipe to subjects, split, truth, table rows and volumes. Private to host/. */
#ifndef HF_RUN_DATA_H
#define HF_RUN_DATA_H

#include "learned.h"

typedef struct hf_run_data {
    hf_cohort cohort;
    hf_part *part; /* [n_subjects]; HF_UNUSED for those left out */
    hf_dataset *dataset;
    int T;                                    /* of the target */
    double *truth;                            /* [n_subjects,T] NaN where missing */
    int *index;                               /* [n_subjects] subjects, part after part, each in table order */
    int first[HF_N_PARTS], count[HF_N_PARTS]; /* where in index, how many */
} hf_run_data;

typedef struct hf_run_source {
    const char *folder;     /* of another cohort, all of whose subjects belong to HF_TEST; NULL: the recipe's */
    const char *split_file; /* a split drawn before; NULL: draw it */
    bool learned;           /* *fixed is known; otherwise its grid, encoder and target are learned here */
    bool needs_truth;       /* leave out subjects without a truth */
} hf_run_source;

/* Opens everything. Subjects left out are said to `watch`. `fixed` must outlive the data. */
hf_status hf_run_data_open(hf_run_data *out, hf_run_fixed *fixed, const hf_recipe *recipe, const hf_run_source *source,
                           const hf_watch *watch) HF_MUST_USE;
void hf_run_data_free(hf_run_data *data);
/* Takes subjects out of a part, those that are not kept[count of the part]. */
void hf_run_data_keep(hf_run_data *data, hf_part part, const bool *keep);
/* The table's columns among evaluate.groups, into column[]; returns how many. */
int hf_run_group_columns(int column[HF_MAX_GROUPS], const hf_cohort *cohort, const hf_recipe *recipe);
/* D,H,W and width of the table row that a recipe alone says; only what it leaves open is looked up in the cohort. */
hf_status hf_run_measure(int shape[3], int *width, const hf_recipe *recipe) HF_MUST_USE;
/* The grid of a recipe; what the files must say is not learned yet. */
hf_status hf_run_grid(hf_grid *out, const hf_recipe *recipe) HF_MUST_USE;
/* The part of a recipe that says how the cohort is opened; `storage` holds the filter. */
hf_status hf_run_cohort_open(hf_cohort *out, const hf_recipe *recipe, const char *folder) HF_MUST_USE;

/* Everybody who takes part, as JSON: [[id, part, digest of the table cells in use, digest of the image], ...]. Freed with
 * free(). A checkpoint keeps it; a resumed run refuses a list that differs, and names the first subject that does. */
hf_status hf_run_subjects(char **out, const hf_run_data *data, const hf_encoder *encoder,
                          const hf_target *target) HF_MUST_USE;
hf_status hf_run_same_subjects(const char *was, const char *is) HF_MUST_USE;

#endif
