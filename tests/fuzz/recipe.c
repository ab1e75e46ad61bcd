/* Fuzzes the recipe reader: whatever the bytes, it must refuse them with a message or give a recipe that reads back as
 * the same text after it has been written. The first byte picks between a "--set" (multiples of 4), a text, and files (3
 * more than a multiple of 4): the parts between NUL bytes are a.yaml, b.yaml and c.yaml, which can name each other as
 * bases. */
#include "recipe/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- files ------------------------------------------------------------------------------------------------------- */

enum { FILES = 3 };
static char folder[] = "/tmp/hf-fuzz-recipe-XXXXXX";

static void path_of(char path[64], int file)
{
    snprintf(path, 64, "%s/%c.yaml", folder, 'a' + file);
}

static void remove_folder(void)
{
    char path[64];
    for (int file = 0; file < FILES; file++) {
        path_of(path, file);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void make_folder(void)
{
    static bool made;
    if (made) return;
    if (!mkdtemp(folder) || atexit(remove_folder) != 0) abort();
    made = true;
}

/* Not hf_file_write, which waits for the disk. */
static void write_part(int file, const char *text, size_t size)
{
    char path[64];
    path_of(path, file);
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(text, 1, size, out) != size || fclose(out) != 0) abort();
}

static hf_status some_files(hf_recipe *recipe, const char *text, size_t size)
{
    char path[64];
    make_folder();
    for (int file = 0; file < FILES; file++) {
        const char *end = size ? memchr(text, '\0', size) : NULL;
        const size_t length = end && file + 1 < FILES ? (size_t)(end - text) : size;
        write_part(file, text, length);
        text += length < size ? length + 1 : length;
        size -= length < size ? length + 1 : length;
    }
    path_of(path, 0);
    return hf_recipe_read(recipe, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hf_recipe recipe = { 0 };
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    hf_status status = data[0] % 4 == 0   ? one_setting(&recipe, text, size - 1)
                       : data[0] % 4 == 3 ? some_files(&recipe, text, size - 1)
                                          : hf_recipe_parse(&recipe, text, size - 1, "fuzz");
    if (status == HF_OK)
        check_written(&recipe);
    else if (!hf_error_message()[0])
        abort();
    hf_recipe_free(&recipe);
    return 0;
}
