/* bed.c: one implementation on one device, under watch.
 *
 * Operands and results lie side by side in one buffer, the arena, each as a view with guard bytes before and behind.
 * The whole arena is prepared on the host (the image), written, and read back after the run: every byte outside the
 * results must be as it was, which covers guards and operands at once. Element order in the blocked layout is computed
 * here, not asked of the library.
 *
 * Reads are watched as well as writes. In the first run all that surrounds operands and results is NaN, a different one
 * in each place, so that what is read there shows in a result, and what is copied from there in a guard. Not everything
 * that is read shows as a NaN: a maximum passes over it, and positions and labels are no floats. Therefore the second
 * run, which must give equal bits, has other surroundings: huge numbers around floats, small ones that might be meant
 * around integers. Results start as bytes 0xFF, also a NaN, and in the second run as more of the surroundings. Scratch
 * memory, the gaps between its parts, and as much again behind it are NaN before the first run; the second run finds
 * it as the first one left it.
 *
 * A bed that keeps tensors `apart` gives each a buffer of exactly its size instead, for interpreters that check bounds
 * themselves. */
#include "suite.h"

#include "op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD        256   /* bytes behind a tensor, at least */
#define WIDE_GUARD   16384 /* and at most; between them, as many as the tensor has, for whole rows and planes too many */
#define LEAD         4096  /* bytes before the first tensor */
#define RMS_ELEMENTS 64    /* of a result whose error is judged as a whole, at least */
#define FRESH_BYTE   0xFF
#define FRESH_BITS   0xFFFFFFFFu
#define TAIL_BITS    0x7FC0A5A5u /* behind scratch memory: a NaN */

/* Where one operand or result lies. */
typedef struct place {
    hf_desc desc; /* rank 0: absent */
    size_t offset, bytes;
    size_t guard; /* bytes behind it */
    int operand;  /* of a result: the operand whose place it takes, -1: it has a place of its own */
    hf_buffer *buffer;
} place;

typedef struct plan {
    place in[HF_MAX_IN], out[HF_MAX_OUT];
    size_t bytes;         /* of the arena */
    size_t scratch_bytes; /* what the implementation asked for */
} plan;

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

static hf_status grow(hf_bed *bed, const plan *p)
{
    HF_TRY(grow_buffer(&bed->arena, bed->context, p->bytes, "test arena"));
    HF_TRY(grow_buffer(&bed->scratch, bed->context, 2 * p->scratch_bytes + GUARD, "test scratch"));
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

/* ---- elements ---------------------------------------------------------------------------------------------------- */

/* Index in memory of element i of the plain order. */
static size_t memory_index(const hf_desc *desc, size_t i)
{
    if (desc->layout == HF_PLAIN) return i;
    const int64_t *dim = desc->shape.dim; /* N, C, D, H, W */
    size_t channels = (size_t)dim[1], voxels = (size_t)(dim[2] * dim[3] * dim[4]);
    size_t blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    size_t n = i / (channels * voxels), c = i / voxels % channels, voxel = i % voxels;
    return ((n * blocks + c / HF_BLOCK) * voxels + voxel) * HF_BLOCK + c % HF_BLOCK;
}

static size_t element_size(hf_type type)
{
    return type == HF_U8 ? 1 : 4;
}

static double load(const unsigned char *bytes, hf_type type, size_t index)
{
    float real;
    int32_t integer;
    switch (type) {
    case HF_F32:
        memcpy(&real, bytes + 4 * index, 4);
        return real;
    case HF_I32:
        memcpy(&integer, bytes + 4 * index, 4);
        return integer;
    default:
        return bytes[index];
    }
}

static void store(unsigned char *bytes, hf_type type, size_t index, double value)
{
    float real = (float)value;
    int32_t integer = type == HF_I32 ? (int32_t)value : 0;
    switch (type) {
    case HF_F32:
        memcpy(bytes + 4 * index, &real, 4);
        break;
    case HF_I32:
        memcpy(bytes + 4 * index, &integer, 4);
        break;
    default:
        bytes[index] = (unsigned char)value;
    }
}

static bool is_fresh(const unsigned char *bytes, hf_type type, size_t index)
{
    uint32_t bits = 0;
    if (type == HF_F32) memcpy(&bits, bytes + 4 * index, 4);
    return bits == FRESH_BITS;
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

static size_t guard_of(size_t bytes)
{
    return bytes < GUARD ? GUARD : bytes > WIDE_GUARD ? WIDE_GUARD : bytes;
}

static hf_status put(hf_bed *bed, plan *p, place *at, const hf_desc *desc, hf_layout layout)
{
    size_t align = bed->device->align > 0 ? bed->device->align : 1;
    *at = (place){ .desc = *desc, .operand = -1 };
    at->desc.layout = layout;
    if (!desc->shape.rank) return HF_OK;
    at->bytes = hf_desc_bytes(&at->desc);
    at->guard = guard_of(at->bytes);
    at->offset = (p->bytes + align - 1) / align * align;
    if (!hf_size_add(at->offset, at->bytes, &p->bytes) || !hf_size_add(p->bytes, at->guard, &p->bytes))
        return hf_fail(HF_ERR_MEMORY, "test arena: the case is too large");
    return HF_OK;
}

/* The layout a letter stands for; `blocked` decides about 'A'. */
static hf_layout layout_of(char letter, bool blocked, const hf_desc *desc)
{
    if (desc->shape.rank != 5) return HF_PLAIN;
    return letter == 'B' || (letter == 'A' && blocked) ? HF_BLOCKED : HF_PLAIN;
}

static hf_status make_plan(hf_bed *bed, plan *p, const hf_problem *problem, int impl, bool blocked, bool in_place)
{
    const char *letters = hf_op_impl_layouts(problem->op, impl), *results = strchr(letters, '>');
    if (!results || (int)(results - letters) < problem->n_in || (int)strlen(results + 1) < problem->n_out)
        return hf_fail(HF_ERR_SHAPE, "layouts \"%s\" do not name %d operands and %d results", letters, problem->n_in,
                       problem->n_out);
    *p = (plan){ .bytes = LEAD };
    for (int i = 0; i < problem->n_in; i++)
        HF_TRY(put(bed, p, &p->in[i], &problem->in[i], layout_of(letters[i], blocked, &problem->in[i])));
    for (int i = 0; i < problem->n_out; i++) {
        hf_layout layout = layout_of(results[1 + i], blocked, &problem->out[i]);
        int operand = in_place ? hf_op_replaces(problem->op, i) : -1;
        if (operand < 0) {
            HF_TRY(put(bed, p, &p->out[i], &problem->out[i], layout));
            continue;
        }
        p->out[i] = p->in[operand];
        p->out[i].operand = operand;
    }
    p->scratch_bytes = hf_op_scratch(bed->context, problem->op, impl, &problem->params, problem->in, problem->n_in);
    return HF_OK;
}

static bool has_letter(const hf_problem *problem, int impl, char letter)
{
    return strchr(hf_op_impl_layouts(problem->op, impl), letter) != NULL;
}

/* 'A' means all alike: blocked only when everything so marked has rank 5. */
static bool can_be_blocked(const hf_problem *problem, int impl)
{
    const char *letters = hf_op_impl_layouts(problem->op, impl), *results = strchr(letters, '>');
    for (int i = 0; i < problem->n_in; i++)
        if (letters[i] == 'A' && problem->in[i].shape.rank && problem->in[i].shape.rank != 5) return false;
    for (int i = 0; i < problem->n_out; i++)
        if (results && results[1 + i] == 'A' && problem->out[i].shape.rank != 5) return false;
    return has_letter(problem, impl, 'A');
}

/* ---- before a run ------------------------------------------------------------------------------------------------ */

/* One word of what surrounds tensors of this type, at a word of the arena. */
static uint32_t around(hf_type type, size_t word, bool second)
{
    const uint32_t mix = (uint32_t)word * 2654435761u;
    if (!second) return 0x7FC00000u | mix >> 10;
    switch (type) {
    case HF_F32: /* between 2^65 and 2^66 */
        return 0x60000000u | mix >> 9;
    case HF_I32: /* a label */
        return mix >> 30;
    default: /* four positions in a window */
        return (mix >> 24) % 27 << 24 | (mix >> 20) % 27 << 16 | (mix >> 16) % 8 << 8 | (mix >> 12) % 8;
    }
}

static void surround(hf_bed *bed, hf_type type, size_t begin, size_t end, bool second)
{
    for (size_t i = begin; i < end; i++)
        bed->image[i] = (unsigned char)(around(type, i / 4, second) >> 8 * (i % 4));
}

/* A tensor's share of what lies between two: all that is behind it but the last half guard, and so much before it. */
static void surround_place(hf_bed *bed, const place *at, bool second)
{
    if (!at->desc.shape.rank || at->operand >= 0 || at->desc.type == HF_F32) return;
    surround(bed, at->desc.type, at->offset - GUARD / 2, at->offset, second);
    surround(bed, at->desc.type, at->offset + at->bytes, at->offset + at->bytes + at->guard - GUARD / 2, second);
}

static void draw_operand(hf_bed *bed, const place *at, const double *values)
{
    if (!at->desc.shape.rank) return;
    memset(bed->image + at->offset, 0, at->bytes);
    for (size_t j = 0, count = (size_t)hf_count(&at->desc); j < count; j++)
        store(bed->image + at->offset, at->desc.type, memory_index(&at->desc, j), values[j]);
}

/* Bends the last float operand's first value that is not zero. */
static void drop_tap(hf_bed *bed, const plan *p, const hf_problem *problem)
{
    for (int i = problem->n_in - 1; i >= 0; i--) {
        const place *at = &p->in[i];
        if (!at->desc.shape.rank || at->desc.type != HF_F32 || at->desc.shape.rank < 2) continue;
        for (size_t j = 0, count = (size_t)hf_count(&at->desc); j < count; j++) {
            if (problem->in_values[i][j] == 0) continue;
            store(bed->image + at->offset, HF_F32, memory_index(&at->desc, j), 0);
            return;
        }
    }
}

static void draw_image(hf_bed *bed, const plan *p, const hf_problem *problem, bool second)
{
    for (size_t word = 0; word < p->bytes / 4; word++) {
        const uint32_t bits = around(HF_F32, word, second);
        memcpy(bed->image + 4 * word, &bits, 4);
    }
    surround(bed, HF_F32, p->bytes / 4 * 4, p->bytes, second);
    for (int i = 0; i < HF_MAX_IN; i++)
        surround_place(bed, &p->in[i], second);
    for (int i = 0; i < HF_MAX_OUT; i++)
        surround_place(bed, &p->out[i], second);
    for (int i = 0; i < problem->n_out && !second; i++)
        memset(bed->image + p->out[i].offset, FRESH_BYTE, p->out[i].bytes);
    for (int i = 0; i < problem->n_in; i++)
        draw_operand(bed, &p->in[i], problem->in_values[i]);
    if (bed->fault == HF_FAULT_TAP) drop_tap(bed, p, problem);
}

static hf_status poison_scratch(hf_bed *bed, const plan *p)
{
    const uint32_t fresh = FRESH_BITS, tail = TAIL_BITS;
    const size_t bytes = (p->scratch_bytes + 3) / 4 * 4;
    if (bytes) HF_TRY(hf_buffer_fill(bed->scratch, 0, bytes, &fresh, 4));
    return hf_buffer_fill(bed->scratch, bytes, (p->scratch_bytes + GUARD) / 4 * 4, &tail, 4);
}

/* ---- after a run ------------------------------------------------------------------------------------------------- */

static hf_status name_change(const hf_problem *problem, const plan *p, size_t offset)
{
    for (int i = 0; i < problem->n_in; i++)
        if (offset - p->in[i].offset < p->in[i].bytes)
            return hf_fail(HF_ERR_NUMBER, "byte %zu of operand %d was overwritten", offset - p->in[i].offset, i);
    for (int i = 0; i < problem->n_out; i++) {
        const place *at = &p->out[i];
        if (offset < at->offset && at->offset - offset <= GUARD)
            return hf_fail(HF_ERR_NUMBER, "the guard %zu bytes before result %d was overwritten", at->offset - offset,
                           i);
        if (offset >= at->offset + at->bytes && offset - at->offset - at->bytes < at->guard)
            return hf_fail(HF_ERR_NUMBER, "the guard %zu bytes behind result %d was overwritten",
                           offset - at->offset - at->bytes, i);
    }
    return hf_fail(HF_ERR_NUMBER, "the guard at byte %zu of the arena was overwritten", offset);
}

/* The bytes of scratch memory from `begin` are still the words that they were. */
static hf_status check_scratch_words(hf_bed *bed, size_t begin, size_t bytes, uint32_t bits, const char *what)
{
    uint32_t words[GUARD / 4];
    const size_t count = (bytes < GUARD ? bytes : GUARD) / 4;
    HF_TRY(hf_buffer_read(bed->scratch, begin, words, 4 * count));
    for (size_t i = 0; i < count; i++)
        if (words[i] != bits)
            return hf_fail(HF_ERR_NUMBER, "scratch memory was overrun: word %zu %s was written", i, what);
    return HF_OK;
}

/* What lies behind a part of scratch memory, up to the next part. */
static hf_status check_gap(hf_bed *bed, const plan *p, const hf_task *task, int index)
{
    size_t offset, bytes, next = p->scratch_bytes, other, other_bytes;
    char what[32];
    hf_task_part(task, index, &offset, &bytes);
    for (int i = 0; hf_task_part(task, i, &other, &other_bytes); i++)
        if (other > offset && other < next) next = other;
    if (offset + bytes >= next) return HF_OK;
    snprintf(what, sizeof what, "behind part %d", index);
    return check_scratch_words(bed, offset + bytes, next - offset - bytes, FRESH_BITS, what);
}

/* Everything but the results is as it was: `bytes` is the arena after a run. */
static hf_status check_memory(hf_bed *bed, const plan *p, const hf_task *task, const hf_problem *problem,
                              const unsigned char *bytes)
{
    size_t offset, size;
    for (int i = 0; i < problem->n_out; i++)
        memcpy(bed->image + p->out[i].offset, bytes + p->out[i].offset, p->out[i].bytes);
    if (memcmp(bytes, bed->image, p->bytes) != 0)
        for (size_t i = 0; i < p->bytes; i++)
            if (bytes[i] != bed->image[i]) return name_change(problem, p, i);
    if (bed->apart) return HF_OK;
    for (int i = 0; hf_task_part(task, i, &offset, &size); i++)
        HF_TRY(check_gap(bed, p, task, i));
    return check_scratch_words(bed, (p->scratch_bytes + 3) / 4 * 4, GUARD, TAIL_BITS, "behind it");
}

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
                double value = load(bytes, desc->type, index);
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
static hf_status check_rms(const hf_problem *problem, const place *at, const unsigned char *bytes, int result)
{
    const size_t count = (size_t)hf_count(&at->desc);
    double error = 0, size = 0;
    if (problem->exact || problem->slack.rms <= 0 || count < RMS_ELEMENTS) return HF_OK;
    for (size_t i = 0; i < count; i++) {
        double reference = problem->out_values[result][i];
        double off = load(bytes, at->desc.type, memory_index(&at->desc, i)) - reference;
        error += off * off;
        size += reference * reference;
    }
    if (sqrt(error) <= problem->slack.rms * sqrt(size)) return HF_OK;
    return hf_fail(HF_ERR_NUMBER, "result %d is off by %.3g of its size (root mean squares), expected at most %.3g",
                   result, sqrt(error / size), problem->slack.rms);
}

static hf_status check_values(hf_bed *bed, const plan *p, const hf_problem *problem, int result)
{
    const place *at = &p->out[result];
    const unsigned char *bytes = bed->found + at->offset;
    char text[96];
    for (size_t i = 0, count = (size_t)hf_count(&at->desc); i < count; i++) {
        size_t index = memory_index(&at->desc, i);
        double value = load(bytes, at->desc.type, index), reference = problem->out_values[result][i];
        double bound = problem->exact && !problem->slack.inexact ? 0 : problem->bound[result][i];
        bound += problem->slack.absolute;
        if (is_fresh(bytes, at->desc.type, index))
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

static void plant(const hf_bed *bed, const plan *p, unsigned char *bytes, bool second)
{
    const place *at = &p->out[0];
    switch (bed->fault) {
    case HF_FAULT_GUARD:
        bytes[at->offset + at->bytes] ^= 1;
        break;
    case HF_FAULT_OPERAND:
        bytes[p->in[0].offset] ^= 1;
        break;
    case HF_FAULT_UNWRITTEN:
        memset(bytes + at->offset, FRESH_BYTE, element_size(at->desc.type));
        break;
    case HF_FAULT_PADDING: /* the last lane of the first voxel: padding unless C is a multiple of 16 */
        if (at->desc.layout == HF_BLOCKED) store(bytes + at->offset, at->desc.type, HF_BLOCK - 1, 1);
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
static hf_status move_apart(const place *at, unsigned char *bytes, bool write)
{
    if (!at->desc.shape.rank || at->operand >= 0) return HF_OK;
    return write ? hf_buffer_write(at->buffer, 0, bytes + at->offset, at->bytes)
                 : hf_buffer_read(at->buffer, 0, bytes + at->offset, at->bytes);
}

static hf_status move(hf_bed *bed, const plan *p, unsigned char *bytes, bool write)
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
static hf_status run_once(hf_bed *bed, const plan *p, hf_task *task, const hf_problem *problem, unsigned char *bytes,
                          bool second)
{
    draw_image(bed, p, problem, second);
    HF_TRY(move(bed, p, bed->image, true));
    HF_TRY(hf_task_run(task));
    if (bed->apart) memcpy(bytes, bed->image, p->bytes);
    HF_TRY(move(bed, p, bytes, false));
    plant(bed, p, bytes, second);
    return check_memory(bed, p, task, problem, bytes);
}

static hf_status run_filled(hf_bed *bed, const plan *p, hf_task *task, const hf_problem *problem)
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
static hf_status make_buffers(hf_bed *bed, place *places, const place *operands)
{
    for (place *at = places; at < places + (operands ? HF_MAX_OUT : HF_MAX_IN); at++) {
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

static void free_buffers(plan *p)
{
    for (int i = 0; i < HF_MAX_OUT; i++)
        if (p->out[i].operand < 0) hf_buffer_free(&p->out[i].buffer);
    for (int i = 0; i < HF_MAX_IN; i++)
        hf_buffer_free(&p->in[i].buffer);
}

static hf_status make_task(hf_task **task, hf_bed *bed, const plan *p, const hf_problem *problem, int impl)
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
    plan p;
    HF_TRY(make_plan(bed, &p, any, impl, blocked, in_place));
    HF_TRY(grow(bed, &p));
    HF_TRY_OUT(make_buffers(bed, p.in, NULL));
    HF_TRY_OUT(make_buffers(bed, p.out, p.in));
    HF_TRY_OUT(make_task(&task, bed, &p, any, impl));
    HF_TRY_OUT(poison_scratch(bed, &p));
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
    if (can_be_blocked(any, impl)) HF_TRY(run_layout(bed, impl, problems, true, false));
    return HF_OK;
}
