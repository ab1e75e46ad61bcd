/* key.h: the table of recipe keys, and values on their way into a recipe. For the files of recipe.h alone. */
#ifndef HF_RECIPE_KEY_H
#define HF_RECIPE_KEY_H

#include "recipe.h"

typedef enum hf_key_type {
    HF_KEY_TEXT,     /* char * */
    HF_KEY_INTEGER,  /* int64_t */
    HF_KEY_NUMBER,   /* double */
    HF_KEY_BOOLEAN,  /* bool */
    HF_KEY_TEXTS,    /* hf_texts */
    HF_KEY_INTEGERS, /* int64_t[3] */
    HF_KEY_NUMBERS,  /* double[3] */
} hf_key_type;

/* Whether a run that is resumed may be given another value. */
typedef enum hf_key_resume {
    HF_RESUME_SAME,   /* no: it changes what an epoch computes */
    HF_RESUME_ANY,    /* yes */
    HF_RESUME_LONGER, /* yes unless train.schedule is cosine: the number of epochs */
} hf_key_resume;

typedef struct hf_key {
    const char *name; /* "train.epochs" */
    hf_key_type type;
    hf_key_resume resume;
    size_t offset;          /* of the field in hf_recipe */
    const char *preset;     /* the default, as behind "--set KEY=" */
    double lowest, highest; /* of numbers, both allowed */
    const char *words;      /* of a text: the allowed ones, "a, b, c"; NULL: any */
    const char *about;
} hf_key;

extern const hf_key hf_recipe_keys[];
extern const size_t hf_recipe_key_count;
enum { HF_MAX_KEYS = 128, HF_N_SECTIONS = 8 };

/* The row called `name`; HF_ERR_ARGUMENT naming `place` and the nearest key. */
hf_status hf_key_find(size_t *out, const char *name, const char *place) HF_MUST_USE;

/* The sections of a recipe file: "model", "cohort" and so on; -1 when `name` is none. */
int hf_section_find(const char *name);

/* A scalar, or a list of scalars, as written. */
enum { HF_MAX_ITEMS = 64 };
typedef struct hf_value {
    bool is_list;
    int count; /* 1 when it is no list */
    struct {
        char *text;  /* owned */
        bool quoted; /* then it is never a number */
    } item[HF_MAX_ITEMS];
} hf_value;
hf_status hf_value_add(hf_value *value, const char *text, size_t size, bool quoted, const char *place) HF_MUST_USE;
void hf_value_free(hf_value *value);

/* Checks a value against its key and puts it into the recipe; on failure the recipe is as it was. */
hf_status hf_key_store(hf_recipe *recipe, const hf_key *key, const hf_value *value, const char *place) HF_MUST_USE;

/* "an integer from 1 to 100000", "one of: adam, adamw, sgd". */
void hf_key_expectation(hf_text *out, const hf_key *key);

/* A number with as few digits as bring it back exactly, always with a point or exponent. */
void hf_number_text(hf_text *out, double number);

/* Reads "[a, b]" as YAML. */
hf_status hf_value_parse_list(hf_value *out, const char *text, const char *place) HF_MUST_USE;

#endif
