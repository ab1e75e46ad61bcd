/* preprocess.c: from a volume to what the network sees.
 *
 *   1. resample  to the wanted voxel size, when one is wanted: one small linear operator per axis
 *   2. window    crop or pad to the wanted shape around the non-zero voxels
 *   3. zscore    zero mean and unit variance of the non-zero voxels
 *
 * Zero is background throughout. A linear operator along one axis gives every output position a short run of weights
 * over input positions: trilinear interpolation, preceded where the voxels get larger by a Gaussian that makes up the
 * difference between the two voxels' widths. The weights of a run add up to 1, also at the border, so a constant image
 * stays constant. The image and its mask of non-zero voxels go through the same operators, and where less than half of
 * a new voxel is foreground it becomes background. Sums are doubles in a fixed order. */
#include "volume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_NONZERO      8
#define SAME_SPACING     1e-4               /* relative; below it an axis is not resampled */
#define EXPECTED_SPACING 0.01               /* relative; above it a volume is not what the model was trained on */
#define MAX_SIZE         4096               /* voxels along an axis of the result */
#define GAUSSIAN_REACH   3.0                /* standard deviations */
#define FWHM_PER_SIGMA   2.3548200450309493 /* 2 sqrt(2 ln 2) */
#define MASK_THRESHOLD   0.5f

/* ---- the grid ---------------------------------------------------------------------------------------------------- */

static bool resampled(double spacing, double wanted)
{
    return wanted > 0 && fabs(spacing - wanted) > SAME_SPACING * wanted;
}

static hf_status check_grid(const hf_grid *grid)
{
    for (int i = 0; i < 3; i++) {
        if (grid->shape[i] < 0 || grid->shape[i] > MAX_SIZE)
            return hf_fail(HF_ERR_ARGUMENT, "grid: size %d along axis %d, expected 0 to %d", grid->shape[i], i,
                           MAX_SIZE);
        if (!(grid->spacing[i] >= 0 && isfinite(grid->spacing[i])) ||
            !(grid->spacing_expected[i] >= 0 && isfinite(grid->spacing_expected[i])))
            return hf_fail(HF_ERR_ARGUMENT, "grid: spacing %g mm (expected of the file: %g) along axis %d: 0 or more",
                           grid->spacing[i], grid->spacing_expected[i], i);
    }
    return HF_OK;
}

/* Voxels along each axis after resampling: the nearest number that covers the same length. */
static hf_status resampled_shape(int shape[3], const int stored[3], const double spacing[3], const hf_grid *grid)
{
    for (int i = 0; i < 3; i++) {
        double size = stored[i];
        if (resampled(spacing[i], grid->spacing[i])) size = fmax(1, floor(size * spacing[i] / grid->spacing[i] + 0.5));
        if (stored[i] < 1 || !(spacing[i] > 0) || (size != stored[i] && !(size <= MAX_SIZE)))
            return hf_fail(HF_ERR_ARGUMENT, "%d voxels of %g mm along axis %d make %g of %g mm, expected 1 to %d",
                           stored[i], spacing[i], i, size, grid->spacing[i], MAX_SIZE);
        shape[i] = (int)size;
    }
    return HF_OK;
}

hf_status hf_grid_shape(int shape[3], const int stored[3], const double spacing[3], const hf_grid *grid)
{
    int result[3];
    HF_TRY(check_grid(grid));
    HF_TRY(resampled_shape(result, stored, spacing, grid));
    for (int i = 0; i < 3; i++)
        shape[i] = grid->shape[i] ? grid->shape[i] : result[i];
    return HF_OK;
}

static hf_status check_expected(const hf_volume *volume, const hf_grid *grid)
{
    for (int i = 0; i < 3; i++) {
        double expected = grid->spacing_expected[i];
        if (expected == 0 || grid->spacing[i] > 0) continue;
        if (!(fabs(volume->spacing[i] - expected) <= EXPECTED_SPACING * expected))
            return hf_fail(HF_ERR_SHAPE,
                           "voxels measure %g mm along axis %d, expected %g mm within %g %%: resample it to the grid "
                           "the model was trained on",
                           volume->spacing[i], i, expected, 100 * EXPECTED_SPACING);
    }
    return HF_OK;
}

/* ---- resampling -------------------------------------------------------------------------------------------------- */

/* Output i = sum over t < taps of weight[i*taps + t] * input first[i] + t; input positions are all inside. */
typedef struct axis_operator {
    int in, out, taps;
    int *first;    /* [out] */
    float *weight; /* [out][taps] */
} axis_operator;

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

/* `ratio`: output voxel size in input voxels. The centres of both grids coincide. */
static hf_status operator_make(axis_operator *op, int in, int out, double ratio)
{
    double sigma = ratio > 1 ? sqrt(ratio * ratio - 1) / FWHM_PER_SIGMA : 0;
    int reach = (int)fmin(ceil(GAUSSIAN_REACH * sigma), in);
    op->in = in;
    op->out = out;
    op->taps = 2 * reach + 2 < in ? 2 * reach + 2 : in;
    HF_TRY(hf_alloc(&op->first, (size_t)out, sizeof(int), "resampling positions"));
    HF_TRY(hf_alloc(&op->weight, (size_t)out * (size_t)op->taps, sizeof(float), "resampling weights"));
    for (int i = 0; i < out; i++) {
        double centre = (i - 0.5 * (out - 1)) * ratio + 0.5 * (in - 1), total = 0;
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

typedef struct image {
    int shape[3];
    const float *voxels; /* [D,H,W] */
    float *owned;        /* voxels when they are ours, else NULL */
} image;

/* Replaces *img by its resampled form; axes whose operator has no taps stay. */
static hf_status resample_image(image *img, const axis_operator op[3])
{
    for (int axis = 0; axis < 3; axis++) {
        if (op[axis].taps == 0) continue;
        size_t outer = 1, inner = 1, count;
        for (int i = 0; i < axis; i++)
            outer *= (size_t)img->shape[i];
        for (int i = axis + 1; i < 3; i++)
            inner *= (size_t)img->shape[i];
        float *next = NULL;
        if (!hf_size_mul(outer * inner, (size_t)op[axis].out, &count))
            return hf_fail(HF_ERR_MEMORY, "the resampled image is too large");
        HF_TRY(hf_alloc(&next, count, sizeof(float), "resampled image"));
        operator_apply(next, img->voxels, &op[axis], outer, inner);
        free(img->owned);
        img->voxels = img->owned = next;
        img->shape[axis] = op[axis].out;
    }
    return HF_OK;
}

static size_t voxel_count(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

static hf_status make_mask(image *mask, const image *img)
{
    size_t count = voxel_count(img->shape);
    *mask = *img;
    mask->voxels = mask->owned = NULL;
    HF_TRY(hf_alloc(&mask->owned, count, sizeof(float), "mask"));
    for (size_t i = 0; i < count; i++)
        mask->owned[i] = img->voxels[i] != 0;
    mask->voxels = mask->owned;
    return HF_OK;
}

/* Resamples img to the grid's spacing; does nothing when it has it already. */
static hf_status resample(image *img, const double spacing[3], const hf_grid *grid)
{
    axis_operator op[3] = { { 0 } };
    image mask = { .owned = NULL };
    hf_status status = HF_OK;
    int shape[3];
    HF_TRY(resampled_shape(shape, img->shape, spacing, grid));
    bool any = false;
    for (int i = 0; i < 3; i++) {
        if (!resampled(spacing[i], grid->spacing[i])) continue;
        any = true;
        HF_TRY_OUT(operator_make(&op[i], img->shape[i], shape[i], grid->spacing[i] / spacing[i]));
    }
    if (!any) goto out;
    HF_TRY_OUT(make_mask(&mask, img));
    HF_TRY_OUT(resample_image(&mask, op));
    HF_TRY_OUT(resample_image(img, op));
    for (size_t i = 0, count = voxel_count(img->shape); i < count; i++)
        if (mask.voxels[i] < MASK_THRESHOLD) img->owned[i] = 0;
out:
    free(mask.owned);
    for (int i = 0; i < 3; i++)
        operator_free(&op[i]);
    return status;
}

/* ---- window ------------------------------------------------------------------------------------------------------ */

/* Non-zero voxels of an image: how many, and how many in each plane across each axis. */
typedef struct foreground {
    size_t count;
    size_t *plane[3]; /* [shape[axis]] */
} foreground;

static void foreground_free(foreground *f)
{
    for (int i = 0; i < 3; i++)
        free(f->plane[i]);
}

static hf_status foreground_find(foreground *f, const image *img)
{
    for (int i = 0; i < 3; i++)
        HF_TRY(hf_alloc(&f->plane[i], (size_t)img->shape[i], sizeof(size_t), "foreground counts"));
    const float *voxel = img->voxels;
    for (int d = 0; d < img->shape[0]; d++)
        for (int h = 0; h < img->shape[1]; h++) {
            size_t line = 0;
            for (int w = 0; w < img->shape[2]; w++, voxel++) {
                if (!isfinite(*voxel))
                    return hf_fail(HF_ERR_NUMBER, "voxel (%d,%d,%d) is %g, expected a finite value", d, h, w, *voxel);
                size_t set = *voxel != 0;
                line += set;
                f->plane[2][w] += set;
            }
            f->plane[0][d] += line;
            f->plane[1][h] += line;
            f->count += line;
        }
    if (f->count < MIN_NONZERO)
        return hf_fail(HF_ERR_FORMAT, "has %zu non-zero voxels, expected at least %d: it holds no image", f->count,
                       MIN_NONZERO);
    return HF_OK;
}

/* First input position of a window of `wanted` voxels around the centre of mass; moved, as little as needed, to lose no
 * non-zero voxel where all of them fit. Negative: padding comes first. */
static int window_start(const size_t *plane, int size, int wanted, size_t count)
{
    double moment = 0;
    int low = size, high = -1;
    if (wanted == size) return 0;
    for (int i = 0; i < size; i++) {
        if (!plane[i]) continue;
        moment += (double)plane[i] * i;
        high = i;
        if (low == size) low = i;
    }
    int start = (int)floor(moment / (double)count - 0.5 * (wanted - 1) + 0.5);
    if (high - low + 1 > wanted) return start;
    if (start > low) start = low;
    if (start + wanted <= high) start = high - wanted + 1;
    return start;
}

/* Copies the window at start[3] of img into out, zero outside img. */
static void copy_window(float *out, const int shape[3], const image *img, const int start[3])
{
    int first = start[2] < 0 ? -start[2] : 0, end = img->shape[2] - start[2];
    if (end > shape[2]) end = shape[2];
    memset(out, 0, voxel_count(shape) * sizeof *out);
    if (end <= first) return;
    for (int d = 0; d < shape[0]; d++)
        for (int h = 0; h < shape[1]; h++) {
            int from_d = d + start[0], from_h = h + start[1];
            if (from_d < 0 || from_d >= img->shape[0] || from_h < 0 || from_h >= img->shape[1]) continue;
            const float *line =
                img->voxels + ((size_t)from_d * (size_t)img->shape[1] + (size_t)from_h) * (size_t)img->shape[2];
            memcpy(out + ((size_t)d * (size_t)shape[1] + (size_t)h) * (size_t)shape[2] + first, line + start[2] + first,
                   (size_t)(end - first) * sizeof *out);
        }
}

/* ---- normalisation ----------------------------------------------------------------------------------------------- */

static hf_status zscore(float *voxels, size_t count)
{
    size_t n = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += voxels[i];
        n += voxels[i] != 0;
    }
    if (n == 0) return hf_fail(HF_ERR_FORMAT, "no non-zero voxel is left to normalise");
    double mean = sum / (double)n;
    for (size_t i = 0; i < count; i++)
        if (voxels[i] != 0) squares += (voxels[i] - mean) * (voxels[i] - mean);
    double sd = sqrt(squares / (double)n), scale = sd > 0 ? 1 / sd : 1;
    for (size_t i = 0; i < count; i++)
        if (voxels[i] != 0) voxels[i] = (float)((voxels[i] - mean) * scale);
    return HF_OK;
}

hf_status hf_preprocess(float *out, const hf_volume *volume, const hf_grid *grid, const char *name)
{
    static const hf_grid as_stored = { .zscore = false };
    foreground front = { 0 };
    hf_status status = HF_OK;
    int shape[3], start[3];
    if (!out || !volume || !volume->voxels)
        return hf_fail(HF_ERR_ARGUMENT, "hf_preprocess: out and volume are required");
    if (!grid) grid = &as_stored;
    image img = { .voxels = volume->voxels };
    memcpy(img.shape, volume->shape, sizeof img.shape);
    HF_TRY_OUT(hf_grid_shape(shape, volume->shape, volume->spacing, grid));
    HF_TRY_OUT(check_expected(volume, grid));
    HF_TRY_OUT(foreground_find(&front, &img));
    HF_TRY_OUT(resample(&img, volume->spacing, grid));
    if (img.owned) { /* the counts are of the image before */
        foreground_free(&front);
        front = (foreground){ 0 };
        status = foreground_find(&front, &img);
        if (status != HF_OK) status = hf_fail_in(status, "after resampling");
        if (status != HF_OK) goto out;
    }
    for (int i = 0; i < 3; i++)
        start[i] = window_start(front.plane[i], img.shape[i], shape[i], front.count);
    copy_window(out, shape, &img, start);
    if (grid->zscore) status = zscore(out, voxel_count(shape));
out:
    foreground_free(&front);
    free(img.owned);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s'", name ? name : "volume");
}
