#!/usr/bin/env python3
"""Prints the table of doc/results.md from finished runs: results.py RUNS SEED..."""
import csv
import json
import pathlib
import random
import statistics
import subprocess
import sys

MODELS = {"brain-age-hyperfusion": "HyperFusion", "brain-age-image-only": "image only (hyper layers switched to regular)"}
RESAMPLES = 10000


def errors(run):
    with open(run / "predictions-test.tsv", newline="") as file:
        return {row["participant_id"]: abs(float(row["error"])) for row in csv.DictReader(file, delimiter="\t")}


def paired_interval(first, second):
    """Mean difference of absolute errors over the same subjects, with a 95 % percentile bootstrap interval."""
    difference = [first[subject] - second[subject] for subject in sorted(first)]
    rng = random.Random(1)
    means = sorted(statistics.fmean(rng.choices(difference, k=len(difference))) for _ in range(RESAMPLES))
    return statistics.fmean(difference), means[RESAMPLES * 25 // 1000], means[RESAMPLES * 975 // 1000]


def main():
    runs, seeds = pathlib.Path(sys.argv[1]), sys.argv[2:]
    print("| model | seed | n | test MAE (years) | 95 % interval | women | men |\n|---|---|---|---|---|---|---|")
    baselines = None
    for model, title in MODELS.items():
        for seed in seeds:
            text = subprocess.run(["build/hyperfusion", "evaluate", runs / f"{model}-{seed}", "--json"], check=True,
                                  capture_output=True, text=True).stdout
            score = json.loads(text)
            if not baselines:
                baselines = score
                for name in ("mean", "median"):
                    print(f"| training {name} | | {score['n']} | {score[name + '_baseline']:.2f} | | | |")
            by_sex = [f"{score['per_sex'][sex]['mae']:.2f}" for sex in ("F", "M")]
            print(f"| {title} | {seed} | {score['n']} | {score['mae']:.2f} | {score['mae_low']:.2f} to "
                  f"{score['mae_high']:.2f} | {by_sex[0]} | {by_sex[1]} |")
    for seed in seeds:
        pair = [errors(runs / f"{model}-{seed}") for model in MODELS]
        mean, low, high = paired_interval(*pair)
        print(f"\nSeed {seed}, absolute error of HyperFusion less that of image only, same subjects: {mean:+.2f} years "
              f"(95 % interval {low:+.2f} to {high:+.2f}).")


main()
