/* hfbase.h: the ground floor shared by every room: status and message, checked sizes, text, files, random numbers.
 *
 * It knows nothing of devices, graphs or images. Rules that hold for the whole project:
 *
 *   - A function that can fail returns hf_status; HF_OK is 0. On failure it has recorded one message, read with
 *     hf_error_message(). The message belongs to the calling thread and lasts until its next failure.
 *   - Out-parameters come first. On failure they are left as they were, or NULL.
 *   - `hf_x_free(hf_x **p)` accepts NULL and a pointer to NULL, and leaves *p NULL.
 *   - Option structs are passed by pointer; NULL means all defaults, and a zero field means its default.
 *   - The library never prints and never exits.
 *
 * Thread-safety: everything here may be called from any thread. */
#ifndef HFBASE_H
#define HFBASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status and message ------------------------------------------------------------------------------------------ */

typedef enum hf_status {
    HF_OK = 0,
    HF_ERR_ARGUMENT,    /* the caller asked for something that makes no sense */
    HF_ERR_SHAPE,       /* shapes, types or ranks do not agree */
    HF_ERR_MEMORY,      /* host or device memory is exhausted */
    HF_ERR_DEVICE,      /* an OpenCL call failed, or no such device */
    HF_ERR_BUILD,       /* a kernel program did not compile */
    HF_ERR_IO,          /* a file could not be opened, read, written, renamed */
    HF_ERR_FORMAT,      /* a file's contents are damaged or not what its name says */
    HF_ERR_UNSUPPORTED, /* well-formed, but something this version refuses */
    HF_ERR_NUMBER,      /* a value that must be finite is not */
    HF_ERR_STOPPED,     /* ended because the caller asked for it */
} hf_status;

#if defined(__GNUC__)
#define HF_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define HF_MUST_USE                    __attribute__((warn_unused_result))
#else
#define HF_PRINTF(format_index, first)
#define HF_MUST_USE
#endif

/* Records a printf-style message for this thread and returns `code`. The message should name the thing, what was
 * found and what was expected; at most 2047 bytes are kept. */
hf_status hf_fail(hf_status code, const char *format, ...) HF_PRINTF(2, 3);

/* Puts "context: " in front of this thread's message (the operator, node or file a failure belongs to); returns
 * `code` unchanged, so that a caller can write `return hf_fail_in(status, "node '%s'", name);`. */
hf_status hf_fail_in(hf_status code, const char *format, ...) HF_PRINTF(2, 3);

#ifdef __clang_analyzer__ /* what a reader knows and the analyser cannot see: they return what they are given */
#define hf_fail(code, ...)    ((void)(hf_fail)(code, __VA_ARGS__), (code))
#define hf_fail_in(code, ...) ((void)(hf_fail_in)(code, __VA_ARGS__), (code))
#endif

/* This thread's last message; "" when nothing failed yet. Valid until the thread's next failure. */
const char *hf_error_message(void);

/* "HF_ERR_SHAPE" and so on; for logs and tests. */
const char *hf_status_name(hf_status status);

/* Returns from the calling function when `expr` fails. */
#define HF_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        hf_status hf_try_status = (expr);                                                                              \
        if (hf_try_status != HF_OK) return hf_try_status;                                                              \
    } while (0)

/* For functions that own something: sets the local `status` and jumps to the one label `out`. */
#define HF_TRY_OUT(expr)                                                                                               \
    do {                                                                                                               \
        status = (expr);                                                                                               \
        if (status != HF_OK) goto out;                                                                                 \
    } while (0)

/* ---- checked sizes and memory ------------------------------------------------------------------------------------ */

/* *out = a * b or a + b; false (and *out untouched) when it does not fit. All sizes read from a file pass here. */
bool hf_size_mul(size_t a, size_t b, size_t *out);
bool hf_size_add(size_t a, size_t b, size_t *out);

/* Zeroed memory for count * size bytes, freed with free(). HF_ERR_MEMORY names `what` and the size. */
hf_status hf_alloc(void *out_pointer, size_t count, size_t size, const char *what) HF_MUST_USE;

/* A copy of `text`, freed with free(). */
hf_status hf_strdup(char **out, const char *text) HF_MUST_USE;

/* For qsort over doubles and over floats, none of them NaN: the smallest first. */
int hf_compare_numbers(const void *a, const void *b);
int hf_compare_floats(const void *a, const void *b);

/* ---- growing text ------------------------------------------------------------------------------------------------ */

/* Text under construction; start from {0}. A failed append sets `failed` and later appends do nothing, so a builder
 * is checked once, at the end. `data` is NUL-terminated, owned by the struct, NULL while empty. */
typedef struct hf_text {
    char *data;
    size_t size;     /* bytes without the NUL */
    size_t capacity; /* bytes allocated */
    bool failed;
} hf_text;

void hf_text_add(hf_text *text, const char *format, ...) HF_PRINTF(2, 3);
void hf_text_add_bytes(hf_text *text, const void *bytes, size_t size);
/* Text for HTML and XML: markup characters escaped, bytes that are not UTF-8 or no text replaced by U+FFFD. */
void hf_text_add_escaped(hf_text *out, const char *text);
hf_status hf_text_check(const hf_text *text) HF_MUST_USE; /* HF_ERR_MEMORY when an append failed */
void hf_text_free(hf_text *text);

/* Seconds since some fixed moment, never going back: for measuring how long things take. */
double hf_seconds(void);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to be what was meant. */
const char *hf_nearest(const char *word, const char *const *candidates, size_t count);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Reads a whole file. Refuses (HF_ERR_FORMAT) files above max_bytes before allocating. *data has one NUL byte
 * beyond *size and is freed with free(). */
hf_status hf_file_read(void **data, size_t *size, const char *path, size_t max_bytes) HF_MUST_USE;

/* Writes a file so that after any crash the path holds the old or the new contents, never a mixture: a temporary in
 * the same folder, fsync, rename, fsync of the folder. */
hf_status hf_file_write(const char *path, const void *data, size_t size) HF_MUST_USE;

/* Creates a folder and its missing parents; an existing one is success. */
hf_status hf_make_dirs(const char *path) HF_MUST_USE;

/* An exclusive advisory lock on a file that is created when absent; waits for other holders. The lock goes with the
 * process. hf_lock_release accepts a lock that was never taken (fd -1). */
typedef struct hf_lock {
    int fd;
} hf_lock;
hf_status hf_lock_take(hf_lock *lock, const char *path) HF_MUST_USE;
/* The same without waiting: *taken is false when another one holds it. */
hf_status hf_lock_try(hf_lock *lock, bool *taken, const char *path) HF_MUST_USE;
void hf_lock_release(hf_lock *lock);

/* "a/b" from its parts; freed with free(). */
hf_status hf_path_join(char **out, const char *folder, const char *name) HF_MUST_USE;

bool hf_path_exists(const char *path);

/* The folder for this user's caches: $XDG_CACHE_HOME/hyperfusion, else $HOME/.cache/hyperfusion, with `name`
 * appended; created when absent. Freed with free(). */
hf_status hf_cache_dir(char **out, const char *name) HF_MUST_USE;

/* A 128-bit content digest as 32 hex digits and a NUL: for cache keys and damage detection, not for security. Parts
 * are added one by one and each one's length counts, so ("ab","c") and ("a","bc") differ. Start from {0}. */
typedef struct hf_digest {
    uint64_t state[2];
    uint64_t length;
} hf_digest;
void hf_digest_add(hf_digest *digest, const void *bytes, size_t size);
void hf_digest_text(const hf_digest *digest, char hex[33]);
/* Of the bytes of a file, a megabyte at a time. HF_ERR_IO. */
hf_status hf_digest_file(char hex[33], const char *path) HF_MUST_USE;

/* ---- counter-based random numbers -------------------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al., SC 2011, through Random123): the value is a function of (seed, stream, index) alone,
 * so there is no generator state to keep and any draw can be made again. `stream` says what the draw is for; build
 * it with hf_random_stream so that two uses never share one. */
uint64_t hf_random_stream(const char *purpose, uint64_t a, uint64_t b);
uint32_t hf_random_bits(uint64_t seed, uint64_t stream, uint64_t index);
double hf_random_uniform(uint64_t seed, uint64_t stream, uint64_t index); /* [0,1), 32 bits of it random */
double hf_random_normal(uint64_t seed, uint64_t stream, uint64_t index);  /* mean 0, variance 1 (Box-Muller) */

/* Many at once and faster, other numbers than hf_random_normal's: out[i] is a function of (seed, stream, i), in single
 * precision. */
void hf_random_normals(float *out, size_t count, uint64_t seed, uint64_t stream);

/* A permutation of 0..count-1 into order[count] (Fisher-Yates). */
void hf_random_permutation(uint32_t *order, uint32_t count, uint64_t seed, uint64_t stream);

#ifdef __cplusplus
}
#endif
#endif
