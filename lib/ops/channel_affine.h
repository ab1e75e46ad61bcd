/* channel_affine.h: sums over the voxels of each channel, which other operators need too. Private to lib/ops/. */
#ifndef HF_OPS_CHANNEL_AFFINE_H
#define HF_OPS_CHANNEL_AFFINE_H

#include "../op.h"

/* result[c], or [n,c] with params.per_sample, = the sum over voxels, and over samples when shared, of operand 0, or of the
 * product of operands 0 and 1 where there are two. Operands are in the layout that the implementation's row names. */
size_t hf_channel_sums_scratch(const hf_call *call);
hf_status hf_channel_sums_prepare(hf_call *call);

#endif
