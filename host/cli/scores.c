/* scores.c: mean absolute error with its interval, for all and for each sex, beside what guessing would give. */
#include "scores.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void find_groups(cli_scores *scores, const hf_predictions *p)
{
    for (int i = 0; p->group && i < p->count; i++) {
        bool known = p->group[i] == NULL;
        for (int k = 0; !known && k < scores->n_groups; k++)
            known = strcmp(scores->group[k], p->group[i]) == 0;
        if (!known && scores->n_groups < CLI_MAX_GROUPS) scores->group[scores->n_groups++] = p->group[i];
    }
    qsort(scores->group, (size_t)scores->n_groups, sizeof scores->group[0], by_text);
}

static double guessing(const hf_predictions *p, double guess)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += fabs(p->truth[i] - guess);
    return sum / p->count;
}

hf_status cli_scores_make(cli_scores *out, const hf_predictions *predictions)
{
    const hf_predictions *p = predictions;
    *out = (cli_scores){ 0 };
    HF_TRY(hf_regression_metrics(&out->all, p->truth, p->predicted, p->count, &p->bootstrap));
    find_groups(out, p);
    out->mean_baseline = guessing(p, p->train_mean);
    out->median_baseline = guessing(p, p->train_median);
    if (out->n_groups == 0) return HF_OK;
    return hf_regression_by_group(out->of, out->group, out->n_groups, p->truth, p->predicted,
                                  (const char *const *)p->group, p->count, &p->bootstrap);
}

static void print_row(const char *name, const hf_regression *r)
{
    printf("  %-18s %5d  %7.3f  %7.3f to %-7.3f  %+7.3f", name, r->count, r->mae.value, r->mae.low, r->mae.high,
           r->bias);
    if (isfinite(r->r))
        printf("  %6.3f\n", r->r);
    else
        printf("       -\n");
}

void cli_scores_print(const cli_scores *scores, const char *part)
{
    printf("%s\n  %-18s %5s  %7s  %18s  %7s  %6s\n", part, "", "n", "MAE", "95 % interval", "bias", "r");
    print_row("all", &scores->all);
    for (int i = 0; i < scores->n_groups; i++)
        print_row(scores->group[i], &scores->of[i]);
    printf("  %-18s %5d  %7.3f\n", "training mean", scores->all.count, scores->mean_baseline);
    printf("  %-18s %5d  %7.3f\n", "training median", scores->all.count, scores->median_baseline);
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *regression_json(const hf_regression *r)
{
    return json_pack("{si,so,so,so,so,so,so}", "n", r->count, "mae", number(r->mae.value), "mae_low",
                     number(r->mae.low), "mae_high", number(r->mae.high), "mse", number(r->mse.value), "bias",
                     number(r->bias), "r", number(r->r));
}

json_t *cli_scores_json(const cli_scores *scores, const char *part)
{
    json_t *json = regression_json(&scores->all), *groups = json_object();
    for (int i = 0; i < scores->n_groups; i++)
        json_object_set_new(groups, scores->group[i], regression_json(&scores->of[i]));
    json_object_set_new(json, "part", json_string(part));
    json_object_set_new(json, "per_sex", groups);
    json_object_set_new(json, "mean_baseline", number(scores->mean_baseline));
    json_object_set_new(json, "median_baseline", number(scores->median_baseline));
    return json;
}
