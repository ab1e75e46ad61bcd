/* Checks packed NIfTI files: damage to any bit, several members, padding, and files that inflate far beyond what their
 * header says. */
#include "nifti_file.h"

static hf_status parse_packed(const unsigned char *bytes, size_t size, bool *same)
{
    hf_volume volume = { 0 };
    hf_status status = parse_bytes(&volume, bytes, size, "test.nii.gz");
    *same = status == HF_OK && volume.voxels[23] == 24 && volume.shape[2] == 4;
    hf_volume_free(&volume);
    return status;
}

static void test_gzip_damage(unsigned char *packed, size_t size)
{
    bool same;
    int accepted_wrong = 0;
    for (size_t cut = 0; cut < size; cut++)
        CHECK(parse_packed(packed, cut, &same) == HF_ERR_FORMAT);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        accepted_wrong += parse_packed(packed, size, &same) == HF_OK && !same;
        packed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    CHECK(accepted_wrong == 0);
    memset(packed + size - 4, 0xff, 4);
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT, "promises 4294967295 inflated bytes");
}

/* Two members, padding, and what is neither. */
static void test_gzip_members(const file *f)
{
    static unsigned char joined[CAPACITY];
    void *first = NULL, *second = NULL;
    size_t first_size = 0, second_size = 0;
    bool same;
    if (!CHECK_OK(hf_gzip(&first, &first_size, f->bytes, 100)) ||
        !CHECK_OK(hf_gzip(&second, &second_size, f->bytes + 100, f->size - 100)))
        exit(2);
    memcpy(joined, first, first_size);
    memcpy(joined + first_size, second, second_size);
    size_t size = first_size + second_size;
    CHECK_OK(parse_packed(joined, size, &same));
    CHECK(same);
    memset(joined + size, 0, 600);
    CHECK_OK(parse_packed(joined, size + 600, &same));
    CHECK(same);
    joined[size + 4] = 1;
    CHECK_STATUS(parse_packed(joined, size + 8, &same), HF_ERR_FORMAT, "8 bytes after the gzip data");
    CHECK_STATUS(parse_packed(joined, first_size, &same), HF_ERR_FORMAT, "has 100 bytes");
    free(first);
    free(second);
}

/* The same member again and again, then an empty one, which promises 0 bytes. */
static void test_gzip_bomb(const unsigned char *member, size_t member_size)
{
    enum { MEMBERS = 50 };
    unsigned char *joined = NULL;
    void *empty = NULL;
    size_t empty_size = 0, size = 0;
    bool same;
    CHECK_OK(hf_gzip(&empty, &empty_size, "", 0));
    CHECK_OK(hf_alloc(&joined, MEMBERS * member_size + empty_size, 1, "members"));
    for (int i = 0; i < MEMBERS; i++, size += member_size)
        memcpy(joined + size, member, member_size);
    memcpy(joined + size, empty, empty_size);
    CHECK_STATUS(parse_packed(joined, size + empty_size, &same), HF_ERR_FORMAT, "inflates to more than 1048976 bytes");
    free(joined);
    free(empty);
}

/* Zeros behind the voxels are accepted up to a megabyte; a file that inflates far beyond its header's claim is refused
 * without being inflated, also in many members whose end promises little, and so is one whose header claims more than was
 * inflated. */
static void test_gzip_claims(void)
{
    static file f;
    unsigned char *large = calloc(1, 1 << 22);
    void *packed = NULL;
    size_t size = 0;
    bool same;
    if (!large) exit(2);
    plain_file(&f, 1, false);
    memcpy(large, f.bytes, f.size);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 20));
    CHECK_OK(parse_packed(packed, size, &same));
    CHECK(same);
    free(packed);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 22));
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT,
                 "compressed bytes and its header leave room for 1048976 at most");
    test_gzip_bomb(packed, size);
    free(packed);
    put(&f, "dim", 1, 30000);
    put(&f, "dim", 2, 30000);
    memcpy(large, f.bytes, f.size);
    CHECK_OK(hf_gzip(&packed, &size, large, 1 << 22));
    CHECK_STATUS(parse_packed(packed, size, &same), HF_ERR_FORMAT, "30000 x 30000 x 4 int16 voxels");
    free(packed);
    free(large);
}

static void test_memory(void)
{
    CHECK_OK(hf_volume_fits(5 << 20, 5 << 20, "a.nii"));
    CHECK_OK(hf_volume_fits(5 << 20, 0, "a.nii"));
    CHECK_STATUS(hf_volume_fits((5 << 20) + 1, 5 << 20, "a.nii"), HF_ERR_MEMORY,
                 "'a.nii': reading it takes 5 MiB of memory, there are 5 MiB");
    CHECK_STATUS(hf_volume_fits(SIZE_MAX - 1, 0, "a.nii"), HF_ERR_MEMORY, "MiB");
}

static void test_gzip(void)
{
    static file f;
    void *packed = NULL;
    size_t size = 0;
    hf_volume volume = { 0 };
    bool same;
    plain_file(&f, 1, true);
    if (!CHECK_OK(hf_gzip(&packed, &size, f.bytes, f.size))) return;
    CHECK_OK(parse_packed(packed, size, &same));
    CHECK(same);
    CHECK_STATUS(parse_bytes(&volume, packed, size, "a.nii"), HF_ERR_FORMAT, "gzip data where none was expected");
    CHECK_STATUS(parse_packed(f.bytes, f.size, &same), HF_ERR_FORMAT, "do not begin as gzip");
    test_gzip_damage(packed, size);
    free(packed);
    test_gzip_members(&f);
    test_gzip_claims();
    test_memory();
}

int main(void)
{
    test_gzip();
    return check_done("gzip");
}
