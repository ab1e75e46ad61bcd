/* cohort.h: what the files of this room share about tables and cohorts, beyond hfdata.h. Not for other rooms. */
#ifndef HF_COHORT_H
#define HF_COHORT_H

#include "hfdata.h"

/* Whether `text` means "not known": "", "n/a", "na", "nan", "null", "none" or ".", any case, blanks around. */
bool hf_text_missing(const char *text);

/* The finite decimal number `text` holds, whatever the locale; blanks around, a leading '<' or '>' and a trailing '+'
 * are dropped. False for everything else: hexadecimal, "inf", "nan", overflow, rubbish. */
bool hf_text_number(double *out, const char *text);

/* Whether two cells say the same: equal text, or equal numbers ("1" and "1.0"). A NULL equals nothing. */
bool hf_text_same(const char *a, const char *b);

/* The text of a cell, NULL where missing. */
const char *hf_table_cell(const hf_table *table, int row, int column);

/* The column's index, or HF_ERR_ARGUMENT naming the table, the nearest column and all of them. `what` says whose
 * column it is, such as "the id". */
hf_status hf_table_require(int *out, const hf_table *table, const char *name, const char *what) HF_MUST_USE;

/* Whether the file at `path` is called like a mask of this name: MASK or anything_MASK, with the ending of a volume. */
bool hf_path_is_mask(const char *path, const char *mask);

bool hf_is_file(const char *path); /* a regular file, through links too */
bool hf_is_folder(const char *path);

/* ---- images found in a folder (scan.c) --------------------------------------------------------------------------- */

typedef struct hf_image {
    char *key;  /* whose: the id without "sub-" */
    char *path; /* with the scanned folder in front */
} hf_image;

/* Start from {0}; sorted by key, then path, both in byte order. */
typedef struct hf_images {
    hf_image *image; /* [count] */
    size_t count, capacity;
} hf_images;

hf_status hf_images_scan(hf_images *out, const char *folder) HF_MUST_USE;

/* How many images `key` has; *first is the first of them. */
size_t hf_images_find(const hf_image **first, const hf_images *images, const char *key);
void hf_images_free(hf_images *images);

#endif
