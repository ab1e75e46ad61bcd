/* axis.h: values to pixels, and the ticks between; for the plots of this folder. */
#ifndef HF_AXIS_H
#define HF_AXIS_H

#include <stdbool.h>

enum { HF_MAX_TICKS = 12 };

typedef struct hf_axis {
    double low, high;
    bool log;
    double from, to; /* pixels of low and high */
    int n_ticks;
    double tick[HF_MAX_TICKS];
} hf_axis;

double hf_axis_position(const hf_axis *axis, double value);

/* Sets the ticks, 1, 2 or 5 times a power of ten apart, and widens the range to them unless its ends are to stay. */
void hf_axis_linear(hf_axis *axis, bool integer, bool exact_ends);
/* The same for an axis by logarithm, whose range is positive. */
void hf_axis_log(hf_axis *axis);

#endif
