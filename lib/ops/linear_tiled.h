/* linear_tiled.h: batched matrix products for the skinny shapes of linear layers and weight generators, on every
 * device. Private to lib/ops/. */
#ifndef HF_OPS_LINEAR_TILED_H
#define HF_OPS_LINEAR_TILED_H

#include "../op.h"

/* c[z,m,n] = act(bias[z,n] + sum over k of a[z,m,k] b[z,k,n]), z < batch. Strides in elements, as [m,k,z], [k,n,z] and
 * [m,n,z]. a, b, c and bias are NULL while only the scratch size is asked for. */
typedef struct hf_matmul {
    int64_t m, n, k, batch;
    int64_t a_stride[3], b_stride[3], c_stride[3];
    int64_t bias_stride; /* from one z to the next */
    const hf_tensor *a, *b, *c, *bias;
    bool has_bias, relu;
} hf_matmul;

/* Operand 0 times operand 1 gives result 0: what all products have in common. */
hf_matmul hf_matmul_of(const hf_call *call);

/* An implementation that is such a product, and has it as its variant. */
typedef struct hf_product {
    hf_matmul (*of)(const hf_call *call);
} hf_product;
size_t hf_tiled_scratch(const hf_call *call);
hf_status hf_tiled_prepare(hf_call *call);

#endif
