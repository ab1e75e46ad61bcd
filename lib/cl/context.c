/* context.c: choosing a device; the queue, and what belongs to both. */
#include "cl.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool contains(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (; *text; text++)
        if (strncasecmp(text, part, n) == 0) return true;
    return false;
}

/* "gpu" is "gpu:0"; "gpu:1" is exact; anything else is a part of the device's or platform's name. */
static bool matches(const hf_device_info *info, const char *wanted)
{
    const size_t n = strlen(wanted);
    if (strcasecmp(info->id, wanted) == 0) return true;
    if (strncasecmp(info->id, wanted, n) == 0 && info->id[n] == ':') return true;
    if (strchr(wanted, ':') && isdigit((unsigned char)wanted[n - 1])) return false;
    return contains(info->name, wanted) || contains(info->platform, wanted);
}

static hf_status no_device(const hf_device_info *list, int count, const char *wanted)
{
    hf_text text = { 0 };
    for (int i = 0; i < count; i++)
        hf_text_add(&text, "%s%s (%s)", i ? ", " : "", list[i].id, list[i].name);
    hf_status status;
    if (!count)
        status = hf_fail(HF_ERR_DEVICE, "no OpenCL device found; on a machine without a GPU install PoCL "
                                        "(Debian: pocl-opencl-icd)");
    else
        status =
            hf_fail(HF_ERR_DEVICE, "no OpenCL device matches '%s'; there is %s", wanted, text.data ? text.data : "");
    hf_text_free(&text);
    return status;
}

static hf_status choose(hf_context *context, const char *wanted)
{
    hf_device_info *list = NULL;
    int count = 0, chosen = -1;
    HF_TRY(hf_devices(&list, &count));
    if (!wanted || !*wanted) wanted = getenv("HF_DEVICE");
    if (!wanted || !*wanted) wanted = count ? list[0].id : "";
    for (int i = 0; i < count && chosen < 0; i++)
        if (matches(&list[i], wanted)) chosen = i;
    hf_status status = HF_OK;
    if (chosen < 0) {
        status = no_device(list, count, wanted);
    } else {
        context->info = list[chosen];
        status = hf_cl_device_at(&context->device, chosen);
    }
    free(list);
    return status;
}

static hf_status open_queue(hf_context *context)
{
    cl_int code;
    context->context = clCreateContext(NULL, 1, &context->device, NULL, NULL, &code);
    if (code != CL_SUCCESS) return hf_cl_fail(code, "%s: clCreateContext", context->info.name);
    context->queue = clCreateCommandQueue(context->context, context->device, 0, &code);
    if (code != CL_SUCCESS) return hf_cl_fail(code, "%s: clCreateCommandQueue", context->info.name);
    return HF_OK;
}

static bool environment_is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

static bool environment_says(const char *name, const char *wanted)
{
    const char *value = getenv(name);
    return value && strcmp(value, wanted) == 0;
}

/* Caching is a convenience: where its folders cannot be made (no home, a read-only one), kernels are compiled anew and
 * processes do not wait for each other. */
static void open_caches(hf_context *context, bool no_cache)
{
    char *folder = NULL;
    if (!no_cache && !environment_is_set("HF_NO_CACHE") && hf_code_dir(&context->cache_dir, "kernels") != HF_OK)
        context->cache_dir = NULL;
    if (strcmp(context->info.platform, "Portable Computing Language") != 0) return;
    if (hf_cache_dir(&folder, "locks") == HF_OK && hf_path_join(&context->build_lock, folder, "build") != HF_OK)
        context->build_lock = NULL;
    free(folder);
}

/* Full of NaN: what reads an absent operand gets no plausible number. */
static hf_status open_nothing(hf_context *context)
{
    static const cl_uint nan_bits = 0x7FC00000u;
    HF_TRY(hf_buffer_new(&context->nothing, context, 256, "the stand-in for absent operands"));
    return hf_buffer_fill(context->nothing, 0, 256, &nan_bits, sizeof nan_bits);
}

static hf_status open_all(hf_context *context, const char *device, const hf_context_options *options)
{
    const char *force = options && options->force ? options->force : getenv("HF_IMPL");
    context->plain_only = options && options->plain_only;
    context->tensor_cores = (options && options->tensor_cores) || environment_is_set("HF_TENSOR_CORES");
    context->any_device = environment_is_set("HF_TEST_ANY_DEVICE");
    if (environment_says("HF_TEST_SCRATCH", "gaps")) context->scratch = HF_SCRATCH_GAPS;
    if (environment_says("HF_TEST_SCRATCH", "apart")) context->scratch = HF_SCRATCH_APART;
    if (force && *force) HF_TRY(hf_strdup(&context->force, force));
    if (options && options->described) {
        context->described = true;
        context->info = *options->described;
        return HF_OK;
    }
    HF_TRY(choose(context, device));
    if (environment_is_set("HF_TEST_AS_GPU")) context->info.is_cpu = false;
    HF_TRY(open_queue(context));
    open_caches(context, options && options->no_cache);
    if (context->build_lock) HF_TRY(hf_driver_check(context));
    return open_nothing(context);
}

hf_status hf_context_new(hf_context **out, const char *device, const hf_context_options *options)
{
    hf_context *context = NULL;
    *out = NULL;
    HF_TRY(hf_alloc(&context, 1, sizeof *context, "a context"));
    hf_status status = open_all(context, device, options);
    if (status != HF_OK) hf_context_free(&context);
    *out = context;
    return status;
}

void hf_context_free(hf_context **context)
{
    if (!context || !*context) return;
    hf_context *c = *context;
    if (c->queue) clFinish(c->queue);
    hf_gemm_forget();
    hf_programs_free(c);
    hf_buffer_free(&c->nothing);
    if (c->queue) clReleaseCommandQueue(c->queue);
    if (c->context) clReleaseContext(c->context);
    free(c->cache_dir);
    free(c->build_lock);
    free(c->force);
    free(c);
    *context = NULL;
}

const hf_device_info *hf_context_device(const hf_context *context)
{
    return &context->info;
}

bool hf_context_any_device(const hf_context *context)
{
    return context->any_device;
}

static bool probe_group(hf_context *context, size_t items)
{
    char defines[32];
    cl_program program = NULL;
    cl_int code;
    size_t limit = 0;
    snprintf(defines, sizeof defines, "-DWG=%zu", items);
    if (items > context->info.max_group || items > context->info.max_items[0]) return false;
    if (context->described) return true;
    if (hf_program_get(&program, context, "probe", defines) != HF_OK) return false;
    cl_kernel kernel = clCreateKernel(program, "probe", &code);
    if (code != CL_SUCCESS) return false;
    code = clGetKernelWorkGroupInfo(kernel, context->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL);
    clReleaseKernel(kernel);
    return code == CL_SUCCESS && limit >= items;
}

bool hf_context_runs_groups_of(hf_context *context, size_t items)
{
    if (items <= context->group_runs) return true;
    if (context->group_fails && items >= context->group_fails) return false;
    const bool runs = probe_group(context, items);
    if (runs)
        context->group_runs = items;
    else
        context->group_fails = items;
    return runs;
}

bool hf_context_plain_only(const hf_context *context)
{
    return context->plain_only;
}

const char *hf_context_forced(const hf_context *context)
{
    return context->force;
}

hf_status hf_context_finish(hf_context *context)
{
    if (!context->described) HF_CL(clFinish(context->queue));
    return HF_OK;
}

void hf_context_programs(const hf_context *context, int *compiled, int *cached)
{
    *compiled = context->compiled;
    *cached = context->cached;
}
