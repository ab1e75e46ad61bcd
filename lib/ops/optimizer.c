/* optimizer.c: one step of an optimiser over parameters of any shape, usually one flat buffer of all of them.
 *
 *     adam(theta, grad, m, v, schedule)  -> theta, m, v      weight decay added to the gradient
 *     adamw(theta, grad, m, v, schedule) -> theta, m, v      weight decay taken from theta directly
 *     sgd(theta, grad, m, schedule)      -> theta, m
 *     clip(grad [n], schedule)           -> schedule         with a smaller factor where the gradients are too long
 *
 * Results may overwrite theta, m, v and schedule. schedule F32[8] = { learning rate, 1 - beta1^t, 1 - beta2^t, factor of the
 * gradients, 0, 0, 0, 0 } changes from step to step (t = 1, 2, ...; made in double precision on the host). Options:
 * params.beta1 (0: 0.9), beta2 (0: 0.999), eps (0: 1e-8), weight_decay, momentum_sgd, limit. Formulas are in
 * cl_kernels/optimizer.cl. */
#include "each.h"

#define SCHEDULE 8   /* numbers in a schedule */
#define CHUNK    512 /* elements of one partial sum, as in sum.h */

static const hf_op adamw;

/* The last operand is a schedule, those before it are alike, and so are the results. */
static hf_status infer_step(const hf_query *q, hf_desc *out)
{
    const int last = q->op->max_in - 1;
    HF_TRY(hf_expect_type(q, last, HF_F32));
    HF_TRY(hf_expect_shape(q, last, HF_SHAPE(SCHEDULE)));
    HF_TRY(hf_infer_first_alike(q, last, out));
    for (int k = 1; k < q->op->n_out; k++)
        out[k] = out[0];
    return HF_OK;
}

static hf_status prepare_adam(hf_call *call)
{
    const hf_params *params = &call->params;
    const int64_t n = hf_stored(&call->out[0]);
    const float beta1 = params->beta1 != 0.0f ? params->beta1 : 0.9f;
    const float beta2 = params->beta2 != 0.0f ? params->beta2 : 0.999f;
    const float eps = params->eps != 0.0f ? params->eps : 1e-8f;
    return hf_launch_each(call, "optimizer", "adam", n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->in[3]),
                                  HF_T(&call->in[4]), HF_T(&call->out[0]), HF_T(&call->out[1]), HF_T(&call->out[2]),
                                  HF_L(n), HF_F(beta1), HF_F(1.0 - (double)beta1), HF_F(beta2),
                                  HF_F(1.0 - (double)beta2), HF_F(eps), HF_F(params->weight_decay),
                                  HF_I(call->op == &adamw)));
}

static uint64_t adam_flop(const hf_query *q)
{
    return 16 * (uint64_t)hf_shape_count(&q->in[0].shape);
}

static const hf_op adam = {
    .name = "adam",
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .in_names = "theta grad m v schedule",
    .out_names = "theta m v",
    .formula = "g = s grad + decay theta; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; "
               "theta -= rate (m / c1) / (sqrt(v / c2) + eps)",
    .infer = infer_step,
    .flop = adam_flop,
    .impls = { { .name = "plain", .layouts = "AAAAP>AAA", .prepare = prepare_adam } },
    .replaces = { 1 + 0, 1 + 2, 1 + 3 },
};

static const hf_op adamw = {
    .name = "adamw",
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .in_names = "theta grad m v schedule",
    .out_names = "theta m v",
    .formula = "theta -= rate decay theta; then as adam with decay 0",
    .infer = infer_step,
    .flop = adam_flop,
    .impls = { { .name = "plain", .layouts = "AAAAP>AAA", .prepare = prepare_adam } },
    .replaces = { 1 + 0, 1 + 2, 1 + 3 },
};

static hf_status sgd_prepare(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(call, "optimizer", "sgd", n,
                          HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->in[3]),
                                  HF_T(&call->out[0]), HF_T(&call->out[1]), HF_L(n), HF_F(call->params.momentum_sgd),
                                  HF_F(call->params.weight_decay)));
}

static const hf_op sgd = {
    .name = "sgd",
    .min_in = 4,
    .max_in = 4,
    .n_out = 2,
    .in_names = "theta grad m schedule",
    .out_names = "theta m",
    .formula = "m = momentum m + s grad + decay theta; theta -= rate m",
    .infer = infer_step,
    .impls = { { .name = "plain", .layouts = "AAAP>AA", .prepare = sgd_prepare } },
    .replaces = { 1 + 0, 1 + 2 },
};

/* ---- clipping ---------------------------------------------------------------------------------------------------- */

static hf_status infer_clip(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    HF_TRY(hf_expect_rank(q, 0, 1));
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(SCHEDULE)));
    if (!(q->params->limit > 0))
        return hf_fail(HF_ERR_ARGUMENT, "clip: params.limit is %g, expected a norm above 0", (double)q->params->limit);
    out[0] = hf_desc_f32(HF_SHAPE(SCHEDULE));
    return HF_OK;
}

static int64_t clip_chunks(const hf_call *call)
{
    return (int64_t)hf_ceil_div((size_t)hf_stored(&call->in[0]), CHUNK);
}

static size_t clip_scratch(const hf_call *call)
{
    return (size_t)clip_chunks(call) * sizeof(float);
}

static hf_status clip_prepare(hf_call *call)
{
    const int64_t n = hf_stored(&call->in[0]), chunks = clip_chunks(call);
    HF_TRY(hf_launch(call, "optimizer", "squares", hf_vector_define(call), hf_range_over(chunks, 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->scratch), HF_L(n))));
    return hf_launch(
        call, "optimizer", "clip", hf_vector_define(call), hf_range_over(1, 1, 1),
        HF_ARGS(HF_T(&call->scratch), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_L(chunks), HF_F(call->params.limit)));
}

static uint64_t clip_flop(const hf_query *q)
{
    return 2 * (uint64_t)hf_shape_count(&q->in[0].shape);
}

static const hf_op clip = {
    .name = "clip",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "grad schedule",
    .out_names = "schedule",
    .formula = "s = s min(1, limit / (s |grad| + 1e-6)), |grad| the norm of all of it",
    .infer = infer_clip,
    .flop = clip_flop,
    .impls = { { .name = "plain", .layouts = "PP>P", .scratch = clip_scratch, .prepare = clip_prepare } },
    .replaces = { 1 + 1 },
};

const hf_op *const hf_ops_optimizer[] = { &adam, &adamw, &sgd, &clip, NULL };
