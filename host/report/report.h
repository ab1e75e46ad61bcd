/* report.h: one run on one page: a report.html that stands alone. No scripts, nothing fetched, light and dark.
 *
 * The caller fills a plain struct; everything in it is only read, and nothing is required but the title. Sections without
 * data are left out. */
#ifndef HF_REPORT_H
#define HF_REPORT_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One epoch of training; NaN where there is no value. */
typedef struct hf_epoch_row {
    int epoch;
    double train_loss, valid_loss;
    double train_mae, valid_mae; /* years */
    double seconds;
} hf_epoch_row;

/* One subject. `part` is "train", "valid" or "test"; sex may be NULL. Rows with a value that is not finite are left out
 * of errors and plots. */
typedef struct hf_prediction_row {
    const char *id, *sex, *part;
    double actual, predicted; /* years */
} hf_prediction_row;

/* A subject whose slices are shown. */
typedef struct hf_report_image {
    const char *id;
    const char *note;    /* such as "largest error"; the ages are added from the predictions */
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
    int n_predictions;
    const hf_prediction_row *predictions;
    double train_mean, train_median; /* years: what guessing without an image would say */
    int n_images;
    const hf_report_image *images;
    int64_t bootstrap; /* resamples; 0: 2000 */
    uint64_t seed;
} hf_report_data;

/* Writes the page so that the path holds the old or the new one, never a part. */
hf_status hf_report_write(const hf_report_data *data, const char *path) HF_MUST_USE;

/* The page as text. */
hf_status hf_report_text(const hf_report_data *data, hf_text *out) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
