/* cli.h: what the commands of the program share: tables of options, arguments as parsed, a progress display. The
 * program stands on the public headers alone. Results go to stdout, everything else to stderr; 0 is success, 1 a
 * failure ("hyperfusion: message"), 2 a wrong command line, 3 a result that lacks some of the subjects. */
#ifndef CLI_H
#define CLI_H

#include "hyperfusion.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_SOME_LEFT_OUT = 3, CLI_STOPPED = 130 };

/* One option of a command, "--NAME VALUE" or "--NAME=VALUE". */
typedef struct cli_option {
    const char *name;  /* without the dashes; NULL ends a table */
    const char *value; /* what stands for the value in the help; NULL: a switch */
    const char *help;
    bool repeats; /* may be given more than once */
} cli_option;

enum { CLI_MAX_ARGUMENTS = 16, CLI_MAX_GIVEN = 128 };

typedef struct cli_command cli_command;

/* A command line that was understood. */
typedef struct cli_args {
    const cli_command *command;
    int n_arguments;
    const char *argument[CLI_MAX_ARGUMENTS];
    int n_given;
    const cli_option *given[CLI_MAX_GIVEN];
    const char *value[CLI_MAX_GIVEN]; /* of each given option; "" for a switch */
} cli_args;

struct cli_command {
    const char *name;     /* "train", "cohort make" */
    const char *operands; /* "RECIPE --out RUN" */
    const char *summary;  /* one line */
    const char *about;    /* more, for its --help */
    const cli_option *options;
    int least, most; /* arguments */
    int (*run)(const cli_args *args);
};

extern const cli_command cli_devices, cli_cohort_make, cli_cohort_check, cli_plan, cli_train, cli_evaluate, cli_predict,
    cli_report, cli_crossval, cli_ensembles, cli_compare, cli_select_layers, cli_ablate, cli_convert;
extern const cli_command *const cli_commands[]; /* ended by NULL */

/* Parses the words after the command's name. CLI_OK, or CLI_USAGE with the reason printed. */
int cli_parse(cli_args *out, const cli_command *command, int n_words, char **words);
void cli_print_help(const cli_command *command);
void cli_print_overview(void);

/* The last value given, or NULL. */
const char *cli_value(const cli_args *args, const char *option);
bool cli_has(const cli_args *args, const char *option);

/* "hyperfusion train: ..." and where help is; returns CLI_USAGE. */
int cli_usage(const cli_command *command, const char *format, ...) HF_PRINTF(2, 3);
/* "hyperfusion: " and the library's message; returns CLI_FAILED. */
int cli_failed(void);
/* Of a whole cohort: says how many subjects are missing and returns CLI_SOME_LEFT_OUT, or CLI_OK when none is. */
int cli_left_out(const hf_predictions *predictions);
/* A whole number within limits from an option; `fallback` when it is absent. CLI_OK or CLI_USAGE. */
int cli_integer(int64_t *out, const cli_args *args, const char *option, int64_t fallback, int64_t least, int64_t most);

/* Reads the recipe named by the first argument, or one at `path`, and applies every --set. */
int cli_recipe(hf_recipe *out, const cli_args *args);
int cli_recipe_at(hf_recipe *out, const char *path, const cli_args *args);

/* Prints a word to stderr so that a shell reads it as one word. */
void cli_print_quoted(const char *word);

/* The recipe names its cohort by a path that means the same from every folder. */
hf_status cli_resolve_cohort(hf_recipe *recipe) HF_MUST_USE;

/* Interruptions (INT, TERM) from now on make `watch` ask for a stop. */
void cli_listen(hf_watch *watch);

/* Reads studies, puts their models together by a rule, compares them (names NULL: their folders), prints them as --format
 * says and writes all of it into --out when that is given. */
hf_status cli_compare_studies(const char *const *folders, int count, const char *const *names,
                              const hf_study_rule *rule, const cli_args *args) HF_MUST_USE;

/* A path that means the same from every folder; freed with free(). A NULL stays NULL. */
hf_status cli_absolute(char **out, const char *path) HF_MUST_USE;

/* Prints a JSON value and a newline, and frees it. */
struct json_t;
int cli_print_json(struct json_t *json);
/* [{"id", "why"}, ...] of the subjects without a prediction. */
struct json_t *cli_left_out_json(const hf_predictions *predictions);

/* ---- progress ---------------------------------------------------------------------------------------------------- */

/* Shows what a run does on stderr: on a terminal a bar with loss, rate and time left, else a line now and then. */
typedef struct cli_progress {
    bool terminal;
    bool shown;           /* a bar is on the screen */
    char what[32];        /* of the bar */
    double start;         /* of this phase, seconds */
    double last;          /* when something was shown */
    int first;            /* samples that were done when the phase began */
    int64_t epochs;       /* of a training run; 0: no training */
    int64_t epoch;        /* the one under way */
    double epoch_seconds; /* of the one before; 0: none yet */
} cli_progress;

void cli_progress_begin(cli_progress *progress, int64_t epochs);
/* To be put into options structs; the user pointer is the cli_progress. */
hf_watch cli_watch(cli_progress *progress);
void cli_progress_count(void *progress, int done, int total); /* an hf_progress */
void cli_progress_end(cli_progress *progress);

#endif
