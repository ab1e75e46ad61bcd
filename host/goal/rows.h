/* rows.h: the goals of this folder, and what their rows share. */
#ifndef HF_GOAL_ROWS_H
#define HF_GOAL_ROWS_H

#include "goal.h"

extern const hf_goal hf_goal_regression, hf_goal_binary, hf_goal_classes;

/* A number in as few digits as bring it back; "n/a" for NaN. */
void hf_add_number(hf_text *out, double number);
/* The same for one that is a float, to be read as a float. */
void hf_add_single(hf_text *out, double number);

#endif
