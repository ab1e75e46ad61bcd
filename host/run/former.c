/* former.c: the table's encoder as version 0.1 kept it in a checkpoint: a list of features in JSON, each a one-hot or a number
 * with the training median where it is missing. */
#include "learned.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static double real_of(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The feature as a recipe would say it today; a missing category was all zeros then. */
static hf_status add_spec(hf_text *out, const json_t *feature)
{
    const char *column = json_string_value(json_object_get(feature, "column"));
    const char *encoding = json_string_value(json_object_get(feature, "encoding"));
    const json_t *categories = json_object_get(feature, "categories");
    if (!column || !encoding) return hf_fail(HF_ERR_FORMAT, "a feature without column or encoding");
    hf_text_add(out, "%s:%s", column, encoding);
    for (size_t i = 0; i < json_array_size(categories); i++) {
        const char *category = json_string_value(json_array_get(categories, i));
        hf_text_add(out, "%s%s", i ? "," : "(", category ? category : "");
    }
    if (json_array_size(categories)) hf_text_add(out, ")+zeros");
    if (json_is_true(json_object_get(feature, "flag_missing"))) hf_text_add(out, "+missing");
    return hf_text_check(out);
}

static void set_statistics(hf_feature *f, const json_t *feature)
{
    f->mean = real_of(feature, "mean");
    f->sd = real_of(feature, "sd");
    f->median = real_of(feature, "median");
    f->low = real_of(feature, "low");
    f->high = real_of(feature, "high");
    f->n_missing = (int)json_integer_value(json_object_get(feature, "missing"));
}

hf_status hf_run_former_encoder(hf_encoder *out, const json_t *features)
{
    hf_status status = HF_OK;
    hf_text spec[HF_MAX_FEATURES] = { { 0 } };
    const char *text[HF_MAX_FEATURES];
    hf_encoder read = { 0 };
    const size_t count = json_array_size(features);
    if (!json_is_array(features) || count > HF_MAX_FEATURES)
        return hf_fail(HF_ERR_FORMAT, "the checkpoint does not say how table rows are encoded");
    for (size_t i = 0; status == HF_OK && i < count; i++) {
        status = add_spec(&spec[i], json_array_get(features, i));
        text[i] = spec[i].data;
    }
    if (status == HF_OK) status = hf_encoder_parse(&read, text, (int)count);
    for (size_t i = 0; status == HF_OK && i < count; i++)
        set_statistics(&read.feature[i], json_array_get(features, i));
    for (size_t i = 0; i < count; i++)
        hf_text_free(&spec[i]);
    if (status == HF_OK) *out = read;
    return status;
}
