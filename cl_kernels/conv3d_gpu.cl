/* conv3d_gpu.cl: 3D convolution for GPUs as a matrix product that is never written out.
 *
 *   conv3d_gpu     y[m,o] = act(b[o] + sum over r of x[m,r] * bank[r,o])     m: output voxels of one sample
 *   conv3d_gpu_dw  part[r,o] = sum over m of x[m,r] * dy[m,o]                m: output voxels of a piece
 *
 * Here x[m,r] is the input value that weight r meets at output voxel m, fetched when it is needed. A row r stands for
 *   blocked x:  ((block of 16 input channels) * K^3 + tap) * 16 + channel in the block
 *   FIRST:      channel * K^3 + tap, x in the plain layout; for few input channels
 * The gradient by the input is conv3d_gpu on dy with a bank of mirrored, transposed weights (stride 1).
 *
 * A group owns TM by TN elements of the result, a work-item 4*MA by 4*NB of them in registers. The sum advances by
 * STEP = 16. Both operands of a step lie in local memory, [STEP][TM] and [STEP][TN], in two copies: while one is
 * multiplied the other can be filled, so that a step costs one barrier.
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

#ifndef K
#define K 3
#endif
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
#define TAPS    (K * K * K)
#define COLUMNS (TN / 4 / NB) /* work-items side by side along the columns */
#define WG      (TM / 4 / MA * COLUMNS)
#define LDA     (TM + 4)             /* keeps 16-byte alignment and spreads the banks */
#define NR      (STEP * TN / 4 / WG) /* float4 of the right operand that a work-item moves in a step */
#define PACK_WG 64

#if FIRST
#define NX (STEP * TM / WG) /* elements of the left operand that a work-item moves in a step */
typedef float element;
#else
#define NX (STEP * TM / 4 / WG)
typedef float4 element;
#endif

/* acc += A' B of one step: a [STEP][LDA], b [STEP][TN]. */
static void multiply(__local const float *a, __local const float *b, int lane, int column, float4 acc[4 * MA][NB])
{
#pragma unroll
    for (int s = 0; s < STEP; s++) {
        float4 left[MA], right[NB];
#pragma unroll
        for (int i = 0; i < MA; i++)
            left[i] = vload4(0, a + s * LDA + i * (TM / MA) + 4 * lane);
#pragma unroll
        for (int j = 0; j < NB; j++)
            right[j] = vload4(0, b + s * TN + j * (TN / NB) + 4 * column);
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

/* Row and column in the group's tile of a work-item's acc[i][j]. */
static int row_of(int lane, int i)
{
    return i / 4 * (TM / MA) + 4 * lane + i % 4;
}

static int column_of(int column, int j)
{
    return j * (TN / NB) + 4 * column;
}

/* Where the window of an output voxel starts in the input; `real` is false for voxels that do not exist. */
typedef struct {
    int d, h, w, real;
} window;

static window window_of(int voxel, int voxels, int OH, int OW, int stride, int pad)
{
    window start;
    start.d = voxel / OW / OH * stride - pad;
    start.h = voxel / OW % OH * stride - pad;
    start.w = voxel % OW * stride - pad;
    start.real = voxel < voxels;
    return start;
}

/* Offset in voxels of tap (td,th,tw) of a window, or -1 where there is nothing. */
static int tap_at(window start, int tap, int D, int H, int W)
{
    int d = start.d + tap / (K * K), h = start.h + tap / K % K, w = start.w + tap % K;
    bool in = start.real && d >= 0 && d < D && h >= 0 && h < H && w >= 0 && w < W;
    return in ? (d * H + h) * W + w : -1;
}

/* bank[s][row][column] from weights [s][o][c][tap]; rows and columns beyond the real ones are zero. C and O count the
 * channels that enter and leave the product; mirror: in w they are outputs and inputs, and the taps are reversed. */
__attribute__((reqd_work_group_size(PACK_WG, 1, 1))) __kernel void conv3d_gpu_pack(__global const float *w,
                                                                                   __global float *bank, int banks,
                                                                                   int C, int O, int rows, int columns,
                                                                                   int mirror)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)banks * rows * columns) return;
    int o = (int)(i % columns), row = (int)(i / columns % rows);
    size_t s = i / columns / rows;
#if FIRST
    int c = row / TAPS, tap = row % TAPS;
#else
    int tap = row / HF_BLOCK % TAPS, c = row / HF_BLOCK / TAPS * HF_BLOCK + row % HF_BLOCK;
#endif
    float value = 0.0f;
    if (o < O && c < C)
        value = mirror ? w[((s * C + c) * O + o) * TAPS + (TAPS - 1 - tap)] : w[((s * O + o) * C + c) * TAPS + tap];
    bank[i] = value;
}

#if FIRST
/* A work-item serves the voxels id, id + WG, ... of the tile. */
#define WINDOWS           (TM / WG)
#define TILE_VOXEL(id, i) ((id) + (i)*WG)
#else
/* A work-item serves one quarter of the 16 channels of every (WG/4)-th voxel. */
#define WINDOWS           NX
#define TILE_VOXEL(id, i) (((id) + (i)*WG) / 4)
#endif

/* This work-item's share of the left operand of a step, from sample x. */
static void fetch(__global const float *x, const window start[WINDOWS], int step, int C, int D, int H, int W,
                  element next[NX])
{
    size_t voxels = (size_t)D * H * W;
    (void)C; /* blocked: channels that do not exist are zero */
#pragma unroll
    for (int i = 0; i < NX; i++) {
#if FIRST
        int row = step * STEP + i / WINDOWS, c = row / TAPS;
        int at = tap_at(start[i % WINDOWS], row % TAPS, D, H, W);
        next[i] = c < C && at >= 0 ? x[c * voxels + at] : 0.0f;
#else
        int at = tap_at(start[i], step % TAPS, D, H, W);
        size_t offset = (step / TAPS * voxels + at) * HF_BLOCK + get_local_id(0) % 4 * 4;
        next[i] = at >= 0 ? vload4(0, x + offset) : (float4)(0.0f);
#endif
    }
}

static void keep(__local float *left, const element next[NX])
{
    int id = (int)get_local_id(0);
#pragma unroll
    for (int i = 0; i < NX; i++) {
#if FIRST
        left[i / WINDOWS * LDA + TILE_VOXEL(id, i % WINDOWS)] = next[i];
#else
        __local float *to = left + id % 4 * 4 * LDA + TILE_VOXEL(id, i);
        to[0] = next[i].s0;
        to[LDA] = next[i].s1;
        to[2 * LDA] = next[i].s2;
        to[3 * LDA] = next[i].s3;
#endif
    }
}

static void fetch_bank(__global const float *bank, int step, int columns, float4 next[NR])
{
#pragma unroll
    for (int i = 0; i < NR; i++) {
        int at = (int)get_local_id(0) + i * WG;
        next[i] = vload4(0, bank + (size_t)(step * STEP + at / (TN / 4)) * columns + at % (TN / 4) * 4);
    }
}

static void keep_right(__local float *right, const float4 next[NR])
{
#pragma unroll
    for (int i = 0; i < NR; i++)
        vstore4(next[i], get_local_id(0) + i * WG, right);
}

/* y of four channels from o on: bias, activation, zero in channels that do not exist. */
static float4 finish(float4 sum, __global const float *bias, int o, int O, int has_bias, int relu)
{
    float v[4] = { sum.s0, sum.s1, sum.s2, sum.s3 };
    for (int e = 0; e < 4; e++) {
        if (has_bias && o + e < O) v[e] += bias[o + e];
        if (o + e >= O || (relu && v[e] <= 0.0f)) v[e] = 0.0f;
    }
    return (float4)(v[0], v[1], v[2], v[3]);
}

/* Groups: tiles of voxels, tiles of output channels, samples. rows: a multiple of STEP. bank_stride and bias_stride:
 * elements from one sample's bank or bias to the next, 0 when shared. */
__attribute__((reqd_work_group_size(WG, 1, 1))) __kernel void conv3d_gpu(
    __global const float *x, __global const float *bank, __global const float *bias, __global float *y, int C, int O,
    int D, int H, int W, int OD, int OH, int OW, int stride, int pad, int rows, int columns, int bank_stride,
    int bias_stride, int has_bias, int relu)
{
    __local float left[2][STEP * LDA], right[2][STEP * TN];
    int id = (int)get_local_id(0), lane = id / COLUMNS, column = id % COLUMNS;
    int first = (int)get_group_id(0) * TM, first_o = (int)get_group_id(1) * TN;
    int voxels = OD * OH * OW, steps = rows / STEP, copy = 0;
    size_t n = get_group_id(2), blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    size_t channels = FIRST ? C : (C + HF_BLOCK - 1) / HF_BLOCK * HF_BLOCK;
    x += n * channels * D * H * W;
    bank += n * bank_stride + first_o;

    window start[WINDOWS];
#pragma unroll
    for (int i = 0; i < WINDOWS; i++)
        start[i] = window_of(first + TILE_VOXEL(id, i), voxels, OH, OW, stride, pad);
    float4 acc[4 * MA][NB];
#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++)
            acc[i][j] = (float4)(0.0f);

    element next[NX];
    float4 next_right[NR];
    fetch(x, start, 0, C, D, H, W, next);
    fetch_bank(bank, 0, columns, next_right);
    for (int step = 0; step < steps; step++) {
        keep(left[copy], next);
        keep_right(right[copy], next_right);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (step + 1 < steps) {
            fetch(x, start, step + 1, C, D, H, W, next);
            fetch_bank(bank, step + 1, columns, next_right);
        }
        multiply(left[copy], right[copy], lane, column, acc);
        copy ^= 1;
    }

#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++) {
            int voxel = first + row_of(lane, i), o = first_o + column_of(column, j);
            if (voxel >= voxels || o / HF_BLOCK >= (int)blocks) continue;
            size_t at = ((n * blocks + o / HF_BLOCK) * voxels + voxel) * HF_BLOCK + o % HF_BLOCK;
            vstore4(finish(acc[i][j], bias + n * bias_stride, o, O, has_bias, relu), 0, y + at);
        }
}

/* An output voxel on its way through the samples. */
typedef struct {
    int n, d, h, w; /* sample and output voxel */
    int index;      /* counted over all samples */
} place;

static place place_at(int index, int OD, int OH, int OW)
{
    place here;
    here.index = index;
    here.w = index % OW;
    here.h = index / OW % OH;
    here.d = index / OW / OH % OD;
    here.n = index / OW / OH / OD;
    return here;
}

static place advance(place here, int by, int OD, int OH, int OW)
{
    here.index += by;
    here.w += by;
    while (here.w >= OW) {
        here.w -= OW;
        if (++here.h < OH) continue;
        here.h = 0;
        if (++here.d < OD) continue;
        here.d = 0;
        here.n++;
    }
    return here;
}

static window window_at(place here, int last, int stride, int pad)
{
    window start;
    start.d = here.d * stride - pad;
    start.h = here.h * stride - pad;
    start.w = here.w * stride - pad;
    start.real = here.index < last;
    return start;
}

/* Groups: tiles of rows, tiles of output channels, banks * chunks. Each bank covers `positions` output voxels: those
 * of its own sample, or of all samples when there is one bank. A chunk is chunk_size of them, a multiple of STEP.
 * part [banks * chunks][rows][columns], rows a multiple of TM and columns of TN. */
__attribute__((reqd_work_group_size(WG, 1, 1))) __kernel void conv3d_gpu_dw(
    __global const float *x, __global const float *dy, __global float *part, int C, int O, int D, int H, int W, int OD,
    int OH, int OW, int stride, int pad, int rows, int columns, int positions, int chunk_size, int chunks)
{
    __local float left[2][STEP * LDA], right[2][STEP * TN];
    int id = (int)get_local_id(0), lane = id / COLUMNS, column = id % COLUMNS;
    int first_row = (int)get_group_id(0) * TM, first_o = (int)get_group_id(1) * TN;
    int bank = (int)get_group_id(2) / chunks, chunk = (int)get_group_id(2) % chunks;
    int first = chunk * chunk_size, last = min(first + chunk_size, positions), copy = 0;
    size_t voxels = (size_t)OD * OH * OW, in_voxels = (size_t)D * H * W;
    size_t blocks = (O + HF_BLOCK - 1) / HF_BLOCK;

    /* Left: with FIRST one position in 16 and many rows; else one four of channels under one tap, many positions. */
#if FIRST
    size_t sample = C * in_voxels;
    place from = place_at(first + id % STEP, OD, OH, OW);
#else
    size_t sample = (C + HF_BLOCK - 1) / HF_BLOCK * HF_BLOCK * in_voxels;
    int unit = first_row / HF_BLOCK + id / 4 % (TM / HF_BLOCK), block = unit / TAPS, tap = unit % TAPS;
    bool real = block < (C + HF_BLOCK - 1) / HF_BLOCK;
    size_t quarter = block * in_voxels * HF_BLOCK + id % 4 * 4;
    place from = place_at(first + id / (TM / 4), OD, OH, OW);
#endif
    x += bank * sample;

    /* Right: one four of output channels, many positions. */
    int o = first_o + id % (TN / 4) * 4;
    place grad = place_at(first + id / (TN / 4), OD, OH, OW);
    dy += (bank * blocks + o / HF_BLOCK) * voxels * HF_BLOCK + o % HF_BLOCK;

    float4 acc[4 * MA][NB];
#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++)
            acc[i][j] = (float4)(0.0f);

    for (int at = first; at < last; at += STEP) {
#pragma unroll
        for (int i = 0; i < NX; i++) {
            window start = window_at(from, last, stride, pad);
#if FIRST
            int row = first_row + id / STEP + i * (WG / STEP), c = row / TAPS;
            int offset = tap_at(start, row % TAPS, D, H, W);
            float value = c < C && offset >= 0 ? x[from.n * sample + c * in_voxels + offset] : 0.0f;
            left[copy][id % STEP * LDA + id / STEP + i * (WG / STEP)] = value;
#else
            int offset = tap_at(start, tap, D, H, W);
            float4 value = (float4)(0.0f);
            if (real && offset >= 0) value = vload4(0, x + from.n * sample + quarter + (size_t)offset * HF_BLOCK);
            vstore4(value, 0, left[copy] + (id / (TM / 4) + i * (WG / (TM / 4))) * LDA + id % (TM / 4) * 4);
            from = advance(from, WG / (TM / 4), OD, OH, OW);
#endif
        }
#if FIRST
        from = advance(from, STEP, OD, OH, OW);
#endif
#pragma unroll
        for (int i = 0; i < NR; i++) {
            float4 value = (float4)(0.0f);
            if (grad.index < last && o < (int)blocks * HF_BLOCK) {
                size_t voxel = grad.index - grad.n * voxels;
                value = vload4(0, dy + (grad.n * blocks * voxels + voxel) * HF_BLOCK);
            }
            vstore4(value, id + i * WG, right[copy]);
            grad = advance(grad, WG / (TN / 4), OD, OH, OW);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply(left[copy], right[copy], lane, column, acc);
        copy ^= 1;
    }

    part += (size_t)get_group_id(2) * rows * columns;
#pragma unroll
    for (int i = 0; i < 4 * MA; i++)
#pragma unroll
        for (int j = 0; j < NB; j++)
            vstore4(acc[i][j], 0,
                    part + (size_t)(first_row + row_of(lane, i)) * columns + first_o + column_of(column, j));
}

/* dw[s][o][c][tap] = sum over the chunks of part[s][chunk][row of c and tap][o] */
__attribute__((reqd_work_group_size(PACK_WG, 1, 1))) __kernel void conv3d_gpu_dw_sum(__global const float *part,
                                                                                     __global float *dw, int banks,
                                                                                     int C, int O, int rows,
                                                                                     int columns, int chunks)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)banks * O * C * TAPS) return;
    int o = (int)(i % O), tap = (int)(i / O % TAPS), c = (int)(i / O / TAPS % C);
    size_t s = i / O / TAPS / C;
#if FIRST
    int row = c * TAPS + tap;
#else
    int row = (c / HF_BLOCK * TAPS + tap) * HF_BLOCK + c % HF_BLOCK;
#endif
    part += (s * chunks * rows + row) * columns + o;
    float sum = 0.0f;
    for (int chunk = 0; chunk < chunks; chunk++)
        sum += part[(size_t)chunk * rows * columns];
    dw[((s * O + o) * C + c) * TAPS + tap] = sum;
}
