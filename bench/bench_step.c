/* bench_step.c: the time of one training step of the brain-age HyperFusion: upload, forward, backward, Adam, loss.
 *
 *     bench_step [N D H W [STEPS]] [profile=1]       default 4 90 120 99 5
 *     bench_step N D H W serve
 *
 * Two steps to warm up, then STEPS timed ones; prints one JSON object with the median seconds per sample, and with
 * profile=1 as last argument the time of every task. With `serve` it greets with a line of JSON and answers every line
 * on stdin with the time of one more step: bench/step.py asks it and PyTorch in turn. */
#include "hyperfusion.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WARM_UP   2
#define MAX_STEPS 100

typedef struct bench {
    int shape[4], steps; /* N, D, H, W */
    bool profile, serve;
    hf_context *context;
    hf_model *model;
    hf_graph *graph;
    hf_plan *plan;
    hf_optimizer *optimizer;
    hf_node *loss;
    float *image, *tabular, *target;
} bench;

static hf_status build(bench *b)
{
    const int n = b->shape[0];
    HF_TRY(hf_context_new(&b->context, NULL, NULL));
    HF_TRY(hf_model_new(&b->model, b->context, 1));
    HF_TRY(hf_graph_new(&b->graph, b->model, true));
    hf_node *image = hf_input(b->graph, "image", HF_SHAPE(n, 1, b->shape[1], b->shape[2], b->shape[3]));
    hf_node *tabular = hf_input(b->graph, "tabular", HF_SHAPE(n, 2));
    hf_node *age = hf_network_build(hf_network_find("brain-age-hyperfusion"), image, tabular, NULL);
    b->loss = hf_mse(age, hf_input(b->graph, "target", HF_SHAPE(n, 1)));
    HF_TRY(hf_plan_new(&b->plan, b->graph, &(hf_plan_options){ .loss = b->loss }));
    HF_TRY(hf_plan_bind(b->plan, NULL));
    return hf_optimizer_new(&b->optimizer, b->model,
                            &(hf_optimizer_options){ .learning_rate = 1.5e-4, .weight_decay = 0.05 });
}

static hf_status fill(bench *b)
{
    const size_t n = (size_t)b->shape[0];
    const size_t voxels = (size_t)b->shape[1] * (size_t)b->shape[2] * (size_t)b->shape[3];
    HF_TRY(hf_alloc(&b->image, n * voxels, sizeof *b->image, "the images"));
    HF_TRY(hf_alloc(&b->tabular, n * 2, sizeof *b->tabular, "the table"));
    HF_TRY(hf_alloc(&b->target, n, sizeof *b->target, "the ages"));
    for (size_t i = 0; i < n * voxels; i++)
        b->image[i] = (float)hf_random_normal(1, 1, i);
    for (size_t i = 0; i < n; i++) {
        b->tabular[2 * i + i % 2] = 1;
        b->target[i] = 40 + 5 * (float)i;
    }
    return HF_OK;
}

static hf_status step(bench *b, uint32_t number, double *took)
{
    float loss = 0;
    const int64_t n = b->shape[0], voxels = (int64_t)b->shape[1] * b->shape[2] * b->shape[3];
    const double start = conv_seconds();
    HF_TRY(hf_model_set_step(b->model, 1, number));
    HF_TRY(hf_plan_set(b->plan, "image", b->image, n * voxels));
    HF_TRY(hf_plan_set(b->plan, "tabular", b->tabular, n * 2));
    HF_TRY(hf_plan_set(b->plan, "target", b->target, n));
    HF_TRY(hf_plan_run(b->plan));
    HF_TRY(hf_optimizer_step(b->optimizer));
    HF_TRY(hf_plan_get(b->plan, b->loss, &loss, 1));
    HF_TRY(hf_context_finish(b->context));
    *took = conv_seconds() - start;
    return HF_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static hf_status time_steps(bench *b)
{
    double took[MAX_STEPS];
    for (int i = 0; i < b->steps; i++)
        HF_TRY(step(b, (uint32_t)(WARM_UP + i), &took[i]));
    qsort(took, (size_t)b->steps, sizeof *took, by_size);
    const hf_plan_info info = hf_plan_summary(b->plan);
    const double median = took[b->steps / 2], per_sample = median / b->shape[0];
    printf("{\"device\": \"%s\", \"batch\": %d, \"seconds_per_sample\": %.4f, \"gflops\": %.1f, \"bytes_peak\": %zu}\n",
           hf_context_device(b->context)->name, b->shape[0], per_sample, (double)info.flop / median / 1e9,
           info.bytes_peak);
    if (!b->profile) return HF_OK;
    hf_text text = { 0 };
    const hf_status status = hf_plan_profile(b->plan, 3, &text);
    if (status == HF_OK) printf("%s", text.data);
    hf_text_free(&text);
    return status;
}

/* resident: the most memory this process has had, in bytes. */
static hf_status serve(bench *b)
{
    const hf_device_info *device = hf_context_device(b->context);
    char line[64];
    double took = 0;
    printf("{\"version\": \"%s\", \"threads\": %u, \"device\": \"%s\", \"platform\": \"%s\", \"driver\": \"%s\"}\n",
           HF_VERSION, device->compute_units, device->name, device->platform, device->driver);
    fflush(stdout);
    for (uint32_t i = WARM_UP; fgets(line, sizeof line, stdin); i++) {
        struct rusage usage;
        HF_TRY(step(b, i, &took));
        getrusage(RUSAGE_SELF, &usage);
        printf("{\"ms\": %.3f, \"resident\": %.0f}\n", 1e3 * took, 1024.0 * (double)usage.ru_maxrss);
        fflush(stdout);
    }
    return HF_OK;
}

static hf_status run(bench *b)
{
    double warm;
    HF_TRY(build(b));
    HF_TRY(fill(b));
    for (int i = 0; i < WARM_UP; i++)
        HF_TRY(step(b, (uint32_t)i, &warm));
    return b->serve ? serve(b) : time_steps(b);
}

int main(int argc, char **argv)
{
    bench b = { .shape = { 4, 90, 120, 99 }, .steps = 5 };
    if (argc > 1 && strcmp(argv[argc - 1], "profile=1") == 0) {
        b.profile = true;
        argc--;
    }
    if (argc > 1 && strcmp(argv[argc - 1], "serve") == 0) {
        b.serve = true;
        argc--;
    }
    for (int i = 1; i < argc && i <= 4; i++)
        b.shape[i - 1] = atoi(argv[i]);
    if (argc > 5) b.steps = atoi(argv[5]);
    if (b.steps < 1 || b.steps > MAX_STEPS) {
        fprintf(stderr, "usage: bench_step [N D H W [STEPS]] [profile=1|serve], STEPS 1 to %d\n", MAX_STEPS);
        return 2;
    }
    const hf_status status = run(&b);
    if (status != HF_OK) fprintf(stderr, "bench_step: %s\n", hf_error_message());
    free(b.image);
    free(b.tabular);
    free(b.target);
    hf_optimizer_free(&b.optimizer);
    hf_plan_free(&b.plan);
    hf_graph_free(&b.graph);
    hf_model_free(&b.model);
    hf_context_free(&b.context);
    return status != HF_OK;
}
