/* start.c: what training begins with. */
#include "data.h"
#include "learned.h"
#include "network.h"
#include <stdio.h>

hf_status hf_run_training_rows(float **rows, const hf_run_data *data, const hf_run_fixed *fixed)
{
    const size_t width = (size_t)fixed->encoder.width, count = (size_t)data->count[HF_TRAIN];
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(rows, count * width + 1, sizeof **rows, "the training rows"));
    for (size_t i = 0; i < count && status == HF_OK && width; i++)
        status = hf_dataset_get(data->dataset, data->index[(size_t)data->first[HF_TRAIN] + i], NULL, *rows + i * width,
                                NULL);
    return status;
}

static int64_t named_count(const hf_model *model, int at)
{
    const hf_named named = hf_model_named(model, at);
    return hf_shape_count(&named.value.desc.shape);
}

/* The bias of the goal's head, or of the network's last layer; -1: there is none of so many numbers. */
static int find_bias(const hf_model *model, const hf_goal *goal, const hf_network *network, int outputs)
{
    static const char *const endings[] = { "bias_generator.bias", "bias" };
    char name[160];
    if (goal->bias) return hf_model_find(model, goal->bias);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%.100s.%s", network->head, endings[i]);
        const int at = hf_model_find(model, name);
        if (at >= 0 && named_count(model, at) == outputs) return at;
    }
    return -1;
}

hf_status hf_run_start_at_mean(const hf_run_network *network, const hf_recipe *recipe, const hf_run_fixed *fixed)
{
    const hf_target *target = &fixed->target;
    const hf_network *kind;
    float bias[HF_MAX_CLASSES];
    HF_TRY(hf_run_network_find(&kind, recipe));
    target->goal->start(bias, target);
    const int at = find_bias(network->model, target->goal, kind, target->outputs);
    if (at < 0)
        return hf_fail(HF_ERR_UNSUPPORTED, "train.start_at_mean: the network '%s' has no last layer with %d biases",
                       recipe->model.name, target->outputs);
    const hf_named named = hf_model_named(network->model, at);
    return hf_tensor_write(&named.value, bias, target->outputs);
}
