/* Checks masks: which file is found for an image, and that it must have the image's voxels. */
#include "small_cohort.h"

static void find(const char *image, const char *mask, const char *expected)
{
    char *path = NULL;
    if (CHECK_OK(hf_mask_find(&path, small_path(image), mask)))
        if (!CHECK(strcmp(path, small_path(expected)) == 0)) fprintf(stderr, "    %s: found %s\n", image, path);
    free(path);
}

static void refuse_find(const char *image, const char *mask, hf_status status, const char *part)
{
    char *path = NULL;
    CHECK_STATUS(hf_mask_find(&path, small_path(image), mask), status, part);
    CHECK(!path);
}

static void test_find(void)
{
    static const char *const files[] = { "sub-1_T1w.nii.gz",
                                         "sub-1_desc-brain_mask.nii.gz",
                                         "sub-12_T1w.nii.gz",
                                         "sub-12_space-MNI_desc-brain_mask.nii.gz",
                                         "sub-2.nii",
                                         "sub-2_brain_mask.nii",
                                         "sub-3_T1w.nii",
                                         "sub-3_a_brain_mask.nii",
                                         "sub-3_b_brain_mask.nii",
                                         "sub-4_T1w.nii",
                                         "sub-4_mybrain_mask.nii" };
    small_cohort_clear();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        small_put_text(files[i], "x");
    find("sub-1_T1w.nii.gz", "desc-brain_mask", "sub-1_desc-brain_mask.nii.gz");
    find("sub-12_T1w.nii.gz", "desc-brain_mask", "sub-12_space-MNI_desc-brain_mask.nii.gz");
    find("sub-2.nii", "brain_mask", "sub-2_brain_mask.nii");
    find("sub-3_T1w.nii", "a_brain_mask", "sub-3_a_brain_mask.nii");
    refuse_find("sub-3_T1w.nii", "brain_mask", HF_ERR_ARGUMENT, "two masks");
    refuse_find("sub-4_T1w.nii", "brain_mask", HF_ERR_IO, "no mask in its folder"); /* "mybrain" is another word */
    refuse_find("sub-1_T1w.nii.gz", "tumour_mask", HF_ERR_IO, "ending in tumour_mask");
    refuse_find("nowhere/sub-1.nii", "mask", HF_ERR_IO, "cannot list the folder");
    small_cohort_clear(); /* a folder of its own, as the authors of HyperFusion keep them */
    small_put_text("brain_scan_simple.nii.gz", "x");
    small_put_text("brain_mask.nii.gz", "x");
    find("brain_scan_simple.nii.gz", "brain_mask", "brain_mask.nii.gz");
}

static hf_volume make(int d, double shift)
{
    hf_volume v = { .shape = { d, 4, 4 }, .spacing = { 1, 1, 1 }, .oriented = true };
    for (int i = 0; i < 3; i++)
        v.affine[i][i] = 1;
    v.affine[1][3] = shift;
    v.voxels = calloc((size_t)d * 16, sizeof *v.voxels);
    small_must(v.voxels != NULL, "memory");
    for (int i = 0; i < d * 16; i++)
        v.voxels[i] = (float)(i % 3);
    return v;
}

static void test_apply(void)
{
    hf_volume image = make(5, 0), mask = make(5, 0), longer = make(6, 0), moved = make(5, 0.5);
    int wrong = 0;
    small_cohort_clear();
    CHECK_OK(hf_volume_write(&mask, small_path("mask.nii"), false));
    CHECK_OK(hf_volume_write(&longer, small_path("longer.nii"), false));
    CHECK_OK(hf_volume_write(&moved, small_path("moved.nii.gz"), false));
    for (int i = 0; i < 80; i++)
        image.voxels[i] = (float)(i + 1);
    CHECK_STATUS(hf_mask_apply(&image, small_path("longer.nii")), HF_ERR_SHAPE, "has 6x4x4 voxels, its image 5x4x4");
    CHECK_STATUS(hf_mask_apply(&image, small_path("moved.nii.gz")), HF_ERR_SHAPE, "lies 0.5 voxels away");
    CHECK_STATUS(hf_mask_apply(&image, small_path("none.nii")), HF_ERR_IO, "none.nii");
    CHECK_OK(hf_mask_apply(&image, small_path("mask.nii")));
    for (int i = 0; i < 80; i++)
        wrong += image.voxels[i] != (i % 3 ? (float)(i + 1) : 0);
    CHECK(wrong == 0);
    hf_volume_free(&image);
    hf_volume_free(&mask);
    hf_volume_free(&longer);
    hf_volume_free(&moved);
}

/* In a cohort: masked like by hand, the cache told apart from the one without, no mask no subject. */
static void test_cohort(void)
{
    hf_cohort cohort, plain;
    hf_dataset *dataset;
    float found[6 * 7 * 8], expected[6 * 7 * 8];
    const hf_cohort_options options = { .mask = "brain_mask" };
    const hf_dataset_options cached = small_options();
    small_cohort_clear();
    small_put_text("participants.tsv", "participant_id\tage\nsub-a\t61\nsub-b\t62\n");
    small_put_volume("sub-a.nii", 6, 7, 8, 1);
    small_put_volume("sub-b.nii", 6, 7, 8, 2);
    small_put_volume("sub-a_brain_mask.nii", 6, 7, 8, 3);
    hf_volume mask = { 0 };
    CHECK_OK(hf_volume_read(&mask, small_path("sub-a_brain_mask.nii")));
    for (int i = 0; i < 6 * 7 * 8; i++)
        mask.voxels[i] = i % 8 < 4;
    CHECK_OK(hf_volume_write(&mask, small_path("sub-a_brain_mask.nii"), false));
    hf_volume_free(&mask);
    CHECK_OK(hf_cohort_open(&plain, small_folder, NULL));
    CHECK(plain.n_subjects == 2 && !plain.subject[0].mask);
    CHECK_OK(hf_dataset_open(&dataset, &plain, &small_window, NULL, &cached));
    hf_dataset_free(&dataset);
    hf_cohort_free(&plain);
    if (!CHECK_OK(hf_cohort_open(&cohort, small_folder, &options))) return;
    CHECK(cohort.n_subjects == 1 && cohort.n_problems == 1 && strcmp(cohort.problem[0].subject, "sub-b") == 0);
    CHECK_OK(hf_dataset_open(&dataset, &cohort, &small_window, NULL, &cached));
    CHECK(small_files_in(small_cache()) == 3);
    hf_volume volume = { 0 };
    CHECK_OK(hf_volume_read(&volume, cohort.subject[0].image));
    CHECK_OK(hf_mask_apply(&volume, cohort.subject[0].mask));
    CHECK_OK(hf_preprocess(expected, &volume, &small_window, "by hand"));
    CHECK_OK(hf_dataset_get(dataset, 0, found, NULL, NULL));
    int filled = 0;
    for (int i = 0; i < 6 * 7 * 8; i++) {
        CHECK_NEAR(found[i], expected[i], 1e-4);
        filled += found[i] != 0;
    }
    CHECK(filled == 4 * 5 * 3); /* without the frame of zeros */
    hf_volume_free(&volume);
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

int main(void)
{
    test_find();
    test_apply();
    test_cohort();
    small_cohort_remove();
    return check_done("mask");
}
