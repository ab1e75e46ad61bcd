/* race.c: kernels with a defect on purpose, to prove that the checker in use reports what it is there to report.
 *
 *     race clean | barrier | uniform | bounds
 *
 * `clean` is a sum over a group with a barrier after each step; `barrier` leaves the barriers out; `uniform` lets all
 * work-items write the same value to one place; `bounds` writes one element behind its buffer. The program itself
 * succeeds in each case: most devices do not notice. Exit code 1: no device, or the kernel did not compile. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <stdio.h>
#include <string.h>

#define ITEMS 32

static const char *const source = "#ifdef SYNC\n"
                                  "#define WAIT barrier(CLK_LOCAL_MEM_FENCE)\n"
                                  "#else\n"
                                  "#define WAIT\n"
                                  "#endif\n"
                                  "__attribute__((reqd_work_group_size(32, 1, 1)))\n"
                                  "__kernel void sum(__global const float *x, __global float *y)\n"
                                  "{\n"
                                  "    __local float part[32];\n"
                                  "    int i = get_local_id(0);\n"
                                  "    part[i] = x[i];\n"
                                  "    WAIT;\n"
                                  "    for (int step = 16; step > 0; step /= 2) {\n"
                                  "        if (i < step) part[i] += part[i + step];\n"
                                  "        WAIT;\n"
                                  "    }\n"
                                  "#ifdef UNIFORM\n"
                                  "    y[0] = part[0];\n"
                                  "#else\n"
                                  "    if (i == 0) y[PLACE] = part[0];\n"
                                  "#endif\n"
                                  "}\n";

static const struct {
    const char *name, *defines;
} variants[] = {
    { "clean", "-DSYNC -DPLACE=0" },
    { "barrier", "-DPLACE=0" },
    { "uniform", "-DSYNC -DUNIFORM" },
    { "bounds", "-DSYNC -DPLACE=1" },
};

static const char *defines_of(const char *name)
{
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++)
        if (strcmp(variants[i].name, name) == 0) return variants[i].defines;
    return NULL;
}

static cl_int open_device(cl_context *context, cl_command_queue *queue, cl_device_id *device)
{
    cl_platform_id platform;
    cl_int code = clGetPlatformIDs(1, &platform, NULL);
    if (code == CL_SUCCESS) code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, device, NULL);
    if (code != CL_SUCCESS) return code;
    *context = clCreateContext(NULL, 1, device, NULL, NULL, &code);
    if (code == CL_SUCCESS) *queue = clCreateCommandQueue(*context, *device, 0, &code);
    return code;
}

/* Builds the kernel and binds x[ITEMS] and y[1]. */
static cl_int make_kernel(cl_kernel *kernel, cl_program *program, cl_context context, cl_device_id device,
                          const char *defines, cl_mem buffers[2])
{
    float x[ITEMS], y = 0;
    cl_int code;
    for (int i = 0; i < ITEMS; i++)
        x[i] = (float)i;
    *program = clCreateProgramWithSource(context, 1, (const char **)&source, NULL, &code);
    if (code == CL_SUCCESS) code = clBuildProgram(*program, 1, &device, defines, NULL, NULL);
    if (code == CL_SUCCESS) *kernel = clCreateKernel(*program, "sum", &code);
    if (code != CL_SUCCESS) return code;
    buffers[0] = clCreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof x, x, &code);
    if (code == CL_SUCCESS)
        buffers[1] = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof y, &y, &code);
    for (cl_uint i = 0; i < 2 && code == CL_SUCCESS; i++)
        code = clSetKernelArg(*kernel, i, sizeof(cl_mem), &buffers[i]);
    return code;
}

static cl_int run(cl_context context, cl_command_queue queue, cl_device_id device, const char *defines)
{
    cl_program program = NULL;
    cl_kernel kernel = NULL;
    cl_mem buffers[2] = { NULL, NULL };
    size_t items = ITEMS;
    cl_int code = make_kernel(&kernel, &program, context, device, defines, buffers);
    if (code == CL_SUCCESS) code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = clFinish(queue);
    for (int i = 0; i < 2; i++)
        if (buffers[i]) clReleaseMemObject(buffers[i]);
    if (kernel) clReleaseKernel(kernel);
    if (program) clReleaseProgram(program);
    return code;
}

int main(int count, char **arguments)
{
    cl_context context = NULL;
    cl_command_queue queue = NULL;
    cl_device_id device;
    const char *defines = count == 2 ? defines_of(arguments[1]) : NULL;
    if (!defines) {
        fprintf(stderr, "race: expected one of clean, barrier, uniform, bounds\n");
        return 2;
    }
    cl_int code = open_device(&context, &queue, &device);
    if (code == CL_SUCCESS) code = run(context, queue, device, defines);
    if (code != CL_SUCCESS) fprintf(stderr, "race: OpenCL error %d\n", (int)code);
    if (queue) clReleaseCommandQueue(queue);
    if (context) clReleaseContext(context);
    return code != CL_SUCCESS;
}
