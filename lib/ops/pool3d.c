/* pool3d.c: pooling over windows of K x K x K voxels (params.kernel, default 2) a stride apart (params.stride, default
 * K), windows that do not fit dropped, no padding; and over all voxels of a channel.
 *
 *     max_pool3d(x)              -> y, position      position U8: where in its window the maximum was (K <= 6)
 *     max_pool3d_dx(dy, position)-> dx               params.shape: the shape of x
 *     avg_pool3d(x)              -> y
 *     avg_pool3d_dx(dy)          -> dx               params.shape
 *     global_avg_pool3d(x)       -> y[N,C]
 *     global_avg_pool3d_dx(dy)   -> dx               params.shape
 *
 * The positions are all the backward pass needs: one byte a window instead of the volume. */
#include "each.h"
#include <stdio.h>

#define CHUNK      512 /* voxels of one partial sum of the global mean, as in pool3d.cl */
#define FEW        8   /* work-items in a group where each has a row or a chunk to do, as in pool3d.cl */
#define MAX_WINDOW 6   /* 6^3 positions fit a byte */

static const hf_op max_pool3d, max_pool3d_dx, avg_pool3d, avg_pool3d_dx, global_avg_pool3d, global_avg_pool3d_dx;

typedef struct hf_window {
    int kernel, stride;
    char defines[64];
} hf_window;

static hf_window window_of(const hf_params *params)
{
    hf_window window = { params->kernel ? params->kernel : 2, params->stride, "" };
    if (window.stride == 0) window.stride = window.kernel;
    snprintf(window.defines, sizeof window.defines, "-DK=%d -DS=%d", window.kernel, window.stride);
    return window;
}

/* The shape of the pooled volume. */
static hf_status pooled(hf_shape *out, const hf_op *op, const hf_params *params, const hf_shape *shape)
{
    const hf_window window = window_of(params);
    char text[96];
    if (window.kernel < 1 || window.kernel > MAX_WINDOW || window.stride < 1)
        return hf_fail(HF_ERR_UNSUPPORTED, "%s: window %d and stride %d, expected 1 to %d and at least 1", op->name,
                       window.kernel, window.stride, MAX_WINDOW);
    if (params->pad != 0) return hf_fail(HF_ERR_UNSUPPORTED, "%s: padding %d, expected 0", op->name, params->pad);
    *out = *shape;
    for (int i = 2; i < 5; i++) {
        if (shape->dim[i] < window.kernel)
            return hf_fail(HF_ERR_SHAPE, "%s: x has shape %s, smaller than the window of %d", op->name,
                           hf_shape_text(shape, text), window.kernel);
        out->dim[i] = (shape->dim[i] - window.kernel) / window.stride + 1;
    }
    return HF_OK;
}

/* For gradients: params.shape must be one that pools to dy's. */
static hf_status unpooled(const hf_op *op, const hf_params *params, const hf_desc *in, hf_desc *out)
{
    hf_shape expected;
    char text[96];
    out[0] = hf_desc_f32(params->shape);
    if (params->shape.rank != 5)
        return hf_fail(HF_ERR_SHAPE, "%s: params.shape is %s, expected 5 axes", op->name,
                       hf_shape_text(&params->shape, text));
    HF_TRY(hf_expect_rows(op, in, 0, false));
    HF_TRY(hf_expect_rows(op, out, 0, false));
    HF_TRY(pooled(&expected, op, params, &params->shape));
    return hf_expect_shape(op, in, 0, expected);
}

/* Launches a kernel with one work-item per `items` and dimension 1 over rows; args are followed by the sizes of the
 * volume and of the pooled volume. */
static hf_status launch_pool(hf_call *call, const char *kernel, hf_range range, const hf_tensor *volume,
                             const hf_tensor *small, const hf_arg *tensors, int n_tensors)
{
    const hf_window window = window_of(&call->params);
    char defines[sizeof window.defines + 16];
    hf_arg args[9];
    int n = 0;
    for (; n < n_tensors; n++)
        args[n] = tensors[n];
    for (int i = 2; i < 5; i++)
        args[n++] = HF_I(volume->desc.shape.dim[i]);
    for (int i = 2; i < 5; i++)
        args[n++] = HF_I(small->desc.shape.dim[i]);
    snprintf(defines, sizeof defines, "%s%s", window.defines, hf_teams(call) ? " -DVEC=4" : "");
    return hf_launch(call, "pool3d", kernel, defines, range, args, n);
}

/* One work-item a voxel of the result; one a row along W of sixteen channels, or one for each four channels of a voxel. */
static hf_range plain_range(const hf_tensor *result)
{
    const hf_rows rows = hf_rows_of(&result->desc);
    return hf_range_over(rows.voxels, 64, rows.n * rows.channels);
}

static hf_range blocked_range(const hf_call *call, const hf_tensor *result)
{
    const hf_rows rows = hf_rows_of(&result->desc);
    if (hf_teams(call)) return hf_range_over(rows.voxels * (HF_BLOCK / 4), HF_TEAM, rows.n * rows.blocks);
    return hf_range_over(rows.voxels / result->desc.shape.dim[4], FEW, rows.n * rows.blocks);
}

/* ---- maximum ----------------------------------------------------------------------------------------------------- */

static hf_status max_pool3d_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    hf_shape shape;
    HF_TRY(hf_expect_rows(&max_pool3d, in, 0, false));
    HF_TRY(pooled(&shape, &max_pool3d, params, &in[0].shape));
    out[0] = hf_desc_f32(shape);
    out[1] = (hf_desc){ .shape = shape, .type = HF_U8 };
    return HF_OK;
}

static hf_status max_pool3d_plain(hf_call *call)
{
    return launch_pool(call, "max_pool", plain_range(&call->out[0]), &call->in[0], &call->out[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_T(&call->out[1])));
}

static hf_status max_pool3d_blocked(hf_call *call)
{
    return launch_pool(call, "max_pool_blocked", blocked_range(call, &call->out[0]), &call->in[0], &call->out[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_T(&call->out[1])));
}

static uint64_t pool_flop(const hf_params *params, const hf_desc *in, int n_in)
{
    (void)n_in;
    hf_shape shape;
    const uint64_t kernel = (uint64_t)window_of(params).kernel;
    if (pooled(&shape, &max_pool3d, params, &in[0].shape) != HF_OK) return 0;
    return (uint64_t)hf_shape_count(&shape) * kernel * kernel * kernel;
}

static const hf_op max_pool3d = {
    .name = "max_pool3d",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .in_names = "x",
    .out_names = "y position",
    .formula = "y = largest of each window; position = where in it the first largest is",
    .infer = max_pool3d_infer,
    .flop = pool_flop,
    .impls = { { "blocked", "B>BB", NULL, NULL, max_pool3d_blocked },
               { "plain", "P>PP", NULL, NULL, max_pool3d_plain } },
    .rules = { { "max_pool3d_dx", { HF_DOUT(0), HF_OUT(1), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status max_pool3d_dx_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    HF_TRY(unpooled(&max_pool3d_dx, params, in, out));
    HF_TRY(hf_expect_type(&max_pool3d_dx, in, 1, HF_U8));
    return hf_expect_shape(&max_pool3d_dx, in, 1, in[0].shape);
}

static hf_status max_pool3d_dx_plain(hf_call *call)
{
    return launch_pool(call, "max_pool_dx", plain_range(&call->out[0]), &call->out[0], &call->in[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0])));
}

static const char *refuse_overlap(const hf_call *call)
{
    const hf_window window = window_of(&call->params);
    return window.stride < window.kernel ? "windows overlap" : NULL;
}

static hf_status max_pool3d_dx_blocked(hf_call *call)
{
    return launch_pool(call, "max_pool_dx_blocked", blocked_range(call, &call->out[0]), &call->out[0], &call->in[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0])));
}

static const hf_op max_pool3d_dx = {
    .name = "max_pool3d_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dy position",
    .out_names = "dx",
    .formula = "the sum of dy over the windows whose largest voxel this is",
    .infer = max_pool3d_dx_infer,
    .impls = { { "blocked", "BB>B", refuse_overlap, NULL, max_pool3d_dx_blocked },
               { "plain", "PP>P", NULL, NULL, max_pool3d_dx_plain } },
};

/* ---- average ----------------------------------------------------------------------------------------------------- */

static hf_status avg_pool3d_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    hf_shape shape;
    HF_TRY(hf_expect_rows(&avg_pool3d, in, 0, false));
    HF_TRY(pooled(&shape, &avg_pool3d, params, &in[0].shape));
    out[0] = hf_desc_f32(shape);
    return HF_OK;
}

static hf_status avg_pool3d_plain(hf_call *call)
{
    return launch_pool(call, "avg_pool", plain_range(&call->out[0]), &call->in[0], &call->out[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0])));
}

static const hf_op avg_pool3d = {
    .name = "avg_pool3d",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "the mean of each window",
    .infer = avg_pool3d_infer,
    .flop = pool_flop,
    .impls = { { "plain", "P>P", NULL, NULL, avg_pool3d_plain } },
    .rules = { { "avg_pool3d_dx", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status avg_pool3d_dx_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    return unpooled(&avg_pool3d_dx, params, in, out);
}

static hf_status avg_pool3d_dx_plain(hf_call *call)
{
    return launch_pool(call, "avg_pool_dx", plain_range(&call->out[0]), &call->out[0], &call->in[0],
                       HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0])));
}

static const hf_op avg_pool3d_dx = {
    .name = "avg_pool3d_dx",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "dx",
    .formula = "the sum of dy / K^3 over the windows that hold this voxel",
    .infer = avg_pool3d_dx_infer,
    .impls = { { "plain", "P>P", NULL, NULL, avg_pool3d_dx_plain } },
};

/* ---- mean of a whole channel ------------------------------------------------------------------------------------- */

static hf_status global_avg_pool3d_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params, (void)n_in;
    HF_TRY(hf_expect_rows(&global_avg_pool3d, in, 0, false));
    out[0] = hf_desc_f32(HF_SHAPE(in[0].shape.dim[0], in[0].shape.dim[1]));
    return HF_OK;
}

static uint64_t global_flop(const hf_params *params, const hf_desc *in, int n_in)
{
    (void)params, (void)n_in;
    return (uint64_t)hf_shape_count(&in[0].shape);
}

static int64_t chunks_of(const hf_rows *rows)
{
    return (int64_t)hf_ceil_div((size_t)rows->voxels, CHUNK);
}

static size_t global_scratch_plain(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(rows.n * rows.channels * chunks_of(&rows)) * sizeof(float);
}

static size_t global_scratch_blocked(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(rows.n * rows.blocks * HF_BLOCK * chunks_of(&rows)) * sizeof(float);
}

static hf_status global_avg_pool3d_sums(hf_call *call, const char *kernel, int block)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = chunks_of(&rows);
    const char *defines = hf_vector_define(call);
    const hf_range range = block == 1 ? hf_range_over(chunks, FEW, rows.n * rows.channels)
                                      : hf_range_teams(call, chunks, FEW, rows.n * rows.blocks);
    HF_TRY(hf_launch(call, "pool3d", kernel, defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->scratch), HF_I(rows.voxels), HF_I(chunks))));
    return hf_launch(call, "pool3d", "mean_of_sums", defines, hf_range_teams(call, rows.channels, FEW, rows.n),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels),
                             HF_I(chunks), HF_I(block)));
}

static hf_status global_avg_pool3d_plain(hf_call *call)
{
    return global_avg_pool3d_sums(call, "sum_voxels", 1);
}

static hf_status global_avg_pool3d_blocked(hf_call *call)
{
    return global_avg_pool3d_sums(call, "sum_voxels_blocked", HF_BLOCK);
}

static const hf_op global_avg_pool3d = {
    .name = "global_avg_pool3d",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "y[n,c] = the mean of x[n,c,:,:,:]",
    .infer = global_avg_pool3d_infer,
    .flop = global_flop,
    .impls = { { "blocked", "B>P", NULL, global_scratch_blocked, global_avg_pool3d_blocked },
               { "plain", "P>P", NULL, global_scratch_plain, global_avg_pool3d_plain } },
    .rules = { { "global_avg_pool3d_dx", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status global_avg_pool3d_dx_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)n_in;
    char text[96];
    out[0] = hf_desc_f32(params->shape);
    if (params->shape.rank != 5)
        return hf_fail(HF_ERR_SHAPE, "global_avg_pool3d_dx: params.shape is %s, expected 5 axes",
                       hf_shape_text(&params->shape, text));
    HF_TRY(hf_expect_type(&global_avg_pool3d_dx, in, 0, HF_F32));
    return hf_expect_shape(&global_avg_pool3d_dx, in, 0, HF_SHAPE(params->shape.dim[0], params->shape.dim[1]));
}

static hf_status global_avg_pool3d_dx_plain(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->out[0].desc);
    const size_t pieces = hf_ceil_div((size_t)rows.voxels, (size_t)hf_vector(call));
    return hf_launch(call, "pool3d", "spread", hf_vector_define(call),
                     hf_range_over((int64_t)pieces, 64, rows.n * rows.channels),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_I(rows.voxels)));
}

static hf_status global_avg_pool3d_dx_blocked(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->out[0].desc);
    return hf_launch(call, "pool3d", "spread_blocked", hf_vector_define(call),
                     hf_range_teams(call, chunks_of(&rows), FEW, rows.n * rows.blocks),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels)));
}

static const hf_op global_avg_pool3d_dx = {
    .name = "global_avg_pool3d_dx",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "dx",
    .formula = "dx[n,c,:,:,:] = dy[n,c] / voxels",
    .infer = global_avg_pool3d_dx_infer,
    .impls = { { "blocked", "P>B", NULL, NULL, global_avg_pool3d_dx_blocked },
               { "plain", "P>P", NULL, NULL, global_avg_pool3d_dx_plain } },
};

const hf_op *const hf_ops_pool3d[] = { &max_pool3d,        &max_pool3d_dx,        &avg_pool3d, &avg_pool3d_dx,
                                       &global_avg_pool3d, &global_avg_pool3d_dx, NULL };
