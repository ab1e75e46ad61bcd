/* conv3d_gpu_winograd.cl: convolution for GPUs with fewer multiplications: 3x3x3 kernels, stride 1, forward and the
 * gradient by the input.
 *
 * Height and width by Winograd's F(2x2, 3x3), depth directly. With n the input channels and t the 3 taps of the depth,
 *   y = A' [ sum over n, t of (G g G') * (B' x B) ] A      per tile of 2x2 output voxels, * element by element:
 *       B' = 1  0 -1  0      G = 1    0   0       A' = 1  1  1  0
 *            0  1  1  0          1/2  1/2 1/2          0  1 -1 -1
 *            0 -1  1  0          1/2 -1/2 1/2
 *            0  1  0 -1          0    0   1
 * 12 multiplications an output voxel, input and output channel, instead of 27. Halves and quarters of small integers
 * are exact in float. conv3d_gpu_winograd_weights makes G g G' of all weights.
 *
 * A group owns TILES = 32 tiles and one block of 16 output channels: 16 points of 32 x 16 sums, a work-item the 8 x 8 of
 * one point in registers. A step takes 16 input channels under one tap of the depth: each work-item turns 4 channels of
 * one tile into 16 points and puts them into local memory, [point][channel][tile]; the weights of the step lie beside
 * them, [point][channel][output]. The next tiles are on their way from global memory while a step is multiplied. In the
 * end the sums go through the same memory, [point][tile][output], to the work-item that turns them back. Tiles are
 * counted through the samples of a bank; where voxels are missing, zeros are read and nothing is written. */
#include "common.h"
#include "conv3d_gpu.h"

#define WG      128
#define TILES   32
#define POINTS  16
#define VALUES  (POINTS * 16 * TILES / 4) /* float4 of a step's tiles, and of its weights */
#define WEIGHTS (POINTS * 16 * QUARTER)
#define PACK_WG 64

/* bank[bank][block of outputs][block of inputs][tap of the depth][point][input][output] from weights [s][o][c][27].
 * count: of banks * blocks * blocks * 3 * 16 * 16. mirror: in w outputs and inputs change places, the taps run back. */
HF_GROUP(PACK_WG)
kernel void conv3d_gpu_winograd_weights(global const float *w, global float *bank, long count, int C, int O,
                                        int in_blocks, int out_blocks, int mirror)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)count) return;
    size_t unit = i / (HF_BLOCK * HF_BLOCK), block = unit / 3 / in_blocks, s = block / out_blocks;
    int c = (int)(unit / 3 % in_blocks * HF_BLOCK + i / HF_BLOCK % HF_BLOCK), td = (int)(unit % 3);
    int o = (int)(block % out_blocks * HF_BLOCK + i % HF_BLOCK);
    float rows[4][3]; /* G g */
    for (int x = 0; x < 3; x++) {
        float g[3];
        for (int y = 0; y < 3; y++) {
            int tap = (td * 3 + y) * 3 + x;
            size_t at = mirror ? ((s * C + c) * O + o) * 27 + 26 - tap : ((s * O + o) * C + c) * 27 + tap;
            g[y] = o < O && c < C ? w[at] : 0.0f;
        }
        rows[0][x] = g[0];
        rows[1][x] = 0.5f * (g[0] + g[1] + g[2]);
        rows[2][x] = 0.5f * (g[0] - g[1] + g[2]);
        rows[3][x] = g[2];
    }
    bank += unit * POINTS * HF_BLOCK * HF_BLOCK + i % (HF_BLOCK * HF_BLOCK);
    for (int y = 0; y < 4; y++) {
        bank[(4 * y) * HF_BLOCK * HF_BLOCK] = rows[y][0];
        bank[(4 * y + 1) * HF_BLOCK * HF_BLOCK] = 0.5f * (rows[y][0] + rows[y][1] + rows[y][2]);
        bank[(4 * y + 2) * HF_BLOCK * HF_BLOCK] = 0.5f * (rows[y][0] - rows[y][1] + rows[y][2]);
        bank[(4 * y + 3) * HF_BLOCK * HF_BLOCK] = rows[y][2];
    }
}

/* The 4x4 voxels of a tile: 4 channels from x on, at its first voxel; bit 4y+x of mask: the voxel exists. */
INLINE void fetch(global const float4 *x, int W, int mask, float4 tile[16])
{
#pragma unroll
    for (int y = 0; y < 4; y++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            tile[4 * y + i] = mask & 1 << (4 * y + i) ? x[(y * W + i) * QUARTER] : (float4)(0.0f);
}

/* One row or column of B' x. */
INLINE void forward(float4 *a, float4 *b, float4 *c, float4 *d)
{
    float4 p = *a - *c, q = *b + *c, r = *c - *b, s = *b - *d;
    *a = p;
    *b = q;
    *c = r;
    *d = s;
}

/* Puts the points of a tile, channels 4 * quarter to + 3, into `to` [point][channel][TILES]. Groups of 8 tiles change
 * places by quarter, which spreads the banks. */
INLINE void keep(local float *to, float4 tile[16], int index, int quarter)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        forward(&tile[i], &tile[4 + i], &tile[8 + i], &tile[12 + i]);
#pragma unroll
    for (int i = 0; i < 4; i++)
        forward(&tile[4 * i], &tile[4 * i + 1], &tile[4 * i + 2], &tile[4 * i + 3]);
    to += 4 * quarter * TILES + (index ^ 8 * quarter);
#pragma unroll
    for (int p = 0; p < POINTS; p++) {
        to[16 * p * TILES] = tile[p].s0;
        to[(16 * p + 1) * TILES] = tile[p].s1;
        to[(16 * p + 2) * TILES] = tile[p].s2;
        to[(16 * p + 3) * TILES] = tile[p].s3;
    }
}

/* acc [8 tiles][8 outputs] += products of a step, for one point: values [channel][TILES], weights [channel][16]. */
INLINE void multiply(local const float4 *values, local const float4 *weights, int tiles, float4 acc[8][2])
{
#pragma unroll 1
    for (int q = 0; q < QUARTER; q++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            local const float4 *value = values + (4 * q + e) * (TILES / 4) + (tiles ^ q) * 2;
            float4 a = value[0], b = value[1], v = weights[(4 * q + e) * QUARTER],
                   w = weights[(4 * q + e) * QUARTER + 1];
            float left[8] = { a.s0, a.s1, a.s2, a.s3, b.s0, b.s1, b.s2, b.s3 };
#pragma unroll
            for (int t = 0; t < 8; t++) {
                acc[t][0] += left[t] * v;
                acc[t][1] += left[t] * w;
            }
        }
}

/* Groups: tiles of a bank's samples, blocks of outputs, banks. D, H, W: what is read; OD, OH, OW: what is written.
 * tail: 16 zeros, then the biases, bank_bias blocks from one bank's to the next, 0 when shared. */
HF_GROUP(WG)
kernel void conv3d_gpu_winograd(global const float4 *x, global const float4 *bank, global const float4 *tail,
                                global float4 *y, int in_blocks, int out_blocks, int samples, int D, int H, int W,
                                int OD, int OH, int OW, int pad, int bank_bias, int relu)
{
    local float4 memory[VALUES + WEIGHTS];
    int id = (int)get_local_id(0), tile = id / 4, quarter = id % 4;
    int block = (int)get_group_id(1), set = (int)get_group_id(2);
    int wide = (OW + 1) / 2, high = (OH + 1) / 2, index = (int)get_group_id(0) * TILES + tile;
    int n = index / wide / high / OD, d = index / wide / high % OD, h = index / wide % high * 2, w = index % wide * 2;
    bool real = n < samples;
    n += set * samples;

    int rows = exists(h - pad, H), columns = real ? exists(w - pad, W) & 15 : 0, mask = 0;
#pragma unroll
    for (int i = 0; i < 4; i++)
        mask |= rows & 1 << i ? columns << 4 * i : 0;
    int at = (n * in_blocks * D + d - pad) * H * W + (h - pad) * W + w - pad, steps = 3 * in_blocks;
    bank += ((size_t)set * out_blocks + block) * steps * WEIGHTS;

    float4 acc[8][2], next[16];
#pragma unroll
    for (int t = 0; t < 8; t++)
        acc[t][0] = acc[t][1] = (float4)(0.0f);
    fetch(x + (size_t)at * QUARTER + quarter, W, d - pad >= 0 && d - pad < D ? mask : 0, next);
    int point = id / 8, tiles = id / 2 % 4, half8 = id % 2;
#pragma unroll 1
    for (int step = 0; step < steps; step++) {
        keep((local float *)memory, next, tile, quarter);
#pragma unroll
        for (int i = 0; i < WEIGHTS / WG; i++)
            memory[VALUES + id + i * WG] = bank[step * WEIGHTS + id + i * WG];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (step + 1 < steps) {
            int from_block = (step + 1) / 3, td = (step + 1) % 3, from_d = d - pad + td;
            fetch(x + (size_t)(at + (from_block * D + td) * H * W) * QUARTER + quarter, W,
                  from_d >= 0 && from_d < D ? mask : 0, next);
        }
        multiply(memory + point * (VALUES / POINTS), memory + VALUES + point * (WEIGHTS / POINTS) + 2 * half8, tiles,
                 acc);
        barrier(CLK_LOCAL_MEM_FENCE);
    }

#pragma unroll
    for (int t = 0; t < 8; t++) {
        memory[(point * TILES + 8 * tiles + t) * QUARTER + 2 * half8] = acc[t][0];
        memory[(point * TILES + 8 * tiles + t) * QUARTER + 2 * half8 + 1] = acc[t][1];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (!real) return;
    float4 sums[4][2]; /* [row of points][column of the result] */
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float4 m[4];
#pragma unroll
        for (int j = 0; j < 4; j++)
            m[j] = memory[((4 * i + j) * TILES + tile) * QUARTER + quarter];
        sums[i][0] = m[0] + m[1] + m[2];
        sums[i][1] = m[1] - m[2] - m[3];
    }
    float4 bias = tail[(set * bank_bias + block + 1) * QUARTER + quarter];
    y += (((size_t)(n * out_blocks + block) * OD + d) * OH * OW + h * OW + w) * QUARTER + quarter;
#pragma unroll
    for (int j = 0; j < 2; j++) {
        if (w + j >= OW) continue;
        y[j * QUARTER] = activate(sums[0][j] + sums[1][j] + sums[2][j] + bias, relu);
        if (h + 1 < OH) y[(OW + j) * QUARTER] = activate(sums[1][j] - sums[2][j] - sums[3][j] + bias, relu);
    }
}
