/* stage.h: what is trained before the first epoch. Private to host/. */
#ifndef HF_RUN_STAGE_H
#define HF_RUN_STAGE_H

#include "data.h"
#include "learned.h"
#include "network.h"

/* Whether the recipe has the embedding of its network trained beforehand. */
bool hf_run_pretrains(const hf_recipe *recipe);
/* Refuses a recipe that cannot: by itself; and once the network is bound, an embedding of another shape. The embedding's
 * initial values are replaced. */
hf_status hf_run_pretrain_check(const hf_recipe *recipe) HF_MUST_USE;
hf_status hf_run_pretrain_shapes(const hf_run_network *network, const hf_recipe *recipe, int width) HF_MUST_USE;
/* Trains the embedding in a folder inside `folder`, goes on there, or finds it done; then puts its best epoch into the
 * network. HF_ERR_ARGUMENT when that run knows other `subjects` (hf_run_subjects). */
hf_status hf_run_pretrain(hf_run_stage *out, hf_run_network *network, const hf_recipe *recipe, const char *subjects,
                          const char *folder, const hf_train_options *options) HF_MUST_USE;

#endif
