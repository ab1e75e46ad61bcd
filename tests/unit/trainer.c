/* A training run without the program around it: the same seed gives the same bytes, resuming too; it stops when it is
 * asked to or when numbers blow up; and what is refused. The cohort is made here, so that nothing but the trainer is under
 * test. Resumed runs are in resuming.c, predictions in predicting.c. */
#include "trained_run.h"

static void hear_epoch(void *user, const hf_epoch *epoch)
{
    CHECK(epoch->epoch >= 1 && isfinite(epoch->train_loss) && isfinite(epoch->valid[epoch->select]) &&
          epoch->seconds > 0);
    ((heard *)user)->epochs++;
}

static void test_runs(const char *root, hf_recipe *recipe)
{
    char one[300], two[300], three[300];
    heard ears = { 0 };
    hf_predictions test = { 0 };
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(two, sizeof two, "%s/two", root);
    snprintf(three, sizeof three, "%s/three", root);
    const hf_watch watch = { .say = hear, .epoch = hear_epoch, .user = &ears };
    CHECK_OK(hf_run_train(&test, recipe, one, &(hf_train_options){ .watch = watch }));
    CHECK(ears.epochs == 3);
    CHECK(strstr(ears.lines.data, "left out: 'sub-03' has no age") != NULL);
    CHECK(test.count >= 3 && test.n_groups == 1 && strcmp(test.group_name[0], "sex") == 0);
    CHECK(isfinite(test.target.baseline[0][0]) && isfinite(test.target.baseline[1][0]));
    for (int i = 0; i < test.count; i++)
        CHECK(isfinite(test.predicted[i]) && isfinite(test.truth[i]) && strcmp(test.id[i], "sub-03") != 0);
    hf_predictions_free(&test);
    hf_text_free(&ears.lines);

    CHECK_OK(hf_run_train(NULL, recipe, two, NULL));
    CHECK(same_files(one, two, "last.safetensors") && same_files(one, two, "best.safetensors"));
    CHECK(same_files(one, two, "predictions-test.tsv"));

    CHECK_OK(hf_recipe_set(recipe, "train.epochs=1"));
    CHECK_OK(hf_run_train(NULL, recipe, three, NULL));
    CHECK(!same_files(one, three, "last.safetensors"));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=3"));
    CHECK_STATUS(hf_run_train(NULL, recipe, three, NULL), HF_ERR_ARGUMENT, "in use already");
    CHECK_OK(hf_run_train(NULL, recipe, three, &(hf_train_options){ .resume = true }));
    CHECK(same_files(one, three, "last.safetensors") && same_files(one, three, "best.safetensors"));
    CHECK(same_files(one, three, "recipe.yaml"));

    CHECK_OK(hf_recipe_set(recipe, "train.seed=2"));
    CHECK_STATUS(hf_run_train(NULL, recipe, three, &(hf_train_options){ .resume = true }), HF_ERR_ARGUMENT,
                 "was started with 'train.seed: 1', the recipe now says 'train.seed: 2'");
    CHECK_OK(hf_recipe_set(recipe, "train.seed=1"));
}

static bool stop_in_second_epoch(void *user)
{
    return ++*(int *)user > 3; /* two steps an epoch */
}

/* Asked to stop it ends after the step, says what it kept, and goes on to the same bits. */
static void test_stop(const char *root, const hf_recipe *recipe)
{
    char one[300], run[300];
    int steps = 2;
    snprintf(one, sizeof one, "%s/one", root);
    snprintf(run, sizeof run, "%s/stopped", root);
    const hf_train_options stopping = { .watch = { .stop = stop_in_second_epoch, .user = &steps } };
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &stopping), HF_ERR_STOPPED, "stopped in epoch 1, after step 2");
    CHECK(strstr(hf_error_message(), "is kept") == NULL && !hf_run_has(run, "last.safetensors"));
    steps = 0;
    const hf_train_options again = { .resume = true, .watch = stopping.watch };
    CHECK_STATUS(hf_run_train(NULL, recipe, run, &again), HF_ERR_STOPPED, "the checkpoint of the epoch before is kept");
    CHECK_OK(hf_run_train(NULL, recipe, run, &(hf_train_options){ .resume = true }));
    CHECK(same_files(one, run, "last.safetensors"));
}

/* Numbers that blow up stop the run; the folder keeps what it had. */
static void test_blow_up(const char *root, hf_recipe *recipe)
{
    char run[300];
    snprintf(run, sizeof run, "%s/wild", root);
    CHECK_OK(hf_recipe_set(recipe, "train.optimizer=sgd"));
    CHECK_OK(hf_recipe_set(recipe, "train.learning_rate=100"));
    CHECK_OK(hf_recipe_set(recipe, "train.epochs=30"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_NUMBER, "epoch 1");
    CHECK(!hf_run_has(run, "last.safetensors") && strstr(hf_error_message(), "is kept") == NULL);
}

static void test_refused_recipes(const char *root, hf_recipe *recipe)
{
    char run[300];
    snprintf(run, sizeof run, "%s/refused", root);
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=mmse"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "no column 'mmse'");
    CHECK(!hf_path_exists(run)); /* a refused start leaves no folder; one that was there stays */
    CHECK_OK(hf_make_dirs(run));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "no column 'mmse'");
    CHECK(hf_path_exists(run));
    CHECK_OK(hf_recipe_set(recipe, "cohort.target=age"));
    CHECK_OK(hf_recipe_set(recipe, "goal=classes"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT, "goal.classes: found 0, expected 2 to 16");
    CHECK_OK(hf_recipe_set(recipe, "goal=regression"));
    CHECK_OK(hf_recipe_set(recipe, "train.loss=cross-entropy"));
    CHECK_STATUS(hf_run_train(NULL, recipe, run, NULL), HF_ERR_ARGUMENT,
                 "goal regression with train.loss cross-entropy: mse or l1 is expected");
    CHECK_OK(hf_recipe_set(recipe, "train.loss="));
}

/* What cannot be written, and what cannot be flushed, is said as what it is; a line that was cut goes when the log is kept. */
static void test_log(const char *root)
{
    static const char *const devices[] = { "/dev/full", "/dev/null" }, *const said[] = { "cannot write",
                                                                                         "cannot flush" };
    char path[400];
    const hf_epoch epoch = { .epoch = 1, .train_loss = 1, .valid_loss = NAN };
    snprintf(path, sizeof path, "%s/log.jsonl", root);
    for (int i = 0; i < 2; i++) {
        CHECK(symlink(devices[i], path) == 0);
        CHECK_STATUS(hf_run_log_append(root, &epoch), HF_ERR_IO, said[i]);
        remove(path);
    }
    CHECK_OK(hf_run_log_append(root, &epoch));
    remove(path);
}

int main(void)
{
    char root[] = "/tmp/hf-trainer-XXXXXX", cohort[300];
    hf_recipe recipe = { 0 };
    if (begin_runs(root, cohort, &recipe)) {
        test_runs(root, &recipe);
        test_log(root);
        test_stop(root, &recipe);
        test_refused_recipes(root, &recipe);
        test_blow_up(root, &recipe);
    }
    return end_runs(root, &recipe, "trainer");
}
