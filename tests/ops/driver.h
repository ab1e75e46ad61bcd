/* driver.h: how a stem's test file (tests/ops/<stem>.c) describes its operators to the one driver.
 *
 * A case is a string such as "n2c3o4_d7h6w5_k3p1": single letters with integers, underscores ignored. It is the test
 * case, the benchmark case and the line that repeats a failure. For every operator, case, implementation that fits and
 * device found, the driver
 *   1. fills the operands with small integers whose sums stay exactly representable, and demands equality (ops with
 *      `exact`), at least 30 % of the results non-zero;
 *   2. fills them with random reals and demands |result - reference| <= bound, element by element, where the double
 *      reference derives `bound` from error analysis (no hand-set tolerance);
 *   3. surrounds operands, results and the parts of scratch memory with NaN and fills fresh memory with it: what
 *      surrounds and operands must stay untouched, no result may become or stay NaN, padding channels must be zero;
 *   4. runs twice, with something else around the second time, and demands equal bits;
 *   5. compares the reference gradients (the operators named by hf_op_rules) with central differences of the double
 *      forward reference along a random direction.
 * A failure prints one line to repeat it:  test_ops conv3d n2c3o4_d7h6w5_k3p1 impl=plain device=cpu:0 seed=7 */
#ifndef HF_TEST_DRIVER_H
#define HF_TEST_DRIVER_H

#include "hfcl.h"

/* Values by letter; absent letters have the default of the operator. */
typedef struct hf_case {
    int value[26]; /* by lower-case letter */
    bool given[26];
} hf_case;

int hf_case_get(const hf_case *test_case, char letter, int absent);
void hf_case_set(hf_case *test_case, char letter, int value);
hf_status hf_case_parse(hf_case *out, const char *text);
const char *hf_case_text(const hf_case *test_case, char text[160]);

/* A stream of random choices for drawing cases: the next integer in low..high. */
typedef struct hf_draw {
    uint64_t seed, stream, index;
} hf_draw;
int hf_draw_int(hf_draw *draw, int low, int high);
double hf_draw_real(hf_draw *draw, double low, double high); /* representable as float */

/* u = 2^-24, the unit roundoff of float; n*u/(1-n*u) bounds the relative error of any chain of n roundings. */
#define HF_UNIT 5.9604644775390625e-08
double hf_gamma(double n);

/* The largest fixed case a test runs unasked: floating-point operations, and elements of operands and results. */
#define HF_TEST_FLOP     3e7
#define HF_TEST_ELEMENTS 1000000

/* Central differences move every value by less than this. */
#define HF_KINK 1e-4

/* One operator under test. All arrays are in the plain layout, double. */
typedef struct hf_op_test {
    const char *op;
    /* Fixed cases worth naming, ended by NULL; also the benchmark's. Those above HF_TEST_FLOP or HF_TEST_ELEMENTS are
     * for the benchmark alone, unless a case is named on the command line. */
    const char *const *cases;
    bool exact; /* integer operands must give exactly the reference */

    /* Options and operand descriptions (plain layout; absent ones rank 0) of a case; returns the number of operands. */
    int (*setup)(const hf_case *test_case, hf_params *params, hf_desc *in);

    /* Draws a small random case (at most about 50 000 multiply-adds) covering the edges: size 1, window larger than
     * what fits is not drawn, stride larger than the kernel, channels not a multiple of anything, absent operands. */
    void (*draw)(hf_case *test_case, hf_draw *draw);

    /* Optional: fills operand `index` (count elements) when uniform reals in [-1,1] or small integers will not do
     * (class labels, variances above zero, inputs at least HF_KINK away from kinks). Returns false to take the usual
     * fill.
     * Values must be representable as float, or as the operand's integer type. */
    bool (*fill)(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case);

    /* The formula, in double. out[k] and bound[k] have the result's element count; bound is the largest absolute error
     * a correct float implementation may have, in any order of summation (0 where results must be exact). */
    void (*reference)(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                      double *const *out_values, double *const *bound);
} hf_op_test;

/* Each tests/ops/<stem>.c defines this, ended by an entry with op NULL. */
#define HF_OP_TESTS(stem) const hf_op_test hf_tests_##stem[]

/* What an implementation may err that does not sum the formula's own terms. */
typedef struct hf_slack {
    double absolute; /* added to every bound */
    bool inexact;    /* integers too need only be within it */
    double rms;      /* most error of a whole result, root mean square over root mean square; 0: not judged */
} hf_slack;

/* The slack of an implementation on these operands; zeros but for fast convolutions. In tests/ops/conv3d.c, derived there.
 */
hf_slack hf_winograd_slack(const char *op, const char *impl, const hf_params *params, const hf_desc *in,
                           double *const *in_values);

/* Elements of an operand; 0 when absent. */
int64_t hf_count(const hf_desc *desc);

#endif
