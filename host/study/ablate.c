/* ablate.c: one study for each set of hyper layers. */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ablation {
    const hf_study_options *options;
    int count, at; /* the study under way */
} ablation;

/* ---- watching ---------------------------------------------------------------------------------------------------- */

static void say(void *user, const char *line)
{
    const ablation *a = user;
    if (a->options->watch.say) a->options->watch.say(a->options->watch.user, line);
}

/* One bar for all of them. */
static void show(void *user, const char *what, int done, int total, double loss)
{
    const ablation *a = user;
    if (a->options->watch.progress)
        a->options->watch.progress(a->options->watch.user, what, a->at * total + done, a->count * total, loss);
}

static bool stop(void *user)
{
    const ablation *a = user;
    return a->options->watch.stop && a->options->watch.stop(a->options->watch.user);
}

/* ---- candidates -------------------------------------------------------------------------------------------------- */

hf_status hf_study_candidate(char **out, const char *folder, const char *candidate)
{
    char *name = NULL;
    HF_TRY(hf_strdup(&name, candidate));
    for (char *c = name; (c = strchr(c, ',')) != NULL;)
        *c = '+';
    const hf_status status = hf_path_join(out, folder, name);
    free(name);
    return status;
}

static hf_status candidate_recipe(hf_recipe *out, const hf_recipe *recipe, const char *candidate)
{
    hf_text setting = { 0 };
    hf_recipe copy = { 0 };
    hf_text_add(&setting, "model.hyper_layers=%s", candidate);
    hf_status status = hf_text_check(&setting);
    if (status == HF_OK) status = hf_recipe_copy(&copy, recipe);
    if (status == HF_OK) status = hf_recipe_set(&copy, setting.data);
    if (status == HF_OK)
        *out = copy;
    else
        hf_recipe_free(&copy);
    hf_text_free(&setting);
    return status;
}

/* Plans a training step: what the network refuses is refused here. */
static hf_status check_candidate(const hf_recipe *recipe, const char *candidate, const char *device)
{
    hf_recipe own;
    hf_run_plan plan;
    HF_TRY(candidate_recipe(&own, recipe, candidate));
    hf_status status = hf_recipe_check(&own);
    if (status == HF_OK) status = hf_run_plan_new(&plan, &own, device);
    if (status == HF_OK) hf_run_plan_free(&plan);
    hf_recipe_free(&own);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "hyper layers '%s'", candidate);
}

static hf_status check_all(const hf_recipe *recipe, const char *const *candidate, int count, const char *device)
{
    for (int i = 0; i < count; i++) {
        if (!candidate[i][0] || strcspn(candidate[i], "/ ") != strlen(candidate[i]))
            return hf_fail(HF_ERR_ARGUMENT, "hyper layers '%s': names with commas between are expected", candidate[i]);
        for (int k = 0; k < i; k++)
            if (strcmp(candidate[i], candidate[k]) == 0)
                return hf_fail(HF_ERR_ARGUMENT, "hyper layers '%s' are named twice", candidate[i]);
    }
    for (int i = 0; i < count; i++)
        HF_TRY(check_candidate(recipe, candidate[i], device));
    return HF_OK;
}

static hf_status train_candidate(ablation *a, const hf_recipe *recipe, const char *candidate, const char *folder)
{
    hf_status status;
    char *own_folder = NULL;
    hf_recipe own = { 0 };
    const hf_study_options options = { .device = a->options->device,
                                       .watch = { .say = say, .progress = show, .stop = stop, .user = a } };
    char line[160];
    snprintf(line, sizeof line, "hyper layers %.100s: %d of %d", candidate, a->at + 1, a->count);
    say(a, line);
    HF_TRY_OUT(hf_study_candidate(&own_folder, folder, candidate));
    HF_TRY_OUT(candidate_recipe(&own, recipe, candidate));
    status = hf_study_run(&own, own_folder, &options);
out:
    hf_recipe_free(&own);
    free(own_folder);
    return status;
}

hf_status hf_study_ablate(const hf_recipe *recipe, const char *const *candidate, int count, const char *folder,
                          const hf_study_options *options)
{
    static const hf_study_options defaults = { 0 };
    ablation a = { .options = options ? options : &defaults, .count = count };
    HF_TRY(check_all(recipe, candidate, count, a.options->device));
    for (; a.at < count; a.at++)
        HF_TRY(train_candidate(&a, recipe, candidate[a.at], folder));
    return HF_OK;
}
