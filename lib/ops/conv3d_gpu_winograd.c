/* conv3d_gpu_winograd.c: 3x3x3 convolution with stride 1 for GPUs by Winograd's F(2x2x2, 3x3x3); forward, and the
 * gradient by the input, which is the same with mirrored weights.
 * cl_kernels/conv3d_gpu_winograd.cl says how the kernel works.
 *
 * It stands behind gpu_direct in the list, so that it runs only where a tuning row or the user names it: it saves 2.25 of
 * the multiplications, but no GPU has been seen to gain yet. */
#include "conv3d_gpu_winograd.h"
#include "conv3d.h"
#include "conv3d_gpu_direct.h"

#include <stdio.h>

#define WORK_ITEMS 256         /* WG of the kernel */
#define PACK_GROUP 64          /* PACK_WG */
#define POINTS     64          /* of a tile */
#define LOCAL      (42 * 1024) /* bytes of local memory of a group */

/* Tiles of a group along depth, height and width. */
static const int bricks[][3] = { { 2, 2, 4 }, { 2, 4, 2 }, { 4, 2, 2 } };

/* "from" is read, "to" is written. */
typedef struct problem {
    int banks, samples; /* samples of a bank */
    int from_channels, to_channels, pad;
    int64_t from_blocks, to_blocks;
    const int *from, *to; /* depth, height, width */
    bool mirror;
} problem;

static problem problem_of(const hf_conv3d_size *s)
{
    const int banks = s->per_sample ? s->n : 1;
    return (problem){ .banks = banks,
                      .samples = s->n / banks,
                      .from_channels = s->c,
                      .to_channels = s->o,
                      .pad = s->pad,
                      .from_blocks = hf_blocks(s->c),
                      .to_blocks = hf_blocks(s->o),
                      .from = s->in,
                      .to = s->out };
}

static problem problem_dx(const hf_conv3d_size *s)
{
    const int banks = s->per_sample ? s->n : 1;
    return (problem){ .banks = banks,
                      .samples = s->n / banks,
                      .from_channels = s->o,
                      .to_channels = s->c,
                      .pad = s->k - 1 - s->pad,
                      .from_blocks = hf_blocks(s->o),
                      .to_blocks = hf_blocks(s->c),
                      .from = s->out,
                      .to = s->in,
                      .mirror = true };
}

const char *hf_conv3d_gpu_winograd_refuse(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    if (s.k != 3) return "K is not 3";
    if (s.stride != 1) return "stride is not 1";
    if (hf_conv3d_gpu_few_registers(call)) return "the device has few registers";
    return hf_conv3d_gpu_refuse(call, LOCAL, WORK_ITEMS);
}

/* Filters of 27 taps, which become POINTS values each. */
static int64_t filters(const problem *p)
{
    return p->banks * p->to_blocks * p->from_blocks * HF_BLOCK * HF_BLOCK;
}

static size_t tail_offset(const hf_call *call, const problem *p)
{
    return hf_scratch_align(call, (size_t)(filters(p) * POINTS) * sizeof(float));
}

static size_t scratch(const hf_call *call, const problem *p)
{
    return tail_offset(call, p) + (size_t)hf_conv3d_gpu_tail_elements(p->banks, p->to_channels) * sizeof(float);
}

static size_t count_bricks(const problem *p, const int brick[3])
{
    size_t count = (size_t)p->samples;
    for (int axis = 0; axis < 3; axis++)
        count *= hf_ceil_div((size_t)p->to[axis], 2 * (size_t)brick[axis]);
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

static hf_status prepare(hf_call *call, const problem *p, const hf_tensor *bias)
{
    const int *brick = best_brick(p);
    char defines[32];
    snprintf(defines, sizeof defines, "-DTH=%d -DTW=%d", brick[1], brick[2]);
    hf_tensor bank, tail;
    HF_TRY(hf_scratch_part(&bank, call, 0, filters(p) * POINTS));
    HF_TRY(hf_scratch_part(&tail, call, tail_offset(call, p), hf_conv3d_gpu_tail_elements(p->banks, p->to_channels)));
    HF_TRY(hf_launch(call, "conv3d_gpu_winograd", "conv3d_gpu_winograd_weights", NULL,
                     hf_conv3d_line(filters(p), PACK_GROUP),
                     HF_ARGS(HF_T(&call->in[1]), HF_T(&bank), HF_L(filters(p)), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_blocks), HF_I(p->to_blocks), HF_I(p->mirror))));
    HF_TRY(hf_conv3d_gpu_pack_bias(call, bias, &tail, p->banks, p->to_channels));
    const hf_range range = { .groups = { count_bricks(p, brick), (size_t)p->to_blocks, (size_t)p->banks },
                             .items = { WORK_ITEMS, 1, 1 } };
    return hf_launch(call, "conv3d_gpu_winograd", "conv3d_gpu_winograd", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&bank), HF_T(&tail), HF_T(&call->out[0]), HF_I(p->from_blocks),
                             HF_I(p->to_blocks), HF_I(p->samples), HF_I(p->from[0]), HF_I(p->from[1]), HF_I(p->from[2]),
                             HF_I(p->to[0]), HF_I(p->to[1]), HF_I(p->to[2]), HF_I(p->pad),
                             HF_I(p->banks > 1 ? p->to_blocks : 0), HF_I(bias && call->params.activation == HF_RELU)));
}

size_t hf_conv3d_gpu_winograd_scratch(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const problem p = problem_of(&s);
    return scratch(call, &p);
}

size_t hf_conv3d_gpu_winograd_scratch_dx(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const problem p = problem_dx(&s);
    return scratch(call, &p);
}

hf_status hf_conv3d_gpu_winograd_prepare(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const problem p = problem_of(&s);
    return prepare(call, &p, &call->in[2]);
}

hf_status hf_conv3d_gpu_winograd_prepare_dx(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const problem p = problem_dx(&s);
    return prepare(call, &p, NULL);
}
