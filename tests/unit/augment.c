/* Checks augmentation: what the draws say is what happens, exact where whole voxels move, against a plain reference in
 * double where they do not; rates and moments; that (seed, epoch, subject) alone decide. */
#include "augment.h"
#include "check.h"

#include <stdlib.h>

enum { D = 7, H = 6, W = 8, VOXELS = D * H * W };
static const int shape[3] = { D, H, W };

static void fill(float *volume, uint64_t seed)
{
    for (uint64_t i = 0; i < VOXELS; i++)
        volume[i] = (float)hf_random_normal(seed, 3, i);
}

static float value_at(const float *v, int d, int h, int w)
{
    return d < 0 || d >= D || h < 0 || h >= H || w < 0 || w >= W ? 0 : v[(d * H + h) * W + w];
}

/* Mirror and shift by the draws that the streams of earlier versions gave, to the bit. */
static void test_whole_voxels(void)
{
    const hf_augment a = { .flip = 0.5, .shift = 2, .seed = 4 };
    float in[VOXELS], out[VOXELS], room[VOXELS];
    int mirrored = 0, wrong = 0;
    enum { N = 300 };
    fill(in, 1);
    for (int subject = 0; subject < N; subject++) {
        const uint64_t stream = hf_random_stream("augment", 9, (uint64_t)subject);
        const bool flip = hf_random_uniform(4, stream, 0) < 0.5;
        int by[3];
        for (int i = 0; i < 3; i++)
            by[i] = (int)(hf_random_uniform(4, stream, 1 + (uint64_t)i) * 5) - 2;
        memcpy(out, in, sizeof out);
        hf_augment_volume(out, shape, &a, 9, (uint64_t)subject, room);
        for (int i = 0; i < VOXELS; i++) {
            const int d = i / (H * W) - by[0], h = i / W % H - by[1], w = i % W - by[2];
            const float want = d < 0 || d >= D ? 0 : value_at(in, flip ? D - 1 - d : d, h, w);
            wrong += memcmp(&out[i], &want, sizeof want) != 0;
        }
        mirrored += flip;
    }
    CHECK(wrong == 0 && mirrored > N / 3 && mirrored < 2 * N / 3);
}

static void test_rates(void)
{
    enum { N = 4000 };
    const hf_augment a = { .flip = 0.3, .affine = 0.4, .rotate = { 5, 5, 5 }, .noise = 0.2, .noise_sd = 1, .seed = 7 };
    float room[8], matrix_count = 0;
    const int two[3] = { 2, 2, 2 };
    int flips = 0, noises = 0, sides = 0;
    for (uint64_t subject = 0; subject < N; subject++) {
        double matrix[3][3];
        float v[8] = { 1 };
        hf_augment only = { .flip = a.flip, .seed = a.seed };
        hf_augment_volume(v, two, &only, 1, subject, room);
        flips += v[0] == 0;
        memset(v, 0, sizeof v);
        only = (hf_augment){ .noise = a.noise, .noise_sd = 1, .seed = a.seed };
        hf_augment_volume(v, two, &only, 1, subject, room);
        noises += v[0] != 0;
        matrix_count += hf_augment_matrix(matrix, &a, 1, subject);
        sides += hf_augment_side(a.seed, 1, subject);
    }
    CHECK_NEAR(flips / (double)N, 0.3, 0.03); /* four standard deviations */
    CHECK_NEAR(noises / (double)N, 0.2, 0.026);
    CHECK_NEAR(matrix_count / (double)N, 0.4, 0.031);
    CHECK_NEAR(sides / (double)N, 0.5, 0.032);
}

static void test_noise_moments(void)
{
    enum { SIDE = 40, N = SIDE * SIDE * SIDE };
    const int cube[3] = { SIDE, SIDE, SIDE };
    const hf_augment a = { .noise = 1, .noise_sd = 0.5, .seed = 2 };
    float *v = calloc(N, sizeof *v), *room = calloc(N, sizeof *room);
    double sum = 0, squares = 0, cubes = 0, fourth = 0, neighbours = 0;
    if (!v || !room) exit(2);
    hf_augment_volume(v, cube, &a, 3, 8, room);
    for (int i = 0; i < N; i++) {
        const double x = v[i] / 0.5;
        sum += x, squares += x * x, cubes += x * x * x, fourth += x * x * x * x;
        if (i) neighbours += x * v[i - 1] / 0.5;
    }
    CHECK_NEAR(sum / N, 0, 4 / sqrt(N));
    CHECK_NEAR(squares / N, 1, 4 * sqrt(2.0 / N));
    CHECK_NEAR(cubes / N, 0, 4 * sqrt(15.0 / N));
    CHECK_NEAR(fourth / N, 3, 4 * sqrt(96.0 / N));
    CHECK_NEAR(neighbours / N, 0, 4 / sqrt(N));
    free(v);
    free(room);
}

/* ---- affine ------------------------------------------------------------------------------------------------------ */

/* The definition, in double: eight neighbours, zero outside. */
static double reference(const float *in, const int o[3], const double m[3][3])
{
    double sum = 0, p[3];
    for (int i = 0; i < 3; i++) {
        p[i] = 0.5 * (shape[i] - 1);
        for (int k = 0; k < 3; k++)
            p[i] += m[i][k] * (o[k] - 0.5 * (shape[k] - 1));
    }
    for (int corner = 0; corner < 8; corner++) {
        double weight = 1;
        int at[3];
        for (int i = 0; i < 3; i++) {
            at[i] = (int)floor(p[i]) + (corner >> i & 1);
            weight *= fmax(0, 1 - fabs(p[i] - at[i]));
        }
        sum += weight * value_at(in, at[0], at[1], at[2]);
    }
    return sum;
}

static double worst_of(const float *in, const double m[3][3])
{
    float out[VOXELS];
    double worst = 0;
    hf_warp(out, in, shape, m);
    for (int i = 0; i < VOXELS; i++) {
        const int o[3] = { i / (H * W), i / W % H, i % W };
        worst = fmax(worst, fabs(out[i] - reference(in, o, m)));
    }
    return worst;
}

/* Values below 5 pass three interpolations, each of which rounds a part (2^-24 of up to 8 voxels) and a sum. */
static void test_reference(void)
{
    const hf_augment a = {
        .affine = 1, .rotate = { 40, 90, 180 }, .scale = { 0.5, 0.2, 0.1 }, .shear = { 0.4, 0.3, 0.2 }
    };
    static const double far[3][3] = { { 100, 0, 0 }, { 0, 1e9, 0 }, { 0, 0, -1e12 } };
    float in[VOXELS];
    fill(in, 2);
    for (uint64_t subject = 0; subject < 100; subject++) {
        double matrix[3][3];
        CHECK(hf_augment_matrix(matrix, &a, 0, subject));
        CHECK_NEAR(worst_of(in, (const double(*)[3])matrix), 0, 1e-5);
    }
    float out[VOXELS];
    hf_warp(out, in, shape, far); /* far outside: zeros, and no overflow */
    CHECK(out[0] == 0 && out[VOXELS - 1] == 0);
}

/* No turn leaves every bit; a quarter turn of a cube moves whole voxels. */
static void test_turns(void)
{
    static const double identity[3][3] = { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } };
    static const double quarter[3][3] = { { 1, 0, 0 }, { 0, 0, -1 }, { 0, 1, 0 } };
    const hf_augment still = { .affine = 1, .seed = 5 };
    const int cube[3] = { 5, 5, 5 };
    float in[VOXELS], out[VOXELS], room[VOXELS];
    int wrong = 0;
    fill(in, 3);
    hf_warp(out, in, shape, identity);
    CHECK(memcmp(out, in, sizeof in) == 0);
    memcpy(out, in, sizeof in);
    hf_augment_volume(out, shape, &still, 1, 1, room);
    CHECK(memcmp(out, in, sizeof in) == 0);
    hf_warp(out, in, cube, quarter);
    for (int i = 0; i < 125; i++)
        wrong += out[i] != in[(i / 25 * 5 + 4 - i % 5) * 5 + i / 5 % 5];
    CHECK(wrong == 0);
}

/* Angles, factors and shears within their ranges, evenly, and each about its own axis. */
static void test_ranges(void)
{
    enum { N = 2000 };
    double low[3] = { 9, 9, 9 }, high[3] = { -9, -9, -9 }, squares[3] = { 0 };
    for (uint64_t subject = 0; subject < N; subject++)
        for (int axis = 0; axis < 3; axis++) {
            hf_augment a = { .affine = 1, .seed = 6 };
            double turn[3][3], scale[3][3], shear[3][3];
            a.rotate[axis] = 10;
            CHECK(hf_augment_matrix(turn, &a, 0, subject));
            a = (hf_augment){ .affine = 1, .seed = 6 };
            a.scale[axis] = 0.1;
            CHECK(hf_augment_matrix(scale, &a, 0, subject));
            a = (hf_augment){ .affine = 1, .seed = 6 };
            a.shear[axis] = 0.2;
            CHECK(hf_augment_matrix(shear, &a, 0, subject));
            const int one = (axis + 1) % 3, two = (axis + 2) % 3;
            const double angle = atan2(turn[two][one], turn[one][one]) * 180 / acos(-1);
            low[axis] = fmin(low[axis], angle);
            high[axis] = fmax(high[axis], angle);
            squares[axis] += angle * angle;
            CHECK(turn[axis][axis] == 1 && fabs(scale[axis][axis] - 1) <= 0.1 && scale[one][one] == 1);
            CHECK(fabs(shear[axis == 2][axis ? 2 : 1]) <= 0.2 && shear[1][0] == 0 && shear[0][0] == 1);
        }
    for (int axis = 0; axis < 3; axis++) {
        CHECK(low[axis] >= -10 && low[axis] < -9.9 && high[axis] <= 10 && high[axis] > 9.9);
        CHECK_NEAR(squares[axis] / N, 100.0 / 3,
                   4 * 100 / sqrt(N) * 0.3); /* variance of a uniform; sd of squares .298 */
    }
}

/* ---- what decides ------------------------------------------------------------------------------------------------ */

static void test_determinism(void)
{
    const hf_augment all = { .flip = 0.5,
                             .shift = 1,
                             .affine = 1,
                             .rotate = { 5, 5, 5 },
                             .scale = { 0.1, 0.1, 0.1 },
                             .shear = { 0.1, 0.1, 0.1 },
                             .noise = 1,
                             .noise_sd = 0.1,
                             .seed = 11 };
    hf_augment other = all;
    float in[VOXELS], a[VOXELS], b[VOXELS], room[VOXELS];
    fill(in, 4);
    other.seed = 12;
    for (int k = 0; k < 5; k++) {
        memcpy(a, in, sizeof in);
        memcpy(b, in, sizeof in);
        hf_augment_volume(a, shape, &all, 2, 3, room);
        for (int i = 0; i < VOXELS; i++)
            room[i] = NAN; /* what lies in the room must not matter */
        hf_augment_volume(b, shape, k == 4 ? &other : &all, k == 1 ? 3 : 2, k == 2 ? 4 : 3, room);
        CHECK((memcmp(a, b, sizeof a) == 0) == (k == 0 || k == 3));
    }
    const hf_augment none = { .seed = 1 };
    memcpy(a, in, sizeof in);
    hf_augment_volume(a, shape, &none, 2, 3, room);
    CHECK(memcmp(a, in, sizeof in) == 0);
}

static void test_refusals(void)
{
    CHECK_OK(hf_augment_check(&(hf_augment){ .flip = 1, .shift = 3 }));
    CHECK_STATUS(hf_augment_check(&(hf_augment){ .flip = 1.5 }), HF_ERR_ARGUMENT, "flip is 1.5, expected 0 to 1");
    CHECK_STATUS(hf_augment_check(&(hf_augment){ .noise = NAN }), HF_ERR_ARGUMENT, "noise is nan");
    CHECK_STATUS(hf_augment_check(&(hf_augment){ .scale = { 0, 1, 0 } }), HF_ERR_ARGUMENT, "scale is 1");
    CHECK_STATUS(hf_augment_check(&(hf_augment){ .shift = -1 }), HF_ERR_ARGUMENT, "shift is -1");
}

int main(void)
{
    test_whole_voxels();
    test_rates();
    test_noise_moments();
    test_reference();
    test_turns();
    test_ranges();
    test_determinism();
    test_refusals();
    return check_done("augment");
}
