/* text.c: growing text, escaped text, and the nearest word for "did you mean". */
#include "hfbase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `more` bytes and a NUL. Doubling keeps appending linear in the final size. */
static bool text_reserve(hf_text *text, size_t more)
{
    size_t needed;
    if (text->failed || !hf_size_add(text->size, more, &needed) || !hf_size_add(needed, 1, &needed)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void hf_text_add(hf_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) text->failed = true;
    if (length < 0 || !text_reserve(text, (size_t)length)) return;
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)length;
}

void hf_text_add_bytes(hf_text *text, const void *bytes, size_t size)
{
    if (!text_reserve(text, size)) return;
    if (size) memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

hf_status hf_text_check(const hf_text *text)
{
    if (!text->failed) return HF_OK;
    return hf_fail(HF_ERR_MEMORY, "no host memory for text beyond %zu bytes", text->size);
}

void hf_text_free(hf_text *text)
{
    if (!text) return;
    free(text->data);
    *text = (hf_text){ 0 };
}

/* Bytes of the UTF-8 character at `s`, 0 when it is none or no character XML allows. */
static size_t character_size(const unsigned char *s)
{
    static const struct {
        unsigned char low, high; /* of the first byte */
        uint32_t least;          /* smallest code point of this length */
    } lengths[] = { { 0x00, 0x7f, 0 }, { 0xc2, 0xdf, 0x80 }, { 0xe0, 0xef, 0x800 }, { 0xf0, 0xf4, 0x10000 } };
    for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++) {
        if (s[0] < lengths[n].low || s[0] > lengths[n].high) continue;
        uint32_t code = n == 0 ? s[0] : s[0] & (0x3fu >> n);
        for (size_t i = 1; i <= n; i++) {
            if ((s[i] & 0xc0) != 0x80) return 0;
            code = code << 6 | (s[i] & 0x3fu);
        }
        bool control = code < 0x20 && code != '\n' && code != '\t';
        bool surrogate = code >= 0xd800 && code <= 0xdfff, never = (code & 0xfffe) == 0xfffe;
        return control || code == 0x7f || surrogate || never || code < lengths[n].least || code > 0x10ffff ? 0 : n + 1;
    }
    return 0;
}

void hf_text_add_escaped(hf_text *out, const char *text)
{
    static const char marks[] = "&<>\"'";
    static const char *const escapes[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
    for (const char *c = text; *c;) {
        const char *mark = strchr(marks, *c);
        size_t size = character_size((const unsigned char *)c);
        if (mark)
            hf_text_add(out, "%s", escapes[mark - marks]);
        else if (size)
            hf_text_add_bytes(out, c, size);
        else
            hf_text_add(out, "\xef\xbf\xbd");
        c += size ? size : 1;
    }
}

enum { WORD_MAX = 64 }; /* longer words are never corrected */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn a into b, letters compared without case.
 * Both at most WORD_MAX bytes. Three rows of the usual table suffice: a swap looks two rows back. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++)
        last[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = min_size(min_size(row[j - 1], last[j]) + 1, last[j - 1] + (x != y));
            bool swapped = i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]);
            if (swapped) row[j] = min_size(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[width];
}

const char *hf_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length > WORD_MAX) return NULL;
    /* About one error in three letters: more is another word. */
    size_t best = (length + 1) / 3 + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_MAX) continue;
        size_t distance = edit_distance(word, candidates[i]);
        if (distance >= best) continue;
        best = distance;
        nearest = candidates[i];
    }
    return nearest;
}
