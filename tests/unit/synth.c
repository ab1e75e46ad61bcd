/* synth.c: the synthetic cohort: repeatable, well-formed, and with an anatomy that ages. */
#include "anatomy.h"
#include "check.h"
#include "hfdata.h"
#include <stdlib.h>
#include <string.h>

static char folder[] = "/tmp/hf-synth-XXXXXX";

static char *inside(const char *name)
{
    char *path = NULL;
    CHECK_OK(hf_path_join(&path, folder, name));
    return path;
}

static bool same_file(const char *a, const char *b)
{
    char *first = inside(a), *second = inside(b);
    void *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    const bool read = CHECK_OK(hf_file_read(&x, &n, first, 1 << 24)) && CHECK_OK(hf_file_read(&y, &m, second, 1 << 24));
    const bool same = read && n == m && memcmp(x, y, n) == 0;
    free(first);
    free(second);
    free(x);
    free(y);
    return same;
}

static void make(const char *name, const hf_synth_options *options)
{
    char *path = inside(name);
    CHECK_OK(hf_cohort_make(path, options));
    free(path);
}

/* The first subjects are the same whatever the size of the cohort; another seed gives other brains. */
static void check_repeatable(void)
{
    make("small", &(hf_synth_options){ .subjects = 4, .shape = { 20, 24, 20 }, .seed = 3 });
    make("large", &(hf_synth_options){ .subjects = 7, .shape = { 20, 24, 20 }, .seed = 3 });
    make("other", &(hf_synth_options){ .subjects = 4, .shape = { 20, 24, 20 }, .seed = 4 });
    CHECK(same_file("small/sub-0003/anat/sub-0003_T1w.nii.gz", "large/sub-0003/anat/sub-0003_T1w.nii.gz"));
    CHECK(!same_file("small/sub-0003/anat/sub-0003_T1w.nii.gz", "other/sub-0003/anat/sub-0003_T1w.nii.gz"));
}

/* The cohort reads back through our own readers, without a problem. */
static void check_cohort(const char *name, int subjects, const char *column)
{
    char *path = inside(name);
    hf_cohort cohort = { 0 };
    hf_volume volume = { 0 };
    if (CHECK_OK(hf_cohort_open(&cohort, path, NULL))) {
        CHECK(cohort.n_subjects == subjects);
        CHECK(cohort.n_problems == 0);
        CHECK(hf_table_column(&cohort.table, column) >= 0);
        CHECK_OK(hf_volume_read(&volume, cohort.subject[0].image));
        CHECK(volume.shape[0] == 20 && volume.shape[1] == 24 && volume.shape[2] == 20);
        CHECK(volume.voxels[0] == 0); /* background */
    }
    hf_volume_free(&volume);
    hf_cohort_free(&cohort);
    free(path);
}

/* A label is one of "yes" and "no" by the bit and the measure, each half of the cohort on one side of the threshold. */
static void check_labels(const char *name, int subjects)
{
    char *path = inside(name);
    hf_cohort cohort = { 0 };
    double lowest_dark = INFINITY, highest_light = -INFINITY;
    int dark = 0;
    const bool opened = CHECK_OK(hf_cohort_open(&cohort, path, NULL));
    free(path);
    if (!opened) return;
    const hf_table *t = &cohort.table;
    const int bit = hf_table_column(t, "bit"), label = hf_table_column(t, "label");
    const int darkness = hf_table_column(t, "darkness");
    CHECK(t->rows == subjects && cohort.n_subjects == subjects && bit >= 0 && label >= 0 && darkness >= 0);
    for (int row = 0; row < t->rows; row++) {
        char **cell = t->cell + (size_t)row * (size_t)t->columns;
        double measure;
        const bool is_dark = (strcmp(cell[label], "yes") == 0) == (strcmp(cell[bit], "a") == 0);
        CHECK_OK(hf_table_number(&measure, t, row, darkness));
        dark += is_dark;
        lowest_dark = is_dark ? fmin(lowest_dark, measure) : lowest_dark;
        highest_light = is_dark ? highest_light : fmax(highest_light, measure);
    }
    CHECK(dark == subjects / 2);
    CHECK(highest_light < lowest_dark);
    hf_cohort_free(&cohort);
}

static void check_interaction(void)
{
    char *drawn = inside("drawn");
    make("drawn", &(hf_synth_options){ .task = "interaction", .subjects = 12, .shape = { 20, 24, 20 }, .seed = 3 });
    check_labels("drawn", 12);
    make("taken", &(hf_synth_options){ .task = "interaction", .source = drawn, .seed = 5 });
    check_labels("taken", 12);
    CHECK(same_file("drawn/sub-0003/anat/sub-0003_T1w.nii.gz", "taken/sub-0003/anat/sub-0003_T1w.nii.gz"));
    make("fewer", &(hf_synth_options){ .task = "interaction", .source = drawn, .subjects = 6 });
    check_labels("fewer", 6);
    free(drawn);
}

static void check_refusals(void)
{
    char *path = inside("small"), *fresh = inside("fresh");
    CHECK_STATUS(hf_cohort_make(path, NULL), HF_ERR_ARGUMENT, "there is a cohort already");
    CHECK_STATUS(hf_cohort_make(fresh, &(hf_synth_options){ .task = "brainage" }), HF_ERR_ARGUMENT, "'brain-age'");
    CHECK_STATUS(hf_cohort_make(fresh, &(hf_synth_options){ .subjects = 3 }), HF_ERR_ARGUMENT, "expected 4");
    CHECK_STATUS(hf_cohort_make(fresh, &(hf_synth_options){ .source = path }), HF_ERR_ARGUMENT,
                 "'brain-age' says what brains look like");
    CHECK_STATUS(hf_cohort_make(fresh, &(hf_synth_options){ .shape = { 8, 40, 40 } }), HF_ERR_ARGUMENT, "8x40x40");
    CHECK(!hf_path_exists(fresh));
    free(path);
    free(fresh);
}

/* Fluid, as a share of the brain's voxels: everything darker than halfway between fluid and grey. */
static double fluid_share(double age, bool male, hf_diagnosis diagnosis, int subject)
{
    enum { D = 30, H = 36, W = 30, VOXELS = D * H * W };
    static float voxels[VOXELS];
    static const int shape[3] = { D, H, W };
    hf_anatomy anatomy;
    const hf_person person = { .age = age, .male = male, .diagnosis = diagnosis };
    const double spacing = hf_phantom_spacing(shape);
    int brain = 0, fluid = 0;
    hf_anatomy_make(&anatomy, &person, spacing, 1, (uint64_t)subject);
    hf_phantom_render(voxels, shape, spacing, &anatomy);
    for (int i = 0; i < VOXELS; i++) {
        brain += voxels[i] > 0;
        fluid += voxels[i] > 0 && voxels[i] < 0.5 * (anatomy.fluid + anatomy.grey);
    }
    CHECK(brain > VOXELS / 8 && brain < VOXELS * 3 / 4);
    return (double)fluid / brain;
}

/* Every brain loses tissue; men lose little before 55 and more than women after; disease takes more. */
static void check_ageing(void)
{
    for (int subject = 0; subject < 6; subject++) {
        const bool male = subject % 2;
        CHECK(fluid_share(80, male, HF_CN, subject) > fluid_share(30, male, HF_CN, subject));
        CHECK(fluid_share(72, male, HF_AD, subject) > fluid_share(72, male, HF_CN, subject));
        const double early = fluid_share(50, true, HF_CN, subject) - fluid_share(25, true, HF_CN, subject);
        const double late = fluid_share(85, true, HF_CN, subject) - fluid_share(60, true, HF_CN, subject);
        CHECK(late > early);
    }
}

int main(void)
{
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("synth");
    check_repeatable();
    check_cohort("small", 4, "age");
    make("clinical", &(hf_synth_options){ .task = "ad", .subjects = 9, .shape = { 20, 24, 20 } });
    check_cohort("clinical", 9, "PTAU");
    check_interaction();
    check_refusals();
    check_ageing();
    check_remove_tree(folder);
    return check_done("synth");
}
