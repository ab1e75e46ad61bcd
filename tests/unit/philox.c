/* philox.c: the random words of dropout's kernel are those of hf_random_bits, and so Random123's: element e of stream s
 * at step t is draw e of stream s | t << 32. Read off the mask itself: with p a multiple of 2^-k the mask of many p
 * encloses each word, so a single wrong bit near the top shows; and the share of zeros is that of a fair coin. */
#include "check.h"
#include "hfcl.h"

#include <stdlib.h>

#define SEED     0x0123456789abcdefull
#define STEP     (-7) /* any 32 bits */
#define STREAM   0x80000001u
#define ELEMENTS 40000

/* y of dropout over ones with probability p. */
static hf_status mask_of(hf_context *context, float p, hf_shape shape, int channels, float *y)
{
    const int32_t words[4] = { (int32_t)(SEED & 0xffffffffu), (int32_t)(SEED >> 32), STEP, 0 };
    const hf_desc state_desc = { .shape = HF_SHAPE(4), .type = HF_I32 };
    hf_tensor in[2] = { { .buffer = NULL } }, out = { .buffer = NULL };
    hf_task *task = NULL;
    hf_status status;
    const size_t count = (size_t)hf_shape_count(&shape);
    for (size_t i = 0; i < count; i++)
        y[i] = 1;
    HF_TRY_OUT(hf_tensor_new(&in[0], context, shape));
    HF_TRY_OUT(hf_tensor_new_desc(&in[1], context, &state_desc));
    HF_TRY_OUT(hf_tensor_new(&out, context, shape));
    HF_TRY_OUT(hf_tensor_write(&in[0], y, (int64_t)count));
    HF_TRY_OUT(hf_tensor_write(&in[1], words, 4));
    const hf_op *op = hf_op_find("dropout");
    const hf_params params = { .p = p, .stream = STREAM, .channels = channels };
    const hf_task_options plain = { .impl = hf_op_impl_count(op) };
    HF_TRY_OUT(hf_task_new(&task, context, op, &params, in, 2, &out, 1, &plain));
    HF_TRY_OUT(hf_task_run(task));
    HF_TRY_OUT(hf_tensor_read(&out, y, (int64_t)count));
out:
    hf_task_free(&task);
    hf_tensor_free(&in[0]);
    hf_tensor_free(&in[1]);
    hf_tensor_free(&out);
    return status;
}

static uint32_t word_of(uint64_t element)
{
    return hf_random_bits(SEED, STREAM | (uint64_t)(uint32_t)STEP << 32, element);
}

static void check_words(hf_context *context, hf_shape shape, int channels, float *y)
{
    const size_t count = (size_t)hf_shape_count(&shape);
    const size_t row = channels ? count / (size_t)(shape.dim[0] * shape.dim[1]) : 1;
    for (int part = 1; part < 16; part++) {
        size_t wrong = 0;
        if (!CHECK_OK(mask_of(context, (float)part / 16, shape, channels, y))) return;
        for (size_t i = 0; i < count; i++) {
            const bool kept = word_of(i / row) >= (uint32_t)part << 28;
            wrong += (y[i] != 0) != kept;
        }
        CHECK(wrong == 0);
    }
}

/* The number of zeros among n is within five standard deviations of p n. */
static void check_share(hf_context *context, float *y)
{
    const float p = 0.3f;
    const hf_shape shape = HF_SHAPE(ELEMENTS);
    double zeros = 0, sum = 0;
    if (!CHECK_OK(mask_of(context, p, shape, 0, y))) return;
    for (int i = 0; i < ELEMENTS; i++) {
        zeros += y[i] == 0;
        sum += (double)y[i];
    }
    const double deviation = sqrt(ELEMENTS * 0.3 * 0.7);
    CHECK_NEAR(zeros, ELEMENTS * 0.3, 5 * deviation);
    CHECK_NEAR(sum, ELEMENTS, 5 * deviation / 0.7);
}

/* p = 1 and a p that is no number are refused. */
static void check_refusals(void)
{
    const hf_op *op = hf_op_find("dropout");
    const hf_desc in[2] = { { .shape = HF_SHAPE(2, 3) }, { .shape = HF_SHAPE(4), .type = HF_I32 } };
    const float refused[] = { 1.0f, -0.5f, NAN };
    hf_desc out[HF_MAX_OUT];
    int n_out;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CHECK_STATUS(hf_op_infer(op, &(hf_params){ .p = refused[i] }, in, 2, out, &n_out), HF_ERR_ARGUMENT, "p is");
}

int main(void)
{
    hf_context *context = NULL;
    float *y = NULL;
    hf_device_info *devices = NULL;
    int count = 0;
    check_refusals();
    if (!CHECK_OK(hf_devices(&devices, &count))) goto out;
    if (count == 0) {
        check_skip("no OpenCL device");
        goto out;
    }
    if (!CHECK_OK(hf_context_new(&context, NULL, NULL))) goto out;
    if (!CHECK_OK(hf_alloc(&y, ELEMENTS, sizeof *y, "mask"))) goto out;
    check_words(context, HF_SHAPE(1001), 0, y);
    check_words(context, HF_SHAPE(3, 5, 2, 3, 7), 0, y);
    check_words(context, HF_SHAPE(3, 5, 2, 3, 7), 1, y);
    check_share(context, y);
out:
    free(y);
    free(devices);
    hf_context_free(&context);
    return check_done("philox");
}
