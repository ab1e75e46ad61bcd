/* Checks datasets: their values against preprocessing itself, with and without a cache; subjects that are no good,
 * shapes that differ, targets, table rows, forecasts. What the cache does about its files is in volume_cache.c. */
#include "small_cohort.h"

static const hf_problem *fatal_problem(const hf_cohort *cohort, const char *subject, const char *part)
{
    for (int i = 0; i < cohort->n_problems; i++) {
        const hf_problem *p = &cohort->problem[i];
        if (p->fatal && strcmp(p->subject, subject) == 0 && strstr(p->text, part)) return p;
    }
    return NULL;
}

/* ---- volumes --------------------------------------------------------------------------------------------------- */

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
        small_cohort_make(&cohort);
        if (!CHECK_OK(small_open(&dataset, &cohort, &grids[g]))) return;
        CHECK(memcmp(hf_dataset_shape(dataset), grids[g].shape, sizeof grids[g].shape) == 0);
        CHECK(hf_dataset_width(dataset) == 0 && cohort.n_problems == 0);
        for (int i = 0; i < 3; i++)
            CHECK(hf_dataset_has(dataset, i) && small_wrong_voxels(dataset, &cohort, &grids[g], i, 32767) == 0);
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

static void test_no_cache(void)
{
    hf_cohort cohort;
    hf_dataset *dataset, *cached;
    const hf_dataset_options options = { .no_cache = true, .cache_dir = "/dev/null/never" };
    small_cohort_make(&cohort);
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options))) return;
    CHECK_OK(small_open(&cached, &cohort, &small_window));
    for (int i = 0; i < 3; i++) {
        CHECK(small_wrong_voxels(dataset, &cohort, &small_window, i, 0) == 0);
        CHECK(small_wrong_voxels(cached, &cohort, &small_window, i, 32767) == 0);
    }
    float *room = calloc(small_count(small_window.shape), sizeof *room);
    remove(cohort.subject[1].image);
    CHECK_STATUS(hf_dataset_get(dataset, 1, room, NULL, NULL), HF_ERR_IO, "sub-b.npy");
    CHECK_OK(hf_dataset_get(cached, 1, room, NULL, NULL)); /* what is cached needs no source */
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
    free(small_one_make(&cohort, &as_stored));
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options))) return;
    CHECK(small_wrong_voxels(dataset, &cohort, &as_stored, 0, 0) == 0);
    small_put_volume("sub-a.nii", 20, 21, 22, 1);
    CHECK_STATUS(hf_dataset_get(dataset, 0, room, NULL, NULL), HF_ERR_SHAPE, "20x21x22 voxels, expected 6x7x8");
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* ---- subjects that are no good ----------------------------------------------------------------------------------- */

/* Each way a volume can be no good, with and without a cache. */
static void test_unusable_subjects(bool no_cache)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    float blank[6 * 7 * 8] = { 0 }, room[6 * 7 * 8], target = 0;
    hf_dataset_options options = small_options();
    options.no_cache = no_cache;
    options.targets = (const float[]){ 1, 2, 3, 4, 5 };
    options.n_targets = 1;
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t1\nsub-b\t2\nsub-c\t3\nsub-d\t4\nsub-e\t5\n");
    small_put_text("sub-a.nii.gz", "this is no gzip");
    small_put_volume("sub-b.nii", 6, 7, 8, 2);
    small_put_npy(small_path("sub-c.npy"), blank, small_window.shape);
    small_put_volume("sub-d.nii", 6, 7, 8, 4);
    small_put_volume("sub-e.npy", 6, 7, 8, 5);
    small_cohort_open(&cohort);
    remove(cohort.subject[3].image);
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options))) return;
    CHECK(cohort.n_problems == 3 && fatal_problem(&cohort, "sub-a", "sub-a.nii.gz"));
    CHECK(fatal_problem(&cohort, "sub-c", "0 non-zero voxels") && fatal_problem(&cohort, "sub-d", "sub-d.nii"));
    for (int i = 0; i < 5; i++)
        CHECK(hf_dataset_has(dataset, i) == (i == 1 || i == 4));
    CHECK_STATUS(hf_dataset_get(dataset, 2, room, NULL, NULL), HF_ERR_ARGUMENT, "no subject number 2");
    CHECK(hf_dataset_get(dataset, 4, room, NULL, &target) == HF_OK && target == 5);
    CHECK(small_wrong_voxels(dataset, &cohort, &small_window, 4, no_cache ? 0 : 32767) == 0);
    hf_dataset_free(&dataset);
    remove(cohort.subject[1].image);
    remove(cohort.subject[4].image);
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options), HF_ERR_FORMAT,
                 "none of the 5 subjects is usable; the first problem: ");
    CHECK(strstr(hf_error_message(), "sub-a.nii.gz") && !dataset);
    hf_cohort_free(&cohort);
}

/* A file that does not say how its volume lies is no good where that is asked for, out of the cache too. */
static void test_unoriented(bool no_cache)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_dataset_options options = small_options();
    options.no_cache = no_cache;
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t1\nsub-b\t2\n");
    small_put_volume("sub-a.nii", 6, 7, 8, 1);
    small_put_volume("sub-b.npy", 6, 7, 8, 2);
    for (int round = 0; round < 3; round++) {
        small_cohort_open(&cohort);
        options.oriented = round > 0;
        if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options))) return;
        CHECK(hf_dataset_has(dataset, 0) && hf_dataset_has(dataset, 1) == (round == 0));
        CHECK(cohort.n_problems == (round > 0) &&
              (round == 0 || fatal_problem(&cohort, "sub-b", "does not say how the volume lies")));
        CHECK(strcmp(hf_dataset_image(dataset, 0), hf_dataset_source(dataset, 0)) == 0);
        hf_dataset_free(&dataset);
        hf_cohort_free(&cohort);
    }
}

static void test_shapes_differ(bool no_cache)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    const hf_grid as_stored = { .zscore = true };
    hf_dataset_options options = small_options();
    options.no_cache = no_cache;
    small_cohort_make(&cohort);
    CHECK_STATUS(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options), HF_ERR_SHAPE, "set a shape");
    CHECK(strstr(hf_error_message(), "sub-c is 6x9x8") && strstr(hf_error_message(), "sub-a is 9x8x7"));
    CHECK(!dataset && cohort.n_problems == 0);
    small_put_volume("sub-b.npy", 6, 9, 8, 2); /* now two of three agree */
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &as_stored, NULL, &options));
    CHECK(cohort.n_problems == 1 && fatal_problem(&cohort, "sub-a", "is 9x8x7, but most are 6x9x8"));
    CHECK(!hf_dataset_has(dataset, 0) && hf_dataset_has(dataset, 1) && hf_dataset_has(dataset, 2));
    CHECK(memcmp(hf_dataset_shape(dataset), (int[3]){ 6, 9, 8 }, 3 * sizeof(int)) == 0);
    CHECK(small_wrong_voxels(dataset, &cohort, &as_stored, 1, no_cache ? 0 : 32767) == 0);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

static void test_bad_grid(void)
{
    hf_cohort cohort;
    hf_dataset *dataset;
    const hf_grid huge = { .shape = { 5000, 1, 1 } }, expecting = { .spacing_expected = { 2, 2, 2 } };
    small_cohort_make(&cohort);
    CHECK_STATUS(small_open(&dataset, &cohort, &huge), HF_ERR_FORMAT, "size 5000 along axis 0");
    CHECK_STATUS(small_open(&dataset, &cohort, &expecting), HF_ERR_FORMAT, "measure 1 mm along axis 0, expected 2");
    hf_cohort_free(&cohort);
    cohort = (hf_cohort){ .folder = small_folder };
    CHECK_STATUS(small_open(&dataset, &cohort, &small_window), HF_ERR_ARGUMENT, "has no subjects");
}

/* ---- targets and rows -------------------------------------------------------------------------------------------- */

static void test_targets(void)
{
    static const float given[] = { 61, 0, NAN, 1, 70.5f, 2 }; /* [3,2] */
    hf_cohort cohort;
    hf_dataset *dataset;
    hf_dataset_options options = small_options();
    float target[2] = { -1, -1 };
    small_cohort_make(&cohort);
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options));
    CHECK_OK(hf_dataset_get(dataset, 2, NULL, NULL, target));
    CHECK(hf_dataset_targets(dataset) == 1 && isnan(target[0]) && target[1] == -1);
    hf_dataset_free(&dataset);
    options.targets = given;
    options.n_targets = 2;
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &options));
    CHECK(hf_dataset_targets(dataset) == 2);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(hf_dataset_get(dataset, i, NULL, NULL, target));
        CHECK(memcmp(target, given + 2 * i, sizeof target) == 0);
    }
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

static void test_classes(void)
{
    static const char *const classes[] = { "CN", "MCI", "AD", "61.0" };
    hf_cohort cohort;
    int class[3];
    small_cohort_make(&cohort);
    const int dx = hf_table_column(&cohort.table, "dx"), age = hf_table_column(&cohort.table, "age");
    for (int i = 0; i < 3; i++)
        CHECK_OK(hf_table_class(&class[i], &cohort.table, cohort.subject[i].row, dx, classes, 3));
    CHECK(class[0] == 0 && class[1] == 2 && class[2] == -1);
    CHECK_OK(hf_table_class(class, &cohort.table, cohort.subject[0].row, age, classes, 4));
    CHECK(class[0] == 3); /* equal as numbers */
    CHECK_STATUS(hf_table_class(class, &cohort.table, cohort.subject[1].row, dx, classes, 2), HF_ERR_FORMAT,
                 "line 3: 'AD' in column 'dx', expected one of: CN, MCI");
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
    small_cohort_make(&cohort);
    CHECK_OK(hf_encoder_parse(&encoder, specs, 2));
    CHECK_OK(hf_encoder_fit(&encoder, &cohort, part));
    if (!CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, &encoder, &options))) return;
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
    hf_dataset_options options = small_options();
    char *path = NULL;
    small_cohort_make(&cohort);
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &small_window, &options));
    CHECK(f.disk_bytes == 3 * hf_cached_bytes(small_window.shape) && f.missing == 3 && f.memory_bytes > 0);
    CHECK(hf_cached_bytes(small_window.shape) == 176 + 2 * 6 * 7 * 8);
    CHECK_OK(small_open(&dataset, &cohort, &small_window));
    hf_dataset_free(&dataset);
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &small_window, &options));
    CHECK(f.missing == 0);
    CHECK_OK(hf_cached_path(&path, options.cache_dir, cohort.subject[2].image, NULL, &small_window));
    remove(path);
    free(path);
    small_put_text("sub-a.nii.gz", "damaged"); /* another one tells the sizes then */
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &small_window, &options));
    CHECK(f.missing == 2 && f.disk_bytes == 3 * hf_cached_bytes(small_window.shape));
    options.no_cache = true;
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &small_window, &options));
    CHECK(f.missing == 0 && f.disk_bytes == 0 && f.memory_bytes > 0);
    for (int i = 0; i < 3; i++)
        remove(cohort.subject[i].image);
    CHECK_STATUS(hf_dataset_forecast(&f, &cohort, &small_window, &options), HF_ERR_FORMAT,
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
    free(small_one_make(&cohort, &small_window));
    const hf_dataset_options options = small_options();
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &small_window, &options));
    CHECK(f.memory_bytes == 12 * stored); /* a file of doubles with what is decoded from it */
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &coarse, &options));
    CHECK(f.memory_bytes == 4 * (stored + 3 * 4 * 4 + 3 * stored));
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &fine, &options));
    CHECK(f.memory_bytes == 4 * (stored + 4 * 4 * 4 + 3 * 8 * stored));
    CHECK_OK(hf_dataset_forecast(&f, &cohort, &large, &options));
    CHECK(f.memory_bytes == 4 * (stored + 1000 * stored) && f.disk_bytes == 176 + 2 * 1000 * stored);
    hf_cohort_free(&cohort);
}

int main(void)
{
    test_values();
    test_no_cache();
    test_shape_changes();
    test_unusable_subjects(false);
    test_unusable_subjects(true);
    test_unoriented(false);
    test_unoriented(true);
    test_shapes_differ(false);
    test_shapes_differ(true);
    test_bad_grid();
    test_targets();
    test_classes();
    test_rows();
    test_forecast();
    test_forecast_memory();
    small_cohort_remove();
    return check_done("dataset");
}
