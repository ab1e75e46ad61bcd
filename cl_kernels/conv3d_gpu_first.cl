/* conv3d_gpu_first.cl: convolution for GPUs of few input channels, x in the plain layout.
 *
 * For each input channel the weights lie in local memory, [K^3][16], which broadcasts them; x comes straight from
 * global memory. Which taps of a voxel exist is a mask (bits 0..6 depth, 7..13 height, 14..20 width).
 *
 * V, WG: see conv3d_gpu_voxels.h; V is 1..8
 * K   3    kernel edge, 1..7 */
#include "common.h"
#include "conv3d_gpu_voxels.h"

#define TAPS (K * K * K)

/* Groups: tiles of V * WG voxels, blocks of outputs, samples. bank [bank][block][C][K^3][16]; tail: 16 zeros, then the
 * biases. bank_size, bank_bias: float4 from one sample's bank to the next, and blocks of its biases; 0 when shared. */
HF_GROUP(WG)
kernel void conv3d_gpu_first(global const float *x, global const float4 *bank, global const float4 *tail,
                             global float4 *y, int C, int out_blocks, int D, int H, int W, int OD, int OH, int OW,
                             int stride, int pad, int bank_size, int bank_bias, int relu)
{
    local float4 weights[TAPS * QUARTER];
    int id = (int)get_local_id(0), block = (int)get_group_id(1), n = (int)get_group_id(2), voxels = OD * OH * OW;
    int at[V], mask[V]; /* where the first tap lies in a channel; which taps exist */
#pragma unroll
    for (int v = 0; v < V; v++) {
        int p = voxel_number(v);
        int d = p / OW / OH * stride - pad, h = p / OW % OH * stride - pad, w = p % OW * stride - pad;
        at[v] = (d * H + h) * W + w;
        mask[v] = p < voxels ? window(d, h, w, D, H, W) : 0;
    }
    float4 acc[V][QUARTER];
    clear(acc);

    bank += (size_t)n * bank_size + (size_t)block * C * TAPS * QUARTER;
    x += (size_t)n * C * D * H * W;
#pragma unroll 1
    for (int c = 0; c < C; c++, x += (size_t)D * H * W) {
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = id; i < TAPS * QUARTER; i += WG)
            weights[i] = bank[c * TAPS * QUARTER + i];
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
        for (int td = 0; td < K; td++)
#pragma unroll 1
            for (int th = 0; th < K; th++) {
                int need = 1 << td | 1 << (7 + th), offset = (td * H + th) * W;
                global const float *from[V];
                int in[V]; /* bit tw: the tap exists */
#pragma unroll
                for (int v = 0; v < V; v++) {
                    from[v] = x + (at[v] + offset);
                    in[v] = (mask[v] & need) == need ? mask[v] >> 14 : 0;
                }
#pragma unroll
                for (int tw = 0; tw < K; tw++) {
                    float value[V];
#pragma unroll
                    for (int v = 0; v < V; v++)
                        value[v] = in[v] & 1 << tw ? from[v][tw] : 0.0f;
                    add_products(value, weights + ((td * K + th) * K + tw) * QUARTER, acc);
                }
            }
    }

    tail += (n * bank_bias + block + 1) * QUARTER;
#pragma unroll
    for (int v = 0; v < V; v++) {
        int p = voxel_number(v);
        if (p >= voxels) continue;
#pragma unroll
        for (int j = 0; j < QUARTER; j++)
            y[(((size_t)n * out_blocks + block) * voxels + p) * QUARTER + j] = activate(acc[v][j] + tail[j], relu);
    }
}
