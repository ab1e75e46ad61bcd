/* check.h: what a test program needs. Each program includes this once, runs its checks in main, and returns
 * check_done("name"), which prints the line the test runner reads. A failed check is reported and the program goes
 * on, so one run shows all that is wrong. */
#ifndef HF_TESTS_CHECK_H
#define HF_TESTS_CHECK_H

#include "hfbase.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_passed, check_failed, check_skipped;

static inline bool check_report(bool good, const char *file, int line, const char *text)
{
    good ? check_passed++ : check_failed++;
    if (!good) fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
    return good;
}

static inline bool check_status(hf_status found, hf_status expected, const char *part, const char *file, int line,
                                const char *text)
{
    bool good = found == expected && (expected == HF_OK || strstr(hf_error_message(), part) != NULL);
    check_report(good, file, line, text);
    if (!good)
        fprintf(stderr, "    found %s, expected %s; message: %s; expected part: %s\n", hf_status_name(found),
                hf_status_name(expected), found == HF_OK ? "" : hf_error_message(), part);
    return good;
}

static inline bool check_near(double found, double expected, double tolerance, const char *file, int line,
                              const char *text)
{
    bool good = fabs(found - expected) <= tolerance; /* false for NaN */
    check_report(good, file, line, text);
    if (!good) fprintf(stderr, "    found %.17g, expected %.17g within %g\n", found, expected, tolerance);
    return good;
}

/* All of them answer whether the check held, so that a test can stop where going on makes no sense. */
#define CHECK(condition)                   check_report((condition), __FILE__, __LINE__, #condition)
#define CHECK_STATUS(expr, expected, part) check_status((expr), (expected), (part), __FILE__, __LINE__, #expr)
#define CHECK_OK(expr)                     check_status((expr), HF_OK, "", __FILE__, __LINE__, #expr)
#define CHECK_NEAR(found, expected, tolerance)                                                                         \
    check_near((found), (expected), (tolerance), __FILE__, __LINE__, #found " near " #expected)

/* Counts a part that cannot run here, and says why. */
static inline void check_skip(const char *why)
{
    check_skipped++;
    printf("skipped: %s\n", why);
}

/* Removes a file, or a folder with all that is in it. */
static inline void check_remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char *inner;
        bool self = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (self || hf_path_join(&inner, path, entry->d_name) != HF_OK) continue;
        check_remove_tree(inner);
        free(inner);
    }
    if (folder) closedir(folder);
    remove(path);
}

/* The closing line and the exit code. A program that checked nothing has failed. */
static inline int check_done(const char *name)
{
    bool idle = check_passed == 0 && check_failed == 0 && check_skipped == 0;
    if (idle) check_report(false, __FILE__, __LINE__, "no check was run");
    printf("%s: %d passed, %d failed", name, check_passed, check_failed);
    if (check_skipped) printf(", %d skipped", check_skipped);
    printf("\n");
    return check_failed != 0;
}

#endif
