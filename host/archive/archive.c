/* archive.c: a checkpoint in memory: building it tensor by tensor, finding things in it, its digest.
 *
 * The digest covers names, types, shapes and bytes of all tensors and all metadata but itself, each in sorted order, so
 * that it depends on the contents alone. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const hf_element hf_elements[HF_N_ELEMENTS] = {
    { "F32", HF_F32, 4 },
    { "I32", HF_I32, 4 },
    { "U8", HF_U8, 1 },
};

/* ---- contents of a file ------------------------------------------------------------------------------------------ */

void hf_contents_free(hf_contents *all)
{
    free(all->piece);
    free(all->pair);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hf_piece *)a)->name, ((const hf_piece *)b)->name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const hf_pair *)a)->key, ((const hf_pair *)b)->key);
}

void hf_contents_sort(hf_contents *all)
{
    if (all->n_pieces) qsort(all->piece, all->n_pieces, sizeof *all->piece, by_name);
    if (all->n_pairs) qsort(all->pair, all->n_pairs, sizeof *all->pair, by_key);
}

hf_status hf_check_byte_order(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1 ? HF_OK : hf_fail(HF_ERR_UNSUPPORTED, "checkpoints need a little-endian machine");
}

bool hf_shape_bytes(size_t *out, const hf_shape *shape, size_t type)
{
    size_t bytes = hf_elements[type].size;
    for (int axis = 0; axis < shape->rank; axis++) {
        if (shape->dim[axis] < 1 || (uint64_t)shape->dim[axis] > SIZE_MAX) return false;
        if (!hf_size_mul(bytes, (size_t)shape->dim[axis], &bytes)) return false;
    }
    *out = bytes;
    return true;
}

/* ---- digest ------------------------------------------------------------------------------------------------------ */

static void digest_text_part(hf_digest *digest, const char *text)
{
    hf_digest_add(digest, text, strlen(text));
}

static void digest_number(hf_digest *digest, uint64_t number)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    hf_digest_add(digest, bytes, sizeof bytes);
}

void hf_contents_digest(const hf_contents *all, char hex[33])
{
    hf_digest digest = { 0 };
    for (size_t i = 0; i < all->n_pairs; i++) {
        if (strcmp(all->pair[i].key, HF_DIGEST_KEY) == 0) continue;
        digest_text_part(&digest, all->pair[i].key);
        digest_text_part(&digest, all->pair[i].text);
    }
    digest_number(&digest, all->n_pieces); /* ends the texts */
    for (size_t i = 0; i < all->n_pieces; i++) {
        const hf_piece *p = &all->piece[i];
        digest_text_part(&digest, p->name);
        digest_text_part(&digest, hf_elements[p->type].name);
        digest_number(&digest, (uint64_t)p->shape.rank);
        for (int axis = 0; axis < p->shape.rank; axis++)
            digest_number(&digest, (uint64_t)p->shape.dim[axis]);
        hf_digest_add(&digest, p->data, p->end - p->begin);
    }
    hf_digest_text(&digest, hex);
}

/* ---- archives ---------------------------------------------------------------------------------------------------- */

static hf_status new_entry(hf_entry *out, const hf_piece *from)
{
    HF_TRY(hf_strdup(&out->name, from->name));
    out->type = hf_elements[from->type].type;
    out->shape = from->shape;
    HF_TRY(hf_alloc(&out->data, from->end - from->begin, 1, from->name));
    memcpy(out->data, from->data, from->end - from->begin);
    return HF_OK;
}

hf_status hf_archive_copy(hf_archive *out, const hf_contents *all)
{
    HF_TRY(hf_alloc(&out->entry, all->n_pieces, sizeof *out->entry, "tensors"));
    HF_TRY(hf_alloc(&out->key, all->n_pairs, sizeof *out->key, "metadata"));
    HF_TRY(hf_alloc(&out->text, all->n_pairs, sizeof *out->text, "metadata"));
    for (size_t i = 0; i < all->n_pieces; i++) {
        out->n_entries++;
        HF_TRY(new_entry(&out->entry[i], &all->piece[i]));
    }
    for (size_t i = 0; i < all->n_pairs; i++) {
        out->n_texts++;
        HF_TRY(hf_strdup(&out->key[i], all->pair[i].key));
        HF_TRY(hf_strdup(&out->text[i], all->pair[i].text));
    }
    return HF_OK;
}

void hf_archive_free(hf_archive *archive)
{
    if (!archive) return;
    for (int i = 0; i < archive->n_entries; i++) {
        free(archive->entry[i].name);
        free(archive->entry[i].data);
    }
    for (int i = 0; i < archive->n_texts; i++) {
        free(archive->key[i]);
        free(archive->text[i]);
    }
    free(archive->entry);
    free(archive->key);
    free(archive->text);
    *archive = (hf_archive){ 0 };
}

const hf_entry *hf_archive_find(const hf_archive *archive, const char *name)
{
    for (int i = 0; i < archive->n_entries; i++)
        if (strcmp(archive->entry[i].name, name) == 0) return &archive->entry[i];
    return NULL;
}

const char *hf_archive_find_text(const hf_archive *archive, const char *key)
{
    for (int i = 0; i < archive->n_texts; i++)
        if (strcmp(archive->key[i], key) == 0) return archive->text[i];
    return NULL;
}

/* Grows an array by one element. */
static hf_status grow(void *array_pointer, int count, size_t size, const char *what)
{
    void *old, *larger = NULL;
    memcpy(&old, array_pointer, sizeof old);
    size_t bytes;
    if (hf_size_mul((size_t)count + 1, size, &bytes)) larger = realloc(old, bytes);
    if (!larger) return hf_fail(HF_ERR_MEMORY, "no host memory for %d %s", count + 1, what);
    memcpy(array_pointer, &larger, sizeof larger);
    return HF_OK;
}

/* Names and texts must survive the way through JSON: UTF-8 without NUL. */
static hf_status check_text(const char *text, const char *what)
{
    json_t *value = json_string(text);
    if (!value) return hf_fail(HF_ERR_ARGUMENT, "%s '%.64s' is not UTF-8 text", what, text);
    json_decref(value);
    return HF_OK;
}

static hf_status find_type(size_t *out, hf_type type)
{
    for (size_t i = 0; i < HF_N_ELEMENTS; i++) {
        if (hf_elements[i].type != type) continue;
        *out = i;
        return HF_OK;
    }
    return hf_fail(HF_ERR_ARGUMENT, "unknown element type %d", (int)type);
}

hf_status hf_piece_describe(hf_piece *out, const char *name, hf_type type, const hf_shape *shape)
{
    size_t bytes;
    if (!name[0] || strlen(name) > HF_MAX_NAME || strcmp(name, HF_METADATA_KEY) == 0)
        return hf_fail(HF_ERR_ARGUMENT, "'%.64s' cannot be a tensor's name", name);
    HF_TRY(check_text(name, "the tensor name"));
    HF_TRY(find_type(&out->type, type));
    if (shape->rank < 1 || shape->rank > HF_MAX_RANK || !hf_shape_bytes(&bytes, shape, out->type))
        return hf_fail(HF_ERR_SHAPE, "tensor '%s': a shape with elements, of 1 to %d axes, is expected", name,
                       HF_MAX_RANK);
    *out = (hf_piece){ .name = name, .type = out->type, .shape = *shape, .end = bytes };
    return HF_OK;
}

hf_status hf_archive_add(hf_archive *archive, const char *name, hf_type type, hf_shape shape, const void *data)
{
    hf_piece from = { 0 };
    HF_TRY(hf_piece_describe(&from, name, type, &shape));
    if (hf_archive_find(archive, name)) return hf_fail(HF_ERR_ARGUMENT, "two tensors are called '%s'", name);
    from.data = data;
    hf_entry entry = { 0 };
    hf_status status = new_entry(&entry, &from);
    if (status == HF_OK) status = grow(&archive->entry, archive->n_entries, sizeof *archive->entry, "tensors");
    if (status == HF_OK) {
        archive->entry[archive->n_entries++] = entry;
        return HF_OK;
    }
    free(entry.name);
    free(entry.data);
    return status;
}

hf_status hf_archive_add_text(hf_archive *archive, const char *key, const char *text)
{
    hf_status status;
    char *key_copy = NULL, *text_copy = NULL;
    HF_TRY(check_text(key, "the metadata key"));
    HF_TRY(check_text(text, "the metadata text"));
    if (strcmp(key, HF_DIGEST_KEY) == 0 || strcmp(key, HF_WRITER_KEY) == 0)
        return hf_fail(HF_ERR_ARGUMENT, "the metadata key '%s' is written by itself", key);
    if (hf_archive_find_text(archive, key)) return hf_fail(HF_ERR_ARGUMENT, "two metadata texts are called '%s'", key);
    HF_TRY_OUT(hf_strdup(&key_copy, key));
    HF_TRY_OUT(hf_strdup(&text_copy, text));
    HF_TRY_OUT(grow(&archive->key, archive->n_texts, sizeof *archive->key, "metadata keys"));
    HF_TRY_OUT(grow(&archive->text, archive->n_texts, sizeof *archive->text, "metadata texts"));
    archive->key[archive->n_texts] = key_copy;
    archive->text[archive->n_texts++] = text_copy;
    return HF_OK;
out:
    free(key_copy);
    free(text_copy);
    return status;
}
