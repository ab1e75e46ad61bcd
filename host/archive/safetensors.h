/* safetensors.h: what the reader, the writer and the archive in memory share about the file format. Not for others. */
#ifndef HF_SAFETENSORS_H
#define HF_SAFETENSORS_H

#include "archive.h"

#define HF_METADATA_KEY "__metadata__"
#define HF_DIGEST_KEY   "digest"
#define HF_WRITER_KEY   "writer"
#define HF_WRITER_TEXT  "hyperfusion"

enum {
    HF_LENGTH_BYTES = 8,     /* of the header's length, at the start of the file */
    HF_MAX_HEADER = 4 << 20, /* bytes */
    HF_MAX_VALUES = 1 << 16, /* JSON values in the header: about 4,000 tensors of rank 5 */
    HF_MAX_DEPTH = 3,        /* of the JSON: all tensors, one tensor, its shape */
    HF_MAX_NAME = 512,       /* bytes of a tensor's name */
};

/* The element types there are. */
typedef struct hf_element {
    const char *name; /* in the file */
    hf_type type;
    size_t size; /* bytes */
} hf_element;
enum { HF_N_ELEMENTS = 3 };
extern const hf_element hf_elements[HF_N_ELEMENTS];

/* A tensor while reading or writing; nothing in it is owned. */
typedef struct hf_piece {
    const char *name;
    size_t type; /* row of hf_elements */
    hf_shape shape;
    size_t begin, end; /* bytes from the first tensor */
    const unsigned char *data;
    bool left_out; /* it takes its place in the file, and is not read */
} hf_piece;

typedef struct hf_pair {
    const char *key, *text;
} hf_pair;

/* All of a file. Owns the two arrays alone. */
typedef struct hf_contents {
    hf_piece *piece;
    size_t n_pieces;
    hf_pair *pair;
    size_t n_pairs;
} hf_contents;

void hf_contents_free(hf_contents *all);
void hf_contents_sort(hf_contents *all); /* by name and by key */

/* The digest of sorted contents, so that the order in the file does not count. */
void hf_contents_digest(const hf_contents *all, char hex[33]);

/* Tensor bytes are copied as they are: HF_ERR_UNSUPPORTED on a machine of the other byte order. */
hf_status hf_check_byte_order(void) HF_MUST_USE;

/* Bytes of a tensor; false when they do not fit in a size_t, or there are none. */
bool hf_shape_bytes(size_t *out, const hf_shape *shape, size_t type);

/* Refuses a header that the JSON library could make too much of: what the reader bounds, the writer checks too. */
hf_status hf_header_bound(const char *text, size_t size) HF_MUST_USE;

/* Fills name, type, shape and extent, after checking them. */
hf_status hf_piece_describe(hf_piece *out, const char *name, hf_type type, const hf_shape *shape) HF_MUST_USE;

/* Copies contents into an empty archive; on failure the archive holds what was copied so far. */
hf_status hf_archive_copy(hf_archive *out, const hf_contents *all) HF_MUST_USE;

#endif
