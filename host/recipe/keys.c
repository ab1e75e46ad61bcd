/* keys.c: the table of recipe keys, and how values are checked against it.
 *
 * A value arrives as text with a mark whether it was quoted; the key's type decides what it must look like, so "F" and
 * "NO" are texts where a text is expected and never turn into something else. Numbers and truth values are read by
 * jansson as JSON, which is strict and does not depend on the locale. Defaults go through the same check. */
#include "goals.h"
#include "key.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* clang-format off */
/* A row by the type of its value; the field of hf_recipe is the name of the key. */
#define ROW(type, field, preset, low, high, words, about, resume)                                                      \
    { #field, HF_KEY_##type, resume, offsetof(hf_recipe, field), preset, low, high, words, about }
#define TEXT(field, preset, about, resume)                ROW(TEXT, field, preset, 0, 0, NULL, about, resume)
#define WORD(field, preset, words, about, resume)         ROW(TEXT, field, preset, 0, 0, words, about, resume)
#define TEXTS(field, preset, about, resume)               ROW(TEXTS, field, preset, 0, 0, NULL, about, resume)
#define BOOLEAN(field, preset, about, resume)             ROW(BOOLEAN, field, preset, 0, 0, NULL, about, resume)
#define INTEGER(field, preset, low, high, about, resume)  ROW(INTEGER, field, preset, low, high, NULL, about, resume)
#define INTEGERS(field, preset, low, high, about, resume) ROW(INTEGERS, field, preset, low, high, NULL, about, resume)
#define NUMBER(field, preset, low, high, about, resume)   ROW(NUMBER, field, preset, low, high, NULL, about, resume)
#define NUMBERS(field, preset, low, high, about, resume)  ROW(NUMBERS, field, preset, low, high, NULL, about, resume)
/* clang-format on */
/* The last column: what a resumed run may be given. */
#define SAME   HF_RESUME_SAME
#define ANY    HF_RESUME_ANY
#define LONGER HF_RESUME_LONGER

#define FIRST_WORD(word) #word
#define NEXT_WORD(word)  ", " #word

#define MAX_SEED 9007199254740992.0 /* 2^53: exact as a double too */

const hf_key hf_recipe_keys[] = {
    WORD(goal.name, "regression", HF_GOALS(FIRST_WORD, NEXT_WORD),
         "what is predicted: a number, a class in one of several ways, the time until an event", SAME),
    TEXTS(goal.classes, "[]", "names of the classes in the table, in order: negative before positive, low before high",
          SAME),
    TEXT(goal.event, "",
         "for survival: column that is 1 where the event came at the time of cohort.target, 0 where it had not by then",
         SAME),
    TEXTS(goal.merge, "[]", "NAME=CLASS: what the table calls NAME counts as this class", SAME),
    TEXTS(goal.collapse, "[]",
          "CLASS=NAME: this class is trained as one of its own and reported as NAME, by the sum of probabilities",
          SAME),
    TEXT(goal.unit, "years", "of a number", ANY),

    TEXT(model.name, "brain-age-hyperfusion", "the network", SAME),
    TEXT(model.hyper_layers, "",
         "layers whose weights are generated: names with commas, all or none; empty: the network's own", SAME),
    WORD(model.hyper_start, "own", "own, published, ordinary",
         "hyper layers at first: all of a weight from the row, or an ordinary layer with a small conditioned part",
         SAME),
    TEXT(model.concat_layers, "",
         "linear layers that read the table row too: names with commas or none; empty: the network's own", SAME),
    INTEGER(model.embedding, "0", 0, 4096, "size of each hyper layer's embedding; 0: the network's own", SAME),
    WORD(model.embedding_kind, "own", "own, fill, linear, mlp",
         "a linear layer that starts as the row's sum, a linear layer, or linear with batch norm and PReLU", SAME),
    BOOLEAN(model.share_embedding, "false", "one embedding for all hyper layers", SAME),
    NUMBER(model.variance, "0", 0, 1e6, "variance term of the hyperfan-in initialisation; 0: the network's own", SAME),
    WORD(model.variance_mode, "constant", "constant, input, embedding",
         "that term: model.variance, or measured on the training rows or on what the untrained embedding makes of them",
         SAME),
    WORD(model.film, "own", "own, both, scale, shift", "what FiLM and DAFT do to channels", SAME),
    WORD(model.film_activation, "own", "own, linear, sigmoid, tanh", "of their scale", SAME),
    NUMBER(
        model.auxiliary_mix, "-1", -1, 1,
        "AD HyperFusion: share of the output that a linear layer makes of the embedding alone; -1: the network's own",
        SAME),
    NUMBER(model.auxiliary_loss, "0", 0, 1000, "factor of a loss that this layer has of its own, 0: it has none", SAME),
    WORD(model.fusion, "mean", "mean, entropy, vote, confident",
         "late fusion: how the predictions of its two networks become one; numbers are averaged", SAME),
    NUMBER(model.image_share, "0.5", 0, 1, "late fusion: how much of that mean the image's prediction is", SAME),
    INTEGER(model.bottleneck, "0", 0, 4096, "features between row and modulation there; 0: the network's own", SAME),
    INTEGER(model.width, "0", 0, 1024, "channels of the first block, on which all others depend; 0: the network's own",
            SAME),
    INTEGER(model.blocks, "0", 0, 8, "blocks, each of half the voxels and twice the channels; 0: the network's own",
            SAME),
    INTEGER(model.depth, "0", 0, 8,
            "convolutions in a block, or residual blocks at one resolution; 0: the network's own", SAME),
    NUMBER(model.dropout, "-1", -1, 0.95, "probability of every dropout layer; -1: the network's own", SAME),
    NUMBER(model.momentum, "0", 0, 1, "of batch norm, the weight of a new batch; 0: the network's own", SAME),

    TEXT(cohort.path, "", "folder of the images and the table", SAME),
    TEXT(cohort.table, "", "table of subjects; empty: participants.tsv or participants.csv in the folder", SAME),
    TEXT(cohort.id_column, "", "column of the subjects' ids; empty: participant_id, subject or id", SAME),
    TEXT(cohort.image_column, "", "column of the image paths; empty: images are found by id", SAME),
    TEXT(cohort.filter, "", "keep only rows with COLUMN=VALUE, COLUMN=A|B, or COLUMN=LOW..HIGH, HIGH not included",
         SAME),
    NUMBER(cohort.fraction, "1", 0.000001, 1, "of the rows that are left, the leading part that is used", SAME),
    TEXT(cohort.session, "", "images found by id: only those of this session; empty: a subject has one image", SAME),
    TEXTS(cohort.entities, "[]", "and only those whose file name has all of these, as desc-brain", SAME),
    INTEGERS(cohort.shape, "0, 0, 0", 0, 1024,
             "voxels from left to right, back to front, bottom to top; 0, 0, 0: as stored", SAME),
    NUMBERS(
        cohort.spacing, "0, 0, 0", 0, 100,
        "mm per voxel along the same axes; 0, 0, 0: as stored. Set alone on a command line, the shape follows from it",
        SAME),
    WORD(cohort.centre, "mass", "mass, middle",
         "what volumes are cropped and padded around: their centre of mass, or as earlier versions did", SAME),
    WORD(cohort.fit, "crop", "crop, resize",
         "how a volume comes to cohort.shape: cropped and padded, or its foreground stretched along each axis", SAME),
    TEXT(cohort.crop, "",
         "box of the grid, START:STOP of voxels along the three axes, as in 21:149, 55:151, 25:89; empty: all of it",
         SAME),
    TEXT(cohort.crop_mm, "",
         "in place of a shape: LOW:HIGH in mm of a template's space, as in -64:64, -72:24, -50:14; or hippocampi (MNI)",
         SAME),
    WORD(
        cohort.sides, "one", "one, both",
        "the network sees the crop, or its right half and its left half mirrored: a random one trains, both are judged",
        SAME),
    TEXT(cohort.mask, "",
         "how masks beside the images are called, such as desc-brain_mask; voxels outside become 0; empty: no masks",
         SAME),
    WORD(cohort.normalise, "zscore", "zscore, none",
         "intensities of the non-zero voxels: mean 0 and variance 1, or as they are", SAME),
    TEXT(cohort.target, "age", "column that is predicted", SAME),
    TEXTS(cohort.tabular, "sex:onehot(F,M)",
          "columns the network is given, each with its encoding and steps; set0 to set18: the published lists", SAME),
    WORD(cohort.fit_on, "train", "train, all",
         "rows that means, ranges and imputation of the table come from; all is a leak, as published", SAME),
    BOOLEAN(cohort.cache, "true", "keep preprocessed volumes on disk", ANY),
    TEXT(cohort.cache_dir, "", "folder for them; empty: in the user's cache folder", ANY),

    WORD(split.method, "stratified", "stratified, random, published, leave-group-out, column, file",
         "who trains and who tests: evenly by strata, at random, as published, one group, from a column, from a file",
         SAME),
    TEXT(split.column, "", "for column: holds train, valid or test", SAME),
    TEXT(split.file, "", "for file: a table with id and split", SAME),
    TEXTS(split.strata, "[]",
          "for stratified and published: columns, or COLUMN:onehot(A,B=C|D); empty: sex_column and age_column", SAME),
    TEXT(split.age_column, "age", "for stratified and published", SAME),
    TEXT(split.sex_column, "sex", "for stratified and published", SAME),
    TEXT(split.group_column, "", "rows with equal text stay on one side; empty: the id", SAME),
    TEXT(split.leave, "", "for leave-group-out: the group that tests; empty: number split.fold of them", SAME),
    INTEGER(split.folds, "0", 0, 100,
            "for stratified and random: that many equal folds instead of fractions; 0: fractions", SAME),
    INTEGER(split.fold, "0", 0, 10000,
            "the fold that tests, the next one validates; published: the one of 0 to 3 that validates, 4 tests", SAME),
    NUMBER(split.valid, "0.15", 0, 0.9, "fraction for validation", SAME),
    NUMBER(split.test, "0.2", 0, 0.9, "fraction for testing", SAME),
    INTEGER(split.seed, "1", 0, MAX_SEED, "of the random choice", SAME),
    TEXT(split.train_filter, "",
         "only rows with COLUMN=VALUE, as in cohort.filter, train and validate; test subjects stay", SAME),
    NUMBER(split.train_fraction, "1", 0.000001, 1,
           "of the rows that then train, and of those that validate, the leading part that is used", SAME),

    INTEGER(train.epochs, "70", 1, 100000, "passes over the training subjects", LONGER),
    INTEGER(train.batch_size, "8", 1, 4096, "subjects per step", SAME),
    NUMBER(train.learning_rate, "1.5e-4", 1e-12, 100, "step size", SAME),
    NUMBER(train.weight_decay, "0", 0, 10, "added to the gradient by adam and sgd, taken from the weights by adamw",
           SAME),
    WORD(train.optimizer, "adam", "adam, adamw, sgd", "update rule", SAME),
    TEXT(train.loss, "", "what is made small: mse or l1, cross-entropy of classes; empty: the first that fits the goal",
         SAME),
    TEXTS(train.class_weights, "[]",
          "of cross-entropy: a number for each class, or inverse (to how frequent they are in training); empty: all "
          "alike",
          SAME),
    BOOLEAN(train.oversample, "false", "show subjects of rarer classes again, so that all classes are equally frequent",
            SAME),
    NUMBER(train.clip_norm, "0", 0, 1e30,
           "gradients whose norm, over all parameters, is greater are scaled down to it; 0: never", SAME),
    WORD(train.schedule, "constant", "constant, step, cosine, plateau",
         "the learning rate over the epochs: as it is; times decay every decay_epochs; along half a cosine to "
         "lowest_rate; times decay after decay_epochs without a better selecting metric",
         SAME),
    NUMBER(train.decay, "0.1", 1e-6, 0.999999, "for step and plateau: the factor", SAME),
    INTEGER(train.decay_epochs, "10", 1, 100000, "for step and plateau", SAME),
    NUMBER(train.lowest_rate, "0", 0, 100, "for step, cosine and plateau: no learning rate is below", SAME),
    NUMBER(train.warmup_epochs, "0", 0, 100000,
           "before: the learning rate rises in a line, step by step, to what the schedule says", SAME),
    INTEGER(train.patience, "0", 0, 100000,
            "ends the run after so many epochs without a better selecting metric; 0: never", ANY),
    INTEGER(train.overfit_batches, "0", 0, 100000,
            "for debugging: trains on so many batches, always the same, without augmentation and dropout, and is "
            "judged by them; no test scores; 0: all",
            SAME),
    BOOLEAN(
        train.start_at_mean, "false",
        "begin with what the training targets say on average as the bias of the last layer: mean, class frequencies",
        SAME),
    BOOLEAN(train.flip, "false", "mirror left and right with probability 1/2 while training", SAME),
    INTEGER(train.shift, "0", 0, 64, "move by up to so many voxels along each axis while training", SAME),
    NUMBER(train.flip_rate, "0.5", 0, 1, "probability of train.flip", SAME),
    NUMBER(train.affine, "0", 0, 1, "probability of turning, scaling and shearing a volume while training; 0: never",
           SAME),
    NUMBERS(train.rotate, "0, 0, 0", 0, 180, "for affine: up to so many degrees about each axis", SAME),
    NUMBERS(train.scale, "0, 0, 0", 0, 0.999, "for affine: 1 plus or minus up to so much along each axis", SAME),
    NUMBERS(train.shear, "0, 0, 0", 0, 0.999,
            "for affine: up to so many voxels per voxel, first axis by second, first by third, second by third", SAME),
    NUMBER(train.noise, "0", 0, 1, "probability of Gaussian noise while training, added after normalisation; 0: never",
           SAME),
    NUMBER(train.noise_sd, "0.1", 0, 1000, "its standard deviation", SAME),
    INTEGER(train.seed, "1", 0, MAX_SEED, "of initial weights, order of subjects and dropout", SAME),
    INTEGER(train.threads_ahead, "2", 1, 64, "batches prepared while the device computes", ANY),

    WORD(pretrain.embedding, "fresh", "fresh, fine-tuned, frozen",
         "embedding of a hyper network: as it is drawn; or trained by the table row alone first, and then on or held "
         "still",
         SAME),
    INTEGER(pretrain.epochs, "250", 1, 100000, "of that training", SAME),
    INTEGER(pretrain.batch_size, "32", 1, 4096, "of that training", SAME),
    NUMBER(pretrain.learning_rate, "1.0e-4", 1e-12, 100, "of that training", SAME),
    NUMBER(pretrain.weight_decay, "1.0e-5", 0, 10, "of that training", SAME),
    TEXTS(pretrain.class_weights, "[]", "of its loss, as train.class_weights; empty: those of train", SAME),

    INTEGER(evaluate.bootstrap, "2000", 100, 1000000, "resamples for confidence intervals", ANY),
    INTEGER(evaluate.seed, "1", 0, MAX_SEED, "of the resamples", ANY),
    TEXTS(evaluate.groups, "sex",
          "columns of the table by which results are broken down; those it has not are left out", ANY),

    INTEGER(crossval.seeds, "1", 1, 1000, "split seeds, counted from split.seed", SAME),
    INTEGER(crossval.versions, "1", 1, 1000, "runs from other initial weights for each seed and fold", SAME),
    INTEGER(crossval.folds, "1", 1, 1000, "folds that take their turn, split.fold from 0 on", SAME),
    WORD(crossval.over, "folds", "folds, versions",
         "what an ensemble is of: the folds of a version, or all versions and folds of a split seed", SAME),
    INTEGER(crossval.best, "0", 0, 1000, "models of an ensemble, the best on validation; 0: all", SAME),
    WORD(crossval.ensemble, "entropy", "entropy, mean, vote, confident",
         "how class probabilities of an ensemble are combined; numbers are averaged", SAME),
};
enum { N_KEYS = sizeof hf_recipe_keys / sizeof hf_recipe_keys[0] };
const size_t hf_recipe_key_count = N_KEYS;
_Static_assert((int)N_KEYS <= (int)HF_MAX_KEYS, "the reader notes the line of every key");

static const char *const sections[HF_N_SECTIONS] = { "goal",  "model",    "cohort",   "split",
                                                     "train", "pretrain", "evaluate", "crossval" };

int hf_section_find(const char *name)
{
    for (int i = 0; i < HF_N_SECTIONS; i++)
        if (strcmp(sections[i], name) == 0) return i;
    return -1;
}

static const char *nearest_key(const char *name)
{
    const char *candidates[N_KEYS + HF_N_SECTIONS];
    for (size_t i = 0; i < N_KEYS; i++)
        candidates[i] = hf_recipe_keys[i].name;
    for (size_t i = 0; i < HF_N_SECTIONS; i++)
        candidates[N_KEYS + i] = sections[i];
    return hf_nearest(name, candidates, N_KEYS + HF_N_SECTIONS);
}

/* The first key of a section, as an example. */
static const char *example_key(const char *section)
{
    size_t length = strlen(section), i = 0;
    while (i + 1 < N_KEYS && strncmp(hf_recipe_keys[i].name, section, length) != 0)
        i++;
    return hf_recipe_keys[i].name;
}

/* What keys and values were called in earlier versions; their runs can still be read and resumed. */
static const char *const former_keys[][2] = { { "task", "goal.name" } };
static const struct {
    const char *key, *was, *is;
} former_values[] = { { "goal.name", "brain-age", "regression" }, { "goal.name", "ad", "classes" } };

static const char *present_key(const char *name)
{
    for (size_t i = 0; i < sizeof former_keys / sizeof former_keys[0]; i++)
        if (strcmp(former_keys[i][0], name) == 0) return former_keys[i][1];
    if (strcmp(name, "goal") == 0) return "goal.name"; /* "goal: NAME" */
    return strcmp(name, "model") == 0 ? "model.name" : name;
}

static const char *present_value(const hf_key *key, const char *text)
{
    for (size_t i = 0; i < sizeof former_values / sizeof former_values[0]; i++)
        if (strcmp(former_values[i].key, key->name) == 0 && strcmp(former_values[i].was, text) == 0)
            return former_values[i].is;
    return text;
}

hf_status hf_key_find(size_t *out, const char *name, const char *place)
{
    const char *wanted = present_key(name);
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(hf_recipe_keys[i].name, wanted) != 0) continue;
        *out = i;
        return HF_OK;
    }
    if (hf_section_find(name) >= 0)
        return hf_fail(HF_ERR_ARGUMENT, "%s: '%s' is a section: keys in it, such as '%s', are expected", place, name,
                       example_key(name));
    const char *nearest = nearest_key(name);
    if (nearest) return hf_fail(HF_ERR_ARGUMENT, "%s: unknown key '%.100s'; did you mean '%s'?", place, name, nearest);
    return hf_fail(HF_ERR_ARGUMENT, "%s: unknown key '%.100s'", place, name);
}

/* ---- values as written ------------------------------------------------------------------------------------------- */

/* Characters that would not survive being written to YAML and read back: controls, line separators, and what UTF-8
 * text may not hold at all. */
static bool storable(const char *text, size_t size)
{
    static const char *const refused[] = { "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe",
                                           "\xef\xbf\xbf" };
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f) return false;
        if (c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0) return false;
        for (size_t j = 0; j < sizeof refused / sizeof refused[0]; j++)
            if (i + 3 <= size && memcmp(text + i, refused[j], 3) == 0) return false;
    }
    json_t *utf8 = json_stringn(text, size);
    json_decref(utf8);
    return utf8 != NULL;
}

hf_status hf_value_add(hf_value *value, const char *text, size_t size, bool quoted, const char *place)
{
    if (value->count == HF_MAX_ITEMS)
        return hf_fail(HF_ERR_ARGUMENT, "%s: a list of more than %d", place, (int)HF_MAX_ITEMS);
    if (!storable(text, size))
        return hf_fail(HF_ERR_ARGUMENT, "%s: a value holds a control character or is not UTF-8", place);
    char *copy;
    HF_TRY(hf_alloc(&copy, size + 1, 1, "a recipe value"));
    memcpy(copy, text, size);
    value->item[value->count].text = copy;
    value->item[value->count++].quoted = quoted;
    return HF_OK;
}

void hf_value_free(hf_value *value)
{
    for (int i = 0; i < value->count; i++)
        free(value->item[i].text);
    value->count = 0;
}

static bool is_nothing(const hf_value *value, int i)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    for (size_t j = 0; !value->item[i].quoted && j < sizeof words / sizeof words[0]; j++)
        if (strcmp(value->item[i].text, words[j]) == 0) return true;
    return false;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static void add_range(hf_text *out, const hf_key *key)
{
    hf_text_add(out, " from %.10g to %.16g", key->lowest, key->highest);
}

void hf_key_expectation(hf_text *out, const hf_key *key)
{
    static const char *const kinds[] = {
        [HF_KEY_TEXT] = "text",
        [HF_KEY_INTEGER] = "an integer",
        [HF_KEY_NUMBER] = "a number",
        [HF_KEY_BOOLEAN] = "true or false",
        [HF_KEY_TEXTS] = "a list of texts",
        [HF_KEY_INTEGERS] = "a list of three integers",
        [HF_KEY_NUMBERS] = "a list of three numbers",
    };
    if (key->words)
        hf_text_add(out, "one of: %s", key->words);
    else
        hf_text_add(out, "%s", kinds[key->type]);
    if (key->lowest < key->highest) add_range(out, key);
}

/* `item`: which element of a list is wrong, or -1 for the value as a whole. */
static hf_status refuse(const hf_key *key, const hf_value *value, int item, const char *place)
{
    hf_text expected = { 0 }, found = { 0 };
    hf_key_expectation(&expected, key);
    if (value->is_list && item < 0)
        hf_text_add(&found, "a list of %d", value->count);
    else if (is_nothing(value, item < 0 ? 0 : item))
        hf_text_add(&found, "nothing");
    else
        hf_text_add(&found, "%s'%.200s'", value->item[item < 0 ? 0 : item].quoted ? "the quoted text " : "",
                    value->item[item < 0 ? 0 : item].text);
    hf_status status = hf_text_check(&expected);
    if (status == HF_OK) status = hf_text_check(&found);
    if (status == HF_OK)
        status = hf_fail(HF_ERR_ARGUMENT, "%s: %s: found %s, expected %s", place, key->name, found.data, expected.data);
    hf_text_free(&expected);
    hf_text_free(&found);
    return status;
}

/* The plain item as JSON, or NULL. */
static json_t *item_json(const hf_value *value, int i)
{
    if (value->item[i].quoted) return NULL;
    return json_loads(value->item[i].text, JSON_DECODE_ANY, NULL);
}

static bool item_integer(int64_t *out, const hf_key *key, const hf_value *value, int i)
{
    json_t *json = item_json(value, i);
    bool good = json_is_integer(json);
    json_int_t number = json_integer_value(json);
    json_decref(json);
    /* As integers: a double cannot tell 2^53 from the next one. */
    good = good && number >= (json_int_t)key->lowest && number <= (json_int_t)key->highest;
    if (good) *out = number;
    return good;
}

static bool item_number(double *out, const hf_key *key, const hf_value *value, int i)
{
    json_t *json = item_json(value, i);
    bool good = json_is_number(json);
    double number = json_number_value(json);
    json_decref(json);
    good = good && number >= key->lowest && number <= key->highest;
    if (good) *out = number == 0 ? 0 : number; /* -0 would be written as another text */
    return good;
}

static bool is_word(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (const char *word = words; *word;) {
        size_t size = strcspn(word, ",");
        if (size == length && strncmp(word, text, size) == 0) return true;
        word += size;
        word += strspn(word, ", ");
    }
    return false;
}

static hf_status store_text(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    if (value->is_list || is_nothing(value, 0)) return refuse(key, value, -1, place);
    const char *word = present_value(key, value->item[0].text);
    if (key->words && !is_word(key->words, word)) return refuse(key, value, 0, place);
    char *copy, **text = field;
    HF_TRY(hf_strdup(&copy, word));
    free(*text);
    *text = copy;
    return HF_OK;
}

static hf_status store_integer(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    if (value->is_list || !item_integer(field, key, value, 0)) return refuse(key, value, -1, place);
    return HF_OK;
}

static hf_status store_number(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    if (value->is_list || !item_number(field, key, value, 0)) return refuse(key, value, -1, place);
    return HF_OK;
}

static hf_status store_boolean(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    json_t *json = value->is_list ? NULL : item_json(value, 0);
    bool good = json_is_boolean(json);
    if (good) *(bool *)field = json_is_true(json);
    json_decref(json);
    return good ? HF_OK : refuse(key, value, -1, place);
}

static hf_status store_integers(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    int64_t three[3];
    if (!value->is_list || value->count != 3) return refuse(key, value, -1, place);
    for (int i = 0; i < 3; i++)
        if (!item_integer(&three[i], key, value, i)) return refuse(key, value, i, place);
    memcpy(field, three, sizeof three);
    return HF_OK;
}

static hf_status store_numbers(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    double three[3];
    if (!value->is_list || value->count != 3) return refuse(key, value, -1, place);
    for (int i = 0; i < 3; i++)
        if (!item_number(&three[i], key, value, i)) return refuse(key, value, i, place);
    memcpy(field, three, sizeof three);
    return HF_OK;
}

static void free_texts(hf_texts *texts)
{
    for (int i = 0; i < texts->count; i++)
        free(texts->text[i]);
    free(texts->text);
    *texts = (hf_texts){ 0 };
}

static hf_status store_texts(void *field, const hf_key *key, const hf_value *value, const char *place)
{
    if (!value->is_list) return refuse(key, value, -1, place);
    hf_texts texts = { 0 };
    hf_status status = hf_alloc(&texts.text, (size_t)value->count, sizeof *texts.text, key->name);
    for (int i = 0; status == HF_OK && i < value->count; i++) {
        bool empty = value->item[i].text[0] == '\0' || is_nothing(value, i);
        status = empty ? refuse(key, value, i, place) : hf_strdup(&texts.text[i], value->item[i].text);
        if (status == HF_OK) texts.count++;
    }
    if (status != HF_OK) {
        free_texts(&texts);
        return status;
    }
    free_texts(field);
    *(hf_texts *)field = texts;
    return HF_OK;
}

hf_status hf_key_store(hf_recipe *recipe, const hf_key *key, const hf_value *value, const char *place)
{
    static hf_status (*const store[])(void *field, const hf_key *key, const hf_value *value, const char *place) = {
        [HF_KEY_TEXT] = store_text,       [HF_KEY_INTEGER] = store_integer, [HF_KEY_NUMBER] = store_number,
        [HF_KEY_BOOLEAN] = store_boolean, [HF_KEY_TEXTS] = store_texts,     [HF_KEY_INTEGERS] = store_integers,
        [HF_KEY_NUMBERS] = store_numbers,
    };
    return store[key->type]((char *)recipe + key->offset, key, value, place);
}

/* ---- recipes ----------------------------------------------------------------------------------------------------- */

/* A value from a command line or the table: texts are taken literally, lists may lack their brackets. */
static hf_status parse_value(hf_value *out, const hf_key *key, const char *text, const char *place)
{
    bool three = key->type == HF_KEY_INTEGERS || key->type == HF_KEY_NUMBERS;
    bool list = three || key->type == HF_KEY_TEXTS;
    if (list && text[0] == '[') return hf_value_parse_list(out, text, place);
    if (three) {
        hf_text wrapped = { 0 };
        hf_text_add(&wrapped, "[%s]", text);
        hf_status status = hf_text_check(&wrapped);
        if (status == HF_OK) status = hf_value_parse_list(out, wrapped.data, place);
        hf_text_free(&wrapped);
        return status;
    }
    *out = (hf_value){ .is_list = list };
    bool literal = list || key->type == HF_KEY_TEXT;
    return hf_value_add(out, text, strlen(text), literal, place);
}

static hf_status set_text(hf_recipe *recipe, const hf_key *key, const char *text, const char *place)
{
    hf_value value = { 0 };
    hf_status status = parse_value(&value, key, text, place);
    if (status == HF_OK) status = hf_key_store(recipe, key, &value, place);
    hf_value_free(&value);
    return status;
}

hf_status hf_recipe_defaults(hf_recipe *out)
{
    hf_recipe recipe = { 0 };
    hf_status status = hf_strdup(&recipe.path, "");
    for (size_t i = 0; status == HF_OK && i < N_KEYS; i++)
        status = set_text(&recipe, &hf_recipe_keys[i], hf_recipe_keys[i].preset, "default");
    if (status == HF_OK)
        *out = recipe;
    else
        hf_recipe_free(&recipe);
    return status;
}

hf_status hf_recipe_set(hf_recipe *recipe, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return hf_fail(HF_ERR_ARGUMENT, "--set %.200s: expected KEY=VALUE, as in train.epochs=2", assignment);
    char name[64], place[256];
    if ((size_t)(equals - assignment) >= sizeof name)
        return hf_fail(HF_ERR_ARGUMENT, "--set %.200s: no key is that long", assignment);
    memcpy(name, assignment, (size_t)(equals - assignment));
    name[equals - assignment] = '\0';
    snprintf(place, sizeof place, "--set %.200s", assignment);
    size_t key;
    HF_TRY(hf_key_find(&key, name, place));
    HF_TRY(set_text(recipe, &hf_recipe_keys[key], equals + 1, place));
    if (strcmp(name, "cohort.shape") == 0) recipe->cohort.shape_given = true;
    if (strcmp(name, "cohort.spacing") == 0 && !recipe->cohort.shape_given)
        memset(recipe->cohort.shape, 0, sizeof recipe->cohort.shape);
    return HF_OK;
}

void hf_recipe_free(hf_recipe *recipe)
{
    if (!recipe) return;
    for (size_t i = 0; i < N_KEYS; i++) {
        void *field = (char *)recipe + hf_recipe_keys[i].offset;
        if (hf_recipe_keys[i].type == HF_KEY_TEXT) free(*(char **)field);
        if (hf_recipe_keys[i].type == HF_KEY_TEXTS) free_texts(field);
    }
    free(recipe->path);
    *recipe = (hf_recipe){ 0 };
}
