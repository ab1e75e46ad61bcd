#!/bin/sh
# convert.sh: state dicts of PyTorch modules become runs that predict the same, and come back to the last bit; what does not
# fit is refused by name. The modules and what they say are in tests/golden/pytorch (pytorch.py there says how).
. "$(dirname "$0")/common.sh"
golden=$source_root/tests/golden/pytorch

cat >age.yaml <<'TEXT'
goal: regression
model: {width: 2, blocks: 2}
cohort:
  shape: [16, 17, 19]
  normalise: none
TEXT
cat >ad.yaml <<'TEXT'
goal: {name: classes, classes: [CN, MCI, AD]}
model: {width: 1}
cohort:
  shape: [16, 20, 17]
  normalise: none
  target: diagnosis
  tabular: ["c0:raw", "c1:raw", "c2:raw", "c3:raw", "c4:raw"]
TEXT
{ # an encoder's text: what training rows said
    printf 'encoder 1\nfit_all 0\n'
    for column in 0 1 2 3 4; do
        printf 'feature c%d:raw\nmissing 0\nmean 0\nsd 1\nmedian 0\nlow -3\nhigh 3\n' $column
    done
} >ad.txt
cat >tensors.py <<'TEXT'
"""Safetensors files as {name: (type, shape, bytes)}, and what the session does with them."""
import json, struct, sys

def read(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    at = lambda v: data[8 + size + v["data_offsets"][0]:8 + size + v["data_offsets"][1]]
    return {k: (v["dtype"], v["shape"], at(v)) for k, v in header.items()}

def write(path, tensors):
    header, data = {}, b""
    for name, (kind, shape, values) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)

def bare(tensors):
    """Without counters and without what wrappers add."""
    strip = lambda n: n.removeprefix("model.").removeprefix("module.")
    return {strip(k): v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}

def floats(value):
    return struct.unpack("<%df" % (len(value[2]) // 4), value[2])

def alter(source, target, change):
    tensors = read(source)
    exec(change, {"t": tensors, "read": read})
    write(target, tensors)
TEXT
# py WHAT CODE: Python that must not fail.
py() {
    check "$1" python3 -c "from tensors import *
$2"
}
export PYTHONPATH="$work" PYTHONDONTWRITEBYTECODE=1

# ---- the same function, and back to the last bit
tab=$(printf '\t')
while IFS="$tab" read -r name network setting tabular truth; do
    [ "$name" = case ] && continue
    family=${name%%-*}
    set --
    [ "$setting" = - ] || set -- --set "$setting"
    case $name in ad-image | age-*) ;; *) set -- --statistics ad.txt "$@" ;; esac
    run 0 convert $family.yaml "$golden/$name.safetensors" --out "$name" --set "model.name=$network" "$@"
    says err "by the naming '"
    row=--tabular=$tabular
    [ "$tabular" = - ] && row=--tabular=
    run 0 predict "$name" "$golden/$family.npy" "$row" --out "$name.tsv"
    py "$name predicts what the module says" "
head, cells = [line.rstrip('\n').split('\t') for line in open('$name.tsv')]
found = [float(c) for h, c in zip(head, cells) if h.startswith('p_')] or [float(cells[head.index('predicted')])]
expected = [float(x) for x in '$truth'.split()]
worst = max(abs(a - b) for a, b in zip(found, expected)) / max(map(abs, expected))
assert len(found) == len(expected) and worst < 2e-6, (found, expected)"
    run 0 convert "$name" --to pytorch --names authors --out back.safetensors
    py "$name comes back to the last bit" "assert read('back.safetensors') == bare(read('$golden/$name.safetensors'))"
    run 0 convert "$name" --to pytorch --out own.safetensors
    run 0 convert $family.yaml own.safetensors --out "$name-again" --set "model.name=$network" "$@"
    run 0 convert "$name-again" --to pytorch --out again.safetensors
    check "$name by our own names" cmp own.safetensors again.safetensors
done <"$golden/cases.tsv"
check "a layer by both names" python3 -c "
from tensors import *
own, authors = read('own.safetensors'), read('back.safetensors')
assert 'embedding.prelu.weight' in own and 'mlp.2.weight' in authors"
run 1 convert age-hyper --to pytorch --last --out x.safetensors
says err "last.safetensors"
run 1 evaluate age-hyper
says err "the recipe names no cohort"

# ---- what does not fit
hyper=$golden/age-hyper.safetensors
refused() { # CHANGE TEXT...: the altered file is refused with these words
    py "altering" "alter('$hyper', 'bad.safetensors', '''$1''')"
    shift
    run 1 convert age.yaml bad.safetensors --out bad
    for text in "$@"; do says err "$text"; done
    check "nothing is left behind" test ! -e bad
}
refused "del t['model.conv1_a.bias']" "'bad.safetensors': of the 40 tensors" "1 missing: 'conv1_a.bias'"
refused "t['model.conv1_a.bais'] = t.pop('model.conv1_a.bias')" "1 missing: 'conv1_a.bias' (nearest: 'conv1_a.bais')" \
    "1 unexpected: 'conv1_a.bais' (nearest: 'conv1_a.bias')"
refused "t['conv1_a.bias'] = t['model.conv1_a.bias']" "1 twice: 'conv1_a.bias' and 'model.conv1_a.bias'"
refused "t['extra.weight'] = t['model.conv1_a.bias']" "1 unexpected: 'extra.weight'"
refused "v = t['model.conv1_b.weight']; t['model.conv1_b.weight'] = (v[0], [2, 3, 2, 3, 3], v[2])" \
    "'model.conv1_b.weight' is [2,3,2,3,3], the network's 'conv1_b.weight' is [2,2,3,3,3]"
refused "v = t['model.conv1_b.bias']; t['model.conv1_b.bias'] = (v[0], v[1], b'\\\\0\\\\0\\\\xc0\\\\x7f' * 2)" \
    "'conv1_b.bias' has an element that is not finite"
refused "v = t['model.batchnorm1.num_batches_tracked']; t['model.batchnorm1.num_batches_tracked'] = ('F64', v[1], v[2])" \
    "'model.batchnorm1.num_batches_tracked': type 'F64', a counter of type I64 is expected"
py "an axis of length 1 more" "alter('$hyper', 'axes.safetensors', '''
v = t['model.conv1_a.bias']; t['model.conv1_a.bias'] = (v[0], [1, 2, 1], v[2])''')"
run 0 convert age.yaml axes.safetensors --out axes
run 1 convert age.yaml "$golden/age-image.safetensors" --out bad
says err "missing"
printf 'PK\003\004 and so on' >weights.pt
run 1 convert age.yaml weights.pt --out bad
says err "a pickle as torch.save writes it"
says err "from safetensors.torch import save_file"
run 1 convert age.yaml "$hyper" --out bad --set cohort.tabular=years:zscore
says err "'years:zscore' needs what training rows say: set cohort.path, or give --statistics"
run 1 convert age.yaml "$hyper" --out age-hyper
says err "is in use already"

sed 's/c1:raw/c1:minmax/' ad.txt >other.txt
run 1 convert ad.yaml "$golden/ad-hyper.safetensors" --out bad --set model.name=ad-hyperfusion --statistics other.txt
says err "statistics 'other.txt': feature 2 is 'c1:minmax', the recipe has 'c1:raw'"

# ---- a cohort: statistics, split, training on
run 0 cohort make cohort --subjects 14 --shape 20,20,20 --seed 4
tiny
set -- --set cohort.shape=18,18,18 --set model.width=2 --set model.blocks=2
run 0 train tiny.yaml --out trained "$@"
run 0 evaluate trained --json
mv out evaluated
run 0 convert trained --to pytorch --names authors --out weights.safetensors
run 0 convert tiny.yaml weights.safetensors --out converted "$@"
for file in split.tsv recipe.yaml; do
    check "$file is that of training" cmp trained/$file converted/$file
done
run 0 evaluate converted --json
check "evaluated alike" cmp evaluated out
run 0 predict trained --cohort cohort --out 1.tsv
run 0 predict converted --cohort cohort --out 2.tsv
check "predicted alike" cmp 1.tsv 2.tsv
run 0 convert tiny.yaml weights.safetensors --out alone --statistics trained --set cohort.path= "$@"
run 0 predict alone --cohort cohort --out 3.tsv
check "predicted alike with the statistics of a run" cmp 1.tsv 3.tsv
run 0 report alone
run 1 convert tiny.yaml weights.safetensors --out bad --statistics trained "$@" --set cohort.normalise=none
says err "to another grid than the one the statistics belong to"
run 0 train tiny.yaml --out converted --resume "$@"
says err "resuming after epoch 0"
py "training went on from the converted weights" "
before, after = read('trained/best.safetensors'), read('converted/best.safetensors')
a, b = floats(before['conv1_a.weight']), floats(after['conv1_a.weight'])
assert a != b and max(abs(x - y) for x, y in zip(a, b)) < 0.05"

# ---- resized volumes: what a checkpoint remembers
set -- --set cohort.fit=resize
run 0 convert age.yaml "$hyper" --out resized "$@"
scan=$(ls cohort/sub-*/anat/*_T1w.nii.gz | head -n 1)
run 0 predict resized "$scan" --tabular sex=M
mv out stretched
run 0 predict age-hyper "$scan" --tabular sex=M
check "resized is not cropped" sh -c '! cmp -s stretched out'
run 1 convert tiny.yaml weights.safetensors --out bad --statistics trained "$@" --set cohort.shape=18,18,18
says err "to another grid than the one the statistics belong to"
set -- --set cohort.shape=18,18,18 --set model.width=2 --set model.blocks=2

# ---- what training begins with, and in which order
run 0 convert tiny.yaml --initial --out initial.safetensors "$@"
run 0 train tiny.yaml --out still "$@" --set train.learning_rate=1.0e-12
py "the initial weights are those of training" "
a, b = read('initial.safetensors'), read('still/best.safetensors')
trained = [n for n in a if 'running_' not in n]
assert len(trained) > 20 and all(abs(x - y) < 1e-9 for n in trained for x, y in zip(floats(a[n]), floats(b[n])))
assert floats(a['batchnorm1.running_var']) == (1, 1)"
run 1 convert tiny.yaml --initial --out x.safetensors "$@" --set pretrain.embedding=fine-tuned
says err "set pretrain.embedding=fresh"
run 0 convert tiny.yaml --batches order.tsv "$@" --set train.epochs=3
py "an order of every epoch" "
rows = [line.split() for line in open('order.tsv')]
split = [line.split() for line in open('trained/split.tsv')]
train = sorted(r[0] for r in split if r[1] == 'train')
assert rows[0] == ['epoch', 'step', 'participant_id']
epochs = [[r for r in rows[1:] if r[0] == str(e)] for e in (1, 2, 3)]
assert all(sorted(r[2] for r in e) == train for e in epochs) and len(rows) == 1 + 3 * len(train)
assert [r[2] for r in epochs[0]] != [r[2] for r in epochs[1]]
steps = -(-len(train) // 4)
assert [int(r[1]) for r in rows[1:]] == [e * steps + i // 4 + 1 for e in range(3) for i in range(len(train))]"

# ---- wrong command lines
run 2 convert age.yaml --out x
says err "a second argument is missing"
run 2 convert age.yaml w.safetensors
says err "'--out' is missing: the folder for the run"
run 2 convert run --to onnx --out x
says err "--to: found 'onnx', expected pytorch"
run 2 convert run --to pytorch --names theirs --out x
says err "--names: found 'theirs', expected own or authors"
run 2 convert run --to pytorch --out x --set train.seed=2
says err "'--set' does not go with this form"
finish "cli convert"
