/* What a recipe may ask of training beside the published settings: clipped gradients, the learning rate on a plateau, an early
 * end, all of it the same bits after a stop in the middle; and the debugging run on a few batches, which never says
 * anything of the test subjects. */
#include "check.h"
#include "brain_cohort.h"

#include <unistd.h>

/* ---- clipping ---------------------------------------------------------------------------------------------------- */

enum { COUNT = 1500 }; /* parameters, several partial sums of them */

/* One step of gradient descent from 0 with these gradients in two tensors: what the parameters are then. */
static void step_once(float *out, const float *gradient, double clip_norm)
{
    hf_status status;
    hf_context *context = NULL;
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_optimizer *optimizer = NULL;
    const hf_optimizer_options options = { .kind = HF_SGD, .learning_rate = 0.5, .clip_norm = clip_norm };
    HF_TRY_OUT(hf_context_new(&context, NULL, NULL));
    HF_TRY_OUT(hf_model_new(&model, context, 1));
    HF_TRY_OUT(hf_graph_new(&graph, model, true));
    hf_parameter(graph, "a", HF_SHAPE(COUNT - 7), (hf_init){ HF_INIT_CONSTANT, 0 });
    hf_parameter(graph, "b", HF_SHAPE(7), (hf_init){ HF_INIT_CONSTANT, 0 });
    HF_TRY_OUT(hf_optimizer_new(&optimizer, model, &options));
    const hf_named a = hf_model_named(model, 0), b = hf_model_named(model, 1);
    for (int times = 0; times < 2; times++) { /* the second step starts from the whole factor again */
        HF_TRY_OUT(hf_tensor_write(&a.gradient, gradient, COUNT - 7));
        HF_TRY_OUT(hf_tensor_write(&b.gradient, gradient + COUNT - 7, 7));
        HF_TRY_OUT(hf_optimizer_step(optimizer));
    }
    HF_TRY_OUT(hf_tensor_read(&a.value, out, COUNT - 7));
    HF_TRY_OUT(hf_tensor_read(&b.value, out + COUNT - 7, 7));
out:
    CHECK_OK(status);
    hf_optimizer_free(&optimizer);
    hf_graph_free(&graph);
    hf_model_free(&model);
    hf_context_free(&context);
}

static void test_clipping(void)
{
    static float gradient[COUNT], moved[3][COUNT];
    double norm = 0, worst = 0;
    for (int i = 0; i < COUNT; i++) {
        gradient[i] = (float)hf_random_normal(3, 4, (uint64_t)i);
        norm += (double)gradient[i] * gradient[i];
    }
    norm = sqrt(norm);
    step_once(moved[0], gradient, 0);
    step_once(moved[1], gradient, 2 * norm); /* nothing to clip: the same bits */
    step_once(moved[2], gradient, 3);
    CHECK(memcmp(moved[0], moved[1], sizeof moved[0]) == 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_NEAR(moved[0][i], -gradient[i], 0); /* two steps of half the gradient */
        worst = fmax(worst, fabs(moved[2][i] + gradient[i] * 3 / norm));
    }
    CHECK_NEAR(worst, 0, 1e-6);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void say(void *user, const char *line)
{
    hf_text_add(user, "%s\n", line);
}

static bool stop_soon(void *user)
{
    return ++*(int *)user > 5; /* two steps an epoch: in the third */
}

static void set(hf_recipe *out, const hf_recipe *recipe, const char *const *settings)
{
    CHECK_OK(hf_recipe_copy(out, recipe));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(out, *settings));
}
#define SET(out, recipe, ...) set(out, recipe, (const char *const[]){ __VA_ARGS__, NULL })

/* Numbers called `key` of the lines of a run's log. */
static int read_log(double *out, int room, const char *folder, const char *key)
{
    char path[400], wanted[64];
    void *text = NULL;
    size_t size = 0;
    int count = 0;
    snprintf(path, sizeof path, "%s/log.jsonl", folder);
    snprintf(wanted, sizeof wanted, "\"%s\": ", key);
    if (!CHECK_OK(hf_file_read(&text, &size, path, 1 << 20))) return 0;
    for (const char *at = text; count < room && (at = strstr(at, wanted)); count++) {
        at += strlen(wanted);
        out[count] = strtod(at, NULL);
    }
    free(text);
    return count;
}

/* Plateau and patience on the log of a run: the rates and the end follow from the metric, epoch by epoch; and a run that is
 * stopped in the third epoch and resumed ends with the same bytes. More patience lets it go on. */
static void test_early_end(const char *root, const hf_recipe *recipe)
{
    enum { MOST = 20 };
    char whole[300], cut[300];
    double mae[MOST] = { 0 }, rates[MOST] = { 0 }, best = INFINITY, rate = 0.03125;
    int steps = 0, best_epoch = 0, cut_epoch = 0, epoch = 0;
    hf_recipe own = { 0 };
    hf_text lines = { 0 };
    snprintf(whole, sizeof whole, "%s/whole", root);
    snprintf(cut, sizeof cut, "%s/cut", root);
    SET(&own, recipe, "train.epochs=20", "train.learning_rate=0.03125", "train.schedule=plateau", "train.decay=0.25",
        "train.decay_epochs=1", "train.patience=2", "train.clip_norm=10", "train.flip=true");
    const hf_watch watch = { .say = say, .user = &lines };
    CHECK_OK(hf_run_train(NULL, &own, whole, &(hf_train_options){ .watch = watch }));
    const int epochs = read_log(mae, MOST, whole, "mae");
    CHECK(read_log(rates, MOST, whole, "learning_rate") == epochs);
    while (epoch < MOST && epoch - best_epoch < 2) {
        CHECK_NEAR(rates[epoch], rate, 1e-9 * rate);
        if (mae[epoch] < best) best = mae[epoch], best_epoch = epoch + 1;
        epoch++;
        if (epoch - (best_epoch > cut_epoch ? best_epoch : cut_epoch) >= 1) rate /= 4, cut_epoch = epoch;
    }
    CHECK(epochs == epoch && epochs < MOST); /* such a rate does end it early */
    CHECK(lines.data && strstr(lines.data, "stopped early: no better MAE since epoch "));
    CHECK(lines.data && strstr(lines.data, "1 epochs without a better MAE: the learning rate is reduced"));
    hf_text_free(&lines);

    const hf_watch stopping = { .stop = stop_soon, .user = &steps };
    CHECK_STATUS(hf_run_train(NULL, &own, cut, &(hf_train_options){ .watch = stopping }), HF_ERR_STOPPED, "is kept");
    CHECK_OK(hf_run_train(NULL, &own, cut, &(hf_train_options){ .resume = true }));
    CHECK(same_files(whole, cut, "last.safetensors") && same_files(whole, cut, "best.safetensors"));
    CHECK_OK(hf_run_train(NULL, &own, cut, &(hf_train_options){ .resume = true })); /* nothing is left to do */
    CHECK(same_files(whole, cut, "last.safetensors"));
    CHECK_OK(hf_recipe_set(&own, "train.patience=0"));
    char longer[32];
    snprintf(longer, sizeof longer, "train.epochs=%d", epochs + 1);
    CHECK_OK(hf_recipe_set(&own, longer));
    CHECK_OK(hf_run_train(NULL, &own, cut, &(hf_train_options){ .resume = true }));
    CHECK(read_log(mae, MOST, cut, "mae") == epochs + 1);

    CHECK_OK(hf_recipe_set(&own, "split.valid=0"));
    snprintf(cut, sizeof cut, "%s/nobody", root);
    CHECK_STATUS(hf_run_train(NULL, &own, cut, NULL), HF_ERR_ARGUMENT,
                 "train.schedule plateau needs validation subjects");
    CHECK(!hf_path_exists(cut));
    hf_recipe_free(&own);
}

/* ---- a few batches ----------------------------------------------------------------------------------------------- */

static void check_page(const char *run)
{
    char path[400];
    void *page = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/report.html", run);
    if (!CHECK_OK(hf_file_read(&page, &size, path, 1 << 24))) return;
    CHECK(strstr(page, "Nothing here is a result.") && !strstr(page, "Test results"));
    free(page);
}

/* One batch by heart: the loss falls to nearly nothing although dropout and augmentation are asked for, the metric is that of
 * the same subjects, and nothing is said of the test subjects, whoever asks. */
static void test_overfit(const char *root, const hf_recipe *recipe)
{
    enum { EPOCHS = 25 };
    char run[300], path[400];
    double loss[EPOCHS] = { 0 }, mae[EPOCHS] = { 0 };
    hf_recipe own = { 0 };
    hf_text lines = { 0 };
    hf_predictions test = { 0 };
    snprintf(run, sizeof run, "%s/overfit", root);
    SET(&own, recipe, "train.epochs=25", "train.learning_rate=1e-3", "train.overfit_batches=1", "train.batch_size=3",
        "train.flip=true", "train.noise=1", "train.noise_sd=3", "model.dropout=0.9", "model.momentum=0.5",
        "split.valid=0");
    const hf_watch watch = { .say = say, .user = &lines };
    CHECK_OK(hf_run_train(&test, &own, run, &(hf_train_options){ .watch = watch }));
    CHECK(test.count == 0);
    CHECK(lines.data && strstr(lines.data, "DEBUGGING RUN: train.overfit_batches trains on 3 samples alone"));
    CHECK(read_log(loss, EPOCHS, run, "train_loss") == EPOCHS && read_log(mae, EPOCHS, run, "mae") == EPOCHS);
    CHECK(loss[EPOCHS - 1] < 0.1 * loss[0] && mae[EPOCHS - 1] < 0.5 * mae[0]);
    snprintf(path, sizeof path, "%s/predictions-test.tsv", run);
    CHECK(!hf_path_exists(path));
    CHECK_STATUS(hf_run_predict(&test, run, &(hf_evaluate_options){ .part = HF_TEST }), HF_ERR_ARGUMENT,
                 "is a debugging run (train.overfit_batches): it has no results");
    check_page(run);
    hf_text_free(&lines);
    hf_recipe_free(&own);
}

/* With weights that stand still, two batches have the same loss in every epoch only when each holds the same subjects, because
 * batch norm makes a subject's part of it depend on the others; and when nothing else is random. */
static void test_same_batches(const char *root, const hf_recipe *recipe)
{
    char run[300];
    double loss[3] = { 0 };
    hf_recipe own = { 0 };
    snprintf(run, sizeof run, "%s/still", root);
    SET(&own, recipe, "train.learning_rate=1e-12", "train.overfit_batches=2", "train.batch_size=3", "train.flip=true",
        "train.noise=1");
    CHECK_OK(hf_run_train(NULL, &own, run, NULL));
    CHECK(read_log(loss, 3, run, "train_loss") == 3);
    CHECK_NEAR(loss[1], loss[0], 1e-6 * loss[0]);
    CHECK_NEAR(loss[2], loss[0], 1e-6 * loss[0]);
    hf_recipe_free(&own);
}

int main(void)
{
    char root[] = "/tmp/hf-options-XXXXXX", cohort[300], cache[300];
    hf_recipe recipe = { 0 };
    test_clipping();
    if (!CHECK(mkdtemp(root) != NULL)) return check_done("training_options");
    snprintf(cohort, sizeof cohort, "%s/cohort", root);
    snprintf(cache, sizeof cache, "%s/cache", root);
    if (CHECK_OK(make_cohort(cohort)) && CHECK_OK(make_recipe(&recipe, cohort, cache))) {
        test_early_end(root, &recipe);
        test_overfit(root, &recipe);
        test_same_batches(root, &recipe);
    }
    hf_recipe_free(&recipe);
    check_remove_tree(root);
    return check_done("training_options");
}
