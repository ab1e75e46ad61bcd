/* common.h: what several kernels share. Included by name; the build embeds it into the source of each program. */
#ifndef HF_COMMON_H
#define HF_COMMON_H

/* Channels in one block of the blocked layout. */
#define HF_BLOCK 16

/* States the size of a kernel's groups: HF_GROUP(WG) kernel void name(...) */
#define HF_GROUP(items) __attribute__((reqd_work_group_size(items, 1, 1)))

/* Part of the kernels that call it whatever its size: outside of kernels PoCL's compiler halves the widest vectors. Who
 * interprets kernels, and stumbles over what inlining leaves behind, defines it as nothing. */
#ifndef HF_INLINE
#define HF_INLINE __attribute__((always_inline))
#endif

/* Before a kernel none of whose functions takes or returns a float16: clang, which many CPU drivers are made of, splits
 * it into halves there too, unless told not to. */
#ifdef __has_attribute
#if __has_attribute(min_vector_width)
#define HF_WIDE __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef HF_WIDE
#define HF_WIDE
#endif

/* Asks for the cache line at a global pointer, which may lie anywhere. Not all compilers know a way, and interpreters
 * that stumble over it define HF_NO_PREFETCH. */
#if defined(__has_builtin) && !defined(HF_NO_PREFETCH)
#if __has_builtin(__builtin_prefetch)
#define HF_PREFETCH(p) __builtin_prefetch((const global void *)(p))
#endif
#endif
#ifndef HF_PREFETCH
#define HF_PREFETCH(p) (void)(p)
#endif

/* Writes a whole cache line. With STREAM 1 it goes past the caches, which would have to read what lies there first: for
 * results that nobody reads soon. Compilers that know no such store, and who defines HF_NO_PREFETCH, store as always. */
#ifndef STREAM
#define STREAM 0
#endif
#if STREAM && defined(__has_builtin) && !defined(HF_NO_PREFETCH)
#if __has_builtin(__builtin_nontemporal_store)
#define HF_STORE_LINE(value, p) __builtin_nontemporal_store(value, p)
#endif
#endif
#ifndef HF_STORE_LINE
#define HF_STORE_LINE(value, p) (void)(*(p) = (value))
#endif

/* Floats in a vector of the elementwise kernels: 16 suits CPUs, 4 suits GPUs. Legal: 2, 4, 8, 16. */
#ifndef VEC
#define VEC 16
#endif
#define HF_PASTE_(a, b) a##b
#define HF_PASTE(a, b)  HF_PASTE_(a, b)
#define floatv          HF_PASTE(float, VEC)
#define intv            HF_PASTE(int, VEC)
#define as_intv         HF_PASTE(as_int, VEC)
#define vloadv          HF_PASTE(vload, VEC)
#define vstorev         HF_PASTE(vstore, VEC)

/* A vector, and its elements by number. */
typedef union {
    floatv vector;
    float element[VEC];
} hf_lanes;

/* For each k < left, left at most VEC. Narrow vectors are for GPUs, where an array indexed by a variable would lie in
 * memory: there the loop is unrolled, so that every index is a constant. */
#if VEC == HF_BLOCK
#define HF_EACH(k, left) for (int k = 0; k < (left); k++)
#else
#define HF_EACH(k, left) _Pragma("unroll") for (int k = 0; k < VEC; k++) if (k < (left))
#endif

/* VEC floats from p, of which `left` exist; the others are zero and are not read. left may be 0 or less. Where a compiler
 * takes the whole vector although only some exist (Mesa's 22.3, for one), the host defines HF_LOAD_EACH. */
floatv hf_load(global const float *p, long left)
{
#ifndef HF_LOAD_EACH
    if (left >= VEC) return vloadv(0, p);
#endif
    hf_lanes part;
    part.vector = (floatv)(0.0f);
    HF_EACH(k, min(left, (long)VEC)) part.element[k] = p[k];
    return part.vector;
}

/* Elements i, i + 1, ... of the n at p. i is a multiple of VEC and p the start of a tensor, so that GPUs, which demand
 * alignment, load a vector in one piece. */
floatv hf_load_at(global const float *p, long i, long n)
{
#if VEC < HF_BLOCK
    if (n - i >= VEC) return *(global const floatv *)(p + i);
#endif
    return hf_load(p + i, n - i);
}

/* Writes the first `left` of VEC floats to p. */
void hf_store(floatv value, global float *p, long left)
{
    if (left >= VEC) {
        vstorev(value, 0, p);
        return;
    }
    hf_lanes part;
    part.vector = value;
    HF_EACH(k, left) p[k] = part.element[k];
}

/* To where hf_load_at reads. */
void hf_store_at(floatv value, global float *p, long i, long n)
{
#if VEC < HF_BLOCK
    if (n - i >= VEC) {
        *(global floatv *)(p + i) = value;
        return;
    }
#endif
    hf_store(value, p + i, n - i);
}

/* ---- who takes what of a blocked tensor
 *
 * On CPUs (VEC 16) a work-item takes whole voxels, sixteen channels in a vector, and a chunk of voxels of its own. On GPUs
 * (VEC 4) the HF_TEAM work-items of a group share a chunk: HF_PARTS neighbours have a voxel together, each VEC of its
 * channels, and the group goes through the chunk HF_TURN voxels at a time. A team of one is the first case, so the same
 * loops serve both:
 *
 *     for (v = start + hf_turn(); v < end; v += HF_TURN)
 *         what hf_part() of voxel v is */
#if VEC == HF_BLOCK
#define HF_TEAM 1
#else
#define HF_TEAM 64
#endif
#define HF_PARTS (HF_BLOCK / VEC)
#define HF_TURN  (HF_TEAM > 1 ? HF_TEAM / HF_PARTS : 1)

/* Work-items in a group where each has a row or a chunk to do; any. */
#ifndef FEW
#define FEW 8
#endif

/* The group size of such kernels where a work-item by itself would be one of `few`. */
#define HF_TEAM_GROUP(few) HF_GROUP((HF_TEAM > 1 ? HF_TEAM : (few)))

/* Which chunk, or whatever a team has for itself; one's place in the team. */
int hf_team(void)
{
    return (int)(HF_TEAM > 1 ? get_group_id(0) : get_global_id(0));
}

int hf_member(void)
{
    return HF_TEAM > 1 ? (int)get_local_id(0) : 0;
}

int hf_turn(void)
{
    return hf_member() / HF_PARTS;
}

/* The first channel in the block that is this work-item's. */
int hf_part(void)
{
    return hf_member() % HF_PARTS * VEC;
}

/* Makes `load` and `store` of VEC channels of voxel v of a block at p, `vector` being VEC times `type`. */
#if VEC == HF_BLOCK
#define HF_VOXEL_ACCESS(type, vector, load, store)                                                                     \
    vector load(global const type *p, size_t v)                                                                        \
    {                                                                                                                  \
        return vload16(v, p);                                                                                          \
    }                                                                                                                  \
    void store(vector value, global type *p, size_t v)                                                                 \
    {                                                                                                                  \
        vstore16(value, v, p);                                                                                         \
    }
#else
#define HF_VOXEL_ACCESS(type, vector, load, store)                                                                     \
    vector load(global const type *p, size_t v)                                                                        \
    {                                                                                                                  \
        return *(global const vector *)(p + v * HF_BLOCK + hf_part());                                                 \
    }                                                                                                                  \
    void store(vector value, global type *p, size_t v)                                                                 \
    {                                                                                                                  \
        *(global vector *)(p + v * HF_BLOCK + hf_part()) = value;                                                      \
    }
#endif
HF_VOXEL_ACCESS(float, floatv, hf_load_voxel, hf_store_voxel)

/* The sum over the turns of a team, in order, for the same channels; and over all its members, for single numbers. Every
 * member has it. `shared` is what HF_SHARED(type, name) declares at the top of a kernel; all members must come here. */
#if HF_TEAM > 1
#define HF_SHARED(type, name) local type name[HF_TEAM];
floatv hf_sum_turns(floatv value, local floatv *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[hf_member()] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    floatv sum = shared[hf_member() % HF_PARTS];
    for (int k = hf_member() % HF_PARTS + HF_PARTS; k < HF_TEAM; k += HF_PARTS)
        sum += shared[k];
    return sum;
}

float hf_sum_members(float value, local float *shared)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    shared[hf_member()] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = shared[0];
    for (int k = 1; k < HF_TEAM; k++)
        sum += shared[k];
    return sum;
}
#else
#define HF_SHARED(type, name)
#define hf_sum_turns(value, shared)   (value)
#define hf_sum_members(value, shared) (value)
#endif

/* sum += term with the rounding error carried along (Kahan), so that the error of a long sum does not grow with its
 * length. The pair starts as (0, 0) and its value is *sum. */
void hf_add(float *sum, float *carry, float term)
{
    float corrected = term - *carry;
    float next = *sum + corrected;
    *carry = (next - *sum) - corrected;
    *sum = next;
}

#endif
