/* schedule.c: the learning rate of a step, and when an epoch without progress has consequences. All of it is a function of
 * the recipe and of how far training has come, both of which a checkpoint keeps, so a resumed run goes the same way. */
#include "learned.h"
#include "samples.h"
#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* What a schedule looks at: the part of all steps behind the warm-up that is done, and whole epochs. */
typedef struct moment {
    double done;
    int64_t epochs, reductions;
} moment;

static double constant(const hf_recipe *recipe, const moment *at)
{
    (void)at;
    return recipe->train.learning_rate;
}

/* The rate after so many cuts, which lead to the lowest rate at last. */
static double cut(const hf_recipe *recipe, int64_t times)
{
    return fmax(recipe->train.learning_rate * pow(recipe->train.decay, (double)times), recipe->train.lowest_rate);
}

static double step(const hf_recipe *recipe, const moment *at)
{
    return cut(recipe, at->epochs / recipe->train.decay_epochs);
}

static double plateau(const hf_recipe *recipe, const moment *at)
{
    return cut(recipe, at->reductions);
}

static double cosine(const hf_recipe *recipe, const moment *at)
{
    const double lowest = recipe->train.lowest_rate, range = recipe->train.learning_rate - lowest;
    return lowest + range * 0.5 * (1 + cos(pi * fmin(at->done, 1)));
}

static const struct {
    const char *name;
    double (*rate)(const hf_recipe *recipe, const moment *at);
} schedules[] = { { "constant", constant }, { "step", step }, { "cosine", cosine }, { "plateau", plateau } };

double hf_run_learning_rate(const hf_recipe *recipe, const hf_run_progress *progress, int64_t steps)
{
    const double warm = round(recipe->train.warmup_epochs * (double)steps),
                 all = (double)(recipe->train.epochs * steps);
    const double now = (double)progress->step, behind = all - warm;
    const moment at = { behind > 0 ? fmax(now - warm, 0) / behind : 1, progress->epoch, progress->reductions };
    size_t i = 0; /* the recipe knows no other names */
    while (i + 1 < sizeof schedules / sizeof schedules[0] && strcmp(schedules[i].name, recipe->train.schedule) != 0)
        i++;
    const double rate = schedules[i].rate(recipe, &at);
    return now < warm ? rate * (now + 1) / warm : rate;
}

/* Epochs since the best one. */
static int64_t waited(const hf_run_progress *progress, int64_t since)
{
    return progress->epoch - (progress->best_epoch > since ? progress->best_epoch : since);
}

bool hf_run_note_plateau(hf_run_progress *progress, const hf_recipe *recipe)
{
    const bool reduce = strcmp(recipe->train.schedule, "plateau") == 0 &&
                        waited(progress, progress->reduced_epoch) >= recipe->train.decay_epochs;
    if (!reduce) return false;
    progress->reductions++;
    progress->reduced_epoch = progress->epoch;
    return true;
}

bool hf_run_out_of_patience(const hf_run_progress *progress, const hf_recipe *recipe)
{
    return recipe->train.patience > 0 && waited(progress, 0) >= recipe->train.patience;
}

hf_status hf_run_check_selecting(const hf_recipe *recipe, int validation_subjects)
{
    static const char *const advice = "needs validation subjects to see whether the network still gets better, and the "
                                      "split has none: set split.valid or another split";
    if (validation_subjects > 0) return HF_OK;
    if (recipe->train.patience) return hf_fail(HF_ERR_ARGUMENT, "train.patience %s", advice);
    if (strcmp(recipe->train.schedule, "plateau") == 0)
        return hf_fail(HF_ERR_ARGUMENT, "train.schedule plateau %s", advice);
    return HF_OK;
}
