/* conv_onednn.c: oneDNN's convolutions for bench/conv.py, by the protocol of serve.h.
 *
 * Built by bench/peers.py against the headers and the library it fetched (oneDNN 3.2, C API). Every way that oneDNN
 * offers is timed once and the fastest is kept: each algorithm and each implementation behind it, in memory formats of
 * its own choice (`any`) and with channels last; weights a sample as groups of one convolution and as one convolution a
 * sample. Operands are brought into its formats beforehand, uncounted. Threads: OMP_NUM_THREADS.
 *
 *     conv_onednn [plain-weights]
 *
 * plain-weights: weights come and their gradient goes in the plain layout, which a training step keeps them in; every
 * run brings them into oneDNN's format, or back, and that is counted. */
#include "serve.h"

#include <oneapi/dnnl/dnnl.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIAL_SECONDS 0.03 /* a way is tried so long, and twice at least; its best run counts */
#define HOPELESS      3    /* times the best way so far, in its first run: no second one */

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) != dnnl_success) return "failed: " #call;                                                           \
    } while (0)

/* What a pass calls x, w and y, and where it takes them. */
static const struct {
    dnnl_query_t query;
    int argument;
} roles[3][3] = {
    [CONV_FORWARD] = { { dnnl_query_src_md, DNNL_ARG_SRC },
                       { dnnl_query_weights_md, DNNL_ARG_WEIGHTS },
                       { dnnl_query_dst_md, DNNL_ARG_DST } },
    [CONV_DX] = { { dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC },
                  { dnnl_query_weights_md, DNNL_ARG_WEIGHTS },
                  { dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST } },
    [CONV_DW] = { { dnnl_query_src_md, DNNL_ARG_SRC },
                  { dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS },
                  { dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST } },
};

/* One of oneDNN's ways: the problem in `parts` equal runs of one primitive, each with `groups` groups. */
typedef struct way {
    dnnl_primitive_t primitive;
    int parts, groups;
    dnnl_memory_desc_t plain[3]; /* x, w, y of a part, in our order */
    dnnl_memory_t *memory[3];    /* of each part */
    dnnl_memory_t *weights;      /* of each part, plain; with plain-weights */
    dnnl_primitive_t order;      /* brings them into oneDNN's format, or back */
    char name[96];
    double seconds;
} way;

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static conv_problem problem; /* its tensors are valid while it is opened */
static way best;
static bool plain_weights;

/* ---- descriptions ------------------------------------------------------------------------------------------------ */

static int dims_of(dnnl_dims_t dims, const way *w, int tensor)
{
    const conv_problem *p = &problem;
    const int n = p->n / w->parts / w->groups, *size = tensor == CONV_X ? p->in : p->out;
    if (tensor == CONV_W) {
        const dnnl_dims_t all = { w->groups, p->o, p->c, p->k, p->k, p->k };
        const int left_out = w->groups == 1;
        memcpy(dims, all + left_out, (size_t)(6 - left_out) * sizeof *dims);
        return 6 - left_out;
    }
    const dnnl_dims_t all = { n, (tensor == CONV_X ? p->c : p->o) * w->groups, size[0], size[1], size[2] };
    memcpy(dims, all, 5 * sizeof *dims);
    return 5;
}

static const char *describe(dnnl_memory_desc_t *out, const way *w, int tensor, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims;
    const int rank = dims_of(dims, w, tensor);
    if (tag == dnnl_format_tag_undef) tag = tensor != CONV_W ? dnnl_ncdhw : rank == 6 ? dnnl_goidhw : dnnl_oidhw;
    TRY(dnnl_memory_desc_create_with_tag(out, rank, dims, dnnl_f32, tag));
    return NULL;
}

/* The pass's primitive; *forward is the convolution it belongs to, which oneDNN looks at as long as *out is in use. */
static dnnl_status_t describe_primitive(dnnl_primitive_desc_t *out, dnnl_primitive_desc_t *forward,
                                        dnnl_memory_desc_t md[3], dnnl_alg_kind_t algorithm)
{
    const conv_problem *p = &problem;
    const dnnl_dims_t stride = { p->stride, p->stride, p->stride }, pad = { p->pad, p->pad, p->pad }, dense = { 0 };
    const dnnl_memory_desc_t x = md[CONV_X], w = md[CONV_W], y = md[CONV_Y];
    dnnl_primitive_desc_t *first = p->pass == CONV_FORWARD ? out : forward;
    const dnnl_status_t status = dnnl_convolution_forward_primitive_desc_create(
        first, engine, dnnl_forward_training, algorithm, x, w, NULL, y, stride, dense, pad, pad, NULL);
    if (status != dnnl_success || p->pass == CONV_FORWARD) return status;
    if (p->pass == CONV_DX)
        return dnnl_convolution_backward_data_primitive_desc_create(out, engine, algorithm, x, w, y, stride, dense, pad,
                                                                    pad, *forward, NULL);
    return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, algorithm, x, w, NULL, y, stride, dense,
                                                                   pad, pad, *forward, NULL);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static const char *reorder(dnnl_memory_t from, dnnl_memory_t to)
{
    const_dnnl_memory_desc_t from_md, to_md;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    TRY(dnnl_memory_get_memory_desc(from, &from_md));
    TRY(dnnl_memory_get_memory_desc(to, &to_md));
    TRY(dnnl_reorder_primitive_desc_create(&description, from_md, engine, to_md, engine, NULL));
    dnnl_status_t status = dnnl_primitive_create(&primitive, description);
    dnnl_primitive_desc_destroy(description);
    TRY(status);
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    dnnl_primitive_destroy(primitive);
    TRY(status);
    return NULL;
}

/* Copies part `part` of a plain tensor into oneDNN's memory, or back. */
static const char *move_part(const way *w, int tensor, int part, float *values, bool back)
{
    dnnl_memory_t plain = NULL;
    float *from = values + problem.count[tensor] / (size_t)w->parts * (size_t)part;
    TRY(dnnl_memory_create(&plain, w->plain[tensor], engine, from));
    const char *wrong = back ? reorder(w->memory[tensor][part], plain) : reorder(plain, w->memory[tensor][part]);
    dnnl_memory_destroy(plain);
    return wrong;
}

/* What brings weights from the plain layout into oneDNN's, or gradients back, in every run. */
static const char *make_order(way *w)
{
    const_dnnl_memory_desc_t theirs;
    dnnl_primitive_desc_t description = NULL;
    const bool back = problem.result == CONV_W;
    if (!plain_weights) return NULL;
    w->weights = calloc((size_t)w->parts, sizeof(dnnl_memory_t));
    if (!w->weights) return "no memory";
    for (int i = 0; i < w->parts; i++) {
        TRY(dnnl_memory_create(&w->weights[i], w->plain[CONV_W], engine, DNNL_MEMORY_ALLOCATE));
        const char *wrong = back ? NULL : reorder(w->memory[CONV_W][i], w->weights[i]);
        if (wrong) return wrong;
    }
    TRY(dnnl_memory_get_memory_desc(w->memory[CONV_W][0], &theirs));
    TRY(dnnl_reorder_primitive_desc_create(&description, back ? theirs : w->plain[CONV_W], engine,
                                           back ? w->plain[CONV_W] : theirs, engine, NULL));
    const dnnl_status_t status = dnnl_primitive_create(&w->order, description);
    dnnl_primitive_desc_destroy(description);
    TRY(status);
    return NULL;
}

static const char *make_memory(way *w, const_dnnl_primitive_desc_t description)
{
    for (int t = CONV_X; t <= CONV_Y; t++) {
        const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(description, roles[problem.pass][t].query, 0);
        const char *wrong = describe(&w->plain[t], w, t, dnnl_format_tag_undef);
        w->memory[t] = calloc((size_t)w->parts, sizeof(dnnl_memory_t));
        if (wrong || !w->memory[t]) return wrong ? wrong : "no memory";
        for (int i = 0; i < w->parts; i++) {
            TRY(dnnl_memory_create(&w->memory[t][i], md, engine, DNNL_MEMORY_ALLOCATE));
            if (t != problem.result && (wrong = move_part(w, t, i, problem.tensor[t], false))) return wrong;
        }
    }
    return make_order(w);
}

static void free_way(way *w)
{
    for (int t = CONV_X; t <= CONV_Y; t++) {
        for (int i = 0; w->memory[t] && i < w->parts; i++)
            if (w->memory[t][i]) dnnl_memory_destroy(w->memory[t][i]);
        free(w->memory[t]);
        if (w->plain[t]) dnnl_memory_desc_destroy(w->plain[t]);
    }
    for (int i = 0; w->weights && i < w->parts; i++)
        if (w->weights[i]) dnnl_memory_destroy(w->weights[i]);
    free(w->weights);
    if (w->order) dnnl_primitive_destroy(w->order);
    if (w->primitive) dnnl_primitive_destroy(w->primitive);
    *w = (way){ 0 };
}

/* ---- ways -------------------------------------------------------------------------------------------------------- */

static dnnl_status_t order_weights(const way *w, int part)
{
    const bool back = problem.result == CONV_W;
    if (!w->order) return dnnl_success;
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, back ? w->memory[CONV_W][part] : w->weights[part] },
                                          { DNNL_ARG_TO, back ? w->weights[part] : w->memory[CONV_W][part] } };
    return dnnl_primitive_execute(w->order, stream, 2, arguments);
}

static const char *run_way(const way *w, int times)
{
    for (int i = 0; i < times * w->parts; i++) {
        const int part = i % w->parts;
        dnnl_exec_arg_t arguments[3];
        for (int t = CONV_X; t <= CONV_Y; t++)
            arguments[t] = (dnnl_exec_arg_t){ roles[problem.pass][t].argument, w->memory[t][part] };
        if (problem.result != CONV_W) TRY(order_weights(w, part));
        TRY(dnnl_primitive_execute(w->primitive, stream, 3, arguments));
        if (problem.result == CONV_W) TRY(order_weights(w, part));
    }
    TRY(dnnl_stream_wait(stream));
    return NULL;
}

static const char *time_way(way *w, const_dnnl_primitive_desc_t description)
{
    TRY(dnnl_primitive_create(&w->primitive, description));
    const char *wrong = make_memory(w, description);
    const double begin = conv_seconds();
    if (!wrong) wrong = run_way(w, 1);
    if (best.primitive && conv_seconds() - begin > HOPELESS * best.seconds + TRIAL_SECONDS) return "too slow to go on";
    const double trial = conv_seconds();
    for (int i = 0; !wrong && (i < 2 || conv_seconds() - trial < TRIAL_SECONDS); i++) {
        const double start = conv_seconds();
        wrong = run_way(w, 1);
        const double seconds = conv_seconds() - start;
        if (i == 0 || seconds < w->seconds) w->seconds = seconds;
    }
    return wrong;
}

/* Keeps the faster of the best way so far and this one. */
static void try_way(const_dnnl_primitive_desc_t description, int parts, int groups, const char *format,
                    const char *implementation)
{
    way w = { .parts = parts, .groups = groups };
    snprintf(w.name, sizeof w.name, "%.48s %s%s", implementation, format,
             parts > 1    ? ", sample by sample"
             : groups > 1 ? ", groups"
                          : "");
    if (!time_way(&w, description) && (!best.primitive || w.seconds < best.seconds)) {
        free_way(&best);
        best = w;
    } else {
        free_way(&w);
    }
}

/* Every implementation of one algorithm; the reference implementations end the list and are not worth timing. */
static void try_algorithm(int parts, int groups, dnnl_format_tag_t tag, dnnl_alg_kind_t algorithm)
{
    const way shape = { .parts = parts, .groups = groups };
    dnnl_memory_desc_t md[3] = { NULL };
    dnnl_primitive_desc_t description = NULL, forward = NULL;
    const char *wrong = NULL, *name;
    for (int t = CONV_X; t <= CONV_Y; t++)
        if (!wrong) wrong = describe(&md[t], &shape, t, t == CONV_W ? dnnl_format_tag_any : tag);
    if (!wrong && describe_primitive(&description, &forward, md, algorithm) == dnnl_success) {
        do {
            if (dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) != dnnl_success) break;
            if (strncmp(name, "ref", 3) == 0) break;
            try_way(description, parts, groups, tag == dnnl_format_tag_any ? "any" : "channels last", name);
        } while (dnnl_primitive_desc_next_impl(description) == dnnl_success);
        dnnl_primitive_desc_destroy(description);
    }
    if (forward) dnnl_primitive_desc_destroy(forward);
    for (int t = CONV_X; t <= CONV_Y; t++)
        if (md[t]) dnnl_memory_desc_destroy(md[t]);
}

static const char *open_case(const conv_problem *p, char how[96])
{
    static const dnnl_alg_kind_t algorithms[] = { dnnl_convolution_direct, dnnl_convolution_winograd };
    static const dnnl_format_tag_t tags[] = { dnnl_format_tag_any, dnnl_ndhwc };
    problem = *p;
    for (int a = 0; a < 2; a++)
        for (int t = 0; t < 2; t++) {
            try_algorithm(1, p->per_sample ? p->n : 1, tags[t], algorithms[a]);
            if (p->per_sample && p->n > 1) try_algorithm(p->n, 1, tags[t], algorithms[a]);
        }
    snprintf(how, 96, "%s", best.name);
    return best.primitive ? NULL : "oneDNN has no implementation but its reference";
}

static const char *run(int times)
{
    return run_way(&best, times);
}

static const char *read_result(float *values)
{
    const char *wrong = NULL;
    for (int i = 0; !wrong && i < best.parts; i++)
        wrong = move_part(&best, problem.result, i, values, true);
    return wrong;
}

static void close_case(void)
{
    free_way(&best);
}

int main(int argc, char **argv)
{
    static const conv_server server = { open_case, run, read_result, close_case };
    char greeting[128];
    plain_weights = argc > 1 && strcmp(argv[1], "plain-weights") == 0;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success) {
        fprintf(stderr, "conv_onednn: no engine\n");
        return 1;
    }
    const dnnl_version_t *version = dnnl_version();
    snprintf(greeting, sizeof greeting, "{\"version\": \"%d.%d.%d\", \"threads\": %d}", version->major, version->minor,
             version->patch, omp_get_max_threads());
    return conv_serve(&server, greeting);
}
