/* encoder_spec.c: the language of feature lists.
 *
 *     COLUMN:ENCODING[(ARGUMENT,...)][+STEP[(ARGUMENT)]]...
 *
 * doc/tabular.md says what each word does. Encodings and steps are rows of two tables. Which spellings are one category
 * is decided here too: what a spec lists as aliases, and the words for the two sexes. */
#include "encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Numbers that an encoding takes: `least` to `most`, and only as many as `counts` has a bit for. */
typedef struct encoding_row {
    const char *name;
    hf_encoding encoding;
    unsigned counts;      /* bit n: n numbers are allowed */
    const char *expected; /* what stands in the brackets */
} encoding_row;

#define ANY_NUMBER ((1u << (HF_MAX_NUMBERS + 1)) - 2)

static const encoding_row encodings[] = {
    { "onehot", HF_ONE_HOT, 1, "categories" },
    { "zscore", HF_ZSCORE, 1, "nothing" },
    { "minmax", HF_MINMAX, 1, "nothing" },
    { "raw", HF_RAW, 1, "nothing" },
    { "bins", HF_BINS, 1u << 1 | 1u << 3, "N, or LOW,HIGH,N" },
    { "smooth", HF_SMOOTH, 1u << 2 | 1u << 4, "N,SIGMA, or LOW,HIGH,N,SIGMA" },
    { "edges", HF_EDGES, ANY_NUMBER, "rising numbers" },
    { "above", HF_ABOVE, 1u << 1, "one number" },
    { "flag", HF_FLAG, 1, "nothing" },
};
enum { N_ENCODINGS = sizeof encodings / sizeof encodings[0] };

typedef enum step_kind { STEP_FLAG, STEP_SCALE, STEP_FILL } step_kind;

typedef struct step_row {
    const char *name;
    step_kind kind;
    hf_fill fill;
    bool numbers, categories; /* which features may have it */
} step_row;

static const step_row steps[] = {
    { "missing", STEP_FLAG, 0, true, true },
    { "zscore", STEP_SCALE, 0, false, true },
    { "median", STEP_FILL, HF_FILL_MEDIAN, true, false },
    { "mean", STEP_FILL, HF_FILL_MEAN, true, false },
    { "fill", STEP_FILL, HF_FILL_VALUE, true, false },
    { "impute", STEP_FILL, HF_FILL_IMPUTE, true, false },
    { "zeros", STEP_FILL, HF_FILL_ZEROS, false, true },
    { "category", STEP_FILL, HF_FILL_CATEGORY, false, true },
    { "drop", STEP_FILL, HF_FILL_NOTHING, true, true },
};
enum { N_STEPS = sizeof steps / sizeof steps[0] };

/* A word of a spec: its name, and what stands in brackets behind it. */
typedef struct word {
    char name[32];
    bool bracket, last; /* last: no '+' follows */
    const char *inside;
    size_t length;
} word;

/* Copies the part of text[0..length) between blanks into out[size]; false when nothing is left or it does not fit. */
static bool copy_trimmed(char *out, size_t size, const char *text, size_t length)
{
    while (length && *text == ' ') {
        text++;
        length--;
    }
    while (length && text[length - 1] == ' ')
        length--;
    if (length == 0 || length >= size) return false;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

/* ---- categories -------------------------------------------------------------------------------------------------- */

const char *hf_sex_word(const char *text)
{
    static const char *const words[][2] = { { "f", "F" }, { "female", "F" }, { "woman", "F" },
                                            { "m", "M" }, { "male", "M" },   { "man", "M" } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i][0]) == 0) return words[i][1];
    return NULL;
}

static bool has_alias(const char *aliases, const char *text)
{
    const size_t length = strlen(text);
    for (const char *at = aliases; *at;) {
        const size_t size = strcspn(at, "|");
        if (size == length && strncasecmp(at, text, size) == 0) return true;
        at += size + (at[size] == '|');
    }
    return false;
}

int hf_feature_category(const hf_feature *feature, const char *text)
{
    const char *sex = hf_sex_word(text);
    for (int i = 0; i < feature->n_categories; i++)
        if (hf_text_same(feature->category[i], text)) return i;
    for (int i = 0; i < feature->n_categories; i++) {
        if (has_alias(feature->aliases[i], text)) return i;
        const char *own = feature->aliases[i][0] ? NULL : hf_sex_word(feature->category[i]);
        if (sex && own && *sex == *own) return i;
    }
    return -1;
}

/* Notes the aliases of the category that is to be added. */
static hf_status add_aliases(hf_feature *feature, const char *text, size_t length)
{
    char *out = feature->aliases[feature->n_categories];
    if (!copy_trimmed(out, sizeof feature->aliases[0], text, length))
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': aliases '%.*s', expected WORD|WORD of 1 to %zu bytes",
                       feature->column, length > 60 ? 60 : (int)length, text, sizeof feature->aliases[0] - 1);
    char one[sizeof feature->aliases[0]];
    for (const char *at = out; *at;) {
        const size_t size = strcspn(at, "|");
        memcpy(one, at, size);
        one[size] = '\0';
        if (size == 0 || hf_feature_category(feature, one) >= 0)
            return hf_fail(HF_ERR_ARGUMENT, "column '%s': alias '%s' is empty or means another category already",
                           feature->column, one);
        at += size + (at[size] == '|');
    }
    return HF_OK;
}

hf_status hf_feature_add_category(hf_feature *feature, const char *item, size_t length, bool written)
{
    char name[sizeof feature->category[0]] = ""; /* all of it goes into saved models */
    const char *equals = written ? memchr(item, '=', length) : NULL;
    const size_t size = equals ? (size_t)(equals - item) : length;
    if (!copy_trimmed(name, sizeof name, item, size))
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': category '%.*s', expected 1 to %zu bytes", feature->column,
                       size > 60 ? 60 : (int)size, item, sizeof name - 1);
    if (hf_feature_category(feature, name) >= 0)
        return hf_fail(HF_ERR_ARGUMENT, "column '%s': category '%s' is given twice", feature->column, name);
    if (feature->n_categories == HF_MAX_CATEGORIES)
        return hf_fail(HF_ERR_UNSUPPORTED, "column '%s': more than %d categories; is it a number?", feature->column,
                       HF_MAX_CATEGORIES);
    if (equals) HF_TRY(add_aliases(feature, equals + 1, length - size - 1));
    memcpy(feature->category[feature->n_categories++], name, sizeof name);
    return HF_OK;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* Takes the next word off *text: up to the next '+' outside brackets. */
static hf_status next_word(word *out, const char **text, const char *spec)
{
    const char *start = *text, *end = start, *open = NULL;
    int depth = 0;
    for (; *end && (depth > 0 || *end != '+'); end++) {
        if (*end == '(' && !open) open = end;
        depth += (*end == '(') - (*end == ')');
    }
    const char *last = end;
    while (last > start && last[-1] == ' ')
        last--;
    *out = (word){ .bracket = open != NULL, .last = !*end };
    if (open && (depth != 0 || last[-1] != ')'))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': the bracket is not closed", spec);
    copy_trimmed(out->name, sizeof out->name, start, (size_t)((open ? open : last) - start));
    if (open) {
        out->inside = open + 1;
        out->length = (size_t)(last - open) - 2;
    }
    *text = *end ? end + 1 : end;
    return HF_OK;
}

/* Calls `take` for each part of the bracket between commas. */
typedef hf_status taker(hf_feature *feature, const char *part, size_t length);

static hf_status split_bracket(hf_feature *feature, const word *w, taker *take)
{
    const char *next = w->inside, *end = next + w->length;
    while (next <= end) {
        const char *comma = memchr(next, ',', (size_t)(end - next));
        const char *stop = comma ? comma : end;
        HF_TRY(take(feature, next, (size_t)(stop - next)));
        next = stop + 1;
    }
    return HF_OK;
}

static hf_status take_category(hf_feature *feature, const char *part, size_t length)
{
    return hf_feature_add_category(feature, part, length, true);
}

static hf_status take_number(hf_feature *feature, const char *part, size_t length)
{
    char text[64];
    double value;
    if (!copy_trimmed(text, sizeof text, part, length) || !hf_text_number(&value, text))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': '%.*s' in brackets, expected a number", feature->spec,
                       length > 40 ? 40 : (int)length, part);
    if (feature->n_numbers == HF_MAX_NUMBERS)
        return hf_fail(HF_ERR_UNSUPPORTED, "feature '%s': more than %d numbers", feature->spec, HF_MAX_NUMBERS);
    feature->number[feature->n_numbers++] = value;
    return HF_OK;
}

/* ---- encodings --------------------------------------------------------------------------------------------------- */

static hf_status find_encoding(const encoding_row **out, const word *w, const char *spec)
{
    const char *names[N_ENCODINGS];
    for (int i = 0; i < N_ENCODINGS; i++) {
        names[i] = encodings[i].name;
        *out = &encodings[i];
        if (strcmp(w->name, names[i]) == 0) return HF_OK;
    }
    const char *nearest = w->name[0] ? hf_nearest(w->name, names, N_ENCODINGS) : NULL;
    return hf_fail(HF_ERR_ARGUMENT,
                   "feature '%s': no such encoding%s%s%s; expected onehot, zscore, minmax, raw, bins, smooth, edges, "
                   "above or flag",
                   spec, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* Bins: 2 to HF_MAX_BINS of them, over a range that is one; a width of the blur above 0. Edges rise. */
static hf_status check_numbers(const hf_feature *f)
{
    bool good = true;
    if (f->encoding == HF_BINS || f->encoding == HF_SMOOTH) {
        const int blur = f->encoding == HF_SMOOTH;
        const double count = f->number[f->n_numbers - 1 - blur];
        good = count >= 2 && count <= HF_MAX_BINS && count == floor(count);
        good = good && (f->n_numbers < 3 || f->number[1] > f->number[0]);
        good = good && (!blur || (f->number[f->n_numbers - 1] > 0 && f->number[f->n_numbers - 1] <= HF_MAX_BINS));
    }
    for (int i = 1; f->encoding == HF_EDGES && i < f->n_numbers; i++)
        good = good && f->number[i] > f->number[i - 1];
    if (good) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT,
                   "feature '%s': expected 2 to %d bins, LOW below HIGH, a SIGMA above 0, rising edges", f->spec,
                   HF_MAX_BINS);
}

static hf_status parse_encoding(hf_feature *f, const word *w)
{
    const encoding_row *row;
    HF_TRY(find_encoding(&row, w, f->spec));
    f->encoding = row->encoding;
    f->flag_missing = row->encoding == HF_FLAG;
    if (row->encoding == HF_ONE_HOT) {
        if (w->bracket) HF_TRY(split_bracket(f, w, take_category));
        if (w->bracket && f->n_categories < 2)
            return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected at least two categories", f->spec);
        return HF_OK;
    }
    if (w->bracket && row->counts == 1)
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': %s takes nothing in brackets; only onehot takes categories",
                       f->spec, row->name);
    if (w->bracket) HF_TRY(split_bracket(f, w, take_number));
    if (!(row->counts >> f->n_numbers & 1))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': %d numbers for %s, expected %s", f->spec, f->n_numbers,
                       row->name, row->expected);
    return check_numbers(f);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static hf_status find_step(const step_row **out, const word *w, const char *spec)
{
    const char *names[N_STEPS];
    for (int i = 0; i < N_STEPS; i++) {
        names[i] = steps[i].name;
        *out = &steps[i];
        if (strcmp(w->name, names[i]) == 0) return HF_OK;
    }
    const char *nearest = w->name[0] ? hf_nearest(w->name, names, N_STEPS) : NULL;
    return hf_fail(HF_ERR_ARGUMENT,
                   "feature '%s': no such step '+%s'%s%s%s; expected missing, zscore, median, mean, fill, impute, "
                   "zeros, category or drop",
                   spec, w->name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* "+fill(0)", "+median(sex)". */
static hf_status parse_fill(hf_feature *f, const step_row *step, const word *w)
{
    f->fill = step->fill;
    if (step->fill == HF_FILL_VALUE) {
        char text[64] = "";
        if (w->bracket && copy_trimmed(text, sizeof text, w->inside, w->length) && hf_text_number(&f->fill_value, text))
            return HF_OK;
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected fill(NUMBER)", f->spec);
    }
    if (!w->bracket) return HF_OK;
    if (step->fill == HF_FILL_MEDIAN && copy_trimmed(f->group, sizeof f->group, w->inside, w->length)) {
        f->fill = HF_FILL_GROUP;
        return HF_OK;
    }
    return hf_fail(HF_ERR_ARGUMENT, "feature '%s': unexpected brackets behind '+%s'", f->spec, step->name);
}

static hf_status parse_step(hf_feature *f, const word *w, bool *filled)
{
    const step_row *step;
    HF_TRY(find_step(&step, w, f->spec));
    const bool one_hot = f->encoding == HF_ONE_HOT, flag = f->encoding == HF_FLAG;
    if ((one_hot ? !step->categories : !step->numbers) || (flag && step->kind != STEP_FLAG))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': the step '+%s' does not go with this encoding", f->spec,
                       w->name);
    const bool scaled = w->length == 6 && strncmp(w->inside, "zscore", 6) == 0;
    if (step->kind == STEP_FLAG && (!w->bracket || scaled)) {
        f->flag_missing = true;
        f->flag_zscore = f->flag_zscore || scaled;
        return HF_OK;
    }
    if (step->kind == STEP_SCALE && !w->bracket) {
        f->zscore = true;
        return HF_OK;
    }
    if (step->kind != STEP_FILL)
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': unexpected brackets behind '+%s'", f->spec, step->name);
    if (*filled) return hf_fail(HF_ERR_ARGUMENT, "feature '%s': two steps fill what is missing", f->spec);
    *filled = true;
    return parse_fill(f, step, w);
}

/* ---- features ---------------------------------------------------------------------------------------------------- */

static hf_status parse_feature(hf_feature *f, const char *spec)
{
    const char *colon = strchr(spec, ':');
    word w;
    bool filled = false;
    if (!colon) return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected COLUMN:ENCODING, as in 'age:zscore'", spec);
    if (!copy_trimmed(f->column, sizeof f->column, spec, (size_t)(colon - spec)))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected a column name of 1 to %zu bytes before ':'", spec,
                       sizeof f->column - 1);
    if (strlen(spec) >= sizeof f->spec || strpbrk(spec, "\n\r"))
        return hf_fail(HF_ERR_ARGUMENT, "feature '%.60s': expected one line of at most %zu bytes", spec,
                       sizeof f->spec - 1);
    memcpy(f->spec, spec, strlen(spec) + 1);
    f->median = NAN; /* until fitted */
    const char *text = colon + 1;
    HF_TRY(next_word(&w, &text, spec));
    HF_TRY(parse_encoding(f, &w));
    while (!w.last) {
        HF_TRY(next_word(&w, &text, spec));
        HF_TRY(parse_step(f, &w, &filled));
    }
    if (f->encoding == HF_ONE_HOT && !filled) f->fill = f->flag_missing ? HF_FILL_ZEROS : HF_FILL_NOTHING;
    return HF_OK;
}

int hf_feature_width(const hf_feature *f)
{
    switch (f->encoding) {
    case HF_ONE_HOT:
        return f->n_categories + (f->fill == HF_FILL_CATEGORY && f->n_categories > 0);
    case HF_BINS:
        return (int)f->number[f->n_numbers - 1];
    case HF_SMOOTH:
        return (int)f->number[f->n_numbers - 2];
    case HF_EDGES:
        return f->n_numbers + 1;
    case HF_FLAG:
        return 0;
    case HF_ZSCORE:
    case HF_MINMAX:
    case HF_RAW:
    case HF_ABOVE:
        break;
    }
    return 1;
}

hf_status hf_encoder_measure(hf_encoder *encoder)
{
    int width = 0;
    for (int f = 0; f < encoder->n_features; f++)
        width += hf_feature_width(&encoder->feature[f]) + encoder->feature[f].flag_missing;
    encoder->width = width;
    if (width <= HF_MAX_WIDTH) return HF_OK;
    return hf_fail(HF_ERR_UNSUPPORTED, "an encoded row of %d numbers, at most %d are expected", width, HF_MAX_WIDTH);
}

static hf_status add_feature(hf_encoder *e, const char *spec)
{
    if (e->n_features == HF_MAX_FEATURES)
        return hf_fail(HF_ERR_UNSUPPORTED, "feature '%s': more than %d features", spec, HF_MAX_FEATURES);
    hf_feature *feature = &e->feature[e->n_features];
    HF_TRY(parse_feature(feature, spec));
    for (int k = 0; k < e->n_features; k++)
        if (strcasecmp(e->feature[k].column, feature->column) == 0)
            return hf_fail(HF_ERR_ARGUMENT, "feature '%s': column '%s' is used twice", spec, feature->column);
    e->n_features++;
    return HF_OK;
}

static hf_status add_entry(hf_encoder *e, const char *entry)
{
    const char *const *specs;
    if (strchr(entry, ':') || strncmp(entry, "set", 3) != 0) return add_feature(e, entry);
    HF_TRY(hf_feature_set(&specs, entry));
    for (int i = 0; specs[i]; i++)
        HF_TRY(add_feature(e, specs[i]));
    return HF_OK;
}

hf_status hf_encoder_parse(hf_encoder *out, const char *const *specs, int n_specs)
{
    hf_encoder *e;
    if (n_specs < 0 || n_specs > HF_MAX_FEATURES)
        return hf_fail(HF_ERR_UNSUPPORTED, "%d features, expected 0 to %d", n_specs, HF_MAX_FEATURES);
    HF_TRY(hf_alloc(&e, 1, sizeof *e, "the encoder"));
    hf_status status = HF_OK;
    for (int i = 0; status == HF_OK && i < n_specs; i++)
        status = add_entry(e, specs[i]);
    if (status == HF_OK) status = hf_encoder_measure(e);
    if (status == HF_OK) *out = *e;
    free(e);
    return status;
}
