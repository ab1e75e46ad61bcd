/* shape.c: operators that move elements and compute nothing.
 *
 *     reshape(x)   -> y   the same elements under params.shape
 *     concat(a, ...) -> y up to eight tensors one after another along params.axis
 *     slice(x)     -> y   params.shape elements of x from index params.kernel along params.axis on
 *     pad_slice(x) -> y   the reverse: x at index params.kernel along params.axis of a tensor of zeros of params.shape
 *     convert(x)   -> y   [N,C,D,H,W] from the plain to the blocked layout or back, as the implementation says
 *
 * concat, slice and pad_slice copy rows: a row is what lies from the cut axis inwards. */
#include "each.h"

#define PIECE 64 /* voxels that one work-item of a conversion takes, as in shape.cl */
#define FEW   8  /* work-items in its group, as in shape.cl */

static hf_status copy_prepare(hf_call *call)
{
    return hf_launch_copy(call, &call->out[0], &call->in[0]);
}

/* ---- reshape ----------------------------------------------------------------------------------------------------- */

static hf_status reshape_infer(const hf_query *q, hf_desc *out)
{
    char from[96], to[96];
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    if (hf_shape_count(&q->params->shape) != hf_shape_count(&q->in[0].shape))
        return hf_fail(HF_ERR_SHAPE, "reshape: x has shape %s, which does not have as many elements as %s",
                       hf_shape_text(&q->in[0].shape, from), hf_shape_text(&q->params->shape, to));
    out[0] = hf_desc_f32(q->params->shape);
    return HF_OK;
}

static const hf_op reshape = {
    .name = "reshape",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "the elements of x in the same order, under params.shape",
    .infer = reshape_infer,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = copy_prepare } },
    .rules = { { "reshape", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

/* ---- concat, slice, pad_slice ------------------------------------------------------------------------------------ */

/* One tensor beside a longer one along `axis`: which elements of the longer one it is. */
typedef struct hf_cut {
    int64_t rows;   /* product of the axes before */
    int64_t run;    /* elements of one row of the shorter tensor */
    int64_t whole;  /* of the longer one */
    int64_t offset; /* where the run starts in the whole */
} hf_cut;

static hf_cut cut_of(const hf_shape *part, const hf_shape *whole, int axis, int64_t first)
{
    hf_cut cut = { 1, 1, 1, 0 };
    int64_t inner = 1;
    for (int i = 0; i < axis; i++)
        cut.rows *= whole->dim[i];
    for (int i = axis + 1; i < whole->rank; i++)
        inner *= whole->dim[i];
    cut.run = part->dim[axis] * inner;
    cut.whole = whole->dim[axis] * inner;
    cut.offset = first * inner;
    return cut;
}

static hf_status launch_rows(hf_call *call, const hf_tensor *from, const hf_tensor *to, const hf_cut *cut,
                             bool to_whole)
{
    const int64_t vector = hf_context_device(call->context)->is_cpu ? 16 : 4;
    const int64_t pieces = (int64_t)hf_ceil_div((size_t)cut->run, (size_t)vector) * vector;
    return hf_launch_each(call, "shape", "copy_rows", cut->rows * pieces,
                          HF_ARGS(HF_T(from), HF_T(to), HF_L(cut->rows), HF_L(cut->run),
                                  HF_L(to_whole ? cut->run : cut->whole), HF_L(to_whole ? 0 : cut->offset),
                                  HF_L(to_whole ? cut->whole : cut->run), HF_L(to_whole ? cut->offset : 0)));
}

static hf_status check_axis(const hf_query *q, const hf_shape *shape)
{
    char text[96];
    if (q->params->axis >= 0 && q->params->axis < shape->rank) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "%s: params.axis is %d, expected an axis of %s", q->op->name, q->params->axis,
                   hf_shape_text(shape, text));
}

/* Fails unless `part` fits into `whole` from params.kernel along params.axis and is as large along the others. */
static hf_status check_cut(const hf_query *q, const hf_shape *part, const hf_shape *whole)
{
    char a[96], b[96];
    HF_TRY(check_axis(q, whole));
    bool fits = part->rank == whole->rank && q->params->kernel >= 0;
    for (int i = 0; fits && i < whole->rank; i++)
        fits = i == q->params->axis ? part->dim[i] <= whole->dim[i] - q->params->kernel : part->dim[i] == whole->dim[i];
    if (fits) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "%s of x: %s is not a part of %s from index %d along axis %d", q->op->name,
                   hf_shape_text(part, a), hf_shape_text(whole, b), q->params->kernel, q->params->axis);
}

static hf_status concat_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(check_axis(q, &q->in[0].shape));
    hf_shape shape = q->in[0].shape;
    for (int i = 0; i < q->n_in; i++) {
        HF_TRY(hf_expect_type(q, i, HF_F32));
        hf_shape same = q->in[0].shape;
        if (q->in[i].shape.rank == same.rank) same.dim[q->params->axis] = q->in[i].shape.dim[q->params->axis];
        HF_TRY(hf_expect_shape(q, i, same));
        if (i > 0) shape.dim[q->params->axis] += q->in[i].shape.dim[q->params->axis];
    }
    out[0] = hf_desc_f32(shape);
    return HF_OK;
}

static hf_status concat_prepare(hf_call *call)
{
    int64_t first = 0;
    for (int i = 0; i < call->n_in; i++) {
        const hf_shape *part = &call->in[i].desc.shape;
        const hf_cut cut = cut_of(part, &call->out[0].desc.shape, call->params.axis, first);
        HF_TRY(launch_rows(call, &call->in[i], &call->out[0], &cut, true));
        first += part->dim[call->params.axis];
    }
    return HF_OK;
}

static hf_params concat_rule_params(const hf_query *q, int rule)
{
    hf_params result = *q->params;
    result.kernel = 0;
    for (int i = 0; i < rule && i < q->n_in; i++)
        result.kernel += (int)q->in[i].shape.dim[q->params->axis];
    if (rule < q->n_in) result.shape = q->in[rule].shape;
    return result;
}

#define CONCAT_RULE(i)                                                                                                 \
    {                                                                                                                  \
        "slice", { HF_DOUT(0), HF_RULE_END },                                                                          \
        {                                                                                                              \
            i, HF_RULE_END                                                                                             \
        }                                                                                                              \
    }

static const hf_op concat = {
    .name = "concat",
    .min_in = 1,
    .max_in = 8,
    .n_out = 1,
    .in_names = "a b c d e f g h",
    .out_names = "y",
    .formula = "the operands one after another along params.axis",
    .infer = concat_infer,
    .impls = { { .name = "plain", .layouts = "PPPPPPPP>P", .prepare = concat_prepare } },
    .rules = { CONCAT_RULE(0), CONCAT_RULE(1), CONCAT_RULE(2), CONCAT_RULE(3), CONCAT_RULE(4), CONCAT_RULE(5),
               CONCAT_RULE(6), CONCAT_RULE(7) },
    .rule_params = concat_rule_params,
};

static hf_status slice_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    HF_TRY(check_cut(q, &q->params->shape, &q->in[0].shape));
    out[0] = hf_desc_f32(q->params->shape);
    return HF_OK;
}

static hf_status slice_prepare(hf_call *call)
{
    const hf_cut cut =
        cut_of(&call->out[0].desc.shape, &call->in[0].desc.shape, call->params.axis, call->params.kernel);
    return launch_rows(call, &call->in[0], &call->out[0], &cut, false);
}

static const hf_op slice = {
    .name = "slice",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "params.shape elements of x from index params.kernel along params.axis on",
    .infer = slice_infer,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = slice_prepare } },
    .rules = { { "pad_slice", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

static hf_status pad_slice_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    HF_TRY(check_cut(q, &q->in[0].shape, &q->params->shape));
    out[0] = hf_desc_f32(q->params->shape);
    return HF_OK;
}

static hf_status pad_slice_prepare(hf_call *call)
{
    const hf_cut cut =
        cut_of(&call->in[0].desc.shape, &call->out[0].desc.shape, call->params.axis, call->params.kernel);
    HF_TRY(hf_launch_zero(call, &call->out[0]));
    return launch_rows(call, &call->in[0], &call->out[0], &cut, true);
}

static const hf_op pad_slice = {
    .name = "pad_slice",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "x at index params.kernel along params.axis of a tensor of zeros of params.shape",
    .infer = pad_slice_infer,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = pad_slice_prepare } },
    .rules = { { "slice", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
    .rule_params = hf_params_with_shape,
};

/* ---- convert ----------------------------------------------------------------------------------------------------- */

static hf_status convert_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rows(q, 0, false));
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static hf_status convert_launch(hf_call *call)
{
    const hf_rows rows = hf_rows_of(&call->in[0].desc);
    const hf_range range = hf_teams(call) ? hf_range_over(rows.voxels * (HF_BLOCK / 4), HF_TEAM, rows.n * rows.blocks)
                                          : hf_range_over((rows.voxels + PIECE - 1) / PIECE, FEW, rows.n * rows.blocks);
    return hf_launch(call, "shape", call->impl->variant, hf_vector_define(call), range,
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_I(rows.channels), HF_I(rows.voxels)));
}

static const hf_op convert = {
    .name = "convert",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "x in the other memory layout",
    .infer = convert_infer,
    .impls = { { .name = "to_blocked", .layouts = "P>B", .prepare = convert_launch, .variant = "to_blocked" },
               { .name = "to_plain", .layouts = "B>P", .prepare = convert_launch, .variant = "to_plain" } },
    .rules = { { "convert", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

const hf_op *const hf_ops_shape[] = { &reshape, &concat, &slice, &pad_slice, &convert, NULL };
