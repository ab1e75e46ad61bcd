/* model.c: named parameters in one flat buffer, states beside it.
 *
 * Names are collected while graphs are built; freezing lays the parameters out one after the other (each starting at a
 * multiple of the device's view alignment, the gaps zero for ever), allocates theta and its gradient, and fills in the
 * initial values, which depend on (seed, name, element) alone. */
#include "node.h"
#include <stdlib.h>
#include <string.h>

hf_status hf_model_new(hf_model **out, hf_context *context, uint64_t seed)
{
    *out = NULL;
    HF_TRY(hf_alloc(out, 1, sizeof **out, "a model"));
    (*out)->context = context;
    (*out)->seed = seed;
    return HF_OK;
}

/* All that freezing made: views before what they are views of. */
static void free_memory(hf_model *model)
{
    for (int i = 0; i < model->n_slots; i++) {
        hf_tensor_free(&model->slot[i].value);
        hf_tensor_free(&model->slot[i].gradient);
    }
    hf_tensor_free(&model->random);
    hf_tensor_free(&model->one);
    hf_buffer_free(&model->theta);
    hf_buffer_free(&model->gradient);
}

void hf_model_free(hf_model **model)
{
    if (!model || !*model) return;
    hf_model *m = *model;
    free_memory(m);
    for (int i = 0; i < m->n_slots; i++)
        free(m->slot[i].name);
    free(m->slot);
    free(m);
    *model = NULL;
}

hf_context *hf_model_context(const hf_model *model)
{
    return model->context;
}

int hf_model_find(const hf_model *model, const char *name)
{
    for (int i = 0; i < model->n_slots; i++)
        if (strcmp(model->slot[i].name, name) == 0) return i;
    return -1;
}

static hf_status same_slot(const hf_slot *slot, hf_shape shape, bool is_parameter)
{
    char had[96], got[96];
    if (hf_shape_equal(&slot->shape, &shape) && slot->is_parameter == is_parameter) return HF_OK;
    return hf_fail(HF_ERR_SHAPE, "'%s' is a %s %s of this model, but now a %s %s is wanted", slot->name,
                   slot->is_parameter ? "parameter" : "state", hf_shape_text(&slot->shape, had),
                   is_parameter ? "parameter" : "state", hf_shape_text(&shape, got));
}

hf_status hf_model_slot(int *out, hf_model *model, const char *name, hf_shape shape, hf_init init, bool is_parameter)
{
    *out = hf_model_find(model, name);
    if (*out >= 0) return same_slot(&model->slot[*out], shape, is_parameter);
    if (model->frozen)
        return hf_fail(HF_ERR_ARGUMENT, "'%s' cannot be added: the model's parameters are in use already", name);
    if (model->n_slots == model->capacity) {
        const int capacity = model->capacity ? 2 * model->capacity : 64;
        hf_slot *grown = NULL;
        HF_TRY(hf_alloc(&grown, (size_t)capacity, sizeof *grown, "the parameters of a model"));
        if (model->n_slots) memcpy(grown, model->slot, (size_t)model->n_slots * sizeof *grown);
        free(model->slot);
        model->slot = grown;
        model->capacity = capacity;
    }
    hf_slot slot = { .shape = shape, .init = init, .is_parameter = is_parameter };
    HF_TRY(hf_strdup(&slot.name, name));
    *out = model->n_slots;
    model->slot[model->n_slots++] = slot;
    return HF_OK;
}

int64_t hf_model_parameter_count(const hf_model *model)
{
    int64_t count = 0;
    for (int i = 0; i < model->n_slots; i++)
        if (model->slot[i].is_parameter) count += hf_shape_count(&model->slot[i].shape);
    return count;
}

/* ---- freezing ---------------------------------------------------------------------------------------------------- */

static size_t lay_out(hf_model *model)
{
    const size_t align = hf_context_device(model->context)->align;
    size_t at = 0;
    for (int i = 0; i < model->n_slots; i++) {
        if (!model->slot[i].is_parameter) continue;
        const hf_desc desc = { model->slot[i].shape, HF_F32, HF_PLAIN };
        model->slot[i].offset = at;
        at += (hf_desc_bytes(&desc) + align - 1) / align * align;
    }
    return at;
}

static hf_status fill_initial(const hf_slot *slot, uint64_t seed)
{
    const int64_t count = hf_shape_count(&slot->shape);
    const uint64_t stream = hf_random_stream(slot->name, 0, 0);
    float *values = NULL;
    HF_TRY(hf_alloc(&values, (size_t)count, sizeof *values, "initial values"));
    for (int64_t i = 0; i < count; i++)
        values[i] = slot->init.kind == HF_INIT_CONSTANT
                        ? (float)slot->init.value
                        : (float)(slot->init.value * (2 * hf_random_uniform(seed, stream, (uint64_t)i) - 1));
    const hf_status status = hf_tensor_write(&slot->value, values, count);
    free(values);
    return status;
}

static hf_status make_slot(hf_model *model, hf_slot *slot)
{
    const hf_desc desc = { slot->shape, HF_F32, HF_PLAIN };
    if (slot->is_parameter) {
        const size_t bytes = hf_desc_bytes(&desc);
        slot->value.desc = slot->gradient.desc = desc;
        HF_TRY(hf_buffer_view(&slot->value.buffer, model->theta, slot->offset, bytes));
        HF_TRY(hf_buffer_view(&slot->gradient.buffer, model->gradient, slot->offset, bytes));
    } else {
        HF_TRY(hf_tensor_new_desc(&slot->value, model->context, &desc));
    }
    return fill_initial(slot, model->seed);
}

static hf_status set_step(const hf_model *model, uint64_t seed, uint32_t step)
{
    const uint32_t state[4] = { (uint32_t)seed, (uint32_t)(seed >> 32), step, 0 };
    return hf_buffer_fill(model->random.buffer, 0, sizeof state, state, sizeof state); /* does not wait */
}

static hf_status make_memory(hf_model *model)
{
    static const float zero = 0, one = 1;
    model->flat_bytes = lay_out(model);
    HF_TRY(hf_buffer_new(&model->theta, model->context, model->flat_bytes, "the parameters"));
    HF_TRY(hf_buffer_new(&model->gradient, model->context, model->flat_bytes, "the gradients"));
    HF_TRY(hf_buffer_fill(model->theta, 0, model->flat_bytes, &zero, sizeof zero));
    HF_TRY(hf_buffer_fill(model->gradient, 0, model->flat_bytes, &zero, sizeof zero));
    const hf_desc random = { HF_SHAPE(4), HF_I32, HF_PLAIN };
    HF_TRY(hf_tensor_new_desc(&model->random, model->context, &random));
    HF_TRY(hf_tensor_new(&model->one, model->context, HF_SHAPE(1)));
    HF_TRY(hf_tensor_write(&model->one, &one, 1));
    for (int i = 0; i < model->n_slots; i++)
        HF_TRY(make_slot(model, &model->slot[i]));
    return set_step(model, model->seed, 0);
}

hf_status hf_model_freeze(hf_model *model)
{
    if (model->frozen) return HF_OK;
    const hf_status status = make_memory(model);
    model->frozen = status == HF_OK;
    if (!model->frozen) free_memory(model); /* as it was: it can be tried again, when there is memory */
    return status;
}

hf_status hf_model_redraw(hf_model *model, const char *layer, uint64_t seed)
{
    const size_t length = strlen(layer);
    int drawn = 0;
    HF_TRY(hf_model_freeze(model));
    for (int i = 0; i < model->n_slots; i++) {
        const hf_slot *slot = &model->slot[i];
        if (!slot->is_parameter || strncmp(slot->name, layer, length) != 0 || slot->name[length] != '.') continue;
        HF_TRY(fill_initial(slot, seed));
        drawn++;
    }
    return drawn ? HF_OK : hf_fail(HF_ERR_ARGUMENT, "this network has no layer '%s'", layer);
}

hf_status hf_model_set_step(hf_model *model, uint64_t seed, uint32_t step)
{
    HF_TRY(hf_model_freeze(model));
    return set_step(model, seed, step);
}

/* ---- access ------------------------------------------------------------------------------------------------------ */

int hf_model_named_count(const hf_model *model)
{
    return model->n_slots;
}

hf_named hf_model_named(const hf_model *model, int index)
{
    const hf_slot *slot = &model->slot[index];
    return (hf_named){ slot->name, slot->value, slot->gradient, slot->is_parameter };
}

static hf_tensor flat(hf_buffer *buffer, size_t bytes)
{
    return (hf_tensor){ { { 1, { (int64_t)(bytes / sizeof(float)) } }, HF_F32, HF_PLAIN }, buffer };
}

hf_tensor hf_model_theta(const hf_model *model)
{
    return flat(model->theta, model->flat_bytes);
}

hf_tensor hf_model_gradient(const hf_model *model)
{
    return flat(model->gradient, model->flat_bytes);
}
