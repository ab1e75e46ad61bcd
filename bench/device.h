/* device.h: an OpenCL device found by the names that our library gave for it, for programs of the benchmark that use
 * OpenCL themselves. */
#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

typedef struct bench_device {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
} bench_device;

/* Opens it; CL_DEVICE_NOT_FOUND when no platform and device have these names. */
cl_int bench_device_open(bench_device *out, const char *platform, const char *device);
void bench_device_close(bench_device *device);

#endif
