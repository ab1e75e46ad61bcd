/* samples.h: who is shown in an epoch, and at which learning rate. Private to host/. */
#ifndef HF_RUN_SAMPLES_H
#define HF_RUN_SAMPLES_H

#include "data.h"
#include "learned.h"

typedef struct hf_run_samples {
    int *index; /* [count] training subjects of an epoch, some more than once when oversampling */
    int count;
    int *judge; /* [n_judges] subjects by which the best epoch is chosen: those for validation; with
                   train.overfit_batches those that train, to see what is left when nothing is random */
    int n_judges;
} hf_run_samples;

hf_status hf_run_samples_list(hf_run_samples *out, const hf_run_data *data, const hf_target *target,
                              const hf_recipe *recipe) HF_MUST_USE;
void hf_run_samples_free(hf_run_samples *samples);

/* The learning rate of the step that comes next; `steps` are those of an epoch. */
double hf_run_learning_rate(const hf_recipe *recipe, const hf_run_progress *progress, int64_t steps);
/* Behind a whole epoch: reduces the learning rate when train.schedule says so; true when it did. */
bool hf_run_note_plateau(hf_run_progress *progress, const hf_recipe *recipe);
/* Whether train.patience ends the run here. */
bool hf_run_out_of_patience(const hf_run_progress *progress, const hf_recipe *recipe);
/* Refuses patience and plateau without anybody to judge by. */
hf_status hf_run_check_selecting(const hf_recipe *recipe, int validation_subjects) HF_MUST_USE;

#endif
