/* Fuzzes the recipe reader: whatever the bytes, it must refuse them with a message or give a recipe that reads back as
 * the same text after it has been written. The first byte picks between a file and a "--set". */
#include "recipe/recipe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const hf_recipe *recipe)
{
    hf_text text = { 0 }, again = { 0 };
    hf_recipe back = { 0 };
    if (hf_recipe_write(recipe, &text) != HF_OK) abort();
    if (hf_recipe_parse(&back, text.data, text.size, "written") != HF_OK) abort();
    if (hf_recipe_write(&back, &again) != HF_OK || strcmp(text.data, again.data) != 0) abort();
    if (hf_recipe_check(recipe) != hf_recipe_check(&back)) abort();
    hf_recipe_free(&back);
    hf_text_free(&text);
    hf_text_free(&again);
}

static hf_status one_setting(hf_recipe *recipe, const char *text, size_t size)
{
    char *copy;
    HF_TRY(hf_alloc(&copy, size + 1, 1, "a setting"));
    memcpy(copy, text, size);
    hf_status status = hf_recipe_defaults(recipe);
    if (status == HF_OK) status = hf_recipe_set(recipe, copy);
    free(copy);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hf_recipe recipe = { 0 };
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    hf_status status =
        data[0] % 4 == 0 ? one_setting(&recipe, text, size - 1) : hf_recipe_parse(&recipe, text, size - 1, "fuzz");
    if (status == HF_OK)
        check_written(&recipe);
    else if (!hf_error_message()[0])
        abort();
    hf_recipe_free(&recipe);
    return 0;
}
