/* Checks what studies say of made-up predictions against scikit-learn and scipy (tests/golden/study.py): metrics, means,
 * deviations, both rank tests, Holm's correction, paired differences, confusion matrices, calibration, every rule for
 * ensembles; and the tables, files and refusals of a comparison. */
#include "check.h"
#include "hfdata.h"
#include "study/parts.h"

#include <unistd.h>

enum { METHODS = 2, SEEDS = 2, VERSIONS = 3 };
static const char *const method_names[METHODS] = { "first", "second" };

/* ---- studies from a table ---------------------------------------------------------------------------------------- */

static const char *cell(const hf_table *table, int row, const char *column)
{
    return table->cell[row * table->columns + hf_table_column(table, column)];
}

static double number(const hf_table *table, int row, const char *column)
{
    return strtod(cell(table, row, column), NULL);
}

static void fill_subject(hf_predictions *p, int at, const hf_table *table, int row)
{
    CHECK_OK(hf_strdup(&p->id[at], cell(table, row, "participant_id")));
    p->truth[at] = number(table, row, "truth");
    for (int k = 0; k < p->target.P; k++) {
        char column[16];
        snprintf(column, sizeof column, "p_%d", k);
        p->predicted[at * p->target.P + k] = number(table, row, column);
    }
}

/* The rows of one method, which stand together model by model. */
static void fill_models(hf_study *study, const hf_table *table, const char *method)
{
    hf_member *members = NULL;
    CHECK_OK(hf_study_members(&members, &study->n_models, &study->recipe));
    CHECK_OK(hf_alloc(&study->model, (size_t)study->n_models, sizeof *study->model, "models"));
    for (int m = 0; m < study->n_models; m++) {
        hf_outcome *model = &study->model[m];
        int count = 0;
        model->of = members[m];
        for (int pass = 0; pass < 2; pass++) {
            if (pass) CHECK_OK(hf_predictions_new(&model->predictions, &study->target, count, 0));
            count = 0;
            for (int row = 0; row < table->rows; row++) {
                if (strcmp(cell(table, row, "method"), method) != 0 || number(table, row, "fold") != model->of.fold ||
                    number(table, row, "seed") != (double)model->of.seed ||
                    number(table, row, "version") != model->of.version)
                    continue;
                model->valid = number(table, row, "valid");
                if (pass) fill_subject(&model->predictions, count, table, row);
                count++;
            }
        }
        CHECK(count == 30);
    }
    free(members);
}

static void fill_study(hf_study *study, const hf_table *table, const char *method, bool classes)
{
    *study = (hf_study){ 0 };
    CHECK_OK(hf_strdup(&study->folder, method));
    CHECK_OK(hf_recipe_defaults(&study->recipe));
    CHECK_OK(hf_recipe_set(&study->recipe, "split.seed=0"));
    CHECK_OK(hf_recipe_set(&study->recipe, "crossval.seeds=2"));
    CHECK_OK(hf_recipe_set(&study->recipe, "crossval.versions=3"));
    if (classes) {
        CHECK_OK(hf_recipe_set(&study->recipe, "crossval.folds=2"));
        CHECK_OK(hf_recipe_set(&study->recipe, "goal=classes"));
        CHECK_OK(hf_recipe_set(&study->recipe, "goal.classes=[CN, MCI, AD]"));
    }
    CHECK_OK(hf_target_set(&study->target, &study->recipe));
    if (classes) study->target.T = 2; /* as of runs that train finer classes; predictions have one number of truth */
    fill_models(study, table, method);
    CHECK_OK(hf_study_assemble(study));
}

static void read_studies(hf_study study[METHODS], const char *folder, bool classes)
{
    char *path = NULL;
    hf_table table;
    CHECK_OK(hf_path_join(&path, folder, classes ? "study_classes.tsv" : "study_numbers.tsv"));
    if (!CHECK_OK(hf_table_read(&table, path))) exit(check_done("study"));
    for (int m = 0; m < METHODS; m++)
        fill_study(&study[m], &table, method_names[m], classes);
    hf_table_free(&table);
    free(path);
}

/* ---- against what was computed elsewhere ------------------------------------------------------------------------- */

static int column_of(const hf_study *study, const char *name)
{
    for (int k = 0; k < study->n_columns; k++)
        if (strcmp(study->column[k].name, name) == 0) return k;
    return -1;
}

static const hf_paired *pair_of(const hf_comparison *c, int64_t seed)
{
    for (int i = 0; i < c->n_paired; i++)
        if (c->paired[i].seed == seed) return &c->paired[i];
    return NULL;
}

static double of_spread(const hf_spread *s, const char *what)
{
    return strcmp(what, "mean") == 0 ? s->mean : s->sd;
}

/* "count01_mean", "share20_sd" and so on. */
static double of_confusion(const hf_compared_method *m, const char *what)
{
    const int row = what[5] - '0', column = what[6] - '0';
    const hf_spread *s = strncmp(what, "count", 5) == 0 ? &m->count[row][column] : &m->share[row][column];
    return of_spread(s, what + 8);
}

/* "entropy_1_folds_mean": rule, best ones, what an ensemble is of; the study is put together anew. */
static double of_rule(hf_study *study, const char *what, int column)
{
    char rule[16], over[16], end[8];
    long long best;
    hf_spread s = { NAN, NAN };
    if (sscanf(what, "%15[^_]_%lld_%15[^_]_%7s", rule, &best, over, end) != 4) return NAN;
    const hf_study_rule wanted = { rule, over, best ? best : 1000 };
    CHECK_OK(hf_study_recombine(study, &wanted));
    CHECK_OK(hf_outcome_spread(&s, study->ensemble, study->n_ensembles, column));
    CHECK(study->n_ensembles == (strcmp(over, "versions") == 0 ? SEEDS : SEEDS * VERSIONS));
    return of_spread(&s, end);
}

static double found(const hf_comparison *c, hf_study *study, int method, const char *what, const char *metric,
                    double *tolerance)
{
    const hf_compared_method *m = &c->method[method];
    const int column = column_of(study, metric);
    const struct {
        const char *name;
        double value;
    } compared[] = { { "mean", m->of[column < 0 ? 0 : column].test.mean },
                     { "sd", m->of[column < 0 ? 0 : column].test.sd },
                     { "u", m->of[column < 0 ? 0 : column].u },
                     { "better", m->of[column < 0 ? 0 : column].better },
                     { "better_holm", m->of[column < 0 ? 0 : column].better_holm },
                     { "differs", m->of[column < 0 ? 0 : column].differs },
                     { "differs_holm", m->of[column < 0 ? 0 : column].differs_holm },
                     { "valid_mean", m->valid.mean },
                     { "valid_sd", m->valid.sd },
                     { "ece_mean", m->ece.mean },
                     { "ece_sd", m->ece.sd },
                     { "brier_mean", m->brier.mean },
                     { "brier_sd", m->brier.sd } };
    for (size_t i = 0; i < sizeof compared / sizeof compared[0]; i++)
        if (strcmp(compared[i].name, what) == 0) return compared[i].value;
    if (strcmp(metric, "confusion") == 0) return of_confusion(m, what);
    const hf_paired *pair = pair_of(c, what[strlen(what) - 1] - '0');
    if (pair && strncmp(what, "difference", 10) == 0) return pair->of[column].value;
    /* Other draws: the ends of intervals vary, by a step of one subject and by the width of what they are of. */
    *tolerance = strcmp(metric, "mae") == 0 ? 0.15 : 1.0 / 30 + 1e-12;
    if (pair && strncmp(what, "low", 3) == 0) return pair->of[column].low;
    if (pair && strncmp(what, "high", 4) == 0) return pair->of[column].high;
    *tolerance = 1e-12;
    return of_rule(study, what, column);
}

static void check_row(const hf_table *table, int row, const hf_comparison *c, hf_study *study)
{
    const char *what = cell(table, row, "what"), *metric = cell(table, row, "metric");
    const int method = strcmp(cell(table, row, "method"), "second") == 0;
    const double expected = number(table, row, "value");
    double tolerance = 1e-12;
    const double value = found(c, &study[method], method, what, metric, &tolerance);
    if (!CHECK_NEAR(value, expected, tolerance * fmax(1, fabs(expected))))
        fprintf(stderr, "    %s, %s of %s\n", what, metric, method_names[method]);
}

static int check_expected(const char *folder, const char *goal, const hf_comparison *c, hf_study *study)
{
    char *path = NULL;
    hf_table table;
    int rows = 0;
    CHECK_OK(hf_path_join(&path, folder, "study_expected.tsv"));
    if (!CHECK_OK(hf_table_read(&table, path))) exit(check_done("study"));
    for (int row = 0; row < table.rows; row++) {
        if (strcmp(cell(&table, row, "goal"), goal) != 0) continue;
        check_row(&table, row, c, study);
        rows++;
    }
    hf_table_free(&table);
    free(path);
    return rows;
}

/* ---- text and files ---------------------------------------------------------------------------------------------- */

static void check_formats(const hf_comparison *c, bool classes)
{
    static const char *const formats[][2] = {
        { "text", "second" }, { "tsv", "\t" }, { "latex", "\\begin{tabular}" }, { "html", "<svg " }
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        hf_text text = { 0 };
        if (!CHECK_OK(hf_comparison_text(c, formats[i][0], &text))) continue;
        CHECK(strstr(text.data, formats[i][1]) && strstr(text.data, "p two-sided, Holm") && !strstr(text.data, "nan"));
        CHECK((strstr(text.data, "share as MCI") != NULL) == classes &&
              (strstr(text.data, "Brier") != NULL) == classes);
        CHECK(strstr(text.data, classes ? "recall MCI" : "MAE") != NULL && strstr(text.data, "minus first"));
        hf_text_free(&text);
    }
    CHECK_STATUS(hf_comparison_text(c, "word", &(hf_text){ 0 }), HF_ERR_ARGUMENT, "text, tsv, latex or html");
}

static bool has(const char *folder, const char *name, const char *begin)
{
    char *path = NULL;
    void *data = NULL;
    size_t size = 0;
    CHECK_OK(hf_path_join(&path, folder, name));
    const bool good = hf_file_read(&data, &size, path, 1 << 24) == HF_OK && strncmp(data, begin, strlen(begin)) == 0;
    if (!good) fprintf(stderr, "    %s\n", name);
    free(path);
    free(data);
    return good;
}

/* The numbers of metrics.tsv are those of the comparison, to the last bit. */
static void check_numbers(const hf_comparison *c, const char *folder)
{
    char *path = NULL;
    hf_table table;
    CHECK_OK(hf_path_join(&path, folder, "metrics.tsv"));
    if (CHECK_OK(hf_table_read(&table, path))) {
        const hf_study *study = c->method[0].study;
        CHECK(table.rows == METHODS * study->n_columns);
        for (int row = 0; row < table.rows; row++) {
            const hf_compared *of = &c->method[row / study->n_columns].of[row % study->n_columns];
            CHECK(strcmp(cell(&table, row, "metric"), study->column[row % study->n_columns].name) == 0);
            CHECK(number(&table, row, "mean") == of->test.mean && number(&table, row, "sd") == of->test.sd);
            CHECK(isnan(of->better) ? !cell(&table, row, "p_better") : number(&table, row, "p_better") == of->better);
        }
        hf_table_free(&table);
    }
    free(path);
}

static void check_files(const hf_comparison *c, bool classes)
{
    char folder[] = "/tmp/hf-study-XXXXXX";
    if (!CHECK(mkdtemp(folder) != NULL)) return;
    CHECK_OK(hf_comparison_write(c, folder));
    CHECK(has(folder, "compare.txt", "mean") && has(folder, "compare.tsv", "mean") &&
          has(folder, "compare.tex", "\\begin"));
    CHECK(has(folder, "compare.html", "<!DOCTYPE html>") && has(folder, "differences.tsv", "method\tminus\tseed"));
    CHECK(has(folder, classes ? "bars-recall_MCI.svg" : "bars-mae.svg", "<?xml"));
    CHECK(has(folder, classes ? "bars-valid-balanced_accuracy.svg" : "bars-valid-mae.svg", "<?xml"));
    if (classes) {
        CHECK(has(folder, "confusion-1-first.png", "\x89PNG") &&
              has(folder, "confusion-shares-2-second.png", "\x89PNG"));
        CHECK(has(folder, "reliability-2-second.svg", "<?xml"));
    }
    check_numbers(c, folder);
    check_remove_tree(folder);
}

static void check_rules(hf_study *study, bool classes)
{
    hf_text text = { 0 };
    if (!CHECK_OK(hf_study_ensembles(study, &(hf_study_rule){ .best = 1 }, "tsv", &text))) return;
    int lines = 0;
    for (const char *at = text.data; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    CHECK(lines == (classes ? 10 : 4)); /* names, single models, every rule twice */
    CHECK(strstr(text.data, "single models\t12") || !classes);
    CHECK(strstr(text.data, "\nmean\t6\t") && strstr(text.data, "\nmean, best 1\t6\t"));
    CHECK((strstr(text.data, "\nconfident, best 1\t") != NULL) == classes);
    hf_text_free(&text);
}

static void test_goal(const char *folder, bool classes)
{
    static const char *const goals[] = { "numbers", "classes" };
    static hf_study study[METHODS];
    hf_comparison c;
    read_studies(study, folder, classes);
    if (!CHECK_OK(hf_comparison_make(&c, study, METHODS, &(hf_compare_options){ method_names, { 2000, 1 } }))) return;
    CHECK(c.n_paired == SEEDS && c.paired[0].method == 1 && c.paired[1].subjects == 30);
    check_formats(&c, classes);
    check_files(&c, classes);
    check_rules(&study[1], classes);
    CHECK(check_expected(folder, goals[classes], &c, study) > 40);
    hf_comparison_free(&c);
    for (int m = 0; m < METHODS; m++)
        hf_study_free(&study[m]);
}

/* ---- what does not fit ------------------------------------------------------------------------------------------- */

static void test_refusals(const char *folder)
{
    static hf_study a[METHODS], b[METHODS];
    hf_comparison c = { 0 };
    read_studies(a, folder, true);
    read_studies(b, folder, false);
    const hf_study mixed[] = { a[0], b[0] };
    CHECK_STATUS(hf_comparison_make(&c, mixed, 2, NULL), HF_ERR_ARGUMENT, "only studies of one goal compare");
    snprintf(a[1].target.class_name[1], sizeof a[1].target.class_name[1], "EMCI");
    CHECK_STATUS(hf_comparison_make(&c, a, 2, NULL), HF_ERR_ARGUMENT, "do not have the same classes");
    CHECK_STATUS(hf_study_recombine(&a[0], &(hf_study_rule){ .ensemble = "median" }), HF_ERR_ARGUMENT, "median");
    CHECK_STATUS(hf_study_recombine(&a[0], &(hf_study_rule){ .over = "seeds" }), HF_ERR_ARGUMENT, "seeds");
    /* Other subjects: nothing is paired, the means stand. */
    for (int version = 0; version < VERSIONS; version++)
        b[1].ensemble[version].predictions.id[3][0] = 'x';
    if (CHECK_OK(hf_comparison_make(&c, b, 2, NULL)))
        CHECK(c.n_paired == SEEDS - 1 && isfinite(c.method[1].of[0].better));
    hf_comparison_free(&c);
    /* A value that is no number: this metric is not tested, the others are. */
    b[1].ensemble[2].test[0] = NAN;
    if (CHECK_OK(hf_comparison_make(&c, b, 2, NULL)))
        CHECK(isnan(c.method[1].of[0].better) && isfinite(c.method[1].of[1].better));
    hf_comparison_free(&c);
    for (int m = 0; m < METHODS; m++) {
        hf_study_free(&a[m]);
        hf_study_free(&b[m]);
    }
}

int main(int count, char **argument)
{
    const char *folder = count > 1 ? argument[1] : "tests/golden";
    test_goal(folder, true);
    test_goal(folder, false);
    test_refusals(folder);
    return check_done("study");
}
