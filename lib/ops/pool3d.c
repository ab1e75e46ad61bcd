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

static const hf_op max_pool3d, avg_pool3d;

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
static hf_status pooled(hf_shape *out, const hf_query *q, const hf_shape *shape)
{
    const hf_window window = window_of(q->params);
    char text[96];
    if (window.kernel < 1 || window.kernel > MAX_WINDOW || window.stride < 1)
        return hf_fail(HF_ERR_UNSUPPORTED, "%s: window %d and stride %d, expected 1 to %d and at least 1", q->op->name,
                       window.kernel, window.stride, MAX_WINDOW);
    if (q->params->pad != 0)
        return hf_fail(HF_ERR_UNSUPPORTED, "%s: padding %d, expected 0", q->op->name, q->params->pad);
    *out = *shape;
    for (int i = 2; i < 5; i++) {
        if (shape->dim[i] < window.kernel)
            return hf_fail(HF_ERR_SHAPE, "%s: x has shape %s, smaller than the window of %d", q->op->name,
                           hf_shape_text(shape, text), window.kernel);
        out->dim[i] = (shape->dim[i] - window.kernel) / window.stride + 1;
    }
    return HF_OK;
}

/* For gradients: params.shape must be one that pools to dy's. */
static hf_status unpooled(const hf_query *q, hf_desc *out)
{
    hf_shape expected;
    char text[96];
    out[0] = hf_desc_f32(q->params->shape);
    if (q->params->shape.rank != 5)
        return hf_fail(HF_ERR_SHAPE, "%s: params.shape is %s, expected 5 axes", q->op->name,
                       hf_shape_text(&q->params->shape, text));
    HF_TRY(hf_expect_rows(q, 0, false));
    const hf_query result = { q->op, q->params, out, 1 };
    HF_TRY(hf_expect_rows(&result, 0, false));
    HF_TRY(pooled(&expected, q, &q->params->shape));
    return hf_expect_shape(q, 0, expected);
}

/* One work-item a voxel of the result; blocked: one a row along W of sixteen channels, or one for each four channels of a
 * voxel. */
static hf_range range_of(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->out[0].desc);
    if (!hf_blocked(call)) return hf_range_over(rows.voxels, 64, rows.n * rows.channels);
    if (hf_teams(call)) return hf_range_over(rows.voxels * (HF_BLOCK / 4), HF_TEAM, rows.n * rows.blocks);
    return hf_range_over(rows.voxels / call->out[0].desc.shape.dim[4], FEW, rows.n * rows.blocks);
}

/* Launches the kernel that is the implementation's variant: its arguments are operands, results, and the sizes of the
 * volume and of the pooled volume. */
static hf_status prepare_windows(hf_call *call)
{
    const hf_window window = window_of(&call->params);
    const bool forward = call->op == &max_pool3d || call->op == &avg_pool3d;
    const hf_desc *size[] = { &(forward ? call->in : call->out)->desc, &(forward ? call->out : call->in)->desc };
    char defines[sizeof window.defines + 16];
    hf_arg args[9];
    int n = 0;
    for (int i = 0; i < call->n_in; i++)
        args[n++] = HF_T(&call->in[i]);
    for (int i = 0; i < call->n_out; i++)
        args[n++] = HF_T(&call->out[i]);
    for (int i = 0; i < 6; i++)
        args[n++] = HF_I(size[i / 3]->shape.dim[2 + i % 3]);
    snprintf(defines, sizeof defines, "%s%s", window.defines, hf_teams(call) ? " -DVEC=4" : "");
    return hf_launch(call, "pool3d", call->impl->variant, defines, range_of(call), args, n);
}

/* ---- maximum ----------------------------------------------------------------------------------------------------- */

static hf_status max_pool3d_infer(const hf_query *q, hf_desc *out)
{
    hf_shape shape;
    HF_TRY(hf_expect_rows(q, 0, false));
    HF_TRY(pooled(&shape, q, &q->in[0].shape));
    out[0] = hf_desc_f32(shape);
    out[1] = (hf_desc){ .shape = shape, .type = HF_U8 };
    return HF_OK;
}

static uint64_t pool_flop(const hf_query *q)
{
    hf_shape shape;
    const uint64_t kernel = (uint64_t)window_of(q->params).kernel;
    if (pooled(&shape, q, &q->in[0].shape) != HF_OK) return 0;
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
    .impls = { { .name = "blocked", .layouts = "B>BB", .prepare = prepare_windows, .variant = "max_pool_blocked" },
               { .name = "plain", .layouts = "P>PP", .prepare = prepare_windows, .variant = "max_pool" } },
    .rules = { { "max_pool3d_dx", { HF_DOUT(0), HF_OUT(1), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status max_pool3d_dx_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(unpooled(q, out));
    HF_TRY(hf_expect_type(q, 1, HF_U8));
    return hf_expect_shape(q, 1, q->in[0].shape);
}

static const char *refuse_overlap(const hf_call *call)
{
    const hf_window window = window_of(&call->params);
    return window.stride < window.kernel ? "windows overlap" : NULL;
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
    .impls = { { .name = "blocked",
                 .layouts = "BB>B",
                 .refuse = refuse_overlap,
                 .prepare = prepare_windows,
                 .variant = "max_pool_dx_blocked" },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_windows, .variant = "max_pool_dx" } },
};

/* ---- average ----------------------------------------------------------------------------------------------------- */

static hf_status avg_pool3d_infer(const hf_query *q, hf_desc *out)
{
    hf_shape shape;
    HF_TRY(hf_expect_rows(q, 0, false));
    HF_TRY(pooled(&shape, q, &q->in[0].shape));
    out[0] = hf_desc_f32(shape);
    return HF_OK;
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
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = prepare_windows, .variant = "avg_pool" } },
    .rules = { { "avg_pool3d_dx", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static const hf_op avg_pool3d_dx = {
    .name = "avg_pool3d_dx",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "dx",
    .formula = "the sum of dy / K^3 over the windows that hold this voxel",
    .infer = unpooled,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = prepare_windows, .variant = "avg_pool_dx" } },
};

/* ---- mean of a whole channel ------------------------------------------------------------------------------------- */

static hf_status global_avg_pool3d_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, false));
    out[0] = hf_desc_f32(HF_SHAPE(q->in[0].shape.dim[0], q->in[0].shape.dim[1]));
    return HF_OK;
}

static uint64_t global_flop(const hf_query *q)
{
    return (uint64_t)hf_shape_count(&q->in[0].shape);
}

static int64_t chunks_of(const hf_rows *rows)
{
    return (int64_t)hf_ceil_div((size_t)rows->voxels, CHUNK);
}

static size_t global_scratch(const hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    return (size_t)(hf_stored_rows(call, &rows) * chunks_of(&rows)) * sizeof(float);
}

static hf_status prepare_global(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const int64_t chunks = chunks_of(&rows);
    const char *defines = hf_vector_define(call);
    const bool blocked = hf_blocked(call);
    const hf_range range = blocked ? hf_range_teams(call, chunks, FEW, rows.n * rows.blocks)
                                   : hf_range_over(chunks, FEW, rows.n * rows.channels);
    HF_TRY(hf_launch(call, "pool3d", blocked ? "sum_voxels_blocked" : "sum_voxels", defines, range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->scratch), HF_I(rows.voxels), HF_I(chunks))));
    return hf_launch(call, "pool3d", "mean_of_sums", defines, hf_range_teams(call, rows.channels, FEW, rows.n),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels),
                             HF_I(chunks), HF_I(blocked ? HF_BLOCK : 1)));
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
    .impls = { { .name = "blocked", .layouts = "B>P", .scratch = global_scratch, .prepare = prepare_global },
               { .name = "plain", .layouts = "P>P", .scratch = global_scratch, .prepare = prepare_global } },
    .rules = { { "global_avg_pool3d_dx", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status global_avg_pool3d_dx_infer(const hf_query *q, hf_desc *out)
{
    char text[96];
    out[0] = hf_desc_f32(q->params->shape);
    if (q->params->shape.rank != 5)
        return hf_fail(HF_ERR_SHAPE, "global_avg_pool3d_dx: params.shape is %s, expected 5 axes",
                       hf_shape_text(&q->params->shape, text));
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    return hf_expect_shape(q, 0, HF_SHAPE(q->params->shape.dim[0], q->params->shape.dim[1]));
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
    .impls = { { .name = "blocked", .layouts = "P>B", .prepare = global_avg_pool3d_dx_blocked },
               { .name = "plain", .layouts = "P>P", .prepare = global_avg_pool3d_dx_plain } },
};

const hf_op *const hf_ops_pool3d[] = { &max_pool3d,        &max_pool3d_dx,        &avg_pool3d, &avg_pool3d_dx,
                                       &global_avg_pool3d, &global_avg_pool3d_dx, NULL };
