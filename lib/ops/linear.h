/* linear.h: what the implementations of the linear layer share. Private to lib/ops/. */
#ifndef HF_OPS_LINEAR_H
#define HF_OPS_LINEAR_H

#include "../op.h"

/* The linear layer behind a call of linear, linear_dx or linear_dw: samples, inputs, outputs. */
typedef struct hf_linear_size {
    int64_t n, i, o;
    bool per_sample; /* weights and bias carry a leading sample axis */
} hf_linear_size;

/* Reads the sizes from the operands and options; the shape rule has accepted them. */
hf_linear_size hf_linear_size_of(const hf_call *call);

const char *hf_linear_clblast_refuse(const hf_call *call);
const char *hf_linear_clblast_refuse_dx(const hf_call *call);
const char *hf_linear_clblast_refuse_dw(const hf_call *call);
hf_status hf_linear_clblast_prepare(hf_call *call);
hf_status hf_linear_clblast_prepare_dx(hf_call *call);
hf_status hf_linear_clblast_prepare_dw(hf_call *call);

#endif
