/* Checks the cache of volumes: numbers at the ends of their range, when a file is taken and when it is made anew, what
 * its name depends on, damage to any byte, folders that cannot be written, two processes at once. */
#include "small_cohort.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

/* Values at the ends of what a float holds. */
static void test_extremes(void)
{
    static const float rows[][4] = {
        { 0, 0, 0, 0 },          { 1e-45f, -1e-45f, 0, 0 }, { 1e-40f, -3e-41f, 0, 1e-42f },
        { 3e38f, -3e38f, 1, 0 }, { 1e-30f, 2e-30f, 0, 0 },  { -5, 4, 0, 1e-6f },
    };
    small_cohort_clear();
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        const hf_cached about = { .shape = { 1, 2, 2 }, .spacing = { 1, 2, 3 }, .source = "whence" };
        hf_cached cached;
        bool whole = false;
        float found[4], largest = 0;
        CHECK_OK(hf_cached_write(small_path("x.vol"), rows[r], &about));
        if (!CHECK_OK(hf_cached_open(&cached, small_path("x.vol"))) || !CHECK(cached.path)) return;
        CHECK(memcmp(cached.shape, about.shape, sizeof cached.shape) == 0 && cached.spacing[2] == 3);
        CHECK(strcmp(cached.source, "whence") == 0);
        CHECK(hf_cached_read(found, &whole, &cached) == HF_OK && whole);
        for (int i = 0; i < 4; i++)
            largest = fmaxf(largest, fabsf(rows[r][i]));
        const double step = fmaxf(largest > 0 ? 1.001f * largest / 32767 : 1, 1.2e-38f);
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(found[i], rows[r][i], 0.51 * step);
        hf_cached_close(&cached);
    }
}

/* ---- when it is taken -------------------------------------------------------------------------------------------- */

static void count_progress(void *user, int done, int total)
{
    int *calls = user;
    (*calls)++;
    CHECK(done == *calls && total == 3);
}

/* The second opening must leave every file alone, and must take its values from there. */
static void test_taken(void)
{
    enum { N = 3 };
    hf_cohort cohort;
    hf_dataset *dataset;
    struct stat before[N], after;
    char *path[N];
    int calls = 0;
    float found[6 * 7 * 8], sevens[6 * 7 * 8];
    small_cohort_make(&cohort);
    hf_dataset_options options = small_options();
    options.progress = count_progress;
    options.user = &calls;
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options))) return;
    CHECK(calls == N && small_files_in(options.cache_dir) == N);
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++) {
        CHECK_OK(hf_cached_path(&path[i], options.cache_dir, cohort.subject[i].image, NULL, &small_window));
        CHECK(stat(path[i], &before[i]) == 0 && (size_t)before[i].st_size == hf_cached_bytes(small_window.shape));
    }
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++)
        CHECK(stat(path[i], &after) == 0 && after.st_ino == before[i].st_ino &&
              after.st_mtim.tv_sec == before[i].st_mtim.tv_sec && after.st_mtim.tv_nsec == before[i].st_mtim.tv_nsec);
    for (int i = 0; i < 6 * 7 * 8; i++)
        sevens[i] = 7;
    hf_cached about;
    CHECK_OK(hf_cached_open(&about, path[1]));
    CHECK_OK(hf_cached_write(path[1], sevens, &about));
    hf_cached_close(&about);
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    CHECK_OK(hf_dataset_get(dataset, 1, found, NULL, NULL));
    CHECK(memcmp(found, sevens, sizeof found) == 0 &&
          small_wrong_voxels(dataset, &cohort, &small_window, 0, 32767) == 0);
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++)
        free(path[i]);
    hf_cohort_free(&cohort);
}

static bool same_key(const char *image, const hf_grid *a, const hf_grid *b)
{
    char *x = NULL, *y = NULL;
    CHECK_OK(hf_cached_path(&x, "f", image, NULL, a));
    CHECK_OK(hf_cached_path(&y, "f", image, NULL, b));
    const bool same = x && y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

static void test_grid_in_key(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    const char *image;
    small_cohort_make(&cohort);
    image = cohort.subject[0].image;
    CHECK(same_key(image, &small_window, &small_window));
    for (int k = 0; k < 14; k++) {
        hf_grid other = small_window;
        if (k < 3) other.shape[k]++;
        if (k >= 3 && k < 6) other.spacing[k - 3] = 2;
        if (k >= 6 && k < 9) other.spacing_expected[k - 6] = 1;
        if (k == 9) other.zscore = false;
        if (k == 10) other.centre = HF_CENTRE_MIDDLE;
        if (k == 11) other.crop[2][1] = 3;
        if (k == 12) other.crop_mm[1][0] = 0.5;
        if (k == 13) other.resize = true;
        if (!CHECK(!same_key(image, &small_window, &other))) fprintf(stderr, "    change %d\n", k);
    }
    hf_grid plain = small_window;
    plain.zscore = false;
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    hf_dataset_free(&dataset);
    CHECK_OK(small_open(&dataset, &cohort, &plain));
    CHECK(small_wrong_voxels(dataset, &cohort, &plain, 0, 32767) == 0 && small_files_in(small_cache()) == 6);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* Size, times and place of the source count; a relative path from two folders names two files. */
static void test_source_in_key(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    char *first = small_one_make(&cohort, &small_window), *second = NULL, here[512];
    const char *image = cohort.subject[0].image, *cache = small_cache();
    const struct timespec times[2] = { { 1000, 5 }, { 1000, 5 } }, later[2] = { { 1000, 6 }, { 1000, 6 } };
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    hf_dataset_free(&dataset);
    small_put_volume("sub-a.nii", 9, 7, 8, 77);
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    CHECK(small_wrong_voxels(dataset, &cohort, &small_window, 0, 32767) == 0 && small_files_in(cache) == 2);
    hf_dataset_free(&dataset);
    free(first);
    CHECK(utimensat(AT_FDCWD, image, times, 0) == 0);
    CHECK_OK(hf_cached_path(&first, cache, image, NULL, &small_window));
    CHECK(utimensat(AT_FDCWD, image, later, 0) == 0);
    CHECK_OK(hf_cached_path(&second, cache, image, NULL, &small_window));
    CHECK(strcmp(first, second) != 0);
    free(first);
    free(second);
    small_must(getcwd(here, sizeof here) != NULL, "the working folder");
    for (int k = 0; k < 2; k++) {
        const char *folder = small_path(k ? "two" : "one");
        small_must(mkdir(folder, 0777) == 0 && chdir(folder) == 0, folder);
        small_put("same.nii", "same", 4);
        CHECK(utimensat(AT_FDCWD, "same.nii", times, 0) == 0);
        CHECK_OK(hf_cached_path(k ? &second : &first, "cache", "same.nii", NULL, &small_window));
        small_must(chdir(here) == 0, here);
    }
    CHECK(strcmp(first, second) != 0 && strncmp(first, "cache/", 6) == 0);
    free(first);
    free(second);
    /* Other contents under the same size and time of change are another file all the same. */
    struct stat info;
    CHECK_OK(hf_cached_path(&first, cache, image, NULL, &small_window));
    CHECK(stat(image, &info) == 0);
    const struct timespec pause = { 0, 20000000 }; /* file systems note times at the ticks of a clock */
    nanosleep(&pause, NULL);
    small_put_volume("sub-a.nii", 9, 7, 8, 78);
    CHECK(utimensat(AT_FDCWD, image, (const struct timespec[2]){ info.st_mtim, info.st_mtim }, 0) == 0);
    CHECK_OK(hf_cached_path(&second, cache, image, NULL, &small_window));
    CHECK(strcmp(first, second) != 0);
    free(first);
    free(second);
    CHECK_STATUS(hf_cached_path(&first, cache, "/nonexistent.nii", NULL, &small_window), HF_ERR_IO,
                 "'/nonexistent.nii'");
    hf_cohort_free(&cohort);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static bool is_whole(const char *path)
{
    hf_cached cached;
    CHECK_OK(hf_cached_open(&cached, path));
    const bool whole = cached.path != NULL;
    hf_cached_close(&cached);
    return whole;
}

/* A cohort of one with its cache file: the path and the bytes. */
static char *make_file(hf_cohort *cohort, unsigned char **bytes, size_t *size)
{
    hf_dataset *dataset;
    void *data = NULL;
    char *path = small_one_make(cohort, &small_window);
    CHECK_OK(small_open(&dataset, cohort, &small_window));
    hf_dataset_free(&dataset);
    small_must(hf_file_read(&data, size, path, 1 << 20) == HF_OK, path);
    *bytes = data;
    return path;
}

static bool is_taken(const char *path, const void *bytes, size_t size)
{
    small_put(path, bytes, size);
    return is_whole(path);
}

/* Every single byte counts, and so does every length but the right one. */
static void test_every_byte(void)
{
    hf_cohort cohort;
    unsigned char *bytes;
    size_t size;
    int taken = 0;
    char *path = make_file(&cohort, &bytes, &size);
    CHECK(is_whole(path) && size == hf_cached_bytes(small_window.shape));
    for (size_t i = 0; i < size; i++) {
        const unsigned char flip = i % 3 == 0 ? 0xff : i % 3 == 1 ? 0x01 : 0x80;
        bytes[i] ^= flip;
        taken += is_taken(path, bytes, size);
        bytes[i] ^= flip;
    }
    for (size_t length = 0; length < size; length += 1 + length / 40)
        taken += is_taken(path, bytes, length);
    unsigned char *longer = calloc(size + 8, 1);
    small_must(longer != NULL, "memory");
    taken += is_taken(path, longer, size + 8) + is_taken(path, longer, size);
    memcpy(longer, bytes, size);
    taken += is_taken(path, longer, size + 8);
    taken += is_taken(small_path("other.vol"), bytes, size); /* whole, but under a name that is not its own */
    CHECK(taken == 0 && is_taken(path, bytes, size));
    free(longer);
    free(bytes);
    free(path);
    hf_cohort_free(&cohort);
}

/* Shapes that the size of the file contradicts, and those that it does not. */
static void test_wrong_shapes(void)
{
    static const int32_t shapes[][3] = { { 8, 7, 6 },
                                         { 3, 14, 8 },
                                         { 336, 1, 1 },
                                         { 6, 7, 9 },
                                         { 1, 1, 1 },
                                         { 0, 7, 8 },
                                         { -6, -7, 8 },
                                         { INT32_MAX, INT32_MAX, INT32_MAX },
                                         { 1 << 30, 1 << 30, 16 } };
    hf_cohort cohort;
    unsigned char *bytes;
    size_t size;
    int taken = 0;
    char *path = make_file(&cohort, &bytes, &size);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        memcpy(bytes + 8, shapes[s], sizeof shapes[s]);
        taken += is_taken(path, bytes, size);
    }
    CHECK(taken == 0);
    free(bytes);
    free(path);
    hf_cohort_free(&cohort);
}

/* What an opening makes of a cache file with these contents: the same file as the first time, and nothing to report. */
static void check_rebuilt(hf_cohort *cohort, const char *path, const void *good, size_t size, const char *what)
{
    hf_dataset *dataset;
    void *found = NULL;
    size_t found_size = 0;
    const int failed = check_failed;
    if (CHECK_OK(small_open(&dataset, cohort, &small_window))) {
        CHECK(small_wrong_voxels(dataset, cohort, &small_window, 0, 32767) == 0 && cohort->n_problems == 0);
        CHECK_OK(hf_file_read(&found, &found_size, path, 1 << 20));
        CHECK(found_size == size && memcmp(found, good, size) == 0);
    }
    if (check_failed > failed) fprintf(stderr, "    the cache file was %s\n", what);
    hf_dataset_free(&dataset);
    free(found);
}

static void test_rebuilt(void)
{
    static const size_t wrong_at[] = { 0, 8, 20, 24, 48, 88, 500 }, lengths[] = { 0, 50, 88, 600 };
    hf_cohort cohort;
    unsigned char *bytes;
    size_t size;
    char *path = make_file(&cohort, &bytes, &size), what[64];
    for (size_t k = 0; k < sizeof wrong_at / sizeof wrong_at[0]; k++) {
        bytes[wrong_at[k]] ^= 0x10;
        small_put(path, bytes, size);
        bytes[wrong_at[k]] ^= 0x10;
        snprintf(what, sizeof what, "wrong at byte %zu", wrong_at[k]);
        check_rebuilt(&cohort, path, bytes, size, what);
    }
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        small_put(path, bytes, lengths[k]);
        snprintf(what, sizeof what, "cut off after %zu bytes", lengths[k]);
        check_rebuilt(&cohort, path, bytes, size, what);
    }
    small_put(path, "\x93NUMPY, and so on: something else", 30);
    check_rebuilt(&cohort, path, bytes, size, "something else");
    free(bytes);
    free(path);
    hf_cohort_free(&cohort);
}

/* A file that is cut short, damaged or removed while the dataset is open: the same bits all the same, and a whole file
 * again; but never other contents. */
static void test_lost_while_open(void)
{
    enum { COUNT = 6 * 7 * 8 };
    hf_cohort cohort;
    hf_dataset *dataset;
    unsigned char *bytes;
    size_t size;
    float before[COUNT], after[COUNT];
    char *path = make_file(&cohort, &bytes, &size);
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    CHECK_OK(hf_dataset_get(dataset, 0, before, NULL, NULL));
    for (int how = 0; how < 4; how++) {
        if (how == 0) CHECK(truncate(path, 0) == 0); /* a mapping of it would end the process */
        if (how == 1) CHECK(truncate(path, (off_t)size - 2) == 0);
        if (how == 2) small_put(path, "damaged", 7);
        if (how == 3) CHECK(remove(path) == 0);
        memset(after, 0xff, sizeof after);
        CHECK_OK(hf_dataset_get(dataset, 0, after, NULL, NULL));
        CHECK(memcmp(before, after, sizeof before) == 0 && is_whole(path));
    }
    CHECK(remove(path) == 0);
    small_put_volume("sub-a.nii", 9, 7, 8, 5);
    CHECK_STATUS(hf_dataset_get(dataset, 0, after, NULL, NULL), HF_ERR_IO, "has changed since it was opened");
    hf_dataset_free(&dataset);
    free(bytes);
    free(path);
    hf_cohort_free(&cohort);
}

/* ---- a cache that cannot be used --------------------------------------------------------------------------------- */

static void refuse(hf_cohort *cohort, const char *folder, const char *part)
{
    hf_dataset *dataset;
    hf_forecast forecast;
    hf_dataset_options options = { .cache_dir = folder };
    CHECK_STATUS(hf_dataset_open(&dataset, cohort, &small_window, NULL, &options), HF_ERR_IO, part);
    CHECK(!dataset && cohort->n_problems == 0);
    const hf_status status = hf_dataset_forecast(&forecast, cohort, &small_window, &options); /* may write nothing */
    CHECK(status == HF_OK || status == HF_ERR_IO);
}

static void test_unusable_cache(void)
{
    hf_cohort cohort;
    char *path = small_one_make(&cohort, &small_window);
    small_put_text("file", "not a folder");
    refuse(&cohort, small_path("file"), "file': exists and is no folder");
    refuse(&cohort, small_path("file/deep/er"), "file/deep': cannot create the folder: Not a directory");
    const hf_dataset_options nameless = { .cache_dir = "" };
    hf_dataset *dataset;
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &nameless), HF_ERR_ARGUMENT,
                 "folder is empty");
    if (hf_path_exists("/proc/self/task")) /* a folder nobody can write to, not even root */
        refuse(&cohort, "/proc/self/task", "cannot create a temporary file beside it");
    else
        check_skip("no /proc: no folder that nobody can write to");
    small_must(mkdir(small_cache(), 0777) == 0 && mkdir(path, 0777) == 0, path);
    refuse(&cohort, small_cache(), "not a regular file");
    small_must(rmdir(path) == 0 && mkfifo(path, 0666) == 0, path);
    refuse(&cohort, small_cache(), "not a regular file");
    free(path);
    hf_cohort_free(&cohort);
}

static void test_default_folder(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_forecast forecast;
    free(small_one_make(&cohort, &small_window));
    setenv("XDG_CACHE_HOME", small_path("xdg"), 1);
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, NULL));
    CHECK(small_files_in(small_path("xdg/hyperfusion/volumes")) == 1);
    CHECK(hf_dataset_forecast(&forecast, &cohort, &small_window, NULL) == HF_OK && forecast.missing == 0);
    hf_dataset_free(&dataset);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &small_window, NULL, NULL), HF_ERR_IO,
                 "neither XDG_CACHE_HOME nor HOME");
    CHECK_STATUS(hf_dataset_forecast(&forecast, &cohort, &small_window, NULL), HF_ERR_IO,
                 "neither XDG_CACHE_HOME nor HOME");
    hf_cohort_free(&cohort);
}

/* ---- two processes ----------------------------------------------------------------------------------------------- */

/* A child: waits until `gate` closes, then opens and compares. Its exit status is the number of failed checks. */
static pid_t start_child(hf_cohort *cohort, const int gate[2])
{
    char byte;
    hf_dataset *dataset;
    fflush(NULL);
    const pid_t child = fork();
    if (child != 0) return child;
    close(gate[1]);
    while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    check_failed = 0;
    if (CHECK_OK(small_open(&dataset, cohort, &small_window)))
        for (int i = 0; i < 3; i++)
            CHECK(hf_dataset_has(dataset, i) && small_wrong_voxels(dataset, cohort, &small_window, i, 32767) == 0);
    CHECK(cohort->n_problems == 0);
    _exit(check_failed);
}

/* On a cold cache, and on one whose files are all damaged. */
static void test_two_processes(void)
{
    hf_cohort cohort;
    small_cohort_make(&cohort);
    for (int round = 0; round < 2; round++) {
        int gate[2], status = -1;
        pid_t child[2];
        small_must(pipe(gate) == 0, "a pipe");
        for (int k = 0; k < 2; k++)
            child[k] = start_child(&cohort, gate);
        close(gate[0]);
        close(gate[1]);
        for (int k = 0; k < 2; k++)
            CHECK(child[k] > 0 && waitpid(child[k], &status, 0) == child[k] && WIFEXITED(status) &&
                  WEXITSTATUS(status) == 0);
        CHECK(small_files_in(small_cache()) == 3);
        for (int i = 0; i < 3; i++) {
            char *path = NULL;
            CHECK_OK(hf_cached_path(&path, small_cache(), cohort.subject[i].image, NULL, &small_window));
            CHECK(is_whole(path));
            round % 2 ? (void)remove(path) : small_put(path, "damaged", 7);
            free(path);
        }
    }
    hf_cohort_free(&cohort);
}

int main(void)
{
    test_two_processes(); /* first, while this process has had no threads */
    test_extremes();
    test_taken();
    test_grid_in_key();
    test_source_in_key();
    test_every_byte();
    test_wrong_shapes();
    test_rebuilt();
    test_lost_while_open();
    test_unusable_cache();
    test_default_folder();
    small_cohort_remove();
    return check_done("volume_cache");
}
