/* axis.c: ranges of plots and their round ticks. */
#include "axis.h"

#include <math.h>

double hf_axis_position(const hf_axis *a, double value)
{
    double low = a->low, high = a->high;
    if (a->log) low = log10(low), high = log10(high), value = log10(value);
    return a->from + (value - low) / (high - low) * (a->to - a->from);
}

/* 1, 2 or 5 times a power of ten, at least `raw`. */
static double round_step(double raw)
{
    double power = pow(10, floor(log10(raw)));
    double rest = raw / power;
    return power * (rest <= 1 ? 1 : rest <= 2 ? 2 : rest <= 5 ? 5 : 10);
}

void hf_axis_linear(hf_axis *a, bool integer, bool exact_ends)
{
    if (a->high <= a->low) {
        double room = a->low == 0 ? 1 : fabs(a->low) / 10;
        a->low -= room;
        a->high += room;
    }
    double step = round_step((a->high - a->low) / 6);
    if (integer && step < 1) step = 1;
    double first = floor(a->low / step + 1e-9), last = ceil(a->high / step - 1e-9);
    if (exact_ends) first = ceil(a->low / step - 1e-9), last = floor(a->high / step + 1e-9);
    for (double k = first; k <= last && a->n_ticks < HF_MAX_TICKS; k++)
        a->tick[a->n_ticks++] = k * step;
    if (exact_ends || a->n_ticks == 0) return;
    a->low = a->tick[0];
    a->high = a->tick[a->n_ticks - 1];
}

/* Ticks at 1, 2, 5, 10, ...; at powers of ten alone when those are too many. */
void hf_axis_log(hf_axis *a)
{
    static const double factor[] = { 1, 2, 5 };
    int dense = a->high / a->low < 2000 ? 3 : 1;
    double low = a->low, high = a->high;
    int first = (int)floor(log10(low)), last = (int)ceil(log10(high));
    for (int power = first; power <= last; power++)
        for (int f = 0; f < dense; f++) {
            double tick = factor[f] * pow(10, power);
            double next = f + 1 < dense ? factor[f + 1] * pow(10, power) : pow(10, power + 1);
            bool needed = next > low * (1 + 1e-9) && (a->n_ticks == 0 || a->tick[a->n_ticks - 1] < high * (1 - 1e-9));
            if (needed && a->n_ticks < HF_MAX_TICKS) a->tick[a->n_ticks++] = tick;
        }
    if (a->n_ticks < 2) a->tick[a->n_ticks++] = a->tick[0] * 10;
    a->low = a->tick[0];
    a->high = fmax(a->tick[a->n_ticks - 1], high);
}
