/* Checks the splits: fractions, balance over age and sex, groups, given splits, and what must not matter. */
#include "check.h"
#include "cohort.h"

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

int main(void)
{
    test_fractions();
    test_balance();
    test_seed_and_row_order();
    test_missing_strata();
    test_groups();
    test_column();
    test_file();
    test_refused();
    return check_done("split");
}
