/* conv3d_gpu_direct.cl: convolution for GPUs without a matrix of windows: forward, and the gradient by the input, for
 * any kernel edge and stride.
 *
 *   y[p,o] = act(bias[o] + sum over c, taps of x[c, p * istep + low + tap] * bank[o][c][tap])
 *
 * A work-item owns V output voxels and one block of 16 output channels, in 16 * V registers. The sum runs over units: a
 * block of 16 input channels under one tap. A group copies the weights of STAGE units into local memory; then each
 * work-item reads the 16 channels of its V voxels, in float4, straight from global memory, where neighbours and taps
 * meet in the cache, and all of them read the same weights at the same time, which local memory broadcasts. Nothing
 * waits within a stage. Whether a voxel exists under a tap is one mask a voxel (bits 0..6 depth, 7..13 height, 14..20
 * width); where it does not, the work-item reads zeros that lie before the biases.
 *
 * A gradient by the input with stride s gathers: the voxels of dx whose coordinates leave the same remainders when
 * divided by s form a class; a class meets the same taps everywhere, t0, t0 + s, ... in each dimension, and reads dy
 * without gaps. ostep = s counts the voxels of a class, istep is 1. Forward it is the other way round: istep is the
 * stride, ostep 1, and there is one class. conv3d_gpu_pack.cl lists the units of each class.
 *
 * Small problems: V 1 or 2, tiles that go on into the next sample, and the units cut into `chunks` parts that
 * conv3d_gpu_direct_sum adds in order.
 *
 * With TENSOR the products are made by matrix units, in warps of 32 work-items: a warp owns 32 V voxels, of which each
 * work-item has what matrix.h says.
 *
 * V, WG: see conv3d_gpu_voxels.h; V is 1, 2 or 4
 * TENSOR 0    1: products by matrix units
 * STAGE  9    units whose weights are in local memory together, 1 KB each */
#include "common.h"
#include "conv3d_gpu_voxels.h"

#ifndef STAGE
#define STAGE 9
#endif
#ifndef TENSOR
#define TENSOR 0
#endif

#define UNIT   64 /* float4 of a unit's weights: 16 inputs of 16 outputs */
#define SUM_WG 64

#if TENSOR
#include "conv3d_gpu_tensor.h"
#else
typedef float4 stage_item;
#define STAGED UNIT /* items of a unit's weights in local memory */
#define UNITS_MEMORY
#define UNITS_ARGS

/* Puts float4 i of the weights into the stage. */
INLINE void keep_weights(local float4 *stage, int i, float4 weights)
{
    stage[i] = weights;
}

/* acc += products of the V voxels' 16 channels with one unit's weights. A voxel has the unit where its mask has all of
 * `need`. */
INLINE void multiply(global const float4 *x, global const float4 *tail, volatile local const int2 *voxel, int need,
                     int offset, local const float4 *weights, float4 acc[V][QUARTER])
{
    global const float4 *from[V];
#pragma unroll
    for (int v = 0; v < V; v++) {
        int2 at = voxel[v * WG + get_local_id(0)];
        from[v] = (at.s1 & need) == need ? x + (size_t)(at.s0 + offset) * QUARTER : tail;
    }
#pragma unroll 1
    for (int q = 0; q < QUARTER; q++) {
        float4 value4[V];
#pragma unroll
        for (int v = 0; v < V; v++)
            value4[v] = from[v][q];
#pragma unroll
        for (int e = 0; e < 4; e++) {
            float value[V];
#pragma unroll
            for (int v = 0; v < V; v++)
                value[v] = e == 0 ? value4[v].s0 : e == 1 ? value4[v].s1 : e == 2 ? value4[v].s2 : value4[v].s3;
            add_products(value, weights + (4 * q + e) * QUARTER, acc);
        }
    }
}

/* Writes the V voxels' results, which belong at `to`; the block's biases are at tail. */
INLINE void finish(global float4 *y, volatile local const int *to, global const float4 *tail, int bare, int relu,
                   float4 acc[V][QUARTER])
{
#pragma unroll
    for (int v = 0; v < V; v++) {
        int result = to[v * WG + get_local_id(0)];
        if (result < 0) continue;
#pragma unroll
        for (int j = 0; j < QUARTER; j++)
            y[(size_t)result * QUARTER + j] = bare ? acc[v][j] : activate(acc[v][j] + tail[j], relu);
    }
}
#endif

/* Groups: tiles of V * WG voxels; blocks of outputs times classes; banks times chunks. A bank serves `samples` samples.
 * tail: 16 zeros, then the biases, bank_bias blocks from one bank's to the next.
 * classes: a class's first tap reads voxel p * istep + (s0, s1, s2), and it has s3 units. units: `most` a class.
 * D, H, W: what is read; OD, OH, OW: what is written. chunk_units: units of a chunk. With chunks > 1 y is
 * [chunk][the result], and receives bare sums. */
HF_GROUP(WG)
kernel void conv3d_gpu_direct(global const float4 *x, global const float4 *bank, global const float4 *tail,
                              global const int4 *classes, global const int4 *units, global float4 *y, int in_blocks,
                              int out_blocks, int banks, int samples, int D, int H, int W, int OD, int OH, int OW,
                              int istep, int ostep, int most, int bank_units, int bank_bias, int chunks,
                              int chunk_units, int relu)
{
    local stage_item stage[STAGE * STAGED];
    UNITS_MEMORY
    local int2 place[STAGE]; /* of a unit: the bits a mask must have, and how far behind the first tap it lies */
    /* Of each voxel: where its first tap lies, in voxels of 16 channels, and its mask; where its result goes. Here, and
     * volatile, because the loops need the registers. */
    volatile local int2 voxel[V * WG];
    volatile local int to[V * WG], to_bias;
    int id = (int)get_local_id(0), z = (int)get_group_id(2), block = (int)get_group_id(1);
    int class = z / chunks / banks, set = z / chunks % banks, chunk = z % chunks;
    int LD = (OD + ostep - 1) / ostep, LH = (OH + ostep - 1) / ostep, LW = (OW + ostep - 1) / ostep;
    int cd = class / ostep / ostep, ch = class / ostep % ostep, cw = class % ostep;
    if (id == 0) to_bias = (set * bank_bias + block + 1) * QUARTER;
#pragma unroll
    for (int v = 0; v < V; v++) {
        int p = voxel_number(v), w = p % LW, h = p / LW % LH, d = p / LW / LH % LD;
        int od = d * ostep + cd, oh = h * ostep + ch, ow = w * ostep + cw, n = p / LW / LH / LD;
        bool real = n < samples && od < OD && oh < OH && ow < OW;
        n += set * samples;
        int result = (((chunk * banks * samples + n) * out_blocks + block) * OD + od) * OH * OW + oh * OW + ow;
        d = d * istep + classes[class].s0;
        h = h * istep + classes[class].s1;
        w = w * istep + classes[class].s2;
        to[v * WG + id] = real ? result : -1;
        voxel[v * WG + id] = (int2)((n * in_blocks * D + d) * H * W + h * W + w, real ? window(d, h, w, D, H, W) : 0);
    }
    float4 acc[V][QUARTER];
    clear(acc);

    int last = min((chunk + 1) * chunk_units, classes[class].s3);
    bank += ((size_t)set * out_blocks + block) * bank_units * UNIT;
    units += class * most;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int unit = chunk * chunk_units; unit < last; unit += STAGE) {
        int count = min(STAGE, last - unit);
#pragma unroll 1
        for (int i = id; i < count * UNIT; i += WG) {
            int4 u = units[unit + i / UNIT];
            keep_weights(stage, i, bank[(size_t)u.s0 * UNIT + i % UNIT]);
            if (i % UNIT == 0) place[i / UNIT] = u.s12;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < count; i++)
            multiply(x, tail, voxel, place[i].s0, place[i].s1, stage + i * STAGED, acc UNITS_ARGS);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

    finish(y, to, tail + to_bias, chunks > 1, relu, acc);
}

/* y = act(bias + sum over the chunks of part); count: float4 of y; voxels of a sample; samples of a bank. */
HF_GROUP(SUM_WG)
kernel void conv3d_gpu_direct_sum(global const float4 *part, global const float4 *tail, global float4 *y, long count,
                                  int voxels, int out_blocks, int samples, int bank_bias, int chunks, int relu)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)count) return;
    size_t block = i / QUARTER / voxels;
    float4 sum = (float4)(0.0f);
    for (int chunk = 0; chunk < chunks; chunk++)
        sum += part[(size_t)chunk * count + i];
    tail += (block / out_blocks / samples * bank_bias + block % out_blocks + 1) * QUARTER;
    y[i] = activate(sum + tail[i % QUARTER], relu);
}
