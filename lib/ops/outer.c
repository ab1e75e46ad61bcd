/* outer.c: the outer product of two vectors a sample, and its gradients.
 *
 *   outer      x [N,I], e [N,J] -> z [N,I*J], z[n,i*J+j] = x[n,i] e[n,j]
 *   outer_dx   dz, e -> dx, shape in params.shape;   outer_de  dz, x -> de, likewise
 *
 * With it a hyper linear layer is one ordinary one: the weights W(e) = A0 + sum_j e_j A_j applied to x are A0 x plus
 * [A_1 .. A_J] (x outer e), and are never built. */
#include "each.h"
#include "linear_tiled.h"

#define GROUP 64 /* work-items in a group, as in outer.cl */

static hf_status infer_outer(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_matrix(q, 0));
    HF_TRY(hf_expect_matrix(q, 1));
    const int64_t *x = q->in[0].shape.dim, *e = q->in[1].shape.dim;
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(x[0], e[1])));
    if (x[0] * x[1] > INT32_MAX) {
        char text[96];
        return hf_fail(HF_ERR_UNSUPPORTED, "outer: x %s has more than 2^31 elements",
                       hf_shape_text(&q->in[0].shape, text));
    }
    out[0] = hf_desc_f32(HF_SHAPE(x[0], x[1] * e[1]));
    return HF_OK;
}

/* Both gradients: dz and one factor give the other, whose shape is an option. */
static hf_status infer_outer_gradient(const hf_query *q, hf_desc *out)
{
    char text[96];
    HF_TRY(hf_expect_matrix(q, 0));
    HF_TRY(hf_expect_matrix(q, 1));
    const hf_shape *result = &q->params->shape, *factor = &q->in[1].shape;
    if (result->rank != 2)
        return hf_fail(HF_ERR_ARGUMENT, "%s: params.shape is %s, expected [N,features]", q->op->name,
                       hf_shape_text(result, text));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(result->dim[0], factor->dim[1])));
    HF_TRY(hf_expect_shape(q, 0, HF_SHAPE(factor->dim[0], result->dim[1] * factor->dim[1])));
    out[0] = hf_desc_f32(*result);
    return HF_OK;
}

static uint64_t flop_outer_gradient(const hf_query *q)
{
    return 2 * (uint64_t)hf_shape_count(&q->in[0].shape);
}

/* Rule 0 is the gradient of operand 0, rule 1 that of operand 1. */
static hf_params outer_rule_params(const hf_query *q, int rule)
{
    return (hf_params){ .shape = q->in[rule].shape };
}

static hf_status prepare_outer(hf_call *call)
{
    const int64_t *x = call->in[0].desc.shape.dim, *e = call->in[1].desc.shape.dim;
    return hf_launch(call, "outer", "outer_plain", NULL, hf_range_over(x[0] * x[1], GROUP, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(x[0] * x[1]), HF_I(x[1]),
                             HF_I(e[1])));
}

/* Both gradients as products: each sample's factor [k] with its dz, a matrix [n,k] or [k,n], whose element (k,n) lies at
 * k k_stride + n n_stride. */
static hf_matmul product_of(const hf_call *call, int64_t k_stride, int64_t n_stride)
{
    const int64_t n = call->params.shape.dim[1], k = call->in[1].desc.shape.dim[1];
    hf_matmul p = hf_matmul_of(call);
    p.a = &call->in[1]; /* the factor */
    p.b = &call->in[0]; /* dz */
    p.m = 1;
    p.n = n;
    p.k = k;
    p.batch = call->params.shape.dim[0];
    p.a_stride[0] = p.a_stride[2] = k;
    p.a_stride[1] = p.c_stride[1] = 1;
    p.b_stride[0] = k_stride;
    p.b_stride[1] = n_stride;
    p.b_stride[2] = n * k;
    p.c_stride[0] = p.c_stride[2] = n;
    return p;
}

static hf_matmul dx_of(const hf_call *call)
{
    return product_of(call, 1, call->in[1].desc.shape.dim[1]);
}

static hf_matmul de_of(const hf_call *call)
{
    return product_of(call, call->params.shape.dim[1], 1);
}

static const hf_product dx_product = { dx_of }, de_product = { de_of };

static hf_status prepare_gradient_plain(hf_call *call)
{
    const hf_matmul p = ((const hf_product *)call->impl->variant)->of(call);
    return hf_launch(call, "outer", "outer_gradient_plain", NULL, hf_range_over(p.batch * p.n, GROUP, 1),
                     HF_ARGS(HF_T(p.b), HF_T(p.a), HF_T(p.c), HF_L(p.batch * p.n), HF_I(p.n), HF_I(p.k),
                             HF_I(p.b_stride[0]), HF_I(p.b_stride[1])));
}

static const hf_op outer = {
    .name = "outer",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x e",
    .out_names = "z",
    .formula = "z[n,i*J+j] = x[n,i] e[n,j]",
    .infer = infer_outer,
    .impls = { { .name = "plain", .layouts = "PP>P", .prepare = prepare_outer } },
    .rules = { { "outer_dx", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } },
               { "outer_de", { HF_DOUT(0), HF_IN(0), HF_RULE_END }, { 1, HF_RULE_END } } },
    .rule_params = outer_rule_params,
};

static const hf_op outer_dx = {
    .name = "outer_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dz e",
    .out_names = "dx",
    .formula = "dx[n,i] = sum j: dz[n,i*J+j] e[n,j]",
    .infer = infer_outer_gradient,
    .flop = flop_outer_gradient,
    .impls = { { .name = "tiled",
                 .layouts = "PP>P",
                 .scratch = hf_tiled_scratch,
                 .prepare = hf_tiled_prepare,
                 .variant = &dx_product },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_gradient_plain, .variant = &dx_product } },
};

static const hf_op outer_de = {
    .name = "outer_de",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dz x",
    .out_names = "de",
    .formula = "de[n,j] = sum i: dz[n,i*J+j] x[n,i]",
    .infer = infer_outer_gradient,
    .flop = flop_outer_gradient,
    .impls = { { .name = "tiled",
                 .layouts = "PP>P",
                 .scratch = hf_tiled_scratch,
                 .prepare = hf_tiled_prepare,
                 .variant = &de_product },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_gradient_plain, .variant = &de_product } },
};

const hf_op *const hf_ops_outer[] = { &outer, &outer_dx, &outer_de, NULL };
