/* split.c: who trains, who validates, who tests.
 *
 * What is dealt out are groups: subjects with equal text in the group column, else single subjects. The groups are
 * listed by key and shuffled by the seed, so the row order of the table has no influence. Method "stratified" then
 * orders them by cell, sex by age bin, each cell's groups in shuffled order; age bins are quantiles, as many as give
 * every bin 20 groups and 5 years on average. One dealer walks through all cells and gives each group to the part
 * that is furthest behind its share, counted in subjects: the fractions hold overall within one subject (as far as
 * group sizes allow), and in every cell about. A group's sex and age are those of its first subject by id. */
#include "cohort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BIN_GROUPS = 20 };
static const double bin_years = 5;
static const double default_valid = 0.15, default_test = 0.2;

const char *hf_part_name(hf_part part)
{
    static const char *const names[HF_N_PARTS] = { "train", "valid", "test", "unused" };
    return (size_t)part < HF_N_PARTS ? names[part] : "unknown part";
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

/* One subject and the group it belongs to. */
typedef struct member {
    bool grouped;    /* has text in the group column; a lone subject's id may equal some group's text */
    const char *key; /* the group's text, else the id */
    const char *id;  /* without "sub-" */
    int subject;
} member;

typedef struct group {
    int first, size; /* its members: member[first .. first+size-1] */
    const char *sex; /* NULL: not known or not used */
    double age;      /* NaN: not known or not used */
    int bin;
    uint32_t position; /* in the shuffled order */
} group;

typedef struct groups {
    member *member; /* [n_subjects] sorted by key, then id */
    group *group;   /* [count] in key order */
    int count;
} groups;

static bool same_group(const member *a, const member *b)
{
    return a->grouped == b->grouped && strcmp(a->key, b->key) == 0;
}

static int compare_members(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->grouped != y->grouped) return x->grouped ? -1 : 1;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->id, y->id);
}

static void free_groups(groups *g)
{
    free(g->member);
    free(g->group);
    *g = (groups){ 0 };
}

static hf_status find_groups(groups *g, const hf_cohort *cohort, const hf_split_options *options)
{
    const hf_table *table = &cohort->table;
    int column = -1;
    size_t n = (size_t)cohort->n_subjects;
    if (options->group_column) HF_TRY(hf_table_require(&column, table, options->group_column, "the groups"));
    HF_TRY(hf_alloc(&g->member, n, sizeof *g->member, "the split"));
    HF_TRY(hf_alloc(&g->group, n, sizeof *g->group, "the split"));
    for (int i = 0; i < cohort->n_subjects; i++) {
        const char *text = column < 0 ? NULL : hf_table_cell(table, cohort->subject[i].row, column);
        const char *id = hf_subject_key(cohort->subject[i].id);
        g->member[i] = (member){ text != NULL, text ? text : id, id, i };
    }
    qsort(g->member, n, sizeof *g->member, compare_members);
    for (int i = 0; i < cohort->n_subjects; i++) {
        bool starts = i == 0 || !same_group(&g->member[i - 1], &g->member[i]);
        if (starts) g->group[g->count++] = (group){ .first = i, .age = NAN };
        g->group[g->count - 1].size++;
    }
    return HF_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* The column to stratify by: one named by the caller must exist, a default need not (-1). */
static hf_status find_column(int *out, const hf_table *table, const char *given, const char *standard)
{
    if (given) return hf_table_require(out, table, given, "the stratified split");
    *out = hf_table_column(table, standard);
    return HF_OK;
}

static hf_status read_strata(groups *g, const hf_cohort *cohort, const hf_split_options *options)
{
    int age, sex;
    HF_TRY(find_column(&age, &cohort->table, options->age_column, "age"));
    HF_TRY(find_column(&sex, &cohort->table, options->sex_column, "sex"));
    for (int i = 0; i < g->count; i++) {
        group *x = &g->group[i];
        int row = cohort->subject[g->member[x->first].subject].row;
        if (age >= 0) HF_TRY(hf_table_number(&x->age, &cohort->table, row, age));
        if (sex >= 0) x->sex = hf_table_cell(&cohort->table, row, sex);
    }
    return HF_OK;
}

static int compare_ages(const void *a, const void *b)
{
    group *const *x = a, *const *y = b;
    return ((*x)->age > (*y)->age) - ((*x)->age < (*y)->age);
}

/* Fills `bin`: quantile bins, equal ages in one bin; groups of unknown age are a bin of their own. */
static hf_status make_bins(groups *g)
{
    group **sorted;
    int n = 0;
    HF_TRY(hf_alloc(&sorted, (size_t)g->count, sizeof *sorted, "the split"));
    for (int i = 0; i < g->count; i++) {
        g->group[i].bin = -1;
        if (!isnan(g->group[i].age)) sorted[n++] = &g->group[i];
    }
    if (n) qsort(sorted, (size_t)n, sizeof *sorted, compare_ages);
    double range = n ? sorted[n - 1]->age - sorted[0]->age : 0;
    int bins = n / BIN_GROUPS;
    if (bins > range / bin_years) bins = (int)(range / bin_years);
    if (bins < 1) bins = 1;
    for (int i = 0; i < n; i++) {
        bool tied = i > 0 && sorted[i]->age == sorted[i - 1]->age;
        sorted[i]->bin = tied ? sorted[i - 1]->bin : (int)((int64_t)i * bins / n);
    }
    free(sorted);
    return HF_OK;
}

static int compare_cells(const void *a, const void *b)
{
    const group *x = a, *y = b;
    if (!x->sex != !y->sex) return x->sex ? -1 : 1;
    int order = x->sex ? strcmp(x->sex, y->sex) : 0;
    if (order) return order;
    if (x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
    return x->position < y->position ? -1 : 1;
}

static hf_status shuffle(groups *g, uint64_t seed)
{
    uint32_t *order;
    HF_TRY(hf_alloc(&order, (size_t)g->count, sizeof *order, "the split"));
    hf_random_permutation(order, (uint32_t)g->count, seed, hf_random_stream("split", 0, 0));
    for (int i = 0; i < g->count; i++)
        g->group[i].position = order[i];
    free(order);
    return HF_OK;
}

/* ---- dealing ----------------------------------------------------------------------------------------------------- */

static hf_status find_shares(double share[3], const hf_split_options *options)
{
    bool standard = options->valid == 0 && options->test == 0;
    double valid = standard ? default_valid : options->valid, test = standard ? default_test : options->test;
    bool good = valid >= 0 && test >= 0 && valid + test < 1; /* false for NaN */
    if (!good)
        return hf_fail(HF_ERR_ARGUMENT, "split fractions valid %g and test %g: expected at least 0, together below 1",
                       valid, test);
    if (test == 0)
        return hf_fail(HF_ERR_ARGUMENT, "split fraction test 0: without a test part no result can be reported");
    share[HF_TRAIN] = 1 - valid - test;
    share[HF_VALID] = valid;
    share[HF_TEST] = test;
    return HF_OK;
}

/* Gives each group, in order, to the part that lags its share of all subjects dealt so far the most; of equals, the
 * first. Differences below `tie` are rounding. */
static void deal(hf_part *part, const groups *g, const double share[3])
{
    const double tie = 1e-9;
    double have[3] = { 0 }, dealt = 0;
    for (int i = 0; i < g->count; i++) {
        const group *x = &g->group[i];
        int lagging = HF_TRAIN;
        dealt += x->size;
        for (int p = HF_VALID; p <= HF_TEST; p++) {
            double lag = share[p] * dealt - have[p], most = share[lagging] * dealt - have[lagging];
            if (share[p] > 0 && lag > most + tie) lagging = p;
        }
        have[lagging] += x->size;
        for (int k = 0; k < x->size; k++)
            part[g->member[x->first + k].subject] = (hf_part)lagging;
    }
}

static hf_status split_random(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    double share[3];
    (void)cohort; /* all that matters of it is in the groups */
    HF_TRY(find_shares(share, options));
    HF_TRY(shuffle(g, options->seed));
    qsort(g->group, (size_t)g->count, sizeof *g->group, compare_cells); /* one cell: by position alone */
    deal(part, g, share);
    return HF_OK;
}

static hf_status split_stratified(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    HF_TRY(read_strata(g, cohort, options));
    HF_TRY(make_bins(g));
    return split_random(part, cohort, options, g);
}

/* ---- given splits ------------------------------------------------------------------------------------------------ */

/* The part a word names; false for an unknown word. A missing cell means unused. */
static bool find_part(hf_part *out, const char *text)
{
    static const struct {
        const char *word;
        hf_part part;
    } words[] = {
        { "train", HF_TRAIN },      { "training", HF_TRAIN }, { "valid", HF_VALID },  { "val", HF_VALID },
        { "validation", HF_VALID }, { "test", HF_TEST },      { "testing", HF_TEST }, { "unused", HF_UNUSED },
    };
    *out = HF_UNUSED;
    if (!text) return true;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(text, words[i].word) != 0) continue;
        *out = words[i].part;
        return true;
    }
    return false;
}

static hf_status split_column(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    int column;
    (void)g;
    if (!options->column) return hf_fail(HF_ERR_ARGUMENT, "split method 'column' needs the name of a column");
    HF_TRY(hf_table_require(&column, &cohort->table, options->column, "the split"));
    for (int i = 0; i < cohort->n_subjects; i++)
        find_part(&part[i], hf_table_cell(&cohort->table, cohort->subject[i].row, column));
    return HF_OK;
}

/* Where an id was found: a subject of the cohort, or a row that is none (filtered out, or with a problem). */
typedef struct known_id {
    const char *key;
    int subject; /* -1: none */
    int line;    /* of the split file, 0: not seen yet */
} known_id;

static int compare_known(const void *a, const void *b)
{
    const known_id *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : y->subject - x->subject;
}

static int compare_key(const void *key, const void *element)
{
    const known_id *x = element;
    return strcmp(key, x->key);
}

/* All ids of the cohort's table, each once, sorted; subjects win over rows that are none. */
static hf_status list_ids(known_id **out, size_t *count, const hf_cohort *cohort)
{
    const hf_table *table = &cohort->table;
    size_t rows = (size_t)table->rows, subjects = (size_t)cohort->n_subjects, n = 0, kept = 0;
    known_id *known;
    HF_TRY(hf_alloc(&known, rows + subjects, sizeof *known, "the split"));
    for (int row = 0; row < table->rows; row++) {
        const char *id = hf_table_cell(table, row, cohort->id_column);
        if (id) known[n++] = (known_id){ hf_subject_key(id), -1, 0 };
    }
    for (int i = 0; i < cohort->n_subjects; i++)
        known[n++] = (known_id){ hf_subject_key(cohort->subject[i].id), i, 0 };
    qsort(known, n, sizeof *known, compare_known);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(known[kept - 1].key, known[i].key) != 0) known[kept++] = known[i];
    *out = known;
    *count = kept;
    return HF_OK;
}

/* One row of the split file. */
static hf_status take_row(hf_part *part, known_id *known, size_t count, const hf_table *file, int row, int columns[2])
{
    const char *id = hf_table_cell(file, row, columns[0]), *text = hf_table_cell(file, row, columns[1]);
    hf_part found;
    int line = file->line[row];
    if (!id) return hf_fail(HF_ERR_FORMAT, "'%s' line %d: no id", file->path, line);
    known_id *entry = bsearch(hf_subject_key(id), known, count, sizeof *known, compare_key);
    if (!entry) return hf_fail(HF_ERR_FORMAT, "'%s' line %d: id '%.60s' is not in the cohort", file->path, line, id);
    if (entry->line)
        return hf_fail(HF_ERR_FORMAT, "'%s' line %d: id '%.60s' was given in line %d already", file->path, line, id,
                       entry->line);
    if (!find_part(&found, text))
        return hf_fail(HF_ERR_FORMAT, "'%s' line %d: '%.60s', expected train, valid, test or unused", file->path, line,
                       text);
    entry->line = line;
    if (entry->subject >= 0) part[entry->subject] = found;
    return HF_OK;
}

static hf_status split_file(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    hf_status status;
    hf_table file = { 0 };
    known_id *known = NULL;
    size_t count = 0;
    int columns[2];
    (void)g;
    if (!options->file) return hf_fail(HF_ERR_ARGUMENT, "split method 'file' needs the path of a table");
    HF_TRY_OUT(hf_table_read(&file, options->file));
    HF_TRY_OUT(hf_table_require(&columns[0], &file, "id", "the split"));
    HF_TRY_OUT(hf_table_require(&columns[1], &file, "split", "the split"));
    HF_TRY_OUT(list_ids(&known, &count, cohort));
    for (int i = 0; i < cohort->n_subjects; i++)
        part[i] = HF_UNUSED;
    for (int row = 0; row < file.rows; row++)
        HF_TRY_OUT(take_row(part, known, count, &file, row, columns));
    status = HF_OK;
out:
    free(known);
    hf_table_free(&file);
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

typedef struct method {
    const char *name;
    hf_status (*make)(hf_part *, const hf_cohort *, const hf_split_options *, groups *);
    bool given; /* read, not dealt: an empty test part is the caller's own wish */
} method;

static const method methods[] = {
    { "stratified", split_stratified, false },
    { "random", split_random, false },
    { "column", split_column, true },
    { "file", split_file, true },
};

static hf_status find_method(const method **out, const char *name)
{
    const char *names[sizeof methods / sizeof methods[0]];
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        names[i] = methods[i].name;
        *out = &methods[i];
        if (!name || strcmp(name, methods[i].name) == 0) return HF_OK;
    }
    const char *nearest = hf_nearest(name, names, sizeof names / sizeof names[0]);
    return hf_fail(HF_ERR_ARGUMENT, "no split method '%s'%s%s%s; expected stratified, random, column or file", name,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* A given split may tear a group apart; unused members belong to no side. */
static hf_status check_groups(const hf_part *part, const groups *g, const hf_cohort *cohort)
{
    for (int i = 0; i < g->count; i++) {
        const member *seen = NULL;
        for (int k = 0; k < g->group[i].size; k++) {
            const member *m = &g->member[g->group[i].first + k];
            if (part[m->subject] == HF_UNUSED) continue;
            if (seen && part[seen->subject] != part[m->subject])
                return hf_fail(HF_ERR_FORMAT, "group '%.60s' is on two sides: '%.60s' is in %s, '%.60s' in %s", m->key,
                               cohort->subject[seen->subject].id, hf_part_name(part[seen->subject]),
                               cohort->subject[m->subject].id, hf_part_name(part[m->subject]));
            seen = m;
        }
    }
    return HF_OK;
}

static hf_status check_parts(const hf_part *part, const hf_cohort *cohort, const method *how, int n_groups)
{
    int count[HF_N_PARTS] = { 0 };
    for (int i = 0; i < cohort->n_subjects; i++)
        count[part[i]]++;
    hf_part empty = count[HF_TRAIN] == 0 ? HF_TRAIN : HF_TEST;
    if (count[empty] > 0 || (empty == HF_TEST && how->given)) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "'%s': split '%s' leaves the %s part empty: %d subjects in %d groups",
                   cohort->folder, how->name, hf_part_name(empty), cohort->n_subjects, n_groups);
}

hf_status hf_split_make(hf_part *part, const hf_cohort *cohort, const hf_split_options *options)
{
    hf_status status;
    groups g = { 0 };
    hf_part *made = NULL;
    const method *how;
    hf_split_options defaults = { 0 };
    if (!options) options = &defaults;
    if (cohort->n_subjects < 1) return hf_fail(HF_ERR_ARGUMENT, "a split of a cohort without subjects");
    HF_TRY_OUT(find_method(&how, options->method));
    HF_TRY_OUT(hf_alloc(&made, (size_t)cohort->n_subjects, sizeof *made, "the split"));
    HF_TRY_OUT(find_groups(&g, cohort, options));
    HF_TRY_OUT(how->make(made, cohort, options, &g));
    HF_TRY_OUT(check_groups(made, &g, cohort));
    HF_TRY_OUT(check_parts(made, cohort, how, g.count));
    memcpy(part, made, (size_t)cohort->n_subjects * sizeof *made);
out:
    free_groups(&g);
    free(made);
    return status;
}
