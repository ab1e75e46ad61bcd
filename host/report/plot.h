/* plot.h: line, scatter and bar plots as inline SVG. Colours come from the page: series i has class "s<i>", axes "axis", grid
 * lines "grid"; nothing but text sizes and shapes is fixed here. */
#ifndef HF_PLOT_H
#define HF_PLOT_H

#include "hfbase.h"

enum { HF_MAX_SERIES = 4 };

typedef struct hf_series {
    const char *name;
    int count;
    const double *x, *y;      /* [count]; a point that is not finite is left out, and a line is broken there */
    const char *const *label; /* [count] shown when pointing at a point; NULL: none */
} hf_series;

typedef struct hf_plot {
    const char *title, *x_label, *y_label;
    bool points;    /* scatter instead of lines; different shapes besides different colours */
    bool diagonal;  /* both axes alike and a line where y = x; the plot is square */
    bool integer_x; /* no ticks between whole numbers */
    bool log_y;     /* when all y are positive */
    int n_series;   /* up to HF_MAX_SERIES */
    hf_series series[HF_MAX_SERIES];
} hf_plot;

/* Appends one <svg> element. */
void hf_plot_svg(hf_text *out, const hf_plot *plot);

typedef struct hf_bar {
    const char *name;
    double value, low, high; /* not finite: no bar, no interval */
    int series;              /* its colour */
} hf_bar;

typedef struct hf_bars {
    const char *title, *label; /* label: of the values */
    int digits;                /* of the number behind a bar */
    int count;
    const hf_bar *bar; /* [count] from top to bottom */
} hf_bars;

/* Appends one <svg> element: horizontal bars from 0, with their intervals. */
void hf_bars_svg(hf_text *out, const hf_bars *bars);

/* Writes such an element to a file of its own, with the colours of the light page. */
hf_status hf_svg_write(const hf_text *svg, const char *path) HF_MUST_USE;

#endif
