#!/bin/sh
# crossval.sh: a study over seeds and folds, stopped and continued, has the same tables as one that was left alone; its runs
# put together by every rule; two methods side by side; layers ranked; other layers tried.
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

for run in seed-1/version-1/fold-1 seed-2/version-1/fold-1; do
    check "killed as soon as $run was begun" killed_at broken/$run/recipe.yaml 1 crossval tiny.yaml --out broken \
        --set split.method=random --set split.folds=4 --set "split.strata=[]" --set crossval.seeds=2 --set crossval.folds=2
done
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
run 0 compare whole other --name HyperFusion --name "image <only>" --out compared --over versions
says out "minus HyperFusion"
for file in compare.txt compare.tsv compare.tex compare.html metrics.tsv differences.tsv bars-mae.svg bars-valid-mae.svg; do
    check "compare writes $file" test -s "compared/$file"
done
check "it writes what it prints" cmp out compared/compare.txt
check "the page is well-formed" python3 -c 'import xml.dom.minidom as x; x.parse("compared/compare.html")'
check "plots are well-formed" python3 -c 'import xml.dom.minidom as x; x.parse("compared/bars-mae.svg")'
check "names are escaped" grep -qF "image &lt;only&gt;" compared/compare.html
run 2 compare whole other --name one
says err "1 names for 2 folders"
run 2 compare whole other --best none
says err "--best: found 'none'"
run 1 compare whole other --ensemble median
says err "crossval.ensemble"
run 0 ensembles whole --best 1
says out "mean, best 1"
run 0 ensembles whole --over versions --format tsv
check "an ensemble for each seed" grep -qE "^mean[[:space:]]2[[:space:]]" out
run 1 ensembles whole --over folder
says err "crossval.over"
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
run 0 select-layers tiny.yaml --draws 3 --layers final_layer,linear2 --format html
says out "entropy, bits"
says out "<svg "
run 1 select-layers tiny.yaml --draws 3 --layers last
says err "no layer 'last'"


# ---- other hyper layers: planned before anything is trained, one bar for all, continued where it was
run 1 ablate tiny.yaml --layers linear2 --layers linear2,last --out ablation
says err "hyper layers 'linear2,last'"
run 1 ablate tiny.yaml --layers linear2 --layers linear2 --out ablation
says err "named twice"
check "nothing was begun" test ! -e ablation
run 2 ablate tiny.yaml --out ablation
says err "'--layers A,B,...' is missing"
cat >ablate.py <<'END'
import os, pty, re, signal, subprocess, sys
command = [sys.argv[1], "ablate", "tiny.yaml", "--layers", "linear2", "--layers", "linear2,final_layer", "--out", "ablation",
           "--set", "train.batch_size=3"]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while process.poll() is None and not os.path.exists("ablation/linear2+final_layer/seed-1/version-1/fold-0/recipe.yaml"):
    pass
process.send_signal(signal.SIGKILL)
process.wait()
first = os.stat("ablation/linear2/seed-1/version-1/fold-0/best.safetensors")
screen, terminal = pty.openpty()
process = subprocess.Popen(command, stdout=open("out", "w"), stderr=terminal)
os.close(terminal)
shown = b""
try:
    while part := os.read(screen, 65536):
        shown += part
except OSError:  # the other end was closed
    pass
assert process.wait() == 0, shown
bars = re.findall(rb"\x1b\[K(\w+) \[[#.]{24}\] (\d+)/(\d+)", shown)
counts = [int(done) for _, done, _ in bars]
assert bars and {(what, total) for what, _, total in bars} == {(b"study", b"2000")}, bars
assert counts == sorted(counts) and counts[0] >= 1000, counts  # the first candidate was through
again = os.stat("ablation/linear2/seed-1/version-1/fold-0/best.safetensors")
assert (first.st_ino, first.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
END
check "killed and continued" python3 ablate.py "$program"
says out "minus linear2"
says out "linear2,final_layer"
check "its table is kept" cmp out ablation/compare.txt
check "the validation bars are there" test -s ablation/bars-valid-mae.svg
finish "cli crossval"
