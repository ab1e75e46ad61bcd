"""The peers: fetched once into a cache folder, built there, never linked into our libraries.

    ${XDG_CACHE_HOME:-~/.cache}/hyperfusion/peers/

A peer that cannot be had raises Absent with the reason, which the benchmark prints.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ONEDNN = "2023.2.0"  # of the wheels; oneDNN 3.2
PIP = ("--disable-pip-version-check", "--retries", "1", "--timeout", "15")


class Absent(Exception):
    """Why a peer cannot be had."""


def cache():
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = home / "hyperfusion" / "peers"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Absent(f"no place for it: {error}") from None
    return folder


def run(command, why):
    """Runs quietly; failing, the peer is absent because of `why` and the last line it said."""
    try:
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
    except OSError as error:
        raise Absent(f"{why}: {error}") from None
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["no message"]
        raise Absent(f"{why}: {said[-1]}")
    return done.stdout


class Lock:
    """One process at a time fetches or builds."""

    def __enter__(self):
        self.file = open(cache() / "lock", "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def fetch_wheels(name, *packages):
    """The unpacked wheels of `packages` in the cache folder `name`."""
    folder, part = cache() / name, cache() / (name + ".part")
    if folder.exists():
        return folder
    shutil.rmtree(part, ignore_errors=True)
    print(f"bench: fetching {' '.join(packages)}", file=sys.stderr)
    run([sys.executable, "-m", "pip", "download", *PIP, "-q", "--no-deps", "-d", part, *packages], "cannot be fetched")
    for wheel in part.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(part)
        wheel.unlink()
    part.rename(folder)
    return folder


def compile_program(name, sources, flags):
    """A peer's program, compiled once for each state of its sources and flags."""
    digest = hashlib.sha256(" ".join(map(str, flags)).encode())
    for source in (*sources, "serve.h"):
        digest.update((HERE / source).read_bytes())
    program = cache() / f"{name}-{digest.hexdigest()[:12]}"
    if not program.exists():
        compiler = os.environ.get("CC", "cc")
        part = program.with_suffix(".part")
        run([compiler, "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-o", part,
             *(HERE / source for source in sources), *flags], "does not compile")
        part.rename(program)
    return program


def onednn():
    with Lock():
        folder = fetch_wheels(f"onednn-{ONEDNN}", f"onednn-cpu-gomp=={ONEDNN}", f"onednn-devel-cpu-gomp=={ONEDNN}")
        include = next(folder.glob("*.data/data/include/oneapi"), None)
        library = next(folder.glob("*.data/data/lib/libdnnl.so.3"), None)
        if not include or not library:
            raise Absent(f"{folder} has no headers or no library")
        program = compile_program("conv_onednn", ("conv_onednn.c", "serve.c"),
                                  ("-fopenmp", f"-I{include.parent}", library, f"-Wl,-rpath,{library.parent}", "-lm"))
    return [program]


def torch_python():
    """The Python of a virtual environment with the newest PyTorch of the day it was made."""
    with Lock():
        folder = cache() / "torch"
        python, done = folder / "bin" / "python", folder / "installed"
        if not done.exists():
            print("bench: installing PyTorch, several gigabytes", file=sys.stderr)
            run([sys.executable, "-m", "venv", "--clear", folder], "no virtual environment")
            run([python, "-m", "pip", "install", *PIP, "-q", "torch", "numpy"], "cannot be installed")
            done.touch()
    return python


def torch_convolutions():
    return [torch_python(), HERE / "conv_torch.py"]


def cuda_folders():
    """Where CUDA and cuDNN may lie: [(include, lib)], with everything that is needed to compile."""
    installed = sorted(map(str, pathlib.Path("/usr/local").glob("cuda*")), reverse=True)
    roots = [os.environ.get("CUDA_HOME"), *installed, "/usr"]
    folders = [(pathlib.Path(root) / "include", pathlib.Path(root) / lib)
               for root in roots if root for lib in ("lib64", "lib", "lib/x86_64-linux-gnu")]
    return [(include, lib) for include, lib in folders
            if all((include / header).exists() for header in ("cudnn.h", "cuda_runtime_api.h")) and
            all(list(lib.glob(f"{name}.so*")) for name in ("libcudnn", "libcudart"))]


def cudnn(precision):
    found = cuda_folders()
    if not found:
        raise Absent("no cudnn.h, cuda_runtime_api.h and their libraries here")
    include, lib = found[0]
    libraries = [sorted(lib.glob(f"{name}.so*"))[0] for name in ("libcudnn", "libcudart")]
    with Lock():
        program = compile_program("conv_cudnn", ("conv_cudnn.c", "serve.c"),
                                  (f"-I{include}", *libraries, f"-Wl,-rpath,{lib}", "-lm"))
    return [program, precision]


def elsewhere(command):
    """cuDNN beside a CPU device of ours: built, asked whether it could run, and not compared."""
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    greeting = json.loads(said.splitlines()[0]) if said.startswith("{") else {}
    raise Absent(greeting.get("error", "there is a CUDA device, but ours is a CPU"))


# Peers that compute less accurately, or are known to be slow: shown, and never the best peer.
FOR_THE_RECORD = {"clblast", "cudnn_tf32", "cudnn_fp16"}
# Shown too: what a training step would pay, whose weights are in the plain layout as ours are.
PLAIN_WEIGHTS = "onednn_plain"
UNRANKED = FOR_THE_RECORD | {PLAIN_WEIGHTS}


def convolutions(device, options):
    """{name: function that returns its command} of the peers on a device of this kind."""
    if device["is_cpu"]:
        found = {"onednn": onednn, PLAIN_WEIGHTS: lambda: onednn() + ["plain-weights"],
                 "cudnn": lambda: elsewhere(cudnn("fp32"))}
        if options.torch:
            found["torch"] = torch_convolutions
    else:
        found = {"cudnn": lambda: cudnn("fp32"), "cudnn_tf32": lambda: cudnn("tf32"),
                 "cudnn_fp16": lambda: cudnn("fp16")}
    if options.clblast:
        found["clblast"] = lambda: [options.build / "conv_clblast", device["platform"], device["device"]]
    return found
