/* A training run without the program around it: the same seed gives the same bytes, resuming too; what is refused; and
 * the parts that are easier to check alone: augmentation, the guard, predictions as text. The cohort is made here, so
 * that nothing but the trainer is under test. */
#include "check.h"
#include "run/parts.h"

#include <unistd.h>

enum { SUBJECTS = 14, SIDE = 36 };

/* ---- a cohort ---------------------------------------------------------------------------------------------------- */

/* An ellipsoid with a hole that grows with age, brighter on one side. */
static void draw(float *voxels, double age, uint64_t subject)
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

static hf_status make_subject(const char *folder, int i, double age)
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
static hf_status make_cohort(const char *folder)
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

static hf_status make_recipe(hf_recipe *out, const char *cohort, const char *cache)
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

/* ---- runs -------------------------------------------------------------------------------------------------------- */

typedef struct heard {
    hf_text lines;
    int epochs;
} heard;

static void hear(void *user, const char *line)
{
    hf_text_add(&((heard *)user)->lines, "%s\n", line);
}

static void hear_epoch(void *user, const hf_epoch *epoch)
{
    CHECK(epoch->epoch >= 1 && isfinite(epoch->train_loss) && isfinite(epoch->valid_mae) && epoch->seconds > 0);
    ((heard *)user)->epochs++;
}

static bool same_files(const char *a, const char *b, const char *name)
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

static void test_runs(const char *root, hf_recipe *recipe)
{
    char one[300], two[300], three[300];
    heard ears = { 0 };
    hf_predictions test = { 0 };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(two, sizeof two, "%s/two", root);
    snprintf(three, sizeof three, "%s/three", root);
    const hf_watch watch = { .say = hear, .epoch = hear_epoch, .user = &ears };
    CHECK_OK(hf_run_train(&test, recipe, one, &(hf_train_options){ .watch = watch }));
    CHECK(ears.epochs == 3);
    CHECK(strstr(ears.lines.data, "left out: 'sub-03' has no age") != NULL);
    CHECK(test.count >= 3 && test.group && isfinite(test.train_mean) && isfinite(test.train_median));
    for (int i = 0; i < test.count; i++)
        CHECK(isfinite(test.predicted[i]) && isfinite(test.truth[i]) && strcmp(test.id[i], "sub-03") != 0);
    hf_predictions_free(&test);
    hf_text_free(&ears.lines);

    CHECK_OK(hf_run_train(NULL, recipe, two, NULL));
    CHECK(same_files(one, two, "last.safetensors") && same_files(one, two, "best.safetensors"));
    CHECK(same_files(one, two, "predictions-test.tsv"));

    CHECK_OK(hf_recipe_set(recipe, "train.epochs=1"));
    CHECK_OK(hf_run_train(NULL, recipe, three, NULL));
    CHECK(!same_files(one, three, "last.safetensors"));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=3"));
    CHECK_STATUS(hf_run_train(NULL, recipe, three, NULL), HF_ERR_ARGUMENT, "in use already");
    CHECK_OK(hf_run_train(NULL, recipe, three, &(hf_train_options){ .resume = true }));
    CHECK(same_files(one, three, "last.safetensors") && same_files(one, three, "best.safetensors"));
    CHECK(same_files(one, three, "recipe.yaml"));

    CHECK_OK(hf_recipe_set(recipe, "train.seed=2"));
    CHECK_STATUS(hf_run_train(NULL, recipe, three, &(hf_train_options){ .resume = true }), HF_ERR_ARGUMENT,
                 "was started with 'seed: 1', the recipe now says 'seed: 2'");
    CHECK_OK(hf_recipe_set(recipe, "train.seed=1"));
}

static void test_predict(const char *root, const char *cohort)
{
    char run[300], image[400];
    double with_f, with_m;
    heard ears = { 0 };
    const hf_watch watch = { .say = hear, .user = &ears };
    hf_predictions all = { 0 };
    hf_text text = { 0 };
    snprintf(run, sizeof run, "%s/one", root);
    snprintf(image, sizeof image, "%s/sub-02/anat/sub-02_T1w.nii", cohort);
    CHECK_OK(hf_run_predict_image(&with_f, run, image, (const char *[]){ "sex=F" }, 1, NULL, &watch));
    CHECK_OK(hf_run_predict_image(&with_m, run, image, (const char *[]){ "sex=M" }, 1, NULL, &watch));
    CHECK(with_f != with_m); /* the row does reach the network */
    CHECK(ears.lines.size == 0);
    CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = cohort }));
    CHECK(all.count == SUBJECTS && isnan(all.truth[3]) && isfinite(all.predicted[3]));
    CHECK_NEAR(all.predicted[2], with_f, 1e-4 * fabs(with_f));
    CHECK_OK(hf_predictions_text(&all, &text));
    CHECK(strstr(text.data, "participant_id\tsex\tage\tpredicted\terror\nsub-00\tF\t") == text.data);
    CHECK(strstr(text.data, "sub-03\tF\tn/a\t") != NULL);
    hf_predictions_free(&all);
    CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = cohort, .needs_truth = true }));
    CHECK(all.count == SUBJECTS - 1);
    hf_predictions_free(&all);
    hf_text_free(&text);
    CHECK_STATUS(hf_run_predict(&all, cohort, &(hf_evaluate_options){ .part = HF_TEST }), HF_ERR_IO,
                 "no finished epoch");
}

/* Numbers that blow up stop the run; the folder keeps what it had. */
static void test_blow_up(const char *root, hf_recipe *recipe)
{
    char run[300];
    snprintf(run, sizeof run, "%s/wild", root);
    CHECK_OK(hf_recipe_set(recipe, "train.optimizer=sgd"));
    CHECK_OK(hf_recipe_set(recipe, "train.learning_rate=100"));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=30"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_NUMBER, "epoch 1");
    CHECK(!hf_run_has(run, "last.safetensors"));
}

static void test_refused_recipes(const char *root, hf_recipe *recipe)
{
    char run[300];
    snprintf(run, sizeof run, "%s/refused", root);
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=mmse"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "no column 'mmse'");
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=age"));
    CHECK_OK(hf_recipe_set(recipe, "task=ad"));
    CHECK_OK(hf_recipe_set(recipe, "train.loss=cross-entropy"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_UNSUPPORTED, "task 'ad'");
    CHECK_OK(hf_recipe_set(recipe, "task=brain-age"));
    CHECK_OK(hf_recipe_set(recipe, "train.loss=mse"));
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static void test_guard(void)
{
    hf_guard guard = { 0 };
    float *volume;
    const int shape[3] = { SIDE, SIDE, SIDE };
    CHECK_OK(hf_alloc(&volume, SIDE * SIDE * SIDE, sizeof *volume, "a volume"));
    draw(volume, 50, 1);
    for (int i = 0; i < HF_THUMBNAIL_CELLS; i++) /* any pattern: correlation with itself is 1 */
        guard.mean[i] = (float)hf_random_normal(1, 2, (uint64_t)i);
    float *cells = guard.mean;
    const int coarse[3] = { HF_THUMBNAIL_SIDE, HF_THUMBNAIL_SIDE, HF_THUMBNAIL_SIDE };
    CHECK_NEAR(hf_guard_correlation(&guard, cells, coarse), 1, 1e-6);
    CHECK(fabs(hf_guard_correlation(&guard, volume, shape)) < 0.2);
    const float flat[8] = { 0 };
    CHECK(isnan(hf_guard_correlation(&guard, flat, (const int[]){ 2, 2, 2 })));
    free(volume);
}

int main(void)
{
    char root[] = "/tmp/hf-trainer-XXXXXX", cohort[300], cache[300];
    hf_recipe recipe = { 0 };
    if (!CHECK(mkdtemp(root) != NULL)) return check_done("trainer");
    snprintf(cohort, sizeof cohort, "%s/cohort", root);
    snprintf(cache, sizeof cache, "%s/cache", root);
    test_guard();
    if (CHECK_OK(make_cohort(cohort)) && CHECK_OK(make_recipe(&recipe, cohort, cache))) {
        test_runs(root, &recipe);
        test_predict(root, cohort);
        test_refused_recipes(root, &recipe);
        test_blow_up(root, &recipe);
    }
    hf_recipe_free(&recipe);
    check_remove_tree(root);
    return check_done("trainer");
}
