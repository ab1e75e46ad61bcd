/* bed.h: what the three files of the test bed share.
 *
 *   place.c     where operands and results lie in the arena, and their elements in memory
 *   surround.c  what lies around them before a run, and whether it still does afterwards
 *   bed.c       runs and results */
#ifndef HF_TEST_BED_H
#define HF_TEST_BED_H

#include "suite.h"

#include "op.h"

#define HF_GUARD      256 /* bytes behind a tensor, at least */
#define HF_FRESH_BYTE 0xFF
#define HF_FRESH_BITS 0xFFFFFFFFu

/* Where one operand or result lies. */
typedef struct hf_place {
    hf_desc desc; /* rank 0: absent */
    size_t offset, bytes;
    size_t guard; /* bytes behind it */
    int operand;  /* of a result: the operand whose place it takes, -1: it has a place of its own */
    hf_buffer *buffer;
} hf_place;

typedef struct hf_bed_plan {
    hf_place in[HF_MAX_IN], out[HF_MAX_OUT];
    size_t bytes;         /* of the arena */
    size_t scratch_bytes; /* what the implementation asked for */
} hf_bed_plan;

/* ---- place.c ----------------------------------------------------------------------------------------------------- */

/* Index in memory of element i of the plain order; computed here, not asked of the library. */
size_t hf_element_index(const hf_desc *desc, size_t i);
size_t hf_element_size(hf_type type);
double hf_element_load(const unsigned char *bytes, hf_type type, size_t index);
void hf_element_store(unsigned char *bytes, hf_type type, size_t index, double value);
bool hf_element_fresh(const unsigned char *bytes, hf_type type, size_t index); /* nothing has been written there */

/* Places for a problem in the layouts of an implementation; 'A' stands for the blocked one when `blocked`. */
hf_status hf_bed_plan_make(hf_bed *bed, hf_bed_plan *p, const hf_problem *problem, int impl, bool blocked,
                           bool in_place) HF_MUST_USE;
bool hf_can_be_blocked(const hf_problem *problem, int impl);

/* ---- surround.c -------------------------------------------------------------------------------------------------- */

/* The arena before the first or the second run, into bed->image; and scratch memory. */
void hf_bed_draw(hf_bed *bed, const hf_bed_plan *p, const hf_problem *problem, bool second);
hf_status hf_bed_poison(hf_bed *bed, const hf_bed_plan *p) HF_MUST_USE;
/* Everything but the results is as it was: `bytes` is the arena after a run. */
hf_status hf_bed_check_memory(hf_bed *bed, const hf_bed_plan *p, const hf_task *task, const hf_problem *problem,
                              const unsigned char *bytes) HF_MUST_USE;

#endif
