/* seen.c: which subjects of another cohort has a run learned from? Those that trained or validated in it, by their id or by
 * the bytes of their image, under whatever name. A network does better on them than on strangers, so they are judged
 * apart. Checkpoints keep ids and digests of images; of older runs, which have no digests, ids alone are compared. */
#include "folder.h"
#include "judge.h"
#include "watch.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Texts to look others up in; they belong to whoever they were read from. */
typedef struct lookup {
    const char **text; /* [count], sorted before the first question */
    size_t count;
} lookup;

typedef struct known {
    lookup ids, images; /* ids without "sub-" */
} known;

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool holds(const lookup *in, const char *text)
{
    return in->count && text[0] && bsearch(&text, in->text, in->count, sizeof *in->text, compare);
}

static void add(lookup *to, const char *text)
{
    if (text && text[0]) to->text[to->count++] = text;
}

static hf_status make_room(known *out, size_t count)
{
    HF_TRY(hf_alloc(&out->ids.text, count + 1, sizeof *out->ids.text, "subjects"));
    return hf_alloc(&out->images.text, count + 1, sizeof *out->images.text, "subjects");
}

static void sort(lookup *in)
{
    if (in->count) qsort(in->text, in->count, sizeof *in->text, compare);
}

static void free_known(known *k)
{
    free(k->ids.text);
    free(k->images.text);
}

static bool learned_from(const char *part)
{
    return part && (strcmp(part, hf_part_name(HF_TRAIN)) == 0 || strcmp(part, hf_part_name(HF_VALID)) == 0);
}

/* The digest of the image alone comes last. Older checkpoints have that of image and mask together; without a mask it is
 * the same. */
static hf_status know_checkpoint(known *out, const json_t *subjects)
{
    enum { ID, PART, ROW, SOURCE, IMAGE };
    HF_TRY(make_room(out, json_array_size(subjects)));
    for (size_t i = 0; i < json_array_size(subjects); i++) {
        const json_t *subject = json_array_get(subjects, i);
        const char *id = json_string_value(json_array_get(subject, ID));
        const char *image = json_string_value(json_array_get(subject, IMAGE));
        if (!id || !learned_from(json_string_value(json_array_get(subject, PART)))) continue;
        add(&out->ids, hf_subject_key(id));
        add(&out->images, image ? image : json_string_value(json_array_get(subject, SOURCE)));
    }
    return HF_OK;
}

static hf_status know_split(known *out, const hf_table *split)
{
    const int id = hf_table_column(split, "participant_id"), part = hf_table_column(split, "split");
    if (id < 0 || part < 0)
        return hf_fail(HF_ERR_FORMAT, "'%s': the columns participant_id and split are expected", split->path);
    HF_TRY(make_room(out, (size_t)split->rows));
    for (int row = 0; row < split->rows; row++) {
        char *const *cell = split->cell + (size_t)row * (size_t)split->columns;
        if (cell[id] && learned_from(cell[part])) add(&out->ids, hf_subject_key(cell[id]));
    }
    return HF_OK;
}

static void mark(hf_predictions *out, known *k, const hf_run_data *data, const hf_watch *watch)
{
    int seen = 0;
    sort(&k->ids);
    sort(&k->images);
    for (int i = 0; i < out->count; i++) {
        const char *image = hf_dataset_image(data->dataset, out->index[i]);
        out->seen[i] = holds(&k->ids, hf_subject_key(out->id[i])) || holds(&k->images, image);
        seen += out->seen[i];
    }
    if (seen)
        hf_watch_say(watch,
                     "warning: %d of %d subjects trained or validated in this run, which learned from them: they "
                     "are judged apart",
                     seen, out->count);
}

hf_status hf_run_mark_seen(hf_predictions *out, const hf_archive *archive, const char *folder, const hf_run_data *data,
                           const hf_watch *watch)
{
    hf_status status;
    known k = { 0 };
    char *path = NULL;
    hf_table split = { 0 };
    const char *text = hf_archive_find_text(archive, HF_SUBJECTS_TEXT);
    json_t *subjects = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !subjects) {
        status = hf_fail(HF_ERR_FORMAT, "the checkpoint's '%s' is not JSON", HF_SUBJECTS_TEXT);
        goto out;
    }
    if (!text && !hf_run_has(folder, HF_SPLIT_FILE)) return HF_OK; /* weights from elsewhere */
    HF_TRY_OUT(hf_alloc(&out->seen, (size_t)out->count + 1, sizeof *out->seen, "subjects"));
    if (!text) {
        HF_TRY_OUT(hf_run_file(&path, folder, HF_SPLIT_FILE));
        HF_TRY_OUT(hf_table_read(&split, path));
    }
    HF_TRY_OUT(text ? know_checkpoint(&k, subjects) : know_split(&k, &split));
    mark(out, &k, data, watch);
out:
    free_known(&k);
    json_decref(subjects);
    hf_table_free(&split);
    free(path);
    return status;
}
