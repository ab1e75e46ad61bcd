/* dataset.c: a cohort's volumes on one grid, its table rows encoded, its targets as they were given.
 *
 * Opening reads the cached form of every volume through and makes those that are missing, on all cores. Without a cache
 * it reads every volume once all the same, so that what is no good shows now and not in the middle of a training. A
 * subject whose volume cannot be read or brought to the grid becomes a fatal problem of the cohort and is left out; a
 * cache that cannot be written is an error of the whole. */
#include "cache.h"
#include "cohort.h"
#include "parallel.h"
#include "resample.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DECODING 12 /* bytes a voxel while a file is decoded: at most 8 in the file, 4 decoded */

struct hf_dataset {
    hf_cohort *cohort;
    const hf_encoder *encoder;
    hf_grid grid;
    hf_grid stored; /* what the cache holds: of two sides, the box of both, not normalised yet */
    int whole[3];   /* D,H,W of that */
    int shape[3];   /* D,H,W of a view */
    bool no_cache;
    bool oriented; /* all volumes must say how they lie */
    char *folder;  /* of the cache */
    int n;         /* subjects */
    bool *has;     /* [n] */
    int n_targets;
    float *target;     /* [n,n_targets] */
    hf_cached *cached; /* [n]; without a cache path NULL */
    char **trouble;    /* [n] what was wrong with a subject's volume or row, or NULL */
};

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static void copy_targets(hf_dataset *d, const hf_dataset_options *o)
{
    for (size_t i = 0; i < (size_t)d->n * (size_t)d->n_targets; i++)
        d->target[i] = o->targets ? o->targets[i] : NAN;
}

/* ---- volumes ----------------------------------------------------------------------------------------------------- */

/* Reads one volume, masks it and brings it to the grid: *voxels is freed by the caller. */
static hf_status prepare(float **voxels, hf_cached *about, const hf_grid *grid, const hf_subject *subject)
{
    hf_volume volume = { 0 };
    int *shape = about->shape;
    hf_status status = HF_OK;
    *voxels = NULL;
    HF_TRY(hf_volume_read(&volume, subject->image));
    if (subject->mask) HF_TRY_OUT(hf_mask_apply(&volume, subject->mask));
    status = hf_grid_shape(shape, &volume, grid);
    if (status != HF_OK) hf_fail_in(status, "'%s'", subject->image);
    if (status != HF_OK) goto out;
    memcpy(about->spacing, volume.spacing, sizeof volume.spacing);
    about->oriented = volume.oriented;
    HF_TRY_OUT(hf_alloc(voxels, hf_voxels_of(shape), sizeof **voxels, "a preprocessed volume"));
    HF_TRY_OUT(hf_preprocess(*voxels, &volume, grid, subject->image));
out:
    hf_volume_free(&volume);
    if (status != HF_OK) {
        free(*voxels);
        *voxels = NULL;
    }
    return status;
}

/* Of the image, and of both it and its mask if there is one. */
static hf_status digest_source(hf_cached *about, const hf_subject *subject)
{
    char mask[33];
    hf_digest both = { 0 };
    HF_TRY(hf_digest_file(about->image, subject->image));
    memcpy(about->source, about->image, sizeof about->source);
    if (!subject->mask) return HF_OK;
    HF_TRY(hf_digest_file(mask, subject->mask));
    hf_digest_add(&both, about->image, 32);
    hf_digest_add(&both, mask, 32);
    hf_digest_text(&both, about->source);
    return HF_OK;
}

/* The volume of subject i on the grid, with its shape, spacing and source in *about; *voxels is freed by the caller. */
static hf_status prepare_subject(float **voxels, hf_cached *about, const hf_dataset *d, int i)
{
    const hf_subject *subject = &d->cohort->subject[i];
    *voxels = NULL;
    HF_TRY(digest_source(about, subject)); /* first: should a file change now, the next run sees it */
    return prepare(voxels, about, &d->stored, subject);
}

/* Makes the cached form of subject i, or only learns about it when there is no cache (path NULL). A volume that is no
 * good is the subject's trouble (HF_OK); anything else, such as a full disk, is an error. */
static hf_status build(hf_dataset *d, int i, const char *path)
{
    float *voxels;
    hf_cached about = { 0 };
    hf_status status = prepare_subject(&voxels, &about, d, i);
    if (status == HF_ERR_MEMORY) return status;
    if (status != HF_OK) return hf_strdup(&d->trouble[i], hf_error_message());
    if (path) status = hf_cached_write(path, voxels, &about);
    free(voxels);
    d->cached[i] = about;
    return status == HF_OK && path ? hf_strdup(&d->cached[i].path, path) : status;
}

static hf_status find_or_build(hf_dataset *d, int i)
{
    char *path = NULL;
    if (d->no_cache) return build(d, i, NULL);
    hf_status status =
        hf_cached_path(&path, d->folder, d->cohort->subject[i].image, d->cohort->subject[i].mask, &d->stored);
    if (status == HF_ERR_IO) return hf_strdup(&d->trouble[i], hf_error_message());
    HF_TRY(status);
    status = hf_cached_open(&d->cached[i], path);
    if (status == HF_OK && !d->cached[i].path) status = build(d, i, path);
    free(path);
    return status;
}

/* The work of hf_parallel. */
static hf_status open_subject(void *user, int i)
{
    hf_dataset *d = user;
    HF_TRY(find_or_build(d, i));
    if (d->trouble[i] || !d->oriented || d->cached[i].oriented) return HF_OK;
    hf_fail(HF_ERR_UNSUPPORTED, "'%s': the file does not say how the volume lies (sform and qform codes are 0)",
            d->cohort->subject[i].image);
    return hf_strdup(&d->trouble[i], hf_error_message());
}

/* ---- which subjects are in --------------------------------------------------------------------------------------- */

static bool same_shape(const hf_dataset *d, int i, int j)
{
    return memcmp(d->cached[i].shape, d->cached[j].shape, sizeof d->shape) == 0;
}

/* A subject whose shape more than half of the usable ones share, if such a shape there is: subjects of two different
 * shapes are struck off in pairs, which the majority outlasts. -1: none is usable. */
static int find_typical(const hf_dataset *d)
{
    int typical = -1, votes = 0;
    for (int i = 0; i < d->n; i++) {
        if (d->trouble[i]) continue;
        if (votes == 0) typical = i;
        votes += same_shape(d, i, typical) ? 1 : -1;
    }
    return typical;
}

/* Sets has[]: who is usable and of the typical shape. *other is a usable subject of another shape, or -1. */
static hf_status choose(hf_dataset *d, int typical, int *other)
{
    int usable = 0, chosen = 0;
    *other = -1;
    for (int i = 0; i < d->n; i++) {
        if (d->trouble[i]) continue;
        d->has[i] = same_shape(d, i, typical);
        usable++;
        chosen += d->has[i];
        if (!d->has[i] && *other < 0) *other = i;
    }
    if (2 * chosen > usable) return HF_OK;
    const int *a = d->cached[typical].shape, *b = d->cached[*other].shape;
    return hf_fail(HF_ERR_SHAPE,
                   "'%s': the volumes differ in shape, %s is %dx%dx%d, %s is %dx%dx%d: set a shape for the cohort",
                   d->cohort->folder, d->cohort->subject[typical].id, a[0], a[1], a[2], d->cohort->subject[*other].id,
                   b[0], b[1], b[2]);
}

/* A row that cannot be encoded is its subject's trouble, now and not in the middle of a training. */
static hf_status try_rows(hf_dataset *d)
{
    float row[HF_MAX_WIDTH];
    for (int i = 0; d->encoder && i < d->n; i++) {
        if (d->trouble[i]) continue;
        const hf_status status = hf_encoder_row(row, d->encoder, d->cohort, i);
        if (status == HF_ERR_MEMORY) return status;
        if (status != HF_OK) HF_TRY(hf_strdup(&d->trouble[i], hf_error_message()));
    }
    return HF_OK;
}

/* All volumes must agree in shape. A few that differ from all others are left out. */
static hf_status settle(hf_dataset *d)
{
    int other;
    const int typical = find_typical(d);
    if (typical < 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': none of the %d subjects is usable; the first problem: %s",
                       d->cohort->folder, d->n, d->trouble[0]);
    HF_TRY(choose(d, typical, &other));
    memcpy(d->whole, d->cached[typical].shape, sizeof d->whole);
    hf_views_shape(d->shape, d->whole, &d->grid);
    for (int i = 0; i < d->n; i++) {
        const int *shape = d->cached[i].shape;
        const char *id = d->cohort->subject[i].id;
        if (d->trouble[i]) HF_TRY(hf_cohort_problem(d->cohort, true, id, "%s", d->trouble[i]));
        if (d->trouble[i] || d->has[i]) continue;
        HF_TRY(hf_cohort_problem(d->cohort, true, id,
                                 "its volume is %dx%dx%d, but most are %dx%dx%d; set a shape for the cohort", shape[0],
                                 shape[1], shape[2], d->whole[0], d->whole[1], d->whole[2]));
    }
    return HF_OK;
}

/* Each side may be normalised alone, so the two are kept as they are. */
static hf_grid stored_grid(const hf_grid *grid)
{
    hf_grid stored = *grid;
    if (grid->both_sides) stored.zscore = false;
    return stored;
}

/* ---- public ------------------------------------------------------------------------------------------------------ */

static hf_status cache_folder(char **out, const hf_dataset_options *o)
{
    if (!o->cache_dir) return hf_cache_dir(out, "volumes");
    HF_TRY(hf_make_dirs(o->cache_dir));
    return hf_strdup(out, o->cache_dir);
}

static hf_status open_into(hf_dataset *d, const hf_dataset_options *o)
{
    const size_t n = (size_t)d->n;
    HF_TRY(hf_alloc(&d->has, n, sizeof *d->has, "a dataset"));
    HF_TRY(hf_alloc(&d->target, n * (size_t)d->n_targets, sizeof *d->target, "a dataset"));
    HF_TRY(hf_alloc(&d->cached, n, sizeof *d->cached, "a dataset"));
    HF_TRY(hf_alloc(&d->trouble, n, sizeof *d->trouble, "a dataset"));
    copy_targets(d, o);
    if (!d->no_cache) HF_TRY(cache_folder(&d->folder, o));
    HF_TRY(hf_parallel(d->n, open_subject, d, o->progress, o->user));
    HF_TRY(try_rows(d));
    return settle(d);
}

hf_status hf_dataset_open(hf_dataset **out, hf_cohort *cohort, const hf_grid *grid, const hf_encoder *encoder,
                          const hf_dataset_options *options)
{
    static const hf_dataset_options defaults = { 0 };
    hf_dataset *d = NULL;
    *out = NULL;
    if (cohort->n_subjects < 1) return hf_fail(HF_ERR_ARGUMENT, "'%s': the cohort has no subjects", cohort->folder);
    HF_TRY(hf_alloc(&d, 1, sizeof *d, "a dataset"));
    *d = (hf_dataset){
        .cohort = cohort, .encoder = encoder, .grid = *grid, .stored = stored_grid(grid), .n = cohort->n_subjects
    };
    if (!options) options = &defaults;
    d->no_cache = options->no_cache;
    d->oriented = options->oriented;
    d->n_targets = options->n_targets > 0 ? options->n_targets : 1;
    const hf_status status = open_into(d, options);
    if (status != HF_OK) hf_dataset_free(&d);
    *out = d;
    return status;
}

void hf_dataset_free(hf_dataset **dataset)
{
    if (!dataset || !*dataset) return;
    hf_dataset *d = *dataset;
    for (int i = 0; i < d->n; i++) {
        if (d->cached) hf_cached_close(&d->cached[i]);
        if (d->trouble) free(d->trouble[i]);
    }
    free(d->folder);
    free(d->has);
    free(d->target);
    free(d->cached);
    free(d->trouble);
    free(d);
    *dataset = NULL;
}

bool hf_dataset_has(const hf_dataset *dataset, int index)
{
    return index >= 0 && index < dataset->n && dataset->has[index];
}

const int *hf_dataset_shape(const hf_dataset *dataset)
{
    return dataset->shape;
}

const char *hf_dataset_source(const hf_dataset *dataset, int index)
{
    return hf_dataset_has(dataset, index) ? dataset->cached[index].source : "";
}

const char *hf_dataset_image(const hf_dataset *dataset, int index)
{
    return hf_dataset_has(dataset, index) ? dataset->cached[index].image : "";
}

int hf_dataset_width(const hf_dataset *dataset)
{
    return dataset->encoder ? dataset->encoder->width : 0;
}

int hf_dataset_views(const hf_dataset *dataset)
{
    return hf_views(&dataset->grid);
}

int hf_dataset_targets(const hf_dataset *dataset)
{
    return dataset->n_targets;
}

/* From the source, which must still be what it was; `path`: into its cached form too. */
static hf_status get_uncached(float *out, const hf_dataset *d, int index, const char *path)
{
    float *voxels = NULL;
    hf_cached about = { 0 };
    const char *image = d->cohort->subject[index].image;
    const int *shape = about.shape;
    hf_status status;
    HF_TRY_OUT(prepare_subject(&voxels, &about, d, index));
    if (memcmp(shape, d->whole, sizeof d->whole) != 0)
        status = hf_fail(HF_ERR_SHAPE, "'%s': has %dx%dx%d voxels, expected %dx%dx%d", image, shape[0], shape[1],
                         shape[2], d->whole[0], d->whole[1], d->whole[2]);
    else if (strcmp(about.source, d->cached[index].source) != 0)
        status = hf_fail(HF_ERR_IO, "'%s': the file has changed since it was opened", image);
    else if (path)
        status = hf_cached_write(path, voxels, &about);
    if (status == HF_OK) memcpy(out, voxels, hf_voxels_of(shape) * sizeof *out);
out:
    free(voxels);
    return status;
}

/* A file of the cache that has been damaged or removed since it was opened is made anew. */
static hf_status get_cached(float *out, const hf_dataset *d, int index)
{
    const hf_cached *cached = &d->cached[index];
    bool whole;
    HF_TRY(hf_cached_read(out, &whole, cached));
    if (whole) return HF_OK;
    HF_TRY(get_uncached(out, d, index, cached->path));
    HF_TRY(hf_cached_read(out, &whole, cached)); /* rounded to 16 bits, as it was before */
    if (whole) return HF_OK;
    return hf_fail(HF_ERR_IO, "'%s': what was just written cannot be read back", cached->path);
}

static hf_status get_whole(float *out, const hf_dataset *d, int index)
{
    return d->no_cache ? get_uncached(out, d, index, NULL) : get_cached(out, d, index);
}

hf_status hf_dataset_view(const hf_dataset *dataset, int index, int view, bool alone, float *volume)
{
    const hf_dataset *d = dataset;
    const bool zscore = d->grid.zscore;
    float *whole = NULL;
    hf_status status = HF_OK;
    if (!hf_dataset_has(d, index)) return hf_fail(HF_ERR_ARGUMENT, "the dataset has no subject number %d", index);
    if (view < 0 || view >= hf_views(&d->grid))
        return hf_fail(HF_ERR_ARGUMENT, "view %d of a subject, expected one of %d", view, hf_views(&d->grid));
    if (!d->grid.both_sides) return get_whole(volume, d, index);
    HF_TRY(hf_alloc(&whole, hf_voxels_of(d->whole), sizeof *whole, "two sides"));
    HF_TRY_OUT(get_whole(whole, d, index));
    if (zscore && !alone) HF_TRY_OUT(hf_zscore(whole, hf_voxels_of(d->whole)));
    hf_views_make(volume, whole, d->whole, view, &d->grid);
    if (zscore && alone) status = hf_zscore(volume, hf_voxels_of(d->shape));
    if (status != HF_OK) hf_fail_in(status, "'%s', side %d", d->cohort->subject[index].image, view);
out:
    free(whole);
    return status;
}

hf_status hf_dataset_get(const hf_dataset *dataset, int index, float *volume, float *tabular, float *target)
{
    if (!hf_dataset_has(dataset, index)) return hf_fail(HF_ERR_ARGUMENT, "the dataset has no subject number %d", index);
    if (volume) HF_TRY(hf_dataset_view(dataset, index, 0, false, volume));
    if (tabular && dataset->encoder) HF_TRY(hf_encoder_row(tabular, dataset->encoder, dataset->cohort, index));
    const size_t T = (size_t)dataset->n_targets;
    if (target) memcpy(target, dataset->target + (size_t)index * T, T * sizeof *target);
    return HF_OK;
}

/* Result shape and host memory of one volume: as stored, twice where there is a mask, the result, and, when it is
 * resampled, the mask and two stages between, each at most as large as the larger end. */
static hf_status forecast_volume(int shape[3], size_t *memory, const hf_grid *grid, const hf_subject *subject)
{
    hf_volume volume = { 0 };
    hf_grid whole = { .centre = grid->centre }; /* before anything is cut */
    int resampled[3];
    hf_status status = HF_OK;
    memcpy(whole.spacing, grid->spacing, sizeof whole.spacing);
    HF_TRY(hf_volume_read(&volume, subject->image));
    HF_TRY_OUT(hf_grid_shape(shape, &volume, grid));
    HF_TRY_OUT(hf_grid_shape(resampled, &volume, &whole));
    const size_t stored = hf_voxels_of(volume.shape), between = hf_voxels_of(resampled);
    const bool same = memcmp(resampled, volume.shape, sizeof resampled) == 0;
    *memory = (stored + hf_voxels_of(shape) + (same ? 0 : 3 * (stored > between ? stored : between))) * sizeof(float);
    if (*memory < MOST_DECODING * stored) *memory = MOST_DECODING * stored;
    if (subject->mask) *memory += MOST_DECODING * stored;
out:
    hf_volume_free(&volume);
    return status;
}

static hf_status count_missing(size_t *missing, const hf_cohort *cohort, const hf_grid *grid,
                               const hf_dataset_options *options)
{
    char *folder = NULL, *path = NULL;
    HF_TRY(cache_folder(&folder, options));
    for (int i = 0; i < cohort->n_subjects; i++) {
        if (hf_cached_path(&path, folder, cohort->subject[i].image, cohort->subject[i].mask, grid) == HF_OK &&
            !hf_path_exists(path))
            (*missing)++;
        free(path);
        path = NULL;
    }
    free(folder);
    return HF_OK;
}

hf_status hf_dataset_forecast(hf_forecast *out, const hf_cohort *cohort, const hf_grid *grid,
                              const hf_dataset_options *options)
{
    static const hf_dataset_options defaults = { 0 };
    const int n = cohort->n_subjects;
    const hf_grid stored = stored_grid(grid);
    int shape[3], first = 0;
    size_t memory = 0;
    if (!options) options = &defaults;
    *out = (hf_forecast){ 0 };
    /* The first readable volume tells what all of them will need. */
    while (first < n && forecast_volume(shape, &memory, &stored, &cohort->subject[first]) != HF_OK)
        first++;
    if (first == n) return hf_fail(HF_ERR_FORMAT, "'%s': none of the %d volumes can be read", cohort->folder, n);
    out->memory_bytes = (size_t)hf_parallel_threads(n) * memory;
    if (options->no_cache) return HF_OK;
    out->disk_bytes = (size_t)n * hf_cached_bytes(shape);
    return count_missing(&out->missing, cohort, &stored, options);
}
