/* conv3d_gpu_voxels.h: of the kernels for GPUs whose work-items own V output voxels, WG apart so that neighbours read
 * neighbours, and one block of 16 output channels, in 16 * V registers.
 *
 * V   4    output voxels of a work-item
 * WG  128  work-items of a group, a multiple of 64 */
#ifndef HF_CONV3D_GPU_VOXELS_H
#define HF_CONV3D_GPU_VOXELS_H

#include "conv3d_gpu.h"

#ifndef V
#define V 4
#endif
#ifndef WG
#define WG 128
#endif

/* The work-item's voxel number v. */
INLINE int voxel_number(int v)
{
    return ((int)get_group_id(0) * V + v) * WG + (int)get_local_id(0);
}

INLINE void clear(float4 acc[V][QUARTER])
{
#pragma unroll
    for (int v = 0; v < V; v++)
#pragma unroll
        for (int j = 0; j < QUARTER; j++)
            acc[v][j] = (float4)(0.0f);
}

/* acc += value[v] * weights, for all voxels and outputs. */
INLINE void add_products(const float value[V], local const float4 *weights, float4 acc[V][QUARTER])
{
#pragma unroll
    for (int j = 0; j < QUARTER; j++) {
        float4 w = weights[j];
#pragma unroll
        for (int v = 0; v < V; v++)
            acc[v][j] += value[v] * w;
    }
}

#endif
