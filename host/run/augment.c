/* augment.c: random mirroring and shifts of training volumes, on the host, before they go to the device. What
 * happens to a volume depends on (seed, epoch, subject) alone, so a resumed run sees the same volumes. */
#include "parts.h"
#include <stdlib.h>
#include <string.h>

enum { DRAW_FLIP, DRAW_SHIFT }; /* the draws of one volume: one for the mirror, three for the shift */

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

static void augment_one(float *volume, const int shape[3], uint64_t stream, const hf_augment *o, float *room)
{
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    if (o->flip && hf_random_uniform(o->seed, stream, DRAW_FLIP) < 0.5) flip(volume, shape, room);
    if (o->shift == 0) return;
    int by[3];
    for (int axis = 0; axis < 3; axis++) {
        const double draw = hf_random_uniform(o->seed, stream, (uint64_t)DRAW_SHIFT + (uint64_t)axis);
        by[axis] = (int)(draw * (2 * o->shift + 1)) - o->shift;
    }
    shift(room, volume, shape, by);
    memcpy(volume, room, voxels * sizeof *volume);
}

hf_status hf_augment_batch(const hf_batch *batch, const int shape[3], uint64_t epoch, const hf_augment *options)
{
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    float *room = NULL;
    if (!options->flip && options->shift == 0) return HF_OK;
    HF_TRY(hf_alloc(&room, voxels, sizeof *room, "a volume to augment"));
    for (int i = 0; i < batch->count; i++) {
        const uint64_t stream = hf_random_stream("augment", epoch, (uint64_t)batch->index[i]);
        augment_one(batch->volume + (size_t)i * voxels, shape, stream, options, room);
    }
    free(room);
    return HF_OK;
}
