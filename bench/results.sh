#!/usr/bin/env bash
# The experiment of doc/results.md: brain age on OASIS-1 at 2 mm, HyperFusion beside the image-only network, on one fixed
# split. Trains what is not there yet, then prints the table.
#
#     bench/results.sh COHORT [RUNS [SEED]...]     default: runs/oasis1, seed 1
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 1 ] || { echo "usage: bench/results.sh COHORT [RUNS [SEED]...]" >&2; exit 2; }
cohort=$1
runs=${2:-runs/oasis1}
shift $(($# < 2 ? $# : 2))
seeds=("$@")
[ ${#seeds[@]} -gt 0 ] || seeds=(1)
mkdir -p "$runs"
for seed in "${seeds[@]}"; do
    for model in brain-age-hyperfusion brain-age-image-only; do
        run=$runs/$model-$seed
        [ -f "$run/predictions-test.tsv" ] || build/hyperfusion train recipes/oasis1.yaml --out "$run" --resume \
            --set "cohort.path=$cohort" --set "model=$model" --set "train.seed=$seed"
    done
done
python3 bench/results.py "$runs" "${seeds[@]}"
