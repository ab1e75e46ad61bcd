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

/* The first tap that meets an element of x from position q. */
int first_tap(int q, int pad, int up)
{
    return up == 1 ? 0 : ((pad - q) % up + up) % up;
}

/* Where a row of x lies for each row of a tile: the middle, then position 0, position TILE-1, and with EDGE 2 positions
 * 1 and TILE-2. `slice` is a plane of x, `from` the voxel that the first position reads. */
HF_INLINE void point_at(global const float *p[ROWS][1 + 2 * EDGE], global const float *slice, global const float *zeros,
                        int h, int from, int H, int W)
{
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
}

/* Adds the products of one tap, `channels` of a block. */
HF_INLINE void add_tap(float16 sum[OUT][ROWS][TILE], global const float *p[ROWS][1 + 2 * EDGE],
                       global const float16 *weight, size_t next_block, int channels)
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

/* Asks for the voxels that a tile reads of another row of x; with K = 1 it leaves out those between positions. Where
 * rows are so narrow that there are several, x is small enough to be near. */
HF_INLINE void fetch_row(global const float *row, int K)
{
#if !FIRST && ROWS == 1
    EACH_POSITION
    {
        HF_PREFETCH(row + i * STRIDE * XS);
        if (STRIDE > 1 && K > 1) HF_PREFETCH(row + (i * STRIDE + 1) * XS);
    }
#endif
}

/* Writes a tile: activation, zeros beyond the last channel even where an infinite x made something else of them, for
 * `rows` rows. NaN passes through. */
HF_INLINE void store(float16 sum[OUT][ROWS][TILE], global float16 *to, size_t plane, int row, int step, int rows,
                     int channels, int relu)
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
    EACH_BLOCK EACH_ROW EACH_POSITION
    {
        if (r < rows) to[k * plane + r * row + i * step] = sum[k][r][i];
    }
}

/* x [N][C/16][D,H,W][16] or, FIRST, [N][C][D,H,W]; w [1 or N][O/16][C/16][K^3][16c][16o] or, FIRST,
 * [1 or N][O/16][C][K^3][16o], w_stride vectors a sample; bias [1 or N][O/16][16], bias_stride vectors a sample;
 * zeros: as many as TILE positions reach over; y [N][O/16][OD,OH,OW][16]. pad_w is pad in W, where x may have been
 * widened. `inner` is N when weights go through all samples before the next weights, otherwise 1. Groups: OH/up/ROWS,
 * OD/up, both rounded up, N * O/16 / OUT * up * up. */
HF_GROUP(1)
kernel void conv3d_rows(global const float *restrict x, global const float16 *restrict w,
                        global const float16 *restrict bias, global const float *restrict zeros,
                        global float16 *restrict y, int C, int O, int D, int H, int W, int OD, int OH, int OW, int K,
                        int pad, int pad_w, int up, int relu, int inner, ulong w_stride, ulong bias_stride)
{
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, groups = o_blocks / OUT;
    const int c_blocks = FIRST ? C : (C + HF_BLOCK - 1) / HF_BLOCK;
    const int outer = get_group_id(2) / inner, rest_h = outer % up, rest_d = outer / up % up;
    const int o = outer / (up * up) % groups * OUT;
    const int n = get_group_id(2) % inner + outer / (up * up * groups) * inner;
    const int od = rest_d + (int)get_group_id(1) * up, first_h = get_group_id(0) * ROWS;
    const int count_h = (OH - rest_h + up - 1) / up;
    const size_t next_block = (size_t)c_blocks * K * K * K * XS; /* vectors of w for a block of output channels */
    const size_t plane = (size_t)OD * OH * OW, volume = (size_t)D * H * W * XS;
    const int begin_d = first_tap(od * STRIDE, pad, up), begin_h = first_tap(rest_h, pad, up);
    if (od >= OD || first_h >= count_h) return;
    x += n * c_blocks * volume;
    w += n * w_stride + o * next_block;
    bias += n * bias_stride + o;
    y += ((size_t)n * o_blocks + o) * plane + (size_t)od * OH * OW;
    for (int rest_w = 0; rest_w < up; ++rest_w) {
        const int count_w = (OW - rest_w + up - 1) / up, begin_w = first_tap(rest_w, pad_w, up);
        for (int t = 0; t < count_w; t += TILE) {
            const int first_w = min(t, count_w - TILE);
            /* where the tile begins to read, and the one that is likely the next */
            const int line = (od * STRIDE + begin_d - pad) / up * H + (rest_h + begin_h - pad) / up;
            const long first_voxel = ((long)(line + first_h * STRIDE) * W + first_w * STRIDE) * XS;
            const long next_tile = (t + TILE < count_w ? TILE : ROWS * W - first_w) * STRIDE * XS;
            float16 sum[OUT][ROWS][TILE];
            EACH_ROW EACH_POSITION EACH_BLOCK
            {
                sum[k][r][i] = bias[k];
            }
            for (int b = 0; b < c_blocks; ++b) {
                /* channels beyond C are zero; whole rounds of them are left out */
                const int channels = FIRST ? 1 : min(HF_BLOCK, (C - b * HF_BLOCK + STEP - 1) / STEP * STEP);
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
                            fetch_row(slice + ((long)(h + 1) * W + first_w * STRIDE) * XS, K);
                        else if (kd + up < K)
                            fetch_row(slice + ((long)(h - kh / up + H) * W + first_w * STRIDE) * XS, K);
                        else
                            fetch_row(next, K);
                        for (int kw = begin_w; kw < K; kw += up) {
                            global const float *p[ROWS][1 + 2 * EDGE];
                            point_at(p, slice, zeros, h, (rest_w + kw - pad_w) / up + first_w * STRIDE, H, W);
                            add_tap(sum, p, taps + kw * XS, next_block, channels);
                        }
                    }
                }
            }
            store(sum, y + (size_t)(rest_h + first_h * up) * OW + rest_w + first_w * up, plane, up * OW, up,
                  count_h - first_h, O - o * HF_BLOCK, relu);
        }
    }
}
