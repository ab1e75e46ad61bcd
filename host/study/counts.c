/* counts.c: who was taken for what by the ensembles of a method, and how well they are calibrated. */
#include "parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* value[2,P,P,n_ensembles]: counts, and shares of the class (NaN of a class that has nobody). */
static void count_ensemble(double *value, const hf_study *study, int e)
{
    const hf_scored s = hf_predictions_scored(&study->ensemble[e].predictions);
    const size_t n = (size_t)study->n_ensembles, half = (size_t)s.P * (size_t)s.P * n;
    int64_t counts[HF_MAX_CLASSES][HF_MAX_CLASSES];
    hf_confusion(counts, &s, NULL, s.count);
    for (int row = 0; row < s.P; row++) {
        double sum = 0;
        for (int k = 0; k < s.P; k++)
            sum += (double)counts[row][k];
        for (int k = 0; k < s.P; k++) {
            double *cell = value + (size_t)(row * s.P + k) * n + (size_t)e;
            cell[0] = (double)counts[row][k];
            cell[half] = sum > 0 ? cell[0] / sum : NAN;
        }
    }
}

static hf_status count_all(hf_compared_method *m)
{
    const int P = m->study->target.P, n = m->study->n_ensembles;
    const size_t half = (size_t)(P * P) * (size_t)n;
    double *value;
    HF_TRY(hf_alloc(&value, 2 * half, sizeof *value, "confusion matrices"));
    for (int e = 0; e < n; e++)
        count_ensemble(value, m->study, e);
    for (int i = 0; i < P * P; i++) {
        m->count[i / P][i % P] = hf_spread_of(value + i * n, n);
        m->share[i / P][i % P] = hf_spread_of(value + half + i * n, n);
    }
    free(value);
    return HF_OK;
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

static hf_status spread_calibration(hf_compared_method *m)
{
    const int n = m->study->n_ensembles;
    double *value; /* [2,n] */
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&value, (size_t)n * 2, sizeof *value, "calibration"));
    for (int e = 0; status == HF_OK && e < n; e++) {
        const hf_scored s = hf_predictions_scored(&m->study->ensemble[e].predictions);
        hf_calibration c;
        status = hf_calibration_of(&c, &s, NULL, s.count);
        if (status == HF_OK) value[e] = c.ece, value[n + e] = c.brier;
    }
    m->ece = hf_spread_of(value, n);
    m->brier = hf_spread_of(value + n, n);
    free(value);
    return status;
}

/* The reliability curve of the predictions of all ensembles. */
static hf_status calibrate_together(hf_compared_method *m)
{
    const int T = m->study->ensemble[0].predictions.target.T, P = m->study->target.P;
    hf_scored all = { .T = T, .P = P };
    double *truth = NULL, *predicted = NULL;
    hf_status status;
    for (int e = 0; e < m->study->n_ensembles; e++)
        all.count += m->study->ensemble[e].predictions.count;
    HF_TRY_OUT(hf_alloc(&truth, (size_t)all.count * (size_t)T, sizeof *truth, "calibration"));
    HF_TRY_OUT(hf_alloc(&predicted, (size_t)all.count * (size_t)P, sizeof *predicted, "calibration"));
    for (int e = 0, at = 0; e < m->study->n_ensembles; e++) {
        const hf_predictions *p = &m->study->ensemble[e].predictions;
        memcpy(truth + at * T, p->truth, (size_t)(p->count * T) * sizeof *truth);
        memcpy(predicted + at * P, p->predicted, (size_t)(p->count * P) * sizeof *predicted);
        at += p->count;
    }
    all.truth = truth;
    all.predicted = predicted;
    status = hf_calibration_of(&m->calibration, &all, NULL, all.count);
out:
    free(truth);
    free(predicted);
    return status;
}

hf_status hf_compare_counts(hf_comparison *c)
{
    if (!c->method[0].study->target.n_classes) return HF_OK;
    for (int m = 0; m < c->n_methods; m++) {
        HF_TRY(count_all(&c->method[m]));
        HF_TRY(spread_calibration(&c->method[m]));
        HF_TRY(calibrate_together(&c->method[m]));
    }
    return HF_OK;
}
