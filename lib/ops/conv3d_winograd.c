/* conv3d_winograd.c: convolution and its input gradient, 3 x 3 x 3 taps and stride 1, on CPUs by Winograd's minimal
 * filtering; cl_kernels/conv3d_winograd.cl says how the kernel works.
 *
 * A run first transforms the weights, which change with every training step, then convolves slab by slab. The input
 * gradient reads dy where the forward direction reads x, with the taps flipped, C and O exchanged, and pad 2 - pad. A
 * value that is infinite or NaN spoils the whole tile that reads it, where a direct sum spoils the results next to it. */
#include "conv3d.h"
#include "conv3d_winograd.h"
#include <stdio.h>

#define TAPS            27
#define COLUMN_TILES    8                    /* with one block of input channels, whose columns are summed together */
#define ONE_BLOCK_TILES 12                   /* tiles in registers with one block of output channels */
#define TWO_BLOCK_TILES 8                    /* with two: more fit, but then a slab outgrows the second cache */
#define WIDE_TILES      12                   /* with two, where weights are read from memory for every slab */
#define WIDE_WEIGHTS    (8 << 20)            /* bytes of transformed weights from which on they are */
#define MAX_WEIGHTS     ((int64_t)256 << 20) /* bytes of transformed weights of all samples */
#define WEIGHT_CHANNELS 4                    /* CHANNELS of the kernel that transforms weights */
#define STREAM_RESULTS  (8 << 20)            /* bytes of results from which on they go past the caches */
#define GROUPS_PER_CORE 2

/* ---- tiles ------------------------------------------------------------------------------------------------------- */

/* Tiles of 4 need the fewest multiplications, unless what remains at the end makes tiles of 2 as good. */
hf_winograd_tiles hf_winograd_tiles_of(const int size[3])
{
    hf_winograd_tiles t = { .all_points = 1, .per_sample = 1 };
    for (int axis = 0; axis < 3; axis++) {
        const size_t fours = hf_ceil_div((size_t)size[axis], 4), twos = hf_ceil_div((size_t)size[axis], 2);
        const bool two = twos * 4 <= fours * 6;
        t.m[axis] = two ? 2 : 4;
        t.points[axis] = t.m[axis] + 2;
        t.all_points *= t.points[axis];
        t.per_sample *= (int64_t)(two ? twos : fours);
    }
    return t;
}

const char *hf_winograd_defines(const hf_winograd_tiles *tiles, char text[64])
{
    snprintf(text, 64, "-DMD=%d -DMH=%d -DMW=%d", tiles->m[0], tiles->m[1], tiles->m[2]);
    return text;
}

int64_t hf_winograd_groups(const hf_call *call, int64_t pieces)
{
    const int64_t groups = (int64_t)hf_context_device(call->context)->compute_units * GROUPS_PER_CORE;
    return groups < pieces ? groups : pieces;
}

/* ---- refusal ----------------------------------------------------------------------------------------------------- */

/* What a vector of transformed weights, or of their gradients, costs in vectors of 16 multiplications, measured: in the
 * caches, and where it comes from memory. */
typedef struct weight_cost {
    double cached, wide;
} weight_cost;

static const weight_cost forward_cost = { 24, 60 }, dw_cost = { 40, 104 };

#define TRANSFORM_COST 9   /* of a vector of transformed tiles */
#define WORTHWHILE     0.9 /* of the direct kernels' multiplications */

static int64_t weight_vectors(const hf_conv3d_size *s)
{
    return hf_winograd_tiles_of(s->out).all_points * hf_blocks(s->c) * hf_blocks(s->o) * HF_BLOCK *
           (s->per_sample ? s->n : 1);
}

static bool direct_is_faster(const hf_conv3d_size *s, const weight_cost *cost)
{
    const hf_winograd_tiles t = hf_winograd_tiles_of(s->out);
    const double in = (double)hf_blocks(s->c), out = (double)hf_blocks(s->o), weights = (double)weight_vectors(s);
    const double tiles = (double)t.all_points * (double)t.per_sample * s->n;
    const double direct = (double)s->n * (double)hf_conv3d_out_voxels(s) * TAPS * s->c * out;
    const bool wide = weights * (double)HF_WINOGRAD_VECTOR > WIDE_WEIGHTS;
    const double ours = tiles * (in * HF_BLOCK * out + TRANSFORM_COST * (in + out));
    return ours + weights * (wide ? cost->wide : cost->cached) > WORTHWHILE * direct;
}

static const char *refuse(const hf_call *call, const weight_cost *cost)
{
    const hf_device_info *device = hf_context_device(call->context);
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const bool any = hf_context_any_device(call->context);
    if (!device->is_cpu && !any) return "device is not a CPU";
    if (!device->fp64) return "device has no double precision";
    if (s.k != 3) return "kernel is not 3";
    if (s.stride != 1) return "stride is not 1";
    if (s.pad > 2) return "padding is above 2";
    if (weight_vectors(&s) * HF_WINOGRAD_VECTOR > MAX_WEIGHTS) return "transformed weights would take more than 256 MB";
    return any || !direct_is_faster(&s, cost) ? NULL : "direct convolution is faster for this shape";
}

const char *hf_conv3d_winograd_refuse(const hf_call *call)
{
    return refuse(call, &forward_cost);
}

const char *hf_conv3d_winograd_refuse_dw(const hf_call *call)
{
    return refuse(call, &dw_cost);
}

/* ---- how it is cut ----------------------------------------------------------------------------------------------- */

/* How the work is cut; sizes in vectors of 16 floats. A set is a sample, or all samples when they share their weights. */
typedef struct cut {
    hf_winograd_tiles tiles;
    int sets, set_tiles, slab, out; /* tiles of a set and of a slab; blocks of output channels multiplied together */
    int from_blocks, to_blocks;
    bool stream;                /* results go past the caches */
    int64_t weights;            /* of one set */
    int64_t groups, work, slot; /* work: of one group */
} cut;

static cut cut_of(const hf_call *call, const hf_conv3d_pass *p)
{
    cut c = { .tiles = hf_winograd_tiles_of(p->to_size), .sets = p->per_sample ? p->n : 1 };
    c.set_tiles = (int)c.tiles.per_sample * (p->n / c.sets);
    c.from_blocks = (int)hf_blocks(p->from_channels);
    c.to_blocks = (int)hf_blocks(p->to_channels);
    c.out = c.to_blocks % 2 == 0 ? 2 : 1;
    c.weights = c.tiles.all_points * (c.to_blocks / c.out) * (c.from_blocks * HF_BLOCK * c.out + 1);
    c.slab = c.from_blocks == 1 ? COLUMN_TILES : c.out == 1 ? ONE_BLOCK_TILES : TWO_BLOCK_TILES;
    if (c.weights * HF_WINOGRAD_VECTOR > WIDE_WEIGHTS) c.slab = WIDE_TILES;
    const int64_t voxels = (int64_t)p->to_size[0] * p->to_size[1] * p->to_size[2];
    c.stream = p->n * c.to_blocks * voxels * HF_WINOGRAD_VECTOR >= STREAM_RESULTS;
    const int64_t depth = c.tiles.points[0], plane = c.tiles.all_points / depth;
    const int64_t in = depth * c.from_blocks * c.slab, out = (int64_t)c.tiles.m[0] * c.to_blocks * c.slab;
    c.slot = (in > out ? in : out) | 1; /* odd, so that slots do not meet in one set of a cache */
    c.work = 2 * c.tiles.all_points + depth * c.out * c.slab + (plane + 1) * c.slot;
    c.groups = hf_winograd_groups(call, c.sets * (int64_t)hf_ceil_div((size_t)c.set_tiles, (size_t)c.slab));
    return c;
}

/* Where things lie in the scratch memory: bytes, one behind the other. */
typedef struct places {
    size_t bias, work, end; /* after the weights */
} places;

static places places_of(const hf_call *call, const cut *c)
{
    places at = { 0 };
    at.bias = hf_scratch_align(call, (size_t)(c->sets * c->weights * HF_WINOGRAD_VECTOR));
    at.work = hf_scratch_align(call, at.bias + (size_t)(c->sets * c->to_blocks * HF_WINOGRAD_VECTOR));
    at.end = at.work + (size_t)(c->groups * c->work * HF_WINOGRAD_VECTOR);
    return at;
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

static hf_status launch_weights(hf_call *call, const hf_conv3d_pass *p, const cut *c, const char *defines,
                                const hf_tensor *u, const hf_tensor *bias)
{
    const hf_range range = { .groups = { (size_t)c->from_blocks * HF_BLOCK / WEIGHT_CHANNELS, (size_t)c->to_blocks,
                                         (size_t)c->sets } };
    return hf_launch(call, "conv3d_winograd_weights", "conv3d_winograd_weights", defines, range,
                     HF_ARGS(HF_T(p->w), HF_T(p->bias), HF_T(u), HF_T(bias), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_channel), HF_I(p->to_channel),
                             HF_L((int64_t)p->from_channels * p->to_channels * TAPS), HF_I(p->flip),
                             HF_I(p->has_bias)));
}

static hf_status prepare(hf_call *call, const hf_conv3d_pass *p)
{
    const cut c = cut_of(call, p);
    const places at = places_of(call, &c);
    char sizes[64], defines[128];
    hf_tensor u, bias, work;
    snprintf(defines, sizeof defines, "%s -DOUT=%d", hf_winograd_defines(&c.tiles, sizes), c.out);
    HF_TRY(hf_scratch_part(&u, call, 0, c.sets * c.weights * HF_BLOCK));
    HF_TRY(hf_scratch_part(&bias, call, at.bias, (int64_t)c.sets * c.to_blocks * HF_BLOCK));
    HF_TRY(hf_scratch_part(&work, call, at.work, c.groups * c.work * HF_BLOCK));
    HF_TRY(launch_weights(call, p, &c, defines, &u, &bias));
    snprintf(defines, sizeof defines, "%s -DOUT=%d -DSLAB=%d -DSTREAM=%d -DCOLUMNS=%d", sizes, c.out, c.slab, c.stream,
             c.from_blocks == 1);
    return hf_launch(call, "conv3d_winograd", "conv3d_winograd", defines, (hf_range){ .groups = { (size_t)c.groups } },
                     HF_ARGS(HF_T(p->from), HF_T(&u), HF_T(&bias), HF_T(p->to), HF_T(&work), HF_I(p->from_channels),
                             HF_I(p->to_channels), HF_I(p->from_size[0]), HF_I(p->from_size[1]), HF_I(p->from_size[2]),
                             HF_I(p->to_size[0]), HF_I(p->to_size[1]), HF_I(p->to_size[2]), HF_I(p->pad), HF_I(p->relu),
                             HF_I(c.sets), HF_I(c.set_tiles), HF_L(c.weights), HF_L(c.to_blocks), HF_L(c.work),
                             HF_L(c.slot)));
}

static size_t scratch_of(const hf_call *call, const hf_conv3d_pass *p)
{
    const cut c = cut_of(call, p);
    return places_of(call, &c).end;
}

size_t hf_conv3d_winograd_scratch(const hf_call *call)
{
    const hf_conv3d_pass p = hf_conv3d_forward_pass(call);
    return scratch_of(call, &p);
}

size_t hf_conv3d_winograd_scratch_dx(const hf_call *call)
{
    const hf_conv3d_pass p = hf_conv3d_dx_pass(call);
    return scratch_of(call, &p);
}

hf_status hf_conv3d_winograd_prepare(hf_call *call)
{
    const hf_conv3d_pass p = hf_conv3d_forward_pass(call);
    return prepare(call, &p);
}

hf_status hf_conv3d_winograd_prepare_dx(hf_call *call)
{
    const hf_conv3d_pass p = hf_conv3d_dx_pass(call);
    return prepare(call, &p);
}
