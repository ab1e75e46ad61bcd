/* scores.h: predictions judged for people and for programs; shared by train and evaluate. */
#ifndef CLI_SCORES_H
#define CLI_SCORES_H

#include "cli.h"

void cli_scores_print(const hf_scores *scores, const hf_predictions *predictions, const char *part);
struct json_t *cli_scores_json(const hf_scores *scores, const hf_predictions *predictions, const char *part);

#endif
