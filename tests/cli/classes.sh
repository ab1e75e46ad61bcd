#!/bin/sh
# classes.sh: classes instead of numbers, the whole path: train on a synthetic clinical cohort, evaluate, predict, report;
# two classes by one output; killed and resumed to the same bytes; predictions that are no numbers.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --task ad --subjects 24 --shape 36,36,36 --seed 3
cat >classes.yaml <<TEXT
goal: {name: classes, classes: [CN, MCI, AD]}
model: brain-age-hyperfusion
cohort:
  path: cohort
  target: diagnosis
  shape: [36, 36, 36]
  tabular: ["PTGENDER:onehot(Female,Male)"]
  cache_dir: $work/cache
split: {method: random, valid: 0.25, test: 0.25, seed: 2}
train:
  epochs: 3
  batch_size: 4
  learning_rate: 1.0e-3
  class_weights: [inverse]
  start_at_mean: true
evaluate: {bootstrap: 200, groups: [PTGENDER, site]}
TEXT
run 0 train classes.yaml --out whole
says err "valid BA"
says out "recall MCI"
says out "training frequencies"
check "the log names the metrics" python3 -c '
import json
rows = [json.loads(line)["valid"] for line in open("whole/log.jsonl")]
assert all(list(r)[0] == "balanced_accuracy" and "recall_AD" in r for r in rows), rows'

# ---- the same numbers everywhere
run 0 evaluate whole --json
json 'j["goal"] == "classes" and j["target"] == "diagnosis" and set(j["groups"]) == {"PTGENDER"}'
json 'j["balanced_accuracy_low"] <= j["balanced_accuracy"] <= j["balanced_accuracy_high"]'
check "the predictions say the same" python3 -c '
import csv, json
j, rows = json.load(open("out")), list(csv.DictReader(open("whole/predictions-test.tsv"), delimiter="\t"))
names = ["CN", "MCI", "AD"]
assert len(rows) == j["n"]
for r in rows:
    p = [float(r["p_" + n]) for n in names]
    assert abs(sum(p) - 1) < 1e-12 and r["predicted"] == names[p.index(max(p))], r
recall = []
for n in names:
    of = [r for r in rows if r["diagnosis"] == n]
    if of:
        recall.append(sum(r["predicted"] == n for r in of) / len(of))
        assert abs(recall[-1] - j["recall_" + n]) < 1e-8
    else:
        assert j["recall_" + n] is None
assert abs(sum(recall) / len(recall) - j["balanced_accuracy"]) < 1e-8'
python3 -c 'import json
j = json.load(open("out"))
print("<td>all</td><td>%d</td><td>%.3f <small>(%.3f to %.3f)</small>" % tuple(
    j[k] for k in ("n", "balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high")))' >row
check "the report's interval is that of evaluate" grep -qF "$(cat row)" whole/report.html
check "the report has a confusion matrix" grep -q "Confusion matrix" whole/report.html

# ---- one image
id=$(sed -n 2p whole/predictions-test.tsv | cut -f1)
sex=$(sed -n 2p whole/predictions-test.tsv | cut -f2)
image=$(ls cohort/"$id"/anat/*.nii.gz)
run 0 predict whole "$image" --tabular "PTGENDER=$sex"
check "class and probabilities, as in the table" python3 -c '
row = dict(zip(*[line.rstrip("\n").split("\t") for line in open("whole/predictions-test.tsv")][:2]))
lines = open("out").read().splitlines()
assert lines[0] == row["predicted"] and len(lines) == 4, lines
for line in lines[1:]:
    name, p = line.split("\t")
    assert abs(float(row[name]) - float(p)) < 1e-4, (line, row)'
run 0 predict whole --cohort cohort --out all.tsv
check "everyone is predicted" sh -c 'test "$(wc -l <all.tsv)" -eq 25'

# ---- killed and resumed
train() {
    "$program" train classes.yaml --out "$1" --resume --set "train.class_weights=[]" --set train.oversample=true \
        --set train.batch_size=3 >out 2>err
}
train undisturbed
check "the undisturbed run" test -s undisturbed/report.html
check "an epoch shows every class as often as the most frequent" python3 -c '
import collections, csv, json, struct
def table(path):
    return list(csv.DictReader(open(path), delimiter="\t"))
trains = {r["participant_id"] for r in table("undisturbed/split.tsv") if r["split"] == "train"}
of = collections.Counter(r["diagnosis"] for r in table("cohort/participants.tsv") if r["participant_id"] in trains)
with open("undisturbed/last.safetensors", "rb") as f:
    steps = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))["__metadata__"]["optimizer.steps"]
assert len(set(of.values())) > 1 and int(steps) == 3 * max(of.values()), (steps, of)'  # 3 epochs, 3 classes, batches of 3
for lines in 1 2; do
    check "killed at epoch $lines" killed_at broken/log.jsonl $lines train classes.yaml --out broken --resume \
        --set "train.class_weights=[]" --set train.oversample=true --set train.batch_size=3
done
train broken
for file in last.safetensors best.safetensors predictions-test.tsv recipe.yaml; do
    check "$file: the same bytes" cmp "undisturbed/$file" "broken/$file"
done

# ---- two of the classes, by one output; the others are left out by name
run 0 train classes.yaml --out binary --set goal=binary --set "goal.classes=[CN, MCI]" --set train.epochs=1
says err "'AD' in column 'diagnosis', expected one of: CN, MCI"
run 0 evaluate binary --json
json 'j["goal"] == "binary" and (j["auc"] is None or 0 <= j["auc"] <= 1)'
run 0 predict binary "$image" --tabular "PTGENDER=$sex"
says out "p_MCI"

# ---- what is refused
run 1 train classes.yaml --out none --set "goal.classes=[CN, MCI, AD, FTD]"
says err "no training subject is of class 'FTD'"
run 1 train classes.yaml --out none --set goal.classes=[]
says err "goal.classes: found 0, expected 2 to 16 names in order"
run 1 train classes.yaml --out none --set train.loss=mse
says err "goal classes with train.loss mse: cross-entropy is expected"
check "nothing is left of them" test ! -e none

# ---- a table value that no person has: nothing is named, neither class nor number
run 0 train classes.yaml --out raw --set "cohort.tabular=[PTEDUCAT:raw]" --set train.epochs=1
run 0 predict raw "$image" --tabular PTEDUCAT=16
run 1 predict raw "$image" --tabular PTEDUCAT=1e38
says err "the prediction for"
is out </dev/null
finish "cli classes"
