/* serve.h: what the programs that compute convolutions for bench/conv.py have in common.
 *
 * Ours and every peer is a program of its own that speaks one protocol, so that the driver can ask them in turn. It
 * greets with one line of JSON, {"version": ..., "threads": ...}; then for each line `CASE PASS` on stdin it answers one
 * line: one round of that convolution,
 *
 *     n2c16o16_d88h118w97_k3 forward
 *     {"ms": 12.3, "how": "cpu_blocked", "check": 45.6, "norm": 789.0}
 *
 * or {"error": "why not"}. A case has the letters of tests/ops/conv3d.c: n samples, c and o channels, d h w input size,
 * k kernel, s stride, p padding, m 1: weights a sample; no bias, no activation. The first line about a case makes it and
 * warms it up. `check` is a sum over the result with fixed weights and `norm` its root of squares, both from operands
 * that depend on the case alone: who computes something else shows.
 *
 * This file and serve.c need nothing but C and POSIX: peers are compiled with them on the spot. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum conv_pass { CONV_FORWARD, CONV_DX, CONV_DW } conv_pass;
enum { CONV_X, CONV_W, CONV_Y };

/* One convolution or one of its gradients. Tensors are in the plain layout: x and dx [N,C,D,H,W], w and dw [O,C,K,K,K]
 * or [N,O,C,K,K,K], y and dy [N,O,D',H',W']. */
typedef struct conv_problem {
    conv_pass pass;
    int n, c, o, k, stride, pad;
    bool per_sample;
    int in[3], out[3]; /* voxels along D, H, W */
    int operand[2];    /* which tensors the pass reads, in the order of our operators */
    int result;        /* which one it writes */
    size_t count[3];   /* elements of x, w, y */
    float *tensor[3];  /* the operands, drawn; memory for the result */
} conv_problem;

/* A program's answers. Each returns NULL, or why it failed; there is one convolution at a time. */
typedef struct conv_server {
    const char *(*open)(const conv_problem *problem, char how[96]); /* how: which of its ways it chose */
    const char *(*run)(int times);                                  /* and waits */
    const char *(*read)(float *result);                             /* in the plain layout */
    void (*close)(void);
} conv_server;

/* Greets, then answers until stdin ends. Returns an exit code. */
int conv_serve(const conv_server *server, const char *greeting);

/* Wall time; with the environment variable CONV_CLOCK, processor time of all threads. */
#define CONV_CLOCK "BENCH_PROCESSOR_TIME"
double conv_seconds(void);

#endif
