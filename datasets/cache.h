/* cache.h: preprocessed volumes on disk. Internal to datasets/.
 *
 * One file a volume: a header, then D*H*W signed 16-bit numbers; a voxel is number * scale, so zero stays exactly zero.
 * The name is a digest of what the contents depend on: the source file and its mask (path, size, times of change of
 * contents and of entry in the file system: the first can be set back, the second cannot) and the grid. The file carries
 * a digest of its name and contents, checked whenever it is read: a damaged or foreign one counts as absent and is
 * written anew. Files are written by rename, so processes that build the same one at once do no harm. They are read, not
 * mapped: touching a mapped file that has been cut short ends the process. */
#ifndef HF_CACHE_H
#define HF_CACHE_H

#include "hfdata.h"

/* A cached volume. Zero: none. */
typedef struct hf_cached {
    char *path;        /* NULL: none that is whole */
    int shape[3];      /* D,H,W */
    double spacing[3]; /* mm, of the source */
    char source[33];   /* hf_digest_file of the source: of the image, or of image and mask */
    char image[33];    /* of the image alone */
    bool oriented;     /* the image says how it lies */
} hf_cached;

/* The path of the cached form of `image` under `mask` (or NULL) and `grid`; freed with free(). HF_ERR_IO when one of the
 * files cannot be found. */
hf_status hf_cached_path(char **out, const char *folder, const char *image, const char *mask,
                         const hf_grid *grid) HF_MUST_USE;

/* Reads a cached volume through; HF_OK with out->path NULL when there is none that is whole. */
hf_status hf_cached_open(hf_cached *out, const char *path) HF_MUST_USE;
void hf_cached_close(hf_cached *cached);

/* Writes voxels [D,H,W], all finite, in cached form; of `about` all but the path. */
hf_status hf_cached_write(const char *path, const float *voxels, const hf_cached *about) HF_MUST_USE;

size_t hf_cached_bytes(const int shape[3]); /* of the file */

/* voxels[D*H*W] as cached; *whole is false when the file is not any more what was opened. */
hf_status hf_cached_read(float *voxels, bool *whole, const hf_cached *cached) HF_MUST_USE;

#endif
