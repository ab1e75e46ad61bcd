/* folder.h: the run folder as files. Private to host/. */
#ifndef HF_RUN_FOLDER_H
#define HF_RUN_FOLDER_H

#include "learned.h"

#define HF_BEST_FILE     "best.safetensors"
#define HF_LAST_FILE     "last.safetensors"
#define HF_SPLIT_FILE    "split.tsv"
#define HF_RECIPE_TEXT   "run.recipe" /* in the metadata of a checkpoint */
#define HF_SUBJECTS_TEXT "run.subjects"

/* Reads one of the checkpoints and what it holds beside the weights; the caller frees archive and recipe. */
hf_status hf_run_checkpoint_read(hf_archive *archive, hf_run_fixed *fixed, hf_run_progress *progress, hf_recipe *recipe,
                                 const char *folder, const char *name) HF_MUST_USE;

hf_status hf_run_file(char **out, const char *folder, const char *name) HF_MUST_USE;
bool hf_run_has(const char *folder, const char *name);
/* Refuses a folder that holds anything but a lock. */
hf_status hf_run_refuse_used(const char *folder) HF_MUST_USE;
/* Creates the folder; HF_ERR_IO when another process holds its lock. */
hf_status hf_run_lock(hf_lock *lock, const char *folder) HF_MUST_USE;
/* The first folder on the way to `folder` that is not there yet; *out is NULL when all are. */
hf_status hf_run_first_missing(char **out, const char *folder) HF_MUST_USE;
/* Under its lock: removes a folder in which nothing was begun, and those above it down from `first`, so that a refused
 * start leaves none. */
void hf_run_remove_empty(const char *folder, const char *first);
hf_status hf_run_split_write(const char *folder, const hf_cohort *cohort, const hf_part *part) HF_MUST_USE;
hf_status hf_run_log_append(const char *folder, const hf_epoch *epoch) HF_MUST_USE;
/* Drops everything after `epoch`, also a torn last line. */
hf_status hf_run_log_keep(const char *folder, int64_t epoch) HF_MUST_USE;

#endif
