/* survival.c: metrics of the time until an event. truth [n,2] is (time, 1 for an event or 0), predicted [n,1] grows with
 * risk. */
#include "sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A subject; its risk becomes its place among all risks, from 1, equal risks alike. */
typedef struct subject {
    double time, event_and_rank; /* twice the rank, plus 1 for an event */
} subject;

/* A risk, and whose. */
typedef struct risk {
    double value, at;
} risk;

static int by_risk(const void *a, const void *b)
{
    return hf_by_value(&((const risk *)a)->value, &((const risk *)b)->value);
}

static bool is_event(const subject *of)
{
    return fmod(of->event_and_rank, 2) == 1;
}

/* From the latest to the earliest, at one time those without an event first: they outlived the others. */
static int by_time(const void *a, const void *b)
{
    const subject *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? 1 : -1;
    return is_event(x) - is_event(y);
}

/* Fills subject[n]; room[n] is lost. */
static void rank_subjects(subject *of, risk *room, const hf_scored *s, const int *index, int n)
{
    double rank = 0;
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)(index ? index[i] : i);
        room[i] = (risk){ s->predicted[at * (size_t)s->P], i };
        of[i] = (subject){ s->truth[at * (size_t)s->T], s->truth[at * (size_t)s->T + 1] };
    }
    qsort(room, (size_t)n, sizeof *room, by_risk);
    for (int i = 0; i < n; i++) {
        rank += i == 0 || room[i].value != room[i - 1].value;
        of[(int)room[i].at].event_and_rank += 2 * rank;
    }
}

/* A tree of counts over ranks 1..n (Fenwick): the number of subjects of at most this rank. */
static double count_to(const double *tree, int rank)
{
    double sum = 0;
    for (; rank > 0; rank &= rank - 1)
        sum += tree[rank - 1];
    return sum;
}

static void count_in(double *tree, int n, int rank)
{
    for (; rank <= n; rank += rank & -rank)
        tree[rank - 1]++;
}

/* Harrell's concordance: of the pairs in which one has the event while the other is still without it, the share in which
 * that one has the greater risk, equal risks counting half. At one time an event comes before a censoring; two events at
 * one time are no pair. Walks from the latest time to the earliest with the ranks of all later subjects in a tree. */
static double c_index(const hf_scored *s, const int *index, int n, int k, double *scratch)
{
    subject *of = (subject *)(void *)scratch;
    double *tree = scratch + 2 * n, pairs = 0, right = 0;
    (void)k;
    rank_subjects(of, (risk *)(void *)tree, s, index, n);
    qsort(of, (size_t)n, sizeof *of, by_time);
    memset(tree, 0, (size_t)n * sizeof *tree);
    int later = 0;
    for (int i = 0; i < n; i++) {
        const int rank = (int)(of[i].event_and_rank / 2);
        /* Events wait until the last of their time has been compared. */
        while (later < i && !(of[later].time == of[i].time && is_event(&of[later])))
            count_in(tree, n, (int)(of[later++].event_and_rank / 2));
        if (!is_event(&of[i])) continue;
        const double below = count_to(tree, rank - 1), equal = count_to(tree, rank) - below;
        pairs += later;
        right += below + equal / 2;
    }
    return pairs > 0 ? right / pairs : NAN;
}

const hf_metric hf_metrics_of_times[] = {
    { "c_index", "C-index", "Harrell's concordance index", HF_UNIT_NONE, HF_HIGHER, false, 3, c_index },
    { 0 },
};
