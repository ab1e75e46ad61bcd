/* parallel.c: a shared counter and as many threads as there are cores. The calling thread works too, so a machine that
 * allows no further thread is only slower. */
#include "parallel.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_THREADS 64

typedef struct crew {
    hf_each *each;
    void *user;
    hf_progress *progress;
    void *progress_user;
    pthread_mutex_t mutex; /* guards the rest */
    int count, next, done;
    hf_status status;
    char message[1024];
} crew;

static void *work(void *user)
{
    crew *c = user;
    pthread_mutex_lock(&c->mutex);
    while (c->next < c->count && c->status == HF_OK) {
        const int i = c->next++;
        pthread_mutex_unlock(&c->mutex);
        const hf_status status = c->each(c->user, i);
        pthread_mutex_lock(&c->mutex);
        if (status != HF_OK && c->status == HF_OK) {
            c->status = status; /* messages belong to threads, so this one is carried over */
            snprintf(c->message, sizeof c->message, "%s", hf_error_message());
        }
        c->done++;
        if (c->progress) c->progress(c->progress_user, c->done, c->count);
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

int hf_parallel_threads(int count)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int n = cores < 1 ? 1 : cores > MAX_THREADS ? MAX_THREADS : (int)cores;
    return n < count ? n : count;
}

hf_status hf_parallel(int count, hf_each *each, void *user, hf_progress *progress, void *progress_user)
{
    crew c = { .each = each, .user = user, .progress = progress, .progress_user = progress_user, .count = count };
    pthread_t thread[MAX_THREADS];
    int started = 0;
    const int wanted = hf_parallel_threads(count);
    pthread_mutex_init(&c.mutex, NULL);
    while (started < wanted - 1 && pthread_create(&thread[started], NULL, work, &c) == 0)
        started++;
    work(&c);
    for (int t = 0; t < started; t++)
        pthread_join(thread[t], NULL);
    pthread_mutex_destroy(&c.mutex);
    return c.status == HF_OK ? HF_OK : hf_fail(c.status, "%s", c.message);
}
