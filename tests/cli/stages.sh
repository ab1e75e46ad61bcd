#!/bin/sh
# stages.sh: runs of several parts, the whole path: an embedding trained by the table alone first, killed in that stage and
# behind it and resumed to the same bytes; late fusion trained, evaluated, predicted with, as a study beside another;
# classes that are trained apart and reported as one.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --task ad --subjects 24 --shape 16,16,16 --seed 3
cat >stages.yaml <<TEXT
goal: {name: classes, classes: [CN, MCI, AD]}
model: {name: ad-hyperfusion, width: 4, blocks: 2, hyper_layers: block2.shortcut}
cohort:
  path: cohort
  target: diagnosis
  shape: [16, 16, 16]
  tabular: ["AGE:zscore", "PTGENDER:onehot(Female,Male)"]
  cache_dir: $work/cache
split: {method: random, valid: 0.25, test: 0.25, seed: 2}
train: {epochs: 2, batch_size: 4, learning_rate: 1.0e-3}
pretrain: {embedding: fine-tuned, epochs: 4, batch_size: 4, learning_rate: 1.0e-2, class_weights: [inverse]}
evaluate: {bootstrap: 200, groups: [PTGENDER]}
TEXT
run 0 train stages.yaml --out whole
says err "embedding: epoch 4/4"
check "the report says where the embedding comes from" python3 -c '
import json, re
rows = [json.loads(line) for line in open("whole/embedding/log.jsonl")]
best = max(rows, key=lambda r: r["valid"]["balanced_accuracy"])  # the first of equal ones
said = "fine-tuned: alone before, epoch %d of 4, BA %.3f" % (best["epoch"], best["valid"]["balanced_accuracy"])
assert len(rows) == 4 and said in open("whole/report.html").read(), said'
check "the table alone has results of its own" grep -q p_MCI whole/embedding/predictions-test.tsv
check "on the same subjects" cmp whole/split.tsv whole/embedding/split.tsv
run 0 evaluate whole/embedding --json
json '"balanced_accuracy" in j'

# ---- killed and resumed
for at in "embedding/log.jsonl 1" "embedding/log.jsonl 3" "log.jsonl 1"; do
    # shellcheck disable=SC2086 # a file and its lines
    check "killed at $at" killed_at broken/$at train stages.yaml --out broken --resume
done
run 0 train stages.yaml --out broken --resume
for file in last.safetensors best.safetensors predictions-test.tsv embedding/last.safetensors \
    embedding/best.safetensors; do
    check "$file: the same bytes" cmp "whole/$file" "broken/$file"
done
run 1 train stages.yaml --out broken --resume --set pretrain.embedding=frozen
says err "pretrain.embedding"

# ---- late fusion
fusion() {
    command=$1
    shift
    run 0 "$command" stages.yaml "$@" --set model.name=ad-late-fusion --set model.hyper_layers= \
        --set pretrain.embedding=frozen --set train.epochs=1
}
fusion train --out fused
run 0 evaluate fused --json
json 'j["goal"] == "classes" and j["n"] > 3'
id=$(sed -n 2p fused/predictions-test.tsv | cut -f1)
column() {
    python3 -c 'import csv, sys
print(next(r[sys.argv[2]] for r in csv.DictReader(open("cohort/participants.tsv"), delimiter="\t")
           if r["participant_id"] == sys.argv[1]))' "$id" "$1"
}
run 0 predict fused "$(ls cohort/"$id"/anat/*.nii.gz)" --tabular "AGE=$(column AGE),PTGENDER=$(column PTGENDER)"
check "class and probabilities, as in the table" python3 -c '
row = dict(zip(*[line.rstrip("\n").split("\t") for line in open("fused/predictions-test.tsv")][:2]))
lines = open("out").read().splitlines()
for line in lines[1:]:
    name, p = line.split("\t")
    assert abs(float(row[name]) - float(p)) < 1e-3, (line, row)'
fusion crossval --out study-fused --set split.folds=4 --set split.strata=[] --set crossval.folds=2
run 0 crossval stages.yaml --out study-row --set model.name=ad-tabular --set model.hyper_layers= \
    --set pretrain.embedding=fresh --set train.epochs=1 --set split.folds=4 --set split.strata=[] \
    --set crossval.folds=2
run 0 compare study-fused study-row
says out "minus study-fused"

# ---- classes trained apart and reported as one, beside the same classes merged before training
check "a table with early MCI" python3 -c '
lines = open("cohort/participants.tsv").read().splitlines()
seen = 0
for i, line in enumerate(lines):
    if "\tMCI\t" in line:
        seen += 1
        lines[i] = line.replace("\tMCI\t", "\tEMCI\t") if seen % 2 else line
assert seen > 5
open("cohort/fine.tsv", "w").write("\n".join(lines) + "\n")'
apart() {
    folder=$1
    shift
    run 0 crossval stages.yaml --out "$folder" --set model.name=ad-tabular --set model.hyper_layers= \
        --set pretrain.embedding=fresh --set train.epochs=1 --set cohort.table=cohort/fine.tsv "$@"
}
apart study-apart --set "goal.classes=[CN, EMCI, MCI, AD]" --set goal.collapse=EMCI=MCI
apart study-merged --set goal.merge=EMCI=MCI
run 0 evaluate study-apart/seed-2/version-1/fold-0 --json
json '"recall_MCI" in j and "recall_EMCI" not in j'
check "three probabilities" python3 -c '
rows = [l.split("\t") for l in open("study-apart/seed-2/version-1/predictions-test.tsv").read().splitlines()]
assert rows[0][-3:] == ["p_CN", "p_MCI", "p_AD"] and len(rows) > 4, rows[0]
assert all(abs(sum(map(float, r[-3:])) - 1) < 1e-12 and "EMCI" not in r for r in rows[1:])'
check "an output for each that is trained" python3 -c '
import json, struct
f = open("study-apart/seed-2/version-1/fold-0/best.safetensors", "rb")
head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
assert head["fc.weight"]["shape"] == [4, 8], head["fc.weight"]'
run 0 compare study-apart study-merged
says out "minus study-apart"

# ---- what is refused
run 2 train stages.yaml --out none --set pretrain.embedding=frosted
says err "expected one of: fresh, fine-tuned, frozen"
run 1 train stages.yaml --out none --set model.name=ad-film --set model.hyper_layers=
says err "the network 'ad-film' has no embedding that the table row alone makes"
run 2 train stages.yaml --out none --set model.fusion=median
says err "expected one of: mean, entropy, vote, confident"
check "nothing is left of them" test ! -e none
finish "cli stages"
