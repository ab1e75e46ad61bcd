/* activation.c: functions of single elements, and softmax over the rows of a matrix.
 *
 *     relu(x)           -> y           prelu(x, slope[1])        -> y
 *     relu_dx(y, dy)    -> dx          prelu_dx(x, slope, dy)    -> dx, dslope[1]
 *     sigmoid(x)        -> y           tanh(x)                   -> y
 *     sigmoid_dx(y, dy) -> dx          tanh_dx(y, dy)            -> dx
 *     softmax(x[N,F])   -> y           softmax_dx(y, dy)         -> dx
 *
 * Formulas are in cl_kernels/activation.cl. Not-a-number passes through all of them; the gradient of relu at 0 is 0. */
#include "each.h"

#define CHUNK 2048 /* elements of one partial sum of dslope, as in activation.cl */

/* y = f(x), or dx = g(y, dy), by the kernel that the implementation names. */
static hf_status unary(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "activation", call->impl->variant, n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_L(n)));
}

static hf_status binary(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "activation", call->impl->variant, n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_L(n)));
}

/* ---- relu -------------------------------------------------------------------------------------------------------- */

static const hf_op relu = {
    .name = "relu",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "max(x, 0)",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "A>A", .prepare = unary, .variant = "relu" } },
    .rules = { { "relu_dx", { HF_OUT(0), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op relu_dx = {
    .name = "relu_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "y dy",
    .out_names = "dx",
    .formula = "y > 0 ? dy : 0",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "AA>A", .prepare = binary, .variant = "relu_dx" } },
};

/* ---- prelu ------------------------------------------------------------------------------------------------------- */

static hf_status prelu_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(1)));
    return hf_infer_first_alike(q, 1, out);
}

static hf_status prelu_prepare(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "activation", "prelu", n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_L(n)));
}

static const hf_op prelu = {
    .name = "prelu",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x slope",
    .out_names = "y",
    .formula = "x > 0 ? x : slope x",
    .infer = prelu_infer,
    .impls = { { .name = "plain", .layouts = "AP>A", .prepare = prelu_prepare } },
    .rules = { { "prelu_dx", { HF_IN(0), HF_IN(1), HF_DOUT(0), HF_RULE_END }, { 0, 1, HF_RULE_END } } },
};

static hf_status prelu_dx_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(1)));
    HF_TRY(hf_expect_type(q, 2, HF_F32));
    HF_TRY(hf_expect_shape(q, 2, q->in[0].shape));
    out[1] = hf_desc_f32(q->in[1].shape);
    return hf_infer_first_alike(q, 1, out);
}

/* A blocked tensor may have up to 15 padding channels per sample more than the plain one, so both sizes fit the room
 * for the blocked one. */
static size_t prelu_dx_scratch(const hf_call *call)
{
    hf_desc blocked = call->in[0].desc;
    if (blocked.shape.rank == 5) blocked.layout = HF_BLOCKED;
    return hf_ceil_div(hf_desc_bytes(&blocked) / sizeof(float), CHUNK) * sizeof(float);
}

static hf_status prelu_dx_prepare(hf_call *call)
{
    const int64_t n = hf_stored(&call->in[0]), chunks = (int64_t)hf_ceil_div((size_t)n, CHUNK);
    const hf_tensor *x = &call->in[0], *slope = &call->in[1], *dy = &call->in[2];
    HF_TRY(hf_launch_each(call, "activation", "prelu_dx", n,
                          HF_ARGS(HF_T(x), HF_T(slope), HF_T(dy), HF_T(&call->out[0]), HF_L(n))));
    HF_TRY(hf_launch(call, "activation", "prelu_dslope_partial", hf_vector_define(call), hf_range_over(chunks, 64, 1),
                     HF_ARGS(HF_T(x), HF_T(dy), HF_T(&call->scratch), HF_L(n))));
    return hf_launch(call, "activation", "prelu_dslope", NULL, hf_range_over(1, 1, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[1]), HF_L(chunks)));
}

static const hf_op prelu_dx = {
    .name = "prelu_dx",
    .min_in = 3,
    .max_in = 3,
    .n_out = 2,
    .in_names = "x slope dy",
    .out_names = "dx dslope",
    .formula = "dx = x > 0 ? dy : slope dy; dslope = sum over x <= 0 of x dy",
    .infer = prelu_dx_infer,
    .impls = { { .name = "plain", .layouts = "APA>AP", .scratch = prelu_dx_scratch, .prepare = prelu_dx_prepare } },
};

/* ---- sigmoid and tanh -------------------------------------------------------------------------------------------- */

static const hf_op sigmoid = {
    .name = "sigmoid",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "1 / (1 + exp(-x))",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = unary, .variant = "sigmoid" } },
    .rules = { { "sigmoid_dx", { HF_OUT(0), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op sigmoid_dx = {
    .name = "sigmoid_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "y dy",
    .out_names = "dx",
    .formula = "y (1 - y) dy",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "AA>A", .prepare = binary, .variant = "sigmoid_dx" } },
};

static const hf_op tanh_op = {
    .name = "tanh",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "tanh(x)",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "A>A", .prepare = unary, .variant = "tanh_forward" } },
    .rules = { { "tanh_dx", { HF_OUT(0), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op tanh_dx = {
    .name = "tanh_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "y dy",
    .out_names = "dx",
    .formula = "(1 - y^2) dy",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "AA>A", .prepare = binary, .variant = "tanh_dx" } },
};

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

static hf_status softmax_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rank(q, 0, 2));
    return hf_infer_alike(q, out);
}

static hf_range one_item_a_row(const hf_call *call)
{
    return hf_range_over(call->in[0].desc.shape.dim[0], 64, 1);
}

static hf_status softmax_prepare(hf_call *call)
{
    const int64_t *dim = call->in[0].desc.shape.dim;
    return hf_launch(call, "activation", "softmax", NULL, one_item_a_row(call),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_I(dim[0]), HF_I(dim[1])));
}

static const hf_op softmax = {
    .name = "softmax",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "y[n,f] = exp(x[n,f]) / sum_g exp(x[n,g])",
    .infer = softmax_infer,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = softmax_prepare } },
    .rules = { { "softmax_dx", { HF_OUT(0), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static hf_status softmax_dx_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_rank(q, 0, 2));
    return hf_infer_alike(q, out);
}

static hf_status softmax_dx_prepare(hf_call *call)
{
    const int64_t *dim = call->in[0].desc.shape.dim;
    return hf_launch(call, "activation", "softmax_dx", NULL, one_item_a_row(call),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(dim[0]), HF_I(dim[1])));
}

static const hf_op softmax_dx = {
    .name = "softmax_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "y dy",
    .out_names = "dx",
    .formula = "y[n,f] (dy[n,f] - sum_g y[n,g] dy[n,g])",
    .infer = softmax_dx_infer,
    .impls = { { .name = "plain", .layouts = "PP>P", .prepare = softmax_dx_prepare } },
};

const hf_op *const hf_ops_activation[] = { &relu,    &relu_dx, &prelu,   &prelu_dx,   &sigmoid, &sigmoid_dx,
                                           &tanh_op, &tanh_dx, &softmax, &softmax_dx, NULL };
