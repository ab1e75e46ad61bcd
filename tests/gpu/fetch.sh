#!/usr/bin/env bash
# fetch.sh: GPU compilers that come from elsewhere than clang, into a cache folder outside the tree; once.
#
#     tests/gpu/fetch.sh
#
# nvidia/  ptxas and nvdisasm 12.4 from the PyPI wheel triton 3.0.0: the last that read and write sm_70
# intel/   ocloc and its libraries from Debian's intel-opencl-icd, unpacked beside the system: no OpenCL driver is
#          registered
# What cannot be had is said, and tests/gpu/check.py skips it.
set -uo pipefail
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hyperfusion/compilers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"

absent() { echo "fetch: $1 is absent: $2" >&2; }

nvidia() {
    [ -x "$folder/nvidia/nvdisasm" ] && [ -x "$folder/nvidia/ptxas" ] && return
    python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
        --platform manylinux2014_x86_64 --dest "$work" triton==3.0.0 2>"$work/pip" ||
        { absent 'ptxas of NVIDIA' "$(tail -n 1 "$work/pip")"; return; }
    mkdir -p "$folder/nvidia"
    python3 - "$work"/triton-*.whl "$folder/nvidia" <<'PYTHON'
import os, sys, zipfile
wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for tool in ("ptxas", "nvdisasm"):
        path = os.path.join(folder, tool)
        with open(path + ".part", "wb") as file:
            file.write(archive.read(f"triton/backends/nvidia/bin/{tool}"))
        os.chmod(path + ".part", 0o755)
        os.replace(path + ".part", path)
PYTHON
}

intel() {
    [ -x "$folder/intel/usr/bin/ocloc" ] && return
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || { absent 'ocloc of Intel' 'not a Debian system'; return; }
    (cd "$work" && apt-get download -qq intel-opencl-icd libigc1 libigdfcl1 libigdgmm12 libopencl-clang14 \
        libllvmspirvlib14 libllvm14 libclang-cpp14) >"$work/apt" 2>&1 ||
        { absent 'ocloc of Intel' "$(tail -n 1 "$work/apt")"; return; }
    mkdir -p "$folder/intel.part"
    for package in "$work"/*.deb; do dpkg -x "$package" "$folder/intel.part"; done
    rm -rf "$folder/intel" && mv "$folder/intel.part" "$folder/intel"
}

nvidia
intel
