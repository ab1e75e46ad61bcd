#!/bin/sh
# goals.sh: goals beside numbers and classes, the whole path: times until an event, and classes in an order; trained, killed
# and resumed to the same bytes, judged, predicted, reported; what is refused; a debugging run, which tests nobody.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --subjects 22 --shape 36,36,36 --seed 3
# The older, the sooner; some are lost before. Three stages by age, one cell nobody knows.
python3 - <<'END'
import csv
rows = list(csv.DictReader(open("cohort/participants.tsv"), delimiter="\t"))
for i, r in enumerate(rows):
    age = float(r["age"])
    r["months"] = "%.1f" % (130 - age - 3 * (i % 4))
    r["died"] = str(int(i % 3 > 0))
    r["stage"] = "mild" if age < 45 else "moderate" if age < 65 else "severe"
rows[2]["died"] = "n/a"
rows[3]["stage"] = "unclear"
with open("cohort/participants.tsv", "w", newline="") as file:
    w = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
    w.writeheader()
    w.writerows(rows)
END
tiny
set -- --set train.epochs=3 --set split.method=random --set split.seed=2
survival="--set goal=survival --set cohort.target=months --set goal.event=died --set goal.unit=months"
ordinal="--set goal=ordinal --set cohort.target=stage --set goal.classes=[mild,moderate,severe]"

# ---- times until an event
run 0 train tiny.yaml --out survival "$@" $survival
says err "valid C-index"
says out "C-index"
says out "toss of a coin"
check "the columns of the predictions" sh -c 'head -1 survival/predictions-test.tsv | tr "\t" " " | grep -q " months died predicted$"'
run 0 evaluate survival --json
json 'j["goal"] == "survival" and 0 <= j["c_index_low"] <= j["c_index"] <= j["c_index_high"] <= 1'
json 'j["baselines"]["toss of a coin"]["c_index"] == 0.5'
check "the index is that of the predictions" python3 -c '
import csv, json
j, rows = json.load(open("out")), list(csv.DictReader(open("survival/predictions-test.tsv"), delimiter="\t"))
of = [(float(r["months"]), float(r["died"]), float(r["predicted"])) for r in rows if r["months"] != "n/a"]
assert len(of) == j["n"]
pairs = [(a[2] > b[2]) + 0.5 * (a[2] == b[2]) for a in of for b in of if a[1] and (a[0], -a[1]) < (b[0], -b[1])]
assert abs(sum(pairs) / len(pairs) - j["c_index"]) < 1e-8, (pairs, j)'
check "the report has the curves" grep -q "Kaplan-Meier curves" survival/report.html
id=$(sed -n 2p survival/predictions-test.tsv | cut -f1)
sex=$(sed -n 2p survival/predictions-test.tsv | cut -f2)
image=$(ls cohort/"$id"/anat/*.nii.gz)
run 0 predict survival "$image" --tabular "sex=$sex"
check "the prediction is that of the table" python3 -c '
row = open("survival/predictions-test.tsv").read().splitlines()[1].split("\t")
assert abs(float(open("out").read()) - float(row[-1])) < 1e-3 * abs(float(row[-1]))'
run 0 predict survival --cohort cohort --out all.tsv
check "who has no truth is predicted too" sh -c 'test "$(wc -l <all.tsv)" -eq 23 && tr "\t" " " <all.tsv | grep -q " n/a n/a "'
sed 's/goal: regression/goal: {name: survival, event: died}/; s/path: cohort/&\n  target: months/' tiny.yaml >survival.yaml
run 1 cohort check cohort --recipe survival.yaml
says out "line 4: no died, which is the target"
sed -i 's/^\(sub-0005.*\t\)[01]\t/\12\t/; s/^\(sub-0006\t.*\t\)\([0-9.]*\t[01]\t\)/\1-\2/' cohort/participants.tsv
run 1 cohort check cohort --recipe survival.yaml
says out "'2' in column 'died', expected 1 (event) or 0"
says out "in column 'months', expected a time of at least 0"
run 1 train tiny.yaml --out none "$@" $survival
says err "expected a time of at least 0"
run 1 train tiny.yaml --out none "$@" $survival --set goal.event=dead
says err "has no column 'dead' (goal.event)"
sed -i 's/\t-\([0-9]\)/\t\1/; s/\tdied\t/\tdied\tnobody\t/; 2,$s/\t\(mild\|moderate\|severe\|unclear\)/\t0&/' cohort/participants.tsv
run 1 train tiny.yaml --out none "$@" $survival --set goal.event=nobody
says err "training subjects has had the event (column 'nobody' is 0)"
check "nothing is left of them" test ! -e none

# ---- classes in an order, stopped and resumed
run 0 train tiny.yaml --out ordinal "$@" $ordinal
says err "left out: 'sub-0004': '"
says err "valid rank MAE"
says out "kappa"
run 0 train tiny.yaml --out shorter "$@" $ordinal --set train.epochs=1
run 0 train tiny.yaml --out shorter "$@" $ordinal --resume
for name in last.safetensors predictions-test.tsv; do
    check "$name: the same bytes" cmp "ordinal/$name" "shorter/$name"
done
check "probabilities" python3 -c '
import csv
for r in csv.DictReader(open("ordinal/predictions-test.tsv"), delimiter="\t"):
    p = [float(r["p_" + k]) for k in ("mild", "moderate", "severe")]
    assert abs(sum(p) - 1) < 1e-12 and min(p) >= 0, r'
check "a confusion matrix" grep -q "Confusion matrix" ordinal/report.html
run 0 predict ordinal "$image" --tabular "sex=$sex"
says out "p_moderate"

# ---- a debugging run
run 0 train tiny.yaml --out debug "$@" --set train.overfit_batches=1 --set train.epochs=1
says err "DEBUGGING RUN"
says out "no test results"
check "no scores of test subjects" sh -c 'test ! -e debug/predictions-test.tsv && ! grep -q "Test results" debug/report.html'
run 1 evaluate debug
says err "is a debugging run (train.overfit_batches): it has no results"
run 0 predict debug "$image" --tabular "sex=$sex"
says err "what it predicts means nothing"

# ---- studies
run 0 crossval survival.yaml --out folds "$@" --set train.epochs=1 --set crossval.versions=2
says out "C-index"
run 1 crossval tiny.yaml --out study "$@" --set train.overfit_batches=1
says err "train.overfit_batches is for debugging a single run"
finish "cli goals"
