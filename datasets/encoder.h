/* encoder.h: what the files of the encoder share: specs (encoder_spec.c), fitting (encoder_fit.c), rows (encoder.c),
 * the text form (encoder_text.c). */
#ifndef HF_ENCODER_H
#define HF_ENCODER_H

#include "cohort.h"
#include "impute.h"

/* Value columns of a feature; for a one-hot without categories 0. */
int hf_feature_width(const hf_feature *feature);

/* Sets the width; HF_ERR_UNSUPPORTED beyond HF_MAX_WIDTH. */
hf_status hf_encoder_measure(hf_encoder *encoder) HF_MUST_USE;

/* The category that a text means, or -1: the same text or number, one of its aliases, or another word for the same sex
 * as a category without aliases. */
int hf_feature_category(const hf_feature *feature, const char *text);

/* Adds a category; `item` is its name, or NAME=ALIAS|ALIAS when `written` in a spec. */
hf_status hf_feature_add_category(hf_feature *feature, const char *item, size_t length, bool written) HF_MUST_USE;

/* "F" or "M" when `text` is a word for a sex in any case, else NULL. */
const char *hf_sex_word(const char *text);

/* The published feature set "set0" to "set18" as specs, ended by NULL. */
hf_status hf_feature_set(const char *const **out, const char *name) HF_MUST_USE;

/* "'F', 'M'" for messages. */
void hf_feature_list_categories(char *out, size_t size, const hf_feature *feature);
hf_status hf_feature_unseen(const hf_feature *feature, const char *value) HF_MUST_USE;

/* The cells of one row as values, on their way to the network. */
typedef struct hf_cells {
    double *number; /* [n_features]; NaN while missing */
    int *category;  /* [n_features]; -1: none */
    bool *missing;  /* [n_features] as read */
} hf_cells;

/* The texts of subject `index`, NULL where missing; `column` and `group` are the features' columns in the table. */
void hf_cells_texts(const char **texts, const char **groups, const hf_encoder *encoder, const hf_cohort *cohort,
                    int index, const int *column, const int *group);
/* Where the features' columns are. */
hf_status hf_encoder_columns(int *column, int *group, const hf_encoder *encoder, const hf_table *table) HF_MUST_USE;

/* Reads texts[n_features] and fills what does not need the other features. */
hf_status hf_cells_read(hf_cells *out, const hf_encoder *encoder, const char *const *texts,
                        const char *const *groups) HF_MUST_USE;

/* The numbers that imputation works with: of every feature but flags its number or its one-hot columns. How many. */
int hf_cells_gather(double *out, const hf_encoder *encoder, const hf_cells *cells);
/* Takes the numbers of the features that are imputed back. */
void hf_cells_scatter(hf_cells *cells, const hf_encoder *encoder, const double *row);

/* What hf_encoder_row would say about a row; before fitting, as much of it as is known then. */
hf_status hf_encoder_try(const hf_encoder *encoder, const hf_cohort *cohort, int index) HF_MUST_USE;

/* "subject 'sub-1' ('FILE' line 7): " in front of the message. */
hf_status hf_fail_at(hf_status status, const hf_cohort *cohort, int index) HF_MUST_USE;

#endif
