/* html.h: small pieces of the page. */
#ifndef HF_REPORT_HTML_H
#define HF_REPORT_HTML_H

#include "metrics/calibration.h"
#include "plot.h"
#include "report.h"

#define HF_MINUS "\xe2\x88\x92"
#define HF_DASH  "\xe2\x80\x93"

/* From the document's first byte to an open <main>, the title on top; and the end. subtitle may be NULL. */
void hf_html_head(hf_text *out, const char *title, const char *subtitle);
void hf_html_foot(hf_text *out);

void hf_html_number(hf_text *out, double value, int digits);                  /* a dash for what is not a number */
void hf_html_interval(hf_text *out, const hf_interval *interval, int digits); /* "4.1 (3.2 to 5.0)" */
void hf_html_section(hf_text *out, const char *class, const char *heading);   /* opens; class and heading may be NULL */
void hf_html_fact(hf_text *out, const char *name, const char *text);

/* A picture within the page; `attributes` stand before its source, such as "class=\"matrix\"". */
void hf_html_png(hf_text *out, const hf_text *png, const char *alt, const char *attributes);

/* The sections on how good the predictions are: key figures, then the table and what the goal shows beside it. */
void hf_report_figures(hf_text *out, const hf_report_data *data, const hf_scores *scores);
typedef struct hf_survivor {
    double time, event, risk; /* event: 1, or 0 where there was none until then */
} hf_survivor;
/* The share of the subjects of[n] that is still without the event, by time, as the points of a line with steps; sorts the
 * subjects. x and y hold up to 2n + 1 points and must live as long as the series. */
hf_series hf_kaplan_meier(const char *name, hf_survivor *of, int n, double *x, double *y);
/* Of times until an event: how many are still without it, by time, of those at lower and at higher risk. */
hf_status hf_report_survival(hf_text *out, const hf_predictions *predictions) HF_MUST_USE;
hf_status hf_report_results(hf_text *out, const hf_report_data *data, const hf_scores *scores) HF_MUST_USE;

/* Who was taken for what, as tables and pictures, and whether the probabilities mean what they say. */
hf_status hf_report_classes(hf_text *out, const hf_report_data *data) HF_MUST_USE;
/* The reliability curve of one set of subjects. */
void hf_reliability_svg(hf_text *out, const hf_calibration *calibration, const char *name);
/* The pictures as files beside the page: "report.html" has report-confusion.png and report-confusion-shares.png. */
hf_status hf_report_pictures(const hf_report_data *data, const char *path) HF_MUST_USE;

#endif
