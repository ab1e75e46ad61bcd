/* buffer.c: device memory and copies. */
#include "cl.h"
#include <stdlib.h>

hf_status hf_buffer_new(hf_buffer **out, hf_context *context, size_t bytes, const char *label)
{
    *out = NULL;
    const hf_device_info *info = &context->info;
    if (bytes == 0) bytes = 1;
    if (info->max_alloc && bytes > info->max_alloc)
        return hf_fail(HF_ERR_MEMORY, "%s needs %.1f MiB in one piece; %s allows at most %.1f MiB", label,
                       (double)bytes / 1048576, info->name, (double)info->max_alloc / 1048576);
    hf_buffer *buffer = NULL;
    HF_TRY(hf_alloc(&buffer, 1, sizeof *buffer, "a buffer"));
    cl_int code;
    buffer->context = context;
    buffer->bytes = bytes;
    if (context->described) {
        *out = buffer;
        return HF_OK;
    }
    buffer->mem = clCreateBuffer(context->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    /* Drivers may allocate only at first use; asking for the memory now makes exhaustion show up here. */
    if (code == CL_SUCCESS)
        code = clEnqueueMigrateMemObjects(context->queue, 1, &buffer->mem, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0,
                                          NULL, NULL);
    if (code != CL_SUCCESS) {
        hf_buffer_free(&buffer);
        const hf_status status = hf_cl_fail(code, "%s: %.1f MiB on %s, which has %.1f MiB", label,
                                            (double)bytes / 1048576, info->name, (double)info->memory / 1048576);
        return code == CL_OUT_OF_RESOURCES || code == CL_INVALID_BUFFER_SIZE ? HF_ERR_MEMORY : status;
    }
    *out = buffer;
    return HF_OK;
}

hf_status hf_buffer_view(hf_buffer **out, hf_buffer *parent, size_t offset, size_t bytes)
{
    *out = NULL;
    if (bytes == 0 || offset > parent->bytes || bytes > parent->bytes - offset)
        return hf_fail(HF_ERR_ARGUMENT, "a view of %zu bytes at %zu does not fit a buffer of %zu", bytes, offset,
                       parent->bytes);
    hf_buffer *buffer = NULL;
    HF_TRY(hf_alloc(&buffer, 1, sizeof *buffer, "a buffer view"));
    /* OpenCL has no views of views, so a window of a window is one of the whole. */
    hf_buffer *whole = parent->parent ? parent->parent : parent;
    const cl_buffer_region region = { parent->offset + offset, bytes };
    cl_int code = CL_SUCCESS;
    *buffer = (hf_buffer){ parent->context, NULL, bytes, whole, region.origin };
    if (!parent->context->described)
        buffer->mem = clCreateSubBuffer(whole->mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (code != CL_SUCCESS) {
        free(buffer);
        return hf_cl_fail(code, "clCreateSubBuffer of %zu bytes at %zu", bytes, offset);
    }
    *out = buffer;
    return HF_OK;
}

void hf_buffer_free(hf_buffer **buffer)
{
    if (!buffer || !*buffer) return;
    if ((*buffer)->mem) clReleaseMemObject((*buffer)->mem);
    free(*buffer);
    *buffer = NULL;
}

size_t hf_buffer_bytes(const hf_buffer *buffer)
{
    return buffer->bytes;
}

static hf_status check_range(const hf_buffer *buffer, size_t offset, size_t bytes, const char *what)
{
    if (offset > buffer->bytes || bytes > buffer->bytes - offset)
        return hf_fail(HF_ERR_ARGUMENT, "%s of %zu bytes at %zu does not fit a buffer of %zu", what, bytes, offset,
                       buffer->bytes);
    return HF_OK;
}

hf_status hf_buffer_write(hf_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    HF_TRY(check_range(buffer, offset, bytes, "writing"));
    if (!bytes || buffer->context->described) return HF_OK;
    HF_CL(clEnqueueWriteBuffer(buffer->context->queue, buffer->mem, CL_TRUE, offset, bytes, data, 0, NULL, NULL));
    return HF_OK;
}

hf_status hf_buffer_read(hf_buffer *buffer, size_t offset, void *data, size_t bytes)
{
    HF_TRY(check_range(buffer, offset, bytes, "reading"));
    if (buffer->context->described)
        return hf_fail(HF_ERR_DEVICE, "%s is only described: nothing can be read from it", buffer->context->info.name);
    if (!bytes) return HF_OK;
    HF_CL(clEnqueueReadBuffer(buffer->context->queue, buffer->mem, CL_TRUE, offset, bytes, data, 0, NULL, NULL));
    return HF_OK;
}

hf_status hf_buffer_fill(hf_buffer *buffer, size_t offset, size_t bytes, const void *pattern, size_t pattern_bytes)
{
    HF_TRY(check_range(buffer, offset, bytes, "filling"));
    if (!bytes || buffer->context->described) return HF_OK;
    HF_CL(
        clEnqueueFillBuffer(buffer->context->queue, buffer->mem, pattern, pattern_bytes, offset, bytes, 0, NULL, NULL));
    return HF_OK;
}

hf_status hf_buffer_copy(hf_buffer *to, size_t to_offset, hf_buffer *from, size_t from_offset, size_t bytes)
{
    HF_TRY(check_range(to, to_offset, bytes, "copying to"));
    HF_TRY(check_range(from, from_offset, bytes, "copying from"));
    if (!bytes || to->context->described) return HF_OK;
    HF_CL(clEnqueueCopyBuffer(to->context->queue, from->mem, to->mem, from_offset, to_offset, bytes, 0, NULL, NULL));
    return HF_OK;
}
