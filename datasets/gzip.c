/* gzip.c: whole-buffer gzip through libdeflate, with a ceiling.
 *
 * libdeflate inflates into one buffer and says when it is too small. The size noted at the end of a gzip file is taken
 * as the first guess, never as the truth: files of several members (bgzip, pigz) note only their last. The buffer
 * grows by doubling and stops where the caller says, or deflate must stop: one byte holds at most 1032.
 *
 * To say where, a caller needs the first bytes of what is packed. zlib gives them, because it inflates piece by piece. */
#include "volume.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* what it reads is const */
#include <zlib.h>

#define GZIP_MIN_SIZE  18 /* header 10, checksum 4, inflated size 4 */
#define FIRST_CAPACITY ((size_t)64 << 10)
#define GZIP_LEVEL     6

typedef struct inflation {
    struct libdeflate_decompressor *decompressor;
    const unsigned char *in;
    size_t in_size, in_used;
    unsigned char *out;
    size_t out_used, capacity, limit;
    const char *name;
} inflation;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static hf_status grow(inflation *job)
{
    if (job->capacity == job->limit)
        return hf_fail(HF_ERR_FORMAT,
                       "'%s': the gzip data inflates to more than %zu bytes, the most that its header leaves room for: "
                       "damaged, or made to fill the memory",
                       job->name, job->limit);
    size_t capacity = job->capacity > job->limit / 2 ? job->limit : 2 * job->capacity;
    unsigned char *bigger = realloc(job->out, capacity);
    if (!bigger) return hf_fail(HF_ERR_MEMORY, "'%s': no memory for %zu inflated bytes", job->name, capacity);
    job->out = bigger;
    job->capacity = capacity;
    return HF_OK;
}

/* Inflates the member at in_used, growing the buffer until it fits. */
static hf_status inflate_member(inflation *job)
{
    for (;;) {
        size_t read = 0, written = 0;
        enum libdeflate_result result =
            libdeflate_gzip_decompress_ex(job->decompressor, job->in + job->in_used, job->in_size - job->in_used,
                                          job->out + job->out_used, job->capacity - job->out_used, &read, &written);
        if (result == LIBDEFLATE_SUCCESS) {
            job->in_used += read;
            job->out_used += written;
            return HF_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return hf_fail(HF_ERR_FORMAT, "'%s': the gzip data is damaged or cut short (member at byte %zu of %zu)",
                           job->name, job->in_used, job->in_size);
        HF_TRY(grow(job));
    }
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i]) return false;
    return true;
}

static hf_status inflate_members(inflation *job)
{
    while (job->in_used < job->in_size) {
        const unsigned char *rest = job->in + job->in_used;
        size_t rest_size = job->in_size - job->in_used;
        if (job->in_used && all_zero(rest, rest_size)) break;
        if (job->in_used && (rest_size < 2 || rest[0] != 0x1f || rest[1] != 0x8b))
            return hf_fail(HF_ERR_FORMAT, "'%s': %zu bytes after the gzip data are neither gzip nor padding", job->name,
                           rest_size);
        HF_TRY(inflate_member(job));
    }
    return HF_OK;
}

static hf_status first_capacity(inflation *job, size_t most)
{
    const unsigned char *end = job->in + job->in_size;
    size_t promised = end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    if (!hf_size_mul(job->in_size, DEFLATE_MAX_RATIO, &job->limit)) job->limit = HF_VOLUME_MAX_BYTES;
    job->limit = smaller(job->limit, most);
    if (promised > job->limit)
        return hf_fail(
            HF_ERR_FORMAT,
            "'%s': its end promises %zu inflated bytes, but %zu compressed bytes and its header leave room for "
            "%zu at most: damaged, cut short, or made to fill the memory",
            job->name, promised, job->in_size, job->limit);
    job->capacity = smaller(promised ? promised : FIRST_CAPACITY, job->limit);
    return HF_OK;
}

hf_status hf_gunzip(void **out, size_t *out_size, const void *bytes, size_t size, size_t most, const char *name)
{
    inflation job = { .in = bytes, .in_size = size, .name = name };
    hf_status status = HF_OK;
    if (size < GZIP_MIN_SIZE || job.in[0] != 0x1f || job.in[1] != 0x8b)
        return hf_fail(HF_ERR_FORMAT, "'%s': is named as gzip but its %zu bytes do not begin as gzip does", name, size);
    HF_TRY(first_capacity(&job, most));
    job.out = malloc(job.capacity);
    job.decompressor = libdeflate_alloc_decompressor();
    if (!job.out || !job.decompressor) {
        status = hf_fail(HF_ERR_MEMORY, "'%s': no memory for %zu inflated bytes", name, job.capacity);
        goto out;
    }
    HF_TRY_OUT(inflate_members(&job));
    *out = job.out;
    *out_size = job.out_used;
    job.out = NULL;
out:
    libdeflate_free_decompressor(job.decompressor);
    free(job.out);
    return status;
}

size_t hf_gunzip_start(unsigned char *out, size_t room, const void *bytes, size_t size)
{
    z_stream z = { .next_in = bytes,
                   .avail_in = size > UINT_MAX ? UINT_MAX : (unsigned)size,
                   .next_out = out,
                   .avail_out = (unsigned)room };
    if (inflateInit2(&z, 15 + 16) != Z_OK) return 0; /* the largest window, and gzip around it */
    int result = Z_OK;
    while (z.avail_out && (result == Z_OK || result == Z_STREAM_END)) {
        if (result == Z_STREAM_END && (!z.avail_in || inflateReset(&z) != Z_OK)) break; /* the next member */
        result = inflate(&z, Z_NO_FLUSH);
    }
    inflateEnd(&z);
    return room - z.avail_out;
}

hf_status hf_gzip(void **out, size_t *out_size, const void *bytes, size_t size)
{
    hf_status status = HF_OK;
    void *packed = NULL;
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (!compressor) return hf_fail(HF_ERR_MEMORY, "no memory for a gzip compressor");
    size_t bound = libdeflate_gzip_compress_bound(compressor, size);
    HF_TRY_OUT(hf_alloc(&packed, bound, 1, "gzip output"));
    *out_size = libdeflate_gzip_compress(compressor, bytes, size, packed, bound);
    if (*out_size == 0) {
        status = hf_fail(HF_ERR_MEMORY, "gzip output did not fit the %zu bytes computed for it", bound);
        goto out;
    }
    *out = packed;
    packed = NULL;
out:
    libdeflate_free_compressor(compressor);
    free(packed);
    return status;
}
