/* matrix.h: products by the matrix units of NVIDIA GPUs (compute capability 8.0 and later), nearly as exact as float.
 *
 * A warp of 32 work-items multiplies a [16][8] by b [8][8] and adds to c [16][8]. With g = lane / 4, j = lane % 4 a
 * work-item holds (PTX, mma.m16n8k8)
 *   of a: [g][j], [g + 8][j], [g][j + 4], [g + 8][j + 4]     of b: [j][g], [j + 4][g]
 *   of c: [g][2j], [g][2j + 1], [g + 8][2j], [g + 8][2j + 1]
 * The units take 11 bits of a mantissa. So a value is cut into a head, rounded to 11 bits, and 11 bits of the rest, and
 * head * head, head * rest and rest * head are added up; what is left out is below 5 * 2^-22 of a product.
 *
 * EMULATE  1  0: by matrix units, which only NVIDIA's compiler can reach; 1: the same by ordinary instructions through
 *             local memory, all warps of the group at once: for tests
 * WG          work-items of the group */
#ifndef HF_MATRIX_H
#define HF_MATRIX_H

#ifndef EMULATE
#define EMULATE 1
#endif

/* The first 11 bits of a mantissa. */
float matrix_cut(float x)
{
    return as_float(as_uint(x) & 0xFFFFE000u);
}

/* Rounded to them. */
float matrix_head(float x)
{
    return matrix_cut(as_float(as_uint(x) + 0x1000u));
}

#if EMULATE
#define MATRIX_MEMORY local float matrix_room[WG / 32 * (16 * 8 + 8 * 8)];
#define MATRIX_ROOM   , local float *matrix_room
#define MATRIX_ARGS   , matrix_room
float matrix_product(float x, float w)
{
    float head_x = matrix_head(x), head_w = matrix_head(w);
    return matrix_cut(x - head_x) * head_w + head_x * matrix_cut(w - head_w) + head_x * head_w;
}

/* c += a b */
void multiply_matrix(float4 a, float2 b, float4 *c, local float *matrix_room)
{
    int lane = (int)get_local_id(0) % 32, g = lane / 4, j = lane % 4;
    local float *left = matrix_room + get_local_id(0) / 32 * (16 * 8 + 8 * 8), *right = left + 16 * 8;
    barrier(CLK_LOCAL_MEM_FENCE);
    left[g * 8 + j] = a.s0;
    left[(g + 8) * 8 + j] = a.s1;
    left[g * 8 + j + 4] = a.s2;
    left[(g + 8) * 8 + j + 4] = a.s3;
    right[j * 8 + g] = b.s0;
    right[(j + 4) * 8 + g] = b.s1;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int k = 0; k < 8; k++) {
        c->s0 += matrix_product(left[g * 8 + k], right[k * 8 + 2 * j]);
        c->s1 += matrix_product(left[g * 8 + k], right[k * 8 + 2 * j + 1]);
        c->s2 += matrix_product(left[(g + 8) * 8 + k], right[k * 8 + 2 * j]);
        c->s3 += matrix_product(left[(g + 8) * 8 + k], right[k * 8 + 2 * j + 1]);
    }
}
#else
#define MATRIX_MEMORY
#define MATRIX_ROOM
#define MATRIX_ARGS
void multiply_heads(float4 a, float2 b, float4 *c)
{
    float d0 = c->s0, d1 = c->s1, d2 = c->s2, d3 = c->s3;
    __asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(as_uint(a.s0)), "r"(as_uint(a.s1)), "r"(as_uint(a.s2)), "r"(as_uint(a.s3)), "r"(as_uint(b.s0)),
          "r"(as_uint(b.s1)));
    *c = (float4)(d0, d1, d2, d3);
}

/* c += a b */
void multiply_matrix(float4 a, float2 b, float4 *c)
{
    float4 head = (float4)(matrix_head(a.s0), matrix_head(a.s1), matrix_head(a.s2), matrix_head(a.s3)), rest = a - head;
    float2 head_b = (float2)(matrix_head(b.s0), matrix_head(b.s1)), rest_b = b - head_b;
    rest = (float4)(matrix_cut(rest.s0), matrix_cut(rest.s1), matrix_cut(rest.s2), matrix_cut(rest.s3));
    rest_b = (float2)(matrix_cut(rest_b.s0), matrix_cut(rest_b.s1));
    multiply_heads(rest, head_b, c);
    multiply_heads(head, rest_b, c);
    multiply_heads(head, head_b, c);
}
#endif

#endif
