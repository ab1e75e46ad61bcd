/* write.c: an archive to a file: places, header, bytes, as read.c describes them. */
#include "safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 8 }; /* of the first tensor in the file */

/* Tensors get their places by element size, then name: so every one lies aligned without padding between them. */
static void place_pieces(hf_contents *all)
{
    size_t at = 0;
    for (size_t size = 4; size >= 1; size /= 4) {
        for (size_t i = 0; i < all->n_pieces; i++) {
            hf_piece *p = &all->piece[i];
            if (hf_elements[p->type].size != size) continue;
            p->begin = at;
            at = p->end += at;
        }
    }
}

/* What an archive will look like in a file. The old digest and writer of an archive that was read are left out. */
static hf_status gather(hf_contents *all, const hf_archive *archive)
{
    HF_TRY(hf_alloc(&all->piece, (size_t)archive->n_entries, sizeof *all->piece, "tensor descriptions"));
    HF_TRY(hf_alloc(&all->pair, (size_t)archive->n_texts + 1, sizeof *all->pair, "metadata"));
    for (int i = 0; i < archive->n_entries; i++) {
        const hf_entry *entry = &archive->entry[i];
        HF_TRY(hf_piece_describe(&all->piece[i], entry->name, entry->type, &entry->shape));
        all->piece[i].data = entry->data;
        all->n_pieces++;
    }
    for (int i = 0; i < archive->n_texts; i++) {
        bool own = strcmp(archive->key[i], HF_DIGEST_KEY) == 0 || strcmp(archive->key[i], HF_WRITER_KEY) == 0;
        if (!own) all->pair[all->n_pairs++] = (hf_pair){ archive->key[i], archive->text[i] };
    }
    all->pair[all->n_pairs++] = (hf_pair){ HF_WRITER_KEY, HF_WRITER_TEXT };
    hf_contents_sort(all);
    for (size_t i = 1; i < all->n_pieces; i++)
        if (strcmp(all->piece[i - 1].name, all->piece[i].name) == 0)
            return hf_fail(HF_ERR_ARGUMENT, "two tensors are called '%s'", all->piece[i].name);
    return HF_OK;
}

static json_t *piece_json(const hf_piece *p)
{
    json_t *shape = json_array();
    bool good = shape != NULL;
    for (int axis = 0; good && axis < p->shape.rank; axis++)
        good = json_array_append_new(shape, json_integer(p->shape.dim[axis])) == 0;
    if (!good) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", hf_elements[p->type].name, "shape", shape, "data_offsets",
                     (json_int_t)p->begin, (json_int_t)p->end);
}

/* The header's text without padding, freed with free(); NULL when memory is exhausted. */
static char *header_text(const hf_contents *all, const char *digest)
{
    json_t *root = json_object(), *metadata = json_object();
    bool good = root && metadata && json_object_set_new(metadata, HF_DIGEST_KEY, json_string(digest)) == 0;
    for (size_t i = 0; good && i < all->n_pairs; i++)
        good = json_object_set_new(metadata, all->pair[i].key, json_string(all->pair[i].text)) == 0;
    good = good && json_object_set(root, HF_METADATA_KEY, metadata) == 0;
    for (size_t i = 0; good && i < all->n_pieces; i++)
        good = json_object_set_new(root, all->piece[i].name, piece_json(&all->piece[i])) == 0;
    char *text = good ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(metadata);
    json_decref(root);
    return text;
}

static void add_data(hf_text *file, const hf_contents *all)
{
    for (size_t size = 4; size >= 1; size /= 4)
        for (size_t i = 0; i < all->n_pieces; i++)
            if (hf_elements[all->piece[i].type].size == size)
                hf_text_add_bytes(file, all->piece[i].data, all->piece[i].end - all->piece[i].begin);
}

static hf_status compose(hf_text *file, const hf_contents *all)
{
    char digest[33];
    hf_contents_digest(all, digest);
    char *header = header_text(all, digest);
    if (!header) return hf_fail(HF_ERR_MEMORY, "no host memory for the header of %zu tensors", all->n_pieces);
    size_t used = strlen(header), padded = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    hf_status status = HF_OK;
    /* A file that could not be read back must not be written. */
    if (padded > HF_MAX_HEADER)
        status =
            hf_fail(HF_ERR_UNSUPPORTED, "a header of %zu bytes, at most %d are read back", padded, (int)HF_MAX_HEADER);
    if (status == HF_OK) status = hf_header_bound(header, used);
    for (int i = 0; i < HF_LENGTH_BYTES; i++)
        hf_text_add_bytes(file, &(unsigned char){ (unsigned char)((uint64_t)padded >> (8 * i)) }, 1);
    hf_text_add_bytes(file, header, used);
    hf_text_add_bytes(file, "        ", padded - used);
    free(header);
    add_data(file, all);
    return status == HF_OK ? hf_text_check(file) : status;
}

hf_status hf_archive_write(const hf_archive *archive, const char *path)
{
    hf_status status;
    hf_contents all = { 0 };
    hf_text file = { 0 };
    HF_TRY_OUT(hf_check_byte_order());
    HF_TRY_OUT(gather(&all, archive));
    place_pieces(&all);
    HF_TRY_OUT(compose(&file, &all));
    HF_TRY_OUT(hf_file_write(path, file.data, file.size));
out:
    hf_contents_free(&all);
    hf_text_free(&file);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "checkpoint '%s'", path);
}
