#!/usr/bin/env bash
# paper.sh: the experiments of recipes/paper, small: every recipe as it stands, but on synthetic cohorts (60 subjects of
# 44 x 56 x 44 voxels for diagnosis, of 40 x 44 x 40 for brain age), for one epoch, one split seed, one version and two
# folds. Shows that each command of doc/reproducing.md runs and what its tables look like; the numbers in them say
# nothing.
#
#     tests/paper.sh PROGRAM OUT [EXPERIMENT]...      table3, figure9a, ...; default: all. EPOCHS=5 trains longer.
#
# Studies that are in OUT already are not trained again. Ends with the line `paper: N passed, N failed`.
set -uo pipefail
program=$(realpath "${1:?usage: tests/paper.sh PROGRAM OUT [EXPERIMENT]...}")
out=$(realpath -m "${2:?usage: tests/paper.sh PROGRAM OUT [EXPERIMENT]...}")
shift 2
cd "$(dirname "$0")/../recipes/paper" || exit 2
passed=0 failed=0

made() { # NAME ARGUMENT...: a cohort
    [ -f "$out/$1/participants.tsv" ] ||
        "$program" cohort make "$out/$1" --subjects 60 --seed 1 "${@:2}" >/dev/null 2>&1
}

# settings RECIPE: what makes it small, for the cohort of its goal
settings() {
    local common=(train.epochs="${EPOCHS:-1}" train.batch_size=8 evaluate.bootstrap=200 crossval.seeds=1
        pretrain.epochs="${EPOCHS:-1}" pretrain.batch_size=8
        crossval.versions=1 crossval.folds=2)
    local diagnosis=(cohort.path="$out/ad" cohort.shape=44,56,44 cohort.crop=6:38,12:44,6:38 cohort.mask=)
    local age=(cohort.path="$out/age" cohort.shape=40,44,40 cohort.spacing=0,0,0)
    "$program" plan "$1" --set train.batch_size=2 --json >"$out/plan.json" || return
    if grep -q '"goal": "classes"' "$out/plan.json"; then
        printf -- '--set\n%s\n' "${common[@]}" "${diagnosis[@]}"
    else
        printf -- '--set\n%s\n' "${common[@]}" "${age[@]}"
    fi
}

# small RECIPE FOLDER: the command that the recipe's first lines name, on the layers named there, else a cross-validation
small() {
    local settings layers
    mapfile -t settings < <(settings "$1")
    [ ${#settings[@]} -gt 0 ] || return
    mapfile -t layers < <(grep -oE -- '--layers [a-z0-9_.,]+' "$1" | tr ' ' '\n')
    if grep -q 'hyperfusion select-layers' "$1"; then
        "$program" select-layers "$1" --draws 3 "${layers[@]}" "${settings[@]}"
    elif grep -q 'hyperfusion ablate' "$1"; then
        "$program" ablate "$1" --out "$2" "${layers[@]}" "${settings[@]}"
    else
        "$program" crossval "$1" --out "$2" "${settings[@]}"
    fi
}

check() { # WHAT COMMAND...: counts, and shows what was printed
    local what=$1
    shift
    if "$@" >"$out/printed" 2>"$out/said"; then
        passed=$((passed + 1))
        printf '== %s\n' "$what"
        cat "$out/printed"
    else
        failed=$((failed + 1))
        printf 'failed: %s\n' "$what"
        tail -n 5 "$out/said"
    fi
}

experiment() { # NAME: a recipe, or a folder of recipes whose studies are compared
    local recipe folders=()
    if [ -f "$1.yaml" ]; then
        check "$1" small "$1.yaml" "$out/$1"
        return
    fi
    # The reference first.
    for recipe in $(ls -U "$1"/{hyperfusion,weighted}.yaml "$1"/*.yaml 2>/dev/null | awk '!seen[$0]++'); do
        check "${recipe%.yaml}" small "$recipe" "$out/${recipe%.yaml}"
        folders+=("${recipe%.yaml}")
    done
    cd "$out" && check "$1, side by side" "$program" compare "${folders[@]}"
    cd - >/dev/null || exit 2
}

mkdir -p "$out"
made ad --task ad --shape 44,56,44 && made age --shape 40,44,40 || exit 2
if [ $# -eq 0 ]; then
    mapfile -t all < <(ls | sed 's/\.yaml$//')
    set -- "${all[@]}"
fi
for name; do experiment "$name"; done
echo "paper: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
