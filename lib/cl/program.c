/* program.c: kernel programs from embedded sources, few variants each, compiled once per machine. */
#include "cl.h"
#include <stdlib.h>
#include <string.h>

static const char options_all[] = "-cl-std=CL1.2";

/* Mesa's compiler goes through SPIR-V, whose writer ends the process over a prefetch; and it reads past short vectors. */
static const char *mesa_options(const hf_device_info *info)
{
    return strstr(info->platform, "rusticl") ? " -DHF_NO_PREFETCH -DHF_LOAD_EACH" : "";
}

static hf_status build_failed(hf_context *context, cl_program program, cl_int code, const char *key)
{
    size_t size = 0;
    char *log = NULL;
    clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    if (size > 1 && hf_alloc(&log, size + 1, 1, "a build log") == HF_OK)
        clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    hf_status status = hf_fail(HF_ERR_BUILD, "kernel program %s on %s: %s\n%s", key, context->info.name,
                               hf_cl_error_name(code), log ? log : "(the driver gave no log)");
    free(log);
    return status;
}

static hf_status keep_binary(hf_context *context, cl_program program, const char *key)
{
    size_t size = 0;
    unsigned char *binary = NULL;
    HF_CL(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL));
    if (!size) return HF_OK;
    HF_TRY(hf_alloc(&binary, size, 1, "a program binary"));
    cl_int code = clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL);
    hf_status status =
        code == CL_SUCCESS ? hf_cache_store(context, key, binary, size) : hf_cl_fail(code, "CL_PROGRAM_BINARIES");
    free(binary);
    return status;
}

/* From the disk; *out stays NULL when there is no usable entry (then it is compiled anew). */
static hf_status load_binary(cl_program *out, hf_context *context, const char *key)
{
    void *binary = NULL;
    size_t size = 0;
    HF_TRY(hf_cache_load(&binary, &size, context, key));
    if (!binary) return HF_OK;
    const unsigned char *bytes = binary;
    cl_int code, status;
    cl_program program =
        clCreateProgramWithBinary(context->context, 1, &context->device, &size, &bytes, &status, &code);
    free(binary);
    if (code == CL_SUCCESS && status == CL_SUCCESS)
        code = clBuildProgram(program, 1, &context->device, options_all, NULL, NULL);
    if (code == CL_SUCCESS && status == CL_SUCCESS)
        *out = program;
    else if (program)
        clReleaseProgram(program);
    return HF_OK;
}

static hf_status compile(cl_program *out, hf_context *context, const char *source, const char *defines, const char *key)
{
    hf_text options = { 0 };
    hf_text_add(&options, "%s %s%s", options_all, defines, mesa_options(&context->info));
    HF_TRY(hf_text_check(&options));
    cl_int code;
    hf_status status = HF_OK;
    cl_program program = clCreateProgramWithSource(context->context, 1, &source, NULL, &code);
    if (code != CL_SUCCESS) {
        status = hf_cl_fail(code, "kernel program %s: clCreateProgramWithSource", key);
        goto out;
    }
    code = clBuildProgram(program, 1, &context->device, options.data, NULL, NULL);
    if (code != CL_SUCCESS) {
        status = build_failed(context, program, code, key);
        goto out;
    }
    context->compiled++;
    *out = program;
    program = NULL;
out:
    if (program) clReleaseProgram(program);
    hf_text_free(&options);
    return status;
}

/* Everything the compiled result depends on, as text: the cache key. */
static hf_status cache_key(hf_text *key, const hf_context *context, const char *source, const char *defines)
{
    const hf_device_info *info = &context->info;
    hf_text_add(key, "%s\n%s\n%s\n%s\n%s\n%s\n%s", options_all, defines, info->name, info->platform, info->version,
                info->driver, source);
    return hf_text_check(key);
}

hf_status hf_program_known(const char *name)
{
    return hf_source_find(name) ? HF_OK : hf_fail(HF_ERR_ARGUMENT, "there is no kernel file %s.cl", name);
}

static hf_status make(cl_program *out, hf_context *context, const char *name, const char *defines, const char *label)
{
    HF_TRY(hf_program_known(name));
    const char *source = hf_source_find(name);
    hf_text key = { 0 };
    hf_build_guard guard = { .lock = { -1 } };
    hf_status status = HF_OK;
    HF_TRY_OUT(cache_key(&key, context, source, defines));
    HF_TRY_OUT(hf_build_begin(&guard, context));
    HF_TRY_OUT(load_binary(out, context, key.data));
    if (*out) {
        context->cached++;
        goto out;
    }
    HF_TRY_OUT(compile(out, context, source, defines, label));
    /* A cache that cannot be written (full disk, read-only home) costs time at the next start, nothing else. */
    if (keep_binary(context, *out, key.data) != HF_OK) {
        free(context->cache_dir);
        context->cache_dir = NULL;
    }
out:
    hf_build_end(&guard);
    hf_text_free(&key);
    return status;
}

hf_status hf_program_get(cl_program *out, hf_context *context, const char *name, const char *defines)
{
    hf_text label = { 0 };
    hf_program *entry = NULL;
    hf_status status = HF_OK;
    hf_text_add(&label, "%s %s", name, defines ? defines : "");
    HF_TRY(hf_text_check(&label));
    for (entry = context->programs; entry; entry = entry->next)
        if (strcmp(entry->key, label.data) == 0) {
            *out = entry->program;
            entry = NULL;
            goto out;
        }
    HF_TRY_OUT(hf_alloc(&entry, 1, sizeof *entry, "a program"));
    HF_TRY_OUT(make(&entry->program, context, name, defines ? defines : "", label.data));
    entry->key = label.data;
    label = (hf_text){ 0 };
    entry->next = context->programs;
    context->programs = entry;
    *out = entry->program;
    entry = NULL;
out:
    free(entry);
    hf_text_free(&label);
    return status;
}

void hf_programs_free(hf_context *context)
{
    while (context->programs) {
        hf_program *entry = context->programs;
        context->programs = entry->next;
        clReleaseProgram(entry->program);
        free(entry->key);
        free(entry);
    }
}
