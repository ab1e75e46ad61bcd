/* Prints volumes as the reader sees them, for volumes.py: for each file one line
 *
 *   ok D H W AXES a00 a01 a02 a03 a10 ... a23       then D*H*W float32 in this machine's byte order, or
 *   HF_ERR_X message
 *
 * With `--grid SHAPE SPACING ZSCORE CROP CROP_MM FIT` first ("9,9,9", "1,1,1.5", "1", crops as in a recipe, "" for none, crop
 * or resize), as preprocessing makes them: ok D H W, then the voxels. */
#include "hfdata.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(hf_status status)
{
    printf("%s %s\n", hf_status_name(status), hf_error_message());
}

static void dump(const hf_volume *v)
{
    printf("ok %d %d %d %s", v->shape[0], v->shape[1], v->shape[2], v->stored_axes);
    for (int i = 0; i < 12; i++)
        printf(" %.17g", v->affine[i / 4][i % 4]);
    printf("\n");
    fwrite(v->voxels, sizeof(float), (size_t)v->shape[0] * (size_t)v->shape[1] * (size_t)v->shape[2], stdout);
}

static void preprocess(const hf_volume *v, const hf_grid *grid)
{
    int shape[3];
    hf_status status = hf_grid_shape(shape, v, grid);
    const size_t count = status == HF_OK ? (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] : 0;
    float *out = calloc(count + 1, sizeof *out);
    if (!out) exit(2);
    if (status == HF_OK) status = hf_preprocess(out, v, grid, "volume");
    if (status == HF_OK) {
        printf("ok %d %d %d\n", shape[0], shape[1], shape[2]);
        fwrite(out, sizeof *out, count, stdout);
    } else {
        fail(status);
    }
    free(out);
}

static bool parse_grid(hf_grid *grid, char **argument)
{
    int *n = grid->shape;
    double *s = grid->spacing;
    grid->zscore = argument[2][0] == '1';
    grid->resize = strcmp(argument[5], "resize") == 0;
    return sscanf(argument[0], "%d,%d,%d", &n[0], &n[1], &n[2]) == 3 &&
           sscanf(argument[1], "%lf,%lf,%lf", &s[0], &s[1], &s[2]) == 3 &&
           hf_crop_parse(grid->crop, argument[3]) == HF_OK && hf_crop_mm_parse(grid->crop_mm, argument[4]) == HF_OK;
}

int main(int argc, char **argv)
{
    hf_grid grid = { .zscore = false };
    const bool whole = argc < 8 || strcmp(argv[1], "--grid") != 0;
    if (!whole && !parse_grid(&grid, argv + 2)) return 2;
    for (int i = whole ? 1 : 8; i < argc; i++) {
        hf_volume v = { 0 };
        const hf_status status = hf_volume_read(&v, argv[i]);
        if (status != HF_OK)
            fail(status);
        else if (whole)
            dump(&v);
        else
            preprocess(&v, &grid);
        hf_volume_free(&v);
    }
    return 0;
}
