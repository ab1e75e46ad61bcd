/* matrix.h: who was taken for what, as a picture. */
#ifndef HF_MATRIX_H
#define HF_MATRIX_H

#include "hfbase.h"

enum { HF_MATRIX_CELL_WIDTH = 108, HF_MATRIX_CELL_HEIGHT = 60 }; /* pixels */

typedef struct hf_matrix {
    int n;                   /* classes */
    const char *const *name; /* [n] */
    const double *value;     /* [n,n], a row for each true class; NaN: no value */
    double full;             /* the value that is drawn darkest; 0: the greatest one */
    int digits;              /* behind the point */
} hf_matrix;

/* Appends a grey PNG: columns are predicted classes, the values stand in their cells. Long names are cut. */
hf_status hf_matrix_png(hf_text *out, const hf_matrix *matrix) HF_MUST_USE;
/* Appends it as an image of a page; `of` says what the values are. */
hf_status hf_matrix_html(hf_text *out, const hf_matrix *matrix, const char *of) HF_MUST_USE;

#endif
