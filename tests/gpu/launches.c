/* launches.c: what the library would launch on devices that are only described.
 *
 *     gpu_launches DEVICES.TSV [DEVICE [SHAPES]]
 *
 * For each device of the table (or the one named) it makes the tasks of
 *   - every operator under test: its named cases and SHAPES drawn ones (default 40), by the implementation that is
 *     chosen, in every layout that it takes,
 *   - the convolution layers of cases.c, all passes, at several batch sizes,
 *   - the same by those that `asked` below names, where they fit,
 *   - a training step of every network,
 * and prints each launch as a line of JSON. Nothing is computed: contexts are described ones, operands have no memory.
 * tests/gpu/check.py compiles what is listed here and judges it. */
#include "launches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 40
#define SEED  1

/* ---- output ------------------------------------------------------------------------------------------------------ */

/* Names of layers are made of letters, digits, '.', '-' and '_', so nothing needs escaping. */
static void print_launch(const hf_origin *o, const hf_launch_info *l)
{
    printf("{\"device\":\"%s\",\"set\":\"%s%s%s\",\"op\":\"%s\",\"what\":\"%s\",\"n\":%d,\"step\":%d,\"flop\":%.0f,"
           "\"program\":\"%s\",\"kernel\":\"%s\",\"defines\":\"%s\",\"groups\":[%zu,%zu,%zu],\"items\":[%zu,%zu,%zu],"
           "\"args\":[",
           o->device, o->set, o->by ? " by " : "", o->by ? o->by : "", o->op, o->what, o->n, o->step, o->flop,
           l->program ? l->program : "", l->kernel, l->defines, l->groups[0], l->groups[1], l->groups[2], l->items[0],
           l->items[1], l->items[2]);
    for (int i = 0; i < l->n_args; i++)
        printf("%s%lld", i ? "," : "", (long long)l->arg[i]);
    printf("],\"tensors\":[");
    for (int i = 0; i < l->n_args; i++)
        printf("%s%d", i ? "," : "", l->is_tensor[i]);
    printf("]}\n");
}

void hf_print_task(const hf_origin *o, const hf_task *task)
{
    hf_launch_info launch;
    for (int i = 0; hf_task_launch(task, i, &launch); i++)
        print_launch(o, &launch);
}

/* Implementations that run on some devices only where a user asks for them. */
static const struct {
    const char *by, *force;
    bool tensor_cores;
} asked[] = {
    { "gpu_direct", "conv3d=gpu_direct,conv3d_dx=gpu_direct", false },
    { "gpu_winograd", "conv3d=gpu_winograd,conv3d_dx=gpu_winograd", false },
    { "gpu_tensor", "conv3d=gpu_tensor,conv3d_dx=gpu_tensor", true },
};

static hf_status run_asked(const char *id, const hf_device_info *device, int i)
{
    hf_context *context = NULL;
    const hf_context_options options = { .described = device,
                                         .force = asked[i].force,
                                         .tensor_cores = asked[i].tensor_cores };
    HF_TRY(hf_context_new(&context, NULL, &options));
    const hf_status status = hf_list_layers(id, context, asked[i].by);
    hf_context_free(&context);
    return status;
}

static hf_status run_device(const char *id, const hf_device_info *device, int shapes)
{
    hf_context *context = NULL;
    hf_status status = HF_OK;
    for (int i = 0; i < COUNT(asked); i++)
        HF_TRY(run_asked(id, device, i));
    HF_TRY(hf_context_new(&context, NULL, &(hf_context_options){ .described = device }));
    HF_TRY_OUT(hf_list_operators(id, context, shapes));
    HF_TRY_OUT(hf_list_layers(id, context, NULL));
    HF_TRY_OUT(hf_list_steps(id, context));
out:
    hf_context_free(&context);
    return status;
}

/* ---- the table of devices ---------------------------------------------------------------------------------------- */

enum { ID, KIND, ARCH, NAME, PLATFORM, GROUP, LOCAL, UNITS, MHZ, MEMORY, ALIGN, COLUMNS };

/* Cuts a line at its tabs; the number of columns. */
static int split(char *line, char *column[COLUMNS])
{
    int n = 0;
    line[strcspn(line, "\n")] = 0;
    for (char *at = line; at && n < COLUMNS; n++) {
        column[n] = at;
        at = strchr(at, '\t');
        if (at) *at++ = 0;
    }
    return n;
}

static size_t number(const char *text)
{
    return (size_t)strtoull(text, NULL, 10);
}

/* sm_70 is compute capability 7.0; other makers have none. */
static unsigned capability(const char *arch)
{
    return strncmp(arch, "sm_", 3) == 0 ? (unsigned)number(arch + 3) : 0;
}

static hf_device_info describe(char *const column[COLUMNS])
{
    const size_t group = number(column[GROUP]), memory = number(column[MEMORY]) << 30;
    hf_device_info info = { .compute_units = (unsigned)number(column[UNITS]),
                            .clock_mhz = (unsigned)number(column[MHZ]),
                            .max_group = group,
                            .max_items = { group, group, group },
                            .memory = memory,
                            .max_alloc = memory / 4,
                            .local_memory = number(column[LOCAL]) << 10,
                            .align = number(column[ALIGN]),
                            .float_width = 1,
                            .fp16 = true,
                            .fp64 = true,
                            .compute_capability = capability(column[ARCH]) };
    snprintf(info.id, sizeof info.id, "gpu:0");
    snprintf(info.name, sizeof info.name, "%s", column[NAME]);
    snprintf(info.platform, sizeof info.platform, "%s", column[PLATFORM]);
    snprintf(info.version, sizeof info.version, "OpenCL 1.2");
    snprintf(info.driver, sizeof info.driver, "described");
    return info;
}

static int run_table(FILE *table, const char *only, int shapes)
{
    char line[512], *column[COLUMNS];
    int found = 0;
    while (fgets(line, sizeof line, table)) {
        if (*line == '#' || split(line, column) < COLUMNS || (only && strcmp(only, column[ID]) != 0)) continue;
        const hf_device_info device = describe(column);
        if (run_device(column[ID], &device, shapes) != HF_OK) {
            fprintf(stderr, "gpu_launches: %s: %s\n", column[ID], hf_error_message());
            return 1;
        }
        found++;
    }
    if (!found) fprintf(stderr, "gpu_launches: no device%s%s in the table\n", only ? " " : "", only ? only : "");
    return !found;
}

int main(int count, char **arguments)
{
    if (count < 2 || count > 4) {
        fprintf(stderr, "usage: gpu_launches DEVICES.TSV [DEVICE [SHAPES]]\n");
        return 2;
    }
    FILE *table = fopen(arguments[1], "r");
    if (!table) {
        fprintf(stderr, "gpu_launches: cannot read %s\n", arguments[1]);
        return 1;
    }
    const int result =
        run_table(table, count > 2 ? arguments[2] : NULL, count > 3 ? (int)strtol(arguments[3], NULL, 10) : DRAWS);
    fclose(table);
    return result;
}
