/* conv3d_winograd.h: 3 x 3 x 3 convolution of stride 1 on CPUs with down to an eighth of the multiplications, see
 * conv3d_winograd.c and conv3d_winograd_dw.c. Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_WINOGRAD_H
#define HF_OPS_CONV3D_WINOGRAD_H

#include "../op.h"

/* conv3d "BPP>B" and conv3d_dx "BP>B". Refuses also where the direct kernels would be faster, unless all implementations
 * are asked for. */
const char *hf_conv3d_winograd_refuse(const hf_call *call);
size_t hf_conv3d_winograd_scratch(const hf_call *call);
hf_status hf_conv3d_winograd_prepare(hf_call *call);

/* conv3d_dw "BB>P"; refuses likewise. */
const char *hf_conv3d_winograd_refuse_dw(const hf_call *call);
size_t hf_conv3d_winograd_scratch_dw(const hf_call *call);
hf_status hf_conv3d_winograd_prepare_dw(hf_call *call);

/* ---- shared by the two files ------------------------------------------------------------------------------------- */

/* Pieces of 16 floats in which sizes are counted here. */
#define HF_WINOGRAD_VECTOR ((int64_t)HF_BLOCK * (int64_t)sizeof(float))

/* How a volume of results is cut into tiles. */
typedef struct hf_winograd_tiles {
    int m[3];           /* results of a tile along depth, height, width: 2 or 4 */
    int points[3];      /* m + 2 */
    int64_t all_points; /* their product */
    int64_t per_sample; /* tiles */
} hf_winograd_tiles;

hf_winograd_tiles hf_winograd_tiles_of(const int size[3]);

/* "-DMD=4 -DMH=4 -DMW=4" into text[64]. */
const char *hf_winograd_defines(const hf_winograd_tiles *tiles, char text[64]);

#endif
