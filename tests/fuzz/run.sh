#!/usr/bin/env bash
# run.sh: each fuzz target under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#     tests/fuzz/run.sh [SECONDS [TARGET...]]
#
# Builds build-fuzz with clang, lets every target of tests/fuzz (or those named) run for SECONDS, 60 unless told, from a
# copy of its committed corpus, within 2 GiB and 10 seconds an input. Prints executions and coverage of each; a finding
# is kept in build-fuzz/findings, and the line that repeats it is printed. HF_FUZZ_BUILD names another build folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: tests/fuzz/run.sh [SECONDS [TARGET...]]" >&2; exit 2; }
build=$(realpath -m "${HF_FUZZ_BUILD:-build-fuzz}")

if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(cd tests/fuzz && ls -- *.c | sed 's/\.c$//' | grep -vx replay)
fi
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Ddefault_library=static -Db_lundef=false -Doptimization=1 \
        -Dc_args="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined" \
        -Dc_link_args="-fsanitize=address,undefined" >&2
fi
ninja -C "$build" "${targets[@]/#/tests/fuzz_}" >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$build/findings"
passed=0 failed=0
for target in "${targets[@]}"; do
    cp -r "tests/fuzz/corpus/$target" "$work/$target"
    log=$work/$target.log
    if (cd "$work" && XDG_CACHE_HOME=$work/cache "$build/tests/fuzz_$target" -max_total_time="$seconds" \
        -rss_limit_mb=2048 -malloc_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$target-" "$target" >"$log" 2>&1); then
        passed=$((passed + 1))
        result=clean
    else
        failed=$((failed + 1))
        result=FINDING
        grep -E 'ERROR|runtime error|SUMMARY|^    #[0-9] ' "$log" | head -n 20 || tail -n 5 "$log"
        sed -n "s|^.*Test unit written to |repeat with: $build/tests/fuzz_$target |p" "$log"
    fi
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    edges=$(sed -n 's/^.*cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "fuzz $target: ${executions:-0} executions, ${edges:-0} edges, $result"
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
