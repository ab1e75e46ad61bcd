/* crossval.c: trains the runs of a study one after the other. A run that has its predictions and its report is done; any
 * other is started or resumed, so that a study can be killed at any point. */
#include "study.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = 1000 }; /* of progress, a run */

typedef struct crossval {
    const hf_recipe *recipe;
    const char *folder;
    const hf_study_options *options;
    hf_member *member;
    int count, at; /* the run under way */
    double epochs_done;
    int64_t epochs;
} crossval;

/* ---- progress ---------------------------------------------------------------------------------------------------- */

static void say(const crossval *c, const char *format, ...) HF_PRINTF(2, 3);
static void say(const crossval *c, const char *format, ...)
{
    char line[512];
    va_list list;
    if (!c->options->watch.say) return;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    c->options->watch.say(c->options->watch.user, line);
}

static void say_line(void *user, const char *line)
{
    const crossval *c = user;
    if (c->at == 0) say(c, "%s", line); /* what holds for one run holds for all */
}

static void show(void *user, const char *what, int done, int total, double loss)
{
    const crossval *c = user;
    const bool training = strcmp(what, "training") == 0;
    const double part = training && total > 0 ? (c->epochs_done + (double)done / total) / (double)c->epochs : 0;
    if (!c->options->watch.progress || !training) return;
    c->options->watch.progress(c->options->watch.user, "study", (int)((c->at + part) * UNITS), c->count * UNITS, loss);
}

static void count_epoch(void *user, const hf_epoch *epoch)
{
    crossval *c = user;
    if (epoch->stage) return; /* a run counts by its own epochs */
    c->epochs_done = epoch->epoch;
}

static bool stop(void *user)
{
    const crossval *c = user;
    return c->options->watch.stop && c->options->watch.stop(c->options->watch.user);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static hf_status train_run(crossval *c, const char *run)
{
    hf_recipe recipe;
    const hf_train_options how = {
        .device = c->options->device,
        .resume = true,
        .watch = { .say = say_line, .progress = show, .epoch = count_epoch, .stop = stop, .user = c }
    };
    HF_TRY(hf_study_recipe(&recipe, c->recipe, c->member, c->at));
    c->epochs = recipe.train.epochs;
    c->epochs_done = 0;
    const hf_status status = hf_run_train(NULL, &recipe, run, &how);
    hf_recipe_free(&recipe);
    if (status != HF_OK) return hf_fail_in(status, "run '%s'", run);
    say(c, "%d of %d: %s trained", c->at + 1, c->count, c->member[c->at].place);
    return HF_OK;
}

static hf_status next_run(crossval *c)
{
    char *run = NULL;
    hf_status status = HF_OK;
    HF_TRY(hf_path_join(&run, c->folder, c->member[c->at].place));
    if (!hf_run_finished(run)) {
        status = hf_make_dirs(run);
        if (status == HF_OK) status = train_run(c, run);
    }
    free(run);
    return status;
}

/* ---- the folder -------------------------------------------------------------------------------------------------- */

static hf_status check_same(const char *path, const hf_recipe *recipe)
{
    hf_recipe was;
    HF_TRY(hf_recipe_read(&was, path));
    hf_status status = hf_recipe_continues(&was, recipe);
    if (status != HF_OK) status = hf_fail_in(status, "'%s' is of another study", path);
    hf_recipe_free(&was);
    return status;
}

/* recipe.yaml in the folder says what the recipe says, or there is none yet and it is written. */
static hf_status begin(const crossval *c)
{
    char *path = NULL;
    hf_text text = { 0 };
    HF_TRY(hf_make_dirs(c->folder));
    hf_status status = hf_path_join(&path, c->folder, HF_RECIPE_FILE);
    if (status == HF_OK && hf_path_exists(path)) {
        status = check_same(path, c->recipe);
    } else if (status == HF_OK) {
        status = hf_recipe_write(c->recipe, &text);
        if (status == HF_OK) status = hf_file_write(path, text.data, text.size);
    }
    hf_text_free(&text);
    free(path);
    return status;
}

static hf_status run_all(crossval *c)
{
    HF_TRY(hf_study_members(&c->member, &c->count, c->recipe));
    HF_TRY(begin(c));
    for (c->at = 0; c->at < c->count; c->at++)
        HF_TRY(next_run(c));
    return HF_OK;
}

hf_status hf_study_run(const hf_recipe *recipe, const char *folder, const hf_study_options *options)
{
    static const hf_study_options defaults = { 0 };
    crossval c = { .recipe = recipe, .folder = folder, .options = options ? options : &defaults };
    hf_study study = { 0 };
    hf_status status = hf_recipe_check(recipe);
    if (status == HF_OK && recipe->train.overfit_batches)
        status = hf_fail(HF_ERR_ARGUMENT, "train.overfit_batches is for debugging a single run: a study needs results");
    if (status == HF_OK) status = run_all(&c);
    if (status == HF_OK) status = hf_study_read(&study, folder);
    if (status == HF_OK) status = hf_study_write(&study);
    hf_study_free(&study);
    free(c.member);
    return status;
}
