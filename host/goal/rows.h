/* rows.h: the goals of this folder, and what their rows share. */
#ifndef HF_GOAL_ROWS_H
#define HF_GOAL_ROWS_H

#include "goal.h"
#include "recipe/goals.h"

#define HF_DECLARE(name) extern const hf_goal hf_goal_##name;
HF_GOALS(HF_DECLARE, HF_DECLARE)
#undef HF_DECLARE

/* ---- of goals whose truth is a class: the rows of classes.c ------------------------------------------------------ */

/* goal.classes and goal.merge, into classes and labels. */
hf_status hf_classes_set(hf_target *target, const hf_recipe *recipe) HF_MUST_USE;
hf_status hf_classes_parse(double *truth, const hf_target *target, const hf_table *table, int row,
                           int column) HF_MUST_USE;
hf_status hf_classes_learn(hf_target *target, const double *truth, int count) HF_MUST_USE;
void hf_classes_columns(hf_text *out, const hf_target *target);
void hf_classes_cells(hf_text *out, const hf_target *target, const double *truth, const double *predicted);
hf_status hf_classes_read(double *truth, double *predicted, const hf_target *target, const hf_table *table,
                          int row) HF_MUST_USE;
void hf_classes_say(hf_text *out, const hf_target *target, const double *predicted);
void hf_classes_words(hf_text *out, const hf_target *target, const double *predicted);
void hf_classes_truth_words(hf_text *out, const hf_target *target, const double *truth);
#define HF_CLASSES_ROW                                                                                                 \
    .parse = hf_classes_parse, .learn = hf_classes_learn, .columns = hf_classes_columns, .cells = hf_classes_cells,    \
    .read = hf_classes_read, .say = hf_classes_say, .words = hf_classes_words, .truth_words = hf_classes_truth_words

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* A number in as few digits as bring it back; "n/a" for NaN. */
void hf_add_number(hf_text *out, double number);
/* The same for one that is a float, to be read as a float. */
void hf_add_single(hf_text *out, double number);

#endif
