/* Predictions of a finished run: of a cohort and of an image alike, of both sides, guarded, nobody's when they are no numbers;
 * and who is known from training. */
#include "trained_run.h"

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
    CHECK_STATUS(hf_run_predict_image(&single, run, path, (const char *[]){ "sex=F" }, 1, NULL), HF_ERR_NUMBER,
                 "sub-02_T1w.nii' is nan");
    CHECK(single.count == 0);
}

static void test_predict(const char *root, const char *cohort)
{
    char run[300], image[400];
    hf_predictions with_f = { 0 }, with_m = { 0 };
    heard ears = { 0 };
    const hf_evaluate_options listening = { .watch = { .say = hear, .user = &ears } };
    hf_predictions all = { 0 };
    hf_text text = { 0 };
    snprintf(run, sizeof run, "%s/one", root);
    snprintf(image, sizeof image, "%s/sub-02/anat/sub-02_T1w.nii", cohort);
    CHECK_OK(hf_run_predict_image(&with_f, run, image, (const char *[]){ "sex=F" }, 1, &listening));
    CHECK_OK(hf_run_predict_image(&with_m, run, image, (const char *[]){ "sex=M" }, 1, &listening));
    CHECK(with_f.predicted[0] != with_m.predicted[0]); /* the row does reach the network */
    static const char none[] =
        "no 90 % prediction interval: the checkpoint keeps the errors of 3 validation subjects, 9 are needed\n";
    CHECK(isnan(with_f.margin) && ears.lines.size == 2 * strlen(none) &&
          strstr(ears.lines.data, none) == ears.lines.data);
    hf_text_free(&ears.lines);
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

/* Training and validation subjects of a run. */
static int count_learned(const char *run)
{
    char path[700];
    hf_table table;
    int count = 0;
    snprintf(path, sizeof path, "%s/split.tsv", run);
    if (!CHECK_OK(hf_table_read(&table, path))) return -1;
    for (int row = 0; row < table.rows; row++) {
        const char *part = table.cell[row * table.columns + 1];
        count += strcmp(part, "train") == 0 || strcmp(part, "valid") == 0;
    }
    hf_table_free(&table);
    return count;
}

/* A checkpoint without digests knows its subjects by the ids of its split. */
static void test_seen(const char *root, const char *cohort)
{
    char one[300], run[300], path[700];
    hf_archive archive;
    hf_predictions with = { 0 }, without = { 0 };
    const hf_evaluate_options options = { .cohort = cohort, .needs_truth = true };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(run, sizeof run, "%s/unlisted", root);
    snprintf(path, sizeof path, "%s/best.safetensors", one);
    if (!CHECK_OK(hf_archive_read(&archive, path))) return;
    CHECK(hf_archive_find_text(&archive, HF_SUBJECTS_TEXT) != NULL);
    for (int i = 0; i < archive.n_texts; i++)
        if (strcmp(archive.key[i], HF_SUBJECTS_TEXT) == 0) archive.key[i][0] = 'x';
    CHECK_OK(hf_make_dirs(run));
    snprintf(path, sizeof path, "%s/best.safetensors", run);
    CHECK_OK(hf_archive_write(&archive, path));
    hf_archive_free(&archive);
    copy_file(one, run, "split.tsv");
    CHECK_OK(hf_run_predict(&with, one, &options));
    CHECK_OK(hf_run_predict(&without, run, &options));
    int seen = 0;
    for (int i = 0; i < with.count && CHECK(with.count == without.count && with.seen && without.seen); i++) {
        CHECK(with.seen[i] == without.seen[i]);
        seen += with.seen[i];
    }
    CHECK(seen > 0 && seen == count_learned(run));
    hf_predictions_free(&with);
    hf_predictions_free(&without);
}

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
    CHECK_OK(hf_run_predict_image(&one, run, image, (const char *[]){ "sex=F" }, 1, NULL));
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
        CHECK(ears.lines.data && strstr(ears.lines.data, "warning: 'sub-01': looks unlike the training volumes"));
        CHECK(all.count == SUBJECTS && all.n_left_out == 0);
        hf_predictions_free(&all);
        CHECK_OK(hf_run_predict(&all, run, &(hf_evaluate_options){ .cohort = image, .strict = true }));
        CHECK(all.count == SUBJECTS - 1 && strcmp(all.id[1], "sub-02") == 0);
        CHECK(all.n_left_out == 1 && strcmp(all.left_out[0].id, "sub-01") == 0 &&
              strstr(all.left_out[0].why, "unlike"));
    }
    hf_predictions_free(&all);
    hf_text_free(&ears.lines);
    hf_text_free(&text);
    hf_recipe_free(&own);
}

int main(void)
{
    char root[] = "/tmp/hf-predicting-XXXXXX", cohort[300];
    hf_recipe recipe = { 0 };
    test_guard();
    if (begin_runs(root, cohort, &recipe) && train_one(root, &recipe)) {
        test_predict(root, cohort);
        test_seen(root, cohort);
        test_padded(root, cohort);
        test_guard_fit(root);
        test_sides(root, &recipe, cohort);
        test_nan_predictions(root, cohort);
    }
    return end_runs(root, &recipe, "predicting");
}
