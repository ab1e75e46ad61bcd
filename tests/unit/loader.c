/* Checks the loader: every subject once a pass, in an order that (seed, epoch) alone decides, batches equal to what the
 * dataset gives, passes broken off and begun again, freeing at any time, and errors of its thread. */
#include "small_cohort.h"

#include <limits.h>
#include <time.h>

#define N      7           /* subjects */
#define VOXELS (6 * 7 * 8) /* of one */
#define WIDTH  3           /* of a table row */
#define SAMPLE (VOXELS + WIDTH + 1)

static const int all[N] = { 0, 1, 2, 3, 4, 5, 6 };
static hf_cohort cohort;
static hf_encoder encoder;
static hf_dataset *dataset;
static float expected[N][SAMPLE]; /* volume, row, target of every subject, by hf_dataset_get */

static void get_sample(float *out, int index)
{
    CHECK_OK(hf_dataset_get(dataset, index, out, out + VOXELS, out + VOXELS + WIDTH));
}

static void make_dataset(bool no_cache)
{
    static const char *const specs[] = { "sex:onehot(F,M)", "edu:zscore" };
    hf_part part[N] = { HF_TRAIN };
    hf_text table = { 0 };
    small_cohort_clear(); /* first: it gives the folder its name */
    float age[N];
    for (int i = 0; i < N; i++)
        age[i] = (float)i + 60.5f;
    const hf_dataset_options options = {
        .targets = age, .n_targets = 1, .cache_dir = small_cache(), .no_cache = no_cache
    };
    hf_text_add(&table, "participant_id\tage\tsex\tedu\n");
    for (int i = 0; i < N; i++) {
        char name[32];
        hf_text_add(&table, "sub-%d\t%d.5\t%s\t%d\n", i, 60 + i, i % 2 ? "F" : "M", 10 + i * i);
        snprintf(name, sizeof name, "sub-%d.nii", i);
        small_put_volume(name, 6, 6, 7, (uint64_t)i);
        part[i] = HF_TRAIN;
    }
    small_put_text("participants.tsv", table.data);
    hf_text_free(&table);
    small_cohort_open(&cohort);
    small_must(hf_encoder_parse(&encoder, specs, 2) == HF_OK && encoder.width == WIDTH, "the encoder");
    small_must(hf_encoder_fit(&encoder, &cohort, part) == HF_OK, "the encoder");
    small_must(hf_dataset_open(&dataset, &cohort, &small_window, &encoder, &options) == HF_OK, "the dataset");
    for (int i = 0; i < N; i++)
        get_sample(expected[i], i);
}

static void free_dataset(void)
{
    hf_dataset_free(&dataset);
    hf_cohort_free(&cohort);
}

static hf_loader *new_loader(int batch_size, int depth, bool shuffle, uint64_t seed)
{
    hf_loader *loader = NULL;
    const hf_loader_options options = { .batch_size = batch_size, .depth = depth, .shuffle = shuffle, .seed = seed };
    small_must(hf_loader_new(&loader, dataset, all, N, &options) == HF_OK, "a loader");
    return loader;
}

/* How many samples of a batch are not what the dataset gives for their subject. */
static int wrong_samples(const hf_batch *batch)
{
    int wrong = 0;
    for (int k = 0; k < batch->count; k++) {
        const float *want = expected[batch->index[k]];
        wrong += memcmp(batch->volume + k * VOXELS, want, VOXELS * sizeof *want) != 0 ||
                 memcmp(batch->tabular + k * WIDTH, want + VOXELS, WIDTH * sizeof *want) != 0 ||
                 batch->target[k] != want[VOXELS + WIDTH];
    }
    return wrong;
}

/* Runs a pass to its end, checking all of it but the order, which goes to order[N]. */
static void run_pass(int order[N], hf_loader *loader, uint64_t epoch, int batch_size)
{
    const hf_batch *batch = NULL;
    int done = 0;
    for (int i = 0; i < N; i++)
        order[i] = -1;
    CHECK_OK(hf_loader_start(loader, epoch));
    for (;;) {
        if (!CHECK_OK(hf_loader_next(loader, &batch)) || !batch) break;
        const int left = N - done;
        if (!CHECK(batch->count == (left < batch_size ? left : batch_size) && batch->count > 0)) break;
        CHECK(wrong_samples(batch) == 0);
        memcpy(order + done, batch->index, (size_t)batch->count * sizeof *order);
        done += batch->count;
    }
    CHECK(done == N && !batch);
    CHECK(hf_loader_next(loader, &batch) == HF_OK && !batch); /* and so it stays */
}

static bool is_permutation(const int order[N])
{
    int seen[N] = { 0 };
    for (int i = 0; i < N; i++)
        if (order[i] < 0 || order[i] >= N || seen[order[i]]++) return false;
    return true;
}

static bool same_order(const int a[N], const int b[N])
{
    return memcmp(a, b, N * sizeof *a) == 0;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static void test_passes(void)
{
    static const int sizes[] = { 1, 2, 3, 6, 7, 8, INT_MAX }, depths[] = { 0, 1, 2, 5, INT_MAX };
    int first[N] = { 0 }, order[N];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            hf_loader *plain = new_loader(sizes[s], depths[d], false, 0);
            hf_loader *shuffled = new_loader(sizes[s], depths[d], true, 5);
            run_pass(order, plain, 3, sizes[s]);
            CHECK(same_order(order, all));
            run_pass(order, shuffled, 3, sizes[s]);
            if (s == 0 && d == 0) memcpy(first, order, sizeof first);
            CHECK(is_permutation(order) && same_order(order, first)); /* whatever the batches */
            CHECK(hf_loader_waited(plain) > 0 && hf_loader_waited(plain) < 60);
            hf_loader_free(&plain);
            hf_loader_free(&shuffled);
            CHECK(!plain && !shuffled);
        }
    CHECK(!same_order(first, all));
}

static void test_order(void)
{
    enum { EPOCHS = 12 };
    int order[EPOCHS][N], again[N], different = 0, others = 0;
    hf_loader *loader = new_loader(2, 0, true, 11), *second = new_loader(3, 1, true, 11);
    hf_loader *other = new_loader(2, 0, true, 12);
    for (int e = 0; e < EPOCHS; e++) {
        run_pass(order[e], loader, (uint64_t)e, 2);
        CHECK(is_permutation(order[e]));
        different += e > 0 && !same_order(order[e], order[e - 1]);
        run_pass(again, other, (uint64_t)e, 2);
        others += !same_order(again, order[e]);
    }
    CHECK(different >= EPOCHS - 2 && others >= EPOCHS - 1); /* 5040 orders: chance meetings are rare */
    for (int e = EPOCHS - 1; e >= 0; e--) {                 /* in another loader, the other way round */
        run_pass(again, second, (uint64_t)e, 3);
        CHECK(same_order(again, order[e]));
    }
    run_pass(again, second, UINT64_MAX, 3);
    CHECK(is_permutation(again));
    hf_loader_free(&loader);
    hf_loader_free(&second);
    hf_loader_free(&other);
}

/* Any list of subjects, in its order, repeats included; the loader has its own copy. */
static void test_indices(void)
{
    int chosen[] = { 6, 2, 2, 4, 0 };
    const int same[] = { 6, 2, 2, 4, 0 };
    const hf_batch *batch;
    hf_loader *loader = NULL;
    const hf_loader_options options = { .batch_size = 5 };
    if (!CHECK_OK(hf_loader_new(&loader, dataset, chosen, 5, &options))) return;
    memset(chosen, 0xff, sizeof chosen);
    CHECK_OK(hf_loader_start(loader, 0));
    CHECK_OK(hf_loader_next(loader, &batch));
    if (CHECK(batch && batch->count == 5))
        CHECK(memcmp(batch->index, same, sizeof same) == 0 && wrong_samples(batch) == 0);
    hf_loader_free(&loader);
}

/* Without tabular input the rows are empty and the rest is as ever. */
static void test_without_rows(bool no_cache)
{
    hf_dataset *bare = NULL;
    hf_loader *loader = NULL;
    const hf_batch *batch;
    const hf_dataset_options options = { .cache_dir = small_cache(), .no_cache = no_cache };
    const hf_loader_options two = { .batch_size = 2 };
    CHECK_OK(hf_dataset_open(&bare, &cohort, &small_window, NULL, &options));
    if (!CHECK_OK(hf_loader_new(&loader, bare, all, N, &two))) return;
    CHECK_OK(hf_loader_start(loader, 0));
    CHECK_OK(hf_loader_next(loader, &batch));
    CHECK(batch && batch->count == 2);
    for (int k = 0; batch && k < batch->count; k++) {
        CHECK(memcmp(batch->volume + k * VOXELS, expected[k], VOXELS * sizeof(float)) == 0);
        CHECK(isnan(batch->target[k]));
    }
    hf_loader_free(&loader);
    hf_dataset_free(&bare);
}

/* ---- augmentation and sides -------------------------------------------------------------------------------------- */

/* Rows and targets alone, in the order of the whole; of two sides there is nothing to see, so a subject comes once. */
static void test_without_volumes(void)
{
    const hf_augment flip = { .flip = 1 };
    const hf_loader_options options[] = {
        { .batch_size = 2, .no_volumes = true, .shuffle = true, .seed = 3, .augment = &flip },
        { .batch_size = 2, .shuffle = true, .seed = 3 }
    };
    hf_loader *loader[2] = { NULL };
    const hf_batch *batch[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(hf_loader_new(&loader[i], dataset, all, N, &options[i]));
        CHECK(hf_loader_samples(loader[i]) == N);
        CHECK_OK(hf_loader_start(loader[i], 1));
    }
    for (int left = N; left > 0; left -= batch[1]->count) {
        CHECK_OK(hf_loader_next(loader[0], &batch[0]));
        CHECK_OK(hf_loader_next(loader[1], &batch[1]));
        const int n = batch[1]->count;
        CHECK(!batch[0]->volume && batch[0]->count == n);
        CHECK(memcmp(batch[0]->index, batch[1]->index, (size_t)n * sizeof(int)) == 0);
        CHECK(memcmp(batch[0]->tabular, batch[1]->tabular, (size_t)n * WIDTH * sizeof(float)) == 0);
        CHECK(memcmp(batch[0]->target, batch[1]->target, (size_t)n * sizeof(float)) == 0);
    }
    hf_loader_free(&loader[0]);
    hf_loader_free(&loader[1]);
}

static const hf_augment everything = { .flip = 0.5,
                                       .shift = 1,
                                       .affine = 0.7,
                                       .rotate = { 9, 9, 9 },
                                       .scale = { 0.1, 0.1, 0.1 },
                                       .shear = { 0.1, 0.1, 0.1 },
                                       .noise = 0.6,
                                       .noise_sd = 0.2,
                                       .seed = 21 };

/* Whatever the threads, the depth, the batch, and what was served before: subject by subject what augmentation alone
 * makes of it in that epoch. */
static void test_augmented(void)
{
    float room[VOXELS], want[VOXELS];
    int wrong = 0, same = 0, seen = 0;
    for (int threads = 1; threads <= 4; threads++)
        for (int batch_size = 1; batch_size <= 4; batch_size++) {
            hf_loader *loader = NULL;
            const hf_batch *batch;
            const hf_loader_options options = { .batch_size = batch_size,
                                                .depth = threads,
                                                .threads = threads,
                                                .shuffle = true,
                                                .seed = 3,
                                                .augment = &everything };
            if (!CHECK_OK(hf_loader_new(&loader, dataset, all, N, &options))) return;
            CHECK(hf_loader_samples(loader) == N);
            for (uint64_t epoch = 5; epoch <= 6; epoch++) {
                CHECK_OK(hf_loader_start(loader, epoch));
                while (CHECK_OK(hf_loader_next(loader, &batch)) && batch)
                    for (int k = 0; k < batch->count; k++) {
                        const int index = batch->index[k];
                        memcpy(want, expected[index], sizeof want);
                        hf_augment_volume(want, hf_dataset_shape(dataset), &everything, epoch, (uint64_t)index, room);
                        wrong += memcmp(want, batch->volume + k * VOXELS, sizeof want) != 0;
                        same += memcmp(want, expected[index], sizeof want) == 0;
                        seen++;
                    }
            }
            hf_loader_free(&loader);
        }
    CHECK(wrong == 0 && seen == 16 * 2 * N && same < seen / 4);
    hf_augment bad = everything;
    bad.noise = 2;
    hf_loader *loader = NULL;
    const hf_loader_options options = { .batch_size = 2, .augment = &bad };
    CHECK_STATUS(hf_loader_new(&loader, dataset, all, N, &options), HF_ERR_ARGUMENT, "noise is 2");
}

/* The copies of a subject are augmented each for itself, the first like the subject alone, whoever stands before it in
 * the list; and each the same in a second pass of the same number. */
static void test_copies(void)
{
    enum { LIST = 7 };
    static const int list[LIST] = { 3, 1, 3, 3, 0, 1, 3 }, copy[LIST] = { 0, 0, 1, 2, 0, 1, 3 };
    static float got[LIST][VOXELS];
    float room[VOXELS], want[VOXELS];
    hf_loader *loader = NULL;
    const hf_batch *batch;
    const hf_loader_options options = { .batch_size = 2, .depth = 2, .threads = 3, .augment = &everything };
    int equal = 0;
    if (!CHECK_OK(hf_loader_new(&loader, dataset, list, LIST, &options))) return;
    for (int pass = 0; pass < 2; pass++) {
        int at = 0;
        CHECK_OK(hf_loader_start(loader, 5));
        while (CHECK_OK(hf_loader_next(loader, &batch)) && batch)
            for (int k = 0; k < batch->count; k++, at++) {
                const uint64_t draw = (uint64_t)list[at] + ((uint64_t)copy[at] << 32);
                memcpy(want, expected[list[at]], sizeof want);
                hf_augment_volume(want, hf_dataset_shape(dataset), &everything, 5, draw, room);
                CHECK(batch->index[k] == list[at] && hf_augment_copy(list[at], copy[at]) == draw);
                CHECK(memcmp(want, batch->volume + k * VOXELS, sizeof want) == 0);
                memcpy(got[at], want, sizeof want);
            }
        CHECK(at == LIST);
    }
    for (int a = 0; a < LIST; a++)
        for (int b = 0; b < a; b++)
            equal += list[a] == list[b] && memcmp(got[a], got[b], sizeof got[a]) == 0;
    CHECK(equal == 0);
    hf_loader_free(&loader);
}

/* Two sides: judged, both of each subject, one after the other, normalised together; in training a random one, alone. */
static void test_sides(bool no_cache)
{
    enum { HALF = 4 * 6 * 7 };
    const hf_grid grid = { .shape = { 7, 6, 7 }, .zscore = true, .both_sides = true };
    hf_grid whole = grid;
    float two[7 * 6 * 7], view[2][HALF], alone[HALF];
    const hf_dataset_options options = { .cache_dir = small_cache(), .no_cache = no_cache };
    const hf_loader_options judged = { .batch_size = 3, .threads = 2 };
    const hf_augment none = { .seed = 4 };
    const hf_loader_options trained = { .batch_size = 3, .threads = 2, .augment = &none };
    hf_dataset *sides = NULL;
    hf_loader *loader = NULL;
    const hf_batch *batch;
    int sample = 0, right = 0;
    if (!CHECK_OK(hf_dataset_open(&sides, &cohort, &grid, NULL, &options))) return;
    CHECK(hf_dataset_views(sides) == 2 && hf_dataset_shape(sides)[0] == 4 && hf_dataset_shape(sides)[2] == 7);
    CHECK_OK(hf_loader_new(&loader, sides, all, N, &judged));
    CHECK(hf_loader_samples(loader) == 2 * N);
    CHECK_OK(hf_loader_start(loader, 0));
    while (CHECK_OK(hf_loader_next(loader, &batch)) && batch)
        for (int k = 0; k < batch->count; k++, sample++) {
            float *by_hand = small_expected(&cohort, &whole, sample / 2, 7 * 6 * 7);
            memcpy(two, by_hand, sizeof two);
            free(by_hand);
            hf_views_make(view[0], two, (const int[]){ 7, 6, 7 }, sample % 2, &grid);
            CHECK(batch->index[k] == sample / 2);
            double worst = 0;
            for (int i = 0; i < HALF; i++)
                worst = fmax(worst, fabs(batch->volume[k * HALF + i] - view[0][i]));
            CHECK_NEAR(worst, 0, 1e-3); /* half a step of the cache: 150 / 65534, over a deviation of about 20 */
        }
    CHECK(sample == 2 * N);
    hf_loader_free(&loader);
    CHECK_OK(hf_loader_new(&loader, sides, all, N, &trained));
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        CHECK_OK(hf_loader_start(loader, epoch));
        while (CHECK_OK(hf_loader_next(loader, &batch)) && batch)
            for (int k = 0; k < batch->count; k++) {
                const int side = hf_augment_side(4, epoch, (uint64_t)batch->index[k]);
                CHECK_OK(hf_dataset_view(sides, batch->index[k], side, true, alone));
                CHECK(memcmp(alone, batch->volume + k * HALF, sizeof alone) == 0);
                right += side == 0;
            }
    }
    CHECK(right > 20 * N / 3 && right < 20 * N * 2 / 3);
    double sum = 0, squares = 0;
    int filled = 0;
    for (int i = 0; i < HALF; i++)
        sum += alone[i], squares += alone[i] * alone[i], filled += alone[i] != 0;
    CHECK_NEAR(sum / filled, 0, 1e-5);
    CHECK_NEAR(squares / filled, 1, 1e-5);
    CHECK_STATUS(hf_dataset_view(sides, 0, 2, true, alone), HF_ERR_ARGUMENT, "view 2 of a subject");
    hf_loader_free(&loader);
    hf_dataset_free(&sides);
}

/* ---- timing ------------------------------------------------------------------------------------------------------ */

static void pause_ms(int milliseconds)
{
    nanosleep(&(struct timespec){ .tv_nsec = milliseconds * 1000000L }, NULL);
}

/* A pass broken off after 0, 1, 2, ... batches leaves no trace in the next one. */
static void test_restart(void)
{
    int want[N], order[N];
    for (int depth = 1; depth <= 3; depth++) {
        hf_loader *loader = new_loader(2, depth, true, 8);
        run_pass(want, loader, 1, 2);
        for (int taken = 0; taken <= 5; taken++)
            for (int wait = 0; wait < 2; wait++) {
                const hf_batch *batch;
                CHECK_OK(hf_loader_start(loader, 100));
                for (int k = 0; k < taken; k++)
                    CHECK(hf_loader_next(loader, &batch) == HF_OK && (!batch || wrong_samples(batch) == 0));
                if (wait) pause_ms(2);
                run_pass(order, loader, 1, 2);
                CHECK(same_order(order, want));
            }
        for (int k = 0; k < 200; k++)
            CHECK_OK(hf_loader_start(loader, (uint64_t)k));
        run_pass(order, loader, 1, 2);
        CHECK(same_order(order, want));
        hf_loader_free(&loader);
    }
}

/* The thread never writes to the batch the caller holds, however long it is held. */
static void test_held_batch(void)
{
    for (int depth = 1; depth <= 3; depth++) {
        hf_loader *loader = new_loader(1, depth, false, 0);
        const hf_batch *batch;
        CHECK_OK(hf_loader_start(loader, 0));
        for (int k = 0; k < N; k++) {
            CHECK_OK(hf_loader_next(loader, &batch));
            pause_ms(3);
            CHECK(batch && batch->count == 1 && batch->index[0] == k && wrong_samples(batch) == 0);
        }
        hf_loader_free(&loader);
    }
}

/* At every stage: before a pass, while the thread is at work, with batches waiting, at the end. */
static void test_free(void)
{
    for (int k = 0; k < 40; k++) {
        hf_loader *loader = new_loader(1 + k % 3, 1 + k % 2, true, 1);
        const hf_batch *batch;
        if (k % 8) CHECK_OK(hf_loader_start(loader, 0));
        for (int taken = 0; k % 8 && taken < k % 4; taken++)
            CHECK_OK(hf_loader_next(loader, &batch));
        if (k % 5 == 0) pause_ms(1);
        hf_loader_free(&loader);
        CHECK(!loader);
    }
    hf_loader *none = NULL;
    hf_loader_free(&none);
    hf_loader_free(NULL);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static void test_arguments(void)
{
    const int outside[] = { 0, 7 };
    hf_loader *loader;
    const hf_batch *batch;
    hf_loader_options options = { 0 };
    CHECK_STATUS(hf_loader_new(&loader, dataset, all, N, NULL), HF_ERR_ARGUMENT, "batch size");
    CHECK_STATUS(hf_loader_new(&loader, dataset, all, N, &options), HF_ERR_ARGUMENT, "batch size");
    options.batch_size = 2;
    CHECK_STATUS(hf_loader_new(&loader, dataset, all, 0, &options), HF_ERR_ARGUMENT, "at least one subject");
    CHECK_STATUS(hf_loader_new(&loader, dataset, outside, 2, &options), HF_ERR_ARGUMENT, "subject number 7");
    CHECK(!loader);
    loader = new_loader(2, 1, false, 0);
    CHECK_STATUS(hf_loader_next(loader, &batch), HF_ERR_ARGUMENT, "no pass was started");
    CHECK(!batch);
    hf_loader_free(&loader);
}

/* Subject 4 cannot be read any more: what comes before it is served, then its error, again and again, until a pass is
 * begun when it is back. */
static void test_thread_error(void)
{
    for (int depth = 1; depth <= 3; depth++) {
        hf_loader *loader = new_loader(2, depth, false, 0);
        const hf_batch *batch;
        const char *away = small_path("away");
        int order[N];
        small_must(rename(cohort.subject[4].image, away) == 0, away);
        CHECK_OK(hf_loader_start(loader, 0));
        for (int k = 0; k < 2; k++)
            CHECK(hf_loader_next(loader, &batch) == HF_OK && batch && batch->index[1] == 2 * k + 1 &&
                  wrong_samples(batch) == 0);
        for (int k = 0; k < 3; k++) {
            CHECK_STATUS(hf_loader_next(loader, &batch), HF_ERR_IO, "sub-4.nii': cannot open: No such file");
            CHECK(!batch);
        }
        CHECK_OK(hf_loader_start(loader, 1)); /* still away: the same in the next pass */
        CHECK(hf_loader_next(loader, &batch) == HF_OK && hf_loader_next(loader, &batch) == HF_OK);
        CHECK_STATUS(hf_loader_next(loader, &batch), HF_ERR_IO, "sub-4.nii");
        small_must(rename(away, cohort.subject[4].image) == 0, away);
        run_pass(order, loader, 2, 2);
        CHECK(same_order(order, all));
        small_must(rename(cohort.subject[4].image, away) == 0, away);
        CHECK_OK(hf_loader_start(loader, 3));
        pause_ms(2);
        hf_loader_free(&loader); /* with an error nobody has asked for */
        small_must(rename(away, cohort.subject[4].image) == 0, away);
    }
}

int main(void)
{
    for (int no_cache = 0; no_cache < 2; no_cache++) {
        make_dataset(no_cache);
        test_passes();
        test_order();
        test_indices();
        test_without_volumes();
        test_without_rows(no_cache);
        test_augmented();
        test_copies();
        test_sides(no_cache);
        test_restart();
        test_held_batch();
        test_free();
        test_arguments();
        if (no_cache) test_thread_error();
        free_dataset();
    }
    small_cohort_remove();
    return check_done("loader");
}
