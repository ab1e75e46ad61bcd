/* Checks the goals beside numbers and classes against PyTorch and numpy in double precision (tests/golden/goals.py): losses
 * on the host and as planned on the device, gradients down to the network's last layer and the goal's own bias, links,
 * metrics. */
#include "check.h"
#include "hyperfusion.h"

static const hf_archive *file;

static const hf_entry *find(const char *name, const char *part)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", name, part);
    const hf_entry *entry = hf_archive_find(file, full);
    if (!CHECK(entry != NULL)) fprintf(stderr, "    %s\n", full);
    return entry;
}

static double number(const char *name, const char *part)
{
    const hf_entry *entry = find(name, part);
    return entry ? *(const float *)entry->data : NAN;
}

/* |a - b| over |b|. */
static double distance(const float *a, const float *b, int64_t count)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        off += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(off / size);
}

static void check_gradient(const hf_model *model, const char *parameter, const hf_entry *golden)
{
    float got[128];
    const int at = hf_model_find(model, parameter);
    if (!golden || !CHECK(at >= 0)) return;
    const hf_named named = hf_model_named(model, at);
    const int64_t count = hf_shape_count(&golden->shape);
    if (!CHECK(count <= 128) || !CHECK_OK(hf_tensor_read(&named.gradient, got, count))) return;
    CHECK_NEAR(distance(got, golden->data, count), 0, 2e-6);
}

/* Loss and gradients of a network whose last layer gives `units` [n,units]; `bias` (NULL: none) is the goal's own. */
static void check_planned(const hf_target *t, const hf_entry *units, const hf_entry *truth, const hf_entry *bias,
                          double loss, const hf_entry *dx, const hf_entry *dbias)
{
    hf_status status;
    hf_context *context = NULL;
    hf_model *model = NULL;
    hf_graph *graph = NULL;
    hf_plan *plan = NULL;
    float found = NAN;
    const int n = (int)truth->shape.dim[0];
    HF_TRY_OUT(hf_context_new(&context, NULL, NULL));
    HF_TRY_OUT(hf_model_new(&model, context, 1));
    HF_TRY_OUT(hf_graph_new(&graph, model, true));
    hf_node *x = hf_parameter(graph, "x", units->shape, (hf_init){ HF_INIT_CONSTANT, 0 });
    hf_node *output = t->goal->head ? t->goal->head(x, t) : x;
    hf_node *node = t->loss->build(output, t);
    HF_TRY_OUT(hf_plan_new(&plan, graph, &(hf_plan_options){ .loss = node }));
    HF_TRY_OUT(hf_plan_bind(plan, NULL));
    const hf_named named = hf_model_named(model, hf_model_find(model, "x"));
    HF_TRY_OUT(hf_tensor_write(&named.value, units->data, n));
    if (bias) {
        const hf_named own = hf_model_named(model, hf_model_find(model, t->goal->bias));
        HF_TRY_OUT(hf_tensor_write(&own.value, bias->data, t->outputs));
    }
    HF_TRY_OUT(t->loss->feed(plan, t, truth->data, n));
    HF_TRY_OUT(hf_plan_run(plan));
    HF_TRY_OUT(hf_plan_get(plan, node, &found, 1));
    CHECK_NEAR(found, loss, 1e-6 * fabs(loss));
    check_gradient(model, "x", dx);
    if (dbias) check_gradient(model, t->goal->bias, dbias);
out:
    CHECK_OK(status);
    hf_plan_free(&plan);
    hf_graph_free(&graph);
    hf_model_free(&model);
    hf_context_free(&context);
}

static hf_target target_of(const char *const *settings)
{
    hf_recipe recipe = { 0 };
    hf_target target = { 0 };
    CHECK_OK(hf_recipe_defaults(&recipe));
    for (; *settings; settings++)
        CHECK_OK(hf_recipe_set(&recipe, *settings));
    CHECK_OK(hf_target_set(&target, &recipe));
    hf_recipe_free(&recipe);
    return target;
}

static double metric(const char *name, const hf_target *t, const double *truth, const double *predicted, int n)
{
    double value = NAN;
    const hf_scored scored = { n, t->T, t->P, truth, predicted };
    CHECK_OK(hf_metric_of(&value, hf_metric_find(name), 0, &scored, NULL, n));
    return value;
}

/* ---- survival ---------------------------------------------------------------------------------------------------- */

static void test_survival(const char *name)
{
    static const char *const losses[] = { "cox", "cox-breslow" };
    const hf_entry *x = find(name, "x"), *truth = find(name, "truth");
    double times[256], risks[128];
    if (!x || !truth) return;
    const int n = (int)x->shape.dim[0];
    for (int i = 0; i < 2; i++) {
        char loss[64], part[64];
        snprintf(loss, sizeof loss, "train.loss=%s", losses[i]);
        const hf_target t = target_of((const char *const[]){ "goal=survival", "goal.event=dead", loss, NULL });
        const double golden = number(name, losses[i]);
        snprintf(part, sizeof part, "%s.dx", losses[i]);
        CHECK(t.T == 2 && t.P == 1 && t.units == 1 && t.outputs == 1);
        CHECK_NEAR(t.loss->value(&t, x->data, truth->data, n), golden, 1e-7 * fabs(golden));
        check_planned(&t, x, truth, NULL, golden, find(name, part), NULL);
        for (int k = 0; k < 2 * n; k++)
            times[k] = ((const float *)truth->data)[k];
        for (int k = 0; k < n; k++)
            risks[k] = ((const float *)x->data)[k];
        CHECK_NEAR(metric("c_index", &t, times, risks, n), number(name, "c_index"), 1e-7);
    }
}

/* ---- ordinal ----------------------------------------------------------------------------------------------------- */

static void test_ordinal(const char *name, const char *classes)
{
    const hf_entry *f = find(name, "f"), *bias = find(name, "bias"), *truth = find(name, "truth"), *p = find(name, "p");
    const hf_target t = target_of((const char *const[]){ "goal=ordinal", classes, NULL });
    double predicted[128], ranks[32];
    float output[128];
    if (!f || !bias || !truth || !p) return;
    const int n = (int)f->shape.dim[0];
    CHECK(t.units == 1 && t.outputs == t.P - 1 && t.P == (int)p->shape.dim[1]);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < t.outputs; k++)
            output[i * t.outputs + k] = ((const float *)f->data)[i] + ((const float *)bias->data)[k];
        t.goal->link(predicted + i * t.P, output + i * t.outputs, &t);
        for (int k = 0; k < t.P; k++)
            CHECK_NEAR(predicted[i * t.P + k], ((const float *)p->data)[i * t.P + k], 1e-6);
        ranks[i] = ((const float *)truth->data)[i];
    }
    const double golden = number(name, "loss");
    CHECK_NEAR(t.loss->value(&t, output, truth->data, n), golden, 1e-6 * golden);
    check_planned(&t, f, truth, bias, golden, find(name, "df"), find(name, "dbias"));
    CHECK_NEAR(metric("kappa", &t, ranks, predicted, n), number(name, "kappa"), 1e-7);
    CHECK_NEAR(metric("rank_mae", &t, ranks, predicted, n), number(name, "rank_mae"), 1e-7);
}

int main(int argc, char **argv)
{
    hf_archive golden = { 0 };
    if (!CHECK(argc == 2) || !CHECK_OK(hf_archive_read(&golden, argv[1]))) return check_done("golden_goals");
    file = &golden;
    test_survival("many_times");
    test_survival("ties");
    test_survival("one_time");
    test_ordinal("three", "goal.classes=[a, b, c]");
    test_ordinal("five", "goal.classes=[a, b, c, d, e]");
    test_ordinal("two", "goal.classes=[a, b]");
    hf_archive_free(&golden);
    return check_done("golden_goals");
}
