/* augment.h: the affine part of augmentation, for its tests. Internal to datasets/. */
#ifndef HF_AUGMENT_H
#define HF_AUGMENT_H

#include "hfdata.h"

/* out[o] = in[c + matrix (o - c)], c the middle of the volume: trilinear, zero outside. `in` is another array. */
void hf_warp(float *out, const float *in, const int shape[3], const double matrix[3][3]);

/* The matrix for one epoch of one subject, and whether the draw asks for it at all. */
bool hf_augment_matrix(double matrix[3][3], const hf_augment *augment, uint64_t epoch, uint64_t subject);

#endif
