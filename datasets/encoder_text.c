/* encoder_text.c: an encoder as text and back.
 *
 * Lines "WORD VALUE". A feature begins with its spec, which is parsed again when it is read; what follows is only what
 * the training rows added. The imputer comes last. A table of words serves writing and reading, so neither can know more
 * than the other. Numbers have 17 digits and come back to the last bit; what is not known is not written. */
#include "encoder.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char first_line[] = "encoder 1";

#define FIELD(name) offsetof(hf_feature, name)

static const struct {
    const char *word;
    size_t offset; /* of the first number in hf_feature */
    int most;
} numbers[] = {
    { "mean", FIELD(mean), 1 },
    { "sd", FIELD(sd), 1 },
    { "median", FIELD(median), 1 },
    { "low", FIELD(low), 1 },
    { "high", FIELD(high), 1 },
    { "fill", FIELD(fill_value), 1 },
    { "flag_mean", FIELD(flag_mean), 1 },
    { "flag_sd", FIELD(flag_sd), 1 },
    { "group_median", FIELD(group_median), HF_MAX_CATEGORIES },
    { "column_mean", FIELD(column_mean), HF_MAX_CATEGORIES + 1 },
    { "column_sd", FIELD(column_sd), HF_MAX_CATEGORIES + 1 },
};
enum { N_NUMBERS = sizeof numbers / sizeof numbers[0] };

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Whatever the locale: a point. */
static void add_numbers(hf_text *out, const char *word, const double *value, int count)
{
    hf_text_add(out, "%s", word);
    for (int i = 0; i < count; i++) {
        char text[40];
        snprintf(text, sizeof text, " %.17g", value[i]);
        char *comma = strchr(text, ',');
        if (comma) *comma = '.';
        hf_text_add(out, "%s", text);
    }
    hf_text_add(out, "\n");
}

/* A category on one line. */
static void add_category(hf_text *out, const char *text)
{
    hf_text_add(out, "category ");
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r' || *text == '\\')
            hf_text_add(out, "\\%c", *text == '\n' ? 'n' : *text == '\r' ? 'r' : '\\');
        else
            hf_text_add_bytes(out, text, 1);
    }
    hf_text_add(out, "\n");
}

/* How many numbers of a row of the table this feature has: zeros at the end are left out. */
static int used_numbers(const hf_feature *f, int row)
{
    const double *value = (const double *)(const void *)((const char *)f + numbers[row].offset);
    int count = numbers[row].most;
    if (!isfinite(*value)) return 0;
    while (count > 1 && value[count - 1] == 0)
        count--;
    return count;
}

static hf_status write_feature(hf_text *out, const hf_feature *f)
{
    hf_encoder *bare;
    const char *spec = f->spec;
    HF_TRY(hf_alloc(&bare, 1, sizeof *bare, "the encoder"));
    const hf_status status = hf_encoder_parse(bare, &spec, 1);
    const int written = bare->feature[0].n_categories;
    free(bare);
    HF_TRY(status);
    hf_text_add(out, "feature %s\nmissing %d\n", f->spec, f->n_missing);
    for (int i = written; i < f->n_categories; i++)
        add_category(out, f->category[i]);
    for (int row = 0; row < N_NUMBERS; row++) {
        const int count = used_numbers(f, row);
        if (count)
            add_numbers(out, numbers[row].word, (const double *)(const void *)((const char *)f + numbers[row].offset),
                        count);
    }
    return HF_OK;
}

static void write_imputer(hf_text *out, const hf_imputer *m)
{
    hf_text_add(out, "imputer %d %d %d\n", m->columns, m->rounds, m->settled);
    add_numbers(out, "start", m->median, m->columns);
    hf_text_add(out, "order");
    for (int c = 0; c < m->columns; c++)
        hf_text_add(out, " %d", m->order[c]);
    hf_text_add(out, "\n");
    for (size_t k = 0; k < (size_t)m->rounds * (size_t)m->columns; k++)
        add_numbers(out, "weights", m->weight + k * (size_t)m->columns, m->columns);
}

hf_status hf_encoder_write(const hf_encoder *encoder, hf_text *out)
{
    hf_text_add(out, "%s\nfit_all %d\n", first_line, encoder->fit_all);
    for (int k = 0; k < encoder->n_features; k++)
        HF_TRY(write_feature(out, &encoder->feature[k]));
    if (encoder->imputer) write_imputer(out, encoder->imputer);
    return hf_text_check(out);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct reader {
    hf_encoder *encoder;
    hf_feature *feature; /* the last one; NULL: none yet */
    hf_imputer *imputer;
    int weights; /* regressions read */
    bool start, order;
} reader;

/* Reads exactly `count` numbers between blanks; `most` of them have room. Leaves how many there were. */
static bool read_numbers(double *out, int *count, int most, char *text)
{
    int n = 0;
    for (char *save = NULL, *part = strtok_r(text, " ", &save); part; part = strtok_r(NULL, " ", &save))
        if (n == most || !hf_text_number(&out[n++], part)) return false;
    *count = n;
    return n > 0;
}

static bool read_integer(int *out, int least, int most, char *text)
{
    double value;
    int count;
    if (!read_numbers(&value, &count, 1, text) || value < least || value > most || value != floor(value)) return false;
    *out = (int)value;
    return true;
}

static bool read_feature(reader *r, const char *spec)
{
    hf_encoder *one;
    if (r->encoder->n_features == HF_MAX_FEATURES || hf_alloc(&one, 1, sizeof *one, "the encoder") != HF_OK)
        return false;
    const bool good = hf_encoder_parse(one, &spec, 1) == HF_OK && one->n_features == 1;
    if (good) {
        r->feature = &r->encoder->feature[r->encoder->n_features++];
        *r->feature = one->feature[0];
    }
    free(one);
    return good;
}

static bool read_category(hf_feature *f, const char *text)
{
    char plain[sizeof f->category[0]];
    size_t n = 0;
    for (; *text && n + 1 < sizeof plain; text++) {
        if (*text == '\\') {
            text++;
            if (!*text) return false;
            plain[n++] = *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text;
        } else {
            plain[n++] = *text;
        }
    }
    return !*text && hf_feature_add_category(f, plain, n, false) == HF_OK;
}

static bool read_statistic(hf_feature *f, const char *word, char *text)
{
    int count;
    for (int row = 0; row < N_NUMBERS; row++)
        if (strcmp(word, numbers[row].word) == 0)
            return read_numbers((double *)(void *)((char *)f + numbers[row].offset), &count, numbers[row].most, text);
    return false;
}

static bool read_imputer(reader *r, char *text)
{
    double size[3];
    int count;
    if (r->imputer || !read_numbers(size, &count, 3, text) || count != 3) return false;
    const bool good = size[0] >= 2 && size[0] <= HF_MAX_IMPUTED && size[1] >= 1 && size[1] <= HF_MAX_IMPUTE_ROUNDS &&
                      size[0] * size[0] * size[1] <= 2 * HF_MAX_IMPUTE_NUMBERS;
    if (!good || hf_imputer_new(&r->imputer, (int)size[0], (int)size[1]) != HF_OK) return false;
    r->imputer->settled = size[2] != 0;
    return true;
}

static bool read_order(reader *r, char *text)
{
    double order[HF_MAX_IMPUTED];
    int count;
    bool seen[HF_MAX_IMPUTED] = { false };
    if (!read_numbers(order, &count, HF_MAX_IMPUTED, text) || count != r->imputer->columns) return false;
    for (int i = 0; i < count; i++) {
        const int column = order[i] >= 0 && order[i] < count ? (int)order[i] : -1;
        if (column < 0 || seen[column]) return false;
        seen[column] = true;
        r->imputer->order[i] = column;
    }
    r->order = true;
    return true;
}

/* A line behind "imputer". */
static bool read_imputed(reader *r, const char *word, char *text)
{
    hf_imputer *m = r->imputer;
    int count;
    if (strcmp(word, "order") == 0) return read_order(r, text);
    if (strcmp(word, "start") == 0) {
        r->start = true;
        return read_numbers(m->median, &count, m->columns, text) && count == m->columns;
    }
    if (strcmp(word, "weights") != 0 || r->weights == m->rounds * m->columns) return false;
    double *weight = m->weight + (size_t)r->weights++ * (size_t)m->columns;
    return read_numbers(weight, &count, m->columns, text) && count == m->columns;
}

static bool read_line(reader *r, const char *word, char *text)
{
    int flag;
    if (strcmp(word, "fit_all") == 0 && !r->feature) {
        if (!read_integer(&flag, 0, 1, text)) return false;
        r->encoder->fit_all = flag;
        return true;
    }
    if (strcmp(word, "imputer") == 0) return read_imputer(r, text);
    if (r->imputer) return read_imputed(r, word, text);
    if (strcmp(word, "feature") == 0) return read_feature(r, text);
    if (!r->feature) return false;
    if (strcmp(word, "missing") == 0) return read_integer(&r->feature->n_missing, 0, INT32_MAX, text);
    if (strcmp(word, "category") == 0) return read_category(r->feature, text);
    return read_statistic(r->feature, word, text);
}

/* The imputer is there when it is needed, whole, and as wide as the features are. */
static bool is_whole(const reader *r)
{
    const hf_encoder *e = r->encoder;
    const hf_imputer *m = r->imputer;
    int columns = 0;
    bool needed = false;
    for (int k = 0; k < e->n_features; k++) {
        const hf_feature *f = &e->feature[k];
        columns += f->encoding == HF_ONE_HOT ? hf_feature_width(f) : f->encoding != HF_FLAG;
        needed = needed || f->fill == HF_FILL_IMPUTE;
    }
    if (!m) return !needed || isnan(e->feature[0].median);
    return needed && r->start && r->order && r->weights == m->rounds * m->columns && m->columns == columns;
}

static hf_status read_lines(reader *r, char *text)
{
    int line = 0;
    for (char *next = text, *end; *next; next = end) {
        end = next + strcspn(next, "\n");
        if (*end) *end++ = '\0';
        char *blank = strchr(next, ' ');
        if (line++ == 0) {
            if (strcmp(next, first_line) != 0) return hf_fail(HF_ERR_FORMAT, "not a table encoder: '%.40s'", next);
            continue;
        }
        if (blank) *blank = '\0';
        if (!blank || !read_line(r, next, blank + 1))
            return hf_fail(HF_ERR_FORMAT, "table encoder, line %d: '%.40s' does not belong there or is damaged", line,
                           next);
    }
    if (line == 0 || !is_whole(r)) return hf_fail(HF_ERR_FORMAT, "table encoder: the text is cut off");
    return hf_encoder_measure(r->encoder);
}

hf_status hf_encoder_read(hf_encoder *out, const char *text)
{
    hf_status status;
    char *copy = NULL;
    reader r = { 0 };
    HF_TRY_OUT(hf_alloc(&r.encoder, 1, sizeof *r.encoder, "the encoder"));
    HF_TRY_OUT(hf_strdup(&copy, text));
    HF_TRY_OUT(read_lines(&r, copy));
    *out = *r.encoder;
    out->imputer = r.imputer;
    r.imputer = NULL;
out:
    hf_imputer_free(&r.imputer);
    free(r.encoder);
    free(copy);
    return status;
}
