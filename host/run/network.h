/* network.h: the network of a recipe, planned, trained by steps, asked. Private to host/. */
#ifndef HF_RUN_NETWORK_H
#define HF_RUN_NETWORK_H

#include "data.h"
#include "learned.h"
#include "metrics/ensemble.h"
#include "networks/networks.h"
#include "run.h"

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

#endif
