/* letters.c: an alphabet of 5 x 7 pixels. A row of a letter is a number, whose lowest five bits are its pixels. */
#include "letters.h"

#include <ctype.h>
#include <string.h>

enum { ROWS = 7, PIXELS = 5 };

static const char known[] = " .-+%_/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const unsigned char letter[][ROWS] = {
    { 0, 0, 0, 0, 0, 0, 0 },        /* blank */
    { 0, 0, 0, 0, 0, 12, 12 },      /* . */
    { 0, 0, 0, 14, 0, 0, 0 },       /* - */
    { 0, 4, 4, 31, 4, 4, 0 },       /* + */
    { 24, 25, 2, 4, 8, 19, 3 },     /* % */
    { 0, 0, 0, 0, 0, 0, 31 },       /* _ */
    { 1, 1, 2, 4, 8, 16, 16 },      /* / */
    { 14, 17, 19, 21, 25, 17, 14 }, /* 0 */
    { 4, 12, 4, 4, 4, 4, 14 },      /* 1 */
    { 14, 17, 1, 6, 8, 16, 31 },    /* 2 */
    { 30, 1, 1, 14, 1, 1, 30 },     /* 3 */
    { 2, 6, 10, 18, 31, 2, 2 },     /* 4 */
    { 31, 16, 30, 1, 1, 17, 14 },   /* 5 */
    { 6, 8, 16, 30, 17, 17, 14 },   /* 6 */
    { 31, 1, 2, 4, 8, 8, 8 },       /* 7 */
    { 14, 17, 17, 14, 17, 17, 14 }, /* 8 */
    { 14, 17, 17, 15, 1, 2, 12 },   /* 9 */
    { 14, 17, 17, 31, 17, 17, 17 }, /* A */
    { 30, 17, 17, 30, 17, 17, 30 }, /* B */
    { 14, 17, 16, 16, 16, 17, 14 }, /* C */
    { 28, 18, 17, 17, 17, 18, 28 }, /* D */
    { 31, 16, 16, 30, 16, 16, 31 }, /* E */
    { 31, 16, 16, 30, 16, 16, 16 }, /* F */
    { 14, 17, 16, 19, 17, 17, 15 }, /* G */
    { 17, 17, 17, 31, 17, 17, 17 }, /* H */
    { 14, 4, 4, 4, 4, 4, 14 },      /* I */
    { 7, 2, 2, 2, 2, 18, 12 },      /* J */
    { 17, 18, 20, 24, 20, 18, 17 }, /* K */
    { 16, 16, 16, 16, 16, 16, 31 }, /* L */
    { 17, 27, 21, 21, 17, 17, 17 }, /* M */
    { 17, 25, 25, 21, 19, 19, 17 }, /* N */
    { 14, 17, 17, 17, 17, 17, 14 }, /* O */
    { 30, 17, 17, 30, 16, 16, 16 }, /* P */
    { 14, 17, 17, 17, 21, 18, 13 }, /* Q */
    { 30, 17, 17, 30, 20, 18, 17 }, /* R */
    { 15, 16, 16, 14, 1, 1, 30 },   /* S */
    { 31, 4, 4, 4, 4, 4, 4 },       /* T */
    { 17, 17, 17, 17, 17, 17, 14 }, /* U */
    { 17, 17, 17, 17, 10, 10, 4 },  /* V */
    { 17, 17, 17, 21, 21, 27, 17 }, /* W */
    { 17, 17, 10, 4, 10, 17, 17 },  /* X */
    { 17, 17, 10, 4, 4, 4, 4 },     /* Y */
    { 31, 1, 2, 4, 8, 16, 31 },     /* Z */
    { 31, 17, 17, 17, 17, 17, 31 }, /* anything else */
};
enum { N_LETTERS = sizeof letter / sizeof letter[0] };
_Static_assert((int)N_LETTERS == (int)sizeof known, "a picture for every letter, and one for the others");

void hf_picture_fill(hf_picture *picture, int x, int y, int width, int height, unsigned char grey)
{
    for (int row = y < 0 ? 0 : y; row < y + height && row < picture->height; row++)
        for (int column = x < 0 ? 0 : x; column < x + width && column < picture->width; column++)
            picture->pixels[(long)row * picture->width + column] = grey;
}

static const unsigned char *find(char c)
{
    const char *at = strchr(known, toupper((unsigned char)c));
    return letter[at && c ? at - known : N_LETTERS - 1];
}

void hf_picture_write(hf_picture *picture, int x, int y, int scale, const char *text, int most, unsigned char grey)
{
    for (int i = 0; i < most && text[i]; i++, x += HF_LETTER_WIDTH * scale) {
        const unsigned char *rows = find(text[i]);
        for (int row = 0; row < ROWS; row++)
            for (int column = 0; column < PIXELS; column++)
                if (rows[row] >> (PIXELS - 1 - column) & 1)
                    hf_picture_fill(picture, x + column * scale, y + row * scale, scale, scale, grey);
    }
}
