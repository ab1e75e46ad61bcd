/* scores.h: predictions judged for people and for programs; shared by train and evaluate. */
#ifndef CLI_SCORES_H
#define CLI_SCORES_H

#include "cli.h"

enum { CLI_MAX_GROUPS = 16 };

/* How good predictions are, beside guessing. */
typedef struct cli_scores {
    hf_regression all;
    int n_groups;
    const char *group[CLI_MAX_GROUPS]; /* sorted; belong to the predictions */
    hf_regression of[CLI_MAX_GROUPS];
    double mean_baseline, median_baseline; /* MAE of always saying the training mean, the training median */
} cli_scores;

hf_status cli_scores_make(cli_scores *out, const hf_predictions *predictions) HF_MUST_USE;
void cli_scores_print(const cli_scores *scores, const char *part);
struct json_t *cli_scores_json(const cli_scores *scores, const char *part);

#endif
