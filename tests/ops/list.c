/* list.c: every operator under test, gathered through the one list of stems. */
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
