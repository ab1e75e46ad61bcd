/* conv3d.c: a 3D convolution and both its gradients through the compute library alone.
 *
 *     cc conv3d.c $(pkg-config --cflags --libs hfcl) -lm && ./a.out [DEVICE]
 *
 * Convolution is linear in the volume x and in the weights w, and a gradient is the transpose of such a linear map. So
 * for any x, any w, and any dy of the result's shape these three numbers are one:
 *
 *     <conv3d(x, w), dy>  =  <x, conv3d_dx(dy, w)>  =  <w, conv3d_dw(x, dy)>
 */
#include <hfcl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, C = 3, O = 20, D = 9, H = 10, W = 11, K = 3, PAD = 1 }; /* this padding keeps D, H, W */

/* An array on the host with its shape, in row-major order. */
typedef struct array {
    hf_shape shape;
    float *values;
} array;

static size_t count(const array *a)
{
    return (size_t)hf_shape_count(&a->shape);
}

static double dot(const array *a, const array *b)
{
    double sum = 0;
    for (size_t i = 0; i < count(a); i++)
        sum += (double)a->values[i] * b->values[i];
    return sum;
}

/* Random numbers in [-1,1); `purpose` tells one array's from another's. */
static void fill(array *a, const char *purpose)
{
    for (size_t i = 0; i < count(a); i++)
        a->values[i] = (float)(2 * hf_random_uniform(1, hf_random_stream(purpose, 0, 0), i) - 1);
}

/* Device memory in the layout that the implementation asks for; the library converts while it copies. */
static hf_status on_device(hf_tensor *out, hf_context *context, const array *a, char letter)
{
    hf_desc desc = { .shape = a->shape, .layout = letter == 'B' ? HF_BLOCKED : HF_PLAIN };
    return hf_tensor_new_desc(out, context, &desc);
}

/* result = op(a, b), by the implementation that the library chooses for this device and these shapes. */
static hf_status compute(array *result, hf_context *context, const char *name, const array *a, const array *b)
{
    const hf_op *op = hf_op_find(name);
    const hf_params params = { .pad = PAD, .kernel = K, .shape = result->shape };
    const int impl = hf_op_choose(context, op, &params, (hf_desc[]){ { .shape = a->shape }, { .shape = b->shape } }, 2);
    const char *layouts = hf_op_impl_layouts(op, impl); /* "PP>B" */
    hf_tensor in[2] = { 0 }, out = { 0 };
    hf_task *task = NULL;
    hf_status status = HF_OK;
    HF_TRY_OUT(on_device(&in[0], context, a, layouts[0]));
    HF_TRY_OUT(on_device(&in[1], context, b, layouts[1]));
    HF_TRY_OUT(on_device(&out, context, result, strchr(layouts, '>')[1]));
    HF_TRY_OUT(hf_tensor_write(&in[0], a->values, hf_shape_count(&a->shape)));
    HF_TRY_OUT(hf_tensor_write(&in[1], b->values, hf_shape_count(&b->shape)));
    HF_TRY_OUT(hf_task_new(&task, context, op, &params, in, 2, &out, 1, &(hf_task_options){ .impl = 1 + impl }));
    HF_TRY_OUT(hf_task_run(task)); /* as often as one likes: it only enqueues */
    HF_TRY_OUT(hf_tensor_read(&out, result->values, hf_shape_count(&result->shape)));
    printf("%-10s by %s\n", name, hf_op_impl_name(op, impl));
out:
    hf_task_free(&task);
    hf_tensor_free(&in[0]);
    hf_tensor_free(&in[1]);
    hf_tensor_free(&out);
    return status;
}

int main(int argc, char **argv)
{
    static float x_values[N * C * D * H * W], dx_values[N * C * D * H * W], w_values[O * C * K * K * K],
        dw_values[O * C * K * K * K], y_values[N * O * D * H * W], dy_values[N * O * D * H * W];
    const hf_shape x_shape = HF_SHAPE(N, C, D, H, W), w_shape = HF_SHAPE(O, C, K, K, K),
                   y_shape = HF_SHAPE(N, O, D, H, W);
    array x = { x_shape, x_values }, w = { w_shape, w_values }, y = { y_shape, y_values };
    array dx = { x_shape, dx_values }, dw = { w_shape, dw_values }, dy = { y_shape, dy_values };
    fill(&x, "x");
    fill(&w, "w");
    fill(&dy, "dy");
    hf_context *context = NULL;
    hf_status status = HF_OK;
    HF_TRY_OUT(hf_context_new(&context, argc > 1 ? argv[1] : NULL, NULL));
    HF_TRY_OUT(compute(&y, context, "conv3d", &x, &w));
    HF_TRY_OUT(compute(&dx, context, "conv3d_dx", &dy, &w));
    HF_TRY_OUT(compute(&dw, context, "conv3d_dw", &x, &dy));
out:
    if (status != HF_OK) fprintf(stderr, "%s\n", hf_error_message());
    hf_context_free(&context);
    if (status != HF_OK) return 1;
    const double forward = dot(&y, &dy), by_x = dot(&x, &dx), by_w = dot(&w, &dw);
    printf("<conv3d(x, w), dy>    %.7g\n<x, conv3d_dx(dy, w)> %.7g\n<w, conv3d_dw(x, dy)> %.7g\n", forward, by_x, by_w);
    const double tolerance = 1e-6 * sqrt(dot(&y, &y) * dot(&dy, &dy)); /* floats have 24 bits */
    return !(fabs(forward - by_x) < tolerance && fabs(forward - by_w) < tolerance);
}
