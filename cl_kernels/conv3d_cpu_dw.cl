/* conv3d_cpu_dw.cl: weight gradients of a 3D convolution for CPUs, one work-item a group.
 *
 *   dw[o,c,t] = sum over n,p of dy[n,o,p] * x[n,c,p*STRIDE + t - pad], or one such bank for each n
 *
 * A vector is 16 output channels. The rows (n,d,h) of dy are cut into chunks whose size depends on the problem alone; a
 * group sums one chunk for one pair of channel blocks. With one chunk its sum is the result; partial results of several
 * are added by conv3d_cpu_sum.cl. Inside a group a tile of weights stays in registers while positions stream past it:
 * outer products of 16 output channels with input channels and taps. Positions of which some tap of a tile falls
 * outside the volume come apart from the others.
 *
 *   partial[set][chunk][O/16][C/16][K^3][16c][16o]     (set: a sample, or the one for all)
 *
 * TAPS    3: a tile is eight input channels by the three taps of a row, K must be 3;
 *         1: sixteen input channels by one tap, any K
 * STRIDE  voxels of x between neighbours of dy, 1 or 2 */
#include "common.h"
#include "transpose.h"

#ifndef TAPS
#define TAPS 3
#endif
#ifndef STRIDE
#define STRIDE 1
#endif

#define CHANNELS     (TAPS == 3 ? 8 : 16)
#define PORTION      27 /* taps that are summed before their sums are written: all of K = 3 */
#define EACH_TAP     _Pragma("unroll") for (int k = 0; k < TAPS; ++k)
#define EACH_CHANNEL _Pragma("unroll") for (int c = 0; c < CHANNELS; ++c)

/* The rows of dy that a group sums and what it reads them from. */
typedef struct rows {
    global const float *x;      /* first voxel of the input block in sample 0 */
    global const float16 *dy;   /* and of the output block */
    size_t x_sample, dy_sample; /* from sample to sample, in elements of each */
    int D, H, W, OD, OH, OW, K, pad;
} rows;

/* Adds the products of the rows begin..end-1 to the tile of weights at `to`: tap `tap` and those after it, channels
 * from `channel` on. */
HF_INLINE void add_rows(const rows *r, int begin, int end, int tap, int channel, float16 *to)
{
    const int kd = tap / (r->K * r->K), kh = tap / r->K % r->K, kw = tap % r->K, left = r->pad - kw;
    const int last = r->W - TAPS + left, OW = r->OW;
    const int from = min(OW, max(0, (left + STRIDE - 1) / STRIDE));
    const int past = max(from, min(OW, last < 0 ? 0 : last / STRIDE + 1));
    int oh = begin % r->OH, od = begin / r->OH % r->OD;
    size_t n = begin / (r->OH * r->OD);
    /* a tile of one tap is done with a voxel so soon that memory must be asked early */
    const long ahead = (STRIDE > 1 ? STRIDE * r->W : 16) * HF_BLOCK;
    float16 sum[TAPS][CHANNELS];
    EACH_TAP EACH_CHANNEL sum[k][c] = to[k * HF_BLOCK + c];
    for (int row = begin; row < end; ++row) {
        const int h = oh * STRIDE + kh - r->pad, d = od * STRIDE + kd - r->pad;
        global const float16 *g = r->dy + n * r->dy_sample + (size_t)(od * r->OH + oh) * OW;
        global const float *line = r->x + n * r->x_sample + ((long)d * r->H + h) * r->W * HF_BLOCK + channel;
        const bool there = h >= 0 && h < r->H && d >= 0 && d < r->D;
        if (++oh == r->OH) {
            oh = 0;
            if (++od == r->OD) od = 0, ++n;
        }
        if (!there) continue;
        global const float *p = line + (long)(from * STRIDE - left) * HF_BLOCK;
        for (int i = from; i < past; ++i, p += STRIDE * HF_BLOCK) {
            const float16 g0 = g[i];
            if (TAPS == 1) HF_PREFETCH(p + ahead);
            EACH_CHANNEL EACH_TAP sum[k][c] += p[k * HF_BLOCK + c] * g0;
        }
#if TAPS > 1
        for (int i = from ? 0 : past; i < OW; i = i + 1 == from ? past : i + 1) {
            const float16 g0 = g[i];
            EACH_TAP
            {
                const int w = i * STRIDE - left + k;
                if (w < 0 || w >= r->W) continue;
                EACH_CHANNEL sum[k][c] += line[w * HF_BLOCK + c] * g0;
            }
        }
#endif
    }
    EACH_TAP EACH_CHANNEL to[k * HF_BLOCK + c] = sum[k][c];
}

/* Writes the sums of a pair of channel blocks to where their weights are, dw pointing to the first: `outputs` by
 * `channels` of them, C channels from output to output. */
HF_INLINE void write_weights(const float16 *sums, global float *dw, int taps, int channels, int outputs, int C)
{
    for (int t = 0; t < channels * taps; t += HF_BLOCK) {
        float16 v[HF_BLOCK];
#pragma unroll
        for (int i = 0; i < HF_BLOCK; ++i) {
            const int at = min(t + i, channels * taps - 1);
            v[i] = sums[at % taps * HF_BLOCK + at / taps];
        }
        hf_transpose16(v);
        hf_store_rows(v, dw + t, (size_t)C * taps, outputs, channels * taps - t);
    }
}

/* x [N][C/16][D,H,W][16], dy [N][O/16][OD,OH,OW][16], dw [sets][O,C,K^3], written when a set has one chunk and K is at
 * most 3. Rows of dy are numbered through n,d,h; a set has set_rows of them, a chunk chunk_rows, of which sweep_rows at
 * a time are swept by all tiles, so that they stay in the cache. Groups: chunks of a set along chunk_axis, 0 or 1,
 * O/16 * C/16 along the other, sets. */
HF_GROUP(1)
kernel void conv3d_dw_chunk(global const float *restrict x, global const float16 *restrict dy,
                            global float16 *restrict partial, global float *restrict dw, int C, int O, int D, int H,
                            int W, int OD, int OH, int OW, int K, int pad, int set_rows, int chunk_rows, int sweep_rows,
                            int chunk_axis, int direct)
{
    const int c_blocks = (C + HF_BLOCK - 1) / HF_BLOCK, o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    const int chunk = get_group_id(chunk_axis), pair = get_group_id(1 - chunk_axis);
    const int o = pair / c_blocks, c = pair % c_blocks;
    const int channels = min(HF_BLOCK, C - c * HF_BLOCK), outputs = min(HF_BLOCK, O - o * HF_BLOCK), taps = K * K * K;
    const size_t set = get_group_id(2), in_voxels = (size_t)D * H * W, out_voxels = (size_t)OD * OH * OW;
    const int first = set * set_rows, begin = first + chunk * chunk_rows;
    const int end = min(first + set_rows, begin + chunk_rows);
    const rows r = { x + c * in_voxels * HF_BLOCK,
                     dy + o * out_voxels,
                     c_blocks * in_voxels * HF_BLOCK,
                     o_blocks * out_voxels,
                     D,
                     H,
                     W,
                     OD,
                     OH,
                     OW,
                     K,
                     pad };
    float16 sums[PORTION * HF_BLOCK];
    partial += ((set * get_num_groups(chunk_axis) + chunk) * c_blocks * o_blocks + pair) * taps * HF_BLOCK;
    for (int done = 0; done < taps; done += PORTION) {
        const int count = min(PORTION, taps - done);
        for (int i = 0; i < count * HF_BLOCK; ++i)
            sums[i] = 0;
        for (int row = begin; row < end; row += sweep_rows)
            for (int tap = 0; tap < count; tap += TAPS)
                for (int channel = 0; channel < channels; channel += CHANNELS)
                    add_rows(&r, row, min(end, row + sweep_rows), done + tap, channel, sums + tap * HF_BLOCK + channel);
        if (direct)
            write_weights(sums, dw + ((set * O + o * HF_BLOCK) * C + c * HF_BLOCK) * taps, taps, channels, outputs, C);
        else
            for (int i = 0; i < count * HF_BLOCK; ++i)
                partial[done * HF_BLOCK + i] = sums[i];
    }
}
