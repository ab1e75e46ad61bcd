/* check.c: what is in a cohort, and what looks wrong with it.
 *
 * Every volume is read once. Kept of it are its shape, spacing and orientation, the volume of its non-zero voxels, a
 * digest of its voxels, and a thumbnail. Each thumbnail's correlation with the mean of all others finds scans that are
 * badly registered, cropped, flipped or of something else; equal digests find one scan under two ids. Limits are robust,
 * so that the outliers do not widen them (thumbnail.c). */
#include "cohort.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MIN_VOXELS = 8,   /* non-zero; preprocessing needs as many */
    MIN_SUBJECTS = 5, /* fewer have no robust limits */
    MAX_LISTED = 100, /* problems of a kind; more are counted */
    LISTED = 12,      /* kinds of shape and so on, the most frequent ones */
};
static const double limit_sds = 4;

/* What is kept of one volume. */
typedef struct measure {
    bool good; /* read and not empty */
    int shape[3];
    double spacing[3]; /* mm */
    char axes[4];
    double filled; /* mm3 of non-zero voxels */
    double correlation;
    char digest[33];
    float *thumbnail; /* [HF_THUMBNAIL_CELLS], z-scored */
} measure;

/* ---- one volume -------------------------------------------------------------------------------------------------- */

/* Fills what is kept of a volume that was read. Returns false, with the reason recorded, when it is no use. */
static bool take_measures(measure *m, const hf_volume *v)
{
    size_t voxels = (size_t)v->shape[0] * (size_t)v->shape[1] * (size_t)v->shape[2], filled = 0, bad = 0;
    for (size_t i = 0; i < voxels; i++) {
        filled += v->voxels[i] != 0;
        bad += !isfinite(v->voxels[i]);
    }
    memcpy(m->shape, v->shape, sizeof m->shape);
    memcpy(m->spacing, v->spacing, sizeof m->spacing);
    memcpy(m->axes, v->stored_axes, sizeof m->axes);
    m->filled = (double)filled * v->spacing[0] * v->spacing[1] * v->spacing[2];
    if (bad) hf_fail(HF_ERR_NUMBER, "%zu of %zu voxels are not finite", bad, voxels);
    if (filled < MIN_VOXELS) hf_fail(HF_ERR_FORMAT, "%zu non-zero voxels, at least %d expected", filled, MIN_VOXELS);
    if (bad || filled < MIN_VOXELS) return false;
    hf_digest digest = { 0 };
    hf_digest_add(&digest, v->shape, sizeof v->shape);
    hf_digest_add(&digest, v->voxels, voxels * sizeof *v->voxels);
    hf_digest_text(&digest, m->digest);
    hf_thumbnail(m->thumbnail, v->voxels, v->shape);
    return true;
}

/* A volume that cannot be used becomes a problem; only lack of memory ends the check. */
static hf_status measure_subject(measure *m, hf_cohort *cohort, int index)
{
    const hf_subject *subject = &cohort->subject[index];
    hf_volume volume = { 0 };
    hf_status status = hf_volume_read(&volume, subject->image);
    if (status == HF_ERR_MEMORY) return status;
    if (status == HF_OK) {
        hf_status room = hf_alloc(&m->thumbnail, HF_THUMBNAIL_CELLS, sizeof *m->thumbnail, "a thumbnail");
        if (room == HF_OK) m->good = take_measures(m, &volume);
        hf_volume_free(&volume);
        HF_TRY(room);
        if (m->good) return HF_OK;
        hf_fail_in(HF_ERR_FORMAT, "'%s'", subject->image);
    }
    return hf_cohort_problem(cohort, true, subject->id, "%s", hf_error_message());
}

/* ---- outliers ---------------------------------------------------------------------------------------------------- */

typedef struct limits {
    double middle, low, high;
} limits;

/* Robust limits; overwrites `values`. Identical values still get a little width, against rounding. */
static limits find_limits(double *values, int count)
{
    const double least = 1e-6;
    double middle, sd;
    hf_robust(&middle, &sd, values, count);
    sd = fmax(sd, least * fabs(middle));
    return (limits){ middle, middle - limit_sds * sd, middle + limit_sds * sd };
}

/* Correlation of each good thumbnail with the mean of all other good ones. */
static hf_status correlate(measure *measures, int n)
{
    double *sum;
    HF_TRY(hf_alloc(&sum, HF_THUMBNAIL_CELLS, sizeof *sum, "the cohort's mean"));
    for (int i = 0; i < n; i++)
        for (int k = 0; measures[i].good && k < HF_THUMBNAIL_CELLS; k++)
            sum[k] += measures[i].thumbnail[k];
    for (int i = 0; i < n; i++) {
        if (!measures[i].good) continue;
        double product = 0, square = 0, total = 0;
        for (int k = 0; k < HF_THUMBNAIL_CELLS; k++) {
            double own = measures[i].thumbnail[k], rest = sum[k] - own;
            product += own * rest;
            square += rest * rest;
            total += own * own;
        }
        double norm = sqrt(square * total);
        measures[i].correlation = norm > 0 ? product / norm : 0;
    }
    free(sum);
    return HF_OK;
}

/* What is compared between subjects. */
typedef struct trait {
    const char *name, *unit;
    double (*value)(const measure *);
    bool only_low; /* large values are no fault */
} trait;

static double correlation_of(const measure *m)
{
    return m->correlation;
}

static double litres_of(const measure *m)
{
    return m->filled * 1e-6;
}

static const trait traits[] = {
    { "correlation with the mean of the others", "", correlation_of, true },
    { "non-zero volume", " litres", litres_of, false },
};
enum { N_TRAITS = sizeof traits / sizeof traits[0] };

/* A subject outside the limits. */
typedef struct finding {
    int subject;
    double value, distance; /* from the median */
} finding;

static int compare_findings(const void *a, const void *b)
{
    const finding *x = a, *y = b;
    if (x->distance != y->distance) return x->distance > y->distance ? -1 : 1;
    return (x->subject > y->subject) - (x->subject < y->subject);
}

static int find_outliers(finding *found, const measure *measures, int n, const trait *t, const limits *limit)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        double value = t->value(&measures[i]);
        bool inside = value >= limit->low && (value <= limit->high || t->only_low);
        if (!measures[i].good || inside) continue;
        found[count++] = (finding){ i, value, fabs(value - limit->middle) };
    }
    if (count) qsort(found, (size_t)count, sizeof *found, compare_findings);
    return count;
}

/* Flags the subjects outside the limits of one trait, the worst first, as problems and in the report. `values` and
 * `found` have room for all subjects. */
static hf_status flag_outliers(hf_cohort *cohort, hf_text *report, const measure *measures, const trait *t,
                               double *values, finding *found)
{
    int count = 0, n = cohort->n_subjects;
    for (int i = 0; i < n; i++)
        if (measures[i].good) values[count++] = t->value(&measures[i]);
    limits limit = find_limits(values, count);
    int flagged = find_outliers(found, measures, n, t, &limit);
    hf_text_add(report, "  %s: median %.3f%s, expected ", t->name, limit.middle, t->unit);
    if (t->only_low)
        hf_text_add(report, "at least %.3f\n", limit.low);
    else
        hf_text_add(report, "%.3f to %.3f\n", limit.low, limit.high);
    for (int i = 0; i < flagged; i++) {
        const char *id = cohort->subject[found[i].subject].id;
        hf_text_add(report, "    %-24s %.3f\n", id, found[i].value);
        HF_TRY(hf_cohort_problem(cohort, false, id, "outlier: %s is %.3f%s; the median is %.3f", t->name,
                                 found[i].value, t->unit, limit.middle));
    }
    hf_text_add(report, "    %d flagged\n", flagged);
    return HF_OK;
}

static hf_status flag_all_outliers(hf_cohort *cohort, hf_text *report, measure *measures)
{
    hf_status status;
    double *values = NULL;
    finding *found = NULL;
    size_t n = (size_t)cohort->n_subjects;
    HF_TRY_OUT(correlate(measures, cohort->n_subjects));
    HF_TRY_OUT(hf_alloc(&values, n, sizeof *values, "the outliers"));
    HF_TRY_OUT(hf_alloc(&found, n, sizeof *found, "the outliers"));
    for (int t = 0; t < N_TRAITS; t++)
        HF_TRY_OUT(flag_outliers(cohort, report, measures, &traits[t], values, found));
out:
    free(values);
    free(found);
    return status;
}

static int compare_digests(const void *a, const void *b)
{
    measure *const *x = a, *const *y = b;
    int order = strcmp((*x)->digest, (*y)->digest);
    return order ? order : (*x > *y) - (*x < *y);
}

/* Flags scans whose voxels equal those of an earlier subject. */
static hf_status flag_copies(hf_cohort *cohort, hf_text *report, measure *measures)
{
    measure **sorted;
    int count = 0, flagged = 0;
    hf_status status = HF_OK;
    HF_TRY(hf_alloc(&sorted, (size_t)cohort->n_subjects, sizeof *sorted, "digests"));
    for (int i = 0; i < cohort->n_subjects; i++)
        if (measures[i].good) sorted[count++] = &measures[i];
    if (count) qsort(sorted, (size_t)count, sizeof *sorted, compare_digests);
    for (int i = 1; i < count && status == HF_OK; i++) {
        if (strcmp(sorted[i - 1]->digest, sorted[i]->digest) != 0) continue;
        const char *one = cohort->subject[sorted[i - 1] - measures].id, *two = cohort->subject[sorted[i] - measures].id;
        flagged++;
        hf_text_add(report, "    %-24s %s\n", two, one);
        status = hf_cohort_problem(cohort, false, two, "the same voxels as %s", one);
    }
    hf_text_add(report, "    %d flagged\n", flagged);
    free(sorted);
    return status;
}

static hf_status report_outliers(hf_cohort *cohort, hf_text *report, measure *measures)
{
    int good = 0;
    for (int i = 0; i < cohort->n_subjects; i++)
        good += measures[i].good;
    hf_text_add(report, "\nOutliers: more than %g robust standard deviations from the median\n", limit_sds);
    if (good < MIN_SUBJECTS)
        hf_text_add(report, "  %d readable volumes are too few to tell\n", good);
    else
        HF_TRY(flag_all_outliers(cohort, report, measures));
    hf_text_add(report, "\nScans that equal another one, voxel by voxel\n");
    return flag_copies(cohort, report, measures);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

/* `text`, filled up with blanks to `width` characters (not bytes: names need not be ASCII). */
static void add_padded(hf_text *report, const char *text, int width)
{
    int characters = 0;
    for (const char *s = text; *s; s++)
        characters += ((unsigned char)*s & 0xc0) != 0x80;
    hf_text_add(report, "%s%*s", text, characters < width ? width - characters : 0, "");
}

/* One column among the subjects: how many are missing, and the range of its numbers, if it holds numbers only. */
static void report_column(hf_text *report, const hf_cohort *cohort, int column)
{
    int missing = 0, numbers = 0;
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < cohort->n_subjects; i++) {
        double x;
        const char *text = hf_table_cell(&cohort->table, cohort->subject[i].row, column);
        missing += text == NULL;
        if (!text || !hf_text_number(&x, text)) continue;
        numbers++;
        low = fmin(low, x);
        high = fmax(high, x);
    }
    hf_text_add(report, "  ");
    add_padded(report, cohort->table.name[column], 24);
    hf_text_add(report, " %8d", missing);
    bool all = numbers > 0 && numbers + missing == cohort->n_subjects;
    if (all) hf_text_add(report, "   %g to %g", low, high);
    if (!all && missing < cohort->n_subjects) hf_text_add(report, "   text");
    hf_text_add(report, "\n");
}

static void report_table(hf_text *report, const hf_cohort *cohort)
{
    const hf_table *table = &cohort->table;
    hf_text_add(report, "Folder    %s\nTable     %s: %d rows, %d columns\nSubjects  %d with row and image\n",
                cohort->folder, table->path, table->rows, table->columns, cohort->n_subjects);
    hf_text_add(report, "\nColumns                     missing   values\n");
    for (int column = 0; column < table->columns; column++)
        report_column(report, cohort, column);
}

/* How often each text of a list occurs. */
typedef struct tally {
    char text[96];
    int count;
} tally;

static int compare_texts(const void *a, const void *b)
{
    const tally *x = a, *y = b;
    return strcmp(x->text, y->text);
}

static int compare_counts(const void *a, const void *b)
{
    const tally *x = a, *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->text, y->text);
}

/* Joins equal texts: entries of count 1 go in, *n distinct ones come out, the most frequent first. */
static void join_equal(tally *list, int *n)
{
    int kept = 0;
    if (*n == 0) return;
    qsort(list, (size_t)*n, sizeof *list, compare_texts);
    for (int i = 1; i < *n; i++) {
        if (strcmp(list[kept].text, list[i].text) == 0)
            list[kept].count++;
        else
            list[++kept] = list[i];
    }
    *n = kept + 1;
    qsort(list, (size_t)*n, sizeof *list, compare_counts);
}

typedef void describer(tally *out, const measure *m);

static void describe_shape(tally *out, const measure *m)
{
    snprintf(out->text, sizeof out->text, "%d x %d x %d", m->shape[0], m->shape[1], m->shape[2]);
}

static void describe_spacing(tally *out, const measure *m)
{
    snprintf(out->text, sizeof out->text, "%.4g x %.4g x %.4g", m->spacing[0], m->spacing[1], m->spacing[2]);
}

static void describe_axes(tally *out, const measure *m)
{
    snprintf(out->text, sizeof out->text, "%.3s", m->axes);
}

static hf_status report_kinds(hf_text *report, const measure *measures, int n, const char *title, describer *describe)
{
    tally *list;
    int count = 0;
    HF_TRY(hf_alloc(&list, (size_t)n, sizeof *list, "the report"));
    for (int i = 0; i < n; i++) {
        if (!measures[i].good) continue;
        list[count].count = 1;
        describe(&list[count++], &measures[i]);
    }
    join_equal(list, &count);
    hf_text_add(report, "\n%s\n", title);
    for (int i = 0; i < count && i < LISTED; i++)
        hf_text_add(report, "  %-24s %8d\n", list[i].text, list[i].count);
    if (count > LISTED) hf_text_add(report, "  and %d more kinds\n", count - LISTED);
    free(list);
    return HF_OK;
}

static hf_status report_volumes(hf_text *report, const hf_cohort *cohort, const measure *measures)
{
    int n = cohort->n_subjects;
    HF_TRY(report_kinds(report, measures, n, "Shapes (left-right x posterior-anterior x inferior-superior)",
                        describe_shape));
    HF_TRY(report_kinds(report, measures, n, "Spacings in mm", describe_spacing));
    return report_kinds(report, measures, n, "Orientations in the files", describe_axes);
}

/* Problems first .. end-1 of the cohort, under a title: a table of a biobank may have a hundred thousand rows without an
 * image, which nobody reads one by one. */
static void report_problems(hf_text *report, const hf_cohort *cohort, const char *title, int first, int end)
{
    hf_text_add(report, "\n%s\n", title);
    const int shown = end - first > MAX_LISTED ? MAX_LISTED : end - first;
    for (int i = first; i < first + shown; i++) {
        const hf_problem *p = &cohort->problem[i];
        hf_text_add(report, "  %-8s  %s: %s\n", p->fatal ? "left out" : "flagged", p->subject, p->text);
    }
    if (shown < end - first) hf_text_add(report, "  and %d more\n", end - first - shown);
    hf_text_add(report, "    %d found\n", end - first);
}

hf_status hf_cohort_check(hf_cohort *cohort, hf_text *report, hf_progress *progress, void *user)
{
    hf_status status;
    measure *measures;
    int n = cohort->n_subjects, before = cohort->n_problems;
    HF_TRY(hf_alloc(&measures, (size_t)n, sizeof *measures, "the check"));
    for (int i = 0; i < n; i++) {
        HF_TRY_OUT(measure_subject(&measures[i], cohort, i));
        if (progress) progress(user, i + 1, n);
    }
    report_table(report, cohort);
    report_problems(report, cohort, "Problems of table and folder", 0, before);
    HF_TRY_OUT(report_volumes(report, cohort, measures));
    report_problems(report, cohort, "Volumes that cannot be used", before, cohort->n_problems);
    HF_TRY_OUT(report_outliers(cohort, report, measures));
    status = hf_text_check(report);
out:
    for (int i = 0; i < n; i++)
        free(measures[i].thumbnail);
    free(measures);
    return status;
}
