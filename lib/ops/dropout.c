/* dropout.c: dropout(x, state) -> y and its gradient dropout_dx(dy, state) -> dx, which is the same function.
 *
 * Each element, or each whole channel when params.channels is 1, is zero with probability params.p and otherwise divided
 * by 1 - p. The random word of an element depends on the seed and the step in state = I32[4] { seed lo, seed hi, step,
 * 0 }, on params.stream, and on the element's row-major index: see cl_kernels/dropout.cl. It is draw number `element`
 * of hf_random_bits(seed, stream | step << 32). The same options and state give the same mask in every layout. */
#include "each.h"
#include <math.h>

#define CHUNK 1024 /* voxels of one work-item, as in dropout.cl */
#define FEW   8    /* work-items in a group where each has a chunk to do, as in dropout.cl */
#define STATE 4    /* numbers in a state */

static hf_status infer(const hf_query *q, hf_desc *out)
{
    if (!(q->params->p >= 0.0f && q->params->p < 1.0f))
        return hf_fail(HF_ERR_ARGUMENT, "%s: p is %g, expected at least 0 and less than 1", q->op->name, q->params->p);
    HF_TRY(hf_expect_type(q, 1, HF_I32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(STATE)));
    if (q->params->channels || q->in[0].shape.rank == 5) HF_TRY(hf_expect_rows(q, 0, true));
    return hf_infer_first_alike(q, 1, out);
}

static hf_arg threshold_of(const hf_params *params)
{
    return HF_U((uint32_t)floor((double)params->p * 4294967296.0));
}

static hf_arg scale_of(const hf_params *params)
{
    return HF_F(1.0 / (1.0 - (double)params->p));
}

static hf_status plain(hf_call *call)
{
    const hf_params *params = &call->params;
    const hf_tensor *x = &call->in[0], *state = &call->in[1], *y = &call->out[0];
    if (params->channels) {
        const hf_rows rows = hf_rows_of(&x->desc);
        const hf_range range =
            hf_range_teams(call, (int64_t)hf_ceil_div((size_t)rows.voxels, CHUNK), FEW, rows.n * rows.channels);
        return hf_launch(call, "dropout", "drop_channels", hf_vector_define(call), range,
                         HF_ARGS(HF_T(x), HF_T(state), HF_T(y), HF_I(rows.voxels), HF_U(params->stream),
                                 threshold_of(params), scale_of(params)));
    }
    const int64_t n = hf_stored(y);
    const size_t pieces = hf_ceil_div((size_t)n, (size_t)hf_vector(call));
    return hf_launch(
        call, "dropout", "drop_elements", hf_vector_define(call), hf_range_over((int64_t)pieces, 64, 1),
        HF_ARGS(HF_T(x), HF_T(state), HF_T(y), HF_L(n), HF_U(params->stream), threshold_of(params), scale_of(params)));
}

static hf_status blocked(hf_call *call)
{
    const hf_params *params = &call->params;
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t n_chunks = (int64_t)hf_ceil_div((size_t)rows.voxels, CHUNK);
    const hf_range chunks = hf_range_teams(call, n_chunks, FEW, rows.n * rows.blocks);
    const hf_range voxels = hf_range_over(rows.voxels * (HF_BLOCK / hf_vector(call)), 64, rows.n * rows.blocks);
    return hf_launch(call, "dropout", params->channels ? "drop_channels_blocked" : "drop_elements_blocked",
                     hf_vector_define(call), params->channels ? chunks : voxels,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(rows.channels),
                             HF_I(rows.voxels), HF_U(params->stream), threshold_of(params), scale_of(params)));
}

static const hf_op dropout = {
    .name = "dropout",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x state",
    .out_names = "y",
    .formula = "x / (1 - p) with probability 1 - p, else 0",
    .infer = infer,
    .impls = { { .name = "blocked", .layouts = "BP>B", .refuse = hf_refuse_flat, .prepare = blocked },
               { .name = "plain", .layouts = "PP>P", .prepare = plain } },
    .rules = { { "dropout_dx", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op dropout_dx = {
    .name = "dropout_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dy state",
    .out_names = "dx",
    .formula = "dy / (1 - p) where the element was kept, else 0",
    .infer = infer,
    .impls = { { .name = "blocked", .layouts = "BP>B", .refuse = hf_refuse_flat, .prepare = blocked },
               { .name = "plain", .layouts = "PP>P", .prepare = plain } },
};

const hf_op *const hf_ops_dropout[] = { &dropout, &dropout_dx, NULL };
