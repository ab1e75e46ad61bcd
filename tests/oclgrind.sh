#!/bin/sh
# oclgrind.sh: every operator under Oclgrind's race and bounds checks, on tiny shapes.
#
#     tests/oclgrind.sh [--quick] [--race RACE_PROGRAM] TEST_OPS [STEM...]
#
# A STEM may carry more arguments for test_ops: 'conv3d_dw impl=gpu'.
# Oclgrind's exit code says nothing about races, so its log is read: any line in it is a finding. Every tensor gets a
# buffer of its own, because accesses outside a view but inside its parent would not be noticed. With --race, defects
# put into a kernel on purpose must be reported, and the same kernel without them must not: a checker that sees
# nothing proves nothing. --quick draws few shapes; without it the run takes minutes.
set -u
shapes=30 # from here on test_ops demands that every implementation has run
race=
quick=
while :; do
    case ${1-} in
    --quick) shapes=4 quick=1 ;;
    --race)
        race=$2
        shift
        ;;
    *) break ;;
    esac
    shift
done
test_ops=${1:?"usage: oclgrind.sh [--quick] [--race RACE_PROGRAM] TEST_OPS [STEM...]"}
shift

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
export HF_NO_CACHE=1 # kernels compiled for another checker's options must not be reused

plain='-DHF_NO_PREFETCH -DHF_INLINE= -Drestrict='

# watch BUILD_OPTIONS COMMAND...: runs a command under Oclgrind; $work/log has the findings, $work/out the output.
# Oclgrind 21.10 stops at llvm.prefetch, and at the llvm.experimental.noalias.scope.decl that inlining makes of
# `restrict` and of structures returned.
watch() {
    rm -f "$work/log"
    build_options=$1
    shift
    # One thread: with more, Oclgrind waits on itself, and takes twenty times as long on a busy machine.
    oclgrind --num-threads 1 --data-races --uniform-writes --check-api --max-errors 1000 --log "$work/log" \
        --local-mem-size 65536 --build-options "$plain $build_options" "$@" >"$work/out" 2>&1
}

# fail TEXT: counts, and shows the first findings
fail() {
    failed=$((failed + 1))
    echo "failed: $1"
    head -n 24 "$work/log" 2>/dev/null | sed 's/^/    /'
    grep '^failed' -A 1 "$work/out" | head -n 10 | sed 's/^/    /'
}

# With the optimiser off: it removes loops that run past a private array before anything can be seen, and version 21.10
# computes wrong values from some of its vector code (a zero-extended comparison becomes -1). But convolutions take four
# times as long that way, too long for the quick form, and products by matrix units, emulated, minutes in any way.
check_stem() {
    start=$(date +%s)
    optimiser=-cl-opt-disable
    without=
    case $1 in conv3d*) [ -z "$quick" ] || { optimiser= && without=without=gpu_tensor; } ;; esac
    # shellcheck disable=SC2086 # a stem with arguments, and perhaps none
    watch "$optimiser" "$test_ops" $1 tiny=1 apart=1 "shapes=$shapes" $without
    code=$?
    if [ $code -ne 0 ]; then
        fail "$1: test_ops failed: $(tail -n 1 "$work/out")"
    elif ! grep -q '^device .*Oclgrind' "$work/out"; then
        fail "$1: did not run under Oclgrind"
    elif [ -s "$work/log" ]; then
        fail "$1: $(grep -c . "$work/log") lines of findings"
    else
        passed=$((passed + 1))
        echo "$1: $(tail -n 1 "$work/out" | sed 's/^test_ops: //'), no findings, $(($(date +%s) - start)) s"
    fi
}

# check_defect VARIANT REGEX: Oclgrind's log must match, or be empty when REGEX is
check_defect() {
    if ! watch '' "$race" "$1"; then
        fail "race $1: $(tail -n 1 "$work/out")"
    elif [ -z "$2" ] && [ -s "$work/log" ]; then
        fail "race $1: findings in a kernel without a defect"
    elif [ -n "$2" ] && ! grep -qiE "$2" "$work/log"; then
        fail "race $1: the defect was not reported"
    else
        passed=$((passed + 1))
    fi
}

if [ -n "$race" ]; then
    check_defect clean ''
    check_defect barrier 'data race'
    check_defect uniform 'data race'
    check_defect bounds 'invalid write'
fi
[ $# -gt 0 ] || set -- $("$test_ops" list=1 | awk '/^[a-z]/ { print $1 }' | sort -u)
for stem; do
    check_stem "$stem"
done
[ $((passed + failed)) -gt 0 ] || fail 'nothing was checked'
echo "oclgrind: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
