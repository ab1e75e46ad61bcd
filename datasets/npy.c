/* npy.c: NumPy's .npy header, versions 1 to 3.
 *
 * The header is the text of a Python dictionary with exactly three keys, as in
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (90, 120, 99), }
 * A cursor walks it once. Only what NumPy writes for plain number arrays is understood; record types, objects and
 * complex numbers are refused. The array's axes are taken as D,H,W in the canonical orientation, with 1 mm voxels. */
#include "volume.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_BYTES 6
#define PREFIX_1    10 /* magic, version, 16-bit header length */
#define PREFIX_2    12 /* the same with a 32-bit length */
#define MAX_RANK    8
#define MAX_WORD    16

typedef struct cursor {
    const char *at, *end;
    const char *name;
} cursor;

typedef struct fields {
    char descr[MAX_WORD]; /* "<f4" */
    bool fortran;
    int rank;
    int shape[MAX_RANK];
    unsigned seen; /* one bit a key */
} fields;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
}

static bool take(cursor *c, char expected)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != expected) return false;
    c->at++;
    return true;
}

static hf_status unexpected(const cursor *c, const char *expected)
{
    int left = (int)(c->end - c->at < 12 ? c->end - c->at : 12);
    return hf_fail(HF_ERR_FORMAT, "'%s': the npy header has '%.*s' where %s was expected", c->name, left, c->at,
                   expected);
}

/* A quoted word without escapes. */
static hf_status take_word(cursor *c, char word[MAX_WORD])
{
    skip_blanks(c);
    char quote = c->at < c->end && (*c->at == '\'' || *c->at == '"') ? *c->at : 0;
    const char *close = quote ? memchr(c->at + 1, quote, (size_t)(c->end - c->at - 1)) : NULL;
    if (!close || close - c->at - 1 >= MAX_WORD) return unexpected(c, "a short quoted word");
    size_t length = (size_t)(close - c->at - 1);
    memcpy(word, c->at + 1, length);
    word[length] = 0;
    c->at = close + 1;
    return HF_OK;
}

static hf_status take_descr(cursor *c, fields *f)
{
    skip_blanks(c);
    if (c->at < c->end && *c->at == '[')
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': holds records of several fields, expected plain numbers", c->name);
    return take_word(c, f->descr);
}

static hf_status take_order(cursor *c, fields *f)
{
    skip_blanks(c);
    size_t left = (size_t)(c->end - c->at);
    f->fortran = left >= 4 && !memcmp(c->at, "True", 4);
    if (!f->fortran && !(left >= 5 && !memcmp(c->at, "False", 5))) return unexpected(c, "True or False");
    c->at += f->fortran ? 4 : 5;
    return HF_OK;
}

static hf_status take_size(cursor *c, int *size)
{
    const char *start = c->at;
    long value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && value <= INT_MAX)
        value = 10 * value + (*c->at++ - '0');
    if (c->at == start || value > INT_MAX) return unexpected(c, "a size that fits 31 bits");
    *size = (int)value;
    return HF_OK;
}

static hf_status take_shape(cursor *c, fields *f)
{
    if (!take(c, '(')) return unexpected(c, "'(' of the shape");
    while (!take(c, ')')) {
        if (f->rank == MAX_RANK)
            return hf_fail(HF_ERR_UNSUPPORTED, "'%s': has more than %d axes, expected 3", c->name, MAX_RANK);
        HF_TRY(take_size(c, &f->shape[f->rank]));
        f->rank++;
        if (take(c, ',')) {
            skip_blanks(c);
            continue;
        }
        if (!take(c, ')')) return unexpected(c, "',' or ')' in the shape");
        break;
    }
    return HF_OK;
}

static hf_status take_pair(cursor *c, fields *f)
{
    static const struct {
        const char *key;
        hf_status (*take)(cursor *c, fields *f);
    } keys[3] = { { "descr", take_descr }, { "fortran_order", take_order }, { "shape", take_shape } };
    char word[MAX_WORD];
    HF_TRY(take_word(c, word));
    if (!take(c, ':')) return unexpected(c, "':'");
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(word, keys[i].key) != 0) continue;
        if (f->seen & 1u << i) return hf_fail(HF_ERR_FORMAT, "'%s': the npy header names '%s' twice", c->name, word);
        f->seen |= 1u << i;
        return keys[i].take(c, f);
    }
    return hf_fail(HF_ERR_FORMAT, "'%s': the npy header names '%s', expected descr, fortran_order and shape", c->name,
                   word);
}

static hf_status take_fields(cursor *c, fields *f)
{
    if (!take(c, '{')) return unexpected(c, "'{'");
    while (!take(c, '}')) {
        HF_TRY(take_pair(c, f));
        if (take(c, ',')) continue;
        if (!take(c, '}')) return unexpected(c, "',' or '}'");
        break;
    }
    skip_blanks(c);
    if (c->at != c->end) return unexpected(c, "the end");
    if (f->seen != 7)
        return hf_fail(HF_ERR_FORMAT, "'%s': the npy header lacks one of descr, fortran_order and shape", c->name);
    return HF_OK;
}

static hf_status find_type(hf_stored *out, const char *descr, const char *name)
{
    char kind = descr[0] ? descr[1] : 0;
    char *end;
    if (!kind || !strchr("<>|=", descr[0]) || !strchr("?biufcmMOSUV", kind))
        return hf_fail(HF_ERR_FORMAT, "'%s': '%s' is no NumPy type", name, descr);
    unsigned long bytes = strtoul(descr + 2, &end, 10);
    if (kind == 'b' && bytes == 1) kind = 'u'; /* a mask: 0 and 1 */
    for (int i = 0; i < HF_N_VOXEL_TYPES && *end == 0; i++)
        if (hf_voxel_types[i].npy_kind == kind && hf_voxel_types[i].bytes == bytes) out->type = &hf_voxel_types[i];
    if (!out->type)
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': holds NumPy type '%s', expected an integer or float of 1 to 8 bytes",
                       name, descr);
    if (bytes > 1 && descr[0] != '<' && descr[0] != '>')
        return hf_fail(HF_ERR_FORMAT, "'%s': NumPy type '%s' does not tell its byte order", name, descr);
    out->swap = bytes > 1 && (descr[0] == '>') != hf_host_is_big_endian();
    return HF_OK;
}

/* Stored axes run from the fastest: W,H,D in C order, D,H,W in Fortran order. The affine sends each to its place. */
static hf_status place_axes(hf_stored *out, const fields *f, const char *name)
{
    int skipped = f->rank - 3;
    if (skipped < 0) return hf_fail(HF_ERR_UNSUPPORTED, "'%s': has %d axes, expected 3", name, f->rank);
    for (int i = 0; i < f->rank; i++) {
        if (f->shape[i] == 0) return hf_fail(HF_ERR_FORMAT, "'%s': is empty along axis %d", name, i);
        if (i < skipped && f->shape[i] != 1)
            return hf_fail(HF_ERR_UNSUPPORTED, "'%s': has %d axes, axis %d of size %d: expected one 3D image", name,
                           f->rank, i, f->shape[i]);
    }
    for (int axis = 0; axis < 3; axis++) {
        int canonical = f->fortran ? axis : 2 - axis;
        out->shape[axis] = f->shape[skipped + canonical];
        out->affine[canonical][axis] = 1;
    }
    return HF_OK;
}

/* Finds the text of the header; *offset is where the numbers begin. */
static hf_status open_header(cursor *c, size_t *offset, const unsigned char *bytes, size_t size, const char *name)
{
    static const unsigned char magic[MAGIC_BYTES] = { 0x93, 'N', 'U', 'M', 'P', 'Y' };
    if (size < PREFIX_2 || memcmp(bytes, magic, MAGIC_BYTES) != 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': its %zu bytes do not begin as a .npy file does", name, size);
    unsigned version = bytes[6];
    if (version < 1 || version > 3 || bytes[7] != 0)
        return hf_fail(HF_ERR_UNSUPPORTED, "'%s': is .npy version %u.%u, expected 1.0, 2.0 or 3.0", name, version,
                       bytes[7]);
    size_t prefix = version == 1 ? PREFIX_1 : PREFIX_2;
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > size - prefix)
        return hf_fail(HF_ERR_FORMAT, "'%s': the npy header takes %zu bytes, the file has %zu after its start", name,
                       length, size - prefix);
    *offset = prefix + length;
    *c = (cursor){ (const char *)bytes + prefix, (const char *)bytes + *offset, name };
    return HF_OK;
}

hf_status hf_npy_parse(hf_stored *out, const unsigned char *bytes, size_t size, const char *name)
{
    hf_stored stored = { .slope = 1 };
    fields f = { 0 };
    cursor c;
    size_t offset = 0;
    HF_TRY(open_header(&c, &offset, bytes, size, name));
    HF_TRY(take_fields(&c, &f));
    HF_TRY(find_type(&stored, f.descr, name));
    HF_TRY(place_axes(&stored, &f, name));
    HF_TRY(hf_stored_locate(&stored, bytes, size, offset, name));
    const unsigned char *last = stored.voxels + (size_t)stored.shape[0] * (size_t)stored.shape[1] *
                                                    (size_t)stored.shape[2] * stored.type->bytes;
    if (last != bytes + size)
        return hf_fail(HF_ERR_FORMAT, "'%s': has %zu bytes after its %d x %d x %d voxels", name,
                       (size_t)(bytes + size - last), stored.shape[0], stored.shape[1], stored.shape[2]);
    *out = stored;
    return HF_OK;
}
