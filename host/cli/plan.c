/* plan.c: hyperfusion plan: what training a recipe takes, node by node, without running it. */
#include "cli.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int print_json(const hf_run_plan *plan, const hf_recipe *recipe)
{
    const hf_plan_info info = hf_plan_summary(plan->plan);
    hf_text text = { 0 };
    if (hf_plan_nodes_json(plan->plan, &text) != HF_OK) return cli_failed();
    json_t *nodes = json_loads(text.data, 0, NULL);
    hf_text_free(&text);
    return cli_print_json(
        json_pack("{ss,ss,ss,si,s[iii],si,sI,sI,sI,sI,sI,sI,si,so}", "goal", recipe->goal.name, "model",
                  recipe->model.name, "device", plan->device->id, "batch", plan->batch, "shape", plan->shape[0],
                  plan->shape[1], plan->shape[2], "tabular", plan->width, "parameters", (json_int_t)info.parameters,
                  "flop_forward", (json_int_t)info.flop_forward, "flop", (json_int_t)info.flop, "bytes_peak",
                  (json_int_t)info.bytes_peak, "bytes_parameters", (json_int_t)info.bytes_parameters, "bytes_device",
                  (json_int_t)plan->device_bytes, "tasks", info.tasks, "nodes", nodes));
}

static int print_text(const hf_run_plan *plan, const hf_recipe *recipe)
{
    const double mib = 1024.0 * 1024.0;
    const hf_plan_info info = hf_plan_summary(plan->plan);
    hf_text text = { 0 };
    if (hf_plan_describe(plan->plan, &text) != HF_OK) return cli_failed();
    printf("%s on %s (%s): batch %d of 1x%dx%dx%d", recipe->model.name, plan->device->id, plan->device->name,
           plan->batch, plan->shape[0], plan->shape[1], plan->shape[2]);
    if (plan->width) printf(" and %d table columns", plan->width);
    printf("\n\n%s\n", text.data);
    printf("parameters      %" PRId64 "\n", info.parameters);
    printf("forward         %.2f GFLOP\n", (double)info.flop_forward * 1e-9);
    printf("training step   %.2f GFLOP in %d tasks\n", (double)info.flop * 1e-9, info.tasks);
    printf("values at peak  %.1f MiB\n", (double)info.bytes_peak / mib);
    printf("on the device   %.1f MiB, with parameters, gradients and optimizer\n", (double)plan->device_bytes / mib);
    hf_text_free(&text);
    return CLI_OK;
}

/* What is planned need not fit; who trains it should know. */
static void warn_memory(const hf_run_plan *plan)
{
    const double gib = 1024.0 * 1024.0 * 1024.0;
    if (!plan->device->memory || plan->device_bytes <= plan->device->memory) return;
    fprintf(stderr,
            "hyperfusion: warning: training needs %.1f GiB, %s has %.1f GiB: a smaller train.batch_size or "
            "cohort.shape needs less\n",
            (double)plan->device_bytes / gib, plan->device->id, (double)plan->device->memory / gib);
}

static int run(const cli_args *args)
{
    hf_recipe recipe = { 0 };
    hf_run_plan plan = { 0 };
    int code = cli_recipe(&recipe, args);
    if (code != CLI_OK) return code;
    if (hf_run_plan_new(&plan, &recipe, cli_value(args, "device")) != HF_OK)
        code = cli_failed();
    else
        code = cli_has(args, "json") ? print_json(&plan, &recipe) : print_text(&plan, &recipe);
    if (code == CLI_OK) warn_memory(&plan);
    hf_run_plan_free(&plan);
    hf_recipe_free(&recipe);
    return code;
}

static const cli_option options[] = {
    { "set", "KEY=VALUE", "replace a value of the recipe, as in train.batch_size=4; repeats", true },
    { "device", "D", "plan for this device: gpu:0, cpu:0, or part of a name", false },
    { "json", NULL, "print one JSON object", false },
    { 0 },
};

const cli_command cli_plan = {
    .name = "plan",
    .operands = "RECIPE [--set KEY=VALUE]... [--device D] [--json]",
    .summary = "show what training a recipe takes, node by node",
    .about = "Plans one training step and prints its nodes: shape, implementation chosen and why faster\n"
             "ones were refused, parameters, memory, floating-point operations. Nothing is run. The\n"
             "cohort is read only when the recipe lacks cohort.shape or the categories of a column.",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
