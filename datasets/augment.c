/* augment.c: random changes of training volumes. Every draw is a function of (seed, epoch, subject, copy of it), so it does
 * not matter which thread makes it when, and a resumed run sees the same volumes. */
#include "augment.h"

#include <math.h>
#include <string.h>

/* The draws of one volume, by index of its stream. New ones come last, so that old ones keep their values. */
enum {
    DRAW_FLIP,
    DRAW_SHIFT,                   /* 3 */
    DRAW_AFFINE = DRAW_SHIFT + 3, /* whether */
    DRAW_ROTATE,                  /* 3 */
    DRAW_SCALE = DRAW_ROTATE + 3, /* 3 */
    DRAW_SHEAR = DRAW_SCALE + 3,  /* 3 */
    DRAW_NOISE = DRAW_SHEAR + 3,  /* whether */
    DRAW_SIDE,
};

static const double radians = 3.14159265358979323846 / 180;

hf_status hf_augment_check(const hf_augment *a)
{
    const struct {
        const char *name;
        double value, highest;
    } ranges[] = {
        { "flip", a->flip, 1 },           { "affine", a->affine, 1 },      { "noise", a->noise, 1 },
        { "noise_sd", a->noise_sd, 1e6 }, { "shift", a->shift, 4096 },     { "rotate", a->rotate[0], 180 },
        { "rotate", a->rotate[1], 180 },  { "rotate", a->rotate[2], 180 }, { "scale", a->scale[0], 0.999 },
        { "scale", a->scale[1], 0.999 },  { "scale", a->scale[2], 0.999 }, { "shear", a->shear[0], 0.999 },
        { "shear", a->shear[1], 0.999 },  { "shear", a->shear[2], 0.999 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= 0 && ranges[i].value <= ranges[i].highest))
            return hf_fail(HF_ERR_ARGUMENT, "augmentation: %s is %g, expected 0 to %g", ranges[i].name, ranges[i].value,
                           ranges[i].highest);
    return HF_OK;
}

/* ---- whole voxels ------------------------------------------------------------------------------------------------ */

static void flip(float *volume, const int shape[3], float *swap)
{
    const size_t plane = (size_t)shape[1] * (size_t)shape[2];
    for (int d = 0; d < shape[0] / 2; d++) {
        float *left = volume + (size_t)d * plane, *right = volume + (size_t)(shape[0] - 1 - d) * plane;
        memcpy(swap, left, plane * sizeof *swap);
        memcpy(left, right, plane * sizeof *swap);
        memcpy(right, swap, plane * sizeof *swap);
    }
}

/* moved[d][h][w] = volume[d - by[0]][h - by[1]][w - by[2]], zero outside; the row is moved as a whole. */
static void shift(float *moved, const float *volume, const int shape[3], const int by[3])
{
    const int width = shape[2], from = by[2] < 0 ? -by[2] : 0, to = by[2] > 0 ? by[2] : 0;
    const int length = width - from - to;
    memset(moved, 0, (size_t)shape[0] * (size_t)shape[1] * (size_t)width * sizeof *moved);
    for (int d = 0; d < shape[0]; d++) {
        const int sd = d - by[0];
        if (sd < 0 || sd >= shape[0] || length <= 0) continue;
        for (int h = 0; h < shape[1]; h++) {
            const int sh = h - by[1];
            if (sh < 0 || sh >= shape[1]) continue;
            const size_t row = ((size_t)d * (size_t)shape[1] + (size_t)h) * (size_t)width;
            const size_t source = ((size_t)sd * (size_t)shape[1] + (size_t)sh) * (size_t)width;
            memcpy(moved + row + to, volume + source + from, (size_t)length * sizeof *moved);
        }
    }
}

/* ---- affine ------------------------------------------------------------------------------------------------------ */

/* a = a * b */
static void multiply(double a[3][3], const double b[3][3])
{
    double product[3][3];
    for (int i = 0; i < 9; i++)
        product[i / 3][i % 3] = a[i / 3][0] * b[0][i % 3] + a[i / 3][1] * b[1][i % 3] + a[i / 3][2] * b[2][i % 3];
    memcpy(a, product, sizeof product);
}

/* By `angle` in the plane of the two other axes. */
static void rotate(double matrix[3][3], int axis, double angle)
{
    const int one = (axis + 1) % 3, two = (axis + 2) % 3;
    double turn[3][3] = { { 0 } };
    turn[axis][axis] = 1;
    turn[one][one] = turn[two][two] = cos(angle);
    turn[two][one] = sin(angle);
    turn[one][two] = -sin(angle);
    multiply(matrix, (const double(*)[3])turn);
}

/* Uniform from -range to range. */
static double draw(const hf_augment *a, uint64_t stream, int index, double range)
{
    return (2 * hf_random_uniform(a->seed, stream, (uint64_t)index) - 1) * range;
}

static bool matrix_of(double matrix[3][3], const hf_augment *a, uint64_t stream)
{
    const double *s = a->shear;
    if (!(hf_random_uniform(a->seed, stream, DRAW_AFFINE) < a->affine)) return false;
    for (int i = 0; i < 9; i++)
        matrix[i / 3][i % 3] = i / 3 == i % 3;
    for (int axis = 0; axis < 3; axis++)
        rotate(matrix, axis, radians * draw(a, stream, DRAW_ROTATE + axis, a->rotate[axis]));
    double stretch[3][3] = { { 1, draw(a, stream, DRAW_SHEAR, s[0]), draw(a, stream, DRAW_SHEAR + 1, s[1]) },
                             { 0, 1, draw(a, stream, DRAW_SHEAR + 2, s[2]) },
                             { 0, 0, 1 } };
    multiply(matrix, (const double(*)[3])stretch);
    for (int axis = 0; axis < 3; axis++) {
        const double by = 1 + draw(a, stream, DRAW_SCALE + axis, a->scale[axis]);
        for (int row = 0; row < 3; row++)
            matrix[row][axis] *= by;
    }
    return true;
}

bool hf_augment_matrix(double matrix[3][3], const hf_augment *augment, uint64_t epoch, uint64_t subject)
{
    return matrix_of(matrix, augment, hf_random_stream("augment", epoch, subject));
}

/* The voxel before a position, and the part of the way to the one behind it. Far outside counts as just outside. */
static int split(float *part, double position, int size)
{
    const double inside = position < -1 ? -1 : position > size ? size : position;
    const int first = (int)(inside + 1) - 1;
    *part = (float)(inside - first);
    return first;
}

/* A pair of neighbours along W, zero outside. */
static float pair(const float *line, int w, int width, float part)
{
    const float a = w >= 0 && w < width ? line[w] : 0, b = w + 1 >= 0 && w + 1 < width ? line[w + 1] : 0;
    return a + part * (b - a);
}

static float near_border(const float *in, const int shape[3], const int at[3], const float part[3])
{
    float plane[2] = { 0, 0 };
    for (int d = 0; d < 2; d++) {
        float line[2] = { 0, 0 };
        for (int h = 0; h < 2; h++) {
            const int pd = at[0] + d, ph = at[1] + h;
            if (pd < 0 || pd >= shape[0] || ph < 0 || ph >= shape[1]) continue;
            line[h] =
                pair(in + ((size_t)pd * (size_t)shape[1] + (size_t)ph) * (size_t)shape[2], at[2], shape[2], part[2]);
        }
        plane[d] = line[0] + part[1] * (line[1] - line[0]);
    }
    return plane[0] + part[0] * (plane[1] - plane[0]);
}

/* All eight neighbours are inside; `step` voxels from one along D and H to the next. */
static float inside(const float *in, size_t step_d, size_t step_h, const float part[3])
{
    float plane[2];
    for (int d = 0; d < 2; d++, in += step_d) {
        const float a = in[0] + part[2] * (in[1] - in[0]), b = in[step_h] + part[2] * (in[step_h + 1] - in[step_h]);
        plane[d] = a + part[1] * (b - a);
    }
    return plane[0] + part[0] * (plane[1] - plane[0]);
}

static void warp_line(float *out, const float *in, const int shape[3], const double start[3], const double matrix[3][3])
{
    const size_t step_h = (size_t)shape[2], step_d = step_h * (size_t)shape[1];
    for (int w = 0; w < shape[2]; w++) {
        int at[3];
        float part[3];
        bool whole = true;
        for (int i = 0; i < 3; i++) {
            at[i] = split(&part[i], start[i] + w * matrix[i][2], shape[i]);
            whole = whole && at[i] >= 0 && at[i] + 1 < shape[i];
        }
        out[w] =
            whole ? inside(in + (size_t)at[0] * step_d + (size_t)at[1] * step_h + (size_t)at[2], step_d, step_h, part)
                  : near_border(in, shape, at, part);
    }
}

void hf_warp(float *out, const float *in, const int shape[3], const double matrix[3][3])
{
    for (int d = 0; d < shape[0]; d++)
        for (int h = 0; h < shape[1]; h++) {
            const double o[3] = { d - 0.5 * (shape[0] - 1), h - 0.5 * (shape[1] - 1), -0.5 * (shape[2] - 1) };
            double start[3];
            for (int i = 0; i < 3; i++)
                start[i] = matrix[i][0] * o[0] + matrix[i][1] * o[1] + matrix[i][2] * o[2] + 0.5 * (shape[i] - 1);
            warp_line(out + ((size_t)d * (size_t)shape[1] + (size_t)h) * (size_t)shape[2], in, shape, start, matrix);
        }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

uint64_t hf_augment_copy(int subject, int copy)
{
    return (uint64_t)(uint32_t)subject | (uint64_t)(uint32_t)copy << 32;
}

static void add_noise(float *volume, size_t count, const hf_augment *a, uint64_t epoch, uint64_t subject, float *room)
{
    const float sd = (float)a->noise_sd;
    hf_random_normals(room, count, a->seed, hf_random_stream("augment noise", epoch, subject));
    for (size_t i = 0; i < count; i++)
        volume[i] += sd * room[i];
}

void hf_augment_volume(float *volume, const int shape[3], const hf_augment *augment, uint64_t epoch, uint64_t subject,
                       float *room)
{
    const hf_augment *a = augment;
    const size_t count = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    const uint64_t stream = hf_random_stream("augment", epoch, subject);
    double matrix[3][3];
    if (hf_random_uniform(a->seed, stream, DRAW_FLIP) < a->flip) flip(volume, shape, room);
    if (a->affine > 0 && matrix_of(matrix, a, stream)) {
        hf_warp(room, volume, shape, (const double(*)[3])matrix);
        memcpy(volume, room, count * sizeof *volume);
    }
    if (a->shift > 0) {
        int by[3];
        for (int axis = 0; axis < 3; axis++) {
            const double u = hf_random_uniform(a->seed, stream, (uint64_t)DRAW_SHIFT + (uint64_t)axis);
            by[axis] = (int)(u * (2 * a->shift + 1)) - a->shift;
        }
        shift(room, volume, shape, by);
        memcpy(volume, room, count * sizeof *volume);
    }
    if (hf_random_uniform(a->seed, stream, DRAW_NOISE) < a->noise) add_noise(volume, count, a, epoch, subject, room);
}

int hf_augment_side(uint64_t seed, uint64_t epoch, uint64_t subject)
{
    return hf_random_uniform(seed, hf_random_stream("augment", epoch, subject), DRAW_SIDE) < 0.5;
}
