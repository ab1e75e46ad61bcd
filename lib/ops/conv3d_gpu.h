/* conv3d_gpu.h: convolution for GPUs by implicit matrix products, see conv3d_gpu.c. "first": x in the plain layout, for
 * the few input channels of a network's first layer. Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_GPU_H
#define HF_OPS_CONV3D_GPU_H

#include "../op.h"

const char *hf_conv3d_gpu_refuse_device(const hf_call *call); /* what all of these ask of a device */
const char *hf_conv3d_gpu_refuse(const hf_call *call);
const char *hf_conv3d_gpu_refuse_first(const hf_call *call);

size_t hf_conv3d_gpu_scratch(const hf_call *call);
size_t hf_conv3d_gpu_scratch_first(const hf_call *call);
hf_status hf_conv3d_gpu_prepare(hf_call *call);       /* "BPP>B" */
hf_status hf_conv3d_gpu_prepare_first(hf_call *call); /* "PPP>B" */

const char *hf_conv3d_gpu_refuse_dx(const hf_call *call); /* stride 1 only */
size_t hf_conv3d_gpu_scratch_dx(const hf_call *call);
hf_status hf_conv3d_gpu_prepare_dx(hf_call *call); /* "BP>B" */

size_t hf_conv3d_gpu_scratch_dw(const hf_call *call);
size_t hf_conv3d_gpu_scratch_dw_first(const hf_call *call);
hf_status hf_conv3d_gpu_prepare_dw(hf_call *call);       /* "BB>P" */
hf_status hf_conv3d_gpu_prepare_dw_first(hf_call *call); /* "PB>P" */

#endif
