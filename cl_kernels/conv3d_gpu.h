/* conv3d_gpu.h: what the convolution kernels for GPUs share. */
#ifndef HF_CONV3D_GPU_H
#define HF_CONV3D_GPU_H

/* float4 of a voxel's block of 16 channels. */
#define QUARTER 4

/* Without it a private array that is handed to a function may end up in memory. */
#define INLINE __attribute__((always_inline)) static inline

/* Bit t < 7 is set when input start + t exists. */
INLINE int exists(int start, int size)
{
    return ((1 << clamp(size - start, 0, 7)) - (1 << clamp(-start, 0, 7))) & 127;
}

/* NaN stays NaN. */
INLINE float4 activate(float4 value, int relu)
{
    return relu ? select(value, (float4)(0.0f), value <= 0.0f) : value;
}

#endif
