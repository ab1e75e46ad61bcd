/* batch_norm.c: normalisation of each channel over the batch and all voxels.
 *
 *     batch_norm(x, scale[C], shift[C], running_mean[C], running_var[C]) -> y, mean, inv_std, new_mean, new_var
 *     batch_norm_dx(dy, x, scale, mean, inv_std) -> dx, dscale, dshift
 *     batch_norm_infer(x, scale, shift, running_mean, running_var) -> y
 *
 * x is [N,C,D,H,W] or [N,C]. y = (x - mean) inv_std scale + shift with the batch's own mean and biased variance,
 * inv_std = 1 / sqrt(var + eps), params.eps default 1e-5. The running statistics become (1 - m) running + m batch, the
 * batch's variance unbiased there, m = params.momentum, default 0.1; they may overwrite the old ones. batch_norm_infer
 * uses the running statistics instead of the batch's.
 *
 * How the statistics are summed is described in cl_kernels/batch_norm.cl. */
#include "each.h"

#define FEW 8 /* work-items in a group where each has a chunk to do, as in batch_norm.cl */

static float eps_of(const hf_params *params)
{
    return params->eps != 0.0f ? params->eps : 1e-5f;
}

static float momentum_of(const hf_params *params)
{
    return params->momentum != 0.0f ? params->momentum : 0.1f;
}

static hf_status expect_channels(const hf_query *q, int first, int last, int64_t channels)
{
    for (int i = first; i <= last; i++) {
        HF_TRY(hf_expect_type(q, i, HF_F32));
        HF_TRY(hf_expect_shape(q, i, HF_SHAPE(channels)));
    }
    return HF_OK;
}

/* The two forms of each kernel: names, channels of a row, and the ranges over chunks and over the whole tensor. */
typedef struct hf_form {
    const char *statistics, *sums, *normalize, *gradient;
    int block;
} hf_form;

static const hf_form plain_form = { "statistics", "gradient_sums", "normalize_plain", "gradient", 1 };
static const hf_form blocked_form = { "statistics_blocked", "gradient_sums_blocked", "normalize_blocked",
                                      "gradient_blocked", HF_BLOCK };

static const hf_form *form_of(const hf_call *call)
{
    return hf_blocked(call) ? &blocked_form : &plain_form;
}

static size_t chunk_scratch(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(2 * hf_stored_rows(call, &rows) * hf_row_chunks(call, &rows)) * sizeof(float);
}

static hf_range chunk_range(const hf_call *call, const hf_form *form, const hf_rows *rows)
{
    const int64_t chunks = hf_row_chunks(call, rows);
    if (form->block == 1) return hf_range_over(chunks, FEW, rows->n * rows->channels);
    return hf_range_teams(call, chunks, FEW, rows->n * rows->blocks);
}

static hf_range apply_range(const hf_call *call, const hf_form *form, const hf_rows *rows)
{
    if (form->block != 1) return chunk_range(call, form, rows);
    const size_t pieces = hf_ceil_div((size_t)rows->voxels, (size_t)hf_vector(call));
    return hf_range_over((int64_t)pieces, 64, rows->n * rows->channels);
}

static hf_status launch_normalize(hf_call *call, const hf_tensor *mean, const hf_tensor *inv_std)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const hf_form *form = form_of(call);
    return hf_launch(call, "batch_norm", form->normalize, hf_vector_define(call), apply_range(call, form, &rows),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(mean), HF_T(inv_std),
                             HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels)));
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static hf_status batch_norm_rule(const hf_query *q, hf_desc *out)
{
    char text[96];
    HF_TRY(hf_expect_rows(q, 0, true));
    const hf_rows rows = hf_rows_of(&q->in[0]);
    HF_TRY(expect_channels(q, 1, 4, rows.channels));
    if (rows.n * rows.voxels < 2)
        return hf_fail(HF_ERR_SHAPE, "batch_norm: x has shape %s; training needs two values of each channel",
                       hf_shape_text(&q->in[0].shape, text));
    out[0] = hf_desc_f32(q->in[0].shape);
    for (int k = 1; k < 5; k++)
        out[k] = hf_desc_f32(q->in[1].shape);
    return HF_OK;
}

static hf_status prepare_training(hf_call *call)
{
    const hf_form *form = form_of(call);
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = hf_row_chunks(call, &rows);
    const float momentum = momentum_of(&call->params);
    const char *defines = hf_vector_define(call);
    HF_TRY(hf_launch(call, "batch_norm", form->statistics, defines, chunk_range(call, form, &rows),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->scratch), HF_I(rows.voxels), HF_I(chunks))));
    HF_TRY(hf_launch(call, "batch_norm", "combine_statistics", defines, hf_range_teams(call, rows.channels, FEW, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->in[3]), HF_T(&call->in[4]), HF_T(&call->out[1]),
                             HF_T(&call->out[2]), HF_T(&call->out[3]), HF_T(&call->out[4]), HF_I(rows.n),
                             HF_I(rows.channels), HF_I(rows.voxels), HF_I(chunks), HF_I(form->block),
                             HF_F(eps_of(&call->params)), HF_F(momentum), HF_F(1.0 - (double)momentum))));
    return launch_normalize(call, &call->out[1], &call->out[2]);
}

static uint64_t batch_norm_flop(const hf_query *q)
{
    return 7 * (uint64_t)hf_shape_count(&q->in[0].shape); /* 1 for the mean, 3 for the variance, 3 to apply them */
}

static const hf_op batch_norm = {
    .name = "batch_norm",
    .min_in = 5,
    .max_in = 5,
    .n_out = 5,
    .in_names = "x scale shift running_mean running_var",
    .out_names = "y mean inv_std new_mean new_var",
    .formula = "y = (x - mean) inv_std scale + shift; new = (1 - momentum) running + momentum batch",
    .infer = batch_norm_rule,
    .flop = batch_norm_flop,
    .impls = { { .name = "blocked",
                 .layouts = "BPPPP>BPPPP",
                 .refuse = hf_refuse_flat,
                 .scratch = chunk_scratch,
                 .prepare = prepare_training },
               { .name = "plain", .layouts = "PPPPP>PPPPP", .scratch = chunk_scratch, .prepare = prepare_training } },
    .replaces = { 0, 0, 0, 1 + 3, 1 + 4 },
    .rules = { { "batch_norm_dx",
                 { HF_DOUT(0), HF_IN(0), HF_IN(1), HF_OUT(1), HF_OUT(2), HF_RULE_END },
                 { 0, 1, 2, HF_RULE_END } } },
};

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static hf_status batch_norm_dx_rule(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, true));
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, q->in[0].shape));
    HF_TRY(expect_channels(q, 2, 4, q->in[0].shape.dim[1]));
    out[0] = hf_desc_f32(q->in[0].shape);
    out[1] = out[2] = hf_desc_f32(q->in[2].shape);
    return HF_OK;
}

static hf_status prepare_gradients(hf_call *call)
{
    const hf_form *form = form_of(call);
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = hf_row_chunks(call, &rows);
    const char *defines = hf_vector_define(call);
    const hf_tensor *dy = &call->in[0], *x = &call->in[1], *mean = &call->in[3], *inv_std = &call->in[4];
    HF_TRY(hf_launch(call, "batch_norm", form->sums, defines, chunk_range(call, form, &rows),
                     HF_ARGS(HF_T(dy), HF_T(x), HF_T(mean), HF_T(&call->scratch), HF_I(rows.channels),
                             HF_I(rows.voxels), HF_I(chunks))));
    HF_TRY(hf_launch(call, "batch_norm", "combine_gradients", defines, hf_range_teams(call, rows.channels, FEW, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(inv_std), HF_T(&call->out[1]), HF_T(&call->out[2]),
                             HF_I(rows.n), HF_I(rows.channels), HF_I(chunks), HF_I(form->block))));
    return hf_launch(call, "batch_norm", form->gradient, defines, apply_range(call, form, &rows),
                     HF_ARGS(HF_T(dy), HF_T(x), HF_T(&call->in[2]), HF_T(mean), HF_T(inv_std), HF_T(&call->out[1]),
                             HF_T(&call->out[2]), HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels),
                             HF_F((double)rows.n * (double)rows.voxels)));
}

static const hf_op batch_norm_dx = {
    .name = "batch_norm_dx",
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .in_names = "dy x scale mean inv_std",
    .out_names = "dx dscale dshift",
    .formula = "dshift = sum dy; dscale = sum dy (x - mean) inv_std; "
               "dx = scale inv_std (dy - (dshift + (x - mean) inv_std dscale) / M)",
    .infer = batch_norm_dx_rule,
    .flop = batch_norm_flop,
    .impls = { { .name = "blocked",
                 .layouts = "BBPPP>BPP",
                 .refuse = hf_refuse_flat,
                 .scratch = chunk_scratch,
                 .prepare = prepare_gradients },
               { .name = "plain", .layouts = "PPPPP>PPP", .scratch = chunk_scratch, .prepare = prepare_gradients } },
};

/* ---- with the running statistics --------------------------------------------------------------------------------- */

static hf_status batch_norm_infer_rule(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, true));
    HF_TRY(expect_channels(q, 1, 4, q->in[0].shape.dim[1]));
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static size_t inverse_scratch(const hf_call *call)
{
    return (size_t)call->in[4].desc.shape.dim[0] * sizeof(float);
}

static hf_status prepare_infer(hf_call *call)
{
    const int64_t channels = call->in[0].desc.shape.dim[1];
    HF_TRY(hf_launch(call, "batch_norm", "invert", hf_vector_define(call), hf_range_over(channels, FEW, 1),
                     HF_ARGS(HF_T(&call->in[4]), HF_T(&call->scratch), HF_I(channels), HF_F(eps_of(&call->params)))));
    return launch_normalize(call, &call->in[3], &call->scratch);
}

static const hf_op batch_norm_infer = {
    .name = "batch_norm_infer",
    .min_in = 5,
    .max_in = 5,
    .n_out = 1,
    .in_names = "x scale shift running_mean running_var",
    .out_names = "y",
    .formula = "(x - running_mean) / sqrt(running_var + eps) scale + shift",
    .infer = batch_norm_infer_rule,
    .impls = { { .name = "blocked",
                 .layouts = "BPPPP>B",
                 .refuse = hf_refuse_flat,
                 .scratch = inverse_scratch,
                 .prepare = prepare_infer },
               { .name = "plain", .layouts = "PPPPP>P", .scratch = inverse_scratch, .prepare = prepare_infer } },
};

const hf_op *const hf_ops_batch_norm[] = { &batch_norm, &batch_norm_dx, &batch_norm_infer, NULL };
