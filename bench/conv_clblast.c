/* conv_clblast.c: convolutions as im2col and CLBlast's matrix product, for bench/conv.py, by the protocol of serve.h.
 *
 *     conv_clblast PLATFORM DEVICE
 *
 * On the same OpenCL device as ours, sample by sample, in the plain layout. `columns` [C*K*K*K, voxels of y] is the
 * input seen by every tap: y = w columns, columns = w' dy with dx gathered from them, dw = sum of dy columns'. CLBlast
 * runs with the parameters it knows for the device; its kernels are compiled before anything is timed. */
#include "device.h"
#include "serve.h"

#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) != CL_SUCCESS) return "failed: " #call;                                                             \
    } while (0)

static const char *const source =
    /* columns[(c,kd,kh,kw)][d,h,w] = x[c][d,h,w shifted by the tap], 0 outside */
    "__kernel void im2col(__global const float *x, int x0, __global float *columns, int D, int H, int W, int OD, int "
    "OH,\n"
    "                     int OW, int K, int stride, int pad)\n"
    "{\n"
    "    int at = get_global_id(0), row = get_global_id(1), tap = row % (K * K * K), c = row / (K * K * K);\n"
    "    int d = at / (OH * OW) * stride - pad + tap / (K * K);\n"
    "    int h = at / OW % OH * stride - pad + tap / K % K, w = at % OW * stride - pad + tap % K;\n"
    "    bool inside = d >= 0 && d < D && h >= 0 && h < H && w >= 0 && w < W;\n"
    "    columns[(size_t)row * (OD * OH * OW) + at] = inside ? x[x0 + ((c * D + d) * H + h) * W + w] : 0.0f;\n"
    "}\n"
    /* dx[c][d,h,w] = sum over the taps that reach an output position from there */
    "__kernel void col2im(__global float *dx, int x0, __global const float *columns, int D, int H, int W, int OD, int "
    "OH,\n"
    "                     int OW, int K, int stride, int pad)\n"
    "{\n"
    "    int at = get_global_id(0), c = get_global_id(1), d = at / (H * W), h = at / W % H, w = at % W;\n"
    "    float sum = 0.0f;\n"
    "    for (int tap = 0; tap < K * K * K; tap++) {\n"
    "        int od = d + pad - tap / (K * K), oh = h + pad - tap / K % K, ow = w + pad - tap % K;\n"
    "        if (od < 0 || oh < 0 || ow < 0 || od % stride || oh % stride || ow % stride) continue;\n"
    "        od /= stride, oh /= stride, ow /= stride;\n"
    "        if (od < OD && oh < OH && ow < OW)\n"
    "            sum += columns[(size_t)(c * K * K * K + tap) * (OD * OH * OW) + (od * OH + oh) * OW + ow];\n"
    "    }\n"
    "    dx[x0 + (c * D + d) * H * W + h * W + w] = sum;\n"
    "}\n";

static bench_device device;
static cl_program program;
static cl_kernel kernel; /* im2col, or col2im for dx */
static conv_problem problem;
static cl_mem tensor[3], columns;

static size_t out_voxels(void)
{
    return (size_t)problem.out[0] * (size_t)problem.out[1] * (size_t)problem.out[2];
}

/* Sample n's columns from x, or its part of dx from columns. */
static const char *convert(int n)
{
    const conv_problem *p = &problem;
    const size_t voxels = (size_t)p->in[0] * (size_t)p->in[1] * (size_t)p->in[2];
    const cl_int first = (cl_int)((size_t)n * (size_t)p->c * voxels);
    const cl_int sizes[] = { p->in[0], p->in[1], p->in[2], p->out[0], p->out[1], p->out[2], p->k, p->stride, p->pad };
    const bool back = p->pass == CONV_DX;
    const size_t rows = (size_t)p->c * (back ? 1 : (size_t)p->k * (size_t)p->k * (size_t)p->k);
    const size_t range[2] = { back ? voxels : out_voxels(), rows };
    TRY(clSetKernelArg(kernel, 0, sizeof(cl_mem), &tensor[CONV_X]));
    TRY(clSetKernelArg(kernel, 1, sizeof first, &first));
    TRY(clSetKernelArg(kernel, 2, sizeof(cl_mem), &columns));
    for (cl_uint i = 0; i < 9; i++)
        TRY(clSetKernelArg(kernel, 3 + i, sizeof sizes[i], &sizes[i]));
    TRY(clEnqueueNDRangeKernel(device.queue, kernel, 2, NULL, range, NULL, 0, NULL, NULL));
    return NULL;
}

static const char *multiply(int n)
{
    const conv_problem *p = &problem;
    const size_t o = (size_t)p->o, voxels = out_voxels();
    const size_t taps = p->count[CONV_W] / o / (p->per_sample ? (size_t)p->n : 1);
    const size_t w = p->per_sample ? (size_t)n * o * taps : 0, y = (size_t)n * o * voxels;
    const CLBlastTranspose no = CLBlastTransposeNo, yes = CLBlastTransposeYes;
    const float keep = p->pass == CONV_DW && !p->per_sample && n > 0;
    if (p->pass == CONV_FORWARD)
        TRY(CLBlastSgemm(CLBlastLayoutRowMajor, no, no, o, voxels, taps, 1, tensor[CONV_W], w, taps, columns, 0, voxels,
                         0, tensor[CONV_Y], y, voxels, &device.queue, NULL));
    else if (p->pass == CONV_DX)
        TRY(CLBlastSgemm(CLBlastLayoutRowMajor, yes, no, taps, voxels, o, 1, tensor[CONV_W], w, taps, tensor[CONV_Y], y,
                         voxels, 0, columns, 0, voxels, &device.queue, NULL));
    else
        TRY(CLBlastSgemm(CLBlastLayoutRowMajor, no, yes, o, taps, voxels, 1, tensor[CONV_Y], y, voxels, columns, 0,
                         voxels, keep, tensor[CONV_W], w, taps, &device.queue, NULL));
    return NULL;
}

static const char *run(int times)
{
    const char *wrong = NULL;
    for (int i = 0; !wrong && i < times * problem.n; i++) {
        const int n = i % problem.n;
        if (problem.pass != CONV_DX) wrong = convert(n);
        if (!wrong) wrong = multiply(n);
        if (!wrong && problem.pass == CONV_DX) wrong = convert(n);
    }
    if (wrong) return wrong;
    TRY(clFinish(device.queue));
    return NULL;
}

static const char *open_case(const conv_problem *p, char how[96])
{
    cl_int code;
    problem = *p;
    const size_t taps = (size_t)p->c * (size_t)p->k * (size_t)p->k * (size_t)p->k;
    columns = clCreateBuffer(device.context, CL_MEM_READ_WRITE, taps * out_voxels() * sizeof(float), NULL, &code);
    if (code != CL_SUCCESS) return "the columns do not fit the device's memory";
    for (int t = CONV_X; t <= CONV_Y; t++) {
        tensor[t] = clCreateBuffer(device.context, CL_MEM_READ_WRITE, p->count[t] * sizeof(float), NULL, &code);
        if (code != CL_SUCCESS) return "a tensor does not fit the device's memory";
        if (t != p->result)
            TRY(clEnqueueWriteBuffer(device.queue, tensor[t], CL_TRUE, 0, p->count[t] * sizeof(float), p->tensor[t], 0,
                                     NULL, NULL));
    }
    kernel = clCreateKernel(program, p->pass == CONV_DX ? "col2im" : "im2col", &code);
    TRY(code);
    snprintf(how, 96, "im2col and SGEMM");
    return NULL;
}

static const char *read_result(float *values)
{
    TRY(clEnqueueReadBuffer(device.queue, tensor[problem.result], CL_TRUE, 0,
                            problem.count[problem.result] * sizeof(float), values, 0, NULL, NULL));
    return NULL;
}

static void close_case(void)
{
    if (kernel) clReleaseKernel(kernel);
    if (columns) clReleaseMemObject(columns);
    for (int t = CONV_X; t <= CONV_Y; t++) {
        if (tensor[t]) clReleaseMemObject(tensor[t]);
        tensor[t] = NULL;
    }
    kernel = NULL;
    columns = NULL;
}

int main(int count, char **arguments)
{
    static const conv_server server = { open_case, run, read_result, close_case };
    const char *text = source;
    if (count != 3) {
        fprintf(stderr, "usage: conv_clblast PLATFORM DEVICE\n");
        return 2;
    }
    cl_int code = bench_device_open(&device, arguments[1], arguments[2]);
    if (code == CL_SUCCESS) program = clCreateProgramWithSource(device.context, 1, &text, NULL, &code);
    if (code == CL_SUCCESS) code = clBuildProgram(program, 1, &device.device, "", NULL, NULL);
    if (code == CL_SUCCESS) {
        conv_serve(&server, "{\"version\": \"" CLBLAST_VERSION "\"}");
        clReleaseProgram(program);
        CLBlastClearCache();
    } else {
        fprintf(stderr, "conv_clblast: '%s' of '%s': OpenCL error %d\n", arguments[2], arguments[1], (int)code);
    }
    bench_device_close(&device);
    return code != CL_SUCCESS;
}
