/* base.c: status names, the per-thread message, checked sizes, memory.
 *
 * The message lives in a fixed buffer of the thread, so that reporting a failure never fails itself, not even when
 * memory is exhausted. New text is formatted beside it first: the arguments may point into the old message. */
#include "hfbase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef hf_fail
#undef hf_fail_in

enum { MESSAGE_SIZE = 2048 };

static _Thread_local char message[MESSAGE_SIZE];

hf_status hf_fail(hf_status code, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) text[0] = '\0';
    memcpy(message, text, sizeof message);
    return code;
}

hf_status hf_fail_in(hf_status code, const char *format, ...)
{
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof text) {
        int more = snprintf(text + used, sizeof text - used, ": %s", message);
        if (more < 0) text[used] = '\0';
    }
    memcpy(message, text, sizeof message);
    return code;
}

const char *hf_error_message(void)
{
    return message;
}

const char *hf_status_name(hf_status status)
{
    static const char *const names[] = {
        [HF_OK] = "HF_OK",
        [HF_ERR_ARGUMENT] = "HF_ERR_ARGUMENT",
        [HF_ERR_SHAPE] = "HF_ERR_SHAPE",
        [HF_ERR_MEMORY] = "HF_ERR_MEMORY",
        [HF_ERR_DEVICE] = "HF_ERR_DEVICE",
        [HF_ERR_BUILD] = "HF_ERR_BUILD",
        [HF_ERR_IO] = "HF_ERR_IO",
        [HF_ERR_FORMAT] = "HF_ERR_FORMAT",
        [HF_ERR_UNSUPPORTED] = "HF_ERR_UNSUPPORTED",
        [HF_ERR_NUMBER] = "HF_ERR_NUMBER",
        [HF_ERR_STOPPED] = "HF_ERR_STOPPED",
    };
    size_t index = (size_t)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown status";
}

bool hf_size_mul(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

bool hf_size_add(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

hf_status hf_alloc(void *out_pointer, size_t count, size_t size, const char *what)
{
    /* One byte at least: a NULL result would look like a failure, or like "absent", to the caller. */
    size_t bytes;
    void *memory = NULL;
    if (hf_size_mul(count, size, &bytes)) memory = calloc(bytes ? bytes : 1, 1);
    memcpy(out_pointer, &memory, sizeof memory);
    if (memory) return HF_OK;
    return hf_fail(HF_ERR_MEMORY, "no host memory for %s: %zu x %zu bytes", what, count, size);
}

hf_status hf_strdup(char **out, const char *text)
{
    size_t size = strlen(text) + 1;
    HF_TRY(hf_alloc(out, size, 1, "text"));
    memcpy(*out, text, size);
    return HF_OK;
}

int hf_compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int hf_compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double hf_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
