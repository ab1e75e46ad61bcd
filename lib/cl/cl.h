/* cl.h: what stands behind the opaque handles of hfcl.h. Only the files of lib/cl/ see OpenCL. */
#ifndef HF_CL_H
#define HF_CL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include "../op.h"

/* One compiled program: a file of cl_kernels/ with one set of defines. */
typedef struct hf_program {
    struct hf_program *next;
    char *key; /* "conv3d -DK=3" */
    cl_program program;
} hf_program;

struct hf_context {
    hf_device_info info;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue; /* in order */
    hf_program *programs;
    int compiled, cached;
    char *cache_dir;                /* of compiled programs; NULL: none */
    char *build_lock;               /* path of the lock around driver builds; NULL: the driver needs none */
    hf_buffer *nothing;             /* stands in for absent operands */
    size_t group_runs, group_fails; /* sizes of groups known to run, and known not to; 0: none asked for yet */
    bool plain_only;
    bool any_device;
    bool tensor_cores;                                              /* asked for */
    enum { HF_UNITS_UNKNOWN, HF_UNITS_NONE, HF_UNITS_RIGHT } units; /* found out when first asked */
    bool emulates;                                                  /* matrix units, rightly */
    bool described; /* only info is there: no device, no queue, no memory */
    enum { HF_SCRATCH_PACKED, HF_SCRATCH_GAPS, HF_SCRATCH_APART } scratch; /* how its parts lie */
    char *force;                                                           /* "op=impl,op=impl", or NULL */
};

struct hf_buffer {
    hf_context *context;
    cl_mem mem;
    size_t bytes;
    hf_buffer *parent; /* of a view: the buffer it is a window of, never itself a view */
    size_t offset;     /* of a view: bytes into the parent */
};

/* One thing a task enqueues. */
typedef struct hf_launch_record {
    enum { HF_LAUNCH_KERNEL, HF_LAUNCH_COPY, HF_LAUNCH_ZERO, HF_LAUNCH_GEMM } kind;
    const char *name;    /* for messages: the kernel's name, or what else it is */
    const char *program; /* of a kernel */
    char defines[256];
    int n_args;
    int64_t arg[HF_MAX_ARGS]; /* as hf_launch_info has them */
    bool is_tensor[HF_MAX_ARGS];
    cl_kernel kernel;
    size_t global[3], local[3];
    cl_mem to, from; /* copy and zero */
    size_t bytes;
    hf_gemm gemm;
    cl_mem a, b, c; /* gemm */
} hf_launch_record;

#define HF_MAX_LAUNCHES 24
#define HF_MAX_PARTS    12

struct hf_task {
    hf_context *context;
    char label[96];
    int n_launches;
    hf_launch_record launch[HF_MAX_LAUNCHES];
    hf_buffer *scratch; /* owned scratch memory, or NULL */
    int n_parts;
    hf_buffer *part[HF_MAX_PARTS]; /* views of scratch memory */
    bool built;                    /* ran once, so the driver has nothing left to compile */
};

/* Fails with "what: CL_NAME (-5)"; device errors map to HF_ERR_DEVICE, exhausted memory to HF_ERR_MEMORY. */
hf_status hf_cl_fail(cl_int code, const char *format, ...) HF_PRINTF(2, 3);
const char *hf_cl_error_name(cl_int code);

/* Returns from the calling function when an OpenCL call fails; the message names the call. */
#define HF_CL(call)                                                                                                    \
    do {                                                                                                               \
        cl_int hf_cl_code = (call);                                                                                    \
        if (hf_cl_code != CL_SUCCESS) return hf_cl_fail(hf_cl_code, "%.40s", #call);                                   \
    } while (0)

/* The i-th device in the order of hf_devices; frees nothing. */
hf_status hf_cl_device_at(cl_device_id *out, int index);

/* The compiled program for a kernel file and defines: from this context, the disk, or the compiler. */
hf_status hf_program_get(cl_program *out, hf_context *context, const char *name, const char *defines);
/* Fails unless there is such a kernel file. */
hf_status hf_program_known(const char *name);
void hf_programs_free(hf_context *context);

/* The disk cache: binary for a key, HF_OK with *binary NULL when there is none or it is damaged. */
hf_status hf_cache_load(void **binary, size_t *size, const hf_context *context, const char *key);
hf_status hf_cache_store(const hf_context *context, const char *key, const void *binary, size_t size);

/* hf_cache_dir for what is loaded as code: HF_ERR_IO unless it is this user's own and no link. Freed with free(). */
hf_status hf_code_dir(char **out, const char *name);

/* Serialises what the driver compiles between processes: PoCL's own cache breaks when several start together. The
 * guard remembers a process that died while building and then empties that cache. */
typedef struct hf_build_guard {
    hf_lock lock;
    const hf_context *context;
} hf_build_guard;
hf_status hf_build_begin(hf_build_guard *guard, const hf_context *context);
void hf_build_end(hf_build_guard *guard);

/* Points PoCL's cache into ours, before the first OpenCL call; does nothing when the user chose a place. */
void hf_driver_prepare(void);

/* Empties that cache when files in it are cut short, on which PoCL would abort. */
hf_status hf_driver_check(const hf_context *context);

hf_status hf_gemm_run(const hf_context *context, const hf_launch_record *launch);
void hf_gemm_forget(void);

#endif
