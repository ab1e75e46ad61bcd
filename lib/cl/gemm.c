/* gemm.c: matrix products through CLBlast. */
#include "cl.h"
#include <clblast_c.h>

static CLBlastTranspose transpose(bool yes)
{
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

hf_status hf_gemm_run(const hf_context *context, const hf_launch_record *launch)
{
    const hf_gemm *g = &launch->gemm;
    cl_command_queue queue = context->queue;
    const CLBlastStatusCode code =
        CLBlastSgemm(CLBlastLayoutRowMajor, transpose(g->transpose_a), transpose(g->transpose_b), (size_t)g->m,
                     (size_t)g->n, (size_t)g->k, g->alpha, launch->a, 0, (size_t)g->lda, launch->b, 0, (size_t)g->ldb,
                     0, launch->c, 0, (size_t)g->ldc, &queue, NULL);
    if (code == CLBlastSuccess) return HF_OK;
    return hf_cl_fail((cl_int)code, "CLBlast SGEMM %d x %d x %d", g->m, g->n, g->k);
}

void hf_gemm_forget(void)
{
    /* CLBlast keys its compiled programs by context and device handles, which may be reused after release. */
    CLBlastClearCache();
}
