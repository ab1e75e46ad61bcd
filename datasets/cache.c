/* cache.c: see cache.h.
 *
 * The digest inside a file covers its name, its header and its numbers. The name says what the contents were made from,
 * so a file that was damaged anywhere, or copied over another one, is not taken for what its name says. */
#include "cache.h"
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "HFVOL05";
#define LARGEST      32767 /* the largest number stored; the smallest is its negative */
#define DIGEST_BYTES 40    /* 32 digits, then zeros */
#define SOURCE_BYTES 33

typedef struct header {
    char magic[8];
    int32_t shape[3];
    float scale;
    double spacing[3];
    char source[DIGEST_BYTES]; /* of the files that it was made from */
    char image[DIGEST_BYTES];  /* of the image alone */
    int64_t oriented;          /* 1: the image says how it lies */
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
    const int64_t facts[] = { (int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec, (int64_t)info.st_mtim.tv_nsec,
                              (int64_t)info.st_ctim.tv_sec, (int64_t)info.st_ctim.tv_nsec };
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
    if (grid->resize) hf_digest_add(digest, "resize", 6); /* only then: others keep the files they have */
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

static const int16_t *numbers_of(const void *file)
{
    return (const int16_t *)(const void *)((const char *)file + sizeof(header));
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

/* Whether these bytes are the whole cached volume `path` names; *h is its header. */
static bool is_whole(header *h, const void *file, size_t size, const char *path)
{
    size_t count = 1, bytes;
    char digest[DIGEST_BYTES];
    if (size < sizeof *h) return false;
    memcpy(h, file, sizeof *h);
    if (memcmp(h->magic, magic, sizeof magic) != 0) return false;
    if (h->source[SOURCE_BYTES - 1] || h->image[SOURCE_BYTES - 1]) return false;
    for (int i = 0; i < 3; i++)
        if (h->shape[i] < 1 || !hf_size_mul(count, (size_t)h->shape[i], &count)) return false;
    if (!hf_size_mul(count, sizeof(int16_t), &bytes) || bytes != size - sizeof *h) return false;
    digest_of(digest, path, h, numbers_of(file), count);
    return memcmp(digest, h->digest, sizeof digest) == 0;
}

/* The file in memory, freed with free(); HF_OK with *file NULL when there is none that is whole. */
static hf_status read_file(void **file, header *h, const char *path)
{
    size_t size = 0;
    *file = NULL;
    const hf_status status = hf_path_exists(path) ? hf_file_read(file, &size, path, SIZE_MAX / 2) : HF_ERR_IO;
    if (status == HF_ERR_MEMORY) return status;
    if (status != HF_OK || is_whole(h, *file, size, path)) return HF_OK; /* unreadable is the same as absent */
    free(*file);
    *file = NULL;
    return HF_OK;
}

hf_status hf_cached_open(hf_cached *out, const char *path)
{
    header h = { 0 };
    void *file;
    *out = (hf_cached){ 0 };
    HF_TRY(read_file(&file, &h, path));
    if (!file) return HF_OK;
    free(file);
    for (int i = 0; i < 3; i++) {
        out->shape[i] = h.shape[i];
        out->spacing[i] = h.spacing[i];
    }
    memcpy(out->source, h.source, sizeof out->source);
    memcpy(out->image, h.image, sizeof out->image);
    out->oriented = h.oriented == 1;
    return hf_strdup(&out->path, path);
}

void hf_cached_close(hf_cached *cached)
{
    free(cached->path);
    *cached = (hf_cached){ 0 };
}

hf_status hf_cached_write(const char *path, const float *voxels, const hf_cached *about)
{
    const size_t count = voxels_of(about->shape), bytes = hf_cached_bytes(about->shape);
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
        h.shape[i] = about->shape[i];
        h.spacing[i] = about->spacing[i];
    }
    snprintf(h.source, sizeof h.source, "%s", about->source);
    snprintf(h.image, sizeof h.image, "%s", about->image);
    h.oriented = about->oriented;
    digest_of(h.digest, path, &h, numbers, count);
    memcpy(file, &h, sizeof h);
    const hf_status status = hf_file_write(path, file, bytes);
    free(file);
    return status;
}

hf_status hf_cached_read(float *voxels, bool *whole, const hf_cached *cached)
{
    header h = { 0 };
    void *file;
    HF_TRY(read_file(&file, &h, cached->path));
    *whole = file && memcmp(h.shape, cached->shape, sizeof h.shape) == 0 && strcmp(h.source, cached->source) == 0;
    const size_t count = *whole ? voxels_of(cached->shape) : 0;
    for (size_t i = 0; i < count; i++)
        voxels[i] = (float)numbers_of(file)[i] * h.scale;
    free(file);
    return HF_OK;
}
