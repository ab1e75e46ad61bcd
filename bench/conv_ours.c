/* conv_ours.c: our convolutions for bench/conv.py, by the protocol of serve.h.
 *
 *     conv_ours [DEVICE]
 *
 * Each is computed as a network would: by the implementation that hf_op_choose picks, in the layouts that it wants, with
 * all launches of its own (weights arranged, partial sums added). */
#include "hfcl.h"
#include "serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hf_context *context;
static hf_task *task;
static hf_tensor operand[2], result;

static hf_shape shape_of(const conv_problem *p, int tensor)
{
    if (tensor == CONV_X) return HF_SHAPE(p->n, p->c, p->in[0], p->in[1], p->in[2]);
    if (tensor == CONV_Y) return HF_SHAPE(p->n, p->o, p->out[0], p->out[1], p->out[2]);
    return p->per_sample ? HF_SHAPE(p->n, p->o, p->c, p->k, p->k, p->k) : HF_SHAPE(p->o, p->c, p->k, p->k, p->k);
}

static hf_desc desc_of(const conv_problem *p, int tensor, char letter)
{
    return (hf_desc){ .shape = shape_of(p, tensor), .layout = letter == 'B' ? HF_BLOCKED : HF_PLAIN };
}

static hf_params params_of(const conv_problem *p)
{
    hf_params params = { .stride = p->stride, .pad = p->pad };
    if (p->pass == CONV_FORWARD) return params;
    params.kernel = p->k;
    params.per_sample = p->per_sample;
    params.shape = shape_of(p, CONV_X);
    return params;
}

static hf_status open_task(const conv_problem *p, char how[96])
{
    static const char *const names[] = { "conv3d", "conv3d_dx", "conv3d_dw" };
    const hf_op *op = hf_op_find(names[p->pass]);
    const hf_params params = params_of(p);
    const hf_desc plain[2] = { desc_of(p, p->operand[0], 'P'), desc_of(p, p->operand[1], 'P') };
    const int impl = hf_op_choose(context, op, &params, plain, 2);
    const char *letters = hf_op_impl_layouts(op, impl), *results = strchr(letters, '>') + 1;
    for (int i = 0; i < 2; i++) {
        const hf_desc desc = desc_of(p, p->operand[i], letters[i]);
        HF_TRY(hf_tensor_new_desc(&operand[i], context, &desc));
        HF_TRY(hf_tensor_write(&operand[i], p->tensor[p->operand[i]], hf_shape_count(&desc.shape)));
    }
    const hf_desc desc = desc_of(p, p->result, results[0]);
    HF_TRY(hf_tensor_new_desc(&result, context, &desc));
    snprintf(how, 96, "%s", hf_op_impl_name(op, impl));
    return hf_task_new(&task, context, op, &params, operand, 2, &result, 1, &(hf_task_options){ .impl = 1 + impl });
}

static const char *said(hf_status status)
{
    static char text[512];
    if (status == HF_OK) return NULL;
    snprintf(text, sizeof text, "%.500s", hf_error_message());
    for (char *at = text; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = '\'';
    return text;
}

static const char *open_case(const conv_problem *p, char how[96])
{
    return said(open_task(p, how));
}

static const char *run(int times)
{
    hf_status status = HF_OK;
    for (int i = 0; status == HF_OK && i < times; i++)
        status = hf_task_run(task);
    return said(status == HF_OK ? hf_context_finish(context) : status);
}

static const char *read_result(float *values)
{
    return said(hf_tensor_read(&result, values, hf_shape_count(&result.desc.shape)));
}

static void close_case(void)
{
    hf_task_free(&task);
    hf_tensor_free(&operand[0]);
    hf_tensor_free(&operand[1]);
    hf_tensor_free(&result);
}

int main(int count, char **arguments)
{
    static const conv_server server = { open_case, run, read_result, close_case };
    char greeting[1024];
    if (hf_context_new(&context, count > 1 ? arguments[1] : NULL, NULL) != HF_OK) {
        fprintf(stderr, "conv_ours: %s\n", hf_error_message());
        return 1;
    }
    const hf_device_info *device = hf_context_device(context);
    snprintf(greeting, sizeof greeting,
             "{\"version\": \"%s\", \"threads\": %u, \"device\": \"%s\", \"platform\": \"%s\", \"driver\": \"%s\", "
             "\"is_cpu\": %s}",
             HF_VERSION, device->compute_units, device->name, device->platform, device->driver,
             device->is_cpu ? "true" : "false");
    const int code = conv_serve(&server, greeting);
    hf_context_free(&context);
    return code;
}
