/* mask.c: masks beside images: which file, and whether it fits. */
#include "cohort.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME_PLACE 0.01 /* voxels; the two affines may differ by so much anywhere in the volume */

/* The length of a name without the ending of a volume; 0 when it has none. */
static size_t stem_length(const char *name)
{
    static const char *const endings[] = { ".nii.gz", ".nii", ".npy" };
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t n = strlen(endings[i]);
        if (length > n && strcmp(name + length - n, endings[i]) == 0) return length - n;
    }
    return 0;
}

/* "mask.nii", or "anything_mask.nii". */
static bool is_mask(const char *name, const char *mask)
{
    const size_t stem = stem_length(name), n = strlen(mask);
    if (stem < n || strncmp(name + stem - n, mask, n) != 0) return false;
    return stem == n || name[stem - n - 1] == '_';
}

bool hf_path_is_mask(const char *path, const char *mask)
{
    const char *slash = strrchr(path, '/');
    return is_mask(slash ? slash + 1 : path, mask);
}

/* Whether two names begin with the same sub-ID; true when the image's has none. */
static bool same_subject(const char *name, const char *image)
{
    if (strncmp(image, "sub-", 4) != 0) return true;
    const size_t stem = stem_length(image), id = strcspn(image, "_");
    const size_t n = id < stem ? id : stem;
    return strncmp(name, image, n) == 0 && (name[n] == '_' || name[n] == '.');
}

hf_status hf_mask_find(char **out, const char *image, const char *mask)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    struct dirent **entry = NULL;
    char *folder = NULL, *first = NULL;
    hf_status status;
    int found = 0, count = 0;
    *out = NULL;
    HF_TRY(hf_strdup(&folder, slash ? image : "."));
    if (slash) folder[slash == image ? 1 : slash - image] = '\0';
    count = scandir(folder, &entry, NULL, alphasort);
    status = count < 0 ? hf_fail(HF_ERR_IO, "'%s': cannot list the folder: %s", folder, strerror(errno)) : HF_OK;
    for (int i = 0; i < count && status == HF_OK; i++) {
        const char *candidate = entry[i]->d_name;
        if (strcmp(candidate, name) == 0 || !is_mask(candidate, mask) || !same_subject(candidate, name)) continue;
        if (found++ == 0)
            status = hf_path_join(&first, folder, candidate);
        else
            status =
                hf_fail(HF_ERR_ARGUMENT, "'%s': two masks, '%s' and '%s': a longer name than '%s' tells them apart",
                        image, first, candidate, mask);
    }
    if (status == HF_OK && !found)
        status = hf_fail(HF_ERR_IO, "'%s': no mask in its folder: looked for a name ending in %s.nii(.gz) or .npy",
                         image, mask);
    if (status == HF_OK) {
        *out = first;
        first = NULL;
    }
    for (int i = 0; i < count; i++)
        free(entry[i]);
    free(entry);
    free(folder);
    free(first);
    return status;
}

/* The largest distance, in voxels, between where the two affines put a corner of the volume. */
static double distance(const hf_volume *a, const hf_volume *b)
{
    double worst = 0;
    for (int corner = 0; corner < 8; corner++)
        for (int row = 0; row < 3; row++) {
            double apart = a->affine[row][3] - b->affine[row][3];
            for (int axis = 0; axis < 3; axis++)
                if (corner >> axis & 1) apart += (a->affine[row][axis] - b->affine[row][axis]) * (a->shape[axis] - 1);
            worst = fmax(worst, fabs(apart) / a->spacing[row]);
        }
    return worst;
}

static hf_status check_grids(const hf_volume *v, const hf_volume *mask)
{
    const int *a = v->shape, *b = mask->shape;
    if (memcmp(a, b, sizeof v->shape) != 0)
        return hf_fail(HF_ERR_SHAPE, "has %dx%dx%d voxels, its image %dx%dx%d", b[0], b[1], b[2], a[0], a[1], a[2]);
    if (v->oriented && mask->oriented && !(distance(v, mask) <= SAME_PLACE))
        return hf_fail(HF_ERR_SHAPE, "lies %g voxels away from its image", distance(v, mask));
    return HF_OK;
}

hf_status hf_mask_apply(hf_volume *volume, const char *mask_path)
{
    hf_volume mask = { 0 };
    HF_TRY(hf_volume_read(&mask, mask_path));
    const hf_status status = check_grids(volume, &mask);
    const size_t count = (size_t)volume->shape[0] * (size_t)volume->shape[1] * (size_t)volume->shape[2];
    for (size_t i = 0; status == HF_OK && i < count; i++)
        if (mask.voxels[i] == 0) volume->voxels[i] = 0;
    hf_volume_free(&mask);
    return status == HF_OK ? HF_OK : hf_fail_in(status, "the mask '%s'", mask_path);
}
