/* interrupt.c: an interrupted command ends its work in order; a second interruption ends it at once. */
#include "cli.h"
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked; /* to stop */

static void ask(int signal)
{
    static const char text[] = "\nhyperfusion: stopping after this step; once more ends it at once\n";
    (void)signal;
    asked = 1;
    const ssize_t said = write(STDERR_FILENO, text, sizeof text - 1);
    (void)said; /* nothing can be done about it here */
}

static bool stop(void *user)
{
    (void)user;
    return asked;
}

/* A first interruption is a request, a second one ends the program: SA_RESETHAND. */
void cli_listen(hf_watch *watch)
{
    struct sigaction action = { .sa_handler = ask, .sa_flags = (int)SA_RESETHAND };
    watch->stop = stop;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
