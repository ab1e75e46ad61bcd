/* yaml.c: a recipe file as YAML events (libyaml), put into a recipe key by key.
 *
 * Working on events rather than on a schema library's structs keeps the line of every key for messages, and lets files
 * and "--set" share one table. A recipe needs two levels of mappings, scalars and lists of scalars; everything else
 * that YAML offers (anchors, aliases, tags, several documents, directives) is refused, so a file means what it shows.
 *
 * A file may begin with "base: FILE": the keys of that file are put into the recipe first, then its own over them. So
 * a file says only how it differs, and what is left at the end is an ordinary recipe. */
#include "key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

enum { MAX_FILE = 256 << 10 }; /* bytes */
enum { MAX_FILES = 32 };       /* that one recipe is put together from */

/* A file being read. `event` is the current one; it is replaced by `next`. */
typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *name;
    hf_recipe *recipe;
    int *files;                /* read so far; NULL: a text that is no file and has no folder to look for bases in */
    const struct reader *over; /* the file that has this one as its base; NULL */
    bool begun;                /* a key was read */
    int key_line[HF_MAX_KEYS]; /* where a key was given; 0: not yet */
    int section_line[HF_N_SECTIONS];
    char place[600]; /* "'FILE', line N" of the event last asked for */
} reader;

static const char *place_at(reader *r, size_t line)
{
    snprintf(r->place, sizeof r->place, "'%.500s', line %zu", r->name, line + 1);
    return r->place;
}

static const char *place_here(reader *r)
{
    return place_at(r, r->event.start_mark.line);
}

static hf_status syntax_error(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return hf_fail(HF_ERR_MEMORY, "'%s': no host memory for YAML", r->name);
    const char *problem = p->problem ? p->problem : "unknown problem";
    if (p->error == YAML_READER_ERROR)
        return hf_fail(HF_ERR_FORMAT, "'%s', byte %zu: %s", r->name, p->problem_offset, problem);
    return hf_fail(HF_ERR_FORMAT, "%s, column %zu: not valid YAML: %s", place_at(r, p->problem_mark.line),
                   p->problem_mark.column + 1, problem);
}

static hf_status refuse_extras(reader *r, const void *anchor, const void *tag)
{
    if (!anchor && !tag) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "%s: YAML %s are not used in recipes", place_here(r), anchor ? "anchors" : "tags");
}

/* The next event, refusing what recipes never hold. */
static hf_status next(reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) return syntax_error(r);
    const yaml_event_t *e = &r->event;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return hf_fail(HF_ERR_FORMAT, "%s: YAML aliases are not used in recipes", place_here(r));
    case YAML_SCALAR_EVENT:
        return refuse_extras(r, e->data.scalar.anchor, e->data.scalar.tag);
    case YAML_SEQUENCE_START_EVENT:
        return refuse_extras(r, e->data.sequence_start.anchor, e->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return refuse_extras(r, e->data.mapping_start.anchor, e->data.mapping_start.tag);
    default:
        return HF_OK;
    }
}

static hf_status add_scalar(reader *r, hf_value *value)
{
    return hf_value_add(value, (const char *)r->event.data.scalar.value, r->event.data.scalar.length,
                        r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE, place_here(r));
}

/* The value that begins with the current event. */
static hf_status read_value(reader *r, hf_value *value, const char *key)
{
    if (r->event.type == YAML_SCALAR_EVENT) return add_scalar(r, value);
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return hf_fail(HF_ERR_ARGUMENT, "%s: %s: found a mapping, expected a value", place_here(r), key);
    value->is_list = true;
    for (;;) {
        HF_TRY(next(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return HF_OK;
        if (r->event.type != YAML_SCALAR_EVENT)
            return hf_fail(HF_ERR_ARGUMENT, "%s: %s: found a list or mapping inside a list", place_here(r), key);
        HF_TRY(add_scalar(r, value));
    }
}

/* `line` counts from 0, `first` from 1. */
static hf_status once(reader *r, int *first, const char *name, size_t line)
{
    if (*first)
        return hf_fail(HF_ERR_FORMAT, "%s: '%s' is given a second time, first in line %d", place_at(r, line), name,
                       *first);
    *first = (int)line + 1;
    return HF_OK;
}

/* The current event is the value of `name`. */
static hf_status read_key(reader *r, const char *name, size_t line)
{
    size_t index;
    HF_TRY(hf_key_find(&index, name, place_at(r, line)));
    const hf_key *key = &hf_recipe_keys[index];
    HF_TRY(once(r, &r->key_line[index], key->name, line));
    hf_value value = { 0 };
    hf_status status = read_value(r, &value, key->name);
    if (status == HF_OK) status = hf_key_store(r->recipe, key, &value, place_at(r, line));
    hf_value_free(&value);
    return status;
}

/* "section.key", or the key alone on the first level; the current event is the key. */
static hf_status key_name(reader *r, char name[128], const char *section)
{
    if (r->event.type != YAML_SCALAR_EVENT)
        return hf_fail(HF_ERR_FORMAT, "%s: a key is a list or mapping, expected text", place_here(r));
    const char *text = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;
    if (strlen(text) != length || length > 64)
        return hf_fail(HF_ERR_ARGUMENT, "%s: unknown key '%.64s'", place_here(r), text);
    snprintf(name, 128, "%s%s%s", section ? section : "", section ? "." : "", text);
    return HF_OK;
}

/* The pairs of a mapping up to its end. Sections may only stand on the first level. */
static hf_status read_section(reader *r, const char *section)
{
    for (;;) {
        HF_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return HF_OK;
        char name[128];
        HF_TRY(key_name(r, name, section));
        size_t line = r->event.start_mark.line;
        HF_TRY(next(r));
        HF_TRY(read_key(r, name, line));
    }
}

/* ---- bases ------------------------------------------------------------------------------------------------------- */

static hf_status read_text(reader *r, const char *text, size_t size);

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static hf_status refuse_circle(const reader *r, const char *path)
{
    for (const reader *above = r; above; above = above->over)
        if (same_file(above->name, path))
            return hf_fail(HF_ERR_ARGUMENT, "'%s' is its own base%s%s", path, above == r ? "" : ", by way of ",
                           above == r ? "" : r->name);
    return HF_OK;
}

static hf_status read_base_file(const reader *r, const char *path)
{
    void *text;
    size_t size;
    reader base = { .name = path, .recipe = r->recipe, .files = r->files, .over = r };
    HF_TRY(refuse_circle(r, path));
    if (++*r->files > MAX_FILES)
        return hf_fail(HF_ERR_ARGUMENT, "a recipe of more than %d files, bases of bases among them", (int)MAX_FILES);
    HF_TRY(hf_file_read(&text, &size, path, MAX_FILE));
    const hf_status status = read_text(&base, text, size);
    free(text);
    return status;
}

/* `base` is relative to the folder of the file that names it. */
static hf_status read_base(const reader *r, const char *base)
{
    char *folder, *path = NULL;
    if (base[0] == '\0') return hf_fail(HF_ERR_ARGUMENT, "found nothing, expected a recipe file");
    HF_TRY(hf_strdup(&folder, r->name));
    char *slash = strrchr(folder, '/');
    if (slash) slash[1] = '\0';
    hf_status status = base[0] == '/' || !slash ? hf_strdup(&path, base) : hf_path_join(&path, folder, base);
    if (status == HF_OK) status = read_base_file(r, path);
    free(folder);
    free(path);
    return status;
}

/* The current event is the value of "base": a file, or a list of them, of which later ones are put over earlier ones. */
static hf_status read_bases(reader *r, size_t line)
{
    hf_value value = { 0 };
    if (!r->files)
        return hf_fail(HF_ERR_ARGUMENT, "%s: base: only a recipe that is a file can have one", place_at(r, line));
    if (r->begun)
        return hf_fail(HF_ERR_ARGUMENT, "%s: base: expected as the first key, since it is put below the others",
                       place_at(r, line));
    hf_status status = read_value(r, &value, "base");
    for (int i = 0; status == HF_OK && i < value.count; i++) {
        status = read_base(r, value.item[i].text);
        if (status != HF_OK) status = hf_fail_in(status, "%s: base", place_at(r, line));
    }
    hf_value_free(&value);
    return status;
}

static bool is_given(const reader *r, const char *name)
{
    size_t index;
    return hf_key_find(&index, name, r->name) == HF_OK && r->key_line[index] > 0;
}

/* The shape of a base was meant for its spacing (as in hf_recipe_set). */
static void follow_spacing(reader *r)
{
    if (is_given(r, "cohort.spacing") && !is_given(r, "cohort.shape"))
        memset(r->recipe->cohort.shape, 0, sizeof r->recipe->cohort.shape);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static hf_status read_top(reader *r)
{
    for (;; r->begun = true) {
        HF_TRY(next(r));
        if (r->event.type == YAML_MAPPING_END_EVENT) return HF_OK;
        char name[128];
        HF_TRY(key_name(r, name, NULL));
        size_t line = r->event.start_mark.line;
        if (strcmp(name, "base") == 0) {
            HF_TRY(next(r));
            HF_TRY(read_bases(r, line));
            continue;
        }
        int section = hf_section_find(name);
        if (section >= 0) HF_TRY(once(r, &r->section_line[section], name, line));
        HF_TRY(next(r));
        if (section >= 0 && r->event.type == YAML_MAPPING_START_EVENT)
            HF_TRY(read_section(r, name));
        else
            HF_TRY(read_key(r, name, line));
    }
}

/* Steps to the beginning of the one document's contents. */
static hf_status open_document(reader *r)
{
    HF_TRY(next(r)); /* the stream */
    HF_TRY(next(r));
    if (r->event.type != YAML_DOCUMENT_START_EVENT) return hf_fail(HF_ERR_FORMAT, "'%s': no keys in it", r->name);
    const yaml_event_t *e = &r->event;
    if (e->data.document_start.version_directive ||
        e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        return hf_fail(HF_ERR_FORMAT, "%s: YAML directives are not used in recipes", place_here(r));
    return next(r);
}

static hf_status close_document(reader *r)
{
    HF_TRY(next(r)); /* the document's end */
    HF_TRY(next(r));
    if (r->event.type == YAML_STREAM_END_EVENT) return HF_OK;
    return hf_fail(HF_ERR_FORMAT, "%s: a second YAML document, expected one", place_here(r));
}

static hf_status read_document(reader *r)
{
    HF_TRY(open_document(r));
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return hf_fail(HF_ERR_FORMAT, "%s: expected 'KEY: VALUE' lines", place_here(r));
    HF_TRY(read_top(r));
    return close_document(r);
}

static hf_status open_reader(reader *r, const char *text, size_t size)
{
    if (!yaml_parser_initialize(&r->parser)) return hf_fail(HF_ERR_MEMORY, "'%s': no host memory for YAML", r->name);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, size);
    return HF_OK;
}

static void close_reader(reader *r)
{
    yaml_event_delete(&r->event);
    yaml_parser_delete(&r->parser);
}

/* Puts what a file says over the recipe. */
static hf_status read_text(reader *r, const char *text, size_t size)
{
    if (size > MAX_FILE)
        return hf_fail(HF_ERR_FORMAT, "'%s': %zu bytes, at most %d expected", r->name, size, (int)MAX_FILE);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* the mark that editors put before UTF-8 */
        text += 3;
        size -= 3;
    }
    HF_TRY(open_reader(r, text, size));
    const hf_status status = read_document(r);
    close_reader(r);
    if (status == HF_OK) follow_spacing(r);
    return status;
}

/* `files`: NULL for a text that is no file. */
static hf_status read_recipe(hf_recipe *out, const char *text, size_t size, const char *name, int *files)
{
    hf_recipe recipe = { 0 };
    reader r = { .name = name, .recipe = &recipe, .files = files };
    HF_TRY(hf_recipe_defaults(&recipe));
    hf_status status = read_text(&r, text, size);
    if (status == HF_OK) {
        free(recipe.path);
        recipe.path = NULL;
        status = hf_strdup(&recipe.path, name);
    }
    if (status == HF_OK)
        *out = recipe;
    else
        hf_recipe_free(&recipe);
    return status;
}

hf_status hf_recipe_parse(hf_recipe *out, const char *text, size_t size, const char *name)
{
    return read_recipe(out, text, size, name, NULL);
}

hf_status hf_recipe_read(hf_recipe *out, const char *path)
{
    void *text;
    size_t size;
    int files = 1;
    HF_TRY(hf_file_read(&text, &size, path, MAX_FILE));
    hf_status status = read_recipe(out, text, size, path, &files);
    free(text);
    return status;
}

hf_status hf_value_parse_list(hf_value *out, const char *text, const char *place)
{
    reader r = { .name = "value" };
    hf_value value = { 0 };
    hf_status status = open_reader(&r, text, strlen(text));
    if (status != HF_OK) return status;
    status = open_document(&r);
    if (status == HF_OK) status = read_value(&r, &value, "the list");
    if (status == HF_OK) status = close_document(&r);
    close_reader(&r);
    if (status == HF_OK) {
        *out = value;
        return HF_OK;
    }
    hf_value_free(&value);
    return hf_fail_in(status, "%s", place);
}
