/* conv3d_gpu_dw.h: gradient of a convolution by its weights for GPUs, see conv3d_gpu_dw.c. "first": x in the plain
 * layout, for few input channels. "direct": kernel edges 2 and 3, strides 1 and 2; with "first" edge 3, stride 1.
 * Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_GPU_DW_H
#define HF_OPS_CONV3D_GPU_DW_H

#include "../op.h"

/* "BB>P"; "PB>P" of the variant hf_conv3d_variant.first. */
const char *hf_conv3d_gpu_dw_refuse(const hf_call *call);
size_t hf_conv3d_gpu_dw_scratch(const hf_call *call);
hf_status hf_conv3d_gpu_dw_prepare(hf_call *call);

/* The same, "direct"; scratch: of both. */
size_t hf_conv3d_gpu_dw_scratch_direct(const hf_call *call);
const char *hf_conv3d_gpu_dw_refuse_direct(const hf_call *call);
hf_status hf_conv3d_gpu_dw_prepare_direct(hf_call *call);
const char *hf_conv3d_gpu_dw_refuse_first_direct(const hf_call *call);
hf_status hf_conv3d_gpu_dw_prepare_first_direct(hf_call *call);

#endif
