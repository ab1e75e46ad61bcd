/* table.c: TSV and CSV tables, and the numbers in their cells.
 *
 * The text is copied once and taken apart in place: every cell is a pointer into that copy, ended by a NUL where its
 * separator was. A first pass refuses what is no text at all (NUL and control bytes, damaged UTF-8); the second reads
 * records by RFC 4180, with tabs instead of commas for TSV, and semicolons where a CSV has those. Where files in the wild
 * differ from the RFC:
 *   - blanks around a cell without quotes are dropped; inside quotes they stay;
 *   - empty lines are skipped;
 *   - in TSV, a quote inside a cell that does not start with one is an ordinary character (RFC 4180 has no say, and
 *     inches and remarks contain them); in CSV it is refused.
 * Line numbers count line ends in the file, so they are what an editor shows. */
#include "cohort.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_BYTES = 1 << 28,
    MAX_ROWS = 10000000,
    MAX_COLUMNS = 4096,
};

typedef struct parser {
    const char *name; /* for messages */
    char *next, *end; /* what is left; *end is a NUL that may be written to */
    char separator;
    int line;    /* of *next, from 1 */
    char **cell; /* [n_cells], as read */
    size_t n_cells, cell_capacity;
    int *row_line; /* [n_rows] first line of each record, the header being row 0 */
    size_t n_rows, row_capacity;
} parser;

static hf_status refuse(const parser *p, int line, const char *what)
{
    return hf_fail(HF_ERR_FORMAT, "'%s' line %d: %s", p->name, line, what);
}

/* ---- first pass: is this text? ----------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `s`, or 0 when it is damaged: overlong, a surrogate, beyond U+10FFFF, cut off. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    /* Ranges of the lead byte with the range of the second byte; all later bytes are 80..BF (Unicode table 3-7). */
    static const struct {
        unsigned char low, high, second_low, second_high, length;
    } forms[] = {
        { 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t length = forms[i].length;
        if (s[0] < forms[i].low || s[0] > forms[i].high) continue;
        if (length > left) return 0;
        if (length > 1 && (s[1] < forms[i].second_low || s[1] > forms[i].second_high)) return 0;
        for (size_t k = 2; k < length; k++)
            if (s[k] < 0x80 || s[k] > 0xbf) return 0;
        return length;
    }
    return 0;
}

static hf_status check_text(const parser *p)
{
    const unsigned char *s = (const unsigned char *)p->next;
    size_t left = (size_t)(p->end - p->next);
    int line = 1;
    if (left >= 2 && ((s[0] == 0xff && s[1] == 0xfe) || (s[0] == 0xfe && s[1] == 0xff)))
        return refuse(p, 1, "UTF-16 text, expected UTF-8");
    while (left > 0) {
        size_t length = utf8_length(s, left);
        if (length == 0) return refuse(p, line, "damaged UTF-8 text");
        bool control = (*s < 0x20 && *s != '\t' && *s != '\n' && *s != '\r') || *s == 0x7f;
        if (*s == '\0') return refuse(p, line, "a NUL byte, expected text");
        if (control)
            return hf_fail(HF_ERR_FORMAT, "'%s' line %d: control byte 0x%02x, expected text", p->name, line, *s);
        line += *s == '\n';
        s += length;
        left -= length;
    }
    return HF_OK;
}

/* ---- second pass: records and cells ------------------------------------------------------------------------------ */

/* Makes room for one more element of `size` bytes. */
static hf_status grow(void *array_pointer, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) return HF_OK;
    void *array;
    memcpy(&array, array_pointer, sizeof array);
    size_t wanted = *capacity ? *capacity * 2 : 256, bytes; /* counts stay far below SIZE_MAX / 2: MAX_BYTES */
    void *bigger = hf_size_mul(wanted, size, &bytes) ? realloc(array, bytes) : NULL;
    if (!bigger) return hf_fail(HF_ERR_MEMORY, "no host memory for a table of %zu cells", wanted);
    memcpy(array_pointer, &bigger, sizeof bigger);
    *capacity = wanted;
    return HF_OK;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What may follow a cell. The end of the file counts as the end of a line. */
static bool at_cell_end(const parser *p)
{
    return p->next == p->end || *p->next == p->separator || *p->next == '\n' || *p->next == '\r';
}

/* Starts at the opening quote; leaves p->next behind the closing one. Text only ever moves towards the front. */
static hf_status read_quoted(parser *p, char **stop)
{
    char *write = p->next++;
    int opened = p->line;
    for (; p->next < p->end; p->next++) {
        if (*p->next == '"') {
            bool doubled = p->next + 1 < p->end && p->next[1] == '"';
            if (!doubled) break;
            p->next++;
        }
        p->line += *p->next == '\n';
        *write++ = *p->next;
    }
    if (p->next == p->end) return refuse(p, opened, "a quote is opened and never closed");
    p->next++;
    if (!at_cell_end(p))
        return refuse(p, p->line, "text after a closing quote, expected a separator or the line's end");
    *stop = write;
    return HF_OK;
}

static hf_status read_plain(parser *p, char **start, char **stop)
{
    for (; !at_cell_end(p); p->next++)
        if (*p->next == '"' && p->separator != '\t')
            return refuse(p, p->line, "a quote inside a cell that does not start with one");
    char *first = *start, *last = p->next;
    while (first < last && blank(*first))
        first++;
    while (last > first && blank(last[-1]))
        last--;
    *start = first;
    *stop = last;
    return HF_OK;
}

/* Reads one cell and what ends it; *more says whether the record goes on. */
static hf_status read_cell(parser *p, bool *more)
{
    char *start = p->next, *stop = NULL;
    HF_TRY(grow(&p->cell, p->n_cells, &p->cell_capacity, sizeof *p->cell));
    HF_TRY(*p->next == '"' ? read_quoted(p, &stop) : read_plain(p, &start, &stop));
    *more = p->next < p->end && *p->next == p->separator;
    if (!*more && p->next < p->end) {
        if (*p->next == '\r') p->next++;
        if (*p->next != '\n') return refuse(p, p->line, "a carriage return without a line feed");
        p->line++;
    }
    if (p->next < p->end) p->next++;
    *stop = '\0'; /* after the separator was looked at: it may be that byte */
    p->cell[p->n_cells++] = start;
    return HF_OK;
}

static hf_status read_record(parser *p)
{
    HF_TRY(grow(&p->row_line, p->n_rows, &p->row_capacity, sizeof *p->row_line));
    size_t before = p->n_cells;
    int line = p->line;
    bool more = true;
    while (more) {
        HF_TRY(read_cell(p, &more));
        if (p->n_cells - before > MAX_COLUMNS)
            return hf_fail(HF_ERR_FORMAT, "'%s' line %d: more than %d columns", p->name, line, MAX_COLUMNS);
    }
    size_t found = p->n_cells - before, columns = p->n_rows ? before / p->n_rows : found;
    if (found != columns)
        return hf_fail(HF_ERR_FORMAT, "'%s' line %d: %zu cells, the header has %zu", p->name, line, found, columns);
    if (p->n_rows > MAX_ROWS) return hf_fail(HF_ERR_FORMAT, "'%s': more than %d rows", p->name, MAX_ROWS);
    p->row_line[p->n_rows++] = line;
    return HF_OK;
}

static void skip_empty_lines(parser *p)
{
    while (p->next < p->end) {
        size_t length = *p->next == '\n' ? 1 : *p->next == '\r' && p->next[1] == '\n' ? 2 : 0;
        if (length == 0) return;
        p->next += length;
        p->line++;
    }
}

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcasecmp(text + length - tail, ending) == 0;
}

/* The separator that the first line has most of, quoted text apart; of equals the first in `candidates`. */
static char most_frequent(const parser *p, const char *candidates)
{
    size_t count[3] = { 0 }, best = 0;
    bool quoted = false;
    for (const char *s = p->next; s < p->end && (quoted || *s != '\n'); s++) {
        quoted ^= *s == '"';
        const char *found = quoted ? NULL : strchr(candidates, *s);
        if (found) count[found - candidates]++;
    }
    for (size_t i = 1; candidates[i]; i++)
        if (count[i] > count[best]) best = i;
    return candidates[best];
}

/* By the name's ending, as far as it tells: spreadsheets that write decimal commas separate .csv by semicolons. */
static char find_separator(const parser *p)
{
    if (ends_with(p->name, ".tsv")) return '\t';
    return most_frequent(p, ends_with(p->name, ".csv") ? ",;" : "\t,;");
}

static hf_status read_records(parser *p)
{
    skip_empty_lines(p);
    if (p->next == p->end) return hf_fail(HF_ERR_FORMAT, "'%s': empty, expected a line of column names", p->name);
    p->separator = find_separator(p);
    while (p->next < p->end) {
        HF_TRY(read_record(p));
        skip_empty_lines(p);
    }
    if (p->n_rows == 1) return hf_fail(HF_ERR_FORMAT, "'%s': no rows below the column names", p->name);
    return HF_OK;
}

/* ---- the finished table ------------------------------------------------------------------------------------------ */

static const char *separator_name(char separator)
{
    return separator == '\t' ? "tabs" : separator == ';' ? "semicolons" : "commas";
}

/* A single column whose name contains another separator: the file is not what its ending says. */
static hf_status check_separator(const parser *p, const hf_table *table)
{
    const char *others = p->separator == '\t' ? ",;" : "\t";
    const char *found = table->columns == 1 ? strpbrk(table->name[0], others) : NULL;
    if (!found) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "'%s' line %d: separated by %s, expected %s", p->name, p->row_line[0],
                   separator_name(*found), separator_name(p->separator));
}

static int compare_names(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    return strcasecmp(*x, *y);
}

static hf_status check_names(const parser *p, const hf_table *table)
{
    char **sorted;
    hf_status status = HF_OK;
    int line = p->row_line[0];
    for (int c = 0; c < table->columns; c++)
        if (!table->name[c][0])
            return hf_fail(HF_ERR_FORMAT, "'%s' line %d: column %d has no name", p->name, line, c + 1);
    HF_TRY(hf_alloc(&sorted, (size_t)table->columns, sizeof *sorted, "column names"));
    memcpy(sorted, table->name, (size_t)table->columns * sizeof *sorted);
    qsort(sorted, (size_t)table->columns, sizeof *sorted, compare_names);
    for (int c = 1; c < table->columns && status == HF_OK; c++)
        if (strcasecmp(sorted[c - 1], sorted[c]) == 0)
            status = hf_fail(HF_ERR_FORMAT, "'%s' line %d: two columns are named '%.60s'", p->name, line, sorted[c]);
    free(sorted);
    return status;
}

/* Moves what was read into the table: the first record becomes the names, missing cells become NULL. */
static hf_status fill_table(hf_table *table, parser *p, const char *name)
{
    size_t columns = p->n_cells / p->n_rows, rows = p->n_rows - 1; /* NOLINT: an empty file was refused */
    HF_TRY(hf_strdup(&table->path, name));
    HF_TRY(hf_alloc(&table->name, columns, sizeof *table->name, "column names"));
    HF_TRY(hf_alloc(&table->line, rows, sizeof *table->line, "line numbers"));
    memcpy(table->name, p->cell, columns * sizeof *p->cell);
    memcpy(table->line, p->row_line + 1, rows * sizeof *p->row_line);
    table->rows = (int)rows;
    table->columns = (int)columns;
    table->cell = p->cell;
    p->cell = NULL;
    memmove(table->cell, table->cell + columns, rows * columns * sizeof *table->cell);
    for (size_t i = 0; i < rows * columns; i++)
        if (hf_text_missing(table->cell[i])) table->cell[i] = NULL;
    HF_TRY(check_separator(p, table));
    return check_names(p, table);
}

hf_status hf_table_parse(hf_table *out, const char *text, size_t size, const char *name)
{
    static const char mark[] = { '\xef', '\xbb', '\xbf' }; /* the byte order mark */
    hf_status status;
    hf_table table = { 0 };
    parser p = { .name = name, .line = 1 };
    if (size > MAX_BYTES) return hf_fail(HF_ERR_FORMAT, "'%s': %zu bytes, at most %d expected", name, size, MAX_BYTES);
    if (size >= sizeof mark && memcmp(text, mark, sizeof mark) == 0) {
        text += sizeof mark;
        size -= sizeof mark;
    }
    HF_TRY(hf_alloc(&table.storage, size + 1, 1, name));
    if (size) memcpy(table.storage, text, size);
    p.next = table.storage;
    p.end = table.storage + size;
    HF_TRY_OUT(check_text(&p));
    HF_TRY_OUT(read_records(&p));
    HF_TRY_OUT(fill_table(&table, &p, name));
    *out = table;
    table = (hf_table){ 0 };
out:
    free(p.cell);
    free(p.row_line);
    hf_table_free(&table);
    return status;
}

hf_status hf_table_read(hf_table *out, const char *path)
{
    void *text;
    size_t size;
    HF_TRY(hf_file_read(&text, &size, path, MAX_BYTES));
    hf_status status = hf_table_parse(out, text, size, path);
    free(text);
    return status;
}

void hf_table_free(hf_table *table)
{
    if (!table) return;
    free(table->path);
    free(table->name);
    free(table->cell);
    free(table->line);
    free(table->storage);
    *table = (hf_table){ 0 };
}

int hf_table_column(const hf_table *table, const char *name)
{
    for (int c = 0; c < table->columns; c++)
        if (strcasecmp(table->name[c], name) == 0) return c;
    return -1;
}

hf_status hf_table_require(int *out, const hf_table *table, const char *name, const char *what)
{
    *out = hf_table_column(table, name);
    if (*out >= 0) return HF_OK;
    enum { LISTED = 40 };
    hf_text all = { 0 };
    for (int c = 0; c < table->columns && c < LISTED; c++)
        hf_text_add(&all, "%s%.60s", c ? ", " : "", table->name[c]);
    if (table->columns > LISTED) hf_text_add(&all, ", and %d more", table->columns - LISTED);
    const char *nearest = hf_nearest(name, (const char *const *)table->name, (size_t)table->columns);
    hf_status status = hf_fail(HF_ERR_ARGUMENT, "'%s': no column '%s' for %s%s%s%s; the columns are: %s", table->path,
                               name, what, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                               nearest ? "'?" : "", all.data ? all.data : "");
    hf_text_free(&all);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* Whether a cell would come back as another text: it holds a separator or line end, begins like a quoted one, or loses
 * blanks at its ends. */
static bool needs_quotes(const char *text)
{
    const size_t length = strlen(text);
    return length == 0 || strpbrk(text, "\t\n\r") || text[0] == '"' || text[0] == ' ' || text[length - 1] == ' ';
}

static void add_quoted(hf_text *out, const char *text)
{
    hf_text_add_bytes(out, "\"", 1);
    for (; *text; text++)
        hf_text_add_bytes(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    hf_text_add_bytes(out, "\"", 1);
}

void hf_table_add_row(hf_text *out, const char *const *cells, int count)
{
    for (int i = 0; i < count; i++) {
        const char *text = cells[i] ? cells[i] : "n/a";
        if (i) hf_text_add(out, "\t");
        if (needs_quotes(text))
            add_quoted(out, text);
        else
            hf_text_add_bytes(out, text, strlen(text));
    }
    hf_text_add(out, "\n");
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

/* The part of `text` between blanks. */
static const char *trim(const char *text, size_t *length)
{
    while (blank(*text))
        text++;
    size_t n = strlen(text);
    while (n > 0 && blank(text[n - 1]))
        n--;
    *length = n;
    return text;
}

bool hf_text_missing(const char *text)
{
    static const char *const words[] = { "", "n/a", "na", "nan", "null", "none", "." };
    size_t length;
    const char *inner = trim(text, &length);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (length == strlen(words[i]) && strncasecmp(inner, words[i], length) == 0) return true;
    return false;
}

static const char *skip_digits(const char *s)
{
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

/* The end of the decimal number at `s`, or NULL when there is none: sign, digits with a point, exponent. */
static const char *scan_number(const char *s)
{
    if (*s == '+' || *s == '-') s++;
    const char *whole = s;
    s = skip_digits(s);
    bool digits = s > whole;
    if (*s == '.') {
        const char *fraction = s + 1;
        s = skip_digits(fraction);
        digits = digits || s > fraction;
    }
    if (!digits) return NULL;
    if (*s == 'e' || *s == 'E') {
        const char *exponent = s[1] == '+' || s[1] == '-' ? s + 2 : s + 1;
        s = skip_digits(exponent);
        if (s == exponent) return NULL;
    }
    return s;
}

/* strtod in the "C" locale, set for this thread and this call only. */
static bool to_double(double *out, const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return false;
    locale_t before = uselocale(plain);
    double value = strtod(text, NULL);
    uselocale(before);
    freelocale(plain);
    bool finite = value - value == 0;
    if (finite) *out = value;
    return finite;
}

bool hf_text_number(double *out, const char *text)
{
    size_t length;
    const char *inner = trim(text, &length), *stop = inner + length;
    if (*inner == '<' || *inner == '>') inner++;
    while (blank(*inner))
        inner++;
    const char *end = scan_number(inner);
    if (!end || end > stop) return false;
    if (end < stop && *end == '+') end++;
    return end == stop && to_double(out, inner);
}

bool hf_text_same(const char *a, const char *b)
{
    double x, y;
    if (!a || !b) return false;
    return strcmp(a, b) == 0 || (hf_text_number(&x, a) && hf_text_number(&y, b) && x == y);
}

const char *hf_table_cell(const hf_table *table, int row, int column)
{
    return table->cell[(size_t)row * (size_t)table->columns + (size_t)column];
}

hf_status hf_table_number(double *out, const hf_table *table, int row, int column)
{
    if (row < 0 || row >= table->rows || column < 0 || column >= table->columns)
        return hf_fail(HF_ERR_ARGUMENT, "'%s': no cell in row %d, column %d of a table of %d x %d", table->path, row,
                       column, table->rows, table->columns);
    const char *text = hf_table_cell(table, row, column);
    double value = NAN;
    if (text && !hf_text_number(&value, text))
        return hf_fail(HF_ERR_FORMAT, "'%s' line %d, column '%s': '%.60s', expected a number", table->path,
                       table->line[row], table->name[column], text);
    *out = value;
    return HF_OK;
}

hf_status hf_table_class(int *out, const hf_table *table, int row, int column, const char *const *names, int count)
{
    const char *text = hf_table_cell(table, row, column);
    hf_text all = { 0 };
    *out = -1;
    if (!text) return HF_OK;
    for (int k = 0; k < count; k++)
        if (hf_text_same(text, names[k])) {
            *out = k;
            return HF_OK;
        }
    for (int k = 0; k < count; k++)
        hf_text_add(&all, "%s%s", k ? ", " : "", names[k]);
    const hf_status status =
        hf_fail(HF_ERR_FORMAT, "'%s', line %d: '%.60s' in column '%s', expected one of: %s", table->path,
                table->line[row], text, table->name[column], all.data ? all.data : "(no classes)");
    hf_text_free(&all);
    return status;
}
