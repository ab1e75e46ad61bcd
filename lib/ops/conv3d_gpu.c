/* conv3d_gpu.c: convolution for GPUs by implicit matrix products; cl_kernels/conv3d_gpu.cl says how the kernels work.
 *
 * A run first lays the weights out as a bank [samples][rows][columns] in scratch memory (with shared weights one), then
 * multiplies. The weight gradient multiplies pieces of fixed size of the output voxels apart and adds the pieces in
 * order. Tiles depend on the problem alone: as many columns as output channels, up to 64, so that a small network's
 * input is read once. */
#include "conv3d.h"
#include "conv3d_gpu.h"

#include <stdio.h>

#define STEP        16        /* of the kernels */
#define PACK_GROUP  64        /* PACK_WG of the kernels */
#define MANY_INPUTS 8         /* channels above which the plain layout no longer pays */
#define DW_GROUPS   1024      /* groups wanted of the weight gradient, enough for the largest devices */
#define DW_SHORTEST 256       /* output voxels of its shortest piece */
#define DW_PARTIAL  (1 << 26) /* most elements of its pieces together */

/* What conv3d_gpu.cl is compiled for. */
typedef struct tile {
    int k, first;
    int tm, tn, ma, nb;
} tile;

static int tile_group(const tile *t)
{
    return t->tm / 4 / t->ma * (t->tn / 4 / t->nb);
}

static size_t tile_local_bytes(const tile *t)
{
    return 2 * STEP * (size_t)(t->tm + 4 + t->tn) * sizeof(float);
}

static const char *tile_defines(const tile *t, char text[96])
{
    snprintf(text, 96, "-DK=%d -DFIRST=%d -DTM=%d -DTN=%d -DMA=%d -DNB=%d", t->k, t->first, t->tm, t->tn, t->ma, t->nb);
    return text;
}

static int round_up(int64_t value, int to)
{
    return (int)((value + to - 1) / to * to);
}

/* Columns for this many channels. */
static tile tile_for(int k, bool first, int channels)
{
    tile t = { .k = k, .first = first, .tm = 128, .tn = channels <= 16 ? 16 : channels <= 32 ? 32 : 64, .ma = 2 };
    t.nb = t.tn == 64 ? 2 : 1;
    return t;
}

static tile dw_tile(const hf_conv3d_size *s, bool first)
{
    tile t = tile_for(s->k, first, s->o);
    int64_t rows = hf_conv3d_taps(s) * (first ? s->c : round_up(s->c, HF_BLOCK));
    if (rows <= 64) t.tm = 64;
    if (rows <= 32 && t.tn == 16) {
        t.tm = 32;
        t.ma = 1;
    }
    return t;
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

const char *hf_conv3d_gpu_refuse_device(const hf_call *call)
{
    static const tile largest = { .tm = 128, .tn = 64, .ma = 2, .nb = 2 };
    const hf_device_info *device = hf_context_device(call->context);
    if (device->is_cpu && !hf_context_any_device(call->context)) return "the device is a CPU";
    if (device->local_memory < tile_local_bytes(&largest)) return "the device has too little local memory";
    if (!hf_context_runs_groups_of(call->context, (size_t)tile_group(&largest)))
        return "the device's groups are too small";
    return NULL;
}

const char *hf_conv3d_gpu_refuse(const hf_call *call)
{
    return hf_conv3d_gpu_refuse_device(call);
}

const char *hf_conv3d_gpu_refuse_first(const hf_call *call)
{
    if (hf_conv3d_size_of(call).c > MANY_INPUTS) return "more than 8 input channels";
    return hf_conv3d_gpu_refuse_device(call);
}

const char *hf_conv3d_gpu_refuse_dx(const hf_call *call)
{
    if (hf_conv3d_size_of(call).stride != 1) return "stride is not 1";
    return hf_conv3d_gpu_refuse_device(call);
}

/* ---- forward, and the gradient by the input ---------------------------------------------------------------------- */

/* A product of windows of `from` with a bank, as the kernel takes it. */
typedef struct product {
    tile tile;
    int banks, rows, columns;
    int channels_in, channels_out;
    const int *from, *to; /* depth, height, width of what is read and written */
    int stride, pad;
    bool mirror;
} product;

static product product_of(const hf_conv3d_size *s, bool first)
{
    tile t = tile_for(s->k, first, s->o);
    return (product){ .tile = t,
                      .banks = s->per_sample ? s->n : 1,
                      .rows = round_up(hf_conv3d_taps(s) * (first ? s->c : round_up(s->c, HF_BLOCK)), STEP),
                      .columns = round_up(s->o, t.tn),
                      .channels_in = s->c,
                      .channels_out = s->o,
                      .from = s->in,
                      .to = s->out,
                      .stride = s->stride,
                      .pad = s->pad };
}

/* dx = dy convolved with mirrored weights: what was the result is read, what was read is the result. */
static product product_dx(const hf_conv3d_size *s)
{
    tile t = tile_for(s->k, false, s->c);
    return (product){ .tile = t,
                      .banks = s->per_sample ? s->n : 1,
                      .rows = (int)hf_conv3d_taps(s) * round_up(s->o, HF_BLOCK),
                      .columns = round_up(s->c, t.tn),
                      .channels_in = s->o,
                      .channels_out = s->c,
                      .from = s->out,
                      .to = s->in,
                      .stride = 1,
                      .pad = s->k - 1 - s->pad,
                      .mirror = true };
}

static int64_t bank_elements(const product *p)
{
    return (int64_t)p->banks * p->rows * p->columns;
}

static hf_status prepare_product(hf_call *call, const product *p, const hf_tensor *bias)
{
    const hf_tensor *from = &call->in[0], *weights = &call->in[1], *to = &call->out[0];
    bool has_bias = bias && hf_present(&bias->desc), per_sample = p->banks > 1;
    int64_t voxels = (int64_t)p->to[0] * p->to[1] * p->to[2];
    char defines[96];
    hf_tensor bank;
    tile_defines(&p->tile, defines);
    HF_TRY(hf_scratch_part(&bank, call, 0, bank_elements(p)));
    HF_TRY(hf_launch(call, "conv3d_gpu", "conv3d_gpu_pack", defines, hf_conv3d_line(bank_elements(p), PACK_GROUP),
                     HF_ARGS(HF_T(weights), HF_T(&bank), HF_I(p->banks), HF_I(p->channels_in), HF_I(p->channels_out),
                             HF_I(p->rows), HF_I(p->columns), HF_I(p->mirror))));
    hf_range range = { .groups = { hf_ceil_div((size_t)voxels, (size_t)p->tile.tm), (size_t)(p->columns / p->tile.tn),
                                   (size_t)to->desc.shape.dim[0] }, /* NOLINT: a call is never NULL */
                       .items = { (size_t)tile_group(&p->tile), 1, 1 } };
    return hf_launch(call, "conv3d_gpu", "conv3d_gpu", defines, range,
                     HF_ARGS(HF_T(from), HF_T(&bank), HF_T(bias), HF_T(to), HF_I(p->channels_in), HF_I(p->channels_out),
                             HF_I(p->from[0]), HF_I(p->from[1]), HF_I(p->from[2]), HF_I(p->to[0]), HF_I(p->to[1]),
                             HF_I(p->to[2]), HF_I(p->stride), HF_I(p->pad), HF_I(p->rows), HF_I(p->columns),
                             HF_I(per_sample ? p->rows * p->columns : 0), HF_I(per_sample ? p->channels_out : 0),
                             HF_I(has_bias), HF_I(bias && call->params.activation == HF_RELU)));
}

static size_t scratch_forward(const hf_call *call, bool first)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    product p = product_of(&s, first);
    return (size_t)bank_elements(&p) * sizeof(float);
}

static hf_status prepare_forward(hf_call *call, bool first)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    product p = product_of(&s, first);
    return prepare_product(call, &p, &call->in[2]);
}

size_t hf_conv3d_gpu_scratch(const hf_call *call)
{
    return scratch_forward(call, false);
}

size_t hf_conv3d_gpu_scratch_first(const hf_call *call)
{
    return scratch_forward(call, true);
}

hf_status hf_conv3d_gpu_prepare(hf_call *call)
{
    return prepare_forward(call, false);
}

hf_status hf_conv3d_gpu_prepare_first(hf_call *call)
{
    return prepare_forward(call, true);
}

size_t hf_conv3d_gpu_scratch_dx(const hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    product p = product_dx(&s);
    return (size_t)bank_elements(&p) * sizeof(float);
}

hf_status hf_conv3d_gpu_prepare_dx(hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    product p = product_dx(&s);
    return prepare_product(call, &p, NULL);
}

/* ---- gradient by the weights ------------------------------------------------------------------------------------- */

/* The product of windows of x with dy, cut into pieces of the output voxels that depend on the problem alone. */
typedef struct dw_product {
    tile tile;
    int banks, rows, columns; /* rows and columns in whole tiles */
    int positions;            /* output voxels a bank sums over */
    int chunk_size, chunks;
} dw_product;

static dw_product dw_product_of(const hf_conv3d_size *s, bool first)
{
    dw_product p = { .tile = dw_tile(s, first), .banks = s->per_sample ? s->n : 1 };
    p.rows = round_up(hf_conv3d_taps(s) * (first ? s->c : round_up(s->c, HF_BLOCK)), p.tile.tm);
    p.columns = round_up(s->o, p.tile.tn);
    p.positions = (int)hf_conv3d_out_voxels(s) * (s->n / p.banks);
    int64_t result = (int64_t)p.banks * p.rows * p.columns, tiles = result / p.tile.tm / p.tile.tn;
    int64_t chunks = DW_GROUPS / tiles, longest = DW_PARTIAL / result;
    if (chunks > longest) chunks = longest;
    if (chunks > p.positions / DW_SHORTEST) chunks = p.positions / DW_SHORTEST;
    if (chunks < 1) chunks = 1;
    p.chunk_size = round_up((int64_t)hf_ceil_div((size_t)p.positions, (size_t)chunks), STEP);
    p.chunks = (int)hf_ceil_div((size_t)p.positions, (size_t)p.chunk_size);
    return p;
}

static int64_t dw_elements(const dw_product *p)
{
    return (int64_t)p->banks * p->chunks * p->rows * p->columns;
}

static size_t scratch_dw(const hf_call *call, bool first)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    dw_product p = dw_product_of(&s, first);
    return (size_t)dw_elements(&p) * sizeof(float);
}

static hf_status prepare_dw(hf_call *call, bool first)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    dw_product p = dw_product_of(&s, first);
    char defines[96];
    hf_tensor part;
    tile_defines(&p.tile, defines);
    HF_TRY(hf_scratch_part(&part, call, 0, dw_elements(&p)));
    hf_range range = { .groups = { (size_t)(p.rows / p.tile.tm), (size_t)(p.columns / p.tile.tn),
                                   (size_t)p.banks * (size_t)p.chunks },
                       .items = { (size_t)tile_group(&p.tile), 1, 1 } };
    HF_TRY(hf_launch(call, "conv3d_gpu", "conv3d_gpu_dw", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&part), HF_I(s.c), HF_I(s.o), HF_I(s.in[0]),
                             HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]), HF_I(s.out[2]),
                             HF_I(s.stride), HF_I(s.pad), HF_I(p.rows), HF_I(p.columns), HF_I(p.positions),
                             HF_I(p.chunk_size), HF_I(p.chunks))));
    int64_t weights = p.banks * hf_conv3d_weights(&s);
    return hf_launch(call, "conv3d_gpu", "conv3d_gpu_dw_sum", defines, hf_conv3d_line(weights, PACK_GROUP),
                     HF_ARGS(HF_T(&part), HF_T(&call->out[0]), HF_I(p.banks), HF_I(s.c), HF_I(s.o), HF_I(p.rows),
                             HF_I(p.columns), HF_I(p.chunks)));
}

size_t hf_conv3d_gpu_scratch_dw(const hf_call *call)
{
    return scratch_dw(call, false);
}

size_t hf_conv3d_gpu_scratch_dw_first(const hf_call *call)
{
    return scratch_dw(call, true);
}

hf_status hf_conv3d_gpu_prepare_dw(hf_call *call)
{
    return prepare_dw(call, false);
}

hf_status hf_conv3d_gpu_prepare_dw_first(hf_call *call)
{
    return prepare_dw(call, true);
}
