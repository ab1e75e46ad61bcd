#!/bin/sh
# protocol.sh: the published protocol in small: 3 split seeds x 3 versions x 4 folds of two networks for diagnosis on a
# synthetic clinical cohort. Each study is trained undisturbed, and once more killed twice on the way; tables must be the
# same bytes. ./dev protocol runs it; tests/cli/crossval.sh has the same with a few runs.
#
#     tests/protocol.sh PROGRAM ROOT
. "$(dirname "$0")/cli/common.sh"

run 0 cohort make cohort --task ad --subjects 40 --shape 24,28,24 --seed 3

cat >study.py <<'END'
"""study.py PROGRAM RECIPE FOLDER NETWORK [RUN...]: crossval into FOLDER, killed when each RUN has been begun or has an epoch."""
import os, signal, subprocess, sys, time

program, recipe, folder, network, *kills = sys.argv[1:]
settings = ["cohort.path=cohort", "cohort.shape=24,28,24", "cohort.cache_dir=cache", "split.method=published",
            "model.width=4", "model.blocks=2", "train.epochs=2", "train.batch_size=8", "evaluate.bootstrap=200",
            "evaluate.groups=[]", "crossval.seeds=3", "crossval.versions=3", "crossval.folds=4"]
if network == "ad-hyperfusion":
    settings.append("model.hyper_layers=block2.shortcut")
command = [program, "crossval", recipe, "--out", folder] + [part for s in settings for part in ("--set", s)]


def reached(run, what):
    path = os.path.join(folder, run, what)
    return os.path.exists(path) and os.path.getsize(path) > 0


for number, run in enumerate(kills):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not reached(run, ("log.jsonl", "recipe.yaml")[number % 2]):
        time.sleep(0.001)
    assert process.poll() is None, f"{folder} ended before {run}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not os.path.exists(os.path.join(folder, run, "report.html")), f"{run} was through already"
subprocess.run(command, check=True)
END

# All four at once: each leaves its exit status.
for network in ad-hyperfusion ad-image-only; do
    recipe=$source_root/recipes/$network.yaml
    (python3 study.py "$program" "$recipe" "whole/$network" "$network" >"whole-$network.out" 2>&1
        echo $? >"whole-$network.code") &
    (python3 study.py "$program" "$recipe" "broken/$network" "$network" seed-0/version-2/fold-1 seed-2/version-1/fold-3 \
        >"broken-$network.out" 2>&1
        echo $? >"broken-$network.code") &
done
wait
for network in ad-hyperfusion ad-image-only; do
    check "$network undisturbed: $(tail -n 3 "whole-$network.out")" grep -qx 0 "whole-$network.code"
    check "$network killed twice: $(tail -n 3 "broken-$network.out")" grep -qx 0 "broken-$network.code"
    for file in models.tsv ensembles.tsv recipe.yaml seed-1/version-3/predictions-test.tsv; do
        check "$network, $file: the same bytes" cmp "whole/$network/$file" "broken/$network/$file"
    done
    check "$network: 36 models" test "$(wc -l <"whole/$network/models.tsv")" -eq 37
    check "$network: 9 ensembles" test "$(wc -l <"whole/$network/ensembles.tsv")" -eq 10
done
for kind in whole broken; do
    run 0 compare "$kind/ad-hyperfusion" "$kind/ad-image-only" --name HyperFusion --name image --out "$kind/compare"
    cp out "$kind.txt"
done
says whole.txt "minus HyperFusion"
check "the same table" cmp whole.txt broken.txt
for file in metrics.tsv differences.tsv compare.tex compare.html bars-balanced_accuracy.svg confusion-1-HyperFusion.png; do
    check "compare, $file: the same bytes" cmp "whole/compare/$file" "broken/compare/$file"
done
sed -n 1,3p whole.txt
finish protocol
