#!/usr/bin/env python3
"""The experiments of doc/results.md. Trains what is not there yet, then prints the table; stopped in any way, it goes on
with the same command.

    ./dev results noise                        table columns of noise, synthetic brains
    ./dev results noise-search                 which embedding of the row trains beside them, by validation subjects alone
    ./dev results interaction [--oasis DIR]    a label that only image and table together tell; on OASIS-1's images
    ./dev results age-search --oasis DIR       what training on its 300 brains needs, by validation subjects alone
    ./dev results age --oasis DIR              brain age with sex on OASIS-1
    ./dev results dementia --oasis DIR         dementia on OASIS-1, age 60 and more

A method is a recipe with some keys changed; for each split seed it is a study of its own (`hyperfusion crossval`).
"""
import argparse
import pathlib
import random
import statistics
import subprocess
import sys

import intervals
import ridge

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Method:
    """One method of an experiment: its title in the table, its folder, and what the recipe is changed by."""

    def __init__(self, title, folder, **settings):
        self.title, self.folder = title, folder
        self.settings = {name.replace("__", "."): value for name, value in settings.items()}


class Experiment:
    recipe = ""
    versions = 1  # runs of each method and split seed
    metrics = ("AUC", "balanced accuracy")
    reference = "image only"  # title of the method that others are compared with

    def __init__(self, options):
        self.options = options
        self.runs = pathlib.Path(options.runs) / self.folder()

    def folder(self):
        return self.name

    def program(self, *arguments):
        subprocess.run([self.options.program, *map(str, arguments)], check=True, stdout=sys.stderr)

    def prepare(self):
        """Makes the cohort where there is none."""

    def train(self, method, seed):
        """The study of one split seed: so all methods get on at the same pace."""
        chosen = {"cohort.path": self.cohort(), "split.seed": seed, "train.seed": 100 * seed,
                  "crossval.versions": self.versions, **self.settings(), **method.settings}
        chosen.update(setting.split("=", 1) for setting in self.options.set)
        settings = [text for key, value in chosen.items() for text in ("--set", f"{key}={value}")]
        print(f"results: {method.title}, split seed {seed}", file=sys.stderr)
        self.program("crossval", ROOT / "recipes" / self.recipe, "--out",
                     self.runs / method.folder / f"split-{seed}", *settings)

    def settings(self):
        return {}

    def rows(self):
        """(title, folder, versions) of every row of the table that has results."""
        return [(method.title, self.runs / method.folder, None) for method in self.methods()]

    def extra(self):
        """What is computed beside the studies, into folders of the same form."""

    def print(self):
        print_table(self)


# ---- tables


def print_table(experiment):
    found = [(title, intervals.read_method(folder, versions)) for title, folder, versions in experiment.rows()]
    found = [(title, study) for title, study in found if study]
    draws = intervals.Resamples([study for _, study in found])
    for name in experiment.metrics:
        metric, digits = intervals.METRICS[name]
        values = {title: draws.values(metric, study) for title, study in found}
        print(f"| {name} | each split seed | mean (95 % interval) | minus {experiment.reference} |\n|---|---|---|---|")
        for title, study in found:
            each = ", ".join(f"{metric(of, draws.all):.{digits}f}" for of in study.values())
            compared = ""
            if title != experiment.reference and len(study) == len(dict(found).get(experiment.reference, ())):
                compared = intervals.difference(values[title], values[experiment.reference], digits)
            print(f"| {title} | {each} | {intervals.described(*values[title], digits)} | {compared} |")
        print()
    subjects = {len(of) for of in found[0][1].values()}
    print(f"Test subjects a seed: {', '.join(map(str, sorted(subjects)))}.")


# ---- settings


class Search(Experiment):
    """Settings judged on validation subjects: test subjects are not looked at."""

    changed = {}  # what all settings share

    def methods(self):
        return [Method(title, "".join(c if c.isalnum() else "-" for c in title), **self.changed, **settings)
                for title, settings in self.CHANGES]

    def print(self):
        print("| setting | validation MAE, each split seed | mean |\n|---|---|---|")
        for method in self.methods():
            found = [float(row["valid_mae"]) for path in sorted((self.runs / method.folder).glob("split-*/models.tsv"))
                     for row in ridge.read_table(path)]
            if found:
                print(f"| {method.title} | {', '.join(f'{x:.2f}' for x in found)} | {statistics.fmean(found):.2f} |")


# ---- noise


def tabular(*columns):
    return "[" + ", ".join(f'"{column}"' for column in ("sex:onehot(F,M)",) + columns) + "]"


class Noise(Experiment):
    """Brain age of synthetic brains, with columns of noise and with one that knows the age."""

    name, recipe, metrics = "noise", "noise.yaml", ("MAE",)

    def cohort(self):
        return (self.runs / "cohort").resolve()

    def prepare(self):
        if not (self.cohort() / "noise.tsv").exists():
            self.program("cohort", "make", self.cohort(), "--subjects", 240, "--shape", "24,28,24", "--seed", 1)
            self.write_columns()

    def write_columns(self):
        """Eight columns of noise, and a clock: the age, 8 years off on average of squares."""
        rng = random.Random(1)
        lines = (self.cohort() / "participants.tsv").read_text().splitlines()
        names = lines[0].split("\t")
        out = ["\t".join(names + [f"noise{i}" for i in range(1, 9)] + ["clock"])]
        for line in lines[1:]:
            cells = line.split("\t")
            noise = [f"{rng.gauss(0, 1):.6f}" for _ in range(8)]
            out.append("\t".join(cells + noise + [f"{float(cells[names.index('age')]) + rng.gauss(0, 8):.6f}"]))
        (self.cohort() / "noise.tsv").write_text("\n".join(out) + "\n")

    def settings(self):
        return {"cohort.table": self.cohort() / "noise.tsv"}

    def methods(self):
        columns = {f"{k} noise": [f"noise{i}:zscore" for i in range(1, k + 1)] for k in (0, 1, 3, 8)}
        columns["the clock"] = ["clock:zscore"]
        out = [Method("image only", "image-only", model__name="brain-age-image-only")]
        for what, more in columns.items():
            for title in ("concatenation", "HyperFusion"):
                out.append(Method(f"{title}, sex and {what}", f"{title.lower()}-{what.replace(' ', '-')}",
                                  model__name=f"brain-age-{title.lower()}", cohort__tabular=tabular(*more)))
        return out


class NoiseSearch(Search, Noise):
    """The embedding of hyper layers, with sex and three columns of noise."""

    name = "noise-search"
    changed = {"cohort__tabular": tabular("noise1:zscore", "noise2:zscore", "noise3:zscore")}
    CHANGES = [("image only", {"model__name": "brain-age-image-only"})] + [
        (f"{kind}, {width} numbers", {"model__embedding_kind": kind, "model__embedding": width})
        for kind in ("mlp", "linear") for width in (8, 4, 2)
    ] + [("mlp, 8 numbers, batches of 16", {"model__embedding_kind": "mlp", "model__embedding": 8,
                                            "train__batch_size": 16})]


# ---- interaction


SEVEN = [("image only", "ad-image-only"), ("table only", "ad-tabular"), ("concatenation", "ad-concatenation"),
         ("late fusion", "ad-late-fusion"), ("FiLM", "ad-film"), ("DAFT", "ad-daft"), ("HyperFusion", "ad-hyperfusion")]


class Interaction(Experiment):
    """A label whose dependence on the image is turned round by a bit of the table."""

    name, recipe = "interaction", "interaction.yaml"

    def folder(self):
        return "interaction-oasis1" if self.options.oasis else "interaction"

    def cohort(self):
        return (self.runs / "cohort").resolve()

    def prepare(self):
        if (self.cohort() / "participants.tsv").exists():
            return
        images = ["--from", self.options.oasis] if self.options.oasis else ["--subjects", 308, "--shape", "24,28,24"]
        self.program("cohort", "make", self.cohort(), "--task", "interaction", "--seed", 1, *images)

    def settings(self):
        return {"cohort.spacing": "6,6,6", "cohort.shape": "24,28,24"} if self.options.oasis else {}

    def methods(self):
        others = {"model__hyper_layers": ""}  # the recipe's are those of HyperFusion
        return [Method(title, name, model__name=name, **({} if title == "HyperFusion" else others))
                for title, name in SEVEN]


# ---- OASIS-1


class Oasis(Experiment):
    def cohort(self):
        if not self.options.oasis:
            sys.exit(f"results: '{self.name}' needs --oasis FOLDER, the OASIS-1 cohort")
        return pathlib.Path(self.options.oasis).resolve()


class Age(Oasis):
    name, recipe, metrics, versions = "age", "oasis1-age.yaml", ("MAE",), 5

    def methods(self):
        return [Method(title, f"brain-age-{title.lower().replace(' ', '-')}",
                       model__name=f"brain-age-{title.lower().replace(' ', '-')}")
                for title in ("image only", "concatenation", "HyperFusion")]

    def extra(self):
        ridge.predict(self.cohort(), self.runs / self.methods()[0].folder, self.runs)

    def rows(self):
        studies = [(method.title, self.runs / method.folder) for method in self.methods()]
        return ([(title, self.runs / folder, None) for title, folder in ridge.ROWS] +
                [(title, folder, (1,)) for title, folder in studies] +
                [(f"{title}, five together", folder, None) for title, folder in studies])


class AgeSearch(Search, Oasis):
    """Of the image-only network: most of what it needs the others need too."""

    name, recipe, changed = "age-search", "oasis1-age.yaml", {"model__name": "brain-age-image-only"}
    AFFINE = {"train__affine": 0.8, "train__rotate": "8,8,8", "train__scale": "0.06,0.06,0.06"}
    CHANGES = [("as the recipe says", {}), ("no shift", {"train__shift": 0}), ("shift 2", {"train__shift": 2}),
               ("affine", AFFINE), ("affine, 80 epochs", {**AFFINE, "train__epochs": 80}),
               ("noise", {"train__noise": 0.5, "train__noise_sd": 0.2}),
               ("learning rate 5e-4", {"train__learning_rate": 5e-4}),
               ("learning rate 2e-3", {"train__learning_rate": 2e-3}),
               ("weight decay 0.005", {"train__weight_decay": 0.005}),
               ("weight decay 0.2", {"train__weight_decay": 0.2}), ("l1", {"train__loss": "l1"}),
               ("two blocks", {"model__blocks": 2}), ("dropout 0.4", {"model__dropout": 0.4})]


class Dementia(Oasis):
    name, recipe = "dementia", "oasis1-dementia.yaml"  # five folds: every subject tests once a split seed
    TABULAR = {"": '["age:zscore", "sex:onehot(F,M)", "education:zscore", "ses:zscore+median"]',
               " with MMSE": '["age:zscore", "sex:onehot(F,M)", "education:zscore", "ses:zscore+median", "mmse:zscore"]'}

    def methods(self):
        return [Method(title + more, name + more.lower().replace(" ", "-"), model__name=name, cohort__tabular=tabular)
                for more, tabular in self.TABULAR.items() for title, name in SEVEN
                if not (more and title == "image only")]


# ---- the command

EXPERIMENTS = {experiment.name: experiment for experiment in (Noise, NoiseSearch, Interaction, AgeSearch, Age, Dementia)}


def main():
    parser = argparse.ArgumentParser(prog="./dev results", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--oasis", metavar="DIR", help="OASIS-1 as a BIDS folder")
    parser.add_argument("--runs", metavar="DIR", default="runs/results", help="where studies go; default runs/results")
    parser.add_argument("--seeds", metavar="N", type=int, default=5, help="split seeds 1 to N; default 5")
    parser.add_argument("--only", metavar="TEXT", default="", help="train only methods whose folder holds TEXT")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="change every recipe; repeats")
    parser.add_argument("--print", action="store_true", help="print what there is; train nothing")
    parser.add_argument("--program", default=str(ROOT / "build" / "hyperfusion"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    experiment = EXPERIMENTS[options.experiment](options)
    if not options.print:
        experiment.prepare()
        for seed in range(1, options.seeds + 1):
            for method in experiment.methods():
                if options.only in method.folder:
                    experiment.train(method, seed)
        experiment.extra()
    experiment.print()


main()
