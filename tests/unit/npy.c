/* Checks the .npy reader: versions, types, byte orders and memory orders with known values, damaged headers with their
 * messages, truncation at every byte. */
#include "check.h"
#include "hfdata.h"

#include <stdlib.h>

typedef struct file {
    unsigned char bytes[4096];
    size_t size;
} file;

/* The bytes NumPy would write before the data. */
static void start_file(file *f, int version, const char *header)
{
    static const unsigned char magic[6] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };
    size_t length = strlen(header), prefix = version == 1 ? 10 : 12;
    memset(f, 0, sizeof *f);
    memcpy(f->bytes, magic, sizeof magic);
    f->bytes[6] = (unsigned char)version;
    for (size_t i = 8; i < prefix; i++)
        f->bytes[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(f->bytes + prefix, header, length);
    f->size = prefix + length;
}

static void add_bits(file *f, uint64_t bits, size_t width, bool big)
{
    for (size_t i = 0; i < width; i++)
        f->bytes[f->size + (big ? width - 1 - i : i)] = (unsigned char)(bits >> 8 * i);
    f->size += width;
}

static void add_value(file *f, char kind, size_t width, bool big, double value)
{
    float single = (float)value;
    uint32_t low;
    uint64_t bits = value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    if (kind == 'f' && width == 8) memcpy(&bits, &value, sizeof bits);
    if (kind == 'f' && width == 4) memcpy(&low, &single, sizeof low), bits = low;
    add_bits(f, bits, width, big);
}

/* A copy of exactly that size, so that a sanitizer sees any byte read beyond. */
static hf_status parse(hf_volume *out, const file *f, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    memcpy(copy, f->bytes, size);
    hf_status status = hf_volume_parse(out, copy, size, "test.npy");
    free(copy);
    return status;
}

/* A 2 x 3 x 4 array whose element (d,h,w) is 100 d + 10 h + w, modulo what the type holds. */
static double element(int d, int h, int w)
{
    return 100 * d + 10 * h + w;
}

static void test_type(const char *descr, int version, bool fortran, const char *shape)
{
    static file f;
    char header[128];
    hf_volume v = { 0 };
    bool big = descr[0] == '>';
    size_t width = (size_t)(descr[2] - '0');
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }  \n", descr,
             fortran ? "True" : "False", shape);
    start_file(&f, version, header);
    for (int i = 0; i < 24; i++) {
        int d = fortran ? i % 2 : i / 12, h = fortran ? i / 2 % 3 : i / 4 % 3, w = fortran ? i / 6 : i % 4;
        add_value(&f, descr[1], width, big, element(d, h, w));
    }
    if (!CHECK_OK(parse(&v, &f, f.size))) {
        fprintf(stderr, "    %s", header);
        return;
    }
    int wrong = 0;
    for (int i = 0; i < 24; i++)
        wrong += v.voxels[i] != (float)element(i / 12, i / 4 % 3, i % 4);
    if (!CHECK(wrong == 0)) fprintf(stderr, "    %s", header);
    CHECK(v.shape[0] == 2 && v.shape[1] == 3 && v.shape[2] == 4 && !strcmp(v.stored_axes, "RAS"));
    for (int i = 0; i < 12; i++)
        CHECK(v.affine[i / 4][i % 4] == (i / 4 == i % 4) && v.spacing[i / 4] == 1);
    hf_volume_free(&v);
}

static void test_types(void)
{
    static const char *const types[] = { "|u1", "|i1", "<u1", "|b1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4",
                                         "<i4", ">i4", "<u8", ">u8", "<i8", ">i8", "<f4", ">f4", "<f8", ">f8" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int version = 1; version <= 3; version++)
            for (int fortran = 0; fortran < 2; fortran++) {
                test_type(types[i], version, fortran, "(2, 3, 4)");
                test_type(types[i], version, fortran, "(1, 1, 2, 3, 4)");
            }
    test_type("<f4", 1, false, "(2,3,4,)");
    test_type("<f4", 1, false, "( 2 , 3 , 4 )");
}

static void test_signs(void)
{
    static file f;
    static const double values[4] = { -128, -1, 127, 0 };
    hf_volume v = { 0 };
    start_file(&f, 1, "{\"shape\": (1, 2, 2), \"fortran_order\": False, \"descr\": \">i2\"}");
    for (int i = 0; i < 4; i++)
        add_value(&f, 'i', 2, true, values[i]);
    if (!CHECK_OK(parse(&v, &f, f.size))) return;
    for (int i = 0; i < 4; i++)
        CHECK(v.voxels[i] == (float)values[i]);
    hf_volume_free(&v);
}

/* How a header can be wrong, and what the reader must say. */
static const struct {
    const char *header;
    hf_status status;
    const char *message;
} damages[] = {
    { "", HF_ERR_FORMAT, "where '{' was expected" },
    { "{", HF_ERR_FORMAT, "quoted word" },
    { "{}", HF_ERR_FORMAT, "lacks one of" },
    { "{'descr': '<i2', 'fortran_order': False, }", HF_ERR_FORMAT, "lacks one of" },
    { "{'descr': '<i2', 'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "twice" },
    { "{'descr': '<i2', 'order': False, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "names 'order'" },
    { "{'descr' '<i2', 'fortran_order': False, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "where ':'" },
    { "{'descr': '<i2' 'fortran_order': False, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "where ',' or '}'" },
    { "{'descr': '<i2, 'fortran_order': False, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "has 'fortran_orde' where" },
    { "{'descr': '<i2", HF_ERR_FORMAT, "quoted word" },
    { "{'descr': '<i2', 'fortran_order': 1, 'shape': (2, 3, 4), }", HF_ERR_FORMAT, "True or False" },
    { "{'descr': '<i2', 'fortran_order': Fal", HF_ERR_FORMAT, "True or False" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': [2, 3, 4], }", HF_ERR_FORMAT, "'(' of the shape" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 4 }", HF_ERR_FORMAT, "',' or ')' in the shape" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, -4), }", HF_ERR_FORMAT, "a size that fits" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, x), }", HF_ERR_FORMAT, "a size that fits" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 4.0), }", HF_ERR_FORMAT, "',' or ')'" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 99999999999), }", HF_ERR_FORMAT, "a size that fits" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 4)} x", HF_ERR_FORMAT, "where the end" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 0, 4)}", HF_ERR_FORMAT, "empty along axis 1" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 5)}", HF_ERR_FORMAT, "reach beyond" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2147483647, 2147483647, 2147483647)}", HF_ERR_FORMAT,
      "reach beyond" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 3)}", HF_ERR_FORMAT, "has 12 bytes after" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': ()}", HF_ERR_UNSUPPORTED, "has 0 axes" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (24,)}", HF_ERR_UNSUPPORTED, "has 1 axes" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 12)}", HF_ERR_UNSUPPORTED, "has 2 axes" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 1, 3, 4)}", HF_ERR_UNSUPPORTED, "axis 0 of size 2" },
    { "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 2, 3, 4)}", HF_ERR_UNSUPPORTED,
      "more than 8" },
    { "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '<f2'" },
    { "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '<c8'" },
    { "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '|O'" },
    { "{'descr': '<U3', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '<U3'" },
    { "{'descr': '<i3', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '<i3'" },
    { "{'descr': '<i2x', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "type '<i2x'" },
    { "{'descr': [('a', '<i2')], 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_UNSUPPORTED, "records" },
    { "{'descr': '|i2', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_FORMAT, "does not tell its byte order" },
    { "{'descr': 'i2', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_FORMAT, "is no NumPy type" },
    { "{'descr': '', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_FORMAT, "is no NumPy type" },
    { "{'descr': '<', 'fortran_order': False, 'shape': (2, 3, 4)}", HF_ERR_FORMAT, "is no NumPy type" },
};

static void test_damages(void)
{
    static file f;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        hf_volume v = { .shape = { -5 } };
        start_file(&f, 1, damages[i].header);
        for (int k = 0; k < 24; k++)
            add_value(&f, 'i', 2, false, k);
        hf_status status = parse(&v, &f, f.size);
        if (!CHECK_STATUS(status, damages[i].status, damages[i].message))
            fprintf(stderr, "    %s\n", damages[i].header);
        CHECK(v.shape[0] == -5 && !v.voxels);
        if (status == HF_OK) hf_volume_free(&v);
    }
}

static void test_frame(void)
{
    static file f;
    hf_volume v = { 0 };
    start_file(&f, 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3, 4), }\n");
    for (int k = 0; k < 24; k++)
        add_value(&f, 'i', 2, false, k);
    for (size_t size = 0; size < f.size; size++)
        CHECK(parse(&v, &f, size) == HF_ERR_FORMAT && !v.voxels);
    f.bytes[6] = 4;
    CHECK_STATUS(parse(&v, &f, f.size), HF_ERR_UNSUPPORTED, "version 4.0");
    f.bytes[6] = 1;
    f.bytes[7] = 1;
    CHECK_STATUS(parse(&v, &f, f.size), HF_ERR_UNSUPPORTED, "version 1.1");
    f.bytes[7] = 0;
    f.bytes[9] = 0xff;
    CHECK_STATUS(parse(&v, &f, f.size), HF_ERR_FORMAT, "the npy header takes 65");
    f.bytes[0] = 'N';
    CHECK_STATUS(parse(&v, &f, f.size), HF_ERR_FORMAT, "do not begin as a .npy");
}

int main(void)
{
    test_types();
    test_signs();
    test_damages();
    test_frame();
    return check_done("npy");
}
