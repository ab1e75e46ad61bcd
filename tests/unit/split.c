/* Checks the splits: fractions, balance over age and sex, groups, given splits, and what must not matter. */
#include "check.h"
#include "cohort.h"
#include "split.h"

#include <stdlib.h>
#include <unistd.h>

/* A cohort straight from table text: every row is a subject, no images needed. */
static void make_cohort(hf_cohort *c, const char *text)
{
    *c = (hf_cohort){ 0 };
    bool good = CHECK_OK(hf_table_parse(&c->table, text, strlen(text), "made.tsv")) &&
                CHECK_OK(hf_alloc(&c->subject, (size_t)c->table.rows, sizeof *c->subject, "subjects")) &&
                CHECK_OK(hf_strdup(&c->folder, "made"));
    if (!good) exit(2);
    for (int row = 0; row < c->table.rows; row++) {
        hf_subject *s = &c->subject[c->n_subjects++];
        s->row = row;
        if (hf_strdup(&s->id, hf_table_cell(&c->table, row, 0)) != HF_OK) exit(2);
    }
}

/* n people: ages 20 to 90, more women among the old, in the row order given by `order` (NULL: 0..n-1). */
static void make_people(hf_cohort *c, int n, const uint32_t *order)
{
    hf_text text = { 0 };
    hf_text_add(&text, "id\tage\tsex\n");
    for (int i = 0; i < n; i++) {
        uint64_t who = order ? order[i] : (uint64_t)i;
        double age = 20 + 70 * hf_random_uniform(1, 1, who);
        bool woman = hf_random_uniform(1, 2, who) < age / 100;
        hf_text_add(&text, "p%04d\t%.1f\t%s\n", (int)who, age, woman ? "F" : "M");
    }
    make_cohort(c, text.data);
    hf_text_free(&text);
}

static void count_parts(int count[HF_N_PARTS], const hf_part *part, int n)
{
    for (int p = 0; p < HF_N_PARTS; p++)
        count[p] = 0;
    for (int i = 0; i < n; i++)
        count[part[i]]++;
}

/* ---- fractions and balance --------------------------------------------------------------------------------------- */

static void test_fractions(void)
{
    static const int sizes[] = { 7, 10, 13, 40, 100, 101, 308, 997 };
    static const double fractions[][2] = { { 0, 0 }, { 0.1, 0.1 }, { 0, 0.2 }, { 0.33, 0.33 }, { 0.2, 0.5 } };
    hf_part part[1000];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        hf_cohort c;
        int n = sizes[s], count[HF_N_PARTS];
        make_people(&c, n, NULL);
        for (int f = 0; f < 10; f++) {
            const double *given = fractions[f / 2];
            hf_split_options options = { .method = f % 2 ? "random" : NULL, .valid = given[0], .test = given[1] };
            double valid = f < 2 ? 0.15 : given[0], test = f < 2 ? 0.2 : given[1];
            if (!CHECK_OK(hf_split_make(part, &c, &options))) continue;
            count_parts(count, part, n);
            CHECK_NEAR(count[HF_VALID], valid * n, 1);
            CHECK_NEAR(count[HF_TEST], test * n, 1);
            CHECK(count[HF_UNUSED] == 0 && (valid > 0 || count[HF_VALID] == 0));
        }
        hf_cohort_free(&c);
    }
}

/* The worst difference of mean age between two parts, and of the share of women, over several seeds. */
static void worst_imbalance(double *age_gap, double *sex_gap, const hf_cohort *c, const char *method)
{
    hf_part part[400];
    *age_gap = *sex_gap = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        hf_split_options options = { .method = method, .seed = seed };
        double age[3] = { 0 }, women[3] = { 0 }, n[3] = { 0 };
        if (!CHECK_OK(hf_split_make(part, c, &options))) return;
        for (int i = 0; i < c->n_subjects; i++) {
            double x;
            CHECK_OK(hf_table_number(&x, &c->table, i, 1));
            age[part[i]] += x;
            women[part[i]] += hf_table_cell(&c->table, i, 2)[0] == 'F';
            n[part[i]]++;
        }
        for (int p = 1; p < 3; p++) {
            *age_gap = fmax(*age_gap, fabs(age[p] / n[p] - age[0] / n[0]));
            *sex_gap = fmax(*sex_gap, fabs(women[p] / n[p] - women[0] / n[0]));
        }
    }
}

static void test_balance(void)
{
    hf_cohort c;
    double age, sex, age_random, sex_random;
    make_people(&c, 400, NULL);
    worst_imbalance(&age, &sex, &c, "stratified");
    worst_imbalance(&age_random, &sex_random, &c, "random");
    CHECK(age < 2 && sex < 0.05);
    CHECK(age_random > 2 * age && sex_random > 2 * sex); /* so the bounds above mean something */
    hf_cohort_free(&c);
}

static void test_seed_and_row_order(void)
{
    enum { N = 200 };
    hf_cohort a, b;
    hf_part one[N], two[N], other[N];
    uint32_t order[N];
    hf_random_permutation(order, N, 4, 4);
    make_people(&a, N, NULL);
    make_people(&b, N, order);
    static const char *const methods[] = { "stratified", "random" };
    for (int m = 0; m < 2; m++) {
        hf_split_options options = { .method = methods[m], .seed = 5 };
        CHECK_OK(hf_split_make(one, &a, &options));
        CHECK_OK(hf_split_make(two, &b, &options));
        bool same = true;
        for (int i = 0; i < N; i++)
            same = same && two[i] == one[order[i]];
        CHECK(same); /* row order has no influence */
        CHECK_OK(hf_split_make(two, &a, &options));
        CHECK(memcmp(one, two, sizeof one) == 0);
        options.seed = 6;
        CHECK_OK(hf_split_make(other, &a, &options));
        CHECK(memcmp(one, other, sizeof one) != 0);
    }
    hf_cohort_free(&a);
    hf_cohort_free(&b);
}

static void test_missing_strata(void)
{
    hf_cohort c;
    hf_part part[6];
    make_cohort(&c, "id\tage\na\tn/a\nb\t50\nc\tn/a\nd\t60\ne\t70\nf\t70\n");
    CHECK_OK(hf_split_make(part, &c, NULL));
    hf_split_options options = { .sex_column = "gender" };
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "no column 'gender' for the stratified split");
    hf_cohort_free(&c);
    make_cohort(&c, "id\tage\na\told\nb\t50\nc\t60\n");
    CHECK_STATUS(hf_split_make(part, &c, NULL), HF_ERR_FORMAT, "line 2, column 'age': 'old'");
    hf_cohort_free(&c);
}

/* ---- groups ------------------------------------------------------------------------------------------------------ */

static void test_groups(void)
{
    enum { N = 120 };
    hf_cohort c;
    hf_text text = { 0 };
    hf_part part[N];
    hf_text_add(&text, "id\tage\tfamily\tside\n");
    for (int i = 0; i < N; i++) /* families of one to five; the last three rows have none */
        hf_text_add(&text, "p%d\t%d\t%s%.0d\t%s\n", i, 20 + i % 60, i >= N - 3 ? "n/a" : "fam",
                    i >= N - 3 ? 0 : i * i % 47 + 1, i % 2 ? "train" : "test");
    make_cohort(&c, text.data);
    static const char *const methods[] = { "stratified", "random" };
    for (uint64_t run = 0; run < 10; run++) {
        hf_split_options options = { .method = methods[run % 2], .group_column = "family", .seed = run };
        bool together = true;
        int count[HF_N_PARTS];
        if (!CHECK_OK(hf_split_make(part, &c, &options))) break;
        for (int i = 0; i < N; i++)
            for (int k = 0; k < i; k++)
                if (hf_text_same(hf_table_cell(&c.table, i, 2), hf_table_cell(&c.table, k, 2)))
                    together = together && part[i] == part[k];
        count_parts(count, part, N);
        CHECK(together);
        CHECK_NEAR(count[HF_TEST], 0.2 * N, 8); /* the largest family */
    }
    hf_split_options given = { .method = "column", .column = "side", .group_column = "family" };
    CHECK_STATUS(hf_split_make(part, &c, &given), HF_ERR_FORMAT, "is on two sides");
    given.group_column = NULL;
    CHECK_OK(hf_split_make(part, &c, &given));
    hf_text_free(&text);
    hf_cohort_free(&c);
}

/* ---- given splits ------------------------------------------------------------------------------------------------ */

static void test_column(void)
{
    static const hf_part expected[] = { HF_TRAIN, HF_TRAIN, HF_VALID,  HF_VALID,  HF_VALID,
                                        HF_TEST,  HF_TEST,  HF_UNUSED, HF_UNUSED, HF_UNUSED };
    hf_cohort c;
    hf_part part[10];
    hf_split_options options = { .method = "column", .column = "Side" };
    make_cohort(&c, "id\tside\na\ttrain\nb\tTraining\nc\tvalid\nd\tval\ne\tvalidation\nf\ttest\ng\tTESTING\n"
                    "h\tholdout\ni\tn/a\nj\tunused\n");
    CHECK_OK(hf_split_make(part, &c, &options));
    CHECK(memcmp(part, expected, sizeof expected) == 0);
    options.column = "sied";
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "did you mean 'side'?");
    options.column = NULL;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "needs the name of a column");
    options.method = "stratifed";
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "did you mean 'stratified'?");
    hf_cohort_free(&c);
    options = (hf_split_options){ .method = "column", .column = "side" };
    make_cohort(&c, "id\tside\na\ttest\nb\ttest\n");
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "leaves the train part empty");
    hf_cohort_free(&c);
}

static hf_status split_by_file(hf_part *part, const hf_cohort *c, const char *text)
{
    char path[] = "/tmp/hf-split-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) exit(2);
    close(file);
    hf_split_options options = { .method = "file", .file = path };
    hf_status status = hf_file_write(path, text, strlen(text));
    if (status == HF_OK) status = hf_split_make(part, c, &options);
    unlink(path);
    return status;
}

static void test_file(void)
{
    hf_cohort c;
    hf_part part[4] = { HF_TEST, HF_TEST, HF_TEST, HF_TEST };
    hf_split_options options = { .method = "file" };
    make_cohort(&c, "id\tage\nsub-a\t1\nb\t2\nsub-c\t3\nd\t4\nlost\t5\n");
    free(c.subject[--c.n_subjects].id); /* a row without a subject, as after a missing image */
    CHECK_OK(split_by_file(part, &c, "split\tid\ntrain\ta\nval\tsub-b\nn/a\tsub-c\ntest\tlost\n"));
    CHECK(part[0] == HF_TRAIN && part[1] == HF_VALID && part[2] == HF_UNUSED && part[3] == HF_UNUSED);
    CHECK_STATUS(split_by_file(part, &c, "id\tsplit\na\ttrain\nx\ttest\n"), HF_ERR_FORMAT,
                 "line 3: id 'x' is not in the cohort");
    CHECK_STATUS(split_by_file(part, &c, "id\tsplit\na\ttrain\nb\ttest\nsub-a\ttest\n"), HF_ERR_FORMAT,
                 "line 4: id 'sub-a' was given in line 2 already");
    CHECK_STATUS(split_by_file(part, &c, "id\tsplit\na\ttrian\n"), HF_ERR_FORMAT, "line 2: 'trian', expected train");
    CHECK_STATUS(split_by_file(part, &c, "id\tsplit\nn/a\ttrain\n"), HF_ERR_FORMAT, "line 2: no id");
    CHECK_STATUS(split_by_file(part, &c, "id\tside\na\ttrain\n"), HF_ERR_ARGUMENT, "no column 'split'");
    CHECK_STATUS(split_by_file(part, &c, "id\tsplit\na\ttest\n"), HF_ERR_ARGUMENT, "train part empty");
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "needs the path of a table");
    options.file = "/nonexistent.tsv";
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_IO, "/nonexistent.tsv");
    CHECK(part[0] == HF_TRAIN && part[1] == HF_VALID); /* failures leave the result as it was */
    hf_cohort_free(&c);
}

/* Who trains and validates is restricted; the test part is the one of the whole cohort. */
static void test_train_filter(void)
{
    enum { N = 200 };
    hf_cohort c;
    hf_part whole[N], part[N];
    int count[HF_N_PARTS], all[HF_N_PARTS], wrong = 0, women[HF_N_PARTS] = { 0 };
    make_people(&c, N, NULL);
    CHECK_OK(hf_split_make(whole, &c, NULL));
    count_parts(all, whole, N);
    CHECK_OK(hf_split_make(part, &c, &(hf_split_options){ .train_filter = "sex=female" }));
    for (int i = 0; i < N; i++) {
        const bool woman = hf_table_cell(&c.table, i, 2)[0] == 'F';
        women[whole[i]] += woman;
        wrong += part[i] != (woman || whole[i] == HF_TEST ? whole[i] : HF_UNUSED);
    }
    CHECK(wrong == 0 && women[HF_TEST] < all[HF_TEST] && women[HF_TRAIN] > 0);
    CHECK_OK(hf_split_make(part, &c, &(hf_split_options){ .train_filter = "sex=F", .train_fraction = 0.5 }));
    count_parts(count, part, N);
    CHECK(count[HF_TRAIN] == women[HF_TRAIN] / 2 && count[HF_VALID] == women[HF_VALID] / 2);
    CHECK(count[HF_TEST] == all[HF_TEST]);
    int first = 0; /* the leading ones */
    while (first < N && part[first] != HF_TRAIN)
        first++;
    for (int i = 0; i < first; i++)
        CHECK(whole[i] != HF_TRAIN || hf_table_cell(&c.table, i, 2)[0] == 'M');
    CHECK_STATUS(hf_split_make(part, &c, &(hf_split_options){ .train_filter = "sx=F" }), HF_ERR_ARGUMENT,
                 "did you mean 'sex'?");
    CHECK_STATUS(hf_split_make(part, &c, &(hf_split_options){ .train_filter = "sex" }), HF_ERR_ARGUMENT,
                 "found 'sex', expected COLUMN=VALUE");
    CHECK_STATUS(hf_split_make(part, &c, &(hf_split_options){ .train_filter = "sex=x" }), HF_ERR_ARGUMENT,
                 "leaves the train part empty");
    CHECK_STATUS(hf_split_make(part, &c, &(hf_split_options){ .train_fraction = -1 }), HF_ERR_ARGUMENT,
                 "a fraction of -1 of the training rows");
    hf_cohort_free(&c);
}

static void test_refused(void)
{
    static const double bad[][2] = { { -0.1, 0.2 }, { 0.5, 0.5 }, { 0.1, NAN }, { 0.2, 1 } };
    hf_cohort c;
    hf_part part[4];
    make_cohort(&c, "id\tage\na\t1\nb\t2\nc\t3\n");
    for (int i = 0; i < 4; i++) {
        hf_split_options options = { .valid = bad[i][0], .test = bad[i][1] };
        CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "expected at least 0, together below 1");
    }
    hf_split_options options = { .valid = 0.2 };
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "split fraction test 0");
    hf_cohort_free(&c);
    make_cohort(&c, "id\tage\na\t1\n");
    CHECK_STATUS(hf_split_make(part, &c, NULL), HF_ERR_ARGUMENT, "leaves the test part empty: 1 subjects in 1 groups");
    hf_cohort_free(&c);
    CHECK(strcmp(hf_part_name(HF_VALID), "valid") == 0 && strcmp(hf_part_name(HF_UNUSED), "unused") == 0);
}

/* ---- folds and strata -------------------------------------------------------------------------------------------- */

/* Every subject tests in exactly one fold, validates in the one before, and every fold is balanced. */
static void test_folds(void)
{
    enum { N = 203, FOLDS = 5 };
    hf_cohort c;
    hf_part part[N];
    int tested[N] = { 0 }, validated[N] = { 0 }, when[N] = { 0 }, count[HF_N_PARTS];
    make_people(&c, N, NULL);
    for (int fold = 0; fold < FOLDS; fold++) {
        hf_split_options options = { .folds = FOLDS, .fold = fold, .seed = 3 };
        double women = 0, all = 0;
        if (!CHECK_OK(hf_split_make(part, &c, &options))) return;
        count_parts(count, part, N);
        CHECK_NEAR(count[HF_TEST], N / 5.0, 1);
        CHECK_NEAR(count[HF_VALID], N / 5.0, 1);
        for (int i = 0; i < N; i++) {
            const bool woman = hf_table_cell(&c.table, i, 2)[0] == 'F';
            tested[i] += part[i] == HF_TEST;
            when[i] += part[i] == HF_TEST ? fold : part[i] == HF_VALID ? -fold : 0;
            validated[i] += part[i] == HF_VALID;
            women += woman && part[i] == HF_TEST;
            all += woman;
        }
        CHECK_NEAR(women / count[HF_TEST], all / N, 0.04);
    }
    for (int i = 0; i < N; i++)
        CHECK(tested[i] == 1 && validated[i] == 1 && (when[i] == 1 || when[i] == 1 - FOLDS));
    hf_split_options bad = { .folds = 2 };
    CHECK_STATUS(hf_split_make(part, &c, &bad), HF_ERR_ARGUMENT, "split folds 2: expected 3 to 100");
    bad = (hf_split_options){ .folds = 5, .fold = 5 };
    CHECK_STATUS(hf_split_make(part, &c, &bad), HF_ERR_ARGUMENT, "split fold 5: expected 0 to 4");
    hf_cohort_free(&c);
}

/* The largest difference between the parts' shares of a text in a column. */
static double text_gap(const hf_cohort *c, const hf_part *part, int column, const char *text)
{
    double n[3] = { 0 }, with[3] = { 0 };
    for (int i = 0; i < c->n_subjects; i++) {
        n[part[i]]++;
        with[part[i]] += strcmp(hf_table_cell(&c->table, i, column), text) == 0;
    }
    return fmax(fabs(with[0] / n[0] - with[2] / n[2]), fabs(with[0] / n[0] - with[1] / n[1]));
}

static void test_strata(void)
{
    enum { N = 300 };
    hf_cohort c;
    hf_part part[N];
    hf_text text = { 0 };
    hf_text_add(&text, "id\tDX\tscore\tcode\n");
    for (int i = 0; i < N; i++)
        hf_text_add(&text, "p%03d\t%s\t%.3f\t%d\n", i,
                    i % 10 == 0 ? "AD"
                    : i % 2     ? "EMCI"
                                : "LMCI",
                    hf_random_normal(1, 1, (uint64_t)i), i % 3);
    make_cohort(&c, text.data);
    static const char *const by[] = { "DX:onehot(AD,MCI=EMCI|LMCI)", "score", "code" };
    double worst = 0, random = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        hf_split_options options = { .strata = by, .n_strata = 3, .seed = seed };
        if (!CHECK_OK(hf_split_make(part, &c, &options))) return;
        worst = fmax(worst, text_gap(&c, part, 1, "AD"));
        options.method = "random";
        CHECK_OK(hf_split_make(part, &c, &options));
        random = fmax(random, text_gap(&c, part, 1, "AD"));
    }
    CHECK(worst < 0.02 && random > 2 * worst);
    static const char *const bad[] = { "DX:onehot(AD,MCI)", "DX:zscore", "dxx" };
    hf_split_options options = { .strata = bad, .n_strata = 1 };
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_FORMAT, "category 'EMCI' is not known");
    options.strata = bad + 1;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "expected COLUMN, or COLUMN:onehot");
    options.strata = bad + 2;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "no column 'dxx' for the stratified split");
    options.n_strata = HF_MAX_STRATA + 1;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_UNSUPPORTED, "9 columns to stratify by");
    hf_text_free(&text);
    hf_cohort_free(&c);
}

static void test_leave_group_out(void)
{
    enum { N = 90 };
    hf_cohort c;
    hf_part part[N];
    hf_text text = { 0 };
    static const char *const sites[] = { "Oslo", "Bern", "Rome" };
    hf_text_add(&text, "id\tage\tsite\n");
    for (int i = 0; i < N; i++)
        hf_text_add(&text, "p%02d\t%d\t%s\n", i, 20 + i % 60, sites[i % 3]);
    make_cohort(&c, text.data);
    hf_split_options options = { .method = "leave-group-out", .group_column = "site", .leave = "Rome" };
    for (int run = 0; run < 2; run++) { /* by name; then by number, in byte order: Bern, Oslo, Rome */
        if (!CHECK_OK(hf_split_make(part, &c, &options))) return;
        for (int i = 0; i < N; i++)
            CHECK((part[i] == HF_TEST) == (i % 3 == 2));
        CHECK(part[0] != part[1] || part[0] == HF_TRAIN); /* the other two sites stay whole */
        for (int i = 3; i < N; i++)
            CHECK(part[i] == part[i - 3]);
        options.leave = NULL;
        options.fold = 2;
    }
    options.fold = 3;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "has 3 groups: expected 0 to 2");
    options.leave = "Paris";
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT,
                 "no group 'Paris' in column 'site'; there are: Bern");
    options.group_column = NULL;
    CHECK_STATUS(hf_split_make(part, &c, &options), HF_ERR_ARGUMENT, "needs split.group_column");
    hf_text_free(&text);
    hf_cohort_free(&c);
}

/* ---- the published split ----------------------------------------------------------------------------------------- */

/* numpy's shuffle of 2120 indices, as recorded from the study's own table. */
static void test_published_shuffle(void)
{
    static const uint32_t first[3][8] = { { 405, 1702, 813, 393, 1387, 1114, 759, 892 },
                                          { 1208, 447, 1460, 1503, 1219, 348, 453, 1378 },
                                          { 1042, 1150, 468, 36, 1778, 465, 1662, 608 } };
    static uint32_t order[2120];
    static bool seen[2120];
    for (uint32_t seed = 0; seed < 3; seed++) {
        hf_shuffle_published(order, 2120, seed);
        CHECK(memcmp(order, first[seed], sizeof first[seed]) == 0);
    }
    for (int i = 0; i < 2120; i++) {
        CHECK(order[i] < 2120 && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

/* Folds as tests/golden/published_split.py deals them with numpy and pandas. */
static void test_published(const char *path)
{
    static const char *const strata[] = { "PTGENDER", "DX:onehot(CN,MCI=EMCI|LMCI,AD)" };
    hf_cohort c;
    hf_part part[240];
    void *text;
    size_t size;
    if (!CHECK_OK(hf_file_read(&text, &size, path, 1 << 20))) return;
    make_cohort(&c, text);
    CHECK(c.n_subjects == 240);
    for (int seed = 0; seed < 3; seed++)
        for (int fold = 0; fold < 4; fold++) {
            hf_split_options options = { .method = "published",
                                         .strata = strata,
                                         .n_strata = 2,
                                         .age_column = "AGE",
                                         .seed = (uint64_t)seed,
                                         .fold = fold };
            if (!CHECK_OK(hf_split_make(part, &c, &options))) return;
            int wrong = 0, count[HF_N_PARTS];
            for (int i = 0; i < 240; i++) {
                const int dealt = hf_table_cell(&c.table, i, 4 + seed)[0] - '0';
                wrong += part[i] != (dealt == 4 ? HF_TEST : dealt == fold ? HF_VALID : HF_TRAIN);
            }
            count_parts(count, part, 240);
            CHECK(wrong == 0);
            CHECK(count[HF_TRAIN] == 144 && count[HF_VALID] == 48 && count[HF_TEST] == 48);
        }
    hf_split_options bad = { .method = "published", .fold = 4, .age_column = "AGE" };
    CHECK_STATUS(hf_split_make(part, &c, &bad), HF_ERR_ARGUMENT, "validates on one of the folds 0 to 3");
    bad.fold = 0;
    bad.age_column = NULL;
    bad.seed = UINT64_C(1) << 32;
    CHECK_STATUS(hf_split_make(part, &c, &bad), HF_ERR_ARGUMENT, "the published split takes 0 to 4294967295");
    free(text);
    hf_cohort_free(&c);
}

int main(int argc, char **argv)
{
    const char *golden = argc > 1 ? argv[1] : "tests/golden/published_split.tsv";
    test_folds();
    test_strata();
    test_leave_group_out();
    test_published_shuffle();
    test_published(golden);
    test_fractions();
    test_balance();
    test_seed_and_row_order();
    test_missing_strata();
    test_groups();
    test_column();
    test_file();
    test_train_filter();
    test_refused();
    return check_done("split");
}
