/* task.c: operators bound to tensors. Making a task compiles its kernels and sets their arguments; running it only
 * enqueues. */
#include "cl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hf_status new_record(hf_launch_record **out, hf_call *call, const char *name)
{
    hf_task *task = call->task;
    if (task->n_launches == HF_MAX_LAUNCHES)
        return hf_fail(HF_ERR_ARGUMENT, "%s: more than %d launches", name, HF_MAX_LAUNCHES);
    *out = &task->launch[task->n_launches++];
    (*out)->name = name;
    return HF_OK;
}

/* What is known of an argument without a device. */
static int64_t arg_value(const hf_arg *arg)
{
    switch (arg->kind) {
    case HF_ARG_TENSOR:
        return arg->as.tensor ? (int64_t)hf_desc_bytes(&arg->as.tensor->desc) : 0;
    case HF_ARG_INT:
        return arg->as.i;
    case HF_ARG_UINT:
        return arg->as.u;
    case HF_ARG_LONG:
        return arg->as.l;
    case HF_ARG_FLOAT:
        break;
    }
    return 0;
}

static hf_status set_arg(const hf_context *context, cl_kernel kernel, cl_uint index, const hf_arg *arg,
                         const char *name)
{
    cl_int code = CL_SUCCESS;
    const hf_tensor *tensor = arg->as.tensor;
    cl_mem mem;
    switch (arg->kind) {
    case HF_ARG_TENSOR:
        mem = tensor && tensor->buffer ? tensor->buffer->mem : context->nothing->mem;
        code = clSetKernelArg(kernel, index, sizeof mem, &mem);
        break;
    case HF_ARG_INT:
        code = clSetKernelArg(kernel, index, sizeof(cl_int), &arg->as.i);
        break;
    case HF_ARG_UINT:
        code = clSetKernelArg(kernel, index, sizeof(cl_uint), &arg->as.u);
        break;
    case HF_ARG_FLOAT:
        code = clSetKernelArg(kernel, index, sizeof(cl_float), &arg->as.f);
        break;
    case HF_ARG_LONG:
        code = clSetKernelArg(kernel, index, sizeof(cl_long), &arg->as.l);
        break;
    }
    return code == CL_SUCCESS ? HF_OK : hf_cl_fail(code, "kernel %s, argument %u", name, (unsigned)index);
}

/* The most work-items that this device runs in a group of this kernel. */
static hf_status group_limit(size_t *limit, const hf_context *context, cl_kernel kernel)
{
    *limit = context->info.max_group;
    if (context->described) return HF_OK;
    HF_CL(clGetKernelWorkGroupInfo(kernel, context->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof *limit, limit, NULL));
    return HF_OK;
}

static hf_status new_kernel(hf_launch_record *launch, hf_call *call, const char *program, const char *defines)
{
    cl_program built = NULL;
    cl_int code;
    const int length = snprintf(launch->defines, sizeof launch->defines, "%s", defines ? defines : "");
    if (length < 0 || (size_t)length >= sizeof launch->defines)
        return hf_fail(HF_ERR_ARGUMENT, "kernel %s: its defines are longer than %zu bytes", launch->name,
                       sizeof launch->defines - 1);
    launch->program = program;
    if (call->context->described) return hf_program_known(program);
    HF_TRY(hf_program_get(&built, call->context, program, defines));
    if (launch->kernel) clReleaseKernel(launch->kernel);
    launch->kernel = clCreateKernel(built, launch->name, &code);
    return code == CL_SUCCESS ? HF_OK : hf_cl_fail(code, "clCreateKernel of %s in %s.cl", launch->name, program);
}

/* Kernels are compiled for their group size. Where the device allows fewer work-items, a range that shrinks is compiled
 * again; any other is refused here, before it is enqueued. */
static hf_status fit_group(hf_launch_record *launch, hf_call *call, bool shrinks)
{
    char smaller[sizeof launch->defines + 32];
    size_t limit, items = launch->local[0];
    HF_TRY(group_limit(&limit, call->context, launch->kernel));
    if (launch->local[0] * launch->local[1] * launch->local[2] <= limit) return HF_OK;
    while (items > limit && items > 1)
        items /= 2;
    if (!shrinks || items > limit)
        return hf_fail(HF_ERR_DEVICE, "kernel %s wants groups of %zu work-items; %s allows %zu", launch->name,
                       launch->local[0] * launch->local[1] * launch->local[2], call->context->info.name, limit);
    snprintf(smaller, sizeof smaller, "%s%s-DWG=%zu", launch->defines, *launch->defines ? " " : "", items);
    launch->local[0] = items;
    return new_kernel(launch, call, launch->program, smaller);
}

hf_status hf_launch(hf_call *call, const char *program, const char *kernel, const char *defines, hf_range range,
                    const hf_arg *args, int n_args)
{
    hf_launch_record *launch = NULL;
    HF_TRY(new_record(&launch, call, kernel));
    launch->kind = HF_LAUNCH_KERNEL;
    for (int d = 0; d < 3; d++) {
        launch->local[d] = range.items[d] ? range.items[d] : 1;
        launch->global[d] = launch->local[d] * (range.groups[d] ? range.groups[d] : 1);
    }
    HF_TRY(new_kernel(launch, call, program, defines));
    HF_TRY(fit_group(launch, call, range.shrinks));
    if (n_args > HF_MAX_ARGS) return hf_fail(HF_ERR_ARGUMENT, "kernel %s: %d arguments", kernel, n_args);
    launch->n_args = n_args;
    for (int i = 0; i < n_args; i++) {
        launch->arg[i] = arg_value(&args[i]);
        launch->is_tensor[i] = args[i].kind == HF_ARG_TENSOR;
        if (!call->context->described) HF_TRY(set_arg(call->context, launch->kernel, (cl_uint)i, &args[i], kernel));
    }
    return HF_OK;
}

hf_status hf_launch_copy(hf_call *call, const hf_tensor *to, const hf_tensor *from)
{
    hf_launch_record *launch = NULL;
    const size_t bytes = hf_desc_bytes(&to->desc);
    if (bytes != hf_desc_bytes(&from->desc))
        return hf_fail(HF_ERR_SHAPE, "a copy of %zu bytes into %zu", hf_desc_bytes(&from->desc), bytes);
    if (to->buffer == from->buffer) return HF_OK; /* the plan gave both the same memory */
    HF_TRY(new_record(&launch, call, "copy"));
    launch->kind = HF_LAUNCH_COPY;
    launch->to = to->buffer->mem;
    launch->from = from->buffer->mem;
    launch->bytes = bytes;
    return HF_OK;
}

hf_status hf_launch_zero(hf_call *call, const hf_tensor *to)
{
    hf_launch_record *launch = NULL;
    HF_TRY(new_record(&launch, call, "zero"));
    launch->kind = HF_LAUNCH_ZERO;
    launch->to = to->buffer->mem;
    launch->bytes = hf_desc_bytes(&to->desc);
    return HF_OK;
}

hf_status hf_launch_gemm(hf_call *call, const hf_gemm *gemm, const hf_tensor *a, const hf_tensor *b, const hf_tensor *c)
{
    hf_launch_record *launch = NULL;
    HF_TRY(new_record(&launch, call, "CLBlast SGEMM"));
    launch->kind = HF_LAUNCH_GEMM;
    launch->gemm = *gemm;
    launch->a = a->buffer->mem;
    launch->b = b->buffer->mem;
    launch->c = c->buffer->mem;
    return HF_OK;
}

#define SCRATCH_GAP 256 /* bytes left unused behind a part, for tests */

size_t hf_scratch_align(const hf_call *call, size_t bytes)
{
    const size_t align = hf_context_device(call->context)->align;
    return hf_ceil_div(bytes + (call->context->scratch == HF_SCRATCH_GAPS ? SCRATCH_GAP : 0), align) * align;
}

hf_status hf_scratch_part(hf_tensor *out, hf_call *call, size_t offset, int64_t count)
{
    hf_task *task = call->task;
    if (task->n_parts == HF_MAX_PARTS) return hf_fail(HF_ERR_ARGUMENT, "more than %d scratch parts", HF_MAX_PARTS);
    if (!call->scratch.buffer) return hf_fail(HF_ERR_ARGUMENT, "no scratch memory was asked for");
    const size_t bytes = (size_t)count * sizeof(float);
    hf_buffer **part = &task->part[task->n_parts];
    if (call->context->scratch == HF_SCRATCH_APART)
        HF_TRY(hf_buffer_new(part, call->context, bytes, "a part of scratch memory"));
    else
        HF_TRY(hf_buffer_view(part, call->scratch.buffer, offset, bytes));
    *out = (hf_tensor){ hf_desc_f32((hf_shape){ 1, { count } }), task->part[task->n_parts++] };
    return HF_OK;
}

bool hf_task_part(const hf_task *task, int index, size_t *offset, size_t *bytes)
{
    if (index >= task->n_parts) return false;
    *offset = task->part[index]->offset;
    *bytes = task->part[index]->bytes;
    return true;
}

/* ---- life of a task ---------------------------------------------------------------------------------------------- */

static hf_status check_operands(const hf_call *call)
{
    hf_desc in[HF_MAX_IN], out[HF_MAX_OUT];
    int n_out = 0;
    for (int i = 0; i < call->n_in; i++)
        in[i] = call->in[i].desc;
    HF_TRY(hf_op_infer(call->op, &call->params, in, call->n_in, out, &n_out));
    if (n_out != call->n_out)
        return hf_fail(HF_ERR_ARGUMENT, "%s has %d results, got room for %d", call->op->name, n_out, call->n_out);
    for (int k = 0; k < n_out; k++) {
        char want[96], got[96];
        if (hf_shape_equal(&out[k].shape, &call->out[k].desc.shape) && out[k].type == call->out[k].desc.type) continue;
        return hf_fail(HF_ERR_SHAPE, "%s: result %d has shape %s, got room for %s", call->op->name, k,
                       hf_shape_text(&out[k].shape, want), hf_shape_text(&call->out[k].desc.shape, got));
    }
    return HF_OK;
}

/* Letters of the layout string against the tensors; 'A' operands must all be alike. */
static hf_status check_layouts(const hf_call *call)
{
    const char *letter = call->impl->layouts;
    int any = -1;
    for (int i = 0; i < call->n_in + call->n_out; i++, letter++) {
        if (i == call->n_in) {
            while (*letter && *letter != '>')
                letter++;
            if (*letter) letter++;
        }
        const hf_desc *desc = i < call->n_in ? &call->in[i].desc : &call->out[i - call->n_in].desc;
        if (desc->shape.rank != 5) continue;
        const int layout = (int)desc->layout;
        if (*letter == 'A' && any < 0) any = layout;
        const int want = *letter == 'B' ? HF_BLOCKED : *letter == 'A' ? any : HF_PLAIN;
        if (layout != want)
            return hf_fail(HF_ERR_ARGUMENT, "%s by %s wants %s %d in the %s layout", call->op->name, call->impl->name,
                           i < call->n_in ? "operand" : "result", i < call->n_in ? i : i - call->n_in,
                           want == HF_BLOCKED ? "blocked" : "plain");
    }
    return HF_OK;
}

static hf_status take_scratch(hf_task *task, hf_call *call, hf_buffer *given)
{
    const size_t bytes = call->impl->scratch ? call->impl->scratch(call) : 0;
    if (!bytes) return HF_OK;
    if (given && hf_buffer_bytes(given) < bytes)
        return hf_fail(HF_ERR_ARGUMENT, "%s needs %zu bytes of scratch memory, got %zu", task->label, bytes,
                       hf_buffer_bytes(given));
    if (!given) {
        HF_TRY(hf_buffer_new(&task->scratch, task->context, bytes, "scratch memory"));
        given = task->scratch;
    }
    call->scratch = (hf_tensor){ { { 1, { (int64_t)bytes } }, HF_U8, HF_PLAIN }, given };
    return HF_OK;
}

static hf_status prepare(hf_task *task, hf_call *call, const hf_task_options *options)
{
    HF_TRY(check_operands(call));
    hf_desc in[HF_MAX_IN];
    for (int i = 0; i < call->n_in; i++)
        in[i] = call->in[i].desc;
    const int chosen = options && options->impl ? options->impl - 1
                                                : hf_op_choose(call->context, call->op, &call->params, in, call->n_in);
    if (chosen < 0 || chosen >= hf_op_impl_count(call->op))
        return hf_fail(HF_ERR_ARGUMENT, "%s has no implementation number %d", call->op->name, chosen);
    call->impl = &call->op->impls[chosen];
    const char *refusal = call->impl->refuse ? call->impl->refuse(call) : NULL;
    if (refusal)
        return hf_fail(HF_ERR_UNSUPPORTED, "%s cannot run as %s: %s", call->op->name, call->impl->name, refusal);
    HF_TRY(check_layouts(call));
    HF_TRY(take_scratch(task, call, options ? options->scratch : NULL));
    return call->impl->prepare(call);
}

hf_status hf_task_new(hf_task **out, hf_context *context, const hf_op *op, const hf_params *params, const hf_tensor *in,
                      int n_in, const hf_tensor *out_tensors, int n_out, const hf_task_options *options)
{
    *out = NULL;
    if (!op) return hf_fail(HF_ERR_ARGUMENT, "no operator given (unknown name?)");
    if (n_in > HF_MAX_IN || n_out > HF_MAX_OUT)
        return hf_fail(HF_ERR_ARGUMENT, "%s: %d operands and %d results are too many", op->name, n_in, n_out);
    hf_task *task = NULL;
    HF_TRY(hf_alloc(&task, 1, sizeof *task, "a task"));
    const char *label = options && options->label ? options->label : op->name;
    snprintf(task->label, sizeof task->label, "%s", label);
    task->context = context;
    hf_call call = { .context = context, .op = op, .n_in = n_in, .n_out = n_out, .task = task };
    if (params) call.params = *params;
    memcpy(call.in, in, (size_t)n_in * sizeof *in);
    memcpy(call.out, out_tensors, (size_t)n_out * sizeof *out_tensors);
    const hf_status status = prepare(task, &call, options);
    if (status != HF_OK) {
        if (strcmp(label, op->name) != 0) hf_fail_in(status, "%s", label);
        hf_task_free(&task);
    }
    *out = task;
    return status;
}

static cl_int enqueue(const hf_context *context, const hf_launch_record *launch)
{
    static const cl_uchar zero = 0;
    switch (launch->kind) {
    case HF_LAUNCH_KERNEL:
        return clEnqueueNDRangeKernel(context->queue, launch->kernel, 3, NULL, launch->global, launch->local, 0, NULL,
                                      NULL);
    case HF_LAUNCH_COPY:
        return clEnqueueCopyBuffer(context->queue, launch->from, launch->to, 0, 0, launch->bytes, 0, NULL, NULL);
    case HF_LAUNCH_ZERO:
        return clEnqueueFillBuffer(context->queue, launch->to, &zero, sizeof zero, 0, launch->bytes, 0, NULL, NULL);
    case HF_LAUNCH_GEMM:
        break;
    }
    return CL_SUCCESS;
}

static hf_status run_all(const hf_task *task)
{
    for (int i = 0; i < task->n_launches; i++) {
        const hf_launch_record *launch = &task->launch[i];
        if (launch->kind == HF_LAUNCH_GEMM) {
            HF_TRY(hf_gemm_run(task->context, launch));
            continue;
        }
        const cl_int code = enqueue(task->context, launch);
        if (code != CL_SUCCESS) return hf_cl_fail(code, "%s: %s", task->label, launch->name);
    }
    return HF_OK;
}

/* The first run: some drivers compile only now, so it happens under the build lock and waits. */
static hf_status run_first(hf_task *task)
{
    hf_build_guard guard;
    HF_TRY(hf_build_begin(&guard, task->context));
    hf_status status = run_all(task);
    if (status == HF_OK) status = hf_context_finish(task->context);
    hf_build_end(&guard);
    task->built = status == HF_OK;
    return status;
}

hf_status hf_task_run(hf_task *task)
{
    if (task->context->described)
        return hf_fail(HF_ERR_DEVICE, "%s: %s is only described: nothing runs on it", task->label,
                       task->context->info.name);
    if (!task->built && task->context->build_lock) return run_first(task);
    return run_all(task);
}

bool hf_task_launch(const hf_task *task, int index, hf_launch_info *out)
{
    if (index < 0 || index >= task->n_launches) return false;
    const hf_launch_record *launch = &task->launch[index];
    *out = (hf_launch_info){
        .program = launch->program, .kernel = launch->name, .defines = launch->defines, .n_args = launch->n_args
    };
    for (int d = 0; d < 3; d++) {
        out->items[d] = launch->local[d];
        out->groups[d] = launch->local[d] ? launch->global[d] / launch->local[d] : 0;
    }
    memcpy(out->arg, launch->arg, sizeof out->arg);
    memcpy(out->is_tensor, launch->is_tensor, sizeof out->is_tensor);
    return true;
}

void hf_task_free(hf_task **task)
{
    if (!task || !*task) return;
    for (int i = 0; i < (*task)->n_launches; i++)
        if ((*task)->launch[i].kernel) clReleaseKernel((*task)->launch[i].kernel);
    for (int i = 0; i < (*task)->n_parts; i++)
        hf_buffer_free(&(*task)->part[i]);
    hf_buffer_free(&(*task)->scratch);
    free(*task);
    *task = NULL;
}
