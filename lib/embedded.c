/* embedded.c: what embed.py put into the library: kernel sources and tuning preferences. */
#include "op.h"
#include <string.h>

const char *hf_tuning_find(const hf_device_info *info, const char *op)
{
    for (const hf_tuning_row *row = hf_tuning_rows; row->device; row++) {
        if (strcmp(row->op, op) != 0) continue;
        if (!strcmp(row->device, "*") || strstr(info->name, row->device) || strstr(info->platform, row->device))
            return row->impl;
    }
    return NULL;
}

const char *hf_source_find(const char *name)
{
    for (const hf_source *source = hf_sources; source->name; source++)
        if (strcmp(source->name, name) == 0) return source->text;
    return NULL;
}
