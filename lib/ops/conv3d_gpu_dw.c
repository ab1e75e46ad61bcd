/* conv3d_gpu_dw.c: gradient of a convolution by its weights for GPUs.
 *
 * The output voxels are cut into pieces that depend on the problem alone; each is summed apart, into [rows][columns]
 * with a row for each input channel and tap and a column for each output channel, and the parts are added in order.
 * Three kernels sum: cl_kernels/conv3d_gpu_dw_direct.cl, and conv3d_gpu_dw_first.cl for x in the plain layout, read x
 * once for all taps; cl_kernels/conv3d_gpu_dw.cl is a matrix product for all other kernel edges and strides. */
#include "conv3d_gpu_dw.h"
#include "conv3d.h"
#include "conv3d_gpu_direct.h"

#include <stdio.h>

#define STEP          16        /* of conv3d_gpu_dw.cl */
#define AHEAD         64        /* also */
#define GROUPS        640       /* groups wanted: whole waves on large devices, not too much to add afterwards */
#define SHORTEST      256       /* output voxels of the shortest piece */
#define MOST_PARTIAL  (1 << 26) /* most elements of the parts together */
#define TEAMS         2         /* of conv3d_gpu_dw_direct.cl, where groups may be that large */
#define SUM_GROUP     256       /* WG and STRIPS of conv3d_gpu_dw_sum.cl */
#define SUM_STRIPS    16
#define MANY_INPUTS   8           /* channels above which the plain layout no longer pays */
#define PRODUCT_LOCAL (26 * 1024) /* bytes of local memory of the largest groups */
#define DIRECT_LOCAL  (28 * 1024)
#define FIRST_LOCAL   (14 * 1024)
#define FIRST_GROUP   192 /* WG of conv3d_gpu_dw_first.cl */

/* A gradient as the sum takes it: parts [banks][parts][rows][columns] with `step` input channels in a block. */
typedef struct partial {
    int64_t banks, parts, rows, columns;
    int step;
} partial;

static int round_up(int64_t value, int to)
{
    return (int)((value + to - 1) / to * to);
}

static int64_t at_least_one(int64_t value)
{
    return value < 1 ? 1 : value;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t elements_of(const partial *p)
{
    return p->banks * p->parts * p->rows * p->columns;
}

static hf_status launch_sum(hf_call *call, const hf_conv3d_size *s, const partial *p, const hf_tensor *parts)
{
    const int strips = p->parts >= 2 * SUM_STRIPS ? SUM_STRIPS : 1;
    const size_t across = (size_t)(SUM_GROUP / strips);
    const hf_range range = { .groups = { hf_ceil_div((size_t)(p->rows * p->columns), across), (size_t)p->banks, 1 },
                             .items = { SUM_GROUP, 1, 1 } };
    char defines[32];
    snprintf(defines, sizeof defines, "-DSTRIPS=%d", strips);
    return hf_launch(call, "conv3d_gpu_dw_sum", "conv3d_gpu_dw_sum", defines, range,
                     HF_ARGS(HF_T(parts), HF_T(&call->out[0]), HF_I(s->c), HF_I(s->o), HF_I(hf_conv3d_taps(s)),
                             HF_I(p->step), HF_I(p->rows), HF_I(p->columns), HF_I(p->parts)));
}

/* ---- all taps together ------------------------------------------------------------------------------------------- */

typedef struct direct {
    partial sum;
    int teams;
    int64_t in_blocks, out_blocks, tiles, pieces, piece_tiles; /* tiles, pieces: of a bank */
} direct;

static int direct_group(int k, int teams)
{
    return k * k * 16 * teams;
}

/* Cuts the tiles of a bank, of that many voxels, into pieces. Expects channels, teams and rows. */
static void cut(direct *p, const hf_conv3d_size *s, const int tile[3])
{
    p->sum.banks = s->per_sample ? s->n : 1;
    p->sum.columns = p->out_blocks * HF_BLOCK;
    p->tiles = s->n / p->sum.banks;
    for (int axis = 0; axis < 3; axis++)
        p->tiles *= (int64_t)hf_ceil_div((size_t)s->out[axis], (size_t)tile[axis]);
    const int64_t shortest = SHORTEST / (tile[0] * tile[1] * tile[2]);
    int64_t pieces = GROUPS / at_least_one(p->sum.banks * p->in_blocks * p->out_blocks);
    pieces = smaller(pieces, p->tiles / shortest);
    pieces = at_least_one(smaller(pieces, MOST_PARTIAL / (p->sum.banks * p->teams * p->sum.rows * p->sum.columns)));
    p->piece_tiles = (int64_t)hf_ceil_div((size_t)p->tiles, (size_t)pieces);
    p->pieces = (int64_t)hf_ceil_div((size_t)p->tiles, (size_t)p->piece_tiles);
    p->sum.parts = p->pieces * p->teams;
}

static direct blocked_direct_of(const hf_call *call, const hf_conv3d_size *s)
{
    const int tile[3] = { s->stride == 1 ? 4 : 2, 4, 4 }; /* TD, TH, TW of the kernel */
    direct p = { .teams = TEAMS, .in_blocks = hf_blocks(s->c), .out_blocks = hf_blocks(s->o) };
    if (!hf_context_runs_groups_of(call->context, (size_t)direct_group(s->k, TEAMS))) p.teams = 1;
    p.sum.rows = p.in_blocks * hf_conv3d_taps(s) * HF_BLOCK;
    p.sum.step = HF_BLOCK;
    cut(&p, s, tile);
    return p;
}

static direct first_direct_of(const hf_conv3d_size *s)
{
    static const int tile[3] = { 16, 4, 4 }; /* TEAMS, TH, TW of conv3d_gpu_dw_first.cl, which adds its teams itself */
    direct p = { .teams = 1, .in_blocks = s->c, .out_blocks = hf_blocks(s->o) };
    p.sum.rows = s->c * hf_conv3d_taps(s);
    p.sum.step = 1;
    cut(&p, s, tile);
    return p;
}

static direct direct_of(const hf_call *call, const hf_conv3d_size *s)
{
    return hf_conv3d_variant_of(call).first ? first_direct_of(s) : blocked_direct_of(call, s);
}

size_t hf_conv3d_gpu_dw_scratch_direct(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const direct p = direct_of(call, &s);
    return (size_t)elements_of(&p.sum) * sizeof(float);
}

const char *hf_conv3d_gpu_dw_refuse_direct(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    if (s.k != 2 && s.k != 3) return "K is not 2 or 3";
    if (s.stride > 2) return "stride is above 2";
    if (s.stride == 2 && hf_conv3d_gpu_few_registers(call)) return "stride is 2 and the device has few registers";
    return hf_conv3d_gpu_refuse(call, DIRECT_LOCAL, (size_t)direct_group(s.k, 1));
}

hf_status hf_conv3d_gpu_dw_prepare_direct(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const direct p = direct_of(call, &s);
    hf_tensor parts;
    char defines[32];
    HF_TRY(hf_scratch_part(&parts, call, 0, elements_of(&p.sum)));
    snprintf(defines, sizeof defines, "-DK=%d -DS=%d -DTEAMS=%d", s.k, s.stride, p.teams);
    const hf_range range = { .groups = { (size_t)(p.sum.banks * p.pieces), (size_t)p.out_blocks, (size_t)p.in_blocks },
                             .items = { (size_t)direct_group(s.k, p.teams), 1, 1 } };
    HF_TRY(hf_launch(call, "conv3d_gpu_dw_direct", "conv3d_gpu_dw_direct", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&parts), HF_I(s.n / p.sum.banks),
                             HF_I(p.in_blocks * hf_conv3d_in_voxels(&s)), HF_I(p.out_blocks * hf_conv3d_out_voxels(&s)),
                             HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]),
                             HF_I(s.out[2]), HF_I(s.pad), HF_I(p.tiles), HF_I(p.pieces), HF_I(p.piece_tiles))));
    return launch_sum(call, &s, &p.sum, &parts);
}

const char *hf_conv3d_gpu_dw_refuse_first_direct(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    if (s.c > MANY_INPUTS) return "more than 8 input channels";
    if (s.k != 3 || s.stride != 1) return "K is not 3 or stride is not 1";
    return hf_conv3d_gpu_refuse(call, FIRST_LOCAL, FIRST_GROUP);
}

hf_status hf_conv3d_gpu_dw_prepare_first_direct(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const direct p = direct_of(call, &s);
    hf_tensor parts;
    HF_TRY(hf_scratch_part(&parts, call, 0, elements_of(&p.sum)));
    const hf_range range = { .groups = { (size_t)(p.sum.banks * p.pieces), (size_t)p.out_blocks, (size_t)p.in_blocks },
                             .items = { FIRST_GROUP, 1, 1 } };
    HF_TRY(hf_launch(call, "conv3d_gpu_dw_first", "conv3d_gpu_dw_first", NULL, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&parts), HF_I(s.n / p.sum.banks),
                             HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]),
                             HF_I(s.out[2]), HF_I(s.pad), HF_I(p.tiles), HF_I(p.pieces), HF_I(p.piece_tiles))));
    return launch_sum(call, &s, &p.sum, &parts);
}

/* ---- as a matrix product ----------------------------------------------------------------------------------------- */

/* The tile of a group: TM, TN, MA, NB of the kernel. */
typedef struct tile {
    int tm, tn, ma, nb;
} tile;

typedef struct product {
    partial sum; /* rows and columns in whole tiles */
    tile tile;
    int64_t positions, chunk_size; /* output voxels of a bank, and of a piece */
} product;

static int group_of(const tile *t)
{
    return t->tm / 4 / t->ma * (t->tn / 4 / t->nb);
}

/* As many columns as output channels, up to 64, or fewer with `small`; few rows where there are few, or x is plain. */
static tile tile_for(int64_t rows, int channels, bool first, bool small)
{
    tile t = { .tm = 128, .tn = channels <= 16 ? 16 : channels <= 32 || small ? 32 : 64, .ma = 2 };
    if (first && small) t.tn = 16;
    t.nb = t.tn == 64 ? 2 : 1;
    if (first) return (tile){ .tm = 32, .tn = t.tn, .ma = t.tn == 64 ? 2 : 1, .nb = t.tn == 16 ? 1 : 2 };
    if (rows <= 64) t.tm = 64;
    if (rows <= 32 && t.tn == 16) {
        t.tm = 32;
        t.ma = 1;
    }
    return t;
}

static product product_of(const hf_call *call, const hf_conv3d_size *s)
{
    const bool first = hf_conv3d_variant_of(call).first;
    const int64_t rows = hf_conv3d_taps(s) * (first ? s->c : round_up(s->c, HF_BLOCK));
    product p = { .tile = tile_for(rows, s->o, first, hf_conv3d_gpu_few_registers(call)) };
    p.sum = (partial){ .banks = s->per_sample ? s->n : 1,
                       .rows = round_up(rows, p.tile.tm),
                       .columns = round_up(s->o, p.tile.tn),
                       .step = first ? 1 : HF_BLOCK };
    p.positions = hf_conv3d_out_voxels(s) * (s->n / p.sum.banks);
    const int64_t result = p.sum.banks * p.sum.rows * p.sum.columns;
    int64_t pieces = smaller(GROUPS * p.tile.tm * p.tile.tn / result, MOST_PARTIAL / result);
    pieces = at_least_one(smaller(pieces, p.positions / SHORTEST));
    p.chunk_size = round_up((int64_t)hf_ceil_div((size_t)p.positions, (size_t)pieces), AHEAD);
    p.sum.parts = (int64_t)hf_ceil_div((size_t)p.positions, (size_t)p.chunk_size);
    return p;
}

const char *hf_conv3d_gpu_dw_refuse(const hf_call *call)
{
    if (hf_conv3d_variant_of(call).first && hf_conv3d_size_of(call).c > MANY_INPUTS)
        return "more than 8 input channels";
    return hf_conv3d_gpu_refuse(call, PRODUCT_LOCAL, 128);
}

size_t hf_conv3d_gpu_dw_scratch(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const product p = product_of(call, &s);
    return (size_t)elements_of(&p.sum) * sizeof(float);
}

hf_status hf_conv3d_gpu_dw_prepare(hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const product p = product_of(call, &s);
    hf_tensor parts;
    char defines[96];
    HF_TRY(hf_scratch_part(&parts, call, 0, elements_of(&p.sum)));
    snprintf(defines, sizeof defines, "-DK=%d -DFIRST=%d -DTM=%d -DTN=%d -DMA=%d -DNB=%d", s.k, p.sum.step == 1,
             p.tile.tm, p.tile.tn, p.tile.ma, p.tile.nb);
    const hf_range range = { .groups = { (size_t)(p.sum.rows / p.tile.tm), (size_t)(p.sum.columns / p.tile.tn),
                                         (size_t)(p.sum.banks * p.sum.parts) },
                             .items = { (size_t)group_of(&p.tile), 1, 1 } };
    HF_TRY(hf_launch(call, "conv3d_gpu_dw", "conv3d_gpu_dw", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&parts), HF_I(s.c), HF_I(s.o), HF_I(s.in[0]),
                             HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]), HF_I(s.out[2]),
                             HF_I(s.stride), HF_I(s.pad), HF_I(p.sum.rows), HF_I(p.sum.columns), HF_I(p.positions),
                             HF_I(p.chunk_size), HF_I(p.sum.parts))));
    return launch_sum(call, &s, &p.sum, &parts);
}
