/* Tests of lib/ops/pool3d.c. Integer fills have many equal values, so they show that the first maximum counts. */
#include "each.h"

/* Letters k and s: window and stride. */
static void window_setup(const hf_case *test_case, hf_params *params)
{
    params->kernel = hf_case_get(test_case, 'k', 0);
    params->stride = hf_case_get(test_case, 's', 0);
}

static int window_of(const hf_params *params)
{
    return params->kernel ? params->kernel : 2;
}

static int stride_of(const hf_params *params)
{
    return params->stride ? params->stride : window_of(params);
}

/* What is left of the volume in params.shape after pooling. */
static hf_desc pooled(const hf_params *params)
{
    hf_desc desc = { .shape = params->shape };
    for (int i = 2; i < 5; i++)
        desc.shape.dim[i] = (desc.shape.dim[i] - window_of(params)) / stride_of(params) + 1;
    return desc;
}

static int pool_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    window_setup(test_case, params);
    in[0] = hf_case_tensor(test_case);
    return 1;
}

static int pool_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    window_setup(test_case, params);
    params->shape = hf_case_tensor(test_case).shape;
    in[0] = pooled(params);
    return 1;
}

static int max_pool_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    pool_dx_setup(test_case, params, in);
    in[1] = in[0];
    in[1].type = HF_U8;
    return 2;
}

static void pool_draw(hf_case *test_case, hf_draw *draw)
{
    const int window = hf_draw_int(draw, 0, 2) ? 2 : hf_draw_int(draw, 1, 4);
    hf_draw_volume(test_case, draw);
    for (const char *axis = "dhw"; *axis; axis++)
        hf_case_set(test_case, *axis, hf_case_get(test_case, *axis, 1) + window - 1);
    if (window != 2) hf_case_set(test_case, 'k', window);
    if (hf_draw_int(draw, 0, 1)) hf_case_set(test_case, 's', hf_draw_int(draw, 1, window + 2));
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* The volume and its pooled form, and one window of it: where it starts, and how far apart planes and rows are. */
typedef struct windows {
    int64_t rows, count; /* N C, and windows of a row */
    int64_t out[3], in[3];
    int kernel, stride;
} windows;

static windows windows_of(const hf_params *params, const hf_shape *volume, const hf_shape *small)
{
    windows w = {
        .rows = volume->dim[0] * volume->dim[1], .count = 1, .kernel = window_of(params), .stride = stride_of(params)
    };
    for (int i = 0; i < 3; i++) {
        w.in[i] = volume->dim[2 + i];
        w.out[i] = small->dim[2 + i];
        w.count *= w.out[i];
    }
    return w;
}

/* The volume's index of position k in window o of row r. */
static int64_t voxel_of(const windows *w, int64_t r, int64_t o, int k)
{
    const int kernel = w->kernel;
    const int64_t d = o / (w->out[1] * w->out[2]) * w->stride + k / (kernel * kernel);
    const int64_t h = o / w->out[2] % w->out[1] * w->stride + k / kernel % kernel;
    const int64_t x = o % w->out[2] * w->stride + k % kernel;
    return ((r * w->in[0] + d) * w->in[1] + h) * w->in[2] + x;
}

static int positions(const windows *w)
{
    return w->kernel * w->kernel * w->kernel;
}

static void max_pool_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                               double *const *out_values, double *const *bound)
{
    (void)bound;
    const windows w = windows_of(params, &in[0].shape, &out[0].shape);
    for (int64_t r = 0; r < w.rows; r++)
        for (int64_t o = 0; o < w.count; o++) {
            int best = 0;
            for (int k = 1; k < positions(&w); k++)
                if (in_values[0][voxel_of(&w, r, o, k)] > in_values[0][voxel_of(&w, r, o, best)]) best = k;
            out_values[0][r * w.count + o] = in_values[0][voxel_of(&w, r, o, best)];
            out_values[1][r * w.count + o] = best;
        }
}

/* At most K^3 windows share a voxel. */
static void max_pool_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                  const hf_desc *out, double *const *out_values, double *const *bound)
{
    const windows w = windows_of(params, &out[0].shape, &in[0].shape);
    memset(out_values[0], 0, (size_t)hf_count(&out[0]) * sizeof(double));
    for (int64_t r = 0; r < w.rows; r++)
        for (int64_t o = 0; o < w.count; o++) {
            const int64_t at = voxel_of(&w, r, o, (int)in_values[1][r * w.count + o]);
            const double dy = in_values[0][r * w.count + o];
            out_values[0][at] += dy;
            bound[0][at] += hf_gamma(positions(&w)) * fabs(dy);
        }
}

/* A sum of K^3 terms and a quotient. */
static void avg_pool_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                               double *const *out_values, double *const *bound)
{
    const windows w = windows_of(params, &in[0].shape, &out[0].shape);
    const int count = positions(&w);
    for (int64_t r = 0; r < w.rows; r++)
        for (int64_t o = 0; o < w.count; o++) {
            double sum = 0, size = 0;
            for (int k = 0; k < count; k++) {
                sum += in_values[0][voxel_of(&w, r, o, k)];
                size += fabs(in_values[0][voxel_of(&w, r, o, k)]);
            }
            out_values[0][r * w.count + o] = sum / count;
            bound[0][r * w.count + o] = MORE * (hf_gamma(count) + DIVIDE) * size / count + TINY;
        }
}

static void avg_pool_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                  const hf_desc *out, double *const *out_values, double *const *bound)
{
    const windows w = windows_of(params, &out[0].shape, &in[0].shape);
    const int count = positions(&w);
    memset(out_values[0], 0, (size_t)hf_count(&out[0]) * sizeof(double));
    for (int64_t r = 0; r < w.rows; r++)
        for (int64_t o = 0; o < w.count; o++)
            for (int k = 0; k < count; k++) {
                const double part = in_values[0][r * w.count + o] / count;
                out_values[0][voxel_of(&w, r, o, k)] += part;
                bound[0][voxel_of(&w, r, o, k)] += MORE * (hf_gamma(count) + DIVIDE) * fabs(part) + TINY;
            }
}

/* Reals: all different by more than the differences move them. */
static bool max_pool_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                          const hf_case *test_case)
{
    (void)index, (void)test_case;
    static uint32_t order[1 << 21];
    if (integers || count > (int64_t)(sizeof order / sizeof order[0])) return false;
    hf_random_permutation(order, (uint32_t)count, draw->seed, draw->stream);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(5 * HF_KINK * ((double)order[i] - (double)count / 2));
    return true;
}

static bool max_pool_dx_fill(int index, double *values, int64_t count, bool integers, hf_draw *draw,
                             const hf_case *test_case)
{
    (void)integers;
    const int kernel = hf_case_get(test_case, 'k', 0) ? hf_case_get(test_case, 'k', 0) : 2;
    if (index != 1) return false;
    for (int64_t i = 0; i < count; i++)
        values[i] = hf_draw_int(draw, 0, kernel * kernel * kernel - 1);
    return true;
}

/* ---- whole channels ---------------------------------------------------------------------------------------------- */

static int global_dx_setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    params->shape = hf_case_tensor(test_case).shape;
    in[0] = hf_matrix(params->shape.dim[0], params->shape.dim[1]);
    return 1;
}

static void global_reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                             double *const *out_values, double *const *bound)
{
    (void)params;
    const int64_t voxels = hf_extent_of(&in[0]).v;
    for (int64_t r = 0; r < hf_count(&out[0]); r++) {
        double sum = 0, size = 0;
        for (int64_t v = 0; v < voxels; v++) {
            sum += in_values[0][r * voxels + v];
            size += fabs(in_values[0][r * voxels + v]);
        }
        out_values[0][r] = sum / (double)voxels;
        bound[0][r] = MORE * (hf_gamma((double)voxels) + DIVIDE) * size / (double)voxels + TINY;
    }
}

static void global_dx_reference(const hf_params *params, const hf_desc *in, double *const *in_values,
                                const hf_desc *out, double *const *out_values, double *const *bound)
{
    (void)params, (void)in;
    const int64_t voxels = hf_extent_of(&out[0]).v;
    for (int64_t i = 0; i < hf_count(&out[0]); i++) {
        out_values[0][i] = in_values[0][i / voxels] / (double)voxels;
        bound[0][i] = MORE * DIVIDE * fabs(out_values[0][i]) + TINY;
    }
}

static const char *const cases[] = { "n1c1_d2h2w2",      "n2c3_d5h6w7",    "n2c17_d4h5w6_k3s1", "n1c16_d7h8w9_k3s2",
                                     "n1c2_d7h7w7_k2s3", "n1c1_d6h6w6_k6", "n1c16_d43h58w47",   NULL };
static const char *const global_cases[] = { "n1c1_d1h1w1", "n2c17_d9h10w11", "n1c16_d43h58w47", NULL };

HF_OP_TESTS(pool3d) = {
    { "max_pool3d", cases, true, pool_setup, pool_draw, max_pool_fill, max_pool_reference },
    { "max_pool3d_dx", cases, true, max_pool_dx_setup, pool_draw, max_pool_dx_fill, max_pool_dx_reference },
    { "avg_pool3d", cases, false, pool_setup, pool_draw, NULL, avg_pool_reference },
    { "avg_pool3d_dx", cases, false, pool_dx_setup, pool_draw, NULL, avg_pool_dx_reference },
    { "global_avg_pool3d", global_cases, false, pool_setup, hf_draw_volume, NULL, global_reference },
    { "global_avg_pool3d_dx", global_cases, false, global_dx_setup, hf_draw_volume, NULL, global_dx_reference },
    { 0 },
};
