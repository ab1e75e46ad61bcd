/* conv3d_cpu_dw.cl: partial weight gradients of a stride-1 3D convolution for CPUs, one work-item a group.
 *
 *   dw[o,c,kd,kh,kw] = sum over n,d,h,w of dy[n,o,d,h,w] * x[n,c,d+kd-pad,h+kh-pad,w+kw-pad]
 *
 * or one such bank for each n. A vector is 16 output channels. The rows (n,d,h) of dy are cut into chunks whose size
 * depends on the problem alone; a group sums one chunk for one pair of channel blocks, and conv3d_cpu_sum.cl adds the
 * partial results. Inside a group a tile of weights stays in registers while positions stream past it: outer products
 * of 16 output channels with input channels and taps.
 *
 *   partial[set][chunk][O/16][C/16][K^3][16c][16o]     (set: a sample, or the one for all)
 *
 * TAPS  3: a tile is eight input channels by the three taps of a row, K must be 3;
 *       1: sixteen input channels by one tap, any K */
#include "common.h"

#ifndef TAPS
#define TAPS 3
#endif

#if TAPS == 3
#define CHANNELS 8
#define EACH(M)  M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#else
#define CHANNELS 16
#define EACH(M)  M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#endif

/* Registers of a tile: a<c> for tap kw, with TAPS 3 also b<c> and d<c> for the two taps after it. */
#if TAPS == 3
#define LOAD(c)  float16 a##c = to[c], b##c = to[c + HF_BLOCK], d##c = to[c + 2 * HF_BLOCK];
#define STORE(c) to[c] = a##c, to[c + HF_BLOCK] = b##c, to[c + 2 * HF_BLOCK] = d##c;
#define MULTIPLY(c)                                                                                                    \
    {                                                                                                                  \
        const float s = p[c];                                                                                          \
        a##c += s * g0;                                                                                                \
        b##c += s * g1;                                                                                                \
        d##c += s * g2;                                                                                                \
    }
#else
#define LOAD(c)     float16 a##c = to[c];
#define STORE(c)    to[c] = a##c;
#define MULTIPLY(c) a##c += p[c] * g0;
#endif

/* x [N][C/16][D,H,W][16], dy [N][O/16][OD,OH,OW][16]. Rows of dy are numbered through n,d,h; a set has set_rows of
 * them, a chunk chunk_rows, of which block_rows at a time are swept by all tiles, so that they stay in the cache.
 * Groups: chunks of a set, O/16 * C/16, sets. */
HF_GROUP(1)
kernel void conv3d_dw_chunk(global const float *restrict x, global const float16 *restrict dy,
                            global float16 *restrict partial, int C, int O, int D, int H, int W, int OD, int OH, int OW,
                            int K, int pad, int set_rows, int chunk_rows, int block_rows)
{
    const int c_blocks = (C + HF_BLOCK - 1) / HF_BLOCK, o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK;
    const int o = get_group_id(1) / c_blocks, c = get_group_id(1) % c_blocks;
    const int channels = min(HF_BLOCK, C - c * HF_BLOCK), taps = K * K * K;
    const int begin = get_group_id(0) * chunk_rows, end = min(set_rows, begin + chunk_rows);
    const size_t set = get_group_id(2);
    partial += ((set * get_num_groups(0) + get_group_id(0)) * get_num_groups(1) + get_group_id(1)) * taps * HF_BLOCK;
    for (int i = 0; i < taps * HF_BLOCK; ++i)
        partial[i] = 0;
    for (int block = begin; block < end; block += block_rows) {
        const int block_end = min(end, block + block_rows);
        for (int tile = 0; tile < taps / TAPS * (HF_BLOCK / CHANNELS); ++tile) {
            const int tap = tile / (HF_BLOCK / CHANNELS) * TAPS, half_block = tile % (HF_BLOCK / CHANNELS) * CHANNELS;
            const int kd = tap / (K * K), kh = tap / K % K;
            if (half_block >= channels) continue;
            global float16 *to = partial + tap * HF_BLOCK + half_block;
            EACH(LOAD)
            for (int row = block; row < block_end; ++row) {
                const size_t line = set * set_rows + row;
                const int oh = line % OH, h = oh + kh - pad, od = line / OH % OD, d = od + kd - pad;
                const size_t n = line / OH / OD;
                if (d < 0 || d >= D || h < 0 || h >= H) continue;
                global const float *p = x + (((n * c_blocks + c) * D + d) * H + h) * W * HF_BLOCK + half_block;
                global const float16 *g = dy + (((n * o_blocks + o) * OD + od) * OH + oh) * OW;
#if TAPS == 3
                /* position i of x meets dy at i+pad, i+pad-1, i+pad-2 through taps 0, 1, 2; outside dy
                 * is zero, so an infinite x at the end of a row makes its neighbours' taps NaN as well */
                float16 g1 = pad >= 1 && pad <= OW ? g[pad - 1] : 0, g2 = pad >= 2 && pad <= OW + 1 ? g[pad - 2] : 0;
                const int inside = min(W, OW - pad);
                int i = 0;
                for (; i < inside; ++i, p += HF_BLOCK) {
                    const float16 g0 = g[i + pad];
                    EACH(MULTIPLY)
                    g2 = g1;
                    g1 = g0;
                }
                for (; i < W; ++i, p += HF_BLOCK) {
                    const float16 g0 = 0;
                    EACH(MULTIPLY)
                    g2 = g1;
                    g1 = g0;
                }
#else
                const int kw = tap % K, from = max(0, pad - kw), past = min(OW, W + pad - kw);
                p += (from + kw - pad) * HF_BLOCK;
                for (int i = from; i < past; ++i, p += HF_BLOCK) {
                    const float16 g0 = g[i];
                    EACH(MULTIPLY)
                }
#endif
            }
            EACH(STORE)
        }
    }
}
