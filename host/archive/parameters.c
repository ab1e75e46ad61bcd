/* parameters.c: models and optimisers in archives, tensor by tensor under the names they have in the model.
 *
 * The flat buffers of a model have gaps that depend on the device, so moments are cut into one tensor a parameter,
 * "optimizer.m.NAME" and "optimizer.v.NAME"; the step count is the text "optimizer.steps". A file written on one device
 * loads on any other. Loading checks everything first and changes nothing when something is wrong. */
#include "archive.h"
#include "graph/node.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIMIZER_PREFIX "optimizer."
#define EXTRA_PREFIX     "run." /* what a training run keeps beside the model */
#define STEPS_KEY        "optimizer.steps"
#define MAX_NAME         512

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool hf_archive_is_weight(const char *name)
{
    return !has_prefix(name, OPTIMIZER_PREFIX) && !has_prefix(name, EXTRA_PREFIX);
}

/* The tensor called `name`, which must be there with this shape. */
static hf_status find_entry(const hf_entry **out, const hf_archive *archive, const char *name, const hf_shape *shape)
{
    char found[96], expected[96];
    const hf_entry *entry = hf_archive_find(archive, name);
    if (!entry) return hf_fail(HF_ERR_FORMAT, "the checkpoint has no tensor '%s'", name);
    if (entry->type != HF_F32)
        return hf_fail(HF_ERR_FORMAT, "tensor '%s' of the checkpoint does not hold 32-bit floats", name);
    if (!hf_shape_equal(&entry->shape, shape))
        return hf_fail(HF_ERR_SHAPE, "tensor '%s': %s in the checkpoint, %s in the model", name,
                       hf_shape_text(&entry->shape, found), hf_shape_text(shape, expected));
    *out = entry;
    return HF_OK;
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

static hf_status save_slot(const hf_slot *slot, hf_archive *archive)
{
    float *values = NULL;
    HF_TRY(hf_alloc(&values, (size_t)hf_shape_count(&slot->shape), sizeof *values, slot->name));
    hf_status status = hf_tensor_read(&slot->value, values, hf_shape_count(&slot->shape));
    if (status == HF_OK) status = hf_archive_add(archive, slot->name, HF_F32, slot->shape, values);
    free(values);
    return status;
}

hf_status hf_model_save(const hf_model *model, hf_archive *archive)
{
    if (!model->frozen) return hf_fail(HF_ERR_ARGUMENT, "the model has no values yet: freeze it before saving");
    for (int i = 0; i < model->n_slots; i++)
        HF_TRY(save_slot(&model->slot[i], archive));
    return HF_OK;
}

static hf_status check_model(const hf_model *model, const hf_archive *archive)
{
    const hf_entry *entry;
    for (int i = 0; i < model->n_slots; i++)
        HF_TRY(find_entry(&entry, archive, model->slot[i].name, &model->slot[i].shape));
    for (int i = 0; i < archive->n_entries; i++) {
        const char *name = archive->entry[i].name;
        if (hf_archive_is_weight(name) && hf_model_find(model, name) < 0)
            return hf_fail(HF_ERR_FORMAT, "tensor '%s' of the checkpoint is not in the model", name);
    }
    return HF_OK;
}

hf_status hf_model_load(hf_model *model, const hf_archive *archive)
{
    HF_TRY(hf_model_freeze(model));
    HF_TRY(check_model(model, archive));
    for (int i = 0; i < model->n_slots; i++) {
        const hf_entry *entry = hf_archive_find(archive, model->slot[i].name);
        HF_TRY(hf_tensor_write(&model->slot[i].value, entry->data, hf_shape_count(&entry->shape)));
    }
    return HF_OK;
}

/* ---- optimisers -------------------------------------------------------------------------------------------------- */

/* One flat moment, and what its tensors are called. */
typedef struct moment {
    const char *letter;
    hf_tensor tensor; /* absent: the optimiser has no such moment */
} moment;

static hf_status moment_name(char out[MAX_NAME], const char *letter, const char *parameter)
{
    const int length = snprintf(out, MAX_NAME, "%s%s.%s", OPTIMIZER_PREFIX, letter, parameter);
    if (length < MAX_NAME) return HF_OK;
    return hf_fail(HF_ERR_ARGUMENT, "the parameter name '%.64s...' is too long for a checkpoint", parameter);
}

static hf_status save_moment(const hf_model *model, const moment *m, hf_archive *archive)
{
    char name[MAX_NAME];
    float *flat = NULL;
    hf_status status = hf_alloc(&flat, model->flat_bytes, 1, "the optimizer's moments");
    if (status == HF_OK) status = hf_tensor_read(&m->tensor, flat, hf_shape_count(&m->tensor.desc.shape));
    for (int i = 0; status == HF_OK && i < model->n_slots; i++) {
        const hf_slot *slot = &model->slot[i];
        if (!slot->is_parameter) continue;
        status = moment_name(name, m->letter, slot->name);
        if (status == HF_OK)
            status = hf_archive_add(archive, name, HF_F32, slot->shape, flat + slot->offset / sizeof *flat);
    }
    free(flat);
    return status;
}

static hf_status load_moment(const hf_model *model, const moment *m, const hf_archive *archive)
{
    char name[MAX_NAME];
    float *flat = NULL;
    const hf_entry *entry;
    hf_status status = hf_alloc(&flat, model->flat_bytes, 1, "the optimizer's moments");
    for (int i = 0; status == HF_OK && i < model->n_slots; i++) {
        const hf_slot *slot = &model->slot[i];
        if (!slot->is_parameter) continue;
        status = moment_name(name, m->letter, slot->name);
        if (status == HF_OK) status = find_entry(&entry, archive, name, &slot->shape);
        if (status == HF_OK)
            memcpy((char *)flat + slot->offset, entry->data, (size_t)hf_shape_count(&slot->shape) * sizeof *flat);
    }
    if (status == HF_OK) status = hf_tensor_write(&m->tensor, flat, hf_shape_count(&m->tensor.desc.shape));
    free(flat);
    return status;
}

static void moments_of(moment out[2], const hf_optimizer *optimizer)
{
    out[0] = (moment){ .letter = "m" };
    out[1] = (moment){ .letter = "v" };
    hf_optimizer_moments(optimizer, &out[0].tensor, &out[1].tensor);
}

hf_status hf_optimizer_save(const hf_optimizer *optimizer, hf_archive *archive)
{
    moment both[2];
    char steps[32];
    moments_of(both, optimizer);
    for (int i = 0; i < 2; i++)
        if (both[i].tensor.buffer) HF_TRY(save_moment(hf_optimizer_model(optimizer), &both[i], archive));
    snprintf(steps, sizeof steps, "%" PRId64, hf_optimizer_steps(optimizer));
    return hf_archive_add_text(archive, STEPS_KEY, steps);
}

hf_status hf_optimizer_load(hf_optimizer *optimizer, const hf_archive *archive)
{
    moment both[2];
    char *end;
    const char *text = hf_archive_find_text(archive, STEPS_KEY);
    if (!text) return hf_fail(HF_ERR_FORMAT, "the checkpoint holds no optimizer state (no text '%s')", STEPS_KEY);
    const long long steps = strtoll(text, &end, 10);
    if (end == text || *end || steps < 0)
        return hf_fail(HF_ERR_FORMAT, "the checkpoint's '%s' is '%.32s', a count is expected", STEPS_KEY, text);
    moments_of(both, optimizer);
    for (int i = 0; i < 2; i++)
        if (both[i].tensor.buffer) HF_TRY(load_moment(hf_optimizer_model(optimizer), &both[i], archive));
    hf_optimizer_set_steps(optimizer, steps);
    return HF_OK;
}
