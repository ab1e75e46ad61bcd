/* parts.h: the parts of a training run (run.h) that train, evaluate and predict put together. Private to host/.
 *
 *   data.c     recipe -> cohort, split, truth, encoder, preprocessed volumes
 *   network.c  recipe -> network, plans, one training step, predictions for a list of subjects
 *   outputs.c  several outputs for one subject become one
 *   same.c     is what a resumed run finds what its checkpoint learned?
 *   learned.c  what a checkpoint holds beside the weights, as JSON and back
 *   former.c   and what version 0.1 held
 *   guard.c    is this volume like the training ones?
 *   samples.c  who is shown in an epoch
 *   schedule.c the learning rate of a step, and when a run ends early
 *   start.c    what training begins with
 *   screen.c, seen.c, residuals.c  what is to be known before an answer is believed (judge.h)
 *   folder.c   the folder: its lock, its log, its split file
 *   pretrain.c the stage before the first epoch
 *   report.c   the report of a run
 *   train.c, predict.c, plan.c, convert.c  the runs themselves */
#ifndef HF_RUN_PARTS_H
#define HF_RUN_PARTS_H

#include "archive/archive.h"
#include "metrics/ensemble.h"
#include "networks/networks.h"
#include "run.h"

/* ---- watching ---------------------------------------------------------------------------------------------------- */

void hf_watch_say(const hf_watch *watch, const char *format, ...) HF_PRINTF(2, 3);
void hf_watch_progress(const hf_watch *watch, const char *what, int done, int total, double loss);

typedef struct hf_run_data hf_run_data;

/* ---- guard ------------------------------------------------------------------------------------------------------- */

/* The mean thumbnail of the training volumes, and how well they agree with it. */
typedef struct hf_guard {
    float mean[HF_THUMBNAIL_CELLS];
    double typical; /* median correlation of a training volume with the mean */
    double lowest;  /* a correlation below this is far outside of what is usual in training */
    int checked,
        flagged; /* training volumes that were looked at, and those of them below `lowest`: false alarms, or scans
                             that are no good */
} hf_guard;

hf_status hf_guard_fit(hf_guard *out, const hf_dataset *dataset, const int *index, int count) HF_MUST_USE;
/* Correlation of a preprocessed volume [D,H,W] with the mean; NaN for a constant volume. */
double hf_guard_correlation(const hf_guard *guard, const float *volume, const int shape[3]);

/* ---- state ------------------------------------------------------------------------------------------------------- */

/* What the training of an embedding beforehand came to; epochs 0: there was none. */
typedef struct hf_run_stage {
    int64_t epochs, best_epoch;
    double best_value; /* of the goal's selecting metric; NaN without validation subjects */
} hf_run_stage;

/* What training learned about the data: fixed once training begins, and all that predicting needs beside the
 * weights. */
typedef struct hf_run_fixed {
    hf_grid grid;  /* as given to the dataset */
    int shape[3];  /* D,H,W that the network sees */
    bool oriented; /* the training images say how they lie */
    hf_encoder encoder;
    bool former;      /* read from a checkpoint of version 0.1, which says less about it */
    hf_target target; /* with what the training subjects' truth says */
    hf_guard guard;
    hf_run_stage stage;
    int64_t parameters; /* trained scalars */
    char device[160];   /* it was trained on */
} hf_run_fixed;

/* How far training has come. */
typedef struct hf_run_progress {
    int64_t epoch;         /* whole epochs trained */
    int64_t step;          /* training steps so far */
    int64_t best_epoch;    /* 0: none yet */
    double best_value;     /* of the goal's selecting metric; NaN without validation subjects */
    int64_t reductions;    /* of the learning rate, by train.schedule plateau */
    int64_t reduced_epoch; /* when it was reduced last; 0: never */
} hf_run_progress;

/* Adds and reads the texts and tensors of both, and the resolved recipe. */
hf_status hf_run_state_save(hf_archive *archive, const hf_run_fixed *fixed, const hf_run_progress *progress,
                            const char *recipe) HF_MUST_USE;
hf_status hf_run_state_load(hf_run_fixed *fixed, hf_run_progress *progress, hf_recipe *recipe,
                            const hf_archive *archive) HF_MUST_USE;

/* The encoder from the JSON of version 0.1. */
struct json_t;
hf_status hf_run_former_encoder(hf_encoder *out, const struct json_t *features) HF_MUST_USE;

/* Refuses to go on with a checkpoint of `was` where `is` has been found: grid, shape, columns, size, targets. */
hf_status hf_run_same_fixed(const hf_run_fixed *was, const hf_run_fixed *is) HF_MUST_USE;

/* ---- data -------------------------------------------------------------------------------------------------------- */

struct hf_run_data {
    hf_cohort cohort;
    hf_part *part; /* [n_subjects]; HF_UNUSED for those left out */
    hf_dataset *dataset;
    int T;                                    /* of the target */
    double *truth;                            /* [n_subjects,T] NaN where missing */
    int *index;                               /* [n_subjects] subjects, part after part, each in table order */
    int first[HF_N_PARTS], count[HF_N_PARTS]; /* where in index, how many */
};

typedef struct hf_run_source {
    const char *folder;     /* of another cohort, all of whose subjects belong to HF_TEST; NULL: the recipe's */
    const char *split_file; /* a split drawn before; NULL: draw it */
    bool learned;           /* *fixed is known; otherwise its grid, encoder and target are learned here */
    bool needs_truth;       /* leave out subjects without a truth */
} hf_run_source;

/* Opens everything. Subjects left out are said to `watch`. `fixed` must outlive the data. */
hf_status hf_run_data_open(hf_run_data *out, hf_run_fixed *fixed, const hf_recipe *recipe, const hf_run_source *source,
                           const hf_watch *watch) HF_MUST_USE;
void hf_run_data_free(hf_run_data *data);
/* Takes subjects out of a part, those that are not kept[count of the part]. */
void hf_run_data_keep(hf_run_data *data, hf_part part, const bool *keep);
/* The table's columns among evaluate.groups, into column[]; returns how many. */
int hf_run_group_columns(int column[HF_MAX_GROUPS], const hf_cohort *cohort, const hf_recipe *recipe);
/* D,H,W and width of the table row that a recipe alone says; only what it leaves open is looked up in the cohort. */
hf_status hf_run_measure(int shape[3], int *width, const hf_recipe *recipe) HF_MUST_USE;
/* The grid of a recipe; what the files must say is not learned yet. */
hf_status hf_run_grid(hf_grid *out, const hf_recipe *recipe) HF_MUST_USE;
/* The part of a recipe that says how the cohort is opened; `storage` holds the filter. */
hf_status hf_run_cohort_open(hf_cohort *out, const hf_recipe *recipe, const char *folder) HF_MUST_USE;

/* Everybody who takes part, as JSON: [[id, part, digest of the table cells in use, digest of the image], ...]. Freed with
 * free(). A checkpoint keeps it; a resumed run refuses a list that differs, and names the first subject that does. */
hf_status hf_run_subjects(char **out, const hf_run_data *data, const hf_encoder *encoder,
                          const hf_target *target) HF_MUST_USE;
hf_status hf_run_same_subjects(const char *was, const char *is) HF_MUST_USE;

/* ---- samples and schedule ---------------------------------------------------------------------------------------- */

typedef struct hf_run_samples {
    int *index; /* [count] training subjects of an epoch, some more than once when oversampling */
    int count;
    int *judge; /* [n_judges] subjects by which the best epoch is chosen: those for validation; with
                   train.overfit_batches those that train, to see what is left when nothing is random */
    int n_judges;
} hf_run_samples;

hf_status hf_run_samples_list(hf_run_samples *out, const hf_run_data *data, const hf_target *target,
                              const hf_recipe *recipe) HF_MUST_USE;
void hf_run_samples_free(hf_run_samples *samples);

/* The learning rate of the step that comes next; `steps` are those of an epoch. */
double hf_run_learning_rate(const hf_recipe *recipe, const hf_run_progress *progress, int64_t steps);
/* Behind a whole epoch: reduces the learning rate when train.schedule says so; true when it did. */
bool hf_run_note_plateau(hf_run_progress *progress, const hf_recipe *recipe);
/* Whether train.patience ends the run here. */
bool hf_run_out_of_patience(const hf_run_progress *progress, const hf_recipe *recipe);
/* Refuses patience and plateau without anybody to judge by. */
hf_status hf_run_check_selecting(const hf_recipe *recipe, int validation_subjects) HF_MUST_USE;

/* ---- network ----------------------------------------------------------------------------------------------------- */

/* The network for one batch size. */
typedef struct hf_run_step {
    int batch; /* 0: there is none */
    hf_graph *graph;
    hf_node *prediction, *loss; /* loss: training only */
    hf_plan *plan;
} hf_run_step;

/* The sizes a network is planned for: training batch, remainder of an epoch, evaluation. */
enum { HF_STEP_TRAIN, HF_STEP_REST, HF_STEP_EVALUATE, HF_N_STEPS };

typedef struct hf_run_network {
    const hf_target *target;
    bool row_only;          /* the image is not looked at */
    hf_network_parts parts; /* of what the network gives: [N,K outputs] */
    hf_ensemble fusion;     /* how they become one prediction */
    hf_context *context;
    hf_model *model;
    hf_arena *arena;
    hf_optimizer *optimizer; /* NULL until bound for training */
    hf_run_step step[HF_N_STEPS];
    int shape[3];                 /* D,H,W */
    int width;                    /* of a table row; 0: not used */
    double variance;              /* V of the hyperfan-in rule; 0: the network's own */
    float *staging, *staging_row; /* [evaluation batch, ...]: the last, smaller batch is padded here */
} hf_run_network;

/* Opens the device and plans; no device memory yet. `target` must outlive the network. `rows` [count,width] are the
 * encoded training rows, on which the variance term of the hyper layers' initial values is measured when the recipe says
 * so; NULL when initial values do not matter. */
hf_status hf_run_network_plan(hf_run_network *out, const hf_recipe *recipe, const hf_target *target, const char *device,
                              const int shape[3], int width, const int batch[HF_N_STEPS], const float *rows,
                              int64_t count) HF_MUST_USE;
/* Bytes on the device once bound. */
size_t hf_run_network_bytes(const hf_run_network *network, bool training);
hf_status hf_run_network_bind(hf_run_network *network, const hf_recipe *recipe, bool training) HF_MUST_USE;
void hf_run_network_free(hf_run_network *network);

/* One training step on a batch of either training size; reads its loss. */
hf_status hf_run_network_train(float *loss, hf_run_network *network, const hf_batch *batch, uint64_t seed,
                               uint32_t step) HF_MUST_USE;

/* Numbers that the network gives for a sample: those of all its parts. */
int hf_run_outputs(const hf_run_network *network);

/* The parts of `count` samples, output [count,K outputs], become one prediction each, as an output whose link says so:
 * [count,outputs], in place. HF_ERR_NUMBER where no prediction is one. */
hf_status hf_run_mix_parts(float *output, int count, const hf_run_network *network) HF_MUST_USE;

/* Several views of `count` subjects, output [count,views,outputs], become one: the mean of their predictions (of classes:
 * of their probabilities), as an output whose link says so: [count,outputs], in place. */
void hf_run_average_views(float *output, int count, int views, const hf_target *target);

/* What the network says of `count` subjects that `loader` serves, in its order: output [count,outputs] before the goal's
 * link, several views of one averaged; truth [count,T] may be NULL. */
hf_status hf_run_network_predict(float *output, float *truth, hf_run_network *network, hf_loader *loader, int count,
                                 const char *what, const hf_watch *watch) HF_MUST_USE;

/* The same for one subject and its volumes [views,D,H,W], by a network that was planned to evaluate one sample at a time. */
enum { HF_MAX_VIEWS = 2 };
hf_status hf_run_network_predict_one(float *output, hf_run_network *network, const float *volume, int views,
                                     const float *row) HF_MUST_USE;

/* What training begins with: the encoded rows [count,width] of the training subjects, freed by the caller; and the bias of
 * the goal's head or the last layer, which says what the training targets say on average, put into a bound network. */
hf_status hf_run_training_rows(float **rows, const hf_run_data *data, const hf_run_fixed *fixed) HF_MUST_USE;
hf_status hf_run_start_at_mean(const hf_run_network *network, const hf_recipe *recipe,
                               const hf_run_fixed *fixed) HF_MUST_USE;

/* The recipe's network. */
hf_status hf_run_network_find(const hf_network **out, const hf_recipe *recipe) HF_MUST_USE;

/* ---- a stage before the first epoch ------------------------------------------------------------------------------ */

/* Whether the recipe has the embedding of its network trained beforehand. */
bool hf_run_pretrains(const hf_recipe *recipe);
/* Refuses a recipe that cannot: by itself; and once the network is bound, an embedding of another shape. The embedding's
 * initial values are replaced. */
hf_status hf_run_pretrain_check(const hf_recipe *recipe) HF_MUST_USE;
hf_status hf_run_pretrain_shapes(const hf_run_network *network, const hf_recipe *recipe, int width) HF_MUST_USE;
/* Trains the embedding in a folder inside `folder`, goes on there, or finds it done; then puts its best epoch into the
 * network. HF_ERR_ARGUMENT when that run knows other `subjects` (hf_run_subjects). */
hf_status hf_run_pretrain(hf_run_stage *out, hf_run_network *network, const hf_recipe *recipe, const char *subjects,
                          const char *folder, const hf_train_options *options) HF_MUST_USE;

/* ---- folder ------------------------------------------------------------------------------------------------------ */

#define HF_BEST_FILE     "best.safetensors"
#define HF_LAST_FILE     "last.safetensors"
#define HF_SPLIT_FILE    "split.tsv"
#define HF_RECIPE_TEXT   "run.recipe" /* in the metadata of a checkpoint */
#define HF_SUBJECTS_TEXT "run.subjects"

/* Reads one of the checkpoints and what it holds beside the weights; the caller frees archive and recipe. */
hf_status hf_run_checkpoint_read(hf_archive *archive, hf_run_fixed *fixed, hf_run_progress *progress, hf_recipe *recipe,
                                 const char *folder, const char *name) HF_MUST_USE;

hf_status hf_run_file(char **out, const char *folder, const char *name) HF_MUST_USE;
bool hf_run_has(const char *folder, const char *name);
/* Refuses a folder that holds anything but a lock. */
hf_status hf_run_refuse_used(const char *folder) HF_MUST_USE;
/* Creates the folder; HF_ERR_IO when another process holds its lock. */
hf_status hf_run_lock(hf_lock *lock, const char *folder) HF_MUST_USE;
/* The first folder on the way to `folder` that is not there yet; *out is NULL when all are. */
hf_status hf_run_first_missing(char **out, const char *folder) HF_MUST_USE;
/* Under its lock: removes a folder in which nothing was begun, and those above it down from `first`, so that a refused
 * start leaves none. */
void hf_run_remove_empty(const char *folder, const char *first);
hf_status hf_run_split_write(const char *folder, const hf_cohort *cohort, const hf_part *part) HF_MUST_USE;
hf_status hf_run_log_append(const char *folder, const hf_epoch *epoch) HF_MUST_USE;
/* Drops everything after `epoch`, also a torn last line. */
hf_status hf_run_log_keep(const char *folder, int64_t epoch) HF_MUST_USE;

#endif
