/* suite.h: the parts of the operator test program, shared with the benchmark.
 *
 *   list.c      every operator under test, through lib/ops/ops.def
 *   case.c      case strings and random draws
 *   fill.c      a case with values: operands, and what the double reference makes of them
 *   bed.c       one device and one implementation: runs, comparison; with place.c and surround.c: guard bands
 *   gradient.c  the reference gradients against central differences
 *   refuse.c    operands that the shape rule must refuse
 *   selftest.c  defects put in on purpose, each of which the driver must notice
 *   driver.c    options, the loop over everything, shrinking, the report
 *
 * A check returns HF_OK, or a status whose message says what was wrong. */
#ifndef HF_TEST_SUITE_H
#define HF_TEST_SUITE_H

#include "driver.h"

/* ---- list.c ------------------------------------------------------------------------------------------------------ */

/* The operators under test in the order of ops.def; NULL beyond the last. *stem is the file it belongs to. */
const hf_op_test *hf_test_at(int index, const char **stem);
const hf_op_test *hf_test_find(const char *op); /* NULL when there is none */

/* Whether `name` (NULL: all) on the command line means this operator. A stem's name means all its operators, unless a
 * case follows: cases belong to an operator. */
bool hf_test_wanted(const hf_op_test *test, const char *stem, const char *name, const char *only_case);

/* The value of an argument "key=value", or NULL when it is another one. */
const char *hf_test_option(const char *argument, const char *key);

/* ---- fill.c ------------------------------------------------------------------------------------------------------ */

/* A case with descriptions and, once filled, values. Start from {0}. */
typedef struct hf_problem {
    const hf_op_test *test;
    const hf_op *op;
    hf_params params;
    int n_in, n_out;
    bool exact; /* integer fill: results must equal the reference */
    hf_desc in[HF_MAX_IN], out[HF_MAX_OUT];
    double *in_values[HF_MAX_IN]; /* plain layout; NULL when absent */
    double *out_values[HF_MAX_OUT], *bound[HF_MAX_OUT];
    hf_slack slack; /* of the implementation under test */
} hf_problem;

/* Descriptions of operands and results, no values. HF_ERR_SHAPE when the case is not a legal problem. */
hf_status hf_problem_shape(hf_problem *out, const hf_op_test *test, const hf_case *test_case) HF_MUST_USE;

/* Operands and reference results. With `integers` operands are redrawn until no partial sum can leave the exactly
 * representable range and at least 30 % of the results that can be non-zero are; HF_ERR_NUMBER when that fails. */
hf_status hf_problem_fill(hf_problem *problem, const hf_case *test_case, bool integers, uint64_t seed) HF_MUST_USE;

/* Random real operands alone, without results. */
hf_status hf_problem_draw(hf_problem *problem, const hf_case *test_case, uint64_t seed) HF_MUST_USE;

/* Memory for operands and results, and the reference, for callers that bring their own operand values. */
hf_status hf_problem_alloc(hf_problem *problem) HF_MUST_USE;
void hf_problem_reference(hf_problem *problem);
void hf_problem_free(hf_problem *problem);

double hf_problem_flop(const hf_problem *problem);
int64_t hf_problem_elements(const hf_problem *problem); /* of operands and results together */

/* Small enough for slow devices and for interpreters. */
bool hf_problem_tiny(const hf_problem *problem);

/* ---- bed.c ------------------------------------------------------------------------------------------------------- */

/* Defects that the self-test plants; each but the first must be reported. */
typedef enum hf_fault {
    HF_FAULT_NONE,
    HF_FAULT_TAP,           /* one operand value differs on the device */
    HF_FAULT_GUARD,         /* a byte beside a result changes */
    HF_FAULT_OPERAND,       /* a byte of an operand changes */
    HF_FAULT_UNWRITTEN,     /* one result element keeps its fresh NaN */
    HF_FAULT_PADDING,       /* a padding channel is not zero */
    HF_FAULT_REPEAT,        /* the second run differs in one bit */
    HF_FAULT_READ_BEFORE,   /* a sum takes the word before operand 0 in, times zero */
    HF_FAULT_READ_BEHIND,   /* the same with the word behind it */
    HF_FAULT_READ_GREATEST, /* a maximum takes it in */
    HF_FAULT_COPY,          /* a copy takes one element too many: from behind operand 0 to behind the result */
} hf_fault;

/* A device with memory that is reused from case to case. Start from {0}. */
typedef struct hf_bed {
    hf_context *context;
    const hf_device_info *device;
    bool slow;  /* tiny shapes only */
    bool apart; /* every tensor in a buffer of its own */
    hf_fault fault;
    hf_buffer *arena;                    /* guards, operands, results */
    hf_buffer *scratch;                  /* and a guard behind it */
    unsigned char *image, *found, *work; /* host copies of the arena: before, after, for comparing */
    size_t host_bytes;                   /* of each */
    double worst;                        /* largest error met, in units of its bound */
} hf_bed;

hf_status hf_bed_new(hf_bed *bed, const char *device) HF_MUST_USE;
void hf_bed_free(hf_bed *bed);

/* Runs implementation `impl` on the filled problems (either may be NULL) in every layout it takes, twice each, and
 * once more in place where results may replace operands; checks values, guards, operands, padding, repetition. */
hf_status hf_bed_check(hf_bed *bed, int impl, hf_problem *integers, hf_problem *reals) HF_MUST_USE;

/* ---- gradient.c, refuse.c ---------------------------------------------------------------------------------------- */

/* The operators named by the rules of test->op, through their references. *checked: operands that have a gradient. */
hf_status hf_check_gradients(const hf_op_test *test, const hf_case *test_case, uint64_t seed, int *checked) HF_MUST_USE;

/* Feeds damaged operand descriptions to the shape rule. *checked: how many. */
hf_status hf_check_refusals(const hf_op_test *test, const hf_case *test_case, int *checked) HF_MUST_USE;

/* Row number `row` of the options and counts that an operator must refuse; *found: there is such a row. */
hf_status hf_check_option_refusal(int row, bool *found) HF_MUST_USE;

/* ---- driver.c, selftest.c ---------------------------------------------------------------------------------------- */

/* Draws case number `index`; a tiny one when asked. */
hf_status hf_draw_case(hf_case *out, const hf_op_test *test, uint64_t seed, int index, bool tiny) HF_MUST_USE;

/* Makes a failing case smaller, letter by letter, while `fails` says it still fails. */
typedef bool hf_fails(const hf_case *test_case, void *data);
void hf_shrink(hf_case *test_case, hf_fails *fails, void *data);

int hf_selftest(void); /* exit code */

#endif
