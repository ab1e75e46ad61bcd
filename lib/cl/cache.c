/* cache.c: compiled programs on disk, and peace between processes that compile at the same time.
 *
 * An entry is one file, <digest of the key>.bin, holding a magic word, the key's digest, the payload's digest and the
 * payload. The key is everything the binary depends on: source, options, device, driver, platform. Entries are written
 * by rename, so a reader sees a whole file or none; an entry that is damaged or foreign is simply not used and gets
 * replaced. Nothing is ever taken from a file whose digests do not match.
 *
 * PoCL keeps a cache of its own that several processes starting together corrupt, and a truncated file there aborts the
 * process. So it gets a folder of ours, builds are serialised by a lock, and the lock file carries a mark while a build
 * runs: whoever takes the lock and finds the mark knows that a builder died half-way, and empties the folder. */
#include "cl.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "HFKERN1";
#define MAX_ENTRY ((size_t)256 << 20)

typedef struct entry_header {
    char magic[8];
    char key[33], payload[33];
    char padding[6];
} entry_header;

static void digest(char hex[33], const void *bytes, size_t size)
{
    hf_digest state = { { 0, 0 }, 0 };
    hf_digest_add(&state, bytes, size);
    hf_digest_text(&state, hex);
}

static hf_status entry_path(char **out, const hf_context *context, const char key_digest[33])
{
    char name[48];
    snprintf(name, sizeof name, "%s.bin", key_digest);
    return hf_path_join(out, context->cache_dir, name);
}

hf_status hf_cache_load(void **binary, size_t *size, const hf_context *context, const char *key)
{
    *binary = NULL;
    *size = 0;
    if (!context->cache_dir) return HF_OK;
    char key_digest[33], payload[33], *path = NULL, *file = NULL;
    size_t bytes = 0;
    digest(key_digest, key, strlen(key));
    HF_TRY(entry_path(&path, context, key_digest));
    const hf_status status = hf_path_exists(path) ? hf_file_read((void **)&file, &bytes, path, MAX_ENTRY) : HF_ERR_IO;
    free(path);
    if (status != HF_OK) return HF_OK; /* unreadable is the same as absent */
    entry_header header;
    if (bytes > sizeof header) {
        memcpy(&header, file, sizeof header);
        digest(payload, file + sizeof header, bytes - sizeof header);
        if (!memcmp(header.magic, magic, sizeof magic) && !memcmp(header.key, key_digest, 33) &&
            !memcmp(header.payload, payload, 33)) {
            *size = bytes - sizeof header;
            memmove(file, file + sizeof header, *size);
            *binary = file;
            return HF_OK;
        }
    }
    free(file);
    return HF_OK;
}

hf_status hf_cache_store(const hf_context *context, const char *key, const void *binary, size_t size)
{
    if (!context->cache_dir) return HF_OK;
    entry_header header = { 0 };
    char *path = NULL;
    hf_text file = { 0 };
    memcpy(header.magic, magic, sizeof magic);
    digest(header.key, key, strlen(key));
    digest(header.payload, binary, size);
    hf_text_add_bytes(&file, &header, sizeof header);
    hf_text_add_bytes(&file, binary, size);
    hf_status status = hf_text_check(&file);
    if (status == HF_OK) status = entry_path(&path, context, header.key);
    if (status == HF_OK) status = hf_file_write(path, file.data, file.size);
    free(path);
    hf_text_free(&file);
    return status;
}

/* ---- PoCL -------------------------------------------------------------------------------------------------------- */

/* A folder of this user's own under /tmp: where there is no home, PoCL still needs a place that it can write to. */
static bool temporary_folder(char path[64])
{
    struct stat info;
    snprintf(path, 64, "/tmp/hyperfusion-%lu", (unsigned long)getuid());
    mkdir(path, 0700);
    /* Anybody can make a folder of that name; only one that is ours alone will do. */
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid() && (info.st_mode & 077) == 0;
}

void hf_driver_prepare(void)
{
    char *folder = NULL, temporary[64];
    if (getenv("POCL_CACHE_DIR")) return;
    if (hf_cache_dir(&folder, "pocl") == HF_OK)
        setenv("POCL_CACHE_DIR", folder, 0);
    else if (temporary_folder(temporary))
        setenv("POCL_CACHE_DIR", temporary, 0);
    free(folder);
}

/* Removes a folder's contents, two levels of names deep at a time; what cannot be removed stays. */
static void empty_folder(const char *path, int depth)
{
    DIR *dir = depth > 0 ? opendir(path) : NULL;
    if (!dir) return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char *child = NULL;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (hf_path_join(&child, path, entry->d_name) != HF_OK) break;
        struct stat info;
        if (lstat(child, &info) == 0 && S_ISDIR(info.st_mode)) {
            empty_folder(child, depth - 1);
            rmdir(child);
        } else {
            unlink(child);
        }
        free(child);
    }
    closedir(dir);
}

#define POCL_DEPTH 6 /* levels of folders in its cache */

hf_status hf_build_begin(hf_build_guard *guard, const hf_context *context)
{
    *guard = (hf_build_guard){ .lock = { -1 }, .context = context };
    if (!context->build_lock) return HF_OK;
    HF_TRY(hf_lock_take(&guard->lock, context->build_lock));
    char mark = 0;
    if (pread(guard->lock.fd, &mark, 1, 0) == 1 && mark == 'b') {
        char *folder = NULL;
        if (hf_cache_dir(&folder, "pocl") == HF_OK) empty_folder(folder, POCL_DEPTH);
        free(folder);
    }
    if (pwrite(guard->lock.fd, "b", 1, 0) != 1) {
        hf_build_end(guard);
        return hf_fail(HF_ERR_IO, "%s: cannot be written", context->build_lock);
    }
    return HF_OK;
}

void hf_build_end(hf_build_guard *guard)
{
    if (guard->lock.fd < 0) return;
    const ssize_t cleared = pwrite(guard->lock.fd, "-", 1, 0);
    (void)cleared; /* a mark left behind only makes the next builder start from an empty cache */
    hf_lock_release(&guard->lock);
}
