/* conv3d_cpu_forward.cl: 3D convolution and its input gradient for CPUs, with weights that conv3d_cpu_weights.cl has
 * put into the order of use. One work-item a group computes ROWS rows of y for OUT blocks of output channels; macros and
 * how it works are those of conv3d_cpu_rows.h. */
#include "conv3d_cpu_rows.h"

/* x [N][C/16][D,H,W][16] or, FIRST, [N][C][D,H,W]; w [1 or N][O/16][C/16][K^3][16c][16o] or, FIRST,
 * [1 or N][O/16][C][K^3][16o], w_stride vectors a sample; bias [1 or N][O/16][16], bias_stride vectors a sample;
 * zeros: a vector; y [N][O/16][OD,OH,OW][16]. pad_w is pad in W, where x may have been
 * widened. `inner` is N when weights go through all samples before the next weights, otherwise 1. Groups: OH/up/ROWS,
 * rounded up, * up; OD; N * O/16 / OUT. Neighbouring rows are neighbouring groups, whatever their rest. */
HF_GROUP(1)
kernel void conv3d_rows(global const float *restrict x, global const float16 *restrict w,
                        global const float16 *restrict bias, global const float *restrict zeros,
                        global float16 *restrict y, int C, int O, int D, int H, int W, int OD, int OH, int OW, int K,
                        int pad, int pad_w, int up, int relu, int inner, ulong w_stride, ulong bias_stride)
{
    const volumes s = { C, O, D, H, W, OD, OH, OW, K, pad, pad_w, up, relu };
    const int o_blocks = (O + HF_BLOCK - 1) / HF_BLOCK, groups = o_blocks / OUT;
    const int outer = get_group_id(2) / inner, o = outer % groups * OUT;
    const int n = get_group_id(2) % inner + outer / groups * inner;
    const int od = get_group_id(1), rest_h = get_group_id(0) % up, first_h = get_group_id(0) / up * ROWS;
    float16 b[OUT];
    if (first_h >= rows_of_rest(&s, rest_h)) return;
    EACH_BLOCK
    {
        b[k] = bias[n * bias_stride + o + k];
    }
    convolve_rows(&s, x + (size_t)n * input_blocks(&s) * D * H * W * XS, w + n * w_stride + o * block_weights(&s), b,
                  zeros, y + (size_t)n * o_blocks * OD * OH * OW, o, od, rest_h, first_h);
}
