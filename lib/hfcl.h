/* hfcl.h: a portable compute library for 3D networks on OpenCL 1.2 devices.
 *
 * To an OpenCL user what a vendor's deep-learning primitives are to that vendor's users: tensors, operators (each with
 * all its gradients), and for every operator a list of implementations of which the first that fits this device and
 * this problem is used. It knows nothing of graphs, models or files other than its own kernel cache.
 *
 *     hf_context_new(&ctx, "gpu", NULL);                        a device, a queue, a kernel cache
 *     hf_tensor_new(&x, ctx, HF_SHAPE(2, 1, 16, 16, 16));       device memory with a shape
 *     hf_task_new(&task, ctx, hf_op_find("conv3d"), &(hf_params){ .pad = 1 }, in, 3, &y, 1, NULL);
 *     hf_task_run(task);                                        enqueue; costs no allocation and no decision
 *     hf_tensor_read(&y, host, count);                          waits and copies
 *
 * Axis names are fixed: N batch, C and O channels in and out, D H W depth, height, width, K kernel, F features.
 * Tensors are row-major with the last axis fastest, 32-bit floats unless said otherwise.
 * Kernels never use float atomics and always add in the same order: same device, same inputs, same bits.
 *
 * Status, messages and ownership follow hfbase.h. A context and everything made from it belong to one thread at a
 * time. Objects must be freed before their context. */
#ifndef HFCL_H
#define HFCL_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- devices and contexts ---------------------------------------------------------------------------------------- */

/* What was asked of one device; nothing is assumed that is not here. Sizes in bytes unless said otherwise. */
typedef struct hf_device_info {
    char id[16];        /* "gpu:0", "cpu:1", "other:0": kind and position among the devices of that kind */
    char name[128];     /* CL_DEVICE_NAME */
    char platform[128]; /* CL_PLATFORM_NAME */
    char version[128];  /* CL_DEVICE_VERSION */
    char driver[128];   /* CL_DRIVER_VERSION */
    bool is_cpu;        /* decides between kernels that like vectors and kernels that like local memory */
    unsigned compute_units;
    unsigned clock_mhz;
    size_t max_group;     /* work-items in a group */
    size_t max_items[3];  /* work-items along each dimension of a group */
    size_t memory;        /* of the device */
    size_t max_alloc;     /* largest single buffer */
    size_t local_memory;  /* per group */
    size_t align;         /* alignment of a buffer view */
    unsigned float_width; /* preferred vector width for float */
    bool fp16, fp64, subgroups;
    unsigned compute_capability; /* of NVIDIA's devices, 75 for 7.5; else 0 */
} hf_device_info;

/* All devices of all platforms, GPUs first. *list has *count entries and is freed with free(); no device at all is
 * success with a count of 0. */
hf_status hf_devices(hf_device_info **list, int *count) HF_MUST_USE;

typedef struct hf_context hf_context;

typedef struct hf_context_options {
    bool no_cache;     /* do not keep compiled kernels on disk */
    bool plain_only;   /* only the plain implementation of each operator: for comparing and for debugging */
    const char *force; /* "op=impl,op=impl": implementations to use instead of the first that fits; default: the
                          environment variable HF_IMPL */
    bool
        tensor_cores; /* let matrix units make products, where hf_context_tensor_cores says so: results differ in the last
                          bits. The environment variable HF_TENSOR_CORES=1 does the same */
    const hf_device_info *described; /* a device that is not here, instead of opening one */
} hf_context_options;

/* Opens a device. `device` is "gpu", "cpu", "gpu:1", "cpu:0", or a part of a device or platform name (any case);
 * NULL: the environment variable HF_DEVICE, else the first GPU, else the first CPU.
 * HF_ERR_DEVICE lists what there is when nothing matches.
 *
 * With options->described no device is opened. Everything is decided as it would be on a device of that description:
 * implementations, groups, scratch memory, and what a task would launch (hf_task_launch). But there is no memory behind
 * buffers (what is written is dropped), nothing is compiled, and reading or running is HF_ERR_DEVICE. */
hf_status hf_context_new(hf_context **out, const char *device, const hf_context_options *options) HF_MUST_USE;
void hf_context_free(hf_context **context);

const hf_device_info *hf_context_device(const hf_context *context);

/* Whether the device has matrix units that this library can use: NVIDIA's from compute capability 8.0 on, after one
 * product by them was right to the last bit, made when first asked. Whether they were asked for does not matter. */
bool hf_context_tensor_cores(hf_context *context);

/* Waits until everything enqueued has run; device errors of earlier calls surface here. */
hf_status hf_context_finish(hf_context *context) HF_MUST_USE;

/* Kernel programs compiled from source, and taken from the disk cache, so far. */
void hf_context_programs(const hf_context *context, int *compiled, int *cached);

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

typedef struct hf_buffer hf_buffer;

/* Device memory, not initialised. HF_ERR_MEMORY names `label`, the size, and what the device has. */
hf_status hf_buffer_new(hf_buffer **out, hf_context *context, size_t bytes, const char *label) HF_MUST_USE;

/* A window of another buffer or view. offset must be a multiple of the device's `align`. Views may
 * overlap; tasks run in order, so the later one sees what the earlier one wrote. Free views before the parent. */
hf_status hf_buffer_view(hf_buffer **out, hf_buffer *parent, size_t offset, size_t bytes) HF_MUST_USE;
void hf_buffer_free(hf_buffer **buffer);

size_t hf_buffer_bytes(const hf_buffer *buffer);

/* Copies between host and device. Write returns when the host memory may be reused; read waits for everything
 * enqueued before it. */
hf_status hf_buffer_write(hf_buffer *buffer, size_t offset, const void *data, size_t bytes) HF_MUST_USE;
hf_status hf_buffer_read(hf_buffer *buffer, size_t offset, void *data, size_t bytes) HF_MUST_USE;

/* Fills with repetitions of a pattern of 1, 2, 4, ..., 128 bytes; does not wait. */
hf_status hf_buffer_fill(hf_buffer *buffer, size_t offset, size_t bytes, const void *pattern,
                         size_t pattern_bytes) HF_MUST_USE;

/* Copies on the device; does not wait. */
hf_status hf_buffer_copy(hf_buffer *to, size_t to_offset, hf_buffer *from, size_t from_offset,
                         size_t bytes) HF_MUST_USE;

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

#define HF_MAX_RANK 6
#define HF_BLOCK    16 /* channels in one block of the blocked layout */

typedef struct hf_shape {
    int rank;                 /* 0: absent */
    int64_t dim[HF_MAX_RANK]; /* dim[0] is the slowest axis */
} hf_shape;

/* HF_SHAPE(2, 1, 16, 16, 16) */
#define HF_SHAPE(...) hf_shape_of((const int64_t[]){ __VA_ARGS__, 0 })
hf_shape hf_shape_of(const int64_t *zero_terminated);

int64_t hf_shape_count(const hf_shape *shape); /* elements; 0 when absent, -1 when it does not fit */
bool hf_shape_equal(const hf_shape *a, const hf_shape *b);
/* "[2,1,16,16,16]" into text[96]; returns text. */
const char *hf_shape_text(const hf_shape *shape, char text[96]);

typedef enum hf_type { HF_F32, HF_I32, HF_U8 } hf_type;

/* How the elements of a rank-5 tensor [N,C,D,H,W] lie in memory. */
typedef enum hf_layout {
    HF_PLAIN,   /* row-major: N,C,D,H,W */
    HF_BLOCKED, /* N, ceil(C/16), D,H,W, 16: sixteen channels of a voxel side by side; channels beyond C are zero */
} hf_layout;

typedef struct hf_desc {
    hf_shape shape;
    hf_type type;
    hf_layout layout;
} hf_desc;

size_t hf_desc_bytes(const hf_desc *desc); /* with the padding channels of the blocked layout */

/* A description and the memory it describes. A plain value: copy it freely; whoever made the buffer frees it.
 * An absent operand (no bias) is all zeros. */
typedef struct hf_tensor {
    hf_desc desc;
    hf_buffer *buffer;
} hf_tensor;

/* A float tensor in the plain layout with memory of its own, freed with hf_tensor_free. */
hf_status hf_tensor_new(hf_tensor *out, hf_context *context, hf_shape shape) HF_MUST_USE;
/* Any description. */
hf_status hf_tensor_new_desc(hf_tensor *out, hf_context *context, const hf_desc *desc) HF_MUST_USE;
void hf_tensor_free(hf_tensor *tensor);

/* Whole-tensor copies of data[count] in the plain layout's element order; a blocked tensor is converted on the way.
 * HF_ERR_SHAPE when the tensor does not have `count` elements. */
hf_status hf_tensor_write(const hf_tensor *tensor, const void *data, int64_t count) HF_MUST_USE;
hf_status hf_tensor_read(const hf_tensor *tensor, void *data, int64_t count) HF_MUST_USE;

/* ---- operators --------------------------------------------------------------------------------------------------- */

/* An operator: a constant table with a shape rule, implementations, gradients, and cost. The list, with operands,
 * formulas and options of each, is doc/operators.md; every operator is described at the top of lib/ops/<name>.c. */
typedef struct hf_op hf_op;

const hf_op *hf_op_find(const char *name); /* NULL when there is none */
const hf_op *hf_op_at(int index);          /* NULL beyond the last */
const char *hf_op_name(const hf_op *op);

/* Options of all operators; each reads its own and zero is the default. */
typedef struct hf_params {
    int kernel;      /* pooling window K (default 2). conv3d takes K from its weights; its gradients have it here */
    int stride;      /* conv3d (default 1), pooling (default K) */
    int pad;         /* zero padding on all sides */
    int activation;  /* conv3d, linear: applied to the result, an hf_activation */
    int axis;        /* concat */
    int per_sample;  /* gradients of conv3d and linear: weights (and bias) carry a leading N axis */
    int channels;    /* dropout: 1 drops whole channels, 0 single elements */
    float p;         /* dropout: probability of zero */
    uint32_t stream; /* dropout: which random numbers, with the state tensor */
    float eps;       /* batch norm: added to the variance (default 1e-5) */
    float momentum;  /* batch norm: weight of the new statistics (default 0.1) */
    float scale;     /* scale: the factor */
    hf_shape shape;  /* reshape, and gradients whose result has a shape of its own: that shape */
    int efron;       /* cox: 1 takes ties as Efron does, 0 as Breslow */
    /* optimisers */
    float beta1, beta2, weight_decay, momentum_sgd;
    float limit; /* clip: the greatest norm */
} hf_params;

typedef enum hf_activation { HF_LINEAR, HF_RELU } hf_activation;

#define HF_MAX_IN  8
#define HF_MAX_OUT 6

/* The shape rule: checks the operands (absent ones have rank 0) and describes the results. HF_ERR_SHAPE names the
 * operand and both shapes. */
hf_status hf_op_infer(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in, hf_desc *out,
                      int *n_out) HF_MUST_USE;

/* Floating-point operations of one run. */
uint64_t hf_op_flop(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in);

/* How an operator's gradients are computed: rule r is operator `op` with these operands and results. An operand is
 * HF_IN(i) or HF_OUT(i) of the forward operator, or HF_DOUT(i), the gradient of its result i; a result is the gradient
 * of forward operand wrt[k]. Results nobody needs may still be computed. */
#define HF_IN(i)     (i)
#define HF_OUT(i)    (16 + (i))
#define HF_DOUT(i)   (32 + (i))
#define HF_RULE_END  (-1)
#define HF_MAX_RULES 9 /* the last one ends the list */
typedef struct hf_rule {
    const char *op;          /* NULL ends the list */
    int in[HF_MAX_IN + 1];   /* ended by HF_RULE_END */
    int wrt[HF_MAX_OUT + 1]; /* forward operand of each result, ended by HF_RULE_END */
} hf_rule;

/* The rules of an operator, ended by one with op NULL; an operator without any is not differentiable. */
const hf_rule *hf_op_rules(const hf_op *op);

/* Options for the operator of rule r (kernel sizes, result shapes) from the forward problem. */
hf_params hf_op_rule_params(const hf_op *op, const hf_params *params, const hf_desc *in, int n_in, int rule);

/* The operand that result `result` may overwrite (batch norm's running statistics, an optimiser's parameters): the two
 * may share memory, and a graph is expected to let them. -1: none. */
int hf_op_replaces(const hf_op *op, int result);

/* ---- implementations --------------------------------------------------------------------------------------------- */

/* One way to compute an operator. */
typedef struct hf_impl hf_impl;

int hf_op_impl_count(const hf_op *op);
const char *hf_op_impl_name(const hf_op *op, int impl);

/* NULL when implementation `impl` can compute this problem on this device (descs without regard to layout), else why
 * not, as a phrase such as "stride is not 1". */
const char *hf_op_impl_refusal(hf_context *context, const hf_op *op, int impl, const hf_params *params,
                               const hf_desc *in, int n_in);

/* The layouts it wants: one letter an operand, '>', one letter a result: P plain, B blocked, A any but all A alike. */
const char *hf_op_impl_layouts(const hf_op *op, int impl);

/* The implementation to use: forced by the context, else named by the tuning table for this device, else the first
 * that fits. */
int hf_op_choose(hf_context *context, const hf_op *op, const hf_params *params, const hf_desc *in, int n_in);

/* Bytes of scratch memory it needs while it runs. */
size_t hf_op_scratch(hf_context *context, const hf_op *op, int impl, const hf_params *params, const hf_desc *in,
                     int n_in);

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

/* An operator bound to tensors, ready to run: kernels compiled, arguments set. */
typedef struct hf_task hf_task;

typedef struct hf_task_options {
    int impl;           /* 1 + index of the implementation; 0: hf_op_choose */
    hf_buffer *scratch; /* shared scratch memory, at least hf_op_scratch bytes; NULL: the task makes its own */
    const char *label;  /* names the task in messages; default: the operator's name */
} hf_task_options;

/* The tensors' descriptions must satisfy the shape rule and the implementation's layouts; absent operands are all
 * zeros. The tensors' memory must outlive the task. */
hf_status hf_task_new(hf_task **out, hf_context *context, const hf_op *op, const hf_params *params, const hf_tensor *in,
                      int n_in, const hf_tensor *out_tensors, int n_out, const hf_task_options *options) HF_MUST_USE;
hf_status hf_task_run(hf_task *task) HF_MUST_USE;
void hf_task_free(hf_task **task);

#define HF_MAX_ARGS 32

/* One thing that a task enqueues: for those who judge kernels. Texts belong to the task. */
typedef struct hf_launch_info {
    const char *program; /* the file of cl_kernels/ without ".cl"; NULL: a copy, a fill, or a product by CLBlast */
    const char *kernel;  /* or "copy", "zero", "CLBlast SGEMM" */
    const char *defines; /* what the program is compiled with; "" when nothing */
    size_t groups[3], items[3];
    int n_args;
    int64_t arg[HF_MAX_ARGS]; /* integers as they are, of a tensor its bytes, of a float 0 */
    bool is_tensor[HF_MAX_ARGS];
} hf_launch_info;

/* What a task enqueues, in order: launch number `index`; false beyond the last. */
bool hf_task_launch(const hf_task *task, int index, hf_launch_info *out);

#ifdef __cplusplus
}
#endif
#endif
