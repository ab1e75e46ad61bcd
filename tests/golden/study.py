"""study.py: made-up predictions of two methods, and what scipy and scikit-learn say of them.

    python tests/golden/study.py tests/golden

writes study_classes.tsv and study_numbers.tsv (a row for every model and test subject) and study_expected.tsv, which
tests/unit/study.c reads. Written with scikit-learn 1.x and scipy 1.x. Ensembles are made here from the equations; intervals
of differences come from another random generator, so only their ends are compared, with a tolerance.
"""
import itertools, os, sys
import numpy as np
from scipy import stats
from sklearn import metrics as sk

folder = sys.argv[1]
rng = np.random.default_rng(20)
CLASSES, SEEDS, VERSIONS, FOLDS, SUBJECTS = 3, (0, 1), (1, 2, 3), (0, 1), 30
METHODS = ("first", "second")


def write(name, header, rows):
    with open(os.path.join(folder, name), "w") as out:
        out.write("\t".join(header) + "\n")
        for row in rows:
            out.write("\t".join(str(cell) for cell in row) + "\n")


# ---- predictions
def classes():
    models = {}
    for seed in SEEDS:
        truth = rng.integers(0, CLASSES, SUBJECTS)
        common = rng.normal(size=(SUBJECTS, CLASSES))
        for method, version, fold in itertools.product(METHODS, VERSIONS, FOLDS):
            skill = {"first": 1.3, "second": 0.7}[method]
            z = common + rng.normal(size=(SUBJECTS, CLASSES)) + skill * np.eye(CLASSES)[truth]
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            models[method, seed, version, fold] = (truth, np.round(p, 4), round(rng.uniform(0.4, 0.8), 4))
    return models


def numbers():
    models = {}
    for seed in SEEDS:
        truth = np.round(rng.uniform(20, 90, SUBJECTS), 1)
        for method, version in itertools.product(METHODS, VERSIONS):
            noise = {"first": 5, "second": 8}[method]
            models[method, seed, version, 0] = (truth, np.round(truth + noise * rng.normal(size=SUBJECTS), 2)[:, None],
                                                round(rng.uniform(4, 9), 4))
    return models


def rows_of(models):
    for (method, seed, version, fold), (truth, predicted, valid) in models.items():
        for i in range(SUBJECTS):
            yield [method, seed, version, fold, valid, f"sub-{seed}{i:02d}", truth[i], *predicted[i]]


# ---- ensembles
def weights(p):  # [models,subjects,classes]
    q = np.where(p == 0, 1e-7, p)
    w = 1 / -(q * np.log(q + 1e-14)).sum(2)
    return w / w.sum(0)


def combine(p, rule):
    if len(p) == 1:
        return p[0]
    if p.shape[2] == 1 or rule == "mean":
        return p.mean(0)
    w = weights(p)
    if rule == "entropy":
        return (w[:, :, None] * np.where(p == 0, 1e-7, p)).sum(0)
    if rule == "vote":
        return (w[:, :, None] * np.eye(CLASSES)[p.argmax(2)]).sum(0)
    return p[w.argmax(0), np.arange(p.shape[1])]


def ensembles(models, method, rule="entropy", best=0, over="folds", higher=True):
    """A list of (seed, truth, predicted)."""
    out = []
    folds = sorted({key[3] for key in models})
    for seed in SEEDS:
        groups = [[(seed, v, f) for f in folds] for v in VERSIONS]
        if over == "versions":
            groups = [sum(groups, [])]
        for group in groups:
            of = [models[(method, *key)] for key in group]
            if best:
                of = sorted(of, key=lambda m: -m[2] if higher else m[2])[:best]
            out.append((seed, of[0][0], combine(np.array([m[1] for m in of]), rule)))
    return out


# ---- metrics
def ece_of(truth, p):
    top, confidence = p.argmax(1), p.max(1)
    bins = np.ceil(confidence * 10).astype(int)
    return sum(abs((top[bins == b] == truth[bins == b]).sum() - confidence[bins == b].sum()) for b in set(bins)) / len(p)


def auc_of(truth, p):
    return np.mean([sk.roc_auc_score(truth == k, p[:, k]) for k in range(CLASSES) if 0 < (truth == k).sum() < len(truth)])


def class_metrics(truth, p):
    taken = p.argmax(1)
    recall = sk.recall_score(truth, taken, average=None, labels=range(CLASSES))
    return {"balanced_accuracy": sk.balanced_accuracy_score(truth, taken),
            "precision": sk.precision_score(truth, taken, average="macro", zero_division=0),
            "f1": sk.f1_score(truth, taken, average="macro", zero_division=0),
            "f1_micro": sk.f1_score(truth, taken, average="micro"),
            "auc": auc_of(truth, p), "accuracy": sk.accuracy_score(truth, taken),
            **{f"recall_{name}": recall[k] for k, name in enumerate(("CN", "MCI", "AD"))}}


def number_metrics(truth, p):
    p = p[:, 0]
    return {"mae": sk.mean_absolute_error(truth, p), "mse": sk.mean_squared_error(truth, p), "bias": np.mean(p - truth),
            "r": stats.pearsonr(truth, p)[0]}


def holm(p):
    order, out, worst = np.argsort(p), np.empty(len(p)), 0
    for rank, i in enumerate(order):
        worst = max(worst, min(1, (len(p) - rank) * p[i]))
        out[i] = worst
    return out


expected = []


def say(goal, what, method, metric, value):
    expected.append([goal, what, method, metric, repr(float(value))])


def spread(goal, what, method, metric, values):
    say(goal, what + "mean", method, metric, np.mean(values))
    say(goal, what + "sd", method, metric, np.std(values, ddof=1))


def compare(goal, models, of, direction, rule):
    found = {m: [of(t, p) for _, t, p in ensembles(models, m, rule)] for m in METHODS}
    names = list(found["first"][0])
    better, differs = {}, {}
    for name in names:
        values = {m: [e[name] for e in found[m]] for m in METHODS}
        for method in METHODS:
            spread(goal, "", method, name, values[method])
        if name not in direction:
            continue
        side = stats.mannwhitneyu(values["first"], values["second"], alternative=direction[name])
        both = stats.mannwhitneyu(values["first"], values["second"], alternative="two-sided")
        say(goal, "u", "second", name, side.statistic)
        better[name], differs[name] = side.pvalue, both.pvalue
    for what, p in (("better", better), ("differs", differs)):
        corrected = holm(np.array(list(p.values())))
        for i, name in enumerate(p):
            say(goal, what, "second", name, p[name])
            say(goal, what + "_holm", "second", name, corrected[i])
    for method in METHODS:
        spread(goal, "valid_", method, "valid", [m[2] for key, m in models.items() if key[0] == method])
    for seed in SEEDS:
        whole = {m: [(t, p) for s, t, p in ensembles(models, m, rule) if s == seed] for m in METHODS}
        truth = whole["first"][0][0]
        p = {m: combine(np.array([x[1] for x in whole[m]]), rule) for m in METHODS}
        quick = {"mae": lambda i, m: np.abs(p[m][i, 0] - truth[i]).mean(),
                 "accuracy": lambda i, m: (p[m][i].argmax(1) == truth[i]).mean()}
        drawn = [rng.integers(0, SUBJECTS, SUBJECTS) for _ in range(20000)]
        for name in (n for n in quick if n in names):
            d = [quick[name](i, "second") - quick[name](i, "first") for i in drawn]
            say(goal, f"difference{seed}", "second", name, of(truth, p["second"])[name] - of(truth, p["first"])[name])
            say(goal, f"low{seed}", "second", name, np.quantile(d, 0.025))
            say(goal, f"high{seed}", "second", name, np.quantile(d, 0.975))


def confusions(models):
    for method in METHODS:
        made = ensembles(models, method)
        counts = np.array([sk.confusion_matrix(t, p.argmax(1), labels=range(CLASSES)) for _, t, p in made])
        for row, column in itertools.product(range(CLASSES), repeat=2):
            spread("classes", f"count{row}{column}_", method, "confusion", counts[:, row, column])
            spread("classes", f"share{row}{column}_", method, "confusion", counts[:, row, column] / counts[:, row].sum(1))
        spread("classes", "ece_", method, "calibration", [ece_of(t, p) for _, t, p in made])
        spread("classes", "brier_", method, "calibration", [((p - np.eye(CLASSES)[t]) ** 2).sum(1).mean() for _, t, p in made])


def rules(goal, models, of, metric, higher):
    for rule in ("mean", "entropy", "vote", "confident") if goal == "classes" else ("mean",):
        for best, over in ((0, "folds"), (1, "folds"), (2, "versions"), (0, "versions")):
            for method in METHODS:
                values = [of(t, p)[metric] for _, t, p in ensembles(models, method, rule, best, over, higher)]
                spread(goal, f"{rule}_{best}_{over}_", method, metric, values)


images, ages = classes(), numbers()
header = ["method", "seed", "version", "fold", "valid", "participant_id", "truth"]
write("study_classes.tsv", header + ["p_0", "p_1", "p_2"], rows_of(images))
write("study_numbers.tsv", header + ["p_0"], rows_of(ages))
up = dict.fromkeys(class_metrics(*images["first", 0, 1, 0][:2]), "greater")
compare("classes", images, class_metrics, up, "entropy")
compare("numbers", ages, number_metrics, {"mae": "less", "mse": "less", "r": "greater"}, "mean")
confusions(images)
rules("classes", images, class_metrics, "auc", True)
rules("numbers", ages, number_metrics, "mae", False)
write("study_expected.tsv", ["goal", "what", "method", "metric", "value"], expected)
