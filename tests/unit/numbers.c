/* numbers.c: what operators do with numbers that are not ordinary, and check values. Not-a-number must come through
 * relu and pooling and must not come through a dropped element; the weighted cross-entropy has a known value; batch norm
 * holds where squares about zero would cancel. */
#include "check.h"
#include "hfcl.h"

#include <stdlib.h>

#define MOST 64 /* elements of any tensor here */

typedef struct operand {
    hf_shape shape;
    hf_type type;
    const void *data;
} operand;

/* The layout that operand or result `index` of an implementation's layout string has. */
static hf_layout layout_of(const char *letters, int index, int rank)
{
    return rank == 5 && letters[index] == 'B' ? HF_BLOCKED : HF_PLAIN;
}

/* Runs an operator by one implementation; results into y. */
static hf_status run_impl(hf_context *context, const hf_op *op, int impl, const hf_params *params, const operand *in,
                          int n_in, float (*y)[MOST])
{
    hf_tensor tensors[HF_MAX_IN] = { { .buffer = NULL } }, results[HF_MAX_OUT] = { { .buffer = NULL } };
    hf_desc desc[HF_MAX_IN], out[HF_MAX_OUT];
    const char *letters = hf_op_impl_layouts(op, impl);
    hf_task *task = NULL;
    hf_status status = HF_OK;
    int n_out = 0;
    for (int i = 0; i < n_in; i++) {
        desc[i] = (hf_desc){ in[i].shape, in[i].type, layout_of(letters, i, in[i].shape.rank) };
        HF_TRY_OUT(hf_tensor_new_desc(&tensors[i], context, &desc[i]));
        HF_TRY_OUT(hf_tensor_write(&tensors[i], in[i].data, hf_shape_count(&in[i].shape)));
    }
    HF_TRY_OUT(hf_op_infer(op, params, desc, n_in, out, &n_out));
    for (int k = 0; k < n_out; k++) {
        out[k].layout = layout_of(strchr(letters, '>') + 1, k, out[k].shape.rank);
        HF_TRY_OUT(hf_tensor_new_desc(&results[k], context, &out[k]));
    }
    HF_TRY_OUT(
        hf_task_new(&task, context, op, params, tensors, n_in, results, n_out, &(hf_task_options){ .impl = 1 + impl }));
    HF_TRY_OUT(hf_task_run(task));
    for (int k = 0; k < n_out; k++)
        HF_TRY_OUT(hf_tensor_read(&results[k], y[k], hf_shape_count(&out[k].shape)));
out:
    hf_task_free(&task);
    for (int i = 0; i < n_in; i++)
        hf_tensor_free(&tensors[i]);
    for (int k = 0; k < n_out; k++)
        hf_tensor_free(&results[k]);
    return status;
}

/* By the plain implementation. */
static hf_status run(hf_context *context, const char *name, const hf_params *params, const operand *in, int n_in,
                     float (*y)[MOST])
{
    const hf_op *op = hf_op_find(name);
    return run_impl(context, op, hf_op_impl_count(op) - 1, params, in, n_in, y);
}

static void check_nan(hf_context *context)
{
    const float x[8] = { 1, 2, 3, NAN, 5, 6, 7, 8 };
    const operand flat = { HF_SHAPE(8), HF_F32, x }, volume = { HF_SHAPE(1, 1, 2, 2, 2), HF_F32, x };
    float y[HF_MAX_OUT][MOST];
    if (CHECK_OK(run(context, "relu", NULL, &flat, 1, y))) CHECK(isnan(y[0][3]) && y[0][2] == 3);
    const hf_op *pool = hf_op_find("max_pool3d");
    for (int impl = 0; impl < hf_op_impl_count(pool); impl++)
        if (CHECK_OK(run_impl(context, pool, impl, NULL, &volume, 1, y)))
            CHECK(isnan(y[0][0]) && ((unsigned char *)y[1])[0] == 3);
    const operand rows = { HF_SHAPE(2, 4), HF_F32, x };
    if (CHECK_OK(run(context, "softmax", NULL, &rows, 1, y))) CHECK(isnan(y[0][0]) && isfinite(y[0][4]));
}

/* Logits far beyond the range of exp. */
static void check_large_logits(hf_context *context)
{
    const float x[4] = { 1000, 999, -1000, -1000 };
    const operand rows = { HF_SHAPE(2, 2), HF_F32, x };
    float y[HF_MAX_OUT][MOST];
    if (!CHECK_OK(run(context, "softmax", NULL, &rows, 1, y))) return;
    CHECK_NEAR((double)y[0][0], 1 / (1 + exp(-1.0)), 1e-6);
    CHECK_NEAR((double)y[0][2], 0.5, 1e-6);
}

static void check_cross_entropy(hf_context *context)
{
    const float z[9] = { 2, .5f, -1, .1f, .2f, .3f, -1, 0, 3 }, w[3] = { 1.1f, 0.6962f, 1.4f };
    const int32_t label[3] = { 0, 1, 2 }, beyond[3] = { 0, 3, 2 };
    operand in[3] = { { HF_SHAPE(3, 3), HF_F32, z }, { HF_SHAPE(3), HF_I32, label }, { HF_SHAPE(3), HF_F32, w } };
    float y[HF_MAX_OUT][MOST];
    if (CHECK_OK(run(context, "softmax_cross_entropy", NULL, in, 3, y))) CHECK_NEAR((double)y[0][0], 0.35193434, 2e-7);
    in[1].data = beyond;
    if (CHECK_OK(run(context, "softmax_cross_entropy", NULL, in, 3, y))) CHECK(isnan(y[0][0]));
}

/* Mean 4096, deviation 1: E[x^2] - E[x]^2 in floats would give a multiple of two. */
static void check_batch_norm(hf_context *context)
{
    float x[MOST], y[HF_MAX_OUT][MOST];
    const float one = 1, zero = 0;
    for (int i = 0; i < MOST; i++)
        x[i] = 4096.0f + (i % 2 ? 1.0f : -1.0f);
    const operand in[5] = { { HF_SHAPE(MOST, 1), HF_F32, x },
                            { HF_SHAPE(1), HF_F32, &one },
                            { HF_SHAPE(1), HF_F32, &zero },
                            { HF_SHAPE(1), HF_F32, &zero },
                            { HF_SHAPE(1), HF_F32, &one } };
    if (!CHECK_OK(run(context, "batch_norm", &(hf_params){ .momentum = 0.5f }, in, 5, y))) return;
    CHECK(y[1][0] == 4096.0f);
    CHECK_NEAR((double)y[2][0], 1 / sqrt(1 + 1e-5), 1e-6);
    CHECK_NEAR((double)y[0][1], 1 / sqrt(1 + 1e-5), 1e-6);
    CHECK(y[3][0] == 2048.0f);
    CHECK_NEAR((double)y[4][0], 0.5 + 0.5 * 64 / 63, 1e-6);
}

static void check_refusals(void)
{
    const hf_desc volume = { .shape = HF_SHAPE(1, 2, 4, 4, 4) }, single = { .shape = HF_SHAPE(1, 2) };
    const hf_desc norm[5] = {
        single, { .shape = HF_SHAPE(2) }, { .shape = HF_SHAPE(2) }, { .shape = HF_SHAPE(2) }, { .shape = HF_SHAPE(2) }
    };
    hf_desc out[HF_MAX_OUT];
    int n;
    const hf_op *pool = hf_op_find("max_pool3d");
    CHECK_STATUS(hf_op_infer(pool, &(hf_params){ .kernel = 7 }, &volume, 1, out, &n), HF_ERR_UNSUPPORTED, "window 7");
    CHECK_STATUS(hf_op_infer(pool, &(hf_params){ .pad = 1 }, &volume, 1, out, &n), HF_ERR_UNSUPPORTED, "padding 1");
    CHECK_STATUS(hf_op_infer(pool, &(hf_params){ .kernel = 5 }, &volume, 1, out, &n), HF_ERR_SHAPE, "smaller");
    CHECK_STATUS(hf_op_infer(hf_op_find("batch_norm"), NULL, norm, 5, out, &n), HF_ERR_SHAPE, "two values");
    CHECK_STATUS(hf_op_infer(hf_op_find("slice"), &(hf_params){ .axis = 5 }, &volume, 1, out, &n), HF_ERR_ARGUMENT,
                 "axis");
}

int main(void)
{
    hf_context *context = NULL;
    hf_device_info *devices = NULL;
    int count = 0;
    check_refusals();
    if (!CHECK_OK(hf_devices(&devices, &count))) goto out;
    if (count == 0) {
        check_skip("no OpenCL device");
        goto out;
    }
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) goto out;
    check_nan(context);
    check_large_logits(context);
    check_cross_entropy(context);
    check_batch_norm(context);
out:
    free(devices);
    hf_context_free(&context);
    return check_done("numbers");
}
