/* conv3d_cpu_dw_first.cl: partial weight gradients of a network's first layer for CPUs: as conv3d_cpu_dw.cl, but x is
 * plain with few channels, and padded beforehand where there is padding.
 *
 *   partial[set][chunk][O/16][C][K^3][16o]     (set: a sample, or the one for all)
 *
 * Up to K = 3 all taps stay in registers at once, up to 5 those of a plane, beyond those of a row.
 *
 * KERNEL  K, 1..7 */
#include "common.h"

#ifndef KERNEL
#define KERNEL 3
#endif

#define TILE_D (KERNEL <= 3 ? KERNEL : 1)
#define TILE_H (KERNEL <= 5 ? KERNEL : 1)
#define TILE   (TILE_D * TILE_H * KERNEL)

/* x [N][C][D,H,W] where D, H, W include the padding, dy [N][O/16][OD,OH,OW][16]. Rows of dy are numbered through n,d,h;
 * a set has set_rows of them, a chunk chunk_rows. Groups: chunks of a set, O/16 * C, sets. */
HF_GROUP(1)
kernel void conv3d_dw_first_chunk(global const float *restrict x, global const float16 *restrict dy,
                                  global float16 *restrict partial, int C, int O, int D, int H, int W, int OD, int OH,
                                  int OW, int stride, int set_rows, int chunk_rows)
{
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, o = get_group_id(1) / C, c = get_group_id(1) % C;
    const int begin = get_group_id(0) * chunk_rows, end = min(set_rows, begin + chunk_rows);
    const size_t set = get_group_id(2);
    const int taps = KERNEL * KERNEL * KERNEL;
    partial += ((set * get_num_groups(0) + get_group_id(0)) * get_num_groups(1) + get_group_id(1)) * taps;
    for (int tap = 0; tap < taps; tap += TILE) {
        const int kd = tap / (KERNEL * KERNEL), kh = tap / KERNEL % KERNEL;
        float16 sum[TILE];
#pragma unroll
        for (int k = 0; k < TILE; ++k)
            sum[k] = 0;
        for (int row = begin; row < end; ++row) {
            const size_t line = set * set_rows + row;
            const int oh = line % OH, od = line / OH % OD;
            const size_t n = line / OH / OD;
            global const float *p = x + (((n * C + c) * D + od * stride + kd) * H + oh * stride + kh) * W;
            global const float16 *g = dy + (((n * o_blocks + o) * OD + od) * OH + oh) * OW;
            for (int i = 0; i < OW; ++i, p += stride, ++g) {
                const float16 g0 = *g;
#pragma unroll
                for (int k = 0; k < TILE; ++k) {
                    const int kd1 = k / (TILE_H * KERNEL), kh1 = k / KERNEL % TILE_H, kw1 = k % KERNEL;
                    sum[k] += p[((size_t)kd1 * H + kh1) * W + kw1] * g0;
                }
            }
        }
#pragma unroll
        for (int k = 0; k < TILE; ++k)
            partial[tap + k] = sum[k];
    }
}
