/* synth.c: a synthetic cohort on disk: a BIDS-like folder of drawn brains (phantom.c), or of another cohort's images, whose
 * owners have what the task gives them: an age and a sex; a diagnosis and nine clinical columns (anatomy.c says what those
 * do to the brain); or a label that depends on the image in one of two opposite ways (interaction.c).
 *
 * Everything drawn about a subject is a function of (seed, number of the subject), so the first brains of a large cohort
 * are those of a small one. participants.tsv is written last: a folder without it is an unfinished one. */
#include "parallel.h"
#include "synth.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SUBJECTS 9999
#define LEAST_AXIS    16
#define MOST_AXIS     512
#define MOST_BYTES    ((size_t)1 << 31) /* of an image that is copied */

/* ---- people ------------------------------------------------------------------------------------------------------ */

double hf_synth_uniform(const hf_synth *s, int subject, const char *what)
{
    return hf_random_uniform(s->seed, hf_random_stream(what, (uint64_t)subject, 0), 0);
}

double hf_synth_normal(const hf_synth *s, int subject, const char *what)
{
    return hf_random_normal(s->seed, hf_random_stream(what, (uint64_t)subject, 0), 0);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Age uniform in 20..85, every second subject a man. */
static hf_person ageing_person(const hf_synth *s, int subject)
{
    return (hf_person){ .male = subject % 2 == 1, .age = 20 + 65 * hf_synth_uniform(s, subject, "synth age") };
}

static void add_age_and_sex(hf_text *row, const hf_synth *s, int subject)
{
    const hf_person person = ageing_person(s, subject);
    hf_text_add(row, "\t%.2f\t%c", person.age, person.male ? 'M' : 'F');
}

/* Age as in ADNI (72.9 +- 7.5 years) and the three classes in ADNI's proportions. */
static hf_person clinical_person(const hf_synth *s, int subject)
{
    const double u = hf_synth_uniform(s, subject, "synth diagnosis");
    return (hf_person){ .male = subject % 2 == 1,
                        .age = clamp(72.9 + 7.5 * hf_synth_normal(s, subject, "synth age"), 50.4, 91.4),
                        .diagnosis = u < 0.349   ? HF_CN
                                     : u < 0.828 ? HF_MCI
                                                 : HF_AD };
}

/* ---- clinical columns -------------------------------------------------------------------------------------------- */

/* Mean and deviation of a marker by class, the range of its assay, and how often it is missing by class; aggregates as
 * published for ADNI. Markers of one group come from one visit and are missing together. */
typedef struct marker {
    const char *name, *group;
    double mean[HF_N_DIAGNOSES], sd[HF_N_DIAGNOSES];
    double low, high;
    double missing[HF_N_DIAGNOSES];
    int decimals;
    bool censored; /* values outside the range are written as "<low" or ">high" */
} marker;

static const marker markers[] = {
    { "ABETA", "csf", { 1250, 930, 650 }, { 420, 430, 280 }, 200, 1700, { 0.661, 0.438, 0.430 }, 1, true },
    { "PTAU", "csf", { 21, 28, 38 }, { 9, 13, 17 }, 8, 120, { 0.661, 0.438, 0.430 }, 2, true },
    { "TAU", "csf", { 230, 290, 375 }, { 90, 120, 150 }, 80, 1300, { 0.661, 0.438, 0.430 }, 1, true },
    { "FDG", "fdg", { 1.29, 1.21, 1.05 }, { 0.12, 0.14, 0.14 }, 0.622, 1.736, { 0.624, 0.243, 0.268 }, 5, false },
    { "AV45", "av45", { 1.11, 1.22, 1.41 }, { 0.17, 0.23, 0.22 }, 0.81, 2.01, { 0.580, 0.484, 0.545 }, 5, false },
};

static bool is_missing(const hf_synth *s, int subject, const char *group, double rate)
{
    char what[64];
    snprintf(what, sizeof what, "synth missing %s", group);
    return hf_synth_uniform(s, subject, what) < rate;
}

static void add_marker(hf_text *row, const hf_synth *s, int subject, hf_diagnosis d, const marker *m)
{
    char what[64];
    snprintf(what, sizeof what, "synth %s", m->name);
    if (is_missing(s, subject, m->group, m->missing[d])) {
        hf_text_add(row, "\tn/a");
        return;
    }
    /* Phosphorylated and total tau rise together: they share most of one draw. */
    const double own = hf_synth_normal(s, subject, what), shared = hf_synth_normal(s, subject, "synth tau");
    const bool tau = strstr(m->name, "TAU") != NULL;
    const double x = m->mean[d] + m->sd[d] * (tau ? 0.9 * shared + 0.43 * own : own);
    if (m->censored && x < m->low)
        hf_text_add(row, "\t<%g", m->low);
    else if (m->censored && x > m->high)
        hf_text_add(row, "\t>%g", m->high);
    else
        hf_text_add(row, "\t%.*f", m->decimals, clamp(x, m->low, m->high));
}

static void add_clinical_cells(hf_text *row, const hf_synth *s, int subject)
{
    const hf_person of = clinical_person(s, subject), *p = &of;
    static const char *const names[HF_N_DIAGNOSES] = { "CN", "MCI", "AD" };
    static const double allele[HF_N_DIAGNOSES] = { 0.17, 0.29, 0.45 }, unknown[HF_N_DIAGNOSES] = { 0.12, 0.08, 0.041 };
    const double rate = allele[p->diagnosis];
    const int apoe4 = (hf_synth_uniform(s, subject, "synth allele 1") < rate) +
                      (hf_synth_uniform(s, subject, "synth allele 2") < rate);
    hf_text_add(row, "\t%s", names[p->diagnosis]);
    if (is_missing(s, subject, "age", 0.002))
        hf_text_add(row, "\tn/a");
    else
        hf_text_add(row, "\t%.1f", p->age);
    hf_text_add(row, "\t%s\t%.0f", p->male ? "Male" : "Female",
                round(clamp(16.0 + 2.73 * hf_synth_normal(s, subject, "synth education"), 4, 20)));
    if (is_missing(s, subject, "apoe4", unknown[p->diagnosis]))
        hf_text_add(row, "\tn/a");
    else
        hf_text_add(row, "\t%d", apoe4);
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++)
        add_marker(row, s, subject, p->diagnosis, &markers[i]);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static const hf_synth_task brain_age = { "brain-age", "\tage\tsex", ageing_person, add_age_and_sex, false };
static const hf_synth_task ad = { "ad", "\tdiagnosis\tAGE\tPTGENDER\tPTEDUCAT\tAPOE4\tABETA\tPTAU\tTAU\tFDG\tAV45",
                                  clinical_person, add_clinical_cells, false };
static const hf_synth_task *const tasks[] = { &brain_age, &ad, &hf_synth_interaction };
enum { N_TASKS = sizeof tasks / sizeof tasks[0] };

static hf_status find_task(const hf_synth_task **out, const char *name)
{
    const char *names[N_TASKS];
    for (int i = 0; i < N_TASKS; i++) {
        names[i] = tasks[i]->name;
        *out = tasks[i];
        if (strcmp(name, names[i]) == 0) return HF_OK;
    }
    const char *nearest = hf_nearest(name, names, N_TASKS);
    return hf_fail(HF_ERR_ARGUMENT, "there is no task '%s'%s%s%s; there are brain-age, ad and interaction", name,
                   nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static hf_status write_text(const hf_synth *s, const char *name, const hf_text *text)
{
    char *path = NULL;
    HF_TRY(hf_text_check(text));
    HF_TRY(hf_path_join(&path, s->folder, name));
    const hf_status status = hf_file_write(path, text->data, text->size);
    free(path);
    return status;
}

/* The name of a subject: its own in the cohort whose images are taken. */
static void name_subject(char name[128], const hf_synth *s, int subject)
{
    if (s->source)
        snprintf(name, 128, "%.120s", s->source->subject[subject].id);
    else
        snprintf(name, 128, "sub-%04d", subject + 1);
}

static hf_status write_table(const hf_synth *s)
{
    hf_text table = { 0 };
    hf_text_add(&table, "participant_id%s\n", s->task->columns);
    for (int i = 0; i < s->subjects; i++) {
        char name[128];
        name_subject(name, s, i);
        hf_text_add(&table, "%s", name);
        s->task->add_cells(&table, s, i);
        hf_text_add(&table, "\n");
    }
    const hf_status status = write_text(s, "participants.tsv", &table);
    hf_text_free(&table);
    return status;
}

static hf_status write_description(const hf_synth *s)
{
    hf_text text = { 0 };
    hf_text_add(
        &text,
        "{\n  \"Name\": \"Synthetic brains (%s)\",\n  \"BIDSVersion\": \"1.8.0\",\n  \"DatasetType\": \"raw\",\n"
        "  \"License\": \"CC0\",\n  \"GeneratedBy\": [{\"Name\": \"hyperfusion cohort make\"}],\n"
        "  \"Subjects\": %d,\n  \"Seed\": %llu\n}\n",
        s->task->name, s->subjects, (unsigned long long)s->seed);
    const hf_status status = write_text(s, "dataset_description.json", &text);
    hf_text_free(&text);
    return status;
}

/* FOLDER/SUBJECT/anat/SUBJECT_T1w.ENDING, its folder made. */
static hf_status image_path(char **out, const hf_synth *s, int subject, const char *ending)
{
    char name[128], place[400];
    char *folder = NULL;
    name_subject(name, s, subject);
    snprintf(place, sizeof place, "%s/anat", name);
    HF_TRY(hf_path_join(&folder, s->folder, place));
    hf_status status = hf_make_dirs(folder);
    snprintf(place, sizeof place, "%s_T1w.%s", name, ending);
    if (status == HF_OK) status = hf_path_join(out, folder, place);
    free(folder);
    return status;
}

static hf_status draw(hf_volume *out, const hf_synth *s, int subject)
{
    const hf_person person = s->task->person(s, subject);
    hf_anatomy anatomy;
    const double spacing = hf_phantom_spacing(s->shape);
    *out = (hf_volume){ .stored_axes = "RAS" };
    for (int i = 0; i < 3; i++) {
        out->shape[i] = s->shape[i];
        out->spacing[i] = spacing;
    }
    hf_phantom_affine(out->affine, s->shape, spacing);
    const size_t voxels = (size_t)s->shape[0] * (size_t)s->shape[1] * (size_t)s->shape[2];
    HF_TRY(hf_alloc(&out->voxels, voxels, sizeof *out->voxels, "a synthetic volume"));
    hf_anatomy_make(&anatomy, &person, spacing, s->seed, (uint64_t)subject);
    hf_phantom_render(out->voxels, s->shape, spacing, &anatomy);
    return HF_OK;
}

/* Draws and writes one brain. */
static hf_status draw_image(hf_volume *out, const hf_synth *s, int subject)
{
    char *path = NULL;
    HF_TRY(draw(out, s, subject));
    hf_status status = image_path(&path, s, subject, "nii.gz");
    if (status == HF_OK) status = hf_volume_write(out, path, true);
    free(path);
    return status;
}

/* Copies one image of the other cohort, byte by byte. */
static hf_status take_image(hf_volume *out, const hf_synth *s, int subject)
{
    const char *image = s->source->subject[subject].image, *slash = strrchr(image, '/');
    const char *dot = strchr(slash ? slash : image, '.');
    char *path = NULL;
    void *bytes = NULL;
    size_t size;
    HF_TRY(hf_volume_read(out, image));
    hf_status status = image_path(&path, s, subject, dot ? dot + 1 : "nii");
    if (status == HF_OK) status = hf_file_read(&bytes, &size, image, MOST_BYTES);
    if (status == HF_OK) status = hf_file_write(path, bytes, size);
    free(bytes);
    free(path);
    return status;
}

/* The work of hf_parallel. */
static hf_status make_subject(void *user, int subject)
{
    const hf_synth *s = user;
    hf_volume volume = { 0 };
    const hf_status status = (s->source ? take_image : draw_image)(&volume, s, subject);
    if (status == HF_OK && s->measure) s->measure[subject] = hf_inner_darkness(&volume);
    hf_volume_free(&volume);
    return status;
}

/* The value that half of the subjects exceed. */
static hf_status find_threshold(hf_synth *s)
{
    double *sorted;
    const size_t n = (size_t)s->subjects;
    HF_TRY(hf_alloc(&sorted, n, sizeof *sorted, "measures"));
    memcpy(sorted, s->measure, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, hf_compare_numbers);
    s->threshold = sorted[(n - 1) / 2];
    free(sorted);
    return HF_OK;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static hf_status read_shape(hf_synth *s, const int shape[3])
{
    static const int default_shape[3] = { 45, 55, 45 };
    const bool given = shape[0] || shape[1] || shape[2];
    for (int i = 0; i < 3; i++) {
        s->shape[i] = given ? shape[i] : default_shape[i];
        if (s->shape[i] < LEAST_AXIS || s->shape[i] > MOST_AXIS)
            return hf_fail(HF_ERR_ARGUMENT, "a volume of %dx%dx%d voxels, expected %d to %d along each axis", shape[0],
                           shape[1], shape[2], LEAST_AXIS, MOST_AXIS);
    }
    return HF_OK;
}

/* The first `wanted` subjects of the cohort in `folder`; 0: all. */
static hf_status read_source(hf_synth *s, hf_cohort *cohort, const char *folder, int wanted)
{
    if (!s->task->measures)
        return hf_fail(HF_ERR_ARGUMENT, "the task '%s' says what brains look like: it cannot take those of '%s'",
                       s->task->name, folder);
    HF_TRY(hf_cohort_open(cohort, folder, NULL));
    s->source = cohort;
    s->subjects = wanted && wanted < cohort->n_subjects ? wanted : cohort->n_subjects;
    return HF_OK;
}

static hf_status read_options(hf_synth *s, hf_cohort *source, const char *folder, const hf_synth_options *o)
{
    *s = (hf_synth){ .folder = folder, .seed = o->seed, .subjects = o->subjects ? o->subjects : 120 };
    HF_TRY(find_task(&s->task, o->task ? o->task : tasks[0]->name));
    HF_TRY(read_shape(s, o->shape));
    if (o->source) HF_TRY(read_source(s, source, o->source, o->subjects));
    if (s->subjects < 4 || s->subjects > MOST_SUBJECTS)
        return hf_fail(HF_ERR_ARGUMENT, "a cohort of %d subjects, expected 4 to %d", s->subjects, MOST_SUBJECTS);
    return HF_OK;
}

static hf_status check_folder(const char *folder)
{
    char *path = NULL;
    HF_TRY(hf_path_join(&path, folder, "participants.tsv"));
    const bool taken = hf_path_exists(path);
    free(path);
    if (taken) return hf_fail(HF_ERR_ARGUMENT, "%s: there is a cohort already (participants.tsv)", folder);
    return hf_make_dirs(folder);
}

static hf_status make_all(hf_synth *s, const hf_synth_options *o)
{
    HF_TRY(check_folder(s->folder));
    HF_TRY(write_description(s));
    if (s->task->measures) HF_TRY(hf_alloc(&s->measure, (size_t)s->subjects, sizeof *s->measure, "measures"));
    HF_TRY(hf_parallel(s->subjects, make_subject, s, o->progress, o->user));
    if (s->measure) HF_TRY(find_threshold(s));
    return write_table(s);
}

hf_status hf_cohort_make(const char *folder, const hf_synth_options *options)
{
    static const hf_synth_options defaults = { 0 };
    hf_synth s;
    hf_cohort source = { 0 };
    const hf_synth_options *o = options ? options : &defaults;
    hf_status status = read_options(&s, &source, folder, o);
    if (status == HF_OK) status = make_all(&s, o);
    free(s.measure);
    hf_cohort_free(&source);
    return status;
}
