/* selftest.c: the driver tested. A test that cannot fail proves nothing, so each kind of defect is planted once on
 * purpose and must be noticed; the same problem without a defect must pass. Also: every operator has a test, and the
 * options that are refused are. */
#include "suite.h"

#include "../check.h"

#include <stdlib.h>

#define SEED 5

static const hf_op_test *wrapped; /* the honest test behind a dishonest reference */

static void honest(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                   double *const *out_values, double *const *bound)
{
    wrapped->reference(params, in, in_values, out, out_values, bound);
}

/* Ten times what rounding of a single operation explains. */
static void scaled(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                   double *const *out_values, double *const *bound)
{
    honest(params, in, in_values, out, out_values, bound);
    for (int64_t i = 0; i < hf_count(&out[0]); i++)
        out_values[0][i] *= 1 + 1e-5;
}

/* Zero for everything a random fill can bring, although ones show that every result can be non-zero. */
static void lifeless(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                     double *const *out_values, double *const *bound)
{
    bool ones = true;
    honest(params, in, in_values, out, out_values, bound);
    for (int64_t i = 0; i < hf_count(&in[0]); i++)
        ones = ones && in_values[0][i] == 1;
    for (int64_t i = 0; i < hf_count(&out[0]); i++)
        out_values[0][i] = ones;
}

/* One case of one operator with one implementation, one fill and one defect. */
typedef struct trial {
    const char *op, *text;
    void (*reference)(const hf_params *, const hf_desc *, double *const *, const hf_desc *, double *const *,
                      double *const *);
    hf_fault fault;
    bool integers;
} trial;

static hf_status run_trial(hf_bed *bed, const trial *t, int impl)
{
    wrapped = hf_test_find(t->op);
    if (!wrapped) return hf_fail(HF_ERR_ARGUMENT, "no test for %s", t->op);
    hf_op_test test = *wrapped;
    hf_problem problem = { 0 };
    hf_case test_case;
    hf_status status;
    test.reference = t->reference;
    HF_TRY(hf_case_parse(&test_case, t->text));
    HF_TRY_OUT(hf_problem_shape(&problem, &test, &test_case));
    HF_TRY_OUT(hf_problem_fill(&problem, &test_case, t->integers, SEED));
    bed->fault = t->fault;
    HF_TRY_OUT(hf_bed_check(bed, impl, t->integers ? &problem : NULL, t->integers ? NULL : &problem));
out:
    bed->fault = HF_FAULT_NONE;
    hf_problem_free(&problem);
    return status;
}

static int plain_impl(const char *op)
{
    return hf_op_impl_count(hf_op_find(op)) - 1;
}

/* An implementation of conv3d whose result is blocked and that takes this case, or -1. */
static int blocked_impl(hf_bed *bed, const char *text)
{
    const hf_op *op = hf_op_find("conv3d");
    hf_problem problem;
    hf_case test_case;
    if (hf_case_parse(&test_case, text) != HF_OK ||
        hf_problem_shape(&problem, hf_test_find("conv3d"), &test_case) != HF_OK)
        return -1;
    for (int impl = 0; impl < hf_op_impl_count(op); impl++)
        if (strstr(hf_op_impl_layouts(op, impl), ">B") &&
            !hf_op_impl_refusal(bed->context, op, impl, &problem.params, problem.in, problem.n_in))
            return impl;
    return -1;
}

static void check_faults(hf_bed *bed)
{
    const char *text = "n2c3o5_d4h4w4_k3p1";
    const struct {
        hf_fault fault;
        bool integers;
        const char *message;
    } faults[] = {
        { HF_FAULT_TAP, true, "expected" },
        { HF_FAULT_TAP, false, "expected" },
        { HF_FAULT_GUARD, true, "behind result 0" },
        { HF_FAULT_OPERAND, true, "operand 0" },
        { HF_FAULT_UNWRITTEN, true, "never written" },
        { HF_FAULT_REPEAT, false, "two runs" },
        { HF_FAULT_READ_BEFORE, true, "nan" },
        { HF_FAULT_READ_BEHIND, true, "nan" },
        { HF_FAULT_READ_GREATEST, false, "two runs" },
        { HF_FAULT_COPY, true, "behind result 0" },
    };
    for (int integers = 0; integers < 2; integers++) {
        trial good = { "conv3d", text, honest, HF_FAULT_NONE, integers };
        CHECK_OK(run_trial(bed, &good, plain_impl("conv3d")));
    }
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        trial bad = { "conv3d", text, honest, faults[i].fault, faults[i].integers };
        CHECK_STATUS(run_trial(bed, &bad, plain_impl("conv3d")), HF_ERR_NUMBER, faults[i].message);
    }
    int impl = blocked_impl(bed, text);
    if (!CHECK(impl >= 0)) return;
    trial padding = { "conv3d", text, honest, HF_FAULT_PADDING, true };
    CHECK_STATUS(run_trial(bed, &padding, impl), HF_ERR_NUMBER, "padding channel");
}

static void check_references(hf_bed *bed)
{
    hf_case test_case;
    char text[160];
    if (!CHECK_OK(hf_draw_case(&test_case, hf_test_find("scale"), SEED, 0, false))) return;
    hf_case_text(&test_case, text);
    for (int integers = 0; integers < 2; integers++) {
        trial good = { "scale", text, honest, HF_FAULT_NONE, integers };
        trial bad = { "scale", text, scaled, HF_FAULT_NONE, integers };
        CHECK_OK(run_trial(bed, &good, plain_impl("scale")));
        CHECK_STATUS(run_trial(bed, &bad, plain_impl("scale")), HF_ERR_NUMBER, "expected");
    }
    trial dead = { "scale", text, lifeless, HF_FAULT_NONE, true };
    CHECK_STATUS(run_trial(bed, &dead, plain_impl("scale")), HF_ERR_NUMBER, "non-zero");
}

/* A forward reference that is off by 1e-5 no longer has the gradient of its rules. */
static void check_gradient(void)
{
    hf_case test_case;
    int checked = 0;
    wrapped = hf_test_find("conv3d");
    if (!CHECK_OK(hf_case_parse(&test_case, "n2c3o5_d4h4w4_k3p1"))) return;
    hf_op_test test = *wrapped;
    CHECK_OK(hf_check_gradients(&test, &test_case, SEED, &checked));
    CHECK(checked >= 2);
    test.reference = scaled;
    CHECK_STATUS(hf_check_gradients(&test, &test_case, SEED, &checked), HF_ERR_NUMBER, "central differences");
}

static bool deep_and_wide(const hf_case *test_case, void *data)
{
    (*(int *)data)++;
    return hf_case_get(test_case, 'd', 1) >= 3 && hf_case_get(test_case, 'w', 1) >= 2;
}

static void check_shrinking(void)
{
    hf_case test_case;
    char text[160];
    int calls = 0;
    CHECK_OK(hf_case_parse(&test_case, "n7c13_d17h5w9_k3"));
    hf_shrink(&test_case, deep_and_wide, &calls);
    CHECK(strcmp(hf_case_text(&test_case, text), "d3w2") == 0);
    CHECK(calls > 0);
}

static void check_cases(void)
{
    hf_case test_case;
    char text[160];
    CHECK_OK(hf_case_parse(&test_case, "k3p1w6n2_c3o4d7h5"));
    CHECK(strcmp(hf_case_text(&test_case, text), "n2c3o4_d7h5w6_k3p1") == 0);
    CHECK(hf_case_get(&test_case, 'w', 1) == 6 && hf_case_get(&test_case, 's', 9) == 9);
    CHECK_STATUS(hf_case_parse(&test_case, "n2n3"), HF_ERR_ARGUMENT, "twice");
    CHECK_STATUS(hf_case_parse(&test_case, "n"), HF_ERR_ARGUMENT, "no number");
    CHECK_STATUS(hf_case_parse(&test_case, "N2"), HF_ERR_ARGUMENT, "lower-case");
    CHECK_STATUS(hf_case_parse(&test_case, "n99999999999"), HF_ERR_ARGUMENT, "above");
    for (int i = 0; i < 1000; i++) {
        hf_draw draw = { SEED, 1, (uint64_t)i };
        int value = hf_draw_int(&draw, -2, 3);
        if (value < -2 || value > 3) CHECK(!"a draw outside its range");
    }
}

/* No operator without a test, and no name twice. */
static void check_complete(void)
{
    const hf_op *op;
    for (int i = 0; (op = hf_op_at(i)); i++) {
        if (!CHECK(hf_test_find(hf_op_name(op)))) fprintf(stderr, "    no test for %s\n", hf_op_name(op));
        if (!CHECK(hf_op_find(hf_op_name(op)) == op)) fprintf(stderr, "    %s is there twice\n", hf_op_name(op));
    }
}

static void check_refusals(void)
{
    bool found = true;
    for (int row = 0; found; row++)
        CHECK_OK(hf_check_option_refusal(row, &found));
}

int hf_selftest(void)
{
    hf_bed bed;
    check_refusals();
    check_cases();
    check_shrinking();
    check_complete();
    if (!CHECK(hf_test_find("conv3d")) || !CHECK(hf_test_find("scale"))) return check_done("test_ops");
    check_gradient();
    if (CHECK_OK(hf_bed_new(&bed, NULL))) {
        check_faults(&bed);
        check_references(&bed);
        hf_bed_free(&bed);
    }
    return check_done("test_ops");
}
