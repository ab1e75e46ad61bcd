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

#define CHUNK      256 /* voxels of one partial sum, as in batch_norm.cl */
#define TEAM_CHUNK 512 /* of one that a team shares */
#define FEW        8   /* work-items in a group where each has a chunk to do, as in batch_norm.cl */

static const hf_op batch_norm, batch_norm_dx, batch_norm_infer;

static float eps_of(const hf_params *params)
{
    return params->eps != 0.0f ? params->eps : 1e-5f;
}

static float momentum_of(const hf_params *params)
{
    return params->momentum != 0.0f ? params->momentum : 0.1f;
}

static hf_status expect_channels(const hf_op *op, const hf_desc *in, int first, int last, int64_t channels)
{
    for (int i = first; i <= last; i++) {
        HF_TRY(hf_expect_type(op, in, i, HF_F32));
        HF_TRY(hf_expect_shape(op, in, i, HF_SHAPE(channels)));
    }
    return HF_OK;
}

static const char *refuse_flat(const hf_call *call)
{
    return call->in[0].desc.shape.rank == 5 ? NULL : "x is [N,C], which has no blocked layout";
}

static int64_t chunks_of(const hf_call *call, const hf_rows *rows)
{
    return (int64_t)hf_ceil_div((size_t)rows->voxels, hf_teams(call) ? TEAM_CHUNK : CHUNK);
}

static size_t scratch_plain(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(2 * rows.n * rows.channels * chunks_of(call, &rows)) * sizeof(float);
}

static size_t scratch_blocked(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(2 * rows.n * rows.blocks * HF_BLOCK * chunks_of(call, &rows)) * sizeof(float);
}

/* The two forms of each kernel: names, channels of a row, and the ranges over chunks and over the whole tensor. */
typedef struct hf_form {
    const char *statistics, *sums, *normalize, *gradient;
    int block;
} hf_form;

static const hf_form plain_form = { "statistics", "gradient_sums", "normalize_plain", "gradient", 1 };
static const hf_form blocked_form = { "statistics_blocked", "gradient_sums_blocked", "normalize_blocked",
                                      "gradient_blocked", HF_BLOCK };

static hf_range chunk_range(const hf_call *call, const hf_form *form, const hf_rows *rows)
{
    const int64_t chunks = chunks_of(call, rows);
    if (form->block == 1) return hf_range_over(chunks, FEW, rows->n * rows->channels);
    return hf_range_teams(call, chunks, FEW, rows->n * rows->blocks);
}

static hf_range apply_range(const hf_call *call, const hf_form *form, const hf_rows *rows)
{
    if (form->block != 1) return chunk_range(call, form, rows);
    const size_t pieces = hf_ceil_div((size_t)rows->voxels, (size_t)hf_vector(call));
    return hf_range_over((int64_t)pieces, 64, rows->n * rows->channels);
}

static hf_status launch_normalize(hf_call *call, const hf_form *form, const hf_tensor *mean, const hf_tensor *inv_std)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return hf_launch(call, "batch_norm", form->normalize, hf_vector_define(call), apply_range(call, form, &rows),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(mean), HF_T(inv_std),
                             HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels)));
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static hf_status batch_norm_rule(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params, (void)n_in;
    char text[96];
    HF_TRY(hf_expect_rows(&batch_norm, in, 0, true));
    const hf_rows rows = hf_rows_of(&in[0]);
    HF_TRY(expect_channels(&batch_norm, in, 1, 4, rows.channels));
    if (rows.n * rows.voxels < 2)
        return hf_fail(HF_ERR_SHAPE, "batch_norm: x has shape %s; training needs two values of each channel",
                       hf_shape_text(&in[0].shape, text));
    out[0] = hf_desc_f32(in[0].shape);
    for (int k = 1; k < 5; k++)
        out[k] = hf_desc_f32(in[1].shape);
    return HF_OK;
}

static hf_status launch_training(hf_call *call, const hf_form *form)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = chunks_of(call, &rows);
    const float momentum = momentum_of(&call->params);
    const char *defines = hf_vector_define(call);
    HF_TRY(hf_launch(call, "batch_norm", form->statistics, defines, chunk_range(call, form, &rows),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->scratch), HF_I(rows.voxels), HF_I(chunks))));
    HF_TRY(hf_launch(call, "batch_norm", "combine_statistics", defines, hf_range_teams(call, rows.channels, FEW, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->in[3]), HF_T(&call->in[4]), HF_T(&call->out[1]),
                             HF_T(&call->out[2]), HF_T(&call->out[3]), HF_T(&call->out[4]), HF_I(rows.n),
                             HF_I(rows.channels), HF_I(rows.voxels), HF_I(chunks), HF_I(form->block),
                             HF_F(eps_of(&call->params)), HF_F(momentum), HF_F(1.0 - (double)momentum))));
    return launch_normalize(call, form, &call->out[1], &call->out[2]);
}

static hf_status batch_norm_plain(hf_call *call)
{
    return launch_training(call, &plain_form);
}

static hf_status batch_norm_blocked(hf_call *call)
{
    return launch_training(call, &blocked_form);
}

static uint64_t batch_norm_flop(const hf_params *params, const hf_desc *in, int n_in)
{
    (void)params, (void)n_in;
    return 7 * (uint64_t)hf_shape_count(&in[0].shape); /* 1 for the mean, 3 for the variance, 3 to apply them */
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
    .impls = { { "blocked", "BPPPP>BPPPP", refuse_flat, scratch_blocked, batch_norm_blocked },
               { "plain", "PPPPP>PPPPP", NULL, scratch_plain, batch_norm_plain } },
    .replaces = { 0, 0, 0, 1 + 3, 1 + 4 },
    .rules = { { "batch_norm_dx",
                 { HF_DOUT(0), HF_IN(0), HF_IN(1), HF_OUT(1), HF_OUT(2), HF_RULE_END },
                 { 0, 1, 2, HF_RULE_END } } },
};

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static hf_status batch_norm_dx_rule(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params, (void)n_in;
    HF_TRY(hf_expect_rows(&batch_norm_dx, in, 0, true));
    HF_TRY(hf_expect_type(&batch_norm_dx, in, 1, HF_F32));
    HF_TRY(hf_expect_shape(&batch_norm_dx, in, 1, in[0].shape));
    HF_TRY(expect_channels(&batch_norm_dx, in, 2, 4, in[0].shape.dim[1]));
    out[0] = hf_desc_f32(in[0].shape);
    out[1] = out[2] = hf_desc_f32(in[2].shape);
    return HF_OK;
}

static hf_status launch_gradients(hf_call *call, const hf_form *form)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = chunks_of(call, &rows);
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

static hf_status batch_norm_dx_plain(hf_call *call)
{
    return launch_gradients(call, &plain_form);
}

static hf_status batch_norm_dx_blocked(hf_call *call)
{
    return launch_gradients(call, &blocked_form);
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
    .impls = { { "blocked", "BBPPP>BPP", refuse_flat, scratch_blocked, batch_norm_dx_blocked },
               { "plain", "PPPPP>PPP", NULL, scratch_plain, batch_norm_dx_plain } },
};

/* ---- with the running statistics --------------------------------------------------------------------------------- */

static hf_status batch_norm_infer_rule(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params, (void)n_in;
    HF_TRY(hf_expect_rows(&batch_norm_infer, in, 0, true));
    HF_TRY(expect_channels(&batch_norm_infer, in, 1, 4, in[0].shape.dim[1]));
    out[0] = hf_desc_f32(in[0].shape);
    return HF_OK;
}

static size_t inverse_scratch(const hf_call *call)
{
    return (size_t)call->in[4].desc.shape.dim[0] * sizeof(float);
}

static hf_status launch_infer(hf_call *call, const hf_form *form)
{
    const int64_t channels = call->in[0].desc.shape.dim[1];
    HF_TRY(hf_launch(call, "batch_norm", "invert", hf_vector_define(call), hf_range_over(channels, FEW, 1),
                     HF_ARGS(HF_T(&call->in[4]), HF_T(&call->scratch), HF_I(channels), HF_F(eps_of(&call->params)))));
    return launch_normalize(call, form, &call->in[3], &call->scratch);
}

static hf_status batch_norm_infer_plain(hf_call *call)
{
    return launch_infer(call, &plain_form);
}

static hf_status batch_norm_infer_blocked(hf_call *call)
{
    return launch_infer(call, &blocked_form);
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
    .impls = { { "blocked", "BPPPP>B", refuse_flat, inverse_scratch, batch_norm_infer_blocked },
               { "plain", "PPPPP>P", NULL, inverse_scratch, batch_norm_infer_plain } },
};

const hf_op *const hf_ops_batch_norm[] = { &batch_norm, &batch_norm_dx, &batch_norm_infer, NULL };
