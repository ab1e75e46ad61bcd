/* device.c: which devices there are, in a fixed order (GPUs, CPUs, others; platform order within), and what they can.
 */
#include "cl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLATFORMS 16
#define MAX_DEVICES   64

static const struct {
    cl_device_type type;
    const char *word;
} kinds[] = {
    { CL_DEVICE_TYPE_GPU, "gpu" },
    { CL_DEVICE_TYPE_CPU, "cpu" },
    { CL_DEVICE_TYPE_ACCELERATOR, "other" },
};
#define N_KINDS ((int)(sizeof kinds / sizeof kinds[0]))

/* A device belongs to the first kind whose bit it has; PoCL reports CPU and DEFAULT together. */
static int kind_of(cl_device_id device)
{
    cl_device_type type = 0;
    if (clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL) != CL_SUCCESS) return N_KINDS - 1;
    for (int k = 0; k < N_KINDS; k++)
        if (type & kinds[k].type) return k;
    return N_KINDS - 1;
}

/* All devices in the fixed order; *count of them in ids[MAX_DEVICES], their kinds in kind[]. */
static hf_status list_ids(cl_device_id *ids, int *kind, int *count)
{
    hf_driver_prepare();
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    *count = 0;
    cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    if (code == -1001) return HF_OK; /* the loader is there, no platform is */
    if (code != CL_SUCCESS) return hf_cl_fail(code, "clGetPlatformIDs");
    if (n_platforms > MAX_PLATFORMS) n_platforms = MAX_PLATFORMS;
    cl_device_id found[MAX_DEVICES];
    cl_uint n_found = 0;
    for (cl_uint p = 0; p < n_platforms; p++) {
        cl_uint n = 0;
        code = clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES - n_found, found + n_found, &n);
        if (code != CL_SUCCESS) continue; /* a platform without devices, or one that is broken: others may work */
        n_found += n < MAX_DEVICES - n_found ? n : MAX_DEVICES - n_found;
        if (n_found == MAX_DEVICES) break;
    }
    for (int k = 0; k < N_KINDS; k++)
        for (cl_uint i = 0; i < n_found; i++)
            if (kind_of(found[i]) == k) {
                kind[*count] = k;
                ids[(*count)++] = found[i];
            }
    return HF_OK;
}

static void get_text(cl_device_id device, cl_device_info what, char *text, size_t size)
{
    if (clGetDeviceInfo(device, what, size, text, NULL) != CL_SUCCESS) snprintf(text, size, "unknown");
    text[size - 1] = 0;
}

static size_t get_size(cl_device_id device, cl_device_info what)
{
    size_t value = 0;
    return clGetDeviceInfo(device, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static unsigned get_uint(cl_device_id device, cl_device_info what)
{
    cl_uint value = 0;
    return clGetDeviceInfo(device, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0;
}

static size_t get_ulong(cl_device_id device, cl_device_info what)
{
    cl_ulong value = 0;
    return clGetDeviceInfo(device, what, sizeof value, &value, NULL) == CL_SUCCESS ? (size_t)value : 0;
}

static bool has_extension(cl_device_id device, const char *name)
{
    char extensions[8192] = "";
    if (clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL) != CL_SUCCESS)
        return false;
    return strstr(extensions, name) != NULL;
}

/* Of cl_nv_device_attribute_query; other drivers do not know the names. */
#define COMPUTE_CAPABILITY_MAJOR_NV 0x4000
#define COMPUTE_CAPABILITY_MINOR_NV 0x4001

static unsigned compute_capability(cl_device_id device)
{
    if (!has_extension(device, "cl_nv_device_attribute_query")) return 0;
    return 10 * get_uint(device, COMPUTE_CAPABILITY_MAJOR_NV) + get_uint(device, COMPUTE_CAPABILITY_MINOR_NV);
}

static void describe(hf_device_info *info, cl_device_id device, int kind, int number)
{
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "%s:%d", kinds[kind].word, number);
    get_text(device, CL_DEVICE_NAME, info->name, sizeof info->name);
    get_text(device, CL_DEVICE_VERSION, info->version, sizeof info->version);
    get_text(device, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    cl_platform_id platform = NULL;
    snprintf(info->platform, sizeof info->platform, "unknown");
    if (clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) == CL_SUCCESS)
        clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof info->platform - 1, info->platform, NULL);
    info->is_cpu = kinds[kind].type == CL_DEVICE_TYPE_CPU;
    info->compute_units = get_uint(device, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = get_uint(device, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->max_group = get_size(device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
    size_t items[8] = { 1, 1, 1 };
    if (clGetDeviceInfo(device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof items, items, NULL) == CL_SUCCESS)
        memcpy(info->max_items, items, sizeof info->max_items);
    info->memory = get_ulong(device, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_alloc = get_ulong(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_memory = get_ulong(device, CL_DEVICE_LOCAL_MEM_SIZE);
    info->align = get_uint(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8; /* reported in bits */
    if (info->align < 64) info->align = 64;                            /* one cache line, so vectors stay aligned */
    info->float_width = get_uint(device, CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT);
    info->fp16 = has_extension(device, "cl_khr_fp16");
    info->fp64 = has_extension(device, "cl_khr_fp64");
    info->compute_capability = compute_capability(device);
    info->subgroups = has_extension(device, "cl_khr_subgroups");
}

hf_status hf_devices(hf_device_info **list, int *count)
{
    cl_device_id ids[MAX_DEVICES];
    int kind[MAX_DEVICES], n = 0;
    *list = NULL;
    *count = 0;
    HF_TRY(list_ids(ids, kind, &n));
    HF_TRY(hf_alloc(list, (size_t)n + 1, sizeof **list, "the list of devices"));
    int number[N_KINDS] = { 0 };
    for (int i = 0; i < n; i++)
        describe(&(*list)[i], ids[i], kind[i], number[kind[i]]++);
    *count = n;
    return HF_OK;
}

hf_status hf_cl_device_at(cl_device_id *out, int index)
{
    cl_device_id ids[MAX_DEVICES];
    int kind[MAX_DEVICES], n = 0;
    HF_TRY(list_ids(ids, kind, &n));
    if (index < 0 || index >= n) return hf_fail(HF_ERR_DEVICE, "there is no device number %d of %d", index, n);
    *out = ids[index];
    return HF_OK;
}
