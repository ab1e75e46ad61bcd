/* matrix.c: a confusion matrix as a picture: a cell is the darker the more subjects it has. */
#include "matrix.h"

#include "html.h"
#include "letters.h"
#include "slice.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_W = HF_MATRIX_CELL_WIDTH,
    CELL_H = HF_MATRIX_CELL_HEIGHT,
    SCALE = 2,
    LETTER_W = HF_LETTER_WIDTH * SCALE,
    LETTER_H = HF_LETTER_HEIGHT * SCALE,
    MOST = CELL_W / LETTER_W, /* letters of a name or a value */
    LEFT = (MOST + 1) * LETTER_W,
    TOP = 3 * LETTER_H,
    WHITE = 255,
    BLACK = 0,
    DARKEST = 60,
    GAP = 1 /* between cells */
};

static int letters_of(const char *text)
{
    const int n = (int)strlen(text);
    return n < MOST ? n : MOST;
}

static void write_centred(hf_picture *picture, int centre, int y, const char *text, unsigned char grey)
{
    const int n = letters_of(text);
    hf_picture_write(picture, centre - n * LETTER_W / 2, y, SCALE, text, n, grey);
}

static double greatest(const hf_matrix *m)
{
    double most = 0;
    for (int i = 0; i < m->n * m->n; i++)
        if (isfinite(m->value[i])) most = fmax(most, m->value[i]);
    return most;
}

static void draw_cell(hf_picture *picture, const hf_matrix *m, double full, int row, int column)
{
    const double value = m->value[row * m->n + column];
    const double part = isfinite(value) && full > 0 ? fmin(1, fmax(0, value / full)) : 0;
    const int x = LEFT + column * CELL_W, y = TOP + row * CELL_H;
    char text[32] = "-";
    if (isfinite(value)) snprintf(text, sizeof text, "%.*f", m->digits, value);
    hf_picture_fill(picture, x + GAP, y + GAP, CELL_W - 2 * GAP, CELL_H - 2 * GAP,
                    (unsigned char)lround(WHITE - part * (WHITE - DARKEST)));
    write_centred(picture, x + CELL_W / 2, y + (CELL_H - LETTER_H) / 2, text, part > 0.5 ? WHITE : BLACK);
}

static void draw(hf_picture *picture, const hf_matrix *m)
{
    const double full = m->full > 0 ? m->full : greatest(m);
    hf_picture_fill(picture, 0, 0, picture->width, picture->height, WHITE);
    hf_picture_fill(picture, LEFT, TOP, m->n * CELL_W, m->n * CELL_H, BLACK); /* the lines between cells */
    write_centred(picture, LEFT + m->n * CELL_W / 2, LETTER_H / 2, "predicted", BLACK);
    hf_picture_write(picture, LETTER_W / 2, LETTER_H * 7 / 4, SCALE, "true", MOST, BLACK);
    for (int k = 0; k < m->n; k++) {
        write_centred(picture, LEFT + k * CELL_W + CELL_W / 2, LETTER_H * 7 / 4, m->name[k], BLACK);
        hf_picture_write(picture, LETTER_W / 2, TOP + k * CELL_H + (CELL_H - LETTER_H) / 2, SCALE, m->name[k], MOST,
                         BLACK);
    }
    for (int i = 0; i < m->n * m->n; i++)
        draw_cell(picture, m, full, i / m->n, i % m->n);
}

hf_status hf_matrix_png(hf_text *out, const hf_matrix *matrix)
{
    hf_picture picture = { LEFT + matrix->n * CELL_W + LETTER_W / 2, TOP + matrix->n * CELL_H + LETTER_H / 2, NULL };
    const size_t size = (size_t)picture.width * (size_t)picture.height;
    HF_TRY(hf_alloc(&picture.pixels, size, sizeof *picture.pixels, "a picture of a confusion matrix"));
    draw(&picture, matrix);
    const hf_status status = hf_png_encode(out, picture.pixels, picture.width, picture.height);
    free(picture.pixels);
    return status;
}

hf_status hf_matrix_html(hf_text *out, const hf_matrix *matrix, const char *of)
{
    char alt[64];
    hf_text png = { 0 };
    const hf_status status = hf_matrix_png(&png, matrix);
    snprintf(alt, sizeof alt, "confusion matrix, %s", of);
    if (status == HF_OK) hf_html_png(out, &png, alt, "class=\"matrix\"");
    hf_text_free(&png);
    return status;
}
