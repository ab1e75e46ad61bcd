/* small_cohort.h: a folder of small volumes and a table, made for one test program. The folder lies under /tmp and is
 * removed with everything in it by small_cohort_remove. A function here that fails ends the program: without its cohort
 * a test has nothing to say. */
#ifndef HF_TESTS_SMALL_COHORT_H
#define HF_TESTS_SMALL_COHORT_H

#include "cache.h"
#include "check.h"

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

/* Where the test keeps its cache of volumes; the text stays. The folder must have been made: before that it has no name
 * of its own. */
static inline const char *small_cache(void)
{
    static char path[512];
    small_must(hf_path_exists(small_folder), "the cache of a cohort that is not there");
    snprintf(path, sizeof path, "%s/cache", small_folder);
    return path;
}

/* Plain and without flushing, so that a test can write many; some file systems flush what is written over. */
static inline void small_put(const char *path, const void *data, size_t size)
{
    remove(path);
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

/* NumPy's format, version 1, float32; the header is padded to 128 bytes. */
static inline void small_put_npy(const char *path, const float *voxels, const int shape[3])
{
    static const unsigned char start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0 };
    char text[64];
    snprintf(text, sizeof text, "(%d, %d, %d), }", shape[0], shape[1], shape[2]);
    FILE *file = fopen(path, "wb");
    small_must(file && fwrite(start, sizeof start, 1, file) == 1, path);
    small_must(fprintf(file, "{'descr': '<f4', 'fortran_order': False, 'shape': %-67s\n", text) == 118, path);
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

/* A grid to bring volumes to. */
static const hf_grid small_window = { .shape = { 6, 7, 8 }, .zscore = true };

/* Three subjects in both formats, of different shapes. */
static inline void small_cohort_make(hf_cohort *cohort)
{
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\tsex\tdx\nsub-a\t61\tF\tCN\nsub-b\tn/a\tM\tAD\n"
                                       "sub-c\t70.5\tF\tn/a\n");
    small_put_volume("sub-a.nii.gz", 9, 8, 7, 1);
    small_put_volume("sub-b.npy", 7, 7, 9, 2);
    small_put_volume("sub-c.nii", 6, 9, 8, 3);
    small_cohort_open(cohort);
}

/* One subject, sub-a, and where its cached form lies. */
static inline char *small_one_make(hf_cohort *cohort, const hf_grid *grid)
{
    char *path = NULL;
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t61\n");
    small_put_volume("sub-a.nii", 6, 7, 8, 1);
    small_cohort_open(cohort);
    small_must(hf_cached_path(&path, small_cache(), cohort->subject[0].image, NULL, grid) == HF_OK, "the key");
    return path;
}

static inline hf_dataset_options small_options(void)
{
    return (hf_dataset_options){ .cache_dir = small_cache() };
}

static inline hf_status small_open(hf_dataset **dataset, hf_cohort *cohort, const hf_grid *grid)
{
    const hf_dataset_options options = small_options();
    return hf_dataset_open(dataset, cohort, grid, NULL, &options);
}

/* How many of the dataset's voxels of `index` are not those of preprocessing, to half a step of the cache (steps 0: to
 * the last bit), zeros always exactly. */
static inline int small_wrong_voxels(const hf_dataset *dataset, const hf_cohort *cohort, const hf_grid *grid, int index,
                                     int steps)
{
    const size_t count = small_count(hf_dataset_shape(dataset));
    float *expected = small_expected(cohort, grid, index, count), *found = calloc(count, sizeof *found);
    small_must(expected && found, "the expected voxels");
    double largest = 0;
    int wrong = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs(expected[i]));
        found[i] = NAN; /* every voxel must be written */
    }
    const double room = steps ? 0.51 * largest / steps : 0; /* 0.01 for the rounding of the product */
    CHECK_OK(hf_dataset_get(dataset, index, found, NULL, NULL));
    for (size_t i = 0; i < count; i++) {
        wrong += !(fabs((double)found[i] - expected[i]) <= room);
        wrong += expected[i] == 0 && found[i] != 0;
    }
    free(expected);
    free(found);
    return wrong;
}

static inline int small_files_in(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    return count;
}

#endif
