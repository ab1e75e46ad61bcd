/* op.c: the table of operators, shape rules, and which implementation computes what. */
#include "op.h"
#include <string.h>

#define HF_OP(stem) extern const hf_op *const hf_ops_##stem[];
#include "ops/ops.def"
#undef HF_OP

static const hf_op *const *const stems[] = {
#define HF_OP(stem) hf_ops_##stem,
#include "ops/ops.def"
#undef HF_OP
};
#define N_STEMS (sizeof stems / sizeof stems[0])

const hf_op *hf_op_at(int index)
{
    for (size_t s = 0; s < N_STEMS; s++)
        for (const hf_op *const *op = stems[s]; *op; op++)
            if (index-- == 0) return *op;
    return NULL;
}

const hf_op *hf_op_find(const char *name)
{
    for (size_t s = 0; s < N_STEMS; s++)
        for (const hf_op *const *op = stems[s]; *op; op++)
            if (strcmp((*op)->name, name) == 0) return *op;
    return NULL;
}

const char *hf_op_name(const hf_op *op)
{
    return op->name;
}

const hf_rule *hf_op_rules(const hf_op *op)
{
    return op->rules;
}

int hf_op_replaces(const hf_op *op, int result)
{
    return result < HF_MAX_OUT ? op->replaces[result] - 1 : -1;
}

hf_params hf_op_rule_params(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in, int rule)
{
    return op->rule_params ? op->rule_params(&(hf_query){ op, params, in, n_in }, rule) : *params;
}

/* ---- shape rules ------------------------------------------------------------------------------------------------- */

bool hf_present(const hf_desc *desc)
{
    return desc->shape.rank > 0;
}

hf_desc hf_desc_f32(hf_shape shape)
{
    return (hf_desc){ .shape = shape, .type = HF_F32, .layout = HF_PLAIN };
}

/* The index-th word of "x w b" into name[16]. */
static const char *operand_name(const hf_op *op, int index, char name[16])
{
    const char *from = op->in_names;
    size_t n = 0;
    for (; from && index > 0; index--) {
        from = strchr(from, ' ');
        if (from) from++;
    }
    for (; from && from[n] && from[n] != ' ' && n < 15; n++)
        name[n] = from[n];
    name[n] = 0;
    return name;
}

hf_status hf_expect_rank(const hf_query *q, int index, int rank)
{
    char name[16], shape[96];
    if (q->in[index].shape.rank == rank) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "%s: %s has shape %s, expected %d axes", q->op->name, operand_name(q->op, index, name),
                   hf_shape_text(&q->in[index].shape, shape), rank);
}

hf_status hf_expect_shape(const hf_query *q, int index, hf_shape shape)
{
    char name[16], got[96], want[96];
    if (hf_shape_equal(&q->in[index].shape, &shape)) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "%s: %s has shape %s, expected %s", q->op->name, operand_name(q->op, index, name),
                   hf_shape_text(&q->in[index].shape, got), hf_shape_text(&shape, want));
}

hf_status hf_expect_type(const hf_query *q, int index, hf_type type)
{
    static const char *const types[] = { "float", "int", "byte" };
    char name[16];
    if (!hf_present(&q->in[index]))
        return hf_fail(HF_ERR_SHAPE, "%s: %s is missing", q->op->name, operand_name(q->op, index, name));
    if (q->in[index].type == type) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "%s: %s has elements of type %s, expected %s", q->op->name,
                   operand_name(q->op, index, name), types[q->in[index].type], types[type]);
}

static hf_status check_present(const hf_op *op, const hf_desc *in, int n_in)
{
    char name[16];
    if (n_in < op->min_in || n_in > op->max_in)
        return hf_fail(HF_ERR_ARGUMENT, "%s takes %d to %d operands (%s), got %d", op->name, op->min_in, op->max_in,
                       op->in_names, n_in);
    for (int i = 0; i < n_in; i++) {
        char shape[96];
        if (i < op->min_in && !hf_present(&in[i]))
            return hf_fail(HF_ERR_SHAPE, "%s: %s is missing", op->name, operand_name(op, i, name));
        if (hf_present(&in[i]) && hf_shape_count(&in[i].shape) <= 0)
            return hf_fail(HF_ERR_SHAPE, "%s: %s has shape %s, expected every axis at least 1", op->name,
                           operand_name(op, i, name), hf_shape_text(&in[i].shape, shape));
    }
    return HF_OK;
}

hf_status hf_op_infer(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in, hf_desc *out, int *n_out)
{
    static const hf_params defaults = { 0 };
    HF_TRY(check_present(op, in, n_in));
    HF_TRY(op->infer(&(hf_query){ op, params ? params : &defaults, in, n_in }, out));
    for (int k = 0; k < op->n_out; k++) {
        char shape[96];
        if (hf_shape_count(&out[k].shape) > 0) continue;
        return hf_fail(HF_ERR_SHAPE, "%s: result %d would have shape %s", op->name, k,
                       hf_shape_text(&out[k].shape, shape));
    }
    *n_out = op->n_out;
    return HF_OK;
}

uint64_t hf_op_flop(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in)
{
    if (op->flop) return op->flop(&(hf_query){ op, params, in, n_in });
    hf_desc out[HF_MAX_OUT];
    int n_out = 0;
    return hf_op_infer(op, params, in, n_in, out, &n_out) == HF_OK ? (uint64_t)hf_shape_count(&out[0].shape) : 0;
}

/* ---- implementations --------------------------------------------------------------------------------------------- */

int hf_op_impl_count(const hf_op *op)
{
    int n = 0;
    while (n < HF_MAX_IMPLS && op->impls[n].name)
        n++;
    return n;
}

const char *hf_op_impl_name(const hf_op *op, int impl)
{
    return op->impls[impl].name;
}

const char *hf_op_impl_layouts(const hf_op *op, int impl)
{
    return op->impls[impl].layouts;
}

static hf_call ask(hf_context *context, const hf_op *op, const hf_params *params, const hf_desc *in, int n_in)
{
    hf_call call = { .context = context, .op = op, .n_in = n_in };
    hf_desc out[HF_MAX_OUT];
    if (params) call.params = *params;
    for (int i = 0; i < n_in; i++)
        call.in[i].desc = in[i];
    if (hf_op_infer(op, params, in, n_in, out, &call.n_out) == HF_OK)
        for (int k = 0; k < call.n_out; k++)
            call.out[k].desc = out[k];
    return call;
}

/* Why this implementation refuses the call, or NULL. */
static const char *refusal(hf_call *call, int impl)
{
    call->impl = &call->op->impls[impl];
    return call->impl->refuse ? call->impl->refuse(call) : NULL;
}

const char *hf_op_impl_refusal(hf_context *context, const hf_op *op, int impl, const hf_params *params,
                               const hf_desc *in, int n_in)
{
    hf_call call = ask(context, op, params, in, n_in);
    if (call.n_out == 0) return "the operands do not fit the operator";
    return refusal(&call, impl);
}

static int find_impl(const hf_op *op, const char *name, size_t length)
{
    for (int i = 0; i < hf_op_impl_count(op); i++)
        if (strlen(op->impls[i].name) == length && strncmp(op->impls[i].name, name, length) == 0) return i;
    return -1;
}

/* The implementation that "op=impl,op=impl" names for this operator, or -1. */
static int forced_impl(const hf_context *context, const hf_op *op)
{
    const size_t n = strlen(op->name);
    for (const char *at = hf_context_forced(context); at; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, op->name, n) == 0 && at[n] == '=') return find_impl(op, at + n + 1, strcspn(at + n + 1, ","));
    }
    return -1;
}

int hf_op_choose(hf_context *context, const hf_op *op, const hf_params *params, const hf_desc *in, int n_in)
{
    hf_call call = ask(context, op, params, in, n_in);
    const int last = hf_op_impl_count(op) - 1;
    if (call.n_out == 0 || hf_context_plain_only(context)) return last;
    const char *tuned = hf_tuning_find(hf_context_device(context), op->name);
    const int wanted[] = { forced_impl(context, op), tuned ? find_impl(op, tuned, strlen(tuned)) : -1 };
    for (int k = 0; k < 2; k++)
        if (wanted[k] >= 0 && !refusal(&call, wanted[k])) return wanted[k];
    for (int i = 0; i < last; i++)
        if (!refusal(&call, i)) return i;
    return last;
}

size_t hf_op_scratch(hf_context *context, const hf_op *op, int impl, const hf_params *params, const hf_desc *in,
                     int n_in)
{
    hf_call call = ask(context, op, params, in, n_in);
    call.impl = &op->impls[impl];
    return call.n_out && call.impl->scratch ? call.impl->scratch(&call) : 0;
}
