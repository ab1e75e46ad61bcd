/* conv_cudnn.c: cuDNN's convolutions for bench/conv.py, by the protocol of serve.h.
 *
 *     conv_cudnn fp32|tf32|fp16
 *
 * Built by bench/peers.py wherever cuDNN's headers are found, and of use only where there is a CUDA device; elsewhere it
 * says so and ends. fp32: plain float arithmetic; tf32: tensor cores with rounded operands; fp16: half tensors, float
 * sums. Every algorithm that supports the convolution, in NCDHW and with channels last, is timed and the fastest is
 * kept. Weights a sample are groups of one convolution. */
#include "serve.h"

#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIALS       3
#define MOST_SCRATCH ((size_t)4 << 30) /* bytes; an algorithm that wants more is left out */
#define ALGORITHMS   8                 /* more than any pass has */

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        if ((call) != 0) return "failed: " #call;                                                                      \
    } while (0)

/* A convolution in one format, as cuDNN sees it. */
typedef struct form {
    bool last; /* channels */
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    cudnnConvolutionDescriptor_t convolution;
    void *tensor[3], *scratch;
    size_t scratch_bytes;
    int algorithm;
    double seconds;
} form;

static cudnnHandle_t handle;
static bool half;
static cudnnMathType_t math;
static conv_problem problem;
static form best;

/* ---- values ------------------------------------------------------------------------------------------------------ */

static uint16_t to_half(float value)
{
    int exponent;
    const float fraction = frexpf(fabsf(value), &exponent); /* in [0.5, 1) */
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (fraction == 0 || exponent < -13) return sign; /* the operands of a benchmark are never that small */
    return (uint16_t)(sign | ((uint32_t)(exponent + 14) << 10) | (uint32_t)((fraction * 2 - 1) * 1024));
}

static float from_half(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const float fraction = (float)(bits & 1023) / 1024.0f;
    const float value = exponent ? ldexpf(1 + fraction, exponent - 15) : ldexpf(fraction, -14);
    return bits & 0x8000 ? -value : value;
}

/* A tensor as rows of channels of voxels: index of an element in cuDNN's order, from ours. */
static size_t place(const form *f, int tensor, size_t index)
{
    const conv_problem *p = &problem;
    const size_t groups = p->per_sample ? (size_t)p->n : 1;
    const int *size = tensor == CONV_X ? p->in : p->out;
    const size_t voxels = tensor == CONV_W ? (size_t)p->k * (size_t)p->k * (size_t)p->k
                                           : (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
    const size_t channels = tensor == CONV_W ? (size_t)p->c : (size_t)(tensor == CONV_X ? p->c : p->o) * groups;
    if (!f->last) return index;
    const size_t voxel = index % voxels, channel = index / voxels % channels, row = index / voxels / channels;
    return (row * voxels + voxel) * channels + channel;
}

static const char *upload(const form *f, int tensor)
{
    const size_t count = problem.count[tensor], size = half ? sizeof(uint16_t) : sizeof(float);
    void *values = malloc(count * size);
    if (!values) return "no memory for a copy of a tensor";
    for (size_t i = 0; i < count; i++)
        if (half)
            ((uint16_t *)values)[place(f, tensor, i)] = to_half(problem.tensor[tensor][i]);
        else
            ((float *)values)[place(f, tensor, i)] = problem.tensor[tensor][i];
    const cudaError_t code = cudaMemcpy(f->tensor[tensor], values, count * size, cudaMemcpyHostToDevice);
    free(values);
    TRY(code);
    return NULL;
}

static const char *read_result(float *result)
{
    const size_t count = problem.count[problem.result], size = half ? sizeof(uint16_t) : sizeof(float);
    void *values = malloc(count * size);
    if (!values) return "no memory for a copy of the result";
    const cudaError_t code = cudaMemcpy(values, best.tensor[problem.result], count * size, cudaMemcpyDeviceToHost);
    for (size_t i = 0; code == cudaSuccess && i < count; i++) {
        const size_t at = place(&best, problem.result, i);
        result[i] = half ? from_half(((uint16_t *)values)[at]) : ((float *)values)[at];
    }
    free(values);
    TRY(code);
    return NULL;
}

/* ---- forms ------------------------------------------------------------------------------------------------------- */

static const char *describe(form *f)
{
    const conv_problem *p = &problem;
    const int groups = p->per_sample ? p->n : 1, n = p->n / groups;
    const int x[] = { n, groups * p->c, p->in[0], p->in[1], p->in[2] };
    const int y[] = { n, groups * p->o, p->out[0], p->out[1], p->out[2] };
    const int w[] = { groups * p->o, p->c, p->k, p->k, p->k };
    const int pad[] = { p->pad, p->pad, p->pad }, stride[] = { p->stride, p->stride, p->stride }, dense[] = { 1, 1, 1 };
    const cudnnTensorFormat_t format = f->last ? CUDNN_TENSOR_NHWC : CUDNN_TENSOR_NCHW;
    const cudnnDataType_t type = half ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
    TRY(cudnnCreateTensorDescriptor(&f->x));
    TRY(cudnnCreateTensorDescriptor(&f->y));
    TRY(cudnnCreateFilterDescriptor(&f->w));
    TRY(cudnnCreateConvolutionDescriptor(&f->convolution));
    TRY(cudnnSetTensorNdDescriptorEx(f->x, format, type, 5, x));
    TRY(cudnnSetTensorNdDescriptorEx(f->y, format, type, 5, y));
    TRY(cudnnSetFilterNdDescriptor(f->w, type, format, 5, w));
    TRY(cudnnSetConvolutionNdDescriptor(f->convolution, 3, pad, stride, dense, CUDNN_CROSS_CORRELATION,
                                        CUDNN_DATA_FLOAT));
    TRY(cudnnSetConvolutionGroupCount(f->convolution, groups));
    TRY(cudnnSetConvolutionMathType(f->convolution, math));
    return NULL;
}

static const char *open_form(form *f)
{
    const char *wrong = describe(f);
    for (int t = CONV_X; !wrong && t <= CONV_Y; t++) {
        TRY(cudaMalloc(&f->tensor[t], problem.count[t] * (half ? sizeof(uint16_t) : sizeof(float))));
        if (t != problem.result) wrong = upload(f, t);
    }
    return wrong;
}

static void close_form(form *f)
{
    for (int t = CONV_X; t <= CONV_Y; t++)
        cudaFree(f->tensor[t]);
    cudaFree(f->scratch);
    if (f->x) cudnnDestroyTensorDescriptor(f->x);
    if (f->y) cudnnDestroyTensorDescriptor(f->y);
    if (f->w) cudnnDestroyFilterDescriptor(f->w);
    if (f->convolution) cudnnDestroyConvolutionDescriptor(f->convolution);
    *f = (form){ 0 };
}

static cudnnStatus_t scratch_of(size_t *bytes, const form *f)
{
    const int a = f->algorithm;
    switch (problem.pass) {
    case CONV_FORWARD:
        return cudnnGetConvolutionForwardWorkspaceSize(handle, f->x, f->w, f->convolution, f->y,
                                                       (cudnnConvolutionFwdAlgo_t)a, bytes);
    case CONV_DX:
        return cudnnGetConvolutionBackwardDataWorkspaceSize(handle, f->w, f->y, f->convolution, f->x,
                                                            (cudnnConvolutionBwdDataAlgo_t)a, bytes);
    default:
        return cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, f->x, f->y, f->convolution, f->w,
                                                              (cudnnConvolutionBwdFilterAlgo_t)a, bytes);
    }
}

static cudnnStatus_t compute(const form *f)
{
    const float one = 1, zero = 0;
    const int a = f->algorithm;
    void *const *t = f->tensor;
    switch (problem.pass) {
    case CONV_FORWARD:
        return cudnnConvolutionForward(handle, &one, f->x, t[CONV_X], f->w, t[CONV_W], f->convolution,
                                       (cudnnConvolutionFwdAlgo_t)a, f->scratch, f->scratch_bytes, &zero, f->y,
                                       t[CONV_Y]);
    case CONV_DX:
        return cudnnConvolutionBackwardData(handle, &one, f->w, t[CONV_W], f->y, t[CONV_Y], f->convolution,
                                            (cudnnConvolutionBwdDataAlgo_t)a, f->scratch, f->scratch_bytes, &zero, f->x,
                                            t[CONV_X]);
    default:
        return cudnnConvolutionBackwardFilter(handle, &one, f->x, t[CONV_X], f->y, t[CONV_Y], f->convolution,
                                              (cudnnConvolutionBwdFilterAlgo_t)a, f->scratch, f->scratch_bytes, &zero,
                                              f->w, t[CONV_W]);
    }
}

static const char *run_form(const form *f, int times)
{
    for (int i = 0; i < times; i++)
        TRY(compute(f));
    TRY(cudaDeviceSynchronize());
    return NULL;
}

/* Times one algorithm; a reason when it does not do this convolution. */
static const char *try_algorithm(form *f, int algorithm)
{
    f->algorithm = algorithm;
    TRY(scratch_of(&f->scratch_bytes, f));
    if (f->scratch_bytes > MOST_SCRATCH) return "too much scratch memory";
    TRY(cudaMalloc(&f->scratch, f->scratch_bytes + 1));
    const char *wrong = run_form(f, 1);
    for (int i = 0; !wrong && i < TRIALS; i++) {
        const double start = conv_seconds();
        wrong = run_form(f, 1);
        const double seconds = conv_seconds() - start;
        if (i == 0 || seconds < f->seconds) f->seconds = seconds;
    }
    return wrong;
}

static void try_form(bool last, int algorithm)
{
    form f = { .last = last };
    const char *wrong = open_form(&f);
    if (!wrong) wrong = try_algorithm(&f, algorithm);
    if (!wrong && (!best.convolution || f.seconds < best.seconds)) {
        close_form(&best);
        best = f;
    } else {
        close_form(&f);
        (void)cudaGetLastError(); /* a refusal must not fail what comes next */
    }
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

static const char *open_case(const conv_problem *p, char how[96])
{
    problem = *p;
    for (int last = 0; last < 2; last++)
        for (int algorithm = 0; algorithm < ALGORITHMS; algorithm++)
            try_form(last, algorithm);
    if (!best.convolution) return "cuDNN has no algorithm for this";
    snprintf(how, 96, "algorithm %d, %s, %zu MB of scratch", best.algorithm, best.last ? "channels last" : "NCDHW",
             best.scratch_bytes >> 20);
    return NULL;
}

static const char *run(int times)
{
    return run_form(&best, times);
}

static void close_case(void)
{
    close_form(&best);
}

int main(int count, char **arguments)
{
    static const conv_server server = { open_case, run, read_result, close_case };
    static const struct {
        const char *name;
        bool half;
        cudnnMathType_t math;
    } modes[] = {
        { "fp32", false, CUDNN_FMA_MATH },
        { "tf32", false, CUDNN_TENSOR_OP_MATH },
        { "fp16", true, CUDNN_TENSOR_OP_MATH },
    };
    char greeting[128];
    int devices = 0;
    size_t mode = 0;
    while (count == 2 && mode < 3 && strcmp(arguments[1], modes[mode].name) != 0)
        mode++;
    if (count != 2 || mode == 3) {
        fprintf(stderr, "usage: conv_cudnn fp32|tf32|fp16\n");
        return 2;
    }
    half = modes[mode].half;
    math = modes[mode].math;
    const cudaError_t code = cudaGetDeviceCount(&devices);
    if (code != cudaSuccess || devices < 1 || cudnnCreate(&handle) != CUDNN_STATUS_SUCCESS) {
        printf("{\"error\": \"no CUDA device: %s\"}\n", code != cudaSuccess ? cudaGetErrorString(code) : "none found");
        return 1;
    }
    snprintf(greeting, sizeof greeting, "{\"version\": \"%zu\"}", cudnnGetVersion());
    return conv_serve(&server, greeting);
}
