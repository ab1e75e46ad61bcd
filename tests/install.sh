#!/bin/sh
# install.sh: what `meson install` leaves behind is enough for an outside project.
#
#     tests/install.sh BUILD
#
# Installs into an empty folder, then builds the programs of doc/examples as a stranger would: with a compiler, the
# installed headers and pkg-config alone. Runs them against the installed libraries, and the installed program too.
set -u
build=$1
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: counts; shows the output when it fails
check() {
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $name"
        head -n 20 "$work/out" | sed 's/^/    /'
    fi
}

there() {
    [ -n "$(find "$work/root" -path "*/$1" -print -quit)" ]
}

# outside PACKAGE EXAMPLE: compiled as C11 and linked with what pkg-config says, and nothing else, then run
outside() {
    flags=$(pkg-config --cflags --libs "$1") || return 1
    cp "$root/doc/examples/$2.c" "$work/$2.c" &&
        (cd "$work" && ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror "$2.c" -o "$2" $flags -lm && "./$2")
}

# The static libraries' needs are private: a shared link must not drag them in.
private() {
    ! pkg-config --libs "$1" | grep -qE 'OpenCL|clblast|jansson|yaml|deflate|lapack|png'
}

check 'meson install' meson install -C "$build" --no-rebuild --destdir "$work/root"
for file in include/hyperfusion/hfbase.h include/hyperfusion/hfcl.h include/hyperfusion/hfdata.h \
    include/hyperfusion/hyperfusion.h bin/hyperfusion share/hyperfusion/recipes/brain-age.yaml \
    share/man/man1/hyperfusion.1; do
    check "installs $file" there "$file"
done

PKG_CONFIG_PATH=$(find "$work/root" -type d -name pkgconfig | head -n 1)
PKG_CONFIG_SYSROOT_DIR=$work/root
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
for package in hfcl hyperfusion; do
    check "$package.pc is valid" pkg-config --validate "$package"
    check "$package.pc keeps its needs private" private "$package"
done
check 'an outside program with hfcl' outside hfcl conv3d
check 'an outside program with hyperfusion' outside hyperfusion train_tiny
program=$(find "$work/root" -path '*/bin/hyperfusion')
check 'the installed program' "$program" --help
check 'an installed recipe finds its bases' \
    "$program" plan "$(find "$work/root" -path '*/recipes/paper/table3/hyperfusion.yaml')" --set train.batch_size=2
echo "install: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
