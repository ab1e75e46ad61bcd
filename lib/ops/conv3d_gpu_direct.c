/* conv3d_gpu_direct.c: convolution for GPUs without a matrix of windows, forward and the gradient by the input;
 * cl_kernels/conv3d_gpu_direct.cl and conv3d_gpu_first.cl say how the kernels work.
 *
 * A run lays out the weights, the biases and the list of taps in scratch memory, then multiplies. How a problem is cut
 * depends on the problem alone: large ones into groups of 128 work-items with 4 voxels each; small ones into small
 * groups with 2 voxels or 1, and, where that does not fill a GPU, into pieces of the sum, added in order. */
#include "conv3d_gpu_direct.h"
#include "conv3d.h"

#include <stdio.h>
#include <string.h>

#define MANY_INPUTS  8           /* channels above which the plain layout no longer pays */
#define ENOUGH       (1 << 15)   /* work-items that keep a large GPU busy */
#define FEWEST_UNITS 4           /* of a piece of the sum */
#define GROUP        64          /* WG of the kernels that lay out, and of the sum */
#define MOST_LOCAL   (16 * 1024) /* bytes of local memory of the largest group */
#define LARGE_GROUP  128
#define FIRST_GROUP  128 /* WG and V of conv3d_gpu_first.cl */
#define FIRST_VOXELS 4

/* A convolution as the kernels take it; "from" is read, "to" is written. */
typedef struct problem {
    int banks, samples; /* samples of a bank */
    int k, from_channels, to_channels, step;
    int64_t from_blocks, to_blocks;
    int from[3], to[3]; /* depth, height, width */
    int pad;            /* as the gradient by the input sees it */
    int from_step, to_step;
    bool mirror;
    bool tensor;                            /* products by matrix units */
    int voxels, group, chunks, chunk_units; /* V, WG; pieces of the sum */
    int64_t most;                           /* units of a class, at most */
} problem;

static int64_t cube(int64_t edge)
{
    return edge * edge * edge;
}

static int64_t voxels_of(const int size[3])
{
    return (int64_t)size[0] * size[1] * size[2];
}

/* Voxels of one class in all samples of a bank. */
static int64_t class_voxels(const problem *p)
{
    int64_t count = p->samples;
    for (int axis = 0; axis < 3; axis++)
        count *= (int64_t)hf_ceil_div((size_t)p->to[axis], (size_t)p->to_step);
    return count;
}

/* Chooses voxels of a work-item, groups and pieces. */
static void cut(problem *p, const hf_call *call)
{
    const int64_t groups = p->to_blocks * p->banks * cube(p->to_step), voxels = class_voxels(p);
    p->most = p->from_blocks * cube((int64_t)hf_ceil_div((size_t)p->k, (size_t)p->to_step));
    p->voxels = p->tensor || hf_conv3d_gpu_few_registers(call) ? 2 : 4;
    while (p->voxels > 1 && voxels * groups / p->voxels < ENOUGH)
        p->voxels /= 2;
    int64_t chunks = ENOUGH / (voxels * groups);
    if (chunks > p->most / FEWEST_UNITS) chunks = p->most / FEWEST_UNITS;
    if (chunks < 1) chunks = 1;
    p->chunk_units = (int)hf_ceil_div((size_t)p->most, (size_t)chunks);
    p->chunks = (int)hf_ceil_div((size_t)p->most, (size_t)p->chunk_units);
    p->group = p->voxels == 4 || p->tensor ? LARGE_GROUP : GROUP;
}

typedef enum problem_kind { DIRECT, TENSOR, FIRST } problem_kind;

static problem problem_of(const hf_call *call, problem_kind kind)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    problem p = { .banks = s.per_sample ? s.n : 1,
                  .k = s.k,
                  .from_channels = s.c,
                  .to_channels = s.o,
                  .tensor = kind == TENSOR,
                  .step = kind == FIRST ? 1 : HF_BLOCK,
                  .from = { s.in[0], s.in[1], s.in[2] },
                  .to = { s.out[0], s.out[1], s.out[2] },
                  .pad = s.k - 1 - s.pad,
                  .from_step = s.stride,
                  .to_step = 1 };
    p.samples = s.n / p.banks;
    p.from_blocks = kind == FIRST ? s.c : hf_blocks(s.c);
    p.to_blocks = hf_blocks(s.o);
    cut(&p, call);
    return p;
}

static problem problem_dx(const hf_call *call, problem_kind kind)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    problem p = { .banks = s.per_sample ? s.n : 1,
                  .k = s.k,
                  .from_channels = s.o,
                  .to_channels = s.c,
                  .tensor = kind == TENSOR,
                  .step = HF_BLOCK,
                  .from_blocks = hf_blocks(s.o),
                  .to_blocks = hf_blocks(s.c),
                  .from = { s.out[0], s.out[1], s.out[2] },
                  .to = { s.in[0], s.in[1], s.in[2] },
                  .pad = s.pad,
                  .from_step = 1,
                  .to_step = s.stride,
                  .mirror = true };
    p.samples = s.n / p.banks;
    cut(&p, call);
    return p;
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static bool countable(int64_t samples, int64_t channels, const int size[3])
{
    return samples * hf_blocks(channels) * voxels_of(size) <= INT32_MAX;
}

bool hf_conv3d_gpu_few_registers(const hf_call *call)
{
    return strstr(hf_context_device(call->context)->platform, "Intel") != NULL;
}

const char *hf_conv3d_gpu_refuse(const hf_call *call, size_t local_bytes, size_t group)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const hf_device_info *device = hf_context_device(call->context);
    if (device->is_cpu && !hf_context_any_device(call->context)) return "the device is a CPU";
    if (device->local_memory < local_bytes) return "the device has too little local memory";
    if (!hf_context_runs_groups_of(call->context, group)) return "the device's groups are too small";
    if (!countable(s.n, s.c, s.in) || !countable(s.n, s.o, s.out)) return "more than 2^31 voxels of 16 channels";
    return NULL;
}

const char *hf_conv3d_gpu_direct_refuse(const hf_call *call)
{
    return hf_conv3d_gpu_refuse(call, MOST_LOCAL, LARGE_GROUP);
}

const char *hf_conv3d_gpu_direct_refuse_tensor(const hf_call *call)
{
    const char *refusal = hf_conv3d_gpu_direct_refuse(call);
    if (refusal) return refusal;
    return hf_context_matrix_defines(call->context) ? NULL : "matrix units are absent or not asked for";
}

const char *hf_conv3d_gpu_direct_refuse_first(const hf_call *call)
{
    if (hf_conv3d_size_of(call).c > MANY_INPUTS) return "more than 8 input channels";
    return hf_conv3d_gpu_direct_refuse(call);
}

/* ---- scratch memory ---------------------------------------------------------------------------------------------- */

/* Byte offsets of what lies in scratch memory; end: of all. */
typedef struct places {
    size_t bank, tail, classes, units, parts, end;
} places;

static size_t place(const hf_call *call, size_t *end, int64_t elements)
{
    const size_t at = *end;
    *end = hf_scratch_align(call, at + (size_t)elements * sizeof(float));
    return at;
}

static int64_t bank_elements(const problem *p)
{
    return p->banks * p->to_blocks * p->from_blocks * cube(p->k) * p->step * HF_BLOCK;
}

int64_t hf_conv3d_gpu_tail_elements(int64_t banks, int64_t channels)
{
    return banks * hf_blocks(channels) * HF_BLOCK + HF_BLOCK;
}

static int64_t tail_elements(const problem *p)
{
    return hf_conv3d_gpu_tail_elements(p->banks, p->to_channels);
}

static int64_t result_elements(const problem *p)
{
    return (int64_t)p->banks * p->samples * p->to_blocks * HF_BLOCK * voxels_of(p->to);
}

static places places_of(const hf_call *call, const problem *p)
{
    places at = { 0 };
    at.bank = place(call, &at.end, bank_elements(p));
    at.tail = place(call, &at.end, tail_elements(p));
    at.classes = place(call, &at.end, 4 * cube(p->to_step));
    at.units = place(call, &at.end, 4 * p->most * cube(p->to_step));
    at.parts = place(call, &at.end, p->chunks > 1 ? p->chunks * result_elements(p) : 0);
    return at;
}

static size_t scratch(const hf_call *call, const problem *p)
{
    return places_of(call, p).end;
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

hf_status hf_conv3d_gpu_pack_bias(hf_call *call, const hf_tensor *bias, const hf_tensor *tail, int banks, int channels)
{
    const bool has_bias = bias && hf_present(&bias->desc);
    return hf_launch(call, "conv3d_gpu_pack", "conv3d_gpu_pack_bias", NULL,
                     hf_conv3d_line(hf_conv3d_gpu_tail_elements(banks, channels), GROUP),
                     HF_ARGS(HF_T(bias), HF_T(tail), HF_I(banks), HF_I(channels), HF_I(hf_blocks(channels) * HF_BLOCK),
                             HF_I(has_bias)));
}

static hf_status launch_pack(hf_call *call, const problem *p, const hf_tensor *bias, const hf_tensor *bank,
                             const hf_tensor *tail)
{
    HF_TRY(hf_launch(call, "conv3d_gpu_pack", "conv3d_gpu_pack", NULL, hf_conv3d_line(bank_elements(p), GROUP),
                     HF_ARGS(HF_T(&call->in[1]), HF_T(bank), HF_L(bank_elements(p)), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_blocks), HF_I(p->to_blocks), HF_I(p->step),
                             HF_I(cube(p->k)), HF_I(p->mirror))));
    return hf_conv3d_gpu_pack_bias(call, bias, tail, p->banks, p->to_channels);
}

static hf_status launch_units(hf_call *call, const problem *p, const hf_tensor *classes, const hf_tensor *units)
{
    return hf_launch(call, "conv3d_gpu_pack", "conv3d_gpu_units", NULL,
                     hf_conv3d_line(p->most * cube(p->to_step), GROUP),
                     HF_ARGS(HF_T(classes), HF_T(units), HF_I(p->from_blocks), HF_I(p->k), HF_I(p->pad),
                             HF_I(p->to_step), HF_I(p->from[0]), HF_I(p->from[1]), HF_I(p->from[2]), HF_I(p->most)));
}

/* Blocks from one bank's biases to the next; 0 when shared. */
static int bias_step(const problem *p)
{
    return p->banks > 1 ? (int)p->to_blocks : 0;
}

static hf_status launch_sum(hf_call *call, const problem *p, const hf_tensor *parts, const hf_tensor *tail, bool relu)
{
    const int64_t count = result_elements(p) / 4;
    return hf_launch(call, "conv3d_gpu_direct", "conv3d_gpu_direct_sum", NULL, hf_conv3d_line(count, GROUP),
                     HF_ARGS(HF_T(parts), HF_T(tail), HF_T(&call->out[0]), HF_L(count), HF_I(voxels_of(p->to)),
                             HF_I(p->to_blocks), HF_I(p->samples), HF_I(bias_step(p)), HF_I(p->chunks), HF_I(relu)));
}

static hf_status prepare(hf_call *call, const problem *p, const hf_tensor *bias)
{
    const places at = places_of(call, p);
    const bool relu = bias && call->params.activation == HF_RELU;
    hf_tensor bank, tail, classes, units, parts = call->out[0];
    char defines[64];
    HF_TRY(hf_scratch_part(&bank, call, at.bank, bank_elements(p)));
    HF_TRY(hf_scratch_part(&tail, call, at.tail, tail_elements(p)));
    HF_TRY(hf_scratch_part(&classes, call, at.classes, 4 * cube(p->to_step)));
    HF_TRY(hf_scratch_part(&units, call, at.units, 4 * p->most * cube(p->to_step)));
    if (p->chunks > 1) HF_TRY(hf_scratch_part(&parts, call, at.parts, p->chunks * result_elements(p)));
    HF_TRY(launch_pack(call, p, bias, &bank, &tail));
    HF_TRY(launch_units(call, p, &classes, &units));
    const char *matrix = p->tensor ? hf_context_matrix_defines(call->context) : NULL;
    snprintf(defines, sizeof defines, "-DV=%d -DWG=%d%s%s", p->voxels, p->group, matrix ? " -DTENSOR=1 " : "",
             matrix ? matrix : "");
    const hf_range range = { .groups = { hf_ceil_div((size_t)class_voxels(p), (size_t)p->voxels * (size_t)p->group),
                                         (size_t)p->to_blocks, (size_t)(p->chunks * p->banks * cube(p->to_step)) },
                             .items = { (size_t)p->group, 1, 1 } };
    HF_TRY(
        hf_launch(call, "conv3d_gpu_direct", "conv3d_gpu_direct", defines, range,
                  HF_ARGS(HF_T(&call->in[0]), HF_T(&bank), HF_T(&tail), HF_T(&classes), HF_T(&units), HF_T(&parts),
                          HF_I(p->from_blocks), HF_I(p->to_blocks), HF_I(p->banks), HF_I(p->samples), HF_I(p->from[0]),
                          HF_I(p->from[1]), HF_I(p->from[2]), HF_I(p->to[0]), HF_I(p->to[1]), HF_I(p->to[2]),
                          HF_I(p->from_step), HF_I(p->to_step), HF_I(p->most), HF_I(p->from_blocks * cube(p->k)),
                          HF_I(bias_step(p)), HF_I(p->chunks), HF_I(p->chunk_units), HF_I(relu))));
    return p->chunks > 1 ? launch_sum(call, p, &parts, &tail, relu) : HF_OK;
}

size_t hf_conv3d_gpu_direct_scratch(const hf_call *call)
{
    const problem p = problem_of(call, DIRECT);
    return scratch(call, &p);
}

hf_status hf_conv3d_gpu_direct_prepare(hf_call *call)
{
    const problem p = problem_of(call, DIRECT);
    return prepare(call, &p, &call->in[2]);
}

size_t hf_conv3d_gpu_direct_scratch_tensor(const hf_call *call)
{
    const problem p = problem_of(call, TENSOR);
    return scratch(call, &p);
}

hf_status hf_conv3d_gpu_direct_prepare_tensor(hf_call *call)
{
    const problem p = problem_of(call, TENSOR);
    return prepare(call, &p, &call->in[2]);
}

size_t hf_conv3d_gpu_direct_scratch_dx(const hf_call *call)
{
    const problem p = problem_dx(call, DIRECT);
    return scratch(call, &p);
}

hf_status hf_conv3d_gpu_direct_prepare_dx(hf_call *call)
{
    const problem p = problem_dx(call, DIRECT);
    return prepare(call, &p, NULL);
}

size_t hf_conv3d_gpu_direct_scratch_tensor_dx(const hf_call *call)
{
    const problem p = problem_dx(call, TENSOR);
    return scratch(call, &p);
}

hf_status hf_conv3d_gpu_direct_prepare_tensor_dx(hf_call *call)
{
    const problem p = problem_dx(call, TENSOR);
    return prepare(call, &p, NULL);
}

/* ---- few input channels ------------------------------------------------------------------------------------------ */

static places places_first(const hf_call *call, const problem *p)
{
    places at = { 0 };
    at.bank = place(call, &at.end, bank_elements(p));
    at.tail = place(call, &at.end, tail_elements(p));
    return at;
}

size_t hf_conv3d_gpu_direct_scratch_first(const hf_call *call)
{
    const problem p = problem_of(call, FIRST);
    return places_first(call, &p).end;
}

hf_status hf_conv3d_gpu_direct_prepare_first(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const problem p = problem_of(call, FIRST);
    const places at = places_first(call, &p);
    hf_tensor bank, tail;
    char defines[64];
    HF_TRY(hf_scratch_part(&bank, call, at.bank, bank_elements(&p)));
    HF_TRY(hf_scratch_part(&tail, call, at.tail, tail_elements(&p)));
    HF_TRY(launch_pack(call, &p, &call->in[2], &bank, &tail));
    const int voxels = hf_conv3d_gpu_few_registers(call) ? FIRST_VOXELS / 2 : FIRST_VOXELS;
    snprintf(defines, sizeof defines, "-DK=%d -DV=%d -DWG=%d", s.k, voxels, FIRST_GROUP);
    const hf_range range = { .groups = { hf_ceil_div((size_t)voxels_of(s.out), (size_t)voxels * FIRST_GROUP),
                                         (size_t)p.to_blocks, (size_t)s.n },
                             .items = { FIRST_GROUP, 1, 1 } };
    return hf_launch(call, "conv3d_gpu_first", "conv3d_gpu_first", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&bank), HF_T(&tail), HF_T(&call->out[0]), HF_I(s.c),
                             HF_I(p.to_blocks), HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]),
                             HF_I(s.out[1]), HF_I(s.out[2]), HF_I(s.stride), HF_I(s.pad),
                             HF_I(s.per_sample ? bank_elements(&p) / p.banks / 4 : 0), HF_I(bias_step(&p)),
                             HF_I(call->params.activation == HF_RELU)));
}
