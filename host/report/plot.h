/* plot.h: line and scatter plots as inline SVG. Colours come from the page: series i has class "s<i>", axes "axis", grid
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

#endif
