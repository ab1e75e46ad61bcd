/* slice.h: slices of volumes as grey images, and those as PNG for a page that stands alone. */
#ifndef HF_SLICE_H
#define HF_SLICE_H

#include "hfbase.h"

/* 8-bit grey pixels [height,width], top row first, as PNG bytes appended to `out`. */
hf_status hf_png_encode(hf_text *out, const unsigned char *pixels, int width, int height) HF_MUST_USE;

/* Appends bytes as base64 (RFC 4648, with padding). */
void hf_text_add_base64(hf_text *out, const void *bytes, size_t size);

/* The three planes of a slice view. */
typedef enum hf_plane { HF_AXIAL, HF_CORONAL, HF_SAGITTAL, HF_N_PLANES } hf_plane;

/* The middle slice of a volume [D,H,W] (left->right, back->front, bottom->top) as grey pixels, allocated, freed with
 * free(): front or top is up, the subject's left is left, the sagittal slice looks to the right. Zeros are black; the
 * other voxels of the volume span the greys between their 1st and 99th percentiles. */
hf_status hf_slice_pixels(unsigned char **out, int *width, int *height, const float *volume, const int shape[3],
                          hf_plane plane) HF_MUST_USE;

#endif
