/* Checks the tabular encoder: feature lists, statistics of training rows only, encoded rows and pairs. */
#include "check.h"
#include "encoder.h"

#include <stdlib.h>

static void make_cohort(hf_cohort *c, const char *text)
{
    *c = (hf_cohort){ 0 };
    bool good = CHECK_OK(hf_table_parse(&c->table, text, strlen(text), "made.tsv")) &&
                CHECK_OK(hf_alloc(&c->subject, (size_t)c->table.rows, sizeof *c->subject, "subjects"));
    if (!good) exit(2);
    for (int row = 0; row < c->table.rows; row++) {
        hf_subject *s = &c->subject[c->n_subjects++];
        s->row = row;
        if (hf_strdup(&s->id, hf_table_cell(&c->table, row, 0)) != HF_OK) exit(2);
    }
}

static const char people[] = "id\tage\tsex\tmmse\tcdr\n"
                             "a\t60\tM\t30\t0\n"
                             "b\t70\tF\tn/a\t0.5\n"
                             "c\t80\tF\t27\tn/a\n"
                             "d\t90\tM\t24\t0.0\n"
                             "e\t20\tX\t3\t2\n" /* e and f do not train */
                             "f\tn/a\tn/a\t1\t0\n";
static const hf_part parts[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TEST, HF_VALID };
static const char *const specs[] = { "sex:onehot(F,M)+zeros", "Age:zscore+missing", "mmse:minmax+missing",
                                     "cdr:onehot+zeros" };

static void test_parse(void)
{
    hf_encoder e;
    if (!CHECK_OK(hf_encoder_parse(&e, specs, 4))) return;
    CHECK(e.n_features == 4 && e.feature[0].n_categories == 2 && strcmp(e.feature[0].category[1], "M") == 0);
    CHECK(e.feature[1].encoding == HF_ZSCORE && e.feature[1].flag_missing && strcmp(e.feature[1].column, "Age") == 0);
    CHECK(e.feature[2].encoding == HF_MINMAX && !e.feature[0].flag_missing);
    static const char *const spaced[] = { " sex : onehot( F , M ,x y)+missing" };
    if (!CHECK_OK(hf_encoder_parse(&e, spaced, 1))) return;
    CHECK(strcmp(e.feature[0].column, "sex") == 0 && e.feature[0].n_categories == 3 && e.width == 4);
    CHECK(strcmp(e.feature[0].category[2], "x y") == 0);
    CHECK_OK(hf_encoder_parse(&e, NULL, 0));
    CHECK(e.width == 0);
}

static void test_parse_errors(void)
{
    static const struct {
        const char *spec, *message;
    } bad[] = {
        { "age", "expected COLUMN:ENCODING" },
        { ":zscore", "expected a column name" },
        { "age:", "no such encoding" },
        { "age:zscor", "did you mean 'zscore'?" },
        { "age:zscore(1,2)", "only onehot takes categories" },
        { "sex:onehot(F,M", "the bracket is not closed" },
        { "sex:onehot(F,M)x", "the bracket is not closed" },
        { "sex:onehot(", "the bracket is not closed" },
        { "sex:onehot()", "category ''" },
        { "sex:onehot(F,)", "category ''" },
        { "sex:onehot(F)", "at least two categories" },
        { "sex:onehot(F,F)", "category 'F' is given twice" },
        { "sex:onehot(1,1.0)", "category '1.0' is given twice" },
        { "sex:onehot(a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q)", "more than 16 categories" },
        { "sex:onehot(a,abcdefghijklmnopqrstuvwxyzabcdefgh)", "expected 1 to 31 bytes" },
        { "a234567890123456789012345678901234567890123456789012345678901234:raw", "1 to 63 bytes" },
        { "age:zscore+mising", "no such step '+mising'; did you mean 'missing'?" },
        { "age:zscore+", "no such step '+'" },
        { "age:zscore+zeros", "the step '+zeros' does not go with this encoding" },
        { "sex:onehot+median", "does not go with this encoding" },
        { "age:flag+median", "does not go with this encoding" },
        { "age:zscore+median+mean", "two steps fill what is missing" },
        { "age:zscore+fill", "expected fill(NUMBER)" },
        { "age:zscore+fill(x)", "expected fill(NUMBER)" },
        { "age:zscore+mean(sex)", "unexpected brackets behind '+mean'" },
        { "age:zscore+missing(raw)", "unexpected brackets behind '+missing'" },
        { "age:bins", "0 numbers for bins, expected N, or LOW,HIGH,N" },
        { "age:bins(1)", "2 to 128 bins" },
        { "age:bins(2.5)", "2 to 128 bins" },
        { "age:bins(9,5,4)", "LOW below HIGH" },
        { "age:smooth(5,0)", "a SIGMA above 0" },
        { "age:edges(3,2)", "rising edges" },
        { "age:edges()", "'' in brackets, expected a number" },
        { "age:above(1,2)", "2 numbers for above, expected one number" },
        { "sex:onehot(F=,M)", "aliases ''" },
        { "sex:onehot(F=woman,M=woman)", "alias 'woman' is empty or means another category" },
        { "sex:onehot(F,female)", "category 'female' is given twice" },
        { "set19", "or set0 to set18" },
        { "set", "expected COLUMN:ENCODING" },
    };
    hf_encoder e = { .width = 77 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hf_status status = hf_encoder_parse(&e, &bad[i].spec, 1);
        if (!CHECK_STATUS(status, i == 13 ? HF_ERR_UNSUPPORTED : HF_ERR_ARGUMENT, bad[i].message))
            fprintf(stderr, "    '%s'\n", bad[i].spec);
    }
    static const char *const twice[] = { "age:raw", "AGE:zscore" };
    CHECK_STATUS(hf_encoder_parse(&e, twice, 2), HF_ERR_ARGUMENT, "column 'AGE' is used twice");
    CHECK_STATUS(hf_encoder_parse(&e, specs, HF_MAX_FEATURES + 1), HF_ERR_UNSUPPORTED, "65 features");
    CHECK(e.width == 77);
}

static void test_fit_and_rows(void)
{
    hf_cohort c;
    hf_encoder e;
    float row[16];
    make_cohort(&c, people);
    CHECK_OK(hf_encoder_parse(&e, specs, 4));
    if (!CHECK_OK(hf_encoder_fit(&e, &c, parts))) return;
    double sd = sqrt((225 + 25 + 25 + 225) / 3.0);
    const hf_feature *age = &e.feature[1], *mmse = &e.feature[2], *cdr = &e.feature[3];
    CHECK_NEAR(age->mean, 75, 0);
    CHECK_NEAR(age->sd, sd, 1e-12);
    CHECK(age->median == 75 && age->low == 60 && age->high == 90 && age->n_missing == 0);
    CHECK(mmse->n_missing == 1 && mmse->median == 27 && mmse->low == 24 && mmse->high == 30);
    CHECK(cdr->n_categories == 2 && strcmp(cdr->category[0], "0") == 0 && strcmp(cdr->category[1], "0.5") == 0);
    CHECK(e.width == 2 + 1 + 1 + 2 + 2);
    CHECK_OK(hf_encoder_row(row, &e, &c, 1)); /* F, 70, missing, 0.5 */
    const float b[] = { 1, 0, (float)(-5 / sd), 0.5f, 0, 1, 0, 1 };
    CHECK(memcmp(row, b, sizeof b) == 0);
    CHECK_OK(hf_encoder_row(row, &e, &c, 3)); /* M, 90, 24, 0.0 */
    const float d[] = { 0, 1, (float)(15 / sd), 0, 1, 0, 0, 0 };
    CHECK(memcmp(row, d, sizeof d) == 0);
    CHECK_OK(hf_encoder_row(row, &e, &c, 5)); /* missing, missing, 1, 0: beyond the range is not clipped */
    const float f[] = { 0, 0, 0, (float)((1.0 - 24) / 6), 1, 0, 1, 0 };
    CHECK(memcmp(row, f, sizeof f) == 0);
    CHECK_STATUS(hf_encoder_row(row, &e, &c, 4), HF_ERR_FORMAT,
                 "subject 'e' ('made.tsv' line 6): column 'sex': category 'X' is not known; known are 'F', 'M'");
    CHECK_STATUS(hf_encoder_row(row, &e, &c, 6), HF_ERR_ARGUMENT, "subject index 6, expected 0 to 5");
    CHECK_STATUS(hf_encoder_row(row, &e, &c, -1), HF_ERR_ARGUMENT, "subject index -1");
    hf_cohort_free(&c);
}

/* Whatever stands in rows that do not train, even rubbish, the fitted encoder is the same to the last byte. */
static void test_no_leak(void)
{
    static const char *const other_rows[] = { "e\t-5000\tZ\t99999\t77\nf\t1e30\tQ\t-1\tmild\n",
                                              "e\tunknown\tn/a\t?\tn/a\nf\tn/a\tn/a\tn/a\tn/a\n" };
    hf_cohort c, changed;
    hf_encoder e, again;
    make_cohort(&c, people);
    CHECK_OK(hf_encoder_parse(&e, specs, 4));
    CHECK_OK(hf_encoder_fit(&e, &c, parts));
    for (int i = 0; i < 2; i++) {
        char text[1000];
        size_t kept = (size_t)(strstr(people, "e\t20") - people);
        snprintf(text, sizeof text, "%.*s%s", (int)kept, people, other_rows[i]);
        make_cohort(&changed, text);
        CHECK_OK(hf_encoder_parse(&again, specs, 4));
        if (CHECK_OK(hf_encoder_fit(&again, &changed, parts))) CHECK(memcmp(&e, &again, sizeof e) == 0);
        hf_cohort_free(&changed);
    }
    /* The same change in a training row must show, or the comparison above proves nothing. */
    hf_part all[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TEST, HF_TRAIN };
    CHECK_OK(hf_encoder_parse(&again, specs, 4));
    CHECK_OK(hf_encoder_fit(&again, &c, all));
    CHECK(again.feature[2].mean != e.feature[2].mean && again.feature[1].n_missing == 1);
    hf_cohort_free(&c);
}

static void test_fit_errors(void)
{
    static const struct {
        const char *spec;
        hf_status status;
        const char *message;
    } bad[] = {
        { "agee:zscore", HF_ERR_ARGUMENT, "no column 'agee' for the tabular input; did you mean 'age'?" },
        { "same:zscore", HF_ERR_NUMBER, "column 'same': all known training values are 5: zscore needs them to vary" },
        { "same:minmax", HF_ERR_NUMBER, "minmax needs them to vary" },
        { "gone:raw", HF_ERR_ARGUMENT, "column 'gone': missing in all training rows" },
        { "gone:onehot", HF_ERR_ARGUMENT, "column 'gone': missing in all training rows" },
        { "word:zscore", HF_ERR_FORMAT, "line 3, column 'word': 'two', expected a number" },
        { "word:onehot(1,2)", HF_ERR_FORMAT, "subject 'b' ('made.tsv' line 3): column 'word': category 'two'" },
    };
    hf_cohort c;
    hf_encoder e;
    const hf_part all[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN };
    make_cohort(&c, "id\tage\tsame\tgone\tword\na\t1\t5\tn/a\t1\nb\t2\t5\tn/a\ttwo\nc\t3\t5\tn/a\t1\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_OK(hf_encoder_parse(&e, &bad[i].spec, 1));
        CHECK_STATUS(hf_encoder_fit(&e, &c, all), bad[i].status, bad[i].message);
    }
    static const char *const age[] = { "age:raw" };
    const hf_part none[] = { HF_TEST, HF_TEST, HF_TEST };
    CHECK_OK(hf_encoder_parse(&e, age, 1));
    CHECK_STATUS(hf_encoder_fit(&e, &c, none), HF_ERR_ARGUMENT, "missing in all training rows");
    hf_cohort_free(&c);
}

/* Encoding before fitting must not pass off zeros as statistics. */
static void test_not_fitted(void)
{
    static const char *const unfitted[] = { "age:zscore", "age:minmax", "age:raw", "sex:onehot" };
    hf_cohort c;
    hf_encoder e;
    float out[4];
    make_cohort(&c, people);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(hf_encoder_parse(&e, &unfitted[i], 1));
        CHECK_STATUS(hf_encoder_row(out, &e, &c, 0), HF_ERR_ARGUMENT, "the encoder was not fitted");
    }
    hf_cohort_free(&c);
}

static void test_too_many_categories(void)
{
    hf_cohort c;
    hf_encoder e;
    hf_text text = { 0 };
    hf_part part[17] = { HF_TRAIN };
    static const char *const site[] = { "site:onehot" };
    hf_text_add(&text, "id\tsite\n");
    for (int i = 0; i < 17; i++)
        hf_text_add(&text, "p%d\tsite%d\n", i, i);
    make_cohort(&c, text.data);
    CHECK_OK(hf_encoder_parse(&e, site, 1));
    CHECK_STATUS(hf_encoder_fit(&e, &c, part), HF_ERR_UNSUPPORTED, "more than 16 categories; is it a number?");
    part[16] = HF_TEST;
    CHECK_OK(hf_encoder_fit(&e, &c, part));
    CHECK(e.width == 16 && strcmp(e.feature[0].category[2], "site10") == 0); /* in byte order */
    hf_text_free(&text);
    hf_cohort_free(&c);
}

static void test_pairs(void)
{
    hf_cohort c;
    hf_encoder e;
    float row[8], same[8];
    make_cohort(&c, people);
    CHECK_OK(hf_encoder_parse(&e, specs, 4));
    CHECK_OK(hf_encoder_fit(&e, &c, parts));
    static const char *const full[] = { "age=70", "SEX=F", "mmse=n/a", "cdr=.5" };
    CHECK_OK(hf_encoder_pairs(row, &e, full, 4));
    CHECK_OK(hf_encoder_row(same, &e, &c, 1));
    CHECK(memcmp(row, same, sizeof row) == 0);
    CHECK_OK(hf_encoder_pairs(row, &e, full, 2)); /* absent ones count as missing */
    const float two[] = { 1, 0, same[2], 0.5f, 0, 0, 0, 1 };
    CHECK(memcmp(row, two, sizeof row) == 0);
    static const struct {
        const char *pair[2], *message;
    } bad[] = {
        { { "age=70", "sxe=F" }, "'sxe=F': no such input; did you mean 'sex'?; expected sex, Age, mmse, cdr" },
        { { "age=70", "age=71" }, "given twice" },
        { { "age", "sex=F" }, "'age': expected NAME=VALUE" },
        { { "=70", "sex=F" }, "no such input" },
        { { "age=old", "sex=F" }, "column 'Age': 'old', expected a number" },
        { { "age=70", "sex=X" }, "category 'X' is not known; known are 'F', 'M'" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STATUS(hf_encoder_pairs(row, &e, bad[i].pair, 2), i < 4 ? HF_ERR_ARGUMENT : HF_ERR_FORMAT,
                     bad[i].message);
    static const char *const huge[] = { "age=1e300" };
    CHECK_STATUS(hf_encoder_pairs(row, &e, huge, 1), HF_ERR_NUMBER, "does not fit");
    hf_cohort_free(&c);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* The row of subject `index` for one spec fitted on the first four of `people`, or whatever `part` says. */
static int encode(float *row, const char *spec, const hf_cohort *c, const hf_part *part, int index)
{
    hf_encoder e;
    int width = -1;
    if (CHECK_OK(hf_encoder_parse(&e, &spec, 1)) && CHECK_OK(hf_encoder_fit(&e, c, part)) &&
        CHECK_OK(hf_encoder_row(row, &e, c, index)))
        width = e.width;
    else
        fprintf(stderr, "    '%s'\n", spec);
    hf_encoder_free(&e);
    return width;
}

static void test_steps(void)
{
    /* x of the training rows: 1, 2, missing, 6, 9; of the other row 100. */
    static const char text[] = "id\tx\tsite\tsex\na\t1\tA\tF\nb\t2\tA\tmale\nc\tn/a\tB\tfemale\nd\t6\tB\tM\n"
                               "e\t9\tB\tWoman\nf\t100\tC\tman\ng\tn/a\tA\tn/a\n";
    static const hf_part part[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TEST, HF_TEST };
    static const struct {
        const char *spec;
        int subject, width;
        double row[6];
    } rows[] = {
        { "x:raw", 2, 1, { 4 } }, /* the median of 1, 2, 6, 9 */
        { "x:raw+median", 2, 1, { 4 } },
        { "x:raw+mean", 2, 1, { 4.5 } },
        { "x:raw+fill(-3)", 2, 1, { -3 } },
        { "x:raw+median(site)", 2, 1, { 7.5 } }, /* of 6 and 9 */
        { "x:raw+median(site)", 6, 1, { 1.5 } },
        { "x:raw+missing", 2, 2, { 4, 1 } },
        { "x:flag", 2, 1, { 1 } },
        { "x:flag", 3, 1, { 0 } },
        { "x:zscore", 3, 1, { 1.5 / 3.6968455021364722 } },           /* mean 4.5, sd of 1, 2, 6, 9 */
        { "x:zscore+fill(4.5)", 3, 1, { 1.5 / 3.2015621187164243 } }, /* sd of 1, 2, 4.5, 6, 9 */
        { "x:zscore+median", 2, 1, { (4 - 4.4) / 3.2093613071762421 } },
        { "x:raw+missing(zscore)", 2, 2, { 4, 0.8 / 0.44721359549995793 } },
        { "x:minmax", 5, 1, { 99.0 / 8 } },
        { "x:above(6)", 3, 1, { 0 } },
        { "x:above(6)", 4, 1, { 1 } },
        { "x:bins(4)", 0, 4, { 1, 0, 0, 0 } }, /* of the range 1 to 9 */
        { "x:bins(4)", 3, 4, { 0, 0, 1, 0 } },
        { "x:bins(4)", 5, 4, { 0, 0, 0, 1 } },
        { "x:bins(0,10,5)", 1, 5, { 0, 1, 0, 0, 0 } },
        { "x:edges(2,6)", 0, 3, { 1, 0, 0 } },
        { "x:edges(2,6)", 1, 3, { 0, 1, 0 } },
        { "x:edges(2,6)", 3, 3, { 0, 0, 1 } },
        { "sex:onehot(F,M)+category", 6, 3, { 0, 0, 1 } },
        { "sex:onehot(F,M)+category", 2, 3, { 1, 0, 0 } },
        { "sex:onehot(F,M)+missing", 6, 3, { 0, 0, 1 } },
        { "sex:onehot(F,M)", 4, 2, { 1, 0 } },         /* Woman */
        { "sex:onehot(Male,Female)", 5, 2, { 1, 0 } }, /* man */
        { "sex:onehot", 1, 2, { 0, 1 } },              /* learned: F, M */
        { "site:onehot(A,rest=b|C)", 2, 2, { 0, 1 } },
        { "sex:onehot(F,M)+zscore", 0, 2, { 0.4 / 0.54772255750516607, -0.4 / 0.54772255750516607 } },
    };
    hf_cohort c;
    float row[8];
    make_cohort(&c, text);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool good = CHECK(encode(row, rows[i].spec, &c, part, rows[i].subject) == rows[i].width);
        for (int k = 0; good && k < rows[i].width; k++)
            good = CHECK_NEAR(row[k], rows[i].row[k], 1e-6);
        if (!good) fprintf(stderr, "    '%s' of subject %d\n", rows[i].spec, rows[i].subject);
    }
    hf_cohort_free(&c);
}

/* A row without what a feature cannot do without trains nobody and is refused by name. */
static void test_dropped_rows(void)
{
    static const char *const both[] = { "x:zscore+drop", "y:raw" }, *const sex[] = { "sex:onehot(F,M)" };
    hf_cohort c;
    hf_encoder e;
    float row[4];
    const hf_part part[] = { HF_TRAIN, HF_TRAIN, HF_TRAIN, HF_TRAIN };
    make_cohort(&c, "id\tx\ty\tsex\na\t1\t10\tF\nb\tn/a\t1000\tM\nc\t2\t20\tn/a\nd\t3\t30\tM\n");
    CHECK_OK(hf_encoder_parse(&e, both, 2));
    if (CHECK_OK(hf_encoder_fit(&e, &c, part))) CHECK(e.feature[1].high == 30 && e.feature[1].mean == 20);
    CHECK(e.feature[0].n_missing == 1);
    CHECK_STATUS(hf_encoder_row(row, &e, &c, 1), HF_ERR_FORMAT, "subject 'b' ('made.tsv' line 3): column 'x': missing");
    CHECK_OK(hf_encoder_row(row, &e, &c, 2));
    CHECK_OK(hf_encoder_parse(&e, sex, 1));
    CHECK_OK(hf_encoder_fit(&e, &c, part));
    CHECK_STATUS(hf_encoder_row(row, &e, &c, 2), HF_ERR_FORMAT, "has no way to say so (+missing, +category, +zeros)");
    CHECK_STATUS(hf_encoder_pairs(row, &e, NULL, 0), HF_ERR_FORMAT, "column 'sex': missing");
    hf_cohort_free(&c);
}

/* Against scipy.ndimage.gaussian_filter1d of a one in 42 bins (sigma 1, its default reflection). */
static void test_smooth(void)
{
    static const double middle[] = { 0.0001338306, 0.0044318617, 0.0539911274, 0.2419714457, 0.3989434694 };
    static const double edge[] = { 0.6409149150, 0.2959625730, 0.0584229891, 0.0045656923, 0.0001338306 };
    hf_cohort c;
    float row[42];
    const hf_part part[] = { HF_TRAIN, HF_TRAIN };
    make_cohort(&c, "id\tAGE\na\t70.5\nb\t50.4\n");
    CHECK(encode(row, "AGE:smooth(50,92,42,1)", &c, part, 0) == 42);
    for (int k = 0; k < 5; k++) {
        CHECK_NEAR(row[16 + k], middle[k], 1e-7);
        CHECK_NEAR(row[24 - k], middle[k], 1e-7);
    }
    CHECK(row[15] == 0 && row[25] == 0);
    CHECK(encode(row, "AGE:smooth(50,92,42,1)", &c, part, 1) == 42);
    for (int k = 0; k < 5; k++)
        CHECK_NEAR(row[k], edge[k], 1e-7);
    hf_cohort_free(&c);
}

/* ---- the published sets ------------------------------------------------------------------------------------------ */

/* A clinical table with missing values; the last third does not train. */
static void make_clinical(hf_cohort *c, hf_part *part, int n, uint64_t other_rows)
{
    hf_text text = { 0 };
    hf_text_add(&text, "id\tAGE\tPTGENDER\tPTEDUCAT\tAPOE4\tABETA\tPTAU\tTAU\tFDG\tAV45\n");
    for (int i = 0; i < n; i++) {
        const uint64_t seed = i < n * 2 / 3 ? 1 : 1 + other_rows;
        double z[9];
        part[i] = i < n * 2 / 3 ? HF_TRAIN : i % 2 ? HF_TEST : HF_VALID;
        for (int k = 0; k < 9; k++)
            z[k] = hf_random_normal(seed, (uint64_t)k, (uint64_t)i) + (k ? 0.5 * z[0] : 0);
        hf_text_add(&text, "p%d\t%.1f\t%s\t%d", i, 73 + 7 * z[0], z[8] > 0 ? "Female" : "Male", 16 + (int)z[1]);
        const double value[] = { fabs(z[2]) > 2 ? 2 : floor(fabs(z[2])),
                                 960 + 400 * z[3],
                                 28 + 9 * z[4],
                                 290 + 90 * z[5],
                                 1.2 + 0.1 * z[6],
                                 1.2 + 0.2 * z[7] };
        for (int k = 0; k < 6; k++) {
            char cell[32];
            snprintf(cell, sizeof cell, k == 0 ? "\t%.0f" : k == 1 ? "\t>%.1f" : "\t%.3f", value[k]);
            hf_text_add(&text, "%s", hf_random_uniform(seed, 20 + (uint64_t)k, (uint64_t)i) < 0.3 ? "\tn/a" : cell);
        }
        hf_text_add(&text, "\n");
    }
    make_cohort(c, text.data);
    hf_text_free(&text);
}

static void test_sets(void)
{
    static const int widths[] = { 3, 2, 4, 8, 1, 1, 42, 1, 6, 16, 16, 10, 16, 10, 0, 16, 1, 3, 6 };
    hf_cohort c;
    hf_encoder e;
    hf_part part[150];
    float row[64];
    make_clinical(&c, part, 150, 0);
    for (int set = 0; set < 19; set++) {
        char name[16];
        const char *spec = name;
        snprintf(name, sizeof name, "set%d", set);
        if (set == 14) {
            CHECK_STATUS(hf_encoder_parse(&e, &spec, 1), HF_ERR_UNSUPPORTED, "set13 has the same columns");
            continue;
        }
        bool good = CHECK_OK(hf_encoder_parse(&e, &spec, 1)) && CHECK(e.width == widths[set]) &&
                    CHECK_OK(hf_encoder_fit(&e, &c, part)) && CHECK(e.width == widths[set]);
        for (int i = 0; good && i < c.n_subjects; i++)
            good = CHECK_OK(hf_encoder_row(row, &e, &c, i));
        if (!good) fprintf(stderr, "    set %d\n", set);
        hf_encoder_free(&e);
    }
    hf_cohort_free(&c);
}

/* Set 15: the order of its 16 columns, and what they are in a training row: mean 0 and sd 1 over the training rows after
 * imputation, sex and flags as they are. */
static void test_set_15(void)
{
    static const char *const set[] = { "set15" };
    static const char *const order[] = {
        "AGE", "PTEDUCAT", "APOE4", "ABETA", "PTAU", "TAU", "FDG", "AV45", "PTGENDER"
    };
    hf_cohort c;
    hf_encoder e;
    hf_part part[150];
    double sum[16] = { 0 }, squares[16] = { 0 };
    float row[16];
    make_clinical(&c, part, 150, 0);
    CHECK_OK(hf_encoder_parse(&e, set, 1));
    if (!CHECK_OK(hf_encoder_fit(&e, &c, part))) return;
    for (int k = 0; k < 9; k++)
        CHECK(strcmp(e.feature[k].column, order[k]) == 0);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(hf_encoder_row(row, &e, &c, i));
        for (int k = 0; k < 16; k++) {
            sum[k] += row[k];
            squares[k] += (double)row[k] * row[k];
        }
        const char *sex = hf_table_cell(&c.table, i, 2);
        CHECK(row[8] == (sex[0] == 'F') && row[9] == (sex[0] == 'M'));
        for (int k = 0; k < 6; k++)
            CHECK(row[10 + k] == (hf_table_cell(&c.table, i, 4 + k) == NULL));
    }
    for (int k = 0; k < 8; k++) {
        CHECK_NEAR(sum[k] / 100, 0, 1e-6);
        CHECK_NEAR(squares[k] / 99, 1, 1e-6);
    }
    hf_encoder_free(&e);
    hf_cohort_free(&c);
}

static bool same_text(const hf_encoder *a, const hf_encoder *b)
{
    hf_text x = { 0 }, y = { 0 };
    CHECK_OK(hf_encoder_write(a, &x));
    CHECK_OK(hf_encoder_write(b, &y));
    const bool same = x.size == y.size && memcmp(x.data, y.data, x.size) == 0;
    hf_text_free(&x);
    hf_text_free(&y);
    return same;
}

/* Changing every validation and test row changes no bit of what was fitted, the imputer included; with fit_all it does. */
static void test_no_leak_in_sets(void)
{
    hf_cohort c, changed;
    hf_part part[150];
    hf_encoder e, again;
    make_clinical(&c, part, 150, 0);
    make_clinical(&changed, part, 150, 1);
    for (int set = 0; set < 19; set++) {
        char name[16];
        const char *spec = name;
        snprintf(name, sizeof name, "set%d", set);
        for (int all = 0; all < 2 && set != 14; all++) {
            CHECK_OK(hf_encoder_parse(&e, &spec, 1));
            e.fit_all = all;
            again = e;
            if (!CHECK_OK(hf_encoder_fit(&e, &c, part)) || !CHECK_OK(hf_encoder_fit(&again, &changed, part))) return;
            const bool nothing = set == 1; /* a sex with given categories has nothing to fit */
            if (!CHECK(same_text(&e, &again) == (nothing || !all))) fprintf(stderr, "    set %d\n", set);
            hf_encoder_free(&e);
            hf_encoder_free(&again);
        }
    }
    hf_cohort_free(&c);
    hf_cohort_free(&changed);
}

/* ---- as text ----------------------------------------------------------------------------------------------------- */

static void test_text(void)
{
    hf_cohort c;
    hf_part part[150];
    float row[64], same[64];
    make_clinical(&c, part, 150, 0);
    for (int set = 0; set < 19; set++) {
        char name[16];
        const char *spec = name;
        hf_encoder e, read;
        hf_text text = { 0 };
        snprintf(name, sizeof name, "set%d", set);
        if (set == 14) continue;
        CHECK_OK(hf_encoder_parse(&e, &spec, 1));
        CHECK_OK(hf_encoder_fit(&e, &c, part));
        CHECK_OK(hf_encoder_write(&e, &text));
        if (!CHECK_OK(hf_encoder_read(&read, text.data))) return;
        CHECK(same_text(&e, &read) && read.width == e.width);
        for (int i = 0; i < c.n_subjects; i++) {
            CHECK_OK(hf_encoder_row(row, &e, &c, i));
            CHECK_OK(hf_encoder_row(same, &read, &c, i));
            CHECK(memcmp(row, same, (size_t)e.width * sizeof *row) == 0);
        }
        hf_encoder_free(&read);
        /* Cut off anywhere, it is refused or it is an encoder, and never anything else. */
        for (size_t cut = 0; cut < text.size; cut += 1 + text.size / 97) {
            text.data[text.size - cut - 1] = '\0';
            if (hf_encoder_read(&read, text.data) == HF_OK) hf_encoder_free(&read);
        }
        hf_text_free(&text);
        hf_encoder_free(&e);
    }
    hf_cohort_free(&c);
}

static void test_text_refused(void)
{
    static const char *const bad[] = {
        "",
        "encoder 2\n",
        "encoder 1\nmean 3\n",
        "encoder 1\nfeature age\n",
        "encoder 1\nfeature a:raw\nmean\n",
        "encoder 1\nfeature a:raw\nmean x\n",
        "encoder 1\nfeature a:raw\nmean 1 2\n",
        "encoder 1\nfeature a:raw\nmissing -1\n",
        "encoder 1\nfeature a:raw\nnonsense 1\n",
        "encoder 1\nfeature a:raw\nimputer 2 1 1\n",
        "encoder 1\nfeature a:raw\nmedian 1\nimputer 99999 1 1\n",
        "encoder 1\nfeature a:raw+impute\nmedian 1\n",
        "encoder 1\nfeature a:raw+impute\nmedian 1\nfeature b:raw\nmedian 1\nimputer 2 1 1\nstart 1 1\norder 0 0\n",
        "encoder 1\nfeature a:raw+impute\nfeature b:raw\nimputer 2 1 1\nstart 1 1\norder 0 1\nweights 1 2\n",
        "encoder 1\nfit_all 2\n",
    };
    hf_encoder e;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!CHECK_STATUS(hf_encoder_read(&e, bad[i]), HF_ERR_FORMAT, "table encoder"))
            fprintf(stderr, "    text %zu\n", i);
    /* Texts that a cell can hold come back. */
    static const char *const site[] = { "site:onehot" };
    hf_cohort c;
    hf_encoder read;
    hf_text text = { 0 };
    const hf_part part[] = { HF_TRAIN, HF_TRAIN };
    make_cohort(&c, "id\tsite\na\t\"two\nlines\\\"\nb\t\"x, y\"\n");
    CHECK_OK(hf_encoder_parse(&e, site, 1));
    CHECK_OK(hf_encoder_fit(&e, &c, part));
    CHECK_OK(hf_encoder_write(&e, &text));
    if (CHECK_OK(hf_encoder_read(&read, text.data))) CHECK(memcmp(&e, &read, sizeof e) == 0);
    hf_text_free(&text);
    hf_cohort_free(&c);
}

static void test_outside(void)
{
    hf_cohort c;
    hf_encoder e;
    hf_outside outside[HF_MAX_FEATURES];
    make_cohort(&c, people);
    CHECK_OK(hf_encoder_parse(&e, specs, 4));
    CHECK_OK(hf_encoder_fit(&e, &c, parts));
    CHECK(hf_encoder_outside(outside, &e, &c, 0) == 0 && hf_encoder_outside(outside, &e, &c, 99) == 0);
    if (CHECK(hf_encoder_outside(outside, &e, &c, 4) == 2)) { /* age 20, mmse 3 */
        CHECK(strcmp(outside[0].column, "Age") == 0 && outside[0].value == 20 && outside[0].low == 60);
        CHECK(strcmp(outside[1].column, "mmse") == 0 && outside[1].high == 30);
    }
    static const char *const pairs[] = { "age=99", "mmse=n/a" };
    CHECK(hf_encoder_outside_pairs(outside, &e, pairs, 2) == 1 && outside[0].value == 99);
    CHECK(hf_encoder_uses(&e, "AGE") && !hf_encoder_uses(&e, "ag") && !hf_encoder_uses(&e, ""));
    hf_cohort_free(&c);
}

int main(void)
{
    test_steps();
    test_dropped_rows();
    test_smooth();
    test_sets();
    test_set_15();
    test_no_leak_in_sets();
    test_text();
    test_text_refused();
    test_outside();
    test_parse();
    test_parse_errors();
    test_fit_and_rows();
    test_no_leak();
    test_fit_errors();
    test_not_fitted();
    test_too_many_categories();
    test_pairs();
    return check_done("encoder");
}
