/* Checks checkpoints: round trips, the ways a file can be malformed with the message each must give, every single bit
 * flipped, every length cut, a file as another writer makes it, and how much memory hostile headers can take. */
#include "check.h"
#include "hyperfusion.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- files in memory --------------------------------------------------------------------------------------------- */

/* A file with this header and `data_size` bytes after it; the stated header length is off by `lie`. */
static void make_file(hf_text *file, const char *header, size_t header_size, size_t data_size, int64_t lie)
{
    uint64_t length = header_size + (uint64_t)lie;
    for (int i = 0; i < 8; i++)
        hf_text_add_bytes(file, &(unsigned char){ (unsigned char)(length >> (8 * i)) }, 1);
    hf_text_add_bytes(file, header, header_size);
    for (size_t i = 0; i < data_size; i++)
        hf_text_add_bytes(file, &(unsigned char){ (unsigned char)(i * 37) }, 1);
}

static hf_status parse_header(hf_archive *archive, const char *header, size_t data_size, int64_t lie)
{
    hf_text file = { 0 };
    make_file(&file, header, strlen(header), data_size, lie);
    hf_status status = hf_archive_parse(archive, file.data, file.size, "m.safetensors");
    hf_text_free(&file);
    return status;
}

/* ---- malformed files --------------------------------------------------------------------------------------------- */

#define T(type, shape, offsets) "{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE                     T("F32", "[2]", "[0,8]")

static const struct {
    const char *header;
    size_t data_size;
    hf_status status;
    const char *message;
} malformed[] = {
    /* not a header at all */
    { "", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "{", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { " {}", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "\n{}", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "\xef\xbb\xbf{}", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "[]", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "12", 0, HF_ERR_FORMAT, "does not begin with '{'" },
    { "{}\n", 0, HF_ERR_FORMAT, "does not end with '}' and blanks" },
    { "{}x", 0, HF_ERR_FORMAT, "does not end with '}' and blanks" },
    { "{\"a\":", 0, HF_ERR_FORMAT, "does not end with '}' and blanks" },
    { "{}{}", 0, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\"}", 0, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\":" ONE ",}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\":" ONE " \"b\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a:" ONE "}", 8, HF_ERR_FORMAT, "" },
    { "{\"a\":" T("F32", "[2]", "[0,8)") "}", 8, HF_ERR_FORMAT, "the byte 0x29" },
    { "{a:" ONE "}", 8, HF_ERR_FORMAT, "the byte 0x61" },
    { "{'a':" ONE "}", 8, HF_ERR_FORMAT, "the byte 0x27" },
    { "{\"a\":" ONE "/**/}", 8, HF_ERR_FORMAT, "the byte 0x2f" },
    { "{\"a\":{\"dtype\":null,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HF_ERR_FORMAT, "the byte 0x6e" },
    { "{\"a\":true}", 0, HF_ERR_FORMAT, "the byte 0x74" },
    { "{\"a\":" T("F32", "[-2]", "[0,8]") "}", 8, HF_ERR_FORMAT, "the byte 0x2d" },
    { "{\"a\":" T("F32", "[2.0]", "[0,8]") "}", 8, HF_ERR_FORMAT, "the byte 0x2e" },
    { "{\"a\":" T("F32", "[2e0]", "[0,8]") "}", 8, HF_ERR_FORMAT, "the byte 0x65" },
    { "{\"a\":" T("F32", "[NaN]", "[0,8]") "}", 8, HF_ERR_FORMAT, "the byte 0x4e" },
    { "{\"a\":" T("F32", "[02]", "[0,8]") "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\":" T("F32", "[99999999999999999999]", "[0,8]") "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\xff\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\xc0\x80\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\xed\xa0\x80\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\\ud800\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\\u0000\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\\x\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\n\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON" },
    { "{\"a\":[[[[]]]]}", 0, HF_ERR_FORMAT, "nested deeper than 3" },
    /* names */
    { "{\"a\":" ONE ",\"a\":" ONE "}", 8, HF_ERR_FORMAT, "not valid JSON: duplicate object key" },
    { "{\"a\":" ONE ",\"\\u0061\":" ONE "}", 8, HF_ERR_FORMAT, "duplicate object key" },
    { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HF_ERR_FORMAT,
      "duplicate object key" },
    { "{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", 0, HF_ERR_FORMAT, "duplicate object key" },
    { "{\"\":" ONE "}", 8, HF_ERR_FORMAT, "empty name" },
    /* a tensor's description */
    { "{\"a\":5}", 0, HF_ERR_FORMAT, "tensor 'a': its description is not an object" },
    { "{\"a\":[0,8]}", 8, HF_ERR_FORMAT, "tensor 'a': its description is not an object" },
    { "{\"a\":{}}", 0, HF_ERR_FORMAT, "tensor 'a': no \"dtype\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, HF_ERR_FORMAT, "no \"shape\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, HF_ERR_FORMAT, "no \"data_offsets\"" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, HF_ERR_FORMAT, "4 fields" },
    { "{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HF_ERR_FORMAT, "\"dtype\" is not a text" },
    { "{\"a\":" T("F33", "[2]", "[0,8]") "}", 8, HF_ERR_FORMAT, "unknown type 'F33'" },
    { "{\"a\":" T("f32", "[2]", "[0,8]") "}", 8, HF_ERR_FORMAT, "unknown type 'f32'" },
    { "{\"a\":" T("", "[2]", "[0,8]") "}", 8, HF_ERR_FORMAT, "unknown type ''" },
    { "{\"a\":" T("F64", "[1]", "[0,8]") "}", 8, HF_ERR_UNSUPPORTED, "type F64; F32, I32 and U8" },
    { "{\"a\":" T("BF16", "[4]", "[0,8]") "}", 8, HF_ERR_UNSUPPORTED, "type BF16" },
    { "{\"a\":" T("I64", "[1]", "[0,8]") "}", 8, HF_ERR_UNSUPPORTED, "type I64" },
    { "{\"a\":" T("F32", "2", "[0,8]") "}", 8, HF_ERR_FORMAT, "\"shape\" is not a list" },
    { "{\"a\":" T("F32", "{}", "[0,8]") "}", 8, HF_ERR_FORMAT, "\"shape\" is not a list" },
    { "{\"a\":" T("F32", "[]", "[0,4]") "}", 4, HF_ERR_UNSUPPORTED, "a shape of 0 axes" },
    { "{\"a\":" T("F32", "[1,1,1,1,1,1,2]", "[0,8]") "}", 8, HF_ERR_UNSUPPORTED, "a shape of 7 axes" },
    { "{\"a\":" T("F32", "[0]", "[0,0]") "}", 0, HF_ERR_UNSUPPORTED, "axis 0 of \"shape\" is 0" },
    { "{\"a\":" T("F32", "[2,\"1\"]", "[0,8]") "}", 8, HF_ERR_FORMAT, "axis 1 of \"shape\" is not an integer" },
    { "{\"a\":" T("F32", "[4611686018427387904]", "[0,8]") "}", 8, HF_ERR_FORMAT, "its size overflows" },
    { "{\"a\":" T("F32", "[4294967296,4294967296]", "[0,0]") "}", 0, HF_ERR_FORMAT, "its size overflows" },
    { "{\"a\":" T("F32", "[2147483648,2147483648,4]", "[0,0]") "}", 0, HF_ERR_FORMAT, "its size overflows" },
    { "{\"a\":" T("F32", "[2]", "8") "}", 8, HF_ERR_FORMAT, "\"data_offsets\" is not a list of two" },
    { "{\"a\":" T("F32", "[2]", "[8]") "}", 8, HF_ERR_FORMAT, "\"data_offsets\" is not a list of two" },
    { "{\"a\":" T("F32", "[2]", "[0,8,8]") "}", 8, HF_ERR_FORMAT, "\"data_offsets\" is not a list of two" },
    { "{\"a\":" T("F32", "[2]", "[\"0\",8]") "}", 8, HF_ERR_FORMAT, "not an integer" },
    { "{\"a\":" T("F32", "[2]", "[8,0]") "}", 8, HF_ERR_FORMAT, "ends at 0, before 8" },
    { "{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, HF_ERR_FORMAT, "4 bytes given, type and shape need 8" },
    { "{\"a\":" T("U8", "[2]", "[0,8]") "}", 8, HF_ERR_FORMAT, "8 bytes given, type and shape need 2" },
    { "{\"a\":" T("F32", "[3]", "[0,12]") "}", 8, HF_ERR_FORMAT, "ends at byte 12, only 8 are there" },
    { "{\"a\":" T("F32", "[250000000000]", "[0,1000000000000]") "}", 8, HF_ERR_FORMAT, "only 8 are there" },
    /* tiling */
    { "{\"a\":" T("F32", "[2]", "[4,12]") "}", 12, HF_ERR_FORMAT, "there is a hole before it" },
    { "{\"a\":" ONE ",\"b\":" T("F32", "[1]", "[12,16]") "}", 16, HF_ERR_FORMAT, "tensor 'b' begins at byte 12" },
    { "{\"a\":" ONE ",\"b\":" T("F32", "[1]", "[4,8]") "}", 8, HF_ERR_FORMAT, "it overlaps another" },
    { "{\"a\":" ONE ",\"b\":" ONE "}", 8, HF_ERR_FORMAT, "it overlaps another" },
    { "{\"a\":" ONE "}", 9, HF_ERR_FORMAT, "end at byte 8, but 9 bytes follow" },
    { "{}", 1, HF_ERR_FORMAT, "end at byte 0, but 1 bytes follow" },
    /* metadata */
    { "{\"__metadata__\":[]}", 0, HF_ERR_FORMAT, "\"__metadata__\" is not an object" },
    { "{\"__metadata__\":\"x\"}", 0, HF_ERR_FORMAT, "\"__metadata__\" is not an object" },
    { "{\"__metadata__\":{\"k\":1}}", 0, HF_ERR_FORMAT, "the metadata 'k' is not a text" },
    { "{\"__metadata__\":{\"k\":{}}}", 0, HF_ERR_FORMAT, "the metadata 'k' is not a text" },
    { "{\"__metadata__\":{\"digest\":\"\"}}", 0, HF_ERR_FORMAT, "damaged: its contents have the digest" },
    { "{\"__metadata__\":{\"digest\":\"0123456789abcdef0123456789abcdef\"},\"a\":" ONE "}", 8, HF_ERR_FORMAT,
      "the file says '0123456789abcdef0123456789abcdef'" },
    { "{\"__metadata__\":{\"writer\":\"hyperfusion\"}}", 0, HF_ERR_FORMAT, "the digest is missing" },
};

static void test_malformed(void)
{
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        hf_archive archive = { 0 };
        hf_status status = parse_header(&archive, malformed[i].header, malformed[i].data_size, 0);
        bool good = CHECK_STATUS(status, malformed[i].status, malformed[i].message);
        good = CHECK(strncmp(hf_error_message(), "'m.safetensors': ", 17) == 0 && archive.entry == NULL) && good;
        if (!good) fprintf(stderr, "    header: %s\n", malformed[i].header);
        hf_archive_free(&archive);
    }
}

static void test_lengths(void)
{
    hf_archive archive = { 0 };
    CHECK_STATUS(hf_archive_parse(&archive, "", 0, "m"), HF_ERR_FORMAT, "'m': 0 bytes");
    CHECK_STATUS(hf_archive_parse(&archive, "\2\0\0\0\0\0\0", 7, "m"), HF_ERR_FORMAT, "'m': 7 bytes");
    CHECK_STATUS(hf_archive_parse(&archive, "\0\0\0\0\0\0\0\0", 8, "m"), HF_ERR_FORMAT, "does not begin");
    CHECK_STATUS(parse_header(&archive, "{}", 0, 1), HF_ERR_FORMAT, "the header has 3 bytes, the file only 2");
    CHECK_STATUS(parse_header(&archive, "{}", 0, -3), HF_ERR_FORMAT, "the header has 18446744073709551615 bytes");
    CHECK_STATUS(parse_header(&archive, "{}", 0, INT64_MAX - 2), HF_ERR_FORMAT, "the header has 9223372036854775807");
    CHECK_STATUS(parse_header(&archive, "{}", 5 << 20, 5 << 20), HF_ERR_UNSUPPORTED, "at most 4194304 are read");
    CHECK_STATUS(hf_archive_read(&archive, "/nowhere/x.safetensors"), HF_ERR_IO, "/nowhere/x.safetensors");
    CHECK_OK(parse_header(&archive, "{}", 0, 0));
    CHECK(archive.n_entries == 0 && archive.n_texts == 0);
    hf_archive_free(&archive);
}

static void test_long_names(void)
{
    for (int extra = 0; extra <= 1; extra++) {
        hf_text header = { 0 };
        hf_archive archive = { 0 };
        hf_text_add(&header, "{\"%0*d\":" ONE "}", 512 + extra, 0);
        hf_status status = parse_header(&archive, header.data, 8, 0);
        CHECK_STATUS(status, extra ? HF_ERR_UNSUPPORTED : HF_OK, "513 bytes, at most 512");
        hf_archive_free(&archive);
        hf_text_free(&header);
    }
}

/* ---- what is accepted -------------------------------------------------------------------------------------------- */

static void test_foreign_file(void)
{
    /* Out of order, white space, an escape, no digest: all of it allowed by the format. */
    hf_archive archive = { 0 };
    const char *header =
        "{ \"b\\u0062\": " T("U8", "[ 3 ]", "[8, 11]") ",\n\t\"a\":" ONE ",\"__metadata__\":{\"format\":"
                                                       "\"pt\"}}   ";
    if (!CHECK_OK(parse_header(&archive, header, 11, 0))) return;
    CHECK(archive.n_entries == 2 && strcmp(archive.entry[0].name, "a") == 0);
    const hf_entry *b = hf_archive_find(&archive, "bb");
    CHECK(b && b->type == HF_U8 && b->shape.rank == 1 && b->shape.dim[0] == 3);
    CHECK(b && ((unsigned char *)b->data)[0] == (unsigned char)(8 * 37));
    const char *format = hf_archive_find_text(&archive, "format");
    CHECK(format && strcmp(format, "pt") == 0 && hf_archive_find_text(&archive, "x") == NULL);
    CHECK(hf_archive_find(&archive, "c") == NULL);
    hf_archive_free(&archive);
    hf_archive_free(&archive);
    hf_archive_free(NULL);
}

/* As PyTorch saves a state dict: counters of 64 bits, which are left out, and a digest of its own. */
#define COUNTER(type, offsets) "\"n.num_batches_tracked\":" T(type, "[]", offsets)

static const struct {
    const char *header;
    size_t data_size;
    hf_status status;
    const char *message;
} state_dicts[] = {
    { "{\"a\":" ONE "," COUNTER("I64", "[8,16]") "}", 16, HF_OK, "" },
    { "{" COUNTER("I64", "[0,8]") ",\"a\":" T("F32", "[2]", "[8,16]") "}", 16, HF_OK, "" },
    { "{\"a\":" ONE ",\"__metadata__\":{\"digest\":\"of another kind\"}}", 8, HF_OK, "" },
    { "{\"a\":" ONE "," COUNTER("I64", "[8,12]") "}", 12, HF_ERR_FORMAT, "one number of 8 bytes is expected" },
    { "{\"a\":" ONE "," COUNTER("I64", "[8,16]") "}", 12, HF_ERR_FORMAT, "one number of 8 bytes is expected" },
    { "{\"a\":" ONE "," COUNTER("F32", "[8,16]") "}", 16, HF_ERR_FORMAT, "a counter of type I64 is expected" },
    { "{\"a\":" ONE "," COUNTER("I64", "[4,12]") "}", 12, HF_ERR_FORMAT, "it overlaps another" },
    { "{\"a\":" ONE ",\"n.num_batches_tracked\":[]}", 8, HF_ERR_FORMAT, "a counter of type I64 is expected" },
    { "{\"a\":" ONE ",\"b\":" T("I64", "[1]", "[8,16]") "}", 16, HF_ERR_UNSUPPORTED, "type I64" },
    { "{\"a\":" ONE ",\"__metadata__\":{\"writer\":\"hyperfusion\",\"digest\":\"0\"}}", 8, HF_ERR_FORMAT, "damaged" },
};

static void test_state_dicts(void)
{
    static const char *const pickles[] = { "PK\3\4 and the files of a zip archive", "\x80\2\x8a\x0al\xfc\x9c" };
    hf_archive archive = { 0 };
    for (size_t i = 0; i < sizeof state_dicts / sizeof state_dicts[0]; i++) {
        hf_text file = { 0 };
        make_file(&file, state_dicts[i].header, strlen(state_dicts[i].header), state_dicts[i].data_size, 0);
        CHECK_STATUS(hf_archive_parse_state_dict(&archive, file.data, file.size, "m.safetensors"),
                     state_dicts[i].status, state_dicts[i].message);
        CHECK(archive.n_entries == (state_dicts[i].status == HF_OK));
        if (archive.n_entries) CHECK(strcmp(archive.entry[0].name, "a") == 0);
        hf_archive_free(&archive);
        hf_text_free(&file);
    }
    CHECK_STATUS(parse_header(&archive, state_dicts[0].header, 16, 0), HF_ERR_UNSUPPORTED, "type I64");
    for (size_t i = 0; i < 2; i++)
        CHECK_STATUS(hf_archive_parse(&archive, pickles[i], i ? 9 : strlen(pickles[i]), "m.pt"), HF_ERR_UNSUPPORTED,
                     "'m.pt': a pickle as torch.save writes it");
}

static hf_status fill(hf_archive *archive)
{
    const float weights[] = { 1.5f, -0.0f, NAN, INFINITY, 1e-42f, -3.25f };
    const int32_t steps[] = { 7, INT32_MIN };
    const unsigned char mask[] = { 0, 255, 3 };
    HF_TRY(hf_archive_add(archive, "z.weight", HF_F32, HF_SHAPE(2, 1, 3), weights));
    HF_TRY(hf_archive_add(archive, "mask \"\\\xc3\xa9", HF_U8, HF_SHAPE(3), mask));
    HF_TRY(hf_archive_add(archive, "optimizer.step", HF_I32, HF_SHAPE(2), steps));
    HF_TRY(hf_archive_add_text(archive, "recipe", "task: brain-age\n# \"quoted\" \\ \t\x01 text\n"));
    return hf_archive_add_text(archive, "empty", "");
}

static bool same_entry(const hf_entry *a, const hf_entry *b)
{
    if (!a || !b || strcmp(a->name, b->name) != 0 || a->type != b->type || a->shape.rank != b->shape.rank) return false;
    size_t size = a->type == HF_U8 ? 1 : 4;
    for (int i = 0; i < a->shape.rank; i++) {
        if (a->shape.dim[i] != b->shape.dim[i]) return false;
        size *= (size_t)a->shape.dim[i];
    }
    return memcmp(a->data, b->data, size) == 0;
}

/* Whether b holds all that a holds, and no more. */
static bool same_archive(const hf_archive *a, const hf_archive *b)
{
    if (a->n_entries != b->n_entries || a->n_texts != b->n_texts) return false;
    for (int i = 0; i < a->n_entries; i++)
        if (!same_entry(&a->entry[i], hf_archive_find(b, a->entry[i].name))) return false;
    for (int i = 0; i < a->n_texts; i++) {
        const char *text = hf_archive_find_text(b, a->key[i]);
        if (!text || strcmp(text, a->text[i]) != 0) return false;
    }
    return true;
}

static void test_round_trip(const char *folder, unsigned char **bytes, size_t *size)
{
    hf_archive made = { 0 }, read = { 0 }, again = { 0 };
    char *path = NULL, *second = NULL;
    void *one = NULL, *two = NULL;
    size_t size_two = 0;
    CHECK_OK(fill(&made));
    CHECK_OK(hf_path_join(&path, folder, "a.safetensors"));
    CHECK_OK(hf_path_join(&second, folder, "b.safetensors"));
    CHECK_OK(hf_archive_write(&made, path));
    if (!CHECK_OK(hf_archive_read(&read, path))) goto out;
    for (int i = 0; i < made.n_entries; i++)
        CHECK(same_entry(&made.entry[i], hf_archive_find(&read, made.entry[i].name)));
    CHECK(read.n_texts == made.n_texts + 2 && strlen(hf_archive_find_text(&read, "digest")) == 32);
    CHECK(strcmp(hf_archive_find_text(&read, "recipe"), made.text[0]) == 0);
    /* Written again, in another order of tensors, it must be the same file. */
    CHECK_OK(hf_archive_write(&read, second));
    CHECK_OK(hf_archive_read(&again, second));
    CHECK(same_archive(&read, &again));
    CHECK_OK(hf_file_read(&one, size, path, 1 << 20));
    CHECK_OK(hf_file_read(&two, &size_two, second, 1 << 20));
    CHECK(*size == size_two && memcmp(one, two, size_two) == 0);
    CHECK((((unsigned char *)one)[0] & 7) == 0); /* tensors start aligned */
    *bytes = one;
    one = NULL;
out:
    remove(path);
    remove(second);
    free(path);
    free(second);
    free(one);
    free(two);
    hf_archive_free(&made);
    hf_archive_free(&read);
    hf_archive_free(&again);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void test_bit_flips(unsigned char *bytes, size_t size)
{
    hf_archive whole = { 0 };
    CHECK_OK(hf_archive_parse(&whole, bytes, size, "whole"));
    int detected = 0, harmless = 0, missed = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        hf_archive archive = { 0 };
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
        hf_status status = hf_archive_parse(&archive, bytes, size, "flipped");
        if (status != HF_OK)
            detected++;
        else if (same_archive(&whole, &archive))
            harmless++;
        else
            missed++;
        hf_archive_free(&archive);
        bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    }
    CHECK(missed == 0);
    CHECK(detected > 0 && detected + harmless == (int)size * 8 && harmless * 100 < detected);
    hf_archive_free(&whole);
}

static void test_cuts(const unsigned char *bytes, size_t size)
{
    for (size_t length = 0; length < size; length++) {
        hf_archive archive = { 0 };
        /* A copy of exactly this length, so that a memory checker sees any step beyond it. */
        unsigned char *cut;
        if (!CHECK_OK(hf_alloc(&cut, length, 1, "a cut file"))) return;
        memcpy(cut, bytes, length);
        CHECK_STATUS(hf_archive_parse(&archive, cut, length, "cut"), HF_ERR_FORMAT, "'cut': ");
        free(cut);
        hf_archive_free(&archive);
    }
}

/* ---- refusals when writing --------------------------------------------------------------------------------------- */

static void test_refusals(const char *folder)
{
    hf_archive archive = { 0 };
    const float x[2] = { 1, 2 };
    hf_shape none = { 0 }, negative = { 1, { -1 } }, huge = { 2, { INT64_MAX, INT64_MAX } };
    CHECK_OK(hf_archive_add(&archive, "x", HF_F32, HF_SHAPE(2), x));
    CHECK_STATUS(hf_archive_add(&archive, "x", HF_F32, HF_SHAPE(2), x), HF_ERR_ARGUMENT, "two tensors are called 'x'");
    CHECK_STATUS(hf_archive_add(&archive, "", HF_F32, HF_SHAPE(2), x), HF_ERR_ARGUMENT, "cannot be a tensor's name");
    CHECK_STATUS(hf_archive_add(&archive, "__metadata__", HF_F32, HF_SHAPE(2), x), HF_ERR_ARGUMENT, "__metadata__");
    CHECK_STATUS(hf_archive_add(&archive, "\xff", HF_F32, HF_SHAPE(2), x), HF_ERR_ARGUMENT, "not UTF-8");
    CHECK_STATUS(hf_archive_add(&archive, "y", (hf_type)9, HF_SHAPE(2), x), HF_ERR_ARGUMENT, "unknown element type 9");
    CHECK_STATUS(hf_archive_add(&archive, "y", HF_F32, none, x), HF_ERR_SHAPE, "tensor 'y'");
    CHECK_STATUS(hf_archive_add(&archive, "y", HF_F32, negative, x), HF_ERR_SHAPE, "tensor 'y'");
    CHECK_STATUS(hf_archive_add(&archive, "y", HF_F32, huge, x), HF_ERR_SHAPE, "tensor 'y'");
    CHECK_STATUS(hf_archive_add_text(&archive, "digest", "x"), HF_ERR_ARGUMENT, "'digest'");
    CHECK_STATUS(hf_archive_add_text(&archive, "writer", "x"), HF_ERR_ARGUMENT, "'writer'");
    CHECK_STATUS(hf_archive_add_text(&archive, "k", "\x80"), HF_ERR_ARGUMENT, "not UTF-8");
    CHECK_OK(hf_archive_add_text(&archive, "k", "v"));
    CHECK_STATUS(hf_archive_add_text(&archive, "k", "v"), HF_ERR_ARGUMENT, "two metadata texts are called 'k'");
    CHECK(archive.n_entries == 1 && archive.n_texts == 1);
    CHECK_STATUS(hf_archive_write(&archive, "/nowhere/x"), HF_ERR_IO, "checkpoint '/nowhere/x'");
    CHECK_STATUS(hf_archive_write(&archive, folder), HF_ERR_IO, "checkpoint");
    hf_archive_free(&archive);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Parses under a limit of `bytes` of address space beyond what is in use; true when the message is the expected one. */
static bool parse_limited(const hf_text *file, size_t bytes, const char *part)
{
    pid_t child = fork();
    if (child == 0) {
        unsigned long pages = 0;
        FILE *statm = fopen("/proc/self/statm", "r");
        if (!statm || fscanf(statm, "%lu", &pages) != 1) _exit(2);
        fclose(statm);
        rlim_t limit = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
        if (setrlimit(RLIMIT_AS, &(struct rlimit){ limit, limit }) != 0) _exit(3);
        hf_archive archive = { 0 };
        hf_status status = hf_archive_parse(&archive, file->data, file->size, "hostile");
        _exit(status == HF_ERR_FORMAT && strstr(hf_error_message(), part) ? 0 : 1);
    }
    int result = 1;
    return child > 0 && waitpid(child, &result, 0) == child && result == 0;
}

/* Headers of 4 MB whose naive reading would build hundreds of megabytes. */
static void test_memory(void)
{
    static const struct {
        const char *part, *message;
    } hostile[] = { { "[],", "more than 65536 values" },
                    { "{},", "more than 65536 values" },
                    { "1,", "more than 65536 values" },
                    { "\"\",", "more than 65536 values" },
                    { "[", "nested deeper" } };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        hf_text header = { 0 }, file = { 0 };
        hf_text_add(&header, "{\"a\":[");
        while (header.size < (4u << 20) - 16)
            hf_text_add(&header, "%s", hostile[i].part);
        hf_text_add(&header, "[]]}");
        make_file(&file, header.data, header.size, 0, 0);
        CHECK(parse_limited(&file, 16u << 20, hostile[i].message));
        hf_text_free(&header);
        hf_text_free(&file);
    }
}

int main(void)
{
    char folder[] = "/tmp/hf-safetensors-XXXXXX";
    if (!CHECK(mkdtemp(folder) != NULL)) return check_done("safetensors");
    unsigned char *bytes = NULL;
    size_t size = 0;
    test_malformed();
    test_lengths();
    test_long_names();
    test_foreign_file();
    test_state_dicts();
    test_round_trip(folder, &bytes, &size);
    if (bytes) {
        test_bit_flips(bytes, size);
        test_cuts(bytes, size);
    }
    test_refusals(folder);
    test_memory();
    free(bytes);
    CHECK(rmdir(folder) == 0);
    return check_done("safetensors");
}
