/* conv3d.cl: 3D convolution and its gradients in the plain layout, written like the formulas.
 *
 *   y[n,o,p]   = act(b[o] + sum over c,t of w[o,c,t] * x[n,c,p*stride - pad + t])      t = (td,th,tw), each 0..K-1
 *   dx[n,c,q]  = sum over o,t of w[o,c,t] * dy[n,o,(q + pad - t) / stride]             where the division is exact
 *   dw[o,c,t]  = sum over n,p of dy[n,o,p] * x[n,c,p*stride - pad + t]
 *   db[o]      = sum over n,p of dy[n,o,p]
 *
 * Positions outside the volume count as zero. Every result gathers; nothing is scattered. Weights [o,c,t], or
 * [n,o,c,t] with per_sample. The sums of dw and db are taken in pieces of fixed size and the pieces added in order.
 *
 * WG  64  work-items in a group, any */
#include "common.h"

#ifndef WG
#define WG 64
#endif

HF_GROUP(WG)
kernel void conv3d_plain(global const float *x, global const float *w, global const float *b, global float *y, int N,
                         int C, int O, int D, int H, int W, int OD, int OH, int OW, int K, int stride, int pad,
                         int per_sample, int has_bias, int relu)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)N * O * OD * OH * OW) return;
    int ow = (int)(i % OW), oh = (int)(i / OW % OH), od = (int)(i / OW / OH % OD);
    size_t no = i / OW / OH / OD, n = no / O, o = no % O, bank = per_sample ? no : o;
    float sum = has_bias ? b[bank] : 0.0f;
    for (int c = 0; c < C; c++)
        for (int td = 0; td < K; td++) {
            int d = od * stride - pad + td;
            for (int th = 0; th < K; th++) {
                int h = oh * stride - pad + th;
                if (d < 0 || d >= D || h < 0 || h >= H) continue;
                global const float *row = x + (((n * C + c) * D + d) * H + h) * W;
                global const float *taps = w + (((bank * C + c) * K + td) * K + th) * K;
                for (int tw = 0; tw < K; tw++) {
                    int at = ow * stride - pad + tw;
                    if (at >= 0 && at < W) sum += taps[tw] * row[at];
                }
            }
        }
    y[i] = relu && sum <= 0.0f ? 0.0f : sum;
}

HF_GROUP(WG)
kernel void conv3d_dx_plain(global const float *dy, global const float *w, global float *dx, int N, int C, int O, int D,
                            int H, int W, int OD, int OH, int OW, int K, int stride, int pad, int per_sample)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)N * C * D * H * W) return;
    int at_w = (int)(i % W), at_h = (int)(i / W % H), at_d = (int)(i / W / H % D);
    size_t nc = i / W / H / D, n = nc / C, c = nc % C;
    float sum = 0.0f;
    for (int o = 0; o < O; o++) {
        size_t bank = per_sample ? n * O + o : (size_t)o;
        for (int td = 0; td < K; td++) {
            int d = at_d + pad - td;
            if (d < 0 || d % stride || d / stride >= OD) continue;
            for (int th = 0; th < K; th++) {
                int h = at_h + pad - th;
                if (h < 0 || h % stride || h / stride >= OH) continue;
                global const float *row = dy + (((n * O + o) * OD + d / stride) * OH + h / stride) * OW;
                global const float *taps = w + (((bank * C + c) * K + td) * K + th) * K;
                for (int tw = 0; tw < K; tw++) {
                    int ow = at_w + pad - tw;
                    if (ow >= 0 && ow % stride == 0 && ow / stride < OW) sum += taps[tw] * row[ow / stride];
                }
            }
        }
    }
    dx[i] = sum;
}

/* One work-item: one weight over rows_per_chunk rows (n,od,oh) of outputs. part [chunk, banks*O*C*K*K*K]; with one
 * chunk it is the result. Per-sample banks each take the rows of their own sample, `rows` of them. */
HF_GROUP(WG)
kernel void conv3d_dw_plain(global const float *x, global const float *dy, global float *part, int banks, int C, int O,
                            int D, int H, int W, int OD, int OH, int OW, int K, int stride, int pad, int rows,
                            int rows_per_chunk, int chunks)
{
    size_t i = get_global_id(0);
    size_t weights = (size_t)banks * O * C * K * K * K;
    if (i >= weights * chunks) return;
    size_t weight = i % weights;
    int first = (int)(i / weights) * rows_per_chunk, last = min(first + rows_per_chunk, rows);
    int tw = (int)(weight % K), th = (int)(weight / K % K), td = (int)(weight / K / K % K);
    size_t oc = weight / K / K / K, c = oc % C, o = oc / C % O, bank = oc / C / O;
    float sum = 0.0f;
    for (int row = first; row < last; row++) {
        int oh = row % OH, od = row / OH % OD;
        size_t n = bank + row / OH / OD; /* one of the two is zero */
        int d = od * stride - pad + td, h = oh * stride - pad + th;
        if (d < 0 || d >= D || h < 0 || h >= H) continue;
        global const float *from = x + (((n * C + c) * D + d) * H + h) * W;
        global const float *grad = dy + (((n * O + o) * OD + od) * OH + oh) * OW;
        for (int ow = 0; ow < OW; ow++) {
            int at = ow * stride - pad + tw;
            if (at >= 0 && at < W) sum += grad[ow] * from[at];
        }
    }
    part[i] = sum;
}

/* sum[i] = part[0,i] + part[1,i] + ... + part[chunks-1,i] */
HF_GROUP(WG)
kernel void conv3d_add_parts(global const float *part, global float *sum, int count, int chunks)
{
    int i = (int)get_global_id(0);
    if (i >= count) return;
    float total = 0.0f;
    for (int chunk = 0; chunk < chunks; chunk++)
        total += part[(size_t)chunk * count + i];
    sum[i] = total;
}

/* part[n,chunk,o] = sum of dy[n,o,p] over the positions of a chunk */
HF_GROUP(WG)
kernel void conv3d_db_part(global const float *dy, global float *part, int N, int O, int voxels, int voxels_per_chunk,
                           int chunks)
{
    size_t i = get_global_id(0);
    if (i >= (size_t)N * chunks * O) return;
    size_t o = i % O, n = i / O / chunks;
    int first = (int)(i / O % chunks) * voxels_per_chunk, last = min(first + voxels_per_chunk, voxels);
    global const float *from = dy + (n * O + o) * voxels;
    float sum = 0.0f;
    for (int p = first; p < last; p++)
        sum += from[p];
    part[i] = sum;
}

/* db[n,o] = sum over the chunks of sample n; with shared weights all samples' chunks count as one sample's. */
HF_GROUP(WG)
kernel void conv3d_db_sum(global const float *part, global float *db, int O, int banks, int chunks)
{
    int i = (int)get_global_id(0);
    if (i >= banks * O) return;
    int o = i % O, bank = i / O;
    float sum = 0.0f;
    for (int chunk = 0; chunk < chunks; chunk++)
        sum += part[((size_t)bank * chunks + chunk) * O + o];
    db[i] = sum;
}
