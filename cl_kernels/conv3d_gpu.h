/* conv3d_gpu.h: what the convolution kernels for GPUs share. */
#ifndef HF_CONV3D_GPU_H
#define HF_CONV3D_GPU_H

/* Kernel edge, where a kernel is compiled for one. */
#ifndef K
#define K 3
#endif

/* float4 of a voxel's block of 16 channels. */
#define QUARTER 4

/* Without it a private array that is handed to a function may end up in memory. */
#define INLINE __attribute__((always_inline)) static inline

/* Bit t < 7 is set when input start + t exists. */
INLINE int exists(int start, int size)
{
    return ((1 << clamp(size - start, 0, 7)) - (1 << clamp(-start, 0, 7))) & 127;
}

/* Which taps of a window that starts at (d,h,w) exist: bits 0..6 depth, 7..13 height, 14..20 width. */
INLINE int window(int d, int h, int w, int D, int H, int W)
{
    return exists(d, D) | exists(h, H) << 7 | exists(w, W) << 14;
}

/* NaN stays NaN. */
INLINE float4 activate(float4 value, int relu)
{
    return relu ? select(value, (float4)(0.0f), value <= 0.0f) : value;
}

#endif
