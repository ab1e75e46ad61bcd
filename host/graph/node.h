/* node.h: what stands behind the handles of graph.h. Private to host/. */
#ifndef HF_NODE_H
#define HF_NODE_H

#include "graph.h"

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

typedef enum hf_kind {
    HF_NODE_INPUT,     /* set by the caller before a run */
    HF_NODE_PARAMETER, /* trained */
    HF_NODE_STATE,     /* kept between runs, changed by its operator */
    HF_NODE_RANDOM,    /* what dropout draws from */
    HF_NODE_ONE,       /* the constant 1: the gradient of the loss by itself */
    HF_NODE_OPERATOR,  /* an operator applied to nodes; also stands for its first result */
    HF_NODE_RESULT,    /* a further result of an operator */
} hf_kind;

struct hf_node {
    hf_graph *graph; /* NULL for nodes that a plan made */
    int id;          /* position in its list */
    hf_kind kind;
    char *name;
    hf_desc desc;

    const hf_op *op; /* operator nodes */
    hf_params params;
    int n_in, n_out;
    hf_node *in[HF_MAX_IN];      /* NULL: absent */
    hf_node *result[HF_MAX_OUT]; /* result[0] is the node itself */
    hf_node *owner;              /* HF_NODE_RESULT: of this node ... */
    int index;                   /* ... result number `index` */
    int named;                   /* parameter, state: index in the model */

    /* Filled by the passes of a plan, on its own copies. */
    bool backward;         /* made by the gradient pass */
    bool keep;             /* read after a run */
    bool wanted;           /* something needs it */
    bool set;              /* an input: has been given a value */
    bool needs_gradient;   /* depends on a parameter */
    hf_node *gradient;     /* of the loss by this node, complete once all its users were visited */
    int slot;              /* 1 + index of the parameter whose gradient this is; 0: none */
    hf_node *replaced_by;  /* fused away: look there instead */
    int impl;              /* chosen implementation */
    hf_node *converted[2]; /* this value in the plain, the blocked layout */
    hf_node *storage;      /* the node whose memory this value lies in; itself when it has its own */
    int first, last;       /* positions of the tasks that write it first and use it last */
    int chunk;             /* where in the arena */
    size_t offset;
    size_t scratch, scratch_offset; /* bytes of scratch memory of this task, and where */
    int scratch_chunk;
    hf_tensor tensor;
};

/* Nodes in the order they are computed. */
typedef struct hf_nodes {
    hf_node **at;
    int count, capacity;
} hf_nodes;

hf_status hf_nodes_push(hf_nodes *nodes, hf_node *node);
hf_status hf_node_new(hf_node **out, hf_kind kind, const char *name);
void hf_node_free(hf_node **node);

/* Appends an operator node and nodes for its further results; checks shapes. Owned by whoever owns the list. */
hf_status hf_nodes_apply(hf_node **out, hf_nodes *nodes, const char *op, const char *name, const hf_params *params,
                         int n_in, hf_node *const *in);

struct hf_graph {
    hf_model *model;
    bool training;
    bool holding;     /* what is added is held still */
    hf_nodes nodes;   /* owned */
    uint32_t streams; /* dropout nodes so far: each draws from a stream of its own */
    hf_status status;
    char *message; /* of the first error */
};

/* ---- model ------------------------------------------------------------------------------------------------------- */

typedef struct hf_slot {
    char *name;
    hf_shape shape;
    hf_init init;
    bool is_parameter;
    size_t offset; /* parameters: bytes into the flat buffers */
    hf_tensor value;
    hf_tensor gradient;
} hf_slot;

struct hf_model {
    hf_context *context;
    uint64_t seed;
    int n_slots, capacity;
    hf_slot *slot; /* in order of creation */
    bool frozen;
    size_t flat_bytes;
    hf_buffer *theta, *gradient;
    hf_tensor random; /* I32 [4]: seed low, seed high, step, 0 */
    hf_tensor one;    /* [1] = 1 */
};

/* Finds or adds a slot; shapes must agree, and nothing can be added after freezing. */
hf_status hf_model_slot(int *out, hf_model *model, const char *name, hf_shape shape, hf_init init, bool is_parameter);

#endif
