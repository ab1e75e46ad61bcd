/* parallel.h: the same work for many items on all cores. Private to datasets/. */
#ifndef HF_PARALLEL_H
#define HF_PARALLEL_H

#include "hfdata.h"

/* Calls each(user, i) for every i in 0..count-1, from several threads at once, each i exactly once. The first error ends
 * the work and is returned, with its message. `progress` (may be NULL) is called after every item, from one thread at a
 * time. */
typedef hf_status hf_each(void *user, int index);
hf_status hf_parallel(int count, hf_each *each, void *user, hf_progress *progress, void *progress_user) HF_MUST_USE;

/* How many threads hf_parallel uses for `count` items. */
int hf_parallel_threads(int count);

#endif
