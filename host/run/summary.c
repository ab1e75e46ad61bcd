/* summary.c: what a trained run says of itself, read from its best checkpoint. */
#include "folder.h"
#include "learned.h"

hf_status hf_run_summary_read(hf_run_summary *out, const char *folder)
{
    hf_archive archive;
    hf_recipe recipe;
    hf_run_fixed fixed = { 0 };
    hf_run_progress progress;
    const hf_status status = hf_run_checkpoint_read(&archive, &fixed, &progress, &recipe, folder, HF_BEST_FILE);
    if (status == HF_OK)
        *out = (hf_run_summary){ fixed.target, fixed.parameters, progress.best_epoch, progress.best_value };
    hf_encoder_free(&fixed.encoder);
    hf_archive_free(&archive);
    hf_recipe_free(&recipe);
    return status;
}
