/* conv3d_cpu_pad.cl: x with zeros around it, for convolutions that reach too far outside to be told so tap by tap. One
 * work-item a group. */
#include "common.h"

/* Copies x [planes][D,H,W] into the middle of to [planes][D+2pad_d,H+2pad_h,W+2pad_w], zeros around. In the blocked
 * layout an element of W is one of 16 floats of a voxel. Groups: H+2pad_h, D+2pad_d, planes. */
HF_GROUP(1)
kernel void conv3d_pad(global const float *restrict x, global float *restrict to, int D, int H, int W, int pad_d,
                       int pad_h, int pad_w)
{
    const int h = (int)get_group_id(0) - pad_h, d = (int)get_group_id(1) - pad_d, wide = W + 2 * pad_w;
    const bool inside = h >= 0 && h < H && d >= 0 && d < D;
    const int begin = inside ? pad_w : wide, end = inside ? pad_w + W : wide;
    x += ((get_group_id(2) * D + max(d, 0)) * H + max(h, 0)) * W;
    to += ((get_group_id(2) * get_num_groups(1) + get_group_id(1)) * get_num_groups(0) + get_group_id(0)) * wide;
    for (int i = 0; i < begin; ++i)
        to[i] = 0;
    for (int i = begin; i < end; ++i)
        to[i] = x[i - pad_w];
    for (int i = end; i < wide; ++i)
        to[i] = 0;
}
