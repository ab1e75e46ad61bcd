/* conv3d.c: the convolution operators against their formulas in double.
 *
 * Letters: n samples, c and o channels, d h w input size, k kernel, s stride (1), p padding (0), m 1: weights and bias
 * a sample, b 0: no bias, r 1: ReLU. Gradient operators take the case of the convolution they belong to. */
#include "driver.h"

#include <math.h>
#include <string.h>

#define WINOGRAD_RMS 4e-6  /* what an implementation used unasked may err as a whole */
#define DENORMAL     1e-38 /* results that small may be flushed to zero */

typedef struct size {
    int n, c, o, k, s, p, per_sample;
    int in[3], out[3];
} size;

static size size_of(const hf_case *t)
{
    size z = { hf_case_get(t, 'n', 1),
               hf_case_get(t, 'c', 1),
               hf_case_get(t, 'o', 1),
               hf_case_get(t, 'k', 3),
               hf_case_get(t, 's', 1),
               hf_case_get(t, 'p', 0),
               hf_case_get(t, 'm', 0),
               { 0 },
               { 0 } };
    for (int a = 0; a < 3; a++) {
        z.in[a] = hf_case_get(t, "dhw"[a], 4);
        int room = z.in[a] + 2 * z.p - z.k;
        z.out[a] = room < 0 ? 0 : room / z.s + 1;
    }
    return z;
}

/* The sizes from descriptions: of x [N,C,D,H,W] and of y. */
static size size_from(const hf_params *params, const hf_shape *x, const hf_shape *y, int k, bool per_sample)
{
    size z = { (int)x->dim[0], (int)x->dim[1], (int)y->dim[1], k,    params->stride ? params->stride : 1,
               params->pad,    per_sample,     { 0 },          { 0 } };
    for (int a = 0; a < 3; a++) {
        z.in[a] = (int)x->dim[2 + a];
        z.out[a] = (int)y->dim[2 + a];
    }
    return z;
}

static hf_desc desc(hf_shape shape)
{
    return (hf_desc){ .shape = shape, .type = HF_F32, .layout = HF_PLAIN };
}

static hf_desc x_desc(const size *z)
{
    return desc(HF_SHAPE(z->n, z->c, z->in[0], z->in[1], z->in[2]));
}

static hf_desc y_desc(const size *z)
{
    /* HF_SHAPE ends at a zero: results that would be empty must reach the shape rule as they are. */
    return desc((hf_shape){ 5, { z->n, z->o, z->out[0], z->out[1], z->out[2] } });
}

static hf_desc w_desc(const size *z)
{
    return desc(z->per_sample ? HF_SHAPE(z->n, z->o, z->c, z->k, z->k, z->k) : HF_SHAPE(z->o, z->c, z->k, z->k, z->k));
}

static int setup(const hf_case *t, hf_params *params, hf_desc *in)
{
    size z = size_of(t);
    *params = (hf_params){ .stride = z.s, .pad = z.p, .activation = hf_case_get(t, 'r', 0) ? HF_RELU : HF_LINEAR };
    in[0] = x_desc(&z);
    in[1] = w_desc(&z);
    if (!hf_case_get(t, 'b', 1)) return 2;
    in[2] = desc(z.per_sample ? HF_SHAPE(z.n, z.o) : HF_SHAPE(z.o));
    return 3;
}

static hf_params gradient_params(const size *z)
{
    return (hf_params){
        .kernel = z->k, .stride = z->s, .pad = z->p, .per_sample = z->per_sample, .shape = x_desc(z).shape
    };
}

static int setup_dx(const hf_case *t, hf_params *params, hf_desc *in)
{
    size z = size_of(t);
    *params = gradient_params(&z);
    in[0] = y_desc(&z);
    in[1] = w_desc(&z);
    return 2;
}

static int setup_dw(const hf_case *t, hf_params *params, hf_desc *in)
{
    size z = size_of(t);
    *params = gradient_params(&z);
    in[0] = x_desc(&z);
    in[1] = y_desc(&z);
    return 2;
}

static int setup_db(const hf_case *t, hf_params *params, hf_desc *in)
{
    size z = size_of(t);
    *params = gradient_params(&z);
    in[0] = y_desc(&z);
    return 1;
}

/* Edges more often than the middle: single voxels, blocks of channels just full or just over, wide padding. */
static void draw(hf_case *t, hf_draw *d)
{
    static const int channels[] = { 1, 2, 3, 5, 15, 16, 17, 33 };
    int k = hf_draw_int(d, 0, 3) ? hf_draw_int(d, 1, 3) : hf_draw_int(d, 4, 7);
    int p = hf_draw_int(d, 0, 3), c = channels[hf_draw_int(d, 0, k > 3 ? 2 : 7)];
    int o = channels[hf_draw_int(d, 0, k > 3 || c > 5 ? 2 : 7)], n = hf_draw_int(d, 1, 3), m = hf_draw_int(d, 0, 1);
    double work = (double)n * c * o * k * k * k;
    hf_case_set(t, 'n', n);
    hf_case_set(t, 'c', c);
    hf_case_set(t, 'o', o);
    hf_case_set(t, 'k', k);
    hf_case_set(t, 'p', p);
    hf_case_set(t, 's', hf_draw_int(d, 0, 2) ? 1 : hf_draw_int(d, 2, 4));
    hf_case_set(t, 'm', m);
    hf_case_set(t, 'b', hf_draw_int(d, 0, 1));
    hf_case_set(t, 'r', hf_draw_int(d, 0, 2) == 0);
    for (int a = 0; a < 3; a++) {
        int least = k - 2 * p > 1 ? k - 2 * p : 1, room = (int)cbrt(200000.0 / work);
        int length = least + (hf_draw_int(d, 0, 2) ? hf_draw_int(d, 0, room < 1 ? 1 : room > 9 ? 9 : room) : 0);
        hf_case_set(t, "dhw"[a], length);
    }
}

/* Where the products of a convolution come from and go. */
typedef struct sums {
    const double *x, *w, *dy;
    double *out, *bound;
} sums;

/* Takes the product of one element of x, one of w and one of y (or of their gradients), by index. */
typedef void visit(const sums *s, int64_t x, int64_t w, int64_t y);

static void visit_taps(const size *z, const sums *s, visit *each, int n, int o, int c, const int at[3])
{
    int64_t x0 = ((int64_t)n * z->c + c) * z->in[0], y0 = ((int64_t)n * z->o + o) * z->out[0];
    int64_t y = ((y0 + at[0]) * z->out[1] + at[1]) * z->out[2] + at[2];
    int64_t bank = z->per_sample ? (int64_t)n * z->o + o : o;
    for (int t = 0; t < z->k * z->k * z->k; t++) {
        int d = at[0] * z->s - z->p + t / z->k / z->k, h = at[1] * z->s - z->p + t / z->k % z->k;
        int w = at[2] * z->s - z->p + t % z->k;
        if (d < 0 || d >= z->in[0] || h < 0 || h >= z->in[1] || w < 0 || w >= z->in[2]) continue;
        each(s, ((x0 + d) * z->in[1] + h) * z->in[2] + w, (bank * z->c + c) * z->k * z->k * z->k + t, y);
    }
}

static void visit_all(const size *z, const sums *s, visit *each)
{
    for (int n = 0; n < z->n; n++)
        for (int o = 0; o < z->o; o++)
            for (int c = 0; c < z->c; c++)
                for (int i = 0; i < z->out[0] * z->out[1] * z->out[2]; i++)
                    visit_taps(z, s, each, n, o, c,
                               (const int[]){ i / z->out[2] / z->out[1], i / z->out[2] % z->out[1], i % z->out[2] });
}

static void add(const sums *s, int64_t at, double product)
{
    s->out[at] += product;
    s->bound[at] += fabs(product);
}

static void add_y(const sums *s, int64_t x, int64_t w, int64_t y)
{
    add(s, y, s->x[x] * s->w[w]);
}

static void add_dx(const sums *s, int64_t x, int64_t w, int64_t y)
{
    add(s, x, s->dy[y] * s->w[w]);
}

static void add_dw(const sums *s, int64_t x, int64_t w, int64_t y)
{
    add(s, w, s->x[x] * s->dy[y]);
}

static void clear(const hf_desc *out, double *values, double *bound)
{
    for (int64_t i = 0; i < hf_count(out); i++)
        values[i] = bound[i] = 0;
}

/* The sum of magnitudes becomes the bound of a sum of `terms` products in any order. */
static void finish_bound(const hf_desc *out, double *bound, double terms)
{
    for (int64_t i = 0; i < hf_count(out); i++)
        bound[i] = hf_gamma(terms + 2) * bound[i] + DENORMAL;
}

static double positions(const size *z)
{
    return (double)z->out[0] * z->out[1] * z->out[2] * (z->per_sample ? 1 : z->n);
}

static void reference(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                      double *const *result, double *const *bound)
{
    const hf_shape *w = &in[1].shape;
    size z = size_from(params, &in[0].shape, &out[0].shape, (int)w->dim[w->rank - 1], w->rank == 6);
    sums s = { .x = values[0], .w = values[1], .out = result[0], .bound = bound[0] };
    clear(out, result[0], bound[0]);
    visit_all(&z, &s, add_y);
    int64_t voxels = (int64_t)z.out[0] * z.out[1] * z.out[2];
    for (int64_t i = 0; i < hf_count(out); i++) {
        if (values[2]) add(&s, i, values[2][z.per_sample ? i / voxels : i / voxels % z.o]);
        if (params->activation == HF_RELU && result[0][i] < 0) result[0][i] = 0;
    }
    finish_bound(out, bound[0], (double)z.c * z.k * z.k * z.k + 1);
}

static void reference_dx(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    const hf_shape *w = &in[1].shape;
    size z = size_from(params, &out[0].shape, &in[0].shape, (int)w->dim[w->rank - 1], w->rank == 6);
    sums s = { .dy = values[0], .w = values[1], .out = result[0], .bound = bound[0] };
    clear(out, result[0], bound[0]);
    visit_all(&z, &s, add_dx);
    finish_bound(out, bound[0], (double)z.o * z.k * z.k * z.k);
}

static void reference_dw(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    size z = size_from(params, &in[0].shape, &in[1].shape, params->kernel, params->per_sample);
    sums s = { .x = values[0], .dy = values[1], .out = result[0], .bound = bound[0] };
    clear(out, result[0], bound[0]);
    visit_all(&z, &s, add_dw);
    finish_bound(out, bound[0], positions(&z));
}

static void reference_db(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    const int64_t *dy = in[0].shape.dim;
    int64_t voxels = dy[2] * dy[3] * dy[4];
    sums s = { .out = result[0], .bound = bound[0] };
    clear(out, result[0], bound[0]);
    for (int64_t i = 0; i < hf_count(&in[0]); i++)
        add(&s, params->per_sample ? i / voxels : i / voxels % dy[1], values[0][i]);
    finish_bound(out, bound[0], (double)voxels * (params->per_sample ? 1 : (double)dy[0]));
}

static double largest(const hf_desc *desc, const double *values)
{
    double most = 0;
    for (int64_t i = 0; values && i < hf_count(desc); i++)
        if (fabs(values[i]) > most) most = fabs(values[i]);
    return most;
}

/* gpu_winograd is F(2x2x2, 3x3x3), y = A' [sum of (G w) * (B' x)] along each axis: with magnitudes instead of values, and
 * X and W the largest of x and w, an axis contributes at most the larger sum over the points of |a| |G row| |B row|:
 * 1*2 + 3/2*2 + 3/2*2 = 8. So what is rounded is at most 512 X W for each input channel, and each of these passes 3
 * roundings in B' x, 6 in G w (halves are exact), 1 product, the sum, 6 in A and that of the bias. Weights stand second,
 * what they meet stands first, and channels are those that are summed over. */
static double slack_gpu(const hf_desc *in, double *const *values)
{
    double terms = (double)in[0].shape.dim[1], bias = values[2] ? largest(&in[2], values[2]) : 0;
    return hf_gamma(terms + 17) * (512 * terms * largest(&in[0], values[0]) * largest(&in[1], values[1]) + bias);
}

/* gpu_tensor leaves 5 * 2^-22 of each product out, 20 units of rounding, and adds up three products for one. */
static double slack_tensor(const hf_desc *in, double *const *values)
{
    const hf_shape *w = &in[1].shape;
    double k = (double)w->dim[w->rank - 1], terms = (double)in[0].shape.dim[1] * k * k * k;
    return hf_gamma(2 * terms + 20) * terms * largest(&in[0], values[0]) * largest(&in[1], values[1]);
}

/* cpu_winograd is F(4, 3) in all directions, at the points 0, infinity, +-21/32, +-23/16. Magnitudes would bound its error a
 * thousand times too wide to find anything, so roundings are taken for independent: their squares add up. Along an axis a
 * result is the sum over points of A times (G w) times (B' x), whose squares are at most, with b, g, a the sums of squares
 * of the rows that meet there, the sum of a g b: the gain. p and q are the squares of the points. */
static double gain(bool gradient)
{
    const double p = 441.0 / 1024, q = 529.0 / 256, apart = 4 * (p - q) * (p - q);
    const double b = p * q * p * q + (p + q) * (p + q) + 1, b_p = (1 + q * q) * (1 + p), b_q = (1 + p * p) * (1 + q);
    double most = 0;
    for (int j = 0; j < (gradient ? 3 : 4); j++) {
        double g_p = pow(p, j) / (p * p * apart), g_q = pow(q, j) / (q * q * apart);
        double ends = j == 0 ? b / (p * q * p * q) : j == (gradient ? 2 : 3) ? b : 0;
        double sum = ends + 2 * b_p * g_p * (gradient ? 1 + p + p * p + p * p * p : 1 + p + p * p) +
                     2 * b_q * g_q * (gradient ? 1 + q + q * q + q * q * q : 1 + q + q * q);
        if (sum > most) most = sum;
    }
    return pow(most, 1.5);
}

/* A sum of `terms` products carries the roundings of its partial sums, half of its terms on average, and each value those
 * of its transforms: 3 along each axis of x, 4 along each of y, and a few. */
static double slack_cpu(double terms, bool gradient, const hf_desc *in, double *const *values)
{
    return HF_UNIT * sqrt(terms / 2 + 24) * sqrt(terms) * gain(gradient) * largest(&in[0], values[0]) *
           largest(&in[1], values[1]);
}

/* Tiles have at least 2 positions along each axis; the weight gradient sums over them. */
static double tiles_of(const hf_params *params, const hf_desc *dy)
{
    double tiles = params->per_sample ? 1 : (double)dy->shape.dim[0];
    for (int axis = 2; axis < 5; axis++)
        tiles *= (double)((dy->shape.dim[axis] + 1) / 2);
    return tiles;
}

hf_slack hf_winograd_slack(const char *op, const char *impl, const hf_params *params, const hf_desc *in,
                           double *const *values)
{
    const bool gradient = strcmp(op, "conv3d_dw") == 0;
    if (strcmp(impl, "gpu_tensor") == 0) return (hf_slack){ .absolute = slack_tensor(in, values) };
    if (strcmp(impl, "gpu_winograd") == 0) return (hf_slack){ .absolute = slack_gpu(in, values) };
    if (strcmp(impl, "cpu_winograd") != 0) return (hf_slack){ 0 };
    double terms = gradient ? tiles_of(params, &in[1]) : (double)in[0].shape.dim[1];
    return (hf_slack){ .absolute = slack_cpu(terms, gradient, in, values), .inexact = true, .rms = WINOGRAD_RMS };
}

/* The layers of the brain-age network and of the diagnosis network at small size, every kernel edge, strides, paddings,
 * generated weights, channels around a block, single voxels, many voxels, Winograd's tiles small enough for interpreters;
 * then the same layers at full size, batch 2, for the benchmark. */
static const char *const cases[] = { "n2c1o16_d10h9w11_k3r1",       "n2c16o16_d8h7w18_k3r1",
                                     "n2c16o32_d6h5w7_k3r1",        "n1c32o32_d5h6w5_k3",
                                     "n1c32o64_d5h4w5_k3",          "n1c64o64_d4h5w4_k3r1",
                                     "n2c64o128_d4h3w4_k1s2b0",     "n3c32o64_d6h4w5_k1s2m1",
                                     "n2c1o16_d8h12w8_k3p1r1",      "n2c16o32_d4h6w5_k1",
                                     "n2c32o64_d4h6w18_k3s2p1r1",   "n1c64o128_d4h6w8_k3s2p1",
                                     "n1c128o256_d4h3w4_k3s2p1",    "n2c32o64_d5h7w16_k1s2",
                                     "n2c16o32_d6h12w8_k3s2p1m1r1",

                                     "n2c4o8_d9h7w8_k2p1",          "n1c3o5_d6h5w7_k4p2s3",
                                     "n2c2o3_d7h6w5_k5p2m1",        "n1c2o3_d8h7w6_k6p3b0",
                                     "n1c1o2_d9h8w7_k7p3s2",        "n2c17o33_d4h3w5_k3p1m1",
                                     "n2c15o31_d3h4w40_k3p1s2",     "n3c18o20_d1h1w1_k1m1b0",
                                     "n1c16o16_d3h3w3_k3",          "n1c1o1_d1h1w1_k7p3",
                                     "n1c3o2_d1h1w200_k1p3",        "n4c8o70_d5h5w5_k3p1s1r1",
                                     "n2c5o17_d4h5w13_k6p3s2",      "n1c2o3_d2h3w40_k7p3s2",
                                     "n2c2o3_d17h18w16_k1",         "n2c3o2_d17h19w17_k2m1",
                                     "n2c2o1_d41h43w42_k3p1r1",     "n2c1o2_d43h41w42_k3p1s2",
                                     "n1c1o2_d4h4w4_k3p1r1",        "n2c17o1_d2h1w2_k3p1m1",
                                     "n3c20o40_d3h4w4_k3p1r1",      "n2c33o32_d4h5w6_k3s2p1m1",
                                     "n1c17o5_d41h40w41_k1s2b0",

                                     "n2c1o16_d90h120w99_k3r1",     "n2c16o16_d88h118w97_k3r1",
                                     "n2c16o32_d43h58w47_k3r1",     "n2c32o32_d41h56w45_k3r1",
                                     "n2c32o64_d19h27w21_k3r1",     "n2c64o64_d17h25w19_k3r1",
                                     "n2c1o16_d64h96w64_k3p1r1",    "n2c16o32_d32h48w32_k3p1r1",
                                     "n2c32o32_d32h48w32_k3p1r1",   "n2c32o64_d32h48w32_k3s2p1",
                                     "n2c64o64_d16h24w16_k3p1",     "n2c64o128_d16h24w16_k3s2p1",
                                     "n2c128o128_d8h12w8_k3p1",     "n2c128o256_d8h12w8_k3s2p1",
                                     "n2c256o256_d4h6w4_k3p1",      "n2c16o32_d32h48w32_k1",
                                     "n2c32o64_d32h48w32_k1s2",     "n2c64o128_d16h24w16_k1s2",
                                     "n2c128o256_d8h12w8_k1s2m1",   NULL };

HF_OP_TESTS(conv3d) = {
    { .op = "conv3d", .cases = cases, .exact = true, .setup = setup, .draw = draw, .reference = reference },
    { .op = "conv3d_dx", .cases = cases, .exact = true, .setup = setup_dx, .draw = draw, .reference = reference_dx },
    { .op = "conv3d_dw", .cases = cases, .exact = true, .setup = setup_dw, .draw = draw, .reference = reference_dw },
    { .op = "conv3d_db", .cases = cases, .exact = true, .setup = setup_db, .draw = draw, .reference = reference_db },
    { 0 },
};
