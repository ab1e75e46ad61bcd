/* outer.c: the outer product and its gradients against their formulas in double. Letters: n samples, i and j. Gradient
 * operators take the case of the product they belong to. */
#include "matrix.h"

static hf_desc x_desc(const hf_case *t)
{
    return hf_matrix(hf_case_get(t, 'n', 1), hf_case_get(t, 'i', 1));
}

static hf_desc e_desc(const hf_case *t)
{
    return hf_matrix(hf_case_get(t, 'n', 1), hf_case_get(t, 'j', 1));
}

static hf_desc z_desc(const hf_case *t)
{
    return hf_matrix(hf_case_get(t, 'n', 1), hf_case_get(t, 'i', 1) * hf_case_get(t, 'j', 1));
}

static int setup(const hf_case *t, hf_params *params, hf_desc *in)
{
    (void)params;
    in[0] = x_desc(t);
    in[1] = e_desc(t);
    return 2;
}

static int setup_dx(const hf_case *t, hf_params *params, hf_desc *in)
{
    params->shape = x_desc(t).shape;
    in[0] = z_desc(t);
    in[1] = e_desc(t);
    return 2;
}

static int setup_de(const hf_case *t, hf_params *params, hf_desc *in)
{
    params->shape = e_desc(t).shape;
    in[0] = z_desc(t);
    in[1] = x_desc(t);
    return 2;
}

static void draw(hf_case *t, hf_draw *d)
{
    int n = hf_draw_int(d, 1, 5);
    hf_case_set(t, 'n', n);
    hf_case_set(t, 'i', hf_draw_length(d, hf_draw_int(d, 0, 1) ? 3000 : 65));
    hf_case_set(t, 'j', hf_draw_int(d, 0, 3) ? hf_draw_int(d, 1, 9) : hf_draw_int(d, 1, 70));
}

static void reference(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                      double *const *result, double *const *bound)
{
    (void)params;
    int64_t i = in[0].shape.dim[1], j = in[1].shape.dim[1];
    for (int64_t at = 0; at < hf_count(out); at++)
        hf_dot(&result[0][at], &bound[0][at], values[0] + at / j, 0, values[1] + at / j / i * j + at % j, 0, 1);
}

static void reference_dx(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    (void)params;
    int64_t i = out[0].shape.dim[1], j = in[1].shape.dim[1];
    for (int64_t at = 0; at < hf_count(out); at++)
        hf_dot(&result[0][at], &bound[0][at], values[0] + at * j, 1, values[1] + at / i * j, 1, j);
}

static void reference_de(const hf_params *params, const hf_desc *in, double *const *values, const hf_desc *out,
                         double *const *result, double *const *bound)
{
    (void)params;
    int64_t i = in[1].shape.dim[1], j = out[0].shape.dim[1];
    for (int64_t at = 0; at < hf_count(out); at++)
        hf_dot(&result[0][at], &bound[0][at], values[0] + at / j * i * j + at % j, j, values[1] + at / j * i, 1, i);
}

static const char *const cases[] = { "n2i39424j1", "n3i500j8", "n1i1j1", "n2i3j70", "n2i4099j3", "n64i39424j2", NULL };

HF_OP_TESTS(outer) = {
    { .op = "outer", .cases = cases, .exact = true, .setup = setup, .draw = draw, .reference = reference },
    { .op = "outer_dx", .cases = cases, .exact = true, .setup = setup_dx, .draw = draw, .reference = reference_dx },
    { .op = "outer_de", .cases = cases, .exact = true, .setup = setup_de, .draw = draw, .reference = reference_de },
    { 0 },
};
