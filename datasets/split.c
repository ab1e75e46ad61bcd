/* split.c: who trains, who validates, who tests.
 *
 * What is dealt out are groups: subjects with equal text in the group column, else single subjects. The groups are
 * listed by key and shuffled by the seed, so the row order of the table has no influence. Method "stratified" then
 * orders them by cell (strata.c): by default sex by age bin, each cell's groups in shuffled order. One dealer walks
 * through all cells and gives each group to the part, or fold, that is furthest behind its share, counted in subjects:
 * the fractions hold overall within one subject (as far as group sizes allow), and in every cell about. A group's strata
 * are those of its first subject by id. The published splitter is in split_published.c. */
#include "split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_FOLDS = 100 };
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
    int first, size;         /* its members: member[first .. first+size-1] */
    int rank[HF_MAX_STRATA]; /* its cell */
    uint32_t position;       /* in the shuffled order */
    bool out;                /* it has its part already and is not dealt */
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
        if (starts) g->group[g->count++] = (group){ .first = i };
        g->group[g->count - 1].size++;
    }
    return HF_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* The columns to stratify by: those given, else sex and age, of which one named by the caller must exist. */
static hf_status find_strata(hf_stratum *strata, int *n, const hf_table *table, const hf_split_options *options)
{
    const char *sex = options->sex_column ? options->sex_column : "sex";
    const char *age = options->age_column ? options->age_column : "age";
    *n = 0;
    if (options->n_strata > HF_MAX_STRATA)
        return hf_fail(HF_ERR_UNSUPPORTED, "%d columns to stratify by, expected at most %d", options->n_strata,
                       (int)HF_MAX_STRATA);
    for (int i = 0; i < options->n_strata; i++) {
        const bool is_age = strcasecmp(options->strata[i], age) == 0;
        strata[(*n)++] = (hf_stratum){ options->strata[i], HF_STRATUM_ANY, is_age ? bin_years : 0 };
    }
    if (options->n_strata) return HF_OK;
    if (options->sex_column || hf_table_column(table, sex) >= 0)
        strata[(*n)++] = (hf_stratum){ sex, HF_STRATUM_TEXT, 0 };
    if (options->age_column || hf_table_column(table, age) >= 0)
        strata[(*n)++] = (hf_stratum){ age, HF_STRATUM_NUMBER, bin_years };
    return HF_OK;
}

static hf_status read_strata(groups *g, const hf_cohort *cohort, const hf_split_options *options)
{
    hf_status status;
    hf_stratum strata[HF_MAX_STRATA];
    int n, *row = NULL, *rank = NULL;
    HF_TRY_OUT(find_strata(strata, &n, &cohort->table, options));
    HF_TRY_OUT(hf_alloc(&row, (size_t)g->count, sizeof *row, "the split"));
    HF_TRY_OUT(hf_alloc(&rank, (size_t)g->count * HF_MAX_STRATA, sizeof *rank, "the split"));
    for (int i = 0; i < g->count; i++)
        row[i] = cohort->subject[g->member[g->group[i].first].subject].row;
    HF_TRY_OUT(hf_strata_rank(rank, cohort, row, g->count, strata, n));
    for (int i = 0; i < g->count; i++)
        memcpy(g->group[i].rank, rank + (size_t)i * HF_MAX_STRATA, sizeof g->group[i].rank);
out:
    free(row);
    free(rank);
    return status;
}

static int compare_cells(const void *a, const void *b)
{
    const group *x = a, *y = b;
    for (int s = 0; s < HF_MAX_STRATA; s++)
        if (x->rank[s] != y->rank[s]) return x->rank[s] < y->rank[s] ? -1 : 1;
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

/* Gives each group, in order, to the one of `n` piles that lags its share of all subjects dealt so far the most; of
 * equals, the first. Differences below `tie` are rounding. pile[count] says which one each group of g got. */
static void deal(int *pile, const groups *g, const double *share, int n)
{
    const double tie = 1e-9;
    double have[MAX_FOLDS] = { 0 }, dealt = 0;
    for (int i = 0; i < g->count; i++) {
        const group *x = &g->group[i];
        int lagging = 0;
        if (x->out) continue;
        dealt += x->size;
        for (int p = 1; p < n; p++) {
            const double lag = share[p] * dealt - have[p], most = share[lagging] * dealt - have[lagging];
            if (share[p] > 0 && lag > most + tie) lagging = p;
        }
        have[lagging] += x->size;
        pile[i] = lagging;
    }
}

static void set_part(hf_part *part, const groups *g, const group *x, hf_part to)
{
    for (int k = 0; k < x->size; k++)
        part[g->member[x->first + k].subject] = to;
}

/* Piles are folds: one tests, the next one validates, the others train. */
static hf_status find_folds(double *share, int *n, const hf_split_options *options)
{
    *n = options->folds;
    if (*n < 3 || *n > MAX_FOLDS)
        return hf_fail(HF_ERR_ARGUMENT, "split folds %d: expected 3 to %d, or 0 for fractions", *n, (int)MAX_FOLDS);
    if (options->fold < 0 || options->fold >= *n)
        return hf_fail(HF_ERR_ARGUMENT, "split fold %d: expected 0 to %d", options->fold, *n - 1);
    for (int f = 0; f < *n; f++)
        share[f] = 1.0 / *n;
    return HF_OK;
}

static hf_part part_of_fold(int pile, const hf_split_options *options)
{
    if (pile == options->fold) return HF_TEST;
    return pile == (options->fold + 1) % options->folds ? HF_VALID : HF_TRAIN;
}

/* Shuffles and deals the groups that are still in, cell by cell. */
static hf_status deal_groups(hf_part *part, groups *g, const double *share, int n, const hf_split_options *options)
{
    int *pile;
    HF_TRY(shuffle(g, options->seed));
    HF_TRY(hf_alloc(&pile, (size_t)g->count, sizeof *pile, "the split"));
    qsort(g->group, (size_t)g->count, sizeof *g->group, compare_cells); /* one cell: by position alone */
    deal(pile, g, share, n);
    for (int i = 0; i < g->count; i++)
        if (!g->group[i].out)
            set_part(part, g, &g->group[i], options->folds ? part_of_fold(pile[i], options) : (hf_part)pile[i]);
    free(pile);
    return HF_OK;
}

static hf_status split_random(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    double share[MAX_FOLDS];
    int n = 3;
    (void)cohort; /* all that matters of it is in the groups */
    HF_TRY(options->folds ? find_folds(share, &n, options) : find_shares(share, options));
    return deal_groups(part, g, share, n, options);
}

static hf_status split_stratified(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    HF_TRY(read_strata(g, cohort, options));
    return split_random(part, cohort, options, g);
}

static hf_status split_published(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    (void)g;
    return hf_split_published(part, cohort, options);
}

/* ---- one group out ----------------------------------------------------------------------------------------------- */

/* The group that tests: the one named, else number `fold` in byte order. */
static hf_status find_left(group **out, groups *g, const hf_split_options *options)
{
    hf_text all = { 0 };
    int n = 0;
    *out = NULL;
    for (int i = 0; i < g->count; i++) {
        const member *m = &g->member[g->group[i].first];
        if (!m->grouped) continue;
        if (options->leave ? hf_text_same(m->key, options->leave) : n == options->fold) *out = &g->group[i];
        hf_text_add(&all, "%s%.40s", n++ ? ", " : "", m->key);
    }
    hf_status status = HF_OK;
    if (!*out && options->leave)
        status = hf_fail(HF_ERR_ARGUMENT, "split: no group '%.60s' in column '%s'; there are: %.400s", options->leave,
                         options->group_column, all.data ? all.data : "none");
    else if (!*out)
        status = hf_fail(HF_ERR_ARGUMENT, "split fold %d: column '%s' has %d groups: expected 0 to %d", options->fold,
                         options->group_column, n, n - 1);
    hf_text_free(&all);
    return status;
}

/* One group tests; the others are dealt to training and validation, and stay together. */
static hf_status split_leave(hf_part *part, const hf_cohort *cohort, const hf_split_options *options, groups *g)
{
    group *left;
    double share[3];
    hf_split_options rest = *options;
    if (!options->group_column)
        return hf_fail(HF_ERR_ARGUMENT, "split method 'leave-group-out' needs split.group_column");
    HF_TRY(find_left(&left, g, options));
    HF_TRY(read_strata(g, cohort, options));
    left->out = true;
    set_part(part, g, left, HF_TEST);
    rest.folds = 0;
    if (rest.valid == 0 && rest.test == 0) rest.valid = default_valid;
    rest.test = (1 - rest.valid) / 2; /* only to be a fraction: nobody is dealt to it */
    HF_TRY(find_shares(share, &rest));
    share[HF_TRAIN] += share[HF_TEST];
    share[HF_TEST] = 0;
    return deal_groups(part, g, share, 3, &rest);
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
    const bool bids = hf_table_column(&file, "participant_id") >= 0;
    HF_TRY_OUT(hf_table_require(&columns[0], &file, bids ? "participant_id" : "id", "the split"));
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
    { "stratified", split_stratified, false }, { "random", split_random, false },
    { "published", split_published, false },   { "leave-group-out", split_leave, false },
    { "column", split_column, true },          { "file", split_file, true },
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
    return hf_fail(HF_ERR_ARGUMENT,
                   "no split method '%s'%s%s%s; expected stratified, random, published, leave-group-out, column "
                   "or file",
                   name, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
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
    HF_TRY_OUT(hf_split_restrict(made, cohort, options));
    HF_TRY_OUT(check_parts(made, cohort, how, g.count));
    memcpy(part, made, (size_t)cohort->n_subjects * sizeof *made);
out:
    free_groups(&g);
    free(made);
    return status;
}
