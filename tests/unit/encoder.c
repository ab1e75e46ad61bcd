/* Checks the tabular encoder: feature lists, statistics of training rows only, encoded rows and pairs. */
#include "check.h"
#include "cohort.h"

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

int main(void)
{
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
