/* nifti.c: the NIfTI-1 and NIfTI-2 header, read strictly.
 *
 * Every number is fetched as a double, which holds all dimensions and offsets that a real file can have; each is
 * checked before it becomes an integer. Reading ends with an hf_stored (volume.h): nothing is allocated here.
 *
 * World coordinates come from the sform when its code is above 0, else from the qform, else from the voxel sizes alone.
 * Only single files (.nii) are read; the older pairs of .hdr and .img are refused by name and by magic. */
#include "nifti.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

const hf_nifti_layout hf_nifti_layouts[2] = {
    { 1,
      348,
      352,
      { [DIM] = { 40, 's' },
        [DATATYPE] = { 70, 's' },
        [BITPIX] = { 72, 's' },
        [PIXDIM] = { 76, 'f' },
        [VOX_OFFSET] = { 108, 'f' },
        [SLOPE] = { 112, 'f' },
        [INTERCEPT] = { 116, 'f' },
        [UNITS] = { 123, 'b' },
        [QFORM_CODE] = { 252, 's' },
        [SFORM_CODE] = { 254, 's' },
        [QUATERN] = { 256, 'f' },
        [QOFFSET] = { 268, 'f' },
        [SROW] = { 280, 'f' } } },
    { 2,
      540,
      544,
      { [DIM] = { 16, 'l' },
        [DATATYPE] = { 12, 's' },
        [BITPIX] = { 14, 's' },
        [PIXDIM] = { 104, 'd' },
        [VOX_OFFSET] = { 168, 'l' },
        [SLOPE] = { 176, 'd' },
        [INTERCEPT] = { 184, 'd' },
        [UNITS] = { 500, 'i' },
        [QFORM_CODE] = { 344, 'i' },
        [SFORM_CODE] = { 348, 'i' },
        [QUATERN] = { 352, 'd' },
        [QOFFSET] = { 376, 'd' },
        [SROW] = { 400, 'd' } } },
};

#define MAGIC_2_AT       4
#define MAGIC_2_BYTES    8
#define MAX_FORM_CODE    5    /* 1 scanner, 2 aligned, 3 Talairach, 4 MNI, 5 another template */
#define MIN_SPACING      1e-6 /* mm; outside, the header cannot be what its writer meant */
#define MAX_SPACING      1e6
#define MIN_DETERMINANT  1e-4 /* of the unit axes; below, they lie in a plane */
#define QUATERN_EPSILONS 3    /* within so many roundings of 1, b^2+c^2+d^2 is 1: a half turn */

static const char magic_1[4] = { 'n', '+', '1', 0 };
static const char magic_1_pair[4] = { 'n', 'i', '1', 0 };
static const char magic_2[MAGIC_2_BYTES] = { 'n', '+', '2', 0, '\r', '\n', 032, '\n' };
static const char magic_2_pair[4] = { 'n', 'i', '2', 0 };

typedef struct header {
    const unsigned char *bytes; /* layout->header_bytes of them at least */
    const hf_nifti_layout *layout;
    bool big_endian;
    const char *name;
} header;

static uint64_t load_bits(const unsigned char *at, size_t bytes, bool big_endian)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * (big_endian ? bytes - 1 - i : i);
    return value;
}

size_t hf_nifti_kind_bytes(char kind)
{
    return kind == 'b' ? 1 : kind == 's' ? 2 : kind == 'i' || kind == 'f' ? 4 : 8;
}

/* Element `index` of a field. */
static double number(const header *h, enum hf_nifti_field field, int index)
{
    const hf_nifti_place *p = &h->layout->field[field];
    size_t bytes = hf_nifti_kind_bytes(p->kind);
    uint64_t bits = load_bits(h->bytes + p->at + (size_t)index * bytes, bytes, h->big_endian);
    uint32_t low = (uint32_t)bits;
    float single;
    double real;
    int64_t whole;
    switch (p->kind) {
    case 'b':
        return (double)bits;
    case 's':
        return bits & 0x8000 ? (double)bits - 0x1p16 : (double)bits;
    case 'i':
        return bits & 0x80000000u ? (double)bits - 0x1p32 : (double)bits;
    case 'f':
        memcpy(&single, &low, sizeof single);
        return single;
    case 'd':
        memcpy(&real, &bits, sizeof real);
        return real;
    default:
        memcpy(&whole, &bits, sizeof whole);
        return (double)whole;
    }
}

/* The version and byte order from the header's own size, then the magic. */
static hf_status open_header(header *h, const unsigned char *bytes, size_t size, const char *name)
{
    if (size < hf_nifti_layouts[0].header_bytes)
        return hf_fail(HF_ERR_FORMAT, "'%s': has %zu bytes, a NIfTI header needs %zu", name, size,
                       hf_nifti_layouts[0].header_bytes);
    *h = (header){ .bytes = bytes, .name = name };
    for (int i = 0; i < 4 && !h->layout; i++) {
        h->big_endian = i & 1;
        if (load_bits(bytes, 4, h->big_endian) == hf_nifti_layouts[i / 2].header_bytes)
            h->layout = &hf_nifti_layouts[i / 2];
    }
    if (!h->layout)
        return hf_fail(HF_ERR_FORMAT, "'%s': is no NIfTI file: it begins with %lu, expected the header size 348 or 540",
                       name, (unsigned long)load_bits(bytes, 4, false));
    if (size < h->layout->header_bytes)
        return hf_fail(HF_ERR_FORMAT, "'%s': has %zu bytes, a NIfTI-2 header needs %zu", name, size,
                       h->layout->header_bytes);
    return HF_OK;
}

static hf_status check_magic(const header *h)
{
    static const char analyze[4] = { 0 };
    const unsigned char *magic = h->bytes + (h->layout->version == 1 ? HF_NIFTI_MAGIC_1_AT : MAGIC_2_AT);
    if (!memcmp(magic, h->layout->version == 1 ? magic_1_pair : magic_2_pair, 4))
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': is the header of a .hdr/.img pair; convert it to a single .nii file",
                       h->name);
    if (h->layout->version == 1 && !memcmp(magic, analyze, 4))
        return hf_fail(HF_ERR_UNSUPPORTED,
                       "'%s': is an ANALYZE 7.5 header, which does not tell left from right; "
                       "convert it to NIfTI",
                       h->name);
    if (h->layout->version == 1 && !memcmp(magic, magic_1, sizeof magic_1)) return HF_OK;
    if (h->layout->version == 2 && !memcmp(magic, magic_2, sizeof magic_2)) return HF_OK;
    if (h->layout->version == 2 && !memcmp(magic, magic_2, 4))
        return hf_fail(HF_ERR_FORMAT,
                       "'%s': the line-end bytes of its NIfTI-2 magic are changed: the file was copied "
                       "as text",
                       h->name);
    return hf_fail(HF_ERR_FORMAT, "'%s': the magic is %02x %02x %02x %02x, expected \"n+%d\" and a zero byte", h->name,
                   magic[0], magic[1], magic[2], magic[3], h->layout->version);
}

static hf_status read_shape(hf_stored *out, const header *h)
{
    double rank = number(h, DIM, 0);
    if (!(rank >= 1 && rank <= 7))
        return hf_fail(HF_ERR_FORMAT, "'%s': dim[0] is %.0f, expected a number of axes from 1 to 7", h->name, rank);
    for (int i = 1; i <= (int)rank; i++)
        if (!(number(h, DIM, i) >= 1 && number(h, DIM, i) <= INT_MAX))
            return hf_fail(HF_ERR_FORMAT, "'%s': dim[%d] is %.0f, expected a size from 1 to %d", h->name, i,
                           number(h, DIM, i), INT_MAX);
    if (rank < 3) return hf_fail(HF_ERR_UNSUPPORTED, "'%s': has %.0f axes, expected a 3D image", h->name, rank);
    for (int i = 4; i <= (int)rank; i++)
        if (number(h, DIM, i) > 1)
            return hf_fail(HF_ERR_UNSUPPORTED, "'%s': holds %.0f volumes along axis %d, expected one 3D image", h->name,
                           number(h, DIM, i), i);
    for (int i = 0; i < 3; i++)
        out->shape[i] = (int)number(h, DIM, i + 1);
    return HF_OK;
}

static const char *refused_type(int code)
{
    static const struct {
        int code;
        const char *name;
    } refused[] = { { 1, "binary" },        { 32, "complex64" },    { 128, "RGB24" },  { 1536, "float128" },
                    { 1792, "complex128" }, { 2048, "complex256" }, { 2304, "RGBA32" } };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].code == code) return refused[i].name;
    return NULL;
}

static hf_status read_type(hf_stored *out, const header *h)
{
    int code = (int)number(h, DATATYPE, 0), bits = (int)number(h, BITPIX, 0);
    if (refused_type(code))
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': voxels are %s, expected one integer or float each", h->name,
                       refused_type(code));
    for (int i = 0; i < HF_N_VOXEL_TYPES; i++)
        if (hf_voxel_types[i].nifti_code == code) out->type = &hf_voxel_types[i];
    if (!out->type) return hf_fail(HF_ERR_FORMAT, "'%s': datatype %d is no NIfTI voxel type", h->name, code);
    if (bits != 8 * (int)out->type->bytes)
        return hf_fail(HF_ERR_FORMAT, "'%s': bitpix is %d, but %s voxels have %d bits", h->name, bits, out->type->name,
                       8 * (int)out->type->bytes);
    out->swap = h->big_endian != hf_host_is_big_endian();
    return HF_OK;
}

/* Common in files made by small scripts: 0, for right behind the header. */
static double first_voxel(const header *h)
{
    const double offset = number(h, VOX_OFFSET, 0);
    return offset == 0 ? (double)h->layout->first_voxel : offset;
}

/* What there is of voxels: what the first bytes of a file say. */
static hf_status open_stored(header *h, hf_stored *stored, const unsigned char *start, size_t size, const char *name)
{
    HF_TRY(open_header(h, start, size, name));
    HF_TRY(check_magic(h));
    HF_TRY(read_shape(stored, h));
    return read_type(stored, h);
}

hf_status hf_nifti_extent(size_t *out, const unsigned char *start, size_t size, const char *name)
{
    header h;
    hf_stored stored = { 0 };
    HF_TRY(open_stored(&h, &stored, start, size, name));
    double bytes = (double)stored.type->bytes;
    for (int i = 0; i < 3; i++)
        bytes *= stored.shape[i];
    bytes += fmax(first_voxel(&h), 0); /* an offset that is no number counts as 0, and is refused later */
    *out = bytes < (double)HF_VOLUME_MAX_BYTES ? (size_t)bytes : HF_VOLUME_MAX_BYTES;
    return HF_OK;
}

static hf_status read_voxels(hf_stored *out, const header *h, size_t size)
{
    const double offset = first_voxel(h);
    if (!(offset >= (double)h->layout->first_voxel && offset <= (double)size) || offset != floor(offset))
        return hf_fail(HF_ERR_FORMAT,
                       "'%s': vox_offset is %g, expected a whole number from %zu to the file's %zu bytes", h->name,
                       offset, h->layout->first_voxel, size);
    return hf_stored_locate(out, h->bytes, size, (size_t)offset, h->name);
}

static hf_status read_scaling(hf_stored *out, const header *h)
{
    double slope = number(h, SLOPE, 0), intercept = number(h, INTERCEPT, 0);
    out->slope = 1;
    out->intercept = 0;
    if (slope == 0 || isnan(slope)) return HF_OK;
    if (!isfinite(slope) || !isfinite(intercept))
        return hf_fail(HF_ERR_FORMAT, "'%s': scl_slope %g with scl_inter %g: expected finite numbers", h->name, slope,
                       intercept);
    out->slope = slope;
    out->intercept = intercept;
    return HF_OK;
}

static hf_status check_finite(const header *h, enum hf_nifti_field field, int first, int count, const char *what)
{
    for (int i = first; i < first + count; i++)
        if (!isfinite(number(h, field, i)))
            return hf_fail(HF_ERR_FORMAT, "'%s': %s[%d] is %g, expected a finite number", h->name, what, i,
                           number(h, field, i));
    return HF_OK;
}

static hf_status check_voxel_sizes(const header *h)
{
    for (int i = 1; i <= 3; i++)
        if (!(number(h, PIXDIM, i) > 0 && isfinite(number(h, PIXDIM, i))))
            return hf_fail(HF_ERR_FORMAT, "'%s': pixdim[%d] is %g, expected a voxel size above 0", h->name, i,
                           number(h, PIXDIM, i));
    return HF_OK;
}

static hf_status affine_from_sform(double affine[3][4], const header *h)
{
    HF_TRY(check_finite(h, SROW, 0, 12, "srow"));
    for (int i = 0; i < 12; i++)
        affine[i / 4][i % 4] = number(h, SROW, i);
    return HF_OK;
}

/* Rotation by the quaternion (a,b,c,d), a >= 0 implied by unit length; columns scaled by the voxel sizes, the third
 * turned round when pixdim[0] is negative. */
static hf_status affine_from_qform(double affine[3][4], const header *h)
{
    HF_TRY(check_finite(h, QUATERN, 0, 3, "quatern"));
    HF_TRY(check_finite(h, QOFFSET, 0, 3, "qoffset"));
    HF_TRY(check_finite(h, PIXDIM, 0, 1, "pixdim"));
    HF_TRY(check_voxel_sizes(h));
    double b = number(h, QUATERN, 0), c = number(h, QUATERN, 1), d = number(h, QUATERN, 2);
    double square = b * b + c * c + d * d;
    double tolerance = QUATERN_EPSILONS * (h->layout->field[QUATERN].kind == 'f' ? FLT_EPSILON : DBL_EPSILON);
    if (!(square <= 1 + tolerance))
        return hf_fail(HF_ERR_FORMAT, "'%s': quatern b,c,d = %g,%g,%g is longer than 1: no rotation", h->name, b, c, d);
    double a = square >= 1 - tolerance ? 0 : sqrt(1 - square);
    double length = sqrt(a * a + square);
    a /= length, b /= length, c /= length, d /= length;
    const double rotation[3][3] = {
        { a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c) },
        { 2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b) },
        { 2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c },
    };
    double turn = number(h, PIXDIM, 0) < 0 ? -1 : 1; /* 0 and the odd 3 or 4 of old programs mean 1 */
    if (turn < 0 && number(h, PIXDIM, 0) != -1)
        return hf_fail(HF_ERR_FORMAT, "'%s': pixdim[0] is %g, expected 1 or -1", h->name, number(h, PIXDIM, 0));
    for (int row = 0; row < 3; row++) {
        for (int axis = 0; axis < 3; axis++)
            affine[row][axis] = rotation[row][axis] * number(h, PIXDIM, axis + 1) * (axis == 2 ? turn : 1);
        affine[row][3] = number(h, QOFFSET, row);
    }
    return HF_OK;
}

static hf_status affine_from_sizes(double affine[3][4], const header *h)
{
    HF_TRY(check_voxel_sizes(h));
    for (int i = 0; i < 12; i++)
        affine[i / 4][i % 4] = i / 4 == i % 4 ? number(h, PIXDIM, i / 4 + 1) : 0;
    return HF_OK;
}

/* Axes of sane length that are not in one plane. */
hf_status hf_nifti_check_axes(const double affine[3][4], const char *name)
{
    double unit[3][3];
    for (int axis = 0; axis < 3; axis++) {
        double length = sqrt(affine[0][axis] * affine[0][axis] + affine[1][axis] * affine[1][axis] +
                             affine[2][axis] * affine[2][axis]);
        if (!(length >= MIN_SPACING && length <= MAX_SPACING))
            return hf_fail(HF_ERR_FORMAT, "'%s': voxels measure %g mm along axis %d, expected %g to %g", name, length,
                           axis, MIN_SPACING, MAX_SPACING);
        for (int row = 0; row < 3; row++)
            unit[row][axis] = affine[row][axis] / length;
    }
    double determinant = hf_determinant((const double(*)[3])unit);
    if (!(fabs(determinant) >= MIN_DETERMINANT))
        return hf_fail(HF_ERR_FORMAT, "'%s': the three image axes lie in one plane (determinant %g)", name,
                       determinant);
    return HF_OK;
}

static hf_status read_affine(hf_stored *out, const header *h)
{
    static const double mm_of_unit[8] = { 1, 1000, 1, 0.001, 0, 0, 0, 0 }; /* unknown, metre, mm, micrometre */
    double qform = number(h, QFORM_CODE, 0), sform = number(h, SFORM_CODE, 0);
    double mm = mm_of_unit[(int)number(h, UNITS, 0) & 7];
    if (mm == 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': xyzt_units gives the length unit %d, expected 0 to 3", h->name,
                       (int)number(h, UNITS, 0) & 7);
    if (!(qform >= 0 && qform <= MAX_FORM_CODE && sform >= 0 && sform <= MAX_FORM_CODE))
        return hf_fail(HF_ERR_FORMAT, "'%s': qform_code %.0f, sform_code %.0f: expected 0 to %d", h->name, qform, sform,
                       MAX_FORM_CODE);
    out->knows_orientation = sform > 0 || qform > 0;
    if (sform > 0)
        HF_TRY(affine_from_sform(out->affine, h));
    else if (qform > 0)
        HF_TRY(affine_from_qform(out->affine, h));
    else
        HF_TRY(affine_from_sizes(out->affine, h));
    for (int i = 0; i < 12; i++)
        out->affine[i / 4][i % 4] *= mm;
    return hf_nifti_check_axes((const double(*)[4])out->affine, h->name);
}

hf_status hf_nifti_parse(hf_stored *out, const unsigned char *bytes, size_t size, const char *name)
{
    header h;
    hf_stored stored = { 0 };
    HF_TRY(open_stored(&h, &stored, bytes, size, name));
    HF_TRY(read_voxels(&stored, &h, size));
    HF_TRY(read_scaling(&stored, &h));
    HF_TRY(read_affine(&stored, &h));
    *out = stored;
    return HF_OK;
}
