/* file.c: whole files in and out, folders, locks, cache folders, content digests.
 *
 * Writing never touches the old file: the new contents go to a temporary in the same folder, are flushed to disk, and
 * take the name by rename, which the system does as a whole or not at all. Then the folder is flushed too, because
 * the new name lives there. Every message names the path, the operation and the system's reason. */
#include "hfbase.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static hf_status io_error(const char *path, const char *operation)
{
    return hf_fail(HF_ERR_IO, "'%s': cannot %s: %s", path, operation, strerror(errno));
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Reads exactly `size` bytes: fewer means that the file shrank since it was measured. */
static hf_status read_all(int file, char *data, size_t size, const char *path)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(file, data + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return io_error(path, "read");
        if (got == 0) return hf_fail(HF_ERR_IO, "'%s': %zu bytes expected, the file ends after %zu", path, size, done);
        done += (size_t)got;
    }
    return HF_OK;
}

static hf_status measure(size_t *size, int file, const char *path, size_t max_bytes)
{
    struct stat info;
    if (fstat(file, &info) != 0) return io_error(path, "read its size");
    if (S_ISDIR(info.st_mode)) return hf_fail(HF_ERR_IO, "'%s': a folder, expected a file", path);
    if (!S_ISREG(info.st_mode)) return hf_fail(HF_ERR_IO, "'%s': not a regular file", path);
    if ((uintmax_t)info.st_size > max_bytes)
        return hf_fail(HF_ERR_FORMAT, "'%s': %jd bytes, at most %zu expected", path, (intmax_t)info.st_size, max_bytes);
    *size = (size_t)info.st_size;
    return HF_OK;
}

hf_status hf_file_read(void **data, size_t *size, const char *path, size_t max_bytes)
{
    hf_status status;
    char *bytes = NULL;
    size_t length = 0, room;
    /* Non-blocking: opening a pipe must give an error here, not wait for a writer. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return io_error(path, "open");
    HF_TRY_OUT(measure(&length, file, path, max_bytes));
    if (!hf_size_add(length, 1, &room)) {
        status = hf_fail(HF_ERR_MEMORY, "'%s': %zu bytes do not fit in memory", path, length);
        goto out;
    }
    HF_TRY_OUT(hf_alloc(&bytes, room, 1, path));
    HF_TRY_OUT(read_all(file, bytes, length, path));
    *data = bytes;
    *size = length;
    bytes = NULL;
out:
    close(file);
    free(bytes);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static hf_status write_all(int file, const char *data, size_t size, const char *path)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(file, data + done, size - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return io_error(path, "write");
        done += (size_t)put;
    }
    return HF_OK;
}

/* The folder a path lies in: "." when it names none. */
static hf_status folder_of(char **out, const char *path)
{
    HF_TRY(hf_strdup(out, path));
    char *slash = strrchr(*out, '/');
    if (!slash) {
        free(*out);
        return hf_strdup(out, ".");
    }
    slash[slash == *out] = '\0'; /* the root keeps its slash */
    return HF_OK;
}

static hf_status sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return io_error(folder, "open");
    /* Some file systems cannot flush folders and say EINVAL; they keep what order they can by themselves. */
    hf_status status = HF_OK;
    if (fsync(file) != 0 && errno != EINVAL && errno != ENOTSUP) status = io_error(folder, "flush");
    close(file);
    return status;
}

/* Creates a file nobody else has in `folder`. Names left by a crashed process with the same id are stepped over. */
static hf_status create_temporary(int *file, char **name, const char *folder, const char *path)
{
    static atomic_uint counter;
    enum { ATTEMPTS = 1000 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        char last[64];
        snprintf(last, sizeof last, ".hf-%ld-%u.tmp", (long)getpid(), atomic_fetch_add(&counter, 1u));
        HF_TRY(hf_path_join(name, folder, last));
        *file = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*file >= 0) return HF_OK;
        free(*name);
        *name = NULL;
        if (errno != EEXIST) break;
    }
    return io_error(path, "create a temporary file beside it");
}

/* Renaming over a device or folder would destroy it or fail late. */
static hf_status check_target(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return HF_OK;
    return hf_fail(HF_ERR_IO, "'%s': cannot write: not a regular file", path);
}

hf_status hf_file_write(const char *path, const void *data, size_t size)
{
    hf_status status;
    int file = -1;
    char *folder = NULL, *temporary = NULL;
    HF_TRY_OUT(check_target(path));
    HF_TRY_OUT(folder_of(&folder, path));
    HF_TRY_OUT(create_temporary(&file, &temporary, folder, path));
    HF_TRY_OUT(write_all(file, data, size, path));
    if (fsync(file) != 0) {
        status = io_error(path, "flush");
        goto out;
    }
    int closed = close(file);
    file = -1;
    if (closed != 0 || rename(temporary, path) != 0) {
        status = io_error(path, closed != 0 ? "close" : "rename the temporary file to it");
        goto out;
    }
    free(temporary);
    temporary = NULL;
    status = sync_folder(folder);
out:
    if (file >= 0) close(file);
    if (temporary) unlink(temporary);
    free(temporary);
    free(folder);
    return status;
}

/* ---- folders and paths ------------------------------------------------------------------------------------------- */

hf_status hf_make_dirs(const char *path)
{
    if (!path[0]) return hf_fail(HF_ERR_ARGUMENT, "the name of a folder is empty");
    char *part;
    HF_TRY(hf_strdup(&part, path));
    hf_status status = HF_OK;
    bool more = true;
    for (char *end = part + 1; more && status == HF_OK; end++) {
        if (*end && *end != '/') continue;
        more = *end != '\0';
        *end = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) status = io_error(part, "create the folder");
        if (more) *end = '/';
    }
    struct stat info;
    if (status == HF_OK && stat(path, &info) != 0) status = io_error(path, "create the folder");
    if (status == HF_OK && !S_ISDIR(info.st_mode)) status = hf_fail(HF_ERR_IO, "'%s': exists and is no folder", path);
    free(part);
    return status;
}

hf_status hf_path_join(char **out, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *between = length == 0 || folder[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(name) + 2;
    HF_TRY(hf_alloc(out, size, 1, "a path"));
    snprintf(*out, size, "%s%s%s", folder, between, name);
    return HF_OK;
}

bool hf_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

hf_status hf_cache_dir(char **out, const char *name)
{
    hf_status status;
    char *base = NULL, *own = NULL, *full = NULL;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    /* The XDG base directory rules: a relative value counts as not set. */
    if (cache && cache[0] == '/') {
        HF_TRY_OUT(hf_strdup(&base, cache));
    } else if (home && home[0]) {
        HF_TRY_OUT(hf_path_join(&base, home, ".cache"));
    } else {
        status = hf_fail(HF_ERR_IO, "no cache folder: neither XDG_CACHE_HOME nor HOME is set");
        goto out;
    }
    HF_TRY_OUT(hf_path_join(&own, base, "hyperfusion"));
    HF_TRY_OUT(hf_path_join(&full, own, name));
    HF_TRY_OUT(hf_make_dirs(full));
    *out = full;
    full = NULL;
out:
    free(base);
    free(own);
    free(full);
    return status;
}

/* ---- locks ------------------------------------------------------------------------------------------------------- */

/* flock rather than fcntl: its locks belong to the open file, so that threads of one process exclude each other too,
 * and closing some other descriptor of the same file does not drop them. */
static hf_status lock_file(hf_lock *lock, bool *taken, const char *path, int how)
{
    lock->fd = -1;
    *taken = false;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return io_error(path, "open the lock file");
    int result;
    do
        result = flock(file, how);
    while (result != 0 && errno == EINTR);
    if (result != 0) {
        hf_status status = errno == EWOULDBLOCK ? HF_OK : io_error(path, "lock");
        close(file);
        return status;
    }
    lock->fd = file;
    *taken = true;
    return HF_OK;
}

hf_status hf_lock_take(hf_lock *lock, const char *path)
{
    bool taken;
    return lock_file(lock, &taken, path, LOCK_EX);
}

hf_status hf_lock_try(hf_lock *lock, bool *taken, const char *path)
{
    return lock_file(lock, taken, path, LOCK_EX | LOCK_NB);
}

void hf_lock_release(hf_lock *lock)
{
    if (!lock || lock->fd < 0) return;
    close(lock->fd); /* the last descriptor of an open file takes its lock along */
    lock->fd = -1;
}

/* ---- digests ----------------------------------------------------------------------------------------------------- */

/* Two lanes take every 64-bit word, one by xor and multiply, one by add and multiply, and the second feeds the first.
 * For a given word the step can be undone, so no state is ever lost. Words are read low byte first on every machine. */
static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void digest_word(uint64_t state[2], uint64_t word)
{
    state[0] = rotate((state[0] ^ word) * UINT64_C(0x9fb21c651e98df25), 29) + state[1];
    state[1] = (rotate(state[1], 41) + word) * UINT64_C(0xd6e8feb86659fd93) + UINT64_C(0x632be59bd9b4e019);
}

static uint64_t load_word(const unsigned char *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

void hf_digest_add(hf_digest *digest, const void *bytes, size_t size)
{
    const unsigned char *next = bytes;
    uint64_t state[2] = { digest->state[0], digest->state[1] };
    size_t left = size;
    for (; left >= 8; left -= 8, next += 8)
        digest_word(state, load_word(next));
    unsigned char tail[8] = { 0 };
    if (left) {
        memcpy(tail, next, left);
        digest_word(state, load_word(tail));
    }
    digest_word(state, size);
    digest->state[0] = state[0];
    digest->state[1] = state[1];
    digest->length += size;
}

void hf_digest_text(const hf_digest *digest, char hex[33])
{
    uint64_t state[2] = { digest->state[0], digest->state[1] };
    /* The last words have passed few multiplications: a few more rounds spread them over all bits. */
    for (int i = 0; i < 4; i++) {
        digest_word(state, digest->length + (uint64_t)i);
        state[0] ^= state[0] >> 32;
        state[1] ^= state[0] ^ state[1] >> 29;
    }
    snprintf(hex, 33, "%016" PRIx64 "%016" PRIx64, state[0], state[1]);
}

/* Up to `room` bytes, fewer only at the end of the file; -1 and errno when reading fails. */
static ssize_t read_some(int file, char *data, size_t room)
{
    size_t done = 0;
    while (done < room) {
        const ssize_t got = read(file, data + done, room - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

hf_status hf_digest_file(char hex[33], const char *path)
{
    enum { PIECE = 1 << 20 };
    hf_status status;
    hf_digest digest = { { 0, 0 }, 0 };
    char *piece = NULL;
    size_t size;
    ssize_t got = PIECE;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return io_error(path, "open");
    HF_TRY_OUT(measure(&size, file, path, SIZE_MAX));
    HF_TRY_OUT(hf_alloc(&piece, PIECE, 1, "a digest"));
    while (got == PIECE && (got = read_some(file, piece, PIECE)) > 0)
        hf_digest_add(&digest, piece, (size_t)got);
    if (got < 0) status = io_error(path, "read");
    hf_digest_text(&digest, hex);
out:
    close(file);
    free(piece);
    return status;
}
