/* html.c: small pieces of the page. */
#include "html.h"
#include "plot.h"

#include <math.h>

void hf_html_number(hf_text *out, double value, int digits)
{
    if (!isfinite(value))
        hf_text_add(out, HF_DASH);
    else
        hf_text_add(out, "%s%.*f", value < 0 ? HF_MINUS : "", digits, fabs(value));
}

void hf_html_interval(hf_text *out, const hf_interval *interval, int digits)
{
    hf_html_number(out, interval->value, digits);
    hf_text_add(out, " <small>(");
    hf_html_number(out, interval->low, digits);
    hf_text_add(out, " to ");
    hf_html_number(out, interval->high, digits);
    hf_text_add(out, ")</small>");
}

void hf_html_section(hf_text *out, const char *class, const char *heading)
{
    hf_text_add(out, "<section%s%s%s>\n", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
    if (heading) hf_text_add(out, "<h2>%s</h2>\n", heading);
}

void hf_html_fact(hf_text *out, const char *name, const char *text)
{
    hf_text_add(out, "<dt>");
    hf_text_add_escaped(out, name);
    hf_text_add(out, "</dt><dd>");
    hf_text_add_escaped(out, text);
    hf_text_add(out, "</dd>\n");
}
