#!/bin/sh
# layering.sh: what the source must not contain. Greps the tree for includes that cross rooms, constructs that would
# break determinism or portability, library code that prints or exits, over-long functions, and untidy lines.
#
#     tests/layering.sh [ROOT]
#
# Comments are blanked before code is searched. Prints each finding as file:line: text and one closing line.
set -u
root=${1:-$(dirname "$0")/..}
cd "$root" || exit 2
LC_ALL=C
export LC_ALL

work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# files PATTERN DIR...: source files, without build folders
files() {
    pattern=$1
    shift
    for dir in "$@"; do
        [ -d "$dir" ] && find "$dir" -type f -name "$pattern" -not -path '*/build*/*'
    done | sort
}

# code FILE: the file with comments blanked, line numbers kept
code() {
    awk '{
        line = $0; out = ""
        while (length(line)) {
            if (inside) {
                at = index(line, "*/")
                if (!at) break
                line = substr(line, at + 2); inside = 0
            } else {
                block = index(line, "/*"); rest = index(line, "//")
                if (rest && (!block || rest < block) && line !~ /"[^"]*\/\/[^"]*"/) { out = out substr(line, 1, rest - 1); break }
                if (!block) { out = out line; break }
                out = out substr(line, 1, block - 1); line = substr(line, block + 2); inside = 1
            }
        }
        print out
    }' "$1"
}

# forbid WHY REGEX FILE...: no line of code may match
forbid() {
    why=$1
    regex=$2
    shift 2
    : >"$work/found"
    for file in "$@"; do
        code "$file" | grep -nE -e "$regex" | sed "s|^|$file:|" >>"$work/found"
    done
    verdict "$why"
}

# verdict WHY: counts, and prints $work/found when it is not empty
verdict() {
    if [ -s "$work/found" ]; then
        failed=$((failed + 1))
        echo "failed: $1"
        sed 's/^/    /' "$work/found"
    else
        passed=$((passed + 1))
    fi
}

# includes ROOM ALLOWED DIR...: quoted includes of a room are its own headers or match ALLOWED
includes() {
    room=$1
    allowed=$2
    shift 2
    : >"$work/found"
    for file in $(files '*.[ch]' "$@") $(files '*.cl' "$@"); do
        code "$file" | grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' | while IFS= read -r line; do
            name=$(printf '%s\n' "$line" | sed 's/.*"\([^"]*\)".*/\1/')
            base=${name##*/}
            printf '%s\n' "$base" | grep -qE "^($allowed)\$" && continue
            [ -n "$(find "$room" -name "$base" -print -quit)" ] && continue
            echo "$file:$line"
        done >>"$work/found"
    done
    verdict "$room/ includes only what it may: its own headers${allowed:+ and $allowed}"
}

kernels=$(files '*.cl' cl_kernels; files '*.h' cl_kernels)
library=$(files '*.[ch]' lib datasets host | grep -v '^host/cli/')
outside=$(files '*.[ch]' lib datasets host | grep -v '^lib/cl/')
everything=$(files '*.[ch]' lib datasets host tests bench; files '*.cl' cl_kernels; files '*.h' cl_kernels)

# ---- rooms
includes cl_kernels 'none' cl_kernels
includes lib '[a-z]+\.def' lib
includes datasets 'hfbase\.h' datasets
includes host 'hfcl\.h|hfdata\.h|hfbase\.h' host
includes lib/base 'hfbase\.h' lib/base

# folder NAME FOLDERS: a folder of host/ includes its own headers by name, those of FOLDERS as folder/name.h, and no others
folder() {
    others=$(printf '%s' "$2" | tr ' ' '|')
    : >"$work/found"
    for file in $(files '*.[ch]' "host/$1"); do
        code "$file" | grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' | while IFS= read -r line; do
            name=$(printf '%s\n' "$line" | sed 's/.*"\([^"]*\)".*/\1/')
            case $name in hfbase.h | hfcl.h | hfdata.h) continue ;; esac
            [ -f "host/$1/$name" ] && continue
            printf '%s\n' "$name" | grep -qE "^($others)/[a-z_]+\.h\$" && [ -f "host/$name" ] && continue
            echo "$file:$line"
        done >>"$work/found"
    done
    verdict "host/$1/ includes only what it may: its own headers${2:+ and those of $2}"
}
folder graph ''
folder plan 'graph'
folder networks 'graph plan'
folder metrics ''
folder recipe ''
folder archive 'graph'
folder convert 'archive graph'
folder goal 'graph plan metrics recipe'
folder report 'goal metrics'
folder run 'graph plan networks metrics goal recipe archive convert report'
folder study 'goal metrics recipe report run'
: >"$work/found"
for file in $(files '*.[ch]' host/cli); do
    code "$file" | grep -nE '#[[:space:]]*include[[:space:]]*"' |
        grep -vE '"(hfcl|hfdata|hfbase|hyperfusion|cli)\.h"' | while IFS= read -r line; do
        name=$(printf '%s\n' "$line" | sed 's/.*"\([^"]*\)".*/\1/')
        [ -f "host/cli/${name##*/}" ] || echo "$file:$line"
    done >>"$work/found"
done
verdict 'the program includes public headers and its own only'
forbid 'only lib/cl/ sees OpenCL' '#[[:space:]]*include[[:space:]]*[<"](CL/|clblast)' $outside

# ---- kernels
forbid 'no atomics in kernels' 'atom(ic)?_[a-z]+' $kernels
forbid 'no fmax, fmin, native_, half_ or fast_ functions in kernels: they swallow NaN or accuracy' \
    '(^|[^a-z0-9_])(fmax|fmin|(native|half|fast)_[a-z0-9]+)[[:space:]]*\(' $kernels
# Winograd's transforms of weights have constants that no float holds; devices without double precision are refused there.
single=$(printf '%s\n' "$kernels" | grep -vE '/conv3d_winograd(_dw|_weights)?\.(cl|h)$')
forbid 'no double in kernels' '(^|[^A-Za-z0-9_])double[0-9]*([^A-Za-z0-9_]|$)' $single
forbid 'no double constants in kernels' \
    '(^|[^A-Za-z0-9_.])([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?($|[^0-9A-Za-z_.])' $single
forbid 'kernels are written without underscores, and state their groups by HF_GROUP' '__(kernel|global|local|constant)|^[^#]*reqd_work_group_size' \
    $(printf '%s\n' "$kernels" | grep -v '/common\.h$')
forbid 'no output from kernels' '(^|[^a-z])printf[[:space:]]*\(' $kernels
forbid 'no relaxed arithmetic when kernels are compiled' \
    '-cl-(fast-relaxed-math|unsafe-math|finite-math|mad-enable|no-signed-zeros|denorms-are-zero)' $library
: >"$work/found"
for file in $(files '*.cl' cl_kernels); do
    code "$file" | awk -v file="$file" '
        /(^|[^a-z_])(__)?kernel[[:space:]]+void/ { kernels++ }
        /reqd_work_group_size|HF_(TEAM_)?GROUP\(/ { sizes++ }
        END { if (kernels > sizes) print file ": " kernels " kernels, " sizes + 0 " group sizes" }'
done >"$work/found"
verdict 'every kernel states its work-group size'

# ---- C
forbid 'the libraries neither print nor exit' \
    '(^|[^a-z_])(printf|vprintf|puts|putchar|perror|exit|abort|_exit)[[:space:]]*\(|(^|[^a-z])(stdout|stderr)([^a-z]|$)' \
    $library
forbid 'no function that ignores sizes or errors' \
    '(^|[^a-z_])(gets|strcpy|strcat|sprintf|vsprintf|atoi|atol|atof|tmpnam|mktemp)[[:space:]]*\(' \
    $library $(files '*.[ch]' host/cli)
forbid 'random numbers only through hf_random_*' '(^|[^a-z_])(rand|srand|random|srandom|drand48)[[:space:]]*\(' $library
: >"$work/found"
for file in $(files '*.c' lib datasets host tests bench); do
    awk -v file="$file" '/^\{/ { start = NR } /^\}/ && start {
        if (NR - start > 71) print file ":" start ": a function of " NR - start - 1 " lines"; start = 0 }' "$file"
done >"$work/found"
verdict 'no function is longer than 70 lines'

# What is predicted, and by what results are broken down, is said by recipes; cli/cohort.c draws the synthetic cohorts.
forbid 'no age and no sex in host/ outside recipes and networks' '(^|[^A-Za-z_])([Aa]ges?|[Ss]ex|[Ss]exes)([^A-Za-z_]|$)' \
    $(files '*.[ch]' host | grep -vE '^host/(recipe|networks|cli/cohort\.c)')

# ---- text
texts="$everything $(files '*.sh' tests bench) $(files '*.py' cl_kernels tests bench) $(files 'meson.build' .)"
# clang-format aims at 120 and lets a comment pass it by a word's end.
: >"$work/found"
awk 'length($0) > 128 { print FILENAME ":" FNR ": " length($0) " columns" }' $everything >"$work/found"
verdict 'no line is longer than 128 columns'
: >"$work/found"
grep -nE "$(printf '\t')|[[:space:]]\$" $texts >"$work/found"
verdict 'no tabs, no trailing blanks'
: >"$work/found"
grep -nE '(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)' $everything >"$work/found"
verdict 'nothing is left to do in the source'
: >"$work/found"
for file in tests/unit/*.c; do
    name=$(basename "$file" .c)
    grep -q "'$name'" tests/meson.build || echo "$file: '$name' is not in tests/meson.build"
done >"$work/found"
verdict 'every unit test is run'

echo "layering: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
