"""compilers.py: GPU compilers that need no GPU.

Each of `nvidia`, `amd`, `intel` compiles one kernel file with one set of defines for one architecture and returns, for
each kernel that is launched, a dict: registers, spills (bytes, of AMD registers), stack (bytes a work-item), shared
(bytes a group), warps (of a multiprocessor; of AMD waves a SIMD; of Intel the SIMD width), and the main loop as
assembly.py describes it. A failed build raises Failed with the compiler's words.

tests/gpu/fetch.sh puts what Debian and PyPI have of them into FOLDER, outside the tree.
"""
import os
import re
import shutil
import subprocess
import tempfile

import assembly

FOLDER = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "hyperfusion", "compilers")
CLC = "/usr/lib/clc"
CLANG = "clang-16"
LIMIT = 120  # seconds for one compiler run


class Failed(Exception):
    pass


def run(command, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Failed(f"{os.path.basename(command[0])} took longer than {LIMIT} seconds") from None
    if done.returncode:
        raise Failed((done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")[-2000:])
    return done.stdout + done.stderr


def front(target, arch, library):
    return [CLANG, "-target", target, arch, "-x", "cl", "-cl-std=CL1.2", "-Xclang", "-finclude-default-header", "-O3",
            "-Wno-linker-warnings", "-Icl_kernels", "-Xclang", "-mlink-builtin-bitcode", "-Xclang",
            os.path.join(CLC, library)]


def kernels_of(text, before, groups):
    """(kernel, what is said of it) for those that are launched; `before` stands before a kernel's name."""
    for part in text.split(before)[1:]:
        kernel = re.match(r"\s*(\w+)", part).group(1)
        if kernel in groups:
            yield kernel, part


def number(pattern, text):
    """What the pattern's group matches; 0 where nothing does."""
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0


# ---- NVIDIA ----------------------------------------------------------------------------------------------------------

NVIDIA_SHARED = {"sm_70": (98304, 0), "sm_80": (167936, 1024), "sm_90": (233472, 1024)}  # bytes, and kept per group


def nvidia_missing():
    if not shutil.which(CLANG):
        return f"{CLANG} is not installed"
    if not os.path.exists(os.path.join(CLC, "nvptx64--nvidiacl.bc")):
        return "libclc-16 is not installed"
    for tool in ("ptxas", "nvdisasm"):
        if not os.path.exists(os.path.join(FOLDER, "nvidia", tool)):
            return f"{tool} is not in {os.path.join(FOLDER, 'nvidia')}"
    return None


def nvidia_warps(arch, registers, shared, items):
    """Warps that fit one multiprocessor: its 64 warps and 32 groups, four register files, local memory."""
    warps = (items + 31) // 32
    per_warp = (registers * 32 + 255) // 256 * 256
    groups = min(64 // warps, 32, 16384 // per_warp * 4 // warps)
    room, kept = NVIDIA_SHARED[arch]
    if shared:
        groups = min(groups, room // ((shared + kept + 255) // 256 * 256))
    return groups * warps


def nvidia_ptx(text, groups):
    """The PTX with the group size that OpenCL C states and clang's back end drops."""
    for kernel, items in groups.items():
        shape = ", ".join(map(str, items))
        text = re.sub(rf"(\.entry {kernel}\([^)]*\))", rf"\1\n.reqntid {shape}", text)
    return text


def nvidia(program, defines, arch, groups):
    with tempfile.TemporaryDirectory() as work:
        ptx, cubin = os.path.join(work, "k.ptx"), os.path.join(work, "k.cubin")
        run(front("nvptx64-nvidia-nvcl", f"-march={arch}", "nvptx64--nvidiacl.bc") +
            defines.split() + ["-S", f"cl_kernels/{program}.cl", "-o", ptx])
        with open(ptx, encoding="utf-8") as file:
            text = nvidia_ptx(file.read(), groups)
        with open(ptx, "w", encoding="utf-8") as file:
            file.write(text)
        said = run([os.path.join(FOLDER, "nvidia", "ptxas"), f"-arch={arch}", "-v", ptx, "-o", cubin])
        mix = assembly.nvidia(run([os.path.join(FOLDER, "nvidia", "nvdisasm"), "-c", cubin]))
    result = {}
    for kernel, part in kernels_of(said, "Compiling entry function '", groups):
        registers, shared = number(r"Used (\d+) registers", part), number(r"(\d+) bytes smem", part)
        items = groups[kernel][0] * groups[kernel][1] * groups[kernel][2]
        result[kernel] = {"registers": registers, "stack": number(r"(\d+) bytes stack frame", part), "shared": shared,
                          "spills": number(r"(\d+) bytes spill stores", part) + number(r"(\d+) bytes spill loads", part),
                          "warps": nvidia_warps(arch, registers, shared, items), **mix[kernel]}
    return result


# ---- AMD -------------------------------------------------------------------------------------------------------------

def amd_missing():
    if not shutil.which(CLANG):
        return f"{CLANG} is not installed"
    if not os.path.exists(os.path.join(CLC, "amdgcn--amdhsa.bc")):
        return "libclc-16 is not installed"
    return None


def amd(program, defines, arch, groups):
    with tempfile.TemporaryDirectory() as work:
        out = os.path.join(work, "k.s")
        said = run(front("amdgcn-amd-amdhsa", f"-mcpu={arch}", "amdgcn--amdhsa.bc") + defines.split() +
                   ["-nogpulib", "-Rpass-analysis=kernel-resource-usage", "-S", f"cl_kernels/{program}.cl", "-o", out])
        with open(out, encoding="utf-8") as file:
            mix = assembly.amd(file.read())
    result = {}
    for kernel, part in kernels_of(said, "Function Name: ", groups):
        # Scalar registers spill into lanes of vector registers, which are counted already, or into scratch memory.
        result[kernel] = {"registers": number(r" VGPRs: (\d+)", part) + number(r"AGPRs: (\d+)", part),
                          "spills": number(r"VGPRs Spill: (\d+)", part),
                          "stack": number(r"ScratchSize \[bytes/lane\]: (\d+)", part),
                          "shared": number(r"LDS Size \[bytes/block\]: (\d+)", part),
                          "warps": number(r"Occupancy \[waves/SIMD\]: (\d+)", part), **mix[kernel]}
    return result


# ---- Intel -----------------------------------------------------------------------------------------------------------

def intel_library():
    return os.path.join(FOLDER, "intel", "usr", "lib", "x86_64-linux-gnu")


def intel_missing():
    if not os.path.exists(os.path.join(FOLDER, "intel", "usr", "bin", "ocloc")):
        return f"ocloc is not in {os.path.join(FOLDER, 'intel')}"
    return None


def intel(program, defines, arch, groups):
    with tempfile.TemporaryDirectory() as work:
        library = intel_library()
        environment = dict(os.environ, LD_LIBRARY_PATH=f"{library}:{library}/intel-opencl")
        said = run([os.path.join(FOLDER, "intel", "usr", "bin", "ocloc"), "compile", "--format", "zebin", "-file",
                    os.path.abspath(f"cl_kernels/{program}.cl"), "-device", arch, "-options",
                    f"-cl-std=CL1.2 -I{os.path.abspath('cl_kernels')} {defines}", "-output", "k", "-out_dir", work,
                    "-output_no_suffix"], env=environment, cwd=work)
        with open(os.path.join(work, "k"), "rb") as file:
            binary = file.read()
    start = binary.find(b"version:")
    if "Build succeeded" not in said or start < 0:
        raise Failed(said.strip()[-2000:])
    about = binary[start:].split(b"\0")[0].decode("latin1").split("kernels_misc_info:")[0]
    result = {}
    for kernel, part in kernels_of(about, "- name: ", groups):
        buffers = {usage: int(size) for usage, size in re.findall(r"usage:\s+(\w+)\s+size:\s+(\d+)", part)}
        spills = buffers.get("spill_fill_space", 0) or number(rf"kernel {kernel}\s.*spilled around (\d+)", said)
        result[kernel] = {"registers": number(r"\bgrf_count:\s+(\d+)", part), "spills": spills,
                          "stack": buffers.get("private_space", 0), "shared": number(r"\bslm_size:\s+(\d+)", part),
                          "warps": number(r"\bsimd_size:\s+(\d+)", part), "all": 0, "loop": 0, "has_loop": False,
                          "fma": 0, "moves": {}, "around": {}}
    return result


KINDS = {"nvidia": (nvidia, nvidia_missing), "amd": (amd, amd_missing), "intel": (intel, intel_missing)}
