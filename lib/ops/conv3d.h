/* conv3d.h: what the implementations of the convolution operators share. Private to lib/ops/. */
#ifndef HF_OPS_CONV3D_H
#define HF_OPS_CONV3D_H

#include "../op.h"

/* The convolution behind a call of conv3d, conv3d_dx, conv3d_dw or conv3d_db, named as in the forward direction:
 * x [n,c,in[0],in[1],in[2]], w [o,c,k,k,k] or one such bank a sample, y [n,o,out[0],out[1],out[2]]. For conv3d_db only
 * n, o, out and per_sample are known. */
typedef struct hf_conv3d_size {
    int n, c, o, k, stride, pad;
    int in[3], out[3]; /* depth, height, width */
    bool per_sample;   /* weights and bias carry a leading sample axis */
    bool bias;         /* conv3d: operand b is present */
} hf_conv3d_size;

/* What sets an implementation apart from another with the same functions, as its variant; NULL: nothing does. */
typedef struct hf_conv3d_variant {
    bool first;  /* x is plain: for a network's first layer, whose input has few channels */
    bool tensor; /* products by matrix units */
} hf_conv3d_variant;

static inline hf_conv3d_variant hf_conv3d_variant_of(const hf_call *call)
{
    const hf_conv3d_variant *variant = call->impl->variant;
    return variant ? *variant : (hf_conv3d_variant){ 0 };
}

/* Reads the sizes from the operands and options; the shape rule has accepted them. */
hf_conv3d_size hf_conv3d_size_of(const hf_call *call);

int64_t hf_conv3d_voxels(const int size[3]);
int64_t hf_conv3d_taps(const hf_conv3d_size *size);      /* k^3 */
int64_t hf_conv3d_in_voxels(const hf_conv3d_size *size); /* of one sample */
int64_t hf_conv3d_out_voxels(const hf_conv3d_size *size);
int64_t hf_conv3d_weights(const hf_conv3d_size *size); /* elements of one filter bank */

/* The same convolution as a kernel sees it that computes both the forward direction and the gradient by x: "from" is what
 * it reads, "to" what it writes. The gradient reads dy, takes the taps backwards, and pads by K - 1 - pad. Pointers are
 * NULL where there is nothing, and what they point at belongs to the call. */
typedef struct hf_conv3d_pass {
    const hf_tensor *from, *w, *bias, *to;
    int n, from_channels, to_channels, k, pad;
    int stride, up;               /* voxels of `from` between neighbours in `to`; and the other way round */
    int from_size[3], to_size[3]; /* depth, height, width */
    int from_channel, to_channel; /* elements of w between channels */
    bool flip, per_sample, has_bias, relu;
    bool first; /* `from` is plain */
} hf_conv3d_pass;

/* Of a call of conv3d or conv3d_dx. */
hf_conv3d_pass hf_conv3d_pass_of(const hf_call *call);

/* Work-items 0..items-1 in groups of `group`, along the first dimension. */
static inline hf_range hf_conv3d_line(int64_t items, size_t group)
{
    return (hf_range){ .groups = { hf_ceil_div((size_t)items, group), 1, 1 }, .items = { group, 1, 1 } };
}

#endif
