/* operators.c: writes doc/operators.md from the operator tables, so that the page cannot say anything else.
 *
 *     operators > doc/operators.md     writes it
 *     operators doc/operators.md       fails unless the file is what would be written */
#include "op.h"
#include "page.h"

#define HF_OP(stem) extern const hf_op *const hf_ops_##stem[];
#include "ops/ops.def"
#undef HF_OP

static const struct {
    const char *name;
    const hf_op *const *ops;
} stems[] = {
#define HF_OP(stem) { #stem, hf_ops_##stem },
#include "ops/ops.def"
#undef HF_OP
};

/* Word `index` of "x w b" into word[64]. */
static const char *word_at(char word[64], const char *words, int index)
{
    while (index-- > 0 && words)
        words = strchr(words, ' ') ? strchr(words, ' ') + 1 : NULL;
    snprintf(word, 64, "%.*s", words ? (int)strcspn(words, " ") : 1, words ? words : "?");
    return word;
}

/* "x, w, [b]": operands that may be left out stand in brackets. */
static void add_operands(hf_text *page, const hf_op *op)
{
    char word[64];
    for (int i = 0; i < op->max_in; i++) {
        const bool optional = i >= op->min_in;
        hf_text_add(page, "%s%s%s%s", i ? ", " : "", optional ? "[" : "", word_at(word, op->in_names, i),
                    optional ? "]" : "");
    }
}

static void add_results(hf_text *page, const hf_op *op)
{
    char word[64], replaced[64];
    for (int i = 0; i < op->n_out; i++) {
        hf_text_add(page, "%s%s", i ? ", " : "", word_at(word, op->out_names, i));
        if (op->replaces[i])
            hf_text_add(page, " (may replace %s)", word_at(replaced, op->in_names, op->replaces[i] - 1));
    }
}

/* In backquotes, where only '|' means something: the end of the table cell. */
static void add_code(hf_text *page, const char *text)
{
    hf_text_add(page, "`");
    for (; *text; text++)
        hf_text_add(page, "%s%c", *text == '|' ? "\\" : "", *text);
    hf_text_add(page, "`");
}

static void add_gradients(hf_text *page, const hf_op *op)
{
    char word[64];
    for (const hf_rule *rule = op->rules; rule->op; rule++) {
        hf_text_add(page, "%s`%s` (", rule == op->rules ? "" : ", ", rule->op);
        for (int k = 0; rule->wrt[k] != HF_RULE_END; k++)
            hf_text_add(page, "%s%s", k ? ", " : "", word_at(word, op->in_names, rule->wrt[k]));
        hf_text_add(page, ")");
    }
}

static void add_implementations(hf_text *page, const hf_op *op)
{
    for (const hf_impl *impl = op->impls; impl->name; impl++)
        hf_text_add(page, "%s%s", impl == op->impls ? "" : ", ", impl->name);
}

static void add_stem(hf_text *page, const char *name, const hf_op *const *ops)
{
    hf_text_add(page, "\n## %s\n\n| operator | operands | results | formula | gradients | implementations |\n", name);
    hf_text_add(page, "|---|---|---|---|---|---|\n");
    for (; *ops; ops++) {
        hf_text_add(page, "| `%s` | ", (*ops)->name);
        add_operands(page, *ops);
        hf_text_add(page, " | ");
        add_results(page, *ops);
        hf_text_add(page, " | ");
        add_code(page, (*ops)->formula);
        hf_text_add(page, " | ");
        add_gradients(page, *ops);
        hf_text_add(page, " | ");
        add_implementations(page, *ops);
        hf_text_add(page, " |\n");
    }
}

static hf_status write_page(hf_text *page)
{
    hf_text_add(page,
                "# Operators\n\n"
                "Written by `doc/operators.c` from the operator tables; a test fails when this page is not what it "
                "writes.\n\n"
                "One section a stem: the operators of `lib/ops/<stem>.c`, whose opening comment says more. Operands "
                "in brackets may be\nleft out. Options are the fields of `hf_params` in `lib/hfcl.h`. A gradient is "
                "an operator too: `conv3d_dw (w)` computes\nthe gradient of operand w. Of the implementations the "
                "first that fits device and problem is used, unless\n`cl_kernels/tuning.tsv` names another; the "
                "last fits everything.\n");
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++)
        add_stem(page, stems[i].name, stems[i].ops);
    return hf_text_check(page);
}

int main(int argc, char **argv)
{
    return page_main("operators", write_page, argc, argv);
}
