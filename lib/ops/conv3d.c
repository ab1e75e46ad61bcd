/* conv3d.c: 3D convolution with cubic kernels and its gradients.
 *
 *   conv3d     x [N,C,D,H,W], w [O,C,K,K,K] or [N,O,C,K,K,K], b [O] or [N,O] (may be absent) -> y [N,O,D',H',W']
 *              y = activation(w * x + b), D' = (D + 2 pad - K) / stride + 1, rounded down
 *   conv3d_dx  dy, w  -> dx, the shape in params.shape
 *   conv3d_dw  x, dy  -> dw, K in params.kernel, one bank a sample with params.per_sample
 *   conv3d_db  dy     -> db
 *
 * A filter bank a sample is what a hypernetwork generates. The gradients are those of the part before the activation.
 * Implementations: for CPUs in conv3d_cpu.c and conv3d_winograd.c, for GPUs in conv3d_gpu_direct.c, conv3d_gpu_dw.c,
 * conv3d_gpu_winograd.c, and here the plain ones that fit everything. */
#include "channel_affine.h"
#include "conv3d.h"
#include "conv3d_cpu.h"
#include "conv3d_gpu_direct.h"
#include "conv3d_gpu_dw.h"
#include "conv3d_gpu_winograd.h"
#include "conv3d_winograd.h"

#define MAX_KERNEL 7
#define GROUP      64 /* work-items in a group of the plain kernels */

/* Output positions a plain work-item sums before the next one takes over, and the most partial results kept. */
#define SUM_POSITIONS 4096
#define MAX_PARTIAL   (1 << 24)

static const hf_op conv3d, conv3d_dx, conv3d_dw, conv3d_db;

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

int64_t hf_conv3d_taps(const hf_conv3d_size *size)
{
    return (int64_t)size->k * size->k * size->k;
}

int64_t hf_conv3d_in_voxels(const hf_conv3d_size *size)
{
    return (int64_t)size->in[0] * size->in[1] * size->in[2];
}

int64_t hf_conv3d_out_voxels(const hf_conv3d_size *size)
{
    return (int64_t)size->out[0] * size->out[1] * size->out[2];
}

int64_t hf_conv3d_weights(const hf_conv3d_size *size)
{
    return hf_conv3d_taps(size) * size->c * size->o;
}

static int stride_of(const hf_params *params)
{
    return params->stride ? params->stride : 1;
}

/* Fails unless convolving x gives a result; out receives its depth, height and width. */
static hf_status convolved(const hf_query *q, const hf_shape *x, int64_t kernel, int64_t out[3])
{
    static const char *const axes[] = { "depth", "height", "width" };
    int64_t stride = stride_of(q->params);
    char text[96];
    if (kernel < 1 || kernel > MAX_KERNEL)
        return hf_fail(HF_ERR_SHAPE, "%s: K is %lld, expected 1 to %d", q->op->name, (long long)kernel, MAX_KERNEL);
    if (stride < 1 || q->params->pad < 0)
        return hf_fail(HF_ERR_ARGUMENT, "%s: stride is %lld and pad %d, expected at least 1 and 0", q->op->name,
                       (long long)stride, q->params->pad);
    for (int axis = 0; axis < 3; axis++) {
        int64_t room = x->dim[2 + axis] + 2 * (int64_t)q->params->pad - kernel;
        if (room < 0)
            return hf_fail(HF_ERR_SHAPE, "%s: x %s, K %lld, pad %d: output %s would be %lld", q->op->name,
                           hf_shape_text(x, text), (long long)kernel, q->params->pad, axes[axis],
                           (long long)((room - stride + 1) / stride + 1));
        out[axis] = room / stride + 1;
    }
    return HF_OK;
}

/* Fails unless w is [O,C,K,K,K] or [N,O,C,K,K,K]. channel_axis: of w, counted after a leading sample axis, that must
 * equal `channels`. */
static hf_status check_weights(const hf_query *q, int64_t samples, int channel_axis, int64_t channels)
{
    const hf_shape *w = &q->in[1].shape;
    char text[96];
    if (w->rank != 5 && w->rank != 6)
        return hf_fail(HF_ERR_SHAPE, "%s: w %s, expected [O,C,K,K,K] or [N,O,C,K,K,K]", q->op->name,
                       hf_shape_text(w, text));
    int lead = w->rank - 5;
    const int64_t *dim = w->dim + lead;
    if (dim[2] != dim[3] || dim[3] != dim[4])
        return hf_fail(HF_ERR_SHAPE, "%s: w %s, expected a cubic kernel", q->op->name, hf_shape_text(w, text));
    if (lead && w->dim[0] != samples)
        return hf_fail(HF_ERR_SHAPE, "%s: w %s has banks for %lld samples, %s has %lld", q->op->name,
                       hf_shape_text(w, text), (long long)w->dim[0], channel_axis ? "x" : "dy", (long long)samples);
    if (dim[channel_axis] != channels) {
        char first[96];
        return hf_fail(HF_ERR_SHAPE, "%s: w %s does not fit %s %s: %lld against %lld channels", q->op->name,
                       hf_shape_text(w, text), channel_axis ? "x" : "dy", hf_shape_text(&q->in[0].shape, first),
                       (long long)dim[channel_axis], (long long)channels);
    }
    return HF_OK;
}

hf_conv3d_size hf_conv3d_size_of(const hf_call *call)
{
    const hf_params *params = &call->params;
    const hf_desc *first = &call->in[0].desc, *second = &call->in[1].desc;
    hf_conv3d_size size = { .n = (int)first->shape.dim[0], .stride = stride_of(params), .pad = params->pad };
    hf_shape x = first->shape;
    if (call->op == &conv3d_db) {
        size.o = (int)x.dim[1];
        size.per_sample = params->per_sample != 0;
        for (int axis = 0; axis < 3; axis++)
            size.out[axis] = (int)x.dim[2 + axis];
        return size;
    }
    if (call->op == &conv3d_dx) x = params->shape;
    if (call->op == &conv3d_dw) {
        size.per_sample = params->per_sample != 0;
        size.k = params->kernel;
        size.o = (int)second->shape.dim[1];
    } else {
        size.per_sample = second->shape.rank == 6;
        size.k = (int)second->shape.dim[second->shape.rank - 1];
        size.o = (int)second->shape.dim[size.per_sample];
    }
    size.c = (int)x.dim[1];
    size.bias = call->op == &conv3d && call->n_in > 2 && hf_present(&call->in[2].desc);
    for (int axis = 0; axis < 3; axis++) {
        size.in[axis] = (int)x.dim[2 + axis];
        size.out[axis] = (size.in[axis] + 2 * size.pad - size.k) / size.stride + 1;
    }
    return size;
}

hf_conv3d_pass hf_conv3d_forward_pass(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const int taps = (int)hf_conv3d_taps(&s);
    return (hf_conv3d_pass){ .from = &call->in[0],
                             .w = &call->in[1],
                             .bias = s.bias ? &call->in[2] : NULL,
                             .to = &call->out[0],
                             .n = s.n,
                             .from_channels = s.c,
                             .to_channels = s.o,
                             .k = s.k,
                             .pad = s.pad,
                             .stride = s.stride,
                             .up = 1,
                             .from_size = { s.in[0], s.in[1], s.in[2] },
                             .to_size = { s.out[0], s.out[1], s.out[2] },
                             .from_channel = taps,
                             .to_channel = taps * s.c,
                             .per_sample = s.per_sample,
                             .has_bias = s.bias,
                             .relu = call->params.activation == HF_RELU };
}

hf_conv3d_pass hf_conv3d_dx_pass(const hf_call *call)
{
    const hf_conv3d_size s = hf_conv3d_size_of(call);
    const int taps = (int)hf_conv3d_taps(&s);
    return (hf_conv3d_pass){ .from = &call->in[0],
                             .w = &call->in[1],
                             .to = &call->out[0],
                             .n = s.n,
                             .from_channels = s.o,
                             .to_channels = s.c,
                             .k = s.k,
                             .pad = s.k - 1 - s.pad,
                             .stride = 1,
                             .up = s.stride,
                             .from_size = { s.out[0], s.out[1], s.out[2] },
                             .to_size = { s.in[0], s.in[1], s.in[2] },
                             .from_channel = taps * s.c,
                             .to_channel = taps,
                             .flip = true,
                             .per_sample = s.per_sample };
}

/* ---- shape rules ------------------------------------------------------------------------------------------------- */

/* Operands that are there hold floats, and their voxels can be counted with 32-bit integers, as the kernels do. */
static hf_status expect_floats(const hf_query *q)
{
    char text[96];
    for (int i = 0; i < q->n_in; i++) {
        const int64_t *dim = q->in[i].shape.dim;
        if (!hf_present(&q->in[i])) continue;
        HF_TRY(hf_expect_type(q, i, HF_F32));
        if (q->in[i].shape.rank == 5 && dim[2] * dim[3] * dim[4] * dim[0] > INT32_MAX)
            return hf_fail(HF_ERR_UNSUPPORTED, "%s: %s has more than 2^31 voxels", q->op->name,
                           hf_shape_text(&q->in[i].shape, text));
    }
    return HF_OK;
}

static hf_status infer_conv3d(const hf_query *q, hf_desc *out)
{
    HF_TRY(expect_floats(q));
    HF_TRY(hf_expect_rank(q, 0, 5));
    const hf_shape *x = &q->in[0].shape, *w = &q->in[1].shape;
    HF_TRY(check_weights(q, x->dim[0], 1, x->dim[1]));
    int64_t size[3], o = w->dim[w->rank - 5];
    HF_TRY(convolved(q, x, w->dim[w->rank - 1], size));
    if (q->n_in > 2 && hf_present(&q->in[2]))
        HF_TRY(hf_expect_shape(q, 2, w->rank == 6 ? HF_SHAPE(x->dim[0], o) : HF_SHAPE(o)));
    out[0] = hf_desc_f32(HF_SHAPE(x->dim[0], o, size[0], size[1], size[2]));
    return HF_OK;
}

static hf_status infer_conv3d_dx(const hf_query *q, hf_desc *out)
{
    HF_TRY(expect_floats(q));
    HF_TRY(hf_expect_rank(q, 0, 5));
    const hf_shape *dy = &q->in[0].shape, *w = &q->in[1].shape, *x = &q->params->shape;
    char text[96];
    if (x->rank != 5)
        return hf_fail(HF_ERR_ARGUMENT, "conv3d_dx: params.shape is %s, expected the shape of x",
                       hf_shape_text(x, text));
    HF_TRY(check_weights(q, dy->dim[0], 0, dy->dim[1]));
    if (w->dim[w->rank - 4] != x->dim[1])
        return hf_fail(HF_ERR_SHAPE, "conv3d_dx: w has %lld input channels, x %s", (long long)w->dim[w->rank - 4],
                       hf_shape_text(x, text));
    int64_t size[3];
    HF_TRY(convolved(q, x, w->dim[w->rank - 1], size));
    HF_TRY(hf_expect_shape(q, 0, HF_SHAPE(x->dim[0], dy->dim[1], size[0], size[1], size[2])));
    out[0] = hf_desc_f32(*x);
    return HF_OK;
}

static hf_status infer_conv3d_dw(const hf_query *q, hf_desc *out)
{
    HF_TRY(expect_floats(q));
    HF_TRY(hf_expect_rank(q, 0, 5));
    HF_TRY(hf_expect_rank(q, 1, 5));
    const hf_shape *x = &q->in[0].shape;
    int64_t k = q->params->kernel, o = q->in[1].shape.dim[1], size[3];
    HF_TRY(convolved(q, x, k, size));
    HF_TRY(hf_expect_shape(q, 1, HF_SHAPE(x->dim[0], o, size[0], size[1], size[2])));
    out[0] = hf_desc_f32(q->params->per_sample ? HF_SHAPE(x->dim[0], o, x->dim[1], k, k, k)
                                               : HF_SHAPE(o, x->dim[1], k, k, k));
    return HF_OK;
}

static hf_status infer_conv3d_db(const hf_query *q, hf_desc *out)
{
    HF_TRY(expect_floats(q));
    HF_TRY(hf_expect_rank(q, 0, 5));
    const int64_t *dim = q->in[0].shape.dim;
    out[0] = hf_desc_f32(q->params->per_sample ? HF_SHAPE(dim[0], dim[1]) : HF_SHAPE(dim[1]));
    return HF_OK;
}

/* ---- cost and gradients ------------------------------------------------------------------------------------------ */

/* A multiplication and an addition for every weight at every output position, in all three directions. */
static uint64_t flop_of_weights(const hf_query *q)
{
    hf_call call = { .op = q->op, .params = *q->params, .n_in = q->n_in };
    for (int i = 0; i < q->n_in; i++)
        call.in[i].desc = q->in[i];
    const hf_conv3d_size size = hf_conv3d_size_of(&call);
    return 2 * (uint64_t)size.n * (uint64_t)hf_conv3d_out_voxels(&size) * (uint64_t)hf_conv3d_weights(&size);
}

static uint64_t flop_conv3d_db(const hf_query *q)
{
    return (uint64_t)hf_shape_count(&q->in[0].shape);
}

static hf_params gradient_params(const hf_query *q, int rule)
{
    (void)rule;
    const hf_shape *w = &q->in[1].shape;
    return (hf_params){ .kernel = (int)w->dim[w->rank - 1],
                        .stride = stride_of(q->params),
                        .pad = q->params->pad,
                        .per_sample = w->rank == 6,
                        .shape = q->in[0].shape };
}

/* ---- plain implementations --------------------------------------------------------------------------------------- */

/* Work-items that know nothing of each other, in groups that may be smaller where the device wants it. */
static hf_range line(int64_t items)
{
    hf_range range = hf_conv3d_line(items, GROUP);
    range.shrinks = true;
    return range;
}

static hf_status prepare_plain(hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    int64_t items = s.n * s.o * hf_conv3d_out_voxels(&s);
    return hf_launch(call, "conv3d", "conv3d_plain", NULL, line(items),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->in[2]), HF_T(&call->out[0]), HF_I(s.n),
                             HF_I(s.c), HF_I(s.o), HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]),
                             HF_I(s.out[1]), HF_I(s.out[2]), HF_I(s.k), HF_I(s.stride), HF_I(s.pad), HF_I(s.per_sample),
                             HF_I(s.bias), HF_I(call->params.activation == HF_RELU)));
}

static hf_status prepare_dx_plain(hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    int64_t items = s.n * s.c * hf_conv3d_in_voxels(&s);
    return hf_launch(call, "conv3d", "conv3d_dx_plain", NULL, line(items),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&call->out[0]), HF_I(s.n), HF_I(s.c),
                             HF_I(s.o), HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]), HF_I(s.out[1]),
                             HF_I(s.out[2]), HF_I(s.k), HF_I(s.stride), HF_I(s.pad), HF_I(s.per_sample)));
}

/* How the rows (n,od,oh) of output positions are cut into pieces that are summed apart. It depends on the problem
 * alone, so that every device adds in the same order. */
typedef struct cut {
    int64_t weights; /* of all banks */
    int rows, rows_per_chunk, chunks;
} cut;

static cut cut_of(const hf_conv3d_size *s)
{
    int64_t rows = (int64_t)(s->per_sample ? 1 : s->n) * s->out[0] * s->out[1];
    int64_t weights = hf_conv3d_weights(s) * (s->per_sample ? s->n : 1);
    int64_t per_chunk = (int64_t)hf_ceil_div(SUM_POSITIONS, (size_t)s->out[2]);
    int64_t most = MAX_PARTIAL / weights > 1 ? MAX_PARTIAL / weights : 1; /* NOLINT: no operand is empty */
    int64_t fewest_rows = (int64_t)hf_ceil_div((size_t)rows, (size_t)most);
    if (per_chunk < fewest_rows) per_chunk = fewest_rows;
    return (cut){ .weights = weights,
                  .rows = (int)rows,
                  .rows_per_chunk = (int)per_chunk,
                  .chunks = (int)hf_ceil_div((size_t)rows, (size_t)per_chunk) };
}

static size_t scratch_dw_plain(const hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    cut pieces = cut_of(&s);
    return pieces.chunks == 1 ? 0 : (size_t)pieces.weights * (size_t)pieces.chunks * sizeof(float);
}

static hf_status prepare_dw_plain(hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    cut pieces = cut_of(&s);
    int64_t items = pieces.weights * pieces.chunks;
    hf_tensor part = call->out[0];
    if (pieces.chunks > 1) HF_TRY(hf_scratch_part(&part, call, 0, items));
    HF_TRY(hf_launch(call, "conv3d", "conv3d_dw_plain", NULL, line(items),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&call->in[1]), HF_T(&part), HF_I(s.per_sample ? s.n : 1),
                             HF_I(s.c), HF_I(s.o), HF_I(s.in[0]), HF_I(s.in[1]), HF_I(s.in[2]), HF_I(s.out[0]),
                             HF_I(s.out[1]), HF_I(s.out[2]), HF_I(s.k), HF_I(s.stride), HF_I(s.pad), HF_I(pieces.rows),
                             HF_I(pieces.rows_per_chunk), HF_I(pieces.chunks))));
    if (pieces.chunks == 1) return HF_OK;
    return hf_launch(call, "conv3d", "conv3d_add_parts", NULL, line(pieces.weights),
                     HF_ARGS(HF_T(&part), HF_T(&call->out[0]), HF_I(pieces.weights), HF_I(pieces.chunks)));
}

/* A blocked tensor's is the sum over voxels that channel_affine has. */
static int64_t db_chunks(const hf_conv3d_size *s)
{
    return (int64_t)hf_ceil_div((size_t)hf_conv3d_out_voxels(s), SUM_POSITIONS);
}

static size_t scratch_db(const hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    return (size_t)(s.n * s.o * db_chunks(&s)) * sizeof(float);
}

static hf_status prepare_db(hf_call *call)
{
    hf_conv3d_size s = hf_conv3d_size_of(call);
    int64_t chunks = db_chunks(&s), items = s.n * s.o * chunks;
    int banks = s.per_sample ? s.n : 1;
    hf_tensor part;
    HF_TRY(hf_scratch_part(&part, call, 0, items));
    HF_TRY(hf_launch(call, "conv3d", "conv3d_db_part", NULL, line(items),
                     HF_ARGS(HF_T(&call->in[0]), HF_T(&part), HF_I(s.n), HF_I(s.o), HF_I(hf_conv3d_out_voxels(&s)),
                             HF_I(SUM_POSITIONS), HF_I(chunks))));
    return hf_launch(call, "conv3d", "conv3d_db_sum", NULL, line((int64_t)banks * s.o),
                     HF_ARGS(HF_T(&part), HF_T(&call->out[0]), HF_I(s.o), HF_I(banks), HF_I(chunks * s.n / banks)));
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* clang-format off */
static const hf_op conv3d = {
    .name = "conv3d",
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .in_names = "x w b",
    .out_names = "y",
    .formula = "y[n,o,p] = act(b[o] + sum c,t: w[o,c,t] x[n,c,p*stride-pad+t]); w and b may have a leading n",
    .infer = infer_conv3d,
    .flop = flop_of_weights,
    .impls = { { .name = "cpu_winograd", .layouts = "BPP>B", .refuse = hf_conv3d_winograd_refuse,
                 .scratch = hf_conv3d_winograd_scratch, .prepare = hf_conv3d_winograd_prepare },
               HF_CONV3D_CPU_FORWARD
               { .name = "gpu_first", .layouts = "PPP>B", .refuse = hf_conv3d_gpu_direct_refuse_first,
                 .scratch = hf_conv3d_gpu_direct_scratch_first, .prepare = hf_conv3d_gpu_direct_prepare_first },
               { .name = "gpu_tensor", .layouts = "BPP>B", .refuse = hf_conv3d_gpu_direct_refuse_tensor,
                 .scratch = hf_conv3d_gpu_direct_scratch_tensor, .prepare = hf_conv3d_gpu_direct_prepare_tensor },
               { .name = "gpu_direct", .layouts = "BPP>B", .refuse = hf_conv3d_gpu_direct_refuse,
                 .scratch = hf_conv3d_gpu_direct_scratch, .prepare = hf_conv3d_gpu_direct_prepare },
               { .name = "gpu_winograd", .layouts = "BPP>B", .refuse = hf_conv3d_gpu_winograd_refuse,
                 .scratch = hf_conv3d_gpu_winograd_scratch, .prepare = hf_conv3d_gpu_winograd_prepare },
               { .name = "plain", .layouts = "PPP>P", .prepare = prepare_plain } },
    .rules = { { "conv3d_dx", { HF_DOUT(0), HF_IN(1), HF_RULE_END }, { 0, HF_RULE_END } },
               { "conv3d_dw", { HF_IN(0), HF_DOUT(0), HF_RULE_END }, { 1, HF_RULE_END } },
               { "conv3d_db", { HF_DOUT(0), HF_RULE_END }, { 2, HF_RULE_END } } },
    .rule_params = gradient_params,
};

static const hf_op conv3d_dx = {
    .name = "conv3d_dx",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "dy w",
    .out_names = "dx",
    .formula = "dx[n,c,q] = sum o,t: w[o,c,t] dy[n,o,(q+pad-t)/stride], where the division is exact",
    .infer = infer_conv3d_dx,
    .flop = flop_of_weights,
    .impls = { { .name = "cpu_winograd", .layouts = "BP>B", .refuse = hf_conv3d_winograd_refuse,
                 .scratch = hf_conv3d_winograd_scratch_dx, .prepare = hf_conv3d_winograd_prepare_dx },
               HF_CONV3D_CPU_DX
               { .name = "gpu_tensor", .layouts = "BP>B", .refuse = hf_conv3d_gpu_direct_refuse_tensor,
                 .scratch = hf_conv3d_gpu_direct_scratch_tensor_dx, .prepare = hf_conv3d_gpu_direct_prepare_tensor_dx },
               { .name = "gpu_direct", .layouts = "BP>B", .refuse = hf_conv3d_gpu_direct_refuse,
                 .scratch = hf_conv3d_gpu_direct_scratch_dx, .prepare = hf_conv3d_gpu_direct_prepare_dx },
               { .name = "gpu_winograd", .layouts = "BP>B", .refuse = hf_conv3d_gpu_winograd_refuse,
                 .scratch = hf_conv3d_gpu_winograd_scratch_dx, .prepare = hf_conv3d_gpu_winograd_prepare_dx },
               { .name = "plain", .layouts = "PP>P", .prepare = prepare_dx_plain } },
};

static const hf_op conv3d_dw = {
    .name = "conv3d_dw",
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .in_names = "x dy",
    .out_names = "dw",
    .formula = "dw[o,c,t] = sum n,p: dy[n,o,p] x[n,c,p*stride-pad+t]; per_sample: one sample's sum for each n",
    .infer = infer_conv3d_dw,
    .flop = flop_of_weights,
    .impls = { { .name = "cpu_winograd", .layouts = "BB>P", .refuse = hf_conv3d_winograd_refuse_dw,
                 .scratch = hf_conv3d_winograd_scratch_dw, .prepare = hf_conv3d_winograd_prepare_dw },
               HF_CONV3D_CPU_DW
               { .name = "gpu_first_direct", .layouts = "PB>P", .refuse = hf_conv3d_gpu_dw_refuse_first_direct,
                 .scratch = hf_conv3d_gpu_dw_scratch_first_direct, .prepare = hf_conv3d_gpu_dw_prepare_first_direct },
               { .name = "gpu_first", .layouts = "PB>P", .refuse = hf_conv3d_gpu_dw_refuse_first,
                 .scratch = hf_conv3d_gpu_dw_scratch_first, .prepare = hf_conv3d_gpu_dw_prepare_first },
               { .name = "gpu_direct", .layouts = "BB>P", .refuse = hf_conv3d_gpu_dw_refuse_direct,
                 .scratch = hf_conv3d_gpu_dw_scratch_direct, .prepare = hf_conv3d_gpu_dw_prepare_direct },
               { .name = "gpu", .layouts = "BB>P", .refuse = hf_conv3d_gpu_dw_refuse,
                 .scratch = hf_conv3d_gpu_dw_scratch, .prepare = hf_conv3d_gpu_dw_prepare },
               { .name = "plain", .layouts = "PP>P", .scratch = scratch_dw_plain, .prepare = prepare_dw_plain } },
};

static const hf_op conv3d_db = {
    .name = "conv3d_db",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .in_names = "dy",
    .out_names = "db",
    .formula = "db[o] = sum n,p: dy[n,o,p]; per_sample: one sample's sum for each n",
    .infer = infer_conv3d_db,
    .flop = flop_conv3d_db,
    .impls = { HF_CONV3D_CPU_DB
               { .name = "blocked", .layouts = "B>P", .scratch = hf_channel_sums_scratch,
                 .prepare = hf_channel_sums_prepare },
               { .name = "plain", .layouts = "P>P", .scratch = scratch_db, .prepare = prepare_db } },
};
/* clang-format on */

const hf_op *const hf_ops_conv3d[] = { &conv3d, &conv3d_dx, &conv3d_dw, &conv3d_db, NULL };
