/* select.c: how the loss of an untrained network varies when one layer is drawn anew (Lutati and Wolf 2021; HyperFusion
 * paper): the layers whose loss varies most are candidates for hyper layers. The network is in evaluation mode, all of its
 * layers ordinary, and every loss is that of all training subjects. */
#include "data.h"
#include "learned.h"
#include "network.h"
#include "watch.h"
#include <stdlib.h>
#include <string.h>

#define BATCH 4 /* samples */

typedef struct selection {
    hf_recipe recipe;
    hf_run_fixed fixed;
    hf_run_data data;
    hf_run_network network;
    hf_loader *loader;
    float *output, *truth; /* [training subjects, outputs], [..., T] */
} selection;

static hf_status open_all(selection *s, const char *device, const hf_watch *watch)
{
    const hf_run_source source = { .needs_truth = true };
    HF_TRY(hf_recipe_set(&s->recipe, "model.hyper_layers=none"));
    HF_TRY(hf_goal_resolve(&s->recipe));
    HF_TRY(hf_run_data_open(&s->data, &s->fixed, &s->recipe, &source, watch));
    const size_t count = (size_t)s->data.count[HF_TRAIN];
    const int sizes[HF_N_STEPS] = { [HF_STEP_EVALUATE] = count < BATCH ? (int)count : BATCH };
    HF_TRY(hf_run_network_plan(&s->network, &s->recipe, &s->fixed.target, device, s->fixed.shape,
                               s->fixed.encoder.width, sizes, NULL, 0));
    HF_TRY(hf_run_network_bind(&s->network, &s->recipe, false));
    HF_TRY(hf_loader_new(
        &s->loader, s->data.dataset, s->data.index + s->data.first[HF_TRAIN], (int)count,
        &(hf_loader_options){ .batch_size = sizes[HF_STEP_EVALUATE], .no_volumes = s->network.row_only }));
    HF_TRY(hf_alloc(&s->output, count * (size_t)s->fixed.target.outputs, sizeof *s->output, "outputs"));
    return hf_alloc(&s->truth, count * (size_t)s->fixed.target.T, sizeof *s->truth, "targets");
}

static void close_all(selection *s)
{
    hf_loader_free(&s->loader);
    hf_run_network_free(&s->network);
    hf_run_data_free(&s->data);
    hf_encoder_free(&s->fixed.encoder);
    hf_recipe_free(&s->recipe);
    free(s->output);
    free(s->truth);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

/* Whether this is the weight of a convolution or a linear layer; length of the layer's name. */
static size_t layer_length(const hf_named *named)
{
    static const char ending[] = ".weight";
    const size_t length = strlen(named->name), end = sizeof ending - 1;
    const bool weight = named->is_parameter && named->value.desc.shape.rank >= 2 && length > end;
    return weight && strcmp(named->name + length - end, ending) == 0 ? length - end : 0;
}

static hf_status add_layer(hf_layer_losses *out, const char *name, size_t length)
{
    if (out->n_layers == HF_MAX_LAYERS) return hf_fail(HF_ERR_UNSUPPORTED, "more than %d layers", (int)HF_MAX_LAYERS);
    if (length >= sizeof out->layer[0]) return hf_fail(HF_ERR_UNSUPPORTED, "a layer's name is too long: '%s'", name);
    memcpy(out->layer[out->n_layers], name, length);
    out->layer[out->n_layers++][length] = '\0';
    return HF_OK;
}

/* Those of the comma list, or all convolutions and linear layers. */
static hf_status list_layers(hf_layer_losses *out, const hf_model *model, const char *list)
{
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        HF_TRY(add_layer(out, at, strcspn(at, ",")));
    for (int i = 0; !list && i < hf_model_named_count(model); i++) {
        const hf_named named = hf_model_named(model, i);
        const size_t length = layer_length(&named);
        if (length) HF_TRY(add_layer(out, named.name, length));
    }
    return HF_OK;
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

static hf_status loss_now(double *loss, selection *s)
{
    const hf_target *target = &s->fixed.target;
    const int count = s->data.count[HF_TRAIN];
    const hf_watch quiet = { 0 };
    HF_TRY(hf_run_network_predict(s->output, s->truth, &s->network, s->loader, count, "drawing", &quiet));
    *loss = target->loss->value(target, s->output, s->truth, count);
    return HF_OK;
}

static hf_status draw_layer(double *loss, selection *s, const char *layer, int draws)
{
    hf_model *model = s->network.model;
    const uint64_t seed = (uint64_t)s->recipe.train.seed;
    for (int d = 0; d < draws; d++) {
        HF_TRY(hf_model_redraw(model, layer, seed + 1 + (uint64_t)d));
        HF_TRY(loss_now(&loss[d], s));
    }
    return hf_model_redraw(model, layer, seed); /* as it was */
}

static hf_status draw_all(hf_layer_losses *out, selection *s, const char *layers, const hf_watch *watch)
{
    HF_TRY(list_layers(out, s->network.model, layers));
    HF_TRY(hf_alloc(&out->loss, (size_t)out->n_layers * (size_t)out->draws, sizeof *out->loss, "losses"));
    for (int l = 0; l < out->n_layers; l++) {
        hf_watch_progress(watch, "drawing layers", l, out->n_layers, out->loss[0]);
        HF_TRY(draw_layer(out->loss + (size_t)l * (size_t)out->draws, s, out->layer[l], out->draws));
    }
    return HF_OK;
}

hf_status hf_run_layer_losses(hf_layer_losses *out, const hf_recipe *recipe, const char *layers, int draws,
                              const char *device, const hf_watch *watch)
{
    selection s = { 0 };
    *out = (hf_layer_losses){ .draws = draws };
    hf_status status = hf_recipe_copy(&s.recipe, recipe);
    if (status == HF_OK) status = open_all(&s, device, watch);
    if (status == HF_OK) status = draw_all(out, &s, layers, watch);
    close_all(&s);
    if (status != HF_OK) hf_layer_losses_free(out);
    return status;
}

void hf_layer_losses_free(hf_layer_losses *losses)
{
    free(losses->loss);
    *losses = (hf_layer_losses){ 0 };
}
