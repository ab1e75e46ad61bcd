/* pocl.c: peace with PoCL's own cache, and between processes that compile at the same time.
 *
 * PoCL keeps a cache of its own that several processes starting together corrupt, and a truncated file there aborts the
 * process. So it gets a folder of ours, builds are serialised by a lock, and the lock file carries a mark while a build
 * runs: whoever takes the lock and finds the mark knows that a builder died half-way, and empties the folder. A machine
 * that lost power leaves truncated files without a mark: they are looked for whenever a context is opened. */
#include "cl.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 6 /* levels of folders in its cache */

/* A folder of this user's own under /tmp: where there is no home, PoCL still needs a place that it can write to. */
static bool temporary_folder(char path[64])
{
    struct stat info;
    snprintf(path, 64, "/tmp/hyperfusion-%lu", (unsigned long)getuid());
    mkdir(path, 0700);
    /* Anybody can make a folder of that name; only one that is ours alone will do. */
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid() && (info.st_mode & 077) == 0;
}

/* The folder of ours for PoCL, or NULL. */
static char *driver_folder(void)
{
    char *folder = NULL, temporary[64];
    if (hf_code_dir(&folder, "pocl") != HF_OK && temporary_folder(temporary) && hf_strdup(&folder, temporary) != HF_OK)
        return NULL;
    return folder;
}

void hf_driver_prepare(void)
{
    char *folder = driver_folder();
    if (folder) setenv("POCL_CACHE_DIR", folder, 0);
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

/* ---- files cut short --------------------------------------------------------------------------------------------- */

/* Whether a shared object has all of itself: the table of its sections is its end. Other files pass. */
static bool is_whole(const char *path, off_t size)
{
    unsigned char header[64];
    uint64_t table;
    uint16_t entry, entries;
    const size_t length = strlen(path);
    if (length < 3 || strcmp(path + length - 3, ".so") != 0) return true;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, header, sizeof header);
    if (fd >= 0) close(fd);
    if (got != sizeof header || memcmp(header, "\177ELF", 4) != 0) return false;
    if (header[4] != 2) return true; /* no 64-bit object: its header is another one */
    memcpy(&table, header + 40, sizeof table);
    memcpy(&entry, header + 58, sizeof entry);
    memcpy(&entries, header + 60, sizeof entries);
    return table <= (uint64_t)size && (uint64_t)entry * entries <= (uint64_t)size - table;
}

static bool all_whole(const char *folder, int depth)
{
    DIR *dir = depth > 0 ? opendir(folder) : NULL;
    bool whole = true;
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && whole; entry = readdir(dir)) {
        char *child = NULL;
        struct stat info;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (hf_path_join(&child, folder, entry->d_name) != HF_OK) break;
        if (lstat(child, &info) == 0)
            whole = S_ISDIR(info.st_mode) ? all_whole(child, depth - 1) : is_whole(child, info.st_size);
        free(child);
    }
    if (dir) closedir(dir);
    return whole;
}

hf_status hf_driver_check(const hf_context *context)
{
    hf_build_guard guard;
    HF_TRY(hf_build_begin(&guard, context)); /* nobody is writing there now */
    char *folder = driver_folder();
    if (folder && !all_whole(folder, DEPTH)) empty_folder(folder, DEPTH);
    free(folder);
    hf_build_end(&guard);
    return HF_OK;
}

/* ---- builds ------------------------------------------------------------------------------------------------------ */

hf_status hf_build_begin(hf_build_guard *guard, const hf_context *context)
{
    *guard = (hf_build_guard){ .lock = { -1 }, .context = context };
    if (!context->build_lock) return HF_OK;
    HF_TRY(hf_lock_take(&guard->lock, context->build_lock));
    char mark = 0;
    if (pread(guard->lock.fd, &mark, 1, 0) == 1 && mark == 'b') {
        char *folder = driver_folder();
        if (folder) empty_folder(folder, DEPTH);
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
