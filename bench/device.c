/* device.c: finds a device by name among all platforms. */
#include "device.h"

#include <string.h>

#define MOST 16 /* platforms, and devices of one */

static cl_device_id find_on(cl_platform_id platform, const char *name)
{
    cl_device_id devices[MOST];
    cl_uint count = 0;
    char found[256];
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST, devices, &count) != CL_SUCCESS) return NULL;
    for (cl_uint i = 0; i < count && i < MOST; i++)
        if (clGetDeviceInfo(devices[i], CL_DEVICE_NAME, sizeof found, found, NULL) == CL_SUCCESS &&
            strcmp(found, name) == 0)
            return devices[i];
    return NULL;
}

static cl_device_id find(const char *platform, const char *device)
{
    cl_platform_id platforms[MOST];
    cl_uint count = 0;
    char found[256];
    if (clGetPlatformIDs(MOST, platforms, &count) != CL_SUCCESS) return NULL;
    for (cl_uint i = 0; i < count && i < MOST; i++) {
        cl_device_id id = NULL;
        if (clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof found, found, NULL) == CL_SUCCESS &&
            strcmp(found, platform) == 0 && (id = find_on(platforms[i], device)))
            return id;
    }
    return NULL;
}

cl_int bench_device_open(bench_device *out, const char *platform, const char *device)
{
    cl_int code = CL_SUCCESS;
    *out = (bench_device){ .device = find(platform, device) };
    if (!out->device) return CL_DEVICE_NOT_FOUND;
    out->context = clCreateContext(NULL, 1, &out->device, NULL, NULL, &code);
    if (code == CL_SUCCESS) out->queue = clCreateCommandQueue(out->context, out->device, 0, &code);
    return code;
}

void bench_device_close(bench_device *device)
{
    if (device->queue) clReleaseCommandQueue(device->queue);
    if (device->context) clReleaseContext(device->context);
    *device = (bench_device){ 0 };
}
