/* cache.c: see cache.h.
 *
 * The digest inside a file covers its name, its header and its numbers. The name says what the contents were made from,
 * so a file that was damaged anywhere, or copied over another one, is not taken for what its name says. */
#include "cache.h"
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "HFVOL03";
#define LARGEST      32767 /* the largest number stored; the smallest is its negative */
#define DIGEST_BYTES 40    /* 32 digits, then zeros */

typedef struct header {
    char magic[8];
    int32_t shape[3];
    float scale;
    double spacing[3];
    char digest[DIGEST_BYTES];
} header;

static size_t voxels_of(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

size_t hf_cached_bytes(const int shape[3])
{
    return sizeof(header) + voxels_of(shape) * sizeof(int16_t);
}

/* What says whether a file is still the same. */
static hf_status add_file(hf_digest *digest, const char *path)
{
    struct stat info;
    char here[PATH_MAX] = "";
    if (stat(path, &info) != 0) return hf_fail(HF_ERR_IO, "'%s': cannot be found: %s", path, strerror(errno));
    if (path[0] != '/' && !getcwd(here, sizeof here)) /* what a relative path means depends on it */
        return hf_fail(HF_ERR_IO, "'%s': the working folder is not known: %s", path, strerror(errno));
    const int64_t facts[] = { (int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec, (int64_t)info.st_mtim.tv_nsec };
    hf_digest_add(digest, here, strlen(here));
    hf_digest_add(digest, path, strlen(path));
    hf_digest_add(digest, facts, sizeof facts);
    return HF_OK;
}

/* Member by member: between members may lie anything. Sides are cut when a volume is handed out. */
static void add_grid(hf_digest *digest, const hf_grid *grid)
{
    const int32_t facts[] = { grid->zscore, (int32_t)grid->centre };
    hf_digest_add(digest, grid->shape, sizeof grid->shape);
    hf_digest_add(digest, grid->spacing, sizeof grid->spacing);
    hf_digest_add(digest, grid->spacing_expected, sizeof grid->spacing_expected);
    hf_digest_add(digest, grid->crop, sizeof grid->crop);
    hf_digest_add(digest, grid->crop_mm, sizeof grid->crop_mm);
    hf_digest_add(digest, facts, sizeof facts);
}

hf_status hf_cached_path(char **out, const char *folder, const char *image, const char *mask, const hf_grid *grid)
{
    char name[64], hex[33];
    hf_digest digest = { { 0, 0 }, 0 };
    *out = NULL;
    hf_digest_add(&digest, magic, sizeof magic);
    HF_TRY(add_file(&digest, image));
    if (mask) HF_TRY(add_file(&digest, mask));
    add_grid(&digest, grid);
    hf_digest_text(&digest, hex);
    snprintf(name, sizeof name, "%s.vol", hex);
    return hf_path_join(out, folder, name);
}

static void digest_of(char text[DIGEST_BYTES], const char *path, const header *h, const int16_t *numbers, size_t count)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    hf_digest digest = { { 0, 0 }, 0 };
    hf_digest_add(&digest, name, strlen(name));
    hf_digest_add(&digest, h, offsetof(header, digest));
    hf_digest_add(&digest, numbers, count * sizeof *numbers);
    memset(text, 0, DIGEST_BYTES);
    hf_digest_text(&digest, text);
}

/* Whether the mapped bytes are the whole cached volume `path` names; fills in the rest of *out. */
static bool accept(hf_cached *out, const char *path)
{
    header h;
    size_t count = 1, bytes;
    char digest[DIGEST_BYTES];
    if (out->bytes < sizeof h) return false;
    memcpy(&h, out->map, sizeof h);
    if (memcmp(h.magic, magic, sizeof magic) != 0) return false;
    for (int i = 0; i < 3; i++) {
        if (h.shape[i] < 1 || !hf_size_mul(count, (size_t)h.shape[i], &count)) return false;
        out->shape[i] = h.shape[i];
        out->spacing[i] = h.spacing[i];
    }
    if (!hf_size_mul(count, sizeof(int16_t), &bytes) || bytes != out->bytes - sizeof h) return false;
    out->scale = h.scale;
    out->numbers = (const int16_t *)(const void *)((const char *)out->map + sizeof h);
    digest_of(digest, path, &h, out->numbers, count);
    return memcmp(digest, h.digest, sizeof digest) == 0;
}

hf_status hf_cached_map(hf_cached *out, const char *path)
{
    struct stat info;
    int code = 0;
    *out = (hf_cached){ 0 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not be waited for */
    if (fd < 0) return HF_OK;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        out->bytes = (size_t)info.st_size;
        out->map = mmap(NULL, out->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (out->map == MAP_FAILED) code = errno;
    }
    close(fd);
    if (code) {
        *out = (hf_cached){ 0 };
        return hf_fail(HF_ERR_MEMORY, "'%s': cannot be mapped: %s", path, strerror(code));
    }
    if (out->map && !accept(out, path)) hf_cached_unmap(out);
    return HF_OK;
}

void hf_cached_unmap(hf_cached *cached)
{
    if (cached->map) munmap(cached->map, cached->bytes);
    *cached = (hf_cached){ 0 };
}

hf_status hf_cached_write(const char *path, const float *voxels, const int shape[3], const double spacing[3])
{
    const size_t count = voxels_of(shape), bytes = hf_cached_bytes(shape);
    char *file = NULL;
    float largest = 0;
    HF_TRY(hf_alloc(&file, bytes, 1, "a cached volume"));
    for (size_t i = 0; i < count; i++)
        if (fabsf(voxels[i]) > largest) largest = fabsf(voxels[i]);
    header h = { .scale = largest > 0 ? fmaxf(largest / LARGEST, FLT_MIN) : 1 }; /* below it steps are uneven */
    int16_t *numbers = (int16_t *)(void *)(file + sizeof h);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (int16_t)lrintf(voxels[i] / h.scale);
    memcpy(h.magic, magic, sizeof magic);
    for (int i = 0; i < 3; i++) {
        h.shape[i] = shape[i];
        h.spacing[i] = spacing[i];
    }
    digest_of(h.digest, path, &h, numbers, count);
    memcpy(file, &h, sizeof h);
    const hf_status status = hf_file_write(path, file, bytes);
    free(file);
    return status;
}

void hf_cached_expand(float *voxels, const hf_cached *cached)
{
    const size_t count = voxels_of(cached->shape);
    for (size_t i = 0; i < count; i++)
        voxels[i] = (float)cached->numbers[i] * cached->scale;
}
