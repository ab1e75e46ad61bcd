/* ridge.c: Bayesian ridge regression.
 *
 * Everything but the residuals is computed from X'X and its eigenvectors V and eigenvalues s, found once: with alpha
 * the precision of the noise and lambda that of the weights, the weights are V (V'X'y / (s + lambda/alpha)), and the
 * effective number of weights is the sum of alpha s / (lambda + alpha s). Sums run over rows in order, so results do not
 * depend on anything else. */
#include "impute.h"

#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 300 };
static const double weights_settled = 1e-3, prior = 2e-6; /* both Gamma parameters are 1e-6, each counts twice */

typedef struct ridge {
    const double *x, *y; /* [rows,columns], [rows] centred */
    int rows, columns;
    double *vector; /* [columns,columns] eigenvectors of X'X, one a column */
    double *value;  /* [columns] eigenvalues */
    double *target; /* [columns] V'X'y */
    double *before; /* [columns] the weights of the round before */
    double alpha, lambda;
} ridge;

/* The mean of every `stride`-th number, taken off all of them. */
static double centre(double *value, int count, int stride)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += value[(size_t)i * (size_t)stride];
    const double mean = sum / count;
    for (int i = 0; i < count; i++)
        value[(size_t)i * (size_t)stride] -= mean;
    return mean;
}

/* X'X into `vector`, X'y into `before`. */
static void multiply(ridge *r)
{
    const int p = r->columns;
    for (int i = 0; i < r->rows; i++) {
        const double *row = r->x + (size_t)i * (size_t)p;
        for (int a = 0; a < p; a++) {
            r->before[a] += row[a] * r->y[i];
            for (int b = 0; b <= a; b++)
                r->vector[a * p + b] += row[a] * row[b];
        }
    }
}

static hf_status decompose(ridge *r)
{
    const int p = r->columns;
    multiply(r);
    const lapack_int failed = LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'L', p, r->vector, p, r->value);
    if (failed) return hf_fail(HF_ERR_NUMBER, "a regression over %d columns has no eigenvalues (%d)", p, (int)failed);
    for (int k = 0; k < p; k++) {
        if (r->value[k] < 0) r->value[k] = 0; /* rounding, where columns depend on each other */
        for (int a = 0; a < p; a++)
            r->target[k] += r->vector[a * p + k] * r->before[a];
    }
    return HF_OK;
}

static void solve(double *weight, const ridge *r)
{
    const int p = r->columns;
    memset(weight, 0, (size_t)p * sizeof *weight);
    for (int k = 0; k < p; k++) {
        const double scaled = r->target[k] / (r->value[k] + r->lambda / r->alpha);
        for (int a = 0; a < p; a++)
            weight[a] += r->vector[a * p + k] * scaled;
    }
}

static double dot(const double *a, const double *b, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The next alpha and lambda, from weights that were found with the present ones. */
static void update(ridge *r, const double *weight)
{
    double effective = 0, residuals = 0;
    for (int k = 0; k < r->columns; k++)
        effective += r->alpha * r->value[k] / (r->lambda + r->alpha * r->value[k]);
    for (int i = 0; i < r->rows; i++) {
        const double left = r->y[i] - dot(r->x + (size_t)i * (size_t)r->columns, weight, r->columns);
        residuals += left * left;
    }
    r->lambda = (effective + prior) / (dot(weight, weight, r->columns) + prior);
    r->alpha = (r->rows - effective + prior) / (residuals + prior);
}

static void iterate(double *weight, ridge *r)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        double change = 0;
        solve(weight, r);
        update(r, weight);
        for (int a = 0; a < r->columns; a++)
            change += fabs(weight[a] - r->before[a]);
        if (round > 0 && change < weights_settled) break;
        memcpy(r->before, weight, (size_t)r->columns * sizeof *weight);
    }
    solve(weight, r);
}

hf_status hf_ridge_fit(double *weight, double *x, double *y, int rows, int columns)
{
    hf_status status;
    ridge r = { .x = x, .y = y, .rows = rows, .columns = columns, .lambda = 1 };
    double *mean = NULL;
    const size_t p = (size_t)columns;
    HF_TRY_OUT(hf_alloc(&r.vector, p * p, sizeof *r.vector, "a regression"));
    HF_TRY_OUT(hf_alloc(&r.value, p, sizeof *r.value, "a regression"));
    HF_TRY_OUT(hf_alloc(&r.target, p, sizeof *r.target, "a regression"));
    HF_TRY_OUT(hf_alloc(&r.before, p, sizeof *r.before, "a regression"));
    HF_TRY_OUT(hf_alloc(&mean, p, sizeof *mean, "a regression"));
    for (int a = 0; a < columns; a++)
        mean[a] = centre(x + a, rows, columns);
    const double y_mean = centre(y, rows, 1);
    r.alpha = 1 / (dot(y, y, rows) / rows + DBL_EPSILON);
    HF_TRY_OUT(decompose(&r));
    iterate(weight, &r);
    weight[columns] = y_mean - dot(mean, weight, columns);
out:
    free(r.vector);
    free(r.value);
    free(r.target);
    free(r.before);
    free(mean);
    return status;
}
