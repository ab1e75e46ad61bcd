# common.sh: what the command-line sessions share. Sourced with the program and the source folder as arguments; each
# session ends with `finish NAME`, which prints the line the test runner reads.
set -u
program=$(realpath "$1") # the sessions work in a folder of their own
source_root=$2
LC_ALL=C
export LC_ALL
passed=0
failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset HF_DEVICE HF_IMPL

# run CODE ARGUMENT...: runs the program; its output is in out and err. The exit status must be CODE.
run() {
    expected=$1
    shift
    "$program" "$@" >out 2>err
    code=$?
    if [ "$code" -eq "$expected" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: hyperfusion $*: status $code, expected $expected"
        sed 's/^/    /' out err
    fi
}

# check WHAT COMMAND...: the command must succeed.
check() {
    what=$1
    shift
    if "$@" >check.out 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $what"
        sed 's/^/    /' check.out
    fi
}

# says FILE TEXT: a line of the file holds this text, literally.
says() {
    check "'$2' in $1 of the last command: $(head -c 300 "$1")" grep -qF -- "$2" "$1"
}

# is FILE <<TEXT: the file is exactly this text.
is() {
    cat >expected
    check "$1 is as expected" diff expected "$1"
}

# json EXPRESSION: a Python expression about `j`, the JSON object that was printed, holds.
json() {
    check "JSON: $1" python3 -c 'import json, sys
j = json.load(open("out"))
assert isinstance(j, dict) and eval(sys.argv[1]), j' "$1"
}

# killed_at FILE LINES ARGUMENT...: runs the program and kills it (SIGKILL) as soon as the file has so many lines. Fails
# when the program had ended by itself before.
killed_at() {
    python3 -c '
import subprocess, sys, time
program, file, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
def lines():
    try:
        return sum(1 for _ in open(file))
    except OSError:
        return 0
process = subprocess.Popen([program] + sys.argv[4:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while process.poll() is None and lines() < wanted:
    time.sleep(0.001)
process.kill()
sys.exit(process.wait() >= 0)' "$program" "$@"
}

finish() {
    echo "$1: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# tiny: a recipe that trains in seconds on the cohort in ./cohort.
tiny() {
    cat >tiny.yaml <<TEXT
goal: regression
cohort:
  path: cohort
  shape: [36, 36, 36]
  cache_dir: $work/cache
split:
  valid: 0.2
  test: 0.25
train:
  epochs: 1
  batch_size: 4
  learning_rate: 1.0e-3
  start_at_mean: true
evaluate:
  bootstrap: 200
TEXT
}
