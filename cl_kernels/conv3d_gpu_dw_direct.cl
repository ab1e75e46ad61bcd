/* conv3d_gpu_dw_direct.cl: gradient of a convolution by its weights for GPUs, kernel edges 2 and 3, strides 1 and 2.
 *
 *   part[block of inputs][tap][c][o] = sum over output voxels of a piece: x[c, voxel * S - pad + tap] * dy[o, voxel]
 *
 * A group sums for one block of 16 input and one of 16 output channels, all taps. It walks over tiles of TD*4*4 output
 * voxels: copies the tile of dy and the part of x that its taps meet into local memory, once for all taps, zeros where
 * there is nothing, then adds. 16 work-items share a row of taps (td, th): 4 input channels by 4 output channels by the
 * taps of the row each, in 16 * K registers; and twice, where two teams share the depth of a tile. Along a row of
 * voxels each value of x is read once for all its taps. The teams' sums are two parts, [piece][team].
 *
 * K      3  kernel edge: 2 or 3
 * S      1  stride: 1 or 2
 * TEAMS  2  1 or 2 */
#include "common.h"

#ifndef S
#define S 1
#endif
#ifndef TEAMS
#define TEAMS 2
#endif

#define TD (S == 1 ? 4 : 2) /* output voxels of a tile: depth, height, width */
#define TH 4
#define TW 4
#include "conv3d_gpu_tiles.h"

#define XD ((TD - 1) * S + K) /* input voxels of a tile */
#define XH ((TH - 1) * S + K)
#define XW ((TW - 1) * S + K)
#define WG (K * K * 16 * TEAMS)

INLINE int4 next_tile(int4 at, int OD, int OH, int OW)
{
    at.s3 += TW;
    if (at.s3 < OW) return at;
    at.s23 = (int2)(at.s2 + TH, 0);
    if (at.s2 < OH) return at;
    at.s12 = (int2)(at.s1 + TD, 0);
    if (at.s1 < OD) return at;
    at.s01 = (int2)(at.s0 + 1, 0);
    return at;
}

/* Copies what lies at (d,h,w) ... of the block of channels that begins at voxel `base` of from, [D][H][W][4], to local
 * memory [deep][high][wide][4]. */
INLINE void copy_in(local float4 *to, global const float4 *from, int base, int deep, int high, int wide, int d, int h,
                    int w, int D, int H, int W)
{
#pragma unroll 1
    for (int i = (int)get_local_id(0); i < deep * high * wide * QUARTER; i += WG) {
        int voxel = i / QUARTER, z = d + voxel / wide / high, y = h + voxel / wide % high, x = w + voxel % wide;
        bool in = z >= 0 && z < D && y >= 0 && y < H && x >= 0 && x < W;
        to[i] = in ? from[(size_t)(base + (z * H + y) * W + x) * QUARTER + i % QUARTER] : (float4)(0.0f);
    }
}

/* Groups: pieces of all banks, blocks of outputs, blocks of inputs. A bank sums over `samples` samples, which have
 * `tiles` tiles, in `pieces` pieces of piece_tiles. x_sample, dy_sample: voxels of 16 channels of a sample.
 * part [bank][piece][team][in_blocks * K^3 * 16][out_blocks * 16]. */
HF_GROUP(WG)
kernel void conv3d_gpu_dw_direct(global const float4 *x, global const float4 *dy, global float4 *part, int samples,
                                 int x_sample, int dy_sample, int D, int H, int W, int OD, int OH, int OW, int pad,
                                 int tiles, int pieces, int piece_tiles)
{
    local float4 left[XD * XH * XW * QUARTER], right[TD * TH * TW * QUARTER];
    volatile local int4 tile; /* here, because the loops need the registers */
    int id = (int)get_local_id(0), line = id / (16 * TEAMS), td = line / K, th = line % K, team = id / 16 % TEAMS;
    int c4 = id / 4 % 4, o4 = id % 4;
    int first = (int)get_group_id(0) % pieces * piece_tiles, last = min(first + piece_tiles, tiles);
    if (id == 0) {
        tile = tile_at(first, OD, OH, OW);
        tile.s0 += (int)get_group_id(0) / pieces * samples;
    }

    float4 acc[K][4]; /* [tap along the width][input channel], 4 output channels */
#pragma unroll
    for (int t = 0; t < K; t++)
#pragma unroll
        for (int c = 0; c < 4; c++)
            acc[t][c] = (float4)(0.0f);

    for (int i = first; i < last; i++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        int4 at = tile;
        copy_in(left, x, at.s0 * x_sample + (int)get_group_id(2) * D * H * W, XD, XH, XW, at.s1 * S - pad,
                at.s2 * S - pad, at.s3 * S - pad, D, H, W);
        copy_in(right, dy, at.s0 * dy_sample + (int)get_group_id(1) * OD * OH * OW, TD, TH, TW, at.s1, at.s2, at.s3, OD,
                OH, OW);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (id == 0) tile = next_tile(at, OD, OH, OW);
#pragma unroll 1
        for (int row = 0; row < TD / TEAMS * TH; row++) {
            int d = team * (TD / TEAMS) + row / TH, h = row % TH;
            local const float4 *from = left + ((d * S + td) * XH + h * S + th) * XW * QUARTER + c4;
            local const float4 *grad = right + (d * TH + h) * TW * QUARTER + o4;
            float4 values[XW];
#pragma unroll
            for (int w = 0; w < XW; w++)
                values[w] = from[w * QUARTER];
#pragma unroll
            for (int w = 0; w < TW; w++) {
                float4 g = grad[w * QUARTER];
#pragma unroll
                for (int t = 0; t < K; t++) {
                    acc[t][0] += values[w * S + t].s0 * g;
                    acc[t][1] += values[w * S + t].s1 * g;
                    acc[t][2] += values[w * S + t].s2 * g;
                    acc[t][3] += values[w * S + t].s3 * g;
                }
            }
        }
    }

    int columns = (int)get_num_groups(1) * QUARTER, rows = (int)get_num_groups(2) * K * K * K * HF_BLOCK;
    int row = (((int)get_group_id(2) * K + td) * K + th) * K * HF_BLOCK + c4 * 4;
    part += ((get_group_id(0) * TEAMS + team) * rows + row) * columns + get_group_id(1) * QUARTER + o4;
#pragma unroll
    for (int t = 0; t < K; t++)
#pragma unroll
        for (int c = 0; c < 4; c++)
            part[(t * HF_BLOCK + c) * columns] = acc[t][c];
}
