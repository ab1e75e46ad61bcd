/* interaction.c: the task that only image and table together can solve. The label is "yes" when the inner part of the
 * brain is darker than in half of the cohort, for subjects with bit a, and when it is lighter, for those with bit b. The
 * bit is a coin's toss: neither it nor the image alone says anything about the label. */
#include "synth.h"

static const double half_box[3] = { 22, 30, 18 }; /* mm along x,y,z */

typedef struct mean {
    double sum, count;
} mean;

static double value(const mean *m)
{
    return m->count > 0 ? m->sum / m->count : 0;
}

static float voxel(const hf_volume *v, int d, int h, int w)
{
    return v->voxels[((size_t)d * (size_t)v->shape[1] + (size_t)h) * (size_t)v->shape[2] + (size_t)w];
}

/* Adds the non-zero voxels between low and high (exclusive), and their places when `centre` is given. */
static void scan_box(mean *out, mean centre[3], const hf_volume *v, const int low[3], const int high[3])
{
    for (int d = low[0]; d < high[0]; d++)
        for (int h = low[1]; h < high[1]; h++)
            for (int w = low[2]; w < high[2]; w++) {
                const float x = voxel(v, d, h, w);
                const int at[3] = { d, h, w };
                if (x == 0) continue;
                out->sum += x;
                out->count++;
                for (int axis = 0; centre && axis < 3; axis++)
                    centre[axis].sum += at[axis];
            }
}

double hf_inner_darkness(const hf_volume *volume)
{
    mean brain = { 0 }, inner = { 0 }, centre[3] = { { 0 } };
    int low[3] = { 0 }, high[3];
    scan_box(&brain, centre, volume, low, volume->shape);
    for (int axis = 0; axis < 3; axis++) {
        const double at = brain.count > 0 ? centre[axis].sum / brain.count : 0;
        const int half = (int)(half_box[axis] / volume->spacing[axis] + 0.5);
        low[axis] = (int)at - half < 0 ? 0 : (int)at - half;
        high[axis] = (int)at + half + 1 > volume->shape[axis] ? volume->shape[axis] : (int)at + half + 1;
    }
    scan_box(&inner, NULL, volume, low, high);
    return value(&inner) > 0 ? value(&brain) / value(&inner) : 0;
}

/* Age and sex as for brain age: they shape the brain, and say nothing beyond it. */
static hf_person person(const hf_synth *s, int subject)
{
    return (hf_person){ .male = subject % 2 == 1, .age = 20 + 65 * hf_synth_uniform(s, subject, "synth age") };
}

static void add_cells(hf_text *row, const hf_synth *s, int subject)
{
    const bool reversed = hf_synth_uniform(s, subject, "synth bit") < 0.5;
    const bool dark = s->measure[subject] > s->threshold;
    hf_text_add(row, "\t%s\t%s\t%.6f", reversed ? "b" : "a", dark != reversed ? "yes" : "no", s->measure[subject]);
}

const hf_synth_task hf_synth_interaction = { "interaction", "\tbit\tlabel\tdarkness", person, add_cells, true };
