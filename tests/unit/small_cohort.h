/* small_cohort.h: a folder of small volumes and a table, made for one test program. The folder lies under /tmp and is
 * removed with everything in it by small_cohort_remove. A function here that fails ends the program: without its cohort
 * a test has nothing to say. */
#ifndef HF_TESTS_SMALL_COHORT_H
#define HF_TESTS_SMALL_COHORT_H

#include "check.h"
#include "hfdata.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char small_folder[] = "/tmp/hf-small-XXXXXX";

static inline void small_must(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "the small cohort: %s: %s\n", what, hf_error_message());
    exit(2);
}

/* A path in the folder; one of eight buffers that take turns. */
static inline const char *small_path(const char *name)
{
    static char path[8][512];
    static unsigned turn;
    char *next = path[turn++ % 8];
    snprintf(next, sizeof path[0], "%s/%s", small_folder, name);
    return next;
}

/* Where the test keeps its cache of volumes; the text stays. */
static inline const char *small_cache(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/cache", small_folder);
    return path;
}

/* Plain and without flushing, so that a test can write many. */
static inline void small_put(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    small_must(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, path);
}

static inline void small_put_text(const char *name, const char *text)
{
    small_put(small_path(name), text, strlen(text));
}

/* Empties the folder, or makes it. */
static inline void small_cohort_clear(void)
{
    static bool made;
    if (made) check_remove_tree(small_folder);
    small_must(made ? mkdir(small_folder, 0777) == 0 : mkdtemp(small_folder) != NULL, small_folder);
    made = true;
}

static inline void small_cohort_remove(void)
{
    check_remove_tree(small_folder);
    CHECK(!hf_path_exists(small_folder));
}

static inline size_t small_count(const int shape[3])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

/* NumPy's format, version 1, float32. */
static inline void small_put_npy(const char *path, const float *voxels, const int shape[3])
{
    char header[128];
    char dictionary[118 + 1];
    snprintf(dictionary, sizeof dictionary, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d), }",
             shape[0], shape[1], shape[2]);
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(header + 10, dictionary, strlen(dictionary));
    header[sizeof header - 1] = '\n';
    FILE *file = fopen(path, "wb");
    small_must(file && fwrite(header, sizeof header, 1, file) == 1, path);
    small_must(fwrite(voxels, sizeof *voxels, small_count(shape), file) == small_count(shape), path);
    small_must(fclose(file) == 0, path);
}

/* Noise around 100 inside a frame of zeros one voxel wide; voxels of 1 mm. The name's ending tells the format. */
static inline void small_put_volume(const char *name, int d, int h, int w, uint64_t seed)
{
    const int shape[3] = { d, h, w };
    float *voxels = calloc(small_count(shape), sizeof *voxels);
    small_must(voxels != NULL, name);
    for (int i = 0; i < d * h * w; i++) {
        const int p[3] = { i / (h * w), i / w % h, i % w };
        bool inside = true;
        for (int k = 0; k < 3; k++)
            inside = inside && p[k] > 0 && p[k] < shape[k] - 1;
        if (inside) voxels[i] = (float)(100 + 20 * hf_random_normal(seed, 1, (uint64_t)i));
    }
    const hf_volume volume = { .shape = { d, h, w },
                               .spacing = { 1, 1, 1 },
                               .affine = { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 } },
                               .voxels = voxels };
    if (strstr(name, ".npy"))
        small_put_npy(small_path(name), voxels, shape);
    else
        small_must(hf_volume_write(&volume, small_path(name), false) == HF_OK, name);
    free(voxels);
}

static inline void small_cohort_open(hf_cohort *cohort)
{
    small_must(hf_cohort_open(cohort, small_folder, NULL) == HF_OK, "opening");
}

/* Volume `index` as preprocessing makes it, freed with free(); NULL after a failed check. */
static inline float *small_expected(const hf_cohort *cohort, const hf_grid *grid, int index, size_t count)
{
    hf_volume volume = { 0 };
    float *voxels = calloc(count, sizeof *voxels);
    small_must(voxels != NULL, "memory");
    bool good = CHECK_OK(hf_volume_read(&volume, cohort->subject[index].image));
    good = good && CHECK_OK(hf_preprocess(voxels, &volume, grid, "expected"));
    hf_volume_free(&volume);
    if (good) return voxels;
    free(voxels);
    return NULL;
}

#endif
