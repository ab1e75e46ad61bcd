/* hfdata.h: cohorts. Files in, arrays out: volumes, tables, subjects, splits, preprocessing, batches.
 *
 * Knows nothing of devices and graphs. The path of the data:
 *
 *   participants.tsv + images --> hf_cohort --> hf_split (who trains, who tests)
 *                                    |             |
 *                                    |          hf_encoder (tabular statistics, fitted on training rows only)
 *                                    v             v
 *                                hf_dataset (preprocessed volumes in a cache) --> hf_loader (batches)
 *
 * Array axes: a volume is [D,H,W] = [left->right, posterior->anterior, inferior->superior] voxels ("RAS+", what
 * nibabel calls the closest canonical orientation), W fastest in memory. Lengths are in millimetres, ages in years. */
#ifndef HFDATA_H
#define HFDATA_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- volumes (datasets/volume.c, nifti.c, npy.c) ----------------------------------------------------------------- */

/* One 3D image in RAS+ orientation. */
typedef struct hf_volume {
    int shape[3];        /* D,H,W voxels, each at least 1 */
    double spacing[3];   /* mm per voxel along D,H,W */
    double affine[3][4]; /* voxel (d,h,w,1) -> world mm, RAS+ */
    char stored_axes[4]; /* orientation in the file, e.g. "LAS"; "RAS" when the file does not say */
    bool oriented;       /* the file says how it lies; otherwise its axes are taken as they are */
    float *voxels;       /* [D,H,W], scl_slope and scl_inter applied */
} hf_volume;

/* Reads .nii, .nii.gz (NIfTI-1 or -2, either byte order, every integer and float type) or .npy (3D, C or Fortran
 * order; spacing 1 mm, RAS). The header is checked against the bytes really there before anything is allocated.
 * A 4D file with one volume is accepted. Errors name the file, what was found and what was expected:
 * HF_ERR_IO, HF_ERR_FORMAT (damaged), HF_ERR_UNSUPPORTED (complex, RGB, more than one volume).
 * The caller frees with hf_volume_free. */
hf_status hf_volume_read(hf_volume *out, const char *path) HF_MUST_USE;

/* The same from bytes in memory; `name` is used in messages and its ending tells the format. For fuzzing. */
hf_status hf_volume_parse(hf_volume *out, const void *bytes, size_t size, const char *name) HF_MUST_USE;

/* Writes NIfTI-1 float32 (or int16 with scl_slope when `compact`), gzip when the name ends in .gz; atomically. */
hf_status hf_volume_write(const hf_volume *volume, const char *path, bool compact) HF_MUST_USE;

void hf_volume_free(hf_volume *volume); /* frees the voxels and zeroes the struct; NULL is fine */

/* ---- preprocessing (datasets/preprocess.c) ----------------------------------------------------------------------- */

/* Where a volume is cropped and padded around. */
typedef enum hf_centre {
    HF_CENTRE_MASS,   /* the centre of mass of the non-zero voxels, always */
    HF_CENTRE_MIDDLE, /* the rule of earlier versions: the same, but the middle of the volume along axes that have the
                         wanted size already, and the whole volume where it is resampled. Only for what was trained so */
} hf_centre;

/* How a volume becomes what the network sees. This is part of a trained model: predict repeats it exactly.
 * doc/preprocessing.md has every step as formulas. */
typedef struct hf_grid {
    int shape[3];               /* D,H,W of the window; 0,0,0: as stored (all subjects must then agree) */
    double spacing[3];          /* mm; 0,0,0: as stored. Otherwise trilinear resampling, with a Gaussian of the standard
                          width against aliasing along axes that get coarser */
    double spacing_expected[3]; /* mm; when spacing is 0,0,0 and this is not: a volume whose spacing differs by more
                                   than 1 % is refused, because the model was trained on that grid */
    hf_centre centre;
    int crop[3][2];       /* first voxel of the window and the one after the last; all 0: all of it */
    double crop_mm[3][2]; /* in place of a window: low and high faces of a box, mm in the space of the affine (RAS+);
                             the voxels whose centres lie inside it. All 0: none */
    bool zscore;          /* zero mean and unit variance (population) over non-zero voxels; zeros stay zero */
    bool resize;     /* the box that holds the non-zero voxels is stretched to the shape, axis by axis, whatever the
                             voxels measure; goes with a shape, without spacing and box */
    bool both_sides; /* the result is two samples, its right half and its left half mirrored: hf_views_make */
} hf_grid;

bool hf_grid_has_crop(const hf_grid *grid);
bool hf_grid_has_box(const hf_grid *grid);
/* Whether both make the same voxels of a volume. */
bool hf_grid_equal(const hf_grid *a, const hf_grid *b);

/* "21:149, 55:151, 25:89", as for a crop; "-64:64, -72:24, -50:14", or the name of a known box ("hippocampi": both, with
 * room around, in the space of the MNI templates), as for crop_mm. Empty: none. HF_ERR_ARGUMENT says what is wrong. */
hf_status hf_crop_parse(int crop[3][2], const char *text) HF_MUST_USE;
hf_status hf_crop_mm_parse(double box[3][2], const char *text) HF_MUST_USE;

/* D,H,W of what hf_preprocess makes of a volume, of which only the header is looked at. HF_ERR_ARGUMENT when the grid is
 * no grid, HF_ERR_SHAPE when its crop reaches beyond it, HF_ERR_UNSUPPORTED when the volume does not lie in the space of a
 * template and a box in millimetres is wanted. */
hf_status hf_grid_shape(int shape[3], const hf_volume *volume, const hf_grid *grid) HF_MUST_USE;

/* Crops or zero-pads around the grid's centre, or stretches to its shape, or cuts a box; resamples; normalises. out has
 * D*H*W floats, see hf_grid_shape. Planes of zeros around a volume change no bit of the result. Refuses a volume with fewer
 * than 8 non-zero voxels, non-finite voxels, or a spacing it was told not to expect. */
hf_status hf_preprocess(float *out, const hf_volume *volume, const hf_grid *grid, const char *name) HF_MUST_USE;

/* Zero mean and unit population variance over the non-zero ones; zeros stay zero; without spread divided by 1.
 * HF_ERR_FORMAT when all are zero. */
hf_status hf_zscore(float *voxels, size_t count) HF_MUST_USE;

/* Views: what of a preprocessed volume the network sees. One, the whole, without both_sides; else two. View 0 is the
 * right half as it is, view 1 the left half mirrored along D, so that both look alike; an odd middle plane belongs to
 * both. */
int hf_views(const hf_grid *grid);
void hf_views_shape(int shape[3], const int whole[3], const hf_grid *grid); /* of a view; may be the same array */
void hf_views_make(float *view, const float *whole, const int whole_shape[3], int which, const hf_grid *grid);

/* ---- masks (datasets/mask.c) ------------------------------------------------------------------------------------- */

/* The mask of an image: the one file in its folder that is called `mask` or ends in _MASK (then .nii, .nii.gz or .npy) and
 * begins with the same sub-ID as the image, if that has one. Freed with free(). HF_ERR_IO when there is none,
 * HF_ERR_ARGUMENT when there are several; both name them. */
hf_status hf_mask_find(char **out, const char *image, const char *mask) HF_MUST_USE;

/* Sets voxels to 0 where the mask is 0. HF_ERR_SHAPE when the mask has not the volume's voxels (shape and affine). */
hf_status hf_mask_apply(hf_volume *volume, const char *mask_path) HF_MUST_USE;

/* ---- thumbnails (datasets/thumbnail.c) --------------------------------------------------------------------------- */

/* A volume in few numbers: means over blocks of a grid of 16 x 16 x 16 that spans it whatever its shape, then zero mean
 * and unit variance (a constant becomes zeros). Volumes of one kind agree in it, however coarse they are. */
#define HF_THUMBNAIL_SIDE  16
#define HF_THUMBNAIL_CELLS (HF_THUMBNAIL_SIDE * HF_THUMBNAIL_SIDE * HF_THUMBNAIL_SIDE)
void hf_thumbnail(float cells[HF_THUMBNAIL_CELLS], const float *voxels, const int shape[3]);

/* Pearson's; NaN when one is constant. */
double hf_thumbnail_correlation(const float *a, const float *b);

/* Median, and 1.4826 times the median absolute deviation from it, which is the standard deviation of a normal
 * distribution; sorts and overwrites `values` [count], count at least 1. */
void hf_robust(double *median, double *sd, double *values, int count);

/* ---- augmentation (datasets/augment.c) --------------------------------------------------------------------------- */

/* Random changes of training volumes, after normalisation. Zero: none. What happens to a volume is a function of
 * (seed, epoch, subject, which copy of it) alone. In this order: mirror, affine, shift, noise. */
typedef struct hf_augment {
    double flip;      /* probability of mirroring left and right */
    int shift;        /* voxels: moved by up to so many along each axis, zeros coming in */
    double affine;    /* probability of the next three together: about the middle, trilinear, zeros outside */
    double rotate[3]; /* degrees: about each axis by up to so much either way */
    double scale[3];  /* along each axis times 1 plus or minus up to so much */
    double shear[3];  /* up to so much either way: D by H, D by W, H by W, voxels per voxel */
    double noise;     /* probability of Gaussian noise on every voxel ... */
    double noise_sd;  /* ... of this standard deviation */
    uint64_t seed;
} hf_augment;

/* HF_ERR_ARGUMENT names what is out of range: probabilities 0 to 1, scale and shear below 1, nothing negative. */
hf_status hf_augment_check(const hf_augment *augment) HF_MUST_USE;

/* What stands for a subject in the draws below when an epoch shows it several times: copy 0 is the subject itself. */
uint64_t hf_augment_copy(int subject, int copy);

/* Changes a volume [D,H,W] in place; `room` has as many floats. */
void hf_augment_volume(float *volume, const int shape[3], const hf_augment *augment, uint64_t epoch, uint64_t subject,
                       float *room);

/* Which view of a subject trains in an epoch: 0 or 1, each half of the time. */
int hf_augment_side(uint64_t seed, uint64_t epoch, uint64_t subject);

/* ---- tables (datasets/table.c) ----------------------------------------------------------------------------------- */

/* A table of text cells. Cells keep their text; missing ones ("", "n/a", "na", "nan", "null", "none", ".", any case,
 * blanks around) are NULL. */
typedef struct hf_table {
    char *path; /* for messages */
    int rows, columns;
    char **name;   /* [columns] */
    char **cell;   /* [rows*columns], row-major; NULL where missing */
    int *line;     /* [rows] line number in the file, for messages */
    char *storage; /* all text lives here */
} hf_table;

/* Reads TSV or CSV (by name ending and by the first line's separators: tabs, commas or semicolons): UTF-8 with or
 * without BOM, LF or CRLF, quoted fields with doubled quotes and line breaks. Refuses duplicate or empty column names and
 * ragged rows, naming file, line, and counts. */
hf_status hf_table_read(hf_table *out, const char *path) HF_MUST_USE;
hf_status hf_table_parse(hf_table *out, const char *text, size_t size, const char *name) HF_MUST_USE;
void hf_table_free(hf_table *table);

/* Column index by name (case-insensitive), or -1. */
int hf_table_column(const hf_table *table, const char *name);

/* The number in a cell; NaN where missing. A leading '<' or '>' (censored laboratory values) and a trailing '+'
 * ("89+") are dropped. HF_ERR_FORMAT names file, line, column and text when it is no number. */
hf_status hf_table_number(double *out, const hf_table *table, int row, int column) HF_MUST_USE;

/* Appends one row of a TSV: cells[count], NULL where missing (written as n/a). What hf_table_parse would take for a
 * separator, a quote or a blank to drop is quoted, so the same texts come back. */
void hf_table_add_row(hf_text *out, const char *const *cells, int count);
void hf_table_add_cell(hf_text *out, const char *text); /* one cell of it, without what separates it from the next */

/* Which of the names [count] a cell holds: equal text, or equal numbers ("1" and "1.0"); -1 where it is missing.
 * HF_ERR_FORMAT names file, line, column, text and the names when it is none of them. */
hf_status hf_table_class(int *out, const hf_table *table, int row, int column, const char *const *names,
                         int count) HF_MUST_USE;

/* ---- cohorts (datasets/cohort.c) --------------------------------------------------------------------------------- */

/* What is wrong with one subject or file; nothing is ever dropped without one of these. */
typedef struct hf_problem {
    char *subject; /* the id, or the path when there is none */
    char *text;    /* what was found, what was expected */
    bool fatal;    /* the subject is left out; otherwise it is only flagged */
} hf_problem;

typedef struct hf_subject {
    char *id;    /* as in the table */
    char *image; /* path of the volume */
    char *mask;  /* path of its mask, or NULL */
    int row;     /* row of the table */
} hf_subject;

typedef struct hf_cohort {
    char *folder;
    hf_table table;
    int n_subjects;
    hf_subject *subject; /* [n_subjects], in table order */
    int n_problems;
    hf_problem *problem; /* [n_problems] */
    int id_column;       /* of the table */
} hf_cohort;

typedef struct hf_cohort_options {
    const char *table;         /* default: participants.tsv, else participants.csv, in the folder */
    const char *id_column;     /* default: participant_id, else subject, else id */
    const char *image_column;  /* a column of paths, relative to the folder. Default: no such column; images are
                                 found as sub-ID/anat/sub-ID*_T1w.nii.gz, .nii, or sub-ID.npy, .nii(.gz) */
    const char *filter_column; /* keep only rows where this column ... */
    const char *filter_value;  /* ... equals this text, as numbers or words for a sex do, or lies in LOW..HIGH, HIGH not
                                  included, or one of several, A|B; NULL: no filter */
    double fraction;           /* of the rows that are left only the first ones; 0: all */
    const char *session;       /* of images found by id: only those of this session, "01" or "ses-01" */
    const char *const *entities; /* [n_entities] and only those whose file name has all of these, as "desc-brain" */
    int n_entities;
    const char *mask; /* name of masks, such as "desc-brain_mask" (hf_mask_find); NULL: no masks */
} hf_cohort_options;

/* Joins table and images by ID, strictly: never by order. Rows without an image, or with several that `session` and
 * `entities` do not tell apart, images without a row, duplicate ids (all copies refused), ids that look like paths, and
 * image paths that leave the folder become problems. Fails when no subject is left. */
hf_status hf_cohort_open(hf_cohort *out, const char *folder, const hf_cohort_options *options) HF_MUST_USE;
void hf_cohort_free(hf_cohort *cohort);

/* An id without its "sub-": what table and folder are joined by. Points into `id`. */
const char *hf_subject_key(const char *id);

/* Adds a problem, at most 1023 bytes of text; the only way to do it, because the array's capacity follows from n_problems. */
hf_status hf_cohort_problem(hf_cohort *cohort, bool fatal, const char *subject, const char *format, ...)
    HF_PRINTF(4, 5) HF_MUST_USE;

/* Reads every volume and reports on stdout-ready text: subjects, missing values by column, shapes, spacings,
 * orientations, unreadable files, outliers (volume whose correlation with the cohort mean lies more than 4 robust
 * standard deviations below the median; non-zero volume likewise). Problems found are added to the cohort.
 * `progress` (may be NULL) is called with subjects done and total. */
typedef void hf_progress(void *user, int done, int total);

hf_status hf_cohort_check(hf_cohort *cohort, hf_text *report, hf_progress *progress, void *user) HF_MUST_USE;

/* ---- splits (datasets/split.c) ----------------------------------------------------------------------------------- */

typedef enum hf_part { HF_TRAIN, HF_VALID, HF_TEST, HF_UNUSED, HF_N_PARTS } hf_part;

typedef struct hf_split_options {
    const char *method; /* "stratified" (default), "random", "published" (the study's own, bit for bit),
                           "leave-group-out", "column", "file"; doc/tabular.md has all of them */
    const char *column; /* method column: holds train/valid/test (also val, validation, testing); others unused */
    const char *file;   /* method file: TSV with columns participant_id (or id) and split */
    const char *const *strata; /* [n_strata] columns, or COLUMN:onehot(A,B=C|D), of stratified and published */
    int n_strata;              /* 0: sex and age */
    const char *age_column, *sex_column; /* defaults "age", "sex"; a missing column: not used */
    const char *group_column; /* rows with equal text stay on one side (repeat scans, families); default: id */
    const char *leave;        /* leave-group-out: the group that tests; NULL: number `fold` of them */
    int folds;                /* stratified, random: that many equal folds, 3 to 100; 0: fractions */
    int fold;                 /* the fold that tests, the next one validates; published: 0 to 3 validates, 4 tests */
    double valid, test;       /* fractions; both zero: 0.15 and 0.2 */
    uint64_t seed;            /* published: up to 2^32 - 1 */
    const char *train_filter; /* COLUMN=VALUE, as in hf_cohort_options: only such rows train and validate; NULL: all */
    double train_fraction;    /* of the rows that then train, and of those that validate, the leading part; 0: all */
} hf_split_options;

/* Fills part[n_subjects]. A subject (or group) is never on two sides. Fails when train or test would be empty. Methods
 * that stratify look at the strata of all subjects, test subjects too, to deal them evenly; nothing else does. */
hf_status hf_split_make(hf_part *part, const hf_cohort *cohort, const hf_split_options *options) HF_MUST_USE;

const char *hf_part_name(hf_part part); /* "train", "valid", "test", "unused" */

/* ---- tabular encoding (datasets/encoder*.c, feature_sets.c; doc/tabular.md) -------------------------------------- */

typedef enum hf_encoding {
    HF_ONE_HOT, /* one column per category: those given, in that order, else those seen in training, alphabetically; an
                    unseen category is an error */
    HF_ZSCORE,  /* (x - mean) / sd, sample sd (ddof 1), of the training rows */
    HF_MINMAX,  /* to [0,1] by the training range */
    HF_RAW,     /* the number itself */
    HF_BINS,    /* one-hot over equal bins of the training range, or of a range that is given */
    HF_SMOOTH,  /* the same, blurred by a Gaussian */
    HF_EDGES,   /* one-hot over bins with given edges */
    HF_ABOVE,   /* 1 above a given number, else 0 */
    HF_FLAG,    /* no column of its own; only "was missing" */
} hf_encoding;

/* What stands in for a missing value. Statistics are of the training rows. */
typedef enum hf_fill {
    HF_FILL_KNOWN,    /* numbers: the median; mean and sd of the encoding are those of the known values */
    HF_FILL_MEDIAN,   /* this and the next four come before the encoding: mean and sd are those of the filled column */
    HF_FILL_MEAN,     /* */
    HF_FILL_VALUE,    /* a given number */
    HF_FILL_GROUP,    /* the median of the rows with the same text in another column; none there: of all */
    HF_FILL_IMPUTE,   /* guessed from all other features, iteratively (impute.h) */
    HF_FILL_ZEROS,    /* one-hot: no category */
    HF_FILL_CATEGORY, /* one-hot: one more category, the last */
    HF_FILL_NOTHING,  /* the row is left out of training and refused when it is encoded */
} hf_fill;

enum {
    HF_MAX_FEATURES = 64,
    HF_MAX_CATEGORIES = 16,
    HF_MAX_BINS = 128,
    HF_MAX_NUMBERS = 16, /* arguments of an encoding */
    HF_MAX_WIDTH = 1024, /* of an encoded row */
};

/* One table column, and what the training rows said about it. */
typedef struct hf_feature {
    char spec[512]; /* as written */
    char column[64];
    hf_encoding encoding;
    hf_fill fill;
    bool flag_missing; /* adds a 0/1 column "was missing" after all value columns */
    bool flag_zscore;  /* that column is brought to mean 0 and sd 1 */
    bool zscore;       /* one-hot: so are its columns */
    int n_numbers;
    double number[HF_MAX_NUMBERS];        /* arguments of bins, smooth, edges and above */
    int n_categories;                     /* of a one-hot, or groups of a group fill */
    char category[HF_MAX_CATEGORIES][32]; /* their names */
    char aliases[HF_MAX_CATEGORIES][96];  /* other spellings, "female|woman"; compared without case */
    char group[64];                       /* column of a group fill */
    double group_median[HF_MAX_CATEGORIES];
    double fill_value;
    double mean, sd;          /* of the encoding: known values, or filled ones (hf_fill) */
    double median, low, high; /* of the known values of the training rows: low..high is the training range */
    double column_mean[HF_MAX_CATEGORIES + 1], column_sd[HF_MAX_CATEGORIES + 1]; /* of a one-hot's columns */
    double flag_mean, flag_sd;
    int n_missing; /* among the training rows */
} hf_feature;

/* Everything needed to turn a table row into the network's input: plain data but for the imputer. A copy of the struct
 * shares the imputer; free one of them. */
typedef struct hf_encoder {
    int n_features;
    hf_feature feature[HF_MAX_FEATURES];
    int width;    /* length of an encoded row: all value columns in feature order, then the missing flags */
    bool fit_all; /* fit on all rows that are used, test rows among them: what was published, and a leak */
    struct hf_imputer *imputer; /* NULL: no feature is imputed */
} hf_encoder;

/* Parses a feature list such as "sex:onehot(F,M)", "age:zscore", "mmse:zscore+missing" into features without
 * statistics; doc/tabular.md has the language. An entry "set0" to "set18" stands for a published feature set. Frees
 * nothing: *out is overwritten. HF_ERR_ARGUMENT names the entry and what was expected, HF_ERR_UNSUPPORTED a limit. */
hf_status hf_encoder_parse(hf_encoder *out, const char *const *specs, int n_specs) HF_MUST_USE;

/* Fills in statistics and categories from the subjects whose part is HF_TRAIN (with `fit_all`: from all that are not
 * HF_UNUSED). Changing anything in other rows changes no bit of the result. Numbers must be numbers, categories known,
 * and features vary in those rows; the message names subject, line and column. On failure the encoder is as it was. */
hf_status hf_encoder_fit(hf_encoder *encoder, const hf_cohort *cohort, const hf_part *part) HF_MUST_USE;
void hf_encoder_free(hf_encoder *encoder); /* frees the imputer and zeroes the struct; NULL is fine */

/* Writes the encoded row of subject `index` (encoder->width floats). */
hf_status hf_encoder_row(float *out, const hf_encoder *encoder, const hf_cohort *cohort, int index) HF_MUST_USE;

/* The same from "name=value" pairs, as given on a command line; absent features count as missing. */
hf_status hf_encoder_pairs(float *out, const hf_encoder *encoder, const char *const *pairs, int n_pairs) HF_MUST_USE;

/* A known number outside the range that the training rows had. */
typedef struct hf_outside {
    const char *column; /* points into the encoder */
    double value, low, high;
} hf_outside;

/* The features of a row that lie outside, in feature order; how many. Only numbers can. */
int hf_encoder_outside(hf_outside out[HF_MAX_FEATURES], const hf_encoder *encoder, const hf_cohort *cohort, int index);
int hf_encoder_outside_pairs(hf_outside out[HF_MAX_FEATURES], const hf_encoder *encoder, const char *const *pairs,
                             int n_pairs);

/* Whether a feature, or the groups of a fill, come from this column (any case). */
bool hf_encoder_uses(const hf_encoder *encoder, const char *column);

/* The whole encoder as text, and back to the last bit: lines "WORD VALUE", a feature's spec before its statistics.
 * Reading sets *out on success only; HF_ERR_FORMAT names the line. The caller frees with hf_encoder_free. */
hf_status hf_encoder_write(const hf_encoder *encoder, hf_text *out) HF_MUST_USE;
hf_status hf_encoder_read(hf_encoder *out, const char *text) HF_MUST_USE;

/* ---- what is wrong with the rows (datasets/check_rows.c) ---------------------------------------------------------- */

typedef struct hf_rows_check {
    const hf_encoder *encoder; /* parsed: categories, numbers, and missing values that it has no place for; fitted: the
                                  training range too; NULL: columns are only judged by themselves */
    const char *target;        /* column; NULL: none */
    const char *const *labels; /* [n_labels] what it may hold */
    int n_labels;              /* 0: numbers */
    const char
        *event; /* column of a second target: 1, or 0 where the event had not come by the time that the target is,
                          which is not negative; NULL: none */
} hf_rows_check;

/* Judges the subjects' table rows as training and predicting would. What would leave a subject out is added as a fatal
 * problem; a value outside the training range, or one that no person has (an age of 250, or of 1e30), as a flag. */
hf_status hf_cohort_check_rows(hf_cohort *cohort, const hf_rows_check *what) HF_MUST_USE;

/* ---- datasets and batches (datasets/dataset.c, loader.c) --------------------------------------------------------- */

typedef struct hf_dataset hf_dataset;

typedef struct hf_dataset_options {
    const float *targets;  /* [n_subjects,n_targets] truth of each subject, copied; NULL: one NaN for each */
    int n_targets;         /* 0: 1 */
    const char *cache_dir; /* default: hf_cache_dir("volumes") */
    bool no_cache;         /* preprocess on every access instead; opening still reads every volume once */
    bool oriented;         /* a volume whose file does not say how it lies is no good */
    hf_progress *progress; /* called while the cache is built */
    void *user;
} hf_dataset_options;

/* What a dataset will need, known before anything is read. */
typedef struct hf_forecast {
    size_t disk_bytes;   /* of the cache, all of it once */
    size_t missing;      /* volumes not yet in the cache */
    size_t memory_bytes; /* host memory while building: decoder and resampler, all threads */
} hf_forecast;
hf_status hf_dataset_forecast(hf_forecast *out, const hf_cohort *cohort, const hf_grid *grid,
                              const hf_dataset_options *options) HF_MUST_USE;

/* Preprocesses what is not cached yet (all cores), reads the rest through. One file a volume, named by a digest of
 * source file (path, size, times of change) and grid, int16 with scale: about half of float32, a quarter of the usual float64;
 * written by rename with its own digest inside, so a damaged or foreign file is rebuilt. Subjects that cannot be read
 * become fatal problems of the cohort and are left out: their indices answer hf_dataset_has with false. So do those
 * whose shape is not that of the majority, where the grid leaves the shape open; HF_ERR_SHAPE when there is none.
 * The cohort and encoder must outlive the dataset. */
hf_status hf_dataset_open(hf_dataset **out, hf_cohort *cohort, const hf_grid *grid, const hf_encoder *encoder,
                          const hf_dataset_options *options) HF_MUST_USE;
void hf_dataset_free(hf_dataset **dataset);

bool hf_dataset_has(const hf_dataset *dataset, int index);
const int *hf_dataset_shape(const hf_dataset *dataset); /* D,H,W of one sample: of a view */
/* hf_digest_file of the image of a subject, as it was when its volume was made, and of its mask; "" for one that is left
 * out. */
const char *hf_dataset_source(const hf_dataset *dataset, int index);
const char *hf_dataset_image(const hf_dataset *dataset, int index); /* the same of the image alone */
int hf_dataset_width(const hf_dataset *dataset);                    /* length of a tabular row */
int hf_dataset_targets(const hf_dataset *dataset);                  /* T */
int hf_dataset_views(const hf_dataset *dataset); /* samples a subject gives when it is judged: 1 or 2 */

/* Copies one sample: volume [D,H,W] (view 0), tabular [width], target [T], NaN where it is missing. Any of the outputs may be
 * NULL. Thread-safe. */
hf_status hf_dataset_get(const hf_dataset *dataset, int index, float *volume, float *tabular,
                         float *target) HF_MUST_USE;

/* One view of a subject: volume [D,H,W]. Of two sides, each is normalised `alone`, as in training, or both together. */
hf_status hf_dataset_view(const hf_dataset *dataset, int index, int view, bool alone, float *volume) HF_MUST_USE;

/* A batch, ready on the host. */
typedef struct hf_batch {
    int count;      /* samples in it */
    float *volume;  /* [count,1,D,H,W] */
    float *tabular; /* [count,width] */
    float *target;  /* [count,T] */
    int *index;     /* [count] subject indices */
} hf_batch;

typedef struct hf_loader hf_loader;

typedef struct hf_loader_options {
    int batch_size; /* required; the last batch of a pass may be smaller */
    bool shuffle;   /* order of pass e is a function of (seed, e) alone */
    uint64_t seed;
    int depth;                 /* batches prepared ahead by background threads; default 2 */
    int threads;               /* of them; default: 1, more on machines with many cores. No bit depends on it */
    bool no_volumes;           /* rows and targets alone */
    const hf_augment *augment; /* for training (copied): a random side of two, and these changes. NULL: for judging:
                                  samples as they are, and of two sides both, one right after the other */
} hf_loader_options;

/* Serves batches of the given subject indices (copied); each is hf_loader_samples / count samples. A subject that is given
 * several times is augmented anew each time. */
hf_status hf_loader_new(hf_loader **out, const hf_dataset *dataset, const int *indices, int count,
                        const hf_loader_options *options) HF_MUST_USE;
void hf_loader_free(hf_loader **loader);

/* Samples of a pass: the subjects, times two where both sides of each are served. */
int hf_loader_samples(const hf_loader *loader);

/* The places in the list of subjects that shuffled training samples of a pass come from, in their order: order[count]. */
void hf_loader_order(uint32_t *order, uint32_t count, uint64_t seed, uint64_t epoch);

/* Starts pass number `epoch`, dropping what was prepared of an earlier pass. */
hf_status hf_loader_start(hf_loader *loader, uint64_t epoch) HF_MUST_USE;

/* The next batch of the pass, valid until the next call; *batch is NULL at the end of the pass. */
hf_status hf_loader_next(hf_loader *loader, const hf_batch **batch) HF_MUST_USE;

/* Seconds hf_loader_next has waited for the background threads so far: "the device waited for data". */
double hf_loader_waited(const hf_loader *loader);

/* ---- the synthetic cohort (datasets/synth.c) --------------------------------------------------------------------- */

typedef struct hf_synth_options {
    const char *task;   /* "brain-age" (default), "ad" or "interaction" */
    const char *source; /* interaction: a cohort whose images are copied instead of drawn; NULL: draw */
    int subjects;       /* default 120, or all of the source */
    int shape[3];       /* D,H,W of what is drawn; default 45,55,45 */
    uint64_t seed;
    hf_progress *progress;
    void *user;
} hf_synth_options;

/* Writes a BIDS-like folder of brain-like volumes: folded cortex, white matter, ventricles, hippocampi, whose anatomy
 * ages along different courses for the two sexes; with noise, bias field and pose. As real .nii.gz (skull-stripped,
 * float scaled int16, with affine) and participants.tsv, dataset_description.json. Task "ad" adds diagnosis (CN, MCI,
 * AD) and the nine clinical columns (AGE, PTGENDER, PTEDUCAT, APOE4, ABETA, PTAU, TAU, FDG, AV45) with missingness
 * that depends on the diagnosis as in the real data. Task "interaction" has a bit and a label that only image and bit
 * together tell (datasets/interaction.c). Refuses a folder that already has a participants.tsv. */
hf_status hf_cohort_make(const char *folder, const hf_synth_options *options) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
