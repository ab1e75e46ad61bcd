/* Runs that are resumed: after a start that was cut, from an older version, with other data, with another checkpoint; and
 * what a checkpoint must have in common with what is found. */
#include "trained_run.h"

#include <fcntl.h>
#include <sys/stat.h>

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

int main(void)
{
    char root[] = "/tmp/hf-resuming-XXXXXX", cohort[300];
    hf_recipe recipe = { 0 };
    test_same_fixed();
    if (begin_runs(root, cohort, &recipe) && train_one(root, &recipe)) {
        test_cut_start(root, &recipe);
        test_older_version(root, &recipe);
        test_resume_elsewhere(root, &recipe, cohort);
        test_changed_data(root, &recipe, cohort);
        test_older_encoder(root);
    }
    return end_runs(root, &recipe, "resuming");
}
