#!/bin/sh
# predict.sh: a run asked about subjects it was not made for: numbers outside of the training range, volumes that lie
# otherwise or do not say how, answers that nobody can have. Each is said by name, refused where it must be or by
# --strict, and the others go on.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --task ad --subjects 26 --shape 36,36,36 --seed 3
python3 - <<'END'  # training rows with one range, whoever trains
rows = [line.rstrip("\n").split("\t") for line in open("cohort/participants.tsv")]
at = rows[0].index("PTEDUCAT")
for i, row in enumerate(rows[1:]):
    row[at] = str(12 + i % 2 * 6)
open("cohort/participants.tsv", "w").write("".join("\t".join(row) + "\n" for row in rows))
END
cat >recipe.yaml <<TEXT
goal: regression
cohort:
  path: cohort
  target: AGE
  shape: [36, 36, 36]
  tabular: ["PTGENDER:onehot(F,M)", "PTEDUCAT:zscore"]
  cache_dir: $work/cache
split: {method: random, valid: 0.4, test: 0.2, seed: 2}
train: {epochs: 1, batch_size: 4, learning_rate: 1.0e-3, start_at_mean: true}
evaluate: {bootstrap: 200, groups: [PTGENDER]}
TEXT
run 0 train recipe.yaml --out run
run 0 predict run --cohort cohort --out all.tsv --strict
check "everyone is predicted" sh -c 'test "$(wc -l <all.tsv)" -eq 27'

# ---- a cohort with five subjects that are not like the others
cat >spoil.py <<'END'
import glob, gzip, shutil, struct, sys
shutil.copytree("cohort", "new")
rows = [line.rstrip("\n").split("\t") for line in open("new/participants.tsv")]
education = rows[0].index("PTEDUCAT")
rows[1][education], rows[4][education] = "99", sys.argv[1]
rows[5][rows[0].index("PTGENDER")] = "X"
open("new/participants.tsv", "w").write("".join("\t".join(row) + "\n" for row in rows))
for row, kind in (rows[2], "unoriented"), (rows[3], "turned"):
    path, = glob.glob(f"new/{row[0]}/anat/*.nii.gz")
    data = bytearray(gzip.open(path).read())
    if kind == "unoriented":
        struct.pack_into("<hh", data, 252, 0, 0)
    else:  # the header says head is where the feet are
        struct.pack_into("<h", data, 252, 0)
        for at in range(312, 328, 4):
            struct.pack_into("<f", data, at, -struct.unpack_from("<f", data, at)[0])
    gzip.open(path, "wb").write(bytes(data))
END
python3 spoil.py 1e9
cat >ids.py <<'END'
import sys
rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[1])]
missing = {f"sub-{int(i):04d}" for i in sys.argv[2:]}
found, wanted = {r[0] for r in rows[1:]}, {f"sub-{i:04d}" for i in range(1, 27)} - missing
assert found == wanted, (found ^ wanted)
at = rows[0].index("predicted")
low, high = rows[0].index("low_90"), rows[0].index("high_90")
for r in rows[1:]:
    assert 0 < float(r[low]) < float(r[at]) < float(r[high]) < 150, r
END
run 3 predict run --cohort new --out new.tsv
says err "warning: 'sub-0001': 'PTEDUCAT' is 99, outside of"
says err "left out: 'sub-0002'"
says err "does not say how the volume lies"
says err "warning: 'sub-0003': looks unlike the training volumes"
says err "left out: the prediction for 'sub-0004' is"
says err "absurd beside"
says err "category 'X' is not known"
says err "3 left out, 23 predicted (status 3)"
check "three are left out" python3 ids.py new.tsv 2 4 5
run 3 predict run --cohort new --json
json '[l["id"] for l in j["left_out"]] == ["sub-0002", "sub-0005", "sub-0004"] and len(j["subjects"]) == 23'
run 3 predict run --cohort new --strict --out strict.tsv
for id in 1 2 3 4 5; do says err "left out: 'sub-000$id'"; done
check "five are left out" python3 ids.py strict.tsv 1 2 3 4 5
check "the others are predicted as before" python3 -c '
rows = {name: {line.split("\t")[0]: line for line in open(name)} for name in ("all.tsv", "new.tsv", "strict.tsv")}
assert all(rows["all.tsv"][i] == line == rows["new.tsv"][i] for i, line in rows["strict.tsv"].items())'
run 3 evaluate run --cohort new --json # what is judged loses no bad answer
json 'j["n"] == 24 and j["part"] == "cohort" and j["mae"] > 1000'
json '[l["id"] for l in j["left_out"]] == ["sub-0002", "sub-0005"] and "how the volume lies" in j["left_out"][0]["why"]'
says err "does not say how the volume lies"

# ---- one image, with its interval: the validation subjects' residuals, by the definition
image=$(ls cohort/sub-0006/anat/*.nii.gz)
run 0 predict run "$image" --strict --tabular PTGENDER=F,PTEDUCAT=14
cp out text
run 0 predict run "$image" --strict --tabular PTGENDER=F,PTEDUCAT=14 --json
cp out one.json
run 0 evaluate run --split valid --json
cp out valid.json
run 0 predict run --cohort cohort --json
check "the interval is that of the validation subjects" python3 -c '
import json, math
all = {r["participant_id"]: r for r in json.load(open("out"))["subjects"]}
split = [line.split() for line in open("run/split.tsv")]
error = sorted(abs(all[r[0]]["error"]) for r in split if r[1] == "valid")
assert len(error) == json.load(open("valid.json"))["n"] >= 9, len(error)
margin = error[math.ceil(0.9 * (len(error) + 1) - 1e-9) - 1]
lines = [line.split("\t") for line in open("text").read().splitlines()]
one, = json.load(open("one.json"))["subjects"]
assert lines[1][0] == "90 % interval" and one["AGE"] is None
for p, low, high in ((float(lines[0][0]), float(lines[1][1]), float(lines[1][2])),
                     (one["predicted"], one["low_90"], one["high_90"])):
    assert abs(high - p - margin) < 1e-4 * margin and abs(p - low - margin) < 1e-4 * margin, (p, low, high, margin)'
check "the report says how many test subjects it holds" grep -q "prediction interval" run/report.html
run 0 train recipe.yaml --out few --set split.valid=0.2
run 0 predict few "$image" --tabular PTGENDER=F,PTEDUCAT=14 --json
says err "no 90 % prediction interval: the checkpoint keeps the errors of 5 validation subjects, 9 are needed"
json '"low_90" not in j["subjects"][0]'
run 1 predict run "$image" --strict --tabular PTGENDER=F,PTEDUCAT=99 --out refused.tsv
says err "'PTEDUCAT' is 99, outside of"
run 1 predict run "$(ls new/sub-0003/anat/*.nii.gz)" --strict --tabular PTGENDER=F,PTEDUCAT=14 --out refused.tsv
says err "looks unlike the training volumes"
run 1 predict run "$image" --tabular PTGENDER=F,PTEDUCAT=1e9 --out refused.tsv
says err "absurd beside"
is out </dev/null
check "nothing is written of what is refused" test ! -e refused.tsv

# ---- who trained or validated is judged apart: by id, and under another name by the image
run 0 evaluate run --cohort cohort --json
cp out known.json
says err "warning: 21 of 26 subjects trained or validated in this run"
run 0 evaluate run --json
cp out test.json
cat >rename.py <<'END'
import os, shutil
shutil.copytree("cohort", "renamed")
text = open("renamed/participants.tsv").read().replace("sub-00", "sub-x")
open("renamed/participants.tsv", "w").write(text)
for name in sorted(os.listdir("renamed")):
    if name.startswith("sub-00"):
        new = name.replace("sub-00", "sub-x")
        for image in os.listdir(f"renamed/{name}/anat"):
            os.rename(f"renamed/{name}/anat/{image}", f"renamed/{name}/anat/{image.replace(name, new)}")
        os.rename(f"renamed/{name}", f"renamed/{new}")
seen = next(line.split()[0] for line in open("run/split.tsv") if line.split()[1] == "train").replace("sub-00", "sub-x")
folder = f"renamed/{seen}/anat"
path = f"{folder}/{os.listdir(folder)[0]}"
data = bytearray(open(path, "rb").read())
data[4] ^= 1  # the time of compression: other bytes, the same volume
open(path, "wb").write(bytes(data))
END
python3 rename.py
run 0 evaluate run --cohort renamed --json
check "the rows of seen and new subjects" python3 -c '
import json
known, renamed, test = (json.load(open(name)) for name in ("known.json", "out", "test.json"))
assert known["seen_in_training"]["n"] == 21 and known["new"]["n"] == 5 and known["n"] == 26, known
assert abs(known["new"]["mae"] - test["mae"]) < 1e-6 * test["mae"] and set(known["groups"]) == {"PTGENDER"}
assert renamed["seen_in_training"]["n"] == 20 and renamed["new"]["n"] == 6, renamed'
run 0 evaluate run --cohort renamed
check "and in print" sh -c 'grep -Eq "^  seen in training +20 " out && grep -Eq "^  new +6 " out'
finish "cli predict"
