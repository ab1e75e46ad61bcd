/* convert.h: state dicts of PyTorch modules. What the tensors of our networks are called there, and archives renamed from
 * one to the other. Values are copied, so a way there and back changes no bit. */
#ifndef HF_CONVERT_H
#define HF_CONVERT_H

#include "archive/archive.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One way to name tensors: "own", a module whose attributes are called like our layers; "authors", the modules of
 * github.com/daniel4725/HyperFusion. doc/names.md lists both for every network. */
typedef struct hf_naming {
    const char *name, *about;
    const struct hf_naming_rule *rule; /* ended by a NULL; the first that fits is applied */
} hf_naming;
const hf_naming *hf_naming_at(int index);          /* NULL beyond the last */
const hf_naming *hf_naming_find(const char *name); /* NULL when there is none */

/* What tensor `name` of a network is called. `ours` holds the network's tensors under our names: some modules have other
 * names where another layer is a hyper layer. */
hf_status hf_naming_apply(hf_text *out, const hf_naming *naming, const char *network, const hf_archive *ours,
                          const char *name) HF_MUST_USE;

/* A state dict as an archive under our names. `ours` says which tensors a network has and their shapes; its values do not
 * count. The naming is the one that fits best, left in *naming; "module.", "model." and "_orig_mod." in front of names are
 * what wrappers add, and are ignored. Axes of length 1 do not count. HF_ERR_FORMAT names what is missing, what is there
 * beside it and what twice, with the nearest name; HF_ERR_SHAPE a shape that differs. */
hf_status hf_convert_from(hf_archive *out, const hf_naming **naming, const hf_archive *theirs, const hf_archive *ours,
                          const char *network) HF_MUST_USE;

/* And back: the weights of an archive, without what an optimiser or a run keeps beside them. */
hf_status hf_convert_to(hf_archive *out, const hf_naming *naming, const hf_archive *ours,
                        const char *network) HF_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
