/* conv3d_cpu_wide.cl: 3D convolution and its input gradient for CPUs where weights are many and voxels few. A group
 * arranges the weights of OUT blocks of output channels for itself and uses them up, for all positions and samples,
 * while they are in its core's cache, before it goes on to the next; macros and how rows are computed are those of
 * conv3d_cpu_rows.h. One work-item a group. */
#include "conv3d_cpu_arrange.h"
#include "conv3d_cpu_rows.h"

#define NEAR_WEIGHTS 1024 /* vectors: a group that arranges so few fetches those of its next turn meanwhile */

/* The first of `count` parts that is group `group`'s: neighbours, which read the same x. */
int share(int group, int count)
{
    return (int)((long)count * group / (int)get_num_groups(0));
}

/* Where the weights begin of part `part` of the work, of which a set has `parts`. */
long first_weight(int part, int parts, int to_stride, ulong w_stride)
{
    return part / parts * (long)w_stride + part % parts * OUT * HF_BLOCK * (long)to_stride;
}

/* Arranges the weights of output blocks o and the OUT - 1 after it, which begin at w. */
HF_INLINE void arrange_outputs(const volumes *s, global const float *w, int from_stride, int to_stride, int flip,
                               long far, int o, global float16 *to)
{
    const int taps = s->K * s->K * s->K;
    for (int k = 0; k < OUT; ++k)
        for (int b = 0; b < input_blocks(s); ++b, to += taps * HF_BLOCK)
            arrange_block(w + (size_t)b * HF_BLOCK * from_stride + (size_t)k * HF_BLOCK * to_stride, from_stride,
                          to_stride, s->C - b * HF_BLOCK, s->O - (o + k) * HF_BLOCK, taps, HF_BLOCK, flip, far, to);
}

/* Computes output blocks o and the OUT - 1 after it of one sample. */
HF_INLINE void convolve_outputs(const volumes *s, global const float *x, global const float16 *w, const float16 *bias,
                                global const float *zeros, global float16 *y, int o)
{
    for (int od = 0; od < s->OD; ++od)
        for (int row = 0; row < rows_of_rest(s, 0); row += ROWS)
            for (int rest = 0; rest < s->up; ++rest)
                if (row < rows_of_rest(s, rest)) convolve_rows(s, x, w, bias, zeros, y, o, od, rest, row);
}

/* x [N][C/16][D,H,W][16]; w as for arrange_block, w_stride elements a set; bias [sets][O], read when has_bias; work:
 * `slot` vectors a group; y [N][O/16][OD,OH,OW][16]. A set is a sample, or all N when they share their weights. Groups:
 * any number. */
HF_GROUP(1)
kernel void conv3d_wide(global const float *restrict x, global const float *restrict w,
                        global const float *restrict bias, global float16 *restrict work, global float16 *restrict y,
                        int C, int O, int D, int H, int W, int OD, int OH, int OW, int K, int pad, int pad_w, int up,
                        int relu, int N, int sets, int from_stride, int to_stride, ulong w_stride, int flip,
                        int has_bias, ulong slot)
{
    const volumes s = { C, O, D, H, W, OD, OH, OW, K, pad, pad_w, up, relu };
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, parts = o_blocks / OUT, samples = N / sets;
    const size_t x_sample = (size_t)input_blocks(&s) * D * H * W * XS, y_sample = (size_t)o_blocks * OD * OH * OW;
    global float16 *zeros = work + get_group_id(0) * slot, *arranged = zeros + 1;
    const int end = share(get_group_id(0) + 1, sets * parts);
    *zeros = 0;
    for (int part = share(get_group_id(0), sets * parts); part < end; ++part) {
        const int set = part / parts, o = part % parts * OUT;
        const long begin = first_weight(part, parts, to_stride, w_stride);
        const bool fetches = part + 1 < end && OUT * block_weights(&s) <= NEAR_WEIGHTS;
        const long far = fetches ? first_weight(part + 1, parts, to_stride, w_stride) - begin : 0;
        float16 b[OUT];
        EACH_BLOCK
        {
            const int first = (o + k) * HF_BLOCK;
            b[k] = has_bias ? hf_load(bias + (size_t)set * O + first, O - first) : (float16)0;
        }
        arrange_outputs(&s, w + begin, from_stride, to_stride, flip, far, o, arranged);
        for (int n = set * samples; n < (set + 1) * samples; ++n)
            convolve_outputs(&s, x + n * x_sample, arranged, b, (global const float *)zeros, y + n * y_sample, o);
    }
}
