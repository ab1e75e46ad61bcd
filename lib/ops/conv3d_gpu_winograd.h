/* conv3d_gpu_winograd.h: 3x3x3 convolution with stride 1 for GPUs with fewer multiplications, see conv3d_gpu_winograd.c.
 * Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_GPU_WINOGRAD_H
#define HF_OPS_CONV3D_GPU_WINOGRAD_H

#include "../op.h"

/* conv3d "BPP>B" and conv3d_dx "BP>B". */
const char *hf_conv3d_gpu_winograd_refuse(const hf_call *call);
size_t hf_conv3d_gpu_winograd_scratch(const hf_call *call);
hf_status hf_conv3d_gpu_winograd_prepare(hf_call *call);

#endif
