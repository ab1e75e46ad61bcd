/* samples.c: who is shown in an epoch: every training subject once, those of rarer classes again where the recipe says so,
 * or only a few batches of them, to see whether a network can learn those by heart. */
#include "data.h"
#include "samples.h"
#include <stdlib.h>
#include <string.h>

/* How often an epoch shows a training subject of each class: whole times, and by chance once more. */
static hf_status list_all(hf_run_samples *out, const hf_run_data *data, const hf_target *target,
                          const hf_recipe *recipe)
{
    const int *subject = data->index + data->first[HF_TRAIN], count = data->count[HF_TRAIN];
    const int classes = recipe->train.oversample ? target->n_trained : 1;
    const int T = target->T; /* the last of them is the class that is trained */
    int of[HF_MAX_CLASSES] = { 0 }, most = 0;
    uint32_t *order;
    for (int i = 0; i < count; i++) {
        const int class = classes > 1 ? (int)data->truth[subject[i] * T + T - 1] : 0;
        if (++of[class] > most) most = of[class];
    }
    HF_TRY(hf_alloc(&out->index, (size_t)most * (size_t)classes, sizeof *out->index, "the training samples"));
    HF_TRY(hf_alloc(&order, (size_t)count, sizeof *order, "the training samples"));
    hf_random_permutation(order, (uint32_t)count, (uint64_t)recipe->train.seed, hf_random_stream("oversample", 0, 0));
    for (int class = 0; class < classes; class ++)
        for (int shown = 0; shown < most;) /* once with shown < count: the last time around ends in the middle */
            for (int i = 0; i < count && shown < most; i++) {
                const int s = shown < of[class] ? subject[i] : subject[order[i]];
                if (classes > 1 && (int)data->truth[s * T + T - 1] != class) continue;
                out->index[out->count++] = s;
                shown++;
            }
    free(order);
    return HF_OK;
}

/* Some batches of them, drawn. */
static hf_status keep_batches(hf_run_samples *samples, int64_t wanted, uint64_t seed)
{
    uint32_t *order;
    int *kept;
    const int count = wanted < samples->count ? (int)wanted : samples->count;
    HF_TRY(hf_alloc(&order, (size_t)samples->count, sizeof *order, "the training samples"));
    const hf_status status = hf_alloc(&kept, (size_t)count, sizeof *kept, "the training samples");
    if (status == HF_OK) {
        hf_random_permutation(order, (uint32_t)samples->count, seed, hf_random_stream("overfit", 0, 0));
        for (int i = 0; i < count; i++)
            kept[i] = samples->index[order[i]];
        free(samples->index);
        samples->index = kept;
        samples->count = count;
    }
    free(order);
    return status;
}

static int by_number(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* `subject` [count] to judge by, each once, in table order. */
static hf_status judge_by(hf_run_samples *samples, const int *subject, int count)
{
    HF_TRY(hf_alloc(&samples->judge, (size_t)count + 1, sizeof *samples->judge, "the subjects"));
    memcpy(samples->judge, subject, (size_t)count * sizeof *subject);
    qsort(samples->judge, (size_t)count, sizeof *samples->judge, by_number);
    for (int i = 0; i < count; i++)
        if (i == 0 || samples->judge[i] != samples->judge[samples->n_judges - 1])
            samples->judge[samples->n_judges++] = samples->judge[i];
    return HF_OK;
}

hf_status hf_run_samples_list(hf_run_samples *out, const hf_run_data *data, const hf_target *target,
                              const hf_recipe *recipe)
{
    const int64_t batches = recipe->train.overfit_batches;
    *out = (hf_run_samples){ 0 };
    hf_status status = list_all(out, data, target, recipe);
    if (status == HF_OK && batches)
        status = keep_batches(out, batches * recipe->train.batch_size, (uint64_t)recipe->train.seed);
    if (status == HF_OK && batches) status = judge_by(out, out->index, out->count);
    if (status == HF_OK && !batches) status = judge_by(out, data->index + data->first[HF_VALID], data->count[HF_VALID]);
    if (status != HF_OK) hf_run_samples_free(out);
    return status;
}

void hf_run_samples_free(hf_run_samples *samples)
{
    free(samples->index);
    free(samples->judge);
    *samples = (hf_run_samples){ 0 };
}
