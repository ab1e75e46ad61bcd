/* synth.h: what the tasks of a synthetic cohort share. Private to datasets/. */
#ifndef HF_SYNTH_H
#define HF_SYNTH_H

#include "anatomy.h"
#include "hfdata.h"

typedef struct hf_synth hf_synth;

/* One task: who the people are and what the table says about them. */
typedef struct hf_synth_task {
    const char *name;
    const char *columns; /* of the table, after participant_id, each after a tab */
    hf_person (*person)(const hf_synth *synth, int subject);
    /* Adds these cells of a row. */
    void (*add_cells)(hf_text *row, const hf_synth *synth, int subject);
    bool measures; /* the table needs hf_synth.measure */
} hf_synth_task;

struct hf_synth {
    const char *folder;
    const hf_synth_task *task;
    uint64_t seed;
    int shape[3]; /* D,H,W */
    int subjects;
    const hf_cohort *source; /* whose images are taken; NULL: brains are drawn */
    double *measure;         /* [subjects] hf_inner_darkness of each volume; NULL unless the task measures */
    double threshold;        /* the median of them */
};

/* Draws of a subject: functions of (seed, what, subject). */
double hf_synth_uniform(const hf_synth *synth, int subject, const char *what);
double hf_synth_normal(const hf_synth *synth, int subject, const char *what);

/* interaction.c: mean intensity of a brain over that of its inner part, where the ventricles are: larger ventricles are
 * darker. The inner part is a box of 44 x 60 x 36 mm around the centre of mass of the non-zero voxels. */
double hf_inner_darkness(const hf_volume *volume);
extern const hf_synth_task hf_synth_interaction;

#endif
