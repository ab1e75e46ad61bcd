/* fill.c: a case with values.
 *
 * Integer fill: small non-zero integers. Two more runs of the reference judge it. With magnitudes instead of the
 * operands it gives the sum of |terms| of every result; while that is far below 2^24 every partial sum in any order is
 * exact, also after the integer transforms of fast convolutions. Otherwise operands are thinned. With ones it shows
 * which results can be non-zero at all (padding, strides and masks leave some that cannot); at least 30 % of those must
 * be. Real fill: uniform in [-1,1]. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Leaves a factor 256 below 2^24 for the transforms of Winograd's convolution (2, 3 and 3 per axis, halves). */
#define EXACT_SUM     65536.0
#define NONZERO       0.3
#define MOST_REDRAWS  40
#define TINY_FLOP     8192.0
#define TINY_ELEMENTS 1024
#define MOST_INTEGER  2
#define MOST_INDEX    3

hf_status hf_problem_shape(hf_problem *out, const hf_op_test *test, const hf_case *test_case)
{
    hf_problem problem = { .test = test, .op = hf_op_find(test->op) };
    if (!problem.op) return hf_fail(HF_ERR_ARGUMENT, "there is no operator '%s'", test->op);
    problem.n_in = test->setup(test_case, &problem.params, problem.in);
    for (int i = 0; i < problem.n_in; i++)
        if (problem.in[i].shape.rank && hf_shape_count(&problem.in[i].shape) <= 0)
            return hf_fail(HF_ERR_SHAPE, "%s: operand %d of the case is empty", test->op, i);
    HF_TRY(hf_op_infer(problem.op, &problem.params, problem.in, problem.n_in, problem.out, &problem.n_out));
    *out = problem;
    return HF_OK;
}

double hf_problem_flop(const hf_problem *problem)
{
    return (double)hf_op_flop(problem->op, &problem->params, problem->in, problem->n_in);
}

int64_t hf_problem_elements(const hf_problem *problem)
{
    int64_t sum = 0;
    for (int i = 0; i < problem->n_in; i++)
        sum += hf_count(&problem->in[i]);
    for (int i = 0; i < problem->n_out; i++)
        sum += hf_count(&problem->out[i]);
    return sum;
}

bool hf_problem_tiny(const hf_problem *problem)
{
    return hf_problem_flop(problem) <= TINY_FLOP && hf_problem_elements(problem) <= TINY_ELEMENTS;
}

static hf_status alloc_operands(hf_problem *problem)
{
    for (int i = 0; i < problem->n_in; i++)
        if (problem->in[i].shape.rank)
            HF_TRY(hf_alloc(&problem->in_values[i], (size_t)hf_count(&problem->in[i]), sizeof(double), "operand"));
    return HF_OK;
}

hf_status hf_problem_alloc(hf_problem *problem)
{
    HF_TRY(alloc_operands(problem));
    for (int i = 0; i < problem->n_out; i++) {
        size_t count = (size_t)hf_count(&problem->out[i]);
        HF_TRY(hf_alloc(&problem->out_values[i], count, sizeof(double), "reference result"));
        HF_TRY(hf_alloc(&problem->bound[i], count, sizeof(double), "error bound"));
    }
    return HF_OK;
}

void hf_problem_free(hf_problem *problem)
{
    for (int i = 0; i < HF_MAX_IN; i++)
        free(problem->in_values[i]);
    for (int i = 0; i < HF_MAX_OUT; i++) {
        free(problem->out_values[i]);
        free(problem->bound[i]);
    }
    *problem = (hf_problem){ 0 };
}

void hf_problem_reference(hf_problem *problem)
{
    for (int i = 0; i < problem->n_out; i++) {
        size_t bytes = (size_t)hf_count(&problem->out[i]) * sizeof(double);
        memset(problem->out_values[i], 0, bytes);
        memset(problem->bound[i], 0, bytes);
    }
    problem->test->reference(&problem->params, problem->in, problem->in_values, problem->out, problem->out_values,
                             problem->bound);
}

static int draw_integer(hf_draw *draw, hf_type type, int thin)
{
    if (type != HF_F32) return hf_draw_int(draw, 0, MOST_INDEX);
    if (thin > 1 && hf_draw_int(draw, 1, thin) != 1) return 0;
    int value = hf_draw_int(draw, 1, MOST_INTEGER);
    return hf_draw_int(draw, 0, 1) ? value : -value;
}

/* Fills every operand; one in `thin` stays non-zero. */
static void draw_operands(hf_problem *problem, const hf_case *test_case, bool integers, int thin, uint64_t seed,
                          uint64_t attempt)
{
    char text[160];
    hf_case_text(test_case, text);
    for (int i = 0; i < problem->n_in; i++) {
        double *values = problem->in_values[i];
        int64_t count = hf_count(&problem->in[i]);
        hf_draw draw = { seed, hf_random_stream(text, (uint64_t)i, 2 * attempt + integers), 0 };
        if (!values) continue;
        if (problem->test->fill && problem->test->fill(i, values, count, integers, &draw, test_case)) continue;
        for (int64_t j = 0; j < count; j++)
            values[j] = integers || problem->in[i].type != HF_F32 ? draw_integer(&draw, problem->in[i].type, thin)
                                                                  : hf_draw_real(&draw, -1, 1);
    }
}

hf_status hf_problem_draw(hf_problem *problem, const hf_case *test_case, uint64_t seed)
{
    HF_TRY(alloc_operands(problem));
    draw_operands(problem, test_case, false, 1, seed, 0);
    return HF_OK;
}

static double one(double value)
{
    (void)value;
    return 1;
}

/* The reference with every float operand mapped; the operands come back unchanged. */
static hf_status reference_of(hf_problem *problem, double (*map)(double))
{
    double *kept[HF_MAX_IN] = { 0 };
    hf_status status = HF_OK;
    for (int i = 0; i < problem->n_in; i++) {
        if (!problem->in_values[i] || problem->in[i].type != HF_F32) continue;
        size_t count = (size_t)hf_count(&problem->in[i]);
        HF_TRY_OUT(hf_alloc(&kept[i], count, sizeof(double), "operand"));
        memcpy(kept[i], problem->in_values[i], count * sizeof(double));
        for (size_t j = 0; j < count; j++)
            problem->in_values[i][j] = map(kept[i][j]);
    }
    hf_problem_reference(problem);
out:
    for (int i = 0; i < problem->n_in; i++) {
        if (!kept[i]) continue;
        memcpy(problem->in_values[i], kept[i], (size_t)hf_count(&problem->in[i]) * sizeof(double));
        free(kept[i]);
    }
    return status;
}

static double largest_result(const hf_problem *problem)
{
    double most = 0;
    for (int i = 0; i < problem->n_out; i++)
        for (int64_t j = 0, count = hf_count(&problem->out[i]); j < count; j++) {
            double size = fabs(problem->out_values[i][j]);
            if (size > most) most = size;
        }
    return most;
}

static void count_nonzero(const hf_problem *problem, int64_t count[HF_MAX_OUT])
{
    for (int i = 0; i < problem->n_out; i++) {
        count[i] = 0;
        for (int64_t j = 0, all = hf_count(&problem->out[i]); j < all; j++)
            count[i] += problem->out_values[i][j] != 0;
    }
}

/* Whether this draw is exact and lively enough to trust; *thin grows when sums are too large. Leaves the reference of
 * the operands themselves. */
static hf_status judge(hf_problem *problem, int *thin, bool *good)
{
    int64_t possible[HF_MAX_OUT] = { 0 }, found[HF_MAX_OUT] = { 0 };
    *good = false;
    HF_TRY(reference_of(problem, fabs));
    if (largest_result(problem) > EXACT_SUM) {
        *thin *= 2;
        return HF_OK;
    }
    HF_TRY(reference_of(problem, one));
    count_nonzero(problem, possible);
    hf_problem_reference(problem);
    count_nonzero(problem, found);
    *good = true;
    for (int i = 0; i < problem->n_out; i++)
        if ((double)found[i] < NONZERO * (double)possible[i]) *good = false;
    return HF_OK;
}

hf_status hf_problem_fill(hf_problem *problem, const hf_case *test_case, bool integers, uint64_t seed)
{
    HF_TRY(hf_problem_alloc(problem));
    problem->exact = integers;
    if (!integers) {
        draw_operands(problem, test_case, false, 1, seed, 0);
        hf_problem_reference(problem);
        return HF_OK;
    }
    int thin = 1;
    for (uint64_t attempt = 0; attempt < MOST_REDRAWS; attempt++) {
        bool good;
        draw_operands(problem, test_case, true, thin, seed, attempt);
        HF_TRY(judge(problem, &thin, &good));
        if (good) return HF_OK;
    }
    return hf_fail(HF_ERR_NUMBER, "%s: no integer fill with exact sums and %.0f %% non-zero results in %d draws",
                   problem->test->op, 100 * NONZERO, MOST_REDRAWS);
}
