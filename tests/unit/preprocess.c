/* Checks preprocessing: the window around the foreground, normalisation, resampling against a plain two-step
 * reference in double, what smoothing must and must not change, and refusals. */
#include "check.h"
#include "volume.h"

#include <stdlib.h>

static hf_volume make_volume(int d, int h, int w, double spacing)
{
    hf_volume v = { .shape = { d, h, w }, .spacing = { spacing, spacing, spacing } };
    for (int i = 0; i < 3; i++)
        v.affine[i][i] = spacing;
    v.voxels = calloc((size_t)d * (size_t)h * (size_t)w, sizeof(float));
    if (!v.voxels) exit(2);
    return v;
}

static float *at(const hf_volume *v, int d, int h, int w)
{
    return v->voxels + (d * v->shape[1] + h) * v->shape[2] + w;
}

/* Fills a box with 1, 2, 3, ... */
static void fill_box(hf_volume *v, const int low[3], const int high[3])
{
    float next = 1;
    for (int d = low[0]; d <= high[0]; d++)
        for (int h = low[1]; h <= high[1]; h++)
            for (int w = low[2]; w <= high[2]; w++)
                *at(v, d, h, w) = next++;
}

static float *new_floats(size_t count)
{
    float *out = malloc(count * sizeof *out);
    if (!out) exit(2);
    for (size_t i = 0; i < count; i++)
        out[i] = NAN; /* every voxel must be written */
    return out;
}

/* The result must be the volume moved by `shift` (result = stored - shift), zero where there is nothing. */
static void check_window(const hf_volume *v, const int shape[3], const int shift[3], const char *what)
{
    hf_grid grid = { .shape = { shape[0], shape[1], shape[2] } };
    float *out = new_floats((size_t)(shape[0] * shape[1] * shape[2]));
    int wrong = 0;
    if (CHECK_OK(hf_preprocess(out, v, &grid, "s"))) {
        for (int i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
            int p[3] = { i / (shape[1] * shape[2]) + shift[0], i / shape[2] % shape[1] + shift[1],
                         i % shape[2] + shift[2] };
            bool inside = true;
            for (int k = 0; k < 3; k++)
                inside = inside && p[k] >= 0 && p[k] < v->shape[k];
            wrong += out[i] != (inside ? *at(v, p[0], p[1], p[2]) : 0);
        }
        if (!CHECK(wrong == 0)) fprintf(stderr, "    %s: %d voxels differ\n", what, wrong);
    }
    free(out);
}

static void test_window(void)
{
    hf_volume v = make_volume(12, 10, 8, 1);
    fill_box(&v, (int[3]){ 2, 3, 1 }, (int[3]){ 6, 5, 4 }); /* centre 4, 4, 2.5 */
    check_window(&v, (int[3]){ 12, 10, 8 }, (int[3]){ -1, 0, -1 }, "of the stored size: centred all the same");
    check_window(&v, (int[3]){ 12, 7, 8 }, (int[3]){ -1, 1, -1 }, "one axis cropped");
    check_window(&v, (int[3]){ 5, 3, 4 }, (int[3]){ 2, 3, 1 }, "tight");
    check_window(&v, (int[3]){ 3, 1, 2 }, (int[3]){ 3, 4, 2 }, "inside");
    check_window(&v, (int[3]){ 21, 11, 10 }, (int[3]){ -6, -1, -2 }, "padded on both sides");
    check_window(&v, (int[3]){ 9, 9, 7 }, (int[3]){ 0, 0, 0 }, "cropped on the far side");
    hf_volume_free(&v);
    /* Most of the mass at one end, one voxel far away: the window moves just far enough to hold both. */
    v = make_volume(30, 3, 3, 1);
    fill_box(&v, (int[3]){ 4, 0, 0 }, (int[3]){ 6, 2, 2 });
    *at(&v, 20, 1, 1) = 5;
    check_window(&v, (int[3]){ 20, 3, 3 }, (int[3]){ 1, 0, 0 }, "moved to hold all");
    check_window(&v, (int[3]){ 17, 3, 3 }, (int[3]){ 4, 0, 0 }, "just fits");
    check_window(&v, (int[3]){ 7, 3, 3 }, (int[3]){ 3, 0, 0 }, "cannot hold all: around the centre of mass");
    hf_volume_free(&v);
}

/* ---- padding ----------------------------------------------------------------------------------------------------- */

/* A copy of v with `before` and `after` planes of zeros around. */
static hf_volume padded(const hf_volume *v, const int before[3], const int after[3])
{
    hf_volume p = make_volume(v->shape[0] + before[0] + after[0], v->shape[1] + before[1] + after[1],
                              v->shape[2] + before[2] + after[2], 1);
    for (int i = 0; i < 3; i++)
        p.spacing[i] = v->spacing[i];
    for (int d = 0; d < v->shape[0]; d++)
        for (int h = 0; h < v->shape[1]; h++)
            for (int w = 0; w < v->shape[2]; w++)
                *at(&p, d + before[0], h + before[1], w + before[2]) = *at(v, d, h, w);
    return p;
}

/* Random blobs of random size and spacing, which may touch the border. */
static hf_volume random_volume(uint64_t seed)
{
    hf_volume v =
        make_volume(5 + (int)(9 * hf_random_uniform(seed, 1, 0)), 5 + (int)(9 * hf_random_uniform(seed, 1, 1)),
                    5 + (int)(9 * hf_random_uniform(seed, 1, 2)), 1);
    const int count = v.shape[0] * v.shape[1] * v.shape[2];
    for (int i = 0; i < 3; i++)
        v.spacing[i] = 0.7 + hf_random_uniform(seed, 2, (uint64_t)i);
    const double share = 0.2 + 0.8 * hf_random_uniform(seed, 3, 0);
    for (uint64_t i = 0; i < (uint64_t)count; i++)
        if (hf_random_uniform(seed, 4, i) < share) v.voxels[i] = (float)(1 + hf_random_normal(seed, 5, i));
    return v;
}

/* Planes of zeros around a volume change no bit, whatever the grid: with and without resampling, cropped, of two
 * sides. */
static void test_padding(void)
{
    static const hf_grid grids[] = {
        { .shape = { 9, 9, 9 }, .zscore = true },
        { .shape = { 5, 13, 7 }, .zscore = true },
        { .shape = { 9, 8, 10 }, .spacing = { 1.1, 1.6, 0.6 }, .zscore = true },
        { .shape = { 10, 10, 10 }, .spacing = { 2, 2, 2 } },
        { .shape = { 12, 12, 12 }, .crop = { { 2, 9 }, { 1, 11 }, { 0, 12 } }, .zscore = true },
        { .shape = { 7, 12, 9 }, .resize = true, .zscore = true },
        { .shape = { 12, 5, 9 }, .resize = true, .crop = { { 1, 11 }, { 0, 4 }, { 2, 9 } } },
    };
    float out[13 * 13 * 13], again[13 * 13 * 13];
    for (uint64_t seed = 0; seed < 60; seed++) {
        hf_volume v = random_volume(seed);
        for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
            int shape[3], before[3], after[3];
            CHECK_OK(hf_grid_shape(shape, &v, &grids[g]));
            const size_t bytes = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * sizeof *out;
            for (uint64_t i = 0; i < 3; i++) {
                before[i] = (int)(4 * hf_random_uniform(seed, 6, 10 * g + i));
                after[i] = (int)(4 * hf_random_uniform(seed, 7, 10 * g + i));
            }
            hf_volume p = padded(&v, before, after);
            const hf_status status = hf_preprocess(out, &v, &grids[g], "v");
            CHECK(hf_preprocess(again, &p, &grids[g], "p") == status);
            if (status == HF_OK && !CHECK(memcmp(out, again, bytes) == 0))
                fprintf(stderr, "    seed %d, grid %zu\n", (int)seed, g);
            hf_volume_free(&p);
        }
        hf_volume_free(&v);
    }
}

/* Resizing: the foreground fills the shape to the last plane, whatever the voxels measure; a size that is the wanted one
 * moves no value; others interpolate as step 3 of doc/preprocessing.md says. */
static void test_resize(void)
{
    hf_grid grid = { .shape = { 6, 4, 3 }, .resize = true, .spacing_expected = { 7, 7, 7 } };
    hf_volume v = make_volume(9, 9, 9, 1);
    float out[6 * 4 * 3], again[6 * 4 * 3];
    for (int d = 1; d <= 6; d++)
        for (int h = 4; h <= 7; h++)
            for (int w = 5; w <= 7; w++)
                *at(&v, d, h, w) = (float)(100 * d + 10 * h + w);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    int wrong = 0;
    for (int i = 0; i < 6 * 4 * 3; i++)
        wrong += out[i] != *at(&v, 1 + i / 12, 4 + i / 3 % 4, 5 + i % 3);
    CHECK(wrong == 0);
    v.spacing[1] = 3;
    CHECK_OK(hf_preprocess(again, &v, &grid, "s"));
    CHECK(memcmp(out, again, sizeof out) == 0);

    grid.shape[0] = 3;
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    CHECK_NEAR(out[12], 395, 0.1); /* between the third and the fourth plane; the Gaussian hardly reaches zeros */
    CHECK(out[0] > 0 && out[2 * 12] > 0); /* both ends are reached */
    grid.shape[0] = 12;
    float *larger = new_floats(12 * 4 * 3);
    CHECK_OK(hf_preprocess(larger, &v, &grid, "s"));
    CHECK(larger[0] > 0 && larger[11 * 12] > 0);
    CHECK_NEAR(larger[5 * 12], 370, 1e-3); /* p = (5 - 5.5) 0.5 + 2.5 of the planes 1 to 6 */
    free(larger);
    hf_volume_free(&v);
}

/* What was trained by the older rule keeps it: the middle where the size is the wanted one, and whole volumes. */
static void test_older_rule(void)
{
    hf_volume v = make_volume(8, 8, 8, 1);
    hf_grid grid = { .shape = { 8, 8, 6 }, .centre = HF_CENTRE_MIDDLE };
    float out[8 * 8 * 6];
    int wrong = 0;
    fill_box(&v, (int[3]){ 0, 1, 2 }, (int[3]){ 2, 3, 3 }); /* centre 1, 2, 2.5 */
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 8 * 8 * 6; i++)
        wrong += out[i] != *at(&v, i / 48, i / 6 % 8, i % 6);
    CHECK(wrong == 0);
    grid.centre = HF_CENTRE_MASS;
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    CHECK(out[(2 * 8 + 2) * 6 + 2] == *at(&v, 0, 1, 2)); /* moved by 2, 1, 0 */
    hf_volume_free(&v);
}

/* ---- crops ------------------------------------------------------------------------------------------------------- */

static void test_crop(void)
{
    hf_volume v = make_volume(9, 9, 9, 1);
    hf_grid grid = { .crop = { { 1, 5 }, { 2, 9 }, { 3, 4 } } };
    float whole[9 * 9 * 9], out[4 * 7 * 1];
    int shape[3], wrong = 0;
    fill_box(&v, (int[3]){ 1, 1, 1 }, (int[3]){ 6, 7, 8 });
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 4 && shape[1] == 7 && shape[2] == 1);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    CHECK_OK(hf_preprocess(whole, &v, NULL, "s"));
    for (int i = 0; i < 28; i++)
        wrong += out[i] != whole[((i / 7 + 1) * 9 + i % 7 + 2) * 9 + 3];
    CHECK(wrong == 0);
    grid.crop[1][1] = 10;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_SHAPE, "the crop 2:10 along axis 1 reaches beyond the 9");
    grid.crop[1][1] = 2;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "crop 2:2 along axis 1");
    hf_volume_free(&v);
}

/* Voxels of 2 mm whose centres lie at -8, -6, ... 8 mm; their value is their place. */
static hf_volume template_volume(void)
{
    hf_volume v = make_volume(9, 9, 9, 2);
    v.oriented = true;
    for (int i = 0; i < 3; i++)
        v.affine[i][3] = -8;
    fill_box(&v, (int[3]){ 0, 0, 0 }, (int[3]){ 8, 8, 8 });
    return v;
}

static void test_box(void)
{
    hf_volume v = template_volume();
    hf_grid grid = { .crop_mm = { { -4, 4 }, { -3, 5 }, { 6, 12 } } };
    float out[1000];
    int shape[3], wrong = 0;
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 3 && shape[1] == 4 && shape[2] == 2); /* -2 0 2; -2 0 2 4; 8 10: faces at -4 and 4 not counted */
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 24; i++)
        wrong += out[i] != (i % 2 ? 0 : *at(&v, i / 8 + 3, i / 2 % 4 + 3, 8));
    CHECK(wrong == 0);
    /* A linear image shows where resampled voxels lie: values are the mm along D, plus 100. */
    for (int i = 0; i < 729; i++)
        v.voxels[i] = (float)(100 + 2 * (i / 81) - 8);
    grid = (hf_grid){ .crop_mm = { { -4, 4 }, { -4, 4 }, { -4, 4 } }, .spacing = { 1, 4, 1 } };
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 8 && shape[1] == 2 && shape[2] == 8);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 8 * 16; i++)
        CHECK_NEAR(out[i], 100 - 3.5 + i / 16, 1e-5);
    grid.shape[0] = 8;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "no shape is expected beside it");
    grid.shape[0] = 0;
    v.affine[0][1] = 0.1;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_UNSUPPORTED, "axes are turned");
    v.affine[0][1] = 0;
    v.oriented = false;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_UNSUPPORTED, "does not say where the volume lies");
    hf_volume_free(&v);
}

static void test_crop_texts(void)
{
    int crop[3][2];
    double box[3][2];
    CHECK(hf_crop_parse(crop, "21:149, 55:151,25:89") == HF_OK && crop[0][0] == 21 && crop[1][1] == 151 &&
          crop[2][0] == 25 && crop[2][1] == 89);
    CHECK(hf_crop_parse(crop, "") == HF_OK && crop[0][1] == 0);
    CHECK_STATUS(hf_crop_parse(crop, "1:2, 3:4"), HF_ERR_ARGUMENT, "found '1:2, 3:4'");
    CHECK_STATUS(hf_crop_parse(crop, "1:2, 3:4, 5:5"), HF_ERR_ARGUMENT, "START:STOP");
    CHECK_STATUS(hf_crop_parse(crop, "1:2, 3:4, 5:6.5"), HF_ERR_ARGUMENT, "START:STOP");
    CHECK_STATUS(hf_crop_parse(crop, "-1:2, 3:4, 5:6"), HF_ERR_ARGUMENT, "START:STOP");
    CHECK_STATUS(hf_crop_parse(crop, "1:2, 3:4, 5:6x"), HF_ERR_ARGUMENT, "START:STOP");
    CHECK(hf_crop_mm_parse(box, "-64:64, -72.5:24, -50:14") == HF_OK && box[1][0] == -72.5 && box[2][1] == 14);
    CHECK(hf_crop_mm_parse(box, "hippocampi") == HF_OK && box[0][0] == -64 && box[0][1] == 64);
    CHECK_STATUS(hf_crop_mm_parse(box, "hippocampus"), HF_ERR_ARGUMENT, "did you mean hippocampi");
    CHECK_STATUS(hf_crop_mm_parse(box, "4:2, 0:1, 0:1"), HF_ERR_ARGUMENT, "LOW:HIGH");
}

/* The right half as it is, the left one mirrored: a symmetric image gives two equal views; an odd middle plane is in
 * both. */
static void test_views(void)
{
    const hf_grid both = { .both_sides = true }, one = { .both_sides = false };
    for (int d = 4; d <= 5; d++) {
        const int whole[3] = { d, 1, 2 };
        int shape[3];
        float in[10], view[6];
        for (int i = 0; i < 2 * d; i++)
            in[i] = (float)i;
        hf_views_shape(shape, whole, &both);
        CHECK(hf_views(&both) == 2 && hf_views(&one) == 1 && shape[0] == d - d / 2 && shape[2] == 2);
        hf_views_make(view, in, whole, 0, &both);
        CHECK(view[0] == 2 * (d / 2) && view[2 * shape[0] - 1] == 2 * d - 1);
        hf_views_make(view, in, whole, 1, &both);
        CHECK(view[0] == 2 * (shape[0] - 1) && view[1] == 2 * shape[0] - 1 && view[2 * shape[0] - 2] == 0);
    }
}

/* ---- normalisation ----------------------------------------------------------------------------------------------- */

static void test_zscore(void)
{
    hf_volume v = make_volume(9, 11, 13, 2);
    float out[9 * 11 * 13];
    double sum = 0, squares = 0;
    int n = 0, moved = 0;
    hf_grid grid = { .zscore = true };
    for (uint64_t i = 0; i < 9 * 11 * 13; i++)
        if (i % 4) v.voxels[i] = (float)(1000 + 20 * hf_random_normal(1, 2, i)), n++;
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 9 * 11 * 13; i++) {
        sum += out[i];
        squares += (double)out[i] * out[i];
        moved += v.voxels[i] == 0 && out[i] != 0;
    }
    CHECK(moved == 0);
    CHECK_NEAR(sum / n, 0, 1e-6);
    CHECK_NEAR(squares / n, 1, 1e-6);
    for (int i = 0; i < 9 * 11 * 13; i++)
        if (v.voxels[i] != 0) v.voxels[i] = 0.1f;
    CHECK_OK(hf_preprocess(out, &v, &grid, "s")); /* no spread: divided by 1 */
    for (int i = 0; i < 9 * 11 * 13; i++)
        sum = i ? sum + fabs(out[i]) : 0;
    CHECK(sum == 0);
    hf_volume_free(&v);
    /* 1 to 8: mean 4.5, population variance 5.25 */
    v = make_volume(4, 4, 1, 1);
    for (int i = 0; i < 8; i++)
        v.voxels[2 * i] = (float)(i + 1);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 8; i++)
        CHECK_NEAR(out[2 * i], (i + 1 - 4.5) / sqrt(5.25), 1e-7);
    hf_volume_free(&v);
}

/* ---- resampling -------------------------------------------------------------------------------------------------- */

/* One axis, step by step: smooth the stored line with a Gaussian sampled at whole voxels, then interpolate. Only for
 * positions far enough from both ends. */
static double reference_at(const double *line, double position, double ratio)
{
    double sigma = ratio > 1 ? sqrt(ratio * ratio - 1) / (2 * sqrt(2 * log(2))) : 0;
    int reach = (int)ceil(3 * sigma), low = (int)floor(position);
    double smooth[2] = { 0, 0 };
    for (int end = 0; end < 2; end++) {
        double total = 0;
        for (int k = -reach; k <= reach; k++) {
            double gauss = sigma > 0 ? exp(-k * k / (2 * sigma * sigma)) : 1;
            smooth[end] += gauss * line[low + end + k];
            total += gauss;
        }
        smooth[end] /= total;
    }
    return smooth[0] + (position - low) * (smooth[1] - smooth[0]);
}

/* A product of three lines is resampled axis by axis, so each result voxel is a product of three references. */
static void test_reference(const double spacing[3])
{
    enum { SIZE = 40 };
    double line[3][SIZE];
    int shape[3];
    hf_volume v = make_volume(SIZE, SIZE, SIZE, 1);
    hf_grid grid = { .spacing = { spacing[0], spacing[1], spacing[2] } };
    for (uint64_t i = 0; i < 3 * SIZE; i++)
        line[i / SIZE][i % SIZE] = 1 + hf_random_uniform(3, 4, i);
    for (int i = 0; i < SIZE * SIZE * SIZE; i++)
        v.voxels[i] = (float)(line[0][i / (SIZE * SIZE)] * line[1][i / SIZE % SIZE] * line[2][i % SIZE]);
    if (!CHECK_OK(hf_grid_shape(shape, &v, &grid))) exit(2);
    float *out = new_floats((size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    double worst = 0;
    int compared = 0;
    for (int i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
        int o[3] = { i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2] };
        double product = 1;
        bool central = true;
        for (int k = 0; k < 3; k++) {
            double position = (o[k] - (shape[k] - 1) / 2.0) * spacing[k] + (SIZE - 1) / 2.0;
            central = central && position > 10 && position < SIZE - 11;
            if (central) product *= reference_at(line[k], position, spacing[k]);
        }
        if (!central) continue;
        compared++;
        worst = fmax(worst, fabs(out[i] - product));
    }
    CHECK(compared > 100);
    CHECK_NEAR(worst, 0, 5e-6);
    free(out);
    hf_volume_free(&v);
}

static void test_shapes(void)
{
    int shape[3];
    const hf_volume v = { .shape = { 91, 109, 91 }, .spacing = { 2, 2, 2 } };
    hf_grid grid = { .shape = { 0 } };
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 91 && shape[1] == 109 && shape[2] == 91);
    grid.spacing[0] = grid.spacing[1] = grid.spacing[2] = 3;
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 61 && shape[1] == 73 && shape[2] == 61); /* 60.67, 72.67, 60.67 */
    grid.shape[1] = 64;
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[0] == 61 && shape[1] == 64 && shape[2] == 61);
    grid.spacing[2] = 1000;
    CHECK_OK(hf_grid_shape(shape, &v, &grid));
    CHECK(shape[2] == 1);
    grid.spacing[2] = 1e-6;
    CHECK_STATUS(hf_grid_shape(shape, &v, &grid), HF_ERR_ARGUMENT, "expected 1 to 4096");
}

/* A constant foreground stays constant where its neighbourhood is foreground, and the background stays zero. */
static void test_background(double spacing)
{
    int shape[3];
    hf_volume v = make_volume(24, 24, 24, 1);
    hf_grid grid = { .spacing = { spacing, spacing, spacing } };
    for (int i = 0; i < 24 * 24 * 24; i++)
        v.voxels[i] = i / (24 * 24) >= 12 ? 7 : 0;
    if (!CHECK_OK(hf_grid_shape(shape, &v, &grid))) exit(2);
    float *out = new_floats((size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    int wrong = 0, inside = 0, filled = 0;
    for (int i = 0; i < shape[0] * shape[1] * shape[2]; i++) {
        filled += out[i] != 0;
        wrong += out[i] != 0 && !(out[i] >= 0.87f && out[i] <= 7.00001f); /* an eighth is left in a corner */
        inside += fabs(out[i] - 7) < 1e-5;
    }
    const double length[3] = { 12 / spacing, 24 / spacing, 24 / spacing }, margin = 8;
    double expected = 1, least = 1;
    for (int i = 0; i < 3; i++) {
        expected *= floor(length[i] + 0.5);
        least *= fmax(0, floor(length[i] - margin));
    }
    CHECK(filled <= expected && filled >= 0.5 * expected && inside >= least);
    CHECK(wrong == 0);
    free(out);
    hf_volume_free(&v);
}

/* Stripes of one voxel cannot be shown by voxels four times as large: they must fade, not turn into other stripes. */
static void test_aliasing(void)
{
    hf_volume v = make_volume(32, 32, 32, 1);
    hf_grid grid = { .spacing = { 4, 4, 4 } };
    float out[8 * 8 * 8];
    double worst = 0;
    for (int i = 0; i < 32 * 32 * 32; i++)
        v.voxels[i] = i % 2 ? 150 : 50;
    CHECK_OK(hf_preprocess(out, &v, &grid, "s"));
    for (int i = 0; i < 8 * 8 * 8; i++)
        if (i % 8 > 0 && i % 8 < 7 && i / 8 % 8 > 0 && i / 8 % 8 < 7 && i / 64 > 0 && i / 64 < 7)
            worst = fmax(worst, fabs(out[i] - 100));
    CHECK(worst < 1);
    hf_volume_free(&v);
}

static void test_resampling(void)
{
    static const double spacings[][3] = { { 2, 2, 2 },       { 0.5, 0.8, 0.9 }, { 1.5, 1, 2.7 },
                                          { 1, 1, 1.0 / 3 }, { 3, 0.7, 1 },     { 1.01, 1, 1 } };
    for (size_t i = 0; i < sizeof spacings / sizeof *spacings; i++)
        test_reference(spacings[i]);
    test_background(1.5);
    test_background(2);
    test_background(0.6);
    test_aliasing();
    test_shapes();
}

/* Resampling to the spacing a volume has already must not touch a bit. */
static void test_same_spacing(void)
{
    hf_volume v = make_volume(5, 6, 7, 2);
    hf_grid grid = { .spacing = { 2, 2.00001, 2 } };
    float out[5 * 6 * 7];
    for (uint64_t i = 0; i < 5 * 6 * 7; i++)
        v.voxels[i] = (float)hf_random_normal(7, 8, i);
    CHECK_OK(hf_preprocess(out, &v, &grid, "s")); /* full, so its centre of mass is its middle */
    CHECK(!memcmp(out, v.voxels, sizeof out));
    CHECK_OK(hf_preprocess(out, &v, NULL, NULL));
    CHECK(!memcmp(out, v.voxels, sizeof out));
    hf_volume_free(&v);
}

static void test_refusals(void)
{
    hf_volume v = make_volume(6, 6, 6, 2);
    float out[6 * 6 * 6];
    hf_grid grid = { .spacing_expected = { 2, 2, 2 } };
    for (int i = 0; i < 7; i++)
        v.voxels[10 * i] = 1;
    CHECK_STATUS(hf_preprocess(out, &v, NULL, "sub-1"), HF_ERR_FORMAT, "'sub-1': has 7 non-zero voxels");
    v.voxels[100] = -1;
    CHECK_OK(hf_preprocess(out, &v, NULL, "sub-1"));
    CHECK_OK(hf_preprocess(out, &v, &grid, "sub-1"));
    grid.spacing_expected[1] = 2.019;
    CHECK_OK(hf_preprocess(out, &v, &grid, "sub-1"));
    grid.spacing_expected[1] = 2.03;
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "sub-1"), HF_ERR_SHAPE, "2 mm along axis 1, expected 2.03 mm");
    grid.spacing[1] = 2;
    CHECK_OK(hf_preprocess(out, &v, &grid, "sub-1")); /* it is asked to resample, so any spacing will do */
    v.voxels[50] = NAN;
    CHECK_STATUS(hf_preprocess(out, &v, NULL, "sub-1"), HF_ERR_NUMBER, "voxel (1,2,2) is nan");
    v.voxels[50] = -INFINITY;
    CHECK_STATUS(hf_preprocess(out, &v, NULL, "sub-1"), HF_ERR_NUMBER, "voxel (1,2,2) is -inf");
    v.voxels[50] = 1;
    grid = (hf_grid){ .shape = { 0, -1, 0 } };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "size -1 along axis 1");
    grid = (hf_grid){ .spacing = { 0, 0, NAN } };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "spacing nan");
    grid = (hf_grid){ .spacing_expected = { -2, 0, 0 } };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "expected of the file: -2");
    grid = (hf_grid){ .shape = { 4, 0, 4 }, .resize = true };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "resizing expects a size and no spacing");
    grid = (hf_grid){ .shape = { 4, 4, 4 }, .resize = true, .spacing = { 1, 1, 1 } };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "resizing expects a size and no spacing");
    grid = (hf_grid){ .crop_mm = { { -4, 4 }, { -3, 5 }, { 6, 12 } }, .shape = { 4, 4, 4 }, .resize = true };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "box in millimetres");
    grid = (hf_grid){ .spacing = { 100, 100, 100 } };
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_FORMAT, "after resampling: has 0 non-zero voxels");
    CHECK_STATUS(hf_preprocess(NULL, &v, &grid, "s"), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_preprocess(out, NULL, &grid, "s"), HF_ERR_ARGUMENT, "required");
    hf_volume_free(&v);
    CHECK_STATUS(hf_preprocess(out, &v, &grid, "s"), HF_ERR_ARGUMENT, "required");
}

int main(void)
{
    test_window();
    test_padding();
    test_resize();
    test_older_rule();
    test_crop();
    test_box();
    test_crop_texts();
    test_views();
    test_zscore();
    test_resampling();
    test_same_spacing();
    test_refusals();
    return check_done("preprocess");
}
