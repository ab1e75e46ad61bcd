/* probe.cl: a kernel that does nothing much, asked how many work-items the driver runs in a group of it. What the device
 * as a whole reports can be more than it allows any kernel. */

#include "common.h"

/* The group size that is asked for: a power of two. */
#ifndef WG
#define WG 64
#endif

HF_GROUP(WG)
kernel void probe(global float *x)
{
    x[get_global_id(0)] += 1.0f;
}
