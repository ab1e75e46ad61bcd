/* gradient.c: the reference gradients against central differences of the forward reference, both in double.
 *
 * With fixed random numbers g in the shape of the results, L(x) = sum of g * y(x). The operators named by the rules,
 * through their references, give dL/dx; along a random direction v that is compared with
 *     (8 (L(x+hv) - L(x-hv)) - (L(x+2hv) - L(x-2hv))) / 12h,
 * whose error is of order h^4, operand by operand. The limit is 1e-6 of the sum of |dL/dx * v|, and beside it what
 * rounding of L itself can do. The device is compared with these references elsewhere. */
#include "suite.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP      1e-5 /* largest move 2 * STEP, below HF_KINK */
#define LIMIT     1e-6
#define MOST_FLOP 3e6   /* above this the reference is not worth evaluating over and over: size adds nothing */
#define ROUNDING  256.0 /* roundings of L's terms that may add up */

typedef struct check {
    hf_problem forward;
    double *dout[HF_MAX_OUT]; /* g of each result some rule uses, else NULL */
    double *grad[HF_MAX_IN];  /* dL/dx of each operand some rule gives, else NULL */
    uint64_t seed;
} check;

static hf_status draw_values(double **out, const check *c, const hf_desc *desc, const char *purpose, int index)
{
    size_t count = (size_t)hf_count(desc);
    hf_draw draw = { c->seed, hf_random_stream(purpose, (uint64_t)index, count), 0 };
    HF_TRY(hf_alloc(out, count, sizeof(double), purpose));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = hf_draw_real(&draw, -1, 1);
    return HF_OK;
}

/* The description and values a rule's operand stands for. */
static const double *resolve(const check *c, int code, hf_desc *desc)
{
    if (code >= HF_DOUT(0)) {
        *desc = c->forward.out[code - HF_DOUT(0)];
        return c->dout[code - HF_DOUT(0)];
    }
    if (code >= HF_OUT(0)) {
        *desc = c->forward.out[code - HF_OUT(0)];
        return c->forward.out_values[code - HF_OUT(0)];
    }
    *desc = (hf_desc){ 0 };
    if (code < c->forward.n_in) *desc = c->forward.in[code];
    return c->forward.in_values[code];
}

static hf_status draw_douts(check *c, const hf_rule *rules)
{
    for (; rules->op; rules++)
        for (const int *code = rules->in; *code != HF_RULE_END; code++) {
            int k = *code - HF_DOUT(0);
            if (k < 0 || c->dout[k]) continue;
            if (k >= c->forward.n_out)
                return hf_fail(HF_ERR_ARGUMENT, "a rule uses the gradient of result %d of %d", k, c->forward.n_out);
            HF_TRY(draw_values(&c->dout[k], c, &c->forward.out[k], "result gradient", k));
        }
    return HF_OK;
}

/* Whether any operand this rule differentiates is there. */
static bool rule_wanted(const check *c, const hf_rule *rule)
{
    for (const int *wrt = rule->wrt; *wrt != HF_RULE_END; wrt++)
        if (*wrt < c->forward.n_in && c->forward.in[*wrt].shape.rank) return true;
    return false;
}

static hf_status add_gradients(check *c, const hf_rule *rule, const hf_problem *gradient)
{
    char got[96], want[96];
    for (int k = 0; rule->wrt[k] != HF_RULE_END; k++) {
        int operand = rule->wrt[k];
        if (operand >= c->forward.n_in || !c->forward.in[operand].shape.rank) continue;
        const hf_shape *shape = &c->forward.in[operand].shape;
        if (k >= gradient->n_out || !hf_shape_equal(&gradient->out[k].shape, shape))
            return hf_fail(HF_ERR_SHAPE, "rule %s: the gradient of operand %d has shape %s, expected %s", rule->op,
                           operand, k < gradient->n_out ? hf_shape_text(&gradient->out[k].shape, got) : "none",
                           hf_shape_text(shape, want));
        size_t count = (size_t)hf_count(&c->forward.in[operand]);
        if (!c->grad[operand]) HF_TRY(hf_alloc(&c->grad[operand], count, sizeof(double), "gradient"));
        for (size_t i = 0; i < count; i++)
            c->grad[operand][i] += gradient->out_values[k][i];
    }
    return HF_OK;
}

static hf_status apply_rule(check *c, const hf_rule *rule, int index)
{
    hf_problem gradient = { .test = hf_test_find(rule->op), .op = hf_op_find(rule->op) };
    hf_status status = HF_OK;
    if (!gradient.op || !gradient.test)
        return hf_fail(HF_ERR_ARGUMENT, "a rule names '%s', which %s", rule->op,
                       gradient.op ? "has no test" : "is no operator");
    gradient.params = hf_op_rule_params(c->forward.op, &c->forward.params, c->forward.in, c->forward.n_in, index);
    while (rule->in[gradient.n_in] != HF_RULE_END) {
        resolve(c, rule->in[gradient.n_in], &gradient.in[gradient.n_in]);
        gradient.n_in++;
    }
    HF_TRY_OUT(hf_op_infer(gradient.op, &gradient.params, gradient.in, gradient.n_in, gradient.out, &gradient.n_out));
    HF_TRY_OUT(hf_problem_alloc(&gradient));
    for (int i = 0; i < gradient.n_in; i++) {
        hf_desc desc;
        const double *values = resolve(c, rule->in[i], &desc);
        if (gradient.in_values[i]) memcpy(gradient.in_values[i], values, (size_t)hf_count(&desc) * sizeof(double));
    }
    hf_problem_reference(&gradient);
    HF_TRY_OUT(add_gradients(c, rule, &gradient));
out:
    hf_problem_free(&gradient);
    return status;
}

/* L of the operands as they stand; *size: the sum of magnitudes. */
static double loss(check *c, double *size)
{
    double sum = 0;
    *size = 0;
    hf_problem_reference(&c->forward);
    for (int k = 0; k < c->forward.n_out; k++)
        for (int64_t i = 0, count = hf_count(&c->forward.out[k]); c->dout[k] && i < count; i++) {
            double term = c->dout[k][i] * c->forward.out_values[k][i];
            sum += term;
            *size += fabs(term);
        }
    return sum;
}

/* L with operand `operand` moved to base + step * direction. */
static double loss_at(check *c, int operand, const double *base, const double *direction, double step)
{
    double size;
    for (int64_t i = 0, count = hf_count(&c->forward.in[operand]); i < count; i++)
        c->forward.in_values[operand][i] = base[i] + step * direction[i];
    return loss(c, &size);
}

static hf_status check_operand(check *c, int operand)
{
    double *base = c->forward.in_values[operand], *direction = NULL, *moved = NULL, size, exact = 0, scale = 0;
    hf_status status = HF_OK;
    int64_t count = hf_count(&c->forward.in[operand]);
    HF_TRY(draw_values(&direction, c, &c->forward.in[operand], "direction", operand));
    HF_TRY_OUT(hf_alloc(&moved, (size_t)count, sizeof(double), "moved operand"));
    loss(c, &size);
    for (int64_t i = 0; i < count; i++) {
        exact += c->grad[operand][i] * direction[i];
        scale += fabs(c->grad[operand][i] * direction[i]);
    }
    c->forward.in_values[operand] = moved;
    double near = loss_at(c, operand, base, direction, STEP) - loss_at(c, operand, base, direction, -STEP);
    double far = loss_at(c, operand, base, direction, 2 * STEP) - loss_at(c, operand, base, direction, -2 * STEP);
    c->forward.in_values[operand] = base;
    double numeric = (8 * near - far) / (12 * STEP), limit = LIMIT * scale + ROUNDING * DBL_EPSILON * size / STEP;
    if (isfinite(size) && !(fabs(numeric - exact) <= limit))
        status =
            hf_fail(HF_ERR_NUMBER, "reference gradient of operand %d: %.12g, by central differences %.12g, limit %.3g",
                    operand, exact, numeric, limit);
out:
    free(direction);
    free(moved);
    return status;
}

hf_status hf_check_gradients(const hf_op_test *test, const hf_case *test_case, uint64_t seed, int *checked)
{
    check c = { .seed = seed };
    hf_status status = HF_OK;
    *checked = 0;
    const hf_rule *rules = hf_op_rules(hf_op_find(test->op));
    if (!rules || !rules->op) return HF_OK;
    HF_TRY(hf_problem_shape(&c.forward, test, test_case));
    if (hf_problem_flop(&c.forward) > MOST_FLOP) return HF_OK;
    c.forward.params.activation = HF_LINEAR; /* rules are for the part before the activation */
    HF_TRY_OUT(hf_problem_fill(&c.forward, test_case, false, seed));
    HF_TRY_OUT(draw_douts(&c, rules));
    for (int r = 0; rules[r].op; r++)
        if (rule_wanted(&c, &rules[r])) HF_TRY_OUT(apply_rule(&c, &rules[r], r));
    for (int i = 0; i < c.forward.n_in; i++) {
        if (!c.grad[i]) continue;
        HF_TRY_OUT(check_operand(&c, i));
        (*checked)++;
    }
out:
    for (int i = 0; i < HF_MAX_IN; i++)
        free(c.grad[i]);
    for (int i = 0; i < HF_MAX_OUT; i++)
        free(c.dout[i]);
    hf_problem_free(&c.forward);
    return status;
}
