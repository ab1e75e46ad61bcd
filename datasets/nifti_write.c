/* nifti_write.c: a volume as the bytes of a NIfTI-1 file.
 *
 * Voxels are float32, or int16 with a slope. The orientation is written twice, as sform (exact) and as qform (a
 * rotation and voxel sizes, all that a quaternion can say), for programs that read only one of them. */
#include "nifti.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTION_1_AT  148
#define UNITS_MM          2
#define FORM_ALIGNED      2
#define MAX_OFFSET        1e9  /* mm */
#define SPACING_TOLERANCE 1e-3 /* relative */

static void put(unsigned char *bytes, enum hf_nifti_field field, int index, double value)
{
    const hf_nifti_place *p = &hf_nifti_layouts[0].field[field];
    unsigned char *at = bytes + p->at + (size_t)index * hf_nifti_kind_bytes(p->kind);
    int16_t whole = p->kind == 's' ? (int16_t)value : 0;
    float real = (float)value;
    if (p->kind == 'b')
        *at = (unsigned char)value;
    else if (p->kind == 's')
        memcpy(at, &whole, sizeof whole);
    else
        memcpy(at, &real, sizeof real);
}

/* quatern and the handedness in pixdim[0], from the rotation nearest to the affine. The products of a unit
 * quaternion's components are linear in the rotation matrix; the row of the largest square divides best. */
static void put_rotation(unsigned char *bytes, const hf_volume *volume)
{
    double axes[3][3], r[3][3];
    for (int i = 0; i < 9; i++)
        axes[i / 3][i % 3] = volume->affine[i / 3][i % 3] / volume->spacing[i % 3];
    hf_nearest_rotation(r, (const double(*)[3])axes);
    double turn = hf_determinant((const double(*)[3])r) < 0 ? -1 : 1;
    for (int row = 0; row < 3; row++)
        r[row][2] *= turn;
    const double product[4][4] = {
        { 1 + r[0][0] + r[1][1] + r[2][2], r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1] },
        { r[2][1] - r[1][2], 1 + r[0][0] - r[1][1] - r[2][2], r[0][1] + r[1][0], r[0][2] + r[2][0] },
        { r[0][2] - r[2][0], r[0][1] + r[1][0], 1 - r[0][0] + r[1][1] - r[2][2], r[1][2] + r[2][1] },
        { r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], 1 - r[0][0] - r[1][1] + r[2][2] },
    }; /* 4 times the products */
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (product[i][i] > product[best][best]) best = i;
    double scale = 0.5 / sqrt(product[best][best]) * (product[best][0] < 0 ? -1 : 1);
    for (int i = 0; i < 3; i++)
        put(bytes, QUATERN, i, product[best][i + 1] * scale);
    put(bytes, PIXDIM, 0, turn);
}

static void put_header(unsigned char *bytes, const hf_volume *volume, bool compact, double slope)
{
    int32_t header_bytes = (int32_t)hf_nifti_layouts[0].header_bytes;
    memcpy(bytes, &header_bytes, sizeof header_bytes);
    memcpy(bytes + HF_NIFTI_MAGIC_1_AT, "n+1", 4);
    memcpy(bytes + DESCRIPTION_1_AT, "HyperFusion", sizeof "HyperFusion");
    put(bytes, DIM, 0, 3);
    for (int i = 1; i < 8; i++) {
        put(bytes, DIM, i, i <= 3 ? volume->shape[i - 1] : 1);
        put(bytes, PIXDIM, i, i <= 3 ? volume->spacing[i - 1] : 1);
    }
    put(bytes, DATATYPE, 0, compact ? 4 : 16);
    put(bytes, BITPIX, 0, compact ? 16 : 32);
    put(bytes, VOX_OFFSET, 0, (double)hf_nifti_layouts[0].first_voxel);
    put(bytes, SLOPE, 0, slope);
    put(bytes, UNITS, 0, UNITS_MM);
    put(bytes, QFORM_CODE, 0, FORM_ALIGNED);
    put(bytes, SFORM_CODE, 0, FORM_ALIGNED);
    put_rotation(bytes, volume);
    for (int i = 0; i < 3; i++)
        put(bytes, QOFFSET, i, volume->affine[i][3]);
    for (int i = 0; i < 12; i++)
        put(bytes, SROW, i, volume->affine[i / 4][i % 4]);
}

/* The slope that uses the whole int16 range with no intercept, so that zero stays exactly zero. */
static hf_status compact_slope(double *slope, const hf_volume *volume, size_t count, const char *name)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(volume->voxels[i]))
            return hf_fail(HF_ERR_NUMBER, "'%s': voxel %zu is %g: only finite values can be written as int16", name, i,
                           volume->voxels[i]);
        largest = fmax(largest, fabs((double)volume->voxels[i]));
    }
    float single = (float)(largest / INT16_MAX); /* the header's precision */
    if (largest > 0 && single < FLT_MIN)
        return hf_fail(HF_ERR_NUMBER, "'%s': the largest value, %g, is too small to be written as int16", name,
                       largest);
    *slope = largest > 0 ? single : 1;
    return HF_OK;
}

/* Nearest step, but never 0 for a value that is not: non-zero voxels are the foreground. */
static int16_t quantise(float value, double slope)
{
    double step = fmin(fmax(floor(value / slope + 0.5), -INT16_MAX), INT16_MAX);
    if (step == 0 && value != 0) step = value > 0 ? 1 : -1;
    return (int16_t)step;
}

/* D becomes the fastest axis, as NIfTI wants it. */
static void put_voxels(unsigned char *at, const hf_volume *volume, bool compact, double slope)
{
    size_t depth = (size_t)volume->shape[0], height = (size_t)volume->shape[1], width = (size_t)volume->shape[2];
    for (size_t w = 0; w < width; w++)
        for (size_t h = 0; h < height; h++)
            for (size_t d = 0; d < depth; d++) {
                float value = volume->voxels[(d * height + h) * width + w];
                int16_t step = compact ? quantise(value, slope) : 0;
                memcpy(at, compact ? (const void *)&step : (const void *)&value, compact ? sizeof step : sizeof value);
                at += compact ? sizeof step : sizeof value;
            }
}

static hf_status check_volume(size_t *count, const hf_volume *volume, const char *name)
{
    *count = 1;
    if (hf_nifti_check_axes(volume->affine, name) != HF_OK) return hf_fail_in(HF_ERR_ARGUMENT, "cannot write");
    for (int i = 0; i < 3; i++) {
        const double *row = volume->affine[i];
        if (volume->shape[i] < 1 || volume->shape[i] > INT16_MAX)
            return hf_fail(HF_ERR_ARGUMENT, "'%s': size %d along axis %d: NIfTI-1 holds 1 to %d", name,
                           volume->shape[i], i, INT16_MAX);
        double length = hypot(hypot(volume->affine[0][i], volume->affine[1][i]), volume->affine[2][i]);
        if (!(fabs(volume->spacing[i] - length) <= SPACING_TOLERANCE * length))
            return hf_fail(HF_ERR_ARGUMENT, "'%s': spacing %g mm along axis %d, but its affine says %g", name,
                           volume->spacing[i], i, length);
        if (!(fabs(row[3]) <= MAX_OFFSET))
            return hf_fail(HF_ERR_ARGUMENT, "'%s': affine[%d][3] is %g mm, expected at most %g", name, i, row[3],
                           MAX_OFFSET);
        *count *= (size_t)volume->shape[i]; /* below 2^45 */
    }
    return HF_OK;
}

hf_status hf_nifti_encode(void **out, size_t *out_size, const hf_volume *volume, bool compact, const char *name)
{
    size_t count, size;
    double slope = 1;
    HF_TRY(check_volume(&count, volume, name));
    size = count * (compact ? sizeof(int16_t) : sizeof(float)) + hf_nifti_layouts[0].first_voxel;
    if (size > HF_VOLUME_MAX_BYTES)
        return hf_fail(HF_ERR_ARGUMENT, "'%s': %d x %d x %d voxels are more than the largest file of %zu bytes", name,
                       volume->shape[0], volume->shape[1], volume->shape[2], HF_VOLUME_MAX_BYTES);
    if (compact) HF_TRY(compact_slope(&slope, volume, count, name));
    unsigned char *bytes = NULL;
    HF_TRY(hf_alloc(&bytes, size, 1, "NIfTI file"));
    put_header(bytes, volume, compact, slope);
    put_voxels(bytes + hf_nifti_layouts[0].first_voxel, volume, compact, slope);
    *out = bytes;
    *out_size = size;
    return HF_OK;
}
