#!/bin/sh
# resume.sh: a run that is killed again and again, at any moment, and resumed, ends with the same bytes as one that was
# left alone. Augmentation, dropout and a schedule are on, so that everything random is at stake.
. "$(dirname "$0")/common.sh"

run 0 cohort make cohort --subjects 13 --shape 36,36,36 --seed 4
tiny
train() {
    "$program" train tiny.yaml --out "$1" --set split.seed=2 --set train.epochs=5 --set train.schedule=cosine \
        --set train.flip=true --set train.shift=2 --resume >out 2>err
}
train whole
check "the run that is left alone" test -s whole/report.html

# Kills after a random time as long as the last one takes; a kill that comes before an epoch is done costs nothing.
cat >kill.py <<'END'
import os, random, signal, subprocess, sys, time
program, seed = sys.argv[1], int(sys.argv[2])
random.seed(seed)
command = [program, "train", "tiny.yaml", "--out", "broken", "--set", "split.seed=2", "--set", "train.epochs=5",
           "--set", "train.schedule=cosine", "--set", "train.flip=true", "--set", "train.shift=2", "--resume"]
def lines():
    try:
        return sum(1 for _ in open("broken/log.jsonl"))
    except OSError:
        return 0
killed = 0
for attempt in range(12):
    before = lines()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Half of the kills fall into the start, half after an epoch has been logged: into checkpoint or later work.
    if attempt % 2:
        while lines() <= before and process.poll() is None:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.15))
    else:
        time.sleep(random.uniform(0, 0.3))
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        killed += 1
    if process.wait() == 0:
        break
print(killed)
assert killed >= 3, killed
END
check "kills" python3 kill.py "$program" 7
cat check.out
train broken
for file in last.safetensors best.safetensors predictions-test.tsv split.tsv recipe.yaml; do
    check "$file: the same bytes" cmp "whole/$file" "broken/$file"
done
check "the log has every epoch once" python3 -c '
import json
epochs = [json.loads(line) for line in open("broken/log.jsonl")]
assert [e["epoch"] for e in epochs] == [1, 2, 3, 4, 5]
whole = [json.loads(line) for line in open("whole/log.jsonl")]
for a, b in zip(whole, epochs):
    assert all(a[k] == b[k] for k in ("train_loss", "valid_loss", "valid")), (a, b)'
check "nothing is left of the killed" sh -c 'test -z "$(ls -A broken | grep tmp)"'

# A run that is asked to stop says by which command it goes on, and goes on by it to the same bytes.
cat >ask.py <<'END'
import os, signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
while not os.path.exists("asked/log.jsonl"):
    assert process.poll() is None
    time.sleep(0.001)
process.send_signal(signal.SIGINT)
err = process.communicate()[1].decode()
print(process.returncode, err)
assert process.returncode == 130 and "stopped in epoch" in err and "is kept" in err
command = err.rstrip("\n").split("\n")[-1]
assert command == "    hyperfusion train --resume asked", command
assert subprocess.run(command.replace("hyperfusion", sys.argv[1], 1), shell=True).returncode == 0
END
check "an interruption" python3 ask.py "$program" train tiny.yaml --out asked --set split.seed=2 --set train.epochs=5 \
    --set train.schedule=cosine --set train.flip=true --set train.shift=2
check "the same bytes after an interruption" cmp whole/last.safetensors asked/last.safetensors

# A run from nothing with the same seed is the same run; with another seed it is not.
"$program" train tiny.yaml --out other --set split.seed=2 --set train.epochs=5 --set train.schedule=cosine \
    --set train.flip=true --set train.shift=2 --set train.seed=2 >out 2>err
check "another seed, other bytes" sh -c '! cmp -s whole/last.safetensors other/last.safetensors'
finish "cli resume"
