/* conv3d_gpu_winograd.cl: convolution for GPUs with fewer multiplications: 3x3x3 kernels, stride 1, forward and the
 * gradient by the input.
 *
 * Winograd's F(2x2x2, 3x3x3): along each axis 2 outputs come from 4 points instead of 6 products,
 *   y = A' [ sum over input channels of (G g) * (B' x) ]   per tile of 2x2x2 output voxels, * point by point:
 *       B' = 1  0 -1  0      G = 1    0   0       A' = 1  1  1  0
 *            0  1  1  0          1/2  1/2 1/2          0  1 -1 -1
 *            0 -1  1  0          1/2 -1/2 1/2
 *            0  1  0 -1          0    0   1
 * 8 multiplications an output voxel, input and output channel, instead of 27. Halves of small integers are exact in
 * float. conv3d_gpu_winograd_weights makes G g of all weights.
 *
 * A group owns a brick of 16 tiles and one block of 16 output channels: 64 points of 16 x 16 sums, a work-item
 * the 8 x 8 of one point in registers. A step takes 4 input channels. Their voxels lie in local memory; each work-item
 * reads two of the four planes of one tile and one channel, makes one plane of 16 points of them, so that no transform is
 * made twice, and puts it into local memory, [point][channel][tile]; the weights of the step lie beside it,
 * [point][channel][output]. The next voxels are on their way from global memory while a step is multiplied. Two groups
 * share a multiprocessor: one waits while the other multiplies. In the end the sums go through the same memory, half of
 * the tiles at a time, [point][tile][output], to the work-item that turns them back for one output channel and one plane.
 * Where voxels are missing, zeros are read and nothing is written. In local memory neighbours of what is read together
 * change places by point, channel or tile, and voxels of a row lie even ones first: that spreads the banks.
 *
 * TH  2  tiles of a brick along the height: 2 or 4
 * TW  4  along the width: 2 or 4; along the depth there are 16 / TH / TW, 2 or 4 */
#include "common.h"
#include "conv3d_gpu.h"

#ifndef TH
#define TH 2
#endif
#ifndef TW
#define TW 4
#endif

#define WG       256
#define TILES    16
#define POINTS   64
#define CHANNELS 4 /* of a step */
#define STEPS    (HF_BLOCK / CHANNELS)
#define VALUES   (POINTS * CHANNELS * TILES / 4) /* float4 of a step's tiles, and of its weights */
#define WEIGHTS  (POINTS * CHANNELS * QUARTER)
#define FILTERS  (HF_BLOCK * HF_BLOCK) /* of a pair of blocks */
#define TD       (TILES / TH / TW)
#define XD       (2 * TD + 2) /* voxels that a brick reads: depth, height, width */
#define XH       (2 * TH + 2)
#define XW       (2 * TW + 2)
#define VOXELS   (XD * XH * XW)
#define TURNS    ((VOXELS + WG - 1) / WG) /* float4 that a work-item moves in a step */
#define PACK_WG  64

/* G g along one axis of three taps, `step` apart in g and in the result. */
INLINE void transform_taps(const float *g, float *to, int from_step, int to_step)
{
    to[0] = g[0];
    to[to_step] = 0.5f * (g[0] + g[from_step] + g[2 * from_step]);
    to[2 * to_step] = 0.5f * (g[0] - g[from_step] + g[2 * from_step]);
    to[3 * to_step] = g[2 * from_step];
}

/* bank[bank][block of outputs][block of inputs][step][point][channel of the step][output] from weights [s][o][c][27].
 * count: of banks * blocks * blocks * 16 * 16. mirror: in w outputs and inputs change places, the taps run back. */
HF_GROUP(PACK_WG)
kernel void conv3d_gpu_winograd_weights(global const float *w, global float *bank, long count, int C, int O,
                                        int in_blocks, int out_blocks, int mirror)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)count) return;
    size_t unit = i / FILTERS, block = unit / in_blocks, s = block / out_blocks;
    int in = (int)(i / HF_BLOCK % HF_BLOCK), c = (int)(unit % in_blocks * HF_BLOCK) + in;
    int out = (int)(i % HF_BLOCK), o = (int)(block % out_blocks * HF_BLOCK) + out;
    float planes[4 * 9]; /* transformed along the depth */
#pragma unroll
    for (int t = 0; t < 9; t++) {
        float g[3];
#pragma unroll
        for (int d = 0; d < 3; d++) {
            int tap = d * 9 + t;
            size_t at = mirror ? ((s * C + c) * O + o) * 27 + 26 - tap : ((s * O + o) * C + c) * 27 + tap;
            g[d] = o < O && c < C ? w[at] : 0.0f;
        }
        transform_taps(g, planes + t, 1, 9);
    }
    bank += unit * POINTS * FILTERS + (in / CHANNELS * POINTS * CHANNELS + in % CHANNELS) * HF_BLOCK + out;
#pragma unroll
    for (int d = 0; d < 4; d++) {
        float rows[4 * 3];
#pragma unroll
        for (int x = 0; x < 3; x++)
            transform_taps(planes + 9 * d + x, rows + x, 3, 3);
#pragma unroll
        for (int y = 0; y < 4; y++) {
            float points[4];
            transform_taps(rows + 3 * y, points, 1, 1);
#pragma unroll
            for (int x = 0; x < 4; x++)
                bank[((4 * d + y) * 4 + x) * CHANNELS * HF_BLOCK] = points[x];
        }
    }
}

/* One row or column of B' x. */
INLINE void forward(float *a, float *b, float *c, float *d)
{
    float p = *a - *c, q = *b + *c, r = *c - *b, s = *b - *d;
    *a = p;
    *b = q;
    *c = r;
    *d = s;
}

/* One channel of the 4x4 voxels of a plane. */
INLINE void take(local const float *from, float plane[16])
{
#pragma unroll
    for (int i = 0; i < 16; i++)
        plane[i] = from[(i / 4 * XW + i % 2 * (XW / 2) + i % 4 / 2) * CHANNELS];
}

/* Makes plane `depth` of the points of a tile from its voxels and puts it into `to`. A row of B' along the depth has two
 * terms: 0 - 2, 1 + 2, 2 - 1, 1 - 3. */
INLINE void transform(local const float *voxels, local float *to, int depth, int channel, int tile)
{
    float plane[16], other[16];
    voxels += ((tile / TW / TH * 2 * XH + tile / TW % TH * 2) * XW + tile % TW) * CHANNELS + channel;
    take(voxels + (depth == 0 ? 0 : depth == 2 ? 2 : 1) * XH * XW * CHANNELS, plane);
    take(voxels + (depth == 3 ? 3 : depth == 2 ? 1 : 2) * XH * XW * CHANNELS, other);
    float sign = depth == 1 ? 1.0f : -1.0f;
#pragma unroll
    for (int i = 0; i < 16; i++)
        plane[i] += sign * other[i];
#pragma unroll
    for (int i = 0; i < 4; i++)
        forward(&plane[i], &plane[4 + i], &plane[8 + i], &plane[12 + i]);
#pragma unroll
    for (int i = 0; i < 4; i++)
        forward(&plane[4 * i], &plane[4 * i + 1], &plane[4 * i + 2], &plane[4 * i + 3]);
    to += (16 * depth * CHANNELS + channel) * TILES;
    int even = tile ^ 8 * (channel / 2), odd = even ^ 4;
#pragma unroll
    for (int p = 0; p < 16; p++)
        to[p * CHANNELS * TILES + (p % 2 ? odd : even)] = plane[p];
}

/* acc [8 tiles][8 outputs] += products of a step, for one point: values [channel][TILES], weights [channel][16]. */
INLINE void multiply(local const float4 *values, local const float4 *weights, int tiles, int outputs, float4 acc[8][2])
{
#pragma unroll 1
    for (int c = 0; c < CHANNELS; c++) {
        int at = c * (TILES / 4) + (tiles ^ 2 * (c / 2)), from = c * QUARTER + outputs;
        float4 a = values[at], b = values[at ^ 1], v = weights[from], w = weights[from ^ 1];
        float left[8] = { a.s0, a.s1, a.s2, a.s3, b.s0, b.s1, b.s2, b.s3 };
#pragma unroll
        for (int t = 0; t < 8; t++) {
            acc[t][0] += left[t] * v;
            acc[t][1] += left[t] * w;
        }
    }
}

/* A' of a plane of 4x4 sums: to [2][2]. */
INLINE void back(const float m[16], float to[4])
{
    float rows[2][4];
#pragma unroll
    for (int x = 0; x < 4; x++) {
        rows[0][x] = m[x] + m[4 + x] + m[8 + x];
        rows[1][x] = m[4 + x] - m[8 + x] - m[12 + x];
    }
#pragma unroll
    for (int y = 0; y < 2; y++) {
        to[2 * y] = rows[y][0] + rows[y][1] + rows[y][2];
        to[2 * y + 1] = rows[y][1] - rows[y][2] - rows[y][3];
    }
}

/* Where voxel i of a brick's lies in local memory. */
INLINE int place(int i)
{
    return i / XW * XW + i % 2 * (XW / 2) + i % XW / 2;
}

/* Turns sums back and writes them. A work-item does it for output o of a tile, of the 8 that lie in memory at a time, and
 * one plane. A row of A' has three terms: 0 + 1 + 2, 1 - 2 - 3. to: sample and first output voxel of the brick. */
INLINE void finish(global float *y, global const float *tail, local float4 *memory, int me, int4 to, int out_blocks,
                   int block, int OD, int OH, int OW, int relu, float4 acc[8][2])
{
    int point = me / 4, tiles = me / 2 % 2, half8 = me % 2, odd = point % 2;
    int o = me % HF_BLOCK, seat = me / HF_BLOCK % 8, plane = me / HF_BLOCK / 8;
    float bias = tail[o], sign = plane ? -1.0f : 1.0f;
#pragma unroll
    for (int round = 0; round < 2; round++) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int t = 0; t < 4; t++) {
            local float4 *sums = memory + (point * 8 + 4 * tiles + (t ^ tiles)) * QUARTER;
            sums[2 * half8 ^ odd] = acc[4 * round + t][0];
            sums[2 * half8 ^ odd ^ 1] = acc[4 * round + t][1];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        local const float *sums = (local const float *)memory + (seat ^ seat / 4) * HF_BLOCK;
        float m[16], result[4];
#pragma unroll
        for (int p = 0; p < 16; p++) {
            local const float *sum = sums + p * 8 * HF_BLOCK + (o ^ 4 * (p % 2));
            m[p] = sum[16 * 8 * HF_BLOCK] + sign * (sum[32 * 8 * HF_BLOCK] + sum[plane * 48 * 8 * HF_BLOCK]);
        }
        back(m, result);
        int tile = seat / 4 * 8 + 4 * round + seat % 4, d = to.s1 + tile / TW / TH * 2 + plane;
        int h = to.s2 + tile / TW % TH * 2, w = to.s3 + tile % TW * 2;
        global float *at = y + ((size_t)(((to.s0 * out_blocks + block) * OD + d) * OH + h) * OW + w) * HF_BLOCK + o;
#pragma unroll
        for (int k = 0; k < 4; k++)
            if (d < OD && h + k / 2 < OH && w + k % 2 < OW) {
                float value = result[k] + bias;
                at[(k / 2 * OW + k % 2) * HF_BLOCK] = relu && value <= 0.0f ? 0.0f : value;
            }
    }
}

/* Groups: bricks of a bank's samples, blocks of outputs, banks. D, H, W: what is read; OD, OH, OW: what is written.
 * tail: 16 zeros, then the biases, bank_bias blocks from one bank's to the next, 0 when shared. */
HF_GROUP(WG)
kernel void conv3d_gpu_winograd(global const float4 *x, global const float4 *bank, global const float *tail,
                                global float *y, int in_blocks, int out_blocks, int samples, int D, int H, int W,
                                int OD, int OH, int OW, int pad, int bank_bias, int relu)
{
    local float4 memory[VALUES + WEIGHTS], voxels[VOXELS];
    volatile local int4 corner;        /* sample and first output voxel of the brick, */
    volatile local int self[WG];       /* work-items, */
    volatile local int at[TURNS * WG]; /* where a voxel lies in x, -1 where there is none. */
    int id = (int)get_local_id(0), block = (int)get_group_id(1), set = (int)get_group_id(2);
    int wide = (OW + 2 * TW - 1) / (2 * TW), high = (OH + 2 * TH - 1) / (2 * TH);
    int deep = (OD + 2 * TD - 1) / (2 * TD), brick = (int)get_group_id(0);
    int n = brick / wide / high / deep + set * samples;
    int d0 = brick / wide / high % deep * 2 * TD, h0 = brick / wide % high * 2 * TH, w0 = brick % wide * 2 * TW;

#pragma unroll
    for (int t = 0; t < TURNS; t++) {
        int i = id + t * WG, d = d0 - pad + i / (XH * XW), h = h0 - pad + i / XW % XH, w = w0 - pad + i % XW;
        bool in = i < VOXELS && d >= 0 && d < D && h >= 0 && h < H && w >= 0 && w < W;
        int from = in ? ((n * in_blocks * D + d) * H + h) * W + w : -1;
        if (i < VOXELS) voxels[place(i)] = in ? x[(size_t)from * QUARTER] : (float4)(0.0f);
        at[i] = from;
    }
    if (id == 0) corner = (int4)(n, d0, h0, w0);
    self[id] = id;
    bank += ((size_t)set * out_blocks + block) * in_blocks * STEPS * WEIGHTS + id;

    float4 acc[8][2];
#pragma unroll
    for (int t = 0; t < 8; t++)
        acc[t][0] = acc[t][1] = (float4)(0.0f);
#pragma unroll 1
    for (int step = 1; step <= in_blocks * STEPS; step++) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < WEIGHTS / WG; i++)
            memory[VALUES + ((id + i * WG) ^ (id / 16 % 2))] = bank[i * WG];
        bank += WEIGHTS;
        int me = self[id];
        transform((local const float *)voxels, (local float *)memory, me / 64, me % CHANNELS, me / CHANNELS % TILES);
        barrier(CLK_LOCAL_MEM_FENCE);
        float4 next[TURNS];
        x += step % STEPS ? 1 : (size_t)D * H * W * QUARTER - (STEPS - 1);
#pragma unroll
        for (int t = 0; t < TURNS; t++) {
            int from = at[id + t * WG];
            next[t] = from >= 0 && step < in_blocks * STEPS ? x[(size_t)from * QUARTER] : (float4)(0.0f);
        }
        me = self[id];
        int point = me / 4, tiles = me / 2 % 2, half8 = me % 2, odd = point % 2;
        multiply(memory + point * (CHANNELS * TILES / 4), memory + VALUES + point * CHANNELS * QUARTER, 2 * tiles ^ odd,
                 2 * half8 ^ odd, acc);
#pragma unroll
        for (int t = 0; t < TURNS; t++)
            if (me + t * WG < VOXELS) voxels[place(me + t * WG)] = next[t];
    }

    finish(y, tail + (set * bank_bias + block + 1) * HF_BLOCK, memory, self[id], corner, out_blocks, block, OD, OH, OW, relu,
           acc);
}
