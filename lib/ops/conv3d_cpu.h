/* conv3d_cpu.h: the convolution implementations for CPUs, as entries of the operators' lists. Private to lib/ops/.
 * All of them want a CPU and stride 1 or 2; "first" is for a network's first layer, whose input has few channels and is
 * plain, "blocked" for the layers after it, "wide" for those of many weights and few voxels. */
#ifndef HF_OPS_CONV3D_CPU_H
#define HF_OPS_CONV3D_CPU_H

#include "op.h"

/* Adds the launch that copies x [planes, size], plain, into the middle of zeros, pad elements wide on every side. */
hf_status hf_conv3d_cpu_pad(hf_call *call, const hf_tensor *x, const hf_tensor *to, int64_t planes, const int size[3],
                            const int pad[3]);

const char *hf_conv3d_cpu_refuse_device(const hf_call *call);
const char *hf_conv3d_cpu_refuse(const hf_call *call);
const char *hf_conv3d_cpu_refuse_first(const hf_call *call);
const char *hf_conv3d_cpu_refuse_wide(const hf_call *call);
const char *hf_conv3d_cpu_refuse_wide_dx(const hf_call *call);

size_t hf_conv3d_cpu_scratch_first(const hf_call *call);
size_t hf_conv3d_cpu_scratch_blocked(const hf_call *call);
size_t hf_conv3d_cpu_scratch_dx(const hf_call *call);
size_t hf_conv3d_cpu_scratch_wide(const hf_call *call);
size_t hf_conv3d_cpu_scratch_wide_dx(const hf_call *call);
size_t hf_conv3d_cpu_scratch_dw_first(const hf_call *call);
size_t hf_conv3d_cpu_scratch_dw_blocked(const hf_call *call);
size_t hf_conv3d_cpu_scratch_db(const hf_call *call);

hf_status hf_conv3d_cpu_prepare_first(hf_call *call);
hf_status hf_conv3d_cpu_prepare_blocked(hf_call *call);
hf_status hf_conv3d_cpu_prepare_dx(hf_call *call);
hf_status hf_conv3d_cpu_prepare_wide(hf_call *call);
hf_status hf_conv3d_cpu_prepare_wide_dx(hf_call *call);
hf_status hf_conv3d_cpu_prepare_dw_first(hf_call *call);
hf_status hf_conv3d_cpu_prepare_dw_blocked(hf_call *call);
hf_status hf_conv3d_cpu_prepare_db(hf_call *call);

/* clang-format off */
#define HF_CONV3D_CPU_FORWARD                                                                                          \
    { .name = "cpu_first", .layouts = "PPP>B", .refuse = hf_conv3d_cpu_refuse_first,                                   \
      .scratch = hf_conv3d_cpu_scratch_first, .prepare = hf_conv3d_cpu_prepare_first },                                \
    { .name = "cpu_wide", .layouts = "BPP>B", .refuse = hf_conv3d_cpu_refuse_wide,                                     \
      .scratch = hf_conv3d_cpu_scratch_wide, .prepare = hf_conv3d_cpu_prepare_wide },                                  \
    { .name = "cpu_blocked", .layouts = "BPP>B", .refuse = hf_conv3d_cpu_refuse,                                       \
      .scratch = hf_conv3d_cpu_scratch_blocked, .prepare = hf_conv3d_cpu_prepare_blocked },
#define HF_CONV3D_CPU_DX                                                                                               \
    { .name = "cpu_wide", .layouts = "BP>B", .refuse = hf_conv3d_cpu_refuse_wide_dx,                                   \
      .scratch = hf_conv3d_cpu_scratch_wide_dx, .prepare = hf_conv3d_cpu_prepare_wide_dx },                            \
    { .name = "cpu_blocked", .layouts = "BP>B", .refuse = hf_conv3d_cpu_refuse,                                        \
      .scratch = hf_conv3d_cpu_scratch_dx, .prepare = hf_conv3d_cpu_prepare_dx },
#define HF_CONV3D_CPU_DW                                                                                               \
    { .name = "cpu_first", .layouts = "PB>P", .refuse = hf_conv3d_cpu_refuse_first,                                    \
      .scratch = hf_conv3d_cpu_scratch_dw_first, .prepare = hf_conv3d_cpu_prepare_dw_first },                          \
    { .name = "cpu_blocked", .layouts = "BB>P", .refuse = hf_conv3d_cpu_refuse,                                        \
      .scratch = hf_conv3d_cpu_scratch_dw_blocked, .prepare = hf_conv3d_cpu_prepare_dw_blocked },
#define HF_CONV3D_CPU_DB                                                                                               \
    { .name = "cpu_blocked", .layouts = "B>P", .refuse = hf_conv3d_cpu_refuse_device,                                         \
      .scratch = hf_conv3d_cpu_scratch_db, .prepare = hf_conv3d_cpu_prepare_db },
/* clang-format on */

#endif
