/* Fuzzes what is read of a table encoder: a saved one, and a list of specs. Whatever the bytes, either must be refused
 * with a message or give an encoder that encodes a row. The first byte picks which; in a list, lines are specs. */
#include "cohort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A row without any value, and one with a number everywhere: refused with a message, or all finite. */
static void use(const hf_encoder *e)
{
    float row[HF_MAX_WIDTH];
    char pair[HF_MAX_FEATURES][80];
    const char *pairs[HF_MAX_FEATURES];
    for (int k = 0; k < e->n_features; k++) {
        snprintf(pair[k], sizeof pair[k], "%s=1", e->feature[k].column);
        pairs[k] = pair[k];
    }
    if (e->width > HF_MAX_WIDTH) abort();
    for (int given = 0; given < 2; given++) {
        const hf_status status = hf_encoder_pairs(row, e, pairs, given ? e->n_features : 0);
        if (status != HF_OK && !hf_error_message()[0]) abort();
    }
}

static void read_saved(const char *text)
{
    hf_encoder e;
    hf_text again = { 0 };
    if (hf_encoder_read(&e, text) != HF_OK) {
        if (!hf_error_message()[0]) abort();
        return;
    }
    use(&e);
    if (hf_encoder_write(&e, &again) != HF_OK) abort();
    hf_text_free(&again);
    hf_encoder_free(&e);
}

static void read_specs(char *text)
{
    hf_encoder e;
    const char *specs[HF_MAX_FEATURES];
    int n = 0;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line && n < HF_MAX_FEATURES;
         line = strtok_r(NULL, "\n", &save))
        specs[n++] = line;
    if (hf_encoder_parse(&e, specs, n) == HF_OK)
        use(&e);
    else if (!hf_error_message()[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    char *text = malloc(size);
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 2)
        read_specs(text);
    else
        read_saved(text);
    free(text);
    return 0;
}
