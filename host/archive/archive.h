/* archive.h: tensors in files, in the format safetensors, and models and optimisers as such files. */
#ifndef HF_ARCHIVE_H
#define HF_ARCHIVE_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One tensor of a file. Only F32, I32 and U8 are written; readers also refuse anything else by name. */
typedef struct hf_entry {
    char *name;
    hf_type type;
    hf_shape shape;
    void *data; /* plain order */
} hf_entry;

/* A checkpoint in memory: tensors and text metadata ("__metadata__" of the format). */
typedef struct hf_archive {
    int n_entries;
    hf_entry *entry;
    int n_texts;
    char **key, **text; /* [n_texts] */
} hf_archive;

/* Strict reader: refuses duplicate names, holes, overlaps, trailing bytes, sizes that do not match shapes, unknown
 * types, anything that does not fit the real file; verifies the digest that hf_archive_write stored. */
hf_status hf_archive_read(hf_archive *out, const char *path) HF_MUST_USE;
hf_status hf_archive_parse(hf_archive *out, const void *bytes, size_t size, const char *name) HF_MUST_USE;
/* A state dict of PyTorch: as strict, but "....num_batches_tracked", a counter of 64 bits that nothing here needs, is left
 * out, and a digest counts only in files of our own. */
hf_status hf_archive_read_state_dict(hf_archive *out, const char *path) HF_MUST_USE;
hf_status hf_archive_parse_state_dict(hf_archive *out, const void *bytes, size_t size, const char *name) HF_MUST_USE;
/* Writes atomically, with a digest of all tensor bytes in the metadata. */
hf_status hf_archive_write(const hf_archive *archive, const char *path) HF_MUST_USE;
void hf_archive_free(hf_archive *archive);
/* Adds a copy. */
hf_status hf_archive_add(hf_archive *archive, const char *name, hf_type type, hf_shape shape,
                         const void *data) HF_MUST_USE;
hf_status hf_archive_add_text(hf_archive *archive, const char *key, const char *text) HF_MUST_USE;
const hf_entry *hf_archive_find(const hf_archive *archive, const char *name); /* NULL when absent */
const char *hf_archive_find_text(const hf_archive *archive, const char *key); /* NULL when absent */

/* Whether a tensor of a checkpoint is the model's, and neither the optimiser's nor what a run keeps beside it. */
bool hf_archive_is_weight(const char *name);

/* A model's parameters and states into an archive, and back; loading demands that names and shapes agree exactly. */
hf_status hf_model_save(const hf_model *model, hf_archive *archive) HF_MUST_USE;
hf_status hf_model_load(hf_model *model, const hf_archive *archive) HF_MUST_USE;
/* The optimiser's moments and step count. */
hf_status hf_optimizer_save(const hf_optimizer *optimizer, hf_archive *archive) HF_MUST_USE;
hf_status hf_optimizer_load(hf_optimizer *optimizer, const hf_archive *archive) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
