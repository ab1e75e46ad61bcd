#!/bin/sh
# crossval.sh: a study over seeds and folds, stopped and continued, has the same tables as one that was left alone; two
# methods side by side; layers ranked.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --subjects 16 --shape 36,36,36 --seed 4
tiny
study() {
    "$program" crossval tiny.yaml --out "$1" --set split.method=random --set split.folds=4 --set split.strata=[] \
        --set crossval.seeds=2 --set crossval.folds=2 ${2:+--set "$2"} >out 2>err
}
check "a study" study whole
says out "ensembles"
check "a row for every run" python3 -c '
rows = [line.split("\t") for line in open("whole/models.tsv").read().splitlines()]
assert [r[1] + r[3] for r in rows[1:]] == ["10", "11", "20", "21"], rows
assert "mae" in rows[0] and "valid_mae" in rows[0], rows[0]'
check "folds that test on different subjects are put together" python3 -c '
ids = [line.split("\t")[0] for line in open("whole/seed-1/version-1/predictions-test.tsv").read().splitlines()[1:]]
each = [open(f"whole/seed-1/version-1/fold-{f}/predictions-test.tsv").read().count("\n") - 1 for f in (0, 1)]
assert len(ids) == len(set(ids)) == sum(each), (ids, each)'

cat >kill.py <<'END'
import os, signal, subprocess, sys, time
command = ["sh", "-c", 'exec "$0" crossval tiny.yaml --out broken --set split.method=random --set split.folds=4 '
           '--set split.strata=[] --set crossval.seeds=2 --set crossval.folds=2', sys.argv[1]]
for run in ("seed-1/version-1/fold-1", "seed-2/version-1/fold-1"):  # killed as soon as this run has been begun
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not os.path.exists(os.path.join("broken", run, "recipe.yaml")):
        time.sleep(0.001)
    assert process.poll() is None, run
    process.send_signal(signal.SIGKILL)
    process.wait()
END
check "two kills" python3 kill.py "$program"
check "a study that was killed goes on" study broken
for file in models.tsv ensembles.tsv recipe.yaml seed-2/version-1/predictions-test.tsv; do
    check "$file: the same bytes" cmp "whole/$file" "broken/$file"
done

# Folds that test on the same subjects are one ensemble; the best of them by validation is an ensemble of one.
run 0 crossval tiny.yaml --out same --set split.method=random --set train.batch_size=3 --set crossval.folds=2
says out "ensembles      1"
sed -i 's/^  best: 0/  best: 1/' same/recipe.yaml
run 0 crossval tiny.yaml --out same --set split.method=random --set train.batch_size=3 --set crossval.folds=2 \
    --set crossval.best=1
check "the best by validation alone" python3 -c '
models = [line.split("\t") for line in open("same/models.tsv").read().splitlines()]
ensemble = [line.split("\t") for line in open("same/ensembles.tsv").read().splitlines()]
valid, mae = models[0].index("valid_mae"), models[0].index("mae")
best, other = sorted(models[1:], key=lambda row: float(row[valid]))
assert ensemble[1][ensemble[0].index("mae")] == best[mae] != other[mae], (models, ensemble)'

check "another method" study other model.name=brain-age-image-only
run 0 compare whole other
says out "minus whole"
run 0 compare whole other --format latex
says out "tabular"
run 1 compare whole other --format word
says err "text, tsv, latex or html are expected"
run 1 compare whole nowhere
says err "nowhere"
run 1 crossval tiny.yaml --out whole --set train.batch_size=2
says err "is of another study"
# A study does not grow: its runs would begin with other seeds.
if study whole crossval.versions=2; then
    check "another number of versions is refused" false
else
    says err "crossval.versions"
fi
run 0 select-layers tiny.yaml --draws 3 --layers final_layer,linear2
says out "entropy, bits"
run 1 select-layers tiny.yaml --draws 3 --layers last
says err "no layer 'last'"

finish "cli crossval"
