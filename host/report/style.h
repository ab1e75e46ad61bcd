/* style.h: the style sheets of the report page, and of a plot by itself. */
#ifndef HF_REPORT_STYLE_H
#define HF_REPORT_STYLE_H

extern const char hf_report_style[], hf_svg_style[];

#endif
