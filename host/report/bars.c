/* bars.c: bars with intervals as SVG, one below the other, so that long names have room. They begin at 0: what one bar is
 * longer than another is what they differ by. */
#include "axis.h"
#include "plot.h"

#include <math.h>
#include <string.h>

/* Pixels of the view box. */
enum {
    WIDTH = 560,
    RIGHT = 64,
    TOP = 34,
    ROW = 30,
    BAR = 18,
    BOTTOM = 46,
    LETTER = 7,
    LEAST_LEFT = 40,
    MOST_LEFT = 220
};

/* Room for the longest name. */
static double left_of(const hf_bars *bars)
{
    size_t most = 0;
    for (int i = 0; i < bars->count; i++)
        most = strlen(bars->bar[i].name) > most ? strlen(bars->bar[i].name) : most;
    return fmin(MOST_LEFT, fmax(LEAST_LEFT, 14 + LETTER * (double)most));
}

static void widen(hf_axis *axis, double value)
{
    if (!isfinite(value)) return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

static hf_axis make_axis(const hf_bars *bars)
{
    hf_axis axis = { .from = left_of(bars), .to = WIDTH - RIGHT };
    for (int i = 0; i < bars->count; i++) {
        widen(&axis, bars->bar[i].value);
        widen(&axis, bars->bar[i].low);
        widen(&axis, bars->bar[i].high);
    }
    hf_axis_linear(&axis, false, false);
    return axis;
}

static void draw_scale(hf_text *out, const hf_bars *bars, const hf_axis *x)
{
    const int bottom = TOP + ROW * bars->count;
    for (int i = 0; i < x->n_ticks; i++) {
        const double at = hf_axis_position(x, x->tick[i]);
        hf_text_add(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", at, (int)TOP, bottom);
        hf_text_add(out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n", at,
                    bottom + 17, x->tick[i]);
    }
    hf_text_add(out, "<text class=\"label\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", (x->from + x->to) / 2,
                bottom + 37);
    hf_text_add_escaped(out, bars->label);
    hf_text_add(out, "</text>\n<text class=\"label\" x=\"%d\" y=\"20\">",
                WIDTH / 2 - LETTER * (int)strlen(bars->title) / 2);
    hf_text_add_escaped(out, bars->title);
    hf_text_add(out, "</text>\n");
}

static void draw_bar(hf_text *out, const hf_bar *bar, const hf_axis *x, int row, int digits)
{
    const double middle = TOP + ROW * row + ROW / 2.0, zero = hf_axis_position(x, 0);
    hf_text_add(out, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", x->from - 7, middle + 4);
    hf_text_add_escaped(out, bar->name);
    hf_text_add(out, "</text>");
    if (!isfinite(bar->value)) return;
    const double end = hf_axis_position(x, bar->value);
    double behind = fmax(end, zero);
    hf_text_add(out, "<path class=\"bar s%d\" d=\"M%.1f %.1fH%.1fv%dH%.1fz\"/>", bar->series % HF_MAX_SERIES, zero,
                middle - BAR / 2.0, end, (int)BAR, zero);
    if (isfinite(bar->low) && isfinite(bar->high)) {
        const double low = hf_axis_position(x, bar->low), high = hf_axis_position(x, bar->high);
        hf_text_add(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>", low, middle, high,
                    low, middle - 4, high, middle - 4);
        behind = fmax(behind, high);
    }
    hf_text_add(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%.*f</text>\n", behind + 6, middle + 4, digits,
                bar->value);
}

void hf_bars_svg(hf_text *out, const hf_bars *bars)
{
    const hf_axis x = make_axis(bars);
    hf_text_add(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", (int)WIDTH,
                TOP + ROW * bars->count + BOTTOM);
    hf_text_add_escaped(out, bars->title);
    hf_text_add(out, "\">\n");
    draw_scale(out, bars, &x);
    for (int i = 0; i < bars->count; i++)
        draw_bar(out, &bars->bar[i], &x, i, bars->digits);
    hf_text_add(out, "<path class=\"axis\" d=\"M%.1f %dV%d\"/></svg>\n", hf_axis_position(&x, 0), (int)TOP,
                TOP + ROW * bars->count);
}
