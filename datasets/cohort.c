/* cohort.c: joins a table and a folder of images into subjects.
 *
 * Both sides become lists sorted by key (the id without "sub-"): the rows here, the images in scan.c. Each row then
 * looks its images up by key. A row or image that finds no partner, or more than one, becomes a problem and is never
 * dropped in silence. Several images of one subject: the options must say which, or the subject is left out. */
#include "encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- problems ---------------------------------------------------------------------------------------------------- */

hf_status hf_cohort_problem(hf_cohort *cohort, bool fatal, const char *subject, const char *format, ...)
{
    size_t count = (size_t)cohort->n_problems;
    bool full = (count & (count - 1)) == 0; /* the capacity is the next power of two */
    if (full) {
        hf_problem *bigger = realloc(cohort->problem, (count ? count * 2 : 1) * sizeof *bigger);
        if (!bigger) return hf_fail(HF_ERR_MEMORY, "no host memory for %zu problems", count);
        cohort->problem = bigger;
    }
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) text[0] = '\0';
    hf_problem problem = { .fatal = fatal };
    HF_TRY(hf_strdup(&problem.subject, subject));
    hf_status status = hf_strdup(&problem.text, text);
    if (status != HF_OK) {
        free(problem.subject);
        return status;
    }
    cohort->problem[cohort->n_problems++] = problem;
    return HF_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* A row that has an id. */
typedef struct entry {
    const char *key;
    int row;
    bool kept; /* by the filter */
} entry;

/* What the joining functions pass around. */
typedef struct joiner {
    hf_cohort *cohort;
    const hf_cohort_options *options;
    int image_column; /* -1: images come from the scan */
    const char *mask; /* NULL: none are wanted */
    entry *entry;     /* [n_entries] sorted by key, then row */
    size_t n_entries;
    bool *duplicate; /* [rows] the id occurs in another kept row too */
    bool *kept;      /* [rows] by the filter */
    hf_images images;
} joiner;

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    if (order) return order;
    return x->kept != y->kept ? (x->kept ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

static int compare_key(const void *key, const void *element)
{
    const entry *x = element;
    return strcmp(key, x->key);
}

static hf_status apply_filter(joiner *j, const hf_cohort_options *options)
{
    const hf_table *table = &j->cohort->table;
    const char *name = options->filter_column, *value = options->filter_value;
    int column = -1, count = 0, kept = 0;
    if (value && !name) return hf_fail(HF_ERR_ARGUMENT, "filter value '%s' without a filter column", value);
    if (name) HF_TRY(hf_table_require(&column, table, name, "the filter"));
    if (!(options->fraction >= 0 && options->fraction <= 1))
        return hf_fail(HF_ERR_ARGUMENT, "a fraction of %g of the table's rows, expected 0 to 1", options->fraction);
    for (int row = 0; row < table->rows; row++) {
        j->kept[row] = !value || hf_filter_passes(hf_table_cell(table, row, column), value);
        count += j->kept[row];
    }
    if (count == 0) return hf_fail(HF_ERR_ARGUMENT, "'%s': no row has '%s' in column '%s'", table->path, value, name);
    const int most = options->fraction > 0 ? (int)(options->fraction * count) : count;
    for (int row = 0; row < table->rows; row++)
        if (j->kept[row]) j->kept[row] = kept++ < most;
    return HF_OK;
}

/* Lists the rows by key and marks ids that several kept rows share. */
static hf_status index_rows(joiner *j)
{
    const hf_table *table = &j->cohort->table;
    for (int row = 0; row < table->rows; row++) {
        const char *id = hf_table_cell(table, row, j->cohort->id_column);
        if (id) j->entry[j->n_entries++] = (entry){ hf_subject_key(id), row, j->kept[row] };
        if (id || !j->kept[row]) continue;
        HF_TRY(hf_cohort_problem(j->cohort, true, table->path, "line %d has no %s", table->line[row],
                                 table->name[j->cohort->id_column]));
    }
    if (j->n_entries) qsort(j->entry, j->n_entries, sizeof *j->entry, compare_entries);
    for (size_t i = 1; i < j->n_entries; i++) {
        const entry *a = &j->entry[i - 1], *b = &j->entry[i];
        if (a->kept && b->kept && strcmp(a->key, b->key) == 0) j->duplicate[a->row] = j->duplicate[b->row] = true;
    }
    return HF_OK;
}

/* Whether a relative path climbs above where it starts. */
static bool leaves_folder(const char *path)
{
    int depth = 0;
    while (*path) {
        size_t length = strcspn(path, "/");
        bool up = length == 2 && path[0] == '.' && path[1] == '.';
        bool here = length == 0 || (length == 1 && path[0] == '.');
        depth += up ? -1 : here ? 0 : 1;
        if (depth < 0) return true;
        path += length;
        path += *path == '/';
    }
    return false;
}

/* The image a row names itself. Leaves *path NULL after adding the problem. */
static hf_status image_from_cell(char **path, joiner *j, int row, const char *id)
{
    hf_cohort *cohort = j->cohort;
    const hf_table *table = &cohort->table;
    const char *text = hf_table_cell(table, row, j->image_column), *column = table->name[j->image_column];
    *path = NULL;
    if (!text) return hf_cohort_problem(cohort, true, id, "line %d: no path in column '%s'", table->line[row], column);
    if (text[0] == '/')
        return hf_cohort_problem(cohort, true, id, "line %d: '%s' is an absolute path, expected one within the folder",
                                 table->line[row], text);
    if (leaves_folder(text))
        return hf_cohort_problem(cohort, true, id, "line %d: the path '%s' leaves the folder", table->line[row], text);
    char *joined;
    HF_TRY(hf_path_join(&joined, cohort->folder, text));
    if (hf_is_file(joined)) {
        *path = joined;
        return HF_OK;
    }
    hf_status status = hf_cohort_problem(cohort, true, id, "line %d: no file '%s'", table->line[row], joined);
    free(joined);
    return status;
}

/* Whether `part` stands between separators in a path: "ses-01" in "sub-1/ses-01/anat/sub-1_ses-01_T1w.nii". */
static bool has_part(const char *path, const char *part)
{
    const size_t length = strlen(part);
    for (const char *at = strstr(path, part); at; at = strstr(at + 1, part)) {
        const bool starts = at == path || strchr("/_", at[-1]), ends = !at[length] || strchr("/_.", at[length]);
        if (starts && ends) return true;
    }
    return false;
}

/* Whether the options let an image pass. */
static bool is_wanted(const char *path, const hf_cohort_options *options)
{
    const char *name = strrchr(path, '/'), *session = options->session;
    char part[128];
    if (session && strncmp(session, "ses-", 4) == 0) session += 4;
    snprintf(part, sizeof part, "ses-%s", session ? session : "");
    if (session && !has_part(path, part)) return false;
    for (int i = 0; i < options->n_entities; i++)
        if (!has_part(name ? name + 1 : path, options->entities[i])) return false;
    return true;
}

/* Several images, or none of those that are there: which, and how to choose. */
static hf_status refuse_images(joiner *j, const char *id, const hf_image *first, size_t count, size_t wanted)
{
    hf_text names = { 0 };
    enum { LISTED = 4 };
    for (size_t i = 0; i < count && i < LISTED; i++)
        hf_text_add(&names, "%s'%s'", i ? ", " : "", first[i].path + strlen(j->cohort->folder) + 1);
    const hf_status status = hf_cohort_problem(
        j->cohort, true, id, "%zu of its %zu images pass cohort.session and cohort.entities (%s%s): %s", wanted, count,
        names.data ? names.data : "", count > LISTED ? ", ..." : "",
        wanted ? "say more there, so that one is left" : "expected one");
    hf_text_free(&names);
    return status;
}

/* The image the scan found for a row; likewise. */
static hf_status image_from_scan(char **path, joiner *j, const char *id)
{
    hf_cohort *cohort = j->cohort;
    const char *key = hf_subject_key(id);
    const hf_image *first, *chosen = NULL;
    size_t wanted = 0;
    *path = NULL;
    if (strchr(key, '/') || strcmp(key, "..") == 0 || strcmp(key, ".") == 0)
        return hf_cohort_problem(cohort, true, id, "the id is a path; images are found by id within the folder alone");
    const size_t count = hf_images_find(&first, &j->images, key);
    if (count == 0)
        return hf_cohort_problem(cohort, true, id,
                                 "no image: looked for sub-%s/anat/sub-%s*_T1w.nii(.gz), the same in sub-%s/ses-*, "
                                 "and sub-%s.npy, .nii, .nii.gz",
                                 key, key, key, key);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(first[i].path + strlen(cohort->folder), j->options)) continue;
        chosen = &first[i];
        wanted++;
    }
    if (wanted != 1) return refuse_images(j, id, first, count, wanted);
    return hf_strdup(path, chosen->path);
}

/* Leaves the mask NULL after adding the problem. */
static hf_status find_mask(hf_subject *subject, joiner *j, const char *id)
{
    const hf_status status = hf_mask_find(&subject->mask, subject->image, j->mask);
    if (status == HF_OK || status == HF_ERR_MEMORY) return status;
    return hf_cohort_problem(j->cohort, true, id, "%s", hf_error_message());
}

static hf_status join_row(joiner *j, int row)
{
    hf_cohort *cohort = j->cohort;
    const char *id = hf_table_cell(&cohort->table, row, cohort->id_column);
    hf_subject subject = { .row = row };
    if (!id || !j->kept[row]) return HF_OK;
    if (j->duplicate[row])
        return hf_cohort_problem(cohort, true, id, "line %d: another row has this id too", cohort->table.line[row]);
    HF_TRY(j->image_column >= 0 ? image_from_cell(&subject.image, j, row, id) : image_from_scan(&subject.image, j, id));
    if (!subject.image) return HF_OK;
    hf_status status = j->mask ? find_mask(&subject, j, id) : HF_OK;
    const bool lacks = j->mask && !subject.mask;
    if (status == HF_OK && !lacks) status = hf_strdup(&subject.id, id);
    if (status != HF_OK || lacks) {
        free(subject.image);
        free(subject.mask);
        return status;
    }
    cohort->subject[cohort->n_subjects++] = subject;
    return HF_OK;
}

static hf_status report_lone_images(joiner *j)
{
    for (size_t i = 0; i < j->images.count; i++) {
        const hf_image *found = &j->images.image[i];
        if (j->mask && hf_path_is_mask(found->path, j->mask)) continue;
        bool known = j->n_entries && bsearch(found->key, j->entry, j->n_entries, sizeof *j->entry, compare_key);
        if (!known)
            HF_TRY(
                hf_cohort_problem(j->cohort, true, found->path, "no row in the table has the id sub-%s", found->key));
    }
    return HF_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* The table's path: as given, else within the folder, else one of the default names there. */
static hf_status find_table(char **out, const char *folder, const char *given)
{
    static const char *const defaults[] = { "participants.tsv", "participants.csv" };
    if (given && hf_path_exists(given)) return hf_strdup(out, given);
    for (int i = 0; i < (given ? 1 : 2); i++) {
        char *path;
        HF_TRY(hf_path_join(&path, folder, given ? given : defaults[i]));
        if (hf_path_exists(path)) {
            *out = path;
            return HF_OK;
        }
        free(path);
    }
    if (given) return hf_fail(HF_ERR_IO, "no table '%s', neither as given nor in '%s'", given, folder);
    return hf_fail(HF_ERR_IO, "'%s': no participants.tsv or participants.csv in this folder", folder);
}

static hf_status find_id_column(int *out, const hf_table *table, const char *given)
{
    static const char *const defaults[] = { "participant_id", "subject", "id" };
    if (given) return hf_table_require(out, table, given, "the id");
    for (int i = 0; i < 3; i++) {
        *out = hf_table_column(table, defaults[i]);
        if (*out >= 0) return HF_OK;
    }
    return hf_table_require(out, table, defaults[0], "the id (nor 'subject' or 'id')");
}

static hf_status prepare(joiner *j, const char *folder, const hf_cohort_options *options)
{
    hf_cohort *cohort = j->cohort;
    char *path = NULL;
    if (!hf_is_folder(folder)) return hf_fail(HF_ERR_IO, "'%s': no such folder", folder);
    HF_TRY(hf_strdup(&cohort->folder, folder));
    HF_TRY(find_table(&path, folder, options->table));
    hf_status status = hf_table_read(&cohort->table, path);
    free(path);
    HF_TRY(status);
    size_t rows = (size_t)cohort->table.rows;
    HF_TRY(hf_alloc(&cohort->subject, rows, sizeof *cohort->subject, "subjects"));
    HF_TRY(hf_alloc(&j->entry, rows, sizeof *j->entry, "rows"));
    HF_TRY(hf_alloc(&j->duplicate, rows, sizeof *j->duplicate, "rows"));
    HF_TRY(hf_alloc(&j->kept, rows, sizeof *j->kept, "rows"));
    HF_TRY(find_id_column(&cohort->id_column, &cohort->table, options->id_column));
    j->image_column = -1;
    if (!options->image_column) return hf_images_scan(&j->images, folder);
    return hf_table_require(&j->image_column, &cohort->table, options->image_column, "the image paths");
}

static hf_status check_any(const hf_cohort *cohort)
{
    if (cohort->n_subjects > 0) return HF_OK;
    const hf_problem *first = cohort->n_problems ? &cohort->problem[0] : NULL;
    return hf_fail(HF_ERR_FORMAT, "'%s': no subject is left of %d rows; %d problems, the first: %s: %s", cohort->folder,
                   cohort->table.rows, cohort->n_problems, first ? first->subject : "-", first ? first->text : "-");
}

hf_status hf_cohort_open(hf_cohort *out, const char *folder, const hf_cohort_options *options)
{
    hf_status status;
    hf_cohort cohort = { 0 };
    hf_cohort_options defaults = { 0 };
    if (!options) options = &defaults;
    joiner j = { .cohort = &cohort, .options = options, .mask = options->mask };
    HF_TRY_OUT(prepare(&j, folder, options));
    HF_TRY_OUT(apply_filter(&j, options));
    HF_TRY_OUT(index_rows(&j));
    for (int row = 0; row < cohort.table.rows; row++)
        HF_TRY_OUT(join_row(&j, row));
    HF_TRY_OUT(report_lone_images(&j));
    HF_TRY_OUT(check_any(&cohort));
    *out = cohort;
    cohort = (hf_cohort){ 0 };
out:
    free(j.entry);
    free(j.duplicate);
    free(j.kept);
    hf_images_free(&j.images);
    hf_cohort_free(&cohort);
    return status;
}

void hf_cohort_free(hf_cohort *cohort)
{
    if (!cohort) return;
    for (int i = 0; i < cohort->n_subjects; i++) {
        free(cohort->subject[i].id);
        free(cohort->subject[i].image);
        free(cohort->subject[i].mask);
    }
    for (int i = 0; i < cohort->n_problems; i++) {
        free(cohort->problem[i].subject);
        free(cohort->problem[i].text);
    }
    free(cohort->subject);
    free(cohort->problem);
    free(cohort->folder);
    hf_table_free(&cohort->table);
    *cohort = (hf_cohort){ 0 };
}
