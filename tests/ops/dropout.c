/* Tests of lib/ops/dropout.c. The reference makes the random words with a Philox4x32-10 of its own, written from the
 * paper's definition (Salmon et al., SC 2011, section 3.3); tests/unit/philox.c compares it with Random123. */
#include "each.h"

/* Letters: p percent dropped, g whole channels, s the stream. */
static int setup(const hf_case *test_case, hf_params *params, hf_desc *in)
{
    params->p = 0.01f * (float)hf_case_get(test_case, 'p', 50);
    params->channels = hf_case_get(test_case, 'g', 0);
    params->stream = (uint32_t)hf_case_get(test_case, 's', 0);
    in[0] = hf_case_tensor(test_case);
    in[1] = hf_vector(4);
    in[1].type = HF_I32;
    return 2;
}

static void draw_case(hf_case *test_case, hf_draw *draw)
{
    hf_draw_tensor(test_case, draw);
    hf_case_set(test_case, 'p', hf_draw_int(draw, 0, 9) ? hf_draw_int(draw, 1, 99) : 0);
    hf_case_set(test_case, 'g', hf_draw_int(draw, 0, 1));
    hf_case_set(test_case, 's', hf_draw_int(draw, 0, 1 << 20));
}

/* Any words, negative ones too. */
static bool fill(int index, double *values, int64_t count, bool integers, hf_draw *draw, const hf_case *test_case)
{
    (void)integers, (void)test_case;
    if (index != 1) return false;
    for (int64_t i = 0; i < count; i++)
        values[i] = hf_draw_int(draw, INT32_MIN, INT32_MAX);
    values[3] = 0;
    return true;
}

static void philox_round(uint32_t counter[4], const uint32_t key[2])
{
    const uint64_t a = (uint64_t)0xD2511F53u * counter[0], b = (uint64_t)0xCD9E8D57u * counter[2];
    const uint32_t next[4] = { (uint32_t)(b >> 32) ^ counter[1] ^ key[0], (uint32_t)b,
                               (uint32_t)(a >> 32) ^ counter[3] ^ key[1], (uint32_t)a };
    memcpy(counter, next, sizeof next);
}

static uint32_t random_word(uint64_t element, uint32_t stream, const double *state)
{
    uint32_t counter[4] = { (uint32_t)(element / 4), (uint32_t)(element / 4 >> 32), stream,
                            (uint32_t)(int32_t)state[2] };
    uint32_t key[2] = { (uint32_t)(int32_t)state[0], (uint32_t)(int32_t)state[1] };
    for (int round = 0; round < 10; round++) {
        philox_round(counter, key);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter[element % 4];
}

/* The factor 1 / (1 - p) is rounded once, and the product. */
static void reference(const hf_params *params, const hf_desc *in, double *const *in_values, const hf_desc *out,
                      double *const *out_values, double *const *bound)
{
    (void)out;
    const int64_t voxels = hf_extent_of(&in[0]).v;
    const double p = (double)params->p;
    for (int64_t i = 0; i < hf_count(&in[0]); i++) {
        const uint64_t element = (uint64_t)(params->channels ? i / voxels : i);
        const bool kept = random_word(element, params->stream, in_values[1]) >= floor(p * 4294967296.0);
        out_values[0][i] = kept ? in_values[0][i] / (1 - p) : 0;
        bound[0][i] = kept ? hf_gamma(2) * fabs(out_values[0][i]) + TINY : 0;
    }
}

static const char *const cases[] = {
    "n1c1_p0", "n64c256_p60s7", "n2c3_d4h5w6_p30", "n2c17_d4h5w6_g1p20", "n1c16_d43h58w47_g1p20", NULL
};

HF_OP_TESTS(dropout) = {
    { "dropout", cases, false, setup, draw_case, fill, reference },
    { "dropout_dx", cases, false, setup, draw_case, fill, reference },
    { 0 },
};
