/* resample.h: voxels on the way from a file to the network: cutting boxes out of them, and resampling. Internal to
 * datasets/. */
#ifndef HF_RESAMPLE_H
#define HF_RESAMPLE_H

#include "hfdata.h"

/* Voxels [D,H,W] that belong to somebody else, or to us. */
typedef struct hf_block {
    int shape[3];
    const float *voxels;
    float *owned; /* voxels when they are ours, else NULL; freed with free() */
} hf_block;

static inline size_t hf_voxels_of(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

/* out [shape] = the box of `block` that begins at start[3], zero where it reaches beyond. */
void hf_block_copy(float *out, const int shape[3], const hf_block *block, const int start[3]);

/* Replaces a block by such a box of it. */
hf_status hf_block_cut(hf_block *block, const int start[3], const int shape[3]) HF_MUST_USE;

/* Along one axis: `count` new voxels, each `ratio` old ones long; their middle lies at position `middle` among the old
 * ones (0 is the centre of the first). A ratio of 0 leaves the axis as it is. */
typedef struct hf_sampling {
    int count;
    double ratio, middle;
} hf_sampling;

/* Old voxels on either side of a new one's centre that have a part in it. */
int hf_sampling_margin(double ratio);

/* Resamples along the axes that ask for it: trilinear, smoothed by a Gaussian along axes that get coarser. Voxels less
 * than half of which were foreground (non-zero) become 0. Positions beyond the block take its nearest voxels. */
hf_status hf_block_resample(hf_block *block, const hf_sampling along[3]) HF_MUST_USE;

#endif
