/* conv3d_cpu_sum.cl: what surrounds the weight gradient of a convolution on CPUs: the padded copy of a plain x, the sum
 * of partial weight gradients, and the bias gradient
 *
 *   db[o] = sum over n,d,h,w of dy[n,o,d,h,w], or one such row for each n
 *
 * One work-item a group; all sums run in a fixed order. */
#include "common.h"

/* Copies x [planes][D,H,W] into the middle of to [planes][D+2pad,H+2pad,W+2pad], zeros around.
 * Groups: H+2pad, D+2pad, planes. */
HF_GROUP(1)
kernel void conv3d_pad(global const float *restrict x, global float *restrict to, int D, int H, int W, int pad)
{
    const int h = (int)get_group_id(0) - pad, d = (int)get_group_id(1) - pad, wide = W + 2 * pad;
    const bool inside = h >= 0 && h < H && d >= 0 && d < D;
    x += ((get_group_id(2) * D + max(d, 0)) * H + max(h, 0)) * W;
    to += ((get_group_id(2) * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0)) * wide;
    for (int i = 0; i < wide; ++i) {
        const int w = i - pad;
        to[i] = inside && w >= 0 && w < W ? x[w] : 0;
    }
}

/* Adds the partial results of a set in order and writes dw [set][O,C,K,K,K]. step: input channels of a block in
 * `partial`, 16 or 1. Groups: K^3, input blocks, O/16 * sets. */
HF_GROUP(1)
kernel void conv3d_dw_sum(global const float16 *restrict partial, global float *restrict dw, int C, int O, int chunks,
                          int step)
{
    const int tap = get_group_id(0), taps = get_num_groups(0), c_block = get_group_id(1);
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, o_block = get_group_id(2) % o_blocks;
    const size_t set = get_group_id(2) / o_blocks, blocks = (size_t)o_blocks * get_num_groups(1);
    const int channels = min(step, C - c_block * step), outputs = min(HF_BLOCK, O - o_block * HF_BLOCK);
    float16 sum[HF_BLOCK];
    for (int c = 0; c < channels; ++c)
        sum[c] = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const size_t block = (set * chunks + chunk) * blocks + o_block * get_num_groups(1) + c_block;
        global const float16 *from = partial + (block * taps + tap) * step;
        for (int c = 0; c < channels; ++c)
            sum[c] += from[c];
    }
    for (int c = 0; c < channels; ++c) {
        const float *value = (const float *)&sum[c];
        for (int o = 0; o < outputs; ++o)
            dw[((set * O + o_block * HF_BLOCK + o) * C + c_block * step + c) * taps + tap] = value[o];
    }
}

/* Partial sums of dy over `chunk` voxels: partial[n][chunk][O/16][16]. Groups: chunks of a sample, O/16, N. */
HF_GROUP(1)
kernel void conv3d_db_chunk(global const float16 *restrict dy, global float16 *restrict partial, int voxels, int chunk)
{
    const int begin = get_group_id(0) * chunk, end = min(voxels, begin + chunk);
    float16 a = 0, b = 0, c = 0, d = 0; /* four chains hide the latency of addition */
    int i = begin;
    dy += (get_group_id(2) * get_num_groups(1) + get_group_id(1)) * voxels;
    for (; i + 3 < end; i += 4) {
        a += dy[i];
        b += dy[i + 1];
        c += dy[i + 2];
        d += dy[i + 3];
    }
    for (; i < end; ++i)
        a += dy[i];
    partial[(get_group_id(2) * get_num_groups(0) + get_group_id(0)) * get_num_groups(1) + get_group_id(1)] =
        a + b + (c + d);
}

/* Adds a set's partial sums in order: db [set][O]. Groups: O/16, sets. */
HF_GROUP(1)
kernel void conv3d_db_sum(global const float16 *restrict partial, global float *restrict db, int O, int chunks)
{
    const int block = get_group_id(0), outputs = min(HF_BLOCK, O - block * HF_BLOCK);
    const size_t set = get_group_id(1);
    float16 sum = 0;
    for (int i = 0; i < chunks; ++i)
        sum += partial[(set * chunks + i) * get_num_groups(0) + block];
    const float *value = (const float *)&sum;
    for (int o = 0; o < outputs; ++o)
        db[set * O + block * HF_BLOCK + o] = value[o];
}
