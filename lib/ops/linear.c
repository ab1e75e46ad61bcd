/* linear.c: the linear layer with its gradients.
 *
 *   linear     x [N,I], w [O,I] or [N,O,I], b [O] or [N,O] (may be absent) -> y [N,O] = activation(w x + b)
 *   linear_dx  dy, w -> dx;   linear_dw  x, dy -> dw, one a sample with params.per_sample;   linear_db  dy -> db
 *
 * Weights a sample are what a hypernetwork generates; the generator itself is a linear layer whose O is the number of
 * generated weights. The gradients are those of the part before the activation. All are skinny matrix products, computed
 * by linear_clblast.c where the result is large, else by linear_tiled.c. */
#include "each.h"
#include "linear.h"
#include "linear_tiled.h"

#define GROUP 64 /* work-items in a group, as in linear.cl */

static const hf_op linear_dw;

hf_linear_size hf_linear_size_of(const hf_call *call)
{
    const hf_shape *first = &call->in[0].desc.shape, *second = &call->in[1].desc.shape;
    hf_linear_size size = { .n = first->dim[0] };
    if (call->op == &linear_dw) {
        size.i = first->dim[1];
        size.o = second->dim[1];
        size.per_sample = call->params.per_sample != 0;
    } else {
        size.i = second->dim[second->rank - 1];
        size.o = second->dim[second->rank - 2];
        size.per_sample = second->rank == 3;
    }
    return size;
}

/* ---- shape rules ------------------------------------------------------------------------------------------------- */

/* Operand 1 is w [O,I] or [N,O,I]. */
static hf_status expect_weights(const hf_query *q, int64_t n, int64_t o, int64_t i)
{
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    if (q->in[1].shape.rank == 3) return hf_expect_shape(q, 1, HF_SHAPE(n, o, i));
    HF_TRY(hf_expect_rank(q, 1, 2));
    return hf_expect_shape(q, 1, HF_SHAPE(o, i));
}

static hf_status infer_linear(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_matrix(q, 0));
    const hf_shape *x = &q->in[0].shape, *w = &q->in[1].shape;
    int64_t n = x->dim[0], o = w->rank >= 2 ? w->dim[w->rank - 2] : 1;
    HF_TRY(expect_weights(q, n, o, x->dim[1]));
    if (q->n_in > 2 && hf_present(&q->in[2])) {
        HF_TRY(hf_expect_type(q, 2, HF_F32));
        HF_TRY(hf_expect_shape(q, 2, w->rank == 3 ? HF_SHAPE(n, o) : HF_SHAPE(o)));
    }
    out[0] = hf_desc_f32(HF_SHAPE(n, o));
    return HF_OK;
}

/* params.shape, when given, is the shape of x. */
static hf_status infer_linear_dx(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_matrix(q, 0));
    const hf_shape *dy = &q->in[0].shape, *w = &q->in[1].shape;
    int64_t i = w->rank >= 2 ? w->dim[w->rank - 1] : 1;
    if (q->params->shape.rank == 2) i = q->params->shape.dim[1];
    HF_TRY(expect_weights(q, dy->dim[0], dy->dim[1], i));
    out[0] = hf_desc_f32(HF_SHAPE(dy->dim[0], i));
    return HF_OK;
}

static hf_status infer_linear_dw(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_matrix(q, 0));
    HF_TRY(hf_expect_matrix(q, 1));
    int64_t n = q->in[0].shape.dim[0], i = q->in[0].shape.dim[1], o = q->in[1].shape.dim[1];
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(n, o)));
    out[0] = hf_desc_f32(q->params->per_sample ? HF_SHAPE(n, o, i) : HF_SHAPE(o, i));
    return HF_OK;
}

static hf_status infer_linear_db(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_matrix(q, 0));
    const int64_t *dim = q->in[0].shape.dim;
    out[0] = hf_desc_f32(q->params->per_sample ? HF_SHAPE(dim[0], dim[1]) : HF_SHAPE(dim[1]));
    return HF_OK;
}

/* ---- cost and gradients ------------------------------------------------------------------------------------------ */

static uint64_t flop_of_weights(const hf_query *q)
{
    const hf_shape *w = &q->in[1].shape;
    return 2 * (uint64_t)q->in[0].shape.dim[0] * (uint64_t)w->dim[w->rank - 1] * (uint64_t)w->dim[w->rank - 2];
}

static uint64_t flop_linear_dw(const hf_query *q)
{
    return 2 * (uint64_t)hf_shape_count(&q->in[0].shape) * (uint64_t)q->in[1].shape.dim[1];
}

static uint64_t flop_linear_db(const hf_query *q)
{
    return (uint64_t)hf_shape_count(&q->in[0].shape);
}

static hf_params linear_rule_params(const hf_query *q, int rule)
{
    (void)rule;
    return (hf_params){ .per_sample = q->in[1].shape.rank == 3, .shape = q->in[0].shape };
}

/* ---- plain implementations --------------------------------------------------------------------------------------- */

static hf_status prepare_linear_plain(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return hf_launch(call, "linear", "linear_plain", NULL, hf_range_over(s.n * s.o, GROUP, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->out[0]), HF_I(s.n),
                             HF_I(s.i), HF_I(s.o), HF_I(s.per_sample), HF_I(hf_present(&call->in[2].desc)),
                             HF_I(call->params.activation == HF_RELU)));
}

static hf_status prepare_linear_dx_plain(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return hf_launch(call, "linear", "linear_dx_plain", NULL, hf_range_over(s.n * s.i, GROUP, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(s.n), HF_I(s.i),
                             HF_I(s.o), HF_I(s.per_sample)));
}

static hf_status prepare_linear_dw_plain(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return hf_launch(call, "linear", "linear_dw_plain", NULL,
                     hf_range_over((s.per_sample ? s.n : 1) * s.o * s.i, GROUP, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(s.n), HF_I(s.i),
                             HF_I(s.o), HF_I(s.per_sample)));
}

static hf_status prepare_linear_db(hf_call *call)
{
    const int64_t *dim = call->in[0].desc.shape.dim;
    if (call->params.per_sample) return hf_launch_copy(call, &call->out[0], &call->in[0]);
    const size_t pieces = hf_ceil_div((size_t)dim[1], (size_t)hf_vector(call));
    return hf_launch(call, "linear", "linear_db_plain", hf_vector_define(call),
                     hf_range_over((int64_t)pieces, GROUP, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->out[0]), HF_I(dim[0]), HF_I(dim[1])));
}

/* ---- tiled implementations: the strides of each product ---------------------------------------------------------- */

static hf_matmul forward_matmul(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_matmul p = hf_matmul_of(call);
    p.m = s.per_sample ? 1 : s.n;
    p.batch = s.per_sample ? s.n : 1;
    p.n = s.o;
    p.k = s.i;
    p.a_stride[0] = p.a_stride[2] = p.b_stride[1] = s.i;
    p.a_stride[1] = p.b_stride[0] = p.c_stride[1] = 1;
    p.b_stride[2] = s.o * s.i;
    p.c_stride[0] = p.c_stride[2] = p.bias_stride = s.o;
    p.bias = &call->in[2];
    p.has_bias = hf_present(&call->in[2].desc);
    p.relu = call->params.activation == HF_RELU;
    return p;
}

static hf_matmul dx_matmul(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_matmul p = hf_matmul_of(call);
    p.m = s.per_sample ? 1 : s.n;
    p.batch = s.per_sample ? s.n : 1;
    p.n = s.i;
    p.k = s.o;
    p.a_stride[0] = p.a_stride[2] = s.o;
    p.a_stride[1] = p.b_stride[1] = p.c_stride[1] = 1;
    p.b_stride[0] = p.c_stride[0] = p.c_stride[2] = s.i;
    p.b_stride[2] = s.o * s.i;
    return p;
}

static hf_matmul dw_matmul(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_matmul p = hf_matmul_of(call);
    p.a = &call->in[1]; /* dy */
    p.b = &call->in[0];
    p.m = s.o;
    p.n = s.i;
    p.k = s.per_sample ? 1 : s.n;
    p.batch = s.per_sample ? s.n : 1;
    p.a_stride[0] = p.b_stride[1] = p.c_stride[1] = 1;
    p.a_stride[1] = p.a_stride[2] = s.o;
    p.b_stride[0] = p.b_stride[2] = p.c_stride[0] = s.i;
    p.c_stride[2] = s.o * s.i;
    return p;
}

static const hf_product forward_product = { forward_matmul }, dx_product = { dx_matmul }, dw_product = { dw_matmul };

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static const hf_op linear = {
    .name = "linear",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .in_names = "x w b",
    .out_names = "y",
    .formula = "y[n,o] = act(b[o] + sum i: w[o,i] x[n,i]); w and b may have a leading n",
    .infer = infer_linear,
    .flop = flop_of_weights,
    .impls = { { .name = "clblast",
                 .layouts = "PPP>P",
                 .refuse = hf_linear_clblast_refuse,
                 .prepare = hf_linear_clblast_prepare },
               { .name = "tiled",
                 .layouts = "PPP>P",
                 .scratch = hf_tiled_scratch,
                 .prepare = hf_tiled_prepare,
                 .variant = &forward_product },
               { .name = "plain", .layouts = "PPP>P", .prepare = prepare_linear_plain } },
    .rules = { { "linear_dx", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } },
               { "linear_dw", { HF_IN(0), HF_DOUT(0), HF_RULE_END }, { 1, HF_RULE_END } },
               { "linear_db", { HF_DOUT(0), HF_RULE_END }, { 2, HF_RULE_END } } },
    .rule_params = linear_rule_params,
};

static const hf_op linear_dx = {
    .name = "linear_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dy w",
    .out_names = "dx",
    .formula = "dx[n,i] = sum o: w[o,i] dy[n,o]",
    .infer = infer_linear_dx,
    .flop = flop_of_weights,
    .impls = { { .name = "clblast",
                 .layouts = "PP>P",
                 .refuse = hf_linear_clblast_refuse_dx,
                 .prepare = hf_linear_clblast_prepare_dx },
               { .name = "tiled",
                 .layouts = "PP>P",
                 .scratch = hf_tiled_scratch,
                 .prepare = hf_tiled_prepare,
                 .variant = &dx_product },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_linear_dx_plain } },
};

static const hf_op linear_dw = {
    .name = "linear_dw",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x dy",
    .out_names = "dw",
    .formula = "dw[o,i] = sum n: dy[n,o] x[n,i]; per_sample: dw[n,o,i] = dy[n,o] x[n,i]",
    .infer = infer_linear_dw,
    .flop = flop_linear_dw,
    .impls = { { .name = "clblast",
                 .layouts = "PP>P",
                 .refuse = hf_linear_clblast_refuse_dw,
                 .prepare = hf_linear_clblast_prepare_dw },
               { .name = "tiled",
                 .layouts = "PP>P",
                 .scratch = hf_tiled_scratch,
                 .prepare = hf_tiled_prepare,
                 .variant = &dw_product },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_linear_dw_plain } },
};

static const hf_op linear_db = {
    .name = "linear_db",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "db",
    .formula = "db[o] = sum n: dy[n,o]; per_sample: db[n,o] = dy[n,o]",
    .infer = infer_linear_db,
    .flop = flop_linear_db,
    .impls = { { .name = "plain", .layouts = "P>P", .prepare = prepare_linear_db } },
};

const hf_op *const hf_ops_linear[] = { &linear, &linear_dx, &linear_dw, &linear_db, NULL };
