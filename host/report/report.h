/* report.h: one run on one page: a report.html that stands alone. No scripts, nothing fetched, light and dark.
 *
 * The caller fills a plain struct; everything in it is only read, and nothing is required but the title. Sections without
 * data are left out. */
#ifndef HF_REPORT_H
#define HF_REPORT_H

#include "goal/goal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One epoch of training; NaN where there is no value. */
typedef struct hf_epoch_row {
    int epoch;
    double train_loss, valid_loss;
    double valid; /* the goal's selecting metric on the validation subjects */
    double seconds;
} hf_epoch_row;

/* A subject whose slices are shown. */
typedef struct hf_report_image {
    int subject;         /* in the predictions */
    const char *note;    /* such as "largest error"; truth and prediction are added */
    const float *volume; /* [D,H,W], as the network sees it */
    int shape[3];
    double spacing[3]; /* mm; zeros: 1 */
} hf_report_image;

typedef struct hf_report_data {
    const char *title;
    const char *subtitle; /* one line: model, task, when; NULL: none */
    const char *recipe;   /* resolved YAML */
    const char *device;
    int n_facts;
    const char *const (*facts)[2]; /* [n_facts] {name, text}: seeds, versions, parameter counts, times */
    int n_warnings;
    const char *const *warnings;
    int n_epochs, best_epoch; /* best_epoch: whose parameters were kept; below 0: not known */
    const hf_epoch_row *epochs;
    const hf_target *target;           /* what was predicted; NULL: no learning curve of its metric */
    const hf_predictions *predictions; /* of the test subjects; NULL: none */
    int n_images;
    const hf_report_image *images;
} hf_report_data;

/* Writes the page so that the path holds the old or the new one, never a part. */
hf_status hf_report_write(const hf_report_data *data, const char *path) HF_MUST_USE;

/* The page as text. */
hf_status hf_report_text(const hf_report_data *data, hf_text *out) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
