/* trained_run.h: what the tests of finished and resumed runs share beside the cohort: a run to begin with, its files
 * copied, and what it says listened to. */
#ifndef HF_TESTS_TRAINED_RUN_H
#define HF_TESTS_TRAINED_RUN_H

#include "brain_cohort.h"

#include <unistd.h>

typedef struct heard {
    hf_text lines;
    int epochs;
} heard;

static inline void hear(void *user, const char *line)
{
    hf_text_add(&((heard *)user)->lines, "%s\n", line);
}

static inline void copy_file(const char *from, const char *to, const char *name)
{
    char path[600];
    void *data = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/%s", from, name);
    CHECK_OK(hf_file_read(&data, &size, path, (size_t)64 << 20));
    snprintf(path, sizeof path, "%s/%s", to, name);
    CHECK_OK(hf_file_write(path, data, size));
    free(data);
}

/* A folder with a cohort, and a recipe for it; *root has room for the name. */
static inline bool begin_runs(char root[], char cohort[300], hf_recipe *recipe)
{
    char cache[300];
    if (!CHECK(mkdtemp(root) != NULL)) return false;
    snprintf(cohort, 300, "%s/cohort", root);
    snprintf(cache, sizeof cache, "%s/cache", root);
    return CHECK_OK(make_cohort(cohort)) && CHECK_OK(make_recipe(recipe, cohort, cache));
}

/* A run of three epochs in ROOT/one. */
static inline bool train_one(const char *root, const hf_recipe *recipe)
{
    char one[300];
    snprintf(one, sizeof one, "%s/one", root);
    return CHECK_OK(hf_run_train(NULL, recipe, one, NULL));
}

static inline int end_runs(const char *root, hf_recipe *recipe, const char *name)
{
    hf_recipe_free(recipe);
    check_remove_tree(root);
    return check_done(name);
}

#endif
