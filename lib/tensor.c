/* tensor.c: shapes, descriptions, tensors, and the blocked layout as seen from the host. */
#include "op.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hf_shape hf_shape_of(const int64_t *zero_terminated)
{
    hf_shape shape = { 0 };
    while (shape.rank < HF_MAX_RANK && zero_terminated[shape.rank] != 0) {
        shape.dim[shape.rank] = zero_terminated[shape.rank];
        shape.rank++;
    }
    return shape;
}

int64_t hf_shape_count(const hf_shape *shape)
{
    if (shape->rank == 0) return 0;
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0 || (shape->dim[i] > 0 && count > INT64_MAX / 64 / shape->dim[i])) return -1;
        count *= shape->dim[i];
    }
    return count;
}

bool hf_shape_equal(const hf_shape *a, const hf_shape *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

const char *hf_shape_text(const hf_shape *shape, char text[96])
{
    size_t n = (size_t)snprintf(text, 96, "[");
    for (int i = 0; i < shape->rank && n < 80; i++)
        n += (size_t)snprintf(text + n, 96 - n, "%s%lld", i ? "," : "", (long long)shape->dim[i]);
    if (n < 95) snprintf(text + n, 96 - n, "]");
    return text;
}

static size_t element_size(hf_type type)
{
    return type == HF_U8 ? 1 : 4;
}

/* Elements in memory: the blocked layout rounds the channels up to whole blocks. */
static int64_t stored_count(const hf_desc *desc)
{
    hf_shape shape = desc->shape;
    if (desc->layout == HF_BLOCKED && shape.rank == 5) shape.dim[1] = hf_blocks(shape.dim[1]) * HF_BLOCK;
    return hf_shape_count(&shape);
}

size_t hf_desc_bytes(const hf_desc *desc)
{
    const int64_t count = stored_count(desc);
    return count > 0 ? (size_t)count * element_size(desc->type) : 0;
}

hf_status hf_tensor_new_desc(hf_tensor *out, hf_context *context, const hf_desc *desc)
{
    char shape[96], label[128];
    *out = (hf_tensor){ 0 };
    snprintf(label, sizeof label, "a tensor %s", hf_shape_text(&desc->shape, shape));
    if (hf_shape_count(&desc->shape) <= 0) return hf_fail(HF_ERR_SHAPE, "%s has no elements", label);
    HF_TRY(hf_buffer_new(&out->buffer, context, hf_desc_bytes(desc), label));
    out->desc = *desc;
    return HF_OK;
}

hf_status hf_tensor_new(hf_tensor *out, hf_context *context, hf_shape shape)
{
    const hf_desc desc = hf_desc_f32(shape);
    return hf_tensor_new_desc(out, context, &desc);
}

void hf_tensor_free(hf_tensor *tensor)
{
    if (!tensor) return;
    hf_buffer_free(&tensor->buffer);
    *tensor = (hf_tensor){ 0 };
}

/* Moves all elements between plain order and blocked order; `to_blocked` tells the direction. The blocked side has
 * been zeroed where it has padding channels. */
static void reorder(const hf_desc *desc, char *blocked, char *plain, bool to_blocked)
{
    const size_t size = element_size(desc->type);
    const int64_t channels = desc->shape.dim[1], blocks = hf_blocks(channels);
    const int64_t voxels = desc->shape.dim[2] * desc->shape.dim[3] * desc->shape.dim[4];
    for (int64_t n = 0; n < desc->shape.dim[0]; n++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t v = 0; v < voxels; v++) {
                const int64_t block = (n * blocks + c / HF_BLOCK) * voxels + v;
                char *b = blocked + (size_t)(block * HF_BLOCK + c % HF_BLOCK) * size;
                char *p = plain + (size_t)((n * channels + c) * voxels + v) * size;
                memcpy(to_blocked ? b : p, to_blocked ? p : b, size);
            }
}

static hf_status check_count(const hf_desc *desc, int64_t count, const char *what)
{
    char shape[96];
    const int64_t has = hf_shape_count(&desc->shape);
    if (count == has) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "%s a tensor %s of %lld elements: the array has [%lld]", what,
                   hf_shape_text(&desc->shape, shape), (long long)has, (long long)count);
}

hf_status hf_tensor_write(const hf_tensor *tensor, const void *data, int64_t count)
{
    const hf_desc *desc = &tensor->desc;
    HF_TRY(check_count(desc, count, "writing"));
    const size_t bytes = hf_desc_bytes(desc);
    if (desc->layout == HF_PLAIN || desc->shape.rank != 5) return hf_buffer_write(tensor->buffer, 0, data, bytes);
    char *blocked = NULL;
    HF_TRY(hf_alloc(&blocked, bytes, 1, "a blocked copy"));
    reorder(desc, blocked, (char *)data, true);
    const hf_status status = hf_buffer_write(tensor->buffer, 0, blocked, bytes);
    free(blocked);
    return status;
}

hf_status hf_tensor_read(const hf_tensor *tensor, void *data, int64_t count)
{
    const hf_desc *desc = &tensor->desc;
    HF_TRY(check_count(desc, count, "reading"));
    const size_t bytes = hf_desc_bytes(desc);
    if (desc->layout == HF_PLAIN || desc->shape.rank != 5) return hf_buffer_read(tensor->buffer, 0, data, bytes);
    char *blocked = NULL;
    HF_TRY(hf_alloc(&blocked, bytes, 1, "a blocked copy"));
    const hf_status status = hf_buffer_read(tensor->buffer, 0, blocked, bytes);
    if (status == HF_OK) reorder(desc, blocked, data, false);
    free(blocked);
    return status;
}
