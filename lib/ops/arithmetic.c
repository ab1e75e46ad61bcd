/* arithmetic.c: add(a, b) -> y, multiply(a, b) -> y, copy(x) -> y, scale(x) -> y = params.scale x; element by element,
 * operands of one shape, no broadcasting. */
#include "each.h"

static hf_status binary(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "arithmetic", call->impl->variant, n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_L(n)));
}

static hf_status copy_prepare(hf_call *call)
{
    return hf_launch_copy(call, &call->out[0], &call->in[0]);
}

static hf_status scale_prepare(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "arithmetic", "scale", n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_L(n), HF_F(call->params.scale)));
}

static const hf_op add = {
    .name = "add",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "a b",
    .out_names = "y",
    .formula = "a + b",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "AA>A", .prepare = binary, .variant = "add" } },
    .rules = { { "copy", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } },
               { "copy", { HF_DOUT(0), HF_RULE_END }, { 1, HF_RULE_END } } },
};

static const hf_op multiply = {
    .name = "multiply",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "a b",
    .out_names = "y",
    .formula = "a b",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "AA>A", .prepare = binary, .variant = "multiply" } },
    .rules = { { "multiply", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } },
               { "multiply", { HF_DOUT(0), HF_IN(0), HF_RULE_END }, { 1, HF_RULE_END } } },
};

static const hf_op copy = {
    .name = "copy",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "x",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "A>A", .prepare = copy_prepare } },
    .rules = { { "copy", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op scale = {
    .name = "scale",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "x",
    .out_names = "y",
    .formula = "params.scale x",
    .infer = hf_infer_alike,
    .impls = { { .name = "plain", .layouts = "A>A", .prepare = scale_prepare } },
    .rules = { { "scale", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

const hf_op *const hf_ops_arithmetic[] = { &add, &multiply, &copy, &scale, NULL };
