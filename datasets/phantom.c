/* phantom.c: draws brain-like volumes.
 *
 * Every voxel is carried back into a template space (pose, head size, a slow warp) and asked there how deep it lies
 * below a few surfaces: a cerebral hull with temporal lobes, cerebellum, brain stem, ventricles, hippocampi, deep
 * nuclei. Depths are in mm, positive inside, and turned into tissue fractions by a ramp about one sample wide, so that
 * boundaries carry partial volume.
 *
 * The cortex follows from the distance to the nearest fluid. Sulci are the zero sheets of a smooth random field (a sum
 * of plane waves) read at the point's projection on the hull, which makes the sheets run inwards; the interhemispheric
 * and the Sylvian fissure are sheets of fixed place. What lies within one cortical thickness of fluid is grey, what
 * lies deeper is white. */
#include "phantom.h"

#include <math.h>

#define PI 3.14159265358979323846

typedef struct vec {
    float x, y, z;
} vec;

/* The middle of the head; pose and scale act around it. */
static const vec head_centre = { 0.0f, -17.0f, 9.0f };

/* What the field of view has to hold, mm. */
static const double field_of_view[3] = { 182.0, 218.0, 182.0 };

/* Voxels coarser than this are sampled 2x2x2, mm. */
static const double coarse_spacing = 3.0;

/* A point of a tube: place (x to the side) and radius, mm. */
typedef struct tube_node {
    float x, y, z, r;
} tube_node;

/* Lateral ventricle from the tip of the frontal horn through body and atrium to the temporal horn. */
static const tube_node ventricle_nodes[] = { { 11, 33, 0, 2.6f },   { 10, 20, 8, 4.6f },   { 9, 2, 17, 4.6f },
                                             { 13, -22, 19, 5.0f }, { 23, -40, 11, 6.6f }, { 32, -30, -7, 3.0f },
                                             { 31, -14, -16, 2.0f } };
static const tube_node occipital_horn_nodes[] = { { 23, -40, 11, 6.2f }, { 21, -66, 7, 1.8f } };
static const tube_node hippocampus_nodes[] = {
    { 24, -9, -21, 6.0f }, { 29, -20, -17, 5.0f }, { 29, -31, -10, 4.2f }, { 22, -38, -2, 2.5f }
};
static const tube_node stem_nodes[] = { { 0, -20, -6, 13 }, { 0, -25, -28, 15 }, { 0, -38, -62, 8 } };

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* All a sample needs, in single precision. */
typedef struct scene {
    const hf_anatomy *a;
    float to_template[3][4]; /* world mm -> template mm, before the warp */
    float edge;              /* width of a tissue boundary, mm */
    float folia;             /* contrast of the cerebellar folia, fading on coarse grids */
    float grey, white, fluid;
} scene;

/* ---- surfaces --------------------------------------------------------------------------------------------------- */

static float clamp01(float t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

/* The part of a sample inside a surface it lies `depth` below. */
static float inside(const scene *s, float depth)
{
    return clamp01(0.5f + depth / s->edge);
}

static float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

static float smooth_step(float low, float high, float x)
{
    float t = clamp01((x - low) / (high - low));
    return t * t * (3 - 2 * t);
}

/* Minimum with rounded seam of width k. */
static float smooth_min(float a, float b, float k)
{
    float h = k - fabsf(a - b);
    float m = a < b ? a : b;
    return h > 0 ? m - h * h / (4 * k) : m;
}

static float smooth_max(float a, float b, float k)
{
    return -smooth_min(-a, -b, k);
}

/* First-order depth below an ellipsoid with centre c and half axes r. */
static float ellipsoid(vec p, vec c, vec r)
{
    float x = (p.x - c.x) / r.x, y = (p.y - c.y) / r.y, z = (p.z - c.z) / r.z;
    float k0 = sqrtf(x * x + y * y + z * z);
    float gx = x / r.x, gy = y / r.y, gz = z / r.z;
    float k1 = sqrtf(gx * gx + gy * gy + gz * gz);
    if (k1 < 1e-6f) return r.x < r.y ? (r.x < r.z ? r.x : r.z) : (r.y < r.z ? r.y : r.z);
    return k0 * (1 - k0) / k1;
}

/* Depth below a bent tube whose radii are multiplied by `scale`. */
static float tube(vec p, const tube_node *node, int count, float scale)
{
    float best = -1e9f;
    for (int i = 0; i + 1 < count; i++) {
        const tube_node *a = &node[i], *b = &node[i + 1];
        float ux = b->x - a->x, uy = b->y - a->y, uz = b->z - a->z;
        float vx = p.x - a->x, vy = p.y - a->y, vz = p.z - a->z;
        float t = clamp01((ux * vx + uy * vy + uz * vz) / (ux * ux + uy * uy + uz * uz));
        float dx = vx - t * ux, dy = vy - t * uy, dz = vz - t * uz;
        float depth = scale * mix(a->r, b->r, t) - sqrtf(dx * dx + dy * dy + dz * dz);
        if (depth > best) best = depth;
    }
    return best;
}

/* Depth below the smooth hull of the cerebrum; p.x counts from the midline, to either side. */
static float cerebrum(vec p)
{
    vec q = p;
    q.x *= 1 + 0.0016f * (p.y > -10 ? p.y + 10 : 0); /* narrower in front */
    float upper = ellipsoid(q, (vec){ 0, -17, 14 }, (vec){ 67, 87, 64 });
    float base = -23 + 12 * smooth_step(-25, -65, p.y) - 4 * smooth_step(10, 50, p.y);
    upper = smooth_min(upper, p.z - base, 14);
    float tilt = -0.14f * (p.y + 18);
    vec lobe = { 41, -18, -20 + tilt };
    float temporal = ellipsoid(p, lobe, (vec){ 24, 42, 22 });
    float hull = smooth_max(upper, temporal, 6);
    return hull - 4.5f * expf(-p.x * p.x / 30) * smooth_step(-20, 25, p.z + 0.25f * fabsf(p.y + 17));
}

static float cerebellum(vec p)
{
    float lobe = ellipsoid(p, (vec){ 22, -66, -37 }, (vec){ 30, 28, 21 });
    float vermis = ellipsoid(p, (vec){ 0, -62, -34 }, (vec){ 16, 24, 17 });
    return smooth_max(lobe, vermis, 8);
}

/* ---- cortex ------------------------------------------------------------------------------------------------------ */

/* Distance to the nearest zero sheet of the folding field at q, mm. */
static float sheet_distance(const hf_anatomy *a, vec q)
{
    float value = 0, gx = 0, gy = 0, gz = 0;
    for (int i = 0; i < HF_PHANTOM_WAVES; i++) {
        const float *k = a->wave[i];
        float phase = k[0] * q.x + k[1] * q.y + k[2] * q.z + k[3];
        float slope = -sinf(phase);
        value += cosf(phase);
        gx += slope * k[0];
        gy += slope * k[1];
        gz += slope * k[2];
    }
    float gradient = sqrtf(gx * gx + gy * gy + gz * gz);
    /* Where the field is flat the first-order distance means nothing; the floor keeps sulci from ballooning there. */
    return fabsf(value) / (gradient > 0.45f ? gradient : 0.45f);
}

/* Distance to the fluid of the nearest sulcus; `hull` is the depth below the hull, `wall` that below the nearest of
 * hull and midline. */
static float sulcus_distance(const scene *s, vec p, float hull, float wall)
{
    const hf_anatomy *a = s->a;
    const float reach = 20;
    if (wall > reach + 6) return reach;
    float out = hull < 0 ? 0 : hull < reach ? hull : reach;
    vec u = { (p.x) / (67.0f * 67.0f), (p.y + 17) / (87.0f * 87.0f), (p.z - 14) / (64.0f * 64.0f) };
    float scale = out / (sqrtf(u.x * u.x + u.y * u.y + u.z * u.z) + 1e-6f);
    vec q = { p.x + u.x * scale, p.y + u.y * scale, p.z + u.z * scale };
    const float *k = a->depth_wave;
    float depth = 12 + 5 * cosf(k[0] * q.x + k[1] * q.y + k[2] * q.z + k[3]);
    float across = sheet_distance(a, q) - 0.5f * (float)a->sulcus;
    if (wall <= depth) return across;
    across = across > 0 ? across : 0;
    return sqrtf(across * across + (wall - depth) * (wall - depth));
}

/* Distance to the fluid of the Sylvian fissure. */
static float sylvian_distance(const scene *s, vec p, float side)
{
    float across = fabsf(p.z - (2 - 0.45f * (p.y + 10))) * 0.91f - (0.6f + 0.9f * (float)s->a->sulcus) * 0.5f;
    float in = 37 - side, front = p.y - 26, back = -44 - p.y;
    float end = in > front ? in : front;
    end = end > back ? end : back;
    if (end <= 0) return across;
    across = across > 0 ? across : 0;
    return sqrtf(across * across + end * end);
}

/* Distance to the fluid between the hemispheres, which the corpus callosum and the core below it close. */
static float midline_distance(const scene *s, vec p, float side)
{
    float across = side - 0.4f - 0.35f * (float)s->a->sulcus;
    float core = ellipsoid((vec){ 0, p.y, p.z }, (vec){ 0, -14, 0 }, (vec){ 30, 44, 30 });
    if (core <= 0) return across;
    across = across > 0 ? across : 0;
    return sqrtf(across * across + 16 * core * core); /* no ribbon along the callosum: its distance counts 4 times */
}

/* Intensity of cerebral tissue before ventricles and nuclei are set into it. */
static float cerebral_tissue(const scene *s, vec p, float hull)
{
    float side = fabsf(p.x);
    float pial = hull - (float)s->a->rim;
    float midline = midline_distance(s, p, side);
    float wall = pial < midline ? pial : midline;
    float distance = sulcus_distance(s, p, hull, wall);
    float sylvian = sylvian_distance(s, p, side);
    if (wall < distance) distance = wall;
    if (sylvian < distance) distance = sylvian;
    float value = mix(s->fluid, s->grey, inside(s, distance));
    return mix(value, s->white, inside(s, distance - (float)s->a->cortex));
}

/* ---- inner structures --------------------------------------------------------------------------------------------- */

/* Thalamus, lentiform nucleus and caudate; large ventricles push the caudate aside. */
static float nuclei(const scene *s, vec p, float ventricle)
{
    (void)s;
    float push = 3.5f * (ventricle - 1);
    float thalamus = ellipsoid(p, (vec){ 11, -18, 6 }, (vec){ 9, 14, 8.5f });
    float lentiform = ellipsoid(p, (vec){ 24 + 0.12f * (p.y - 4), 4, 2 }, (vec){ 6.5f, 17, 10 });
    float caudate = ellipsoid(p, (vec){ 16 + push, 14, 8 }, (vec){ 4.5f, 13, 9 });
    float best = thalamus > lentiform ? thalamus : lentiform;
    return best > caudate ? best : caudate;
}

/* Sets deep nuclei, hippocampus and ventricles into `value`. p.x carries the side in its sign. */
static float inner_structures(const scene *s, vec p, float value)
{
    const hf_anatomy *a = s->a;
    int right = p.x > 0;
    vec m = { fabsf(p.x), p.y, p.z };
    if (m.x > 48 || m.y > 48 || m.y < -76 || m.z > 38 || m.z < -36) return value;
    float radius = (float)a->ventricle[right];
    float deep_grey = mix(s->grey, s->white, 0.35f);
    value = mix(value, deep_grey, inside(s, nuclei(s, m, radius)));

    /* The hippocampus lies in a bed of fixed size; what it gives up, fluid takes. */
    float bed = tube(m, hippocampus_nodes, COUNT(hippocampus_nodes), 1.12f);
    if (bed > -s->edge) {
        float body = tube(m, hippocampus_nodes, COUNT(hippocampus_nodes), (float)a->hippocampus[right]);
        float filled = mix(s->fluid, s->grey, inside(s, body));
        value = mix(value, filled, inside(s, bed));
    }
    float horns = tube(m, ventricle_nodes, COUNT(ventricle_nodes), radius);
    float occipital = tube(m, occipital_horn_nodes, COUNT(occipital_horn_nodes), radius);
    if (occipital > horns) horns = occipital;
    if (m.x - 0.9f < horns) horns = m.x - 0.9f; /* septum */
    float body_of_hippocampus = tube(m, hippocampus_nodes, COUNT(hippocampus_nodes), (float)a->hippocampus[right]);
    if (-body_of_hippocampus < horns) horns = -body_of_hippocampus;
    value = mix(value, s->fluid, inside(s, horns));
    float third = ellipsoid(m, (vec){ 0, -12, 0 }, (vec){ (float)a->third, 14, 9 });
    return mix(value, s->fluid, inside(s, third));
}

/* Grey folia around a white core. */
static float cerebellar_tissue(const scene *s, vec p, float depth)
{
    vec hilum = { 14 * (p.x > 0 ? 1.0f : -1.0f), -46, -30 };
    float dx = p.x - hilum.x, dy = p.y - hilum.y, dz = p.z - hilum.z;
    float leaf = sinf(sqrtf(dx * dx + dy * dy * 0.6f + dz * dz * 2.2f) * (float)(2 * PI / 6.5));
    float value = mix(s->fluid, s->grey, inside(s, depth - 0.5f * (float)s->a->rim));
    value = mix(value, s->fluid, s->folia * clamp01(leaf) * clamp01(1 - (depth - 10) / 6));
    return mix(value, s->white, 0.85f * smooth_step(10, 15, depth + 2.0f * leaf));
}

/* One sample at template point p: how much of it is brain, and the intensity of that part. */
static float sample(const scene *s, vec p, float *coverage)
{
    vec m = { fabsf(p.x), p.y, p.z };
    float hull = cerebrum(m), hind = cerebellum(m);
    float stem = p.z < 8 ? tube(p, stem_nodes, COUNT(stem_nodes), 1) : -1e9f;
    float depth = hull > hind ? hull : hind;
    if (stem > depth) depth = stem;
    *coverage = inside(s, depth);
    if (*coverage <= 0) return 0;
    float value = hind > hull ? cerebellar_tissue(s, p, hind) : cerebral_tissue(s, p, hull);
    value = mix(value, mix(s->grey, s->white, 0.75f), inside(s, stem));
    return hull > 0 ? inner_structures(s, p, value) : value;
}

/* ---- the whole volume ------------------------------------------------------------------------------------------------ */

/* r = rotation about x, then y, then z. */
static void rotation_matrix(double r[3][3], const double angle[3])
{
    double cx = cos(angle[0]), sx = sin(angle[0]), cy = cos(angle[1]), sy = sin(angle[1]);
    double cz = cos(angle[2]), sz = sin(angle[2]);
    double m[3][3] = { { cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx },
                       { sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx },
                       { -sy, cy * sx, cy * cx } };
    for (int i = 0; i < 9; i++)
        r[i / 3][i % 3] = m[i / 3][i % 3];
}

/* template = centre + R^T (world - centre - shift) / head */
static void scene_init(scene *s, const hf_anatomy *a, double sample_size)
{
    double r[3][3];
    const double c[3] = { head_centre.x, head_centre.y, head_centre.z };
    rotation_matrix(r, a->rotation);
    for (int i = 0; i < 3; i++) {
        double offset = c[i];
        for (int j = 0; j < 3; j++) {
            double m = r[j][i] / a->head[i];
            s->to_template[i][j] = (float)m;
            offset -= m * (c[j] + a->shift[j]);
        }
        s->to_template[i][3] = (float)offset;
    }
    s->a = a;
    s->edge = (float)(sample_size < 1 ? 1 : sample_size);
    s->folia = 0.5f * clamp01((float)(1.2 - sample_size / 5));
    s->grey = (float)a->grey;
    s->white = (float)a->white;
    s->fluid = (float)a->fluid;
}

/* World point to template point, with the slow warp. */
static vec carry_back(const scene *s, const float w[3])
{
    float t[3];
    for (int i = 0; i < 3; i++) {
        const float *m = s->to_template[i];
        t[i] = m[0] * w[0] + m[1] * w[1] + m[2] * w[2] + m[3];
    }
    const double *phase = s->a->warp_phase;
    const float k = (float)(2 * PI / 130), amplitude = 2.2f;
    return (vec){ t[0] + amplitude * sinf(k * (t[1] + 0.5f * t[2]) + (float)phase[0]),
                  t[1] + amplitude * sinf(k * (t[2] + 0.4f * t[0]) + (float)phase[1]),
                  t[2] + amplitude * sinf(k * (t[1] - 0.6f * t[0]) + (float)phase[2]) };
}

/* Mean over n*n*n samples of one voxel; 0 unless most of it is brain. */
static float voxel_tissue(const scene *s, const double corner[3], double spacing, int n)
{
    float weight = 0, total = 0;
    double step = spacing / n;
    for (int i = 0; i < n * n * n; i++) {
        float coverage = 0;
        float world[3] = { (float)(corner[0] + (i / (n * n) + 0.5) * step),
                           (float)(corner[1] + (i / n % n + 0.5) * step), (float)(corner[2] + (i % n + 0.5) * step) };
        float value = sample(s, carry_back(s, world), &coverage);
        weight += coverage;
        total += coverage * value;
    }
    return weight >= 0.5f * (float)(n * n * n) ? total / weight : 0;
}

/* The coil's gain at a place given in -1..1 along each axis. */
static float coil_gain(const double b[HF_PHANTOM_BIAS], double x, double y, double z)
{
    double log_gain = b[0] * x + b[1] * y + b[2] * z + b[3] * x * y + b[4] * y * z + b[5] * z * x +
                      b[6] * (x * x - 1.0 / 3) + b[7] * (y * y - 1.0 / 3) + b[8] * (z * z - 1.0 / 3);
    return expf((float)log_gain);
}

double hf_phantom_spacing(const int shape[3])
{
    double spacing = 0;
    for (int i = 0; i < 3; i++) {
        double needed = field_of_view[i] / shape[i];
        if (needed > spacing) spacing = needed;
    }
    return spacing;
}

void hf_phantom_affine(double affine[3][4], const int shape[3], double spacing)
{
    const double c[3] = { head_centre.x, head_centre.y, head_centre.z };
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            affine[i][j] = i == j ? spacing : 0;
        affine[i][3] = c[i] - 0.5 * (shape[i] - 1) * spacing;
    }
}

void hf_phantom_folds(hf_anatomy *anatomy, double variation, uint64_t seed, uint64_t subject)
{
    uint64_t common = hf_random_stream("phantom-folds", 0, 0), own = hf_random_stream("phantom-folds", 1, subject);
    for (uint64_t i = 0; i <= HF_PHANTOM_WAVES; i++) {
        float *wave = i < HF_PHANTOM_WAVES ? anatomy->wave[i] : anatomy->depth_wave;
        double n[3], norm = 0;
        for (uint64_t j = 0; j < 3; j++) {
            n[j] = hf_random_normal(0, common, 8 * i + j) + 0.3 * variation * hf_random_normal(seed, own, 8 * i + j);
            norm += n[j] * n[j];
        }
        double length = 14 + 7 * hf_random_uniform(0, common, 8 * i + 3);
        if (i == HF_PHANTOM_WAVES) length = 40;
        for (int j = 0; j < 3; j++)
            wave[j] = (float)(n[j] / sqrt(norm + 1e-12) * 2 * PI / length);
        double phase = 2 * PI * hf_random_uniform(0, common, 8 * i + 4);
        wave[3] = (float)(phase + 1.5 * variation * hf_random_normal(seed, own, 8 * i + 4));
    }
}

void hf_phantom_render(float *voxels, const int shape[3], double spacing, const hf_anatomy *anatomy)
{
    int n = spacing > coarse_spacing ? 2 : 1;
    scene s;
    scene_init(&s, anatomy, spacing / n);
    double affine[3][4];
    hf_phantom_affine(affine, shape, spacing);
    uint64_t stream = hf_random_stream("phantom-noise", anatomy->subject, 0);
    const float least = 0.02f * (float)anatomy->white;
    for (size_t i = 0, total = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]; i < total; i++) {
        size_t index[3] = { i / ((size_t)shape[1] * (size_t)shape[2]), i / (size_t)shape[2] % (size_t)shape[1],
                            i % (size_t)shape[2] };
        double corner[3], unit[3];
        for (int k = 0; k < 3; k++) {
            corner[k] = affine[k][3] + ((double)index[k] - 0.5) * spacing;
            unit[k] = 2 * ((double)index[k] + 0.5) / shape[k] - 1;
        }
        voxels[i] = 0;
        float tissue = voxel_tissue(&s, corner, spacing, n);
        if (tissue <= 0) continue;
        float value = tissue * coil_gain(anatomy->bias, unit[0], unit[1], unit[2]) +
                      (float)(anatomy->noise * hf_random_normal(anatomy->seed, stream, i));
        voxels[i] = value > least ? value : least;
    }
}
