/* Checks the NIfTI reader and writer: every voxel type, version and byte order with known values, all 48 orientations,
 * the sources of the affine, a table of damaged headers with the message each must give, truncation at every byte,
 * gzip framing, and round trips. The field offsets below are written down from the standard, apart from the
 * reader's. */
#include "check.h"
#include "volume.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/hf-nifti-XXXXXX";

/* ---- building files ---------------------------------------------------------------------------------------------- */

#define CAPACITY (64 * 1024)

typedef struct file {
    unsigned char bytes[CAPACITY];
    size_t size;
    int version;
    bool big;
} file;

typedef struct offsets {
    const char *name;
    size_t at[2]; /* version 1, 2 */
    char kind[2]; /* s int16, i int32, l int64, f float, d double, b byte */
} offsets;

static const offsets fields[] = {
    { "sizeof_hdr", { 0, 0 }, "ii" },  { "dim", { 40, 16 }, "sl" },          { "datatype", { 70, 12 }, "ss" },
    { "bitpix", { 72, 14 }, "ss" },    { "pixdim", { 76, 104 }, "fd" },      { "vox_offset", { 108, 168 }, "fl" },
    { "slope", { 112, 176 }, "fd" },   { "inter", { 116, 184 }, "fd" },      { "units", { 123, 500 }, "bi" },
    { "cal_max", { 124, 192 }, "fd" }, { "qform_code", { 252, 344 }, "si" }, { "sform_code", { 254, 348 }, "si" },
    { "quatern", { 256, 352 }, "fd" }, { "qoffset", { 268, 376 }, "fd" },    { "srow", { 280, 400 }, "fd" },
    { "magic", { 344, 4 }, "bb" },     { "byte", { 0, 0 }, "bb" },
};

static size_t width_of(char kind)
{
    return kind == 'b' ? 1 : kind == 's' ? 2 : kind == 'i' || kind == 'f' ? 4 : 8;
}

static void put_bits(file *f, size_t at, size_t width, uint64_t bits)
{
    for (size_t i = 0; i < width; i++)
        f->bytes[at + (f->big ? width - 1 - i : i)] = (unsigned char)(bits >> (8 * i));
}

static uint64_t bits_of(char kind, double value)
{
    float single = (float)value;
    uint32_t low;
    uint64_t bits;
    if (kind == 'f') {
        memcpy(&low, &single, sizeof low);
        return low;
    }
    if (kind == 'd') {
        memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    return value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
}

/* Field "size" cuts the file (or counts from its end when negative). */
static void put(file *f, const char *name, int index, double value)
{
    if (!strcmp(name, "size")) {
        f->size = value < 0 ? f->size - (size_t)-value : (size_t)value;
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(fields[i].name, name) != 0) continue;
        char kind = fields[i].kind[f->version - 1];
        size_t width = width_of(kind);
        put_bits(f, fields[i].at[f->version - 1] + (size_t)index * width, width, bits_of(kind, value));
        return;
    }
    fprintf(stderr, "no field %s\n", name);
    exit(2);
}

static void put_affine(file *f, double affine[3][4])
{
    for (int i = 0; i < 12; i++)
        put(f, "srow", i, affine[i / 4][i % 4]);
}

static size_t first_voxel(const file *f)
{
    return f->version == 1 ? 352 : 544;
}

static void start_file(file *f, int version, bool big, int code, int bits)
{
    memset(f, 0, sizeof *f);
    f->version = version;
    f->big = big;
    put(f, "sizeof_hdr", 0, version == 1 ? 348 : 540);
    memcpy(f->bytes + (version == 1 ? 344 : 4), version == 1 ? "n+1\0" : "n+2\0\r\n\032\n", version == 1 ? 4 : 8);
    put(f, "datatype", 0, code);
    put(f, "bitpix", 0, bits);
    put(f, "vox_offset", 0, (double)first_voxel(f));
    put(f, "slope", 0, 1);
}

static void put_shape(file *f, int nx, int ny, int nz, int voxel_bytes)
{
    const int shape[4] = { 3, nx, ny, nz };
    for (int i = 0; i < 8; i++) {
        put(f, "dim", i, i < 4 ? shape[i] : 1);
        put(f, "pixdim", i, 1);
    }
    f->size = first_voxel(f) + (size_t)nx * (size_t)ny * (size_t)nz * (size_t)voxel_bytes;
}

/* 2 x 3 x 4 int16 voxels holding 1..24, RAS, 2 mm. */
static void plain_file(file *f, int version, bool big)
{
    double affine[3][4] = { { 2, 0, 0, -10 }, { 0, 2, 0, -20 }, { 0, 0, 2, -30 } };
    start_file(f, version, big, 4, 16);
    put_shape(f, 2, 3, 4, 2);
    put(f, "sform_code", 0, 1);
    put_affine(f, affine);
    for (int i = 0; i < 24; i++)
        put_bits(f, first_voxel(f) + 2 * (size_t)i, 2, (uint64_t)i + 1);
}

/* Parses a copy of exactly that size, so that a sanitizer sees any byte read beyond. */
static hf_status parse_bytes(hf_volume *out, const void *bytes, size_t size, const char *name)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    memcpy(copy, bytes, size);
    hf_status status = hf_volume_parse(out, copy, size, name);
    free(copy);
    return status;
}

static hf_status parse(hf_volume *out, const file *f)
{
    return parse_bytes(out, f->bytes, f->size, "test.nii");
}

/* ---- voxel types ------------------------------------------------------------------------------------------------- */

typedef struct type_case {
    int code;
    char kind; /* u, i, f */
    int bytes;
    double value[6];
} type_case;

static const type_case types[] = {
    { 2, 'u', 1, { 0, 1, 127, 128, 254, 255 } },
    { 256, 'i', 1, { 0, 1, 127, -128, -1, -77 } },
    { 512, 'u', 2, { 0, 1, 32767, 32768, 258, 65535 } },
    { 4, 'i', 2, { 0, 1, 32767, -32768, 258, -1 } },
    { 768, 'u', 4, { 0, 1, 2147483647, 2147483648, 16909060, 4294967295 } },
    { 8, 'i', 4, { 0, 1, 2147483647, -2147483648.0, 16909060, -1 } },
    { 1280, 'u', 8, { 0, 1, 9007199254740991, 9223372036854775808.0, 72623859790382848, 18446744073709549568.0 } },
    { 1024, 'i', 8, { 0, 1, 9007199254740991, -9223372036854775807.0, 72623859790382848, -1 } },
    { 16, 'f', 4, { 0, 1, -2.5, 3.25e30, 1e-30, -65504 } },
    { 64, 'f', 8, { 0, 1, -2.5, 3.25e30, 1.2345678901234567, -65504 } },
};

static void test_type(const type_case *type, int version, bool big, double slope, double inter)
{
    static file f;
    hf_volume volume = { 0 };
    char kind = type->kind == 'f' ? (type->bytes == 4 ? 'f' : 'd') : 'l';
    start_file(&f, version, big, type->code, 8 * type->bytes);
    put_shape(&f, 1, 2, 3, type->bytes);
    put(&f, "slope", 0, slope);
    put(&f, "inter", 0, inter);
    for (int i = 0; i < 6; i++)
        put_bits(&f, first_voxel(&f) + (size_t)(i * type->bytes), (size_t)type->bytes, bits_of(kind, type->value[i]));
    if (!CHECK_OK(parse(&volume, &f))) return;
    bool scaled = slope != 0 && slope == slope;
    CHECK(volume.shape[0] == 1 && volume.shape[1] == 2 && volume.shape[2] == 3);
    for (int h = 0; h < 2; h++)
        for (int w = 0; w < 3; w++) {
            double stored = type->value[2 * w + h];
            if (type->kind == 'f' && type->bytes == 4) stored = (float)stored;
            float expected = (float)(scaled ? stored * slope + inter : stored);
            CHECK(volume.voxels[3 * h + w] == expected);
        }
    hf_volume_free(&volume);
}

static void test_types(void)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int version = 1; version <= 2; version++)
            for (int big = 0; big < 2; big++) {
                test_type(&types[i], version, big, 1, 0);
                test_type(&types[i], version, big, 0.5, -3);
                test_type(&types[i], version, big, 0, 7);
                test_type(&types[i], version, big, NAN, 7);
                test_type(&types[i], version, big, 0, NAN);
            }
}

/* ---- orientation ------------------------------------------------------------------------------------------------- */

static void map(double world[3], double affine[3][4], double i, double j, double k)
{
    for (int row = 0; row < 3; row++)
        world[row] = affine[row][0] * i + affine[row][1] * j + affine[row][2] * k + affine[row][3];
}

/* Every voxel must lie at the same place in the world as it did in the file, and the axes must run R, A, S. */
static void check_placed(const hf_volume *volume, double stored[3][4], const int shape[3], double tolerance)
{
    int wrong = 0;
    const int *n = volume->shape;
    for (int v = 0; v < n[0] * n[1] * n[2]; v++) {
        int index = (int)volume->voxels[v] - 1;
        double here[3], there[3];
        map(here, (double(*)[4])volume->affine, v / (n[1] * n[2]), v / n[2] % n[1], v % n[2]);
        map(there, stored, index % shape[0], index / shape[0] % shape[1], index / (shape[0] * shape[1]));
        for (int i = 0; i < 3; i++)
            wrong += !(fabs(here[i] - there[i]) < tolerance);
    }
    CHECK(wrong == 0);
    for (int axis = 0; axis < 3; axis++)
        CHECK(volume->affine[axis][axis] > 0);
}

static void orient_case(const int to[3], int mirrors, const int shape[3], double angle)
{
    static file f;
    static const double spacing[3] = { 1.5, 2, 3 };
    double affine[3][4] = { { 0, 0, 0, 5 }, { 0, 0, 0, -7 }, { 0, 0, 0, 11 } };
    char axes[4] = { 0 };
    for (int axis = 0; axis < 3; axis++) {
        double sign = mirrors >> axis & 1 ? -1 : 1, world[3] = { 0 };
        world[to[axis]] = sign * spacing[axis];
        affine[0][axis] = cos(angle) * world[0] - sin(angle) * world[1]; /* turned about S, then a little about R */
        double y = sin(angle) * world[0] + cos(angle) * world[1], tilt = angle / 2;
        affine[1][axis] = cos(tilt) * y - sin(tilt) * world[2];
        affine[2][axis] = sin(tilt) * y + cos(tilt) * world[2];
        axes[axis] = (sign > 0 ? "RAS" : "LPI")[to[axis]];
    }
    start_file(&f, 2, false, 4, 16);
    put_shape(&f, shape[0], shape[1], shape[2], 2);
    put(&f, "sform_code", 0, 2);
    put_affine(&f, affine);
    for (int i = 0; i < shape[0] * shape[1] * shape[2]; i++)
        put_bits(&f, 544 + 2 * (size_t)i, 2, (uint64_t)i + 1);
    hf_volume volume = { 0 };
    if (!CHECK_OK(parse(&volume, &f))) return;
    CHECK(strcmp(volume.stored_axes, axes) == 0);
    for (int axis = 0; axis < 3; axis++) {
        CHECK(volume.shape[to[axis]] == shape[axis]);
        CHECK_NEAR(volume.spacing[to[axis]], spacing[axis], 1e-12);
    }
    check_placed(&volume, affine, shape, 1e-9);
    hf_volume_free(&volume);
}

static void test_orientations(void)
{
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static const int shapes[3][3] = { { 2, 3, 4 }, { 19, 17, 33 }, { 33, 1, 16 } };
    for (int order = 0; order < 6; order++)
        for (int mirrors = 0; mirrors < 8; mirrors++)
            for (int shape = 0; shape < 3; shape++) {
                orient_case(orders[order], mirrors, shapes[shape], 0);
                orient_case(orders[order], mirrors, shapes[shape], 0.4);
            }
}

/* ---- where the affine comes from --------------------------------------------------------------------------------- */

static void check_affine(const file *f, double expected[3][4], const char *axes, const char *what)
{
    hf_volume volume = { 0 };
    if (!CHECK_OK(parse(&volume, f))) return;
    bool good = !strcmp(volume.stored_axes, axes);
    for (int i = 0; i < 12; i++)
        good = good && fabs(volume.affine[i / 4][i % 4] - expected[i / 4][i % 4]) < 1e-5;
    if (!CHECK(good)) fprintf(stderr, "    %s: stored axes %s\n", what, volume.stored_axes);
    hf_volume_free(&volume);
}

static void put_qform(file *f, double b, double c, double d, double turn)
{
    const double numbers[3] = { b, c, d }, sizes[4] = { turn, 1.5, 2, 3 }, offset[3] = { 5, -7, 11 };
    put(f, "qform_code", 0, 1);
    put(f, "sform_code", 0, 0);
    for (int i = 0; i < 3; i++) {
        put(f, "quatern", i, numbers[i]);
        put(f, "qoffset", i, offset[i]);
    }
    for (int i = 0; i < 4; i++)
        put(f, "pixdim", i, sizes[i]);
}

static void test_affine_sources(int version, bool big)
{
    static file f;
    const double half = sqrt(0.5);
    double none[3][4] = { { 1.5, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 3, 0 } };
    double plain[3][4] = { { 1.5, 0, 0, 5 }, { 0, 2, 0, -7 }, { 0, 0, 3, 11 } };
    /* a quarter turn about S: i runs to A, j to L; canonical D is -j (3 voxels), H is i */
    double quarter[3][4] = { { 2, 0, 0, 5 - 2 * 2 }, { 0, 1.5, 0, -7 }, { 0, 0, 3, 11 } };
    double mirrored[3][4] = { { 1.5, 0, 0, 5 }, { 0, 2, 0, -7 }, { 0, 0, 3, 11 - 3 * 3 } };
    double half_turn[3][4] = { { 1.5, 0, 0, 5 - 1.5 }, { 0, 2, 0, -7 - 2 * 2 }, { 0, 0, 3, 11 } };
    double metres[3][4] = { { 2000, 0, 0, -10000 }, { 0, 2000, 0, -20000 }, { 0, 0, 2000, -30000 } };
    double microns[3][4] = { { .002, 0, 0, -.01 }, { 0, .002, 0, -.02 }, { 0, 0, .002, -.03 } };
    double sform[3][4] = { { 2, 0, 0, -10 }, { 0, 2, 0, -20 }, { 0, 0, 2, -30 } };
    plain_file(&f, version, big);
    put_qform(&f, 0, 0, 0, 1);
    check_affine(&f, plain, "RAS", "identity qform");
    put_qform(&f, 0, 0, 0, 0);
    check_affine(&f, plain, "RAS", "handedness 0 counts as 1");
    put_qform(&f, 0, 0, 0, -1);
    check_affine(&f, mirrored, "RAI", "left-handed qform");
    put_qform(&f, 0, 0, half, 1);
    check_affine(&f, quarter, "ALS", "quarter turn");
    put_qform(&f, 0, 0, version == 1 ? 1 + 1.2e-7 : 1 + 2.3e-16, 1);
    check_affine(&f, half_turn, "LPS", "half turn, rounded beyond 1");
    put_qform(&f, 0, 0, version == 1 ? 1 - 1.2e-7 : 1 - 1.2e-16, 1);
    check_affine(&f, half_turn, "LPS", "half turn, rounded below 1");
    put(&f, "qform_code", 0, 0);
    check_affine(&f, none, "RAS", "voxel sizes alone");
    plain_file(&f, version, big);
    put_qform(&f, NAN, 0, 0, NAN);
    put(&f, "sform_code", 0, 4);
    put(&f, "pixdim", 1, NAN);
    put(&f, "cal_max", 0, INFINITY);
    check_affine(&f, sform, "RAS", "sform wins; numbers that are not used may be anything");
    put(&f, "units", 0, 1);
    check_affine(&f, metres, "RAS", "metres");
    put(&f, "units", 0, 3 + 8);
    check_affine(&f, microns, "RAS", "micrometres and seconds");
}

/* ---- what must be accepted --------------------------------------------------------------------------------------- */

static void check_plain(const file *f, const char *what)
{
    hf_volume volume = { 0 };
    if (!CHECK_OK(parse(&volume, f))) {
        fprintf(stderr, "    %s\n", what);
        return;
    }
    bool good = volume.shape[0] == 2 && volume.shape[1] == 3 && volume.shape[2] == 4;
    for (int v = 0; v < 24 && good; v++)
        good = volume.voxels[v] == (float)(1 + v / 12 + v / 4 % 3 * 2 + v % 4 * 6);
    if (!CHECK(good)) fprintf(stderr, "    %s\n", what);
    hf_volume_free(&volume);
}

static void test_accepted(int version, bool big)
{
    static file f;
    plain_file(&f, version, big);
    check_plain(&f, "plain");
    put(&f, "vox_offset", 0, 0);
    check_plain(&f, "vox_offset 0");
    put(&f, "dim", 0, 4);
    check_plain(&f, "one volume");
    put(&f, "dim", 0, 7);
    check_plain(&f, "seven axes");
    f.size += 100;
    check_plain(&f, "bytes after the voxels");
    plain_file(&f, version, big);
    memmove(f.bytes + first_voxel(&f) + 32, f.bytes + first_voxel(&f), 48);
    memset(f.bytes + first_voxel(&f), 0x5a, 32);
    f.bytes[first_voxel(&f) - 4] = 1;
    put(&f, "vox_offset", 0, (double)first_voxel(&f) + 32);
    f.size += 32;
    check_plain(&f, "an extension");
    plain_file(&f, version, big);
    put(&f, "dim", 4, 5);
    check_plain(&f, "sizes of axes beyond dim[0] do not count");
}

/* ---- what must be refused ---------------------------------------------------------------------------------------- */

#define FORMAT      HF_ERR_FORMAT
#define UNSUPPORTED HF_ERR_UNSUPPORTED

typedef struct edit {
    const char *field;
    int index;
    double value;
} edit;

typedef struct damage {
    int versions; /* 1, 2, or 3 for both */
    hf_status status;
    const char *message;
    edit edits[4];
} damage;

/* How a header can be wrong: each with what the reader must say. */
static const damage damages[] = {
    { 3, FORMAT, "0 bytes", { { "size", 0, 0 } } },
    { 3, FORMAT, "has 4 bytes, a NIfTI header needs 348", { { "size", 0, 4 } } },
    { 3, FORMAT, "has 347 bytes", { { "size", 0, 347 } } },
    { 2, FORMAT, "a NIfTI-2 header needs 540", { { "size", 0, 539 } } },
    { 1, FORMAT, "vox_offset is 352", { { "size", 0, 348 } } },
    { 1, FORMAT, "vox_offset is 352", { { "size", 0, 351 } } },
    { 2, FORMAT, "vox_offset is 544", { { "size", 0, 543 } } },
    { 3, FORMAT, "2 x 3 x 4 int16 voxels", { { "size", 0, -1 } } },
    { 3, FORMAT, "no NIfTI file", { { "sizeof_hdr", 0, 0 } } },
    { 3, FORMAT, "expected the header size 348 or 540", { { "sizeof_hdr", 0, 349 } } },
    { 3, FORMAT, "no NIfTI file", { { "sizeof_hdr", 0, -1 } } },
    { 1, FORMAT, "a NIfTI-2 header needs 540", { { "sizeof_hdr", 0, 540 } } },
    { 2, UNSUPPORTED, "ANALYZE", { { "sizeof_hdr", 0, 348 } } },
    { 3, UNSUPPORTED, ".hdr/.img pair", { { "magic", 1, 'i' } } },
    { 3, FORMAT, "the magic is 6e 2b 33 00", { { "magic", 2, '3' } } },
    { 3, FORMAT, "the magic is 00 2b", { { "magic", 0, 0 } } },
    { 3, FORMAT, "78, expected \"n+", { { "magic", 3, 'x' } } },
    { 1, UNSUPPORTED, "ANALYZE 7.5", { { "magic", 0, 0 }, { "magic", 1, 0 }, { "magic", 2, 0 } } },
    { 2, FORMAT, "copied as text", { { "magic", 4, '\n' } } },
    { 2, FORMAT, "copied as text", { { "magic", 7, 0 } } },
    { 3, FORMAT, "dim[0] is 0", { { "dim", 0, 0 } } },
    { 3, FORMAT, "dim[0] is 8", { { "dim", 0, 8 } } },
    { 3, FORMAT, "dim[0] is -1", { { "dim", 0, -1 } } },
    { 3, FORMAT, "dim[0] is 768", { { "dim", 0, 768 } } }, /* 3 in the other byte order */
    { 3, UNSUPPORTED, "has 1 axes", { { "dim", 0, 1 } } },
    { 3, UNSUPPORTED, "has 2 axes", { { "dim", 0, 2 } } },
    { 3, FORMAT, "dim[1] is 0", { { "dim", 1, 0 } } },
    { 3, FORMAT, "dim[2] is -3", { { "dim", 2, -3 } } },
    { 3, FORMAT, "dim[3] is 0", { { "dim", 3, 0 } } },
    { 3, FORMAT, "2 x 3 x 5 int16 voxels", { { "dim", 3, 5 } } },
    { 3, FORMAT, "reach beyond", { { "dim", 1, 32767 }, { "dim", 2, 32767 }, { "dim", 3, 32767 } } },
    { 2, FORMAT, "reach beyond", { { "dim", 1, 2147483647 }, { "dim", 2, 2147483647 }, { "dim", 3, 2147483647 } } },
    { 2, FORMAT, "reach beyond", { { "dim", 1, 65536 }, { "dim", 2, 65536 }, { "dim", 3, 1073741824 } } },
    { 2, FORMAT, "dim[1] is 2147483648", { { "dim", 1, 2147483648.0 } } },
    { 2, FORMAT, "dim[3] is 4611686018427387904", { { "dim", 3, 4611686018427387904.0 } } },
    { 2, FORMAT, "dim[2] is 4294967299", { { "dim", 2, 4294967299.0 } } }, /* 3 in its low 32 bits */
    { 3, UNSUPPORTED, "holds 2 volumes", { { "dim", 0, 4 }, { "dim", 4, 2 } } },
    { 3, UNSUPPORTED, "3 volumes along axis 5", { { "dim", 0, 5 }, { "dim", 5, 3 } } },
    { 3, FORMAT, "dim[4] is 0", { { "dim", 0, 4 }, { "dim", 4, 0 } } },
    { 3, FORMAT, "dim[7] is -1", { { "dim", 0, 7 }, { "dim", 7, -1 } } },
    { 3, FORMAT, "datatype 0 ", { { "datatype", 0, 0 } } },
    { 3, FORMAT, "datatype 3 ", { { "datatype", 0, 3 } } },
    { 3, FORMAT, "datatype -4 ", { { "datatype", 0, -4 } } },
    { 3, FORMAT, "datatype 1025 ", { { "datatype", 0, 1025 } } },
    { 3, UNSUPPORTED, "binary", { { "datatype", 0, 1 } } },
    { 3, UNSUPPORTED, "complex64", { { "datatype", 0, 32 } } },
    { 3, UNSUPPORTED, "RGB24", { { "datatype", 0, 128 } } },
    { 3, UNSUPPORTED, "float128", { { "datatype", 0, 1536 } } },
    { 3, UNSUPPORTED, "complex128", { { "datatype", 0, 1792 } } },
    { 3, UNSUPPORTED, "complex256", { { "datatype", 0, 2048 } } },
    { 3, UNSUPPORTED, "RGBA32", { { "datatype", 0, 2304 } } },
    { 3, FORMAT, "bitpix is 0", { { "bitpix", 0, 0 } } },
    { 3, FORMAT, "bitpix is 8, but int16 voxels have 16 bits", { { "bitpix", 0, 8 } } },
    { 3, FORMAT, "2 x 3 x 4 uint8 voxels", { { "datatype", 0, 2 }, { "bitpix", 0, 8 }, { "size", 0, -25 } } },
    { 3, FORMAT, "float64 voxels", { { "datatype", 0, 64 }, { "bitpix", 0, 64 } } },
    { 3, FORMAT, "vox_offset is 100", { { "vox_offset", 0, 100 } } },
    { 1, FORMAT, "vox_offset is 348", { { "vox_offset", 0, 348 } } },
    { 2, FORMAT, "vox_offset is 540", { { "vox_offset", 0, 540 } } },
    { 3, FORMAT, "vox_offset is -352", { { "vox_offset", 0, -352 } } },
    { 1, FORMAT, "vox_offset is nan", { { "vox_offset", 0, NAN } } },
    { 1, FORMAT, "vox_offset is inf", { { "vox_offset", 0, INFINITY } } },
    { 1, FORMAT, "vox_offset is 352.5", { { "vox_offset", 0, 352.5 } } },
    { 3, FORMAT, "vox_offset is 1e+18", { { "vox_offset", 0, 1e18 } } },
    { 2, FORMAT, "vox_offset is -9.22337e+18", { { "vox_offset", 0, -9223372036854775808.0 } } },
    { 1, FORMAT, "from byte 353 on", { { "vox_offset", 0, 353 } } },
    { 1, FORMAT, "from byte 400 on", { { "vox_offset", 0, 400 } } }, /* no voxel is left */
    { 2, FORMAT, "from byte 545 on", { { "vox_offset", 0, 545 } } },
    { 1, FORMAT, "vox_offset is 401", { { "vox_offset", 0, 401 } } },
    { 3, FORMAT, "scl_slope inf", { { "slope", 0, INFINITY } } },
    { 3, FORMAT, "scl_slope -inf", { { "slope", 0, -INFINITY } } },
    { 3, FORMAT, "scl_inter nan", { { "inter", 0, NAN } } },
    { 3, FORMAT, "scl_inter inf", { { "inter", 0, INFINITY } } },
    { 3, FORMAT, "srow[0] is nan", { { "srow", 0, NAN } } },
    { 3, FORMAT, "srow[3] is inf", { { "srow", 3, INFINITY } } },
    { 3, FORMAT, "srow[11] is -inf", { { "srow", 11, -INFINITY } } },
    { 3, FORMAT, "0 mm along axis 1", { { "srow", 5, 0 } } },
    { 3, FORMAT, "mm along axis 2", { { "srow", 10, 1e30 } } },
    { 3, FORMAT, "mm along axis 0", { { "srow", 0, 1e-20 } } },
    { 3, FORMAT, "lie in one plane", { { "srow", 1, 2 }, { "srow", 5, 0 } } },
    { 3, FORMAT, "lie in one plane", { { "srow", 2, 2 }, { "srow", 6, 2 }, { "srow", 10, 0 } } },
    { 3, FORMAT, "sform_code -1", { { "sform_code", 0, -1 } } },
    { 3, FORMAT, "sform_code 6", { { "sform_code", 0, 6 } } },
    { 3, FORMAT, "qform_code 99", { { "qform_code", 0, 99 } } },
    { 3, FORMAT, "qform_code -2", { { "qform_code", 0, -2 } } },
    { 3, FORMAT, "quatern[1] is nan", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "quatern", 1, NAN } } },
    { 3, FORMAT, "longer than 1", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "quatern", 2, 1.000001 } } },
    { 3, FORMAT, "longer than 1", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "quatern", 0, -1e30 } } },
    { 3, FORMAT, "qoffset[2] is inf", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "qoffset", 2, INFINITY } } },
    { 3, FORMAT, "pixdim[0] is nan", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "pixdim", 0, NAN } } },
    { 3, FORMAT, "pixdim[0] is -0.5", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "pixdim", 0, -0.5 } } },
    { 3, FORMAT, "pixdim[3] is 0", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "pixdim", 3, 0 } } },
    { 3, FORMAT, "pixdim[1] is -2", { { "sform_code", 0, 0 }, { "qform_code", 0, 1 }, { "pixdim", 1, -2 } } },
    { 3, FORMAT, "pixdim[2] is nan", { { "sform_code", 0, 0 }, { "pixdim", 2, NAN } } },
    { 3, FORMAT, "pixdim[2] is inf", { { "sform_code", 0, 0 }, { "pixdim", 2, INFINITY } } },
    { 3, FORMAT, "pixdim[1] is 0", { { "sform_code", 0, 0 }, { "pixdim", 1, 0 } } },
    { 3, FORMAT, "1e+09 mm along axis 0", { { "sform_code", 0, 0 }, { "pixdim", 1, 1e9 } } },
    { 3, FORMAT, "length unit 5", { { "units", 0, 5 } } },
    { 3, FORMAT, "length unit 7", { { "units", 0, 7 + 16 } } },
};

static void test_damage(const damage *d, int version, bool big)
{
    static file f;
    hf_volume volume = { .shape = { -5, -6, -7 } };
    plain_file(&f, version, big);
    for (int i = 0; i < 4 && d->edits[i].field; i++)
        put(&f, d->edits[i].field, d->edits[i].index, d->edits[i].value);
    hf_status status = parse(&volume, &f);
    if (!CHECK_STATUS(status, d->status, d->message))
        fprintf(stderr, "    version %d, big endian %d, first edit %s[%d] = %g\n", version, big, d->edits[0].field,
                d->edits[0].index, d->edits[0].value);
    CHECK(volume.shape[0] == -5 && !volume.voxels); /* left as it was */
    CHECK(status == HF_OK || strstr(hf_error_message(), "'test.nii'"));
    if (status == HF_OK) hf_volume_free(&volume);
}

static void test_damages(void)
{
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
        for (int version = 1; version <= 2; version++)
            for (int big = 0; big < 2 && damages[i].versions & version; big++)
                test_damage(&damages[i], version, big);
}

static void test_truncation(int version, bool big)
{
    static file f;
    hf_volume volume = { 0 };
    plain_file(&f, version, big);
    for (size_t size = 0; size < f.size; size++)
        CHECK(parse_bytes(&volume, f.bytes, size, "cut.nii") == HF_ERR_FORMAT && !volume.voxels);
}

/* Any single byte of the header set to any of a few values: an answer, or an error with a message, and no more. */
static void test_single_bytes(int version, bool big)
{
    static file f;
    static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    plain_file(&f, version, big);
    int bad = 0;
    for (size_t at = 0; at < first_voxel(&f); at++)
        for (size_t v = 0; v < sizeof values; v++) {
            hf_volume volume = { 0 };
            unsigned char before = f.bytes[at];
            f.bytes[at] = values[v];
            hf_status status = parse(&volume, &f);
            bad += status == HF_OK ? !volume.voxels : (volume.voxels || !hf_error_message()[0]);
            hf_volume_free(&volume);
            f.bytes[at] = before;
        }
    CHECK(bad == 0);
}

/* ---- gzip -------------------------------------------------------------------------------------------------------- */

static hf_status parse_packed(const unsigned char *bytes, size_t size, bool *same)
{
    hf_volume volume = { 0 };
    hf_status status = parse_bytes(&volume, bytes, size, "test.nii.gz");
    *same = status == HF_OK && volume.voxels[23] == 24 && volume.shape[2] == 4;
    hf_volume_free(&volume);
    return status;
}

static void test_gzip_damage(unsigned char *packed, size_t size)
{
    bool same;
    int accepted_wrong = 0;
    for (size_t cut = 0; cut < size; cut++)
        CHECK(parse_packed(packed, cut, &same) == HF_ERR_FORMAT);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        accepted_wrong += parse_packed(packed, size, &same) == HF_OK && !same;
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(accepted_wrong == 0);
    memset(packed + size - 4, 0xff, 4);
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT, "promises 4294967295 inflated bytes");
}

/* Two members, padding, and what is neither. */
static void test_gzip_members(const file *f)
{
    static unsigned char joined[CAPACITY];
    void *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    bool same;
    if (!CHECK_OK(hf_gzip(&first, &first_size, f->bytes, 100)) ||
        !CHECK_OK(hf_gzip(&second, &second_size, f->bytes + 100, f->size - 100)))
        exit(2);
    memcpy(joined, first, first_size);
    memcpy(joined + first_size, second, second_size);
    size_t size = first_size + second_size;
    CHECK_OK(parse_packed(joined, size, &same));
    CHECK(same);
    memset(joined + size, 0, 600);
    CHECK_OK(parse_packed(joined, size + 600, &same));
    CHECK(same);
    joined[size + 4] = 1;
    CHECK_STATUS(parse_packed(joined, size + 8, &same), HF_ERR_FORMAT, "8 bytes after the gzip data");
    CHECK_STATUS(parse_packed(joined, first_size, &same), HF_ERR_FORMAT, "has 100 bytes");
    free(first);
    free(second);
}

/* The same member again and again, then an empty one, which promises 0 bytes. */
static void test_gzip_bomb(const unsigned char *member, size_t member_size)
{
    enum { MEMBERS = 50 };
    unsigned char *joined = NULL;
    void *empty = NULL;
    size_t empty_size = 0, size = 0;
    bool same;
    CHECK_OK(hf_gzip(&empty, &empty_size, "", 0));
    CHECK_OK(hf_alloc(&joined, MEMBERS * member_size + empty_size, 1, "members"));
    for (int i = 0; i < MEMBERS; i++, size += member_size)
        memcpy(joined + size, member, member_size);
    memcpy(joined + size, empty, empty_size);
    CHECK_STATUS(parse_packed(joined, size + empty_size, &same), HF_ERR_FORMAT, "inflates to more than 1048976 bytes");
    free(joined);
    free(empty);
}

/* Zeros behind the voxels are accepted up to a megabyte; a file that inflates far beyond its header's claim is refused
 * without being inflated, also in many members whose end promises little, and so is one whose header claims more than was
 * inflated. */
static void test_gzip_claims(void)
{
    static file f;
    unsigned char *large = calloc(1, 1 << 22);
    void *packed = NULL;
    size_t size = 0;
    bool same;
    if (!large) exit(2);
    plain_file(&f, 1, false);
    memcpy(large, f.bytes, f.size);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 20));
    CHECK_OK(parse_packed(packed, size, &same));
    CHECK(same);
    free(packed);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 22));
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT,
                 "compressed bytes and its header leave room for 1048976 at most");
    test_gzip_bomb(packed, size);
    free(packed);
    put(&f, "dim", 1, 30000);
    put(&f, "dim", 2, 30000);
    memcpy(large, f.bytes, f.size);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 22));
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT, "30000 x 30000 x 4 int16 voxels");
    free(packed);
    free(large);
}

static void test_memory(void)
{
    CHECK_OK(hf_volume_fits(5 << 20, 5 << 20, "a.nii"));
    CHECK_OK(hf_volume_fits(5 << 20, 0, "a.nii"));
    CHECK_STATUS(hf_volume_fits((5 << 20) + 1, 5 << 20, "a.nii"), HF_ERR_MEMORY,
                 "'a.nii': reading it takes 5 MiB of memory, there are 5 MiB");
    CHECK_STATUS(hf_volume_fits(SIZE_MAX - 1, 0, "a.nii"), HF_ERR_MEMORY, "MiB");
}

static void test_gzip(void)
{
    static file f;
    void *packed = NULL;
    size_t size = 0;
    hf_volume volume = { 0 };
    bool same;
    plain_file(&f, 1, true);
    if (!CHECK_OK(hf_gzip(&packed, &size, f.bytes, f.size))) return;
    CHECK_OK(parse_packed(packed, size, &same));
    CHECK(same);
    CHECK_STATUS(parse_bytes(&volume, packed, size, "a.nii"), HF_ERR_FORMAT, "gzip data where none was expected");
    CHECK_STATUS(parse_packed(f.bytes, f.size, &same), HF_ERR_FORMAT, "do not begin as gzip");
    test_gzip_damage(packed, size);
    free(packed);
    test_gzip_members(&f);
    test_gzip_claims();
    test_memory();
}

/* ---- names, arguments, round trips ------------------------------------------------------------------------------- */

static void test_names(void)
{
    static file f;
    hf_volume volume = { 0 };
    plain_file(&f, 1, false);
    CHECK_STATUS(hf_volume_parse(&volume, f.bytes, f.size, "a.img"), HF_ERR_UNSUPPORTED, ".hdr/.img pairs");
    CHECK_STATUS(hf_volume_parse(&volume, f.bytes, f.size, "a.hdr.gz"), HF_ERR_UNSUPPORTED, ".hdr/.img pairs");
    CHECK_STATUS(hf_volume_parse(&volume, f.bytes, f.size, "a.mgz"), HF_ERR_UNSUPPORTED, "none of .nii");
    CHECK_STATUS(hf_volume_parse(&volume, f.bytes, f.size, ""), HF_ERR_UNSUPPORTED, "none of .nii");
    CHECK_STATUS(hf_volume_parse(&volume, f.bytes, f.size, NULL), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_volume_parse(&volume, NULL, 0, "a.nii"), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_volume_parse(NULL, f.bytes, f.size, "a.nii"), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_volume_read(&volume, "/nonexistent/a.nii.gz"), HF_ERR_IO, "/nonexistent/a.nii.gz");
    CHECK_STATUS(hf_volume_read(NULL, "a.nii"), HF_ERR_ARGUMENT, "required");
    hf_volume_free(NULL);
    hf_volume_free(&volume);
    hf_volume_free(&volume);
}

/* An oblique 9 x 7 x 5 volume, a third of it background; `handed` -1 mirrors its first axis. */
static hf_volume make_volume(double angle, double handed)
{
    hf_volume v = { .shape = { 9, 7, 5 }, .spacing = { 1, 2, 2.5 } };
    const double c = cos(angle), s = sin(angle);
    const double rotation[3][3] = { { c, -s, 0 }, { s * c, c * c, -s }, { s * s, s * c, c } };
    for (int i = 0; i < 9; i++)
        v.affine[i / 3][i % 3] = rotation[i / 3][i % 3] * v.spacing[i % 3] * (i % 3 ? 1 : handed);
    for (int row = 0; row < 3; row++)
        v.affine[row][3] = 3.5 - 20 * row;
    v.voxels = calloc(9 * 7 * 5, sizeof(float));
    if (!v.voxels) exit(2);
    for (uint64_t i = 0; i < 9 * 7 * 5; i++)
        if (i % 3) v.voxels[i] = (float)hf_random_normal(5, 6, i) * 100;
    v.voxels[1] = 1e-4f; /* must stay foreground when compact */
    return v;
}

static double largest_difference(const hf_volume *a, const hf_volume *b)
{
    double largest = 0;
    for (int i = 0; i < 9 * 7 * 5; i++)
        largest = fmax(largest, fabs((double)a->voxels[i] - b->voxels[i]));
    return largest;
}

static void check_same_frame(const hf_volume *a, const hf_volume *b, const char *axes, double tolerance)
{
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(a->affine[i / 4][i % 4], b->affine[i / 4][i % 4], tolerance);
    for (int i = 0; i < 3; i++) {
        CHECK(a->shape[i] == b->shape[i]);
        CHECK_NEAR(a->spacing[i], b->spacing[i], tolerance);
    }
    CHECK(!strcmp(b->stored_axes, axes));
}

/* What a program that knows only the qform would see. */
static void check_qform(const char *path, const hf_volume *volume, const char *axes)
{
    void *bytes = NULL;
    size_t size = 0;
    hf_volume other = { 0 };
    if (!CHECK_OK(hf_file_read(&bytes, &size, path, 1 << 20))) return;
    unsigned char *header = bytes;
    CHECK(header[254] == 2 && header[252] == 2 && header[123] == 2); /* both codes, millimetres */
    header[254] = header[255] = 0;
    if (CHECK_OK(hf_volume_parse(&other, bytes, size, path))) check_same_frame(volume, &other, axes, 1e-5);
    hf_volume_free(&other);
    free(bytes);
}

static void round_trip(double angle, const char *name, bool compact)
{
    hf_volume volume = make_volume(angle, 1), again = { 0 };
    char *path = NULL;
    if (hf_path_join(&path, folder, name) != HF_OK) exit(2);
    if (CHECK_OK(hf_volume_write(&volume, path, compact)) && CHECK_OK(hf_volume_read(&again, path))) {
        check_same_frame(&volume, &again, "RAS", 1e-5);
        double largest = 0;
        int changed = 0;
        for (int i = 0; i < 9 * 7 * 5; i++) {
            largest = fmax(largest, fabs(volume.voxels[i]));
            changed += (volume.voxels[i] == 0) != (again.voxels[i] == 0);
        }
        CHECK(changed == 0);
        CHECK(largest_difference(&volume, &again) <= (compact ? largest / 32767 : 0));
        if (!strstr(name, ".gz")) check_qform(path, &volume, "RAS");
    }
    unlink(path);
    free(path);
    hf_volume_free(&volume);
    hf_volume_free(&again);
}

/* A mirrored volume: both forms must say so. */
static void test_left_handed(double angle)
{
    hf_volume volume = make_volume(angle, -1), again = { 0 };
    char *path = NULL;
    if (hf_path_join(&path, folder, "left.nii") != HF_OK) exit(2);
    if (CHECK_OK(hf_volume_write(&volume, path, false)) && CHECK_OK(hf_volume_read(&again, path))) {
        CHECK(!strcmp(again.stored_axes, "LAS") && again.voxels[1] == volume.voxels[8 * 7 * 5 + 1]);
        check_qform(path, &again, "LAS");
    }
    unlink(path);
    free(path);
    hf_volume_free(&volume);
    hf_volume_free(&again);
}

static void test_write_refusals(void)
{
    hf_volume volume = make_volume(0.2, 1), empty = { 0 };
    CHECK_STATUS(hf_volume_write(&volume, "a.npy", false), HF_ERR_ARGUMENT, "written as .nii");
    CHECK_STATUS(hf_volume_write(&empty, "a.nii", false), HF_ERR_ARGUMENT, "voxels");
    CHECK_STATUS(hf_volume_write(NULL, "a.nii", false), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_volume_write(&volume, "/nonexistent/x/a.nii", false), HF_ERR_IO, "/nonexistent/x");
    volume.voxels[7] = NAN;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", true), HF_ERR_NUMBER, "voxel 7");
    volume.spacing[1] = 3;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "spacing 3 mm along axis 1");
    volume.spacing[1] = 2;
    volume.affine[1][3] = NAN;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "affine[1][3]");
    volume.affine[1][3] = 0;
    volume.shape[2] = 40000;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "size 40000");
    volume.affine[0][0] = volume.affine[1][0] = volume.affine[2][0] = 0;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "along axis 0");
    hf_volume_free(&volume);
    volume = make_volume(0, 1);
    for (int i = 0; i < 9 * 7 * 5; i++)
        volume.voxels[i] = 0;
    volume.voxels[0] = 1e-40f;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", true), HF_ERR_NUMBER, "too small");
    hf_volume_free(&volume);
}

static void test_round_trips(void)
{
    static const double angles[] = { 0, 0.3, -0.6 };
    for (size_t i = 0; i < 3; i++)
        for (int compact = 0; compact < 2; compact++) {
            round_trip(angles[i], "a.nii", compact);
            round_trip(angles[i], "a.nii.gz", compact);
        }
    test_left_handed(0);
    test_left_handed(0.4);
    test_write_refusals();
}

/* Real files, where the folder is there. */
static void test_oasis(void)
{
    static const char *const names[] = { "sub-OAS10001/anat/sub-OAS10001_T1w.nii.gz",
                                         "sub-OAS10103/anat/sub-OAS10103_T1w.nii.gz" };
    const char *oasis = getenv("HF_OASIS");
    if (!oasis) {
        check_skip("HF_OASIS does not name a folder of real scans");
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        char *path = NULL;
        hf_volume v = { 0 };
        if (hf_path_join(&path, oasis, names[i]) != HF_OK) exit(2);
        if (CHECK_OK(hf_volume_read(&v, path))) {
            double low = 0, high = 0;
            for (int k = 0; k < 91 * 109 * 91; k++)
                low = fmin(low, v.voxels[k]), high = fmax(high, v.voxels[k]);
            CHECK(v.shape[0] == 91 && v.shape[1] == 109 && v.shape[2] == 91 && !strcmp(v.stored_axes, "LAS"));
            CHECK(v.spacing[0] == 2 && v.affine[0][0] == 2 && v.affine[0][3] == -90);
            CHECK(v.affine[1][3] == -126 && v.affine[2][3] == -72);
            CHECK(low == 0 && high > 0.5 && high < 20);
        }
        hf_volume_free(&v);
        free(path);
    }
}

int main(void)
{
    if (!mkdtemp(folder)) return 2;
    test_types();
    test_orientations();
    for (int version = 1; version <= 2; version++)
        for (int big = 0; big < 2; big++) {
            test_affine_sources(version, big);
            test_accepted(version, big);
            test_truncation(version, big);
            test_single_bytes(version, big);
        }
    test_damages();
    test_gzip();
    test_names();
    test_round_trips();
    test_oasis();
    rmdir(folder);
    return check_done("nifti");
}
