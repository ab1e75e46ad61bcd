/* bench_ops.c: the operators timed, on the named cases of their tests.
 *
 *     bench_ops [STEM_OR_OPERATOR [CASE]] [impl=NAME] [device=ID] [rounds=N] [any=1] [json=1]
 *
 * All implementations of a case are timed in turn, round after round, so that a slow spell of the machine meets all of
 * them; the median round is reported. A round repeats its run until it lasts ROUND_SECONDS. FLOP are those of the
 * operator's definition whatever an implementation really does, bytes are operands and results once. `vs plain` is
 * the time of the plain implementation over this one's. any=1 also times implementations meant for another kind of
 * device; json=1 prints one JSON object a line. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_IMPLS    12
#define MOST_ROUNDS   101
#define ROUND_SECONDS 0.02
#define LONG_RUN      0.5 /* seconds; beyond it three rounds must do */

typedef struct options {
    const char *name, *only_case, *impl, *device;
    int rounds;
    bool any, json;
} options;

/* One implementation bound to tensors of its own. */
typedef struct entry {
    hf_task *task;
    hf_tensor in[HF_MAX_IN], out[HF_MAX_OUT];
    size_t bytes;                /* of all tensors */
    int repeats;                 /* runs in a round */
    int done;                    /* rounds */
    double seconds[MOST_ROUNDS]; /* of one run */
} entry;

typedef struct bench {
    const options *options;
    hf_context *context;
    hf_problem problem;
    const char *text; /* the case */
    entry entries[MOST_IMPLS];
} bench;

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static hf_status upload(const hf_tensor *tensor, const double *values)
{
    size_t count = (size_t)hf_count(&tensor->desc);
    void *data = NULL;
    HF_TRY(hf_alloc(&data, count, sizeof(float), "operand"));
    for (size_t i = 0; i < count; i++)
        if (tensor->desc.type == HF_F32)
            ((float *)data)[i] = (float)values[i];
        else if (tensor->desc.type == HF_I32)
            ((int32_t *)data)[i] = (int32_t)values[i];
        else
            ((uint8_t *)data)[i] = (uint8_t)values[i];
    hf_status status = hf_tensor_write(tensor, data, (int64_t)count);
    free(data);
    return status;
}

static hf_status make_tensor(hf_tensor *out, bench *b, entry *e, const hf_desc *desc, char letter)
{
    hf_desc wanted = *desc;
    if (!desc->shape.rank) return HF_OK;
    if (letter == 'B' && desc->shape.rank == 5) wanted.layout = HF_BLOCKED;
    e->bytes += hf_desc_bytes(&wanted);
    return hf_tensor_new_desc(out, b->context, &wanted);
}

static hf_status open_entry(bench *b, int impl)
{
    entry *e = &b->entries[impl];
    const hf_problem *p = &b->problem;
    const char *letters = hf_op_impl_layouts(p->op, impl), *results = strchr(letters, '>') + 1;
    hf_task_options task_options = { .impl = 1 + impl };
    for (int i = 0; i < p->n_in; i++) {
        HF_TRY(make_tensor(&e->in[i], b, e, &p->in[i], letters[i]));
        if (e->in[i].buffer) HF_TRY(upload(&e->in[i], p->in_values[i]));
    }
    for (int i = 0; i < p->n_out; i++)
        HF_TRY(make_tensor(&e->out[i], b, e, &p->out[i], results[i]));
    return hf_task_new(&e->task, b->context, p->op, &p->params, e->in, p->n_in, e->out, p->n_out, &task_options);
}

static void close_entry(entry *e)
{
    hf_task_free(&e->task);
    for (int i = 0; i < HF_MAX_IN; i++)
        hf_tensor_free(&e->in[i]);
    for (int i = 0; i < HF_MAX_OUT; i++)
        hf_tensor_free(&e->out[i]);
    *e = (entry){ 0 };
}

/* ---- timing ------------------------------------------------------------------------------------------------------ */

static hf_status time_runs(double *seconds, bench *b, const entry *e, int repeats)
{
    double start = hf_seconds();
    for (int i = 0; i < repeats; i++)
        HF_TRY(hf_task_run(e->task));
    HF_TRY(hf_context_finish(b->context));
    *seconds = (hf_seconds() - start) / repeats;
    return HF_OK;
}

/* The first runs compile and touch memory; the third says how often a round must repeat. */
static hf_status warm_up(bench *b, entry *e)
{
    double seconds = 0;
    for (int i = 0; i < 3; i++) {
        HF_TRY(time_runs(&seconds, b, e, 1));
        if (seconds > LONG_RUN) break;
    }
    double repeats = ROUND_SECONDS / (seconds > 1e-7 ? seconds : 1e-7);
    e->repeats = repeats > 1 ? (int)repeats : 1;
    e->seconds[0] = seconds;
    return HF_OK;
}

static hf_status time_rounds(bench *b)
{
    for (int round = 0; round < b->options->rounds; round++)
        for (entry *e = b->entries; e < b->entries + MOST_IMPLS; e++) {
            if (!e->task || (round >= 3 && e->seconds[0] > LONG_RUN)) continue;
            HF_TRY(time_runs(&e->seconds[e->done], b, e, e->repeats));
            e->done++;
        }
    return HF_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(entry *e)
{
    qsort(e->seconds, (size_t)e->done, sizeof e->seconds[0], compare_doubles);
    return e->seconds[e->done / 2];
}

/* ---- report ------------------------------------------------------------------------------------------------------ */

static void print_entry(const bench *b, int impl, double seconds, double plain)
{
    const char *format = b->options->json ? "{\"op\":\"%s\",\"case\":\"%s\",\"impl\":\"%s\",\"ms\":%.6g,\"gflops\":%."
                                            "5g,\"gbs\":%.5g,\"vs_plain\":%.4g}\n"
                                          : "%-20s %-32s %-16s %10.4f ms %9.2f GFLOP/s %8.2f GB/s %8.2f vs plain\n";
    printf(format, b->problem.test->op, b->text, hf_op_impl_name(b->problem.op, impl), 1e3 * seconds,
           hf_problem_flop(&b->problem) / seconds * 1e-9, (double)b->entries[impl].bytes / seconds * 1e-9,
           plain > 0 ? plain / seconds : 0.0);
    fflush(stdout);
}

static void print_entries(bench *b)
{
    double seconds[MOST_IMPLS] = { 0 }, plain = 0;
    for (int impl = 0; impl < hf_op_impl_count(b->problem.op); impl++) {
        if (!b->entries[impl].done) continue;
        seconds[impl] = median(&b->entries[impl]);
        if (strcmp(hf_op_impl_name(b->problem.op, impl), "plain") == 0) plain = seconds[impl];
    }
    for (int impl = 0; impl < hf_op_impl_count(b->problem.op); impl++)
        if (b->entries[impl].done) print_entry(b, impl, seconds[impl], plain);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static bool impl_wanted(const bench *b, int impl)
{
    const hf_problem *p = &b->problem;
    if (b->options->impl && strcmp(b->options->impl, hf_op_impl_name(p->op, impl)) != 0) return false;
    return !hf_op_impl_refusal(b->context, p->op, impl, &p->params, p->in, p->n_in);
}

static hf_status run_case(const options *o, hf_context *context, const hf_op_test *test, const char *text)
{
    static bench b; /* large, and there is one at a time */
    hf_case test_case;
    hf_status status;
    b = (bench){ .options = o, .context = context, .text = text };
    HF_TRY(hf_case_parse(&test_case, text));
    HF_TRY(hf_problem_shape(&b.problem, test, &test_case));
    HF_TRY_OUT(hf_problem_draw(&b.problem, &test_case, 1));
    for (int impl = 0; impl < hf_op_impl_count(b.problem.op) && impl < MOST_IMPLS; impl++) {
        if (!impl_wanted(&b, impl)) continue;
        HF_TRY_OUT(open_entry(&b, impl));
        HF_TRY_OUT(warm_up(&b, &b.entries[impl]));
    }
    HF_TRY_OUT(time_rounds(&b));
    print_entries(&b);
out:
    for (int impl = 0; impl < MOST_IMPLS; impl++)
        close_entry(&b.entries[impl]);
    hf_problem_free(&b.problem);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "%s %s", test->op, text);
}

static int run_all(const options *o, hf_context *context)
{
    const hf_op_test *test;
    const char *stem;
    int failed = 0, found = 0;
    for (int i = 0; (test = hf_test_at(i, &stem)); i++) {
        const char *const only[] = { o->only_case, NULL }, *const *cases = o->only_case ? only : test->cases;
        if (!hf_test_wanted(test, stem, o->name, o->only_case)) continue;
        for (; cases && *cases; cases++, found++)
            if (run_case(o, context, test, *cases) != HF_OK) {
                fprintf(stderr, "bench_ops: %s\n", hf_error_message());
                failed++;
            }
    }
    if (!found) fprintf(stderr, "bench_ops: no case named '%s'\n", o->name ? o->name : "");
    return failed || !found;
}

/* ---- command line ------------------------------------------------------------------------------------------------ */

static bool read_option(options *o, const char *argument)
{
    const char *value;
    if ((value = hf_test_option(argument, "impl")))
        o->impl = value;
    else if ((value = hf_test_option(argument, "device")))
        o->device = value;
    else if ((value = hf_test_option(argument, "rounds")))
        o->rounds = (int)strtol(value, NULL, 10);
    else if ((value = hf_test_option(argument, "any")))
        o->any = strcmp(value, "0") != 0;
    else if ((value = hf_test_option(argument, "json")))
        o->json = strcmp(value, "0") != 0;
    else if (strchr(argument, '='))
        return false;
    else if (!o->name)
        o->name = argument;
    else if (!o->only_case)
        o->only_case = argument;
    else
        return false;
    return o->rounds >= 1 && o->rounds <= MOST_ROUNDS;
}

int main(int count, char **arguments)
{
    options o = { .rounds = 9 };
    hf_context *context = NULL;
    for (int i = 1; i < count; i++)
        if (!read_option(&o, arguments[i])) {
            fprintf(stderr, "bench_ops: cannot use '%s'\n", arguments[i]);
            return 2;
        }
    if (o.any) setenv("HF_TEST_ANY_DEVICE", "1", 1);
    if (hf_context_new(&context, o.device, NULL) != HF_OK) {
        fprintf(stderr, "bench_ops: %s\n", hf_error_message());
        return 1;
    }
    if (!o.json) printf("%s\n", hf_context_device(context)->name);
    int result = run_all(&o, context);
    hf_context_free(&context);
    return result;
}
