/* progress.c: what a run does, on stderr. On a terminal one line is drawn again and again: phase, bar, loss,
 * samples per second, time left. Elsewhere a line is printed for every epoch, and for other phases when some
 * seconds have passed. */
#include "cli.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define LINE_SECONDS   15
#define BAR_CELLS      24

void cli_progress_begin(cli_progress *progress, int64_t epochs)
{
    *progress = (cli_progress){ .terminal = isatty(STDERR_FILENO), .epochs = epochs, .epoch = 1 };
}

static void wipe(cli_progress *p)
{
    if (p->shown) fprintf(stderr, "\r\033[K");
    p->shown = false;
}

static void print_time(double seconds)
{
    const long s = seconds < 0 ? 0 : (long)(seconds + 0.5);
    if (s >= 3600)
        fprintf(stderr, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(stderr, "%ld:%02ld", s / 60, s % 60);
}

/* Until the end of training, as far as that can be told; otherwise of this phase. */
static double time_left(const cli_progress *p, int done, int total, double rate)
{
    const double phase = (total - done) / rate;
    if (p->epochs == 0 || strcmp(p->what, "training") != 0) return phase;
    const double each = p->epoch_seconds > 0 ? p->epoch_seconds : total / rate;
    return phase + (double)(p->epochs - p->epoch) * each;
}

static void describe(const cli_progress *p, int done, int total, double loss, double seconds)
{
    const double rate = (done - p->first) / seconds;
    if (p->epochs && strcmp(p->what, "training") == 0)
        fprintf(stderr, "epoch %lld/%lld ", (long long)p->epoch, (long long)p->epochs);
    else
        fprintf(stderr, "%s ", p->what);
    if (p->terminal) {
        char bar[BAR_CELLS + 1];
        const int full = total > 0 ? (int)((int64_t)done * BAR_CELLS / total) : 0;
        memset(bar, '.', BAR_CELLS);
        memset(bar, '#', (size_t)full);
        bar[BAR_CELLS] = '\0';
        fprintf(stderr, "[%s] ", bar);
    }
    fprintf(stderr, "%d/%d", done, total);
    if (isfinite(loss)) fprintf(stderr, "  loss %.4g", loss);
    if (done <= p->first || seconds <= 0) return;
    fprintf(stderr, "  %.3g/s  ", rate);
    print_time(time_left(p, done, total, rate));
    fprintf(stderr, " left");
}

static void show(void *user, const char *what, int done, int total, double loss)
{
    cli_progress *p = user;
    const double time = hf_seconds();
    if (strcmp(p->what, what) != 0 || done <= p->first) {
        snprintf(p->what, sizeof p->what, "%s", what);
        p->start = time;
        p->first = done; /* the rate counts from here, so that starting up does not spoil it */
        p->last = p->terminal ? 0 : time;
    }
    const bool last = done >= total;
    if (time - p->last < (p->terminal ? REDRAW_SECONDS : LINE_SECONDS) && !(last && p->terminal)) return;
    p->last = time;
    if (p->terminal) fprintf(stderr, "\r\033[K");
    describe(p, done, total, loss, time - p->start);
    if (!p->terminal) fprintf(stderr, "\n");
    p->shown = p->terminal;
    fflush(stderr);
}

static void say(void *user, const char *line)
{
    wipe(user);
    fprintf(stderr, "%s\n", line);
}

static void epoch_done(void *user, const hf_epoch *e)
{
    cli_progress *p = user;
    wipe(p);
    fprintf(stderr, "%s%sepoch %d/%d  train loss %.4g", e->stage ? e->stage : "", e->stage ? ": " : "", e->epoch,
            e->epochs, e->train_loss);
    if (isfinite(e->valid_loss))
        fprintf(stderr, "  valid loss %.4g  valid %s %.3f", e->valid_loss, e->column[e->select].label,
                e->valid[e->select]);
    fprintf(stderr, "%s  %.1f s  %.3g samples/s", e->best ? " (best)" : "", e->seconds, e->samples_per_second);
    if (e->waited_seconds > 0.05 * e->seconds) fprintf(stderr, "  waited %.1f s for data", e->waited_seconds);
    fprintf(stderr, "\n");
    p->what[0] = '\0';
    if (e->stage) return;
    p->epoch = e->epoch + 1;
    p->epoch_seconds = e->seconds;
}

hf_watch cli_watch(cli_progress *progress)
{
    return (hf_watch){ .say = say, .progress = show, .epoch = epoch_done, .user = progress };
}

void cli_progress_count(void *progress, int done, int total)
{
    show(progress, "working", done, total, NAN);
}

void cli_progress_end(cli_progress *progress)
{
    wipe(progress);
}
