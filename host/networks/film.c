/* film.c: modulation of feature maps by a vector, as the paper's FiLM-like and DAFT-like baselines have it: no bias
 * anywhere, and a scale that is not measured from 1. */
#include "conditioning.h"
#include <stdio.h>
#include <string.h>

static hf_node *activated(hf_node *scale, const char *activation)
{
    if (strcmp(activation, "sigmoid") == 0) return hf_sigmoid(scale);
    return strcmp(activation, "tanh") == 0 ? hf_tanh(scale) : scale;
}

hf_node *hf_modulated(hf_node *x, hf_conditioning *c, const char *name, hf_node *v)
{
    static const hf_layer_options no_bias = { .no_bias = true };
    const bool scales = strcmp(c->o.film, "shift") != 0, shifts = strcmp(c->o.film, "scale") != 0;
    const int channels = (int)hf_dim(x, 1), count = channels * (scales + shifts);
    hf_node *scale = NULL, *shift = NULL;
    char label[160];
    if (!x || !v) return NULL;
    snprintf(label, sizeof label, "%.120s.reduce", name);
    hf_node *both = hf_relu(hf_linear(v, label, c->o.bottleneck, &no_bias)); /* [N,bottleneck] */
    snprintf(label, sizeof label, "%.120s.expand", name);
    both = hf_linear(both, label, count, &no_bias); /* [N,C] or [N,2C]: scale first */
    if (scales) scale = activated(shifts ? hf_features(both, 0, channels) : both, c->o.film_activation);
    if (shifts) shift = scales ? hf_features(both, channels, channels) : both;
    return both ? hf_channel_affine(x, scale, shift) : NULL;
}
