/* Checks where the voxels of a NIfTI file lie: all 48 orientations, the sources of the affine, and that what is written
 * comes back, of real scans too where HF_OASIS names a folder of them. */
#include "nifti_file.h"

#include <unistd.h>

static char folder[] = "/tmp/hf-nifti-XXXXXX";

/* ---- orientation ------------------------------------------------------------------------------------------------- */

static void map(double world[3], double affine[3][4], double i, double j, double k)
{
    for (int row = 0; row < 3; row++)
        world[row] = affine[row][0] * i + affine[row][1] * j + affine[row][2] * k + affine[row][3];
}

/* Every voxel must lie at the same place in the world as it did in the file, and the axes must run R, A, S. */
static void check_placed(const hf_volume *volume, double stored[3][4], const int shape[3], double tolerance)
{
    int wrong = 0;
    const int *n = volume->shape;
    for (int v = 0; v < n[0] * n[1] * n[2]; v++) {
        int index = (int)volume->voxels[v] - 1;
        double here[3], there[3];
        map(here, (double(*)[4])volume->affine, v / (n[1] * n[2]), v / n[2] % n[1], v % n[2]);
        map(there, stored, index % shape[0], index / shape[0] % shape[1], index / (shape[0] * shape[1]));
        for (int i = 0; i < 3; i++)
            wrong += !(fabs(here[i] - there[i]) < tolerance);
    }
    CHECK(wrong == 0);
    for (int axis = 0; axis < 3; axis++)
        CHECK(volume->affine[axis][axis] > 0);
}

static void orient_case(const int to[3], int mirrors, const int shape[3], double angle)
{
    static file f;
    static const double spacing[3] = { 1.5, 2, 3 };
    double affine[3][4] = { { 0, 0, 0, 5 }, { 0, 0, 0, -7 }, { 0, 0, 0, 11 } };
    char axes[4] = { 0 };
    for (int axis = 0; axis < 3; axis++) {
        double sign = mirrors >> axis & 1 ? -1 : 1, world[3] = { 0 };
        world[to[axis]] = sign * spacing[axis];
        affine[0][axis] = cos(angle) * world[0] - sin(angle) * world[1]; /* turned about S, then a little about R */
        double y = sin(angle) * world[0] + cos(angle) * world[1], tilt = angle / 2;
        affine[1][axis] = cos(tilt) * y - sin(tilt) * world[2];
        affine[2][axis] = sin(tilt) * y + cos(tilt) * world[2];
        axes[axis] = (sign > 0 ? "RAS" : "LPI")[to[axis]];
    }
    start_file(&f, 2, false, 4, 16);
    put_shape(&f, shape[0], shape[1], shape[2], 2);
    put(&f, "sform_code", 0, 2);
    put_affine(&f, affine);
    for (int i = 0; i < shape[0] * shape[1] * shape[2]; i++)
        put_bits(&f, 544 + 2 * (size_t)i, 2, (uint64_t)i + 1);
    hf_volume volume = { 0 };
    if (!CHECK_OK(parse(&volume, &f))) return;
    CHECK(strcmp(volume.stored_axes, axes) == 0);
    for (int axis = 0; axis < 3; axis++) {
        CHECK(volume.shape[to[axis]] == shape[axis]);
        CHECK_NEAR(volume.spacing[to[axis]], spacing[axis], 1e-12);
    }
    check_placed(&volume, affine, shape, 1e-9);
    hf_volume_free(&volume);
}

static void test_orientations(void)
{
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    static const int shapes[3][3] = { { 2, 3, 4 }, { 19, 17, 33 }, { 33, 1, 16 } };
    for (int order = 0; order < 6; order++)
        for (int mirrors = 0; mirrors < 8; mirrors++)
            for (int shape = 0; shape < 3; shape++) {
                orient_case(orders[order], mirrors, shapes[shape], 0);
                orient_case(orders[order], mirrors, shapes[shape], 0.4);
            }
}

/* ---- where the affine comes from --------------------------------------------------------------------------------- */

static void check_affine(const file *f, double expected[3][4], const char *axes, const char *what)
{
    hf_volume volume = { 0 };
    if (!CHECK_OK(parse(&volume, f))) return;
    bool good = !strcmp(volume.stored_axes, axes);
    for (int i = 0; i < 12; i++)
        good = good && fabs(volume.affine[i / 4][i % 4] - expected[i / 4][i % 4]) < 1e-5;
    if (!CHECK(good)) fprintf(stderr, "    %s: stored axes %s\n", what, volume.stored_axes);
    hf_volume_free(&volume);
}

static void put_qform(file *f, double b, double c, double d, double turn)
{
    const double numbers[3] = { b, c, d }, sizes[4] = { turn, 1.5, 2, 3 }, offset[3] = { 5, -7, 11 };
    put(f, "qform_code", 0, 1);
    put(f, "sform_code", 0, 0);
    for (int i = 0; i < 3; i++) {
        put(f, "quatern", i, numbers[i]);
        put(f, "qoffset", i, offset[i]);
    }
    for (int i = 0; i < 4; i++)
        put(f, "pixdim", i, sizes[i]);
}

static void test_affine_sources(int version, bool big)
{
    static file f;
    const double half = sqrt(0.5);
    double none[3][4] = { { 1.5, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 3, 0 } };
    double plain[3][4] = { { 1.5, 0, 0, 5 }, { 0, 2, 0, -7 }, { 0, 0, 3, 11 } };
    /* a quarter turn about S: i runs to A, j to L; canonical D is -j (3 voxels), H is i */
    double quarter[3][4] = { { 2, 0, 0, 5 - 2 * 2 }, { 0, 1.5, 0, -7 }, { 0, 0, 3, 11 } };
    double mirrored[3][4] = { { 1.5, 0, 0, 5 }, { 0, 2, 0, -7 }, { 0, 0, 3, 11 - 3 * 3 } };
    double half_turn[3][4] = { { 1.5, 0, 0, 5 - 1.5 }, { 0, 2, 0, -7 - 2 * 2 }, { 0, 0, 3, 11 } };
    double metres[3][4] = { { 2000, 0, 0, -10000 }, { 0, 2000, 0, -20000 }, { 0, 0, 2000, -30000 } };
    double microns[3][4] = { { .002, 0, 0, -.01 }, { 0, .002, 0, -.02 }, { 0, 0, .002, -.03 } };
    double sform[3][4] = { { 2, 0, 0, -10 }, { 0, 2, 0, -20 }, { 0, 0, 2, -30 } };
    plain_file(&f, version, big);
    put_qform(&f, 0, 0, 0, 1);
    check_affine(&f, plain, "RAS", "identity qform");
    put_qform(&f, 0, 0, 0, 0);
    check_affine(&f, plain, "RAS", "handedness 0 counts as 1");
    put_qform(&f, 0, 0, 0, -1);
    check_affine(&f, mirrored, "RAI", "left-handed qform");
    put_qform(&f, 0, 0, half, 1);
    check_affine(&f, quarter, "ALS", "quarter turn");
    put_qform(&f, 0, 0, version == 1 ? 1 + 1.2e-7 : 1 + 2.3e-16, 1);
    check_affine(&f, half_turn, "LPS", "half turn, rounded beyond 1");
    put_qform(&f, 0, 0, version == 1 ? 1 - 1.2e-7 : 1 - 1.2e-16, 1);
    check_affine(&f, half_turn, "LPS", "half turn, rounded below 1");
    put(&f, "qform_code", 0, 0);
    check_affine(&f, none, "RAS", "voxel sizes alone");
    plain_file(&f, version, big);
    put_qform(&f, NAN, 0, 0, NAN);
    put(&f, "sform_code", 0, 4);
    put(&f, "pixdim", 1, NAN);
    put(&f, "cal_max", 0, INFINITY);
    check_affine(&f, sform, "RAS", "sform wins; numbers that are not used may be anything");
    put(&f, "units", 0, 1);
    check_affine(&f, metres, "RAS", "metres");
    put(&f, "units", 0, 3 + 8);
    check_affine(&f, microns, "RAS", "micrometres and seconds");
}

/* ---- round trips ------------------------------------------------------------------------------------------------- */

/* An oblique 9 x 7 x 5 volume, a third of it background; `handed` -1 mirrors its first axis. */
static hf_volume make_volume(double angle, double handed)
{
    hf_volume v = { .shape = { 9, 7, 5 }, .spacing = { 1, 2, 2.5 } };
    const double c = cos(angle), s = sin(angle);
    const double rotation[3][3] = { { c, -s, 0 }, { s * c, c * c, -s }, { s * s, s * c, c } };
    for (int i = 0; i < 9; i++)
        v.affine[i / 3][i % 3] = rotation[i / 3][i % 3] * v.spacing[i % 3] * (i % 3 ? 1 : handed);
    for (int row = 0; row < 3; row++)
        v.affine[row][3] = 3.5 - 20 * row;
    v.voxels = calloc(9 * 7 * 5, sizeof(float));
    if (!v.voxels) exit(2);
    for (uint64_t i = 0; i < 9 * 7 * 5; i++)
        if (i % 3) v.voxels[i] = (float)hf_random_normal(5, 6, i) * 100;
    v.voxels[1] = 1e-4f; /* must stay foreground when compact */
    return v;
}

static double largest_difference(const hf_volume *a, const hf_volume *b)
{
    double largest = 0;
    for (int i = 0; i < 9 * 7 * 5; i++)
        largest = fmax(largest, fabs((double)a->voxels[i] - b->voxels[i]));
    return largest;
}

static void check_same_frame(const hf_volume *a, const hf_volume *b, const char *axes, double tolerance)
{
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(a->affine[i / 4][i % 4], b->affine[i / 4][i % 4], tolerance);
    for (int i = 0; i < 3; i++) {
        CHECK(a->shape[i] == b->shape[i]);
        CHECK_NEAR(a->spacing[i], b->spacing[i], tolerance);
    }
    CHECK(!strcmp(b->stored_axes, axes));
}

/* What a program that knows only the qform would see. */
static void check_qform(const char *path, const hf_volume *volume, const char *axes)
{
    void *bytes = NULL;
    size_t size = 0;
    hf_volume other = { 0 };
    if (!CHECK_OK(hf_file_read(&bytes, &size, path, 1 << 20))) return;
    unsigned char *header = bytes;
    CHECK(header[254] == 2 && header[252] == 2 && header[123] == 2); /* both codes, millimetres */
    header[254] = header[255] = 0;
    if (CHECK_OK(hf_volume_parse(&other, bytes, size, path))) check_same_frame(volume, &other, axes, 1e-5);
    hf_volume_free(&other);
    free(bytes);
}

static void round_trip(double angle, const char *name, bool compact)
{
    hf_volume volume = make_volume(angle, 1), again = { 0 };
    char *path = NULL;
    if (hf_path_join(&path, folder, name) != HF_OK) exit(2);
    if (CHECK_OK(hf_volume_write(&volume, path, compact)) && CHECK_OK(hf_volume_read(&again, path))) {
        check_same_frame(&volume, &again, "RAS", 1e-5);
        double largest = 0;
        int changed = 0;
        for (int i = 0; i < 9 * 7 * 5; i++) {
            largest = fmax(largest, fabs(volume.voxels[i]));
            changed += (volume.voxels[i] == 0) != (again.voxels[i] == 0);
        }
        CHECK(changed == 0);
        CHECK(largest_difference(&volume, &again) <= (compact ? largest / 32767 : 0));
        if (!strstr(name, ".gz")) check_qform(path, &volume, "RAS");
    }
    unlink(path);
    free(path);
    hf_volume_free(&volume);
    hf_volume_free(&again);
}

/* A mirrored volume: both forms must say so. */
static void test_left_handed(double angle)
{
    hf_volume volume = make_volume(angle, -1), again = { 0 };
    char *path = NULL;
    if (hf_path_join(&path, folder, "left.nii") != HF_OK) exit(2);
    if (CHECK_OK(hf_volume_write(&volume, path, false)) && CHECK_OK(hf_volume_read(&again, path))) {
        CHECK(!strcmp(again.stored_axes, "LAS") && again.voxels[1] == volume.voxels[8 * 7 * 5 + 1]);
        check_qform(path, &again, "LAS");
    }
    unlink(path);
    free(path);
    hf_volume_free(&volume);
    hf_volume_free(&again);
}

static void test_write_refusals(void)
{
    hf_volume volume = make_volume(0.2, 1), empty = { 0 };
    CHECK_STATUS(hf_volume_write(&volume, "a.npy", false), HF_ERR_ARGUMENT, "written as .nii");
    CHECK_STATUS(hf_volume_write(&empty, "a.nii", false), HF_ERR_ARGUMENT, "voxels");
    CHECK_STATUS(hf_volume_write(NULL, "a.nii", false), HF_ERR_ARGUMENT, "required");
    CHECK_STATUS(hf_volume_write(&volume, "/nonexistent/x/a.nii", false), HF_ERR_IO, "/nonexistent/x");
    volume.voxels[7] = NAN;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", true), HF_ERR_NUMBER, "voxel 7");
    volume.spacing[1] = 3;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "spacing 3 mm along axis 1");
    volume.spacing[1] = 2;
    volume.affine[1][3] = NAN;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "affine[1][3]");
    volume.affine[1][3] = 0;
    volume.shape[2] = 40000;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "size 40000");
    volume.affine[0][0] = volume.affine[1][0] = volume.affine[2][0] = 0;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", false), HF_ERR_ARGUMENT, "along axis 0");
    hf_volume_free(&volume);
    volume = make_volume(0, 1);
    for (int i = 0; i < 9 * 7 * 5; i++)
        volume.voxels[i] = 0;
    volume.voxels[0] = 1e-40f;
    CHECK_STATUS(hf_volume_write(&volume, "a.nii", true), HF_ERR_NUMBER, "too small");
    hf_volume_free(&volume);
}

static void test_round_trips(void)
{
    static const double angles[] = { 0, 0.3, -0.6 };
    for (size_t i = 0; i < 3; i++)
        for (int compact = 0; compact < 2; compact++) {
            round_trip(angles[i], "a.nii", compact);
            round_trip(angles[i], "a.nii.gz", compact);
        }
    test_left_handed(0);
    test_left_handed(0.4);
    test_write_refusals();
}

/* Real files, where the folder is there. */
static void test_oasis(void)
{
    static const char *const names[] = { "sub-OAS10001/anat/sub-OAS10001_T1w.nii.gz",
                                         "sub-OAS10103/anat/sub-OAS10103_T1w.nii.gz" };
    const char *oasis = getenv("HF_OASIS");
    if (!oasis) {
        check_skip("HF_OASIS does not name a folder of real scans");
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        char *path = NULL;
        hf_volume v = { 0 };
        if (hf_path_join(&path, oasis, names[i]) != HF_OK) exit(2);
        if (CHECK_OK(hf_volume_read(&v, path))) {
            double low = 0, high = 0;
            for (int k = 0; k < 91 * 109 * 91; k++)
                low = fmin(low, v.voxels[k]), high = fmax(high, v.voxels[k]);
            CHECK(v.shape[0] == 91 && v.shape[1] == 109 && v.shape[2] == 91 && !strcmp(v.stored_axes, "LAS"));
            CHECK(v.spacing[0] == 2 && v.affine[0][0] == 2 && v.affine[0][3] == -90);
            CHECK(v.affine[1][3] == -126 && v.affine[2][3] == -72);
            CHECK(low == 0 && high > 0.5 && high < 20);
        }
        hf_volume_free(&v);
        free(path);
    }
}

int main(void)
{
    if (!mkdtemp(folder)) return 2;
    test_orientations();
    for (int version = 1; version <= 2; version++)
        for (int big = 0; big < 2; big++) {
            test_affine_sources(version, big);
        }
    test_round_trips();
    test_oasis();
    rmdir(folder);
    return check_done("nifti_space");
}
