/* nifti_file.h: NIfTI files made byte by byte, for the tests of their reader. The field offsets are written down from the
 * standard, apart from the reader's. */
#ifndef HF_TESTS_NIFTI_FILE_H
#define HF_TESTS_NIFTI_FILE_H

#include "check.h"
#include "volume.h"

#include <stdlib.h>

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

static inline size_t width_of(char kind)
{
    return kind == 'b' ? 1 : kind == 's' ? 2 : kind == 'i' || kind == 'f' ? 4 : 8;
}

static inline void put_bits(file *f, size_t at, size_t width, uint64_t bits)
{
    for (size_t i = 0; i < width; i++)
        f->bytes[at + (f->big ? width - 1 - i : i)] = (unsigned char)(bits >> (8 * i));
}

static inline uint64_t bits_of(char kind, double value)
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
static inline void put(file *f, const char *name, int index, double value)
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

static inline void put_affine(file *f, double affine[3][4])
{
    for (int i = 0; i < 12; i++)
        put(f, "srow", i, affine[i / 4][i % 4]);
}

static inline size_t first_voxel(const file *f)
{
    return f->version == 1 ? 352 : 544;
}

static inline void start_file(file *f, int version, bool big, int code, int bits)
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

static inline void put_shape(file *f, int nx, int ny, int nz, int voxel_bytes)
{
    const int shape[4] = { 3, nx, ny, nz };
    for (int i = 0; i < 8; i++) {
        put(f, "dim", i, i < 4 ? shape[i] : 1);
        put(f, "pixdim", i, 1);
    }
    f->size = first_voxel(f) + (size_t)nx * (size_t)ny * (size_t)nz * (size_t)voxel_bytes;
}

/* 2 x 3 x 4 int16 voxels holding 1..24, RAS, 2 mm. */
static inline void plain_file(file *f, int version, bool big)
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
static inline hf_status parse_bytes(hf_volume *out, const void *bytes, size_t size, const char *name)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy) exit(2);
    memcpy(copy, bytes, size);
    hf_status status = hf_volume_parse(out, copy, size, name);
    free(copy);
    return status;
}

static inline hf_status parse(hf_volume *out, const file *f)
{
    return parse_bytes(out, f->bytes, f->size, "test.nii");
}

#endif
