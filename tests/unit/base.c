/* Checks the ground floor: messages, sizes, text, files, locks, digests and random numbers. */
#include "check.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/hf-base-XXXXXX";

static char *at(const char *name)
{
    char *path = NULL;
    if (hf_path_join(&path, folder, name) != HF_OK) exit(2);
    return path;
}

static void test_message(void)
{
    CHECK(hf_fail(HF_ERR_SHAPE, "conv: %d x %d", 3, 4) == HF_ERR_SHAPE);
    CHECK(strcmp(hf_error_message(), "conv: 3 x 4") == 0);
    CHECK(hf_fail_in(HF_ERR_SHAPE, "node '%s'", "fc") == HF_ERR_SHAPE);
    CHECK(strcmp(hf_error_message(), "node 'fc': conv: 3 x 4") == 0);
    hf_fail(HF_ERR_IO, "again: %s", hf_error_message()); /* the old message as an argument */
    CHECK(strcmp(hf_error_message(), "again: node 'fc': conv: 3 x 4") == 0);
    char longer[5000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    hf_fail(HF_ERR_IO, "%s", longer);
    CHECK(strlen(hf_error_message()) == 2047);
    hf_fail_in(HF_ERR_IO, "front");
    CHECK(strlen(hf_error_message()) == 2047 && strncmp(hf_error_message(), "front: xx", 9) == 0);
    CHECK(strcmp(hf_status_name(HF_ERR_NUMBER), "HF_ERR_NUMBER") == 0);
    CHECK(strcmp(hf_status_name(HF_ERR_STOPPED), "HF_ERR_STOPPED") == 0);
    CHECK(strcmp(hf_status_name((hf_status)99), "unknown status") == 0);
}

static void test_sizes(void)
{
    size_t out = 7;
    CHECK(hf_size_mul(0, SIZE_MAX, &out) && out == 0);
    CHECK(hf_size_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    out = 7;
    CHECK(!hf_size_mul(SIZE_MAX / 2 + 1, 2, &out) && out == 7);
    CHECK(!hf_size_add(SIZE_MAX, 1, &out) && out == 7);
    CHECK(hf_size_add(SIZE_MAX - 1, 1, &out) && out == SIZE_MAX);
    void *memory = NULL;
    CHECK_STATUS(hf_alloc(&memory, SIZE_MAX / 2, 4, "a cache"), HF_ERR_MEMORY, "a cache");
    CHECK(memory == NULL);
    CHECK_OK(hf_alloc(&memory, 0, 4, "nothing"));
    CHECK(memory != NULL);
    free(memory);
}

static void test_text(void)
{
    hf_text text = { 0 };
    for (int i = 0; i < 1000; i++)
        hf_text_add(&text, "%d,", i);
    hf_text_add_bytes(&text, "a\0b", 3);
    CHECK_OK(hf_text_check(&text));
    CHECK(text.size == 3893 && memcmp(text.data + 3890, "a\0b", 4) == 0);
    CHECK(strncmp(text.data, "0,1,2,3,", 8) == 0);
    hf_text_add_bytes(&text, "", SIZE_MAX - 5);
    hf_text_add(&text, "late");
    CHECK(text.size == 3893);
    CHECK_STATUS(hf_text_check(&text), HF_ERR_MEMORY, "3893 bytes");
    hf_text_free(&text);
    hf_text_free(NULL);
    CHECK(text.data == NULL && !text.failed);
}

static void test_escaped(void)
{
    hf_text text = { 0 };
    hf_text_add_escaped(&text, "a<b & \"c\"\xc3\xa9\xff\x01'");
    CHECK(text.data && strcmp(text.data, "a&lt;b &amp; &quot;c&quot;\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd&#39;") == 0);
    hf_text_free(&text);
}

static void test_compare(void)
{
    double values[] = { 3, -1, INFINITY, 0.5, -INFINITY, 3 };
    qsort(values, 6, sizeof values[0], hf_compare_numbers);
    CHECK(values[0] == -INFINITY && values[1] == -1 && values[2] == 0.5 && values[3] == 3 && values[4] == 3);
    float few[] = { 2, -3, 0.25F };
    qsort(few, 3, sizeof few[0], hf_compare_floats);
    CHECK(few[0] == -3 && few[1] == 0.25F && few[2] == 2);
    CHECK(values[5] == INFINITY && hf_compare_numbers(&values[3], &values[4]) == 0);
}

static void test_nearest(void)
{
    static const char *const words[] = { "age", "sex", "education", "dropout" };
    CHECK(hf_nearest("edcuation", words, 4) == words[2]);
    CHECK(hf_nearest("DROPOUT", words, 4) == words[3]);
    CHECK(hf_nearest("sxe", words, 4) == words[1]);
    CHECK(hf_nearest("learning_rate", words, 4) == NULL);
    CHECK(hf_nearest("q", words, 4) == NULL);
    CHECK(hf_nearest("", words, 4) == NULL);
    CHECK(hf_nearest("age", words, 0) == NULL);
}

static int count_files(void)
{
    int count = 0;
    DIR *open_folder = opendir(folder);
    if (!open_folder) return -1;
    for (struct dirent *entry; (entry = readdir(open_folder));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(open_folder);
    return count;
}

static void test_files(void)
{
    char *path = at("file.bin"), *none = at("none/file.bin");
    void *data = NULL;
    size_t size = 0;
    CHECK_OK(hf_file_write(path, "one\0two", 7));
    CHECK_OK(hf_file_write(path, "three\0four", 10));
    if (CHECK_OK(hf_file_read(&data, &size, path, 10))) CHECK(size == 10 && memcmp(data, "three\0four", 11) == 0);
    free(data);
    data = NULL;
    CHECK_STATUS(hf_file_read(&data, &size, path, 9), HF_ERR_FORMAT, "10 bytes, at most 9");
    CHECK_STATUS(hf_file_read(&data, &size, none, 9), HF_ERR_IO, "none/file.bin': cannot open: No such file");
    CHECK_STATUS(hf_file_read(&data, &size, folder, 9), HF_ERR_IO, "a folder");
    CHECK_STATUS(hf_file_read(&data, &size, "/dev/null", 9), HF_ERR_IO, "not a regular file");
    CHECK_STATUS(hf_file_write(none, "x", 1), HF_ERR_IO, "none/file.bin");
    CHECK_STATUS(hf_file_write(folder, "x", 1), HF_ERR_IO, "not a regular file");
    CHECK_STATUS(hf_file_write("/dev/null", "x", 1), HF_ERR_IO, "not a regular file");
    CHECK(data == NULL && count_files() == 1);
    CHECK_OK(hf_file_write(path, NULL, 0));
    if (CHECK_OK(hf_file_read(&data, &size, path, 0))) CHECK(size == 0 && *(char *)data == '\0');
    free(data);
    unlink(path);
    free(path);
    free(none);
}

/* A write that breaks off half-way (here: a limit on file size) leaves the old contents and no temporary. */
static void test_failed_write(void)
{
    char *path = at("kept.bin");
    static char big[100000];
    struct rlimit old, small;
    void *data = NULL;
    size_t size = 0;
    CHECK_OK(hf_file_write(path, "old", 3));
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 5000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    hf_status written = hf_file_write(path, big, sizeof big);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_STATUS(written, HF_ERR_IO, "kept.bin': cannot write: File too large");
    CHECK(count_files() == 1);
    if (CHECK_OK(hf_file_read(&data, &size, path, 100))) CHECK(size == 3 && memcmp(data, "old", 3) == 0);
    free(data);
    unlink(path);
    free(path);
}

static void test_folders(void)
{
    char *deep = at("a/b//c/"), *file = at("a/file"), *below = at("a/file/x");
    CHECK_OK(hf_make_dirs(deep));
    CHECK_OK(hf_make_dirs(deep));
    CHECK(hf_path_exists(deep) && !hf_path_exists(below));
    CHECK_OK(hf_file_write(file, "", 0));
    CHECK_STATUS(hf_make_dirs(below), HF_ERR_IO, "a/file/x");
    CHECK_STATUS(hf_make_dirs(file), HF_ERR_IO, "no folder");
    CHECK_STATUS(hf_make_dirs(""), HF_ERR_ARGUMENT, "empty");
    char *joined = NULL;
    CHECK_OK(hf_path_join(&joined, "x/", "y"));
    CHECK(strcmp(joined, "x/y") == 0);
    free(joined);
    CHECK_OK(hf_path_join(&joined, "", "y"));
    CHECK(strcmp(joined, "y") == 0);
    free(joined);
    unlink(file);
    const char *const made[] = { "a/b/c", "a/b", "a" };
    for (int i = 0; i < 3; i++) {
        char *path = at(made[i]);
        CHECK(rmdir(path) == 0);
        free(path);
    }
    free(deep);
    free(file);
    free(below);
}

static void test_relative_folder(void)
{
    char before[4096];
    if (!CHECK(getcwd(before, sizeof before) && chdir(folder) == 0)) return;
    CHECK_OK(hf_make_dirs("q"));
    CHECK_OK(hf_file_write("plain", "1", 1));
    CHECK(hf_path_exists("q") && hf_path_exists("plain"));
    CHECK(rmdir("q") == 0 && unlink("plain") == 0 && chdir(before) == 0);
}

static void test_cache_dir(void)
{
    char *path = NULL, *expected = at(".cache/hyperfusion/volumes"), *own = at(".cache/hyperfusion");
    char *cache = at(".cache");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    CHECK_STATUS(hf_cache_dir(&path, "volumes"), HF_ERR_IO, "HOME");
    CHECK(path == NULL);
    setenv("HOME", folder, 1);
    setenv("XDG_CACHE_HOME", "relative", 1);
    if (CHECK_OK(hf_cache_dir(&path, "volumes"))) CHECK(strcmp(path, expected) == 0 && hf_path_exists(path));
    free(path);
    CHECK(rmdir(expected) == 0 && rmdir(own) == 0);
    setenv("XDG_CACHE_HOME", cache, 1);
    if (CHECK_OK(hf_cache_dir(&path, "volumes"))) CHECK(strcmp(path, expected) == 0 && hf_path_exists(path));
    free(path);
    CHECK(rmdir(expected) == 0 && rmdir(own) == 0 && rmdir(cache) == 0);
    free(expected);
    free(own);
    free(cache);
}

/* Four processes add to one number under the lock; without it additions get lost. */
static void test_lock(void)
{
    enum { PROCESSES = 4, ROUNDS = 100 };
    char *number = at("number"), *path = at("lock");
    CHECK_OK(hf_file_write(number, "0", 1));
    for (int p = 0; p < PROCESSES; p++) {
        if (fork() != 0) continue;
        for (int i = 0; i < ROUNDS; i++) {
            hf_lock lock;
            void *data;
            size_t size;
            if (hf_lock_take(&lock, path) != HF_OK || hf_file_read(&data, &size, number, 20) != HF_OK) _exit(1);
            FILE *out = fopen(number, "w");
            if (!out) _exit(1);
            fprintf(out, "%d", atoi(data) + 1);
            fclose(out);
            free(data);
            hf_lock_release(&lock);
        }
        _exit(0);
    }
    int state, good = 0;
    while (wait(&state) > 0)
        good += state == 0;
    void *data = NULL;
    size_t size;
    CHECK(good == PROCESSES);
    if (CHECK_OK(hf_file_read(&data, &size, number, 20))) CHECK(atoi(data) == PROCESSES * ROUNDS);
    hf_lock lock = { -1 };
    hf_lock_release(&lock);
    hf_lock_release(NULL);
    CHECK_STATUS(hf_lock_take(&lock, "/nonexistent/lock"), HF_ERR_IO, "/nonexistent/lock");
    CHECK(lock.fd == -1);
    free(data);
    unlink(number);
    unlink(path);
    free(number);
    free(path);
}

static void digest_of(char hex[33], const void *a, size_t size_a, const void *b, size_t size_b)
{
    hf_digest digest = { 0 };
    hf_digest_add(&digest, a, size_a);
    hf_digest_add(&digest, b, size_b);
    hf_digest_text(&digest, hex);
}

/* Of a file of more than one piece: equal contents, equal digests; the last byte counts. */
static void test_digest_file(void)
{
    enum { SIZE = (1 << 20) + 5 };
    char path[300], first[33], second[33];
    char *bytes = calloc(SIZE, 1);
    if (!CHECK(bytes != NULL)) return;
    snprintf(path, sizeof path, "%s/large", folder);
    CHECK(hf_file_write(path, bytes, SIZE) == HF_OK && hf_digest_file(first, path) == HF_OK);
    CHECK(hf_file_write(path, bytes, SIZE) == HF_OK && hf_digest_file(second, path) == HF_OK);
    CHECK(strcmp(first, second) == 0);
    bytes[SIZE - 1] = 1;
    CHECK(hf_file_write(path, bytes, SIZE) == HF_OK && hf_digest_file(second, path) == HF_OK);
    CHECK(strcmp(first, second) != 0);
    CHECK(hf_file_write(path, bytes, SIZE - 1) == HF_OK && hf_digest_file(second, path) == HF_OK);
    CHECK(strcmp(first, second) != 0);
    CHECK_STATUS(hf_digest_file(first, folder), HF_ERR_IO, "a folder");
    remove(path);
    free(bytes);
}

static void test_digest(void)
{
    char one[33], two[33];
    digest_of(one, "ab", 2, "c", 1);
    digest_of(two, "a", 1, "bc", 2);
    CHECK(strlen(one) == 32 && strspn(one, "0123456789abcdef") == 32 && strcmp(one, two) != 0);
    digest_of(two, "ab", 2, "c", 1);
    CHECK(strcmp(one, two) == 0);
    digest_of(one, "ab", 2, "", 0);
    digest_of(two, "ab\0", 3, "", 0);
    CHECK(strcmp(one, two) != 0);
    /* Every single flipped bit of 100 bytes changes about half of the digest's bits. */
    unsigned char bytes[100] = { 0 };
    double changed = 0;
    int same = 0;
    digest_of(one, bytes, 100, "", 0);
    for (int bit = 0; bit < 800; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        digest_of(two, bytes, 100, "", 0);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        same += strcmp(one, two) == 0;
        for (int i = 0; i < 32; i++) {
            char x[2] = { one[i], 0 }, y[2] = { two[i], 0 };
            for (long differ = strtol(x, NULL, 16) ^ strtol(y, NULL, 16); differ; differ &= differ - 1)
                changed++;
        }
    }
    CHECK(same == 0);
    CHECK_NEAR(changed / 800, 64, 1.5);
}

static void test_random(void)
{
    /* Words of the known-answer vectors published with Philox4x32-10: zero and all-ones key and counter low word. */
    CHECK(hf_random_bits(0, 0, 0) == 0x6627e8d5u && hf_random_bits(0, 0, 1) == 0xe169c58du);
    CHECK(hf_random_bits(0, 0, 2) == 0xbc57ac4cu && hf_random_bits(0, 0, 3) == 0x9b00dbd8u);
    CHECK(hf_random_stream("dropout", 1, 2) != hf_random_stream("dropout", 2, 1));
    CHECK(hf_random_stream("dropout", 1, 2) != hf_random_stream("dropout1", 1, 2));
    enum { DRAWS = 200000 };
    double sum = 0, squares = 0, fourth = 0, uniform = 0, lag = 0, last = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double u = hf_random_uniform(3, 5, i), x = hf_random_normal(3, 6, i);
        if (u < 0 || u >= 1) CHECK(!"uniform outside [0,1)");
        uniform += u, sum += x, squares += x * x, fourth += x * x * x * x, lag += x * last;
        last = x;
    }
    CHECK_NEAR(uniform / DRAWS, 0.5, 0.0026); /* four standard errors each */
    CHECK_NEAR(sum / DRAWS, 0, 0.009);
    CHECK_NEAR(squares / DRAWS, 1, 0.0127);
    CHECK_NEAR(fourth / DRAWS, 3, 0.09);
    CHECK_NEAR(lag / DRAWS, 0, 0.009);
}

static void test_permutation(void)
{
    enum { N = 1000, SMALL = 4, TRIALS = 24000 };
    uint32_t order[N], again[N], seen[N] = { 0 };
    hf_random_permutation(order, N, 1, 2);
    hf_random_permutation(again, N, 1, 2);
    for (int i = 0; i < N; i++)
        seen[order[i]]++;
    bool each_once = true;
    for (int i = 0; i < N; i++)
        each_once = each_once && seen[i] == 1;
    CHECK(each_once && memcmp(order, again, sizeof order) == 0);
    hf_random_permutation(again, N, 2, 2);
    CHECK(memcmp(order, again, sizeof order) != 0);
    /* All 24 orders of four are equally likely: chi-square with 23 degrees of freedom, 49.7 at p = 0.001. */
    int count[256] = { 0 };
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        hf_random_permutation(order, SMALL, trial, 0);
        count[order[0] << 6 | order[1] << 4 | order[2] << 2 | order[3]]++;
    }
    double chi = 0, kinds = 0;
    for (int i = 0; i < 256; i++) {
        if (!count[i]) continue;
        kinds++;
        chi += (count[i] - TRIALS / 24.0) * (count[i] - TRIALS / 24.0) / (TRIALS / 24.0);
    }
    CHECK(kinds == 24 && chi < 49.7);
    hf_random_permutation(order, 0, 1, 1);
}

int main(void)
{
    if (!mkdtemp(folder)) return 2;
    test_message();
    test_sizes();
    test_text();
    test_nearest();
    test_escaped();
    test_compare();
    test_files();
    test_failed_write();
    test_folders();
    test_relative_folder();
    test_cache_dir();
    test_lock();
    test_digest();
    test_digest_file();
    test_random();
    test_permutation();
    CHECK(rmdir(folder) == 0); /* nothing was left behind */
    return check_done("base");
}
