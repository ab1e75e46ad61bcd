/* brain_cohort.h: what the tests of training runs share: a small cohort of drawn brains, a recipe for it that trains in
 * seconds, and the comparison of what two runs left. */
#ifndef HF_TESTS_BRAIN_COHORT_H
#define HF_TESTS_BRAIN_COHORT_H

#include "check.h"
#include "run/parts.h"

enum { SUBJECTS = 14, SIDE = 36 };

/* An ellipsoid with a hole that grows with age, brighter on one side. */
static inline void draw(float *voxels, double age, uint64_t subject)
{
    for (int d = 0; d < SIDE; d++)
        for (int h = 0; h < SIDE; h++)
            for (int w = 0; w < SIDE; w++) {
                const double x = (d + 0.5) / SIDE * 2 - 1, y = (h + 0.5) / SIDE * 2 - 1, z = (w + 0.5) / SIDE * 2 - 1;
                const double r = sqrt(x * x + y * y + 1.2 * z * z);
                const double noise = hf_random_normal(subject, 1, (uint64_t)((d * SIDE + h) * SIDE + w));
                *voxels++ = r > 0.9 ? 0 : (float)(100 + (r < age / 160 ? -60 : 0) + 20 * y + 30 * z + 5 * noise);
            }
}

static inline hf_status make_subject(const char *folder, int i, double age)
{
    char path[512];
    hf_volume volume = { .shape = { SIDE, SIDE, SIDE }, .spacing = { 4, 4, 4 }, .stored_axes = "RAS" };
    for (int axis = 0; axis < 3; axis++)
        volume.affine[axis][axis] = 4;
    snprintf(path, sizeof path, "%s/sub-%02d/anat", folder, i);
    HF_TRY(hf_make_dirs(path));
    HF_TRY(hf_alloc(&volume.voxels, SIDE * SIDE * SIDE, sizeof(float), "a volume"));
    draw(volume.voxels, age, (uint64_t)i);
    snprintf(path, sizeof path, "%s/sub-%02d/anat/sub-%02d_T1w.nii", folder, i, i);
    const hf_status status = hf_volume_write(&volume, path, false);
    hf_volume_free(&volume);
    return status;
}

/* Sub-03 has no age: it must be left out and named. */
static inline hf_status make_cohort(const char *folder)
{
    char path[512];
    hf_text table = { 0 };
    hf_text_add(&table, "participant_id\tage\tsex\n");
    for (int i = 0; i < SUBJECTS; i++) {
        const double age = 20 + 60 * hf_random_uniform(5, 6, (uint64_t)i);
        if (i == 3)
            hf_text_add(&table, "sub-%02d\tn/a\tF\n", i);
        else
            hf_text_add(&table, "sub-%02d\t%.1f\t%s\n", i, age, i % 2 ? "M" : "F");
        HF_TRY(make_subject(folder, i, age));
    }
    snprintf(path, sizeof path, "%s/participants.tsv", folder);
    hf_status status = hf_text_check(&table);
    if (status == HF_OK) status = hf_file_write(path, table.data, table.size);
    hf_text_free(&table);
    return status;
}

static inline hf_status make_recipe(hf_recipe *out, const char *cohort, const char *cache)
{
    static const char *const settings[] = {
        "cohort.shape=36,36,36",    "split.method=random",      "split.valid=0.2",
        "split.test=0.3",           "train.epochs=3",           "train.batch_size=4",
        "train.learning_rate=1e-3", "train.start_at_mean=true", "split.seed=3"
    };
    char text[600];
    HF_TRY(hf_recipe_defaults(out));
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        HF_TRY(hf_recipe_set(out, settings[i]));
    snprintf(text, sizeof text, "cohort.path=%s", cohort);
    HF_TRY(hf_recipe_set(out, text));
    snprintf(text, sizeof text, "cohort.cache_dir=%s", cache);
    return hf_recipe_set(out, text);
}

static inline bool same_files(const char *a, const char *b, const char *name)
{
    char path[2][600];
    void *data[2] = { 0 };
    size_t size[2] = { 0 };
    const char *folder[] = { a, b };
    bool same = true;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/%s", folder[i], name);
        same = hf_file_read(&data[i], &size[i], path[i], (size_t)64 << 20) == HF_OK && same;
    }
    same = same && size[0] == size[1] && memcmp(data[0], data[1], size[0]) == 0;
    free(data[0]);
    free(data[1]);
    return same;
}

#endif
