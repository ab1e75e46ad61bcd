/* main.c: the program hyperfusion: finds the command, parses its options, runs it. */
#include "cli.h"
#include <stdio.h>
#include <string.h>

const cli_command *const cli_commands[] = {
    &cli_devices,  &cli_cohort_make,   &cli_cohort_check, &cli_plan,     &cli_train,
    &cli_evaluate, &cli_predict,       &cli_report,       &cli_crossval, &cli_ensembles,
    &cli_compare,  &cli_select_layers, &cli_ablate,       &cli_convert,  NULL,
};

/* How many of the words name this command; 0: another one. */
static int words_matched(const cli_command *command, int n_words, char **words)
{
    char name[64];
    snprintf(name, sizeof name, "%s", command->name);
    char *second = strchr(name, ' ');
    if (!second) return strcmp(words[0], name) == 0;
    *second++ = '\0';
    return n_words > 1 && strcmp(words[0], name) == 0 && strcmp(words[1], second) == 0 ? 2 : 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* Names the command that was meant, also for half of a name of two words. */
static int unknown_command(int n_words, char **words)
{
    enum { MAX_NAMES = 32 };
    const char *names[MAX_NAMES];
    char typed[128];
    size_t count = 0;
    for (const cli_command *const *command = cli_commands; *command && count < MAX_NAMES; command++)
        names[count++] = (*command)->name;
    const bool two = n_words > 1 && strcmp(words[0], "cohort") == 0;
    snprintf(typed, sizeof typed, "%s%s%s", words[0], two ? " " : "", two ? words[1] : "");
    const char *nearest = hf_nearest(typed, names, count);
    if (!nearest) nearest = hf_nearest(words[0], names, count);
    if (!nearest && strcmp(words[0], "cohort") == 0) nearest = cli_cohort_make.name;
    fprintf(stderr, "hyperfusion: unknown command '%s'", typed);
    if (nearest) fprintf(stderr, "; did you mean '%s'?", nearest);
    fprintf(stderr, "\nSee 'hyperfusion --help'.\n");
    return CLI_USAGE;
}

static int run(const cli_command *command, int n_words, char **words)
{
    cli_args args;
    for (int i = 0; i < n_words; i++) {
        if (strcmp(words[i], "--") == 0) break;
        if (strcmp(words[i], "--help") != 0 && strcmp(words[i], "-h") != 0) continue;
        cli_print_help(command);
        return CLI_OK;
    }
    const int parsed = cli_parse(&args, command, n_words, words);
    return parsed == CLI_OK ? command->run(&args) : parsed;
}

int main(int count, char **words)
{
    int code = CLI_USAGE;
    if (count < 2) {
        fprintf(stderr, "hyperfusion: a command is expected. See 'hyperfusion --help'.\n");
        return CLI_USAGE;
    }
    if (is_help(words[1])) {
        cli_print_overview();
        code = CLI_OK;
    } else if (strcmp(words[1], "--version") == 0) {
        printf("hyperfusion %s\n", HF_VERSION);
        code = CLI_OK;
    } else {
        const cli_command *found = NULL;
        int matched = 0;
        for (int i = 0; !found && cli_commands[i]; i++) {
            matched = words_matched(cli_commands[i], count - 1, words + 1);
            if (matched) found = cli_commands[i];
        }
        code = found ? run(found, count - 1 - matched, words + 1 + matched) : unknown_command(count - 1, words + 1);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "hyperfusion: cannot write to standard output\n");
        return CLI_FAILED;
    }
    return code;
}
