/* matrix.c: whether matrix units of a device can be used: only after one product by them was right.
 *
 * They are reached by an instruction of NVIDIA's assembly language inside a kernel. Other compilers refuse it, and some end
 * the process over it, so that only devices are asked that report a compute capability. */
#include "cl.h"

#define LEAST 80 /* compute capability 8.0: the first with the instruction of cl_kernels/matrix.h */
#define ROWS  16
#define SIZE  8

static const char units[] = "-DEMULATE=0", emulation[] = "-DEMULATE=1"; /* for cl_kernels/matrix.h */

/* What matrix_probe.cl computes, as whole numbers. */
static bool is_product(const float *c)
{
    for (int i = 0; i < ROWS; i++)
        for (int n = 0; n < SIZE; n++) {
            int sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += (4097 + 8 * i + k) * (k - n);
            if (c[i * SIZE + n] != (float)sum) return false;
        }
    return true;
}

static hf_status run_probe(hf_context *context, const char *defines, hf_buffer *result)
{
    const size_t items = 32;
    cl_program program = NULL;
    cl_int code;
    HF_TRY(hf_program_get(&program, context, "matrix_probe", defines));
    cl_kernel kernel = clCreateKernel(program, "matrix_probe", &code);
    if (code == CL_SUCCESS) code = clSetKernelArg(kernel, 0, sizeof result->mem, &result->mem);
    if (code == CL_SUCCESS)
        code = clEnqueueNDRangeKernel(context->queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL);
    if (kernel) clReleaseKernel(kernel);
    return code == CL_SUCCESS ? HF_OK : hf_cl_fail(code, "matrix_probe");
}

/* False for whatever reason: without matrix units everything works, too. */
static bool probe(hf_context *context, const char *defines)
{
    float c[ROWS * SIZE];
    hf_buffer *result = NULL;
    hf_status status = hf_buffer_new(&result, context, sizeof c, "the result of a probe");
    if (status == HF_OK) status = run_probe(context, defines, result);
    if (status == HF_OK) status = hf_buffer_read(result, 0, c, sizeof c);
    hf_buffer_free(&result);
    return status == HF_OK && is_product(c);
}

static bool has_units(hf_context *context)
{
    if (context->info.compute_capability < LEAST) return false;
    return context->described || probe(context, units);
}

bool hf_context_tensor_cores(hf_context *context)
{
    if (context->units == HF_UNITS_UNKNOWN) context->units = has_units(context) ? HF_UNITS_RIGHT : HF_UNITS_NONE;
    return context->units == HF_UNITS_RIGHT;
}

const char *hf_context_matrix_defines(hf_context *context)
{
    if (context->tensor_cores && hf_context_tensor_cores(context)) return units;
    if (!context->any_device) return NULL;
    if (!context->emulates) context->emulates = probe(context, emulation);
    return context->emulates ? emulation : NULL;
}
