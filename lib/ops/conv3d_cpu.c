/* conv3d_cpu.c: convolution on CPUs in the channels-innermost blocked layout, stride 1.
 *
 * Forward and input gradient are one kernel (conv3d_cpu_forward.cl): the gradient reads dy where the forward direction
 * reads x, with the taps flipped, C and O exchanged, and pad K-1-pad. A small launch before it puts the weights into
 * the order in which they are used; they change with every training step. The weight gradient (conv3d_cpu_dw.cl) sums
 * chunks of rows into partial results and adds those in order. How the work is cut depends on the problem alone, so
 * results do not depend on how many cores there are. */
#include "conv3d.h"
#include "conv3d_cpu.h"
#include <stdio.h>

#define FIRST_CHANNELS 3         /* most input channels of a "first" layer; with more, blocks of 16 lose little */
#define ONE_BLOCK_TILE 16        /* most positions of a tile when a group computes one block of output channels */
#define TWO_BLOCK_TILE 14        /* and when it computes two */
#define CHUNK_ROWS     32        /* rows of dy summed into one partial weight gradient, more when there are too many */
#define SWEEP_ROWS     16        /* of which so many at a time, to stay in the cache */
#define CHUNK_VOXELS   4096      /* voxels of dy summed into one partial bias gradient */
#define MAX_PARTIAL    (1 << 25) /* bytes of partial weight gradients */

const char *hf_conv3d_cpu_refuse(const hf_call *call)
{
    if (!hf_context_device(call->context)->is_cpu && !hf_context_any_device(call->context))
        return "device is not a CPU";
    return hf_conv3d_size_of(call).stride == 1 ? NULL : "stride is not 1";
}

const char *hf_conv3d_cpu_refuse_first(const hf_call *call)
{
    const char *refusal = hf_conv3d_cpu_refuse(call);
    if (refusal) return refusal;
    return hf_conv3d_size_of(call).c <= FIRST_CHANNELS ? NULL : "more than 3 input channels";
}

/* ---- forward and input gradient ---------------------------------------------------------------------------------- */

/* The convolution that the kernel computes. "from" is what it reads, "to" what it writes. */
typedef struct rows_problem {
    const hf_tensor *from, *w, *bias, *to;
    int n, from_channels, to_channels, k, pad;
    int from_size[3], to_size[3]; /* depth, height, width */
    int from_stride, to_stride;   /* elements of w between channels */
    bool flip, per_sample, has_bias, relu;
    bool first; /* `from` is plain */
} rows_problem;

static rows_problem forward_problem(const hf_call *call, bool first)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const int taps = (int)hf_conv3d_taps(&s);
    return (rows_problem){ .from = &call->in[0],
                           .w = &call->in[1],
                           .bias = s.bias ? &call->in[2] : NULL,
                           .to = &call->out[0],
                           .n = s.n,
                           .from_channels = s.c,
                           .to_channels = s.o,
                           .k = s.k,
                           .pad = s.pad,
                           .from_size = { s.in[0], s.in[1], s.in[2] },
                           .to_size = { s.out[0], s.out[1], s.out[2] },
                           .from_stride = taps,
                           .to_stride = taps * s.c,
                           .per_sample = s.per_sample,
                           .has_bias = s.bias,
                           .relu = call->params.activation == HF_RELU,
                           .first = first };
}

static rows_problem dx_problem(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const int taps = (int)hf_conv3d_taps(&s);
    return (rows_problem){ .from = &call->in[0],
                           .w = &call->in[1],
                           .to = &call->out[0],
                           .n = s.n,
                           .from_channels = s.o,
                           .to_channels = s.c,
                           .k = s.k,
                           .pad = s.k - 1 - s.pad,
                           .from_size = { s.out[0], s.out[1], s.out[2] },
                           .to_size = { s.in[0], s.in[1], s.in[2] },
                           .from_stride = taps * s.c,
                           .to_stride = taps,
                           .flip = true,
                           .per_sample = s.per_sample };
}

/* Sizes of the rearranged weights and bias, in floats, of one set and of all sets. */
typedef struct arranged {
    int64_t sets, from_blocks, to_blocks, step;
    int64_t weights, bias; /* of one set */
} arranged;

static arranged arranged_of(const rows_problem *p)
{
    arranged a = { .sets = p->per_sample ? p->n : 1, .step = p->first ? 1 : HF_BLOCK };
    a.from_blocks = (int64_t)hf_ceil_div((size_t)p->from_channels, (size_t)a.step);
    a.to_blocks = hf_blocks(p->to_channels);
    a.bias = a.to_blocks * HF_BLOCK;
    a.weights = a.bias * a.from_blocks * a.step * p->k * p->k * p->k;
    return a;
}

static size_t bias_offset(const hf_call *call, const arranged *a)
{
    return hf_scratch_align(call, (size_t)(a->sets * a->weights) * sizeof(float));
}

static size_t rows_scratch(const hf_call *call, const rows_problem *p)
{
    const arranged a = arranged_of(p);
    return bias_offset(call, &a) + (size_t)(a.sets * a.bias) * sizeof(float);
}

/* The tile that cuts a row into the fewest, nearly equal pieces, so that little is computed twice. Rows below 8 only
 * get powers of two: there are fewer programs to compile, and such rows cost little. */
static int tile_of(int width, int out)
{
    const int most = out == 2 ? TWO_BLOCK_TILE : ONE_BLOCK_TILE;
    const size_t tiles = hf_ceil_div((size_t)width, (size_t)most);
    const int tile = (int)hf_ceil_div((size_t)width, tiles);
    return tile >= 8 ? tile : tile >= 4 ? 4 : tile >= 2 ? 2 : 1;
}

static hf_status launch_rows(hf_call *call, const rows_problem *p, const arranged *a, const hf_tensor *w,
                             const hf_tensor *bias)
{
    const int out = a->to_blocks % 2 == 0 && !p->first ? 2 : 1;
    const hf_range range = { .groups = { (size_t)p->to_size[1], (size_t)p->to_size[0],
                                         (size_t)(p->n * a->to_blocks / out) } };
    char defines[64];
    snprintf(defines, sizeof defines, "-DTILE=%d -DOUT=%d -DFIRST=%d", tile_of(p->to_size[2], out), out, p->first);
    return hf_launch(call, "conv3d_cpu_forward", "conv3d_rows", defines, range,
                     HF_ARGS(HF_T(p->from), HF_T(w), HF_T(bias), HF_T(p->to), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_size[0]), HF_I(p->from_size[1]), HF_I(p->from_size[2]),
                             HF_I(p->to_size[0]), HF_I(p->to_size[1]), HF_I(p->to_size[2]), HF_I(p->k), HF_I(p->pad),
                             HF_I(p->relu), HF_L(p->per_sample ? a->weights / HF_BLOCK : 0),
                             HF_L(p->per_sample ? a->to_blocks : 0)));
}

static hf_status prepare_rows(hf_call *call, const rows_problem *p)
{
    const arranged a = arranged_of(p);
    const int taps = p->k * p->k * p->k;
    hf_tensor w, bias;
    HF_TRY(hf_scratch_part(&w, call, 0, a.sets * a.weights));
    HF_TRY(hf_scratch_part(&bias, call, bias_offset(call, &a), a.sets * a.bias));
    const hf_range range = { .groups = { (size_t)a.from_blocks, (size_t)a.to_blocks, (size_t)a.sets } };
    HF_TRY(
        hf_launch(call, "conv3d_cpu_weights", "conv3d_arrange", NULL, range,
                  HF_ARGS(HF_T(p->w), HF_T(p->bias), HF_T(&w), HF_T(&bias), HF_I(p->from_channels),
                          HF_I(p->to_channels), HF_I(taps), HF_I(a.step), HF_I(p->from_stride), HF_I(p->to_stride),
                          HF_L((int64_t)p->from_channels * p->to_channels * taps), HF_I(p->flip), HF_I(p->has_bias))));
    return launch_rows(call, p, &a, &w, &bias);
}

size_t hf_conv3d_cpu_scratch_first(const hf_call *call)
{
    const rows_problem p = forward_problem(call, true);
    return rows_scratch(call, &p);
}

size_t hf_conv3d_cpu_scratch_blocked(const hf_call *call)
{
    const rows_problem p = forward_problem(call, false);
    return rows_scratch(call, &p);
}

size_t hf_conv3d_cpu_scratch_dx(const hf_call *call)
{
    const rows_problem p = dx_problem(call);
    return rows_scratch(call, &p);
}

hf_status hf_conv3d_cpu_prepare_first(hf_call *call)
{
    const rows_problem p = forward_problem(call, true);
    return prepare_rows(call, &p);
}

hf_status hf_conv3d_cpu_prepare_blocked(hf_call *call)
{
    const rows_problem p = forward_problem(call, false);
    return prepare_rows(call, &p);
}

hf_status hf_conv3d_cpu_prepare_dx(hf_call *call)
{
    const rows_problem p = dx_problem(call);
    return prepare_rows(call, &p);
}

/* ---- weight gradient --------------------------------------------------------------------------------------------- */

/* How the rows (n,d,h) of dy are cut. A set is one sample, or all samples when they share their weights. */
typedef struct dw_cut {
    int64_t sets, set_rows, chunk_rows, chunks; /* chunks of a set */
    int64_t in_blocks, out_blocks, step;        /* step: input channels of a block */
    int64_t partial;                            /* floats of one partial result */
} dw_cut;

static dw_cut dw_cut_of(const hf_conv3d_size *s, bool first)
{
    dw_cut cut = { .sets = s->per_sample ? s->n : 1, .step = first ? 1 : HF_BLOCK };
    cut.set_rows = (s->per_sample ? 1 : s->n) * (int64_t)s->out[0] * s->out[1];
    cut.in_blocks = (int64_t)hf_ceil_div((size_t)s->c, (size_t)cut.step);
    cut.out_blocks = hf_blocks(s->o);
    cut.partial = cut.out_blocks * HF_BLOCK * cut.in_blocks * cut.step * hf_conv3d_taps(s);
    const int64_t room = MAX_PARTIAL / (int64_t)sizeof(float) / (cut.partial * cut.sets);
    const int64_t fewest_rows = (int64_t)hf_ceil_div((size_t)cut.set_rows, (size_t)(room > 1 ? room : 1));
    cut.chunk_rows = fewest_rows > CHUNK_ROWS ? fewest_rows : CHUNK_ROWS;
    cut.chunks = (int64_t)hf_ceil_div((size_t)cut.set_rows, (size_t)cut.chunk_rows);
    return cut;
}

static int64_t partial_floats(const dw_cut *cut)
{
    return cut->sets * cut->chunks * cut->partial;
}

/* Floats of x with its padding; 0 when x is used as it is. */
static int64_t padded_floats(const hf_conv3d_size *s)
{
    int64_t count = (int64_t)s->n * s->c;
    for (int axis = 0; axis < 3; axis++)
        count *= s->in[axis] + 2 * s->pad;
    return s->pad ? count : 0;
}

static hf_range dw_range(const dw_cut *cut)
{
    return (
        hf_range){ .groups = { (size_t)cut->chunks, (size_t)(cut->out_blocks * cut->in_blocks), (size_t)cut->sets } };
}

static hf_status launch_dw_sum(hf_call *call, const hf_conv3d_size *s, const dw_cut *cut, const hf_tensor *partial)
{
    const hf_range range = { .groups = { (size_t)hf_conv3d_taps(s), (size_t)cut->in_blocks,
                                         (size_t)(cut->out_blocks * cut->sets) } };
    return hf_launch(
        call, "conv3d_cpu_sum", "conv3d_dw_sum", NULL, range,
        HF_ARGS(HF_T(partial), HF_T(&call->out[0]), HF_I(s->c), HF_I(s->o), HF_I(cut->chunks), HF_I(cut->step)));
}

size_t hf_conv3d_cpu_scratch_dw_blocked(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const dw_cut cut = dw_cut_of(&s, false);
    return (size_t)partial_floats(&cut) * sizeof(float);
}

hf_status hf_conv3d_cpu_prepare_dw_blocked(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const dw_cut cut = dw_cut_of(&s, false);
    hf_tensor partial;
    HF_TRY(hf_scratch_part(&partial, call, 0, partial_floats(&cut)));
    HF_TRY(
        hf_launch(call, "conv3d_cpu_dw", "conv3d_dw_chunk", s.k == 3 ? "-DTAPS=3" : "-DTAPS=1", dw_range(&cut),
                  HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&partial), HF_I(s.c), HF_I(s.o), HF_I(s.in[0]),
                          HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]), HF_I(s.out[2]), HF_I(s.k),
                          HF_I(s.pad), HF_I(cut.set_rows), HF_I(cut.chunk_rows), HF_I(SWEEP_ROWS))));
    return launch_dw_sum(call, &s, &cut, &partial);
}

size_t hf_conv3d_cpu_scratch_dw_first(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const dw_cut cut = dw_cut_of(&s, true);
    return hf_scratch_align(call, (size_t)partial_floats(&cut) * sizeof(float)) +
           (size_t)padded_floats(&s) * sizeof(float);
}

/* Makes *x the padded copy of operand x, or x itself without padding. offset: into the scratch memory. */
static hf_status pad_first(hf_tensor *x, hf_call *call, const hf_conv3d_size *s, size_t offset)
{
    *x = call->in[0];
    if (!s->pad) return HF_OK;
    HF_TRY(hf_scratch_part(x, call, offset, padded_floats(s)));
    const hf_range range = { .groups = { (size_t)(s->in[1] + 2 * s->pad), (size_t)(s->in[0] + 2 * s->pad),
                                         (size_t)(s->n * s->c) } };
    return hf_launch(
        call, "conv3d_cpu_sum", "conv3d_pad", NULL, range,
        HF_ARGS(HF_T(&call->in[0]), HF_T(x), HF_I(s->in[0]), HF_I(s->in[1]), HF_I(s->in[2]), HF_I(s->pad)));
}

hf_status hf_conv3d_cpu_prepare_dw_first(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const dw_cut cut = dw_cut_of(&s, true);
    const int wide = 2 * s.pad;
    char defines[32];
    hf_tensor partial, x;
    HF_TRY(hf_scratch_part(&partial, call, 0, partial_floats(&cut)));
    HF_TRY(pad_first(&x, call, &s, hf_scratch_align(call, (size_t)partial_floats(&cut) * sizeof(float))));
    snprintf(defines, sizeof defines, "-DKERNEL=%d", s.k);
    HF_TRY(hf_launch(call, "conv3d_cpu_dw_first", "conv3d_dw_first_chunk", defines, dw_range(&cut),
                     HF_ARGS(HF_T(&x), HF_T(&call->in[1]), HF_T(&partial), HF_I(s.c), HF_I(s.o), HF_I(s.in[0] + wide),
                             HF_I(s.in[1] + wide), HF_I(s.in[2] + wide), HF_I(s.out[0]), HF_I(s.out[1]), HF_I(s.out[2]),
                             HF_I(cut.set_rows), HF_I(cut.chunk_rows))));
    return launch_dw_sum(call, &s, &cut, &partial);
}

/* ---- bias gradient ----------------------------------------------------------------------------------------------- */

static int64_t db_chunks(const hf_conv3d_size *s)
{
    return (int64_t)hf_ceil_div((size_t)hf_conv3d_out_voxels(s), CHUNK_VOXELS);
}

size_t hf_conv3d_cpu_scratch_db(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    return (size_t)(s.n * db_chunks(&s) * hf_blocks(s.o) * HF_BLOCK) * sizeof(float);
}

hf_status hf_conv3d_cpu_prepare_db(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const int64_t chunks = db_chunks(&s), blocks = hf_blocks(s.o), sets = s.per_sample ? s.n : 1;
    const hf_range chunk_range = { .groups = { (size_t)chunks, (size_t)blocks, (size_t)s.n } };
    const hf_range sum_range = { .groups = { (size_t)blocks, (size_t)sets } };
    hf_tensor partial;
    HF_TRY(hf_scratch_part(&partial, call, 0, s.n * chunks * blocks * HF_BLOCK));
    HF_TRY(hf_launch(call, "conv3d_cpu_sum", "conv3d_db_chunk", NULL, chunk_range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&partial), HF_I(hf_conv3d_out_voxels(&s)), HF_I(CHUNK_VOXELS))));
    return hf_launch(call, "conv3d_cpu_sum", "conv3d_db_sum", NULL, sum_range,
                     HF_ARGS(HF_T(&partial), HF_T(&call->out[0]), HF_I(s.o), HF_I(chunks * s.n / sets)));
}
