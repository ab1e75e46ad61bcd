/* devices.c: hyperfusion devices: what OpenCL devices there are, and their limits. */
#include "cli.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const double gib = 1024.0 * 1024.0 * 1024.0;

/* Whether a product by its matrix units was right. */
static bool tensor_cores(const hf_device_info *d)
{
    hf_context *context = NULL;
    if (d->compute_capability == 0 || hf_context_new(&context, d->id, NULL) != HF_OK) return false;
    const bool right = hf_context_tensor_cores(context);
    hf_context_free(&context);
    return right;
}

static json_t *device_json(const hf_device_info *d)
{
    return json_pack("{ss,ss,ss,ss,ss,sb,sI,sI,sI,sI,sI,sI,sb,sb,sb,sb}", "id", d->id, "name", d->name, "platform",
                     d->platform, "version", d->version, "driver", d->driver, "cpu", d->is_cpu, "compute_units",
                     (json_int_t)d->compute_units, "clock_mhz", (json_int_t)d->clock_mhz, "max_group",
                     (json_int_t)d->max_group, "memory_bytes", (json_int_t)d->memory, "max_alloc_bytes",
                     (json_int_t)d->max_alloc, "local_memory_bytes", (json_int_t)d->local_memory, "fp16", d->fp16,
                     "fp64", d->fp64, "subgroups", d->subgroups, "tensor_cores", tensor_cores(d));
}

static int print_json(const hf_device_info *list, int count)
{
    json_t *devices = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(devices, device_json(&list[i]));
    return cli_print_json(json_pack("{so}", "devices", devices));
}

static void print_text(const hf_device_info *list, int count)
{
    for (int i = 0; i < count; i++) {
        const hf_device_info *d = &list[i];
        printf("%-8s %s\n", d->id, d->name);
        printf("         %s, %s, driver %s\n", d->platform, d->version, d->driver);
        printf("         %u compute units at %u MHz, groups of up to %zu work-items\n", d->compute_units, d->clock_mhz,
               d->max_group);
        printf("         %.1f GiB of memory, %.1f GiB in one buffer, %zu KiB local%s%s%s%s\n", (double)d->memory / gib,
               (double)d->max_alloc / gib, d->local_memory / 1024, d->fp16 ? ", fp16" : "", d->fp64 ? ", fp64" : "",
               d->subgroups ? ", sub-groups" : "", tensor_cores(d) ? ", tensor cores" : "");
    }
    if (count == 0)
        printf("No OpenCL device. A driver is needed: for CPUs the package pocl-opencl-icd, for GPUs the vendor's.\n");
}

static int run(const cli_args *args)
{
    hf_device_info *list = NULL;
    int count, code = CLI_OK;
    if (hf_devices(&list, &count) != HF_OK) return cli_failed();
    if (cli_has(args, "json"))
        code = print_json(list, count);
    else
        print_text(list, count);
    free(list);
    return code;
}

static const cli_option options[] = { { "json", NULL, "print one JSON object", false }, { 0 } };

const cli_command cli_devices = {
    .name = "devices",
    .operands = "[--json]",
    .summary = "list the OpenCL devices",
    .about = "Lists the OpenCL devices of this machine and their limits. The names in the first column\n"
             "are what --device and the environment variable HF_DEVICE take; a part of a device's or\n"
             "platform's name will do too. Without either, the first GPU is used, else the first CPU.",
    .options = options,
    .run = run,
};
