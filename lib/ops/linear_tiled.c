/* linear_tiled.c: chooses kernel, tile and cut of a skinny matrix product; the kernels are in linear_tiled.cl.
 *
 * Two kernels cover all shapes: vectors along the columns when the result is wide or the sum is short, vectors along
 * the sum when that is long. A problem whose long contiguous side is m is turned round (c' = b' a') to use the first.
 * Where a sum is cut depends on the problem alone. */
#include "linear_tiled.h"

#include <stdio.h>

#define WIDE          64    /* columns from which vectors along them pay */
#define LONG          64    /* terms from which vectors along the sum pay */
#define CHUNK         2048  /* terms of a piece of a long sum */
#define MANY          65536 /* elements of a result that occupies any device without cutting sums */
#define GPU_GROUP     64
#define COLUMNS_GROUP 8  /* work-items in a group of linear_columns on a CPU */
#define PARTS_GROUP   64 /* PARTS_WG of the kernels */

typedef struct matmul_plan {
    hf_matmul p; /* as the kernel sees it, perhaps turned round */
    bool dots;
    int64_t chunk, chunks;
} matmul_plan;

static void swap(int64_t *a, int64_t *b)
{
    int64_t kept = *a;
    *a = *b;
    *b = kept;
}

static void turn_round(hf_matmul *p)
{
    hf_matmul old = *p;
    swap(&p->m, &p->n);
    swap(&p->c_stride[0], &p->c_stride[1]);
    p->a = old.b;
    p->b = old.a;
    for (int i = 0; i < 3; i++) {
        static const int other[] = { 1, 0, 2 };
        p->a_stride[i] = old.b_stride[other[i]];
        p->b_stride[i] = old.a_stride[other[i]];
    }
}

static matmul_plan plan_of(const hf_matmul *problem)
{
    matmul_plan plan = { .p = *problem };
    hf_matmul *p = &plan.p;
    bool wide = p->n >= WIDE && p->b_stride[1] == 1;
    bool tall = p->m >= WIDE && p->a_stride[0] == 1 && !p->has_bias;
    if (tall && (!wide || p->m > p->n)) {
        turn_round(p);
        wide = true;
    }
    plan.dots = !wide && p->k >= LONG;
    bool cut = p->k > CHUNK && (plan.dots || p->m * p->n * p->batch < MANY);
    plan.chunk = cut ? CHUNK : p->k;
    plan.chunks = (p->k + plan.chunk - 1) / plan.chunk;
    return plan;
}

static size_t scratch_of(const hf_matmul *problem)
{
    matmul_plan plan = plan_of(problem);
    if (plan.chunks == 1) return 0;
    return (size_t)(plan.chunks * plan.p.batch * plan.p.m * plan.p.n) * sizeof(float);
}

/* The largest power of two that is at most `value` and `limit`. */
static int power_below(int64_t value, int limit)
{
    int power = 1;
    while (2 * power <= value && 2 * power <= limit)
        power *= 2;
    return power;
}

/* Arguments of both product kernels; pieces: what receives the sums, the result itself when they are whole. */
static hf_status launch_product(hf_call *call, const matmul_plan *plan, const char *defines, hf_range range,
                                const hf_tensor *pieces)
{
    const hf_matmul *p = &plan->p;
    bool whole = plan->chunks == 1;
    int64_t count = p->batch * p->m * p->n;
    return hf_launch(call, "linear_tiled", plan->dots ? "linear_dots" : "linear_columns", defines, range,
                     HF_ARGS(HF_T(p->a), HF_T(p->b), HF_T(pieces), HF_T(p->bias), HF_I(p->m), HF_I(p->n), HF_I(p->k),
                             HF_L(p->a_stride[0]), HF_I(p->a_stride[1]), HF_L(p->a_stride[2]), HF_I(p->b_stride[0]),
                             HF_L(p->b_stride[1]), HF_L(p->b_stride[2]), HF_L(whole ? p->c_stride[0] : p->n),
                             HF_L(whole ? p->c_stride[1] : 1), HF_L(whole ? p->c_stride[2] : p->m * p->n),
                             HF_I(plan->chunk), HF_I(plan->chunks), HF_L(count), HF_L(p->bias_stride),
                             HF_I(whole && p->has_bias), HF_I(whole && p->relu)));
}

static hf_status launch_parts(hf_call *call, const matmul_plan *plan, const char *defines, const hf_tensor *pieces)
{
    const hf_matmul *p = &plan->p;
    int64_t count = p->batch * p->m * p->n;
    hf_range range = { .groups = { hf_ceil_div((size_t)count, PARTS_GROUP) }, .items = { PARTS_GROUP } };
    return hf_launch(call, "linear_tiled", "linear_parts", defines, range,
                     HF_ARGS(HF_T(pieces), HF_T(p->c), HF_T(p->bias), HF_I(p->m), HF_I(p->n), HF_I(p->batch),
                             HF_L(p->c_stride[0]), HF_L(p->c_stride[1]), HF_L(p->c_stride[2]), HF_I(plan->chunks),
                             HF_L(p->bias_stride), HF_I(p->has_bias), HF_I(p->relu)));
}

static hf_status prepare(hf_call *call, const hf_matmul *problem)
{
    matmul_plan plan = plan_of(problem);
    const hf_matmul *p = &plan.p;
    const hf_device_info *device = hf_context_device(call->context);
    int vec = device->is_cpu ? power_below(device->float_width < 4 ? 4 : device->float_width, 16) : 4;
    int group = !device->is_cpu ? GPU_GROUP : plan.dots ? 1 : COLUMNS_GROUP;
    int rm = power_below(p->m, plan.dots ? 4 : 8), rn = power_below(p->n, 4);
    int a_unit = p->a_stride[1] == 1, b_unit = plan.dots ? p->b_stride[0] == 1 : p->b_stride[1] == 1;
    size_t across = plan.dots ? (size_t)rn : (size_t)(group * vec);
    char defines[96];
    snprintf(defines, sizeof defines, "-DVEC=%d -DWG=%d -DRM=%d -DRN=%d -DA_UNIT=%d -DB_UNIT=%d", vec, group, rm,
             plan.dots ? rn : 1, plan.dots ? a_unit : 1, b_unit);
    hf_range range = { .groups = { hf_ceil_div((size_t)p->n, across), hf_ceil_div((size_t)p->m, (size_t)rm),
                                   (size_t)(p->batch * plan.chunks) },
                       .items = { (size_t)group } };
    if (plan.chunks == 1) return launch_product(call, &plan, defines, range, p->c);
    hf_tensor pieces;
    HF_TRY(hf_scratch_part(&pieces, call, 0, plan.chunks * p->batch * p->m * p->n));
    HF_TRY(launch_product(call, &plan, defines, range, &pieces));
    return launch_parts(call, &plan, defines, &pieces);
}

hf_matmul hf_matmul_of(const hf_call *call)
{
    return (hf_matmul){ .batch = 1, .a = &call->in[0], .b = &call->in[1], .c = &call->out[0] };
}

static hf_matmul product_of(const hf_call *call)
{
    const hf_product *product = call->impl->variant;
    return product->of(call);
}

size_t hf_tiled_scratch(const hf_call *call)
{
    const hf_matmul product = product_of(call);
    return scratch_of(&product);
}

hf_status hf_tiled_prepare(hf_call *call)
{
    const hf_matmul product = product_of(call);
    return prepare(call, &product);
}
