/* outputs.c: several outputs for one subject become one: those of a network's parts, then those of the views of an
 * image. They are put together as predictions (of classes: as probabilities), and the result is an output whose link
 * says so. */
#include "network.h"
#include <string.h>

int hf_run_outputs(const hf_run_network *network)
{
    return network->parts.count * network->target->outputs;
}

/* The only part that the prediction is made of, or -1. */
static int only_part(const hf_network_parts *parts)
{
    for (int k = 0; k < parts->count; k++)
        if (parts->share[k] == 1) return k;
    return -1;
}

/* mixed[P] of predicted[K,P]. */
static hf_status mix(double *mixed, const double *predicted, const hf_run_network *network)
{
    const hf_network_parts *parts = &network->parts;
    const int P = network->target->P;
    if (network->fusion != HF_ENSEMBLE_MEAN)
        return hf_ensemble_classes(mixed, predicted, parts->count, 1, P, network->fusion);
    for (int i = 0; i < P; i++) {
        mixed[i] = 0;
        for (int k = 0; k < parts->count; k++)
            mixed[i] += parts->share[k] * predicted[k * P + i];
    }
    return HF_OK;
}

hf_status hf_run_mix_parts(float *output, int count, const hf_run_network *network)
{
    const hf_target *t = network->target;
    const int K = network->parts.count, only = network->fusion == HF_ENSEMBLE_MEAN ? only_part(&network->parts) : -1;
    const size_t outputs = (size_t)t->outputs;
    double predicted[HF_MAX_PARTS * HF_MAX_CLASSES], mixed[HF_MAX_CLASSES];
    for (int i = 0; K > 1 && i < count; i++) {
        const float *of = output + (size_t)i * (size_t)K * outputs;
        if (only >= 0) {
            memmove(output + (size_t)i * outputs, of + (size_t)only * outputs, outputs * sizeof *output);
            continue;
        }
        for (int k = 0; k < K; k++)
            t->goal->link(predicted + k * t->P, of + (size_t)k * outputs, t);
        HF_TRY(mix(mixed, predicted, network));
        t->goal->unlink(output + (size_t)i * outputs, mixed, t);
    }
    return HF_OK;
}

void hf_run_average_views(float *output, int count, int views, const hf_target *t)
{
    for (int i = 0; views > 1 && i < count; i++) {
        double one[HF_MAX_CLASSES], mean[HF_MAX_CLASSES] = { 0 };
        for (int v = 0; v < views; v++) {
            t->goal->link(one, output + ((size_t)i * (size_t)views + (size_t)v) * (size_t)t->outputs, t);
            for (int k = 0; k < t->P; k++)
                mean[k] += one[k] / views;
        }
        t->goal->unlink(output + (size_t)i * (size_t)t->outputs, mean, t);
    }
}
