#!/usr/bin/env bash
# lint.sh: layout, static analysis, kernel syntax, kernels compiled for one GPU, house rules, over everything committed.
#
#     tests/lint.sh BUILD
#
# BUILD is a configured build folder; its compile_commands.json tells clang-tidy how each file is compiled. What
# clang-tidy looks for is in .clang-tidy. A tool that is not installed is skipped and said so. Prints what was found and
# the line `lint: N passed, N failed`.
set -uo pipefail
build=$(realpath "${1:?usage: tests/lint.sh BUILD}")
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jobs=$(nproc)

# sources PATTERN...: committed files, or all where there is no repository
sources() {
    git ls-files -- "$@" 2>/dev/null | grep . || find lib cl_kernels datasets host tests bench doc -type f \
        \( -false $(printf -- '-o -name %s ' "$@") \) | sort
}

# check NAME TOOL COMMAND...: counts; shows the output when it fails
check() {
    local name=$1 tool=$2
    shift 2
    if ! command -v "$tool" >/dev/null; then
        skipped=$((skipped + 1))
        echo "skipped: $name: $tool is not installed"
    elif "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        head -n 60 "$work/out" | sed 's/^/    /'
    fi
}

layout() {
    sources '*.c' '*.h' | grep -v '^cl_kernels/' | xargs clang-format --dry-run -Werror
}

# Files that are both committed and compiled. Warnings are shown once, without the analyser's long explanations.
analysis() {
    python3 - "$build" >"$work/compiled" <<'PYTHON'
import json, os, sys
build = sys.argv[1]
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    print(os.path.relpath(os.path.join(build, entry["file"]), os.getcwd()))
PYTHON
    [ -s "$work/compiled" ] || return 1
    sources '*.c' | grep -xFf "$work/compiled" | sort -u >"$work/files"
    xargs -n 4 -P "$jobs" clang-tidy --quiet -p "$build" <"$work/files" >"$work/tidy" 2>"$work/tidy-errors" && return 0
    grep -hE ' (warning|error): ' "$work/tidy" | sed -E "s,^([^ :]*/)?\.\./,," | sort -u | grep . || cat "$work/tidy-errors"
    return 1
}

# Each kernel file alone, with the macro defaults it states itself.
kernel() {
    clang -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -target spir64-unknown-unknown -fsyntax-only \
        -Wall -Wextra -Werror -Icl_kernels "$1"
}

scripts() {
    local script
    for script in $(sources '*.sh' dev .ci/run); do bash -n "$script" || return 1; done
    sources '*.py' | xargs python3 -c 'import ast, sys; [ast.parse(open(p).read(), p) for p in sys.argv[1:]]'
}

check 'layout (clang-format)' clang-format layout
check 'analysis (clang-tidy)' clang-tidy analysis
for file in $(sources '*.cl'); do check "$file alone" clang kernel "$file"; done
# Registers, spills and stack frames of what would run on one GPU; `./dev gpu-check` fetches the compiler, and does more.
ptxas=${XDG_CACHE_HOME:-$HOME/.cache}/hyperfusion/compilers/nvidia/ptxas
command -v clang-16 >/dev/null && gpu_tool=$ptxas || gpu_tool=clang-16
check 'kernels compiled for a GPU' "$gpu_tool" python3 tests/gpu/check.py "$build" --quick
check 'scripts are well-formed' bash scripts
check 'house rules' sh sh tests/layering.sh .
echo "lint: $passed passed, $failed failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
[ "$failed" -eq 0 ]
