/* Fuzzes the checkpoint reader: whatever the bytes, it must refuse them with a message or give tensors whose names,
 * shapes and bytes can all be read. */
#include "hyperfusion.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hf_archive archive = { 0 };
    if (hf_archive_parse(&archive, data, size, "fuzz") != HF_OK) {
        if (!hf_error_message()[0] || archive.entry || archive.key) abort();
        return 0;
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
    return 0;
}
