/* members.c: which runs a study has, and what sets each apart. */
#include "study.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

hf_status hf_study_members(hf_member **out, int *count, const hf_recipe *recipe)
{
    const int seeds = (int)recipe->crossval.seeds, versions = (int)recipe->crossval.versions;
    const int folds = (int)recipe->crossval.folds, n = seeds * versions * folds;
    hf_member *members;
    HF_TRY(hf_alloc(&members, (size_t)n, sizeof *members, "the runs of a study"));
    for (int i = 0; i < n; i++) {
        hf_member *m = &members[i];
        *m = (hf_member){ recipe->split.seed + i / folds / versions, i / folds % versions + 1, i % folds, "" };
        snprintf(m->place, sizeof m->place, "seed-%" PRId64 "/version-%d/fold-%d", m->seed, m->version, m->fold);
    }
    *out = members;
    *count = n;
    return HF_OK;
}

static hf_status set_integer(hf_recipe *recipe, const char *key, int64_t value)
{
    char setting[96];
    snprintf(setting, sizeof setting, "%s=%" PRId64, key, value);
    return hf_recipe_set(recipe, setting);
}

static hf_status set_member(hf_recipe *recipe, const hf_member *member, int index)
{
    HF_TRY(set_integer(recipe, "split.seed", member->seed));
    HF_TRY(set_integer(recipe, "train.seed", recipe->train.seed + index));
    return recipe->crossval.folds > 1 ? set_integer(recipe, "split.fold", member->fold) : HF_OK;
}

hf_status hf_study_recipe(hf_recipe *out, const hf_recipe *recipe, const hf_member *members, int index)
{
    hf_recipe copy;
    HF_TRY(hf_recipe_copy(&copy, recipe));
    const hf_status status = set_member(&copy, &members[index], index);
    if (status == HF_OK) *out = copy;
    if (status != HF_OK) hf_recipe_free(&copy);
    return status;
}
