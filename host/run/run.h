/* run.h: one experiment in one folder: train a recipe, evaluate it, predict with it.
 *
 * A run folder holds
 *   recipe.yaml           the resolved recipe
 *   split.tsv             who trained, who validated, who tests
 *   log.jsonl             one object an epoch
 *   best.safetensors      the weights of the best epoch, preprocessing, table statistics: all that predicting needs
 *   last.safetensors      the same after the last whole epoch, with the optimiser: all that resuming needs
 *   predictions-test.tsv  the test subjects, by the best weights
 *   report.html           of classes with report-confusion.png and report-confusion-shares.png
 *   embedding/            where the recipe asks for it (pretrain): the run in which the embedding was trained alone
 *
 * Everything random is a function of (seed, epoch or step, subject), so a run that was killed and resumed ends with the
 * same bits as one that was not. Subjects are only ever told apart by the split that was drawn at the start. */
#ifndef HF_RUN_H
#define HF_RUN_H

#include "hfdata.h"
#include "convert/convert.h"
#include "goal/goal.h"
#include "plan/plan.h"
#include "recipe/recipe.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HF_RECIPE_FILE      "recipe.yaml"
#define HF_PREDICTIONS_FILE "predictions-test.tsv"
#define HF_REPORT_FILE      "report.html"

/* One finished epoch. Without validation subjects valid_loss and valid[] are NaN. */
typedef struct hf_epoch {
    const char *stage;            /* "embedding" while that is trained beforehand; NULL: the run itself */
    int epoch, epochs;            /* counted from 1, and how many there will be */
    double train_loss;            /* mean over samples, as trained: with dropout, while the weights change */
    double valid_loss;            /* the same loss on the validation subjects, weights as they are now */
    int n_columns, select;        /* the goal's metrics, and which of them chooses the best epoch */
    const hf_column *column;      /* [n_columns] */
    double valid[HF_MAX_COLUMNS]; /* [n_columns] on the validation subjects; NaN where one has no meaning */
    double seconds;               /* all of the epoch */
    double samples_per_second;    /* of its training part */
    double waited_seconds;        /* the device waited for data */
    double learning_rate;         /* of its last step */
    bool best;                    /* by the selecting metric, so far */
} hf_epoch;

/* What wants to be told while a run works. Any member may be NULL. */
typedef struct hf_watch {
    void (*say)(void *user, const char *line); /* what was found or left out, and why */
    /* `what` is "preparing volumes", "training" and so on; `loss` is the mean so far, NaN where there is none. */
    void (*progress)(void *user, const char *what, int done, int total, double loss);
    void (*epoch)(void *user, const hf_epoch *epoch);
    bool (*stop)(void *user); /* asked after every training step; true ends the run with HF_ERR_STOPPED */
    void *user;
} hf_watch;

typedef struct hf_train_options {
    const char *device; /* as for hf_context_new */
    bool resume;        /* continue a run from its last checkpoint; nothing there yet: start */
    hf_watch watch;
} hf_train_options;

/* Trains into `folder`, which must not hold a run unless resuming; then evaluates the best weights on the test subjects
 * into *test (may be NULL) and writes predictions and report. Refuses a folder in which another process trains, and a
 * recipe that differs from that of the run it is to resume. HF_ERR_NUMBER names epoch and step when a loss or a weight
 * stops being finite; the last checkpoint stays as it was. */
hf_status hf_run_train(hf_predictions *test, const hf_recipe *recipe, const char *folder,
                       const hf_train_options *options) HF_MUST_USE;

typedef struct hf_evaluate_options {
    const char *device;
    const char *cohort; /* another folder, of which all subjects count; NULL: the run's own ... */
    hf_part part;       /* ... part; zero is HF_TRAIN, so set it */
    bool needs_truth;   /* leave out subjects without a truth */
    bool strict;        /* refuse, or leave out, what is only warned about otherwise */
    hf_watch watch;
} hf_evaluate_options;

/* Predicts for a cohort with the best weights of a run.
 *
 * Of another cohort a subject is left out by name (out->left_out, and said to `watch`) that training would leave out, or
 * whose file does not say how its volume lies where the training volumes do. Table values outside of the training range
 * and volumes unlike the training ones are said, and left out when `strict`. So is, where no truth is needed, what is no
 * prediction: a number that is not finite, or farther outside of the training subjects' range than that is wide. Where
 * truth is needed, out->seen says who trained or validated in the run. There, and where the cohort is the run's own, a
 * number that is not finite ends it all (HF_ERR_NUMBER): nothing bad is dropped from what is judged. */
hf_status hf_run_predict(hf_predictions *out, const char *folder, const hf_evaluate_options *options) HF_MUST_USE;

/* Whether the run in a folder is through: it has its predictions and its report, which is written last. */
bool hf_run_finished(const char *folder);

/* What a trained run says of itself. */
typedef struct hf_run_summary {
    hf_target target;
    int64_t parameters; /* trained scalars */
    int64_t best_epoch;
    double best; /* the selecting metric on the validation subjects at that epoch; NaN without any */
} hf_run_summary;
hf_status hf_run_summary_read(hf_run_summary *out, const char *folder) HF_MUST_USE;

/* The loss of an untrained network over all training subjects, with one layer drawn again and again: loss[n_layers,draws].
 * `layers` is a comma list; NULL: every convolution and linear layer. All layers are ordinary ones and in evaluation mode;
 * a layer is as before when the next one is drawn. Freed with hf_layer_losses_free. */
enum { HF_MAX_LAYERS = 64 };
typedef struct hf_layer_losses {
    int n_layers, draws;
    char layer[HF_MAX_LAYERS][96];
    double *loss;
} hf_layer_losses;
hf_status hf_run_layer_losses(hf_layer_losses *out, const hf_recipe *recipe, const char *layers, int draws,
                              const char *device, const hf_watch *watch) HF_MUST_USE;
void hf_layer_losses_free(hf_layer_losses *losses);

/* Writes the report of a run to `path`, or into the folder when NULL. Needs no device; slices are shown when the
 * cohort is still there. */
hf_status hf_run_report(const char *folder, const char *path, const hf_watch *watch) HF_MUST_USE;

/* What training a recipe takes, planned without touching device memory. The cohort is opened only when the recipe alone
 * does not say enough: no cohort.shape, or a one-hot column whose categories are not listed. */
typedef struct hf_run_plan {
    hf_plan *plan; /* of a whole training batch; belongs to this struct */
    int batch, shape[3], width;
    size_t device_bytes;          /* of all plans of a run, parameters, gradients and moments */
    const hf_device_info *device; /* belongs to this struct */
    void *owner;
} hf_run_plan;
hf_status hf_run_plan_new(hf_run_plan *out, const hf_recipe *recipe, const char *device) HF_MUST_USE;
void hf_run_plan_free(hf_run_plan *plan);

/* Predicts for one image: *out is one subject with the image's path as its id, freed with hf_predictions_free. `pairs` are
 * "name=value" of the table columns the run was trained with. The volume is brought to the run's grid; one that cannot be
 * is refused. Table values outside of the training range and a volume unlike the training ones are said to `watch`, and
 * refused when `strict`. HF_ERR_NUMBER when what the network says is no prediction (see above). Of the options device,
 * strict and watch count; NULL: none of them. */
hf_status hf_run_predict_image(hf_predictions *out, const char *folder, const char *image, const char *const *pairs,
                               int n_pairs, const hf_evaluate_options *options) HF_MUST_USE;

/* ---- weights from and to other programs (convert.c) --------------------------------------------------------------- */

typedef struct hf_convert_options {
    /* What the training rows said: a run folder, one of its checkpoints, or the text of an encoder. NULL: the recipe's cohort
     * says it, or the recipe itself where its columns need no statistics and cohort.shape is set. */
    const char *statistics;
    const char *device;
    hf_watch watch;
} hf_convert_options;

/* A state dict of PyTorch, saved as safetensors, becomes a run: `folder`, which must not be in use, can then be predicted with,
 * evaluated, and trained further by resuming (the last two need the recipe's cohort). Refuses tensors that do not match
 * the network by name and shape (hf_convert_from). Nothing is left behind on failure. */
hf_status hf_run_import(const hf_recipe *recipe, const char *weights, const char *folder,
                        const hf_convert_options *options) HF_MUST_USE;

/* The weights of the best or last epoch of a run into a file, under the names of `naming`. */
hf_status hf_run_export(const char *folder, bool last, const hf_naming *naming, const char *path) HF_MUST_USE;

/* The weights that training a recipe begins with. */
hf_status hf_run_export_initial(const hf_recipe *recipe, const hf_naming *naming, const char *path,
                                const hf_convert_options *options) HF_MUST_USE;

/* A table of who is shown when: epoch and step, both from 1, participant_id, and the side where there are two; rows of a step
 * in the order of its batch. Opens the recipe's cohort. */
hf_status hf_run_write_batches(const hf_recipe *recipe, const char *path,
                               const hf_convert_options *options) HF_MUST_USE;

/* Opens a cohort as a recipe says and adds what training would find wrong with its rows to the cohort's problems
 * (hf_cohort_check_rows), or what predicting with the best weights of a run would. The caller frees the cohort. */
hf_status hf_run_check_recipe(hf_cohort *out, const char *folder, const hf_recipe *recipe) HF_MUST_USE;
hf_status hf_run_check_run(hf_cohort *out, const char *folder, const char *run) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
