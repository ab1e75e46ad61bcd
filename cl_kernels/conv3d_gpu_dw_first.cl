/* conv3d_gpu_dw_first.cl: gradient of a convolution by its weights for GPUs, kernel edge 3, stride 1, x in the plain
 * layout; for few input channels.
 *
 *   part[piece][c][tap][o] = sum over output voxels of a piece: x[c, voxel - pad + tap] * dy[o, voxel]
 *
 * A group sums for one input channel and one block of 16 output channels. It walks over tiles of TEAMS*TH*TW output
 * voxels: copies the part of x that their taps meet into local memory, zeros where there is nothing; a team takes one
 * plane of the tile. Of a team, 12 work-items share the taps by depth and the output channels by four: 9 taps by 4
 * outputs each, in 36 registers. Along a row of voxels and from row to row values of x stay in registers; dy comes
 * straight from global memory. In the end the teams' sums are added in order. */
#include "common.h"

#define TEAMS 16
#define TD    TEAMS /* output voxels of a tile: depth, height, width */
#define TH    4
#define TW    4
#include "conv3d_gpu_tiles.h"

#define ITEMS 12 /* of a team */
#define WG    (TEAMS * ITEMS)
#define XD    (TD + 2) /* input voxels of a tile */
#define XH    (TH + 2)
#define XW    (TW + 2)
#define TAPS  27

/* Groups: pieces of all banks, blocks of outputs, input channels. A bank sums over `samples` samples, which have
 * `tiles` tiles, in `pieces` pieces of piece_tiles. part [bank][piece][C * 27][out_blocks * 16]. */
HF_GROUP(WG)
kernel void conv3d_gpu_dw_first(global const float *x, global const float4 *dy, global float4 *part, int samples, int D,
                                int H, int W, int OD, int OH, int OW, int pad, int tiles, int pieces, int piece_tiles)
{
    local float left[XD * XH * XW];
    local float4 sums[TEAMS * ITEMS * 3]; /* of a row of taps */
    int id = (int)get_local_id(0), team = id / ITEMS, td = id % ITEMS / 4, o4 = id % 4;
    int bank = (int)get_group_id(0) / pieces, first = (int)get_group_id(0) % pieces * piece_tiles;
    int last = min(first + piece_tiles, tiles);
    float4 acc[3][3]; /* [tap along the height][along the width] */
#pragma unroll
    for (int t = 0; t < 9; t++)
        acc[t / 3][t % 3] = (float4)(0.0f);

#pragma unroll 1
    for (int i = first; i < last; i++) {
        int4 at = tile_at(i, OD, OH, OW);
        int n = bank * samples + at.s0;
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
        for (int j = id; j < XD * XH * XW; j += WG) {
            int d = at.s1 - pad + j / (XH * XW), h = at.s2 - pad + j / XW % XH, w = at.s3 - pad + j % XW;
            bool in = d >= 0 && d < D && h >= 0 && h < H && w >= 0 && w < W;
            left[j] = in ? x[(size_t)((n * get_num_groups(2) + get_group_id(2)) * D + d) * H * W + h * W + w] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        int d = at.s1 + team, to = ((n * (int)get_num_groups(1) + (int)get_group_id(1)) * OD + d) * OH * OW;
#pragma unroll 1
        for (int row = 0; row < TH; row++) {
            int h = at.s2 + row;
            local const float *from = left + ((team + td) * XH + row) * XW;
            float4 grad[TW];
#pragma unroll
            for (int w = 0; w < TW; w++) {
                bool in = d < OD && h < OH && at.s3 + w < OW;
                grad[w] = in ? dy[(size_t)(to + h * OW + at.s3 + w) * QUARTER + o4] : (float4)(0.0f);
            }
#pragma unroll
            for (int th = 0; th < 3; th++) {
                float values[XW];
#pragma unroll
                for (int w = 0; w < XW; w++)
                    values[w] = from[th * XW + w];
#pragma unroll
                for (int w = 0; w < TW; w++)
#pragma unroll
                    for (int tw = 0; tw < 3; tw++)
                        acc[th][tw] += values[w + tw] * grad[w];
            }
        }
    }

    part += (get_group_id(0) * get_num_groups(2) + get_group_id(2)) * TAPS * get_num_groups(1) * QUARTER;
#pragma unroll
    for (int th = 0; th < 3; th++) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int tw = 0; tw < 3; tw++)
            sums[(team * ITEMS + id % ITEMS) * 3 + tw] = acc[th][tw];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (team < 3) { /* team tw adds the sums of that tap */
            float4 sum = sums[id % ITEMS * 3 + team];
            for (int t = 1; t < TEAMS; t++)
                sum += sums[(t * ITEMS + id % ITEMS) * 3 + team];
            part[((td * 3 + th) * 3 + team) * get_num_groups(1) * QUARTER + get_group_id(1) * QUARTER + o4] = sum;
        }
    }
}
