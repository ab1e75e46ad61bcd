/* split.h: what the splitters share. For split.c, filter.c, strata.c and split_published.c alone. */
#ifndef HF_SPLIT_H
#define HF_SPLIT_H

#include "cohort.h"

enum { HF_MAX_STRATA = 8 };

/* A column to stratify by. */
typedef struct hf_stratum {
    const char *spec; /* COLUMN, or COLUMN:onehot(A=B|C,...): those categories */
    enum { HF_STRATUM_ANY, HF_STRATUM_TEXT, HF_STRATUM_NUMBER } kind; /* ANY: numbers when all texts are, and many */
    double narrowest; /* of numbers: bins are at least this wide on average */
} hf_stratum;

/* Which stratum each of `count` rows of the cohort's table lies in: rank[count,HF_MAX_STRATA], one number for every
 * column, unused ones 0. Texts rank in byte order, the missing last; categories as given, the missing last; numbers by
 * quantile bins of at least 20 rows on average over all binned columns, equal numbers in one bin, the missing first. */
hf_status hf_strata_rank(int *rank, const hf_cohort *cohort, const int *row, int count, const hf_stratum *strata,
                         int n_strata) HF_MUST_USE;

/* Leaves unused who may not train: options->train_filter and train_fraction. */
hf_status hf_split_restrict(hf_part *part, const hf_cohort *cohort, const hf_split_options *options) HF_MUST_USE;

/* The published splitter: part[n_subjects]. */
hf_status hf_split_published(hf_part *part, const hf_cohort *cohort, const hf_split_options *options) HF_MUST_USE;

/* The first `count` numbers 0..count-1 as numpy.random.seed(seed); numpy.random.shuffle() leaves them. */
void hf_shuffle_published(uint32_t *order, uint32_t count, uint32_t seed);

#endif
