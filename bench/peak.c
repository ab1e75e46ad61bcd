/* peak.c: what an OpenCL device can do at most, measured: multiply-adds from registers, and bytes from memory.
 *
 *     peak PLATFORM DEVICE      the names that OpenCL gives them; prints {"gflops": ..., "gbs": ...}
 *
 * The multiply-add kernel keeps twelve independent sums in registers; the others read, or copy, buffers larger than any
 * cache. Each is tried with several vector widths and group sizes, for several rounds, and the best counts. */
#include "device.h"
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS      3
#define STEPS       1024                /* of each sum */
#define SUMS        12                  /* a work-item */
#define WORK_FLOATS (1u << 18)          /* lanes of the multiply-add kernel */
#define BYTES       ((size_t)128 << 20) /* of a buffer */
#define CHUNK       16                  /* vectors that a work-item reads or copies */

static const char *const source =
    "#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)\n"
    "#define START(I) V s##I = (V)(I);\n"
    "#define STEP(I) s##I = a * s##I + b;\n"
    "#define TOTAL(I) sum += s##I;\n"
    "__kernel void multiply_add(__global V *out, float factor, int steps)\n"
    "{\n"
    "    V a = (V)(factor), b = (V)(get_global_id(0)), sum = b;\n"
    "    EACH(START)\n"
    "    for (int t = 0; t < steps; t++) { EACH(STEP) }\n"
    "    EACH(TOTAL)\n"
    "    out[get_global_id(0)] = sum;\n"
    "}\n"
    "#define FIRST (get_group_id(0) * get_local_size(0) * CHUNK + get_local_id(0))\n"
    "__kernel void copy(__global const V *from, __global V *to)\n"
    "{\n"
    "    for (size_t i = 0, at = FIRST; i < CHUNK; i++, at += get_local_size(0)) to[at] = from[at];\n"
    "}\n"
    "__kernel void read(__global const V *from, __global V *to)\n"
    "{\n"
    "    V sum = (V)(0.0f);\n"
    "    for (size_t i = 0, at = FIRST; i < CHUNK; i++, at += get_local_size(0)) sum += from[at];\n"
    "    to[get_global_id(0)] = sum;\n"
    "}\n";

typedef struct machine {
    bench_device cl;
    cl_mem from, to;
} machine;

/* ---- the device -------------------------------------------------------------------------------------------------- */

static bool open_machine(machine *m, const char *platform, const char *device)
{
    cl_int code = bench_device_open(&m->cl, platform, device);
    const cl_uchar zero = 0;
    if (code == CL_SUCCESS) m->from = clCreateBuffer(m->cl.context, CL_MEM_READ_WRITE, BYTES, NULL, &code);
    if (code == CL_SUCCESS) m->to = clCreateBuffer(m->cl.context, CL_MEM_READ_WRITE, BYTES, NULL, &code);
    if (code == CL_SUCCESS) code = clEnqueueFillBuffer(m->cl.queue, m->from, &zero, 1, 0, BYTES, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = clEnqueueFillBuffer(m->cl.queue, m->to, &zero, 1, 0, BYTES, 0, NULL, NULL);
    return code == CL_SUCCESS && clFinish(m->cl.queue) == CL_SUCCESS;
}

static void close_machine(machine *m)
{
    if (m->to) clReleaseMemObject(m->to);
    if (m->from) clReleaseMemObject(m->from);
    bench_device_close(&m->cl);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* The best of several rounds; 0 when the device does not run it so. */
static double fastest(const machine *m, cl_kernel kernel, size_t items, size_t group)
{
    double best = 0;
    for (int i = 0; i <= ROUNDS; i++) { /* the first one warms up */
        const double start = conv_seconds();
        if (clEnqueueNDRangeKernel(m->cl.queue, kernel, 1, NULL, &items, &group, 0, NULL, NULL) != CL_SUCCESS) return 0;
        if (clFinish(m->cl.queue) != CL_SUCCESS) return 0;
        const double took = conv_seconds() - start;
        if (i > 0 && (best == 0 || took < best)) best = took;
    }
    return best;
}

static void larger(double *most, double amount, double took)
{
    if (took > 0 && amount / took > *most) *most = amount / took;
}

static void measure_kernel(const machine *m, cl_program program, const char *name, int width, size_t group,
                           double *most)
{
    cl_int code;
    const size_t vector = (size_t)width * sizeof(cl_float);
    const cl_float factor = 0.5f;
    const cl_int steps = STEPS;
    const bool adds = strcmp(name, "multiply_add") == 0;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    if (code != CL_SUCCESS) return;
    if (adds) {
        clSetKernelArg(kernel, 0, sizeof m->to, &m->to);
        clSetKernelArg(kernel, 1, sizeof factor, &factor);
        clSetKernelArg(kernel, 2, sizeof steps, &steps);
        larger(most, 2.0 * SUMS * STEPS * WORK_FLOATS, fastest(m, kernel, WORK_FLOATS / (size_t)width, group));
    } else {
        clSetKernelArg(kernel, 0, sizeof m->from, &m->from);
        clSetKernelArg(kernel, 1, sizeof m->to, &m->to);
        const double bytes = (double)BYTES * (strcmp(name, "copy") == 0 ? 2 : 1.0 + 1.0 / CHUNK);
        larger(most, bytes, fastest(m, kernel, BYTES / vector / CHUNK, group));
    }
    clReleaseKernel(kernel);
}

static bool measure(const machine *m, double *flops, double *bytes)
{
    static const struct {
        int width;
        size_t group;
        const char *options;
    } forms[] = {
        { 16, 1, "-DV=float16 -DCHUNK=16" },
        { 16, 16, "-DV=float16 -DCHUNK=16" },
        { 4, 64, "-DV=float4 -DCHUNK=16" },
        { 1, 256, "-DV=float -DCHUNK=16" },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        cl_int code;
        const char *text = source;
        cl_program program = clCreateProgramWithSource(m->cl.context, 1, &text, NULL, &code);
        if (code == CL_SUCCESS) code = clBuildProgram(program, 1, &m->cl.device, forms[i].options, NULL, NULL);
        if (code == CL_SUCCESS) {
            measure_kernel(m, program, "multiply_add", forms[i].width, forms[i].group, flops);
            measure_kernel(m, program, "copy", forms[i].width, forms[i].group, bytes);
            measure_kernel(m, program, "read", forms[i].width, forms[i].group, bytes);
        }
        if (program) clReleaseProgram(program);
    }
    return *flops > 0 && *bytes > 0;
}

int main(int count, char **arguments)
{
    machine m = { 0 };
    double flops = 0, bytes = 0;
    if (count != 3) {
        fprintf(stderr, "usage: peak PLATFORM DEVICE\n");
        return 2;
    }
    const bool done = open_machine(&m, arguments[1], arguments[2]) && measure(&m, &flops, &bytes);
    close_machine(&m);
    if (done)
        printf("{\"gflops\": %.1f, \"gbs\": %.2f}\n", flops * 1e-9, bytes * 1e-9);
    else
        fprintf(stderr, "peak: cannot measure '%s' of '%s'\n", arguments[2], arguments[1]);
    return done ? 0 : 1;
}
