/* How hyper layers start, by the yardstick of the authors' archived "histogram" start: every sample's generated weights
 * should fill 30 bins between -1/sqrt(fan-in) and 1/sqrt(fan-in) evenly, as an ordinary layer's do. There generators are
 * trained until they do; HF_START_ORDINARY begins there. Measured is that training's loss, the mean squared difference of
 * cumulative histograms, with hard bins. */
#include "check.h"
#include "hyperfusion.h"

enum { BINS = 30, INPUTS = 64, UNITS = 128, J = 8, SAMPLES = 16, WEIGHTS = INPUTS * UNITS };

/* Of count weights, against even bins between -bound and bound. */
static double histogram_loss(const float *weight, int count, double bound)
{
    int below[BINS] = { 0 };
    double sum = 0;
    for (int i = 0; i < count; i++)
        for (int b = 0; b < BINS; b++)
            below[b] += weight[i] < bound * (2.0 * (b + 1) / BINS - 1);
    for (int b = 0; b < BINS; b++) {
        const double difference = (double)below[b] / count - (b + 1.0) / BINS;
        sum += difference * difference / BINS;
    }
    return sum;
}

static hf_status read_named(float *out, const hf_model *model, const char *name, int64_t count)
{
    const int at = hf_model_find(model, name);
    if (at < 0) return hf_fail(HF_ERR_ARGUMENT, "there is no '%s'", name);
    const hf_named named = hf_model_named(model, at);
    return hf_tensor_read(&named.value, out, count);
}

/* Mean over samples with embeddings of variance 1. */
static double loss_of(hf_context *context, hf_start start)
{
    static float a[WEIGHTS * J], fixed[WEIGHTS], weight[WEIGHTS];
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    double sum = 0;
    CHECK_OK(hf_model_new(&model, context, 5));
    CHECK_OK(hf_graph_new(&graph, model, true));
    hf_node *e = hf_input(graph, "e", HF_SHAPE(SAMPLES, J));
    hf_linear(hf_input(graph, "x", HF_SHAPE(SAMPLES, INPUTS)), "h", UNITS,
              &(hf_layer_options){ .embedding = e, .variance = 1, .start = start });
    CHECK_OK(hf_graph_check(graph));
    CHECK_OK(hf_model_freeze(model));
    CHECK_OK(read_named(a, model, "h.weight_generator.weight", WEIGHTS * J));
    CHECK_OK(read_named(fixed, model, "h.weight_generator.bias", WEIGHTS));
    for (uint64_t n = 0; n < SAMPLES; n++) {
        for (int i = 0; i < WEIGHTS; i++) {
            double w = fixed[i];
            for (int j = 0; j < J; j++)
                w += (double)a[i * J + j] * hf_random_normal(3, n, (uint64_t)j);
            weight[i] = (float)w;
        }
        sum += histogram_loss(weight, WEIGHTS, 1 / sqrt((double)INPUTS)) / SAMPLES;
    }
    hf_graph_free(&graph);
    hf_model_free(&model);
    return sum;
}

int main(void)
{
    hf_context *context = NULL;
    if (CHECK_OK(hf_context_new(&context, NULL, NULL))) {
        const double ordinary = loss_of(context, HF_START_ORDINARY), published = loss_of(context, HF_START_HYPERFAN);
        printf("mean squared difference of cumulative histograms: ordinary %.2e, published %.2e\n", ordinary,
               published);
        CHECK(ordinary < 5e-5);
        CHECK(published > 5e-3);
    }
    hf_context_free(&context);
    return check_done("hyper start");
}
