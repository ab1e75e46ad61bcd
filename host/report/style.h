/* style.h: the style sheet of the report page. */
#ifndef HF_REPORT_STYLE_H
#define HF_REPORT_STYLE_H

extern const char hf_report_style[];

#endif
