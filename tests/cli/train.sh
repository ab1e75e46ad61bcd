#!/bin/sh
# train.sh: the whole path on a small synthetic cohort: make, check, train, evaluate, predict, report; and what is
# refused on the way.
. "$(dirname "$0")/common.sh"

# ---- a cohort
run 0 cohort make cohort --subjects 13 --shape 36,36,36 --seed 4
is out <<'TEXT'
made a cohort in cohort
TEXT
check "a table" test -s cohort/participants.tsv
run 1 cohort make cohort --subjects 13
says err "participants.tsv"
run 0 cohort check cohort
says out "13 with row and image"
says out "36 x 36 x 36"
run 1 cohort check nowhere
says err "nowhere"

# ---- training
tiny
run 0 train tiny.yaml --out run --set split.seed=2
says err "train loss"
says out "training mean"
says out "report: run/report.html"
for file in recipe.yaml split.tsv log.jsonl best.safetensors last.safetensors predictions-test.tsv report.html; do
    check "run/$file" test -s "run/$file"
done
check "one line of log an epoch" python3 -c '
import json
rows = [json.loads(line) for line in open("run/log.jsonl")]
assert [r["epoch"] for r in rows] == [1]
keys = {"epoch", "train_loss", "valid_loss", "valid", "seconds", "samples_per_second", "waited_seconds",
        "learning_rate"}
assert all(set(r) == keys for r in rows), rows
assert set(rows[0]["valid"]) == {"mae", "mse", "bias", "r"}, rows'
check "nobody on two sides" python3 -c '
rows = [line.split() for line in open("run/split.tsv")][1:]
assert len({r[0] for r in rows}) == len(rows) == 13
assert {r[1] for r in rows} == {"train", "valid", "test"}'
check "the report stands alone" sh -c '! grep -E "src=\"http|href=\"http|<script" run/report.html'

# ---- what is refused
run 1 train tiny.yaml --out run --set split.seed=2
says err "is in use already"
run 1 train tiny.yaml --out run --resume --set split.seed=2 --set train.learning_rate=1.0e-4
says err "a run is resumed with the recipe it was started with"
run 1 train tiny.yaml --out other --set cohort.path=nowhere
says err "nowhere"
run 1 train tiny.yaml --out other2 --set model.name=brain-age-hyperfuson
says err "did you mean"
run 1 train tiny.yaml --out other3 --set train.learning_rate=100 --set train.epochs=40 --set train.optimizer=sgd
says err "epoch"
says err "A lower train.learning_rate may help"
check "the lock is respected" sh -c "python3 - <<'END'
import fcntl, subprocess
lock = open('run/lock')
fcntl.flock(lock, fcntl.LOCK_EX)
r = subprocess.run(['$program', 'train', 'tiny.yaml', '--out', 'run', '--resume', '--set', 'split.seed=2'],
                   stderr=subprocess.PIPE, text=True)
assert r.returncode == 1 and 'another process is training' in r.stderr, r
END"

# ---- a finished run can be made longer, and needs no recipe for it
run 0 train --resume run --set train.epochs=2
says err "resuming after epoch 1"
check "two epochs" sh -c 'test "$(wc -l <run/log.jsonl)" -eq 2'
check "its recipe says so" grep -q "epochs: 2" run/recipe.yaml
run 0 train tiny.yaml --out run --resume --set split.seed=2 --set train.epochs=2
run 1 train --resume run --set train.batch_size=3
says err "a run is resumed with the recipe it was started with"
run 1 train --resume nowhere/at/all
says err "'nowhere/at/all' holds no run to resume"
run 1 train tiny.yaml --out deep/er/run --set cohort.path=nowhere
run 1 train tiny.yaml --out deep/er/run/ --resume --set train.optimizer=sgd --set cohort.target=mmse
check "a refused start leaves no folder" test ! -e nowhere -a ! -e deep
mkdir -p deep/own
run 1 train tiny.yaml --out deep/er/run --set cohort.path=nowhere
check "nor takes one away" sh -c 'test "$(ls -A deep)" = own'
check "tables name their subjects alike" python3 -c '
names = {open(f"run/{name}.tsv").readline().split("\t")[0] for name in ("split", "predictions-test")}
assert names == {"participant_id"}, names'

# ---- evaluate
run 0 evaluate run --json
json 'j["n"] == sum(1 for line in open("run/predictions-test.tsv")) - 1'
json 'j["mae_low"] <= j["mae"] <= j["mae_high"] and set(j["groups"]["sex"]) <= {"F", "M"} and j["goal"] == "regression"'
json 'sum(g["n"] for g in j["groups"]["sex"].values()) == j["n"]'
json 'all(j["baselines"]["training " + which]["mae"] > 0 for which in ("mean", "median"))'
python3 -c 'import json
j = json.load(open("out"))
print("<td>all</td><td>%d</td><td>%.2f <small>(%.2f to %.2f)</small>" % tuple(j[k] for k in ("n", "mae", "mae_low", "mae_high")))' >row
check "the report's interval is that of evaluate" grep -qF "$(cat row)" run/report.html
sed 1d run/predictions-test.tsv | cut -f5 >errors
json 'abs(j["mae"] - sum(abs(float(line)) for line in open("errors")) / j["n"]) < 1e-3'
run 0 evaluate run --split train
says out "training median"
run 0 evaluate run --cohort cohort --json
json 'j["n"] == 13 and j["part"] == "cohort"'

# ---- predict: the same number for a subject alone, in a cohort and in the run's own table
run 0 predict run --cohort cohort --out all.tsv
check "everyone is predicted" sh -c 'test "$(wc -l <all.tsv)" -eq 14'
sed -n 2p run/predictions-test.tsv >first
id=$(cut -f1 first)
sex=$(cut -f2 first)
image=$(ls cohort/"$id"/anat/*.nii.gz)
run 0 predict run "$image" --tabular "sex=$sex"
is err <<TEXT
no 90 % prediction interval: the checkpoint keeps the errors of 3 validation subjects, 9 are needed
TEXT
check "one prediction, three ways" python3 -c '
import sys
alone = float(open("out").read())
table = [line.split("\t") for line in open("all.tsv")]
row = next(r for r in table if r[0] == sys.argv[1])
assert abs(float(row[3]) - alone) < 1e-4 * abs(alone)
assert float(open("first").read().split("\t")[3]) == float(row[3])' "$id"
run 1 predict run "$image"
says err "column 'sex': missing, and 'sex:onehot(F,M)' has no way to say so"
run 1 predict run "$image" --tabular sx=F
says err "did you mean 'sex'?"
run 1 predict run "$image" --tabular sex=X
says err "X"

# ---- bad rows: found beforehand, left out by name, and the others go on
cp -r cohort bad
python3 - <<'END'
rows = [line.rstrip("\n").split("\t") for line in open("bad/participants.tsv")]
age, sex = rows[0].index("age"), rows[0].index("sex")
rows[1][sex], rows[2][sex], rows[3][age] = "X", "n/a", "250"
rows[4][sex] = {"F": "Woman", "M": "male"}[rows[4][sex]]
open("bad/participants.tsv", "w").write("".join("\t".join(row) + "\n" for row in rows))
END
run 0 cohort check bad
says out "'250' in column 'age' is implausible: 0 to 120 is expected"
for what in "--recipe tiny.yaml" "--run run"; do
    run 1 cohort check bad $what
    says out "category 'X' is not known; known are 'F', 'M'"
    says out "column 'sex': missing"
    says out "3 found"
done
run 2 cohort check bad --recipe tiny.yaml --run run
run 1 cohort check bad --recipe nowhere.yaml
says err "nowhere.yaml"
run 3 predict run --cohort bad --out bad.tsv
says err "category 'X' is not known"
says err "column 'sex': missing"
check "all but two are predicted" sh -c 'test "$(wc -l <bad.tsv)" -eq 12'
run 0 train tiny.yaml --out leaky --set split.seed=2 --set cohort.fit_on=all --set split.folds=4 --set split.fold=1
says err "warning: cohort.fit_on is all"
run 1 train tiny.yaml --out target --set "cohort.tabular=age:zscore"
says err "cohort.tabular uses the column 'age', which is cohort.target"

# ---- ids that a table must quote
cp -r cohort odd
python3 - <<'END'
import csv, glob
rows = list(csv.reader(open("odd/participants.tsv"), delimiter="\t"))
names = ["a\tb", 'say "x"', '"q"', " outer ", "two\nlines"] + [f"plain{i}" for i in range(99)]
with open("odd/participants.tsv", "w", newline="") as out:
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(rows[0] + ["path"])
    for row, name in zip(rows[1:], names):
        path = glob.glob(f"odd/{row[0]}/anat/*.nii.gz")[0]
        text = f'"{name}"' if name == " outer " else None
        if text:  # csv quotes no blanks
            out.write("\t".join([text, *row[1:], path[4:]]) + "\n")
        else:
            writer.writerow([name, *row[1:], path[4:]])
END
run 0 train tiny.yaml --out oddrun --set split.seed=2 --set cohort.path=odd --set cohort.image_column=path
run 0 evaluate oddrun --split train
run 0 train tiny.yaml --out oddrun --resume --set split.seed=2 --set cohort.path=odd --set cohort.image_column=path \
    --set train.epochs=2
run 0 predict oddrun --cohort odd --out odd.tsv
check "ids come back from every table" python3 -c '
import csv
given = {r[0] for r in csv.reader(open("odd/participants.tsv", newline=""), delimiter="\t")}
for name in "odd.tsv", "oddrun/split.tsv":
    assert given == {r[0] for r in csv.reader(open(name, newline=""), delimiter="\t")}, name'

# ---- a clinical table: imputed, split as published, saved, resumed, predicted
run 0 cohort make clinic --task ad --subjects 24 --shape 36,36,36 --seed 3
sed 's/^  path: cohort$/  path: clinic\
  target: AGE\
  tabular: ["PTEDUCAT:zscore", "APOE4:zscore+impute+missing", "ABETA:zscore+impute", "FDG:zscore+impute+missing", "PTGENDER:onehot(F,M)"]/
s/^split:$/split:\
  method: published\
  strata: [PTGENDER, diagnosis]\
  age_column: AGE/' tiny.yaml >clinic.yaml
run 0 train clinic.yaml --out clinicrun
run 0 train clinic.yaml --out clinicrun --resume --set train.epochs=2
run 0 evaluate clinicrun --split train --json
json 'j["n"] >= 14'
run 0 cohort check clinic --run clinicrun
run 0 predict clinicrun "$(ls clinic/sub-0001/anat/*.nii.gz)" --tabular PTEDUCAT=14,FDG=1.28132,PTGENDER=female
alone=$(cat out)
run 0 predict clinicrun "$(ls clinic/sub-0001/anat/*.nii.gz)" --tabular PTEDUCAT=99,FDG=1.28132,PTGENDER=female
says err "'PTEDUCAT' is 99, outside of"
run 0 predict clinicrun --cohort clinic --out clinic.tsv
check "what is missing is imputed alike" python3 -c '
import sys
row = next(line.split("\t") for line in open("clinic.tsv") if line.startswith("sub-0001"))
assert any(abs(float(x) - float(sys.argv[1])) < 0.006 for x in row[1:] if x.strip() != "n/a"), row' "$alone"

# ---- volumes the network was not trained for
cat >bend.py <<'END'
import gzip, struct, sys
source, target, kind = sys.argv[1:]
data = bytearray(gzip.open(source).read())
def spacing(factor):
    for at in (80, 84, 88):
        struct.pack_into("<f", data, at, struct.unpack_from("<f", data, at)[0] * factor)
    for row in (280, 296, 312):
        for column in range(3):
            at = row + 4 * column
            struct.pack_into("<f", data, at, struct.unpack_from("<f", data, at)[0] * factor)
if kind == "spacing":
    spacing(1.5)
if kind == "unoriented":
    struct.pack_into("<hh", data, 252, 0, 0)
if kind == "turned":  # the header says head is where the feet are
    struct.pack_into("<h", data, 252, 0)
    for at in range(312, 328, 4):
        struct.pack_into("<f", data, at, -struct.unpack_from("<f", data, at)[0])
if kind == "cut":
    data = data[:len(data) // 2]
gzip.open(target, "wb").write(bytes(data))
END
for kind in spacing unoriented turned cut; do python3 bend.py "$image" "$kind.nii.gz" "$kind"; done
run 1 predict run spacing.nii.gz --tabular sex=F
says err "spacing"
run 1 predict run unoriented.nii.gz --tabular sex=F
says err "does not say how the volume lies"
run 1 predict run cut.nii.gz --tabular sex=F
says err "cut.nii.gz"
run 1 predict run missing.nii.gz --tabular sex=F
says err "missing.nii.gz"
run 0 predict run turned.nii.gz --tabular sex=F
says err "looks unlike the training volumes"

# ---- a damaged checkpoint
cp -r run damaged
python3 -c 'f = open("damaged/best.safetensors", "r+b"); f.seek(-100, 2); f.write(b"\1\2\3\4")'
run 1 evaluate damaged
says err "best.safetensors"

# ---- report
run 0 report run --out again.html
is out <<'TEXT'
report: again.html
TEXT
check "the same page again" cmp again.html run/report.html
mv cohort gone
run 0 report run
says out "report: run/report.html"
check "without its cohort the report says what it lacks" grep -q "Slices are left out" run/report.html
run 0 predict run "gone/${image#cohort/}" --tabular "sex=$sex"
finish "cli train"
