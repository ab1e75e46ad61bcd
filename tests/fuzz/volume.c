/* Fuzzes the volume readers: any bytes must give a sound volume or an error with a message, without touching memory
 * that is not theirs. The beginning of the bytes chooses the format, so ordinary files are good seeds. */
#include "hfdata.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *name_for(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b) return "fuzz.nii.gz";
    if (size >= 2 && data[0] == 0x93 && data[1] == 'N') return "fuzz.npy";
    return "fuzz.nii";
}

static void require(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "broken promise: %s; last message: %s\n", what, hf_error_message());
    abort();
}

static volatile float read_all; /* a sanitizer sees voxels that are not there */

static void check_volume(const hf_volume *volume, size_t size)
{
    size_t count = (size_t)volume->shape[0] * (size_t)volume->shape[1] * (size_t)volume->shape[2];
    require(volume->voxels && count >= 1 && count <= 1032 * size, "no more voxels than the bytes can hold");
    for (int i = 0; i < 3; i++) {
        require(volume->shape[i] >= 1 && volume->spacing[i] > 0 && isfinite(volume->spacing[i]), "shape and spacing");
        for (int k = 0; k < 4; k++)
            require(isfinite(volume->affine[i][k]), "a finite affine");
    }
    for (size_t i = 0; i < count; i++)
        read_all = volume->voxels[i];
}

/* A small grid with everything on. */
static void preprocess(const hf_volume *volume)
{
    static float out[8 * 9 * 10];
    hf_grid grid = { .shape = { 8, 9, 10 }, .zscore = true };
    for (int i = 0; i < 3; i++)
        grid.spacing[i] = volume->spacing[i] * volume->shape[i] / 6;
    if (hf_preprocess(out, volume, &grid, "fuzz") != HF_OK) return;
    for (int i = 0; i < 8 * 9 * 10; i++)
        require(!isnan(out[i]), "no NaN from preprocessing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hf_volume volume = { 0 };
    hf_status status = hf_volume_parse(&volume, data, size, name_for(data, size));
    if (status == HF_OK) {
        check_volume(&volume, size);
        if ((size_t)volume.shape[0] + (size_t)volume.shape[1] + (size_t)volume.shape[2] < 4096) preprocess(&volume);
    } else {
        require(!volume.voxels && hf_error_message()[0], "an error leaves a message and no voxels");
        require(status == HF_ERR_FORMAT || status == HF_ERR_UNSUPPORTED || status == HF_ERR_MEMORY,
                "an error of the file");
    }
    hf_volume_free(&volume);
    return 0;
}
