/* nifti.h: where the fields of a NIfTI header lie; internal to nifti.c (which reads) and nifti_write.c.
 *
 * Versions 1 and 2 hold the same fields at other places and widths. One table says where each lies, and the code
 * knows only field names. */
#ifndef HF_NIFTI_H
#define HF_NIFTI_H

#include "volume.h"

enum hf_nifti_field {
    DIM,        /* [8] number of axes, then their sizes */
    DATATYPE,   /* code of the voxel type */
    BITPIX,     /* bits per voxel */
    PIXDIM,     /* [8] handedness of the qform, then voxel sizes */
    VOX_OFFSET, /* of the first voxel, bytes from the start of the file */
    SLOPE,      /* value = stored * SLOPE + INTERCEPT */
    INTERCEPT,
    UNITS, /* bits 0 to 2: of lengths */
    QFORM_CODE,
    SFORM_CODE,
    QUATERN, /* [3] b, c, d of a unit quaternion */
    QOFFSET, /* [3] world position of voxel 0,0,0 */
    SROW,    /* [3][4] the affine, row by row */
    N_FIELDS
};

/* Where a field's first element lies and how one element is stored: 'b' uint8, 's' int16, 'i' int32, 'l' int64,
 * 'f' float32, 'd' float64. */
typedef struct hf_nifti_place {
    size_t at;
    char kind;
} hf_nifti_place;

typedef struct hf_nifti_layout {
    int version;
    size_t header_bytes;
    size_t first_voxel; /* smallest VOX_OFFSET: after the header and the 4 bytes that announce extensions */
    hf_nifti_place field[N_FIELDS];
} hf_nifti_layout;

extern const hf_nifti_layout hf_nifti_layouts[2]; /* version 1, version 2 */

/* Bytes of one element of this kind. */
size_t hf_nifti_kind_bytes(char kind);

/* HF_ERR_FORMAT unless the affine's axes (columns) have a sane length, in mm, and are not in one plane. */
hf_status hf_nifti_check_axes(const double affine[3][4], const char *name) HF_MUST_USE;

#define HF_NIFTI_MAGIC_1_AT 344

#endif
