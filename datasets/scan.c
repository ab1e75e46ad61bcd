/* scan.c: finds the images of a cohort's folder and whose they are.
 *
 * Known places: sub-ID/anat/sub-ID*_T1w.nii(.gz), the same below sub-ID/ses-*, and sub-ID.npy, .nii, .nii.gz in the
 * folder itself. Other files are none of ours. The list is sorted in byte order, so that nothing depends on the order
 * in which the system lists files, nor on the locale. */
#include "cohort.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool hf_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool hf_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *hf_subject_key(const char *id)
{
    return strncmp(id, "sub-", 4) == 0 ? id + 4 : id;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static hf_status add_image(hf_images *list, const char *key, size_t key_length, const char *path)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        hf_image *bigger = realloc(list->image, capacity * sizeof *bigger);
        if (!bigger) return hf_fail(HF_ERR_MEMORY, "no host memory for %zu images", capacity);
        list->image = bigger;
        list->capacity = capacity;
    }
    hf_image found = { 0 };
    HF_TRY(hf_alloc(&found.key, key_length + 1, 1, "a subject's id"));
    memcpy(found.key, key, key_length);
    hf_status status = hf_strdup(&found.path, path);
    if (status != HF_OK) {
        free(found.key);
        return status;
    }
    list->image[list->count++] = found;
    return HF_OK;
}

static int compare_images(const void *a, const void *b)
{
    const hf_image *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : strcmp(x->path, y->path);
}

size_t hf_images_find(const hf_image **first, const hf_images *images, const char *key)
{
    size_t low = 0, high = images->count, count = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(images->image[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + count < images->count && strcmp(images->image[low + count].key, key) == 0)
        count++;
    *first = count ? &images->image[low] : NULL;
    return count;
}

void hf_images_free(hf_images *images)
{
    if (!images) return;
    for (size_t i = 0; i < images->count; i++) {
        free(images->image[i].key);
        free(images->image[i].path);
    }
    free(images->image);
    *images = (hf_images){ 0 };
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* What to do with one name found in the folder `parent`. */
typedef hf_status visitor(hf_images *images, const char *parent, const char *name, const char *subject);

/* Calls `visit` for every name in a folder. A folder that is not there has none. */
static hf_status visit_folder(hf_images *images, const char *folder, const char *subject, visitor *visit)
{
    struct dirent **entry = NULL;
    hf_status status = HF_OK;
    int count = scandir(folder, &entry, is_visible, NULL);
    if (count < 0 && (errno == ENOENT || errno == ENOTDIR)) return HF_OK;
    if (count < 0) return hf_fail(HF_ERR_IO, "'%s': cannot list the folder: %s", folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (status == HF_OK) status = visit(images, folder, entry[i]->d_name, subject);
        free(entry[i]);
    }
    free(entry);
    return status;
}

/* Whether `name` is prefix + anything + ending, the two not overlapping. */
static bool matches(const char *name, const char *prefix, const char *ending)
{
    size_t length = strlen(name), head = strlen(prefix), tail = strlen(ending);
    return length >= head + tail && strncmp(name, prefix, head) == 0 && strcmp(name + length - tail, ending) == 0;
}

/* "sub-ID_T1w.nii.gz", "sub-ID_run-1_T1w.nii": the subject's own name, then more entities or none, then T1w. */
static bool is_t1w(const char *name, const char *subject)
{
    bool image = matches(name, subject, "_T1w.nii.gz") || matches(name, subject, "_T1w.nii");
    return image && name[strlen(subject)] == '_';
}

static hf_status visit_anat(hf_images *images, const char *parent, const char *name, const char *subject)
{
    if (!is_t1w(name, subject)) return HF_OK;
    char *path;
    const char *key = hf_subject_key(subject);
    HF_TRY(hf_path_join(&path, parent, name));
    hf_status status = hf_is_folder(path) ? HF_OK : add_image(images, key, strlen(key), path);
    free(path);
    return status;
}

/* In sub-ID: its own anat, or a session, which has one too. */
static hf_status visit_subject(hf_images *images, const char *parent, const char *name, const char *subject)
{
    hf_status status = HF_OK;
    char *path = NULL, *anat = NULL;
    bool own = strcmp(name, "anat") == 0, session = strncmp(name, "ses-", 4) == 0;
    if (!own && !session) return HF_OK;
    HF_TRY_OUT(hf_path_join(&path, parent, name));
    if (session) HF_TRY_OUT(hf_path_join(&anat, path, "anat"));
    status = visit_folder(images, session ? anat : path, subject, visit_anat);
out:
    free(path);
    free(anat);
    return status;
}

/* sub-ID.npy, .nii or .nii.gz. */
static hf_status add_plain_file(hf_images *images, const char *path, const char *name)
{
    static const char *const endings[] = { ".nii.gz", ".nii", ".npy" };
    const char *key = hf_subject_key(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (matches(key, "", endings[i])) return add_image(images, key, strlen(key) - strlen(endings[i]), path);
    return HF_OK;
}

static hf_status visit_top(hf_images *images, const char *parent, const char *name, const char *subject)
{
    (void)subject; /* not known up here */
    if (strncmp(name, "sub-", 4) != 0) return HF_OK;
    char *path;
    HF_TRY(hf_path_join(&path, parent, name));
    hf_status status =
        hf_is_folder(path) ? visit_folder(images, path, name, visit_subject) : add_plain_file(images, path, name);
    free(path);
    return status;
}

hf_status hf_images_scan(hf_images *out, const char *folder)
{
    HF_TRY(visit_folder(out, folder, "", visit_top));
    if (out->count) qsort(out->image, out->count, sizeof *out->image, compare_images);
    return HF_OK;
}
