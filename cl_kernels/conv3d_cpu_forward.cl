/* conv3d_cpu_forward.cl: 3D convolution and its input gradient for CPUs, channels-innermost blocked layout, one
 * work-item a group.
 *
 *   y[n,o,q] = act(b[o] + sum over c,t of w[o,c,t] * x[n,c,(q*STRIDE + t - pad) / up]), where the division is exact
 *
 * for q and t in all three axes. Forward up is 1. The gradient reads dy as x, with the taps backwards, C and O
 * exchanged, pad K-1-pad, and up the stride of the convolution: it is one over dy with zeros between its elements, of
 * which no product is computed. So positions q that leave the same rest when divided by up use the same taps, and make
 * a plain convolution of their own.
 *
 * A vector is 16 output channels of one voxel. A group computes ROWS rows of y for OUT blocks of 16 output channels,
 * TILE positions at a time, each position and block in a register of its own; weights stream past them in the order
 * they are used and every x is broadcast. Rows and positions of a tile are `up` apart. The last tile of a row overlaps
 * the one before it and computes the same values again; rows past the last one are computed and not stored. Where a tap
 * falls outside the volume x is read from `zeros`: the EDGE first and last positions of a tile have pointers of their
 * own for that.
 *
 * TILE   positions of a row in registers, 1..16, ROWS * TILE * OUT at most 28; a row must have at least as many
 * ROWS   rows in registers, 1..3
 * OUT    blocks of output channels a group computes, 1 or 2
 * STRIDE voxels of x between neighbours in a tile, 1 or 2
 * FIRST  0: x is blocked; 1: x is plain (a network's first layer, few channels), ROWS is 1 and no tap falls outside */
#include "common.h"

#ifndef TILE
#define TILE 14
#endif
#ifndef ROWS
#define ROWS 1
#endif
#ifndef OUT
#define OUT 1
#endif
#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef FIRST
#define FIRST 0
#endif

/* XS: floats from one voxel of x to the next. STEP: channels in one round of the inner loop. */
#if FIRST
#define XS   1
#define STEP 1
#define EDGE 0
#else
#define XS   HF_BLOCK
#define STEP 4
#define EDGE (ROWS == 1 ? 2 : 1)
#endif

#define EACH_ROW      _Pragma("unroll") for (int r = 0; r < ROWS; ++r)
#define EACH_POSITION _Pragma("unroll") for (int i = 0; i < TILE; ++i)
#define EACH_BLOCK    _Pragma("unroll") for (int k = 0; k < OUT; ++k)

/* The result of one register: bias, activation, zeros beyond the last channel. NaN passes through. */
float16 finish(float16 sum, float16 bias, int relu, int channels)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    float16 value = sum + bias;
    if (relu) value = value <= 0 ? (float16)0 : value;
    return lane < channels ? value : (float16)0;
}

/* The first tap that meets an element of x from position q. */
int first_tap(int q, int pad, int up)
{
    return up == 1 ? 0 : ((pad - q) % up + up) % up;
}

/* x [N][C/16][D,H,W][16] or, FIRST, [N][C][D,H,W]; w [1 or N][O/16][C/16][K^3][16c][16o] or, FIRST,
 * [1 or N][O/16][C][K^3][16o], w_stride vectors a sample; bias [1 or N][O/16][16], bias_stride vectors a sample;
 * zeros: as many as TILE positions reach over; y [N][O/16][OD,OH,OW][16].
 * Groups: up * (OH/up)/ROWS, OD, N * O/16 / OUT, both quotients rounded up. */
HF_GROUP(1)
kernel void conv3d_rows(global const float *restrict x, global const float16 *restrict w,
                        global const float16 *restrict bias, global const float *restrict zeros,
                        global float16 *restrict y, int C, int O, int D, int H, int W, int OD, int OH, int OW, int K,
                        int pad, int pad_w, int up, int relu, ulong w_stride, ulong bias_stride)
{
    const int od = get_group_id(1), rest_h = get_group_id(0) % up, first_h = get_group_id(0) / up * ROWS;
    const int count_h = (OH - rest_h + up - 1) / up;
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, groups = o_blocks / OUT;
    const int n = get_group_id(2) / groups, o = get_group_id(2) % groups * OUT;
    const int c_blocks = FIRST ? C : (C + HF_BLOCK - 1) / HF_BLOCK;
    const size_t next_block = (size_t)c_blocks * K * K * K * XS; /* vectors of w for a block of output channels */
    const size_t plane = (size_t)OD * OH * OW;
    const int begin_d = first_tap(od * STRIDE, pad, up), begin_h = first_tap(rest_h, pad, up);
    if (first_h >= count_h) return;
    w += n * w_stride + o * next_block;
    bias += n * bias_stride + o;
    y += ((size_t)n * o_blocks + o) * plane + (size_t)od * OH * OW;
    for (int rest_w = 0; rest_w < up; ++rest_w) {
        const int count_w = (OW - rest_w + up - 1) / up, begin_w = first_tap(rest_w, pad_w, up);
        for (int t = 0; t < count_w; t += TILE) {
            const int first_w = min(t, count_w - TILE);
            float16 sum[OUT][ROWS][TILE];
            EACH_ROW EACH_POSITION EACH_BLOCK sum[k][r][i] = 0;
            for (int b = 0; b < c_blocks; ++b) {
                /* channels beyond C are zero; whole rounds of them are left out */
                const int rounds = FIRST ? 1 : (min(HF_BLOCK, C - b * HF_BLOCK) + STEP - 1) / STEP;
                for (int kd = begin_d; kd < K; kd += up) {
                    const int d = (od * STRIDE + kd - pad) / up;
                    if (od * STRIDE + kd < pad || d >= D) continue;
                    for (int kh = begin_h; kh < K; kh += up) {
                        const int h = (rest_h + kh - pad) / up + first_h * STRIDE;
                        if (ROWS == 1 && (h < 0 || h >= H)) continue;
                        global const float *slice = x + (((size_t)n * c_blocks + b) * D + d) * H * W * XS;
                        for (int kw = begin_w; kw < K; kw += up) {
                            const int from = (rest_w + kw - pad_w) / up + first_w * STRIDE;
                            global const float16 *weight = w + (size_t)(((b * K + kd) * K + kh) * K + kw) * XS;
                            global const float
                                *p[ROWS][1 + 2 * EDGE]; /* the middle, then positions 0, .. and T-1, .. */
                            EACH_ROW
                            {
                                const int line = h + r * STRIDE;
                                const bool there = ROWS == 1 || (line >= 0 && line < H);
                                global const float *row = slice + ((long)line * W + from) * XS;
                                p[r][0] = there ? row : zeros;
#pragma unroll
                                for (int e = 0; e < EDGE; ++e) {
                                    const int left = e < TILE ? e : 0, right = TILE - 1 - left;
                                    const int at = from + left * STRIDE, end = from + right * STRIDE;
                                    p[r][1 + 2 * e] = there && at >= 0 && at < W ? row + left * STRIDE * XS : zeros;
                                    p[r][2 + 2 * e] = there && end >= 0 && end < W ? row + right * STRIDE * XS : zeros;
                                }
                            }
                            for (int c = 0; c < rounds * STEP; c += STEP) {
#pragma unroll
                                for (int s = 0; s < STEP; ++s) {
                                    float16 v[OUT];
                                    EACH_BLOCK
                                    v[k] = weight[c + s + k * next_block];
                                    EACH_ROW EACH_POSITION
                                    {
                                        const int e = min(i, TILE - 1 - i);
                                        const float a = e < EDGE ? p[r][(i == e ? 1 : 2) + 2 * e][c + s]
                                                                 : p[r][0][i * STRIDE * XS + c + s];
                                        EACH_BLOCK
                                        sum[k][r][i] += a * v[k];
                                    }
                                }
                            }
                        }
                    }
                }
            }
            EACH_ROW
            {
                if (first_h + r >= count_h) break;
                global float16 *to = y + (size_t)(rest_h + (first_h + r) * up) * OW + rest_w + first_w * up;
                EACH_BLOCK EACH_POSITION to[k * plane + i * up] =
                    finish(sum[k][r][i], bias[k], relu, O - (o + k) * HF_BLOCK);
            }
        }
    }
}
