/* learned.h: what training learned beside the weights, as a checkpoint keeps it. Private to host/. */
#ifndef HF_RUN_LEARNED_H
#define HF_RUN_LEARNED_H

#include "archive/archive.h"
#include "guard.h"

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

#endif
