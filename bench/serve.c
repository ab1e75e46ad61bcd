/* serve.c: the protocol of serve.h: cases read, operands drawn, rounds timed. */
#include "serve.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUND_SECONDS 0.03 /* a round repeats its run until it lasts so long */
#define LONG_RUN      20.0 /* seconds; beyond it the warm-up is the answer, whatever it compiled */

double conv_seconds(void)
{
    struct timespec now;
    clock_gettime(getenv(CONV_CLOCK) ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static bool read_letters(const char *text, int value[26])
{
    for (const char *at = text; *at;) {
        if (*at == '_') at++;
        if (*at < 'a' || *at > 'z') return false;
        char *end;
        const long number = strtol(at + 1, &end, 10);
        if (end == at + 1 || number < 0 || number > 1 << 20) return false;
        value[*at - 'a'] = (int)number;
        at = end;
    }
    return true;
}

static bool read_pass(conv_problem *p, const char *name)
{
    static const struct {
        const char *name;
        int operand[2], result;
    } passes[] = {
        [CONV_FORWARD] = { "forward", { CONV_X, CONV_W }, CONV_Y },
        [CONV_DX] = { "dx", { CONV_Y, CONV_W }, CONV_X },
        [CONV_DW] = { "dw", { CONV_X, CONV_Y }, CONV_W },
    };
    for (int i = CONV_FORWARD; i <= CONV_DW; i++)
        if (strcmp(name, passes[i].name) == 0) {
            p->pass = (conv_pass)i;
            memcpy(p->operand, passes[i].operand, sizeof p->operand);
            p->result = passes[i].result;
            return true;
        }
    return false;
}

static const char *read_problem(conv_problem *p, const char *text, const char *pass)
{
    int v[26] = { ['n' - 'a'] = 1, ['c' - 'a'] = 1, ['o' - 'a'] = 1, ['k' - 'a'] = 3, ['s' - 'a'] = 1 };
    if (!read_letters(text, v)) return "a case is letters with numbers, such as n2c16o16_d9h9w9_k3";
    *p = (conv_problem){ .n = v['n' - 'a'],
                         .c = v['c' - 'a'],
                         .o = v['o' - 'a'],
                         .k = v['k' - 'a'],
                         .stride = v['s' - 'a'],
                         .pad = v['p' - 'a'],
                         .per_sample = v['m' - 'a'] };
    if (!read_pass(p, pass)) return "a pass is forward, dx or dw";
    if (!p->n || !p->c || !p->o || !p->k || !p->stride) return "a size is 0";
    p->count[CONV_X] = (size_t)p->n * (size_t)p->c;
    p->count[CONV_Y] = (size_t)p->n * (size_t)p->o;
    p->count[CONV_W] = (size_t)(p->per_sample ? p->n : 1) * (size_t)p->o * (size_t)p->c;
    for (int a = 0; a < 3; a++) {
        p->in[a] = v["dhw"[a] - 'a'];
        if (p->in[a] + 2 * p->pad < p->k) return "the kernel is larger than the input";
        p->out[a] = (p->in[a] + 2 * p->pad - p->k) / p->stride + 1;
        p->count[CONV_X] *= (size_t)p->in[a];
        p->count[CONV_Y] *= (size_t)p->out[a];
        p->count[CONV_W] *= (size_t)p->k;
    }
    return NULL;
}

/* ---- operands and results ---------------------------------------------------------------------------------------- */

/* One of 256 values in [-1, 1), exact in 16 bits, from tensor and index alone. */
static float drawn(uint32_t tensor, size_t index)
{
    uint32_t h = (uint32_t)index * 0x9E3779B1u + tensor * 0x27D4EB2Fu;
    h ^= h >> 15;
    h *= 0x85EBCA77u;
    h ^= h >> 13;
    return (float)(h & 255) / 128.0f - 1.0f;
}

static bool draw(conv_problem *p)
{
    for (int t = CONV_X; t <= CONV_Y; t++) {
        p->tensor[t] = malloc(p->count[t] * sizeof(float));
        if (!p->tensor[t]) return false;
        for (size_t i = 0; t != p->result && i < p->count[t]; i++)
            p->tensor[t][i] = drawn((uint32_t)t, i);
    }
    return true;
}

static void free_tensors(conv_problem *p)
{
    for (int t = CONV_X; t <= CONV_Y; t++) {
        free(p->tensor[t]);
        p->tensor[t] = NULL;
    }
}

static void check_result(const conv_problem *p, double *check, double *norm)
{
    const float *values = p->tensor[p->result];
    double sum = 0, squares = 0;
    for (size_t i = 0; i < p->count[p->result]; i++) {
        sum += (double)values[i] * (double)drawn(3, i);
        squares += (double)values[i] * (double)values[i];
    }
    *check = sum;
    *norm = sqrt(squares);
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

typedef struct session {
    const conv_server *server;
    char text[256], how[96]; /* the case that is open; empty: none */
    bool open;
    double seconds; /* of one run, warmed up */
    double check, norm;
} session;

static const char *run_timed(const session *s, int times, double *seconds)
{
    const double start = conv_seconds();
    const char *wrong = s->server->run(times);
    *seconds = (conv_seconds() - start) / times;
    return wrong;
}

/* The first run compiles and touches memory; the second tells how often a round must repeat. */
static const char *warm_up(session *s)
{
    const char *wrong = run_timed(s, 1, &s->seconds);
    if (!wrong && s->seconds < LONG_RUN) wrong = run_timed(s, 1, &s->seconds);
    return wrong;
}

static void close_case(session *s)
{
    if (s->open) s->server->close();
    s->open = false;
    s->text[0] = 0;
}

static const char *open_case(session *s, const char *line, const char *text, const char *pass)
{
    conv_problem p;
    close_case(s);
    const char *wrong = read_problem(&p, text, pass);
    if (wrong) return wrong;
    if (!draw(&p)) wrong = "no memory for the tensors";
    s->open = !wrong;
    if (!wrong) wrong = s->server->open(&p, s->how);
    if (!wrong) wrong = warm_up(s);
    if (!wrong) wrong = s->server->read(p.tensor[p.result]);
    if (!wrong) check_result(&p, &s->check, &s->norm);
    free_tensors(&p);
    snprintf(s->text, sizeof s->text, "%s", wrong ? "" : line);
    return wrong;
}

/* What ran for a moment only is run once more untimed: another program had the caches meanwhile. */
static const char *time_round(session *s, double *seconds)
{
    *seconds = s->seconds;
    if (s->seconds >= LONG_RUN) return NULL;
    const double repeats = ROUND_SECONDS / (s->seconds > 1e-7 ? s->seconds : 1e-7);
    const char *wrong = repeats > 1 ? s->server->run(1) : NULL;
    return wrong ? wrong : run_timed(s, repeats > 1 ? (int)repeats : 1, seconds);
}

static void answer(session *s, const char *line)
{
    char text[128], pass[16];
    const char *wrong = NULL;
    double seconds = 0;
    if (sscanf(line, "%127s %15s", text, pass) != 2)
        wrong = "a request is CASE PASS";
    else if (strcmp(s->text, line) != 0)
        wrong = open_case(s, line, text, pass);
    if (!wrong) wrong = time_round(s, &seconds);
    if (wrong)
        printf("{\"error\": \"%s\"}\n", wrong);
    else
        printf("{\"ms\": %.6g, \"how\": \"%s\", \"check\": %.9g, \"norm\": %.9g}\n", 1e3 * seconds, s->how, s->check,
               s->norm);
    fflush(stdout);
}

int conv_serve(const conv_server *server, const char *greeting)
{
    session s = { .server = server };
    char line[256];
    printf("%s\n", greeting);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        answer(&s, line);
    }
    close_case(&s);
    return 0;
}
