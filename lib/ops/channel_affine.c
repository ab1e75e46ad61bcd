/* channel_affine.c: feature-wise modulation, one scale and one shift per channel.
 *
 *     channel_affine(x, [scale], [shift]) -> y     y = scale x + shift; absent: 1 and 0
 *     channel_affine_dx(dy, [scale])      -> dx
 *     channel_affine_dscale(x, dy)        -> dscale
 *     channel_affine_dshift(dy)           -> dshift
 *
 * x is [N,C,D,H,W] or [N,C]; scale and shift are [N,C], each sample its own, or [C]. The gradients of the parameters are
 * [N,C] when params.per_sample is 1, else [C]. */
#include "channel_affine.h"
#include "each.h"

#define CHUNK      256 /* voxels of one chunk, as in channel_affine.cl */
#define TEAM_CHUNK 512 /* of one that a team shares */
#define FEW        8   /* work-items in a group where each has a chunk to do, as in channel_affine.cl */

static const hf_op affine, affine_dx, affine_dscale, affine_dshift;

/* ---- y and dx ---------------------------------------------------------------------------------------------------- */

/* A parameter is absent, [N,C] or [C]. */
static hf_status check_parameter(const hf_op *op, const hf_desc *in, int n_in, int index)
{
    const int64_t *dim = in[0].shape.dim;
    if (index >= n_in || !hf_present(&in[index])) return HF_OK;
    HF_TRY(hf_expect_type(op, in, index, HF_F32));
    if (in[index].shape.rank == 2) return hf_expect_shape(op, in, index, HF_SHAPE(dim[0], dim[1]));
    return hf_expect_shape(op, in, index, HF_SHAPE(dim[1]));
}

static hf_status infer_affine(const hf_op *op, const hf_desc *in, int n_in, hf_desc *out)
{
    HF_TRY(hf_expect_rows(op, in, 0, true));
    HF_TRY(check_parameter(op, in, n_in, 1));
    HF_TRY(check_parameter(op, in, n_in, 2));
    out[0] = hf_desc_f32(in[0].shape);
    return HF_OK;
}

static hf_status affine_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return infer_affine(&affine, in, n_in, out);
}

static hf_status affine_dx_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return infer_affine(&affine_dx, in, n_in, out);
}

static const char *refuse_flat(const hf_call *call)
{
    return call->in[0].desc.shape.rank == 5 ? NULL : "x is [N,C], which has no blocked layout";
}

static int64_t chunks_of(const hf_call *call, const hf_rows *rows)
{
    return (int64_t)hf_ceil_div((size_t)rows->voxels, hf_teams(call) ? TEAM_CHUNK : CHUNK);
}

static hf_status launch_affine(hf_call *call, const char *kernel, hf_range range)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const hf_tensor *scale = &call->in[1], *shift = &call->in[2];
    return hf_launch(call, "channel_affine", kernel, hf_vector_define(call), range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(scale), HF_T(shift), HF_T(&call->out[0]), HF_I(rows.channels),
                             HF_I(rows.voxels), HF_I(hf_present(&scale->desc)), HF_I(hf_present(&shift->desc)),
                             HF_I(scale->desc.shape.rank == 2), HF_I(shift->desc.shape.rank == 2)));
}

static hf_status affine_plain(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const size_t pieces = hf_ceil_div((size_t)rows.voxels, (size_t)hf_vector(call));
    return launch_affine(call, "affine", hf_range_over((int64_t)pieces, 64, rows.n * rows.channels));
}

static hf_status affine_blocked(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return launch_affine(call, "affine_blocked",
                         hf_range_teams(call, chunks_of(call, &rows), FEW, rows.n * rows.blocks));
}

static hf_params affine_rule_params(const hf_params *params, const hf_desc *in, int n_in, int rule)
{
    hf_params result = *params;
    result.per_sample = rule < n_in && in[rule].shape.rank == 2;
    return result;
}

static const hf_op affine = {
    .name = "channel_affine",
    .min_in = 1,
    .max_in = 3,
    .n_out = 1,
    .in_names = "x scale shift",
    .out_names = "y",
    .formula = "scale[n,c] x + shift[n,c]",
    .infer = affine_infer,
    .impls = { { "blocked", "BPP>B", refuse_flat, NULL, affine_blocked },
               { "plain", "PPP>P", NULL, NULL, affine_plain } },
    /* rule r is for operand r: affine_rule_params counts on it */
    .rules = { { "channel_affine_dx", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } },
               { "channel_affine_dscale", { HF_IN(0), HF_DOUT(0), HF_RULE_END }, { 1, HF_RULE_END } },
               { "channel_affine_dshift", { HF_DOUT(0), HF_RULE_END }, { 2, HF_RULE_END } } },
    .rule_params = affine_rule_params,
};

static const hf_op affine_dx = {
    .name = "channel_affine_dx",
    .min_in = 1,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dy scale",
    .out_names = "dx",
    .formula = "scale[n,c] dy",
    .infer = affine_dx_infer,
    .impls = { { "blocked", "BP>B", refuse_flat, NULL, affine_blocked },
               { "plain", "PP>P", NULL, NULL, affine_plain } },
};

/* ---- gradients of the parameters --------------------------------------------------------------------------------- */

static void parameter_shape(const hf_params *params, const hf_desc *in, hf_desc *out)
{
    const int64_t *dim = in[0].shape.dim;
    out[0] = hf_desc_f32(params->per_sample ? HF_SHAPE(dim[0], dim[1]) : HF_SHAPE(dim[1]));
}

static hf_status affine_dscale_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    HF_TRY(hf_expect_rows(&affine_dscale, in, 0, true));
    HF_TRY(hf_expect_type(&affine_dscale, in, 1, HF_F32));
    HF_TRY(hf_expect_shape(&affine_dscale, in, 1, in[0].shape));
    parameter_shape(params, in, out);
    return HF_OK;
}

static hf_status affine_dshift_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    HF_TRY(hf_expect_rows(&affine_dshift, in, 0, true));
    parameter_shape(params, in, out);
    return HF_OK;
}

static size_t sums_scratch(const hf_call *call, bool blocked)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t wide = blocked ? rows.blocks * HF_BLOCK : rows.channels;
    return (size_t)(rows.n * wide * chunks_of(call, &rows)) * sizeof(float);
}

static size_t scratch_plain(const hf_call *call)
{
    return sums_scratch(call, false);
}

size_t hf_channel_sums_scratch(const hf_call *call)
{
    return sums_scratch(call, true);
}

/* Sums of x dy, or of dy alone when the operator has no x. */
static hf_status launch_sums(hf_call *call, const char *kernel, int block)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const bool has_x = call->n_in == 2, per_sample = call->params.per_sample;
    const int64_t chunks = chunks_of(call, &rows);
    const char *defines = hf_vector_define(call);
    const hf_range range = block == 1 ? hf_range_over(chunks, FEW, rows.n * rows.channels)
                                      : hf_range_teams(call, chunks, FEW, rows.n * rows.blocks);
    HF_TRY(hf_launch(call, "channel_affine", kernel, defines, range,
                     HF_ARGS(HF_T(has_x ? &call->in[0] : NULL), HF_T(&call->in[has_x]), HF_T(&call->scratch),
                             HF_I(rows.voxels), HF_I(chunks), HF_I(has_x))));
    return hf_launch(call, "channel_affine", "combine", defines,
                     hf_range_teams(call, rows.channels, FEW, per_sample ? rows.n : 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_I(rows.n), HF_I(rows.channels), HF_I(chunks),
                             HF_I(block), HF_I(per_sample)));
}

static hf_status sums_plain(hf_call *call)
{
    return launch_sums(call, "sums", 1);
}

hf_status hf_channel_sums_prepare(hf_call *call)
{
    return launch_sums(call, "sums_blocked", HF_BLOCK);
}

static uint64_t sums_flop(const hf_params *params, const hf_desc *in, int n_in)
{
    (void)params;
    return (uint64_t)n_in * (uint64_t)hf_shape_count(&in[0].shape);
}

static const hf_op affine_dscale = {
    .name = "channel_affine_dscale",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x dy",
    .out_names = "dscale",
    .formula = "the sum of x dy over voxels, and over samples when shared",
    .infer = affine_dscale_infer,
    .flop = sums_flop,
    .impls = { { "blocked", "BB>P", refuse_flat, hf_channel_sums_scratch, hf_channel_sums_prepare },
               { "plain", "PP>P", NULL, scratch_plain, sums_plain } },
};

static const hf_op affine_dshift = {
    .name = "channel_affine_dshift",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "dshift",
    .formula = "the sum of dy over voxels, and over samples when shared",
    .infer = affine_dshift_infer,
    .flop = sums_flop,
    .impls = { { "blocked", "B>P", refuse_flat, hf_channel_sums_scratch, hf_channel_sums_prepare },
               { "plain", "P>P", NULL, scratch_plain, sums_plain } },
};

const hf_op *const hf_ops_channel_affine[] = { &affine, &affine_dx, &affine_dscale, &affine_dshift, NULL };
