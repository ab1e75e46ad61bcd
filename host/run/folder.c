/* folder.c: the run folder as files: its lock, its log (one line an epoch, on disk before the checkpoint that
 * follows it), its split. */
#include "folder.h"
#include "learned.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE "lock"
#define LOG_FILE  "log.jsonl"
#define MAX_LOG   ((size_t)256 << 20) /* bytes */

hf_status hf_run_file(char **out, const char *folder, const char *name)
{
    return hf_path_join(out, folder, name);
}

bool hf_run_has(const char *folder, const char *name)
{
    char *path = NULL;
    const bool has = hf_path_join(&path, folder, name) == HF_OK && hf_path_exists(path);
    free(path);
    return has;
}

bool hf_run_finished(const char *folder)
{
    return hf_run_has(folder, HF_PREDICTIONS_FILE) && hf_run_has(folder, HF_REPORT_FILE);
}

/* The next name that is neither the lock nor a temporary of a process that was killed; NULL: no other. */
static const char *next_used(DIR *open)
{
    for (struct dirent *entry; (entry = readdir(open));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, LOCK_FILE) == 0) continue;
        if (strncmp(name, ".hf-", 4) != 0) return name;
    }
    return NULL;
}

hf_status hf_run_refuse_used(const char *folder)
{
    hf_status status = HF_OK;
    DIR *open = opendir(folder);
    if (!open && errno == ENOENT) return HF_OK;
    if (!open) return hf_fail(HF_ERR_IO, "'%s': cannot use it as a run folder: %s", folder, strerror(errno));
    const char *name = next_used(open);
    if (name)
        status = hf_fail(HF_ERR_ARGUMENT,
                         "'%s' is in use already (it holds '%s'): name a new folder, or resume the "
                         "run that is there",
                         folder, name);
    closedir(open);
    return status;
}

/* A process that was killed while it wrote a file has left a temporary behind; under the lock none can be in use. */
static void remove_temporaries(const char *folder)
{
    DIR *open = opendir(folder);
    if (!open) return;
    for (struct dirent *entry; (entry = readdir(open));) {
        const char *name = entry->d_name;
        const size_t length = strlen(name);
        char *path = NULL;
        if (strncmp(name, ".hf-", 4) != 0 || length < 8 || strcmp(name + length - 4, ".tmp") != 0) continue;
        if (hf_path_join(&path, folder, name) == HF_OK) unlink(path);
        free(path);
    }
    closedir(open);
}

/* Whether the file that was locked still has its name: a start that was refused takes its lock file away. */
static bool still_there(const hf_lock *lock, const char *path)
{
    struct stat mine, now;
    return fstat(lock->fd, &mine) == 0 && stat(path, &now) == 0 && mine.st_ino == now.st_ino &&
           mine.st_dev == now.st_dev;
}

hf_status hf_run_lock(hf_lock *lock, const char *folder)
{
    char *path = NULL;
    bool taken = false;
    lock->fd = -1;
    hf_status status = hf_make_dirs(folder);
    if (status == HF_OK) status = hf_path_join(&path, folder, LOCK_FILE);
    if (status == HF_OK) status = hf_lock_try(lock, &taken, path);
    if (status == HF_OK && taken && !still_there(lock, path)) {
        hf_lock_release(lock);
        taken = false;
    }
    free(path);
    if (status == HF_OK && !taken) status = hf_fail(HF_ERR_IO, "another process is training in '%s'", folder);
    if (status == HF_OK) remove_temporaries(folder);
    return status;
}

hf_status hf_run_first_missing(char **out, const char *folder)
{
    char *path;
    *out = NULL;
    HF_TRY(hf_strdup(&path, folder));
    for (char *end = path; *end; end++) {
        end += strcspn(end + 1, "/") + 1;
        const char was = *end;
        *end = '\0';
        if (!hf_path_exists(path)) *out = path;
        if (*out) return HF_OK;
        *end = was;
        if (!was) break;
    }
    free(path);
    return HF_OK;
}

/* Cuts off name after name and removes what is left, while there is more left than `first`. */
static void remove_parents(const char *folder, const char *first)
{
    char *path;
    if (hf_strdup(&path, folder) != HF_OK) return;
    for (char *slash; strlen(path) > strlen(first) && (slash = strrchr(path, '/'));) {
        *slash = '\0';
        rmdir(path); /* one that is in use stays */
    }
    free(path);
}

void hf_run_remove_empty(const char *folder, const char *first)
{
    char *path = NULL;
    DIR *open = opendir(folder);
    const bool used = !open || next_used(open);
    if (open) closedir(open);
    if (used || hf_path_join(&path, folder, LOCK_FILE) != HF_OK) return;
    remove_temporaries(folder);
    unlink(path);
    rmdir(folder);
    remove_parents(folder, first);
    free(path);
}

hf_status hf_run_split_write(const char *folder, const hf_cohort *cohort, const hf_part *part)
{
    char *path = NULL;
    hf_text text = { 0 };
    hf_text_add(&text, "participant_id\tsplit\n");
    for (int i = 0; i < cohort->n_subjects; i++)
        hf_table_add_row(&text, (const char *[]){ cohort->subject[i].id, hf_part_name(part[i]) }, 2);
    hf_status status = hf_text_check(&text);
    if (status == HF_OK) status = hf_path_join(&path, folder, HF_SPLIT_FILE);
    if (status == HF_OK) status = hf_file_write(path, text.data, text.size);
    hf_text_free(&text);
    free(path);
    return status;
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static char *log_line(const hf_epoch *e)
{
    json_t *valid = json_object();
    for (int c = 0; c < e->n_columns; c++)
        json_object_set_new(valid, e->column[c].name, number(e->valid[c]));
    json_t *json = json_pack("{si,so,so,so,so,so,so,so}", "epoch", e->epoch, "train_loss", number(e->train_loss),
                             "valid_loss", number(e->valid_loss), "valid", valid, "seconds", number(e->seconds),
                             "samples_per_second", number(e->samples_per_second), "waited_seconds",
                             number(e->waited_seconds), "learning_rate", number(e->learning_rate));
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    return text;
}

/* False, and errno, when not all could be written; a signal is no reason. */
static bool write_whole(int file, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t put = write(file, data + done, size - done);
        if (put < 0 && errno != EINTR) return false;
        if (put > 0) done += (size_t)put;
    }
    return true;
}

static hf_status append(const char *path, const char *line, size_t size)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0) return hf_fail(HF_ERR_IO, "'%s': cannot open: %s", path, strerror(errno));
    const bool written = write_whole(file, line, size);
    hf_status status = HF_OK;
    if (!written || fsync(file) != 0)
        status = hf_fail(HF_ERR_IO, "'%s': cannot %s: %s", path, written ? "flush" : "write", strerror(errno));
    close(file);
    return status;
}

hf_status hf_run_log_append(const char *folder, const hf_epoch *epoch)
{
    char *path = NULL, *json = log_line(epoch);
    hf_text line = { 0 };
    hf_text_add(&line, "%s\n", json ? json : "");
    hf_status status = json ? hf_text_check(&line) : hf_fail(HF_ERR_MEMORY, "no host memory for a line of the log");
    if (status == HF_OK) status = hf_path_join(&path, folder, LOG_FILE);
    if (status == HF_OK) status = append(path, line.data, line.size);
    hf_text_free(&line);
    free(json);
    free(path);
    return status;
}

/* Bytes of the leading whole lines whose epochs are 1, 2, ..., last. */
static size_t lines_until(const char *text, size_t size, int64_t last)
{
    size_t at = 0;
    for (int64_t expected = 1; expected <= last; expected++) {
        const char *end = memchr(text + at, '\n', size - at);
        if (!end) break;
        json_t *json = json_loadb(text + at, (size_t)(end - text) - at, 0, NULL);
        const bool follows = json_integer_value(json_object_get(json, "epoch")) == expected;
        json_decref(json);
        if (!follows) break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

hf_status hf_run_log_keep(const char *folder, int64_t epoch)
{
    char *path = NULL;
    void *text = NULL;
    size_t size = 0;
    hf_status status = hf_path_join(&path, folder, LOG_FILE);
    if (status == HF_OK && hf_path_exists(path)) {
        status = hf_file_read(&text, &size, path, MAX_LOG);
        const size_t kept = status == HF_OK ? lines_until(text, size, epoch) : size;
        if (kept < size) status = hf_file_write(path, text, kept);
    }
    free(text);
    free(path);
    return status;
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

hf_status hf_run_checkpoint_read(hf_archive *archive, hf_run_fixed *fixed, hf_run_progress *progress, hf_recipe *recipe,
                                 const char *folder, const char *name)
{
    char *path = NULL;
    *archive = (hf_archive){ 0 };
    *recipe = (hf_recipe){ 0 };
    hf_status status = hf_path_join(&path, folder, name);
    if (status == HF_OK) status = hf_archive_read(archive, path);
    if (status == HF_OK) {
        status = hf_run_state_load(fixed, progress, recipe, archive);
        if (status != HF_OK) status = hf_fail_in(status, "'%s'", path);
    }
    free(path);
    return status;
}
