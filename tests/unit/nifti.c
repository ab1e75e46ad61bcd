/* Checks the NIfTI reader: every voxel type, version and byte order with known values, what must be accepted, a table of
 * damaged headers with the message each must give, truncation at every byte, and names of files. Where the voxels lie in
 * space is in nifti_space.c, what is packed in gzip.c. */
#include "nifti_file.h"

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

/* ---- names and arguments ----------------------------------------------------------------------------------------- */

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

int main(void)
{
    test_types();
    for (int version = 1; version <= 2; version++)
        for (int big = 0; big < 2; big++) {
            test_accepted(version, big);
            test_truncation(version, big);
            test_single_bytes(version, big);
        }
    test_damages();
    test_names();
    return check_done("nifti");
}
