/* resample.c: see resample.h.
 *
 * A linear operator along one axis gives every output position a short run of weights over input positions: trilinear
 * interpolation, preceded where the voxels get larger by a Gaussian that makes up the difference between the two
 * voxels' widths. The weights of a run add up to 1, also at the border, so a constant image stays constant. The voxels
 * and their mask of non-zero ones go through the same operators, and where less than half of a new voxel is foreground
 * it becomes background. */
#include "resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GAUSSIAN_REACH 3.0                /* standard deviations */
#define FWHM_PER_SIGMA 2.3548200450309493 /* 2 sqrt(2 ln 2) */
#define MASK_THRESHOLD 0.5f

/* ---- boxes ------------------------------------------------------------------------------------------------------- */

void hf_block_copy(float *out, const int shape[3], const hf_block *block, const int start[3])
{
    int first = start[2] < 0 ? -start[2] : 0, end = block->shape[2] - start[2];
    if (end > shape[2]) end = shape[2];
    memset(out, 0, hf_voxels_of(shape) * sizeof *out);
    if (end <= first) return;
    for (int d = 0; d < shape[0]; d++)
        for (int h = 0; h < shape[1]; h++) {
            int from_d = d + start[0], from_h = h + start[1];
            if (from_d < 0 || from_d >= block->shape[0] || from_h < 0 || from_h >= block->shape[1]) continue;
            const float *line =
                block->voxels + ((size_t)from_d * (size_t)block->shape[1] + (size_t)from_h) * (size_t)block->shape[2];
            memcpy(out + ((size_t)d * (size_t)shape[1] + (size_t)h) * (size_t)shape[2] + first, line + start[2] + first,
                   (size_t)(end - first) * sizeof *out);
        }
}

static void replace(hf_block *block, float *voxels)
{
    free(block->owned);
    block->voxels = block->owned = voxels;
}

hf_status hf_block_cut(hf_block *block, const int start[3], const int shape[3])
{
    float *cut = NULL;
    size_t count;
    if (!hf_size_mul((size_t)shape[0] * (size_t)shape[1], (size_t)shape[2], &count))
        return hf_fail(HF_ERR_MEMORY, "the image is too large");
    HF_TRY(hf_alloc(&cut, count, sizeof *cut, "a box of an image"));
    hf_block_copy(cut, shape, block, start);
    replace(block, cut);
    memcpy(block->shape, shape, sizeof block->shape);
    return HF_OK;
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

/* Output i = sum over t < taps of weight[i*taps + t] * input first[i] + t; input positions are all inside. */
typedef struct axis_operator {
    int in, out, taps;
    int *first;    /* [out] */
    float *weight; /* [out][taps] */
} axis_operator;

static double sigma_of(double ratio)
{
    return ratio > 1 ? sqrt(ratio * ratio - 1) / FWHM_PER_SIGMA : 0;
}

int hf_sampling_margin(double ratio)
{
    return (int)ceil(GAUSSIAN_REACH * sigma_of(ratio)) + 1;
}

/* The interpolation kernel at a distance, in input voxels: a triangle, smoothed by summing it over a sampled
 * Gaussian. */
static double kernel_at(double distance, double sigma, int reach)
{
    double sum = 0, total = 0;
    if (sigma == 0) return fmax(0, 1 - fabs(distance));
    for (int k = -reach; k <= reach; k++) {
        double gauss = exp(-0.5 * k * k / (sigma * sigma));
        sum += gauss * fmax(0, 1 - fabs(distance - k));
        total += gauss;
    }
    return sum / total;
}

static hf_status operator_make(axis_operator *op, int in, const hf_sampling *along)
{
    const double sigma = sigma_of(along->ratio);
    const int reach = (int)fmin(ceil(GAUSSIAN_REACH * sigma), in), out = along->count;
    op->in = in;
    op->out = out;
    op->taps = 2 * reach + 2 < in ? 2 * reach + 2 : in;
    HF_TRY(hf_alloc(&op->first, (size_t)out, sizeof(int), "resampling positions"));
    HF_TRY(hf_alloc(&op->weight, (size_t)out * (size_t)op->taps, sizeof(float), "resampling weights"));
    for (int i = 0; i < out; i++) {
        double centre = (i - 0.5 * (out - 1)) * along->ratio + along->middle, total = 0;
        centre = fmin(fmax(centre, 0), in - 1);
        int first = (int)floor(centre) - reach;
        if (first > in - op->taps) first = in - op->taps;
        if (first < 0) first = 0;
        op->first[i] = first;
        for (int t = 0; t < op->taps; t++)
            total += kernel_at(first + t - centre, sigma, reach);
        for (int t = 0; t < op->taps; t++)
            op->weight[i * op->taps + t] = (float)(kernel_at(first + t - centre, sigma, reach) / total);
    }
    return HF_OK;
}

static void operator_free(axis_operator *op)
{
    free(op->first);
    free(op->weight);
}

/* Applies the operator along the middle axis of in [outer][op->in][inner]. */
static void operator_apply(float *out, const float *in, const axis_operator *op, size_t outer, size_t inner)
{
    memset(out, 0, outer * (size_t)op->out * inner * sizeof *out);
    for (size_t o = 0; o < outer; o++)
        for (int i = 0; i < op->out; i++) {
            float *line = out + (o * (size_t)op->out + (size_t)i) * inner;
            for (int t = 0; t < op->taps; t++) {
                const float *source = in + (o * (size_t)op->in + (size_t)(op->first[i] + t)) * inner;
                float weight = op->weight[i * op->taps + t];
                for (size_t k = 0; k < inner; k++)
                    line[k] += weight * source[k];
            }
        }
}

/* Axes whose operator has no taps stay. */
static hf_status apply_all(hf_block *block, const axis_operator op[3])
{
    for (int axis = 0; axis < 3; axis++) {
        if (op[axis].taps == 0) continue;
        size_t outer = 1, inner = 1, count;
        for (int i = 0; i < axis; i++)
            outer *= (size_t)block->shape[i];
        for (int i = axis + 1; i < 3; i++)
            inner *= (size_t)block->shape[i];
        float *next = NULL;
        if (!hf_size_mul(outer * inner, (size_t)op[axis].out, &count))
            return hf_fail(HF_ERR_MEMORY, "the resampled image is too large");
        HF_TRY(hf_alloc(&next, count, sizeof(float), "resampled image"));
        operator_apply(next, block->voxels, &op[axis], outer, inner);
        replace(block, next);
        block->shape[axis] = op[axis].out;
    }
    return HF_OK;
}

static hf_status make_mask(hf_block *mask, const hf_block *block)
{
    size_t count = hf_voxels_of(block->shape);
    *mask = *block;
    mask->voxels = mask->owned = NULL;
    HF_TRY(hf_alloc(&mask->owned, count, sizeof(float), "mask"));
    for (size_t i = 0; i < count; i++)
        mask->owned[i] = block->voxels[i] != 0;
    mask->voxels = mask->owned;
    return HF_OK;
}

hf_status hf_block_resample(hf_block *block, const hf_sampling along[3])
{
    axis_operator op[3] = { { 0 } };
    hf_block mask = { .owned = NULL };
    hf_status status = HF_OK;
    if (along[0].ratio == 0 && along[1].ratio == 0 && along[2].ratio == 0) return HF_OK;
    for (int i = 0; i < 3; i++)
        if (along[i].ratio > 0) HF_TRY_OUT(operator_make(&op[i], block->shape[i], &along[i]));
    HF_TRY_OUT(make_mask(&mask, block));
    HF_TRY_OUT(apply_all(&mask, op));
    HF_TRY_OUT(apply_all(block, op));
    for (size_t i = 0, count = hf_voxels_of(block->shape); i < count; i++)
        if (mask.voxels[i] < MASK_THRESHOLD) block->owned[i] = 0;
out:
    free(mask.owned);
    for (int i = 0; i < 3; i++)
        operator_free(&op[i]);
    return status;
}
