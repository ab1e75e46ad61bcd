/* conformal.c: how far off a new subject may be, from how far off subjects were that did not train. */
#include "metrics.h"

#include <math.h>

int hf_conformal_rank(int n, int percent)
{
    const int64_t rank = (((int64_t)n + 1) * percent + 99) / 100;
    return rank <= n ? (int)rank : 0;
}

int hf_conformal_least(int percent)
{
    int n = 1;
    while (!hf_conformal_rank(n, percent))
        n++;
    return n;
}
