/* fuse.c: first pass. Rewrites groups of nodes into equivalent cheaper ones; what is left behind is dropped.
 *
 *   conv3d or linear, then relu     ->  the same with relu as its epilogue
 *   relu, then max_pool3d           ->  max_pool3d, then relu: the same values (both only ever pick the larger), with
 *                                       the relu and its gradient on an eighth of the voxels: a fifth less memory
 *   a hyper linear layer            ->  with W(e) = a0 + sum_j e_j A_j and bias(e) = b0 + B e:
 *                                       y = linear(outer(x,e), A) + linear(x, a0, b0) + linear(e, B)
 *                                       so that the weights of a sample are never built
 *
 * A node is only fused away when nobody else reads it. */
#include "passes.h"
#include <stdio.h>
#include <string.h>

static bool is_op(const hf_node *node, const char *op)
{
    return node && node->kind == HF_NODE_OPERATOR && strcmp(hf_op_name(node->op), op) == 0;
}

static int users_of(const hf_plan *plan, const hf_node *node)
{
    int users = node->keep ? 1 : 0;
    for (int i = 0; i < plan->nodes.count; i++)
        for (int k = 0; k < plan->nodes.at[i]->n_in; k++)
            users += plan->nodes.at[i]->in[k] == node;
    return users;
}

/* ---- epilogues --------------------------------------------------------------------------------------------------- */

static bool takes_epilogue(const hf_plan *plan, const hf_node *relu)
{
    if (!is_op(relu, "relu")) return false;
    const hf_node *x = relu->in[0];
    return (is_op(x, "conv3d") || is_op(x, "linear")) && x->params.activation == HF_LINEAR && !x->keep &&
           users_of(plan, x) == 1;
}

/* ---- relu and max-pool ------------------------------------------------------------------------------------------- */

/* The max-pool that is the only reader of this relu, or NULL. */
static const hf_node *only_pool(const hf_plan *plan, const hf_node *relu)
{
    if (!is_op(relu, "relu") || relu->keep || users_of(plan, relu) != 1) return NULL;
    for (int i = 0; i < plan->nodes.count; i++)
        if (is_op(plan->nodes.at[i], "max_pool3d") && plan->nodes.at[i]->in[0] == relu) return plan->nodes.at[i];
    return NULL;
}

/* The pool has been put into the list already, reading what the relu read; everybody else reads the relu behind it. */
static hf_status add_relu_behind(hf_plan *plan, hf_nodes *list, hf_node *pool)
{
    hf_node *relu = NULL;
    char name[192];
    snprintf(name, sizeof name, "%.150s.relu", pool->name);
    HF_TRY(hf_plan_apply(&relu, plan, list, "relu", name, NULL, 1, (hf_node *[]){ pool }));
    relu->keep = pool->keep;
    pool->keep = false;
    pool->replaced_by = relu;
    return HF_OK;
}

/* ---- hyper linear layers ----------------------------------------------------------------------------------------- */

typedef struct hf_hyper {
    hf_node *x, *e;  /* [N,I], [N,J] */
    hf_node *a, *a0; /* weight generator: [O*I,J], [O*I] */
    hf_node *b, *b0; /* bias generator: [O,J], [O]; b NULL when the layer has no bias */
} hf_hyper;

static bool is_generator(const hf_plan *plan, const hf_node *node)
{
    return is_op(node, "linear") && node->params.activation == HF_LINEAR && node->n_in == 3 && node->in[2] &&
           node->in[1]->desc.shape.rank == 2 && !node->keep && users_of(plan, node) == 1;
}

static bool find_hyper(hf_hyper *h, const hf_plan *plan, const hf_node *y)
{
    *h = (hf_hyper){ 0 };
    if (!is_op(y, "linear") || y->in[1]->desc.shape.rank != 3 || !is_op(y->in[1], "reshape")) return false;
    const hf_node *shaped = y->in[1], *weights = shaped->in[0];
    if (shaped->keep || users_of(plan, shaped) != 1 || !is_generator(plan, weights)) return false;
    *h = (hf_hyper){ .x = y->in[0], .e = weights->in[0], .a = weights->in[1], .a0 = weights->in[2] };
    if (y->n_in < 3 || !y->in[2]) return true;
    if (!is_generator(plan, y->in[2]) || y->in[2]->in[0] != h->e) return false;
    h->b = y->in[2]->in[1];
    h->b0 = y->in[2]->in[2];
    return true;
}

/* Both ways cost about the same arithmetic; what differs is what is written and read again: N*O*I generated weights
 * (three times: made, applied, and their gradient) against N*I*J products. */
static bool outer_is_cheaper(const hf_hyper *h, const hf_node *y)
{
    const int64_t outputs = y->desc.shape.dim[1], j = h->e->desc.shape.dim[1];
    return j < outputs;
}

static hf_status apply(hf_node **out, hf_plan *plan, hf_nodes *list, const char *op, const hf_node *y, const char *part,
                       const hf_params *params, int n_in, hf_node *const *in)
{
    char name[192];
    snprintf(name, sizeof name, "%.150s%s%s", y->name, *part ? "." : "", part);
    return hf_plan_apply(out, plan, list, op, name, params, n_in, in);
}

static hf_status rewrite_hyper(hf_plan *plan, hf_nodes *list, hf_node *y, const hf_hyper *h)
{
    const int64_t o = y->desc.shape.dim[1], i = h->x->desc.shape.dim[1], j = h->e->desc.shape.dim[1];
    hf_node *z, *a, *a0, *from_z, *from_x, *from_e = NULL, *sum;
    const hf_params as_a = { .shape = HF_SHAPE(o, i * j) }, as_a0 = { .shape = HF_SHAPE(o, i) };
    const hf_params epilogue = y->params;
    HF_TRY(apply(&z, plan, list, "outer", y, "outer", NULL, 2, (hf_node *[]){ h->x, h->e }));
    HF_TRY(apply(&a, plan, list, "reshape", y, "A", &as_a, 1, (hf_node *[]){ h->a }));
    HF_TRY(apply(&a0, plan, list, "reshape", y, "a0", &as_a0, 1, (hf_node *[]){ h->a0 }));
    HF_TRY(apply(&from_z, plan, list, "linear", y, "z", NULL, 3, (hf_node *[]){ z, a, NULL }));
    HF_TRY(apply(&from_x, plan, list, "linear", y, "x", NULL, 3, (hf_node *[]){ h->x, a0, h->b0 }));
    HF_TRY(apply(&sum, plan, list, "add", y, h->b ? "sum" : "", NULL, 2, (hf_node *[]){ from_z, from_x }));
    if (h->b) {
        HF_TRY(apply(&from_e, plan, list, "linear", y, "e", NULL, 3, (hf_node *[]){ h->e, h->b, NULL }));
        HF_TRY(apply(&sum, plan, list, "add", y, "", NULL, 2, (hf_node *[]){ sum, from_e }));
    }
    if (epilogue.activation == HF_RELU)
        HF_TRY(apply(&sum, plan, list, "relu", y, "relu", NULL, 1, (hf_node *[]){ sum }));
    sum->keep = y->keep;
    y->replaced_by = sum;
    return HF_OK;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static void follow_operands(hf_node *node)
{
    for (int k = 0; k < node->n_in; k++)
        if (node->in[k]) node->in[k] = hf_plan_follow(node->in[k]);
}

static hf_status visit(hf_plan *plan, hf_nodes *list, hf_node *node)
{
    hf_hyper hyper;
    if (only_pool(plan, node)) {
        node->replaced_by = node->in[0];
        return HF_OK;
    }
    const bool behind = is_op(node, "max_pool3d") && is_op(node->in[0], "relu") && node->in[0]->replaced_by;
    if (takes_epilogue(plan, node)) {
        hf_node *x = hf_plan_follow(node->in[0]);
        if (x == node->in[0]) { /* not rewritten itself, so it can take the relu */
            x->params.activation = HF_RELU;
            x->keep = node->keep;
            node->replaced_by = x;
            return HF_OK;
        }
    }
    if (find_hyper(&hyper, plan, node) && outer_is_cheaper(&hyper, node)) {
        hyper.x = hf_plan_follow(hyper.x);
        hyper.e = hf_plan_follow(hyper.e);
        return rewrite_hyper(plan, list, node, &hyper);
    }
    follow_operands(node);
    HF_TRY(hf_nodes_push(list, node));
    return behind ? add_relu_behind(plan, list, node) : HF_OK;
}

hf_status hf_pass_fuse(hf_plan *plan)
{
    hf_nodes list = { 0 };
    hf_status status = HF_OK;
    if (plan->options.no_fuse) return HF_OK;
    for (int i = 0; i < plan->nodes.count && status == HF_OK; i++)
        status = visit(plan, &list, plan->nodes.at[i]);
    return hf_plan_replace(plan, &list, status);
}
