/* cases.c: operators by themselves, on the cases of their tests and on the layers of networks. */
#include "launches.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

#define SEED 1 /* of drawn cases */

/* Convolutions of networks: brain age at 90 x 120 x 99, the diagnosis network at 64 x 96 x 64, a U-Net's at 96^3. */
static const struct {
    const char *network, *text; /* a case of conv3d without its batch size */
} layers[] = {
    { "brain-age", "c16o16_d88h118w97_k3" },      { "brain-age", "c16o32_d43h58w47_k3" },
    { "brain-age", "c32o32_d41h56w45_k3" },       { "brain-age", "c32o64_d19h27w21_k3" },
    { "brain-age", "c64o64_d17h25w19_k3" },

    { "diagnosis", "c1o16_d64h96w64_k3p1b0" },    { "diagnosis", "c16o32_d32h48w32_k3p1b0" },
    { "diagnosis", "c32o32_d32h48w32_k3p1b0" },   { "diagnosis", "c16o32_d32h48w32_k1b0" },
    { "diagnosis", "c32o64_d32h48w32_k3p1s2b0" }, { "diagnosis", "c64o64_d16h24w16_k3p1b0" },
    { "diagnosis", "c32o64_d32h48w32_k1s2b0" },   { "diagnosis", "c64o128_d16h24w16_k3p1s2b0" },
    { "diagnosis", "c128o128_d8h12w8_k3p1b0" },   { "diagnosis", "c64o128_d16h24w16_k1s2b0" },
    { "diagnosis", "c128o256_d8h12w8_k3p1s2b0" }, { "diagnosis", "c256o256_d4h6w4_k3p1b0" },
    { "diagnosis", "c128o256_d8h12w8_k1s2m1" },   { "u-net", "c32o32_d96h96w96_k3p1r1" },
    { "u-net", "c64o64_d48h48w48_k3p1r1" },       { "u-net", "c128o128_d24h24w24_k3p1r1" },
    { "u-net", "c256o256_d12h12w12_k3p1r1" },
};
static const int batches[] = { 2, 8, 64 };

/* ---- one problem ------------------------------------------------------------------------------------------------- */

static hf_layout layout_of(char letter, const hf_desc *desc, hf_layout any)
{
    if (desc->shape.rank != 5 || letter == 'P') return HF_PLAIN;
    return letter == 'B' ? HF_BLOCKED : any;
}

/* A tensor of this description, with a buffer that only counts. */
static hf_status make_tensor(hf_tensor *out, hf_context *context, const hf_desc *desc, char letter, hf_layout any)
{
    hf_desc wanted = *desc;
    *out = (hf_tensor){ 0 };
    if (desc->shape.rank == 0) return HF_OK;
    wanted.layout = layout_of(letter, desc, any);
    return hf_tensor_new_desc(out, context, &wanted);
}

static hf_status run_in_layout(const hf_origin *o, hf_context *context, const hf_problem *p, int impl, hf_layout any)
{
    hf_tensor in[HF_MAX_IN] = { 0 }, out[HF_MAX_OUT] = { 0 };
    hf_task *task = NULL;
    hf_status status = HF_OK;
    const char *letters = hf_op_impl_layouts(p->op, impl), *results = strchr(letters, '>') + 1;
    for (int i = 0; i < p->n_in; i++)
        HF_TRY_OUT(make_tensor(&in[i], context, &p->in[i], letters[i], any));
    for (int i = 0; i < p->n_out; i++)
        HF_TRY_OUT(make_tensor(&out[i], context, &p->out[i], results[i], any));
    HF_TRY_OUT(hf_task_new(&task, context, p->op, &p->params, in, p->n_in, out, p->n_out, NULL));
    hf_print_task(o, task);
out:
    hf_task_free(&task);
    for (int i = 0; i < HF_MAX_IN; i++)
        hf_tensor_free(&in[i]);
    for (int i = 0; i < HF_MAX_OUT; i++)
        hf_tensor_free(&out[i]);
    return status;
}

static hf_status run_case(hf_origin *o, hf_context *context, const hf_op_test *test, const hf_case *test_case)
{
    hf_problem problem;
    char text[160];
    HF_TRY(hf_problem_shape(&problem, test, test_case));
    const int impl = hf_op_choose(context, problem.op, &problem.params, problem.in, problem.n_in);
    if (o->by && strcmp(hf_op_impl_name(problem.op, impl), o->by) != 0) return HF_OK;
    o->op = test->op;
    o->what = hf_case_text(test_case, text);
    o->flop = hf_problem_flop(&problem);
    HF_TRY(run_in_layout(o, context, &problem, impl, HF_PLAIN));
    if (!strchr(hf_op_impl_layouts(problem.op, impl), 'A')) return HF_OK;
    return run_in_layout(o, context, &problem, impl, HF_BLOCKED);
}

static hf_status run_text(hf_origin *o, hf_context *context, const hf_op_test *test, const char *text)
{
    hf_case test_case;
    HF_TRY(hf_case_parse(&test_case, text));
    return run_case(o, context, test, &test_case);
}

/* ---- cases, layers, networks ------------------------------------------------------------------------------------- */

static hf_status run_operator(hf_origin *o, hf_context *context, const hf_op_test *test, int shapes)
{
    for (const char *const *text = test->cases; text && *text; text++)
        HF_TRY(run_text(o, context, test, *text));
    for (int i = 0; i < shapes; i++) {
        hf_draw draw = { SEED, hf_random_stream(test->op, (uint64_t)i, 0), 0 };
        hf_case test_case = { 0 };
        test->draw(&test_case, &draw);
        HF_TRY(run_case(o, context, test, &test_case));
    }
    return HF_OK;
}

hf_status hf_list_operators(const char *device, hf_context *context, int shapes)
{
    const hf_op_test *test;
    const char *stem;
    hf_origin o = { .device = device, .set = "case" };
    for (int i = 0; (test = hf_test_at(i, &stem)); i++)
        HF_TRY(run_operator(&o, context, test, shapes));
    return HF_OK;
}

hf_status hf_list_layers(const char *device, hf_context *context, const char *by)
{
    static const char *const passes[] = { "conv3d", "conv3d_dx", "conv3d_dw" };
    for (int b = 0; b < COUNT(batches); b++)
        for (int i = 0; i < COUNT(layers); i++)
            for (int k = 0; k < COUNT(passes); k++) {
                char text[96];
                hf_origin o = { .device = device, .set = layers[i].network, .by = by, .n = batches[b], .step = i };
                snprintf(text, sizeof text, "n%d%s", batches[b], layers[i].text);
                HF_TRY(hf_unless_memory(run_text(&o, context, hf_test_find(passes[k]), text)));
            }
    return HF_OK;
}
