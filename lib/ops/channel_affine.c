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

#define FEW 8 /* work-items in a group where each has a chunk to do, as in channel_affine.cl */

/* ---- y and dx ---------------------------------------------------------------------------------------------------- */

/* A parameter is absent, [N,C] or [C]. */
static hf_status check_parameter(const hf_query *q, int index)
{
    const int64_t *dim = q->in[0].shape.dim;
    if (index >= q->n_in || !hf_present(&q->in[index])) return HF_OK;
    HF_TRY(hf_expect_type(q, index, HF_F32));
    if (q->in[index].shape.rank == 2) return hf_expect_shape(q, index, HF_SHAPE(dim[0], dim[1]));
    return hf_expect_shape(q, index, HF_SHAPE(dim[1]));
}

static hf_status infer_affine(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, true));
    HF_TRY(check_parameter(q, 1));
    HF_TRY(check_parameter(q, 2));
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static hf_range affine_range(const hf_call *call, const hf_rows *rows)
{
    const size_t pieces = hf_ceil_div((size_t)rows->voxels, (size_t)hf_vector(call));
    if (!hf_blocked(call)) return hf_range_over((int64_t)pieces, 64, rows->n * rows->channels);
    return hf_range_teams(call, hf_row_chunks(call, rows), FEW, rows->n * rows->blocks);
}

static hf_status prepare_affine(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const hf_tensor *scale = &call->in[1], *shift = &call->in[2];
    return hf_launch(call, "channel_affine", hf_blocked(call) ? "affine_blocked" : "affine", hf_vector_define(call),
                     affine_range(call, &rows),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(scale), HF_T(shift), HF_T(&call->out[0]), HF_I(rows.channels),
                             HF_I(rows.voxels), HF_I(hf_present(&scale->desc)), HF_I(hf_present(&shift->desc)),
                             HF_I(scale->desc.shape.rank == 2), HF_I(shift->desc.shape.rank == 2)));
}

static hf_params affine_rule_params(const hf_query *q, int rule)
{
    hf_params result = *q->params;
    result.per_sample = rule < q->n_in && q->in[rule].shape.rank == 2;
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
    .infer = infer_affine,
    .impls = { { .name = "blocked", .layouts = "BPP>B", .refuse = hf_refuse_flat, .prepare = prepare_affine },
               { .name = "plain", .layouts = "PPP>P", .prepare = prepare_affine } },
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
    .infer = infer_affine,
    .impls = { { .name = "blocked", .layouts = "BP>B", .refuse = hf_refuse_flat, .prepare = prepare_affine },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_affine } },
};

/* ---- gradients of the parameters --------------------------------------------------------------------------------- */

static void parameter_shape(const hf_query *q, hf_desc *out)
{
    const int64_t *dim = q->in[0].shape.dim;
    out[0] = hf_desc_f32(q->params->per_sample ? HF_SHAPE(dim[0], dim[1]) : HF_SHAPE(dim[1]));
}

static hf_status affine_dscale_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, true));
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, q->in[0].shape));
    parameter_shape(q, out);
    return HF_OK;
}

static hf_status affine_dshift_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, true));
    parameter_shape(q, out);
    return HF_OK;
}

size_t hf_channel_sums_scratch(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(hf_stored_rows(call, &rows) * hf_row_chunks(call, &rows)) * sizeof(float);
}

/* Sums of x dy, or of dy alone when the operator has no x. */
hf_status hf_channel_sums_prepare(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const bool has_x = call->n_in == 2, per_sample = call->params.per_sample, blocked = hf_blocked(call);
    const int64_t chunks = hf_row_chunks(call, &rows);
    const char *defines = hf_vector_define(call);
    const hf_range range = blocked ? hf_range_teams(call, chunks, FEW, rows.n * rows.blocks)
                                   : hf_range_over(chunks, FEW, rows.n * rows.channels);
    HF_TRY(hf_launch(call, "channel_affine", blocked ? "sums_blocked" : "sums", defines, range,
                     HF_ARGS(HF_T(has_x ? &call->in[0] : NULL), HF_T(&call->in[has_x]), HF_T(&call->scratch),
                             HF_I(rows.voxels), HF_I(chunks), HF_I(has_x))));
    return hf_launch(call, "channel_affine", "combine", defines,
                     hf_range_teams(call, rows.channels, FEW, per_sample ? rows.n : 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_I(rows.n), HF_I(rows.channels), HF_I(chunks),
                             HF_I(blocked ? HF_BLOCK : 1), HF_I(per_sample)));
}

static uint64_t sums_flop(const hf_query *q)
{
    return (uint64_t)q->n_in * (uint64_t)hf_shape_count(&q->in[0].shape);
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
    .impls = { { .name = "blocked",
                 .layouts = "BB>P",
                 .refuse = hf_refuse_flat,
                 .scratch = hf_channel_sums_scratch,
                 .prepare = hf_channel_sums_prepare },
               { .name = "plain",
                 .layouts = "PP>P",
                 .scratch = hf_channel_sums_scratch,
                 .prepare = hf_channel_sums_prepare } },
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
    .impls = { { .name = "blocked",
                 .layouts = "B>P",
                 .refuse = hf_refuse_flat,
                 .scratch = hf_channel_sums_scratch,
                 .prepare = hf_channel_sums_prepare },
               { .name = "plain",
                 .layouts = "P>P",
                 .scratch = hf_channel_sums_scratch,
                 .prepare = hf_channel_sums_prepare } },
};

const hf_op *const hf_ops_channel_affine[] = { &affine, &affine_dx, &affine_dscale, &affine_dshift, NULL };
