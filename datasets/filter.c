/* filter.c: which rows take part: a text, one of several, or a range of a column, and a leading part of what is left.
 * cohort.c filters whole cohorts with it; here too, the subjects that train, with the test subjects left as they are. */
#include "encoder.h"
#include "split.h"

#include <stdlib.h>
#include <string.h>

/* "LOW..HIGH" */
static bool read_range(double *low, double *high, const char *value)
{
    char text[64];
    const char *dots = strstr(value, "..");
    const size_t length = dots ? (size_t)(dots - value) : 0;
    if (!dots || length >= sizeof text) return false;
    memcpy(text, value, length);
    text[length] = '\0';
    return hf_text_number(low, text) && hf_text_number(high, dots + 2);
}

static bool passes_one(const char *text, const char *value)
{
    double low, high, x;
    if (read_range(&low, &high, value)) return hf_text_number(&x, text) && x >= low && x < high;
    const char *a = hf_sex_word(text), *b = hf_sex_word(value);
    return hf_text_same(text, value) || (a && b && *a == *b);
}

bool hf_filter_passes(const char *text, const char *value)
{
    char one[256];
    if (!text) return false;
    if (passes_one(text, value)) return true;
    while (strchr(value, '|')) {
        const size_t length = strcspn(value, "|");
        if (length < sizeof one) {
            memcpy(one, value, length);
            one[length] = '\0';
            if (passes_one(text, one)) return true;
        }
        value += length + 1;
        if (passes_one(text, value)) return true; /* the last one, or text with a bar in it */
    }
    return false;
}

/* ---- who trains -------------------------------------------------------------------------------------------------- */

/* The column and the value of "COLUMN=VALUE"; -1 and NULL without a filter. */
static hf_status find_filter(int *column, const char **value, const hf_table *table, const char *filter)
{
    char *name;
    *column = -1;
    *value = NULL;
    if (!filter || !filter[0]) return HF_OK;
    const char *equals = strchr(filter, '=');
    if (!equals || equals == filter)
        return hf_fail(HF_ERR_ARGUMENT, "the filter of training rows: found '%s', expected COLUMN=VALUE", filter);
    HF_TRY(hf_strdup(&name, filter));
    name[equals - filter] = '\0';
    const hf_status status = hf_table_require(column, table, name, "the filter of training rows");
    free(name);
    *value = equals + 1;
    return status;
}

/* The subjects of one part that do not pass are unused, and of the others all but the leading ones. */
static void restrict_part(hf_part *part, hf_part which, const hf_cohort *cohort, int column, const char *value,
                          double fraction)
{
    int count = 0, kept = 0;
    for (int i = 0; i < cohort->n_subjects; i++) {
        if (part[i] != which) continue;
        if (value && !hf_filter_passes(hf_table_cell(&cohort->table, cohort->subject[i].row, column), value))
            part[i] = HF_UNUSED;
        count += part[i] == which;
    }
    const int most = fraction > 0 ? (int)(fraction * count) : count;
    for (int i = 0; i < cohort->n_subjects; i++)
        if (part[i] == which && kept++ >= most) part[i] = HF_UNUSED;
}

hf_status hf_split_restrict(hf_part *part, const hf_cohort *cohort, const hf_split_options *options)
{
    int column;
    const char *value;
    HF_TRY(find_filter(&column, &value, &cohort->table, options->train_filter));
    if (!(options->train_fraction >= 0 && options->train_fraction <= 1))
        return hf_fail(HF_ERR_ARGUMENT, "a fraction of %g of the training rows, expected 0 to 1",
                       options->train_fraction);
    restrict_part(part, HF_TRAIN, cohort, column, value, options->train_fraction);
    restrict_part(part, HF_VALID, cohort, column, value, options->train_fraction);
    return HF_OK;
}
