/* arithmetic.c: add(a, b) -> y, multiply(a, b) -> y, copy(x) -> y, scale(x) -> y = params.scale x; element by element,
 * operands of one shape, no broadcasting. */
#include "each.h"

static const hf_op add, multiply, copy, scale;

static hf_status add_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return hf_infer_alike(&add, in, n_in, out);
}

static hf_status multiply_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return hf_infer_alike(&multiply, in, n_in, out);
}

static hf_status copy_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return hf_infer_alike(&copy, in, n_in, out);
}

static hf_status scale_infer(const hf_params *params, const hf_desc *in, int n_in, hf_desc *out)
{
    (void)params;
    return hf_infer_alike(&scale, in, n_in, out);
}

static hf_status binary(hf_call *call, const char *kernel)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "arithmetic", kernel, n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_L(n)));
}

static hf_status add_prepare(hf_call *call)
{
    return binary(call, "add");
}

static hf_status multiply_prepare(hf_call *call)
{
    return binary(call, "multiply");
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
    .infer = add_infer,
    .impls = { { "plain", "AA>A", NULL, NULL, add_prepare } },
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
    .infer = multiply_infer,
    .impls = { { "plain", "AA>A", NULL, NULL, multiply_prepare } },
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
    .infer = copy_infer,
    .impls = { { "plain", "A>A", NULL, NULL, copy_prepare } },
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
    .infer = scale_infer,
    .impls = { { "plain", "A>A", NULL, NULL, scale_prepare } },
    .rules = { { "scale", { HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

const hf_op *const hf_ops_arithmetic[] = { &add, &multiply, &copy, &scale, NULL };
