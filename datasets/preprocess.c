/* preprocess.c: from a volume to what the network sees. doc/preprocessing.md says the same for other programs.
 *
 *   1. resample  to the wanted voxel size, when one is wanted
 *   2. window    crop or pad to the wanted shape around the centre of mass of the non-zero voxels
 *                or, in place of 1 and 2, stretch the box of the non-zero voxels to the wanted shape
 *   3. crop      a box of that window; or, in place of 1 to 3, a box in millimetres of a template's space
 *   4. zscore    zero mean and unit variance of the non-zero voxels
 *
 * Zero is background throughout, and so is everything outside of the volume. All positions count from the box that just
 * holds the non-zero voxels, in integers, so planes of zeros around a volume change no bit of the result. Sums are
 * doubles in a fixed order. */
#include "resample.h"
#include "volume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_NONZERO      8
#define SAME_SPACING     1e-4 /* relative; below it an axis is not resampled */
#define EXPECTED_SPACING 0.01 /* relative; above it a volume is not what the model was trained on */
#define MAX_SIZE         4096 /* voxels along an axis of the result */
#define ON_FACE          1e-3 /* voxels; a centre so near to a face of a box lies on it */
#define MAX_TURN         1e-3 /* of an axis off the world's, as a tangent, where a box is in millimetres */

/* ---- the grid ---------------------------------------------------------------------------------------------------- */

static bool resampled(double spacing, double wanted)
{
    return wanted > 0 && fabs(spacing - wanted) > SAME_SPACING * wanted;
}

bool hf_grid_has_crop(const hf_grid *grid)
{
    return grid->crop[0][1] > 0;
}

bool hf_grid_has_box(const hf_grid *grid)
{
    return grid->crop_mm[0][0] < grid->crop_mm[0][1];
}

static bool equal_numbers(const double *a, const double *b, int count)
{
    for (int i = 0; i < count; i++)
        if (a[i] != b[i]) return false;
    return true;
}

bool hf_grid_equal(const hf_grid *a, const hf_grid *b)
{
    return memcmp(a->shape, b->shape, sizeof a->shape) == 0 && memcmp(a->crop, b->crop, sizeof a->crop) == 0 &&
           equal_numbers(a->spacing, b->spacing, 3) && equal_numbers(a->spacing_expected, b->spacing_expected, 3) &&
           equal_numbers(a->crop_mm[0], b->crop_mm[0], 6) && a->zscore == b->zscore && a->centre == b->centre &&
           a->resize == b->resize && a->both_sides == b->both_sides;
}

static hf_status check_crops(const hf_grid *grid)
{
    const bool crop = hf_grid_has_crop(grid), box = hf_grid_has_box(grid);
    for (int i = 0; i < 3; i++) {
        const int *c = grid->crop[i];
        const double *b = grid->crop_mm[i];
        if (crop && !(c[0] >= 0 && c[0] < c[1]))
            return hf_fail(HF_ERR_ARGUMENT, "grid: crop %d:%d along axis %d, expected START:STOP of at least a voxel",
                           c[0], c[1], i);
        if (box && !(isfinite(b[0]) && isfinite(b[1]) && b[0] < b[1]))
            return hf_fail(HF_ERR_ARGUMENT, "grid: box %g:%g mm along axis %d, expected LOW:HIGH", b[0], b[1], i);
        if (box && grid->shape[i])
            return hf_fail(HF_ERR_ARGUMENT, "grid: a box in millimetres says how many voxels there are; no shape "
                                            "is expected beside it");
    }
    if (box && grid->resize)
        return hf_fail(HF_ERR_ARGUMENT, "grid: a box in millimetres is cut, not resized; expected one of both");
    return crop && box ? hf_fail(HF_ERR_ARGUMENT, "grid: a crop in voxels and one in millimetres, expected one")
                       : HF_OK;
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
        if (grid->resize && (grid->shape[i] == 0 || grid->spacing[i] > 0))
            return hf_fail(HF_ERR_ARGUMENT,
                           "grid: size %d, spacing %g mm along axis %d: resizing expects a size and no "
                           "spacing",
                           grid->shape[i], grid->spacing[i], i);
    }
    return check_crops(grid);
}

/* Voxels after resampling: the nearest number that covers the same length. */
static hf_status resampled_size(int *out, int stored, double spacing, double wanted, int axis)
{
    double size = stored;
    if (resampled(spacing, wanted)) size = fmax(1, floor(size * spacing / wanted + 0.5));
    if (stored < 1 || !(spacing > 0) || (size != stored && !(size <= MAX_SIZE)))
        return hf_fail(HF_ERR_ARGUMENT, "%d voxels of %g mm along axis %d make %g of %g mm, expected 1 to %d", stored,
                       spacing, axis, size, wanted, MAX_SIZE);
    *out = (int)size;
    return HF_OK;
}

static hf_status check_expected(const hf_volume *volume, const hf_grid *grid)
{
    for (int i = 0; i < 3; i++) {
        double expected = grid->spacing_expected[i];
        if (expected == 0 || grid->spacing[i] > 0 || grid->resize) continue;
        if (!(fabs(volume->spacing[i] - expected) <= EXPECTED_SPACING * expected))
            return hf_fail(HF_ERR_SHAPE,
                           "voxels measure %g mm along axis %d, expected %g mm within %g %%: resample it to the grid "
                           "the model was trained on",
                           volume->spacing[i], i, expected, 100 * EXPECTED_SPACING);
    }
    return HF_OK;
}

/* ---- boxes in millimetres ---------------------------------------------------------------------------------------- */

/* One axis of a box: the voxels whose centres lie inside it, or, when resampled, new voxels that fill it. */
typedef struct box_axis {
    int first, count; /* voxels of the volume, or new ones */
    double middle;    /* of the box, in voxels of the volume */
} box_axis;

/* A box only makes sense along the axes of a template's space. */
static hf_status check_template(const hf_volume *v)
{
    if (!v->oriented)
        return hf_fail(HF_ERR_UNSUPPORTED, "the file does not say where the volume lies (sform and qform codes are "
                                           "0), and a box in millimetres was asked for");
    for (int axis = 0; axis < 3; axis++)
        for (int row = 0; row < 3; row++)
            if (row != axis && fabs(v->affine[row][axis]) > MAX_TURN * v->spacing[axis])
                return hf_fail(HF_ERR_UNSUPPORTED, "its axes are turned against those of the world: a box in "
                                                   "millimetres needs volumes in the space of a template");
    return HF_OK;
}

static hf_status box_along(box_axis *out, const hf_volume *v, const hf_grid *grid, int axis)
{
    const double *box = grid->crop_mm[axis], spacing = v->spacing[axis], wanted = grid->spacing[axis];
    const double low = (box[0] - v->affine[axis][3]) / v->affine[axis][axis];
    const double high = (box[1] - v->affine[axis][3]) / v->affine[axis][axis];
    const double first = ceil(low + ON_FACE), last = floor(high - ON_FACE);
    const bool again = resampled(spacing, wanted);
    const double count = again ? fmax(1, floor((box[1] - box[0]) / wanted + 0.5)) : last - first + 1;
    if (!(count >= 1 && count <= MAX_SIZE && fabs(first) < 1e6))
        return hf_fail(HF_ERR_ARGUMENT, "the box %g:%g mm holds %g voxels along axis %d, expected 1 to %d", box[0],
                       box[1], count, axis, MAX_SIZE);
    *out = (box_axis){ (int)first, (int)count, 0.5 * (low + high) };
    return HF_OK;
}

hf_status hf_grid_shape(int shape[3], const hf_volume *volume, const hf_grid *grid)
{
    int result[3];
    box_axis box;
    HF_TRY(check_grid(grid));
    if (hf_grid_has_box(grid)) HF_TRY(check_template(volume));
    for (int i = 0; i < 3; i++) {
        HF_TRY(resampled_size(&result[i], volume->shape[i], volume->spacing[i], grid->spacing[i], i));
        if (grid->shape[i]) result[i] = grid->shape[i];
        if (hf_grid_has_crop(grid)) {
            if (grid->crop[i][1] > result[i])
                return hf_fail(HF_ERR_SHAPE, "the crop %d:%d along axis %d reaches beyond the %d voxels there",
                               grid->crop[i][0], grid->crop[i][1], i, result[i]);
            result[i] = grid->crop[i][1] - grid->crop[i][0];
        }
        if (!hf_grid_has_box(grid)) continue;
        HF_TRY(box_along(&box, volume, grid, i));
        result[i] = box.count;
    }
    memcpy(shape, result, sizeof result);
    return HF_OK;
}

/* ---- foreground -------------------------------------------------------------------------------------------------- */

/* Non-zero voxels of an image: how many, how many in each plane across each axis, and the first and last such plane. */
typedef struct foreground {
    size_t count;
    size_t *plane[3]; /* [shape[axis]] */
    int low[3], high[3];
} foreground;

static void foreground_free(foreground *f)
{
    for (int i = 0; i < 3; i++)
        free(f->plane[i]);
    *f = (foreground){ 0 };
}

static hf_status count_planes(foreground *f, const hf_block *img)
{
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
    return HF_OK;
}

static hf_status foreground_find(foreground *f, const hf_block *img)
{
    foreground_free(f);
    for (int i = 0; i < 3; i++)
        HF_TRY(hf_alloc(&f->plane[i], (size_t)img->shape[i], sizeof(size_t), "foreground counts"));
    HF_TRY(count_planes(f, img));
    if (f->count < MIN_NONZERO)
        return hf_fail(HF_ERR_FORMAT, "has %zu non-zero voxels, expected at least %d: it holds no image", f->count,
                       MIN_NONZERO);
    for (int i = 0; i < 3; i++) {
        while (!f->plane[i][f->low[i]])
            f->low[i]++;
        f->high[i] = img->shape[i] - 1;
        while (!f->plane[i][f->high[i]])
            f->high[i]--;
    }
    return HF_OK;
}

static int64_t floor_divide(int64_t a, int64_t b) /* b > 0 */
{
    return a / b - (a % b < 0);
}

/* First position of a window of `wanted` voxels around the centre of mass m: floor(m - (wanted - 1) / 2 + 1/2), in
 * integers; moved, as little as needed, to lose no non-zero voxel where all of them fit. Negative: padding comes
 * first. */
static int window_start(const foreground *f, int axis, int wanted)
{
    const int low = f->low[axis], high = f->high[axis];
    int64_t moment = 0, count = (int64_t)f->count; /* below 2^36 voxels and 2^12 positions */
    for (int i = low; i <= high; i++)
        moment += (int64_t)f->plane[axis][i] * i;
    int start = (int)floor_divide(2 * moment - (wanted - 2) * count, 2 * count);
    if (high - low + 1 > wanted) return start;
    if (start > low) start = low;
    if (start + wanted <= high) start = high - wanted + 1;
    return start;
}

/* ---- normalisation ----------------------------------------------------------------------------------------------- */

hf_status hf_zscore(float *voxels, size_t count)
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

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Resamples around the foreground: a box of it, with background around as far as any new voxel reaches. Both have one
 * middle. The older rule took the volume as it was. */
static hf_status resample_foreground(hf_block *img, const foreground *front, const hf_volume *v, const hf_grid *grid)
{
    hf_sampling along[3] = { { 0 } };
    int start[3], size[3];
    for (int i = 0; i < 3; i++) {
        const bool again = resampled(v->spacing[i], grid->spacing[i]), whole = grid->centre == HF_CENTRE_MIDDLE;
        const double ratio = again ? grid->spacing[i] / v->spacing[i] : 0;
        const int margin = again && !whole ? hf_sampling_margin(ratio) : 0;
        const int held = whole ? img->shape[i] : front->high[i] - front->low[i] + 1;
        HF_TRY(resampled_size(&along[i].count, held, v->spacing[i], grid->spacing[i], i));
        start[i] = (whole ? 0 : front->low[i]) - margin;
        size[i] = held + 2 * margin;
        along[i].ratio = ratio;
        along[i].middle = 0.5 * (size[i] - 1);
    }
    if (grid->centre != HF_CENTRE_MIDDLE) HF_TRY(hf_block_cut(img, start, size));
    return hf_block_resample(img, along);
}

/* The box of the foreground, with background around as far as a new voxel reaches, becomes shape[] voxels. */
static hf_status stretch(float *out, const int shape[3], hf_block *img, const hf_grid *grid)
{
    hf_sampling along[3] = { { 0 } };
    foreground front = { 0 };
    int start[3], size[3];
    hf_status status = foreground_find(&front, img);
    for (int i = 0; i < 3 && status == HF_OK; i++) {
        const int held = front.high[i] - front.low[i] + 1, wanted = grid->shape[i];
        const double ratio = held == wanted ? 0 : (double)held / wanted;
        const int margin = ratio > 0 ? hf_sampling_margin(ratio) : 0;
        start[i] = front.low[i] - margin;
        size[i] = held + 2 * margin;
        along[i] = (hf_sampling){ wanted, ratio, 0.5 * (size[i] - 1) };
    }
    foreground_free(&front);
    if (status == HF_OK) status = hf_block_cut(img, start, size);
    if (status == HF_OK) status = hf_block_resample(img, along);
    for (int i = 0; i < 3; i++)
        start[i] = grid->crop[i][0];
    if (status == HF_OK) hf_block_copy(out, shape, img, start);
    return status;
}

static hf_status window(float *out, const int shape[3], hf_block *img, const hf_volume *v, const hf_grid *grid)
{
    foreground front = { 0 };
    hf_status status;
    int start[3];
    bool again = false;
    HF_TRY_OUT(foreground_find(&front, img));
    for (int i = 0; i < 3; i++)
        again = again || resampled(v->spacing[i], grid->spacing[i]);
    if (again) {
        HF_TRY_OUT(resample_foreground(img, &front, v, grid));
        status = foreground_find(&front, img); /* the counts were of the image before */
        if (status != HF_OK) status = hf_fail_in(status, "after resampling");
        if (status != HF_OK) goto out;
    }
    for (int i = 0; i < 3; i++) {
        int wanted = grid->shape[i];
        if (!wanted) HF_TRY_OUT(resampled_size(&wanted, v->shape[i], v->spacing[i], grid->spacing[i], i));
        const bool as_it_is = grid->centre == HF_CENTRE_MIDDLE && wanted == img->shape[i];
        start[i] = (as_it_is ? 0 : window_start(&front, i, wanted)) + grid->crop[i][0];
    }
    hf_block_copy(out, shape, img, start);
out:
    foreground_free(&front);
    return status;
}

/* A box in millimetres: no centring, because the space of the template says where things are. */
static hf_status cut_box(float *out, const int shape[3], hf_block *img, const hf_volume *v, const hf_grid *grid)
{
    static const int zero[3] = { 0 };
    hf_sampling along[3] = { { 0 } };
    foreground front = { 0 };
    int start[3], size[3];
    hf_status status = foreground_find(&front, img);
    foreground_free(&front);
    HF_TRY(status);
    for (int i = 0; i < 3; i++) {
        box_axis box;
        HF_TRY(box_along(&box, v, grid, i));
        start[i] = box.first;
        size[i] = along[i].count = box.count;
        if (!resampled(v->spacing[i], grid->spacing[i])) continue;
        along[i].ratio = grid->spacing[i] / v->spacing[i];
        const double half = 0.5 * (box.count - 1) * along[i].ratio;
        const int margin = hf_sampling_margin(along[i].ratio);
        start[i] = (int)floor(box.middle - half) - margin;
        size[i] = (int)ceil(box.middle + half) + margin - start[i] + 1;
        along[i].middle = box.middle - start[i];
    }
    HF_TRY(hf_block_cut(img, start, size));
    HF_TRY(hf_block_resample(img, along));
    hf_block_copy(out, shape, img, zero);
    return HF_OK;
}

hf_status hf_preprocess(float *out, const hf_volume *volume, const hf_grid *grid, const char *name)
{
    static const hf_grid as_stored = { .zscore = false };
    hf_status status;
    int shape[3];
    if (!out || !volume || !volume->voxels)
        return hf_fail(HF_ERR_ARGUMENT, "hf_preprocess: out and volume are required");
    if (!grid) grid = &as_stored;
    hf_block img = { .voxels = volume->voxels };
    memcpy(img.shape, volume->shape, sizeof img.shape);
    HF_TRY_OUT(hf_grid_shape(shape, volume, grid));
    HF_TRY_OUT(check_expected(volume, grid));
    if (hf_grid_has_box(grid))
        HF_TRY_OUT(cut_box(out, shape, &img, volume, grid));
    else if (grid->resize)
        HF_TRY_OUT(stretch(out, shape, &img, grid));
    else
        HF_TRY_OUT(window(out, shape, &img, volume, grid));
    if (grid->zscore) status = hf_zscore(out, hf_voxels_of(shape));
out:
    free(img.owned);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s'", name ? name : "volume");
}
