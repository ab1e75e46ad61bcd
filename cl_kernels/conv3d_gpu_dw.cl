/* conv3d_gpu_dw.cl: gradient of a convolution by its weights for GPUs, for any kernel edge and stride, as a matrix
 * product that is never written out: part[r,o] = sum over m of x[m,r] * dy[m,o], m: output voxels of a piece.
 *
 * x[m,r] is the input value that weight r meets at output voxel m, fetched when it is needed. A row r stands for
 *   blocked x:  ((block of 16 input channels) * K^3 + tap) * 16 + channel in the block
 *   FIRST:      channel * K^3 + tap, x in the plain layout; for few input channels
 * A group owns TM by TN elements of the result, a work-item 4*MA by 4*NB of them in registers. The sum advances by
 * STEP = 16 voxels. Both operands of a step lie in local memory, [STEP][LDA] and [STEP][TN], in two copies: while one
 * is multiplied the other can be filled, so that a step costs one barrier. Where the windows of the next AHEAD voxels
 * lie, and which taps exist there (a mask: bits 0..6 depth, 7..13 height, 14..20 width), is worked out once for all.
 *
 * K      3    kernel edge, 1..7
 * FIRST  0    1: x plain, rows counted by channel; 0: x blocked
 * TM     128  rows of the group's tile, a multiple of 16
 * TN     16   columns of the group's tile, a multiple of 16
 * MA     2    fours of rows of a work-item, 1 or 2
 * NB     1    fours of columns of a work-item, 1 or 2
 * The work-items of a group, WG = (TM / 4 / MA) * (TN / 4 / NB), must be a multiple of 16 and of TM / 4, and divide TM
 * and 4 * TN. */
#include "common.h"
#include "conv3d_gpu.h"

#ifndef FIRST
#define FIRST 0
#endif
#ifndef TM
#define TM 128
#endif
#ifndef TN
#define TN 16
#endif
#ifndef MA
#define MA 2
#endif
#ifndef NB
#define NB 1
#endif

#define STEP    16
#define AHEAD   64
#define TAPS    (K * K * K)
#define COLUMNS (TN / 4 / NB) /* work-items side by side along the columns */
#define WG      (TM / 4 / MA * COLUMNS)
#define NR      (STEP * TN / 4 / WG) /* float4 of the right operand that a work-item moves in a step */
#define NEVER   (1 << 30)            /* a bit that no mask has */

#if FIRST
#define LDA (TM + 4)         /* spreads the banks */
#define NX  (STEP * TM / WG) /* elements of the left operand that a work-item moves in a step */
#else
#define LDA TM
#define NX  (STEP * TM / 4 / WG) /* float4 of it */
#endif

/* acc += A' B of one step: a [STEP][LDA], b [STEP][TN], in float4. */
INLINE void multiply(local const float4 *a, local const float4 *b, int lane, int column, float4 acc[4 * MA][NB])
{
#pragma unroll
    for (int s = 0; s < STEP; s++) {
        float4 left[MA], right[NB];
#pragma unroll
        for (int i = 0; i < MA; i++)
            left[i] = a[s * (LDA / 4) + i * (TM / MA / 4) + lane];
#pragma unroll
        for (int j = 0; j < NB; j++)
            right[j] = b[s * (TN / 4) + j * (TN / NB / 4) + column];
#pragma unroll
        for (int i = 0; i < MA; i++)
#pragma unroll
            for (int j = 0; j < NB; j++) {
                acc[4 * i][j] += left[i].s0 * right[j];
                acc[4 * i + 1][j] += left[i].s1 * right[j];
                acc[4 * i + 2][j] += left[i].s2 * right[j];
                acc[4 * i + 3][j] += left[i].s3 * right[j];
            }
    }
}

/* Of output voxel `index`, counted over the samples: where its window starts in x, in units of a voxel (FIRST: of an
 * element), the mask of its taps, where it is in dy, in voxels of 16 channels. Both operands are zero for voxels from
 * `last` on. */
INLINE int4 place_of(int index, int last, int C, int out_blocks, int D, int H, int W, int OD, int OH, int OW,
                     int stride, int pad)
{
    int w = index % OW, h = index / OW % OH, d = index / OW / OH % OD, n = index / OW / OH / OD;
    int to = ((n * out_blocks * OD + d) * OH + h) * OW + w;
    int sample = FIRST ? C : (C + HF_BLOCK - 1) / HF_BLOCK;
    d = d * stride - pad;
    h = h * stride - pad;
    w = w * stride - pad;
    if (index >= last) return (int4)(0, 0, -1, 0);
    return (int4)(((n * sample * D + d) * H + h) * W + w, window(d, h, w, D, H, W), to, 0);
}

/* Bits of a tap in the masks. */
INLINE int bits_of(int tap)
{
    return 1 << tap / (K * K) | 1 << (7 + tap / K % K) | 1 << (14 + tap % K);
}

/* Groups: tiles of rows, tiles of output channels, banks * chunks. Each bank covers `positions` output voxels: those
 * of its own sample, or of all samples when there is one bank. A chunk is chunk_size of them, a multiple of STEP.
 * part [banks * chunks][rows][columns], rows a multiple of TM and columns of TN. */
HF_GROUP(WG)
kernel void conv3d_gpu_dw(global const float *x, global const float4 *dy, global float4 *part, int C, int O, int D,
                          int H, int W, int OD, int OH, int OW, int stride, int pad, int rows, int columns,
                          int positions, int chunk_size, int chunks)
{
    local float4 left[2][STEP * LDA / 4], right[2][STEP * TN / 4];
    local int4 place[AHEAD];
    int id = (int)get_local_id(0), lane = id / COLUMNS, column = id % COLUMNS, copy = 0;
    int bank = (int)get_group_id(2) / chunks, chunk = (int)get_group_id(2) % chunks;
    int first = chunk * chunk_size, last = min(first + chunk_size, positions);
    int out_blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    size_t in_voxels = (size_t)D * H * W;

    /* Left: with FIRST one position in 16 and many rows; else one four of channels under one tap, many positions. */
#if FIRST
    int need[NX], offset[NX];
#pragma unroll
    for (int i = 0; i < NX; i++) {
        int row = (int)get_group_id(0) * TM + id / STEP + i * (WG / STEP), c = row / TAPS, tap = row % TAPS;
        need[i] = c < C ? bits_of(tap) : NEVER;
        offset[i] = ((c * D + tap / (K * K)) * H + tap / K % K) * W + tap % K;
    }
    x += bank * C * in_voxels;
#else
    int in_blocks = (C + HF_BLOCK - 1) / HF_BLOCK;
    int unit = (int)get_group_id(0) * (TM / HF_BLOCK) + id / 4 % (TM / HF_BLOCK), tap = unit % TAPS;
    int need = unit / TAPS < in_blocks ? bits_of(tap) : NEVER;
    int offset = ((unit / TAPS * D + tap / (K * K)) * H + tap / K % K) * W + tap % K;
    global const float4 *x4 = (global const float4 *)x + bank * in_blocks * in_voxels * QUARTER + id % 4;
#endif

    /* Right: one four of output channels, many positions. */
    int o4 = (int)get_group_id(1) * (TN / 4) + id % (TN / 4);
    bool real = o4 < out_blocks * QUARTER;
    dy += (size_t)(bank * out_blocks + o4 / QUARTER) * OD * OH * OW * QUARTER + o4 % QUARTER;

    float4 acc[4 * MA][NB];
#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++)
            acc[i][j] = (float4)(0.0f);

    for (int at = first; at < last; at += AHEAD) {
#pragma unroll 1
        for (int i = id; i < AHEAD; i += WG)
            place[i] = place_of(at + i, last, C, out_blocks, D, H, W, OD, OH, OW, stride, pad);
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
        for (int ahead = 0; ahead < AHEAD && at + ahead < last; ahead += STEP) {
#if FIRST
            int4 here = place[ahead + id % STEP];
#pragma unroll
            for (int i = 0; i < NX; i++)
                ((local float *)left[copy])[id % STEP * LDA + id / STEP + i * (WG / STEP)] =
                    (here.s1 & need[i]) == need[i] ? x[here.s0 + offset[i]] : 0.0f;
#else
#pragma unroll
            for (int i = 0; i < NX; i++) {
                int position = id / (TM / 4) + i * (WG / (TM / 4));
                int4 here = place[ahead + position];
                float4 value = (float4)(0.0f);
                if ((here.s1 & need) == need) value = x4[(size_t)(here.s0 + offset) * QUARTER];
                left[copy][position * (LDA / 4) + id % (TM / 4)] = value;
            }
#endif
#pragma unroll
            for (int i = 0; i < NR; i++) {
                int to = place[ahead + id / (TN / 4) + i * (WG / (TN / 4))].s2;
                right[copy][id + i * WG] = to >= 0 && real ? dy[(size_t)to * QUARTER] : (float4)(0.0f);
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            multiply(left[copy], right[copy], lane, column, acc);
            copy ^= 1;
        }
    }

    part += ((size_t)get_group_id(2) * rows + get_group_id(0) * TM) * (columns / 4) + get_group_id(1) * (TN / 4);
#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++)
            part[(size_t)(i / 4 * (TM / MA) + 4 * lane + i % 4) * (columns / 4) + j * (TN / NB / 4) + column] =
                acc[i][j];
}
