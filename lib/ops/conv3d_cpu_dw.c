/* conv3d_cpu_dw.c: gradients of the weights and the bias of a convolution on CPUs, stride 1 or 2.
 *
 * The weight gradient (conv3d_cpu_dw.cl) sums chunks of rows into partial results and adds those in order. How the work
 * is cut depends on the problem alone, so results do not depend on how many cores there are. */
#include "conv3d.h"
#include "conv3d_cpu.h"
#include <stdio.h>

#define CHUNK_POSITIONS 4096      /* of dy, summed into one partial weight gradient; more when there are too many */
#define LEAST_GROUPS    16        /* for which chunks get smaller, so that all cores have work */
#define SWEEP_POSITIONS 1536      /* of a chunk, so many at a time, to stay in the cache */
#define DIRECT_KERNEL   3         /* the largest K of which a group holds all sums at once */
#define CHUNK_VOXELS    4096      /* voxels of dy summed into one partial bias gradient */
#define MAX_PARTIAL     (1 << 25) /* bytes of partial weight gradients */

/* ---- weight gradient --------------------------------------------------------------------------------------------- */

/* How the rows (n,d,h) of dy are cut. A set is one sample, or all samples when they share their weights. */
typedef struct dw_cut {
    int64_t sets, set_rows, chunk_rows, chunks; /* chunks of a set */
    int64_t in_blocks, out_blocks, step;        /* step: input channels of a block */
    int64_t partial;                            /* floats of one partial result */
    bool direct;                                /* the only chunk writes the result */
} dw_cut;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (int64_t)hf_ceil_div((size_t)a, (size_t)b);
}

static int64_t chunk_rows_of(const dw_cut *cut, int row)
{
    const int64_t groups = cut->sets * cut->in_blocks * cut->out_blocks;
    const int64_t room = MAX_PARTIAL / (int64_t)sizeof(float) / (cut->partial * cut->sets);
    const int64_t fewest = ceil_div(cut->set_rows, room > 1 ? room : 1),
                  shared = ceil_div(cut->set_rows * groups, LEAST_GROUPS);
    int64_t rows = ceil_div(CHUNK_POSITIONS, row);
    if (rows > shared) rows = shared;
    if (rows < fewest) rows = fewest;
    return ceil_div(cut->set_rows, ceil_div(cut->set_rows, rows));
}

static dw_cut dw_cut_of(const hf_conv3d_size *s, bool first)
{
    dw_cut cut = { .sets = s->per_sample ? s->n : 1, .step = first ? 1 : HF_BLOCK };
    cut.set_rows = (s->per_sample ? 1 : s->n) * (int64_t)s->out[0] * s->out[1];
    cut.in_blocks = ceil_div(s->c, cut.step);
    cut.out_blocks = hf_blocks(s->o);
    cut.partial = cut.out_blocks * HF_BLOCK * cut.in_blocks * cut.step * hf_conv3d_taps(s);
    cut.chunk_rows = chunk_rows_of(&cut, s->out[2]);
    cut.chunks = ceil_div(cut.set_rows, cut.chunk_rows);
    cut.direct = !first && cut.chunks == 1 && s->k <= DIRECT_KERNEL;
    return cut;
}

/* The problem of the blocked kernel: what neighbouring rows have to do with each other is nothing when K is 1. */
static hf_conv3d_size joined_size(const hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    if (s.k > 1 || s.stride > 1 || s.pad) return s;
    s.in[2] = s.out[2] = s.in[1] * s.in[2];
    s.in[1] = s.out[1] = 1;
    return s;
}

static int64_t partial_floats(const dw_cut *cut)
{
    return cut->direct ? 0 : cut->sets * cut->chunks * cut->partial;
}

/* Floats of x with its padding; 0 when x is used as it is. */
static int64_t padded_floats(const hf_conv3d_size *s)
{
    int64_t count = (int64_t)s->n * s->c;
    for (int axis = 0; axis < 3; axis++)
        count *= s->in[axis] + 2 * s->pad;
    return s->pad ? count : 0;
}

/* Groups next to each other share a chunk when chunks lie along axis 1, or a pair of channel blocks along axis 0. */
static hf_range dw_range(const dw_cut *cut, int chunk_axis)
{
    hf_range range = { .groups = { 0, 0, (size_t)cut->sets } };
    range.groups[chunk_axis] = (size_t)cut->chunks;
    range.groups[1 - chunk_axis] = (size_t)(cut->out_blocks * cut->in_blocks);
    return range;
}

static hf_status launch_dw_sum(hf_call *call, const hf_conv3d_size *s, const dw_cut *cut, const hf_tensor *partial)
{
    const hf_range range = { .groups = { (size_t)ceil_div(cut->step * hf_conv3d_taps(s), HF_BLOCK),
                                         (size_t)cut->in_blocks, (size_t)(cut->out_blocks * cut->sets) } };
    return hf_launch(call, "conv3d_cpu_sum", "conv3d_dw_sum", NULL, range,
                     HF_ARGS(HF_T(partial), HF_T(&call->out[0]), HF_I(s->c), HF_I(s->o), HF_I(hf_conv3d_taps(s)),
                             HF_I(cut->chunks), HF_I(cut->step)));
}

size_t hf_conv3d_cpu_scratch_dw_blocked(const hf_call *call)
{
    const hf_conv3d_size s = joined_size(call);
    const dw_cut cut = dw_cut_of(&s, false);
    return (size_t)partial_floats(&cut) * sizeof(float);
}

static hf_status launch_dw_blocked(hf_call *call, const hf_conv3d_size *s, const dw_cut *cut, const hf_tensor *partial)
{
    const int64_t sweep = ceil_div(SWEEP_POSITIONS / (s->stride * s->stride), s->out[2]);
    const int chunk_axis = s->k > 1 || s->stride > 1; /* else memory is read from one end to the other */
    char defines[48];
    snprintf(defines, sizeof defines, "-DTAPS=%d -DSTRIDE=%d", s->k == 3 ? 3 : 1, s->stride);
    return hf_launch(call, "conv3d_cpu_dw", "conv3d_dw_chunk", defines, dw_range(cut, chunk_axis),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(partial), HF_T(&call->out[0]), HF_I(s->c),
                             HF_I(s->o), HF_I(s->in[0]), HF_I(s->in[1]), HF_I(s->in[2]), HF_I(s->out[0]),
                             HF_I(s->out[1]), HF_I(s->out[2]), HF_I(s->k), HF_I(s->pad), HF_I(cut->set_rows),
                             HF_I(cut->chunk_rows), HF_I(sweep), HF_I(chunk_axis), HF_I(cut->direct)));
}

hf_status hf_conv3d_cpu_prepare_dw_blocked(hf_call *call)
{
    const hf_conv3d_size s = joined_size(call);
    const dw_cut cut = dw_cut_of(&s, false);
    hf_tensor partial = { 0 };
    if (cut.direct) return launch_dw_blocked(call, &s, &cut, &partial);
    HF_TRY(hf_scratch_part(&partial, call, 0, partial_floats(&cut)));
    HF_TRY(launch_dw_blocked(call, &s, &cut, &partial));
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
    return hf_conv3d_cpu_pad(call, &call->in[0], x, (int64_t)s->n * s->c, s->in, (int[]){ s->pad, s->pad, s->pad });
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
    HF_TRY(hf_launch(call, "conv3d_cpu_dw_first", "conv3d_dw_first_chunk", defines, dw_range(&cut, 0),
                     HF_ARGS(HF_T(&x), HF_T(&call->in[1]), HF_T(&partial), HF_I(s.c), HF_I(s.o), HF_I(s.in[0] + wide),
                             HF_I(s.in[1] + wide), HF_I(s.in[2] + wide), HF_I(s.out[0]), HF_I(s.out[1]), HF_I(s.out[2]),
                             HF_I(s.stride), HF_I(cut.set_rows), HF_I(cut.chunk_rows))));
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
