/* pretrain.c: a stage before the first epoch. The embedding of a network is trained by the table row alone, as the first
 * layers of the network's `table`, and put into the network, to be trained on or held still.
 *
 * The stage is a run of its own in the folder "embedding" of the run: the same recipe, subjects and split, with another
 * network and the settings of `pretrain`. So it can be killed and resumed like any run, it has a log, checkpoints and a
 * report, and its best epoch is chosen by the validation subjects. */
#include "data.h"
#include "folder.h"
#include "learned.h"
#include "network.h"
#include "stage.h"
#include "watch.h"
#include <stdlib.h>
#include <string.h>

#define STAGE "embedding"

bool hf_run_pretrains(const hf_recipe *recipe)
{
    return strcmp(recipe->pretrain.embedding, "fresh") != 0;
}

/* ---- its recipe -------------------------------------------------------------------------------------------------- */

/* The network of the row alone that the recipe's network begins with. */
static hf_status find_table(const hf_network **out, const hf_recipe *recipe)
{
    const hf_network *kind;
    HF_TRY(hf_run_network_find(&kind, recipe));
    *out = kind->table ? hf_network_find(kind->table) : NULL;
    if (*out) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT,
                   "pretrain.embedding %s: the network '%s' has no embedding that the table row alone makes; fresh is "
                   "expected",
                   recipe->pretrain.embedding, kind->name);
}

static hf_status set_network(hf_recipe *recipe, const char *network)
{
    static const char *const settings[] = { "model.hyper_layers=",      "model.concat_layers=",
                                            "pretrain.embedding=fresh", "train.schedule=constant",
                                            "train.warmup_epochs=0",    "train.patience=0" };
    hf_text name = { 0 };
    hf_text_add(&name, "model.name=%s", network);
    hf_status status = hf_text_check(&name);
    if (status == HF_OK) status = hf_recipe_set(recipe, name.data);
    for (size_t i = 0; status == HF_OK && i < sizeof settings / sizeof settings[0]; i++)
        status = hf_recipe_set(recipe, settings[i]);
    hf_text_free(&name);
    return status;
}

static void set_training(hf_recipe *recipe)
{
    const hf_texts weights = recipe->pretrain.class_weights;
    recipe->train.epochs = recipe->pretrain.epochs;
    recipe->train.batch_size = recipe->pretrain.batch_size;
    recipe->train.learning_rate = recipe->pretrain.learning_rate;
    recipe->train.weight_decay = recipe->pretrain.weight_decay;
    if (weights.count == 0) return;
    recipe->pretrain.class_weights = recipe->train.class_weights; /* each is freed once */
    recipe->train.class_weights = weights;
    recipe->train.oversample = false;
}

static hf_status stage_recipe(hf_recipe *out, const hf_recipe *recipe)
{
    const hf_network *table;
    hf_target target;
    HF_TRY(find_table(&table, recipe));
    HF_TRY(hf_recipe_copy(out, recipe));
    set_training(out);
    hf_status status = set_network(out, table->name);
    if (status == HF_OK) status = hf_target_set(&target, out);
    if (status == HF_OK) return HF_OK;
    hf_recipe_free(out);
    return hf_fail_in(status, "pretrain");
}

hf_status hf_run_pretrain_check(const hf_recipe *recipe)
{
    hf_recipe stage;
    if (!hf_run_pretrains(recipe)) return HF_OK;
    HF_TRY(stage_recipe(&stage, recipe));
    hf_recipe_free(&stage);
    return HF_OK;
}

/* ---- watching ---------------------------------------------------------------------------------------------------- */

static void say(void *user, const char *line)
{
    hf_watch_say(user, STAGE ": %s", line);
}

static void progress(void *user, const char *what, int done, int total, double loss)
{
    hf_watch_progress(user, strcmp(what, "training") == 0 ? "pre-training" : what, done, total, loss);
}

static void epoch(void *user, const hf_epoch *done)
{
    const hf_watch *watch = user;
    hf_epoch of_stage = *done;
    of_stage.stage = STAGE;
    if (watch->epoch) watch->epoch(watch->user, &of_stage);
}

static bool stop(void *user)
{
    const hf_watch *watch = user;
    return watch->stop && watch->stop(watch->user);
}

/* ---- what it leaves ---------------------------------------------------------------------------------------------- */

/* What the network of the row alone calls a tensor of the network. */
static const char *name_in_stage(const char *name)
{
    const char *at = strstr(name, "embedding.");
    return at ? at : name;
}

static hf_status fill(hf_model *model, const hf_archive *stage, const hf_recipe *recipe)
{
    int filled = 0;
    for (int i = 0; i < hf_model_named_count(model); i++) {
        char had[96], has[96];
        const hf_named to = hf_model_named(model, i);
        const hf_shape *shape = &to.value.desc.shape;
        const hf_entry *from = hf_archive_find(stage, name_in_stage(to.name));
        if (!from) continue;
        if (!hf_shape_equal(shape, &from->shape))
            return hf_fail(HF_ERR_SHAPE, "'%s' is %s, that of '%s' is %s; another model.embedding may fit both",
                           to.name, hf_shape_text(shape, has), recipe->model.name, hf_shape_text(&from->shape, had));
        HF_TRY(hf_tensor_write(&to.value, from->data, hf_shape_count(shape)));
        filled++;
    }
    if (filled) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT,
                   "the network has no embedding like that of '%s'; another model.embedding_kind may fit both",
                   recipe->model.name);
}

static hf_status take(hf_run_stage *out, hf_model *model, const char *subjects, const char *folder)
{
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed fixed = { 0 };
    hf_run_progress come;
    hf_status status = hf_run_checkpoint_read(&archive, &fixed, &come, &recipe, folder, HF_BEST_FILE);
    const char *was = status == HF_OK ? hf_archive_find_text(&archive, HF_SUBJECTS_TEXT) : NULL;
    if (status == HF_OK) status = hf_run_same_subjects(was ? was : "", subjects);
    if (status == HF_OK) status = fill(model, &archive, &recipe);
    if (status == HF_OK) *out = (hf_run_stage){ recipe.train.epochs, come.best_epoch, come.best_value };
    hf_encoder_free(&fixed.encoder);
    hf_archive_free(&archive);
    hf_recipe_free(&recipe);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "'%s'", folder);
}

/* ---- the stage --------------------------------------------------------------------------------------------------- */

hf_status hf_run_pretrain_shapes(const hf_run_network *network, const hf_recipe *recipe, int width)
{
    hf_status status;
    hf_recipe of_stage = { 0 };
    hf_run_network stage = { 0 };
    hf_archive archive = { 0 };
    const int one[3] = { 1, 1, 1 }, batch[HF_N_STEPS] = { [HF_STEP_EVALUATE] = 1 };
    HF_TRY(stage_recipe(&of_stage, recipe));
    HF_TRY_OUT(hf_run_network_plan(&stage, &of_stage, network->target, hf_context_device(network->context)->id, one,
                                   width, batch, NULL, 0));
    HF_TRY_OUT(hf_run_network_bind(&stage, &of_stage, false));
    HF_TRY_OUT(hf_model_save(stage.model, &archive));
    status = fill(network->model, &archive, &of_stage); /* initial values, which the trained ones will replace */
out:
    hf_archive_free(&archive);
    hf_run_network_free(&stage);
    hf_recipe_free(&of_stage);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "pretrain.embedding %s", recipe->pretrain.embedding);
}

static hf_status train(const hf_recipe *recipe, const char *folder, const hf_train_options *options)
{
    hf_recipe stage;
    const hf_train_options how = {
        .device = options->device,
        .resume = hf_run_has(folder, HF_RECIPE_FILE),
        .watch = { .say = say, .progress = progress, .epoch = epoch, .stop = stop, .user = (void *)&options->watch }
    };
    if (hf_run_has(folder, HF_REPORT_FILE)) return HF_OK; /* the last thing that a run writes */
    HF_TRY(stage_recipe(&stage, recipe));
    const hf_status status = hf_run_train(NULL, &stage, folder, &how);
    hf_recipe_free(&stage);
    return status;
}

hf_status hf_run_pretrain(hf_run_stage *out, hf_run_network *network, const hf_recipe *recipe, const char *subjects,
                          const char *folder, const hf_train_options *options)
{
    char *path = NULL;
    hf_status status = hf_run_file(&path, folder, STAGE);
    if (status == HF_OK) status = train(recipe, path, options);
    if (status == HF_OK) status = take(out, network->model, subjects, path);
    free(path);
    return status;
}
