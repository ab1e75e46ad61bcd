/* common.h: what several kernels share. Included by name; the build embeds it into the source of each program. */
#ifndef HF_COMMON_H
#define HF_COMMON_H

/* Channels in one block of the blocked layout. */
#define HF_BLOCK 16

#endif
