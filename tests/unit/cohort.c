/* Checks how tables and image folders are joined, on small folders built here. */
#include "check.h"
#include "cohort.h"

#include <stdlib.h>
#include <sys/stat.h>

static char folder[] = "/tmp/hf-cohort-XXXXXX";

/* A file of the test folder with its parents; the contents do not matter to the join. */
static void put(const char *name, const char *text)
{
    char path[512], parent[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = '\0';
    if (hf_make_dirs(parent) != HF_OK || hf_file_write(path, text, strlen(text)) != HF_OK) {
        fprintf(stderr, "%s\n", hf_error_message());
        exit(2);
    }
}

static void clear(void)
{
    check_remove_tree(folder);
    if (mkdir(folder, 0777) != 0) exit(2);
}

/* The problem of a subject whose text contains `part`, or NULL. */
static const hf_problem *problem(const hf_cohort *cohort, const char *subject, const char *part)
{
    for (int i = 0; i < cohort->n_problems; i++) {
        const hf_problem *p = &cohort->problem[i];
        if (strstr(p->subject, subject) && strstr(p->text, part)) return p;
    }
    return NULL;
}

static bool fatal(const hf_cohort *cohort, const char *subject, const char *part)
{
    const hf_problem *p = problem(cohort, subject, part);
    return p && p->fatal;
}

static bool is_subject(const hf_cohort *cohort, int index, const char *id, const char *image)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, image);
    const hf_subject *s = &cohort->subject[index];
    return index < cohort->n_subjects && strcmp(s->id, id) == 0 && strcmp(s->image, path) == 0;
}

static void test_join(void)
{
    hf_cohort c;
    clear();
    put("participants.tsv", "participant_id\tage\nsub-b\t1\na\t2\nsub-c\t3\nd\t4\nsub-e\t5\nf\t6\n");
    put("sub-a/anat/sub-a_T1w.nii.gz", "");
    put("sub-b/anat/sub-b_acq-x_run-2_T1w.nii", "");
    put("sub-b/anat/sub-b_T2w.nii", "");
    put("sub-c.npy", "");
    put("sub-d/ses-1/anat/sub-d_ses-1_T1w.nii.gz", "");
    put("sub-e.nii.gz", "");
    put("sub-f.nii", "");
    put("notes.txt", "");
    put("derivatives/sub-a/anat/sub-a_T1w.nii.gz", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK(c.n_subjects == 6 && c.n_problems == 0 && c.id_column == 0 && strcmp(c.folder, folder) == 0);
    CHECK(is_subject(&c, 0, "sub-b", "sub-b/anat/sub-b_acq-x_run-2_T1w.nii"));
    CHECK(is_subject(&c, 1, "a", "sub-a/anat/sub-a_T1w.nii.gz"));
    CHECK(is_subject(&c, 2, "sub-c", "sub-c.npy"));
    CHECK(is_subject(&c, 3, "d", "sub-d/ses-1/anat/sub-d_ses-1_T1w.nii.gz"));
    CHECK(is_subject(&c, 4, "sub-e", "sub-e.nii.gz") && is_subject(&c, 5, "f", "sub-f.nii"));
    CHECK(c.subject[3].row == 3 && strcmp(hf_table_cell(&c.table, c.subject[3].row, 1), "4") == 0);
    hf_cohort_free(&c);
    hf_cohort_free(&c);
    hf_cohort_free(NULL);
}

/* Ids that are prefixes of one another must not share images. */
static void test_prefix_ids(void)
{
    hf_cohort c;
    clear();
    put("participants.tsv", "participant_id\tage\nsub-1\t1\nsub-10\t2\nsub-100\t3\n");
    put("sub-10/anat/sub-10_T1w.nii", "");
    put("sub-1/anat/sub-10_T1w.nii", "");
    put("sub-1/anat/sub-1T1w.nii", "");
    put("sub-100.nii", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK(c.n_subjects == 2 && is_subject(&c, 0, "sub-10", "sub-10/anat/sub-10_T1w.nii"));
    CHECK(is_subject(&c, 1, "sub-100", "sub-100.nii"));
    CHECK(c.n_problems == 1 && fatal(&c, "sub-1", "no image: looked for sub-1/anat/sub-1*_T1w.nii(.gz)"));
    hf_cohort_free(&c);
}

/* Several images of a subject are never chosen from in silence: the options leave one, or the subject is out. */
static void test_several_images(void)
{
    hf_cohort c;
    hf_cohort_options options = { 0 };
    clear();
    put("participants.tsv", "participant_id\tage\nsub-1\t1\nsub-2\t2\nsub-3\t3\n");
    put("sub-1/anat/sub-1_run-2_T1w.nii", "");
    put("sub-1/anat/sub-1_run-1_T1w.nii", "");
    put("sub-1/anat/sub-1_run-1_desc-brain_T1w.nii.gz", "");
    put("sub-2/ses-b/anat/sub-2_ses-b_T1w.nii", "");
    put("sub-2/ses-a/anat/sub-2_ses-a_T1w.nii", "");
    put("sub-3.nii", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK(c.n_subjects == 1 && is_subject(&c, 0, "sub-3", "sub-3.nii") && c.n_problems == 2);
    CHECK(fatal(&c, "sub-1", "3 of its 3 images pass cohort.session and cohort.entities ('sub-1/anat/sub-1_run-1_T1w"));
    CHECK(fatal(&c, "sub-2", "2 of its 2 images"));
    hf_cohort_free(&c);
    static const char *const brain[] = { "run-1", "desc-brain" }, *const run[] = { "run-2" }, *const part[] = { "run" };
    options = (hf_cohort_options){ .entities = brain, .n_entities = 2 };
    if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) return;
    CHECK(c.n_subjects == 1 && is_subject(&c, 0, "sub-1", "sub-1/anat/sub-1_run-1_desc-brain_T1w.nii.gz"));
    CHECK(fatal(&c, "sub-2", "0 of its 2 images"));
    hf_cohort_free(&c);
    options = (hf_cohort_options){ .entities = run, .n_entities = 1 };
    if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) return;
    CHECK(c.n_subjects == 1 && is_subject(&c, 0, "sub-1", "sub-1/anat/sub-1_run-2_T1w.nii"));
    hf_cohort_free(&c);
    options.entities = part; /* a piece of an entity is none */
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_FORMAT, "no subject is left");
    static const char *const sessions[] = { "a", "ses-a" };
    for (int i = 0; i < 2; i++) {
        options = (hf_cohort_options){ .session = sessions[i] };
        if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) return;
        CHECK(c.n_subjects == 1 && is_subject(&c, 0, "sub-2", "sub-2/ses-a/anat/sub-2_ses-a_T1w.nii"));
        hf_cohort_free(&c);
    }
}

/* An id can never point outside the folder. */
static void test_ids_are_no_paths(void)
{
    static const char *const ids[] = { "../out", "sub-../../out", "..", "a/b", "/tmp/x" };
    hf_cohort c;
    hf_text table = { 0 };
    clear();
    put("in/sub-1.nii", "");
    put("in/sub-a/b.nii", "");
    put("out.nii", "");
    put("sub-out.nii", "");
    hf_text_add(&table, "id\tage\n1\t70\n");
    for (int i = 0; i < 5; i++)
        hf_text_add(&table, "%s\t70\n", ids[i]);
    put("in/participants.tsv", table.data);
    char inside[512];
    snprintf(inside, sizeof inside, "%s/in", folder);
    if (CHECK_OK(hf_cohort_open(&c, inside, NULL))) {
        CHECK(c.n_subjects == 1 && c.n_problems == 5);
        for (int i = 0; i < 5; i++)
            CHECK(fatal(&c, ids[i], "the id is a path"));
    }
    hf_cohort_free(&c);
    hf_text_free(&table);
}

/* What training or predicting would refuse is a fatal problem of that subject, what is strange a flag; the rest is well. */
static void test_check_rows(void)
{
    static const char *const specs[] = { "sex:onehot(F,M)", "edu:zscore" };
    hf_cohort c;
    hf_encoder e;
    clear();
    put("participants.tsv", "id\tage\tsex\tedu\tnote\n"
                            "1\t60\tF\t10\tx\n2\t70\tmale\t14\tx\n3\t250\tM\t12\tx\n4\t-3\tX\t99\t1e30\n"
                            "5\told\tn/a\t12\tx\n6\tn/a\tF\tmany\tx\n");
    for (int i = 1; i <= 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "sub-%d.nii", i);
        put(name, "");
    }
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    const hf_part part[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TEST, HF_TEST, HF_TEST };
    CHECK_OK(hf_encoder_parse(&e, specs, 2));
    CHECK_OK(hf_encoder_fit(&e, &c, part));
    CHECK_OK(hf_cohort_check_rows(&c, &(hf_rows_check){ .encoder = &e, .target = "age" }));
    CHECK(!problem(&c, "1", "") && !problem(&c, "2", ""));
    CHECK(problem(&c, "3", "line 4: '250' in column 'age' is implausible: 0 to 120") && !fatal(&c, "3", ""));
    static const char *const labels[] = { "F", "M", "male" };
    CHECK_OK(hf_cohort_check_rows(&c, &(hf_rows_check){ .target = "sex", .labels = labels, .n_labels = 3 }));
    CHECK(fatal(&c, "4", "'X'") && fatal(&c, "5", "no sex, which is the target"));
    CHECK(problem(&c, "4", "'-3' in column 'age' is implausible") && problem(&c, "4", "'1e30' in column 'note'"));
    CHECK(fatal(&c, "4", "category 'X' is not known"));
    CHECK(fatal(&c, "5", "line 6, column 'age': 'old', expected a number"));
    CHECK(fatal(&c, "5", "column 'sex': missing, and 'sex:onehot(F,M)' has no way to say so"));
    CHECK(fatal(&c, "6", "no age, which is the target") && fatal(&c, "6", "'many', expected a number"));
    hf_cohort_free(&c);
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    put("participants.tsv", "id\tsex\tedu\n1\tF\t99\n");
    hf_cohort_free(&c);
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    const int before = c.n_problems;
    CHECK_OK(hf_cohort_check_rows(&c, &(hf_rows_check){ .encoder = &e }));
    CHECK(c.n_problems == before + 1 && problem(&c, "1", "99 in column 'edu' is outside the training range 10 to 14"));
    CHECK_STATUS(hf_cohort_check_rows(&c, &(hf_rows_check){ .target = "age" }), HF_ERR_ARGUMENT, "no column 'age'");
    hf_encoder_free(&e);
    hf_cohort_free(&c);
}

static void test_problems(void)
{
    hf_cohort c;
    clear();
    put("participants.tsv", "participant_id\tage\nsub-1\t1\nn/a\t2\nsub-dup\t3\ndup\t4\nsub-dup\t5\nsub-gone\t6\n");
    put("sub-1.nii", "");
    put("sub-dup.nii", "");
    put("sub-stray.nii", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK(c.n_subjects == 1 && is_subject(&c, 0, "sub-1", "sub-1.nii") && c.n_problems == 6);
    CHECK(fatal(&c, "participants.tsv", "line 3 has no participant_id"));
    CHECK(fatal(&c, "sub-dup", "line 4: another row has this id too"));
    CHECK(fatal(&c, "dup", "line 5: another row") && fatal(&c, "sub-dup", "line 6: another row"));
    CHECK(fatal(&c, "sub-gone", "no image") && fatal(&c, "sub-stray.nii", "no row in the table has the id sub-stray"));
    hf_cohort_free(&c);
}

static void test_image_column(void)
{
    hf_cohort c;
    hf_cohort_options options = { .image_column = "path", .id_column = "scan" };
    clear();
    put("participants.tsv", "scan\tpath\nok\timages/one.nii\nsub-dots\timages/../images/./one.nii\nabs\t/etc/passwd\n"
                            "up\t../secret.nii\nup2\timages/../../x.nii\nvoid\tn/a\ngone\timages/two.nii\n"
                            "dir\timages\n");
    put("images/one.nii", "");
    put("sub-stray.nii", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) return;
    CHECK(c.n_subjects == 2 && is_subject(&c, 0, "ok", "images/one.nii"));
    CHECK(is_subject(&c, 1, "sub-dots", "images/../images/./one.nii"));
    CHECK(c.n_problems == 6);
    CHECK(fatal(&c, "abs", "line 4: '/etc/passwd' is an absolute path"));
    CHECK(fatal(&c, "up", "'../secret.nii' leaves the folder") && fatal(&c, "up2", "leaves the folder"));
    CHECK(fatal(&c, "void", "line 7: no path in column 'path'") && fatal(&c, "gone", "line 8: no file"));
    CHECK(fatal(&c, "dir", "line 9: no file"));
    hf_cohort_free(&c);
}

static void test_filter(void)
{
    hf_cohort c;
    hf_cohort_options options = { .filter_column = "visit", .filter_value = "1" };
    clear();
    put("participants.tsv", "participant_id\tvisit\nsub-1\t1\nsub-1\t2\nsub-2\t1.0\nsub-3\t2\nsub-4\tn/a\n");
    put("sub-1.nii", "");
    put("sub-2.nii", "");
    put("sub-3.nii", "");
    if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) return;
    /* Left-out rows are no problem, their images neither, and sub-1 is no duplicate any more. */
    CHECK(c.n_subjects == 2 && c.n_problems == 0 && c.subject[0].row == 0 && c.subject[1].row == 2);
    hf_cohort_free(&c);
    options.filter_value = "3";
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_ARGUMENT, "no row has '3' in column 'visit'");
    options.filter_column = "vist";
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_ARGUMENT, "did you mean 'visit'?");
    options.filter_column = NULL;
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_ARGUMENT, "without a filter column");
}

static void test_filter_range(void)
{
    static const struct {
        const char *column, *value;
        double fraction;
        int subjects;
    } rows[] = {
        { "age", "60..70", 0, 2 },  { "age", "60..70.5", 0, 3 }, { "age", "-1e9..1e9", 0, 5 },
        { "sex", "F", 0, 3 },       { "sex", "male", 0, 2 },     { "age", "60..70.5", 0.7, 2 },
        { NULL, NULL, 0.5, 3 },     { NULL, NULL, 1, 6 },        { "note", "a..b", 0, 1 },
        { "sex", "F|man", 0, 5 },   { "age", "60|90|7", 0, 2 },  { "age", "60..70|90", 0, 3 },
        { "note", "a..b|x", 0, 6 }, { "note", "b|y", 0, 0 },
    };
    hf_cohort c;
    hf_text table = { 0 };
    clear();
    hf_text_add(&table, "id\tage\tsex\tnote\n");
    static const char *const ages[] = { "60", "70", "69.9", "n/a", "59.9", "90" };
    static const char *const sexes[] = { "F", "female", "Woman", "M", "man", "n/a" };
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "sub-%d.nii", i);
        put(name, "");
        hf_text_add(&table, "%d\t%s\t%s\t%s\n", i, ages[i], sexes[i], i == 2 ? "a..b" : "x");
    }
    put("participants.tsv", table.data);
    hf_text_free(&table);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const hf_cohort_options options = { .filter_column = rows[i].column,
                                            .filter_value = rows[i].value,
                                            .fraction = rows[i].fraction };
        if (rows[i].subjects == 0) {
            CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_ARGUMENT, "no row has");
            continue;
        }
        if (!CHECK_OK(hf_cohort_open(&c, folder, &options))) continue;
        if (!CHECK(c.n_subjects == rows[i].subjects)) fprintf(stderr, "    filter %zu\n", i);
        hf_cohort_free(&c);
    }
    const hf_cohort_options bad = { .fraction = 1.5 };
    CHECK_STATUS(hf_cohort_open(&c, folder, &bad), HF_ERR_ARGUMENT, "a fraction of 1.5");
}

static void test_table_choice(void)
{
    hf_cohort c;
    hf_cohort_options options = { .table = "other.csv" };
    clear();
    put("sub-1.nii", "");
    CHECK_STATUS(hf_cohort_open(&c, folder, NULL), HF_ERR_IO, "no participants.tsv or participants.csv");
    put("participants.csv", "subject,age\n1,70\n");
    if (CHECK_OK(hf_cohort_open(&c, folder, NULL))) CHECK(c.n_subjects == 1 && strcmp(c.subject[0].id, "1") == 0);
    hf_cohort_free(&c);
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_IO, "no table 'other.csv', neither as given nor in");
    put("other.csv", "code,ID\n7,sub-1\n");
    if (CHECK_OK(hf_cohort_open(&c, folder, &options))) CHECK(c.n_subjects == 1 && c.id_column == 1);
    hf_cohort_free(&c);
    put("other.csv", "code\n7\n");
    CHECK_STATUS(hf_cohort_open(&c, folder, &options), HF_ERR_ARGUMENT, "the columns are: code");
    CHECK_STATUS(hf_cohort_open(&c, "/nonexistent", NULL), HF_ERR_IO, "no such folder");
}

static void test_nothing_left(void)
{
    hf_cohort c = { 0 };
    clear();
    put("participants.tsv", "participant_id\tage\nsub-1\t1\n");
    CHECK_STATUS(hf_cohort_open(&c, folder, NULL), HF_ERR_FORMAT,
                 "no subject is left of 1 rows; 1 problems, the first: sub-1: no image");
    CHECK(c.subject == NULL && c.folder == NULL);
}

/* ---- the check --------------------------------------------------------------------------------------------------- */

/* A ball of `radius` voxels in a cube of 24, centre moved by `shift`, with a ramp inside and a little noise. */
static void put_ball(const char *name, double radius, double shift, uint64_t seed)
{
    enum { N = 24 };
    static float voxels[N * N * N];
    char path[512];
    for (int i = 0; i < N * N * N; i++) {
        double d = i / (N * N) - 11.5 - shift, h = i / N % N - 11.5, w = i % N - 11.5;
        bool inside = d * d + h * h + w * w < radius * radius;
        voxels[i] = inside ? (float)(100 + 3 * w + 5 * h + hf_random_normal(seed, 0, (uint64_t)i)) : 0;
    }
    hf_volume v = { .shape = { N, N, N },
                    .spacing = { 2, 2, 2 },
                    .affine = { { 2, 0, 0, 0 }, { 0, 2, 0, 0 }, { 0, 0, 2, 0 } },
                    .voxels = voxels };
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_OK(hf_volume_write(&v, path, false));
}

static void count_progress(void *user, int done, int total)
{
    int *calls = user;
    (*calls)++;
    CHECK(done == *calls && total == 22);
}

static void test_check(void)
{
    enum { SUBJECTS = 22 };
    hf_cohort c;
    hf_text table = { 0 }, report = { 0 };
    int calls = 0;
    clear();
    hf_text_add(&table, "participant_id\tage\tsex\n");
    for (int i = 0; i < SUBJECTS; i++) {
        char name[64];
        hf_text_add(&table, "sub-%02d\t%s\tF\n", i, i < 3 ? "n/a" : "70");
        snprintf(name, sizeof name, "sub-%02d.nii.gz", i);
        double radius = i == 7 ? 6 : 9 + 0.02 * (i % 5), shift = i == 4 ? 7 : 0;
        if (i == 11)
            put(name, "damaged");
        else
            put_ball(name, radius, shift, i == 13 ? 12 : (uint64_t)i); /* 12 and 13: see below */
    }
    put_ball("sub-12.nii.gz", 9, 0, 99);
    put_ball("sub-13.nii.gz", 9, 0, 99); /* the same scan under two ids */
    put("participants.tsv", table.data);
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK_OK(hf_cohort_check(&c, &report, count_progress, &calls));
    CHECK(calls == SUBJECTS && report.size > 200);
    CHECK(problem(&c, "sub-04", "correlation") && !problem(&c, "sub-04", "correlation")->fatal);
    CHECK(problem(&c, "sub-07", "non-zero volume") && !problem(&c, "sub-07", "non-zero volume")->fatal);
    CHECK(fatal(&c, "sub-11", "sub-11.nii.gz"));
    CHECK(problem(&c, "sub-13", "the same voxels as sub-12"));
    CHECK(!problem(&c, "sub-00", "") && !problem(&c, "sub-20", ""));
    CHECK(strstr(report.data, "24 x 24 x 24") && strstr(report.data, "2 x 2 x 2") && strstr(report.data, "age"));
    hf_text_free(&table);
    hf_text_free(&report);
    hf_cohort_free(&c);
}

/* A table of which nearly nobody has an image: the report counts them, and stays short. */
static void test_many_problems(void)
{
    enum { ROWS = 5000 };
    hf_cohort c;
    hf_text table = { 0 }, report = { 0 };
    clear();
    hf_text_add(&table, "participant_id\tage\n");
    for (int i = 0; i < ROWS; i++)
        hf_text_add(&table, "sub-%04d\t70\n", i);
    put_ball("sub-0007.nii.gz", 9, 0, 1);
    put("participants.tsv", table.data);
    if (!CHECK_OK(hf_cohort_open(&c, folder, NULL))) return;
    CHECK_OK(hf_cohort_check(&c, &report, NULL, NULL));
    CHECK(report.size < 20000 && strstr(report.data, "4999 found") && strstr(report.data, "and 4899 more"));
    CHECK(c.n_problems >= ROWS - 1);
    hf_text_free(&table);
    hf_text_free(&report);
    hf_cohort_free(&c);
}

int main(void)
{
    if (!mkdtemp(folder)) return 2;
    test_join();
    test_prefix_ids();
    test_several_images();
    test_ids_are_no_paths();
    test_check_rows();
    test_problems();
    test_image_column();
    test_filter();
    test_filter_range();
    test_table_choice();
    test_nothing_left();
    test_check();
    test_many_problems();
    check_remove_tree(folder);
    CHECK(!hf_path_exists(folder));
    return check_done("cohort");
}
