/* Checks the table reader: what it accepts and how cells come out, the ways a table can be damaged with the message
 * each must give, and numbers in cells. */
#include "check.h"
#include "cohort.h"

#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

static hf_status parse(hf_table *table, const char *text, const char *name)
{
    *table = (hf_table){ 0 };
    return hf_table_parse(table, text, strlen(text), name);
}

static const char *cell(const hf_table *table, int row, int column)
{
    const char *text = table->cell[row * table->columns + column];
    return text ? text : "(missing)";
}

/* ---- accepted ---------------------------------------------------------------------------------------------------- */

static void test_plain(void)
{
    hf_table t;
    if (!CHECK_OK(parse(&t, "id\tage\tsex\nsub-1\t70\tF\nsub-2\tn/a\tM\n", "a.tsv"))) return;
    CHECK(t.rows == 2 && t.columns == 3 && strcmp(t.path, "a.tsv") == 0);
    CHECK(strcmp(cell(&t, 0, 0), "sub-1") == 0 && strcmp(cell(&t, 1, 2), "M") == 0);
    CHECK(t.cell[4] == NULL && t.line[0] == 2 && t.line[1] == 3);
    CHECK(hf_table_column(&t, "AGE") == 1 && hf_table_column(&t, "ages") == -1);
    int column;
    CHECK_OK(hf_table_require(&column, &t, "Sex", "the split"));
    CHECK(column == 2);
    CHECK_STATUS(hf_table_require(&column, &t, "agee", "the split"), HF_ERR_ARGUMENT,
                 "'a.tsv': no column 'agee' for the split; did you mean 'age'?; the columns are: id, age, sex");
    hf_table_free(&t);
    hf_table_free(&t);
    hf_table_free(NULL);
}

static void test_quotes_and_lines(void)
{
    hf_table t;
    const char *text = "\xef\xbb\xbf\r\n\"id\",\"note, \"\"short\"\"\"\r\n"
                       "1,\"two\nlines\"\r\n\r\n2,\" kept \"\r\n 3 ,  plain\tand tab \r\n4,";
    if (!CHECK_OK(parse(&t, text, "a.csv"))) return;
    CHECK(t.rows == 4 && t.columns == 2);
    CHECK(strcmp(t.name[0], "id") == 0 && strcmp(t.name[1], "note, \"short\"") == 0);
    CHECK(strcmp(cell(&t, 0, 1), "two\nlines") == 0 && strcmp(cell(&t, 1, 1), " kept ") == 0);
    CHECK(strcmp(cell(&t, 2, 0), "3") == 0 && strcmp(cell(&t, 2, 1), "plain\tand tab") == 0);
    CHECK(t.cell[7] == NULL);
    CHECK(t.line[0] == 3 && t.line[1] == 6 && t.line[2] == 7 && t.line[3] == 8);
    hf_table_free(&t);
}

static void test_separators(void)
{
    hf_table t;
    CHECK_OK(parse(&t, "a,b\n1,2\n", "x.txt"));
    CHECK(t.columns == 2);
    hf_table_free(&t);
    CHECK_OK(parse(&t, "a,b\tc\td\n1\t2\t3\n", "x.txt"));
    CHECK(t.columns == 3 && strcmp(t.name[0], "a,b") == 0);
    hf_table_free(&t);
    CHECK_OK(parse(&t, "a\tb\n5' 11\"\t\"q\"\n", "x.TSV"));
    CHECK(strcmp(cell(&t, 0, 0), "5' 11\"") == 0 && strcmp(cell(&t, 0, 1), "q") == 0);
    hf_table_free(&t);
    CHECK_OK(parse(&t, "a;\"b,c,d\";e\n1;2,5;3\n", "x.csv")); /* quoted commas do not count */
    CHECK(t.columns == 3 && strcmp(t.name[1], "b,c,d") == 0 && strcmp(cell(&t, 0, 1), "2,5") == 0);
    hf_table_free(&t);
    CHECK_OK(parse(&t, "a;b\n1;2\n", "x.txt"));
    CHECK(t.columns == 2);
    hf_table_free(&t);
    CHECK_OK(parse(&t, "only\n\n7\n", "x.csv"));
    CHECK(t.columns == 1 && t.rows == 1 && t.line[0] == 3);
    hf_table_free(&t);
}

static void test_unicode(void)
{
    hf_table t;
    const char *text = "Größe\t年齢\t\xf0\x9f\xa7\xa0\n1\t\xf4\x8f\xbf\xbf\t\xed\x9f\xbf\n";
    if (!CHECK_OK(parse(&t, text, "a.tsv"))) return;
    CHECK(hf_table_column(&t, "年齢") == 1 && hf_table_column(&t, "Größe") == 0);
    hf_table_free(&t);
}

static void test_missing(void)
{
    static const char *const missing[] = { "",    "  ",   "n/a",  "N/A",  "NA", "na", "NaN",
                                           "nan", "NULL", "null", "None", ".",  " . " };
    static const char *const known[] = { "0", "-", "nano", "n", "..", "no", "unknown" };
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        CHECK(hf_text_missing(missing[i]));
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CHECK(!hf_text_missing(known[i]));
}

/* ---- damaged ----------------------------------------------------------------------------------------------------- */

typedef struct damage {
    const char *name, *text;
    size_t size; /* 0: strlen(text) */
    const char *message;
} damage;

static const damage damages[] = {
    { "t.tsv", "", 0, "empty, expected a line of column names" },
    { "t.tsv", "\n\n\r\n", 0, "empty, expected" },
    { "t.tsv", "\xef\xbb\xbf", 0, "empty, expected" },
    { "t.tsv", "a\tb\n", 0, "no rows below the column names" },
    { "t.tsv", "a\tb", 0, "no rows below" },
    { "t.tsv", "a\tb\n1\n", 0, "'t.tsv' line 2: 1 cells, the header has 2" },
    { "t.tsv", "a\tb\n1\t2\n1\t2\t3\n", 0, "line 3: 3 cells, the header has 2" },
    { "t.csv", "a,b\n1,2,\n", 0, "line 2: 3 cells, the header has 2" },
    { "t.csv", "a,b\n\n\n1\n", 0, "line 4: 1 cells" },
    { "t.csv", "a,b\n\"x\ny\",1\n1\n", 0, "line 4: 1 cells" },
    { "t.tsv", "a\tb\n   \n", 0, "line 2: 1 cells" },
    { "t.csv", "a,b\n1,2\n#end\n", 0, "line 3: 1 cells" },
    { "t.tsv", "a\t\tc\n1\t2\t3\n", 0, "line 1: column 2 has no name" },
    { "t.csv", ",age\n0,70\n", 0, "line 1: column 1 has no name" },
    { "t.csv", "a,b,\n1,2,3\n", 0, "line 1: column 3 has no name" },
    { "t.csv", "a,\"\"\n1,2\n", 0, "line 1: column 2 has no name" },
    { "t.csv", "a,   \n1,2\n", 0, "line 1: column 2 has no name" },
    { "t.tsv", "age\tsex\tage\n1\t2\t3\n", 0, "two columns are named 'age'" },
    { "t.tsv", "Age\tAGE\n1\t2\n", 0, "line 1: two columns are named" },
    { "t.csv", "a, a\n1,2\n", 0, "two columns are named 'a'" },
    { "t.csv", "a,b\n\"1,2\n", 0, "line 2: a quote is opened and never closed" },
    { "t.csv", "a,b\n1,2\n3,\"4\n5,6\n7,8\n", 0, "line 3: a quote is opened and never closed" },
    { "t.csv", "\"a,b\n1,2\n", 0, "line 1: a quote is opened and never closed" },
    { "t.csv", "a,b\n1,\"x\"\"\n", 0, "line 2: a quote is opened and never closed" },
    { "t.csv", "a,b\n1,\"", 0, "line 2: a quote is opened and never closed" },
    { "t.csv", "a,b\n\"1\"x,2\n", 0, "line 2: text after a closing quote" },
    { "t.csv", "a,b\n\"1\" ,2\n", 0, "line 2: text after a closing quote" },
    { "t.tsv", "a\tb\n\"1\"2\t3\n", 0, "line 2: text after a closing quote" },
    { "t.csv", "a,b\n\"x\ny\"z,2\n", 0, "line 3: text after a closing quote" },
    { "t.csv", "a,b\n1,x\"y\"\n", 0, "line 2: a quote inside a cell that does not start with one" },
    { "t.csv", "a,b\n1, \"y\"\n", 0, "line 2: a quote inside a cell" },
    { "t.csv", "a,b\r1,2\r", 0, "line 1: a carriage return without a line feed" },
    { "t.csv", "a,b\n1,2\r", 0, "line 2: a carriage return without a line feed" },
    { "t.csv", "a,b\n1\r,2\n", 0, "line 2: a carriage return without" },
    { "t.csv", "a,b\n\"1\"\r,2\n", 0, "line 2: a carriage return without" },
    { "t.csv", "a,b\n1,\0\n", 8, "line 2: a NUL byte" },
    { "t.csv", "a,b\n1,2\n\0", 9, "line 3: a NUL byte" },
    { "t.csv", "a,b\n1,\x01\n", 0, "line 2: control byte 0x01" },
    { "t.csv", "a,b\n1,\x1b[0m\n", 0, "line 2: control byte 0x1b" },
    { "t.csv", "a,b\n1,\x7f\n", 0, "line 2: control byte 0x7f" },
    { "t.csv", "PK\x03\x04", 0, "line 1: control byte 0x03" },
    { "t.csv", "\x1f\x8b\x08", 0, "line 1: control byte 0x1f" },
    { "t.csv",
      "\xff\xfe"
      "a\0,\0b\0",
      8, "line 1: UTF-16 text, expected UTF-8" },
    { "t.csv", "\xfe\xff\0a", 4, "line 1: UTF-16 text, expected UTF-8" },
    { "t.csv",
      "a,b\n1,Gr\xf6\xdf"
      "e\n",
      0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\x80\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xc0\xaf\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xe0\x80\xaf\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xf0\x80\x80\xaf\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xed\xa0\x80\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xf4\x90\x80\x80\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xf5\x80\x80\x80\n", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xe2\x82", 0, "line 2: damaged UTF-8" },
    { "t.csv", "a,b\n1,\xe2\x82\n", 0, "line 2: damaged UTF-8" },
    { "t.tsv", "a;b\n1;2\n", 0, "line 1: separated by semicolons, expected tabs" },
    { "t.csv", "a;b\n1;x\"y\"\n", 0, "line 2: a quote inside a cell that does not start with one" },
    { "t.csv", "a\tb\n1\t2\n", 0, "line 1: separated by tabs, expected commas" },
    { "t.tsv", "a,b\n1,2\n", 0, "line 1: separated by commas, expected tabs" },
};

static void test_damages(void)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const damage *d = &damages[i];
        hf_table t = { 0 };
        size_t size = d->size ? d->size : strlen(d->text);
        bool good = CHECK_STATUS(hf_table_parse(&t, d->text, size, d->name), HF_ERR_FORMAT, d->message);
        if (!good) fprintf(stderr, "    damage %zu\n", i);
        CHECK(t.storage == NULL && t.cell == NULL);
        hf_table_free(&t);
    }
}

/* Every prefix of a good table is either a table or refused, and never read past its end. */
static void test_prefixes(void)
{
    const char *text = "\xef\xbb\xbfid,\"na\"\"me\",x\r\n1,\"a\nb\",\xe2\x82\xac\r\n2,,3\r\n";
    size_t size = strlen(text), accepted = 0;
    for (size_t n = 0; n <= size; n++) {
        char *exact = malloc(n ? n : 1); /* no byte beyond: an address checker sees any overrun */
        if (!exact) return;
        memcpy(exact, text, n);
        hf_table t = { 0 };
        hf_status status = hf_table_parse(&t, exact, n, "cut.csv");
        accepted += status == HF_OK;
        CHECK(status == HF_OK || status == HF_ERR_FORMAT);
        hf_table_free(&t);
        free(exact);
    }
    CHECK(accepted == 6); /* after the euro sign, its line end, "2,," "2,,3" and its line end */
}

static void test_limits(void)
{
    enum { COLUMNS = 4097, ROWS = 10000001 };
    hf_text text = { 0 };
    hf_table t = { 0 };
    for (int c = 0; c < COLUMNS - 1; c++)
        hf_text_add(&text, "%sc%d", c ? "," : "", c);
    size_t header = text.size;
    hf_text_add(&text, ",more\n1\n");
    CHECK_STATUS(hf_table_parse(&t, text.data, text.size, "w.csv"), HF_ERR_FORMAT, "line 1: more than 4096 columns");
    text.size = header;
    hf_text_add(&text, "\n");
    for (int c = 0; c < COLUMNS - 1; c++)
        hf_text_add(&text, "%s1", c ? "," : "");
    if (CHECK_OK(hf_table_parse(&t, text.data, text.size, "w.csv"))) CHECK(t.columns == COLUMNS - 1);
    hf_table_free(&t);
    text.size = 0;
    hf_text_add(&text, "a\n");
    for (int r = 0; r < ROWS; r++)
        hf_text_add_bytes(&text, "1\n", 2);
    CHECK_STATUS(hf_table_parse(&t, text.data, text.size, "l.csv"), HF_ERR_FORMAT, "more than 10000000 rows");
    CHECK_OK(hf_table_parse(&t, text.data, text.size - 2, "l.csv"));
    CHECK(t.rows == ROWS - 1);
    hf_table_free(&t);
    CHECK_STATUS(hf_table_parse(&t, text.data, ((size_t)1 << 28) + 1, "l.csv"), HF_ERR_FORMAT, "at most 268435456");
    hf_text_free(&text);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void test_numbers(void)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {
        { "70", 70 },
        { "-0.5", -0.5 },
        { "+3", 3 },
        { ".5", 0.5 },
        { "5.", 5 },
        { "1e3", 1000 },
        { "1E-2", 0.01 },
        { "<200", 200 },
        { ">1700", 1700 },
        { "89+", 89 },
        { " < 8 ", 8 },
        { "  12\t", 12 },
        { "0.1", 0.1 },
        { "1e-400", 0 },
        { "-0", 0 },
        { "007", 7 },
        { "2.5e+1", 25 },
        { ">90+", 90 },
        { "1.7976931348623157e308", 1.7976931348623157e308 },
    };
    static const char *const bad[] = { "",      " ",   "+",    "-",        ".",   "e5",    "1e",     "1e+",   "0x10",
                                       "0x",    "inf", "-inf", "infinity", "nan", "NaN",   "1,5",    "1.2.3", "12 3",
                                       "12a",   "--1", "<",    "<>1",      "1++", "1e999", "-1e999", "1_000", "\u22121",
                                       "1e5.5", "<<1", "1-",   "#1",       "1/2", "50%" };
    double value;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        bool read = CHECK(hf_text_number(&value, good[i].text)) && CHECK(value == good[i].value);
        if (!read) fprintf(stderr, "    '%s'\n", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        value = 7;
        if (!CHECK(!hf_text_number(&value, bad[i]) && value == 7)) fprintf(stderr, "    '%s'\n", bad[i]);
    }
}

/* A decimal comma in the process's locale changes nothing. */
static void test_locale(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE" };
    double value = 0;
    bool found = false;
    for (size_t i = 0; i < 4 && !found; i++)
        found = setlocale(LC_ALL, names[i]) != NULL;
    if (!found) check_skip("no locale with a decimal comma is installed");
    CHECK(hf_text_number(&value, "2.5") && value == 2.5);
    CHECK(!hf_text_number(&value, "2,5"));
    setlocale(LC_ALL, "C");
}

static void test_number_cells(void)
{
    hf_table t;
    double value = 7;
    if (!CHECK_OK(parse(&t, "id\tage\n1\t89+\n2\tn/a\n3\tseventy\n", "n.tsv"))) return;
    CHECK_OK(hf_table_number(&value, &t, 0, 1));
    CHECK(value == 89);
    CHECK_OK(hf_table_number(&value, &t, 1, 1));
    CHECK(isnan(value));
    value = 7;
    CHECK_STATUS(hf_table_number(&value, &t, 2, 1), HF_ERR_FORMAT,
                 "'n.tsv' line 4, column 'age': 'seventy', expected a number");
    CHECK_STATUS(hf_table_number(&value, &t, 3, 1), HF_ERR_ARGUMENT, "row 3, column 1 of a table of 3 x 2");
    CHECK_STATUS(hf_table_number(&value, &t, 0, -1), HF_ERR_ARGUMENT, "column -1");
    CHECK(value == 7);
    hf_table_free(&t);
}

/* Whatever a cell can hold comes back from a written table. */
static void test_written(void)
{
    static const char *const texts[] = { "plain",    "a\tb",   "two\nlines", "cr\rlf\r\n", "\"quoted\"", "5' 11\"",
                                         " padded ", "a\"\tb", "x;y,z",      "",           "\"",         "Größe" };
    enum { N = sizeof texts / sizeof texts[0] };
    hf_text out = { 0 };
    hf_table t = { 0 };
    hf_table_add_row(&out, (const char *const[]){ "id", "note" }, 2);
    for (int i = 0; i < N; i++)
        hf_table_add_row(&out, (const char *const[]){ texts[i], i % 2 ? NULL : texts[i] }, 2);
    if (!CHECK_OK(hf_table_parse(&t, out.data, out.size, "w.tsv"))) return;
    CHECK(t.rows == N && t.columns == 2);
    for (int i = 0; i < N; i++) {
        CHECK(strcmp(cell(&t, i, 0), texts[i][0] ? texts[i] : "(missing)") == 0);
        CHECK(strcmp(cell(&t, i, 1), i % 2 ? "(missing)" : texts[i]) == 0);
    }
    hf_text_free(&out);
    hf_table_free(&t);
}

static void test_file(void)
{
    char path[] = "/tmp/hf-table-XXXXXX";
    int file = mkstemp(path);
    hf_table t = { 0 };
    if (!CHECK(file >= 0)) return;
    CHECK(write(file, "a,b\n1,2\n", 8) == 8);
    close(file);
    if (CHECK_OK(hf_table_read(&t, path))) CHECK(t.rows == 1 && strcmp(t.path, path) == 0);
    hf_table_free(&t);
    unlink(path);
    CHECK_STATUS(hf_table_read(&t, path), HF_ERR_IO, "cannot open");
}

int main(void)
{
    test_plain();
    test_quotes_and_lines();
    test_separators();
    test_unicode();
    test_missing();
    test_damages();
    test_prefixes();
    test_limits();
    test_numbers();
    test_locale();
    test_number_cells();
    test_written();
    test_file();
    return check_done("table");
}
