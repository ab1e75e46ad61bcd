/* Checks recipes as files: bases, one file over another, and what is wrong with them; and the recipes that are shipped:
 * each is read, is complete but for the cohort, can be planned on no cohort at all, and those of the published networks
 * have the published number of parameters. */
#include "check.h"
#include "hyperfusion.h"

#include <unistd.h>

static char folder[] = "/tmp/hf-recipe-files-XXXXXX";

static void put(const char *name, const char *text)
{
    char *path;
    if (!CHECK_OK(hf_path_join(&path, folder, name))) exit(2);
    CHECK_OK(hf_file_write(path, text, strlen(text)));
    free(path);
}

static hf_status read_in(hf_recipe *out, const char *name)
{
    char *path;
    *out = (hf_recipe){ 0 };
    HF_TRY(hf_path_join(&path, folder, name));
    const hf_status status = hf_recipe_read(out, path);
    free(path);
    return status;
}

/* ---- bases ------------------------------------------------------------------------------------------------------- */

static void test_base(void)
{
    hf_recipe r;
    put("below.yaml",
        "model: {name: a-net, width: 3}\ntrain: {epochs: 3, batch_size: 2}\ncohort: {tabular: [a:raw, b:raw]}\n");
    put("above.yaml", "# on top\nbase: below.yaml\nmodel: b-net\ntrain: {epochs: 5}\ncohort: {tabular: [c:raw]}\n");
    put("inner/deep.yaml", "base: [../above.yaml]\ntrain: {seed: 9}\n");
    if (!CHECK_OK(read_in(&r, "inner/deep.yaml"))) return;
    CHECK(strcmp(r.model.name, "b-net") == 0 && r.model.width == 3 && r.model.dropout == -1);
    CHECK(r.train.epochs == 5 && r.train.batch_size == 2 && r.train.seed == 9);
    CHECK(r.cohort.tabular.count == 1 && strcmp(r.cohort.tabular.text[0], "c:raw") == 0); /* a list is one value */
    CHECK(strstr(r.path, "inner/deep.yaml") != NULL);
    CHECK_OK(hf_recipe_set(&r, "train.epochs=7"));
    hf_text text = { 0 };
    CHECK_OK(hf_recipe_write(&r, &text)); /* whole: it stands without its bases */
    CHECK(strstr(text.data, "base") == NULL && strstr(text.data, "  epochs: 7\n") && strstr(text.data, "  width: 3\n"));
    hf_text_free(&text);
    hf_recipe_free(&r);
}

static void test_order(void)
{
    hf_recipe r;
    put("one.yaml", "train: {epochs: 1, seed: 1}\n");
    put("two.yaml", "train: {epochs: 2}\n");
    put("both.yaml", "base: [one.yaml, two.yaml]\n");
    put("other.yaml", "base: [two.yaml, one.yaml, two.yaml]\ntrain: {seed: 4}\n");
    if (CHECK_OK(read_in(&r, "both.yaml"))) CHECK(r.train.epochs == 2 && r.train.seed == 1);
    hf_recipe_free(&r);
    if (CHECK_OK(read_in(&r, "other.yaml"))) CHECK(r.train.epochs == 2 && r.train.seed == 4);
    hf_recipe_free(&r);
}

/* From the folder of the file, wherever the program runs; a path from the root is taken as it is. */
static void test_places(void)
{
    hf_recipe r;
    char here[4096];
    hf_text text = { 0 };
    put("one.yaml", "train: {epochs: 1}\n");
    hf_text_add(&text, "base: %s/one.yaml\n", folder);
    put("inner/rooted.yaml", text.data);
    hf_text_free(&text);
    if (CHECK_OK(read_in(&r, "inner/rooted.yaml"))) CHECK(r.train.epochs == 1);
    hf_recipe_free(&r);
    put("beside.yaml", "base: one.yaml\n");
    if (!CHECK(getcwd(here, sizeof here) && chdir(folder) == 0)) return;
    if (CHECK_OK(hf_recipe_read(&r, "beside.yaml"))) CHECK(r.train.epochs == 1);
    hf_recipe_free(&r);
    CHECK(chdir(here) == 0);
}

/* A shape was meant for its spacing. */
static void test_spacing(void)
{
    hf_recipe r;
    put("grid.yaml", "cohort: {shape: [90, 120, 99], spacing: [1, 1, 1]}\n");
    put("coarse.yaml", "base: grid.yaml\ncohort: {spacing: [2, 2, 2]}\n");
    put("given.yaml", "base: grid.yaml\ncohort: {spacing: [2, 2, 2], shape: [9, 9, 9]}\n");
    if (CHECK_OK(read_in(&r, "coarse.yaml"))) CHECK(r.cohort.shape[0] == 0 && r.cohort.spacing[0] == 2);
    hf_recipe_free(&r);
    if (CHECK_OK(read_in(&r, "given.yaml"))) CHECK(r.cohort.shape[0] == 9 && r.cohort.spacing[0] == 2);
    hf_recipe_free(&r);
}

static void test_refused(void)
{
    static const struct {
        const char *text;
        hf_status status;
        const char *message;
    } rows[] = {
        { "base: none.yaml\n", HF_ERR_IO, "/top.yaml', line 1: base: '" },
        { "base: none.yaml\n", HF_ERR_IO, "none.yaml': cannot open" },
        { "base: inner\n", HF_ERR_IO, "a folder, expected a file" },
        { "base: top.yaml\n", HF_ERR_ARGUMENT, "top.yaml' is its own base" },
        { "base: inner/../top.yaml\n", HF_ERR_ARGUMENT, "is its own base" },
        { "base: circle.yaml\n", HF_ERR_ARGUMENT, "top.yaml' is its own base, by way of" },
        { "train: {seed: 1}\nbase: one.yaml\n", HF_ERR_ARGUMENT, "line 2: base: expected as the first key" },
        { "base: one.yaml\nbase: one.yaml\n", HF_ERR_ARGUMENT, "line 2: base: expected as the first key" },
        { "base: wrong.yaml\n", HF_ERR_ARGUMENT, "wrong.yaml', line 2: unknown key 'train.epoch'" },
        { "base: {a: b}\n", HF_ERR_ARGUMENT, "base: found a mapping" },
        { "base: [one.yaml, \"\"]\n", HF_ERR_ARGUMENT, "base: found nothing, expected a recipe file" },
        { "base: [many.yaml, many.yaml, many.yaml, many.yaml]\n", HF_ERR_ARGUMENT, "a recipe of more than 32 files" },
        { "train: {base: one.yaml}\n", HF_ERR_ARGUMENT, "unknown key 'train.base'" },
        { "base: one.yaml\ntrain: {epochs: x}\n", HF_ERR_ARGUMENT, "top.yaml', line 2: train.epochs: found 'x'" },
    };
    hf_recipe r;
    put("one.yaml", "train: {epochs: 1}\n");
    put("circle.yaml", "base: top.yaml\n");
    put("wrong.yaml", "train:\n  epoch: 1\n");
    put("many.yaml", "base: [one.yaml, one.yaml, one.yaml, one.yaml, one.yaml, one.yaml, one.yaml]\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("top.yaml", rows[i].text);
        CHECK_STATUS(read_in(&r, "top.yaml"), rows[i].status, rows[i].message);
    }
}

/* ---- shipped ----------------------------------------------------------------------------------------------------- */

static int n_shipped;

static void check_written(const hf_recipe *r)
{
    hf_text text = { 0 }, again = { 0 };
    hf_recipe back = { 0 };
    CHECK_OK(hf_recipe_write(r, &text));
    CHECK_OK(hf_recipe_parse(&back, text.data, text.size, "written"));
    CHECK_OK(hf_recipe_write(&back, &again));
    CHECK(strcmp(text.data, again.data) == 0);
    hf_text_free(&text);
    hf_text_free(&again);
    hf_recipe_free(&back);
}

/* On a batch of one: what is planned is the same, in less time. */
static int64_t parameters_of(hf_recipe *r)
{
    hf_run_plan plan = { 0 };
    int64_t count = -1;
    CHECK_OK(hf_recipe_set(r, "train.batch_size=2"));
    if (CHECK_OK(hf_run_plan_new(&plan, r, NULL))) count = hf_plan_summary(plan.plan).parameters;
    hf_run_plan_free(&plan);
    return count;
}

static void check_shipped(const char *path)
{
    hf_recipe r = { 0 };
    n_shipped++;
    if (!CHECK_OK(hf_recipe_read(&r, path))) return;
    check_written(&r);
    if (r.cohort.shape[0] > 0) CHECK(parameters_of(&r) > 0); /* the others ask their cohort for a shape */
    CHECK_OK(hf_recipe_set(&r, "cohort.path=x"));
    if (!CHECK_OK(hf_recipe_check(&r))) fprintf(stderr, "    %s\n", path);
    hf_recipe_free(&r);
}

static void check_folder(const char *path)
{
    DIR *entries = opendir(path);
    CHECK(entries != NULL);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char *inner;
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || strcmp(e->d_name, "parts") == 0) continue;
        if (!CHECK_OK(hf_path_join(&inner, path, e->d_name))) continue;
        if (!dot) check_folder(inner);
        if (dot && strcmp(dot, ".yaml") == 0) check_shipped(inner);
        free(inner);
    }
    if (entries) closedir(entries);
}

/* Specification of the paper's tables 5 and 6 and its baselines. */
static void check_counts(const char *recipes)
{
    static const struct {
        const char *name;
        int64_t parameters;
    } rows[] = {
        { "brain-age.yaml", 1482206 },
        { "brain-age-image-only.yaml", 848673 },
        { "brain-age-concatenation.yaml", 848737 },
        { "ad-hyperfusion.yaml", 3853724 },
        { "ad-image-only.yaml", 3589123 },
        { "ad-tabular.yaml", 180 },
        { "ad-concat.yaml", 3590147 },
        { "ad-film.yaml", 3591027 },
        { "ad-daft.yaml", 3591923 },
        { "ad-late-fusion.yaml", 3589123 }, /* 180 more are trained first, then held still */
        { "paper/table3/hyperfusion.yaml", 3853724 },
        { "paper/figure4b/embedding-2.yaml", 2115739 },
        { "paper/figure9b/conv3-b.yaml", 959332 },
        { "paper/figure11/fc.yaml", 3722829 },
        { "paper/figure11/none.yaml", 3589123 },
        { "paper/figure6/hyperfusion.yaml", 3853724 - 65 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path;
        hf_recipe r = { 0 };
        CHECK_OK(hf_path_join(&path, recipes, rows[i].name));
        if (CHECK_OK(hf_recipe_read(&r, path))) {
            const int64_t found = parameters_of(&r);
            if (!CHECK(found == rows[i].parameters))
                fprintf(stderr, "    %s: %lld parameters\n", rows[i].name, (long long)found);
        }
        hf_recipe_free(&r);
        free(path);
    }
}

/* The attributes of the diagnosis recipes are the published set 15, spec by spec. */
static void check_attributes(const char *recipes)
{
    static const char *const set[] = { "set15" };
    hf_encoder *ours = calloc(2, sizeof *ours), *published = ours + 1;
    hf_recipe r = { 0 };
    char *path = NULL;
    CHECK_OK(hf_path_join(&path, recipes, "ad-hyperfusion.yaml"));
    if (ours && CHECK_OK(hf_recipe_read(&r, path))) {
        CHECK_OK(hf_encoder_parse(ours, (const char *const *)r.cohort.tabular.text, r.cohort.tabular.count));
        CHECK_OK(hf_encoder_parse(published, set, 1));
        CHECK(ours->width == 16 && ours->n_features == published->n_features);
        for (int i = 0; i < ours->n_features && i < published->n_features; i++)
            CHECK(strcmp(ours->feature[i].spec, published->feature[i].spec) == 0);
    }
    hf_recipe_free(&r);
    free(path);
    free(ours);
}

int main(int argc, char **argv)
{
    if (!mkdtemp(folder)) return 2;
    char *inner = NULL;
    CHECK_OK(hf_path_join(&inner, folder, "inner"));
    CHECK_OK(hf_make_dirs(inner));
    free(inner);
    test_base();
    test_order();
    test_places();
    test_spacing();
    test_refused();
    check_remove_tree(folder);
    const char *recipes = argc > 1 ? argv[1] : "recipes";
    check_folder(recipes);
    CHECK(n_shipped >= 30);
    check_counts(recipes);
    check_attributes(recipes);
    return check_done("recipe files");
}
