/* conv3d_cpu_rows.h: rows of a 3D convolution, or of its input gradient, for CPUs: channels-innermost blocked layout,
 * one work-item a group. Included by name, as common.h, by the kernels that differ in how they cut the work.
 *
 *   y[n,o,q] = act(b[o] + sum over c,t of w[o,c,t] * x[n,c,(q*STRIDE + t - pad) / up]), where the division is exact
 *
 * for q and t in all three axes. Forward up is 1. The gradient reads dy as x, with the taps backwards, C and O
 * exchanged, pad K-1-pad, and up the stride of the convolution: it is one over dy with zeros between its elements, of
 * which no product is computed. So positions q that leave the same rest when divided by up use the same taps, and make
 * a plain convolution of their own.
 *
 * A vector is 16 output channels of one voxel. ROWS rows of y are computed for OUT blocks of 16 output channels, TILE
 * positions at a time, each position and block in a register of its own; weights stream past them in the order they are
 * used and every x is broadcast. Rows and positions of a tile are `up` apart. The last tile of a row overlaps the one
 * before it and computes the same values again; rows past the last one are computed and not stored. Rows that a tap
 * meets outside the volume are left out. Where a single position does, x is read from `zeros`: the EDGE first and last
 * positions of a tile have pointers of their own for that. In narrow tiles, of which they would be a good part, they
 * are left out too.
 *
 * TILE   positions of a row in registers, 1..16, ROWS * TILE * OUT at most 28; a row must have at least as many
 * ROWS   rows in registers, 1..3
 * OUT    blocks of output channels together, 1 or 2
 * STRIDE voxels of x between neighbours in a tile, 1 or 2
 * STREAM 1: y goes past the caches
 * FIRST  0: x is blocked; 1: x is plain (a network's first layer, few channels), ROWS is 1 and no tap falls outside */
#ifndef HF_CONV3D_CPU_ROWS_H
#define HF_CONV3D_CPU_ROWS_H

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
#ifndef STREAM
#define STREAM 0
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

/* Whether a first or last position that reads a zero is left out. */
#define SKIPS (!FIRST && TILE > 1 && TILE <= 8)

#define EACH_ROW      _Pragma("unroll") for (int r = 0; r < ROWS; ++r)
#define EACH_POSITION _Pragma("unroll") for (int i = 0; i < TILE; ++i)
#define EACH_BLOCK    _Pragma("unroll") for (int k = 0; k < OUT; ++k)

/* The first tap that meets an element of x from position q. */
int first_tap(int q, int pad, int up)
{
    return up == 1 ? 0 : ((pad - q) % up + up) % up;
}

/* Where a row of x lies for each row of a tile: the middle, then position 0, position TILE-1, and with EDGE 2 positions
 * 1 and TILE-2. `slice` is a plane of x, `from` the voxel that the first position reads. */
HF_INLINE void point_at(global const float *p[ROWS][1 + 2 * EDGE], global const float *slice, global const float *zeros,
                        int h, int from, int W)
{
    EACH_ROW
    {
        global const float *row = slice + ((long)(h + r * STRIDE) * W + from) * XS;
        p[r][0] = row;
#pragma unroll
        for (int e = 0; e < EDGE; ++e) {
            const int left = e < TILE ? e : 0, right = TILE - 1 - left;
            const int at = from + left * STRIDE, end = from + right * STRIDE;
            p[r][1 + 2 * e] = at >= 0 && at < W ? row + left * STRIDE * XS : zeros;
            p[r][2 + 2 * e] = end >= 0 && end < W ? row + right * STRIDE * XS : zeros;
        }
    }
}

/* Adds the products of one tap, `channels` of a block, for rows first..past-1 and positions begin..end-1 of a tile:
 * constants, so that only registers that are in use are named. */
HF_INLINE void add_part(float16 sum[OUT][ROWS][TILE], global const float *p[ROWS][1 + 2 * EDGE],
                        global const float16 *weight, size_t next_block, int channels, const int first, const int past,
                        const int begin, const int end)
{
    for (int c = 0; c < channels; c += STEP) {
#pragma unroll
        for (int s = 0; s < STEP; ++s) {
            float16 v[OUT];
            EACH_BLOCK
            {
                v[k] = weight[c + s + k * next_block];
            }
            EACH_ROW EACH_POSITION
            {
                if (r < first || r >= past || i < begin || i >= end) continue;
                const int e = min(i, TILE - 1 - i);
                const float a = e < EDGE ? p[r][(i == e ? 1 : 2) + 2 * e][c + s] : p[r][0][i * STRIDE * XS + c + s];
                EACH_BLOCK
                {
                    sum[k][r][i] += a * v[k];
                }
            }
        }
    }
}

/* The same for whole rows, of which the first position, or the last, takes no part where it would read a zero. */
HF_INLINE void add_rows(float16 sum[OUT][ROWS][TILE], global const float *p[ROWS][1 + 2 * EDGE],
                        global const float16 *weight, size_t next_block, int channels, const int first, const int past,
                        bool left, bool right)
{
    if (SKIPS && left && !right)
        add_part(sum, p, weight, next_block, channels, first, past, 1, TILE);
    else if (SKIPS && right && !left)
        add_part(sum, p, weight, next_block, channels, first, past, 0, TILE - 1);
    else
        add_part(sum, p, weight, next_block, channels, first, past, 0, TILE);
}

/* Adds the products of one tap that the first position of a tile meets at voxel `from` of row h of a plane. Rows that
 * are outside take no part. */
HF_INLINE void add_tap(float16 sum[OUT][ROWS][TILE], global const float *p[ROWS][1 + 2 * EDGE],
                       global const float16 *weight, size_t next_block, int channels, int h, int from, int H, int W)
{
    const int last = h + (ROWS - 1) * STRIDE, right = from + (TILE - 1) * STRIDE;
    const bool outside_left = from < 0, outside_right = right >= W;
    if (h >= 0 && last < H) {
        add_rows(sum, p, weight, next_block, channels, 0, ROWS, outside_left, outside_right);
        return;
    }
#if ROWS > 1
    EACH_ROW
    {
        const int line = h + r * STRIDE;
        if (line >= 0 && line < H)
            add_rows(sum, p, weight, next_block, channels, r, r + 1, outside_left, outside_right);
    }
#endif
}

/* Asks for the voxels that `rows` rows of a tile read, the first at `row`; with K = 1 it leaves out those between
 * positions. */
HF_INLINE void fetch(global const float *row, int W, const int rows, int K)
{
#if !FIRST
    EACH_ROW EACH_POSITION
    {
        global const float *at = row + ((long)r * W + i) * STRIDE * XS;
        if (r >= rows) continue;
        HF_PREFETCH(at);
        if (STRIDE > 1 && K > 1) HF_PREFETCH(at + XS);
    }
#endif
}

/* The row that the next taps meet: where there are several in registers most of it is near. */
HF_INLINE void fetch_row(global const float *row, int W, int K)
{
    if (ROWS == 1) fetch(row, W, 1, K);
}

/* Writes a tile, of which `rows` rows exist. */
HF_INLINE void write(float16 sum[OUT][ROWS][TILE], global float16 *to, size_t plane, int row, int step, int rows)
{
    EACH_BLOCK EACH_ROW EACH_POSITION
    {
        global float16 *at = to + k * plane + r * row + i * step;
        if (r >= rows) continue;
        if (STREAM)
            HF_STREAM(sum[k][r][i], at);
        else
            *at = sum[k][r][i];
    }
}

/* The activation, and zeros beyond the last channel even where an infinite x made something else of them. NaN passes
 * through. */
HF_INLINE void activate(float16 sum[OUT][ROWS][TILE], int channels, int relu)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    if (relu) EACH_BLOCK EACH_ROW EACH_POSITION
        {
            sum[k][r][i] = sum[k][r][i] <= 0 ? (float16)0 : sum[k][r][i];
        }
    if (channels < OUT * HF_BLOCK) EACH_BLOCK EACH_ROW EACH_POSITION
        {
            sum[k][r][i] = lane < channels - k * HF_BLOCK ? sum[k][r][i] : (float16)0;
        }
}

/* One convolution: x [C/16][D,H,W][16] or, FIRST, [C][D,H,W] a sample, y [O/16][OD,OH,OW][16]. pad_w is pad in W, where
 * x may have been widened. */
typedef struct volumes {
    int C, O, D, H, W, OD, OH, OW, K, pad, pad_w, up, relu;
} volumes;

/* Input blocks, and vectors of weights for a block of output channels. */
HF_INLINE int input_blocks(const volumes *s)
{
    return FIRST ? s->C : (s->C + HF_BLOCK - 1) / HF_BLOCK;
}

HF_INLINE size_t block_weights(const volumes *s)
{
    return (size_t)input_blocks(s) * s->K * s->K * s->K * XS;
}

/* Rows of y that leave `rest` when divided by up. */
HF_INLINE int rows_of_rest(const volumes *s, int rest)
{
    return (s->OH - rest + s->up - 1) / s->up;
}

/* Computes ROWS rows, from number first_h on of those that leave rest_h, of plane od of y for output blocks o and the
 * OUT - 1 after it. x and y are a sample's; w [OUT][C/16][K^3][16c][16o] or, FIRST, [OUT][C][K^3][16o] and bias are
 * these blocks'; zeros: a vector. */
HF_INLINE void convolve_rows(const volumes *s, global const float *x, global const float16 *w, const float16 *bias,
                             global const float *zeros, global float16 *y, int o, int od, int rest_h, int first_h)
{
    const int D = s->D, H = s->H, W = s->W, OW = s->OW, K = s->K, pad = s->pad, up = s->up;
    const int c_blocks = input_blocks(s), count_h = rows_of_rest(s, rest_h);
    const size_t next_block = block_weights(s), plane = (size_t)s->OD * s->OH * OW, volume = (size_t)D * H * W * XS;
    const int begin_d = first_tap(od * STRIDE, pad, up), begin_h = first_tap(rest_h, pad, up);
    y += o * plane + (size_t)od * s->OH * OW;
    for (int rest_w = 0; rest_w < up; ++rest_w) {
        const int count_w = (OW - rest_w + up - 1) / up, begin_w = first_tap(rest_w, s->pad_w, up);
        const bool meets = max(begin_w, max(begin_h, begin_d)) < K; /* some tap */
        for (int t = 0; t < count_w; t += TILE) {
            const int first_w = min(t, count_w - TILE);
            /* where the tile begins to read, and the one that is likely the next */
            const int line = (od * STRIDE + begin_d - pad) / up * H + (rest_h + begin_h - pad) / up;
            const long first_voxel = ((long)(line + first_h * STRIDE) * W + first_w * STRIDE) * XS;
            const long next_tile = (t + TILE < count_w ? TILE : ROWS * W - first_w) * STRIDE * XS;
            global float16 *to = y + (size_t)(rest_h + first_h * up) * OW + rest_w + first_w * up;
            float16 sum[OUT][ROWS][TILE];
            EACH_ROW EACH_POSITION EACH_BLOCK
            {
                sum[k][r][i] = bias[k];
            }
            for (int b = 0; meets && b < c_blocks; ++b) {
                /* channels beyond C are zero; whole rounds of them are left out */
                const int channels = FIRST ? 1 : min(HF_BLOCK, (s->C - b * HF_BLOCK + STEP - 1) / STEP * STEP);
                global const float *next = x + (b + 1 == c_blocks ? 0 : b + 1) * volume + first_voxel;
                if (b + 1 == c_blocks) next += next_tile;
                for (int kd = begin_d; kd < K; kd += up) {
                    const int d = (od * STRIDE + kd - pad) / up;
                    global const float *slice = x + b * volume + (long)d * H * W * XS;
                    if (od * STRIDE + kd < pad || d >= D) continue;
                    for (int kh = begin_h; kh < K; kh += up) {
                        const int h = (rest_h + kh - pad) / up + first_h * STRIDE;
                        global const float16 *taps = w + (size_t)((b * K + kd) * K + kh) * K * XS;
                        if (ROWS == 1 && (h < 0 || h >= H)) continue;
                        if (kh + up < K)
                            fetch_row(slice + ((long)(h + 1) * W + first_w * STRIDE) * XS, W, K);
                        else if (kd + up < K)
                            fetch_row(slice + ((long)(h - kh / up + H) * W + first_w * STRIDE) * XS, W, K);
                        else
                            fetch(next, W, ROWS, K);
                        for (int kw = begin_w; kw < K; kw += up) {
                            const int from = (rest_w + kw - s->pad_w) / up + first_w * STRIDE;
                            global const float *p[ROWS][1 + 2 * EDGE];
                            point_at(p, slice, zeros, h, from, W);
                            add_tap(sum, p, taps + kw * XS, next_block, channels, h, from, H, W);
                        }
                    }
                }
            }
            activate(sum, s->O - o * HF_BLOCK, s->relu);
            write(sum, to, plane, up * OW, up, count_h - first_h);
        }
    }
}

#endif
