/* bed.c: one implementation on one device, under watch.
 *
 * Operands and results lie side by side in one buffer, the arena, each as a view with guard bytes before and behind
 * (place.c). The whole arena is prepared on the host (the image), written, and read back after the run: every byte outside
 * the results must be as it was, which covers guards and operands at once (surround.c). Two runs with different
 * surroundings must give equal bits.
 *
 * A bed that keeps tensors `apart` gives each a buffer of exactly its size instead, for interpreters that check bounds
 * themselves. */
#include "bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RMS_ELEMENTS 64 /* of a result whose error is judged as a whole, at least */

/* ---- device and memory ------------------------------------------------------------------------------------------- */

hf_status hf_bed_new(hf_bed *bed, const char *device)
{
    *bed = (hf_bed){ 0 };
    HF_TRY(hf_context_new(&bed->context, device, NULL));
    bed->device = hf_context_device(bed->context);
    return HF_OK;
}

void hf_bed_free(hf_bed *bed)
{
    hf_buffer_free(&bed->arena);
    hf_buffer_free(&bed->scratch);
    hf_context_free(&bed->context);
    free(bed->image);
    free(bed->found);
    free(bed->work);
    *bed = (hf_bed){ 0 };
}

static hf_status grow_buffer(hf_buffer **buffer, hf_context *context, size_t bytes, const char *label)
{
    if (*buffer && hf_buffer_bytes(*buffer) >= bytes) return HF_OK;
    hf_buffer_free(buffer);
    return hf_buffer_new(buffer, context, bytes + bytes / 2, label);
}

static hf_status grow(hf_bed *bed, const hf_bed_plan *p)
{
    HF_TRY(grow_buffer(&bed->arena, bed->context, p->bytes, "test arena"));
    HF_TRY(grow_buffer(&bed->scratch, bed->context, 2 * p->scratch_bytes + HF_GUARD, "test scratch"));
    if (bed->host_bytes >= p->bytes) return HF_OK;
    free(bed->image);
    free(bed->found);
    free(bed->work);
    bed->image = bed->found = bed->work = NULL;
    bed->host_bytes = 0;
    HF_TRY(hf_alloc(&bed->image, 2, p->bytes, "test arena"));
    HF_TRY(hf_alloc(&bed->found, 2, p->bytes, "test arena"));
    HF_TRY(hf_alloc(&bed->work, 2, p->bytes, "test arena"));
    bed->host_bytes = 2 * p->bytes;
    return HF_OK;
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static hf_status check_padding(const unsigned char *bytes, const hf_desc *desc, int result)
{
    const int64_t *dim = desc->shape.dim;
    size_t used = (size_t)dim[1] % HF_BLOCK, voxels = (size_t)(dim[2] * dim[3] * dim[4]);
    size_t blocks = ((size_t)dim[1] + HF_BLOCK - 1) / HF_BLOCK;
    if (!used) return HF_OK;
    for (size_t n = 0; n < (size_t)dim[0]; n++)
        for (size_t voxel = 0; voxel < voxels; voxel++)
            for (size_t lane = used; lane < HF_BLOCK; lane++) {
                size_t index = ((n * blocks + blocks - 1) * voxels + voxel) * HF_BLOCK + lane;
                double value = hf_element_load(bytes, desc->type, index);
                if (value != 0)
                    return hf_fail(HF_ERR_NUMBER, "padding channel of result %d at [%zu], voxel %zu, is %g", result, n,
                                   voxel, value);
            }
    return HF_OK;
}

/* The error of one element in units of its bound; infinite when nothing excuses it. */
static double relative_error(double value, double reference, double bound)
{
    if (value == reference || (isnan(value) && isnan(reference))) return 0;
    double error = fabs(value - reference);
    return isfinite(error) && bound > 0 ? error / bound : INFINITY;
}

/* The error of a whole result, where the implementation's slack limits it and there are enough elements to judge. */
static hf_status check_rms(const hf_problem *problem, const hf_place *at, const unsigned char *bytes, int result)
{
    const size_t count = (size_t)hf_count(&at->desc);
    double error = 0, size = 0;
    if (problem->exact || problem->slack.rms <= 0 || count < RMS_ELEMENTS) return HF_OK;
    for (size_t i = 0; i < count; i++) {
        double reference = problem->out_values[result][i];
        double off = hf_element_load(bytes, at->desc.type, hf_element_index(&at->desc, i)) - reference;
        error += off * off;
        size += reference * reference;
    }
    if (sqrt(error) <= problem->slack.rms * sqrt(size)) return HF_OK;
    return hf_fail(HF_ERR_NUMBER, "result %d is off by %.3g of its size (root mean squares), expected at most %.3g",
                   result, sqrt(error / size), problem->slack.rms);
}

static hf_status check_values(hf_bed *bed, const hf_bed_plan *p, const hf_problem *problem, int result)
{
    const hf_place *at = &p->out[result];
    const unsigned char *bytes = bed->found + at->offset;
    char text[96];
    for (size_t i = 0, count = (size_t)hf_count(&at->desc); i < count; i++) {
        size_t index = hf_element_index(&at->desc, i);
        double value = hf_element_load(bytes, at->desc.type, index), reference = problem->out_values[result][i];
        double bound = problem->exact && !problem->slack.inexact ? 0 : problem->bound[result][i];
        bound += problem->slack.absolute;
        if (hf_element_fresh(bytes, at->desc.type, index))
            return hf_fail(HF_ERR_NUMBER, "result %d element %zu of %s was never written", result, i,
                           hf_shape_text(&at->desc.shape, text));
        double error = relative_error(value, reference, bound);
        if (error > bed->worst && isfinite(error)) bed->worst = error;
        if (!(error <= 1))
            return hf_fail(HF_ERR_NUMBER, "result %d element %zu of %s is %.9g, expected %.17g within %.3g (%s fill)",
                           result, i, hf_shape_text(&at->desc.shape, text), value, reference, bound,
                           problem->exact ? "integer" : "real");
    }
    HF_TRY(check_rms(problem, at, bytes, result));
    return at->desc.layout == HF_BLOCKED ? check_padding(bytes, &at->desc, result) : HF_OK;
}

/* ---- defects on purpose ------------------------------------------------------------------------------------------ */

/* A result with one element too many: in its sum, or in its maximum. */
static void add_word(unsigned char *result, const unsigned char *other, bool maximum)
{
    float sum, term;
    memcpy(&sum, result, 4);
    memcpy(&term, other, 4);
    if (maximum)
        sum = term > sum ? term : sum;
    else
        sum += 0 * term;
    memcpy(result, &sum, 4);
}

static void plant(const hf_bed *bed, const hf_bed_plan *p, unsigned char *bytes, bool second)
{
    const hf_place *at = &p->out[0];
    switch (bed->fault) {
    case HF_FAULT_GUARD:
        bytes[at->offset + at->bytes] ^= 1;
        break;
    case HF_FAULT_OPERAND:
        bytes[p->in[0].offset] ^= 1;
        break;
    case HF_FAULT_UNWRITTEN:
        memset(bytes + at->offset, HF_FRESH_BYTE, hf_element_size(at->desc.type));
        break;
    case HF_FAULT_PADDING: /* the last lane of the first voxel: padding unless C is a multiple of 16 */
        if (at->desc.layout == HF_BLOCKED) hf_element_store(bytes + at->offset, at->desc.type, HF_BLOCK - 1, 1);
        break;
    case HF_FAULT_REPEAT:
        if (second) bytes[at->offset] ^= 1;
        break;
    case HF_FAULT_READ_BEFORE:
        add_word(bytes + at->offset, bytes + p->in[0].offset - 4, false);
        break;
    case HF_FAULT_READ_BEHIND:
        add_word(bytes + at->offset, bytes + p->in[0].offset + p->in[0].bytes, false);
        break;
    case HF_FAULT_READ_GREATEST:
        add_word(bytes + at->offset, bytes + p->in[0].offset + p->in[0].bytes, true);
        break;
    case HF_FAULT_COPY: /* one element of operand 0 and of the result too many */
        memcpy(bytes + at->offset + at->bytes, bytes + p->in[0].offset + p->in[0].bytes, 4);
        break;
    default:
        break;
    }
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

/* Copies one tensor between its own buffer and its place in a host copy of the arena. */
static hf_status move_apart(const hf_place *at, unsigned char *bytes, bool write)
{
    if (!at->desc.shape.rank || at->operand >= 0) return HF_OK;
    return write ? hf_buffer_write(at->buffer, 0, bytes + at->offset, at->bytes)
                 : hf_buffer_read(at->buffer, 0, bytes + at->offset, at->bytes);
}

static hf_status move(hf_bed *bed, const hf_bed_plan *p, unsigned char *bytes, bool write)
{
    if (!bed->apart)
        return write ? hf_buffer_write(bed->arena, 0, bytes, p->bytes) : hf_buffer_read(bed->arena, 0, bytes, p->bytes);
    for (int i = 0; i < HF_MAX_IN; i++)
        HF_TRY(move_apart(&p->in[i], bytes, write));
    for (int i = 0; i < HF_MAX_OUT; i++)
        HF_TRY(move_apart(&p->out[i], bytes, write));
    return HF_OK;
}

/* One run; the arena's contents afterwards in `bytes`. */
static hf_status run_once(hf_bed *bed, const hf_bed_plan *p, hf_task *task, const hf_problem *problem,
                          unsigned char *bytes, bool second)
{
    hf_bed_draw(bed, p, problem, second);
    HF_TRY(move(bed, p, bed->image, true));
    HF_TRY(hf_task_run(task));
    if (bed->apart) memcpy(bytes, bed->image, p->bytes);
    HF_TRY(move(bed, p, bytes, false));
    plant(bed, p, bytes, second);
    return hf_bed_check_memory(bed, p, task, problem, bytes);
}

static hf_status run_filled(hf_bed *bed, const hf_bed_plan *p, hf_task *task, const hf_problem *problem)
{
    HF_TRY(run_once(bed, p, task, problem, bed->found, false));
    for (int i = 0; i < problem->n_out; i++)
        HF_TRY(check_values(bed, p, problem, i));
    if (problem->exact) return HF_OK;
    HF_TRY(run_once(bed, p, task, problem, bed->work, true));
    for (int i = 0; i < problem->n_out; i++)
        if (memcmp(bed->found + p->out[i].offset, bed->work + p->out[i].offset, p->out[i].bytes) != 0)
            return hf_fail(HF_ERR_NUMBER, "two runs on the same operands, but for what surrounds them, differ");
    return HF_OK;
}

/* Memory for operands or results: views of the arena, or buffers of their own; a result in the place of an operand
 * gets the operand's. */
static hf_status make_buffers(hf_bed *bed, hf_place *places, const hf_place *operands)
{
    for (hf_place *at = places; at < places + (operands ? HF_MAX_OUT : HF_MAX_IN); at++) {
        if (!at->desc.shape.rank) continue;
        if (operands && at->operand >= 0)
            at->buffer = operands[at->operand].buffer;
        else if (bed->apart)
            HF_TRY(hf_buffer_new(&at->buffer, bed->context, at->bytes, "test tensor"));
        else
            HF_TRY(hf_buffer_view(&at->buffer, bed->arena, at->offset, at->bytes));
    }
    return HF_OK;
}

static void free_buffers(hf_bed_plan *p)
{
    for (int i = 0; i < HF_MAX_OUT; i++)
        if (p->out[i].operand < 0) hf_buffer_free(&p->out[i].buffer);
    for (int i = 0; i < HF_MAX_IN; i++)
        hf_buffer_free(&p->in[i].buffer);
}

static hf_status make_task(hf_task **task, hf_bed *bed, const hf_bed_plan *p, const hf_problem *problem, int impl)
{
    hf_tensor in[HF_MAX_IN], out[HF_MAX_OUT];
    hf_task_options options = { .impl = 1 + impl, .scratch = bed->apart ? NULL : bed->scratch };
    for (int i = 0; i < HF_MAX_IN; i++)
        in[i] = (hf_tensor){ p->in[i].desc, p->in[i].buffer };
    for (int i = 0; i < HF_MAX_OUT; i++)
        out[i] = (hf_tensor){ p->out[i].desc, p->out[i].buffer };
    return hf_task_new(task, bed->context, problem->op, &problem->params, in, problem->n_in, out, problem->n_out,
                       &options);
}

static hf_status run_layout(hf_bed *bed, int impl, hf_problem *const problems[2], bool blocked, bool in_place)
{
    const hf_problem *any = problems[0] ? problems[0] : problems[1];
    hf_task *task = NULL;
    hf_status status;
    hf_bed_plan p;
    HF_TRY(hf_bed_plan_make(bed, &p, any, impl, blocked, in_place));
    HF_TRY(grow(bed, &p));
    HF_TRY_OUT(make_buffers(bed, p.in, NULL));
    HF_TRY_OUT(make_buffers(bed, p.out, p.in));
    HF_TRY_OUT(make_task(&task, bed, &p, any, impl));
    HF_TRY_OUT(hf_bed_poison(bed, &p));
    for (int i = 0; i < 2; i++)
        if (problems[i]) HF_TRY_OUT(run_filled(bed, &p, task, problems[i]));
out:
    hf_task_free(&task);
    free_buffers(&p);
    return status == HF_OK ? HF_OK
                           : hf_fail_in(status, "%s%s", blocked ? "blocked layout" : "layout as stated",
                                        in_place ? ", in place" : "");
}

static bool replaces_any(const hf_problem *problem)
{
    for (int i = 0; i < problem->n_out; i++)
        if (hf_op_replaces(problem->op, i) >= 0) return true;
    return false;
}

hf_status hf_bed_check(hf_bed *bed, int impl, hf_problem *integers, hf_problem *reals)
{
    hf_problem *const problems[2] = { integers, reals };
    const hf_problem *any = integers ? integers : reals;
    if (!any) return hf_fail(HF_ERR_SHAPE, "a check needs integers, reals, or both");
    for (int i = 0; i < 2; i++)
        if (problems[i])
            problems[i]->slack = hf_winograd_slack(any->test->op, hf_op_impl_name(any->op, impl), &any->params, any->in,
                                                   problems[i]->in_values);
    HF_TRY(run_layout(bed, impl, problems, false, false));
    if (replaces_any(any)) HF_TRY(run_layout(bed, impl, problems, false, true));
    if (hf_can_be_blocked(any, impl)) HF_TRY(run_layout(bed, impl, problems, true, false));
    return HF_OK;
}
