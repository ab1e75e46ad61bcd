/* Checks the report page: well-formed whatever ids and texts hold, standing alone, its numbers those of the scores, its
 * pictures decodable and the right way up, sections left out when there is nothing to show, and plots of odd data. */
#include "check.h"
#include "report/matrix.h"
#include "report/plot.h"
#include "report/report.h"
#include "report/slice.h"

#include <png.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a small scanner for well-formed XML ------------------------------------------------------------------------- */

enum { MAX_DEPTH = 32, MAX_TAG = 16 };

typedef struct scan {
    const char *at, *why; /* why: NULL while all is well */
    char open[MAX_DEPTH][MAX_TAG];
    int depth, elements;
} scan;

/* "&name;" of XML's five or a number. */
static bool entity(scan *s)
{
    static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strncmp(s->at, known[i], strlen(known[i])) == 0) {
            s->at += strlen(known[i]);
            return true;
        }
    s->why = "a bare ampersand";
    return false;
}

static bool text_until(scan *s, char stop)
{
    while (*s->at && *s->at != stop) {
        if (*s->at == '<' || (unsigned char)*s->at < 9 || *s->at == 127) {
            s->why = "a character that must be escaped";
            return false;
        }
        if (*s->at == '&') {
            if (!entity(s)) return false;
        } else {
            s->at++;
        }
    }
    return true;
}

static void name(scan *s, char out[MAX_TAG])
{
    size_t n = strspn(s->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:");
    snprintf(out, MAX_TAG, "%.*s", (int)n, s->at);
    s->at += n;
}

static bool attributes(scan *s)
{
    while (*s->at == ' ') {
        char key[MAX_TAG];
        s->at++;
        name(s, key);
        if (!key[0] || strncmp(s->at, "=\"", 2) != 0) {
            s->why = "an attribute without a quoted value";
            return false;
        }
        s->at += 2;
        if (!text_until(s, '"')) return false;
        s->at += *s->at == '"';
    }
    return true;
}

static void tag(scan *s)
{
    char word[MAX_TAG];
    bool closing = s->at[1] == '/';
    s->at += 1 + closing;
    name(s, word);
    if (!word[0] || !attributes(s)) {
        if (!s->why) s->why = "a tag without a name";
        return;
    }
    bool empty = *s->at == '/';
    s->at += empty;
    if (*s->at++ != '>') s->why = "a tag that is not closed";
    if (closing && (s->depth == 0 || strcmp(s->open[--s->depth], word) != 0)) s->why = "tags that are not nested";
    if (closing || empty || s->why) return;
    s->elements++;
    if (s->depth == MAX_DEPTH)
        s->why = "too deep";
    else
        memcpy(s->open[s->depth++], word, sizeof word);
}

/* NULL when `page` is well-formed. */
static const char *malformed(const char *page, int *elements)
{
    scan s = { .at = page };
    if (strncmp(page, "<!DOCTYPE html>", 15) == 0) s.at += 15;
    while (*s.at && !s.why) {
        if (*s.at == '<')
            tag(&s);
        else
            text_until(&s, '<');
    }
    if (!s.why && s.depth) s.why = "an element is left open";
    if (elements) *elements = s.elements;
    return s.why;
}

static void test_scanner(void)
{
    CHECK(malformed("<a b=\"1\"><c/>x &amp; y</a>", NULL) == NULL);
    CHECK(malformed("<a>", NULL) != NULL && malformed("<a></b>", NULL) != NULL && malformed("</a>", NULL) != NULL);
    CHECK(malformed("<a b=1/>", NULL) != NULL && malformed("<a>&x</a>", NULL) != NULL);
    CHECK(malformed("<a b=\"<\"/>", NULL) != NULL && malformed("<a>\x01</a>", NULL) != NULL);
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

enum { PREDICTIONS = 60, EPOCHS = 12, D = 6, H = 7, W = 8 };
static const char hostile[] = "<script>\"x\" & 'y'</td>\xff\x01";

typedef struct example {
    hf_predictions predictions;
    hf_epoch_row epochs[EPOCHS];
    float volume[D * H * W];
    hf_report_image images[2];
    hf_report_data data;
} example;

static void name_subject(hf_predictions *p, int i, const char *id, const char *group)
{
    CHECK_OK(hf_strdup(&p->id[i], id));
    if (group) CHECK_OK(hf_strdup(&p->group[i], group));
}

/* Ages, or one of three classes. */
static void fill_predictions(hf_predictions *p, bool classes)
{
    hf_recipe recipe;
    hf_target target;
    const uint64_t stream = hf_random_stream("report test", 0, 0);
    CHECK_OK(hf_recipe_defaults(&recipe));
    if (classes) {
        CHECK_OK(hf_recipe_set(&recipe, "goal=classes"));
        CHECK_OK(hf_recipe_set(&recipe, "goal.classes=[CN, <M&CI>, AD]"));
    }
    CHECK_OK(hf_target_set(&target, &recipe));
    target.baseline[0][0] = 51.5;
    target.baseline[1][0] = 53;
    hf_recipe_free(&recipe);
    CHECK_OK(hf_predictions_new(p, &target, PREDICTIONS, 1));
    CHECK_OK(hf_strdup(&p->group_name[0], "sex"));
    p->bootstrap = (hf_bootstrap){ 300, 7 };
    for (int i = 0; i < PREDICTIONS; i++) {
        char id[16];
        const double u = hf_random_uniform(1, stream, (uint64_t)i), v = hf_random_uniform(2, stream, (uint64_t)i);
        snprintf(id, sizeof id, "sub-%03d", i);
        name_subject(p, i, i ? id : hostile, i == 1 ? NULL : i % 3 ? "F" : "M");
        p->truth[i] = i == 4 ? NAN : classes ? floor(3 * u) : 20 + 70 * u;
        if (classes) {
            p->predicted[3 * i] = u * v;
            p->predicted[3 * i + 1] = u * (1 - v);
            p->predicted[3 * i + 2] = 1 - u;
        } else {
            p->predicted[i] = 20 + 70 * u + 5 * hf_random_normal(1, stream, 1000 + (uint64_t)i);
        }
    }
}

static void fill(example *e, bool classes)
{
    static const char *const warnings[] = { "subject '<b>' left out", hostile };
    static const char *const facts[][2] = { { "seed", "1" }, { hostile, hostile } };
    fill_predictions(&e->predictions, classes);
    for (int i = 0; i < EPOCHS; i++)
        e->epochs[i] = (hf_epoch_row){ i + 1, 3000.0 / (i + 1), i == 5 ? NAN : 3100.0 / (i + 1), 40.0 / (i + 1), 2 };
    for (int i = 0; i < D * H * W; i++)
        e->volume[i] = i % 5 ? (float)i - 100 : 0;
    e->images[0] = (hf_report_image){ 0, "largest error", e->volume, { D, H, W }, { 2, 2, 2 } };
    e->images[1] = (hf_report_image){ 1, NULL, e->volume, { D, H, W }, { 0, 0, 0 } };
    e->data = (hf_report_data){
        .title = hostile,
        .subtitle = hostile,
        .recipe = "goal: regression # <&>\n",
        .device = hostile,
        .n_facts = 2,
        .facts = facts,
        .n_warnings = 2,
        .warnings = warnings,
        .n_epochs = EPOCHS,
        .best_epoch = 12,
        .epochs = e->epochs,
        .target = &e->predictions.target,
        .predictions = &e->predictions,
        .n_images = 2,
        .images = e->images,
    };
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static void test_page(bool classes)
{
    static example e;
    hf_text page = { 0 };
    int elements = 0;
    fill(&e, classes);
    if (!CHECK_OK(hf_report_text(&e.data, &page))) return;
    const char *why = malformed(page.data, &elements);
    if (!CHECK(why == NULL)) fprintf(stderr, "    not well-formed: %s\n", why);
    CHECK(elements > 150 && strlen(page.data) == page.size);
    CHECK(strstr(page.data, "<script") == NULL && strstr(page.data, "http-equiv") == NULL);
    CHECK(count_of(page.data, "http") == 1 && count_of(page.data, "url(") == 0); /* the XML namespace alone */
    CHECK(count_of(page.data, "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/td&gt;\xef\xbf\xbd\xef\xbf\xbd") >= 7);
    CHECK(count_of(page.data, "<svg ") == 4); /* two curves, bars, reliability or scatter */
    CHECK(count_of(page.data, "data:image/png;base64,") == (classes ? 8 : 6));
    CHECK((strstr(page.data, "<h2>Calibration</h2>") != NULL) == classes);
    CHECK(strstr(page.data, "prefers-color-scheme:dark") && strstr(page.data, "# &lt;&amp;&gt;\n"));
    CHECK((strstr(page.data, "<h2>Confusion matrix</h2>") != NULL) == classes);
    CHECK((strstr(page.data, "<h2>Predicted against true</h2>") != NULL) == !classes);
    CHECK(strstr(page.data, classes ? "Balanced accuracy by epoch" : "Mean absolute error by epoch") != NULL);
    CHECK(strstr(page.data, "nan") == NULL && strstr(page.data, "inf<") == NULL);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
}

/* The table's numbers are those of hf_scores_make. */
static void test_numbers(void)
{
    static example e;
    hf_text page = { 0 };
    hf_scores scores;
    char row[256];
    fill(&e, false);
    if (!CHECK_OK(hf_scores_make(&scores, &e.predictions))) return;
    if (!CHECK_OK(hf_report_text(&e.data, &page))) return;
    const hf_interval *mae = &scores.row[0].of[scores.select];
    snprintf(row, sizeof row, "<td>all</td><td>59</td><td>%.2f <small>(%.2f to %.2f)</small></td>", mae->value,
             mae->low, mae->high);
    CHECK(strstr(page.data, row) != NULL);
    snprintf(row, sizeof row, "<td>%.2f</td><td>%.2f</td></tr>", scores.row[0].baseline[0][scores.select],
             scores.row[0].baseline[1][scores.select]);
    CHECK(strstr(page.data, row) != NULL && strstr(page.data, "<th>MAE of the training median</th>") != NULL);
    CHECK(strstr(page.data, "<td>sex F</td>") && strstr(page.data, "<td>sex M</td>"));
    CHECK(strstr(page.data, "The parameters of epoch 12 were kept") && strstr(page.data, "300 resamples"));
    hf_text_free(&page);
    hf_scores_free(&scores);
    hf_predictions_free(&e.predictions);
}

/* The rows of the confusion matrix, counted here. */
static void test_confusion(void)
{
    static example e;
    hf_text page = { 0 }, row = { 0 };
    int count[3] = { 0 };
    fill(&e, true);
    for (int i = 0; i < PREDICTIONS; i++)
        if (e.predictions.truth[i] == 1) count[hf_most_probable(e.predictions.predicted + 3 * i, 3)]++;
    const int sum = count[0] + count[1] + count[2];
    if (!CHECK_OK(hf_report_text(&e.data, &page)) || !CHECK(sum > 0)) return;
    hf_text_add(&row, "<td>&lt;M&amp;CI&gt;</td><td>%d</td><td>%d</td><td>%d</td>", count[0], count[1], count[2]);
    CHECK(strstr(page.data, row.data) != NULL);
    hf_text_free(&row);
    hf_text_add(&row, "<td>&lt;M&amp;CI&gt;</td><td>%.3f</td><td>%.3f</td><td>%.3f</td>", (double)count[0] / sum,
                (double)count[1] / sum, (double)count[2] / sum);
    CHECK(strstr(page.data, row.data) != NULL);
    hf_text_free(&row);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
}

/* Bars and calibration say what the metrics say. */
static void test_intervals(void)
{
    static example e;
    hf_text page = { 0 };
    hf_interval brier;
    char row[256];
    int index[PREDICTIONS], n;
    fill(&e, true);
    const hf_predictions *p = &e.predictions;
    const hf_scored s = { p->count, 1, 3, p->truth, p->predicted };
    CHECK_OK(hf_predictions_known(index, &n, p));
    CHECK(n == PREDICTIONS - 1 && strcmp(p->id[index[0]], hostile) == 0 && strcmp(p->id[index[4]], "sub-005") == 0);
    if (!CHECK_OK(hf_metric_interval(&brier, hf_metric_find("brier"), 0, &s, index, n, &p->bootstrap))) return;
    if (!CHECK_OK(hf_report_text(&e.data, &page))) return;
    snprintf(row, sizeof row, "<dd>%.3f <small>(%.3f to %.3f)</small></dd>", brier.value, brier.low, brier.high);
    CHECK(strstr(page.data, row) != NULL);
    CHECK(count_of(page.data, "class=\"bar s0\"") == 9 && count_of(page.data, "class=\"whisker\"") == 9);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
    fill(&e, false); /* a number: everybody, F, M by the selecting metric */
    if (!CHECK_OK(hf_report_text(&e.data, &page))) return;
    CHECK(count_of(page.data, "class=\"bar s0\"") == 1 && count_of(page.data, "class=\"bar s1\"") == 2);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
}

static void test_little(void)
{
    hf_text page = { 0 };
    hf_report_data data = { .title = "Empty", .best_epoch = -1 };
    if (CHECK_OK(hf_report_text(&data, &page))) {
        CHECK(malformed(page.data, NULL) == NULL && count_of(page.data, "<section") == 0);
        hf_text_free(&page);
    }
    const hf_epoch_row epoch = { 1, 10, NAN, NAN, 1 };
    data = (hf_report_data){ .title = "One", .n_epochs = 1, .epochs = &epoch };
    if (CHECK_OK(hf_report_text(&data, &page))) {
        CHECK(malformed(page.data, NULL) == NULL && count_of(page.data, "<svg ") == 1);
        CHECK(strstr(page.data, "nan") == NULL && strstr(page.data, "inf") == NULL);
        hf_text_free(&page);
    }
}

static void test_file(const char *folder)
{
    static example e;
    char *path = NULL;
    void *bytes = NULL;
    size_t size = 0;
    hf_text page = { 0 };
    fill(&e, false);
    CHECK_OK(hf_path_join(&path, folder, "report.html"));
    CHECK_OK(hf_report_write(&e.data, path));
    CHECK_OK(hf_report_text(&e.data, &page));
    if (CHECK_OK(hf_file_read(&bytes, &size, path, 1 << 24)))
        CHECK(size == page.size && memcmp(bytes, page.data, size) == 0); /* the same every time */
    CHECK_STATUS(hf_report_write(&e.data, "/nowhere/r.html"), HF_ERR_IO, "report '/nowhere/r.html'");
    e.images[0].shape[1] = 0;
    CHECK_STATUS(hf_report_write(&e.data, path), HF_ERR_SHAPE, "a volume [6,0,8]");
    remove(path);
    free(path);
    free(bytes);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static size_t decode_base64(const char *text, unsigned char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    int bits = 0;
    size_t size = 0;
    for (const char *found; *text && (found = strchr(digits, *text)) != NULL; text++) {
        word = word << 6 | (uint32_t)(found - digits);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out[size++] = (unsigned char)(word >> bits);
    }
    return size;
}

static void test_base64(void)
{
    static const char *const pairs[][2] = { { "", "" },
                                            { "f", "Zg==" },
                                            { "fo", "Zm8=" },
                                            { "foo", "Zm9v" },
                                            { "foob", "Zm9vYg==" },
                                            { "fooba", "Zm9vYmE=" },
                                            { "foobar", "Zm9vYmFy" },
                                            { "\xff\xfe\xfd", "//79" } };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        hf_text text = { 0 };
        hf_text_add_base64(&text, pairs[i][0], strlen(pairs[i][0]));
        CHECK(strcmp(text.data ? text.data : "", pairs[i][1]) == 0);
        hf_text_free(&text);
    }
}

/* A volume whose value tells its place: 1 + 100 d + 10 h + w. */
static void test_slices(void)
{
    static const int size[HF_N_PLANES][2] = { { 6, 7 }, { 6, 8 }, { 7, 8 } };
    float volume[D * H * W];
    const int shape[3] = { D, H, W };
    for (int d = 0; d < D; d++)
        for (int h = 0; h < H; h++)
            for (int w = 0; w < W; w++)
                volume[(d * H + h) * W + w] = (float)(1 + 100 * d + 10 * h + w);
    volume[((D / 2) * H + 0) * W + 0] = 0;
    for (int plane = 0; plane < HF_N_PLANES; plane++) {
        unsigned char *pixels = NULL;
        int width = 0, height = 0;
        if (!CHECK_OK(hf_slice_pixels(&pixels, &width, &height, volume, shape, (hf_plane)plane))) continue;
        CHECK(width == size[plane][0] && height == size[plane][1]);
        /* To the right and up values grow; the second row from below avoids the zero. */
        CHECK(pixels[(height - 2) * width + width - 1] > pixels[(height - 2) * width]);
        CHECK(pixels[0] > pixels[(height - 1) * width] || plane == HF_SAGITTAL);
        if (plane == HF_SAGITTAL) CHECK(pixels[(height - 1) * width] == 0 && pixels[0] > 0);
        free(pixels);
    }
}

/* The first picture of a page, decoded again. */
static void test_png(void)
{
    static example e;
    hf_text page = { 0 };
    fill(&e, false);
    if (!CHECK_OK(hf_report_text(&e.data, &page))) return;
    unsigned char bytes[4096], pixels[D * H], *expected = NULL;
    int width = 0, height = 0;
    const char *uri = strstr(page.data, "base64,");
    size_t size = uri ? decode_base64(uri + 7, bytes) : 0;
    png_image image = { .version = PNG_IMAGE_VERSION };
    CHECK(size > 50 && png_image_begin_read_from_memory(&image, bytes, size));
    CHECK(image.width == D && image.height == H && image.format == PNG_FORMAT_GRAY);
    CHECK(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    CHECK_OK(hf_slice_pixels(&expected, &width, &height, e.volume, e.images[0].shape, HF_AXIAL));
    CHECK(memcmp(pixels, expected, sizeof pixels) == 0);
    free(expected);
    hf_text_free(&page);
    hf_predictions_free(&e.predictions);
    hf_text png = { 0 };
    CHECK_STATUS(hf_png_encode(&png, bytes, 0, 3), HF_ERR_SHAPE, "0 x 3 pixels");
    hf_text_free(&png);
}

/* Cells are the darker the more they hold, and hold their values. */
static void test_matrix(void)
{
    static const char *const names[] = { "CN", "<&>", "a very long name" };
    static const double value[] = { 10, 0, 5, 0, 8, NAN, 1, 2, 3 };
    hf_matrix matrix = { 3, names, value, 0, 0 };
    hf_text png = { 0 }, again = { 0 };
    png_image image = { .version = PNG_IMAGE_VERSION };
    if (!CHECK_OK(hf_matrix_png(&png, &matrix))) return;
    if (!CHECK(png_image_begin_read_from_memory(&image, png.data, png.size))) return;
    unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
    if (CHECK(pixels && png_image_finish_read(&image, NULL, pixels, 0, NULL))) {
        const int right = (int)image.width - 6 - 4, bottom = (int)image.height - 8 - 4; /* within the last cell */
        int corner[9];
        for (int i = 0; i < 9; i++)
            corner[i] = pixels[(bottom - (2 - i / 3) * HF_MATRIX_CELL_HEIGHT) * (int)image.width + right -
                               (2 - i % 3) * HF_MATRIX_CELL_WIDTH];
        CHECK(corner[0] < corner[4] && corner[4] < corner[2] && corner[2] < corner[8] && corner[8] < corner[7]);
        CHECK(corner[1] == 255 && corner[3] == 255 && corner[5] == 255);
    }
    free(pixels);
    matrix.digits = 2; /* other figures: another picture */
    CHECK_OK(hf_matrix_png(&again, &matrix));
    CHECK(again.size != png.size || memcmp(again.data, png.data, png.size) != 0);
    hf_text_free(&png);
    hf_text_free(&again);
}

static bool is_png(const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    const bool good =
        hf_file_read(&bytes, &size, path, 1 << 20) == HF_OK && size > 100 && memcmp(bytes, "\x89PNG", 4) == 0;
    free(bytes);
    remove(path);
    return good;
}

/* Beside the page of classes lie its pictures. */
static void test_pictures(const char *folder)
{
    static example e;
    char page[64], counts[64], shares[64];
    fill(&e, true);
    snprintf(page, sizeof page, "%s/page.html", folder);
    snprintf(counts, sizeof counts, "%s/page-confusion.png", folder);
    snprintf(shares, sizeof shares, "%s/page-confusion-shares.png", folder);
    CHECK_OK(hf_report_write(&e.data, page));
    CHECK(is_png(counts) && is_png(shares));
    remove(page);
    hf_predictions_free(&e.predictions);
}

/* ---- plots ------------------------------------------------------------------------------------------------------- */

static void check_plot(const double *x, const double *y, int count, int flags)
{
    hf_text svg = { 0 };
    hf_plot plot = { .title = hostile, .x_label = "x", .y_label = "y", .n_series = 1 };
    plot.points = flags & 1;
    plot.diagonal = flags & 2;
    plot.log_y = flags & 4;
    plot.integer_x = flags & 8;
    plot.series[0] = (hf_series){ "a & b", count, x, y, NULL };
    hf_plot_svg(&svg, &plot);
    CHECK_OK(hf_text_check(&svg));
    bool good = CHECK(malformed(svg.data, NULL) == NULL);
    good = CHECK(!strstr(svg.data, "nan") && !strstr(svg.data, "inf")) && good;
    if (!good) fprintf(stderr, "%s", svg.data);
    hf_text_free(&svg);
}

static void test_plots(void)
{
    static const double values[][4] = { { 1, 2, 3, 4 },
                                        { 0, 0, 0, 0 },
                                        { -5, -5, -5, -5 },
                                        { NAN, NAN, NAN, NAN },
                                        { 1, NAN, INFINITY, 2 },
                                        { 1e-300, 1e300, 1, 2 },
                                        { -1e300, 1e300, 0, 1 },
                                        { 1e-9, 2e-9, 3e-9, 1e-9 },
                                        { 0, 1e6, 10, 100 },
                                        { 7, 7, 7, 7 },
                                        { 1e15, 1e15 + 1, 1e15 + 2, 1e15 } };
    enum { N = sizeof values / sizeof values[0] };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int flags = 0; flags < 16; flags++)
                for (int count = 0; count <= 4; count += 2)
                    check_plot(values[i], values[j], count, flags);
}

static void test_bars(const char *folder)
{
    static const hf_bar bar[] = { { hostile, 0.7, 0.6, 0.8, 0 },
                                  { "no interval", -0.2, NAN, NAN, 1 },
                                  { "no value", NAN, NAN, NAN, 2 },
                                  { "huge", 1e300, -1e300, INFINITY, 3 } };
    for (int count = 0; count <= 4; count++) {
        hf_text svg = { 0 };
        hf_bars_svg(&svg, &(hf_bars){ .title = hostile, .label = "x", .digits = 3, .count = count, .bar = bar });
        CHECK(malformed(svg.data, NULL) == NULL && !strstr(svg.data, "nan") && !strstr(svg.data, "inf"));
        CHECK(count_of(svg.data, "class=\"bar") == (count > 2 ? count - 1 : count));
        CHECK(count_of(svg.data, "class=\"whisker") == (count > 0));
        hf_text_free(&svg);
    }
    /* As a file it is a document of its own. */
    hf_text svg = { 0 };
    char path[64];
    void *bytes = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/bars.svg", folder);
    hf_bars_svg(&svg, &(hf_bars){ .title = hostile, .label = "x", .digits = 3, .count = 2, .bar = bar });
    CHECK_OK(hf_svg_write(&svg, path));
    if (CHECK_OK(hf_file_read(&bytes, &size, path, 1 << 20))) {
        const char *text = bytes, *element = strstr(text, "<svg ");
        CHECK(element && malformed(element, NULL) == NULL && strstr(text, "xmlns=\"http://www.w3.org/2000/svg\""));
        CHECK(strstr(text, "<style>") && strstr(text, "0.700</text>"));
    }
    free(bytes);
    hf_text_free(&svg);
    remove(path);
}

int main(void)
{
    char folder[] = "/tmp/hf-report-XXXXXX";
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("report");
    test_scanner();
    test_page(false);
    test_page(true);
    test_numbers();
    test_confusion();
    test_intervals();
    test_little();
    test_matrix();
    test_pictures(folder);
    test_bars(folder);
    test_file(folder);
    test_base64();
    test_slices();
    test_png();
    test_plots();
    CHECK(rmdir(folder) == 0);
    return check_done("report");
}
