#!/usr/bin/env bash
# mutants.sh: defects put into the sources one at a time, each of which the tests must notice.
#
#     tests/mutants.sh [PATTERN]
#     tests/mutants.sh --apply
#
# tests/mutants.tsv has a line a mutant: a file, a substitution for perl (the file is one string), and what must fail:
# `ops ARGUMENTS` is test_ops with these, `unit NAME` a unit test, `oclgrind ARGUMENTS` the quick form of oclgrind.sh with
# these. PATTERN picks lines. Works on a copy of all files that git does not ignore, under a temporary folder, with a cache
# of kernels of its own. What must fail is first run without a defect, where it must pass. Prints a line for each mutant;
# one that survives, or no longer applies, fails. Ends with `mutants: N killed, N survived`. --apply only asks, in a
# moment, whether each line still finds what it changes.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
pattern=${1-.}

# rows COMMAND: runs it with the columns of each line
rows() {
    local file change command
    while IFS=$'\t' read -r file change command <&3; do
        case "$file" in '' | '#'*) ;; *) "$1" "$file" "$change" "$command" ;; esac
    done 3<"$list"
}

list=$PWD/tests/mutants.tsv
if [ "$pattern" = --apply ]; then
    found=0 lost=0
    apply() {
        if [ -f "$1" ] && ! perl -0pe "$2" "$1" | cmp -s - "$1"; then
            found=$((found + 1))
        else
            lost=$((lost + 1))
            echo "failed: nothing to change: $1 $2"
        fi
    }
    rows apply
    echo "mutants: $found passed, $lost failed"
    exit $((lost > 0))
fi

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/tree" || exit 2
cd "$work/tree" || exit 2
export XDG_CACHE_HOME=$work/cache
killed=0 survived=0

build() {
    ninja -C build >"$work/log" 2>&1
}

# run KIND ARGUMENTS...
run() {
    local kind=$1
    shift
    case "$kind" in
    unit) timeout 300 "build/tests/test_$1" ;;
    ops) timeout 300 build/tests/test_ops "$@" ;;
    oclgrind) timeout 300 tests/oclgrind.sh --quick build/tests/test_ops "$*" ;;
    *) false ;;
    esac >"$work/log" 2>&1
}

survive() {
    survived=$((survived + 1))
    echo "survived: $1"
}

# Whether what must fail passes without a defect; asked once for each.
sound() {
    grep -qxF -- "$1" "$work/sound" 2>/dev/null && return
    # shellcheck disable=SC2086
    run $1 || { echo "$1 fails without a defect"; tail -n 5 "$work/log"; return 1; }
    printf '%s\n' "$1" >>"$work/sound"
}

# mutant FILE SUBSTITUTION COMMAND
mutant() {
    local name="$1 $2"
    sound "$3" || { survive "$name: '$3' fails without it"; return; }
    cp "$1" "$work/original"
    perl -0pi -e "$2" "$1"
    if cmp -s "$1" "$work/original"; then
        survive "$name: nothing to change"
    elif ! build; then
        survive "$name: does not compile"
    elif run $3; then
        survive "$name: '$3' passes"
    else
        killed=$((killed + 1))
        echo "killed: $name: $(grep -m 1 -A 9 '^failed' "$work/log" | sed -n 's/^  *//p' | grep -m 1 .)"
    fi
    cp "$work/original" "$1"
}

meson setup build >"$work/log" 2>&1 && build || { cat "$work/log"; exit 2; }
selected() {
    grep -q -- "$pattern" <<<"$1 $2 $3" || return
    mutant "$@"
    build
}
rows selected
echo "mutants: $killed killed, $survived survived"
[ "$survived" -eq 0 ] && [ "$killed" -gt 0 ]
