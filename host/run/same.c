/* same.c: is what a run finds now what its checkpoint learned? A resumed run computes with what is open (volumes, rows,
 * network) and with what the checkpoint says, and the two must be one: buffers have the size of the first, loops may
 * run to that of the second. Nor is training gone on with on other data without a word. */
#include "parts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NaN is what a statistic has that does not apply. */
static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_feature(const hf_feature *a, const hf_feature *b)
{
    const double was[] = { a->mean, a->sd, a->median, a->low, a->high };
    const double is[] = { b->mean, b->sd, b->median, b->low, b->high };
    bool same = strcmp(a->column, b->column) == 0 && a->encoding == b->encoding && a->flag_missing == b->flag_missing &&
                a->n_categories == b->n_categories;
    for (int i = 0; same && i < a->n_categories; i++)
        same = strcmp(a->category[i], b->category[i]) == 0;
    for (size_t i = 0; same && i < sizeof was / sizeof was[0]; i++)
        same = same_number(was[i], is[i]);
    return same;
}

static hf_status same_encoder(const hf_encoder *was, const hf_encoder *is)
{
    if (was->width != is->width || was->n_features != is->n_features)
        return hf_fail(HF_ERR_SHAPE,
                       "the checkpoint was trained on table rows of %d numbers from %d columns, the rows now have %d "
                       "from %d",
                       was->width, was->n_features, is->width, is->n_features);
    for (int i = 0; i < was->n_features; i++)
        if (!same_feature(&was->feature[i], &is->feature[i]))
            return hf_fail(HF_ERR_ARGUMENT,
                           "the training rows say something else about column '%s' than when the run began: the table "
                           "has changed",
                           was->feature[i].column);
    return HF_OK;
}

static hf_status same_grid(const hf_run_fixed *was, const hf_run_fixed *is)
{
    const int *a = was->shape, *b = is->shape;
    const double *x = was->grid.spacing_expected, *y = is->grid.spacing_expected;
    if (memcmp(a, b, sizeof was->shape) != 0)
        return hf_fail(HF_ERR_SHAPE, "the checkpoint was trained on volumes of [%d,%d,%d], they are [%d,%d,%d] now",
                       a[0], a[1], a[2], b[0], b[1], b[2]);
    if (memcmp(x, y, sizeof was->grid.spacing_expected) != 0)
        return hf_fail(HF_ERR_SHAPE, "the checkpoint was trained on voxels of %gx%gx%g mm, they are %gx%gx%g mm now",
                       x[0], x[1], x[2], y[0], y[1], y[2]);
    if (memcmp(was->grid.shape, is->grid.shape, sizeof was->grid.shape) != 0 ||
        memcmp(was->grid.spacing, is->grid.spacing, sizeof was->grid.spacing) != 0 ||
        was->grid.zscore != is->grid.zscore || was->oriented != is->oriented)
        return hf_fail(HF_ERR_ARGUMENT, "the checkpoint was trained on volumes brought to another grid than now");
    return HF_OK;
}

hf_status hf_run_same_fixed(const hf_run_fixed *was, const hf_run_fixed *is)
{
    HF_TRY(same_grid(was, is));
    HF_TRY(same_encoder(&was->encoder, &is->encoder));
    if (was->parameters != is->parameters)
        return hf_fail(HF_ERR_SHAPE, "the checkpoint's network has %lld parameters, the recipe's has %lld",
                       (long long)was->parameters, (long long)is->parameters);
    if (was->train_mean != is->train_mean || was->train_median != is->train_median)
        return hf_fail(
            HF_ERR_ARGUMENT,
            "the training targets have mean %.9g and median %.9g, they had %.9g and %.9g when the run began: "
            "the table has changed",
            is->train_mean, is->train_median, was->train_mean, was->train_median);
    return HF_OK;
}
