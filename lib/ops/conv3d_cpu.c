/* conv3d_cpu.c: convolution and its input gradient on CPUs in the channels-innermost blocked layout, stride 1 or 2.
 *
 * Both are one kernel (conv3d_cpu_rows.h): the gradient reads dy where the forward direction reads x, with the taps
 * flipped, C and O exchanged, pad K-1-pad, and steps of one over the stride. A small launch before it puts the weights
 * into the order in which they are used; they change with every training step. Where weights are many and voxels few,
 * groups do that for themselves instead, each in scratch memory of its own (conv3d_cpu_wide.cl). Where taps reach
 * further outside than the kernel can tell, x is copied with zeros around it first. A kernel of one voxel has no
 * neighbours to keep apart, so rows are joined into long ones. */
#include "conv3d.h"
#include "conv3d_cpu.h"
#include <stdio.h>

#define FIRST_CHANNELS 3         /* most input channels of a "first" layer; with more, blocks of 16 lose little */
#define MAX_STRIDE     2         /* every further one would be more programs to compile */
#define ONE_BLOCK_TILE 16        /* most positions of a tile when a group computes one block of output channels */
#define TWO_BLOCK_TILE 14        /* and when it computes two */
#define NARROW_ROW     8         /* narrower rows are computed several at a time */
#define SMALL_VOLUME   512       /* voxels up to which planes, too, are joined into one row */
#define STREAM_BYTES   (4 << 20) /* of a gradient with gaps, from which on it goes past the caches */

/* Groups that arrange weights for themselves do so where a set of weights meets at most so many positions, and where
 * they keep at least such a share of the cores busy. */
#define WIDE_POSITIONS  2048
#define WIDE_BUSY       0.9
#define GROUPS_PER_CORE 2

const char *hf_conv3d_cpu_refuse_device(const hf_call *call)
{
    const bool fits = hf_context_device(call->context)->is_cpu || hf_context_any_device(call->context);
    return fits ? NULL : "device is not a CPU";
}

const char *hf_conv3d_cpu_refuse(const hf_call *call)
{
    const char *refusal = hf_conv3d_cpu_refuse_device(call);
    if (refusal) return refusal;
    return hf_conv3d_size_of(call).stride <= MAX_STRIDE ? NULL : "stride is above 2";
}

const char *hf_conv3d_cpu_refuse_first(const hf_call *call)
{
    const char *refusal = hf_conv3d_cpu_refuse(call);
    if (refusal) return refusal;
    return hf_conv3d_size_of(call).c <= FIRST_CHANNELS ? NULL : "more than 3 input channels";
}

/* ---- the problem ------------------------------------------------------------------------------------------------- */

/* What neighbouring rows have to do with each other is nothing when K is 1. */
static void join_rows(hf_conv3d_pass *p)
{
    if (p->k > 1 || p->stride > 1 || p->up > 1 || p->pad) return;
    const int plane = p->to_size[1] * p->to_size[2], voxels = p->to_size[0] * plane;
    const bool small = voxels <= SMALL_VOLUME;
    p->from_size[0] = p->to_size[0] = 1;
    p->from_size[1] = p->to_size[1] = small ? 1 : voxels / plane;
    p->from_size[2] = p->to_size[2] = small ? voxels : plane;
}

static hf_conv3d_pass forward_problem(const hf_call *call, bool first)
{
    hf_conv3d_pass p = hf_conv3d_forward_pass(call);
    p.first = first;
    join_rows(&p);
    return p;
}

static hf_conv3d_pass dx_problem(const hf_call *call)
{
    hf_conv3d_pass p = hf_conv3d_dx_pass(call);
    join_rows(&p);
    return p;
}

/* Sizes of the rearranged weights and bias, in floats, of one set and of all sets. */
typedef struct arranged {
    int64_t sets, from_blocks, to_blocks, step;
    int64_t weights, bias; /* of one set */
} arranged;

static arranged arranged_of(const hf_conv3d_pass *p)
{
    arranged a = { .sets = p->per_sample ? p->n : 1, .step = p->first ? 1 : HF_BLOCK };
    a.from_blocks = (int64_t)hf_ceil_div((size_t)p->from_channels, (size_t)a.step);
    a.to_blocks = hf_blocks(p->to_channels);
    a.bias = a.to_blocks * HF_BLOCK;
    a.weights = a.bias * a.from_blocks * a.step * p->k * p->k * p->k;
    return a;
}

/* ---- how it is cut ----------------------------------------------------------------------------------------------- */

/* What a group computes at a time, and the voxels of zeros that x gets at both ends of its rows. */
typedef struct tile {
    int out, width, rows, widen;
} tile;

/* The most positions at one end of a row of which some tap falls outside x. */
static int outside(const hf_conv3d_pass *p)
{
    const int left = p->pad > 0 ? p->pad : 0, step = p->up > 1 ? p->up : p->stride;
    const int reach = (p->to_size[2] - 1) * p->stride + p->k - 1 - p->pad, end = p->from_size[2] - 1;
    const int before = p->up > 1 ? left / step : (left + step - 1) / step;
    const int behind = p->up > 1 ? reach / step - end : (reach - end + step - 1) / step;
    return before > behind ? before : behind;
}

/* Cuts a length into the fewest, nearly equal pieces of at most `most`. */
static int piece_of(int length, int most)
{
    const size_t pieces = hf_ceil_div((size_t)length, (size_t)most);
    return (int)hf_ceil_div((size_t)length, pieces);
}

/* Wide rows are cut so that little is computed twice. For narrow ones there are few widths, so that there are few
 * programs to compile. The first and last two positions of a tile know how to read zeros, the first and last one when
 * there are several rows. */
static tile tile_of(const hf_conv3d_pass *p, const arranged *a)
{
    const int out = a->to_blocks % 2 == 0 && !p->first ? 2 : 1, most = out == 2 ? TWO_BLOCK_TILE : ONE_BLOCK_TILE;
    const int shortest = p->to_size[2] / p->up, highest = (int)hf_ceil_div((size_t)p->to_size[1], (size_t)p->up);
    const int ends = outside(p);
    tile t = { .out = out, .width = piece_of(shortest > 1 ? shortest : 1, most), .rows = 1 };
    if (t.width < NARROW_ROW) {
        t.width = t.width >= 6 ? 6 : t.width >= 4 ? 4 : t.width >= 2 ? 2 : 1;
        if (!p->first && (ends <= 1 || t.width <= 2)) t.rows = piece_of(highest, t.width == 6 ? 2 : 3);
    }
    if (ends > 0 && (p->first || (ends > 2 && t.width > 4))) t.widen = ends * p->stride;
    return t;
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

/* Where things lie in the scratch memory: bytes, one behind the other. */
typedef struct places {
    size_t weights, bias, zeros, wide, end;
} places;

static int64_t wide_floats(const hf_conv3d_pass *p, const tile *t)
{
    const int64_t rows = (int64_t)p->n * p->from_size[0] * p->from_size[1];
    const int64_t channels = p->first ? p->from_channels : hf_blocks(p->from_channels) * HF_BLOCK;
    return t->widen ? rows * channels * (p->from_size[2] + 2 * t->widen) : 0;
}

static places places_of(const hf_call *call, const hf_conv3d_pass *p, const arranged *a, const tile *t)
{
    places at = { 0 };
    at.bias = hf_scratch_align(call, (size_t)(a->sets * a->weights) * sizeof(float));
    at.zeros = hf_scratch_align(call, at.bias + (size_t)(a->sets * a->bias) * sizeof(float));
    at.wide = hf_scratch_align(call, at.zeros + HF_BLOCK * sizeof(float));
    at.end = at.wide + (size_t)wide_floats(p, t) * sizeof(float);
    return at;
}

static size_t rows_scratch(const hf_call *call, const hf_conv3d_pass *p)
{
    const arranged a = arranged_of(p);
    const tile t = tile_of(p, &a);
    return places_of(call, p, &a, &t).end;
}

hf_status hf_conv3d_cpu_pad(hf_call *call, const hf_tensor *x, const hf_tensor *to, int64_t planes, const int size[3],
                            const int pad[3])
{
    const hf_range range = { .groups = { (size_t)(size[1] + 2 * pad[1]), (size_t)(size[0] + 2 * pad[0]),
                                         (size_t)planes } };
    return hf_launch(call, "conv3d_cpu_pad", "conv3d_pad", NULL, range,
                     HF_ARGS(HF_T(x), HF_T(to), HF_I(size[0]), HF_I(size[1]), HF_I(size[2]), HF_I(pad[0]), HF_I(pad[1]),
                             HF_I(pad[2])));
}

/* Makes *x the copy of `from` with wider rows, or `from` itself. */
static hf_status launch_widen(hf_tensor *x, hf_call *call, const hf_conv3d_pass *p, const tile *t, size_t offset)
{
    const int floats = p->first ? 1 : HF_BLOCK;
    *x = *p->from;
    if (!t->widen) return HF_OK;
    HF_TRY(hf_scratch_part(x, call, offset, wide_floats(p, t)));
    const int64_t planes = p->n * (p->first ? p->from_channels : hf_blocks(p->from_channels));
    return hf_conv3d_cpu_pad(call, p->from, x, planes,
                             (int[]){ p->from_size[0], p->from_size[1], p->from_size[2] * floats },
                             (int[]){ 0, 0, t->widen * floats });
}

static hf_status launch_arrange(hf_call *call, const hf_conv3d_pass *p, const arranged *a, const hf_tensor *w,
                                const hf_tensor *bias, const hf_tensor *zeros)
{
    const int taps = p->k * p->k * p->k;
    const hf_range range = { .groups = { (size_t)a->from_blocks, (size_t)a->to_blocks, (size_t)a->sets } };
    return hf_launch(call, "conv3d_cpu_weights", "conv3d_arrange", NULL, range,
                     HF_ARGS(HF_T(p->w), HF_T(p->bias), HF_T(w), HF_T(bias), HF_T(zeros), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(taps), HF_I(a->step), HF_I(p->from_channel),
                             HF_I(p->to_channel), HF_L((int64_t)p->from_channels * p->to_channels * taps),
                             HF_I(p->flip), HF_I(p->has_bias)));
}

/* Whether y goes past the caches: a large gradient most of which is zeros, little computing for many bytes. */
static bool streams(const hf_conv3d_pass *p)
{
    return p->up > p->k && hf_desc_bytes(&p->to->desc) > STREAM_BYTES;
}

static const char *tile_defines(const hf_conv3d_pass *p, const tile *t, char text[96])
{
    snprintf(text, 96, "-DTILE=%d -DROWS=%d -DOUT=%d -DSTRIDE=%d -DFIRST=%d%s", t->width, t->rows, t->out, p->stride,
             p->first, streams(p) ? " -DSTREAM=1" : "");
    return text;
}

/* Whether all samples meet a part of the weights before the next part. What comes last is read again and again: the
 * weights by every sample, or x by every group of output channels. */
static bool samples_inside(const hf_conv3d_pass *p, const arranged *a, const tile *t)
{
    const int64_t x = a->from_blocks * a->step * p->from_size[0] * p->from_size[1] * p->from_size[2];
    return !p->per_sample && a->to_blocks / t->out * x < a->weights;
}

static hf_status launch_rows(hf_call *call, const hf_conv3d_pass *p, const arranged *a, const tile *t,
                             const hf_tensor *x, const hf_tensor *w, const hf_tensor *bias, const hf_tensor *zeros)
{
    const size_t up = (size_t)p->up, rows = hf_ceil_div((size_t)p->to_size[1], up);
    const int inner = samples_inside(p, a, t) ? p->n : 1;
    const hf_range range = { .groups = { hf_ceil_div(rows, (size_t)t->rows) * up, (size_t)p->to_size[0],
                                         (size_t)(p->n * a->to_blocks / t->out) } };
    char defines[96];
    return hf_launch(call, "conv3d_cpu_forward", "conv3d_rows", tile_defines(p, t, defines), range,
                     HF_ARGS(HF_T(x), HF_T(w), HF_T(bias), HF_T(zeros), HF_T(p->to), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_size[0]), HF_I(p->from_size[1]),
                             HF_I(p->from_size[2] + 2 * t->widen), HF_I(p->to_size[0]), HF_I(p->to_size[1]),
                             HF_I(p->to_size[2]), HF_I(p->k), HF_I(p->pad), HF_I(p->pad - t->widen * p->up),
                             HF_I(p->up), HF_I(p->relu), HF_I(inner), HF_L(p->per_sample ? a->weights / HF_BLOCK : 0),
                             HF_L(p->per_sample ? a->to_blocks : 0)));
}

static hf_status prepare_rows(hf_call *call, const hf_conv3d_pass *p)
{
    const arranged a = arranged_of(p);
    const tile t = tile_of(p, &a);
    const places at = places_of(call, p, &a, &t);
    hf_tensor x, w, bias, zeros;
    HF_TRY(hf_scratch_part(&w, call, at.weights, a.sets * a.weights));
    HF_TRY(hf_scratch_part(&bias, call, at.bias, a.sets * a.bias));
    HF_TRY(hf_scratch_part(&zeros, call, at.zeros, HF_BLOCK));
    HF_TRY(launch_widen(&x, call, p, &t, at.wide));
    HF_TRY(launch_arrange(call, p, &a, &w, &bias, &zeros));
    return launch_rows(call, p, &a, &t, &x, &w, &bias, &zeros);
}

/* ---- groups that arrange their own weights ----------------------------------------------------------------------- */

/* How many parts the work has: blocks of output channels, of every set of weights. */
static int64_t wide_parts(const arranged *a, const tile *t)
{
    return a->sets * a->to_blocks / t->out;
}

static bool cores_are_busy(const hf_call *call, int64_t parts)
{
    const int64_t cores = hf_context_device(call->context)->compute_units;
    const int64_t turns = (int64_t)hf_ceil_div((size_t)parts, (size_t)cores);
    return (double)parts >= WIDE_BUSY * (double)(turns * cores);
}

static const char *refuse_wide(const hf_call *call, const hf_conv3d_pass *p)
{
    const arranged a = arranged_of(p);
    const tile t = tile_of(p, &a);
    const int64_t voxels = (int64_t)p->to_size[0] * p->to_size[1] * p->to_size[2];
    if (hf_context_any_device(call->context)) return NULL;
    if (voxels * p->n / a.sets > WIDE_POSITIONS) return "weights are few for so many voxels";
    return cores_are_busy(call, wide_parts(&a, &t)) ? NULL : "too few output channels for all cores";
}

/* What a group keeps to itself: a vector of zeros, then the weights of a part; vectors. */
typedef struct wide_places {
    int64_t groups, slot;
    size_t wide, end; /* bytes: the widened x, and all */
} wide_places;

static wide_places wide_places_of(const hf_call *call, const hf_conv3d_pass *p, const arranged *a, const tile *t)
{
    const int64_t parts = wide_parts(a, t);
    wide_places at = { .groups = (int64_t)hf_context_device(call->context)->compute_units * GROUPS_PER_CORE };
    if (at.groups > parts) at.groups = parts;
    at.slot = 1 + a->weights / a->to_blocks * t->out / HF_BLOCK;
    at.wide = hf_scratch_align(call, (size_t)(at.groups * at.slot) * HF_BLOCK * sizeof(float));
    at.end = at.wide + (size_t)wide_floats(p, t) * sizeof(float);
    return at;
}

static size_t wide_scratch(const hf_call *call, const hf_conv3d_pass *p)
{
    const arranged a = arranged_of(p);
    const tile t = tile_of(p, &a);
    return wide_places_of(call, p, &a, &t).end;
}

static hf_status prepare_wide(hf_call *call, const hf_conv3d_pass *p)
{
    const arranged a = arranged_of(p);
    const tile t = tile_of(p, &a);
    const wide_places at = wide_places_of(call, p, &a, &t);
    char defines[96];
    hf_tensor x, work;
    HF_TRY(hf_scratch_part(&work, call, 0, at.groups * at.slot * HF_BLOCK));
    HF_TRY(launch_widen(&x, call, p, &t, at.wide));
    return hf_launch(call, "conv3d_cpu_wide", "conv3d_wide", tile_defines(p, &t, defines),
                     (hf_range){ .groups = { (size_t)at.groups } },
                     HF_ARGS(HF_T(&x), HF_T(p->w), HF_T(p->bias), HF_T(&work), HF_T(p->to), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_size[0]), HF_I(p->from_size[1]),
                             HF_I(p->from_size[2] + 2 * t.widen), HF_I(p->to_size[0]), HF_I(p->to_size[1]),
                             HF_I(p->to_size[2]), HF_I(p->k), HF_I(p->pad), HF_I(p->pad - t.widen * p->up), HF_I(p->up),
                             HF_I(p->relu), HF_I(p->n), HF_I(a.sets), HF_I(p->from_channel), HF_I(p->to_channel),
                             HF_L((int64_t)p->from_channels * p->to_channels * p->k * p->k * p->k), HF_I(p->flip),
                             HF_I(p->has_bias), HF_L(at.slot)));
}

/* ---- entries of the operators' lists ----------------------------------------------------------------------------- */

size_t hf_conv3d_cpu_scratch_first(const hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, true);
    return rows_scratch(call, &p);
}

size_t hf_conv3d_cpu_scratch_blocked(const hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, false);
    return rows_scratch(call, &p);
}

size_t hf_conv3d_cpu_scratch_dx(const hf_call *call)
{
    const hf_conv3d_pass p = dx_problem(call);
    return rows_scratch(call, &p);
}

hf_status hf_conv3d_cpu_prepare_first(hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, true);
    return prepare_rows(call, &p);
}

hf_status hf_conv3d_cpu_prepare_blocked(hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, false);
    return prepare_rows(call, &p);
}

hf_status hf_conv3d_cpu_prepare_dx(hf_call *call)
{
    const hf_conv3d_pass p = dx_problem(call);
    return prepare_rows(call, &p);
}

const char *hf_conv3d_cpu_refuse_wide(const hf_call *call)
{
    const char *refusal = hf_conv3d_cpu_refuse(call);
    const hf_conv3d_pass p = forward_problem(call, false);
    return refusal ? refusal : refuse_wide(call, &p);
}

const char *hf_conv3d_cpu_refuse_wide_dx(const hf_call *call)
{
    const char *refusal = hf_conv3d_cpu_refuse(call);
    const hf_conv3d_pass p = dx_problem(call);
    return refusal ? refusal : refuse_wide(call, &p);
}

size_t hf_conv3d_cpu_scratch_wide(const hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, false);
    return wide_scratch(call, &p);
}

size_t hf_conv3d_cpu_scratch_wide_dx(const hf_call *call)
{
    const hf_conv3d_pass p = dx_problem(call);
    return wide_scratch(call, &p);
}

hf_status hf_conv3d_cpu_prepare_wide(hf_call *call)
{
    const hf_conv3d_pass p = forward_problem(call, false);
    return prepare_wide(call, &p);
}

hf_status hf_conv3d_cpu_prepare_wide_dx(hf_call *call)
{
    const hf_conv3d_pass p = dx_problem(call);
    return prepare_wide(call, &p);
}
