/* anatomy.c: from a person to an anatomy.
 *
 * One number, the atrophy, carries age: 0 at 20 years, about 1 at 85. Women follow a nearly straight course; men lose
 * less until 55 and then faster, so the same brain means another age for each sex. Disease adds to it. Every structure
 * then follows the atrophy with a subject's own deviation, so that no single measure tells the age; deviations are
 * fixed by (seed, subject). Head size differs between the sexes with much overlap. */
#include "anatomy.h"

#include <math.h>

#define PI 3.14159265358979323846

/* What is drawn from the standard normal distribution, one index each. */
enum draw {
    DRAW_COURSE,
    DRAW_HEAD,
    DRAW_HEAD_X,
    DRAW_HEAD_Y,
    DRAW_HEAD_Z,
    DRAW_VENTRICLE,
    DRAW_ASYMMETRY,
    DRAW_THIRD,
    DRAW_HIPPOCAMPUS,
    DRAW_HIPPOCAMPUS_SIDE,
    DRAW_CORTEX,
    DRAW_SULCUS,
    DRAW_RIM,
    DRAW_GREY,
    DRAW_GAIN,
    DRAW_BIAS,                             /* HF_PHANTOM_BIAS of them */
    DRAW_END = DRAW_BIAS + HF_PHANTOM_BIAS /* uniform draws use indices from here on */
};

/* What a disease does beyond ageing. */
static const struct disease {
    double course;      /* added to the atrophy */
    double ventricle;   /* factor of the radius */
    double hippocampus; /* factor of the radius */
} diseases[HF_N_DIAGNOSES] = {
    [HF_CN] = { 0, 1, 1 },
    [HF_MCI] = { 0.08, 1.06, 0.91 },
    [HF_AD] = { 0.2, 1.16, 0.79 },
};

static const double course_sd = 2.5; /* years by which a brain may be older or younger than its owner */

/* Atrophy at an age: 0 at 20 years, about 1 at 85. */
static double atrophy(double age, bool male)
{
    if (!male) return (age - 20) / 65;
    const double bend = 4; /* years over which the male course turns at 55 */
    double late = bend * log1p(exp((age - 55) / bend));
    return 0.30 * (age - 20) / 35 + late * 0.70 / 30;
}

static double normal(uint64_t seed, uint64_t subject, int draw)
{
    return hf_random_normal(seed, hf_random_stream("anatomy", subject, 0), (uint64_t)draw);
}

/* Uniform in -1..1. */
static double uniform(uint64_t seed, uint64_t subject, int draw)
{
    return 2 * hf_random_uniform(seed, hf_random_stream("anatomy", subject, 1), (uint64_t)draw) - 1;
}

static double at_least(double low, double x)
{
    return x > low ? x : low;
}

static void make_head(hf_anatomy *out, const hf_person *person, uint64_t seed, uint64_t subject)
{
    double size = (person->male ? 1.0 : 0.96) * exp(0.022 * normal(seed, subject, DRAW_HEAD));
    for (int i = 0; i < 3; i++)
        out->head[i] = size * exp(0.018 * normal(seed, subject, DRAW_HEAD_X + i));
}

static void make_tissue(hf_anatomy *out, double g, const struct disease *disease, uint64_t seed, uint64_t subject)
{
    double ventricle = (0.80 + 0.62 * g) * disease->ventricle * exp(0.11 * normal(seed, subject, DRAW_VENTRICLE));
    double lean = 0.04 * normal(seed, subject, DRAW_ASYMMETRY);
    double hippocampus = (1.03 - 0.17 * g) * disease->hippocampus * exp(0.05 * normal(seed, subject, DRAW_HIPPOCAMPUS));
    double side = 0.02 * normal(seed, subject, DRAW_HIPPOCAMPUS_SIDE);
    for (int i = 0; i < 2; i++) {
        double sign = i == 0 ? -1 : 1;
        out->ventricle[i] = ventricle * (1 + sign * lean);
        out->hippocampus[i] = hippocampus * (1 + sign * side);
    }
    out->third = at_least(0.8, 1.3 + 2.3 * g + 0.4 * normal(seed, subject, DRAW_THIRD));
    out->cortex = at_least(1.5, 3.1 - 0.65 * g + 0.17 * normal(seed, subject, DRAW_CORTEX));
    out->sulcus = at_least(0.3, 0.7 + 1.9 * g + 0.32 * normal(seed, subject, DRAW_SULCUS));
    out->rim = at_least(0.2, 0.4 + 1.7 * g + 0.3 * normal(seed, subject, DRAW_RIM));
}

static void make_image(hf_anatomy *out, double g, double spacing, uint64_t seed, uint64_t subject)
{
    double gain = 800 * exp(0.15 * normal(seed, subject, DRAW_GAIN));
    double contrast = 0.645 + 0.075 * g + 0.013 * normal(seed, subject, DRAW_GREY);
    out->white = gain;
    out->grey = gain * contrast;
    out->fluid = gain * 0.22;
    out->noise = gain * (0.03 + 0.008 * uniform(seed, subject, DRAW_END));
    for (int i = 0; i < HF_PHANTOM_BIAS; i++)
        out->bias[i] = 0.055 * normal(seed, subject, DRAW_BIAS + i);
    double step = spacing < 4 ? spacing : 4;
    for (int i = 0; i < 3; i++) {
        out->rotation[i] = 3 * PI / 180 * uniform(seed, subject, DRAW_END + 1 + i);
        out->shift[i] = 1.5 * step * uniform(seed, subject, DRAW_END + 4 + i);
        out->warp_phase[i] = PI * uniform(seed, subject, DRAW_END + 7 + i);
    }
}

void hf_anatomy_make(hf_anatomy *out, const hf_person *person, double spacing, uint64_t seed, uint64_t subject)
{
    const struct disease *disease = &diseases[person->diagnosis];
    double age = person->age + course_sd * normal(seed, subject, DRAW_COURSE);
    double g = atrophy(age, person->male) + disease->course;
    *out = (hf_anatomy){ .seed = seed, .subject = subject };
    make_head(out, person, seed, subject);
    make_tissue(out, g, disease, seed, subject);
    make_image(out, g, spacing, seed, subject);
    hf_phantom_folds(out, 1, seed, subject);
}
