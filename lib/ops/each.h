/* each.h: what the operators that go over all elements, or over the voxels of each channel, have in common: operand
 * rules and launch ranges. Everything is small and static, so an operator file needs nothing but this header. */
#ifndef HF_OPS_EACH_H
#define HF_OPS_EACH_H

#include "../op.h"

/* A tensor [N,C,D,H,W] or [N,C] seen as N x C rows of voxels. */
typedef struct hf_rows {
    int64_t n, channels, voxels;
    int64_t blocks; /* of 16 channels */
} hf_rows;

static inline hf_rows hf_rows_of(const hf_desc *x)
{
    hf_rows rows = { x->shape.dim[0], x->shape.dim[1], 1, hf_blocks(x->shape.dim[1]) };
    for (int i = 2; i < x->shape.rank; i++)
        rows.voxels *= x->shape.dim[i];
    return rows;
}

/* Fails unless operand `index` is a float tensor [N,C,D,H,W], or [N,C] where that is allowed, whose rows and voxels
 * can be counted with 32-bit integers, as the kernels do. */
static inline hf_status hf_expect_rows(const hf_query *q, int index, bool flat_too)
{
    HF_TRY(hf_expect_type(q, index, HF_F32));
    if (!(flat_too && q->in[index].shape.rank == 2)) HF_TRY(hf_expect_rank(q, index, 5));
    hf_rows rows = hf_rows_of(&q->in[index]);
    char text[96];
    if (rows.voxels > INT32_MAX || rows.n * rows.blocks * HF_BLOCK > INT32_MAX)
        return hf_fail(HF_ERR_UNSUPPORTED, "%s: %s has more than 2^31 voxels or channels", q->op->name,
                       hf_shape_text(&q->in[index].shape, text));
    return HF_OK;
}

/* Operand `index` is a float matrix whose axes can be counted with 32-bit integers, as the kernels do. */
static inline hf_status hf_expect_matrix(const hf_query *q, int index)
{
    char text[96];
    HF_TRY(hf_expect_type(q, index, HF_F32));
    HF_TRY(hf_expect_rank(q, index, 2));
    if (q->in[index].shape.dim[0] <= INT32_MAX && q->in[index].shape.dim[1] <= INT32_MAX) return HF_OK;
    return hf_fail(HF_ERR_UNSUPPORTED, "%s: %s has an axis longer than 2^31", q->op->name,
                   hf_shape_text(&q->in[index].shape, text));
}

/* The first n operands are float tensors of one shape, and so is the result. */
static inline hf_status hf_infer_first_alike(const hf_query *q, int n, hf_desc *out)
{
    for (int i = 0; i < n; i++) {
        HF_TRY(hf_expect_type(q, i, HF_F32));
        HF_TRY(hf_expect_shape(q, i, q->in[0].shape));
    }
    out[0] = hf_desc_f32(q->in[0].shape);
    return HF_OK;
}

/* All operands are. */
static inline hf_status hf_infer_alike(const hf_query *q, hf_desc *out)
{
    return hf_infer_first_alike(q, q->n_in, out);
}

/* The operator's own options with the shape of forward operand 0: what gradients need whose result's shape does not
 * follow from their operands. */
static inline hf_params hf_params_with_shape(const hf_query *q, int rule)
{
    (void)rule;
    hf_params result = *q->params;
    result.shape = q->in[0].shape;
    return result;
}

/* Enough groups of `group` work-items for `items`, by `rows` along the second dimension. */
static inline hf_range hf_range_over(int64_t items, size_t group, int64_t rows)
{
    return (hf_range){ .groups = { hf_ceil_div((size_t)items, group), (size_t)rows, 1 },
                       .items = { group, 1, 1 },
                       .shrinks = group == 64 };
}

/* GPUs take narrow vectors and share chunks of blocked tensors among the work-items of a group (common.h says how); CPUs,
 * and GPUs whose groups are too small for that, do not. */
#define HF_TEAM 64

static inline bool hf_teams(const hf_call *call)
{
    return !hf_context_device(call->context)->is_cpu && hf_context_runs_groups_of(call->context, HF_TEAM);
}

static inline const char *hf_vector_define(const hf_call *call)
{
    return hf_teams(call) ? "-DVEC=4" : NULL;
}

static inline int hf_vector(const hf_call *call)
{
    return hf_teams(call) ? 4 : 16;
}

/* A team for each of `chunks`, by `rows` along the second dimension; without teams, groups of `few` single work-items. */
static inline hf_range hf_range_teams(const hf_call *call, int64_t chunks, size_t few, int64_t rows)
{
    if (!hf_teams(call)) return hf_range_over(chunks, few, rows);
    return (hf_range){ .groups = { (size_t)chunks, (size_t)rows, 1 }, .items = { HF_TEAM, 1, 1 } };
}

/* Whether the implementation that is asked or prepared takes operand 0 in the blocked layout. */
static inline bool hf_blocked(const hf_call *call)
{
    return call->impl->layouts[0] == 'B';
}

static inline const char *hf_refuse_flat(const hf_call *call)
{
    return call->in[0].desc.shape.rank == 5 ? NULL : "x is [N,C], which has no blocked layout";
}

/* Voxels of a row that are summed apart, by one work-item or by a team, as in batch_norm.cl and channel_affine.cl; and
 * how many such chunks a row has. */
#define HF_ROW_CHUNK      256
#define HF_ROW_TEAM_CHUNK 512

static inline int64_t hf_row_chunks(const hf_call *call, const hf_rows *rows)
{
    return (int64_t)hf_ceil_div((size_t)rows->voxels, hf_teams(call) ? HF_ROW_TEAM_CHUNK : HF_ROW_CHUNK);
}

/* Rows in memory: blocked tensors have padding channels. */
static inline int64_t hf_stored_rows(const hf_call *call, const hf_rows *rows)
{
    return rows->n * (hf_blocked(call) ? rows->blocks * HF_BLOCK : rows->channels);
}

/* Floats a tensor has in memory, with the padding channels of the blocked layout. */
static inline int64_t hf_stored(const hf_tensor *tensor)
{
    return (int64_t)(hf_desc_bytes(&tensor->desc) / sizeof(float));
}

/* Launches an elementwise kernel over `count` elements; its arguments are whatever it needs, count among them. */
static inline hf_status hf_launch_each(hf_call *call, const char *program, const char *kernel, int64_t count,
                                       const hf_arg *args, int n_args)
{
    bool is_cpu = hf_context_device(call->context)->is_cpu;
    hf_range range = hf_range_over((int64_t)hf_ceil_div((size_t)count, is_cpu ? 16 : 4), 64, 1);
    return hf_launch(call, program, kernel, is_cpu ? NULL : "-DVEC=4", range, args, n_args);
}

#endif
