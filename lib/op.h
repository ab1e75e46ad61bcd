/* op.h: what an operator file is made of. Private to lib/.
 *
 * lib/ops/<stem>.c defines one or more `const hf_op` tables (the operator and its gradient operators) and lists them in
 * `const hf_op *const hf_ops_<stem>[]`, ended by NULL. lib/ops/ops.def has one line a stem. An implementation's
 * `prepare` describes, once, the kernel launches of one run; running is only enqueueing them. */
#ifndef HF_OP_H
#define HF_OP_H

#include "hfcl.h"

/* What an operator is asked about: options and operands without memory. */
typedef struct hf_query {
    const hf_op *op;
    const hf_params *params;
    const hf_desc *in; /* [n_in] absent operands are all zeros */
    int n_in;
} hf_query;

/* The problem an implementation is asked about or prepared for. While asking, buffers are NULL. */
typedef struct hf_call {
    hf_context *context;
    const hf_op *op;
    hf_params params;
    int n_in, n_out;
    hf_tensor in[HF_MAX_IN]; /* absent operands are all zeros */
    hf_tensor out[HF_MAX_OUT];
    const hf_impl *impl; /* that is asked or prepared */
    hf_tensor scratch;   /* U8 [bytes] when scratch was asked for */
    hf_task *task;       /* receives the launches */
} hf_call;

struct hf_impl {
    const char *name;                           /* NULL ends the list */
    const char *layouts;                        /* see hf_op_impl_layouts */
    const char *(*refuse)(const hf_call *call); /* NULL: fits everything */
    size_t (*scratch)(const hf_call *call);     /* NULL: none */
    hf_status (*prepare)(hf_call *call);
    const void
        *variant; /* what sets it apart from others with the same functions: a kernel's name, or a row of a table */
};

#define HF_MAX_IMPLS 12

struct hf_op {
    const char *name;
    int min_in, max_in, n_out;
    const char *in_names;  /* "x w b", for messages and the documentation */
    const char *out_names; /* "y" */
    const char *formula;   /* one line for the documentation */
    hf_status (*infer)(const hf_query *q, hf_desc *out);
    uint64_t (*flop)(const hf_query *q); /* NULL: one per element of the result */
    hf_impl impls[HF_MAX_IMPLS];
    int replaces[HF_MAX_OUT]; /* 1 + operand that the result may overwrite; 0: none */
    hf_rule rules[HF_MAX_RULES];
    hf_params (*rule_params)(const hf_query *q, int rule); /* options of a gradient; NULL: the same */
};

/* Under HF_TEST_AS_GPU=1 every device says of itself that it is not a CPU, and is treated so.
 * True under HF_TEST_ANY_DEVICE=1: implementations meant for another kind of device do not refuse this one, so that all
 * of them can be tested on whatever device there is. */
bool hf_context_any_device(const hf_context *context);
/* Whether groups of this many work-items really run; found out once a size, by asking for a kernel of that size. */
bool hf_context_runs_groups_of(hf_context *context, size_t items);
/* Defines for kernels that include matrix.h; NULL where matrix units cannot be used or were not asked for. Under
 * HF_TEST_ANY_DEVICE=1 devices without them emulate them. */
const char *hf_context_matrix_defines(hf_context *context);
bool hf_context_plain_only(const hf_context *context);
const char *hf_context_forced(const hf_context *context); /* "op=impl,..." or NULL */

/* ---- launches ---------------------------------------------------------------------------------------------------- */

typedef struct hf_arg {
    enum { HF_ARG_TENSOR, HF_ARG_INT, HF_ARG_FLOAT, HF_ARG_UINT, HF_ARG_LONG } kind;
    union {
        const hf_tensor *tensor; /* an absent one passes a valid buffer that must not be read */
        int32_t i;
        uint32_t u;
        float f;
        int64_t l;
    } as;
} hf_arg;

#define HF_T(tensor_pointer) ((hf_arg){ .kind = HF_ARG_TENSOR, .as.tensor = (tensor_pointer) })
#define HF_I(value)          ((hf_arg){ .kind = HF_ARG_INT, .as.i = (int32_t)(value) })
#define HF_U(value)          ((hf_arg){ .kind = HF_ARG_UINT, .as.u = (uint32_t)(value) })
#define HF_L(value)          ((hf_arg){ .kind = HF_ARG_LONG, .as.l = (int64_t)(value) })
#define HF_F(value)          ((hf_arg){ .kind = HF_ARG_FLOAT, .as.f = (float)(value) })

/* Groups and work-items of a launch: groups[3] groups of items[3] work-items; zero means 1. */
typedef struct hf_range {
    size_t groups[3];
    size_t items[3];
    bool shrinks; /* groups are WG work-items that know nothing of each other: on a device that allows fewer, the
                     program is compiled with a smaller WG, for as many work-items in all */
} hf_range;

/* Adds a launch of kernel `kernel` from cl_kernels/<program>.cl compiled with `defines` ("-DTILE=8 -DACT=1", NULL:
 * none). Kernels state reqd_work_group_size, equal to range->items. Build errors carry the compiler's log. */
hf_status hf_launch(hf_call *call, const char *program, const char *kernel, const char *defines, hf_range range,
                    const hf_arg *args, int n_args);

#define HF_ARGS(...) (const hf_arg[]){ __VA_ARGS__ }, (int)(sizeof((const hf_arg[]){ __VA_ARGS__ }) / sizeof(hf_arg))

/* Adds a device-side copy, or a fill with zero bytes, of a whole tensor. */
hf_status hf_launch_copy(hf_call *call, const hf_tensor *to, const hf_tensor *from);
hf_status hf_launch_zero(hf_call *call, const hf_tensor *to);

/* C = alpha * op(A) op(B) for row-major matrices through CLBlast. Adds to the launches like a kernel. */
typedef struct hf_gemm {
    int m, n, k;
    bool transpose_a, transpose_b;
    int lda, ldb, ldc;
    float alpha;
} hf_gemm;
hf_status hf_launch_gemm(hf_call *call, const hf_gemm *gemm, const hf_tensor *a, const hf_tensor *b,
                         const hf_tensor *c);

/* A part of the scratch memory as a float tensor of `count` elements, starting at byte `offset` (a multiple of
 * hf_scratch_align). The view belongs to the task. */
hf_status hf_scratch_part(hf_tensor *out, hf_call *call, size_t offset, int64_t count);
size_t hf_scratch_align(const hf_call *call, size_t bytes); /* rounds up to what a view needs */

/* For tests, under HF_TEST_SCRATCH: "gaps" leaves memory unused between the parts; "apart" gives each part a buffer of
 * its own. hf_task_part tells where a part lies in the scratch memory; false: there are not so many. */
bool hf_task_part(const hf_task *task, int index, size_t *offset, size_t *bytes);

/* ---- data that comes with the library ---------------------------------------------------------------------------- */

/* Made from cl_kernels/ by embed.py; both lists end with a row of NULLs. */
typedef struct hf_source {
    const char *name, *text;
} hf_source;
typedef struct hf_tuning_row {
    const char *device; /* a part of the device or platform name; "*": any */
    const char *op, *impl;
} hf_tuning_row;
extern const hf_source hf_sources[];
extern const hf_tuning_row hf_tuning_rows[];

/* A kernel source, cl_kernels/<name>.cl with its includes expanded, NUL-terminated; NULL when there is none. */
const char *hf_source_find(const char *name);

/* The implementation that cl_kernels/tuning.tsv names for this device and operator, or NULL. */
const char *hf_tuning_find(const hf_device_info *info, const char *op);

/* ---- helpers for shape rules ------------------------------------------------------------------------------------- */

hf_status hf_expect_rank(const hf_query *q, int index, int rank);
/* Fails with both shapes unless in[index] has this shape. */
hf_status hf_expect_shape(const hf_query *q, int index, hf_shape shape);
/* Fails unless in[index] is there and has elements of this type. */
hf_status hf_expect_type(const hf_query *q, int index, hf_type type);
hf_desc hf_desc_f32(hf_shape shape); /* plain float */
bool hf_present(const hf_desc *desc);

/* Blocks of 16 channels. */
static inline int64_t hf_blocks(int64_t channels)
{
    return (channels + HF_BLOCK - 1) / HF_BLOCK;
}

static inline size_t hf_ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

#endif
