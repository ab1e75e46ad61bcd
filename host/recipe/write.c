/* write.c: recipes as text: the resolved YAML, the help on keys, and the checks across keys. */
#include "hfdata.h"
#include "key.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void hf_number_text(hf_text *out, double number)
{
    /* Fifteen digits bring back what was typed; seventeen always suffice. */
    for (size_t digits = 15; digits <= 17; digits++) {
        json_t *json = json_real(number), *back = NULL;
        char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits)) : NULL;
        if (text) back = json_loads(text, JSON_DECODE_ANY, NULL);
        bool exact = back && json_number_value(back) == number;
        if (exact) hf_text_add(out, "%s", text);
        json_decref(json);
        json_decref(back);
        free(text);
        if (exact) return;
    }
    out->failed = true; /* only without memory */
}

/* Texts that look like nothing else stay bare; quotes and backslashes are all that needs escaping in the others, since
 * control characters never get into a recipe. */
static void add_text(hf_text *out, const char *text)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    bool plain = text[0] && !strchr("-.", text[0]) && text[strspn(text, bare)] == '\0';
    if (strcmp(text, "null") == 0 || strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0) plain = false;
    if (plain) {
        hf_text_add(out, "%s", text);
        return;
    }
    hf_text_add(out, "\"");
    for (const char *c = text; *c; c++)
        hf_text_add(out, "%s%c", *c == '"' || *c == '\\' ? "\\" : "", *c);
    hf_text_add(out, "\"");
}

static void write_text(hf_text *out, const void *field)
{
    add_text(out, *(char *const *)field);
}

static void write_integer(hf_text *out, const void *field)
{
    hf_text_add(out, "%lld", (long long)*(const int64_t *)field);
}

static void write_number(hf_text *out, const void *field)
{
    hf_number_text(out, *(const double *)field);
}

static void write_boolean(hf_text *out, const void *field)
{
    hf_text_add(out, "%s", *(const bool *)field ? "true" : "false");
}

static void write_texts(hf_text *out, const void *field)
{
    const hf_texts *texts = field;
    hf_text_add(out, "[");
    for (int i = 0; i < texts->count; i++) {
        hf_text_add(out, "%s", i ? ", " : "");
        add_text(out, texts->text[i]);
    }
    hf_text_add(out, "]");
}

static void write_integers(hf_text *out, const void *field)
{
    const int64_t *three = field;
    hf_text_add(out, "[%lld, %lld, %lld]", (long long)three[0], (long long)three[1], (long long)three[2]);
}

static void write_numbers(hf_text *out, const void *field)
{
    const double *three = field;
    for (int i = 0; i < 3; i++) {
        hf_text_add(out, "%s", i ? ", " : "[");
        hf_number_text(out, three[i]);
    }
    hf_text_add(out, "]");
}

static void write_value(hf_text *out, const hf_recipe *recipe, const hf_key *key)
{
    static void (*const write[])(hf_text * out, const void *field) = {
        [HF_KEY_TEXT] = write_text,       [HF_KEY_INTEGER] = write_integer, [HF_KEY_NUMBER] = write_number,
        [HF_KEY_BOOLEAN] = write_boolean, [HF_KEY_TEXTS] = write_texts,     [HF_KEY_INTEGERS] = write_integers,
        [HF_KEY_NUMBERS] = write_numbers,
    };
    write[key->type](out, (const char *)recipe + key->offset);
}

hf_status hf_recipe_write(const hf_recipe *recipe, hf_text *out)
{
    size_t section = 0; /* length of the last section's name */
    const char *last = "";
    for (size_t i = 0; i < hf_recipe_key_count; i++) {
        const hf_key *key = &hf_recipe_keys[i];
        const char *dot = strchr(key->name, '.');
        size_t length = dot ? (size_t)(dot - key->name) : 0;
        bool begins = length && (length != section || strncmp(last, key->name, length) != 0);
        if (begins) hf_text_add(out, "%.*s:\n", (int)length, key->name);
        hf_text_add(out, "%s%s: ", length ? "  " : "", dot ? dot + 1 : key->name);
        write_value(out, recipe, key);
        hf_text_add(out, "\n");
        section = length;
        last = key->name;
    }
    return hf_text_check(out);
}

/* ---- resuming ---------------------------------------------------------------------------------------------------- */

static bool may_differ(const hf_key *key, const hf_recipe *recipe)
{
    if (key->resume != HF_RESUME_LONGER) return key->resume == HF_RESUME_ANY;
    return strcmp(recipe->train.schedule, "cosine") != 0; /* which alone knows the end */
}

static hf_status same_value(const hf_recipe *was, const hf_recipe *is, const hf_key *key)
{
    hf_text a = { 0 }, b = { 0 };
    write_value(&a, was, key);
    write_value(&b, is, key);
    hf_status status = hf_text_check(&a);
    if (status == HF_OK) status = hf_text_check(&b);
    if (status == HF_OK && strcmp(a.data, b.data) != 0)
        status =
            hf_fail(HF_ERR_ARGUMENT,
                    "the run was started with '%s: %.200s', the recipe now says '%s: %.200s': a run is resumed with "
                    "the recipe it was started with",
                    key->name, a.data, key->name, b.data);
    hf_text_free(&a);
    hf_text_free(&b);
    return status;
}

hf_status hf_recipe_continues(const hf_recipe *was, const hf_recipe *is)
{
    for (size_t i = 0; i < hf_recipe_key_count; i++)
        if (!may_differ(&hf_recipe_keys[i], is)) HF_TRY(same_value(was, is, &hf_recipe_keys[i]));
    return HF_OK;
}

hf_status hf_recipe_copy(hf_recipe *out, const hf_recipe *recipe)
{
    hf_text text = { 0 };
    hf_status status = hf_recipe_write(recipe, &text);
    if (status == HF_OK) status = hf_recipe_parse(out, text.data, text.size, recipe->path);
    hf_text_free(&text);
    return status;
}

hf_status hf_recipe_describe_keys(hf_text *out)
{
    for (size_t i = 0; i < hf_recipe_key_count; i++) {
        const hf_key *key = &hf_recipe_keys[i];
        hf_text_add(out, "%-20s  %s\n%20s  ", key->name, key->about, "");
        hf_key_expectation(out, key);
        if (key->preset[0]) hf_text_add(out, "; default %s", key->preset);
        hf_text_add(out, "\n");
    }
    return hf_text_check(out);
}

/* ---- checks across keys ------------------------------------------------------------------------------------------ */

/* The table's columns as the encoder reads them; the target is no input. */
static hf_status check_tabular(const hf_recipe *r)
{
    hf_encoder *encoder;
    const hf_texts *specs = &r->cohort.tabular;
    HF_TRY(hf_alloc(&encoder, 1, sizeof *encoder, "the encoder"));
    hf_status status = hf_encoder_parse(encoder, (const char *const *)specs->text, specs->count);
    if (status != HF_OK) {
        status = hf_fail_in(status, "cohort.tabular");
    } else if (hf_encoder_uses(encoder, r->cohort.target)) {
        status = hf_fail(HF_ERR_ARGUMENT,
                         "cohort.tabular uses the column '%s', which is cohort.target: what is predicted "
                         "cannot be an input",
                         r->cohort.target);
    }
    if (status == HF_OK && r->goal.event[0] && hf_encoder_uses(encoder, r->goal.event))
        status = hf_fail(HF_ERR_ARGUMENT,
                         "cohort.tabular uses the column '%s', which is goal.event: what is predicted "
                         "cannot be an input",
                         r->goal.event);
    free(encoder);
    return status;
}

static hf_status check_cohort(const hf_recipe *r)
{
    if (!r->cohort.path[0])
        return hf_fail(HF_ERR_ARGUMENT, "cohort.path is not set; name a folder in the recipe or with"
                                        " --set cohort.path=FOLDER");
    const char *filter = r->cohort.filter, *equals = strchr(filter, '=');
    if (filter[0] && (!equals || equals == filter))
        return hf_fail(HF_ERR_ARGUMENT, "cohort.filter: found '%s', expected COLUMN=VALUE", filter);
    const int64_t *shape = r->cohort.shape;
    int shape_zeros = !shape[0] + !shape[1] + !shape[2];
    if (shape_zeros != 0 && shape_zeros != 3)
        return hf_fail(HF_ERR_ARGUMENT, "cohort.shape: found [%lld, %lld, %lld]: either all or none of them 0",
                       (long long)shape[0], (long long)shape[1], (long long)shape[2]);
    const double *spacing = r->cohort.spacing;
    int spacing_zeros = (spacing[0] == 0) + (spacing[1] == 0) + (spacing[2] == 0);
    if (spacing_zeros != 0 && spacing_zeros != 3)
        return hf_fail(HF_ERR_ARGUMENT, "cohort.spacing: found [%g, %g, %g]: either all or none of them 0", spacing[0],
                       spacing[1], spacing[2]);
    HF_TRY(check_tabular(r));
    return r->cohort.target[0] ? HF_OK : hf_fail(HF_ERR_ARGUMENT, "cohort.target is empty: a column is expected");
}

static hf_status check_sides(const hf_recipe *r)
{
    const bool both = strcmp(r->cohort.sides, "both") == 0;
    if (r->cohort.crop[0] && r->cohort.crop_mm[0])
        return hf_fail(HF_ERR_ARGUMENT, "cohort.crop and cohort.crop_mm: one of them is expected");
    if (r->cohort.crop_mm[0] && r->cohort.shape[0])
        return hf_fail(HF_ERR_ARGUMENT, "cohort.crop_mm says how many voxels there are: cohort.shape must be 0, 0, 0");
    if (both && r->train.flip)
        return hf_fail(HF_ERR_ARGUMENT, "cohort.sides is both, which mirrors a side at random already: train.flip must "
                                        "be false");
    return HF_OK;
}

static hf_status check_split(const hf_recipe *r)
{
    bool drawn = strcmp(r->split.method, "stratified") == 0 || strcmp(r->split.method, "random") == 0;
    if (strcmp(r->split.method, "column") == 0 && !r->split.column[0])
        return hf_fail(HF_ERR_ARGUMENT, "split.method is column, but split.column names none");
    if (strcmp(r->split.method, "file") == 0 && !r->split.file[0])
        return hf_fail(HF_ERR_ARGUMENT, "split.method is file, but split.file names none");
    const bool fractions = drawn && r->split.folds == 0;
    if (strcmp(r->split.method, "leave-group-out") == 0 && !r->split.group_column[0])
        return hf_fail(HF_ERR_ARGUMENT, "split.method is leave-group-out, but split.group_column names none");
    if (r->split.folds && !drawn)
        return hf_fail(HF_ERR_ARGUMENT,
                       "split.folds is %lld: folds go with split.method stratified or random, found %s",
                       (long long)r->split.folds, r->split.method);
    if (r->split.folds && (r->split.folds < 3 || r->split.fold >= r->split.folds))
        return hf_fail(HF_ERR_ARGUMENT, "split.folds %lld and split.fold %lld: expected at least 3, and 0 to folds - 1",
                       (long long)r->split.folds, (long long)r->split.fold);
    if (fractions && r->split.valid + r->split.test >= 1)
        return hf_fail(HF_ERR_ARGUMENT, "split.valid %g and split.test %g leave nobody to train on", r->split.valid,
                       r->split.test);
    if (fractions && r->split.test == 0) return hf_fail(HF_ERR_ARGUMENT, "split.test is 0: nobody is left to test on");
    return HF_OK;
}

static hf_status check_model(const hf_recipe *r)
{
    if (r->model.dropout < 0 && r->model.dropout != -1)
        return hf_fail(HF_ERR_ARGUMENT, "model.dropout: found %g, expected a probability, or -1 for the network's own",
                       r->model.dropout);
    return r->model.name[0] ? HF_OK : hf_fail(HF_ERR_ARGUMENT, "model.name is empty: a network is expected");
}

static hf_status check_train(const hf_recipe *r)
{
    if (r->train.warmup_epochs >= (double)r->train.epochs)
        return hf_fail(HF_ERR_ARGUMENT, "train.warmup_epochs: found %g, expected less than train.epochs, %lld",
                       r->train.warmup_epochs, (long long)r->train.epochs);
    if (r->train.lowest_rate > r->train.learning_rate)
        return hf_fail(HF_ERR_ARGUMENT, "train.lowest_rate: found %g, expected at most train.learning_rate, %g",
                       r->train.lowest_rate, r->train.learning_rate);
    return HF_OK;
}

hf_status hf_recipe_check(const hf_recipe *recipe)
{
    hf_status status = check_cohort(recipe);
    if (status == HF_OK) status = check_sides(recipe);
    if (status == HF_OK) status = check_split(recipe);
    if (status == HF_OK) status = check_model(recipe);
    if (status == HF_OK) status = check_train(recipe);
    if (status == HF_OK || !recipe->path[0]) return status;
    return hf_fail_in(status, "'%s'", recipe->path);
}
