/* loss.c: what training makes small. Every loss is one number, shape [1].
 *
 *     softmax_cross_entropy(logits[N,F], label I32[N], [weights[F]]) -> loss, probability[N,F]
 *         the mean of -log(probability of the label), weighted by class and divided by the sum of the batch's weights
 *     softmax_cross_entropy_dx(probability, label, [weights], dloss) -> dlogits
 *     mse(x, target) -> loss           mse_dx(x, target, dloss) -> dx        mean of squares over all elements
 *     l1(x, target)  -> loss           l1_dx(x, target, dloss)  -> dx        mean of absolute values, gradient 0 at 0
 *
 * Labels outside 0..F-1 make loss and gradients not-a-number; no memory outside the operands is read. */
#include "each.h"

#define CHUNK 512 /* elements of one partial sum, as in sum.h */

/* ---- classification ---------------------------------------------------------------------------------------------- */

/* Operands 0 to 2: a matrix [N,F], labels [N], weights [F] or nothing. */
static hf_status check_classes(const hf_query *q)
{
    HF_TRY(hf_expect_type(q, 0, HF_F32));
    HF_TRY(hf_expect_rank(q, 0, 2));
    HF_TRY(hf_expect_type(q, 1, HF_I32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(q->in[0].shape.dim[0])));
    if (q->n_in < 3 || !hf_present(&q->in[2])) return HF_OK;
    HF_TRY(hf_expect_type(q, 2, HF_F32));
    return hf_expect_shape(q, 2, HF_SHAPE(q->in[0].shape.dim[1]));
}

static hf_status cross_entropy_infer(const hf_query *q, hf_desc *out)
{
    HF_TRY(check_classes(q));
    out[0] = hf_desc_f32(HF_SHAPE(1));
    out[1] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static size_t cross_entropy_scratch(const hf_call *call)
{
    return 2 * (size_t)call->in[0].desc.shape.dim[0] * sizeof(float);
}

static hf_status cross_entropy_prepare(hf_call *call)
{
    const int64_t *dim = call->in[0].desc.shape.dim;
    HF_TRY(hf_launch(call, "loss", "cross_entropy_rows", NULL, hf_range_over(dim[0], 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->out[1]),
                             HF_T(&call->scratch), HF_I(dim[0]), HF_I(dim[1]), HF_I(hf_present(&call->in[2].desc)))));
    return hf_launch(call, "loss", "cross_entropy", NULL, hf_range_over(1, 1, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_I(dim[0])));
}

static uint64_t cross_entropy_flop(const hf_query *q)
{
    return 6 * (uint64_t)hf_shape_count(&q->in[0].shape);
}

static const hf_op cross_entropy = {
    .name = "softmax_cross_entropy",
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .in_names = "logits label weights",
    .out_names = "loss probability",
    .formula =
        "loss = sum_n w[label_n] (-log probability[n,label_n]) / sum_n w[label_n]; probability = softmax(logits)",
    .infer = cross_entropy_infer,
    .flop = cross_entropy_flop,
    .impls = { { .name = "plain",
                 .layouts = "PPP>PP",
                 .scratch = cross_entropy_scratch,
                 .prepare = cross_entropy_prepare } },
    .rules = { { "softmax_cross_entropy_dx",
                 { HF_OUT(1), HF_IN(1), HF_IN(2), HF_DOUT(0), HF_RULE_END },
                 { 0, HF_RULE_END } } },
};

static hf_status cross_entropy_dx_infer(const hf_query *q, hf_desc *out)
{
    if (q->n_in < 4) return hf_fail(HF_ERR_SHAPE, "softmax_cross_entropy_dx: dloss is missing");
    HF_TRY(check_classes(q));
    HF_TRY(hf_expect_type(q, 3, HF_F32));
    HF_TRY(hf_expect_shape(q, 3, HF_SHAPE(1)));
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static size_t one_number(const hf_call *call)
{
    (void)call;
    return sizeof(float);
}

static hf_status cross_entropy_dx_prepare(hf_call *call)
{
    const int64_t *dim = call->in[0].desc.shape.dim;
    const hf_tensor *label = &call->in[1], *weights = &call->in[2];
    const hf_arg has_weights = HF_I(hf_present(&weights->desc));
    HF_TRY(
        hf_launch(call, "loss", "sum_weights", NULL, hf_range_over(1, 1, 1),
                  HF_ARGS(HF_T(label), HF_T(weights), HF_T(&call->scratch), HF_I(dim[0]), HF_I(dim[1]), has_weights)));
    return hf_launch(call, "loss", "cross_entropy_dx", NULL, hf_range_over(dim[0], 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(label), HF_T(weights), HF_T(&call->in[3]), HF_T(&call->scratch),
                             HF_T(&call->out[0]), HF_I(dim[0]), HF_I(dim[1]), has_weights));
}

/* Weights may be absent though dloss, behind them, may not, so the table asks for two operands and the rule for four. */
static const hf_op cross_entropy_dx = {
    .name = "softmax_cross_entropy_dx",
    .min_in = 2,
    .max_in = 4,
    .n_out = 1,
    .in_names = "probability label weights dloss",
    .out_names = "dlogits",
    .formula = "dloss w[label_n] / sum_n w[label_n] (probability[n,f] - [f == label_n])",
    .infer = cross_entropy_dx_infer,
    .impls = { { .name = "plain", .layouts = "PPPP>P", .scratch = one_number, .prepare = cross_entropy_dx_prepare } },
};

/* ---- regression -------------------------------------------------------------------------------------------------- */

static hf_status infer_loss(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_infer_first_alike(q, 2, out));
    out[0] = hf_desc_f32(HF_SHAPE(1));
    return HF_OK;
}

static hf_status infer_loss_dx(const hf_query *q, hf_desc *out)
{
    HF_TRY(hf_expect_type(q, 2, HF_F32));
    HF_TRY(hf_expect_shape(q, 2, HF_SHAPE(1)));
    return hf_infer_first_alike(q, 2, out);
}

static int64_t chunks_of(const hf_call *call)
{
    return (int64_t)hf_ceil_div((size_t)hf_shape_count(&call->in[0].desc.shape), CHUNK);
}

static size_t loss_scratch(const hf_call *call)
{
    return (size_t)chunks_of(call) * sizeof(float);
}

static hf_status launch_loss(hf_call *call)
{
    const int64_t n = hf_shape_count(&call->in[0].desc.shape), chunks = chunks_of(call);
    HF_TRY(hf_launch(call, "loss", call->impl->variant, hf_vector_define(call), hf_range_over(chunks, 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->scratch), HF_L(n))));
    return hf_launch(call, "loss", "mean_of_partial", NULL, hf_range_over(1, 1, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->out[0]), HF_L(chunks), HF_L(n)));
}

static hf_status launch_loss_dx(hf_call *call)
{
    const int64_t n = hf_stored(&call->out[0]);
    return hf_launch_each(
        call, "loss", call->impl->variant, n,
        HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->out[0]), HF_L(n)));
}

static uint64_t loss_flop(const hf_query *q)
{
    return 3 * (uint64_t)hf_shape_count(&q->in[0].shape);
}

static const hf_op mse = {
    .name = "mse",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x target",
    .out_names = "loss",
    .formula = "the mean of (x - target)^2",
    .infer = infer_loss,
    .flop = loss_flop,
    .impls = { { .name = "plain",
                 .layouts = "PP>P",
                 .scratch = loss_scratch,
                 .prepare = launch_loss,
                 .variant = "mse_partial" } },
    .rules = { { "mse_dx", { HF_IN(0), HF_IN(1), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op mse_dx = {
    .name = "mse_dx",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .in_names = "x target dloss",
    .out_names = "dx",
    .formula = "2 dloss (x - target) / elements",
    .infer = infer_loss_dx,
    .impls = { { .name = "plain", .layouts = "PPP>P", .prepare = launch_loss_dx, .variant = "mse_dx" } },
};

static const hf_op l1 = {
    .name = "l1",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x target",
    .out_names = "loss",
    .formula = "the mean of |x - target|",
    .infer = infer_loss,
    .flop = loss_flop,
    .impls = { { .name = "plain",
                 .layouts = "PP>P",
                 .scratch = loss_scratch,
                 .prepare = launch_loss,
                 .variant = "l1_partial" } },
    .rules = { { "l1_dx", { HF_IN(0), HF_IN(1), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op l1_dx = {
    .name = "l1_dx",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .in_names = "x target dloss",
    .out_names = "dx",
    .formula = "dloss sign(x - target) / elements",
    .infer = infer_loss_dx,
    .impls = { { .name = "plain", .layouts = "PPP>P", .prepare = launch_loss_dx, .variant = "l1_dx" } },
};

const hf_op *const hf_ops_loss[] = { &cross_entropy, &cross_entropy_dx, &mse, &mse_dx, &l1, &l1_dx, NULL };
