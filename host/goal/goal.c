/* goal.c: the table of goals, and a recipe's goal as a target. */
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW(name) &hf_goal_##name,
static const hf_goal *const goals[] = { HF_GOALS(ROW, ROW) };
enum { N_GOALS = sizeof goals / sizeof goals[0] };

const hf_goal *hf_goal_at(int index)
{
    return index >= 0 && index < N_GOALS ? goals[index] : NULL;
}

const hf_goal *hf_goal_find(const char *name)
{
    for (int i = 0; i < N_GOALS; i++)
        if (strcmp(goals[i]->name, name) == 0) return goals[i];
    return NULL;
}

static hf_status find_loss(hf_target *target, const char *name)
{
    hf_text all = { 0 };
    for (const hf_loss *loss = target->goal->losses; loss->name; loss++) {
        if (!name[0] || strcmp(loss->name, name) == 0) {
            target->loss = loss;
            hf_text_free(&all);
            return HF_OK;
        }
        hf_text_add(&all, "%s%s", all.size ? " or " : "", loss->name);
    }
    const hf_status status = hf_fail(HF_ERR_ARGUMENT, "goal %s with train.loss %s: %s is expected", target->goal->name,
                                     name, all.data ? all.data : "another");
    hf_text_free(&all);
    return status;
}

hf_status hf_target_set(hf_target *out, const hf_recipe *recipe)
{
    hf_target target = { .goal = hf_goal_find(recipe->goal.name), .T = 1 };
    if (!target.goal) return hf_fail(HF_ERR_ARGUMENT, "goal: there is no '%s'", recipe->goal.name);
    if (strlen(recipe->cohort.target) >= sizeof target.column)
        return hf_fail(HF_ERR_ARGUMENT, "cohort.target: '%.80s' is longer than %zu bytes", recipe->cohort.target,
                       sizeof target.column - 1);
    snprintf(target.column, sizeof target.column, "%s", recipe->cohort.target);
    HF_TRY(find_loss(&target, recipe->train.loss));
    HF_TRY(target.goal->set(&target, recipe));
    if (recipe->goal.event[0] && !target.event[0])
        return hf_fail(HF_ERR_ARGUMENT, "goal.event: goal %s has no use for a second column", target.goal->name);
    if (!target.goal->head) target.units = target.outputs;
    *out = target;
    return HF_OK;
}

hf_status hf_goal_resolve(hf_recipe *recipe)
{
    hf_target target;
    char setting[64];
    if (recipe->train.loss[0]) return HF_OK;
    HF_TRY(hf_target_set(&target, recipe));
    snprintf(setting, sizeof setting, "train.loss=%s", target.loss->name);
    return hf_recipe_set(recipe, setting);
}

hf_status hf_target_truth(double *truth, hf_text *problems, const hf_target *target, const hf_cohort *cohort)
{
    const hf_table *table = &cohort->table;
    const int column = hf_table_column(table, target->column);
    if (column < 0)
        return hf_fail(HF_ERR_ARGUMENT, "'%s' has no column '%s' (cohort.target)", table->path, target->column);
    for (int i = 0; i < cohort->n_subjects; i++) {
        double one[HF_MAX_TRUTH] = { NAN, NAN };
        const hf_status status = target->goal->parse(one, target, table, cohort->subject[i].row, column);
        if (status != HF_OK && status != HF_ERR_FORMAT) return status;
        if (status != HF_OK) hf_text_add(problems, "'%s': %s\n", cohort->subject[i].id, hf_error_message());
        for (int t = 0; t < target->T; t++)
            truth[(size_t)i * (size_t)target->T + (size_t)t] = status == HF_OK ? one[t] : NAN;
    }
    return hf_text_check(problems);
}

hf_status hf_target_learn(hf_target *target, const double *truth, int count)
{
    return target->goal->learn(target, truth, count);
}

int hf_target_columns(hf_column out[HF_MAX_COLUMNS], const hf_target *target)
{
    int n = 0;
    for (const char *at = target->goal->metrics; *at; at += strcspn(at, " "), at += *at == ' ') {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " "), at);
        const hf_metric *metric = hf_metric_find(name);
        const int each = metric && metric->per_class ? target->n_classes : 1;
        for (int k = 0; metric && k < each && n < HF_MAX_COLUMNS; k++, n++) {
            const char *class = metric->per_class ? target->class_name[k] : "";
            out[n] = (hf_column){ .metric = metric, .k = k };
            snprintf(out[n].name, sizeof out[n].name, "%s%s%s", metric->name, *class ? "_" : "", class);
            snprintf(out[n].label, sizeof out[n].label, "%s%s%s", metric->label, *class ? " " : "", class);
        }
    }
    return n;
}

int hf_target_select(const hf_target *target)
{
    hf_column column[HF_MAX_COLUMNS];
    const int n = hf_target_columns(column, target);
    for (int i = 0; i < n; i++)
        if (strcmp(column[i].metric->name, target->goal->select) == 0) return i;
    return 0;
}

void hf_add_number(hf_text *out, double number)
{
    char text[32] = "n/a";
    for (int digits = 6; isfinite(number) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    hf_text_add(out, "%s", text);
}

void hf_add_single(hf_text *out, double number)
{
    char text[32] = "n/a";
    for (int digits = 6; isfinite(number) && digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtof(text, NULL) == (float)number) break;
    }
    hf_text_add(out, "%s", text);
}
