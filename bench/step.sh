#!/usr/bin/env bash
# One training step, ours beside PyTorch's: rounds of both in turn, medians, and their ratio.
#
#     bench/step.sh [ROUNDS [N D H W]]        default 3 rounds of 4 90 120 99
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
shift || true
size=("${@:-4 90 120 99}")
read -ra size <<<"${size[*]}"
python=/usr/bin/python3
"$python" -c 'import torch' 2>/dev/null || { echo "step: no python3-torch here (Debian: apt install python3-torch)"; python=; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for ((round = 0; round < rounds; round++)); do
    build/bench/bench_step "${size[@]}" | sed 's/^/ours /' | tee -a "$log"
    [ -z "$python" ] || "$python" bench/step_torch.py "${size[@]}" | sed 's/^/peer /' | tee -a "$log"
done
python3 - "$log" <<'PYTHON'
import json, statistics, sys
seconds = {}
for line in open(sys.argv[1]):
    who, text = line.split(" ", 1)
    seconds.setdefault(who, []).append(json.loads(text)["seconds_per_sample"])
median = {who: statistics.median(values) for who, values in seconds.items()}
for who, value in median.items():
    print(f"{who}: {value:.3f} s per sample (median of {len(seconds[who])} rounds)")
if "peer" in median:
    print(f"ratio: {median['peer'] / median['ours']:.2f} times as fast as PyTorch")
PYTHON
