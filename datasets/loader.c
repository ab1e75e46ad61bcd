/* loader.c: batches, prepared ahead by one background thread.
 *
 * A ring of depth + 1 batches: the thread fills them in order, the caller holds at most one. The order of a pass is a
 * function of (seed, epoch) alone. Starting a pass drops what was prepared of another one: every pass has a number, and
 * what the thread finishes for an older one is thrown away. */
#include "hfdata.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DEPTH 2

struct hf_loader {
    const hf_dataset *dataset;
    hf_loader_options options;
    int *indices; /* [count] subjects */
    int count;
    uint32_t *order; /* [count] places in `indices`, of the pass being served */
    int n_batches;   /* in a pass */
    int n_slots;
    hf_batch *slot; /* [n_slots] ring */

    pthread_t thread;
    bool running;
    pthread_mutex_t mutex; /* guards everything below */
    pthread_cond_t changed;
    bool stop;
    uint64_t pass;    /* number of the pass; goes up with every start */
    int filled;       /* batches of this pass that are ready */
    int taken;        /* batches of this pass handed out, including the one the caller holds */
    bool busy;        /* the thread is filling a slot */
    hf_status status; /* of the thread */
    char message[1024];
    double waited;
};

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static hf_status fill(const hf_loader *l, hf_batch *batch, const uint32_t *order, int number)
{
    const int *shape = hf_dataset_shape(l->dataset);
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    const size_t width = (size_t)hf_dataset_width(l->dataset), targets = (size_t)hf_dataset_targets(l->dataset);
    const int first = number * l->options.batch_size, left = l->count - first;
    batch->count = left < l->options.batch_size ? left : l->options.batch_size;
    for (int k = 0; k < batch->count; k++) {
        batch->index[k] = l->indices[order[first + k]];
        HF_TRY(hf_dataset_get(l->dataset, batch->index[k], batch->volume + (size_t)k * voxels,
                              width ? batch->tabular + (size_t)k * width : NULL, batch->target + (size_t)k * targets));
    }
    return HF_OK;
}

/* A slot may be filled when the pass has batches left and the slot is not the one the caller holds. */
static bool has_work(const hf_loader *l)
{
    const int held = l->taken > 0 ? l->taken - 1 : 0;
    return l->pass > 0 && l->status == HF_OK && l->filled < l->n_batches && l->filled - held < l->n_slots;
}

static void *work(void *user)
{
    hf_loader *l = user;
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        if (!has_work(l)) {
            pthread_cond_wait(&l->changed, &l->mutex);
            continue;
        }
        const uint64_t pass = l->pass;
        const int number = l->filled;
        l->busy = true;
        pthread_mutex_unlock(&l->mutex);
        const hf_status status = fill(l, &l->slot[number % l->n_slots], l->order, number);
        pthread_mutex_lock(&l->mutex);
        l->busy = false;
        if (pass == l->pass && status == HF_OK) l->filled++;
        if (pass == l->pass && status != HF_OK) {
            l->status = status; /* messages belong to threads, so this one is carried over */
            snprintf(l->message, sizeof l->message, "%s", hf_error_message());
        }
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static hf_status make_slot(hf_batch *batch, const hf_loader *l)
{
    const int *shape = hf_dataset_shape(l->dataset);
    const size_t n = (size_t)l->options.batch_size, width = (size_t)hf_dataset_width(l->dataset);
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t all;
    if (!hf_size_mul(n, voxels, &all))
        return hf_fail(HF_ERR_MEMORY, "a batch of %zu volumes of %zu voxels does not fit in memory", n, voxels);
    HF_TRY(hf_alloc(&batch->volume, all, sizeof *batch->volume, "a batch of volumes"));
    HF_TRY(hf_alloc(&batch->tabular, n * width + 1, sizeof *batch->tabular, "a batch of table rows"));
    HF_TRY(hf_alloc(&batch->target, n * (size_t)hf_dataset_targets(l->dataset), sizeof *batch->target,
                    "a batch of targets"));
    return hf_alloc(&batch->index, n, sizeof *batch->index, "a batch of indices");
}

static int batches_of(const hf_loader *l)
{
    return (l->count - 1) / l->options.batch_size + 1;
}

static hf_status make(hf_loader *l, const int *indices)
{
    HF_TRY(hf_alloc(&l->indices, (size_t)l->count, sizeof *l->indices, "a loader"));
    HF_TRY(hf_alloc(&l->order, (size_t)l->count, sizeof *l->order, "a loader"));
    HF_TRY(hf_alloc(&l->slot, (size_t)l->n_slots, sizeof *l->slot, "a loader"));
    memcpy(l->indices, indices, (size_t)l->count * sizeof *indices);
    for (int i = 0; i < l->n_slots; i++)
        HF_TRY(make_slot(&l->slot[i], l));
    if (pthread_create(&l->thread, NULL, work, l) != 0)
        return hf_fail(HF_ERR_MEMORY, "the loader's thread could not be started");
    l->running = true;
    return HF_OK;
}

hf_status hf_loader_new(hf_loader **out, const hf_dataset *dataset, const int *indices, int count,
                        const hf_loader_options *options)
{
    hf_loader *l = NULL;
    *out = NULL;
    if (!options || options->batch_size < 1 || count < 1)
        return hf_fail(HF_ERR_ARGUMENT, "a loader needs a batch size of at least 1 and at least one subject");
    for (int i = 0; i < count; i++)
        if (!hf_dataset_has(dataset, indices[i]))
            return hf_fail(HF_ERR_ARGUMENT, "a loader for subject number %d, which the dataset has not", indices[i]);
    HF_TRY(hf_alloc(&l, 1, sizeof *l, "a loader"));
    l->dataset = dataset;
    l->options = *options;
    l->count = count;
    if (l->options.batch_size > count) l->options.batch_size = count; /* no batch is larger; sizes follow from this */
    l->n_batches = batches_of(l);
    const int depth = options->depth > 0 ? options->depth : DEFAULT_DEPTH;
    l->n_slots = depth < l->n_batches ? depth + 1 : l->n_batches;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed, NULL);
    const hf_status status = make(l, indices);
    if (status != HF_OK) hf_loader_free(&l);
    *out = l;
    return status;
}

void hf_loader_free(hf_loader **loader)
{
    if (!loader || !*loader) return;
    hf_loader *l = *loader;
    if (l->running) {
        pthread_mutex_lock(&l->mutex);
        l->stop = true;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    for (int i = 0; l->slot && i < l->n_slots; i++) {
        free(l->slot[i].volume);
        free(l->slot[i].tabular);
        free(l->slot[i].target);
        free(l->slot[i].index);
    }
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
    free(l->indices);
    free(l->order);
    free(l->slot);
    free(l);
    *loader = NULL;
}

/* ---- serving ----------------------------------------------------------------------------------------------------- */

hf_status hf_loader_start(hf_loader *loader, uint64_t epoch)
{
    hf_loader *l = loader;
    pthread_mutex_lock(&l->mutex);
    l->n_batches = 0; /* nothing more of the old pass; then wait for what is being filled: it reads `order` */
    while (l->busy)
        pthread_cond_wait(&l->changed, &l->mutex);
    if (l->options.shuffle)
        hf_random_permutation(l->order, (uint32_t)l->count, l->options.seed, hf_random_stream("loader", epoch, 0));
    else
        for (int i = 0; i < l->count; i++)
            l->order[i] = (uint32_t)i;
    l->n_batches = batches_of(l);
    l->pass++;
    l->filled = l->taken = 0;
    l->status = HF_OK;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
    return HF_OK;
}

hf_status hf_loader_next(hf_loader *loader, const hf_batch **batch)
{
    hf_loader *l = loader;
    hf_status status = HF_OK;
    *batch = NULL;
    const double start = hf_seconds();
    pthread_mutex_lock(&l->mutex);
    if (l->pass == 0) {
        status = hf_fail(HF_ERR_ARGUMENT, "no pass was started");
        goto out;
    }
    if (l->taken == l->n_batches) goto out;
    while (l->filled <= l->taken && l->status == HF_OK)
        pthread_cond_wait(&l->changed, &l->mutex);
    if (l->filled > l->taken) {
        *batch = &l->slot[l->taken % l->n_slots];
        l->taken++; /* gives the batch before this one back to the thread */
        pthread_cond_broadcast(&l->changed);
    } else {
        status = hf_fail(l->status, "%s", l->message);
    }
out:
    l->waited += hf_seconds() - start;
    pthread_mutex_unlock(&l->mutex);
    return status;
}

double hf_loader_waited(const hf_loader *loader)
{
    return loader->waited;
}
