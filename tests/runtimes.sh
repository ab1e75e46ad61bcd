#!/usr/bin/env bash
# runtimes.sh: the operator tests on every OpenCL implementation that can be had, each alone, and more on Intel's.
#
#     tests/runtimes.sh BUILD [PART...]
#
#   pocl      every operator on PoCL as it is installed
#   oclgrind  tiny shapes on Oclgrind's device, under its checks (see oclgrind.sh; `./dev oclgrind` does more of them)
#   rusticl   tiny shapes on Mesa's rusticl with llvmpipe
#   intel     every operator on Intel's CPU runtime
#   training  a whole brain-age run on a tiny cohort, on Intel's CPU runtime and on PoCL
#   speed     a training step on both, in turn
#
# Without PART all of them. rusticl and Intel's runtime are fetched into a folder of the user's cache, from Debian and from
# PyPI, and used from there through an ICD folder of their own (OCL_ICD_VENDORS), so that nothing changes for other
# programs. What cannot be had is said to be absent. Ends with `runtimes: N passed, N failed, N absent`.
set -uo pipefail
build=$(realpath "${1:?usage: tests/runtimes.sh BUILD [PART...]}")
shift
cd "$(dirname "$0")/.." || exit 2
here=${XDG_CACHE_HOME:-$HOME/.cache}/hyperfusion/runtimes
program=$build/hyperfusion test_ops=$build/tests/test_ops
intel_wheels=(intel-opencl-rt intel-cmplr-lib-rt intel-cmplr-lib-ur tbb tcmlib umf)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 absent=0
mkdir -p "$here"

# pass, fail, lack TEXT: count and say so
pass() { passed=$((passed + 1)); echo "$1"; }
fail() { failed=$((failed + 1)); echo "failed: $1"; }
lack() { absent=$((absent + 1)); echo "absent: $1"; }

# register NAME LIBRARY: an ICD folder with this implementation alone; fails unless it shows a device
register() {
    mkdir -p "$here/icd/$1"
    echo "$2" >"$here/icd/$1/$1.icd"
    on "$1" "$program" devices >"$work/devices" 2>&1
}

# on NAME COMMAND...: a command that sees this implementation alone
on() {
    OCL_ICD_VENDORS=$here/icd/$1 RUSTICL_ENABLE=llvmpipe "${@:2}"
}

# ---- where each is found: fails, having said so, where it cannot be had ------------------------------------------------

have_pocl() {
    local icd=/etc/OpenCL/vendors/pocl.icd
    [ -s "$icd" ] && register pocl "$(cat "$icd")" && return
    lack "PoCL (Debian: pocl-opencl-icd)"
    return 1
}

# Installed, or unpacked beside: its libraries are packages that change nothing by being there.
have_rusticl() {
    local library
    library=$(find /usr/lib "$here/mesa" -name libRusticlOpenCL.so.1 2>/dev/null | head -n 1)
    if [ -z "$library" ]; then
        (cd "$work" && apt-get download mesa-opencl-icd && dpkg -x mesa-opencl-icd*.deb "$here/mesa") >"$work/log" 2>&1
        library=$(find "$here/mesa" -name libRusticlOpenCL.so.1 2>/dev/null)
    fi
    export GALLIUM_PIPE_SEARCH_DIR=${library%/*}/gallium-pipe
    [ -n "$library" ] && register rusticl "$library" && return
    lack "rusticl (Debian: mesa-opencl-icd, and the libraries that it depends on)"
    return 1
}

# The libraries of all wheels in one folder, without the loader among them, which is not ours.
unpack_intel() {
    python3 -m pip --disable-pip-version-check download --quiet --no-deps -d "$work/wheels" "${intel_wheels[@]}" \
        >"$work/log" 2>&1 || return 1
    mkdir -p "$here/intel"
    python3 - "$here/intel" "$work/wheels" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
for wheel in sorted(pathlib.Path(sys.argv[2]).glob("*.whl")):
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        parts = pathlib.PurePosixPath(name).parts
        if parts[1:3] == ("data", "lib") and len(parts) == 4 and not parts[3].startswith("libOpenCL"):
            (folder / parts[3]).write_bytes(archive.read(name))
PYTHON
}

have_intel() {
    [ -e "$here/intel/libintelocl.so" ] || unpack_intel
    [ -e "$here/intel/libintelocl.so" ] && register intel "$here/intel/libintelocl.so" && return
    lack "Intel's CPU runtime (PyPI: ${intel_wheels[*]}): $(tail -n 1 "$work/log" 2>/dev/null)"
    return 1
}

# ---- parts -----------------------------------------------------------------------------------------------------------

# Every operator on one implementation: device, counts, time.
operators() { # NAME
    local start=$SECONDS line code
    on "$1" "$test_ops" >"$work/out" 2>&1
    code=$?
    grep -A 1 '^failed' "$work/out" | head -n 20
    line="$1: $(sed -n 's/^device [^ ]* //p' "$work/out"): $(sed -n 's/^test_ops: //p' "$work/out"), $((SECONDS - start)) s"
    if [ $code -eq 0 ]; then pass "$line"; else fail "$line"; fi
}

part_pocl() {
    have_pocl && operators pocl
}

part_intel() {
    have_intel && operators intel
}

part_oclgrind() {
    command -v oclgrind >/dev/null || { lack "Oclgrind (Debian: oclgrind)"; return; }
    local start=$SECONDS code
    bash tests/oclgrind.sh --quick "$test_ops" >"$work/out" 2>&1
    code=$?
    [ $code -eq 0 ] || cat "$work/out"
    local line
    line="oclgrind: $(oclgrind --version 2>&1 | grep -m 1 -o 'Oclgrind.*'): $(add_up "$work/out") on tiny shapes, \
$(grep -c 'no findings' "$work/out") stems without findings, $((SECONDS - start)) s"
    if [ $code -eq 0 ]; then pass "$line"; else fail "$line"; fi
}

part_rusticl() {
    have_rusticl || return
    local start=$SECONDS code stems
    stems=$("$test_ops" list=1 | awk '/^[a-z]/ { print $1 }' | sort -u)
    # shellcheck disable=SC2086 # a list
    on rusticl bash tests/rusticl.sh "$program" "$test_ops" $stems >"$work/out" 2>&1
    code=$?
    [ $code -eq 0 ] || grep -A 1 '^failed' "$work/out" | head -n 20
    local line
    line="rusticl: $(sed -n 's/^[^ ]* *//p' "$work/devices" | head -n 2 | paste -sd, | sed 's/ *, */, /g'): \
$(add_up "$work/out") on tiny shapes, $((SECONDS - start)) s"
    if [ $code -eq 0 ]; then pass "$line"; else fail "$line"; fi
}

# The sum of all "N passed, N failed" in a file.
add_up() {
    grep -v '^oclgrind:' "$1" | sed -nE 's/.*[ :]([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' |
        awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed", p, f }'
}

# A run on one implementation; $work/NAME then holds its folder. No cache: kernels compiled here and now.
train_on() { # NAME
    local start=$SECONDS
    on "$1" "$program" train recipes/demo.yaml --out "$work/$1" --set "cohort.path=$work/cohort" \
        --set cohort.shape=36,36,36 --set train.epochs=3 --set train.batch_size=4 >"$work/$1.log" 2>&1 || {
        fail "training on $1: $(tail -n 1 "$work/$1.log")"
        return 1
    }
    echo "training on $1: test MAE $(awk '$1 == "all" { print $3; exit }' "$work/$1.log") years, $((SECONDS - start)) s"
}

# The same recipe and seed on both: the losses of each epoch must agree as far as rounding lets them.
part_training() {
    have_pocl && have_intel || return
    "$program" cohort make "$work/cohort" --subjects 24 --shape 36,36,36 --seed 1 >"$work/log" 2>&1 || {
        fail "training: no cohort: $(tail -n 1 "$work/log")"
        return
    }
    train_on intel && train_on pocl || return
    local line
    line=$(python3 - "$work/intel/log.jsonl" "$work/pocl/log.jsonl" <<'PYTHON'
import json, sys
logs = [[json.loads(line) for line in open(path)] for path in sys.argv[1:]]
apart = max(abs(a[k] / b[k] - 1) for a, b in zip(*logs) for k in ("train_loss", "valid_loss"))
print(f"training: the losses of {len(logs[0])} epochs on both are {apart:.1e} apart at most")
sys.exit(len(logs[0]) != len(logs[1]) or apart > 1e-3)
PYTHON
    )
    if [ $? -eq 0 ]; then pass "$line"; else fail "$line"; fi
}

# Wall and processor time; the latter, of the whole program, says more on a busy machine.
part_speed() {
    have_pocl && have_intel || return
    local round name TIMEFORMAT=%U
    for round in 1 2 3; do
        for name in intel pocl; do
            { time on $name "$build/bench/bench_step" 4 90 120 99 >"$work/step"; } 2>"$work/time" || {
                fail "speed on $name: $(cat "$work/time")"
                return
            }
            echo "$name $(tail -n 1 "$work/time") $(cat "$work/step")" >>"$work/steps"
        done
    done
    pass "speed, a training step of 4 at 90 x 120 x 99, medians of 3 in turn: $(python3 - "$work/steps" <<'PYTHON'
import json, statistics, sys
rows = [line.split(" ", 2) for line in open(sys.argv[1])]
wall, work = ({name: statistics.median(value(row) for row in rows if row[0] == name) for name in ("intel", "pocl")}
              for value in (lambda row: json.loads(row[2])["seconds_per_sample"], lambda row: float(row[1])))
print(f"{wall['intel']:.3f} s a sample on intel, {wall['pocl']:.3f} on pocl, ratio {wall['intel'] / wall['pocl']:.2f}; "
      f"processor time of the program {work['intel']:.1f} and {work['pocl']:.1f} s, ratio {work['intel'] / work['pocl']:.2f}")
PYTHON
    )"
}

[ $# -gt 0 ] || set -- pocl oclgrind rusticl intel training speed
for part; do
    if declare -f "part_$part" >/dev/null; then "part_$part"; else fail "there is no part '$part'"; fi
done
echo "runtimes: $passed passed, $failed failed, $absent absent"
[ "$failed" -eq 0 ]
