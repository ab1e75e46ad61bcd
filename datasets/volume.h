/* volume.h: what the volume readers share; internal to datasets/.
 *
 * A reader (nifti.c, npy.c) checks a file's bytes and describes them as an hf_stored: where the voxels lie, how one is
 * encoded, and which way the three stored axes point. volume.c turns that description into an hf_volume: it finds
 * the closest canonical orientation and decodes, scales and reorders the voxels in one pass. Nothing is allocated
 * before the description is complete and compared with the bytes really there. */
#ifndef HF_VOLUME_H
#define HF_VOLUME_H

#include "hfdata.h"

#define DEFLATE_MAX_RATIO 1032 /* inflated bytes a byte of deflate can stand for */

/* Largest file, compressed or inflated, that the readers take. */
#define HF_VOLUME_MAX_BYTES ((size_t)4 << 30)

/* Decodes `count` voxels: out[i] = stored[i] * slope + intercept, computed in double. `swap`: the stored byte order is
 * not this machine's. */
typedef void hf_decode(float *out, const unsigned char *in, size_t count, bool swap, double slope, double intercept);

typedef struct hf_voxel_type {
    const char *name; /* "uint8" */
    int nifti_code;   /* datatype in a NIfTI header */
    char npy_kind;    /* 'u', 'i' or 'f' */
    size_t bytes;     /* per voxel */
    hf_decode *decode;
} hf_voxel_type;

#define HF_N_VOXEL_TYPES 10
extern const hf_voxel_type hf_voxel_types[HF_N_VOXEL_TYPES];

/* A checked file: voxels as stored. Axis 0 is the fastest in memory. */
typedef struct hf_stored {
    const unsigned char *voxels; /* inside the caller's bytes; shape[0]*shape[1]*shape[2] of them are there */
    const hf_voxel_type *type;
    bool swap;
    double slope, intercept; /* 1 and 0 when the file does not scale */
    int shape[3];
    double affine[3][4];    /* stored voxel -> world mm, RAS+; finite */
    bool knows_orientation; /* false: the affine is a convention, not a statement of the file */
} hf_stored;

hf_status hf_nifti_parse(hf_stored *out, const unsigned char *bytes, size_t size, const char *name) HF_MUST_USE;
hf_status hf_npy_parse(hf_stored *out, const unsigned char *bytes, size_t size, const char *name) HF_MUST_USE;

bool hf_host_is_big_endian(void);

/* Sets *out to the voxels at `offset` once shape, type and the file's size agree; also refuses what does not fit this
 * machine. `size` is that of the whole file. */
hf_status hf_stored_locate(hf_stored *out, const unsigned char *bytes, size_t size, size_t offset,
                           const char *name) HF_MUST_USE;

/* The bytes of an uncompressed NIfTI-1 file; freed with free(). */
hf_status hf_nifti_encode(void **out, size_t *out_size, const hf_volume *volume, bool compact,
                          const char *name) HF_MUST_USE;

/* The orthogonal matrix nearest to `in` (its polar factor). The columns of `in` must be independent, of length near
 * 1. */
void hf_nearest_rotation(double out[3][3], const double in[3][3]);
double hf_determinant(const double m[3][3]);

/* The bytes that a NIfTI file takes up to its last voxel, by its header; `start` holds the first `size` bytes of the file.
 * Fails as hf_nifti_parse would on what it reads of the header. */
hf_status hf_nifti_extent(size_t *out, const unsigned char *start, size_t size, const char *name) HF_MUST_USE;

/* HF_ERR_MEMORY when reading a file takes more than `memory` bytes; 0: than this machine has. */
hf_status hf_volume_fits(size_t bytes, size_t memory, const char *name) HF_MUST_USE;

/* gzip, whole buffers (gzip.c). Inflating takes several members and zero padding after the last, checks every
 * checksum, and never allocates more than `most` bytes, nor more than deflate can hold in `size` bytes: HF_ERR_FORMAT
 * where that does not do. Results are freed with free(). */
hf_status hf_gunzip(void **out, size_t *out_size, const void *bytes, size_t size, size_t most,
                    const char *name) HF_MUST_USE;
/* The first bytes of what is packed, up to `room` of them; fewer when there are no more, or the data are damaged. */
size_t hf_gunzip_start(unsigned char *out, size_t room, const void *bytes, size_t size);
hf_status hf_gzip(void **out, size_t *out_size, const void *bytes, size_t size) HF_MUST_USE;

#endif
