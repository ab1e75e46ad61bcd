#!/usr/bin/env bash
# rusticl.sh: every operator on Mesa's rusticl (llvmpipe), a second OpenCL implementation, over tiny shapes: what passes on
# one compiler and fails on the other is not portable. Skips, saying so, where rusticl is not installed.
#
#     tests/rusticl.sh PROGRAM TEST_OPS STEM...
set -u
program=$1
test_ops=$2
shift 2
export RUSTICL_ENABLE=llvmpipe
if ! "$program" devices 2>/dev/null | grep -q rusticl; then
    echo "rusticl: not installed here (Debian: mesa-opencl-icd), skipped"
    exit 77
fi
status=0
for stem in "$@"; do
    "$test_ops" "$stem" device=llvmpipe tiny=1 shapes=3 | grep -E '^(failed|test_ops:|    )' | sed "s/^test_ops:/$stem:/"
    [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
done
exit $status
