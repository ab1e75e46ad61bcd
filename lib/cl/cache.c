/* cache.c: compiled programs on disk.
 *
 * An entry is one file, <digest of the key>.bin, holding a magic word, the key's digest, the payload's digest and the
 * payload. The key is everything the binary depends on: source, options, device, driver, platform. Entries are written
 * by rename, so a reader sees a whole file or none; an entry that is damaged or foreign is simply not used and gets
 * replaced. Nothing is ever taken from a file whose digests do not match, nor from a folder that others can write to.
 *
 * pocl.c looks after the cache that PoCL has besides. */
#include "cl.h"
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

hf_status hf_code_dir(char **out, const char *name)
{
    struct stat info;
    char *folder = NULL;
    *out = NULL;
    HF_TRY(hf_cache_dir(&folder, name));
    /* Whoever can put a file there decides what this process runs. */
    const bool own =
        lstat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == getuid() && (info.st_mode & S_IWOTH) == 0;
    if (own) {
        *out = folder;
        return HF_OK;
    }
    const hf_status status = hf_fail(HF_ERR_IO,
                                     "%s: no place for compiled kernels: expected a folder, not a link, of this user's "
                                     "own that not everybody may write to",
                                     folder);
    free(folder);
    return status;
}
