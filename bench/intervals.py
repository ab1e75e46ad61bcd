"""Metrics of methods with bootstrap intervals, paired over subjects.

A method's folder holds a study for each split seed S, split-S/seed-S/version-V/fold-F, with test predictions. A value is
the mean over split seeds. Its interval is a 95 % percentile interval over subjects, which are drawn once for all methods and
seeds: a subject that tests under several seeds counts as one, and methods are compared on the same subjects.
"""
import collections
import csv
import pathlib
import random
import statistics

RESAMPLES = 2000


def read_run(path):
    """{subject: (truth, prediction)}; of two classes: 0 or 1 and the probability of the second."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = list(rows[0])
    target = names[names.index("predicted") - 1]
    classes = [name for name in names if name.startswith("p_")]
    if not classes:
        return {row["participant_id"]: (float(row[target]), float(row["predicted"])) for row in rows}
    return {row["participant_id"]: (int("p_" + row[target] == classes[1]), float(row[classes[1]])) for row in rows}


def read_method(folder, versions=None):
    """{seed: {subject: (truth, prediction)}}, predictions averaged over `versions` (numbers; None: all there are)."""
    gathered = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in sorted(pathlib.Path(folder).glob("split-*/seed-*/version-*/fold-*/predictions-test.tsv")):
        seed, version, _ = (int(part.split("-")[1]) for part in path.parts[-4:-1])
        if versions is None or version in versions:
            for subject, pair in read_run(path).items():
                gathered[seed][subject].append(pair)
    return {seed: {subject: (pairs[0][0], statistics.fmean(value for _, value in pairs))
                   for subject, pairs in of.items()} for seed, of in sorted(gathered.items())}


# ---- metrics: of predictions {subject: (truth, prediction)} and how often each subject counts; None: undefined


def mae(predictions, times):
    errors = [(abs(truth - value), times[subject]) for subject, (truth, value) in predictions.items()]
    total = sum(n for _, n in errors)
    return sum(error * n for error, n in errors) / total if total else None


def auc(predictions, times):
    """How often a positive's prediction is above a negative's; equal ones count half."""
    groups = collections.defaultdict(lambda: [0, 0])  # by prediction: negatives, positives
    for subject, (truth, value) in predictions.items():
        groups[value][truth] += times[subject]
    below = above = pairs = 0
    for value in sorted(groups):
        negatives, positives = groups[value]
        pairs += positives * (below + negatives / 2)
        below += negatives
        above += positives
    return pairs / (above * below) if above and below else None


def balanced_accuracy(predictions, times):
    right, count = [0, 0], [0, 0]
    for subject, (truth, value) in predictions.items():
        right[truth] += times[subject] * ((value > 0.5) == truth)
        count[truth] += times[subject]
    return (right[0] / count[0] + right[1] / count[1]) / 2 if all(count) else None


METRICS = {"MAE": (mae, 2), "AUC": (auc, 3), "balanced accuracy": (balanced_accuracy, 3)}  # and decimals


# ---- intervals


def mean_over_seeds(metric, study, times):
    values = [metric(predictions, times) for predictions in study.values()]
    return None if None in values else statistics.fmean(values)


def interval(values):
    values = sorted(values)
    return values[len(values) * 25 // 1000], values[len(values) * 975 // 1000]


class Resamples:
    """Draws of subjects, shared by all studies of a table."""

    def __init__(self, studies):
        subjects = sorted({subject for study in studies for of in study.values() for subject in of})
        rng = random.Random(1)
        self.all = collections.Counter(subjects)
        self.draws = [collections.Counter(rng.choices(subjects, k=len(subjects))) for _ in range(RESAMPLES)]

    def values(self, metric, study):
        """The value, and that of every draw (None where undefined)."""
        return mean_over_seeds(metric, study, self.all), [mean_over_seeds(metric, study, draw) for draw in self.draws]


def described(value, draws, digits, sign=""):
    low, high = interval([x for x in draws if x is not None])
    return f"{value:{sign}.{digits}f} ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"


def difference(first, second, digits):
    draws = [a - b for a, b in zip(first[1], second[1]) if a is not None and b is not None]
    return described(first[0] - second[0], draws, digits, "+")
