/* network.c: the network of a recipe, planned for the three sizes a run needs: the training batch, the
 * remainder of an epoch, and the evaluation batch. They share parameters and one arena, because they never run at
 * the same time. In evaluation samples do not see each other, so the last batch is filled up with zeros rather
 * than planned anew. */
#include "network.h"
#include "watch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- planning ---------------------------------------------------------------------------------------------------- */

hf_status hf_run_network_find(const hf_network **out, const hf_recipe *recipe)
{
    enum { MAX_NETWORKS = 64 };
    const char *names[MAX_NETWORKS], *nearest;
    size_t count = 0;
    hf_text list = { 0 };
    *out = hf_network_find(recipe->model.name);
    if (*out) return HF_OK;
    for (const hf_network *n; count < MAX_NETWORKS && (n = hf_network_at((int)count)); count++) {
        names[count] = n->name;
        hf_text_add(&list, "%s%s", count ? ", " : "", n->name);
    }
    nearest = hf_nearest(recipe->model.name, names, count);
    const hf_status status =
        hf_fail(HF_ERR_ARGUMENT, "model.name: there is no network '%s'%s%s%s (there are %s)", recipe->model.name,
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "", list.data);
    hf_text_free(&list);
    return status;
}

static hf_network_options network_options(const hf_recipe *recipe, int outputs, double variance)
{
    /* -1: the network's own; the network says 0 for that */
    const double dropout = recipe->train.overfit_batches ? 0 : recipe->model.dropout;
    const double share = recipe->model.image_share, mix = recipe->model.auxiliary_mix;
    return (hf_network_options){ .outputs = outputs,
                                 .hyper_layers = recipe->model.hyper_layers,
                                 .hyper_start = recipe->model.hyper_start,
                                 .concat_layers = recipe->model.concat_layers,
                                 .embedding = (int)recipe->model.embedding,
                                 .embedding_kind = recipe->model.embedding_kind,
                                 .share_embedding = recipe->model.share_embedding,
                                 .hold_embedding = strcmp(recipe->pretrain.embedding, "frozen") == 0,
                                 .variance = variance,
                                 .columns = recipe->cohort.tabular.count,
                                 .film = recipe->model.film,
                                 .film_activation = recipe->model.film_activation,
                                 .image_share = share == 0 ? -1 : share,
                                 .auxiliary_mix = mix < 0    ? 0
                                                  : mix == 0 ? -1
                                                             : mix,
                                 .auxiliary_loss = recipe->model.auxiliary_loss,
                                 .bottleneck = (int)recipe->model.bottleneck,
                                 .width = (int)recipe->model.width,
                                 .blocks = (int)recipe->model.blocks,
                                 .depth = (int)recipe->model.depth,
                                 .dropout = dropout < 0    ? 0
                                            : dropout == 0 ? -1
                                                           : dropout,
                                 .momentum = recipe->model.momentum };
}

/* The variance term as the recipe wants it: a number, or measured on the training rows or their embedding. */
static hf_status find_variance(hf_run_network *network, const hf_recipe *recipe, const float *rows, int64_t count)
{
    const hf_network *kind;
    const hf_network_options options = network_options(recipe, network->target->units, 0);
    const char *mode = recipe->model.variance_mode;
    network->variance = recipe->model.variance;
    if (!rows || !network->width || strcmp(mode, "constant") == 0) return HF_OK;
    if (strcmp(mode, "input") == 0) {
        network->variance = hf_hyperfan_variance(rows, count, network->width);
        return HF_OK;
    }
    HF_TRY(hf_run_network_find(&kind, recipe));
    return hf_network_embedding_variance(&network->variance, kind, &options, network->context,
                                         (uint64_t)recipe->train.seed, rows, count, network->width);
}

/* A network that was made for another goal is refused here, not by the loss. */
static hf_node *expect_outputs(hf_node *output, int outputs, const char *name)
{
    if (!output || (hf_node_shape(output).rank == 2 && hf_dim(output, 1) == outputs)) return output;
    return hf_graph_fail(hf_node_graph(output), HF_ERR_SHAPE, "the network '%s' has %lld outputs, the goal expects %d",
                         name, (long long)hf_dim(output, 1), outputs);
}

/* The goal's head behind every part of units [N,K units]; they share its parameters. */
static hf_node *add_heads(hf_node *units, const hf_run_network *network)
{
    const hf_target *target = network->target;
    hf_node *all = NULL;
    if (!target->goal->head) return units;
    for (int k = 0; units && k < network->parts.count; k++) {
        hf_node *part = units;
        if (network->parts.count > 1) part = hf_features(units, (int64_t)k * target->units, target->units);
        part = target->goal->head(part, target);
        all = all ? hf_concat(all, part, 1) : part;
    }
    return all;
}

/* The losses of all parts of a prediction [N,K P], together. */
static hf_node *loss_of(hf_node *prediction, const hf_run_network *network)
{
    const hf_network_parts *parts = &network->parts;
    const hf_target *target = network->target;
    hf_node *sum = NULL;
    for (int k = 0; prediction && k < parts->count; k++) {
        if (parts->loss[k] == 0) continue;
        hf_node *part = prediction;
        if (parts->count > 1) part = hf_features(prediction, (int64_t)k * target->outputs, target->outputs);
        hf_node *loss = target->loss->build(part, target);
        if (parts->loss[k] != 1) loss = hf_scale(loss, parts->loss[k]);
        sum = sum ? hf_add(sum, loss) : loss;
    }
    return sum;
}

static hf_status plan_step(hf_run_step *step, const hf_run_network *network, const hf_recipe *recipe, bool training)
{
    const hf_network *kind;
    const hf_target *target = network->target;
    const hf_network_options options = network_options(recipe, target->units, network->variance);
    const int *s = network->shape;
    HF_TRY(hf_run_network_find(&kind, recipe));
    HF_TRY(hf_graph_new(&step->graph, network->model, training));
    hf_node *image = hf_input(step->graph, "image", HF_SHAPE(step->batch, 1, s[0], s[1], s[2])), *tabular = NULL;
    if (network->width) tabular = hf_input(step->graph, "tabular", HF_SHAPE(step->batch, network->width));
    step->prediction = hf_network_build(kind, image, tabular, &options);
    step->prediction = expect_outputs(step->prediction, network->parts.count * target->units, kind->name);
    step->prediction = add_heads(step->prediction, network);
    if (training) step->loss = loss_of(step->prediction, network);
    HF_TRY(hf_graph_check(step->graph));
    return hf_plan_new(&step->plan, step->graph,
                       &(hf_plan_options){ .loss = step->loss, .keep = &step->prediction, .n_keep = training ? 0 : 1 });
}

static hf_status plan_all(hf_run_network *network, const hf_recipe *recipe, const char *device,
                          const int batch[HF_N_STEPS], const float *rows, int64_t count)
{
    HF_TRY(hf_context_new(&network->context, device, NULL));
    HF_TRY(find_variance(network, recipe, rows, count));
    HF_TRY(hf_model_new(&network->model, network->context, (uint64_t)recipe->train.seed));
    for (int i = 0; i < HF_N_STEPS; i++) {
        network->step[i].batch = batch[i];
        const hf_status status =
            batch[i] > 0 ? plan_step(&network->step[i], network, recipe, i != HF_STEP_EVALUATE) : HF_OK;
        if (status != HF_OK && i == HF_STEP_REST)
            return hf_fail_in(
                status, "the last batch of an epoch holds %d samples; another train.batch_size changes that", batch[i]);
        HF_TRY(status);
    }
    return HF_OK;
}

/* Which parts the recipe's network has, and how they become one prediction. */
static hf_status find_parts(hf_run_network *network, const hf_recipe *recipe)
{
    const hf_network *kind;
    const hf_network_options options = network_options(recipe, network->target->units, 0);
    HF_TRY(hf_run_network_find(&kind, recipe));
    network->parts = hf_network_parts_of(kind, &options);
    HF_TRY(hf_ensemble_find(&network->fusion, recipe->model.fusion));
    if (network->parts.count == 1 || network->fusion == HF_ENSEMBLE_MEAN || network->target->n_classes) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "model.fusion %s with goal %s: mean is expected where no classes are predicted",
                   recipe->model.fusion, network->target->goal->name);
}

hf_status hf_run_network_plan(hf_run_network *out, const hf_recipe *recipe, const hf_target *target, const char *device,
                              const int shape[3], int width, const int batch[HF_N_STEPS], const float *rows,
                              int64_t count)
{
    const hf_network *kind;
    *out = (hf_run_network){ .target = target };
    HF_TRY(hf_run_network_find(&kind, recipe));
    memcpy(out->shape, shape, sizeof out->shape);
    out->width = kind->uses_tabular ? width : 0;
    out->row_only = kind->row_only;
    HF_TRY(find_parts(out, recipe));
    const hf_status status = plan_all(out, recipe, device, batch, rows, count);
    if (status != HF_OK) hf_run_network_free(out);
    return status;
}

size_t hf_run_network_bytes(const hf_run_network *network, bool training)
{
    size_t values = 0, parameters = 0;
    for (int i = 0; i < HF_N_STEPS; i++) {
        if (!network->step[i].plan) continue;
        const hf_plan_info info = hf_plan_summary(network->step[i].plan);
        if (info.bytes_peak > values) values = info.bytes_peak;
        parameters = info.bytes_parameters;
    }
    const size_t moments = training ? 2 * sizeof(float) * (size_t)hf_model_parameter_count(network->model) : 0;
    return values + parameters + moments;
}

/* ---- binding ----------------------------------------------------------------------------------------------------- */

static hf_status make_optimizer(hf_run_network *network, const hf_recipe *recipe)
{
    static const char *const names[] = { [HF_ADAM] = "adam", [HF_ADAMW] = "adamw", [HF_SGD] = "sgd" };
    int kind = 0;
    while (strcmp(names[kind], recipe->train.optimizer) != 0)
        if (++kind == sizeof names / sizeof names[0])
            return hf_fail(HF_ERR_ARGUMENT, "train.optimizer: there is no '%s'", recipe->train.optimizer);
    return hf_optimizer_new(&network->optimizer, network->model,
                            &(hf_optimizer_options){ .kind = (hf_optimizer_kind)kind,
                                                     .learning_rate = recipe->train.learning_rate,
                                                     .weight_decay = recipe->train.weight_decay,
                                                     .clip_norm = recipe->train.clip_norm });
}

static size_t voxels_of(const hf_run_network *network)
{
    return (size_t)network->shape[0] * (size_t)network->shape[1] * (size_t)network->shape[2];
}

hf_status hf_run_network_bind(hf_run_network *network, const hf_recipe *recipe, bool training)
{
    HF_TRY(hf_arena_new(&network->arena, network->context));
    for (int i = 0; i < HF_N_STEPS; i++)
        if (network->step[i].plan) HF_TRY(hf_arena_reserve(network->arena, network->step[i].plan));
    for (int i = 0; i < HF_N_STEPS; i++)
        if (network->step[i].plan) HF_TRY(hf_plan_bind(network->step[i].plan, network->arena));
    const size_t batch = (size_t)network->step[HF_STEP_EVALUATE].batch;
    const size_t sample = voxels_of(network) + (size_t)hf_run_outputs(network); /* the outputs come back there */
    HF_TRY(hf_alloc(&network->staging, batch * sample + 1, sizeof(float), "a batch of volumes"));
    HF_TRY(hf_alloc(&network->staging_row, batch * (size_t)network->width + 1, sizeof(float), "a batch of rows"));
    return training ? make_optimizer(network, recipe) : HF_OK;
}

void hf_run_network_free(hf_run_network *network)
{
    hf_optimizer_free(&network->optimizer);
    for (int i = 0; i < HF_N_STEPS; i++) {
        hf_plan_free(&network->step[i].plan);
        hf_graph_free(&network->step[i].graph);
    }
    hf_arena_free(&network->arena);
    hf_model_free(&network->model);
    hf_context_free(&network->context);
    free(network->staging);
    free(network->staging_row);
    *network = (hf_run_network){ 0 };
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* A planned batch of volumes and rows, of those that the network looks at. */
static hf_status set_sample(const hf_run_step *s, const hf_run_network *network, const float *volume, const float *row)
{
    if (!network->row_only) HF_TRY(hf_plan_set(s->plan, "image", volume, s->batch * (int64_t)voxels_of(network)));
    return network->width ? hf_plan_set(s->plan, "tabular", row, (int64_t)s->batch * network->width) : HF_OK;
}

hf_status hf_run_network_train(float *loss, hf_run_network *network, const hf_batch *batch, uint64_t seed,
                               uint32_t step)
{
    hf_run_step *s = &network->step[HF_STEP_TRAIN];
    if (batch->count != s->batch) s = &network->step[HF_STEP_REST];
    if (batch->count != s->batch)
        return hf_fail(HF_ERR_ARGUMENT, "a batch of %d samples, expected %d or %d", batch->count,
                       network->step[HF_STEP_TRAIN].batch, s->batch);
    HF_TRY(hf_model_set_step(network->model, seed, step));
    HF_TRY(set_sample(s, network, batch->volume, batch->tabular));
    HF_TRY(network->target->loss->feed(s->plan, network->target, batch->target, batch->count));
    HF_TRY(hf_plan_run(s->plan));
    HF_TRY(hf_optimizer_step(network->optimizer));
    return hf_plan_get(s->plan, s->loss, loss, 1);
}

/* One batch of at most the evaluation size; fewer samples are filled up with zeros. */
static hf_status predict_batch(float *output, hf_run_network *network, const hf_batch *batch)
{
    const hf_run_step *s = &network->step[HF_STEP_EVALUATE];
    const size_t count = (size_t)batch->count, voxels = voxels_of(network), width = (size_t)network->width;
    const float *volume = batch->volume, *row = batch->tabular;
    if (batch->count < s->batch) {
        memset(network->staging, 0, (size_t)s->batch * voxels * sizeof(float));
        memset(network->staging_row, 0, (size_t)s->batch * width * sizeof(float));
        if (volume) memcpy(network->staging, volume, count * voxels * sizeof(float));
        if (width) memcpy(network->staging_row, row, count * width * sizeof(float));
        volume = network->staging;
        row = network->staging_row;
    }
    HF_TRY(set_sample(s, network, volume, row));
    HF_TRY(hf_plan_run(s->plan));
    float *all = network->staging; /* free again: the run has its copy */
    const size_t outputs = (size_t)hf_run_outputs(network);
    HF_TRY(hf_plan_get(s->plan, s->prediction, all, (int64_t)s->batch * (int64_t)outputs));
    memcpy(output, all, count * outputs * sizeof *output);
    return HF_OK;
}

static hf_status predict_samples(float *output, float *truth, hf_run_network *network, hf_loader *loader,
                                 const char *what, const hf_watch *watch)
{
    const hf_batch *batch;
    const int count = hf_loader_samples(loader);
    const size_t outputs = (size_t)hf_run_outputs(network), T = (size_t)network->target->T;
    int done = 0;
    HF_TRY(hf_loader_start(loader, 0));
    for (;;) {
        HF_TRY(hf_loader_next(loader, &batch));
        if (!batch) return HF_OK;
        const size_t at = (size_t)done, n = (size_t)batch->count;
        HF_TRY(predict_batch(output + at * outputs, network, batch));
        memcpy(truth + at * T, batch->target, n * T * sizeof *truth);
        done += batch->count;
        hf_watch_progress(watch, what, done, count, NAN);
    }
}

hf_status hf_run_network_predict(float *output, float *truth, hf_run_network *network, hf_loader *loader, int count,
                                 const char *what, const hf_watch *watch)
{
    const int samples = hf_loader_samples(loader), views = samples / count;
    const size_t outputs = (size_t)network->target->outputs, T = (size_t)network->target->T;
    float *all = NULL, *targets = NULL;
    hf_status status;
    if (samples != views * count || views < 1)
        return hf_fail(HF_ERR_ARGUMENT, "%d samples to predict for %d subjects", samples, count);
    HF_TRY_OUT(hf_alloc(&all, (size_t)samples * (size_t)hf_run_outputs(network), sizeof *all, "predictions"));
    HF_TRY_OUT(hf_alloc(&targets, (size_t)samples * T, sizeof *targets, "targets"));
    HF_TRY_OUT(predict_samples(all, targets, network, loader, what, watch));
    HF_TRY_OUT(hf_run_mix_parts(all, samples, network));
    hf_run_average_views(all, count, views, network->target);
    memcpy(output, all, (size_t)count * outputs * sizeof *output);
    for (int i = 0; truth && i < count; i++)
        memcpy(truth + (size_t)i * T, targets + (size_t)i * (size_t)views * T, T * sizeof *truth);
out:
    free(all);
    free(targets);
    return status;
}

hf_status hf_run_network_predict_one(float *output, hf_run_network *network, const float *volume, int views,
                                     const float *row)
{
    const hf_run_step *step = &network->step[HF_STEP_EVALUATE];
    const int64_t voxels = (int64_t)voxels_of(network);
    const int outputs = hf_run_outputs(network);
    float all[HF_MAX_VIEWS * HF_MAX_PARTS * HF_MAX_CLASSES];
    for (int i = 0; i < views; i++) {
        HF_TRY(set_sample(step, network, volume + i * voxels, row));
        HF_TRY(hf_plan_run(step->plan));
        HF_TRY(hf_plan_get(step->plan, step->prediction, all + i * outputs, outputs));
    }
    HF_TRY(hf_run_mix_parts(all, views, network));
    hf_run_average_views(all, 1, views, network->target);
    memcpy(output, all, (size_t)network->target->outputs * sizeof *output);
    return HF_OK;
}
