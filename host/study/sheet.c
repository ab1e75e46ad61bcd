/* sheet.c: one table, four formats. */
#include "sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hf_status hf_sheet_new(hf_sheet *out, int rows, int columns)
{
    hf_sheet sheet = { rows, columns, NULL };
    HF_TRY(hf_alloc(&sheet.cell, (size_t)rows * (size_t)columns, sizeof *sheet.cell, "a table of results"));
    *out = sheet;
    return HF_OK;
}

void hf_sheet_free(hf_sheet *sheet)
{
    for (int i = 0; sheet->cell && i < sheet->rows * sheet->columns; i++)
        free(sheet->cell[i]);
    free(sheet->cell);
    *sheet = (hf_sheet){ 0 };
}

static char **cell_at(const hf_sheet *sheet, int row, int column)
{
    return &sheet->cell[(size_t)row * (size_t)sheet->columns + (size_t)column];
}

hf_status hf_sheet_set(hf_sheet *sheet, int row, int column, const char *format, ...)
{
    char text[512], **cell = cell_at(sheet, row, column);
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    free(*cell);
    *cell = NULL;
    return hf_strdup(cell, text);
}

static const char *text_of(const hf_sheet *sheet, int row, int column)
{
    const char *text = *cell_at(sheet, row, column);
    return text ? text : "";
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

/* What people see of UTF-8: bytes that begin a character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int column_width(const hf_sheet *sheet, int column)
{
    int most = 0;
    for (int r = 0; r < sheet->rows; r++) {
        const int width = width_of(text_of(sheet, r, column));
        most = width > most ? width : most;
    }
    return most;
}

/* Names to the left, results to the right. */
static void write_text(hf_text *out, const hf_sheet *sheet)
{
    for (int r = 0; r < sheet->rows; r++) {
        for (int c = 0; c < sheet->columns; c++) {
            const char *text = text_of(sheet, r, c);
            const int pad = column_width(sheet, c) - width_of(text);
            const bool right = c > 0;
            hf_text_add(out, "%s%*s%s", c ? "  " : "", right ? pad : 0, "", text);
            if (!right) hf_text_add(out, "%*s", pad, "");
        }
        hf_text_add(out, "\n");
    }
}

static void write_tsv(hf_text *out, const hf_sheet *sheet)
{
    for (int r = 0; r < sheet->rows; r++)
        for (int c = 0; c < sheet->columns; c++)
            hf_text_add(out, "%s%s", text_of(sheet, r, c), c + 1 < sheet->columns ? "\t" : "\n");
}

/* What a character is in LaTeX when it is not itself; NULL: it is. */
static const char *latex_of(const char *text)
{
    static const char *const known[][2] = { { "\xc2\xb1", "$\\pm$" },
                                            { "<", "$<$" },
                                            { ">", "$>$" },
                                            { "\\", "\\textbackslash{}" },
                                            { "~", "\\~{}" },
                                            { "^", "\\^{}" },
                                            { "&", "\\&" },
                                            { "%", "\\%" },
                                            { "$", "\\$" },
                                            { "#", "\\#" },
                                            { "_", "\\_" },
                                            { "{", "\\{" },
                                            { "}", "\\}" } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(text, known[i][0], strlen(known[i][0])) == 0) return known[i][1];
    return NULL;
}

static void add_latex(hf_text *out, const char *text)
{
    for (; *text; text++) {
        const char *other = latex_of(text);
        hf_text_add(out, "%.*s", other ? (int)strlen(other) : 1, other ? other : text);
        if (other && (*text & '\x80')) text++; /* two bytes */
    }
}

static void write_latex(hf_text *out, const hf_sheet *sheet)
{
    hf_text_add(out, "\\begin{tabular}{l");
    for (int c = 1; c < sheet->columns; c++)
        hf_text_add(out, "r");
    hf_text_add(out, "}\n\\hline\n");
    for (int r = 0; r < sheet->rows; r++)
        for (int c = 0; c < sheet->columns; c++) {
            add_latex(out, text_of(sheet, r, c));
            hf_text_add(out, c + 1 < sheet->columns ? " & " : r == 0 ? " \\\\\n\\hline\n" : " \\\\\n");
        }
    hf_text_add(out, "\\hline\n\\end{tabular}\n");
}

static void write_html(hf_text *out, const hf_sheet *sheet)
{
    hf_text_add(out, "<table>\n");
    for (int r = 0; r < sheet->rows; r++) {
        const char *tag = r == 0 ? "th" : "td";
        hf_text_add(out, "<tr>");
        for (int c = 0; c < sheet->columns; c++) {
            hf_text_add(out, "<%s>", tag);
            hf_text_add_escaped(out, text_of(sheet, r, c));
            hf_text_add(out, "</%s>", tag);
        }
        hf_text_add(out, "</tr>\n");
    }
    hf_text_add(out, "</table>\n");
}

static const struct {
    const char *name;
    hf_sheet_format *write;
} formats[] = { { "text", write_text }, { "tsv", write_tsv }, { "latex", write_latex }, { "html", write_html } };

hf_sheet_format *hf_sheet_format_find(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0) return formats[i].write;
    return NULL;
}

hf_status hf_sheet_format_choose(hf_sheet_format **out, const char *name)
{
    hf_sheet_format *found = hf_sheet_format_find(name ? name : "text");
    if (!found) return hf_fail(HF_ERR_ARGUMENT, "there is no format '%s': text, tsv, latex or html are expected", name);
    *out = found;
    return HF_OK;
}
