/* entropy.h: how much the loss varies with one layer's weights (Lutati and Wolf 2021). */
#ifndef HF_ENTROPY_H
#define HF_ENTROPY_H

#include "hfbase.h"

#ifdef __cplusplus
extern "C" {
#endif

/* bits[layers]: the entropy of each row of loss[layers,draws], counted into `bins` equal bins of one range common to all
 * rows, from the least to the greatest loss of all; a value on an inner edge belongs to the bin above it. All losses equal:
 * 0. HF_ERR_NUMBER for one that is not finite, HF_ERR_ARGUMENT when there is nothing to count. */
hf_status hf_loss_entropy(double *bits, const double *loss, int layers, int draws, int bins) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
