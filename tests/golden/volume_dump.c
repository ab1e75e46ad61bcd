/* Prints volumes as the reader sees them, for volumes.py: for each file one line
 *
 *   ok D H W AXES a00 a01 a02 a03 a10 ... a23       then D*H*W float32 in this machine's byte order, or
 *   HF_ERR_X message
 */
#include "hfdata.h"

#include <stdio.h>

static void dump(const char *path)
{
    hf_volume v = { 0 };
    hf_status status = hf_volume_read(&v, path);
    if (status != HF_OK) {
        printf("%s %s\n", hf_status_name(status), hf_error_message());
        return;
    }
    printf("ok %d %d %d %s", v.shape[0], v.shape[1], v.shape[2], v.stored_axes);
    for (int i = 0; i < 12; i++)
        printf(" %.17g", v.affine[i / 4][i % 4]);
    printf("\n");
    fwrite(v.voxels, sizeof(float), (size_t)v.shape[0] * (size_t)v.shape[1] * (size_t)v.shape[2], stdout);
    hf_volume_free(&v);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        dump(argv[i]);
    return 0;
}
