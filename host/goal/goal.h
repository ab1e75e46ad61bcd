/* goal.h: what a network is trained for. A goal is one row of a table:
 *
 *   the truth      how a cell of the cohort's table becomes T numbers
 *   the loss       nodes behind the network's output, what they are fed, and the same number on the host
 *   the link       from the network's output, behind a head of the goal's own where it has one, to a prediction of P
 *                  numbers
 *   the judgement  metrics (metrics.h), the one that chooses among epochs, what guessing would give
 *   the paper      columns of prediction files, sections of the report
 *
 * Everything above (run, report, the program) reads the row, so another goal is another row. A goal with a recipe's
 * settings, and with what the training subjects' truth says, is a target: plain data, copied by assignment. */
#ifndef HF_GOAL_H
#define HF_GOAL_H

#include "hfdata.h"

#include "graph/graph.h"
#include "metrics/metrics.h"
#include "plan/plan.h"
#include "recipe/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { HF_MAX_TRUTH = 2, HF_MAX_LABELS = 32, HF_MAX_BASELINES = 2, HF_MAX_COLUMNS = 8 + HF_MAX_CLASSES };

typedef struct hf_goal hf_goal;
typedef struct hf_loss hf_loss;

typedef struct hf_target {
    const hf_goal *goal;
    const hf_loss *loss;
    char column[64]; /* of the cohort's table */
    char event[64];  /* the second column, of a goal whose truth has two; "" */
    char unit[32];   /* of a number; "" for classes */
    int T;           /* numbers a subject's truth has */
    int units;       /* numbers the network's last layer gives */
    int outputs;     /* numbers behind the goal's head; the same where it has none */
    int P;           /* numbers a prediction has: the number itself, or a probability for each class */

    int n_classes;                       /* 0: the truth is a number */
    char class_name[HF_MAX_CLASSES][32]; /* [n_classes] */
    /* Classes that the network tells apart: those, or finer ones, some of which are reported as one. Then T is 2: the class
     * that is reported, the class that is trained. */
    int n_trained;
    char trained_name[HF_MAX_CLASSES][32]; /* [n_trained] */
    int shown_as[HF_MAX_CLASSES];          /* [n_trained] */
    int n_labels; /* texts of the table that name a class: the trained ones, then those merged into one */
    char label[HF_MAX_LABELS][32]; /* [n_labels] */
    int class_of[HF_MAX_LABELS];   /* [n_labels] a trained class */
    bool inverse;                  /* class weights by inverse frequency */
    double weight[HF_MAX_CLASSES]; /* [n_trained] of the loss */

    /* From the training subjects: the constant predictions that a network must beat, [P] each; and of a number the range;
     * 0 to 0 where it is not known. */
    double baseline[HF_MAX_BASELINES][HF_MAX_CLASSES];
    double frequency[HF_MAX_CLASSES]; /* [n_trained]; not kept in checkpoints */
    double low, high;
} hf_target;

struct hf_loss {
    const char *name; /* in recipes; NULL ends a table, whose first row is the default */
    /* Adds inputs of its own and the loss [1] behind output [N,outputs]. */
    hf_node *(*build)(hf_node *output, const hf_target *target);
    /* Sets those inputs from truth [count,T]; count is the batch that was planned. */
    hf_status (*feed)(hf_plan *plan, const hf_target *target, const float *truth, int count);
    /* The same loss of output [count,outputs] against truth [count,T], over all of them at once. */
    double (*value)(const hf_target *target, const float *output, const float *truth, int count);
};

enum { HF_SHOW_SCATTER = 1, HF_SHOW_CONFUSION = 2, HF_SHOW_SURVIVAL = 4 }; /* sections of a report */

struct hf_goal {
    const char *name; /* in recipes */
    const char *about;
    const hf_loss *losses;
    const char *metrics;                     /* names, blanks between, as columns of tables */
    const char *select;                      /* the metric that says which epoch is best */
    const char *baselines[HF_MAX_BASELINES]; /* "training mean"; NULL where there are fewer */
    unsigned sections;
    /* Its own settings; column and loss are set, T is 1. units may stay 0 where there is no head. */
    hf_status (*set)(hf_target *target, const hf_recipe *recipe);
    /* truth[T] of a row; all NaN where a cell is missing. HF_ERR_FORMAT names file, line and what was expected, and leaves
     * the subject out; HF_ERR_ARGUMENT refuses the table. */
    hf_status (*parse)(double *truth, const hf_target *target, const hf_table *table, int row, int column);
    hf_status (*learn)(hf_target *target, const double *truth, int count); /* baselines, weights, from truth[count,T] */
    /* Nodes of the goal's own, and parameters "goal.*", between the network's units [N,units] and output [N,outputs], in
     * training and in prediction; NULL: none. */
    hf_node *(*head)(hf_node *units, const hf_target *target);
    void (*link)(double *predicted, const float *output, const hf_target *target);   /* output [outputs] -> [P] */
    void (*unlink)(float *output, const double *predicted, const hf_target *target); /* an output whose link this is */
    void (*start)(float *bias, const hf_target *target); /* bias[outputs] that says what the first baseline says */
    const char *bias; /* the parameter that is; NULL: the bias of the network's last layer */
    /* Columns of a predictions file behind id and groups: their names, a subject's cells, and back. */
    void (*columns)(hf_text *out, const hf_target *target);
    void (*cells)(hf_text *out, const hf_target *target, const double *truth, const double *predicted);
    hf_status (*read)(double *truth, double *predicted, const hf_target *target, const hf_table *table, int row);
    /* A prediction for people, on one line or more; and in a few words: "61.2 years", "AD (0.83)". */
    void (*say)(hf_text *out, const hf_target *target, const double *predicted);
    void (*words)(hf_text *out, const hf_target *target, const double *predicted);
    void (*truth_words)(hf_text *out, const hf_target *target, const double *truth); /* "61.2", "AD" */
    /* How far off a prediction is, 0 at best: orders subjects from best to worst. NULL: of a subject alone that has no
     * meaning. */
    double (*error)(const hf_target *target, const double *truth, const double *predicted);
    /* Whether error() of a number is in its units, so that the number plus and minus an error is an interval. */
    bool interval;
    /* Whether a prediction is so far from all training subjects that it is nobody's; NULL: none is. */
    bool (*absurd)(const hf_target *target, const double *predicted);
};

const hf_goal *hf_goal_find(const char *name); /* NULL when there is none */
const hf_goal *hf_goal_at(int index);          /* NULL beyond the last */

/* Reads a recipe's goal, its settings and train.loss. HF_ERR_ARGUMENT names the key, what was found, what fits. */
hf_status hf_target_set(hf_target *out, const hf_recipe *recipe) HF_MUST_USE;
/* A recipe that leaves the loss to the goal is given the goal's. */
hf_status hf_goal_resolve(hf_recipe *recipe) HF_MUST_USE;
/* Truth [n_subjects,T] of a cohort, NaN where missing. Cells that cannot be read are NaN too, and *problems says so, a line
 * each. HF_ERR_ARGUMENT when the cohort has no such column. */
hf_status hf_target_truth(double *truth, hf_text *problems, const hf_target *target,
                          const hf_cohort *cohort) HF_MUST_USE;
/* From truth[count,T] of the training subjects. HF_ERR_ARGUMENT when a class has none. */
hf_status hf_target_learn(hf_target *target, const double *truth, int count) HF_MUST_USE;

/* ---- judging ----------------------------------------------------------------------------------------------------- */

/* A metric as a column: for one class where it is per class. */
typedef struct hf_column {
    const hf_metric *metric;
    int k;
    char name[64];  /* "mae", "recall_MCI" */
    char label[64]; /* "MAE", "recall MCI" */
} hf_column;

/* The goal's metrics into out; returns how many. */
int hf_target_columns(hf_column out[HF_MAX_COLUMNS], const hf_target *target);
/* The column of the selecting metric. */
int hf_target_select(const hf_target *target);

enum { HF_MAX_GROUPS = 8, HF_INTERVAL_PERCENT = 90 };

/* A subject that was asked for and has no prediction. */
typedef struct hf_left_out {
    char *id, *why;
} hf_left_out;

/* Predictions for a list of subjects; freed with hf_predictions_free. */
typedef struct hf_predictions {
    hf_target target; /* its T is 1 for classes: how finely they were trained is not judged */
    int count;
    char **id;         /* [count] */
    int n_groups;      /* columns by which results are broken down, at most HF_MAX_GROUPS */
    char **group_name; /* [n_groups] */
    char **group;      /* [count,n_groups] as in the table; NULL where missing */
    double *truth;     /* [count,T]; NaN where missing */
    double *predicted; /* [count,P] */
    int *index;        /* [count] subject in the cohort */
    double margin;     /* a number's HF_INTERVAL_PERCENT prediction interval is it plus and minus this; NaN: none */
    bool *seen;        /* [count] the network has learned from this subject; NULL: nobody asked */
    int n_left_out;
    hf_left_out *left_out; /* [n_left_out] */
    hf_bootstrap bootstrap;
} hf_predictions;

/* Room for so many, all texts NULL. */
hf_status hf_predictions_new(hf_predictions *out, const hf_target *target, int count, int n_groups) HF_MUST_USE;
void hf_predictions_free(hf_predictions *predictions);
/* Removes subjects from the list, those that are not kept[count]; the others stay in order. */
void hf_predictions_keep(hf_predictions *predictions, const bool *keep);

/* Truth and predictions as metrics read them; they stay the predictions'. */
hf_scored hf_predictions_scored(const hf_predictions *predictions);
/* Everybody with a truth, in the order of their ids, into index[count]: intervals taken in this order do not depend on the
 * one they come in. */
hf_status hf_predictions_known(int *index, int *n, const hf_predictions *predictions) HF_MUST_USE;

/* As a table: participant_id, groups, the goal's columns, then low_90 and high_90 where there is an interval; as text, or
 * as a file. Numbers come back exactly. */
hf_status hf_predictions_text(const hf_predictions *predictions, hf_text *out) HF_MUST_USE;
hf_status hf_predictions_write(const hf_predictions *predictions, const char *path) HF_MUST_USE;
/* Such a file again; `target` says what its columns are, groups are the columns between. */
hf_status hf_predictions_read(hf_predictions *out, const hf_target *target, const char *path) HF_MUST_USE;

extern const char HF_SEEN[], HF_NEW[]; /* "seen in training", "new" */

/* Results of everybody, or of one group. */
typedef struct hf_score_row {
    const char *column,
        *value; /* of the group; both NULL: everybody; column NULL: HF_SEEN or HF_NEW. They belong to the
                                   predictions */
    int count;
    hf_interval of[HF_MAX_COLUMNS];
    double baseline[HF_MAX_BASELINES][HF_MAX_COLUMNS];
} hf_score_row;

typedef struct hf_scores {
    int n_columns, select, n_baselines;
    hf_column column[HF_MAX_COLUMNS];
    int n_rows;
    hf_score_row *row; /* [n_rows] everybody first, then who was seen and who is new, where that is known, then group by
                          group in byte order; none is empty */
} hf_scores;

/* Judges predictions; subjects without truth do not count. They are taken in the order of their ids, so that the
 * intervals do not depend on the order they come in. HF_ERR_ARGUMENT when nobody has a truth. */
hf_status hf_scores_make(hf_scores *out, const hf_predictions *predictions) HF_MUST_USE;
void hf_scores_free(hf_scores *scores);

#ifdef __cplusplus
}
#endif
#endif
