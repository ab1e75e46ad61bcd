/* conv3d_gpu_direct.h: forward convolution and its gradient by the input for GPUs, see conv3d_gpu_direct.c. "first": x
 * in the plain layout, for the few input channels of a network's first layer. Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_GPU_DIRECT_H
#define HF_OPS_CONV3D_GPU_DIRECT_H

#include "../op.h"

/* What every convolution for GPUs asks of a device and of a problem; local_bytes, group: of its largest group. */
const char *hf_conv3d_gpu_refuse(const hf_call *call, size_t local_bytes, size_t group);
/* Whether a work-item has half of the registers that other GPUs have, as on Intel's; then tiles are smaller. */
bool hf_conv3d_gpu_few_registers(const hf_call *call);

/* Makes `tail` of as many elements: 16 zeros, then the biases of each bank in whole blocks; `bias` may be NULL. */
int64_t hf_conv3d_gpu_tail_elements(int64_t banks, int64_t channels);
hf_status hf_conv3d_gpu_pack_bias(hf_call *call, const hf_tensor *bias, const hf_tensor *tail, int banks, int channels);

const char *hf_conv3d_gpu_direct_refuse(const hf_call *call); /* both directions */
const char *hf_conv3d_gpu_direct_refuse_first(const hf_call *call);
const char *hf_conv3d_gpu_direct_refuse_tensor(const hf_call *call); /* both directions */

size_t hf_conv3d_gpu_direct_scratch(const hf_call *call);
size_t hf_conv3d_gpu_direct_scratch_dx(const hf_call *call);
size_t hf_conv3d_gpu_direct_scratch_first(const hf_call *call);
hf_status hf_conv3d_gpu_direct_prepare(hf_call *call);    /* "BPP>B" */
hf_status hf_conv3d_gpu_direct_prepare_dx(hf_call *call); /* "BP>B" */

/* The same with products by matrix units. */
size_t hf_conv3d_gpu_direct_scratch_tensor(const hf_call *call);
size_t hf_conv3d_gpu_direct_scratch_tensor_dx(const hf_call *call);
hf_status hf_conv3d_gpu_direct_prepare_tensor(hf_call *call);    /* "BPP>B" */
hf_status hf_conv3d_gpu_direct_prepare_tensor_dx(hf_call *call); /* "BP>B" */

hf_status hf_conv3d_gpu_direct_prepare_first(hf_call *call); /* "PPP>B" */

#endif
