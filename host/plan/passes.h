/* passes.h: what stands behind the handles of plan.h, and the passes. Private to host/plan/. */
#ifndef HF_PASSES_H
#define HF_PASSES_H

#include "graph/node.h"
#include "plan.h"

#define HF_MAX_CHUNKS 16

struct hf_arena {
    hf_context *context;
    int n_chunks;
    size_t bytes[HF_MAX_CHUNKS];     /* wanted */
    hf_buffer *chunk[HF_MAX_CHUNKS]; /* made at the first bind */
};

struct hf_plan {
    hf_graph *graph;
    hf_model *model;
    hf_plan_options options;
    hf_nodes nodes; /* in running order; not owned */
    hf_nodes all;   /* every node this plan ever made, owned */
    hf_node **copy; /* [graph nodes] the plan's copy of each */
    hf_node *loss;
    int n_chunks;
    size_t chunk_bytes[HF_MAX_CHUNKS];
    hf_arena *arena; /* own arena, or NULL */
    bool bound;
    bool inputs_set; /* all of them have been given values */
    int n_tasks;
    hf_task **task;      /* [n_tasks] */
    hf_node **task_node; /* [n_tasks] what each task computes */
    hf_buffer **view;    /* [n_views] windows of the arena */
    int n_views;
};

/* The passes, in order. Each reads plan->nodes and leaves a new list there. */
hf_status hf_pass_fuse(hf_plan *plan);
hf_status hf_pass_gradient(hf_plan *plan);
hf_status hf_pass_layout(hf_plan *plan);
hf_status hf_pass_memory(hf_plan *plan);

/* edit.c, for passes: a list under construction whose new nodes the plan owns. */
hf_status hf_plan_apply(hf_node **out, hf_plan *plan, hf_nodes *list, const char *op, const char *name,
                        const hf_params *params, int n_in, hf_node *const *in);
/* Makes the plan own what was added to `list` since `first`; on failure the list ends before what it could not own. */
hf_status hf_plan_own(hf_plan *plan, hf_nodes *list, int first);
/* A leaf that the plan adds at the end of its list. */
hf_status hf_plan_leaf(hf_node **out, hf_plan *plan, hf_kind kind, const char *name, hf_shape shape);
/* Makes a finished list the plan's list, and numbers its nodes. With a status that is not HF_OK the list is not finished:
 * it is dropped, and the status handed on. */
hf_status hf_plan_replace(hf_plan *plan, hf_nodes *list, hf_status status) HF_MUST_USE;
uint64_t hf_node_flop(const hf_node *node);
/* The node that took over from one that was fused away. */
hf_node *hf_plan_follow(hf_node *node);

/* bind.c: device memory and tasks of a plan. */
hf_status hf_plan_make_tasks(hf_plan *plan, hf_arena *arena);
void hf_plan_free_tasks(hf_plan *plan);
/* plan.c: hf_plan_run, whatever the inputs hold. */
hf_status hf_plan_enqueue(hf_plan *plan);

#endif
