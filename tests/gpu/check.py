#!/usr/bin/env python3
"""check.py: every kernel that would be launched on a GPU, through that GPU's compiler.

    check.py BUILD [--quick] [--device ID]... [--program NAME]... [--table FILE] [--all]
    check.py BUILD --predict [--device ID]

BUILD/tests/gpu_launches says what the library would launch on the devices of devices.tsv; each program and set of
defines is compiled for each architecture once. Prints a table for the first device (--all: for all), the rows that fail,
and one line a device; fails when a build fails, a kernel spills registers or has a stack frame. --quick is the first
device with few shapes; --table writes all rows as tab-separated text. A compiler that is not there is skipped with a
word. --predict prints predicted times instead (predict.py). Results are kept under FOLDER/results and reused until the source, the options or these scripts change.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import compilers  # noqa: E402
import predict  # noqa: E402

COLUMNS = ("id kind arch name platform group local_kib units mhz memory_gib align lanes gbs").split()


def read_devices():
    with open(os.path.join(HERE, "devices.tsv"), encoding="utf-8") as file:
        return [dict(zip(COLUMNS, line.rstrip("\n").split("\t"))) for line in file if not line.startswith("#")]


def read_launches(build, device, shapes):
    command = [os.path.join(build, "tests", "gpu_launches"), os.path.join(HERE, "devices.tsv"), device]
    text = subprocess.run(command + ([str(shapes)] if shapes is not None else []), capture_output=True, text=True,
                          check=False)
    if text.returncode:
        sys.exit(f"check.py: {text.stderr.strip()}")
    return [json.loads(line) for line in text.stdout.splitlines()]


def units_of(launches):
    """(program, defines) -> {kernel: group}."""
    units = collections.defaultdict(dict)
    for launch in launches:
        if launch["program"]:
            units[launch["program"], launch["defines"]][launch["kernel"]] = launch["items"]
    return units


# ---- results that are kept -------------------------------------------------------------------------------------------

def sources(path):
    """The text of a kernel file and of what it includes."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for name in re.findall(r'^#include "(.*)"', text, re.M):
        text += sources(os.path.join(os.path.dirname(path), name))
    return text


def scripts():
    text = ""
    for name in ("assembly.py", "compilers.py"):
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            text += file.read()
    return text


def keep_path(job):
    kind, arch, program, defines, groups = job
    said = json.dumps([kind, arch, defines, sorted(groups.items()), sources(f"cl_kernels/{program}.cl"), scripts()])
    return os.path.join(compilers.FOLDER, "results", hashlib.sha256(said.encode()).hexdigest() + ".json")


def compile_one(job):
    kind, arch, program, defines, groups = job
    path = keep_path(job)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        pass
    try:
        result = {"kernels": compilers.KINDS[kind][0](program, defines, arch, groups)}
    except compilers.Failed as failure:
        result = {"failed": str(failure)}
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + f".{os.getpid()}", "w", encoding="utf-8") as file:
        json.dump(result, file)
    os.replace(file.name, path)
    return result


# ---- rows ------------------------------------------------------------------------------------------------------------

HEAD = ("program", "kernel", "defines", "target", "registers", "spills", "stack", "shared", "warps", "fma", "loads")


def moves_text(moves):
    """ldg: 4x128 2x32 and so on, widest first."""
    parts = []
    for where in ("ldg", "stg", "lds", "sts", "ldl", "stl"):
        widths = sorted(((int(key[3:]), count) for key, count in moves.items() if key.startswith(where)), reverse=True)
        if widths:
            parts.append(where + " " + " ".join(f"{count}x{bits}" for bits, count in widths))
    return ", ".join(parts)


def row_of(program, kernel, defines, arch, k):
    share = f"{100 * k['fma'] / k['loop']:.0f} %" if k["fma"] and k["loop"] else ""
    return (program, kernel, defines, arch, str(k["registers"]), str(k["spills"]), str(k["stack"]), str(k["shared"]),
            str(k["warps"]), share, moves_text(k["moves"]))


def bad(k):
    return k["spills"] > 0 or k["stack"] > 0


def print_rows(rows):
    widths = [max(len(row[i]) for row in [HEAD] + rows) for i in range(len(HEAD))]
    for row in [HEAD] + rows:
        print("  ".join(cell.rjust(width) if 4 <= i <= 9 else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def check_device(device, units, pool):
    """All rows of a device, the rows that fail, and failed builds."""
    jobs = [(device["kind"], device["arch"], program, defines, groups)
            for (program, defines), groups in sorted(units.items())]
    rows, failing, broken = [], [], []
    for (_, arch, program, defines, groups), result in zip(jobs, pool.map(compile_one, jobs)):
        if "failed" in result:
            broken.append(f"{program} {defines} for {arch}: {result['failed']}")
            continue
        for kernel in sorted(groups):
            k = result["kernels"].get(kernel)
            if not k:
                broken.append(f"{program} {defines} for {arch}: no kernel {kernel} in the result")
                continue
            row = row_of(program, kernel, defines, arch, k)
            rows.append(row)
            if bad(k):
                failing.append(row)
    return rows, failing, broken


def predict_device(device, launches, pool):
    """Prints what predict.py says of the networks' launches on one device."""
    launches = [launch for launch in launches if launch["set"] != "case"]
    units = sorted(units_of(launches).items())
    jobs = [(device["kind"], device["arch"], program, defines, groups) for (program, defines), groups in units]
    kernels = {unit: result.get("kernels", {}) for (unit, _), result in zip(units, pool.map(compile_one, jobs))}
    predict.print_table(device, predict.rows(device, launches, kernels))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--device", action="append")
    parser.add_argument("--program", action="append")
    parser.add_argument("--table")
    parser.add_argument("--predict", action="store_true")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    os.chdir(ROOT)
    devices = [d for d in read_devices() if (not options.device or d["id"] in options.device) and
               (not options.predict or d["kind"] == "nvidia")]
    if options.quick:
        devices = devices[:1]
    every, failing, broken, skipped, summary = [], [], [], 0, []
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        for device in devices:
            missing = compilers.KINDS[device["kind"]][1]()
            if missing:
                skipped += 1
                summary.append(f"{device['id']}: skipped: {missing}")
                continue
            launches = read_launches(build, device["id"], 0 if options.quick or options.predict else None)
            if options.predict:
                predict_device(device, launches, pool)
                return 0
            units = units_of(launches)
            if options.program:
                units = {unit: groups for unit, groups in units.items() if unit[0] in options.program}
            rows, bad_rows, broken_builds = check_device(device, units, pool)
            every += rows
            failing += bad_rows
            broken += broken_builds
            summary.append(f"{device['id']} ({device['name']}, {device['arch']}): {len(rows)} kernels, "
                           f"{len(bad_rows)} spill or have a stack frame, {len(broken_builds)} builds failed")
            if not options.quick and (options.all or device is devices[0]):
                print_rows(rows)
                print()
    if failing:
        print("failing:")
        print_rows(failing)
    for line in broken:
        print(f"failed build: {line}")
    for line in summary:
        print(line)
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.writelines("\t".join(row) + "\n" for row in [HEAD] + every)
    wrong = len(failing) + len(broken)
    print(f"gpu-check: {len(every) - len(failing)} passed, {wrong} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
