/* letters.h: words on grey pictures; for the files of this folder. */
#ifndef HF_LETTERS_H
#define HF_LETTERS_H

/* 8-bit grey pixels, top row first. */
typedef struct hf_picture {
    int width, height;
    unsigned char *pixels; /* [height,width] */
} hf_picture;

/* Pixels a character takes, the space behind it included, when its own pixels are `scale` wide. */
enum { HF_LETTER_WIDTH = 6, HF_LETTER_HEIGHT = 8 };

/* Fills a rectangle, as far as it lies within the picture. */
void hf_picture_fill(hf_picture *picture, int x, int y, int width, int height, unsigned char grey);

/* Draws the first `most` bytes of a text with its upper left corner at (x,y). Digits, letters (as capitals) and . - + % _ /
 * are known; a box stands for anything else. */
void hf_picture_write(hf_picture *picture, int x, int y, int scale, const char *text, int most, unsigned char grey);

#endif
