/* impute.h: missing numbers of a table, guessed from the others (impute.c, ridge.c). For the files of this room alone.
 *
 * Source: scikit-learn's IterativeImputer(BayesianRidge(), initial_strategy="median", imputation_order="ascending",
 * max_iter=200), of which this is the same computation in the same order. */
#ifndef HF_IMPUTE_H
#define HF_IMPUTE_H

#include "hfbase.h"

/* ---- Bayesian ridge regression (ridge.c) ------------------------------------------------------------------------- */

/* Fits y[rows] = x[rows,columns] . weight[columns] + weight[columns], the last one being the intercept. Prior
 * precisions of noise and weights are estimated with the weights (MacKay 1992): flat Gamma priors of 1e-6, at most 300
 * rounds, until the weights change by less than 1e-3 in sum. x and y are centred in place. Columns that depend on each
 * other are no trouble. `rows` and `columns` are at least 1. */
hf_status hf_ridge_fit(double *weight, double *x, double *y, int rows, int columns) HF_MUST_USE;

/* ---- the imputer ------------------------------------------------------------------------------------------------- */

enum {
    HF_MAX_IMPUTED = 64, /* columns that take part */
    HF_MAX_IMPUTE_ROUNDS = 200,
    HF_MAX_IMPUTE_NUMBERS = 120000, /* weights kept: they must fit into a model's file */
};

/* What was fitted: every regression of every round, because a new row goes the way that the training rows went. */
typedef struct hf_imputer {
    int columns, rounds;
    bool settled;   /* the last round changed less than the tolerance; otherwise HF_MAX_IMPUTE_ROUNDS ended it */
    double *median; /* [columns] of the known training values: what a missing value starts with */
    int *order;     /* [columns] columns as they are visited: from the least to the most missing */
    double *weight; /* [rounds,columns,columns] in visiting order: one weight for every other column, the intercept */
} hf_imputer;

/* Fits on values[rows,columns], NaN where missing, and fills them in place. Fails when a column has no known value
 * (HF_ERR_ARGUMENT) or there are too many columns (HF_ERR_UNSUPPORTED). The caller frees with hf_imputer_free. */
hf_status hf_imputer_fit(hf_imputer **out, double *values, int rows, int columns) HF_MUST_USE;

/* Fills row[columns], NaN where missing; a training row gets the values that fitting gave it. */
void hf_imputer_fill(const hf_imputer *imputer, double *row);

/* An imputer of this size with all numbers 0, to be filled by a reader. */
hf_status hf_imputer_new(hf_imputer **out, int columns, int rounds) HF_MUST_USE;
void hf_imputer_free(hf_imputer **imputer);

#endif
