/* feature_sets.c: the feature sets of the paper's code, numbers 0 to 18, as lists of specs over the columns of its
 * table. Values come first, in this order, then the flags: what doc/tabular.md says of every list. */
#include "encoder.h"

#include <stdlib.h>
#include <string.h>

#define SEX        "PTGENDER:onehot(Female,Male)"
#define SEX_SCALED "PTGENDER:onehot(Female,Male)+zscore"
#define AGE        "AGE:zscore+median"

/* The six columns with missing values, each filled or imputed the same way. */
#define SIX(steps)                                                                                                     \
    "APOE4:zscore" steps, "ABETA:zscore" steps, "PTAU:zscore" steps, "TAU:zscore" steps, "FDG:zscore" steps,           \
        "AV45:zscore" steps

enum { MOST = 10 };
static const char *const sets[][MOST] = {
    { AGE, SEX },
    { SEX },
    { AGE, "PTEDUCAT:zscore+median", "APOE4:zscore+median+missing" },
    { AGE, "PTEDUCAT:zscore+median", "APOE4:onehot(0,1,2)+category", SEX },
    { "AGE:minmax+drop" },
    { "AGE:zscore+median" },
    { "AGE:smooth(50,92,42,1)+drop" },
    { "AGE:above(69)+drop" },
    { AGE, "PTEDUCAT:zscore+median", "APOE4:zscore+median+missing", SEX },
    { AGE, "PTEDUCAT:zscore+median", SIX("+median+missing"), SEX },
    { AGE, "PTEDUCAT:zscore+median", SIX("+impute+missing(zscore)"), SEX_SCALED },
    { AGE, "PTEDUCAT:zscore+median", SIX("+impute"), SEX_SCALED },
    { AGE, "PTEDUCAT:zscore+median", SIX("+impute+missing"), SEX_SCALED },
    { AGE, "PTEDUCAT:zscore+median", SIX("+impute"), SEX_SCALED },
    { NULL },
    { AGE, "PTEDUCAT:zscore+median", SIX("+impute+missing"), SEX },
    { "AGE:raw+median" },
    { "AGE:raw+median", SEX },
    { AGE, "PTEDUCAT:zscore+median", "APOE4:zscore+impute+missing", SEX },
};
enum { N_SETS = sizeof sets / sizeof sets[0] };

hf_status hf_feature_set(const char *const **out, const char *name)
{
    char *end;
    const long number = strtol(name + 3, &end, 10);
    if (name[3] < '0' || name[3] > '9' || *end || number < 0 || number >= N_SETS)
        return hf_fail(HF_ERR_ARGUMENT, "feature '%s': expected COLUMN:ENCODING, as in 'age:zscore', or set0 to set%d",
                       name, N_SETS - 1);
    *out = sets[number];
    if (sets[number][0]) return HF_OK;
    return hf_fail(
        HF_ERR_UNSUPPORTED,
        "feature '%s': it imputes training rows with the help of their label, and test rows from one another: "
        "nothing that a new subject could be given; set13 has the same columns, imputed from training rows",
        name);
}
