/* A training run without the program around it: the same seed gives the same bytes, resuming too; what is refused; and
 * the parts that are easier to check alone: augmentation, the guard, predictions as text. The cohort is made here, so
 * that nothing but the trainer is under test. */
#include "check.h"
#include "run/parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
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
    CHECK(epoch->epoch >= 1 && isfinite(epoch->train_loss) && isfinite(epoch->valid[epoch->select]) &&
          epoch->seconds > 0);
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
    CHECK(test.count >= 3 && test.n_groups == 1 && strcmp(test.group_name[0], "sex") == 0);
    CHECK(isfinite(test.target.baseline[0][0]) && isfinite(test.target.baseline[1][0]));
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
                 "was started with 'train.seed: 1', the recipe now says 'train.seed: 2'");
    CHECK_OK(hf_recipe_set(recipe, "train.seed=1"));
}

static void copy_file(const char *from, const char *to, const char *name)
{
    char path[600];
    void *data = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", from, name);
    CHECK_OK(hf_file_read(&data, &size, path, (size_t)64 << 20));
    snprintf(path, sizeof path, "%s/%s", to, name);
    CHECK_OK(hf_file_write(path, data, size));
    free(data);
}

/* Weights that are not numbers make no predictions, whoever put them there. */
static void test_nan_predictions(const char *root, const char *cohort)
{
    char one[300], run[300], path[700];
    hf_archive archive = { 0 };
    hf_predictions all = { 0 }, single = { 0 };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(run, sizeof run, "%s/nan", root);
    snprintf(path, sizeof path, "%s/best.safetensors", one);
    CHECK_OK(hf_archive_read(&archive, path));
    hf_entry *bias = (hf_entry *)hf_archive_find(&archive, "final_layer.bias_generator.bias");
    if (CHECK(bias != NULL)) ((float *)bias->data)[0] = NAN;
    CHECK_OK(hf_make_dirs(run));
    snprintf(path, sizeof path, "%s/best.safetensors", run);
    CHECK_OK(hf_archive_write(&archive, path));
    hf_archive_free(&archive);
    copy_file(one, run, "split.tsv");
    CHECK_STATUS(hf_run_predict(&all, run, &(hf_evaluate_options){ .part = HF_TEST }), HF_ERR_NUMBER,
                 "the prediction for 'sub-");
    CHECK(all.count == 0);
    snprintf(path, sizeof path, "%s/sub-02/anat/sub-02_T1w.nii", cohort);
    CHECK_STATUS(hf_run_predict_image(&single, run, path, (const char *[]){ "sex=F" }, 1, NULL, NULL), HF_ERR_NUMBER,
                 "sub-02_T1w.nii' is nan");
    CHECK(single.count == 0);
}

static bool stop_in_second_epoch(void *user)
{
    return ++*(int *)user > 3; /* two steps an epoch */
}

/* Asked to stop it ends after the step, says what it kept, and goes on to the same bits. */
static void test_stop(const char *root, const hf_recipe *recipe)
{
    char one[300], run[300];
    int steps = 2;
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(run, sizeof run, "%s/stopped", root);
    const hf_train_options stopping = { .watch = { .stop = stop_in_second_epoch, .user = &steps } };
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &stopping), HF_ERR_STOPPED, "stopped in epoch 1, after step 2");
    CHECK(strstr(hf_error_message(), "is kept") == NULL && !hf_run_has(run, "last.safetensors"));
    steps = 0;
    const hf_train_options again = { .resume = true, .watch = stopping.watch };
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &again), HF_ERR_STOPPED, "the checkpoint of the epoch before is kept");
    CHECK_OK(hf_run_train(NULL, recipe, run, &(hf_train_options){ .resume = true }));
    CHECK(same_files(one, run, "last.safetensors"));
}

/* ---- resuming ---------------------------------------------------------------------------------------------------- */

static void remove_files(const char *folder, const char *const *names)
{
    char path[600];
    for (; *names; names++) {
        snprintf(path, sizeof path, "%s/%s", folder, *names);
        remove(path);
    }
}

/* A start that ended after its first file, or after its second, goes on as if nothing had been there. */
static void test_cut_start(const char *root, const hf_recipe *recipe)
{
    static const char *const later[] = { "best.safetensors", "last.safetensors",     "log.jsonl",
                                         "report.html",      "predictions-test.tsv", NULL };
    static const char *const split[] = { "split.tsv", NULL };
    char one[300], cut[300];
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(cut, sizeof cut, "%s/cut", root);
    const hf_train_options resume = { .resume = true };
    CHECK_OK(hf_run_train(NULL, recipe, cut, NULL));
    for (int without_split = 0; without_split < 2; without_split++) {
        remove_files(cut, later);
        if (without_split) remove_files(cut, split);
        CHECK_STATUS(hf_run_train(NULL, recipe, cut, NULL), HF_ERR_ARGUMENT, "resume the run that is there");
        CHECK_OK(hf_run_train(NULL, recipe, cut, &resume));
        CHECK(same_files(one, cut, "last.safetensors") && same_files(one, cut, "split.tsv"));
    }
}

/* A run of an older version: its recipe says "task", lacks newer keys, and its checkpoint has the mean and median of a
 * number, and the table's features, as they were written then. It is read, and resumed to the same bytes. */
static void make_older(const char *folder, const char *name)
{
    char path[600];
    hf_archive archive;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!CHECK_OK(hf_archive_read(&archive, path))) return;
    for (int i = 0; i < archive.n_texts; i++) {
        hf_text text = { 0 };
        char *at, *was = archive.text[i];
        if (strcmp(archive.key[i], HF_RECIPE_TEXT) == 0) {
            const char *model = strstr(was, "\nmodel:"), *weights = strstr(was, "  class_weights:");
            const char *schedule = strstr(was, "  schedule:"), *groups = strstr(was, "  groups:");
            if (!CHECK(model && weights && schedule && groups)) continue;
            hf_text_add(&text, "task: brain-age%.*s%.*s", (int)(weights - model), model, (int)(groups - schedule),
                        schedule);
        } else if (strcmp(archive.key[i], "run.progress") == 0 && (at = strstr(was, "best_value"))) {
            hf_text_add(&text, "%.*sbest_mae%s", (int)(at - was), was, at + strlen("best_value"));
        } else if (strcmp(archive.key[i], "run.preprocess") == 0 && (at = strstr(was, "\"target\":{"))) {
            double mean, median;
            const char *end = strchr(at, '}') + 1;
            CHECK(sscanf(at, "\"target\":{\"baselines\":[[%lf],[%lf]]", &mean, &median) == 2);
            const char *encoder = strstr(was, "\"encoder\":"), *grid = strstr(was, "\"grid_shape\":");
            if (!CHECK(encoder && encoder < grid && grid < at)) continue;
            hf_text_add(&text,
                        "%.*s\"features\":[{\"categories\":[\"F\",\"M\"],\"column\":\"sex\",\"encoding\":\"onehot\","
                        "\"flag_missing\":false,\"high\":0.0,\"low\":0.0,\"mean\":0.0,\"median\":null,\"missing\":0,"
                        "\"sd\":0.0}],\"width\":2,%.*s\"train_mean\":%.17g,\"train_median\":%.17g%s",
                        (int)(encoder - was), was, (int)(at - grid), grid, mean, median, end);
        } else {
            continue;
        }
        free(was);
        archive.text[i] = text.data;
        if (strcmp(archive.key[i], HF_RECIPE_TEXT) != 0) continue;
        snprintf(path, sizeof path, "%s/recipe.yaml", folder);
        CHECK_OK(hf_file_write(path, text.data, text.size));
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_OK(hf_archive_write(&archive, path));
    hf_archive_free(&archive);
}

static void test_older_version(const char *root, hf_recipe *recipe)
{
    char one[300], old[300];
    hf_predictions test = { 0 };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(old, sizeof old, "%s/older", root);
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=2"));
    CHECK_OK(hf_run_train(NULL, recipe, old, NULL));
    make_older(old, "last.safetensors");
    make_older(old, "best.safetensors");
    CHECK_OK(hf_run_predict(&test, old, &(hf_evaluate_options){ .part = HF_TEST }));
    CHECK(test.target.n_classes == 0 && test.target.baseline[0][0] > 20);
    hf_predictions_free(&test);
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=3"));
    CHECK_OK(hf_run_train(NULL, recipe, old, &(hf_train_options){ .resume = true }));
    CHECK(same_files(one, old, "last.safetensors") && same_files(one, old, "predictions-test.tsv"));
}

/* Volumes of another size than the checkpoint's, where the recipe leaves the size open: what was read beyond the end of
 * a batch by augmentation. And the checkpoint of another run. */
static void test_resume_elsewhere(const char *root, hf_recipe *recipe, const char *cohort)
{
    char one[300], run[300], other[300], path[700], setting[400];
    const hf_train_options resume = { .resume = true };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(run, sizeof run, "%s/open", root);
    snprintf(other, sizeof other, "%s/other", root);
    CHECK_OK(hf_recipe_set(recipe, "cohort.shape=0,0,0"));
    CHECK_OK(hf_recipe_set(recipe, "train.shift=2"));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=1"));
    CHECK_OK(hf_run_train(NULL, recipe, run, NULL));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=2"));
    for (int i = 0; i < SUBJECTS; i++) { /* the same names, longer along one axis */
        hf_volume v = { 0 };
        float *longer = NULL;
        snprintf(path, sizeof path, "%s/sub-%02d/anat/sub-%02d_T1w.nii", cohort, i, i);
        if (!CHECK_OK(hf_volume_read(&v, path))) continue;
        CHECK_OK(hf_alloc(&longer, SIDE * SIDE * (SIDE + 4), sizeof *longer, "a volume"));
        memcpy(longer, v.voxels, SIDE * SIDE * SIDE * sizeof *longer);
        free(v.voxels);
        v.voxels = longer;
        v.shape[2] += 4;
        snprintf(path, sizeof path, "%s/sub-%02d/anat", other, i);
        CHECK_OK(hf_make_dirs(path));
        snprintf(path, sizeof path, "%s/sub-%02d/anat/sub-%02d_T1w.nii", other, i, i);
        CHECK_OK(hf_volume_write(&v, path, false));
        hf_volume_free(&v);
    }
    copy_file(cohort, other, "participants.tsv");
    snprintf(path, sizeof path, "%s.away", cohort);
    CHECK(rename(cohort, path) == 0 && rename(other, cohort) == 0);
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &resume), HF_ERR_ARGUMENT, "the image of 'sub-");
    CHECK(rename(cohort, other) == 0 && rename(path, cohort) == 0);
    CHECK_OK(hf_run_train(NULL, recipe, run, &resume));

    CHECK_OK(hf_recipe_set(recipe, "train.epochs=3"));
    copy_file(one, run, "last.safetensors");
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &resume), HF_ERR_ARGUMENT, "last.safetensors': the run was started");
    snprintf(setting, sizeof setting, "cohort.shape=%d,%d,%d", SIDE, SIDE, SIDE);
    CHECK_OK(hf_recipe_set(recipe, setting));
    CHECK_OK(hf_recipe_set(recipe, "train.shift=0"));
}

static hf_status resume_with_text(const char *root, const hf_recipe *recipe, const char *cohort, const char *from,
                                  const char *to)
{
    char run[300], path[700];
    void *data = NULL;
    size_t size = 0;
    hf_text table = { 0 };
    snprintf(run, sizeof run, "%s/changed", root);
    snprintf(path, sizeof path, "%s/participants.tsv", cohort);
    CHECK_OK(hf_file_read(&data, &size, path, 1 << 20));
    const char *at = strstr(data, from);
    if (!CHECK(at != NULL)) return HF_ERR_ARGUMENT;
    hf_text_add_bytes(&table, data, (size_t)(at - (const char *)data));
    hf_text_add(&table, "%s%s", to, at + strlen(from));
    CHECK_OK(hf_file_write(path, table.data, table.size));
    const hf_status status = hf_run_train(NULL, recipe, run, &(hf_train_options){ .resume = true });
    CHECK_OK(hf_file_write(path, data, size));
    hf_text_free(&table);
    free(data);
    return status;
}

/* Another age, another sex, another image of the same size and time of change: none goes unnoticed, and with the data
 * put back the run goes on. */
static void test_changed_data(const char *root, hf_recipe *recipe, const char *cohort)
{
    char run[300], path[700];
    void *image = NULL;
    size_t size = 0;
    struct stat info;
    const hf_train_options resume = { .resume = true };
    snprintf(run, sizeof run, "%s/changed", root);
    snprintf(path, sizeof path, "%s/sub-05/anat/sub-05_T1w.nii", cohort);
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=1"));
    CHECK_OK(hf_run_train(NULL, recipe, run, NULL));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=2"));
    CHECK_STATUS(resume_with_text(root, recipe, cohort, "\tM\nsub-02", "\tF\nsub-02"), HF_ERR_ARGUMENT,
                 "the table row of 'sub-01' has changed since the run began");
    CHECK_STATUS(resume_with_text(root, recipe, cohort, "\nsub-06\t", "\nsub-06\t1"), HF_ERR_ARGUMENT,
                 "the table row of 'sub-06' has changed since the run began");
    CHECK_STATUS(resume_with_text(root, recipe, cohort, "\nsub-07\t", "\nsub-77\t"), HF_ERR_FORMAT,
                 "id 'sub-07' is not in the cohort");
    CHECK_OK(hf_file_read(&image, &size, path, 1 << 20));
    CHECK(stat(path, &info) == 0 && size > 352);
    ((char *)image)[size / 2] ^= 1;
    CHECK_OK(hf_file_write(path, image, size));
    CHECK(utimensat(AT_FDCWD, path, (const struct timespec[2]){ info.st_mtim, info.st_mtim }, 0) == 0);
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &resume), HF_ERR_ARGUMENT, "the image of 'sub-05' has changed");
    ((char *)image)[size / 2] ^= 1;
    CHECK_OK(hf_file_write(path, image, size));
    CHECK_OK(hf_run_train(NULL, recipe, run, &resume));
    free(image);
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=3"));
}

/* What was learned is compared field by field: the smallest difference is seen. */
static void test_same_fixed(void)
{
    hf_run_fixed was = { .shape = { 8, 9, 10 }, .parameters = 5 };
    was.target = (hf_target){ .goal = hf_goal_find("regression"), .P = 1, .baseline = { { 50 }, { 51 } } };
    was.encoder = (hf_encoder){ .n_features = 1, .width = 2 };
    was.encoder.feature[0] = (hf_feature){
        .spec = "sex:onehot(F,M)", .column = "sex", .n_categories = 2, .category = { "F", "M" }, .mean = NAN
    };
    hf_run_fixed is = was;
    CHECK_OK(hf_run_same_fixed(&was, &is));
    is.shape[2]++;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_SHAPE, "[8,9,10], they are [8,9,11]");
    is = was, is.grid.spacing_expected[1] = 2;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_SHAPE, "0x0x0 mm, they are 0x2x0 mm");
    is = was, is.grid.resize = true;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_ARGUMENT, "trained on cropped volumes: set cohort.fit=crop");
    is = was, is.oriented = true;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_ARGUMENT, "another grid");
    is = was, is.encoder.width = 3;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_SHAPE, "rows of 2 numbers from 1 columns");
    is = was, is.encoder.feature[0].category[1][0] = 'f';
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_ARGUMENT, "column 'sex'");
    is = was, is.encoder.feature[0].high = 1;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_ARGUMENT, "column 'sex'");
    is = was, is.parameters = 6;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_SHAPE, "5 parameters, the recipe's has 6");
    is = was, is.target.baseline[1][0] = 52;
    CHECK_STATUS(hf_run_same_fixed(&was, &is), HF_ERR_ARGUMENT, "the training median of '' is 52, it was 51");
}

/* The table's statistics as version 0.1.0 kept them are read into the same encoder. */
static void test_older_encoder(const char *root)
{
    static const char key[] = "\"encoder\":\"";
    static const char *const old =
        "\"features\":[{\"column\":\"sex\",\"encoding\":\"onehot\",\"flag_missing\":false,\"categories\":[\"F\",\"M\"],"
        "\"mean\":0.0,\"sd\":0.0,\"median\":null,\"low\":0.0,\"high\":0.0,\"missing\":0},{\"column\":\"edu\","
        "\"encoding\":\"zscore\",\"flag_missing\":true,\"categories\":[],\"mean\":12.5,\"sd\":0.1,\"median\":12,"
        "\"low\":-3,"
        "\"high\":20.25,\"missing\":7}]";
    char run[300];
    hf_archive archive;
    hf_run_fixed fixed = { 0 };
    hf_run_progress progress;
    hf_recipe recipe = { 0 }, again = { 0 };
    hf_text text = { 0 };
    snprintf(run, sizeof run, "%s/one", root);
    if (!CHECK_OK(hf_run_checkpoint_read(&archive, &fixed, &progress, &recipe, run, HF_BEST_FILE))) return;
    hf_encoder_free(&fixed.encoder);
    for (int i = 0; i < archive.n_texts; i++) {
        char *start = strstr(archive.text[i], key), *end = start ? strchr(start + strlen(key), '"') : NULL;
        if (!end) continue;
        hf_text_add_bytes(&text, archive.text[i], (size_t)(start - archive.text[i]));
        hf_text_add(&text, "%s%s", old, end + 1);
        free(archive.text[i]);
        CHECK_OK(hf_strdup(&archive.text[i], text.data));
    }
    if (CHECK(text.size > 0) && CHECK_OK(hf_run_state_load(&fixed, &progress, &again, &archive))) {
        const hf_feature *sex = &fixed.encoder.feature[0], *edu = &fixed.encoder.feature[1];
        CHECK(fixed.encoder.n_features == 2 && fixed.encoder.width == 4);
        CHECK(sex->encoding == HF_ONE_HOT && sex->fill == HF_FILL_ZEROS && strcmp(sex->category[1], "M") == 0);
        CHECK(edu->encoding == HF_ZSCORE && edu->fill == HF_FILL_KNOWN && edu->flag_missing && edu->n_missing == 7);
        CHECK(edu->mean == 12.5 && edu->sd == 0.1 && edu->median == 12 && edu->low == -3 && edu->high == 20.25);
    }
    hf_encoder_free(&fixed.encoder);
    hf_text_free(&text);
    hf_recipe_free(&recipe);
    hf_recipe_free(&again);
    hf_archive_free(&archive);
}

static void test_predict(const char *root, const char *cohort)
{
    char run[300], image[400];
    hf_predictions with_f = { 0 }, with_m = { 0 };
    heard ears = { 0 };
    const hf_watch watch = { .say = hear, .user = &ears };
    hf_predictions all = { 0 };
    hf_text text = { 0 };
    snprintf(run, sizeof run, "%s/one", root);
    snprintf(image, sizeof image, "%s/sub-02/anat/sub-02_T1w.nii", cohort);
    CHECK_OK(hf_run_predict_image(&with_f, run, image, (const char *[]){ "sex=F" }, 1, NULL, &watch));
    CHECK_OK(hf_run_predict_image(&with_m, run, image, (const char *[]){ "sex=M" }, 1, NULL, &watch));
    CHECK(with_f.predicted[0] != with_m.predicted[0]); /* the row does reach the network */
    CHECK(ears.lines.size == 0);
    CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = cohort }));
    CHECK(all.count == SUBJECTS && isnan(all.truth[3]) && isfinite(all.predicted[3]));
    CHECK_NEAR(all.predicted[2], with_f.predicted[0], 1e-4 * fabs(with_f.predicted[0]));
    hf_predictions_free(&with_f);
    hf_predictions_free(&with_m);
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
    CHECK(!hf_run_has(run, "last.safetensors") && strstr(hf_error_message(), "is kept") == NULL);
}

static void test_refused_recipes(const char *root, hf_recipe *recipe)
{
    char run[300];
    snprintf(run, sizeof run, "%s/refused", root);
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=mmse"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "no column 'mmse'");
    CHECK(!hf_path_exists(run)); /* a refused start leaves no folder; one that was there stays */
    CHECK_OK(hf_make_dirs(run));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "no column 'mmse'");
    CHECK(hf_path_exists(run));
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=age"));
    CHECK_OK(hf_recipe_set(recipe, "goal=classes"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "goal.classes: found 0, expected 2 to 16");
    CHECK_OK(hf_recipe_set(recipe, "goal=regression"));
    CHECK_OK(hf_recipe_set(recipe, "train.loss=cross-entropy"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT,
                 "goal regression with train.loss cross-entropy: mse or l1 is expected");
    CHECK_OK(hf_recipe_set(recipe, "train.loss="));
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

/* One bad training volume in twelve does not move the limit, and is counted. */
static void test_guard_fit(const char *root)
{
    char folder[300], path[400];
    hf_cohort cohort = { 0 };
    hf_dataset *dataset = NULL;
    hf_guard guard = { 0 };
    const hf_grid grid = { .zscore = true };
    const int all[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
    float *upside_down;
    const int shape[3] = { SIDE, SIDE, SIDE };
    snprintf(folder, sizeof folder, "%s/guarded", root);
    CHECK_OK(make_cohort(folder));
    hf_volume noise = { .shape = { SIDE, SIDE, SIDE },
                        .spacing = { 4, 4, 4 },
                        .affine = { { 4 }, { 0, 4 }, { 0, 0, 4 } } };
    CHECK_OK(hf_alloc(&noise.voxels, SIDE * SIDE * SIDE, sizeof(float), "a volume"));
    for (uint64_t i = 0; i < SIDE * SIDE * SIDE; i++)
        noise.voxels[i] = (float)hf_random_normal(8, 8, i);
    snprintf(path, sizeof path, "%s/sub-01/anat/sub-01_T1w.nii", folder);
    CHECK_OK(hf_volume_write(&noise, path, false));
    CHECK_OK(hf_cohort_open(&cohort, folder, NULL));
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &grid, NULL, &(hf_dataset_options){ .no_cache = true }));
    CHECK_OK(hf_guard_fit(&guard, dataset, all, 12));
    CHECK(guard.checked == 12 && guard.flagged >= 1 && guard.flagged <= 2 && guard.typical > 0.9 && guard.lowest > 0.7);
    CHECK(hf_guard_correlation(&guard, noise.voxels, shape) < guard.lowest);
    CHECK_OK(hf_alloc(&upside_down, SIDE * SIDE * SIDE, sizeof(float), "a volume"));
    CHECK_OK(hf_dataset_get(dataset, 0, upside_down, NULL, NULL));
    CHECK(hf_guard_correlation(&guard, upside_down, shape) > guard.lowest);
    free(upside_down);
    hf_volume_free(&noise);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

/* `path` again with a plane of zeros on some sides. */
static void pad_image(const char *path, const char *padded)
{
    hf_volume v = { 0 }, p = { 0 };
    if (!CHECK_OK(hf_volume_read(&v, path))) return;
    p = v;
    for (int i = 0; i < 3; i++)
        p.shape[i] += 1 + i;
    CHECK_OK(
        hf_alloc(&p.voxels, (size_t)p.shape[0] * (size_t)p.shape[1] * (size_t)p.shape[2], sizeof(float), "padding"));
    for (int d = 0; d < v.shape[0]; d++)
        for (int h = 0; h < v.shape[1]; h++)
            for (int w = 0; w < v.shape[2]; w++)
                p.voxels[((d + 1) * p.shape[1] + h + 2) * p.shape[2] + w + 1] =
                    v.voxels[(d * v.shape[1] + h) * v.shape[2] + w];
    CHECK_OK(hf_volume_write(&p, padded, false));
    hf_volume_free(&v);
    hf_volume_free(&p);
}

static double age_of(const char *run, const char *image)
{
    hf_predictions one = { 0 };
    CHECK_OK(hf_run_predict_image(&one, run, image, (const char *[]){ "sex=F" }, 1, NULL, NULL));
    const double age = one.count == 1 ? one.predicted[0] : NAN;
    hf_predictions_free(&one);
    return age;
}

/* A plane of zeros does not move a prediction by a bit. */
static void test_padded(const char *root, const char *cohort)
{
    char run[300], image[400], padded[400];
    snprintf(run, sizeof run, "%s/one", root);
    for (int i = 0; i < 4; i++) {
        snprintf(image, sizeof image, "%s/sub-%02d/anat/sub-%02d_T1w.nii", cohort, i, i);
        snprintf(padded, sizeof padded, "%s/padded.nii", root);
        pad_image(image, padded);
        CHECK(age_of(run, image) == age_of(run, padded));
    }
}

/* Two sides of a crop, with everything random on: a cohort and one image of it get the same predictions, the mean of
 * both sides; and a resumed run gives the same weights. A cohort is guarded like an image. */
static void test_sides(const char *root, const hf_recipe *recipe, const char *cohort)
{
    static const char *const settings[] = { "cohort.shape=72,40,36", "cohort.crop=0:72, 2:38, 0:36",
                                            "cohort.sides=both",     "train.affine=0.5",
                                            "train.rotate=5,5,5",    "train.noise=0.5",
                                            "train.epochs=2" };
    char run[300], again[300], image[400];
    heard ears = { 0 };
    hf_predictions all = { 0 };
    hf_recipe own = { 0 };
    hf_text text = { 0 };
    const hf_watch watch = { .say = hear, .user = &ears };
    snprintf(run, sizeof run, "%s/sides", root);
    snprintf(again, sizeof again, "%s/sides-again", root);
    snprintf(image, sizeof image, "%s/sub-02/anat/sub-02_T1w.nii", cohort);
    CHECK_OK(hf_recipe_write(recipe, &text));
    CHECK_OK(hf_recipe_parse(&own, text.data, text.size, "sides"));
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        CHECK_OK(hf_recipe_set(&own, settings[i]));
    if (CHECK_OK(hf_run_train(NULL, &own, run, NULL)) && CHECK_OK(hf_run_train(NULL, &own, again, NULL))) {
        CHECK(same_files(run, again, "best.safetensors"));
        CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = cohort, .watch = watch }));
        const double age = age_of(run, image);
        CHECK_NEAR(all.predicted[2], age, 2e-3 * fabs(age)); /* the cache rounds to 16 bits */
        hf_predictions_free(&all);
        hf_text_free(&ears.lines);
        snprintf(image, sizeof image, "%s/guarded", root);
        CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = image, .watch = watch }));
        CHECK(ears.lines.data && strstr(ears.lines.data, "warning: 'sub-01' looks unlike the training volumes"));
    }
    hf_predictions_free(&all);
    hf_text_free(&ears.lines);
    hf_text_free(&text);
    hf_recipe_free(&own);
}

int main(void)
{
    char root[] = "/tmp/hf-trainer-XXXXXX", cohort[300], cache[300];
    hf_recipe recipe = { 0 };
    if (!CHECK(mkdtemp(root) != NULL)) return check_done("trainer");
    snprintf(cohort, sizeof cohort, "%s/cohort", root);
    snprintf(cache, sizeof cache, "%s/cache", root);
    test_guard();
    test_same_fixed();
    if (CHECK_OK(make_cohort(cohort)) && CHECK_OK(make_recipe(&recipe, cohort, cache))) {
        test_runs(root, &recipe);
        test_cut_start(root, &recipe);
        test_older_version(root, &recipe);
        test_resume_elsewhere(root, &recipe, cohort);
        test_changed_data(root, &recipe, cohort);
        test_older_encoder(root);
        test_predict(root, cohort);
        test_padded(root, cohort);
        test_guard_fit(root);
        test_sides(root, &recipe, cohort);
        test_nan_predictions(root, cohort);
        test_stop(root, &recipe);
        test_refused_recipes(root, &recipe);
        test_blow_up(root, &recipe);
    }
    hf_recipe_free(&recipe);
    check_remove_tree(root);
    return check_done("trainer");
}
