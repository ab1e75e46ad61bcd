/* names.h: rules that make a name of another program from one of ours. For the files of convert.h alone. */
#ifndef HF_CONVERT_NAMES_H
#define HF_CONVERT_NAMES_H

#include "convert.h"

/* When a rule holds. */
typedef enum hf_rule_when {
    HF_WHEN_ALWAYS,
    HF_WHEN_FILM,     /* the block is modulated by the row */
    HF_WHEN_REVERSED, /* the block's shortcut is convolution, then batch norm */
    HF_WHEN_HYPER,    /* the network has a hyper layer */
    HF_WHEN_INSIDE,   /* of what follows the layer's name */
} hf_rule_when;

/* `ours` and `theirs` are beginnings of names that end at a point or with the name. A '*' in `ours` stands for one word
 * between points, or the rest of one; `theirs` has it again, or not. */
typedef struct hf_naming_rule {
    const char *ours, *theirs;
    hf_rule_when when;
    const char *network; /* only there; NULL: everywhere */
} hf_naming_rule;

#endif
