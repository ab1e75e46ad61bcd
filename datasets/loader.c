/* loader.c: batches, prepared ahead by background threads.
 *
 * A ring of depth + 1 batches: threads fill them in order, sample by sample; the caller holds at most one batch. What a
 * sample is, is a function of (seed, epoch, subject, how often the list had it before), so it does not matter which thread
 * makes it. The order of a pass is a function of (seed, epoch) alone. Starting a pass drops what was prepared of another
 * one, once no thread works at it any more. */
#include "parallel.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DEPTH    2
#define MAX_THREADS      16
#define CORES_PER_THREAD 4 /* where the number of threads is left to us, the others are for the computing */

/* A batch of the ring. */
typedef struct slot {
    hf_batch batch;
    int number;       /* which batch of the pass; -1: none */
    int ready;        /* samples that are finished */
    int failed;       /* the first sample that failed, else -1 */
    hf_status status; /* why */
    char message[1024];
} slot;

struct hf_loader {
    const hf_dataset *dataset;
    hf_loader_options options;
    hf_augment augment;
    int *indices;   /* [count] subjects */
    uint64_t *draw; /* [count] what stands for each in random draws */
    int count;
    int repeat;  /* samples of each subject */
    int samples; /* in a pass: count * repeat */
    uint32_t
        *order;    /* [samples] of the pass being served: sample / repeat is a place in `indices`, the rest its view */
    int n_batches; /* in a pass */
    int n_slots;
    slot *slot; /* [n_slots] ring */
    uint64_t epoch;
    double waited;

    int n_threads, started;
    pthread_t thread[MAX_THREADS];
    float *room[MAX_THREADS]; /* a volume each, to augment */
    pthread_mutex_t mutex;    /* guards everything below, and the slots' counts */
    pthread_cond_t changed;
    bool stop;
    bool any;   /* a pass was begun */
    int next;   /* sample to begin with */
    int end;    /* no sample from here on is begun: those of the pass, or less when it is being dropped */
    int taken;  /* batches of this pass handed out, including the one the caller holds */
    int busy;   /* threads at work on a sample */
    int joined; /* threads that have taken a number */
};

/* ---- one sample -------------------------------------------------------------------------------------------------- */

static hf_status fill(const hf_loader *l, hf_batch *batch, int sample, float *room)
{
    const int *shape = hf_dataset_shape(l->dataset), k = sample % l->options.batch_size;
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    const size_t width = (size_t)hf_dataset_width(l->dataset), targets = (size_t)hf_dataset_targets(l->dataset);
    const int place = (int)l->order[sample] / l->repeat, index = l->indices[place];
    const uint64_t draw = l->draw[place];
    int view = (int)l->order[sample] % l->repeat;
    const bool trains = l->options.augment != NULL;
    if (trains && hf_dataset_views(l->dataset) > 1) view = hf_augment_side(l->augment.seed, l->epoch, draw);
    batch->index[k] = index;
    HF_TRY(hf_dataset_get(l->dataset, index, NULL, width ? batch->tabular + (size_t)k * width : NULL,
                          batch->target + (size_t)k * targets));
    if (l->options.no_volumes) return HF_OK;
    float *volume = batch->volume + (size_t)k * voxels;
    HF_TRY(hf_dataset_view(l->dataset, index, view, trains, volume));
    if (trains) hf_augment_volume(volume, shape, &l->augment, l->epoch, draw, room);
    return HF_OK;
}

static int size_of(const hf_loader *l, int number)
{
    const int left = l->samples - number * l->options.batch_size;
    return left < l->options.batch_size ? left : l->options.batch_size;
}

/* ---- the threads ------------------------------------------------------------------------------------------------- */

/* A sample may be begun when its slot is not one that is waited for or held. */
static bool has_work(const hf_loader *l)
{
    const int held = l->taken > 0 ? l->taken - 1 : 0;
    return l->next < l->end && l->next / l->options.batch_size - held < l->n_slots;
}

/* The slot of the next sample, emptied when that is its first. */
static slot *claim(hf_loader *l)
{
    const int number = l->next / l->options.batch_size;
    slot *s = &l->slot[number % l->n_slots];
    if (l->next % l->options.batch_size == 0) {
        *s = (slot){ .batch = s->batch, .number = number, .failed = -1 };
        s->batch.count = size_of(l, number);
    }
    l->next++;
    l->busy++;
    return s;
}

/* Of several failures in a batch the first sample's counts, whichever comes first in time. */
static void note_failure(slot *s, int k, hf_status status)
{
    if (s->failed >= 0 && s->failed < k) return;
    s->failed = k;
    s->status = status; /* messages belong to threads, so this one is carried over */
    snprintf(s->message, sizeof s->message, "%s", hf_error_message());
}

static void *work(void *user)
{
    hf_loader *l = user;
    pthread_mutex_lock(&l->mutex);
    float *room = l->room[l->joined++];
    while (!l->stop) {
        if (!has_work(l)) {
            pthread_cond_wait(&l->changed, &l->mutex);
            continue;
        }
        const int sample = l->next;
        slot *s = claim(l);
        pthread_mutex_unlock(&l->mutex);
        const hf_status status = fill(l, &s->batch, sample, room);
        pthread_mutex_lock(&l->mutex);
        if (status != HF_OK) note_failure(s, sample % l->options.batch_size, status);
        l->busy--;
        s->ready++;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static hf_status make_batch(hf_batch *batch, const hf_loader *l)
{
    const int *shape = hf_dataset_shape(l->dataset);
    const size_t n = (size_t)l->options.batch_size, width = (size_t)hf_dataset_width(l->dataset);
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t all;
    if (!hf_size_mul(n, voxels, &all))
        return hf_fail(HF_ERR_MEMORY, "a batch of %zu volumes of %zu voxels does not fit in memory", n, voxels);
    if (!l->options.no_volumes) HF_TRY(hf_alloc(&batch->volume, all, sizeof *batch->volume, "a batch of volumes"));
    HF_TRY(hf_alloc(&batch->tabular, n * width + 1, sizeof *batch->tabular, "a batch of table rows"));
    HF_TRY(hf_alloc(&batch->target, n * (size_t)hf_dataset_targets(l->dataset), sizeof *batch->target,
                    "a batch of targets"));
    return hf_alloc(&batch->index, n, sizeof *batch->index, "a batch of indices");
}

static hf_status start_threads(hf_loader *l)
{
    const int *shape = hf_dataset_shape(l->dataset);
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    for (int t = 0; l->options.augment && t < l->n_threads; t++)
        HF_TRY(hf_alloc(&l->room[t], voxels, sizeof *l->room[t], "a volume to augment"));
    while (l->started < l->n_threads && pthread_create(&l->thread[l->started], NULL, work, l) == 0)
        l->started++;
    return l->started ? HF_OK : hf_fail(HF_ERR_MEMORY, "the loader's thread could not be started");
}

/* Numbers the copies of each subject in the order of the list. */
static hf_status number_copies(hf_loader *l)
{
    int *seen, most = 0;
    for (int i = 0; i < l->count; i++)
        if (l->indices[i] > most) most = l->indices[i];
    HF_TRY(hf_alloc(&seen, (size_t)most + 1, sizeof *seen, "a loader"));
    for (int i = 0; i < l->count; i++)
        l->draw[i] = hf_augment_copy(l->indices[i], seen[l->indices[i]]++);
    free(seen);
    return HF_OK;
}

static hf_status make(hf_loader *l, const int *indices)
{
    HF_TRY(hf_alloc(&l->indices, (size_t)l->count, sizeof *l->indices, "a loader"));
    HF_TRY(hf_alloc(&l->order, (size_t)l->samples, sizeof *l->order, "a loader"));
    HF_TRY(hf_alloc(&l->slot, (size_t)l->n_slots, sizeof *l->slot, "a loader"));
    memcpy(l->indices, indices, (size_t)l->count * sizeof *indices);
    HF_TRY(hf_alloc(&l->draw, (size_t)l->count, sizeof *l->draw, "a loader"));
    HF_TRY(number_copies(l));
    for (int i = 0; i < l->n_slots; i++)
        HF_TRY(make_batch(&l->slot[i].batch, l));
    return start_threads(l);
}

static int threads_of(const hf_loader_options *options)
{
    const int wanted = options->threads > 0 ? options->threads : hf_parallel_threads(MAX_THREADS) / CORES_PER_THREAD;
    return wanted < 1 ? 1 : wanted > MAX_THREADS ? MAX_THREADS : wanted;
}

/* Sizes follow from the dataset and the options. */
static hf_status measure(hf_loader *l, int count)
{
    const bool every = !l->options.augment && !l->options.no_volumes;
    l->count = count;
    l->repeat = every ? hf_dataset_views(l->dataset) : 1;
    if (count > INT32_MAX / 2 / l->repeat) return hf_fail(HF_ERR_ARGUMENT, "a loader for %d subjects", count);
    l->samples = count * l->repeat;
    if (l->options.batch_size > l->samples) l->options.batch_size = l->samples; /* no batch is larger */
    l->n_batches = (l->samples - 1) / l->options.batch_size + 1;
    const int depth = l->options.depth > 0 ? l->options.depth : DEFAULT_DEPTH;
    l->n_slots = depth < l->n_batches ? depth + 1 : l->n_batches;
    l->n_threads = threads_of(&l->options);
    if (!l->options.augment) return HF_OK;
    l->augment = *l->options.augment;
    return hf_augment_check(&l->augment);
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
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->changed, NULL);
    hf_status status = measure(l, count);
    if (status == HF_OK) status = make(l, indices);
    if (status != HF_OK) hf_loader_free(&l);
    *out = l;
    return status;
}

static void stop_threads(hf_loader *l)
{
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
    for (int t = 0; t < l->started; t++)
        pthread_join(l->thread[t], NULL);
}

void hf_loader_free(hf_loader **loader)
{
    if (!loader || !*loader) return;
    hf_loader *l = *loader;
    stop_threads(l);
    for (int i = 0; l->slot && i < l->n_slots; i++) {
        free(l->slot[i].batch.volume);
        free(l->slot[i].batch.tabular);
        free(l->slot[i].batch.target);
        free(l->slot[i].batch.index);
    }
    for (int t = 0; t < MAX_THREADS; t++)
        free(l->room[t]);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->mutex);
    free(l->indices);
    free(l->draw);
    free(l->order);
    free(l->slot);
    free(l);
    *loader = NULL;
}

/* ---- serving ----------------------------------------------------------------------------------------------------- */

int hf_loader_samples(const hf_loader *loader)
{
    return loader->samples;
}

hf_status hf_loader_start(hf_loader *loader, uint64_t epoch)
{
    hf_loader *l = loader;
    pthread_mutex_lock(&l->mutex);
    l->end = 0; /* nothing more of the old pass; then wait for what is being filled: it reads `order` */
    while (l->busy > 0)
        pthread_cond_wait(&l->changed, &l->mutex);
    if (l->options.shuffle)
        hf_random_permutation(l->order, (uint32_t)l->samples, l->options.seed, hf_random_stream("loader", epoch, 0));
    else
        for (int i = 0; i < l->samples; i++)
            l->order[i] = (uint32_t)i;
    for (int i = 0; i < l->n_slots; i++)
        l->slot[i].number = -1;
    l->any = true;
    l->epoch = epoch;
    l->next = l->taken = 0;
    l->end = l->samples;
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
    if (!l->any) {
        status = hf_fail(HF_ERR_ARGUMENT, "no pass was started");
        goto out;
    }
    if (l->taken == l->n_batches) goto out;
    const int number = l->taken;
    slot *s = &l->slot[number % l->n_slots];
    while (s->number != number || s->ready < s->batch.count)
        pthread_cond_wait(&l->changed, &l->mutex);
    if (s->failed >= 0) {
        status = hf_fail(s->status, "%s", s->message);
        goto out;
    }
    *batch = &s->batch;
    l->taken++; /* gives the batch before this one back to the threads */
    pthread_cond_broadcast(&l->changed);
out:
    l->waited += hf_seconds() - start;
    pthread_mutex_unlock(&l->mutex);
    return status;
}

double hf_loader_waited(const hf_loader *loader)
{
    return loader->waited;
}
