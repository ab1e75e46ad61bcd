/* convert.c: a state dict matched with what a network expects, by name and shape. All that does not fit is said at once:
 * who repairs one name wants to know of the others. */
#include "convert.h"
#include <stdlib.h>
#include <string.h>

#define MAX_SAID 4 /* names of each kind in a message; more are counted */

/* One tensor that the network has, and what became of it. */
typedef struct wanted {
    const hf_entry *ours;
    char *name; /* there */
    const hf_entry *found;
} wanted;

/* One tensor of the state dict. */
typedef struct given {
    const hf_entry *entry;
    const char *name; /* without what wrappers add */
    bool used;
} given;

typedef struct matching {
    wanted *want;
    given *give;
    int n_want, n_give;
    int n_found, n_twice;
} matching;

static void matching_free(matching *m)
{
    for (int i = 0; m->want && i < m->n_want; i++)
        free(m->want[i].name);
    free(m->want);
    free(m->give);
    *m = (matching){ 0 };
}

static const char *without_wrappers(const char *name)
{
    static const char *const prefixes[] = { "module.", "model.", "_orig_mod." };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) return without_wrappers(name + strlen(prefixes[i]));
    return name;
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

static hf_status list_wanted(matching *m, const hf_archive *ours, const hf_naming *naming, const char *network)
{
    HF_TRY(hf_alloc(&m->want, (size_t)ours->n_entries + 1, sizeof *m->want, "names of tensors"));
    for (int i = 0; i < ours->n_entries; i++) {
        hf_text name = { 0 };
        if (!hf_archive_is_weight(ours->entry[i].name)) continue;
        const hf_status status = hf_naming_apply(&name, naming, network, ours, ours->entry[i].name);
        m->want[m->n_want++] = (wanted){ .ours = &ours->entry[i], .name = name.data };
        HF_TRY(status);
    }
    return HF_OK;
}

static hf_status list_given(matching *m, const hf_archive *theirs)
{
    HF_TRY(hf_alloc(&m->give, (size_t)theirs->n_entries + 1, sizeof *m->give, "names of tensors"));
    for (int i = 0; i < theirs->n_entries; i++)
        m->give[m->n_give++] = (given){ .entry = &theirs->entry[i], .name = without_wrappers(theirs->entry[i].name) };
    return HF_OK;
}

static hf_status match_names(matching *m, const hf_archive *theirs, const hf_archive *ours, const hf_naming *naming,
                             const char *network)
{
    HF_TRY(list_wanted(m, ours, naming, network));
    HF_TRY(list_given(m, theirs));
    for (int w = 0; w < m->n_want; w++)
        for (int g = 0; g < m->n_give; g++) {
            if (strcmp(m->want[w].name, m->give[g].name) != 0) continue;
            m->n_found += !m->want[w].found;
            m->n_twice += m->want[w].found != NULL;
            m->want[w].found = m->give[g].entry;
            m->give[g].used = true;
        }
    return HF_OK;
}

/* ---- saying what is wrong ---------------------------------------------------------------------------------------- */

static void add_nearest(hf_text *out, const char *name, const char *const *candidates, int count)
{
    const char *nearest = hf_nearest(name, candidates, (size_t)count);
    if (nearest) hf_text_add(out, " (nearest: '%s')", nearest);
}

/* "2 missing: 'fc1.weight' (nearest: 'fc.weight'), ...": `names` [count], nearest among `others`. */
static void add_names(hf_text *out, const char *what, const char *const *names, int count, const char *const *others,
                      int n_others)
{
    if (count == 0) return;
    hf_text_add(out, "%s%d %s: ", out->size ? "; " : "", count, what);
    for (int i = 0; i < count && i < MAX_SAID; i++) {
        hf_text_add(out, "%s'%.100s'", i ? ", " : "", names[i]);
        add_nearest(out, names[i], others, n_others);
    }
    if (count > MAX_SAID) hf_text_add(out, " and %d more", count - MAX_SAID);
}

static void add_twice(hf_text *out, const matching *m)
{
    if (m->n_twice == 0) return;
    hf_text_add(out, "%s%d twice:", out->size ? "; " : "", m->n_twice);
    for (int a = 0, said = 0; a < m->n_give && said < MAX_SAID; a++)
        for (int b = 0; b < a && said < MAX_SAID; b++)
            if (m->give[a].used && strcmp(m->give[a].name, m->give[b].name) == 0)
                hf_text_add(out, "%s '%.100s' and '%.100s'", said++ ? "," : "", m->give[b].entry->name,
                            m->give[a].entry->name);
}

static hf_status refuse(const matching *m, const hf_naming *naming, const char *network)
{
    const char **missing = NULL, **surplus = NULL;
    int n_missing = 0, n_surplus = 0;
    hf_text text = { 0 };
    hf_status status = hf_alloc(&missing, (size_t)m->n_want + 1, sizeof *missing, "names of tensors");
    if (status == HF_OK) status = hf_alloc(&surplus, (size_t)m->n_give + 1, sizeof *surplus, "names of tensors");
    for (int w = 0; status == HF_OK && w < m->n_want; w++)
        if (!m->want[w].found) missing[n_missing++] = m->want[w].name;
    for (int g = 0; status == HF_OK && g < m->n_give; g++)
        if (!m->give[g].used) surplus[n_surplus++] = m->give[g].name;
    if (status == HF_OK) {
        add_names(&text, "missing", missing, n_missing, surplus, n_surplus);
        add_names(&text, "unexpected", surplus, n_surplus, missing, n_missing);
        add_twice(&text, m);
        status = hf_text_check(&text);
    }
    if (status == HF_OK)
        status = hf_fail(HF_ERR_FORMAT, "of the %d tensors of '%s' %d are there by the naming '%s'; %s", m->n_want,
                         network, m->n_found, naming->name, text.data);
    free(missing);
    free(surplus);
    hf_text_free(&text);
    return status;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Equal but for axes of length 1: these move no element. */
static bool same_layout(const hf_shape *a, const hf_shape *b)
{
    int j = 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->dim[i] == 1) continue;
        while (j < b->rank && b->dim[j] == 1)
            j++;
        if (j == b->rank || b->dim[j++] != a->dim[i]) return false;
    }
    while (j < b->rank && b->dim[j] == 1)
        j++;
    return j == b->rank;
}

static hf_status add_value(hf_archive *out, const wanted *w)
{
    char found[96], expected[96];
    if (w->found->type != HF_F32)
        return hf_fail(HF_ERR_FORMAT, "tensor '%s' does not hold 32-bit floats", w->found->name);
    if (!same_layout(&w->found->shape, &w->ours->shape))
        return hf_fail(HF_ERR_SHAPE, "tensor '%s' is %s, the network's '%s' is %s", w->found->name,
                       hf_shape_text(&w->found->shape, found), w->ours->name, hf_shape_text(&w->ours->shape, expected));
    return hf_archive_add(out, w->ours->name, HF_F32, w->ours->shape, w->found->data);
}

/* ---- the two ways ------------------------------------------------------------------------------------------------ */

hf_status hf_convert_from(hf_archive *out, const hf_naming **naming, const hf_archive *theirs, const hf_archive *ours,
                          const char *network)
{
    matching best = { .n_found = -1 }, one = { 0 };
    hf_archive made = { 0 };
    hf_status status = HF_OK;
    const hf_naming *next;
    for (int i = 0; (next = hf_naming_at(i)); i++) {
        HF_TRY_OUT(match_names(&one, theirs, ours, next, network));
        if (one.n_found > best.n_found) {
            const matching worse = best;
            best = one;
            one = worse;
            *naming = next;
        }
        matching_free(&one);
    }
    if (best.n_found < best.n_want || best.n_give > best.n_want) {
        status = refuse(&best, *naming, network);
        goto out;
    }
    for (int w = 0; w < best.n_want; w++)
        HF_TRY_OUT(add_value(&made, &best.want[w]));
    *out = made;
    made = (hf_archive){ 0 };
out:
    hf_archive_free(&made);
    matching_free(&best);
    matching_free(&one);
    return status;
}

static hf_status add_renamed(hf_archive *out, const hf_naming *naming, const hf_archive *ours, const char *network,
                             const hf_entry *entry)
{
    hf_text name = { 0 };
    hf_status status = hf_naming_apply(&name, naming, network, ours, entry->name);
    if (status == HF_OK) status = hf_archive_add(out, name.data, entry->type, entry->shape, entry->data);
    hf_text_free(&name);
    return status;
}

hf_status hf_convert_to(hf_archive *out, const hf_naming *naming, const hf_archive *ours, const char *network)
{
    hf_archive made = { 0 };
    hf_status status = HF_OK;
    for (int i = 0; i < ours->n_entries; i++)
        if (hf_archive_is_weight(ours->entry[i].name))
            HF_TRY_OUT(add_renamed(&made, naming, ours, network, &ours->entry[i]));
    *out = made;
    return HF_OK;
out:
    hf_archive_free(&made);
    return status;
}
