/* conv3d_gpu_pack.cl: weights and bias as the convolution kernels for GPUs read them, and lists of taps.
 *
 * The bank is [bank][block of 16 outputs][block of `step` inputs][tap][input in the block][16 outputs]: what one group
 * needs of it is contiguous, and 64 bytes aligned. Channels that do not exist have zeros. */
#include "common.h"

#define WG 64

/* C and O count the channels that enter and leave the product. mirror: in w they are outputs and inputs, and the taps
 * run backwards, as the gradient by the input wants it. */
HF_GROUP(WG)
kernel void conv3d_gpu_pack(global const float *w, global float *bank, long count, int C, int O, int in_blocks,
                            int out_blocks, int step, int taps, int mirror)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)count) return;
    size_t row = i / HF_BLOCK, unit = row / step;
    int tap = (int)(unit % taps), c = (int)(unit / taps % in_blocks) * step + (int)(row % step);
    int o = (int)(unit / taps / in_blocks % out_blocks) * HF_BLOCK + (int)(i % HF_BLOCK);
    size_t s = unit / taps / in_blocks / out_blocks;
    float value = 0.0f;
    if (o < O && c < C)
        value = mirror ? w[((s * C + c) * O + o) * taps + (taps - 1 - tap)] : w[((s * O + o) * C + c) * taps + tap];
    bank[i] = value;
}

/* tail = 16 zeros, then [bank][columns] biases, zero where there are none. */
HF_GROUP(WG)
kernel void conv3d_gpu_pack_bias(global const float *bias, global float *tail, int banks, int O, int columns,
                                 int has_bias)
{
    int i = (int)get_global_id(0) - HF_BLOCK;
    if (i >= banks * columns) return;
    int s = i / columns, o = i % columns;
    tail[i + HF_BLOCK] = has_bias && i >= 0 && o < O ? bias[s * O + o] : 0.0f;
}

/* What a class of voxels meets in one dimension: `count` taps of the bank from `tap` on, `step` apart, the first of
 * them at input p + low. The bank's taps run forwards; pad is the padding as the gradient by the input sees it. */
typedef struct {
    int count, tap, low;
} taps_met;

static taps_met meet(int class, int K, int pad, int step)
{
    taps_met met = { 0, 0, 0 };
    int first = (class + pad) % step, last = first + (K - 1 - first) / step * step;
    if (first >= K) return met;
    met.count = (last - first) / step + 1;
    met.tap = K - 1 - last;
    met.low = (class + pad - last) / step;
    return met;
}

/* For conv3d_gpu_direct. classes[step^3]: where the first tap lies (depth, height, width), and how many units there
 * are. units[step^3][most]: a unit's number in the bank; the bits that the mask of a voxel must have; how far behind
 * the first tap it lies, in voxels. D, H, W: what is read. */
HF_GROUP(WG)
kernel void conv3d_gpu_units(global int4 *classes, global int4 *units, int in_blocks, int K, int pad, int step, int D,
                             int H, int W, int most)
{
    int i = (int)get_global_id(0), class = i / most, unit = i % most;
    if (class >= step * step * step) return;
    taps_met d = meet(class / step / step, K, pad, step), h = meet(class / step % step, K, pad, step);
    taps_met w = meet(class % step, K, pad, step);
    int taps = d.count * h.count * w.count;
    if (unit == 0) classes[class] = (int4)(d.low, h.low, w.low, taps * in_blocks);
    if (unit >= taps * in_blocks) return;
    int block = unit / taps, td = unit % taps / w.count / h.count, th = unit % taps / w.count % h.count;
    int tw = unit % taps % w.count;
    int tap = ((d.tap + td * step) * K + h.tap + th * step) * K + w.tap + tw * step;
    units[i] = (int4)(block * K * K * K + tap, 1 << td | 1 << (7 + th) | 1 << (14 + tw),
                      (block * D + td) * H * W + th * W + tw, 0);
}
