/* Checks recipes: what a file may say and how it is understood, the ways it can be wrong with the message each must
 * give, settings from a command line, the checks across keys, and that the resolved text reads back as the same. */
#include "check.h"
#include "recipe/recipe.h"

#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

static hf_status parse(hf_recipe *recipe, const char *text)
{
    *recipe = (hf_recipe){ 0 };
    return hf_recipe_parse(recipe, text, strlen(text), "r.yaml");
}

static void test_mark(void)
{
    hf_recipe r;
    CHECK_OK(parse(&r, "\xef\xbb\xbftrain:\n  epochs: 3\n")); /* as some editors write UTF-8 */
    CHECK(r.train.epochs == 3);
    hf_recipe_free(&r);
}

/* ---- accepted ---------------------------------------------------------------------------------------------------- */

static void test_defaults(void)
{
    hf_recipe r = { 0 };
    if (!CHECK_OK(hf_recipe_defaults(&r))) return;
    CHECK(strcmp(r.goal.name, "regression") == 0 && strcmp(r.model.name, "brain-age-hyperfusion") == 0);
    CHECK(r.train.epochs == 70 && r.train.batch_size == 8 && r.train.learning_rate == 1.5e-4);
    CHECK(r.evaluate.bootstrap == 2000 && r.split.valid == 0.15 && r.split.test == 0.2 && r.model.dropout == -1);
    CHECK(r.cohort.tabular.count == 1 && strcmp(r.cohort.tabular.text[0], "sex:onehot(F,M)") == 0);
    CHECK(r.cohort.cache && r.cohort.shape[0] == 0 && r.cohort.spacing[2] == 0 && r.cohort.path[0] == '\0');
    hf_recipe_free(&r);
    hf_recipe_free(&r);
    hf_recipe_free(NULL);
}

static void test_file(void)
{
    hf_recipe r;
    const char *text = "\xef\xbb\xbf# a comment\r\n"
                       "goal: regression # another\r\n"
                       "model: {name: x-net, dropout: 0.5}\r\n"
                       "cohort:\r\n"
                       "  path: /data/caf\xc3\xa9 1\r\n"
                       "  shape: [90, 120, 99]\r\n"
                       "  spacing:\r\n    - 1.75\r\n    - 2\r\n    - 1e0\r\n"
                       "  filter: 'cdr=0'\r\n"
                       "  cache: false\r\n"
                       "  tabular: [\"sex:onehot(F,M)\", age:zscore, NO, 'it''s']\r\n"
                       "split: {method: column, column: \"null\"}\r\n"
                       "train:\r\n  learning_rate: 5e-4\r\n  seed: 9007199254740992\r\n  weight_decay: -0.0\r\n";
    if (!CHECK_OK(parse(&r, text))) return;
    CHECK(strcmp(r.path, "r.yaml") == 0 && strcmp(r.model.name, "x-net") == 0 && r.model.dropout == 0.5);
    CHECK(strcmp(r.cohort.path, "/data/caf\xc3\xa9 1") == 0 && strcmp(r.cohort.filter, "cdr=0") == 0);
    CHECK(r.cohort.shape[0] == 90 && r.cohort.shape[1] == 120 && r.cohort.shape[2] == 99 && !r.cohort.cache);
    CHECK(r.cohort.spacing[0] == 1.75 && r.cohort.spacing[1] == 2 && r.cohort.spacing[2] == 1);
    CHECK(r.cohort.tabular.count == 4 && strcmp(r.cohort.tabular.text[1], "age:zscore") == 0);
    CHECK(strcmp(r.cohort.tabular.text[2], "NO") == 0 && strcmp(r.cohort.tabular.text[3], "it's") == 0);
    CHECK(strcmp(r.split.column, "null") == 0 && r.train.learning_rate == 5e-4 && r.train.epochs == 70);
    CHECK(r.train.seed == INT64_C(9007199254740992) && !signbit(r.train.weight_decay));
    hf_recipe_free(&r);
}

static void test_short_forms(void)
{
    hf_recipe r;
    if (CHECK_OK(parse(&r, "model: brain-age-image-only\ntrain.epochs: 3\n"))) {
        CHECK(strcmp(r.model.name, "brain-age-image-only") == 0 && r.train.epochs == 3);
        hf_recipe_free(&r);
    }
    if (CHECK_OK(parse(&r, "---\ncohort: {tabular: [], path: \"\"}\n...\n"))) {
        CHECK(r.cohort.tabular.count == 0 && r.cohort.path[0] == '\0');
        hf_recipe_free(&r);
    }
}

/* ---- refused ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    hf_status status;
    const char *message;
} damaged[] = {
    /* not plain YAML */
    { "", HF_ERR_FORMAT, "'r.yaml': no keys in it" },
    { "# nothing\n", HF_ERR_FORMAT, "'r.yaml': no keys in it" },
    { "goal", HF_ERR_FORMAT, "'r.yaml', line 1: expected 'KEY: VALUE' lines" },
    { "- goal\n", HF_ERR_FORMAT, "line 1: expected 'KEY: VALUE' lines" },
    { "goal: [regression\n", HF_ERR_FORMAT, "not valid YAML" },
    { "goal: regression\n\ttrain: 1\n", HF_ERR_FORMAT, "'r.yaml', line 2, column 1: not valid YAML" },
    { "goal: \"regression\n", HF_ERR_FORMAT, "not valid YAML" },
    { "train:\n  seed: 1: 2\n", HF_ERR_FORMAT, "'r.yaml', line 2, column 10: not valid YAML" },
    { "train:\n  epochs: 1\n seed: 2\n", HF_ERR_FORMAT, "not valid YAML" },
    { "goal: \xff\n", HF_ERR_FORMAT, "'r.yaml', byte 6: " },
    { "goal: \x01\n", HF_ERR_FORMAT, "'r.yaml', byte 6: " },
    { "goal: &a regression\n", HF_ERR_FORMAT, "line 1: YAML anchors are not used" },
    { "train: &a {seed: 1}\n", HF_ERR_FORMAT, "line 1: YAML anchors are not used" },
    { "cohort: {tabular: &a []}\n", HF_ERR_FORMAT, "YAML anchors are not used" },
    { "goal: *a\n", HF_ERR_FORMAT, "line 1: YAML aliases are not used" },
    { "<<: *a\n", HF_ERR_FORMAT, "YAML aliases are not used" },
    { "goal: !!str regression\n", HF_ERR_FORMAT, "line 1: YAML tags are not used" },
    { "train: !x {seed: 1}\n", HF_ERR_FORMAT, "YAML tags are not used" },
    { "cohort: {tabular: !x []}\n", HF_ERR_FORMAT, "YAML tags are not used" },
    { "%YAML 1.1\n---\ngoal: binary\n", HF_ERR_FORMAT, "YAML directives are not used" },
    { "%TAG ! !x\n---\ngoal: binary\n", HF_ERR_FORMAT, "YAML directives are not used" },
    { "goal: binary\n---\ngoal: binary\n", HF_ERR_FORMAT, "line 2: a second YAML document" },
    { "{[a]: b}\n", HF_ERR_FORMAT, "a key is a list or mapping" },
    /* keys */
    { "goal: binary\ngoal: binary\n", HF_ERR_FORMAT,
      "'r.yaml', line 2: 'goal' is given a second time, first in line 1" },
    { "train:\n  seed: 1\n  seed: 1\n", HF_ERR_FORMAT, "line 3: 'train.seed' is given a second time, first in line 2" },
    { "train: {seed: 1}\ntrain: {epochs: 1}\n", HF_ERR_FORMAT, "line 2: 'train' is given a second time" },
    { "train.seed: 1\ntrain: {seed: 1}\n", HF_ERR_FORMAT, "'train.seed' is given a second time" },
    { "model: a\nmodel: {name: b}\n", HF_ERR_FORMAT, "line 2: 'model' is given a second time" },
    { "model: a\nmodel.name: b\n", HF_ERR_FORMAT, "'model.name' is given a second time" },
    { "gaol: binary\n", HF_ERR_ARGUMENT, "'r.yaml', line 1: unknown key 'gaol'; did you mean 'goal'?" },
    { "\n\ntrain:\n  epoch: 1\n", HF_ERR_ARGUMENT,
      "'r.yaml', line 4: unknown key 'train.epoch'; did you mean 'train.epochs'?" },
    { "trian: {epochs: 1}\n", HF_ERR_ARGUMENT, "unknown key 'trian'; did you mean 'train'?" },
    { "train: {Epochs: 1}\n", HF_ERR_ARGUMENT, "unknown key 'train.Epochs'; did you mean 'train.epochs'?" },
    { "quantum: 1\n", HF_ERR_ARGUMENT, "unknown key 'quantum'" },
    { "? \"train\\0seed\"\n: 1\n", HF_ERR_ARGUMENT, "unknown key 'train'" },
    { "\"\": 1\n", HF_ERR_ARGUMENT, "unknown key ''" },
    { "train:\n", HF_ERR_ARGUMENT, "line 1: 'train' is a section: keys in it, such as 'train.epochs'" },
    { "split: 3\n", HF_ERR_ARGUMENT, "'split' is a section" },
    { "cohort: [1]\n", HF_ERR_ARGUMENT, "'cohort' is a section" },
    { "train: {optimizer: {name: adam}}\n", HF_ERR_ARGUMENT, "train.optimizer: found a mapping, expected a value" },
    { "task: {a: b}\n", HF_ERR_ARGUMENT, "goal.name: found a mapping" },
    /* values */
    { "goal:\n", HF_ERR_ARGUMENT,
      "'r.yaml', line 1: goal.name: found nothing, expected one of: regression, binary, classes" },
    { "goal: ~\n", HF_ERR_ARGUMENT, "goal.name: found nothing" },
    { "goal: Regression\n", HF_ERR_ARGUMENT,
      "goal.name: found 'Regression', expected one of: regression, binary, classes" },
    { "goal: regress\n", HF_ERR_ARGUMENT, "goal.name: found 'regress', expected one of" },
    { "goal: 'regression, binary'\n", HF_ERR_ARGUMENT, "expected one of: regression, binary, classes" },
    { "goal: [binary]\n", HF_ERR_ARGUMENT, "goal.name: found a list of 1, expected one of" },
    { "goal: \"a\\0d\"\n", HF_ERR_ARGUMENT, "control character" },
    { "cohort: {path: \"a\\nb\"}\n", HF_ERR_ARGUMENT, "line 1: a value holds a control character" },
    { "cohort: {path: \"a\\x85b\"}\n", HF_ERR_ARGUMENT, "control character" },
    { "cohort: {path: \"a\\u2028b\"}\n", HF_ERR_ARGUMENT, "control character" },
    { "cohort: {path: \"a\\uFEFFb\"}\n", HF_ERR_ARGUMENT, "control character" },
    { "cohort: {path: }\n", HF_ERR_ARGUMENT, "cohort.path: found nothing, expected text" },
    { "train: {epochs: two}\n", HF_ERR_ARGUMENT, "train.epochs: found 'two', expected an integer from 1 to 100000" },
    { "train: {epochs: \"2\"}\n", HF_ERR_ARGUMENT, "train.epochs: found the quoted text '2', expected an integer" },
    { "train: {epochs: 2.0}\n", HF_ERR_ARGUMENT, "train.epochs: found '2.0', expected an integer" },
    { "train: {epochs: 1e2}\n", HF_ERR_ARGUMENT, "found '1e2', expected an integer" },
    { "train: {epochs: 0}\n", HF_ERR_ARGUMENT, "found '0', expected an integer from 1" },
    { "train: {epochs: -3}\n", HF_ERR_ARGUMENT, "found '-3', expected an integer from 1" },
    { "train: {epochs: 100001}\n", HF_ERR_ARGUMENT, "found '100001', expected an integer from 1 to 100000" },
    { "train: {epochs: 0x10}\n", HF_ERR_ARGUMENT, "found '0x10', expected an integer" },
    { "train: {epochs: 010}\n", HF_ERR_ARGUMENT, "found '010', expected an integer" },
    { "train: {epochs: 5 6}\n", HF_ERR_ARGUMENT, "found '5 6', expected an integer" },
    { "train: {epochs: true}\n", HF_ERR_ARGUMENT, "found 'true', expected an integer" },
    { "train: {seed: 9007199254740993}\n", HF_ERR_ARGUMENT, "train.seed: found '9007199254740993'" },
    { "train: {seed: 99999999999999999999}\n", HF_ERR_ARGUMENT, "train.seed: found '99999999999999999999'" },
    { "train: {learning_rate: fast}\n", HF_ERR_ARGUMENT, "found 'fast', expected a number from 1e-12 to 100" },
    { "train: {learning_rate: 0}\n", HF_ERR_ARGUMENT, "found '0', expected a number from 1e-12" },
    { "train: {learning_rate: .nan}\n", HF_ERR_ARGUMENT, "found '.nan', expected a number" },
    { "train: {learning_rate: NaN}\n", HF_ERR_ARGUMENT, "found 'NaN', expected a number" },
    { "train: {learning_rate: .inf}\n", HF_ERR_ARGUMENT, "found '.inf', expected a number" },
    { "train: {learning_rate: 1e999}\n", HF_ERR_ARGUMENT, "found '1e999', expected a number" },
    { "train: {learning_rate: '1,5'}\n", HF_ERR_ARGUMENT, "found the quoted text '1,5', expected a number" },
    { "train: {weight_decay: [0.1]}\n", HF_ERR_ARGUMENT, "found a list of 1, expected a number" },
    { "train: {optimizer: adagrad}\n", HF_ERR_ARGUMENT, "found 'adagrad', expected one of: adam, adamw, sgd" },
    { "cohort: {cache: yes}\n", HF_ERR_ARGUMENT, "cohort.cache: found 'yes', expected true or false" },
    { "cohort: {cache: 1}\n", HF_ERR_ARGUMENT, "found '1', expected true or false" },
    { "cohort: {cache: [true]}\n", HF_ERR_ARGUMENT, "found a list of 1, expected true or false" },
    { "cohort: {shape: 90}\n", HF_ERR_ARGUMENT, "cohort.shape: found '90', expected a list of three integers from 0" },
    { "cohort: {shape: [90, 120]}\n", HF_ERR_ARGUMENT, "found a list of 2, expected a list of three integers" },
    { "cohort: {shape: [1, 2, 3, 4]}\n", HF_ERR_ARGUMENT, "found a list of 4, expected a list of three" },
    { "cohort: {shape: [1, 2, 2.5]}\n", HF_ERR_ARGUMENT, "cohort.shape: found '2.5', expected a list of three" },
    { "cohort: {shape: [1, 2, 1025]}\n", HF_ERR_ARGUMENT, "found '1025'" },
    { "cohort: {shape: [1, 2, [3]]}\n", HF_ERR_ARGUMENT, "cohort.shape: found a list or mapping inside a list" },
    { "cohort: {spacing: [1, 2, x]}\n", HF_ERR_ARGUMENT,
      "cohort.spacing: found 'x', expected a list of three numbers" },
    { "cohort: {spacing: [1, 2, -1]}\n", HF_ERR_ARGUMENT, "cohort.spacing: found '-1'" },
    { "cohort: {tabular: sex:onehot}\n", HF_ERR_ARGUMENT, "cohort.tabular: found 'sex:onehot', expected a list of" },
    { "cohort: {tabular: [\"\"]}\n", HF_ERR_ARGUMENT, "cohort.tabular: found the quoted text ''" },
    { "cohort: {tabular: [a, ~]}\n", HF_ERR_ARGUMENT, "cohort.tabular: found nothing, expected a list of texts" },
    { "cohort: {tabular: [{a: b}]}\n", HF_ERR_ARGUMENT, "inside a list" },
    { "cohort:\n  shape: [1, 2, 3]\n  path: x\n  table: [a]\n", HF_ERR_ARGUMENT, "'r.yaml', line 4: cohort.table: " },
    { "evaluate: {bootstrap: 10}\n", HF_ERR_ARGUMENT, "evaluate.bootstrap: found '10', expected an integer from 100" },
};

static void test_damaged(void)
{
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        hf_recipe r;
        bool good = CHECK_STATUS(parse(&r, damaged[i].text), damaged[i].status, damaged[i].message);
        good = CHECK(r.path == NULL && r.goal.name == NULL) && good;
        if (!good) fprintf(stderr, "    recipe: %s\n", damaged[i].text);
        hf_recipe_free(&r);
    }
}

static void test_large(void)
{
    hf_recipe r;
    hf_text text = { 0 };
    hf_text_add(&text, "cohort: {tabular: [");
    for (int i = 0; i < 65; i++)
        hf_text_add(&text, "a%d,", i);
    hf_text_add(&text, "]}\n");
    CHECK_STATUS(parse(&r, text.data), HF_ERR_ARGUMENT, "line 1: a list of more than 64");
    hf_text_free(&text);
    for (int i = 0; i < 100000; i++)
        hf_text_add(&text, "[[[");
    CHECK_STATUS(parse(&r, text.data), HF_ERR_FORMAT, "300000 bytes, at most 262144 expected");
    text.data[200000] = '\0';
    CHECK_STATUS(parse(&r, text.data), HF_ERR_FORMAT, "line 1: expected 'KEY: VALUE' lines");
    hf_text_free(&text);
    CHECK_STATUS(hf_recipe_read(&r, "/nowhere/r.yaml"), HF_ERR_IO, "/nowhere/r.yaml");
}

/* ---- --set ------------------------------------------------------------------------------------------------------- */

/* A shape belongs to its voxel size: a new spacing drops it, unless a shape is given beside it, in either order. */
static void test_spacing_alone(void)
{
    static const char text[] = "cohort: {shape: [91, 109, 91], spacing: [2, 2, 2]}\n";
    for (int k = 0; k < 4; k++) {
        hf_recipe r;
        if (!CHECK_OK(hf_recipe_parse(&r, text, strlen(text), "r"))) return;
        if (k == 1) CHECK_OK(hf_recipe_set(&r, "cohort.shape=45,55,45"));
        if (k < 3) CHECK_OK(hf_recipe_set(&r, "cohort.spacing=4,4,4"));
        if (k == 2) CHECK_OK(hf_recipe_set(&r, "cohort.shape=45,55,45"));
        CHECK(r.cohort.shape[1] == (k == 0 ? 0 : k == 3 ? 109 : 55) && r.cohort.spacing[1] == (k == 3 ? 2 : 4));
        hf_recipe_free(&r);
    }
}

static void test_crops(void)
{
    hf_recipe r;
    CHECK_OK(hf_recipe_defaults(&r));
    CHECK_OK(hf_recipe_set(&r, "cohort.path=x"));
    CHECK_OK(hf_recipe_set(&r, "cohort.crop_mm=hippocampi"));
    CHECK_OK(hf_recipe_set(&r, "cohort.sides=both"));
    CHECK_OK(hf_recipe_check(&r));
    CHECK_OK(hf_recipe_set(&r, "train.flip=true"));
    CHECK_STATUS(hf_recipe_check(&r), HF_ERR_ARGUMENT, "train.flip must be false");
    CHECK_OK(hf_recipe_set(&r, "train.flip=false"));
    CHECK_OK(hf_recipe_set(&r, "cohort.shape=9,9,9"));
    CHECK_STATUS(hf_recipe_check(&r), HF_ERR_ARGUMENT, "cohort.shape must be 0, 0, 0");
    CHECK_OK(hf_recipe_set(&r, "cohort.crop=0:2, 0:2, 0:2"));
    CHECK_STATUS(hf_recipe_check(&r), HF_ERR_ARGUMENT, "one of them is expected");
    hf_recipe_free(&r);
}

static void test_set(void)
{
    hf_recipe r = { 0 };
    if (!CHECK_OK(hf_recipe_defaults(&r))) return;
    CHECK_OK(hf_recipe_set(&r, "train.epochs=2"));
    CHECK_OK(hf_recipe_set(&r, "model=x"));
    CHECK_OK(hf_recipe_set(&r, "cohort.shape=[1,2, 3]"));
    CHECK_OK(hf_recipe_set(&r, "cohort.spacing=1, 2.5,3"));
    CHECK_OK(hf_recipe_set(&r, "cohort.filter=cdr=0"));
    CHECK_OK(hf_recipe_set(&r, "cohort.path=/a b: [c] # d"));
    CHECK_OK(hf_recipe_set(&r, "cohort.cache=false"));
    CHECK(r.train.epochs == 2 && strcmp(r.model.name, "x") == 0 && r.cohort.shape[2] == 3 && !r.cohort.cache);
    CHECK(r.cohort.spacing[1] == 2.5 && strcmp(r.cohort.filter, "cdr=0") == 0);
    CHECK(strcmp(r.cohort.path, "/a b: [c] # d") == 0);
    CHECK_OK(hf_recipe_set(&r, "cohort.tabular=sex:onehot(M,F)"));
    CHECK(r.cohort.tabular.count == 1 && strcmp(r.cohort.tabular.text[0], "sex:onehot(M,F)") == 0);
    CHECK_OK(hf_recipe_set(&r, "cohort.tabular=[\"sex:onehot(F,M)\", age:zscore]"));
    CHECK(r.cohort.tabular.count == 2 && strcmp(r.cohort.tabular.text[1], "age:zscore") == 0);
    CHECK_OK(hf_recipe_set(&r, "cohort.path="));
    CHECK(r.cohort.path[0] == '\0');

    CHECK_STATUS(hf_recipe_set(&r, "train.epochs"), HF_ERR_ARGUMENT, "--set train.epochs: expected KEY=VALUE");
    CHECK_STATUS(hf_recipe_set(&r, "=2"), HF_ERR_ARGUMENT, "expected KEY=VALUE");
    CHECK_STATUS(hf_recipe_set(&r, ""), HF_ERR_ARGUMENT, "expected KEY=VALUE");
    CHECK_STATUS(hf_recipe_set(&r, "train.epoch=2"), HF_ERR_ARGUMENT,
                 "--set train.epoch=2: unknown key 'train.epoch'; did you mean 'train.epochs'?");
    CHECK_STATUS(hf_recipe_set(&r, "train.epochs=two"), HF_ERR_ARGUMENT,
                 "--set train.epochs=two: train.epochs: found 'two', expected an integer from 1 to 100000");
    CHECK_STATUS(hf_recipe_set(&r, "train.epochs="), HF_ERR_ARGUMENT, "found nothing, expected an integer");
    CHECK_STATUS(hf_recipe_set(&r, "train=2"), HF_ERR_ARGUMENT, "'train' is a section");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.shape=1,2"), HF_ERR_ARGUMENT, "found a list of 2");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.shape=1,2,3]"), HF_ERR_FORMAT, "--set cohort.shape=1,2,3]: ");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.shape=[1,2"), HF_ERR_FORMAT, "not valid YAML");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.shape=[1,2,*a]"), HF_ERR_FORMAT, "aliases");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.path=a\nb"), HF_ERR_ARGUMENT, "control character");
    CHECK_STATUS(hf_recipe_set(&r, "cohort.path=a\xff"), HF_ERR_ARGUMENT, "not UTF-8");
    CHECK_STATUS(hf_recipe_set(&r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=2"),
                 HF_ERR_ARGUMENT, "no key is that long");
    CHECK(r.train.epochs == 2 && r.cohort.shape[0] == 1 && r.cohort.path[0] == '\0'); /* failures changed nothing */
    hf_recipe_free(&r);
}

/* ---- checks across keys ------------------------------------------------------------------------------------------ */

static void test_check(void)
{
    static const struct {
        const char *set, *message; /* NULL: fine */
    } rows[] = {
        { "cohort.path=x", NULL },
        { "cohort.path=", "cohort.path is not set" },
        { "cohort.filter=cdr", "cohort.filter: found 'cdr', expected COLUMN=VALUE" },
        { "cohort.filter==1", "expected COLUMN=VALUE" },
        { "cohort.filter=cdr=", NULL },
        { "cohort.shape=1,2,0", "cohort.shape: found [1, 2, 0]: either all or none" },
        { "cohort.spacing=0,0,1", "cohort.spacing: found [0, 0, 1]" },
        { "cohort.tabular=age", "cohort.tabular: feature 'age': expected COLUMN:ENCODING" },
        { "cohort.tabular=edu:zscor", "no such encoding; did you mean 'zscore'?" },
        { "cohort.tabular=AGE:zscore", "cohort.tabular uses the column 'age', which is cohort.target" },
        { "cohort.tabular=edu:zscore+median(age)", "which is cohort.target" },
        { "cohort.target=", "cohort.target is empty" },
        { "split.method=column", "split.column names none" },
        { "split.method=file", "split.file names none" },
        { "split.test=0.9", "leave nobody to train on" },
        { "split.test=0", "nobody is left to test on" },
        { "split.valid=0", NULL },
        { "split.folds=5", NULL },
        { "split.folds=2", "expected at least 3" },
        { "split.method=leave-group-out", "split.group_column names none" },
        { "split.method=published", NULL },
        { "model.dropout=-0.5", "model.dropout: found -0.5" },
        { "model.dropout=0", NULL },
        { "model=", "model.name is empty" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hf_recipe r;
        if (!CHECK_OK(parse(&r, "cohort: {path: x}\nsplit: {valid: 0.2}\n"))) return;
        CHECK_OK(hf_recipe_set(&r, rows[i].set));
        hf_status expected = rows[i].message ? HF_ERR_ARGUMENT : HF_OK;
        bool good = CHECK_STATUS(hf_recipe_check(&r), expected, rows[i].message ? rows[i].message : "");
        if (rows[i].message) good = CHECK(strncmp(hf_error_message(), "'r.yaml': ", 10) == 0) && good;
        if (!good) fprintf(stderr, "    --set %s\n", rows[i].set);
        hf_recipe_free(&r);
    }
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static bool same(const hf_recipe *a, const hf_recipe *b)
{
    hf_text x = { 0 }, y = { 0 };
    bool good = hf_recipe_write(a, &x) == HF_OK && hf_recipe_write(b, &y) == HF_OK && strcmp(x.data, y.data) == 0;
    good = good && a->train.learning_rate == b->train.learning_rate && a->train.seed == b->train.seed;
    good = good && memcmp(a->cohort.spacing, b->cohort.spacing, sizeof a->cohort.spacing) == 0;
    good = good && strcmp(a->cohort.path, b->cohort.path) == 0 && a->cohort.tabular.count == b->cohort.tabular.count;
    for (int i = 0; good && i < a->cohort.tabular.count; i++)
        good = strcmp(a->cohort.tabular.text[i], b->cohort.tabular.text[i]) == 0;
    hf_text_free(&x);
    hf_text_free(&y);
    return good;
}

static void check_round_trip(const hf_recipe *r)
{
    hf_text text = { 0 };
    hf_recipe back = { 0 };
    CHECK_OK(hf_recipe_write(r, &text));
    bool good = CHECK_OK(hf_recipe_parse(&back, text.data, text.size, "written"));
    if (!(good && CHECK(same(r, &back)))) fprintf(stderr, "%s", text.data);
    hf_recipe_free(&back);
    hf_text_free(&text);
}

static void test_round_trip(void)
{
    static const char *const sets[] = {
        "cohort.path=",
        "cohort.path=null",
        "cohort.path=~",
        "cohort.path=-",
        "cohort.path=---",
        "cohort.path=...",
        "cohort.path=true",
        "cohort.path=12",
        "cohort.path= leading and trailing ",
        "cohort.path=a: b # c",
        "cohort.path=\"quoted\" and \\back\\",
        "cohort.path=&a *b !c %d @e `f {g} [h] 'i', ?j | > -k",
        "cohort.path=caf\xc3\xa9 \xe8\x84\xb3 \xf0\x9f\xa7\xa0 \xc2\xa0 \xee\x80\x80",
        "cohort.tabular=[]",
        "cohort.tabular=[\"a,b\", 'c]', \"null\", d:onehot]",
        "cohort.spacing=0.1, 1e-7, 99.999999999999986",
        "cohort.spacing=1.7500000000000002, 3, 0.3333333333333333",
        "cohort.shape=90, 120, 99",
        "cohort.cache=false",
        "goal=classes",
        "goal.classes=CN, MCI, AD",
        "goal.merge=[EMCI=MCI, LMCI=MCI]",
        "train.class_weights=[1.1, 0.6962, 1.4]",
        "evaluate.groups=[]",
        "train.learning_rate=1.4999999999999999e-4",
        "train.learning_rate=1e-12",
        "train.seed=9007199254740992",
        "model.dropout=0",
    };
    hf_recipe r = { 0 };
    CHECK_OK(hf_recipe_defaults(&r));
    check_round_trip(&r);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        CHECK_OK(hf_recipe_set(&r, sets[i]));
        check_round_trip(&r);
    }
    hf_recipe_free(&r);
}

static void test_random_round_trip(void)
{
    hf_recipe r = { 0 };
    CHECK_OK(hf_recipe_defaults(&r));
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t stream = hf_random_stream("recipe numbers", 0, 0);
        r.train.learning_rate = pow(10, -12 + 13 * hf_random_uniform(1, stream, 3 * i));
        r.cohort.spacing[0] = 100 * hf_random_uniform(1, stream, 3 * i + 1);
        r.cohort.spacing[1] = hf_random_uniform(1, stream, 3 * i + 2) / 3;
        check_round_trip(&r);
    }
    hf_recipe_free(&r);
}

static void test_written_text(void)
{
    hf_recipe r;
    hf_text text = { 0 };
    if (!CHECK_OK(parse(&r, "cohort: {path: my folder, spacing: [1.75, 1.75, 1.75]}"))) return;
    CHECK_OK(hf_recipe_write(&r, &text));
    CHECK(strstr(text.data, "goal:\n  name: regression\n  classes: []\n  event: \"\"\n  merge: []\n  collapse: []\n  "
                            "unit: years\nmodel:\n  name: "
                            "brain-age-hyperfusion\n  hyper_layers: \"\"\n") == text.data);
    CHECK(strstr(text.data, "\ncohort:\n  path: \"my folder\"\n") != NULL);
    CHECK(strstr(text.data, "\n  spacing: [1.75, 1.75, 1.75]\n") != NULL);
    CHECK(strstr(text.data, "\n  tabular: [\"sex:onehot(F,M)\"]\n  fit_on: train\n  cache: true\n") != NULL);
    CHECK(strstr(text.data, "\n  learning_rate: 0.00015\n") != NULL);
    hf_text_free(&text);
    hf_recipe_free(&r);
    CHECK_OK(hf_recipe_describe_keys(&text));
    CHECK(strstr(text.data, "train.epochs") != NULL);
    CHECK(strstr(text.data, "an integer from 1 to 100000; default 70\n") != NULL);
    hf_text_free(&text);
}

static void test_locale(void)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8")) {
        check_skip("no locale with a decimal comma");
        return;
    }
    hf_recipe r;
    if (CHECK_OK(parse(&r, "train: {learning_rate: 1.5}\n"))) {
        CHECK(r.train.learning_rate == 1.5);
        check_round_trip(&r);
        hf_recipe_free(&r);
    }
    setlocale(LC_ALL, "C");
}

/* The recipes that are shipped, when the test knows where they are. */
static void test_shipped(const char *folder)
{
    static const char *const names[] = { "ad-demo.yaml", "ad-late-fusion.yaml", "brain-age.yaml", "oasis1.yaml",
                                         "demo.yaml" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = NULL;
        hf_recipe r = { 0 };
        CHECK_OK(hf_path_join(&path, folder, names[i]));
        if (CHECK_OK(hf_recipe_read(&r, path))) {
            CHECK_OK(hf_recipe_set(&r, "cohort.path=x"));
            CHECK_OK(hf_recipe_check(&r));
            check_round_trip(&r);
        }
        hf_recipe_free(&r);
        free(path);
    }
}

/* What earlier versions called things is understood, and written as it is called now. */
static void test_former_names(void)
{
    hf_recipe r;
    if (!CHECK_OK(parse(&r, "task: brain-age\ntrain: {loss: mse}\n"))) return;
    CHECK(strcmp(r.goal.name, "regression") == 0);
    CHECK_OK(hf_recipe_set(&r, "task=ad"));
    CHECK(strcmp(r.goal.name, "classes") == 0);
    CHECK_STATUS(hf_recipe_set(&r, "task=dementia"), HF_ERR_ARGUMENT,
                 "goal.name: found the quoted text 'dementia', expected one of: regression, binary, classes");
    check_round_trip(&r);
    hf_recipe_free(&r);
}

/* The keys that a resumed run may be given, and no others. */
static void test_continues(void)
{
    static const struct {
        const char *change, *refused; /* refused: the two values as the message names them; NULL: may differ */
    } changes[] = {
        { "train.threads_ahead=5", NULL },
        { "cohort.cache=false", NULL },
        { "cohort.cache_dir=elsewhere", NULL },
        { "evaluate.bootstrap=300", NULL },
        { "evaluate.seed=9", NULL },
        { "evaluate.groups=site", NULL },
        { "goal.unit=months", NULL },
        { "train.epochs=71", NULL },
        { "train.seed=2", "'train.seed: 1', the recipe now says 'train.seed: 2'" },
        { "goal=classes", "'goal.name: regression', the recipe now says 'goal.name: classes'" },
        { "cohort.tabular=[]", "'cohort.tabular: [\"sex:onehot(F,M)\"]', the recipe now says 'cohort.tabular: []'" },
        { "cohort.spacing=1,1,1", "'cohort.spacing: [0.0, 0.0, 0.0]', the recipe now says" },
        { "train.oversample=true", "'train.oversample: false'" },
    };
    hf_recipe was = { 0 }, is = { 0 };
    CHECK_OK(hf_recipe_defaults(&was));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        if (!CHECK_OK(hf_recipe_copy(&is, &was))) continue;
        CHECK_OK(hf_recipe_continues(&was, &is));
        CHECK_OK(hf_recipe_set(&is, changes[i].change));
        if (changes[i].refused)
            CHECK_STATUS(hf_recipe_continues(&was, &is), HF_ERR_ARGUMENT, changes[i].refused);
        else
            CHECK_OK(hf_recipe_continues(&was, &is));
        hf_recipe_free(&is);
    }
    CHECK_OK(hf_recipe_set(&was, "train.schedule=cosine")); /* then the length is in every step */
    CHECK_OK(hf_recipe_copy(&is, &was));
    CHECK_OK(hf_recipe_set(&is, "train.epochs=71"));
    CHECK_STATUS(hf_recipe_continues(&was, &is), HF_ERR_ARGUMENT, "'train.epochs: 70'");
    hf_recipe_free(&is);
    hf_recipe_free(&was);
}

int main(int argc, char **argv)
{
    test_spacing_alone();
    test_crops();
    test_defaults();
    test_mark();
    test_file();
    test_short_forms();
    test_damaged();
    test_large();
    test_set();
    test_check();
    test_round_trip();
    test_random_round_trip();
    test_written_text();
    test_former_names();
    test_continues();
    test_locale();
    if (argc > 1)
        test_shipped(argv[1]);
    else
        check_skip("no folder of recipes was named");
    return check_done("recipe");
}
