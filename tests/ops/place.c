/* place.c: where operands and results lie in the arena of a test bed, side by side with guard bytes before and behind, and
 * where their elements lie in memory. */
#include "bed.h"

#include <string.h>

#define WIDE_GUARD                                                                                                     \
    16384 /* bytes behind a tensor, at most; in between, as many as it has, for whole rows and planes too many */
#define LEAD 4096 /* bytes before the first tensor */

/* ---- elements ---------------------------------------------------------------------------------------------------- */

/* Index in memory of element i of the plain order. */
size_t hf_element_index(const hf_desc *desc, size_t i)
{
    if (desc->layout == HF_PLAIN) return i;
    const int64_t *dim = desc->shape.dim; /* N, C, D, H, W */
    size_t channels = (size_t)dim[1], voxels = (size_t)(dim[2] * dim[3] * dim[4]);
    size_t blocks = (channels + HF_BLOCK - 1) / HF_BLOCK;
    size_t n = i / (channels * voxels), c = i / voxels % channels, voxel = i % voxels;
    return ((n * blocks + c / HF_BLOCK) * voxels + voxel) * HF_BLOCK + c % HF_BLOCK;
}

size_t hf_element_size(hf_type type)
{
    return type == HF_U8 ? 1 : 4;
}

double hf_element_load(const unsigned char *bytes, hf_type type, size_t index)
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

void hf_element_store(unsigned char *bytes, hf_type type, size_t index, double value)
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

bool hf_element_fresh(const unsigned char *bytes, hf_type type, size_t index)
{
    uint32_t bits = 0;
    if (type == HF_F32) memcpy(&bits, bytes + 4 * index, 4);
    return bits == HF_FRESH_BITS;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

static size_t guard_of(size_t bytes)
{
    return bytes < HF_GUARD ? HF_GUARD : bytes > WIDE_GUARD ? WIDE_GUARD : bytes;
}

static hf_status put(hf_bed *bed, hf_bed_plan *p, hf_place *at, const hf_desc *desc, hf_layout layout)
{
    size_t align = bed->device->align > 0 ? bed->device->align : 1;
    *at = (hf_place){ .desc = *desc, .operand = -1 };
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

hf_status hf_bed_plan_make(hf_bed *bed, hf_bed_plan *p, const hf_problem *problem, int impl, bool blocked,
                           bool in_place)
{
    const char *letters = hf_op_impl_layouts(problem->op, impl), *results = strchr(letters, '>');
    if (!results || (int)(results - letters) < problem->n_in || (int)strlen(results + 1) < problem->n_out)
        return hf_fail(HF_ERR_SHAPE, "layouts \"%s\" do not name %d operands and %d results", letters, problem->n_in,
                       problem->n_out);
    *p = (hf_bed_plan){ .bytes = LEAD };
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
bool hf_can_be_blocked(const hf_problem *problem, int impl)
{
    const char *letters = hf_op_impl_layouts(problem->op, impl), *results = strchr(letters, '>');
    for (int i = 0; i < problem->n_in; i++)
        if (letters[i] == 'A' && problem->in[i].shape.rank && problem->in[i].shape.rank != 5) return false;
    for (int i = 0; i < problem->n_out; i++)
        if (results && results[1 + i] == 'A' && problem->out[i].shape.rank != 5) return false;
    return has_letter(problem, impl, 'A');
}
