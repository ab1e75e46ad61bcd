/* plot.c: plots as SVG: ranges, round ticks, then axes, lines or points, and a legend above.
 *
 * An axis maps values to pixels linearly or by logarithm. Its range is widened to ticks that are 1, 2 or 5 times a power
 * of ten. Everything is laid out in a view box of fixed size that the page scales. */
#include "plot.h"
#include "axis.h"

#include <math.h>
#include <string.h>

/* Pixels of the view box. */
enum { WIDTH = 560, SQUARE = 480, HEIGHT = 340, LEFT = 58, RIGHT = 14, TOP = 34, BOTTOM = 46 };

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

static void widen(double range[2], double value)
{
    if (!isfinite(value)) return;
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

/* The range of all points whose two coordinates are finite. */
static void data_range(const hf_plot *plot, double x[2], double y[2])
{
    x[0] = y[0] = INFINITY;
    x[1] = y[1] = -INFINITY;
    for (int s = 0; s < plot->n_series; s++)
        for (int i = 0; i < plot->series[s].count; i++) {
            if (!isfinite(plot->series[s].x[i]) || !isfinite(plot->series[s].y[i])) continue;
            widen(x, plot->series[s].x[i]);
            widen(y, plot->series[s].y[i]);
        }
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static void draw_axes(hf_text *out, const hf_plot *plot, const hf_axis *x, const hf_axis *y)
{
    for (int i = 0; i < y->n_ticks; i++) {
        double at = hf_axis_position(y, y->tick[i]);
        hf_text_add(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", x->from, at, x->to);
        hf_text_add(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n", x->from - 7,
                    at + 4, y->tick[i]);
    }
    for (int i = 0; i < x->n_ticks; i++) {
        double at = hf_axis_position(x, x->tick[i]);
        if (plot->diagonal) hf_text_add(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", at, y->from, y->to);
        hf_text_add(out, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.6g</text>\n", at,
                    y->from + 17, x->tick[i]);
    }
    hf_text_add(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>", x->from, y->from, x->to);
    if (plot->diagonal)
        hf_text_add(out, "<path class=\"diagonal\" d=\"M%.1f %.1fL%.1f %.1f\"/>", x->from, y->from, x->to, y->to);
    hf_text_add(out, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", (x->from + x->to) / 2,
                y->from + 37);
    hf_text_add_escaped(out, plot->x_label);
    double middle = (y->from + y->to) / 2;
    hf_text_add(out,
                "</text><text class=\"label\" transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"middle\">",
                middle);
    hf_text_add_escaped(out, plot->y_label);
    hf_text_add(out, "</text>\n");
}

/* The shape of a series around the origin: circle, diamond, square, triangle. */
static const char *const marks[HF_MAX_SERIES] = { "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z", "M0-5.5L5.5 0L0 5.5L-5.5 0z",
                                                  "M-3.8-3.8h7.6v7.6h-7.6z", "M0-5L5 4.5h-10z" };

static void draw_mark(hf_text *out, int series, double x, double y, double scale, const char *label)
{
    hf_text_add(out, "<path class=\"mark s%d\" d=\"%s\" transform=\"translate(%.1f %.1f) scale(%g)\"", series,
                marks[series], x, y, scale);
    if (!label) {
        hf_text_add(out, "/>\n");
        return;
    }
    hf_text_add(out, "><title>");
    hf_text_add_escaped(out, label);
    hf_text_add(out, "</title></path>\n");
}

static bool drawable(const hf_series *s, int i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]);
}

static bool any_drawable(const hf_series *s)
{
    for (int i = 0; i < s->count; i++)
        if (drawable(s, i)) return true;
    return false;
}

static void draw_line(hf_text *out, const hf_series *s, int index, const hf_axis *x, const hf_axis *y)
{
    bool drawing = false, any = false;
    for (int i = 0; i < s->count; i++) {
        if (!drawable(s, i)) {
            drawing = false;
            continue;
        }
        if (!any) hf_text_add(out, "<path class=\"line s%d\" d=\"", index);
        hf_text_add(out, "%c%.1f %.1f", drawing ? 'L' : 'M', hf_axis_position(x, s->x[i]),
                    hf_axis_position(y, s->y[i]));
        any = drawing = true;
    }
    if (any) hf_text_add(out, "\"/>\n");
}

static void draw_series(hf_text *out, const hf_plot *plot, int index, const hf_axis *x, const hf_axis *y)
{
    enum { MARKED_LINE = 40 }; /* longer lines need no dots */
    const hf_series *s = &plot->series[index];
    if (!plot->points) draw_line(out, s, index, x, y);
    if (!plot->points && s->count > MARKED_LINE) return;
    for (int i = 0; i < s->count; i++)
        if (drawable(s, i))
            draw_mark(out, index, hf_axis_position(x, s->x[i]), hf_axis_position(y, s->y[i]), plot->points ? 1 : 0.6,
                      s->label ? s->label[i] : NULL);
}

static void draw_legend(hf_text *out, const hf_plot *plot)
{
    enum { LETTER = 7, GAP = 34 }; /* pixels; names are short, so a mean letter width is good enough */
    double x = LEFT + 6;
    for (int s = 0; s < plot->n_series; s++) {
        if (!any_drawable(&plot->series[s])) continue;
        draw_mark(out, s, x, 16, 1, NULL);
        hf_text_add(out, "<text class=\"label\" x=\"%.1f\" y=\"20\">", x + 11);
        hf_text_add_escaped(out, plot->series[s].name);
        hf_text_add(out, "</text>\n");
        x += GAP + LETTER * (double)strlen(plot->series[s].name);
    }
}

/* Both axes over the same range. */
static void make_square(double x[2], double y[2])
{
    x[0] = y[0] = fmin(x[0], y[0]);
    x[1] = y[1] = fmax(x[1], y[1]);
}

void hf_plot_svg(hf_text *out, const hf_plot *plot)
{
    int width = plot->diagonal ? SQUARE : WIDTH, height = plot->diagonal ? SQUARE : HEIGHT;
    double x_range[2], y_range[2];
    data_range(plot, x_range, y_range);
    hf_text_add(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", width, height);
    hf_text_add_escaped(out, plot->title);
    hf_text_add(out, "\">\n");
    if (x_range[0] > x_range[1]) {
        hf_text_add(out, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">no data</text></svg>\n",
                    width / 2, height / 2);
        return;
    }
    if (plot->diagonal) make_square(x_range, y_range);
    hf_axis x = { x_range[0], x_range[1], false, LEFT, width - RIGHT, 0, { 0 } };
    hf_axis y = { y_range[0], y_range[1], plot->log_y && y_range[0] > 0, height - BOTTOM, TOP, 0, { 0 } };
    hf_axis_linear(&x, plot->integer_x, !plot->diagonal);
    y.log ? hf_axis_log(&y) : hf_axis_linear(&y, false, false);
    draw_axes(out, plot, &x, &y);
    for (int s = 0; s < plot->n_series; s++)
        draw_series(out, plot, s, &x, &y);
    draw_legend(out, plot);
    hf_text_add(out, "</svg>\n");
}
