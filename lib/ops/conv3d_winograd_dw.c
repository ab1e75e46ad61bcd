/* conv3d_winograd_dw.c: the weight gradient of a convolution with 3 x 3 x 3 taps and stride 1 on CPUs by Winograd's
 * minimal filtering; cl_kernels/conv3d_winograd_dw.cl says how the kernels work. How the work is cut depends on the
 * problem alone, so results do not depend on how many cores there are. */
#include "conv3d.h"
#include "conv3d_winograd.h"

#define NARROW_WORK    (256 << 10)  /* bytes of transformed tiles of a slab when all points are summed together */
#define WIDE_WORK      (1200 << 10) /* and when only a pair along width is, with larger partial results to go over */
#define NARROW_PARTIAL (1 << 20)    /* most bytes of a partial result whose points are summed together */
#define LEAST_SLAB     8            /* tiles */
#define MOST_SLAB      48           /* MOST_SLAB of the kernel */
#define CHUNK_SLABS    4            /* slabs of a chunk, at least */
#define MOST_CHUNKS    32
#define MAX_PARTIAL    (32 << 20) /* bytes of all partial results, where there are several chunks */
#define SUM_CHANNELS   4          /* CHANNELS of the kernel that adds them */

/* Sizes in vectors of 16 floats. A set is a sample, or all samples when they share their weights. */
typedef struct cut {
    hf_winograd_tiles tiles;
    int sets, set_tiles, slab, chunks, chunk_tiles;
    int pairs; /* along width, summed together: 1 or all */
    int in_blocks, out_blocks;
    int64_t partial;            /* of one chunk */
    int64_t groups, work, slot; /* work: of one group */
} cut;

static int clamp(int64_t value, int low, int high)
{
    return value < low ? low : value > high ? high : (int)value;
}

/* Many chunks feed many cores, few are added quickly. */
static void cut_chunks(cut *c)
{
    const int64_t slabs = (int64_t)hf_ceil_div((size_t)c->set_tiles, (size_t)c->slab);
    const int64_t room = MAX_PARTIAL / (c->partial * HF_WINOGRAD_VECTOR * c->sets), wanted = slabs / CHUNK_SLABS;
    const int chunks = clamp(wanted < room ? wanted : room, 1, MOST_CHUNKS);
    c->chunk_tiles = (int)hf_ceil_div((size_t)slabs, (size_t)chunks) * c->slab;
    c->chunks = (int)hf_ceil_div((size_t)c->set_tiles, (size_t)c->chunk_tiles);
}

static cut cut_of(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    cut c = { .tiles = hf_winograd_tiles_of(s.out), .sets = s.per_sample ? s.n : 1 };
    c.set_tiles = (int)c.tiles.per_sample * (s.n / c.sets);
    c.in_blocks = (int)hf_blocks(s.c);
    c.out_blocks = (int)hf_blocks(s.o);
    c.partial = c.tiles.all_points * ((int64_t)c.in_blocks * c.out_blocks * HF_BLOCK + 1);
    const bool narrow = c.partial * HF_WINOGRAD_VECTOR <= NARROW_PARTIAL;
    const int all_pairs = c.tiles.points[2] / 2;
    const int64_t depth = c.tiles.points[0], part = 2 * (int64_t)c.tiles.points[1], blocks = c.in_blocks + c.out_blocks;
    c.pairs = narrow ? all_pairs : 1;
    const int64_t tile_bytes = c.pairs * part * depth * blocks * HF_WINOGRAD_VECTOR;
    c.slab = clamp((narrow ? NARROW_WORK : WIDE_WORK) / tile_bytes, LEAST_SLAB, MOST_SLAB);
    cut_chunks(&c);
    c.slot = (depth * blocks * c.slab) | 1; /* odd, so that slots do not meet in one set of a cache */
    c.work = depth * part + c.tiles.all_points + c.pairs * part * c.slot;
    c.groups = hf_winograd_groups(call, (int64_t)c.sets * c.chunks * (all_pairs / c.pairs));
    return c;
}

static size_t partial_bytes(const hf_call *call, const cut *c)
{
    return hf_scratch_align(call, (size_t)(c->sets * c->chunks * c->partial * HF_WINOGRAD_VECTOR));
}

size_t hf_conv3d_winograd_scratch_dw(const hf_call *call)
{
    const cut c = cut_of(call);
    return partial_bytes(call, &c) + (size_t)(c.groups * c.work * HF_WINOGRAD_VECTOR);
}

hf_status hf_conv3d_winograd_prepare_dw(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const cut c = cut_of(call);
    char defines[64];
    hf_tensor partial, work;
    hf_winograd_defines(&c.tiles, defines);
    HF_TRY(hf_scratch_part(&partial, call, 0, c.sets * c.chunks * c.partial * HF_BLOCK));
    HF_TRY(hf_scratch_part(&work, call, partial_bytes(call, &c), c.groups * c.work * HF_BLOCK));
    HF_TRY(hf_launch(call, "conv3d_winograd_dw", "conv3d_winograd_dw", defines,
                     (hf_range){ .groups = { (size_t)c.groups } },
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&partial), HF_T(&work), HF_I(s.c), HF_I(s.o),
                             HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]),
                             HF_I(s.out[2]), HF_I(s.pad), HF_I(c.sets), HF_I(c.set_tiles), HF_I(c.slab), HF_I(c.chunks),
                             HF_I(c.chunk_tiles), HF_I(c.pairs), HF_L(c.work), HF_L(c.slot))));
    const hf_range sums = { .groups = { (size_t)c.in_blocks * HF_BLOCK / SUM_CHANNELS, (size_t)c.out_blocks,
                                        (size_t)c.sets } };
    return hf_launch(call, "conv3d_winograd_dw", "conv3d_winograd_dw_sum", defines, sums,
                     HF_ARGS(HF_T(&partial), HF_T(&call->out[0]), HF_I(s.c), HF_I(s.o), HF_I(c.chunks)));
}
