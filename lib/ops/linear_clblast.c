/* linear_clblast.c: the linear layer and its gradients as matrix products of CLBlast, for large results with shared
 * weights. Its tiles need large results: a sum is never cut, so a long one for few results would leave a GPU idle. */
#include "linear.h"

#define GROUP        64
#define CLBLAST_SIDE 64 /* smallest edge of a result worth CLBlast's tiles */

/* Whether a result of rows x columns is worth it on this device; tests ask for it everywhere. */
static const char *refuse(const hf_call *call, int64_t rows, int64_t columns)
{
    if (hf_linear_size_of(call).per_sample) return "every sample has its own weights";
    if (hf_context_any_device(call->context)) return NULL;
    if (hf_context_device(call->context)->is_cpu)
        return "the device is a CPU, for which CLBlast has no good parameters";
    if (rows < CLBLAST_SIDE || columns < CLBLAST_SIDE) return "the result is smaller than 64 x 64";
    return NULL;
}

const char *hf_linear_clblast_refuse(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return refuse(call, s.n, s.o);
}

const char *hf_linear_clblast_refuse_dx(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return refuse(call, s.n, s.i);
}

const char *hf_linear_clblast_refuse_dw(const hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    return refuse(call, s.o, s.i);
}

hf_status hf_linear_clblast_prepare(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_gemm gemm = { .m = (int)s.n, .n = (int)s.o, .k = (int)s.i, .transpose_b = true, .alpha = 1 };
    bool bias = hf_present(&call->in[2].desc), relu = call->params.activation == HF_RELU;
    gemm.lda = gemm.ldb = gemm.k;
    gemm.ldc = gemm.n;
    HF_TRY(hf_launch_gemm(call, &gemm, &call->in[0], &call->in[1], &call->out[0]));
    if (!bias && !relu) return HF_OK;
    hf_range range = { .groups = { hf_ceil_div((size_t)(s.n * s.o), GROUP) }, .items = { GROUP }, .shrinks = true };
    return hf_launch(call, "linear", "linear_finish", NULL, range,
                     HF_ARGS(HF_T(&call->out[0]), HF_T(&call->in[2]), HF_I(s.n), HF_I(s.o), HF_I(bias), HF_I(relu)));
}

hf_status hf_linear_clblast_prepare_dx(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_gemm gemm = { .m = (int)s.n, .n = (int)s.i, .k = (int)s.o, .alpha = 1 };
    gemm.lda = gemm.k;
    gemm.ldb = gemm.ldc = gemm.n;
    return hf_launch_gemm(call, &gemm, &call->in[0], &call->in[1], &call->out[0]);
}

hf_status hf_linear_clblast_prepare_dw(hf_call *call)
{
    hf_linear_size s = hf_linear_size_of(call);
    hf_gemm gemm = { .m = (int)s.o, .n = (int)s.i, .k = (int)s.n, .transpose_a = true, .alpha = 1 };
    gemm.lda = gemm.m;
    gemm.ldb = gemm.ldc = gemm.n;
    return hf_launch_gemm(call, &gemm, &call->in[1], &call->in[0], &call->out[0]);
}
