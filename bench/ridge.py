"""What a linear model makes of the same splits: kernel ridge regression of age on voxels of 4 mm, and the training median.

Predictions go into folders of the form of a method's, so that the tables treat them as one more method. The penalty is
chosen on the validation subjects of each split. Needs numpy; without it the rows are left out.
"""
import csv
import gzip
import pathlib
import statistics
import struct
import sys

ROWS = [("training median", "median"), ("linear ridge, voxels of 4 mm", "ridge")]
PENALTIES = [10.0 ** k for k in range(-4, 3)]  # times the mean of the kernel's diagonal


def read_table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_voxels(np, path):
    """Of a NIfTI-1 volume of bytes: means of 2 x 2 x 2 voxels, brought to mean 0 and variance 1 inside the brain."""
    data = gzip.decompress(path.read_bytes())
    dims, kind = struct.unpack("<8h", data[40:56]), struct.unpack("<h", data[70:72])[0]
    if kind != 2:
        raise ValueError(f"{path}: data type {kind}, expected 2 (bytes)")
    offset = int(struct.unpack("<f", data[108:112])[0])
    shape = dims[1:4]
    volume = np.frombuffer(data, np.uint8, shape[0] * shape[1] * shape[2], offset).reshape(shape, order="F")
    volume = volume[:shape[0] // 2 * 2, :shape[1] // 2 * 2, :shape[2] // 2 * 2].astype(np.float32)
    small = volume.reshape(shape[0] // 2, 2, shape[1] // 2, 2, shape[2] // 2, 2).mean((1, 3, 5)).ravel()
    brain = small > 0
    small[brain] = (small[brain] - small[brain].mean()) / small[brain].std()
    return small


def fit(np, kernel, age, train, penalty):
    """Predictions for all subjects of centred kernel ridge regression on the training ones."""
    inner = kernel[np.ix_(train, train)]
    column = inner.mean(0)
    centred = inner - column - column[:, None] + inner.mean()
    weights = np.linalg.solve(centred + penalty * np.trace(centred) / len(train) * np.eye(len(train)),
                              age[train] - age[train].mean())
    outer = kernel[:, train]
    outer = outer - outer.mean(1)[:, None] - column + inner.mean()
    return outer @ weights + age[train].mean()


def best(np, kernel, age, train, valid):
    tried = [fit(np, kernel, age, train, penalty) for penalty in PENALTIES]
    return min(tried, key=lambda predicted: np.abs(predicted[valid] - age[valid]).mean())


def write(folder, subjects, truth, predicted):
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["participant_id\tage\tpredicted"]
    lines += [f"{s}\t{t:.17g}\t{p:.9g}" for s, t, p in zip(subjects, truth, predicted)]
    (folder / "predictions-test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def predict(cohort, method, out):
    """For every split that a method's folder has of this cohort."""
    try:
        import numpy as np
    except ImportError:
        print("results: no ridge without numpy", file=sys.stderr)
        return
    rows = read_table(cohort / "participants.tsv")
    index = {row["participant_id"]: i for i, row in enumerate(rows)}
    age = np.array([float(row["age"]) for row in rows])
    voxels = np.stack([read_voxels(np, next(cohort.glob(f"{name}/anat/*_T1w.nii.gz"))) for name in index])
    kernel = (voxels @ voxels.T).astype(np.float64)
    for path in sorted(pathlib.Path(method).glob("split-*/seed-*/version-1/fold-0/split.tsv")):
        parts = {"train": [], "valid": [], "test": []}
        for row in read_table(path):
            parts[row["split"]].append(index[row["participant_id"]])
        test, place = parts["test"], pathlib.Path(*path.parts[-5:-1])
        names, truth = [rows[i]["participant_id"] for i in test], age[test]
        predicted = best(np, kernel, age, parts["train"], parts["valid"])
        write(out / "ridge" / place, names, truth, predicted[test])
        write(out / "median" / place, names, truth, [statistics.median(age[parts["train"]])] * len(test))
