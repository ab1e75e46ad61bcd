#!/bin/sh
# usage.sh: help, wrong command lines, devices, plan, and that the manual page names every option.
. "$(dirname "$0")/common.sh"

# ---- help
run 0 --help
is out <<'TEXT'
HyperFusion trains networks whose weights come from other networks, on any OpenCL device.

usage: hyperfusion COMMAND ...

  devices        list the OpenCL devices
  cohort make    make a synthetic cohort of brain-like volumes
  cohort check   say what is in a cohort, and what looks wrong
  plan           show what training a recipe takes, node by node
  train          train a recipe into a run folder
  evaluate       judge a run on subjects of known truth
  predict        predict for new subjects
  report         write a run's report again
  crossval       train a recipe over split seeds, versions and folds
  ensembles      judge every way to combine the runs of a study
  compare        set the studies of several methods side by side
  select-layers  rank layers as candidates for hyper layers
  ablate         train a recipe with other layers as hyper layers
  convert        weights from PyTorch and to PyTorch

'hyperfusion COMMAND --help' tells more about a command, 'hyperfusion --version' the version.
Exit status: 0 success, 1 failure, 2 a wrong command line, 3 success for some subjects of a
cohort only, 130 stopped by a signal.
TEXT
run 0 report --help
is out <<'TEXT'
usage: hyperfusion report RUN [--out FILE]

Writes one self-contained HTML page from a run folder: learning curves, the goal's
metrics with intervals, predicted against true or the confusion matrix, slices of the best
and worst subjects when the cohort is still there, recipe, device and seeds.

options:
  --out FILE            where to; default report.html in the run folder
  --help                this text
TEXT
run 0 --version
says out hyperfusion
run 0 train --out x --help # help wins over whatever else is there
says out "usage: hyperfusion train"

# ---- wrong command lines: status 2, the reason, nothing on stdout
run 2
says err "a command is expected"
run 2 trian recipe
is err <<'TEXT'
hyperfusion: unknown command 'trian'; did you mean 'train'?
See 'hyperfusion --help'.
TEXT
run 2 cohort mak x
says err "did you mean 'cohort make'?"
run 2 cohort
says err "did you mean 'cohort"
run 2 train recipe.yaml --rsume
is err <<'TEXT'
hyperfusion train: unknown option '--rsume'; did you mean '--resume'?
See 'hyperfusion train --help'.
TEXT
is out </dev/null
run 2 train recipe.yaml
says err "'--out RUN' is missing"
run 2 train recipe.yaml --out
says err "'--out' needs a value"
run 2 train recipe.yaml --out a --out b
says err "'--out' is given twice"
run 2 devices --json=yes
says err "'--json' takes no value"
run 2 devices gpu
says err "'gpu' is one argument too many"
run 2 plan
says err "an argument is missing: expected RECIPE"
run 2 plan "$source_root/recipes/brain-age.yaml" --set train.epoch=2
says err "did you mean 'train.epochs'?"
run 2 predict run
says err "either an IMAGE or --cohort DIR is expected"
run 2 predict run image.nii --cohort dir
says err "not both"
run 2 predict run --cohort dir --tabular sex=F
says err "--tabular belongs to one IMAGE"
run 2 predict run image.nii --tabular F
says err "expected NAME=VALUE"
run 2 evaluate run --split tset
says err "expected train, valid or test"
run 2 cohort make x --subjects many
says err "--subjects: found 'many', expected a whole number from 1 to 100000"
run 2 cohort make x --shape 45x55x45
says err "expected three sizes D,H,W"
run 2 cohort make x --task cat
says err "expected brain-age, ad or interaction"

run 2 compare one
says err "an argument is missing: expected DIR DIR..."
run 2 ensembles
says err "an argument is missing: expected DIR"
run 2 ablate recipe.yaml --layers fc1
says err "'--out DIR' is missing"

# ---- failures: status 1 and a message
run 1 plan missing.yaml
says err "hyperfusion: 'missing.yaml'"
run 1 plan "$source_root/recipes/brain-age.yaml" --device nonesuch
says err "nonesuch"
run 1 evaluate missing
says err "'missing' holds no finished epoch"

# ---- devices
run 0 devices --json
json 'all({"id", "name", "memory_bytes", "max_alloc_bytes", "fp64"} <= set(d) for d in j["devices"])'

# ---- plan
run 0 plan "$source_root/recipes/brain-age.yaml" --json
json 'j["parameters"] == 1482206 and j["shape"] == [90, 120, 99] and j["batch"] == 64 and j["tabular"] == 2'
json 'j["flop_forward"] > 1e12 and j["flop"] > j["flop_forward"] and j["bytes_peak"] > 0 and j["tasks"] > 0'
json 'any(n["op"] == "conv3d" and n["impl"] for n in j["nodes"])'
if [ "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo 2>/dev/null || echo 0)" -lt 200000000 ]; then # KiB
    run 0 plan "$source_root/recipes/brain-age.yaml" --set train.batch_size=1200
    says err "warning: training needs"
fi
run 0 plan "$source_root/recipes/brain-age.yaml" --set train.batch_size=2 --set model.name=brain-age-image-only
says out "batch 2 of 1x90x120x99"
says out "parameters      "
run 1 plan "$source_root/recipes/brain-age.yaml" --set cohort.shape=0,0,0
says err "cohort.shape is not set, and there is no cohort.path"
run 1 plan "$source_root/recipes/brain-age.yaml" --set "cohort.tabular=sex:onehot"
says err "categories that are not listed, and there is no cohort.path"
run 1 plan "$source_root/recipes/brain-age.yaml" --set model.name=brain-age-hyprefusion
says err "did you mean 'brain-age-hyperfusion'?"
run 1 plan "$source_root/recipes/brain-age.yaml" --set cohort.shape=20,20,20
says err "conv"

# ---- the manual page keeps step
for command in devices "cohort make" "cohort check" plan train evaluate predict report crossval ensembles \
    compare select-layers ablate convert; do
    # shellcheck disable=SC2086 # two words
    run 0 $command --help
    sed -n 's/^  --\([a-z]*\).*/\1/p' out >options.list
    awk -v name="$command" '
        BEGIN { escaped = name; gsub(/-/, "\\-", escaped) }
        index($0, ".SS hyperfusion " escaped " ") == 1 || $0 == ".SS hyperfusion " escaped { inside = 1; next }
        /^\.S[SH]/ { inside = 0 }
        inside { print }' "$source_root/doc/hyperfusion.1" >section
    check "the manual page has a section on '$command'" test -s section
    grep -v '^help$' options.list | while IFS= read -r option; do
        grep -qE "^\.BI? \\\\-\\\\-$option( |\$)" section || echo "$option"
    done >missing
    sed -n 's/^\.BI\{0,1\} \\-\\-\([a-z]*\).*/\1/p' section | grep -vxFf options.list >surplus
    check "the manual page names every option of '$command': $(cat missing)" test ! -s missing
    check "the manual page invents no option of '$command': $(cat surplus)" test ! -s surplus
done
finish "cli usage"
