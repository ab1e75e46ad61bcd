/* profile.c: where the time of a run goes: every task by itself, waiting for the device in between. */
#include "passes.h"
#include <stdlib.h>

static hf_status time_task(double *best, hf_context *context, hf_task *task)
{
    HF_TRY(hf_context_finish(context));
    const double start = hf_seconds();
    HF_TRY(hf_task_run(task));
    HF_TRY(hf_context_finish(context));
    const double took = hf_seconds() - start;
    if (took < *best) *best = took;
    return HF_OK;
}

hf_status hf_plan_profile(hf_plan *plan, int repeats, hf_text *out)
{
    double *best = NULL;
    hf_status status = HF_OK;
    HF_TRY(hf_plan_enqueue(plan)); /* warm */
    HF_TRY(hf_alloc(&best, (size_t)plan->n_tasks + 1, sizeof *best, "a profile"));
    for (int i = 0; i < plan->n_tasks; i++)
        best[i] = 1e30;
    for (int r = 0; r < repeats; r++)
        for (int i = 0; i < plan->n_tasks; i++)
            HF_TRY_OUT(time_task(&best[i], plan->model->context, plan->task[i]));
    for (int i = 0; i < plan->n_tasks; i++) {
        const hf_node *node = plan->task_node[i];
        const double flop = (double)hf_node_flop(node);
        char shape[96];
        hf_text_add(out, "%-34.34s %-18.18s %-22s %-12s %9.3f ms %9.1f GFLOP/s\n", node->name, hf_op_name(node->op),
                    hf_shape_text(&node->desc.shape, shape), hf_op_impl_name(node->op, node->impl), best[i] * 1e3,
                    flop / best[i] / 1e9);
    }
    status = hf_text_check(out);
out:
    free(best);
    return status;
}
