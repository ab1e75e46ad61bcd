/* random.c: counter-based random numbers.
 *
 * Philox4x32-10 maps a 128-bit counter and a 64-bit key to four 32-bit words. Draw `index` of a stream is word
 * index % 4 of
 *     counter = { lo(index/4), hi(index/4), lo(stream), hi(stream) },   key = { lo(seed), hi(seed) }
 * where lo and hi are the 32-bit halves. Nothing else enters, so device code can make the same numbers. */
#include "hfbase.h"

#include <Random123/philox.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static philox4x32_ctr_t random_block(uint64_t seed, uint64_t stream, uint64_t block)
{
    philox4x32_ctr_t counter = { { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                                   (uint32_t)(stream >> 32) } };
    philox4x32_key_t key = { { (uint32_t)seed, (uint32_t)(seed >> 32) } };
    return philox4x32(counter, key);
}

static double unit(uint32_t bits)
{
    return (double)bits * 0x1p-32;
}

uint64_t hf_random_stream(const char *purpose, uint64_t a, uint64_t b)
{
    char text[64], hex[33];
    snprintf(text, sizeof text, "%" PRIu64 ",%" PRIu64, a, b);
    hf_digest digest = { 0 };
    hf_digest_add(&digest, purpose, strlen(purpose));
    hf_digest_add(&digest, text, strlen(text));
    hf_digest_text(&digest, hex);
    uint64_t stream = 0;
    for (int i = 0; i < 16; i++)
        stream = stream << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return stream;
}

uint32_t hf_random_bits(uint64_t seed, uint64_t stream, uint64_t index)
{
    return random_block(seed, stream, index / 4).v[index % 4];
}

double hf_random_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return unit(hf_random_bits(seed, stream, index));
}

/* Box-Muller on draws 2*index and 2*index + 1, which share one block. 1 - u lies in (0,1], so the logarithm is
 * finite; the largest result is sqrt(64 ln 2) = 6.66. */
double hf_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    const double two_pi = 6.283185307179586;
    philox4x32_ctr_t words = random_block(seed, stream, index / 2);
    size_t first = 2 * (index % 2);
    double radius = sqrt(-2.0 * log(1.0 - unit(words.v[first])));
    return radius * cos(two_pi * unit(words.v[first + 1]));
}

/* Box-Muller with both of its results on each half of a block: four normals a block. Single precision throughout, whose
 * largest result is sqrt(64 ln 2) as well: 2^-32 is exact. */
void hf_random_normals(float *out, size_t count, uint64_t seed, uint64_t stream)
{
    const float two_pi = 6.2831853f;
    for (size_t i = 0; i < count; i += 4) {
        const philox4x32_ctr_t words = random_block(seed, stream, i / 4);
        float four[4];
        for (int k = 0; k < 4; k += 2) {
            const float radius = sqrtf(-2 * logf(((float)words.v[k] + 1) * 0x1p-32f));
            const float angle = two_pi * ((float)words.v[k + 1] * 0x1p-32f);
            four[k] = radius * cosf(angle);
            four[k + 1] = radius * sinf(angle);
        }
        memcpy(out + i, four, (count - i < 4 ? count - i : 4) * sizeof *out);
    }
}

void hf_random_permutation(uint32_t *order, uint32_t count, uint64_t seed, uint64_t stream)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        /* Multiply and shift picks among i places; its bias is below i / 2^32. */
        uint32_t pick = (uint32_t)((uint64_t)hf_random_bits(seed, stream, i - 1) * i >> 32);
        uint32_t held = order[i - 1];
        order[i - 1] = order[pick];
        order[pick] = held;
    }
}
