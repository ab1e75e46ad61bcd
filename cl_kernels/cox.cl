/* cox.cl: the partial likelihood of Cox's proportional hazards, and its gradient. lib/ops/cox.c has the formulas.
 *
 * Among the events at one time the one with l events before it in the batch, of d, has the fraction f = l / d: with Efron
 * events at its time weigh 1 - f in its sum, so all terms are positive and nothing cancels. With Breslow f is 0.
 *
 * WG  work-items in a group (default 64; any) */
#include "common.h"

#ifndef WG
#define WG 64
#endif

/* 1 or 0; not-a-number for what is neither. */
float event_of(int event)
{
    return event == 0 ? 0.0f : event == 1 ? 1.0f : NAN;
}

/* What subject j weighs in the sum of an event at `time` of this fraction; 0 when it is not at risk any more. */
float weight_at(float time, float fraction, float time_j, int event_j)
{
    if (time_j < time) return 0.0f;
    return time_j == time && event_j == 1 ? 1.0f - fraction : 1.0f;
}

float fraction_of(global const float *time, global const int *event, int i, int samples)
{
    int before = 0, all = 0;
    for (int j = 0; j < samples; j++) {
        int tied = event[j] == 1 && time[j] == time[i];
        all += tied;
        before += tied && j < i;
    }
    return all > 0 ? (float)before / (float)all : 0.0f;
}

/* One work-item a sample; partial[i] = log S_i - x_i for an event, else 0. The largest x at risk is taken out of the sum. */
HF_GROUP(WG)
kernel void cox_terms(global const float *x, global const float *time, global const int *event, global float *state,
                      global float *partial, int samples, int efron)
{
    int i = (int)get_global_id(0);
    if (i >= samples) return;
    float fraction = efron && event[i] == 1 ? fraction_of(time, event, i, samples) : 0.0f, largest = x[i];
    for (int j = 0; j < samples; j++)
        if (time[j] >= time[i] && x[j] > largest) largest = x[j];
    float sum = 0.0f, carry = 0.0f;
    for (int j = 0; j < samples; j++)
        hf_add(&sum, &carry, weight_at(time[i], fraction, time[j], event[j]) * exp(x[j] - largest));
    state[2 * i] = largest + log(sum);
    state[2 * i + 1] = fraction;
    partial[i] = event[i] == 0 ? 0.0f : event_of(event[i]) * (log(sum) + (largest - x[i]));
}

HF_GROUP(1)
kernel void cox_mean(global const float *partial, global const int *event, global float *loss, int samples)
{
    float sum = 0.0f, carry = 0.0f, events = 0.0f;
    for (int i = 0; i < samples; i++) {
        hf_add(&sum, &carry, partial[i]);
        events += event_of(event[i]);
    }
    loss[0] = events == 0.0f ? 0.0f : sum / events;
}

HF_GROUP(WG)
kernel void cox_dx(global const float *x, global const float *time, global const int *event, global const float *state,
                   global const float *dloss, global float *dx, int samples)
{
    int j = (int)get_global_id(0);
    if (j >= samples) return;
    float sum = 0.0f, carry = 0.0f, events = 0.0f;
    for (int i = 0; i < samples; i++) {
        events += event_of(event[i]);
        if (event[i] == 0 || time[j] < time[i]) continue;
        hf_add(&sum, &carry, weight_at(time[i], state[2 * i + 1], time[j], event[j]) * exp(x[j] - state[2 * i]));
    }
    dx[j] = events == 0.0f ? 0.0f : dloss[0] / events * (sum - event_of(event[j]));
}
