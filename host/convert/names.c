/* names.c: the names that tensors have in PyTorch modules.
 *
 * Ours are PyTorch's already: weight, bias, running_mean, running_var behind the name of a layer. So the naming "own" has
 * no rules, and "authors" replaces the layer's name, then what a hyper layer has inside. The names of the authors' modules
 * are facts read off github.com/daniel4725/HyperFusion (branch main): models/Hyperfusion/HyperFusion_brainage_model.py,
 * HyperFusion_AD_model.py, hyper_base.py, models/base_models.py, concat_models.py, Film_DAFT_preactive/. */
#include "names.h"
#include <string.h>

static const hf_naming_rule none[] = { { 0 } };

static const hf_naming_rule authors[] = {
    /* the stem is a sequence of convolution, batch norm, ReLU; the FiLM network calls it otherwise */
    { "stem", "conv1.0", HF_WHEN_ALWAYS, "ad-film" },
    { "stem_batchnorm", "conv1.1", HF_WHEN_ALWAYS, "ad-film" },
    { "stem", "conv_bn_relu.0", HF_WHEN_ALWAYS, NULL },
    { "stem_batchnorm", "conv_bn_relu.1", HF_WHEN_ALWAYS, NULL },
    /* the modulated block of FiLM and DAFT */
    { "block*.film.reduce", "blockX.aux.aux_base", HF_WHEN_FILM, NULL },
    { "block*.film.expand", "blockX.aux.aux_out", HF_WHEN_FILM, NULL },
    { "block*.batchnorm1", "blockX.bn1", HF_WHEN_FILM, NULL },
    { "block*.batchnorm2", "blockX.bn2", HF_WHEN_FILM, NULL },
    { "block*.conv1", "blockX.conv1", HF_WHEN_FILM, NULL },
    { "block*.conv2", "blockX.conv2", HF_WHEN_FILM, NULL },
    { "block*.shortcut_batchnorm", "blockX.downsample.0", HF_WHEN_FILM, NULL },
    { "block*.shortcut", "blockX.downsample.1", HF_WHEN_FILM, NULL },
    /* a block with hyper layers: each convolution is wrapped, whether it is one or not */
    { "block*.conv1", "block*.conv1.layer", HF_WHEN_REVERSED, NULL },
    { "block*.conv2", "block*.conv2.layer", HF_WHEN_REVERSED, NULL },
    { "block*.shortcut", "block*.downsample.0.layer", HF_WHEN_REVERSED, NULL },
    { "block*.shortcut_batchnorm", "block*.downsample.1", HF_WHEN_REVERSED, NULL },
    /* any other block */
    { "block*.batchnorm1", "block*.bn1", HF_WHEN_ALWAYS, NULL },
    { "block*.batchnorm2", "block*.bn2", HF_WHEN_ALWAYS, NULL },
    { "block*.shortcut_batchnorm", "block*.downsample.0", HF_WHEN_ALWAYS, NULL },
    { "block*.shortcut", "block*.downsample.1", HF_WHEN_ALWAYS, NULL },
    /* linear layers: wrapped in networks with hyper layers */
    { "fc1", "fc1.layer", HF_WHEN_HYPER, NULL },
    { "fc2", "fc2.layer", HF_WHEN_HYPER, NULL },
    { "linear1", "linear1.layer", HF_WHEN_HYPER, NULL },
    { "linear2", "linear2.layer", HF_WHEN_HYPER, NULL },
    { "linear3", "linear3.layer", HF_WHEN_HYPER, NULL },
    { "final_layer", "final_layer.layer", HF_WHEN_HYPER, NULL },
    /* the table alone is one sequence */
    { "embedding.linear", "mlp.0", HF_WHEN_ALWAYS, "ad-tabular" },
    { "embedding.batchnorm", "mlp.1", HF_WHEN_ALWAYS, "ad-tabular" },
    { "embedding.prelu", "mlp.2", HF_WHEN_ALWAYS, "ad-tabular" },
    { "fc", "mlp.3", HF_WHEN_ALWAYS, "ad-tabular" },
    /* inside a hyper layer */
    { "weight_generator", "hyper_net.weights_gen", HF_WHEN_INSIDE, NULL },
    { "bias_generator", "hyper_net.bias_gen", HF_WHEN_INSIDE, NULL },
    { "embedding.linear", "hyper_net.embedding_model.0", HF_WHEN_INSIDE, NULL },
    { "embedding.batchnorm", "hyper_net.embedding_model.1", HF_WHEN_INSIDE, NULL },
    { "embedding.prelu", "hyper_net.embedding_model.2", HF_WHEN_INSIDE, NULL },
    { "embedding", "hyper_net.embedding_model", HF_WHEN_INSIDE, NULL },
    { 0 },
};

static const hf_naming namings[] = {
    { "own", "modules whose attributes are called like our layers", none },
    { "authors", "the modules of github.com/daniel4725/HyperFusion", authors },
};
enum { N_NAMINGS = sizeof namings / sizeof namings[0] };

const hf_naming *hf_naming_at(int index)
{
    return index >= 0 && index < N_NAMINGS ? &namings[index] : NULL;
}

const hf_naming *hf_naming_find(const char *name)
{
    for (int i = 0; i < N_NAMINGS; i++)
        if (strcmp(namings[i].name, name) == 0) return &namings[i];
    return NULL;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

/* What a rule matched: `star` [n_star] stands for the '*', `rest` is what follows, with its point. */
typedef struct match {
    const char *star, *rest;
    size_t n_star;
} match;

static bool matches(match *out, const char *pattern, const char *name)
{
    *out = (match){ .star = "" };
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            out->star = name;
            out->n_star = strcspn(name, ".");
            name += out->n_star;
        } else if (*name++ != *pattern) {
            return false;
        }
    }
    out->rest = name;
    return *name == '.' || *name == '\0';
}

/* Elements of a block's tensor; 0: there is none. */
static int64_t elements(const hf_archive *ours, const match *block, const char *part)
{
    hf_text name = { 0 };
    hf_text_add(&name, "block%.*s.%s", (int)block->n_star, block->star, part);
    const hf_entry *entry = name.data ? hf_archive_find(ours, name.data) : NULL;
    hf_text_free(&name);
    return entry ? hf_shape_count(&entry->shape) : 0;
}

/* A block has more channels out than in where it has a shortcut, so the size of that one's batch norm tells the order. */
static bool is_reversed(const hf_archive *ours, const match *block)
{
    const int64_t norm = elements(ours, block, "shortcut_batchnorm.weight");
    return norm > 0 && norm == elements(ours, block, "batchnorm2.weight");
}

static bool has_hyper(const hf_archive *ours)
{
    for (int i = 0; i < ours->n_entries; i++)
        if (strstr(ours->entry[i].name, ".weight_generator.")) return true;
    return false;
}

static bool holds(const hf_naming_rule *rule, const match *m, const char *network, const hf_archive *ours)
{
    if (rule->network && strcmp(rule->network, network) != 0) return false;
    switch (rule->when) {
    case HF_WHEN_ALWAYS:
        return true;
    case HF_WHEN_FILM:
        return elements(ours, m, "film.reduce.weight") > 0;
    case HF_WHEN_REVERSED:
        return is_reversed(ours, m);
    case HF_WHEN_HYPER:
        return has_hyper(ours);
    case HF_WHEN_INSIDE:
        break;
    }
    return false;
}

static void add_theirs(hf_text *out, const char *theirs, const match *m)
{
    for (; *theirs; theirs++)
        if (*theirs == '*')
            hf_text_add_bytes(out, m->star, m->n_star);
        else
            hf_text_add_bytes(out, theirs, 1);
}

/* The layer's part of a name; returns the rest. */
static const char *add_layer(hf_text *out, const hf_naming *naming, const char *network, const hf_archive *ours,
                             const char *name)
{
    match m;
    for (const hf_naming_rule *rule = naming->rule; rule->ours; rule++) {
        if (rule->when == HF_WHEN_INSIDE || !matches(&m, rule->ours, name) || !holds(rule, &m, network, ours)) continue;
        add_theirs(out, rule->theirs, &m);
        return m.rest;
    }
    return name;
}

/* What a hyper layer has inside: the first point behind which a rule fits. */
static const char *add_inside(hf_text *out, const hf_naming *naming, const char *rest)
{
    match m;
    for (const char *at = strchr(rest, '.'); at; at = strchr(at + 1, '.'))
        for (const hf_naming_rule *rule = naming->rule; rule->ours; rule++) {
            if (rule->when != HF_WHEN_INSIDE || !matches(&m, rule->ours, at + 1)) continue;
            hf_text_add(out, "%.*s.", (int)(at - rest), rest);
            add_theirs(out, rule->theirs, &m);
            return m.rest;
        }
    return rest;
}

hf_status hf_naming_apply(hf_text *out, const hf_naming *naming, const char *network, const hf_archive *ours,
                          const char *name)
{
    const char *rest = add_layer(out, naming, network, ours, name);
    rest = add_inside(out, naming, rest);
    hf_text_add(out, "%s", rest);
    return hf_text_check(out);
}
