/* conv3d_cpu_sum.cl: the sum of partial weight gradients of a convolution on CPUs, and the bias gradient
 *
 *   db[o] = sum over n,d,h,w of dy[n,o,d,h,w], or one such row for each n
 *
 * One work-item a group; all sums run in a fixed order. */
#include "common.h"
#include "transpose.h"

/* Adds the partial results of a set in order and writes dw [set][O,C,K,K,K]: for 16 output channels 16 elements that
 * follow each other. step: input channels of a block in `partial`, 16 or 1. Groups: elements of an input block / 16,
 * rounded up, input blocks, O/16 * sets. */
HF_GROUP(1)
kernel void conv3d_dw_sum(global const float16 *restrict partial, global float *restrict dw, int C, int O, int taps,
                          int chunks, int step)
{
    const int first = get_group_id(0) * HF_BLOCK, c_block = get_group_id(1);
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, o_block = get_group_id(2) % o_blocks;
    const size_t set = get_group_id(2) / o_blocks, blocks = (size_t)o_blocks * get_num_groups(1) * taps * step;
    const int count = min(step, C - c_block * step) * taps - first;
    float16 sum[HF_BLOCK];
    int at[HF_BLOCK]; /* of elements in a block of `partial` */
    if (count <= 0) return;
#pragma unroll
    for (int i = 0; i < HF_BLOCK; ++i) {
        const int element = first + min(i, count - 1);
        at[i] = element % taps * step + element / taps;
        sum[i] = 0;
    }
    partial += set * chunks * blocks + (size_t)(o_block * get_num_groups(1) + c_block) * taps * step;
    for (int chunk = 0; chunk < chunks; ++chunk, partial += blocks) {
#pragma unroll
        for (int i = 0; i < HF_BLOCK; ++i)
            sum[i] += partial[at[i]];
    }
    hf_transpose16(sum);
    hf_store_rows(sum, dw + ((set * O + o_block * HF_BLOCK) * C + c_block * step) * taps + first, (size_t)C * taps,
                  O - o_block * HF_BLOCK, count);
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
