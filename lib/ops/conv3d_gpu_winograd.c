/* conv3d_gpu_winograd.c: 3x3x3 convolution with stride 1 for GPUs by Winograd's F(2x2x2, 3x3x3); forward, and the
 * gradient by the input, which is the same with mirrored weights.
 * cl_kernels/conv3d_gpu_winograd.cl says how the kernel works.
 *
 * It stands behind gpu_direct in the list, so that it runs only where a tuning row or the user names it. The rows name it
 * for NVIDIA's devices, where it gains in prediction and in simulation (doc/performance.md); no GPU has run it yet. */
#include "conv3d_gpu_winograd.h"
#include "conv3d.h"
#include "conv3d_gpu_direct.h"

#include <stdio.h>

#define WORK_ITEMS 256         /* WG of the kernel */
#define PACK_GROUP 64          /* PACK_WG */
#define POINTS     64          /* of a tile */
#define LOCAL      (42 * 1024) /* bytes of local memory of a group */
#define FEW_INPUTS 8           /* channels up to which gpu_first reads them without padding to a block */
#define BRICK      128         /* output voxels of a brick */
#define MOST_WASTE 1.25        /* voxels computed for one that is written, above which gpu_direct is nearly as fast */
#define MOST_BANK  (1 << 28)   /* bytes of transformed weights */

/* Tiles of a group along depth, height and width. */
static const int bricks[][3] = { { 2, 2, 4 }, { 2, 4, 2 }, { 4, 2, 2 } };

typedef struct problem {
    hf_conv3d_pass pass;
    int banks, samples; /* samples of a bank */
    int64_t from_blocks, to_blocks;
} problem;

static problem problem_of(const hf_call *call)
{
    const hf_conv3d_pass pass = hf_conv3d_pass_of(call);
    const int banks = pass.per_sample ? pass.n : 1;
    return (problem){ .pass = pass,
                      .banks = banks,
                      .samples = pass.n / banks,
                      .from_blocks = hf_blocks(pass.from_channels),
                      .to_blocks = hf_blocks(pass.to_channels) };
}

/* Filters of 27 taps, which become POINTS values each. */
static int64_t filters(const problem *p)
{
    return p->banks * p->to_blocks * p->from_blocks * HF_BLOCK * HF_BLOCK;
}

static int64_t tail_elements(const problem *p)
{
    return hf_conv3d_gpu_tail_elements(p->banks, p->pass.to_channels);
}

static size_t tail_offset(const hf_call *call, const problem *p)
{
    return hf_scratch_align(call, (size_t)(filters(p) * POINTS) * sizeof(float));
}

size_t hf_conv3d_gpu_winograd_scratch(const hf_call *call)
{
    const problem p = problem_of(call);
    return tail_offset(call, &p) + (size_t)tail_elements(&p) * sizeof(float);
}

static size_t count_bricks(const problem *p, const int brick[3])
{
    size_t count = (size_t)p->samples;
    for (int axis = 0; axis < 3; axis++)
        count *= hf_ceil_div((size_t)p->pass.to_size[axis], 2 * (size_t)brick[axis]);
    return count;
}

/* The one of which a problem needs fewest. */
static const int *best_brick(const problem *p)
{
    const int *best = bricks[0];
    for (size_t i = 1; i < sizeof bricks / sizeof bricks[0]; i++)
        if (count_bricks(p, bricks[i]) < count_bricks(p, best)) best = bricks[i];
    return best;
}

/* Why gpu_direct is to be preferred, or NULL. */
static const char *prefer_direct(const hf_call *call)
{
    const problem p = problem_of(call);
    const double count = (double)count_bricks(&p, best_brick(&p));
    const double voxels = (double)p.samples * (double)hf_conv3d_voxels(p.pass.to_size);
    if (p.pass.from_channels <= FEW_INPUTS) return "at most 8 input channels";
    if (hf_context_matrix_defines(call->context)) return "matrix units are asked for";
    if (filters(&p) * POINTS > MOST_BANK / (int64_t)sizeof(float)) return "transformed weights take more than 256 MB";
    if (count * BRICK > MOST_WASTE * voxels) return "too many voxels of its bricks lie outside";
    if (count * (double)(p.to_blocks * p.banks) < hf_context_device(call->context)->compute_units)
        return "fewer groups than the device has compute units";
    return NULL;
}

const char *hf_conv3d_gpu_winograd_refuse(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const bool any = hf_context_any_device(call->context);
    if (s.k != 3) return "K is not 3";
    if (s.stride != 1) return "stride is not 1";
    if (hf_conv3d_gpu_few_registers(call) && !any) return "the device has few registers";
    const char *refusal = hf_conv3d_gpu_refuse(call, LOCAL, WORK_ITEMS);
    return refusal || any ? refusal : prefer_direct(call);
}

hf_status hf_conv3d_gpu_winograd_prepare(hf_call *call)
{
    const problem p = problem_of(call);
    const hf_conv3d_pass *pass = &p.pass;
    const int *brick = best_brick(&p);
    char defines[32];
    snprintf(defines, sizeof defines, "-DTH=%d -DTW=%d", brick[1], brick[2]);
    hf_tensor bank, tail;
    HF_TRY(hf_scratch_part(&bank, call, 0, filters(&p) * POINTS));
    HF_TRY(hf_scratch_part(&tail, call, tail_offset(call, &p), tail_elements(&p)));
    HF_TRY(hf_launch(call, "conv3d_gpu_winograd", "conv3d_gpu_winograd_weights", NULL,
                     hf_conv3d_line(filters(&p), PACK_GROUP),
                     HF_ARGS(HF_T(pass->w), HF_T(&bank), HF_L(filters(&p)), HF_I(pass->from_channels),
                             HF_I(pass->to_channels), HF_I(p.from_blocks), HF_I(p.to_blocks), HF_I(pass->flip))));
    HF_TRY(hf_conv3d_gpu_pack_bias(call, pass->bias, &tail, p.banks, pass->to_channels));
    const hf_range range = { .groups = { count_bricks(&p, brick), (size_t)p.to_blocks, (size_t)p.banks },
                             .items = { WORK_ITEMS, 1, 1 } };
    return hf_launch(call, "conv3d_gpu_winograd", "conv3d_gpu_winograd", defines, range,
                     HF_ARGS(HF_T(pass->from), HF_T(&bank), HF_T(&tail), HF_T(pass->to), HF_I(p.from_blocks),
                             HF_I(p.to_blocks), HF_I(p.samples), HF_I(pass->from_size[0]), HF_I(pass->from_size[1]),
                             HF_I(pass->from_size[2]), HF_I(pass->to_size[0]), HF_I(pass->to_size[1]),
                             HF_I(pass->to_size[2]), HF_I(pass->pad), HF_I(p.banks > 1 ? p.to_blocks : 0),
                             HF_I(pass->relu)));
}
