/* conv3d_winograd.h: Winograd's minimal filtering F(M, 3), M results of a filter of 3 taps from M + 2 values with M + 2
 * multiplications instead of 3 M, and what the kernels that use it in three dimensions share.
 *
 *   y = A' [(G g) . (B' d)]             d: M + 2 values, g: 3 taps, y: M results, . the product by elements
 *   dg = G' sum of [(B' d) . (A dy)]    the gradient by the taps
 *
 * The rows belong to points of evaluation: 0, infinity, and pairs +p, -p, in this order. The two of a pair share their
 * even and odd parts, so transforms are made a pair at a time. Points decide the rounding error. M = 4: 21/32 and 23/16
 * have a third of the error of the usual 1 and 2, and all constants of A and B are binary fractions. M = 2: 1.
 *
 * A plane of points is kept as [pair along W][AH][2], so that what belongs to one pair lies together.
 *
 * MD, MH, MW  results of a tile along depth, height, width: 2 or 4 */
#ifndef HF_CONV3D_WINOGRAD_H
#define HF_CONV3D_WINOGRAD_H
#include "common.h"

#ifndef MD
#define MD 4
#endif
#ifndef MH
#define MH 4
#endif
#ifndef MW
#define MW 4
#endif

/* Values a tile reads along each dimension; points of a plane, of a pair's part of it, and of a volume. */
#define AD    (MD + 2)
#define AH    (MH + 2)
#define AW    (MW + 2)
#define PLANE (AH * AW)
#define PART  (AH * 2)

#define P  0.65625f
#define Q  1.4375f
#define PP (P * P)
#define QQ (Q * Q)

/* Two rows of B' applied to d[M+2]; `pair` counts 0 and infinity, then the pairs. */
HF_INLINE void hf_input_pair(float16 *first, float16 *second, const float16 *d, const int m, const int pair)
{
    if (m == 2) {
        *first = pair ? d[2] + d[1] : d[2] - d[0];
        *second = pair ? d[2] - d[1] : d[3] - d[1];
    } else if (pair == 0) {
        *first = d[4] - (PP + QQ) * d[2] + PP * QQ * d[0];
        *second = d[5] - (PP + QQ) * d[3] + PP * QQ * d[1];
    } else {
        const float own = pair == 1 ? P : Q, other = pair == 1 ? QQ : PP;
        const float16 even = d[4] - other * d[2], odd = d[3] - other * d[1];
        *first = even + own * odd;
        *second = even - own * odd;
    }
}

/* Two rows of A applied to dy[M]. */
HF_INLINE void hf_gradient_pair(float16 *first, float16 *second, const float16 *dy, const int m, const int pair)
{
    if (pair == 0) {
        *first = dy[0];
        *second = dy[m - 1];
    } else if (m == 2) {
        *first = dy[0] + dy[1];
        *second = dy[0] - dy[1];
    } else {
        const float p = pair == 1 ? P : Q, pp = p * p;
        const float16 even = dy[0] + pp * dy[2], odd = dy[1] + pp * dy[3];
        *first = even + p * odd;
        *second = even - p * odd;
    }
}

/* Adds to y[M] what A' makes of two points; pair 0 comes first and sets y. */
HF_INLINE void hf_output_pair(float16 *y, float16 first, float16 second, const int m, const int pair)
{
    const float p = m == 2 ? 1 : pair == 1 ? P : Q;
    const float16 sum = first + second, difference = first - second;
    if (pair == 0) {
        y[0] = first;
        y[1] = m == 2 ? second : (float16)0;
        if (m == 4) y[2] = 0, y[3] = second;
        return;
    }
    y[0] += sum;
    y[1] += p * difference;
    if (m == 4) y[2] += p * p * sum, y[3] += p * p * p * difference;
}

/* A' applied to v[M+2]: y[M]. */
HF_INLINE void hf_output_line(float16 *y, const float16 *v, const int m)
{
    const float16 sum = v[2] + v[3], difference = v[2] - v[3];
    if (m == 2) {
        y[0] = v[0] + sum;
        y[1] = v[1] + difference;
        return;
    }
    const float16 sum2 = v[4] + v[5], difference2 = v[4] - v[5];
    y[0] = v[0] + sum + sum2;
    y[1] = P * difference + Q * difference2;
    y[2] = PP * sum + QQ * sum2;
    y[3] = v[1] + PP * P * difference + QQ * Q * difference2;
}

/* Point i over the product of its distances to the other finite points: what G divides by. */
HF_INLINE double hf_filter_scale(const int m, const int i)
{
    const double p = i < 4 ? PP : QQ, other = i < 4 ? QQ : PP;
    if (i == 1) return 1;
    if (m == 2) return i == 0 ? -1 : 0.5;
    return i == 0 ? 1 / ((double)PP * QQ) : 1 / (2 * p * (p - other));
}

/* Row i of G is hf_filter_scale times 1, p, p squared; that of infinity is 0, 0, 1. */
HF_INLINE double hf_filter_point(const int m, const int i)
{
    const double p = m == 2 ? 1 : i < 4 ? P : Q;
    return i < 2 ? 0 : i % 2 ? -p : p;
}

/* Where a tile lies: sample, and first voxel of its results. Tiles are numbered through n,d,h,w. */
typedef struct tile {
    int n, d, h, w;
} tile;

HF_INLINE tile tile_at(int index, int OD, int OH, int OW)
{
    const int along_w = (OW + MW - 1) / MW, along_h = (OH + MH - 1) / MH, along_d = (OD + MD - 1) / MD;
    const int line = index / along_w, plane = line / along_h;
    return (tile){ plane / along_d, plane % along_d * MD, line % along_h * MH, index % along_w * MW };
}

HF_INLINE tile tile_after(tile at, int OD, int OH, int OW)
{
    at.w += MW;
    if (at.w < OW) return at;
    at.w = 0;
    at.h += MH;
    if (at.h < OH) return at;
    at.h = 0;
    at.d += MD;
    if (at.d < OD) return at;
    at.d = 0;
    at.n += 1;
    return at;
}

/* A box of voxels to read: where it starts, and vectors from a row and a plane to the next. */
typedef struct box {
    global const float16 *from;
    size_t row, plane;
} box;

/* The box of depth x height x width voxels of x [D,H,W] at (d0,h0,w0). Where it reaches beyond x it is copied to `copy`
 * with zeros outside. */
HF_INLINE box box_at(global const float16 *x, global float16 *copy, int d0, int h0, int w0, int D, int H, int W,
                     const int depth, const int height, const int width)
{
    if (d0 >= 0 && d0 + depth <= D && h0 >= 0 && h0 + height <= H && w0 >= 0 && w0 + width <= W)
        return (box){ x + ((size_t)d0 * H + h0) * W + w0, W, (size_t)H * W };
    global float16 *to = copy;
    for (int d = d0; d < d0 + depth; ++d)
        for (int h = h0; h < h0 + height; ++h)
            for (int w = w0; w < w0 + width; ++w) {
                const bool inside = d >= 0 && d < D && h >= 0 && h < H && w >= 0 && w < W;
                *to++ = inside ? x[((size_t)d * H + h) * W + w] : 0;
            }
    return (box){ copy, width, (size_t)height * width };
}

/* Defines what transforms a tile of depth x height x width values with pair_of, hf_input_pair or hf_gradient_pair:
 *   NAME_plane   one pair's part of a plane, in width, then in height: to[AH][2]
 *   NAME_column  a column in depth, from[depth] PART apart, to[AD] `step` apart
 *   NAME         `pairs` pairs from first_pair on; `to` is the tile's place in the first slot, planes [depth][PART]. One
 *                pair at a time, so that what a plane needs fits the registers */
#define HF_WINOGRAD_TRANSFORM(name, pair_of, depth, height, width)                                                     \
    HF_INLINE void name##_plane(global float16 *restrict to, global const float16 *restrict from, size_t row,          \
                                const int pair)                                                                        \
    {                                                                                                                  \
        float16 first[height], second[height];                                                                         \
        _Pragma("unroll") for (int h = 0; h < (height); ++h)                                                           \
        {                                                                                                              \
            float16 line[width];                                                                                       \
            _Pragma("unroll") for (int i = 0; i < (width); ++i) line[i] = from[h * row + i];                           \
            pair_of(&first[h], &second[h], line, MW, pair);                                                            \
        }                                                                                                              \
        _Pragma("unroll") for (int h = 0; h < AH; h += 2)                                                              \
        {                                                                                                              \
            float16 a, b;                                                                                              \
            pair_of(&a, &b, first, MH, h / 2);                                                                         \
            to[h * 2] = a;                                                                                             \
            to[h * 2 + 2] = b;                                                                                         \
            pair_of(&a, &b, second, MH, h / 2);                                                                        \
            to[h * 2 + 1] = a;                                                                                         \
            to[h * 2 + 3] = b;                                                                                         \
        }                                                                                                              \
    }                                                                                                                  \
    HF_INLINE void name##_column(global float16 *restrict to, size_t step, global const float16 *restrict from)        \
    {                                                                                                                  \
        float16 line[depth];                                                                                           \
        _Pragma("unroll") for (int i = 0; i < (depth); ++i) line[i] = from[i * PART];                                  \
        _Pragma("unroll") for (int i = 0; i < AD; i += 2)                                                              \
        {                                                                                                              \
            float16 a, b;                                                                                              \
            pair_of(&a, &b, line, MD, i / 2);                                                                          \
            to[i * step] = a;                                                                                          \
            to[(i + 1) * step] = b;                                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
    HF_INLINE void name(global float16 *restrict to, size_t slot, size_t step, global float16 *restrict planes,        \
                        box from, int first_pair, int pairs)                                                           \
    {                                                                                                                  \
        for (int k = 0; k < pairs; ++k) {                                                                              \
            const int pair = first_pair + k;                                                                           \
            for (int d = 0; d < (depth); ++d) {                                                                        \
                if (pair == 0) name##_plane(planes + d * PART, from.from + d * from.plane, from.row, 0);               \
                if (pair == 1) name##_plane(planes + d * PART, from.from + d * from.plane, from.row, 1);               \
                if (pair == 2) name##_plane(planes + d * PART, from.from + d * from.plane, from.row, 2);               \
            }                                                                                                          \
            for (int s = 0; s < PART; ++s)                                                                             \
                name##_column(to + (k * PART + s) * slot, step, planes + s);                                           \
        }                                                                                                              \
    }
HF_WINOGRAD_TRANSFORM(transform_tile, hf_input_pair, AD, AH, AW)

/* Where in x [N][blocks][D,H,W] the boxes of `count` tiles from `at` on begin, `shift` voxels from the tile. */
HF_INLINE void find_boxes(long *from, int blocks, int D, int H, int W, tile at, int count, int shift, int OD, int OH,
                          int OW)
{
    const long voxels = (long)D * H * W;
    for (int t = 0; t < count; ++t, at = tile_after(at, OD, OH, OW))
        from[t] = at.n * blocks * voxels + ((at.d + shift) * (long)H + at.h + shift) * W + at.w;
}

/* Asks for one line in width of boxes `from` of find_boxes, begin to end, while other work goes on: line `line` of boxes
 * `height` lines high. Lines need not exist. */
HF_INLINE void prefetch_line(global const float16 *restrict x, const long *from, int begin, int end, int blocks, int D,
                             int H, int W, int line, const int height)
{
    const long voxels = (long)D * H * W, offset = (line / height * (long)H + line % height) * W;
    for (int t = begin; t < end; ++t) {
        global const float16 *p = x + from[t] + offset;
        for (int b = 0; b < blocks; ++b, p += voxels)
#pragma unroll
            for (int i = 0; i < MW; ++i)
                HF_PREFETCH(p + i);
    }
}

#endif
