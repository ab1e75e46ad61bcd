/* html.c: small pieces of the page. */
#include "html.h"
#include "plot.h"
#include "slice.h"
#include "style.h"

#include <math.h>
#include <string.h>

void hf_html_head(hf_text *out, const char *title, const char *subtitle)
{
    hf_text_add(out, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
                     "<meta charset=\"utf-8\"/>\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
    hf_text_add_escaped(out, title);
    hf_text_add(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", hf_report_style);
    hf_text_add_escaped(out, title);
    hf_text_add(out, "</h1>\n");
    if (!subtitle) return;
    hf_text_add(out, "<p class=\"sub\">");
    hf_text_add_escaped(out, subtitle);
    hf_text_add(out, "</p>\n");
}

void hf_html_foot(hf_text *out)
{
    hf_text_add(out, "</main>\n</body>\n</html>\n");
}

void hf_html_png(hf_text *out, const hf_text *png, const char *alt, const char *attributes)
{
    hf_text_add(out, "<img alt=\"");
    hf_text_add_escaped(out, alt);
    hf_text_add(out, "\" %s src=\"data:image/png;base64,", attributes);
    hf_text_add_base64(out, png->data, png->size);
    hf_text_add(out, "\"/>\n");
}

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

hf_status hf_svg_write(const hf_text *svg, const char *path)
{
    static const char begin[] = "<svg ";
    hf_text file = { 0 };
    HF_TRY(hf_text_check(svg));
    const char *inside = memchr(svg->data, '>', svg->size);
    hf_text_add(&file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n%sxmlns=\"http://www.w3.org/2000/svg\" ", begin);
    hf_text_add_bytes(&file, svg->data + strlen(begin), (size_t)(inside + 1 - svg->data) - strlen(begin));
    hf_text_add(&file, "\n<style>\n%s</style>%s", hf_svg_style, inside + 1);
    hf_status status = hf_text_check(&file);
    if (status == HF_OK) status = hf_file_write(path, file.data, file.size);
    hf_text_free(&file);
    return status;
}
