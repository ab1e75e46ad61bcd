/* cox.c: the partial likelihood of Cox's proportional hazards over a batch.
 *
 *     cox(x [N,1], time [N], event I32 [N]) -> loss [1], state [N,2]
 *         x: logarithm of the relative hazard; time: of the event (event 1), or until which there was none (0)
 *     cox_dx(x, time, event, state, dloss [1]) -> dx [N,1]
 *
 * With E events, and for event i at t_i the subjects at risk R_i = { j: t_j >= t_i }:
 *
 *     loss = 1/E sum over events i: log S_i - x_i,   S_i = sum over j in R_i: w_ij exp(x_j);   0 without any event
 *
 * Breslow's form has w_ij = 1. Efron's (params.efron) takes the d events at one time one after the other: the l-th of them
 * (l = 0 .. d-1 in the order of the batch) has w_ij = 1 - l/d for the events at that time. state = { log S_i, l/d }.
 * Times that differ are never ties, however near. An event that is neither 0 nor 1 makes loss and gradients not-a-number.
 *
 * Sources: Cox (1972), Breslow (1974), Efron (1977). N^2 terms: a batch is small. */
#include "each.h"

/* Operands 0 to 2: x, time, event. */
static hf_status check_survival(const hf_query *q)
{
    HF_TRY(hf_expect_matrix(q, 0));
    const int64_t n = q->in[0].shape.dim[0];
    HF_TRY(hf_expect_shape(q, 0, HF_SHAPE(n, 1)));
    HF_TRY(hf_expect_type(q, 1, HF_F32));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(n)));
    HF_TRY(hf_expect_type(q, 2, HF_I32));
    return hf_expect_shape(q, 2, HF_SHAPE(n));
}

static hf_status infer_cox(const hf_query *q, hf_desc *out)
{
    HF_TRY(check_survival(q));
    out[0] = hf_desc_f32(HF_SHAPE(1));
    out[1] = hf_desc_f32(HF_SHAPE(q->in[0].shape.dim[0], 2));
    return HF_OK;
}

static size_t cox_scratch(const hf_call *call)
{
    return (size_t)call->in[0].desc.shape.dim[0] * sizeof(float);
}

static hf_status prepare_cox(hf_call *call)
{
    const int64_t n = call->in[0].desc.shape.dim[0];
    HF_TRY(hf_launch(call, "cox", "cox_terms", NULL, hf_range_over(n, 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->out[1]),
                             HF_T(&call->scratch), HF_I(n), HF_I(call->params.efron))));
    return hf_launch(call, "cox", "cox_mean", NULL, hf_range_over(1, 1, 1),
                     HF_ARGS(HF_T(&call->scratch), HF_T(&call->in[2]), HF_T(&call->out[0]), HF_I(n)));
}

static hf_status infer_cox_dx(const hf_query *q, hf_desc *out)
{
    HF_TRY(check_survival(q));
    HF_TRY(hf_expect_type(q, 3, HF_F32));
    HF_TRY(hf_expect_shape(q, 3, HF_SHAPE(q->in[0].shape.dim[0], 2)));
    HF_TRY(hf_expect_type(q, 4, HF_F32));
    HF_TRY(hf_expect_shape(q, 4, HF_SHAPE(1)));
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

static hf_status prepare_cox_dx(hf_call *call)
{
    const int64_t n = call->in[0].desc.shape.dim[0];
    return hf_launch(call, "cox", "cox_dx", NULL, hf_range_over(n, 64, 1),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->in[3]),
                             HF_T(&call->in[4]), HF_T(&call->out[0]), HF_I(n)));
}

static uint64_t cox_flop(const hf_query *q)
{
    const uint64_t n = (uint64_t)q->in[0].shape.dim[0];
    return 3 * n * n;
}

static const hf_op cox = {
    .name = "cox",
    .min_in = 3,
    .max_in = 3,
    .n_out = 2,
    .in_names = "x time event",
    .out_names = "loss state",
    .formula =
        "loss = the mean over events i of log(sum j: [time_j >= time_i] w_ij exp(x_j)) - x_i; w of Breslow or Efron",
    .infer = infer_cox,
    .flop = cox_flop,
    .impls = { { .name = "plain", .layouts = "PPP>PP", .scratch = cox_scratch, .prepare = prepare_cox } },
    .rules = { { "cox_dx", { HF_IN(0), HF_IN(1), HF_IN(2), HF_OUT(1), HF_DOUT(0), HF_RULE_END }, { 0, HF_RULE_END } } },
};

static const hf_op cox_dx = {
    .name = "cox_dx",
    .min_in = 5,
    .max_in = 5,
    .n_out = 1,
    .in_names = "x time event state dloss",
    .out_names = "dx",
    .formula = "dx_j = dloss / events (sum of events i: [time_j >= time_i] w_ij exp(x_j) / S_i, less 1 where j is one)",
    .infer = infer_cox_dx,
    .flop = cox_flop,
    .impls = { { .name = "plain", .layouts = "PPPPP>P", .prepare = prepare_cox_dx } },
};

const hf_op *const hf_ops_cox[] = { &cox, &cox_dx, NULL };
