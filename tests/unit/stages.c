/* stages.c: trainings of several parts: late fusion is two networks trained apart, bit for bit; an auxiliary output has a
 * loss and no say; an embedding that was trained beforehand begins as what it became, and held still does not move by a
 * bit; classes that are trained apart are reported as one. Each run here is of a small
 * network on a small synthetic clinical cohort, made by the test. */
#include "check.h"
#include "run/parts.h"

#include <stdlib.h>
#include <unistd.h>

enum { SUBJECTS = 24 };

static char root[] = "/tmp/hf-stages-XXXXXX";

/* A path in the test's folder; one of eight buffers that take turns. */
static const char *in_root(const char *name)
{
    static char path[8][300];
    static unsigned turn;
    char *next = path[turn++ % 8];
    snprintf(next, sizeof path[0], "%s/%s", root, name);
    return next;
}

/* The settings of every run here, then those of one: a list ended by NULL. */
static hf_recipe recipe_with(const char *const *settings)
{
    static const char *const common[] = {
        "goal=classes",
        "goal.classes=[CN, MCI, AD]",
        "cohort.target=diagnosis",
        "cohort.shape=16,16,16",
        "model.width=4",
        "model.blocks=2",
        "model.embedding=4",
        "split.method=random",
        "split.valid=0.25",
        "split.test=0.25",
        "split.seed=2",
        "train.epochs=1",
        "train.batch_size=4",
        "train.learning_rate=1e-2",
        "train.weight_decay=1e-3",
        "evaluate.bootstrap=100",
        "cohort.tabular=[AGE:zscore, \"PTGENDER:onehot(Female,Male)\", APOE4:zscore+missing]"
    };
    hf_recipe recipe = { 0 };
    char text[340];
    CHECK_OK(hf_recipe_defaults(&recipe));
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        CHECK_OK(hf_recipe_set(&recipe, common[i]));
    snprintf(text, sizeof text, "cohort.path=%s", in_root("cohort"));
    CHECK_OK(hf_recipe_set(&recipe, text));
    snprintf(text, sizeof text, "cohort.cache_dir=%s", in_root("cache"));
    CHECK_OK(hf_recipe_set(&recipe, text));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(&recipe, *settings));
    return recipe;
}

/* Trains into a new folder; what the test subjects got, freed by the caller. */
static hf_predictions train(const char *run, const char *const *settings)
{
    hf_recipe recipe = recipe_with(settings);
    hf_predictions test = { 0 };
    CHECK_OK(hf_run_train(&test, &recipe, in_root(run), NULL));
    hf_recipe_free(&recipe);
    return test;
}

static void refuse(const char *const *settings, const char *part)
{
    hf_recipe recipe = recipe_with(settings);
    CHECK_STATUS(hf_run_train(NULL, &recipe, in_root("refused"), NULL), HF_ERR_ARGUMENT, part);
    CHECK(!hf_path_exists(in_root("refused")));
    hf_recipe_free(&recipe);
}

static hf_archive checkpoint(const char *run, const char *name)
{
    char *path = NULL;
    hf_archive archive = { 0 };
    CHECK_OK(hf_path_join(&path, in_root(run), name));
    CHECK_OK(hf_archive_read(&archive, path));
    free(path);
    return archive;
}

/* How many tensors of `part` are in `whole` with the same bits, without those of the run itself. -1: one differs. */
static int same_tensors(const hf_archive *part, const hf_archive *whole)
{
    int same = 0;
    for (int i = 0; i < part->n_entries; i++) {
        const hf_entry *a = &part->entry[i], *b = hf_archive_find(whole, a->name);
        if (strncmp(a->name, "run.", 4) == 0) continue;
        const size_t bytes = (size_t)hf_shape_count(&a->shape) * sizeof(float);
        if (!b || !hf_shape_equal(&a->shape, &b->shape) || memcmp(a->data, b->data, bytes) != 0) return -1;
        same++;
    }
    return same;
}

/* ---- late fusion ------------------------------------------------------------------------------------------------- */

/* Each half of the network ends with the weights and moments that it has when trained by itself. */
static void check_halves(void)
{
    hf_archive image = checkpoint("image", HF_LAST_FILE), row = checkpoint("row", HF_LAST_FILE);
    hf_archive fused = checkpoint("fused", HF_LAST_FILE);
    const int of_image = same_tensors(&image, &fused), of_row = same_tensors(&row, &fused);
    CHECK(of_image > 20 && of_row > 10);
    CHECK(of_image + of_row == fused.n_entries - 1); /* all but the guard */
    hf_archive_free(&image);
    hf_archive_free(&row);
    hf_archive_free(&fused);
}

static void check_mixture(const hf_predictions *of, const hf_predictions *image, const hf_predictions *row,
                          double share)
{
    if (!CHECK(of->count == image->count && of->count == row->count && of->count > 3)) return;
    for (int i = 0; i < of->count * of->target.P; i++)
        CHECK_NEAR(of->predicted[i], share * image->predicted[i] + (1 - share) * row->predicted[i], 1e-6);
}

/* Eq. 7 and 8 of the paper, for each subject. */
static void check_entropies(const hf_predictions *of, const hf_predictions *image, const hf_predictions *row)
{
    const int P = of->target.P;
    for (int i = 0; i < of->count; i++) {
        const double *p[2] = { image->predicted + i * P, row->predicted + i * P };
        double h[2] = { 0, 0 };
        for (int k = 0; k < P; k++)
            for (int j = 0; j < 2; j++)
                h[j] -= p[j][k] * log(p[j][k]);
        for (int k = 0; k < P; k++)
            CHECK_NEAR(of->predicted[i * P + k], (p[0][k] / h[0] + p[1][k] / h[1]) / (1 / h[0] + 1 / h[1]), 1e-5);
    }
}

#define FUSED "model.name=ad-late-fusion"

static void test_late_fusion(void)
{
    hf_predictions image = train("image", (const char *[]){ "model.name=ad-image-only", NULL });
    hf_predictions row = train("row", (const char *[]){ "model.name=ad-tabular", NULL });
    hf_predictions fused = train("fused", (const char *[]){ FUSED, NULL });
    check_halves();
    check_mixture(&fused, &image, &row, 0.5);
    hf_predictions_free(&fused);
    fused = train("quarter", (const char *[]){ FUSED, "model.image_share=0.25", NULL });
    check_mixture(&fused, &image, &row, 0.25);
    hf_predictions_free(&fused);
    fused = train("none", (const char *[]){ FUSED, "model.image_share=0", NULL });
    check_mixture(&fused, &image, &row, 0);
    hf_predictions_free(&fused);
    fused = train("entropy", (const char *[]){ FUSED, "model.fusion=entropy", NULL });
    check_entropies(&fused, &image, &row);
    hf_predictions_free(&fused);
    hf_predictions_free(&image);
    hf_predictions_free(&row);
}

/* One image by itself, and as one of its cohort, whose views are averaged after the parts were. */
static void test_late_fusion_of_views(void)
{
    char image[300], age[32] = "", sex[32] = "", apoe[32] = "";
    const char *settings[] = { FUSED, "cohort.sides=both", NULL };
    hf_predictions test = train("sides", settings), one = { 0 };
    hf_table table = { 0 };
    CHECK_OK(hf_table_read(&table, in_root("cohort/participants.tsv")));
    for (int r = 0; r < table.rows; r++) {
        char **cell = table.cell + (size_t)r * (size_t)table.columns;
        if (strcmp(cell[0], test.id[0]) != 0) continue;
        snprintf(age, sizeof age, "AGE=%s", cell[hf_table_column(&table, "AGE")]);
        snprintf(sex, sizeof sex, "PTGENDER=%s", cell[hf_table_column(&table, "PTGENDER")]);
        const char *text = cell[hf_table_column(&table, "APOE4")];
        snprintf(apoe, sizeof apoe, "APOE4=%s", text ? text : "n/a");
    }
    snprintf(image, sizeof image, "%s/cohort/%s/anat/%s_T1w.nii.gz", root, test.id[0], test.id[0]);
    const char *pairs[] = { age, sex, apoe };
    if (CHECK_OK(hf_run_predict_image(&one, in_root("sides"), image, pairs, 3, NULL)))
        for (int k = 0; k < 3; k++)
            CHECK_NEAR(one.predicted[k], test.predicted[k], 1e-3); /* the cache holds 16 bits a voxel */
    hf_table_free(&table);
    hf_predictions_free(&one);
    hf_predictions_free(&test);
}

static void test_late_fusion_refused(void)
{
    refuse((const char *[]){ FUSED, "goal=regression", "goal.classes=[]", "cohort.target=AGE", "model.fusion=vote",
                             "cohort.tabular=[PTEDUCAT:zscore]", NULL },
           "model.fusion vote with goal regression: mean is expected");
}

/* ---- auxiliary output -------------------------------------------------------------------------------------------- */

static double farthest(const hf_predictions *a, const hf_predictions *b)
{
    double most = a->count == b->count ? 0 : INFINITY;
    for (int i = 0; most < INFINITY && i < a->count * a->target.P; i++)
        most = fmax(most, fabs(a->predicted[i] - b->predicted[i]));
    return most;
}

/* What it says is no part of the prediction; what it makes of the embedding is felt there as strongly as its loss. */
static void test_auxiliary(void)
{
#define PLAIN "model.name=ad-hyperfusion", "model.hyper_layers=block2.shortcut"
    hf_predictions plain = train("plain", (const char *[]){ PLAIN, NULL });
    hf_predictions weak = train("weak", (const char *[]){ PLAIN, "model.auxiliary_loss=1e-9", NULL });
    hf_predictions strong = train("strong", (const char *[]){ PLAIN, "model.auxiliary_loss=20", NULL });
    hf_archive after = checkpoint("strong", HF_LAST_FILE);
    CHECK(hf_archive_find(&after, "auxiliary.weight") && hf_archive_find(&after, "optimizer.m.auxiliary.bias"));
    CHECK(farthest(&plain, &weak) < 1e-3);
    CHECK(farthest(&plain, &strong) > 1e-3);
    hf_archive_free(&after);
    hf_predictions_free(&plain);
    hf_predictions_free(&weak);
    hf_predictions_free(&strong);
}

/* ---- pre-training ------------------------------------------------------------------------------------------------ */

#define BEFORE(embedding)                                                                                              \
    embedding, "pretrain.epochs=3", "pretrain.batch_size=6", "pretrain.learning_rate=1e-2",                            \
        "pretrain.class_weights=[inverse]"

/* Tensors of a network's embedding that are what the table's network has, of those called so here; -1: one is not. */
static int same_embedding(const hf_archive *whole, const hf_archive *table, const char *place, bool parameters_only)
{
    int same = 0;
    char name[128];
    for (int i = 0; i < table->n_entries; i++) {
        const hf_entry *a = &table->entry[i];
        snprintf(name, sizeof name, "%s%s", place, a->name);
        const hf_entry *b = hf_archive_find(whole, name);
        if (strncmp(a->name, "run.", 4) == 0 || !b) continue;
        if (parameters_only && strstr(name, "running")) continue;
        if (memcmp(a->data, b->data, (size_t)hf_shape_count(&a->shape) * sizeof(float)) != 0) return -1;
        same++;
    }
    return same;
}

/* What is held still: as it was left by the stage, after steps that moved the rest; neither trained nor counted. */
static void test_frozen(void)
{
    hf_run_summary frozen, plain;
    hf_predictions test =
        train("frozen", (const char *[]){ PLAIN, BEFORE("pretrain.embedding=frozen"), "train.epochs=2", NULL });
    hf_archive after = checkpoint("frozen", HF_LAST_FILE), before = checkpoint("frozen/embedding", HF_BEST_FILE);
    CHECK(same_embedding(&after, &before, "block2.shortcut.", false) == 7); /* running statistics too */
    CHECK(!hf_archive_find(&after, "optimizer.m.block2.shortcut.embedding.linear.weight"));
    CHECK(hf_archive_find(&after, "optimizer.m.block2.shortcut.weight_generator.weight"));
    CHECK_OK(hf_run_summary_read(&frozen, in_root("frozen")));
    CHECK_OK(hf_run_summary_read(&plain, in_root("plain")));
    CHECK(plain.parameters - frozen.parameters == 5 * 4 + 4 + 8 + 1);
    hf_archive_free(&after);
    hf_archive_free(&before);
    hf_predictions_free(&test);
}

/* With steps too small to change a number the embedding ends as it began: as its best epoch alone. */
static void test_fine_tuned(void)
{
    hf_predictions still =
        train("still", (const char *[]){ PLAIN, BEFORE("pretrain.embedding=fine-tuned"), "train.learning_rate=1e-12",
                                         "train.weight_decay=0", NULL });
    hf_predictions moved = train("moved", (const char *[]){ PLAIN, BEFORE("pretrain.embedding=fine-tuned"), NULL });
    hf_archive before = checkpoint("still/embedding", HF_BEST_FILE);
    hf_archive a = checkpoint("still", HF_LAST_FILE), b = checkpoint("moved", HF_LAST_FILE);
    CHECK(same_embedding(&a, &before, "block2.shortcut.", true) == 5);
    CHECK(same_embedding(&b, &before, "block2.shortcut.", true) == -1);
    hf_archive_free(&a);
    hf_archive_free(&b);
    hf_archive_free(&before);
    hf_predictions_free(&still);
    hf_predictions_free(&moved);
}

/* What the recipe says of the rate and of an early end is for the network, and would not fit the stage. */
static void test_own_schedule(void)
{
    hf_predictions test =
        train("slow", (const char *[]){ PLAIN, BEFORE("pretrain.embedding=fine-tuned"), "train.epochs=4",
                                        "train.warmup_epochs=3", "train.patience=1", NULL });
    hf_run_summary stage;
    CHECK_OK(hf_run_summary_read(&stage, in_root("slow/embedding")));
    hf_predictions_free(&test);
}

/* The table's half of late fusion, all of it trained beforehand and held still: its own best epoch, and no loss. */
static void test_frozen_fusion(void)
{
    hf_predictions image = train("image2", (const char *[]){ "model.name=ad-image-only", "train.epochs=2", NULL });
    hf_predictions test =
        train("fused2", (const char *[]){ FUSED, BEFORE("pretrain.embedding=frozen"), "train.epochs=2", NULL });
    hf_archive after = checkpoint("fused2", HF_LAST_FILE), table = checkpoint("fused2/embedding", HF_BEST_FILE);
    hf_archive alone = checkpoint("image2", HF_LAST_FILE);
    CHECK(same_tensors(&table, &after) == 9); /* the last layer too */
    CHECK(same_tensors(&alone, &after) > 20);
    CHECK(!hf_archive_find(&after, "optimizer.m.fc.weight"));
    hf_archive_free(&after);
    hf_archive_free(&table);
    hf_archive_free(&alone);
    hf_predictions_free(&image);
    hf_predictions_free(&test);
}

#define VGG "model.name=brain-age-hyperfusion"

/* In a network whose layers have an embedding each, all of them. */
static void test_every_layer(void)
{
    static const char *const layers[] = { "linear1.", "linear2.", "linear3.", "final_layer." };
    hf_predictions test =
        train("vgg", (const char *[]){ VGG, BEFORE("pretrain.embedding=frozen"), "model.embedding_kind=mlp", NULL });
    hf_archive after = checkpoint("vgg", HF_LAST_FILE), before = checkpoint("vgg/embedding", HF_BEST_FILE);
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        CHECK(same_embedding(&after, &before, layers[i], false) == 7);
    hf_archive_free(&after);
    hf_archive_free(&before);
    hf_predictions_free(&test);
}

static bool stop_in_stage(void *user)
{
    return --*(int *)user <= 0;
}

/* Stopped in the stage and once more behind it, then gone on with: the same bytes as one that was left alone. */
static void test_stopped_stage(void)
{
    const char *settings[] = { PLAIN, BEFORE("pretrain.embedding=fine-tuned"), "train.epochs=2", NULL };
    hf_recipe recipe = recipe_with(settings);
    hf_predictions whole = train("whole", settings);
    int steps = 5; /* of 2 an epoch */
    hf_train_options how = { .resume = true, .watch = { .stop = stop_in_stage, .user = &steps } };
    CHECK_STATUS(hf_run_train(NULL, &recipe, in_root("broken"), &how), HF_ERR_STOPPED, "stopped in epoch 3");
    CHECK(!hf_path_exists(in_root("broken/last.safetensors")));
    steps = 6; /* one of the stage is left, then 3 an epoch */
    CHECK_STATUS(hf_run_train(NULL, &recipe, in_root("broken"), &how), HF_ERR_STOPPED, "stopped in epoch 2");
    how.watch.stop = NULL;
    CHECK_OK(hf_run_train(NULL, &recipe, in_root("broken"), &how));
    hf_archive a = checkpoint("whole", HF_LAST_FILE), b = checkpoint("broken", HF_LAST_FILE);
    CHECK(same_tensors(&a, &b) == a.n_entries - 1);
    hf_archive_free(&a);
    hf_archive_free(&b);
    hf_recipe_free(&recipe);
    hf_predictions_free(&whole);
}

static void test_pretraining_refused(void)
{
    refuse((const char *[]){ "model.name=ad-hyperfusion-mix", BEFORE("pretrain.embedding=frozen"), NULL },
           "the network 'ad-hyperfusion-mix' has no embedding that the table row alone makes");
    refuse((const char *[]){ PLAIN, BEFORE("pretrain.embedding=frozen"), "pretrain.class_weights=[1, 2]", NULL },
           "pretrain: train.class_weights: found 2, expected one for each");
    refuse((const char *[]){ VGG, BEFORE("pretrain.embedding=frozen"), "model.embedding=0",
                             "cohort.tabular=PTGENDER:onehot(F,M)", NULL },
           "pretrain.embedding frozen: the network has no embedding like that of 'ad-tabular'");
}

/* ---- five classes ------------------------------------------------------------------------------------------------ */

#define FIVE "goal.classes=[CN, EMCI, LMCI, MCI, AD]", "model.name=ad-image-only"

/* Every other of those with MCI has an early one, every fourth a late one. */
static void write_fine_table(void)
{
    hf_table table = { 0 };
    hf_text text = { 0 };
    int seen = 0;
    CHECK_OK(hf_table_read(&table, in_root("cohort/participants.tsv")));
    const int diagnosis = hf_table_column(&table, "diagnosis");
    hf_text_add(&text, "participant_id\tdiagnosis\n");
    for (int r = 0; r < table.rows; r++) {
        static const char *const fine[] = { "EMCI", "MCI", "EMCI", "LMCI" };
        char **cell = table.cell + (size_t)r * (size_t)table.columns;
        const char *name = cell[diagnosis];
        if (strcmp(name, "MCI") == 0) name = fine[seen++ % 4];
        hf_table_add_row(&text, (const char *[]){ cell[0], name }, 2);
    }
    CHECK(seen > 8);
    CHECK_OK(hf_file_write(in_root("cohort/fine.tsv"), text.data, text.size));
    hf_text_free(&text);
    hf_table_free(&table);
}

/* The same training to the last bit; what is reported is the sum of what was told apart. */
static void test_collapsed_run(void)
{
    char table[340];
    snprintf(table, sizeof table, "cohort.table=%s", in_root("cohort/fine.tsv"));
    write_fine_table();
    const char *fine[] = { FIVE, table, "cohort.tabular=[]", "split.test=0.4", "split.valid=0.1", NULL };
    const char *coarse[] = {
        FIVE, table, "cohort.tabular=[]", "split.test=0.4", "split.valid=0.1", "goal.collapse=[EMCI=MCI, LMCI=MCI]",
        NULL
    };
    hf_predictions five = train("five", fine), three = train("three", coarse);
    hf_archive a = checkpoint("five", HF_LAST_FILE), b = checkpoint("three", HF_LAST_FILE);
    CHECK(same_tensors(&a, &b) == a.n_entries - 1);
    int apart = 0;
    if (CHECK(five.target.P == 5 && three.target.P == 3 && five.count == three.count))
        for (int i = 0; i < five.count; i++) {
            const double *p = five.predicted + 5 * i, *q = three.predicted + 3 * i;
            const int truth = (int)five.truth[i], shown = (int)three.truth[i];
            CHECK_NEAR(q[0], p[0], 1e-12);
            CHECK_NEAR(q[1], p[1] + p[2] + p[3], 1e-12);
            CHECK_NEAR(q[2], p[4], 1e-12);
            CHECK(shown == (truth == 0 ? 0 : truth == 4 ? 2 : 1));
            apart += truth == 1 || truth == 2;
        }
    CHECK(apart > 0);
    hf_archive_free(&a);
    hf_archive_free(&b);
    hf_predictions_free(&five);
    hf_predictions_free(&three);
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

int main(void)
{
    const hf_synth_options cohort = { .task = "ad", .subjects = SUBJECTS, .shape = { 16, 16, 16 }, .seed = 5 };
    if (!CHECK(mkdtemp(root) != NULL)) return check_done("stages");
    if (CHECK_OK(hf_cohort_make(in_root("cohort"), &cohort))) {
        test_late_fusion();
        test_late_fusion_of_views();
        test_late_fusion_refused();
        test_auxiliary();
        test_frozen();
        test_fine_tuned();
        test_own_schedule();
        test_frozen_fusion();
        test_every_layer();
        test_stopped_stage();
        test_pretraining_refused();
        test_collapsed_run();
    }
    check_remove_tree(root);
    return check_done("stages");
}
