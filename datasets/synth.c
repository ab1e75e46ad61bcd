/* synth.c: a synthetic cohort on disk: a BIDS-like folder of drawn brains (phantom.c) whose owners have an age, a sex and,
 * for the task "ad", a diagnosis and nine clinical columns (anatomy.c says what those do to the brain).
 *
 * Everything about a subject is a function of (seed, number of the subject), so the first subjects of a large cohort are
 * those of a small one. participants.tsv is written last: a folder without it is an unfinished one. */
#include "anatomy.h"
#include "parallel.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SUBJECTS 9999
#define LEAST_AXIS    16
#define MOST_AXIS     512

typedef struct synth {
    const char *folder;
    uint64_t seed;
    int shape[3]; /* D,H,W */
    bool ad;
    int subjects;
} synth;

/* ---- people ------------------------------------------------------------------------------------------------------ */

static double uniform(const synth *s, int subject, const char *what)
{
    return hf_random_uniform(s->seed, hf_random_stream(what, (uint64_t)subject, 0), 0);
}

static double normal(const synth *s, int subject, const char *what)
{
    return hf_random_normal(s->seed, hf_random_stream(what, (uint64_t)subject, 0), 0);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Age uniform in 20..85, every second subject a man; in the clinical cohort age as in ADNI (72.9 +- 7.5 years) and the
 * three classes in ADNI's proportions. */
static hf_person person_of(const synth *s, int subject)
{
    hf_person person = { .male = subject % 2 == 1, .diagnosis = HF_CN };
    if (!s->ad) {
        person.age = 20 + 65 * uniform(s, subject, "synth age");
        return person;
    }
    const double u = uniform(s, subject, "synth diagnosis");
    person.age = clamp(72.9 + 7.5 * normal(s, subject, "synth age"), 50.4, 91.4);
    person.diagnosis = u < 0.349 ? HF_CN : u < 0.828 ? HF_MCI : HF_AD;
    return person;
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

static bool is_missing(const synth *s, int subject, const char *group, double rate)
{
    char what[64];
    snprintf(what, sizeof what, "synth missing %s", group);
    return uniform(s, subject, what) < rate;
}

static void add_marker(hf_text *row, const synth *s, int subject, hf_diagnosis d, const marker *m)
{
    char what[64];
    snprintf(what, sizeof what, "synth %s", m->name);
    if (is_missing(s, subject, m->group, m->missing[d])) {
        hf_text_add(row, "\tn/a");
        return;
    }
    /* Phosphorylated and total tau rise together: they share most of one draw. */
    const double own = normal(s, subject, what), shared = normal(s, subject, "synth tau");
    const bool tau = strstr(m->name, "TAU") != NULL;
    const double x = m->mean[d] + m->sd[d] * (tau ? 0.9 * shared + 0.43 * own : own);
    if (m->censored && x < m->low)
        hf_text_add(row, "\t<%g", m->low);
    else if (m->censored && x > m->high)
        hf_text_add(row, "\t>%g", m->high);
    else
        hf_text_add(row, "\t%.*f", m->decimals, clamp(x, m->low, m->high));
}

static void add_clinical_row(hf_text *row, const synth *s, int subject, const hf_person *p)
{
    static const char *const names[HF_N_DIAGNOSES] = { "CN", "MCI", "AD" };
    static const double allele[HF_N_DIAGNOSES] = { 0.17, 0.29, 0.45 }, unknown[HF_N_DIAGNOSES] = { 0.12, 0.08, 0.041 };
    const double rate = allele[p->diagnosis];
    const int apoe4 = (uniform(s, subject, "synth allele 1") < rate) + (uniform(s, subject, "synth allele 2") < rate);
    hf_text_add(row, "\t%s", names[p->diagnosis]);
    if (is_missing(s, subject, "age", 0.002))
        hf_text_add(row, "\tn/a");
    else
        hf_text_add(row, "\t%.1f", p->age);
    hf_text_add(row, "\t%s\t%.0f", p->male ? "Male" : "Female",
                round(clamp(16.0 + 2.73 * normal(s, subject, "synth education"), 4, 20)));
    if (is_missing(s, subject, "apoe4", unknown[p->diagnosis]))
        hf_text_add(row, "\tn/a");
    else
        hf_text_add(row, "\t%d", apoe4);
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++)
        add_marker(row, s, subject, p->diagnosis, &markers[i]);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static hf_status write_text(const synth *s, const char *name, const hf_text *text)
{
    char *path = NULL;
    HF_TRY(hf_text_check(text));
    HF_TRY(hf_path_join(&path, s->folder, name));
    const hf_status status = hf_file_write(path, text->data, text->size);
    free(path);
    return status;
}

static hf_status write_table(const synth *s)
{
    hf_text table = { 0 };
    hf_text_add(&table, s->ad
                            ? "participant_id\tdiagnosis\tAGE\tPTGENDER\tPTEDUCAT\tAPOE4\tABETA\tPTAU\tTAU\tFDG\tAV45\n"
                            : "participant_id\tage\tsex\n");
    for (int i = 0; i < s->subjects; i++) {
        const hf_person person = person_of(s, i);
        hf_text_add(&table, "sub-%04d", i + 1);
        if (s->ad)
            add_clinical_row(&table, s, i, &person);
        else
            hf_text_add(&table, "\t%.2f\t%c", person.age, person.male ? 'M' : 'F');
        hf_text_add(&table, "\n");
    }
    const hf_status status = write_text(s, "participants.tsv", &table);
    hf_text_free(&table);
    return status;
}

static hf_status write_description(const synth *s)
{
    hf_text text = { 0 };
    hf_text_add(
        &text,
        "{\n  \"Name\": \"Synthetic brains (%s)\",\n  \"BIDSVersion\": \"1.8.0\",\n  \"DatasetType\": \"raw\",\n"
        "  \"License\": \"CC0\",\n  \"GeneratedBy\": [{\"Name\": \"hyperfusion cohort make\"}],\n"
        "  \"Subjects\": %d,\n  \"Seed\": %llu\n}\n",
        s->ad ? "ad" : "brain-age", s->subjects, (unsigned long long)s->seed);
    const hf_status status = write_text(s, "dataset_description.json", &text);
    hf_text_free(&text);
    return status;
}

static hf_status write_volume(const synth *s, const hf_volume *volume, int subject)
{
    char name[64];
    char *folder = NULL, *path = NULL;
    snprintf(name, sizeof name, "sub-%04d/anat", subject + 1);
    hf_status status = hf_path_join(&folder, s->folder, name);
    if (status == HF_OK) status = hf_make_dirs(folder);
    snprintf(name, sizeof name, "sub-%04d_T1w.nii.gz", subject + 1);
    if (status == HF_OK) status = hf_path_join(&path, folder, name);
    if (status == HF_OK) status = hf_volume_write(volume, path, true);
    free(folder);
    free(path);
    return status;
}

/* Draws and writes one subject: the work of hf_parallel. */
static hf_status make_subject(void *user, int subject)
{
    const synth *s = user;
    const hf_person person = person_of(s, subject);
    hf_anatomy anatomy;
    hf_volume volume = { .stored_axes = "RAS" };
    const double spacing = hf_phantom_spacing(s->shape);
    for (int i = 0; i < 3; i++) {
        volume.shape[i] = s->shape[i];
        volume.spacing[i] = spacing;
    }
    hf_phantom_affine(volume.affine, s->shape, spacing);
    const size_t voxels = (size_t)s->shape[0] * (size_t)s->shape[1] * (size_t)s->shape[2];
    HF_TRY(hf_alloc(&volume.voxels, voxels, sizeof *volume.voxels, "a synthetic volume"));
    hf_anatomy_make(&anatomy, &person, spacing, s->seed, (uint64_t)subject);
    hf_phantom_render(volume.voxels, s->shape, spacing, &anatomy);
    const hf_status status = write_volume(s, &volume, subject);
    hf_volume_free(&volume);
    return status;
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static hf_status read_options(synth *s, const char *folder, const hf_synth_options *o)
{
    static const char *const tasks[] = { "brain-age", "ad" };
    static const int default_shape[3] = { 45, 55, 45 };
    const char *task = o->task ? o->task : tasks[0];
    *s = (synth){ .folder = folder, .seed = o->seed, .subjects = o->subjects ? o->subjects : 120 };
    s->ad = strcmp(task, tasks[1]) == 0;
    if (!s->ad && strcmp(task, tasks[0]) != 0) {
        const char *nearest = hf_nearest(task, tasks, 2);
        return hf_fail(HF_ERR_ARGUMENT, "there is no task '%s'%s%s%s; there are brain-age and ad", task,
                       nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
    }
    if (s->subjects < 4 || s->subjects > MOST_SUBJECTS)
        return hf_fail(HF_ERR_ARGUMENT, "a cohort of %d subjects, expected 4 to %d", s->subjects, MOST_SUBJECTS);
    const bool given = o->shape[0] || o->shape[1] || o->shape[2];
    for (int i = 0; i < 3; i++) {
        s->shape[i] = given ? o->shape[i] : default_shape[i];
        if (s->shape[i] < LEAST_AXIS || s->shape[i] > MOST_AXIS)
            return hf_fail(HF_ERR_ARGUMENT, "a volume of %dx%dx%d voxels, expected %d to %d along each axis",
                           o->shape[0], o->shape[1], o->shape[2], LEAST_AXIS, MOST_AXIS);
    }
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

hf_status hf_cohort_make(const char *folder, const hf_synth_options *options)
{
    static const hf_synth_options defaults = { 0 };
    synth s;
    const hf_synth_options *o = options ? options : &defaults;
    HF_TRY(read_options(&s, folder, o));
    HF_TRY(check_folder(folder));
    HF_TRY(write_description(&s));
    HF_TRY(hf_parallel(s.subjects, make_subject, &s, o->progress, o->user));
    return write_table(&s);
}
