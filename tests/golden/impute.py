"""Writes impute.tsv: tables with missing values and what scikit-learn makes of them.

    python3 impute.py > impute.tsv        (needs numpy and scikit-learn; 1.9.1 wrote the file that is committed)

The reference is IterativeImputer(BayesianRidge(), initial_strategy="median", max_iter=200), everything else as it comes.
Each case has training rows, whose values are those of fit_transform, and new rows, whose values are those of transform;
some of the new rows lack what no training row lacks. A line is one row: case, train or new, values as given, values
filled. Columns are of very different sizes and depend on each other, as clinical ones do; in one case two of them add up
to one exactly, as the two columns of a sex do.
"""
import sys
import warnings

import numpy
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

COLUMNS = 10


def clinical(random, rows):
    """AGE, PTEDUCAT, APOE4, ABETA, PTAU, TAU, FDG, AV45, Female, Male."""
    age = random.normal(73, 7.5, rows)
    ill = random.normal(0, 1, rows) + 0.05 * (age - 73)
    apoe = numpy.clip(numpy.round(random.normal(0.5 + 0.3 * ill, 0.6)), 0, 2)
    abeta = numpy.clip(964 - 250 * ill - 90 * apoe + random.normal(0, 300, rows), 200, 1700)
    tau = numpy.clip(291 + 70 * ill + random.normal(0, 90, rows), 80, 1300)
    ptau = numpy.clip(0.1 * tau + random.normal(-1, 3, rows), 8, 120)
    fdg = 1.19 - 0.07 * ill + random.normal(0, 0.12, rows)
    av45 = 1.22 + 0.12 * ill - 1e-4 * (abeta - 964) + random.normal(0, 0.15, rows)
    woman = (random.random(rows) < 0.45).astype(float)
    table = numpy.column_stack(
        [age, random.normal(16, 2.7, rows), apoe, abeta, ptau, tau, fdg, av45, woman, 1 - woman]
    )
    shares = [0, 0, 0.09, 0.5, 0.5, 0.5, 0.38, 0.53, 0, 0]
    fluid = random.random(rows) < shares[3]  # the three fluids are missing together
    for column, share in enumerate(shares):
        gone = fluid if 3 <= column <= 5 else random.random(rows) < share
        table[gone, column] = numpy.nan
    return table


def plain(random, rows, columns):
    mixing = random.normal(0, 1, (columns, columns))
    table = random.normal(0, 1, (rows, columns)) @ mixing + random.normal(0, 3, columns)
    table[random.random(table.shape) < 0.15] = numpy.nan
    return table


def show(value):
    return "n/a" if numpy.isnan(value) else repr(round(float(value), 12))


def case(name, table, new):
    table, new = numpy.round(table, 4), numpy.round(new, 4)  # as they stand in the file
    imputer = IterativeImputer(BayesianRidge(), initial_strategy="median", max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        filled = imputer.fit_transform(table)
    print(f"{name}: {imputer.n_iter_} rounds", file=sys.stderr)
    for kind, given, found in (("train", table, filled), ("new", new, imputer.transform(new))):
        for before, after in zip(given, found):
            pad = ["0"] * (COLUMNS - len(before))
            print("\t".join([name, kind, str(len(before)), *map(show, before), *pad, *map(show, after), *pad]))


def main():
    names = [f"{kind}{column}" for kind in "xy" for column in range(COLUMNS)]
    print("\t".join(["case", "kind", "columns", *names]))
    random = numpy.random.default_rng(20)
    new = clinical(random, 12)
    new[8:, 0] = numpy.nan
    new[10, 1] = numpy.nan
    new[11] = numpy.nan
    case("clinical", clinical(random, 160), new)
    random = numpy.random.default_rng(21)
    case("plain", plain(random, 40, 4), plain(random, 6, 4))
    random = numpy.random.default_rng(22)
    case("few", plain(random, 7, 8), plain(random, 3, 8))  # fewer rows than columns and an intercept
    table = plain(numpy.random.default_rng(23), 20, 2)
    table[:, 0] = numpy.nan_to_num(table[:, 0])
    case("two", table, numpy.array([[numpy.nan, 1.0], [0.5, numpy.nan]]))


main()
