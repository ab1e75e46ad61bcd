/* conv3d_cpu_forward.cl: stride-1 3D convolution for CPUs, channels-innermost blocked layout, one work-item a group.
 *
 *   y[n,o,d,h,w] = act(b[o] + sum over c,kd,kh,kw of w[o,c,kd,kh,kw] * x[n,c,d+kd-pad,h+kh-pad,w+kw-pad])
 *
 * A vector is 16 output channels of one voxel. A group computes a row of y for OUT blocks of 16 output channels, TILE
 * positions at a time, each position and block in a register of its own; weights stream past them in the order they
 * are used and every x is broadcast. The last tile of a row overlaps the one before it and computes the same values
 * again. Taps outside the volume in d and h are left out of the loops; a tile that reaches outside in w first copies
 * the stretch of x it needs, with zeros outside. The input gradient is the same computation with flipped, transposed
 * weights and pad K-1-pad.
 *
 * TILE  positions in registers, 1..16, with OUT 2 at most 14; a row must have at least as many
 * OUT   blocks of output channels a group computes, 1 or 2
 * FIRST 0: x is blocked; 1: x is plain (a network's first layer, few channels) */
#include "common.h"

#ifndef TILE
#define TILE 14
#endif
#ifndef OUT
#define OUT 1
#endif
#ifndef FIRST
#define FIRST 0
#endif

#define LARGEST_KERNEL 7
/* XS: floats from one voxel of x to the next, VOXEL all of them. STEP: channels in one round of the inner loop. */
#if FIRST
#define XS    1
#define STEP  1
#define VOXEL float
#else
#define XS    HF_BLOCK
#define STEP  4
#define VOXEL float16
#endif

/* TILES(M) is M(0) M(1) ... M(TILE-1). */
#define TILES_1(M)  M(0)
#define TILES_2(M)  TILES_1(M) M(1)
#define TILES_3(M)  TILES_2(M) M(2)
#define TILES_4(M)  TILES_3(M) M(3)
#define TILES_5(M)  TILES_4(M) M(4)
#define TILES_6(M)  TILES_5(M) M(5)
#define TILES_7(M)  TILES_6(M) M(6)
#define TILES_8(M)  TILES_7(M) M(7)
#define TILES_9(M)  TILES_8(M) M(8)
#define TILES_10(M) TILES_9(M) M(9)
#define TILES_11(M) TILES_10(M) M(10)
#define TILES_12(M) TILES_11(M) M(11)
#define TILES_13(M) TILES_12(M) M(12)
#define TILES_14(M) TILES_13(M) M(13)
#define TILES_15(M) TILES_14(M) M(14)
#define TILES_16(M) TILES_15(M) M(15)
#define TILES(M)    HF_PASTE(TILES_, TILE)(M)

#if OUT == 2
#define DECLARE(i) float16 first##i = 0, second##i = 0;
#define WEIGHTS    const float16 v = weight[c], u = weight[c + next_block];
#define MULTIPLY(i)                                                                                                    \
    {                                                                                                                  \
        const float s = p[i * XS + c];                                                                                 \
        first##i += s * v;                                                                                             \
        second##i += s * u;                                                                                            \
    }
#else
#define DECLARE(i)  float16 first##i = 0;
#define WEIGHTS     const float16 v = weight[c];
#define MULTIPLY(i) first##i += p[i * XS + c] * v;
#endif

/* Adds one row of taps; `row` is where the tile's first position finds tap kw = 0. */
#define ADD_ROW(SPACE)                                                                                                 \
    for (int kw = 0; kw < K; ++kw) {                                                                                   \
        SPACE const float *p = row + kw * XS;                                                                          \
        for (int round = 0; round < rounds; ++round, p += STEP, weight += STEP) {                                      \
            _Pragma("unroll") for (int c = 0; c < STEP; ++c)                                                           \
            {                                                                                                          \
                WEIGHTS TILES(MULTIPLY)                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        weight += skip;                                                                                                \
    }

/* The result of one register: bias, activation, zeros beyond the last channel. NaN passes through. */
float16 finish(float16 sum, float16 bias, int relu, int channels)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    float16 value = sum + bias;
    if (relu) value = value <= 0 ? (float16)0 : value;
    return lane < channels ? value : (float16)0;
}

/* x [N][C/16][D,H,W][16] or, FIRST, [N][C][D,H,W]; w [1 or N][O/16][C/16][K^3][16c][16o] or, FIRST,
 * [1 or N][O/16][C][K^3][16o], w_stride vectors a sample; bias [1 or N][O/16][16], bias_stride vectors a sample;
 * y [N][O/16][OD,OH,OW][16]. Groups: OH, OD, N * O/16 / OUT. */
HF_GROUP(1)
kernel void conv3d_rows(global const float *restrict x, global const float16 *restrict w,
                        global const float16 *restrict bias, global float16 *restrict y, int C, int O, int D, int H,
                        int W, int OD, int OH, int OW, int K, int pad, int relu, ulong w_stride, ulong bias_stride)
{
    const int oh = get_group_id(0), od = get_group_id(1);
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, groups = o_blocks / OUT;
    const int n = get_group_id(2) / groups, o = get_group_id(2) % groups * OUT;
    const int c_blocks = FIRST ? C : (C + HF_BLOCK - 1) / HF_BLOCK;
    const size_t next_block = (size_t)c_blocks * K * K * K * XS; /* vectors of w for a block of output channels */
    const int kd_begin = max(0, pad - od), kd_end = min(K, D + pad - od);
    const int kh_begin = max(0, pad - oh), kh_end = min(K, H + pad - oh);
    const size_t plane = (size_t)OD * OH * OW;
    w += n * w_stride + o * next_block;
    bias += n * bias_stride + o;
    y += ((size_t)n * o_blocks + o) * plane + ((size_t)od * OH + oh) * OW;
    for (int t = 0; t < OW; t += TILE) {
        const int begin = min(t, OW - TILE), left = begin - pad;
        const bool edge = left < 0 || left + TILE + K - 1 > W;
        VOXEL stretch[TILE + LARGEST_KERNEL - 1];
        const int inside = max(0, -left), outside = min(TILE + K - 1, W - left);
        if (edge)
            for (int i = 0; i < TILE + K - 1; ++i)
                stretch[i] = 0;
        TILES(DECLARE)
        for (int b = 0; b < c_blocks; ++b) {
            /* channels beyond C are zero; whole rounds of them are left out */
            const int rounds = FIRST ? 1 : (min(HF_BLOCK, C - b * HF_BLOCK) + STEP - 1) / STEP;
            const int skip = XS - rounds * STEP;
            for (int kd = kd_begin; kd < kd_end; ++kd)
                for (int kh = kh_begin; kh < kh_end; ++kh) {
                    const size_t line = (((size_t)n * c_blocks + b) * D + od + kd - pad) * H + oh + kh - pad;
                    global const float *from = x + line * W * XS;
                    global const float16 *weight = w + (size_t)((b * K + kd) * K + kh) * K * XS;
                    if (edge) {
                        for (int i = inside; i < outside; ++i)
                            stretch[i] = ((global const VOXEL *)from)[left + i];
                        const float *row = (const float *)stretch;
                        ADD_ROW(private)
                    } else {
                        global const float *row = from + left * XS;
                        ADD_ROW(global)
                    }
                }
        }
        global float16 *to = y + begin;
#define STORE_FIRST(i) to[i] = finish(first##i, bias[0], relu, O - o * HF_BLOCK);
        TILES(STORE_FIRST)
#if OUT == 2
        to += plane;
#define STORE_SECOND(i) to[i] = finish(second##i, bias[1], relu, O - (o + 1) * HF_BLOCK);
        TILES(STORE_SECOND)
#endif
    }
}
