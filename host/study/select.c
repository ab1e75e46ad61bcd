/* select.c: which layers are worth generating, by the entropy of the loss when each is drawn anew. */
#include "metrics/entropy.h"
#include "parts.h"
#include "report/html.h"
#include "report/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 30, BAR_CELLS = 32 };

typedef struct ranked {
    const char *layer;
    double bits;
} ranked;

/* Most first; equal ones in the order of the network. */
static void insert(ranked *sorted, int count, const char *layer, double bits)
{
    int at = count;
    for (; at > 0 && sorted[at - 1].bits < bits; at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = (ranked){ layer, bits };
}

static hf_status fill(hf_sheet *sheet, const ranked *sorted, int count, bool bars)
{
    static const char bar[] = "################################";
    const double most = sorted[0].bits > 0 ? sorted[0].bits : 1;
    HF_TRY(hf_sheet_set(sheet, 0, 0, "layer"));
    HF_TRY(hf_sheet_set(sheet, 0, 1, "entropy, bits"));
    for (int i = 0; i < count; i++) {
        HF_TRY(hf_sheet_set(sheet, i + 1, 0, "%s", sorted[i].layer));
        HF_TRY(hf_sheet_set(sheet, i + 1, 1, "%.3f", sorted[i].bits));
        if (bars)
            HF_TRY(hf_sheet_set(sheet, i + 1, 2, "%-*.*s", BAR_CELLS, (int)(sorted[i].bits / most * BAR_CELLS + 0.5),
                                bar));
    }
    return HF_OK;
}

static void draw(hf_text *out, const ranked *sorted, int count)
{
    hf_bar bar[HF_MAX_LAYERS];
    for (int i = 0; i < count; i++)
        bar[i] = (hf_bar){ sorted[i].layer, sorted[i].bits, NAN, NAN, 0 };
    hf_bars_svg(out, &(hf_bars){ "entropy of the loss", "bits", 3, count, bar });
}

static hf_status write_html(hf_text *out, const hf_sheet *sheet, const ranked *sorted, int count)
{
    hf_html_head(out, "HyperFusion: layers by the entropy of the loss", NULL);
    hf_html_section(out, NULL, NULL);
    draw(out, sorted, count);
    hf_text_add(out, "</section>\n");
    hf_html_section(out, NULL, NULL);
    hf_sheet_format_find("html")(out, sheet);
    hf_text_add(out, "</section>\n");
    hf_html_foot(out);
    return hf_text_check(out);
}

static hf_status rank(hf_text *out, const hf_layer_losses *losses, const double *bits, const char *format)
{
    ranked sorted[HF_MAX_LAYERS] = { 0 };
    hf_sheet sheet;
    hf_sheet_format *write;
    HF_TRY(hf_sheet_format_choose(&write, format));
    for (int l = 0; l < losses->n_layers; l++)
        insert(sorted, l, losses->layer[l], bits[l]);
    const bool page = format && strcmp(format, "html") == 0;
    HF_TRY(hf_sheet_new(&sheet, losses->n_layers + 1, page ? 2 : 3));
    hf_status status = fill(&sheet, sorted, losses->n_layers, !page);
    if (status == HF_OK && page) status = write_html(out, &sheet, sorted, losses->n_layers);
    if (status == HF_OK && !page) write(out, &sheet);
    hf_sheet_free(&sheet);
    return status == HF_OK ? hf_text_check(out) : status;
}

hf_status hf_study_rank_layers(hf_text *out, const hf_layer_losses *losses, const char *format)
{
    double *bits;
    HF_TRY(hf_alloc(&bits, (size_t)losses->n_layers, sizeof *bits, "entropies"));
    hf_status status = hf_loss_entropy(bits, losses->loss, losses->n_layers, losses->draws, BINS);
    if (status == HF_OK) status = rank(out, losses, bits, format);
    free(bits);
    return status;
}
