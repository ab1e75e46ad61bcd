/* refuse.c: operands that an operator's shape rule must refuse.
 *
 * A legal case is damaged in one place at a time: another rank, a missing operand, an empty or negative or enormous
 * axis, another element type, an axis one longer, too many operands. A refusal must be HF_ERR_SHAPE (or
 * HF_ERR_ARGUMENT for the number of operands) and its message must name the operator and an operand. Acceptance is
 * right only where the operator takes any shape, which shows in a result that follows the damaged operand; but among
 * all axes made longer, at least one must be refused wherever two operands have to agree. Options that an operator must
 * refuse are a table of their own. */
#include "suite.h"

#include "op.h"

#include <math.h>

#include <stdio.h>
#include <string.h>

#define ODD_SIZE 7919

typedef struct damage {
    hf_problem problem; /* legal: descriptions only */
    int operand;
    const char *what;
    bool must_refuse; /* no operator takes this */
    bool *refused;
} damage;

/* Whether `message` holds one of the blank-separated names as a word, such as "w" in "conv3d: w has ...". */
static bool names_operand(const char *message, const char *names)
{
    char name[32];
    int used;
    for (; sscanf(names, "%31s%n", name, &used) == 1; names += used)
        for (const char *at = strstr(message, name); at; at = strstr(at + 1, name)) {
            const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
            char after = at[strlen(name)];
            bool starts = at == message || !strchr(letters, at[-1]);
            if (starts && (!after || !strchr(letters, after))) return true;
        }
    return false;
}

static bool follows(const hf_desc *desc, const hf_desc *out, int n_out)
{
    for (int k = 0; k < n_out; k++)
        if (hf_shape_equal(&desc->shape, &out[k].shape) && desc->type == out[k].type) return true;
    return false;
}

/* Asks the shape rule about a problem in which operand d->operand was damaged. */
static hf_status ask(const damage *d, const hf_desc *in, int n_in)
{
    hf_desc out[HF_MAX_OUT];
    int n_out = 0;
    char text[96];
    const hf_op *op = d->problem.op;
    const char *shape = hf_shape_text(&in[d->operand].shape, text);
    hf_status status = hf_op_infer(op, &d->problem.params, in, n_in, out, &n_out);
    *d->refused = status != HF_OK;
    if (status == HF_OK && !d->must_refuse && follows(&in[d->operand], out, n_out)) return HF_OK;
    if (status == HF_OK)
        return hf_fail(HF_ERR_NUMBER, "operand %d with %s, %s, was accepted", d->operand, d->what, shape);
    if (status != HF_ERR_SHAPE)
        return hf_fail(HF_ERR_NUMBER, "operand %d with %s: %s, expected HF_ERR_SHAPE", d->operand, d->what,
                       hf_status_name(status));
    const char *message = hf_error_message();
    if (strstr(message, op->name) && names_operand(message, op->in_names)) return HF_OK;
    return hf_fail(HF_ERR_NUMBER, "operand %d with %s: the message does not name operator and operand: %s", d->operand,
                   d->what, message);
}

/* ---- damages: each changes a copy of one description; false where it does not apply ------------------------------ */

/* The added axis agrees with nothing, so that [O,I] does not become a legal [N,O,I] by chance. */
static bool other_rank(hf_desc *desc)
{
    if (desc->shape.rank == HF_MAX_RANK) return false;
    desc->shape.dim[desc->shape.rank++] = ODD_SIZE;
    return true;
}

static bool empty_axis(hf_desc *desc)
{
    desc->shape.dim[desc->shape.rank - 1] = 0;
    return true;
}

static bool negative_axis(hf_desc *desc)
{
    desc->shape.dim[0] = -desc->shape.dim[0];
    return true;
}

static bool enormous_axes(hf_desc *desc)
{
    if (desc->shape.rank < 2) return false;
    desc->shape.dim[0] = desc->shape.dim[1] = (int64_t)1 << 40;
    return true;
}

static bool other_type(hf_desc *desc)
{
    desc->type = desc->type == HF_U8 ? HF_F32 : HF_U8;
    return true;
}

static bool missing(hf_desc *desc)
{
    *desc = (hf_desc){ 0 };
    return true;
}

static const struct {
    const char *what;
    bool (*apply)(hf_desc *desc);
    bool must_refuse;
} damages[] = {
    { "another rank", other_rank, false },      { "an empty axis", empty_axis, true },
    { "a negative axis", negative_axis, true }, { "axes of 2^40", enormous_axes, true },
    { "another type", other_type, false },      { "nothing", missing, true },
};

static hf_status check_damages(damage *d, int *checked)
{
    bool required = d->operand < d->problem.op->min_in;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        hf_desc in[HF_MAX_IN];
        memcpy(in, d->problem.in, sizeof in);
        if (damages[i].apply == missing && !required) continue;
        if (!damages[i].apply(&in[d->operand])) continue;
        d->what = damages[i].what;
        d->must_refuse = damages[i].must_refuse;
        HF_TRY(ask(d, in, d->problem.n_in));
        (*checked)++;
    }
    return HF_OK;
}

/* Each axis of each operand one longer; counts the refusals. */
static hf_status check_longer(damage *d, int *refusals, int *checked)
{
    for (int axis = 0; axis < d->problem.in[d->operand].shape.rank; axis++) {
        hf_desc in[HF_MAX_IN], out[HF_MAX_OUT];
        int n_out;
        memcpy(in, d->problem.in, sizeof in);
        in[d->operand].shape.dim[axis]++;
        hf_status status = hf_op_infer(d->problem.op, &d->problem.params, in, d->problem.n_in, out, &n_out);
        (*checked)++;
        if (status == HF_OK) continue;
        (*refusals)++;
        d->what = "a longer axis";
        d->must_refuse = true;
        HF_TRY(ask(d, in, d->problem.n_in));
    }
    return HF_OK;
}

static hf_status check_counts(const hf_problem *problem, int *checked)
{
    hf_desc in[HF_MAX_IN + 1] = { 0 }, out[HF_MAX_OUT];
    int n_out;
    const int counts[2] = { problem->op->min_in - 1, problem->op->max_in + 1 };
    memcpy(in, problem->in, sizeof problem->in);
    for (int i = 0; i < 2; i++) {
        hf_status status = hf_op_infer(problem->op, &problem->params, in, counts[i], out, &n_out);
        if (status != HF_ERR_SHAPE && status != HF_ERR_ARGUMENT)
            return hf_fail(HF_ERR_NUMBER, "%d operands: %s, expected a refusal", counts[i], hf_status_name(status));
        if (!strstr(hf_error_message(), problem->op->name))
            return hf_fail(HF_ERR_NUMBER, "%d operands: the message does not name the operator", counts[i]);
        (*checked)++;
    }
    return HF_OK;
}

hf_status hf_check_refusals(const hf_op_test *test, const hf_case *test_case, int *checked)
{
    bool refused;
    damage d = { .refused = &refused };
    int present = 0, refusals = 0;
    *checked = 0;
    HF_TRY(hf_problem_shape(&d.problem, test, test_case));
    for (d.operand = 0; d.operand < d.problem.n_in; d.operand++) {
        if (!d.problem.in[d.operand].shape.rank) continue;
        present++;
        HF_TRY(check_damages(&d, checked));
        HF_TRY(check_longer(&d, &refusals, checked));
    }
    if (present > 1 && refusals == 0)
        return hf_fail(HF_ERR_NUMBER, "no operand with a longer axis was refused although %d must agree", present);
    return check_counts(&d.problem, checked);
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static void stride_negative(hf_problem *p)
{
    p->params.stride = -1;
}

static void pad_negative(hf_problem *p)
{
    p->params.pad = -1;
}

static void kernel_negative(hf_problem *p)
{
    p->params.kernel = -1;
}

static void kernel_of_8(hf_problem *p)
{
    for (int axis = 2; axis < 5; axis++)
        p->in[1].shape.dim[axis] = 8;
}

static void axis_negative(hf_problem *p)
{
    p->params.axis = -1;
}

static void axis_of_5(hf_problem *p)
{
    p->params.axis = 5;
}

static void shape_of_rank_4(hf_problem *p)
{
    p->params.shape = HF_SHAPE(1, 1, 1, 1);
    p->params.axis = 4;
}

static void p_negative(hf_problem *p)
{
    p->params.p = -0.125f;
}

static void p_one(hf_problem *p)
{
    p->params.p = 1;
}

static void p_nan(hf_problem *p)
{
    p->params.p = NAN;
}

static void channels_of_rank_3(hf_problem *p)
{
    p->params.channels = 1;
    p->in[0].shape = HF_SHAPE(2, 3, 4);
}

static void voxels_beyond_int(hf_problem *p)
{
    p->params.channels = 0;
    p->in[0].shape = HF_SHAPE(1, 1, 1 << 11, 1 << 11, 1 << 11);
}

static void limit_zero(hf_problem *p)
{
    p->params.limit = 0;
}

static void limit_nan(hf_problem *p)
{
    p->params.limit = NAN;
}

static void three_operands(hf_problem *p)
{
    p->n_in = 3;
}

static const struct {
    const char *op, *text; /* a legal case, */
    void (*damage)(hf_problem *problem);
    const char *message; /* and what is said about it afterwards */
} refusals[] = {
    { "conv3d", "n1c1o1_d9h9w9_k3", stride_negative, "stride is -1" },
    { "conv3d", "n1c1o1_d9h9w9_k3", pad_negative, "pad -1" },
    { "conv3d", "n1c1o1_d9h9w9_k3", kernel_of_8, "K is 8" },
    { "conv3d_dx", "n1c1o1_d9h9w9_k3", stride_negative, "stride is -1" },
    { "conv3d_dw", "n1c1o1_d9h9w9_k3", kernel_negative, "K is -1" },
    { "dropout", "n1c2_d2h2w2", p_negative, "p is -0.125" },
    { "dropout", "n1c2_d2h2w2", p_one, "p is 1" },
    { "dropout", "n1c2_d2h2w2", p_nan, "p is nan" },
    { "dropout", "n1c2_d2h2w2", channels_of_rank_3, "expected" },
    { "dropout", "n1c2_d2h2w2", voxels_beyond_int, "more than 2^31" },
    { "dropout_dx", "n1c2_d2h2w2", p_one, "p is 1" },
    { "softmax_cross_entropy_dx", "n2f3", three_operands, "dloss is missing" },
    { "clip", "n6", limit_zero, "limit is 0" },
    { "clip", "n6", limit_nan, "limit is nan" },
    { "concat", "n2c3w4_k2a1", axis_negative, "axis is -1" },
    { "concat", "n2c3w4_k2a1", axis_of_5, "axis is 5" },
    { "slice", "n2c3_d2h2w2_a1i3", kernel_negative, "from index -1" },
    { "slice", "n2c3_d2h2w2_a1i3", axis_negative, "axis is -1" },
    { "slice", "n2c3_d2h2w2_a1i3", axis_of_5, "axis is 5" },
    { "slice", "n1c1_d1h1w1_a4i1", shape_of_rank_4, "is not a part of" },
    { "pad_slice", "n2c3_d2h2w2_a1i3", kernel_negative, "from index -1" },
};

static hf_status check_refusal(int row)
{
    hf_problem problem = { 0 };
    hf_case test_case;
    hf_desc out[HF_MAX_OUT];
    int n_out;
    const hf_op_test *test = hf_test_find(refusals[row].op);
    if (!test) return hf_fail(HF_ERR_ARGUMENT, "no test for %s", refusals[row].op);
    HF_TRY(hf_case_parse(&test_case, refusals[row].text));
    HF_TRY(hf_problem_shape(&problem, test, &test_case));
    refusals[row].damage(&problem);
    if (hf_op_infer(problem.op, &problem.params, problem.in, problem.n_in, out, &n_out) == HF_OK)
        return hf_fail(HF_ERR_NUMBER, "%s: accepted, expected \"%s\"", refusals[row].op, refusals[row].message);
    if (strstr(hf_error_message(), refusals[row].op) && strstr(hf_error_message(), refusals[row].message)) return HF_OK;
    return hf_fail_in(HF_ERR_NUMBER, "expected \"%s\"", refusals[row].message);
}

hf_status hf_check_option_refusal(int row, bool *found)
{
    *found = row < (int)(sizeof refusals / sizeof refusals[0]);
    return *found ? check_refusal(row) : HF_OK;
}
