/* kernel_cache.c: the cache of compiled kernels, as processes meet it. The program starts copies of itself, each of which
 * opens a context, runs one small convolution, and tells through a pipe what it compiled, what it found in the cache and
 * the digest of the result. With caches in a fresh folder:
 *
 *   - eight processes that start together on an empty cache all succeed, and nothing is compiled twice;
 *   - entries that are cut, changed or in the place of another one are made again without a word;
 *   - a process that is killed while it builds leaves a cache that works, and so does one whose driver's own files are
 *     left half-written, with and without the mark of a build;
 *   - folders that are links, or that everybody may write to, are neither emptied nor read. */
#include "check.h"
#include "hfcl.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 8

/* What one process tells. */
typedef struct answer {
    bool good, is_pocl;
    int compiled, cached;
    char digest[33];
} answer;

/* ---- the process under test -------------------------------------------------------------------------------------- */

static hf_status convolve(answer *out, hf_context *context)
{
    float x_values[2 * 6 * 6 * 6], w_values[3 * 2 * 27], y_values[3 * 4 * 4 * 4];
    for (size_t i = 0; i < sizeof x_values / sizeof *x_values; i++)
        x_values[i] = (float)hf_random_uniform(1, 1, i);
    for (size_t i = 0; i < sizeof w_values / sizeof *w_values; i++)
        w_values[i] = (float)hf_random_uniform(1, 2, i);
    hf_tensor in[2] = { 0 }, y = { 0 };
    hf_task *task = NULL;
    hf_digest digest = { 0 };
    hf_status status = HF_OK;
    HF_TRY_OUT(hf_tensor_new(&in[0], context, HF_SHAPE(1, 2, 6, 6, 6)));
    HF_TRY_OUT(hf_tensor_new(&in[1], context, HF_SHAPE(3, 2, 3, 3, 3)));
    HF_TRY_OUT(hf_tensor_new(&y, context, HF_SHAPE(1, 3, 4, 4, 4)));
    HF_TRY_OUT(hf_tensor_write(&in[0], x_values, 2 * 6 * 6 * 6));
    HF_TRY_OUT(hf_tensor_write(&in[1], w_values, 3 * 2 * 27));
    HF_TRY_OUT(hf_task_new(&task, context, hf_op_find("conv3d"), &(hf_params){ 0 }, in, 2, &y, 1, NULL));
    HF_TRY_OUT(hf_task_run(task));
    HF_TRY_OUT(hf_tensor_read(&y, y_values, 3 * 4 * 4 * 4));
    hf_digest_add(&digest, y_values, sizeof y_values);
    hf_digest_text(&digest, out->digest);
out:
    hf_task_free(&task);
    hf_tensor_free(&in[0]);
    hf_tensor_free(&in[1]);
    hf_tensor_free(&y);
    return status;
}

static int child(int pipe_end)
{
    answer out = { 0 };
    hf_context *context = NULL;
    hf_status status = hf_context_new(&context, NULL, &(hf_context_options){ .plain_only = true });
    if (status == HF_OK) {
        out.is_pocl = strcmp(hf_context_device(context)->platform, "Portable Computing Language") == 0;
        status = convolve(&out, context);
        hf_context_programs(context, &out.compiled, &out.cached);
    }
    out.good = status == HF_OK;
    if (!out.good) fprintf(stderr, "in a process: %s\n", hf_error_message());
    hf_context_free(&context);
    return write(pipe_end, &out, sizeof out) != sizeof out;
}

/* ---- starting and ending it -------------------------------------------------------------------------------------- */

typedef struct process {
    pid_t id;
    int answers; /* the pipe's reading end */
} process;

static process start(char *program)
{
    int ends[2];
    if (pipe(ends) != 0) return (process){ -1, -1 };
    process p = { fork(), ends[0] };
    if (p.id == 0) {
        char end[16];
        close(ends[0]);
        snprintf(end, sizeof end, "%d", ends[1]);
        execv(program, (char *[]){ program, end, NULL });
        _exit(127);
    }
    close(ends[1]);
    return p;
}

static answer finish(process p)
{
    answer out = { 0 };
    int status = -1;
    if (p.id < 0 || read(p.answers, &out, sizeof out) != sizeof out) out = (answer){ 0 };
    close(p.answers);
    if (p.id > 0) waitpid(p.id, &status, 0);
    if (status != 0) out.good = false;
    return out;
}

static answer run(char *program)
{
    return finish(start(program));
}

/* ---- what it leaves on the disk ---------------------------------------------------------------------------------- */

#define MAX_FILES 64

/* The files below a folder, as paths. */
static void list(char *files[MAX_FILES], int *count, const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *path;
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (hf_path_join(&path, folder, entry->d_name) != HF_OK || stat(path, &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) {
            list(files, count, path);
            free(path);
        } else if (*count < MAX_FILES) {
            files[(*count)++] = path;
        } else {
            free(path);
        }
    }
    if (dir) closedir(dir);
}

static void forget(char *files[MAX_FILES], int count)
{
    while (count > 0)
        free(files[--count]);
}

/* Cuts a file to `numerator` / 8 of its size. */
static void cut(const char *path, int numerator)
{
    struct stat info;
    CHECK(stat(path, &info) == 0 && truncate(path, info.st_size * numerator / 8) == 0);
}

/* Changes one byte, `eighth` / 8 into the file; 0 is its first. */
static void flip(const char *path, int eighth)
{
    void *data;
    size_t size;
    if (!CHECK_OK(hf_file_read(&data, &size, path, (size_t)1 << 28)) || !CHECK(size > 0)) return;
    ((unsigned char *)data)[(size - 1) * (size_t)eighth / 8] ^= 0x10;
    CHECK_OK(hf_file_write(path, data, size));
    free(data);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

/* Empties all caches: an empty folder that the processes are told to use. */
static void start_cold(const char *caches)
{
    check_remove_tree(caches);
    CHECK(mkdir(caches, 0700) == 0);
}

static answer test_together(char *program, const char *caches)
{
    process all[PROCESSES];
    answer first = { 0 };
    int compiled = 0;
    start_cold(caches);
    for (int i = 0; i < PROCESSES; i++)
        all[i] = start(program);
    for (int i = 0; i < PROCESSES; i++) {
        answer a = finish(all[i]);
        if (i == 0) first = a;
        CHECK(a.good && strcmp(a.digest, first.digest) == 0);
        CHECK(a.compiled + a.cached == first.compiled + first.cached);
        compiled += a.compiled;
    }
    if (first.is_pocl) CHECK(compiled == first.compiled + first.cached); /* elsewhere nobody waits for a build */
    return first;
}

/* After any damage: one run that makes it good, one that finds it good. */
static void check_mended(char *program, const answer *expected)
{
    answer a = run(program), again = run(program);
    CHECK(a.good && a.compiled > 0 && strcmp(a.digest, expected->digest) == 0);
    CHECK(again.good && again.compiled == 0 && strcmp(again.digest, expected->digest) == 0);
}

static void test_damage(char *program, const char *caches, const answer *expected)
{
    char *folder, *files[MAX_FILES];
    int count = 0;
    if (!CHECK_OK(hf_path_join(&folder, caches, "hyperfusion/kernels"))) return;
    list(files, &count, folder);
    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
        for (int eighth = 0; eighth < 8; eighth += 7) {
            cut(files[i], eighth);
            check_mended(program, expected);
            flip(files[i], eighth);
            check_mended(program, expected);
        }
        CHECK_OK(hf_file_write(files[i], "not a kernel", 12));
        check_mended(program, expected);
    }
    forget(files, count);
    free(folder);
}

/* The mark that says a build is going on. */
static char mark_of(const char *lock)
{
    char mark = 0;
    int fd = open(lock, O_RDONLY);
    if (fd < 0 || read(fd, &mark, 1) != 1) mark = 0;
    if (fd >= 0) close(fd);
    return mark;
}

/* Kills a process while it builds; false when it was done before that could be seen. */
static bool kill_while_building(char *program, const char *lock)
{
    process p = start(program);
    while (waitpid(p.id, NULL, WNOHANG) == 0) {
        if (mark_of(lock) == 'b') {
            kill(p.id, SIGKILL);
            finish(p);
            return mark_of(lock) == 'b';
        }
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    close(p.answers);
    return false;
}

/* The driver's own files are left cut short, as by a machine that lost power; the mark tells the next process. */
static void break_driver_files(const char *caches)
{
    char *folder, *files[MAX_FILES];
    int count = 0;
    if (!CHECK_OK(hf_path_join(&folder, caches, "hyperfusion/pocl"))) return;
    list(files, &count, folder);
    CHECK(count > 0);
    for (int i = 0; i < count; i++)
        cut(files[i], 4);
    forget(files, count);
    free(folder);
}

static void test_killed(char *program, const char *caches, const answer *expected)
{
    char *lock, *kernels;
    if (!CHECK_OK(hf_path_join(&lock, caches, "hyperfusion/locks/build"))) return;
    if (!CHECK_OK(hf_path_join(&kernels, caches, "hyperfusion/kernels"))) return;
    int killed = 0;
    for (int tries = 0; tries < 5 && !killed; tries++) {
        start_cold(caches);
        killed = kill_while_building(program, lock);
    }
    CHECK(killed);
    answer a = run(program);
    CHECK(a.good && strcmp(a.digest, expected->digest) == 0);
    CHECK(mark_of(lock) == '-');

    break_driver_files(caches);
    check_remove_tree(kernels);
    CHECK_OK(hf_file_write(lock, "b", 1));
    a = run(program);
    CHECK(a.good && a.compiled > 0 && strcmp(a.digest, expected->digest) == 0);
    CHECK(mark_of(lock) == '-');
    free(lock);
    free(kernels);
}

static bool is_object(const char *path)
{
    const size_t length = strlen(path);
    return length > 3 && strcmp(path + length - 3, ".so") == 0;
}

/* Nobody died, but what was written last is not all there. */
static void test_cut_objects(char *program, const char *caches, const answer *expected)
{
    char *folder, *files[MAX_FILES];
    if (!CHECK_OK(hf_path_join(&folder, caches, "hyperfusion/pocl"))) return;
    for (int eighth = 0; eighth < 8; eighth += 7) {
        int count = 0, objects = 0;
        list(files, &count, folder);
        for (int i = 0; i < count; i++)
            if (is_object(files[i])) {
                cut(files[i], eighth);
                objects++;
            }
        forget(files, count);
        CHECK(objects > 0);
        answer a = run(program);
        CHECK(a.good && strcmp(a.digest, expected->digest) == 0);
    }
    free(folder);
}

static int files_in(const char *folder)
{
    char *files[MAX_FILES];
    int count = 0;
    list(files, &count, folder);
    forget(files, count);
    return count;
}

/* The driver's folder is a link to somebody's files, and a builder died: the files stay. */
static void test_link(char *program, const char *caches, const answer *expected)
{
    char *folder, *lock, *target, *file;
    if (!CHECK_OK(hf_path_join(&folder, caches, "hyperfusion/pocl"))) return;
    if (!CHECK_OK(hf_path_join(&lock, caches, "hyperfusion/locks/build"))) return;
    if (!CHECK_OK(hf_path_join(&target, caches, "elsewhere"))) return;
    if (!CHECK_OK(hf_path_join(&file, target, "thesis.tex"))) return;
    start_cold(caches);
    CHECK(run(program).good);
    check_remove_tree(folder);
    CHECK(mkdir(target, 0700) == 0 && symlink(target, folder) == 0);
    CHECK_OK(hf_file_write(file, "chapter 1", 9));
    CHECK_OK(hf_file_write(lock, "b", 1));
    answer a = run(program);
    CHECK(a.good && strcmp(a.digest, expected->digest) == 0);
    CHECK(hf_path_exists(file));
    CHECK(files_in(target) == 1);
    free(folder);
    free(lock);
    free(target);
    free(file);
}

/* Folders that anybody, or somebody else, could have filled are left alone: every kernel is compiled. */
static void check_left_alone(char *program, const char *folder, const answer *expected, const char *own)
{
    const int before = files_in(folder);
    for (int i = 0; i < 2; i++) {
        answer a = run(program);
        CHECK(a.good && strcmp(a.digest, expected->digest) == 0);
        if (strcmp(own, "kernels") == 0) CHECK(a.cached == 0 && a.compiled > 0);
    }
    CHECK(files_in(folder) == before);
}

static void test_foreign(char *program, const char *caches, const answer *expected, const char *own)
{
    char *folder, name[32];
    snprintf(name, sizeof name, "hyperfusion/%s", own);
    if (!CHECK_OK(hf_path_join(&folder, caches, name))) return;
    start_cold(caches);
    CHECK(run(program).good);
    CHECK(chmod(folder, 0777) == 0);
    check_left_alone(program, folder, expected, own);
    if (geteuid() == 0) {
        CHECK(chmod(folder, 0700) == 0 && chown(folder, 65534, 65534) == 0);
        check_left_alone(program, folder, expected, own);
    }
    free(folder);
}

int main(int argc, char **argv)
{
    if (argc > 1) return child((int)strtol(argv[1], NULL, 10));
    char caches[] = "/tmp/hf-kernel-cache-XXXXXX";
    if (!CHECK(mkdtemp(caches) != NULL)) return check_done("kernel_cache");
    setenv("XDG_CACHE_HOME", caches, 1);
    unsetenv("POCL_CACHE_DIR");
    unsetenv("HF_NO_CACHE");
    unsetenv("HF_IMPL");
    answer expected = test_together(argv[0], caches);
    test_damage(argv[0], caches, &expected);
    test_foreign(argv[0], caches, &expected, "kernels");
    if (expected.is_pocl) {
        test_killed(argv[0], caches, &expected);
        test_cut_objects(argv[0], caches, &expected);
        test_link(argv[0], caches, &expected);
        test_foreign(argv[0], caches, &expected, "pocl");
    } else {
        check_skip("the driver is not PoCL: builds need no lock");
    }
    check_remove_tree(caches);
    return check_done("kernel_cache");
}
