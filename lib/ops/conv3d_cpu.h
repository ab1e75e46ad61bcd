/* conv3d_cpu.h: the direct convolution implementations for CPUs. Private to lib/ops/. All of them want a CPU and, but for
 * the bias gradient, stride 1 or 2; "first" is for a network's first layer, whose input has few channels and is
 * plain, "blocked" for the layers after it, "wide" for those of many weights and few voxels. */
#ifndef HF_OPS_CONV3D_CPU_H
#define HF_OPS_CONV3D_CPU_H

#include "../op.h"

/* Adds the launch that copies x [planes, size], plain, into the middle of zeros, pad elements wide on every side. */
hf_status hf_conv3d_cpu_pad(hf_call *call, const hf_tensor *x, const hf_tensor *to, int64_t planes, const int size[3],
                            const int pad[3]);

/* Groups for so many pieces of work that may be done in any order: enough to keep every core busy to the end. */
int64_t hf_conv3d_cpu_groups(const hf_call *call, int64_t pieces);

/* Implementations: "first" of the variant hf_conv3d_variant.first, the others of none. refuse: "blocked" and "first" of
 * all three passes. */
const char *hf_conv3d_cpu_refuse(const hf_call *call);

/* conv3d "PPP>B" when first, else "BPP>B"; conv3d_dx "BP>B". */
size_t hf_conv3d_cpu_scratch(const hf_call *call);
hf_status hf_conv3d_cpu_prepare(hf_call *call);

/* conv3d "BPP>B", conv3d_dx "BP>B". */
const char *hf_conv3d_cpu_refuse_wide(const hf_call *call);
size_t hf_conv3d_cpu_scratch_wide(const hf_call *call);
hf_status hf_conv3d_cpu_prepare_wide(hf_call *call);

/* conv3d_dw "PB>P" when first, and "BB>P". */
size_t hf_conv3d_cpu_scratch_dw_first(const hf_call *call);
hf_status hf_conv3d_cpu_prepare_dw_first(hf_call *call);
size_t hf_conv3d_cpu_scratch_dw(const hf_call *call);
hf_status hf_conv3d_cpu_prepare_dw(hf_call *call);

/* conv3d_db "B>P". */
const char *hf_conv3d_cpu_refuse_device(const hf_call *call);
size_t hf_conv3d_cpu_scratch_db(const hf_call *call);
hf_status hf_conv3d_cpu_prepare_db(hf_call *call);

#endif
