/* options.c: command lines read by tables. Each command lists its options once; parsing, help and the hint at the
 * nearest option come from that list. */
#include "cli.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- help -------------------------------------------------------------------------------------------------------- */

void cli_print_overview(void)
{
    printf("HyperFusion trains networks whose weights come from other networks, on any OpenCL device.\n\n"
           "usage: hyperfusion COMMAND ...\n\n");
    for (int i = 0; cli_commands[i]; i++)
        printf("  %-15s%s\n", cli_commands[i]->name, cli_commands[i]->summary);
    printf("\n'hyperfusion COMMAND --help' tells more about a command, 'hyperfusion --version' the version.\n"
           "Exit status: 0 success, 1 failure, 2 a wrong command line, 3 success for some subjects of a\n"
           "cohort only, 130 stopped by a signal.\n");
}

void cli_print_help(const cli_command *command)
{
    char label[64];
    printf("usage: hyperfusion %s%s%s\n\n%s\n", command->name, command->operands[0] ? " " : "", command->operands,
           command->about);
    printf("\noptions:\n");
    for (const cli_option *o = command->options; o->name; o++) {
        snprintf(label, sizeof label, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-22s%s\n", label, o->help);
    }
    printf("  %-22s%s\n", "--help", "this text");
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

int cli_usage(const cli_command *command, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "hyperfusion %s: ", command->name);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "\nSee 'hyperfusion %s --help'.\n", command->name);
    return CLI_USAGE;
}

int cli_failed(void)
{
    fprintf(stderr, "hyperfusion: %s\n", hf_error_message());
    return CLI_FAILED;
}

int cli_left_out(const hf_predictions *predictions)
{
    if (predictions->n_left_out == 0) return CLI_OK;
    fprintf(stderr, "hyperfusion: %d left out, %d predicted (status %d)\n", predictions->n_left_out, predictions->count,
            CLI_SOME_LEFT_OUT);
    return CLI_SOME_LEFT_OUT;
}

json_t *cli_left_out_json(const hf_predictions *predictions)
{
    json_t *all = json_array();
    for (int i = 0; i < predictions->n_left_out; i++) {
        const hf_left_out *left = &predictions->left_out[i];
        json_array_append_new(all, json_pack("{ss,ss}", "id", left->id, "why", left->why));
    }
    return all;
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static const cli_option *find_option(const cli_command *command, const char *name, size_t length)
{
    for (const cli_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) return o;
    return NULL;
}

static int unknown_option(const cli_command *command, const char *word)
{
    enum { MAX_NAMES = 32 };
    const char *names[MAX_NAMES];
    char typed[64];
    size_t count = 0;
    const char *bare = word + strspn(word, "-");
    for (const cli_option *o = command->options; o->name && count < MAX_NAMES - 1; o++)
        names[count++] = o->name;
    names[count++] = "help";
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(bare, "="), bare);
    const char *nearest = hf_nearest(typed, names, count);
    if (nearest) return cli_usage(command, "unknown option '%s'; did you mean '--%s'?", word, nearest);
    return cli_usage(command, "unknown option '%s'", word);
}

/* Takes the option at words[*at], and its value when it is in the next word. */
static int take_option(cli_args *args, int *at, int n_words, char **words)
{
    const char *name = words[*at] + 2, *equals = strchr(name, '=');
    const size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const cli_option *option = strncmp(words[*at], "--", 2) == 0 ? find_option(args->command, name, length) : NULL;
    if (!option) return unknown_option(args->command, words[*at]);
    if (!option->value && equals) return cli_usage(args->command, "'--%s' takes no value", option->name);
    if (option->value && !equals && *at + 1 == n_words)
        return cli_usage(args->command, "'--%s' needs a value: --%s %s", option->name, option->name, option->value);
    if (!option->repeats && cli_has(args, option->name))
        return cli_usage(args->command, "'--%s' is given twice", option->name);
    if (args->n_given == CLI_MAX_GIVEN) return cli_usage(args->command, "more than %d options", (int)CLI_MAX_GIVEN);
    args->given[args->n_given] = option;
    args->value[args->n_given++] = equals ? equals + 1 : option->value ? words[++*at] : "";
    return CLI_OK;
}

int cli_parse(cli_args *out, const cli_command *command, int n_words, char **words)
{
    bool options_over = false;
    *out = (cli_args){ .command = command };
    for (int i = 0; i < n_words; i++) {
        if (!options_over && strcmp(words[i], "--") == 0) {
            options_over = true;
        } else if (!options_over && words[i][0] == '-' && words[i][1]) {
            const int taken = take_option(out, &i, n_words, words);
            if (taken != CLI_OK) return taken;
        } else if (out->n_arguments == command->most) {
            return cli_usage(command, "'%s' is one argument too many: expected %s", words[i],
                             command->operands[0] ? command->operands : "none");
        } else {
            out->argument[out->n_arguments++] = words[i];
        }
    }
    if (out->n_arguments < command->least)
        return cli_usage(command, "an argument is missing: expected %s", command->operands);
    return CLI_OK;
}

const char *cli_value(const cli_args *args, const char *option)
{
    const char *value = NULL;
    for (int i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i]->name, option) == 0) value = args->value[i];
    return value;
}

bool cli_has(const cli_args *args, const char *option)
{
    return cli_value(args, option) != NULL;
}

int cli_integer(int64_t *out, const cli_args *args, const char *option, int64_t fallback, int64_t least, int64_t most)
{
    const char *text = cli_value(args, option);
    char *end;
    *out = fallback;
    if (!text) return CLI_OK;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < least || value > most)
        return cli_usage(args->command, "--%s: found '%s', expected a whole number from %" PRId64 " to %" PRId64,
                         option, text, least, most);
    *out = value;
    return CLI_OK;
}

/* ---- shared by commands ------------------------------------------------------------------------------------------ */

int cli_recipe(hf_recipe *out, const cli_args *args)
{
    return cli_recipe_at(out, args->argument[0], args);
}

int cli_recipe_at(hf_recipe *out, const char *path, const cli_args *args)
{
    if (hf_recipe_read(out, path) != HF_OK) return cli_failed();
    for (int i = 0; i < args->n_given; i++) {
        if (strcmp(args->given[i]->name, "set") != 0) continue;
        if (hf_recipe_set(out, args->value[i]) == HF_OK) continue;
        hf_recipe_free(out);
        return cli_usage(args->command, "%s", hf_error_message());
    }
    return CLI_OK;
}

void cli_print_quoted(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
    const bool quoted = !word[0] || word[strspn(word, plain)];
    if (quoted) fputc('\'', stderr);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", stderr);
        else
            fputc(*word, stderr);
    if (quoted) fputc('\'', stderr);
}

hf_status cli_absolute(char **out, const char *path)
{
    char here[4096];
    *out = NULL;
    if (!path) return HF_OK;
    if (path[0] == '/' || !getcwd(here, sizeof here)) return hf_strdup(out, path);
    return hf_path_join(out, here, path);
}

int cli_print_json(struct json_t *json)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    if (text)
        printf("%s\n", text);
    else
        fprintf(stderr, "hyperfusion: no memory for the JSON output\n");
    json_decref(json);
    free(text);
    return text ? CLI_OK : CLI_FAILED;
}

hf_status cli_resolve_cohort(hf_recipe *recipe)
{
    hf_text setting = { 0 };
    char *path;
    if (!recipe->cohort.path[0]) return HF_OK; /* training says so */
    HF_TRY(cli_absolute(&path, recipe->cohort.path));
    hf_text_add(&setting, "cohort.path=%s", path);
    hf_status status = hf_text_check(&setting);
    if (status == HF_OK) status = hf_recipe_set(recipe, setting.data);
    hf_text_free(&setting);
    free(path);
    return status;
}
