/* launches.h: the parts of the program that lists launches; launches.c says what it is for. */
#ifndef HF_GPU_LAUNCHES_H
#define HF_GPU_LAUNCHES_H

#include "hfcl.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Where a launch comes from. */
typedef struct hf_origin {
    const char *device, *set; /* "case", or the network */
    const char *by;           /* the only implementation that is wanted, or NULL */
    const char *op, *what;    /* the case, or the layer */
    int n;                    /* batch size of a network, or 0 */
    int step;                 /* a counter of tasks within a network's step */
    double flop;
} hf_origin;

/* Prints every launch of a task as a line of JSON. */
void hf_print_task(const hf_origin *origin, const hf_task *task);

/* What a device has no memory for, nobody runs there: not a failure. */
static inline hf_status hf_unless_memory(hf_status status)
{
    return status == HF_ERR_MEMORY ? HF_OK : status;
}

/* cases.c: operators and layers. */
hf_status hf_list_operators(const char *device, hf_context *context, int shapes);
hf_status hf_list_layers(const char *device, hf_context *context, const char *by);

/* steps.c: whole training steps. */
hf_status hf_list_steps(const char *device, hf_context *context);

#endif
