/* crop.c: crops as texts, known boxes, and the two sides of a crop. */
#include "resample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Boxes in the space of the MNI templates, mm. Faces lie between the voxel centres of their 1 mm and 2 mm grids. */
static const struct {
    const char *name;
    double box[3][2];
} known[] = {
    /* 128 x 96 x 64 mm around both hippocampi, whose centres lie at (-25,-21,-10) and (29,-20,-10) in the AAL atlas
     * (Tzourio-Mazoyer et al., NeuroImage 2002): the size of the HyperFusion paper's crop at 1 mm, symmetric about the
     * midline. */
    { "hippocampi", { { -64, 64 }, { -71.5, 24.5 }, { -49.5, 14.5 } } },
};
enum { N_KNOWN = sizeof known / sizeof known[0] };

/* "a:b, c:d, e:f". */
static bool parse_pairs(double pair[3][2], const char *text)
{
    for (int i = 0; i < 6; i++) {
        char *end;
        pair[i / 2][i % 2] = strtod(text, &end);
        if (end == text) return false;
        text = end + strspn(end, " ");
        const char after = i == 5 ? '\0' : i % 2 ? ',' : ':';
        if (*text != after) return false;
        text += after != '\0';
    }
    return true;
}

hf_status hf_crop_parse(int crop[3][2], const char *text)
{
    double pair[3][2];
    memset(crop, 0, 6 * sizeof crop[0][0]);
    if (!text[0]) return HF_OK;
    bool good = parse_pairs(pair, text);
    for (int i = 0; good && i < 3; i++) {
        good = pair[i][0] >= 0 && pair[i][0] < pair[i][1] && pair[i][1] <= 65535;
        for (int k = 0; good && k < 2; k++)
            good = (crop[i][k] = (int)pair[i][k]) == pair[i][k];
    }
    if (good) return HF_OK;
    memset(crop, 0, 6 * sizeof crop[0][0]);
    return hf_fail(HF_ERR_ARGUMENT,
                   "crop: found '%s', expected three ranges START:STOP of voxels, as in "
                   "'21:149, 55:151, 25:89'",
                   text);
}

hf_status hf_crop_mm_parse(double box[3][2], const char *text)
{
    const char *names[N_KNOWN];
    memset(box, 0, 6 * sizeof box[0][0]);
    if (!text[0]) return HF_OK;
    for (int i = 0; i < N_KNOWN; i++) {
        names[i] = known[i].name;
        if (strcmp(text, names[i]) != 0) continue;
        memcpy(box, known[i].box, sizeof known[i].box);
        return HF_OK;
    }
    bool good = parse_pairs(box, text);
    for (int i = 0; good && i < 3; i++)
        good = box[i][0] >= -1e4 && box[i][0] < box[i][1] && box[i][1] <= 1e4;
    if (good) return HF_OK;
    memset(box, 0, 6 * sizeof box[0][0]);
    const char *nearest = hf_nearest(text, names, N_KNOWN);
    return hf_fail(HF_ERR_ARGUMENT,
                   "crop_mm: found '%s', expected three ranges LOW:HIGH of millimetres, as in "
                   "'-64:64, -72:24, -50:14', or a box: %s%s",
                   text, nearest ? "did you mean " : "", nearest ? nearest : "hippocampi");
}

/* ---- sides ------------------------------------------------------------------------------------------------------- */

int hf_views(const hf_grid *grid)
{
    return grid->both_sides ? 2 : 1;
}

void hf_views_shape(int shape[3], const int whole[3], const hf_grid *grid)
{
    for (int i = 0; i < 3; i++)
        shape[i] = whole[i];
    if (grid->both_sides) shape[0] = (whole[0] + 1) / 2;
}

void hf_views_make(float *view, const float *whole, const int whole_shape[3], int which, const hf_grid *grid)
{
    int shape[3];
    hf_views_shape(shape, whole_shape, grid);
    const size_t plane = (size_t)shape[1] * (size_t)shape[2];
    for (int d = 0; d < shape[0]; d++) {
        const int from = which == 0 ? whole_shape[0] - shape[0] + d : shape[0] - 1 - d;
        memcpy(view + (size_t)d * plane, whole + (size_t)from * plane, plane * sizeof *view);
    }
}
