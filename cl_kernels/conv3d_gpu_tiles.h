/* conv3d_gpu_tiles.h: of the kernels for GPUs that walk over tiles of TD x TH x TW output voxels, which are defined before. */
#ifndef HF_CONV3D_GPU_TILES_H
#define HF_CONV3D_GPU_TILES_H

#include "conv3d_gpu.h"

/* Tile i: sample, and the first output voxel. */
INLINE int4 tile_at(int i, int OD, int OH, int OW)
{
    int wide = (OW + TW - 1) / TW, high = (OH + TH - 1) / TH, deep = (OD + TD - 1) / TD;
    return (int4)(i / wide / high / deep, i / wide / high % deep * TD, i / wide % high * TH, i % wide * TW);
}

#endif
