/* conv3d_gpu_tensor.h: the inner parts of conv3d_gpu_direct.cl by matrix units. A warp makes products of 16 voxels, TILES of
 * them; what a work-item has of one, matrix.h says. Of acc, float4 2 t + j are the results of tile t, half j of the outputs:
 * outputs 2 (lane % 4) and the next, of voxels lane / 4 and 8 behind. */
#ifndef HF_CONV3D_GPU_TENSOR_H
#define HF_CONV3D_GPU_TENSOR_H

#include "conv3d_gpu_voxels.h"
#include "matrix.h"

#define TILES        (2 * V)
#define STRIDE       18 /* of an input's weights in local memory: spreads the banks */
#define STAGED       (HF_BLOCK * STRIDE)
#define UNITS_MEMORY MATRIX_MEMORY
#define UNITS_ARGS   MATRIX_ARGS
typedef float stage_item;

INLINE void keep_weights(local float *stage, int i, float4 weights)
{
    local float2 *to = (local float2 *)(stage + i / QUARTER * STRIDE) + i % QUARTER * 2;
    to[0] = weights.lo;
    to[1] = weights.hi;
}

/* Where among the group's voxels the warp's eight number v are, and of these the lane's. */
INLINE int seat(int v)
{
    int id = (int)get_local_id(0);
    return id / 32 * (32 * V) + v * 8 + id % 32 / 4;
}

/* The four neighbours that share a voxel have four of its channels each: 2s and 2s + 1 of them are columns of the left
 * operand of product s. */
INLINE void multiply(global const float4 *x, global const float4 *tail, volatile local const int2 *voxel, int need,
                     int offset, local const float *weights, float4 acc[V][QUARTER] MATRIX_ROOM)
{
    int lane = (int)get_local_id(0) % 32, four = lane % 4;
    float2 right[2][2]; /* [product][half of the outputs] */
#pragma unroll
    for (int s = 0; s < 2; s++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
            local const float *from = weights + (4 * four + 2 * s) * STRIDE + 8 * j + lane / 4;
            right[s][j] = (float2)(from[0], from[STRIDE]);
        }
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        float4 left[2];
#pragma unroll
        for (int r = 0; r < 2; r++) {
            int2 at = voxel[seat(2 * t + r)];
            left[r] = (at.s1 & need) == need ? x[(size_t)(at.s0 + offset) * QUARTER + four] : tail[four];
        }
        float4 even = (float4)(left[0].s0, left[1].s0, left[0].s1, left[1].s1);
        float4 odd = (float4)(left[0].s2, left[1].s2, left[0].s3, left[1].s3);
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float4 *sum = &acc[t / 2][t % 2 * 2 + j];
            multiply_matrix(even, right[0][j], sum MATRIX_ARGS);
            multiply_matrix(odd, right[1][j], sum MATRIX_ARGS);
        }
    }
}

INLINE void finish(global float4 *y, volatile local const int *to, global const float4 *tail, int bare, int relu,
                   float4 acc[V][QUARTER])
{
    int two = (int)get_local_id(0) % 4;
#pragma unroll
    for (int v = 0; v < 2 * TILES; v++) {
        int result = to[seat(v)];
        if (result < 0) continue;
#pragma unroll
        for (int j = 0; j < 2; j++) {
            float4 sums = acc[v / 4][v / 2 % 2 * 2 + j];
            float2 sum = v % 2 ? sums.hi : sums.lo, bias = ((global const float2 *)tail)[4 * j + two];
            ((global float2 *)y)[(size_t)result * 2 * QUARTER + 4 * j + two] =
                bare ? sum : activate((float4)(sum + bias, 0.0f, 0.0f), relu).lo;
        }
    }
}

#endif
