/* ranks.c: one method against another over their ensembles: means, deviations, Mann and Whitney's test with both
 * alternatives, Holm's correction. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>

static bool all_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static hf_status test_values(hf_compared *out, const double *a, int n_a, const double *b, int n_b, hf_better better)
{
    hf_rank_test test;
    if (better == HF_NEITHER || !all_finite(a, n_a) || !all_finite(b, n_b)) return HF_OK; /* it cannot be asked */
    HF_TRY(hf_rank_test_of(&test, a, n_a, b, n_b, HF_TWO_SIDED));
    out->u = test.u;
    out->differs = test.p;
    HF_TRY(hf_rank_test_of(&test, a, n_a, b, n_b, better == HF_HIGHER ? HF_GREATER : HF_LESS));
    out->better = test.p;
    return HF_OK;
}

/* One metric of a method; the first method is not compared with itself. */
static hf_status compare_metric(hf_comparison *c, int method, int column)
{
    const hf_study *first = c->method[0].study, *study = c->method[method].study;
    hf_compared *out = &c->method[method].of[column];
    hf_status status;
    double *a = NULL, *b = NULL;
    *out = (hf_compared){ { NAN, NAN }, NAN, NAN, NAN, NAN, NAN };
    HF_TRY_OUT(hf_alloc(&a, (size_t)first->n_ensembles, sizeof *a, "values of a metric"));
    HF_TRY_OUT(hf_alloc(&b, (size_t)study->n_ensembles, sizeof *b, "values of a metric"));
    hf_outcome_values(a, first->ensemble, first->n_ensembles, column);
    hf_outcome_values(b, study->ensemble, study->n_ensembles, column);
    out->test = hf_spread_of(b, study->n_ensembles);
    if (method > 0)
        status = test_values(out, a, first->n_ensembles, b, study->n_ensembles, first->column[column].metric->better);
out:
    free(a);
    free(b);
    return status;
}

/* Over all metrics of all methods, the p values at one offset of hf_compared into those at another. */
static hf_status correct(hf_comparison *c, size_t from, size_t to)
{
    const int columns = c->method[0].study->n_columns, n = c->n_methods * columns;
    double *p; /* [2,n]: as they are, and corrected */
    HF_TRY(hf_alloc(&p, (size_t)n * 2, sizeof *p, "p values"));
    for (int i = 0; i < n; i++)
        p[i] = *(const double *)(const void *)((const char *)&c->method[i / columns].of[i % columns] + from);
    const hf_status status = hf_holm(p + n, p, n);
    for (int i = 0; status == HF_OK && i < n; i++)
        *(double *)(void *)((char *)&c->method[i / columns].of[i % columns] + to) = p[n + i];
    free(p);
    return status;
}

static hf_status validate(hf_compared_method *m)
{
    double *values;
    HF_TRY(hf_alloc(&values, (size_t)m->study->n_models, sizeof *values, "validation metrics"));
    for (int i = 0; i < m->study->n_models; i++)
        values[i] = m->study->model[i].valid;
    m->valid = hf_spread_of(values, m->study->n_models);
    free(values);
    return HF_OK;
}

hf_status hf_compare_ranks(hf_comparison *c)
{
    for (int m = 0; m < c->n_methods; m++) {
        HF_TRY(validate(&c->method[m]));
        for (int k = 0; k < c->method[0].study->n_columns; k++)
            HF_TRY(compare_metric(c, m, k));
    }
    HF_TRY(correct(c, offsetof(hf_compared, better), offsetof(hf_compared, better_holm)));
    return correct(c, offsetof(hf_compared, differs), offsetof(hf_compared, differs_holm));
}
