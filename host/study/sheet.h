/* sheet.h: a small table of results, written for people, spreadsheets, papers and pages. */
#ifndef HF_SHEET_H
#define HF_SHEET_H

#include "hfbase.h"

/* Cells are text; the first row holds the names of the columns, the first column those of the rows. */
typedef struct hf_sheet {
    int rows, columns;
    char **cell; /* [rows,columns], each owned; NULL: empty */
} hf_sheet;

hf_status hf_sheet_new(hf_sheet *out, int rows, int columns) HF_MUST_USE;
void hf_sheet_free(hf_sheet *sheet);

/* Sets a cell as printf would. */
hf_status hf_sheet_set(hf_sheet *sheet, int row, int column, const char *format, ...) HF_PRINTF(4, 5);

/* The formats by name: "text" (columns aligned), "tsv", "latex" (a tabular), "html" (a table). */
typedef void hf_sheet_format(hf_text *out, const hf_sheet *sheet);
hf_sheet_format *hf_sheet_format_find(const char *name); /* NULL when there is none */
/* The same for what a user asked for: NULL is text; HF_ERR_ARGUMENT says which there are. */
hf_status hf_sheet_format_choose(hf_sheet_format **out, const char *name) HF_MUST_USE;

#endif
