/* golden.h: comparing a network with what PyTorch computed, stored by tests/golden/. A tensor is judged by the distance of
 * the two vectors relative to the length of all golden tensors of its layer, or to a hundredth of the length of all that
 * are stored, whichever is longer: the bias in front of a batch norm, and a batch norm in front of another, have gradients
 * that cancel, and no single-precision sum keeps five digits of what is left. */
#ifndef HF_TESTS_GOLDEN_H
#define HF_TESTS_GOLDEN_H

#include "check.h"
#include "hyperfusion.h"

#define FIRST_STEP_LIMIT  1e-5
#define LATER_STEPS_LIMIT 1e-4

/* One case of a golden file: its entries begin with `prefix`, "" or "NAME/". */
typedef struct golden {
    const hf_archive *file;
    const char *prefix;
    double worst; /* largest relative distance so far, as a fraction of its limit */
} golden;

static inline double golden_square(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        const double difference = (double)a[i] - (b ? b[i] : 0);
        sum += difference * difference;
    }
    return sum;
}

static inline const hf_entry *golden_entry(const golden *g, const char *kind, const char *name)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s%s", g->prefix, kind, name);
    return hf_archive_find(g->file, full);
}

/* Length of all golden tensors whose names begin with the first n characters of `start`; with `deep`, also those that
 * have a point behind. */
static inline double golden_length(const golden *g, const char *start, int n, bool deep)
{
    double sum = 0;
    for (int i = 0; i < g->file->n_entries; i++) {
        const hf_entry *e = &g->file->entry[i];
        if (strncmp(e->name, start, (size_t)n) == 0 && (deep || !strchr(e->name + n, '.')))
            sum += golden_square(e->data, NULL, hf_shape_count(&e->shape));
    }
    return sqrt(sum);
}

/* What a distance is relative to. A layer: names that are equal up to the last point. */
static inline double golden_scale(const golden *g, const char *kind, const char *name)
{
    char start[256];
    const char *last = strrchr(name, '.');
    const int whole = snprintf(start, sizeof start, "%s%s", g->prefix, kind);
    const int layer =
        snprintf(start, sizeof start, "%s%s%.*s", g->prefix, kind, last ? (int)(last - name) + 1 : 0, name);
    return fmax(golden_length(g, start, layer, false), 0.01 * golden_length(g, start, whole, true));
}

static inline void golden_judge(golden *g, const char *kind, const char *name, double far, double limit)
{
    if (!(far <= limit))
        fprintf(stderr, "%s%s%s: relative distance %.2e, limit %.0e\n", g->prefix, kind, name, far, limit);
    CHECK(far <= limit);
    if (far / limit > g->worst) g->worst = far / limit;
}

/* `got` holds as many floats as the golden entry; compared by itself, not by layer. */
static inline void golden_compare_values(golden *g, const char *name, const float *got, double limit)
{
    const hf_entry *want = golden_entry(g, name, "");
    if (!CHECK(want != NULL)) return;
    const int64_t count = hf_shape_count(&want->shape);
    golden_judge(g, name, "", sqrt(golden_square(got, want->data, count) / golden_square(want->data, NULL, count)),
                 limit);
}

static inline void golden_compare(golden *g, const char *kind, const hf_named *named, const hf_tensor *tensor,
                                  double limit)
{
    const hf_entry *want = golden_entry(g, kind, named->name);
    CHECK(want != NULL);
    if (!want) {
        fprintf(stderr, "    no %s%s%s in the file\n", g->prefix, kind, named->name);
        return;
    }
    const int64_t count = hf_shape_count(&want->shape);
    if (!CHECK(hf_shape_equal(&want->shape, &tensor->desc.shape))) return;
    float *got = calloc((size_t)count, sizeof *got);
    CHECK(got != NULL && hf_tensor_read(tensor, got, count) == HF_OK);
    golden_judge(g, kind, named->name, sqrt(golden_square(got, want->data, count)) / golden_scale(g, kind, named->name),
                 limit);
    free(got);
}

static inline void golden_compare_gradients(golden *g, const hf_model *model)
{
    for (int i = 0; i < hf_model_named_count(model); i++) {
        const hf_named named = hf_model_named(model, i);
        if (named.is_parameter) golden_compare(g, "gradient.", &named, &named.gradient, FIRST_STEP_LIMIT);
    }
}

/* Parameters, and running statistics where the file has them. */
static inline void golden_compare_final(golden *g, const hf_model *model)
{
    for (int i = 0; i < hf_model_named_count(model); i++) {
        const hf_named named = hf_model_named(model, i);
        if (named.is_parameter || golden_entry(g, "final.", named.name))
            golden_compare(g, "final.", &named, &named.value, LATER_STEPS_LIMIT);
    }
}

static inline hf_status golden_set_parameters(const golden *g, const hf_model *model)
{
    for (int i = 0; i < hf_model_named_count(model); i++) {
        const hf_named named = hf_model_named(model, i);
        if (!named.is_parameter) continue;
        const hf_entry *initial = golden_entry(g, "initial.", named.name);
        if (!initial || !hf_shape_equal(&initial->shape, &named.value.desc.shape))
            return hf_fail(HF_ERR_FORMAT, "the golden file has no %sinitial.%s of this shape", g->prefix, named.name);
        HF_TRY(hf_tensor_write(&named.value, initial->data, hf_shape_count(&initial->shape)));
    }
    return HF_OK;
}

/* An input of a plan, from the entry of this name. */
static inline hf_status golden_set_input(const golden *g, hf_plan *plan, const char *name)
{
    const hf_entry *e = golden_entry(g, name, "");
    return hf_plan_set(plan, name, e->data, hf_shape_count(&e->shape));
}

#endif
