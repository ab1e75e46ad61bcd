/* surround.c: what lies around operands, results and scratch memory.
 *
 * In the first run all of it is NaN, a different one in each place, so that what is read there shows in a result, and what is
 * copied from there in a guard. Not everything that is read shows as a NaN: a maximum passes over it, and positions and
 * labels are no floats. Therefore the second run, which must give equal bits, has other surroundings: huge numbers around
 * floats, small ones that might be meant around integers. Results start as bytes 0xFF, also a NaN, and in the second run as
 * more of the surroundings. Scratch memory, the gaps between its parts, and as much again behind it are NaN before the
 * first run; the second run finds it as the first one left it. */
#include "bed.h"

#include <stdio.h>
#include <string.h>

#define TAIL_BITS 0x7FC0A5A5u /* behind scratch memory: a NaN */

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
static void surround_place(hf_bed *bed, const hf_place *at, bool second)
{
    if (!at->desc.shape.rank || at->operand >= 0 || at->desc.type == HF_F32) return;
    surround(bed, at->desc.type, at->offset - HF_GUARD / 2, at->offset, second);
    surround(bed, at->desc.type, at->offset + at->bytes, at->offset + at->bytes + at->guard - HF_GUARD / 2, second);
}

static void draw_operand(hf_bed *bed, const hf_place *at, const double *values)
{
    if (!at->desc.shape.rank) return;
    memset(bed->image + at->offset, 0, at->bytes);
    for (size_t j = 0, count = (size_t)hf_count(&at->desc); j < count; j++)
        hf_element_store(bed->image + at->offset, at->desc.type, hf_element_index(&at->desc, j), values[j]);
}

/* Bends the last float operand's first value that is not zero. */
static void drop_tap(hf_bed *bed, const hf_bed_plan *p, const hf_problem *problem)
{
    for (int i = problem->n_in - 1; i >= 0; i--) {
        const hf_place *at = &p->in[i];
        if (!at->desc.shape.rank || at->desc.type != HF_F32 || at->desc.shape.rank < 2) continue;
        for (size_t j = 0, count = (size_t)hf_count(&at->desc); j < count; j++) {
            if (problem->in_values[i][j] == 0) continue;
            hf_element_store(bed->image + at->offset, HF_F32, hf_element_index(&at->desc, j), 0);
            return;
        }
    }
}

void hf_bed_draw(hf_bed *bed, const hf_bed_plan *p, const hf_problem *problem, bool second)
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
        memset(bed->image + p->out[i].offset, HF_FRESH_BYTE, p->out[i].bytes);
    for (int i = 0; i < problem->n_in; i++)
        draw_operand(bed, &p->in[i], problem->in_values[i]);
    if (bed->fault == HF_FAULT_TAP) drop_tap(bed, p, problem);
}

hf_status hf_bed_poison(hf_bed *bed, const hf_bed_plan *p)
{
    const uint32_t fresh = HF_FRESH_BITS, tail = TAIL_BITS;
    const size_t bytes = (p->scratch_bytes + 3) / 4 * 4;
    if (bytes) HF_TRY(hf_buffer_fill(bed->scratch, 0, bytes, &fresh, 4));
    return hf_buffer_fill(bed->scratch, bytes, (p->scratch_bytes + HF_GUARD) / 4 * 4, &tail, 4);
}

/* ---- after a run ------------------------------------------------------------------------------------------------- */

static hf_status name_change(const hf_problem *problem, const hf_bed_plan *p, size_t offset)
{
    for (int i = 0; i < problem->n_in; i++)
        if (offset - p->in[i].offset < p->in[i].bytes)
            return hf_fail(HF_ERR_NUMBER, "byte %zu of operand %d was overwritten", offset - p->in[i].offset, i);
    for (int i = 0; i < problem->n_out; i++) {
        const hf_place *at = &p->out[i];
        if (offset < at->offset && at->offset - offset <= HF_GUARD)
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
    uint32_t words[HF_GUARD / 4];
    const size_t count = (bytes < HF_GUARD ? bytes : HF_GUARD) / 4;
    HF_TRY(hf_buffer_read(bed->scratch, begin, words, 4 * count));
    for (size_t i = 0; i < count; i++)
        if (words[i] != bits)
            return hf_fail(HF_ERR_NUMBER, "scratch memory was overrun: word %zu %s was written", i, what);
    return HF_OK;
}

/* What lies behind a part of scratch memory, up to the next part. */
static hf_status check_gap(hf_bed *bed, const hf_bed_plan *p, const hf_task *task, int index)
{
    size_t offset, bytes, next = p->scratch_bytes, other, other_bytes;
    char what[32];
    hf_task_part(task, index, &offset, &bytes);
    for (int i = 0; hf_task_part(task, i, &other, &other_bytes); i++)
        if (other > offset && other < next) next = other;
    if (offset + bytes >= next) return HF_OK;
    snprintf(what, sizeof what, "behind part %d", index);
    return check_scratch_words(bed, offset + bytes, next - offset - bytes, HF_FRESH_BITS, what);
}

hf_status hf_bed_check_memory(hf_bed *bed, const hf_bed_plan *p, const hf_task *task, const hf_problem *problem,
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
    return check_scratch_words(bed, (p->scratch_bytes + 3) / 4 * 4, HF_GUARD, TAIL_BITS, "behind it");
}
