"""predict.py: how long launches would take on an NVIDIA GPU, predicted from what its compiler made of them.

No latency of memory, no bank conflict and no imbalance between warps is in it: it says what cannot be beaten, and what
binds. For a launch of G groups of w warps on S multiprocessors at f Hz, the busiest of which runs g = ceil(G / S) groups:

    time = launch + max(pipes, bytes / bandwidth, depth)
    pipes = (trips max(warps of a scheduler x max(32 F / lanes, 2 A, 128 / lanes M, I), g w L) + the rest of the instructions once) / f

warps of a scheduler = ceil(g w / 4). F, A, I, L are of one pass of the main loop, with its share of what the loop around
it adds, where INNER says how many passes it makes there: instructions on the multiply-add pipe
(FFMA, FMUL, FADD, IMAD), with `lanes` a quarter of the multiprocessor's; on the integer pipe, 16 lanes; M, products of
16x8x8 by matrix units, which make 8 lanes' work a lane; issue slots, one a
clock; and turns of the load-store unit, which four schedulers share: one for 32 bits, 2 and 4 for 64 and 128 from global
memory, half of that from local memory, where neighbours read the same.

trips is what TRIPS says from the kernel's arguments, or follows from the operator's FLOP where a kernel has
multiply-adds and is not in the table (then padding of tiles is not counted). Kernels without either are taken to be bound by
bytes: those of all tensors once. depth is for sums that one work-item makes alone, DEPTH says how many terms: LATENCY
clocks for each turn of its main loop. Copies and fills are bytes; products by CLBlast are not predicted.
"""
import os
import re

LAUNCH = 4e-6    # seconds from one launch to the next in a queue that is never empty
LATENCY = 450.0  # clocks from global memory to a register

HEADS = 3        # products by matrix units for one of cl_kernels/matrix.h

# Passes through the main loop of one work-item, of the kernel's arguments.
TRIPS = {"conv3d_gpu_dw": "chunk_size / 16", "conv3d_gpu_winograd": "16 * in_blocks"}
# Passes of the main loop in one of the loop around it: the first row whose kernel and defines fit.
INNER = [("conv3d_gpu_direct", "TENSOR=1", 9), ("conv3d_gpu_direct", "", 4), ("conv3d_gpu_dw", "", 4), ("conv3d_gpu_dw_direct", "-DS=2", 4),
         ("conv3d_gpu_dw_direct", "", 8), ("conv3d_gpu_dw_first", "", 4), ("conv3d_gpu_winograd", "", 4)]
# Terms that a work-item adds up one after another, and how many of them a pass of the main loop takes is its loads.
DEPTH = {"conv3d_db_part": "voxels_per_chunk", "conv3d_db_sum": "chunks", "conv3d_gpu_dw_sum": "chunks",
         "mean_of_partial": "chunks", "prelu_dslope": "count", "linear_parts": "chunks",
         "combine_statistics": "2 * samples * -(-chunks // 64)", "combine_gradients": "samples * -(-chunks // 64)",
         "combine": "samples * -(-chunks // 64)"}


def parameters(program):
    """Kernel name -> names of its parameters."""
    with open(os.path.join("cl_kernels", program + ".cl"), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return {name: [re.split(r"[\s*]+", p.strip())[-1] for p in inner.split(",")]
            for name, inner in re.findall(r"kernel\s+void\s+(\w+)\(([^)]*)\)", text)}


def evaluate(expression, launch, names):
    values = dict(zip(names.get(launch["kernel"], []), launch["args"]))
    try:
        return float(eval(expression, {"__builtins__": {}}, values))  # an expression of the tables above
    except NameError:
        return None


def pass_of(launch, kernel):
    """Instructions that run once; and of one pass of the main loop: instructions, F, A, L, M."""
    pipes, around = kernel["pipes"], kernel["around"]
    counts = [kernel["loop"], pipes["fma"], pipes["alu"], pipes["lsu"], pipes["mma"]]
    once = kernel["all"] - kernel["loop"] if kernel["has_loop"] else 0
    inner = next((n for name, word, n in INNER if name == launch["kernel"] and word in launch["defines"]), 0)
    if inner and around["loop"]:
        more = [around["loop"]] + [around["pipes"][pipe] for pipe in ("fma", "alu", "lsu", "mma")]
        counts = [count + extra / inner for count, extra in zip(counts, more)]
        once -= around["loop"]
    return once, *counts


def seconds(device, launch, kernel, names, flop):
    """(seconds without the launch itself, what binds)."""
    units, clock, lanes = int(device["units"]), float(device["mhz"]) * 1e6, float(device["lanes"]) / 4
    tensors = sum(v for v, t in zip(launch["args"], launch["tensors"]) if t)
    times = {"bytes": tensors / (float(device["gbs"]) * 1e9)}
    if not kernel:
        return times["bytes"], "bytes"
    groups = launch["groups"][0] * launch["groups"][1] * launch["groups"][2]
    warps = (launch["items"][0] * launch["items"][1] * launch["items"][2] + 31) // 32
    busiest = -(-groups // units)
    mine = -(-busiest * warps // 4)
    trips = 1.0 if not kernel["has_loop"] else None
    if launch["kernel"] in TRIPS:
        trips = evaluate(TRIPS[launch["kernel"]], launch, names)
    elif kernel["has_loop"] and kernel["fma"] and flop:
        mma = kernel["pipes"]["mma"]
        made = 1024 * mma / HEADS if mma else 32 * kernel["fma"]
        trips = flop / 2 / (made * groups * warps)
    if trips is not None:
        once, loop, fma, alu, lsu, mma = pass_of(launch, kernel)
        clocks = max(mine * max(32 * fma / lanes, 2 * alu, 128 / lanes * mma, loop), busiest * warps * lsu)
        times["pipes"] = (trips * clocks + mine * once) / clock
    if launch["kernel"] in DEPTH:
        terms = evaluate(DEPTH[launch["kernel"]], launch, names)
        loads = max(1, sum(n for key, n in kernel["moves"].items() if key.startswith("ldg")))
        if terms:
            times["depth"] = terms / loads * LATENCY / clock
    bound = max(times, key=times.get)
    return times[bound], bound


def tasks_of(launches):
    """Launches by task, in order, of networks only."""
    tasks = {}
    for launch in launches:
        if launch["set"] != "case":
            key = (launch["set"], launch["n"], launch["step"], launch["op"], launch["what"])
            tasks.setdefault(key, []).append(launch)
    return tasks


def rows(device, launches, kernels):
    """For each task: (network, n, op, what, flop, seconds, bound, share of peak). kernels: (program, defines) -> results."""
    peak = 2 * float(device["units"]) * float(device["lanes"]) * float(device["mhz"]) * 1e6
    names, result = {}, []
    for (network, n, _, op, what), task in tasks_of(launches).items():
        total, slowest, bound = 0.0, -1.0, ""
        found = [kernels.get((l["program"], l["defines"]), {}).get(l["kernel"]) for l in task]
        main = max(range(len(task)), key=lambda i: (found[i] or {}).get("fma", 0) * (found[i] or {}).get("has_loop", 0))
        for i, launch in enumerate(task):
            if launch["kernel"].startswith("CLBlast"):
                continue
            if launch["program"] and launch["program"] not in names:
                names[launch["program"]] = parameters(launch["program"])
            took, why = seconds(device, launch, found[i], names.get(launch["program"], {}),
                                launch["flop"] if i == main else 0)
            total += took + LAUNCH
            if took > slowest:
                slowest, bound = took, why if took > LAUNCH else "launch"
        result.append((network, n, op, what, task[0]["flop"], total, bound,
                       task[0]["flop"] / total / peak if total else 0.0))
    return result


def print_table(device, table):
    """Markdown: convolutions one by one, the rest of a step by operator."""
    print(f"Predicted for {device['name']} ({device['arch']}); not measured, and nothing slower than pipes, bytes and launches "
          "is in it.\n")
    print("| network, batch | pass | layer | GFLOP | predicted ms | bound by | share of peak |")
    print("|---|---|---|---|---|---|---|")
    sums, rest = {}, {}
    for network, n, op, what, flop, total, bound, share in table:
        sums[network, n] = sums.get((network, n), 0.0) + total
        if op not in ("conv3d", "conv3d_dx", "conv3d_dw"):
            rest[network, n, op] = rest.get((network, n, op), 0.0) + total
            continue
        print(f"| {network}, {n} | {op} | {what} | {flop / 1e9:.1f} | {1e3 * total:.3f} | {bound} | {100 * share:.0f} % |")
    for (network, n, op), total in rest.items():
        if total > 2e-5:
            print(f"| {network}, {n} | {op} | all | | {1e3 * total:.3f} | | |")
    for (network, n), total in sums.items():
        print(f"| {network}, {n} | all that is listed | | | {1e3 * total:.2f} | | |")

