"""Writes published_split.tsv: a made-up table and the folds that the published splitter deals it into.

    python3 published_split.py > published_split.tsv        (needs numpy and pandas)

The splitter, as the study's code does it: indices shuffled by numpy's old generator, ages cut into 20 bins by pandas,
then sex (in order of first appearance in the shuffled list), class (same), age bin (rising), each cell's subjects dealt
to five folds in shuffled order, one pointer running over all cells. Three seeds, three columns of folds.
"""
import numpy
import pandas

ROWS, SEEDS, FOLDS = 240, (0, 1, 2), 5


def deal(table, seed):
    numpy.random.seed(seed)
    order = list(range(len(table)))
    numpy.random.shuffle(order)
    shuffled = table.iloc[order]
    ages = shuffled.AGE.fillna(table.AGE.median())
    bins = pandas.cut(ages, 20)
    fold = {}
    pointer = 0
    for sex in shuffled.PTGENDER.unique():
        for label in shuffled.label.unique():
            for interval in bins.cat.categories:
                cell = shuffled[(shuffled.PTGENDER == sex) & (shuffled.label == label) & (bins == interval)]
                for index in cell.index:
                    fold[index] = pointer % FOLDS
                    pointer += 1
    return [fold[i] for i in range(len(table))]


def main():
    random = numpy.random.default_rng(7)
    table = pandas.DataFrame(
        {
            "PTGENDER": random.choice(["Male", "Female"], ROWS),
            "AGE": numpy.round(random.normal(73, 7.5, ROWS), 1),
            "DX": random.choice(["CN", "EMCI", "LMCI", "MCI", "AD"], ROWS, p=[0.35, 0.15, 0.08, 0.25, 0.17]),
        }
    )
    table.AGE = table.AGE.clip(53, 93)
    table.loc[[0, 1], "AGE"] = [53, 93]  # so that edges are whole years, which some ages are
    table.loc[10:60, "AGE"] = numpy.round(table.loc[10:60, "AGE"])
    table.loc[[5, 77], "AGE"] = numpy.nan
    table["label"] = table.DX.replace({"EMCI": "MCI", "LMCI": "MCI"})
    folds = [deal(table, seed) for seed in SEEDS]
    print("\t".join(["id", "PTGENDER", "AGE", "DX", *(f"seed{seed}" for seed in SEEDS)]))
    for i, row in table.iterrows():
        age = "n/a" if numpy.isnan(row.AGE) else f"{row.AGE:.1f}"
        print("\t".join([f"p{i}", row.PTGENDER, age, row.DX, *(str(fold[i]) for fold in folds)]))


main()
