/* read.c: checkpoints in the safetensors format: named tensors and text metadata, data only.
 *
 *   8 bytes       length H of the header, little-endian
 *   H bytes       JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]}, ...}, padded with blanks
 *   the rest      the tensors' bytes, little-endian, without holes; offsets count from here
 *
 * Reading trusts nothing. A first pass over the header bounds depth, number of values and the characters outside
 * strings, so that the JSON library never builds more than a few megabytes whatever the file says. Then every tensor's
 * size must follow from its type and shape, and the tensors must tile the rest of the file exactly. Only then, and after
 * the digest has been compared, is memory for tensors taken.
 *
 * Files written here carry two metadata texts of their own: "writer", and "digest" over all names, types, shapes,
 * bytes and other texts. Files of other writers need neither.
 *
 * A state dict of PyTorch counts batches in tensors of one 64-bit integer; these are checked like the others and left
 * out. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Types of the format that are refused by name rather than as unknown. */
static const char *const foreign_types[] = { "BOOL",    "I8",      "I16",     "U16",     "U32", "I64",
                                             "U64",     "F16",     "BF16",    "F64",     "C64", "F8_E4M3",
                                             "F8_E5M2", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4" };
enum { N_FOREIGN = sizeof foreign_types / sizeof foreign_types[0] };

/* ---- reading the header ------------------------------------------------------------------------------------------ */

/* Steps over a string, from its opening quote to beyond the closing one; `end` when it is not closed. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end) at++;
    return at < end ? at + 1 : end;
}

/* A header needs no other characters outside strings than these: no signs, fractions or words, which other readers
 * might understand differently. */
hf_status hf_header_bound(const char *text, size_t size)
{
    const char *at = text, *end = text + size;
    int depth = 0, values = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (c == '\0' || !strchr("{}[],:0123456789 \t\r\n", c))
            return hf_fail(HF_ERR_FORMAT, "the header has the byte 0x%02x at %zu, outside of any text",
                           (unsigned)(unsigned char)c, (size_t)(at - text));
        values += c == '{' || c == '[' || c == ',' || c == ':';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth > HF_MAX_DEPTH)
            return hf_fail(HF_ERR_FORMAT, "the header is nested deeper than %d levels", (int)HF_MAX_DEPTH);
        if (values > HF_MAX_VALUES)
            return hf_fail(HF_ERR_FORMAT, "the header has more than %d values", (int)HF_MAX_VALUES);
        at++;
    }
    return HF_OK;
}

static hf_status parse_header(json_t **out, const char *text, size_t size)
{
    if (size < 2 || text[0] != '{') return hf_fail(HF_ERR_FORMAT, "the header does not begin with '{'");
    size_t used = size;
    while (text[used - 1] == ' ')
        used--;
    if (text[used - 1] != '}') return hf_fail(HF_ERR_FORMAT, "the header does not end with '}' and blanks");
    HF_TRY(hf_header_bound(text, used));
    json_error_t error;
    *out = json_loadb(text, used, JSON_REJECT_DUPLICATES, &error);
    if (*out) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "the header is not valid JSON: %s (at byte %d)", error.text, error.position);
}

/* What torch.save writes: a zip archive, or in older versions a bare pickle. Both begin like a header of absurd length. */
static bool is_pickle(const unsigned char *bytes, size_t size)
{
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || (bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5));
}

static hf_status refuse_pickle(void)
{
    return hf_fail(
        HF_ERR_UNSUPPORTED,
        "a pickle as torch.save writes it, which runs code when it is read. Save the tensors alone, in Python: "
        "from safetensors.torch import save_file; save_file({k: v.contiguous() for k, v in "
        "torch.load('FILE.pt', weights_only=True).items()}, 'FILE.safetensors')");
}

/* Splits the file: *header with *header_size bytes, and what follows. */
static hf_status find_header(const char **header, size_t *header_size, const unsigned char *bytes, size_t size)
{
    if (size < HF_LENGTH_BYTES)
        return hf_fail(HF_ERR_FORMAT, "%zu bytes, a safetensors file has at least %d", size, HF_LENGTH_BYTES + 2);
    uint64_t length = 0;
    for (int i = 0; i < HF_LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << (8 * i);
    if (length > size - HF_LENGTH_BYTES && is_pickle(bytes, size)) return refuse_pickle();
    if (length > size - HF_LENGTH_BYTES)
        return hf_fail(HF_ERR_FORMAT,
                       "the header has %llu bytes, the file only %zu after its length: cut, or no"
                       " safetensors file",
                       (unsigned long long)length, size - HF_LENGTH_BYTES);
    if (length > HF_MAX_HEADER)
        return hf_fail(HF_ERR_UNSUPPORTED, "the header has %llu bytes, at most %d are read", (unsigned long long)length,
                       (int)HF_MAX_HEADER);
    *header = (const char *)bytes + HF_LENGTH_BYTES;
    *header_size = (size_t)length;
    return HF_OK;
}

static hf_status read_type(size_t *out, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text) return hf_fail(HF_ERR_FORMAT, "\"dtype\" is not a text");
    for (size_t i = 0; i < HF_N_ELEMENTS; i++) {
        if (strcmp(text, hf_elements[i].name) != 0) continue;
        *out = i;
        return HF_OK;
    }
    for (size_t i = 0; i < N_FOREIGN; i++)
        if (strcmp(text, foreign_types[i]) == 0)
            return hf_fail(HF_ERR_UNSUPPORTED, "type %s; F32, I32 and U8 are supported", text);
    return hf_fail(HF_ERR_FORMAT, "unknown type '%.64s'; F32, I32 and U8 are supported", text);
}

static hf_status read_shape(hf_shape *out, const json_t *value)
{
    if (!json_is_array(value)) return hf_fail(HF_ERR_FORMAT, "\"shape\" is not a list");
    size_t rank = json_array_size(value);
    if (rank < 1 || rank > HF_MAX_RANK)
        return hf_fail(HF_ERR_UNSUPPORTED, "a shape of %zu axes; 1 to %d are supported", rank, HF_MAX_RANK);
    out->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const json_t *length = json_array_get(value, i);
        if (!json_is_integer(length)) return hf_fail(HF_ERR_FORMAT, "axis %zu of \"shape\" is not an integer", i);
        out->dim[i] = json_integer_value(length);
        if (out->dim[i] < 1) return hf_fail(HF_ERR_UNSUPPORTED, "axis %zu of \"shape\" is 0: no elements", i);
    }
    return HF_OK;
}

static hf_status read_offsets(hf_piece *out, const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) != 2)
        return hf_fail(HF_ERR_FORMAT, "\"data_offsets\" is not a list of two");
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (!json_is_integer(begin) || !json_is_integer(end))
        return hf_fail(HF_ERR_FORMAT, "\"data_offsets\" holds something that is not an integer");
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from > to) return hf_fail(HF_ERR_FORMAT, "\"data_offsets\" ends at %lld, before %lld", to, from);
    if ((unsigned long long)to > SIZE_MAX) return hf_fail(HF_ERR_FORMAT, "\"data_offsets\" ends at %lld", to);
    out->begin = (size_t)from;
    out->end = (size_t)to;
    return HF_OK;
}

/* One tensor of the header, checked in itself and against the `available` bytes after the header. */
static hf_status read_piece(hf_piece *out, const json_t *value, size_t available)
{
    if (!json_is_object(value)) return hf_fail(HF_ERR_FORMAT, "its description is not an object");
    const json_t *type = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!type || !shape || !offsets)
        return hf_fail(HF_ERR_FORMAT, "no \"%s\"", !type ? "dtype" : !shape ? "shape" : "data_offsets");
    if (json_object_size(value) != 3)
        return hf_fail(HF_ERR_FORMAT, "%zu fields; dtype, shape and data_offsets expected", json_object_size(value));
    HF_TRY(read_type(&out->type, type));
    HF_TRY(read_shape(&out->shape, shape));
    HF_TRY(read_offsets(out, offsets));
    size_t bytes;
    if (!hf_shape_bytes(&bytes, &out->shape, out->type)) return hf_fail(HF_ERR_FORMAT, "its size overflows");
    if (out->end - out->begin != bytes)
        return hf_fail(HF_ERR_FORMAT, "%zu bytes given, type and shape need %zu", out->end - out->begin, bytes);
    if (out->end > available)
        return hf_fail(HF_ERR_FORMAT, "ends at byte %zu, only %zu are there: the file is cut", out->end, available);
    return HF_OK;
}

static bool is_counter(const char *name)
{
    static const char ending[] = ".num_batches_tracked";
    const size_t length = strlen(name), n = sizeof ending - 1;
    return length >= n && strcmp(name + length - n, ending) == 0;
}

/* Of a counter only what the tiling needs. */
static hf_status read_counter(hf_piece *out, const json_t *value, size_t available)
{
    const char *type = json_string_value(json_object_get(value, "dtype"));
    if (!type || strcmp(type, "I64") != 0)
        return hf_fail(HF_ERR_FORMAT, "type '%.64s', a counter of type I64 is expected", type ? type : "");
    HF_TRY(read_offsets(out, json_object_get(value, "data_offsets")));
    if (out->end - out->begin != 8 || out->end > available)
        return hf_fail(HF_ERR_FORMAT, "bytes %zu to %zu, one number of 8 bytes is expected", out->begin, out->end);
    out->left_out = true;
    return HF_OK;
}

static hf_status read_metadata(hf_contents *all, const json_t *metadata)
{
    if (!json_is_object(metadata)) return hf_fail(HF_ERR_FORMAT, "\"%s\" is not an object", HF_METADATA_KEY);
    HF_TRY(hf_alloc(&all->pair, json_object_size(metadata), sizeof *all->pair, "metadata"));
    /* The iterator wants a pointer to a changeable object; nothing is changed. */
    json_t *object = (json_t *)metadata;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value)) return hf_fail(HF_ERR_FORMAT, "the metadata '%.64s' is not a text", key);
        all->pair[all->n_pairs++] = (hf_pair){ key, json_string_value(value) };
    }
    return HF_OK;
}

static hf_status read_pieces(hf_contents *all, json_t *root, size_t available, bool state_dict)
{
    HF_TRY(hf_alloc(&all->piece, json_object_size(root), sizeof *all->piece, "tensor descriptions"));
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, HF_METADATA_KEY) == 0) {
            HF_TRY(read_metadata(all, value));
            continue;
        }
        if (!name[0]) return hf_fail(HF_ERR_FORMAT, "a tensor has an empty name");
        if (strlen(name) > HF_MAX_NAME)
            return hf_fail(HF_ERR_UNSUPPORTED, "a tensor's name has %zu bytes, at most %d are read", strlen(name),
                           (int)HF_MAX_NAME);
        hf_piece *next = &all->piece[all->n_pieces++];
        next->name = name;
        const bool counter = state_dict && is_counter(name);
        const hf_status status = counter ? read_counter(next, value, available) : read_piece(next, value, available);
        if (status != HF_OK) return hf_fail_in(status, "tensor '%s'", name);
    }
    return HF_OK;
}

static int by_begin(const void *a, const void *b)
{
    size_t x = ((const hf_piece *)a)->begin, y = ((const hf_piece *)b)->begin;
    return (x > y) - (x < y);
}

/* The tensors must cover the bytes after the header once and completely. */
static hf_status check_tiling(hf_contents *all, size_t available)
{
    qsort(all->piece, all->n_pieces, sizeof *all->piece, by_begin);
    size_t at = 0;
    for (size_t i = 0; i < all->n_pieces; i++) {
        const hf_piece *p = &all->piece[i];
        if (p->begin != at)
            return hf_fail(HF_ERR_FORMAT, "tensor '%s' begins at byte %zu, expected %zu: %s", p->name, p->begin, at,
                           p->begin < at ? "it overlaps another" : "there is a hole before it");
        at = p->end;
    }
    if (at == available) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "the tensors end at byte %zu, but %zu bytes follow the header", at, available);
}

static void drop_left_out(hf_contents *all)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->n_pieces; i++)
        if (!all->piece[i].left_out) all->piece[kept++] = all->piece[i];
    all->n_pieces = kept;
}

static const char *find_pair(const hf_contents *all, const char *key)
{
    for (size_t i = 0; i < all->n_pairs; i++)
        if (strcmp(all->pair[i].key, key) == 0) return all->pair[i].text;
    return NULL;
}

static hf_status check_digest(const hf_contents *all, bool state_dict)
{
    const char *stored = find_pair(all, HF_DIGEST_KEY), *writer = find_pair(all, HF_WRITER_KEY);
    const bool ours = writer && strcmp(writer, HF_WRITER_TEXT) == 0;
    if (state_dict && !ours) return HF_OK;
    if (!stored && ours)
        return hf_fail(HF_ERR_FORMAT, "the digest is missing, and '%s' always writes one", HF_WRITER_TEXT);
    if (!stored) return HF_OK;
    char hex[33];
    hf_contents_digest(all, hex);
    if (strcmp(stored, hex) == 0) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "damaged: its contents have the digest %s, the file says '%.64s'", hex, stored);
}

static hf_status parse_archive(hf_archive *out, const unsigned char *bytes, size_t size, bool state_dict)
{
    hf_status status;
    const char *header = NULL;
    size_t header_size = 0;
    json_t *root = NULL;
    hf_contents all = { 0 };
    HF_TRY_OUT(hf_check_byte_order());
    HF_TRY_OUT(find_header(&header, &header_size, bytes, size));
    HF_TRY_OUT(parse_header(&root, header, header_size));
    const unsigned char *data = bytes + HF_LENGTH_BYTES + header_size;
    size_t available = size - HF_LENGTH_BYTES - header_size;
    HF_TRY_OUT(read_pieces(&all, root, available, state_dict));
    HF_TRY_OUT(check_tiling(&all, available));
    drop_left_out(&all);
    for (size_t i = 0; i < all.n_pieces; i++)
        all.piece[i].data = data + all.piece[i].begin;
    hf_contents_sort(&all);
    HF_TRY_OUT(check_digest(&all, state_dict));
    HF_TRY_OUT(hf_archive_copy(out, &all));
out:
    hf_contents_free(&all);
    json_decref(root);
    return status;
}

static hf_status parse(hf_archive *out, const void *bytes, size_t size, const char *name, bool state_dict)
{
    hf_archive archive = { 0 };
    hf_status status = parse_archive(&archive, bytes, size, state_dict);
    if (status == HF_OK) {
        *out = archive;
        return HF_OK;
    }
    hf_archive_free(&archive);
    return hf_fail_in(status, "'%s'", name);
}

hf_status hf_archive_parse(hf_archive *out, const void *bytes, size_t size, const char *name)
{
    return parse(out, bytes, size, name, false);
}

hf_status hf_archive_parse_state_dict(hf_archive *out, const void *bytes, size_t size, const char *name)
{
    return parse(out, bytes, size, name, true);
}

static hf_status read_file(hf_archive *out, const char *path, bool state_dict)
{
    void *bytes;
    size_t size;
    HF_TRY(hf_file_read(&bytes, &size, path, UINT32_MAX));
    hf_status status = parse(out, bytes, size, path, state_dict);
    free(bytes);
    return status;
}

hf_status hf_archive_read(hf_archive *out, const char *path)
{
    return read_file(out, path, false);
}

hf_status hf_archive_read_state_dict(hf_archive *out, const char *path)
{
    return read_file(out, path, true);
}
