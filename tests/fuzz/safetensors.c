/* Fuzzes the checkpoint reader, also as a reader of PyTorch's state dicts: whatever the bytes, it must refuse them with a
 * message or give tensors whose names, shapes and bytes can all be read. */
#include "hyperfusion.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef hf_status parser(hf_archive *out, const void *bytes, size_t size, const char *name);

static void parse(parser *with, const uint8_t *data, size_t size)
{
    hf_archive archive = { 0 };
    if (with(&archive, data, size, "fuzz") != HF_OK) {
        if (!hf_error_message()[0] || archive.entry || archive.key) abort();
        return;
    }
    size_t total = 0;
    for (int i = 0; i < archive.n_entries; i++) {
        const hf_entry *entry = &archive.entry[i];
        size_t bytes = entry->type == HF_U8 ? 1 : 4, sum = 0;
        for (int axis = 0; axis < entry->shape.rank; axis++)
            bytes *= (size_t)entry->shape.dim[axis];
        for (size_t j = 0; j < bytes; j++)
            sum += ((const unsigned char *)entry->data)[j];
        if (sum > bytes * 255 || hf_archive_find(&archive, entry->name) != entry) abort();
        total += bytes;
    }
    if (total > size) abort();
    for (int i = 0; i < archive.n_texts; i++)
        if (hf_archive_find_text(&archive, archive.key[i]) != archive.text[i]) abort();
    hf_archive_free(&archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse(hf_archive_parse, data, size);
    parse(hf_archive_parse_state_dict, data, size);
    return 0;
}
