/* list.c: every operator under test, gathered through the one list of stems, and how the command line picks some. */
#include "suite.h"

#include <string.h>

#define HF_OP(stem) extern HF_OP_TESTS(stem);
#include "ops/ops.def"
#undef HF_OP

static const struct {
    const char *stem;
    const hf_op_test *tests;
} stems[] = {
#define HF_OP(stem) { #stem, hf_tests_##stem },
#include "ops/ops.def"
#undef HF_OP
};

const hf_op_test *hf_test_at(int index, const char **stem)
{
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++)
        for (const hf_op_test *test = stems[i].tests; test->op; test++)
            if (index-- == 0) {
                *stem = stems[i].stem;
                return test;
            }
    return NULL;
}

const hf_op_test *hf_test_find(const char *op)
{
    const char *stem;
    const hf_op_test *test;
    for (int i = 0; (test = hf_test_at(i, &stem)); i++)
        if (strcmp(test->op, op) == 0) return test;
    return NULL;
}

bool hf_test_wanted(const hf_op_test *test, const char *stem, const char *name, const char *only_case)
{
    if (!name || (!only_case && strcmp(name, stem) == 0)) return true;
    return strcmp(name, test->op) == 0;
}

const char *hf_test_option(const char *argument, const char *key)
{
    size_t size = strlen(key);
    return strncmp(argument, key, size) == 0 && argument[size] == '=' ? argument + size + 1 : NULL;
}
