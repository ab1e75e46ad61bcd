/* Checks datasets: what comes out of the cache against preprocessing itself, when the cache is taken and when it is
 * made anew, damaged cache files, subjects that are no good, targets, forecasts, and two processes at once. */
#include "cache.h"
#include "small_cohort.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

static const hf_grid window = { .shape = { 6, 7, 8 }, .zscore = true };

/* Three subjects in both formats, none of the window's shape. */
static void make_cohort(hf_cohort *cohort)
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
static char *make_one(hf_cohort *cohort, const hf_grid *grid)
{
    char *path = NULL;
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t61\n");
    small_put_volume("sub-a.nii", 6, 7, 8, 1);
    small_cohort_open(cohort);
    small_must(hf_cached_path(&path, small_cache(), cohort->subject[0].image, grid) == HF_OK, "the key");
    return path;
}

static hf_dataset_options cached_options(void)
{
    return (hf_dataset_options){ .cache_dir = small_cache() };
}

static hf_status open_cached(hf_dataset **dataset, hf_cohort *cohort, const hf_grid *grid)
{
    const hf_dataset_options options = cached_options();
    return hf_dataset_open(dataset, cohort, grid, NULL, &options);
}

/* How many of the dataset's voxels of `index` are not those of preprocessing, to half a step of the cache (steps 0: to
 * the last bit), zeros always exactly. */
static int wrong_voxels(const hf_dataset *dataset, const hf_cohort *cohort, const hf_grid *grid, int index, int steps)
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

static const hf_problem *fatal_problem(const hf_cohort *cohort, const char *subject, const char *part)
{
    for (int i = 0; i < cohort->n_problems; i++) {
        const hf_problem *p = &cohort->problem[i];
        if (p->fatal && strcmp(p->subject, subject) == 0 && strstr(p->text, part)) return p;
    }
    return NULL;
}

static int files_in(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    return count;
}

/* ---- what the cache gives back ----------------------------------------------------------------------------------- */

static void test_values(void)
{
    static const hf_grid grids[] = {
        { .shape = { 6, 7, 8 }, .zscore = true },
        { .shape = { 10, 4, 8 } },
        { .shape = { 5, 5, 5 }, .spacing = { 1.5, 1.5, 1.5 }, .zscore = true },
    };
    for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
        hf_cohort cohort;
        hf_dataset *dataset;
        make_cohort(&cohort);
        if (!CHECK_OK(open_cached(&dataset, &cohort, &grids[g]))) return;
        CHECK(memcmp(hf_dataset_shape(dataset), grids[g].shape, sizeof grids[g].shape) == 0);
        CHECK(hf_dataset_width(dataset) == 0 && cohort.n_problems == 0);
        for (int i = 0; i < 3; i++)
            CHECK(hf_dataset_has(dataset, i) && wrong_voxels(dataset, &cohort, &grids[g], i, 32767) == 0);
        CHECK(!hf_dataset_has(dataset, -1) && !hf_dataset_has(dataset, 3));
        CHECK_STATUS(hf_dataset_get(dataset, 3, NULL, NULL, NULL), HF_ERR_ARGUMENT, "no subject number 3");
        CHECK_OK(hf_dataset_get(dataset, 0, NULL, NULL, NULL));
        hf_dataset_free(&dataset);
        CHECK(!dataset);
        hf_dataset_free(&dataset);
        hf_cohort_free(&cohort);
    }
    hf_dataset_free(NULL);
}

/* Values at the ends of what a float holds. */
static void test_extremes(void)
{
    static const float rows[][4] = {
        { 0, 0, 0, 0 },          { 1e-45f, -1e-45f, 0, 0 }, { 1e-40f, -3e-41f, 0, 1e-42f },
        { 3e38f, -3e38f, 1, 0 }, { 1e-30f, 2e-30f, 0, 0 },  { -5, 4, 0, 1e-6f },
    };
    const int shape[3] = { 1, 2, 2 };
    small_cohort_clear();
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        hf_cached cached;
        float found[4], largest = 0;
        CHECK_OK(hf_cached_write(small_path("x.vol"), rows[r], shape, (double[3]){ 1, 2, 3 }));
        if (!CHECK_OK(hf_cached_map(&cached, small_path("x.vol"))) || !CHECK(cached.map)) return;
        CHECK(memcmp(cached.shape, shape, sizeof shape) == 0 && cached.spacing[2] == 3);
        CHECK(cached.bytes == hf_cached_bytes(shape) && isfinite(cached.scale) && cached.scale > 0);
        hf_cached_expand(found, &cached);
        for (int i = 0; i < 4; i++)
            largest = fmaxf(largest, fabsf(rows[r][i]));
        CHECK(cached.scale <= fmaxf(largest > 0 ? 1.001f * largest / 32767 : 1, 1.2e-38f));
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(found[i], rows[r][i], 0.51 * (double)cached.scale);
        hf_cached_unmap(&cached);
    }
}

static void test_no_cache(void)
{
    hf_cohort cohort;
    hf_dataset *dataset, *cached;
    const hf_dataset_options options = { .no_cache = true, .cache_dir = "/dev/null/never" };
    make_cohort(&cohort);
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options))) return;
    CHECK_OK(open_cached(&cached, &cohort, &window));
    for (int i = 0; i < 3; i++) {
        CHECK(wrong_voxels(dataset, &cohort, &window, i, 0) == 0);
        CHECK(wrong_voxels(cached, &cohort, &window, i, 32767) == 0);
    }
    float *room = calloc(small_count(window.shape), sizeof *room);
    remove(cohort.subject[1].image);
    CHECK_STATUS(hf_dataset_get(dataset, 1, room, NULL, NULL), HF_ERR_IO, "sub-b.npy");
    CHECK_OK(hf_dataset_get(cached, 1, room, NULL, NULL)); /* what is mapped needs no source */
    free(room);
    hf_dataset_free(&cached);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* A source that changed its shape under a dataset must not overrun the caller's array. */
static void test_shape_changes(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    float room[6 * 7 * 8];
    const hf_grid as_stored = { .zscore = true };
    const hf_dataset_options options = { .no_cache = true };
    free(make_one(&cohort, &as_stored));
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options))) return;
    CHECK(wrong_voxels(dataset, &cohort, &as_stored, 0, 0) == 0);
    small_put_volume("sub-a.nii", 20, 21, 22, 1);
    CHECK_STATUS(hf_dataset_get(dataset, 0, room, NULL, NULL), HF_ERR_SHAPE, "20x21x22 voxels, expected 6x7x8");
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
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
    make_cohort(&cohort);
    hf_dataset_options options = cached_options();
    options.progress = count_progress;
    options.user = &calls;
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options))) return;
    CHECK(calls == N && files_in(options.cache_dir) == N);
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++) {
        CHECK_OK(hf_cached_path(&path[i], options.cache_dir, cohort.subject[i].image, &window));
        CHECK(stat(path[i], &before[i]) == 0 && (size_t)before[i].st_size == hf_cached_bytes(window.shape));
    }
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++)
        CHECK(stat(path[i], &after) == 0 && after.st_ino == before[i].st_ino &&
              after.st_mtim.tv_sec == before[i].st_mtim.tv_sec && after.st_mtim.tv_nsec == before[i].st_mtim.tv_nsec);
    for (int i = 0; i < 6 * 7 * 8; i++)
        sevens[i] = 7;
    CHECK_OK(hf_cached_write(path[1], sevens, window.shape, window.spacing));
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    CHECK_OK(hf_dataset_get(dataset, 1, found, NULL, NULL));
    CHECK(memcmp(found, sevens, sizeof found) == 0 && wrong_voxels(dataset, &cohort, &window, 0, 32767) == 0);
    hf_dataset_free(&dataset);
    for (int i = 0; i < N; i++)
        free(path[i]);
    hf_cohort_free(&cohort);
}

static bool same_key(const char *image, const hf_grid *a, const hf_grid *b)
{
    char *x = NULL, *y = NULL;
    CHECK_OK(hf_cached_path(&x, "f", image, a));
    CHECK_OK(hf_cached_path(&y, "f", image, b));
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
    make_cohort(&cohort);
    image = cohort.subject[0].image;
    CHECK(same_key(image, &window, &window));
    for (int k = 0; k < 10; k++) {
        hf_grid other = window;
        if (k < 3) other.shape[k]++;
        if (k >= 3 && k < 6) other.spacing[k - 3] = 2;
        if (k >= 6 && k < 9) other.spacing_expected[k - 6] = 1;
        if (k == 9) other.zscore = false;
        if (!CHECK(!same_key(image, &window, &other))) fprintf(stderr, "    change %d\n", k);
    }
    hf_grid plain = window;
    plain.zscore = false;
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    CHECK_OK(open_cached(&dataset, &cohort, &plain));
    CHECK(wrong_voxels(dataset, &cohort, &plain, 0, 32767) == 0 && files_in(small_cache()) == 6);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* Size, time and place of the source count; a relative path from two folders names two files. */
static void test_source_in_key(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    char *first = make_one(&cohort, &window), *second = NULL, here[512];
    const char *image = cohort.subject[0].image, *cache = small_cache();
    const struct timespec times[2] = { { 1000, 5 }, { 1000, 5 } }, later[2] = { { 1000, 6 }, { 1000, 6 } };
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    small_put_volume("sub-a.nii", 9, 7, 8, 77);
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    CHECK(wrong_voxels(dataset, &cohort, &window, 0, 32767) == 0 && files_in(cache) == 2);
    hf_dataset_free(&dataset);
    free(first);
    CHECK(utimensat(AT_FDCWD, image, times, 0) == 0);
    CHECK_OK(hf_cached_path(&first, cache, image, &window));
    CHECK(utimensat(AT_FDCWD, image, later, 0) == 0);
    CHECK_OK(hf_cached_path(&second, cache, image, &window));
    CHECK(strcmp(first, second) != 0);
    free(first);
    free(second);
    small_must(getcwd(here, sizeof here) != NULL, "the working folder");
    for (int k = 0; k < 2; k++) {
        const char *folder = small_path(k ? "two" : "one");
        small_must(mkdir(folder, 0777) == 0 && chdir(folder) == 0, folder);
        small_put("same.nii", "same", 4);
        CHECK(utimensat(AT_FDCWD, "same.nii", times, 0) == 0);
        CHECK_OK(hf_cached_path(k ? &second : &first, "cache", "same.nii", &window));
        small_must(chdir(here) == 0, here);
    }
    CHECK(strcmp(first, second) != 0 && strncmp(first, "cache/", 6) == 0);
    free(first);
    free(second);
    CHECK_STATUS(hf_cached_path(&first, cache, "/nonexistent.nii", &window), HF_ERR_IO, "'/nonexistent.nii'");
    hf_cohort_free(&cohort);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static bool is_whole(const char *path)
{
    hf_cached cached;
    CHECK_OK(hf_cached_map(&cached, path));
    const bool whole = cached.map != NULL;
    hf_cached_unmap(&cached);
    return whole;
}

/* Every single byte counts, and so does every length but the right one. */
static void test_every_byte(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    void *data = NULL;
    size_t size = 0;
    int taken = 0;
    char *path = make_one(&cohort, &window);
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    CHECK(is_whole(path) && hf_file_read(&data, &size, path, 1 << 20) == HF_OK);
    unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        const unsigned char flip = i % 3 == 0 ? 0xff : i % 3 == 1 ? 0x01 : 0x80;
        bytes[i] ^= flip;
        small_put(path, bytes, size);
        bytes[i] ^= flip;
        taken += is_whole(path);
    }
    for (size_t length = 0; length < size; length += 1 + length / 40) {
        small_put(path, bytes, length);
        taken += is_whole(path);
    }
    unsigned char *longer = calloc(size + 8, 1);
    memcpy(longer, bytes, size);
    small_put(path, longer, size + 8);
    taken += is_whole(path);
    CHECK(taken == 0 && size == hf_cached_bytes(window.shape));
    small_put(small_path("other.vol"), bytes, size); /* whole, but under a name that is not its own */
    CHECK(!is_whole(small_path("other.vol")));
    small_put(path, bytes, size);
    CHECK(is_whole(path));
    free(longer);
    free(data);
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
    if (CHECK_OK(open_cached(&dataset, cohort, &window))) {
        CHECK(wrong_voxels(dataset, cohort, &window, 0, 32767) == 0 && cohort->n_problems == 0);
        CHECK_OK(hf_file_read(&found, &found_size, path, 1 << 20));
        CHECK(found_size == size && memcmp(found, good, size) == 0);
    }
    if (check_failed > failed) fprintf(stderr, "    the cache file was %s\n", what);
    hf_dataset_free(&dataset);
    free(found);
}

static void test_rebuilt(void)
{
    static const int32_t wrong_shapes[][3] = {
        { 8, 7, 6 }, { 6, 7, 9 }, { 0, 7, 8 }, { -6, -7, 8 }, { 1, 1, 1 }, { 3, 14, 8 }, { 1 << 30, 1 << 30, 1 << 30 }
    };
    hf_cohort cohort;
    hf_dataset *dataset;
    void *data = NULL;
    size_t size = 0;
    char *path = make_one(&cohort, &window), what[64];
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    small_must(hf_file_read(&data, &size, path, 1 << 20) == HF_OK, path);
    char *bytes = malloc(size);
    for (size_t at = 0; at < size; at += at < 88 ? 20 : 300) {
        memcpy(bytes, data, size);
        bytes[at] ^= 0x10;
        small_put(path, bytes, size);
        snprintf(what, sizeof what, "wrong at byte %zu", at);
        check_rebuilt(&cohort, path, data, size, what);
    }
    for (size_t length = 0; length < size; length = length * 4 + 50) {
        small_put(path, data, length);
        snprintf(what, sizeof what, "cut off after %zu bytes", length);
        check_rebuilt(&cohort, path, data, size, what);
    }
    for (size_t s = 0; s < sizeof wrong_shapes / sizeof wrong_shapes[0]; s++) {
        memcpy(bytes, data, size);
        memcpy(bytes + 8, wrong_shapes[s], sizeof wrong_shapes[s]);
        small_put(path, bytes, size);
        snprintf(what, sizeof what, "of wrong shape %zu", s);
        check_rebuilt(&cohort, path, data, size, what);
    }
    small_put(path, "\x93NUMPY, and so on: something else", 30);
    check_rebuilt(&cohort, path, data, size, "something else");
    memset(bytes, 0, size);
    small_put(path, bytes, size);
    check_rebuilt(&cohort, path, data, size, "all zeros");
    free(bytes);
    free(data);
    free(path);
    hf_cohort_free(&cohort);
}

/* ---- a cache that cannot be used --------------------------------------------------------------------------------- */

static void refuse(hf_cohort *cohort, const char *folder, const char *part)
{
    hf_dataset *dataset;
    hf_forecast forecast;
    hf_dataset_options options = { .cache_dir = folder };
    CHECK_STATUS(hf_dataset_open(&dataset, cohort, &window, NULL, &options), HF_ERR_IO, part);
    CHECK(!dataset && cohort->n_problems == 0);
    (void)!hf_dataset_forecast(&forecast, cohort, &window, &options); /* must not fall over either */
}

static void test_unusable_cache(void)
{
    hf_cohort cohort;
    char *path = make_one(&cohort, &window);
    small_put_text("file", "not a folder");
    refuse(&cohort, small_path("file"), "file': exists and is no folder");
    refuse(&cohort, small_path("file/deep/er"), "file/deep': cannot create the folder: Not a directory");
    const hf_dataset_options nameless = { .cache_dir = "" };
    hf_dataset *dataset;
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, &nameless), HF_ERR_ARGUMENT, "folder is empty");
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
    free(make_one(&cohort, &window));
    setenv("XDG_CACHE_HOME", small_path("xdg"), 1);
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, NULL));
    CHECK(files_in(small_path("xdg/hyperfusion/volumes")) == 1);
    CHECK(hf_dataset_forecast(&forecast, &cohort, &window, NULL) == HF_OK && forecast.missing == 0);
    hf_dataset_free(&dataset);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, NULL), HF_ERR_IO, "neither XDG_CACHE_HOME nor HOME");
    CHECK_STATUS(hf_dataset_forecast(&forecast, &cohort, &window, NULL), HF_ERR_IO, "neither XDG_CACHE_HOME nor HOME");
    hf_cohort_free(&cohort);
}

/* ---- subjects that are no good ----------------------------------------------------------------------------------- */

/* Each way a volume can be no good, with and without a cache. */
static void test_unusable_subjects(bool no_cache)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    float blank[6 * 7 * 8] = { 0 }, room[6 * 7 * 8], target = 0;
    hf_dataset_options options = cached_options();
    options.no_cache = no_cache;
    options.target_column = "age";
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t1\nsub-b\t2\nsub-c\t3\nsub-d\t4\nsub-e\t5\n");
    small_put_text("sub-a.nii.gz", "this is no gzip");
    small_put_volume("sub-b.nii", 6, 7, 8, 2);
    small_put_npy(small_path("sub-c.npy"), blank, window.shape);
    small_put_volume("sub-d.nii", 6, 7, 8, 4);
    small_put_volume("sub-e.npy", 6, 7, 8, 5);
    small_cohort_open(&cohort);
    remove(cohort.subject[3].image);
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options))) return;
    CHECK(cohort.n_problems == 3 && fatal_problem(&cohort, "sub-a", "sub-a.nii.gz"));
    CHECK(fatal_problem(&cohort, "sub-c", "0 non-zero voxels") && fatal_problem(&cohort, "sub-d", "sub-d.nii"));
    for (int i = 0; i < 5; i++)
        CHECK(hf_dataset_has(dataset, i) == (i == 1 || i == 4));
    CHECK_STATUS(hf_dataset_get(dataset, 2, room, NULL, NULL), HF_ERR_ARGUMENT, "no subject number 2");
    CHECK(hf_dataset_get(dataset, 4, room, NULL, &target) == HF_OK && target == 5);
    CHECK(wrong_voxels(dataset, &cohort, &window, 4, no_cache ? 0 : 32767) == 0);
    hf_dataset_free(&dataset);
    remove(cohort.subject[1].image);
    remove(cohort.subject[4].image);
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, &options), HF_ERR_FORMAT,
                 "none of the 5 volumes is usable; the first problem: ");
    CHECK(strstr(hf_error_message(), "sub-a.nii.gz") && !dataset);
    hf_cohort_free(&cohort);
}

static void test_shapes_differ(bool no_cache)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    const hf_grid as_stored = { .zscore = true };
    hf_dataset_options options = cached_options();
    options.no_cache = no_cache;
    make_cohort(&cohort);
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options), HF_ERR_SHAPE, "set a shape");
    CHECK(strstr(hf_error_message(), "sub-c is 6x9x8") && strstr(hf_error_message(), "sub-a is 9x8x7"));
    CHECK(!dataset && cohort.n_problems == 0);
    small_put_volume("sub-b.npy", 6, 9, 8, 2); /* now two of three agree */
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options));
    CHECK(cohort.n_problems == 1 && fatal_problem(&cohort, "sub-a", "is 9x8x7, but most are 6x9x8"));
    CHECK(!hf_dataset_has(dataset, 0) && hf_dataset_has(dataset, 1) && hf_dataset_has(dataset, 2));
    CHECK(memcmp(hf_dataset_shape(dataset), (int[3]){ 6, 9, 8 }, 3 * sizeof(int)) == 0);
    CHECK(wrong_voxels(dataset, &cohort, &as_stored, 1, no_cache ? 0 : 32767) == 0);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

static void test_bad_grid(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    const hf_grid huge = { .shape = { 5000, 1, 1 } }, expecting = { .spacing_expected = { 2, 2, 2 } };
    make_cohort(&cohort);
    CHECK_STATUS(open_cached(&dataset, &cohort, &huge), HF_ERR_FORMAT, "size 5000 along axis 0");
    CHECK_STATUS(open_cached(&dataset, &cohort, &expecting), HF_ERR_FORMAT, "measure 1 mm along axis 0, expected 2");
    hf_cohort_free(&cohort);
    cohort = (hf_cohort){ .folder = small_folder };
    CHECK_STATUS(open_cached(&dataset, &cohort, &window), HF_ERR_ARGUMENT, "has no subjects");
}

/* ---- targets and rows -------------------------------------------------------------------------------------------- */

static float target_of(const hf_dataset *dataset, int index)
{
    float target = -1;
    CHECK_OK(hf_dataset_get(dataset, index, NULL, NULL, &target));
    return target;
}

static void test_targets(void)
{
    static const char *const classes[] = { "CN", "MCI", "AD" };
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_dataset_options options = cached_options();
    make_cohort(&cohort);
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options));
    CHECK(isnan(target_of(dataset, 0)) && isnan(target_of(dataset, 2)));
    hf_dataset_free(&dataset);
    options.target_column = "age";
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options));
    CHECK(target_of(dataset, 0) == 61 && isnan(target_of(dataset, 1)) && target_of(dataset, 2) == 70.5f);
    hf_dataset_free(&dataset);
    options.target_column = "dx";
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, &options), HF_ERR_FORMAT, "dx");
    options.classes = classes;
    options.n_classes = 3;
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, NULL, &options));
    CHECK(target_of(dataset, 0) == 0 && target_of(dataset, 1) == 2 && isnan(target_of(dataset, 2)));
    hf_dataset_free(&dataset);
    options.n_classes = 2;
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, &options), HF_ERR_FORMAT,
                 "line 3: 'AD' in column 'dx', expected one of: CN, MCI");
    options.target_column = "agee";
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &window, NULL, &options), HF_ERR_ARGUMENT, "did you mean 'age'?");
    CHECK(!dataset);
    hf_cohort_free(&cohort);
}

static void test_rows(void)
{
    static const char *const specs[] = { "sex:onehot(F,M)", "age:raw+missing" };
    const hf_part part[3] = { HF_TRAIN, HF_TRAIN, HF_TRAIN };
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_encoder encoder;
    float found[8] = { 0 }, expected[8] = { 0 };
    const hf_dataset_options options = { .cache_dir = small_cache() };
    make_cohort(&cohort);
    CHECK_OK(hf_encoder_parse(&encoder, specs, 2));
    CHECK_OK(hf_encoder_fit(&encoder, &cohort, part));
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &window, &encoder, &options))) return;
    CHECK(hf_dataset_width(dataset) == 4 && encoder.width == 4);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(hf_dataset_get(dataset, i, NULL, found, NULL));
        CHECK_OK(hf_encoder_row(expected, &encoder, &cohort, i));
        CHECK(memcmp(found, expected, sizeof found) == 0);
    }
    CHECK(found[0] == 1 && found[1] == 0 && found[2] == 70.5f && found[3] == 0);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* ---- forecasts --------------------------------------------------------------------------------------------------- */

static void test_forecast(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_forecast f;
    hf_dataset_options options = cached_options();
    char *path = NULL;
    make_cohort(&cohort);
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &window, &options));
    CHECK(f.disk_bytes == 3 * hf_cached_bytes(window.shape) && f.missing == 3 && f.memory_bytes > 0);
    CHECK(hf_cached_bytes(window.shape) == 88 + 2 * 6 * 7 * 8);
    CHECK_OK(open_cached(&dataset, &cohort, &window));
    hf_dataset_free(&dataset);
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &window, &options));
    CHECK(f.missing == 0);
    CHECK_OK(hf_cached_path(&path, options.cache_dir, cohort.subject[2].image, &window));
    remove(path);
    free(path);
    small_put_text("sub-a.nii.gz", "damaged"); /* another one tells the sizes then */
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &window, &options));
    CHECK(f.missing == 2 && f.disk_bytes == 3 * hf_cached_bytes(window.shape));
    options.no_cache = true;
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &window, &options));
    CHECK(f.missing == 0 && f.disk_bytes == 0 && f.memory_bytes > 0);
    for (int i = 0; i < 3; i++)
        remove(cohort.subject[i].image);
    CHECK_STATUS(hf_dataset_forecast(&f, &cohort, &window, &options), HF_ERR_FORMAT,
                 "none of the 3 volumes can be read");
    hf_cohort_free(&cohort);
}

/* One subject is prepared by one thread, so its numbers are those of one volume. */
static void test_forecast_memory(void)
{
    hf_cohort cohort;
    hf_forecast f;
    const size_t stored = 6 * 7 * 8;
    const hf_grid coarse = { .spacing = { 2, 2, 2 } }, fine = { .spacing = { .5, .5, .5 }, .shape = { 4, 4, 4 } };
    const hf_grid large = { .shape = { 60, 70, 80 } };
    free(make_one(&cohort, &window));
    const hf_dataset_options options = cached_options();
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &window, &options));
    CHECK(f.memory_bytes == 12 * stored); /* a file of doubles with what is decoded from it */
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &coarse, &options));
    CHECK(f.memory_bytes == 4 * (stored + 3 * 4 * 4 + 3 * stored));
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &fine, &options));
    CHECK(f.memory_bytes == 4 * (stored + 4 * 4 * 4 + 3 * 8 * stored));
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &large, &options));
    CHECK(f.memory_bytes == 4 * (stored + 1000 * stored) && f.disk_bytes == 88 + 2 * 1000 * stored);
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
    if (CHECK_OK(open_cached(&dataset, cohort, &window)))
        for (int i = 0; i < 3; i++)
            CHECK(hf_dataset_has(dataset, i) && wrong_voxels(dataset, cohort, &window, i, 32767) == 0);
    CHECK(cohort->n_problems == 0);
    _exit(check_failed);
}

/* On a cold cache, and on one whose files are all damaged. */
static void test_two_processes(void)
{
    hf_cohort cohort;
    make_cohort(&cohort);
    for (int round = 0; round < 4; round++) {
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
        CHECK(files_in(small_cache()) == 3);
        for (int i = 0; i < 3; i++) {
            char *path = NULL;
            CHECK_OK(hf_cached_path(&path, small_cache(), cohort.subject[i].image, &window));
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
    test_values();
    test_extremes();
    test_no_cache();
    test_shape_changes();
    test_taken();
    test_grid_in_key();
    test_source_in_key();
    test_every_byte();
    test_rebuilt();
    test_unusable_cache();
    test_default_folder();
    test_unusable_subjects(false);
    test_unusable_subjects(true);
    test_shapes_differ(false);
    test_shapes_differ(true);
    test_bad_grid();
    test_targets();
    test_rows();
    test_forecast();
    test_forecast_memory();
    small_cohort_remove();
    return check_done("dataset");
}
