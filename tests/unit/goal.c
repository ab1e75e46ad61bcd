/* Checks goals: what settings are refused; the truth of a table; losses against known numbers, and their nodes against
 * their values on the host; links, baselines, starts; predictions written and read back; scores that do not depend on the
 * order of subjects. */
#include "check.h"
#include "goal/goal.h"

#include <unistd.h>

static hf_recipe recipe;

static void set(const char *const *settings)
{
    hf_recipe_free(&recipe);
    CHECK_OK(hf_recipe_defaults(&recipe));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(&recipe, *settings));
}
#define SET(...) set((const char *const[]){ __VA_ARGS__, NULL })

static hf_target target_of(void)
{
    hf_target target = { 0 };
    CHECK_OK(hf_target_set(&target, &recipe));
    return target;
}

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static void test_refused(void)
{
    static const struct {
        const char *set[3], *message;
    } rows[] = {
        { { "goal=classes" }, "goal.classes: found 0, expected 2 to 16" },
        { { "goal=classes", "goal.classes=CN" }, "goal.classes: found 1" },
        { { "goal=classes", "goal.classes=[CN, AD]", "goal.merge=MCI" },
          "goal.merge: found 'MCI', expected NAME=CLASS" },
        { { "goal=classes", "goal.classes=[CN, AD]", "goal.merge=MCI=ADD" }, "goal.merge: found 'MCI=ADD'" },
        { { "goal=classes", "goal.classes=[CN, AD]", "goal.merge=CN=AD" }, "'CN' is named twice" },
        { { "goal=classes", "goal.classes=[CN, CN]" }, "'CN' is named twice" },
        { { "goal=binary", "goal.classes=[a, b, c]" }, "goal binary: goal.classes has 3 names, expected two" },
        { { "goal=classes", "goal.classes=[a, b]", "train.class_weights=[1, 2, 3]" },
          "found 3, expected one for each" },
        { { "goal=classes", "goal.classes=[a, b]", "train.class_weights=[1, x]" },
          "found 'x', expected a number above 0" },
        { { "goal=classes", "goal.classes=[a, b]", "train.class_weights=[1, 0]" },
          "found '0', expected a number above 0" },
        { { "goal=classes", "goal.classes=[a, b]", "train.loss=mse" },
          "with train.loss mse: cross-entropy is expected" },
        { { "goal=ordinal", "goal.classes=[a]" }, "goal.classes: found 1" },
        { { "goal=ordinal", "goal.classes=[a, b]", "train.class_weights=inverse" },
          "goal ordinal: train.class_weights do not go with it" },
        { { "goal=ordinal", "goal.classes=[a, b, c]", "goal.collapse=c=b" }, "goal ordinal: goal.collapse does not" },
        { { "goal=ordinal", "goal.classes=[a, b]", "train.loss=mse" }, "with train.loss mse: coral is expected" },
        { { "goal=ordinal", "goal.classes=[a, b]", "goal.event=c" }, "goal ordinal has no use for a second column" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=d=a" },
          "goal.collapse: found 'd=a', expected CLASS" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=b" }, "goal.collapse: found 'b'" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=b=" }, "goal.collapse: found 'b='" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=[b=a, b=c]" }, "goal.collapse: found 'b=c'" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=[b=a, c=b]" }, "goal.collapse: found 'c=b'" },
        { { "goal=classes", "goal.classes=[a, b, c]", "goal.collapse=[b=a, c=a]" }, "all classes are reported as 'a'" },
        { { "goal=binary", "goal.classes=[a, b]", "goal.collapse=b=a" }, "all classes are reported as 'a'" },
        { { "goal.collapse=b=a" }, "goal.merge and goal.collapse do not go with it" },
        { { "goal.classes=[a, b]" }, "goal regression predicts a number" },
        { { "train.oversample=true" }, "goal regression has no classes" },
        { { "train.loss=cross-entropy" }, "goal regression with train.loss cross-entropy: mse or l1 is expected" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hf_target target;
        hf_recipe_free(&recipe);
        CHECK_OK(hf_recipe_defaults(&recipe));
        for (int k = 0; k < 3 && rows[i].set[k]; k++)
            CHECK_OK(hf_recipe_set(&recipe, rows[i].set[k]));
        if (!CHECK_STATUS(hf_target_set(&target, &recipe), HF_ERR_ARGUMENT, rows[i].message))
            fprintf(stderr, "    %s\n", rows[i].set[0]);
    }
    SET("goal=classes", "goal.classes=[a, b]", "train.class_weights=inverse");
    CHECK_OK(hf_recipe_set(&recipe, "train.oversample=true"));
    hf_target target;
    CHECK_STATUS(hf_target_set(&target, &recipe), HF_ERR_ARGUMENT, "one of the two is expected");
    SET("goal=classes", "goal.classes=[a, b]");
    CHECK_OK(hf_goal_resolve(&recipe));
    CHECK(strcmp(recipe.train.loss, "cross-entropy") == 0);
    SET("train.loss=");
    CHECK_OK(hf_goal_resolve(&recipe));
    CHECK(strcmp(recipe.train.loss, "mse") == 0);
    for (int i = 0; hf_goal_at(i); i++)
        CHECK(hf_goal_find(hf_goal_at(i)->name) == hf_goal_at(i) && hf_metric_find(hf_goal_at(i)->select));
    CHECK(!hf_goal_find("goal"));
}

/* ---- truth ------------------------------------------------------------------------------------------------------- */

static void test_truth(void)
{
    static const char text[] = "participant_id\tdx\tage\n"
                               "a\tCN\t61\nb\tEMCI\tn/a\nc\tAD\told\nd\t\t70.1\ne\tSMC\t<50\nf\tMCI\t1\n";
    static const double classes[] = { 0, 1, 2, NAN, NAN, 1 }, ages[] = { 61, NAN, NAN, 70.1, 50, 1 };
    enum { N = 6 };
    hf_subject subject[N] = { { 0 } };
    hf_cohort cohort = { .n_subjects = N, .subject = subject };
    hf_text problems = { 0 };
    double truth[N];
    static char names[N][2] = { "a", "b", "c", "d", "e", "f" };
    CHECK_OK(hf_table_parse(&cohort.table, text, strlen(text), "t.tsv"));
    for (int i = 0; i < N; i++)
        subject[i] = (hf_subject){ .id = names[i], .row = i };
    SET("goal=classes", "goal.classes=[CN, MCI, AD]", "goal.merge=[EMCI=MCI, LMCI=MCI]", "cohort.target=dx");
    hf_target target = target_of();
    CHECK(target.P == 3 && target.outputs == 3 && target.T == 1);
    CHECK_OK(hf_target_truth(truth, &problems, &target, &cohort));
    for (int i = 0; i < N; i++)
        CHECK(truth[i] == classes[i] || (isnan(truth[i]) && isnan(classes[i])));
    CHECK(problems.data &&
          strcmp(problems.data, "'e': 't.tsv', line 6: 'SMC' in column 'dx', expected one of: CN, MCI, "
                                "AD, EMCI, LMCI\n") == 0);
    hf_text_free(&problems);
    SET("cohort.target=age");
    target = target_of();
    CHECK_OK(hf_target_truth(truth, &problems, &target, &cohort));
    for (int i = 0; i < N; i++)
        CHECK(truth[i] == ages[i] || (isnan(truth[i]) && isnan(ages[i])));
    CHECK(problems.data && strstr(problems.data, "'c': 't.tsv' line 4, column 'age': 'old', expected a number\n"));
    hf_text_free(&problems);
    SET("cohort.target=mmse");
    target = target_of();
    CHECK_STATUS(hf_target_truth(truth, &problems, &target, &cohort), HF_ERR_ARGUMENT, "no column 'mmse'");
    hf_table_free(&cohort.table);
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

static void test_learn(void)
{
    const double truth[] = { 0, 1, 1, 2, 1, 0, 1, 1 }, ages[] = { 20, 30, 70, 80 };
    float bias[3];
    SET("goal=classes", "goal.classes=[CN, MCI, AD]", "train.class_weights=inverse");
    hf_target t = target_of();
    CHECK_OK(hf_target_learn(&t, truth, 8));
    CHECK(t.baseline[0][0] == 0.25 && t.baseline[0][1] == 0.625 && t.baseline[0][2] == 0.125);
    CHECK_NEAR(t.weight[0], 8.0 / (3 * 2), 1e-15);
    CHECK_NEAR(t.weight[1], 8.0 / (3 * 5), 1e-15);
    CHECK_NEAR(t.weight[2], 8.0 / 3, 1e-15);
    t.goal->start(bias, &t);
    double predicted[3];
    t.goal->link(predicted, bias, &t); /* such a network says what the baseline says */
    for (int k = 0; k < 3; k++)
        CHECK_NEAR(predicted[k], t.baseline[0][k], 1e-7);
    CHECK_STATUS(hf_target_learn(&t, truth, 3), HF_ERR_ARGUMENT, "no training subject is of class 'AD'");
    SET("goal=ordinal", "goal.classes=[CN, MCI, AD]", "train.oversample=true");
    t = target_of();
    CHECK(t.units == 1 && t.outputs == 2 && t.P == 3);
    CHECK_OK(hf_target_learn(&t, truth, 8));
    t.goal->start(bias, &t);
    t.goal->link(predicted, bias, &t);
    for (int k = 0; k < 3; k++)
        CHECK_NEAR(predicted[k], t.baseline[0][k], 1e-7);
    SET("goal=binary", "goal.classes=[CN, AD]");
    t = target_of();
    CHECK(t.units == 1 && t.outputs == 1 && t.P == 2);
    CHECK_OK(hf_target_learn(&t, (const double[]){ 0, 1, 1, 1 }, 4));
    t.goal->start(bias, &t);
    t.goal->link(predicted, bias, &t);
    CHECK_NEAR(predicted[1], 0.75, 1e-7);
    CHECK_NEAR(predicted[0] + predicted[1], 1, 1e-15);
    SET("cohort.target=age");
    t = target_of();
    CHECK_OK(hf_target_learn(&t, ages, 4));
    CHECK(t.baseline[0][0] == 50 && t.baseline[1][0] == 50);
}

/* Logits of any size have probabilities. */
static void test_link(void)
{
    double p[3];
    SET("goal=classes", "goal.classes=[a, b, c]");
    hf_target t = target_of();
    t.goal->link(p, (const float[]){ 1e4f, -1e4f, 1e4f }, &t);
    CHECK(p[0] == 0.5 && p[1] == 0 && p[2] == 0.5);
    t.goal->link(p, (const float[]){ 0, logf(2), logf(5) }, &t);
    CHECK_NEAR(p[0], 0.125, 1e-7);
    CHECK_NEAR(p[2], 0.625, 1e-7);
    SET("goal=binary", "goal.classes=[a, b]");
    t = target_of();
    t.goal->link(p, (const float[]){ -1e4f }, &t);
    CHECK(p[0] == 1 && p[1] == 0);
    t.goal->link(p, (const float[]){ logf(3) }, &t);
    CHECK_NEAR(p[1], 0.75, 1e-7);
}

/* ---- losses ------------------------------------------------------------------------------------------------------ */

/* The loss as a plan computes it, of a network that gives `output` [n,outputs]. */
static double planned(const hf_target *t, const float *output, const float *truth, int n)
{
    hf_status status;
    hf_context *context = NULL;
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_plan *plan = NULL;
    float loss = NAN;
    HF_TRY_OUT(hf_context_new(&context, NULL, NULL));
    HF_TRY_OUT(hf_model_new(&model, context, 1));
    HF_TRY_OUT(hf_graph_new(&graph, model, true));
    hf_node *x = hf_input(graph, "x", HF_SHAPE(n, t->outputs));
    hf_node *shift = hf_parameter(graph, "shift", HF_SHAPE(n, t->outputs), (hf_init){ HF_INIT_CONSTANT, 0 });
    hf_node *node = t->loss->build(hf_add(x, shift), t);
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .loss = node }));
    HF_TRY_OUT(hf_plan_bind(plan, NULL));
    HF_TRY_OUT(hf_plan_set(plan, "x", output, (int64_t)n * t->outputs));
    HF_TRY_OUT(t->loss->feed(plan, t, truth, n));
    HF_TRY_OUT(hf_plan_run(plan));
    HF_TRY_OUT(hf_plan_get(plan, node, &loss, 1));
out:
    CHECK_OK(status);
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    hf_context_free(&context);
    return loss;
}

static void check_loss(const hf_target *t, const float *output, const float *truth, int n, double expected)
{
    CHECK_NEAR(t->loss->value(t, output, truth, n), expected, 1e-7 * fabs(expected));
    CHECK_NEAR(planned(t, output, truth, n), expected, 2e-6 * fabs(expected));
}

/* The mean of several predictions goes back to an output whose link it is, certainty included. */
static void test_unlink(void)
{
    static const double three[][3] = { { 0.7, 0.2, 0.1 }, { 1, 0, 0 }, { 0.5, 0.5, 0 } };
    double again[3];
    float output[3];
    SET("goal=classes", "goal.classes=[a, b, c]");
    hf_target t = target_of();
    for (int i = 0; i < 3; i++) {
        t.goal->unlink(output, three[i], &t);
        t.goal->link(again, output, &t);
        for (int k = 0; k < 3; k++)
            CHECK(isfinite(output[k]) && fabs(again[k] - three[i][k]) < 1e-6);
    }
    SET("goal=ordinal", "goal.classes=[a, b, c]");
    t = target_of();
    for (int i = 0; i < 3; i++) {
        t.goal->unlink(output, three[i], &t);
        t.goal->link(again, output, &t);
        for (int k = 0; k < 3; k++)
            CHECK(isfinite(output[k % 2]) && fabs(again[k] - three[i][k]) < 1e-6);
    }
    t.goal->link(again, (const float[]){ -1, 2 }, &t); /* biases that contradict each other: nothing is negative */
    CHECK_NEAR(again[0], 1 / (1 + exp(-1)), 1e-7);
    CHECK(again[1] == 0 && fabs(again[0] + again[2] - 1) < 1e-15);
    SET("goal=binary", "goal.classes=[a, b]");
    t = target_of();
    t.goal->unlink(output, (const double[]){ 0.25, 0.75 }, &t);
    t.goal->link(again, output, &t);
    CHECK_NEAR(output[0], log(3), 1e-6);
    CHECK(fabs(again[0] - 0.25) < 1e-6 && fabs(again[1] - 0.75) < 1e-6);
    SET("goal=regression");
    t = target_of();
    t.goal->unlink(output, (const double[]){ 61.5 }, &t);
    CHECK(output[0] == 61.5f);
}

static void test_losses(void)
{
    /* Weighted cross-entropy as HyperFusion's code computes it, and with equal weights the mean. */
    static const float logits[] = { 2, 0.5f, -1, 0.1f, 0.2f, 0.3f, -1, 0, 3 }, labels[] = { 0, 1, 2 };
    SET("goal=classes", "goal.classes=[CN, MCI, AD]", "train.class_weights=[1.1, 0.6962, 1.4]");
    hf_target t = target_of();
    CHECK_NEAR(t.loss->value(&t, logits, labels, 3), 0.35193434, 2e-8);
    check_loss(&t, logits, labels, 3, t.loss->value(&t, logits, labels, 3));
    SET("goal=classes", "goal.classes=[a, b, c]");
    t = target_of();
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        const float *z = logits + 3 * i;
        sum -= log(exp(z[i]) / (exp(z[0]) + exp(z[1]) + exp(z[2])));
    }
    check_loss(&t, logits, labels, 3, sum / 3);
    /* One logit: the mean of log(1 + exp(-z)) or log(1 + exp(z)), weighted. */
    static const float one[] = { 2, -1.5f, 0.25f, -3 }, two[] = { 1, 0, 0, 1 };
    SET("goal=binary", "goal.classes=[CN, AD]", "train.class_weights=[0.34, 0.66]");
    t = target_of();
    check_loss(&t, one, two, 4,
               (0.66 * log1p(exp(-2)) + 0.34 * log1p(exp(-1.5)) + 0.34 * log1p(exp(0.25)) + 0.66 * log1p(exp(3))) / 2);
    static const float said[] = { 50, 60, 71 }, ages[] = { 52, 59, 71 };
    SET("train.loss=mse");
    t = target_of();
    check_loss(&t, said, ages, 3, 5.0 / 3);
    SET("train.loss=l1");
    t = target_of();
    check_loss(&t, said, ages, 3, 1);
}

/* ---- classes that are reported as one ---------------------------------------------------------------------------- */

#define FIVE "goal=classes", "goal.classes=[CN, EMCI, MCI, LMCI, AD]", "goal.collapse=[LMCI=MCI, EMCI=MCI]"

/* Trained class, and the truth [T] of a row of it. */
static void check_collapsed_truth(const hf_target *t)
{
    static const char text[] = "participant_id\tdx\na\tCN\nb\tEMCI\nc\tMCI\nd\tLMCI\ne\tAD\nf\t\ng\tSMC\n";
    static const double expected[7][2] = { { 0, 0 }, { 1, 1 }, { 1, 2 }, { 1, 3 }, { 2, 4 }, { NAN, NAN }, { 1, 3 } };
    hf_table table = { 0 };
    CHECK_OK(hf_table_parse(&table, text, strlen(text), "t.tsv"));
    for (int row = 0; row < 7; row++) {
        double truth[2];
        CHECK_OK(t->goal->parse(truth, t, &table, row, 1));
        for (int k = 0; k < 2; k++)
            CHECK(truth[k] == expected[row][k] || (isnan(truth[k]) && isnan(expected[row][k])));
    }
    hf_table_free(&table);
}

/* The loss and its weights are of the trained classes; probability, baseline and names of the reported ones. */
static void test_collapse(void)
{
    static const double truth[] = { 0, 0, 1, 1, 1, 2, 1, 3, 2, 4, 0, 0, 1, 3, 1, 3 }; /* [8,T] */
    static const float logits[] = { 0.5f, -1, 2, 0.25f, 1 }, labels[] = { 1, 3 };
    static const double of[] = { 2, 1, 1, 3, 1 };
    double p[3], again[3], sum = 0;
    float bias[5];
    SET(FIVE, "goal.merge=SMC=LMCI", "train.class_weights=inverse", "cohort.target=dx");
    hf_target t = target_of();
    CHECK(t.outputs == 5 && t.P == 3 && t.T == 2 && t.n_classes == 3 && strcmp(t.class_name[1], "MCI") == 0);
    check_collapsed_truth(&t);
    CHECK_OK(hf_target_learn(&t, truth, 8));
    CHECK(t.baseline[0][0] == 0.25 && t.baseline[0][1] == 0.625 && t.baseline[0][2] == 0.125);
    CHECK_NEAR(t.weight[3], 8.0 / (5 * 3), 1e-15);
    CHECK_NEAR(t.weight[0], 8.0 / (5 * 2), 1e-15);
    t.goal->start(bias, &t);
    for (int k = 0; k < 5; k++)
        CHECK_NEAR(exp(bias[k]), of[k] / 8, 1e-7);
    for (int k = 0; k < 5; k++)
        sum += exp(logits[k]);
    t.goal->link(p, logits, &t);
    CHECK_NEAR(p[0], exp(0.5) / sum, 1e-7);
    CHECK_NEAR(p[1], (exp(-1) + exp(2) + exp(0.25)) / sum, 1e-7);
    CHECK_NEAR(p[2], exp(1) / sum, 1e-7);
    t.goal->unlink(bias, p, &t);
    t.goal->link(again, bias, &t);
    for (int k = 0; k < 3; k++)
        CHECK_NEAR(again[k], p[k], 1e-6);
    check_loss(&t, logits, labels, 1, log(sum) - 0.25);
    CHECK_STATUS(hf_target_learn(&t, truth, 7 - 3), HF_ERR_ARGUMENT, "no training subject is of class 'AD'");
}

/* A class that is reported under a name of its own stands where the first that is called so is trained. */
static void test_collapse_to_new_name(void)
{
    SET("goal=classes", "goal.classes=[CN, EMCI, AD, LMCI]", "goal.collapse=[EMCI=any MCI, LMCI=any MCI]");
    const hf_target t = target_of();
    CHECK(t.n_classes == 3 && strcmp(t.class_name[1], "any MCI") == 0 && strcmp(t.class_name[2], "AD") == 0);
    CHECK(t.shown_as[0] == 0 && t.shown_as[1] == 1 && t.shown_as[2] == 2 && t.shown_as[3] == 1);
}

/* ---- predictions ------------------------------------------------------------------------------------------------- */

enum { SUBJECTS = 9 };

static void fill(hf_predictions *p, const hf_target *t, bool backwards)
{
    CHECK_OK(hf_predictions_new(p, t, SUBJECTS, 1));
    CHECK_OK(hf_strdup(&p->group_name[0], "sex"));
    p->bootstrap = (hf_bootstrap){ 500, 3 };
    for (int k = 0; k < SUBJECTS; k++) {
        const int i = backwards ? SUBJECTS - 1 - k : k;
        char id[16];
        double sum = 0;
        snprintf(id, sizeof id, "sub-%d", i);
        CHECK_OK(hf_strdup(&p->id[k], id));
        if (i != 2) CHECK_OK(hf_strdup(&p->group[k], i % 2 ? "M" : "F"));
        p->truth[k] = i == 5 ? NAN : t->n_classes ? i % t->n_classes : 50.1 + i / 3.0;
        for (int c = 0; c < t->P; c++)
            sum += p->predicted[k * t->P + c] = hf_random_uniform(7, (uint64_t)i, (uint64_t)c);
        for (int c = 0; c < t->P; c++)
            p->predicted[k * t->P + c] = t->n_classes ? p->predicted[k * t->P + c] / sum : (float)(50 + 3 * sum);
    }
}

static void check_same(const hf_predictions *a, const hf_predictions *b)
{
    CHECK(a->count == b->count && a->n_groups == b->n_groups && strcmp(a->group_name[0], b->group_name[0]) == 0);
    for (int i = 0; i < a->count; i++) {
        CHECK(strcmp(a->id[i], b->id[i]) == 0);
        CHECK(a->group[i] ? b->group[i] && strcmp(a->group[i], b->group[i]) == 0 : !b->group[i]);
        CHECK(a->truth[i] == b->truth[i] || (isnan(a->truth[i]) && isnan(b->truth[i])));
        CHECK(memcmp(a->predicted + i * a->target.P, b->predicted + i * a->target.P,
                     (size_t)a->target.P * sizeof(double)) == 0);
    }
}

static void check_file_and_scores(const hf_target *t, const char *head, const char *folder)
{
    char path[256];
    hf_predictions p, read = { 0 }, turned;
    hf_text text = { 0 };
    hf_scores a, b;
    fill(&p, t, false);
    fill(&turned, t, true);
    snprintf(path, sizeof path, "%s/p.tsv", folder);
    CHECK_OK(hf_predictions_write(&p, path));
    CHECK_OK(hf_predictions_text(&p, &text));
    CHECK(strncmp(text.data, head, strlen(head)) == 0);
    if (CHECK_OK(hf_predictions_read(&read, t, path))) check_same(&p, &read);
    read.bootstrap = p.bootstrap;
    if (CHECK_OK(hf_scores_make(&a, &read)) && CHECK_OK(hf_scores_make(&b, &turned))) {
        CHECK(a.n_rows == 3 && a.row[0].count == SUBJECTS - 1 && strcmp(a.row[1].value, "F") == 0);
        CHECK(a.row[1].count + a.row[2].count == SUBJECTS - 2); /* one has no group */
        for (int i = 0; i < a.n_rows; i++)
            CHECK(memcmp(a.row[i].of, b.row[i].of, sizeof a.row[i].of) == 0);
        CHECK(a.row[0].of[a.select].low < a.row[0].of[a.select].high);
        hf_scores_free(&b);
        hf_scores_free(&a);
    }
    for (int i = 0; i < SUBJECTS; i++)
        turned.truth[i] = NAN;
    CHECK_STATUS(hf_scores_make(&b, &turned), HF_ERR_ARGUMENT, "none of the 9 subjects has a known");
    remove(path);
    hf_text_free(&text);
    hf_predictions_free(&p);
    hf_predictions_free(&read);
    hf_predictions_free(&turned);
}

/* Subjects taken out of a list; those that were seen judged apart; intervals in the table. */
static void test_lists(void)
{
    SET("cohort.target=age");
    hf_target t = target_of();
    hf_predictions p;
    hf_scores s;
    hf_text text = { 0 };
    bool keep[SUBJECTS], seen[SUBJECTS] = { false };
    fill(&p, &t, false);
    const double third = p.predicted[3];
    for (int i = 0; i < SUBJECTS; i++)
        keep[i] = i != 0 && i != 2;
    hf_predictions_keep(&p, keep);
    CHECK(p.count == SUBJECTS - 2 && strcmp(p.id[0], "sub-1") == 0 && strcmp(p.id[1], "sub-3") == 0);
    CHECK(p.predicted[1] == third);
    if (CHECK_OK(hf_alloc(&p.seen, SUBJECTS, sizeof *p.seen, "seen"))) memcpy(p.seen, seen, sizeof seen);
    p.margin = 2.5;
    CHECK_OK(hf_predictions_text(&p, &text));
    CHECK(strstr(text.data, "\terror\tlow_90\thigh_90\nsub-1\t") != NULL);
    for (int n_seen = 0; n_seen < 2; n_seen++) {
        p.seen[1] = n_seen;
        if (!CHECK_OK(hf_scores_make(&s, &p))) continue;
        CHECK(s.row[1 + n_seen].value == HF_NEW && s.row[1 + n_seen].count == s.row[0].count - n_seen);
        CHECK(!n_seen || (s.row[1].value == HF_SEEN && s.row[1].count == 1 && !s.row[1].column));
        hf_scores_free(&s);
    }
    hf_text_free(&text);
    hf_predictions_free(&p);
}

/* Farther outside of the training range than that is wide. */
static void test_absurd(void)
{
    static const double limits[] = { -20, 130, -20.1, 130.1 };
    SET("cohort.target=age");
    hf_target t = target_of();
    CHECK(!t.goal->absurd(&t, &(double){ 1e9 })); /* no range is known */
    CHECK_OK(hf_target_learn(&t, (const double[]){ 60, 80, 30, 70 }, 4));
    CHECK(t.low == 30 && t.high == 80);
    for (int i = 0; i < 4; i++)
        CHECK(t.goal->absurd(&t, &limits[i]) == (i >= 2));
}

static void test_predictions(const char *folder)
{
    SET("cohort.target=age");
    hf_target t = target_of();
    check_file_and_scores(&t, "participant_id\tsex\tage\tpredicted\terror\nsub-0\tF\t50.1\t", folder);
    SET("goal=classes", "goal.classes=[CN, MCI, AD]", "cohort.target=dx");
    t = target_of();
    CHECK_OK(hf_target_learn(&t, (const double[]){ 0, 1, 2, 1 }, 4));
    check_file_and_scores(&t, "participant_id\tsex\tdx\tpredicted\tp_CN\tp_MCI\tp_AD\nsub-0\tF\tCN\t", folder);
    SET("goal=ordinal", "goal.classes=[CN, MCI, AD]", "cohort.target=dx");
    hf_target ordered = target_of();
    CHECK_OK(hf_target_learn(&ordered, (const double[]){ 0, 1, 2, 1 }, 4));
    check_file_and_scores(&ordered, "participant_id\tsex\tdx\tpredicted\tp_CN\tp_MCI\tp_AD\nsub-0\tF\tCN\t", folder);
    SET(FIVE, "cohort.target=dx");
    hf_target five = target_of();
    CHECK_OK(hf_target_learn(&five, (const double[]){ 0, 0, 1, 1, 1, 2, 1, 3, 2, 4 }, 5));
    check_file_and_scores(&five, "participant_id\tsex\tdx\tpredicted\tp_CN\tp_MCI\tp_AD\nsub-0\tF\tCN\t", folder);
    hf_column column[HF_MAX_COLUMNS];
    CHECK(hf_target_columns(column, &t) == 9 && strcmp(column[0].name, "balanced_accuracy") == 0);
    CHECK(strcmp(column[7].name, "recall_MCI") == 0 && column[7].k == 1 && hf_target_select(&t) == 0);
}

int main(void)
{
    char folder[] = "/tmp/hf-goal-XXXXXX";
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("goal");
    test_refused();
    test_truth();
    test_learn();
    test_link();
    test_unlink();
    test_losses();
    test_collapse();
    test_collapse_to_new_name();
    test_predictions(folder);
    test_lists();
    test_absurd();
    hf_recipe_free(&recipe);
    CHECK(rmdir(folder) == 0);
    return check_done("goal");
}
