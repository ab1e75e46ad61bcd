/* anatomy.h: how a person's age, sex and diagnosis become an anatomy. Private to datasets/. */
#ifndef HF_ANATOMY_H
#define HF_ANATOMY_H

#include "phantom.h"

/* Classes of the task "ad"; subjects of the task "brain-age" are all CN. */
typedef enum hf_diagnosis { HF_CN, HF_MCI, HF_AD, HF_N_DIAGNOSES } hf_diagnosis;

typedef struct hf_person {
    double age; /* years */
    bool male;
    hf_diagnosis diagnosis;
} hf_person;

/* The anatomy of subject number `subject`; a function of its arguments alone. `spacing` (mm) bounds the shift. */
void hf_anatomy_make(hf_anatomy *out, const hf_person *person, double spacing, uint64_t seed, uint64_t subject);

#endif
