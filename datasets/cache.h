/* cache.h: preprocessed volumes on disk. Internal to datasets/.
 *
 * One file a volume: a header, then D*H*W signed 16-bit numbers; a voxel is number * scale, so zero stays exactly zero.
 * The name is a digest of what the contents depend on: the source file and its mask (path, size,
 * time of change) and the grid. The
 * file carries a digest of its name and contents, checked when it is mapped: a damaged or foreign one counts as absent
 * and is written anew. Files are written by rename, so processes that build the same one at once do no harm. */
#ifndef HF_CACHE_H
#define HF_CACHE_H

#include "hfdata.h"

/* A mapped volume. Zero: none. */
typedef struct hf_cached {
    void *map;
    size_t bytes;
    int shape[3];      /* D,H,W */
    double spacing[3]; /* mm, of the source */
    float scale;
    const int16_t *numbers; /* [D,H,W], inside the map */
} hf_cached;

/* The path of the cached form of `image` under `mask` (or NULL) and `grid`; freed with free(). HF_ERR_IO when one of the
 * files cannot be found. */
hf_status hf_cached_path(char **out, const char *folder, const char *image, const char *mask,
                         const hf_grid *grid) HF_MUST_USE;

/* Maps a cached volume; HF_OK with out->map NULL when there is none that is whole. */
hf_status hf_cached_map(hf_cached *out, const char *path) HF_MUST_USE;
void hf_cached_unmap(hf_cached *cached);

/* Writes voxels [D,H,W], all finite, in cached form. */
hf_status hf_cached_write(const char *path, const float *voxels, const int shape[3],
                          const double spacing[3]) HF_MUST_USE;

size_t hf_cached_bytes(const int shape[3]); /* of the file */

/* voxels[D*H*W] from the cached numbers. */
void hf_cached_expand(float *voxels, const hf_cached *cached);

#endif
