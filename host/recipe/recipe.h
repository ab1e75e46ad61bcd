/* recipe.h: an experiment as a YAML file: what to train on which cohort, how, and how to judge it.
 *
 * Every key is one row of one table (keys.c): name, type, default, limits, one line of description. The same check
 * serves a file and a "--set KEY=VALUE", the help text and the resolved recipe are printed from it, and an unknown or
 * ill-typed key is refused with its place, what was found and what was expected. Messages of a file begin with
 * "'FILE', line N: ". A file path in a recipe is relative to the current directory. */
#ifndef HF_RECIPE_H
#define HF_RECIPE_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hf_texts {
    int count;
    char **text; /* [count] */
} hf_texts;

/* All texts are set: "" where a recipe says nothing and there is no other default. */
typedef struct hf_recipe {
    char *path; /* where it was read; "" for the defaults alone */
    struct {
        char *name;        /* of a goal; in a file, "goal: NAME" says the same as "goal: {name: NAME}" */
        hf_texts classes;  /* in the order of the network's outputs */
        hf_texts merge;    /* "EMCI=MCI": what the table calls EMCI is of class MCI */
        hf_texts collapse; /* "EMCI=MCI": the class EMCI is trained as one of its own and reported as MCI */
        char *event;       /* survival: column, 1 or 0; "" */
        char *unit;        /* of a number */
    } goal;
    struct {                 /* "" or "own", 0: the network's own */
        char *name;          /* a network; in a file, "model: NAME" says the same as "model: {name: NAME}" */
        char *hyper_layers;  /* comma list, "all", "none" */
        char *hyper_start;   /* "published", "ordinary" */
        char *concat_layers; /* comma list, "none" */
        int64_t embedding;
        char *embedding_kind; /* "fill", "linear", "mlp" */
        bool share_embedding;
        double variance;
        char *variance_mode;                  /* "constant", "input", "embedding" */
        char *film, *film_activation;         /* "both", "scale", "shift"; "linear", "sigmoid", "tanh" */
        char *fusion;                         /* of a network's parts: "mean", "entropy", "vote", "confident" */
        double image_share;                   /* in the mean */
        double auxiliary_mix, auxiliary_loss; /* share of the output, or -1; factor of a loss */
        int64_t bottleneck, width, blocks, depth;
        double dropout; /* -1: the network's own */
        double momentum;
    } model;
    struct {
        char *path, *table, *id_column, *image_column;
        char *filter;      /* "COLUMN=VALUE", "COLUMN=A|B", "COLUMN=LOW..HIGH" or "" */
        double fraction;   /* of the rows, the first ones */
        char *session;     /* of images found by id; "" */
        hf_texts entities; /* that their names must have */
        int64_t shape[3];  /* D,H,W voxels; all 0: as stored */
        double spacing[3]; /* mm; all 0: as stored */
        bool shape_given;  /* set after the file, by itself; otherwise a new spacing makes the shape follow from it */
        char *centre;      /* "mass", or the older "middle" */
        char *fit;         /* "crop", or "resize" */
        char *crop;        /* "21:149, 55:151, 25:89" voxels of the grid; "": all of it */
        char *crop_mm;     /* "-64:64, -72:24, -50:14" mm, or a known box; "": none */
        char *sides;       /* "one" or "both" */
        char *mask;        /* name of masks beside the images; "": none */
        char *normalise;   /* "zscore" or "none" */
        char *target;      /* column */
        hf_texts tabular;  /* encoder specs such as "sex:onehot(F,M)" */
        char *fit_on;      /* "train" or "all" */
        bool cache;
        char *cache_dir; /* "": the user's cache folder */
    } cohort;
    struct {
        char *method, *column, *file, *age_column, *sex_column, *group_column;
        hf_texts strata; /* columns or one-hot specs; none: sex_column and age_column */
        char *leave;     /* a group; "" */
        int64_t folds, fold;
        double valid, test; /* fractions */
        int64_t seed;
        char *train_filter;    /* as cohort.filter, of those who train and validate */
        double train_fraction; /* of them, the first ones */
    } split;
    struct {
        int64_t epochs, batch_size;
        double learning_rate, weight_decay;
        char *optimizer;
        char *loss;                               /* "": the goal's own */
        hf_texts class_weights;                   /* empty: all alike; "inverse"; or a number for each class */
        bool oversample;                          /* all classes as often as the most frequent one */
        double clip_norm;                         /* of all gradients; 0: never */
        char *schedule;                           /* "constant", "step", "cosine", "plateau" */
        double warmup_epochs, decay, lowest_rate; /* of the schedule */
        int64_t decay_epochs;
        int64_t patience;        /* epochs without progress that end a run; 0: none */
        int64_t overfit_batches; /* for debugging: only so many; 0: all */
        bool start_at_mean, flip;
        double flip_rate;                             /* probability */
        int64_t shift;                                /* voxels */
        double affine, rotate[3], scale[3], shear[3]; /* probability; degrees; parts of 1 */
        double noise, noise_sd;                       /* probability; standard deviations of the image */
        int64_t seed, threads_ahead;
    } train;
    struct {             /* the embedding of a network, trained by the table row alone before the rest is */
        char *embedding; /* "fresh": not; "fine-tuned", "frozen": and then */
        int64_t epochs, batch_size;
        double learning_rate, weight_decay;
        hf_texts class_weights; /* empty: those of train */
    } pretrain;
    struct {
        int64_t bootstrap, seed;
        hf_texts groups; /* columns by which results are broken down */
    } evaluate;
    struct {
        int64_t seeds, versions, folds; /* runs: seeds x versions x folds */
        char *over;                     /* an ensemble is of "folds" or of "versions" */
        int64_t best;                   /* of an ensemble's models, by validation; 0: all */
        char *ensemble;                 /* "entropy", "mean", "vote", "confident" */
    } crossval;
} hf_recipe;

/* The defaults alone. Like the next two it sets *out only on success; the caller frees with hf_recipe_free. */
hf_status hf_recipe_defaults(hf_recipe *out) HF_MUST_USE;

/* The defaults overlaid with a file. HF_ERR_FORMAT when it is not plain YAML (one document, no anchors, aliases, tags or
 * duplicate keys), HF_ERR_ARGUMENT when a key or value is not in the table. A file may begin with "base: OTHER" or "base:
 * [OTHER, ...]": recipe files, relative to its folder, whose keys are put below its own; HF_ERR_ARGUMENT when a file is its
 * own base. A text that is parsed has no base. */
hf_status hf_recipe_read(hf_recipe *out, const char *path) HF_MUST_USE;
hf_status hf_recipe_parse(hf_recipe *out, const char *text, size_t size, const char *name) HF_MUST_USE;

/* One "KEY=VALUE" from a command line. Texts are taken as they are, lists with or without their brackets. A new
 * cohort.spacing drops the cohort.shape of the file, which was meant for another voxel size, unless a shape is set too,
 * before or after. On failure the recipe is as it was. */
hf_status hf_recipe_set(hf_recipe *recipe, const char *assignment) HF_MUST_USE;

/* What no single key can tell: keys that need each other. Call it after the last hf_recipe_set. */
hf_status hf_recipe_check(const hf_recipe *recipe) HF_MUST_USE;

/* The resolved recipe as YAML, every key with its value; reading it back gives an equal recipe. */
hf_status hf_recipe_write(const hf_recipe *recipe, hf_text *out) HF_MUST_USE;

/* Whether a run that was started with `was` may go on with `is`: every key must have the value it had, but for those that
 * do not change what an epoch computes. Keys are compared, not texts, so a recipe of an older version, which lacks newer
 * keys, has their defaults. HF_ERR_ARGUMENT names the first key that differs. */
hf_status hf_recipe_continues(const hf_recipe *was, const hf_recipe *is) HF_MUST_USE;

/* A copy; like the defaults it is freed with hf_recipe_free. */
hf_status hf_recipe_copy(hf_recipe *out, const hf_recipe *recipe) HF_MUST_USE;

/* The table of keys for people. */
hf_status hf_recipe_describe_keys(hf_text *out) HF_MUST_USE;

void hf_recipe_free(hf_recipe *recipe); /* frees the fields and zeroes the struct; NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
