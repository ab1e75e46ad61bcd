/* plan.h: a graph made ready to run, in four passes, one file each: fuse, gradient, layout, memory; then only run. */
#ifndef HF_PLAN_H
#define HF_PLAN_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_plan hf_plan;

typedef struct hf_plan_options {
    hf_node *loss;        /* [1]: also compute the gradients of all parameters; NULL: forward only */
    hf_node *const *keep; /* [n_keep] nodes whose values are read after a run; the loss is always kept */
    int n_keep;
    bool no_fuse; /* leave every node as written: for comparing */
} hf_plan_options;

/* Plans without touching device memory: cheap, so that `plan` can answer for any size. */
hf_status hf_plan_new(hf_plan **out, hf_graph *graph, const hf_plan_options *options) HF_MUST_USE;
void hf_plan_free(hf_plan **plan);

/* Device memory for values; plans that never run at the same time can share one. */
typedef struct hf_arena hf_arena;
hf_status hf_arena_new(hf_arena **out, hf_context *context) HF_MUST_USE;
void hf_arena_free(hf_arena **arena);
/* Makes room for a plan. Reserve for all plans first, then bind them. */
hf_status hf_arena_reserve(hf_arena *arena, const hf_plan *plan) HF_MUST_USE;

/* Allocates, compiles, sets arguments. arena NULL: memory of its own. The first set or run does this by itself. One that
 * fails leaves plan, arena and model as they were. */
hf_status hf_plan_bind(hf_plan *plan, hf_arena *arena) HF_MUST_USE;

/* Copies an input, data[count] in the plain layout, from the host. HF_ERR_SHAPE, with both sizes, when the input does not
 * have `count` elements. */
hf_status hf_plan_set(hf_plan *plan, const char *input, const void *data, int64_t count) HF_MUST_USE;
/* Enqueues everything; nothing is allocated, compiled or decided, and nothing is waited for. HF_ERR_ARGUMENT names an
 * input that was never set. */
hf_status hf_plan_run(hf_plan *plan) HF_MUST_USE;
/* Waits, and copies the value of a kept node to the host, into data[count] in the plain layout; `count` as for
 * hf_plan_set. */
hf_status hf_plan_get(hf_plan *plan, const hf_node *node, void *data, int64_t count) HF_MUST_USE;

typedef struct hf_plan_info {
    int64_t parameters;      /* trained scalars */
    uint64_t flop_forward;   /* one run, forward part */
    uint64_t flop;           /* one run, all of it */
    size_t bytes_peak;       /* values and scratch: the arena */
    size_t bytes_parameters; /* parameters, gradients, states */
    int tasks;
} hf_plan_info;
hf_plan_info hf_plan_summary(const hf_plan *plan);

/* A table for people: node, operator, shape, implementation, why faster ones were refused, parameters, bytes, FLOP. */
hf_status hf_plan_describe(const hf_plan *plan, hf_text *out) HF_MUST_USE;
/* The same as a JSON array of objects: name, op, shape, layout, impl, refused [{impl, why}], parameters, bytes, flop,
 * backward. */
hf_status hf_plan_nodes_json(const hf_plan *plan, hf_text *out) HF_MUST_USE;

/* Runs every task `repeats` times by itself and reports the shortest times. The values computed are not meaningful:
 * tasks that update states do so each time. */
hf_status hf_plan_profile(hf_plan *plan, int repeats, hf_text *out) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
