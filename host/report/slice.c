/* slice.c: slices of volumes as PNG bytes and base64 text.
 *
 * A volume may be standardised, with exact zeros around the brain: so zeros are background whatever the other values
 * are, and those are spread over the greys by percentiles, which a few bright vessels cannot upset. */
#include "slice.h"

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

hf_status hf_png_encode(hf_text *out, const unsigned char *pixels, int width, int height)
{
    png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_GRAY };
    if (width < 1 || height < 1 || width > 16384 || height > 16384)
        return hf_fail(HF_ERR_SHAPE, "an image of %d x %d pixels, from 1 to 16384 expected", width, height);
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    unsigned char *bytes;
    HF_TRY(hf_alloc(&bytes, size, 1, "a PNG image"));
    hf_status status = HF_OK;
    if (png_image_write_to_memory(&image, bytes, &size, 0, pixels, width, NULL))
        hf_text_add_bytes(out, bytes, size);
    else
        status = hf_fail(HF_ERR_MEMORY, "PNG of %d x %d pixels: %s", width, height, image.message);
    free(bytes);
    return status == HF_OK ? hf_text_check(out) : status;
}

void hf_text_add_base64(hf_text *out, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i < 3 ? size - i : 3;
        uint32_t word = (uint32_t)in[i] << 16;
        if (left > 1) word |= (uint32_t)in[i + 1] << 8;
        if (left > 2) word |= in[i + 2];
        char four[4] = { digits[word >> 18], digits[word >> 12 & 63], '=', '=' };
        if (left > 1) four[2] = digits[word >> 6 & 63];
        if (left > 2) four[3] = digits[word & 63];
        hf_text_add_bytes(out, four, sizeof four);
    }
}

/* ---- slices ------------------------------------------------------------------------------------------------------ */

/* The 1st and 99th percentiles of the finite non-zero voxels; 0 and 1 when there are none. Large volumes are sampled
 * at regular steps, which is as good. */
static hf_status grey_window(float window[2], const float *volume, size_t count)
{
    enum { ENOUGH = 100000 };
    size_t step = count / ENOUGH + 1, kept = 0;
    float *sample;
    HF_TRY(hf_alloc(&sample, count / step + 1, sizeof *sample, "voxels to sort"));
    for (size_t i = 0; i < count; i += step)
        if (volume[i] != 0 && isfinite(volume[i])) sample[kept++] = volume[i];
    qsort(sample, kept, sizeof *sample, hf_compare_floats);
    window[0] = kept ? sample[kept / 100] : 0;
    window[1] = kept ? sample[kept - 1 - kept / 100] : 1;
    free(sample);
    return HF_OK;
}

static unsigned char grey(float value, const float window[2])
{
    enum { DARKEST = 24 }; /* the brain stays apart from the background */
    if (value == 0 || !isfinite(value)) return 0;
    float span = window[1] - window[0], part = span > 0 ? (value - window[0]) / span : 1;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return (unsigned char)(DARKEST + lroundf(part * (255 - DARKEST)));
}

hf_status hf_slice_pixels(unsigned char **out, int *width, int *height, const float *volume, const int shape[3],
                          hf_plane plane)
{
    /* Which axis of the volume runs to the right, which up, and which is cut; [D,H,W] are axes 0,1,2. */
    static const struct {
        int right, up, cut;
    } planes[HF_N_PLANES] = { [HF_AXIAL] = { 0, 1, 2 }, [HF_CORONAL] = { 0, 2, 1 }, [HF_SAGITTAL] = { 1, 2, 0 } };
    const int right = planes[plane].right, up = planes[plane].up, cut = planes[plane].cut;
    const size_t stride[3] = { (size_t)shape[1] * (size_t)shape[2], (size_t)shape[2], 1 };
    if (shape[0] < 1 || shape[1] < 1 || shape[2] < 1)
        return hf_fail(HF_ERR_SHAPE, "a slice of a volume [%d,%d,%d]", shape[0], shape[1], shape[2]);
    float window[2];
    HF_TRY(grey_window(window, volume, (size_t)shape[0] * stride[0]));
    unsigned char *pixels;
    HF_TRY(hf_alloc(&pixels, (size_t)shape[right] * (size_t)shape[up], 1, "a slice"));
    const float *middle = volume + (size_t)(shape[cut] / 2) * stride[cut];
    for (int row = 0; row < shape[up]; row++)
        for (int column = 0; column < shape[right]; column++) {
            size_t voxel = (size_t)(shape[up] - 1 - row) * stride[up] + (size_t)column * stride[right];
            pixels[(size_t)row * (size_t)shape[right] + (size_t)column] = grey(middle[voxel], window);
        }
    *out = pixels;
    *width = shape[right];
    *height = shape[up];
    return HF_OK;
}
