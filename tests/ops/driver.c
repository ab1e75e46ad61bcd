/* driver.c: the one program that tests every operator.
 *
 *     test_ops [STEM_OR_OPERATOR [CASE]] [impl=NAME] [without=NAME] [device=ID|all] [seed=N] [shapes=N] [tiny=1]
 *              [apart=1] [list=1]
 *     test_ops selftest
 *
 * For every device and operator: the named cases, then `shapes` drawn ones, each on every implementation that does not
 * refuse. What is checked is said in driver.h and suite.h. A drawn case that fails is made smaller before it is
 * reported. Devices other than the first, and software rasterisers, get tiny shapes. For interpreters such as
 * Oclgrind, tiny=1 keeps to tiny shapes everywhere, and apart=1 gives every tensor a buffer of its own, so that bounds
 * are seen. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPS      128
#define MOST_IMPLS    12
#define MOST_REPORTS  5   /* printed failures per operator and device */
#define MOST_SHRINKS  200 /* tries */
#define TINY_DRAWS    64
#define SLOW_SHARE    6  /* slow devices get one drawn case in so many */
#define FULL_SHAPES   30 /* from here on every implementation must have been run */
#define NO_IMPL       (-1)
#define REFUSALS_IMPL (-2)

typedef struct options {
    const char *name, *only_case, *impl, *without, *device;
    uint64_t seed;
    int shapes;
    bool tiny, apart, list;
} options;

/* What became of one implementation over the whole program. */
typedef struct record {
    int ran;
    char refusal[128]; /* the last one */
} record;

typedef struct test_suite {
    options options;
    int passed, failed, skipped;
    record records[MOST_OPS][MOST_IMPLS];
} test_suite;

/* One operator on one device. */
typedef struct scene {
    test_suite *suite;
    hf_bed *bed;
    const hf_op_test *test;
    const hf_op *op;
    record *records;
    bool first; /* device: checks that need no device are made there */
    int cases, reports;
} scene;

/* ---- one check of one case --------------------------------------------------------------------------------------- */

static hf_status check_impl(const scene *s, const hf_case *test_case, int impl, bool *ran)
{
    hf_problem integers = { 0 }, reals = { 0 };
    hf_status status;
    HF_TRY_OUT(hf_problem_shape(&reals, s->test, test_case));
    integers = reals;
    *ran = !hf_op_impl_refusal(s->bed->context, s->op, impl, &reals.params, reals.in, reals.n_in);
    if (!*ran) goto out;
    HF_TRY_OUT(hf_problem_fill(&reals, test_case, false, s->suite->options.seed));
    if (s->test->exact) HF_TRY_OUT(hf_problem_fill(&integers, test_case, true, s->suite->options.seed));
    HF_TRY_OUT(hf_bed_check(s->bed, impl, s->test->exact ? &integers : NULL, &reals));
out:
    hf_problem_free(&integers);
    hf_problem_free(&reals);
    return status;
}

static hf_status check_one(const scene *s, const hf_case *test_case, int impl, bool *ran)
{
    int checked = 0;
    hf_status status;
    if (impl >= 0) return check_impl(s, test_case, impl, ran);
    if (impl == NO_IMPL)
        status = hf_check_gradients(s->test, test_case, s->suite->options.seed, &checked);
    else
        status = hf_check_refusals(s->test, test_case, &checked);
    *ran = checked > 0;
    return status;
}

/* ---- shrinking --------------------------------------------------------------------------------------------------- */

/* One letter made smaller in one of three ways; false when that way changes nothing. */
static bool reduce(hf_case *test_case, int letter, int way)
{
    int *value = &test_case->value[letter];
    if (!test_case->given[letter]) return false;
    if (way == 0) { /* the last letter stays: a case needs a text */
        bool others = false;
        for (int i = 0; i < 26; i++)
            others = others || (i != letter && test_case->given[i]);
        if (!others) return false;
        test_case->given[letter] = false;
        *value = 0;
        return true;
    }
    if (*value <= 1) return false;
    *value = way == 1 ? *value / 2 : *value - 1;
    return true;
}

void hf_shrink(hf_case *test_case, hf_fails *fails, void *data)
{
    int tries = 0;
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (int change = 0; change < 3 * 26; change++) {
            hf_case candidate = *test_case;
            if (tries == MOST_SHRINKS) return;
            if (!reduce(&candidate, change / 3, change % 3)) continue;
            tries++;
            if (!fails(&candidate, data)) continue;
            *test_case = candidate;
            smaller = true;
        }
    }
}

typedef struct shrinking {
    const scene *scene;
    int impl;
} shrinking;

static bool still_fails(const hf_case *test_case, void *data)
{
    const shrinking *s = data;
    hf_problem problem;
    bool ran;
    if (hf_problem_shape(&problem, s->scene->test, test_case) != HF_OK) return false;
    return check_one(s->scene, test_case, s->impl, &ran) != HF_OK;
}

/* ---- report ------------------------------------------------------------------------------------------------------ */

static void report(scene *s, hf_case test_case, int impl, bool drawn)
{
    char text[160];
    bool ran;
    s->suite->failed++;
    if (s->reports++ >= MOST_REPORTS) return;
    if (drawn) {
        shrinking suspect = { s, impl };
        hf_shrink(&test_case, still_fails, &suspect);
        if (check_one(s, &test_case, impl, &ran) == HF_OK) hf_fail(HF_ERR_NUMBER, "the failure does not repeat");
    }
    printf("failed: test_ops %s %s", s->test->op, hf_case_text(&test_case, text));
    if (impl >= 0) printf(" impl=%s", hf_op_impl_name(s->op, impl));
    printf(" device=%s seed=%llu\n        %s\n", s->bed->device->id, (unsigned long long)s->suite->options.seed,
           hf_error_message());
    fflush(stdout);
}

static void count(scene *s, const hf_case *test_case, int impl, bool drawn, hf_status status, bool ran)
{
    if (status != HF_OK)
        report(s, *test_case, impl, drawn);
    else
        s->suite->passed += ran;
}

/* ---- one case on everything -------------------------------------------------------------------------------------- */

static bool impl_wanted(const scene *s, int impl, const hf_problem *problem)
{
    const char *only = s->suite->options.impl;
    const char *name = hf_op_impl_name(s->op, impl), *without = s->suite->options.without;
    if ((only && strcmp(only, name) != 0) || (without && strcmp(without, name) == 0)) return false;
    const char *refusal =
        hf_op_impl_refusal(s->bed->context, s->op, impl, &problem->params, problem->in, problem->n_in);
    if (refusal)
        snprintf(s->records[impl].refusal, sizeof s->records[impl].refusal, "%s", refusal);
    else
        s->records[impl].ran++;
    return !refusal;
}

static void run_impls(scene *s, const hf_case *test_case, bool drawn, hf_problem *integers, hf_problem *reals)
{
    for (int impl = 0; impl < hf_op_impl_count(s->op); impl++) {
        if (!impl_wanted(s, impl, reals)) continue;
        hf_status status = hf_bed_check(s->bed, impl, s->test->exact ? integers : NULL, reals);
        count(s, test_case, impl, drawn, status, true);
    }
}

static void run_case(scene *s, const hf_case *test_case, bool drawn)
{
    hf_problem integers = { 0 }, reals = { 0 };
    hf_status status;
    bool ran = false;
    s->cases++;
    HF_TRY_OUT(hf_problem_shape(&reals, s->test, test_case));
    integers = reals;
    HF_TRY_OUT(hf_problem_fill(&reals, test_case, false, s->suite->options.seed));
    if (s->test->exact) HF_TRY_OUT(hf_problem_fill(&integers, test_case, true, s->suite->options.seed));
    run_impls(s, test_case, drawn, &integers, &reals);
    for (int what = NO_IMPL; s->first && what >= REFUSALS_IMPL; what--) {
        hf_status found = check_one(s, test_case, what, &ran);
        count(s, test_case, what, drawn, found, ran);
    }
out:
    if (status != HF_OK) report(s, *test_case, 0, false);
    hf_problem_free(&integers);
    hf_problem_free(&reals);
}

static bool is_too_large(const scene *s, const hf_problem *problem)
{
    if (s->suite->options.tiny || s->bed->slow) return !hf_problem_tiny(problem);
    return hf_problem_flop(problem) > HF_TEST_FLOP || hf_problem_elements(problem) > HF_TEST_ELEMENTS;
}

static void run_named(scene *s, const char *text, bool asked)
{
    hf_case test_case;
    hf_problem problem;
    if (hf_case_parse(&test_case, text) != HF_OK) {
        printf("failed: %s: case \"%s\": %s\n", s->test->op, text, hf_error_message());
        s->suite->failed++;
        return;
    }
    if (!asked && hf_problem_shape(&problem, s->test, &test_case) == HF_OK && is_too_large(s, &problem)) {
        s->suite->skipped++;
        return;
    }
    run_case(s, &test_case, false);
}

/* ---- drawn cases ------------------------------------------------------------------------------------------------- */

hf_status hf_draw_case(hf_case *out, const hf_op_test *test, uint64_t seed, int index, bool tiny)
{
    double smallest = 0;
    hf_status status = HF_OK;
    bool found = false;
    for (int attempt = 0; attempt < (tiny ? TINY_DRAWS : 1); attempt++) {
        hf_draw draw = { seed, hf_random_stream(test->op, (uint64_t)index, (uint64_t)attempt), 0 };
        hf_case drawn = { 0 };
        hf_problem problem;
        test->draw(&drawn, &draw);
        status = hf_problem_shape(&problem, test, &drawn);
        if (status != HF_OK) {
            char text[160];
            return hf_fail_in(status, "drawn case %s", hf_case_text(&drawn, text));
        }
        double size = hf_problem_flop(&problem) + 16.0 * (double)hf_problem_elements(&problem);
        if (!found || size < smallest) {
            *out = drawn;
            smallest = size;
        }
        found = true;
        if (hf_problem_tiny(&problem)) break;
    }
    return HF_OK;
}

static void run_drawn(scene *s)
{
    const options *o = &s->suite->options;
    int shapes = s->bed->slow ? (o->shapes + SLOW_SHARE - 1) / SLOW_SHARE : o->shapes;
    for (int i = 0; i < shapes; i++) {
        hf_case test_case = { 0 };
        if (hf_draw_case(&test_case, s->test, o->seed, i, o->tiny || s->bed->slow) == HF_OK) {
            run_case(s, &test_case, true);
            continue;
        }
        printf("failed: %s: case %d of seed %llu is not legal: %s\n", s->test->op, i, (unsigned long long)o->seed,
               hf_error_message());
        s->suite->failed++;
    }
}

/* ---- everything -------------------------------------------------------------------------------------------------- */

static void run_operator(test_suite *suite, hf_bed *bed, const hf_op_test *test, record *records, bool first)
{
    scene s = { suite, bed, test, hf_op_find(test->op), records, first, 0, 0 };
    if (!s.op || hf_op_impl_count(s.op) > MOST_IMPLS) {
        printf("failed: there is no operator '%s', or it has more than %d implementations\n", test->op, MOST_IMPLS);
        suite->failed++;
        return;
    }
    bed->worst = 0;
    if (suite->options.only_case) {
        run_named(&s, suite->options.only_case, true);
    } else {
        for (int i = 0; test->cases && test->cases[i]; i++)
            run_named(&s, test->cases[i], false);
        run_drawn(&s);
    }
    printf("%s on %s: %d cases, largest error %.3f of its bound\n", test->op, bed->device->id, s.cases, bed->worst);
    fflush(stdout);
}

static bool is_wanted(const options *o, const hf_op_test *test, const char *stem)
{
    return hf_test_wanted(test, stem, o->name, o->only_case);
}

static void run_device(test_suite *suite, const char *id, bool first)
{
    hf_bed bed;
    const hf_op_test *test;
    const char *stem;
    if (hf_bed_new(&bed, id) != HF_OK) {
        printf("failed: device %s: %s\n", id, hf_error_message());
        suite->failed++;
        return;
    }
    const hf_device_info *info = bed.device;
    bed.apart = suite->options.apart;
    bed.slow = !first || strstr(info->platform, "rusticl") || strstr(info->name, "llvmpipe");
    printf("device %s: %s, %s, %s\n", info->id, info->name, info->platform, info->version);
    for (int i = 0; (test = hf_test_at(i, &stem)) && i < MOST_OPS; i++)
        if (is_wanted(&suite->options, test, stem)) run_operator(suite, &bed, test, suite->records[i], first);
    int compiled, cached;
    hf_context_programs(bed.context, &compiled, &cached);
    printf("%d programs compiled, %d from the cache\n", compiled, cached);
    hf_bed_free(&bed);
}

static void run_devices(test_suite *suite)
{
    hf_device_info *list = NULL;
    int found = 0;
    if (suite->options.device) {
        run_device(suite, suite->options.device, true);
        return;
    }
    if (hf_devices(&list, &found) != HF_OK || found == 0) {
        printf("failed: no device to test on: %s\n", hf_error_message());
        suite->failed++;
    }
    for (int i = 0; i < found; i++)
        run_device(suite, list[i].id, i == 0);
    free(list);
}

/* Every implementation must have been run; a full run in which one never was proves nothing about it. */
static void check_exercised(test_suite *suite)
{
    const options *o = &suite->options;
    const hf_op_test *test;
    const char *stem;
    if (o->only_case || o->impl || (o->tiny && !o->apart) || o->shapes < FULL_SHAPES) return;
    for (int i = 0; (test = hf_test_at(i, &stem)) && i < MOST_OPS; i++) {
        const hf_op *op = hf_op_find(test->op);
        if (!op || !is_wanted(o, test, stem)) continue;
        for (int impl = 0; impl < hf_op_impl_count(op) && impl < MOST_IMPLS; impl++) {
            if (suite->records[i][impl].ran) continue;
            printf("failed: %s impl=%s was never exercised: %s\n", test->op, hf_op_impl_name(op, impl),
                   suite->records[i][impl].refusal);
            suite->failed++;
        }
    }
}

static void print_list(const options *o)
{
    const hf_op_test *test;
    const char *stem;
    for (int i = 0; (test = hf_test_at(i, &stem)); i++) {
        const hf_op *op = hf_op_find(test->op);
        if (!op || !is_wanted(o, test, stem)) continue;
        printf("%s %s:", stem, test->op);
        for (int impl = 0; impl < hf_op_impl_count(op); impl++)
            printf(" %s(%s)", hf_op_impl_name(op, impl), hf_op_impl_layouts(op, impl));
        printf("\n");
        for (int k = 0; test->cases && test->cases[k]; k++)
            printf("    %s\n", test->cases[k]);
    }
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool read_option(options *o, const char *argument)
{
    const char *value;
    if ((value = hf_test_option(argument, "impl")))
        o->impl = value;
    else if ((value = hf_test_option(argument, "without")))
        o->without = value;
    else if ((value = hf_test_option(argument, "device")))
        o->device = strcmp(value, "all") == 0 ? NULL : value;
    else if ((value = hf_test_option(argument, "seed")))
        o->seed = strtoull(value, NULL, 10);
    else if ((value = hf_test_option(argument, "shapes")))
        o->shapes = (int)strtol(value, NULL, 10);
    else if ((value = hf_test_option(argument, "tiny")))
        o->tiny = strcmp(value, "0") != 0;
    else if ((value = hf_test_option(argument, "apart")))
        o->apart = strcmp(value, "0") != 0;
    else if ((value = hf_test_option(argument, "list")))
        o->list = strcmp(value, "0") != 0;
    else if (strchr(argument, '='))
        return false;
    else if (!o->name)
        o->name = argument;
    else if (!o->only_case)
        o->only_case = argument;
    else
        return false;
    return true;
}

static bool name_exists(const options *o)
{
    const hf_op_test *test;
    const char *stem;
    for (int i = 0; (test = hf_test_at(i, &stem)); i++)
        if (is_wanted(o, test, stem)) return true;
    return false;
}

int main(int count_of_arguments, char **arguments)
{
    static test_suite suite = { .options = { .seed = 1, .shapes = 60 } };
    for (int i = 1; i < count_of_arguments; i++)
        if (!read_option(&suite.options, arguments[i])) {
            fprintf(stderr, "test_ops: unknown option '%s'\n", arguments[i]);
            return 2;
        }
    /* All implementations are tested on whatever device there is. */
    setenv("HF_TEST_ANY_DEVICE", "1", 1);
    setenv("HF_TEST_SCRATCH", suite.options.apart ? "apart" : "gaps", 1);
    if (suite.options.name && strcmp(suite.options.name, "selftest") == 0) return hf_selftest();
    if (!name_exists(&suite.options)) {
        fprintf(stderr, "test_ops: there is no operator or stem '%s'\n", suite.options.name);
        return 2;
    }
    if (suite.options.list) {
        print_list(&suite.options);
        return 0;
    }
    printf("seed=%llu shapes=%d\n", (unsigned long long)suite.options.seed, suite.options.shapes);
    run_devices(&suite);
    check_exercised(&suite);
    if (suite.passed + suite.failed == 0) suite.failed++;
    printf("test_ops: %d passed, %d failed, %d skipped\n", suite.passed, suite.failed, suite.skipped);
    return suite.failed != 0;
}
