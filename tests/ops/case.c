/* case.c: case strings, random draws, and the roundoff constant, for the tests and the benchmark of operators.
 *
 * The text of a case has one canonical order, so that equal cases print alike: sizes, then space, then options. */
#include "driver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Letters in the order they are printed, in groups. */
static const char canonical_order[] = "ncoifjel_dhw_kspabgmqrtuvxyz";

int hf_case_get(const hf_case *test_case, char letter, int absent)
{
    int i = letter - 'a';
    return test_case->given[i] ? test_case->value[i] : absent;
}

void hf_case_set(hf_case *test_case, char letter, int value)
{
    test_case->value[letter - 'a'] = value;
    test_case->given[letter - 'a'] = true;
}

/* One letter with its number; *text moves behind it. */
static hf_status parse_letter(hf_case *out, const char **text)
{
    const int most = 1 << 24;
    const char *at = *text;
    char letter = *at++;
    if (letter < 'a' || letter > 'z')
        return hf_fail(HF_ERR_ARGUMENT, "case \"%s\": expected a lower-case letter", *text);
    if (out->given[letter - 'a']) return hf_fail(HF_ERR_ARGUMENT, "case: the letter %c is given twice", letter);
    if (*at < '0' || *at > '9') return hf_fail(HF_ERR_ARGUMENT, "case: the letter %c has no number", letter);
    int value = 0;
    for (; *at >= '0' && *at <= '9' && value <= most; at++)
        value = 10 * value + (*at - '0');
    if (value > most) return hf_fail(HF_ERR_ARGUMENT, "case: the number of %c is above %d", letter, most);
    hf_case_set(out, letter, value);
    *text = at;
    return HF_OK;
}

hf_status hf_case_parse(hf_case *out, const char *text)
{
    hf_case parsed = { 0 };
    while (*text)
        if (*text == '_')
            text++;
        else
            HF_TRY(parse_letter(&parsed, &text));
    *out = parsed;
    return HF_OK;
}

const char *hf_case_text(const hf_case *test_case, char text[160])
{
    size_t used = 0;
    bool gap = false;
    text[0] = '\0';
    for (const char *letter = canonical_order; *letter; letter++) {
        if (*letter == '_') gap = used > 0;
        if (*letter == '_' || !test_case->given[*letter - 'a'] || used >= 140) continue;
        used += (size_t)snprintf(text + used, 160 - used, "%s%c%d", gap ? "_" : "", *letter,
                                 test_case->value[*letter - 'a']);
        gap = false;
    }
    return text;
}

int hf_draw_int(hf_draw *draw, int low, int high)
{
    uint64_t span = (uint64_t)((int64_t)high - low + 1);
    uint64_t bits = hf_random_bits(draw->seed, draw->stream, draw->index++);
    return (int)(low + (int64_t)(bits * span >> 32));
}

double hf_draw_real(hf_draw *draw, double low, double high)
{
    double unit = hf_random_uniform(draw->seed, draw->stream, draw->index++);
    return (float)(low + (high - low) * unit);
}

double hf_gamma(double n)
{
    return n * HF_UNIT / (1 - n * HF_UNIT);
}

int64_t hf_count(const hf_desc *desc)
{
    return desc->shape.rank ? hf_shape_count(&desc->shape) : 0;
}
