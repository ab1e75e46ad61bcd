/* volume.c: reading and writing 3D images in the canonical orientation.
 *
 * A reader describes the stored voxels (volume.h); here they are turned to RAS+: each stored axis is assigned the
 * world axis it is closest to, and the voxels are decoded, scaled, permuted and mirrored in one pass. Nothing is
 * interpolated; an oblique image stays oblique, as its affine says. */
#include "volume.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIN_HEADER  348               /* bytes of a NIfTI-1 header */
#define MAX_HEADER  544               /* of a NIfTI-2 header, with what announces extensions */
#define ROOM_BEHIND ((size_t)1 << 20) /* bytes that may follow the voxels */

/* ---- voxel types ------------------------------------------------------------------------------------------------- */

#define NO_SWAP(bits) (bits)
#define SWAP_16(bits) ((uint16_t)((bits) >> 8 | (bits) << 8))
#define SWAP_32(bits) ((uint32_t)SWAP_16((uint16_t)((bits) >> 16)) | (uint32_t)SWAP_16((uint16_t)(bits)) << 16)
#define SWAP_64(bits) ((uint64_t)SWAP_32((uint32_t)((bits) >> 32)) | (uint64_t)SWAP_32((uint32_t)(bits)) << 32)

#define DEFINE_DECODE(name, value_type, bits_type, SWAP)                                                               \
    static void decode_##name(float *out, const unsigned char *in, size_t count, bool swap, double slope,              \
                              double intercept)                                                                        \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i++) {                                                                           \
            bits_type bits;                                                                                            \
            value_type value;                                                                                          \
            memcpy(&bits, in + i * sizeof bits, sizeof bits);                                                          \
            if (swap) bits = SWAP(bits);                                                                               \
            memcpy(&value, &bits, sizeof value);                                                                       \
            out[i] = (float)((double)value * slope + intercept);                                                       \
        }                                                                                                              \
    }

DEFINE_DECODE(u8, uint8_t, uint8_t, NO_SWAP)
DEFINE_DECODE(i8, int8_t, uint8_t, NO_SWAP)
DEFINE_DECODE(u16, uint16_t, uint16_t, SWAP_16)
DEFINE_DECODE(i16, int16_t, uint16_t, SWAP_16)
DEFINE_DECODE(u32, uint32_t, uint32_t, SWAP_32)
DEFINE_DECODE(i32, int32_t, uint32_t, SWAP_32)
DEFINE_DECODE(u64, uint64_t, uint64_t, SWAP_64)
DEFINE_DECODE(i64, int64_t, uint64_t, SWAP_64)
DEFINE_DECODE(f32, float, uint32_t, SWAP_32)
DEFINE_DECODE(f64, double, uint64_t, SWAP_64)

const hf_voxel_type hf_voxel_types[HF_N_VOXEL_TYPES] = {
    { "uint8", 2, 'u', 1, decode_u8 },      { "int8", 256, 'i', 1, decode_i8 },
    { "uint16", 512, 'u', 2, decode_u16 },  { "int16", 4, 'i', 2, decode_i16 },
    { "uint32", 768, 'u', 4, decode_u32 },  { "int32", 8, 'i', 4, decode_i32 },
    { "uint64", 1280, 'u', 8, decode_u64 }, { "int64", 1024, 'i', 8, decode_i64 },
    { "float32", 16, 'f', 4, decode_f32 },  { "float64", 64, 'f', 8, decode_f64 },
};

bool hf_host_is_big_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 0;
}

hf_status hf_stored_locate(hf_stored *out, const unsigned char *bytes, size_t size, size_t offset, const char *name)
{
    size_t count = 1, length, end, as_float;
    bool fits = true;
    for (int i = 0; i < 3; i++)
        fits = fits && hf_size_mul(count, (size_t)out->shape[i], &count);
    fits = fits && hf_size_mul(count, out->type->bytes, &length) && hf_size_add(offset, length, &end) &&
           hf_size_mul(count, sizeof(float), &as_float);
    if (!fits || end > size)
        return hf_fail(HF_ERR_FORMAT,
                       "'%s': %d x %d x %d %s voxels from byte %zu on reach beyond the %zu bytes that are there", name,
                       out->shape[0], out->shape[1], out->shape[2], out->type->name, offset, size);
    out->voxels = bytes + offset;
    return HF_OK;
}

/* ---- orientation ------------------------------------------------------------------------------------------------- */

double hf_determinant(const double m[3][3])
{
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
           m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

/* Newton's iteration X <- (X + X^-T) / 2, which converges to the polar factor and is done when X stops moving. */
void hf_nearest_rotation(double out[3][3], const double in[3][3])
{
    const int max_steps = 60;
    double x[3][3], change = 1;
    memcpy(x, in, sizeof x);
    for (int step = 0; step < max_steps && change > 1e-15; step++) {
        double next[3][3], determinant = hf_determinant((const double(*)[3])x);
        change = 0;
        for (int i = 0; i < 9; i++) {
            int r = i / 3, c = i % 3, r1 = (r + 1) % 3, r2 = (r + 2) % 3, c1 = (c + 1) % 3, c2 = (c + 2) % 3;
            double inverse_transposed = (x[r1][c1] * x[r2][c2] - x[r1][c2] * x[r2][c1]) / determinant;
            next[r][c] = 0.5 * (x[r][c] + inverse_transposed);
            change = fmax(change, fabs(next[r][c] - x[r][c]));
        }
        memcpy(x, next, sizeof x);
    }
    memcpy(out, x, sizeof x);
}

/* Which canonical axis each stored axis becomes, and whether it is mirrored. */
typedef struct orientation {
    int to[3];
    bool flip[3];
} orientation;

/* Assigns axes greedily, the one that is nearest to any world axis first. */
static orientation closest_orientation(double affine[3][4], const double spacing[3])
{
    double axes[3][3], rotation[3][3];
    orientation result = { { -1, -1, -1 }, { false } };
    bool taken[3] = { false };
    for (int i = 0; i < 9; i++)
        axes[i / 3][i % 3] = affine[i / 3][i % 3] / spacing[i % 3];
    hf_nearest_rotation(rotation, (const double(*)[3])axes);
    for (int round = 0; round < 3; round++) {
        int best_axis = -1, best_world = -1;
        for (int axis = 0; axis < 3; axis++)
            for (int world = 0; world < 3; world++) {
                if (result.to[axis] >= 0 || taken[world]) continue;
                if (best_axis < 0 || fabs(rotation[world][axis]) > fabs(rotation[best_world][best_axis]))
                    best_axis = axis, best_world = world;
            }
        result.to[best_axis] = best_world;
        result.flip[best_axis] = rotation[best_world][best_axis] < 0;
        taken[best_world] = true;
    }
    return result;
}

/* Fills everything but the voxels. */
static orientation describe(hf_volume *out, const hf_stored *stored)
{
    double affine[3][4], spacing[3];
    memcpy(affine, stored->affine, sizeof affine);
    for (int axis = 0; axis < 3; axis++)
        spacing[axis] = sqrt(affine[0][axis] * affine[0][axis] + affine[1][axis] * affine[1][axis] +
                             affine[2][axis] * affine[2][axis]);
    orientation o = closest_orientation(affine, spacing);
    for (int row = 0; row < 3; row++)
        out->affine[row][3] = affine[row][3];
    for (int axis = 0; axis < 3; axis++) {
        int to = o.to[axis];
        out->shape[to] = stored->shape[axis];
        out->spacing[to] = spacing[axis];
        out->stored_axes[axis] = "RASLPI"[to + (o.flip[axis] ? 3 : 0)];
        for (int row = 0; row < 3; row++) {
            out->affine[row][to] = o.flip[axis] ? -affine[row][axis] : affine[row][axis];
            if (o.flip[axis]) out->affine[row][3] += affine[row][axis] * (stored->shape[axis] - 1);
        }
    }
    out->oriented = stored->knows_orientation;
    if (!out->oriented) memcpy(out->stored_axes, "RAS", 4);
    return o;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static size_t machine_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t bytes;
    return pages > 0 && page > 0 && hf_size_mul((size_t)pages, (size_t)page, &bytes) ? bytes : SIZE_MAX;
}

hf_status hf_volume_fits(size_t bytes, size_t memory, const char *name)
{
    const size_t there = memory ? memory : machine_memory();
    if (bytes <= there) return HF_OK;
    return hf_fail(HF_ERR_MEMORY, "'%s': reading it takes %zu MiB of memory, there are %zu MiB", name, bytes >> 20,
                   there >> 20);
}

/* The most bytes that a packed NIfTI file may inflate to: what its header asks for, and something behind the voxels. A file
 * so short, or so damaged, that it has no header is not worth more than that. */
static hf_status most_inflated(size_t *out, const void *packed, size_t size, const char *name)
{
    unsigned char start[MAX_HEADER];
    size_t extent = 0;
    const size_t there = hf_gunzip_start(start, sizeof start, packed, size);
    if (there >= MIN_HEADER) HF_TRY(hf_nifti_extent(&extent, start, there, name));
    *out = extent < HF_VOLUME_MAX_BYTES - ROOM_BEHIND ? extent + ROOM_BEHIND : HF_VOLUME_MAX_BYTES;
    return extent / DEFLATE_MAX_RATIO < size ? hf_volume_fits(extent, 0, name) : HF_OK; /* else a wrong claim */
}

static hf_status unpack(void **out, size_t *out_size, const void *packed, size_t size, const char *name)
{
    size_t most;
    HF_TRY(most_inflated(&most, packed, size, name));
    return hf_gunzip(out, out_size, packed, size, most, name);
}

/* ---- voxels ------------------------------------------------------------------------------------------------------ */

/* Stored lines are decoded in blocks of this many neighbours along W, so that whole cache lines of the result are
 * written even when the fastest stored axis is another one. */
#define BLOCK_LINES 16

/* Steps through memory: `step` elements of the result for one along each stored axis, from `origin` on. */
typedef struct walk {
    ptrdiff_t step[3];
    ptrdiff_t origin;
} walk;

static walk plan_walk(const hf_volume *volume, const hf_stored *stored, const orientation *o)
{
    const ptrdiff_t stride[3] = { (ptrdiff_t)volume->shape[1] * volume->shape[2], volume->shape[2], 1 };
    walk result = { { 0 }, 0 };
    for (int axis = 0; axis < 3; axis++) {
        result.step[axis] = o->flip[axis] ? -stride[o->to[axis]] : stride[o->to[axis]];
        if (o->flip[axis]) result.origin += stride[o->to[axis]] * (stored->shape[axis] - 1);
    }
    return result;
}

/* Decodes `lines` stored lines, neighbours along stored axis `along` (1 or 2), and writes them to their places. */
static void place_block(float *out, const unsigned char *in, float *block, int lines, int along,
                        const hf_stored *stored, const walk *w)
{
    int length = stored->shape[0];
    size_t line_bytes = (size_t)length * stored->type->bytes;
    size_t next_line = along == 1 ? line_bytes : line_bytes * (size_t)stored->shape[1];
    for (int line = 0; line < lines; line++)
        stored->type->decode(block + (size_t)line * (size_t)length, in + (size_t)line * next_line, (size_t)length,
                             stored->swap, stored->slope, stored->intercept);
    for (int i = 0; i < length; i++)
        for (int line = 0; line < lines; line++)
            out[i * w->step[0] + line * w->step[along]] = block[(size_t)line * (size_t)length + (size_t)i];
}

static hf_status place_voxels(float *out, const hf_volume *volume, const hf_stored *stored, const orientation *o)
{
    walk w = plan_walk(volume, stored, o);
    int along = o->to[1] == 2 ? 1 : 2, across = 3 - along; /* `along` becomes W unless the lines themselves do */
    size_t line_bytes = (size_t)stored->shape[0] * stored->type->bytes;
    size_t stored_step[3] = { 0, line_bytes, line_bytes * (size_t)stored->shape[1] };
    float *block = NULL;
    int lines = stored->shape[along] < BLOCK_LINES ? stored->shape[along] : BLOCK_LINES;
    HF_TRY(hf_alloc(&block, (size_t)stored->shape[0], (size_t)lines * sizeof(float), "decoding block"));
    for (int a = 0; a < stored->shape[across]; a++)
        for (int first = 0; first < stored->shape[along]; first += lines) {
            int left = stored->shape[along] - first;
            place_block(out + w.origin + a * w.step[across] + first * w.step[along],
                        stored->voxels + (size_t)a * stored_step[across] + (size_t)first * stored_step[along], block,
                        left < lines ? left : lines, along, stored, &w);
        }
    free(block);
    return HF_OK;
}

static hf_status realise(hf_volume *out, const hf_stored *stored, const char *name)
{
    hf_volume volume = { 0 };
    orientation o = describe(&volume, stored);
    size_t count = (size_t)volume.shape[0] * (size_t)volume.shape[1] * (size_t)volume.shape[2];
    HF_TRY(hf_volume_fits(count * (sizeof(float) + stored->type->bytes), 0, name));
    hf_status status = hf_alloc(&volume.voxels, count, sizeof(float), "voxels");
    if (status == HF_OK) status = place_voxels(volume.voxels, &volume, stored, &o);
    if (status != HF_OK) {
        free(volume.voxels);
        return hf_fail_in(status, "'%s'", name);
    }
    *out = volume;
    return HF_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), n = strlen(ending);
    return length >= n && !strcmp(name + length - n, ending);
}

typedef hf_status parser(hf_stored *out, const unsigned char *bytes, size_t size, const char *name);

typedef struct file_format {
    parser *parse;
    bool packed;
} file_format;

static hf_status format_of(file_format *out, const char *name)
{
    static const struct {
        const char *ending;
        file_format format;
    } known[] = {
        { ".nii", { hf_nifti_parse, false } },
        { ".nii.gz", { hf_nifti_parse, true } },
        { ".npy", { hf_npy_parse, false } },
    };
    static const char *const pairs[] = { ".hdr", ".img", ".hdr.gz", ".img.gz" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ends_with(name, known[i].ending)) {
            *out = known[i].format;
            return HF_OK;
        }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (ends_with(name, pairs[i]))
            return hf_fail(HF_ERR_UNSUPPORTED, "'%s': .hdr/.img pairs are not read; convert it to a single .nii file",
                           name);
    return hf_fail(HF_ERR_UNSUPPORTED, "'%s': its ending is none of .nii, .nii.gz, .npy", name);
}

static hf_status parse_plain(hf_volume *out, const void *bytes, size_t size, const char *name, parser *parse)
{
    const unsigned char *start = bytes;
    hf_stored stored;
    if (size >= 2 && start[0] == 0x1f && start[1] == 0x8b)
        return hf_fail(HF_ERR_FORMAT,
                       "'%s': holds gzip data where none was expected; a compressed NIfTI is named .nii.gz", name);
    HF_TRY(parse(&stored, start, size, name));
    return realise(out, &stored, name);
}

hf_status hf_volume_parse(hf_volume *out, const void *bytes, size_t size, const char *name)
{
    file_format format;
    void *inflated = NULL;
    size_t inflated_size;
    if (!out || !bytes || !name) return hf_fail(HF_ERR_ARGUMENT, "hf_volume_parse: out, bytes and name are required");
    HF_TRY(format_of(&format, name));
    if (!format.packed) return parse_plain(out, bytes, size, name, format.parse);
    HF_TRY(unpack(&inflated, &inflated_size, bytes, size, name));
    hf_status status = parse_plain(out, inflated, inflated_size, name, format.parse);
    free(inflated);
    return status;
}

hf_status hf_volume_read(hf_volume *out, const char *path)
{
    file_format format;
    void *bytes = NULL, *packed = NULL;
    size_t size;
    hf_status status = HF_OK;
    if (!out || !path) return hf_fail(HF_ERR_ARGUMENT, "hf_volume_read: out and path are required");
    HF_TRY(format_of(&format, path));
    HF_TRY(hf_file_read(&bytes, &size, path, HF_VOLUME_MAX_BYTES));
    if (format.packed) {
        packed = bytes;
        bytes = NULL;
        HF_TRY_OUT(unpack(&bytes, &size, packed, size, path));
        free(packed); /* before the voxels are allocated, to keep the peak low */
        packed = NULL;
    }
    status = parse_plain(out, bytes, size, path, format.parse);
out:
    free(packed);
    free(bytes);
    return status;
}

hf_status hf_volume_write(const hf_volume *volume, const char *path, bool compact)
{
    void *bytes = NULL, *packed = NULL;
    size_t size;
    hf_status status = HF_OK;
    if (!volume || !volume->voxels || !path)
        return hf_fail(HF_ERR_ARGUMENT, "hf_volume_write: a volume with voxels and a path are required");
    bool pack = ends_with(path, ".nii.gz");
    if (!pack && !ends_with(path, ".nii"))
        return hf_fail(HF_ERR_ARGUMENT, "'%s': volumes are written as .nii or .nii.gz", path);
    HF_TRY(hf_nifti_encode(&bytes, &size, volume, compact, path));
    if (pack) {
        HF_TRY_OUT(hf_gzip(&packed, &size, bytes, size));
        free(bytes);
        bytes = packed;
        packed = NULL;
    }
    status = hf_file_write(path, bytes, size);
out:
    free(bytes);
    free(packed);
    return status;
}

void hf_volume_free(hf_volume *volume)
{
    if (!volume) return;
    free(volume->voxels);
    *volume = (hf_volume){ 0 };
}
